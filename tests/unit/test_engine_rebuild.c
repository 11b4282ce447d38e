/*
 * A lost MANIFEST after merges, with what a power loss or a failing disk may have left: log segments and merged files
 * that had been unlinked, a merge whose record could not be written. Each row is there once all the same.
 */
#include "test_engine_world.h"

#define COPIES 64

static struct world *begin(uint64_t seed)
{
    struct world *w = world_new(seed * MEETS); /* that meets nothing but what the test does */
    assert_true(start(w));
    return w;
}

static void fill(struct world *w)
{
    for (unsigned i = 0; i < 12; i++)
        do_append(w);
}

static void fill_and_seal(struct world *w)
{
    fill(w);
    do_seal(w);
}

/* Long after the hour: any two files of it are merged. */
static int merge_all(struct world *w, int64_t minutes)
{
    struct errmsg err;
    int rc = 1;
    for (unsigned i = 0; i < 30 && rc == 1; i++)
        rc = w->store->ops->tend(w->store, w->now + 2 * HOUR_US + minutes * 60000000, &err);
    return rc;
}

static uint64_t merges(struct world *w)
{
    struct store_figures figures;
    w->store->ops->figures(w->store, &figures);
    return figures.merges;
}

static void end(struct world *w)
{
    note_durable(w);
    assert_int_equal(w->last, w->message);
    stop(w);
    assert_int_equal(vfs_unlink(w->vfs, MANIFEST), 0);
}

static void begin_anew(struct world *w)
{
    struct engine_figures figures;
    assert_true(start(w));
    engine_figures(w->engine, &figures);
    assert_int_equal(figures.replayed, 0);
    check(w);
    assert_int_equal(w->last, w->message);
    fill_and_seal(w);
    check(w);
    world_free(w);
}

/* ------------------------------------------------------------------------------------------------ what comes back */

struct copies {
    struct world *w;
    char path[COPIES][VFS_PATH_MAX];
    uint8_t *data[COPIES];
    size_t len[COPIES], count;
};

static struct copies *copies_new(struct world *w)
{
    struct copies *c = calloc(1, sizeof(*c));
    assert_non_null(c);
    c->w = w;
    return c;
}

static int copy(void *arg, const char *dir, const char *name)
{
    struct copies *c = arg;
    size_t i = c->count++;
    assert_true(i < COPIES);
    assert_int_equal(vfs_join(c->path[i], dir, name), 0);
    const uint8_t *data = fault_data(c->w->fs, c->path[i], &c->len[i]);
    assert_non_null(data);
    c->data[i] = malloc(c->len[i] + 1);
    assert_non_null(c->data[i]);
    memcpy(c->data[i], data, c->len[i]);
    return 0;
}

static int copy_segment(void *arg, const char *name, bool is_dir)
{
    assert_false(is_dir);
    return copy(arg, WAL_DIR, name);
}

static void copy_files(struct copies *c)
{
    struct manifest_pin *pin = manifest_pin(((struct lake *)c->w->store)->manifest);
    for (size_t i = 0; i < manifest_pin_count(pin); i++)
        (void)copy(c, DATA "/lake", manifest_pin_file(pin, i)->path);
    manifest_unpin(pin);
}

static void come_back(struct copies *c)
{
    for (size_t i = 0; i < c->count; i++) {
        fault_put(c->w->fs, c->path[i], c->data[i], c->len[i]);
        free(c->data[i]);
    }
    free(c);
}

/* The log's directory is not synced when segments go: they may come back. Merged files know that they are consumed. */
static void test_segments_come_back(void **state)
{
    (void)state;
    struct world *w = begin(1);
    struct copies *c = copies_new(w);
    fill(w);
    assert_int_equal(engine_commit(w->engine), 0);
    assert_int_equal(vfs_list(w->vfs, WAL_DIR, copy_segment, c), 0);
    assert_true(c->count > 0);
    do_seal(w);
    fill_and_seal(w);
    assert_int_equal(merge_all(w, 0), 0);
    assert_true(merges(w) > 0);
    end(w);
    come_back(c);
    begin_anew(w);
}

/* So may files that were merged; and the file that replaced them is gone itself. */
static void test_merged_files_come_back(void **state)
{
    (void)state;
    struct world *w = begin(2);
    struct copies *c = copies_new(w);
    fill_and_seal(w);
    fill_and_seal(w);
    copy_files(c);
    assert_int_equal(merge_all(w, 0), 0);
    uint64_t before = merges(w);
    fill_and_seal(w);
    assert_int_equal(merge_all(w, 0), 0);
    assert_true(before > 0 && merges(w) > before);
    end(w);
    come_back(c);
    begin_anew(w);
}

/* A merge fails at each of its syncs, that of the MANIFEST among them, and is made anew with one file more. */
static void test_failed_merge_stays(void **state)
{
    (void)state;
    unsigned failed = 0;
    for (uint64_t n = 0; n < 8; n++) {
        struct world *w = begin(3 + n);
        fill_and_seal(w);
        fill_and_seal(w);
        fault_inject(w->fs, FAULT_SYNC, n, -EIO, 1);
        failed += merge_all(w, 0) < 0;
        fault_clear(w->fs);
        fill_and_seal(w);
        assert_int_equal(merge_all(w, 5), 0); /* after the pause that a failure makes */
        end(w);
        begin_anew(w);
    }
    assert_true(failed > 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_segments_come_back),
        cmocka_unit_test(test_merged_files_come_back),
        cmocka_unit_test(test_failed_merge_stays),
    };
    return cmocka_run_group_tests_name("engine rebuild", tests, NULL, NULL);
}
