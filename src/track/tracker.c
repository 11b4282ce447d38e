#include "track/internal.h"

#include <stdlib.h>
#include <string.h>

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
    t->free = NO_CALL;
    t->cell_count = 1024;
    t->cells = calloc(t->cell_count, sizeof(*t->cells));
    t->wheel = malloc(WHEEL_SLOTS * sizeof(*t->wheel));
    if (t->cells == NULL || t->wheel == NULL)
        goto fail;
    memset(t->wheel, 0xff, WHEEL_SLOTS * sizeof(*t->wheel));
    return t;
fail:
    tracker_free(t);
    return NULL;
}

static bool release(void *arg, const struct track_call *c)
{
    (void)arg;
    free(c->texts);
    return true;
}

void tracker_free(struct tracker *t)
{
    if (t == NULL)
        return;
    if (t->cells != NULL)
        tracker_walk(t, release, NULL);
    for (uint32_t i = 0; i < t->chunk_count; i++)
        free(t->chunks[i]);
    free(t->chunks);
    free(t->cells);
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

static bool find(const struct tracker *t, uint64_t key, uint32_t *ret_number)
{
    uint32_t hash = key_hash(key), mask = t->cell_count - 1;
    for (uint32_t i = hash & mask; t->cells[i].place != 0; i = (i + 1) & mask) {
        if (t->cells[i].hash != hash)
            continue;
        *ret_number = t->cells[i].place - 1;
        const struct track_call *c = tracker_call(t, *ret_number);
        fetch(c);
        if (c->key == key)
            return true;
    }
    return false;
}

bool tracker_has(const struct tracker *t, uint64_t key)
{
    uint32_t number;
    return find(t, key, &number);
}

static void put_cell(struct cell *cells, uint32_t mask, struct cell cell)
{
    uint32_t i = cell.hash & mask;
    while (cells[i].place != 0)
        i = (i + 1) & mask;
    cells[i] = cell;
}

static bool grow_cells(struct tracker *t)
{
    if (t->stats.live + 1 <= t->cell_count / 4 * 3)
        return true;
    struct cell *cells = calloc((size_t)t->cell_count * 2, sizeof(*cells));
    if (cells == NULL)
        return false;
    for (uint32_t i = 0; i < t->cell_count; i++)
        if (t->cells[i].place != 0)
            put_cell(cells, t->cell_count * 2 - 1, t->cells[i]);
    free(t->cells);
    t->cells = cells;
    t->cell_count *= 2;
    return true;
}

/* Takes the cell out and moves those behind it up, so that no search ends too early. */
static void remove_cell(struct tracker *t, uint64_t key, uint32_t number)
{
    uint32_t mask = t->cell_count - 1, i = key_hash(key) & mask;
    while (t->cells[i].place != number + 1)
        i = (i + 1) & mask;
    for (uint32_t j = (i + 1) & mask; t->cells[j].place != 0; j = (j + 1) & mask) {
        uint32_t home = t->cells[j].hash & mask;
        if (((j - home) & mask) >= ((j - i) & mask)) {
            t->cells[i] = t->cells[j];
            i = j;
        }
    }
    t->cells[i].place = 0;
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
    if (!grow_cells(t) || !grow_chunks(t))
        return NULL;
    uint32_t number = t->free != NO_CALL ? t->free : t->used++;
    struct track_call *c = tracker_call(t, number);
    if (number == t->free)
        t->free = c->link.next;
    put_cell(t->cells, t->cell_count - 1, (struct cell){ key_hash(key), number + 1 });
    t->stats.live++;
    *ret_number = number;
    return c;
}

void tracker_walk(const struct tracker *t, tracker_call_fn *fn, void *arg)
{
    for (uint32_t i = 0; i < t->cell_count; i++)
        if (t->cells[i].place != 0 && !fn(arg, tracker_call(t, t->cells[i].place - 1)))
            return;
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

static void hand_out(struct tracker *t, const struct track_call *c, uint32_t place)
{
    struct call_record r;
    if (t->o.on_call == NULL)
        return;
    call_show(c, &t->world, true, &r);
    r.place = place;
    t->o.on_call(t->o.arg, &r);
}

/* Takes a call that is in no slot any more out of the table. */
static void forget(struct tracker *t, uint32_t number)
{
    struct track_call *c = tracker_call(t, number);
    hand_out(t, c, number);
    remove_cell(t, c->key, number);
    call_end(c, &t->world);
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
        if ((uint64_t)c->touched + call_patience(c, &t->o) <= t->now) {
            forget(t, number);
            t->stats.ended++;
        } else {
            tracker_arm(t, number);
        }
        number = next;
    }
}

void tracker_tick(struct tracker *t, int64_t now_us)
{
    int64_t now = now_us / 1000000;
    if (now <= t->now || now > UINT32_MAX - 2 * (int64_t)WHEEL_SLOTS)
        return;
    uint32_t from = t->now + 1;
    t->now = (uint32_t)now;
    if (t->stats.live == 0 || t->now - from >= WHEEL_SLOTS)
        from = t->stats.live == 0 ? t->now : t->now - WHEEL_SLOTS + 1;
    t->earliest = from;
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

/* The call of an event that has none. False: it begins none, or there is no memory. */
static bool begin(struct tracker *t, const struct track_event *e, uint32_t *ret_number)
{
    if (!track_event_may_begin(e)) {
        t->stats.strays++;
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
    struct track_call *c = tracker_call(t, number);
    hand_out(t, c, number);
    call_end(c, &t->world);
    call_begin(c, e);
    t->stats.ended++;
    t->stats.calls++;
}

uint64_t tracker_take(struct tracker *t, const struct track_event *e, const struct track_texts *texts, int64_t now_us)
{
    uint32_t number;
    tracker_tick(t, now_us);
    t->stats.events++;
    if (!find(t, e->call, &number) && !begin(t, e, &number))
        return 0;
    struct track_call *c = tracker_call(t, number);
    if (c->messages > 0 && call_is_another(c, e))
        begin_again(t, number, e);
    c->touched = t->now;
    call_take(c, &t->world, e, texts);
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
    uint32_t place;
};

static bool show(void *arg, const struct track_call *c)
{
    const struct shown *s = arg;
    struct call_record r;
    call_show(c, &s->t->world, false, &r);
    r.place = s->place;
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
    return show(&(struct shown){ t, fn, arg, place }, tracker_call(t, place));
}

void tracker_each(const struct tracker *t, track_call_fn *fn, void *arg)
{
    for (uint32_t i = 0; i < t->used; i++)
        (void)tracker_show_place(t, i, fn, arg);
}

bool tracker_show(const struct tracker *t, uint64_t key, track_call_fn *fn, void *arg)
{
    uint32_t number;
    return find(t, key, &number) && show(&(struct shown){ t, fn, arg, number }, tracker_call(t, number));
}

void tracker_stats(const struct tracker *t, struct track_stats *ret)
{
    *ret = t->stats;
    ret->no_memory += t->world.lost;
    ret->octets = sizeof(*t) + WHEEL_SLOTS * sizeof(*t->wheel) + (size_t)t->cell_count * sizeof(*t->cells) +
                  (size_t)t->chunk_count * CHUNK_CALLS * sizeof(struct track_call) + t->world.words.octets +
                  t->world.text_octets + (size_t)t->stats.live * 16;
}
