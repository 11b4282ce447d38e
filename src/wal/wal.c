#include "wal/wal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "base/clock.h"
#include "wal/format.h"
#include "wal/internal.h"

/* ------------------------------------------------------------------------------------------------ segments */

static bool passes(int error)
{
    return error == -ENOSPC || error == -EDQUOT || error == -EMFILE || error == -ENFILE;
}

void wal_writer_fail(struct wal *w, struct wal_writer *wr, int error)
{
    wr->error = error;
    atomic_store(&w->error, error);
}

/* Random where the system has it; a salt only has to differ from others and be unknown to senders. */
static uint64_t make_salt(const struct wal *w, const struct wal_writer *wr)
{
    uint64_t salt;
    if (getrandom(&salt, sizeof(salt), GRND_NONBLOCK) != (ssize_t)sizeof(salt))
        salt = (wal_now(w) ^ (uint64_t)wr->worker << 56 ^ wr->segment) * UINT64_C(0x9e3779b97f4a7c15);
    return salt | 1; /* its low half marks records and must not look like zeros */
}

static uint64_t wall_us(void)
{
    struct wall_time t = clock_wall();
    return (uint64_t)t.sec * 1000000 + t.usec;
}

static void begin_segment(struct wal *w, struct wal_writer *wr)
{
    wr->salt = make_salt(w, wr);
    const struct wal_segment_header h = {
        .version = WAL_SCHEMA_VERSION,
        .worker = wr->worker,
        .node = w->o.node,
        .segment = wr->segment,
        .first_seq = atomic_load(&w->next_seq),
        .created_us = wall_us(),
        .salt = wr->salt,
    };
    wal_header_encode(wr->buffer, &h);
    wr->fill = WAL_HEADER_SIZE;
}

static int open_segment(struct wal *w, struct wal_writer *wr)
{
    char name[WAL_NAME_MAX], path[VFS_PATH_MAX];
    wal_segment_name(name, wr->worker, wr->segment);
    int rc = vfs_join(path, w->o.dir, name);
    if (rc == 0)
        rc = vfs_open(w->vfs, path, VFS_WRITE | VFS_CREATE | VFS_EXCL);
    if (rc < 0)
        return rc;
    wr->file = rc;
    wr->new_name = true;
    atomic_fetch_add_explicit(&w->count.segments, 1, memory_order_relaxed);
    return 0;
}

/* What a failed write left in the file lies beyond `offset`, and the next attempt writes over it. */
static int write_buffer(struct wal *w, struct wal_writer *wr)
{
    int rc = wr->file < 0 ? open_segment(w, wr) : 0;
    if (rc != 0)
        return rc;
    rc = vfs_write_at(w->vfs, wr->file, wr->buffer, wr->fill, wr->offset);
    if (rc != 0)
        return rc;
    atomic_fetch_add_explicit(&w->count.written, wr->fill, memory_order_relaxed);
    wr->offset += wr->fill;
    wr->fill = 0;
    wr->unsynced = true;
    return 0;
}

int wal_writer_flush(struct wal *w, struct wal_writer *wr)
{
    if (wr->fill == 0 || wr->error != 0)
        return wr->error;
    int rc = write_buffer(w, wr);
    if (rc != 0)
        atomic_fetch_add_explicit(&w->count.write_errors, 1, memory_order_relaxed);
    if (rc != 0 && !passes(rc))
        wal_writer_fail(w, wr, rc);
    return rc;
}

/* Leaves the current segment to commit, which syncs and closes it. */
static int retire(struct wal_writer *wr, bool given_up)
{
    if (wr->file >= 0) {
        struct wal_retired *r = malloc(sizeof(*r));
        if (r == NULL)
            return -ENOMEM;
        *r = (struct wal_retired){ wr->retired, wr->file, given_up };
        wr->retired = r;
    }
    wr->file = -1;
    wr->offset = 0;
    wr->fill = 0;
    wr->salt = 0;
    wr->unsynced = false;
    wr->segment++;
    return 0;
}

/* ------------------------------------------------------------------------------------------------ append */

static int batch_size(const struct wal *w, const struct wal_record *records, size_t n, size_t *ret)
{
    size_t total = WAL_HEADER_SIZE; /* a new segment's header must fit beside it */
    for (size_t i = 0; i < n; i++) {
        if (records[i].len > WAL_FRAME_MAX || records[i].peer.len > sizeof(records[i].peer.octets))
            return -EMSGSIZE;
        total += wal_record_size(records[i].len);
        if (total > w->o.buffer_size)
            return -EMSGSIZE;
    }
    *ret = total - WAL_HEADER_SIZE;
    return 0;
}

/* A segment grows beyond its size while it cannot be left. */
static int make_room(struct wal *w, struct wal_writer *wr, size_t size)
{
    if (wr->error != 0)
        return wr->error;
    if (wr->offset + wr->fill + size > w->o.segment_size && wr->salt != 0 && wal_writer_flush(w, wr) == 0)
        (void)retire(wr, false);
    if (wr->salt == 0)
        begin_segment(w, wr);
    return size <= w->o.buffer_size - wr->fill ? wr->error : wal_writer_flush(w, wr);
}

/* The number is taken under the writer's lock: commit relies on it, see read_horizon() there. */
static uint64_t encode_batch(struct wal *w, struct wal_writer *wr, const struct wal_record *records, size_t n)
{
    uint64_t first = atomic_fetch_add(&w->next_seq, n);
    for (size_t i = 0; i < n; i++) {
        wal_record_encode(wr->buffer + wr->fill, &records[i], first + i, wr->salt);
        wr->fill += wal_record_size(records[i].len);
    }
    return first;
}

static void wake_thread(struct wal *w)
{
    pthread_mutex_lock(&w->lock);
    pthread_cond_signal(&w->wake);
    pthread_mutex_unlock(&w->lock);
}

int wal_append(struct wal *w, unsigned writer, const struct wal_record *records, size_t n, uint64_t *ret_first)
{
    size_t size;
    if (writer >= w->o.writers || n == 0)
        return -EINVAL;
    struct wal_writer *wr = &w->writers[writer];
    int rc = batch_size(w, records, n, &size);
    if (rc != 0)
        return rc;
    pthread_mutex_lock(&wr->lock);
    rc = make_room(w, wr, size);
    if (rc == 0) {
        *ret_first = encode_batch(w, wr, records, n);
        if (wr->fill >= w->o.flush_size)
            (void)wal_writer_flush(w, wr); /* the records are in the buffer all the same; commit tells the error */
    }
    pthread_mutex_unlock(&wr->lock);
    if (rc != 0)
        return rc;
    atomic_fetch_add_explicit(&w->count.records, n, memory_order_relaxed);
    atomic_fetch_add_explicit(&w->count.octets, size, memory_order_relaxed);
    if (w->o.mode == WAL_ALWAYS)
        wake_thread(w);
    return 0;
}

uint64_t wal_reserve_seq(struct wal *w, size_t n)
{
    return atomic_fetch_add(&w->next_seq, n);
}

/* ------------------------------------------------------------------------------------------------ cut and drop */

static int cut(struct wal *w, struct wal_writer *wr)
{
    if (wr->error != 0) {
        int rc = retire(wr, true);
        if (rc == 0)
            wr->error = 0;
        return rc;
    }
    if (wr->salt == 0)
        return 0; /* nothing was appended since the last cut */
    int rc = wal_writer_flush(w, wr);
    return rc != 0 ? rc : retire(wr, false);
}

int wal_rotate(struct wal *w, unsigned writer, struct wal_position *ret)
{
    if (writer >= w->o.writers)
        return -EINVAL;
    struct wal_writer *wr = &w->writers[writer];
    pthread_mutex_lock(&wr->lock);
    int rc = cut(w, wr);
    if (rc != 0 && wr->error != 0)
        rc = cut(w, wr); /* the flush failed for good: give up what it held */
    *ret = (struct wal_position){ wr->worker, wr->segment };
    pthread_mutex_unlock(&wr->lock);
    return rc;
}

int wal_clear_error(struct wal *w)
{
    int rc = 0;
    pthread_mutex_lock(&w->commit_lock);
    for (unsigned i = 0; i < w->o.writers; i++) {
        pthread_mutex_lock(&w->writers[i].lock);
        rc = w->writers[i].error != 0 ? -EBUSY : rc;
        pthread_mutex_unlock(&w->writers[i].lock);
    }
    if (rc == 0)
        atomic_store(&w->error, 0);
    pthread_mutex_unlock(&w->commit_lock);
    return rc;
}

/* Names to remove are collected first: a directory that changes while it is listed may show or skip names. */
struct drop {
    const struct wal_position *upto;
    size_t n;
    struct wal_position *found;
    size_t count, cap;
};

static bool below(const struct wal_position *p, const struct wal_position *upto, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (p->worker == upto[i].worker && p->segment < upto[i].segment)
            return true;
    return false;
}

static int collect(void *arg, const char *name, bool is_dir)
{
    struct drop *d = arg;
    struct wal_position p;
    if (is_dir || !wal_segment_parse(name, &p) || !below(&p, d->upto, d->n))
        return 0;
    if (d->count == d->cap) {
        size_t cap = d->cap > 0 ? 2 * d->cap : 64;
        struct wal_position *grown = realloc(d->found, cap * sizeof(*grown));
        if (grown == NULL)
            return -ENOMEM;
        d->found = grown;
        d->cap = cap;
    }
    d->found[d->count++] = p;
    return 0;
}

/* The directory is not synced: a segment that comes back is passed over by its number. */
int wal_drop(struct wal *w, const struct wal_position *upto, size_t n)
{
    struct drop d = { .upto = upto, .n = n };
    int rc = vfs_list(w->vfs, w->o.dir, collect, &d);
    for (size_t i = 0; i < d.count; i++) {
        char name[WAL_NAME_MAX], path[VFS_PATH_MAX];
        wal_segment_name(name, d.found[i].worker, d.found[i].segment);
        int rc1 = vfs_join(path, w->o.dir, name);
        rc1 = rc1 != 0 ? rc1 : vfs_unlink(w->vfs, path);
        rc = rc == 0 && rc1 != -ENOENT ? rc1 : rc;
    }
    free(d.found);
    return rc;
}

/* ------------------------------------------------------------------------------------------------ open and close */

static uint64_t monotonic_us(void *arg)
{
    (void)arg;
    struct timespec ts;
    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

uint64_t wal_now(const struct wal *w)
{
    return w->o.now_us(w->o.now_arg);
}

#define DEFAULT(field, value) ((field) = (field) != 0 ? (field) : (value))

static int take_options(struct wal *w, const struct wal_options *options)
{
    struct wal_options *o = &w->o;
    *o = *options;
    w->vfs = o->vfs != NULL ? o->vfs : vfs_posix();
    DEFAULT(o->writers, 1);
    DEFAULT(o->first_seq, 1);
    DEFAULT(o->interval_us, 100000);
    DEFAULT(o->gap_us, 2000);
    DEFAULT(o->segment_size, (size_t)64 << 20);
    DEFAULT(o->buffer_size, (size_t)1 << 20);
    DEFAULT(o->flush_size, o->buffer_size / 4);
    if (o->now_us == NULL)
        o->now_us = monotonic_us;
    return o->dir == NULL || o->writers > WAL_WRITERS_MAX || o->buffer_size < WAL_HEADER_SIZE + WAL_RECORD_HEADER
               ? -EINVAL
               : 0;
}

static int raise_worker(void *arg, const char *name, bool is_dir)
{
    int *workers = arg;
    struct wal_position p;
    if (!is_dir && wal_segment_parse(name, &p) && p.worker < WAL_WRITERS_MAX && (int)p.worker >= *workers)
        *workers = (int)p.worker + 1;
    return 0;
}

int wal_workers(const struct vfs *vfs, const char *dir)
{
    int workers = 0;
    int rc = vfs_list(vfs != NULL ? vfs : vfs_posix(), dir, raise_worker, &workers);
    return rc == 0 || rc == -ENOENT ? workers : rc;
}

/* No number of a segment is used twice: neither one that is there nor one that the MANIFEST calls consumed. */
static int raise_segment(void *arg, const char *name, bool is_dir)
{
    struct wal *w = arg;
    struct wal_position p;
    (void)is_dir;
    if (wal_segment_parse(name, &p) && p.worker < w->o.writers && p.segment >= w->writers[p.worker].segment)
        w->writers[p.worker].segment = p.segment + 1;
    return 0;
}

static int open_writers(struct wal *w)
{
    w->writers = calloc(w->o.writers, sizeof(*w->writers));
    if (w->writers == NULL)
        return -ENOMEM;
    int rc = 0;
    for (unsigned i = 0; i < w->o.writers; i++) {
        struct wal_writer *wr = &w->writers[i];
        pthread_mutex_init(&wr->lock, NULL);
        wr->worker = i;
        wr->segment = 1;
        wr->file = -1;
        wr->buffer = malloc(w->o.buffer_size);
        rc = wr->buffer == NULL ? -ENOMEM : rc;
    }
    for (size_t i = 0; i < w->o.from_count; i++)
        if (w->o.from[i].worker < w->o.writers && w->o.from[i].segment > w->writers[w->o.from[i].worker].segment)
            w->writers[w->o.from[i].worker].segment = w->o.from[i].segment;
    return rc;
}

static void init_locks(struct wal *w)
{
    pthread_condattr_t attr;
    pthread_mutex_init(&w->commit_lock, NULL);
    pthread_mutex_init(&w->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&w->wake, &attr);
    pthread_cond_init(&w->done, &attr);
    pthread_condattr_destroy(&attr);
}

static void release(struct wal *w)
{
    for (unsigned i = 0; w->writers != NULL && i < w->o.writers; i++) {
        struct wal_writer *wr = &w->writers[i];
        while (wr->retired != NULL) {
            struct wal_retired *next = wr->retired->next;
            (void)vfs_close(w->vfs, wr->retired->file);
            free(wr->retired);
            wr->retired = next;
        }
        if (wr->file >= 0)
            (void)vfs_close(w->vfs, wr->file);
        pthread_mutex_destroy(&wr->lock);
        free(wr->buffer);
    }
    free(w->writers);
    pthread_cond_destroy(&w->wake);
    pthread_cond_destroy(&w->done);
    pthread_mutex_destroy(&w->lock);
    pthread_mutex_destroy(&w->commit_lock);
    free(w);
}

int wal_open(struct wal **ret, const struct wal_options *options, struct errmsg *err)
{
    struct wal *w = calloc(1, sizeof(*w));
    if (w == NULL) {
        (void)errmsg_set(err, "WAL: out of memory");
        return -ENOMEM;
    }
    init_locks(w);
    int rc = take_options(w, options);
    if (rc == 0)
        rc = open_writers(w);
    if (rc == 0)
        rc = vfs_mkdirs(w->vfs, w->o.dir);
    if (rc == 0)
        rc = vfs_list(w->vfs, w->o.dir, raise_segment, w);
    if (rc != 0)
        goto fail;
    atomic_init(&w->next_seq, w->o.first_seq);
    atomic_init(&w->durable, w->o.first_seq - 1);
    w->last_commit = wal_now(w);
    rc = w->o.no_thread ? 0 : wal_thread_start(w);
    if (rc != 0)
        goto fail;
    *ret = w;
    return 0;

fail:
    (void)errmsg_set(err, "WAL directory %s: %s", w->o.dir != NULL ? w->o.dir : "(none)", strerror(-rc));
    release(w);
    return rc;
}

int wal_close(struct wal *w)
{
    if (w == NULL)
        return 0;
    wal_thread_stop(w);
    int rc = wal_commit(w);
    release(w);
    return rc;
}

/* ------------------------------------------------------------------------------------------------ looking */

uint64_t wal_durable(const struct wal *w)
{
    return atomic_load(&w->durable);
}

int wal_error(const struct wal *w)
{
    return atomic_load(&w->error);
}

void wal_stats(const struct wal *w, struct wal_stats *ret)
{
    *ret = (struct wal_stats){ 0 };
#define READ(name) ret->name = atomic_load_explicit(&w->count.name, memory_order_relaxed)
    READ(records);
    READ(octets);
    READ(written);
    READ(commits);
    READ(commit_errors);
    READ(sync_us);
    READ(sync_us_max);
    READ(write_errors);
    READ(segments);
#undef READ
    for (unsigned i = 0; i < w->o.writers; i++) {
        struct wal_writer *wr = &w->writers[i];
        pthread_mutex_lock(&wr->lock);
        ret->buffered += wr->fill;
        pthread_mutex_unlock(&wr->lock);
    }
}
