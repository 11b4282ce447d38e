/* What the files of the engine share. */
#ifndef ENGINE_INTERNAL_H
#define ENGINE_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "engine/calls.h"
#include "engine/engine.h"

/* A receiving thread's side. The lock makes "into the log and into the store" one step for the cut of a seal. */
struct engine_writer {
    pthread_mutex_t lock;
    uint64_t event_seq;     /* of the last row that matters to a call */
    uint64_t unlogged_from; /* at most the numbers of rows that the log refused and that are not cut yet; 0: none */
    unsigned until_look;    /* appends until the store is asked whether it is pressed */
    _Atomic(sink_wake_fn *) wake;
    void *wake_arg;
    char pad[64]; /* a writer's lock is not to share a cache line with the next one's */
};

struct engine {
    struct engine_options o;
    struct sink sink;
    struct store *store;
    struct wal *wal;
    struct engine_writer writers[WAL_WRITERS_MAX];
    struct calls *calls; /* NULL: none */

    atomic_bool pressed;            /* as of the last look */
    _Atomic uint64_t sealed_seq;    /* every number up to this one is sealed */
    _Atomic uint64_t unlogged_from; /* lowest number of unlogged rows that are not durable; UINT64_MAX: none */
    _Atomic uint64_t unlogged, not_kept;

    pthread_mutex_t seal_lock;            /* one seal at a time, and what follows */
    struct store_seal *pending;           /* cut, not durable yet: the last seal_end() failed */
    uint64_t pending_seq;                 /* every number up to this one is durable with it; 0: a writer was not cut */
    int cut_error;                        /* why */
    uint64_t cut_events[WAL_WRITERS_MAX]; /* event_seq of each writer at the cut */
    bool calls_kept;                      /* in `pending` */

    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t wake;
    bool stop, seal_wanted;
    uint64_t seal_failures, sealed_at_us;
    struct errmsg seal_error;
    uint64_t cpu_us[2];

    pthread_t sealer, tender;
    bool sealer_runs, tender_runs;
    uint64_t amend_after_us; /* monotonic; the tending thread's alone */
    struct wal_replay_stats replay;
    uint64_t replayed, replay_bad;
};

extern const struct sink_ops engine_sink_ops;

uint64_t engine_now_us(void); /* monotonic */
void engine_event(const struct engine *e, bool error, const char *format, ...) __attribute__((format(printf, 3, 4)));
void engine_wake_all(struct engine *e);
uint64_t engine_sealed_us_ago(struct engine *e); /* since the last seal that worked, or the start */

/* 0 or a negative errno. */
int engine_threads_start(struct engine *e);
void engine_threads_stop(struct engine *e);

#endif
