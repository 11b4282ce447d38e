#include <string.h>

#include "store/parquet/bloom.h"
#include "store/parquet/page.h"
#include "store/parquet/writer_internal.h"

/* ---- metadata of a chunk ---- */

static int fill_statistics(struct pq_writer *w, const struct pq_chunk *k, struct pq_m_statistics *s)
{
    s->present = PQ_HAS(0);
    s->null_count = (int64_t)k->nulls;
    if (!k->range.any || k->stats_broken)
        return PQ_OK;
    s->present = 0x1f;
    return pq_stat_min(k->column, k->range.min, &w->group_arena, &s->min_value, &s->is_min_value_exact) &&
                   pq_stat_max(k->column, k->range.max, &w->group_arena, &s->max_value, &s->is_max_value_exact)
               ? PQ_OK
               : PQ_ERR_LIMIT;
}

/* Encodings of values and levels, and the number of pages of each kind. */
static int fill_encodings(struct pq_writer *w, const struct pq_chunk *k, struct pq_m_column_meta *m)
{
    int32_t *encodings = pq_arena_array(&w->group_arena, 3, sizeof(*encodings));
    struct pq_m_encoding_stats *stats = pq_arena_array(&w->group_arena, 2, sizeof(*stats));
    struct pq_slice *path = pq_arena_array(&w->group_arena, 1, sizeof(*path));
    if (encodings == NULL || stats == NULL || path == NULL)
        return PQ_ERR_LIMIT;
    int32_t data = k->by_code ? PQ_ENCODING_RLE_DICTIONARY : k->by_delta ? PQ_ENCODING_DELTA : PQ_ENCODING_PLAIN;
    size_t n = 0, s = 0;
    encodings[n++] = data;
    encodings[n++] = PQ_ENCODING_RLE;
    if (k->by_code) {
        encodings[n++] = PQ_ENCODING_PLAIN;
        stats[s++] = (struct pq_m_encoding_stats){ 0x7, PQ_PAGE_DICTIONARY, PQ_ENCODING_PLAIN, 1 };
    }
    stats[s++] = (struct pq_m_encoding_stats){ 0x7, PQ_PAGE_DATA, data, (int32_t)pq_note_count(w) };
    *path = (struct pq_slice){ (const uint8_t *)k->column->name, strlen(k->column->name) };
    m->encodings = (struct pq_list){ .items = encodings, .count = n };
    m->encoding_stats = (struct pq_list){ .items = stats, .count = s };
    m->path_in_schema = (struct pq_list){ .items = path, .count = 1 };
    return PQ_OK;
}

static int fill_meta(struct pq_writer *w, const struct pq_chunk *k, struct pq_m_column_chunk *chunk)
{
    struct pq_m_column_meta *m = &chunk->meta;
    m->present = 0xff | PQ_HAS(10);
    m->type = (int32_t)k->column->type;
    m->codec = (int32_t)k->column->codec;
    m->num_values = (int64_t)k->rows;
    m->total_uncompressed_size = (int64_t)k->uncompressed;
    m->total_compressed_size = (int64_t)k->compressed;
    m->data_page_offset = (int64_t)k->data_start;
    if (k->by_code) {
        m->present |= PQ_HAS(8);
        m->dictionary_page_offset = (int64_t)k->start;
    }
    int rc = fill_encodings(w, k, m);
    if (rc != PQ_OK || !k->column->stats)
        return rc;
    m->present |= PQ_HAS(9);
    return fill_statistics(w, k, &m->statistics);
}

/* ---- indexes ---- */

static int32_t boundary_order(const struct pq_writer *w, const struct pq_column *c)
{
    const struct pq_page_note *last = NULL;
    bool up = true, down = true;
    for (size_t i = 0; i < pq_note_count(w); i++) {
        const struct pq_page_note *n = &pq_notes(w)[i];
        if (n->null_page)
            continue;
        int min = last != NULL ? pq_compare(c, last->min, n->min) : 0;
        int max = last != NULL ? pq_compare(c, last->max, n->max) : 0;
        up &= min <= 0 && max <= 0;
        down &= min >= 0 && max >= 0;
        last = n;
    }
    return up ? PQ_ORDER_ASCENDING : down ? PQ_ORDER_DESCENDING : PQ_ORDER_NONE;
}

static int put_column_index(struct pq_writer *w, const struct pq_chunk *k)
{
    size_t count = pq_note_count(w);
    bool *null_pages = pq_arena_array(&w->group_arena, count, sizeof(*null_pages));
    struct pq_slice *mins = pq_arena_array(&w->group_arena, count, sizeof(*mins));
    struct pq_slice *maxs = pq_arena_array(&w->group_arena, count, sizeof(*maxs));
    int64_t *nulls = pq_arena_array(&w->group_arena, count, sizeof(*nulls));
    if (null_pages == NULL || mins == NULL || maxs == NULL || nulls == NULL)
        return PQ_ERR_LIMIT;
    for (size_t i = 0; i < count; i++) {
        const struct pq_page_note *n = &pq_notes(w)[i];
        null_pages[i] = n->null_page;
        mins[i] = n->min;
        maxs[i] = n->max;
        nulls[i] = (int64_t)n->nulls;
    }
    struct pq_m_column_index index = {
        .present = 0x1f,
        .null_pages = { .items = null_pages, .count = count },
        .min_values = { .items = mins, .count = count },
        .max_values = { .items = maxs, .count = count },
        .boundary_order = boundary_order(w, k->column),
        .null_counts = { .items = nulls, .count = count },
    };
    pq_thrift_write(&pq_t_column_index, &index, &w->column_indexes);
    return w->column_indexes.failed ? PQ_ERR_LIMIT : PQ_OK;
}

/* The extension: seal of each data page, of the dictionary page (0 if there is none), mark. */
int pq_offset_index_put(struct pq_writer *w, uint64_t dictionary_seal)
{
    size_t count = pq_note_count(w), len = (count + 1) * 8 + PQ_MARK_LEN;
    struct pq_m_page_location *locations = pq_arena_array(&w->group_arena, count, sizeof(*locations));
    uint8_t *seals = pq_arena_alloc(&w->group_arena, len);
    if (locations == NULL || seals == NULL)
        return PQ_ERR_LIMIT;
    for (size_t i = 0; i < count; i++) {
        const struct pq_page_note *n = &pq_notes(w)[i];
        locations[i] = (struct pq_m_page_location){ 0x7, (int64_t)n->offset, (int32_t)n->size, (int64_t)n->first_row };
        pq_le64_store(seals + i * 8, n->seal);
    }
    pq_le64_store(seals + count * 8, dictionary_seal);
    memcpy(seals + (count + 1) * 8, PQ_MARK, PQ_MARK_LEN);
    struct pq_m_offset_index index = {
        .present = 0x3,
        .locations = { .items = locations, .count = count },
        .extension = { seals, len },
    };
    pq_thrift_write(&pq_t_offset_index, &index, &w->offset_indexes);
    return w->offset_indexes.failed ? PQ_ERR_LIMIT : PQ_OK;
}

static int put_bloom(struct pq_writer *w, const struct pq_column *c)
{
    size_t count = w->hashes.len / sizeof(uint64_t);
    pq_bloom_write(&w->blooms, (const uint64_t *)(const void *)w->hashes.ptr, count, c->bloom_fine ? 2 * count : count);
    return w->blooms.failed ? PQ_ERR_LIMIT : PQ_OK;
}

struct pq_part pq_part_since(const struct buf *b, size_t start)
{
    return (struct pq_part){ start, b->len - start };
}

int pq_chunk_finish(struct pq_writer *w, const struct pq_chunk *k)
{
    size_t i = w->next_column;
    size_t bloom = w->blooms.len, column = w->column_indexes.len, offset = w->offset_indexes.len;
    w->chunks[i].present = PQ_HAS(0) | PQ_HAS(1);
    int rc = fill_meta(w, k, &w->chunks[i]);
    if (rc == PQ_OK && k->column->bloom)
        rc = put_bloom(w, k->column);
    if (rc == PQ_OK && k->column->stats && !k->stats_broken)
        rc = put_column_index(w, k);
    if (rc == PQ_OK)
        rc = pq_offset_index_put(w, k->dictionary_seal);
    w->bloom_parts[i] = pq_part_since(&w->blooms, bloom);
    w->column_index_parts[i] = pq_part_since(&w->column_indexes, column);
    w->offset_index_parts[i] = pq_part_since(&w->offset_indexes, offset);
    return rc;
}

/* ---- behind the pages of a group ---- */

static uint64_t place(const struct pq_part *part, const struct buf *b, uint64_t base, uint64_t *ret_seal)
{
    uint64_t offset = base + part->start;
    *ret_seal = part->len > 0 ? pq_seal(offset, (struct pq_slice){ b->ptr + part->start, part->len }) : 0;
    return offset;
}

/* The extension of a ColumnChunk: seals of OffsetIndex, ColumnIndex and bloom filter (0 where there is none), mark. */
static int place_chunk(struct pq_writer *w, size_t i, uint64_t bloom_base, uint64_t column_base, uint64_t offset_base)
{
    struct pq_m_column_chunk *c = &w->chunks[i];
    uint8_t *seals = pq_arena_alloc(&w->group_arena, 24 + PQ_MARK_LEN);
    uint64_t seal;
    if (seals == NULL)
        return PQ_ERR_LIMIT;
    c->offset_index_offset = (int64_t)place(&w->offset_index_parts[i], &w->offset_indexes, offset_base, &seal);
    c->offset_index_length = (int32_t)w->offset_index_parts[i].len;
    c->present |= PQ_HAS(2) | PQ_HAS(3) | PQ_HAS(6);
    pq_le64_store(seals, seal);
    c->column_index_offset = (int64_t)place(&w->column_index_parts[i], &w->column_indexes, column_base, &seal);
    c->column_index_length = (int32_t)w->column_index_parts[i].len;
    if (c->column_index_length > 0)
        c->present |= PQ_HAS(4) | PQ_HAS(5);
    pq_le64_store(seals + 8, seal);
    c->meta.bloom_filter_offset = (int64_t)place(&w->bloom_parts[i], &w->blooms, bloom_base, &seal);
    c->meta.bloom_filter_length = (int32_t)w->bloom_parts[i].len;
    if (c->meta.bloom_filter_length > 0)
        c->meta.present |= PQ_HAS(11) | PQ_HAS(12);
    pq_le64_store(seals + 16, seal);
    memcpy(seals + 24, PQ_MARK, PQ_MARK_LEN);
    c->extension = (struct pq_slice){ seals, 24 + PQ_MARK_LEN };
    return PQ_OK;
}

int pq_group_indexes_write(struct pq_writer *w)
{
    uint64_t blooms = w->counts.octets, columns = blooms + w->blooms.len, offsets = columns + w->column_indexes.len;
    int rc = PQ_OK;
    for (size_t i = 0; i < w->column_count && rc == PQ_OK; i++)
        rc = place_chunk(w, i, blooms, columns, offsets);
    const struct buf *parts[] = { &w->blooms, &w->column_indexes, &w->offset_indexes };
    for (size_t i = 0; i < 3 && rc == PQ_OK; i++)
        rc = pq_writer_put(w, (struct pq_slice){ parts[i]->ptr, parts[i]->len });
    return rc;
}
