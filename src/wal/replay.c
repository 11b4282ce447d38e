#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "wal/segment.h"

/* The segments of one worker in order, and its next record. */
struct stream {
    uint64_t *segments;
    size_t count, cap, next;
    uint8_t *window;
    bool open;  /* reader is */
    bool ready; /* record is */
    struct wal_segment_reader reader;
    struct wal_record record;
};

struct replay {
    const struct wal_replay_options *o;
    const struct vfs *vfs;
    struct wal_replay_stats *stats;
    struct errmsg *err;
    size_t workers; /* streams in use: up to the highest worker that has a segment */
    struct stream streams[WAL_WRITERS_MAX];
};

static void path_of(const struct replay *r, size_t worker, uint64_t segment, char out[VFS_PATH_MAX])
{
    char name[WAL_NAME_MAX];
    wal_segment_name(name, (uint32_t)worker, segment);
    if (vfs_join(out, r->o->dir, name) != 0)
        out[0] = '\0'; /* opening it says why */
}

/* ------------------------------------------------------------------------------------------------ finding */

static bool consumed(const struct replay *r, const struct wal_position *p)
{
    for (size_t i = 0; i < r->o->from_count; i++)
        if (r->o->from[i].worker == p->worker && p->segment < r->o->from[i].segment)
            return true;
    return false;
}

static int add_segment(void *arg, const char *name, bool is_dir)
{
    struct replay *r = arg;
    struct wal_position p;
    if (is_dir || !wal_segment_parse(name, &p))
        return 0;
    if (consumed(r, &p)) {
        r->stats->consumed++;
        return 0;
    }
    struct stream *s = &r->streams[p.worker];
    if (s->count == s->cap) {
        size_t cap = s->cap > 0 ? 2 * s->cap : 16;
        uint64_t *grown = realloc(s->segments, cap * sizeof(*grown));
        if (grown == NULL)
            return -ENOMEM;
        s->segments = grown;
        s->cap = cap;
    }
    s->segments[s->count++] = p.segment;
    r->workers = p.worker >= r->workers ? p.worker + 1 : r->workers;
    return 0;
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static int find_segments(struct replay *r)
{
    int rc = vfs_list(r->vfs, r->o->dir, add_segment, r);
    if (rc == -ENOENT)
        return 0;
    if (rc != 0) {
        (void)errmsg_set(r->err, "WAL directory %s: %s", r->o->dir, strerror(-rc));
        return rc;
    }
    for (size_t i = 0; i < r->workers; i++) {
        struct stream *s = &r->streams[i];
        if (s->count == 0)
            continue;
        qsort(s->segments, s->count, sizeof(*s->segments), compare);
        s->window = malloc(WAL_WINDOW);
        if (s->window == NULL) {
            (void)errmsg_set(r->err, "WAL: out of memory");
            return -ENOMEM;
        }
    }
    return 0;
}

/* Before any record is given out: a program that is older than its data must not take a part of it for all. */
static int check_versions(struct replay *r)
{
    char path[VFS_PATH_MAX];
    for (size_t i = 0; i < r->workers; i++) {
        struct stream *s = &r->streams[i];
        for (size_t k = 0; k < s->count; k++) {
            path_of(r, i, s->segments[k], path);
            int rc = wal_segment_open(&s->reader, r->vfs, path, s->window);
            if (rc == 0)
                wal_segment_close(&s->reader);
            if (rc != -ENOTSUP)
                continue;
            (void)errmsg_set(r->err, "%s: WAL schema version %u, this program reads version %u", path,
                             (unsigned)s->reader.header.version, (unsigned)WAL_SCHEMA_VERSION);
            return rc;
        }
    }
    return 0;
}

/* ------------------------------------------------------------------------------------------------ reading */

static void tell_loss(struct replay *r, size_t worker, uint64_t segment, struct wal_loss loss)
{
    char path[VFS_PATH_MAX];
    if (loss.octets == 0 && loss.kind != WAL_LOSS_SEGMENT && loss.kind != WAL_LOSS_READ)
        return;
    path_of(r, worker, segment, path);
    loss.path = path;
    r->stats->loss[loss.kind]++;
    r->stats->lost_octets += loss.octets;
    if (r->o->loss != NULL)
        r->o->loss(r->o->arg, &loss);
}

static void tell_unopened(struct replay *r, size_t worker, uint64_t segment, int error)
{
    char path[VFS_PATH_MAX];
    struct vfs_stat st = { 0 };
    path_of(r, worker, segment, path);
    if (vfs_stat(r->vfs, path, &st) != 0)
        st.size = 0;
    enum wal_loss_kind kind = error == -EBADMSG ? WAL_LOSS_SEGMENT : WAL_LOSS_READ;
    tell_loss(r, worker, segment, (struct wal_loss){ .kind = kind, .octets = st.size });
}

static bool open_next(struct replay *r, size_t worker)
{
    struct stream *s = &r->streams[worker];
    while (s->next < s->count) {
        char path[VFS_PATH_MAX];
        uint64_t segment = s->segments[s->next++];
        path_of(r, worker, segment, path);
        int rc = wal_segment_open(&s->reader, r->vfs, path, s->window);
        r->stats->segments++;
        /* A whole header in a file of another name is a copy that someone made: its records are elsewhere. */
        if (rc == 0 && (s->reader.header.worker != worker || s->reader.header.segment != segment)) {
            wal_segment_close(&s->reader);
            rc = -EBADMSG;
        }
        s->open = rc == 0;
        if (s->open)
            return true;
        tell_unopened(r, worker, segment, rc);
    }
    return false;
}

/* Makes the worker's next record ready, or leaves it not ready at the end. */
static void advance(struct replay *r, size_t worker)
{
    struct stream *s = &r->streams[worker];
    struct wal_loss loss;
    s->ready = false;
    while (!s->ready && (s->open || open_next(r, worker))) {
        s->ready = wal_segment_next(&s->reader, &s->record, &loss);
        tell_loss(r, worker, s->segments[s->next - 1], loss);
        if (!s->ready) {
            wal_segment_close(&s->reader);
            s->open = false;
        }
    }
}

static struct stream *lowest(struct replay *r)
{
    struct stream *best = NULL;
    for (size_t i = 0; i < r->workers; i++) {
        struct stream *s = &r->streams[i];
        if (s->ready && (best == NULL || s->record.seq < best->record.seq))
            best = s;
    }
    return best;
}

static int merge(struct replay *r)
{
    struct stream *s;
    for (size_t i = 0; i < r->workers; i++)
        advance(r, i);
    while ((s = lowest(r)) != NULL) {
        size_t worker = (size_t)(s - r->streams);
        if (s->record.seq <= r->stats->max_seq) {
            r->stats->duplicates++;
        } else {
            r->stats->max_seq = s->record.seq;
            r->stats->records++;
            int rc = r->o->record(r->o->arg, &s->record, (unsigned)worker);
            if (rc != 0)
                return rc;
        }
        advance(r, worker);
    }
    return 0;
}

int wal_replay(const struct wal_replay_options *options, struct wal_replay_stats *stats, struct errmsg *err)
{
    *stats = (struct wal_replay_stats){ 0 };
    struct replay *r = calloc(1, sizeof(*r));
    if (r == NULL) {
        (void)errmsg_set(err, "WAL: out of memory");
        return -ENOMEM;
    }
    r->o = options;
    r->vfs = options->vfs != NULL ? options->vfs : vfs_posix();
    r->stats = stats;
    r->err = err;
    int rc = find_segments(r);
    if (rc == 0)
        rc = check_versions(r);
    if (rc == 0)
        rc = merge(r);
    for (size_t i = 0; i < r->workers; i++) {
        struct stream *s = &r->streams[i];
        if (s->open)
            wal_segment_close(&s->reader);
        free(s->segments);
        free(s->window);
    }
    free(r);
    return rc;
}
