/* Reports on media, which the thread of the calls adds to them: each a row of table `quality`. */
#include <stdio.h>
#include <string.h>

#include "engine/calls_internal.h"
#include "record/reader.h"

#define ODD_MAX 160 /* octets of words */

/* ------------------------------------------------------------------------------------------------ rows */

static struct hep_slice text(const char *s)
{
    return (struct hep_slice){ (const uint8_t *)s, strlen(s) };
}

static void set_match(const struct quality_report *q, struct record *r)
{
    static const char *const sides[] = { [TRACK_NOBODY] = "", [TRACK_CALLER] = "caller", [TRACK_CALLEE] = "callee" };
    r->matched_by = text(quality_match_name(q->match));
    r->heard_by = text(sides[q->heard_by]);
    if (q->call == NULL) {
        r->call_id = q->id;
        return;
    }
    r->call_uid = q->call->uid;
    r->call_id = q->call->texts.of[TRACK_TEXT_CALL_ID];
}

static int64_t number_of(const struct media_report *r, enum media_field field)
{
    return media_has(r, field) ? (int64_t)r->value[field] : RECORD_NONE;
}

static void set_stream(const struct quality_report *q, struct record *r)
{
    r->report = text(quality_source_name((enum media_source)q->report->source));
    r->ssrc = number_of(q->report, MEDIA_SSRC);
    r->reporter_ssrc = number_of(q->report, MEDIA_REPORTER_SSRC);
    r->cname = q->report->text[MEDIA_CNAME];
    r->codec = q->codec;
    r->clock_hz = q->clock > 0 ? q->clock : RECORD_NONE;
}

static int64_t count_of(int64_t n)
{
    return n >= 0 && n <= UINT32_MAX ? n : RECORD_NONE;
}

static void set_figures(const struct quality_report *q, struct record *r)
{
    r->seconds = call_row_decimal(q->seconds);
    r->expected = count_of(q->expected);
    r->lost = count_of(q->lost);
    r->loss = call_row_decimal(q->loss_pct);
    r->jitter_ms = call_row_decimal(q->jitter_ms);
    r->rtt_ms = call_row_decimal(q->rtt_ms);
    r->discarded = call_row_decimal(q->discard_pct);
    r->mos_reported = call_row_decimal(q->mos_reported);
    if (!q->rated)
        return;
    r->mos = call_row_decimal(q->rating.mos);
    r->r = call_row_decimal(q->rating.r);
    r->scale = text(q->rating.codec->scale == EMODEL_WIDE ? "wide" : "narrow");
    r->rated_loss = call_row_decimal(q->rating.loss_pct);
    r->burst_ratio = call_row_decimal(q->rating.burst_ratio);
    r->delay_ms = call_row_decimal(q->rating.delay_ms);
    r->delay_impairment = call_row_decimal(q->rating.id);
    r->loss_impairment = call_row_decimal(q->rating.ie_eff);
}

static void put_odd(unsigned odd, char out[ODD_MAX])
{
    const char *name;
    size_t at = 0;
    out[0] = '\0';
    for (unsigned i = 0; (name = quality_odd_name(i)) != NULL; i++)
        if ((odd >> i & 1) != 0)
            at += (size_t)snprintf(out + at, ODD_MAX - at, "%s%s", at > 0 ? "," : "", name);
}

static void on_report(void *arg, const struct quality_report *q)
{
    struct calls *c = arg;
    struct record r;
    char odd[ODD_MAX];
    record_clear(&r, RECORD_QUALITY);
    r.ts = q->message->ts;
    r.seq = q->message->seq;
    r.received = c->now_us;
    r.source = c->source;
    r.src_ip = q->message->src.ip;
    r.src_port = q->message->src.port;
    r.dst_ip = q->message->dst.ip;
    r.dst_port = q->message->dst.port;
    r.proto = text(track_transport_name((enum track_transport)q->message->transport));
    set_match(q, &r);
    set_stream(q, &r);
    set_figures(q, &r);
    put_odd(q->odd, odd);
    r.odd = text(odd);
    calls_append(c, &r);
}

/* ------------------------------------------------------------------------------------------------ messages */

bool reports_open(struct calls *c, unsigned source)
{
    const struct quality_options o = { .tracker = c->of[source], .seed = c->seed, .on_report = on_report, .arg = c };
    c->quality[source] = quality_new(&o);
    return c->quality[source] != NULL;
}

void reports_free(struct calls *c)
{
    for (unsigned i = 0; i < CALLS_SOURCES; i++) {
        quality_free(c->quality[i]);
        c->quality[i] = NULL;
    }
}

size_t reports_prepare(struct calls *c, struct calls_lane *lane, const struct record *record)
{
    struct hep_slice id = record->table == RECORD_SIP ? record->call_id : record->correlation_id;
    const struct quality_message m = { .call = id.len > 0 ? track_call_hash(id, c->seed) : 0,
                                       .ts = record->ts,
                                       .src = { record->src_ip, (uint16_t)record->src_port },
                                       .dst = { record->dst_ip, (uint16_t)record->dst_port },
                                       .len = (uint32_t)record->carries.octets.len,
                                       .id_len = (uint16_t)(id.len < QUALITY_ID_MAX ? id.len : QUALITY_ID_MAX),
                                       .form = record->carries.form,
                                       .transport = track_transport_by_name(record->proto) };
    if (record->carries.octets.len == 0)
        return 0;
    if (record->carries.octets.len > QUALITY_PAYLOAD_MAX) {
        atomic_fetch_add_explicit(&lane->too_long, 1, memory_order_relaxed);
        return 0;
    }
    size_t before = lane->texts.len;
    buf_put(&lane->texts, &m, sizeof(m));
    buf_put(&lane->texts, record->carries.octets.ptr, record->carries.octets.len);
    buf_put(&lane->texts, id.ptr, m.id_len);
    return lane->texts.len - before;
}

void reports_take(struct calls *c, const struct calls_message *m, const uint8_t *octets)
{
    struct quality_message report;
    memcpy(&report, octets, sizeof(report));
    report.seq = m->seq;
    quality_take(c->quality[m->source], &report, octets + sizeof(report), m->now_us);
}

void reports_figures(const struct calls *c, struct quality_stats *ret)
{
    struct quality_stats s;
    quality_stats(c->quality[RECORD_NETWORK], ret);
    quality_stats(c->quality[RECORD_IMPORT], &s);
    ret->messages += s.messages;
    ret->bad += s.bad;
    ret->reports += s.reports;
    ret->repeated += s.repeated;
    for (unsigned i = 0; i < QUALITY_MATCHES; i++)
        ret->matched[i] += s.matched[i];
    ret->dropped += s.dropped;
    ret->evicted += s.evicted;
    ret->no_memory += s.no_memory;
    ret->waiting += s.waiting;
    ret->calls += s.calls;
    ret->octets += s.octets;
}
