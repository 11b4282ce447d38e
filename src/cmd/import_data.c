/* A data directory that no server uses as the place that frames are imported to. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/importer.h"
#include "base/buf.h"
#include "cmd/import_to.h"
#include "cmd/node.h"
#include "engine/engine.h"
#include "store/lake/datadir.h"
#include "store/lake/lake.h"

#define BATCH_MAX    ((size_t)4 << 20)
#define ROOM_WAIT_MS 1000 /* then a look at whether the user wants an end */

struct to_data {
    struct import_to base;
    const struct import_to_options *o;
    const struct vfs *vfs;
    char wal_dir[VFS_PATH_MAX];
    int lock;
    struct store *store;
    struct engine *engine;
    pthread_mutex_t room_lock; /* the store's threads may call the engine until it is closed */
    struct importer *importer;
    struct buf batch;
    uint64_t batches;
};

/* ------------------------------------------------------------------------------------------------ storing */

static void add_result(struct import_sums *sums, const struct importer_result *r)
{
    sums->stored += r->stored;
    sums->keepalives += r->keepalives;
    sums->bad += r->bad;
    sums->refused += r->refused;
    if (r->bad > 0 && sums->bad_text[0] == '\0')
        (void)snprintf(sums->bad_text, sizeof(sums->bad_text), "%s", hep_strerror(r->error));
}

/* The key makes a second try take the rest. */
static int to_data_flush(struct import_to *to)
{
    struct to_data *d = (struct to_data *)to;
    struct importer_result result = { 0 };
    struct errmsg err = { "" };
    char key[24];
    enum importer_status status = IMPORTER_DONE;
    if (d->batch.len == 0)
        return 0;
    (void)snprintf(key, sizeof(key), "%llu", (unsigned long long)++d->batches);
    do
        status = importer_take(d->importer, key, (struct hep_slice){ d->batch.ptr, d->batch.len }, &result, &err);
    while (status == IMPORTER_FULL && *d->o->stop == 0);
    add_result(&d->base.sums, &result);
    buf_reset(&d->batch);
    return status == IMPORTER_DONE ? 0 : errmsg_set(&d->base.err, "%s", err.text);
}

static int to_data_frame(struct import_to *to, const uint8_t *frame, size_t len)
{
    struct to_data *d = (struct to_data *)to;
    if (len > BATCH_MAX - d->batch.len && to_data_flush(to) != 0)
        return -1;
    buf_put(&d->batch, frame, len);
    return d->batch.failed ? errmsg_set(&d->base.err, "out of memory") : 0;
}

/* ------------------------------------------------------------------------------------------------ closing */

static int close_all(struct to_data *d, struct errmsg *err)
{
    pthread_mutex_lock(&d->room_lock);
    struct engine *e = d->engine;
    d->engine = NULL;
    pthread_mutex_unlock(&d->room_lock);
    int rc = engine_close(e, err);
    importer_free(d->importer);
    if (d->store != NULL)
        d->store->ops->close(d->store);
    datadir_unlock(d->vfs, d->lock);
    pthread_mutex_destroy(&d->room_lock);
    buf_free(&d->batch);
    free(d);
    return rc == 0 ? 0 : -1;
}

static int to_data_close(struct import_to *to)
{
    struct to_data *d = (struct to_data *)to;
    const struct report *report = d->o->report;
    struct errmsg err = { "" };
    int rc = close_all(d, &err);
    if (rc != 0)
        report_note(report, "%s: what could not be sealed is in the write-ahead log", err.text);
    return rc;
}

static const struct import_to_ops data_ops = {
    .frame = to_data_frame,
    .flush = to_data_flush,
    .close = to_data_close,
};

/* ------------------------------------------------------------------------------------------------ opening */

static void on_lake_event(void *arg, const char *what, const char *path, const char *text)
{
    const struct to_data *d = arg;
    report_note(d->o->report, "%s: %s: %s", path == NULL ? d->o->data : path, what, text);
}

static void on_engine_event(void *arg, bool error, const char *text)
{
    const struct to_data *d = arg;
    if (error)
        report_note(d->o->report, "%s: %s", d->o->data, text);
}

static void on_room(void *arg)
{
    struct to_data *d = arg;
    pthread_mutex_lock(&d->room_lock);
    engine_room(d->engine);
    pthread_mutex_unlock(&d->room_lock);
}

static int lock_dir(struct to_data *d, struct errmsg *err)
{
    struct errmsg why;
    int rc = vfs_join(d->wal_dir, d->o->data, "wal");
    if (rc != 0)
        return errmsg_set(err, "%s: %s", d->o->data, strerror(-rc));
    d->lock = datadir_lock(d->vfs, d->o->data, &why);
    if (d->lock >= 0)
        return 0;
    return errmsg_set(err, "%s%s", why.text,
                      d->lock == -EWOULDBLOCK ? ": if that is a server, import by it: --server URL" : "");
}

static int open_store(struct to_data *d, unsigned writers, struct lake_start *start, struct errmsg *err)
{
    const struct lake_options o = {
        .vfs = d->vfs,
        .data_dir = d->o->data,
        .node = node_default(),
        .writers = engine_store_writers(writers),
        .event = on_lake_event,
        .arg = d,
        .room = on_room,
    };
    return lake_open(&d->store, &o, start, err) == 0 ? 0 : -1;
}

/* Nothing is synced before it is sealed: the input is still there, should the power go. */
static int open_engine(struct to_data *d, unsigned writers, const struct lake_start *start, struct errmsg *err)
{
    const struct track_options track = { 0 };
    const struct engine_options o = {
        .vfs = d->vfs,
        .data_dir = d->o->data,
        .wal_dir = d->wal_dir,
        .store = d->store,
        .node = node_default(),
        .writers = writers,
        .from = start->positions,
        .from_count = start->position_count,
        .max_seq = start->max_seq,
        .wal_mode = WAL_OFF,
        .track = &track,
        .event = on_engine_event,
        .arg = d,
    };
    struct engine *e;
    if (engine_open(&e, &o, err) != 0)
        return -1;
    pthread_mutex_lock(&d->room_lock);
    d->engine = e;
    pthread_mutex_unlock(&d->room_lock);
    return 0;
}

static int open_importer(struct to_data *d, struct errmsg *err)
{
    const struct importer_options o = {
        .sink = engine_sink(d->engine),
        .record = { .headers = d->o->headers, .header_count = d->o->header_count },
        .store = d->store,
        .vfs = d->vfs,
        .room_wait_ms = ROOM_WAIT_MS,
        .not_durable = true,
    };
    return importer_open(&d->importer, &o, err);
}

static int open_all(struct to_data *d, struct errmsg *err)
{
    struct lake_start start = { 0 };
    if (lock_dir(d, err) != 0)
        return -1;
    int writers = engine_writers(d->vfs, d->wal_dir, 1);
    if (writers < 0)
        return errmsg_set(err, "%s: %s", d->wal_dir, strerror(-writers));
    if (open_store(d, (unsigned)writers, &start, err) != 0 || open_engine(d, (unsigned)writers, &start, err) != 0)
        return -1;
    return open_importer(d, err);
}

int import_to_data(struct import_to **ret, const struct import_to_options *options, struct errmsg *err)
{
    struct errmsg ignored;
    struct to_data *d = calloc(1, sizeof(*d));
    if (d == NULL)
        return errmsg_set(err, "out of memory");
    d->base.ops = &data_ops;
    d->o = options;
    d->vfs = vfs_posix();
    d->lock = -1;
    buf_init(&d->batch, BATCH_MAX);
    pthread_mutex_init(&d->room_lock, NULL);
    if (open_all(d, err) != 0) {
        (void)close_all(d, &ignored);
        return -1;
    }
    *ret = &d->base;
    return 0;
}
