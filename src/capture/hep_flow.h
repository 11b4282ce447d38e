/*
 * HEP in one direction of a captured TCP connection: octets in, frames out. A capture may begin in mid-stream or lack
 * packets; then the flow is lost until a segment begins with a frame, which is where nearly all senders begin their
 * writes.
 */
#ifndef CAPTURE_HEP_FLOW_H
#define CAPTURE_HEP_FLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What the flows of a capture share. */
struct hep_flows {
    void (*on_frame)(void *arg, const uint8_t *frame, size_t len);
    void (*on_bad)(void *arg, int error, uint64_t offset); /* a HEP result, and where in the stream */
    void *arg;
    const bool *done; /* set by a callback to end early */

    size_t partial;   /* flows that hold a buffer now */
    uint64_t skipped; /* octets passed over in search of a frame */
};

struct hep_flow;

/* lost: the first octets need not be the start of a frame. NULL if there is no memory. */
struct hep_flow *hep_flow_new(struct hep_flows *all, bool lost);
void hep_flow_free(void *flow); /* NULL is fine */

/* The next octets of the stream, those of one segment. */
void hep_flow_data(struct hep_flow *f, const uint8_t *data, size_t len);

/* So many octets are missing; what waited can never become whole. */
void hep_flow_gap(struct hep_flow *f, size_t missing);

/* True if the octets, as far as there are some, begin a frame of version 3. */
bool hep_flow_starts(const uint8_t *data, size_t len);

#endif
