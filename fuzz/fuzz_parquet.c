/*
 * A Parquet file from anybody. Opened as it is, it must be what our writer sealed; opened with checksums ignored, its
 * footer, indexes and pages reach the decoders whatever they say. No value may lie outside of what was read, and what
 * the file says of its rows must agree with itself.
 */
#include <string.h>

#include "fuzz.h"
#include "store/parquet/reader.h"

struct file {
    const uint8_t *data;
    size_t size;
};

static int file_read(void *ctx, uint64_t offset, void *to, size_t len)
{
    struct file *f = ctx;
    FUZZ_CHECK(offset <= f->size && len <= f->size - offset); /* never asked beyond the end */
    memcpy(to, f->data + offset, len);
    return 0;
}

static uint64_t touched; /* octets of values, so that a sanitizer sees every one read */

static void touch(struct pq_slice v)
{
    for (size_t i = 0; i < v.len; i++)
        touched += v.ptr[i];
}

static void check_value(struct pq_reader *r, size_t group, size_t column, size_t row)
{
    struct pq_slice v = { NULL, 0 };
    int rc = pq_reader_value(r, group, column, row, &v);
    if (rc != PQ_OK) {
        FUZZ_CHECK(pq_reader_error(r)[0] != '\0');
        return;
    }
    const struct pq_column *c = pq_reader_column(r, column);
    FUZZ_CHECK(v.ptr != NULL || c->nullable);
    FUZZ_CHECK(v.ptr == NULL || c->type == PQ_BYTE_ARRAY || v.len == pq_column_width(c));
    touch(v);
}

static void check_column(struct pq_reader *r, size_t group, size_t column)
{
    size_t rows = pq_reader_group_rows(r, group), pages, sum = 0;
    struct pq_stats s;
    bool maybe;
    FUZZ_CHECK(rows > 0);
    for (size_t i = 0; i < 16; i++)
        check_value(r, group, column, rows * i / 16);
    check_value(r, group, column, rows - 1);
    FUZZ_CHECK(pq_reader_value(r, group, column, rows, &(struct pq_slice){ NULL, 0 }) == PQ_ERR_USAGE);
    if (pq_reader_stats(r, group, column, &s) == PQ_OK && s.has_range) {
        touch(s.min);
        touch(s.max);
        (void)pq_reader_maybe(r, group, column, s.min, &maybe);
    }
    if (pq_reader_pages(r, group, column, &pages) != PQ_OK)
        return;
    for (size_t p = 0; p < pages; p++) {
        size_t first = 0, count = 0;
        FUZZ_CHECK(pq_reader_page_rows(r, group, column, p, &first, &count) == PQ_OK && first == sum && count > 0);
        sum += count;
        if (p < 8 && pq_reader_page_stats(r, group, column, p, &s) == PQ_OK && s.has_range)
            touch(s.max);
    }
    FUZZ_CHECK(sum == rows);
}

static void check_file(struct file *f, bool ignore_checksums)
{
    struct pq_source source = { file_read, f, f->size };
    struct pq_reader_options options = { .page_max = 1u << 20, .ignore_checksums = ignore_checksums };
    struct pq_reader *r = NULL;
    char text[256] = "";
    if (pq_reader_open(&r, &source, &options, text) != PQ_OK) {
        FUZZ_CHECK(text[0] != '\0');
        return;
    }
    size_t groups = pq_reader_groups(r), columns = pq_reader_columns(r);
    for (size_t g = 0; g < groups && g < 4; g++)
        for (size_t c = 0; c < columns && c < 16; c++)
            check_column(r, g, c);
    if (groups <= 4 && columns <= 16)
        (void)pq_reader_verify(r);
    pq_reader_free(r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct file f = { data, size };
    check_file(&f, false);
    check_file(&f, true);
    return 0;
}
