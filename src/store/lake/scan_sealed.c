/*
 * Slices of sealed files by DuckDB. Step one of a search: it gives places of rows, never wide columns. Counts come
 * first, file by file, to be remembered; rows are then asked only of the files that have some.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "store/lake/scan.h"
#include "store/lake/sql.h"

/* A statement over some files of a slice. */
struct slice {
    struct scan *c;
    struct scan_file *files;
    size_t count;
    char (*paths)[VFS_PATH_MAX];
    const char *path[SQL_FILES_MAX];
    uint64_t found[SQL_FILES_MAX]; /* matching rows of each */
    struct store_ref *refs;        /* rows of this statement: kept only when it ended well */
    size_t ref_count, ref_cap;
    bool optional, refused; /* the worker need not be had; and it was not */
};

/* ------------------------------------------------------------------------------------------------ the worker */

/* Opened by the first who needs it; the process itself starts with the first query. */
static struct duck *worker(struct lake *lake, struct errmsg *err)
{
    char temp[VFS_PATH_MAX];
    pthread_mutex_lock(&lake->lock);
    if (lake->duck == NULL && vfs_join(temp, lake->o.data_dir, "tmp") == 0) {
        struct duck_options o = {
            .lake_dir = lake->dir,
            .temp_dir = temp,
            .library = lake->o.duck_library,
            .executable = lake->o.duck_executable,
            .memory = lake->o.duck_memory,
            .temp_max = lake->o.duck_temp_max,
            .threads = lake->o.duck_threads,
            .scans = lake->o.duck_scans,
        };
        if (duck_open(&lake->duck, &o, err) != 0)
            lake->duck = NULL;
    }
    struct duck *d = lake->duck;
    pthread_mutex_unlock(&lake->lock);
    return d;
}

/* Runs a statement; 0 or an enum duck_error. */
static int run(struct scan *c, struct sql *q, duck_row_fn *row, void *arg, struct errmsg *err)
{
    struct duck_stats stats = { .rows = 0 };
    if (q->failed) {
        (void)errmsg_set(err, "the filter is too long, or out of memory");
        return DUCK_ERR_LIMIT;
    }
    struct duck *d = worker(c->lake, err);
    if (d == NULL)
        return DUCK_ERR_UNAVAILABLE;
    int rc = duck_query(d, (const char *)q->text.ptr, q->values, q->count, scan_left(c), c->s->cancel, row, arg, &stats,
                        err);
    c->s->octets_read += stats.octets_read;
    if (c->s->filter != NULL)
        filter_add_gave_up(c->s->filter, stats.gave_up);
    return rc;
}

/* ------------------------------------------------------------------------------------------------ statements */

static bool sane(const struct slice *s, const struct duck_value *cells, size_t count, size_t want)
{
    return count == want && cells[want - 1].kind == DUCK_INT64 && cells[want - 1].number >= 0 &&
           cells[want - 2].kind == DUCK_INT64 && cells[want - 2].number >= 0 &&
           (size_t)cells[want - 2].number < s->count;
}

static int take_count(void *arg, const struct duck_value *cells, size_t count)
{
    struct slice *s = arg;
    if (!sane(s, cells, count, 2))
        return -1;
    s->found[cells[0].number] = (uint64_t)cells[1].number;
    return 0;
}

static int take_row(void *arg, const struct duck_value *cells, size_t count)
{
    struct slice *s = arg;
    if (!sane(s, cells, count, 4))
        return -1;
    const struct scan_file *f = &s->files[cells[2].number];
    if (s->ref_count == s->ref_cap) {
        size_t cap = s->ref_cap > 0 ? 2 * s->ref_cap : 256;
        struct store_ref *grown = realloc(s->refs, cap * sizeof(*grown));
        if (grown == NULL)
            return -1;
        s->refs = grown;
        s->ref_cap = cap;
    }
    s->refs[s->ref_count++] = (struct store_ref){ cells[0].number, (uint64_t)cells[1].number, f->part,
                                                  (uint32_t)cells[3].number, (uint8_t)f->table };
    return 0;
}

static struct sql_scope scope_of(const struct slice *s)
{
    const struct scan *c = s->c;
    struct sql_scope scope = {
        .table = s->files[0].table,
        .filter = c->s->filter,
        .paths = s->path,
        .count = s->count,
        .from_us = INT64_MIN,
        .to_us = INT64_MAX,
        .oldest_first = c->s->oldest_first,
        .has_after = c->s->has_after,
        .after_ts = c->s->after_ts,
        .after_seq = c->s->after_seq,
        .beyond = c->s->beyond,
        .within = c->s->within,
        .has_worst = c->top.limit > 0 && c->top.count == c->top.limit,
        .limit = c->top.limit,
    };
    if (scope.has_worst)
        scope.worst_ts = c->top.refs[0].ts;
    for (size_t i = 0; i < s->count; i++)
        if (!s->files[i].whole) {
            scope.from_us = c->s->from_us;
            scope.to_us = c->s->to_us;
        }
    return scope;
}

static void full_paths(struct slice *s)
{
    for (size_t i = 0; i < s->count; i++) {
        if (vfs_join(s->paths[i], s->c->lake->dir, s->files[i].file->path) != 0)
            s->paths[i][0] = '\0';
        s->path[i] = s->paths[i];
    }
}

static int run_counts(struct slice *s, struct errmsg *err)
{
    struct sql q;
    struct sql_scope scope = scope_of(s);
    memset(s->found, 0, sizeof(s->found));
    sql_counts(&q, &scope);
    int rc = run(s->c, &q, take_count, s, err);
    sql_free(&q);
    return rc;
}

static int run_rows(struct slice *s, struct errmsg *err)
{
    struct sql q;
    struct sql_scope scope = scope_of(s);
    s->ref_count = 0;
    sql_rows(&q, &scope);
    int rc = run(s->c, &q, take_row, s, err);
    sql_free(&q);
    return rc;
}

/* ------------------------------------------------------------------------------------------------ failures */

static void lost(struct scan *c, const struct scan_file *files, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        c->rows_lost |= files[i].rows;
        c->total_lost |= files[i].counts;
    }
}

/* What is not the fault of a file ends the scan, or (the worker died) this slice of it. */
static void slice_failed(struct slice *s, int rc, const struct errmsg *text)
{
    struct scan *c = s->c;
    lost(c, s->files, s->count);
    if (rc == DUCK_ERR_TIMEOUT)
        c->s->timed_out = true;
    c->stopped = true;
    struct errmsg all;
    (void)errmsg_set(&all, "%s",
                     rc == DUCK_ERR_TIMEOUT     ? "out of time"
                     : rc == DUCK_ERR_CANCELLED ? "cancelled"
                                                : text->text);
    scan_problem(c, all.text);
}

/*
 * DuckDB says no of one file: that is damaged, or memory was short, or DuckDB is wrong. So our own reader is asked:
 * what it can read counts.
 */
static void file_failed(struct slice *s, const struct errmsg *text)
{
    struct scan_file *f = &s->files[0];
    struct scan_pages *pages = NULL;
    struct errmsg all;
    (void)errmsg_set(&all, "%s: %s", f->file->path, text->text);
    int rc = scan_pages_make(&pages, s->c->s->filter, f->table, true);
    if (rc == 0)
        rc = scan_pages_file(s->c, pages, f, &all);
    scan_pages_free(pages);
    if (rc == -EINTR)
        lost(s->c, f, 1);
    else if (rc != 0)
        scan_file_failed(s->c, f, rc, all.text);
}

/* ------------------------------------------------------------------------------------------------ slices */

static void keep_counts(struct slice *s)
{
    struct scan *c = s->c;
    for (size_t i = 0; i < s->count; i++) {
        struct scan_file *f = &s->files[i];
        c->s->total += s->found[i];
        scan_keep_total(c, f, s->found[i]);
        f->counts = false;
        f->rows &= s->found[i] > 0;
    }
}

static void keep_rows(struct slice *s)
{
    for (size_t i = 0; i < s->ref_count; i++)
        top_offer(&s->c->top, &s->refs[i]);
    for (size_t i = 0; i < s->count; i++)
        s->files[i].rows = false;
}

/* The files that still need counts, or rows, to the front; how many. */
static size_t gather(struct scan_file *files, size_t count, bool counts)
{
    size_t n = 0;
    for (size_t i = 0; i < count; i++)
        if (counts ? files[i].counts : files[i].rows) {
            struct scan_file f = files[n];
            files[n++] = files[i];
            files[i] = f;
        }
    return n;
}

/*
 * One kind of statement over the files. If DuckDB refuses, halves are tried on their own, so that one bad file costs
 * only itself: as deep as log2 of SQL_FILES_MAX.
 */
// NOLINTNEXTLINE(misc-no-recursion)
static void ask(struct slice *all, struct scan_file *files, size_t count, bool counts)
{
    struct errmsg text = { "" };
    if (count == 0 || all->refused)
        return;
    if (scan_stop(all->c)) {
        lost(all->c, files, count);
        return;
    }
    all->files = files;
    all->count = count;
    full_paths(all);
    int rc = counts ? run_counts(all, &text) : run_rows(all, &text);
    if (rc == DUCK_OK && counts)
        keep_counts(all);
    else if (rc == DUCK_OK)
        keep_rows(all);
    else if (rc == DUCK_ERR_UNAVAILABLE && all->optional)
        all->refused = true;
    else if (rc != DUCK_ERR_SQL)
        slice_failed(all, rc, &text);
    else if (count == 1) {
        file_failed(all, &text);
        files->rows = files->counts = false;
    } else {
        ask(all, files, count / 2, counts);
        ask(all, files + count / 2, count - count / 2, counts);
    }
}

bool scan_slice(struct scan *c, struct scan_file *files, size_t count, bool optional)
{
    unsigned failed = c->s->parts_failed;
    struct slice *s = calloc(1, sizeof(*s));
    if (s != NULL)
        s->paths = calloc(count, sizeof(*s->paths));
    if (s == NULL || s->paths == NULL) {
        lost(c, files, count);
        scan_problem(c, "out of memory");
        free(s);
        return true;
    }
    s->c = c;
    s->optional = optional;
    ask(s, files, gather(files, count, true), true);
    ask(s, files, gather(files, count, false), false);
    bool refused = s->refused;
    if (!c->stopped && !refused)
        c->s->parts_done += (unsigned)count - (c->s->parts_failed - failed);
    free(s->paths);
    free(s->refs);
    free(s);
    return !refused;
}
