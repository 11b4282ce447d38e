#include "capture/link.h"

#include "hep/rd.h"

/*
 * One function reads one header; tables say which, by link type and by Ethernet type. Link types are the numbers in
 * files (tcpdump.org/linktypes.html) and, where libpcap renumbers them, its own.
 */

/* Below it the field behind the addresses is a length (IEEE 802.3). */
#define ETHERTYPE_MIN 0x0600

struct walk;

/* Reads one header and says in w->next who reads what follows; without a next one the result is final. */
typedef enum link_reason (*layer)(struct walk *w);

struct walk {
    struct rd rd;
    struct link_info *info;
    layer next;
    unsigned type; /* for layer_ethertype: what the header before said */
};

static uint64_t read_mac(struct rd *r)
{
    uint64_t high = rd_u16(r);
    return high << 32 | rd_u32(r);
}

static enum link_reason go_on(struct walk *w, layer next)
{
    w->next = next;
    return LINK_OK;
}

static enum link_reason go_on_type(struct walk *w, unsigned type);

static enum link_reason layer_ip(struct walk *w)
{
    if (rd_left(&w->rd) == 0)
        return LINK_SHORT;
    w->info->ip = (struct hep_slice){ w->rd.ptr, rd_left(&w->rd) };
    return LINK_OK;
}

static bool begins_with_ip(const struct walk *w)
{
    unsigned version = rd_left(&w->rd) > 0 ? *w->rd.ptr >> 4 : 0;
    return version == 4 || version == 6;
}

/* What follows says itself whether it is IP by its first four bits. */
static enum link_reason layer_ip_maybe(struct walk *w)
{
    if (rd_left(&w->rd) == 0)
        return LINK_SHORT;
    return begins_with_ip(w) ? layer_ip(w) : LINK_NOT_IP;
}

static enum link_reason layer_ethernet(struct walk *w)
{
    w->info->dst_mac = read_mac(&w->rd);
    w->info->src_mac = read_mac(&w->rd);
    unsigned type = rd_u16(&w->rd);
    w->info->has_mac = !w->rd.bad;
    return go_on_type(w, type);
}

/*
 * What follows the last MPLS label carries no type. IP says itself that it is; a pseudowire of Ethernet (RFC 4448)
 * begins with a control word of sixteen zero bits and a number (RFC 4385), or with the frame.
 */
static enum link_reason layer_mpls_bottom(struct walk *w)
{
    if (rd_left(&w->rd) == 0)
        return LINK_SHORT;
    if (begins_with_ip(w))
        return layer_ip(w);
    struct rd ahead = w->rd;
    if (rd_u16(&ahead) == 0)
        rd_skip(&w->rd, 4);
    return go_on(w, layer_ethernet);
}

/* MPLS (RFC 3032): labels until the one with the bottom bit. */
static enum link_reason layer_mpls(struct walk *w)
{
    uint32_t label = rd_u32(&w->rd);
    return go_on(w, (label & 0x100) != 0 ? layer_mpls_bottom : layer_mpls);
}

/* PPP (RFC 1661): protocol field of one octet if that is odd, otherwise of two. */
static enum link_reason layer_ppp(struct walk *w)
{
    unsigned protocol = rd_u8(&w->rd);
    if ((protocol & 1) == 0)
        protocol = protocol << 8 | rd_u8(&w->rd);
    if (w->rd.bad)
        return LINK_SHORT;
    switch (protocol) {
    case 0x0021:
    case 0x0057:
        return go_on(w, layer_ip);
    case 0x0281:
    case 0x0283:
        return go_on(w, layer_mpls);
    default:
        return LINK_NOT_IP;
    }
}

/* PPP with the address and control octets of RFC 1662 in front, which links may agree to leave out. */
static enum link_reason layer_ppp_hdlc(struct walk *w)
{
    struct rd ahead = w->rd;
    if (rd_u16(&ahead) == 0xff03)
        w->rd = ahead;
    return go_on(w, layer_ppp);
}

/* PPPoE session (RFC 2516): version and type, code 0, session id, length. */
static enum link_reason layer_pppoe(struct walk *w)
{
    rd_skip(&w->rd, 1);
    unsigned code = rd_u8(&w->rd);
    rd_skip(&w->rd, 4);
    if (w->rd.bad)
        return LINK_SHORT;
    return code == 0 ? go_on(w, layer_ppp) : LINK_NOT_IP;
}

/* A tag of IEEE 802.1Q or 802.1ad. */
static enum link_reason layer_vlan(struct walk *w)
{
    w->info->vlan = rd_u16(&w->rd) & 0x0fff;
    w->info->has_vlan = !w->rd.bad;
    unsigned type = rd_u16(&w->rd);
    return go_on_type(w, type);
}

/* VN-tag of IEEE 802.1BR switches: six octets with the type at their end. */
static enum link_reason layer_vntag(struct walk *w)
{
    rd_skip(&w->rd, 4);
    unsigned type = rd_u16(&w->rd);
    return go_on_type(w, type);
}

/* Backbone service tag of IEEE 802.1ah: flags and service, then the customer's frame. */
static enum link_reason layer_itag(struct walk *w)
{
    rd_skip(&w->rd, 4);
    return go_on(w, layer_ethernet);
}

/* An 802.3 frame: IP only behind the SNAP header of RFC 1042. A short one is another protocol, not a damaged one. */
static enum link_reason layer_llc(struct walk *w)
{
    uint32_t llc = rd_u24(&w->rd);
    uint32_t oui = rd_u24(&w->rd);
    unsigned type = rd_u16(&w->rd);
    if (w->rd.bad || llc != 0xaaaa03 || oui != 0 || type < ETHERTYPE_MIN) {
        w->rd.bad = false;
        return LINK_NOT_IP;
    }
    return go_on_type(w, type);
}

static const struct {
    unsigned type;
    layer layer;
} ethertypes[] = {
    { 0x0800, layer_ip },    { 0x86dd, layer_ip },                               /* IPv4, IPv6 */
    { 0x8100, layer_vlan },  { 0x88a8, layer_vlan },                             /* 802.1Q, 802.1ad */
    { 0x9100, layer_vlan },  { 0x9200, layer_vlan },                             /* QinQ before 802.1ad */
    { 0x8847, layer_mpls },  { 0x8848, layer_mpls },                             /* unicast, multicast */
    { 0x8864, layer_pppoe },                                                     /* discovery, 8863, has no IP */
    { 0x8926, layer_vntag }, { 0x88e7, layer_itag }, { 0x6558, layer_ethernet }, /* the last in tunnels */
};

static enum link_reason layer_ethertype(struct walk *w)
{
    for (size_t i = 0; i < sizeof(ethertypes) / sizeof(ethertypes[0]); i++) {
        if (ethertypes[i].type == w->type)
            return ethertypes[i].layer(w);
    }
    return w->type < ETHERTYPE_MIN && w->type != 0 ? layer_llc(w) : LINK_NOT_IP;
}

static enum link_reason go_on_type(struct walk *w, unsigned type)
{
    w->type = type;
    return go_on(w, layer_ethertype);
}

static void set_sll_mac(struct walk *w, unsigned length, uint64_t eight_octets)
{
    if (w->rd.bad || length != 6)
        return;
    w->info->src_mac = eight_octets >> 16;
    w->info->has_mac = true;
}

/* LINKTYPE_LINUX_SLL: packet type, ARPHRD, address length, address (8), protocol. */
static enum link_reason layer_sll(struct walk *w)
{
    rd_skip(&w->rd, 4);
    unsigned length = rd_u16(&w->rd);
    set_sll_mac(w, length, rd_u64(&w->rd));
    unsigned type = rd_u16(&w->rd);
    return go_on_type(w, type);
}

/* LINKTYPE_LINUX_SLL2: protocol, reserved, interface (4), ARPHRD, packet type, address length, address (8). */
static enum link_reason layer_sll2(struct walk *w)
{
    unsigned type = rd_u16(&w->rd);
    rd_skip(&w->rd, 9);
    unsigned length = rd_u8(&w->rd);
    set_sll_mac(w, length, rd_u64(&w->rd));
    return go_on_type(w, type);
}

/* HDLC of Cisco routers: address, control, type. */
static enum link_reason layer_chdlc(struct walk *w)
{
    rd_skip(&w->rd, 2);
    unsigned type = rd_u16(&w->rd);
    return go_on_type(w, type);
}

/*
 * LINKTYPE_NULL and _LOOP: the AF_ number of the capturing system in four octets, in its own byte order (NULL) or in
 * network order (LOOP). Both are taken in both: the number is small.
 */
static enum link_reason layer_null(struct walk *w)
{
    struct rd swapped = w->rd;
    uint32_t family = rd_u32(&w->rd);
    if (family > 0xffff)
        family = rd_u32le(&swapped);
    if (w->rd.bad)
        return LINK_SHORT;
    switch (family) {
    case 2:
    case 10: /* AF_INET6 of Linux, */
    case 24: /* NetBSD and OpenBSD, */
    case 28: /* FreeBSD, */
    case 30: /* macOS */
        return go_on(w, layer_ip);
    default:
        return LINK_NOT_IP;
    }
}

static const struct {
    int linktype;
    layer layer;
} linktypes[] = {
    { LINK_ETHERNET, layer_ethernet },
    { 113, layer_sll },
    { 276, layer_sll2 },
    { 101, layer_ip_maybe },
    { 12, layer_ip_maybe }, /* DLT_RAW, */
    { 14, layer_ip_maybe }, /* that of OpenBSD */
    { LINK_IP, layer_ip },
    { 229, layer_ip }, /* IPv6 */
    { 0, layer_null },
    { 108, layer_null }, /* loop */
    { LINK_PPP, layer_ppp_hdlc },
    { 50, layer_ppp_hdlc },
    { 51, layer_pppoe },
    { 104, layer_chdlc },
    { LINK_MPLS, layer_mpls },
};

static enum link_reason walk(struct walk *w)
{
    for (unsigned depth = 0; depth <= LINK_DEPTH_MAX; depth++) {
        layer next = w->next;
        w->next = NULL;
        enum link_reason reason = next(w);
        if (w->rd.bad)
            return LINK_SHORT;
        if (w->next == NULL)
            return reason;
    }
    return LINK_TOO_DEEP;
}

static struct walk begin(struct hep_slice data, struct link_info *ret)
{
    *ret = (struct link_info){ .ip = { NULL, 0 } };
    struct walk w = { .info = ret };
    rd_init(&w.rd, data.ptr, data.len);
    return w;
}

enum link_reason link_decode(int linktype, struct hep_slice data, struct link_info *ret)
{
    struct walk w = begin(data, ret);
    for (size_t i = 0; i < sizeof(linktypes) / sizeof(linktypes[0]); i++) {
        if (linktypes[i].linktype != linktype)
            continue;
        w.next = linktypes[i].layer;
        return walk(&w);
    }
    return LINK_TYPE;
}

enum link_reason link_decode_ethertype(unsigned type, struct hep_slice data, struct link_info *ret)
{
    struct walk w = begin(data, ret);
    (void)go_on_type(&w, type);
    return walk(&w);
}

const char *link_reason_name(enum link_reason reason)
{
    static const char *const names[LINK_REASON_COUNT] = {
        [LINK_OK] = "link_ok",         [LINK_SHORT] = "link_short",       [LINK_TYPE] = "link_type_unknown",
        [LINK_NOT_IP] = "link_not_ip", [LINK_TOO_DEEP] = "link_too_deep",
    };
    return (unsigned)reason < LINK_REASON_COUNT ? names[reason] : "link_unknown";
}
