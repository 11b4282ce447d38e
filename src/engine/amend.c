#include "engine/amend.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/calls_internal.h"
#include "engine/internal.h"
#include "filter/filter_text.h"
#include "record/cell.h"
#include "record/reader.h"

#define BATCH        256u                    /* calls of one look */
#define QUIET_US     UINT64_C(10000000)      /* without a message of the call, before it is looked at */
#define MESSAGES_MAX 5000u                   /* of a call */
#define OCTETS_MAX   ((size_t)16 << 20)      /* of its events */
#define ROWS_MAX     16u                     /* with its Call-ID */
#define BEFORE_US    (INT64_C(172800000000)) /* how long before its late message a call may have begun: two days */
#define SLACK_US     INT64_C(60000000)       /* that clocks of taps may differ by */
#define SCAN_US      UINT64_C(20000000)

/* A row as it is stored, and texts of it that live. */
struct stored {
    struct store_ref ref;
    struct calls_row *row;
};

/* A call at work. */
struct amending {
    struct calls *c;
    struct store *store;
    struct store_pin *pin;
    struct calls_late late;
    uint64_t key;
    struct buf call_id;
    struct stored rows[ROWS_MAX]; /* with its Call-ID, the newest first */
    size_t row_count;
    struct stored *old;           /* the one that it belongs to */
    struct record_reader *reader; /* for messages */
    struct buf events;            /* struct track_event, length of texts, texts */
    struct buf order;             /* struct place */
    struct calls_row *made;       /* the row that takes the place of the old one; NULL: none */
    bool same;                    /* nothing would change */
    int64_t from, to;             /* of its messages */
};

/* Where an event lies. */
struct place {
    uint64_t seq;
    size_t at;
};

/* ------------------------------------------------------------------------------------------------ looking up */

/* Rows of a table with this Call-ID, and what `row` makes of them. 0 or a negative errno. */
static int look_up(struct amending *a, struct store_scan *scan, store_row_fn *row, struct errmsg *err)
{
    const struct store_ops *ops = a->store->ops;
    struct store_columns all;
    size_t failed = 0;
    memset(&all, 0xff, sizeof(all));
    scan->budget_us = SCAN_US;
    int rc = ops->scan(a->store, a->pin, scan, err);
    if (rc != 0)
        return rc;
    if (!scan->rows_exact) {
        (void)errmsg_set(err, "%s", scan->problem.text);
        rc = -EIO;
    }
    if (rc == 0 && scan->count > 0)
        rc = ops->fetch(a->store, a->pin, scan->refs, scan->count, &all, row, a, &failed, err);
    if (rc == 0 && failed > 0)
        rc = -EIO;
    store_scan_free(scan);
    return rc;
}

static int take_call_id(void *arg, size_t i, const struct store_ref *ref, const struct record_cell *cells)
{
    struct amending *a = arg;
    struct record r;
    (void)i;
    (void)ref;
    record_remake_sip(a->reader, cells, &r);
    if (track_call_hash(r.call_id, a->c->seed) == a->key)
        buf_put(&a->call_id, r.call_id.ptr, r.call_id.len);
    return 0;
}

/* The late message itself says which call it is of. */
static int find_call_id(struct amending *a, struct errmsg *err)
{
    struct store_scan scan = { .tables = 1u << RECORD_SIP,
                               .from_us = a->late.ts,
                               .to_us = a->late.ts + 1,
                               .oldest_first = true,
                               .limit = 1,
                               .has_after = true,
                               .after_ts = a->late.ts,
                               .after_seq = a->late.seq - 1 };
    int rc = look_up(a, &scan, take_call_id, err);
    return rc == 0 && a->call_id.len == 0 ? -ENOENT : rc;
}

static int look_up_call(struct amending *a, struct store_scan *scan, store_row_fn *row, struct errmsg *err)
{
    struct filter *filter = NULL;
    const struct hep_slice id = { a->call_id.ptr, a->call_id.len };
    if (filter_text_parse(&filter, "callid", &id, 1, err) != 0)
        return -ENOENT; /* octets that no filter can ask for */
    scan->filter = filter;
    int rc = look_up(a, scan, row, err);
    filter_free(filter);
    return rc;
}

static int take_row(void *arg, size_t i, const struct store_ref *ref, const struct record_cell *cells)
{
    struct amending *a = arg;
    struct stored *s = &a->rows[a->row_count];
    const struct record_schema *schema = record_schema(RECORD_CALL);
    struct record r;
    (void)i;
    record_clear(&r, RECORD_CALL);
    for (unsigned k = 0; k < schema->count; k++)
        record_cell_set(&r, k, &cells[k]);
    r.payload = (struct hep_slice){ NULL, 0 }; /* calls have none */
    *s = (struct stored){ *ref, calls_row_copy(&r) };
    if (s->row == NULL)
        return -ENOMEM;
    a->row_count++;
    return 0;
}

/* The latest call that had begun by then. */
static int find_row(struct amending *a, struct errmsg *err)
{
    struct store_scan scan = { .tables = 1u << RECORD_CALL,
                               .from_us = a->late.ts - BEFORE_US,
                               .to_us = a->late.ts + BEFORE_US,
                               .limit = ROWS_MAX };
    int rc = look_up_call(a, &scan, take_row, err);
    for (size_t i = 0; i < a->row_count && a->old == NULL; i++)
        if (a->rows[i].row->record.ts <= a->late.ts + SLACK_US)
            a->old = &a->rows[i];
    if (rc != 0 || a->old == NULL)
        return rc != 0 ? rc : -ENOENT;
    const struct record *old = &a->old->row->record;
    int64_t last = old->last > a->late.ts ? old->last : a->late.ts;
    a->from = old->ts - SLACK_US;
    a->to = a->old > a->rows ? a->old[-1].row->record.ts : last + SLACK_US;
    return 0;
}

/* ------------------------------------------------------------------------------------------------ making it anew */

static int take_message(void *arg, size_t i, const struct store_ref *ref, const struct record_cell *cells)
{
    struct amending *a = arg;
    struct record r;
    struct track_event event;
    struct track_texts texts;
    struct place place = { ref->seq, a->events.len };
    uint8_t length[sizeof(size_t)];
    (void)i;
    record_remake_sip(a->reader, cells, &r);
    if (!track_event_make_legs(&r, a->c->seed, a->c->o.legs, &event, &texts) || event.call != a->key)
        return 0;
    buf_put(&a->order, &place, sizeof(place));
    buf_put(&a->events, &event, sizeof(event));
    buf_put(&a->events, length, sizeof(length));
    size_t before = a->events.len;
    track_texts_pack(&texts, &a->events);
    size_t len = a->events.len - before;
    if (a->events.failed || a->order.failed)
        return -ENOBUFS;
    memcpy(a->events.ptr + before - sizeof(len), &len, sizeof(len));
    return 0;
}

static int by_arrival(const void *a, const void *b)
{
    const struct place *x = a, *y = b;
    return x->seq < y->seq ? -1 : x->seq > y->seq;
}

static int gather(struct amending *a, struct errmsg *err)
{
    struct store_scan scan = {
        .tables = 1u << RECORD_SIP, .from_us = a->from, .to_us = a->to, .oldest_first = true, .limit = MESSAGES_MAX + 1
    };
    int rc = look_up_call(a, &scan, take_message, err);
    if (rc == 0 && a->order.len / sizeof(struct place) > MESSAGES_MAX)
        rc = -ENOBUFS;
    if (rc == 0 && a->order.len > 0)
        qsort(a->order.ptr, a->order.len / sizeof(struct place), sizeof(struct place), by_arrival);
    return rc;
}

static double decimal(int64_t v)
{
    return v == RECORD_NONE ? -1 : (double)v / 100;
}

static bool has_flag(const struct record *r, const char *flag)
{
    struct hep_slice rest = r->call_flags;
    size_t len = strlen(flag);
    while (rest.len > 0) {
        const uint8_t *comma = memchr(rest.ptr, ',', rest.len);
        size_t n = comma != NULL ? (size_t)(comma - rest.ptr) : rest.len;
        if (n == len && memcmp(rest.ptr, flag, n) == 0)
            return true;
        rest = comma != NULL ? (struct hep_slice){ comma + 1, rest.len - n - 1 } : (struct hep_slice){ NULL, 0 };
    }
    return false;
}

/* What the reports on its media said. */
static void quality_of_row(const struct record *r, struct quality_of_call *q)
{
    struct quality_figures *caller = &q->heard[0], *callee = &q->heard[1];
    const struct {
        double *to;
        int64_t from;
    } all[] = {
        { &q->worse.mos, r->mos },
        { &q->worse.mos_min, r->mos_min },
        { &q->worse.loss_pct, r->loss },
        { &q->worse.loss_max_pct, r->loss_max },
        { &q->worse.jitter_ms, r->jitter_ms },
        { &q->worse.jitter_max_ms, r->jitter_max_ms },
        { &q->worse.rtt_ms, r->rtt_ms },
        { &q->worse.rtt_max_ms, r->rtt_max_ms },
        { &caller->mos, r->caller_mos },
        { &caller->mos_min, r->caller_mos_min },
        { &caller->loss_pct, r->caller_loss },
        { &caller->loss_max_pct, r->caller_loss_max },
        { &caller->jitter_ms, r->caller_jitter_ms },
        { &callee->mos, r->callee_mos },
        { &callee->mos_min, r->callee_mos_min },
        { &callee->loss_pct, r->callee_loss },
        { &callee->loss_max_pct, r->callee_loss_max },
        { &callee->jitter_ms, r->callee_jitter_ms },
    };
    memset(q, 0, sizeof(*q));
    q->reports = r->reports;
    q->one_way = has_flag(r, "one-way-audio");
    q->worse.nothing = has_flag(r, "no-media");
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        *all[i].to = decimal(all[i].from);
}

/* What is not made of the messages of this call alone: the row keeps it. */
static void keep_rest(const struct record *old, struct record *r)
{
    r->seq = old->seq;
    r->received = old->received;
    r->legs = old->legs;
    r->group_id = old->group_id;
    r->joined_by = old->joined_by;
    r->joined_value = old->joined_value;
    r->probable = old->probable;
    r->probable_score = old->probable_score;
    r->probable_by = old->probable_by;
}

static bool same_cell(const struct record_cell *a, const struct record_cell *b)
{
    if (a->null || b->null)
        return a->null == b->null;
    if (a->octets.ptr == NULL || b->octets.ptr == NULL)
        return a->number == b->number && a->octets.len == b->octets.len;
    return a->octets.len == b->octets.len && memcmp(a->octets.ptr, b->octets.ptr, a->octets.len) == 0;
}

static bool same_row(const struct record *a, const struct record *b)
{
    const struct record_schema *s = record_schema(RECORD_CALL);
    struct record_scratch scratch[2];
    bool same = true;
    for (unsigned i = 0; i < s->count && same; i++) {
        struct record_cell x, y;
        record_cell_of(a, i, &x, &scratch[0]);
        record_cell_of(b, i, &y, &scratch[1]);
        same = same_cell(&x, &y);
    }
    return same;
}

static bool has_line(struct hep_slice lines, const char *kind, struct hep_slice text)
{
    size_t len = strlen(kind);
    while (lines.len > 0) {
        const uint8_t *end = memchr(lines.ptr, '\n', lines.len);
        size_t n = end != NULL ? (size_t)(end - lines.ptr) : lines.len;
        if (n == len + 1 + text.len && memcmp(lines.ptr, kind, len) == 0 &&
            memcmp(lines.ptr + len + 1, text.ptr, text.len) == 0)
            return true;
        lines = end != NULL ? (struct hep_slice){ end + 1, lines.len - n - 1 } : (struct hep_slice){ NULL, 0 };
    }
    return false;
}

/* For legs that come later, or that come late as well. */
static void append_new_keys(struct amending *a, const struct call_record *call, const struct record *old)
{
    struct calls *c = a->c;
    struct record row;
    pthread_mutex_lock(&c->lock);
    for (size_t i = 0; i < call->key_count; i++)
        if (!has_line(old->keys, track_key_name(call->keys[i].kind), call->keys[i].text) &&
            call_row_key(call, i, a->late.source, c->now_us, &row)) {
            calls_append(c, &row);
            c->changed = true;
        }
    pthread_mutex_unlock(&c->lock);
}

static void on_call(void *arg, const struct call_record *call)
{
    struct amending *a = arg;
    const struct record *old = &a->old->row->record;
    struct quality_of_call quality;
    struct call_row_texts texts;
    struct record row;
    if (call->uid != old->call_uid || a->made != NULL)
        return;
    quality_of_row(old, &quality);
    call_row_make(call, &quality, a->late.source, old->received, &texts, &row);
    keep_rest(old, &row);
    a->same = same_row(&row, old);
    a->made = a->same ? NULL : calls_row_copy(&row);
    if (!a->same)
        append_new_keys(a, call, old);
}

/* All events at one moment: nothing of it is over before the last one. */
static int make_anew(struct amending *a)
{
    struct track_options o = a->c->o.track;
    o.max_calls = ROWS_MAX;
    o.on_call = on_call;
    o.on_late = NULL;
    o.arg = a;
    struct tracker *t = tracker_new(&o);
    if (t == NULL)
        return -ENOMEM;
    const struct place *places = (const struct place *)(const void *)a->order.ptr;
    for (size_t i = 0; i < a->order.len / sizeof(*places); i++) {
        const uint8_t *p = a->events.ptr + places[i].at;
        struct track_event event;
        struct track_texts texts;
        size_t len;
        memcpy(&event, p, sizeof(event));
        memcpy(&len, p + sizeof(event), sizeof(len));
        bool has = track_event_has_news(&event) && track_texts_unpack(p + sizeof(event) + sizeof(len), len, &texts);
        (void)tracker_take(t, &event, has ? &texts : NULL, SLACK_US);
    }
    tracker_finish(t);
    tracker_free(t);
    return a->made != NULL || a->same ? 0 : -ENOENT;
}

/* ------------------------------------------------------------------------------------------------ one call */

static int begin(struct amending *a, struct calls *c, struct store_pin *pin, struct record_reader *reader)
{
    a->c = c;
    a->store = c->o.store;
    a->pin = pin;
    a->reader = reader;
    buf_init(&a->call_id, RECORD_PAYLOAD_MAX);
    buf_init(&a->events, OCTETS_MAX);
    buf_init(&a->order, OCTETS_MAX);
    return 0;
}

static void end(struct amending *a)
{
    buf_free(&a->call_id);
    buf_free(&a->events);
    buf_free(&a->order);
    for (size_t i = 0; i < a->row_count; i++)
        free(a->rows[i].row);
    free(a->made);
}

static int amend(struct amending *a, struct errmsg *err)
{
    int rc = find_call_id(a, err);
    if (rc == 0)
        rc = find_row(a, err);
    if (rc == 0)
        rc = gather(a, err);
    return rc == 0 ? make_anew(a) : rc;
}

/* ------------------------------------------------------------------------------------------------ those that wait */

struct picking {
    uint64_t before;
    struct amending *all;
    size_t count;
};

static bool pick(void *arg, const void *key, const void *value, uint64_t used)
{
    struct picking *p = arg;
    if (used > p->before || p->count == BATCH)
        return false;
    struct amending *a = &p->all[p->count++];
    memcpy(&a->key, key, sizeof(a->key));
    memcpy(&a->late, value, sizeof(a->late));
    return true;
}

/* Takes a call off the list, unless more came of it meanwhile. */
static void settle(struct calls *c, const struct amending *a)
{
    struct calls_late *now = lru_find(c->late, &a->key);
    if (now != NULL && now->seq == a->late.seq)
        lru_remove(c->late, now);
}

/* Again later: its row is in memory still. */
static void put_off(struct calls *c, const struct amending *a, uint64_t now_us)
{
    void *now = lru_find(c->late, &a->key);
    if (now != NULL)
        lru_touch(c->late, now, now_us);
}

static int replace(struct amending *all, size_t count, bool *done, struct errmsg *err)
{
    struct store_ref refs[BATCH];
    struct record *rows = calloc(BATCH, sizeof(*rows));
    bool replaced[BATCH];
    size_t of[BATCH], n = 0;
    int rc = rows != NULL ? 0 : -ENOMEM;
    for (size_t i = 0; i < count && rc == 0; i++)
        if (all[i].made != NULL) {
            refs[n] = all[i].old->ref;
            rows[n] = all[i].made->record;
            of[n++] = i;
        }
    if (rc == 0 && n > 0) {
        rc = all->store->ops->replace(all->store, all->pin, refs, rows, n, replaced, err);
        for (size_t i = 0; i < n; i++)
            done[of[i]] = replaced[i];
    }
    free(rows);
    return rc;
}

static bool is_final(int rc)
{
    return rc == -ENOENT || rc == -ENOBUFS;
}

/* Under the lock. */
static void finish(struct calls *c, const struct amending *a, int rc, bool done, uint64_t now_us)
{
    if (rc == 0 && !a->same && !done) {
        put_off(c, a, now_us);
        return;
    }
    if (rc != 0 && !is_final(rc)) {
        put_off(c, a, now_us);
        return;
    }
    c->amended += rc == 0 && done;
    c->unamended += rc != 0;
    settle(c, a);
}

static int amend_all(struct calls *c, struct picking *p, uint64_t now_us, struct errmsg *err)
{
    const struct store_ops *ops = c->o.store->ops;
    struct record_reader *reader = record_reader_new(&c->o.record);
    struct store_pin *pin = NULL;
    bool done[BATCH] = { false };
    int of[BATCH] = { 0 }, rc = reader != NULL ? ops->pin(c->o.store, &pin) : -ENOMEM;
    for (size_t i = 0; i < p->count && rc == 0; i++) {
        begin(&p->all[i], c, pin, reader);
        of[i] = amend(&p->all[i], err);
    }
    int failed = rc == 0 ? replace(p->all, p->count, done, err) : rc;
    pthread_mutex_lock(&c->lock);
    for (size_t i = 0; i < p->count && rc == 0; i++)
        finish(c, &p->all[i], of[i], done[i], now_us);
    pthread_mutex_unlock(&c->lock);
    for (size_t i = 0; i < p->count && rc == 0; i++)
        end(&p->all[i]);
    ops->unpin(c->o.store, pin);
    record_reader_free(reader);
    return failed;
}

int calls_amend(struct calls *c, uint64_t now_us, struct errmsg *err)
{
    if (c->o.store->ops->replace == NULL || now_us < QUIET_US)
        return 0;
    struct picking p = { .before = now_us - QUIET_US, .all = calloc(BATCH, sizeof(*p.all)) };
    if (p.all == NULL)
        return -ENOMEM;
    pthread_mutex_lock(&c->lock);
    lru_each(c->late, pick, &p);
    pthread_mutex_unlock(&c->lock);
    int rc = p.count > 0 ? amend_all(c, &p, now_us, err) : 0;
    free(p.all);
    return rc == 0 && p.count == BATCH ? 1 : rc;
}
