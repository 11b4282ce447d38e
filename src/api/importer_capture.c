/* Bodies of imports that are captures: SIP, RTCP and HEP in them become frames. */
#include <stdio.h>
#include <stdlib.h>

#include "api/importer_internal.h"
#include "capture/pcap_in.h"

#define HEP_PORT_FIRST 9060 /* as `hepcat import` looks for HEP unless it is told other ports */
#define HEP_PORT_LAST  9063
#define EXTRA_MAX      256 /* chunks without a field in a frame that is built anew */

struct converting {
    struct buf *frames;
    struct importer_result *result;
    struct ports ports;
    bool done; /* no more can be taken */
};

bool import_is_capture(struct hep_slice body)
{
    return pcap_in_probe(body.ptr, body.len);
}

/* Each is counted; the first is told, too. */
static void note_bad(struct converting *c, uint64_t packet, const char *text)
{
    if (c->result->bad++ == 0)
        (void)errmsg_set(&c->result->capture_error, "packet %llu: %s", (unsigned long long)packet, text);
}

static void put_frame(struct converting *c, const uint8_t *frame, size_t len)
{
    buf_put(c->frames, frame, len);
    c->done = c->frames->failed;
}

static void on_message(void *arg, uint64_t packet, struct hep_msg *msg)
{
    struct converting *c = arg;
    size_t len;
    uint8_t *to = buf_space(c->frames, HEP_FRAME_MAX);
    if (to == NULL) {
        c->done = true;
        return;
    }
    int rc = hep_encode(msg, to, HEP_FRAME_MAX, &len);
    if (rc == HEP_OK)
        buf_added(c->frames, len);
    else
        note_bad(c, packet, hep_strerror(rc));
}

static void on_frame(void *arg, uint64_t packet, struct hep_msg *msg)
{
    (void)packet;
    put_frame(arg, msg->frame.ptr, msg->frame.len);
}

static void on_rebuild(void *arg, uint64_t packet, struct hep_msg *msg)
{
    struct converting *c = arg;
    struct hep_chunk extra[EXTRA_MAX];
    msg->extra_count = messages_extra_chunks(msg, extra, EXTRA_MAX);
    msg->extra = extra;
    if (msg->extra_count > EXTRA_MAX)
        note_bad(c, packet, "more vendor chunks than can be kept");
    else
        on_message(c, packet, msg);
    msg->extra = NULL;
    msg->extra_count = 0;
}

static void on_bad(void *arg, uint64_t packet, const char *text)
{
    note_bad(arg, packet, text);
}

enum importer_status import_capture(struct buf *frames, struct hep_slice body, struct importer_result *r,
                                    struct errmsg *err)
{
    struct errmsg why = { "" };
    struct converting *c = calloc(1, sizeof(*c));
    if (c == NULL) {
        (void)errmsg_set(err, "out of memory");
        return IMPORTER_NO_MEMORY;
    }
    *c = (struct converting){ .frames = frames, .result = r };
    for (unsigned port = HEP_PORT_FIRST; port <= HEP_PORT_LAST; port++)
        ports_add(&c->ports, (uint16_t)port);
    const struct messages_options o = {
        .hep_ports = &c->ports,
        .done = &c->done,
        .message = on_message,
        .frame = on_frame,
        .rebuild = on_rebuild,
        .bad = on_bad,
        .arg = c,
    };
    r->capture = true;
    int rc = messages_read_memory(body, &o, &r->counts, &why);
    bool too_large = c->done;
    free(c);
    if (too_large) {
        (void)errmsg_set(err, "it holds more messages than one request may: send it in pieces");
        return IMPORTER_TOO_LARGE;
    }
    if (rc == 0)
        return IMPORTER_DONE;
    (void)errmsg_set(err, "%s", why.text);
    r->bad++;
    if (r->capture_error.text[0] == '\0')
        r->capture_error = why;
    return frames->len > 0 ? IMPORTER_DONE : IMPORTER_NO_CAPTURE;
}
