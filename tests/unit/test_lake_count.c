/* Rows counted by time and value, in memory and in files, against a plain loop over all rows. */
#include <errno.h>
#include <inttypes.h>

#include "fake_duck.h"
#include "lake_lab.h"
#include "store/lake/catalog.h"

#define BASE ((int64_t)ROW_HOUR * ROW_HOUR_US)

/* ------------------------------------------------------------------------------------------------ the model */

struct tally {
    char text[RECORD_TEXT_MAX + 8];
    size_t len;
    bool null;
    size_t bucket;
};

struct model {
    struct tally *items;
    size_t count;
};

static size_t hundreds(int64_t number, char out[STORE_NUMBER_TEXT])
{
    return (size_t)snprintf(out, STORE_NUMBER_TEXT, "%" PRId64 "xx", number / 100);
}

static void tally_value(struct tally *t, const struct store_aggregate *q, const struct record *r)
{
    const struct record_schema *schema = record_schema(r->table);
    uint8_t octets[RECORD_TEXT_MAX + 8];
    char number[STORE_NUMBER_TEXT];
    struct record_cell cell = { .null = true };
    int column = q->by.columns[r->table];
    t->null = false;
    t->len = 0;
    if (q->by.tables) {
        t->len = strlen(schema->name);
        memcpy(t->text, schema->name, t->len);
        return;
    }
    if (column >= 0)
        row_cell(r, (size_t)column, &cell, octets);
    t->null = cell.null;
    if (cell.null)
        return;
    if (record_kind_is_number(schema->columns[column].kind)) {
        t->len = q->by.text != NULL ? q->by.text(cell.number, number)
                                    : (size_t)snprintf(number, sizeof(number), "%" PRId64, cell.number);
        memcpy(t->text, number, t->len);
    } else {
        t->len = cell.octets.len;
        memcpy(t->text, cell.octets.ptr, t->len);
    }
}

static bool tally_bucket(struct tally *t, const struct store_aggregate *q, int64_t ts)
{
    if (q->bucket_us == 0) {
        t->bucket = 0;
        return true;
    }
    if (ts < q->start_us || (uint64_t)(ts - q->start_us) / q->bucket_us >= q->buckets)
        return false;
    t->bucket = (size_t)((uint64_t)(ts - q->start_us) / q->bucket_us);
    return true;
}

static void model_make(struct model *m, struct lab *lab, const struct store_aggregate *q)
{
    struct store_scan s = {
        .tables = q->tables, .filter = q->filter, .from_us = q->from_us, .to_us = q->to_us, .limit = STORE_LIMIT_MAX
    };
    struct store_ref *refs;
    uint64_t total;
    size_t count = lab_expect(lab, &s, &refs, &total);
    assert_true(total <= STORE_LIMIT_MAX);
    m->items = calloc(count + 1, sizeof(*m->items));
    m->count = 0;
    for (size_t i = 0; i < count; i++) {
        struct tally *t = &m->items[m->count];
        if (!tally_bucket(t, q, refs[i].ts))
            continue;
        if (q->has_by)
            tally_value(t, q, lab_record(lab, refs[i].seq));
        else
            t->null = true;
        if (q->prefix != NULL && (t->null || t->len < q->prefix_len || memcmp(t->text, q->prefix, q->prefix_len) != 0))
            continue;
        m->count++;
    }
    free(refs);
}

static uint64_t model_sum(const struct model *m, const char *text, size_t len, bool null, size_t bucket)
{
    uint64_t n = 0;
    for (size_t i = 0; i < m->count; i++)
        n += m->items[i].null == null && m->items[i].bucket == bucket &&
             (null || (m->items[i].len == len && memcmp(m->items[i].text, text, len) == 0));
    return n;
}

/* ------------------------------------------------------------------------------------------------ comparing */

static void run(struct lab *lab, struct store_aggregate *q)
{
    struct store_pin *pin;
    struct errmsg err = { "" };
    assert_int_equal(lab->store->ops->pin(lab->store, &pin), 0);
    if (lab->store->ops->aggregate(lab->store, pin, q, &err) != 0)
        fail_msg("%s", err.text);
    lab->store->ops->unpin(lab->store, pin);
}

static void check(struct lab *lab, struct store_aggregate *q)
{
    struct model m;
    uint64_t told = 0;
    unsigned queries = fake_duck.queries;
    run(lab, q);
    model_make(&m, lab, q);
    assert_string_equal(q->problem.text, "");
    assert_true(q->total_exact && q->values_exact && !q->timed_out);
    assert_int_equal(fake_duck.queries, queries);
    if (q->total != m.count)
        fail_msg("total %" PRIu64 ", should be %zu: %s, by %d", q->total, m.count,
                 q->filter != NULL ? filter_text(q->filter) : "everything", q->by.columns[0]);
    for (size_t b = 0; b < q->buckets; b++) {
        uint64_t sum = q->none[b];
        assert_int_equal(q->none[b], model_sum(&m, "", 0, true, b));
        assert_int_equal(q->rest[b], 0);
        for (size_t i = 0; i < q->value_count; i++) {
            const struct store_value *v = &q->values[i];
            if (v->counts[b] > 0 || i < 20)
                assert_int_equal(v->counts[b], model_sum(&m, v->text, v->len, false, b));
            sum += v->counts[b];
        }
        assert_int_equal(q->counts[b], sum);
        told += sum;
    }
    assert_int_equal(told, m.count);
    for (size_t i = 1; i < q->value_count; i++)
        assert_true(q->values[i - 1].total >= q->values[i].total);
    free(m.items);
    store_aggregate_free(q);
}

/* Some rows sealed, in several files and hours, some in memory. */
static struct lab *mixed_lab(void)
{
    struct lab *lab = lab_new(NULL, NULL);
    for (unsigned i = 0; i < 5; i++) {
        lab_append_random(lab, 200 + 50 * i);
        lab->hour += i % 2;
        lab_append_random(lab, 100);
        lab_seal(lab);
    }
    lab_append_random(lab, 400);
    return lab;
}

static struct store_aggregate everything(void)
{
    return (
        struct store_aggregate){ .tables = RECORD_TABLES_ALL, .from_us = INT64_MIN, .to_us = INT64_MAX, .buckets = 1 };
}

static void by_column(struct store_aggregate *q, const char *name)
{
    q->has_by = true;
    for (int t = 0; t < RECORD_TABLES; t++)
        q->by.columns[t] = record_column_by_name((enum record_table)t, name, strlen(name));
}

/* More tests than fit into a number a row. */
static const char *const filters[] = {
    "",
    "from:+155510*",
    "callid:call-20@example.org",
    "callid:nobody@nowhere",
    "method:INVITE from:+1555101*",
    "user:*1* ip:10.0.0.0/8 type:sip via:* ua:* status:* contact:*",
};

static const char *const columns[] = { "method",    "status", "from_user", "sender", "src_ip", "src_port",
                                       "transport", "kind",   "call_id",   "vlan",   "reason" };

static void random_window(struct store_aggregate *q, uint64_t *random)
{
    static const uint64_t widths[] = { 0, 1000000, 60000000, 600000000, 3600000000 };
    if (prng_below(random, 2) == 0)
        q->from_us = BASE + (int64_t)prng_below(random, 7200) * 1000000 - ROW_HOUR_US / 2;
    if (prng_below(random, 2) == 0)
        q->to_us = BASE + (int64_t)prng_below(random, 4 * 3600) * 1000000;
    q->bucket_us = widths[prng_below(random, 5)];
    q->start_us = BASE + ((int64_t)prng_below(random, 3) - 1) * 1800 * 1000000;
    q->buckets = q->bucket_us == 0 ? 1 : 1 + prng_below(random, 40);
    if (prng_below(random, 3) == 0)
        q->tables = (unsigned)prng_below(random, 16);
}

static void random_by(struct store_aggregate *q, uint64_t *random)
{
    static const char *const prefixes[] = { "", "1", "Gr\xc3\xbc", "10.", "INV", "zzz" };
    size_t pick = prng_below(random, COUNT_OF(columns) + 3);
    q->has_by = pick > 0;
    if (pick == 1)
        q->by.tables = true;
    else if (pick == 2)
        by_column(q, "status"), q->by.text = hundreds;
    else if (pick > 2)
        by_column(q, columns[pick - 3]);
    if (!q->has_by || prng_below(random, 3) > 0)
        return;
    q->prefix = prefixes[prng_below(random, COUNT_OF(prefixes))];
    q->prefix_len = strlen(q->prefix);
}

static void test_random_counts(void **state)
{
    (void)state;
    struct lab *lab = mixed_lab();
    uint64_t random = 11;
    for (size_t f = 0; f < COUNT_OF(filters); f++) {
        struct filter *filter = lab_filter(filters[f]);
        for (unsigned i = 0; i < 60; i++) {
            struct store_aggregate q = everything();
            q.filter = f == 0 && i % 2 == 0 ? NULL : filter;
            random_window(&q, &random);
            random_by(&q, &random);
            check(lab, &q);
        }
        filter_free(filter);
    }
    lab_free(lab);
}

/* A pin of before a seal counts what it saw, whatever is sealed, merged or comes in the meantime: no row twice. */
static void test_one_moment(void **state)
{
    (void)state;
    struct lab *lab = mixed_lab();
    struct store_aggregate q = everything();
    struct store_pin *pin;
    struct errmsg err = { "" };
    uint64_t before = lab->last;
    by_column(&q, "method");
    assert_int_equal(lab->store->ops->pin(lab->store, &pin), 0);
    lab_append_random(lab, 100);
    lab_seal(lab);
    lab_append_random(lab, 100);
    assert_int_equal(lab->store->ops->aggregate(lab->store, pin, &q, &err), 0);
    lab->store->ops->unpin(lab->store, pin);
    assert_true(q.total_exact);
    assert_int_equal(q.total, before);
    store_aggregate_free(&q);
    check(lab, &q);
    lab_free(lab);
}

static void test_edges_of_buckets(void **state)
{
    (void)state;
    struct lab *lab = mixed_lab();
    struct store_aggregate q = everything();
    /* One bucket that begins with a row's own time and ends before another's. */
    q.start_us = lab->rows[700].ts;
    q.bucket_us = 1;
    q.buckets = 1;
    check(lab, &q);
    q.from_us = q.start_us;
    q.to_us = q.start_us + 1;
    check(lab, &q);
    q.to_us = q.from_us;
    check(lab, &q);
    lab_free(lab);
}

static void test_span(void **state)
{
    (void)state;
    struct lab *lab = mixed_lab();
    struct store_pin *pin;
    int64_t min, max, least = INT64_MAX, most = INT64_MIN;
    for (uint64_t i = 1; i <= lab->last; i++) {
        least = lab->rows[i].ts < least ? lab->rows[i].ts : least;
        most = lab->rows[i].ts > most ? lab->rows[i].ts : most;
    }
    assert_int_equal(lab->store->ops->pin(lab->store, &pin), 0);
    assert_true(lab->store->ops->span(lab->store, pin, RECORD_TABLES_ALL, &min, &max));
    assert_true(min == least && max == most);
    assert_false(lab->store->ops->span(lab->store, pin, 0, &min, &max));
    lab->store->ops->unpin(lab->store, pin);
    lab_free(lab);
}

/* More values than are kept: totals stay exact, frequent values stay, and the answer says so. */
static void test_too_many_values(void **state)
{
    (void)state;
    struct lab *lab = lab_new(NULL, NULL);
    uint64_t sum = 0, told = 0;
    for (unsigned i = 0; i < 4; i++) {
        lab_append(lab, RECORD_SIP, 4000);
        if (i < 3)
            lab_seal(lab);
    }
    struct store_aggregate q = everything();
    struct model m;
    q.tables = 1u << RECORD_SIP;
    by_column(&q, "to_host");
    q.values_max = 64;
    q.start_us = BASE;
    q.bucket_us = 600000000;
    q.buckets = 6;
    run(lab, &q);
    model_make(&m, lab, &q);
    assert_true(q.total_exact && !q.values_exact);
    assert_true(q.value_count <= 64 && q.value_count > 0);
    assert_int_equal(q.total, m.count);
    for (size_t b = 0; b < q.buckets; b++) {
        sum += q.counts[b];
        told += q.none[b] + q.rest[b];
        assert_int_equal(q.none[b], model_sum(&m, "", 0, true, b));
        for (size_t i = 0; i < q.value_count; i++) {
            told += q.values[i].counts[b];
            assert_true(q.values[i].counts[b] <= model_sum(&m, q.values[i].text, q.values[i].len, false, b));
        }
    }
    assert_int_equal(sum, m.count);
    assert_int_equal(told, m.count);
    free(m.items);
    store_aggregate_free(&q);
    lab_free(lab);
}

/* Out of time, or given up: what there is, labelled. Bad questions are refused. */
static void test_limits(void **state)
{
    (void)state;
    struct lab *lab = mixed_lab();
    struct store_aggregate q = everything();
    struct store_pin *pin;
    struct errmsg err = { "" };
    atomic_bool cancel = true;
    by_column(&q, "method");
    q.cancel = &cancel;
    run(lab, &q);
    assert_false(q.total_exact);
    assert_true(q.total < lab->last);
    assert_string_equal(q.problem.text, "cancelled");
    store_aggregate_free(&q);
    q.cancel = NULL;
    assert_int_equal(lab->store->ops->pin(lab->store, &pin), 0);
    q.buckets = 0;
    assert_int_equal(lab->store->ops->aggregate(lab->store, pin, &q, &err), -EINVAL);
    q.buckets = STORE_BUCKETS_MAX + 1;
    assert_int_equal(lab->store->ops->aggregate(lab->store, pin, &q, &err), -EINVAL);
    lab->store->ops->unpin(lab->store, pin);
    lab_free(lab);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_counts), cmocka_unit_test(test_one_moment),
        cmocka_unit_test(test_span),          cmocka_unit_test(test_edges_of_buckets),
        cmocka_unit_test(test_limits),        cmocka_unit_test(test_too_many_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
