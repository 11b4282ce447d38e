/* What tap.c, calls.c, report.c and control.c share. */
#ifndef TAP_INTERNAL_H
#define TAP_INTERNAL_H

#include "base/buf.h"
#include "base/lru.h"
#include "rtp/emodel.h"
#include "rtp/receiver.h"
#include "tap/tap.h"

#define CALL_ID_MAX     256 /* longer ones are not remembered */
#define FORMATS_MAX     8   /* payload types that are kept of a medium */
#define CODEC_MAX       24  /* octets of a codec's name, its end included */
#define FLOW_STREAMS    8   /* sources at a time of one address and port */
#define PENDING_MAX     4   /* packets of a source before it is a stream */
#define DIGITS_MAX      32
#define STALE_SECONDS   60 /* after the end of a call its places may be those of another that we do not know */
#define RESTING_SECONDS 2  /* after the end of a call, until its streams are over */

struct format {
    uint8_t payload_type;
    uint32_t clock;
    char codec[CODEC_MAX];
};

struct formats {
    uint8_t count;
    struct format list[FORMATS_MAX];
};

/* Which party receives at a place: the one that called, or the one that was called. */
enum role { ROLE_CALLER, ROLE_CALLED };

/* Held by the table of calls, by places, streams and other tables, which all have limits. */
struct call {
    size_t refs;
    size_t id_len;
    char id[CALL_ID_MAX];
    uint64_t caller_tag;           /* hash of the tag of who called */
    int64_t answered_us, ended_us; /* 0: not yet */
    bool has_place[2];             /* indexed by role: an audio place that wants media */
    bool active;                   /* some medium of it was seen */
    unsigned receiving[2];         /* streams now, by the role of the receiver */
    bool told_one_way;
    struct call *next_answered; /* waiting for media */
};

enum medium { MEDIUM_AUDIO, MEDIUM_VIDEO, MEDIUM_OTHER };

struct place_key {
    struct hep_addr addr;
    uint16_t port;
    uint32_t scope;
};

/* Where a party receives. */
struct place {
    struct call *call;
    uint8_t role, medium;
    bool rtp, rtcp;
    bool both_ways; /* a=sendrecv */
    uint16_t ptime; /* ms; 0: not said */
    struct formats formats;
};

struct flow_key {
    struct hep_addr src, dst;
    uint16_t src_port, dst_port;
    uint32_t scope;
};

struct pending {
    int64_t at_us;
    struct rtp_packet packet; /* of its payload the length is kept, and */
    uint8_t head[4];          /* as much as an event of RFC 4733 has */
};

/* One direction between two addresses and ports. */
struct flow {
    struct stream *streams; /* the one that sent last comes first */
    unsigned stream_count;
    uint32_t changes; /* of the source, while there was one */
    unsigned pending_count;
    struct pending pending[PENDING_MAX];
};

enum match { MATCH_NONE, MATCH_SDP, MATCH_SYMMETRIC, MATCH_FLOW, MATCH_SSRC, MATCH_CNAME };

/* Least, greatest and mean of the values of the intervals. */
struct range {
    uint64_t count;
    double min, max, sum, last;
};

struct stream {
    struct stream *next_of_flow;
    struct stream *prev, *next; /* all, in the order in which they are looked at */
    struct flow *flow;
    uint32_t ssrc;
    struct rtp_receiver receiver;

    struct call *call;
    uint8_t match, role, medium; /* role: of the receiver; of use with a call */
    bool both_ways;
    uint16_t ptime;
    struct formats formats;

    /* what the packets are coded with */
    bool has_format;
    uint8_t payload_type; /* of the last packet */
    bool is_event, is_noise;
    uint32_t clock;
    uint8_t main_type; /* of the last packet of speech */
    char codec[CODEC_MAX];
    uint32_t main_clock;
    const struct emodel_codec *rated; /* NULL: no rating */
    bool told_mismatch;

    int64_t begun_us, last_us, look_us, reported_us;
    struct rtp_sums reported; /* sums at the last report */
    struct range mos, r, jitter, loss;
    double skew_min, skew_max, delta_max, delta_sum;
    uint64_t delta_count;
    bool silent, one_way, ended; /* ended: RTCP BYE */

    /* RFC 4733 */
    bool has_event, in_event;
    uint32_t event_time;
    struct rtp_event last_event;
    unsigned digit_count;
    char digits[DIGITS_MAX + 1];

    /* RTCP: the last sender report, and the way to the receiver and back */
    uint32_t report_ntp;
    int64_t report_us;
    double rtt_ms; /* tap to receiver; below 0: not known */

    uint8_t tos;
    bool has_vlan, has_mac;
    uint16_t vlan;
    uint64_t src_mac, dst_mac;
};

struct ssrc_ref {
    struct call *call;
    struct stream *stream; /* NULL once it is over */
};

#define CNAME_MAX 64 /* octets that tell two apart */

struct tap {
    struct tap_options o;
    struct tap_counters counters;
    struct lru *flows, *places, *calls, *ssrcs, *cnames;
    struct stream *first, *last; /* in the order in which they are looked at */
    size_t stream_count;
    struct call *first_answered, *last_answered;
    int64_t now_us;
    uint32_t tick;
    struct buf json;
    bool quiet; /* tap_free() */
};

/* ------------------------------------------------------------------------------------------------ calls.c */

void call_ref(struct call *c);
void call_unref(struct call *c); /* NULL is fine */

/* The place of an address, NULL if none was named. */
struct place *place_of(struct tap *t, const struct hep_addr *addr, uint16_t port, uint32_t scope);

/* For the tables. */
void on_place_drop(void *arg, const void *key, void *value);
void on_call_drop(void *arg, const void *key, void *value);

/* Calls that are answered and have no media: tells, when it is time. */
void check_answered(struct tap *t);

const struct format *format_of(const struct formats *f, uint8_t payload_type);

/* ------------------------------------------------------------------------------------------------ report.c */

enum report_kind { REPORT_PERIODIC, REPORT_HANGUP };

/* Makes the report of the interval up to now, or of the whole stream (types 34 and 35). */
void report_stream(struct tap *t, struct stream *s, enum report_kind kind);

/* Tells of an event: {"event": name, key: value, ...}. key may be NULL. Without a stream: of the call. */
void report_event(struct tap *t, const struct stream *s, const struct call *c, const char *name, const char *key,
                  double value);
void report_digit(struct tap *t, struct stream *s, bool ended);

void range_add(struct range *r, double value);

/* ------------------------------------------------------------------------------------------------ control.c */

/* False if it is not RTCP. */
bool take_control(struct tap *t, const struct tap_packet *p);
void on_ref_drop(void *arg, const void *key, void *value);
void on_cname_drop(void *arg, const void *key, void *value);

/* The stream of a source is known, or is over. */
void ssrc_learn(struct tap *t, uint32_t ssrc, struct call *call, struct stream *stream);
void ssrc_forget(struct tap *t, const struct stream *stream);
struct call *ssrc_call(struct tap *t, uint32_t ssrc);

/* ------------------------------------------------------------------------------------------------ tap.c */

const char *match_name(enum match match);
struct stream *stream_of_flow(struct tap *t, const struct hep_addr *src, uint16_t src_port, const struct hep_addr *dst,
                              uint16_t dst_port, uint32_t scope);

/* One way through the network in ms, as far as RTCP told; 0 if it did not. */
double stream_delay(struct tap *t, const struct stream *s);
bool stream_alone(struct tap *t, const struct stream *s);

static inline int64_t us_of(uint32_t sec, uint32_t usec)
{
    return (int64_t)sec * 1000000 + usec;
}

static inline struct hep_slice call_id_of(const struct call *c)
{
    return c == NULL ? (struct hep_slice){ NULL, 0 } : (struct hep_slice){ (const uint8_t *)c->id, c->id_len };
}

#endif
