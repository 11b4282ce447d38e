/*
 * HEP inside a capture: datagrams and streams. What begins with the magic of version 3 and decodes is HEP wherever it
 * goes to; the other forms need a HEP port, or SIP inside.
 */
#include "capture/messages_internal.h"
#include "sip/peek.h"

/* Agents without a clock send no time, zero, or the second of the minute (include/hep/hep.h, TIME_RECEIVED). */
static bool has_time(const struct hep_msg *msg)
{
    return hep_has(msg, HEP_CHUNK_TIME_SEC) && msg->time_sec >= 60;
}

/*
 * HEP is taken as it is, so that not an octet of it changes. It is built anew only if it does not say when it was
 * captured (version 1 never does): this capture does; and versions without a length of their own become version 3.
 */
static void send_hep(struct reading *r, struct hep_msg *msg)
{
    r->counts.hep++;
    if (msg->version == 3 && has_time(msg)) {
        r->o->frame(r->o->arg, r->packet, msg);
        return;
    }
    if (!has_time(msg)) {
        (void)hep_set_number(msg, HEP_CHUNK_TIME_SEC, r->sec);
        (void)hep_set_number(msg, HEP_CHUNK_TIME_USEC, r->usec);
    }
    msg->version = 3;
    r->o->rebuild(r->o->arg, r->packet, msg);
}

bool reading_has_magic(struct hep_slice s)
{
    return s.len >= 4 && hep_flow_starts(s.ptr, s.len);
}

/*
 * Versions 1 and 2 and the protobuf form have no magic worth the name: what decodes is believed on a HEP port, or where
 * SIP is inside.
 */
static bool is_hep(const struct reading *r, const struct dgram *d, const struct hep_msg *msg)
{
    return msg->version == 3 || ports_has(r->o->hep_ports, d->dst_port) ||
           sip_looks_like(msg->payload.ptr, msg->payload.len);
}

bool reading_hep(struct reading *r, const struct dgram *d)
{
    struct hep_slice frame = d->payload;
    struct hep_msg msg;
    if (ports_has(r->o->hep_ports, d->dst_port) && hep_zlib_envelope(r->envelope, d->payload, &frame) < 0)
        return false;
    struct hep_datagram it = { .data = frame.ptr, .len = frame.len };
    int rc = hep_datagram_next(&it, NULL, &msg);
    if (rc != HEP_OK && reading_has_magic(frame))
        reading_bad(r, "HEP: %s, at octet %zu", hep_strerror(rc), msg.error_offset);
    if (rc != HEP_OK || !is_hep(r, d, &msg))
        return reading_has_magic(frame);
    r->counts.cut += d->truncated;
    do
        send_hep(r, &msg);
    while (!*r->o->done && hep_datagram_next(&it, NULL, &msg) == HEP_OK);
    return true;
}

void reading_hep_frame(void *arg, const uint8_t *frame, size_t len)
{
    struct reading *r = arg;
    struct hep_msg msg;
    int rc = hep_decode(frame, len, NULL, &msg);
    if (rc == HEP_OK)
        send_hep(r, &msg);
    else
        reading_bad(r, "HEP: %s, at octet %zu", hep_strerror(rc), msg.error_offset);
}

void reading_hep_bad(void *arg, int error, uint64_t offset)
{
    struct reading *r = arg;
    reading_bad(r, "HEP over TCP: %s, at octet %llu of the stream", hep_strerror(error), (unsigned long long)offset);
}
