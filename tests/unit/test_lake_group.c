/* Rows in memory: what was appended is what is read, in every state of a page, while other threads look. */
#include <errno.h>
#include <pthread.h>

#include "store/lake/group_internal.h"
#include "store/lake/map.h"
#include "test_lake_util.h"

#define SEED 11

static struct row row;

static void check_row(const struct group *g, size_t n, struct row *scratch_row, struct buf *payload,
                      struct group_cache **cache)
{
    struct group_scratch scratch;
    struct record_cell cell;
    row_make(scratch_row, SEED, group_table(g), n + 1, group_hour(g));
    const struct record *r = &scratch_row->record;
    for (unsigned c = 0; c < record_schema(r->table)->count; c++) {
        group_cell(g, c, n, &cell, &scratch);
        if (record_schema(r->table)->columns[c].kind == RECORD_BYTES)
            assert_true(cell.null);
        else
            row_same_cell(r, c, &cell);
        if (group_has_codes(g, c))
            assert_true(cell.null ? group_code(g, c, n) == GROUP_NULL : group_code(g, c, n) < group_codes(g, c));
    }
    buf_reset(payload);
    assert_int_equal(group_payload(g, n, payload, cache), 0);
    assert_int_equal(payload->len, r->payload.len);
    if (payload->len > 0)
        assert_memory_equal(payload->ptr, r->payload.ptr, payload->len);
}

static void check_all(const struct group *g, size_t step)
{
    struct group_cache *cache = NULL;
    struct buf payload;
    buf_init(&payload, 1 << 20);
    for (size_t n = 0; n < group_rows(g); n += step)
        check_row(g, n, &row, &payload, &cache);
    group_cache_free(cache);
    buf_free(&payload);
}

/* Appends rows first + 1 ... until the group says that it is full or `rows` are in. */
static size_t fill(struct group *g, size_t rows)
{
    for (size_t n = group_rows(g); n < rows; n++) {
        row_make(&row, SEED, group_table(g), n + 1, group_hour(g));
        int rc = group_append(g, &row.record);
        assert_int_equal(group_rows(g), n + 1);
        if (rc == 1)
            break;
        assert_int_equal(rc, 0);
    }
    return group_rows(g);
}

static void test_cells_of_all_tables(void **state)
{
    (void)state;
    for (unsigned t = 0; t < RECORD_TABLES; t++) {
        struct group *g = group_new(t, ROW_HOUR, RECORD_NETWORK);
        assert_non_null(g);
        fill(g, 3000);
        check_all(g, 1);
        int64_t min, max;
        group_times(g, &min, &max);
        assert_true(min >= (int64_t)ROW_HOUR * ROW_HOUR_US - 5000 && max < (int64_t)(ROW_HOUR + 1) * ROW_HOUR_US);
        group_unref(g);
    }
}

/* Raw, waiting, zipped: the same octets. */
static void test_page_states(void **state)
{
    (void)state;
    struct page_zipper z;
    struct group *g = group_new(RECORD_OTHER, ROW_HOUR, RECORD_NETWORK);
    assert_int_equal(page_zipper_init(&z), 0);
    fill(g, 8000);
    assert_true(atomic_load(&g->page_count) > 2);
    check_all(g, 7);
    assert_int_equal(pages_finish(NULL, &g->page[0], &z), 0);
    check_all(g, 7);
    size_t before = group_memory(g);
    group_close(g);
    row_make(&row, SEED, RECORD_OTHER, 1, ROW_HOUR);
    assert_int_equal(group_append(g, &row.record), -ENOBUFS);
    for (size_t i = 0; i < atomic_load(&g->page_count); i++)
        assert_int_equal(pages_finish(NULL, &g->page[i], &z), 0);
    assert_true(group_memory(g) + (500 << 10) < before);
    check_all(g, 7);
    page_zipper_free(&z);
    group_unref(g);
}

static void test_full(void **state)
{
    (void)state;
    struct group *g = group_new(RECORD_LOG, ROW_HOUR, RECORD_NETWORK);
    assert_int_equal(fill(g, 100000), LAKE_GROUP_ROWS);
    assert_int_equal(group_append(g, &row.record), -ENOBUFS);
    check_all(g, 97);
    group_unref(g);

    static uint8_t large[LAKE_GROUP_PAYLOAD + 1];
    g = group_new(RECORD_LOG, ROW_HOUR, RECORD_NETWORK);
    row_make(&row, SEED, RECORD_LOG, 1, ROW_HOUR);
    row.record.payload = (struct hep_slice){ large, sizeof(large) };
    assert_int_equal(group_append(g, &row.record), -ENOMEM);
    row.record.payload.len = 1 << 20; /* larger than an ordinary page */
    for (unsigned i = 0; i < 15; i++)
        assert_int_equal(group_append(g, &row.record), 0);
    assert_int_equal(group_append(g, &row.record), 1);
    assert_int_equal(group_append(g, &row.record), -ENOBUFS);
    assert_int_equal(atomic_load(&g->page_count), 16);
    group_unref(g);
}

/* A row that finds no room for its texts leaves nothing behind, and the group what it had. */
static void test_refused_row(void **state)
{
    (void)state;
    struct group *g = group_new(RECORD_SIP, ROW_HOUR, RECORD_NETWORK);
    fill(g, 100);
    g->dicts.texts.most = 1; /* no slab beyond those that it has */
    int rc = 0;
    while (rc == 0) {
        row_make(&row, SEED, RECORD_SIP, group_rows(g) + 1, ROW_HOUR);
        rc = group_append(g, &row.record);
    }
    assert_int_equal(rc, -ENOBUFS);
    check_all(g, 1);
    /* The next has fewer values: what the refused one left must not show. */
    size_t n = group_rows(g);
    struct record empty = { .table = RECORD_SIP, .ts = 5, .received = 6, .ts_sent = RECORD_NO_TIME, .seq = n + 1 };
    empty.capture_id = empty.vlan = RECORD_NONE;
    assert_int_equal(group_append(g, &empty), 0);
    for (unsigned c = 0; c < record_schema(RECORD_SIP)->count; c++)
        if (group_has_codes(g, c))
            assert_true(group_code(g, c, n) == GROUP_NULL);
    group_unref(g);
}

/* Few rows take little. */
static void test_memory(void **state)
{
    (void)state;
    struct group *g = group_new(RECORD_MEDIA, ROW_HOUR, RECORD_NETWORK);
    fill(g, 1);
    assert_true(group_memory(g) < 4 * SLAB_SIZE); /* most of it: the raw page */
    group_close(g);
    group_unref(g);
}

/* ------------------------------------------------------------------------------------------------ threads */

#define THREAD_ROWS 6000u

struct shared {
    struct group *g;
    atomic_bool done;
};

static void *look(void *arg)
{
    struct shared *s = arg;
    static _Thread_local struct row mine;
    struct group_cache *cache = NULL;
    struct buf payload;
    uint64_t random = 5;
    buf_init(&payload, 1 << 20);
    while (!atomic_load(&s->done)) {
        size_t rows = group_rows(s->g);
        if (rows == 0)
            continue;
        check_row(s->g, rows - 1, &mine, &payload, &cache);
        check_row(s->g, prng_below(&random, rows), &mine, &payload, &cache);
    }
    group_cache_free(cache);
    buf_free(&payload);
    return NULL;
}

/* Readers while rows come and pages are compressed by the pages' own thread. */
static void test_readers(void **state)
{
    (void)state;
    struct pages *pages;
    const struct pages_options o = { .limit = 1 << 30, .level = 1 };
    pthread_t threads[2];
    assert_int_equal(pages_open(&pages, &o), 0);
    struct shared s = { .g = group_new_in(pages, RECORD_SIP, ROW_HOUR, RECORD_NETWORK) };
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, look, &s), 0);
    fill(s.g, THREAD_ROWS);
    group_close(s.g);
    atomic_store(&s.done, true);
    for (unsigned i = 0; i < 2; i++)
        (void)pthread_join(threads[i], NULL);
    check_all(s.g, 3);
    pages_stop(pages);
    assert_int_equal(pages_octets(pages), group_memory(s.g));
    group_unref(s.g);
    assert_int_equal(pages_octets(pages), 0);
    pages_close(pages);
}

/* Slabs do not overlap, and go to the system when they were not needed for a while. */
static void test_slabs(void **state)
{
    (void)state;
    struct slabs *s = slabs_new();
    uint8_t *slab[40];
    unsigned count[40];
    uint64_t random = 9;
    for (unsigned i = 0; i < 40; i++) {
        count[i] = 1 + (unsigned)prng_below(&random, SLAB_MOST);
        slab[i] = slab_take(s, count[i]);
        assert_non_null(slab[i]);
        memset(slab[i], (int)i, count[i] * SLAB_SIZE);
    }
    for (unsigned i = 0; i < 40; i++)
        for (size_t at = 0; at < count[i] * SLAB_SIZE; at += 4096)
            assert_int_equal(slab[i][at], i);
    size_t held = slab_held(s);
    for (unsigned i = 0; i < 40; i++)
        slab_give(s, slab[i], count[i]);
    slab_trim(s);
    assert_int_equal(slab_held(s), held); /* all was in use since the last trim */
    slab[0] = slab_take(s, 1);
    slab_trim(s);
    assert_true(slab_held(s) > 0 && slab_held(s) < held / 2);
    slab_give(s, slab[0], 1);
    slab_trim(s);
    slab_trim(s);
    assert_int_equal(slab_held(s), 0);
    slabs_free(s);
}

static void told(void *arg)
{
    ++*(unsigned *)arg;
}

static void test_room(void **state)
{
    (void)state;
    struct pages *pages;
    unsigned calls = 0;
    const struct pages_options o = { .limit = 1000, .level = 1, .no_thread = true, .room = told, .arg = &calls };
    assert_int_equal(pages_open(&pages, &o), 0);
    pages_count(pages, 499);
    assert_false(pages_pressed(pages));
    pages_count(pages, 500);
    assert_true(pages_pressed(pages));
    assert_false(pages_full(pages));
    pages_count(pages, 1);
    pages_count(pages, -200);
    assert_int_equal(calls, 0); /* nobody was told that it is full */
    pages_count(pages, 200);
    assert_true(pages_full(pages));
    pages_count(pages, -100);
    assert_int_equal(calls, 0);
    pages_count(pages, -100);
    assert_int_equal(calls, 1);
    pages_count(pages, -800);
    assert_int_equal(calls, 1);
    pages_close(pages);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cells_of_all_tables),
        cmocka_unit_test(test_page_states),
        cmocka_unit_test(test_full),
        cmocka_unit_test(test_refused_row),
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_readers),
        cmocka_unit_test(test_room),
        cmocka_unit_test(test_slabs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
