/*
 * Messages of SCTP that were sent as several DATA chunks (RFC 9260 section 6.9), put together: fragments of one message
 * have consecutive TSNs, the first the B bit and the last the E bit. They may come in any order and again; what never
 * becomes whole leaves by age or for want of room.
 */
#ifndef CAPTURE_SCTP_H
#define CAPTURE_SCTP_H

#include "capture/dissect.h"

struct sctp;

struct sctp *sctp_new(void); /* NULL: no memory */
void sctp_free(struct sctp *s);

/* What a DATA chunk says of itself. */
struct sctp_chunk {
    uint32_t scope; /* virtual network */
    uint32_t tag;   /* verification tag of the packet */
    uint32_t tsn;
    uint16_t stream;
    bool begins, ends;
};

/* Takes a fragment: dgram->payload is it. True: a message is whole, and stands in its place until the next call. */
bool sctp_take(struct sctp *s, const struct sctp_chunk *chunk, struct dgram *dgram);

uint64_t sctp_lost(const struct sctp *s); /* fragments that became no message */

#endif
