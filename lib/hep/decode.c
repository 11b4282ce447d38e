/* Version 3: one pass over the chunks. Versions 1 and 2 are in legacy.c, heplify's protobuf form in protobuf.c. */
#include "hep/decode.h"

#include <string.h>

#include "hep/fields.h"
#include "hep/rd.h"

static const struct hep_options default_options = { .tolerate = HEP_TOLERATE_DEFAULT };

int quirk_met(struct hep_msg *msg, const struct hep_options *options, uint32_t bits, size_t offset)
{
    msg->quirks |= bits;
    if ((bits & ~options->tolerate) == 0)
        return HEP_OK;
    msg->error_offset = offset;
    return HEP_ERR_QUIRK;
}

int decode_error(struct hep_msg *msg, int error, size_t offset)
{
    msg->error_offset = offset;
    return error;
}

static const uint8_t mapped_prefix[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

/*
 * Addresses. The standard form is 4 octets in chunk 3/4 and 16 in 5/6; senders also put 16 octets into 3/4, either an
 * IPv4 address in mapped form (HFP) or a real IPv6 one (Homer's importer), and could put 4 into 5/6.
 */
static uint32_t decode_address(struct hep_msg *msg, unsigned type, struct hep_slice body)
{
    bool source = type == HEP_CHUNK_SRC_IP4 || type == HEP_CHUNK_SRC_IP6;
    bool ip4_chunk = type == HEP_CHUNK_SRC_IP4 || type == HEP_CHUNK_DST_IP4;
    struct hep_addr *addr = source ? &msg->src : &msg->dst;
    uint64_t ip4_bit = source ? HEP_BIT(HEP_CHUNK_SRC_IP4) : HEP_BIT(HEP_CHUNK_DST_IP4);
    uint64_t ip6_bit = source ? HEP_BIT(HEP_CHUNK_SRC_IP6) : HEP_BIT(HEP_CHUNK_DST_IP6);

    uint32_t quirks = 0;
    if (body.len != 4 && body.len != 16)
        return HEP_QUIRK_CHUNK_IGNORED;
    if (body.len != (ip4_chunk ? 4u : 16u))
        quirks |= HEP_QUIRK_ODD_SIZE;
    if (ip4_chunk && body.len == 16 && memcmp(body.ptr, mapped_prefix, sizeof(mapped_prefix)) == 0) {
        body.ptr += 12;
        body.len = 4;
    }
    if ((msg->present & (ip4_bit | ip6_bit)) != 0)
        quirks |= HEP_QUIRK_DUPLICATE_CHUNK;
    msg->present &= ~(ip4_bit | ip6_bit);
    msg->present |= body.len == 4 ? ip4_bit : ip6_bit;
    addr->len = (uint8_t)body.len;
    memcpy(addr->octets, body.ptr, body.len);
    return quirks;
}

/* A number of any width from 1 to 8 octets that fits the field; a MAC may be its bare 6 octets. */
static uint32_t decode_odd_number(struct hep_msg *msg, unsigned type, struct hep_slice body)
{
    if (body.len == 0 || body.len > 8)
        return HEP_QUIRK_CHUNK_IGNORED;
    uint64_t value = 0;
    for (size_t i = 0; i < body.len; i++)
        value = value << 8 | body.ptr[i];
    return hep_set_number(msg, type, value) == HEP_OK ? HEP_QUIRK_ODD_SIZE : HEP_QUIRK_CHUNK_IGNORED;
}

/* Stores one generic chunk; returns the quirks met. A chunk that is ignored leaves the field as it was. */
static inline uint32_t decode_generic(struct hep_msg *msg, unsigned type, struct hep_slice body)
{
    const struct hep_field *field = &hep_fields[type];
    void *at = field_at_mut(msg, type);
    uint32_t quirks = (msg->present >> type & 1) != 0 ? (uint32_t)HEP_QUIRK_DUPLICATE_CHUNK : 0;

    switch (field->kind) {
    case HEP_KIND_OCTETS:
        *(struct hep_slice *)at = body;
        break;
    case HEP_KIND_U8:
        if (body.len != 1)
            return quirks | decode_odd_number(msg, type, body);
        *(uint8_t *)at = body.ptr[0];
        break;
    case HEP_KIND_U16:
        if (body.len != 2)
            return quirks | decode_odd_number(msg, type, body);
        *(uint16_t *)at = be16_load(body.ptr);
        break;
    case HEP_KIND_U32:
        if (body.len != 4)
            return quirks | decode_odd_number(msg, type, body);
        *(uint32_t *)at = be32_load(body.ptr);
        break;
    case HEP_KIND_U64:
        if (body.len != 8)
            return quirks | decode_odd_number(msg, type, body);
        *(uint64_t *)at = be64_load(body.ptr);
        break;
    case HEP_KIND_MAC:
        /* The top 16 bits carry nothing (HEP3 spec, chunk 0x0014); a sender that fills them means something else. */
        if (body.len != 8 || be16_load(body.ptr) != 0)
            return quirks | decode_odd_number(msg, type, body);
        *(uint64_t *)at = be64_load(body.ptr);
        break;
    case HEP_KIND_IP4:
        if (body.len == 4 && quirks == 0 && (msg->present >> (type + 2) & 1) == 0) {
            struct hep_addr *addr = at;
            addr->len = 4;
            memcpy(addr->octets, body.ptr, 4);
            break;
        }
        return decode_address(msg, type, body);
    case HEP_KIND_IP6:
        return decode_address(msg, type, body);
    }
    msg->present |= HEP_BIT(type);
    return quirks;
}

static uint32_t unknown_generic(unsigned type)
{
    return type == 0 ? HEP_QUIRK_TYPE_ZERO : HEP_QUIRK_UNKNOWN_CHUNK;
}

static int decode_chunks(struct rd *r, const struct hep_options *options, struct hep_msg *msg)
{
    while (rd_left(r) > 0) {
        size_t offset = (size_t)(r->ptr - msg->frame.ptr);
        const uint8_t *header;
        if (!rd_take(r, HEP_CHUNK_HEADER_SIZE, &header))
            return decode_error(msg, HEP_ERR_CHUNK_HEADER, offset);
        uint32_t vendor_type = be32_load(header);
        size_t len = be16_load(header + 4);
        if (len < HEP_CHUNK_HEADER_SIZE)
            return decode_error(msg, HEP_ERR_CHUNK_LENGTH, offset + 4);
        struct hep_slice body = { NULL, len - HEP_CHUNK_HEADER_SIZE };
        if (!rd_take(r, body.len, &body.ptr))
            return decode_error(msg, HEP_ERR_CHUNK_OVERRUN, offset + 4);

        /* Types are only unique within their vendor: a vendor chunk must never touch a generic field. */
        uint32_t quirks = 0;
        if (vendor_type <= HEP_CHUNK_GENERIC_MAX && field_known(vendor_type))
            quirks = decode_generic(msg, vendor_type, body);
        else if (vendor_type <= UINT16_MAX)
            quirks = unknown_generic(vendor_type);
        if (quirks != 0 && quirk_met(msg, options, quirks, offset) != HEP_OK)
            return HEP_ERR_QUIRK;
    }
    return HEP_OK;
}

/* What is absent can be said only after the last chunk. */
static int check_whole(const struct hep_options *options, size_t input_len, struct hep_msg *msg)
{
    const uint64_t addresses = HEP_BIT(HEP_CHUNK_SRC_IP4) | HEP_BIT(HEP_CHUNK_DST_IP4) | HEP_BIT(HEP_CHUNK_SRC_IP6) |
                               HEP_BIT(HEP_CHUNK_DST_IP6);
    const uint64_t payload = HEP_BIT(HEP_CHUNK_PAYLOAD) | HEP_BIT(HEP_CHUNK_PAYLOAD_ZIP);
    uint32_t quirks = 0;
    if ((msg->present & addresses) == 0)
        quirks |= HEP_QUIRK_ADDRESSES_MISSING;
    if ((msg->present & HEP_BIT(HEP_CHUNK_TIME_SEC)) == 0)
        quirks |= HEP_QUIRK_TIME_MISSING;
    if ((msg->present & payload) == 0)
        quirks |= HEP_QUIRK_PAYLOAD_MISSING;
    if (msg->family != HEP_FAMILY_IP4 && msg->family != HEP_FAMILY_IP6)
        quirks |= HEP_QUIRK_FAMILY_UNKNOWN;
    if (input_len > msg->frame.len)
        quirks |= HEP_QUIRK_TRAILING_OCTETS;
    return quirks == 0 ? HEP_OK : quirk_met(msg, options, quirks, msg->frame.len);
}

static int decode_v3(const uint8_t *data, size_t len, const struct hep_options *options, struct hep_msg *msg)
{
    struct rd r;
    rd_init(&r, data, len);
    rd_skip(&r, 4); /* the magic */
    size_t total = rd_u16(&r);
    if (r.bad)
        return decode_error(msg, HEP_ERR_SHORT, len);
    if (total < HEP_HEADER_SIZE)
        return decode_error(msg, HEP_ERR_TOTAL_LENGTH, 4);
    if (total > len)
        return decode_error(msg, HEP_ERR_TRUNCATED, len);
    if (total == HEP_HEADER_SIZE)
        return decode_error(msg, HEP_ERR_EMPTY, total);

    msg->version = 3;
    msg->frame = (struct hep_slice){ data, total };
    struct rd chunks;
    (void)rd_sub(&r, total - HEP_HEADER_SIZE, &chunks);
    int rc = decode_chunks(&chunks, options, msg);
    return rc == HEP_OK ? check_whole(options, len, msg) : rc;
}

int hep_decode(const uint8_t *data, size_t len, const struct hep_options *options, struct hep_msg *msg)
{
    static const uint8_t magic[4] = { 'H', 'E', 'P', '3' };

    memset(msg, 0, sizeof(*msg));
    if (options == NULL)
        options = &default_options;
    if (len == 0)
        return decode_error(msg, HEP_ERR_SHORT, 0);
    if (len >= sizeof(magic) && memcmp(data, magic, sizeof(magic)) == 0)
        return decode_v3(data, len, options, msg);
    if (data[0] == 1 || data[0] == 2)
        return decode_legacy(data, len, options, msg);
    if (data[0] == PROTOBUF_FIRST_OCTET)
        return decode_protobuf(data, len, options, msg);
    return decode_error(msg, len < sizeof(magic) && memcmp(data, magic, len) == 0 ? HEP_ERR_SHORT : HEP_ERR_MAGIC, 0);
}

/* True if the rest of a datagram is a message of its own, judged by decoding it. */
static bool follower_ok(const struct hep_datagram *it, const struct hep_options *options)
{
    struct hep_msg ignored;
    return it->pos < it->len && it->data[it->pos] == 'H' &&
           hep_decode(it->data + it->pos, it->len - it->pos, options, &ignored) == HEP_OK;
}

int hep_datagram_next(struct hep_datagram *it, const struct hep_options *options, struct hep_msg *msg)
{
    if (options == NULL)
        options = &default_options;
    if (it->pos > 0 && it->pos >= it->len)
        return HEP_NEED_MORE;
    size_t start = it->pos;
    /* Trailing octets are judged below, when it is known whether they are a message. */
    struct hep_options lenient = { options->tolerate | HEP_QUIRK_TRAILING_OCTETS };
    int rc = hep_decode(it->data + start, it->len - start, &lenient, msg);
    if (rc != HEP_OK) {
        msg->error_offset += start;
        it->pos = it->len > 0 ? it->len : 1;
        return rc;
    }
    it->pos += msg->frame.len;
    if (it->pos == it->len) {
        /* The octets that a version 1/2 message drops lie inside its frame. */
        bool dropped = (msg->quirks & HEP_QUIRK_TRAILING_OCTETS & ~options->tolerate) != 0;
        return dropped ? decode_error(msg, HEP_ERR_QUIRK, it->len) : HEP_OK;
    }
    size_t rest = it->pos;
    uint32_t quirk = HEP_QUIRK_TRAILING_OCTETS;
    if (follower_ok(it, &lenient)) {
        msg->quirks &= ~quirk;
        quirk = HEP_QUIRK_EXTRA_MESSAGES;
    }
    rc = quirk_met(msg, options, quirk, rest);
    if (rc != HEP_OK || quirk == HEP_QUIRK_TRAILING_OCTETS)
        it->pos = it->len;
    return rc;
}

bool hep_chunk_next(const struct hep_msg *msg, size_t *pos, struct hep_chunk *chunk)
{
    if (msg->version != 3)
        return false;
    struct rd r;
    rd_init(&r, msg->frame.ptr, msg->frame.len);
    rd_skip(&r, *pos < HEP_HEADER_SIZE ? HEP_HEADER_SIZE : *pos);
    chunk->vendor = rd_u16(&r);
    chunk->type = rd_u16(&r);
    size_t len = rd_u16(&r);
    if (r.bad || len < HEP_CHUNK_HEADER_SIZE)
        return false;
    chunk->body.len = len - HEP_CHUNK_HEADER_SIZE;
    if (!rd_take(&r, chunk->body.len, &chunk->body.ptr))
        return false;
    *pos = (size_t)(r.ptr - msg->frame.ptr);
    return true;
}

bool hep_auth_equal(const struct hep_msg *msg, const uint8_t *key, size_t key_len)
{
    if (!hep_has(msg, HEP_CHUNK_AUTH_KEY) || msg->auth_key.len != key_len)
        return false;
    unsigned difference = 0;
    for (size_t i = 0; i < key_len; i++)
        difference |= (unsigned)(msg->auth_key.ptr[i] ^ key[i]);
    return difference == 0;
}
