/* Reads one segment, record after record, over damage. Private to the folder. */
#ifndef WAL_SEGMENT_H
#define WAL_SEGMENT_H

#include "wal/format.h"

#define WAL_WINDOW ((size_t)256 << 10) /* octets of a segment held in memory; more than WAL_RECORD_MAX */

struct wal_segment_reader {
    const struct vfs *vfs;
    int file;
    struct wal_segment_header header;
    uint64_t size;   /* octets of the file */
    uint64_t at;     /* next octet */
    uint8_t *window; /* WAL_WINDOW octets, of the caller */
    uint64_t window_at;
    size_t window_len;
    int error; /* of a read that failed */
};

/*
 * Opens a segment and reads its header: 0, -EBADMSG, -ENOTSUP (r->header.version says which) or the error of the
 * system. Only after 0 is there something to close.
 */
int wal_segment_open(struct wal_segment_reader *r, const struct vfs *vfs, const char *path, uint8_t *window);
void wal_segment_close(struct wal_segment_reader *r);

/*
 * The next good record, valid until the next call: true. *loss tells of damage before it, or at the end of the segment
 * together with false; its octets are 0 where there was none.
 */
bool wal_segment_next(struct wal_segment_reader *r, struct wal_record *ret, struct wal_loss *loss);

#endif
