/* The tracker itself. Private to this folder. */
#ifndef TRACK_INTERNAL_H
#define TRACK_INTERNAL_H

#include "base/lru.h"
#include "track/cells.h"
#include "track/own.h"
#include "track/probable.h"

#define CHUNK_CALLS 256u
#define WHEEL_SLOTS 65536u /* seconds; what is due later waits in the last slot and is looked at again */
#define NO_CALL     UINT32_MAX

/*
 * Calls lie in chunks that never move; `cells` finds them by key. Each call is in one
 * slot of the wheel, at the second when it is due or before that. Messages that put off its end do not move it: when
 * its slot comes it goes to where it belongs by then. So most messages touch nothing but their call.
 */
struct tracker {
    struct track_options o;
    struct call_world world;
    struct track_call **chunks;
    uint32_t chunk_count, chunk_cap;
    uint32_t used;      /* calls ever given out of the chunks */
    uint32_t free;      /* list of those to use again; NO_CALL: none */
    struct cells cells; /* place: number of the call + 1 */
    uint32_t *wheel;    /* first call of each slot */
    uint32_t now;       /* seconds; 0: no time yet */
    uint32_t earliest;  /* no slot before this second has a call */
    uint32_t linger_s;  /* as it was asked for; o.linger_s is that of now */
    uint64_t rate;      /* of new calls a second, lately; and how many there had been by `now` */
    uint64_t begun;
    struct cells keys; /* of all calls, hubs left out; place: key_place() */
    struct hub *hubs;  /* HUBS_MAX of them */
    struct legs *legs; /* what a look at legs needs room for */
    struct invites *invites;
    struct lru *over; /* keys of calls that were handed out lately, at their end */
    struct track_stats stats;
};

static inline struct track_call *tracker_call(const struct tracker *t, uint32_t number)
{
    return &t->chunks[number / CHUNK_CALLS][number % CHUNK_CALLS];
}

/* ------------------------------------------------------------------------------------------------ keys */

bool key_table_open(struct tracker *t); /* false: no memory */
void key_table_close(struct tracker *t);
size_t key_table_octets(const struct tracker *t);

bool key_is_linked(unsigned kind); /* kinds that are in the table */

/* uids and hashes are different things, even if they are equal. */
bool key_is_same(const struct call_key *a, const struct call_key *b);

/* Another call with the same key, from *at on as cells_next() has it; its place, 0 if there is none. */
uint32_t key_next(const struct tracker *t, const struct call_key *k, uint32_t *at);

/* The key at a place; it is number (place - 1) % KEYS_MAX of the call (place - 1) / KEYS_MAX. */
struct call_key *key_at(const struct tracker *t, uint32_t place);

void key_unlink(struct tracker *t, uint32_t number, unsigned key);

/* Puts a key that the call does not have yet into its piece and the table. False, counted: there was no room. */
bool key_add(struct tracker *t, uint32_t number, struct call_key key, struct hep_slice text);

/* Puts the keys of a call that was loaded into the table. False: no memory. */
bool key_link_all(struct tracker *t, uint32_t number);

/* Asks the memory for what the keys of the event will need. */
void keys_fetch(const struct tracker *t, const struct track_event *e);

/* Notes the keys of a message of the call. */
void keys_take(struct tracker *t, uint32_t number, const struct track_event *e, const struct track_texts *texts);

/* ------------------------------------------------------------------------------------------------ legs */

bool legs_open(struct tracker *t); /* false: no memory */
void legs_close(struct tracker *t);
size_t legs_octets(const struct tracker *t);

/* Finds the group of a call; legs_members(), legs_show() and legs_leave() go by it. */
void legs_find(const struct tracker *t, uint32_t number);
size_t legs_members(const struct tracker *t, uint32_t ret[TRACK_LEGS_MAX]);
void legs_show(const struct tracker *t, uint32_t number, struct call_record *ret);

/* The call goes: those that stay remember that they belong together, and its keys are in no table any more. */
void legs_leave(struct tracker *t, uint32_t number);

/* ------------------------------------------------------------------------------------------------ calls */

/* A place for a call of this key, in the table but not yet in the wheel; its number. NULL: no memory. */
struct track_call *tracker_add(struct tracker *t, uint64_t key, uint32_t *ret_number);

/* Puts a call into the wheel by what it knows now. */
void tracker_arm(struct tracker *t, uint32_t number);

/* Hands out and forgets calls until one more fits. */
void tracker_make_room(struct tracker *t);

/* Number of the call with this key. False: there is none. */
bool tracker_find(const struct tracker *t, uint64_t key, uint32_t *ret_number);

/* Calls fn for each live call, in no order, until it returns false. */
typedef bool tracker_call_fn(void *arg, uint32_t number);
void tracker_walk(const struct tracker *t, tracker_call_fn *fn, void *arg);

#endif
