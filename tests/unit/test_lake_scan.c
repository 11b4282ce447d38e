/* What a search finds, in memory and in files, against a plain model: rows, order, totals, places, failures. */
#include "fake_duck.h"
#include "lake_lab.h"
#include "store/lake/catalog.h"

static struct store_scan everything(void)
{
    return (struct store_scan){ .tables = RECORD_TABLES_ALL,
                                .from_us = INT64_MIN,
                                .to_us = INT64_MAX,
                                .limit = 100,
                                .total_wanted = STORE_TOTAL_EXACT };
}

/* Some rows sealed, in several files and hours, some in memory. */
static struct lab *mixed_lab(void)
{
    struct lab *lab = lab_new(NULL, NULL);
    for (unsigned i = 0; i < 6; i++) {
        lab_append_random(lab, 300 + 50 * i);
        lab->hour += i % 2;
        lab_append_random(lab, 100);
        lab_seal(lab);
    }
    lab_append_random(lab, 500);
    return lab;
}

static const char *const filters[] = {
    "",
    "from:+15551007",
    "from:+155510*",
    "callid:call-20@example.org",
    "callid:register@0",
    "callid:nobody@nowhere",
    "corr:corr-30",
    "method:INVITE from:+1555101*",
    "callid:call-20@example.org method:BYE",
    "callid:call-2*",
    "callid:call-20@example.org,call-31@example.org,nobody@nowhere",
    "callid:call-20@example.org OR callid:call-31@example.org",
    "from:+15551007,+15551008 NOT method:INVITE",
    "NOT (from:+155510* OR method:BYE)",
    "callid:/^call-[0-9]*7@/",
    "num:\"+1 (555) 10-07\",*1008",
    "payload:1 method:BYE",
    "NOT payload:/[0-9]/",
    "header.call-id:?",
    "(callid:call-20@example.org OR corr:corr-30) method:INVITE,BYE",
};

static void random_window(struct store_scan *s, uint64_t *random)
{
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
}

static void test_random_scans(void **state)
{
    (void)state;
    struct lab *lab = mixed_lab();
    uint64_t random = 9;
    for (size_t f = 0; f < COUNT_OF(filters); f++) {
        struct filter *filter = lab_filter(filters[f]);
        for (unsigned i = 0; i < 25; i++) {
            struct store_scan s = everything();
            s.filter = f == 0 && i % 2 == 0 ? NULL : filter;
            random_window(&s, &random);
            lab_check(lab, &s);
        }
        filter_free(filter);
    }
    lab_check_all(lab);
    lab_free(lab);
}

/* Page after page, both ways: every row once. Many rows share a time. */
static void test_paging(void **state)
{
    (void)state;
    struct lab *lab = mixed_lab();
    struct filter *filter = lab_filter("method:INVITE");
    for (unsigned way = 0; way < 2; way++) {
        struct store_scan s = everything();
        struct store_ref *want;
        uint64_t total;
        s.filter = filter;
        s.oldest_first = way == 1;
        s.limit = STORE_LIMIT_MAX;
        s.total_wanted = STORE_TOTAL_NONE;
        size_t count = lab_expect(lab, &s, &want, &total), at = 0;
        for (s.limit = 37;;) {
            struct store_pin *pin;
            struct errmsg err;
            assert_int_equal(lab->store->ops->pin(lab->store, &pin), 0);
            fake_duck.scan = &s;
            assert_int_equal(lab->store->ops->scan(lab->store, pin, &s, &err), 0);
            lab->store->ops->unpin(lab->store, pin);
            if (s.count == 0)
                break;
            for (size_t i = 0; i < s.count; i++, at++)
                assert_true(at < count && s.refs[i].seq == want[at].seq);
            s.has_after = true;
            s.after_ts = s.refs[s.count - 1].ts;
            s.after_seq = s.refs[s.count - 1].seq;
            store_scan_free(&s);
        }
        assert_int_equal(at, count);
        free(want);
    }
    filter_free(filter);
    lab_free(lab);
}

/* ---- keys: no DuckDB, few octets ---- */

/* Scans for a filter of keys. Octets that were read; nothing was asked of DuckDB. */
static uint64_t key_scan_in(struct lab *lab, enum record_table table, const char *text, size_t *ret_count)
{
    struct filter *filter = lab_filter(text);
    struct store_scan s = everything();
    struct store_pin *pin;
    struct errmsg err;
    unsigned queries = fake_duck.queries;
    s.filter = filter;
    s.tables = 1u << table;
    assert_int_equal(lab->store->ops->pin(lab->store, &pin), 0);
    assert_int_equal(lab->store->ops->scan(lab->store, pin, &s, &err), 0);
    assert_true(s.rows_exact && s.total_exact);
    assert_int_equal(fake_duck.queries, queries);
    lab->store->ops->unpin(lab->store, pin);
    *ret_count = s.count;
    store_scan_free(&s);
    filter_free(filter);
    return s.octets_read;
}

static uint64_t key_scan(struct lab *lab, const char *text, size_t *ret_count)
{
    return key_scan_in(lab, RECORD_SIP, text, ret_count);
}

/* What calls, their keys, their media and registrations are looked up by. */
static void test_keys_of_calls_read_little(void **state)
{
    static const struct {
        enum record_table table;
        const char *field;
    } keys[] = { { RECORD_CALL, "callid" },
                 { RECORD_CALL, "group" },
                 { RECORD_CALL_KEY, "key" },
                 { RECORD_QUALITY, "callid" },
                 { RECORD_REGISTRATION, "callid" } };
    (void)state;
    struct lab *lab = lab_new(NULL, NULL);
    size_t count;
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        lab_append(lab, keys[i].table, 1000);
        lab_seal(lab);
    }
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        char first[64], second[64];
        (void)snprintf(first, sizeof(first), "%s:nobody@nowhere", keys[i].field);
        (void)snprintf(second, sizeof(second), "%s:nobody-else@nowhere,nor-me@nowhere", keys[i].field);
        assert_true(key_scan_in(lab, keys[i].table, first, &count) > 0); /* reads the filters */
        assert_int_equal(key_scan_in(lab, keys[i].table, second, &count), 0);
        assert_int_equal(count, 0);
    }
    lab_free(lab);
}

static void test_keys_read_little(void **state)
{
    (void)state;
    struct lab *lab = lab_new(NULL, NULL);
    size_t count, none;
    uint64_t file_octets = 0;
    for (unsigned i = 0; i < 8; i++) {
        lab_append(lab, RECORD_SIP, 4000);
        lab_seal(lab);
    }
    struct store_figures figures;
    lab->store->ops->figures(lab->store, &figures);
    file_octets = figures.table_octets[RECORD_SIP];
    (void)key_scan(lab, "callid:nobody@nowhere", &none); /* reads the filters of all files */
    assert_int_equal(none, 0);
    assert_int_equal(key_scan(lab, "callid:nobody-else@nowhere", &none), 0); /* nothing is read for a key of nobody */
    assert_int_equal(none, 0);
    uint64_t one = key_scan(lab, "callid:call-300@example.org", &count);
    assert_true(count >= 5);
    uint64_t again = key_scan(lab, "callid:call-300@example.org", &none);
    assert_int_equal(none, count);
    assert_true(again <= one);                             /* the footer is at hand */
    assert_true(again > 0 && again < file_octets / 8 / 8); /* a part of one file of eight */
    lab_free(lab);
}

/* A list of keys reads what each of them would read by itself, however many there are that nobody has. */
static void test_lists_of_keys_read_little(void **state)
{
    (void)state;
    struct lab *lab = lab_new(NULL, NULL);
    size_t a, b, both, count;
    struct buf many;
    for (unsigned i = 0; i < 8; i++) {
        lab_append(lab, RECORD_SIP, 4000);
        lab_seal(lab);
    }
    (void)key_scan(lab, "callid:nobody@nowhere", &count);
    (void)key_scan(lab, "callid:call-300@example.org,call-4000@example.org", &both); /* the footers are at hand now */
    uint64_t first = key_scan(lab, "callid:call-300@example.org", &a);
    uint64_t second = key_scan(lab, "callid:call-4000@example.org", &b);
    assert_true(a > 0 && b > 0 && both == a + b);
    assert_true(first > 0 && second > 0);
    uint64_t list = key_scan(lab, "callid:call-300@example.org,call-4000@example.org,x@y", &both);
    assert_int_equal(both, a + b);
    assert_true(list <= first + second);
    assert_true(key_scan(lab, "callid:call-300@example.org OR callid:call-4000@example.org", &both) <= list);
    assert_int_equal(both, a + b);
    buf_init(&many, FILTER_TEXT_MAX);
    buf_puts(&many, "callid:call-300@example.org");
    for (unsigned i = 0; i < 1000; i++)
        buf_printf(&many, ",n%u@nowhere", i);
    buf_putc(&many, '\0');
    uint64_t thousand = key_scan(lab, (const char *)many.ptr, &both);
    assert_int_equal(both, a);
    assert_true(thousand < 16 * first); /* key filters are wrong about a few in a thousand */
    buf_free(&many);
    lab_free(lab);
}

/* ---- what was cut short says so ---- */

/* Files outside of the times that the filter asks for are not looked at. */
static void test_times_of_a_filter(void **state)
{
    (void)state;
    struct lab *lab = lab_new(NULL, NULL);
    char text[64];
    for (unsigned i = 0; i < 4; i++) {
        lab->hour = ROW_HOUR + 100 * i;
        lab_append(lab, RECORD_SIP, 500);
        lab_seal(lab);
    }
    (void)snprintf(text, sizeof(text), "ts:%d..%d method:BYE", (ROW_HOUR + 100) * 3600 + 60, (ROW_HOUR + 101) * 3600);
    struct filter *filter = lab_filter(text);
    struct store_scan s = everything();
    s.filter = filter;
    lab_check(lab, &s);
    assert_true(s.total > 50);
    assert_true(s.parts_total <= 2); /* some rows came late */
    assert_true(s.from_us == INT64_MIN && s.to_us == INT64_MAX);
    filter_free(filter);
    lab_free(lab);
}

/* Memory or files: the regular expression tries all ways of a Call-ID, gives up, and the answer is not whole. */
static void test_regex_gives_up(void **state)
{
    (void)state;
    for (unsigned sealed = 0; sealed < 2; sealed++) {
        struct lab *lab = lab_new(NULL, NULL);
        struct filter *filter = lab_filter("callid:/^([a-z0-9@.-]+)+[A-Z]$/");
        struct store_scan s = everything();
        struct store_pin *pin;
        struct errmsg err;
        lab_append(lab, RECORD_SIP, 100);
        if (sealed != 0)
            lab_seal(lab);
        s.filter = filter;
        lab->lake->always_duck = false;
        for (unsigned i = 0; i < 2; i++) { /* nor is it remembered as if it were */
            assert_int_equal(lab->store->ops->pin(lab->store, &pin), 0);
            assert_int_equal(lab->store->ops->scan(lab->store, pin, &s, &err), 0);
            lab->store->ops->unpin(lab->store, pin);
            assert_false(s.rows_exact || s.total_exact);
            assert_non_null(strstr(s.problem.text, "the regular expression gave up on "));
            store_scan_free(&s);
        }
        filter_free(filter);
        lab_free(lab);
    }
}

static void scan_now(struct lab *lab, struct store_scan *s)
{
    struct store_pin *pin;
    struct errmsg err;
    assert_int_equal(lab->store->ops->pin(lab->store, &pin), 0);
    fake_duck.scan = s;
    assert_int_equal(lab->store->ops->scan(lab->store, pin, s, &err), 0);
    lab->store->ops->unpin(lab->store, pin);
}

/* A query fails: the scan says so, and the next one is right. */
static void fail_once(struct lab *lab, int error, unsigned after)
{
    char text[32]; /* one for which no totals are remembered */
    (void)snprintf(text, sizeof(text), "from:+1555%u", 1000u + (unsigned)-error * 4 + after);
    struct filter *filter = lab_filter(text);
    struct store_scan s = everything();
    s.filter = filter;
    fake_duck.fail = error;
    fake_duck.fail_after = after;
    scan_now(lab, &s);
    bool failed = fake_duck.fail == 0;
    assert_true(failed || after > 0);
    if (failed) {
        assert_false(s.rows_exact && s.total_exact);
        assert_true(s.problem.text[0] != '\0');
        assert_int_equal(s.timed_out, error == DUCK_ERR_TIMEOUT);
    }
    store_scan_free(&s);
    fake_duck.fail = 0;
    s = everything();
    s.filter = filter;
    lab_check(lab, &s);
    filter_free(filter);
}

static void test_cut_short(void **state)
{
    (void)state;
    struct lab *lab = mixed_lab();
    lab->only_duck = lab->lake->always_duck = true;
    struct filter *filter = lab_filter("from:+155510*");
    atomic_bool cancel = true;
    struct store_scan s = everything();
    s.filter = filter;
    s.cancel = &cancel;
    scan_now(lab, &s);
    assert_false(s.rows_exact || s.total_exact || s.timed_out);
    assert_string_equal(s.problem.text, "cancelled");
    assert_int_equal(s.count, 0);
    store_scan_free(&s);

    static const int errors[] = { DUCK_ERR_DIED, DUCK_ERR_INTERNAL, DUCK_ERR_TIMEOUT, DUCK_ERR_MEMORY, DUCK_ERR_LIMIT };
    for (size_t e = 0; e < COUNT_OF(errors); e++)
        for (unsigned after = 0; after < 4; after++)
            fail_once(lab, errors[e], after);
    fake_duck.dead = true;
    s = everything();
    s.filter = filter;
    scan_now(lab, &s);
    assert_false(s.rows_exact || s.total_exact);
    assert_true(s.count > 0); /* those in memory */
    store_scan_free(&s);
    filter_free(filter);
    lab_free(lab);
}

/* DuckDB refuses a file: our own reader looks at it, also for more tests than it is fast for. */
static void test_refused_files(void **state)
{
    (void)state;
    static const char *const many[] = {
        "method:no OR reason:no OR ua:no OR name:no OR auth:no OR via:no OR event:no OR icid:no OR tag:no OR "
        "session:no "
        "OR referto:no OR branch:no OR replaces:no", /* one answer a group for each of them, and none is true */
        "method:* OR reason:no OR ua:no OR name:no OR auth:no OR via:no OR event:no OR icid:no OR tag:no OR session:no "
        "OR referto:no OR branch:no OR replaces:no",
    };
    for (size_t i = 0; i < 2 * COUNT_OF(many); i++) {
        struct lab *lab = lab_new(NULL, NULL);
        struct filter *filter = lab_filter(many[i / 2]);
        struct store_scan s = everything();
        lab_append(lab, RECORD_SIP, 200);
        lab_seal(lab);
        s.filter = filter;
        s.limit = i % 2 == 0 ? 0 : 300;
        fake_duck.fail = DUCK_ERR_SQL;
        fake_duck.fail_after = 0;
        lab_check(lab, &s);
        assert_int_equal(fake_duck.fail, 0);
        filter_free(filter);
        lab_free(lab);
    }
}

/* Totals of whole files are remembered: the second scan asks for rows alone, the third for nothing. */
static void test_totals_are_remembered(void **state)
{
    (void)state;
    struct lab *lab = mixed_lab();
    lab->only_duck = lab->lake->always_duck = true;
    struct filter *filter = lab_filter("from:+155510*");
    struct store_scan s = everything();
    s.filter = filter;
    s.limit = 0;
    lab_check(lab, &s);
    unsigned queries = fake_duck.queries;
    assert_true(queries > 0);
    lab_check(lab, &s);
    assert_int_equal(fake_duck.queries, queries);
    s.filter = NULL;
    lab_check(lab, &s); /* all rows: the MANIFEST knows */
    assert_int_equal(fake_duck.queries, queries);
    filter_free(filter);
    lab_free(lab);
}

/* The newest rows come from the newest files alone. */
static void test_old_files_are_not_asked(void **state)
{
    (void)state;
    struct lab *lab = lab_new(NULL, NULL);
    lab->only_duck = lab->lake->always_duck = true;
    struct filter *filter = lab_filter("from:+155510*");
    for (unsigned i = 0; i < 6; i++) {
        lab_append(lab, RECORD_SIP, 400);
        lab_seal(lab);
        lab->hour += 30;
    }
    struct store_scan s = everything();
    s.filter = filter;
    s.limit = 10;
    s.total_wanted = STORE_TOTAL_NONE;
    s.from_us = (int64_t)(ROW_HOUR + 100) * ROW_HOUR_US;
    fake_duck.files = 0;
    lab_check(lab, &s);
    assert_int_equal(fake_duck.files, 2); /* of hours 120 and 150 */
    filter_free(filter);
    lab_free(lab);
}

/* ---- damage ---- */

static char *first_file(struct lab *lab)
{
    struct manifest_pin *pin = manifest_pin(lab->lake->manifest);
    static char path[VFS_PATH_MAX];
    assert_int_equal(vfs_join(path, lab->lake->dir, manifest_pin_file(pin, 0)->path), 0);
    manifest_unpin(pin);
    return path;
}

struct partial {
    struct lab *lab;
    const struct store_columns *columns;
    size_t rows;
};

static int same_row(void *arg, size_t i, const struct store_ref *ref, const struct record_cell *cells)
{
    struct partial *p = arg;
    (void)i;
    const struct record *r = lab_record(p->lab, ref->seq);
    for (unsigned c = 0; c < record_schema(r->table)->count; c++)
        if (store_columns_has(p->columns, c))
            row_same_cell(r, c, &cells[c]);
    p->rows++;
    return 0;
}

/* Whatever octet is flipped: rows that are right, or rows that are missed and counted. */
static void test_flipped_octets(void **state)
{
    (void)state;
    struct lab *lab = lab_new(NULL, NULL);
    struct filter *filter = lab_filter("callid:register@0");
    struct store_columns columns = { { 0 } };
    uint64_t random = 3;
    unsigned damaged = 0, whole = 0;
    for (unsigned c = 0; c < RECORD_SIP_COUNT; c += 3)
        store_columns_add(&columns, c);
    store_columns_add(&columns, RECORD_COL_payload);
    lab_append(lab, RECORD_SIP, 200);
    lab_seal(lab);
    lab_append(lab, RECORD_SIP, 50);
    char *path = first_file(lab);
    lab_reopen(lab, true); /* suspects are not set aside */
    for (unsigned i = 0; i < 400; i++) {
        size_t len;
        uint8_t *data = fault_data(lab->fs, path, &len), *at = data + prng_below(&random, len);
        struct store_scan s = everything();
        struct store_pin *pin;
        struct store_ref *want;
        struct errmsg err;
        uint64_t total;
        uint8_t flip = (uint8_t)(1u << prng_below(&random, 8));
        size_t failed = 0;
        s.filter = i % 2 == 0 ? filter : NULL;
        s.limit = STORE_LIMIT_MAX;
        *at ^= flip;
        lab_reopen(lab, true);
        lab->last = 200;
        size_t count = lab_expect(lab, &s, &want, &total);
        assert_int_equal(lab->store->ops->pin(lab->store, &pin), 0);
        fake_duck.scan = &s;
        assert_int_equal(lab->store->ops->scan(lab->store, pin, &s, &err), 0);
        if (s.rows_exact) {
            assert_int_equal(s.count, count);
            for (size_t k = 0; k < count; k++)
                assert_true(s.refs[k].seq == want[k].seq && s.refs[k].ts == want[k].ts);
        } else
            assert_true(s.parts_failed == 1 && s.problem.text[0] != '\0');
        struct partial p = { lab, &columns, 0 };
        assert_int_equal(
            lab->store->ops->fetch(lab->store, pin, s.refs, s.count, &columns, same_row, &p, &failed, &err), 0);
        assert_int_equal(p.rows + failed, s.count);
        damaged += failed > 0 || !s.rows_exact;
        whole += failed == 0 && s.rows_exact;
        lab->store->ops->unpin(lab->store, pin);
        store_scan_free(&s);
        free(want);
        *at ^= flip; /* nobody writes to the file: it has not moved */
    }
    assert_true(damaged > 100 && whole > 20);
    filter_free(filter);
    lab_free(lab);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_scans),
        cmocka_unit_test(test_paging),
        cmocka_unit_test(test_keys_read_little),
        cmocka_unit_test(test_keys_of_calls_read_little),
        cmocka_unit_test(test_lists_of_keys_read_little),
        cmocka_unit_test(test_regex_gives_up),
        cmocka_unit_test(test_times_of_a_filter),
        cmocka_unit_test(test_cut_short),
        cmocka_unit_test(test_refused_files),
        cmocka_unit_test(test_totals_are_remembered),
        cmocka_unit_test(test_old_files_are_not_asked),
        cmocka_unit_test(test_flipped_octets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
