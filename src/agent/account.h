/*
 * What became of every packet and message, as numbers. Three sums hold at any moment:
 *
 *     packets  = sum of outcomes                 (one each, enum dissect_outcome: decoded, or why not)
 *     messages = discarded + filtered + copies + unencodable + frames
 *     frames handed to a collector = sent + failed + dropped + waiting     (struct lane_stats)
 *
 * What never reached us is in kernel_drops.
 */
#ifndef AGENT_ACCOUNT_H
#define AGENT_ACCOUNT_H

#include <stdint.h>

#include "capture/dissect.h"

/* clang-format off */

/* X(name, text) */
#define AGENT_COUNTERS(X) \
    X(packets,         "packets captured") \
    X(octets,          "octets in them") \
    X(kernel_drops,    "packets that the kernel dropped: the ring was full") \
    X(ring_freezes,    "times that the ring was full") \
    X(interface_drops, "packets that the network card or its driver dropped, of all programs") \
    X(sip,             "SIP messages") \
    X(rtcp,            "RTCP packets") \
    X(rtp,             "RTP packets, of streams") \
    X(rtp_early,       "RTP packets, or what looks like them, of no stream yet") \
    X(rtp_refused,     "RTP packets for which there was no room") \
    X(streams,         "RTP streams") \
    X(reports,         "reports on RTP streams") \
    X(media_events,    "events of media") \
    X(srtcp,           "encrypted RTCP packets, which tell nothing") \
    X(rtcp_bad,        "packets that begin like RTCP and are not") \
    X(unwanted,        "RTCP packets that nobody asked for") \
    X(hep,             "datagrams of HEP, which are not passed on") \
    X(other_udp,       "datagrams that are none of these") \
    X(other_tcp,       "octets of TCP that are no SIP") \
    X(malformed,       "messages that ended before they were whole") \
    X(uncorrelated,    "RTCP packets of no call that was seen") \
    X(unshared,        "SIP messages that one worker could not tell another of") \
    X(snapped,         "messages cut by the snap length") \
    X(messages,        "messages made of all that") \
    X(discarded,       "of them, left out for their method") \
    X(filtered,        "of them, left out by a filter") \
    X(copies,          "of them, left out as copies seen by another tap") \
    X(unencodable,     "of them, that could not be put into a frame") \
    X(frames,          "of them, put into frames") \
    X(frame_octets,    "octets in these") \
    X(compressed,      "of these, with a compressed payload") \
    X(truncated,       "of these, with a payload cut to fit")

/* clang-format on */

struct account {
#define ACCOUNT_MEMBER(name, text) uint64_t name;
    AGENT_COUNTERS(ACCOUNT_MEMBER)
#undef ACCOUNT_MEMBER
    uint64_t outcomes[DISSECT_OUTCOME_COUNT];
    uint64_t fragments_lost; /* datagrams that lack a fragment */
    uint64_t tcp_gaps;       /* holes in streams of TCP */
    uint64_t tcp_gap_octets;
};

/* Adds every number of `from`. */
void account_add(struct account *to, const struct account *from);

/* The counters by name, for printing: index from 0; false behind the last one. Texts are static. */
struct account_row {
    const char *name, *text;
    uint64_t value;
};
bool account_row(const struct account *a, size_t index, struct account_row *ret);

/* True for outcomes that say that a packet, or a part of it, could not be read. */
bool account_is_loss(enum dissect_outcome outcome);

#endif
