/* Merges, retention and damaged files: rows are there once before, during and after, or counted as gone. */
#include <errno.h>

#include "fake_duck.h"
#include "lake_lab.h"
#include "store/lake/catalog.h"
#include "store/lake/footer.h"
#include "store/lake/retain.h"

#define HOUR_OVER ((int64_t)(ROW_HOUR + 2) * ROW_HOUR_US)
#define HOUR_NOW  ((int64_t)ROW_HOUR * ROW_HOUR_US + ROW_HOUR_US / 2)

static int tend(struct lab *lab, int64_t now_us)
{
    struct errmsg err = { "" };
    int rc = lab->store->ops->tend(lab->store, now_us, &err);
    assert_true(rc >= 0 || err.text[0] != '\0');
    return rc;
}

static struct store_figures figures(struct lab *lab)
{
    struct store_figures f = { 0 };
    lab->store->ops->figures(lab->store, &f);
    return f;
}

static void check_totals(struct lab *lab)
{
    static const char *const filters[] = { "from:+1555102*", "callid:call-20@example.org", "corr:corr-30" };
    for (size_t i = 0; i < COUNT_OF(filters); i++) {
        struct filter *filter = lab_filter(filters[i]);
        struct store_scan s = { .tables = RECORD_TABLES_ALL,
                                .filter = filter,
                                .from_us = INT64_MIN,
                                .to_us = INT64_MAX,
                                .limit = 50,
                                .total_wanted = STORE_TOTAL_EXACT };
        lab_check(lab, &s);
        filter_free(filter);
    }
}

/* Every file verifies, and says of itself what the MANIFEST says. */
static void check_files(struct lab *lab)
{
    struct manifest_pin *pin = manifest_pin(lab->lake->manifest);
    for (size_t i = 0; i < manifest_pin_count(pin); i++) {
        const struct manifest_file *m = manifest_pin_file(pin, i);
        struct footer footer;
        struct footer_texts texts = { .paths = NULL };
        struct catalog_file *f;
        struct errmsg err;
        int table = record_table_by_name(m->path, strcspn(m->path, "/"));
        assert_int_equal(catalog_take(lab->lake->catalog, m, (enum record_table)table, &f, &err), 0);
        if (pq_reader_verify(f->reader) != PQ_OK)
            fail_msg("%s: %s", m->path, pq_reader_error(f->reader));
        assert_int_equal(footer_read(f->reader, m->bytes, &footer, &texts), 0);
        assert_true(footer.table == (enum record_table)table && footer.about.file.rows == m->rows &&
                    footer.about.file.hour == m->hour && footer.about.file.min_ts == m->min_ts &&
                    footer.about.file.max_ts == m->max_ts && footer.about.file.min_seq == m->min_seq &&
                    footer.about.file.max_seq == m->max_seq && footer.about.file.epoch == m->epoch);
        footer_texts_free(&texts);
        catalog_give(f, true);
    }
    manifest_unpin(pin);
}

/* ---- merges ---- */

static void test_hour_is_over(void **state)
{
    (void)state;
    struct lab *lab = lab_new(NULL, NULL);
    struct store_pin *pin;
    for (unsigned i = 0; i < 5; i++) {
        lab_append_random(lab, 400 + 37 * i);
        lab_seal(lab);
    }
    lab_append_random(lab, 100);
    assert_int_equal(tend(lab, HOUR_NOW), 0); /* five are not many */
    assert_int_equal(lab->store->ops->pin(lab->store, &pin), 0);
    unsigned merges = 0;
    while (tend(lab, HOUR_OVER) == 1) {
        merges++;
        check_totals(lab);
    }
    assert_int_equal(merges, 4); /* one a table */
    struct store_figures f = figures(lab);
    assert_int_equal(f.files, 4);
    assert_int_equal(f.merges, 4);
    assert_int_equal(f.merged_files, 20);
    check_files(lab);
    lab_check_all(lab);
    struct store_scan s = { .tables = RECORD_TABLES_ALL, .from_us = INT64_MIN, .to_us = INT64_MAX, .limit = 100000 };
    lab_check_pin(lab, pin, &s); /* an old pin sees the old files */
    lab->store->ops->unpin(lab->store, pin);
    lab_reopen(lab, false);
    lab->last -= 100; /* what was in memory is the WAL's */
    lab->matched = false;
    lab_check_all(lab);
    lab_free(lab);
}

static void test_many_small_files(void **state)
{
    (void)state;
    struct lab *lab = lab_new(NULL, NULL);
    for (unsigned i = 0; i < 20; i++) {
        lab_append(lab, RECORD_MEDIA, 50 + i);
        lab_seal(lab);
        while (tend(lab, HOUR_NOW) == 1)
            check_totals(lab);
        assert_true(figures(lab).files <= 10);
    }
    lab_check_all(lab);
    check_files(lab);
    assert_int_equal(figures(lab).merges, 2); /* 8 to one; that and 7 more to one: eight times eight rows, not more */
    lab_free(lab);
}

/* Full groups are copied, small ones joined: the same rows. */
static void test_full_groups(void **state)
{
    (void)state;
    struct lab *lab = lab_new(NULL, NULL);
    fault_capacity(lab->fs, 0);
    for (unsigned i = 0; i < 2; i++) {
        lab_append(lab, RECORD_LOG,
                   LAKE_GROUP_ROWS * LAB_WRITERS / 4 * 3 + 900 * (i + 1)); /* groups of 24.5k: copied */
        lab_append(lab, RECORD_OTHER, 3000 + 500 * i);
        lab_seal(lab);
    }
    lab_append(lab, RECORD_LOG, 2 * LAKE_GROUP_ROWS + 5000);
    lab_seal(lab);
    uint64_t rows = lab->last;
    while (tend(lab, HOUR_OVER) == 1)
        ;
    struct store_figures f = figures(lab);
    assert_int_equal(f.files, 2);
    assert_int_equal(f.rows[RECORD_LOG] + f.rows[RECORD_OTHER], rows);
    check_files(lab);
    struct filter *filter = lab_filter("corr:corr-1000");
    struct store_scan s = { .tables = RECORD_TABLES_ALL,
                            .filter = filter,
                            .from_us = INT64_MIN,
                            .to_us = INT64_MAX,
                            .limit = 5000,
                            .total_wanted = STORE_TOTAL_EXACT };
    lab_check(lab, &s);
    filter_free(filter);
    s.filter = NULL;
    s.limit = 3000;
    lab_check(lab, &s);
    s.oldest_first = true;
    lab_check(lab, &s);
    lab_free(lab);
}

/* Whatever call fails while files are merged: nothing is lost, nothing is there twice. */
static void test_failing_calls(void **state)
{
    (void)state;
    static const unsigned ops[] = { FAULT_WRITE, FAULT_SYNC, FAULT_SYNC_DIR, FAULT_RENAME, FAULT_OPEN, FAULT_READ };
    for (size_t op = 0; op < COUNT_OF(ops); op++)
        for (unsigned after = 0; after < 4; after++) {
            struct lab *lab = lab_new(NULL, NULL);
            for (unsigned i = 0; i < 3; i++) {
                lab_append(lab, RECORD_SIP, 60);
                lab_seal(lab);
            }
            fault_inject(lab->fs, ops[op], after, ops[op] == FAULT_WRITE ? -ENOSPC : -EIO, 1);
            int rc = tend(lab, HOUR_OVER);
            fault_clear(lab->fs);
            assert_true(rc == 1 || figures(lab).merge_errors == 1);
            assert_int_equal(figures(lab).set_aside, 0);
            lab_check_all(lab);
            while (tend(lab, HOUR_OVER + 60 * INT64_C(1000000)) == 1)
                ;
            assert_int_equal(figures(lab).set_aside, 0); /* an error of reading is no damage */
            lab_check_all(lab);
            lab_reopen(lab, false);
            lab_check_all(lab);
            lab_free(lab);
        }
}

struct copy {
    char path[VFS_PATH_MAX];
    uint8_t *data;
    size_t len;
};

static size_t copy_files(struct lab *lab, struct copy *copies, size_t max)
{
    struct manifest_pin *pin = manifest_pin(lab->lake->manifest);
    size_t count = manifest_pin_count(pin);
    assert_true(count <= max);
    for (size_t i = 0; i < count; i++) {
        struct copy *c = &copies[i];
        assert_int_equal(vfs_join(c->path, lab->lake->dir, manifest_pin_file(pin, i)->path), 0);
        const uint8_t *data = fault_data(lab->fs, c->path, &c->len);
        c->data = malloc(c->len);
        assert_non_null(c->data);
        memcpy(c->data, data, c->len);
    }
    manifest_unpin(pin);
    return count;
}

/* A lost MANIFEST is made from the footers: a merged file takes the place of those that it replaced, if they are there.
 */
static void test_rebuild_after_merge(void **state)
{
    (void)state;
    struct lab *lab = lab_new(NULL, NULL);
    struct copy copies[32];
    for (unsigned i = 0; i < 3; i++) {
        lab_append_random(lab, 200);
        lab_seal(lab);
    }
    size_t count = copy_files(lab, copies, COUNT_OF(copies));
    while (tend(lab, HOUR_OVER) == 1)
        ;
    lab_close(lab);
    for (size_t i = 0; i < count; i++) {
        size_t len;
        assert_null(fault_data(lab->fs, copies[i].path, &len));
        fault_put(lab->fs, copies[i].path, copies[i].data, copies[i].len);
        free(copies[i].data);
    }
    assert_int_equal(vfs_unlink(lab->vfs, LAB_DIR "/lake/MANIFEST"), 0);
    lab_reopen(lab, false);
    lab_check_all(lab);
    assert_int_equal(figures(lab).files, 4);
    lab_free(lab);
}

/* ---- damage ---- */

static void test_damaged_file_is_set_aside(void **state)
{
    (void)state;
    struct lab *lab = lab_new(NULL, NULL);
    char path[VFS_PATH_MAX], aside[VFS_PATH_MAX + 16];
    struct vfs_stat st;
    for (unsigned i = 0; i < 2; i++) {
        lab_append(lab, RECORD_SIP, 300);
        lab_seal(lab);
    }
    struct manifest_pin *files = manifest_pin(lab->lake->manifest);
    const struct manifest_file *m = manifest_pin_file(files, 0);
    assert_int_equal(vfs_join(path, lab->lake->dir, m->path), 0);
    for (uint64_t seq = m->min_seq; seq <= m->max_seq; seq++)
        lab->rows[seq].gone = true;
    manifest_unpin(files);
    size_t len;
    uint8_t *data = fault_data(lab->fs, path, &len);
    data[len / 2] ^= 1;

    assert_true(catalog_suspect(lab->lake->catalog, strstr(path, "sip/"), "looks odd"));
    assert_int_equal(tend(lab, HOUR_NOW), 1);
    assert_int_equal(figures(lab).set_aside, 1);
    assert_int_equal(figures(lab).files, 1);
    (void)snprintf(aside, sizeof(aside), "%s.damaged", path);
    assert_int_equal(vfs_stat(lab->vfs, aside, &st), 0);
    assert_int_equal(vfs_stat(lab->vfs, path, &st), -ENOENT);
    lab_check_all(lab);

    files = manifest_pin(lab->lake->manifest); /* a sound one is let go */
    assert_true(catalog_suspect(lab->lake->catalog, manifest_pin_file(files, 0)->path, "looks odd"));
    manifest_unpin(files);
    assert_int_equal(tend(lab, HOUR_NOW), 1);
    assert_int_equal(tend(lab, HOUR_NOW), 0);
    assert_int_equal(figures(lab).set_aside, 1);
    lab_check_all(lab);
    lab_free(lab);
}

/* A damaged file among those to merge: it goes, the others are merged. */
static void test_damage_met_by_merge(void **state)
{
    (void)state;
    struct lab *lab = lab_new(NULL, NULL);
    char path[VFS_PATH_MAX];
    for (unsigned i = 0; i < 4; i++) {
        lab_append(lab, RECORD_SIP, 300);
        lab_seal(lab);
    }
    struct manifest_pin *files = manifest_pin(lab->lake->manifest);
    const struct manifest_file *m = manifest_pin_file(files, 2);
    assert_int_equal(vfs_join(path, lab->lake->dir, m->path), 0);
    for (uint64_t seq = m->min_seq; seq <= m->max_seq; seq++)
        lab->rows[seq].gone = true;
    manifest_unpin(files);
    size_t len;
    uint8_t *data = fault_data(lab->fs, path, &len);
    data[len / 3] ^= 64;
    assert_int_equal(tend(lab, HOUR_OVER), -EUCLEAN);
    while (tend(lab, HOUR_OVER) == 1)
        ;
    struct store_figures f = figures(lab);
    assert_int_equal(f.set_aside, 1);
    assert_int_equal(f.merges, 1);
    assert_int_equal(f.files, 1);
    lab_check_all(lab);
    lab_free(lab);
}

/* DuckDB has trouble with a sound file, for want of memory perhaps: the rows come all the same, and the file stays. */
static void test_refused_file_is_not_set_aside(void **state)
{
    (void)state;
    struct lab *lab = lab_new(NULL, NULL);
    char wide[1000] = "from:+155*";
    lab_append(lab, RECORD_SIP, 300);
    lab_seal(lab);
    lab->only_duck = lab->lake->always_duck = true;
    struct filter *filter;
    struct store_scan s = { .tables = RECORD_TABLES_ALL,
                            .from_us = INT64_MIN,
                            .to_us = INT64_MAX,
                            .limit = 50,
                            .total_wanted = STORE_TOTAL_EXACT };
    for (unsigned after = 0; after < 2; after++) { /* the counts, or the rows */
        s.filter = filter = lab_filter(after == 0 ? wide : "from:+15551*");
        fake_duck.fail = DUCK_ERR_SQL;
        fake_duck.fail_after = after;
        lab_check(lab, &s);
        assert_int_equal(fake_duck.fail, 0);
        filter_free(filter);
    }
    for (unsigned i = 0; i < 14; i++) { /* more tests than go in a table */
        size_t len = strlen(wide);
        (void)snprintf(wide + len, sizeof(wide) - len, " OR from:+15551%u*", i);
    }
    s.filter = filter = lab_filter(wide);
    fake_duck.fail = DUCK_ERR_SQL;
    fake_duck.fail_after = 0;
    lab_check(lab, &s);
    assert_int_equal(fake_duck.fail, 0);
    filter_free(filter);
    assert_int_equal(lab->events, 0);
    assert_int_equal(tend(lab, HOUR_NOW), 0);
    assert_int_equal(figures(lab).files, 1);
    lab_free(lab);
}

/* ---- readers of other processes ---- */

static struct store *open_reader(struct lab *lab)
{
    struct store *reader;
    struct lake_start start;
    struct errmsg err = { "" };
    const struct lake_options o = { .vfs = lab->vfs, .data_dir = lab->dir, .read_only = true };
    if (lake_open(&reader, &o, &start, &err) != 0)
        fail_msg("%s", err.text);
    return reader;
}

static void check_reader(struct lab *lab, struct store *reader)
{
    struct store *store = lab->store;
    lab->store = reader;
    lab->lake = (struct lake *)reader;
    lab_check_all(lab);
    lab->store = store;
    lab->lake = (struct lake *)store;
}

/* Paths of what is sealed; how many of them are on the disk. */
struct sealed_paths {
    char path[8][VFS_PATH_MAX];
    size_t count;
};

static struct sealed_paths *sealed_paths(struct lab *lab)
{
    struct sealed_paths *p = calloc(1, sizeof(*p));
    assert_non_null(p);
    struct manifest_pin *files = manifest_pin(lab->lake->manifest);
    p->count = manifest_pin_count(files);
    assert_true(p->count <= 8);
    for (size_t i = 0; i < p->count; i++)
        assert_int_equal(vfs_join(p->path[i], lab->lake->dir, manifest_pin_file(files, i)->path), 0);
    manifest_unpin(files);
    return p;
}

static size_t there(struct lab *lab, const struct sealed_paths *p)
{
    struct vfs_stat st;
    size_t n = 0;
    for (size_t i = 0; i < p->count; i++)
        n += vfs_stat(lab->vfs, p->path[i], &st) == 0;
    return n;
}

static struct lab *merged_beside_reader(struct store **ret, struct sealed_paths **ret_paths)
{
    struct lab *lab = lab_new(NULL, NULL);
    for (unsigned i = 0; i < 4; i++) {
        lab_append(lab, RECORD_SIP, 200);
        lab_seal(lab);
    }
    *ret = open_reader(lab);
    *ret_paths = sealed_paths(lab);
    while (tend(lab, HOUR_OVER) == 1)
        ;
    assert_int_equal(figures(lab).files, 1);
    assert_int_equal(there(lab, *ret_paths), 4);
    assert_true(manifest_waiting(lab->lake->manifest) > 0);
    return lab;
}

static void test_removed_files_wait_for_readers(void **state)
{
    (void)state;
    struct store *first, *second;
    struct sealed_paths *old;
    struct lab *lab = merged_beside_reader(&first, &old);
    check_reader(lab, first); /* the files of its MANIFEST */
    second = open_reader(lab);
    check_reader(lab, second); /* the new one */
    first->ops->close(first);
    assert_int_equal(tend(lab, HOUR_OVER), 0);
    assert_int_equal(there(lab, old), 4); /* which of them reads what is not known */
    second->ops->close(second);
    assert_int_equal(tend(lab, HOUR_OVER), 0);
    assert_int_equal(there(lab, old), 0);
    assert_int_equal(manifest_waiting(lab->lake->manifest), 0);
    lab_check_all(lab);
    free(old);
    lab_free(lab);
}

static void test_a_full_disk_does_not_wait(void **state)
{
    (void)state;
    struct store *reader;
    struct sealed_paths *old;
    struct lab *lab = merged_beside_reader(&reader, &old);
    lab->lake->count.disk_full = true;
    assert_int_equal(tend(lab, HOUR_OVER), 0);
    assert_int_equal(there(lab, old), 0);
    reader->ops->close(reader);
    free(old);
    lab_free(lab);
}

static void test_readers_outlive_the_server(void **state)
{
    (void)state;
    struct store *reader;
    struct sealed_paths *old;
    struct lab *lab = merged_beside_reader(&reader, &old);
    lab_reopen(lab, false);
    assert_int_equal(there(lab, old), 4);
    check_reader(lab, reader);
    reader->ops->close(reader);
    lab_reopen(lab, false); /* without tend(): a start looks for what is not listed */
    assert_int_equal(there(lab, old), 0);
    lab_check_all(lab);
    free(old);
    lab_free(lab);
}

/* What is not ours stays where it is. */
static void test_foreign_files(void **state)
{
    (void)state;
    struct lab *lab = lab_new(NULL, NULL);
    static const char path[] = LAB_DIR "/lake/sip/date=2023-11-14/hour=22/notes.parquet";
    size_t len;
    lab_append(lab, RECORD_SIP, 50);
    lab_seal(lab);
    fault_put(lab->fs, path, "not a table", 11);
    lab_reopen(lab, false);
    struct store_retention r = { .days = { 1, 1, 1, 1 } };
    lab->store->ops->retain(lab->store, &r);
    while (tend(lab, HOUR_OVER + 100 * 24 * ROW_HOUR_US) == 1)
        ;
    assert_int_equal(figures(lab).files, 0);
    assert_non_null(fault_data(lab->fs, path, &len));
    assert_int_equal(len, 11);
    lab_free(lab);
}

/* ---- retention ---- */

static struct lab *lab_of_hours(unsigned hours)
{
    struct lab *lab = lab_new(NULL, NULL);
    for (unsigned i = 0; i < hours; i++) {
        lab->hour = ROW_HOUR + i;
        lab_append_random(lab, 200);
        lab_seal(lab);
    }
    return lab;
}

/* Marks the rows that are gone, as the hours below say. */
static void gone_before(struct lab *lab, uint32_t hour)
{
    for (uint64_t seq = 1; seq <= lab->last; seq++)
        lab->rows[seq].gone = lab->rows[seq].hour < hour;
}

static void test_days(void **state)
{
    (void)state;
    struct lab *lab = lab_of_hours(40);
    struct store_retention r = { .days = { 1, 1, 1, 1 } };
    lab->store->ops->retain(lab->store, &r);
    int64_t now = (int64_t)(ROW_HOUR + 39) * ROW_HOUR_US + 5;
    while (tend(lab, now) == 1)
        ;
    gone_before(lab, ROW_HOUR + 39 - 24);
    lab_check_all(lab);
    struct store_figures f = figures(lab);
    assert_int_equal(f.retired_rows, 15 * 200);
    assert_true(f.retired_files >= 15 && f.retired_octets > 0);
    assert_int_equal(lab->events, 0);
    lab_free(lab);
}

static void test_octets(void **state)
{
    (void)state;
    struct lab *lab = lab_of_hours(6);
    struct store_figures before = figures(lab);
    struct store_retention r = { .octets_all = before.file_octets / 2 };
    lab->store->ops->retain(lab->store, &r);
    int64_t now = (int64_t)(ROW_HOUR + 5) * ROW_HOUR_US;
    while (tend(lab, now) == 1)
        ;
    struct store_figures after = figures(lab);
    assert_true(after.file_octets <= r.octets_all && after.file_octets > r.octets_all / 2);
    assert_true(lab->events > 0); /* each time is told */
    struct store_retention sip = { .octets = { after.table_octets[RECORD_SIP] / 2, 0, 0, 0 } };
    lab->store->ops->retain(lab->store, &sip);
    while (tend(lab, now) == 1)
        ;
    struct store_figures last = figures(lab);
    assert_true(last.table_octets[RECORD_SIP] <= sip.octets[RECORD_SIP] && last.rows[RECORD_SIP] > 0);
    assert_int_equal(last.rows[RECORD_MEDIA], after.rows[RECORD_MEDIA]);
    lab_free(lab);
}

static size_t pick_for_disk(struct lab *lab, unsigned percent, uint64_t total, uint64_t room, uint32_t *ret_newest)
{
    struct store_retention r = { .disk_percent = percent };
    struct retain_disk disk = { total, room };
    struct retain_plan *plan = calloc(1, sizeof(*plan));
    struct manifest_pin *pin = manifest_pin(lab->lake->manifest);
    assert_int_equal(retain_pick(pin, &r, &disk, HOUR_OVER, plan), 0);
    size_t count = plan->count;
    *ret_newest = 0;
    for (size_t i = 0; i < count; i++) {
        uint32_t hour = manifest_pin_file(pin, plan->files[i])->hour;
        *ret_newest = hour > *ret_newest ? hour : *ret_newest;
        assert_int_equal(plan->reason, RETAIN_DISK);
    }
    manifest_unpin(pin);
    free(plan);
    return count;
}

static void test_share_of_the_disk(void **state)
{
    (void)state;
    struct lab *lab = lab_of_hours(3);
    uint32_t newest;
    uint64_t gb = 1000000000;
    assert_int_equal(pick_for_disk(lab, 80, gb, gb / 5 + 100, &newest), 0); /* 80 % are in use */
    assert_int_equal(pick_for_disk(lab, 0, gb, 0, &newest), 0);
    assert_int_equal(pick_for_disk(lab, 80, 0, 0, &newest), 0); /* not known */
    size_t few = pick_for_disk(lab, 80, gb, gb / 5 - 1000, &newest);
    assert_true(few == 1 && newest == ROW_HOUR);
    assert_true(pick_for_disk(lab, 80, gb, 0, &newest) > few);
    assert_int_equal(newest, ROW_HOUR + 1); /* the newest hour stays */
    lab_free(lab);
    lab = lab_of_hours(1);
    assert_true(pick_for_disk(lab, 80, gb, 0, &newest) > 0); /* unless it is all there is */
    lab_free(lab);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hour_is_over),
        cmocka_unit_test(test_many_small_files),
        cmocka_unit_test(test_full_groups),
        cmocka_unit_test(test_failing_calls),
        cmocka_unit_test(test_rebuild_after_merge),
        cmocka_unit_test(test_damaged_file_is_set_aside),
        cmocka_unit_test(test_damage_met_by_merge),
        cmocka_unit_test(test_refused_file_is_not_set_aside),
        cmocka_unit_test(test_removed_files_wait_for_readers),
        cmocka_unit_test(test_a_full_disk_does_not_wait),
        cmocka_unit_test(test_readers_outlive_the_server),
        cmocka_unit_test(test_foreign_files),
        cmocka_unit_test(test_days),
        cmocka_unit_test(test_octets),
        cmocka_unit_test(test_share_of_the_disk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
