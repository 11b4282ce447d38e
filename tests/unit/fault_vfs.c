#include "fault_vfs.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "prng.h"

#define SECTOR  512
#define HANDLES 256

struct inode {
    size_t refs; /* names, durable names, pending operations, handles */
    bool is_dir;
    int locked;           /* -1: by one alone; else how many share it */
    uint8_t *live, *disk; /* both have `cap` octets; beyond the size they are zero */
    size_t cap, size, disk_size;
    size_t dirty_from, dirty_to; /* written since the last sync */
};

struct entry {
    char *path;
    struct inode *inode;
};

/* Names by path. */
struct space {
    struct entry *list;
    size_t count, cap;
};

struct op {
    enum { OP_SET, OP_UNSET, OP_RENAME } kind;
    char *path, *to;
    char *above;         /* its folder was removed: what that folder was in; else NULL */
    struct inode *inode; /* of OP_SET and OP_RENAME */
};

struct handle {
    struct inode *inode;
    enum vfs_lock locked;
};

struct fault_fs {
    pthread_mutex_t lock;
    struct vfs vfs;
    uint64_t random;
    struct space live, disk;
    struct op *ops; /* on names, not yet on the disk */
    size_t op_count, op_cap;
    struct handle handles[HANDLES];
    uint64_t calls, power_at, capacity;
    bool dead;
    unsigned fault_ops;
    uint64_t fault_after, fault_times; /* times 0: for ever */
    int fault_error;
};

static void *need(void *p)
{
    if (p == NULL)
        abort();
    return p;
}

static void *grow(void *list, size_t count, size_t *cap, size_t size)
{
    if (count < *cap)
        return list;
    *cap = *cap > 0 ? 2 * *cap : 64;
    return need(realloc(list, *cap * size));
}

/* ------------------------------------------------------------------------------------------------ inodes */

static struct inode *inode_new(bool is_dir)
{
    struct inode *n = need(calloc(1, sizeof(*n)));
    n->is_dir = is_dir;
    return n;
}

static struct inode *ref(struct inode *n)
{
    n->refs++;
    return n;
}

static void unref(struct inode *n)
{
    if (--n->refs > 0)
        return;
    free(n->live);
    free(n->disk);
    free(n);
}

static void reserve(struct inode *n, size_t size)
{
    if (size <= n->cap)
        return;
    size_t cap = n->cap > 0 ? n->cap : 1024;
    while (cap < size)
        cap *= 2;
    n->live = need(realloc(n->live, cap));
    n->disk = need(realloc(n->disk, cap));
    memset(n->live + n->cap, 0, cap - n->cap);
    memset(n->disk + n->cap, 0, cap - n->cap);
    n->cap = cap;
}

static void touch(struct inode *n, size_t from, size_t to)
{
    bool clean = n->dirty_from == n->dirty_to;
    n->dirty_from = clean || from < n->dirty_from ? from : n->dirty_from;
    n->dirty_to = clean || to > n->dirty_to ? to : n->dirty_to;
}

static void write_inode(struct inode *n, const void *from, size_t len, size_t at)
{
    if (len == 0)
        return;
    reserve(n, at + len);
    memcpy(n->live + at, from, len);
    touch(n, at, at + len);
    n->size = at + len > n->size ? at + len : n->size;
}

static void resize_inode(struct inode *n, size_t size)
{
    reserve(n, size);
    if (size < n->size) {
        memset(n->live + size, 0, n->size - size);
        touch(n, size, n->size);
    }
    n->size = size;
}

static void sync_inode(struct inode *n)
{
    if (n->dirty_to > n->dirty_from)
        memcpy(n->disk + n->dirty_from, n->live + n->dirty_from, n->dirty_to - n->dirty_from);
    n->disk_size = n->size;
    n->dirty_from = n->dirty_to = 0;
}

/* Old, new, or new up to any octet. */
static void settle_sector(struct inode *n, size_t at, size_t end, uint64_t *random)
{
    size_t len = end - at;
    size_t choice = prng_below(random, 4);
    size_t fresh = choice == 0 ? 0 : choice == 1 ? prng_below(random, len + 1) : len;
    memcpy(n->disk + at, n->live + at, fresh);
}

/* What is on the disk when nobody waited for it. */
static void settle_inode(struct inode *n, uint64_t *random)
{
    bool all = prng_below(random, 4) == 0, none = prng_below(random, 4) == 0;
    for (size_t at = n->dirty_from; at < n->dirty_to && !none;) {
        size_t end = (at / SECTOR + 1) * SECTOR;
        end = end < n->dirty_to ? end : n->dirty_to;
        if (all)
            memcpy(n->disk + at, n->live + at, end - at);
        else
            settle_sector(n, at, end, random);
        at = end;
    }
    size_t low = n->size < n->disk_size ? n->size : n->disk_size;
    size_t high = n->size < n->disk_size ? n->disk_size : n->size;
    n->disk_size = all ? n->size : none ? n->disk_size : low + prng_below(random, high - low + 1);
    if (n->cap > n->disk_size)
        memset(n->disk + n->disk_size, 0, n->cap - n->disk_size);
    n->dirty_from = n->dirty_to = 0;
}

/* ------------------------------------------------------------------------------------------------ names */

static struct entry *find(const struct space *s, const char *path)
{
    for (size_t i = 0; i < s->count; i++)
        if (strcmp(s->list[i].path, path) == 0)
            return &s->list[i];
    return NULL;
}

static void unset(struct space *s, const char *path)
{
    struct entry *e = find(s, path);
    if (e == NULL)
        return;
    free(e->path);
    unref(e->inode);
    *e = s->list[--s->count];
}

static void set(struct space *s, const char *path, struct inode *n)
{
    char *copy = need(strdup(path)); /* `path` may belong to the entry that goes */
    ref(n);
    unset(s, copy);
    s->list = grow(s->list, s->count, &s->cap, sizeof(*s->list));
    s->list[s->count++] = (struct entry){ copy, n };
}

static void clear_space(struct space *s)
{
    while (s->count > 0)
        unset(s, s->list[0].path);
    free(s->list);
    *s = (struct space){ 0 };
}

static size_t parent_len(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL ? (size_t)(slash - path) : 0;
}

static bool has_parent(const struct space *s, const char *path)
{
    size_t len = parent_len(path);
    char dir[VFS_PATH_MAX];
    if (len == 0)
        return true;
    memcpy(dir, path, len);
    dir[len] = '\0';
    const struct entry *e = find(s, dir);
    return e != NULL && e->inode->is_dir;
}

static void push_op(struct fault_fs *f, struct op op)
{
    f->ops = grow(f->ops, f->op_count, &f->op_cap, sizeof(*f->ops));
    f->ops[f->op_count++] = op;
    if (op.inode != NULL)
        ref(op.inode);
}

static void free_op(struct op *op)
{
    free(op->path);
    free(op->to);
    free(op->above);
    if (op->inode != NULL)
        unref(op->inode);
}

static void apply_op(struct space *s, const struct op *op)
{
    if (op->kind == OP_SET)
        set(s, op->path, op->inode);
    if (op->kind == OP_UNSET)
        unset(s, op->path);
    if (op->kind == OP_RENAME) {
        unset(s, op->path);
        set(s, op->to, op->inode);
    }
}

static bool op_in_dir(const struct op *op, const char *dir)
{
    const char *path = op->kind == OP_RENAME ? op->to : op->path;
    size_t len = parent_len(path);
    return (strlen(dir) == len && memcmp(path, dir, len) == 0) || (op->above != NULL && strcmp(op->above, dir) == 0);
}

/* A folder is durably gone only as an empty one: then what was removed from it is gone as well. */
static void remove_with_folder(struct fault_fs *f, const char *path)
{
    for (size_t i = 0; i < f->op_count; i++)
        if (op_in_dir(&f->ops[i], path)) {
            free(f->ops[i].above);
            f->ops[i].above = need(strndup(path, parent_len(path)));
        }
}

static void make_name(struct fault_fs *f, const char *path, struct inode *n)
{
    set(&f->live, path, n);
    push_op(f, (struct op){ .kind = OP_SET, .path = need(strdup(path)), .inode = n });
}

static int remove_name(struct fault_fs *f, const char *path)
{
    push_op(f, (struct op){ .kind = OP_UNSET, .path = need(strdup(path)) });
    unset(&f->live, path);
    return 0;
}

/* ------------------------------------------------------------------------------------------------ faults */

/*
 * Called first by every operation, with the lock held: 0, or what it is to return; *ret_last says that the power goes
 * during it.
 */
static int meet_fault(struct fault_fs *f, enum fault_op op, bool *ret_last)
{
    *ret_last = false;
    if (f->dead)
        return -EIO;
    if (((unsigned)op & FAULT_CHANGES) != 0 && ++f->calls == f->power_at)
        f->dead = *ret_last = true;
    if ((f->fault_ops & (unsigned)op) == 0)
        return 0;
    if (f->fault_after > 0) {
        f->fault_after--;
        return 0;
    }
    if (f->fault_times > 0 && --f->fault_times == 0)
        f->fault_ops = 0;
    return f->fault_error;
}

static int leave(struct fault_fs *f, int rc, bool last)
{
    pthread_mutex_unlock(&f->lock);
    return last ? -EIO : rc;
}

static int enter(struct fault_fs *f, enum fault_op op, bool *ret_last)
{
    pthread_mutex_lock(&f->lock);
    return meet_fault(f, op, ret_last);
}

static uint64_t used(const struct fault_fs *f)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < f->live.count; i++)
        sum += f->live.list[i].inode->size;
    return sum;
}

/* Octets of a write that fit. */
static size_t fits(const struct fault_fs *f, const struct inode *n, size_t len, uint64_t at)
{
    uint64_t more = at + len > n->size ? at + len - n->size : 0;
    uint64_t have = used(f);
    if (f->capacity == 0 || have + more <= f->capacity)
        return len;
    uint64_t room = f->capacity > have ? f->capacity - have : 0;
    return more - room >= len ? 0 : len - (size_t)(more - room);
}

/* ------------------------------------------------------------------------------------------------ operations */

static struct inode *inode_of(struct fault_fs *f, int file)
{
    if (file < 0 || file >= HANDLES || f->handles[file].inode == NULL)
        abort(); /* used after close */
    return f->handles[file].inode;
}

static int open_path(struct fault_fs *f, const char *path, unsigned flags)
{
    int file = 0;
    while (file < HANDLES && f->handles[file].inode != NULL)
        file++;
    if (file == HANDLES)
        return -EMFILE;
    struct entry *e = find(&f->live, path);
    if (e == NULL && (flags & VFS_CREATE) == 0)
        return -ENOENT;
    if (e != NULL && (flags & VFS_EXCL) != 0)
        return -EEXIST;
    if (e != NULL && e->inode->is_dir)
        return -EISDIR;
    if (e == NULL && !has_parent(&f->live, path))
        return -ENOENT;
    if (e == NULL) {
        make_name(f, path, inode_new(false));
        e = find(&f->live, path);
    }
    if ((flags & VFS_TRUNC) != 0)
        resize_inode(e->inode, 0);
    f->handles[file] = (struct handle){ .inode = ref(e->inode) };
    return file;
}

static int fs_open(void *ctx, const char *path, unsigned flags)
{
    struct fault_fs *f = ctx;
    bool last;
    int rc = enter(f, (flags & (VFS_CREATE | VFS_TRUNC)) != 0 ? FAULT_OPEN : FAULT_STAT, &last);
    if (rc == 0)
        rc = open_path(f, path, flags);
    return leave(f, rc, last);
}

static void unlock(struct fault_fs *f, int file)
{
    struct handle *h = &f->handles[file];
    h->inode->locked -= h->locked == VFS_LOCK_ALONE ? -1 : h->locked == VFS_LOCK_SHARED;
    h->locked = VFS_LOCK_NONE;
}

static int fs_close(void *ctx, int file)
{
    struct fault_fs *f = ctx;
    pthread_mutex_lock(&f->lock);
    struct inode *n = inode_of(f, file);
    unlock(f, file);
    f->handles[file] = (struct handle){ 0 };
    unref(n);
    return leave(f, 0, false);
}

static int64_t fs_pread(void *ctx, int file, void *to, size_t len, uint64_t at)
{
    struct fault_fs *f = ctx;
    bool last;
    int rc = enter(f, FAULT_READ, &last);
    size_t n = 0;
    if (rc == 0) {
        const struct inode *i = inode_of(f, file);
        n = at >= i->size ? 0 : i->size - (size_t)at < len ? i->size - (size_t)at : len;
        if (n > 0)
            memcpy(to, i->live + at, n);
    }
    rc = leave(f, rc, last);
    return rc != 0 ? rc : (int64_t)n;
}

static int64_t write_some(struct fault_fs *f, int file, const void *from, size_t len, uint64_t at, bool append)
{
    bool last;
    int rc = enter(f, FAULT_WRITE, &last);
    size_t n = 0;
    if (rc >= 0) {
        struct inode *i = inode_of(f, file);
        at = append ? i->size : at;
        n = rc == FAULT_SHORT && len > 1 ? len / 2 : len;
        n = fits(f, i, n, at);
        write_inode(i, from, n, (size_t)at);
        rc = n == 0 && len > 0 ? -ENOSPC : 0;
    }
    rc = leave(f, rc, last);
    return rc != 0 ? rc : (int64_t)n;
}

static int64_t fs_pwrite(void *ctx, int file, const void *from, size_t len, uint64_t at)
{
    return write_some(ctx, file, from, len, at, false);
}

static int64_t fs_append(void *ctx, int file, const void *from, size_t len)
{
    return write_some(ctx, file, from, len, 0, true);
}

static int64_t fs_size(void *ctx, int file)
{
    struct fault_fs *f = ctx;
    pthread_mutex_lock(&f->lock);
    int64_t size = f->dead ? -EIO : (int64_t)inode_of(f, file)->size;
    pthread_mutex_unlock(&f->lock);
    return size;
}

static int fs_truncate(void *ctx, int file, uint64_t size)
{
    struct fault_fs *f = ctx;
    bool last;
    int rc = enter(f, FAULT_TRUNCATE, &last);
    if (rc == 0)
        resize_inode(inode_of(f, file), (size_t)size);
    return leave(f, rc, last);
}

static int fs_allocate(void *ctx, int file, uint64_t size)
{
    struct fault_fs *f = ctx;
    bool last;
    int rc = enter(f, FAULT_ALLOCATE, &last);
    if (rc == 0) {
        struct inode *n = inode_of(f, file);
        uint64_t more = size > n->size ? size - n->size : 0;
        rc = f->capacity > 0 && used(f) + more > f->capacity ? -ENOSPC : 0;
        if (rc == 0 && more > 0)
            resize_inode(n, (size_t)size);
    }
    return leave(f, rc, last);
}

static int fs_sync(void *ctx, int file)
{
    struct fault_fs *f = ctx;
    bool last;
    int rc = enter(f, FAULT_SYNC, &last);
    if (!f->dead || last) {
        if (rc == 0 && !last)
            sync_inode(inode_of(f, file));
        if (rc != 0)
            settle_inode(inode_of(f, file), &f->random);
    }
    return leave(f, rc, last);
}

static int fs_lock(void *ctx, int file, enum vfs_lock how)
{
    struct fault_fs *f = ctx;
    pthread_mutex_lock(&f->lock);
    struct inode *n = inode_of(f, file);
    unlock(f, file);
    int rc = how != VFS_LOCK_NONE && (n->locked < 0 || (how == VFS_LOCK_ALONE && n->locked > 0)) ? -EWOULDBLOCK : 0;
    if (rc == 0) {
        f->handles[file].locked = how;
        n->locked += how == VFS_LOCK_ALONE ? -1 : how == VFS_LOCK_SHARED;
    }
    return leave(f, rc, false);
}

static int fs_rename(void *ctx, const char *from, const char *to)
{
    struct fault_fs *f = ctx;
    bool last;
    int rc = enter(f, FAULT_RENAME, &last);
    struct entry *e = rc == 0 ? find(&f->live, from) : NULL;
    if (rc == 0 && (e == NULL || !has_parent(&f->live, to)))
        rc = -ENOENT;
    if (rc == 0) {
        struct op op = { .kind = OP_RENAME, .path = need(strdup(from)), .to = need(strdup(to)), .inode = e->inode };
        push_op(f, op);
        apply_op(&f->live, &op);
    }
    return leave(f, rc, last);
}

static int fs_unlink(void *ctx, const char *path)
{
    struct fault_fs *f = ctx;
    bool last;
    int rc = enter(f, FAULT_UNLINK, &last);
    const struct entry *e = rc == 0 ? find(&f->live, path) : NULL;
    if (rc == 0)
        rc = e == NULL ? -ENOENT : e->inode->is_dir ? -EISDIR : remove_name(f, path);
    return leave(f, rc, last);
}

static int fs_mkdir(void *ctx, const char *path)
{
    struct fault_fs *f = ctx;
    bool last;
    int rc = enter(f, FAULT_MKDIR, &last);
    if (rc == 0)
        rc = find(&f->live, path) != NULL ? -EEXIST : !has_parent(&f->live, path) ? -ENOENT : 0;
    if (rc == 0)
        make_name(f, path, inode_new(true));
    return leave(f, rc, last);
}

static bool is_in(const char *path, const char *dir)
{
    size_t len = strlen(dir);
    return strncmp(path, dir, len) == 0 && path[len] == '/' && strchr(path + len + 1, '/') == NULL;
}

static int fs_rmdir(void *ctx, const char *path)
{
    struct fault_fs *f = ctx;
    bool last;
    int rc = enter(f, FAULT_UNLINK, &last);
    if (rc == 0 && find(&f->live, path) == NULL)
        rc = -ENOENT;
    for (size_t i = 0; i < f->live.count && rc == 0; i++)
        rc = is_in(f->live.list[i].path, path) ? -ENOTEMPTY : 0;
    if (rc == 0)
        remove_with_folder(f, path);
    if (rc == 0)
        rc = remove_name(f, path);
    return leave(f, rc, last);
}

/* The callback runs without the lock, over names that were copied before, as others may change the directory. */
static int fs_list(void *ctx, const char *path, vfs_name_fn *each, void *arg)
{
    struct fault_fs *f = ctx;
    bool last;
    struct entry *found = NULL;
    bool *dirs = NULL;
    size_t count = 0;
    int rc = enter(f, FAULT_LIST, &last);
    const struct entry *dir = rc == 0 ? find(&f->live, path) : NULL;
    if (rc == 0 && (dir == NULL || !dir->inode->is_dir))
        rc = -ENOENT;
    if (rc == 0) {
        found = need(calloc(f->live.count, sizeof(*found)));
        dirs = need(calloc(f->live.count, sizeof(*dirs)));
    }
    for (size_t i = 0; rc == 0 && i < f->live.count; i++)
        if (is_in(f->live.list[i].path, path)) {
            dirs[count] = f->live.list[i].inode->is_dir;
            found[count++].path = need(strdup(f->live.list[i].path + strlen(path) + 1));
        }
    rc = leave(f, rc, last);
    for (size_t i = 0; i < count; i++) {
        rc = rc == 0 ? each(arg, found[i].path, dirs[i]) : rc;
        free(found[i].path);
    }
    free(found);
    free(dirs);
    return rc;
}

static void sync_names(struct fault_fs *f, const char *dir)
{
    size_t kept = 0;
    for (size_t i = 0; i < f->op_count; i++) {
        if (op_in_dir(&f->ops[i], dir)) {
            apply_op(&f->disk, &f->ops[i]);
            free_op(&f->ops[i]);
        } else {
            f->ops[kept++] = f->ops[i];
        }
    }
    f->op_count = kept;
}

static int fs_sync_dir(void *ctx, const char *path)
{
    struct fault_fs *f = ctx;
    bool last;
    int rc = enter(f, FAULT_SYNC_DIR, &last);
    const char *dir = strcmp(path, "/") == 0 ? "" : path;
    if (rc == 0 && *dir != '\0' && find(&f->live, dir) == NULL)
        rc = -ENOENT;
    if (rc == 0 && !last)
        sync_names(f, dir);
    return leave(f, rc, last);
}

static int fs_stat(void *ctx, const char *path, struct vfs_stat *ret)
{
    struct fault_fs *f = ctx;
    bool last;
    int rc = enter(f, FAULT_STAT, &last);
    const struct entry *e = rc == 0 ? find(&f->live, path) : NULL;
    if (rc == 0 && e == NULL)
        rc = -ENOENT;
    if (rc == 0)
        *ret = (struct vfs_stat){ .size = e->inode->size, .is_dir = e->inode->is_dir };
    return leave(f, rc, last);
}

static int64_t fs_free_space(void *ctx, const char *path)
{
    struct fault_fs *f = ctx;
    (void)path;
    pthread_mutex_lock(&f->lock);
    uint64_t have = used(f);
    int64_t room = f->capacity == 0 ? INT64_MAX : f->capacity > have ? (int64_t)(f->capacity - have) : 0;
    pthread_mutex_unlock(&f->lock);
    return room;
}

/* ------------------------------------------------------------------------------------------------ control */

struct fault_fs *fault_new(uint64_t seed)
{
    static const struct vfs_ops ops = {
        .open = fs_open,
        .close = fs_close,
        .pread = fs_pread,
        .pwrite = fs_pwrite,
        .append = fs_append,
        .size = fs_size,
        .truncate = fs_truncate,
        .allocate = fs_allocate,
        .sync = fs_sync,
        .lock = fs_lock,
        .rename = fs_rename,
        .unlink = fs_unlink,
        .mkdir = fs_mkdir,
        .rmdir = fs_rmdir,
        .list = fs_list,
        .sync_dir = fs_sync_dir,
        .stat = fs_stat,
        .free_space = fs_free_space,
    };
    struct fault_fs *f = need(calloc(1, sizeof(*f)));
    pthread_mutex_init(&f->lock, NULL);
    f->vfs = (struct vfs){ &ops, f };
    f->random = seed;
    return f;
}

static void forget_all(struct fault_fs *f)
{
    for (size_t i = 0; i < f->op_count; i++)
        free_op(&f->ops[i]);
    f->op_count = 0;
    for (size_t i = 0; i < HANDLES; i++)
        if (f->handles[i].inode != NULL)
            unref(f->handles[i].inode);
    memset(f->handles, 0, sizeof(f->handles));
    clear_space(&f->live);
}

void fault_free(struct fault_fs *f)
{
    forget_all(f);
    clear_space(&f->disk);
    free(f->ops);
    pthread_mutex_destroy(&f->lock);
    free(f);
}

const struct vfs *fault_vfs(struct fault_fs *f)
{
    return &f->vfs;
}

void fault_inject(struct fault_fs *f, unsigned ops, uint64_t after, int error, uint64_t times)
{
    pthread_mutex_lock(&f->lock);
    f->fault_ops = ops;
    f->fault_after = after;
    f->fault_error = error;
    f->fault_times = times;
    pthread_mutex_unlock(&f->lock);
}

void fault_clear(struct fault_fs *f)
{
    fault_inject(f, 0, 0, 0, 0);
}

void fault_capacity(struct fault_fs *f, uint64_t octets)
{
    pthread_mutex_lock(&f->lock);
    f->capacity = octets;
    pthread_mutex_unlock(&f->lock);
}

void fault_power_at(struct fault_fs *f, uint64_t n)
{
    f->power_at = n;
}

uint64_t fault_calls(const struct fault_fs *f)
{
    return f->calls;
}

bool fault_power_gone(const struct fault_fs *f)
{
    return f->dead;
}

/* A name whose folder is gone is gone. */
static void drop_orphans(struct space *s)
{
    for (bool again = true; again;) {
        again = false;
        for (size_t i = 0; i < s->count; i++)
            if (!has_parent(s, s->list[i].path)) {
                unset(s, s->list[i].path);
                again = true;
                break;
            }
    }
}

static void settle_names(struct fault_fs *f, uint64_t *random)
{
    size_t mood = prng_below(random, 4); /* none, all, or each for itself */
    for (size_t i = 0; i < f->op_count; i++)
        if (mood == 1 || (mood > 1 && prng_below(random, 2) == 0))
            apply_op(&f->disk, &f->ops[i]);
    drop_orphans(&f->disk);
}

void fault_crash(struct fault_fs *f, uint64_t seed)
{
    uint64_t random = seed;
    settle_names(f, &random);
    forget_all(f);
    for (size_t i = 0; i < f->disk.count; i++) {
        struct inode *n = f->disk.list[i].inode;
        settle_inode(n, &random);
        n->locked = 0;
        n->size = n->disk_size;
        if (n->cap > 0)
            memcpy(n->live, n->disk, n->cap);
        set(&f->live, f->disk.list[i].path, n);
    }
    f->calls = f->power_at = f->capacity = 0;
    f->dead = false;
    f->fault_ops = 0;
}

uint8_t *fault_data(struct fault_fs *f, const char *path, size_t *ret_len)
{
    const struct entry *e = find(&f->live, path);
    if (e == NULL)
        return NULL;
    reserve(e->inode, 1);
    *ret_len = e->inode->size;
    return e->inode->live;
}

void fault_put(struct fault_fs *f, const char *path, const void *data, size_t len)
{
    char dir[VFS_PATH_MAX];
    size_t end = parent_len(path);
    memcpy(dir, path, end);
    dir[end] = '\0';
    if (end > 0)
        (void)vfs_mkdirs(&f->vfs, dir);
    int file = vfs_open(&f->vfs, path, VFS_WRITE | VFS_CREATE | VFS_TRUNC);
    if (file < 0 || vfs_write_at(&f->vfs, file, data, len, 0) != 0 || vfs_sync(&f->vfs, file) != 0 ||
        vfs_sync_parent(&f->vfs, path) != 0)
        abort();
    (void)vfs_close(&f->vfs, file);
}

size_t fault_open_files(struct fault_fs *f)
{
    size_t n = 0;
    for (size_t i = 0; i < HANDLES; i++)
        n += f->handles[i].inode != NULL;
    return n;
}
