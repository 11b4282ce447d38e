/* Groups, sealed or in memory, into the counters of agg.c. */
#include <errno.h>
#include <string.h>

#include "store/lake/agg_internal.h"

/* A sealed group while it is counted. */
struct sealed {
    struct agg *a;
    struct pq_reader *reader;
    size_t group, rows;
    const uint32_t *hits;
    size_t hit_count;
    size_t bucket; /* of all rows; AGG_OUTSIDE: a->times says it */
    enum record_kind kind;
};

/* ------------------------------------------------------------------------------------------------ times */

static int make_room(struct agg *a, size_t rows)
{
    if (rows <= a->rows_cap)
        return PQ_OK;
    free(a->times);
    free(a->all);
    a->times = malloc(rows * sizeof(*a->times));
    a->all = malloc(rows * sizeof(*a->all));
    a->rows_cap = a->times != NULL && a->all != NULL ? rows : 0;
    for (size_t i = 0; i < a->rows_cap; i++)
        a->all[i] = (uint32_t)i;
    return a->rows_cap > 0 ? PQ_OK : PQ_ERR_MEMORY;
}

/* The one bucket that these statistics allow, AGG_OUTSIDE if there are several or none. */
static size_t one_bucket(const struct agg *a, const struct pq_stats *stats)
{
    if (!stats->has_range || stats->min.len != 8 || stats->max.len != 8)
        return AGG_OUTSIDE;
    size_t bucket = agg_bucket(a, pq_as_int64(stats->min));
    return agg_bucket(a, pq_as_int64(stats->max)) == bucket ? bucket : AGG_OUTSIDE;
}

static int read_times(struct sealed *s, size_t column, size_t page, size_t first, size_t count)
{
    struct pq_stats stats;
    const struct pq_slice *values;
    uint16_t *to = s->a->times + first;
    if (pq_reader_page_stats(s->reader, s->group, column, page, &stats) == PQ_OK) {
        size_t bucket = one_bucket(s->a, &stats);
        if (bucket != AGG_OUTSIDE) {
            for (size_t i = 0; i < count; i++)
                to[i] = (uint16_t)bucket;
            return PQ_OK;
        }
    }
    int rc = pq_reader_page_values(s->reader, s->group, column, page, &values, &count);
    for (size_t i = 0; rc == PQ_OK && i < count; i++)
        to[i] = (uint16_t)agg_bucket(s->a, pq_as_int64(values[i]));
    return rc;
}

/* Hits from `at` on that lie before the row `end`: where they stop. */
static size_t hits_before(const struct sealed *s, size_t at, size_t end)
{
    if (s->hit_count == s->rows)
        return end < s->rows ? end : s->rows;
    while (at < s->hit_count && s->hits[at] < end)
        at++;
    return at;
}

/* The bucket of each hit, as far as they are not all in one. */
static int find_times(struct sealed *s, size_t column)
{
    struct pq_stats stats;
    size_t pages, first, count, at = 0;
    if (pq_reader_stats(s->reader, s->group, column, &stats) == PQ_OK)
        s->bucket = one_bucket(s->a, &stats);
    if (s->bucket != AGG_OUTSIDE)
        return PQ_OK;
    int rc = pq_reader_pages(s->reader, s->group, column, &pages);
    for (size_t page = 0; rc == PQ_OK && page < pages; page++) {
        rc = pq_reader_page_rows(s->reader, s->group, column, page, &first, &count);
        size_t to = rc == PQ_OK ? hits_before(s, at, first + count) : at;
        if (to > at)
            rc = read_times(s, column, page, first, count);
        at = to;
    }
    return rc;
}

/* ------------------------------------------------------------------------------------------------ values */

static size_t bucket_of(const struct sealed *s, size_t row)
{
    return s->bucket != AGG_OUTSIDE ? s->bucket : s->a->times[row];
}

/* All hits have the same value, or none. */
static void count_one(struct sealed *s, uint32_t line)
{
    struct agg *a = s->a;
    if (line == AGG_SKIP)
        return;
    if (s->bucket != AGG_OUTSIDE) {
        a->cells[line * a->buckets + s->bucket] += s->hit_count;
        return;
    }
    for (size_t i = 0; i < s->hit_count; i++)
        if (a->times[s->hits[i]] != AGG_OUTSIDE)
            agg_count(a, line, a->times[s->hits[i]]);
}

static uint32_t line_of(struct sealed *s, struct pq_slice value)
{
    struct record_cell cell;
    if (value.ptr == NULL)
        return agg_none(s->a);
    if (!record_kind_is_number(s->kind))
        return agg_text(s->a, value.ptr, value.len);
    lake_cell(s->kind, value, &cell);
    return cell.null ? agg_none(s->a) : agg_number(s->a, cell.number);
}

/* Hits from..to lie in a page of codes whose first row is `first`. */
static int count_codes(struct sealed *s, const uint32_t *codes, const struct pq_slice *entries, size_t first,
                       size_t from, size_t to)
{
    struct agg *a = s->a;
    uint32_t none = agg_none(a);
    for (size_t i = from; i < to; i++) {
        size_t row = s->hits[i], bucket = bucket_of(s, row);
        uint32_t code = codes[row - first], line = none;
        if (bucket == AGG_OUTSIDE)
            continue;
        if (code != PQ_NULL_CODE && (line = a->map[code]) == AGG_UNKNOWN) {
            line = line_of(s, entries[code]);
            a->map[code] = line;
        }
        agg_count(a, line, bucket);
    }
    return a->failed ? PQ_ERR_MEMORY : PQ_OK;
}

static int count_values(struct sealed *s, const struct pq_slice *values, size_t first, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++) {
        size_t row = s->hits[i], bucket = bucket_of(s, row);
        if (bucket != AGG_OUTSIDE)
            agg_count(s->a, line_of(s, values[row - first]), bucket);
    }
    return s->a->failed ? PQ_ERR_MEMORY : PQ_OK;
}

/* entries NULL: the column has no dictionary. */
static int count_pages(struct sealed *s, size_t column, const struct pq_slice *entries)
{
    size_t pages, first, count, at = 0;
    int rc = pq_reader_pages(s->reader, s->group, column, &pages);
    for (size_t page = 0; rc == PQ_OK && page < pages; page++) {
        const uint32_t *codes;
        const struct pq_slice *values;
        size_t from = at;
        rc = pq_reader_page_rows(s->reader, s->group, column, page, &first, &count);
        at = rc == PQ_OK ? hits_before(s, at, first + count) : at;
        if (rc != PQ_OK || at == from)
            continue;
        if (entries != NULL) {
            rc = pq_reader_page_codes(s->reader, s->group, column, page, &codes, &count);
            rc = rc == PQ_OK ? count_codes(s, codes, entries, first, from, at) : rc;
        } else {
            rc = pq_reader_page_values(s->reader, s->group, column, page, &values, &count);
            rc = rc == PQ_OK ? count_values(s, values, first, from, at) : rc;
        }
    }
    return rc;
}

/* May a row of the group be counted, by the prefix? */
static bool any_has_prefix(const struct sealed *s, const struct pq_slice *entries, size_t count)
{
    bool any = s->a->q->prefix == NULL || record_kind_is_number(s->kind);
    for (size_t i = 0; i < count && !any; i++)
        any = entries[i].ptr != NULL && agg_has_prefix(s->a, entries[i].ptr, entries[i].len);
    return any;
}

static bool has_nulls(const struct sealed *s, size_t column, size_t *ret_nulls)
{
    struct pq_stats stats;
    *ret_nulls = SIZE_MAX;
    if (pq_reader_stats(s->reader, s->group, column, &stats) == PQ_OK && stats.has_nulls)
        *ret_nulls = (size_t)stats.null_count;
    return *ret_nulls > 0;
}

static int count_column(struct sealed *s, size_t column)
{
    const struct pq_slice *entries;
    size_t count, nulls;
    bool some = has_nulls(s, column, &nulls);
    if (nulls == s->rows) {
        count_one(s, agg_none(s->a));
        return PQ_OK;
    }
    int rc = pq_reader_dictionary(s->reader, s->group, column, &entries, &count);
    if (rc == PQ_ERR_ABSENT)
        return count_pages(s, column, NULL);
    if (rc != PQ_OK || !any_has_prefix(s, entries, count))
        return rc;
    if (count == 1 && !some) {
        count_one(s, line_of(s, entries[0]));
        return s->a->failed ? PQ_ERR_MEMORY : PQ_OK;
    }
    return agg_map(s->a, count) == 0 ? count_pages(s, column, entries) : PQ_ERR_MEMORY;
}

int agg_sealed(struct agg *a, struct catalog_file *file, size_t group, size_t rows, const uint32_t *hits,
               size_t hit_count)
{
    int rc = make_room(a, rows);
    if (rc != PQ_OK)
        return rc;
    struct sealed s = { .a = a,
                        .reader = file->reader,
                        .group = group,
                        .rows = rows,
                        .hits = hits != NULL ? hits : a->all,
                        .hit_count = hits != NULL ? hit_count : rows,
                        .bucket = AGG_OUTSIDE };
    rc = find_times(&s, (size_t)file->columns[RECORD_COL_ts]);
    if (rc != PQ_OK)
        return rc;
    int column = agg_column(a, file->table);
    uint32_t line = agg_line_of_table(a, file->table);
    if (line == AGG_UNKNOWN && file->columns[column] < 0) /* a file of an older release */
        line = agg_none(a);
    if (line != AGG_UNKNOWN) {
        count_one(&s, line);
        return a->failed ? PQ_ERR_MEMORY : PQ_OK;
    }
    s.kind = record_schema(file->table)->columns[column].kind;
    return count_column(&s, (size_t)file->columns[column]);
}

/* ------------------------------------------------------------------------------------------------ memory */

int agg_hot_begin(struct agg *a, const struct group *g)
{
    int column = agg_column(a, group_table(g));
    bool codes = column >= 0 && group_has_codes(g, (unsigned)column);
    return agg_map(a, codes ? group_codes(g, (unsigned)column) : 0);
}

static uint32_t hot_line(struct agg *a, const struct group *g, unsigned column, size_t row)
{
    struct group_scratch scratch;
    struct record_cell cell;
    uint32_t code = group_has_codes(g, column) ? group_code(g, column, row) : GROUP_NULL;
    if (code != GROUP_NULL && code < a->map_count && a->map[code] != AGG_UNKNOWN)
        return a->map[code];
    group_cell(g, column, row, &cell, &scratch);
    if (cell.null)
        return agg_none(a);
    if (record_kind_is_number(record_schema(group_table(g))->columns[column].kind))
        return agg_number(a, cell.number);
    uint32_t line = agg_text(a, cell.octets.ptr, cell.octets.len);
    if (code < a->map_count)
        a->map[code] = line;
    return line;
}

int agg_hot_row(struct agg *a, const struct group *g, size_t row, int64_t ts)
{
    size_t bucket = agg_bucket(a, ts);
    if (bucket == AGG_OUTSIDE)
        return 0;
    int column = agg_column(a, group_table(g));
    agg_count(a, column >= 0 ? hot_line(a, g, (unsigned)column, row) : agg_line_of_table(a, group_table(g)), bucket);
    return a->failed ? -ENOMEM : 0;
}
