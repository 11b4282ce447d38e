#include <stdlib.h>
#include <string.h>

#include "store/parquet/bloom.h"
#include "store/parquet/encode.h"
#include "store/parquet/hybrid.h"
#include "store/parquet/page.h"
#include "store/parquet/writer_internal.h"

/* A dictionary of a chunk with hardly a value twice is given up after so many rows. */
#define DICTIONARY_TRIAL 4096u

static const uint8_t nothing[1]; /* place of an empty value: not NULL */

/* ---- rows of segments ---- */

static bool is_valid(const struct pq_segment *s, size_t i)
{
    return s->validity == NULL || (s->validity[i / 8] >> (i % 8) & 1) != 0;
}

static struct pq_slice value_at(const struct pq_segment *s, size_t width, size_t i)
{
    if (width > 0)
        return (struct pq_slice){ (const uint8_t *)s->values + i * width, width };
    size_t start = s->offsets[i], len = s->offsets[i + 1] - start;
    return (struct pq_slice){ len > 0 ? s->bytes + start : nothing, len };
}

static void rewind_rows(struct pq_chunk *k)
{
    k->segment = k->at = 0;
}

/* The segment and place of the next row; the caller asks for no more rows than there are. */
static const struct pq_segment *next_row(struct pq_chunk *k, size_t *ret_at)
{
    while (k->at == k->data->segments[k->segment].rows) {
        k->segment++;
        k->at = 0;
    }
    *ret_at = k->at++;
    return &k->data->segments[k->segment];
}

static struct pq_slice next_value(struct pq_chunk *k, size_t width)
{
    size_t at;
    const struct pq_segment *s = next_row(k, &at);
    return is_valid(s, at) ? value_at(s, width, at) : (struct pq_slice){ NULL, 0 };
}

static int reserve(void **array, size_t *cap, size_t count, size_t size)
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

static int reserve_numbers(uint32_t **array, size_t *cap, size_t count)
{
    void *p = *array;
    int rc = reserve(&p, cap, count, sizeof(**array));
    *array = p;
    return rc;
}

/* ---- dictionary ---- */

/* Entries of the caller's dictionary as slices. */
static int take_dictionary(struct pq_writer *w, const struct pq_chunk *k)
{
    size_t width = pq_column_width(k->column);
    int rc = PQ_OK;
    for (size_t s = 0; s < k->data->dictionary_count; s++) {
        const struct pq_segment *seg = &k->data->dictionary[s];
        for (size_t i = 0; i < seg->rows && rc == PQ_OK; i++)
            rc = pq_dict_append(&w->dict, seg->slices != NULL ? seg->slices[i] : value_at(seg, width, i));
    }
    return rc;
}

/*
 * The caller's codes in one array, checked; *ret_plain is about what the values would take in PLAIN encoding: looking
 * up the length of each would cost more than the rest of this.
 */
static int take_codes(struct pq_writer *w, struct pq_chunk *k, size_t *ret_plain)
{
    int rc = take_dictionary(w, k);
    size_t present = 0, row = 0;
    for (size_t s = 0; s < k->data->segment_count && rc == PQ_OK; s++) {
        const struct pq_segment *seg = &k->data->segments[s];
        for (size_t i = 0; i < seg->rows; i++) {
            uint32_t code = is_valid(seg, i) ? seg->codes[i] : PQ_NULL_CODE;
            w->codes[row++] = code;
            if (code == PQ_NULL_CODE)
                continue;
            if (code >= w->dict.count)
                return pq_writer_fail(w, PQ_ERR_USAGE, "a code beyond the dictionary");
            present++;
        }
    }
    *ret_plain = w->dict.count > 0 ? (size_t)((double)w->dict.octets / (double)w->dict.count * (double)present) : 0;
    return rc;
}

/* Builds a dictionary from the values. *ret_plain is SIZE_MAX if there is none. */
static int build_codes(struct pq_writer *w, struct pq_chunk *k, size_t *ret_plain)
{
    size_t width = pq_column_width(k->column), plain = 0;
    struct pq_slice last = { NULL, 0 };
    uint32_t code = 0;
    rewind_rows(k);
    for (size_t row = 0; row < k->rows; row++) {
        struct pq_slice v = next_value(k, width);
        w->codes[row] = PQ_NULL_CODE;
        if (v.ptr == NULL)
            continue;
        if (last.ptr == NULL || last.len != v.len || memcmp(last.ptr, v.ptr, v.len) != 0) { /* runs are common */
            int rc = pq_dict_code(&w->dict, v, &code);
            if (rc != PQ_OK)
                return rc;
            last = v;
        }
        w->codes[row] = code;
        plain += v.len + 4;
        bool hopeless = row >= DICTIONARY_TRIAL && w->dict.count > row - row / 4;
        if (w->dict.octets > w->dictionary_max || hopeless) {
            *ret_plain = SIZE_MAX;
            return PQ_OK;
        }
    }
    *ret_plain = plain;
    return PQ_OK;
}

static bool pays(const struct pq_writer *w, const struct pq_chunk *k, size_t plain)
{
    size_t width = pq_hybrid_width(w->dict.count > 0 ? (uint32_t)w->dict.count - 1 : 0);
    return w->dict.octets <= w->dictionary_max && w->dict.octets + k->rows * width / 8 < plain;
}

/* Decides how the chunk is encoded and leaves codes and dictionary where there are some. */
static int prepare(struct pq_writer *w, struct pq_chunk *k)
{
    bool given = k->data->kind == PQ_DATA_CODES;
    pq_dict_reset(&w->dict);
    if (!given && (!k->column->dictionary || k->column->type == PQ_BOOLEAN))
        return PQ_OK;
    int rc = reserve_numbers(&w->codes, &w->codes_cap, k->rows);
    size_t plain = 0;
    if (rc == PQ_OK)
        rc = given ? take_codes(w, k, &plain) : build_codes(w, k, &plain);
    if (rc != PQ_OK)
        return rc;
    if (given || plain != SIZE_MAX)
        k->codes = w->codes;
    k->by_code = k->codes != NULL && k->column->type != PQ_BOOLEAN && pays(w, k, plain);
    if (!k->by_code && !given)
        k->codes = NULL;
    if (k->codes == NULL)
        return PQ_OK;
    rc = reserve_numbers(&w->stamps, &w->stamps_cap, w->dict.count);
    if (rc == PQ_OK && w->dict.count > 0)
        memset(w->stamps, 0, w->dict.count * sizeof(*w->stamps));
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
        if (k->codes == NULL)
            v = next_value(k, width);
        else if (k->codes[first + n] != PQ_NULL_CODE) /* a page of codes wants to know only where the NULLs are */
            v = k->by_code ? (struct pq_slice){ nothing, 0 } : w->dict.entries[k->codes[first + n]];
        nulls += v.ptr == NULL;
        octets += k->by_code || width > 0 ? 0 : v.len + 4;
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

static int put_data_page(struct pq_writer *w, struct pq_chunk *k, size_t first, size_t *ret_rows)
{
    size_t room = k->rows - first < w->page_rows ? k->rows - first : w->page_rows;
    struct pq_page_note note = { .first_row = first };
    struct pq_range range = { .any = false };
    size_t n = fill_values(w, k, first, room, &note.nulls);
    if (note.nulls > 0 && !k->column->nullable)
        return pq_writer_fail(w, PQ_ERR_USAGE, "a NULL in a column that has none");
    buf_reset(&w->raw);
    pq_levels_put(&w->raw, k->column, w->values, n, note.nulls, w->levels);
    if (k->by_code)
        put_codes(w, k, first, n);
    else
        pq_values_put(&w->raw, k->column, w->values, n);
    if (k->codes != NULL)
        look_at_codes(w, k, first, n, &range);
    else
        look_at_values(w, k, n, &range);
    struct pq_page page = { .encoding = k->by_code ? PQ_ENCODING_RLE_DICTIONARY : PQ_ENCODING_PLAIN, .values = n };
    int rc = note_range(w, k, &range, &note);
    if (rc == PQ_OK)
        rc = put_raw(w, k, &page, &note);
    k->nulls += note.nulls;
    *ret_rows = n;
    return rc == PQ_OK ? pq_note_add(w, &note) : rc;
}

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

static int put_built_pages(struct pq_writer *w, struct pq_chunk *k)
{
    int rc = prepare(w, k);
    if (rc == PQ_OK && k->by_code)
        rc = put_dictionary(w, k);
    k->data_start = w->counts.octets;
    rewind_rows(k);
    for (size_t row = 0, n = 0; row < k->rows && rc == PQ_OK; row += n)
        rc = put_data_page(w, k, row, &n);
    return rc;
}

int pq_chunk_write(struct pq_writer *w, struct pq_chunk *k)
{
    void *values = w->values;
    buf_reset(&w->notes);
    buf_reset(&w->hashes);
    k->start = k->data_start = w->counts.octets;
    int rc = reserve(&values, &w->values_cap, w->page_rows, sizeof(*w->values));
    w->values = values;
    if (rc == PQ_OK)
        rc = reserve_numbers(&w->levels, &w->levels_cap, w->page_rows);
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
