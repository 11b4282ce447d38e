/*
 * Rows come in, are sealed, merged and searched at the same time: each search sees every row that was there before it
 * began, each once. For ThreadSanitizer above all.
 */
#include <pthread.h>

#include "lake_lab.h"

#define ROUNDS    12u
#define SEARCHERS 2u
#define ROWS      250u

struct shared {
    struct lab *lab;
    _Atomic uint64_t appended; /* rows 1 .. are there */
    atomic_bool done;
    _Atomic unsigned searches;
};

static int check_seq(void *arg, size_t i, const struct store_ref *ref, const struct record_cell *cells)
{
    (void)arg;
    (void)i;
    assert_int_equal(cells[RECORD_COL_seq].number, ref->seq);
    assert_int_equal(cells[RECORD_COL_ts].number, ref->ts);
    assert_int_equal(cells[RECORD_COL_payload_len].number, cells[RECORD_COL_payload].octets.len);
    return 0;
}

static void search(struct store *store, struct shared *shared, const struct filter *filter, bool *seen)
{
    struct store_columns columns = { { 0 } };
    struct store_pin *pin;
    struct errmsg err;
    size_t failed;
    uint64_t least = atomic_load(&shared->appended);
    struct store_scan s = { .tables = RECORD_TABLES_ALL,
                            .filter = filter,
                            .from_us = INT64_MIN,
                            .to_us = INT64_MAX,
                            .limit = STORE_LIMIT_MAX,
                            .total_wanted = STORE_TOTAL_EXACT };
    static const unsigned wanted[] = { RECORD_COL_seq, RECORD_COL_ts, RECORD_COL_payload_len, RECORD_COL_payload };
    for (size_t i = 0; i < COUNT_OF(wanted); i++)
        store_columns_add(&columns, wanted[i]);
    assert_int_equal(store->ops->pin(store, &pin), 0);
    assert_int_equal(store->ops->scan(store, pin, &s, &err), 0);
    if (s.problem.text[0] != '\0')
        fail_msg("%s", s.problem.text);
    assert_true(s.rows_exact && s.total_exact && s.total == s.count);
    memset(seen, 0, LAB_ROWS_MAX);
    for (size_t i = 0; i < s.count; i++) {
        assert_false(seen[s.refs[i].seq]);
        seen[s.refs[i].seq] = true;
    }
    for (uint64_t seq = 1; filter == NULL && seq <= least; seq++)
        assert_true(seen[seq]);
    size_t some = s.count < 300 ? s.count : 300;
    assert_int_equal(store->ops->fetch(store, pin, s.refs, some, &columns, check_seq, NULL, &failed, &err), 0);
    assert_int_equal(failed, 0);
    store_scan_free(&s);
    store->ops->unpin(store, pin);
    atomic_fetch_add(&shared->searches, 1);
}

static void *searcher(void *arg)
{
    struct shared *shared = arg;
    struct filter *filters[] = { NULL, lab_filter("from:*03*"), lab_filter("callid:register@0"),
                                 lab_filter("corr:corr-3") };
    bool *seen = calloc(LAB_ROWS_MAX, sizeof(*seen));
    assert_non_null(seen);
    for (unsigned i = 0; !atomic_load(&shared->done); i++)
        search(shared->lab->store, shared, filters[i % COUNT_OF(filters)], seen);
    for (size_t i = 0; i < COUNT_OF(filters); i++)
        filter_free(filters[i]);
    free(seen);
    return NULL;
}

static void *tender(void *arg)
{
    struct shared *shared = arg;
    struct store *store = shared->lab->store;
    while (!atomic_load(&shared->done)) {
        struct errmsg err;
        struct store_figures f;
        assert_true(store->ops->tend(store, (int64_t)(ROW_HOUR + 5) * ROW_HOUR_US, &err) >= 0);
        store->ops->figures(store, &f);
    }
    return NULL;
}

static void test_all_at_once(void **state)
{
    (void)state;
    struct shared shared = { .lab = lab_new(NULL, NULL) };
    pthread_t threads[SEARCHERS + 1];
    for (unsigned i = 0; i < SEARCHERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, searcher, &shared), 0);
    assert_int_equal(pthread_create(&threads[SEARCHERS], NULL, tender, &shared), 0);
    for (unsigned i = 0; i < ROUNDS; i++) {
        unsigned before = atomic_load(&shared.searches);
        lab_append_random(shared.lab, ROWS);
        atomic_store(&shared.appended, shared.lab->last);
        lab_seal(shared.lab);
        while (atomic_load(&shared.searches) < before + 3) /* there is time to look */
            sched_yield();
    }
    atomic_store(&shared.done, true);
    for (unsigned i = 0; i <= SEARCHERS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    lab_check_all(shared.lab);
    lab_free(shared.lab);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_all_at_once) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
