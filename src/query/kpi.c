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
    int64_t from_us, to_us; /* of the calls that there are, where the options leave them open */
    int64_t start_us;       /* of the first bucket */
    size_t buckets;         /* 0: no step */
    bool exact;
    struct errmsg *err;
};

/* Figures of all calls, and behind them those of each bucket. */
#define FIGURES(c) ((c)->buckets + 1)

static uint64_t count_in(const struct store_value *v, size_t figure)
{
    return figure == 0 ? v->total : v->counts[figure - 1];
}

static uint64_t sum_in(const struct counting *c, const uint64_t *by_bucket, size_t figure)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < (c->buckets > 0 ? c->buckets : 1); i++)
        sum += figure == 0 || figure - 1 == i ? by_bucket[i] : 0;
    return sum;
}

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
                                     .start_us = c->start_us,
                                     .bucket_us = c->buckets > 0 ? c->o->step_us : 0,
                                     .buckets = c->buckets > 0 ? c->buckets : 1,
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

static uint64_t count_of(const struct store_aggregate *a, const char *value, size_t figure)
{
    for (size_t i = 0; i < a->value_count; i++)
        if (strcmp(a->values[i].text, value) == 0)
            return count_in(&a->values[i], figure);
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
    for (size_t n = 0; n < FIGURES(c); n++) {
        k[n].undecided = count_of(&a, "calling", n) + count_of(&a, "ringing", n) + count_of(&a, "early", n);
        k[n].completed = count_of(&a, "completed", n);
    }
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
    for (size_t n = 0; n < FIGURES(c); n++) {
        k[n].attempts = sum_in(c, a.counts, n);
        k[n].classes[0] = sum_in(c, a.none, n) + sum_in(c, a.rest, n);
        for (size_t i = 0; i < a.value_count; i++)
            add_status(&k[n], number_of(&a.values[i]), count_in(&a.values[i], n));
    }
    store_aggregate_free(&a);
    (void)snprintf(text, sizeof(text), "%s " DECIDED " status:487 ring:*", q);
    rc = count(c, text, by_column(RECORD_CALL_COL_status, NULL), &a);
    if (rc != 0)
        return rc;
    for (size_t n = 0; n < FIGURES(c); n++)
        k[n].rung_out = sum_in(c, a.counts, n);
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
    for (size_t n = 0; n < FIGURES(c); n++)
        for (size_t i = 0; i < a.value_count; i++) {
            k[n].talks += count_in(&a.values[i], n);
            k[n].talk_s += (uint64_t)number_of(&a.values[i]) * count_in(&a.values[i], n);
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
static int64_t percentile(const struct store_aggregate *a, size_t figure, uint64_t all, unsigned percent)
{
    uint64_t rank = (all * percent + 99) / 100, seen = 0;
    for (size_t i = 0; i < a->value_count && all > 0; i++) {
        seen += count_in(&a->values[i], figure);
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
    if (rc != 0)
        return rc;
    if (a.value_count > 0)
        qsort(a.values, a.value_count, sizeof(*a.values), compare_numbers);
    for (size_t n = 0; n < FIGURES(c); n++) {
        for (size_t i = 0; i < a.value_count; i++)
            k[n].pdds += count_in(&a.values[i], n);
        k[n].pdd_p50_ms = percentile(&a, n, k[n].pdds, 50);
        k[n].pdd_p95_ms = percentile(&a, n, k[n].pdds, 95);
    }
    store_aggregate_free(&a);
    return 0;
}

/* Into FIGURES(c) places. */
static int figures(struct counting *c, const char *q, struct kpi *ret)
{
    memset(ret, 0, FIGURES(c) * sizeof(*ret));
    c->exact = true;
    int rc = take_states(c, q, ret);
    if (rc == 0)
        rc = take_status(c, q, ret);
    if (rc == 0)
        rc = take_talk(c, q, ret);
    if (rc == 0)
        rc = take_pdd(c, q, ret);
    for (size_t n = 0; n < FIGURES(c); n++)
        ret[n].exact = c->exact;
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

static double seconds_of(int64_t from_us, int64_t to_us)
{
    return to_us > from_us ? (double)(to_us - from_us) / SECOND : 0;
}

static void put_bucket(const struct counting *c, struct buf *out, const struct kpi *k, size_t i)
{
    char text[WHEN_TEXT_MAX];
    int64_t begin = c->start_us + (int64_t)(i * c->o->step_us), end = begin + (int64_t)c->o->step_us;
    (void)when_format(begin, text);
    buf_printf(out, "%s{\"from\":\"%s\",", i > 0 ? ",\n" : "\n", text);
    put_figures(out, k, seconds_of(begin > c->from_us ? begin : c->from_us, end < c->to_us ? end : c->to_us));
    buf_putc(out, '}');
}

/* Figures, and those of the buckets. */
static void put_all_figures(const struct counting *c, struct buf *out, const struct kpi *k)
{
    put_figures(out, k, seconds_of(c->from_us, c->to_us));
    if (c->buckets == 0)
        return;
    buf_puts(out, ",\n\"buckets\":[");
    for (size_t i = 0; i < c->buckets; i++)
        put_bucket(c, out, &k[1 + i], i);
    buf_putc(out, ']');
}

/* ------------------------------------------------------------------------------------------------ groups */

/* What calls can be grouped by: the name, which is a field of the filter language, and its column. */
static const struct group {
    const char *name;
    int column;
    bool number; /* has prefixes */
} groups[] = {
    { "src", RECORD_COL_src_ip, false },
    { "dst", RECORD_COL_dst_ip, false },
    { "from", RECORD_CALL_COL_from_user, true },
    { "to", RECORD_CALL_COL_to_user, true },
    { "ruri", RECORD_CALL_COL_ruri_user, true },
    { "pai", RECORD_CALL_COL_pai_user, true },
    { "uac", RECORD_CALL_COL_caller_agent, false },
    { "uas", RECORD_CALL_COL_callee_agent, false },
    { "codec", RECORD_CALL_COL_codec, false },
    { "state", RECORD_CALL_COL_state, false },
    { "status", RECORD_CALL_COL_status, false },
    { "cause", RECORD_CALL_COL_q850_cause, false },
    { "proto", RECORD_COL_proto, false },
};

static const struct group *group_of(const char *name, size_t prefix, struct errmsg *err)
{
    for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++)
        if (strcmp(groups[i].name, name) == 0) {
            if (prefix == 0 || groups[i].number)
                return &groups[i];
            (void)errmsg_set(err, "calls are grouped by a prefix of from, to, ruri or pai, not of '%s'", name);
            return NULL;
        }
    (void)errmsg_set(err,
                     "calls cannot be grouped by '%.64s', but by src, dst, from, to, ruri, pai, uac, "
                     "uas, codec, state, status, cause, proto",
                     name);
    return NULL;
}

/* The filter, and the group's own test: of a prefix one that begins so. False if that is too long. */
static bool put_test(struct buf *to, const char *q, const char *field, size_t prefix, const struct store_value *v)
{
    buf_reset(to);
    buf_printf(to, "%s %s:\"", q, field);
    for (size_t i = 0; i < v->len; i++) {
        if (v->text[i] == '"' || v->text[i] == '\\')
            buf_putc(to, '\\');
        buf_putc(to, v->text[i]);
    }
    buf_puts(to, prefix > 0 && v->len >= prefix ? "\"*" : "\"");
    buf_putc(to, '\0');
    return !to->failed && to->len < FILTER_TEXT_MAX - sizeof(DECIDED) - 64;
}

static int put_group(struct counting *c, struct buf *out, const char *q, const struct store_value *v, struct kpi *k,
                     bool first)
{
    int rc = figures(c, q, k);
    if (rc != 0)
        return rc;
    buf_puts(out, first ? "\n{\"value\":" : ",\n{\"value\":");
    (void)json_out_string(out, (const uint8_t *)v->text, v->len);
    buf_putc(out, ',');
    put_all_figures(c, out, k);
    buf_putc(out, '}');
    return 0;
}

static int put_groups(struct counting *c, struct buf *out, const char *q, const struct group *g, struct kpi *k)
{
    struct store_aggregate a;
    struct buf text;
    struct store_by by = by_column(g->column, NULL);
    by.first = c->o->prefix;
    int rc = count(c, q, by, &a);
    if (rc != 0)
        return rc;
    buf_init(&text, FILTER_TEXT_MAX);
    buf_printf(out, ",\n\"by\":\"%s\",\"values\":%zu,\"groups\":[", g->name, a.value_count);
    for (size_t i = 0, shown = 0; i < a.value_count && shown < c->o->groups && rc == 0; i++)
        if (put_test(&text, q, g->name, by.first, &a.values[i]))
            rc = put_group(c, out, (const char *)text.ptr, &a.values[i], k, shown++ == 0);
    buf_putc(out, ']');
    buf_free(&text);
    store_aggregate_free(&a);
    return rc;
}

/* ------------------------------------------------------------------------------------------------ all of it */

/* Ends that are open become those of the calls that there are. */
static void close_window(struct counting *c)
{
    int64_t min = INT64_MAX, max = INT64_MIN;
    bool any = c->store->ops->span(c->store, c->pin, RECORD_TABLES_CALLS, &min, &max);
    c->from_us = c->o->from_us != INT64_MIN ? c->o->from_us : any ? min : 0;
    c->to_us = c->o->to_us != INT64_MAX ? c->o->to_us : any ? max + 1 : c->from_us;
}

/* Buckets begin at multiples of the step. */
static int make_buckets(struct counting *c)
{
    int64_t step = (int64_t)c->o->step_us;
    if (step == 0 || c->to_us <= c->from_us)
        return 0;
    c->start_us = c->from_us - (c->from_us % step + step) % step;
    uint64_t count = ((uint64_t)(c->to_us - c->start_us) + c->o->step_us - 1) / c->o->step_us;
    if (count > KPI_BUCKETS_MAX) {
        (void)errmsg_set(c->err, "more than %d steps: a longer step, or a shorter time", KPI_BUCKETS_MAX);
        return -ERANGE;
    }
    c->buckets = (size_t)count;
    return 0;
}

static void put_window(const struct counting *c, struct buf *out)
{
    char text[WHEN_TEXT_MAX];
    (void)when_format(c->from_us, text);
    buf_printf(out, "{\"from\":\"%s\"", text);
    (void)when_format(c->to_us, text);
    buf_printf(out, ",\"to\":\"%s\"", text);
    if (c->o->step_us > 0)
        buf_printf(out, ",\"step_s\":%.3f", (double)c->o->step_us / SECOND);
    buf_puts(out, ",\n");
}

static int put_all(struct counting *c, struct buf *out, const char *q, const struct group *g)
{
    close_window(c);
    int rc = make_buckets(c);
    struct kpi *k = rc == 0 ? calloc(FIGURES(c), sizeof(*k)) : NULL;
    if (rc == 0 && k == NULL) {
        (void)errmsg_set(c->err, "out of memory");
        rc = -ENOMEM;
    }
    if (rc == 0)
        rc = figures(c, q, k);
    if (rc == 0) {
        put_window(c, out);
        put_all_figures(c, out, k);
        rc = g != NULL ? put_groups(c, out, q, g, k) : 0;
        buf_puts(out, "}\n");
    }
    free(k);
    return rc;
}

int kpi_json(struct buf *out, struct store *store, const struct kpi_options *o, struct errmsg *err)
{
    struct counting c = { .store = store, .o = o, .err = err };
    const struct group *g = o->by != NULL ? group_of(o->by, o->prefix, err) : NULL;
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
