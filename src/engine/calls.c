#include "engine/calls.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "base/clock.h"
#include "engine/calls_internal.h"
#include "engine/internal.h"

#define RING_LEAST     ((size_t)2 << 20)
#define RING_MOST      ((size_t)16 << 20)
#define TEXTS_MAX      ((size_t)16 << 10) /* beside reports */
#define BATCH          256u               /* events taken under one lock */
#define SLEEP_LEAST    2000000L
#define SLEEP_MOST     16000000L
#define TICK_US        INT64_C(250000)
#define LOOK_TICKS     4 /* between two looks at reports that wait for their call */
#define FULL_SLEEP     200000L
#define LATE_MAX       10000u            /* calls with late messages that wait */
#define IMPORT_IDLE_US INT64_C(30000000) /* without events, after which imports are over */

static int64_t wall_us(void)
{
    struct wall_time t = clock_wall();
    return (int64_t)t.sec * 1000000 + t.usec;
}

static void sleep_ns(long ns)
{
    (void)nanosleep(&(struct timespec){ .tv_nsec = ns }, NULL);
}

/* ------------------------------------------------------------------------------------------------ calls that are over
 */

void calls_append(struct calls *c, const struct record *record)
{
    if (c->o.store->ops->append(c->o.store, c->o.writers, record) != 0)
        c->not_kept++;
}

void calls_append_ended(struct calls *c)
{
    while (c->ended != NULL) {
        struct calls_row *row = c->ended;
        c->ended = row->next;
        calls_append(c, &row->record);
        free(row);
    }
    c->ended_end = &c->ended;
}

struct calls_row *calls_row_copy(const struct record *r)
{
    const struct record_schema *s = record_schema(r->table);
    size_t octets = 0, at = 0;
    for (size_t i = 0; i < s->count; i++)
        if (s->columns[i].kind == RECORD_TEXT)
            octets += ((const struct hep_slice *)(const void *)((const char *)r + s->columns[i].offset))->len;
    struct calls_row *row = malloc(sizeof(*row) + octets);
    if (row == NULL)
        return NULL;
    row->next = NULL;
    row->record = *r;
    for (size_t i = 0; i < s->count; i++) {
        struct hep_slice *to = (void *)((char *)&row->record + s->columns[i].offset);
        if (s->columns[i].kind != RECORD_TEXT || to->len == 0)
            continue;
        memcpy(row->octets + at, to->ptr, to->len);
        to->ptr = row->octets + at;
        at += to->len;
    }
    return row;
}

/* For later; false if there is no memory. */
static bool keep_ended(struct calls *c, const struct record *r)
{
    struct calls_row *row = calls_row_copy(r);
    if (row == NULL)
        return false;
    *c->ended_end = row;
    c->ended_end = &row->next;
    return true;
}

/* For legs that come later. */
static void append_keys(struct calls *c, const struct call_record *call)
{
    struct record row;
    for (size_t i = 0; i < call->key_count; i++)
        if (call_row_key(call, i, c->source, c->now_us, &row))
            calls_append(c, &row);
}

static void on_call(void *arg, const struct call_record *call)
{
    struct calls *c = arg;
    struct calls_walk *w = &c->walk;
    struct call_row_texts texts;
    struct quality_of_call quality;
    struct record row;
    append_keys(c, call); /* during a walk, too: one key twice is no harm */
    (void)quality_of(c->quality[c->source], call, &quality);
    call_row_make(call, &quality, c->source, c->now_us, &texts, &row);
    quality_forget(c->quality[c->source], call);
    if (!w->active) {
        calls_append(c, &row);
        return;
    }
    bool seen = c->source < w->source || (c->source == w->source && call->place < w->place);
    if (!seen && w->rc == 0 && (w->tables & RECORD_TABLES_CALLS) != 0)
        w->rc = w->row(w->arg, &row);
    if (!keep_ended(c, &row))
        calls_append(c, &row); /* once too often in the answer to that walk, rather than never */
}

static void on_late(void *arg, const struct track_event *e)
{
    struct calls *c = arg;
    bool fresh;
    struct calls_late *late = lru_put(c->late, &e->call, engine_now_us(), &fresh);
    if (late != NULL)
        *late = (struct calls_late){ e->ts, e->seq, c->source };
    c->changed = true;
}

/* ------------------------------------------------------------------------------------------------ opening */

/*
 * While the state of calls is written nothing is taken out of the rings: 200,000 calls take a tenth of a second, more
 * on a busy machine. 16 MiB are half a second of 100,000 messages a second.
 */
static size_t ring_octets(unsigned writers)
{
    size_t octets = RING_MOST;
    while (octets > RING_LEAST && octets * writers > 2 * RING_MOST)
        octets /= 2;
    return octets;
}

static bool open_lanes(struct calls *c)
{
    c->lanes = calloc(c->o.writers, sizeof(*c->lanes));
    for (unsigned i = 0; c->lanes != NULL && i < c->o.writers; i++) {
        buf_init(&c->lanes[i].texts, TEXTS_MAX + sizeof(struct quality_message) + QUALITY_PAYLOAD_MAX + QUALITY_ID_MAX);
        if (!c->o.no_thread && !spsc_init(&c->lanes[i].ring, ring_octets(c->o.writers)))
            return false;
    }
    return c->lanes != NULL;
}

int calls_open(struct calls **ret, const struct calls_options *options, struct errmsg *err)
{
    struct calls *c = calloc(1, sizeof(*c));
    if (c == NULL)
        goto no_memory;
    c->o = *options;
    c->o.track.on_call = on_call;
    c->o.track.on_late = on_late;
    c->o.track.arg = c;
    c->ended_end = &c->ended;
    c->now_us = wall_us();
    if (getrandom(&c->seed, sizeof(c->seed), GRND_NONBLOCK) != (ssize_t)sizeof(c->seed))
        c->seed = (uint64_t)c->now_us;
    pthread_mutex_init(&c->walk_lock, NULL);
    pthread_mutex_init(&c->lock, NULL);
    c->late = lru_new(&(struct lru_options){
        .key_size = sizeof(uint64_t), .value_size = sizeof(struct calls_late), .capacity = LATE_MAX });
    bool whole = open_lanes(c) && c->late != NULL;
    for (unsigned i = 0; i < CALLS_SOURCES && whole; i++) {
        c->of[i] = tracker_new(&c->o.track);
        whole = c->of[i] != NULL && registrations_open(c, i) && reports_open(c, i);
    }
    if (!whole)
        goto no_memory;
    *ret = c;
    return 0;
no_memory:
    calls_free(c);
    (void)errmsg_set(err, "no memory for calls, or a limit of theirs is out of range");
    return -ENOMEM;
}

void calls_free(struct calls *c)
{
    if (c == NULL)
        return;
    for (unsigned i = 0; c->lanes != NULL && i < c->o.writers; i++) {
        spsc_free(&c->lanes[i].ring);
        buf_free(&c->lanes[i].texts);
    }
    free(c->lanes);
    reports_free(c);
    for (unsigned i = 0; i < CALLS_SOURCES; i++)
        tracker_free(c->of[i]);
    registrations_free(c);
    lru_free(c->late);
    pthread_mutex_destroy(&c->walk_lock);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

/* ------------------------------------------------------------------------------------------------ events */

static bool prepare_event(struct calls *c, struct calls_lane *lane, const struct record *record)
{
    struct track_texts texts;
    if (!track_event_make_legs(record, c->seed, c->o.legs, &lane->message.event, &texts))
        return false;
    if (track_event_has_news(&lane->message.event))
        track_texts_pack(&texts, &lane->texts);
    return true;
}

bool calls_prepare(struct calls *c, unsigned writer, const struct record *record)
{
    struct calls_lane *lane = &c->lanes[writer];
    struct calls_message *m = &lane->message;
    buf_reset(&lane->texts);
    m->kind = prepare_event(c, lane, record)           ? CALLS_EVENT
              : registrations_prepare(c, lane, record) ? CALLS_REGISTRATION
                                                       : CALLS_NOTHING;
    m->reports_len = (uint32_t)reports_prepare(c, lane, record);
    m->source = record->source == RECORD_IMPORT ? RECORD_IMPORT : RECORD_NETWORK;
    m->now_us = m->source == RECORD_IMPORT ? record->ts : record->received;
    return m->kind != CALLS_NOTHING || m->reports_len > 0;
}

static void take_event(struct calls *c, const struct calls_message *m, const uint8_t *octets, size_t len)
{
    struct track_texts texts;
    bool has = len > 0 && track_texts_unpack(octets, len, &texts);
    (void)tracker_take(c->of[m->source], &m->event, has ? &texts : NULL, m->now_us);
    if ((m->event.flags & TRACK_EVENT_SDP) != 0)
        quality_sdp(c->quality[m->source], &m->event);
}

/* Under the lock. */
static void take(struct calls *c, struct calls_lane *lane, const struct calls_message *m, const uint8_t *octets,
                 size_t len)
{
    size_t texts_len = len - m->reports_len;
    c->source = m->source;
    if (m->source == RECORD_IMPORT)
        c->imported_us = (int64_t)engine_now_us();
    if (m->kind == CALLS_REGISTRATION)
        registrations_take(c, m, octets, texts_len);
    else if (m->kind == CALLS_EVENT)
        take_event(c, m, octets, texts_len);
    if (m->reports_len > 0)
        reports_take(c, m, octets + texts_len);
    c->changed = true;
    atomic_store_explicit(&lane->taken, m->seq, memory_order_release);
}

static void set_seq(struct calls_message *m, uint64_t seq)
{
    m->seq = seq;
    if (m->kind == CALLS_EVENT)
        m->event.seq = seq;
    else if (m->kind == CALLS_REGISTRATION)
        m->registration.seq = seq;
}

void calls_push(struct calls *c, unsigned writer, uint64_t seq)
{
    struct calls_lane *lane = &c->lanes[writer];
    size_t len = sizeof(lane->message) + lane->texts.len;
    set_seq(&lane->message, seq);
    if (c->o.no_thread) {
        pthread_mutex_lock(&c->lock);
        take(c, lane, &lane->message, lane->texts.ptr, lane->texts.len);
        pthread_mutex_unlock(&c->lock);
        return;
    }
    uint8_t *to = spsc_reserve(&lane->ring, len);
    if (to == NULL)
        atomic_fetch_add_explicit(&lane->waits, 1, memory_order_relaxed);
    for (; to == NULL; to = spsc_reserve(&lane->ring, len))
        sleep_ns(FULL_SLEEP);
    memcpy(to, &lane->message, sizeof(lane->message));
    if (lane->texts.len > 0)
        memcpy(to + sizeof(lane->message), lane->texts.ptr, lane->texts.len);
    spsc_publish(&lane->ring, len);
}

void calls_replay(struct calls *c, unsigned writer, const struct record *record)
{
    struct calls_lane *lane = &c->lanes[writer];
    if (record->seq <= atomic_load(&lane->taken) || !calls_prepare(c, writer, record))
        return;
    set_seq(&lane->message, record->seq);
    c->now_us = record->received;
    take(c, lane, &lane->message, lane->texts.ptr, lane->texts.len);
}

/* ------------------------------------------------------------------------------------------------ the thread */

/* Events of a ring, at most BATCH; how many. */
static unsigned drain(struct calls *c, struct calls_lane *lane)
{
    unsigned n = 0;
    const uint8_t *p;
    size_t len;
    pthread_mutex_lock(&c->lock);
    while (n < BATCH && (p = spsc_peek(&lane->ring, &len)) != NULL) {
        struct calls_message m;
        memcpy(&m, p, sizeof(m));
        take(c, lane, &m, p + sizeof(m), len - sizeof(m));
        spsc_release(&lane->ring, len);
        n++;
    }
    pthread_mutex_unlock(&c->lock);
    return n;
}

static unsigned drain_all(struct calls *c)
{
    unsigned n = 0;
    for (unsigned i = 0; i < c->o.writers; i++)
        if (spsc_used(&c->lanes[i].ring) > 0)
            n += drain(c, &c->lanes[i]);
    return n;
}

static void finish_imports(struct calls *c)
{
    c->source = RECORD_IMPORT;
    quality_finish(c->quality[RECORD_IMPORT]);
    tracker_finish(c->of[RECORD_IMPORT]);
    registrar_finish(c->registrars[RECORD_IMPORT]);
    c->changed = true;
}

static void quality_ticks(struct calls *c)
{
    quality_gather(c->quality[RECORD_IMPORT]);
    quality_gather(c->quality[RECORD_NETWORK]);
    if (c->ticks++ % LOOK_TICKS == 0) {
        c->source = RECORD_IMPORT; /* its clock is that of its messages: they wait until it is over */
        quality_tick(c->quality[RECORD_IMPORT], 0);
        c->source = RECORD_NETWORK;
        quality_tick(c->quality[RECORD_NETWORK], c->now_us);
    }
    c->source = RECORD_NETWORK;
}

static void tick(struct calls *c)
{
    struct track_stats before, after, imported;
    struct timespec cpu;
    pthread_mutex_lock(&c->lock);
    c->now_us = wall_us();
    quality_ticks(c);
    tracker_stats(c->of[RECORD_NETWORK], &before);
    tracker_tick(c->of[RECORD_NETWORK], c->now_us);
    tracker_stats(c->of[RECORD_NETWORK], &after);
    c->changed = c->changed || before.live != after.live;
    registrations_tick(c);
    tracker_stats(c->of[RECORD_IMPORT], &imported);
    if ((imported.live > 0 || registrations_imports(c)) && (int64_t)engine_now_us() - c->imported_us > IMPORT_IDLE_US)
        finish_imports(c);
    if (clock_gettime(CLOCK_THREAD_CPUTIME_ID, &cpu) == 0)
        c->cpu_us = (uint64_t)cpu.tv_sec * 1000000 + (uint64_t)cpu.tv_nsec / 1000;
    pthread_mutex_unlock(&c->lock);
}

static void *work(void *arg)
{
    struct calls *c = arg;
    int64_t next_tick = 0;
    long pause = SLEEP_LEAST;
    while (!atomic_load(&c->stop)) {
        int64_t now = (int64_t)engine_now_us();
        if (now >= next_tick) {
            tick(c);
            next_tick = now + TICK_US;
        }
        if (drain_all(c) > 0) {
            pause = SLEEP_LEAST;
            continue;
        }
        sleep_ns(pause);
        pause = 2 * pause < SLEEP_MOST ? 2 * pause : SLEEP_MOST;
    }
    while (drain_all(c) > 0)
        ;
    return NULL;
}

int calls_start(struct calls *c)
{
    const struct store_live live = { calls_look, c };
    c->imported_us = (int64_t)engine_now_us();
    if (!c->o.no_thread) {
        int rc = pthread_create(&c->thread, NULL, work, c);
        if (rc != 0)
            return -rc;
        c->runs = true;
        (void)pthread_setname_np(c->thread, "calls");
    }
    if (c->o.store->ops->live != NULL)
        c->o.store->ops->live(c->o.store, &live);
    return 0;
}

void calls_stop(struct calls *c)
{
    if (c->o.store->ops->live != NULL)
        c->o.store->ops->live(c->o.store, NULL);
    atomic_store(&c->stop, true);
    if (c->runs)
        (void)pthread_join(c->thread, NULL);
    c->runs = false;
    pthread_mutex_lock(&c->lock);
    c->now_us = wall_us();
    finish_imports(c);
    pthread_mutex_unlock(&c->lock);
}

/* ------------------------------------------------------------------------------------------------ figures */

static void add_stats(struct track_stats *to, const struct track_stats *s)
{
    to->events += s->events;
    to->strays += s->strays;
    to->late += s->late;
    to->calls += s->calls;
    to->ended += s->ended;
    to->evicted += s->evicted;
    to->no_memory += s->no_memory;
    to->live += s->live;
    to->octets += s->octets;
}

void calls_figures(struct calls *c, struct calls_figures *ret)
{
    struct track_stats imported;
    *ret = (struct calls_figures){ 0 };
    pthread_mutex_lock(&c->lock);
    tracker_stats(c->of[RECORD_NETWORK], &ret->track);
    tracker_stats(c->of[RECORD_IMPORT], &imported);
    registrations_figures(c, &ret->registrations);
    reports_figures(c, &ret->quality);
    ret->amended = c->amended;
    ret->unamended = c->unamended;
    ret->late_waiting = lru_count(c->late);
    ret->late_forgotten = lru_evicted(c->late);
    ret->not_kept = c->not_kept;
    ret->state_octets = c->state_octets;
    ret->cpu_us = c->cpu_us;
    pthread_mutex_unlock(&c->lock);
    add_stats(&ret->track, &imported);
    for (unsigned i = 0; i < c->o.writers; i++) {
        ret->waits += atomic_load_explicit(&c->lanes[i].waits, memory_order_relaxed);
        ret->reports_too_long += atomic_load_explicit(&c->lanes[i].too_long, memory_order_relaxed);
    }
}
