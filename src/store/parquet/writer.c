#include "store/parquet/writer.h"

#include <stdlib.h>
#include <string.h>

#include "store/parquet/page.h"
#include "store/parquet/schema.h"
#include "store/parquet/writer_internal.h"

#define FORMAT_VERSION 2
#define SCRATCH_MAX    (PQ_PAGE_MAX + (PQ_PAGE_MAX >> 4)) /* compressed pages may be a little larger */

int pq_writer_fail(struct pq_writer *w, int error, const char *what)
{
    if (w->failed == PQ_OK) {
        w->failed = error;
        (void)errmsg_set(&w->error, "%s%s%s", pq_error_text(error), what[0] != '\0' ? ": " : "", what);
    }
    return w->failed;
}

int pq_writer_put(struct pq_writer *w, struct pq_slice octets)
{
    if (octets.len == 0)
        return PQ_OK;
    if (octets.len > PQ_FILE_MAX - w->counts.octets)
        return pq_writer_fail(w, PQ_ERR_LIMIT, "the file is too large");
    if (w->sink.write(w->sink.ctx, octets.ptr, octets.len) != 0)
        return pq_writer_fail(w, PQ_ERR_SINK, "");
    w->counts.octets += octets.len;
    return PQ_OK;
}

static void init_buffers(struct pq_writer *w)
{
    buf_init(&w->header, 65536);
    buf_init(&w->raw, PQ_PAGE_MAX);
    buf_init(&w->packed, SCRATCH_MAX);
    buf_init(&w->notes, PQ_CHUNK_MAX);
    buf_init(&w->hashes, PQ_GROUP_ROWS_MAX * sizeof(uint64_t));
    buf_init(&w->blooms, PQ_CHUNK_MAX);
    buf_init(&w->column_indexes, PQ_CHUNK_MAX);
    buf_init(&w->offset_indexes, PQ_CHUNK_MAX);
    buf_init(&w->row_groups, PQ_FOOTER_MAX);
    buf_init(&w->key_value_list, PQ_FOOTER_MAX);
    pq_arena_init(&w->file_arena, PQ_FOOTER_MAX);
    pq_arena_init(&w->group_arena, PQ_CHUNK_MAX);
}

static int copy_text(struct pq_arena *a, const char *text, struct pq_slice *ret)
{
    return pq_arena_copy(a, (struct pq_slice){ (const uint8_t *)text, strlen(text) }, ret) ? PQ_OK : PQ_ERR_LIMIT;
}

static int copy_columns(struct pq_writer *w, const struct pq_column *columns, size_t count)
{
    struct pq_column *copy = pq_arena_array(&w->file_arena, count, sizeof(*copy));
    int rc = copy == NULL ? PQ_ERR_LIMIT : PQ_OK;
    for (size_t i = 0; i < count && rc == PQ_OK; i++) {
        struct pq_slice name;
        copy[i] = columns[i];
        rc = columns[i].name != NULL && pq_column_valid(&columns[i]) ? PQ_OK : PQ_ERR_USAGE;
        if (rc == PQ_OK && (rc = copy_text(&w->file_arena, columns[i].name, &name)) == PQ_OK)
            copy[i].name = (const char *)name.ptr;
    }
    w->columns = copy;
    w->column_count = count;
    return rc;
}

static int copy_sorting(struct pq_writer *w, const struct pq_writer_options *o)
{
    struct pq_m_sorting_column *copy = pq_arena_array(&w->file_arena, o->sorting_count, sizeof(*copy));
    if (copy == NULL)
        return PQ_ERR_LIMIT;
    for (size_t i = 0; i < o->sorting_count; i++) {
        if (o->sorting[i].column >= w->column_count)
            return PQ_ERR_USAGE;
        copy[i] = (struct pq_m_sorting_column){ 0x7, (int32_t)o->sorting[i].column, o->sorting[i].descending, false };
    }
    w->sorting = (struct pq_list){ .items = copy, .count = o->sorting_count };
    return PQ_OK;
}

static int copy_options(struct pq_writer *w, const struct pq_writer_options *o)
{
    w->page_rows = o->page_rows != 0 ? o->page_rows : 4096;
    w->page_octets = o->page_octets != 0 ? o->page_octets : 131072;
    w->dictionary_max = o->dictionary_max != 0 ? o->dictionary_max : 1u << 20;
    if (w->page_rows > PQ_PAGE_ROWS_MAX || w->page_octets > PQ_PAGE_MAX || w->dictionary_max > PQ_PAGE_MAX / 2)
        return PQ_ERR_USAGE;
    int rc = copy_text(&w->file_arena, o->created_by != NULL ? o->created_by : "hepcat", &w->created_by);
    return rc == PQ_OK ? copy_sorting(w, o) : rc;
}

int pq_writer_open(struct pq_writer **ret, const struct pq_column *columns, size_t column_count,
                   const struct pq_sink *sink, const struct pq_writer_options *options)
{
    static const struct pq_writer_options none = { .page_rows = 0 };
    if (column_count == 0 || column_count > PQ_COLUMNS_MAX)
        return PQ_ERR_USAGE;
    struct pq_writer *w = calloc(1, sizeof(*w));
    if (w == NULL)
        return PQ_ERR_MEMORY;
    init_buffers(w);
    w->sink = *sink;
    w->zip = pq_zip_new();
    int rc = w->zip == NULL ? PQ_ERR_MEMORY : copy_columns(w, columns, column_count);
    if (rc == PQ_OK)
        rc = copy_options(w, options != NULL ? options : &none);
    if (rc == PQ_OK)
        rc = pq_writer_put(w, (struct pq_slice){ (const uint8_t *)"PAR1", 4 });
    if (rc != PQ_OK) {
        pq_writer_free(w);
        return rc;
    }
    *ret = w;
    return PQ_OK;
}

void pq_writer_free(struct pq_writer *w)
{
    if (w == NULL)
        return;
    struct buf *bufs[] = { &w->header,     &w->raw,           &w->packed,         &w->notes,
                           &w->hashes,     &w->blooms,        &w->column_indexes, &w->offset_indexes,
                           &w->row_groups, &w->key_value_list };
    for (size_t i = 0; i < sizeof(bufs) / sizeof(bufs[0]); i++)
        buf_free(bufs[i]);
    pq_arena_free(&w->file_arena);
    pq_arena_free(&w->group_arena);
    pq_dict_free(&w->dict);
    pq_zip_free(w->zip);
    free(w->codes);
    free(w->levels);
    free(w->stamps);
    free(w->values);
    free(w->numbers);
    free(w);
}

int pq_writer_key_value(struct pq_writer *w, const char *key, const char *value, size_t len)
{
    struct pq_m_key_value kv = { .present = 0x3 };
    if (w->failed != PQ_OK)
        return w->failed;
    int rc = copy_text(&w->file_arena, key, &kv.key);
    if (rc == PQ_OK && !pq_arena_copy(&w->file_arena, (struct pq_slice){ (const uint8_t *)value, len }, &kv.value))
        rc = PQ_ERR_LIMIT;
    if (rc == PQ_OK)
        buf_put(&w->key_value_list, &kv, sizeof(kv));
    if (w->key_value_list.failed)
        rc = PQ_ERR_LIMIT;
    return rc == PQ_OK ? PQ_OK : pq_writer_fail(w, rc, "key-value metadata");
}

int pq_writer_group_begin(struct pq_writer *w, size_t rows)
{
    if (w->failed != PQ_OK)
        return w->failed;
    if (w->in_group || w->closed || rows == 0)
        return pq_writer_fail(w, PQ_ERR_USAGE, "row group begun at a wrong time or without rows");
    if (rows > PQ_GROUP_ROWS_MAX || w->group_count >= PQ_GROUPS_MAX)
        return pq_writer_fail(w, PQ_ERR_LIMIT, "too many rows or row groups");
    struct pq_arena *a = &w->group_arena;
    pq_arena_reset(a);
    buf_reset(&w->blooms);
    buf_reset(&w->column_indexes);
    buf_reset(&w->offset_indexes);
    w->chunks = pq_arena_array(a, w->column_count, sizeof(*w->chunks));
    w->bloom_parts = pq_arena_array(a, w->column_count, sizeof(*w->bloom_parts));
    w->column_index_parts = pq_arena_array(a, w->column_count, sizeof(*w->column_index_parts));
    w->offset_index_parts = pq_arena_array(a, w->column_count, sizeof(*w->offset_index_parts));
    if (w->chunks == NULL || w->bloom_parts == NULL || w->column_index_parts == NULL || w->offset_index_parts == NULL)
        return pq_writer_fail(w, PQ_ERR_MEMORY, "");
    w->in_group = true;
    w->group_rows = rows;
    w->next_column = 0;
    w->group_start = w->counts.octets;
    return PQ_OK;
}

static size_t rows_of(const struct pq_data *d)
{
    size_t rows = 0;
    if (d->kind == PQ_DATA_PAGES)
        for (size_t i = 0; i < d->page_count; i++)
            rows += d->pages[i].rows;
    else
        for (size_t i = 0; i < d->segment_count; i++)
            rows += d->segments[i].rows;
    return rows;
}

static bool pages_fit(const struct pq_column *c)
{
    return c->type == PQ_BYTE_ARRAY && !c->nullable && !c->bloom && !c->stats;
}

int pq_writer_column(struct pq_writer *w, const struct pq_data *data)
{
    if (w->failed != PQ_OK)
        return w->failed;
    if (!w->in_group || w->next_column == w->column_count)
        return pq_writer_fail(w, PQ_ERR_USAGE, "no column is due");
    struct pq_chunk k = { .column = &w->columns[w->next_column], .data = data, .rows = w->group_rows };
    if (rows_of(data) != k.rows || (data->kind == PQ_DATA_PAGES && !pages_fit(k.column)))
        return pq_writer_fail(w, PQ_ERR_USAGE, "rows do not add up, or ready pages for a column of another kind");
    int rc = pq_chunk_write(w, &k);
    if (rc == PQ_OK)
        rc = pq_chunk_finish(w, &k);
    if (rc != PQ_OK)
        return pq_writer_fail(w, rc, k.column->name);
    w->next_column++;
    return PQ_OK;
}

static void encode_group(struct pq_writer *w)
{
    struct pq_m_row_group g = {
        .present = 0x7 | PQ_HAS(4) | PQ_HAS(5) | PQ_HAS(6),
        .columns = { .items = w->chunks, .count = w->column_count },
        .num_rows = (int64_t)w->group_rows,
        .sorting_columns = w->sorting,
        .file_offset = (int64_t)w->group_start,
        .ordinal = (int16_t)w->group_count,
    };
    if (w->sorting.count > 0)
        g.present |= PQ_HAS(3);
    for (size_t i = 0; i < w->column_count; i++) {
        g.total_byte_size += w->chunks[i].meta.total_uncompressed_size;
        g.total_compressed_size += w->chunks[i].meta.total_compressed_size;
    }
    pq_thrift_write(&pq_t_row_group, &g, &w->row_groups);
}

int pq_writer_group_end(struct pq_writer *w)
{
    if (w->failed != PQ_OK)
        return w->failed;
    if (!w->in_group || w->next_column != w->column_count)
        return pq_writer_fail(w, PQ_ERR_USAGE, "columns of the row group are missing");
    int rc = pq_group_indexes_write(w);
    if (rc != PQ_OK)
        return pq_writer_fail(w, rc, "indexes");
    encode_group(w);
    if (w->row_groups.failed)
        return pq_writer_fail(w, PQ_ERR_LIMIT, "the footer is too large");
    w->in_group = false;
    w->group_count++;
    w->counts.rows += w->group_rows;
    return PQ_OK;
}

/* The footer ends with our extension: seal and mark. The seal is filled in when the rest is there. */
static int encode_footer(struct pq_writer *w, struct buf *out)
{
    static const uint8_t room[8 + PQ_MARK_LEN] = { 0 };
    struct pq_m_file file = {
        .present = 0xf | PQ_HAS(5) | PQ_HAS(6) | PQ_HAS(7),
        .version = FORMAT_VERSION,
        .num_rows = (int64_t)w->counts.rows,
        .row_groups = { .count = w->group_count,
                        .raw = { w->row_groups.ptr != NULL ? w->row_groups.ptr : room, w->row_groups.len } },
        .key_values = { .items = w->key_value_list.ptr,
                        .count = w->key_value_list.len / sizeof(struct pq_m_key_value) },
        .created_by = w->created_by,
        .extension = { room, sizeof(room) },
    };
    if (file.key_values.count > 0)
        file.present |= PQ_HAS(4);
    struct pq_m_column_order *orders = pq_arena_array(&w->file_arena, w->column_count, sizeof(*orders));
    if (orders == NULL)
        return PQ_ERR_LIMIT;
    for (size_t i = 0; i < w->column_count; i++)
        orders[i].present = 1;
    file.orders = (struct pq_list){ .items = orders, .count = w->column_count };
    int rc = pq_schema_make(w->columns, w->column_count, &w->file_arena, &file.schema);
    if (rc == PQ_OK)
        pq_thrift_write(&pq_t_file, &file, out);
    return rc == PQ_OK && out->failed ? PQ_ERR_LIMIT : rc;
}

/* docs/lake-format.md, "The seal of the footer". */
static void seal_footer(struct pq_writer *w, struct buf *footer)
{
    uint8_t *mark = footer->ptr + footer->len - 1 - PQ_MARK_LEN, *seal = mark - 8;
    struct pq_slice before = { footer->ptr, footer->len - 1 - PQ_MARK_LEN - 8 };
    memcpy(mark, PQ_MARK, PQ_MARK_LEN);
    uint32_t len = (uint32_t)footer->len;
    uint8_t tail[8] = { (uint8_t)len, (uint8_t)(len >> 8), (uint8_t)(len >> 16), (uint8_t)(len >> 24), 'P', 'A', 'R',
                        '1' };
    pq_le64_store(seal, pq_seal_more(pq_seal(w->counts.octets, before), (struct pq_slice){ tail, sizeof(tail) }));
    buf_put(footer, tail, sizeof(tail));
}

int pq_writer_close(struct pq_writer *w)
{
    struct buf footer;
    if (w->failed != PQ_OK)
        return w->failed;
    if (w->in_group || w->closed)
        return pq_writer_fail(w, PQ_ERR_USAGE, "closed twice or within a row group");
    buf_init(&footer, PQ_FOOTER_MAX);
    int rc = encode_footer(w, &footer);
    if (rc == PQ_OK) {
        seal_footer(w, &footer);
        rc = footer.failed ? PQ_ERR_LIMIT : pq_writer_put(w, (struct pq_slice){ footer.ptr, footer.len });
    }
    buf_free(&footer);
    w->closed = rc == PQ_OK;
    return rc == PQ_OK ? PQ_OK : pq_writer_fail(w, rc, "footer");
}

struct pq_writer_counts pq_writer_counts(const struct pq_writer *w)
{
    return w->counts;
}

const char *pq_writer_error(const struct pq_writer *w)
{
    return w->error.text;
}
