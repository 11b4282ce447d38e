#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "store/parquet/stats.h"
#include "test_parquet_model.h"

static struct pq_reader *open_ok(struct memory_file *f)
{
    struct pq_reader *r = NULL;
    char text[256] = "";
    struct pq_source source = memory_source(f);
    int rc = pq_reader_open(&r, &source, NULL, text);
    if (rc != PQ_OK)
        print_error("%s\n", text);
    assert_int_equal(rc, PQ_OK);
    return r;
}

/* ---- what is read is what was written ---- */

static void check_values(struct model *m, struct pq_reader *r, size_t column)
{
    size_t row = 0;
    for (size_t g = 0; g < m->groups; g++)
        for (size_t i = 0; i < m->group_rows[g]; i++, row++) {
            struct pq_slice v;
            if (pq_reader_value(r, g, column, i, &v) != PQ_OK)
                fail_msg("%s", pq_reader_error(r));
            if (!same_value(v, m->cells[column][row]))
                fail_msg("column %zu, row %zu", column, row);
        }
}

static void check_bounds(const struct pq_column *c, const struct pq_slice *cells, size_t rows, const struct pq_stats *s)
{
    uint64_t nulls = 0;
    bool met_min = false, met_max = false;
    for (size_t i = 0; i < rows; i++) {
        if (cells[i].ptr == NULL) {
            nulls++;
            continue;
        }
        assert_true(s->has_range);
        int low = pq_compare(c, s->min, cells[i]), high = pq_compare(c, cells[i], s->max);
        assert_true(low <= 0 && high <= 0);
        met_min |= low == 0;
        met_max |= high == 0;
    }
    assert_true(s->has_nulls);
    assert_int_equal(s->null_count, nulls);
    assert_true(!s->min_exact || met_min);
    assert_true(!s->max_exact || met_max);
    if (s->has_range && c->type == PQ_BYTE_ARRAY && !s->max_exact)
        assert_true(s->max.len <= PQ_STAT_CUT && s->min.len <= PQ_STAT_CUT);
}

static void check_page_stats(struct model *m, struct pq_reader *r, size_t g, size_t column, size_t first_row)
{
    size_t pages, next = 0;
    assert_int_equal(pq_reader_pages(r, g, column, &pages), PQ_OK);
    for (size_t p = 0; p < pages; p++) {
        size_t first, count;
        struct pq_stats s;
        assert_int_equal(pq_reader_page_rows(r, g, column, p, &first, &count), PQ_OK);
        assert_int_equal(first, next);
        next += count;
        assert_int_equal(pq_reader_page_stats(r, g, column, p, &s), PQ_OK);
        check_bounds(&m->columns[column], m->cells[column] + first_row + first, count, &s);
    }
    assert_int_equal(next, m->group_rows[g]);
}

static void check_stats(struct model *m, struct pq_reader *r, size_t column)
{
    size_t row = 0;
    for (size_t g = 0; g < m->groups; row += m->group_rows[g++]) {
        struct pq_stats s;
        int rc = pq_reader_stats(r, g, column, &s);
        if (!m->columns[column].stats) {
            assert_int_equal(rc, PQ_ERR_ABSENT);
            continue;
        }
        assert_int_equal(rc, PQ_OK);
        check_bounds(&m->columns[column], m->cells[column] + row, m->group_rows[g], &s);
        check_page_stats(m, r, g, column, row);
    }
}

static void check_bloom(struct model *m, struct pq_reader *r, size_t column)
{
    size_t row = 0, wrong = 0, tries = 0;
    for (size_t g = 0; g < m->groups; row += m->group_rows[g++]) {
        bool maybe = false;
        for (size_t i = 0; i < m->group_rows[g] && i < 200; i++) {
            struct pq_slice v = m->cells[column][row + i];
            if (v.ptr == NULL)
                continue;
            assert_int_equal(pq_reader_maybe(r, g, column, v, &maybe), PQ_OK);
            assert_true(maybe);
        }
        for (uint32_t i = 0; i < 100; i++, tries++) {
            char absent[40];
            int n = snprintf(absent, sizeof(absent), "this was never there %u", i);
            struct pq_slice v = { (const uint8_t *)absent, (size_t)n };
            assert_int_equal(pq_reader_maybe(r, g, column, v, &maybe), PQ_OK);
            wrong += maybe;
        }
    }
    assert_true(wrong * 10 <= tries); /* 3 % at most are expected */
}

static void check_columns(const struct pq_column *a, const struct pq_column *b)
{
    assert_string_equal(a->name, b->name);
    assert_int_equal(a->type, b->type);
    assert_int_equal(a->logical, b->logical);
    assert_int_equal(a->width, b->width);
    assert_int_equal(a->nullable, b->nullable);
}

static void check_table(struct model *m, struct memory_file *f)
{
    struct pq_reader *r = open_ok(f);
    struct pq_slice v;
    assert_int_equal(pq_reader_rows(r), m->rows);
    assert_int_equal(pq_reader_groups(r), m->groups);
    assert_int_equal(pq_reader_columns(r), m->column_count);
    assert_int_equal(pq_reader_key_value(r, "test.key", &v), PQ_OK);
    assert_int_equal(v.len, 10);
    assert_memory_equal(v.ptr, "test value", 10);
    assert_int_equal(pq_reader_key_value(r, "other", &v), PQ_ERR_ABSENT);
    for (size_t c = 0; c < m->column_count; c++) {
        size_t found;
        check_columns(&m->columns[c], pq_reader_column(r, c));
        assert_int_equal(pq_reader_find(r, m->columns[c].name, &found), PQ_OK);
        assert_int_equal(found, c);
        check_values(m, r, c);
        check_stats(m, r, c);
        if (m->columns[c].bloom)
            check_bloom(m, r, c);
    }
    if (pq_reader_verify(r) != PQ_OK)
        fail_msg("%s", pq_reader_error(r));
    pq_reader_free(r);
}

static void round_trip(uint64_t seed, const struct model_shape *shape)
{
    struct model m;
    struct memory_file f = { .data = NULL };
    model_random(&m, seed, shape);
    assert_int_equal(model_write(&m, &f), PQ_OK);
    check_table(&m, &f);
    free(f.data);
    model_free(&m);
}

static void test_random_tables(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 150; seed++)
        round_trip(seed, &(struct model_shape){ 300, 300 });
}

static void test_large_groups(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 4; seed++)
        round_trip(seed * 1000, &(struct model_shape){ 20000, 2000 });
}

/* ---- chosen values ---- */

/* One column, one row group, FLAT. */
static void one_column(struct model *m, struct pq_column c, const struct pq_slice *cells, size_t rows)
{
    model_init(m, 1);
    m->groups = 1;
    m->rows = m->group_rows[0] = rows;
    c.name = "c";
    c.stats = true;
    c.codec = PQ_CODEC_ZSTD;
    c.level = 1;
    struct pq_slice *to = model_column(m, c, PQ_DATA_FLAT);
    for (size_t i = 0; i < rows; i++)
        to[i] = cells[i].ptr != NULL ? model_cell(m, cells[i].ptr, cells[i].len) : cells[i];
}

static struct pq_stats stats_of(struct pq_column c, const struct pq_slice *cells, size_t rows, uint8_t *copy)
{
    struct model m;
    struct memory_file f = { .data = NULL };
    struct pq_stats s;
    one_column(&m, c, cells, rows);
    assert_int_equal(model_write(&m, &f), PQ_OK);
    struct pq_reader *r = open_ok(&f);
    check_values(&m, r, 0);
    assert_int_equal(pq_reader_stats(r, 0, 0, &s), PQ_OK);
    if (s.has_range) { /* the octets outlive the reader */
        memcpy(copy, s.min.ptr, s.min.len);
        memcpy(copy + s.min.len, s.max.ptr, s.max.len);
        s.min.ptr = copy;
        s.max.ptr = copy + s.min.len;
    }
    pq_reader_free(r);
    free(f.data);
    model_free(&m);
    return s;
}

static void test_long_texts_are_cut(void **state)
{
    (void)state;
    uint8_t text[200], copy[1000];
    const struct pq_column string = { .type = PQ_BYTE_ARRAY, .logical = PQ_LOGICAL_STRING };
    const struct pq_column octets = { .type = PQ_BYTE_ARRAY };
    memset(text, 'a', sizeof(text));
    struct pq_stats s = stats_of(string, &(struct pq_slice){ text, 200 }, 1, copy);
    assert_false(s.min_exact || s.max_exact);
    assert_int_equal(s.min.len, 64);
    assert_int_equal(s.max.len, 64);
    assert_int_equal(s.min.ptr[63], 'a');
    assert_int_equal(s.max.ptr[63], 'b');

    for (size_t i = 0; i < 200; i += 2) /* U+07FF, the last of two octets, has no successor of its length */
        memcpy(text + i, "\xdf\xbf", 2);
    text[0] = text[1] = 'x';
    s = stats_of(string, &(struct pq_slice){ text, 200 }, 1, copy);
    assert_int_equal(s.max.len, 2);
    assert_memory_equal(s.max.ptr, "xy", 2);

    memset(text, 0xff, sizeof(text));
    s = stats_of(octets, &(struct pq_slice){ text, 200 }, 1, copy);
    assert_int_equal(s.max.len, 200); /* nothing shorter bounds it */
    assert_true(s.max_exact);
    assert_int_equal(s.min.len, 64);
}

static void test_doubles(void **state)
{
    (void)state;
    const double zero[] = { 0.0 }, minus[] = { -0.0 }, nan_first[] = { 0.0 / 0.0, 5 };
    double low, high;
    uint8_t copy[64];
    const struct pq_column c = { .type = PQ_DOUBLE };
    const struct pq_slice zeros[] = { { (const uint8_t *)zero, 8 }, { (const uint8_t *)minus, 8 } };
    for (size_t i = 0; i < 2; i++) {
        struct pq_stats s = stats_of(c, &zeros[i], 1, copy);
        memcpy(&low, s.min.ptr, 8);
        memcpy(&high, s.max.ptr, 8);
        assert_true(__builtin_signbit(low) != 0 && __builtin_signbit(high) == 0);
    }
    const struct pq_slice nans[] = { { (const uint8_t *)&nan_first[0], 8 }, { (const uint8_t *)&nan_first[1], 8 } };
    assert_false(stats_of(c, nans, 2, copy).has_range);
}

static void test_nulls_only_and_empty(void **state)
{
    (void)state;
    struct pq_slice cells[100] = { { NULL, 0 } };
    uint8_t copy[64];
    const struct pq_column c = { .type = PQ_BYTE_ARRAY, .nullable = true, .dictionary = true };
    struct pq_stats s = stats_of(c, cells, 100, copy);
    assert_false(s.has_range);
    assert_int_equal(s.null_count, 100);
    for (size_t i = 0; i < 100; i++)
        cells[i] = (struct pq_slice){ copy, 0 };
    s = stats_of(c, cells, 100, copy);
    assert_true(s.has_range && s.min.len == 0 && s.max.len == 0);
    assert_int_equal(s.null_count, 0);
}

/* ---- damage ---- */

static void small_table(struct model *m, struct memory_file *f)
{
    for (uint64_t seed = 77;; seed++) { /* a seed with rows, a dictionary, a filter and text; both codecs */
        model_random(m, seed, &(struct model_shape){ 40, 90 });
        bool bloom = false, codes = false, none = false;
        for (size_t c = 0; c < m->column_count; c++) {
            bloom |= m->columns[c].bloom;
            codes |= m->kinds[c] == PQ_DATA_CODES;
            none |= m->columns[c].codec == PQ_CODEC_NONE;
        }
        if (m->groups >= 2 && m->column_count >= 4 && m->column_count <= 6 && bloom && codes && none)
            break;
        model_free(m);
    }
    m->options.page_rows = 16;
    assert_int_equal(model_write(m, f), PQ_OK);
}

/* Everything of the table as the reader tells it: an error, or the same. Never something else. */
static bool same_or_error(struct model *m, struct memory_file *f)
{
    struct pq_reader *r = NULL;
    struct pq_source source = memory_source(f);
    char text[256] = "";
    int rc = pq_reader_open(&r, &source, NULL, text);
    if (rc != PQ_OK) {
        assert_true(text[0] != '\0');
        assert_true(rc == PQ_ERR_FOREIGN || rc == PQ_ERR_DAMAGED || rc == PQ_ERR_LIMIT);
        return false;
    }
    assert_int_equal(pq_reader_rows(r), m->rows);
    for (size_t c = 0; c < m->column_count; c++)
        for (size_t g = 0, row = 0; g < m->groups; row += m->group_rows[g++]) {
            struct pq_stats s;
            size_t pages = 0;
            for (size_t i = 0; i < m->group_rows[g]; i++) {
                struct pq_slice v;
                int got = pq_reader_value(r, g, c, i, &v);
                assert_true(got == PQ_OK ? same_value(v, m->cells[c][row + i]) : pq_reader_error(r)[0] != '\0');
                bool maybe = true;
                if (got == PQ_OK && v.ptr != NULL && pq_reader_maybe(r, g, c, v, &maybe) == PQ_OK)
                    assert_true(maybe);
            }
            if (m->columns[c].stats && pq_reader_pages(r, g, c, &pages) == PQ_OK &&
                pq_reader_page_stats(r, g, c, 0, &s) == PQ_OK)
                check_page_stats(m, r, g, c, row);
        }
    rc = pq_reader_verify(r);
    pq_reader_free(r);
    return rc == PQ_OK;
}

static void test_every_flipped_octet(void **state)
{
    (void)state;
    struct model m;
    struct memory_file f = { .data = NULL };
    size_t unnoticed = 0;
    small_table(&m, &f);
    assert_true(same_or_error(&m, &f));
    for (size_t i = 0; i < f.len; i++) {
        static const uint8_t flips[] = { 0x01, 0x10, 0x80, 0xff };
        for (size_t k = 0; k < 4; k++) {
            f.data[i] ^= flips[k];
            unnoticed += same_or_error(&m, &f);
            f.data[i] ^= flips[k];
        }
    }
    assert_int_equal(unnoticed, 4 * 4); /* the magic at the start, which is not read */
    free(f.data);
    model_free(&m);
}

static void test_every_length(void **state)
{
    (void)state;
    struct model m;
    struct memory_file f = { .data = NULL };
    small_table(&m, &f);
    size_t whole = f.len;
    for (f.len = 0; f.len < whole; f.len++) {
        uint8_t *exact = malloc(f.len + 1); /* a sanitizer sees reads beyond the end */
        struct memory_file cut = { .data = exact, .len = f.len };
        memcpy(exact, f.data, f.len);
        assert_false(same_or_error(&m, &cut));
        free(exact);
    }
    free(f.data);
    model_free(&m);
}

static void test_swapped_pages(void **state)
{
    (void)state;
    uint8_t text[64];
    struct pq_slice cells[32];
    struct model m;
    struct memory_file f = { .data = NULL };
    for (size_t i = 0; i < 32; i++) {
        memset(text + i, (int)('a' + i % 26), 1);
        cells[i] = (struct pq_slice){ text + i, 1 };
    }
    one_column(&m, (struct pq_column){ .type = PQ_BYTE_ARRAY }, cells, 32);
    m.columns[0].codec = PQ_CODEC_NONE;
    m.options.page_rows = 16; /* two pages of the same length: header, CRC and body all fit in the other's place */
    assert_int_equal(model_write(&m, &f), PQ_OK);
    uint8_t first[200];
    size_t page = 0;
    for (size_t n = 90; n < 150; n++)
        if (memcmp(f.data + 4, f.data + 4 + n, 3) == 0)
            page = n;
    assert_true(page > 0 && page < sizeof(first));
    memcpy(first, f.data + 4, page);
    memmove(f.data + 4, f.data + 4 + page, page);
    memcpy(f.data + 4 + page, first, page);
    assert_false(same_or_error(&m, &f));
    free(f.data);
    model_free(&m);
}

/* ---- reading little ---- */

static void payload_model(struct model *m, size_t rows)
{
    model_init(m, 5);
    m->groups = 1;
    m->rows = m->group_rows[0] = rows;
    struct pq_column payload = { .name = "payload", .type = PQ_BYTE_ARRAY, .codec = PQ_CODEC_ZSTD, .level = 1 };
    struct pq_column number = { .name = "n", .type = PQ_INT64, .codec = PQ_CODEC_ZSTD, .level = 1, .stats = true };
    struct pq_slice *p = model_column(m, payload, PQ_DATA_FLAT), *n = model_column(m, number, PQ_DATA_FLAT);
    for (size_t i = 0; i < rows; i++) {
        uint8_t octets[700];
        prng_fill(&m->seed, octets, sizeof(octets));
        p[i] = model_cell(m, octets, sizeof(octets));
        n[i] = model_cell(m, &i, sizeof(i));
    }
}

static int count_value(void *ctx, size_t i, struct pq_slice value)
{
    size_t *count = ctx;
    (*count)++;
    return value.ptr == NULL || i > 1000 ? -100 : 0;
}

static void test_one_row_reads_one_page(void **state)
{
    (void)state;
    struct model m;
    struct memory_file f = { .data = NULL };
    struct pq_slice v;
    payload_model(&m, 8000);
    assert_int_equal(model_write(&m, &f), PQ_OK);
    assert_true(f.len > 5000000);
    struct pq_reader *r = open_ok(&f);
    uint64_t opened = pq_reader_octets_read(r);
    assert_true(opened <= 16384);
    assert_int_equal(pq_reader_reads(r), 1);
    assert_int_equal(pq_reader_value(r, 0, 0, 7777, &v), PQ_OK);
    assert_true(same_value(v, m.cells[0][7777]));
    assert_true(pq_reader_octets_read(r) - opened < 131072 + 8192); /* one page and the OffsetIndex */
    assert_int_equal(pq_reader_reads(r), 3);
    assert_int_equal(pq_reader_value(r, 0, 0, 7776, &v), PQ_OK); /* the same page */
    assert_int_equal(pq_reader_reads(r), 3);
    const uint64_t rows[] = { 7700, 7701, 7777, 7778 };
    size_t count = 0;
    assert_int_equal(pq_reader_values(r, 0, rows, 4, count_value, &count), PQ_OK);
    assert_int_equal(count, 4);
    assert_true(pq_reader_reads(r) <= 4);
    assert_int_equal(pq_reader_values(r, 0, (const uint64_t[]){ 8000 }, 1, count_value, &count), PQ_ERR_USAGE);
    pq_reader_trim(r);
    assert_int_equal(pq_reader_value(r, 0, 1, 4096, &v), PQ_OK);
    assert_int_equal(pq_as_int64(v), 4096);
    pq_reader_free(r);
    free(f.data);
    model_free(&m);
}

/* ---- wrong use, limits, foreign files ---- */

static void test_foreign(void **state)
{
    (void)state;
    static const char *const files[] = { "", "PAR1", "PAR1\x01\x00\x00\x00PAR1",
                                         "this is no Parquet file at all, is it?",
                                         "PAR1aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\x20\x20" };
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        struct memory_file f = { .data = (uint8_t *)(uintptr_t)files[i], .len = strlen(files[i]) };
        struct pq_source source = memory_source(&f);
        struct pq_reader *r = NULL;
        char text[256] = "";
        assert_int_equal(pq_reader_open(&r, &source, NULL, text), PQ_ERR_FOREIGN);
        assert_true(strlen(text) > 10);
    }
    assert_string_equal(pq_error_text(PQ_ERR_DAMAGED), "damaged");
    assert_string_equal(pq_error_text(-1000), "unknown error");
    assert_string_equal(pq_error_text(7), "unknown error");
}

static void test_wrong_use(void **state)
{
    (void)state;
    struct memory_file f = { .data = NULL };
    struct pq_sink sink = { memory_write, &f };
    struct pq_column c = { .name = "c", .type = PQ_INT32, .codec = PQ_CODEC_ZSTD, .level = 1 };
    const struct pq_column bad[] = {
        { .name = "c", .type = PQ_INT32, .logical = PQ_LOGICAL_STRING, .codec = PQ_CODEC_ZSTD, .level = 1 },
        { .name = "c", .type = PQ_FIXED, .codec = PQ_CODEC_ZSTD, .level = 1 },
        { .name = "c", .type = PQ_INT32, .codec = PQ_CODEC_ZSTD, .level = 40 },
        { .name = "c", .type = (enum pq_type)3, .codec = PQ_CODEC_NONE },
        { .name = NULL, .type = PQ_INT32, .codec = PQ_CODEC_NONE },
    };
    struct pq_writer *w = NULL;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(pq_writer_open(&w, &bad[i], 1, &sink, NULL), PQ_ERR_USAGE);
    assert_int_equal(pq_writer_open(&w, &c, 0, &sink, NULL), PQ_ERR_USAGE);
    const int32_t numbers[] = { 1, 2, 3 };
    const uint8_t validity[] = { 5 };
    const struct pq_segment segment = { .rows = 3, .values = numbers, .validity = validity };
    const struct pq_data data = { .segments = &segment, .segment_count = 1 };
    assert_int_equal(pq_writer_open(&w, &c, 1, &sink, NULL), PQ_OK);
    assert_int_equal(pq_writer_group_begin(w, 3), PQ_OK);
    assert_int_equal(pq_writer_column(w, &data), PQ_ERR_USAGE); /* a NULL, but the column has none */
    assert_non_null(strstr(pq_writer_error(w), "NULL"));
    assert_int_equal(pq_writer_group_end(w), PQ_ERR_USAGE); /* it sticks */
    assert_int_equal(pq_writer_close(w), PQ_ERR_USAGE);
    pq_writer_free(w);
    assert_int_equal(pq_writer_open(&w, &c, 1, &sink, NULL), PQ_OK);
    assert_int_equal(pq_writer_group_begin(w, 2), PQ_OK);
    assert_int_equal(pq_writer_column(w, &data), PQ_ERR_USAGE); /* three rows for two */
    pq_writer_free(w);
    pq_writer_free(NULL);
    pq_reader_free(NULL);
    free(f.data);
}

static void test_sink_refuses(void **state)
{
    (void)state;
    struct model m;
    struct memory_file f = { .data = NULL };
    small_table(&m, &f);
    size_t whole = f.len;
    for (size_t limit = 1; limit < whole; limit += 37) {
        f.len = 0;
        f.refuse_after = limit;
        assert_int_equal(model_write(&m, &f), PQ_ERR_SINK);
    }
    free(f.data);
    model_free(&m);
}

static void test_limits(void **state)
{
    (void)state;
    struct model m;
    struct memory_file f = { .data = NULL };
    struct pq_reader *r = NULL;
    small_table(&m, &f);
    struct pq_source source = memory_source(&f);
    char text[256];
    assert_int_equal(pq_reader_open(&r, &source, &(struct pq_reader_options){ .footer_max = 100 }, text), PQ_ERR_LIMIT);
    assert_int_equal(pq_reader_open(&r, &source, &(struct pq_reader_options){ .page_max = 1 }, text), PQ_OK);
    assert_int_not_equal(pq_reader_verify(r), PQ_OK);
    assert_non_null(strstr(pq_reader_error(r), "limit"));
    pq_reader_free(r);
    free(f.data);
    model_free(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_tables),
        cmocka_unit_test(test_large_groups),
        cmocka_unit_test(test_long_texts_are_cut),
        cmocka_unit_test(test_doubles),
        cmocka_unit_test(test_nulls_only_and_empty),
        cmocka_unit_test(test_every_flipped_octet),
        cmocka_unit_test(test_every_length),
        cmocka_unit_test(test_swapped_pages),
        cmocka_unit_test(test_one_row_reads_one_page),
        cmocka_unit_test(test_foreign),
        cmocka_unit_test(test_wrong_use),
        cmocka_unit_test(test_sink_refuses),
        cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
