/* A capture on its way into the encoder: what encode_pcap.c, encode_tcp.c and encode_hep.c share. */
#ifndef CMD_ENCODE_READING_H
#define CMD_ENCODE_READING_H

#include "base/lru.h"
#include "capture/dissect.h"
#include "cmd/encoder.h"
#include "cmd/hep_flow.h"

struct reading {
    struct encoder *e;
    const char *name;
    uint64_t packet;
    struct lru *endpoints;
    struct buf json;
    size_t partial; /* flows that hold a buffer */
    struct hep_flows hep_flows;
    struct hep_zlib *envelope; /* opens datagrams that are gzip as a whole */
    uint32_t sec, usec;        /* of the packet under way */
    struct encoder_counts counts;
};

#define WHERE_MAX 256
/* "trace.pcap: packet 42" */
const char *reading_where(const struct reading *r, char where[WHERE_MAX]);

/* A SIP message out of a TCP stream. */
void reading_sip(struct reading *r, const struct tcp_flow *flow, struct hep_slice sip, uint32_t sec, uint32_t usec);

/* ------------------------------------------------------------------------------------------------ encode_hep.c */

bool reading_has_magic(struct hep_slice s);

/* False if the datagram is no HEP at all. */
bool reading_hep(struct reading *r, const struct dgram *d);

/* For hep_flows. */
void reading_hep_frame(void *arg, const uint8_t *frame, size_t len);
void reading_hep_bad(void *arg, int error, uint64_t offset);

/* ------------------------------------------------------------------------------------------------ encode_tcp.c */

/* For struct tcp_callbacks; arg is the reading. */
void reading_tcp_data(void *arg, struct tcp_flow *flow, const uint8_t *data, size_t len, uint32_t sec, uint32_t usec);
void reading_tcp_gap(void *arg, struct tcp_flow *flow, size_t missing);
void reading_tcp_close(void *arg, struct tcp_flow *flow, enum tcp_close why);

#endif
