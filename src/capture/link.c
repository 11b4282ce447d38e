#include "capture/link.h"

#include "hep/rd.h"

/* Link types: the numbers in files (tcpdump.org/linktypes.html) and, where libpcap renumbers them, its own. */
enum {
    TYPE_NULL = 0,
    TYPE_ETHERNET = 1,
    TYPE_PPP = 9,
    TYPE_DLT_RAW = 12,
    TYPE_DLT_RAW_OPENBSD = 14,
    TYPE_PPP_HDLC = 50,
    TYPE_PPP_ETHER = 51,
    TYPE_RAW = 101,
    TYPE_LOOP = 108,
    TYPE_SLL = 113,
    TYPE_MPLS = 219,
    TYPE_IPV4 = 228,
    TYPE_IPV6 = 229,
    TYPE_SLL2 = 276
};

enum {
    ETHERTYPE_IPV4 = 0x0800,
    ETHERTYPE_VLAN = 0x8100, /* IEEE 802.1Q */
    ETHERTYPE_IPV6 = 0x86dd,
    ETHERTYPE_MPLS = 0x8847,
    ETHERTYPE_MPLS_MULTICAST = 0x8848,
    ETHERTYPE_PPPOE = 0x8864, /* session stage; discovery (0x8863) carries no IP */
    ETHERTYPE_QINQ = 0x88a8,  /* IEEE 802.1ad */
    ETHERTYPE_QINQ_OLD = 0x9100,
    ETHERTYPE_QINQ_OLD2 = 0x9200,
    ETHERTYPE_MIN = 0x0600 /* below it the field is a length (IEEE 802.3) */
};

/* Where decoding stands: what the next header is said to be. */
struct walk {
    struct rd rd;
    struct link_info *info;
    unsigned depth;
};

static uint64_t read_mac(struct rd *r)
{
    uint64_t high = rd_u16(r);
    return high << 32 | rd_u32(r);
}

static enum link_reason found_ip(struct walk *w)
{
    if (w->rd.bad || rd_left(&w->rd) == 0)
        return LINK_SHORT;
    w->info->ip = (struct hep_slice){ w->rd.ptr, rd_left(&w->rd) };
    return LINK_OK;
}

/* What follows says itself whether it is IP by its first four bits. */
static enum link_reason found_ip_maybe(struct walk *w)
{
    if (w->rd.bad || rd_left(&w->rd) == 0)
        return LINK_SHORT;
    unsigned version = *w->rd.ptr >> 4;
    return version == 4 || version == 6 ? found_ip(w) : LINK_NOT_IP;
}

/* MPLS (RFC 3032): labels until the one with the bottom bit. What follows carries no type. */
static enum link_reason walk_mpls(struct walk *w)
{
    for (; w->depth < LINK_DEPTH_MAX; w->depth++) {
        uint32_t label = rd_u32(&w->rd);
        if (w->rd.bad)
            return LINK_SHORT;
        if ((label & 0x100) != 0)
            return found_ip_maybe(w);
    }
    return LINK_TOO_DEEP;
}

/* PPP (RFC 1661): protocol field of one octet if that is odd, otherwise of two. */
static enum link_reason walk_ppp(struct walk *w)
{
    unsigned protocol = rd_u8(&w->rd);
    if ((protocol & 1) == 0)
        protocol = protocol << 8 | rd_u8(&w->rd);
    if (w->rd.bad)
        return LINK_SHORT;
    switch (protocol) {
    case 0x0021:
    case 0x0057:
        return found_ip(w);
    case 0x0281:
    case 0x0283:
        return walk_mpls(w);
    default:
        return LINK_NOT_IP;
    }
}

/* PPP with the address and control octets of RFC 1662 in front, which links may agree to leave out. */
static enum link_reason walk_ppp_hdlc(struct walk *w)
{
    struct rd ahead = w->rd;
    if (rd_u16(&ahead) == 0xff03)
        w->rd = ahead;
    return walk_ppp(w);
}

/* PPPoE session (RFC 2516): version and type, code 0, session id, length. */
static enum link_reason walk_pppoe(struct walk *w)
{
    rd_skip(&w->rd, 1);
    unsigned code = rd_u8(&w->rd);
    rd_skip(&w->rd, 4);
    if (w->rd.bad)
        return LINK_SHORT;
    return code == 0 ? walk_ppp(w) : LINK_NOT_IP;
}

/* An 802.3 frame: IP only behind the SNAP header of RFC 1042. Returns the type inside, 0 if there is none. */
static unsigned read_snap(struct rd *r)
{
    uint32_t llc = rd_u24(r);
    uint32_t oui = rd_u24(r);
    unsigned type = rd_u16(r);
    return llc == 0xaaaa03 && oui == 0 && !r->bad ? type : 0;
}

static enum link_reason walk_ethertype(struct walk *w, unsigned type)
{
    for (; w->depth < LINK_DEPTH_MAX; w->depth++) {
        if (w->rd.bad)
            return LINK_SHORT;
        switch (type) {
        case ETHERTYPE_IPV4:
        case ETHERTYPE_IPV6:
            return found_ip(w);
        case ETHERTYPE_VLAN:
        case ETHERTYPE_QINQ:
        case ETHERTYPE_QINQ_OLD:
        case ETHERTYPE_QINQ_OLD2:
            w->info->vlan = rd_u16(&w->rd) & 0x0fff;
            w->info->has_vlan = !w->rd.bad;
            type = rd_u16(&w->rd);
            break;
        case ETHERTYPE_MPLS:
        case ETHERTYPE_MPLS_MULTICAST:
            return walk_mpls(w);
        case ETHERTYPE_PPPOE:
            return walk_pppoe(w);
        default:
            if (type >= ETHERTYPE_MIN || type == 0)
                return LINK_NOT_IP;
            type = read_snap(&w->rd);
            w->rd.bad = false; /* a short 802.3 frame is some other protocol, not a damaged one */
            break;
        }
    }
    return LINK_TOO_DEEP;
}

static enum link_reason walk_ethernet(struct walk *w)
{
    w->info->dst_mac = read_mac(&w->rd);
    w->info->src_mac = read_mac(&w->rd);
    unsigned type = rd_u16(&w->rd);
    w->info->has_mac = !w->rd.bad;
    return walk_ethertype(w, type);
}

static void set_sll_mac(struct walk *w, unsigned length, uint64_t eight_octets)
{
    if (w->rd.bad || length != 6)
        return;
    w->info->src_mac = eight_octets >> 16;
    w->info->has_mac = true;
}

/* LINKTYPE_LINUX_SLL: packet type, ARPHRD, address length, address (8), protocol. */
static enum link_reason walk_sll(struct walk *w)
{
    rd_skip(&w->rd, 4);
    unsigned length = rd_u16(&w->rd);
    set_sll_mac(w, length, rd_u64(&w->rd));
    unsigned type = rd_u16(&w->rd);
    return walk_ethertype(w, type);
}

/* LINKTYPE_LINUX_SLL2: protocol, reserved, interface (4), ARPHRD, packet type, address length, address (8). */
static enum link_reason walk_sll2(struct walk *w)
{
    unsigned type = rd_u16(&w->rd);
    rd_skip(&w->rd, 9);
    unsigned length = rd_u8(&w->rd);
    set_sll_mac(w, length, rd_u64(&w->rd));
    return walk_ethertype(w, type);
}

/*
 * LINKTYPE_NULL and _LOOP: the AF_ number of the capturing system in four octets, in its own byte order (NULL) or in
 * network order (LOOP). Both are taken in both: the number is small.
 */
static enum link_reason walk_null(struct walk *w)
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
        return found_ip(w);
    default:
        return LINK_NOT_IP;
    }
}

enum link_reason link_decode(int linktype, struct hep_slice data, struct link_info *ret)
{
    *ret = (struct link_info){ .ip = { NULL, 0 } };
    struct walk w = { .info = ret };
    rd_init(&w.rd, data.ptr, data.len);
    switch (linktype) {
    case TYPE_ETHERNET:
        return walk_ethernet(&w);
    case TYPE_SLL:
        return walk_sll(&w);
    case TYPE_SLL2:
        return walk_sll2(&w);
    case TYPE_RAW:
    case TYPE_DLT_RAW:
    case TYPE_DLT_RAW_OPENBSD:
        return found_ip_maybe(&w);
    case TYPE_IPV4:
    case TYPE_IPV6:
        return found_ip(&w);
    case TYPE_NULL:
    case TYPE_LOOP:
        return walk_null(&w);
    case TYPE_PPP:
    case TYPE_PPP_HDLC:
        return walk_ppp_hdlc(&w);
    case TYPE_PPP_ETHER:
        return walk_pppoe(&w);
    case TYPE_MPLS:
        return walk_mpls(&w);
    default:
        return LINK_TYPE;
    }
}

const char *link_reason_name(enum link_reason reason)
{
    static const char *const names[LINK_REASON_COUNT] = {
        [LINK_OK] = "link_ok",         [LINK_SHORT] = "link_short",       [LINK_TYPE] = "link_type_unknown",
        [LINK_NOT_IP] = "link_not_ip", [LINK_TOO_DEEP] = "link_too_deep",
    };
    return (unsigned)reason < LINK_REASON_COUNT ? names[reason] : "link_unknown";
}
