#include "store/parquet/reader.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "store/parquet/page.h"
#include "store/parquet/reader_internal.h"
#include "store/parquet/schema.h"

#define TAIL       16384u                  /* octets read at first */
#define ENDING     8u                      /* length of the footer and magic */
#define SEAL_SPACE (8u + PQ_MARK_LEN + 1u) /* seal, mark and the stop of the struct */
#define ARENA_MAX  ((size_t)PQ_FOOTER_MAX * 4)

int pq_reader_fail(struct pq_reader *r, int error, const char *format, ...)
{
    char text[200];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    (void)errmsg_set(&r->error, "%s: %s", pq_error_text(error), text);
    return error;
}

int pq_reader_fail_at(struct pq_reader *r, int error, size_t group, size_t column, const char *what)
{
    return pq_reader_fail(r, error, "%s of column %s, row group %zu", what, r->columns[column].name, group);
}

int pq_reader_fetch(struct pq_reader *r, uint64_t offset, uint64_t len, struct buf *to)
{
    buf_reset(to);
    if (len >= to->max)
        return pq_reader_fail(r, PQ_ERR_LIMIT, "%llu octets at %llu", (unsigned long long)len,
                              (unsigned long long)offset);
    if (offset > r->source.size || len > r->source.size - offset)
        return pq_reader_fail(r, PQ_ERR_DAMAGED, "%llu octets at %llu are beyond the end of the file",
                              (unsigned long long)len, (unsigned long long)offset);
    uint8_t *p = buf_space(to, (size_t)len + 1); /* never nothing: a place is wanted */
    if (p == NULL)
        return pq_reader_fail(r, PQ_ERR_MEMORY, "no room for %llu octets", (unsigned long long)len);
    r->octets_read += len;
    r->reads++;
    if (len > 0 && r->source.read(r->source.ctx, offset, p, (size_t)len) != 0)
        return pq_reader_fail(r, PQ_ERR_SOURCE, "%llu octets at %llu", (unsigned long long)len,
                              (unsigned long long)offset);
    buf_added(to, (size_t)len);
    return PQ_OK;
}

/* ---- footer ---- */

/* Leaves the footer, its length and the magic behind it in r->footer; *ret is its place there. */
static int fetch_footer(struct pq_reader *r, struct pq_slice *ret)
{
    uint64_t size = r->source.size;
    if (size < 4 + SEAL_SPACE + ENDING)
        return pq_reader_fail(r, PQ_ERR_FOREIGN, "too short");
    uint64_t tail = size < TAIL ? size : TAIL;
    int rc = pq_reader_fetch(r, size - tail, tail, &r->footer);
    if (rc != PQ_OK)
        return rc;
    const uint8_t *end = r->footer.ptr + r->footer.len;
    if (memcmp(end - 4, "PAR1", 4) != 0)
        return pq_reader_fail(r, PQ_ERR_FOREIGN, "no magic at the end: not Parquet, or cut");
    uint64_t len = le32_load(end - ENDING);
    if (len < SEAL_SPACE || len > size - 4 - ENDING)
        return pq_reader_fail(r, PQ_ERR_DAMAGED, "length of the footer");
    if (len > r->options.footer_max)
        return pq_reader_fail(r, PQ_ERR_LIMIT, "the footer has %llu octets", (unsigned long long)len);
    if (len + ENDING > tail)
        rc = pq_reader_fetch(r, size - len - ENDING, len + ENDING, &r->footer);
    if (rc == PQ_OK)
        *ret = (struct pq_slice){ r->footer.ptr + r->footer.len - ENDING - len, (size_t)len };
    return rc;
}

static int check_footer(struct pq_reader *r, struct pq_slice footer)
{
    struct pq_slice before = { footer.ptr, footer.len - SEAL_SPACE };
    struct pq_slice after = { footer.ptr + footer.len, ENDING };
    const uint8_t *seal = footer.ptr + before.len;
    if (memcmp(seal + 8, PQ_MARK, PQ_MARK_LEN) != 0)
        return pq_reader_fail(r, PQ_ERR_FOREIGN, "no seal of hepcat: of another program, or damaged");
    uint64_t offset = r->source.size - ENDING - footer.len;
    bool good = pq_seal_more(pq_seal(offset, before), after) == pq_le64_load(seal);
    return good || r->options.ignore_checksums ? PQ_OK : pq_reader_fail(r, PQ_ERR_DAMAGED, "seal of the footer");
}

static bool range_fits(const struct pq_reader *r, int64_t offset, int64_t len)
{
    return offset >= 4 && len >= 0 && (uint64_t)offset <= r->source.size &&
           (uint64_t)len <= r->source.size - (uint64_t)offset;
}

static bool chunk_fits(const struct pq_reader *r, const struct pq_m_column_chunk *c, const struct pq_column *column,
                       int64_t rows)
{
    const struct pq_m_column_meta *m = &c->meta;
    const uint32_t indexed = PQ_HAS(2) | PQ_HAS(3);
    if (m->type != (int32_t)column->type || m->num_values != rows || (c->present & indexed) != indexed)
        return false;
    if (m->codec != PQ_CODEC_NONE && m->codec != PQ_CODEC_ZSTD)
        return false;
    if (c->extension.len != 24 + PQ_MARK_LEN || memcmp(c->extension.ptr + 24, PQ_MARK, PQ_MARK_LEN) != 0)
        return false;
    if ((m->present & PQ_HAS(8)) != 0 && !range_fits(r, m->dictionary_page_offset, 0))
        return false;
    return range_fits(r, m->data_page_offset, 0) && range_fits(r, c->offset_index_offset, c->offset_index_length);
}

static bool group_fits(const struct pq_reader *r, const struct pq_m_row_group *g)
{
    if (g->columns.count != r->column_count || g->num_rows <= 0 || g->num_rows > (int64_t)PQ_GROUP_ROWS_MAX)
        return false;
    const struct pq_m_column_chunk *chunks = g->columns.items;
    for (size_t i = 0; i < r->column_count; i++)
        if (!chunk_fits(r, &chunks[i], &r->columns[i], g->num_rows))
            return false;
    return true;
}

static int check_groups(struct pq_reader *r)
{
    size_t count = r->file.row_groups.count;
    r->groups = r->file.row_groups.items;
    r->group_starts = pq_arena_array(&r->arena, count + 1, sizeof(*r->group_starts));
    if (r->group_starts == NULL)
        return pq_reader_fail(r, PQ_ERR_LIMIT, "%zu row groups", count);
    for (size_t i = 0; i < count; i++) {
        if (!group_fits(r, &r->groups[i]))
            return pq_reader_fail(r, PQ_ERR_DAMAGED, "metadata of row group %zu", i);
        r->group_starts[i + 1] = r->group_starts[i] + (uint64_t)r->groups[i].num_rows;
    }
    if (r->file.num_rows < 0 || (uint64_t)r->file.num_rows != r->group_starts[count])
        return pq_reader_fail(r, PQ_ERR_DAMAGED, "number of rows");
    return PQ_OK;
}

static int read_footer(struct pq_reader *r)
{
    struct pq_slice footer = { NULL, 0 };
    struct rd in;
    int rc = fetch_footer(r, &footer);
    if (rc != PQ_OK || footer.ptr == NULL)
        return rc;
    rc = check_footer(r, footer);
    if (rc != PQ_OK)
        return rc;
    rd_init(&in, footer.ptr, footer.len);
    rc = pq_thrift_read(&pq_t_file, &in, &r->arena, &r->file);
    if (rc != PQ_OK || rd_left(&in) != 0)
        return pq_reader_fail(r, rc != PQ_OK ? rc : PQ_ERR_DAMAGED, "footer");
    rc = pq_schema_read(&r->file.schema, &r->arena, &r->columns, &r->column_count);
    if (rc != PQ_OK)
        return pq_reader_fail(r, rc, "schema");
    return check_groups(r);
}

static int make_slots(struct pq_reader *r)
{
    r->slots = calloc(r->column_count, sizeof(*r->slots));
    r->zip = pq_zip_new();
    if (r->slots == NULL || r->zip == NULL)
        return pq_reader_fail(r, PQ_ERR_MEMORY, "columns");
    for (size_t i = 0; i < r->column_count; i++)
        pq_slot_init(&r->slots[i]);
    return PQ_OK;
}

int pq_reader_open(struct pq_reader **ret, const struct pq_source *source, const struct pq_reader_options *options,
                   char *text)
{
    struct pq_reader *r = calloc(1, sizeof(*r));
    if (r == NULL)
        return PQ_ERR_MEMORY;
    r->source = *source;
    if (options != NULL)
        r->options = *options;
    if (r->options.footer_max == 0 || r->options.footer_max > PQ_FOOTER_MAX)
        r->options.footer_max = PQ_FOOTER_MAX;
    if (r->options.page_max == 0 || r->options.page_max > PQ_PAGE_MAX)
        r->options.page_max = PQ_PAGE_MAX;
    buf_init(&r->footer, r->options.footer_max + TAIL);
    buf_init(&r->raw, r->options.page_max + (r->options.page_max >> 4) + 65536);
    pq_arena_init(&r->arena, ARENA_MAX);
    int rc = read_footer(r);
    if (rc == PQ_OK)
        rc = make_slots(r);
    if (rc != PQ_OK) {
        if (text != NULL)
            (void)snprintf(text, sizeof(r->error.text), "%s", r->error.text);
        pq_reader_free(r);
        return rc;
    }
    *ret = r;
    return PQ_OK;
}

void pq_reader_trim(struct pq_reader *r)
{
    for (size_t i = 0; r->slots != NULL && i < r->column_count; i++)
        pq_slot_trim(&r->slots[i]);
    buf_free(&r->raw);
    pq_zip_trim(r->zip);
    free(r->numbers);
    r->numbers = NULL;
    r->number_cap = 0;
}

void pq_reader_free(struct pq_reader *r)
{
    if (r == NULL)
        return;
    pq_reader_trim(r);
    free(r->slots);
    buf_free(&r->footer);
    pq_arena_free(&r->arena);
    pq_zip_free(r->zip);
    free(r);
}

/* ---- what the footer says ---- */

const char *pq_reader_error(const struct pq_reader *r)
{
    return r->error.text;
}

size_t pq_reader_columns(const struct pq_reader *r)
{
    return r->column_count;
}

const struct pq_column *pq_reader_column(const struct pq_reader *r, size_t column)
{
    return column < r->column_count ? &r->columns[column] : NULL;
}

int pq_reader_find(const struct pq_reader *r, const char *name, size_t *ret)
{
    for (size_t i = 0; i < r->column_count; i++)
        if (strcmp(r->columns[i].name, name) == 0) {
            *ret = i;
            return PQ_OK;
        }
    return PQ_ERR_ABSENT;
}

uint64_t pq_reader_rows(const struct pq_reader *r)
{
    return (uint64_t)r->file.num_rows;
}

size_t pq_reader_groups(const struct pq_reader *r)
{
    return r->file.row_groups.count;
}

size_t pq_reader_group_rows(const struct pq_reader *r, size_t group)
{
    return group < r->file.row_groups.count ? (size_t)r->groups[group].num_rows : 0;
}

uint64_t pq_reader_group_start(const struct pq_reader *r, size_t group)
{
    return group <= r->file.row_groups.count ? r->group_starts[group] : pq_reader_rows(r);
}

struct pq_slice pq_reader_created_by(const struct pq_reader *r)
{
    return r->file.created_by;
}

int pq_reader_key_value(const struct pq_reader *r, const char *key, struct pq_slice *ret)
{
    const struct pq_m_key_value *kv = r->file.key_values.items;
    size_t len = strlen(key);
    for (size_t i = 0; i < r->file.key_values.count; i++)
        if (kv[i].key.len == len && memcmp(kv[i].key.ptr, key, len) == 0) {
            *ret = kv[i].value;
            return PQ_OK;
        }
    return PQ_ERR_ABSENT;
}

int pq_reader_locate(const struct pq_reader *r, uint64_t row, size_t *ret_group, size_t *ret_row)
{
    size_t low = 0, high = r->file.row_groups.count;
    if (row >= pq_reader_rows(r))
        return PQ_ERR_USAGE;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (r->group_starts[middle] <= row)
            low = middle;
        else
            high = middle;
    }
    *ret_group = low;
    *ret_row = (size_t)(row - r->group_starts[low]);
    return PQ_OK;
}

int pq_reader_stats(const struct pq_reader *r, size_t group, size_t column, struct pq_stats *ret)
{
    if (group >= r->file.row_groups.count || column >= r->column_count)
        return PQ_ERR_USAGE;
    const struct pq_m_column_meta *m = &pq_reader_chunk(r, group, column)->meta;
    const struct pq_m_statistics *s = &m->statistics;
    if ((m->present & PQ_HAS(9)) == 0)
        return PQ_ERR_ABSENT;
    *ret = (struct pq_stats){
        .has_nulls = (s->present & PQ_HAS(0)) != 0,
        .has_range = (s->present & (PQ_HAS(1) | PQ_HAS(2))) == (PQ_HAS(1) | PQ_HAS(2)),
        .min_exact = s->is_min_value_exact,
        .max_exact = s->is_max_value_exact,
        .null_count = s->null_count > 0 ? (uint64_t)s->null_count : 0,
        .min = s->min_value,
        .max = s->max_value,
    };
    return PQ_OK;
}

uint64_t pq_reader_chunk_octets(const struct pq_reader *r, size_t group, size_t column)
{
    if (group >= r->file.row_groups.count || column >= r->column_count)
        return 0;
    int64_t octets = pq_reader_chunk(r, group, column)->meta.total_uncompressed_size;
    return octets > 0 ? (uint64_t)octets : 0;
}

uint64_t pq_reader_octets_read(const struct pq_reader *r)
{
    return r->octets_read;
}

uint64_t pq_reader_reads(const struct pq_reader *r)
{
    return r->reads;
}
