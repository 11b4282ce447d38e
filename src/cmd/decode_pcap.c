#include "cmd/decode_pcap.h"

#include "capture/hep_flow.h"
#include "capture/read_capture.h"

struct reading {
    struct decoder *d;
    struct origin *from;
    const struct ports *ports;
    struct hep_flows flows;
    uint64_t seen; /* datagrams and segments on the ports */
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

static void on_frame(void *arg, const uint8_t *frame, size_t len)
{
    const struct reading *r = arg;
    decoder_frame(r->d, frame, len, r->from);
}

static void on_bad(void *arg, int error, uint64_t offset)
{
    const struct reading *r = arg;
    decoder_bad(r->d, r->from, error, offset);
}

static struct hep_flow *flow_of(struct reading *r, struct tcp_flow *flow)
{
    if (flow->user == NULL) {
        flow->user = hep_flow_new(&r->flows, flow->midstream);
        flow->user_free = hep_flow_free;
    }
    return flow->user;
}

static void on_data(void *arg, struct tcp_flow *flow, const uint8_t *data, size_t len, uint32_t sec, uint32_t usec)
{
    struct reading *r = arg;
    if (!ports_has(r->ports, flow->dst_port) || r->d->done || len == 0)
        return;
    struct hep_flow *f = flow_of(r, flow);
    r->seen++;
    origin_time(r, sec, usec, &flow->src, flow->src_port, "tcp");
    if (f != NULL)
        hep_flow_data(f, data, len);
    else
        r->flows.skipped += len;
}

static void on_gap(void *arg, struct tcp_flow *flow, size_t missing)
{
    struct reading *r = arg;
    struct hep_flow *f = ports_has(r->ports, flow->dst_port) ? flow_of(r, flow) : NULL;
    if (f != NULL)
        hep_flow_gap(f, missing);
}

static void on_close(void *arg, struct tcp_flow *flow, enum tcp_close why)
{
    (void)arg;
    (void)why;
    if (flow->user != NULL)
        hep_flow_gap(flow->user, 0);
}

/* ------------------------------------------------------------------------------------------------ all */

static void on_note(void *arg, const char *text)
{
    const struct reading *r = arg;
    report_note(r->d->report, "%s: %s", r->from->name, text);
}

static void nothing_found(const struct reading *r)
{
    if (r->seen == 0 && r->from->number > 0)
        report_note(r->d->report, "%s: %llu packets, none on a HEP port (--hep-port names them)", r->from->name,
                    (unsigned long long)r->from->number);
    if (r->flows.skipped != 0)
        report_note(r->d->report, "%s: %llu octets of TCP passed over in search of a frame", r->from->name,
                    (unsigned long long)r->flows.skipped);
}

void decode_pcap(struct decoder *d, struct input *in, struct origin *from, const struct ports *hep_ports)
{
    struct reading r = { .d = d,
                         .from = from,
                         .ports = hep_ports,
                         .flows = { .on_frame = on_frame, .on_bad = on_bad, .arg = &r, .done = &d->done } };
    const struct capture_reading reading = {
        .in = in,
        .options = {
            .on_udp = on_udp,
            .udp_arg = &r,
            .tcp_callbacks = { .on_data = on_data, .on_gap = on_gap, .on_close = on_close, .arg = &r },
        },
        .note = on_note,
        .arg = &r,
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
