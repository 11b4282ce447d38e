#include "rtp/packet.h"

#include "hep/rd.h"

bool rtp_packet_read(const uint8_t *p, size_t n, size_t wire_len, struct rtp_packet *ret)
{
    enum { HEADER = 12, VERSION = 0x80, PADDING = 0x20, EXTENSION = 0x10, SOURCES = 0x0f, MARKER = 0x80 };
    if (n < HEADER || (p[0] & 0xc0) != VERSION)
        return false;
    ret->payload_type = p[1] & 0x7f;
    if (ret->payload_type >= 64 && ret->payload_type <= 95)
        return false;
    ret->marker = (p[1] & MARKER) != 0;
    ret->seq = be16_load(p + 2);
    ret->time = be32_load(p + 4);
    ret->ssrc = be32_load(p + 8);
    size_t at = HEADER + (size_t)(p[0] & SOURCES) * 4;
    if ((p[0] & EXTENSION) != 0) {
        if (at + 4 > n)
            return false;
        at += 4 + (size_t)be16_load(p + at + 2) * 4;
    }
    if (at > wire_len)
        return false;
    size_t end = n;
    if ((p[0] & PADDING) != 0 && n == wire_len) {
        size_t padding = p[n - 1];
        if (padding == 0 || padding > n - at)
            return false;
        end -= padding;
    }
    ret->payload = (struct hep_slice){ p + at, at < end ? end - at : 0 };
    if (at > n)
        ret->payload.ptr = p + n;
    return true;
}

bool rtp_event_read(struct hep_slice payload, struct rtp_event *ret)
{
    if (payload.len < 4)
        return false;
    ret->event = payload.ptr[0];
    ret->end = (payload.ptr[1] & 0x80) != 0;
    ret->volume = payload.ptr[1] & 0x3f;
    ret->duration = be16_load(payload.ptr + 2);
    return true;
}
