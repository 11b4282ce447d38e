/*
 * The agent's way from a packet to a frame of HEP, without I/O:
 *
 *     packet -> capture/messages (link, IP, fragments, TCP, SIP) -> sieve -> dedup -> frame
 *                    \-> tap (RTP, RTCP: reports) ---------------------^
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

/* What is looked at beside SIP. In the order of the configuration's words. */
enum pipeline_media {
    PIPELINE_SIP_ONLY,
    PIPELINE_RTCP, /* as JSON, type 5 */
    PIPELINE_RTP   /* RTP streams as well: reports, types 34 and 35, and events, type 100 */
};

struct pipeline_settings {
    struct frame_options frame;
    struct sieve_options rules;
    uint64_t dedup_us; /* window; 0: copies are not looked for */
    enum pipeline_media media;
    bool call_ids; /* frames come with their Call-ID, which takes time to find */
};

struct pipeline_frame {
    struct hep_slice octets;  /* a whole frame of version 3; until the callback returns */
    struct hep_slice call_id; /* Call-ID or correlation id; empty if there is none, or nobody wants it */
};

struct pipeline_options {
    struct pipeline_settings settings;
    void (*frame)(void *arg, const struct pipeline_frame *frame);
    /* Not NULL: each SIP message, for pipeline_hear() of others that see the media of the same calls. */
    void (*sip)(void *arg, uint32_t sec, uint32_t usec, struct hep_slice message);
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

/* A SIP message that another pipeline saw: it says whose media are where. It is not sent. */
void pipeline_hear(struct pipeline *p, uint32_t sec, uint32_t usec, struct hep_slice message);

/* Says what time it is, Unix time in seconds, where packets may be few: reports that are due are made. */
void pipeline_tick(struct pipeline *p, uint32_t now);

/* The capture is over: what waits in TCP streams is handed out or given up. */
void pipeline_finish(struct pipeline *p);

/* Up to now. The kernel's numbers in it are 0: who reads the ring knows them. */
void pipeline_account(const struct pipeline *p, struct account *ret);

/* See sieve_count(). */
bool pipeline_rule(const struct pipeline *p, size_t index, const char **ret_name, uint64_t *ret_messages);

#endif
