#include "cmd/decode_file.h"

#include <jansson.h>
#include <string.h>

#include "base/base64.h"
#include "base/input.h"
#include "base/json_texts.h"
#include "cmd/decode_pcap.h"
#include "cmd/detect.h"
#include "cmd/read_frames.h"

/* The longest line of base64 or JSON: a body of some MiB in base64 in JSON. */
#define LINE_MAX_SIZE (16u << 20)

/* ------------------------------------------------------------------------------------------------ raw frames */

struct file_reading {
    struct decoder *d;
    struct origin *from;
};

static void take_frame(void *arg, const uint8_t *frame, size_t len, uint64_t offset)
{
    const struct file_reading *f = arg;
    f->from->number = offset;
    decoder_frame(f->d, frame, len, f->from);
}

static void take_single(void *arg, const uint8_t *data, size_t len, uint64_t offset)
{
    const struct file_reading *f = arg;
    (void)offset;
    decoder_datagram(f->d, data, len, f->from);
}

static void decode_raw(struct decoder *d, struct input *in, struct origin *from, bool single)
{
    struct file_reading f = { d, from };
    const struct frame_reading reading = { in, &d->done, single ? take_single : take_frame, &f };
    uint64_t offset;
    from->unit = single ? NULL : "offset";
    int rc = single ? read_single(&reading, &offset) : read_frames(&reading, &offset);
    from->unit = NULL;
    if (rc != HEP_OK)
        decoder_bad(d, from, rc, offset);
}

/* ------------------------------------------------------------------------------------------------ base64 */

int base64_body(const char *text, size_t len, struct buf *out, struct errmsg *err)
{
    struct base64_in b64 = { 0 };
    buf_reset(out);
    uint8_t *to = buf_space(out, len + 4);
    if (to == NULL)
        return errmsg_set(err, "too long");
    ptrdiff_t n = base64_decode(&b64, text, len, to);
    ptrdiff_t rest = n >= 0 ? base64_finish(&b64, to + n) : -1;
    if (rest < 0)
        return errmsg_set(err, "not base64 at character %llu", (unsigned long long)b64.offset + 1);
    buf_added(out, (size_t)(n + rest));
    return 0;
}

/* State of a base64 file: texts of one message a line, or one text wrapped over many lines. */
struct base64_file {
    struct base64_in b64;
    struct buf octets; /* decoded and not yet a whole message */
};

/*
 * Octets at the front that can be decoded: whole frames, and everything if what follows them is no frame, which is for
 * the decoder to judge. A started frame waits for its rest.
 */
static size_t decodable(const struct base64_file *f)
{
    struct hep_stream s = { .buf = f->octets.ptr, .cap = HEP_FRAME_MAX, .end = f->octets.len };
    struct hep_slice frame;
    int rc;
    while ((rc = hep_stream_next(&s, &frame)) == HEP_OK)
        ;
    bool between_texts = f->b64.count == 0 && !f->b64.padded;
    return rc == HEP_NEED_MORE || !between_texts ? s.start : f->octets.len;
}

static void base64_line(struct decoder *d, struct base64_file *f, const char *text, size_t len, struct origin *from)
{
    f->b64.offset = 0;
    uint8_t *to = buf_space(&f->octets, len + 4);
    ptrdiff_t n = to != NULL ? base64_decode(&f->b64, text, len, to) : -1;
    if (n < 0) {
        d->bad++;
        report_error(d->report, "%s: line %llu, column %llu: %s", from->name, (unsigned long long)from->number,
                     (unsigned long long)f->b64.offset + 1, to != NULL ? "not base64" : "message is too long");
        f->b64 = (struct base64_in){ 0 };
        buf_reset(&f->octets);
        return;
    }
    buf_added(&f->octets, (size_t)n);
    size_t whole = decodable(f);
    if (whole == 0)
        return;
    (void)decoder_body(d, f->octets.ptr, whole, from);
    buf_drop(&f->octets, whole);
}

/* The last text may lack its padding, and a wrapped one may be cut. */
static void base64_end(struct decoder *d, struct base64_file *f, struct origin *from)
{
    uint8_t *to = buf_space(&f->octets, 4);
    ptrdiff_t n = to != NULL ? base64_finish(&f->b64, to) : -1;
    if (n > 0)
        buf_added(&f->octets, (size_t)n);
    if (f->octets.len > 0)
        (void)decoder_body(d, f->octets.ptr, f->octets.len, from);
}

/* ------------------------------------------------------------------------------------------------ lines */

int gateway_event(const char *text, size_t len, struct buf *out, struct errmsg *err)
{
    json_error_t json_err;
    json_t *root = json_loadb(text, len, JSON_ALLOW_NUL, &json_err);
    int rc = -1;
    if (root == NULL)
        return errmsg_set(err, "line %d, column %d: %s", json_err.line, json_err.column, json_err.text);
    const json_t *body = json_object_get(root, "body");
    if (json_is_string(body)) {
        bool encoded = json_is_true(json_object_get(root, "isBase64Encoded"));
        buf_reset(out);
        if (encoded)
            rc = base64_body(json_string_value(body), json_string_length(body), out, err);
        else
            buf_put(out, json_string_value(body), json_string_length(body)), rc = 0;
        /* A client may have sent base64 itself, whatever the gateway made of it. */
        if (rc == 0 && detect_octets(out->ptr, out->len) == INPUT_BASE64) {
            struct buf inner;
            buf_init(&inner, out->max);
            rc = base64_body((const char *)out->ptr, out->len, &inner, err);
            buf_free(out);
            *out = inner;
        }
    } else if (json_object_get(root, "rcinfo") != NULL) {
        errmsg_set(err, "this is decoded HEP already (it has \"rcinfo\"): `hepcat encode` reads it");
    } else {
        errmsg_set(err, "JSON without a \"body\": not the event of an API gateway");
    }
    json_decref(root);
    return rc;
}

static void event_text(struct decoder *d, struct buf *body, const char *text, size_t len, struct origin *from)
{
    struct errmsg err;
    if (gateway_event(text, len, body, &err) == 0) {
        (void)decoder_body(d, body->ptr, body->len, from);
        return;
    }
    d->bad++;
    report_error(d->report, "%s: line %llu: %s", from->name, (unsigned long long)from->number, err.text);
}

static void decode_lines(struct decoder *d, struct input *in, struct origin *from, enum input_kind kind)
{
    struct json_texts texts;
    struct base64_file b64 = { 0 };
    struct buf body;
    const char *text;
    size_t len;
    int rc = 1;
    json_texts_init(&texts, in, LINE_MAX_SIZE);
    buf_init(&b64.octets, LINE_MAX_SIZE);
    buf_init(&body, LINE_MAX_SIZE);
    from->unit = "line";
    while (!d->done && (rc = json_texts_next(&texts, &text, &len, &from->number)) != 0 && rc != -1) {
        if (rc == -2) {
            d->bad++;
            report_error(d->report, "%s: line %llu: longer than %u octets", from->name,
                         (unsigned long long)from->number, LINE_MAX_SIZE);
        } else if (kind == INPUT_JSON) {
            event_text(d, &body, text, len, from);
        } else {
            base64_line(d, &b64, text, len, from);
        }
    }
    if (!d->done)
        base64_end(d, &b64, from);
    buf_free(&body);
    buf_free(&b64.octets);
    json_texts_free(&texts);
}

/* ------------------------------------------------------------------------------------------------ all */

static void flush(void *arg)
{
    (void)decoder_flush(arg);
}

void decode_file(struct decoder *d, const char *path, const struct ports *hep_ports)
{
    const struct input_wait wait = { .on_wait = flush, .arg = d };
    struct errmsg err = { "" };
    struct input *in;
    if (input_open(&in, path, &wait, &err) != 0) {
        d->bad++;
        report_error(d->report, "%s", err.text);
        return;
    }
    struct origin from = { .name = input_name(in), .meta = { .transport = "file" } };
    int kind = detect_input(in);
    switch (kind) {
    case INPUT_EMPTY:
        break;
    case INPUT_CAPTURE:
        decode_pcap(d, in, &from, hep_ports);
        break;
    case INPUT_FRAMES:
        decode_raw(d, in, &from, false);
        break;
    case INPUT_DATAGRAM:
        decode_raw(d, in, &from, true);
        break;
    case INPUT_BASE64:
    case INPUT_JSON:
        decode_lines(d, in, &from, (enum input_kind)kind);
        break;
    case INPUT_UNKNOWN:
        d->bad++;
        report_error(d->report, "%s: neither HEP frames nor pcap, pcapng, base64 or an API gateway's JSON", from.name);
        break;
    default:
        break;
    }
    if (input_error(in)[0] != '\0') {
        d->bad++;
        report_error(d->report, "%s", input_error(in));
    }
    input_close(in);
}
