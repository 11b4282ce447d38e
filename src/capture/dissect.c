#include "capture/dissect.h"

#include <stdlib.h>

#include "capture/ip.h"
#include "capture/link.h"
#include "capture/sctp.h"
#include "capture/tunnel.h"
#include "hep/rd.h"

struct dissector {
    struct dissect_options options;
    struct defrag *defrag;
    struct tcp *tcp;
    struct sctp *sctp;
    uint64_t total;
    uint64_t outcomes[DISSECT_OUTCOME_COUNT];
    uint64_t tunnels[TUNNEL_KIND_COUNT];
    enum tunnel_kind path[TUNNEL_DEPTH_MAX]; /* of the packet under way */
    size_t depth;
};

/* Where decoding stands: at a link layer or IP header, inside `depth` tunnels. */
struct level {
    bool by_type; /* `type` is an Ethernet type, not a link type */
    unsigned type;
    struct hep_slice data;
    size_t wire_len; /* as in struct packet */
    uint32_t scope;
    struct link_info link;        /* the nearest link layer outside; without one inside it stays */
    enum dissect_outcome outcome; /* once it is known */
};

struct dissector *dissector_new(const struct dissect_options *options)
{
    struct dissector *d = calloc(1, sizeof(*d));
    if (d == NULL)
        return NULL;
    d->options = *options;
    d->defrag = defrag_new(&options->defrag);
    d->tcp = tcp_new(&options->tcp, &options->tcp_callbacks);
    d->sctp = sctp_new();
    if (d->defrag == NULL || d->tcp == NULL || d->sctp == NULL) {
        dissector_free(d);
        return NULL;
    }
    return d;
}

void dissector_free(struct dissector *d)
{
    if (d == NULL)
        return;
    defrag_free(d->defrag);
    tcp_free(d->tcp);
    sctp_free(d->sctp);
    free(d);
}

/* All but ports and payload. */
static struct dgram make_dgram(const struct packet *packet, const struct link_info *link, const struct ip_packet *ip)
{
    return (struct dgram){
        .sec = packet->sec,
        .usec = packet->usec,
        .src = ip->src,
        .dst = ip->dst,
        .protocol = ip->protocol,
        .tos = ip->tos,
        .has_vlan = link->has_vlan,
        .vlan = link->vlan,
        .has_mac = link->has_mac,
        .src_mac = link->src_mac,
        .dst_mac = link->dst_mac,
    };
}

/* Steps into a tunnel. False: that is the end, with at->outcome set. */
static bool enter(struct dissector *d, struct level *at, const struct ip_packet *ip, const struct tunnel_inner *in)
{
    if (d->depth == TUNNEL_DEPTH_MAX) {
        at->outcome = DISSECT_TUNNEL_TOO_DEEP;
        return false;
    }
    d->path[d->depth++] = in->kind;
    d->tunnels[in->kind]++;
    at->by_type = in->by_type;
    at->type = in->type;
    at->data = in->data;
    at->wire_len = ip->payload.len + ip->missing - (size_t)(in->data.ptr - ip->payload.ptr);
    if (in->network != 0) /* mixed, so that the order of tunnels counts */
        at->scope = (at->scope ^ in->network) * UINT32_C(0x9e3779b1) + (uint32_t)in->kind;
    if (!in->by_type && in->type == LINK_ETHERNET) /* tags and addresses outside are not those of the frame inside */
        at->link = (struct link_info){ .has_vlan = in->has_vlan, .vlan = in->vlan };
    return true;
}

/* True if there is a level below; else at->outcome is set. */
static bool take_tunnel(struct dissector *d, struct level *at, const struct ip_packet *ip, enum tunnel_result result,
                        const struct tunnel_inner *in)
{
    switch (result) {
    case TUNNEL_OK:
        return enter(d, at, ip, in);
    case TUNNEL_SHORT:
        at->outcome = DISSECT_TUNNEL_SHORT;
        return false;
    case TUNNEL_HEADER:
        at->outcome = DISSECT_TUNNEL_HEADER;
        return false;
    default:
        at->outcome = DISSECT_TUNNEL_CONTROL;
        return false;
    }
}

static enum dissect_outcome deliver_udp(struct dissector *d, const struct dgram *dgram)
{
    if (d->options.on_udp != NULL)
        d->options.on_udp(d->options.udp_arg, dgram);
    return dgram->truncated ? DISSECT_UDP_CUT : DISSECT_UDP;
}

static bool take_udp(struct dissector *d, const struct packet *packet, struct level *at, const struct ip_packet *ip)
{
    struct rd r;
    struct tunnel_inner in;
    rd_init(&r, ip->payload.ptr, ip->payload.len);
    struct dgram dgram = make_dgram(packet, &at->link, ip);
    dgram.src_port = rd_u16(&r);
    dgram.dst_port = rd_u16(&r);
    size_t len = rd_u16(&r);
    rd_skip(&r, 2);
    if (r.bad || len < 8 || len > ip->payload.len + ip->missing) {
        at->outcome = r.bad ? DISSECT_UDP_SHORT : DISSECT_UDP_LENGTH;
        return false;
    }
    len -= 8;
    dgram.truncated = len > rd_left(&r);
    dgram.payload = (struct hep_slice){ r.ptr, dgram.truncated ? rd_left(&r) : len };
    enum tunnel_result result = tunnel_of_udp(dgram.src_port, dgram.dst_port, dgram.payload, &in);
    if (result != TUNNEL_NONE)
        return take_tunnel(d, at, ip, result, &in);
    at->outcome = deliver_udp(d, &dgram);
    return false;
}

/* A DATA chunk (RFC 9260 section 3.3.1) of `len` octets behind its 4; r is there. False: its message is not whole yet.
 */
static bool take_chunk(struct dissector *d, struct dgram *dgram, struct rd r, unsigned flags, size_t len, uint32_t tag,
                       uint32_t scope)
{
    enum { HEADER = 12, ENDS = 1, BEGINS = 2 };
    struct sctp_chunk c = { .scope = scope, .tag = tag, .begins = (flags & BEGINS) != 0, .ends = (flags & ENDS) != 0 };
    c.tsn = rd_u32(&r);
    c.stream = rd_u16(&r);
    rd_skip(&r, 6);
    bool part = !c.begins || !c.ends;
    if (r.bad || len < HEADER)
        return !part;
    len -= HEADER;
    dgram->truncated = len > rd_left(&r);
    dgram->payload = (struct hep_slice){ r.ptr, dgram->truncated ? rd_left(&r) : len };
    if (part && !sctp_take(d->sctp, &c, dgram))
        return false;
    d->options.on_sctp(d->options.udp_arg, dgram);
    return true;
}

static enum dissect_outcome take_sctp(struct dissector *d, const struct packet *packet, const struct level *at,
                                      const struct ip_packet *ip)
{
    enum dissect_outcome outcome = ip->missing > 0 ? DISSECT_SCTP_CUT : DISSECT_SCTP;
    struct rd r;
    rd_init(&r, ip->payload.ptr, ip->payload.len);
    struct dgram dgram = make_dgram(packet, &at->link, ip);
    dgram.src_port = rd_u16(&r);
    dgram.dst_port = rd_u16(&r);
    uint32_t tag = rd_u32(&r);
    rd_skip(&r, 4);
    while (!r.bad && rd_left(&r) > 0) {
        unsigned type = rd_u8(&r), flags = rd_u8(&r);
        size_t len = rd_u16(&r);
        if (!r.bad && len < 4)
            return DISSECT_SCTP_CHUNK;
        if (!r.bad && type == 0 && !take_chunk(d, &dgram, r, flags, len - 4, tag, at->scope))
            outcome = DISSECT_SCTP_PART;
        size_t step = ((len + 3) & ~(size_t)3) - 4;
        rd_skip(&r, step < rd_left(&r) ? step : rd_left(&r));
    }
    return r.bad ? DISSECT_SCTP_SHORT : outcome;
}

static enum dissect_outcome take_tcp(struct dissector *d, const struct packet *packet, const struct level *at,
                                     const struct ip_packet *ip)
{
    const struct link_info *link = &at->link;
    enum tcp_result result = tcp_add(d->tcp, &(struct tcp_input){
                                                 .sec = packet->sec,
                                                 .usec = packet->usec,
                                                 .src = ip->src,
                                                 .dst = ip->dst,
                                                 .has_vlan = link->has_vlan,
                                                 .vlan = link->vlan,
                                                 .tos = ip->tos,
                                                 .scope = at->scope,
                                                 .segment = ip->payload,
                                             });
    switch (result) {
    case TCP_OK:
        return ip->missing > 0 ? DISSECT_TCP_CUT : DISSECT_TCP;
    case TCP_SHORT:
        return DISSECT_TCP_SHORT;
    case TCP_OFFSET:
        return DISSECT_TCP_OFFSET;
    default:
        return DISSECT_NO_MEMORY;
    }
}

static enum dissect_outcome of_link(enum link_reason reason)
{
    switch (reason) {
    case LINK_SHORT:
        return DISSECT_LINK_SHORT;
    case LINK_TYPE:
        return DISSECT_LINK_TYPE;
    case LINK_TOO_DEEP:
        return DISSECT_LINK_TOO_DEEP;
    default:
        return DISSECT_NOT_IP;
    }
}

static enum dissect_outcome of_ip(enum ip_reason reason)
{
    switch (reason) {
    case IP_VERSION:
        return DISSECT_IP_VERSION;
    case IP_HEADER_LENGTH:
        return DISSECT_IP_HEADER_LENGTH;
    case IP_TOTAL_LENGTH:
        return DISSECT_IP_TOTAL_LENGTH;
    case IP_TOO_DEEP:
        return DISSECT_IP_TOO_DEEP;
    default:
        return DISSECT_IP_SHORT;
    }
}

static enum dissect_outcome of_fragment(enum defrag_result result)
{
    switch (result) {
    case DEFRAG_HELD:
        return DISSECT_FRAGMENT;
    case DEFRAG_DUPLICATE:
        return DISSECT_FRAGMENT_DUPLICATE;
    default:
        return DISSECT_FRAGMENT_DROPPED;
    }
}

/* What is in an IP packet that is whole. True if there is a level below. */
static bool take_ip(struct dissector *d, const struct packet *packet, struct level *at, const struct ip_packet *ip)
{
    enum { ESP = 50 };
    struct tunnel_inner in;
    enum tunnel_result result;
    switch (ip->protocol) {
    case IP_PROTOCOL_UDP:
        return take_udp(d, packet, at, ip);
    case IP_PROTOCOL_TCP:
        at->outcome = take_tcp(d, packet, at, ip);
        return false;
    case IP_PROTOCOL_SCTP:
        at->outcome = d->options.on_sctp == NULL ? DISSECT_OTHER_PROTOCOL : take_sctp(d, packet, at, ip);
        return false;
    case ESP:
        at->outcome = DISSECT_ESP;
        return false;
    default:
        result = tunnel_of_ip(ip->protocol, ip->payload, &in);
        at->outcome = DISSECT_OTHER_PROTOCOL;
        return result != TUNNEL_NONE && take_tunnel(d, at, ip, result, &in);
    }
}

/* Finds the IP packet; a link layer inside a tunnel takes the place of the one outside. */
static enum link_reason find_ip(struct level *at)
{
    struct link_info link;
    enum link_reason reason =
        at->by_type ? link_decode_ethertype(at->type, at->data, &link) : link_decode((int)at->type, at->data, &link);
    if (reason != LINK_OK)
        return reason;
    at->wire_len -= (size_t)(link.ip.ptr - at->data.ptr);
    at->data = link.ip;
    if (!link.has_vlan) {
        link.has_vlan = at->link.has_vlan;
        link.vlan = at->link.vlan;
    }
    if (!link.has_mac) {
        link.has_mac = at->link.has_mac;
        link.src_mac = at->link.src_mac;
        link.dst_mac = at->link.dst_mac;
    }
    at->link = link;
    return LINK_OK;
}

/* One level. True if there is another below. */
static bool take_level(struct dissector *d, const struct packet *packet, struct level *at)
{
    enum link_reason link_reason = find_ip(at);
    if (link_reason != LINK_OK) {
        at->outcome = of_link(link_reason);
        return false;
    }
    struct ip_packet ip;
    enum ip_reason reason = ip_decode(at->data, at->wire_len, &ip);
    ip.scope = at->scope;
    if (reason == IP_OK && ip.fragment) {
        struct ip_packet whole;
        enum defrag_result result = defrag_add(d->defrag, &ip, packet->sec, &whole);
        if (result != DEFRAG_DONE) {
            at->outcome = of_fragment(result);
            return false;
        }
        ip = whole;
        reason = ip_resume(&ip);
    }
    if (reason == IP_OK)
        return take_ip(d, packet, at, &ip);
    at->outcome = of_ip(reason);
    return false;
}

static enum dissect_outcome take_packet(struct dissector *d, const struct packet *packet)
{
    struct level at = { .type = (unsigned)packet->linktype, .data = packet->data, .wire_len = packet->wire_len };
    d->depth = 0;
    while (take_level(d, packet, &at))
        continue;
    return at.outcome;
}

enum dissect_outcome dissect_packet(struct dissector *d, const struct packet *packet)
{
    struct packet sane = *packet; /* nothing below subtracts from a wire length that is too small */
    if (sane.wire_len < sane.data.len)
        sane.wire_len = sane.data.len;
    enum dissect_outcome outcome = take_packet(d, &sane);
    d->total++;
    d->outcomes[outcome]++;
    return outcome;
}

const enum tunnel_kind *dissect_tunnels(const struct dissector *d, size_t *ret_count)
{
    *ret_count = d->depth;
    return d->path;
}

void dissect_finish(struct dissector *d)
{
    defrag_finish(d->defrag);
    tcp_finish(d->tcp);
}

/* ------------------------------------------------------------------------------------------------ counters */

uint64_t dissect_total(const struct dissector *d)
{
    return d->total;
}

uint64_t dissect_count(const struct dissector *d, enum dissect_outcome outcome)
{
    return (unsigned)outcome < DISSECT_OUTCOME_COUNT ? d->outcomes[outcome] : 0;
}

const char *dissect_outcome_name(enum dissect_outcome outcome)
{
    static const char *const names[] = {
#define DISSECT_NAME(name, text) text,
        DISSECT_OUTCOMES(DISSECT_NAME)
#undef DISSECT_NAME
    };
    return (unsigned)outcome < DISSECT_OUTCOME_COUNT ? names[outcome] : "unknown";
}

const struct defrag_stats *dissect_defrag_stats(const struct dissector *d)
{
    return defrag_stats(d->defrag);
}

const struct tcp_stats *dissect_tcp_stats(const struct dissector *d)
{
    return tcp_stats(d->tcp);
}

struct counter {
    const char *name;
    size_t offset; /* of a uint64_t in the statistics */
};

#define DEFRAG_COUNTER(field)                                                                                          \
    {                                                                                                                  \
        "defrag_" #field, offsetof(struct defrag_stats, field)                                                         \
    }
#define TCP_COUNTER(field)                                                                                             \
    {                                                                                                                  \
        "tcp_" #field, offsetof(struct tcp_stats, field)                                                               \
    }

static const struct counter defrag_counters[] = {
    DEFRAG_COUNTER(held),
    DEFRAG_COUNTER(completing),
    DEFRAG_COUNTER(duplicate),
    DEFRAG_COUNTER(dropped_malformed),
    DEFRAG_COUNTER(dropped_overlap),
    DEFRAG_COUNTER(dropped_cut),
    DEFRAG_COUNTER(dropped_memory),
    DEFRAG_COUNTER(gave_up_age),
    DEFRAG_COUNTER(gave_up_limit),
};

static const struct counter tcp_counters[] = {
    TCP_COUNTER(segments),
    TCP_COUNTER(octets),
    TCP_COUNTER(delivered_octets),
    TCP_COUNTER(retransmitted_octets),
    TCP_COUNTER(dropped_octets),
    TCP_COUNTER(out_of_order),
    TCP_COUNTER(gaps),
    TCP_COUNTER(gap_octets),
    TCP_COUNTER(limit_gaps),
    TCP_COUNTER(flows),
    TCP_COUNTER(flows_midstream),
    TCP_COUNTER(flows_evicted),
};

static const char *const tunnel_counters[] = {
#define TUNNEL_COUNTER(name, text) "in_" text,
    TUNNEL_KINDS(TUNNEL_COUNTER)
#undef TUNNEL_COUNTER
};

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* Looks `*index` up in a table, or steps over the table. */
static bool from_table(const struct counter *table, size_t count, const void *stats, size_t *index,
                       const char **ret_name, uint64_t *ret_value)
{
    if (*index >= count) {
        *index -= count;
        return false;
    }
    *ret_name = table[*index].name;
    memcpy(ret_value, (const uint8_t *)stats + table[*index].offset, sizeof(*ret_value));
    return true;
}

bool dissect_counter(const struct dissector *d, size_t index, const char **ret_name, uint64_t *ret_value)
{
    if (index == 0) {
        *ret_name = "packets";
        *ret_value = d->total;
        return true;
    }
    index--;
    if (index < DISSECT_OUTCOME_COUNT) {
        *ret_name = dissect_outcome_name((enum dissect_outcome)index);
        *ret_value = d->outcomes[index];
        return true;
    }
    index -= DISSECT_OUTCOME_COUNT;
    if (from_table(defrag_counters, COUNT(defrag_counters), defrag_stats(d->defrag), &index, ret_name, ret_value) ||
        from_table(tcp_counters, COUNT(tcp_counters), tcp_stats(d->tcp), &index, ret_name, ret_value))
        return true;
    const uint64_t lost = sctp_lost(d->sctp);
    static const struct counter sctp_counters[] = { { "sctp_lost_parts", 0 } };
    if (from_table(sctp_counters, COUNT(sctp_counters), &lost, &index, ret_name, ret_value))
        return true;
    if (index >= TUNNEL_KIND_COUNT)
        return false;
    *ret_name = tunnel_counters[index];
    *ret_value = d->tunnels[index];
    return true;
}
