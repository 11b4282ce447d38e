#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "store/lake/manifest_internal.h"

#define DEPTH_MAX 4 /* folders below the lake: table, date, hour, and one to spare */

/* ------------------------------------------------------------------------------------------------ walking */

struct name {
    char *text;
    bool is_dir;
};

/* Collected before anything is done with them: what is done changes the directory. */
struct names {
    struct name *list;
    size_t count, cap;
};

static int add_name(void *arg, const char *name, bool is_dir)
{
    struct names *n = arg;
    if (n->count == n->cap) {
        size_t cap = n->cap > 0 ? 2 * n->cap : 64;
        struct name *grown = realloc(n->list, cap * sizeof(*grown));
        if (grown == NULL)
            return -ENOMEM;
        n->list = grown;
        n->cap = cap;
    }
    char *copy = strdup(name);
    if (copy == NULL)
        return -ENOMEM;
    n->list[n->count].text = copy;
    n->list[n->count++].is_dir = is_dir;
    return 0;
}

static void free_names(struct names *n)
{
    for (size_t i = 0; i < n->count; i++)
        free(n->list[i].text);
    free(n->list);
}

struct walk {
    struct manifest *m;
    int (*file)(struct walk *w, const char *path, const char *name); /* relative path; other than 0 ends the walk */
    void (*leave)(struct walk *w, const char *path);                 /* each folder, after what is in it; may be NULL */
    void *arg;
};

static int walk_dir(struct walk *w, const char *dir, unsigned depth);

static int walk_name(struct walk *w, const char *dir, const struct name *n, unsigned depth)
{
    char path[MANIFEST_PATH_MAX];
    size_t head = strlen(dir), tail = strlen(n->text);
    if (head + tail + 2 > sizeof(path) || (n->is_dir && depth == DEPTH_MAX)) {
        manifest_tell(w->m, MANIFEST_FOREIGN, n->text);
        return 0;
    }
    memcpy(path, dir, head);
    if (head > 0)
        path[head++] = '/';
    memcpy(path + head, n->text, tail + 1);
    return n->is_dir ? walk_dir(w, path, depth + 1) : w->file(w, path, n->text);
}

/* A folder that cannot be read is told and passed over, so that it costs no more than itself. */
// NOLINTNEXTLINE(misc-no-recursion): DEPTH_MAX
static int walk_dir(struct walk *w, const char *dir, unsigned depth)
{
    char full[VFS_PATH_MAX];
    struct names names = { 0 };
    int rc = depth == 0 ? 0 : vfs_join(full, w->m->o.dir, dir);
    if (rc == 0)
        rc = vfs_list(w->m->vfs, depth == 0 ? w->m->o.dir : full, add_name, &names);
    if (rc != 0 && rc != -ENOMEM && depth > 0) {
        manifest_tell(w->m, MANIFEST_FOREIGN, dir);
        rc = 0;
    }
    for (size_t i = 0; i < names.count && rc == 0; i++)
        rc = walk_name(w, dir, &names.list[i], depth);
    if (rc == 0 && w->leave != NULL)
        w->leave(w, dir);
    free_names(&names);
    return rc;
}

static bool ends_with(const char *text, const char *end)
{
    size_t a = strlen(text), b = strlen(end);
    return a >= b && strcmp(text + a - b, end) == 0;
}

/* A sealed file under its final name, in a place where we put such files. */
static bool is_sealed(const char *path)
{
    return manifest_path_ok(path) && ends_with(path, ".parquet");
}

static int found_any(struct walk *w, const char *path, const char *name)
{
    (void)name;
    if (is_sealed(path))
        *(bool *)w->arg = true;
    return 0;
}

int manifest_scan_any(struct manifest *m, bool *ret)
{
    struct walk w = { .m = m, .file = found_any, .arg = ret };
    *ret = false;
    return walk_dir(&w, "", 0);
}

/* ------------------------------------------------------------------------------------------------ sweep */

static void drop_unlisted(struct manifest *m, const char *path)
{
    if (m->o.read_only)
        return;
    manifest_readers_unlink(m, path, 0);
    manifest_tell(m, MANIFEST_REMOVED, path);
}

static bool is_housekeeping(const char *path)
{
    return strcmp(path, MANIFEST_NAME) == 0 || strcmp(path, MANIFEST_TMP) == 0 || manifest_readers_is_ours(path) ||
           ends_with(path, ".damaged");
}

/* Whoever lists the path is checked later, in check_listed(). */
static int sweep_file(struct walk *w, const char *path, const char *name)
{
    struct manifest *m = w->m;
    uint64_t epoch = manifest_name_epoch(path);
    if (epoch > atomic_load(&m->last_epoch))
        atomic_store(&m->last_epoch, epoch);
    if (is_housekeeping(path) || manifest_set_find(m->current, path) != NULL || strcmp(path, m->current->state) == 0)
        return 0;
    if (manifest_is_ours(name))
        drop_unlisted(m, path);
    else
        manifest_tell(m, MANIFEST_FOREIGN, path);
    return 0;
}

/*
 * Takes away empty folders of hours that retention has emptied, and makes sure of the names in the others: a process
 * that was killed between renaming and syncing left them to chance.
 */
static void sweep_folder(struct walk *w, const char *path)
{
    char full[VFS_PATH_MAX];
    if (w->m->o.read_only || *path == '\0' || vfs_join(full, w->m->o.dir, path) != 0)
        return;
    if (strchr(path, '/') == NULL || vfs_rmdir(w->m->vfs, full) != 0)
        (void)vfs_sync_dir(w->m->vfs, full);
}

static void check_listed(struct manifest *m, struct manifest_node *n)
{
    char full[VFS_PATH_MAX];
    struct vfs_stat st;
    n->file.state = MANIFEST_FILE_OK;
    if (vfs_join(full, m->o.dir, n->path) != 0 || vfs_stat(m->vfs, full, &st) != 0) {
        n->file.state = MANIFEST_FILE_MISSING;
        manifest_tell(m, MANIFEST_MISSING, n->path);
    } else if (st.size != n->file.bytes) {
        n->file.state = MANIFEST_FILE_SIZE;
        manifest_tell(m, MANIFEST_WRONG_SIZE, n->path);
    }
}

int manifest_sweep(struct manifest *m)
{
    struct walk w = { .m = m, .file = sweep_file, .leave = sweep_folder };
    int rc = walk_dir(&w, "", 0);
    for (size_t i = 0; i < m->current->count && rc == 0; i++)
        check_listed(m, m->current->nodes[i]);
    return rc;
}

/* ------------------------------------------------------------------------------------------------ rebuild */

/* A file with a good footer. */
struct found {
    struct manifest_file file; /* file.path is ours to free */
    enum manifest_kind kind;
    uint32_t epoch_files;
    bool failed; /* its change was never committed: a later one replaced the same file */
};

/* A file says that it replaces another one. */
struct replaced {
    char *path;
    uint64_t epoch; /* of who says it */
    size_t by;      /* the same, in `found` */
};

struct rebuild {
    struct found *found;
    size_t count, cap;
    struct replaced *replaced; /* by path, then by epoch */
    size_t replaced_count, replaced_cap;
    struct wal_position *positions; /* parallel to epochs */
    uint64_t *epochs;
    size_t position_count, position_cap;
    char **names; /* of all sealed files, damaged ones too */
    size_t name_count, name_cap;
    char state[MANIFEST_PATH_MAX];
    uint64_t epoch; /* newest seal */
};

/* Makes room for one more element. */
static bool grow(void **list, size_t count, size_t *cap, size_t size)
{
    if (count < *cap)
        return true;
    size_t more = *cap > 0 ? 2 * *cap : 64;
    void *grown = realloc(*list, more * size);
    if (grown == NULL)
        return false;
    *list = grown;
    *cap = more;
    return true;
}

static int add_text(char ***list, size_t *count, size_t *cap, const char *text)
{
    void *raw = *list;
    if (!grow(&raw, *count, cap, sizeof(char *)))
        return -ENOMEM;
    *list = raw;
    (*list)[*count] = strdup(text);
    return (*list)[*count] != NULL ? (*count)++, 0 : -ENOMEM;
}

static int add_positions(struct rebuild *b, const struct manifest_footer *f)
{
    for (size_t i = 0; i < f->position_count; i++) {
        void *positions = b->positions, *epochs = b->epochs;
        size_t cap = b->position_cap;
        bool ok = grow(&positions, b->position_count, &cap, sizeof(*b->positions));
        b->positions = positions;
        cap = b->position_cap;
        ok = ok && grow(&epochs, b->position_count, &cap, sizeof(*b->epochs));
        b->epochs = epochs;
        if (!ok)
            return -ENOMEM;
        b->position_cap = cap;
        b->positions[b->position_count] = f->positions[i];
        /* Those of a merge were in the MANIFEST when it was made. */
        b->epochs[b->position_count++] = f->kind == MANIFEST_SEAL ? f->file.epoch : 0;
    }
    return 0;
}

static int add_replaced(struct rebuild *b, const char *path)
{
    void *raw = b->replaced;
    if (!grow(&raw, b->replaced_count, &b->replaced_cap, sizeof(*b->replaced)))
        return -ENOMEM;
    b->replaced = raw;
    struct replaced *r = &b->replaced[b->replaced_count];
    *r = (struct replaced){ strdup(path), b->found[b->count - 1].file.epoch, b->count - 1 };
    return r->path != NULL ? b->replaced_count++, 0 : -ENOMEM;
}

static int add_footer(struct rebuild *b, const char *path, const struct manifest_footer *f)
{
    void *raw = b->found;
    if (!grow(&raw, b->count, &b->cap, sizeof(*b->found)))
        return -ENOMEM;
    b->found = raw;
    struct found *n = &b->found[b->count];
    *n = (struct found){ f->file, f->kind, f->epoch_files };
    n->file.path = strdup(path);
    if (n->file.path == NULL)
        return -ENOMEM;
    b->count++;
    if (f->kind == MANIFEST_SEAL && f->file.epoch > b->epoch)
        b->epoch = f->file.epoch;
    int rc = add_positions(b, f);
    for (size_t i = 0; i < f->replaces_count && rc == 0; i++)
        rc = add_replaced(b, f->replaces[i]);
    return rc;
}

static int collect_file(struct walk *w, const char *path, const char *name)
{
    struct rebuild *b = w->arg;
    struct manifest *m = w->m;
    struct manifest_footer footer = { 0 };
    (void)name;
    if (!is_sealed(path))
        return 0;
    int rc = add_text(&b->names, &b->name_count, &b->name_cap, path);
    if (rc != 0)
        return rc;
    rc = m->o.footer(m->o.arg, path, &footer);
    if (rc == -ENOMEM)
        return rc;
    if (rc == 0)
        return add_footer(b, path, &footer);
    if (!m->o.read_only)
        (void)manifest_put_aside(m, path);
    manifest_tell(m, MANIFEST_DAMAGED, path);
    return 0;
}

static int compare_replaced(const void *a, const void *b)
{
    const struct replaced *x = a, *y = b;
    int by = strcmp(x->path, y->path);
    return by != 0 ? by : (x->epoch > y->epoch) - (x->epoch < y->epoch);
}

/* A file can be replaced once. If two say that they did, the change of the older one failed and was made anew. */
static void sort_replaced(struct rebuild *b)
{
    size_t kept = 0;
    if (b->replaced_count > 1)
        qsort(b->replaced, b->replaced_count, sizeof(*b->replaced), compare_replaced);
    for (size_t i = 1; i < b->replaced_count; i++)
        if (strcmp(b->replaced[i - 1].path, b->replaced[i].path) == 0)
            b->found[b->replaced[i - 1].by].failed = true;
    for (size_t i = 0; i < b->replaced_count; i++)
        if (b->found[b->replaced[i].by].failed)
            free(b->replaced[i].path);
        else
            b->replaced[kept++] = b->replaced[i];
    b->replaced_count = kept;
}

static int compare_path(const void *path, const void *r)
{
    return strcmp(path, ((const struct replaced *)r)->path);
}

static bool is_replaced(const struct rebuild *b, const char *path)
{
    return b->replaced_count > 0 &&
           bsearch(path, b->replaced, b->replaced_count, sizeof(*b->replaced), compare_path) != NULL;
}

/*
 * The newest seal may have been cut off between the renames of its files. Then it was never committed, its WAL is
 * still there, and its files must go; but only then. A file of it counts if it is there, be it damaged, or was
 * replaced by a later change.
 */
static bool newest_is_whole(const struct rebuild *b)
{
    size_t have = 0, want = 0;
    for (size_t i = 0; i < b->count; i++)
        if (b->found[i].kind == MANIFEST_SEAL && b->found[i].file.epoch == b->epoch)
            want = b->found[i].epoch_files;
    for (size_t i = 0; i < b->name_count; i++)
        have += manifest_name_epoch(b->names[i]) == b->epoch && !is_replaced(b, b->names[i]);
    for (size_t i = 0; i < b->replaced_count; i++)
        have += manifest_name_epoch(b->replaced[i].path) == b->epoch;
    return have >= want;
}

static int apply_one(struct manifest *m, const struct manifest_change *c)
{
    struct manifest_pin *set;
    int rc = manifest_set_apply(m->current, c, &set);
    if (rc != 0)
        return rc;
    manifest_unpin(m->current);
    m->current = set;
    return 0;
}

static int apply_files(struct manifest *m, struct rebuild *b, bool whole)
{
    struct manifest_file *files = calloc(b->count + 1, sizeof(*files));
    struct manifest_change c = { .kind = MANIFEST_SNAPSHOT, .epoch = b->epoch, .add = files };
    if (files == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < b->count; i++) {
        const struct found *f = &b->found[i];
        bool cut_off = !whole && f->kind == MANIFEST_SEAL && f->file.epoch == b->epoch;
        c.epoch = f->file.epoch > c.epoch ? f->file.epoch : c.epoch;
        if (!cut_off && !f->failed && !is_replaced(b, f->file.path))
            files[c.add_count++] = f->file;
    }
    c.state = whole && b->state[0] != '\0' ? b->state : NULL;
    int rc = apply_one(m, &c);
    free(files);
    return rc;
}

static int apply_positions(struct manifest *m, const struct rebuild *b, bool whole)
{
    int rc = 0;
    for (size_t i = 0; i < b->position_count && rc == 0; i++)
        if (whole || b->epochs[i] < b->epoch)
            rc = apply_one(m, &(struct manifest_change){
                                  .kind = MANIFEST_SNAPSHOT, .positions = &b->positions[i], .position_count = 1 });
    return rc;
}

static int find_state(struct walk *w, const char *path, const char *name)
{
    struct rebuild *b = w->arg;
    (void)name;
    if (manifest_path_ok(path) && ends_with(path, ".state") && manifest_name_epoch(path) == b->epoch)
        memcpy(b->state, path, strlen(path) + 1);
    return 0;
}

static void free_texts(char **list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(list[i]);
    free(list);
}

static void free_rebuild(struct rebuild *b)
{
    for (size_t i = 0; i < b->count; i++)
        free((void *)(uintptr_t)b->found[i].file.path);
    free(b->found);
    free(b->positions);
    free(b->epochs);
    for (size_t i = 0; i < b->replaced_count; i++)
        free(b->replaced[i].path);
    free(b->replaced);
    free_texts(b->names, b->name_count);
}

int manifest_rebuild(struct manifest *m)
{
    struct rebuild b = { 0 };
    struct walk w = { .m = m, .file = collect_file, .arg = &b };
    int rc = walk_dir(&w, "", 0);
    if (rc == 0) {
        w.file = find_state;
        rc = walk_dir(&w, "", 0);
    }
    if (rc == 0) {
        sort_replaced(&b);
        bool whole = newest_is_whole(&b);
        rc = apply_files(m, &b, whole);
        if (rc == 0)
            rc = apply_positions(m, &b, whole);
    }
    free_rebuild(&b);
    return rc;
}
