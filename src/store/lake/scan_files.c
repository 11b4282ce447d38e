/*
 * The files of a scan, those with the newest rows first (or the oldest): until the rows wanted are certain, and further
 * for their counts. What our own reader does is shared by several threads once the first file was not enough. Each has
 * a scan of its own, with rows, counts and outcome, which are added up in the end; they have in common which file is
 * next. A thread calls the rows certain by its own rows alone: the others then have no use for later files either.
 */
#include <errno.h>
#include <pthread.h>
#include <unistd.h>

#include "store/lake/agg.h"
#include "store/lake/scan.h"

#define SLICE_FILES 64u
#define SLICE_LAST  ((uint64_t)32 << 20) /* rows */
#define TEAM_MAX    8u

struct team {
    struct scan_shelf *shelves;
    pthread_mutex_t lock; /* of the shelves and of: */
    bool certain;         /* no file that is left has a row that is wanted */
};

/* One of several threads. */
struct member {
    struct team *team;
    struct scan scan;
    struct store_scan outcome;
    pthread_t thread;
};

/* ------------------------------------------------------------------------------------------------ which is next */

static int64_t bound(const struct scan *c, const struct scan_shelf *s)
{
    const struct manifest_file *m = s->files[s->next].file;
    return c->s->oldest_first ? m->min_ts : m->max_ts;
}

/* The shelf whose next file may have the first row; NULL: all are done. */
static struct scan_shelf *next_shelf(const struct scan *c, struct scan_shelf *shelves)
{
    struct scan_shelf *best = NULL;
    for (size_t t = 0; t < RECORD_TABLES; t++) {
        struct scan_shelf *s = &shelves[t];
        if (s->next == s->count)
            continue;
        if (best == NULL || (bound(c, s) != bound(c, best) && (bound(c, s) > bound(c, best)) != c->s->oldest_first))
            best = s;
    }
    return best;
}

/* The rows are certain, and no file that is left has one that is wanted: only their counts remain. */
static void rows_are_certain(struct scan *c, struct scan_shelf *shelves)
{
    for (size_t t = 0; t < RECORD_TABLES; t++) {
        struct scan_shelf *s = &shelves[t];
        size_t kept = s->next;
        for (size_t i = s->next; i < s->count; i++) {
            s->files[i].rows = false;
            if (s->files[i].counts)
                s->files[kept++] = s->files[i];
            else
                c->s->parts_done++;
        }
        s->count = kept;
        s->slice = SLICE_LAST;
    }
}

/* next_shelf(), once it is known whether rows are still wanted. */
static struct scan_shelf *next(struct scan *c, struct team *team)
{
    struct scan_shelf *s = next_shelf(c, team->shelves);
    if (s == NULL || team->certain || !top_refuses(&c->top, bound(c, s)))
        return s;
    team->certain = true;
    rows_are_certain(c, team->shelves);
    return next_shelf(c, team->shelves);
}

/* Our own reader, or DuckDB? */
static bool by_file(const struct scan *c, const struct scan_shelf *s)
{
    if (s->keys != NULL || c->agg != NULL)
        return true;
    if (s->pages == NULL || c->lake->always_duck)
        return false;
    return !scan_pages_wide(s->pages) || c->no_duck;
}

/* ------------------------------------------------------------------------------------------------ looking */

static void look_at_file(struct scan *c, const struct scan_shelf *s, const struct scan_file *f)
{
    struct errmsg text = { "" };
    int rc = s->keys != NULL ? scan_keys_file(c, s->keys, f, &text) : scan_pages_file(c, s->pages, f, &text);
    if (rc == 0)
        c->s->parts_done++;
    else if (rc == -EINTR) { /* stopped within the file */
        c->rows_lost |= f->rows;
        c->total_lost |= f->counts;
    } else
        scan_file_failed(c, f, rc, text.text);
}

static void look_at_slice(struct scan *c, struct scan_shelf *s)
{
    size_t n = 0;
    for (uint64_t rows = 0; s->next + n < s->count && n < SLICE_FILES && rows < s->slice; n++)
        rows += s->files[s->next + n].file->rows;
    if (!scan_slice(c, s->files + s->next, n, s->pages != NULL && !c->lake->always_duck)) {
        c->no_duck = true; /* by our own reader then */
        return;
    }
    s->next += n;
    s->slice = s->slice < SLICE_LAST ? 2 * s->slice : SLICE_LAST;
}

/* One file, or slice; false if there is nothing left to do. */
static bool look_at_next(struct scan *c, struct team *team)
{
    struct scan_shelf *s = next(c, team);
    if (s == NULL || scan_stop(c))
        return false;
    if (by_file(c, s))
        look_at_file(c, s, &s->files[s->next++]);
    else
        look_at_slice(c, s);
    return true;
}

/* ------------------------------------------------------------------------------------------------ several threads */

/* How many threads are of use: only our own reader is divided. */
static size_t team_size(const struct scan *c, const struct scan_shelf *shelves)
{
    size_t files = 0, most = c->lake->scan_threads < TEAM_MAX ? c->lake->scan_threads : TEAM_MAX;
    for (size_t t = 0; t < RECORD_TABLES; t++) {
        if (shelves[t].next < shelves[t].count && !by_file(c, &shelves[t]))
            return 1;
        files += shelves[t].count - shelves[t].next;
    }
    return files < most ? files : most;
}

static void share(struct scan *c, struct team *team)
{
    for (;;) {
        pthread_mutex_lock(&team->lock);
        struct scan_shelf *s = next(c, team);
        const struct scan_file *f = s != NULL ? &s->files[s->next++] : NULL;
        pthread_mutex_unlock(&team->lock);
        if (f == NULL)
            return;
        if (!scan_stop(c)) {
            look_at_file(c, s, f);
            continue;
        }
        c->rows_lost |= f->rows && !top_refuses(&c->top, c->s->oldest_first ? f->file->min_ts : f->file->max_ts);
        c->total_lost |= f->counts;
        return;
    }
}

static void *run_member(void *arg)
{
    struct member *m = arg;
    share(&m->scan, m->team);
    return NULL;
}

/* A scan for the same question that has found nothing yet. 0, or a negative errno. */
static int member_start(struct member *m, const struct scan *c, struct team *team)
{
    m->team = team;
    m->scan = *c;
    m->outcome = *c->s;
    m->outcome.total = m->outcome.octets_read = 0;
    m->outcome.parts_done = m->outcome.parts_failed = 0;
    m->outcome.problem.text[0] = '\0';
    m->scan.s = &m->outcome;
    m->scan.top = (struct top){ .limit = c->top.limit, .oldest_first = c->top.oldest_first };
    m->scan.agg = NULL;
    int rc = c->agg != NULL ? agg_new(&m->scan.agg, agg_question(c->agg)) : 0;
    if (rc == 0)
        rc = -pthread_create(&m->thread, NULL, run_member, m);
    if (rc != 0)
        agg_free(m->scan.agg);
    return rc;
}

static void member_end(struct member *m, struct scan *c)
{
    const struct store_scan *own = &m->outcome;
    pthread_join(m->thread, NULL);
    for (size_t i = 0; i < m->scan.top.count; i++)
        top_offer(&c->top, &m->scan.top.refs[i]);
    c->top.failed |= m->scan.top.failed;
    top_free(&m->scan.top);
    if (c->agg != NULL && agg_merge(c->agg, m->scan.agg) != 0) {
        c->total_lost = true;
        scan_problem(c, "out of memory");
    }
    agg_free(m->scan.agg);
    c->s->total += own->total;
    c->s->octets_read += own->octets_read;
    c->s->parts_done += own->parts_done;
    c->s->parts_failed += own->parts_failed;
    c->s->timed_out |= own->timed_out;
    c->stopped |= m->scan.stopped;
    c->rows_lost |= m->scan.rows_lost;
    c->total_lost |= m->scan.total_lost;
    if (own->problem.text[0] != '\0')
        scan_problem(c, own->problem.text);
}

/* What is left, by this thread and others; by this one alone if there are no others to be had. */
static void look_together(struct scan *c, struct team *team, size_t size)
{
    struct member members[TEAM_MAX];
    size_t count = 0;
    while (count + 1 < size && member_start(&members[count], c, team) == 0)
        count++;
    share(c, team);
    for (size_t i = 0; i < count; i++)
        member_end(&members[i], c);
}

/* ------------------------------------------------------------------------------------------------ the whole of it */

void scan_files(struct scan *c, struct scan_shelf shelves[RECORD_TABLES])
{
    struct team team = { .shelves = shelves, .lock = PTHREAD_MUTEX_INITIALIZER, .certain = c->top.limit == 0 };
    bool more = look_at_next(c, &team);
    size_t size = more ? team_size(c, shelves) : 0;
    if (size > 1)
        look_together(c, &team, size);
    while (more && size <= 1)
        more = look_at_next(c, &team);
    for (size_t t = 0; t < RECORD_TABLES; t++) /* not reached for want of time */
        for (size_t i = shelves[t].next; i < shelves[t].count; i++) {
            c->rows_lost |= shelves[t].files[i].rows && !top_refuses(&c->top, bound(c, &shelves[t]));
            c->total_lost |= shelves[t].files[i].counts;
        }
}
