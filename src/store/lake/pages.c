#include "store/lake/pages.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "store/lake/group_internal.h"
#include "store/lake/map.h"

struct pages {
    struct pages_options o;
    _Atomic size_t octets;
    atomic_bool waiting; /* somebody was told that it is full */
    _Atomic uint64_t cpu_us;
    struct slabs *slabs;
    pthread_mutex_t lock; /* of what is below, and of the states of pages */
    pthread_cond_t work, done;
    struct group_page *head, *tail;
    bool stop, runs;
    pthread_t thread;
    struct page_zipper zipper; /* of the thread */
};

/* ------------------------------------------------------------------------------------------------ room */

/* When it is a little below the limit again, so that the answer does not change with each row. */
static void tell_room(struct pages *p, size_t octets)
{
    if (octets < p->o.limit - p->o.limit / 8 && atomic_load(&p->waiting) && atomic_exchange(&p->waiting, false) &&
        p->o.room != NULL)
        p->o.room(p->o.arg);
}

void pages_count(struct pages *p, ptrdiff_t octets)
{
    if (p == NULL || octets == 0)
        return;
    size_t now = atomic_fetch_add(&p->octets, (size_t)octets) + (size_t)octets;
    if (octets < 0)
        tell_room(p, now);
}

size_t pages_octets(const struct pages *p)
{
    return atomic_load_explicit(&p->octets, memory_order_relaxed);
}

/* The mark is set before the second look: what is freed in between is seen by the one or by the other. */
bool pages_full(struct pages *p)
{
    if (pages_octets(p) < p->o.limit)
        return false;
    atomic_store(&p->waiting, true);
    if (atomic_load(&p->octets) >= p->o.limit)
        return true;
    tell_room(p, atomic_load(&p->octets));
    return false;
}

/* At half: what comes while one half is sealed takes the other, and a sender as fast as the seal is never refused. */
bool pages_pressed(const struct pages *p)
{
    return pages_octets(p) >= p->o.limit / 2;
}

uint64_t pages_cpu_us(const struct pages *p)
{
    return atomic_load_explicit(&p->cpu_us, memory_order_relaxed);
}

/* ------------------------------------------------------------------------------------------------ raw octets */

struct slabs *pages_slabs(struct pages *p)
{
    return p != NULL ? p->slabs : NULL;
}

void pages_trim(struct pages *p)
{
    slab_trim(p->slabs);
}

struct page_raw *page_raw_take(struct pages *p, size_t size)
{
    bool own = size > PAGE_RAW_ROOM;
    struct page_raw *raw = own ? map_take(sizeof(*raw) + size) : slab_take(pages_slabs(p), PAGE_RAW_SLABS);
    if (raw == NULL)
        return NULL;
    raw->slabs = own ? 0 : PAGE_RAW_SLABS;
    raw->size = own ? size : PAGE_RAW_ROOM;
    atomic_store_explicit(&raw->refs, 1, memory_order_relaxed);
    return raw;
}

void page_raw_ref(struct page_raw *raw)
{
    atomic_fetch_add_explicit(&raw->refs, 1, memory_order_relaxed);
}

void page_raw_unref(struct pages *p, struct page_raw *raw)
{
    if (raw == NULL || atomic_fetch_sub(&raw->refs, 1) != 1)
        return;
    if (raw->slabs > 0)
        slab_give(pages_slabs(p), raw, raw->slabs);
    else
        map_give(raw, page_raw_memory(raw));
}

/* ------------------------------------------------------------------------------------------------ compressing */

static uint64_t cpu_us(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

int page_zipper_init(struct page_zipper *z)
{
    buf_init(&z->out, PQ_PAGE_MAX + (PQ_PAGE_MAX >> 4));
    z->zip = pq_zip_new();
    return z->zip != NULL ? 0 : -ENOMEM;
}

void page_zipper_free(struct page_zipper *z)
{
    pq_zip_free(z->zip);
    buf_free(&z->out);
    z->zip = NULL;
}

/* Compresses the octets of a page that nobody else works on. */
static int zip_page(struct pages *p, const struct group_page *page, struct page_zipper *z)
{
    uint64_t start = cpu_us();
    buf_reset(&z->out);
    int rc = pq_zip_compress(z->zip, PQ_CODEC_ZSTD, p != NULL ? p->o.level : 1,
                             (struct pq_slice){ page->raw->data, page->len }, &z->out);
    if (p != NULL)
        atomic_fetch_add_explicit(&p->cpu_us, cpu_us() - start, memory_order_relaxed);
    return rc == PQ_OK ? 0 : -ENOMEM;
}

/* From PAGE_BUSY, which the caller has set, to PAGE_ZIPPED or back. */
static int work_on(struct pages *p, struct group_page *page, struct page_zipper *zipper)
{
    struct page_raw *raw = NULL;
    int rc = zip_page(p, page, zipper);
    if (rc == 0)
        rc = group_page_swap(page, zipper->out.ptr, zipper->out.len, &raw);
    if (p != NULL)
        pthread_mutex_lock(&p->lock);
    page->state = rc == 0 ? PAGE_ZIPPED : PAGE_WAITING;
    if (p != NULL) {
        pthread_cond_broadcast(&p->done);
        pthread_mutex_unlock(&p->lock);
    }
    page_raw_unref(p, raw);
    return rc;
}

void pages_submit(struct pages *p, struct group_page *page)
{
    if (p == NULL || !p->runs)
        return;
    (void)group_ref(page->group);
    pthread_mutex_lock(&p->lock);
    page->next = NULL;
    if (p->tail != NULL)
        p->tail->next = page;
    else
        p->head = page;
    p->tail = page;
    pthread_cond_signal(&p->work);
    pthread_mutex_unlock(&p->lock);
}

int pages_finish(struct pages *p, struct group_page *page, struct page_zipper *zipper)
{
    bool mine = false;
    if (p != NULL) {
        pthread_mutex_lock(&p->lock);
        while (page->state == PAGE_BUSY)
            pthread_cond_wait(&p->done, &p->lock);
        mine = page->state == PAGE_WAITING;
        if (mine)
            page->state = PAGE_BUSY; /* the thread passes it over */
        pthread_mutex_unlock(&p->lock);
    } else {
        mine = page->state == PAGE_WAITING;
    }
    return mine ? work_on(p, page, zipper) : 0;
}

/* The next page to be compressed, as PAGE_BUSY; not *ret_mine: somebody does it already. NULL: stop. */
static struct group_page *next_page(struct pages *p, bool *ret_mine)
{
    pthread_mutex_lock(&p->lock);
    while (p->head == NULL && !p->stop)
        pthread_cond_wait(&p->work, &p->lock);
    struct group_page *page = p->head;
    if (page != NULL) {
        p->head = page->next;
        if (p->head == NULL)
            p->tail = NULL;
        *ret_mine = page->state == PAGE_WAITING && !p->stop;
        if (*ret_mine)
            page->state = PAGE_BUSY;
    }
    pthread_mutex_unlock(&p->lock);
    return page;
}

static void *worker(void *arg)
{
    struct pages *p = arg;
    struct group_page *page;
    bool mine;
    while ((page = next_page(p, &mine)) != NULL) {
        struct group *g = page->group;
        if (mine)
            (void)work_on(p, page, &p->zipper); /* where this fails the seal tries again, and says so */
        group_unref(g);
    }
    return NULL;
}

int pages_open(struct pages **ret, const struct pages_options *options)
{
    struct pages *p = calloc(1, sizeof(*p));
    if (p == NULL)
        return -ENOMEM;
    p->o = *options;
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->work, NULL);
    pthread_cond_init(&p->done, NULL);
    p->slabs = slabs_new();
    int rc = p->slabs != NULL ? page_zipper_init(&p->zipper) : -ENOMEM;
    if (rc == 0 && !p->o.no_thread) {
        rc = -pthread_create(&p->thread, NULL, worker, p);
        p->runs = rc == 0;
    }
    if (rc != 0) {
        pages_close(p);
        return rc;
    }
    *ret = p;
    return 0;
}

void pages_stop(struct pages *p)
{
    pthread_mutex_lock(&p->lock);
    p->stop = true;
    pthread_cond_broadcast(&p->work);
    pthread_mutex_unlock(&p->lock);
    if (p->runs)
        (void)pthread_join(p->thread, NULL);
    p->runs = false;
}

void pages_close(struct pages *p)
{
    if (p == NULL)
        return;
    pages_stop(p);
    page_zipper_free(&p->zipper);
    slabs_free(p->slabs);
    pthread_mutex_destroy(&p->lock);
    pthread_cond_destroy(&p->work);
    pthread_cond_destroy(&p->done);
    free(p);
}
