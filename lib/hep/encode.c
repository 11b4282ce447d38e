/* Encoding: struct hep_msg to octets, in one pass after the exact size is known. */
#include <string.h>

#include "hep/decode.h"
#include "hep/fields.h"

/* Chunk types by the kind of their body; together with the octets they are all that is known. */
#define BITS2(a, b)       (HEP_BIT(a) | HEP_BIT(b))
#define BITS4(a, b, c, d) (BITS2(a, b) | BITS2(c, d))
#define U8_BITS                                                                                                        \
    (BITS4(HEP_CHUNK_FAMILY, HEP_CHUNK_PROTOCOL, HEP_CHUNK_PAYLOAD_TYPE, HEP_CHUNK_TCP_FLAGS) |                        \
     HEP_BIT(HEP_CHUNK_IP_TOS))
#define U16_BITS                                                                                                       \
    (BITS4(HEP_CHUNK_SRC_PORT, HEP_CHUNK_DST_PORT, HEP_CHUNK_KEEPALIVE, HEP_CHUNK_VLAN) |                              \
     BITS4(HEP_CHUNK_ETHERTYPE, HEP_CHUNK_MOS, HEP_CHUNK_R_FACTOR, HEP_CHUNK_TAG_TYPE) |                               \
     HEP_BIT(HEP_CHUNK_EVENT_TYPE))
#define U32_BITS     BITS4(HEP_CHUNK_TIME_SEC, HEP_CHUNK_TIME_USEC, HEP_CHUNK_CAPTURE_ID, HEP_CHUNK_JITTER)
#define MAC_BITS     BITS2(HEP_CHUNK_SRC_MAC, HEP_CHUNK_DST_MAC)
#define ADDRESS_BITS (BITS4(HEP_CHUNK_SRC_IP4, HEP_CHUNK_DST_IP4, HEP_CHUNK_SRC_IP6, HEP_CHUNK_DST_IP6))
#define PAYLOAD_BITS BITS2(HEP_CHUNK_PAYLOAD, HEP_CHUNK_PAYLOAD_ZIP)

/* What nearly every message has: written straight, without a look at the table. */
#define FIRST_BITS                                                                                                     \
    (ADDRESS_BITS | BITS4(HEP_CHUNK_FAMILY, HEP_CHUNK_PROTOCOL, HEP_CHUNK_SRC_PORT, HEP_CHUNK_DST_PORT) |              \
     BITS4(HEP_CHUNK_TIME_SEC, HEP_CHUNK_TIME_USEC, HEP_CHUNK_PAYLOAD_TYPE, HEP_CHUNK_CAPTURE_ID) |                    \
     BITS2(HEP_CHUNK_NODE_NAME, HEP_CHUNK_AUTH_KEY) | HEP_BIT(HEP_CHUNK_CORRELATION_ID))

static inline uint8_t *put16(uint8_t *p, unsigned v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
    return p + 2;
}

static inline uint8_t *put32(uint8_t *p, uint32_t v)
{
    put16(p, v >> 16);
    return put16(p + 2, v & 0xffff);
}

static inline uint8_t *put64(uint8_t *p, uint64_t v)
{
    put32(p, (uint32_t)(v >> 32));
    return put32(p + 4, (uint32_t)v);
}

static inline uint8_t *put_header(uint8_t *p, unsigned vendor, unsigned type, size_t body_len)
{
    p = put32(p, (uint32_t)(vendor << 16 | type));
    return put16(p, (unsigned)(body_len + HEP_CHUNK_HEADER_SIZE));
}

static inline uint8_t *put_octets(uint8_t *p, unsigned vendor, unsigned type, const void *body, size_t len)
{
    p = put_header(p, vendor, type, len);
    if (len > 0)
        memcpy(p, body, len);
    return p + len;
}

static inline uint8_t *put_slice(uint8_t *p, unsigned type, const struct hep_slice *s)
{
    return put_octets(p, 0, type, s->ptr, s->len);
}

static uint8_t *put_address(uint8_t *p, unsigned ip4_type, const struct hep_addr *addr)
{
    /* The IPv6 chunk types are those of IPv4 plus two. */
    return addr->len == 4 ? put_octets(p, 0, ip4_type, addr->octets, 4)
                          : put_octets(p, 0, ip4_type + 2, addr->octets, 16);
}

static inline uint8_t *put_u8(uint8_t *p, unsigned type, uint8_t v)
{
    p = put_header(p, 0, type, 1);
    *p = v;
    return p + 1;
}

static inline uint8_t *put_u16(uint8_t *p, unsigned type, uint16_t v)
{
    return put16(put_header(p, 0, type, 2), v);
}

static inline uint8_t *put_u32(uint8_t *p, unsigned type, uint32_t v)
{
    return put32(put_header(p, 0, type, 4), v);
}

/* Any generic field by way of the table. */
static uint8_t *put_field(uint8_t *p, const struct hep_msg *msg, unsigned type)
{
    const void *at = field_at(msg, type);
    switch (hep_fields[type].kind) {
    case HEP_KIND_U8:
        return put_u8(p, type, *(const uint8_t *)at);
    case HEP_KIND_U16:
        return put_u16(p, type, *(const uint16_t *)at);
    case HEP_KIND_U32:
        return put_u32(p, type, *(const uint32_t *)at);
    case HEP_KIND_U64:
    case HEP_KIND_MAC:
        return put64(put_header(p, 0, type, 8), *(const uint64_t *)at);
    case HEP_KIND_IP4:
        return put_address(p, type, at);
    case HEP_KIND_IP6:
        return put_address(p, type - 2, at);
    case HEP_KIND_OCTETS:
        break;
    }
    return put_slice(p, type, at);
}

/* Sizes saturate: a caller's absurd length must not come out as a small frame. */
static inline size_t size_add(size_t a, size_t b)
{
    return a + b < a ? SIZE_MAX : a + b;
}

static size_t field_size(const struct hep_msg *msg, unsigned type)
{
    enum hep_kind kind = hep_fields[type].kind;
    const void *at = field_at(msg, type);
    if (kind == HEP_KIND_OCTETS)
        return size_add(HEP_CHUNK_HEADER_SIZE, ((const struct hep_slice *)at)->len);
    if (kind == HEP_KIND_IP4 || kind == HEP_KIND_IP6)
        return HEP_CHUNK_HEADER_SIZE + ((const struct hep_addr *)at)->len;
    return HEP_CHUNK_HEADER_SIZE + kind_size(kind);
}

static inline unsigned lowest_bit(uint64_t bits)
{
    return (unsigned)__builtin_ctzll(bits);
}

/* Of versions 1 and 2, without the time header. */
static uint8_t legacy_header_len(const struct hep_msg *msg)
{
    return msg->src.len == 4 ? 16 : 40;
}

/* Octets of a frame of versions 1 and 2 without the payload. */
static size_t legacy_header_size(const struct hep_msg *msg)
{
    return legacy_header_len(msg) + (msg->version == 2 ? 12u : 0u);
}

/* The fields that nearly every message has, when they are all there, have one size: no look at each. */
#define EVERYDAY_BITS                                                                                                  \
    (BITS4(HEP_CHUNK_FAMILY, HEP_CHUNK_PROTOCOL, HEP_CHUNK_SRC_PORT, HEP_CHUNK_DST_PORT) |                             \
     BITS4(HEP_CHUNK_TIME_SEC, HEP_CHUNK_TIME_USEC, HEP_CHUNK_PAYLOAD_TYPE, HEP_CHUNK_CAPTURE_ID))
#define EVERYDAY_SIZE (3 * 7 + 2 * 8 + 3 * 10)

static size_t v3_size(const struct hep_msg *msg)
{
    uint64_t left = msg->present & FIELDS_KNOWN;
    size_t size = HEP_HEADER_SIZE;
    if ((left & EVERYDAY_BITS) == EVERYDAY_BITS) {
        size += EVERYDAY_SIZE;
        left &= ~EVERYDAY_BITS;
    }
    for (; left != 0; left &= left - 1)
        size = size_add(size, field_size(msg, lowest_bit(left)));
    for (size_t i = 0; i < msg->extra_count; i++)
        size = size_add(size, size_add(HEP_CHUNK_HEADER_SIZE, msg->extra[i].body.len));
    return size;
}

size_t hep_encoded_size(const struct hep_msg *msg)
{
    switch (msg->version) {
    case 0:
    case 3:
        return v3_size(msg);
    case 1:
    case 2:
        return size_add(legacy_header_size(msg), msg->payload.len);
    default:
        return 0;
    }
}

static bool address_ok(const struct hep_msg *msg, uint64_t bits, const struct hep_addr *addr)
{
    bool present = (msg->present & bits) != 0;
    return !present || addr->len == 4 || addr->len == 16;
}

/* One side must not be both: hep_set_src() and hep_decode() never leave two bits, a hand-made message could. */
static bool addresses_ok(const struct hep_msg *msg)
{
    const uint64_t src = BITS2(HEP_CHUNK_SRC_IP4, HEP_CHUNK_SRC_IP6);
    const uint64_t dst = BITS2(HEP_CHUNK_DST_IP4, HEP_CHUNK_DST_IP6);
    return (msg->present & src) != src && (msg->present & dst) != dst && address_ok(msg, src, &msg->src) &&
           address_ok(msg, dst, &msg->dst);
}

/* The fields of FIRST_BITS in the order that all receivers take (HEP fact: Kamailio counts them, some want order). */
static uint8_t *put_first(uint8_t *p, const struct hep_msg *msg)
{
    uint64_t has = msg->present;
    if (has & HEP_BIT(HEP_CHUNK_FAMILY))
        p = put_u8(p, HEP_CHUNK_FAMILY, msg->family);
    if (has & HEP_BIT(HEP_CHUNK_PROTOCOL))
        p = put_u8(p, HEP_CHUNK_PROTOCOL, msg->protocol);
    if (has & BITS2(HEP_CHUNK_SRC_IP4, HEP_CHUNK_SRC_IP6))
        p = put_address(p, HEP_CHUNK_SRC_IP4, &msg->src);
    if (has & BITS2(HEP_CHUNK_DST_IP4, HEP_CHUNK_DST_IP6))
        p = put_address(p, HEP_CHUNK_DST_IP4, &msg->dst);
    if (has & HEP_BIT(HEP_CHUNK_SRC_PORT))
        p = put_u16(p, HEP_CHUNK_SRC_PORT, msg->src_port);
    if (has & HEP_BIT(HEP_CHUNK_DST_PORT))
        p = put_u16(p, HEP_CHUNK_DST_PORT, msg->dst_port);
    if (has & HEP_BIT(HEP_CHUNK_TIME_SEC))
        p = put_u32(p, HEP_CHUNK_TIME_SEC, msg->time_sec);
    if (has & HEP_BIT(HEP_CHUNK_TIME_USEC))
        p = put_u32(p, HEP_CHUNK_TIME_USEC, msg->time_usec);
    if (has & HEP_BIT(HEP_CHUNK_PAYLOAD_TYPE))
        p = put_u8(p, HEP_CHUNK_PAYLOAD_TYPE, msg->payload_type);
    if (has & HEP_BIT(HEP_CHUNK_CAPTURE_ID))
        p = put_u32(p, HEP_CHUNK_CAPTURE_ID, msg->capture_id);
    if (has & HEP_BIT(HEP_CHUNK_NODE_NAME))
        p = put_slice(p, HEP_CHUNK_NODE_NAME, &msg->node_name);
    if (has & HEP_BIT(HEP_CHUNK_AUTH_KEY))
        p = put_slice(p, HEP_CHUNK_AUTH_KEY, &msg->auth_key);
    if (has & HEP_BIT(HEP_CHUNK_CORRELATION_ID))
        p = put_slice(p, HEP_CHUNK_CORRELATION_ID, &msg->correlation_id);
    return p;
}

static uint8_t *encode_v3(const struct hep_msg *msg, uint8_t *p, size_t size)
{
    memcpy(p, "HEP3", 4);
    p = put16(p + 4, (unsigned)size);
    p = put_first(p, msg);
    for (uint64_t left = msg->present & FIELDS_KNOWN & ~(FIRST_BITS | PAYLOAD_BITS); left != 0; left &= left - 1)
        p = put_field(p, msg, lowest_bit(left));
    if (msg->present & HEP_BIT(HEP_CHUNK_PAYLOAD))
        p = put_slice(p, HEP_CHUNK_PAYLOAD, &msg->payload);
    if (msg->present & HEP_BIT(HEP_CHUNK_PAYLOAD_ZIP))
        p = put_slice(p, HEP_CHUNK_PAYLOAD_ZIP, &msg->payload_zip);
    for (size_t i = 0; i < msg->extra_count; i++) {
        const struct hep_chunk *c = &msg->extra[i];
        p = put_octets(p, c->vendor, c->type, c->body.ptr, c->body.len);
    }
    return p;
}

static uint8_t *put32le(uint8_t *p, uint32_t v)
{
    for (unsigned i = 0; i < 4; i++)
        p[i] = (uint8_t)(v >> 8 * i);
    return p + 4;
}

static uint8_t legacy_family(const struct hep_msg *msg)
{
    uint8_t by_address = msg->src.len == 4 ? HEP_FAMILY_IP4 : HEP_FAMILY_IP6;
    return hep_has(msg, HEP_CHUNK_FAMILY) ? msg->family : by_address;
}

/* Header length 16 or 40 in both versions and a little endian time header: what all old receivers take. */
static uint8_t *encode_legacy(const struct hep_msg *msg, uint8_t *p)
{
    *p++ = msg->version;
    *p++ = legacy_header_len(msg);
    *p++ = legacy_family(msg);
    *p++ = msg->protocol;
    p = put16(p, msg->src_port);
    p = put16(p, msg->dst_port);
    memcpy(p, msg->src.octets, msg->src.len);
    memcpy(p + msg->src.len, msg->dst.octets, msg->dst.len);
    p += msg->src.len + msg->dst.len;
    if (msg->version == 2) {
        p = put32le(p, msg->time_sec);
        p = put32le(p, msg->time_usec);
        *p++ = (uint8_t)msg->capture_id;
        *p++ = (uint8_t)(msg->capture_id >> 8);
        *p++ = 0;
        *p++ = 0;
    }
    memcpy(p, msg->payload.ptr, msg->payload.len);
    return p + msg->payload.len;
}

/* Here the family says how long the addresses are, so one that contradicts them would garble the message. */
static bool legacy_ok(const struct hep_msg *msg)
{
    return (msg->src.len == 4 || msg->src.len == 16) && msg->dst.len == msg->src.len && msg->payload.len > 0 &&
           legacy_address_size(legacy_family(msg), legacy_header_len(msg)) == msg->src.len &&
           (msg->version == 1 || msg->capture_id <= UINT16_MAX);
}

int hep_encode(const struct hep_msg *msg, uint8_t *buf, size_t cap, size_t *ret_len)
{
    bool legacy = msg->version == 1 || msg->version == 2;
    size_t size = hep_encoded_size(msg);
    if (size == 0 || !(legacy ? legacy_ok(msg) : addresses_ok(msg)))
        return HEP_ERR_ARGUMENT;
    if (size > HEP_FRAME_MAX)
        return HEP_ERR_TOO_LONG;
    if (size > cap)
        return HEP_ERR_NO_SPACE;
    if (legacy)
        (void)encode_legacy(msg, buf);
    else
        (void)encode_v3(msg, buf, size);
    *ret_len = size;
    return HEP_OK;
}

/* ------------------------------------------------------------------------------------------------ setters */

void hep_msg_init(struct hep_msg *msg, uint8_t payload_type)
{
    memset(msg, 0, sizeof(*msg));
    msg->version = 3;
    msg->family = HEP_FAMILY_IP4;
    msg->protocol = 17;
    msg->payload_type = payload_type;
    msg->present = EVERYDAY_BITS | HEP_BIT(HEP_CHUNK_PAYLOAD);
}

static int set_address(struct hep_msg *msg, unsigned ip4_type, struct hep_addr *addr, const uint8_t *octets, size_t len)
{
    if (len != 4 && len != 16)
        return HEP_ERR_ARGUMENT;
    addr->len = (uint8_t)len;
    memcpy(addr->octets, octets, len);
    msg->present &= ~(HEP_BIT(ip4_type) | HEP_BIT(ip4_type + 2));
    msg->present |= len == 4 ? HEP_BIT(ip4_type) : HEP_BIT(ip4_type + 2);
    msg->family = len == 4 ? HEP_FAMILY_IP4 : HEP_FAMILY_IP6;
    msg->present |= HEP_BIT(HEP_CHUNK_FAMILY);
    return HEP_OK;
}

int hep_set_src(struct hep_msg *msg, const uint8_t *octets, size_t len, uint16_t port)
{
    int rc = set_address(msg, HEP_CHUNK_SRC_IP4, &msg->src, octets, len);
    return rc == HEP_OK ? hep_set_number(msg, HEP_CHUNK_SRC_PORT, port) : rc;
}

int hep_set_dst(struct hep_msg *msg, const uint8_t *octets, size_t len, uint16_t port)
{
    int rc = set_address(msg, HEP_CHUNK_DST_IP4, &msg->dst, octets, len);
    return rc == HEP_OK ? hep_set_number(msg, HEP_CHUNK_DST_PORT, port) : rc;
}

int hep_set_number(struct hep_msg *msg, unsigned chunk_type, uint64_t value)
{
    if (!field_known(chunk_type))
        return HEP_ERR_ARGUMENT;
    void *at = field_at_mut(msg, chunk_type);
    switch (hep_fields[chunk_type].kind) {
    case HEP_KIND_U8:
        if (value > UINT8_MAX)
            return HEP_ERR_ARGUMENT;
        *(uint8_t *)at = (uint8_t)value;
        break;
    case HEP_KIND_U16:
        if (value > UINT16_MAX)
            return HEP_ERR_ARGUMENT;
        *(uint16_t *)at = (uint16_t)value;
        break;
    case HEP_KIND_U32:
        if (value > UINT32_MAX)
            return HEP_ERR_ARGUMENT;
        *(uint32_t *)at = (uint32_t)value;
        break;
    case HEP_KIND_MAC:
        if (value >> 48 != 0)
            return HEP_ERR_ARGUMENT;
        *(uint64_t *)at = value;
        break;
    case HEP_KIND_U64:
        *(uint64_t *)at = value;
        break;
    case HEP_KIND_OCTETS:
    case HEP_KIND_IP4:
    case HEP_KIND_IP6:
        return HEP_ERR_ARGUMENT;
    }
    msg->present |= HEP_BIT(chunk_type);
    return HEP_OK;
}

int hep_set_octets(struct hep_msg *msg, unsigned chunk_type, const void *ptr, size_t len)
{
    if (!field_known(chunk_type) || hep_fields[chunk_type].kind != HEP_KIND_OCTETS)
        return HEP_ERR_ARGUMENT;
    *(struct hep_slice *)field_at_mut(msg, chunk_type) = (struct hep_slice){ ptr, len };
    msg->present |= HEP_BIT(chunk_type);
    return HEP_OK;
}

uint64_t hep_get_number(const struct hep_msg *msg, unsigned chunk_type)
{
    if (!field_known(chunk_type) || !hep_has(msg, chunk_type))
        return 0;
    const void *at = field_at(msg, chunk_type);
    switch (hep_fields[chunk_type].kind) {
    case HEP_KIND_U8:
        return *(const uint8_t *)at;
    case HEP_KIND_U16:
        return *(const uint16_t *)at;
    case HEP_KIND_U32:
        return *(const uint32_t *)at;
    case HEP_KIND_U64:
    case HEP_KIND_MAC:
        return *(const uint64_t *)at;
    case HEP_KIND_OCTETS:
    case HEP_KIND_IP4:
    case HEP_KIND_IP6:
        break;
    }
    return 0;
}

struct hep_slice hep_get_octets(const struct hep_msg *msg, unsigned chunk_type)
{
    if (!field_known(chunk_type) || !hep_has(msg, chunk_type) || hep_fields[chunk_type].kind != HEP_KIND_OCTETS)
        return (struct hep_slice){ NULL, 0 };
    return *(const struct hep_slice *)field_at(msg, chunk_type);
}

/* ------------------------------------------------------------------------------------------------ chunk writer */

void hep_writer_begin(struct hep_writer *w, uint8_t *buf, size_t cap)
{
    *w = (struct hep_writer){ .buf = buf, .cap = cap, .len = HEP_HEADER_SIZE };
    if (cap < HEP_HEADER_SIZE)
        w->error = HEP_ERR_NO_SPACE;
}

/* Room for `len` octets more, or NULL with the error noted. A frame beyond the length field is told from a full buffer.
 */
static uint8_t *writer_room(struct hep_writer *w, size_t len)
{
    if (w->error != HEP_OK)
        return NULL;
    if (len > HEP_FRAME_MAX || w->len + len > HEP_FRAME_MAX)
        w->error = HEP_ERR_TOO_LONG;
    else if (w->len + len > w->cap)
        w->error = HEP_ERR_NO_SPACE;
    return w->error == HEP_OK ? w->buf + w->len : NULL;
}

void hep_writer_chunk(struct hep_writer *w, uint16_t vendor, uint16_t type, const void *body, size_t len)
{
    uint8_t *p = writer_room(w, len > HEP_FRAME_MAX ? len : len + HEP_CHUNK_HEADER_SIZE);
    if (p != NULL)
        w->len = (size_t)(put_octets(p, vendor, type, body, len) - w->buf);
}

void hep_writer_field(struct hep_writer *w, const struct hep_msg *msg, unsigned chunk_type)
{
    if (w->error != HEP_OK)
        return;
    if (!field_known(chunk_type) || !hep_has(msg, chunk_type) || !addresses_ok(msg)) {
        w->error = HEP_ERR_ARGUMENT;
        return;
    }
    uint8_t *p = writer_room(w, field_size(msg, chunk_type));
    if (p != NULL)
        w->len = (size_t)(put_field(p, msg, chunk_type) - w->buf);
}

int hep_writer_end(struct hep_writer *w, size_t *ret_len)
{
    if (w->error != HEP_OK)
        return w->error;
    memcpy(w->buf, "HEP3", 4);
    put16(w->buf + 4, (unsigned)w->len);
    *ret_len = w->len;
    return HEP_OK;
}
