/* A capture under way: what messages.c, messages_tcp.c and messages_hep.c share. */
#ifndef CAPTURE_MESSAGES_INTERNAL_H
#define CAPTURE_MESSAGES_INTERNAL_H

#include "base/buf.h"
#include "base/lru.h"
#include "capture/dissect.h"
#include "capture/hep_flow.h"
#include "capture/messages.h"
#include "capture/ws_flow.h"
#include "hep/zlib.h"

struct reading {
    const struct messages_options *o;
    uint64_t packet;
    struct lru *endpoints;
    struct buf json;
    size_t partial; /* flows that hold a buffer */
    struct hep_flows hep_flows;
    struct ws_flows ws_flows;
    const struct tcp_flow *tcp; /* whose octets are being taken */
    struct hep_zlib *envelope;  /* opens datagrams that are gzip as a whole */
    uint32_t sec, usec;         /* of the packet under way */
    struct messages_counts counts;
};

/* Tells of something that cannot be a message. */
void reading_bad(struct reading *r, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A SIP message out of a TCP stream. */
void reading_sip(struct reading *r, const struct tcp_flow *flow, struct hep_slice sip, uint32_t sec, uint32_t usec);

/* ------------------------------------------------------------------------------------------------ messages_hep.c */

bool reading_has_magic(struct hep_slice s);

/* False if the datagram is no HEP at all. */
bool reading_hep(struct reading *r, const struct dgram *d);

/* For hep_flows. */
void reading_hep_frame(void *arg, const uint8_t *frame, size_t len);
void reading_hep_bad(void *arg, int error, uint64_t offset);

/* ------------------------------------------------------------------------------------------------ messages_tcp.c */

/* For ws_flows. */
void reading_ws_message(void *arg, const uint8_t *message, size_t len);
void reading_ws_bad(void *arg, enum ws_problem problem);

/* For struct tcp_callbacks; arg is the reading. */
void reading_tcp_data(void *arg, struct tcp_flow *flow, const uint8_t *data, size_t len, uint32_t sec, uint32_t usec);
void reading_tcp_gap(void *arg, struct tcp_flow *flow, size_t missing);
void reading_tcp_close(void *arg, struct tcp_flow *flow, enum tcp_close why);

#endif
