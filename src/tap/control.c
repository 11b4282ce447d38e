/* RTCP: whose it is, as JSON, and what it tells of the streams. */
#include <string.h>

#include "base/json_out.h"
#include "hep/rd.h"
#include "rtp/rtcp.h"
#include "rtp/rtcp_json.h"
#include "tap/internal.h"

enum { TYPE_RTCP = 5 };

/* ------------------------------------------------------------------------------------------------ sources, names */

void on_ref_drop(void *arg, const void *key, void *value)
{
    (void)arg;
    (void)key;
    struct ssrc_ref *ref = value;
    call_unref(ref->call);
}

void on_cname_drop(void *arg, const void *key, void *value)
{
    (void)arg;
    (void)key;
    struct call **c = value;
    call_unref(*c);
}

static void set_call(struct call **at, struct call *c)
{
    if (c == NULL || *at == c)
        return;
    call_ref(c);
    call_unref(*at);
    *at = c;
}

void ssrc_learn(struct tap *t, uint32_t ssrc, struct call *call, struct stream *stream)
{
    bool is_new;
    struct ssrc_ref *ref = lru_put(t->ssrcs, &ssrc, t->tick, &is_new);
    if (ref == NULL) {
        t->counters.no_memory++;
        return;
    }
    set_call(&ref->call, call);
    if (stream != NULL)
        ref->stream = stream;
}

void ssrc_forget(struct tap *t, const struct stream *stream)
{
    struct ssrc_ref *ref = lru_find(t->ssrcs, &stream->ssrc);
    if (ref != NULL && ref->stream == stream)
        ref->stream = NULL;
}

struct call *ssrc_call(struct tap *t, uint32_t ssrc)
{
    struct ssrc_ref *ref = lru_find(t->ssrcs, &ssrc);
    return ref == NULL ? NULL : ref->call;
}

static struct stream *ssrc_stream(struct tap *t, uint32_t ssrc)
{
    struct ssrc_ref *ref = lru_find(t->ssrcs, &ssrc);
    return ref == NULL ? NULL : ref->stream;
}

/* What a compound names: the first source that speaks, and its CNAME. */
struct identity {
    bool has_ssrc, has_cname;
    uint32_t ssrc;
    uint32_t about[4]; /* sources that it reports on */
    unsigned about_count;
    char cname[CNAME_MAX];
};

static void take_cname(const struct rtcp_packet *p, struct identity *ret)
{
    enum { CNAME = 1 };
    struct rtcp_sdes_iter it;
    struct rtcp_sdes_item item;
    rtcp_sdes_begin(&it, p);
    while (!ret->has_cname && rtcp_sdes_next(&it, &item)) {
        if (item.type != CNAME || item.text.len == 0)
            continue;
        ret->has_cname = true;
        memcpy(ret->cname, item.text.ptr, item.text.len < CNAME_MAX ? item.text.len : CNAME_MAX);
    }
}

static void identify(const struct tap_packet *packet, struct identity *ret)
{
    struct rtcp_iter it;
    struct rtcp_packet p;
    struct rtcp_block block;
    memset(ret, 0, sizeof(*ret));
    rtcp_begin(&it, packet->payload.ptr, packet->payload.len);
    while (rtcp_next(&it, &p)) {
        if (!ret->has_ssrc && p.ssrc != 0) {
            ret->has_ssrc = true;
            ret->ssrc = p.ssrc;
        }
        for (unsigned i = 0; ret->about_count < 4 && rtcp_block(&p, i, &block); i++)
            ret->about[ret->about_count++] = block.ssrc;
        if (p.type == RTCP_SDES)
            take_cname(&p, ret);
    }
}

/* ------------------------------------------------------------------------------------------------ whose it is */

static struct call *by_place(struct tap *t, const struct tap_packet *p, enum match *ret_match)
{
    const struct place *place = place_of(t, &p->dst, p->dst_port, p->scope);
    *ret_match = MATCH_SDP;
    if (place != NULL && place->rtcp)
        return place->call;
    *ret_match = MATCH_SYMMETRIC;
    place = place_of(t, &p->src, p->src_port, p->scope);
    return place != NULL && place->rtcp ? place->call : NULL;
}

/* The RTP that it goes with: the same ports (RFC 5761), or those below, in either direction. */
static struct call *by_flow(struct tap *t, const struct tap_packet *p)
{
    for (uint16_t below = 0; below <= 1; below++) {
        uint16_t from = (uint16_t)(p->src_port - below), to = (uint16_t)(p->dst_port - below);
        const struct stream *s = stream_of_flow(t, &p->src, from, &p->dst, to, p->scope);
        if (s == NULL)
            s = stream_of_flow(t, &p->dst, to, &p->src, from, p->scope);
        if (s != NULL && s->call != NULL)
            return s->call;
    }
    return NULL;
}

static struct call *by_ssrc(struct tap *t, const struct identity *id)
{
    struct call *c = id->has_ssrc ? ssrc_call(t, id->ssrc) : NULL;
    for (unsigned i = 0; c == NULL && i < id->about_count; i++)
        c = ssrc_call(t, id->about[i]);
    return c;
}

static struct call *by_cname(struct tap *t, const struct identity *id)
{
    struct call **at = id->has_cname ? lru_find(t->cnames, id->cname) : NULL;
    return at == NULL ? NULL : *at;
}

static struct call *whose(struct tap *t, const struct tap_packet *p, const struct identity *id, enum match *ret_match)
{
    struct call *c = by_place(t, p, ret_match);
    if (c != NULL)
        return c;
    *ret_match = MATCH_FLOW;
    if ((c = by_flow(t, p)) != NULL)
        return c;
    *ret_match = MATCH_SSRC;
    if ((c = by_ssrc(t, id)) != NULL)
        return c;
    *ret_match = MATCH_CNAME;
    if ((c = by_cname(t, id)) != NULL)
        return c;
    *ret_match = MATCH_NONE;
    return NULL;
}

/* The next packet of the same source, or endpoint, may come from elsewhere. */
static void learn(struct tap *t, const struct identity *id, struct call *c)
{
    bool is_new;
    if (id->has_ssrc)
        ssrc_learn(t, id->ssrc, c, NULL);
    struct call **at = id->has_cname ? lru_put(t->cnames, id->cname, t->tick, &is_new) : NULL;
    if (at != NULL)
        set_call(at, c);
}

/* ------------------------------------------------------------------------------------------------ round trips */

/* A receiver answers a sender report that passed us: the time from here to it and back (RFC 3550 section 6.4.1). */
static void take_block(struct tap *t, const struct rtcp_block *b)
{
    enum { ABSURD_MS = 10000 };
    struct stream *s = ssrc_stream(t, b->ssrc);
    if (s == NULL || b->lsr == 0 || s->report_us == 0 || b->lsr != s->report_ntp)
        return;
    double ms = (double)(t->now_us - s->report_us) / 1000 - (double)b->dlsr * 1000 / 65536;
    if (ms >= 0 && ms < ABSURD_MS)
        s->rtt_ms = ms;
}

static void take_reports(struct tap *t, const struct tap_packet *packet)
{
    struct rtcp_iter it;
    struct rtcp_packet p;
    struct rtcp_block block;
    rtcp_begin(&it, packet->payload.ptr, packet->payload.len);
    while (rtcp_next(&it, &p)) {
        struct stream *s = ssrc_stream(t, p.ssrc);
        if (s != NULL && p.has_sender_info) {
            s->report_ntp = p.sender.ntp_sec << 16 | p.sender.ntp_fraction >> 16;
            s->report_us = t->now_us;
        }
        if (s != NULL && p.type == RTCP_BYE)
            s->ended = true;
        for (unsigned i = 0; rtcp_block(&p, i, &block); i++)
            take_block(t, &block);
    }
}

/* ------------------------------------------------------------------------------------------------ packets */

/* The header of RTCP is there, and the lengths do not add up: SRTCP has a trailer (RFC 3711 section 3.4). */
static bool is_srtcp(const struct tap_packet *p)
{
    enum { HEADER = 8, TRAILER = 8 };
    const uint8_t *o = p->payload.ptr;
    if (p->payload.len < HEADER + TRAILER || (o[0] & 0xc0) != 0x80 || (o[1] != RTCP_SR && o[1] != RTCP_RR))
        return false;
    return ((size_t)be16_load(o + 2) + 1) * 4 + TRAILER <= p->payload.len;
}

static void send(struct tap *t, const struct tap_packet *p, const struct call *c)
{
    const struct tap_output out = {
        .type = TYPE_RTCP,
        .sec = p->sec,
        .usec = p->usec,
        .src = p->src,
        .dst = p->dst,
        .src_port = p->src_port,
        .dst_port = p->dst_port,
        .tos = p->tos,
        .has_vlan = p->has_vlan,
        .vlan = p->vlan,
        .payload = { t->json.ptr, t->json.len },
        .call_id = call_id_of(c),
    };
    if (t->o.output != NULL && !t->quiet)
        t->o.output(t->o.arg, &out);
}

/* The JSON of rtp/rtcp_json.h with one key more. */
static bool make_json(struct tap *t, const struct tap_packet *p, enum match match)
{
    bool first = false;
    buf_reset(&t->json);
    if (!rtcp_json(&t->json, p->payload.ptr, p->payload.len) || t->json.failed)
        return false;
    t->json.len--; /* the closing brace */
    json_out_key(&t->json, &first, "match");
    json_out_text(&t->json, match_name(match));
    buf_putc(&t->json, '}');
    return !t->json.failed;
}

bool take_control(struct tap *t, const struct tap_packet *p)
{
    struct identity id;
    enum match match;
    if (!rtcp_looks_like(p->payload.ptr, p->payload.len)) {
        bool srtcp = is_srtcp(p);
        t->counters.srtcp += srtcp;
        return srtcp;
    }
    identify(p, &id);
    struct call *c = whose(t, p, &id, &match);
    if (!make_json(t, p, match)) {
        t->counters.rtcp_bad++;
        return false;
    }
    t->counters.rtcp++;
    t->counters.rtcp_unmatched += c == NULL;
    if (c != NULL)
        learn(t, &id, c);
    take_reports(t, p);
    send(t, p, c);
    return true;
}
