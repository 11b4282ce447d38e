/*
 * The agent's way from a packet to a frame of HEP, without I/O:
 *
 *     packet -> capture/messages (link, IP, fragments, TCP, SIP, RTCP) -> rules -> dedup -> frame
 *
 * and the account of it. One pipeline belongs to one thread. Time is capture time: a file gives the same frames at any
 * speed.
 */
#ifndef AGENT_PIPELINE_H
#define AGENT_PIPELINE_H

#include "agent/account.h"
#include "agent/frame.h"
#include "agent/sieve.h"
#include "base/errmsg.h"
#include "capture/packet.h"

struct pipeline_settings {
    struct frame_options frame;
    struct sieve_options rules;
    uint64_t dedup_us; /* window; 0: copies are not looked for */
    bool sip_only;     /* RTCP is left alone */
    bool call_ids;     /* frames come with their Call-ID, which takes time to find */
};

struct pipeline_frame {
    struct hep_slice octets;  /* a whole frame of version 3; until the callback returns */
    struct hep_slice call_id; /* Call-ID or correlation id; empty if there is none, or nobody wants it */
};

struct pipeline_options {
    struct pipeline_settings settings;
    void (*frame)(void *arg, const struct pipeline_frame *frame);
    /* Not NULL: tells of each packet what was done with it and why, a line or several without line end. */
    void (*explain)(void *arg, uint64_t packet, const char *line);
    void *arg;
};

struct pipeline;

/* Texts are copied. 0, or -1 with a text: a filter is wrong, no memory. */
int pipeline_new(struct pipeline **ret, const struct pipeline_options *options, struct errmsg *err);
void pipeline_free(struct pipeline *p); /* NULL is fine */

/* New settings, from the next packet on; what is known of calls and streams stays. -1 with a text: nothing changed. */
int pipeline_set(struct pipeline *p, const struct pipeline_settings *settings, struct errmsg *err);

/* Takes a packet of capture device number `device`. */
void pipeline_packet(struct pipeline *p, const struct packet *packet, unsigned device);

/* The capture is over: what waits in TCP streams is handed out or given up. */
void pipeline_finish(struct pipeline *p);

/* Up to now. The kernel's numbers in it are 0: who reads the ring knows them. */
void pipeline_account(const struct pipeline *p, struct account *ret);

/* See sieve_count(). */
bool pipeline_rule(const struct pipeline *p, size_t index, const char **ret_name, uint64_t *ret_messages);

#endif
