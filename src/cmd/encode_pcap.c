#include "cmd/encode_pcap.h"

#include <stdio.h>
#include <string.h>

#include "cmd/encode_reading.h"
#include "cmd/read_capture.h"
#include "rtp/rtcp.h"
#include "rtp/rtcp_json.h"
#include "sip/peek.h"
#include "sip/sdp.h"

/* What a message gets that the command line gives no name and id. */
#define DEFAULT_NODE "hepcat"
#define DEFAULT_ID   2001

#define CALL_ID_MAX   256   /* longer ones are not remembered for RTCP */
#define ENDPOINTS_MAX 65536 /* media endpoints remembered */

/* Where RTCP of a call is received. */
struct endpoint {
    struct hep_addr addr;
    uint16_t port;
};

struct call_ref {
    size_t len;
    char call_id[CALL_ID_MAX];
};

/* ------------------------------------------------------------------------------------------------ messages */

static void endpoint_key(struct endpoint *key, const struct hep_addr *addr, uint16_t port)
{
    memset(key, 0, sizeof(*key)); /* the table compares octets, padding included */
    key->addr = *addr;
    key->port = port;
}

static void remember(struct reading *r, const struct hep_addr *addr, uint16_t port, struct hep_slice call_id,
                     uint32_t now)
{
    struct endpoint key;
    bool is_new;
    if (addr->len == 0 || port == 0)
        return;
    endpoint_key(&key, addr, port);
    struct call_ref *ref = lru_put(r->endpoints, &key, now, &is_new);
    if (ref == NULL)
        return;
    ref->len = call_id.len;
    memcpy(ref->call_id, call_id.ptr, call_id.len);
}

static void remember_media(struct reading *r, struct hep_slice msg, uint32_t now)
{
    struct hep_slice call_id, sdp;
    struct sdp_iter it;
    struct sdp_media media;
    if (!sip_call_id(msg.ptr, msg.len, &call_id) || call_id.len > CALL_ID_MAX || !sdp_find(msg.ptr, msg.len, &sdp))
        return;
    sdp_begin(&it, sdp);
    while (sdp_next(&it, &media)) {
        remember(r, &media.rtcp_addr, media.rtcp_port, call_id, now);
        if (media.rtcp_mux)
            remember(r, &media.addr, media.port, call_id, now);
    }
}

/* The call that an RTCP packet belongs to: SDP names where RTCP is received, and most send from there, too. */
static const struct call_ref *call_of(struct reading *r, const struct dgram *dgram)
{
    struct endpoint key;
    endpoint_key(&key, &dgram->src, dgram->src_port);
    struct call_ref *ref = lru_find(r->endpoints, &key);
    if (ref == NULL) {
        endpoint_key(&key, &dgram->dst, dgram->dst_port);
        ref = lru_find(r->endpoints, &key);
    }
    if (ref != NULL)
        lru_touch(r->endpoints, ref, dgram->sec);
    return ref;
}

const char *reading_where(const struct reading *r, char where[WHERE_MAX])
{
    (void)snprintf(where, WHERE_MAX, "%s: packet %llu", r->name, (unsigned long long)r->packet);
    return where;
}

static void send_message(struct reading *r, struct hep_msg *msg)
{
    char where[WHERE_MAX];
    const char *node = r->e->plain_node != NULL ? r->e->plain_node : DEFAULT_NODE;
    if (!hep_has(msg, HEP_CHUNK_NODE_NAME))
        (void)hep_set_octets(msg, HEP_CHUNK_NODE_NAME, node, strlen(node));
    msg->capture_id = r->e->plain_id != 0 ? r->e->plain_id : DEFAULT_ID;
    encoder_message(r->e, msg, reading_where(r, where));
}

static void fill(struct hep_msg *msg, uint8_t type, uint32_t sec, uint32_t usec, struct hep_slice payload)
{
    hep_msg_init(msg, type);
    msg->time_sec = sec;
    msg->time_usec = usec;
    (void)hep_set_octets(msg, HEP_CHUNK_PAYLOAD, payload.ptr, payload.len);
}

static void fill_network(struct hep_msg *msg, bool has_vlan, uint16_t vlan, uint8_t tos)
{
    if (has_vlan)
        (void)hep_set_number(msg, HEP_CHUNK_VLAN, vlan);
    if (tos != 0)
        (void)hep_set_number(msg, HEP_CHUNK_IP_TOS, tos);
}

static void fill_dgram(struct hep_msg *msg, uint8_t type, const struct dgram *d, struct hep_slice payload)
{
    fill(msg, type, d->sec, d->usec, payload);
    (void)hep_set_src(msg, d->src.octets, d->src.len, d->src_port);
    (void)hep_set_dst(msg, d->dst.octets, d->dst.len, d->dst_port);
    fill_network(msg, d->has_vlan, d->vlan, d->tos);
}

/* ------------------------------------------------------------------------------------------------ UDP */

static void take_rtcp(struct reading *r, const struct dgram *d)
{
    struct hep_msg msg;
    buf_reset(&r->json);
    if (!rtcp_json(&r->json, d->payload.ptr, d->payload.len) || r->json.failed) {
        r->counts.other_udp++;
        return;
    }
    r->counts.rtcp++;
    fill_dgram(&msg, HEP_TYPE_RTCP, d, (struct hep_slice){ r->json.ptr, r->json.len });
    const struct call_ref *ref = call_of(r, d);
    if (ref != NULL)
        (void)hep_set_octets(&msg, HEP_CHUNK_CORRELATION_ID, ref->call_id, ref->len);
    else
        r->counts.uncorrelated++;
    send_message(r, &msg);
}

static void take_sip(struct reading *r, const struct dgram *d)
{
    struct hep_msg msg;
    remember_media(r, d->payload, d->sec);
    r->counts.sip++;
    r->counts.cut += d->truncated;
    fill_dgram(&msg, HEP_TYPE_SIP, d, d->payload);
    send_message(r, &msg);
}

static void on_udp(void *arg, const struct dgram *d)
{
    struct reading *r = arg;
    r->sec = d->sec;
    r->usec = d->usec;
    if (sip_looks_like(d->payload.ptr, d->payload.len))
        take_sip(r, d);
    else if (rtcp_looks_like(d->payload.ptr, d->payload.len))
        take_rtcp(r, d);
    else if (r->e->hep_ports != NULL && reading_hep(r, d))
        return;
    else if (r->e->hep_ports == NULL && reading_has_magic(d->payload))
        r->counts.hep++;
    else
        r->counts.other_udp++;
}

/* ------------------------------------------------------------------------------------------------ TCP */

void reading_sip(struct reading *r, const struct tcp_flow *flow, struct hep_slice sip, uint32_t sec, uint32_t usec)
{
    struct hep_msg msg;
    remember_media(r, sip, sec);
    r->counts.sip++;
    fill(&msg, HEP_TYPE_SIP, sec, usec, sip);
    msg.protocol = 6;
    (void)hep_set_src(&msg, flow->src.octets, flow->src.len, flow->src_port);
    (void)hep_set_dst(&msg, flow->dst.octets, flow->dst.len, flow->dst_port);
    fill_network(&msg, flow->has_vlan, flow->vlan, flow->tos);
    send_message(r, &msg);
}

/* ------------------------------------------------------------------------------------------------ all */

/* For who encodes: who imports tells the sums of all files. */
static void tell(const struct reading *r)
{
    const struct report *report = r->e->report;
    const struct encoder_counts *c = &r->counts;
    if (r->e->sink != NULL)
        return;
    if (c->cut != 0)
        report_note(report, "%s: %llu messages were cut by the snap length", r->name, (unsigned long long)c->cut);
    if (c->hep != 0)
        report_note(report, "%s: %llu datagrams are HEP already: `hepcat decode --format raw %s | hepcat encode -`",
                    r->name, (unsigned long long)c->hep, r->name);
    if (c->uncorrelated != 0)
        report_note(report, "%s: %llu RTCP packets belong to no call seen here", r->name,
                    (unsigned long long)c->uncorrelated);
    if (c->other_udp != 0 || c->other_tcp != 0)
        report_note(report, "%s: %llu datagrams and %llu octets of TCP are neither SIP nor RTCP", r->name,
                    (unsigned long long)c->other_udp, (unsigned long long)c->other_tcp);
}

static void add_counts(struct encoder_counts *to, const struct reading *r)
{
    const struct encoder_counts *c = &r->counts;
    to->packets += r->packet;
    to->sip += c->sip;
    to->rtcp += c->rtcp;
    to->hep += c->hep;
    to->other_udp += c->other_udp;
    to->other_tcp += c->other_tcp + r->hep_flows.skipped;
    to->cut += c->cut;
    to->uncorrelated += c->uncorrelated;
}

void encode_pcap(struct encoder *e, struct input *in, const char *name)
{
    struct reading r = {
        .e = e,
        .name = name,
        .hep_flows = { .on_frame = reading_hep_frame, .on_bad = reading_hep_bad, .arg = &r, .done = &e->done },
    };
    const struct capture_reading reading = {
        .in = in,
        .name = name,
        .options = {
            .on_udp = on_udp,
            .udp_arg = &r,
            .tcp_callbacks = { .on_data = reading_tcp_data, .on_gap = reading_tcp_gap, .on_close = reading_tcp_close, .arg = &r },
        },
        .report = e->report,
        .done = &e->done,
        .packet = &r.packet,
    };
    const struct lru_options endpoints = { sizeof(struct endpoint), sizeof(struct call_ref), ENDPOINTS_MAX, NULL,
                                           NULL };
    struct errmsg err = { "" };
    buf_init(&r.json, 1u << 20);
    r.endpoints = lru_new(&endpoints);
    r.envelope = hep_zlib_new(0);
    int rc =
        r.endpoints == NULL || r.envelope == NULL ? errmsg_set(&err, "out of memory") : read_capture(&reading, &err);
    if (rc != 0 && !e->done)
        encoder_bad(e, name, "%s", err.text);
    tell(&r);
    add_counts(&e->counts, &r);
    lru_free(r.endpoints);
    hep_zlib_free(r.envelope);
    buf_free(&r.json);
}
