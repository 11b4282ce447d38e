/* What a merge of files needs of reader and writer: whole pages, and row groups that are copied as they are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "test_parquet_model.h"

static struct pq_reader *open_file(struct memory_file *f)
{
    struct pq_reader *r = NULL;
    struct pq_source source = memory_source(f);
    return pq_reader_open(&r, &source, NULL, NULL) == PQ_OK ? r : NULL;
}

/* Row groups of `from` in reverse order. */
static int copy_reversed(struct model *m, struct pq_reader *from, struct memory_file *to, bool *ret_source)
{
    struct pq_writer *w = NULL;
    int rc = pq_writer_open(&w, m->columns, m->column_count, &(struct pq_sink){ memory_write, to }, NULL);
    for (size_t g = pq_reader_groups(from); g-- > 0 && rc == PQ_OK;)
        rc = pq_writer_group_copy(w, from, g, ret_source);
    if (rc == PQ_OK)
        rc = pq_writer_close(w);
    assert_true(rc == PQ_OK || pq_writer_error(w)[0] != '\0');
    pq_writer_free(w);
    return rc;
}

static void check_reversed(struct model *m, struct pq_reader *copy)
{
    size_t row = 0;
    assert_int_equal(pq_reader_rows(copy), m->rows);
    for (size_t g = 0; g < m->groups; row += m->group_rows[g++])
        for (size_t c = 0; c < m->column_count; c++)
            for (size_t i = 0; i < m->group_rows[g]; i++) {
                struct pq_slice v;
                bool maybe = true;
                size_t there = m->groups - 1 - g;
                if (pq_reader_value(copy, there, c, i, &v) != PQ_OK)
                    fail_msg("%s", pq_reader_error(copy));
                assert_true(same_value(v, m->cells[c][row + i]));
                if (v.ptr != NULL && i < 20 && pq_reader_maybe(copy, there, c, v, &maybe) == PQ_OK)
                    assert_true(maybe);
            }
}

static void check_stats(struct model *m, struct pq_reader *a, struct pq_reader *b)
{
    for (size_t g = 0; g < m->groups; g++)
        for (size_t c = 0; c < m->column_count; c++) {
            struct pq_stats x, y;
            int rc = pq_reader_stats(a, g, c, &x);
            assert_int_equal(pq_reader_stats(b, m->groups - 1 - g, c, &y), rc);
            if (rc == PQ_OK)
                assert_true(same_value(x.min, y.min) && same_value(x.max, y.max) && x.null_count == y.null_count);
            rc = pq_reader_page_stats(a, g, c, 0, &x);
            assert_int_equal(pq_reader_page_stats(b, m->groups - 1 - g, c, 0, &y), rc);
            if (rc == PQ_OK)
                assert_true(same_value(x.min, y.min) && same_value(x.max, y.max) && x.null_count == y.null_count);
        }
}

static void test_copied_groups(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        struct model m;
        struct memory_file f = { 0 }, g = { 0 };
        bool source;
        model_random(&m, seed, &(struct model_shape){ 300, 90 });
        assert_int_equal(model_write(&m, &f), PQ_OK);
        struct pq_reader *r = open_file(&f);
        assert_int_equal(copy_reversed(&m, r, &g, &source), PQ_OK);
        struct pq_reader *copy = open_file(&g);
        assert_non_null(copy);
        assert_int_equal(pq_reader_verify(copy), PQ_OK);
        check_reversed(&m, copy);
        check_stats(&m, r, copy);
        pq_reader_free(copy);
        pq_reader_free(r);
        free(f.data);
        free(g.data);
        model_free(&m);
    }
}

static void test_other_columns_are_refused(void **state)
{
    (void)state;
    struct model m;
    struct memory_file f = { 0 }, g = { 0 };
    struct pq_writer *w = NULL;
    bool source = true;
    uint64_t seed = 1;
    for (model_random(&m, seed, &(struct model_shape){ 20, 9 }); m.groups == 0;) {
        model_free(&m);
        model_random(&m, ++seed, &(struct model_shape){ 20, 9 });
    }
    assert_int_equal(model_write(&m, &f), PQ_OK);
    struct pq_reader *r = open_file(&f);
    m.columns[0].nullable = !m.columns[0].nullable;
    assert_int_equal(pq_writer_open(&w, m.columns, m.column_count, &(struct pq_sink){ memory_write, &g }, NULL), PQ_OK);
    assert_int_equal(pq_writer_group_copy(w, r, 0, &source), PQ_ERR_USAGE);
    assert_false(source);
    pq_writer_free(w);
    pq_reader_free(r);
    free(f.data);
    free(g.data);
    model_free(&m);
}

static void test_damage_is_not_copied(void **state)
{
    (void)state;
    struct model m;
    struct memory_file f = { 0 }, g = { 0 };
    size_t copied = 0;
    uint64_t seed = 5;
    for (model_random(&m, seed, &(struct model_shape){ 30, 40 }); m.groups < 2 || m.column_count > 4;) {
        model_free(&m);
        model_random(&m, ++seed, &(struct model_shape){ 30, 40 });
    }
    assert_int_equal(model_write(&m, &f), PQ_OK);
    for (size_t i = 0; i < f.len; i++) {
        bool source = false;
        f.data[i] ^= 0x10;
        g.len = 0;
        struct pq_reader *r = open_file(&f);
        int rc = r != NULL ? copy_reversed(&m, r, &g, &source) : PQ_ERR_DAMAGED;
        if (rc == PQ_OK) {
            struct pq_reader *copy = open_file(&g);
            assert_non_null(copy);
            check_reversed(&m, copy);
            pq_reader_free(copy);
            copied++;
        } else if (r != NULL) {
            assert_int_equal(rc, PQ_ERR_DAMAGED);
            assert_true(source);
        }
        pq_reader_free(r);
        f.data[i] ^= 0x10;
    }
    assert_int_equal(copied, 4); /* the magic at the start is the only part that nobody reads */
    free(f.data);
    free(g.data);
    model_free(&m);
}

static void check_codes(struct pq_reader *r, size_t g, size_t c, size_t page, const struct pq_slice *cells)
{
    const struct pq_slice *entries;
    const uint32_t *codes;
    size_t entry_count, count;
    assert_int_equal(pq_reader_dictionary(r, g, c, &entries, &entry_count), PQ_OK);
    assert_int_equal(pq_reader_page_codes(r, g, c, page, &codes, &count), PQ_OK);
    for (size_t i = 0; i < count; i++)
        if (codes[i] == PQ_NULL_CODE)
            assert_null(cells[i].ptr);
        else
            assert_true(codes[i] < entry_count && same_value(entries[codes[i]], cells[i]));
}

static void check_ready(struct model *m, size_t c, const struct pq_ready_page *p, const struct pq_slice *cells)
{
    struct buf raw;
    buf_init(&raw, PQ_PAGE_MAX);
    uint8_t *octets = malloc(p->uncompressed + 1);
    for (size_t i = 0; i < p->rows; i++)
        pq_values_put(&raw, &m->columns[c], &cells[i], 1);
    assert_int_equal(pq_zip_expand(m->zip, m->columns[c].codec, p->body, octets, p->uncompressed), PQ_OK);
    assert_int_equal(raw.len, p->uncompressed);
    assert_true(raw.len == 0 || memcmp(raw.ptr, octets, raw.len) == 0);
    free(octets);
    buf_free(&raw);
}

static size_t check_pages(struct model *m, struct pq_reader *r, size_t g, size_t c, const struct pq_slice *cells)
{
    size_t pages, ready_pages = 0;
    assert_int_equal(pq_reader_pages(r, g, c, &pages), PQ_OK);
    for (size_t p = 0; p < pages; p++) {
        const struct pq_slice *values, *entries;
        struct pq_ready_page ready;
        size_t first, count, n;
        assert_int_equal(pq_reader_page_rows(r, g, c, p, &first, &n), PQ_OK);
        if (pq_reader_page_ready(r, g, c, p, &ready) == PQ_OK) {
            ready_pages++;
            check_ready(m, c, &ready, cells + first);
        }
        assert_int_equal(pq_reader_page_values(r, g, c, p, &values, &count), PQ_OK);
        assert_int_equal(count, n);
        for (size_t i = 0; i < n; i++)
            assert_true(same_value(values[i], cells[first + i]));
        if (pq_reader_dictionary(r, g, c, &entries, &count) == PQ_OK)
            check_codes(r, g, c, p, cells + first);
    }
    assert_int_equal(pq_reader_page_values(r, g, c, pages, &(const struct pq_slice *){ NULL }, &pages), PQ_ERR_USAGE);
    return ready_pages;
}

static void test_whole_pages(void **state)
{
    (void)state;
    size_t ready = 0;
    for (uint64_t seed = 100; seed < 130; seed++) {
        struct model m;
        struct memory_file f = { 0 };
        size_t row = 0;
        model_random(&m, seed, &(struct model_shape){ 300, 90 });
        assert_int_equal(model_write(&m, &f), PQ_OK);
        struct pq_reader *r = open_file(&f);
        for (size_t g = 0; g < m.groups; row += m.group_rows[g++])
            for (size_t c = 0; c < m.column_count; c++)
                ready += check_pages(&m, r, g, c, m.cells[c] + row);
        assert_true(pq_reader_memory(r) > 1000);
        pq_reader_free(r);
        free(f.data);
        model_free(&m);
    }
    assert_true(ready > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_copied_groups),
        cmocka_unit_test(test_other_columns_are_refused),
        cmocka_unit_test(test_damage_is_not_copied),
        cmocka_unit_test(test_whole_pages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
