#include "cmd/encode_pcap.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/lru.h"
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
#define PARTIAL_MAX   4096  /* TCP streams that may wait inside a message at the same time */
#define STREAM_MAX    (2u * SIP_HEADERS_MAX + 65536)

/* Where RTCP of a call is received. */
struct endpoint {
    struct hep_addr addr;
    uint16_t port;
};

struct call_ref {
    size_t len;
    char call_id[CALL_ID_MAX];
};

struct reading {
    struct encoder *e;
    const char *name;
    uint64_t packet;
    struct lru *endpoints;
    struct buf json;
    size_t partial;        /* flows that hold a buffer */
    uint64_t other_udp;    /* datagrams that are neither SIP nor RTCP */
    uint64_t other_tcp;    /* octets of TCP that are no SIP */
    uint64_t cut;          /* messages cut by the snap length */
    uint64_t uncorrelated; /* RTCP of no known call */
    uint64_t hep;          /* datagrams that are HEP */
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

static void send_message(struct reading *r, struct hep_msg *msg)
{
    char where[256];
    if (!hep_has(msg, HEP_CHUNK_NODE_NAME))
        (void)hep_set_octets(msg, HEP_CHUNK_NODE_NAME, DEFAULT_NODE, strlen(DEFAULT_NODE));
    msg->capture_id = DEFAULT_ID;
    (void)snprintf(where, sizeof(where), "%s: packet %llu", r->name, (unsigned long long)r->packet);
    encoder_message(r->e, msg, where);
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
        r->other_udp++;
        return;
    }
    fill_dgram(&msg, HEP_TYPE_RTCP, d, (struct hep_slice){ r->json.ptr, r->json.len });
    const struct call_ref *ref = call_of(r, d);
    if (ref != NULL)
        (void)hep_set_octets(&msg, HEP_CHUNK_CORRELATION_ID, ref->call_id, ref->len);
    else
        r->uncorrelated++;
    send_message(r, &msg);
}

static void on_udp(void *arg, const struct dgram *d)
{
    struct reading *r = arg;
    struct hep_msg msg;
    if (sip_looks_like(d->payload.ptr, d->payload.len)) {
        remember_media(r, d->payload, d->sec);
        r->cut += d->truncated;
        fill_dgram(&msg, HEP_TYPE_SIP, d, d->payload);
        send_message(r, &msg);
    } else if (rtcp_looks_like(d->payload.ptr, d->payload.len)) {
        take_rtcp(r, d);
    } else if (d->payload.len >= 4 && memcmp(d->payload.ptr, "HEP3", 4) == 0) {
        r->hep++;
    } else {
        r->other_udp++;
    }
}

/* ------------------------------------------------------------------------------------------------ TCP */

/* One direction of a connection, while part of a message waits. */
struct flow_state {
    struct reading *r;
    struct buf held;
};

static void flow_free(void *user)
{
    struct flow_state *f = user;
    f->r->partial--;
    buf_free(&f->held);
    free(f);
}

static void release(struct tcp_flow *flow)
{
    if (flow->user == NULL)
        return;
    flow_free(flow->user);
    flow->user = NULL;
}

static struct flow_state *hold(struct reading *r, struct tcp_flow *flow, const uint8_t *data, size_t len)
{
    struct flow_state *f = r->partial < PARTIAL_MAX ? calloc(1, sizeof(*f)) : NULL;
    if (f == NULL)
        return NULL;
    r->partial++;
    f->r = r;
    buf_init(&f->held, STREAM_MAX);
    buf_put(&f->held, data, len);
    flow->user = f;
    flow->user_free = flow_free;
    return f;
}

static void take_message(struct reading *r, const struct tcp_flow *flow, struct hep_slice sip, uint32_t sec,
                         uint32_t usec)
{
    struct hep_msg msg;
    remember_media(r, sip, sec);
    fill(&msg, HEP_TYPE_SIP, sec, usec, sip);
    msg.protocol = 6;
    (void)hep_set_src(&msg, flow->src.octets, flow->src.len, flow->src_port);
    (void)hep_set_dst(&msg, flow->dst.octets, flow->dst.len, flow->dst_port);
    fill_network(&msg, flow->has_vlan, flow->vlan, flow->tos);
    send_message(r, &msg);
}

/* Takes the whole messages at the front; returns how many octets are done with. */
static size_t take_messages(struct reading *r, const struct tcp_flow *flow, const uint8_t *data, size_t len,
                            uint32_t sec, uint32_t usec)
{
    size_t pos = 0;
    while (pos < len && !r->e->done) {
        size_t skip, msg_len;
        int rc = sip_frame(data + pos, len - pos, &skip, &msg_len);
        pos += skip;
        if (rc == SIP_FRAME_MORE)
            break;
        if (rc == SIP_FRAME_BAD) {
            size_t next = sip_resync(data + pos, len - pos);
            r->other_tcp += next;
            pos += next;
            continue;
        }
        take_message(r, flow, (struct hep_slice){ data + pos, msg_len }, sec, usec);
        pos += msg_len;
    }
    return pos;
}

static void on_data(void *arg, struct tcp_flow *flow, const uint8_t *data, size_t len, uint32_t sec, uint32_t usec)
{
    struct reading *r = arg;
    struct flow_state *f = flow->user;
    if (f == NULL) { /* nothing waits: look at the segment where it is */
        size_t done = take_messages(r, flow, data, len, sec, usec);
        if (done < len && hold(r, flow, data + done, len - done) == NULL)
            r->other_tcp += len - done;
        return;
    }
    buf_put(&f->held, data, len);
    if (f->held.failed) {
        r->other_tcp += f->held.len + len;
        release(flow);
        return;
    }
    buf_drop(&f->held, take_messages(r, flow, f->held.ptr, f->held.len, sec, usec));
    if (f->held.len == 0)
        release(flow);
}

/* What waited can never become whole. */
static void on_gap(void *arg, struct tcp_flow *flow, size_t missing)
{
    struct reading *r = arg;
    struct flow_state *f = flow->user;
    (void)missing;
    if (f != NULL && f->held.len > 0) {
        char where[256];
        (void)snprintf(where, sizeof(where), "%s: packet %llu", r->name, (unsigned long long)r->packet);
        if (sip_looks_like(f->held.ptr, f->held.len))
            encoder_bad(r->e, where, "SIP message over TCP is cut: the capture lacks the rest");
        else
            r->other_tcp += f->held.len;
    }
    release(flow);
}

static void on_close(void *arg, struct tcp_flow *flow, enum tcp_close why)
{
    (void)why;
    on_gap(arg, flow, 0);
}

/* ------------------------------------------------------------------------------------------------ all */

static void tell(const struct reading *r)
{
    const struct report *report = r->e->report;
    if (r->cut != 0)
        report_note(report, "%s: %llu messages were cut by the snap length", r->name, (unsigned long long)r->cut);
    if (r->hep != 0)
        report_note(report, "%s: %llu datagrams are HEP already: `hepcat decode --format raw %s | hepcat encode -`",
                    r->name, (unsigned long long)r->hep, r->name);
    if (r->uncorrelated != 0)
        report_note(report, "%s: %llu RTCP packets belong to no call seen here", r->name,
                    (unsigned long long)r->uncorrelated);
    if (r->other_udp != 0 || r->other_tcp != 0)
        report_note(report, "%s: %llu datagrams and %llu octets of TCP are neither SIP nor RTCP", r->name,
                    (unsigned long long)r->other_udp, (unsigned long long)r->other_tcp);
}

void encode_pcap(struct encoder *e, struct input *in, const char *name)
{
    struct reading r = { .e = e, .name = name };
    const struct capture_reading reading = {
        .in = in,
        .name = name,
        .options = {
            .on_udp = on_udp,
            .udp_arg = &r,
            .tcp_callbacks = { .on_data = on_data, .on_gap = on_gap, .on_close = on_close, .arg = &r },
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
    int rc = r.endpoints == NULL ? errmsg_set(&err, "out of memory") : read_capture(&reading, &err);
    if (rc != 0 && !e->done)
        encoder_bad(e, name, "%s", err.text);
    tell(&r);
    lru_free(r.endpoints);
    buf_free(&r.json);
}
