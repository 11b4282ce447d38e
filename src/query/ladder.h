/*
 * The text ladder of a flow: a column for each host that speaks SIP, an arrow for each message, notes for the rest.
 *
 *                              10.0.0.1:5060         10.0.0.2:5060
 *                                    |                     |
 *   12:00:00.123456              |   |---INVITE (SDP)----->| #1
 *   12:00:00.125001   +0.001545  |   |<-----100 Trying-----| #2
 *
 * Messages are given one by one, in order; #n is the number of each, by which a diagnosis names it. The first ones are
 * held back until it is known which hosts there are; then lines come out as messages go in. What does not fit the width
 * shares the last column; nothing is left out. Memory is bounded whatever the number of messages. Nothing in a message
 * can do more to a terminal than show.
 */
#ifndef QUERY_LADDER_H
#define QUERY_LADDER_H

#include "base/buf.h"
#include "hep/hep.h"

struct ladder;

struct ladder_options {
    unsigned width; /* columns of the terminal; at least LADDER_WIDTH_MIN is used */
    bool ascii;     /* no other characters */
};

#define LADDER_WIDTH_MIN 60
#define LADDER_HELD_MAX  500 /* messages held back at most */

/* One message. Slices are copied. */
struct ladder_message {
    int64_t ts;                      /* microseconds since 1970 */
    struct hep_slice src_ip, dst_ip; /* text */
    uint32_t src_port, dst_port;
    bool is_sip;
    bool unnumbered;                 /* it is none of the messages of the flow: without a #n */
    struct hep_slice method;         /* SIP: of the request, or of the CSeq */
    int64_t status;                  /* SIP: of a response; -1: a request */
    struct hep_slice reason, branch; /* SIP */
    int64_t cseq;                    /* SIP; -1: none */
    bool has_sdp;                    /* SIP */
    bool malformed;                  /* SIP */
    struct hep_slice kind;           /* else: "rtcp", "log"... */
    struct hep_slice text;           /* else: what it says, or empty */
    uint32_t payload_len;
};

/* NULL if there is no memory. */
struct ladder *ladder_new(const struct ladder_options *options);
void ladder_free(struct ladder *l); /* NULL is fine */

/*
 * Appends to `out` the lines that can be drawn now. False if there is no memory.
 */
bool ladder_put(struct ladder *l, const struct ladder_message *m, struct buf *out);

/* Draws what was held back. */
bool ladder_end(struct ladder *l, struct buf *out);

struct ladder_stats {
    uint64_t messages, repeated; /* repeated: retransmissions */
    size_t hosts;                /* that were told apart */
};
void ladder_stats(const struct ladder *l, struct ladder_stats *ret);

#endif
