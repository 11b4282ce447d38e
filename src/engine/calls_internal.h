/* What the files about calls share. */
#ifndef ENGINE_CALLS_INTERNAL_H
#define ENGINE_CALLS_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/lru.h"
#include "base/spsc.h"
#include "engine/call_row.h"
#include "engine/calls.h"

#define CALLS_SOURCES 2 /* enum record_source: what is imported has clocks of its own */

/* What a row is to us. It may carry reports on media in any case. */
enum calls_kind { CALLS_NOTHING, CALLS_EVENT, CALLS_REGISTRATION };

/* From a receiving thread to ours. */
struct calls_message {
    union {
        struct track_event event;
        struct reg_event registration;
    };
    uint64_t seq;
    int64_t now_us;       /* the clock of its source */
    uint32_t reports_len; /* octets; 0: it carries no reports */
    uint8_t kind;         /* enum calls_kind */
    uint8_t source;       /* enum record_source */
};                        /* texts follow, packed; then the reports: struct quality_message and payload */

struct calls_lane {
    struct spsc ring;
    struct calls_message message; /* prepared */
    struct buf texts;
    _Atomic uint64_t waits;
    _Atomic uint64_t too_long; /* messages with more reports than are looked at */
    _Atomic uint64_t taken;    /* number of the last event that is in the trackers */
};

/* Somebody looks at all calls. */
struct calls_walk {
    bool active;
    unsigned source; /* calls of sources before this one, and of it before this place, were looked at */
    uint32_t place;
    unsigned tables; /* rows of which are asked for */
    int (*row)(void *arg, const struct record *record);
    void *arg;
    int rc;
};

/* The row of a call that ended during a walk. */
struct calls_row {
    struct calls_row *next;
    struct record record;
    uint8_t octets[];
};

/* A call that was handed out, and messages of it that came later. Known by the hash of its Call-ID. */
struct calls_late {
    int64_t ts;   /* of the last such message */
    uint64_t seq; /* and its number */
    uint32_t source;
};

struct calls {
    struct calls_options o;
    uint64_t seed;
    struct calls_lane *lanes;

    pthread_mutex_t walk_lock; /* one walk, or seal, at a time; before `lock` */
    pthread_mutex_t lock;      /* of what follows, and of the store's writer */
    struct tracker *of[CALLS_SOURCES];
    struct registrar *registrars[CALLS_SOURCES];
    struct quality *quality[CALLS_SOURCES];
    unsigned source; /* of the tracker at work, for those that it hands out */
    struct calls_walk walk;
    struct calls_row *ended, **ended_end;
    int64_t now_us; /* wall time, as of the last turn */
    uint64_t ticks;
    int64_t imported_us; /* monotonic; when the last event of an import came */
    struct lru *late;    /* struct calls_late, used at monotonic times */
    uint64_t amended;    /* calls whose row a newer version replaced */
    uint64_t unamended;  /* that could not be: no row, no messages, or too many */
    uint64_t not_kept, state_octets, cpu_us;
    bool changed; /* since the last seal kept them */

    pthread_t thread;
    bool runs;
    atomic_bool stop;
};

/* The row with its texts, in one piece of memory; NULL if there is none. */
struct calls_row *calls_row_copy(const struct record *r);

/* Under the lock. */
void calls_append(struct calls *c, const struct record *record);
void calls_append_ended(struct calls *c);

/*
 * registrations.c: what is followed by the same thread, in the same way. All but the first under the lock; but those of
 * an import know no AoRs, which are of now.
 */
bool registrations_prepare(struct calls *c, struct calls_lane *lane, const struct record *record);
bool registrations_open(struct calls *c, unsigned source); /* false: no memory, or limits out of range */
void registrations_free(struct calls *c);
void registrations_take(struct calls *c, const struct calls_message *m, const uint8_t *octets, size_t len);
void registrations_tick(struct calls *c);
bool registrations_imports(const struct calls *c); /* are some open? */
void registrations_figures(const struct calls *c, struct reg_stats *ret);

/*
 * reports.c: of the media of calls. reports_prepare() appends what the row carries to the texts of the lane, and says
 * how many octets that was; the others under the lock.
 */
size_t reports_prepare(struct calls *c, struct calls_lane *lane, const struct record *record);
bool reports_open(struct calls *c, unsigned source); /* behind the tracker of the source; false: no memory */
void reports_free(struct calls *c);
void reports_take(struct calls *c, const struct calls_message *m, const uint8_t *octets);
void reports_figures(const struct calls *c, struct quality_stats *ret);

/* store_live.walk */
int calls_look(void *calls, unsigned tables, int (*row)(void *arg, const struct record *record), int (*done)(void *arg),
               void *arg);

#endif
