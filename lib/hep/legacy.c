/*
 * Versions 1 and 2: a C struct copied to the wire, then the payload to the end of the datagram.
 *
 *     0  version   1  header length   2  family   3  protocol   4  source port   6  destination port
 *     8  source address, destination address (4 or 16 octets each)
 *     version 2:  seconds, microseconds (32 bits), capture id, pad (16 bits): in the sender's byte order
 */
#include <string.h>

#include "hep/decode.h"
#include "hep/rd.h"

#define LEGACY_BITS                                                                                                    \
    (HEP_BIT(HEP_CHUNK_FAMILY) | HEP_BIT(HEP_CHUNK_PROTOCOL) | HEP_BIT(HEP_CHUNK_SRC_PORT) |                           \
     HEP_BIT(HEP_CHUNK_DST_PORT) | HEP_BIT(HEP_CHUNK_PAYLOAD_TYPE) | HEP_BIT(HEP_CHUNK_PAYLOAD))
#define TIME_BITS (HEP_BIT(HEP_CHUNK_TIME_SEC) | HEP_BIT(HEP_CHUNK_TIME_USEC) | HEP_BIT(HEP_CHUNK_CAPTURE_ID))

#define USEC_MAX 999999

/*
 * The family is the sender's AF_INET6: Linux 10, macOS 30, FreeBSD 28,
 * NetBSD and OpenBSD 24, Solaris 26, Windows 23. The header length octet is only good as a hint: senders count the
 * time header or not, or leave garbage there.
 */
size_t legacy_address_size(uint8_t family, uint8_t header_len)
{
    switch (family) {
    case HEP_FAMILY_IP4:
        return 4;
    case HEP_FAMILY_IP6:
    case 23:
    case 24:
    case 26:
    case 28:
    case 30:
        return 16;
    default:
        break;
    }
    switch (header_len) {
    case 16:
    case 28:
        return 4;
    case 40:
    case 52:
        return 16;
    default:
        return 0;
    }
}

static void take_address(struct rd *r, size_t size, struct hep_addr *addr)
{
    const uint8_t *p;
    if (!rd_take(r, size, &p))
        return;
    addr->len = (uint8_t)size;
    memcpy(addr->octets, p, size);
}

/*
 * The time header of version 2. Kamailio, captagent, OpenSIPS, sofia-sip... write it little endian; hep-erlang big
 * endian; hep-swift big endian without the pad. Microseconds tell: one of the two readings is at most 999999.
 */
static int take_time(struct rd *r, const struct hep_options *options, struct hep_msg *msg)
{
    size_t offset = (size_t)(r->ptr - msg->frame.ptr);
    struct rd big = *r;
    msg->time_sec = rd_u32le(r);
    msg->time_usec = rd_u32le(r);
    msg->capture_id = rd_u16le(r);
    const uint8_t *pad;
    if (!rd_take(r, sizeof(msg->v2_pad), &pad))
        return decode_error(msg, HEP_ERR_SHORT, msg->frame.len);
    memcpy(msg->v2_pad, pad, sizeof(msg->v2_pad));
    msg->present |= TIME_BITS;
    if (msg->time_usec <= USEC_MAX)
        return HEP_OK;

    uint32_t sec = rd_u32(&big);
    uint32_t usec = rd_u32(&big);
    uint16_t capture_id = rd_u16(&big);
    if (usec > USEC_MAX)
        return HEP_OK; /* neither reading is sound: hep_clean() deals with it */
    msg->time_sec = sec;
    msg->time_usec = usec;
    msg->capture_id = capture_id;
    uint32_t quirks = HEP_QUIRK_V2_BIG_ENDIAN;
    if (pad[0] != 0 || pad[1] != 0) {
        quirks |= HEP_QUIRK_V2_SHORT_HEADER;
        memset(msg->v2_pad, 0, sizeof(msg->v2_pad));
        *r = big;
    }
    return quirk_met(msg, options, quirks, offset);
}

static int check_header(const struct hep_options *options, size_t address_len, struct hep_msg *msg)
{
    if (msg->header_len != 8 + 2 * address_len && quirk_met(msg, options, HEP_QUIRK_HEADER_LENGTH, 1) != HEP_OK)
        return HEP_ERR_QUIRK;
    if (msg->family != HEP_FAMILY_IP4 && msg->family != HEP_FAMILY_IP6)
        return quirk_met(msg, options, HEP_QUIRK_FAMILY_UNKNOWN, 2);
    return HEP_OK;
}

/* The payload is what is left; OpenSIPS sends as many NULs behind it as the header has octets of addresses. */
static int take_payload(struct rd *r, const struct hep_options *options, struct hep_msg *msg)
{
    size_t len = rd_left(r);
    while (len > 0 && r->ptr[len - 1] == 0)
        len--;
    if (len == 0)
        return decode_error(msg, HEP_ERR_NO_PAYLOAD, (size_t)(r->ptr - msg->frame.ptr));
    msg->payload = (struct hep_slice){ r->ptr, len };
    if (len == rd_left(r))
        return HEP_OK;
    return quirk_met(msg, options, HEP_QUIRK_TRAILING_OCTETS, (size_t)(r->ptr - msg->frame.ptr) + len);
}

int decode_legacy(const uint8_t *data, size_t len, const struct hep_options *options, struct hep_msg *msg)
{
    struct rd r;
    rd_init(&r, data, len);
    msg->frame = (struct hep_slice){ data, len };
    msg->version = rd_u8(&r);
    msg->header_len = rd_u8(&r);
    msg->family = rd_u8(&r);
    msg->protocol = rd_u8(&r);
    msg->src_port = rd_u16(&r);
    msg->dst_port = rd_u16(&r);
    if (r.bad)
        return decode_error(msg, HEP_ERR_SHORT, len);

    size_t address_len = legacy_address_size(msg->family, msg->header_len);
    if (address_len == 0)
        return decode_error(msg, HEP_ERR_FAMILY, 2);
    take_address(&r, address_len, &msg->src);
    take_address(&r, address_len, &msg->dst);
    if (r.bad)
        return decode_error(msg, HEP_ERR_SHORT, len);
    msg->payload_type = HEP_TYPE_SIP;
    msg->present = LEGACY_BITS | (address_len == 4 ? HEP_BIT(HEP_CHUNK_SRC_IP4) | HEP_BIT(HEP_CHUNK_DST_IP4)
                                                   : HEP_BIT(HEP_CHUNK_SRC_IP6) | HEP_BIT(HEP_CHUNK_DST_IP6));
    int rc = check_header(options, address_len, msg);
    if (rc == HEP_OK && msg->version == 2)
        rc = take_time(&r, options, msg);
    if (rc == HEP_OK)
        rc = take_payload(&r, options, msg);
    return rc;
}
