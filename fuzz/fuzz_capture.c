/*
 * The capture pipeline: first octet the link type, then packets (length, time and snap flags, octets). Every packet
 * has one outcome, octets of TCP add up, and the tables keep within their limits.
 */
#include <string.h>

#include "capture/dissect.h"
#include "fuzz.h"

#define FLOW_OCTETS_MAX 4096
#define FLOWS_MAX       8

static const int linktypes[] = { 1, 101, 0, 108, 113, 276, 9, 50, 51, 219, 228, 229 };

/* Each packet ends at the end of an allocation, so that a read behind it is seen. */
static void take_packet(struct dissector *d, const uint8_t *data, size_t len, uint32_t sec, bool cut, int linktype)
{
    uint8_t *copy = malloc(len > 0 ? len : 1);
    if (copy == NULL)
        return;
    if (len > 0)
        memcpy(copy, data, len);
    struct packet packet = { sec, 0, { copy, len }, len + (cut ? 20 : 0), linktype };
    (void)dissect_packet(d, &packet);
    free(copy);
}

static void check_sums(const struct dissector *d)
{
    uint64_t sum = 0;
    for (int i = 0; i < DISSECT_OUTCOME_COUNT; i++)
        sum += dissect_count(d, (enum dissect_outcome)i);
    FUZZ_CHECK(sum == dissect_total(d));
    const struct tcp_stats *s = dissect_tcp_stats(d);
    FUZZ_CHECK(s->octets == s->delivered_octets + s->retransmitted_octets + s->dropped_octets);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct dissect_options options = {
        .defrag = { .max_datagrams = FLOWS_MAX },
        .tcp = { .max_flows = FLOWS_MAX, .max_flow_octets = FLOW_OCTETS_MAX },
    };
    if (size < 1)
        return 0;
    int linktype = linktypes[data[0] % (sizeof(linktypes) / sizeof(linktypes[0]))];
    struct dissector *d = dissector_new(&options);
    if (d == NULL)
        return 0;
    uint32_t sec = 0;
    for (size_t at = 1; at + 2 < size;) {
        size_t len = data[at] < size - at - 2 ? data[at] : size - at - 2;
        sec += data[at + 1] >> 4;
        take_packet(d, data + at + 2, len, sec, (data[at + 1] & 8) != 0, linktype);
        at += 2 + len;
    }
    dissect_finish(d);
    check_sums(d);
    dissector_free(d);
    return 0;
}
