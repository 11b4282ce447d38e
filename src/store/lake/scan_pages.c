/*
 * Filters by our own page reader. For each test of the filter the dictionary of its column is asked first: a row group
 * in which no entry passes a test that must pass costs no more than that. Then the codes of the pages become one number
 * a row, a bit for each test, and a table says which numbers pass: the tree is evaluated once a number, not once a row.
 * Times and sequence numbers are read of the rows that pass, and only while they may be among those wanted.
 */
#include <errno.h>
#include <string.h>

#include "store/lake/agg.h"
#include "store/lake/scan.h"

#define BLOOM_KEYS_MAX 64u /* more than these, and some key is always there */

enum leaf_state { LEAF_NO, LEAF_YES, LEAF_CODES, LEAF_VALUES };

/* Values of a column with a bloom filter one of which every row that passes has. */
struct bloom_keys {
    unsigned column;
    size_t count;
    uint64_t *hashes;
};

struct scan_pages {
    const struct filter *filter;
    enum record_table table;
    struct bloom_keys *blooms;
    size_t bloom_count;
    size_t leaves;
    bool many;                            /* more than SCAN_PAGES_LEAVES: the tree is evaluated row by row */
    int columns[FILTER_LEAVES_MAX];       /* of the table; -1: none */
    bool null_passes[FILTER_LEAVES_MAX];  /* does NULL pass the test? */
    bool passes[1u << SCAN_PAGES_LEAVES]; /* by the answers of all tests, a bit each; not of many */
};

/* A file while it is searched. */
struct page_scan {
    struct scan *c;
    const struct scan_pages *p;
    const struct scan_file *f;
    struct catalog_file *file;
    size_t group, rows;
    uint64_t base; /* row of the file that the group begins with */
    enum leaf_state state[FILTER_LEAVES_MAX];
    uint8_t *answers[FILTER_LEAVES_MAX]; /* by code */
    size_t answers_cap[FILTER_LEAVES_MAX];
    uint16_t *numbers; /* a row's answers */
    uint8_t *bits;     /* of many: a bit for each test and row, a test's rows together */
    size_t row;        /* of many: at hand */
    uint32_t *hits;    /* rows that pass */
    size_t rows_cap, hit_count;
    uint64_t total;
};

/* ------------------------------------------------------------------------------------------------ the filter */

static bool answer(void *arg, size_t leaf)
{
    return (*(const unsigned *)arg >> leaf & 1) != 0;
}

static int take_keys(struct scan_pages *p, unsigned column)
{
    const struct hep_slice *values;
    size_t count = filter_keys(p->filter, p->table, (int)column, &values);
    if (count == 0 || count > BLOOM_KEYS_MAX)
        return 0;
    struct bloom_keys *b = &p->blooms[p->bloom_count++];
    b->column = column;
    b->hashes = calloc(count, sizeof(*b->hashes));
    if (b->hashes == NULL)
        return -ENOMEM;
    for (b->count = 0; b->count < count; b->count++)
        b->hashes[b->count] = pq_filter_hash((struct pq_slice){ values[b->count].ptr, values[b->count].len });
    return 0;
}

static int take_all_keys(struct scan_pages *p)
{
    const struct record_schema *schema = record_schema(p->table);
    int rc = 0;
    p->blooms = calloc(schema->count, sizeof(*p->blooms));
    if (p->blooms == NULL)
        return -ENOMEM;
    for (unsigned c = 0; c < schema->count && rc == 0; c++)
        if ((schema->columns[c].options & RECORD_BLOOM) != 0)
            rc = take_keys(p, c);
    return rc;
}

int scan_pages_make(struct scan_pages **ret, const struct filter *f, enum record_table table, bool any)
{
    static const struct record_cell null = { .null = true };
    size_t leaves = f != NULL ? filter_leaves(f) : 0;
    *ret = NULL;
    if (leaves > SCAN_PAGES_LEAVES && !any)
        return 0;
    struct scan_pages *p = calloc(1, sizeof(*p));
    if (p == NULL)
        return -ENOMEM;
    p->filter = f;
    p->table = table;
    p->leaves = leaves;
    p->many = leaves > SCAN_PAGES_LEAVES;
    for (size_t i = 0; i < leaves; i++) {
        p->columns[i] = filter_leaf_column(f, i, table);
        p->null_passes[i] = filter_leaf_test(f, i, &null);
    }
    for (unsigned n = 0; !p->many && n < 1u << leaves; n++)
        p->passes[n] = f == NULL || filter_eval(f, answer, &n);
    int rc = f != NULL ? take_all_keys(p) : 0;
    if (rc != 0) {
        scan_pages_free(p);
        return rc;
    }
    *ret = p;
    return 0;
}

void scan_pages_free(struct scan_pages *p)
{
    if (p == NULL)
        return;
    for (size_t i = 0; i < p->bloom_count; i++)
        free(p->blooms[i].hashes);
    free(p->blooms);
    free(p);
}

bool scan_pages_wide(const struct scan_pages *p)
{
    for (size_t i = 0; i < p->leaves; i++)
        if (p->columns[i] >= 0 && record_schema(p->table)->columns[p->columns[i]].kind == RECORD_BYTES)
            return true;
    return false;
}

/* Could a row pass, when the tests of `known` have these answers? */
static bool possible(const struct scan_pages *p, unsigned known, unsigned value)
{
    for (unsigned n = 0; !p->many && n < 1u << p->leaves; n++)
        if ((n & known) == value && p->passes[n])
            return true;
    return p->many;
}

/* ------------------------------------------------------------------------------------------------ tests */

static bool test_value(const struct page_scan *s, size_t leaf, struct pq_slice value)
{
    struct record_cell cell;
    if (value.ptr == NULL)
        return s->p->null_passes[leaf];
    lake_cell(record_schema(s->p->table)->columns[s->p->columns[leaf]].kind, value, &cell);
    return filter_leaf_test(s->p->filter, leaf, &cell);
}

/* Number of NULLs of the group; at least one if it is not known. */
static size_t nulls_of(const struct page_scan *s, size_t column)
{
    struct pq_stats stats;
    if (pq_reader_stats(s->file->reader, s->group, column, &stats) != PQ_OK || !stats.has_nulls)
        return 1;
    return (size_t)stats.null_count;
}

/* Asks the dictionary; the state is that of the whole group if all of its values have one answer. */
static int ask_dictionary(struct page_scan *s, size_t leaf, size_t column, size_t nulls)
{
    const struct pq_slice *entries;
    size_t count, passed = 0;
    int rc = pq_reader_dictionary(s->file->reader, s->group, column, &entries, &count);
    s->state[leaf] = LEAF_VALUES;
    if (rc != PQ_OK)
        return rc == PQ_ERR_ABSENT ? PQ_OK : rc;
    if (count > s->answers_cap[leaf]) {
        uint8_t *grown = realloc(s->answers[leaf], count);
        if (grown == NULL)
            return PQ_ERR_MEMORY;
        s->answers[leaf] = grown;
        s->answers_cap[leaf] = count;
    }
    for (size_t i = 0; i < count; i++) {
        s->answers[leaf][i] = test_value(s, leaf, entries[i]);
        passed += s->answers[leaf][i];
    }
    bool null = s->p->null_passes[leaf];
    s->state[leaf] = passed == 0 && (nulls == 0 || !null)      ? LEAF_NO
                     : passed == count && (nulls == 0 || null) ? LEAF_YES
                                                               : LEAF_CODES;
    return PQ_OK;
}

static int ask_leaf(struct page_scan *s, size_t leaf)
{
    int column = s->p->columns[leaf];
    int16_t at = column >= 0 ? s->file->columns[column] : -1;
    size_t nulls = at >= 0 ? nulls_of(s, (size_t)at) : s->rows;
    if (nulls == s->rows) {
        s->state[leaf] = s->p->null_passes[leaf] ? LEAF_YES : LEAF_NO;
        return PQ_OK;
    }
    return ask_dictionary(s, leaf, (size_t)at, nulls);
}

/* Octets of the bits of one test. */
static size_t bits_size(const struct page_scan *s)
{
    return (s->rows + 7) / 8;
}

static void set_bit(struct page_scan *s, size_t leaf, size_t row, bool answer)
{
    s->bits[leaf * bits_size(s) + row / 8] |= (uint8_t)(answer << row % 8);
}

static int add_codes(struct page_scan *s, size_t leaf, size_t column, size_t page, size_t first)
{
    const uint32_t *codes;
    const uint8_t *answers = s->answers[leaf];
    uint16_t null = s->p->null_passes[leaf], *to = s->p->many ? NULL : s->numbers + first;
    size_t count;
    int rc = pq_reader_page_codes(s->file->reader, s->group, column, page, &codes, &count);
    for (size_t i = 0; rc == PQ_OK && to == NULL && i < count; i++)
        set_bit(s, leaf, first + i, codes[i] == PQ_NULL_CODE ? null != 0 : answers[codes[i]] != 0);
    for (size_t i = 0; rc == PQ_OK && to != NULL && i < count; i++)
        to[i] |= (uint16_t)((codes[i] == PQ_NULL_CODE ? null : answers[codes[i]]) << leaf);
    return rc;
}

static int add_values(struct page_scan *s, size_t leaf, size_t column, size_t page, size_t first)
{
    const struct pq_slice *values;
    size_t count;
    int rc = pq_reader_page_values(s->file->reader, s->group, column, page, &values, &count);
    for (size_t i = 0; rc == PQ_OK && i < count; i++) {
        bool answer = test_value(s, leaf, values[i]);
        if (s->p->many)
            set_bit(s, leaf, first + i, answer);
        else
            s->numbers[first + i] |= (uint16_t)(answer << leaf);
    }
    return rc;
}

/* The answers of a test for all rows of the group. */
static int add_leaf(struct page_scan *s, size_t leaf)
{
    size_t column = (size_t)s->file->columns[s->p->columns[leaf]], pages, first, count;
    int rc = pq_reader_pages(s->file->reader, s->group, column, &pages);
    for (size_t page = 0; rc == PQ_OK && page < pages; page++) {
        rc = pq_reader_page_rows(s->file->reader, s->group, column, page, &first, &count);
        if (rc == PQ_OK)
            rc = s->state[leaf] == LEAF_CODES ? add_codes(s, leaf, column, page, first)
                                              : add_values(s, leaf, column, page, first);
    }
    return rc;
}

/* ------------------------------------------------------------------------------------------------ rows */

static int offer(struct page_scan *s, size_t row, int64_t ts)
{
    struct pq_slice seq;
    int16_t column = s->file->columns[RECORD_COL_seq];
    int rc = column < 0 ? PQ_ERR_ABSENT : pq_reader_value(s->file->reader, s->group, (size_t)column, row, &seq);
    if (rc != PQ_OK)
        return rc;
    struct store_ref ref = { ts, (uint64_t)pq_as_int64(seq), s->f->part, (uint32_t)(s->base + row),
                             (uint8_t)s->p->table };
    if (scan_behind(s->c, ref.ts, ref.seq))
        top_offer(&s->c->top, &ref);
    return PQ_OK;
}

/* Hits from..to lie in one page of times, whose first row is `first`. `counted`: they are in the total already. */
static int look_at_times(struct page_scan *s, const struct pq_slice *times, size_t first, size_t from, size_t to,
                         bool counted)
{
    const struct store_scan *scan = s->c->s;
    int rc = PQ_OK;
    for (size_t h = to; h-- > from && rc == PQ_OK;) {
        int64_t ts = pq_as_int64(times[s->hits[h] - first]);
        if (ts < scan->from_us || ts >= scan->to_us)
            continue;
        s->total += !counted;
        if (s->f->rows && !top_refuses(&s->c->top, ts))
            rc = offer(s, s->hits[h], ts);
    }
    return rc;
}

/* Pages of times that have hits, the last first: the newest rows are mostly there. */
static int look_at_hits(struct page_scan *s, bool counted)
{
    size_t column = (size_t)s->file->columns[RECORD_COL_ts], pages, first, count, left = s->hit_count;
    int rc = pq_reader_pages(s->file->reader, s->group, column, &pages);
    for (size_t page = pages; rc == PQ_OK && page-- > 0 && left > 0;) {
        const struct pq_slice *times;
        size_t to = left;
        rc = pq_reader_page_rows(s->file->reader, s->group, column, page, &first, &count);
        while (rc == PQ_OK && left > 0 && s->hits[left - 1] >= first)
            left--;
        if (rc != PQ_OK || left == to)
            continue;
        rc = pq_reader_page_values(s->file->reader, s->group, column, page, &times, &count);
        if (rc == PQ_OK)
            rc = look_at_times(s, times, first, left, to, counted);
    }
    return rc;
}

static int make_room(struct page_scan *s)
{
    if (s->rows <= s->rows_cap)
        return PQ_OK;
    free(s->numbers);
    free(s->hits);
    free(s->bits);
    s->numbers = malloc(s->rows * sizeof(*s->numbers));
    s->hits = malloc(s->rows * sizeof(*s->hits));
    s->bits = s->p->many ? malloc(1 + s->p->leaves * bits_size(s)) : NULL; /* 1: analysers see no zero */
    bool there = s->numbers != NULL && s->hits != NULL && (s->bits != NULL || !s->p->many);
    s->rows_cap = there ? s->rows : 0;
    return there ? PQ_OK : PQ_ERR_MEMORY;
}

/* Of many tests: the answer of one for the row at hand. */
static bool bit_answer(void *arg, size_t leaf)
{
    const struct page_scan *s = arg;
    if (s->state[leaf] <= LEAF_YES)
        return s->state[leaf] == LEAF_YES;
    return (s->bits[leaf * bits_size(s) + s->row / 8] >> s->row % 8 & 1) != 0;
}

static bool row_passes(struct page_scan *s, size_t row)
{
    s->row = row;
    return s->p->many ? filter_eval(s->p->filter, bit_answer, s) : s->p->passes[s->numbers[row]];
}

/* Fills hits; `value` has the answers of the tests that have one for the whole group. */
static int find_hits(struct page_scan *s, unsigned value)
{
    int rc = make_room(s);
    if (rc != PQ_OK)
        return rc;
    for (size_t i = 0; i < s->rows; i++)
        s->numbers[i] = (uint16_t)value;
    if (s->p->many)
        memset(s->bits, 0, s->p->leaves * bits_size(s));
    for (size_t leaf = 0; leaf < s->p->leaves && rc == PQ_OK; leaf++)
        if (s->state[leaf] == LEAF_CODES || s->state[leaf] == LEAF_VALUES)
            rc = add_leaf(s, leaf);
    s->hit_count = 0;
    for (size_t i = 0; rc == PQ_OK && i < s->rows; i++) {
        s->hits[s->hit_count] = (uint32_t)i;
        s->hit_count += row_passes(s, i);
    }
    return rc;
}

/* ------------------------------------------------------------------------------------------------ groups */

/* What the times of the group say: is it of interest, lies it wholly in the window, may its rows be wanted? */
static bool look_at_span(const struct page_scan *s, bool *ret_inside, bool *ret_rows)
{
    const struct store_scan *scan = s->c->s;
    struct pq_stats stats;
    *ret_inside = false;
    *ret_rows = s->f->rows;
    if (pq_reader_stats(s->file->reader, s->group, (size_t)s->file->columns[RECORD_COL_ts], &stats) != PQ_OK ||
        !stats.has_range)
        return true;
    int64_t min = pq_as_int64(stats.min), max = pq_as_int64(stats.max);
    *ret_inside = min >= scan->from_us && max < scan->to_us;
    *ret_rows = s->f->rows && !top_refuses(&s->c->top, scan->oldest_first ? min : max);
    return max >= scan->from_us && min < scan->to_us && (*ret_rows || s->f->counts);
}

/* False if the group's bloom filters say that no row has what every row that passes must have. */
static int ask_blooms(struct page_scan *s, bool *ret_maybe)
{
    *ret_maybe = true;
    for (size_t i = 0; i < s->p->bloom_count && *ret_maybe; i++) {
        const struct bloom_keys *b = &s->p->blooms[i];
        struct pq_slice filter;
        int16_t column = s->file->columns[b->column];
        int rc = column >= 0 ? pq_reader_filter(s->file->reader, s->group, (size_t)column, &filter) : PQ_ERR_ABSENT;
        if (rc == PQ_ERR_ABSENT)
            continue;
        if (rc != PQ_OK)
            return rc;
        *ret_maybe = false;
        for (size_t k = 0; k < b->count && !*ret_maybe; k++)
            *ret_maybe = pq_filter_maybe(filter, b->hashes[k]);
    }
    return PQ_OK;
}

static int count_group(struct page_scan *s, bool all, unsigned value)
{
    int rc = all ? PQ_OK : find_hits(s, value);
    if (rc != PQ_OK || (!all && s->hit_count == 0))
        return rc;
    return agg_sealed(s->c->agg, s->file, s->group, s->rows, all ? NULL : s->hits, s->hit_count);
}

static int look_at_group(struct page_scan *s)
{
    unsigned known = 0, value = 0;
    size_t open = 0; /* tests that have no one answer for the group */
    bool inside, rows, maybe;
    if (!look_at_span(s, &inside, &rows))
        return PQ_OK;
    int rc = ask_blooms(s, &maybe);
    if (rc != PQ_OK || !maybe)
        return rc;
    for (size_t leaf = 0; leaf < s->p->leaves; leaf++) {
        rc = ask_leaf(s, leaf);
        if (rc != PQ_OK)
            return rc;
        open += s->state[leaf] > LEAF_YES;
        known |= (unsigned)(s->state[leaf] <= LEAF_YES && !s->p->many) << leaf % SCAN_PAGES_LEAVES;
        value |= (unsigned)(s->state[leaf] == LEAF_YES && !s->p->many) << leaf % SCAN_PAGES_LEAVES;
        if (!possible(s->p, known, value))
            return PQ_OK;
    }
    if (s->p->many && open == 0 && !row_passes(s, 0)) /* of many tests nobody has asked the tree so far */
        return PQ_OK;
    if (s->c->agg != NULL)
        return count_group(s, open == 0, value);
    if (inside && !rows && open == 0) {
        s->total += s->rows; /* they pass, all of them */
        return PQ_OK;
    }
    rc = find_hits(s, value);
    if (rc == PQ_OK && inside)
        s->total += s->hit_count;
    return rc == PQ_OK && s->hit_count > 0 && (rows || !inside) ? look_at_hits(s, inside) : rc;
}

static int look_at_groups(struct page_scan *s, struct errmsg *err)
{
    struct pq_reader *r = s->file->reader;
    size_t groups = pq_reader_groups(r);
    if (s->file->columns[RECORD_COL_ts] < 0)
        return -EUCLEAN;
    for (size_t i = 0; i < groups; i++) {
        s->group = s->c->s->oldest_first ? i : groups - 1 - i;
        s->rows = pq_reader_group_rows(r, s->group);
        s->base = pq_reader_group_start(r, s->group);
        if (scan_stop(s->c))
            return -EINTR;
        int rc = look_at_group(s);
        if (rc != PQ_OK)
            return catalog_error(s->file, rc, err);
    }
    return 0;
}

int scan_pages_file(struct scan *c, const struct scan_pages *p, const struct scan_file *f, struct errmsg *err)
{
    struct page_scan s = { .c = c, .p = p, .f = f };
    int rc = catalog_take(c->lake->catalog, f->file, p->table, &s.file, err);
    if (rc != 0)
        return rc;
    rc = look_at_groups(&s, err);
    c->s->octets_read += catalog_octets(s.file);
    catalog_give(s.file, rc == 0 || rc == -EINTR);
    for (size_t i = 0; i < p->leaves; i++)
        free(s.answers[i]);
    free(s.numbers);
    free(s.bits);
    free(s.hits);
    if (f->counts)
        c->s->total += s.total;
    if (rc == 0 && f->counts && c->agg == NULL)
        scan_keep_total(c, f, s.total);
    return rc;
}
