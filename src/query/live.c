#include "query/live_internal.h"

#include <errno.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define NICE     5                 /* who receives goes first */
#define JSON_MAX ((size_t)4 << 20) /* octets of a row */

uint64_t live_clock_us(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static void init_cond(pthread_cond_t *cond)
{
    pthread_condattr_t attr;
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_cond_init(cond, &attr);
    (void)pthread_condattr_destroy(&attr);
}

static struct timespec in_us(uint64_t us)
{
    uint64_t at = live_clock_us() + us;
    return (struct timespec){ (time_t)(at / 1000000), (long)(at % 1000000 * 1000) };
}

/* ------------------------------------------------------------------------------------------------ queues */

void live_event_unref(struct live_event *e)
{
    if (e != NULL && atomic_fetch_sub(&e->refs, 1) == 1)
        free(e);
}

static void queue_init(struct live_queue *q)
{
    *q = (struct live_queue){ .end = &q->first };
}

void live_queue_add(struct live_queue *q, struct live_entry *e)
{
    e->next = NULL;
    *q->end = e;
    q->end = &e->next;
    q->rows++;
    q->octets += e->event->len;
}

static struct live_entry *queue_take(struct live_queue *q)
{
    struct live_entry *e = q->first;
    if (e == NULL)
        return NULL;
    q->first = e->next;
    if (q->first == NULL)
        q->end = &q->first;
    q->rows--;
    q->octets -= e->event->len;
    return e;
}

void live_queue_free(struct live_queue *q)
{
    for (struct live_entry *e; (e = queue_take(q)) != NULL;) {
        live_event_unref(e->event);
        free(e);
    }
}

/* ------------------------------------------------------------------------------------------------ the thread */

/* Until there is something to do; false at the end. */
static bool wait_round(struct live *l, uint64_t us)
{
    struct timespec until = in_us(us);
    (void)pthread_mutex_lock(&l->lock);
    int rc = 0;
    while (!l->stopped && (!l->busy || rc == 0))
        rc = l->busy ? pthread_cond_timedwait(&l->wake, &l->lock, &until) : pthread_cond_wait(&l->wake, &l->lock);
    bool go_on = !l->stopped;
    (void)pthread_mutex_unlock(&l->lock);
    return go_on;
}

static void *run(void *arg)
{
    struct live *l = arg;
    uint64_t pause = (uint64_t)l->o.interval_ms * 1000;
    (void)setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), NICE);
    bool more = false;
    while (wait_round(l, more ? 1000 : pause)) /* a pause all the same: others want the lock of rounds, too */
        more = live_round(l);
    return NULL;
}

static uint64_t highest_number(struct store *s)
{
    struct store_follower *f;
    uint64_t max;
    if (s->ops->follow == NULL || s->ops->follow(s, &f, &max) != 0)
        return 0;
    s->ops->unfollow(s, f);
    return max;
}

int live_open(struct live **ret, const struct live_options *options)
{
    struct live *l = calloc(1, sizeof(*l));
    if (l == NULL)
        return -ENOMEM;
    l->o = *options;
    l->o.clients = l->o.clients == 0 ? 32 : l->o.clients < LIVE_CLIENTS_MAX ? l->o.clients : LIVE_CLIENTS_MAX;
    l->o.interval_ms = l->o.interval_ms == 0 ? 30 : l->o.interval_ms;
    l->o.queue_rows = l->o.queue_rows == 0 ? 4096 : l->o.queue_rows;
    l->o.queue_octets = l->o.queue_octets == 0 ? (size_t)1 << 20 : l->o.queue_octets;
    l->first = highest_number(l->o.store);
    buf_init(&l->json, JSON_MAX);
    (void)pthread_mutex_init(&l->round_lock, NULL);
    (void)pthread_mutex_init(&l->lock, NULL);
    init_cond(&l->wake);
    int rc = pthread_create(&l->thread, NULL, run, l);
    l->runs = rc == 0;
    if (rc != 0) {
        live_close(l);
        return -rc;
    }
    *ret = l;
    return 0;
}

uint64_t live_first(const struct live *l)
{
    return l->first;
}

/* Under both locks. */
static void end_clients(struct live *l)
{
    for (unsigned i = 0; i < l->o.clients; i++) {
        if (l->clients[i] == NULL)
            continue;
        l->clients[i]->ended = true;
        (void)pthread_cond_broadcast(&l->clients[i]->wake);
    }
}

void live_end_all(struct live *l)
{
    (void)pthread_mutex_lock(&l->round_lock);
    (void)pthread_mutex_lock(&l->lock);
    end_clients(l);
    (void)pthread_mutex_unlock(&l->lock);
    (void)pthread_mutex_unlock(&l->round_lock);
}

void live_stop(struct live *l)
{
    (void)pthread_mutex_lock(&l->round_lock);
    (void)pthread_mutex_lock(&l->lock);
    l->stopped = true;
    (void)pthread_cond_broadcast(&l->wake);
    end_clients(l);
    (void)pthread_mutex_unlock(&l->lock);
    (void)pthread_mutex_unlock(&l->round_lock);
}

void live_close(struct live *l)
{
    if (l == NULL)
        return;
    live_stop(l);
    if (l->runs)
        (void)pthread_join(l->thread, NULL);
    buf_free(&l->json);
    (void)pthread_cond_destroy(&l->wake);
    (void)pthread_mutex_destroy(&l->lock);
    (void)pthread_mutex_destroy(&l->round_lock);
    free(l);
}

/* ------------------------------------------------------------------------------------------------ coming and going */

static void set_busy(struct live *l)
{
    (void)pthread_mutex_lock(&l->lock);
    l->busy = l->count > 0;
    l->figures.clients = l->count;
    (void)pthread_cond_broadcast(&l->wake);
    (void)pthread_mutex_unlock(&l->lock);
}

static bool is_stopped(struct live *l)
{
    (void)pthread_mutex_lock(&l->lock);
    bool stopped = l->stopped;
    (void)pthread_mutex_unlock(&l->lock);
    return stopped;
}

static void count_refused(struct live *l)
{
    (void)pthread_mutex_lock(&l->lock);
    l->figures.refused++;
    (void)pthread_mutex_unlock(&l->lock);
}

static struct live_client *new_client(const struct live_ask *ask)
{
    struct live_client *c = calloc(1, sizeof(*c));
    if (c == NULL)
        return NULL;
    c->ask = *ask;
    c->tokens = ask->rate;
    queue_init(&c->queue);
    queue_init(&c->fresh);
    init_cond(&c->wake);
    return c;
}

static void free_client(struct live_client *c)
{
    live_queue_free(&c->queue);
    live_queue_free(&c->fresh);
    (void)pthread_cond_destroy(&c->wake);
    free(c);
}

/* Under the lock of rounds. */
static int enter(struct live *l, struct live_client *c)
{
    if (is_stopped(l))
        return -ECANCELED;
    if (l->count == l->o.clients) {
        count_refused(l);
        return -EBUSY;
    }
    int rc = l->count == 0 ? live_prime(l) : 0;
    if (rc != 0)
        return rc;
    while (l->clients[c->slot] != NULL)
        c->slot++;
    l->clients[c->slot] = c;
    l->count++;
    set_busy(l);
    return 0;
}

int live_join(struct live *l, const struct live_ask *ask, struct live_client **ret, struct store_seen *ret_seen)
{
    struct live_client *c = new_client(ask);
    if (c == NULL)
        return -ENOMEM;
    (void)pthread_mutex_lock(&l->round_lock);
    int rc = enter(l, c);
    *ret_seen = l->noted;
    (void)pthread_mutex_unlock(&l->round_lock);
    if (rc != 0) {
        free_client(c);
        return rc;
    }
    *ret = c;
    return 0;
}

void live_leave(struct live *l, struct live_client *c)
{
    if (c == NULL)
        return;
    (void)pthread_mutex_lock(&l->round_lock);
    l->clients[c->slot] = NULL;
    l->count--;
    if (l->count == 0) {
        l->o.store->ops->unfollow(l->o.store, l->follower);
        l->follower = NULL;
    }
    set_busy(l);
    (void)pthread_mutex_unlock(&l->round_lock);
    free_client(c);
}

/* ------------------------------------------------------------------------------------------------ taking */

static bool has_something(const struct live_client *c)
{
    return c->queue.first != NULL || c->tail_skipped > 0 || c->tail_unseen > 0;
}

/* Under the lock: what is missing behind the last row. */
static struct live_item take_tail(struct live *l, struct live_client *c, char place[SEEN_TEXT_MAX])
{
    struct live_item item = { .skipped = c->tail_skipped, .unseen = c->tail_unseen, .place = place };
    seen_format(&l->seen, place);
    c->tail_skipped = c->tail_unseen = 0;
    return item;
}

/* One item; other than 0: enough. */
static int hand_out(struct live *l, struct live_client *c, live_item_fn *item, void *arg)
{
    char place[SEEN_TEXT_MAX];
    struct live_item tail = { .json = NULL };
    (void)pthread_mutex_lock(&l->lock);
    struct live_entry *e = queue_take(&c->queue);
    if (e == NULL)
        tail = take_tail(l, c, place);
    else
        l->figures.sent++;
    (void)pthread_mutex_unlock(&l->lock);
    if (e == NULL)
        return item(arg, &tail);
    int rc = item(arg, &(struct live_item){ e->event->json, e->event->len, e->skipped, e->unseen, e->event->place });
    live_event_unref(e->event);
    free(e);
    return rc;
}

/* Under the lock. */
static bool wait_something(struct live *l, struct live_client *c, unsigned wait_ms)
{
    struct timespec until = in_us((uint64_t)wait_ms * 1000);
    int rc = 0;
    while (!has_something(c) && !c->ended && rc == 0 && wait_ms > 0)
        rc = pthread_cond_timedwait(&c->wake, &l->lock, &until);
    return has_something(c);
}

int live_take(struct live *l, struct live_client *c, unsigned wait_ms, live_item_fn *item, void *arg,
              char place[SEEN_TEXT_MAX])
{
    int count = 0;
    (void)pthread_mutex_lock(&l->lock);
    bool something = wait_something(l, c, wait_ms);
    bool ended = c->ended;
    if (!something && place != NULL)
        seen_format(&l->seen, place);
    (void)pthread_mutex_unlock(&l->lock);
    for (bool enough = false; something && !enough;) {
        enough = hand_out(l, c, item, arg) != 0;
        count++;
        (void)pthread_mutex_lock(&l->lock);
        something = has_something(c);
        (void)pthread_mutex_unlock(&l->lock);
    }
    return count == 0 && ended ? -ECANCELED : count;
}

void live_figures(struct live *l, struct live_figures *ret)
{
    (void)pthread_mutex_lock(&l->lock);
    *ret = l->figures;
    (void)pthread_mutex_unlock(&l->lock);
}
