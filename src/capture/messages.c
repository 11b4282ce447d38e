#include "capture/messages.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "capture/messages_internal.h"
#include "capture/read_capture.h"
#include "rtp/rtcp.h"
#include "rtp/rtcp_json.h"
#include "sip/peek.h"
#include "sip/sdp.h"

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
    /* Most messages have none: not to look at every header of them is half of the time that a message takes. */
    if (memmem(msg.ptr, msg.len, "v=0", 3) == NULL)
        return;
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

void reading_bad(struct reading *r, const char *format, ...)
{
    char text[256];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    r->o->bad(r->o->arg, r->packet, text);
}

static void send_message(struct reading *r, struct hep_msg *msg)
{
    const char *node = r->o->node != NULL ? r->o->node : MESSAGES_NODE;
    if (!hep_has(msg, HEP_CHUNK_NODE_NAME))
        (void)hep_set_octets(msg, HEP_CHUNK_NODE_NAME, node, strlen(node));
    msg->capture_id = r->o->id != 0 ? r->o->id : MESSAGES_ID;
    r->o->message(r->o->arg, r->packet, msg);
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
    msg->protocol = d->protocol;
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

/* Of UDP or SCTP. */
static void on_dgram(void *arg, const struct dgram *d)
{
    struct reading *r = arg;
    r->sec = d->sec;
    r->usec = d->usec;
    if (r->o->dgram != NULL && r->o->dgram(r->o->arg, d))
        return;
    if (sip_looks_like(d->payload.ptr, d->payload.len))
        take_sip(r, d);
    else if (rtcp_looks_like(d->payload.ptr, d->payload.len))
        take_rtcp(r, d);
    else if (r->o->hep_ports != NULL && reading_hep(r, d))
        return;
    else if (r->o->hep_ports == NULL && reading_has_magic(d->payload))
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

static bool reading_open(struct reading *r, const struct messages_options *o)
{
    const struct lru_options endpoints = { sizeof(struct endpoint), sizeof(struct call_ref), ENDPOINTS_MAX, NULL,
                                           NULL };
    r->o = o;
    r->hep_flows =
        (struct hep_flows){ .on_frame = reading_hep_frame, .on_bad = reading_hep_bad, .arg = r, .done = o->done };
    r->ws_flows =
        (struct ws_flows){ .on_message = reading_ws_message, .on_bad = reading_ws_bad, .arg = r, .done = o->done };
    buf_init(&r->json, 1u << 20);
    r->endpoints = lru_new(&endpoints);
    r->envelope = hep_zlib_new(0);
    return r->endpoints != NULL && r->envelope != NULL;
}

static void reading_close(struct reading *r)
{
    lru_free(r->endpoints);
    hep_zlib_free(r->envelope);
    buf_free(&r->json);
}

static struct dissect_options dissect_options_of(struct reading *r)
{
    return (struct dissect_options){
        .on_udp = on_dgram,
        .on_sctp = on_dgram,
        .udp_arg = r,
        .tcp_callbacks = { .on_data = reading_tcp_data,
                           .on_gap = reading_tcp_gap,
                           .on_close = reading_tcp_close,
                           .arg = r },
    };
}

static void set_counts(struct reading *r)
{
    r->counts.packets = r->packet;
    r->counts.other_tcp += r->hep_flows.skipped + r->ws_flows.skipped;
    r->hep_flows.skipped = r->ws_flows.skipped = 0;
}

static int read_messages(struct input *in, struct hep_slice octets, const struct messages_options *options,
                         struct messages_counts *ret_counts, struct errmsg *err)
{
    struct reading r = { 0 };
    const struct capture_reading reading = {
        .in = in,
        .octets = octets,
        .options = dissect_options_of(&r),
        .note = options->note,
        .arg = options->arg,
        .done = options->done,
        .packet = &r.packet,
    };
    int rc = reading_open(&r, options) ? read_capture(&reading, err) : errmsg_set(err, "out of memory");
    set_counts(&r);
    *ret_counts = r.counts;
    reading_close(&r);
    return rc;
}

int messages_read(struct input *in, const struct messages_options *options, struct messages_counts *ret_counts,
                  struct errmsg *err)
{
    return read_messages(in, (struct hep_slice){ NULL, 0 }, options, ret_counts, err);
}

int messages_read_memory(struct hep_slice octets, const struct messages_options *options,
                         struct messages_counts *ret_counts, struct errmsg *err)
{
    return read_messages(NULL, octets, options, ret_counts, err);
}

/* ------------------------------------------------------------------------------------------------ packet by packet */

struct messages {
    struct messages_options options;
    struct reading reading;
    struct dissector *dissector;
};

struct messages *messages_new(const struct messages_options *options)
{
    static const bool never;
    struct messages *m = calloc(1, sizeof(*m));
    if (m == NULL)
        return NULL;
    m->options = *options;
    if (m->options.done == NULL)
        m->options.done = &never;
    const struct dissect_options dissect = dissect_options_of(&m->reading);
    if (reading_open(&m->reading, &m->options))
        m->dissector = dissector_new(&dissect);
    if (m->dissector != NULL)
        return m;
    messages_free(m);
    return NULL;
}

void messages_free(struct messages *m)
{
    if (m == NULL)
        return;
    dissector_free(m->dissector); /* its flows go back to the reading */
    reading_close(&m->reading);
    free(m);
}

enum dissect_outcome messages_packet(struct messages *m, const struct packet *packet)
{
    m->reading.packet++;
    enum dissect_outcome outcome = dissect_packet(m->dissector, packet);
    set_counts(&m->reading);
    return outcome;
}

void messages_finish(struct messages *m)
{
    dissect_finish(m->dissector);
    set_counts(&m->reading);
}

const struct messages_counts *messages_counts(const struct messages *m)
{
    return &m->reading.counts;
}

const struct dissector *messages_dissector(const struct messages *m)
{
    return m->dissector;
}

struct hep_slice messages_call_of(struct messages *m, const struct dgram *dgram)
{
    const struct call_ref *ref = call_of(&m->reading, dgram);
    return ref == NULL ? (struct hep_slice){ NULL, 0 } : (struct hep_slice){ (const uint8_t *)ref->call_id, ref->len };
}

size_t messages_extra_chunks(const struct hep_msg *msg, struct hep_chunk *extra, size_t max)
{
    struct hep_chunk c;
    size_t count = 0;
    for (size_t pos = 0; hep_chunk_next(msg, &pos, &c);)
        if (c.vendor != 0 || hep_field(c.type) == NULL) {
            if (count < max)
                extra[count] = c;
            count++;
        }
    return count;
}
