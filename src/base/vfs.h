/*
 * Every file call of the store, behind a table, so that tests can make a call fail, cut what was not synced and lose
 * names that were not synced (tests/unit/fault_vfs.h).
 *
 * All functions return 0 or a size, or a negative errno. They may be called from any thread; calls on one file at the
 * same time are as safe as those of POSIX (positions are given with each call, none is kept). Paths are as POSIX has
 * them. None is atomic at power loss except vfs_rename(), which is there or not as a whole once the directory is
 * synced.
 */
#ifndef BASE_VFS_H
#define BASE_VFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Longest path, terminator included, that the store builds. */
#define VFS_PATH_MAX 1024

enum vfs_open_flags {
    VFS_READ = 0,  /* read only */
    VFS_WRITE = 1, /* read and write */
    VFS_CREATE = 1 << 1,
    VFS_EXCL = 1 << 2, /* with VFS_CREATE: -EEXIST if it is there */
    VFS_TRUNC = 1 << 3,
    VFS_APPEND = 1 << 4 /* vfs_write() only */
};

struct vfs_stat {
    uint64_t size; /* octets */
    bool is_dir;
};

enum vfs_lock { VFS_LOCK_NONE, VFS_LOCK_SHARED, VFS_LOCK_ALONE };

/* One name of a directory, without "." and "..". Other than 0 ends the listing and is returned by it. */
typedef int vfs_name_fn(void *arg, const char *name, bool is_dir);

/* Reads and writes may be short and may return -EINTR: the functions below repeat them. */
struct vfs_ops {
    int (*open)(void *ctx, const char *path, unsigned flags); /* a handle, not negative */
    int (*close)(void *ctx, int file);
    int64_t (*pread)(void *ctx, int file, void *to, size_t len, uint64_t at);
    int64_t (*pwrite)(void *ctx, int file, const void *from, size_t len, uint64_t at);
    int64_t (*append)(void *ctx, int file, const void *from, size_t len);
    int64_t (*size)(void *ctx, int file);
    int (*truncate)(void *ctx, int file, uint64_t size);
    int (*allocate)(void *ctx, int file, uint64_t size);
    int (*sync)(void *ctx, int file);
    int (*lock)(void *ctx, int file, enum vfs_lock how);
    int (*rename)(void *ctx, const char *from, const char *to);
    int (*unlink)(void *ctx, const char *path);
    int (*mkdir)(void *ctx, const char *path);
    int (*rmdir)(void *ctx, const char *path);
    int (*list)(void *ctx, const char *path, vfs_name_fn *each, void *arg);
    int (*sync_dir)(void *ctx, const char *path);
    int (*stat)(void *ctx, const char *path, struct vfs_stat *ret);
    int64_t (*free_space)(void *ctx, const char *path);
    int64_t (*total_space)(void *ctx, const char *path); /* may be NULL: not known */
};

struct vfs {
    const struct vfs_ops *ops;
    void *ctx;
};

/* The real file system. Static, never released. */
const struct vfs *vfs_posix(void);

/* Returns a handle, to be given to vfs_close(). New files have mode 0640, and are closed on exec. */
int vfs_open(const struct vfs *v, const char *path, unsigned flags);
int vfs_close(const struct vfs *v, int file);

/* Reads until `len` octets are there or the file ends; returns how many. */
int64_t vfs_read_at(const struct vfs *v, int file, void *to, size_t len, uint64_t at);

/* Writes all `len` octets, or fails with any part of them written. */
int vfs_write_at(const struct vfs *v, int file, const void *from, size_t len, uint64_t at);
int vfs_write(const struct vfs *v, int file, const void *from, size_t len); /* at the end, with VFS_APPEND */

int64_t vfs_size(const struct vfs *v, int file);
int vfs_truncate(const struct vfs *v, int file, uint64_t size);

/* Makes the file `size` octets long with disk space for all of them; -ENOSPC, or -EOPNOTSUPP. */
int vfs_allocate(const struct vfs *v, int file, uint64_t size);

/*
 * Makes the octets and the size of the file durable (fdatasync). After a failure nobody knows what is on the disk,
 * and a second call that works proves nothing: the octets must be written anew, to another file.
 */
int vfs_sync(const struct vfs *v, int file);

/*
 * Locks the file by this handle until it is closed or unlocked (flock): alone, or with others that share.
 * -EWOULDBLOCK if someone else has it in a way that does not go with that.
 */
int vfs_lock(const struct vfs *v, int file);
int vfs_lock_shared(const struct vfs *v, int file);
int vfs_unlock(const struct vfs *v, int file);

int vfs_rename(const struct vfs *v, const char *from, const char *to);
int vfs_unlink(const struct vfs *v, const char *path);
int vfs_rmdir(const struct vfs *v, const char *path);

/* Makes the directory and those above it, each made durable in its parent. */
int vfs_mkdirs(const struct vfs *v, const char *path);

int vfs_list(const struct vfs *v, const char *path, vfs_name_fn *each, void *arg);

/* Makes the names in the directory durable: what was created, renamed, unlinked. */
int vfs_sync_dir(const struct vfs *v, const char *path);

/* vfs_sync_dir() of the directory that `path` is in. */
int vfs_sync_parent(const struct vfs *v, const char *path);

/* Renames and syncs the directory: afterwards the (synced) file is durable under its name. */
int vfs_publish(const struct vfs *v, const char *from, const char *to);

int vfs_stat(const struct vfs *v, const char *path, struct vfs_stat *ret);

/* Octets that an ordinary user may still write in the file system of `path`. */
int64_t vfs_free_space(const struct vfs *v, const char *path);

/* What vfs_free_space() would be if the file system were empty: used space is the difference. -ENOTSUP: not known. */
int64_t vfs_total_space(const struct vfs *v, const char *path);

/* "dir/name" into `out`; -ENAMETOOLONG if it does not fit. */
int vfs_join(char out[VFS_PATH_MAX], const char *dir, const char *name);

#endif
