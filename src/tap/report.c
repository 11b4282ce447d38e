/* Reports and events as JSON, with the keys that Homer's pages read and more: docs/agent.md lists them. */
#include <string.h>

#include "base/ip.h"
#include "base/json_out.h"
#include "tap/internal.h"

enum { TYPE_RTP_REPORT = 34, TYPE_RTP_SHORT = 35, TYPE_LOG = 100 };

/* ------------------------------------------------------------------------------------------------ JSON */

static void put_number(struct buf *b, bool *first, const char *key, uint64_t value)
{
    json_out_key(b, first, key);
    json_out_number(b, value);
}

static void put_real(struct buf *b, bool *first, const char *key, double value, int digits)
{
    json_out_key(b, first, key);
    buf_printf(b, "%.*f", digits, value);
}

/* A figure that may not be known. */
static void put_known(struct buf *b, bool *first, const char *key, bool known, double value)
{
    json_out_key(b, first, key);
    if (known)
        buf_printf(b, "%.3f", value);
    else
        buf_puts(b, "null");
}

static void put_text(struct buf *b, bool *first, const char *key, const char *text)
{
    json_out_key(b, first, key);
    json_out_text(b, text);
}

static void put_slice(struct buf *b, bool *first, const char *key, struct hep_slice text)
{
    json_out_key(b, first, key);
    (void)json_out_string(b, text.ptr != NULL ? text.ptr : (const uint8_t *)"", text.len);
}

static void put_addr(struct buf *b, bool *first, const char *ip_key, const char *port_key, const struct hep_addr *addr,
                     uint16_t port)
{
    char text[IP_TEXT_MAX];
    (void)ip_format(addr, text);
    put_text(b, first, ip_key, text);
    put_number(b, first, port_key, port);
}

static void put_mac(struct buf *b, bool *first, const char *key, bool has, uint64_t mac)
{
    json_out_key(b, first, key);
    buf_putc(b, '"');
    for (int shift = 40; has && shift >= 0; shift -= 8)
        buf_printf(b, shift == 40 ? "%02x" : ":%02x", (unsigned)(mac >> shift & 0xff));
    buf_putc(b, '"');
}

static void put_time(struct buf *b, bool *first, const char *key, int64_t us)
{
    json_out_key(b, first, key);
    buf_printf(b, "%lld.%06d", (long long)(us / 1000000), (int)(us % 1000000));
}

/* ------------------------------------------------------------------------------------------------ sending */

static void send(struct tap *t, const struct stream *s, const struct call *c, uint8_t type, int64_t at_us, double mos,
                 double r)
{
    struct tap_output out = {
        .type = type,
        .sec = (uint32_t)(at_us / 1000000),
        .usec = (uint32_t)(at_us % 1000000),
        .payload = { t->json.ptr, t->json.len },
        .call_id = call_id_of(c),
        .mos = mos,
        .r = r,
    };
    if (s != NULL) {
        const struct flow_key *key = lru_key(t->flows, s->flow);
        out.src = key->src;
        out.dst = key->dst;
        out.src_port = key->src_port;
        out.dst_port = key->dst_port;
        out.tos = s->tos;
        out.has_vlan = s->has_vlan;
        out.vlan = s->vlan;
    }
    if (t->json.failed)
        t->counters.no_memory++;
    else if (t->o.output != NULL && !t->quiet)
        t->o.output(t->o.arg, &out);
}

/* ------------------------------------------------------------------------------------------------ figures */

struct figures {
    struct rtp_sums sums;
    uint64_t lost;
    double loss_pct; /* of the network */
    double packet_ms;
    struct rtp_bursts bursts;
    bool rated;
    struct emodel_rating rating;
    bool has_jitter;
    double jitter_ms;
};

static double packet_ms_of(const struct stream *s)
{
    if (s->ptime != 0)
        return s->ptime;
    const struct rtp_spread *d = &s->receiver.spread;
    double count = (double)(s->delta_count + d->delta_count);
    return count > 0 ? (s->delta_sum + d->delta_sum) / count / 1000 : 20;
}

/* What a jitter buffer throws away is lost to the listener, too. */
static void rate(struct tap *t, const struct stream *s, struct figures *f)
{
    double played = (double)f->sums.received - (double)f->sums.discarded;
    double expected = (double)f->sums.expected;
    const struct emodel_input in = {
        .codec = s->rated,
        .loss_pct = expected > 0 && played < expected ? 100 * (expected - played) / expected : 0,
        .burst_ratio = f->bursts.burst_ratio,
        .delay_ms = stream_delay(t, s),
    };
    f->rated = expected > 0 && emodel_rate(&in, &f->rating);
}

static void figure(struct tap *t, const struct stream *s, const struct rtp_sums *since, struct figures *f)
{
    memset(f, 0, sizeof(*f));
    f->sums = rtp_sums_since(&s->receiver.total, since);
    f->lost = f->sums.expected > f->sums.received ? f->sums.expected - f->sums.received : 0;
    f->loss_pct = f->sums.expected > 0 ? 100.0 * (double)f->lost / (double)f->sums.expected : 0;
    f->packet_ms = packet_ms_of(s);
    rtp_bursts_of(&f->sums, f->packet_ms, &f->bursts);
    f->has_jitter = s->receiver.clock != 0;
    f->jitter_ms = s->receiver.jitter_us / 1000;
    rate(t, s, f);
}

/* The interval is over: what it had goes into the figures of the whole. */
static void close_interval(struct stream *s, const struct figures *f)
{
    const struct rtp_spread *d = &s->receiver.spread;
    if (f->rated) {
        range_add(&s->mos, f->rating.mos);
        range_add(&s->r, f->rating.r);
    }
    if (d->count > 0) {
        struct range *j = &s->jitter;
        if (j->count == 0 || d->jitter_min < j->min)
            j->min = d->jitter_min;
        if (d->jitter_max > j->max)
            j->max = d->jitter_max;
        j->sum += d->jitter_sum;
        if (j->count == 0 || d->skew_min < s->skew_min)
            s->skew_min = d->skew_min;
        if (j->count == 0 || d->skew_max > s->skew_max)
            s->skew_max = d->skew_max;
        j->count += d->count;
    }
    s->delta_count += d->delta_count;
    s->delta_sum += d->delta_sum;
    if (d->delta_max > s->delta_max)
        s->delta_max = d->delta_max;
}

/* ------------------------------------------------------------------------------------------------ keys */

static double mean(const struct range *r)
{
    return r->count > 0 ? r->sum / (double)r->count : 0;
}

static void put_ids(struct tap *t, const struct stream *s, struct buf *b, bool *first)
{
    (void)t;
    put_slice(b, first, "CORRELATION_ID", call_id_of(s->call));
    put_slice(b, first, "RTP_SIP_CALL_ID", call_id_of(s->call));
    put_text(b, first, "MATCH", match_name((enum match)s->match));
}

static void put_places(struct tap *t, const struct stream *s, struct buf *b, bool *first)
{
    const struct flow_key *key = lru_key(t->flows, s->flow);
    char text[IP_TEXT_MAX];
    put_addr(b, first, "SRC_IP", "SRC_PORT", &key->src, key->src_port);
    put_addr(b, first, "DST_IP", "DST_PORT", &key->dst, key->dst_port);
    put_mac(b, first, "SRC_MAC", s->has_mac, s->src_mac);
    put_mac(b, first, "DST_MAC", s->has_mac, s->dst_mac);
    size_t len = ip_format(&key->src, text);
    json_out_key(b, first, "REPORT_NAME");
    buf_printf(b, "\"%.*s:%u\"", (int)len, text, (unsigned)key->src_port);
}

/* The sender is the party that does not receive. */
static void put_party(const struct stream *s, struct buf *b, bool *first)
{
    unsigned party = s->call != NULL && s->role == ROLE_CALLER ? 1 : 0;
    put_number(b, first, "DIR", party);
    put_number(b, first, "PARTY", party);
}

static void put_codec(const struct stream *s, struct buf *b, bool *first)
{
    put_number(b, first, "CODEC_PT", s->main_type);
    put_number(b, first, "CLOCK", s->receiver.clock);
    put_text(b, first, "CODEC_NAME", s->codec);
    json_out_key(b, first, "CLOCK_ESTIMATED");
    buf_puts(b, s->receiver.clock_estimated ? "true" : "false");
}

static void put_rating(const struct tap *t, const struct figures *f, struct buf *b, bool *first)
{
    const struct emodel_rating *r = &f->rating;
    put_known(b, first, "MOS", f->rated, r->mos);
    put_known(b, first, "RFACTOR", f->rated, r->r);
    put_number(b, first, "BUFFER_MS", t->o.buffer_ms);
    if (!f->rated)
        return;
    put_text(b, first, "MOS_SCALE", r->codec->scale == EMODEL_WIDE ? "wide" : "narrow");
    put_real(b, first, "PLAY_LOSS_PCT", r->loss_pct, 3);
    put_real(b, first, "IE", r->codec->ie, 1);
    put_real(b, first, "BPL", r->codec->bpl, 1);
    put_real(b, first, "IE_EFF", r->ie_eff, 3);
    put_real(b, first, "DELAY_MS", r->delay_ms, 1);
}

static void put_ranges(const struct stream *s, struct buf *b, bool *first)
{
    bool jitter = s->jitter.count > 0, mos = s->mos.count > 0;
    put_known(b, first, "MIN_JITTER", jitter, s->jitter.min / 1000);
    put_known(b, first, "MEAN_JITTER", jitter, mean(&s->jitter) / 1000);
    put_known(b, first, "MAX_JITTER", jitter, s->jitter.max / 1000);
    put_known(b, first, "MIN_SKEW", jitter, s->skew_min / 1000);
    put_known(b, first, "MAX_SKEW", jitter, s->skew_max / 1000);
    put_known(b, first, "MIN_MOS", mos, s->mos.min);
    put_known(b, first, "MEAN_MOS", mos, mean(&s->mos));
    put_known(b, first, "MAX_MOS", mos, s->mos.max);
    put_known(b, first, "MIN_RFACTOR", mos, s->r.min);
    put_known(b, first, "MEAN_RFACTOR", mos, mean(&s->r));
    put_known(b, first, "MAX_RFACTOR", mos, s->r.max);
}

static void put_counts(const struct figures *f, struct buf *b, bool *first)
{
    put_number(b, first, "TOTAL_PK", f->sums.received);
    put_number(b, first, "EXPECTED_PK", f->sums.expected);
    put_number(b, first, "PACKET_LOSS", f->lost);
    put_real(b, first, "LOSS_PCT", f->loss_pct, 3);
    put_number(b, first, "TL_BYTE", f->sums.octets);
    put_number(b, first, "OUT_ORDER", f->sums.reordered);
    put_number(b, first, "DUPLICATES", f->sums.duplicates);
    put_number(b, first, "DISCARDED", f->sums.discarded);
    put_real(b, first, "DISCARD_PCT",
             f->sums.expected > 0 ? 100.0 * (double)f->sums.discarded / (double)f->sums.expected : 0, 3);
    put_number(b, first, "RESTARTS", f->sums.restarts);
    put_number(b, first, "STRAY", f->sums.stray);
    put_real(b, first, "BURST_LOSS_PCT", f->bursts.burst_loss_pct, 2);
    put_real(b, first, "GAP_LOSS_PCT", f->bursts.gap_loss_pct, 2);
    put_real(b, first, "BURST_MS", f->bursts.burst_ms, 1);
    put_real(b, first, "GAP_MS", f->bursts.gap_ms, 1);
    put_real(b, first, "BURST_RATIO", f->bursts.burst_ratio, 3);
}

static void put_now(const struct stream *s, const struct figures *f, struct buf *b, bool *first)
{
    const struct rtp_spread *d = &s->receiver.spread;
    put_known(b, first, "DELTA", d->delta_count > 0,
              d->delta_count > 0 ? d->delta_sum / (double)d->delta_count / 1000 : 0);
    put_real(b, first, "MAX_DELTA", (d->delta_max > s->delta_max ? d->delta_max : s->delta_max) / 1000, 3);
    put_known(b, first, "JITTER", f->has_jitter, f->jitter_ms);
    put_known(b, first, "SKEW", f->has_jitter, s->receiver.skew_us / 1000);
    put_number(b, first, "SEQ", s->receiver.seq);
    put_number(b, first, "SSRC", s->ssrc);
    put_number(b, first, "SSRC_CHG", s->flow->changes);
    put_known(b, first, "RTT_MS", s->rtt_ms >= 0, s->rtt_ms);
}

static void put_whole(struct stream *s, const struct figures *f, struct buf *b, bool *first)
{
    put_number(b, first, "CODEC_CH", 1);
    put_number(b, first, "IP_QOS", s->tos);
    put_number(b, first, "INFO_VLAN", s->vlan);
    put_number(b, first, "VIDEO", s->medium == MEDIUM_VIDEO);
    put_time(b, first, "REPORT_START", s->begun_us);
    put_time(b, first, "REPORT_END", s->last_us);
    put_time(b, first, "RTP_START", s->begun_us);
    put_time(b, first, "RTP_STOP", s->last_us);
    put_number(b, first, "ONE_WAY_RTP", s->one_way);
    put_text(b, first, "EVENT", s->digits);
    put_real(b, first, "PTIME", f->packet_ms, 2);
    put_text(b, first, "STYPE", "RTP");
}

/* ------------------------------------------------------------------------------------------------ reports */

static void begin(struct tap *t, bool *first)
{
    buf_reset(&t->json);
    buf_putc(&t->json, '{');
    *first = true;
}

static void report_full(struct tap *t, struct stream *s, enum report_kind kind, const struct figures *f, int64_t at_us)
{
    struct buf *b = &t->json;
    bool first;
    begin(t, &first);
    put_ids(t, s, b, &first);
    put_time(b, &first, "REPORT_TS", at_us);
    put_now(s, f, b, &first);
    put_counts(f, b, &first);
    put_ranges(s, b, &first);
    put_rating(t, f, b, &first);
    put_codec(s, b, &first);
    put_places(t, s, b, &first);
    put_party(s, b, &first);
    if (kind == REPORT_HANGUP)
        put_whole(s, f, b, &first);
    put_text(b, &first, "TYPE", kind == REPORT_HANGUP ? "HANGUP" : "PERIODIC");
    buf_putc(b, '}');
    t->counters.reports++;
    send(t, s, s->call, TYPE_RTP_REPORT, at_us, f->rated ? f->rating.mos : 0, f->rated ? f->rating.r : 0);
}

static void report_short(struct tap *t, struct stream *s, const struct figures *f, int64_t at_us)
{
    struct buf *b = &t->json;
    bool first;
    begin(t, &first);
    put_ids(t, s, b, &first);
    put_ranges(s, b, &first);
    put_number(b, &first, "TOTAL_PACKET_LOSS", f->lost);
    put_number(b, &first, "TOTAL_PACKETS", f->sums.received);
    put_places(t, s, b, &first);
    put_party(s, b, &first);
    put_number(b, &first, "SSRC", s->ssrc);
    put_number(b, &first, "ONE_WAY_RTP", s->one_way);
    put_text(b, &first, "TYPE", "FINAL");
    buf_putc(b, '}');
    t->counters.reports++;
    send(t, s, s->call, TYPE_RTP_SHORT, at_us, s->mos.count > 0 ? mean(&s->mos) : 0, s->r.count > 0 ? mean(&s->r) : 0);
}

void report_stream(struct tap *t, struct stream *s, enum report_kind kind)
{
    struct figures f;
    figure(t, s, &s->reported, &f);
    int64_t at_us = kind == REPORT_HANGUP ? s->last_us : t->now_us;
    close_interval(s, &f);
    if (kind == REPORT_PERIODIC) {
        report_full(t, s, kind, &f, at_us);
    } else {
        const struct rtp_sums zero = { .expected = 0 };
        figure(t, s, &zero, &f);
        report_full(t, s, kind, &f, at_us);
        if (!t->o.no_short)
            report_short(t, s, &f, at_us);
    }
    s->reported = s->receiver.total;
    s->reported_us = t->now_us;
    rtp_receiver_mark(&s->receiver);
}

/* ------------------------------------------------------------------------------------------------ events */

static void begin_event(struct tap *t, const struct stream *s, const struct call *c, const char *name, bool *first)
{
    struct buf *b = &t->json;
    begin(t, first);
    put_text(b, first, "event", name);
    put_slice(b, first, "call_id", call_id_of(c));
    if (s == NULL)
        return;
    const struct flow_key *key = lru_key(t->flows, s->flow);
    put_number(b, first, "ssrc", s->ssrc);
    put_addr(b, first, "src_ip", "src_port", &key->src, key->src_port);
    put_addr(b, first, "dst_ip", "dst_port", &key->dst, key->dst_port);
}

static void send_event(struct tap *t, const struct stream *s, const struct call *c)
{
    buf_putc(&t->json, '}');
    t->counters.events++;
    send(t, s, c, TYPE_LOG, t->now_us, 0, 0);
}

void report_event(struct tap *t, const struct stream *s, const struct call *c, const char *name, const char *key,
                  double value)
{
    bool first;
    if (t->o.no_events || t->quiet)
        return;
    begin_event(t, s, c, name, &first);
    if (key != NULL)
        put_real(&t->json, &first, key, value, 0);
    send_event(t, s, c);
}

void report_digit(struct tap *t, struct stream *s, bool ended)
{
    static const char digits[] = "0123456789*#ABCD!"; /* the last one is flash */
    bool first;
    char text[] = "?";
    if (s->last_event.event < sizeof(digits) - 1 && !t->o.mask_digits)
        text[0] = digits[s->last_event.event];
    if (s->digit_count < DIGITS_MAX)
        s->digits[s->digit_count++] = text[0];
    if (t->o.no_events || t->quiet)
        return;
    begin_event(t, s, s->call, "dtmf", &first);
    put_text(&t->json, &first, "digit", text);
    if (s->clock != 0)
        put_real(&t->json, &first, "duration_ms", 1000.0 * s->last_event.duration / s->clock, 0);
    put_number(&t->json, &first, "volume_dbm0_below", s->last_event.volume);
    json_out_key(&t->json, &first, "ended");
    buf_puts(&t->json, ended ? "true" : "false");
    send_event(t, s, s->call);
}
