#include "rtp/stream.h"

#include <string.h>

#define NTP_UNIX        2208988800ULL /* seconds from 1900 to 1970 */
#define MAX_PACKET_RATE 10000         /* packets a second: more is a restart, not a gap */
#define LATE_SPAN       3000          /* packets: further back is a restart (RFC 3550 appendix A.1, MAX_DROPOUT) */
#define MAX_JITTER_MS   60000.0
#define MAX_RTT_MS      10000.0
#define LOST_MASK       0xffffffu

void rtp_stream_init(struct rtp_stream *s)
{
    memset(s, 0, sizeof(*s));
}

static void figure_add(struct rtp_figure *f, double v)
{
    f->min = f->count == 0 || v < f->min ? v : f->min;
    f->max = f->count == 0 || v > f->max ? v : f->max;
    f->sum += v;
    f->count++;
}

double rtp_figure_mean(const struct rtp_figure *f)
{
    return f->count > 0 ? f->sum / (double)f->count : 0;
}

bool rtp_stream_loss(const struct rtp_stream *s, double *ret_pct)
{
    if (s->expected == 0)
        return false;
    double pct = s->lost > 0 ? 100.0 * (double)s->lost / (double)s->expected : 0;
    *ret_pct = pct > 100 ? 100 : pct;
    return true;
}

/* ------------------------------------------------------------------------------------------------ round trip */

static uint32_t ntp_middle(uint32_t sec, uint32_t fraction)
{
    return sec << 16 | fraction >> 16;
}

void rtp_stream_sent(struct rtp_stream *s, const struct rtcp_sender_info *sender, int64_t at_us)
{
    uint32_t middle = ntp_middle(sender->ntp_sec, sender->ntp_fraction);
    for (unsigned i = 0; i < s->sent_count; i++) {
        if (s->sent[i].ntp_middle == middle)
            return; /* seen by a second tap: the first time counts */
    }
    s->sent[s->sent_next].ntp_middle = middle;
    s->sent[s->sent_next].at_us = at_us;
    s->sent_next = (uint8_t)((s->sent_next + 1) % RTP_STREAM_SENT);
    if (s->sent_count < RTP_STREAM_SENT)
        s->sent_count++;
}

static bool find_sent(const struct rtp_stream *s, uint32_t middle, int64_t *ret_at_us)
{
    for (unsigned i = 0; i < s->sent_count; i++) {
        if (s->sent[i].ntp_middle == middle) {
            *ret_at_us = s->sent[i].at_us;
            return true;
        }
    }
    return false;
}

/* Middle 32 bits of the NTP time of a time of Unix; wraps as those do. */
static uint32_t ntp_of(int64_t at_us)
{
    uint64_t us = (uint64_t)at_us;
    uint64_t fraction = (us % 1000000 << 16) / 1000000;
    return (uint32_t)((us / 1000000 + NTP_UNIX) << 16 | fraction);
}

static void round_trip(struct rtp_stream *s, const struct rtcp_block *b, int64_t at_us, struct rtp_interval *ret)
{
    int64_t sent_us;
    double ms;
    if (b->lsr == 0 || at_us < 0)
        return;
    bool tap = find_sent(s, b->lsr, &sent_us);
    if (tap)
        ms = ((double)at_us - (double)sent_us) / 1000 - (double)b->dlsr * 1000 / 65536;
    else /* the three times wrap together: the difference is a signed number */
        ms = (double)(int32_t)(ntp_of(at_us) - b->lsr - b->dlsr) * 1000 / 65536;
    if (ms < 0 || ms > MAX_RTT_MS) {
        ret->odd |= RTP_ODD_RTT_BAD;
        return;
    }
    ret->known |= tap ? RTP_KNOWN_RTT_TAP : RTP_KNOWN_RTT_NTP;
    ret->rtt_ms = ms;
}

/* ------------------------------------------------------------------------------------------------ jitter */

static void jitter(const struct rtcp_block *b, uint32_t clock, struct rtp_interval *ret)
{
    ret->jitter_raw = b->jitter;
    if (clock == 0) {
        ret->odd |= RTP_ODD_NO_CLOCK;
        return;
    }
    double ms = (double)b->jitter * 1000 / clock;
    if (ms > MAX_JITTER_MS) {
        ret->odd |= RTP_ODD_JITTER_BAD;
        return;
    }
    ret->known |= RTP_KNOWN_JITTER;
    ret->jitter_ms = ms;
}

/* ------------------------------------------------------------------------------------------------ loss */

static bool same_block(const struct rtcp_block *a, const struct rtcp_block *b)
{
    return a->ssrc == b->ssrc && a->fraction_lost == b->fraction_lost && a->lost == b->lost &&
           a->highest_seq == b->highest_seq && a->jitter == b->jitter && a->lsr == b->lsr && a->dlsr == b->dlsr;
}

/* Two's complement of 24 bits: differences stay right when the counter wraps. */
static int32_t lost_between(uint32_t from, uint32_t to)
{
    uint32_t d = (to - from) & LOST_MASK;
    return d >= 0x800000 ? (int32_t)d - 0x1000000 : (int32_t)d;
}

/* RFC 3550 appendix A.3: a receiver stops at the ends of the range rather than to wrap. */
static bool is_saturated(uint32_t lost)
{
    return (lost & LOST_MASK) == 0x7fffff || (lost & LOST_MASK) == 0x800000;
}

static uint32_t plausible_packets(double seconds)
{
    double packets = (seconds + 1) * MAX_PACKET_RATE;
    return packets > 1e9 ? 1000000000u : (uint32_t)packets;
}

/* Packets between two highest sequence numbers; false for a restart, or a report out of order (*ret_late). */
static bool step(struct rtp_stream *s, const struct rtcp_block *b, struct rtp_interval *ret, bool *ret_late)
{
    uint32_t up = b->highest_seq - s->last.highest_seq;
    uint32_t limit = plausible_packets(ret->seconds);
    *ret_late = false;
    ret->expected = up;
    if (up <= limit)
        return true;
    uint32_t wrapped = up & 0xffff;
    if (b->highest_seq <= 0xffff && s->last.highest_seq > 0xc000 && s->last.highest_seq <= 0xffff &&
        b->highest_seq < 0x4000 && wrapped <= limit) {
        ret->odd |= RTP_ODD_WRAP16;
        ret->expected = wrapped;
        return true;
    }
    /* Late, unless reports go on from where the last "late" one was: then the sender did start again. */
    bool goes_on = s->has_late && b->highest_seq != s->late_seq && b->highest_seq - s->late_seq <= limit;
    *ret_late = 0u - up <= LATE_SPAN && !goes_on;
    return false;
}

static void loss_of_fraction(const struct rtcp_block *b, struct rtp_interval *ret)
{
    ret->known |= RTP_KNOWN_LOSS;
    ret->loss_pct = (double)b->fraction_lost * 100 / 256;
}

/* The receiver's own fraction, 1/256 rounded down, against ours; a few packets more or less are of the moment. */
static bool fraction_differs(const struct rtcp_block *b, const struct rtp_interval *in)
{
    double ours = in->lost > 0 ? (double)in->lost * 256 / in->expected : 0;
    double slack = 2 + 2.0 * 256 / in->expected;
    double diff = ours - b->fraction_lost;
    return diff > slack || diff < -slack;
}

static void count_loss(struct rtp_stream *s, const struct rtcp_block *b, struct rtp_interval *ret)
{
    ret->known |= RTP_KNOWN_COUNTS;
    ret->lost = lost_between(s->last.lost, b->lost);
    int64_t received = (int64_t)ret->expected - ret->lost;
    bool stuck = is_saturated(b->lost) && ret->expected > 0;
    /* A tap of both directions of a mirror doubles packets; three times as many are a counter that began again. */
    if (stuck || received < 0 || received > 2 * (int64_t)ret->expected + 16) {
        ret->odd |= RTP_ODD_COUNTER;
        ret->known &= ~(unsigned)RTP_KNOWN_COUNTS;
        ret->lost = 0;
        loss_of_fraction(b, ret);
        return;
    }
    if (ret->lost < 0)
        ret->odd |= RTP_ODD_DUPLICATES;
    if (ret->expected == 0) {
        ret->odd |= RTP_ODD_IDLE;
        return;
    }
    ret->known |= RTP_KNOWN_LOSS;
    ret->loss_pct = ret->lost > 0 ? 100.0 * ret->lost / ret->expected : 0;
    if (fraction_differs(b, ret))
        ret->odd |= RTP_ODD_FRACTION;
}

/* ------------------------------------------------------------------------------------------------ a report */

static void sum_up(struct rtp_stream *s, int64_t at_us, const struct rtp_interval *in)
{
    if (in->known & RTP_KNOWN_COUNTS) {
        s->expected += in->expected;
        s->lost += in->lost;
    }
    if (in->known & RTP_KNOWN_LOSS) {
        if (s->loss_pct.count == 0 || in->loss_pct > s->loss_pct.max)
            s->worst_loss_us = at_us;
        figure_add(&s->loss_pct, in->loss_pct);
    }
    if (in->known & RTP_KNOWN_JITTER)
        figure_add(&s->jitter_ms, in->jitter_ms);
    if (in->known & (RTP_KNOWN_RTT_TAP | RTP_KNOWN_RTT_NTP))
        figure_add(&s->rtt_ms, in->rtt_ms);
}

static void count_odd(struct rtp_stream *s, unsigned odd)
{
    for (unsigned i = 0; i < sizeof(s->odd) / sizeof(s->odd[0]); i++)
        s->odd[i] += odd >> i & 1;
}

/* Compares with the report before. False: it does not count. */
static bool compare(struct rtp_stream *s, const struct rtcp_block *b, struct rtp_interval *ret)
{
    bool late;
    if (!s->has_last) {
        ret->odd |= RTP_ODD_FIRST;
        loss_of_fraction(b, ret);
        return true;
    }
    if (same_block(&s->last, b)) {
        ret->odd |= RTP_ODD_REPEATED;
        return false;
    }
    if (step(s, b, ret, &late)) {
        count_loss(s, b, ret);
        return true;
    }
    ret->expected = 0;
    if (late) {
        ret->odd |= RTP_ODD_LATE;
        s->has_late = true;
        s->late_seq = b->highest_seq;
        return false;
    }
    ret->odd |= RTP_ODD_RESTART;
    loss_of_fraction(b, ret);
    return true;
}

void rtp_stream_report(struct rtp_stream *s, const struct rtcp_block *block, uint32_t clock, int64_t at_us,
                       struct rtp_interval *ret)
{
    *ret = (struct rtp_interval){ .jitter_raw = block->jitter };
    double seconds = s->has_last ? ((double)at_us - (double)s->last_us) / 1e6 : 0;
    ret->seconds = seconds > 0 ? seconds : 0;
    s->reports++;
    if (compare(s, block, ret)) {
        jitter(block, clock, ret);
        round_trip(s, block, at_us, ret);
        sum_up(s, at_us, ret);
        if (!s->has_last)
            s->first_us = at_us;
        s->last = *block;
        s->last_us = at_us;
        s->has_last = true;
        s->has_late = false;
    }
    count_odd(s, ret->odd);
}
