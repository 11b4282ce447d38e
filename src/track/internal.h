/* The tracker itself. Private to this folder. */
#ifndef TRACK_INTERNAL_H
#define TRACK_INTERNAL_H

#include "track/call.h"

#define CHUNK_CALLS 256u
#define WHEEL_SLOTS 65536u /* seconds; what is due later waits in the last slot and is looked at again */
#define NO_CALL     UINT32_MAX

struct cell {
    uint32_t hash;
    uint32_t place; /* number of the call + 1; 0: free */
};

/*
 * Calls lie in chunks that never move; `cells` finds them by key (open addressing, linear probing). Each call is in one
 * slot of the wheel, at the second when it is due or before that. Messages that put off its end do not move it: when
 * its slot comes it goes to where it belongs by then. So most messages touch nothing but their call.
 */
struct tracker {
    struct track_options o;
    struct call_world world;
    struct track_call **chunks;
    uint32_t chunk_count, chunk_cap;
    uint32_t used; /* calls ever given out of the chunks */
    uint32_t free; /* list of those to use again; NO_CALL: none */
    struct cell *cells;
    uint32_t cell_count; /* a power of two */
    uint32_t *wheel;     /* first call of each slot */
    uint32_t now;        /* seconds; 0: no time yet */
    uint32_t earliest;   /* no slot before this second has a call */
    struct track_stats stats;
};

static inline struct track_call *tracker_call(const struct tracker *t, uint32_t number)
{
    return &t->chunks[number / CHUNK_CALLS][number % CHUNK_CALLS];
}

/* A place for a call of this key, in the table but not yet in the wheel; its number. NULL: no memory. */
struct track_call *tracker_add(struct tracker *t, uint64_t key, uint32_t *ret_number);

/* Puts a call into the wheel by what it knows now. */
void tracker_arm(struct tracker *t, uint32_t number);

/* Hands out and forgets calls until one more fits. */
void tracker_make_room(struct tracker *t);

bool tracker_has(const struct tracker *t, uint64_t key);

/* Calls fn for each live call, in no order, until it returns false. */
typedef bool tracker_call_fn(void *arg, const struct track_call *c);
void tracker_walk(const struct tracker *t, tracker_call_fn *fn, void *arg);

#endif
