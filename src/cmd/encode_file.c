#include "cmd/encode_file.h"

#include <stdio.h>
#include <string.h>

#include "base/input.h"
#include "base/json_texts.h"
#include "cmd/detect.h"
#include "cmd/encode_pcap.h"
#include "cmd/read_frames.h"
#include "hepjson/hepjson.h"

/* ------------------------------------------------------------------------------------------------ JSON */

static void encode_text(struct encoder *e, struct hepjson_reader *r, const char *name, const char *text, size_t len,
                        uint64_t line)
{
    struct hepjson_error err = { 0 };
    char where[256];
    if (hepjson_read(r, text, len, &err) != 0) {
        (void)snprintf(where, sizeof(where), "%s: line %llu, column %u", name, (unsigned long long)line + err.line - 1,
                       err.column);
        encoder_bad(e, where, "%s", err.text);
        return;
    }
    (void)snprintf(where, sizeof(where), "%s: line %llu", name, (unsigned long long)line);
    struct hep_msg *msg = hepjson_msg(r);
    if (encoder_changes(e)) {
        hepjson_rebuild(r);
        encoder_message(e, msg, where);
        return;
    }
    uint8_t frame[HEP_FRAME_MAX];
    size_t frame_len;
    int rc = hepjson_encode(r, frame, sizeof(frame), &frame_len);
    if (rc != HEP_OK)
        encoder_refused(e, where, rc, msg);
    else
        encoder_frame(e, frame, frame_len, msg);
}

static void encode_json(struct encoder *e, struct input *in, const char *name, const struct hep_registry *registry)
{
    struct json_texts texts;
    const char *text;
    size_t len;
    uint64_t line;
    int rc = 1;
    struct hepjson_reader *r = hepjson_reader_new(registry);
    if (r == NULL) {
        encoder_bad(e, name, "out of memory");
        return;
    }
    json_texts_init(&texts, in, HEPJSON_TEXT_MAX);
    while (!e->done && (rc = json_texts_next(&texts, &text, &len, &line)) != 0 && rc != -1) {
        if (rc == 1)
            encode_text(e, r, name, text, len, line);
        else
            encoder_bad(e, name, "line %llu: longer than %u octets", (unsigned long long)line, HEPJSON_TEXT_MAX);
    }
    if (hepjson_ignored_keys(r) != 0)
        report_note(e->report, "%s: %llu keys were left out: unknown, or overruled by \"chunks\", such as \"%s\"", name,
                    (unsigned long long)hepjson_ignored_keys(r), hepjson_ignored_example(r));
    json_texts_free(&texts);
    hepjson_reader_free(r);
}

/* ------------------------------------------------------------------------------------------------ frames */

static void relay(struct encoder *e, const uint8_t *data, size_t len, const char *where)
{
    struct hep_msg msg;
    int rc = hep_decode(data, len, NULL, &msg);
    if (rc != HEP_OK) {
        encoder_bad(e, where, "%s, at octet %zu", hep_strerror(rc), msg.error_offset);
        return;
    }
    e->counts.hep++;
    if (encoder_changes(e))
        encoder_rebuild(e, &msg, where);
    else
        encoder_frame(e, msg.frame.ptr, msg.frame.len, &msg);
}

struct relaying {
    struct encoder *e;
    const char *name;
};

static void relay_frame(void *arg, const uint8_t *frame, size_t len, uint64_t offset)
{
    const struct relaying *r = arg;
    char where[256];
    (void)snprintf(where, sizeof(where), "%s: offset %llu", r->name, (unsigned long long)offset);
    relay(r->e, frame, len, where);
}

static void relay_raw(struct encoder *e, struct input *in, const char *name, bool single)
{
    struct relaying r = { e, name };
    const struct frame_reading reading = { in, &e->done, relay_frame, &r };
    uint64_t offset;
    int rc = single ? read_single(&reading, &offset) : read_frames(&reading, &offset);
    if (rc != HEP_OK)
        encoder_bad(e, name, "%s, at octet %llu", hep_strerror(rc), (unsigned long long)offset);
}

/* ------------------------------------------------------------------------------------------------ all */

static void flush(void *arg)
{
    encoder_flush(arg);
}

void encode_file(struct encoder *e, const char *path, const struct hep_registry *registry)
{
    const struct input_wait wait = {
        .on_wait = flush, .arg = e, .stop = e->stop, .on_read = e->on_read, .read_arg = e->read_arg
    };
    struct errmsg err = { "" };
    struct input *in;
    if (input_open(&in, path, &wait, &err) != 0) {
        e->bad++;
        report_error(e->report, "%s", err.text);
        return;
    }
    const char *name = input_name(in);
    switch (detect_input(in)) {
    case INPUT_EMPTY:
        break;
    case INPUT_CAPTURE:
        encode_pcap(e, in, name);
        break;
    case INPUT_FRAMES:
        relay_raw(e, in, name, false);
        break;
    case INPUT_DATAGRAM:
        relay_raw(e, in, name, true);
        break;
    case INPUT_UNKNOWN: /* most likely meant to be JSON: its parser says where it is wrong */
        if (e->known_only) {
            encoder_bad(e, name, "neither pcap, pcapng, HEP frames nor JSON of HEP");
            break;
        }
        encode_json(e, in, name, registry);
        break;
    case INPUT_JSON:
        encode_json(e, in, name, registry);
        break;
    case INPUT_BASE64:
        encoder_bad(e, name, "base64 of frames: `hepcat decode --format raw %s` makes frames of it", path);
        break;
    default:
        break;
    }
    if (input_error(in)[0] != '\0') {
        e->bad++;
        report_error(e->report, "%s", input_error(in));
    }
    input_close(in);
}
