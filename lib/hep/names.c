/* Tables of names: fields, errors, quirks, payload types, vendors, vendor keys. */
#include "hep/fields.h"

#include <string.h>

#define FIELD(type, json_key, kind_name, member)                                                                       \
    [type] = { json_key, HEP_KIND_##kind_name, offsetof(struct hep_msg, member) }

const struct hep_field hep_fields[HEP_CHUNK_GENERIC_MAX + 1] = {
    FIELD(HEP_CHUNK_FAMILY, "protocolFamily", U8, family),
    FIELD(HEP_CHUNK_PROTOCOL, "protocol", U8, protocol),
    FIELD(HEP_CHUNK_SRC_IP4, "srcIp", IP4, src),
    FIELD(HEP_CHUNK_DST_IP4, "dstIp", IP4, dst),
    FIELD(HEP_CHUNK_SRC_IP6, "srcIp", IP6, src),
    FIELD(HEP_CHUNK_DST_IP6, "dstIp", IP6, dst),
    FIELD(HEP_CHUNK_SRC_PORT, "srcPort", U16, src_port),
    FIELD(HEP_CHUNK_DST_PORT, "dstPort", U16, dst_port),
    FIELD(HEP_CHUNK_TIME_SEC, "timeSeconds", U32, time_sec),
    FIELD(HEP_CHUNK_TIME_USEC, "timeUseconds", U32, time_usec),
    FIELD(HEP_CHUNK_PAYLOAD_TYPE, "payloadType", U8, payload_type),
    FIELD(HEP_CHUNK_CAPTURE_ID, "captureId", U32, capture_id),
    FIELD(HEP_CHUNK_KEEPALIVE, "keepAliveTimer", U16, keepalive),
    FIELD(HEP_CHUNK_AUTH_KEY, "capturePass", OCTETS, auth_key),
    FIELD(HEP_CHUNK_PAYLOAD, NULL, OCTETS, payload),
    FIELD(HEP_CHUNK_PAYLOAD_ZIP, NULL, OCTETS, payload_zip),
    FIELD(HEP_CHUNK_CORRELATION_ID, "correlation_id", OCTETS, correlation_id),
    FIELD(HEP_CHUNK_VLAN, "vlan", U16, vlan),
    FIELD(HEP_CHUNK_NODE_NAME, "hepNodeName", OCTETS, node_name),
    FIELD(HEP_CHUNK_SRC_MAC, "srcMac", MAC, src_mac),
    FIELD(HEP_CHUNK_DST_MAC, "dstMac", MAC, dst_mac),
    FIELD(HEP_CHUNK_ETHERTYPE, "etherType", U16, ethertype),
    FIELD(HEP_CHUNK_TCP_FLAGS, "tcpFlags", U8, tcp_flags),
    FIELD(HEP_CHUNK_IP_TOS, "ipTos", U8, ip_tos),
    FIELD(HEP_CHUNK_MOS, "mos", U16, mos),
    FIELD(HEP_CHUNK_R_FACTOR, "rFactor", U16, r_factor),
    FIELD(HEP_CHUNK_GEO, "geoLocation", OCTETS, geo),
    FIELD(HEP_CHUNK_JITTER, "jitter", U32, jitter),
    FIELD(HEP_CHUNK_TRANSACTION_TYPE, "transaction_type", OCTETS, transaction_type),
    FIELD(HEP_CHUNK_JSON_KEYS, "payloadJsonKeys", OCTETS, json_keys),
    FIELD(HEP_CHUNK_TAGS, "tagValues", OCTETS, tags),
    FIELD(HEP_CHUNK_TAG_TYPE, "tagType", U16, tag_type),
    FIELD(HEP_CHUNK_EVENT_TYPE, "eventType", U16, event_type),
    FIELD(HEP_CHUNK_GROUP_ID, "groupId", OCTETS, group_id),
};

const struct hep_field *hep_field(unsigned chunk_type)
{
    return field_known(chunk_type) ? &hep_fields[chunk_type] : NULL;
}

const char *hep_strerror(int result)
{
    switch (result) {
    case HEP_OK:
        return "no error";
    case HEP_NEED_MORE:
        return "more octets needed";
    case HEP_ERR_MAGIC:
        return "not a HEP message: neither \"HEP3\" nor a version 1 or 2 header";
    case HEP_ERR_SHORT:
        return "input ends inside the fixed header";
    case HEP_ERR_TOTAL_LENGTH:
        return "total length is smaller than the header";
    case HEP_ERR_TRUNCATED:
        return "message is cut: total length is larger than the input";
    case HEP_ERR_EMPTY:
        return "header without any chunk";
    case HEP_ERR_CHUNK_HEADER:
        return "chunk header is cut";
    case HEP_ERR_CHUNK_LENGTH:
        return "chunk length is smaller than the chunk header";
    case HEP_ERR_CHUNK_OVERRUN:
        return "chunk runs past the total length";
    case HEP_ERR_FAMILY:
        return "unknown address family and header length";
    case HEP_ERR_NO_PAYLOAD:
        return "no payload behind the header";
    case HEP_ERR_QUIRK:
        return "deviation from the specification that is not tolerated";
    case HEP_ERR_PROTOBUF:
        return "malformed protobuf message";
    case HEP_ERR_TOO_LONG:
        return "message does not fit 65535 octets";
    case HEP_ERR_NO_SPACE:
        return "output buffer is too small";
    case HEP_ERR_ARGUMENT:
        return "value that the wire cannot carry";
    case HEP_ERR_FRAME_LIMIT:
        return "frame is larger than the reader's buffer";
    case HEP_ERR_FULL:
        return "registry is full";
    case HEP_ERR_DUPLICATE:
        return "key is registered already";
    case HEP_ERR_INFLATE:
        return "not a whole zlib, gzip or deflate stream";
    case HEP_ERR_INFLATE_LIMIT:
        return "inflates beyond the limit";
    case HEP_ERR_NO_MEMORY:
        return "out of memory";
    default:
        return "unknown error";
    }
}

/* In the order of the bits of enum hep_quirk. */
static const char *const quirk_names[HEP_QUIRK_COUNT] = {
    "trailing_octets",    "extra_messages",    "duplicate_chunk",   "chunk_ignored",    "odd_size",
    "type_zero",          "unknown_chunk",     "addresses_missing", "time_missing",     "payload_missing",
    "family_unknown",     "v2_big_endian",     "v2_short_header",   "header_length",    "protobuf",
    "time_received",      "time_swapped",      "time_ntp",          "time_clamped",     "capture_id_shifted",
    "protocol_tls",       "ports_swapped",     "correlation_cut",   "compressed_zlib",  "compressed_gzip",
    "compressed_deflate", "decompress_failed", "gzip_envelope",     "time_implausible",
};

static bool text_is(const char *text, const char *other, size_t other_len)
{
    return strlen(text) == other_len && memcmp(text, other, other_len) == 0;
}

const char *hep_quirk_name(uint32_t bit)
{
    for (unsigned i = 0; i < HEP_QUIRK_COUNT; i++)
        if (bit == UINT32_C(1) << i)
            return quirk_names[i];
    return NULL;
}

uint32_t hep_quirk_bit(const char *name, size_t len)
{
    for (unsigned i = 0; i < HEP_QUIRK_COUNT; i++)
        if (text_is(quirk_names[i], name, len))
            return UINT32_C(1) << i;
    return 0;
}

/* HEP3 spec, "Protocol types", by number; names as Homer and heplify print them where they have one. */
static const struct {
    uint8_t number;
    const char *name;
} type_names[] = {
    { 1, "sip" },    { 2, "xmpp" },    { 3, "sdp" },       { 4, "rtp" },       { 5, "rtcp" },        { 6, "mgcp" },
    { 7, "megaco" }, { 8, "m2ua" },    { 9, "m3ua" },      { 10, "iax" },      { 11, "h3222" },      { 12, "h321" },
    { 13, "m2pa" },  { 32, "rtpqos" }, { 34, "rtpagent" }, { 35, "rtcpxr" },   { 38, "horaclifix" }, { 50, "sipjson" },
    { 53, "dns" },   { 54, "isup" },   { 55, "rtsp" },     { 56, "diameter" }, { 57, "map" },        { 58, "rtcppion" },
    { 60, "cdr" },   { 61, "verto" },  { 100, "log" },
};

const char *hep_type_name(uint8_t payload_type)
{
    for (size_t i = 0; i < sizeof(type_names) / sizeof(type_names[0]); i++)
        if (type_names[i].number == payload_type)
            return type_names[i].name;
    return NULL;
}

int hep_type_number(const char *name, size_t len)
{
    for (size_t i = 0; i < sizeof(type_names) / sizeof(type_names[0]); i++)
        if (text_is(type_names[i].name, name, len))
            return type_names[i].number;
    return -1;
}

const char *hep_vendor_name(uint16_t vendor)
{
    /* HEP3 spec, "Vendor ids". */
    static const char *const names[] = { "generic", "FreeSWITCH", "Kamailio", "OpenSIPS", "Asterisk",
                                         "Homer",   "SipXecs",    "Yeti",     "Genesys" };
    return vendor < sizeof(names) / sizeof(names[0]) ? names[vendor] : NULL;
}

/* The vendor chunks that are documented in public (Genesys, in the README of hep-js). */
static const struct hep_vendor_key builtin_keys[] = {
    { 8, 0x80, HEP_KIND_OCTETS, "conversationId" }, { 8, 0x81, HEP_KIND_OCTETS, "organizationId" },
    { 8, 0x82, HEP_KIND_OCTETS, "siteId" },         { 8, 0x83, HEP_KIND_OCTETS, "trunkBaseId" },
    { 8, 0x84, HEP_KIND_OCTETS, "edgeId" },
};
#define BUILTIN_COUNT (sizeof(builtin_keys) / sizeof(builtin_keys[0]))

static const struct hep_vendor_key *find_id(const struct hep_vendor_key *keys, size_t count, uint16_t vendor,
                                            uint16_t type)
{
    for (size_t i = 0; i < count; i++)
        if (keys[i].vendor == vendor && keys[i].type == type)
            return &keys[i];
    return NULL;
}

static const struct hep_vendor_key *find_key(const struct hep_vendor_key *keys, size_t count, const char *key,
                                             size_t len)
{
    for (size_t i = 0; i < count; i++)
        if (text_is(keys[i].key, key, len))
            return &keys[i];
    return NULL;
}

const struct hep_vendor_key *hep_registry_by_id(const struct hep_registry *r, uint16_t vendor, uint16_t type)
{
    const struct hep_vendor_key *found = r != NULL ? find_id(r->keys, r->count, vendor, type) : NULL;
    if (found == NULL && (r == NULL || !r->no_builtin))
        found = find_id(builtin_keys, BUILTIN_COUNT, vendor, type);
    return found;
}

const struct hep_vendor_key *hep_registry_by_key(const struct hep_registry *r, const char *key, size_t len)
{
    const struct hep_vendor_key *found = r != NULL ? find_key(r->keys, r->count, key, len) : NULL;
    if (found != NULL || (r != NULL && r->no_builtin))
        return found;
    found = find_key(builtin_keys, BUILTIN_COUNT, key, len);
    /* A built-in key whose chunk was given another name is no longer its name. */
    if (found != NULL && r != NULL && find_id(r->keys, r->count, found->vendor, found->type) != NULL)
        return NULL;
    return found;
}

static bool generic_key_taken(const char *key, size_t len)
{
    for (unsigned type = 0; type <= HEP_CHUNK_GENERIC_MAX; type++)
        if (hep_fields[type].key != NULL && text_is(hep_fields[type].key, key, len))
            return true;
    return false;
}

int hep_registry_add(struct hep_registry *r, const struct hep_vendor_key *key)
{
    if (key->vendor == 0 || key->key == NULL || key->key[0] == '\0' || key->kind > HEP_KIND_U64)
        return HEP_ERR_ARGUMENT;
    size_t len = strlen(key->key);
    if (generic_key_taken(key->key, len) || find_key(r->keys, r->count, key->key, len) != NULL ||
        find_id(r->keys, r->count, key->vendor, key->type) != NULL)
        return HEP_ERR_DUPLICATE;
    const struct hep_vendor_key *builtin = r->no_builtin ? NULL : find_key(builtin_keys, BUILTIN_COUNT, key->key, len);
    if (builtin != NULL && (builtin->vendor != key->vendor || builtin->type != key->type))
        return HEP_ERR_DUPLICATE;
    if (r->count >= r->cap)
        return HEP_ERR_FULL;
    r->keys[r->count++] = *key;
    return HEP_OK;
}
