#include "fake_store.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/ip.h"

struct store_pin {
    size_t count; /* rows that were there */
};

struct hep_slice fake_slice(const char *text)
{
    return (struct hep_slice){ (const uint8_t *)text, strlen(text) };
}

struct hep_addr fake_ip(const char *text)
{
    struct hep_addr a = { 0 };
    (void)ip_parse(text, strlen(text), &a);
    return a;
}

/* ------------------------------------------------------------------------------------------------ cells */

/* 16 octets, IPv4 as ::ffff:a.b.c.d. */
static size_t mapped(const struct hep_addr *addr, uint8_t out[16])
{
    memset(out, 0, 16);
    memset(out + 10, 0xff, addr->len == 4 ? 2 : 0);
    memcpy(out + 16 - addr->len, addr->octets, addr->len);
    return 16;
}

static void cell_of(const struct record *r, const struct record_column *c, struct record_cell *ret, char text[48])
{
    const uint8_t *at = (const uint8_t *)r + c->offset;
    struct hep_addr addr;
    uint32_t u32;
    *ret = (struct record_cell){ 0 };
    switch (c->kind) {
    case RECORD_TIME:
    case RECORD_OPTIONAL:
    case RECORD_DECIMAL:
        memcpy(&ret->number, at, 8);
        ret->null = ret->number == (c->kind == RECORD_TIME ? RECORD_NO_TIME : RECORD_NONE);
        break;
    case RECORD_SEQ:
    case RECORD_UID:
        memcpy(&ret->number, at, 8);
        ret->null = c->kind == RECORD_UID && ret->number == 0;
        break;
    case RECORD_NUMBER:
        memcpy(&u32, at, 4);
        ret->number = u32;
        break;
    case RECORD_TEXT:
    case RECORD_BYTES:
        memcpy(&ret->octets, at, sizeof(ret->octets));
        ret->null = c->kind == RECORD_TEXT && ret->octets.len == 0;
        break;
    case RECORD_IP:
        memcpy(&addr, at, sizeof(addr));
        ret->null = addr.len == 0;
        ret->octets = (struct hep_slice){ (uint8_t *)text, ip_format(&addr, text) };
        break;
    case RECORD_ADDR:
        memcpy(&addr, at, sizeof(addr));
        ret->null = addr.len == 0;
        ret->octets = (struct hep_slice){ (uint8_t *)text, mapped(&addr, (uint8_t *)text) };
        break;
    }
}

void fake_cells(const struct record *r, struct record_cell *cells, char (*texts)[48])
{
    const struct record_schema *s = record_schema(r->table);
    for (size_t i = 0; i < s->count; i++)
        cell_of(r, &s->columns[i], &cells[i], texts[i]);
}

/* ------------------------------------------------------------------------------------------------ scan */

static int fake_pin(struct store *s, struct store_pin **ret)
{
    struct fake_store *f = (struct fake_store *)s;
    if (f->pin_error != 0)
        return f->pin_error;
    *ret = malloc(sizeof(**ret));
    (void)pthread_mutex_lock(&f->lock);
    (*ret)->count = f->count;
    f->pins++;
    (void)pthread_mutex_unlock(&f->lock);
    return 0;
}

static void fake_unpin(struct store *s, struct store_pin *pin)
{
    struct fake_store *f = (struct fake_store *)s;
    if (pin == NULL)
        return;
    (void)pthread_mutex_lock(&f->lock);
    f->pins--;
    (void)pthread_mutex_unlock(&f->lock);
    free(pin);
}

struct row_cells {
    struct record_cell cells[RECORD_COLUMNS_MAX];
    char texts[RECORD_COLUMNS_MAX][48];
};

static void give_cell(void *arg, int column, struct record_cell *ret)
{
    *ret = ((struct row_cells *)arg)->cells[column];
}

static bool matches(const struct fake_store *f, const struct store_scan *scan, size_t i)
{
    const struct record *r = &f->rows[i];
    struct row_cells c;
    if (r->ts < scan->from_us || r->ts >= scan->to_us || (scan->tables >> r->table & 1) == 0)
        return false;
    if (scan->filter == NULL)
        return true;
    fake_cells(r, c.cells, c.texts);
    return filter_match(scan->filter, r->table, give_cell, &c);
}

static int compare(const void *a, const void *b)
{
    const struct store_ref *x = a;
    const struct store_ref *y = b;
    return x->ts != y->ts ? (x->ts < y->ts ? -1 : 1) : (x->seq > y->seq) - (x->seq < y->seq);
}

static bool is_behind(const struct store_scan *scan, const struct store_ref *ref)
{
    struct store_ref place = { .ts = scan->after_ts, .seq = scan->after_seq };
    int order = compare(ref, &place);
    if ((scan->beyond != NULL && store_seen_has(scan->beyond, ref->seq)) ||
        (scan->within != NULL && !store_seen_has(scan->within, ref->seq)))
        return false;
    return !scan->has_after || (scan->oldest_first ? order > 0 : order < 0);
}

static void wait_while_hanging(struct fake_store *f, const struct store_scan *scan)
{
    struct timespec nap = { .tv_nsec = 1000000 };
    for (;;) {
        (void)pthread_mutex_lock(&f->lock);
        bool hang = f->hang;
        bool cancelled = scan->cancel != NULL && atomic_load(scan->cancel);
        f->cancelled += hang && cancelled;
        (void)pthread_mutex_unlock(&f->lock);
        if (!hang || cancelled)
            return;
        (void)nanosleep(&nap, NULL);
    }
}

static void find(struct fake_store *f, const struct store_pin *pin, struct store_scan *scan)
{
    size_t n = 0;
    struct store_ref *all = malloc((pin->count + 1) * sizeof(*all));
    for (size_t i = 0; i < pin->count; i++)
        if (matches(f, scan, i))
            all[n++] = (struct store_ref){ f->rows[i].ts, f->rows[i].seq, 0, (uint32_t)i, (uint8_t)f->rows[i].table };
    qsort(all, n, sizeof(*all), compare);
    scan->total = n;
    scan->refs = malloc((n + 1) * sizeof(*all));
    for (size_t i = 0; i < n && scan->count < scan->limit; i++) {
        const struct store_ref *ref = &all[scan->oldest_first ? i : n - 1 - i];
        if (is_behind(scan, ref))
            scan->refs[scan->count++] = *ref;
    }
    free(all);
}

static int fake_scan(struct store *s, struct store_pin *pin, struct store_scan *scan, struct errmsg *err)
{
    struct fake_store *f = (struct fake_store *)s;
    (void)pthread_mutex_lock(&f->lock);
    f->scans++;
    f->scanning++;
    f->scanning_peak = f->scanning > f->scanning_peak ? f->scanning : f->scanning_peak;
    f->last_scan = *scan;
    (void)pthread_mutex_unlock(&f->lock);
    wait_while_hanging(f, scan);
    (void)pthread_mutex_lock(&f->lock);
    f->scanning--;
    (void)pthread_mutex_unlock(&f->lock);
    if (f->scan_error != 0) {
        (void)errmsg_set(err, "the fake store was told to fail");
        return f->scan_error;
    }
    find(f, pin, scan);
    scan->rows_exact = !f->inexact;
    scan->total_exact = scan->total_wanted == STORE_TOTAL_EXACT && !f->inexact;
    scan->parts_total = scan->parts_done = 1;
    if (f->inexact) {
        scan->timed_out = true;
        (void)errmsg_set(&scan->problem, "the time was over");
    }
    return 0;
}

/* ------------------------------------------------------------------------------------------------ counting */

static bool fake_span(struct store *s, struct store_pin *pin, unsigned tables, int64_t *ret_min, int64_t *ret_max)
{
    const struct fake_store *f = (struct fake_store *)s;
    bool any = false;
    for (size_t i = 0; i < pin->count; i++) {
        const struct record *r = &f->rows[i];
        if ((tables >> r->table & 1) == 0)
            continue;
        *ret_min = !any || r->ts < *ret_min ? r->ts : *ret_min;
        *ret_max = !any || r->ts > *ret_max ? r->ts : *ret_max;
        any = true;
    }
    return any;
}

/* The text by which a row is counted; *ret_null: it has none. */
static void count_text(const struct record *r, const struct store_aggregate *q, struct row_cells *c, char *text,
                       size_t size, bool *ret_null)
{
    int column = q->by.columns[r->table];
    *ret_null = !q->has_by || (!q->by.tables && (column < 0 || c->cells[column].null));
    if (*ret_null)
        return;
    const struct record_cell *cell = &c->cells[column];
    if (q->by.tables)
        (void)snprintf(text, size, "%s", record_schema(r->table)->name);
    else if (!record_kind_is_number(record_schema(r->table)->columns[column].kind))
        (void)snprintf(text, size, "%.*s", (int)cell->octets.len, (const char *)cell->octets.ptr);
    else if (q->by.text != NULL)
        text[q->by.text(cell->number, text)] = '\0';
    else
        (void)snprintf(text, size, "%lld", (long long)cell->number);
}

static void count_value(struct store_aggregate *q, const char *text, size_t bucket)
{
    size_t i = 0;
    while (i < q->value_count && strcmp(q->values[i].text, text) != 0)
        i++;
    if (i == q->value_count) {
        q->values[i] = (struct store_value){ .text = strdup(text), .len = strlen(text) };
        q->values[i].counts = q->counts + (3 + i) * q->buckets;
        q->value_count++;
    }
    q->values[i].total++;
    q->values[i].counts[bucket]++;
}

static int most_first(const void *a, const void *b)
{
    const struct store_value *x = a;
    const struct store_value *y = b;
    return x->total != y->total ? (x->total < y->total ? 1 : -1) : strcmp(x->text, y->text);
}

static void count_row(struct fake_store *f, struct store_aggregate *q, size_t i)
{
    const struct record *r = &f->rows[i];
    struct row_cells c;
    char text[1100] = "";
    bool null;
    if (q->bucket_us > 0 && (r->ts < q->start_us || (uint64_t)(r->ts - q->start_us) / q->bucket_us >= q->buckets))
        return;
    size_t bucket = q->bucket_us > 0 ? (size_t)((uint64_t)(r->ts - q->start_us) / q->bucket_us) : 0;
    fake_cells(r, c.cells, c.texts);
    count_text(r, q, &c, text, sizeof(text), &null);
    if (q->prefix != NULL && (null || (q->prefix_nocase ? strncasecmp : strncmp)(text, q->prefix, q->prefix_len) != 0))
        return;
    q->total++;
    q->counts[bucket]++;
    if (null)
        q->none[bucket]++;
    else
        count_value(q, text, bucket);
}

static int fake_aggregate(struct store *s, struct store_pin *pin, struct store_aggregate *q, struct errmsg *err)
{
    struct fake_store *f = (struct fake_store *)s;
    struct store_scan scan = { .tables = q->tables,
                               .filter = q->filter,
                               .from_us = q->from_us,
                               .to_us = q->to_us,
                               .budget_us = q->budget_us,
                               .total_wanted = STORE_TOTAL_EXACT,
                               .cancel = q->cancel };
    int rc = fake_scan(s, pin, &scan, err);
    store_scan_free(&scan);
    if (rc != 0)
        return rc;
    q->counts = calloc((3 + pin->count) * q->buckets, sizeof(*q->counts));
    q->none = q->counts + q->buckets;
    q->rest = q->none + q->buckets;
    q->values = calloc(pin->count + 1, sizeof(*q->values));
    q->value_count = 0;
    q->total = 0;
    for (size_t i = 0; i < pin->count; i++)
        if (matches(f, &scan, i))
            count_row(f, q, i);
    qsort(q->values, q->value_count, sizeof(*q->values), most_first);
    q->total_exact = scan.total_exact;
    q->values_exact = true;
    q->timed_out = scan.timed_out;
    q->parts_total = q->parts_done = 1;
    q->problem = scan.problem;
    return 0;
}

/* ------------------------------------------------------------------------------------------------ SQL */

/* Whatever the statement: its text, then a row of each kind of value. */
static int fake_sql(struct store *s, struct store_pin *pin, struct store_sql *q, struct errmsg *err)
{
    struct fake_store *f = (struct fake_store *)s;
    const struct store_sql_column columns[] = { { fake_slice("a"), fake_slice("VARCHAR") },
                                                { fake_slice("b"), fake_slice("BIGINT") } };
    const struct store_sql_cell rows[][2] = {
        { { .kind = STORE_SQL_TEXT, .octets = fake_slice(q->text) }, { .kind = STORE_SQL_INTEGER, .number = -5 } },
        { { .kind = STORE_SQL_OCTETS, .octets = { (const uint8_t *)"\xff", 1 } }, { .kind = STORE_SQL_NULL } },
        { { .kind = STORE_SQL_TIME, .number = 0 }, { .kind = STORE_SQL_REAL, .real = 1.5 } },
        { { .kind = STORE_SQL_BOOLEAN, .boolean = true }, { .kind = STORE_SQL_REAL, .real = HUGE_VAL } },
    };
    q->hot_rows = pin->count;
    q->hot_min_us = 1000000;
    q->octets_read = 7;
    if (f->sql_error != 0) {
        (void)errmsg_set(err, "the fake store was told to fail");
        return f->sql_error;
    }
    int rc = q->head(q->arg, columns, 2);
    for (size_t i = 0; i < 4 && rc == 0; i++)
        rc = q->row(q->arg, rows[i], 2);
    return rc != 0;
}

/* ------------------------------------------------------------------------------------------------ fetch */

static int fake_fetch(struct store *s, struct store_pin *pin, const struct store_ref *refs, size_t n,
                      const struct store_columns *columns, store_row_fn *row, void *arg, size_t *ret_failed,
                      struct errmsg *err)
{
    struct fake_store *f = (struct fake_store *)s;
    (void)pin;
    pthread_mutex_lock(&f->lock);
    f->last_columns = *columns;
    pthread_mutex_unlock(&f->lock);
    if (f->fetch_error != 0) {
        (void)errmsg_set(err, "the fake store was told to fail");
        return f->fetch_error;
    }
    for (size_t i = 0; i < n; i++) {
        struct row_cells c;
        if (refs[i].seq == f->damaged_seq) {
            (*ret_failed)++;
            (void)errmsg_set(err, "a damaged file");
            continue;
        }
        fake_cells(&f->rows[refs[i].row], c.cells, c.texts);
        for (unsigned k = 0; k < RECORD_COLUMNS_MAX; k++)
            if (!store_columns_has(columns, k))
                c.cells[k] = (struct record_cell){ .null = true };
        pthread_mutex_lock(&f->lock);
        f->fetched++;
        pthread_mutex_unlock(&f->lock);
        int rc = row(arg, i, &refs[i], c.cells);
        if (rc != 0)
            return rc;
    }
    return 0;
}

/* ------------------------------------------------------------------------------------------------ following */

#define FAKE_LOOK 512 /* rows of one look */

struct store_follower {
    size_t at;
    struct store_ref refs[FAKE_LOOK];
};

static int fake_follow(struct store *s, struct store_follower **ret, uint64_t *ret_max)
{
    struct fake_store *f = (struct fake_store *)s;
    *ret = calloc(1, sizeof(**ret));
    (void)pthread_mutex_lock(&f->lock);
    (*ret)->at = f->shown;
    f->following++;
    *ret_max = f->shown > 0 ? f->rows[f->shown - 1].seq : 0;
    (void)pthread_mutex_unlock(&f->lock);
    return 0;
}

static void fake_unfollow(struct store *s, struct store_follower *t)
{
    struct fake_store *f = (struct fake_store *)s;
    (void)pthread_mutex_lock(&f->lock);
    f->following--;
    (void)pthread_mutex_unlock(&f->lock);
    free(t);
}

static int fake_follow_next(struct store *s, struct store_follower *t, size_t max, struct store_pin **ret_pin,
                            const struct store_ref **ret_refs, size_t *ret_count, uint64_t *ret_passed)
{
    struct fake_store *f = (struct fake_store *)s;
    size_t n = 0;
    *ret_pin = NULL;
    (void)pthread_mutex_lock(&f->lock);
    for (; t->at < f->shown && n < max && n < FAKE_LOOK; t->at++, n++)
        t->refs[n] = (struct store_ref){ f->rows[t->at].ts, f->rows[t->at].seq, 0, (uint32_t)t->at,
                                         (uint8_t)f->rows[t->at].table };
    *ret_passed = f->behind;
    f->behind = 0;
    (void)pthread_mutex_unlock(&f->lock);
    *ret_refs = t->refs;
    *ret_count = n;
    return n > 0 ? fake_pin(s, ret_pin) : 0;
}

static int fake_match(struct store *s, struct store_pin *pin, const struct store_ref *refs, size_t n,
                      const struct filter *filter, bool *ret)
{
    const struct fake_store *f = (struct fake_store *)s;
    const struct store_scan scan = {
        .filter = filter, .tables = RECORD_TABLES_ALL, .from_us = INT64_MIN, .to_us = INT64_MAX
    };
    (void)pin;
    for (size_t i = 0; i < n; i++)
        ret[i] = matches(f, &scan, refs[i].row);
    return 0;
}

void fake_store_show(struct fake_store *f)
{
    (void)pthread_mutex_lock(&f->lock);
    f->shown = f->count;
    (void)pthread_mutex_unlock(&f->lock);
}

/* ------------------------------------------------------------------------------------------------ store */

static const struct store_ops fake_ops = {
    .pin = fake_pin,
    .unpin = fake_unpin,
    .scan = fake_scan,
    .fetch = fake_fetch,
    .follow = fake_follow,
    .unfollow = fake_unfollow,
    .follow_next = fake_follow_next,
    .match = fake_match,
    .span = fake_span,
    .aggregate = fake_aggregate,
    .sql = fake_sql,
};

void fake_store_init(struct fake_store *f)
{
    memset(f, 0, sizeof(*f));
    f->base.ops = &fake_ops;
    (void)pthread_mutex_init(&f->lock, NULL);
}

void fake_store_free(struct fake_store *f)
{
    (void)pthread_mutex_destroy(&f->lock);
}

struct record *fake_store_add(struct fake_store *f, enum record_table table, int64_t ts, uint64_t seq)
{
    (void)pthread_mutex_lock(&f->lock);
    struct record *r = &f->rows[f->count];
    const struct record_schema *s = record_schema(table);
    memset(r, 0, sizeof(*r));
    for (size_t i = 0; i < s->count; i++) {
        int64_t none = s->columns[i].kind == RECORD_TIME ? RECORD_NO_TIME : RECORD_NONE;
        if (s->columns[i].kind == RECORD_TIME || s->columns[i].kind == RECORD_OPTIONAL ||
            s->columns[i].kind == RECORD_DECIMAL)
            memcpy((uint8_t *)r + s->columns[i].offset, &none, sizeof(none));
    }
    r->table = table;
    r->ts = ts;
    r->seq = seq;
    r->received = ts;
    f->count++;
    (void)pthread_mutex_unlock(&f->lock);
    return r;
}

struct record *fake_store_sip(struct fake_store *f, int64_t ts, uint64_t seq, const char *call_id, const char *method,
                              int64_t status)
{
    struct record *r = fake_store_add(f, RECORD_SIP, ts, seq);
    bool back = status >= 0;
    r->src_ip = fake_ip(back ? "10.0.0.2" : "10.0.0.1");
    r->dst_ip = fake_ip(back ? "10.0.0.1" : "10.0.0.2");
    r->src_port = r->dst_port = 5060;
    r->call_id = fake_slice(call_id);
    r->method = fake_slice(method);
    r->status = status;
    r->cseq = 1;
    r->payload_type = 1;
    r->hep_version = 3;
    r->transport = fake_slice("udp");
    r->payload = fake_slice("INVITE sip:b@example.org SIP/2.0\r\n\r\n");
    r->payload_len = (uint32_t)r->payload.len;
    return r;
}
