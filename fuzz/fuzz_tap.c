/*
 * The tap of media: first octet: options; then pieces that pass it, each with an octet for what it is (SIP, or a
 * datagram, and between whom), one for the time since the one before, two for its length. Tables keep to their limits,
 * every packet of RTP is counted once, what comes out is one JSON object with its end where it says.
 */
#include <string.h>

#include "base/le.h"
#include "fuzz.h"
#include "tap/tap.h"

#define STREAMS_MAX 6
#define FLOWS_MAX   8

static void on_output(void *arg, const struct tap_output *out)
{
    uint64_t *outputs = arg;
    ++*outputs;
    FUZZ_CHECK(out->type == 5 || out->type == 34 || out->type == 35 || out->type == 100);
    FUZZ_CHECK(out->payload.len >= 2 && out->payload.ptr[0] == '{' && out->payload.ptr[out->payload.len - 1] == '}');
    for (size_t i = 0; i < out->payload.len; i++)
        FUZZ_CHECK(out->payload.ptr[i] >= 0x20);
    FUZZ_CHECK(out->mos >= 0 && out->mos <= 5 && out->r >= 0 && out->r <= 130);
    FUZZ_CHECK(out->call_id.len == 0 || out->call_id.ptr != NULL);
}

struct piece {
    uint8_t what;
    struct hep_slice octets;
};

static bool next(const uint8_t **data, size_t *size, struct piece *ret, int64_t *us)
{
    enum { HEAD = 4 };
    static const int64_t steps[] = { 0, 1000, 20000, 20000, 25000, 1000000, 6000000, 61000000 };
    if (*size < HEAD)
        return false;
    size_t len = le16_load(*data + 2);
    len = len < *size - HEAD ? len : *size - HEAD;
    ret->what = (*data)[0];
    *us += steps[(*data)[1] % (sizeof(steps) / sizeof(steps[0]))];
    ret->octets = (struct hep_slice){ *data + HEAD, len };
    *data += HEAD + len;
    *size -= HEAD + len;
    return true;
}

static void pass(struct tap *t, const struct piece *p, int64_t us)
{
    const uint32_t sec = (uint32_t)(us / 1000000), usec = (uint32_t)(us % 1000000);
    if ((p->what & 1) != 0) {
        const struct tap_message m = { .sec = sec, .usec = usec, .payload = p->octets };
        tap_sip(t, &m);
        return;
    }
    const struct tap_packet packet = {
        .sec = sec,
        .usec = usec,
        .src = { .len = 4, .octets = { 10, 0, 0, (uint8_t)(p->what >> 1 & 3) } },
        .dst = { .len = 4, .octets = { 10, 0, 0, (uint8_t)(p->what >> 3 & 3) } },
        .src_port = (uint16_t)(4000 + (p->what >> 5 & 1)),
        .dst_port = (uint16_t)(4000 + (p->what >> 6 & 1)),
        .wire_len = (p->what & 0x80) != 0 ? p->octets.len + 20 : 0,
        .payload = p->octets,
    };
    (void)tap_packet(t, &packet);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint64_t outputs = 0;
    struct piece p;
    if (size < 1)
        return 0;
    const struct tap_options o = {
        .output = on_output,
        .arg = &outputs,
        .max_streams = STREAMS_MAX,
        .max_flows = FLOWS_MAX,
        .max_places = 6,
        .max_calls = 4,
        .no_heuristics = (data[0] & 1) != 0,
        .no_short = (data[0] & 2) != 0,
        .no_events = (data[0] & 4) != 0,
        .mask_digits = (data[0] & 8) != 0,
    };
    struct tap *t = tap_open(&o);
    FUZZ_CHECK(t != NULL);
    data++;
    size--;
    for (int64_t us = INT64_C(1700000000000000); next(&data, &size, &p, &us);) {
        pass(t, &p, us);
        const struct tap_counters *c = tap_counters(t);
        FUZZ_CHECK(tap_streams(t) <= STREAMS_MAX && c->streams - c->streams_over == tap_streams(t));
        FUZZ_CHECK(c->rtcp_unmatched <= c->rtcp && outputs == c->rtcp + c->reports + c->events);
    }
    tap_close(t);
    return 0;
}
