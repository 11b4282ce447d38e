/* The data directory as a whole: one server at a time, and a reserve of disk space. */
#ifndef STORE_LAKE_DATADIR_H
#define STORE_LAKE_DATADIR_H

#include <stdint.h>

#include "base/errmsg.h"
#include "base/vfs.h"

#define DATADIR_RESERVE_SIZE (UINT64_C(64) << 20)

/*
 * Makes the directory if need be and takes its lock, dir/LOCK, until datadir_unlock() or the end of the process.
 * Returns a handle, or a negative errno with a text; -EWOULDBLOCK if another process has it.
 */
int datadir_lock(const struct vfs *v, const char *dir, struct errmsg *err);
void datadir_unlock(const struct vfs *v, int lock); /* a negative handle is fine */

/*
 * The reserve is a file, dir/RESERVE, that holds `size` octets of the disk for the moment when there are none left.
 * reserve_restore() makes or refills it: 0, or -ENOSPC while there is still no room; it takes nothing then.
 * reserve_release() gives the space back at once. Neither needs the file to be there. (any thread, one at a time)
 */
int reserve_restore(const struct vfs *v, const char *dir, uint64_t size);
int reserve_release(const struct vfs *v, const char *dir);

#endif
