#include "cmd/decode_pcap.h"

#include <stdlib.h>
#include <string.h>

#include "cmd/read_capture.h"

/* Streams that may wait inside a frame at the same time; each then holds 64 KiB. */
#define PARTIAL_MAX 4096

struct reading {
    struct decoder *d;
    struct origin *from;
    const struct ports *ports;
    size_t partial;   /* flows that hold a buffer */
    uint64_t seen;    /* datagrams and stream octets on the ports */
    uint64_t skipped; /* octets of streams passed over in search of a frame */
};

/*
 * One direction of a HEP connection. A capture may begin in mid-stream or lack packets; then the stream is `lost`
 * until a segment begins with a frame, which is where nearly all senders begin their writes.
 */
struct flow_state {
    struct reading *r;
    struct hep_stream stream;
    uint8_t *buf;    /* NULL while nothing waits */
    uint64_t offset; /* octets of the stream before the buffer was taken */
    bool lost;
};

static void origin_time(struct reading *r, uint32_t sec, uint32_t usec, const struct hep_addr *addr, uint16_t port,
                        const char *transport)
{
    r->from->meta.time = (struct wall_time){ sec, usec };
    r->from->meta.transport = transport;
    r->from->meta.peer = *addr;
    r->from->meta.peer_port = port;
}

static void on_udp(void *arg, const struct dgram *dgram)
{
    struct reading *r = arg;
    if (!ports_has(r->ports, dgram->dst_port) && !ports_has(r->ports, dgram->src_port))
        return;
    r->seen++;
    origin_time(r, dgram->sec, dgram->usec, &dgram->src, dgram->src_port, "udp");
    if (!r->d->done)
        decoder_datagram(r->d, dgram->payload.ptr, dgram->payload.len, r->from);
}

/* ------------------------------------------------------------------------------------------------ TCP */

static void release_buffer(struct flow_state *f)
{
    if (f->buf == NULL)
        return;
    free(f->buf);
    f->buf = NULL;
    f->r->partial--;
}

static void flow_free(void *user)
{
    struct flow_state *f = user;
    release_buffer(f);
    free(f);
}

static struct flow_state *flow_state(struct reading *r, struct tcp_flow *flow)
{
    if (flow->user == NULL) {
        struct flow_state *f = calloc(1, sizeof(*f));
        if (f == NULL)
            return NULL;
        f->r = r;
        f->lost = flow->midstream;
        flow->user = f;
        flow->user_free = flow_free;
    }
    return flow->user;
}

static bool take_buffer(struct flow_state *f)
{
    if (f->buf != NULL)
        return true;
    f->buf = f->r->partial < PARTIAL_MAX ? malloc(HEP_FRAME_MAX) : NULL;
    if (f->buf == NULL)
        return false;
    f->r->partial++;
    hep_stream_init(&f->stream, f->buf, HEP_FRAME_MAX);
    return true;
}

/* Drops what waits; the stream has to be found again. */
static void lose(struct flow_state *f, int error)
{
    if (f->buf != NULL) {
        size_t held = f->stream.end - f->stream.start;
        if (error != HEP_ERR_TRUNCATED || held > 0)
            decoder_bad(f->r->d, f->r->from, error, f->offset + f->stream.offset);
        f->offset += f->stream.offset + held;
    }
    release_buffer(f);
    f->lost = true;
}

/* Octets of the stream that are not looked into. */
static void pass_over(struct reading *r, struct flow_state *f, size_t len)
{
    r->skipped += len;
    if (f != NULL)
        f->offset += len;
}

static bool starts_frame(const uint8_t *data, size_t len)
{
    static const uint8_t magic[4] = { 'H', 'E', 'P', '3' };
    return memcmp(data, magic, len < sizeof(magic) ? len : sizeof(magic)) == 0;
}

static void on_data(void *arg, struct tcp_flow *flow, const uint8_t *data, size_t len, uint32_t sec, uint32_t usec)
{
    struct reading *r = arg;
    if (!ports_has(r->ports, flow->dst_port) || r->d->done || len == 0)
        return;
    struct flow_state *f = flow_state(r, flow);
    r->seen++;
    origin_time(r, sec, usec, &flow->src, flow->src_port, "tcp");
    if (f == NULL || (f->lost && !starts_frame(data, len)) || !take_buffer(f)) {
        pass_over(r, f, len);
        return;
    }
    f->lost = false;
    while (len > 0 && !r->d->done) {
        struct hep_slice frame;
        size_t n = hep_stream_push(&f->stream, data, len);
        data += n;
        len -= n;
        int rc;
        while ((rc = hep_stream_next(&f->stream, &frame)) == HEP_OK)
            decoder_frame(r->d, frame.ptr, frame.len, r->from);
        if (rc != HEP_NEED_MORE) {
            lose(f, rc);
            pass_over(r, f, len);
            return;
        }
    }
    if (f->stream.start == f->stream.end) { /* nothing waits: the everyday case at the end of a segment */
        f->offset += f->stream.offset;
        release_buffer(f);
    }
}

static void on_gap(void *arg, struct tcp_flow *flow, size_t missing)
{
    struct reading *r = arg;
    struct flow_state *f = ports_has(r->ports, flow->dst_port) ? flow_state(r, flow) : NULL;
    if (f == NULL)
        return;
    lose(f, HEP_ERR_TRUNCATED);
    f->offset += missing;
}

static void on_close(void *arg, struct tcp_flow *flow, enum tcp_close why)
{
    (void)arg;
    (void)why;
    if (flow->user != NULL)
        lose(flow->user, HEP_ERR_TRUNCATED);
}

/* ------------------------------------------------------------------------------------------------ all */

static void nothing_found(const struct reading *r)
{
    if (r->seen == 0 && r->from->number > 0)
        report_note(r->d->report, "%s: %llu packets, none on a HEP port (--hep-port names them)", r->from->name,
                    (unsigned long long)r->from->number);
    if (r->skipped != 0)
        report_note(r->d->report, "%s: %llu octets of TCP passed over in search of a frame", r->from->name,
                    (unsigned long long)r->skipped);
}

void decode_pcap(struct decoder *d, struct input *in, struct origin *from, const struct ports *hep_ports)
{
    struct reading r = { .d = d, .from = from, .ports = hep_ports };
    const struct capture_reading reading = {
        .in = in,
        .name = from->name,
        .options = {
            .on_udp = on_udp,
            .udp_arg = &r,
            .tcp_callbacks = { .on_data = on_data, .on_gap = on_gap, .on_close = on_close, .arg = &r },
        },
        .report = d->report,
        .done = &d->done,
        .packet = &from->number,
    };
    struct errmsg err = { "" };
    from->unit = "packet";
    if (read_capture(&reading, &err) != 0) {
        d->bad++;
        report_error(d->report, "%s: %s", from->name, err.text);
    } else {
        nothing_found(&r);
    }
}
