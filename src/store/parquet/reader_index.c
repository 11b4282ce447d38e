#include "store/parquet/bloom.h"
#include "store/parquet/page.h"
#include "store/parquet/reader_internal.h"

bool pq_reader_sealed(const struct pq_reader *r, uint64_t seal, uint64_t offset, const struct buf *octets)
{
    return r->options.ignore_checksums || pq_seal(offset, (struct pq_slice){ octets->ptr, octets->len }) == seal;
}

uint64_t pq_reader_chunk_seal(const struct pq_m_column_chunk *c, unsigned which)
{
    return pq_le64_load(c->extension.ptr + (size_t)which * 8);
}

/* Reads, checks and parses one index. The caller checks what it says and then notes the group. */
static int load(struct pq_reader *r, struct pq_index *x, int64_t offset, int32_t len, uint64_t seal,
                const struct pq_thrift_struct *table, void *to)
{
    struct rd in;
    x->group = PQ_NO_GROUP;
    pq_arena_reset(&x->arena);
    if (offset < 0 || len < 0)
        return PQ_ERR_DAMAGED;
    int rc = pq_reader_fetch(r, (uint64_t)offset, (uint64_t)len, &x->octets);
    if (rc != PQ_OK)
        return rc;
    if (!pq_reader_sealed(r, seal, (uint64_t)offset, &x->octets))
        return PQ_ERR_DAMAGED;
    rd_init(&in, x->octets.ptr, x->octets.len);
    rc = pq_thrift_read(table, &in, &x->arena, to);
    return rc == PQ_OK && rd_left(&in) != 0 ? PQ_ERR_DAMAGED : rc;
}

size_t pq_reader_rows_of(const struct pq_reader *r, const struct pq_slot *s, size_t group, size_t page)
{
    int64_t end = page + 1 < s->offset_index.locations.count ? pq_reader_location(s, page + 1)->first_row_index
                                                             : r->groups[group].num_rows;
    return (size_t)(end - pq_reader_location(s, page)->first_row_index);
}

/* Pages cover the rows of the group without gap, each at least one row. */
static bool offsets_fit(const struct pq_reader *r, const struct pq_slot *s, size_t group)
{
    size_t count = s->offset_index.locations.count;
    if (count == 0 || s->offset_index.extension.len != (count + 1) * 8 + PQ_MARK_LEN)
        return false;
    int64_t row = 0;
    for (size_t i = 0; i < count; i++) {
        const struct pq_m_page_location *l = pq_reader_location(s, i);
        if (i == 0 ? l->first_row_index != 0 : l->first_row_index <= row)
            return false;
        if (l->offset < 4 || l->compressed_page_size <= 0)
            return false;
        row = l->first_row_index;
    }
    return row < r->groups[group].num_rows;
}

int pq_reader_offsets(struct pq_reader *r, size_t group, size_t column)
{
    struct pq_slot *s = &r->slots[column];
    if (s->offsets.group == group)
        return PQ_OK;
    s->page_group = PQ_NO_GROUP;
    const struct pq_m_column_chunk *c = pq_reader_chunk(r, group, column);
    int rc = load(r, &s->offsets, c->offset_index_offset, c->offset_index_length,
                  pq_reader_chunk_seal(c, PQ_SEAL_OFFSET_INDEX), &pq_t_offset_index, &s->offset_index);
    if (rc == PQ_OK && !offsets_fit(r, s, group))
        rc = PQ_ERR_DAMAGED;
    if (rc != PQ_OK)
        return rc == PQ_ERR_SOURCE ? rc : pq_reader_fail_at(r, rc, group, column, "OffsetIndex");
    s->offsets.group = group;
    return PQ_OK;
}

static bool bounds_fit(const struct pq_slot *s)
{
    size_t count = s->offset_index.locations.count;
    const struct pq_m_column_index *x = &s->column_index;
    return x->null_pages.count == count && x->min_values.count == count && x->max_values.count == count &&
           ((x->present & PQ_HAS(4)) == 0 || x->null_counts.count == count);
}

int pq_reader_bounds(struct pq_reader *r, size_t group, size_t column)
{
    struct pq_slot *s = &r->slots[column];
    const struct pq_m_column_chunk *c = pq_reader_chunk(r, group, column);
    if ((c->present & PQ_HAS(4)) == 0 || (c->present & PQ_HAS(5)) == 0)
        return PQ_ERR_ABSENT;
    int rc = pq_reader_offsets(r, group, column);
    if (rc != PQ_OK || s->bounds.group == group)
        return rc;
    rc = load(r, &s->bounds, c->column_index_offset, c->column_index_length,
              pq_reader_chunk_seal(c, PQ_SEAL_COLUMN_INDEX), &pq_t_column_index, &s->column_index);
    if (rc == PQ_OK && !bounds_fit(s))
        rc = PQ_ERR_DAMAGED;
    if (rc != PQ_OK)
        return rc == PQ_ERR_SOURCE ? rc : pq_reader_fail_at(r, rc, group, column, "ColumnIndex");
    s->bounds.group = group;
    return PQ_OK;
}

static bool exists(const struct pq_reader *r, size_t group, size_t column)
{
    return group < r->file.row_groups.count && column < r->column_count;
}

int pq_reader_pages(struct pq_reader *r, size_t group, size_t column, size_t *ret)
{
    if (!exists(r, group, column))
        return PQ_ERR_USAGE;
    int rc = pq_reader_offsets(r, group, column);
    *ret = rc == PQ_OK ? r->slots[column].offset_index.locations.count : 0;
    return rc;
}

int pq_reader_page_rows(struct pq_reader *r, size_t group, size_t column, size_t page, size_t *ret_first,
                        size_t *ret_count)
{
    size_t pages;
    int rc = pq_reader_pages(r, group, column, &pages);
    if (rc != PQ_OK)
        return rc;
    if (page >= pages)
        return PQ_ERR_USAGE;
    *ret_first = (size_t)pq_reader_location(&r->slots[column], page)->first_row_index;
    *ret_count = pq_reader_rows_of(r, &r->slots[column], group, page);
    return PQ_OK;
}

int pq_reader_page_stats(struct pq_reader *r, size_t group, size_t column, size_t page, struct pq_stats *ret)
{
    if (!exists(r, group, column))
        return PQ_ERR_USAGE;
    int rc = pq_reader_bounds(r, group, column);
    if (rc != PQ_OK)
        return rc;
    const struct pq_m_column_index *x = &r->slots[column].column_index;
    if (page >= x->null_pages.count)
        return PQ_ERR_USAGE;
    bool nulls_known = (x->present & PQ_HAS(4)) != 0;
    int64_t nulls = nulls_known ? ((const int64_t *)x->null_counts.items)[page] : 0;
    *ret = (struct pq_stats){
        .has_nulls = nulls_known,
        .null_count = nulls > 0 ? (uint64_t)nulls : 0,
        .has_range = !((const bool *)x->null_pages.items)[page],
        .min = ((const struct pq_slice *)x->min_values.items)[page],
        .max = ((const struct pq_slice *)x->max_values.items)[page],
    };
    return PQ_OK;
}

int pq_reader_bloom(struct pq_reader *r, size_t group, size_t column, struct pq_slice *ret_bits)
{
    const struct pq_m_column_chunk *c = pq_reader_chunk(r, group, column);
    if ((c->meta.present & PQ_HAS(11)) == 0 || (c->meta.present & PQ_HAS(12)) == 0)
        return PQ_ERR_ABSENT;
    int64_t offset = c->meta.bloom_filter_offset, len = c->meta.bloom_filter_length;
    if (offset < 0 || len < 0 || len > (int64_t)PQ_BLOOM_MAX + 256)
        return pq_reader_fail_at(r, PQ_ERR_DAMAGED, group, column, "place of the bloom filter");
    int rc = pq_reader_fetch(r, (uint64_t)offset, (uint64_t)len, &r->raw);
    if (rc != PQ_OK)
        return rc;
    bool sealed = pq_reader_sealed(r, pq_reader_chunk_seal(c, PQ_SEAL_BLOOM), (uint64_t)offset, &r->raw);
    rc = sealed ? pq_bloom_parse((struct pq_slice){ r->raw.ptr, r->raw.len }, ret_bits) : PQ_ERR_DAMAGED;
    return rc == PQ_OK ? PQ_OK : pq_reader_fail_at(r, rc, group, column, "bloom filter");
}

int pq_reader_filter(struct pq_reader *r, size_t group, size_t column, struct pq_slice *ret)
{
    return exists(r, group, column) ? pq_reader_bloom(r, group, column, ret) : PQ_ERR_USAGE;
}

int pq_reader_maybe(struct pq_reader *r, size_t group, size_t column, struct pq_slice value, bool *ret)
{
    struct pq_slice bits = { NULL, 0 };
    if (!exists(r, group, column))
        return PQ_ERR_USAGE;
    int rc = pq_reader_bloom(r, group, column, &bits);
    if (rc == PQ_OK)
        *ret = pq_bloom_check(bits.ptr, bits.len, pq_bloom_hash(value));
    return rc;
}
