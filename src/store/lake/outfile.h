/*
 * A sealed file while it is written: "<path>.tmp" first; durable under its name once outfile_publish() returned 0.
 * Octets gather in a buffer, as columns come in small pieces.
 */
#ifndef STORE_LAKE_OUTFILE_H
#define STORE_LAKE_OUTFILE_H

#include "base/buf.h"
#include "base/vfs.h"
#include "record/record.h"
#include "store/lake/manifest.h"
#include "store/parquet/writer.h"

struct outfile {
    const struct vfs *vfs;
    char path[VFS_PATH_MAX], tmp[VFS_PATH_MAX];
    int file; /* -1: not open */
    uint64_t written;
    struct buf waiting;
    int error; /* negative errno of a write; what the writer reports as PQ_ERR_SINK */
};

/* "sip/date=2026-01-31/hour=07/0000000042-0000beef-000001.parquet": relative to the lake. */
void outfile_path(char out[MANIFEST_PATH_MAX], enum record_table table, uint32_t hour, uint64_t epoch, uint64_t node,
                  unsigned number);

/* Makes the folders, removes what an earlier try left, and opens. 0 or a negative errno; then nothing is to be freed.
 */
int outfile_open(struct outfile *o, const struct vfs *vfs, const char *dir, const char *path);

/* Where a pq_writer writes to. */
struct pq_sink outfile_sink(struct outfile *o);

/* Writes what waits, syncs, closes, renames, syncs the folder. 0, or a negative errno: then outfile_abort() follows. */
int outfile_publish(struct outfile *o);

/* Closes and removes the .tmp, if it is still there. */
void outfile_abort(struct outfile *o);

#endif
