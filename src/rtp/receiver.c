#include "rtp/receiver.h"

#include <math.h>
#include <stddef.h>

#define WINDOW       64
#define DROPOUT_MAX  3000 /* RFC 3550 appendix A.1: further ahead is a restart */
#define NO_SEQ       0x10000u
#define JUMP_US      2e6
#define ESTIMATE_US  1000000
#define ESTIMATE_MIN 25 /* packets */

void rtp_receiver_init(struct rtp_receiver *r, double buffer_ms)
{
    *r = (struct rtp_receiver){ .bad_seq = NO_SEQ, .buffer_us = buffer_ms * 1000, .since_loss = RTP_RECEIVER_GMIN };
}

/* ------------------------------------------------------------------------------------------------ bursts */

/* The next packet of the stream, in sequence, is lost for good: RFC 3611 appendix A.2. */
static void feed_lost(struct rtp_receiver *r)
{
    struct rtp_sums *s = &r->total;
    s->lost++;
    s->runs += !r->in_run;
    r->in_run = true;
    if (r->since_loss >= RTP_RECEIVER_GMIN) {
        (*(r->in_burst == 1 ? &s->c14 : &s->c13))++;
        r->in_burst = 1;
        s->c11 += r->since_loss;
    } else {
        r->in_burst++;
        if (r->since_loss == 0) {
            s->c33++;
        } else {
            s->c23++;
            s->c22 += r->since_loss - 1;
        }
    }
    r->since_loss = 0;
}

static void feed(struct rtp_receiver *r, bool received)
{
    if (!received) {
        feed_lost(r);
        return;
    }
    r->since_loss++;
    r->in_run = false;
}

void rtp_receiver_finish(struct rtp_receiver *r)
{
    while (r->window_len > 0)
        feed(r, (r->window >> --r->window_len & 1) != 0);
    r->window = 0;
}

void rtp_bursts_of(const struct rtp_sums *s, double packet_ms, struct rtp_bursts *ret)
{
    *ret = (struct rtp_bursts){ .burst_ratio = 1 };
    double c31 = s->c13, c32 = s->c23, c33 = s->c33;
    double total = (double)s->c11 + s->c14 + s->c13 + s->c22 + s->c23 + c31 + c32 + c33;
    double received = (double)s->expected - s->lost;
    if (s->lost == 0)
        return;
    if (s->runs > 0 && received > 0) {
        double ratio = (double)s->lost / s->runs * (received / (double)s->expected);
        ret->burst_ratio = ratio > 1 ? ratio : 1;
    }
    double out_of_loss = c31 + c32 + c33;
    double p32 = out_of_loss > 0 ? c32 / out_of_loss : 0;
    double p23 = s->c22 + s->c23 < 1 ? 1 : 1 - (double)s->c22 / ((double)s->c22 + s->c23);
    bool has_burst = s->c33 + s->c23 > 0;
    if (has_burst)
        ret->burst_loss_pct = 100 * p23 / (p23 + p32);
    if (s->c11 + s->c14 > 0)
        ret->gap_loss_pct = 100.0 * s->c14 / ((double)s->c11 + s->c14);
    double gaps = s->c13 > 0 ? s->c13 : 1;
    ret->gap_ms = ((double)s->c11 + s->c14 + s->c13) * packet_ms / gaps;
    if (has_burst)
        ret->burst_ms = total * packet_ms / gaps - ret->gap_ms;
}

/* ------------------------------------------------------------------------------------------------ sequence */

static void advance(struct rtp_receiver *r, unsigned by)
{
    r->total.expected += by;
    while (by-- > 0) {
        if (r->window_len == WINDOW)
            feed(r, (r->window >> (WINDOW - 1)) != 0);
        else
            r->window_len++;
        r->window <<= 1;
    }
    r->window |= 1;
}

static void begin(struct rtp_receiver *r, uint16_t seq)
{
    rtp_receiver_finish(r);
    r->started = true;
    r->seq = seq;
    r->bad_seq = NO_SEQ;
    r->timed = false;
    advance(r, 1);
    r->total.received++;
}

/* One that is `behind` the highest: a copy, or late. Before the first one: the stream began earlier than we thought. */
static enum rtp_received late(struct rtp_receiver *r, unsigned behind)
{
    if (behind < r->window_len && (r->window >> behind & 1) != 0) {
        r->total.duplicates++;
        return RTP_DUPLICATE;
    }
    if (behind >= r->window_len) {
        r->total.expected += behind + 1 - r->window_len;
        r->window_len = (uint8_t)(behind + 1);
    }
    r->window |= UINT64_C(1) << behind;
    r->total.received++;
    r->total.reordered++;
    return RTP_LATE;
}

static enum rtp_received sequence(struct rtp_receiver *r, uint16_t seq)
{
    uint16_t ahead = (uint16_t)(seq - r->seq);
    uint16_t behind = (uint16_t)(r->seq - seq);
    if (!r->started) {
        begin(r, seq);
        return RTP_RECEIVED;
    }
    if (ahead != 0 && ahead < DROPOUT_MAX) {
        advance(r, ahead);
        r->seq = seq;
        r->bad_seq = NO_SEQ;
        r->total.received++;
        return RTP_RECEIVED;
    }
    if (behind < WINDOW)
        return late(r, behind);
    if (seq == r->bad_seq) {
        r->total.restarts++;
        begin(r, seq);
        return RTP_RESTARTED;
    }
    r->bad_seq = (uint16_t)(seq + 1);
    r->total.stray++;
    return RTP_STRAY;
}

/* ------------------------------------------------------------------------------------------------ time */

static void set_clock(struct rtp_receiver *r, uint32_t clock)
{
    r->clock = clock;
    r->us_per_unit = 1e6 / clock;
    r->timed = false;
}

/* The clock of which the RTP time passed as the time did, within a twentieth. */
static void estimate(struct rtp_receiver *r, const struct rtp_packet *p, int64_t at_us)
{
    static const uint32_t clocks[] = { 8000, 16000, 24000, 32000, 44100, 48000, 90000 };
    int64_t passed = at_us - r->first_us;
    if (passed < ESTIMATE_US || r->total.received < ESTIMATE_MIN)
        return;
    double rate = (double)(int32_t)(p->time - r->first_time) * 1e6 / (double)passed;
    for (size_t i = 0; i < sizeof(clocks) / sizeof(clocks[0]); i++) {
        if (fabs(rate - clocks[i]) < clocks[i] / 20.0) {
            set_clock(r, clocks[i]);
            r->clock_estimated = true;
        }
    }
    r->first_us = at_us; /* if none fits: the next second */
    r->first_time = p->time;
}

static void spread_jitter(struct rtp_receiver *r)
{
    struct rtp_spread *s = &r->spread;
    s->jitter_sum += r->jitter_us;
    if (s->count == 0 || r->jitter_us < s->jitter_min)
        s->jitter_min = r->jitter_us;
    if (r->jitter_us > s->jitter_max)
        s->jitter_max = r->jitter_us;
    if (s->count == 0 || r->skew_us < s->skew_min)
        s->skew_min = r->skew_us;
    if (s->count == 0 || r->skew_us > s->skew_max)
        s->skew_max = r->skew_us;
    s->count++;
}

/* d: how much later than the packet before, against RTP time. */
static void transit(struct rtp_receiver *r, double d)
{
    r->jitter_us += (fabs(d) - r->jitter_us) / 16; /* RFC 3550 appendix A.8 */
    r->skew_us += d;
    if (r->skew_us < r->skew_floor[0])
        r->skew_floor[0] = r->skew_us;
    double floor_us = r->skew_floor[0] < r->skew_floor[1] ? r->skew_floor[0] : r->skew_floor[1];
    r->total.discarded += r->skew_us - floor_us > r->buffer_us;
    spread_jitter(r);
}

static void timing_of(struct rtp_receiver *r, const struct rtp_packet *p, int64_t at_us)
{
    if (r->timed) {
        double d = (double)(at_us - r->timed_us) - (int32_t)(p->time - r->last_time) * r->us_per_unit;
        if (fabs(d) > JUMP_US)
            r->total.time_jumps++;
        else
            transit(r, d);
    }
    r->timed = true;
    r->timed_us = at_us;
    r->last_time = p->time;
}

static void arrival(struct rtp_receiver *r, int64_t at_us)
{
    double delta = (double)(at_us - r->last_us);
    if (r->last_us != 0 && delta >= 0) {
        r->spread.delta_count++;
        r->spread.delta_sum += delta;
        if (delta > r->spread.delta_max)
            r->spread.delta_max = delta;
    }
    r->last_us = at_us;
}

enum rtp_received rtp_receiver_packet(struct rtp_receiver *r, const struct rtp_packet *p, int64_t at_us, uint32_t clock,
                                      bool timing)
{
    bool first = !r->started;
    enum rtp_received result = sequence(r, p->seq);
    if (result == RTP_DUPLICATE || result == RTP_STRAY)
        return result;
    r->total.octets += p->payload.len;
    arrival(r, at_us);
    if (first || result == RTP_RESTARTED) {
        r->first_us = at_us;
        r->first_time = p->time;
    }
    if (!timing)
        return result;
    if (clock != 0 && clock != r->clock) {
        set_clock(r, clock);
        r->clock_estimated = false;
    }
    if (r->clock == 0)
        estimate(r, p, at_us);
    if (r->clock != 0)
        timing_of(r, p, at_us);
    return result;
}

void rtp_receiver_mark(struct rtp_receiver *r)
{
    r->spread = (struct rtp_spread){ .count = 0 };
    r->skew_floor[1] = r->skew_floor[0];
    r->skew_floor[0] = r->skew_us;
}

struct rtp_sums rtp_sums_since(const struct rtp_sums *now, const struct rtp_sums *then)
{
    struct rtp_sums d = *now;
    d.expected -= then->expected;
    d.received -= then->received;
    d.duplicates -= then->duplicates;
    d.reordered -= then->reordered;
    d.discarded -= then->discarded;
    d.stray -= then->stray;
    d.restarts -= then->restarts;
    d.time_jumps -= then->time_jumps;
    d.octets -= then->octets;
    d.c11 -= then->c11;
    d.c13 -= then->c13;
    d.c14 -= then->c14;
    d.c22 -= then->c22;
    d.c23 -= then->c23;
    d.c33 -= then->c33;
    d.runs -= then->runs;
    d.lost -= then->lost;
    return d;
}
