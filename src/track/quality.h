/*
 * Quality of the media of calls: reports on media (rtp/report.h) find their call, and are added up there.
 *
 *     quality.c         what arrives, and what waits for its call
 *     quality_match.c   which call a report is of, and who heard the stream that it is about
 *     quality_stream.c  a stream through its reports: figures of an interval, of a stream, of a call
 *     quality_save.c    as octets and back
 *
 * A report belongs to the call that it names (HEP correlation id, Call-ID within), else to that whose SDP has its
 * addresses, else to that whose streams have its two SSRCs. What belongs to none waits for a while: SDP and reports
 * come over different ways. docs/media.md says what the figures mean.
 *
 * Beside a tracker and in its thread; nothing here locks, logs or reads a clock.
 */
#ifndef TRACK_QUALITY_H
#define TRACK_QUALITY_H

#include "rtp/emodel.h"
#include "rtp/report.h"
#include "rtp/stream.h"
#include "track/track.h"

#define QUALITY_PAYLOAD_MAX ((size_t)16 << 10) /* octets of a message with reports; longer ones are not looked at */
#define QUALITY_ID_MAX      1024
#define QUALITY_UNKNOWN     (-1.0) /* a figure that is not known */

/* What brought reports. Its payload goes beside it, and behind that the correlation id or Call-ID. */
struct quality_message {
    uint64_t call; /* track_call_hash() of its correlation id or Call-ID; 0: it has none */
    uint64_t seq;
    int64_t ts; /* of the row, microseconds */
    struct track_addr src, dst;
    uint32_t len;      /* octets of the payload */
    uint16_t id_len;   /* of the correlation id or Call-ID; at most QUALITY_ID_MAX */
    uint8_t form;      /* enum media_form */
    uint8_t transport; /* enum track_transport */
};

/* How the call was found: X(ID, name) */
#define QUALITY_MATCH_LIST(X)                                                                                          \
    X(NONE, "")                                                                                                        \
    X(CALL_ID, "call-id")                                                                                              \
    X(SDP, "sdp")                                                                                                      \
    X(SSRC, "ssrc")

enum quality_match {
#define QUALITY_MATCH_ENUM(id, name) QUALITY_##id,
    QUALITY_MATCH_LIST(QUALITY_MATCH_ENUM)
#undef QUALITY_MATCH_ENUM
        QUALITY_MATCHES
};

const char *quality_match_name(enum quality_match match);  /* static */
const char *quality_source_name(enum media_source source); /* static: "rtcp", "xr", "rtp", "vq", "header", "sbc" */
const char *quality_odd_name(unsigned bit);                /* static: of a bit number of enum rtp_odd; NULL */

/* A report, its call and its figures; those that are not known are QUALITY_UNKNOWN, counts -1. */
struct quality_report {
    const struct quality_message *message;
    const struct call_record *call; /* NULL: of none */
    const struct media_report *report;
    struct hep_slice id; /* of a call that is none: what the message or report names; may be empty */
    enum quality_match match;
    enum track_side heard_by; /* who received the stream */
    struct hep_slice codec;
    uint32_t clock; /* Hz; 0: not known */
    double seconds; /* since the report before */
    int64_t expected, lost;
    double loss_pct, jitter_ms, rtt_ms, discard_pct, mos_reported;
    unsigned odd; /* enum rtp_odd */
    bool rated;
    struct emodel_rating rating;
};

typedef void quality_report_fn(void *arg, const struct quality_report *report);

/* 0 in a number: the preset. */
struct quality_options {
    const struct tracker *tracker;
    uint64_t seed;                /* of track_call_hash() */
    uint32_t max_calls;           /* with reports, at a time; 200000. The one left alone for longest is given up */
    uint32_t max_waiting;         /* messages; 20000 */
    uint32_t wait_ms;             /* for their call; 10000 */
    quality_report_fn *on_report; /* of each report, once; must not call back */
    void *arg;
};

struct quality;

struct quality *quality_new(const struct quality_options *options); /* NULL: no memory */
void quality_free(struct quality *q);                               /* NULL is fine */

/* SDP that the tracker has taken: where media of its call are to be. */
void quality_sdp(struct quality *q, const struct track_event *e);

/* A message with reports. `now_us` is the clock that waiting goes by. */
void quality_take(struct quality *q, const struct quality_message *m, const uint8_t *octets, int64_t now_us);

/*
 * From the first report on, the endpoints of live calls are known. Those of calls that live then are gathered by this
 * in pieces, a few times a second: a million at once would stand in the way of what arrives.
 */
void quality_gather(struct quality *q);

/* Looks for the calls of those that wait, once a second or so; those that waited long enough are reported without one.
 */
void quality_tick(struct quality *q, int64_t now_us);
void quality_finish(struct quality *q); /* all that wait are reported as they are: the end of an import */

/* Figures of one direction, or of the worse of both; QUALITY_UNKNOWN. */
struct quality_figures {
    double mos, mos_min;           /* mean; of the worst interval */
    double loss_pct, loss_max_pct; /* of all packets; of the worst interval */
    double jitter_ms, jitter_max_ms;
    double rtt_ms, rtt_max_ms;
    bool nothing; /* its reports say that nothing arrived */
};

struct quality_of_call {
    uint32_t reports;
    struct quality_figures worse;
    struct quality_figures heard[2]; /* by the caller, by the called side */
    bool one_way;                    /* one of them hears nothing, or a report says so */
};

/* False if there were no reports on it: then *ret says that nothing is known. */
bool quality_of(const struct quality *q, const struct call_record *call, struct quality_of_call *ret);
void quality_forget(struct quality *q, const struct call_record *call); /* it is over */

struct quality_stats {
    uint64_t messages;
    uint64_t bad; /* of these: nothing could be read out of them */
    uint64_t reports;
    uint64_t repeated; /* of these: had come before, by another tap */
    uint64_t matched[QUALITY_MATCHES];
    uint64_t dropped; /* reports that a message had too many of, or streams that a call had */
    uint64_t evicted; /* calls that were given up for want of room, before they were over */
    uint64_t no_memory;
    uint64_t waiting; /* messages */
    uint64_t calls;   /* with reports */
    size_t octets;    /* memory in use, about */
};
void quality_stats(const struct quality *q, struct quality_stats *ret);

/* As tracker_save_to() and tracker_load(), which comes first: what belongs to calls that are no more is left out. */
bool quality_save_to(const struct quality *q, bool (*write)(void *arg, const uint8_t *p, size_t len), void *arg);
int quality_load(struct quality *q, const uint8_t *p, size_t len, struct errmsg *err);

#endif
