#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "base/clock.h"
#include "base/le.h"
#include "store/lake/manifest_internal.h"

#define HEADER_COPY 64 /* twice, as everything in this file: one flipped octet must not cost the lake */
#define HEADER_SIZE (2 * HEADER_COPY)
#define ALIGN       8
#define LOG_MAX     ((uint64_t)1 << 30) /* octets that are read; compaction keeps a log far below */

static const uint8_t magic[8] = { 'H', 'E', 'P', 'C', 'A', 'T', 'M', 'F' };

static uint64_t wall_us(void)
{
    struct wall_time t = clock_wall();
    return (uint64_t)t.sec * 1000000 + t.usec;
}

/* ------------------------------------------------------------------------------------------------ header */

static void put_header(struct buf *b, uint64_t node, uint64_t first_number)
{
    uint8_t h[HEADER_COPY] = { 0 };
    memcpy(h, magic, sizeof(magic));
    le16_put(h + 8, MANIFEST_SCHEMA_VERSION);
    le16_put(h + 10, HEADER_COPY);
    le64_put(h + 16, node);
    le64_put(h + 24, first_number);
    le64_put(h + 32, wall_us());
    le64_put(h + 56, XXH3_64bits(h, 56));
    buf_put(b, h, sizeof(h));
    buf_put(b, h, sizeof(h));
}

static bool header_copy_ok(const uint8_t *p)
{
    return memcmp(p, magic, sizeof(magic)) == 0 && XXH3_64bits(p, 56) == le64_load(p + 56);
}

/* The copy that is whole, NULL if none is. *ret_both: both are. */
static const uint8_t *find_header(const uint8_t *data, size_t len, bool *ret_both)
{
    bool first = len >= HEADER_COPY && header_copy_ok(data);
    bool second = len >= HEADER_SIZE && header_copy_ok(data + HEADER_COPY);
    *ret_both = first && second;
    return first ? data : second ? data + HEADER_COPY : NULL;
}

/* ------------------------------------------------------------------------------------------------ reading */

static int parse_records(struct manifest_log *l, const uint8_t *data, size_t len, struct manifest_decoder *d,
                         int (*apply)(void *arg, const struct manifest_record *r), void *arg,
                         enum manifest_log_state *state)
{
    for (size_t at = HEADER_SIZE; at < len;) {
        uint64_t number;
        size_t size = manifest_record_check(data + at, len - at, &number);
        if (size == 0) {
            *state = LOG_HEALABLE; /* the other copy has it, or it is a torn end */
            at += ALIGN < len - at ? ALIGN : len - at;
            continue;
        }
        struct manifest_record r;
        if (number > l->next_number || !manifest_record_decode(data + at, size, d, &r)) {
            *state = LOG_DAMAGED;
            return 0;
        }
        if (number == l->next_number) {
            int rc = apply(arg, &r);
            if (rc != 0)
                return rc;
            l->next_number++;
            l->records++;
        }
        at += size;
    }
    return 0;
}

int manifest_log_parse(struct manifest_log *l, const uint8_t *data, size_t len,
                       int (*apply)(void *arg, const struct manifest_record *r), void *arg,
                       enum manifest_log_state *ret_state, unsigned *ret_version)
{
    bool both;
    const uint8_t *h = find_header(data, len, &both);
    *ret_state = h == NULL ? LOG_DAMAGED : both ? LOG_GOOD : LOG_HEALABLE;
    if (h == NULL)
        return 0;
    *ret_version = le16_load(h + 8);
    if (*ret_version != MANIFEST_SCHEMA_VERSION)
        return -ENOTSUP;
    struct manifest_decoder *d = malloc(sizeof(*d));
    if (d == NULL)
        return -ENOMEM;
    l->size = len;
    l->records = 0;
    l->next_number = le64_load(h + 24);
    int rc = parse_records(l, data, len, d, apply, arg, ret_state);
    free(d);
    return rc;
}

/* All octets of the open log on the heap. */
static int read_all(const struct manifest_log *l, uint8_t **ret, size_t *ret_len)
{
    int64_t size = vfs_size(l->vfs, l->file);
    if (size < 0)
        return (int)size;
    if ((uint64_t)size > LOG_MAX)
        return -EFBIG;
    uint8_t *data = malloc((size_t)size + 1);
    if (data == NULL)
        return -ENOMEM;
    int64_t n = vfs_read_at(l->vfs, l->file, data, (size_t)size, 0);
    if (n < 0) {
        free(data);
        return (int)n;
    }
    *ret = data;
    *ret_len = (size_t)n;
    return 0;
}

int manifest_log_load(struct manifest_log *l, const char *dir, bool read_only,
                      int (*apply)(void *arg, const struct manifest_record *r), void *arg,
                      enum manifest_log_state *ret_state, unsigned *ret_version)
{
    char path[VFS_PATH_MAX];
    uint8_t *data = NULL;
    size_t len = 0;
    int rc = vfs_join(path, dir, MANIFEST_NAME);
    if (rc != 0)
        return rc;
    rc = vfs_open(l->vfs, path, read_only ? VFS_READ : VFS_WRITE);
    *ret_state = LOG_ABSENT;
    if (rc < 0)
        return rc == -ENOENT ? 0 : rc;
    l->file = rc;
    rc = read_all(l, &data, &len);
    if (rc == 0)
        rc = manifest_log_parse(l, data, len, apply, arg, ret_state, ret_version);
    free(data);
    return rc;
}

/* ------------------------------------------------------------------------------------------------ writing */

static int write_record(struct manifest_log *l, int file, uint64_t at, struct buf *b, const struct manifest_record *r)
{
    manifest_record_encode(b, r);
    return b->failed ? -ENOMEM : vfs_write_at(l->vfs, file, b->ptr, b->len, at);
}

/* The files of a set from `first` on, as many as a record takes. Returns how many. */
static size_t fill_part(const struct manifest_pin *set, size_t first, struct manifest_file *files)
{
    size_t n = set->count - first < MANIFEST_FILES_MAX ? set->count - first : MANIFEST_FILES_MAX;
    for (size_t i = 0; i < n; i++)
        files[i] = set->nodes[first + i]->file;
    return n;
}

/* Writes header and snapshot into a new file: *fresh gets size, numbers and count. At least one record. */
static int write_snapshot(struct manifest_log *fresh, uint64_t node, const struct manifest_pin *set, struct buf *b,
                          struct manifest_file *files)
{
    size_t done = 0;
    put_header(b, node, fresh->next_number);
    do {
        size_t n = fill_part(set, done, files);
        const struct manifest_record r = {
            .number = fresh->next_number++,
            .node = node,
            .wall_us = wall_us(),
            .change = { .kind = MANIFEST_SNAPSHOT,
                        .epoch = set->epoch,
                        .add = files,
                        .add_count = n,
                        .positions = set->positions,
                        .position_count = set->position_count,
                        .state = set->state[0] != '\0' ? set->state : NULL,
                        .max_seq = set->max_seq },
        };
        int rc = write_record(fresh, fresh->file, fresh->size, b, &r);
        if (rc != 0)
            return rc;
        fresh->size += b->len;
        fresh->records++;
        done += n;
        buf_reset(b);
    } while (done < set->count);
    return vfs_sync(fresh->vfs, fresh->file);
}

static int write_fresh(struct manifest_log *fresh, const char *path, uint64_t node, const struct manifest_pin *set)
{
    struct buf b;
    buf_init(&b, 2 * MANIFEST_RECORD_MAX);
    struct manifest_file *files = calloc(MANIFEST_FILES_MAX, sizeof(*files));
    int rc = files == NULL ? -ENOMEM : vfs_open(fresh->vfs, path, VFS_WRITE | VFS_CREATE | VFS_TRUNC);
    if (rc >= 0) {
        fresh->file = rc;
        rc = write_snapshot(fresh, node, set, &b, files);
    }
    free(files);
    buf_free(&b);
    return rc;
}

/*
 * While the rename has happened but is not durable, either log may be there after a power loss. Both say the same as
 * long as nothing is appended; so nothing is until another rewrite has worked.
 */
int manifest_log_rewrite(struct manifest_log *l, const char *dir, uint64_t node, const struct manifest_pin *set)
{
    char tmp[VFS_PATH_MAX], path[VFS_PATH_MAX];
    struct manifest_log fresh = { .vfs = l->vfs, .file = -1, .next_number = l->next_number };
    int rc = vfs_join(tmp, dir, MANIFEST_TMP);
    if (rc == 0)
        rc = vfs_join(path, dir, MANIFEST_NAME);
    if (rc == 0)
        rc = write_fresh(&fresh, tmp, node, set);
    if (rc == 0)
        rc = vfs_rename(l->vfs, tmp, path);
    if (rc == 0) {
        l->broken = true;
        rc = vfs_sync_dir(l->vfs, dir);
    }
    if (rc != 0) {
        if (fresh.file >= 0)
            (void)vfs_close(l->vfs, fresh.file);
        return rc;
    }
    if (l->file >= 0)
        (void)vfs_close(l->vfs, l->file);
    *l = fresh;
    return 0;
}

/* The end of a record that did not fit is taken away. After a failed sync the record may be there: broken. */
static void undo_append(struct manifest_log *l, bool synced)
{
    l->broken = synced || vfs_truncate(l->vfs, l->file, l->size) != 0;
}

int manifest_log_append(struct manifest_log *l, uint64_t node, const struct manifest_change *change)
{
    const struct manifest_record r = {
        .number = l->next_number, .node = node, .wall_us = wall_us(), .change = *change
    };
    struct buf b;
    buf_init(&b, 2 * MANIFEST_RECORD_MAX);
    int rc = write_record(l, l->file, l->size, &b, &r);
    bool wrote = rc == 0;
    if (wrote)
        rc = vfs_sync(l->vfs, l->file);
    if (rc == 0) {
        l->size += b.len;
        l->next_number++;
        l->records++;
    } else {
        undo_append(l, wrote);
    }
    buf_free(&b);
    return rc;
}
