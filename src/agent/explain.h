/*
 * The words of `hepcat agent --explain`: for each packet what was done with it and why. Every function takes NULL for
 * "nobody asks", which is the everyday case.
 */
#ifndef AGENT_EXPLAIN_H
#define AGENT_EXPLAIN_H

#include "agent/frame.h"
#include "capture/messages.h"

struct explain;

/* `line` gets each text, without line end, valid during the call. NULL if out of memory. */
struct explain *explain_new(void (*line)(void *arg, uint64_t packet, const char *line), void *arg);
void explain_free(struct explain *e);

/* A packet begins and ends; what messages say is between the two. */
void explain_begin(struct explain *e, uint64_t number, const struct packet *packet, const struct messages *m);
void explain_end(struct explain *e, enum dissect_outcome outcome, const struct messages *m);

/* The end of the capture makes messages, too: they belong to the last packet. */
void explain_last(struct explain *e);

void explain_dgram(struct explain *e, const struct dgram *d);

/* The datagram under way is of media; told if no message of it was, or always. NULL: it is not. */
void explain_media(struct explain *e, const char *what, bool always);
void explain_text(struct explain *e, const char *text);
void explain_message(struct explain *e, const struct hep_msg *msg, const char *what);
void explain_ruled(struct explain *e, const struct hep_msg *msg, const char *rule);
void explain_sent(struct explain *e, const struct hep_msg *msg, size_t frame_len, enum frame_result how);

#endif
