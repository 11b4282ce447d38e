#include "store/lake/join.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "store/lake/feed.h"
#include "store/parquet/encode.h"
#include "store/parquet/zip.h"

#define OCTETS_MAX ((size_t)256 << 20)
#define SMALL_PAGE (LAKE_PAGE / 2)

/* A page of payload that will be written; its body is in join.bytes. */
struct join_page {
    size_t at, len, uncompressed, rows;
};

struct join {
    struct buf bytes;    /* values, texts, entries of the dictionary, or bodies of pages */
    struct buf offsets;  /* uint32_t: of texts or entries in bytes */
    struct buf validity; /* a bit a row */
    struct buf codes;    /* uint32_t */
    struct buf map;      /* uint32_t: entries of one piece's dictionary as codes of the joined one */
    struct buf pages;    /* struct join_page */
    struct buf ready;    /* struct pq_ready_page */
    struct buf raw;      /* payload that waits to be packed */
    size_t raw_rows, rows;
    uint32_t *slots; /* of the joined dictionary: entry + 1 */
    size_t slot_count, entry_count;
    uint64_t seed;
    struct pq_zip *zip;
    struct pq_segment segment, dictionary;
    /* Rows that are replaced. */
    struct feed *feed; /* NULL until there are some */
    const struct group *patch_rows;
    const struct join_patch *patches;
    size_t patch_count, patch_next;
    struct buf patched; /* struct pq_slice: their values in the column at work */
};

struct join *join_new(void)
{
    struct join *j = calloc(1, sizeof(*j));
    if (j == NULL)
        return NULL;
    struct buf *all[] = { &j->bytes, &j->offsets, &j->validity, &j->codes, &j->map, &j->pages, &j->ready, &j->raw };
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        buf_init(all[i], OCTETS_MAX);
    buf_init(&j->patched, OCTETS_MAX);
    j->seed = catalog_now() ^ (uint64_t)(uintptr_t)j; /* senders choose the texts, not the places they hash to */
    j->zip = pq_zip_new();
    if (j->zip == NULL) {
        join_free(j);
        return NULL;
    }
    return j;
}

void join_free(struct join *j)
{
    if (j == NULL)
        return;
    struct buf *all[] = { &j->bytes, &j->offsets, &j->validity, &j->codes, &j->map, &j->pages, &j->ready, &j->raw };
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        buf_free(all[i]);
    buf_free(&j->patched);
    feed_free(j->feed);
    free(j->slots);
    pq_zip_free(j->zip);
    free(j);
}

static void reset(struct join *j)
{
    struct buf *all[] = { &j->bytes, &j->offsets, &j->validity, &j->codes, &j->map, &j->pages, &j->ready, &j->raw };
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        buf_reset(all[i]);
    buf_reset(&j->patched);
    j->raw_rows = j->rows = j->entry_count = j->patch_next = 0;
    if (j->slot_count > 0)
        memset(j->slots, 0, j->slot_count * sizeof(*j->slots));
}

static int failed(const struct join *j)
{
    return j->bytes.failed || j->offsets.failed || j->validity.failed || j->codes.failed || j->map.failed ||
                   j->pages.failed || j->ready.failed || j->raw.failed || j->patched.failed
               ? PQ_ERR_MEMORY
               : PQ_OK;
}

/* ------------------------------------------------------------------------------------------------ pieces */

static size_t column_of(const struct join_piece *p, unsigned column)
{
    return (size_t)p->file->columns[column];
}

static bool absent(const struct join_piece *p, unsigned column)
{
    return p->file->columns[column] < 0;
}

/* Nothing but NULLs: no page needs to be read. */
static bool all_null(const struct join_piece *p, unsigned column, const struct pq_column *c)
{
    struct pq_stats stats;
    if (absent(p, column))
        return c->nullable;
    return pq_reader_stats(p->file->reader, p->group, column_of(p, column), &stats) == PQ_OK && stats.has_nulls &&
           stats.null_count == p->rows;
}

static bool all_pieces_null(const struct join_piece *pieces, size_t count, unsigned column, const struct pq_column *c)
{
    for (size_t i = 0; i < count; i++)
        if (!all_null(&pieces[i], column, c))
            return false;
    return true;
}

/* Have all pieces codes? PQ_OK, PQ_ERR_ABSENT, or what reading said. */
static int have_codes(const struct join_piece *pieces, size_t count, unsigned column, const struct pq_column *c,
                      size_t *ret_piece)
{
    const struct pq_slice *entries;
    size_t entry_count;
    for (size_t i = 0; i < count; i++) {
        const struct join_piece *p = &pieces[i];
        *ret_piece = i;
        if (all_null(p, column, c))
            continue;
        int rc = absent(p, column)
                     ? PQ_ERR_ABSENT
                     : pq_reader_dictionary(p->file->reader, p->group, column_of(p, column), &entries, &entry_count);
        if (rc != PQ_OK)
            return rc;
    }
    return PQ_OK;
}

/* ------------------------------------------------------------------------------------------------ patches */

int join_patch(struct join *j, const struct group *rows, const struct join_patch *patches, size_t count)
{
    if (count > 0 && j->feed == NULL && (j->feed = feed_new()) == NULL)
        return -ENOMEM;
    j->patch_rows = rows;
    j->patches = patches;
    j->patch_count = count;
    return 0;
}

/* The value of a row of a group; ptr NULL for NULL. */
static struct pq_slice fed_value(const struct pq_data *data, size_t width, size_t row)
{
    const struct pq_segment *s = data->segments;
    struct pq_slice null = { NULL, 0 };
    if (data->kind == PQ_DATA_NULLS)
        return null;
    if (data->kind == PQ_DATA_CODES)
        return s->codes[row] == PQ_NULL_CODE ? null : data->dictionary->slices[s->codes[row]];
    for (; row >= s->rows; s++)
        row -= s->rows;
    if (s->validity != NULL && (s->validity[row / 8] >> row % 8 & 1) == 0)
        return null;
    return (struct pq_slice){ (const uint8_t *)s->values + row * width, width };
}

/* Their values in a column, and whether one of them is there. */
static bool load_patches(struct join *j, unsigned column, const struct pq_column *c)
{
    bool any = false;
    struct pq_data data;
    if (j->patch_count == 0)
        return false;
    feed_column(j->feed, j->patch_rows, column, &data);
    for (size_t i = 0; i < j->patch_count; i++) {
        struct pq_slice value = fed_value(&data, pq_column_width(c), j->patches[i].by);
        buf_put(&j->patched, &value, sizeof(value));
        any = any || value.ptr != NULL;
    }
    return any;
}

static struct pq_slice patched_value(const struct join *j, size_t i)
{
    return ((const struct pq_slice *)(const void *)j->patched.ptr)[i];
}

/* ------------------------------------------------------------------------------------------------ dictionary */

static struct pq_slice entry_at(const struct join *j, size_t width, size_t i)
{
    if (width > 0)
        return (struct pq_slice){ j->bytes.ptr + i * width, width };
    const uint32_t *offsets = (const uint32_t *)(const void *)j->offsets.ptr;
    return (struct pq_slice){ j->bytes.ptr + offsets[i], offsets[i + 1] - offsets[i] };
}

static void put_number(struct buf *b, uint32_t n)
{
    buf_put(b, &n, sizeof(n));
}

static int grow_slots(struct join *j, size_t width)
{
    size_t count = j->slot_count > 0 ? 2 * j->slot_count : 4096;
    uint32_t *slots = calloc(count, sizeof(*slots));
    if (slots == NULL)
        return PQ_ERR_MEMORY;
    for (size_t i = 0; i < j->entry_count; i++) {
        size_t at = pq_xxh64(entry_at(j, width, i), j->seed) & (count - 1);
        while (slots[at] != 0)
            at = (at + 1) & (count - 1);
        slots[at] = (uint32_t)i + 1;
    }
    free(j->slots);
    j->slots = slots;
    j->slot_count = count;
    return PQ_OK;
}

static int code_of(struct join *j, size_t width, struct pq_slice value, uint32_t *ret)
{
    if (j->entry_count * 2 >= j->slot_count && grow_slots(j, width) != PQ_OK)
        return PQ_ERR_MEMORY;
    size_t at = pq_xxh64(value, j->seed) & (j->slot_count - 1);
    for (; j->slots[at] != 0; at = (at + 1) & (j->slot_count - 1)) {
        struct pq_slice entry = entry_at(j, width, j->slots[at] - 1);
        if (entry.len == value.len && (value.len == 0 || memcmp(entry.ptr, value.ptr, value.len) == 0)) {
            *ret = j->slots[at] - 1;
            return PQ_OK;
        }
    }
    buf_put(&j->bytes, value.ptr, value.len);
    if (width == 0)
        put_number(&j->offsets, (uint32_t)j->bytes.len);
    if (j->bytes.failed || j->offsets.failed)
        return PQ_ERR_MEMORY;
    *ret = (uint32_t)j->entry_count;
    j->slots[at] = (uint32_t)++j->entry_count;
    return PQ_OK;
}

static int map_entries(struct join *j, const struct join_piece *p, size_t column, size_t width)
{
    const struct pq_slice *entries;
    size_t count;
    int rc = pq_reader_dictionary(p->file->reader, p->group, column, &entries, &count);
    buf_reset(&j->map);
    for (size_t i = 0; i < count && rc == PQ_OK; i++) {
        uint32_t code = 0;
        rc = code_of(j, width, entries[i], &code);
        put_number(&j->map, code);
    }
    return rc == PQ_OK ? failed(j) : rc;
}

static void put_nulls(struct join *j, size_t rows)
{
    uint8_t *to = buf_space(&j->codes, rows * sizeof(uint32_t));
    if (to == NULL)
        return;
    memset(to, 0xff, rows * sizeof(uint32_t)); /* PQ_NULL_CODE */
    buf_added(&j->codes, rows * sizeof(uint32_t));
}

static int put_page_codes(struct join *j, const struct join_piece *p, size_t column, size_t page)
{
    const uint32_t *codes, *map = (const uint32_t *)(const void *)j->map.ptr;
    size_t count;
    int rc = pq_reader_page_codes(p->file->reader, p->group, column, page, &codes, &count);
    if (rc != PQ_OK)
        return rc;
    uint8_t *space = buf_space(&j->codes, count * sizeof(uint32_t));
    if (space == NULL)
        return PQ_ERR_MEMORY;
    uint32_t *to = (uint32_t *)(void *)space;
    for (size_t i = 0; i < count; i++)
        to[i] = codes[i] == PQ_NULL_CODE ? PQ_NULL_CODE : map[codes[i]];
    buf_added(&j->codes, count * sizeof(uint32_t));
    return PQ_OK;
}

static int patch_codes(struct join *j, size_t width)
{
    int rc = failed(j);
    for (size_t i = 0; i < j->patch_count && rc == PQ_OK; i++) {
        uint32_t code = PQ_NULL_CODE;
        struct pq_slice value = patched_value(j, i);
        if (value.ptr != NULL)
            rc = code_of(j, width, value, &code);
        memcpy(j->codes.ptr + j->patches[i].row * sizeof(code), &code, sizeof(code));
    }
    return rc;
}

static int join_codes(struct join *j, unsigned column, const struct pq_column *c, const struct join_piece *pieces,
                      size_t count, struct pq_data *ret, size_t *ret_piece)
{
    size_t width = pq_column_width(c);
    int rc = PQ_OK;
    put_number(&j->offsets, 0);
    for (size_t i = 0; i < count && rc == PQ_OK; i++) {
        const struct join_piece *p = &pieces[i];
        size_t pages = 0;
        *ret_piece = i;
        if (all_null(p, column, c)) {
            put_nulls(j, p->rows);
            continue;
        }
        rc = map_entries(j, p, column_of(p, column), width);
        if (rc == PQ_OK)
            rc = pq_reader_pages(p->file->reader, p->group, column_of(p, column), &pages);
        for (size_t page = 0; page < pages && rc == PQ_OK; page++)
            rc = put_page_codes(j, p, column_of(p, column), page);
    }
    if (rc == PQ_OK)
        rc = patch_codes(j, width);
    j->segment = (struct pq_segment){ .rows = j->rows, .codes = (const uint32_t *)(const void *)j->codes.ptr };
    j->dictionary = (struct pq_segment){ .rows = j->entry_count,
                                         .values = j->bytes.ptr,
                                         .bytes = j->bytes.ptr,
                                         .offsets = (const uint32_t *)(const void *)j->offsets.ptr };
    *ret = (struct pq_data){ .kind = PQ_DATA_CODES,
                             .segments = &j->segment,
                             .segment_count = 1,
                             .dictionary = &j->dictionary,
                             .dictionary_count = j->entry_count > 0 };
    return rc;
}

/* ------------------------------------------------------------------------------------------------ values */

/* A value, or a NULL (ptr NULL), of row number `row`. */
static void put_value(struct join *j, size_t width, size_t row, struct pq_slice value)
{
    static const uint8_t zeros[16] = { 0 };
    if (j->patch_next < j->patch_count && j->patches[j->patch_next].row == row)
        value = patched_value(j, j->patch_next++);
    if (value.ptr != NULL)
        j->validity.ptr[row / 8] |= (uint8_t)(1u << row % 8);
    else if (width > 0)
        value = (struct pq_slice){ zeros, width };
    buf_put(&j->bytes, value.ptr, value.len);
    if (width == 0)
        put_number(&j->offsets, (uint32_t)j->bytes.len);
}

static int put_values(struct join *j, const struct join_piece *p, unsigned column, size_t width, size_t *row)
{
    const struct pq_slice *values;
    size_t pages = 0, count;
    int rc = pq_reader_pages(p->file->reader, p->group, column_of(p, column), &pages);
    for (size_t page = 0; page < pages && rc == PQ_OK; page++) {
        rc = pq_reader_page_values(p->file->reader, p->group, column_of(p, column), page, &values, &count);
        for (size_t i = 0; rc == PQ_OK && i < count; i++)
            put_value(j, width, (*row)++, values[i]);
    }
    return rc;
}

static int join_values(struct join *j, unsigned column, const struct pq_column *c, const struct join_piece *pieces,
                       size_t count, struct pq_data *ret, size_t *ret_piece)
{
    static const uint8_t zeros[16] = { 0 };
    size_t width = pq_column_width(c), row = 0, room = (j->rows + 7) / 8;
    struct pq_slice nothing = { c->nullable ? NULL : zeros, c->nullable ? 0 : width };
    int rc = PQ_OK;
    uint8_t *bits = buf_space(&j->validity, room);
    if (bits == NULL || width > sizeof(zeros))
        return PQ_ERR_MEMORY;
    memset(bits, 0, room);
    buf_added(&j->validity, room);
    put_number(&j->offsets, 0);
    for (size_t i = 0; i < count && rc == PQ_OK; i++) {
        const struct join_piece *p = &pieces[i];
        *ret_piece = i;
        if (absent(p, column) || all_null(p, column, c))
            for (size_t k = 0; k < p->rows; k++)
                put_value(j, width, row++, nothing);
        else
            rc = put_values(j, p, column, width, &row);
    }
    j->segment = (struct pq_segment){ .rows = j->rows,
                                      .validity = c->nullable ? j->validity.ptr : NULL,
                                      .values = j->bytes.ptr,
                                      .bytes = j->bytes.ptr,
                                      .offsets = (const uint32_t *)(const void *)j->offsets.ptr };
    *ret = (struct pq_data){ .kind = PQ_DATA_FLAT, .segments = &j->segment, .segment_count = 1 };
    return rc;
}

/* ------------------------------------------------------------------------------------------------ payload */

static void note_page(struct join *j, size_t at, size_t uncompressed, size_t rows)
{
    struct join_page page = { at, j->bytes.len - at, uncompressed, rows };
    buf_put(&j->pages, &page, sizeof(page));
}

/* Packs what waits. */
static int flush(struct join *j, const struct pq_column *c)
{
    size_t at = j->bytes.len;
    if (j->raw_rows == 0)
        return PQ_OK;
    int rc = pq_zip_compress(j->zip, c->codec, c->level, (struct pq_slice){ j->raw.ptr, j->raw.len }, &j->bytes);
    note_page(j, at, j->raw.len, j->raw_rows);
    buf_reset(&j->raw);
    j->raw_rows = 0;
    return rc;
}

static int put_small_page(struct join *j, const struct join_piece *p, size_t column, size_t page,
                          const struct pq_column *c)
{
    const struct pq_slice *values;
    size_t count;
    int rc = pq_reader_page_values(p->file->reader, p->group, column, page, &values, &count);
    if (rc != PQ_OK)
        return rc;
    for (size_t i = 0; i < count && rc == PQ_OK; i++) {
        pq_plain_put(&j->raw, values[i]);
        j->raw_rows++;
        if (j->raw.len >= LAKE_PAGE)
            rc = flush(j, c);
    }
    return rc;
}

static int put_payload_page(struct join *j, const struct join_piece *p, size_t column, size_t page,
                            const struct pq_column *c)
{
    struct pq_ready_page ready;
    int rc = pq_reader_page_ready(p->file->reader, p->group, column, page, &ready);
    if (rc == PQ_ERR_ABSENT || (rc == PQ_OK && ready.uncompressed < SMALL_PAGE))
        return put_small_page(j, p, column, page, c);
    if (rc != PQ_OK)
        return rc;
    size_t raw_rows = j->raw_rows;
    if (raw_rows > 0) { /* packing does not touch what the reader has in hand */
        rc = flush(j, c);
        if (rc != PQ_OK)
            return rc;
    }
    size_t at = j->bytes.len;
    buf_put(&j->bytes, ready.body.ptr, ready.body.len);
    note_page(j, at, ready.uncompressed, ready.rows);
    return PQ_OK;
}

static int join_payload(struct join *j, unsigned column, const struct pq_column *c, const struct join_piece *pieces,
                        size_t count, struct pq_data *ret, size_t *ret_piece)
{
    int rc = PQ_OK;
    for (size_t i = 0; i < count && rc == PQ_OK; i++) {
        const struct join_piece *p = &pieces[i];
        size_t pages = 0;
        *ret_piece = i;
        if (absent(p, column))
            return PQ_ERR_ABSENT;
        rc = pq_reader_pages(p->file->reader, p->group, column_of(p, column), &pages);
        for (size_t page = 0; page < pages && rc == PQ_OK; page++)
            rc = put_payload_page(j, p, column_of(p, column), page, c);
    }
    if (rc == PQ_OK)
        rc = flush(j, c);
    const struct join_page *pages = (const struct join_page *)(const void *)j->pages.ptr;
    for (size_t i = 0; i < j->pages.len / sizeof(*pages); i++) {
        struct pq_ready_page page = { { j->bytes.ptr + pages[i].at, pages[i].len },
                                      pages[i].uncompressed,
                                      pages[i].rows };
        buf_put(&j->ready, &page, sizeof(page));
    }
    *ret = (struct pq_data){ .kind = PQ_DATA_PAGES,
                             .pages = (const struct pq_ready_page *)(const void *)j->ready.ptr,
                             .page_count = j->ready.len / sizeof(struct pq_ready_page) };
    return rc;
}

/* ------------------------------------------------------------------------------------------------ columns */

int join_column(struct join *j, unsigned column, const struct pq_column *c, const struct join_piece *pieces,
                size_t count, struct pq_data *ret, size_t *ret_piece)
{
    int rc;
    reset(j);
    for (size_t i = 0; i < count; i++)
        j->rows += pieces[i].rows;
    bool payload = c->type == PQ_BYTE_ARRAY && !c->stats;
    bool patched = !payload && load_patches(j, column, c);
    if (failed(j) != PQ_OK) {
        *ret_piece = count;
        return PQ_ERR_MEMORY;
    }
    if (payload)
        rc = join_payload(j, column, c, pieces, count, ret, ret_piece);
    else if (!patched && all_pieces_null(pieces, count, column, c)) {
        j->segment = (struct pq_segment){ .rows = j->rows };
        *ret = (struct pq_data){ .kind = PQ_DATA_NULLS, .segments = &j->segment, .segment_count = 1 };
        return PQ_OK;
    } else {
        rc = c->dictionary ? have_codes(pieces, count, column, c, ret_piece) : PQ_ERR_ABSENT;
        if (rc == PQ_OK)
            rc = join_codes(j, column, c, pieces, count, ret, ret_piece);
        else if (rc == PQ_ERR_ABSENT)
            rc = join_values(j, column, c, pieces, count, ret, ret_piece);
    }
    if (rc == PQ_OK && failed(j) != PQ_OK)
        rc = PQ_ERR_MEMORY;
    if (rc == PQ_ERR_MEMORY)
        *ret_piece = count;
    return rc;
}
