#include "capture/tunnel.h"

#include "capture/ip.h"
#include "capture/link.h"
#include "hep/rd.h"

/* Reads a header at r; *ret comes with its kind set. */
typedef enum tunnel_result (*reader)(struct rd *r, struct tunnel_inner *ret);

static enum tunnel_result found(struct rd *r, struct tunnel_inner *ret, bool by_type, unsigned type)
{
    if (r->bad)
        return TUNNEL_SHORT;
    ret->by_type = by_type;
    ret->type = type;
    ret->data = (struct hep_slice){ r->ptr, rd_left(r) };
    return ret->data.len > 0 ? TUNNEL_OK : TUNNEL_CONTROL; /* empty: a keep-alive */
}

static enum tunnel_result found_link(struct rd *r, struct tunnel_inner *ret, int linktype)
{
    return found(r, ret, false, (unsigned)linktype);
}

static enum tunnel_result found_type(struct rd *r, struct tunnel_inner *ret, unsigned type)
{
    enum { BRIDGED = 0x6558 }; /* RFC 1701 */
    return type == BRIDGED ? found_link(r, ret, LINK_ETHERNET) : found(r, ret, true, type);
}

/* ------------------------------------------------------------------------------------------------ in IP */

static enum tunnel_result read_ip(struct rd *r, struct tunnel_inner *ret)
{
    return found_link(r, ret, LINK_IP);
}

static enum tunnel_result read_mpls(struct rd *r, struct tunnel_inner *ret)
{
    return found_link(r, ret, LINK_MPLS);
}

/* Version 3 in four bits, twelve that are zero. */
static enum tunnel_result read_etherip(struct rd *r, struct tunnel_inner *ret)
{
    unsigned header = rd_u16(r);
    if (!r->bad && header != 0x3000)
        return TUNNEL_HEADER;
    return found_link(r, ret, LINK_ETHERNET);
}

/* Version and VLAN, priority and session, index. The session is one of mirroring, not a network. */
static enum tunnel_result read_erspan2(struct rd *r, struct tunnel_inner *ret)
{
    ret->kind = TUNNEL_ERSPAN2;
    unsigned first = rd_u16(r);
    rd_skip(r, 6);
    if (!r->bad && first >> 12 != 1)
        return TUNNEL_HEADER;
    ret->vlan = first & 0x0fff;
    ret->has_vlan = ret->vlan != 0;
    return found_link(r, ret, LINK_ETHERNET);
}

/* As before, then time stamp, group tag, and a word that tells the kind of frame and whether eight octets follow. */
static enum tunnel_result read_erspan3(struct rd *r, struct tunnel_inner *ret)
{
    ret->kind = TUNNEL_ERSPAN3;
    unsigned first = rd_u16(r);
    rd_skip(r, 8);
    unsigned last = rd_u16(r);
    if (!r->bad && first >> 12 != 2)
        return TUNNEL_HEADER;
    if ((last & 1) != 0)
        rd_skip(r, 8);
    ret->vlan = first & 0x0fff;
    ret->has_vlan = ret->vlan != 0;
    unsigned frame = last >> 10 & 0x1f;
    if (frame == 2)
        return found_link(r, ret, LINK_IP);
    return frame == 0 ? found_link(r, ret, LINK_ETHERNET) : TUNNEL_CONTROL;
}

enum { GRE_CHECKSUM = 0x8000, GRE_ROUTING = 0x4000, GRE_KEY = 0x2000, GRE_SEQUENCE = 0x1000, GRE_ACK = 0x0080 };

/* GRE version 1: the key is length and call id; a packet without a sequence number has no payload. */
static enum tunnel_result read_pptp(struct rd *r, unsigned flags, struct tunnel_inner *ret)
{
    ret->kind = TUNNEL_PPTP;
    rd_skip(r, 4);
    if ((flags & GRE_SEQUENCE) != 0)
        rd_skip(r, 4);
    if ((flags & GRE_ACK) != 0)
        rd_skip(r, 4);
    return (flags & GRE_SEQUENCE) != 0 ? found_link(r, ret, LINK_PPP) : TUNNEL_CONTROL;
}

static enum tunnel_result read_gre_payload(struct rd *r, unsigned flags, unsigned type, struct tunnel_inner *ret)
{
    switch (type) {
    case 0x88be: /* ERSPAN: only type II numbers its packets */
        if ((flags & GRE_SEQUENCE) != 0)
            return read_erspan2(r, ret);
        ret->kind = TUNNEL_ERSPAN1;
        return found_link(r, ret, LINK_ETHERNET);
    case 0x22eb:
        return read_erspan3(r, ret);
    case 0x6558:
        if (ret->kind == TUNNEL_GRE)
            ret->kind = TUNNEL_NVGRE;
        ret->network >>= 8; /* the rest tells flows apart, not networks (RFC 7637 section 3.2) */
        return found_link(r, ret, LINK_ETHERNET);
    default:
        return found_type(r, ret, type);
    }
}

static enum tunnel_result read_gre(struct rd *r, struct tunnel_inner *ret)
{
    unsigned flags = rd_u16(r);
    unsigned type = rd_u16(r);
    if (r->bad)
        return TUNNEL_SHORT;
    if ((flags & 7) == 1 && type == 0x880b)
        return read_pptp(r, flags, ret);
    if ((flags & 7) != 0 || (flags & GRE_ROUTING) != 0) /* nobody sends source routes (RFC 2784 took them out) */
        return TUNNEL_HEADER;
    if ((flags & GRE_CHECKSUM) != 0)
        rd_skip(r, 4);
    if ((flags & GRE_KEY) != 0)
        ret->network = rd_u32(r);
    if ((flags & GRE_SEQUENCE) != 0)
        rd_skip(r, 4);
    return read_gre_payload(r, flags, type, ret);
}

/*
 * What a session of L2TPv3 carries, and how long its cookie is, was said when it was set up (RFC 3931 section 4.1): the
 * shortest cookie and sublayer is taken behind which there is a frame with an IP packet.
 */
static enum tunnel_result read_l2tp3_data(struct rd *r, struct tunnel_inner *ret)
{
    static const int linktypes[] = { LINK_ETHERNET, LINK_PPP, LINK_IP };
    enum { COOKIES = 4, ANY_LENGTH = 1 << 17 };
    for (unsigned cookie = 0; cookie < COOKIES; cookie++) {
        for (size_t i = 0; i < sizeof(linktypes) / sizeof(linktypes[0]); i++) {
            struct rd ahead = *r;
            struct link_info link;
            struct ip_packet ip;
            rd_skip(&ahead, (size_t)cookie * 4);
            if (!ahead.bad && found_link(&ahead, ret, linktypes[i]) == TUNNEL_OK &&
                link_decode(linktypes[i], ret->data, &link) == LINK_OK && ip_decode(link.ip, ANY_LENGTH, &ip) == IP_OK)
                return TUNNEL_OK;
        }
    }
    return TUNNEL_CONTROL;
}

/* Over IP: session, and none of it is signalling. */
static enum tunnel_result read_l2tp3(struct rd *r, struct tunnel_inner *ret)
{
    ret->network = rd_u32(r);
    if (r->bad)
        return TUNNEL_SHORT;
    return ret->network == 0 ? TUNNEL_CONTROL : read_l2tp3_data(r, ret);
}

/* ------------------------------------------------------------------------------------------------ in UDP */

/* Flags, with the one that says that there is a network; reserved but for the group of Cisco's policy; network. */
static enum tunnel_result read_vxlan(struct rd *r, struct tunnel_inner *ret)
{
    unsigned flags = rd_u8(r);
    unsigned reserved = rd_u24(r);
    uint32_t network = rd_u32(r);
    bool policy = (flags & 0x80) != 0;
    if (r->bad || (flags & 0x7f) != 0x08 || (!policy && reserved != 0) || (network & 0xff) != 0)
        return TUNNEL_NONE;
    ret->network = network >> 8;
    return found_link(r, ret, LINK_ETHERNET);
}

static enum tunnel_result read_vxlan_gpe(struct rd *r, struct tunnel_inner *ret)
{
    unsigned flags = rd_u8(r);
    unsigned reserved = rd_u16(r);
    unsigned next = rd_u8(r);
    uint32_t network = rd_u32(r);
    if (r->bad || (flags & 0xf2) != 0 || (flags & 0x0c) == 0 || reserved != 0 || (network & 0xff) != 0)
        return TUNNEL_NONE;
    ret->network = network >> 8;
    switch ((flags & 0x04) != 0 ? next : 3) {
    case 1:
    case 2:
        return found_link(r, ret, LINK_IP);
    case 3:
        return found_link(r, ret, LINK_ETHERNET);
    case 5:
        return found_link(r, ret, LINK_MPLS);
    default:
        return TUNNEL_CONTROL;
    }
}

/* Version 0 and length of the options, flags, type, network. */
static enum tunnel_result read_geneve(struct rd *r, struct tunnel_inner *ret)
{
    unsigned first = rd_u8(r);
    unsigned flags = rd_u8(r);
    unsigned type = rd_u16(r);
    uint32_t network = rd_u32(r);
    if (r->bad || first >> 6 != 0 || (flags & 0x3f) != 0 || (network & 0xff) != 0 || type < 0x0600)
        return TUNNEL_NONE;
    rd_skip(r, (size_t)(first & 0x3f) * 4);
    if (r->bad)
        return TUNNEL_NONE;
    if ((flags & 0x80) != 0)
        return TUNNEL_CONTROL;
    ret->network = network >> 8;
    return found_type(r, ret, type);
}

/* Extension headers: length in words of four octets, content, type of the next one as the last octet. */
static bool skip_gtp_extensions(struct rd *r)
{
    enum { MOST = 8 };
    unsigned next = rd_u8(r);
    for (unsigned i = 0; next != 0 && i < MOST; i++) {
        size_t len = (size_t)rd_u8(r) * 4;
        if (len == 0)
            return false;
        rd_skip(r, len - 2);
        next = rd_u8(r);
    }
    return next == 0 && !r->bad;
}

static enum tunnel_result read_gtp_u(struct rd *r, struct tunnel_inner *ret)
{
    enum { VERSION_1 = 0x30, OPTIONS = 0x07, G_PDU = 255 };
    unsigned flags = rd_u8(r);
    unsigned type = rd_u8(r);
    size_t len = rd_u16(r);
    if (r->bad || (flags & 0xf8) != VERSION_1 || len > rd_left(r) - (rd_left(r) < 4 ? rd_left(r) : 4))
        return TUNNEL_NONE;
    ret->network = rd_u32(r);
    if (type != G_PDU)
        return type <= 2 || type == 26 || type == 31 || type == 254 ? TUNNEL_CONTROL : TUNNEL_NONE;
    if ((flags & OPTIONS) != 0) {
        rd_skip(r, 3);
        if ((flags & 0x04) == 0)
            rd_skip(r, 1);
        else if (!skip_gtp_extensions(r))
            return TUNNEL_NONE;
    }
    if (r->bad)
        return TUNNEL_NONE;
    /* A PDU session may be one of Ethernet frames (3GPP TS 23.501), which never begin like IP with these headers. */
    unsigned version = rd_left(r) > 0 ? *r->ptr >> 4 : 4;
    return found_link(r, ret, version == 4 || version == 6 ? LINK_IP : LINK_ETHERNET);
}

/* Both versions: flags and version in the first two octets. */
static enum tunnel_result read_l2tp(struct rd *r, struct tunnel_inner *ret)
{
    enum { CONTROL = 0x8000, LENGTH = 0x4000, SEQUENCE = 0x0800, OFFSET = 0x0200, RESERVED = 0x34f0 };
    unsigned flags = rd_u16(r);
    if (r->bad || (flags & RESERVED) != 0 || ((flags & 15) != 2 && (flags & 15) != 3))
        return TUNNEL_NONE;
    if ((flags & 15) == 3)
        ret->kind = TUNNEL_L2TP3;
    if ((flags & CONTROL) != 0)
        return TUNNEL_CONTROL;
    if ((flags & 15) == 3) {
        rd_skip(r, 2);
        return read_l2tp3(r, ret) == TUNNEL_OK ? TUNNEL_OK : TUNNEL_NONE;
    }
    if ((flags & LENGTH) != 0)
        rd_skip(r, 2);
    ret->network = rd_u32(r);
    if ((flags & SEQUENCE) != 0)
        rd_skip(r, 4);
    if ((flags & OFFSET) != 0)
        rd_skip(r, rd_u16(r));
    return r->bad ? TUNNEL_NONE : found_link(r, ret, LINK_PPP);
}

/* Version, type, encapsulation, then tags up to the one that ends them. */
static enum tunnel_result read_tzsp(struct rd *r, struct tunnel_inner *ret)
{
    enum { ETHERNET = 1, TAG_PADDING = 0, TAG_END = 1 };
    unsigned version = rd_u8(r);
    unsigned type = rd_u8(r);
    unsigned encapsulation = rd_u16(r);
    if (r->bad || version != 1 || type > 5)
        return TUNNEL_NONE;
    if (type > 1 || encapsulation != ETHERNET)
        return TUNNEL_CONTROL;
    for (unsigned tag; !r->bad && (tag = rd_u8(r)) != TAG_END;) {
        if (tag != TAG_PADDING)
            rd_skip(r, rd_u8(r));
    }
    return r->bad ? TUNNEL_NONE : found_link(r, ret, LINK_ETHERNET);
}

/* GRE, and nothing that its flags would not be zero for: a port that is used for something else. */
static enum tunnel_result read_gre_udp(struct rd *r, struct tunnel_inner *ret)
{
    enum tunnel_result result = rd_left(r) > 1 && (be16_load(r->ptr) & 0x4fff) == 0 ? read_gre(r, ret) : TUNNEL_NONE;
    return result == TUNNEL_OK ? result : TUNNEL_NONE;
}

/* A label stack and IP below it; other content is not told from what else a port may have. */
static enum tunnel_result read_mpls_udp(struct rd *r, struct tunnel_inner *ret)
{
    struct link_info link;
    struct hep_slice data = { r->ptr, rd_left(r) };
    return link_decode(LINK_MPLS, data, &link) == LINK_OK && !link.has_mac ? read_mpls(r, ret) : TUNNEL_NONE;
}

/* ------------------------------------------------------------------------------------------------ tables */

static const struct {
    unsigned protocol;
    enum tunnel_kind kind;
    reader read;
} protocols[] = {
    { 47, TUNNEL_GRE, read_gre },         { 4, TUNNEL_IPIP, read_ip },       { 41, TUNNEL_IP6, read_ip },
    { 97, TUNNEL_ETHERIP, read_etherip }, { 115, TUNNEL_L2TP3, read_l2tp3 }, { 137, TUNNEL_MPLS_IP, read_mpls },
};

static const struct {
    uint16_t port;
    bool both; /* answers come from the port, too */
    enum tunnel_kind kind;
    reader read;
} ports[] = {
    { 4789, false, TUNNEL_VXLAN, read_vxlan },
    { 8472, false, TUNNEL_VXLAN, read_vxlan }, /* of Linux, before there was a number */
    { 4790, false, TUNNEL_VXLAN_GPE, read_vxlan_gpe },
    { 6081, false, TUNNEL_GENEVE, read_geneve },
    { 2152, true, TUNNEL_GTP_U, read_gtp_u },
    { 1701, true, TUNNEL_L2TP2, read_l2tp },
    { 37008, false, TUNNEL_TZSP, read_tzsp },
    { 4754, false, TUNNEL_GRE_UDP, read_gre_udp },
    { 6635, false, TUNNEL_MPLS_IP, read_mpls_udp },
};

static enum tunnel_result run(reader read, enum tunnel_kind kind, struct hep_slice payload, struct tunnel_inner *ret)
{
    struct rd r;
    rd_init(&r, payload.ptr, payload.len);
    *ret = (struct tunnel_inner){ .kind = kind };
    return read(&r, ret);
}

enum tunnel_result tunnel_of_ip(unsigned protocol, struct hep_slice payload, struct tunnel_inner *ret)
{
    for (size_t i = 0; i < sizeof(protocols) / sizeof(protocols[0]); i++) {
        if (protocols[i].protocol == protocol)
            return run(protocols[i].read, protocols[i].kind, payload, ret);
    }
    return TUNNEL_NONE;
}

enum tunnel_result tunnel_of_udp(uint16_t src_port, uint16_t dst_port, struct hep_slice payload,
                                 struct tunnel_inner *ret)
{
    for (size_t i = 0; i < sizeof(ports) / sizeof(ports[0]); i++) {
        if (ports[i].port == dst_port || (ports[i].both && ports[i].port == src_port))
            return run(ports[i].read, ports[i].kind, payload, ret);
    }
    return TUNNEL_NONE;
}

const char *tunnel_name(enum tunnel_kind kind)
{
    static const char *const names[] = {
#define TUNNEL_TEXT(name, text) text,
        TUNNEL_KINDS(TUNNEL_TEXT)
#undef TUNNEL_TEXT
    };
    return (unsigned)kind < TUNNEL_KIND_COUNT ? names[kind] : "unknown";
}
