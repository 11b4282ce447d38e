/*
 * A capture as HEP messages: plain SIP over UDP, TCP, WebSocket and SCTP as type 1, RTCP as type 5 JSON with the Call-ID of the
 * SDP that named its address as correlation id, and HEP that is in it, as it is. `hepcat encode`, `hepcat import` and
 * the server's import read captures by this, `hepcat agent` the packets of
 * a network.
 *
 * Files: messages.c datagrams, messages_tcp.c streams, messages_hep.c HEP inside.
 */
#ifndef CAPTURE_MESSAGES_H
#define CAPTURE_MESSAGES_H

#include "base/errmsg.h"
#include "base/input.h"
#include "capture/dissect.h"
#include "capture/ports.h"
#include "hep/hep.h"

/* Capture agent of what is not HEP already, unless the caller has another. */
#define MESSAGES_NODE "hepcat"
#define MESSAGES_ID   2001

/* What a capture had in it. */
struct messages_counts {
    uint64_t packets;
    uint64_t sip, rtcp, hep; /* messages; of HEP those that decode */
    uint64_t other_udp;      /* datagrams that are none of these */
    uint64_t other_tcp;      /* octets of TCP that are none of these */
    uint64_t cut;            /* messages cut by the snap length */
    uint64_t uncorrelated;   /* RTCP of no known call */
};

struct messages_options {
    const char *node; /* capture agent of plain SIP and RTCP; NULL: MESSAGES_NODE */
    uint32_t id;      /* 0: MESSAGES_ID */
    /* Not NULL: HEP is taken, too; these are the ports to look for it beside its content. */
    const struct ports *hep_ports;
    const bool *done; /* stop when it is true; NULL: never, for messages_new() alone */

    /* `packet` counts from 1. What is pointed at is valid during the call. */
    void (*message)(void *arg, uint64_t packet, struct hep_msg *msg); /* made of SIP or RTCP: to be encoded */
    void (*frame)(void *arg, uint64_t packet, struct hep_msg *msg);   /* HEP as it came: msg->frame, version 3 */
    void (*rebuild)(void *arg, uint64_t packet, struct hep_msg *msg); /* HEP to be encoded with all its chunks */
    void (*bad)(void *arg, uint64_t packet, const char *text);        /* something that cannot be a message */
    void (*note)(void *arg, const char *text);                        /* what was lost on the way; may be NULL */
    /* Each datagram of UDP or SCTP before it is looked at: true takes it away. NULL: nobody asks. */
    bool (*dgram)(void *arg, const struct dgram *dgram);
    void *arg;
};

/* Reads to the end; `counts` is set in any case. 0, or -1 with a text: no capture, or damaged. */
int messages_read(struct input *in, const struct messages_options *options, struct messages_counts *ret_counts,
                  struct errmsg *err);

/* The same for a capture in memory. */
int messages_read_memory(struct hep_slice octets, const struct messages_options *options,
                         struct messages_counts *ret_counts, struct errmsg *err);

/* ------------------------------------------------------------------------------------------------ packet by packet */

/* For who has the packets one by one: a live capture. `bad` and the others are called from within messages_packet(). */
struct messages;

/* NULL if out of memory. Options are copied; of `done` and `note` no use is made but to end a packet early. */
struct messages *messages_new(const struct messages_options *options);
void messages_free(struct messages *m); /* without callbacks; NULL is fine */

/* Takes a packet and returns what became of it. Packets are numbered from 1. */
enum dissect_outcome messages_packet(struct messages *m, const struct packet *packet);

/* The capture is over: what was under way of TCP is handed out or given up. */
void messages_finish(struct messages *m);

/* Up to now. Valid until messages_free(). */
const struct messages_counts *messages_counts(const struct messages *m);
const struct dissector *messages_dissector(const struct messages *m);

/* The Call-ID of the call whose SDP named one of the two as a place of RTCP; empty if none did. */
struct hep_slice messages_call_of(struct messages *m, const struct dgram *dgram);

/*
 * The chunks of a decoded frame that have no field, so that one built anew keeps them: fills in at most `max`, returns
 * how many there are.
 */
size_t messages_extra_chunks(const struct hep_msg *msg, struct hep_chunk *extra, size_t max);

#endif
