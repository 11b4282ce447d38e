#include <stdlib.h>

#include "store/parquet/delta.h"
#include "store/parquet/encode.h"
#include "store/parquet/hybrid.h"
#include "store/parquet/page.h"
#include "store/parquet/reader_internal.h"

void pq_slot_init(struct pq_slot *s)
{
    *s = (struct pq_slot){ .dictionary_group = PQ_NO_GROUP, .page_group = PQ_NO_GROUP };
    s->offsets.group = s->bounds.group = PQ_NO_GROUP;
    buf_init(&s->offsets.octets, PQ_INDEX_MAX);
    buf_init(&s->bounds.octets, PQ_INDEX_MAX);
    pq_arena_init(&s->offsets.arena, PQ_INDEX_MAX);
    pq_arena_init(&s->bounds.arena, PQ_INDEX_MAX * 2);
    buf_init(&s->dictionary, PQ_PAGE_MAX + 1);
    buf_init(&s->body, PQ_PAGE_MAX + 1);
    buf_init(&s->unpacked, (size_t)PQ_PAGE_ROWS_MAX * 8 + 1);
}

void pq_slot_trim(struct pq_slot *s)
{
    buf_free(&s->offsets.octets);
    buf_free(&s->bounds.octets);
    pq_arena_free(&s->offsets.arena);
    pq_arena_free(&s->bounds.arena);
    buf_free(&s->dictionary);
    buf_free(&s->body);
    buf_free(&s->unpacked);
    free(s->entries);
    free(s->values);
    free(s->codes);
    pq_slot_init(s);
}

/* Reads a page into r->raw and checks its seal and CRC. */
static int fetch_raw(struct pq_reader *r, uint64_t offset, uint64_t len, uint64_t seal, struct pq_page *page)
{
    int rc = pq_reader_fetch(r, offset, len, &r->raw);
    if (rc != PQ_OK)
        return rc;
    struct pq_slice whole = { r->raw.ptr, r->raw.len };
    page->body.ptr = NULL;
    rc = pq_page_parse(whole, page);
    if (rc != PQ_OK && !(r->options.ignore_checksums && page->body.ptr != NULL))
        return PQ_ERR_DAMAGED;
    size_t header = whole.len - page->body.len;
    uint64_t found = pq_seal_more(pq_seal(offset, (struct pq_slice){ whole.ptr, header }), page->body);
    if (found != seal && !r->options.ignore_checksums)
        return PQ_ERR_DAMAGED;
    return page->uncompressed > r->options.page_max ? PQ_ERR_LIMIT : PQ_OK;
}

/* Expands the body of a page into the emptied buffer. */
static int expand(struct pq_reader *r, size_t group, size_t column, const struct pq_page *page, struct buf *body)
{
    buf_reset(body);
    uint8_t *to = buf_space(body, page->uncompressed + 1); /* never nothing: a place is wanted */
    if (to == NULL)
        return PQ_ERR_MEMORY;
    enum pq_codec codec = (enum pq_codec)pq_reader_chunk(r, group, column)->meta.codec;
    int rc = pq_zip_expand(r->zip, codec, page->body, to, page->uncompressed);
    if (rc == PQ_OK)
        buf_added(body, page->uncompressed);
    return rc;
}

int pq_reader_page_raw(struct pq_reader *r, size_t group, size_t column, size_t page, struct pq_page *ret)
{
    const struct pq_slot *s = &r->slots[column];
    const struct pq_m_page_location *l = pq_reader_location(s, page);
    uint64_t seal = pq_le64_load(s->offset_index.extension.ptr + page * 8);
    (void)group;
    return fetch_raw(r, (uint64_t)l->offset, (uint64_t)l->compressed_page_size, seal, ret);
}

bool pq_reader_has_dictionary(const struct pq_reader *r, size_t group, size_t column)
{
    return (pq_reader_chunk(r, group, column)->meta.present & PQ_HAS(8)) != 0;
}

int pq_reader_dictionary_raw(struct pq_reader *r, size_t group, size_t column, struct pq_page *ret)
{
    const struct pq_slot *s = &r->slots[column];
    const struct pq_m_column_meta *m = &pq_reader_chunk(r, group, column)->meta;
    if (!pq_reader_has_dictionary(r, group, column) || m->dictionary_page_offset >= m->data_page_offset)
        return PQ_ERR_DAMAGED;
    uint64_t offset = (uint64_t)m->dictionary_page_offset, len = (uint64_t)m->data_page_offset - offset;
    uint64_t seal = pq_le64_load(s->offset_index.extension.ptr + s->offset_index.locations.count * 8);
    return fetch_raw(r, offset, len, seal, ret);
}

static int grow_values(struct pq_slice **array, size_t *cap, size_t count)
{
    if (*cap >= count && *array != NULL)
        return PQ_OK;
    struct pq_slice *grown = realloc(*array, (count > 0 ? count : 1) * sizeof(*grown));
    if (grown == NULL)
        return PQ_ERR_MEMORY;
    *array = grown;
    *cap = count;
    return PQ_OK;
}

static int grow_numbers(uint32_t **array, size_t *cap, size_t count)
{
    if (*cap >= count && *array != NULL)
        return PQ_OK;
    uint32_t *grown = realloc(*array, (count > 0 ? count : 1) * sizeof(*grown));
    if (grown == NULL)
        return PQ_ERR_MEMORY;
    *array = grown;
    *cap = count;
    return PQ_OK;
}

/* ---- dictionary ---- */

static int decode_dictionary(struct pq_reader *r, struct pq_slot *s, size_t column, const struct pq_page *page)
{
    struct rd in;
    size_t cap = 0;
    /* An empty value needs its length, a fixed one its width: more entries than octets cannot be. */
    if (!page->dictionary || page->encoding != PQ_ENCODING_PLAIN || page->values > s->dictionary.len)
        return PQ_ERR_DAMAGED;
    free(s->entries);
    s->entries = NULL;
    s->entry_count = page->values;
    int rc = grow_values(&s->entries, &cap, page->values);
    if (rc != PQ_OK)
        return rc;
    rd_init(&in, s->dictionary.ptr, s->dictionary.len);
    return pq_values_get(&in, &r->columns[column], s->entries, s->entry_count);
}

static int load_dictionary(struct pq_reader *r, size_t group, size_t column)
{
    struct pq_slot *s = &r->slots[column];
    struct pq_page page = { .values = 0 };
    if (s->dictionary_group == group)
        return PQ_OK;
    s->dictionary_group = s->page_group = PQ_NO_GROUP; /* values of the page may lie in the old one */
    int rc = pq_reader_dictionary_raw(r, group, column, &page);
    if (rc == PQ_OK)
        rc = expand(r, group, column, &page, &s->dictionary);
    if (rc == PQ_OK)
        rc = decode_dictionary(r, s, column, &page);
    if (rc == PQ_OK)
        s->dictionary_group = group;
    return rc;
}

/* ---- data ---- */

/* Definition levels: *ret_present values are not NULL; r->numbers says which, unless all are or none is. */
static int take_levels(struct pq_reader *r, struct rd *in, bool nullable, size_t rows, size_t *ret_present)
{
    struct rd levels;
    *ret_present = rows;
    if (!nullable)
        return PQ_OK;
    if (!rd_sub(in, rd_u32le(in), &levels))
        return PQ_ERR_DAMAGED;
    int rc = grow_numbers(&r->numbers, &r->number_cap, rows);
    if (rc == PQ_OK)
        rc = pq_hybrid_read(&levels, r->numbers, rows, 1);
    size_t present = 0;
    for (size_t i = 0; rc == PQ_OK && i < rows; i++)
        present += r->numbers[i];
    *ret_present = present;
    return rc;
}

/* Moves `present` codes from the front to the rows that are not NULL. */
static void spread_codes(uint32_t *codes, const uint32_t *levels, size_t rows, size_t present)
{
    if (present == rows)
        return;
    for (size_t i = rows; i-- > 0;)
        codes[i] = levels[i] != 0 ? codes[--present] : PQ_NULL_CODE;
}

/* The codes of a page into the slot, one a row; they are entries of the dictionary, which is loaded, or PQ_NULL_CODE.
 */
static int take_codes(struct pq_reader *r, struct rd *in, size_t column, size_t rows, size_t present)
{
    struct pq_slot *s = &r->slots[column];
    uint32_t most = 0;
    int rc = grow_numbers(&s->codes, &s->code_cap, rows);
    if (rc == PQ_OK)
        rc = pq_hybrid_read(in, s->codes, present, rd_u8(in));
    for (size_t i = 0; rc == PQ_OK && i < present; i++)
        most = s->codes[i] > most ? s->codes[i] : most;
    if (rc == PQ_OK && present > 0 && most >= s->entry_count)
        rc = PQ_ERR_DAMAGED;
    if (rc == PQ_OK)
        spread_codes(s->codes, r->numbers, rows, present);
    return rc;
}

static struct pq_slice coded_value(const struct pq_slot *s, size_t row)
{
    return s->codes[row] == PQ_NULL_CODE ? (struct pq_slice){ NULL, 0 } : s->entries[s->codes[row]];
}

static int take_differences(struct pq_reader *r, struct rd *in, size_t column, size_t count, struct pq_slice *values)
{
    struct pq_slot *s = &r->slots[column];
    const struct pq_column *c = &r->columns[column];
    size_t width = pq_column_width(c);
    if (c->type != PQ_INT32 && c->type != PQ_INT64)
        return PQ_ERR_DAMAGED;
    buf_reset(&s->unpacked);
    uint8_t *to = buf_space(&s->unpacked, count * width + 1);
    if (to == NULL)
        return PQ_ERR_MEMORY;
    int rc = pq_delta_get(in, width, to, count);
    for (size_t i = 0; i < count && rc == PQ_OK; i++)
        values[i] = (struct pq_slice){ to + i * width, width };
    return rc;
}

/* Moves `present` values from the front to the rows that are not NULL. */
static void spread(struct pq_slice *values, const uint32_t *levels, size_t rows, size_t present)
{
    if (present == rows)
        return;
    for (size_t i = rows; i-- > 0;)
        values[i] = levels[i] != 0 ? values[--present] : (struct pq_slice){ NULL, 0 };
}

static int decode_values(struct pq_reader *r, struct rd *in, size_t column, int32_t encoding, size_t rows,
                         size_t present)
{
    struct pq_slot *s = &r->slots[column];
    int rc = grow_values(&s->values, &s->value_cap, rows);
    if (rc == PQ_OK && encoding == PQ_ENCODING_DELTA)
        rc = take_differences(r, in, column, present, s->values);
    else if (rc == PQ_OK && encoding == PQ_ENCODING_PLAIN)
        rc = pq_values_get(in, &r->columns[column], s->values, present);
    else if (rc == PQ_OK)
        rc = PQ_ERR_DAMAGED;
    if (rc == PQ_OK)
        spread(s->values, r->numbers, rows, present);
    return rc;
}

/* Of a page with codes these alone are read: who wants one value needs no other. */
static int decode_page(struct pq_reader *r, size_t group, size_t column, const struct pq_page *page, size_t rows)
{
    struct pq_slot *s = &r->slots[column];
    struct rd in;
    size_t present;
    if (page->dictionary || page->values != rows || rows > PQ_PAGE_ROWS_MAX)
        return PQ_ERR_DAMAGED;
    s->coded = page->encoding == PQ_ENCODING_RLE_DICTIONARY;
    int rc = s->coded ? load_dictionary(r, group, column) : PQ_OK;
    if (rc != PQ_OK)
        return rc;
    rd_init(&in, s->body.ptr, s->body.len);
    rc = take_levels(r, &in, r->columns[column].nullable, rows, &present);
    if (rc != PQ_OK)
        return rc;
    return s->coded ? take_codes(r, &in, column, rows, present)
                    : decode_values(r, &in, column, page->encoding, rows, present);
}

/* Values of all rows of the page in the slot. */
static int fill_values(struct pq_slot *s, size_t rows)
{
    if (!s->coded)
        return PQ_OK;
    int rc = grow_values(&s->values, &s->value_cap, rows);
    for (size_t i = 0; rc == PQ_OK && i < rows; i++)
        s->values[i] = coded_value(s, i);
    return rc;
}

int pq_reader_page(struct pq_reader *r, size_t group, size_t column, size_t page)
{
    struct pq_slot *s = &r->slots[column];
    struct pq_page parsed = { .values = 0 };
    if (s->page_group == group && s->page == page)
        return PQ_OK;
    s->page_group = PQ_NO_GROUP;
    int rc = pq_reader_page_raw(r, group, column, page, &parsed);
    if (rc == PQ_OK)
        rc = expand(r, group, column, &parsed, &s->body);
    if (rc == PQ_OK)
        rc = decode_page(r, group, column, &parsed, pq_reader_rows_of(r, s, group, page));
    if (rc == PQ_ERR_SOURCE)
        return rc;
    if (rc != PQ_OK)
        return pq_reader_fail(r, rc, "page %zu of column %s, row group %zu", page, r->columns[column].name, group);
    s->page_group = group;
    s->page = page;
    return PQ_OK;
}

/* ---- values ---- */

static size_t page_of(const struct pq_slot *s, size_t row)
{
    size_t low = 0, high = s->offset_index.locations.count;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if ((size_t)pq_reader_location(s, middle)->first_row_index <= row)
            low = middle;
        else
            high = middle;
    }
    return low;
}

int pq_reader_value(struct pq_reader *r, size_t group, size_t column, size_t row, struct pq_slice *ret)
{
    if (column >= r->column_count || row >= pq_reader_group_rows(r, group))
        return pq_reader_fail(r, PQ_ERR_USAGE, "no row %zu in row group %zu, or no column %zu", row, group, column);
    struct pq_slot *s = &r->slots[column];
    int rc = pq_reader_offsets(r, group, column);
    if (rc != PQ_OK)
        return rc;
    size_t page = page_of(s, row);
    rc = pq_reader_page(r, group, column, page);
    if (rc != PQ_OK)
        return rc;
    row -= (size_t)pq_reader_location(s, page)->first_row_index;
    *ret = s->coded ? coded_value(s, row) : s->values[row];
    return PQ_OK;
}

int pq_reader_values(struct pq_reader *r, size_t column, const uint64_t *rows, size_t count, pq_value_fn fn, void *ctx)
{
    for (size_t i = 0; i < count; i++) {
        size_t group, row;
        struct pq_slice value = { NULL, 0 };
        int rc = pq_reader_locate(r, rows[i], &group, &row);
        if (rc == PQ_OK)
            rc = pq_reader_value(r, group, column, row, &value);
        if (rc == PQ_OK)
            rc = fn(ctx, i, value);
        if (rc != 0)
            return rc;
    }
    return PQ_OK;
}

/* ---- whole pages ---- */

/* Demands a chunk and a page of it; its OffsetIndex is then in the slot. */
static int seek(struct pq_reader *r, size_t group, size_t column, size_t page)
{
    size_t pages;
    int rc = pq_reader_pages(r, group, column, &pages);
    if (rc == PQ_OK && page >= pages)
        rc = PQ_ERR_USAGE;
    return rc == PQ_ERR_USAGE ? pq_reader_fail(r, rc, "no page %zu of column %zu in row group %zu", page, column, group)
                              : rc;
}

int pq_reader_page_values(struct pq_reader *r, size_t group, size_t column, size_t page, const struct pq_slice **ret,
                          size_t *ret_count)
{
    int rc = seek(r, group, column, page);
    if (rc == PQ_OK)
        rc = pq_reader_page(r, group, column, page);
    if (rc != PQ_OK)
        return rc;
    *ret_count = pq_reader_rows_of(r, &r->slots[column], group, page);
    rc = fill_values(&r->slots[column], *ret_count);
    *ret = r->slots[column].values;
    return rc;
}

int pq_reader_dictionary(struct pq_reader *r, size_t group, size_t column, const struct pq_slice **ret,
                         size_t *ret_count)
{
    int rc = seek(r, group, column, 0);
    if (rc != PQ_OK)
        return rc;
    if (!pq_reader_has_dictionary(r, group, column))
        return PQ_ERR_ABSENT;
    rc = load_dictionary(r, group, column);
    if (rc != PQ_OK)
        return rc == PQ_ERR_SOURCE ? rc : pq_reader_fail_at(r, rc, group, column, "dictionary");
    *ret = r->slots[column].entries;
    *ret_count = r->slots[column].entry_count;
    return PQ_OK;
}

/* The codes of a page whose body is expanded, without the values that they stand for. */
static int decode_codes(struct pq_reader *r, size_t column, size_t rows)
{
    struct rd in;
    size_t present;
    rd_init(&in, r->slots[column].body.ptr, r->slots[column].body.len);
    int rc = take_levels(r, &in, r->columns[column].nullable, rows, &present);
    return rc == PQ_OK ? take_codes(r, &in, column, rows, present) : rc;
}

int pq_reader_page_codes(struct pq_reader *r, size_t group, size_t column, size_t page, const uint32_t **ret,
                         size_t *ret_count)
{
    struct pq_page parsed = { .values = 0 };
    int rc = seek(r, group, column, page);
    if (rc != PQ_OK)
        return rc;
    struct pq_slot *s = &r->slots[column];
    if (!pq_reader_has_dictionary(r, group, column))
        return PQ_ERR_ABSENT;
    rc = load_dictionary(r, group, column);
    s->page_group = PQ_NO_GROUP; /* the body changes, values are not made */
    if (rc == PQ_OK)
        rc = pq_reader_page_raw(r, group, column, page, &parsed);
    *ret_count = pq_reader_rows_of(r, s, group, page);
    if (rc == PQ_OK && (parsed.dictionary || parsed.values != *ret_count || *ret_count > PQ_PAGE_ROWS_MAX ||
                        parsed.encoding != PQ_ENCODING_RLE_DICTIONARY))
        rc = PQ_ERR_DAMAGED;
    if (rc == PQ_OK)
        rc = expand(r, group, column, &parsed, &s->body);
    if (rc == PQ_OK)
        rc = decode_codes(r, column, *ret_count);
    *ret = s->codes;
    return rc == PQ_OK || rc == PQ_ERR_SOURCE ? rc : pq_reader_fail_at(r, rc, group, column, "page");
}

int pq_reader_page_ready(struct pq_reader *r, size_t group, size_t column, size_t page, struct pq_ready_page *ret)
{
    struct pq_page parsed = { .values = 0 };
    int rc = seek(r, group, column, page);
    if (rc != PQ_OK)
        return rc;
    if (r->columns[column].nullable || r->columns[column].type != PQ_BYTE_ARRAY)
        return PQ_ERR_ABSENT;
    rc = pq_reader_page_raw(r, group, column, page, &parsed);
    if (rc != PQ_OK)
        return rc == PQ_ERR_SOURCE ? rc : pq_reader_fail_at(r, rc, group, column, "page");
    if (parsed.encoding != PQ_ENCODING_PLAIN)
        return PQ_ERR_ABSENT;
    size_t rows = pq_reader_rows_of(r, &r->slots[column], group, page);
    if (parsed.dictionary || parsed.values != rows)
        return pq_reader_fail_at(r, PQ_ERR_DAMAGED, group, column, "page");
    *ret = (struct pq_ready_page){ parsed.body, parsed.uncompressed, rows };
    return PQ_OK;
}

static size_t slot_memory(const struct pq_slot *s)
{
    return s->offsets.octets.cap + s->offsets.arena.total + s->bounds.octets.cap + s->bounds.arena.total +
           s->dictionary.cap + s->body.cap + s->unpacked.cap +
           (s->entry_count + s->value_cap) * sizeof(struct pq_slice) + s->code_cap * sizeof(*s->codes);
}

size_t pq_reader_memory(const struct pq_reader *r)
{
    size_t total = sizeof(*r) + r->footer.cap + r->arena.total + r->raw.cap + r->number_cap * sizeof(*r->numbers) +
                   r->column_count * sizeof(*r->slots);
    for (size_t i = 0; i < r->column_count; i++)
        total += slot_memory(&r->slots[i]);
    return total;
}

static int verify_chunk(struct pq_reader *r, size_t group, size_t column)
{
    struct pq_slice bits;
    int rc = pq_reader_offsets(r, group, column);
    for (size_t p = 0; rc == PQ_OK && p < r->slots[column].offset_index.locations.count; p++)
        rc = pq_reader_page(r, group, column, p);
    if (rc == PQ_OK)
        rc = pq_reader_bounds(r, group, column);
    if (rc == PQ_OK || rc == PQ_ERR_ABSENT)
        rc = pq_reader_bloom(r, group, column, &bits);
    return rc == PQ_ERR_ABSENT ? PQ_OK : rc;
}

int pq_reader_verify(struct pq_reader *r)
{
    int rc = PQ_OK;
    for (size_t g = 0; g < r->file.row_groups.count && rc == PQ_OK; g++)
        for (size_t c = 0; c < r->column_count && rc == PQ_OK; c++)
            rc = verify_chunk(r, g, c);
    return rc;
}
