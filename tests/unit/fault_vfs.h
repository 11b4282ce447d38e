/*
 * A file system in memory that forgets what was not synced, and fails when told to.
 *
 * Each file has the octets that a program sees and those that are on the disk. At a power loss each sector of 512
 * octets that was written since the last sync is old, new, or new up to any octet; the size is anything between the
 * two; and each name that was made, renamed or unlinked since its directory was synced is so or not, each for itself (a
 * rename as a whole). Syncing a file does not make its name durable. A failed sync settles the sectors at random, and
 * later syncs of the file do not write them again.
 *
 * All calls are under one lock: threads may share it.
 */
#ifndef TEST_FAULT_VFS_H
#define TEST_FAULT_VFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/vfs.h"

enum fault_op {
    FAULT_OPEN = 1,
    FAULT_READ = 1 << 1,
    FAULT_WRITE = 1 << 2,
    FAULT_SYNC = 1 << 3,
    FAULT_SYNC_DIR = 1 << 4,
    FAULT_RENAME = 1 << 5,
    FAULT_UNLINK = 1 << 6,
    FAULT_MKDIR = 1 << 7,
    FAULT_TRUNCATE = 1 << 8,
    FAULT_ALLOCATE = 1 << 9,
    FAULT_LIST = 1 << 10,
    FAULT_STAT = 1 << 11,
    /* What changes the disk; these are counted by fault_calls(). */
    FAULT_CHANGES = FAULT_OPEN | FAULT_WRITE | FAULT_SYNC | FAULT_SYNC_DIR | FAULT_RENAME | FAULT_UNLINK | FAULT_MKDIR |
                    FAULT_TRUNCATE | FAULT_ALLOCATE
};

/* Instead of an error: the write takes half of its octets, at least one, and says so. */
#define FAULT_SHORT 1

struct fault_fs;

struct fault_fs *fault_new(uint64_t seed); /* never NULL */
void fault_free(struct fault_fs *f);
const struct vfs *fault_vfs(struct fault_fs *f);

/* From the `after`-th matching call on (0: the next), `times` of them (0: all) fail with `error` (or FAULT_SHORT). */
void fault_inject(struct fault_fs *f, unsigned ops, uint64_t after, int error, uint64_t times);
void fault_clear(struct fault_fs *f);

/* Octets that all files together may have; 0: any. */
void fault_capacity(struct fault_fs *f, uint64_t octets);

/* The power goes during the n-th call that changes something (counted from fault_new() or the last crash; 0: never). */
void fault_power_at(struct fault_fs *f, uint64_t n);
uint64_t fault_calls(const struct fault_fs *f);
bool fault_power_gone(const struct fault_fs *f);

/* Power loss and restart: what is left is durable, no file is open, no fault is set. */
void fault_crash(struct fault_fs *f, uint64_t seed);

/* For tests that look or damage: the octets that a program sees, NULL if there is no such file. Valid until a change.
 */
uint8_t *fault_data(struct fault_fs *f, const char *path, size_t *ret_len);

/* Makes a file with its name and folders, all durable. */
void fault_put(struct fault_fs *f, const char *path, const void *data, size_t len);

/* Files that are open, and locks that are held. */
size_t fault_open_files(struct fault_fs *f);

#endif
