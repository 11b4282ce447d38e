#include "agent/lane.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "agent/lane_internal.h"

#define CONNECT_MS  2000
#define STALL_MS    10000
#define REQUEST_MS  10000
#define SPOOL_AFTER 1000 /* ms of an outage before the queue goes to disk */
#define TICK_MS     250
#define FREE_MAX    8  /* batches that are kept for use again */
#define POSTED      64 /* frames an HTTP request */

uint64_t lane_now_ms(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000 + 1;
}

/* ------------------------------------------------------------------------------------------------ batches */

struct batch *lane_batch(struct lane *l)
{
    pthread_mutex_lock(&l->lock);
    struct batch *b = l->free;
    if (b != NULL) {
        l->free = b->next;
        l->free_count--;
    }
    pthread_mutex_unlock(&l->lock);
    if (b == NULL)
        b = malloc(sizeof(*b));
    if (b != NULL) {
        b->next = NULL;
        b->len = b->at = b->count = 0;
    }
    return b;
}

void lane_recycle(struct lane *l, struct batch *b)
{
    pthread_mutex_lock(&l->lock);
    bool keep = l->free_count < FREE_MAX;
    if (keep) {
        b->next = l->free;
        l->free = b;
        l->free_count++;
    }
    pthread_mutex_unlock(&l->lock);
    if (!keep)
        free(b);
}

static struct timespec in_ms(unsigned ms)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_nsec += (long)ms * 1000000;
    t.tv_sec += t.tv_nsec / 1000000000;
    t.tv_nsec %= 1000000000;
    return t;
}

static bool must_wait(const struct lane *l, const struct batch *b)
{
    return l->o.wait && l->queue.octets > 0 && l->queue.octets + b->len > l->o.queue && !l->stopping &&
           (l->o.hurry == NULL || *l->o.hurry == 0);
}

void lane_put(struct lane *l, struct batch *b)
{
    pthread_mutex_lock(&l->lock);
    while (must_wait(l, b)) {
        struct timespec t = in_ms(TICK_MS);
        (void)pthread_cond_timedwait(&l->room, &l->lock, &t);
    }
    bool fits = l->queue.octets == 0 || l->queue.octets + b->len <= l->o.queue;
    l->stats.taken += b->count;
    if (fits) {
        l->stats.waiting += b->count;
        batch_list_add(&l->queue, b);
        pthread_cond_signal(&l->more);
    } else {
        l->stats.dropped += b->count;
    }
    pthread_mutex_unlock(&l->lock);
    if (!fits)
        lane_recycle(l, b);
}

void lane_lost(struct lane *l, uint64_t frames)
{
    pthread_mutex_lock(&l->lock);
    l->stats.taken += frames;
    l->stats.dropped += frames;
    pthread_mutex_unlock(&l->lock);
}

void lane_figures(struct lane *l, struct lane_stats *ret)
{
    pthread_mutex_lock(&l->lock);
    *ret = l->stats;
    pthread_mutex_unlock(&l->lock);
}

void lane_tell(struct lane *l, enum lane_event event, const char *url, const char *text)
{
    if (l->o.on_event != NULL)
        l->o.on_event(l->o.arg, event, url, text);
}

void lane_set_problem(struct lane *l, const char *text)
{
    pthread_mutex_lock(&l->lock);
    (void)errmsg_set(&l->stats.problem, "%s", text);
    pthread_mutex_unlock(&l->lock);
}

struct batch *lane_take_queued(struct lane *l)
{
    pthread_mutex_lock(&l->lock);
    struct batch *b = batch_list_take(&l->queue);
    pthread_cond_broadcast(&l->room);
    pthread_mutex_unlock(&l->lock);
    return b;
}

size_t lane_queued(struct lane *l)
{
    pthread_mutex_lock(&l->lock);
    size_t n = l->queue.octets;
    pthread_mutex_unlock(&l->lock);
    return n;
}

/* ------------------------------------------------------------------------------------------------ the thread */

static void wait_for_work(struct lane *l, unsigned ms)
{
    struct timespec t = in_ms(ms);
    pthread_mutex_lock(&l->lock);
    if (l->queue.first == NULL && !l->stopping)
        (void)pthread_cond_timedwait(&l->more, &l->lock, &t);
    pthread_mutex_unlock(&l->lock);
}

/* Nothing can be sent now: to disk, if there is one; then a pause. */
static void endure(struct lane *l)
{
    if (l->spool != NULL &&
        (lane_now_ms() - l->down_since >= SPOOL_AFTER || lane_queued(l) > l->o.queue / 2 || lane_spool_waits(l)))
        lane_queue_to_spool(l);
    (void)poll(NULL, 0, 20);
}

static bool give_up(struct lane *l)
{
    uint64_t now = lane_now_ms();
    pthread_mutex_lock(&l->lock);
    bool over = l->stopping && (now >= l->stop_at || (l->spool != NULL && l->down_since != 0));
    pthread_mutex_unlock(&l->lock);
    return over || (l->o.wait && l->spool == NULL && l->down_since != 0 &&
                    (l->hopeless || now - l->down_since >= l->o.give_up_ms));
}

static void fail(struct lane *l, struct batch *b)
{
    const struct done d = { .failed = batch_frames(b, b->at, b->len) };
    lane_count(l, &d, true);
    lane_recycle(l, b);
}

void lane_abandon(struct lane *l)
{
    for (struct batch *b; (b = l->redo.first != NULL ? batch_list_take(&l->redo) : lane_take_queued(l)) != NULL;) {
        if (l->spool != NULL)
            lane_to_spool(l, b);
        else
            fail(l, b);
    }
}

/* A batch in memory, if it may be sent before what is on disk. */
static struct batch *next_batch(struct lane *l)
{
    if (l->redo.first != NULL)
        return batch_list_take(&l->redo);
    return lane_spool_waits(l) ? NULL : lane_take_queued(l);
}

static void send_batch(struct lane *l, struct batch *b)
{
    enum outcome outcome = lane_deliver(l, b, true);
    if (outcome == MOVED)
        return;
    if (outcome == DELIVERED && b->at == b->len)
        lane_remember(l, &l->list[l->current], b);
    else
        batch_list_push(&l->redo, b);
}

/* One round. False: there is nothing to do. */
static bool work(struct lane *l)
{
    struct batch *b = next_batch(l);
    if (b != NULL) {
        send_batch(l, b);
        if (l->down_since != 0)
            endure(l);
        return true;
    }
    if (!lane_spool_waits(l))
        return false;
    if (!lane_replay(l)) {
        endure(l);
        return true;
    }
    if (lane_queued(l) > l->o.queue / 2)
        lane_queue_to_spool(l);
    return true;
}

static bool is_stopping(struct lane *l)
{
    pthread_mutex_lock(&l->lock);
    bool stopping = l->stopping;
    pthread_mutex_unlock(&l->lock);
    return stopping;
}

static void *run(void *arg)
{
    struct lane *l = arg;
    lane_first_look(l);
    for (;;) {
        bool stopping = is_stopping(l);
        bool busy = work(l);
        if (give_up(l)) {
            lane_abandon(l);
            if (stopping)
                break;
            l->hopeless = true;
        }
        if (busy)
            continue;
        if (stopping)
            break;
        wait_for_work(l, TICK_MS);
        lane_look_around(l);
    }
    return NULL;
}

/* ------------------------------------------------------------------------------------------------ life */

static void set_limits(struct lane_options *o)
{
    o->sender.retry_ms = 0;
    o->sender.connect_timeout_ms = CONNECT_MS;
    o->sender.stall_timeout_ms = STALL_MS;
    o->sender.request_timeout_ms = REQUEST_MS;
    if (o->sender.frames_per_post == 0)
        o->sender.frames_per_post = POSTED;
    if (o->udp_max == 0 || o->udp_max > HEP_UDP_MAX)
        o->udp_max = HEP_UDP_MAX;
}

static int start(struct lane *l, struct errmsg *err)
{
    for (size_t i = 0; i < l->o.url_count; i++)
        if (lane_open_collector(l, l->o.urls[i], err) != 0)
            return -1;
    l->o.urls = NULL; /* the caller's */
    if (l->o.spool_dir != NULL && spool_open(&l->spool, l->o.spool_dir, l->o.spool_limit, err) != 0)
        return -1;
    l->o.spool_dir = NULL;
    int rc = pthread_create(&l->thread, NULL, run, l);
    if (rc != 0)
        return errmsg_set(err, "%s", strerror(rc));
    l->started = true;
    return 0;
}

static void lane_free(struct lane *l)
{
    batch_list_free(&l->queue);
    batch_list_free(&l->redo);
    batch_list_free(&l->history);
    while (l->free != NULL) {
        struct batch *b = l->free;
        l->free = b->next;
        free(b);
    }
    spool_close(l->spool);
    for (size_t i = 0; i < l->count; i++) {
        (void)sender_close(l->list[i].big, NULL);
        (void)sender_close(l->list[i].sender, NULL);
        free(l->list[i].url);
    }
    pthread_cond_destroy(&l->more);
    pthread_cond_destroy(&l->room);
    pthread_mutex_destroy(&l->lock);
    free(l);
}

int lane_open(struct lane **ret, const struct lane_options *options, struct errmsg *err)
{
    struct lane *l = calloc(1, sizeof(*l));
    pthread_condattr_t attr;
    if (l == NULL)
        return errmsg_set(err, "out of memory");
    l->o = *options;
    set_limits(&l->o);
    l->o.sender.stop = &l->stop;
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_mutex_init(&l->lock, NULL);
    (void)pthread_cond_init(&l->more, &attr);
    (void)pthread_cond_init(&l->room, &attr);
    (void)pthread_condattr_destroy(&attr);
    if (start(l, err) != 0) {
        lane_free(l);
        return -1;
    }
    *ret = l;
    return 0;
}

/* A sender that hangs in the middle of a write is told to let go when the time is over. */
static void join(struct lane *l, unsigned ms)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_REALTIME, &t);
    t.tv_sec += (time_t)(ms / 1000) + 1;
    if (pthread_timedjoin_np(l->thread, NULL, &t) == 0)
        return;
    __atomic_store_n(&l->stop, 1, __ATOMIC_RELAXED);
    (void)pthread_join(l->thread, NULL);
}

void lane_close(struct lane *l, unsigned ms, struct lane_stats *ret)
{
    if (l == NULL)
        return;
    pthread_mutex_lock(&l->lock);
    l->stopping = true;
    l->stop_at = lane_now_ms() + ms;
    pthread_cond_broadcast(&l->more);
    pthread_cond_broadcast(&l->room);
    pthread_mutex_unlock(&l->lock);
    if (l->started)
        join(l, ms);
    lane_finish_collector(l, &l->list[l->current]);
    if (ret != NULL)
        lane_figures(l, ret);
    lane_free(l);
}
