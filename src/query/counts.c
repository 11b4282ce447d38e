#include "query/counts.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/json_out.h"
#include "base/when.h"
#include "query/pin.h"

#define SECOND UINT64_C(1000000)
#define MINUTE (60 * SECOND)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)
#define WEEK   (7 * DAY)
#define MOST   120u               /* buckets, if their width is ours to choose */
#define MONDAY (4 * (int64_t)DAY) /* the first Monday since 1970: weeks begin so */

/* ------------------------------------------------------------------------------------------------ buckets */

/* Each is at most two and a half times the one before: there are some 50 at least. */
uint64_t counts_interval(uint64_t length_us)
{
    static const uint64_t nice[] = {
        1000,       2000,       5000,       10000,       20000,       50000,       100000,      200000,      500000,
        SECOND,     2 * SECOND, 3 * SECOND, 5 * SECOND,  10 * SECOND, 15 * SECOND, 20 * SECOND, 30 * SECOND, MINUTE,
        2 * MINUTE, 3 * MINUTE, 5 * MINUTE, 10 * MINUTE, 15 * MINUTE, 20 * MINUTE, 30 * MINUTE, HOUR,        2 * HOUR,
        3 * HOUR,   4 * HOUR,   6 * HOUR,   12 * HOUR,   DAY,         2 * DAY,     4 * DAY,     WEEK,
    };
    for (size_t i = 0; i < sizeof(nice) / sizeof(nice[0]); i++)
        if (length_us / nice[i] < MOST)
            return nice[i];
    uint64_t width = 2 * WEEK;
    while (length_us / width >= MOST)
        width *= 2;
    return width;
}

/* The greatest multiple of the width, counted from 1970 or a Monday, that is not above ts. */
static int64_t bucket_start(int64_t ts, uint64_t width)
{
    int64_t w = (int64_t)width, anchor = width % WEEK == 0 ? MONDAY : 0;
    int64_t below = (ts - anchor) % w;
    return ts - (below < 0 ? below + w : below);
}

/* Ends that are open become those of the filter, or else of what is there. False if nothing is. */
static bool close_window(struct store_aggregate *a, struct store *store, struct store_pin *pin)
{
    int64_t min = INT64_MIN, max = INT64_MAX;
    if (a->filter != NULL)
        filter_times(a->filter, &min, &max);
    a->from_us = a->from_us == INT64_MIN ? min : a->from_us;
    a->to_us = a->to_us == INT64_MAX ? max : a->to_us;
    if (a->from_us != INT64_MIN && a->to_us != INT64_MAX)
        return a->from_us < a->to_us;
    if (!store->ops->span(store, pin, a->tables, &min, &max))
        return false;
    if (a->from_us == INT64_MIN)
        a->from_us = min;
    if (a->to_us == INT64_MAX)
        a->to_us = max + 1;
    return a->from_us < a->to_us;
}

static int set_buckets(struct store_aggregate *a, uint64_t interval_us, struct errmsg *err)
{
    uint64_t length = (uint64_t)a->to_us - (uint64_t)a->from_us;
    a->bucket_us = interval_us > 0 ? interval_us : counts_interval(length);
    a->start_us = bucket_start(a->from_us, a->bucket_us);
    uint64_t buckets = ((uint64_t)a->to_us - 1 - (uint64_t)a->start_us) / a->bucket_us + 1;
    if (buckets > STORE_BUCKETS_MAX) {
        (void)errmsg_set(err, "that would be %" PRIu64 " buckets, and %d are possible: a longer interval, or less time",
                         buckets, STORE_BUCKETS_MAX);
        return -E2BIG;
    }
    a->buckets = (size_t)buckets;
    return 0;
}

/* ------------------------------------------------------------------------------------------------ counting */

static int no_pin(int rc, struct errmsg *err)
{
    (void)errmsg_set(err, "no snapshot of the store: %s", strerror(-rc));
    return rc;
}

static int aggregate(struct store_aggregate *a, struct store *store, struct store_pin *pin, struct errmsg *err)
{
    int rc = store->ops->aggregate(store, pin, a, err);
    if (rc == 0 && a->cancel != NULL && atomic_load(a->cancel)) {
        store_aggregate_free(a);
        (void)errmsg_set(err, "cancelled");
        return -ECANCELED;
    }
    return rc;
}

static unsigned tables_of(unsigned tables, const struct filter *filter)
{
    tables = tables == 0 ? RECORD_TABLES_MESSAGES : tables;
    return filter != NULL ? tables & filter_tables(filter) : tables;
}

int counts_run(struct counts *ret, struct store *store, const struct counts_options *o, struct errmsg *err)
{
    struct store_pin *pin;
    *ret = (struct counts){ .by = o->by, .top = o->top };
    ret->a = (struct store_aggregate){ .tables = tables_of(o->tables, o->filter),
                                       .filter = o->filter,
                                       .from_us = o->from_us,
                                       .to_us = o->to_us,
                                       .has_by = o->by != NULL,
                                       .budget_us = o->budget_us,
                                       .cancel = o->cancel };
    if (o->by != NULL)
        ret->a.by = o->by->columns[0];
    int rc = query_pin(store, ret->a.tables, o->filter, o->from_us, o->to_us, &pin);
    if (rc != 0)
        return no_pin(rc, err);
    if (!close_window(&ret->a, store, pin)) {
        ret->empty = ret->a.total_exact = ret->a.values_exact = true;
    } else {
        rc = set_buckets(&ret->a, o->interval_us, err);
        if (rc == 0)
            rc = aggregate(&ret->a, store, pin, err);
    }
    store->ops->unpin(store, pin);
    return rc;
}

void counts_free(struct counts *c)
{
    store_aggregate_free(&c->a);
}

/* ------------------------------------------------------------------------------------------------ JSON */

static void put_bool(struct buf *out, const char *key, bool v)
{
    buf_printf(out, ",\"%s\":%s", key, v ? "true" : "false");
}

static void put_time(struct buf *out, int64_t us)
{
    char text[WHEN_TEXT_MAX];
    (void)when_format(us, text);
    json_out_text(out, text);
}

static void put_value(struct buf *out, const char *text, size_t len)
{
    (void)json_out_string(out, (const uint8_t *)text, len); /* UTF-8, as the store keeps them */
}

/* The end of a result, the object's too. */
static void put_outcome(struct buf *out, const struct store_aggregate *a)
{
    buf_printf(out, ",\n\"total\":%" PRIu64, a->total);
    put_bool(out, "total_exact", a->total_exact);
    put_bool(out, "timed_out", a->timed_out);
    buf_printf(out, ",\"parts\":{\"total\":%u,\"done\":%u,\"failed\":%u},\"octets_read\":%" PRIu64, a->parts_total,
               a->parts_done, a->parts_failed, a->octets_read);
    if (a->problem.text[0] != '\0') {
        buf_puts(out, ",\"problem\":");
        json_out_text(out, a->problem.text);
    }
    buf_puts(out, "}\n");
}

static void put_counts(struct buf *out, const uint64_t *counts, size_t n)
{
    buf_puts(out, "\"counts\":[");
    for (size_t i = 0; i < n; i++)
        buf_printf(out, "%s%" PRIu64, i == 0 ? "" : ",", counts[i]);
    buf_putc(out, ']');
}

static void put_interval(struct buf *out, uint64_t us)
{
    static const struct {
        uint64_t us;
        const char *name;
    } units[] = { { WEEK, "w" }, { DAY, "d" }, { HOUR, "h" }, { MINUTE, "m" }, { SECOND, "s" }, { 1000, "ms" } };
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
        if (us >= units[i].us && us % units[i].us == 0) {
            buf_printf(out, "\"%" PRIu64 "%s\"", us / units[i].us, units[i].name);
            return;
        }
    buf_printf(out, "\"%" PRIu64 ".%06" PRIu64 "s\"", us / SECOND, us % SECOND);
}

static void put_buckets(struct buf *out, const struct store_aggregate *a, size_t n)
{
    buf_puts(out, "{\"from\":");
    put_time(out, a->from_us);
    buf_puts(out, ",\"to\":");
    put_time(out, a->to_us);
    buf_puts(out, ",\"interval\":");
    put_interval(out, a->bucket_us);
    buf_printf(out, ",\"interval_us\":%" PRIu64 ",\n\"starts\":[", a->bucket_us);
    for (size_t i = 0; i < n; i++) {
        buf_puts(out, i == 0 ? "" : ",");
        put_time(out, a->start_us + (int64_t)(i * a->bucket_us));
    }
    buf_puts(out, "],\n");
    put_counts(out, a->counts, n);
}

static uint64_t sum(const uint64_t *counts, size_t n)
{
    uint64_t total = 0;
    for (size_t i = 0; i < n; i++)
        total += counts[i];
    return total;
}

static void put_sum(struct buf *out, const char *key, const uint64_t *counts, size_t n)
{
    buf_printf(out, ",\n\"%s\":{\"total\":%" PRIu64 ",", key, sum(counts, n));
    put_counts(out, counts, n);
    buf_putc(out, '}');
}

static void put_series(struct buf *out, const struct counts *c, size_t n, size_t shown)
{
    const struct store_aggregate *a = &c->a;
    buf_puts(out, ",\n\"by\":");
    json_out_text(out, c->by->name);
    buf_puts(out, ",\"series\":[");
    for (size_t i = 0; i < shown; i++) {
        buf_puts(out, i == 0 ? "\n{\"value\":" : ",\n{\"value\":");
        put_value(out, a->values[i].text, a->values[i].len);
        buf_printf(out, ",\"total\":%" PRIu64 ",", a->values[i].total);
        put_counts(out, a->values[i].counts, n);
        buf_putc(out, '}');
    }
    buf_puts(out, "]");
}

/* What is not among the first: the other values, and what was given up. */
static void put_others(struct buf *out, const struct counts *c, size_t n, size_t shown)
{
    const struct store_aggregate *a = &c->a;
    uint64_t *rest = calloc(n + 1, sizeof(*rest));
    if (rest == NULL) {
        out->failed = true;
        return;
    }
    for (size_t b = 0; b < n; b++) {
        rest[b] = a->rest[b];
        for (size_t i = shown; i < a->value_count; i++)
            rest[b] += a->values[i].counts[b];
    }
    put_sum(out, "other", rest, n);
    put_sum(out, "none", a->none, n);
    free(rest);
    buf_printf(out, ",\n\"values\":%zu", a->value_count);
    put_bool(out, "values_exact", a->values_exact && a->total_exact);
}

void counts_json(struct buf *out, const struct counts *c)
{
    const struct store_aggregate *a = &c->a;
    size_t n = c->empty ? 0 : a->buckets, shown = c->top < a->value_count ? c->top : a->value_count;
    if (c->empty)
        buf_puts(out, "{\"from\":null,\"to\":null,\"interval\":null,\"interval_us\":null,\"starts\":[],\"counts\":[]");
    else
        put_buckets(out, a, n);
    if (c->by != NULL) {
        put_series(out, c, n, shown);
        put_others(out, c, n, shown);
    }
    put_outcome(out, a);
}

/* ------------------------------------------------------------------------------------------------ values */

/* Values of all columns of a field together. */
struct gathered {
    struct store_value *values; /* texts are ours */
    size_t count;
    struct store_aggregate sum; /* totals and outcomes */
};

static void gathered_free(struct gathered *g)
{
    for (size_t i = 0; i < g->count; i++)
        free(g->values[i].text);
    free(g->values);
}

static int by_text(const void *a, const void *b)
{
    const struct store_value *x = a, *y = b;
    size_t n = x->len < y->len ? x->len : y->len;
    int c = n > 0 ? memcmp(x->text, y->text, n) : 0;
    return c != 0 ? c : (x->len > y->len) - (x->len < y->len);
}

static int by_total(const void *a, const void *b)
{
    const struct store_value *x = a, *y = b;
    if (x->total != y->total)
        return x->total < y->total ? 1 : -1;
    return by_text(a, b);
}

/* Takes over what was found in one column. */
static int gather(struct gathered *g, struct store_aggregate *a)
{
    struct store_value *grown = realloc(g->values, (g->count + a->value_count + 1) * sizeof(*grown));
    if (grown == NULL)
        return -ENOMEM;
    g->values = grown;
    for (size_t i = 0; i < a->value_count; i++) {
        g->values[g->count] = a->values[i];
        g->values[g->count++].counts = NULL;
        a->values[i].text = NULL;
    }
    struct store_aggregate *s = &g->sum;
    s->total += a->total;
    s->octets_read += a->octets_read;
    s->total_exact &= a->total_exact;
    s->values_exact &= a->values_exact;
    s->timed_out |= a->timed_out;
    s->parts_total += a->parts_total;
    s->parts_done += a->parts_done;
    s->parts_failed += a->parts_failed;
    if (s->problem.text[0] == '\0')
        s->problem = a->problem;
    return 0;
}

/* Equal ones become one, and the most frequent come first. */
static void settle(struct gathered *g)
{
    size_t kept = 0;
    if (g->count == 0)
        return;
    qsort(g->values, g->count, sizeof(*g->values), by_text);
    for (size_t i = 0; i < g->count; i++) {
        if (kept > 0 && by_text(&g->values[kept - 1], &g->values[i]) == 0) {
            g->values[kept - 1].total += g->values[i].total;
            free(g->values[i].text);
        } else {
            g->values[kept++] = g->values[i];
        }
    }
    g->count = kept;
    qsort(g->values, g->count, sizeof(*g->values), by_total);
}

static uint64_t clock_us(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static int gather_all(struct gathered *g, struct store *store, struct store_pin *pin,
                      const struct counts_values_options *o, struct errmsg *err)
{
    uint64_t start = clock_us();
    int rc = 0;
    for (size_t i = 0; i < o->by->count && rc == 0; i++) {
        uint64_t spent = clock_us() - start;
        struct store_aggregate a = { .tables = tables_of(o->tables, o->filter),
                                     .filter = o->filter,
                                     .from_us = o->from_us,
                                     .to_us = o->to_us,
                                     .buckets = 1,
                                     .has_by = true,
                                     .by = o->by->columns[i],
                                     .prefix = o->prefix != NULL ? o->prefix : "",
                                     .prefix_len = o->prefix != NULL ? strlen(o->prefix) : 0,
                                     .prefix_nocase = o->by->nocase,
                                     .cancel = o->cancel };
        a.budget_us = o->budget_us == 0 ? 0 : o->budget_us > spent ? o->budget_us - spent : 1;
        rc = aggregate(&a, store, pin, err);
        if (rc != 0)
            return rc;
        rc = gather(g, &a);
        store_aggregate_free(&a);
    }
    return rc;
}

static void put_values(struct buf *out, const struct gathered *g, const struct counts_values_options *o)
{
    size_t shown = g->count < o->limit ? g->count : o->limit;
    buf_puts(out, "{\"field\":");
    json_out_text(out, o->by->name);
    buf_puts(out, ",\"values\":[");
    for (size_t i = 0; i < shown; i++) {
        buf_puts(out, i == 0 ? "\n{\"value\":" : ",\n{\"value\":");
        put_value(out, g->values[i].text, g->values[i].len);
        buf_printf(out, ",\"count\":%" PRIu64 "}", g->values[i].total);
    }
    buf_printf(out, "],\"count\":%zu,\"found\":%zu", shown, g->count);
    put_bool(out, "values_exact", g->sum.values_exact && g->sum.total_exact);
    put_outcome(out, &g->sum);
}

int counts_values(struct buf *out, bool *ret_timed_out, struct store *store, const struct counts_values_options *o,
                  struct errmsg *err)
{
    struct gathered g = { .sum = { .total_exact = true, .values_exact = true } };
    struct store_pin *pin;
    int rc = query_pin(store, tables_of(o->tables, o->filter), o->filter, o->from_us, o->to_us, &pin);
    if (rc != 0)
        return no_pin(rc, err);
    rc = gather_all(&g, store, pin, o, err);
    store->ops->unpin(store, pin);
    if (rc == 0) {
        settle(&g);
        put_values(out, &g, o);
        *ret_timed_out = g.sum.timed_out;
    }
    gathered_free(&g);
    return rc;
}
