#include "store/lake/scan.h"
#include "store/lake/agg.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

/* ------------------------------------------------------------------------------------------------ outcome */

uint64_t scan_left(const struct scan *c)
{
    uint64_t now = catalog_now();
    if (c->deadline == 0)
        return 0;
    return c->deadline > now ? c->deadline - now : 1;
}

void scan_problem(struct scan *c, const char *text)
{
    if (c->s->problem.text[0] == '\0')
        (void)errmsg_set(&c->s->problem, "%s", text);
}

bool scan_stop(struct scan *c)
{
    if (c->stopped)
        return true;
    if (c->s->cancel != NULL && atomic_load_explicit(c->s->cancel, memory_order_relaxed)) {
        scan_problem(c, "cancelled");
        c->stopped = true;
    } else if (c->deadline != 0 && catalog_now() >= c->deadline) {
        scan_problem(c, "out of time");
        c->s->timed_out = c->stopped = true;
    }
    return c->stopped;
}

/* Values on which the filter's regular expressions gave up since the scan began. */
static uint64_t given_up(const struct scan *c)
{
    return c->s->filter != NULL ? filter_gave_up(c->s->filter) - c->gave_up : 0;
}

void scan_keep_total(const struct scan *c, const struct scan_file *f, uint64_t total)
{
    if (f->whole && c->s->filter != NULL && given_up(c) == 0)
        catalog_total_put(c->lake->catalog, f->file->path, filter_text(c->s->filter), total);
}

void scan_file_failed(struct scan *c, const struct scan_file *f, int rc, const char *text)
{
    c->s->parts_failed++;
    c->rows_lost |= f->rows;
    c->total_lost |= f->counts;
    scan_problem(c, text);
    if (rc == -EUCLEAN && catalog_suspect(c->lake->catalog, f->file->path, text))
        lake_event(c->lake, "unreadable", f->file->path, text);
}

bool scan_behind(const struct scan *c, int64_t ts, uint64_t seq)
{
    const struct store_scan *s = c->s;
    if ((s->beyond != NULL && store_seen_has(s->beyond, seq)) || (s->within != NULL && !store_seen_has(s->within, seq)))
        return false;
    return !s->has_after || top_before(&c->top, s->after_ts, s->after_seq, ts, seq);
}

/* ------------------------------------------------------------------------------------------------ files */

static bool matches_all(const struct filter *f)
{
    return f == NULL || filter_leaves(f) == 0;
}

/* Known without looking: all rows, or what an earlier scan counted. */
static bool known_total(const struct scan *c, const struct scan_file *f, uint64_t *ret)
{
    const struct filter *filter = c->s->filter;
    *ret = f->file->rows;
    return f->whole &&
           (matches_all(filter) || catalog_total(c->lake->catalog, f->file->path, filter_text(filter), ret));
}

/* The same where rows are counted: into the one bucket that they can be in. */
static bool known_counts(const struct scan *c, const struct scan_file *f)
{
    uint64_t total;
    size_t bucket;
    if (!agg_is_plain(c->agg, f->file->min_ts, f->file->max_ts, &bucket) || !known_total(c, f, &total))
        return false;
    agg_add(c->agg, bucket, total);
    return true;
}

static bool before_place(const struct scan *c, const struct manifest_file *m)
{
    const struct store_scan *s = c->s;
    if ((s->beyond != NULL && m->max_seq < store_seen_least(s->beyond)) ||
        (s->within != NULL && m->min_seq > s->within->max))
        return true;
    return s->has_after && (s->oldest_first ? m->max_ts < s->after_ts : m->min_ts > s->after_ts);
}

/* Puts a file on the shelf if anything of it is of interest. */
static void consider(struct scan *c, struct scan_shelf *shelf, const struct manifest_file *m, uint32_t part,
                     enum record_table table)
{
    const struct store_scan *s = c->s;
    uint64_t total;
    if (m->rows == 0 || m->max_ts < s->from_us || m->min_ts >= s->to_us)
        return;
    struct scan_file f = {
        .file = m,
        .part = part,
        .table = table,
        .whole = m->min_ts >= s->from_us && m->max_ts<s->to_us, .rows = s->limit> 0 && !before_place(c, m),
        .counts = s->total_wanted != STORE_TOTAL_NONE,
    };
    c->s->parts_total++;
    if (m->state != MANIFEST_FILE_OK) {
        struct errmsg text;
        (void)errmsg_set(&text, "%s: %s", m->path,
                         m->state == MANIFEST_FILE_MISSING ? "is missing" : "had another size at the start");
        scan_file_failed(c, &f, -ENOENT, text.text);
        return;
    }
    if (c->agg != NULL) {
        f.counts = !known_counts(c, &f);
    } else if (f.counts && known_total(c, &f, &total)) {
        c->s->total += total;
        f.counts = false;
        f.rows &= total > 0;
    }
    if (f.rows || f.counts)
        shelf->files[shelf->count++] = f;
    else
        c->s->parts_done++;
}

static int newest_first(const void *a, const void *b)
{
    const struct scan_file *x = a, *y = b;
    if (x->file->max_ts != y->file->max_ts)
        return x->file->max_ts < y->file->max_ts ? 1 : -1;
    return (x->part < y->part) - (x->part > y->part);
}

static int oldest_first(const void *a, const void *b)
{
    const struct scan_file *x = a, *y = b;
    if (x->file->min_ts != y->file->min_ts)
        return x->file->min_ts > y->file->min_ts ? 1 : -1;
    return (x->part > y->part) - (x->part < y->part);
}

static int fill_shelf(struct scan *c, struct scan_shelf *shelf, enum record_table table)
{
    size_t first, count = manifest_pin_table(c->pin->files, record_schema(table)->name, &first);
    if ((c->s->tables >> table & 1) == 0 || count == 0)
        return 0;
    shelf->files = calloc(count, sizeof(*shelf->files));
    if (shelf->files == NULL)
        return -ENOMEM;
    for (size_t i = first; i < first + count; i++)
        consider(c, shelf, manifest_pin_file(c->pin->files, i), (uint32_t)(c->pin->group_count + i), table);
    qsort(shelf->files, shelf->count, sizeof(*shelf->files), c->s->oldest_first ? oldest_first : newest_first);
    shelf->slice = SCAN_SLICE_FIRST;
    bool find = c->agg == NULL; /* else only the page reader is asked */
    int rc = find && c->s->filter != NULL ? scan_keys_make(&shelf->keys, c->s->filter, table) : 0;
    return rc == 0 ? scan_pages_make(&shelf->pages, c->s->filter, table, !find) : rc;
}

/* ------------------------------------------------------------------------------------------------ the scan */

static void finish(struct scan *c)
{
    struct store_scan *s = c->s;
    struct errmsg text;
    if (c->top.failed)
        scan_problem(c, "out of memory");
    if (given_up(c) > 0) {
        (void)errmsg_set(&text, "the regular expression gave up on %" PRIu64 " values", given_up(c));
        scan_problem(c, text.text);
        c->rows_lost = c->total_lost = true;
    }
    if (c->pin->live_cut && (s->tables & STORE_LIVE_TABLES) != 0) {
        scan_problem(c, "there are more live calls than one search looks at");
        c->rows_lost = c->total_lost = true;
    }
    s->rows_exact = !c->rows_lost && !c->top.failed;
    s->total_exact = s->total_wanted != STORE_TOTAL_NONE && !c->total_lost;
    s->refs = top_take(&c->top, &s->count);
    if (s->total < s->count)
        s->total = s->count;
    LAKE_COUNT(c->lake, scans, 1);
    if (s->problem.text[0] != '\0')
        LAKE_COUNT(c->lake, scan_errors, 1);
}

static void reset(struct store_scan *s)
{
    s->refs = NULL;
    s->count = 0;
    s->total = s->octets_read = 0;
    s->rows_exact = s->total_exact = s->timed_out = false;
    s->parts_total = s->parts_done = s->parts_failed = 0;
    s->problem.text[0] = '\0';
}

/* What the filter leaves of tables and times need not be looked at. */
static void narrow(struct scan *c)
{
    struct store_scan *s = c->s;
    int64_t from_us, to_us;
    filter_times(s->filter, &from_us, &to_us);
    s->from_us = from_us > s->from_us ? from_us : s->from_us;
    s->to_us = to_us < s->to_us ? to_us : s->to_us;
    s->tables &= filter_tables(s->filter);
    c->gave_up = filter_gave_up(s->filter);
}

int scan_run(struct scan *c, struct errmsg *err)
{
    struct store_scan *s = c->s;
    struct scan_shelf shelves[RECORD_TABLES] = { { .files = NULL } };
    int rc = 0;
    reset(s);
    unsigned tables = s->tables;
    int64_t from_us = s->from_us, to_us = s->to_us;
    if (s->filter != NULL)
        narrow(c);
    c->top = (struct top){ .limit = s->limit, .oldest_first = s->oldest_first };
    c->deadline = s->budget_us > 0 ? catalog_now() + s->budget_us : 0;
    for (size_t t = 0; t < RECORD_TABLES && rc == 0; t++)
        rc = fill_shelf(c, &shelves[t], (enum record_table)t);
    if (rc == 0) {
        scan_hot(c);
        scan_files(c, shelves);
        finish(c);
    } else
        (void)errmsg_set(err, "scan: %s", strerror(-rc));
    for (size_t t = 0; t < RECORD_TABLES; t++) {
        free(shelves[t].files);
        scan_keys_free(shelves[t].keys);
        scan_pages_free(shelves[t].pages);
    }
    top_free(&c->top);
    s->tables = tables;
    s->from_us = from_us;
    s->to_us = to_us;
    return rc;
}

int lake_scan(struct store *store, struct store_pin *pin, struct store_scan *s, struct errmsg *err)
{
    struct scan c = { .lake = (struct lake *)store, .pin = pin, .s = s };
    if (s->limit > STORE_LIMIT_MAX) {
        reset(s);
        (void)errmsg_set(err, "a scan gives at most %d rows", STORE_LIMIT_MAX);
        return -EINVAL;
    }
    return scan_run(&c, err);
}
