#include "store/lake/hot.h"

#include <errno.h>
#include <stdlib.h>

#include "store/lake/group_internal.h"

#define OPEN_MAX 16u /* groups that one writer fills at the same time: tables, hours about full, sources */

/* A group in the list of all. */
struct node {
    struct group *group;
    struct node *next;
    uint64_t number;
    unsigned writer;
    bool cut;
};

struct hot_writer {
    struct group *open[OPEN_MAX]; /* borrowed from the list */
    unsigned count, last;         /* last: the place of the group that came last */
    _Atomic uint64_t appended;
    char pad[64];
};

struct hot {
    struct pages *pages;
    struct pages_options o;
    unsigned writer_count;
    struct hot_writer *writers;
    _Atomic uint64_t refused;
    atomic_bool waiting;   /* somebody was told that there are too many groups */
    _Atomic size_t groups; /* in the list */
    pthread_mutex_t lock;  /* of the lists */
    struct node *first, **end;
    struct node *detached;
    uint64_t begun; /* number of the group that began last */
    struct hot_watcher *watchers;
};

int hot_open(struct hot **ret, unsigned writers, const struct pages_options *options)
{
    struct hot *h = calloc(1, sizeof(*h));
    if (h == NULL)
        return -ENOMEM;
    pthread_mutex_init(&h->lock, NULL);
    h->end = &h->first;
    h->writer_count = writers;
    h->o = *options;
    h->writers = calloc(writers, sizeof(*h->writers));
    int rc = h->writers != NULL ? pages_open(&h->pages, options) : -ENOMEM;
    if (rc != 0) {
        hot_close(h);
        return rc;
    }
    *ret = h;
    return 0;
}

static void free_list(struct node *n)
{
    while (n != NULL) {
        struct node *next = n->next;
        group_unref(n->group);
        free(n);
        n = next;
    }
}

void hot_close(struct hot *h)
{
    if (h == NULL)
        return;
    if (h->pages != NULL)
        pages_stop(h->pages);
    free_list(h->first);
    free_list(h->detached);
    pages_close(h->pages);
    pthread_mutex_destroy(&h->lock);
    free(h->writers);
    free(h);
}

/* ------------------------------------------------------------------------------------------------ appending */

static bool fits(const struct group *g, const struct record *r, uint32_t hour)
{
    return g->table == r->table && g->hour == hour && g->source == r->source;
}

/* No longer filled; it stays in the list. */
static void close_group(struct hot_writer *w, unsigned i)
{
    group_close(w->open[i]);
    w->open[i] = w->open[--w->count];
    w->last = 0;
}

static struct group *begin_group(struct hot *h, unsigned writer, const struct record *r, uint32_t hour)
{
    struct hot_writer *w = &h->writers[writer];
    struct node *n = calloc(1, sizeof(*n));
    struct group *g = n != NULL ? group_new_in(h->pages, r->table, hour, r->source) : NULL;
    if (g == NULL) {
        free(n);
        return NULL;
    }
    if (w->count == OPEN_MAX)
        close_group(w, 0);
    *n = (struct node){ .group = g, .writer = writer };
    pthread_mutex_lock(&h->lock);
    n->number = ++h->begun;
    *h->end = n;
    h->end = &n->next;
    pthread_mutex_unlock(&h->lock);
    atomic_fetch_add(&h->groups, 1);
    w->last = w->count;
    w->open[w->count++] = g;
    return g;
}

static struct group *group_for(struct hot *h, unsigned writer, const struct record *r)
{
    struct hot_writer *w = &h->writers[writer];
    uint32_t hour = r->received > 0 ? (uint32_t)(r->received / INT64_C(3600000000)) : 0;
    if (w->count > 0 && fits(w->open[w->last], r, hour))
        return w->open[w->last];
    for (w->last = 0; w->last < w->count; w->last++)
        if (fits(w->open[w->last], r, hour))
            return w->open[w->last];
    return begin_group(h, writer, r, hour);
}

int hot_append(struct hot *h, unsigned writer, const struct record *r)
{
    if (writer >= h->writer_count)
        return -EINVAL;
    struct hot_writer *w = &h->writers[writer];
    int rc = -ENOBUFS;
    for (unsigned tries = 0; tries < 2 && rc == -ENOBUFS; tries++) {
        struct group *g = group_for(h, writer, r);
        if (g == NULL)
            return -ENOMEM;
        rc = group_append(g, r);
        if (rc == 1 || rc == -ENOBUFS)
            close_group(w, w->last);
    }
    if (rc < 0)
        return -ENOMEM;
    atomic_store_explicit(&w->appended, atomic_load_explicit(&w->appended, memory_order_relaxed) + 1,
                          memory_order_relaxed);
    return 0;
}

bool hot_full(struct hot *h)
{
    bool full = pages_full(h->pages);
    if (!full && atomic_load_explicit(&h->groups, memory_order_relaxed) >= HOT_GROUPS_MAX) {
        atomic_store(&h->waiting, true);
        full = atomic_load(&h->groups) >= HOT_GROUPS_MAX;
    }
    if (full)
        atomic_fetch_add_explicit(&h->refused, 1, memory_order_relaxed);
    return full;
}

bool hot_pressed(struct hot *h)
{
    return pages_pressed(h->pages) || atomic_load_explicit(&h->groups, memory_order_relaxed) >= HOT_GROUPS_MAX / 4 * 3;
}

/* ------------------------------------------------------------------------------------------------ sealing */

size_t hot_cut(struct hot *h, unsigned writer)
{
    struct hot_writer *w = &h->writers[writer];
    size_t rows = 0;
    if (writer >= h->writer_count)
        return 0;
    while (w->count > 0)
        close_group(w, w->count - 1);
    pthread_mutex_lock(&h->lock);
    for (struct node *n = h->first; n != NULL; n = n->next) {
        if (n->writer != writer || n->cut)
            continue;
        n->cut = true;
        rows += group_rows(n->group);
    }
    pthread_mutex_unlock(&h->lock);
    return rows;
}

int hot_cut_groups(struct hot *h, struct group ***ret, size_t *ret_count)
{
    size_t count = 0;
    pthread_mutex_lock(&h->lock);
    for (const struct node *n = h->first; n != NULL; n = n->next)
        count += n->cut;
    struct group **groups = calloc(count + 1, sizeof(struct group *));
    *ret_count = 0;
    for (const struct node *n = h->first; n != NULL && groups != NULL; n = n->next)
        if (n->cut)
            groups[(*ret_count)++] = n->group;
    pthread_mutex_unlock(&h->lock);
    *ret = groups;
    return groups != NULL ? 0 : -ENOMEM;
}

static void tell_watchers(struct hot *h, const struct node *n)
{
    for (struct hot_watcher *w = h->watchers; w != NULL; w = w->next)
        w->leaves(w, n->group, n->number);
}

void hot_detach(struct hot *h)
{
    pthread_mutex_lock(&h->lock);
    for (struct node **at = &h->first; *at != NULL;) {
        struct node *n = *at;
        if (!n->cut) {
            at = &n->next;
            continue;
        }
        tell_watchers(h, n);
        *at = n->next;
        n->next = h->detached;
        h->detached = n;
        atomic_fetch_sub(&h->groups, 1);
    }
    h->end = &h->first;
    while (*h->end != NULL)
        h->end = &(*h->end)->next;
    pthread_mutex_unlock(&h->lock);
}

void hot_drop(struct hot *h)
{
    pthread_mutex_lock(&h->lock);
    struct node *list = h->detached;
    h->detached = NULL;
    pthread_mutex_unlock(&h->lock);
    free_list(list);
    pages_trim(h->pages);
    if (atomic_load(&h->groups) < HOT_GROUPS_MAX && atomic_exchange(&h->waiting, false) && h->o.room != NULL)
        h->o.room(h->o.arg);
}

/* ------------------------------------------------------------------------------------------------ looking */

int hot_pin(struct hot *h, struct group ***ret, size_t **ret_rows, size_t *ret_count)
{
    size_t count = 0;
    pthread_mutex_lock(&h->lock);
    for (const struct node *n = h->first; n != NULL; n = n->next)
        count++;
    struct group **groups = calloc(count + 1, sizeof(struct group *));
    size_t *rows = calloc(count + 1, sizeof(*rows));
    count = 0;
    for (const struct node *n = h->first; n != NULL && groups != NULL && rows != NULL; n = n->next) {
        rows[count] = group_rows(n->group);
        if (rows[count] > 0)
            groups[count++] = group_ref(n->group);
    }
    pthread_mutex_unlock(&h->lock);
    *ret = groups;
    *ret_rows = rows;
    *ret_count = count;
    if (groups != NULL && rows != NULL)
        return 0;
    free(groups);
    free(rows);
    return -ENOMEM;
}

void hot_lock(struct hot *h)
{
    pthread_mutex_lock(&h->lock);
}

void hot_unlock(struct hot *h)
{
    pthread_mutex_unlock(&h->lock);
}

void hot_each(struct hot *h, void (*each)(void *arg, struct group *g, uint64_t number), void *arg)
{
    for (const struct node *n = h->first; n != NULL; n = n->next)
        each(arg, n->group, n->number);
}

void hot_watch(struct hot *h, struct hot_watcher *w)
{
    w->next = h->watchers;
    h->watchers = w;
}

void hot_unwatch(struct hot *h, struct hot_watcher *w)
{
    struct hot_watcher **at = &h->watchers;
    while (*at != NULL && *at != w)
        at = &(*at)->next;
    if (*at != NULL)
        *at = w->next;
}

void hot_figures(struct hot *h, struct hot_figures *ret)
{
    *ret = (struct hot_figures){ .octets = pages_octets(h->pages),
                                 .refused = atomic_load_explicit(&h->refused, memory_order_relaxed),
                                 .cpu_zip_us = pages_cpu_us(h->pages) };
    for (unsigned i = 0; i < h->writer_count; i++)
        ret->appended += atomic_load_explicit(&h->writers[i].appended, memory_order_relaxed);
    pthread_mutex_lock(&h->lock);
    for (const struct node *n = h->first; n != NULL; n = n->next) {
        ret->rows += group_rows(n->group);
        ret->cut_octets += n->cut ? group_memory(n->group) : 0;
    }
    pthread_mutex_unlock(&h->lock);
}
