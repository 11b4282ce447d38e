#include <stdlib.h>
#include <string.h>

#include "store/parquet/bloom.h"
#include "store/parquet/delta.h"
#include "store/parquet/encode.h"
#include "store/parquet/hybrid.h"
#include "store/parquet/page.h"
#include "store/parquet/writer_internal.h"

static const uint8_t nothing[1]; /* place of an empty value: not NULL */

/* ---- rows of segments ---- */

struct pq_slice pq_segment_value(const struct pq_segment *s, size_t width, size_t i)
{
    if (!pq_segment_valid(s, i))
        return (struct pq_slice){ NULL, 0 };
    if (width > 0)
        return (struct pq_slice){ (const uint8_t *)s->values + i * width, width };
    size_t start = s->offsets[i], len = s->offsets[i + 1] - start;
    return (struct pq_slice){ len > 0 ? s->bytes + start : nothing, len };
}

void pq_rows_rewind(struct pq_chunk *k)
{
    k->segment = k->at = 0;
}

const struct pq_segment *pq_rows_next(struct pq_chunk *k, size_t *ret_at)
{
    while (k->at == k->data->segments[k->segment].rows) {
        k->segment++;
        k->at = 0;
    }
    *ret_at = k->at++;
    return &k->data->segments[k->segment];
}

int pq_reserve(void **array, size_t *cap, size_t count, size_t size)
{
    if (*cap >= count)
        return PQ_OK;
    void *grown = realloc(*array, count * size);
    if (grown == NULL)
        return PQ_ERR_MEMORY;
    *array = grown;
    *cap = count;
    return PQ_OK;
}

int pq_reserve_numbers(uint32_t **array, size_t *cap, size_t count)
{
    void *p = *array;
    int rc = pq_reserve(&p, cap, count, sizeof(**array));
    *array = p;
    return rc;
}

/* ---- pages ---- */

static int put_page(struct pq_writer *w, struct pq_chunk *k, struct pq_page *page, struct pq_page_note *note)
{
    pq_page_header(page, &w->header);
    struct pq_slice header = { w->header.ptr, w->header.len };
    note->offset = w->counts.octets;
    note->size = header.len + page->body.len;
    note->seal = pq_seal_more(pq_seal(note->offset, header), page->body);
    k->uncompressed += header.len + page->uncompressed;
    k->compressed += note->size;
    w->counts.uncompressed += page->uncompressed;
    if (w->header.failed)
        return PQ_ERR_MEMORY;
    int rc = pq_writer_put(w, header);
    return rc == PQ_OK ? pq_writer_put(w, page->body) : rc;
}

/* Compresses w->raw and writes it. */
static int put_raw(struct pq_writer *w, struct pq_chunk *k, struct pq_page *page, struct pq_page_note *note)
{
    struct pq_slice raw = { w->raw.ptr, w->raw.len };
    if (w->raw.failed)
        return PQ_ERR_LIMIT;
    buf_reset(&w->packed);
    int rc = pq_zip_compress(w->zip, k->column->codec, k->column->level, raw, &w->packed);
    if (rc != PQ_OK)
        return rc;
    page->uncompressed = raw.len;
    page->body = (struct pq_slice){ w->packed.ptr, w->packed.len };
    return put_page(w, k, page, note);
}

static int put_dictionary(struct pq_writer *w, struct pq_chunk *k)
{
    struct pq_page page = { .dictionary = true, .encoding = PQ_ENCODING_PLAIN, .values = w->dict.count };
    struct pq_page_note note = { .offset = 0 };
    buf_reset(&w->raw);
    pq_values_put(&w->raw, k->column, w->dict.entries, w->dict.count);
    int rc = put_raw(w, k, &page, &note);
    k->dictionary_seal = note.seal;
    return rc;
}

static int note_range(struct pq_writer *w, struct pq_chunk *k, const struct pq_range *range, struct pq_page_note *note)
{
    bool exact;
    pq_range_join(k->column, &k->range, range);
    note->null_page = !range->any && !range->nan;
    if (range->nan)
        k->stats_broken = true;
    if (!range->any || k->stats_broken)
        return PQ_OK;
    return pq_stat_min(k->column, range->min, &w->group_arena, &note->min, &exact) &&
                   pq_stat_max(k->column, range->max, &w->group_arena, &note->max, &exact)
               ? PQ_OK
               : PQ_ERR_LIMIT;
}

/* Statistics and bloom hashes of the page's values: with codes, each entry is looked at once a page. */
static void look_at_codes(struct pq_writer *w, struct pq_chunk *k, size_t first, size_t count, struct pq_range *range)
{
    uint32_t stamp = (uint32_t)pq_note_count(w) + 1;
    for (size_t i = 0; i < count; i++) {
        uint32_t code = k->codes[first + i];
        if (code == PQ_NULL_CODE || w->stamps[code] == stamp)
            continue;
        if (w->stamps[code] == 0 && k->column->bloom) {
            uint64_t hash = pq_bloom_hash(w->dict.entries[code]);
            buf_put(&w->hashes, &hash, sizeof(hash));
        }
        w->stamps[code] = stamp;
        if (k->column->stats)
            pq_range_add(k->column, range, w->dict.entries[code]);
    }
}

static void look_at_values(struct pq_writer *w, struct pq_chunk *k, size_t count, struct pq_range *range)
{
    for (size_t i = 0; i < count; i++) {
        if (w->values[i].ptr == NULL)
            continue;
        if (k->column->stats)
            pq_range_add(k->column, range, w->values[i]);
        if (k->column->bloom) {
            uint64_t hash = pq_bloom_hash(w->values[i]);
            buf_put(&w->hashes, &hash, sizeof(hash));
        }
    }
}

/* The values of the next page: at most `room` rows, and for octets no more than a page should hold. */
static size_t fill_values(struct pq_writer *w, struct pq_chunk *k, size_t first, size_t room, size_t *ret_nulls)
{
    size_t width = pq_column_width(k->column), octets = 0, n = 0, nulls = 0;
    while (n < room && octets < w->page_octets) {
        struct pq_slice v = { NULL, 0 };
        size_t at;
        if (k->codes == NULL) {
            const struct pq_segment *s = pq_rows_next(k, &at);
            v = pq_segment_value(s, width, at);
        } else if (k->codes[first + n] != PQ_NULL_CODE) {
            v = w->dict.entries[k->codes[first + n]];
        }
        nulls += v.ptr == NULL;
        octets += width > 0 ? 0 : v.len + 4;
        w->values[n++] = v;
    }
    *ret_nulls = nulls;
    return n;
}

/* Width of codes, then the codes of the values that are not NULL. */
static void put_codes(struct pq_writer *w, const struct pq_chunk *k, size_t first, size_t count)
{
    unsigned width = pq_hybrid_width(w->dict.count > 0 ? (uint32_t)w->dict.count - 1 : 0);
    size_t present = 0;
    for (size_t i = 0; i < count; i++) { /* without a branch that NULLs here and there would mispredict */
        w->levels[present] = k->codes[first + i];
        present += k->codes[first + i] != PQ_NULL_CODE;
    }
    buf_putc(&w->raw, (char)width);
    pq_hybrid_write(&w->raw, w->levels, present, width);
}

int pq_note_add(struct pq_writer *w, const struct pq_page_note *note)
{
    buf_put(&w->notes, note, sizeof(*note));
    return w->notes.failed || w->hashes.failed ? PQ_ERR_LIMIT : PQ_OK;
}

/* Statistics, compression, the page itself: what is the same for all data pages. w->raw holds the body. */
static int end_page(struct pq_writer *w, struct pq_chunk *k, int32_t encoding, size_t rows,
                    const struct pq_range *range, struct pq_page_note *note)
{
    struct pq_page page = { .encoding = encoding, .values = rows };
    if (note->nulls > 0 && !k->column->nullable)
        return pq_writer_fail(w, PQ_ERR_USAGE, "a NULL in a column that has none");
    int rc = note_range(w, k, range, note);
    if (rc == PQ_OK)
        rc = put_raw(w, k, &page, note);
    k->nulls += note->nulls;
    return rc == PQ_OK ? pq_note_add(w, note) : rc;
}

static int put_value_page(struct pq_writer *w, struct pq_chunk *k, size_t first, size_t room, size_t *ret_rows)
{
    struct pq_page_note note = { .first_row = first };
    struct pq_range range = { .any = false };
    size_t n = fill_values(w, k, first, room, &note.nulls);
    buf_reset(&w->raw);
    pq_levels_put(&w->raw, k->column, w->values, n, note.nulls, w->levels);
    pq_values_put(&w->raw, k->column, w->values, n);
    if (k->codes != NULL)
        look_at_codes(w, k, first, n, &range);
    else
        look_at_values(w, k, n, &range);
    *ret_rows = n;
    return end_page(w, k, PQ_ENCODING_PLAIN, n, &range, &note);
}

static int put_code_page(struct pq_writer *w, struct pq_chunk *k, size_t first, size_t n)
{
    struct pq_page_note note = { .first_row = first };
    struct pq_range range = { .any = false };
    size_t present = 0;
    for (size_t i = 0; i < n; i++) {
        w->levels[i] = k->codes[first + i] != PQ_NULL_CODE;
        present += w->levels[i];
    }
    note.nulls = n - present;
    buf_reset(&w->raw);
    pq_levels_put_numbers(&w->raw, k->column, w->levels, n, note.nulls);
    put_codes(w, k, first, n);
    look_at_codes(w, k, first, n, &range);
    return end_page(w, k, PQ_ENCODING_RLE_DICTIONARY, n, &range, &note);
}

/* A chunk with one value and no NULL: a page is two runs, however many rows it has. */
static int put_constant_page(struct pq_writer *w, struct pq_chunk *k, size_t first, size_t n)
{
    struct pq_page_note note = { .first_row = first };
    struct pq_range range = { .any = false };
    buf_reset(&w->raw);
    pq_levels_put_numbers(&w->raw, k->column, NULL, n, 0);
    buf_putc(&w->raw, 0);
    pq_hybrid_write_run(&w->raw, 0, n, 0);
    if (k->column->stats)
        pq_range_add(k->column, &range, w->dict.entries[0]);
    if (k->column->bloom && first == 0) {
        uint64_t hash = pq_bloom_hash(w->dict.entries[0]);
        buf_put(&w->hashes, &hash, sizeof(hash));
    }
    return end_page(w, k, PQ_ENCODING_RLE_DICTIONARY, n, &range, &note);
}

/* ---- pages of differences ---- */

static int64_t load_number(const void *values, size_t width, size_t i)
{
    int32_t narrow;
    int64_t wide;
    if (width == 8) {
        memcpy(&wide, (const uint8_t *)values + i * 8, sizeof(wide));
        return wide;
    }
    memcpy(&narrow, (const uint8_t *)values + i * 4, sizeof(narrow));
    return narrow;
}

/* The numbers of the next `rows` rows that are not NULL, and their levels; how many. */
static size_t fill_numbers(struct pq_writer *w, struct pq_chunk *k, size_t rows)
{
    size_t width = pq_column_width(k->column), present = 0;
    for (size_t i = 0; i < rows; i++) {
        size_t at;
        const struct pq_segment *s = pq_rows_next(k, &at);
        w->levels[i] = pq_segment_valid(s, at);
        w->numbers[present] = load_number(s->values, width, at);
        present += w->levels[i];
    }
    return present;
}

/* A number as the value of its column, kept until the group is written. */
static bool keep_number(struct pq_writer *w, const struct pq_chunk *k, int64_t n, struct pq_slice *ret)
{
    return pq_arena_copy(&w->group_arena, (struct pq_slice){ (const uint8_t *)&n, pq_column_width(k->column) }, ret);
}

static int range_of_numbers(struct pq_writer *w, const struct pq_chunk *k, size_t count, struct pq_range *ret)
{
    bool is_unsigned = k->column->logical >= PQ_LOGICAL_UINT8;
    uint64_t flip = is_unsigned ? UINT64_C(1) << 63 : 0; /* sign-extended 32 bits keep their order, too */
    int64_t min = INT64_MAX, max = INT64_MIN;
    if (count == 0 || !k->column->stats)
        return PQ_OK;
    for (size_t i = 0; i < count; i++) {
        int64_t n = (int64_t)((uint64_t)w->numbers[i] ^ flip);
        min = n < min ? n : min;
        max = n > max ? n : max;
    }
    ret->any = true;
    return keep_number(w, k, (int64_t)((uint64_t)min ^ flip), &ret->min) &&
                   keep_number(w, k, (int64_t)((uint64_t)max ^ flip), &ret->max)
               ? PQ_OK
               : PQ_ERR_LIMIT;
}

static int put_delta_page(struct pq_writer *w, struct pq_chunk *k, size_t first, size_t n)
{
    struct pq_page_note note = { .first_row = first };
    struct pq_range range = { .any = false };
    size_t present = fill_numbers(w, k, n);
    note.nulls = n - present;
    buf_reset(&w->raw);
    pq_levels_put_numbers(&w->raw, k->column, w->levels, n, note.nulls);
    pq_delta_put(&w->raw, w->numbers, present, pq_column_width(k->column) == 8);
    int rc = range_of_numbers(w, k, present, &range);
    return rc == PQ_OK ? end_page(w, k, PQ_ENCODING_DELTA, n, &range, &note) : rc;
}

static bool suits_delta(const struct pq_chunk *k)
{
    const struct pq_column *c = k->column;
    return c->delta && !c->bloom && k->data->kind == PQ_DATA_FLAT && (c->type == PQ_INT32 || c->type == PQ_INT64);
}

/* ---- chunks ---- */

static int put_ready_pages(struct pq_writer *w, struct pq_chunk *k)
{
    size_t row = 0;
    int rc = PQ_OK;
    for (size_t i = 0; i < k->data->page_count && rc == PQ_OK; i++) {
        const struct pq_ready_page *p = &k->data->pages[i];
        struct pq_page page = { false, PQ_ENCODING_PLAIN, p->rows, p->uncompressed, p->body };
        struct pq_page_note note = { .first_row = row };
        if (p->body.len > PQ_PAGE_MAX || p->uncompressed > PQ_PAGE_MAX || p->rows > PQ_PAGE_ROWS_MAX)
            return PQ_ERR_LIMIT;
        rc = put_page(w, k, &page, &note);
        if (rc == PQ_OK)
            rc = pq_note_add(w, &note);
        row += p->rows;
    }
    return rc;
}

static int put_null_page(struct pq_writer *w, struct pq_chunk *k, size_t first, size_t rows)
{
    struct pq_page page = { .encoding = PQ_ENCODING_PLAIN, .values = rows };
    struct pq_page_note note = { .first_row = first, .nulls = rows, .null_page = true };
    buf_reset(&w->raw);
    pq_levels_put(&w->raw, k->column, NULL, rows, rows, NULL);
    int rc = put_raw(w, k, &page, &note);
    return rc == PQ_OK ? pq_note_add(w, &note) : rc;
}

static int put_null_pages(struct pq_writer *w, struct pq_chunk *k)
{
    int rc = PQ_OK;
    if (!k->column->nullable)
        return pq_writer_fail(w, PQ_ERR_USAGE, "a NULL in a column that has none");
    for (size_t row = 0, n = 0; row < k->rows && rc == PQ_OK; row += n) {
        n = k->rows - row < PQ_PAGE_ROWS_MAX ? k->rows - row : PQ_PAGE_ROWS_MAX;
        rc = put_null_page(w, k, row, n);
    }
    k->nulls = k->rows;
    return rc;
}

static int put_data_page(struct pq_writer *w, struct pq_chunk *k, size_t row, size_t *ret_rows)
{
    size_t left = k->rows - row, most = w->page_rows;
    if (k->by_code && w->dict.count == 1 && k->present == k->rows) {
        *ret_rows = left < PQ_PAGE_ROWS_MAX ? left : PQ_PAGE_ROWS_MAX;
        return put_constant_page(w, k, row, *ret_rows);
    }
    *ret_rows = left < most ? left : most;
    if (k->by_code)
        return put_code_page(w, k, row, *ret_rows);
    if (k->by_delta)
        return put_delta_page(w, k, row, *ret_rows);
    return put_value_page(w, k, row, *ret_rows, ret_rows);
}

static int put_built_pages(struct pq_writer *w, struct pq_chunk *k)
{
    int rc = pq_chunk_codes(w, k);
    if (rc == PQ_OK && k->by_code)
        rc = put_dictionary(w, k);
    k->by_delta = k->codes == NULL && !k->by_code && suits_delta(k);
    k->data_start = w->counts.octets;
    pq_rows_rewind(k);
    for (size_t row = 0, n = 0; row < k->rows && rc == PQ_OK; row += n)
        rc = put_data_page(w, k, row, &n);
    return rc;
}

static int reserve_page(struct pq_writer *w)
{
    void *values = w->values, *numbers = w->numbers;
    int rc = pq_reserve(&values, &w->values_cap, w->page_rows, sizeof(*w->values));
    w->values = values;
    if (rc == PQ_OK)
        rc = pq_reserve(&numbers, &w->numbers_cap, w->page_rows, sizeof(*w->numbers));
    w->numbers = numbers;
    return rc == PQ_OK ? pq_reserve_numbers(&w->levels, &w->levels_cap, w->page_rows) : rc;
}

int pq_chunk_write(struct pq_writer *w, struct pq_chunk *k)
{
    buf_reset(&w->notes);
    buf_reset(&w->hashes);
    k->start = k->data_start = w->counts.octets;
    int rc = reserve_page(w);
    if (rc != PQ_OK)
        return rc;
    if (k->data->kind == PQ_DATA_PAGES)
        rc = put_ready_pages(w, k);
    else
        rc = k->data->kind == PQ_DATA_NULLS ? put_null_pages(w, k) : put_built_pages(w, k);
    if (rc == PQ_OK && k->compressed > PQ_CHUNK_MAX)
        rc = PQ_ERR_LIMIT;
    return rc;
}
