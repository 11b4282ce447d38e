#include "agent/lane.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#define CONNECT_MS  2000
#define STALL_MS    10000
#define REQUEST_MS  10000
#define PAUSE_FIRST 200               /* ms until a collector that failed is asked again */
#define PAUSE_MAX   5000              /* ms */
#define HISTORY_MAX ((size_t)4 << 20) /* octets kept of what was sent: more than a send buffer of the kernel holds */
#define AGAIN_MS    1000              /* after a reset: what was sent within so long goes again */
#define PROBE_MS    30                /* how long an answer to the first datagram is waited for */
#define SPOOL_AFTER 1000              /* ms of an outage before the queue goes to disk */
#define TICK_MS     250
#define FREE_MAX    8  /* batches that are kept for use again */
#define POSTED      64 /* frames an HTTP request */

struct list {
    struct batch *first, *last;
    size_t octets;
};

struct collector {
    char *url;
    struct sender *sender; /* NULL: standard output */
    struct sender *big;    /* by TCP, for what UDP cannot carry; made when it is needed */
    bool udp, stream;
    bool down;
    uint64_t next_try; /* ms */
    unsigned pause;
};

struct lane {
    struct lane_options o;
    struct collector list[LANE_COLLECTORS_MAX];
    size_t count;
    struct spool *spool;

    pthread_t thread;
    bool started;
    volatile sig_atomic_t stop; /* ends every wait of the senders; atomically */
    pthread_mutex_t lock;       /* of all that stands here */
    pthread_cond_t more, room;
    struct list queue;
    struct batch *free;
    size_t free_count;
    bool stopping;
    uint64_t stop_at; /* ms; when what cannot be sent is given up */
    struct lane_stats stats;

    /* The thread's own. */
    struct list redo;    /* to be sent again, first of all */
    struct list history; /* sent to a stream */
    size_t current;
    bool ever_up;
    uint64_t down_since;    /* ms; 0: up */
    bool hopeless;          /* frames failed in this outage: further ones do not wait */
    uint64_t replay_at;     /* ms; no more from the spool before */
    uint64_t spool_dropped; /* as last told */
};

static uint64_t now_ms(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000 + 1;
}

/* ------------------------------------------------------------------------------------------------ lists */

static void list_add(struct list *l, struct batch *b)
{
    b->next = NULL;
    if (l->last != NULL)
        l->last->next = b;
    else
        l->first = b;
    l->last = b;
    l->octets += b->len;
}

static void list_push(struct list *l, struct batch *b)
{
    b->next = l->first;
    l->first = b;
    if (l->last == NULL)
        l->last = b;
    l->octets += b->len;
}

static struct batch *list_take(struct list *l)
{
    struct batch *b = l->first;
    if (b == NULL)
        return NULL;
    l->first = b->next;
    if (l->first == NULL)
        l->last = NULL;
    l->octets -= b->len;
    b->next = NULL;
    return b;
}

/* The newest one. */
static struct batch *list_take_last(struct list *l)
{
    struct batch *b = l->last, *before = NULL;
    if (b == NULL)
        return NULL;
    for (struct batch *i = l->first; i != b; i = i->next)
        before = i;
    if (before == NULL)
        return list_take(l);
    before->next = NULL;
    l->last = before;
    l->octets -= b->len;
    return b;
}

static void list_free(struct list *l)
{
    for (struct batch *b; (b = list_take(l)) != NULL;)
        free(b);
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

static void recycle(struct lane *l, struct batch *b)
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
        list_add(&l->queue, b);
        pthread_cond_signal(&l->more);
    } else {
        l->stats.dropped += b->count;
    }
    pthread_mutex_unlock(&l->lock);
    if (!fits)
        recycle(l, b);
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

/* What a piece of work changed. */
struct done {
    uint64_t sent, octets, failed, by_tcp, resent;
};

static void count(struct lane *l, const struct done *d, bool from_memory)
{
    pthread_mutex_lock(&l->lock);
    l->stats.sent += d->sent;
    l->stats.octets += d->octets;
    l->stats.failed += d->failed;
    l->stats.by_tcp += d->by_tcp;
    l->stats.resent += d->resent;
    if (from_memory)
        l->stats.waiting -= d->sent + d->failed;
    pthread_mutex_unlock(&l->lock);
}

static void tell(struct lane *l, enum lane_event event, const char *url, const char *text)
{
    if (l->o.on_event != NULL)
        l->o.on_event(l->o.arg, event, url, text);
}

static void set_problem(struct lane *l, const char *text)
{
    pthread_mutex_lock(&l->lock);
    (void)errmsg_set(&l->stats.problem, "%s", text);
    pthread_mutex_unlock(&l->lock);
}

/* ------------------------------------------------------------------------------------------------ sending */

static bool is_udp(const char *url)
{
    return strncasecmp(url, "udp://", 6) == 0;
}

static bool is_stream(const char *url)
{
    return strncasecmp(url, "tcp://", 6) == 0 || strncasecmp(url, "tls://", 6) == 0;
}

/* A frame that UDP cannot carry. True if it went. */
static bool send_big(struct lane *l, struct collector *c, const uint8_t *frame, size_t len)
{
    char url[300];
    struct errmsg err;
    if (c->big == NULL) {
        int n = snprintf(url, sizeof(url), "tcp://%s", c->url + strlen("udp://"));
        if (n < 0 || (size_t)n >= sizeof(url) || sender_open(&c->big, url, &l->o.sender, &err) != 0)
            return false;
    }
    bool ok = sender_send(c->big, frame, len) == 0 && sender_flush(c->big) == 0;
    if (!ok)
        set_problem(l, sender_stats(c->big)->last_error.text);
    return ok;
}

static bool to_stdout(struct lane *l, struct batch *b, struct done *d)
{
    size_t start = b->at;
    while (b->at < b->len) {
        ssize_t n = write(STDOUT_FILENO, b->data + b->at, b->len - b->at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            set_problem(l, strerror(errno));
            d->failed += b->count;
            b->at = b->len;
            return true;
        }
        b->at += (size_t)n;
    }
    d->octets += b->len - start;
    (void)frames_whole(b->data + start, b->len - start, &start);
    d->sent += start;
    return true;
}

/* Steps over `frames` frames from `at`. */
static size_t step(const struct batch *b, size_t at, uint64_t frames)
{
    while (frames-- > 0 && at < b->len)
        at += frame_length(b->data + at, b->len - at);
    return at;
}

/* UDP: frames go or fail one by one, and the network tells soon whether anybody listens. */
static bool by_udp(struct lane *l, struct collector *c, struct batch *b, struct done *d)
{
    const struct sender_stats *s = sender_stats(c->sender);
    struct sender_stats before = *s;
    size_t at = b->at, n;
    for (bool probe = c->down; at < b->len; at += n, probe = false) {
        n = frame_length(b->data + at, b->len - at);
        if (n > l->o.udp_max) {
            bool ok = send_big(l, c, b->data + at, n);
            d->sent += ok;
            d->octets += ok ? n : 0;
            d->by_tcp += ok;
            d->failed += !ok;
            continue;
        }
        (void)sender_send(c->sender, b->data + at, n);
        if (!probe)
            continue;
        (void)sender_flush(c->sender);
        (void)poll(NULL, 0, PROBE_MS);
        if (sender_check(c->sender) != 0)
            break;
    }
    (void)sender_flush(c->sender);
    (void)sender_check(c->sender);
    if (s->refused != before.refused) { /* all of it again, later: nobody has it */
        *d = (struct done){ 0 };
        return false;
    }
    d->sent += s->frames_sent - before.frames_sent;
    d->octets += s->octets_sent - before.octets_sent;
    d->failed += s->frames_failed - before.frames_failed;
    b->at = b->len;
    return true;
}

/* TCP, TLS, HTTP: in order, so that the number of frames sent says which ones they are. */
static bool by_stream(struct collector *c, struct batch *b, struct done *d)
{
    const struct sender_stats *s = sender_stats(c->sender);
    struct sender_stats before = *s;
    bool ok = true;
    for (size_t at = b->at, n; at < b->len && ok; at += n) {
        n = frame_length(b->data + at, b->len - at);
        ok = sender_send(c->sender, b->data + at, n) == 0;
    }
    ok = sender_flush(c->sender) == 0 && ok;
    d->sent = s->frames_sent - before.frames_sent;
    d->octets = s->octets_sent - before.octets_sent;
    b->at = step(b, b->at, d->sent);
    if (ok || sender_is_down(c->sender))
        return ok;
    d->failed = s->frames_failed - before.frames_failed; /* the collector does not want them */
    b->at = step(b, b->at, d->failed);
    return true;
}

/* ------------------------------------------------------------------------------------------------ again */

/* Where the last `octets` octets of the first `end` octets begin, at the start of a frame. */
static size_t boundary(const struct batch *b, size_t end, size_t octets)
{
    size_t at = 0;
    for (size_t n; end - at > octets; at += n) {
        n = frame_length(b->data + at, b->len - at);
        if (n > end - at - octets)
            break;
    }
    return at;
}

static uint64_t frames_in(const struct batch *b, size_t from, size_t to)
{
    size_t n;
    (void)frames_whole(b->data + from, to - from, &n);
    return n;
}

/*
 * The last `octets` octets that were sent are to be sent again: those of the batch under way, if there is one, by its
 * `at`; those of the history as batches before all others. A batch of memory goes behind these.
 */
static void take_back(struct lane *l, struct batch *b, bool from_memory, uint64_t octets)
{
    uint64_t again = 0, waiting = 0;
    size_t need = octets < HISTORY_MAX ? (size_t)octets : HISTORY_MAX;
    if (b != NULL) {
        size_t at = b->at <= need ? 0 : boundary(b, b->at, need);
        again += frames_in(b, at, b->at);
        need -= b->at - at < need ? b->at - at : need;
        b->at = at;
        waiting = from_memory ? again : 0;
        if (from_memory)
            list_push(&l->redo, b);
    }
    while (need > 0 && l->history.first != NULL) {
        struct batch *h = list_take_last(&l->history);
        h->at = h->len <= need ? 0 : boundary(h, h->len, need);
        uint64_t frames = frames_in(h, h->at, h->len);
        again += frames;
        waiting += frames;
        need -= h->len - h->at < need ? h->len - h->at : need;
        list_push(&l->redo, h);
    }
    pthread_mutex_lock(&l->lock);
    l->stats.resent += again;
    l->stats.sent -= again;
    l->stats.waiting += waiting;
    pthread_mutex_unlock(&l->lock);
}

static void remember(struct lane *l, const struct collector *c, struct batch *b)
{
    if (!c->stream) {
        recycle(l, b);
        return;
    }
    b->at = 0;
    b->sent_ms = now_ms();
    list_add(&l->history, b);
    while (l->history.octets > HISTORY_MAX)
        recycle(l, list_take(&l->history));
}

/* ------------------------------------------------------------------------------------------------ collectors */

static void set_down(struct lane *l, struct collector *c)
{
    c->pause = c->pause == 0 ? PAUSE_FIRST : c->pause * 2 < PAUSE_MAX ? c->pause * 2 : PAUSE_MAX;
    c->next_try = now_ms() + c->pause;
    c->down = true;
    if (c->sender != NULL)
        set_problem(l, sender_stats(c->sender)->last_error.text);
}

static void set_up(struct lane *l, size_t i)
{
    struct collector *c = &l->list[i];
    bool news = !l->ever_up || l->down_since != 0 || i != l->current;
    c->down = false;
    c->pause = 0;
    pthread_mutex_lock(&l->lock);
    l->stats.switches += l->ever_up && i != l->current;
    l->stats.up = true;
    l->stats.current = i;
    pthread_mutex_unlock(&l->lock);
    l->ever_up = true;
    l->down_since = 0;
    l->hopeless = false;
    l->current = i;
    if (news)
        tell(l, LANE_UP, c->url, "");
}

static void all_down(struct lane *l)
{
    struct lane_stats s;
    if (l->down_since != 0)
        return;
    l->down_since = now_ms();
    pthread_mutex_lock(&l->lock);
    l->stats.outages++;
    l->stats.up = false;
    s = l->stats;
    pthread_mutex_unlock(&l->lock);
    tell(l, LANE_DOWN, l->list[0].url, s.problem.text);
}

enum outcome {
    DELIVERED, /* all of it, or as much as could be now: batch.at */
    MOVED,     /* a connection broke: older frames are to go first; a batch of memory waits among them */
    UNWILLING  /* this collector does not take anything now */
};

/* What was counted of broken connections. */
struct broken {
    uint64_t octets, resets;
};

static struct broken broken_so_far(const struct collector *c)
{
    struct broken b = { 0 };
    if (c->sender != NULL) {
        b.octets = sender_stats(c->sender)->octets_unacknowledged;
        b.resets = sender_stats(c->sender)->resets;
    }
    return b;
}

/* Octets that are to be sent again for what broke since `before`; `now`: those sent since. */
static uint64_t lost_since(const struct lane *l, const struct collector *c, struct broken before, uint64_t now)
{
    struct broken after = broken_so_far(c);
    uint64_t octets = after.octets - before.octets, recent = 0;
    uint64_t since = now_ms() - AGAIN_MS;
    if (after.resets != before.resets)
        for (const struct batch *b = l->history.first; b != NULL; b = b->next)
            recent += b->sent_ms >= since ? b->len : 0;
    if (recent > octets)
        octets = recent;
    return octets == 0 ? 0 : octets + now;
}

/* Whether the collector can be tried: connected, where that can be known without sending. */
static enum outcome ready(struct lane *l, struct collector *c, struct batch *b, bool from_memory)
{
    if (c->down && now_ms() < c->next_try)
        return UNWILLING;
    if (c->sender == NULL || c->udp)
        return DELIVERED;
    struct broken before = broken_so_far(c);
    int rc = sender_check(c->sender);
    if (rc != 0)
        set_down(l, c);
    uint64_t lost = lost_since(l, c, before, 0);
    if (lost > 0) {
        take_back(l, b, from_memory, lost);
        return MOVED;
    }
    return rc == 0 ? DELIVERED : UNWILLING;
}

static enum outcome attempt(struct lane *l, struct collector *c, struct batch *b, bool from_memory)
{
    struct done d = { 0 };
    struct broken before = broken_so_far(c);
    bool ok = c->sender == NULL ? to_stdout(l, b, &d) : c->udp ? by_udp(l, c, b, &d) : by_stream(c, b, &d);
    count(l, &d, from_memory);
    if (d.failed > 0 && c->sender != NULL && !c->udp)
        set_problem(l, sender_stats(c->sender)->last_error.text);
    if (!ok)
        set_down(l, c);
    /* If all went well it was the connection before that broke; after a reset nothing of this attempt is certain. */
    bool reset = broken_so_far(c).resets != before.resets;
    uint64_t lost = lost_since(l, c, before, ok || reset ? d.octets : 0);
    if (lost > 0) {
        take_back(l, b, from_memory, lost);
        return MOVED;
    }
    return ok ? DELIVERED : UNWILLING;
}

/* The batch to the first collector that takes it. UNWILLING: none does, now. */
static enum outcome deliver(struct lane *l, struct batch *b, bool from_memory)
{
    for (size_t i = 0; i < l->count; i++) {
        enum outcome outcome = ready(l, &l->list[i], b, from_memory);
        if (outcome == DELIVERED)
            outcome = attempt(l, &l->list[i], b, from_memory);
        if (outcome == DELIVERED)
            set_up(l, i);
        if (outcome != UNWILLING)
            return outcome;
    }
    all_down(l);
    return UNWILLING;
}

/* ------------------------------------------------------------------------------------------------ spool */

static void put_to_spool(struct lane *l, struct batch *b)
{
    struct errmsg err = { "" };
    size_t frames = (size_t)frames_in(b, b->at, b->len);
    int rc = spool_put(l->spool, b->data + b->at, b->len - b->at, &err);
    const struct spool_stats *s = spool_stats(l->spool);
    uint64_t dropped = s->frames_dropped - l->spool_dropped;
    bool first = l->spool_dropped == 0 && dropped > 0;
    l->spool_dropped = s->frames_dropped;
    pthread_mutex_lock(&l->lock);
    l->stats.waiting -= frames;
    l->stats.spooled = s->frames_written;
    l->stats.spool_octets = s->octets;
    l->stats.dropped += dropped;
    pthread_mutex_unlock(&l->lock);
    if (first)
        tell(l, LANE_SPOOL_FULL, l->list[0].url, rc != 0 ? err.text : "the limit is reached: the oldest frames go");
    recycle(l, b);
}

static struct batch *take_queued(struct lane *l)
{
    pthread_mutex_lock(&l->lock);
    struct batch *b = list_take(&l->queue);
    pthread_cond_broadcast(&l->room);
    pthread_mutex_unlock(&l->lock);
    return b;
}

static size_t queued(struct lane *l)
{
    pthread_mutex_lock(&l->lock);
    size_t n = l->queue.octets;
    pthread_mutex_unlock(&l->lock);
    return n;
}

static bool spool_waits(const struct lane *l)
{
    return l->spool != NULL && spool_stats(l->spool)->octets > 0;
}

static void queue_to_spool(struct lane *l)
{
    for (struct batch *b; (b = take_queued(l)) != NULL;)
        put_to_spool(l, b);
}

/* The oldest frames of the spool, sent at the rate that is allowed. True if something was done. */
static bool replay(struct lane *l)
{
    struct batch *b;
    if (now_ms() < l->replay_at || (b = lane_batch(l)) == NULL)
        return false;
    size_t cap = LANE_BATCH;
    if (l->o.spool_rate != 0 && l->o.spool_rate < 1000) /* small steps for a small rate */
        cap = HEP_FRAME_MAX;
    b->len = spool_peek(l->spool, b->data, cap);
    b->count = (size_t)frames_in(b, 0, b->len);
    size_t frames = b->count;
    enum outcome outcome = b->len == 0 ? DELIVERED : deliver(l, b, false);
    if (outcome == DELIVERED && b->at == b->len && b->len > 0) {
        spool_advance(l->spool, b->len);
        l->replay_at = l->o.spool_rate == 0 ? 0 : now_ms() + frames * 1000 / l->o.spool_rate;
        remember(l, &l->list[l->current], b);
    } else {
        if (b->at > 0)
            spool_advance(l->spool, b->at);
        recycle(l, b);
    }
    pthread_mutex_lock(&l->lock);
    l->stats.spool_octets = spool_stats(l->spool)->octets;
    pthread_mutex_unlock(&l->lock);
    return outcome != UNWILLING;
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
    if (l->spool != NULL && (now_ms() - l->down_since >= SPOOL_AFTER || queued(l) > l->o.queue / 2 || spool_waits(l)))
        queue_to_spool(l);
    (void)poll(NULL, 0, 20);
}

static bool give_up(struct lane *l)
{
    uint64_t now = now_ms();
    pthread_mutex_lock(&l->lock);
    bool over = l->stopping && (now >= l->stop_at || (l->spool != NULL && l->down_since != 0));
    pthread_mutex_unlock(&l->lock);
    return over || (l->o.wait && l->spool == NULL && l->down_since != 0 &&
                    (l->hopeless || now - l->down_since >= l->o.give_up_ms));
}

static void fail(struct lane *l, struct batch *b)
{
    const struct done d = { .failed = frames_in(b, b->at, b->len) };
    count(l, &d, true);
    recycle(l, b);
}

/* What is in memory fails, or goes to disk. */
static void abandon(struct lane *l)
{
    for (struct batch *b; (b = l->redo.first != NULL ? list_take(&l->redo) : take_queued(l)) != NULL;) {
        if (l->spool != NULL)
            put_to_spool(l, b);
        else
            fail(l, b);
    }
}

/* A batch in memory, if it may be sent before what is on disk. */
static struct batch *next_batch(struct lane *l)
{
    if (l->redo.first != NULL)
        return list_take(&l->redo);
    return spool_waits(l) ? NULL : take_queued(l);
}

static void send_batch(struct lane *l, struct batch *b)
{
    enum outcome outcome = deliver(l, b, true);
    if (outcome == MOVED)
        return;
    if (outcome == DELIVERED && b->at == b->len)
        remember(l, &l->list[l->current], b);
    else
        list_push(&l->redo, b);
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
    if (!spool_waits(l))
        return false;
    if (!replay(l)) {
        endure(l);
        return true;
    }
    if (queued(l) > l->o.queue / 2)
        queue_to_spool(l);
    return true;
}

/* A connection that broke while nothing was sent is noticed, and what it had comes back. */
static void look_around(struct lane *l)
{
    struct collector *c = &l->list[l->current];
    if (l->history.first != NULL && c->stream && !c->down)
        (void)ready(l, c, NULL, true);
}

/* Tells at the start whether a collector can be reached, where that can be known. */
static void first_look(struct lane *l)
{
    bool known = true;
    for (size_t i = 0; i < l->count && !l->ever_up; i++) {
        known = known && l->list[i].stream;
        if (l->list[i].stream && ready(l, &l->list[i], NULL, true) == DELIVERED)
            set_up(l, i);
    }
    if (known && !l->ever_up)
        all_down(l);
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
    first_look(l);
    for (;;) {
        bool stopping = is_stopping(l);
        bool busy = work(l);
        if (give_up(l)) {
            abandon(l);
            if (stopping)
                break;
            l->hopeless = true;
        }
        if (busy)
            continue;
        if (stopping)
            break;
        wait_for_work(l, TICK_MS);
        look_around(l);
    }
    return NULL;
}

/* ------------------------------------------------------------------------------------------------ life */

static int open_collector(struct lane *l, const char *url, struct errmsg *err)
{
    struct collector *c = &l->list[l->count];
    c->url = strdup(url);
    if (c->url == NULL)
        return errmsg_set(err, "out of memory");
    l->count++;
    c->udp = is_udp(url);
    c->stream = is_stream(url);
    if (strcmp(url, "-") == 0)
        return 0;
    struct errmsg why = { "" };
    if (sender_open(&c->sender, url, &l->o.sender, &why) != 0)
        return errmsg_set(err, "%s: %s", url, why.text);
    return 0;
}

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
        if (open_collector(l, l->o.urls[i], err) != 0)
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
    list_free(&l->queue);
    list_free(&l->redo);
    list_free(&l->history);
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

/* Ends the connections in order; what was not acknowledged goes to disk, or has failed. */
static void finish_collector(struct lane *l, struct collector *c)
{
    struct sender_stats last;
    if (c->sender == NULL)
        return;
    uint64_t before = broken_so_far(c).octets;
    (void)sender_close(c->sender, &last);
    c->sender = NULL;
    if (last.octets_unacknowledged > before) {
        take_back(l, NULL, true, last.octets_unacknowledged - before);
        abandon(l);
    }
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
    l->stop_at = now_ms() + ms;
    pthread_cond_broadcast(&l->more);
    pthread_cond_broadcast(&l->room);
    pthread_mutex_unlock(&l->lock);
    if (l->started)
        join(l, ms);
    finish_collector(l, &l->list[l->current]);
    if (ret != NULL)
        lane_figures(l, ret);
    lane_free(l);
}
