#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "sip/text.h"
#include "track/quality_internal.h"

const char *quality_source_name(enum media_source source)
{
    static const char *const names[] = {
        [MEDIA_FROM_RTCP] = "rtcp", [MEDIA_FROM_XR] = "xr",         [MEDIA_FROM_RTP] = "rtp",
        [MEDIA_FROM_VQ] = "vq",     [MEDIA_FROM_HEADER] = "header", [MEDIA_FROM_SBC] = "sbc"
    };
    return names[source];
}

const char *quality_odd_name(unsigned bit)
{
    static const char *const names[] = { "first",      "repeated", "late",   "idle",       "restart", "counter",
                                         "duplicates", "fraction", "wrap16", "jitter-bad", "rtt-bad", "no-clock" };
    return bit < sizeof(names) / sizeof(names[0]) ? names[bit] : NULL;
}

/* ------------------------------------------------------------------------------------------------ calls and streams */

static void link_call(struct quality *q, struct quality_call *c)
{
    c->before = NULL;
    c->next = q->all;
    if (q->all != NULL)
        q->all->before = c;
    q->all = c;
}

void quality_call_free(struct quality *q, struct quality_call *c)
{
    *(c->before != NULL ? &c->before->next : &q->all) = c->next;
    if (c->next != NULL)
        c->next->before = c->before;
    q->stats.octets -= c->stream_room * sizeof(*c->streams);
    free(c->streams);
}

struct quality_call *quality_call_of(struct quality *q, const struct call_record *call, int64_t now_us)
{
    bool fresh;
    uint64_t key = track_call_hash(call->texts.of[TRACK_TEXT_CALL_ID], q->o.seed);
    struct quality_call *c = lru_find(q->calls, &key);
    if (c != NULL && c->uid != call->uid) /* a former call with this Call-ID */
        lru_remove(q->calls, c);
    c = lru_put(q->calls, &key, (uint64_t)now_us, &fresh);
    if (c == NULL || !fresh)
        return c;
    c->uid = call->uid;
    c->key = key;
    link_call(q, c);
    return c;
}

bool quality_add_stream(struct quality *q, struct quality_call *c, const struct quality_stream *s)
{
    if (c->stream_count == c->stream_room) {
        uint16_t room = c->stream_room == 0 ? 2 : (uint16_t)(2 * c->stream_room);
        struct quality_stream *all = realloc(c->streams, room * sizeof(*all));
        if (all == NULL)
            return false;
        q->stats.octets += (size_t)(room - c->stream_room) * sizeof(*all);
        c->streams = all;
        c->stream_room = room;
    }
    c->streams[c->stream_count++] = *s;
    return true;
}

static uint32_t ssrc_of(const struct media_report *r, enum media_field field)
{
    return media_has(r, field) ? (uint32_t)r->value[field] : 0;
}

/* NULL: there is no room. */
static struct quality_stream *stream_of(struct quality *q, struct quality_call *c, const struct quality_report *r)
{
    struct quality_stream s = { .reporter = ssrc_of(r->report, MEDIA_REPORTER_SSRC),
                                .ssrc = ssrc_of(r->report, MEDIA_SSRC),
                                .source = r->report->source,
                                .heard_by = (uint8_t)r->heard_by,
                                .other = quality_is_other(r->call, r->message, r->report) };
    for (size_t i = 0; i < c->stream_count; i++) {
        struct quality_stream *old = &c->streams[i];
        if (old->reporter == s.reporter && old->ssrc == s.ssrc && old->source == s.source &&
            old->heard_by == s.heard_by)
            return old;
    }
    rtp_stream_init(&s.rtp);
    if (c->stream_count == QUALITY_STREAMS_MAX)
        q->stats.dropped++;
    else if (!quality_add_stream(q, c, &s))
        q->stats.no_memory++;
    else
        return &c->streams[c->stream_count - 1];
    return NULL;
}

/* ------------------------------------------------------------------------------------------------ codec, clock */

/* "PCMU" and 8000 of "PCMU/8000" */
static void codec_of(const struct call_record *call, const struct media_report *r, struct quality_report *ret)
{
    struct hep_slice codec = r->text[MEDIA_CODEC].len > 0 || call == NULL ? r->text[MEDIA_CODEC] : call->codec;
    const uint8_t *slash = codec.len > 0 ? memchr(codec.ptr, '/', codec.len) : NULL;
    uint64_t clock = 0;
    ret->codec = codec;
    if (slash != NULL) {
        ret->codec.len = (size_t)(slash - codec.ptr);
        size_t at = ret->codec.len + 1, len = 0;
        while (at + len < codec.len && (uint8_t)(codec.ptr[at + len] - '0') < 10)
            len++;
        (void)num_parse((const char *)codec.ptr + at, len, 1000000, &clock);
    }
    if (media_has(r, MEDIA_CLOCK_HZ))
        clock = (uint64_t)r->value[MEDIA_CLOCK_HZ];
    const struct emodel_codec *known = ret->codec.len > 0 ? emodel_codec(ret->codec, 0, true) : NULL;
    ret->clock = clock == 0 && known != NULL ? known->clock : (uint32_t)clock;
}

/* ------------------------------------------------------------------------------------------------ one report */

static double value_of(const struct media_report *r, enum media_field field)
{
    return media_has(r, field) ? r->value[field] : QUALITY_UNKNOWN;
}

/* The first of these that it has. */
static double first_of(const struct media_report *r, const enum media_field *fields, size_t count)
{
    double v = QUALITY_UNKNOWN;
    for (size_t i = 0; i < count && v < 0; i++)
        v = value_of(r, fields[i]);
    return v;
}

#define FIRST_OF(r, ...)                                                                                               \
    first_of((r), (const enum media_field[]){ __VA_ARGS__ },                                                           \
             sizeof((const enum media_field[]){ __VA_ARGS__ }) / sizeof(enum media_field))

/* What it says by itself. */
static void read_figures(const struct media_report *r, struct quality_report *ret)
{
    ret->seconds = value_of(r, MEDIA_DURATION_S);
    ret->expected = (int64_t)value_of(r, MEDIA_EXPECTED);
    ret->lost = (int64_t)value_of(r, MEDIA_LOST);
    ret->loss_pct = value_of(r, MEDIA_LOSS_PCT);
    ret->jitter_ms = FIRST_OF(r, MEDIA_JITTER_MS, MEDIA_JITTER_MEAN_MS);
    if (ret->jitter_ms < 0 && media_has(r, MEDIA_JITTER_RAW) && ret->clock > 0)
        ret->jitter_ms = 1000.0 * r->value[MEDIA_JITTER_RAW] / ret->clock;
    ret->rtt_ms = value_of(r, MEDIA_RTT_MS);
}

/* A report block has sums since the start: the figures are those since the one before. */
static void read_interval(const struct rtp_interval *i, struct quality_report *ret)
{
    bool counts = (i->known & RTP_KNOWN_COUNTS) != 0;
    ret->seconds = counts ? i->seconds : QUALITY_UNKNOWN;
    ret->expected = counts ? (int64_t)i->expected : -1;
    ret->lost = !counts ? -1 : i->lost > 0 ? i->lost : 0;
    ret->loss_pct = (i->known & RTP_KNOWN_LOSS) != 0 ? i->loss_pct : QUALITY_UNKNOWN;
    ret->jitter_ms = (i->known & RTP_KNOWN_JITTER) != 0 ? i->jitter_ms : QUALITY_UNKNOWN;
    ret->rtt_ms = (i->known & (RTP_KNOWN_RTT_TAP | RTP_KNOWN_RTT_NTP)) != 0 ? i->rtt_ms : QUALITY_UNKNOWN;
    ret->odd = i->odd;
}

static double burst_ratio(const struct media_report *r)
{
    if (!media_has(r, MEDIA_BURST_LOSS_PCT) || !media_has(r, MEDIA_BURST_MS) || !media_has(r, MEDIA_GAP_LOSS_PCT) ||
        !media_has(r, MEDIA_GAP_MS))
        return 1;
    return emodel_burst_ratio(r->value[MEDIA_BURST_LOSS_PCT], r->value[MEDIA_BURST_MS], r->value[MEDIA_GAP_LOSS_PCT],
                              r->value[MEDIA_GAP_MS]);
}

/* From mouth to ear, as far as it is known: half the round trip, and the jitter buffer. */
static double delay_of(const struct quality_report *q)
{
    if (media_has(q->report, MEDIA_ONE_WAY_MS))
        return q->report->value[MEDIA_ONE_WAY_MS];
    double buffer = value_of(q->report, MEDIA_BUFFER_MS);
    return (q->rtt_ms > 0 ? q->rtt_ms / 2 : 0) + (buffer > 0 ? buffer : 0);
}

static void rate(struct quality_report *q)
{
    q->mos_reported = FIRST_OF(q->report, MEDIA_MOS_CQ, MEDIA_MOS_LQ, MEDIA_MOS, MEDIA_MOS_MEAN, MEDIA_MOS_MIN);
    q->discard_pct = value_of(q->report, MEDIA_DISCARD_PCT);
    if (q->codec.len == 0 || q->loss_pct < 0)
        return;
    const struct emodel_input in = { .codec = emodel_codec(q->codec, 0, true),
                                     .loss_pct = q->loss_pct + (q->discard_pct > 0 ? q->discard_pct : 0),
                                     .burst_ratio = burst_ratio(q->report),
                                     .delay_ms = delay_of(q) };
    q->rated = emodel_rate(&in, &q->rating);
}

static bool says_something(const struct quality_report *q)
{
    return q->loss_pct >= 0 || q->jitter_ms >= 0 || q->rtt_ms >= 0 || q->mos_reported >= 0 || q->expected >= 0;
}

/* ------------------------------------------------------------------------------------------------ adding up */

static void add_figure(struct rtp_figure *f, double v)
{
    if (v < 0)
        return;
    f->min = f->count == 0 || v < f->min ? v : f->min;
    f->max = f->count == 0 || v > f->max ? v : f->max;
    f->sum += v;
    f->count++;
}

/* A report on all of the call: HANGUP, FINAL, CallTerm, or in the BYE. */
static bool is_final(const struct media_report *r)
{
    struct hep_slice kind = r->text[MEDIA_KIND];
    return r->source == MEDIA_FROM_HEADER || text_is(kind, "HANGUP") || text_is(kind, "FINAL") ||
           text_is(kind, "CallTerm");
}

static void add_up(struct quality_stream *s, const struct quality_report *q)
{
    bool final = is_final(q->report);
    if (final && s->periodic)
        return;
    s->periodic = s->periodic || !final;
    if (q->expected > 0) {
        s->expected += (uint64_t)q->expected;
        s->lost += q->lost > 0 ? q->lost : 0;
    }
    add_figure(&s->loss, q->loss_pct);
    add_figure(&s->jitter, q->jitter_ms);
    if (media_has(q->report, MEDIA_JITTER_MAX_MS) && q->report->value[MEDIA_JITTER_MAX_MS] > s->jitter.max)
        s->jitter.max = q->report->value[MEDIA_JITTER_MAX_MS];
    add_figure(&s->rtt, q->rtt_ms);
    add_figure(&s->mos, q->rated ? q->rating.mos : q->mos_reported);
}

/* Sender reports of the stream that others report on: for their round trips. */
static void note_sender(struct quality_call *c, const struct quality_report *q)
{
    struct rtcp_sender_info sender;
    if (q->report->source != MEDIA_FROM_RTCP || !media_sender(q->report, &sender))
        return;
    for (size_t i = 0; i < c->stream_count; i++)
        if (c->streams[i].source == MEDIA_FROM_RTCP && c->streams[i].ssrc == ssrc_of(q->report, MEDIA_REPORTER_SSRC))
            rtp_stream_sent(&c->streams[i].rtp, &sender, q->message->ts);
}

/* It sends, and reports on nothing that it receives; or it counted no packet. */
static bool is_empty(const struct media_report *r)
{
    bool alone = r->source == MEDIA_FROM_RTCP && !media_has(r, MEDIA_SSRC);
    return alone || (media_has(r, MEDIA_PACKETS) && r->value[MEDIA_PACKETS] == 0);
}

/* False: it came before. */
static bool follow(struct quality *q, struct quality_call *c, struct quality_report *r)
{
    struct rtp_interval interval;
    struct rtcp_block block;
    struct quality_stream *s = stream_of(q, c, r);
    read_figures(r->report, r);
    if (s != NULL && r->report->source == MEDIA_FROM_RTCP && media_block(r->report, &block)) {
        rtp_stream_report(&s->rtp, &block, r->clock, r->message->ts, &interval);
        if ((interval.odd & RTP_ODD_REPEATED) != 0)
            return false;
        read_interval(&interval, r);
    }
    rate(r);
    if (s != NULL)
        add_up(s, r);
    return true;
}

void quality_add(struct quality *q, struct quality_call *c, struct quality_report *r)
{
    r->heard_by = quality_heard_by(r->call, r->message, r->report);
    codec_of(r->call, r->report, r);
    note_sender(c, r);
    if (is_empty(r->report))
        c->empty[r->heard_by]++;
    c->one_way = c->one_way || (media_has(r->report, MEDIA_ONE_WAY) && r->report->value[MEDIA_ONE_WAY] == 1);
    if (r->report->source == MEDIA_FROM_RTCP && !media_has(r->report, MEDIA_SSRC))
        return; /* a sender report: there is no stream that it is about */
    if (!follow(q, c, r)) {
        q->stats.repeated++;
        return;
    }
    if (!says_something(r))
        return;
    c->reports++;
    q->o.on_report(q->o.arg, r);
}

void quality_tell_alone(struct quality *q, const struct quality_message *m, struct hep_slice id,
                        const struct media_report *report)
{
    struct quality_report r = { .message = m, .report = report, .id = id };
    if (id.len == 0)
        r.id = report->text[report->text[MEDIA_CALL_ID].len > 0 ? MEDIA_CALL_ID : MEDIA_CORRELATION_ID];
    if (report->source == MEDIA_FROM_RTCP && !media_has(report, MEDIA_SSRC))
        return;
    codec_of(NULL, report, &r);
    read_figures(report, &r);
    rate(&r);
    if (says_something(&r))
        q->o.on_report(q->o.arg, &r);
}

/* ------------------------------------------------------------------------------------------------ figures of a call */

static const struct quality_figures unknown = { QUALITY_UNKNOWN, QUALITY_UNKNOWN, QUALITY_UNKNOWN,
                                                QUALITY_UNKNOWN, QUALITY_UNKNOWN, QUALITY_UNKNOWN,
                                                QUALITY_UNKNOWN, QUALITY_UNKNOWN, false };

/* Whose figures stand for a direction that several kinds of reports are about: who saw the packets before who plays
 * them, sums of the whole call before what was sent once. */
static unsigned rank_of(uint8_t source)
{
    static const uint8_t ranks[] = { [MEDIA_FROM_RTP] = 0, [MEDIA_FROM_RTCP] = 1, [MEDIA_FROM_VQ] = 2,
                                     [MEDIA_FROM_SBC] = 3, [MEDIA_FROM_XR] = 4,   [MEDIA_FROM_HEADER] = 5 };
    return ranks[source];
}

static void merge(struct rtp_figure *to, const struct rtp_figure *f)
{
    if (f->count == 0)
        return;
    to->min = to->count == 0 || f->min < to->min ? f->min : to->min;
    to->max = to->count == 0 || f->max > to->max ? f->max : to->max;
    to->sum += f->sum;
    to->count += f->count;
}

static double mean(const struct rtp_figure *f)
{
    return f->count > 0 ? f->sum / (double)f->count : QUALITY_UNKNOWN;
}

static double limit(const struct rtp_figure *f, double v)
{
    return f->count > 0 ? v : QUALITY_UNKNOWN;
}

static const struct quality_stream *best_of(const struct quality_call *c, enum track_side side)
{
    const struct quality_stream *best = NULL;
    for (size_t i = 0; i < c->stream_count; i++) {
        const struct quality_stream *s = &c->streams[i];
        if (s->heard_by == side && !s->other && (best == NULL || rank_of(s->source) < rank_of(best->source)))
            best = s;
    }
    return best;
}

static void figures_of(const struct quality_call *c, enum track_side side, struct quality_figures *ret)
{
    struct quality_stream sum = { .expected = 0 };
    const struct quality_stream *best = best_of(c, side);
    *ret = unknown;
    for (size_t i = 0; i < c->stream_count && best != NULL; i++) {
        const struct quality_stream *s = &c->streams[i];
        if (s->heard_by != side || s->other || s->source != best->source)
            continue;
        sum.expected += s->expected;
        sum.lost += s->lost;
        merge(&sum.mos, &s->mos);
        merge(&sum.loss, &s->loss);
        merge(&sum.jitter, &s->jitter);
        merge(&sum.rtt, &s->rtt);
    }
    ret->mos = mean(&sum.mos);
    ret->mos_min = limit(&sum.mos, sum.mos.min);
    ret->loss_pct = sum.expected > 0 ? 100.0 * (double)sum.lost / (double)sum.expected : mean(&sum.loss);
    ret->loss_max_pct = limit(&sum.loss, sum.loss.max);
    ret->jitter_ms = mean(&sum.jitter);
    ret->jitter_max_ms = limit(&sum.jitter, sum.jitter.max);
    ret->rtt_ms = mean(&sum.rtt);
    ret->rtt_max_ms = limit(&sum.rtt, sum.rtt.max);
    ret->nothing = c->empty[side] >= (best != NULL && best->source == MEDIA_FROM_HEADER ? 1 : 2) && sum.expected == 0;
}

/* The lower of two that are known. */
static double lower(double a, double b)
{
    return a < 0 ? b : b < 0 || a < b ? a : b;
}

static double higher(double a, double b)
{
    return a > b ? a : b;
}

static void take_worse(struct quality_figures *to, const struct quality_figures *f)
{
    to->mos = lower(to->mos, f->mos);
    to->mos_min = lower(to->mos_min, f->mos_min);
    to->loss_pct = higher(to->loss_pct, f->loss_pct);
    to->loss_max_pct = higher(to->loss_max_pct, f->loss_max_pct);
    to->jitter_ms = higher(to->jitter_ms, f->jitter_ms);
    to->jitter_max_ms = higher(to->jitter_max_ms, f->jitter_max_ms);
    to->rtt_ms = higher(to->rtt_ms, f->rtt_ms);
    to->rtt_max_ms = higher(to->rtt_max_ms, f->rtt_max_ms);
    to->nothing = to->nothing && f->nothing;
}

bool quality_of(const struct quality *q, const struct call_record *call, struct quality_of_call *ret)
{
    struct quality_figures nobody;
    uint64_t key = track_call_hash(call->texts.of[TRACK_TEXT_CALL_ID], q->o.seed);
    const struct quality_call *c = lru_count(q->calls) > 0 ? lru_find(q->calls, &key) : NULL;
    *ret = (struct quality_of_call){ .worse = unknown, .heard = { unknown, unknown } };
    if (c == NULL || c->uid != call->uid)
        return false;
    ret->reports = c->reports;
    figures_of(c, TRACK_CALLER, &ret->heard[0]);
    figures_of(c, TRACK_CALLEE, &ret->heard[1]);
    figures_of(c, TRACK_NOBODY, &nobody);
    ret->worse = ret->heard[0];
    take_worse(&ret->worse, &ret->heard[1]);
    take_worse(&ret->worse, &nobody);
    ret->worse.nothing = ret->heard[0].nothing && ret->heard[1].nothing;
    ret->one_way = c->one_way || ret->heard[0].nothing != ret->heard[1].nothing;
    return true;
}
