/*
 * Calls of a data directory: events of the receiving threads go through a ring each to one thread, which keeps the
 * calls (track/track.h) and appends those that are over as rows of table `call`, by a writer of its own.
 *
 *     calls.c        rings, the thread, calls that are over
 *     calls_live.c   looking at those that run
 *     calls_state.c  what a seal keeps of them, and a start brings back
 *     amend.c        calls that late messages change after they were handed out
 *     call_row.c     a call as a row
 *     reports.c      reports on media: rows of table `quality`, and figures of their calls
 *     registrations.c  registrations, which the same thread follows: attempts as rows, and the AoRs
 *
 * Calls are made of rows that are in the log, so they need none: with each seal goes what the tracker knows, at some
 * moment after the log was cut, and the number of the last event of each writer that is in it. A replay passes over
 * events up to that number, and repeats the others. Private to the engine.
 */
#ifndef ENGINE_CALLS_H
#define ENGINE_CALLS_H

#include "engine/engine.h"
#include "track/quality.h"
#include "track/registrar.h"
#include "track/track.h"

struct calls;

struct calls_options {
    struct store *store;
    unsigned writers;              /* 0 .. writers - 1 bring events; the store's writer of this number is ours */
    struct track_options track;    /* limits; on_call is ours */
    struct reg_options registrar;  /* limits of registrations; on_attempt is ours */
    struct record_options record;  /* how messages become rows */
    const struct track_legs *legs; /* as track_event_make_legs() */
    bool no_thread;                /* events are taken in calls_push(): for tests */
};

/* 0; -ENOMEM; -EINVAL for limits out of range. */
int calls_open(struct calls **ret, const struct calls_options *options, struct errmsg *err);
void calls_free(struct calls *c); /* after calls_stop(); NULL is fine */

/* Brings back what the last seal kept. 0, also if there is none; -ENOMEM; another negative errno: calls begin anew. */
int calls_load(struct calls *c, struct errmsg *err);

/* A row that the replay brought back. Before calls_start(). */
void calls_replay(struct calls *c, unsigned writer, const struct record *record);

int calls_start(struct calls *c); /* 0 or a negative errno */
void calls_stop(struct calls *c); /* takes what is in the rings; imports are over */

/* Does this row matter to a call? If so it is to be followed by calls_push() with its number. (the writer's thread) */
bool calls_prepare(struct calls *c, unsigned writer, const struct record *record);
/* Waits while the ring is full: what was stored belongs to its call, too. */
void calls_push(struct calls *c, unsigned writer, uint64_t seq);

/*
 * The share of a seal: waits until events up to these numbers (by writer) are taken, cuts the rows of calls and keeps
 * the others. 0 or a negative errno with a text; then it may be called again for the same seal.
 */
int calls_seal(struct calls *c, struct store_seal *seal, const uint64_t *upto, struct errmsg *err);

/* True if there is something that no seal has kept yet. (any thread) */
bool calls_changed(struct calls *c);

struct calls_figures {
    struct track_stats track; /* of live and imported calls together */
    struct reg_stats registrations;
    struct quality_stats quality;
    uint64_t reports_too_long; /* messages with reports that were not looked at */
    uint64_t amended;          /* calls that late messages changed after they were handed out */
    uint64_t unamended;        /* that late messages could not change: no row of it, or too many messages */
    uint64_t late_waiting;     /* that are to be looked at */
    uint64_t late_forgotten;   /* for want of room */
    uint64_t waits;            /* times that a ring was full */
    uint64_t not_kept;         /* rows of calls that memory could not take */
    uint64_t state_octets;     /* of the last seal */
    uint64_t cpu_us;
};
void calls_figures(struct calls *c, struct calls_figures *ret);

/*
 * Shows every AoR that is known, in no order, in short pieces between which the thread goes on; what changes meanwhile
 * may be shown as it was or as it is. Until `fn` returns false. (any thread)
 */
void calls_registrations(struct calls *c, bool (*fn)(void *arg, const struct reg_aor *aor), void *arg);

#endif
