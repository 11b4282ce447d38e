#include "hepjson/common.h"

#include <string.h>

#include "base/num.h"

#define EVERYDAY_NUMBERS                                                                                               \
    (HEP_BIT(HEP_CHUNK_FAMILY) | HEP_BIT(HEP_CHUNK_PROTOCOL) | HEP_BIT(HEP_CHUNK_SRC_PORT) |                           \
     HEP_BIT(HEP_CHUNK_DST_PORT) | HEP_BIT(HEP_CHUNK_TIME_SEC) | HEP_BIT(HEP_CHUNK_TIME_USEC) |                        \
     HEP_BIT(HEP_CHUNK_PAYLOAD_TYPE) | HEP_BIT(HEP_CHUNK_CAPTURE_ID))

/* The loopback address of the family that the other side has. */
static void default_address(struct hep_msg *msg, struct hep_addr *addr, const struct hep_addr *other, unsigned ip4_type)
{
    if (addr->len != 0)
        return;
    bool ip6 = other->len == 16;
    *addr = ip6 ? (struct hep_addr){ .len = 16, .octets = { [15] = 1 } }
                : (struct hep_addr){ .len = 4, .octets = { 127, 0, 0, 1 } };
    msg->present |= HEP_BIT(ip6 ? ip4_type + 2 : ip4_type);
}

void common_defaults(struct hep_msg *msg, char node_text[20])
{
    default_address(msg, &msg->src, &msg->dst, HEP_CHUNK_SRC_IP4);
    default_address(msg, &msg->dst, &msg->src, HEP_CHUNK_DST_IP4);
    /* hep-js would write family 0; receivers that go by it would lose the message. */
    if (!hep_has(msg, HEP_CHUNK_FAMILY))
        msg->family = msg->src.len == 4 ? HEP_FAMILY_IP4 : HEP_FAMILY_IP6;
    msg->present |= EVERYDAY_NUMBERS;
    if (msg->node_name.len == 0)
        (void)hep_set_octets(msg, HEP_CHUNK_NODE_NAME, node_text, num_format(msg->capture_id, node_text));
    if (msg->correlation_id.len == 0)
        msg->present &= ~HEP_BIT(HEP_CHUNK_CORRELATION_ID);
    if (msg->transaction_type.len == 0)
        msg->present &= ~HEP_BIT(HEP_CHUNK_TRANSACTION_TYPE);
    if ((msg->payload_type == 32 || msg->payload_type == HEP_TYPE_RTP_SHORT_REPORT) &&
        hep_has(msg, HEP_CHUNK_CORRELATION_ID))
        msg->present |= HEP_BIT(HEP_CHUNK_MOS);
}

size_t common_kind_size(enum hep_kind kind)
{
    switch (kind) {
    case HEP_KIND_U8:
        return 1;
    case HEP_KIND_U16:
        return 2;
    case HEP_KIND_U32:
        return 4;
    case HEP_KIND_U64:
    case HEP_KIND_MAC:
        return 8;
    case HEP_KIND_OCTETS:
    case HEP_KIND_IP4:
    case HEP_KIND_IP6:
        break;
    }
    return 0;
}

void common_sort(struct hep_chunk *chunks, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        struct hep_chunk c = chunks[i];
        uint32_t key = (uint32_t)c.vendor << 16 | c.type;
        size_t j = i;
        for (; j > 0 && ((uint32_t)chunks[j - 1].vendor << 16 | chunks[j - 1].type) > key; j--)
            chunks[j] = chunks[j - 1];
        chunks[j] = c;
    }
}

struct legacy_form common_legacy_form(const struct hep_msg *msg)
{
    struct legacy_form form = {
        .header_len = msg->header_len,
        .big_endian = (msg->quirks & HEP_QUIRK_V2_BIG_ENDIAN) != 0,
        .no_pad = (msg->quirks & HEP_QUIRK_V2_SHORT_HEADER) != 0,
        .pad = { msg->v2_pad[0], msg->v2_pad[1] },
    };
    const uint8_t *payload_end = msg->payload.ptr + msg->payload.len;
    const uint8_t *frame_end = msg->frame.ptr + msg->frame.len;
    form.nuls = payload_end <= frame_end ? (size_t)(frame_end - payload_end) : 0;
    return form;
}

static void put_be(uint8_t *p, uint32_t v, unsigned octets)
{
    for (unsigned i = 0; i < octets; i++)
        p[i] = (uint8_t)(v >> 8 * (octets - 1 - i));
}

int common_legacy_encode(const struct hep_msg *msg, const struct legacy_form *form, uint8_t *buf, size_t cap,
                         size_t *ret_len)
{
    size_t len;
    int rc = hep_encode(msg, buf, cap, &len);
    if (rc != HEP_OK)
        return rc;
    if (form->nuls > HEP_FRAME_MAX - len)
        return HEP_ERR_TOO_LONG;
    if (form->nuls > cap - len)
        return HEP_ERR_NO_SPACE;
    buf[1] = form->header_len;
    if (msg->version == 2) {
        uint8_t *time = buf + 8 + 2 * (size_t)msg->src.len;
        if (form->big_endian) {
            put_be(time, msg->time_sec, 4);
            put_be(time + 4, msg->time_usec, 4);
            put_be(time + 8, msg->capture_id, 2);
        }
        memcpy(time + 10, form->pad, sizeof(form->pad));
        if (form->no_pad) {
            memmove(time + 10, time + 12, msg->payload.len);
            len -= 2;
        }
    }
    memset(buf + len, 0, form->nuls);
    *ret_len = len + form->nuls;
    return HEP_OK;
}
