#include "query/kpi.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_out.h"
#include "base/when.h"
#include "filter/filter.h"
#include "query/pin.h"

#define SECOND 1000000.0

/* ------------------------------------------------------------------------------------------------ counting */

struct counting {
    struct store *store;
    struct store_pin *pin;
    const struct kpi_options *o;
    bool exact;
    struct errmsg *err;
};

static size_t seconds_text(int64_t ms, char out[STORE_NUMBER_TEXT])
{
    return (size_t)snprintf(out, STORE_NUMBER_TEXT, "%" PRId64, (ms + 500) / 1000);
}

static size_t hundredths_text(int64_t ms, char out[STORE_NUMBER_TEXT])
{
    return (size_t)snprintf(out, STORE_NUMBER_TEXT, "%" PRId64, (ms + 5) / 10 * 10);
}

static struct store_by by_column(int column, size_t (*text)(int64_t number, char out[STORE_NUMBER_TEXT]))
{
    struct store_by by = { .text = text };
    for (size_t t = 0; t < RECORD_TABLES; t++)
        by.columns[t] = t == RECORD_CALL ? column : -1;
    return by;
}

/* Calls of the filter `text` by the values of a column; *ret is to be freed if it returns 0. */
static int count(struct counting *c, const char *text, struct store_by by, struct store_aggregate *ret)
{
    struct filter_error bad = { 0 };
    struct filter *filter = NULL;
    struct filter_options options = { .now_us = when_now() };
    if (c->o->filter != NULL)
        options.rules = *filter_rules_of(c->o->filter);
    else
        filter_rules_default(&options.rules);
    if (filter_parse_with(&filter, text, strlen(text), &options, &bad) != 0) {
        (void)errmsg_set(c->err, "%s", bad.text);
        return -EINVAL;
    }
    *ret = (struct store_aggregate){ .tables = RECORD_TABLES_CALLS & filter_tables(filter),
                                     .filter = filter,
                                     .from_us = c->o->from_us,
                                     .to_us = c->o->to_us,
                                     .buckets = 1,
                                     .has_by = true,
                                     .by = by,
                                     .budget_us = c->o->budget_us,
                                     .cancel = c->o->cancel };
    int rc = c->store->ops->aggregate(c->store, c->pin, ret, c->err);
    filter_free(filter);
    if (rc != 0)
        return rc;
    c->exact = c->exact && ret->total_exact && ret->values_exact;
    if (c->o->cancel == NULL || !atomic_load(c->o->cancel))
        return 0;
    store_aggregate_free(ret);
    (void)errmsg_set(c->err, "cancelled");
    return -ECANCELED;
}

static int64_t number_of(const struct store_value *v)
{
    return strtoll(v->text, NULL, 10);
}

static uint64_t count_of(const struct store_aggregate *a, const char *value)
{
    for (size_t i = 0; i < a->value_count; i++)
        if (strcmp(a->values[i].text, value) == 0)
            return a->values[i].total;
    return 0;
}

static bool is_one_of(int64_t status, const int *list)
{
    while (*list != 0 && *list != status)
        list++;
    return *list != 0;
}

/* ------------------------------------------------------------------------------------------------ figures */

static void add_status(struct kpi *k, int64_t status, uint64_t calls)
{
    static const int busy[] = { 486, 600, 0 }, rejected[] = { 480, 603, 607, 608, 0 },
                     ineffective[] = { 408, 500, 503, 504, 0 }, established[] = { 200, 480, 486, 600, 603, 0 };
    k->classes[status >= 100 && status < 700 ? status / 100 : 0] += calls;
    k->answered += status / 100 == 2 ? calls : 0;
    k->busy += is_one_of(status, busy) ? calls : 0;
    k->rejected += is_one_of(status, rejected) ? calls : 0;
    k->ineffective += is_one_of(status, ineffective) ? calls : 0;
    k->established_rfc += is_one_of(status, established) ? calls : 0;
}

static int take_states(struct counting *c, const char *q, struct kpi *k)
{
    struct store_aggregate a;
    char text[FILTER_TEXT_MAX];
    (void)snprintf(text, sizeof(text), "%s NOT flag:start-missing", q);
    int rc = count(c, text, by_column(RECORD_CALL_COL_state, NULL), &a);
    if (rc != 0)
        return rc;
    k->undecided = count_of(&a, "calling") + count_of(&a, "ringing") + count_of(&a, "early");
    k->completed = count_of(&a, "completed");
    store_aggregate_free(&a);
    return 0;
}

/* What is decided, as a filter: behind it further tests may stand. */
#define DECIDED "NOT flag:start-missing NOT state:calling,ringing,early"

static int take_status(struct counting *c, const char *q, struct kpi *k)
{
    struct store_aggregate a;
    char text[FILTER_TEXT_MAX];
    (void)snprintf(text, sizeof(text), "%s " DECIDED, q);
    int rc = count(c, text, by_column(RECORD_CALL_COL_status, NULL), &a);
    if (rc != 0)
        return rc;
    k->attempts = a.total;
    k->classes[0] = a.none[0] + a.rest[0];
    for (size_t i = 0; i < a.value_count; i++)
        add_status(k, number_of(&a.values[i]), a.values[i].total);
    store_aggregate_free(&a);
    (void)snprintf(text, sizeof(text), "%s " DECIDED " status:487 ring:*", q);
    rc = count(c, text, by_column(RECORD_CALL_COL_status, NULL), &a);
    if (rc != 0)
        return rc;
    k->rung_out = a.total;
    store_aggregate_free(&a);
    return 0;
}

static int take_talk(struct counting *c, const char *q, struct kpi *k)
{
    struct store_aggregate a;
    char text[FILTER_TEXT_MAX];
    (void)snprintf(text, sizeof(text), "%s " DECIDED " duration:*", q);
    int rc = count(c, text, by_column(RECORD_CALL_COL_talk_ms, seconds_text), &a);
    if (rc != 0)
        return rc;
    for (size_t i = 0; i < a.value_count; i++) {
        k->talks += a.values[i].total;
        k->talk_s += (uint64_t)number_of(&a.values[i]) * a.values[i].total;
    }
    store_aggregate_free(&a);
    return 0;
}

static int compare_numbers(const void *a, const void *b)
{
    int64_t x = number_of(a), y = number_of(b);
    return (x > y) - (x < y);
}

/* The least value that so many percent of the calls do not exceed (nearest rank). */
static int64_t percentile(const struct store_aggregate *a, uint64_t all, unsigned percent)
{
    uint64_t rank = (all * percent + 99) / 100, seen = 0;
    for (size_t i = 0; i < a->value_count; i++) {
        seen += a->values[i].total;
        if (seen >= rank)
            return number_of(&a->values[i]);
    }
    return -1;
}

static int take_pdd(struct counting *c, const char *q, struct kpi *k)
{
    struct store_aggregate a;
    char text[FILTER_TEXT_MAX];
    (void)snprintf(text, sizeof(text), "%s " DECIDED " pdd:*", q);
    int rc = count(c, text, by_column(RECORD_CALL_COL_pdd_ms, hundredths_text), &a);
    k->pdd_p50_ms = k->pdd_p95_ms = -1;
    if (rc != 0)
        return rc;
    for (size_t i = 0; i < a.value_count; i++)
        k->pdds += a.values[i].total;
    if (a.value_count > 0) {
        qsort(a.values, a.value_count, sizeof(*a.values), compare_numbers);
        k->pdd_p50_ms = percentile(&a, k->pdds, 50);
        k->pdd_p95_ms = percentile(&a, k->pdds, 95);
    }
    store_aggregate_free(&a);
    return 0;
}

static int figures(struct counting *c, const char *q, struct kpi *ret)
{
    *ret = (struct kpi){ .pdd_p50_ms = -1 };
    c->exact = true;
    int rc = take_states(c, q, ret);
    if (rc == 0)
        rc = take_status(c, q, ret);
    if (rc == 0)
        rc = take_talk(c, q, ret);
    if (rc == 0)
        rc = take_pdd(c, q, ret);
    ret->exact = c->exact;
    return rc;
}

/* ------------------------------------------------------------------------------------------------ JSON */

/* Null where there is nothing to divide by. */
static void put_ratio(struct buf *out, const char *key, double part, double of, double unit)
{
    if (of > 0)
        buf_printf(out, ",\"%s\":%.2f", key, part * unit / of);
    else
        buf_printf(out, ",\"%s\":null", key);
}

static void put_ms(struct buf *out, const char *key, int64_t ms)
{
    if (ms >= 0)
        buf_printf(out, ",\"%s\":%" PRId64, key, ms);
    else
        buf_printf(out, ",\"%s\":null", key);
}

static void put_figures(struct buf *out, const struct kpi *k, double seconds)
{
    static const char *const classes[KPI_CLASSES] = { "none", "1xx", "2xx", "3xx", "4xx", "5xx", "6xx" };
    double attempts = (double)k->attempts, routed = attempts - (double)k->classes[3];
    double effective = (double)(k->answered + k->busy + k->rejected + k->rung_out);
    buf_printf(out,
               "\"attempts\":%" PRIu64 ",\"undecided\":%" PRIu64 ",\"answered\":%" PRIu64 ",\"completed\":%" PRIu64,
               k->attempts, k->undecided, k->answered, k->completed);
    put_ratio(out, "asr", (double)k->answered, attempts, 100);
    put_ratio(out, "ner", effective, attempts, 100);
    put_ratio(out, "ser", (double)k->answered, routed, 100);
    put_ratio(out, "seer", (double)k->established_rfc, routed, 100);
    put_ratio(out, "isa", (double)k->ineffective, attempts, 100);
    put_ratio(out, "scr", (double)k->completed, attempts, 100);
    put_ratio(out, "acd_s", (double)k->talk_s, (double)k->talks, 1);
    buf_printf(out, ",\"talk_s\":%" PRIu64, k->talk_s);
    put_ms(out, "pdd_p50_ms", k->pdd_p50_ms);
    put_ms(out, "pdd_p95_ms", k->pdd_p95_ms);
    put_ratio(out, "cps", attempts, seconds, 1);
    put_ratio(out, "erlang", (double)k->talk_s, seconds, 1);
    buf_puts(out, ",\"classes\":{");
    for (size_t i = 0; i < KPI_CLASSES; i++)
        buf_printf(out, "%s\"%s\":%" PRIu64, i > 0 ? "," : "", classes[i], k->classes[i]);
    buf_printf(out, "},\"exact\":%s", k->exact ? "true" : "false");
}

/* ------------------------------------------------------------------------------------------------ groups */

/* What calls can be grouped by: the name, which is a field of the filter language, and its column. */
static const struct group {
    const char *name;
    int column;
} groups[] = {
    { "src", RECORD_COL_src_ip },
    { "dst", RECORD_COL_dst_ip },
    { "from", RECORD_CALL_COL_from_user },
    { "to", RECORD_CALL_COL_to_user },
    { "ruri", RECORD_CALL_COL_ruri_user },
    { "pai", RECORD_CALL_COL_pai_user },
    { "uac", RECORD_CALL_COL_caller_agent },
    { "uas", RECORD_CALL_COL_callee_agent },
    { "codec", RECORD_CALL_COL_codec },
    { "state", RECORD_CALL_COL_state },
    { "status", RECORD_CALL_COL_status },
    { "cause", RECORD_CALL_COL_q850_cause },
    { "proto", RECORD_COL_proto },
};

static const struct group *group_of(const char *name, struct errmsg *err)
{
    for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++)
        if (strcmp(groups[i].name, name) == 0)
            return &groups[i];
    (void)errmsg_set(err,
                     "calls cannot be grouped by '%.64s', but by src, dst, from, to, ruri, pai, uac, "
                     "uas, codec, state, status, cause, proto",
                     name);
    return NULL;
}

/* The filter, and the group's own test. False if that is too long. */
static bool put_test(struct buf *to, const char *q, const char *field, const struct store_value *v)
{
    buf_reset(to);
    buf_printf(to, "%s %s:\"", q, field);
    for (size_t i = 0; i < v->len; i++) {
        if (v->text[i] == '"' || v->text[i] == '\\')
            buf_putc(to, '\\');
        buf_putc(to, v->text[i]);
    }
    buf_puts(to, "\"");
    buf_putc(to, '\0');
    return !to->failed && to->len < FILTER_TEXT_MAX - sizeof(DECIDED) - 64;
}

static int put_group(struct counting *c, struct buf *out, const char *q, const struct store_value *v, double seconds,
                     bool first)
{
    struct kpi k;
    int rc = figures(c, q, &k);
    if (rc != 0)
        return rc;
    buf_puts(out, first ? "\n{\"value\":" : ",\n{\"value\":");
    (void)json_out_string(out, (const uint8_t *)v->text, v->len);
    buf_putc(out, ',');
    put_figures(out, &k, seconds);
    buf_putc(out, '}');
    return 0;
}

static int put_groups(struct counting *c, struct buf *out, const char *q, const struct group *g, double seconds)
{
    struct store_aggregate a;
    struct buf text;
    int rc = count(c, q, by_column(g->column, NULL), &a);
    if (rc != 0)
        return rc;
    buf_init(&text, FILTER_TEXT_MAX);
    buf_printf(out, ",\n\"by\":\"%s\",\"values\":%zu,\"groups\":[", g->name, a.value_count);
    for (size_t i = 0, shown = 0; i < a.value_count && shown < c->o->groups && rc == 0; i++)
        if (put_test(&text, q, g->name, &a.values[i]))
            rc = put_group(c, out, (const char *)text.ptr, &a.values[i], seconds, shown++ == 0);
    buf_putc(out, ']');
    buf_free(&text);
    store_aggregate_free(&a);
    return rc;
}

/* ------------------------------------------------------------------------------------------------ all of it */

/* Ends that are open become those of the calls that there are. */
static void close_window(const struct counting *c, int64_t *from, int64_t *to)
{
    int64_t min = INT64_MAX, max = INT64_MIN;
    bool any = c->store->ops->span(c->store, c->pin, RECORD_TABLES_CALLS, &min, &max);
    if (*from == INT64_MIN)
        *from = any ? min : 0;
    if (*to == INT64_MAX)
        *to = any ? max + 1 : *from;
}

static int put_all(struct counting *c, struct buf *out, const char *q, const struct group *g)
{
    int64_t from = c->o->from_us, to = c->o->to_us;
    char text[WHEN_TEXT_MAX];
    struct kpi k;
    close_window(c, &from, &to);
    double seconds = to > from ? (double)(to - from) / SECOND : 0;
    int rc = figures(c, q, &k);
    if (rc != 0)
        return rc;
    (void)when_format(from, text);
    buf_printf(out, "{\"from\":\"%s\"", text);
    (void)when_format(to, text);
    buf_printf(out, ",\"to\":\"%s\",\n", text);
    put_figures(out, &k, seconds);
    rc = g != NULL ? put_groups(c, out, q, g, seconds) : 0;
    buf_puts(out, "}\n");
    return rc;
}

int kpi_json(struct buf *out, struct store *store, const struct kpi_options *o, struct errmsg *err)
{
    struct counting c = { .store = store, .o = o, .err = err };
    const struct group *g = o->by != NULL ? group_of(o->by, err) : NULL;
    if (o->by != NULL && g == NULL)
        return -EINVAL;
    const char *text = o->filter != NULL ? filter_text(o->filter) : "";
    size_t len = strlen(text);
    if (len > FILTER_TEXT_MAX / 2) {
        (void)errmsg_set(err, "the filter is too long for this");
        return -EINVAL;
    }
    char *q = malloc(len + 3);
    if (q == NULL)
        return (void)errmsg_set(err, "out of memory"), -ENOMEM;
    (void)snprintf(q, len + 3, len > 0 ? "(%s)" : "%s", text);
    int rc = query_pin(store, RECORD_TABLES_CALLS, o->filter, o->from_us, o->to_us, &c.pin);
    if (rc != 0)
        (void)errmsg_set(err, "no snapshot of the store: %s", strerror(-rc));
    else
        rc = put_all(&c, out, q, g);
    if (c.pin != NULL)
        store->ops->unpin(store, c.pin);
    free(q);
    return rc;
}
