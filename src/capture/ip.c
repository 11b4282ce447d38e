#include "capture/ip.h"

#include "hep/rd.h"

enum {
    NEXT_HOP_BY_HOP = 0,
    NEXT_ROUTING = 43,
    NEXT_FRAGMENT = 44,
    NEXT_AUTHENTICATION = 51,
    NEXT_DESTINATION = 60,
    NEXT_MOBILITY = 135,
    NEXT_HIP = 139,
    NEXT_SHIM6 = 140
};

static void read_addr(struct rd *r, struct hep_addr *ret, uint8_t len)
{
    const uint8_t *p;
    if (!rd_take(r, len, &p))
        return;
    ret->len = len;
    memcpy(ret->octets, p, len);
}

/*
 * Limits the cursor to `len` octets of payload. Fewer there: cut by the snap length (`missing`), unless the packet
 * never had so many.
 */
static enum ip_reason take_payload(struct rd *r, size_t len, size_t wire_left, struct ip_packet *ret)
{
    size_t left = rd_left(r);
    if (len > wire_left)
        return IP_TOTAL_LENGTH;
    ret->missing = len > left ? len - left : 0;
    ret->payload = (struct hep_slice){ r->ptr, len - ret->missing };
    return IP_OK;
}

static enum ip_reason decode_v4(struct rd *r, size_t wire_len, struct ip_packet *ret)
{
    size_t header = (size_t)(rd_u8(r) & 0x0f) * 4;
    ret->tos = rd_u8(r);
    size_t total = rd_u16(r);
    ret->id = rd_u16(r);
    unsigned fragment = rd_u16(r);
    rd_skip(r, 1);
    ret->protocol = rd_u8(r);
    rd_skip(r, 2);
    read_addr(r, &ret->src, 4);
    read_addr(r, &ret->dst, 4);
    if (r->bad)
        return IP_SHORT;
    if (total == 0)
        total = wire_len;
    if (header < 20 || header > total)
        return IP_HEADER_LENGTH;
    rd_skip(r, header - 20);
    if (r->bad)
        return IP_SHORT;
    ret->more = (fragment & 0x2000) != 0;
    ret->frag_offset = (fragment & 0x1fff) * 8;
    ret->fragment = ret->more || ret->frag_offset != 0;
    return take_payload(r, total - header, wire_len - header, ret);
}

static void read_fragment(struct rd *r, struct ip_packet *ret)
{
    ret->protocol = rd_u8(r);
    rd_skip(r, 1);
    unsigned fragment = rd_u16(r);
    ret->id = rd_u32(r);
    ret->more = (fragment & 1) != 0;
    ret->frag_offset = fragment & 0xfff8;
    ret->fragment = ret->more || ret->frag_offset != 0;
}

/* Reads one extension header; false if ret->protocol is none. */
static bool read_extension(struct rd *r, struct ip_packet *ret)
{
    size_t body;
    switch (ret->protocol) {
    case NEXT_FRAGMENT:
        read_fragment(r, ret);
        return true;
    case NEXT_HOP_BY_HOP:
    case NEXT_ROUTING:
    case NEXT_DESTINATION:
    case NEXT_MOBILITY:
    case NEXT_HIP:
    case NEXT_SHIM6:
        ret->protocol = rd_u8(r);
        body = (size_t)rd_u8(r) * 8 + 6;
        break;
    case NEXT_AUTHENTICATION: /* RFC 4302: counts words of four octets, less two */
        ret->protocol = rd_u8(r);
        body = (size_t)rd_u8(r) * 4 + 6;
        break;
    default:
        return false;
    }
    rd_skip(r, body);
    return true;
}

/* Reads the extension headers at the start of the payload, up to a fragment or the upper layer. */
static enum ip_reason walk_extensions(struct ip_packet *ret)
{
    struct rd r;
    rd_init(&r, ret->payload.ptr, ret->payload.len);
    for (unsigned i = 0; i < IP_EXTENSIONS_MAX; i++) {
        if (ret->fragment || !read_extension(&r, ret)) {
            ret->payload = (struct hep_slice){ r.ptr, rd_left(&r) };
            return IP_OK;
        }
        if (r.bad)
            return IP_SHORT;
    }
    return IP_TOO_DEEP;
}

static enum ip_reason decode_v6(struct rd *r, size_t wire_len, struct ip_packet *ret)
{
    ret->tos = (uint8_t)(rd_u32(r) >> 20 & 0xff);
    size_t len = rd_u16(r);
    ret->protocol = rd_u8(r);
    rd_skip(r, 1);
    read_addr(r, &ret->src, 16);
    read_addr(r, &ret->dst, 16);
    if (r->bad)
        return IP_SHORT;
    size_t wire_left = wire_len - 40;
    enum ip_reason reason = take_payload(r, len != 0 ? len : wire_left, wire_left, ret);
    return reason == IP_OK ? walk_extensions(ret) : reason;
}

enum ip_reason ip_decode(struct hep_slice data, size_t wire_len, struct ip_packet *ret)
{
    *ret = (struct ip_packet){ .protocol = 0 };
    struct rd r;
    rd_init(&r, data.ptr, data.len);
    struct rd ahead = r;
    unsigned version = rd_u8(&ahead) >> 4;
    if (ahead.bad)
        return IP_SHORT;
    if (version == 4)
        return decode_v4(&r, wire_len, ret);
    return version == 6 ? decode_v6(&r, wire_len, ret) : IP_VERSION;
}

enum ip_reason ip_resume(struct ip_packet *p)
{
    return p->src.len == 16 ? walk_extensions(p) : IP_OK;
}

const char *ip_reason_name(enum ip_reason reason)
{
    static const char *const names[IP_REASON_COUNT] = {
        [IP_OK] = "ip_ok",
        [IP_SHORT] = "ip_short",
        [IP_VERSION] = "ip_version",
        [IP_HEADER_LENGTH] = "ip_header_length",
        [IP_TOTAL_LENGTH] = "ip_total_length",
        [IP_TOO_DEEP] = "ip_too_deep",
    };
    return (unsigned)reason < IP_REASON_COUNT ? names[reason] : "ip_unknown";
}
