#include "base/vfs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* ------------------------------------------------------------------------------------------------ POSIX */

static int result(int rc)
{
    return rc < 0 ? -errno : rc;
}

static int64_t result_size(ssize_t n)
{
    return n < 0 ? -errno : n;
}

static int posix_open(void *ctx, const char *path, unsigned flags)
{
    (void)ctx;
    static const struct {
        unsigned ours;
        int theirs;
    } map[] = { { VFS_CREATE, O_CREAT }, { VFS_EXCL, O_EXCL }, { VFS_TRUNC, O_TRUNC }, { VFS_APPEND, O_APPEND } };
    int how = O_CLOEXEC | ((flags & VFS_WRITE) != 0 ? O_RDWR : O_RDONLY);
    for (size_t i = 0; i < sizeof(map) / sizeof(map[0]); i++)
        how |= (flags & map[i].ours) != 0 ? map[i].theirs : 0;
    return result(open(path, how, 0640));
}

static int posix_close(void *ctx, int file)
{
    (void)ctx;
    return result(close(file));
}

static int64_t posix_pread(void *ctx, int file, void *to, size_t len, uint64_t at)
{
    (void)ctx;
    return result_size(pread(file, to, len, (off_t)at));
}

static int64_t posix_pwrite(void *ctx, int file, const void *from, size_t len, uint64_t at)
{
    (void)ctx;
    return result_size(pwrite(file, from, len, (off_t)at));
}

static int64_t posix_append(void *ctx, int file, const void *from, size_t len)
{
    (void)ctx;
    return result_size(write(file, from, len));
}

static int64_t posix_size(void *ctx, int file)
{
    (void)ctx;
    struct stat st;
    return fstat(file, &st) < 0 ? -errno : (int64_t)st.st_size;
}

static int posix_truncate(void *ctx, int file, uint64_t size)
{
    (void)ctx;
    return result(ftruncate(file, (off_t)size));
}

static int posix_allocate(void *ctx, int file, uint64_t size)
{
    (void)ctx;
    return result(fallocate(file, 0, 0, (off_t)size));
}

static int posix_sync(void *ctx, int file)
{
    (void)ctx;
    return result(fdatasync(file));
}

static int posix_lock(void *ctx, int file, enum vfs_lock how)
{
    static const int modes[] = { [VFS_LOCK_NONE] = LOCK_UN, [VFS_LOCK_SHARED] = LOCK_SH, [VFS_LOCK_ALONE] = LOCK_EX };
    (void)ctx;
    return result(flock(file, modes[how] | LOCK_NB));
}

static int posix_rename(void *ctx, const char *from, const char *to)
{
    (void)ctx;
    return result(rename(from, to));
}

static int posix_unlink(void *ctx, const char *path)
{
    (void)ctx;
    return result(unlink(path));
}

static int posix_mkdir(void *ctx, const char *path)
{
    (void)ctx;
    return result(mkdir(path, 0750));
}

static int posix_rmdir(void *ctx, const char *path)
{
    (void)ctx;
    return result(rmdir(path));
}

/* Some file systems do not tell the kind in the listing. */
static bool entry_is_dir(DIR *dir, const struct dirent *e)
{
    struct stat st;
    if (e->d_type != DT_UNKNOWN)
        return e->d_type == DT_DIR;
    return fstatat(dirfd(dir), e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
}

static int posix_list(void *ctx, const char *path, vfs_name_fn *each, void *arg)
{
    (void)ctx;
    DIR *dir = opendir(path);
    if (dir == NULL)
        return -errno;
    int rc = 0;
    while (rc == 0) {
        errno = 0;
        const struct dirent *e = readdir(dir); // NOLINT(concurrency-mt-unsafe): `dir` is ours alone
        if (e == NULL) {
            rc = -errno;
            break;
        }
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            rc = each(arg, e->d_name, entry_is_dir(dir, e));
    }
    closedir(dir);
    return rc;
}

static int posix_sync_dir(void *ctx, const char *path)
{
    (void)ctx;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    int rc = result(fsync(fd));
    (void)close(fd);
    return rc;
}

static int posix_stat(void *ctx, const char *path, struct vfs_stat *ret)
{
    (void)ctx;
    struct stat st;
    if (lstat(path, &st) < 0)
        return -errno;
    *ret = (struct vfs_stat){ .size = (uint64_t)st.st_size, .is_dir = S_ISDIR(st.st_mode) };
    return 0;
}

static int64_t posix_free_space(void *ctx, const char *path)
{
    (void)ctx;
    struct statvfs st;
    if (statvfs(path, &st) < 0)
        return -errno;
    return (int64_t)(st.f_bavail * st.f_frsize);
}

static int64_t posix_total_space(void *ctx, const char *path)
{
    (void)ctx;
    struct statvfs st;
    if (statvfs(path, &st) < 0)
        return -errno;
    return (int64_t)((st.f_blocks - st.f_bfree + st.f_bavail) * st.f_frsize);
}

const struct vfs *vfs_posix(void)
{
    static const struct vfs_ops ops = {
        .open = posix_open,
        .close = posix_close,
        .pread = posix_pread,
        .pwrite = posix_pwrite,
        .append = posix_append,
        .size = posix_size,
        .truncate = posix_truncate,
        .allocate = posix_allocate,
        .sync = posix_sync,
        .lock = posix_lock,
        .rename = posix_rename,
        .unlink = posix_unlink,
        .mkdir = posix_mkdir,
        .rmdir = posix_rmdir,
        .list = posix_list,
        .sync_dir = posix_sync_dir,
        .stat = posix_stat,
        .free_space = posix_free_space,
        .total_space = posix_total_space,
    };
    static const struct vfs posix = { &ops, NULL };
    return &posix;
}

/* ------------------------------------------------------------------------------------------------ files */

int vfs_open(const struct vfs *v, const char *path, unsigned flags)
{
    return v->ops->open(v->ctx, path, flags);
}

int vfs_close(const struct vfs *v, int file)
{
    return v->ops->close(v->ctx, file);
}

int64_t vfs_read_at(const struct vfs *v, int file, void *to, size_t len, uint64_t at)
{
    size_t done = 0;
    while (done < len) {
        int64_t n = v->ops->pread(v->ctx, file, (uint8_t *)to + done, len - done, at + done);
        if (n == -EINTR)
            continue;
        if (n < 0)
            return n;
        if (n == 0)
            break;
        done += (size_t)n;
    }
    return (int64_t)done;
}

/* Repeats short writes; `at` is NULL to append. A device that takes nothing and says no error is broken. */
static int write_all(const struct vfs *v, int file, const uint8_t *from, size_t len, const uint64_t *at)
{
    size_t done = 0;
    while (done < len) {
        int64_t n = at != NULL ? v->ops->pwrite(v->ctx, file, from + done, len - done, *at + done)
                               : v->ops->append(v->ctx, file, from + done, len - done);
        if (n == -EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? (int)n : -EIO;
        done += (size_t)n;
    }
    return 0;
}

int vfs_write_at(const struct vfs *v, int file, const void *from, size_t len, uint64_t at)
{
    return write_all(v, file, from, len, &at);
}

int vfs_write(const struct vfs *v, int file, const void *from, size_t len)
{
    return write_all(v, file, from, len, NULL);
}

int64_t vfs_size(const struct vfs *v, int file)
{
    return v->ops->size(v->ctx, file);
}

int vfs_truncate(const struct vfs *v, int file, uint64_t size)
{
    return v->ops->truncate(v->ctx, file, size);
}

int vfs_allocate(const struct vfs *v, int file, uint64_t size)
{
    return v->ops->allocate(v->ctx, file, size);
}

int vfs_sync(const struct vfs *v, int file)
{
    return v->ops->sync(v->ctx, file);
}

int vfs_lock(const struct vfs *v, int file)
{
    return v->ops->lock(v->ctx, file, VFS_LOCK_ALONE);
}

int vfs_lock_shared(const struct vfs *v, int file)
{
    return v->ops->lock(v->ctx, file, VFS_LOCK_SHARED);
}

int vfs_unlock(const struct vfs *v, int file)
{
    return v->ops->lock(v->ctx, file, VFS_LOCK_NONE);
}

/* ------------------------------------------------------------------------------------------------ names */

int vfs_rename(const struct vfs *v, const char *from, const char *to)
{
    return v->ops->rename(v->ctx, from, to);
}

int vfs_unlink(const struct vfs *v, const char *path)
{
    return v->ops->unlink(v->ctx, path);
}

int vfs_rmdir(const struct vfs *v, const char *path)
{
    return v->ops->rmdir(v->ctx, path);
}

/* The directory that `path` is in: "." for a bare name. */
static int parent_of(const char *path, char out[VFS_PATH_MAX])
{
    const char *slash = strrchr(path, '/');
    size_t len = slash == NULL ? 1 : slash == path ? 1 : (size_t)(slash - path);
    if (len >= VFS_PATH_MAX)
        return -ENAMETOOLONG;
    memcpy(out, slash == NULL ? "." : path, len);
    out[len] = '\0';
    return 0;
}

/* A directory whose name could not be made durable is taken back, so that the next attempt does not trust it. */
static int make_one(const struct vfs *v, const char *path)
{
    struct vfs_stat st;
    int rc = v->ops->mkdir(v->ctx, path);
    if (rc == -EEXIST) {
        rc = vfs_stat(v, path, &st);
        return rc != 0 ? rc : st.is_dir ? 0 : -ENOTDIR;
    }
    if (rc != 0)
        return rc;
    rc = vfs_sync_parent(v, path);
    if (rc != 0)
        (void)vfs_rmdir(v, path);
    return rc;
}

int vfs_mkdirs(const struct vfs *v, const char *path)
{
    char part[VFS_PATH_MAX];
    size_t len = strlen(path);
    struct vfs_stat st;
    if (len >= sizeof(part))
        return -ENAMETOOLONG;
    if (vfs_stat(v, path, &st) == 0 && st.is_dir)
        return 0;
    memcpy(part, path, len + 1);
    int rc = 0;
    for (size_t i = 1; i <= len && rc == 0; i++) {
        if (path[i] != '/' && path[i] != '\0')
            continue;
        part[i] = '\0';
        rc = make_one(v, part);
        part[i] = path[i];
    }
    return rc;
}

int vfs_list(const struct vfs *v, const char *path, vfs_name_fn *each, void *arg)
{
    return v->ops->list(v->ctx, path, each, arg);
}

int vfs_sync_dir(const struct vfs *v, const char *path)
{
    return v->ops->sync_dir(v->ctx, path);
}

int vfs_sync_parent(const struct vfs *v, const char *path)
{
    char dir[VFS_PATH_MAX];
    int rc = parent_of(path, dir);
    return rc == 0 ? vfs_sync_dir(v, dir) : rc;
}

int vfs_publish(const struct vfs *v, const char *from, const char *to)
{
    int rc = vfs_rename(v, from, to);
    return rc == 0 ? vfs_sync_parent(v, to) : rc;
}

int vfs_stat(const struct vfs *v, const char *path, struct vfs_stat *ret)
{
    return v->ops->stat(v->ctx, path, ret);
}

int64_t vfs_free_space(const struct vfs *v, const char *path)
{
    return v->ops->free_space(v->ctx, path);
}

int64_t vfs_total_space(const struct vfs *v, const char *path)
{
    return v->ops->total_space != NULL ? v->ops->total_space(v->ctx, path) : -ENOTSUP;
}

int vfs_join(char out[VFS_PATH_MAX], const char *dir, const char *name)
{
    int n = snprintf(out, VFS_PATH_MAX, "%s/%s", dir, name);
    return n < 0 || n >= VFS_PATH_MAX ? -ENAMETOOLONG : 0;
}
