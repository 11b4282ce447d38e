#include "agent/lane_internal.h"

#define PAUSE_FIRST 200               /* ms until a collector that failed is asked again */
#define PAUSE_MAX   5000              /* ms */
#define HISTORY_MAX ((size_t)4 << 20) /* octets kept of what was sent: more than a send buffer of the kernel holds */
#define AGAIN_MS    1000              /* after a reset: what was sent within so long goes again */

/* ------------------------------------------------------------------------------------------------ counting */

void lane_count(struct lane *l, const struct done *d, bool from_memory)
{
    pthread_mutex_lock(&l->lock);
    l->stats.sent += d->sent;
    l->stats.octets += d->octets;
    l->stats.failed += d->failed;
    l->stats.by_tcp += d->by_tcp;
    if (from_memory)
        l->stats.waiting -= d->sent + d->failed;
    pthread_mutex_unlock(&l->lock);
}

/* ------------------------------------------------------------------------------------------------ again */

/*
 * The last `octets` octets that were sent are to be sent again: those of the batch under way, if there is one, by its
 * `at`; those of the history as batches before all others. A batch of memory goes behind these.
 */
static void take_back(struct lane *l, struct batch *b, bool from_memory, uint64_t octets)
{
    uint64_t again = 0, waiting = 0;
    size_t need = octets < HISTORY_MAX ? (size_t)octets : HISTORY_MAX;
    if (b != NULL) {
        size_t at = b->at <= need ? 0 : batch_boundary(b, b->at, need);
        again += batch_frames(b, at, b->at);
        need -= b->at - at < need ? b->at - at : need;
        b->at = at;
        waiting = from_memory ? again : 0;
        if (from_memory)
            batch_list_push(&l->redo, b);
    }
    while (need > 0 && l->history.first != NULL) {
        struct batch *h = batch_list_take_last(&l->history);
        h->at = h->len <= need ? 0 : batch_boundary(h, h->len, need);
        uint64_t frames = batch_frames(h, h->at, h->len);
        again += frames;
        waiting += frames;
        need -= h->len - h->at < need ? h->len - h->at : need;
        batch_list_push(&l->redo, h);
    }
    pthread_mutex_lock(&l->lock);
    l->stats.resent += again;
    l->stats.sent -= again;
    l->stats.waiting += waiting;
    pthread_mutex_unlock(&l->lock);
}

void lane_remember(struct lane *l, const struct collector *c, struct batch *b)
{
    if (!c->stream) {
        lane_recycle(l, b);
        return;
    }
    b->at = 0;
    b->sent_ms = lane_now_ms();
    batch_list_add(&l->history, b);
    while (l->history.octets > HISTORY_MAX)
        lane_recycle(l, batch_list_take(&l->history));
}

/* ------------------------------------------------------------------------------------------------ up and down */

static void set_down(struct lane *l, struct collector *c)
{
    c->pause = c->pause == 0 ? PAUSE_FIRST : c->pause * 2 < PAUSE_MAX ? c->pause * 2 : PAUSE_MAX;
    c->next_try = lane_now_ms() + c->pause;
    c->down = true;
    if (c->sender != NULL)
        lane_set_problem(l, sender_stats(c->sender)->last_error.text);
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
        lane_tell(l, LANE_UP, c->url, "");
}

static void all_down(struct lane *l)
{
    struct lane_stats s;
    if (l->down_since != 0)
        return;
    l->down_since = lane_now_ms();
    pthread_mutex_lock(&l->lock);
    l->stats.outages++;
    l->stats.up = false;
    s = l->stats;
    pthread_mutex_unlock(&l->lock);
    lane_tell(l, LANE_DOWN, l->list[0].url, s.problem.text);
}

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
    uint64_t since = lane_now_ms() - AGAIN_MS;
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
    if (c->down && lane_now_ms() < c->next_try)
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
    bool ok = lane_send(l, c, b, &d);
    lane_count(l, &d, from_memory);
    if (d.failed > 0 && c->sender != NULL && !c->udp)
        lane_set_problem(l, sender_stats(c->sender)->last_error.text);
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
enum outcome lane_deliver(struct lane *l, struct batch *b, bool from_memory)
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

/* ------------------------------------------------------------------------------------------------ looking */

/* A connection that broke while nothing was sent is noticed, and what it had comes back. */
void lane_look_around(struct lane *l)
{
    struct collector *c = &l->list[l->current];
    if (l->history.first != NULL && c->stream && !c->down)
        (void)ready(l, c, NULL, true);
}

/* Tells at the start whether a collector can be reached, where that can be known. */
void lane_first_look(struct lane *l)
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

/* Ends the connections in order; what was not acknowledged goes to disk, or has failed. */
void lane_finish_collector(struct lane *l, struct collector *c)
{
    struct sender_stats last;
    if (c->sender == NULL)
        return;
    uint64_t before = broken_so_far(c).octets;
    (void)sender_close(c->sender, &last);
    c->sender = NULL;
    if (last.octets_unacknowledged > before) {
        take_back(l, NULL, true, last.octets_unacknowledged - before);
        lane_abandon(l);
    }
}
