#include "track/internal.h"

#include <stdlib.h>
#include <string.h>

#include "sip/start.h"
#include "sip/text.h"

#define OVER_MAX 100000u /* calls that are remembered behind their end */
#define OVER_S   7200u

#define LINGER_LEAST_S 5u
#define AHEAD          8u            /* calls of a walk that memory is asked for beforehand */
#define OWN_AHEAD      ((size_t)256) /* octets of what each has for itself */

#define RATE_FADE_S 60u /* after so long without a tick nothing of a rate is left */

/* ------------------------------------------------------------------------------------------------ open and close */

static void preset(uint32_t *option, uint32_t value)
{
    if (*option == 0)
        *option = value;
}

static bool set_options(struct tracker *t, const struct track_options *o)
{
    t->o = *o;
    preset(&t->o.max_calls, 1000000);
    preset(&t->o.linger_s, 60);
    preset(&t->o.max_lingering, 200000);
    preset(&t->o.no_answer_s, 32);
    preset(&t->o.ring_s, 900);
    preset(&t->o.idle_s, 43200);
    preset(&t->o.orphan_s, 3600);
    return t->o.max_calls <= TRACK_CALLS_MAX && t->o.linger_s <= TRACK_SECONDS_MAX &&
           t->o.no_answer_s <= TRACK_SECONDS_MAX && t->o.ring_s <= TRACK_SECONDS_MAX &&
           t->o.idle_s <= TRACK_SECONDS_MAX && t->o.orphan_s <= TRACK_SECONDS_MAX;
}

struct tracker *tracker_new(const struct track_options *options)
{
    struct tracker *t = calloc(1, sizeof(*t));
    if (t == NULL || !set_options(t, options))
        goto fail;
    t->linger_s = t->o.linger_s;
    t->free = NO_CALL;
    t->wheel = malloc(WHEEL_SLOTS * sizeof(*t->wheel));
    t->over = lru_new(&(struct lru_options){ .key_size = sizeof(uint64_t), .value_size = 1, .capacity = OVER_MAX });
    if (!cells_init(&t->cells, 1024) || !legs_open(t) || t->wheel == NULL || t->over == NULL)
        goto fail;
    memset(t->wheel, 0xff, WHEEL_SLOTS * sizeof(*t->wheel));
    return t;
fail:
    tracker_free(t);
    return NULL;
}

static bool release(void *arg, uint32_t number)
{
    struct tracker *t = arg;
    free(tracker_call(t, number)->own);
    return true;
}

void tracker_free(struct tracker *t)
{
    if (t == NULL)
        return;
    if (t->cells.all != NULL)
        tracker_walk(t, release, t);
    for (uint32_t i = 0; i < t->chunk_count; i++)
        free(t->chunks[i]);
    free(t->chunks);
    cells_free(&t->cells);
    legs_close(t);
    lru_free(t->over);
    free(t->wheel);
    words_free(&t->world.words);
    free(t);
}

/* ------------------------------------------------------------------------------------------------ table */

static uint32_t key_hash(uint64_t key)
{
    return (uint32_t)((key * UINT64_C(0x9e3779b97f4a7c15)) >> 32);
}

/* All of a call at once: one wait for memory instead of one for each part. */
static void fetch(const struct track_call *c)
{
    for (size_t at = 0; at < sizeof(*c); at += 64)
        __builtin_prefetch((const uint8_t *)c + at, 1);
}

bool tracker_find(const struct tracker *t, uint64_t key, uint32_t *ret_number)
{
    uint32_t hash = key_hash(key);
    for (uint32_t at = hash, place; (place = cells_next(&t->cells, hash, &at)) != 0;) {
        const struct track_call *c = tracker_call(t, place - 1);
        fetch(c);
        *ret_number = place - 1;
        if (c->key == key)
            return true;
    }
    return false;
}

static bool grow_chunks(struct tracker *t)
{
    if (t->free != NO_CALL || t->used < t->chunk_count * CHUNK_CALLS)
        return true;
    if (t->chunk_count == t->chunk_cap) {
        uint32_t cap = t->chunk_cap == 0 ? 16 : t->chunk_cap * 2;
        struct track_call **chunks = realloc(t->chunks, cap * sizeof(struct track_call *));
        if (chunks == NULL)
            return false;
        t->chunks = chunks;
        t->chunk_cap = cap;
    }
    t->chunks[t->chunk_count] = malloc(CHUNK_CALLS * sizeof(struct track_call));
    if (t->chunks[t->chunk_count] == NULL)
        return false;
    t->chunk_count++;
    return true;
}

struct track_call *tracker_add(struct tracker *t, uint64_t key, uint32_t *ret_number)
{
    if (!cells_room(&t->cells) || !grow_chunks(t))
        return NULL;
    uint32_t number = t->free != NO_CALL ? t->free : t->used++;
    struct track_call *c = tracker_call(t, number);
    if (number == t->free)
        t->free = c->link.next;
    cells_put(&t->cells, key_hash(key), number + 1);
    t->stats.live++;
    *ret_number = number;
    return c;
}

/* In the order of memory: by the table each call would be a wait for it. */
void tracker_walk(const struct tracker *t, tracker_call_fn *fn, void *arg)
{
    for (uint32_t i = 0; i < t->used; i++) {
        if (i + AHEAD < t->used) {
            const uint8_t *own = (const uint8_t *)tracker_call(t, i + AHEAD)->own; /* lies anywhere */
            for (size_t at = 0; at < OWN_AHEAD; at += 64)
                __builtin_prefetch(own + at);
        }
        if (tracker_call(t, i)->messages > 0 && !fn(arg, i))
            return;
    }
}

/* ------------------------------------------------------------------------------------------------ wheel */

static uint32_t due_of(const struct tracker *t, const struct track_call *c)
{
    uint64_t due = (uint64_t)c->touched + call_patience(c, &t->o);
    uint64_t last = (uint64_t)t->now + WHEEL_SLOTS - 1;
    return (uint32_t)(due < t->now + 1u ? t->now + 1u : due > last ? last : due);
}

void tracker_arm(struct tracker *t, uint32_t number)
{
    struct track_call *c = tracker_call(t, number);
    uint32_t due = due_of(t, c), *slot = &t->wheel[due % WHEEL_SLOTS];
    c->link.due = due;
    c->link.prev = NO_CALL;
    c->link.next = *slot;
    if (*slot != NO_CALL)
        tracker_call(t, *slot)->link.prev = number;
    *slot = number;
    t->earliest = due < t->earliest ? due : t->earliest;
}

static void disarm(struct tracker *t, const struct track_call *c)
{
    if (c->link.next != NO_CALL)
        tracker_call(t, c->link.next)->link.prev = c->link.prev;
    if (c->link.prev != NO_CALL)
        tracker_call(t, c->link.prev)->link.next = c->link.next;
    else
        t->wheel[c->link.due % WHEEL_SLOTS] = c->link.next;
}

static void hand_out(struct tracker *t, uint32_t number)
{
    struct call_record r;
    struct track_call *c = tracker_call(t, number);
    cells_prefetch(&t->cells, key_hash(c->key));
    legs_find(t, number);
    if (t->o.on_call != NULL) {
        call_show(c, &t->world, true, &r);
        legs_show(t, number, &r);
        r.place = number;
        t->o.on_call(t->o.arg, &r);
    }
    legs_leave(t, number);
    call_end(c, &t->world);
    c->uid = 0;
}

/* A call that ended by itself: what was sent until now, and still comes of it, is of no other call. */
static void remember(struct tracker *t, const struct track_call *c)
{
    bool fresh;
    uint64_t end = (uint64_t)c->touched + call_patience(c, &t->o); /* ticks may be far apart */
    if ((c->flags & CALL_EVICTED) == 0 && call_has_ended(c))
        (void)lru_put(t->over, &c->key, end < t->now ? end : t->now, &fresh);
}

/* Takes a call that is in no slot any more out of the table. */
static void forget(struct tracker *t, uint32_t number)
{
    struct track_call *c = tracker_call(t, number);
    remember(t, c);
    hand_out(t, number);
    cells_remove(&t->cells, key_hash(c->key), number + 1);
    c->messages = 0; /* nobody lives here */
    c->link.next = t->free;
    t->free = number;
    t->stats.live--;
}

/* Looks at the calls of one second: those that are not due by now go to where they belong. */
static void turn(struct tracker *t, uint32_t second)
{
    uint32_t number = t->wheel[second % WHEEL_SLOTS];
    t->wheel[second % WHEEL_SLOTS] = NO_CALL;
    while (number != NO_CALL) {
        struct track_call *c = tracker_call(t, number);
        uint32_t next = c->link.next;
        if (next != NO_CALL)
            fetch(tracker_call(t, next));
        if ((uint64_t)c->touched + call_patience(c, &t->o) <= t->now) {
            forget(t, number);
            t->stats.ended++;
        } else {
            tracker_arm(t, number);
        }
        number = next;
    }
}

/*
 * Calls that are over and wait for echoes would be most of what is in memory, and of each saved state, where calls come
 * by the ten thousand a second: then they wait less. The rate goes up at once, and down in some ten seconds.
 */
static void set_linger(struct tracker *t, uint64_t elapsed)
{
    uint64_t rate = (t->stats.calls - t->begun) / elapsed;
    t->begun = t->stats.calls;
    t->rate = rate > t->rate || elapsed > RATE_FADE_S ? rate : (7 * t->rate + rate) / 8;
    uint64_t linger = t->rate > 0 ? t->o.max_lingering / t->rate : t->linger_s;
    linger = linger > LINGER_LEAST_S ? linger : LINGER_LEAST_S;
    t->o.linger_s = linger < t->linger_s ? (uint32_t)linger : t->linger_s;
}

void tracker_tick(struct tracker *t, int64_t now_us)
{
    int64_t now = now_us / 1000000;
    if (now <= t->now || now > UINT32_MAX - 2 * (int64_t)WHEEL_SLOTS)
        return;
    set_linger(t, (uint64_t)now - t->now);
    uint32_t from = t->now + 1;
    t->now = (uint32_t)now;
    if (t->stats.live == 0 || t->now - from >= WHEEL_SLOTS)
        from = t->stats.live == 0 ? t->now : t->now - WHEEL_SLOTS + 1;
    t->earliest = from;
    (void)lru_expire(t->over, t->now, OVER_S);
    for (uint32_t second = from; second <= t->now; second++)
        turn(t, second);
    t->earliest = t->now + 1;
}

/*
 * Of all calls the one goes whose time would be over first: of those that talk, the one that was silent for longest.
 * Each call that is met before that had messages since it was put there, and moves to a later slot.
 */
void tracker_make_room(struct tracker *t)
{
    while (t->stats.live >= t->o.max_calls) {
        uint32_t second = t->earliest, number = t->wheel[second % WHEEL_SLOTS];
        if (number == NO_CALL) {
            t->earliest++;
            continue;
        }
        struct track_call *c = tracker_call(t, number);
        disarm(t, c);
        if (due_of(t, c) > second) {
            tracker_arm(t, number);
            continue;
        }
        c->flags |= CALL_EVICTED;
        forget(t, number);
        t->stats.evicted++;
    }
}

/* ------------------------------------------------------------------------------------------------ events */

/* Of a call that was handed out: any message but the INVITE of another call, which was sent later. */
static bool is_late(const struct tracker *t, const struct track_event *e)
{
    const void *over = lru_count(t->over) > 0 ? lru_find(t->over, &e->call) : NULL;
    return over != NULL && (!track_event_is_new(e) || e->ts / 1000000 <= (int64_t)lru_used(t->over, over));
}

/* The call of an event that has none. False: it begins none, or there is no memory. */
static bool begin(struct tracker *t, const struct track_event *e, uint32_t *ret_number)
{
    if (!track_event_may_begin(e)) {
        t->stats.strays++;
        return false;
    }
    if (is_late(t, e)) {
        t->stats.late++;
        if (t->o.on_late != NULL)
            t->o.on_late(t->o.arg, e);
        return false;
    }
    tracker_make_room(t);
    struct track_call *c = tracker_add(t, e->call, ret_number);
    if (c == NULL) {
        t->stats.no_memory++;
        return false;
    }
    call_begin(c, e);
    c->touched = t->now;
    tracker_arm(t, *ret_number);
    t->stats.calls++;
    return true;
}

/* The same Call-ID again: the call that had it is over; the new one takes its place in the table. */
static void begin_again(struct tracker *t, uint32_t number, const struct track_event *e)
{
    hand_out(t, number);
    call_begin(tracker_call(t, number), e);
    t->stats.ended++;
    t->stats.calls++;
}

/* All that the call will have of its first INVITE at once, and the key of the answer's SDP. */
static void reserve(struct tracker *t, struct track_call *c, const struct track_event *e,
                    const struct track_texts *texts)
{
    size_t octets = CALL_TEXTS + (e->key_count + 1u) * sizeof(struct call_key);
    for (unsigned i = 0; i < CALL_TEXTS; i++)
        octets += track_text_cut(texts->of[i]).len;
    if (text_equal(texts->of[TRACK_TEXT_TO_USER], texts->of[TRACK_TEXT_RURI_USER]))
        octets -= track_text_cut(texts->of[TRACK_TEXT_RURI_USER]).len;
    for (unsigned i = 0; i < e->key_count && i < TRACK_EVENT_KEYS; i++)
        octets += track_text_cut(texts->of[TRACK_TEXT_KEY_0 + i]).len;
    own_reserve(c, &t->world, octets);
}

uint64_t tracker_take(struct tracker *t, const struct track_event *e, const struct track_texts *texts, int64_t now_us)
{
    uint32_t number;
    tracker_tick(t, now_us);
    t->stats.events++;
    keys_fetch(t, e);
    if (!tracker_find(t, e->call, &number) && !begin(t, e, &number))
        return 0;
    struct track_call *c = tracker_call(t, number);
    if (c->messages > 0 && call_is_another(c, e))
        begin_again(t, number, e);
    c->touched = t->now;
    __builtin_prefetch(c->own);
    if (c->own == NULL && texts != NULL && e->method == SIP_INVITE)
        reserve(t, c, e, texts);
    bool knew = c->ranks[BEST_WHO] == WHO_INVITE;
    call_take(c, &t->world, e, texts);
    keys_take(t, number, e, texts);
    if (!knew && c->ranks[BEST_WHO] == WHO_INVITE)
        probable_take(t, number, e, texts);
    if (due_of(t, c) < c->link.due) {
        disarm(t, c);
        tracker_arm(t, number);
    }
    return c->uid;
}

void tracker_finish(struct tracker *t)
{
    for (uint32_t i = 0; i < WHEEL_SLOTS; i++) {
        uint32_t number = t->wheel[i];
        t->wheel[i] = NO_CALL;
        while (number != NO_CALL) {
            uint32_t next = tracker_call(t, number)->link.next;
            forget(t, number);
            t->stats.ended++;
            number = next;
        }
    }
}

/* ------------------------------------------------------------------------------------------------ looking */

struct shown {
    const struct tracker *t;
    track_call_fn *fn;
    void *arg;
};

static bool show(void *arg, uint32_t number)
{
    const struct shown *s = arg;
    struct call_record r;
    legs_find(s->t, number);
    call_show(tracker_call(s->t, number), &s->t->world, false, &r);
    legs_show(s->t, number, &r);
    r.place = number;
    s->fn(s->arg, &r);
    return true;
}

uint32_t tracker_places(const struct tracker *t)
{
    return t->used;
}

bool tracker_show_place(const struct tracker *t, uint32_t place, track_call_fn *fn, void *arg)
{
    if (place >= t->used || tracker_call(t, place)->messages == 0)
        return false;
    return show(&(struct shown){ t, fn, arg }, place);
}

void tracker_each(const struct tracker *t, track_call_fn *fn, void *arg)
{
    for (uint32_t i = 0; i < t->used; i++)
        (void)tracker_show_place(t, i, fn, arg);
}

bool tracker_has(const struct tracker *t, uint64_t key)
{
    uint32_t number;
    return tracker_find(t, key, &number);
}

bool tracker_show(const struct tracker *t, uint64_t key, track_call_fn *fn, void *arg)
{
    uint32_t number;
    return tracker_find(t, key, &number) && show(&(struct shown){ t, fn, arg }, number);
}

bool tracker_legs(const struct tracker *t, uint64_t key, track_call_fn *fn, void *arg)
{
    uint32_t number, all[TRACK_LEGS_MAX];
    if (!tracker_find(t, key, &number))
        return false;
    legs_find(t, number);
    size_t count = legs_members(t, all);
    for (size_t i = 0; i < count; i++)
        (void)show(&(struct shown){ t, fn, arg }, all[i]);
    return true;
}

void tracker_stats(const struct tracker *t, struct track_stats *ret)
{
    *ret = t->stats;
    ret->no_memory += t->world.lost;
    ret->keys = t->keys.used;
    ret->octets = sizeof(*t) + WHEEL_SLOTS * sizeof(*t->wheel) + legs_octets(t) +
                  (size_t)t->cells.count * sizeof(struct cell) +
                  (size_t)t->chunk_count * CHUNK_CALLS * sizeof(struct track_call) + t->world.words.octets +
                  t->world.text_octets + (size_t)t->stats.live * 16;
}
