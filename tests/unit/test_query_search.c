/* Searches and flows over a store of a few rows. */
#include <errno.h>

#include "fake_store.h"
#include "query/flow.h"
#include "query/search.h"
#include "testlib.h"

#define NOW INT64_C(1767225600000000)

static struct filter *filter(const char *text)
{
    struct filter *f = NULL;
    struct filter_error err = { 0 };
    if (filter_parse(&f, text, strlen(text), &err) != 0)
        fail_msg("%s: %s", text, err.text);
    return f;
}

static struct search_options options(size_t limit)
{
    struct search_options o = { .from_us = INT64_MIN, .to_us = INT64_MAX, .limit = limit };
    columns_all(&o.columns, COLUMNS_NO_PAYLOAD);
    return o;
}

/* What came out: numbers of the rows, in order. */
struct seen {
    uint64_t seq[8192];
    size_t count;
    size_t enough; /* stop after so many of a piece; 0: never */
    size_t piece;
    bool payload;
};

static int on_row(void *arg, enum record_table table, const struct record_cell *cells,
                  const struct store_columns *columns)
{
    struct seen *s = arg;
    (void)table;
    s->payload = s->payload || (store_columns_has(columns, RECORD_COL_payload) && !cells[RECORD_COL_payload].null);
    s->seq[s->count++] = (uint64_t)cells[RECORD_COL_seq].number;
    return s->enough != 0 && ++s->piece == s->enough;
}

static void drain(struct search *s, struct seen *seen, size_t page)
{
    struct errmsg err = { "" };
    int rc;
    do {
        seen->piece = 0;
        rc = search_next(s, page, on_row, seen, &err);
        assert_true(rc >= 0);
    } while (rc > 0);
}

static void sequence_is(const struct seen *s, const uint64_t *expect, size_t n)
{
    assert_int_equal(s->count, n);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(s->seq[i], expect[i]);
}

/* ------------------------------------------------------------------------------------------------ search */

static struct search *open_search(struct fake_store *f, const struct search_options *o)
{
    struct search *s = NULL;
    struct errmsg err = { "" };
    if (search_open(&s, &f->base, o, &err) != 0)
        fail_msg("%s", err.text);
    return s;
}

static void the_newest_come_in_any_order(void **state)
{
    struct fake_store *f = *state;
    for (uint64_t i = 1; i <= 9; i++)
        (void)fake_store_sip(f, NOW + (int64_t)(i % 5), i, "c", "INVITE", -1);
    /* By time, then number: 5 | 1 6 | 2 7 | 3 8 | 4 9 */
    static const uint64_t newest[] = { 9, 4, 8 };
    static const uint64_t chronological[] = { 8, 4, 9 };
    static const uint64_t oldest[] = { 5, 1, 6 };
    for (int way = 0; way < 3; way++) {
        struct search_options o = options(3);
        struct seen seen = { 0 };
        o.oldest_first = way == 2;
        o.reverse = way == 1;
        o.total = true;
        struct search *s = open_search(f, &o);
        drain(s, &seen, way == 0 ? 1 : 100);
        sequence_is(&seen, way == 0 ? newest : way == 1 ? chronological : oldest, 3);
        assert_int_equal(search_result(s)->total, 9);
        assert_true(search_complete(search_result(s)));
        assert_false(seen.payload);
        search_close(s);
    }
    assert_int_equal(f->pins, 0);
}

static void pages_join_without_gap(void **state)
{
    struct fake_store *f = *state;
    struct search_options o = options(4);
    struct seen seen = { 0 };
    for (uint64_t i = 1; i <= 10; i++)
        (void)fake_store_sip(f, NOW + (int64_t)(i / 3), i, "c", "INVITE", -1);
    for (;;) {
        struct search *s = open_search(f, &o);
        drain(s, &seen, 3);
        struct search_result r = *search_result(s);
        search_close(s);
        if (!r.has_next)
            break;
        o.has_after = true;
        o.after = r.next;
    }
    static const uint64_t all[] = { 10, 9, 8, 7, 6, 5, 4, 3, 2, 1 };
    sequence_is(&seen, all, 10);
}

static void a_reader_takes_what_it_can(void **state)
{
    struct fake_store *f = *state;
    struct search_options o = options(100);
    struct seen seen = { .enough = 2 };
    for (uint64_t i = 1; i <= 7; i++)
        (void)fake_store_sip(f, NOW, i, "c", "INVITE", -1);
    columns_all(&o.columns, COLUMNS_PAYLOAD);
    struct search *s = open_search(f, &o);
    drain(s, &seen, 5);
    static const uint64_t all[] = { 7, 6, 5, 4, 3, 2, 1 };
    sequence_is(&seen, all, 7);
    assert_int_equal(f->fetched, 7);
    assert_true(seen.payload);
    search_close(s);
}

static void what_is_partial_says_so(void **state)
{
    struct fake_store *f = *state;
    struct search_options o = options(100);
    struct seen seen = { 0 };
    struct buf out;
    for (uint64_t i = 1; i <= 3; i++)
        (void)fake_store_sip(f, NOW, i, "c", "INVITE", -1);
    f->inexact = true;
    f->damaged_seq = 2;
    o.total = true;
    struct search *s = open_search(f, &o);
    assert_false(search_complete(search_result(s)));
    drain(s, &seen, 100);
    buf_init(&out, 4096);
    search_result_json(&out, search_result(s));
    buf_putc(&out, '\0');
    assert_string_equal((const char *)out.ptr,
                        "\"count\":2,\"rows_exact\":false,\"total\":3,\"total_exact\":false,\"timed_out\":true,"
                        "\"parts\":{\"total\":1,\"done\":1,\"failed\":0},\"octets_read\":0,\"unread\":1,"
                        "\"problem\":\"the time was over\",\"next\":null");
    buf_free(&out);
    search_close(s);
}

static void errors_leave_nothing_pinned(void **state)
{
    struct fake_store *f = *state;
    struct search_options o = options(100);
    struct search *s = NULL;
    struct errmsg err = { "" };
    atomic_bool cancel = true;
    (void)fake_store_sip(f, NOW, 1, "c", "INVITE", -1);
    f->pin_error = -EIO;
    assert_int_equal(search_open(&s, &f->base, &o, &err), -EIO);
    f->pin_error = 0;
    f->scan_error = -EIO;
    assert_int_equal(search_open(&s, &f->base, &o, &err), -EIO);
    assert_string_equal(err.text, "the fake store was told to fail");
    f->scan_error = 0;
    o.cancel = &cancel;
    assert_int_equal(search_open(&s, &f->base, &o, &err), -ECANCELED);
    o.cancel = NULL;
    f->fetch_error = -EIO;
    s = open_search(f, &o);
    struct seen seen = { 0 };
    assert_int_equal(search_next(s, 10, on_row, &seen, &err), -EIO);
    search_close(s);
    search_close(NULL);
    assert_int_equal(f->pins, 0);
}

static void a_filter_chooses(void **state)
{
    struct fake_store *f = *state;
    struct search_options o = options(100);
    struct seen seen = { 0 };
    struct filter *only = filter("method:BYE");
    (void)fake_store_sip(f, NOW, 1, "c", "INVITE", -1);
    (void)fake_store_sip(f, NOW, 2, "c", "BYE", -1);
    o.filter = only;
    struct search *s = open_search(f, &o);
    drain(s, &seen, 100);
    static const uint64_t bye[] = { 2 };
    sequence_is(&seen, bye, 1);
    search_close(s);
    filter_free(only);
}

/* ------------------------------------------------------------------------------------------------ flow */

static void run_flow(struct fake_store *f, const char *call_id, uint64_t limit, struct seen *seen,
                     struct flow_result *ret)
{
    struct flow_options o = {
        .call_id = call_id, .call_id_len = strlen(call_id), .from_us = INT64_MIN, .to_us = INT64_MAX, .limit = limit
    };
    struct flow *flow = NULL;
    struct errmsg err = { "" };
    int rc;
    columns_all(&o.columns, COLUMNS_NO_PAYLOAD);
    if (flow_open(&flow, &f->base, &o, &err) != 0)
        fail_msg("%s", err.text);
    do {
        seen->piece = 0;
        rc = flow_next(flow, on_row, seen, &err);
        assert_true(rc >= 0);
        assert_int_equal(f->pins, 0);
    } while (rc > 0);
    *ret = *flow_result(flow);
    flow_close(flow);
}

static void a_flow_has_all_tables_in_order(void **state)
{
    struct fake_store *f = *state;
    struct seen seen = { 0 };
    struct flow_result r;
    (void)fake_store_sip(f, NOW + 5, 1, "call", "INVITE", -1);
    fake_store_sip(f, NOW + 1, 2, "call", "INVITE", -1)->correlation_id = fake_slice("call"); /* found both ways */
    fake_store_sip(f, NOW + 3, 3, "leg-b", "INVITE", -1)->correlation_id = fake_slice("call");
    fake_store_add(f, RECORD_MEDIA, NOW + 4, 4)->correlation_id = fake_slice("call");
    fake_store_add(f, RECORD_LOG, NOW + 2, 5)->correlation_id = fake_slice("call");
    (void)fake_store_sip(f, NOW + 2, 6, "other", "INVITE", -1);
    (void)fake_store_sip(f, NOW + 1, 7, "call", "INVITE", 100);
    run_flow(f, "call", 0, &seen, &r);
    static const uint64_t expect[] = { 2, 7, 5, 3, 4, 1 };
    sequence_is(&seen, expect, 6);
    assert_true(r.exact && !r.has_next && r.count == 6);
}

static void a_long_flow_comes_in_pages(void **state)
{
    struct fake_store *f = *state;
    struct seen *seen = calloc(1, sizeof(*seen));
    struct flow_result r;
    const size_t n = 5 * FLOW_PAGE / 2;
    for (uint64_t i = 1; i <= n; i++) {
        struct record *row = fake_store_sip(f, NOW + (int64_t)(i / 7), i, i % 3 != 0 ? "call" : "x", "OPTIONS", -1);
        row->correlation_id = fake_slice(i % 3 != 1 ? "call" : "y");
    }
    seen->enough = 333;
    run_flow(f, "call", 0, seen, &r);
    assert_int_equal(seen->count, n);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(seen->seq[i], i + 1);
    assert_true(r.exact && !r.has_next);

    seen->count = 0;
    run_flow(f, "call", FLOW_PAGE + 1, seen, &r);
    assert_int_equal(seen->count, FLOW_PAGE + 1);
    assert_true(r.has_next && r.next.seq == FLOW_PAGE + 1);
    free(seen);
}

/* What means something to the filter language means nothing in a Call-ID. */
static void call_ids_are_taken_literally(void **state)
{
    struct fake_store *f = *state;
    static const char *const ids[] = {
        "a\"b", "a\\b", "a*", "* OR from:x", "a b", "(x)", "f81d4fae@h;x=1", "\xc3\xbc"
    };
    (void)fake_store_sip(f, NOW, 100, "abc", "INVITE", -1);
    for (size_t i = 0; i < COUNT_OF(ids); i++)
        (void)fake_store_sip(f, NOW, i + 1, ids[i], "INVITE", -1);
    for (size_t i = 0; i < COUNT_OF(ids); i++) {
        struct seen seen = { 0 };
        struct flow_result r;
        run_flow(f, ids[i], 0, &seen, &r);
        uint64_t expect = i + 1;
        sequence_is(&seen, &expect, 1);
    }
}

static void bad_call_ids_are_refused(void **state)
{
    struct fake_store *f = *state;
    struct flow *flow = NULL;
    struct errmsg err = { "" };
    char *text = malloc(FLOW_CALL_ID_MAX + 1);
    memset(text, 'x', FLOW_CALL_ID_MAX + 1);
    struct flow_options o = { .call_id = text };
    assert_int_equal(flow_open(&flow, &f->base, &o, &err), -EINVAL);
    o.call_id_len = FLOW_CALL_ID_MAX + 1;
    assert_int_equal(flow_open(&flow, &f->base, &o, &err), -EINVAL);
    o.call_id_len = FLOW_CALL_ID_MAX;
    assert_int_equal(flow_open(&flow, &f->base, &o, &err), 0);
    flow_close(flow);
    free(text);
}

static void flows_tell_what_went_wrong(void **state)
{
    struct fake_store *f = *state;
    struct seen seen = { 0 };
    struct flow_result r;
    for (uint64_t i = 1; i <= 3; i++)
        (void)fake_store_sip(f, NOW, i, "call", "INVITE", -1);
    f->damaged_seq = 2;
    f->inexact = true;
    run_flow(f, "call", 0, &seen, &r);
    assert_int_equal(seen.count, 2);
    assert_int_equal(r.unread, 1);
    assert_false(r.exact);
    assert_string_equal(r.problem.text, "the time was over");
}

static int setup(void **state)
{
    *state = malloc(sizeof(struct fake_store));
    fake_store_init(*state);
    return 0;
}

static int teardown(void **state)
{
    fake_store_free(*state);
    free(*state);
    return 0;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_newest_come_in_any_order),   TEST(pages_join_without_gap),      TEST(a_reader_takes_what_it_can),
        TEST(what_is_partial_says_so),        TEST(errors_leave_nothing_pinned), TEST(a_filter_chooses),
        TEST(a_flow_has_all_tables_in_order), TEST(a_long_flow_comes_in_pages),  TEST(call_ids_are_taken_literally),
        TEST(bad_call_ids_are_refused),       TEST(flows_tell_what_went_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
