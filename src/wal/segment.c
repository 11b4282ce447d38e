#include "wal/segment.h"

#include <errno.h>

int wal_segment_open(struct wal_segment_reader *r, const struct vfs *vfs, const char *path, uint8_t *window)
{
    *r = (struct wal_segment_reader){ .vfs = vfs, .window = window };
    r->file = vfs_open(vfs, path, VFS_READ);
    if (r->file < 0)
        return r->file;
    int64_t size = vfs_size(vfs, r->file);
    int64_t n = size < 0 ? size : vfs_read_at(vfs, r->file, window, WAL_WINDOW, 0);
    int rc = n < 0 ? (int)n : wal_header_decode(window, (size_t)n, &r->header);
    if (rc != 0) {
        (void)vfs_close(vfs, r->file);
        return rc;
    }
    r->size = (uint64_t)size;
    r->at = WAL_HEADER_SIZE;
    r->window_len = (size_t)n;
    return 0;
}

void wal_segment_close(struct wal_segment_reader *r)
{
    (void)vfs_close(r->vfs, r->file);
}

/* `len` octets of the file from `at` on, NULL if the file ends before or cannot be read. */
static const uint8_t *octets_at(struct wal_segment_reader *r, uint64_t at, size_t len)
{
    if (at > r->size || len > r->size - at || r->error != 0)
        return NULL;
    if (at < r->window_at || at + len > r->window_at + r->window_len) {
        int64_t n = vfs_read_at(r->vfs, r->file, r->window, WAL_WINDOW, at);
        r->window_at = at;
        r->window_len = n > 0 ? (size_t)n : 0;
        r->error = n < 0 ? (int)n : 0;
        if (r->window_len < len)
            return NULL;
    }
    return r->window + (at - r->window_at);
}

/* Octets of the good record at `at`, or 0. */
static size_t record_at(struct wal_segment_reader *r, uint64_t at, struct wal_record *ret)
{
    const uint8_t *p = octets_at(r, at, WAL_RECORD_HEADER);
    size_t size = p != NULL ? wal_record_peek(p, r->header.salt) : 0;
    if (size == 0)
        return 0;
    p = octets_at(r, at, size);
    return p != NULL && wal_record_decode(p, size, r->header.salt, ret) && ret->seq >= r->header.first_seq ? size : 0;
}

/*
 * Looking for the next good record at every possible place is safe: the salt keeps octets that a sender chose from
 * looking like one. And every reader finds the same records, whatever came to be known about the segment in between:
 * were reading to stop at the first bad one, a later start might see numbers that were given out twice.
 */
bool wal_segment_next(struct wal_segment_reader *r, struct wal_record *ret, struct wal_loss *loss)
{
    uint64_t from = r->at;
    *loss = (struct wal_loss){ .kind = WAL_LOSS_MIDDLE, .at = from };
    while (r->at < r->size && r->size - r->at >= WAL_RECORD_HEADER && r->error == 0) {
        size_t size = record_at(r, r->at, ret);
        if (size > 0) {
            loss->octets = r->at - from;
            r->at += size;
            return true;
        }
        r->at += WAL_ALIGN;
    }
    loss->kind = r->error != 0 ? WAL_LOSS_READ : WAL_LOSS_TAIL;
    loss->octets = from < r->size ? r->size - from : 0;
    r->at = r->size;
    return false;
}
