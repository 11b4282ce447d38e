/*
 * Look-ups by key: of the row groups whose filter may have one of the keys, the dictionary says whether it has, and the
 * pages of codes in which rows. Nothing but the pages needed is read; DuckDB is not asked.
 */
#include <errno.h>
#include <string.h>

#include "store/lake/columns.h"
#include "store/lake/scan.h"

struct scan_keys {
    enum record_table table;
    unsigned column;
    size_t count;
    struct pq_slice *values; /* sorted, each once */
    uint64_t *hashes;        /* of the values, in their order */
};

/* A file while it is searched. */
struct key_search {
    struct scan *c;
    const struct scan_keys *k;
    const struct scan_file *f;
    struct catalog_file *file;
    uint64_t row;   /* at hand */
    int rc;         /* an enum pq_error of the cells of this row */
    uint8_t *found; /* entries of the dictionary that are keys */
    size_t found_cap;
    uint64_t total;
};

/* ------------------------------------------------------------------------------------------------ keys */

static int compare(const void *a, const void *b)
{
    const struct pq_slice *x = a, *y = b;
    if (x->len != y->len)
        return x->len < y->len ? -1 : 1;
    return x->len > 0 ? memcmp(x->ptr, y->ptr, x->len) : 0;
}

static bool is_key(const struct scan_keys *k, const struct pq_slice *value)
{
    if (value->ptr == NULL)
        return false;
    if (k->count == 1)
        return compare(value, &k->values[0]) == 0;
    return bsearch(value, k->values, k->count, sizeof(*k->values), compare) != NULL;
}

static int take_values(struct scan_keys *k, const struct hep_slice *values, size_t count)
{
    k->values = calloc(count, sizeof(*k->values));
    k->hashes = calloc(count, sizeof(*k->hashes));
    if (k->values == NULL || k->hashes == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++)
        k->values[i] = (struct pq_slice){ values[i].ptr, values[i].len };
    qsort(k->values, count, sizeof(*k->values), compare);
    for (size_t i = 0; i < count; i++)
        if (i == 0 || compare(&k->values[i - 1], &k->values[i]) != 0)
            k->values[k->count++] = k->values[i];
    for (size_t i = 0; i < k->count; i++)
        k->hashes[i] = pq_filter_hash(k->values[i]);
    return 0;
}

int scan_keys_make(struct scan_keys **ret, const struct filter *f, enum record_table table)
{
    const struct hep_slice *values;
    size_t count = 0;
    unsigned column;
    *ret = NULL;
    for (column = 0; column < record_schema(table)->count && count == 0; column++)
        if (lake_column_is_key(table, column))
            count = filter_keys(f, table, (int)column, &values);
    if (count == 0)
        return 0;
    struct scan_keys *k = calloc(1, sizeof(*k));
    if (k == NULL)
        return -ENOMEM;
    k->table = table;
    k->column = column - 1;
    int rc = take_values(k, values, count);
    if (rc != 0) {
        scan_keys_free(k);
        return rc;
    }
    *ret = k;
    return 0;
}

void scan_keys_free(struct scan_keys *k)
{
    if (k == NULL)
        return;
    free(k->values);
    free(k->hashes);
    free(k);
}

static bool maybe_in(const struct scan_keys *k, const struct key_filter *filter, size_t group)
{
    for (size_t i = 0; i < k->count; i++)
        if (key_filter_maybe(filter, group, k->hashes[i]))
            return true;
    return false;
}

/* ------------------------------------------------------------------------------------------------ rows */

static void row_cell(void *arg, int column, struct record_cell *ret)
{
    struct key_search *s = arg;
    *ret = (struct record_cell){ .null = true };
    if (column >= 0 && s->rc == PQ_OK)
        s->rc = catalog_cell(s->file, (unsigned)column, s->row, ret);
}

/* A row that has a key. */
static int look_at_row(struct key_search *s, uint64_t row)
{
    struct record_cell ts, seq;
    struct store_scan *scan = s->c->s;
    s->row = row;
    s->rc = PQ_OK;
    row_cell(s, RECORD_COL_ts, &ts);
    if (s->rc != PQ_OK || ts.number < scan->from_us || ts.number >= scan->to_us)
        return s->rc;
    bool refused = !s->f->rows || top_refuses(&s->c->top, ts.number);
    if (refused && !s->f->counts)
        return PQ_OK;
    bool match = filter_match(scan->filter, s->k->table, row_cell, s);
    if (s->rc != PQ_OK || !match)
        return s->rc;
    s->total++;
    if (refused)
        return PQ_OK;
    row_cell(s, RECORD_COL_seq, &seq);
    struct store_ref ref = { ts.number, (uint64_t)seq.number, s->f->part, (uint32_t)row, (uint8_t)s->k->table };
    if (s->rc == PQ_OK && scan_behind(s->c, ref.ts, ref.seq))
        top_offer(&s->c->top, &ref);
    return s->rc;
}

/* ------------------------------------------------------------------------------------------------ pages */

/* Marks the entries of the dictionary that are keys; PQ_ERR_ABSENT if the group has none. */
static int mark_entries(struct key_search *s, size_t group, size_t column, bool *ret_any)
{
    const struct pq_slice *entries;
    size_t count;
    *ret_any = false;
    int rc = pq_reader_dictionary(s->file->reader, group, column, &entries, &count);
    if (rc != PQ_OK)
        return rc;
    if (count > s->found_cap) {
        free(s->found);
        s->found = malloc(count);
        s->found_cap = s->found != NULL ? count : 0;
        if (s->found == NULL)
            return PQ_ERR_MEMORY;
    }
    for (size_t i = 0; i < count; i++) {
        s->found[i] = is_key(s->k, &entries[i]);
        *ret_any |= s->found[i] != 0;
    }
    return PQ_OK;
}

/* The rows of a page that have a key, one after the other: what is read for one must not disturb the page of the next.
 */
static int look_at_page(struct key_search *s, size_t group, size_t column, size_t page, bool by_code, uint64_t base)
{
    const uint32_t *codes = NULL;
    const struct pq_slice *values = NULL;
    size_t count;
    int rc = by_code ? pq_reader_page_codes(s->file->reader, group, column, page, &codes, &count)
                     : pq_reader_page_values(s->file->reader, group, column, page, &values, &count);
    if (rc != PQ_OK)
        return rc;
    uint32_t *hits = malloc((count + 1) * sizeof(*hits));
    size_t n = 0;
    if (hits == NULL)
        return PQ_ERR_MEMORY;
    for (size_t i = 0; i < count; i++)
        if (by_code ? codes[i] != PQ_NULL_CODE && s->found[codes[i]] != 0 : is_key(s->k, &values[i]))
            hits[n++] = (uint32_t)i;
    for (size_t i = 0; i < n && rc == PQ_OK; i++)
        rc = look_at_row(s, base + hits[i]);
    free(hits);
    return rc;
}

/* Is the row group within the times asked for? */
static bool in_time(const struct key_search *s, size_t group)
{
    struct pq_stats stats;
    int16_t column = s->file->columns[RECORD_COL_ts];
    if (column < 0 || pq_reader_stats(s->file->reader, group, (size_t)column, &stats) != PQ_OK || !stats.has_range)
        return true;
    return pq_as_int64(stats.max) >= s->c->s->from_us && pq_as_int64(stats.min) < s->c->s->to_us;
}

static int look_at_group(struct key_search *s, size_t group, uint64_t base)
{
    size_t column = (size_t)s->file->columns[s->k->column], pages, first, rows;
    bool any = true;
    if (!in_time(s, group))
        return PQ_OK;
    int rc = mark_entries(s, group, column, &any);
    bool by_code = rc == PQ_OK;
    if (rc != PQ_ERR_ABSENT && (rc != PQ_OK || !any))
        return rc;
    rc = pq_reader_pages(s->file->reader, group, column, &pages);
    for (size_t p = 0; rc == PQ_OK && p < pages; p++) {
        rc = pq_reader_page_rows(s->file->reader, group, column, p, &first, &rows);
        if (rc == PQ_OK)
            rc = look_at_page(s, group, column, p, by_code, base + first);
    }
    return rc;
}

/* The file is opened when a group may have a key. */
static int look_at_candidate(struct key_search *s, size_t group, struct errmsg *err)
{
    int rc = 0;
    if (s->file == NULL)
        rc = catalog_take(s->c->lake->catalog, s->f->file, s->k->table, &s->file, err);
    if (rc != 0)
        return rc;
    rc = look_at_group(s, group, pq_reader_group_start(s->file->reader, group));
    return rc != PQ_OK ? catalog_error(s->file, rc, err) : 0;
}

/* The newest groups first, if the newest rows are wanted: rows that come late are refused without being looked at. */
static int look_at_groups(struct key_search *s, const struct key_filter *filter, struct errmsg *err)
{
    size_t groups = key_filter_groups(filter);
    int rc = 0;
    for (size_t i = 0; i < groups && rc == 0; i++) {
        size_t group = s->c->s->oldest_first ? i : groups - 1 - i;
        if (!maybe_in(s->k, filter, group))
            continue;
        rc = scan_stop(s->c) ? -EINTR : look_at_candidate(s, group, err);
    }
    return rc;
}

int scan_keys_file(struct scan *c, const struct scan_keys *k, const struct scan_file *f, struct errmsg *err)
{
    struct key_search s = { .c = c, .k = k, .f = f };
    struct key_filter *filter = NULL;
    int rc = catalog_filter(c->lake->catalog, f->file, k->table, k->column, &filter, &c->s->octets_read, err);
    if (rc == 0)
        rc = look_at_groups(&s, filter, err);
    if (s.file != NULL)
        c->s->octets_read += catalog_octets(s.file);
    catalog_give(s.file, rc == 0 || rc == -EINTR);
    catalog_filter_release(filter);
    free(s.found);
    if (f->counts)
        c->s->total += s.total;
    if (rc == 0 && f->counts)
        scan_keep_total(c, f, s.total);
    return rc;
}
