/*
 * The protobuf form that heplify 1.x and horaclifix can send in place of HEP3, on the same UDP port: one proto2
 * message, 14 fields, each a varint or a length-delimited string.
 */
#include <arpa/inet.h>
#include <string.h>

#include "hep/decode.h"
#include "hep/rd.h"

#define WIRE_VARINT 0
#define WIRE_BYTES  2
#define FIELD_COUNT 15 /* numbers 1..14 */
#define PB_SRC_IP   3
#define PB_DST_IP   4

/* The chunk that says the same as each field; addresses are text here and handled apart. */
static const uint8_t chunk_of[FIELD_COUNT] = {
    [1] = HEP_CHUNK_FAMILY,    [2] = HEP_CHUNK_PROTOCOL,  [5] = HEP_CHUNK_SRC_PORT,        [6] = HEP_CHUNK_DST_PORT,
    [7] = HEP_CHUNK_TIME_SEC,  [8] = HEP_CHUNK_TIME_USEC, [9] = HEP_CHUNK_PAYLOAD_TYPE,    [10] = HEP_CHUNK_CAPTURE_ID,
    [11] = HEP_CHUNK_AUTH_KEY, [12] = HEP_CHUNK_PAYLOAD,  [13] = HEP_CHUNK_CORRELATION_ID, [14] = HEP_CHUNK_VLAN,
};

static uint64_t take_varint(struct rd *r)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        uint8_t octet = rd_u8(r);
        value |= (uint64_t)(octet & 0x7f) << shift;
        if ((octet & 0x80) == 0)
            return value;
    }
    r->bad = true;
    return 0;
}

static bool set_address(struct hep_msg *msg, bool source, const uint8_t *text, size_t len)
{
    char terminated[INET6_ADDRSTRLEN];
    uint8_t octets[16];
    if (len == 0 || len >= sizeof(terminated))
        return len == 0;
    memcpy(terminated, text, len);
    terminated[len] = '\0';
    size_t size = inet_pton(AF_INET, terminated, octets) == 1 ? 4 : 0;
    if (size == 0)
        size = inet_pton(AF_INET6, terminated, octets) == 1 ? 16 : 0;
    if (size == 0)
        return false;
    uint16_t port = source ? msg->src_port : msg->dst_port;
    uint64_t had_ports = msg->present & (HEP_BIT(HEP_CHUNK_SRC_PORT) | HEP_BIT(HEP_CHUNK_DST_PORT));
    int rc = source ? hep_set_src(msg, octets, size, port) : hep_set_dst(msg, octets, size, port);
    msg->present &= ~(HEP_BIT(HEP_CHUNK_SRC_PORT) | HEP_BIT(HEP_CHUNK_DST_PORT));
    msg->present |= had_ports;
    return rc == HEP_OK;
}

static bool take_field(struct rd *r, struct hep_msg *msg)
{
    uint64_t key = take_varint(r);
    uint64_t number = key >> 3;
    if (r->bad || number == 0 || number >= FIELD_COUNT)
        return false;
    if ((key & 7) == WIRE_VARINT) {
        uint64_t value = take_varint(r);
        return !r->bad && hep_set_number(msg, chunk_of[number], value) == HEP_OK;
    }
    const uint8_t *p;
    if ((key & 7) != WIRE_BYTES)
        return false;
    uint64_t len = take_varint(r);
    if (len > HEP_FRAME_MAX || !rd_take(r, (size_t)len, &p))
        return false;
    if (number == PB_SRC_IP || number == PB_DST_IP)
        return set_address(msg, number == PB_SRC_IP, p, (size_t)len);
    return hep_set_octets(msg, chunk_of[number], p, (size_t)len) == HEP_OK;
}

int decode_protobuf(const uint8_t *data, size_t len, const struct hep_options *options, struct hep_msg *msg)
{
    struct rd r;
    rd_init(&r, data, len);
    msg->frame = (struct hep_slice){ data, len };
    while (rd_left(&r) > 0) {
        size_t offset = (size_t)(r.ptr - data);
        if (!take_field(&r, msg))
            return decode_error(msg, HEP_ERR_PROTOBUF, offset);
    }
    if (!hep_has(msg, HEP_CHUNK_PAYLOAD))
        return decode_error(msg, HEP_ERR_PROTOBUF, len);
    msg->version = 0;
    return quirk_met(msg, options, HEP_QUIRK_PROTOBUF, 0);
}
