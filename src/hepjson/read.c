/* JSON to message. The JSON itself is parsed by jansson; here it is given its meaning. */
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/ip.h"
#include "base/num.h"
#include "hepjson/common.h"
#include "hepjson/hepjson.h"

/* A frame has room for no more: 65529 octets of chunks of at least 6. */
#define CHUNKS_MAX ((HEP_FRAME_MAX - HEP_HEADER_SIZE) / HEP_CHUNK_HEADER_SIZE)

/* One entry of "chunks": a reference to a field, or the chunk itself. */
struct item {
    bool raw;
    struct hep_chunk chunk; /* without a body if not raw */
};

struct hepjson_reader {
    const struct hep_registry *registry;
    json_t *root; /* owns the text that msg points to */
    struct hep_msg msg;
    struct buf scratch; /* octets that came as hex, base64 or numbers */
    char node_text[20];
    struct hep_chunk extra[HEPJSON_VENDOR_MAX];
    size_t extra_count;
    struct item *items;
    size_t item_count, item_cap;
    struct legacy_form legacy;
    bool has_legacy, has_chunks;
    struct hep_chunk *rebuilt; /* extra chunks after hepjson_rebuild() */
    uint64_t ignored;
    char ignored_example[40];
};

/* The text being parsed, for places in errors. */
struct source {
    const char *text;
    size_t len;
    struct hepjson_error *err;
};

/* ------------------------------------------------------------------------------------------------ errors */

static void place(struct hepjson_error *err, const char *text, size_t offset)
{
    err->line = 1;
    err->column = 1;
    for (size_t i = 0; i < offset; i++) {
        err->column++;
        if (text[i] == '\n') {
            err->line++;
            err->column = 1;
        }
    }
}

/* jansson keeps no places of values: the first mention of the key is where a person would look. */
static int refuse(const struct source *src, const char *key, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static int refuse(const struct source *src, const char *key, const char *format, ...)
{
    char quoted[48];
    int n = snprintf(quoted, sizeof(quoted), "\"%s\"", key);
    const char *found = n > 0 && (size_t)n < sizeof(quoted) ? memmem(src->text, src->len, quoted, (size_t)n) : NULL;
    place(src->err, src->text, found != NULL ? (size_t)(found - src->text) : 0);
    va_list args;
    va_start(args, format);
    (void)vsnprintf(src->err->text, sizeof(src->err->text), format, args);
    va_end(args);
    return -1;
}

static void ignore_key(struct hepjson_reader *r, const char *key)
{
    r->ignored++;
    if (r->ignored_example[0] == '\0')
        (void)snprintf(r->ignored_example, sizeof(r->ignored_example), "%s", key);
}

/* ------------------------------------------------------------------------------------------------ values */

/* A whole number, or one written as text, as hep-js takes it. */
static int take_number(const struct source *src, const char *key, const json_t *value, uint64_t max, uint64_t *ret)
{
    if (json_is_integer(value)) {
        json_int_t v = json_integer_value(value);
        if (v < 0 || (uint64_t)v > max)
            return refuse(src, key, "%s: %lld is not in 0..%llu", key, (long long)v, (unsigned long long)max);
        *ret = (uint64_t)v;
        return 0;
    }
    if (json_is_string(value) && num_parse(json_string_value(value), json_string_length(value), max, ret))
        return 0;
    return refuse(src, key, "%s: not a whole number in 0..%llu", key, (unsigned long long)max);
}

static uint64_t kind_max(enum hep_kind kind)
{
    switch (kind) {
    case HEP_KIND_U8:
        return UINT8_MAX;
    case HEP_KIND_U16:
        return UINT16_MAX;
    case HEP_KIND_U32:
        return UINT32_MAX;
    case HEP_KIND_U64:
    case HEP_KIND_MAC:
    case HEP_KIND_OCTETS:
    case HEP_KIND_IP4:
    case HEP_KIND_IP6:
        break;
    }
    return UINT64_MAX; /* beyond INT64_MAX, where JSON integers end here, as text */
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* "00:11:22:33:44:55" */
static int take_mac(const struct source *src, const char *key, const json_t *value, uint64_t *ret)
{
    const char *p = json_string_value(value);
    if (p == NULL || json_string_length(value) != 17)
        return refuse(src, key, "%s: not a MAC address such as 00:11:22:33:44:55", key);
    uint64_t mac = 0;
    for (unsigned i = 0; i < 17; i++) {
        int digit = hex_digit(p[i]);
        if (i % 3 == 2 ? p[i] != ':' : digit < 0)
            return refuse(src, key, "%s: not a MAC address such as 00:11:22:33:44:55", key);
        if (i % 3 != 2)
            mac = mac << 4 | (unsigned)digit;
    }
    *ret = mac;
    return 0;
}

static int take_address(struct hepjson_reader *r, const struct source *src, const char *key, const json_t *value)
{
    struct hep_addr addr;
    const char *text = json_string_value(value);
    if (text == NULL || !ip_parse(text, json_string_length(value), &addr))
        return refuse(src, key, "%s: not an IPv4 or IPv6 address", key);
    bool source = key[0] == 's';
    unsigned ip4_type = source ? HEP_CHUNK_SRC_IP4 : HEP_CHUNK_DST_IP4;
    *(source ? &r->msg.src : &r->msg.dst) = addr;
    r->msg.present |= HEP_BIT(addr.len == 4 ? ip4_type : ip4_type + 2);
    return 0;
}

static int take_text(const struct source *src, const char *key, const json_t *value, struct hep_slice *ret)
{
    if (!json_is_string(value))
        return refuse(src, key, "%s: not a string", key);
    *ret = (struct hep_slice){ (const uint8_t *)json_string_value(value), json_string_length(value) };
    return 0;
}

/* Octets of a number in network order, kept in scratch. */
static struct hep_slice keep_number(struct hepjson_reader *r, uint64_t v, size_t size)
{
    uint8_t *p = buf_space(&r->scratch, size);
    if (p == NULL)
        return (struct hep_slice){ NULL, 0 };
    for (size_t i = 0; i < size; i++)
        p[i] = (uint8_t)(v >> 8 * (size - 1 - i));
    buf_added(&r->scratch, size);
    return (struct hep_slice){ p, size };
}

static int take_hex(struct hepjson_reader *r, const struct source *src, const json_t *value, struct hep_slice *ret)
{
    const char *text = json_string_value(value);
    size_t len = json_string_length(value);
    uint8_t *p = text != NULL && len % 2 == 0 ? buf_space(&r->scratch, len / 2) : NULL;
    if (p == NULL)
        return refuse(src, "hex", "hex: not pairs of hex digits");
    for (size_t i = 0; i < len / 2; i++) {
        int high = hex_digit(text[2 * i]);
        int low = hex_digit(text[2 * i + 1]);
        if (high < 0 || low < 0)
            return refuse(src, "hex", "hex: not pairs of hex digits");
        p[i] = (uint8_t)(high << 4 | low);
    }
    buf_added(&r->scratch, len / 2);
    *ret = (struct hep_slice){ p, len / 2 };
    return 0;
}

/* ------------------------------------------------------------------------------------------------ rcinfo */

/* Names that hep-js used before 1.0.22, and still reads in part. */
static const struct {
    const char *old, *key;
} old_keys[] = {
    { "ip_family", "protocolFamily" },
    { "time_sec", "timeSeconds" },
    { "time_usec", "timeUseconds" },
    { "proto_type", "payloadType" },
};

/* Chunk type of a key of rcinfo, 0 if there is none. For addresses the IPv4 one. */
static unsigned type_of_key(const char *key)
{
    for (unsigned type = 1; type <= HEP_CHUNK_GENERIC_MAX; type++) {
        const struct hep_field *field = hep_field(type);
        if (field != NULL && field->key != NULL && strcmp(field->key, key) == 0)
            return type;
    }
    return 0;
}

static const char *current_key(const char *key, const json_t *rcinfo)
{
    for (size_t i = 0; i < sizeof(old_keys) / sizeof(old_keys[0]); i++)
        if (strcmp(key, old_keys[i].old) == 0)
            return json_object_get(rcinfo, old_keys[i].key) == NULL ? old_keys[i].key : NULL;
    return key;
}

static int take_generic(struct hepjson_reader *r, const struct source *src, const char *key, unsigned type,
                        const json_t *value)
{
    enum hep_kind kind = hep_field(type)->kind;
    struct hep_slice text = { NULL, 0 };
    uint64_t number = 0;
    switch (kind) {
    case HEP_KIND_IP4:
    case HEP_KIND_IP6:
        return take_address(r, src, key, value);
    case HEP_KIND_OCTETS:
        if (take_text(src, key, value, &text) != 0)
            return -1;
        return hep_set_octets(&r->msg, type, text.ptr, text.len);
    case HEP_KIND_MAC:
        if (take_mac(src, key, value, &number) != 0)
            return -1;
        return hep_set_number(&r->msg, type, number);
    case HEP_KIND_U8:
    case HEP_KIND_U16:
    case HEP_KIND_U32:
    case HEP_KIND_U64:
        break;
    }
    if (take_number(src, key, value, kind_max(kind), &number) != 0)
        return -1;
    return hep_set_number(&r->msg, type, number);
}

static int take_vendor(struct hepjson_reader *r, const struct source *src, const struct hep_vendor_key *key,
                       const json_t *value)
{
    struct hep_slice body = { NULL, 0 };
    uint64_t number = 0;
    if (r->extra_count == HEPJSON_VENDOR_MAX)
        return refuse(src, key->key, "more than %d vendor keys", HEPJSON_VENDOR_MAX);
    if (key->kind == HEP_KIND_OCTETS) {
        if (take_text(src, key->key, value, &body) != 0)
            return -1;
    } else {
        if (take_number(src, key->key, value, kind_max(key->kind), &number) != 0)
            return -1;
        body = keep_number(r, number, common_kind_size(key->kind));
    }
    r->extra[r->extra_count++] = (struct hep_chunk){ key->vendor, key->type, body };
    return 0;
}

static int take_rcinfo(struct hepjson_reader *r, const struct source *src, const json_t *rcinfo)
{
    const char *name;
    json_t *value;
    if (!json_is_object(rcinfo))
        return refuse(src, "rcinfo", rcinfo == NULL ? "rcinfo is missing" : "rcinfo: not an object");
    for (void *it = json_object_iter((json_t *)(uintptr_t)rcinfo); it != NULL;
         it = json_object_iter_next((json_t *)(uintptr_t)rcinfo, it)) {
        name = json_object_iter_key(it);
        value = json_object_iter_value(it);
        const char *key = current_key(name, rcinfo);
        unsigned type = key != NULL ? type_of_key(key) : 0;
        const struct hep_vendor_key *vendor = hep_registry_by_key(r->registry, name, strlen(name));
        if (json_is_null(value) || key == NULL)
            continue; /* null is how some writers say absent; an old key beside its new one says nothing */
        int rc = 0;
        if (type != 0)
            rc = take_generic(r, src, name, type, value);
        else if (vendor != NULL)
            rc = take_vendor(r, src, vendor, value);
        else
            ignore_key(r, name);
        if (rc != 0)
            return rc;
    }
    common_sort(r->extra, r->extra_count);
    return 0;
}

/* ------------------------------------------------------------------------------------------------ payload */

static int take_payload(struct hepjson_reader *r, const struct source *src, const json_t *root)
{
    const json_t *value = json_object_get(root, "payload");
    const json_t *encoding = json_object_get(root, "payloadEncoding");
    struct hep_slice text = { NULL, 0 };
    if (value == NULL || json_is_null(value))
        return 0;
    if (take_text(src, "payload", value, &text) != 0)
        return -1;
    if (encoding == NULL || json_is_null(encoding))
        return hep_set_octets(&r->msg, HEP_CHUNK_PAYLOAD, text.ptr, text.len);

    const char *name = json_string_value(encoding);
    if (name == NULL || strcmp(name, "base64") != 0)
        return refuse(src, "payloadEncoding", "payloadEncoding: only \"base64\" is known");
    struct base64_in b64 = { 0 };
    uint8_t *p = buf_space(&r->scratch, text.len + 4);
    ptrdiff_t n = p != NULL ? base64_decode(&b64, (const char *)text.ptr, text.len, p) : -1;
    ptrdiff_t rest = n >= 0 ? base64_finish(&b64, p + n) : -1;
    if (rest < 0)
        return refuse(src, "payload", "payload: not base64 at character %llu", (unsigned long long)b64.offset + 1);
    buf_added(&r->scratch, (size_t)(n + rest));
    return hep_set_octets(&r->msg, HEP_CHUNK_PAYLOAD, p, (size_t)(n + rest));
}

/* ------------------------------------------------------------------------------------------------ chunks, legacy */

static int take_item(struct hepjson_reader *r, const struct source *src, const json_t *value, struct item *item)
{
    uint64_t number = 0;
    *item = (struct item){ 0 };
    if (json_is_integer(value)) {
        if (take_number(src, "chunks", value, HEP_CHUNK_GENERIC_MAX, &number) != 0)
            return -1;
        item->chunk.type = (uint16_t)number;
        if (!hep_has(&r->msg, item->chunk.type))
            return refuse(src, "chunks", "chunks: %u stands for a key that is not there", item->chunk.type);
        return 0;
    }
    if (!json_is_object(value))
        return refuse(src, "chunks", "chunks: entries are numbers or objects with vendor, type and hex");
    item->raw = true;
    if (take_number(src, "vendor", json_object_get(value, "vendor"), UINT16_MAX, &number) != 0)
        return -1;
    item->chunk.vendor = (uint16_t)number;
    if (take_number(src, "type", json_object_get(value, "type"), UINT16_MAX, &number) != 0)
        return -1;
    item->chunk.type = (uint16_t)number;
    return take_hex(r, src, json_object_get(value, "hex"), &item->chunk.body);
}

static int take_chunks(struct hepjson_reader *r, const struct source *src, const json_t *list)
{
    if (list == NULL || json_is_null(list))
        return 0;
    size_t count = json_array_size(list);
    if (!json_is_array(list) || count == 0 || count > CHUNKS_MAX)
        return refuse(src, "chunks", "chunks: not an array of 1 to %d entries", CHUNKS_MAX);
    if (count > r->item_cap) {
        struct item *grown = realloc(r->items, count * sizeof(*grown));
        if (grown == NULL)
            return refuse(src, "chunks", "out of memory");
        r->items = grown;
        r->item_cap = count;
    }
    for (size_t i = 0; i < count; i++)
        if (take_item(r, src, json_array_get(list, i), &r->items[i]) != 0)
            return -1;
    r->item_count = count;
    r->has_chunks = true;
    return 0;
}

static int take_legacy(struct hepjson_reader *r, const struct source *src, const json_t *legacy)
{
    uint64_t number = 0;
    struct hep_slice pad = { NULL, 0 };
    if (legacy == NULL || json_is_null(legacy))
        return 0;
    r->legacy = (struct legacy_form){ 0 };
    if (take_number(src, "headerLength", json_object_get(legacy, "headerLength"), UINT8_MAX, &number) != 0)
        return -1;
    r->legacy.header_len = (uint8_t)number;
    if (take_number(src, "trailingNuls", json_object_get(legacy, "trailingNuls"), HEP_FRAME_MAX, &number) != 0)
        return -1;
    r->legacy.nuls = (size_t)number;
    const char *order = json_string_value(json_object_get(legacy, "byteOrder"));
    r->legacy.big_endian = order != NULL && strcmp(order, "big") == 0;
    if (json_object_get(legacy, "byteOrder") != NULL && !r->legacy.big_endian &&
        (order == NULL || strcmp(order, "little") != 0))
        return refuse(src, "byteOrder", "byteOrder: \"big\" or \"little\"");
    const json_t *pad_text = json_object_get(legacy, "pad");
    if (pad_text != NULL) {
        if (take_hex(r, src, pad_text, &pad) != 0)
            return -1;
        if (pad.len != 0 && pad.len != sizeof(r->legacy.pad))
            return refuse(src, "pad", "pad: 0 or 2 octets");
        r->legacy.no_pad = pad.len == 0;
        if (pad.len != 0)
            memcpy(r->legacy.pad, pad.ptr, pad.len);
    }
    r->has_legacy = true;
    return 0;
}

static int take_version(struct hepjson_reader *r, const struct source *src, const json_t *value)
{
    uint64_t version = 3;
    if (value != NULL && !json_is_null(value) && take_number(src, "version", value, 3, &version) != 0)
        return -1;
    /* 0 is what decoding calls the protobuf form; it is written as version 3. */
    r->msg.version = version == 0 ? 3 : (uint8_t)version;
    return 0;
}

static bool item_has(const struct hepjson_reader *r, const struct hep_chunk *c)
{
    for (size_t i = 0; i < r->item_count; i++) {
        const struct hep_chunk *other = &r->items[i].chunk;
        if (other->vendor == c->vendor && other->type == c->type && other->body.len == c->body.len &&
            (c->body.len == 0 || memcmp(other->body.ptr, c->body.ptr, c->body.len) == 0))
            return true;
    }
    return false;
}

/*
 * "chunks" says what is written. A key that it does not have, or has with another vendor value, was added or changed
 * by somebody who did not know that: the key has no effect, and that must not go unsaid.
 */
static void note_overruled_keys(struct hepjson_reader *r)
{
    const uint64_t source = HEP_BIT(HEP_CHUNK_SRC_IP4) | HEP_BIT(HEP_CHUNK_SRC_IP6);
    const uint64_t destination = HEP_BIT(HEP_CHUNK_DST_IP4) | HEP_BIT(HEP_CHUNK_DST_IP6);
    uint64_t written = 0;
    for (size_t i = 0; i < r->item_count; i++)
        if (r->items[i].chunk.vendor == 0 && r->items[i].chunk.type <= HEP_CHUNK_GENERIC_MAX)
            written |= HEP_BIT(r->items[i].chunk.type);
    written |= (written & source) != 0 ? source : 0; /* 16 octets in an IPv4 chunk show as IPv6 */
    written |= (written & destination) != 0 ? destination : 0;
    written |= (written & HEP_BIT(HEP_CHUNK_PAYLOAD_ZIP)) != 0 ? HEP_BIT(HEP_CHUNK_PAYLOAD) : 0;
    for (unsigned type = 1; type <= HEP_CHUNK_GENERIC_MAX; type++)
        if ((r->msg.present & ~written & HEP_BIT(type)) != 0)
            ignore_key(r, type == HEP_CHUNK_PAYLOAD ? "payload" : hep_field(type)->key);
    for (size_t i = 0; i < r->extra_count; i++)
        if (!item_has(r, &r->extra[i]))
            ignore_key(r, hep_registry_by_id(r->registry, r->extra[i].vendor, r->extra[i].type)->key);
}

static void note_unknown_keys(struct hepjson_reader *r, const json_t *root)
{
    static const char *const known[] = {
        "rcinfo", "payload", "payloadEncoding", "chunks", "version", "legacy", "meta"
    };
    for (void *it = json_object_iter((json_t *)(uintptr_t)root); it != NULL;
         it = json_object_iter_next((json_t *)(uintptr_t)root, it)) {
        size_t i = 0;
        while (i < sizeof(known) / sizeof(known[0]) && strcmp(known[i], json_object_iter_key(it)) != 0)
            i++;
        if (i == sizeof(known) / sizeof(known[0]))
            ignore_key(r, json_object_iter_key(it));
    }
}

/* ------------------------------------------------------------------------------------------------ interface */

/* Octets from hex and base64 are fewer than their characters; a number of 8 octets takes six characters at least. */
static size_t scratch_size(size_t text_len)
{
    return 2 * text_len + 64;
}

struct hepjson_reader *hepjson_reader_new(const struct hep_registry *registry)
{
    struct hepjson_reader *r = calloc(1, sizeof(*r));
    if (r == NULL)
        return NULL;
    r->registry = registry;
    buf_init(&r->scratch, scratch_size(HEPJSON_TEXT_MAX));
    return r;
}

void hepjson_reader_free(struct hepjson_reader *r)
{
    if (r == NULL)
        return;
    json_decref(r->root);
    buf_free(&r->scratch);
    free(r->items);
    free(r->rebuilt);
    free(r);
}

static void reset(struct hepjson_reader *r)
{
    json_decref(r->root);
    r->root = NULL;
    memset(&r->msg, 0, sizeof(r->msg));
    buf_reset(&r->scratch);
    r->extra_count = 0;
    r->item_count = 0;
    r->has_chunks = false;
    r->has_legacy = false;
}

static int parse(struct hepjson_reader *r, const struct source *src)
{
    json_error_t json_err;
    if (src->len > HEPJSON_TEXT_MAX)
        return refuse(src, "", "longer than %u octets", HEPJSON_TEXT_MAX);
    /* All that scratch will hold, so that it never moves: slices point into it. */
    if (buf_space(&r->scratch, scratch_size(src->len)) == NULL)
        return refuse(src, "", "out of memory");
    r->root = json_loadb(src->text, src->len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &json_err);
    if (r->root == NULL) {
        src->err->line = json_err.line > 0 ? (unsigned)json_err.line : 1;
        src->err->column = json_err.column > 0 ? (unsigned)json_err.column : 1;
        (void)snprintf(src->err->text, sizeof(src->err->text), "%s", json_err.text);
        return -1;
    }
    if (!json_is_object(r->root))
        return refuse(src, "", "not a JSON object");
    return 0;
}

int hepjson_read(struct hepjson_reader *r, const char *text, size_t len, struct hepjson_error *err)
{
    struct source src = { text, len, err };
    reset(r);
    if (parse(r, &src) != 0 || take_version(r, &src, json_object_get(r->root, "version")) != 0 ||
        take_rcinfo(r, &src, json_object_get(r->root, "rcinfo")) != 0 || take_payload(r, &src, r->root) != 0 ||
        take_chunks(r, &src, json_object_get(r->root, "chunks")) != 0 ||
        take_legacy(r, &src, json_object_get(r->root, "legacy")) != 0)
        return -1;
    note_unknown_keys(r, r->root);
    if (r->has_chunks && r->msg.version == 3)
        note_overruled_keys(r);
    r->msg.extra = r->extra;
    r->msg.extra_count = r->extra_count;
    if (!r->has_chunks && r->msg.version == 3)
        common_defaults(&r->msg, r->node_text);
    return 0;
}

struct hep_msg *hepjson_msg(struct hepjson_reader *r)
{
    return &r->msg;
}

/* A registered chunk is not in rcinfo if its body does not suit its key: a number of another size, bad UTF-8. */
static bool has_vendor_key(const struct hepjson_reader *r, const struct hep_chunk *c)
{
    for (size_t i = 0; i < r->extra_count; i++)
        if (r->extra[i].vendor == c->vendor && r->extra[i].type == c->type)
            return true;
    return false;
}

void hepjson_rebuild(struct hepjson_reader *r)
{
    r->has_legacy = false;
    if (!r->has_chunks)
        return;
    /* Chunks without a field come along behind the vendor keys that rcinfo has. */
    struct hep_chunk *extra = realloc(r->rebuilt, (r->extra_count + r->item_count + 1) * sizeof(*extra));
    if (extra == NULL)
        return;
    r->rebuilt = extra;
    size_t count = r->extra_count;
    memcpy(extra, r->extra, count * sizeof(*extra));
    for (size_t i = 0; i < r->item_count; i++) {
        const struct hep_chunk *c = &r->items[i].chunk;
        bool in_rcinfo = c->vendor == 0 ? hep_field(c->type) != NULL : has_vendor_key(r, c);
        if (r->items[i].raw && !in_rcinfo)
            extra[count++] = *c;
    }
    r->has_chunks = false;
    r->msg.extra = extra;
    r->msg.extra_count = count;
    common_defaults(&r->msg, r->node_text);
}

static int encode_items(struct hepjson_reader *r, uint8_t *buf, size_t cap, size_t *ret_len)
{
    struct hep_writer w;
    hep_writer_begin(&w, buf, cap);
    for (size_t i = 0; i < r->item_count; i++) {
        const struct hep_chunk *c = &r->items[i].chunk;
        if (r->items[i].raw)
            hep_writer_chunk(&w, c->vendor, c->type, c->body.ptr, c->body.len);
        else
            hep_writer_field(&w, &r->msg, c->type);
    }
    return hep_writer_end(&w, ret_len);
}

int hepjson_encode(struct hepjson_reader *r, uint8_t *buf, size_t cap, size_t *ret_len)
{
    if (r->scratch.failed)
        return HEP_ERR_NO_MEMORY;
    if (r->msg.version != 3 && r->has_legacy)
        return common_legacy_encode(&r->msg, &r->legacy, buf, cap, ret_len);
    return r->has_chunks && r->msg.version == 3 ? encode_items(r, buf, cap, ret_len)
                                                : hep_encode(&r->msg, buf, cap, ret_len);
}

uint64_t hepjson_ignored_keys(const struct hepjson_reader *r)
{
    return r->ignored;
}

const char *hepjson_ignored_example(const struct hepjson_reader *r)
{
    return r->ignored_example;
}
