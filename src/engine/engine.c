#include "engine/engine.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "engine/internal.h"

#define SEAL_INTERVAL UINT64_C(60000000)
#define TEND_INTERVAL UINT64_C(5000000)
#define TROUBLE_US    UINT64_C(2000000) /* between seals while the log refuses */

uint64_t engine_now_us(void)
{
    struct timespec ts;
    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

void engine_event(const struct engine *e, bool error, const char *format, ...)
{
    struct errmsg m;
    va_list args;
    if (e->o.event == NULL)
        return;
    va_start(args, format);
    (void)vsnprintf(m.text, sizeof(m.text), format, args);
    va_end(args);
    e->o.event(e->o.arg, error, m.text);
}

int engine_writers(const struct vfs *vfs, const char *wal_dir, unsigned wanted)
{
    int found = wal_workers(vfs, wal_dir);
    return found < 0 || (unsigned)found > wanted ? found : (int)wanted;
}

/* ------------------------------------------------------------------------------------------------ replay */

struct replay {
    struct engine *e;
    struct record_reader *reader;
};

static int replay_record(void *arg, const struct wal_record *log, unsigned worker)
{
    const struct replay *rp = arg;
    struct engine *e = rp->e;
    const struct sink_frame frame = {
        .data = log->frame,
        .len = log->len,
        .received_us = (int64_t)log->time_us,
        .peer = log->peer,
        .peer_port = log->peer_port,
        .local_port = log->local_port,
        .transport = log->transport,
        .source = log->kind,
    };
    struct hep_msg msg;
    struct record record;
    if (record_read_hep(rp->reader, &frame, &msg) != HEP_OK) {
        e->replay_bad++;
        return 0;
    }
    record_make(rp->reader, &frame, &msg, &record);
    record.seq = log->seq;
    e->replayed++;
    if (e->calls != NULL)
        calls_replay(e->calls, worker, &record);
    /* Beyond the limit, too: it was in memory before. */
    return e->store->ops->append(e->store, worker, &record);
}

static void replay_loss(void *arg, const struct wal_loss *loss)
{
    static const char *const kinds[] = { "the end is torn, as power loss leaves it", "damaged in the middle",
                                         "no usable header", "cannot be read on" };
    const struct replay *rp = arg;
    engine_event(rp->e, loss->kind != WAL_LOSS_TAIL, "write-ahead log %s: %s, at octet %llu, %llu octets passed over",
                 loss->path, kinds[loss->kind], (unsigned long long)loss->at, (unsigned long long)loss->octets);
}

static int replay(struct engine *e, struct errmsg *err)
{
    struct replay rp = { e, record_reader_new(&e->o.record) };
    if (rp.reader == NULL) {
        (void)errmsg_set(err, "out of memory");
        return -ENOMEM;
    }
    const struct wal_replay_options options = {
        .vfs = e->o.vfs,
        .dir = e->o.wal_dir,
        .from = e->o.from,
        .from_count = e->o.from_count,
        .record = replay_record,
        .loss = replay_loss,
        .arg = &rp,
    };
    int rc = wal_replay(&options, &e->replay, err);
    record_reader_free(rp.reader);
    return rc;
}

/* ------------------------------------------------------------------------------------------------ calls */

static int open_calls(struct engine *e, struct errmsg *err)
{
    if (e->o.track == NULL)
        return 0;
    struct errmsg lost = { "" };
    const struct calls_options o = { .store = e->store,
                                     .writers = e->o.writers,
                                     .track = *e->o.track,
                                     .registrar = e->o.registrar,
                                     .record = e->o.record,
                                     .legs = e->o.legs,
                                     .no_thread = e->o.no_threads };
    int rc = calls_open(&e->calls, &o, err);
    if (rc != 0)
        return rc;
    rc = calls_load(e->calls, &lost);
    if (rc != 0)
        engine_event(e, true, "%s", lost.text);
    return rc == -ENOMEM ? rc : 0;
}

/* ------------------------------------------------------------------------------------------------ open and close */

/* Rows of a writer that is not there would be sealed without their log being consumed, and come back at each start. */
static int check_writers(const struct engine_options *o, struct errmsg *err)
{
    if (o->writers == 0 || o->writers > WAL_WRITERS_MAX) {
        (void)errmsg_set(err, "the number of writers must be 1 to %d", WAL_WRITERS_MAX);
        return -EINVAL;
    }
    int found = wal_workers(o->vfs, o->wal_dir);
    if (found < 0)
        (void)errmsg_set(err, "write-ahead log %s: %s", o->wal_dir, strerror(-found));
    if (found > (int)o->writers)
        (void)errmsg_set(err, "the write-ahead log is of %d writers, there are only %u", found, o->writers);
    return found < 0 ? found : found > (int)o->writers ? -EINVAL : 0;
}

/*
 * On the log's thread, after each commit. While rows are in memory alone, whether the log refused them or cannot be
 * synced, only a seal makes them durable: what waits for them (a POST) shall not wait for the interval.
 */
static void on_commit(void *arg, uint64_t up_to, int error)
{
    struct engine *e = arg;
    (void)up_to;
    if (error == 0)
        engine_wake_all(e);
    if ((error != 0 || atomic_load(&e->unlogged_from) != UINT64_MAX) && engine_sealed_us_ago(e) > TROUBLE_US)
        engine_request_seal(e);
}

static int open_log(struct engine *e, struct errmsg *err)
{
    uint64_t last = e->replay.max_seq > e->o.max_seq ? e->replay.max_seq : e->o.max_seq;
    const struct wal_options options = {
        .vfs = e->o.vfs,
        .dir = e->o.wal_dir,
        .writers = e->o.writers,
        .node = e->o.node,
        .first_seq = last + 1,
        .from = e->o.from,
        .from_count = e->o.from_count,
        .mode = e->o.wal_mode,
        .interval_us = e->o.wal_interval_us,
        .segment_size = e->o.wal_segment_size,
        .buffer_size = e->o.wal_buffer_size,
        .no_thread = e->o.no_threads,
        .on_commit = on_commit,
        .arg = e,
    };
    return wal_open(&e->wal, &options, err);
}

static void init(struct engine *e, const struct engine_options *options)
{
    e->o = *options;
    if (e->o.vfs == NULL)
        e->o.vfs = vfs_posix();
    if (e->o.seal_interval_us == 0)
        e->o.seal_interval_us = SEAL_INTERVAL;
    if (e->o.tend_interval_us == 0)
        e->o.tend_interval_us = TEND_INTERVAL;
    e->store = options->store;
    e->sink = (struct sink){ &engine_sink_ops, e, options->writers };
    e->sealed_at_us = engine_now_us();
    atomic_init(&e->unlogged_from, UINT64_MAX);
    for (unsigned i = 0; i < WAL_WRITERS_MAX; i++)
        pthread_mutex_init(&e->writers[i].lock, NULL);
    pthread_mutex_init(&e->seal_lock, NULL);
    pthread_mutex_init(&e->lock, NULL);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&e->wake, &attr);
    pthread_condattr_destroy(&attr);
}

static void release(struct engine *e)
{
    if (e->pending != NULL)
        e->store->ops->seal_free(e->pending);
    for (unsigned i = 0; i < WAL_WRITERS_MAX; i++)
        pthread_mutex_destroy(&e->writers[i].lock);
    pthread_mutex_destroy(&e->seal_lock);
    pthread_mutex_destroy(&e->lock);
    pthread_cond_destroy(&e->wake);
    calls_free(e->calls);
    free(e);
}

int engine_open(struct engine **ret, const struct engine_options *options, struct errmsg *err)
{
    int rc = check_writers(options, err);
    if (rc != 0)
        return rc;
    struct engine *e = calloc(1, sizeof(*e));
    if (e == NULL) {
        (void)errmsg_set(err, "out of memory");
        return -ENOMEM;
    }
    init(e, options);
    rc = open_calls(e, err);
    if (rc == 0)
        rc = replay(e, err);
    if (rc == 0)
        rc = open_log(e, err);
    if (rc == 0 && e->calls != NULL)
        rc = calls_start(e->calls);
    if (rc == 0 && !e->o.no_threads)
        rc = engine_threads_start(e);
    if (rc != 0) {
        engine_threads_stop(e);
        if (e->calls != NULL)
            calls_stop(e->calls);
        (void)wal_close(e->wal);
        release(e);
        return rc;
    }
    if (e->replayed > 0 || (e->calls != NULL && calls_changed(e->calls)))
        engine_request_seal(e);
    *ret = e;
    return 0;
}

int engine_close(struct engine *e, struct errmsg *err)
{
    if (e == NULL)
        return 0;
    engine_threads_stop(e);
    if (e->calls != NULL)
        calls_stop(e->calls);
    int rc = engine_seal(e, err);
    int rc1 = wal_close(e->wal);
    if (rc == 0 && rc1 != 0)
        (void)errmsg_set(err, "write-ahead log: %s", strerror(-rc1));
    release(e);
    return rc != 0 ? rc : rc1;
}

int engine_commit(struct engine *e)
{
    return wal_commit(e->wal);
}

const struct sink *engine_sink(struct engine *e)
{
    return &e->sink;
}

void engine_room(void *engine)
{
    if (engine != NULL)
        engine_wake_all(engine);
}

uint64_t engine_sealed_us_ago(struct engine *e)
{
    pthread_mutex_lock(&e->lock);
    uint64_t at = e->sealed_at_us;
    pthread_mutex_unlock(&e->lock);
    return engine_now_us() - at;
}

static void call_figures(struct engine *e, struct engine_figures *ret)
{
    struct calls_figures f;
    if (e->calls == NULL)
        return;
    calls_figures(e->calls, &f);
    ret->tracks = true;
    ret->calls = f.track;
    ret->calls_live = f.track.live;
    ret->registrations = f.registrations;
    ret->quality = f.quality;
    ret->reports_too_long = f.reports_too_long;
    ret->call_waits = f.waits;
    ret->calls_amended = f.amended;
    ret->calls_unamended = f.unamended;
    ret->late_waiting = f.late_waiting;
    ret->late_forgotten = f.late_forgotten;
    ret->calls_not_kept = f.not_kept;
    ret->calls_octets = f.state_octets;
    ret->calls_cpu_us = f.cpu_us;
}

void engine_registrations(struct engine *e, bool (*fn)(void *arg, const struct reg_aor *aor), void *arg)
{
    if (e->calls != NULL)
        calls_registrations(e->calls, fn, arg);
}

void engine_figures(struct engine *e, struct engine_figures *ret)
{
    *ret = (struct engine_figures){ .replay = e->replay, .replayed = e->replayed, .replay_bad = e->replay_bad };
    wal_stats(e->wal, &ret->wal);
    ret->durable = sink_durable(&e->sink);
    ret->last_seq = wal_reserve_seq(e->wal, 0) - 1;
    ret->unlogged = atomic_load(&e->unlogged);
    ret->not_kept = atomic_load(&e->not_kept);
    ret->wal_error = wal_error(e->wal);
    ret->sealed_us_ago = engine_sealed_us_ago(e);
    call_figures(e, ret);
    pthread_mutex_lock(&e->lock);
    ret->seal_failures = e->seal_failures;
    ret->cpu_us[0] = e->cpu_us[0];
    ret->cpu_us[1] = e->cpu_us[1];
    ret->seal_error = e->seal_error;
    pthread_mutex_unlock(&e->lock);
}
