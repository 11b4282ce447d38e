/*
 * One data directory at work: every frame goes into the write-ahead log and its row into the store, a thread seals what
 * is in memory, another merges and retires files, and a start brings back from the log what was not sealed.
 *
 *   engine.c   opening, replay, closing, figures
 *   append.c   the sink that producers hand frames to
 *   sealing.c  the two threads
 *
 * The engine owns neither the store nor the lock of the directory: who opens them closes them, after the engine.
 */
#ifndef ENGINE_ENGINE_H
#define ENGINE_ENGINE_H

#include "base/errmsg.h"
#include "base/vfs.h"
#include "record/reader.h"
#include "record/sink.h"
#include "store/store.h"
#include "track/quality.h"
#include "track/registrar.h"
#include "track/track.h"
#include "wal/wal.h"

/* A zero means the default in brackets. Everything pointed at must live as long as the engine. */
struct engine_options {
    const struct vfs *vfs; /* [vfs_posix()] */
    const char *data_dir;  /* where the reserve is (store/lake/datadir.h); NULL: there is none */
    const char *wal_dir;
    struct store *store;
    uint64_t node;
    unsigned writers;                /* as the store was opened with: engine_writers() */
    const struct wal_position *from; /* consumed so far, as the store has it */
    size_t from_count;
    uint64_t max_seq; /* highest number ever given out, as the store has it */
    enum wal_mode wal_mode;
    uint64_t wal_interval_us; /* [100000] */
    size_t wal_segment_size;  /* octets, as the next: wal_options has the defaults */
    size_t wal_buffer_size;
    uint64_t seal_interval_us; /* [60 s] */
    uint64_t tend_interval_us; /* between looks for what to merge and retire, while there is nothing [5 s] */
    bool no_threads;           /* nothing happens but in engine_seal() and engine_tend(): for tests, imports */
    struct record_options record;
    const struct track_options *track; /* limits of calls; on_call is ignored. NULL: calls are not tracked. With them
                                          the store has to be opened with one more writer, engine_store_writers() */
    struct reg_options registrar;      /* limits of registrations, which are followed as calls are */
    const struct track_legs *legs;     /* which headers name other legs; NULL: record_leg_headers */

    /* What may want to be logged: failures and recoveries of sealing, losses found at replay. Any thread; short. */
    void (*event)(void *arg, bool error, const char *text);
    void *arg;
};

struct engine;

/*
 * Writers that store and engine have to be opened with, at least `wanted`: what a former start left in the log must
 * have a writer that consumes it. Negative errno if the directory cannot be read.
 */
int engine_writers(const struct vfs *vfs, const char *wal_dir, unsigned wanted);

/* Writers that the store has to be opened with, for an engine of so many that tracks calls. */
#define engine_store_writers(writers) ((writers) + 1)

/*
 * Replays the log into the store and opens it for writing. 0, or a negative errno with a text; -EINVAL if the log is of
 * more writers than there are.
 */
int engine_open(struct engine **ret, const struct engine_options *options, struct errmsg *err);

/*
 * Stops the threads, seals what is in memory and closes the log: what was appended is on disk when it returns 0. An
 * error of the seal leaves the rows to the log, and the next start. NULL is fine.
 */
int engine_close(struct engine *e, struct errmsg *err);

/* Where to append. Lives as long as the engine. */
const struct sink *engine_sink(struct engine *e);

/* Tells all producers that there is room: the store's callback lake_options.room leads here. (any thread) */
void engine_room(void *engine);

/*
 * Seals now, whatever the interval says. 0 if everything appended before is sealed, else a negative errno: of the
 * store, or of a log that cannot be cut, whose rows wait while those of other writers are sealed. (any thread)
 */
int engine_seal(struct engine *e, struct errmsg *err);

/*
 * One piece of what the tending thread does: merges, retention, calls that late messages change. `now_us`: wall time.
 * 1: there may be more to do, 0: nothing, or a negative errno with a text. (one thread)
 */
int engine_tend(struct engine *e, int64_t now_us, struct errmsg *err);

/* Makes the log durable now; what sink_ops.request does in time. 0, or the log's error. (any thread) */
int engine_commit(struct engine *e);

/* Asks the sealing thread to seal soon, without waiting. (any thread) */
void engine_request_seal(struct engine *e);

struct engine_figures {
    struct wal_stats wal;
    struct wal_replay_stats replay;
    uint64_t replayed;        /* rows brought back at the start */
    uint64_t replay_bad;      /* records of the log that are no HEP any more: a fault of ours or of the disk */
    uint64_t durable;         /* every frame with a number up to this one is durable */
    uint64_t last_seq;        /* highest number given out */
    uint64_t unlogged;        /* rows taken while the log refused */
    uint64_t not_kept;        /* rows in the log that memory could not take: lost with the next seal */
    int wal_error;            /* negative errno that sticks, or 0 */
    uint64_t seal_failures;   /* in a row, now */
    uint64_t sealed_us_ago;   /* since the last seal that worked, or the start */
    uint64_t cpu_us[2];       /* CPU time of the sealing and the tending thread */
    struct errmsg seal_error; /* of the last failure; empty after a success */

    bool tracks; /* calls: else what follows is 0 */
    uint64_t calls_live;
    struct track_stats calls;       /* those of imports included */
    struct reg_stats registrations; /* AoRs: of what came by the network; attempts: of imports, too */
    struct quality_stats quality;   /* reports on their media */
    uint64_t reports_too_long;      /* messages with reports that were not looked at */
    uint64_t call_waits;            /* times that a receiving thread waited for calls to be taken */
    uint64_t calls_amended;         /* that late messages changed after they were handed out */
    uint64_t calls_unamended;       /* that late messages could not change: no row of them, or too many messages */
    uint64_t late_waiting;          /* calls of which late messages wait to be looked at */
    uint64_t late_forgotten;        /* the same, given up for want of room */
    uint64_t calls_not_kept;        /* rows of calls that memory could not take */
    uint64_t calls_octets;          /* that the last seal kept of live calls */
    uint64_t calls_cpu_us;
};
void engine_figures(struct engine *e, struct engine_figures *ret);

/* calls_registrations(): every AoR that is known; none without calls. (any thread) */
void engine_registrations(struct engine *e, bool (*fn)(void *arg, const struct reg_aor *aor), void *arg);

#endif
