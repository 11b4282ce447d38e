#include "store/lake/pages.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "store/lake/group_internal.h"
#include "store/lake/map.h"

#define FREE_MAX 8u /* raw pages kept for the next */

struct pages {
    struct pages_options o;
    _Atomic size_t octets;
    atomic_bool waiting; /* somebody was told that it is full */
    _Atomic uint64_t cpu_us;
    pthread_mutex_t lock; /* of what is below, and of the states of pages */
    pthread_cond_t work, done;
    struct page_raw *free[FREE_MAX];
    size_t free_count;
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

bool pages_pressed(const struct pages *p)
{
    return pages_octets(p) >= p->o.limit / 4 * 3;
}

uint64_t pages_cpu_us(const struct pages *p)
{
    return atomic_load_explicit(&p->cpu_us, memory_order_relaxed);
}

/* ------------------------------------------------------------------------------------------------ raw octets */

static struct page_raw *from_free(struct pages *p, size_t size)
{
    struct page_raw *raw = NULL;
    pthread_mutex_lock(&p->lock);
    if (p->free_count > 0 && p->free[p->free_count - 1]->size >= size)
        raw = p->free[--p->free_count];
    pthread_mutex_unlock(&p->lock);
    return raw;
}

struct page_raw *page_raw_take(struct pages *p, size_t size)
{
    struct page_raw *raw = p != NULL ? from_free(p, size) : NULL;
    if (raw == NULL) {
        raw = map_take(sizeof(*raw) + size);
        if (raw == NULL)
            return NULL;
        raw->size = size;
    }
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
    bool kept = false;
    if (p != NULL && raw->size == GROUP_PAGE_ROOM) {
        pthread_mutex_lock(&p->lock);
        kept = p->free_count < FREE_MAX && !p->stop;
        if (kept)
            p->free[p->free_count++] = raw;
        pthread_mutex_unlock(&p->lock);
    }
    if (!kept)
        map_give(raw, sizeof(*raw) + raw->size);
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

/* Compresses the octets of a page that nobody else works on, into memory of just the size. */
static int zip_page(struct pages *p, const struct group_page *page, struct page_zipper *z, uint8_t **ret)
{
    uint64_t start = cpu_us();
    buf_reset(&z->out);
    int rc = pq_zip_compress(z->zip, PQ_CODEC_ZSTD, p != NULL ? p->o.level : 1,
                             (struct pq_slice){ page->raw->data, page->len }, &z->out);
    *ret = rc == PQ_OK ? map_take(z->out.len) : NULL;
    if (*ret != NULL)
        memcpy(*ret, z->out.ptr, z->out.len);
    if (p != NULL)
        atomic_fetch_add_explicit(&p->cpu_us, cpu_us() - start, memory_order_relaxed);
    return *ret != NULL ? 0 : -ENOMEM;
}

/* From PAGE_BUSY, which the caller has set, to PAGE_ZIPPED or back. */
static int work_on(struct pages *p, struct group_page *page, struct page_zipper *zipper)
{
    uint8_t *zipped;
    int rc = zip_page(p, page, zipper, &zipped);
    struct page_raw *raw = rc == 0 ? group_page_swap(page, zipped, zipper->out.len) : NULL;
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
    int rc = page_zipper_init(&p->zipper);
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
    for (size_t i = 0; i < p->free_count; i++)
        map_give(p->free[i], sizeof(*p->free[i]) + p->free[i]->size);
    page_zipper_free(&p->zipper);
    pthread_mutex_destroy(&p->lock);
    pthread_cond_destroy(&p->work);
    pthread_cond_destroy(&p->done);
    free(p);
}
