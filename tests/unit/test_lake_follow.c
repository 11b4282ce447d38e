/*
 * Following what is appended: several writers, groups that fill, are closed and sealed meanwhile. Every row comes once,
 * or is counted as passed over. For ThreadSanitizer, too.
 */
#include <pthread.h>
#include <sched.h>

#include "fake_duck.h"
#include "lake_lab.h"
#include "store/lake/follow.h"

#define MAX 500u

struct tail {
    struct lab *lab;
    struct store_follower *follower;
    unsigned char *seen; /* by number */
    uint64_t rows, passed;
    bool cells; /* are compared with what the row was made from */
};

static void tail_open(struct tail *t, struct lab *lab)
{
    uint64_t max;
    *t = (struct tail){ .lab = lab, .seen = calloc(LAB_ROWS_MAX, 1) };
    assert_non_null(t->seen);
    assert_int_equal(lab->store->ops->follow(lab->store, &t->follower, &max), 0);
    assert_int_equal(max, lab->last);
}

static void tail_close(struct tail *t)
{
    t->lab->store->ops->unfollow(t->lab->store, t->follower);
    free(t->seen);
}

static int check_row(void *arg, size_t i, const struct store_ref *ref, const struct record_cell *cells)
{
    const struct tail *t = arg;
    (void)i;
    if (!t->cells) {
        assert_int_equal(cells[RECORD_COL_seq].number, ref->seq);
        assert_int_equal(cells[RECORD_COL_payload_len].number, cells[RECORD_COL_payload].octets.len);
        return 0;
    }
    const struct record *r = lab_record(t->lab, ref->seq);
    for (size_t c = 0; c < record_schema(r->table)->count; c++)
        row_same_cell(r, c, &cells[c]);
    return 0;
}

/* One look; how many rows came. Those of one look are in the order of their numbers. */
static size_t look(struct tail *t, size_t max)
{
    struct store *s = t->lab->store;
    struct store_columns columns;
    struct store_pin *pin;
    const struct store_ref *refs;
    struct errmsg err;
    size_t count, failed;
    uint64_t passed;
    memset(&columns, 0xff, sizeof(columns));
    assert_int_equal(s->ops->follow_next(s, t->follower, max, &pin, &refs, &count, &passed), 0);
    t->passed += passed;
    t->rows += count;
    assert_true(count <= max);
    for (size_t i = 0; i < count; i++) {
        assert_true(i == 0 || refs[i].seq > refs[i - 1].seq);
        assert_int_equal(t->seen[refs[i].seq]++, 0);
    }
    if (count > 0)
        assert_int_equal(s->ops->fetch(s, pin, refs, count, &columns, check_row, t, &failed, &err), 0);
    s->ops->unpin(s, pin);
    return count;
}

static void check_seen(const struct tail *t, uint64_t from, uint64_t to)
{
    for (uint64_t seq = from; seq <= to; seq++)
        if (t->seen[seq] != 1)
            fail_msg("row %llu came %d times", (unsigned long long)seq, t->seen[seq]);
}

static void test_rows_come_once(void **state)
{
    (void)state;
    struct tail t;
    struct lab *lab = lab_new(NULL, NULL);
    lab_append_random(lab, 700);
    lab_seal(lab);
    lab_append_random(lab, 300);
    tail_open(&t, lab);
    t.cells = true;
    assert_int_equal(look(&t, MAX), 0);
    lab_append_random(lab, 450);
    assert_int_equal(look(&t, MAX), 450);
    lab_append_random(lab, 450); /* sealed before they were looked at */
    lab_seal(lab);
    lab_append_random(lab, 300);
    lab_seal(lab);
    lab_append_random(lab, 50);
    while (look(&t, 130) > 0)
        ;
    check_seen(&t, 1001, lab->last);
    assert_int_equal(t.rows, lab->last - 1000);
    assert_int_equal(t.passed, 0);
    tail_close(&t);
    lab_free(lab);
}

/* A group that began and was sealed between two looks, and those of an hour each. */
static void test_groups_come_and_go(void **state)
{
    (void)state;
    struct tail t;
    struct lab *lab = lab_new(NULL, NULL);
    tail_open(&t, lab);
    for (unsigned i = 0; i < 40; i++) {
        lab->hour++;
        lab_append_random(lab, 20);
        if (i % 3 == 2)
            lab_seal(lab);
        if (i % 7 == 6)
            (void)look(&t, 50);
    }
    while (look(&t, 50) > 0)
        ;
    check_seen(&t, 1, lab->last);
    assert_in_range(t.follower->count, 1, LAB_WRITERS * RECORD_TABLES); /* nothing is held longer than need be */
    lab_seal(lab);
    assert_int_equal(look(&t, 50), 0);
    assert_int_equal(look(&t, 50), 0);
    assert_int_equal(t.follower->count, 0);
    tail_close(&t);
    lab_free(lab);
}

static void test_who_is_late_is_told(void **state)
{
    (void)state;
    struct tail t;
    struct lab *lab = lab_new(NULL, NULL);
    tail_open(&t, lab);
    lab_append(lab, RECORD_OTHER, FOLLOW_LAG / 2);
    lab_seal(lab);
    lab_append(lab, RECORD_OTHER, FOLLOW_LAG / 2 + 1);
    assert_int_equal(look(&t, MAX), 0);
    assert_int_equal(t.passed, lab->last);
    uint64_t before = lab->last;
    lab_append(lab, RECORD_OTHER, 20);
    assert_int_equal(look(&t, MAX), 20);
    check_seen(&t, before + 1, lab->last);
    assert_int_equal(t.passed, before);
    tail_close(&t);
    lab_free(lab);
}

static void test_matching(void **state)
{
    (void)state;
    static const char *const filters[] = { "from:*03*", "callid:register@0", "method:BYE",
                                           "type:rtcp", "corr:corr-3*",      "" };
    struct tail t;
    struct lab *lab = lab_new(NULL, NULL);
    struct store *s = lab->store;
    struct store_pin *pin;
    const struct store_ref *refs;
    bool matches[400];
    size_t count, expected = 0, found = 0;
    uint64_t passed;
    tail_open(&t, lab);
    lab_append_random(lab, 400);
    assert_int_equal(s->ops->follow_next(s, t.follower, 400, &pin, &refs, &count, &passed), 0);
    assert_int_equal(count, 400);
    for (size_t i = 0; i < COUNT_OF(filters); i++) {
        struct filter *f = lab_filter(filters[i]);
        struct store_ref *want;
        uint64_t total;
        struct store_scan scan = {
            .tables = RECORD_TABLES_ALL, .filter = f, .from_us = INT64_MIN, .to_us = INT64_MAX, .limit = STORE_LIMIT_MAX
        };
        assert_int_equal(s->ops->match(s, pin, refs, count, f, matches), 0);
        expected += lab_expect(lab, &scan, &want, &total);
        for (size_t k = 0; k < count; k++) {
            assert_int_equal(matches[k], lab->match[refs[k].seq]);
            found += matches[k];
        }
        free(want);
        filter_free(f);
    }
    assert_int_equal(found, expected);
    assert_true(found > 400);
    s->ops->unpin(s, pin);
    tail_close(&t);
    lab_free(lab);
}

static void test_read_only_has_nothing_to_follow(void **state)
{
    (void)state;
    struct store_follower *f;
    uint64_t max;
    struct lab *lab = lab_new(NULL, NULL);
    lab_append_random(lab, 10);
    lab_seal(lab);
    lab_reopen(lab, true);
    assert_true(lab->store->ops->follow(lab->store, &f, &max) < 0);
    lab_free(lab);
}

/* ------------------------------------------------------------------------------------------------ searching by number
 */

static void check_by_number(struct lab *lab, const struct store_seen *beyond, const struct store_seen *within)
{
    struct store *s = lab->store;
    struct store_pin *pin;
    struct errmsg err;
    size_t expected = 0;
    struct store_scan scan = { .tables = RECORD_TABLES_ALL,
                               .from_us = INT64_MIN,
                               .to_us = INT64_MAX,
                               .limit = STORE_LIMIT_MAX,
                               .beyond = beyond,
                               .within = within };
    for (uint64_t seq = 1; seq <= lab->last; seq++)
        expected += !store_seen_has(beyond, seq) && store_seen_has(within, seq);
    fake_duck.scan = &scan;
    assert_int_equal(s->ops->pin(s, &pin), 0);
    assert_int_equal(s->ops->scan(s, pin, &scan, &err), 0);
    assert_int_equal(scan.count, expected);
    assert_true(scan.rows_exact);
    for (size_t i = 0; i < scan.count; i++)
        assert_true(!store_seen_has(beyond, scan.refs[i].seq) && store_seen_has(within, scan.refs[i].seq));
    store_scan_free(&scan);
    s->ops->unpin(s, pin);
}

static void test_rows_by_number(void **state)
{
    (void)state;
    struct lab *lab = lab_new(NULL, NULL);
    for (unsigned i = 0; i < 3; i++) {
        lab_append_random(lab, 200);
        lab_seal(lab);
    }
    lab_append_random(lab, 100);
    const struct store_seen all = { .max = lab->last }, none = { .max = 0 };
    const struct store_seen some = { .max = 300, .gaps = { 7, 250, 299 }, .gap_count = 3 };
    const struct store_seen most = { .max = 650, .gaps = { 250, 640 }, .gap_count = 2 };
    for (unsigned duck = 0; duck < 2; duck++) { /* by both readers */
        lab->lake->always_duck = duck == 1;
        check_by_number(lab, &none, &all);
        check_by_number(lab, &all, &all);
        check_by_number(lab, &some, &most);
        check_by_number(lab, &some, &all);
        check_by_number(lab, &none, &most);
    }
    lab_free(lab);
}

/* ------------------------------------------------------------------------------------------------ threads */

#define ROWS_EACH 8000u
#define ROWS_SEAL 700u

struct shared {
    struct lab *lab;
    _Atomic uint64_t seq;
    atomic_bool done;
    pthread_mutex_t cut[LAB_WRITERS]; /* as the engine has it: no append while a writer is cut */
};

struct writer {
    struct shared *shared;
    unsigned number;
};

static void *writer(void *arg)
{
    const struct writer *w = arg;
    struct row *row = calloc(1, sizeof(*row));
    assert_non_null(row);
    for (unsigned i = 0; i < ROWS_EACH; i++) {
        pthread_mutex_lock(&w->shared->cut[w->number]);
        uint64_t seq = atomic_fetch_add(&w->shared->seq, 1) + 1;
        row_make(row, LAB_SEED, seq % 5 == 0 ? RECORD_MEDIA : RECORD_SIP, seq, ROW_HOUR + i / 20000);
        assert_int_equal(w->shared->lab->store->ops->append(w->shared->lab->store, w->number, &row->record), 0);
        pthread_mutex_unlock(&w->shared->cut[w->number]);
        if (i % 64 == 0)
            sched_yield();
    }
    free(row);
    return NULL;
}

static void *sealer(void *arg)
{
    struct shared *shared = arg;
    struct store *s = shared->lab->store;
    for (uint64_t at = 0; !atomic_load(&shared->done); at = atomic_load(&shared->seq)) {
        struct store_seal *seal;
        struct errmsg err;
        while (atomic_load(&shared->seq) < at + ROWS_SEAL && !atomic_load(&shared->done))
            sched_yield();
        assert_int_equal(s->ops->seal_begin(s, &seal), 0);
        shared->lab->segment++;
        for (unsigned i = 0; i < LAB_WRITERS; i++) {
            pthread_mutex_lock(&shared->cut[i]);
            s->ops->seal_cut(s, seal, i, &(struct wal_position){ i, shared->lab->segment });
            pthread_mutex_unlock(&shared->cut[i]);
        }
        assert_int_equal(s->ops->seal_end(s, seal, atomic_load(&shared->seq), &err), 0);
        s->ops->seal_free(seal);
    }
    return NULL;
}

static void test_writers_and_seals(void **state)
{
    (void)state;
    struct tail t;
    struct shared shared = { .lab = lab_new(NULL, NULL) };
    struct writer writers[LAB_WRITERS];
    pthread_t threads[LAB_WRITERS + 1];
    tail_open(&t, shared.lab);
    for (unsigned i = 0; i < LAB_WRITERS; i++) {
        writers[i] = (struct writer){ &shared, i };
        pthread_mutex_init(&shared.cut[i], NULL);
        assert_int_equal(pthread_create(&threads[i], NULL, writer, &writers[i]), 0);
    }
    assert_int_equal(pthread_create(&threads[LAB_WRITERS], NULL, sealer, &shared), 0);
    while (t.rows + t.passed < LAB_WRITERS * ROWS_EACH)
        if (look(&t, 8192) == 0)
            sched_yield();
    for (unsigned i = 0; i < LAB_WRITERS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    atomic_store(&shared.done, true);
    assert_int_equal(pthread_join(threads[LAB_WRITERS], NULL), 0);
    assert_int_equal(look(&t, 8192), 0);
    assert_int_equal(t.rows + t.passed, LAB_WRITERS * ROWS_EACH);
    if (t.passed == 0)
        check_seen(&t, 1, LAB_WRITERS * ROWS_EACH);
    tail_close(&t);
    for (unsigned i = 0; i < LAB_WRITERS; i++)
        pthread_mutex_destroy(&shared.cut[i]);
    lab_free(shared.lab);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows_come_once),
        cmocka_unit_test(test_groups_come_and_go),
        cmocka_unit_test(test_who_is_late_is_told),
        cmocka_unit_test(test_matching),
        cmocka_unit_test(test_read_only_has_nothing_to_follow),
        cmocka_unit_test(test_rows_by_number),
        cmocka_unit_test(test_writers_and_seals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
