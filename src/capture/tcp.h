/*
 * Reassembly of TCP streams (RFC 9293) from captured segments, one direction at a time.
 *
 * A flow is one direction of a connection. It begins with a SYN, or in mid-stream with the first segment that carries
 * data. Octets are delivered in sequence order, each once: retransmissions are dropped, and where segments overlap the
 * octet captured first wins. Segments from the future are held within limits (per flow, for all flows, and by age);
 * where the missing octets do not come, a gap is reported and the stream goes on behind it, so that one lost packet
 * costs one message and not the connection. Nothing is delivered twice and nothing is dropped without a counter.
 */
#ifndef CAPTURE_TCP_H
#define CAPTURE_TCP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hep/hep.h"

struct tcp;

enum tcp_close {
    TCP_CLOSE_FIN,     /* the sender's FIN was reached */
    TCP_CLOSE_RESET,   /* RST */
    TCP_CLOSE_REOPEN,  /* a new SYN for the same addresses and ports */
    TCP_CLOSE_IDLE,    /* no segment for max_idle seconds */
    TCP_CLOSE_EVICTED, /* the table was full, and this flow was left alone for longest */
    TCP_CLOSE_END      /* tcp_finish(): the capture is over */
};

/* One direction of a connection, as the consumer sees it. Valid until on_close() returns. */
struct tcp_flow {
    struct hep_addr src, dst;
    uint16_t src_port, dst_port;
    bool has_vlan;
    uint16_t vlan;  /* of the first segment */
    uint8_t tos;    /* of the latest segment */
    bool midstream; /* began without a SYN: the first octets need not be the start of a message */

    void *user;                    /* the consumer's state, NULL at first */
    void (*user_free)(void *user); /* called with user, if both are set, after on_close() */
};

/* Any of them may be NULL. They must not call into the same struct tcp. */
struct tcp_callbacks {
    /* The next octets of the stream and the time of capture of the segment that brought them. */
    void (*on_data)(void *arg, struct tcp_flow *flow, const uint8_t *data, size_t len, uint32_t sec, uint32_t usec);
    /* `missing` octets were not captured; 0 if the number is not known (the stream began anew). */
    void (*on_gap)(void *arg, struct tcp_flow *flow, size_t missing);
    /* The flow is over; what was held has been delivered. */
    void (*on_close)(void *arg, struct tcp_flow *flow, enum tcp_close why);
    void *arg;
};

/* Zero in a field means the default. */
struct tcp_options {
    size_t max_flows;       /* default 65536 */
    size_t max_flow_octets; /* held for one flow, bookkeeping included; default 256 KiB */
    size_t max_octets;      /* held for all flows, bookkeeping included; default 64 MiB */
    uint32_t max_hold;      /* seconds that a segment waits for a missing one; default 5 */
    uint32_t max_idle;      /* seconds until a flow without segments is closed; default 1800 */
};

/* A segment as the IP layer hands it up. */
struct tcp_input {
    uint32_t sec, usec;
    struct hep_addr src, dst;
    bool has_vlan;
    uint16_t vlan;
    uint8_t tos;
    uint32_t scope;           /* of the IP packet (ip.h) */
    struct hep_slice segment; /* header and data; data cut by the snap length shows as a gap */
};

enum tcp_result {
    TCP_OK,
    TCP_SHORT,     /* ends inside the TCP header */
    TCP_OFFSET,    /* data offset below 20 octets */
    TCP_NO_MEMORY, /* segment lost for want of memory */
    TCP_RESULT_COUNT
};

/* Counters. Octets in: delivered + retransmitted + held now + dropped = all octets of accepted segments. */
struct tcp_stats {
    uint64_t segments; /* accepted */
    uint64_t octets;   /* of data in them */
    uint64_t delivered_octets;
    uint64_t retransmitted_octets; /* seen before (delivered, or held) */
    uint64_t dropped_octets;       /* behind the end of a closed flow, or lost for want of memory */
    uint64_t out_of_order;         /* segments that were held */
    uint64_t gaps;                 /* reported */
    uint64_t gap_octets;           /* missing in them, where known */
    uint64_t limit_gaps;           /* of the gaps: a limit was reached (octets or time) */
    uint64_t flows;                /* ever begun */
    uint64_t flows_midstream;      /* of these: without a SYN */
    uint64_t flows_evicted;
};

/* NULL if out of memory. Callbacks are copied; options may be NULL. */
struct tcp *tcp_new(const struct tcp_options *options, const struct tcp_callbacks *callbacks);

/* Releases everything; calls user_free but no callback. NULL is fine. */
void tcp_free(struct tcp *t);

/* Takes a segment; calls back with what it makes deliverable. */
enum tcp_result tcp_add(struct tcp *t, const struct tcp_input *in);

/* The capture is over: delivers what is held, around gaps, and closes every flow. */
void tcp_finish(struct tcp *t);

const struct tcp_stats *tcp_stats(const struct tcp *t);
size_t tcp_octets(const struct tcp *t); /* held now, bookkeeping included */
size_t tcp_flows(const struct tcp *t);  /* in the table now, closed ones that still absorb stragglers included */

#endif
