/*
 * One look at what was appended: rows are tested by each client's filter, those that match are read and made JSON once
 * for all clients that want the same columns, and the queues get them at one moment together with the new place.
 */
#include "query/live_internal.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "query/row_json.h"

#define CHUNK     1024u             /* rows tested between two looks at the clock */
#define WINDOW_US UINT64_C(1000000) /* in which all filters together may take... */
#define FILTER_US UINT64_C(500000)  /* ...so much time */
#define SETTLE_US 20000u            /* a row is there so long after its number was given out, as good as surely */

/* ------------------------------------------------------------------------------------------------ the beginning */

/*
 * Rows whose numbers were given out before others that are there may still be on their way: they are waited for, so
 * that all up to the highest number are either there or known as gaps.
 */
int live_prime(struct live *l)
{
    const struct timespec settle = { .tv_nsec = SETTLE_US * 1000L };
    struct store *s = l->o.store;
    const struct store_ref *refs;
    struct store_pin *pin;
    uint64_t passed;
    size_t count = LIVE_ROUND_ROWS;
    if (s->ops->follow == NULL)
        return -ENOSYS;
    l->noted = (struct store_seen){ .max = 0 };
    int rc = s->ops->follow(s, &l->follower, &l->noted.max);
    if (rc != 0)
        return rc;
    (void)nanosleep(&settle, NULL);
    for (unsigned i = 0; i < 8 && rc == 0 && count == LIVE_ROUND_ROWS; i++) {
        rc = s->ops->follow_next(s, l->follower, LIVE_ROUND_ROWS, &pin, &refs, &count, &passed);
        for (size_t k = 0; rc == 0 && k < count; k++)
            seen_note(&l->noted, refs[k].seq);
        if (rc == 0)
            s->ops->unpin(s, pin);
    }
    if (rc != 0) {
        s->ops->unfollow(s, l->follower);
        l->follower = NULL;
        return rc;
    }
    l->last_us = l->window_us = live_clock_us();
    (void)pthread_mutex_lock(&l->lock);
    l->seen = l->noted;
    (void)pthread_mutex_unlock(&l->lock);
    return 0;
}

/* ------------------------------------------------------------------------------------------------ rows at work */

struct round {
    struct live *live;
    struct store_pin *pin;
    const struct store_ref *refs;
    size_t count;
    size_t picked; /* rows that somebody gets */
    size_t next;   /* row that comes next */
};

/* What is missing since the last row, whether it was told or not, goes before the next one. */
static void begin_client(struct live_client *c, const struct live *l, double seconds)
{
    const struct live_queue *q = &c->queue;
    c->tokens += seconds * c->ask.rate;
    if (c->tokens > c->ask.rate)
        c->tokens = c->ask.rate;
    c->room_rows = q->rows < l->o.queue_rows ? l->o.queue_rows - q->rows : 0;
    c->room_octets = q->octets < l->o.queue_octets ? l->o.queue_octets - q->octets : 0;
    c->was_empty = q->rows == 0;
    c->skipped = c->tail_skipped;
    c->unseen = c->tail_unseen;
    c->tail_skipped = c->tail_unseen = 0;
}

static void begin_round(struct live *l)
{
    uint64_t now = live_clock_us();
    double seconds = (double)(now - l->last_us) / 1e6;
    bool fresh = now - l->window_us >= WINDOW_US;
    l->last_us = now;
    l->window_us = fresh ? now : l->window_us;
    (void)pthread_mutex_lock(&l->lock);
    for (unsigned i = 0; i < l->o.clients; i++) {
        struct live_client *c = l->clients[i];
        if (c == NULL)
            continue;
        c->used_us = fresh ? 0 : c->used_us;
        begin_client(c, l, seconds);
    }
    (void)pthread_mutex_unlock(&l->lock);
}

static void miss(struct live *l, struct live_client *c, uint64_t skipped, uint64_t unseen)
{
    c->skipped += skipped;
    c->unseen += unseen;
    l->skipped += skipped;
    l->unseen += unseen;
}

static void all_miss(struct live *l, uint64_t unseen)
{
    for (unsigned i = 0; unseen > 0 && i < l->o.clients; i++)
        if (l->clients[i] != NULL)
            miss(l, l->clients[i], 0, unseen);
}

/* Those of a row's clients that did not get it. */
static void bits_miss(struct live *l, uint64_t bits)
{
    for (uint64_t left = bits; left != 0; left &= left - 1)
        miss(l, l->clients[__builtin_ctzll(left)], 1, 0);
}

/* ------------------------------------------------------------------------------------------------ matching */

/* Rows on which a regular expression gave up were not looked at. */
static int test_rows(struct round *r, struct live_client *c, size_t from, size_t n)
{
    struct live *l = r->live;
    struct store *s = l->o.store;
    uint64_t before = filter_gave_up(c->ask.filter);
    int rc = s->ops->match(s, r->pin, r->refs + from, n, c->ask.filter, l->matches);
    if (rc == 0)
        miss(l, c, 0, filter_gave_up(c->ask.filter) - before);
    return rc;
}

static void match_chunk(struct round *r, struct live_client *c, size_t from, size_t n)
{
    struct live *l = r->live;
    int rc = 0;
    if (c->used_us > FILTER_US / l->count) {
        miss(l, c, 0, n);
        return;
    }
    uint64_t start = live_clock_us();
    if (c->ask.filter != NULL)
        rc = test_rows(r, c, from, n);
    c->used_us += live_clock_us() - start;
    if (rc != 0) {
        miss(l, c, 0, n);
        return;
    }
    for (size_t i = 0; i < n; i++)
        if (c->ask.filter == NULL || l->matches[i])
            l->marks[from + i] |= UINT64_C(1) << c->slot;
}

static void match_all(struct round *r)
{
    struct live *l = r->live;
    memset(l->marks, 0, r->count * sizeof(l->marks[0]));
    for (size_t from = 0; from < r->count; from += CHUNK) {
        size_t n = r->count - from < CHUNK ? r->count - from : CHUNK;
        for (unsigned i = 0; i < l->o.clients; i++)
            if (l->clients[i] != NULL)
                match_chunk(r, l->clients[i], from, n);
    }
}

static bool may_take(struct live_client *c)
{
    if (c->tokens < 1 || c->room_rows == 0)
        return false;
    c->tokens -= 1;
    c->room_rows--;
    return true;
}

/* Which rows are to be read, and for whom. */
static void pick(struct round *r)
{
    struct live *l = r->live;
    for (size_t i = 0; i < r->count; i++) {
        l->takes[i] = 0;
        for (uint64_t left = l->marks[i]; left != 0; left &= left - 1) {
            unsigned slot = (unsigned)__builtin_ctzll(left);
            if (may_take(l->clients[slot]))
                l->takes[i] |= UINT64_C(1) << slot;
        }
        if (l->takes[i] == 0)
            continue;
        l->picked[r->picked] = r->refs[i];
        l->picked_at[r->picked++] = (uint32_t)i;
    }
}

/* ------------------------------------------------------------------------------------------------ handing out */

static struct live_event *make_event(struct live *l, enum record_table table, const struct record_cell *cells,
                                     const struct store_columns *columns)
{
    buf_reset(&l->json);
    row_json(&l->json, table, cells, columns);
    struct live_event *e = l->json.failed ? NULL : malloc(sizeof(*e) + l->json.len);
    if (e == NULL)
        return NULL;
    atomic_init(&e->refs, 1);
    e->len = l->json.len;
    memcpy(e->json, l->json.ptr, e->len);
    seen_format(&l->noted, e->place);
    return e;
}

/* False: no room, or no memory. */
static bool give(struct live_client *c, struct live_event *e)
{
    bool fits = e->len <= c->room_octets || (c->was_empty && c->fresh.rows == 0);
    struct live_entry *entry = fits ? malloc(sizeof(*entry)) : NULL;
    if (entry == NULL)
        return false;
    atomic_fetch_add(&e->refs, 1);
    *entry = (struct live_entry){ .event = e, .skipped = c->skipped, .unseen = c->unseen };
    live_queue_add(&c->fresh, entry);
    c->skipped = c->unseen = 0;
    c->room_octets = e->len < c->room_octets ? c->room_octets - e->len : 0;
    return true;
}

/* To clients that want the same columns of this table, the same event. */
static void give_alike(struct live *l, uint64_t *left, enum record_table table, const struct record_cell *cells)
{
    const struct live_client *first = l->clients[__builtin_ctzll(*left)];
    const struct store_columns *columns = &first->ask.columns.table[table];
    struct live_event *e = make_event(l, table, cells, columns);
    for (uint64_t bits = *left; bits != 0; bits &= bits - 1) {
        struct live_client *c = l->clients[__builtin_ctzll(bits)];
        if (memcmp(&c->ask.columns.table[table], columns, sizeof(*columns)) != 0)
            continue;
        *left &= ~(UINT64_C(1) << c->slot);
        if (e == NULL || !give(c, e))
            miss(l, c, 1, 0);
    }
    live_event_unref(e);
}

/* Rows before this one are passed: who was to get one of them did not. */
static void pass(struct round *r, size_t up_to)
{
    for (; r->next < up_to; r->next++) {
        seen_note(&r->live->noted, r->refs[r->next].seq);
        bits_miss(r->live, r->live->marks[r->next]);
    }
}

static int on_row(void *arg, size_t i, const struct store_ref *ref, const struct record_cell *cells)
{
    struct round *r = arg;
    struct live *l = r->live;
    size_t at = l->picked_at[i];
    pass(r, at);
    r->next++;
    seen_note(&l->noted, ref->seq);
    bits_miss(l, l->marks[at] & ~l->takes[at]);
    for (uint64_t left = l->takes[at]; left != 0;)
        give_alike(l, &left, (enum record_table)ref->table, cells);
    return 0;
}

static void read_rows(struct round *r)
{
    struct live *l = r->live;
    struct store *s = l->o.store;
    struct store_columns columns = { { 0 } };
    struct errmsg ignored; /* what cannot be read is told as skipped */
    size_t failed;
    for (unsigned i = 0; i < l->o.clients; i++) {
        if (l->clients[i] == NULL)
            continue;
        struct store_columns of = columns_union(&l->clients[i]->ask.columns, RECORD_TABLES_MESSAGES);
        for (size_t k = 0; k < sizeof(of.bits) / sizeof(of.bits[0]); k++)
            columns.bits[k] |= of.bits[k];
    }
    if (r->picked > 0)
        (void)s->ops->fetch(s, r->pin, l->picked, r->picked, &columns, on_row, r, &failed, &ignored);
    pass(r, r->count);
}

/* ------------------------------------------------------------------------------------------------ publishing */

static void splice(struct live_client *c)
{
    struct live_queue *q = &c->queue, *fresh = &c->fresh;
    c->tail_skipped = c->skipped;
    c->tail_unseen = c->unseen;
    if (fresh->first != NULL) {
        *q->end = fresh->first;
        q->end = fresh->end;
        q->rows += fresh->rows;
        q->octets += fresh->octets;
        *fresh = (struct live_queue){ .end = &fresh->first };
    }
    if (q->first != NULL || c->tail_skipped > 0 || c->tail_unseen > 0)
        (void)pthread_cond_signal(&c->wake);
}

static void publish(struct live *l)
{
    (void)pthread_mutex_lock(&l->lock);
    for (unsigned i = 0; i < l->o.clients; i++)
        if (l->clients[i] != NULL)
            splice(l->clients[i]);
    l->seen = l->noted;
    l->figures.skipped = l->skipped;
    l->figures.unseen = l->unseen;
    (void)pthread_mutex_unlock(&l->lock);
}

bool live_round(struct live *l)
{
    struct round r = { .live = l };
    struct store *s = l->o.store;
    uint64_t passed = 0;
    (void)pthread_mutex_lock(&l->round_lock);
    if (l->count > 0 && s->ops->follow_next(s, l->follower, LIVE_ROUND_ROWS, &r.pin, &r.refs, &r.count, &passed) == 0 &&
        (r.count > 0 || passed > 0)) {
        begin_round(l);
        all_miss(l, passed);
        match_all(&r);
        pick(&r);
        read_rows(&r);
        publish(l);
        s->ops->unpin(s, r.pin);
    }
    (void)pthread_mutex_unlock(&l->round_lock);
    return r.count == LIVE_ROUND_ROWS;
}
