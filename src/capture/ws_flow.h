/*
 * WebSocket (RFC 6455) in one direction of a captured TCP connection: octets in, messages out, as SIP over WebSocket
 * has them (RFC 7118: one SIP message each). Fragmented messages are put together, masks taken off, permessage-deflate
 * (RFC 7692) undone with the context that goes on from message to message.
 *
 * A capture may begin in mid-stream or lack packets. Then the flow is lost until a segment begins with a frame that has
 * SIP inside; compressed messages that refer to what is missing cannot be read, and are counted.
 */
#ifndef CAPTURE_WS_FLOW_H
#define CAPTURE_WS_FLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WS_MESSAGE_MAX 131072u /* octets of a message, expanded; longer ones are passed over */

enum ws_problem {
    WS_BAD_FRAME,  /* reserved bits or operations, a continuation of nothing, lengths that cannot be */
    WS_TOO_LONG,   /* a message above WS_MESSAGE_MAX */
    WS_BAD_DEFLATE /* does not expand: damaged, or the context was not captured */
};

const char *ws_problem_text(enum ws_problem problem); /* static */

/* What the flows of a capture share. */
struct ws_flows {
    void (*on_message)(void *arg, const uint8_t *message, size_t len);
    void (*on_bad)(void *arg, enum ws_problem problem);
    void *arg;
    const bool *done; /* set by a callback to end early */

    size_t flows;     /* that there are now, and of them */
    size_t inflaters; /* with a context, some 40 kB each */
    uint64_t skipped; /* octets of no message */
};

struct ws_flow;

/* Does a direction of a connection begin like one of WebSocket? Only the whole head says so surely. */
bool ws_flow_begins(const uint8_t *data, size_t len);

/* Is it, in mid-stream, a frame with SIP inside? Compressed ones cannot be told. */
bool ws_flow_joins(const uint8_t *data, size_t len);

/* joins: it begins with a frame. NULL: no memory, or too many. */
struct ws_flow *ws_flow_new(struct ws_flows *all, bool joins);
void ws_flow_free(struct ws_flow *f); /* NULL is fine */

/* The next octets of the stream, those of one segment. False: it is no WebSocket after all, and is to be freed. */
bool ws_flow_data(struct ws_flow *f, const uint8_t *data, size_t len);

/* Octets are missing; what waited can never become whole. */
void ws_flow_gap(struct ws_flow *f);

#endif
