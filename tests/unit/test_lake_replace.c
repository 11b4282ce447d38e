/*
 * Newer versions of sealed rows: each row is there once, old or new, before, during and after, through searches,
 * totals, merges, crashes and a MANIFEST that is lost.
 */
#include <errno.h>

#include "fake_duck.h"
#include "lake_lab.h"

#define CALLS     (1u << RECORD_CALL)
#define HOUR_OVER ((int64_t)(ROW_HOUR + 2) * ROW_HOUR_US)

static struct store_scan all_calls(void)
{
    return (struct store_scan){ .tables = CALLS,
                                .from_us = INT64_MIN,
                                .to_us = INT64_MAX,
                                .oldest_first = true,
                                .limit = STORE_LIMIT_MAX,
                                .total_wanted = STORE_TOTAL_EXACT };
}

static void check(struct lab *lab)
{
    static const char *const filters[] = { "", "duration:>60s", "state:completed" };
    for (size_t i = 0; i < COUNT_OF(filters); i++) {
        struct filter *filter = lab_filter(filters[i]);
        struct store_scan s = all_calls();
        s.filter = filter;
        lab_check(lab, &s);
        s.limit = 0;
        lab_check(lab, &s);
        filter_free(filter);
    }
    struct store_scan s = all_calls();
    s.tables = RECORD_TABLES_ALL | CALLS;
    lab_check(lab, &s);
}

/* Texts of a record of the lab live until its next one. */
static struct record keep(const struct record *from, struct row *to)
{
    *to = (struct row){ 0 };
    to->record = *from;
    const struct record_schema *s = record_schema(from->table);
    for (size_t i = 0; i < s->count; i++) {
        struct hep_slice *text = (void *)((char *)&to->record + s->columns[i].offset);
        bool octets = s->columns[i].kind == RECORD_TEXT || s->columns[i].kind == RECORD_BYTES;
        if (octets && text->len > 0)
            *text = row_octets(to, (const char *)text->ptr, text->len);
    }
    return to->record;
}

/* What is to be replaced in one call. */
struct change {
    struct store_pin *pin;
    struct store_ref refs[256];
    struct record rows[256];
    bool done[256];
    struct row *texts;
    size_t count;
};

/* Every `step`th call, from number `first` in time on; the newer version may have another time. */
static void prepare(struct lab *lab, struct change *c, size_t first, size_t step)
{
    struct store_scan s = all_calls();
    struct errmsg err;
    lab->lake->always_duck = false; /* this search is our own */
    c->count = 0;
    c->texts = calloc(COUNT_OF(c->refs), sizeof(*c->texts));
    assert_non_null(c->texts);
    assert_int_equal(lab->store->ops->pin(lab->store, &c->pin), 0);
    assert_int_equal(lab->store->ops->scan(lab->store, c->pin, &s, &err), 0);
    for (size_t i = first; i < s.count && c->count < COUNT_OF(c->refs); i += step) {
        struct lab_row *meta = &lab->rows[s.refs[i].seq];
        struct lab_row old = *meta;
        meta->version++;
        meta->ts += i % 3 == 0 ? -7000000 : 0;
        c->refs[c->count] = s.refs[i];
        c->rows[c->count] = keep(lab_record(lab, s.refs[i].seq), &c->texts[c->count]);
        *meta = old;
        c->count++;
    }
    store_scan_free(&s);
}

/* The model has the versions now that were replaced. */
static void note(struct lab *lab, const struct change *c, const bool *done)
{
    for (size_t i = 0; i < c->count; i++)
        if (done[i]) {
            lab->rows[c->refs[i].seq].version++;
            lab->rows[c->refs[i].seq].ts = c->rows[i].ts;
        }
    lab->matched = false;
}

static int replace(struct lab *lab, struct change *c)
{
    struct errmsg err = { "" };
    int rc = lab->store->ops->replace(lab->store, c->pin, c->refs, c->rows, c->count, c->done, &err);
    assert_true(rc == 0 || err.text[0] != '\0' || rc == -ENOMEM);
    return rc;
}

static void finish(struct lab *lab, struct change *c)
{
    lab->store->ops->unpin(lab->store, c->pin);
    free(c->texts);
}

static size_t count_done(const struct change *c)
{
    size_t n = 0;
    for (size_t i = 0; i < c->count; i++)
        n += c->done[i];
    return n;
}

static struct store_figures figures(struct lab *lab)
{
    struct store_figures f = { 0 };
    lab->store->ops->figures(lab->store, &f);
    return f;
}

/* ------------------------------------------------------------------------------------------------ tests */

static void test_versions(void **state)
{
    (void)state;
    struct lab *lab = lab_new(NULL, NULL);
    struct change *c = calloc(1, sizeof(*c));
    for (unsigned i = 0; i < 3; i++) {
        lab_append(lab, RECORD_CALL, 300);
        lab_append_random(lab, 50);
        lab_seal(lab);
    }
    lab_append(lab, RECORD_CALL, 50); /* of memory */
    check(lab);
    uint64_t superseded = 0;
    for (size_t round = 0; round < 6; round++) {
        uint64_t files = figures(lab).files;
        prepare(lab, c, round, 1 + round * 13);
        struct store_scan s = all_calls();
        assert_int_equal(replace(lab, c), 0);
        /* Who looked before sees what was there before. */
        lab_check_pin(lab, c->pin, &s);
        size_t sealed = 0;
        for (size_t i = 0; i < c->count; i++)
            sealed += c->refs[i].seq <= 1050;
        assert_int_equal(count_done(c), sealed);
        superseded += sealed;
        note(lab, c, c->done);
        finish(lab, c);
        check(lab);
        assert_int_equal(figures(lab).files, files);
        assert_int_equal(figures(lab).superseded, superseded);
    }
    lab_seal(lab);
    prepare(lab, c, 0, 7);
    assert_int_equal(replace(lab, c), 0);
    assert_int_equal(count_done(c), c->count);
    note(lab, c, c->done);
    finish(lab, c);
    check(lab);
    lab_reopen(lab, false);
    check(lab);
    struct errmsg err;
    while (lab->store->ops->tend(lab->store, HOUR_OVER, &err) == 1)
        check(lab);
    prepare(lab, c, 3, 11); /* of files with several groups */
    assert_int_equal(replace(lab, c), 0);
    note(lab, c, c->done);
    finish(lab, c);
    check(lab);
    free(c);
    lab_free(lab);
}

/* Row groups that none of the rows is in are copied. */
static void test_large_files(void **state)
{
    (void)state;
    struct lab *lab = lab_new(NULL, NULL);
    struct change *c = calloc(1, sizeof(*c));
    lab_append(lab, RECORD_CALL, 2 * LAKE_GROUP_ROWS + 5000);
    lab_seal(lab);
    prepare(lab, c, 0, 30011);
    assert_int_equal(replace(lab, c), 0);
    assert_in_range(count_done(c), 3, 3);
    note(lab, c, c->done);
    finish(lab, c);
    struct store_scan s = all_calls();
    lab_check(lab, &s);
    free(c);
    lab_free(lab);
}

/* A row that is named twice, a file that went, a store that only reads. */
static void test_refusals(void **state)
{
    (void)state;
    struct lab *lab = lab_new(NULL, NULL);
    struct change *c = calloc(1, sizeof(*c));
    struct errmsg err = { "" };
    lab_append(lab, RECORD_CALL, 30);
    lab_append(lab, RECORD_SIP, 5);
    lab_seal(lab);
    prepare(lab, c, 0, 10);
    c->refs[c->count] = c->refs[0];
    c->rows[c->count++] = c->rows[1];
    assert_int_equal(replace(lab, c), 0);
    assert_int_equal(count_done(c), 4);
    c->count--;
    note(lab, c, c->done);
    check(lab);
    assert_int_equal(replace(lab, c), 0); /* the file that the pin has is no more */
    assert_int_equal(count_done(c), 0);
    check(lab);
    finish(lab, c);
    lab_reopen(lab, true);
    prepare(lab, c, 0, 10);
    assert_int_equal(lab->store->ops->replace(lab->store, c->pin, c->refs, c->rows, 1, c->done, &err), -EINVAL);
    finish(lab, c);
    free(c);
    lab_free(lab);
}

/* Does the store have the newer version of a row? */
static bool has_newer(struct lab *lab, const struct change *c, size_t i)
{
    struct store_scan s = all_calls();
    struct store_pin *pin;
    struct errmsg err;
    bool found = false;
    lab->lake->always_duck = false;
    assert_int_equal(lab->store->ops->pin(lab->store, &pin), 0);
    assert_int_equal(lab->store->ops->scan(lab->store, pin, &s, &err), 0);
    for (size_t k = 0; k < s.count; k++)
        found = found || (s.refs[k].seq == c->refs[i].seq && s.refs[k].ts == c->rows[i].ts);
    store_scan_free(&s);
    lab->store->ops->unpin(lab->store, pin);
    return found;
}

/* The power goes at any moment: a file has all of its newer versions, or none. */
static void test_power_loss(void **state)
{
    (void)state;
    unsigned newer = 0, older = 0;
    for (uint64_t n = 1; n < 40; n++) {
        struct lab *lab = lab_new(NULL, NULL);
        struct change *c = calloc(1, sizeof(*c));
        bool all[256] = { false };
        lab_append(lab, RECORD_CALL, 60);
        lab_seal(lab);
        lab_append_random(lab, 20);
        lab_seal(lab);
        lab_close(lab);
        fault_crash(lab->fs, n);
        lab_reopen(lab, false);
        prepare(lab, c, 0, 6); /* the first one has another time then */
        fault_power_at(lab->fs, n);
        int rc = replace(lab, c);
        finish(lab, c);
        lab_close(lab);
        fault_crash(lab->fs, n * 31);
        lab_reopen(lab, false);
        memset(all, 1, sizeof(all));
        bool is_new = has_newer(lab, c, 0);
        assert_false(rc == 0 && !is_new);
        if (is_new)
            note(lab, c, all);
        newer += is_new;
        older += !is_new;
        check(lab);
        free(c);
        lab_free(lab);
    }
    assert_true(newer > 0 && older > 0);
}

static void test_failing_calls(void **state)
{
    static const unsigned ops[] = { FAULT_OPEN, FAULT_READ, FAULT_WRITE, FAULT_SYNC, FAULT_RENAME, FAULT_SYNC_DIR };
    (void)state;
    for (size_t op = 0; op < COUNT_OF(ops); op++) {
        struct lab *lab = lab_new(NULL, NULL);
        struct change *c = calloc(1, sizeof(*c));
        bool all[256];
        lab_append(lab, RECORD_CALL, 60);
        lab_seal(lab);
        prepare(lab, c, 0, 6);
        fault_inject(lab->fs, ops[op], 0, -EIO, 0);
        int rc = replace(lab, c);
        fault_clear(lab->fs);
        finish(lab, c);
        memset(all, 1, sizeof(all));
        lab_reopen(lab, false); /* a record that could not be synced may be there nevertheless */
        if (has_newer(lab, c, 0))
            note(lab, c, all);
        else
            assert_int_not_equal(rc, 0);
        check(lab);
        prepare(lab, c, 0, 6);
        assert_int_equal(replace(lab, c), 0);
        note(lab, c, all);
        finish(lab, c);
        check(lab);
        free(c);
        lab_free(lab);
    }
}

/* The old files come back beside the new ones, and the MANIFEST is lost: each row once, the newer one. */
static void test_rebuild(void **state)
{
    (void)state;
    struct lab *lab = lab_new(NULL, NULL);
    struct change *c = calloc(1, sizeof(*c));
    char path[VFS_PATH_MAX + MANIFEST_PATH_MAX];
    lab_append(lab, RECORD_CALL, 200);
    lab_seal(lab);
    struct manifest_pin *pin = manifest_pin(lab->lake->manifest);
    assert_int_equal(manifest_pin_count(pin), 1);
    (void)snprintf(path, sizeof(path), "%s/%s", lab->lake->dir, manifest_pin_file(pin, 0)->path);
    manifest_unpin(pin);
    size_t len;
    const uint8_t *data = fault_data(lab->fs, path, &len);
    uint8_t *copy = malloc(len);
    assert_non_null(copy);
    memcpy(copy, data, len);
    prepare(lab, c, 0, 9);
    assert_int_equal(replace(lab, c), 0);
    note(lab, c, c->done);
    finish(lab, c);
    lab_close(lab);
    assert_null(fault_data(lab->fs, path, &len));
    fault_put(lab->fs, path, copy, len);
    free(copy);
    assert_int_equal(vfs_unlink(lab->vfs, LAB_DIR "/lake/MANIFEST"), 0);
    lab_reopen(lab, false);
    check(lab);
    assert_int_equal(figures(lab).files, 1);
    free(c);
    lab_free(lab);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_versions),   cmocka_unit_test(test_large_files),   cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_power_loss), cmocka_unit_test(test_failing_calls), cmocka_unit_test(test_rebuild),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
