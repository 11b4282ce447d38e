/*
 * Searches of sealed files with the real DuckDB, against the plain model: the SQL says what the matcher says, in every
 * window, order and place. This program is its own query worker.
 */
#include <ftw.h>
#include <signal.h>
#include <unistd.h>

#include "lake_lab.h"
#include "store/lake/duck.h"
#include "store/lake/duck_worker.h"

static struct store_scan everything(void)
{
    return (struct store_scan){ .tables = RECORD_TABLES_ALL,
                                .from_us = INT64_MIN,
                                .to_us = INT64_MAX,
                                .limit = 100,
                                .total_wanted = STORE_TOTAL_EXACT };
}

static char root[64];

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)st;
    (void)kind;
    (void)at;
    return remove(path);
}

static struct lab *new_lab(void)
{
    (void)snprintf(root, sizeof(root), "/tmp/test_lake_duck.XXXXXX");
    assert_non_null(mkdtemp(root));
    return lab_new(root, DUCK_LIBRARY);
}

static void end_lab(struct lab *lab)
{
    lab_free(lab);
    assert_int_equal(nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

static const char *const filters[] = { "callid:/^call-[0-9]*7@/",
                                       "num:*1008",
                                       "payload:/[0-9]/ NOT method:BYE",
                                       "ts:>=1.5 callid:call-20@example.org,x",
                                       "from:+155510*",
                                       "from:*03*",
                                       "method:BYE",
                                       "ua:*e*",
                                       "callid:call-2*",
                                       "from:+15551007 method:INVITE",
                                       "callid:CALL*",
                                       "src:10.0.0.0/8" };

static void random_numbers(struct store_seen *seen, uint64_t *random)
{
    *seen = (struct store_seen){ .max = 1 + prng_below(random, 2000) };
    seen->gap_count = seen->max > STORE_GAPS_MAX ? prng_below(random, STORE_GAPS_MAX + 1) : 0;
    for (size_t i = 0; i < seen->gap_count; i++)
        seen->gaps[i] = 1 + i * (seen->max / STORE_GAPS_MAX);
}

static void random_window(struct store_scan *s, uint64_t *random)
{
    static struct store_seen beyond, within;
    int64_t base = (int64_t)ROW_HOUR * ROW_HOUR_US;
    if (prng_below(random, 2) == 0)
        s->from_us = base + (int64_t)prng_below(random, 7200) * 1000000 - ROW_HOUR_US / 2;
    if (prng_below(random, 2) == 0)
        s->to_us = base + (int64_t)prng_below(random, 4 * 3600) * 1000000;
    s->oldest_first = prng_below(random, 2) == 0;
    static const size_t limits[] = { 0, 1, 7, 100, 5000 };
    s->limit = limits[prng_below(random, 5)];
    s->total_wanted = prng_below(random, 2) == 0 ? STORE_TOTAL_NONE : STORE_TOTAL_EXACT;
    if (prng_below(random, 3) == 0)
        s->tables = (unsigned)prng_below(random, 16);
    if (prng_below(random, 3) == 0) {
        s->has_after = true;
        s->after_ts = base + (int64_t)prng_below(random, 3600) * 2000000;
        s->after_seq = prng_below(random, 3000);
    }
    random_numbers(&beyond, random);
    random_numbers(&within, random);
    s->beyond = prng_below(random, 4) == 0 ? &beyond : NULL;
    s->within = prng_below(random, 4) == 0 ? &within : NULL;
}

static void fill(struct lab *lab)
{
    for (unsigned i = 0; i < 4; i++) {
        lab_append_random(lab, 300);
        lab->hour += i % 2;
        lab_append_random(lab, 100);
        lab_seal(lab);
    }
    lab_append_random(lab, 200);
}

static void random_scans(struct lab *lab, unsigned each)
{
    uint64_t random = 4;
    for (size_t f = 0; f < COUNT_OF(filters); f++) {
        struct filter *filter = lab_filter(filters[f]);
        for (unsigned i = 0; i < each; i++) {
            struct store_scan s = everything();
            s.filter = filter;
            random_window(&s, &random);
            lab_check(lab, &s);
        }
        filter_free(filter);
    }
}

static void test_scans_before_and_after_merge(void **state)
{
    (void)state;
    struct lab *lab = new_lab();
    struct errmsg err = { "" };
    fill(lab);
    random_scans(lab, 8);
    while (lab->store->ops->tend(lab->store, (int64_t)(ROW_HOUR + 9) * ROW_HOUR_US, &err) == 1)
        ;
    assert_string_equal(err.text, "");
    random_scans(lab, 3);
    end_lab(lab);
}

/* The worker is killed: the scan that meets it is partial or right, the next one is right. */
static void test_dead_worker(void **state)
{
    (void)state;
    struct lab *lab = new_lab();
    lab->only_duck = lab->lake->always_duck = true;
    fill(lab);
    for (unsigned i = 0; i < 3; i++) {
        char text[32];
        (void)snprintf(text, sizeof(text), "from:*%02u", i);
        struct filter *filter = lab_filter(text);
        struct store_scan s = everything();
        struct store_pin *pin;
        struct errmsg err = { "" };
        s.filter = filter;
        lab_check(lab, &s);
        assert_int_equal(kill(duck_pid(lab->lake->duck), SIGKILL), 0);
        s = everything();
        s.filter = filter;
        s.to_us = INT64_MAX - 1 - i; /* another window */
        assert_int_equal(lab->store->ops->pin(lab->store, &pin), 0);
        assert_int_equal(lab->store->ops->scan(lab->store, pin, &s, &err), 0);
        assert_true((s.rows_exact && s.total_exact) || s.problem.text[0] != '\0');
        store_scan_free(&s);
        lab->store->ops->unpin(lab->store, pin);
        s = everything();
        s.filter = filter;
        s.total_wanted = STORE_TOTAL_NONE;
        lab_check(lab, &s);
        filter_free(filter);
    }
    end_lab(lab);
}

static char *file_number(struct lab *lab, size_t i, struct manifest_file *ret)
{
    static char path[VFS_PATH_MAX];
    struct manifest_pin *pin = manifest_pin(lab->lake->manifest);
    *ret = *manifest_pin_file(pin, i);
    assert_int_equal(vfs_join(path, lab->lake->dir, ret->path), 0);
    manifest_unpin(pin);
    return path;
}

/* One damaged file among several: it costs its own rows, is found out by tend() and set aside. */
static void test_damaged_file(void **state)
{
    (void)state;
    struct lab *lab = new_lab();
    lab->only_duck = lab->lake->always_duck = true;
    struct manifest_file m;
    struct store_figures figures;
    struct errmsg err = { "" };
    struct filter *filter = lab_filter("from:+155510*");
    for (unsigned i = 0; i < 5; i++) {
        lab_append(lab, RECORD_SIP, 300);
        lab_seal(lab);
    }
    FILE *f = fopen(file_number(lab, 2, &m), "r+b");
    assert_non_null(f);
    for (size_t at = 100; at < m.bytes * 2 / 3; at += 50) {
        assert_int_equal(fseek(f, (long)at, SEEK_SET), 0);
        assert_int_equal(fputc(0x5a, f), 0x5a);
    }
    assert_int_equal(fclose(f), 0);
    for (uint64_t seq = m.min_seq; seq <= m.max_seq; seq++)
        lab->rows[seq].gone = true;
    struct store_scan s = everything();
    struct store_pin *pin;
    struct store_ref *want;
    uint64_t total;
    s.filter = filter;
    s.limit = STORE_LIMIT_MAX;
    size_t count = lab_expect(lab, &s, &want, &total);
    assert_int_equal(lab->store->ops->pin(lab->store, &pin), 0);
    assert_int_equal(lab->store->ops->scan(lab->store, pin, &s, &err), 0);
    assert_int_equal(s.parts_failed, 1);
    assert_int_equal(s.count, count);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(s.refs[i].seq, want[i].seq);
    assert_false(s.rows_exact || s.total_exact);
    assert_int_equal(s.total, total);
    free(want);
    store_scan_free(&s);
    lab->store->ops->unpin(lab->store, pin);
    assert_int_equal(lab->store->ops->tend(lab->store, (int64_t)ROW_HOUR * ROW_HOUR_US, &err), 1);
    lab->store->ops->figures(lab->store, &figures);
    assert_int_equal(figures.set_aside, 1);
    s = everything();
    s.filter = filter;
    lab_check(lab, &s);
    filter_free(filter);
    end_lab(lab);
}

static void test_budget(void **state)
{
    (void)state;
    struct lab *lab = new_lab();
    lab->only_duck = lab->lake->always_duck = true;
    struct filter *filter = lab_filter("from:+155510*");
    struct store_scan s = everything();
    struct store_pin *pin;
    struct errmsg err;
    fill(lab);
    s.filter = filter;
    s.budget_us = 1;
    assert_int_equal(lab->store->ops->pin(lab->store, &pin), 0);
    assert_int_equal(lab->store->ops->scan(lab->store, pin, &s, &err), 0);
    assert_true(s.timed_out && !s.rows_exact && !s.total_exact && s.problem.text[0] != '\0');
    store_scan_free(&s);
    lab->store->ops->unpin(lab->store, pin);
    s = everything();
    s.filter = filter;
    lab_check(lab, &s);
    filter_free(filter);
    end_lab(lab);
}

/* The worker tells of what its regular expressions gave up on. */
static void test_regex_gives_up(void **state)
{
    (void)state;
    struct lab *lab = new_lab();
    struct filter *filter = lab_filter("callid:/^([a-z0-9@.-]+)+[A-Z]$/");
    struct store_scan s = everything();
    struct store_pin *pin;
    struct errmsg err;
    lab_append(lab, RECORD_SIP, 50);
    lab_seal(lab);
    lab->lake->always_duck = true;
    s.filter = filter;
    assert_int_equal(lab->store->ops->pin(lab->store, &pin), 0);
    assert_int_equal(lab->store->ops->scan(lab->store, pin, &s, &err), 0);
    lab->store->ops->unpin(lab->store, pin);
    assert_false(s.rows_exact || s.total_exact);
    assert_non_null(strstr(s.problem.text, "the regular expression gave up on "));
    store_scan_free(&s);
    filter_free(filter);
    end_lab(lab);
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "query-worker") == 0) {
        static struct duck_function functions[32];
        size_t n = 0;
        for (const struct filter_function *f = filter_functions(); f->name != NULL && n + 1 < COUNT_OF(functions); f++)
            functions[n++] = (struct duck_function){ f->name, f->octets, f->test };
        duck_worker_functions(functions, n);
        duck_worker_gave_up(filter_functions_gave_up);
        return duck_worker_main(argc, argv);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scans_before_and_after_merge),
        cmocka_unit_test(test_dead_worker),
        cmocka_unit_test(test_damaged_file),
        cmocka_unit_test(test_budget),
        cmocka_unit_test(test_regex_gives_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
