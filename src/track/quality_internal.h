/* What the files on quality share. */
#ifndef TRACK_QUALITY_INTERNAL_H
#define TRACK_QUALITY_INTERNAL_H

#include "base/lru.h"
#include "track/quality.h"

#define QUALITY_STREAMS_MAX   16 /* of a call */
#define QUALITY_ENDPOINTS_MAX 8  /* of a report: source and destination, media and control, of stream and message */
#define QUALITY_CALLS_NAMED   3

/* By what a message can find its call. */
struct quality_keys {
    uint64_t calls[QUALITY_CALLS_NAMED]; /* track_call_hash() */
    uint32_t endpoints[QUALITY_ENDPOINTS_MAX];
    uint64_t pair; /* of SSRCs; 0: none */
    uint8_t call_count, endpoint_count;
};

/* A stream as one reporter tells of it, in one form of report. */
struct quality_stream {
    uint32_t reporter, ssrc;
    uint8_t source;        /* enum media_source */
    uint8_t heard_by;      /* enum track_side */
    bool other;            /* not the first medium of the call: its figures are not those of the call */
    bool periodic;         /* has reports on a part of the call: a final one on all of it does not count once more */
    struct rtp_stream rtp; /* of report blocks */
    uint64_t expected;
    int64_t lost;
    struct rtp_figure mos, loss, jitter, rtt;
};

struct quality_call {
    uint64_t uid, key;                  /* of the call */
    struct quality_call *next, *before; /* of all */
    struct quality_stream *streams;
    uint32_t reports;
    uint32_t empty[3]; /* by enum track_side: reports of that side that say that it receives nothing */
    uint16_t stream_count, stream_room;
    bool one_way;
};

struct quality_waiting {
    struct quality_waiting *next;
    int64_t since_us;
    struct quality_keys keys;
    struct quality_message message;
    uint8_t octets[]; /* payload, id */
};

struct quality {
    struct quality_options o;
    struct lru *calls;     /* key of the call -> struct quality_call */
    struct lru *endpoints; /* track_endpoint() -> key of the call; NULL until a report needs it */
    struct lru *pairs;     /* two SSRCs -> key of the call; 0: of several */
    struct quality_call *all;
    uint32_t indexed; /* places of the tracker whose endpoints are known, while they are being gathered */
    bool whole;       /* all of them are */
    struct quality_waiting *waiting, **waiting_end;
    struct quality_stats stats;
    struct media_reports reports; /* of the message at work */
};

/* ------------------------------------------------------------------------------------------------ matching */

/* What the reports that were read of a message name, and its addresses. */
void quality_keys_of(const struct quality *q, const struct quality_message *m, struct quality_keys *ret);

/* The key of a live call; QUALITY_NONE if there is none. */
enum quality_match quality_find(struct quality *q, const struct quality_keys *keys, uint64_t *ret_call);

/* Remembers the SSRCs of a message that belongs to the call. */
void quality_learn(struct quality *q, const struct quality_keys *keys, uint64_t call, uint64_t now);

bool quality_index(struct quality *q); /* endpoints of calls, from now on; false: no memory */
void quality_index_free(struct quality *q);

enum track_side quality_heard_by(const struct call_record *call, const struct quality_message *m,
                                 const struct media_report *r);
/* Is it of another medium than the first one, which the codec of the call is of? */
bool quality_is_other(const struct call_record *call, const struct quality_message *m, const struct media_report *r);

/* ------------------------------------------------------------------------------------------------ streams */

/* The state of a call, new if need be; NULL: no memory. */
struct quality_call *quality_call_of(struct quality *q, const struct call_record *call, int64_t now_us);
void quality_call_free(struct quality *q, struct quality_call *c); /* what it points to */

/* Adds a report to its call and tells on_report(). */
void quality_add(struct quality *q, struct quality_call *c, struct quality_report *r);
/* Tells of one that has no call. */
void quality_tell_alone(struct quality *q, const struct quality_message *m, struct hep_slice id,
                        const struct media_report *r);

bool quality_add_stream(struct quality *q, struct quality_call *c, const struct quality_stream *s);

#endif
