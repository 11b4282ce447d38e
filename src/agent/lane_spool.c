#include "agent/lane_internal.h"

void lane_to_spool(struct lane *l, struct batch *b)
{
    struct errmsg err = { "" };
    size_t frames = (size_t)batch_frames(b, b->at, b->len);
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
        lane_tell(l, LANE_SPOOL_FULL, l->list[0].url,
                  rc != 0 ? err.text : "the limit is reached: the oldest frames go");
    lane_recycle(l, b);
}

bool lane_spool_waits(const struct lane *l)
{
    return l->spool != NULL && spool_stats(l->spool)->octets > 0;
}

void lane_queue_to_spool(struct lane *l)
{
    for (struct batch *b; (b = lane_take_queued(l)) != NULL;)
        lane_to_spool(l, b);
}

/* The oldest frames of the spool, sent at the rate that is allowed. True if something was done. */
bool lane_replay(struct lane *l)
{
    struct batch *b;
    if (lane_now_ms() < l->replay_at || (b = lane_batch(l)) == NULL)
        return false;
    size_t cap = LANE_BATCH;
    if (l->o.spool_rate != 0 && l->o.spool_rate < 1000) /* small steps for a small rate */
        cap = HEP_FRAME_MAX;
    b->len = spool_peek(l->spool, b->data, cap);
    b->count = (size_t)batch_frames(b, 0, b->len);
    size_t frames = b->count;
    enum outcome outcome = b->len == 0 ? DELIVERED : lane_deliver(l, b, false);
    if (outcome == DELIVERED && b->at == b->len && b->len > 0) {
        spool_advance(l->spool, b->len);
        l->replay_at = l->o.spool_rate == 0 ? 0 : lane_now_ms() + frames * 1000 / l->o.spool_rate;
        lane_remember(l, &l->list[l->current], b);
    } else {
        if (b->at > 0)
            spool_advance(l->spool, b->at);
        lane_recycle(l, b);
    }
    pthread_mutex_lock(&l->lock);
    l->stats.spool_octets = spool_stats(l->spool)->octets;
    pthread_mutex_unlock(&l->lock);
    return outcome != UNWILLING;
}
