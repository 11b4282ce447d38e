#include <string.h>

#include "base/ip.h"
#include "base/json_out.h"
#include "base/utf8.h"
#include "hepjson/common.h"
#include "hepjson/hepjson.h"

/* Order of the keys of rcinfo: that of hep-js, then the fields that it does not know. */
static const uint8_t key_order[] = {
    HEP_CHUNK_FAMILY,
    HEP_CHUNK_PROTOCOL,
    HEP_CHUNK_SRC_IP4,
    HEP_CHUNK_SRC_IP6,
    HEP_CHUNK_DST_IP4,
    HEP_CHUNK_DST_IP6,
    HEP_CHUNK_SRC_PORT,
    HEP_CHUNK_DST_PORT,
    HEP_CHUNK_TIME_SEC,
    HEP_CHUNK_TIME_USEC,
    HEP_CHUNK_PAYLOAD_TYPE,
    HEP_CHUNK_CAPTURE_ID,
    HEP_CHUNK_AUTH_KEY,
    HEP_CHUNK_NODE_NAME,
    HEP_CHUNK_CORRELATION_ID,
    HEP_CHUNK_MOS,
    HEP_CHUNK_TRANSACTION_TYPE,
    HEP_CHUNK_KEEPALIVE,
    HEP_CHUNK_VLAN,
    HEP_CHUNK_SRC_MAC,
    HEP_CHUNK_DST_MAC,
    HEP_CHUNK_ETHERTYPE,
    HEP_CHUNK_TCP_FLAGS,
    HEP_CHUNK_IP_TOS,
    HEP_CHUNK_R_FACTOR,
    HEP_CHUNK_GEO,
    HEP_CHUNK_JITTER,
    HEP_CHUNK_JSON_KEYS,
    HEP_CHUNK_TAGS,
    HEP_CHUNK_TAG_TYPE,
    HEP_CHUNK_EVENT_TYPE,
    HEP_CHUNK_GROUP_ID,
};

/* A vendor chunk that shows under its key in rcinfo. */
struct named {
    const struct hep_vendor_key *key;
    struct hep_slice body;
};

struct writer {
    struct buf *out;
    const struct hep_msg *msg;
    const struct hepjson_options *options;
    struct named named[HEPJSON_VENDOR_MAX];
    size_t named_count;
    bool complete; /* rcinfo and payload say all that the frame said */
};

/* ------------------------------------------------------------------------------------------------ vendor chunks */

/* Notes one vendor chunk; false if it cannot show in rcinfo and must stand in "chunks". */
static bool note_vendor(struct writer *w, const struct hep_chunk *c)
{
    const struct hep_vendor_key *key = hep_registry_by_id(w->options->registry, c->vendor, c->type);
    if (key == NULL || w->named_count == HEPJSON_VENDOR_MAX)
        return false;
    if (key->kind == HEP_KIND_OCTETS ? !utf8_valid(c->body.ptr, c->body.len)
                                     : c->body.len != common_kind_size(key->kind))
        return false;
    for (size_t i = 0; i < w->named_count; i++) {
        if (w->named[i].key == key) { /* repeated: the last one shows */
            w->named[i].body = c->body;
            return false;
        }
    }
    w->named[w->named_count++] = (struct named){ key, c->body };
    return true;
}

static void note_chunks(struct writer *w)
{
    struct hep_chunk c;
    for (size_t pos = 0; hep_chunk_next(w->msg, &pos, &c);) {
        bool shown = c.vendor == 0 ? hep_field(c.type) != NULL : note_vendor(w, &c);
        w->complete = w->complete && shown;
    }
}

static uint64_t number_of(struct hep_slice body)
{
    uint64_t v = 0;
    for (size_t i = 0; i < body.len; i++)
        v = v << 8 | body.ptr[i];
    return v;
}

static void write_named(struct writer *w, bool *first)
{
    for (size_t i = 0; i < w->named_count; i++) {
        const struct named *n = &w->named[i];
        if (!*first)
            buf_putc(w->out, ',');
        *first = false;
        json_out_text(w->out, n->key->key);
        buf_putc(w->out, ':');
        if (n->key->kind == HEP_KIND_OCTETS) {
            (void)json_out_string(w->out, n->body.ptr, n->body.len);
            continue;
        }
        /* Most readers of JSON, ours among them, know no integers beyond 63 bits: those are written as text. */
        uint64_t v = number_of(n->body);
        const char *quote = v > INT64_MAX ? "\"" : "";
        buf_puts(w->out, quote);
        json_out_number(w->out, v);
        buf_puts(w->out, quote);
    }
}

/* ------------------------------------------------------------------------------------------------ rcinfo */

static void write_mac(struct buf *out, uint64_t mac)
{
    static const char digits[] = "0123456789abcdef";
    char text[19] = "\"00:00:00:00:00:00\"";
    for (unsigned i = 0; i < 12; i++)
        text[1 + i + i / 2] = digits[mac >> (44 - 4 * i) & 15];
    buf_put(out, text, sizeof(text));
}

static void write_address(struct buf *out, const struct hep_addr *addr)
{
    char text[IP_TEXT_MAX + 2] = "\"";
    size_t len = ip_format(addr, text + 1);
    text[len + 1] = '"';
    buf_put(out, text, len + 2);
}

static void write_field(struct writer *w, unsigned type)
{
    const struct hep_field *field = hep_field(type);
    switch (field->kind) {
    case HEP_KIND_IP4:
    case HEP_KIND_IP6:
        write_address(w->out, field->key[0] == 's' ? &w->msg->src : &w->msg->dst);
        return;
    case HEP_KIND_MAC:
        write_mac(w->out, hep_get_number(w->msg, type));
        return;
    case HEP_KIND_OCTETS:
        break;
    case HEP_KIND_U8:
    case HEP_KIND_U16:
    case HEP_KIND_U32:
    case HEP_KIND_U64:
        json_out_number(w->out, hep_get_number(w->msg, type));
        return;
    }
    struct hep_slice text = hep_get_octets(w->msg, type);
    w->complete &= json_out_string(w->out, text.ptr, text.len);
}

static void write_rcinfo(struct writer *w)
{
    bool first = true;
    buf_puts(w->out, "{\"rcinfo\":{");
    for (size_t i = 0; i < sizeof(key_order); i++) {
        if (!hep_has(w->msg, key_order[i]))
            continue;
        json_out_key(w->out, &first, hep_field(key_order[i])->key);
        write_field(w, key_order[i]);
    }
    write_named(w, &first);
    buf_putc(w->out, '}');
}

static void write_payload(struct writer *w)
{
    const struct hep_slice *payload = &w->msg->payload;
    if (!hep_has(w->msg, HEP_CHUNK_PAYLOAD) && !hep_has(w->msg, HEP_CHUNK_PAYLOAD_ZIP))
        return;
    size_t before = w->out->len;
    buf_puts(w->out, ",\"payload\":");
    if (json_out_string(w->out, payload->ptr, payload->len) || w->out->failed)
        return;
    /* Not UTF-8: text would lose octets. */
    w->out->len = before;
    buf_puts(w->out, ",\"payload\":");
    json_out_base64(w->out, payload->ptr, payload->len);
    buf_puts(w->out, ",\"payloadEncoding\":\"base64\"");
}

/* ------------------------------------------------------------------------------------------------ the rest */

/*
 * True if encoding the plain JSON gives exactly this frame: tried, not deduced, so that it cannot drift from what the
 * reader does.
 */
static bool plain_gives_frame(const struct writer *w)
{
    struct hep_chunk extra[HEPJSON_VENDOR_MAX];
    char node_text[20];
    uint8_t frame[HEP_FRAME_MAX];
    struct hep_msg msg = *w->msg;
    if (hep_has(&msg, HEP_CHUNK_PAYLOAD_ZIP))
        return false;
    for (size_t i = 0; i < w->named_count; i++)
        extra[i] = (struct hep_chunk){ w->named[i].key->vendor, w->named[i].key->type, w->named[i].body };
    common_sort(extra, w->named_count);
    msg.extra = extra;
    msg.extra_count = w->named_count;
    common_defaults(&msg, node_text);
    size_t len;
    return hep_encoded_size(&msg) == msg.frame.len && hep_encode(&msg, frame, sizeof(frame), &len) == HEP_OK &&
           memcmp(frame, msg.frame.ptr, len) == 0;
}

/*
 * True if the chunk says no more and no less than its key in rcinfo (or "payload"): then "chunks" gives its number
 * only. The body must be what encoding the field gives, and the text must be UTF-8, or JSON could not carry it.
 */
static bool field_says_it(const struct hep_msg *msg, const struct hep_chunk *c)
{
    if (c->vendor != 0 || !hep_has(msg, c->type) || c->type == HEP_CHUNK_PAYLOAD_ZIP)
        return false;
    struct hep_slice text;
    uint8_t number[8];
    switch (hep_field(c->type)->kind) {
    case HEP_KIND_OCTETS:
        text = hep_get_octets(msg, c->type);
        return text.ptr == c->body.ptr && text.len == c->body.len &&
               (c->type == HEP_CHUNK_PAYLOAD || utf8_valid(text.ptr, text.len));
    case HEP_KIND_IP4:
    case HEP_KIND_IP6: {
        bool source = c->type == HEP_CHUNK_SRC_IP4 || c->type == HEP_CHUNK_SRC_IP6;
        const struct hep_addr *addr = source ? &msg->src : &msg->dst;
        return addr->len == c->body.len && memcmp(addr->octets, c->body.ptr, addr->len) == 0;
    }
    case HEP_KIND_U8:
    case HEP_KIND_U16:
    case HEP_KIND_U32:
    case HEP_KIND_U64:
    case HEP_KIND_MAC:
        break;
    }
    uint64_t v = hep_get_number(msg, c->type);
    size_t size = common_kind_size(hep_field(c->type)->kind);
    for (size_t i = 0; i < size; i++)
        number[i] = (uint8_t)(v >> 8 * (size - 1 - i));
    return c->body.len == size && memcmp(number, c->body.ptr, size) == 0;
}

static void write_chunks(struct writer *w)
{
    struct hep_chunk c;
    bool first = true;
    buf_puts(w->out, ",\"chunks\":[");
    for (size_t pos = 0; hep_chunk_next(w->msg, &pos, &c);) {
        if (!first)
            buf_putc(w->out, ',');
        first = false;
        if (field_says_it(w->msg, &c)) {
            json_out_number(w->out, c.type);
            continue;
        }
        buf_printf(w->out, "{\"vendor\":%u,\"type\":%u,\"hex\":", c.vendor, c.type);
        json_out_hex(w->out, c.body.ptr, c.body.len);
        buf_putc(w->out, '}');
    }
    buf_putc(w->out, ']');
}

static void write_legacy(struct writer *w)
{
    uint8_t frame[HEP_FRAME_MAX];
    size_t len;
    buf_printf(w->out, ",\"version\":%u", w->msg->version);
    if (w->msg->version == 0)
        return;
    if (hep_encode(w->msg, frame, sizeof(frame), &len) == HEP_OK && len == w->msg->frame.len &&
        memcmp(frame, w->msg->frame.ptr, len) == 0)
        return;
    struct legacy_form form = common_legacy_form(w->msg);
    buf_printf(w->out, ",\"legacy\":{\"headerLength\":%u", form.header_len);
    if (w->msg->version == 2)
        buf_printf(w->out, ",\"byteOrder\":\"%s\",\"pad\":", form.big_endian ? "big" : "little");
    if (w->msg->version == 2)
        json_out_hex(w->out, form.pad, form.no_pad ? 0 : sizeof(form.pad));
    buf_printf(w->out, ",\"trailingNuls\":%zu}", form.nuls);
}

static void write_quirks(struct buf *out, uint32_t quirks)
{
    bool first = true;
    buf_puts(out, ",\"quirks\":[");
    for (uint32_t left = quirks; left != 0; left &= left - 1) {
        if (!first)
            buf_putc(out, ',');
        first = false;
        json_out_text(out, hep_quirk_name(left & -left));
    }
    buf_putc(out, ']');
}

static void write_meta(struct writer *w, const struct hepjson_meta *meta)
{
    char text[CLOCK_TEXT_MAX];
    bool first = true;
    buf_puts(w->out, ",\"meta\":{");
    if (meta->time.sec != 0) {
        (void)clock_format(meta->time, text);
        json_out_key(w->out, &first, "received");
        json_out_text(w->out, text);
    }
    if (meta->transport != NULL) {
        json_out_key(w->out, &first, "transport");
        json_out_text(w->out, meta->transport);
    }
    if (meta->peer.len != 0) {
        json_out_key(w->out, &first, "peerIp");
        write_address(w->out, &meta->peer);
        json_out_key(w->out, &first, "peerPort");
        json_out_number(w->out, meta->peer_port);
    }
    json_out_key(w->out, &first, "version");
    json_out_number(w->out, w->msg->version);
    if (w->msg->quirks != 0)
        write_quirks(w->out, w->msg->quirks);
    buf_putc(w->out, '}');
}

void hepjson_write(struct buf *out, const struct hep_msg *msg, const struct hepjson_options *options,
                   const struct hepjson_meta *meta)
{
    struct writer w;
    w.out = out;
    w.msg = msg;
    w.options = options;
    w.named_count = 0;
    w.complete = true;

    note_chunks(&w);
    write_rcinfo(&w);
    write_payload(&w);
    if (!options->plain) {
        if (msg->version != 3)
            write_legacy(&w);
        else if (!w.complete || !plain_gives_frame(&w))
            write_chunks(&w);
    }
    if (meta != NULL)
        write_meta(&w, meta);
    buf_putc(out, '}');
}
