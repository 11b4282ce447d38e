#include "store/lake/datadir.h"

#include <errno.h>
#include <string.h>

int datadir_lock(const struct vfs *v, const char *dir, struct errmsg *err)
{
    char path[VFS_PATH_MAX];
    int file = -1;
    int rc = vfs_mkdirs(v, dir);
    if (rc == 0)
        rc = vfs_join(path, dir, "LOCK");
    if (rc == 0)
        rc = file = vfs_open(v, path, VFS_WRITE | VFS_CREATE);
    if (rc >= 0)
        rc = vfs_lock(v, file);
    if (rc == 0)
        return file;
    (void)errmsg_set(err, "data directory %s: %s", dir,
                     rc == -EWOULDBLOCK ? "another process is using it" : strerror(-rc));
    datadir_unlock(v, file);
    return rc;
}

void datadir_unlock(const struct vfs *v, int lock)
{
    if (lock >= 0)
        (void)vfs_close(v, lock);
}

/* ------------------------------------------------------------------------------------------------ reserve */

static int open_reserve(const struct vfs *v, const char *dir, unsigned flags)
{
    char path[VFS_PATH_MAX];
    int rc = vfs_join(path, dir, "RESERVE");
    return rc != 0 ? rc : vfs_open(v, path, VFS_WRITE | flags);
}

/* For file systems that cannot allocate. Not zeros: some would store none of them. */
static int fill(const struct vfs *v, int file, uint64_t size)
{
    static const uint8_t block[65536] = { 0x68, 0x65, 0x70 };
    int rc = 0;
    for (uint64_t at = 0; at < size && rc == 0; at += sizeof(block))
        rc = vfs_write_at(v, file, block, size - at < sizeof(block) ? (size_t)(size - at) : sizeof(block), at);
    return rc;
}

int reserve_restore(const struct vfs *v, const char *dir, uint64_t size)
{
    int file = open_reserve(v, dir, VFS_CREATE);
    if (file < 0)
        return file;
    int rc = 0;
    if (vfs_size(v, file) != (int64_t)size) {
        rc = vfs_allocate(v, file, size);
        if (rc == -EOPNOTSUPP)
            rc = fill(v, file, size);
        if (rc == 0)
            rc = vfs_sync(v, file);
        if (rc != 0)
            (void)vfs_truncate(v, file, 0);
    }
    (void)vfs_close(v, file);
    return rc;
}

int reserve_release(const struct vfs *v, const char *dir)
{
    int file = open_reserve(v, dir, 0);
    if (file == -ENOENT)
        return 0;
    if (file < 0)
        return file;
    int rc = vfs_truncate(v, file, 0);
    (void)vfs_close(v, file);
    return rc;
}
