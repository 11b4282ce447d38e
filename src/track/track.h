/*
 * Calls out of messages: one record a call, kept live while it runs, handed out when it is over.
 *
 * event   a row of table `sip` -> struct track_event, in the thread that received it
 * tracker the live calls of one worker: a table by the hash of the Call-ID, and a wheel of what is due
 * call    what the messages of a call say: minima, maxima and sets, so that their order does not matter
 * recent  which messages a call had lately: retransmissions, and what a second tap saw as well
 * dialog  which of its dialogs were answered, and which BYE ends it
 * side    numbered requests of each side of a dialog: re-INVITEs, challenges, hold and resume
 * state   from these facts to states, durations and struct call_record
 * findings  what went wrong, as far as the record tells
 * keys    what a message has in common with other legs of its call
 * own     what a call has for itself: sides, keys, texts
 * key_take, key_table   keys of a message -> keys of its call -> which calls have a key
 * legs    which calls have keys in common, and are one call to the people who talk
 * probable calls that look like legs of one, by numbers, time, way and media
 * words   texts that many calls share, counted
 * save    the live calls as octets and back
 *
 * docs/calls.md says what each figure means. One thread writes; nothing here locks, logs or reads a clock.
 */
#ifndef TRACK_TRACK_H
#define TRACK_TRACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/errmsg.h"
#include "track/event.h"

#define TRACK_NONE     ((int64_t)-1)
#define TRACK_NO_TIME  RECORD_NO_TIME
#define TRACK_TAPS_MAX 4 /* taps of a call that are told apart */

/* X(ID, name, live) */
#define TRACK_STATE_LIST(X)                                                                                            \
    X(CALLING, "calling", true)                                                                                        \
    X(RINGING, "ringing", true)                                                                                        \
    X(EARLY, "early", true)                                                                                            \
    X(ANSWERED, "answered", true)                                                                                      \
    X(HELD, "held", true)                                                                                              \
    X(COMPLETED, "completed", false)                                                                                   \
    X(CANCELLED, "cancelled", false)                                                                                   \
    X(REJECTED, "rejected", false)                                                                                     \
    X(FAILED, "failed", false)                                                                                         \
    X(TIMED_OUT, "timed out", false)                                                                                   \
    X(INCOMPLETE, "incomplete", false)

enum track_state {
#define TRACK_STATE_ENUM(id, name, live) TRACK_##id,
    TRACK_STATE_LIST(TRACK_STATE_ENUM)
#undef TRACK_STATE_ENUM
        TRACK_STATES
};

const char *track_state_name(enum track_state state); /* static */
bool track_state_is_live(enum track_state state);

enum track_side { TRACK_NOBODY, TRACK_CALLER, TRACK_CALLEE };

/* What is sent again, by kind. */
enum track_again {
    TRACK_AGAIN_INVITE,
    TRACK_AGAIN_REQUEST, /* any other request but ACK */
    TRACK_AGAIN_PROVISIONAL,
    TRACK_AGAIN_SUCCESS,
    TRACK_AGAIN_FAILURE,
    TRACK_AGAIN_ACK,
    TRACK_AGAINS
};

#define TRACK_ENDPOINTS_MAX 3   /* of a side, beside the first one */
#define TRACK_LEGS_MAX      256 /* of a group */
#define TRACK_HUB_CALLS     64  /* a key that more calls have joins none */

/* A key of a call. */
struct track_key_value {
    enum track_key kind;
    bool hub;              /* too many calls have it: it joins none */
    struct hep_slice text; /* as it stood in the message, cut; empty if that was not seen. sdp: 16 hex digits */
};

/* A call. Times are microseconds since 1970 in whole milliseconds, TRACK_NO_TIME if not known. */
struct call_record {
    uint64_t uid;       /* of the call; other calls with the same Call-ID have others */
    uint64_t first_seq; /* of its messages */
    uint32_t place;     /* below tracker_places(); its own as long as it lives */
    enum track_state state;
    bool over;              /* handed out for good: nothing more will come */
    bool evicted;           /* handed out early for want of room: state is what was known */
    bool start_missing;     /* no first INVITE was seen */
    bool early_media;       /* SDP in a provisional response */
    bool late_offer;        /* the INVITE had no SDP: offer and answer are those of the 200 and of the ACK */
    bool srtp;              /* an SDP with SRTP or DTLS */
    bool transferred;       /* REFER, or INVITE with Replaces */
    bool redirected;        /* 3xx */
    bool forwarded;         /* 3xx, Diversion or History-Info */
    bool no_bye_answer;     /* nobody answered the BYE */
    bool no_ack;            /* a 200 without ACK */
    enum track_side hangup; /* who ended it */

    int64_t first, last; /* message */
    int64_t invite;      /* first INVITE */
    int64_t provisional; /* first 1xx, 100 included */
    int64_t ringing;     /* first 180 */
    int64_t answer;      /* first 2xx */
    int64_t end;         /* BYE, or final response, or CANCEL */
    int64_t pdd_ms;      /* TRACK_NONE: not known, as in the next two */
    int64_t ring_ms;
    int64_t talk_ms; /* so far, of a live call: up to its last message */

    int64_t status;    /* final response; TRACK_NONE: none */
    int64_t q850;      /* TRACK_NONE: none */
    int64_t sip_cause; /* Reason: SIP;cause=; TRACK_NONE: none */

    uint32_t messages;   /* all that came */
    uint32_t seen_again; /* of these: what another tap saw as well */
    uint32_t again[TRACK_AGAINS];
    uint32_t reinvites, updates, refers, auth_rounds, holds, resumes;
    unsigned hops;       /* ways of the first INVITE, one behind the other */
    unsigned branches;   /* parallel or serial: most ways that the INVITE took; 1: no fork */
    unsigned to_tags;    /* different dialogs that answered */
    unsigned taps;       /* who saw messages of it; at most TRACK_TAPS_MAX */
    unsigned transports; /* bits 1 << enum track_transport */

    /* TRACK_TEXT_USER_AGENT, _SDP, _REASON are not in `texts` but below. */
    struct track_texts texts;
    struct hep_slice caller_agent, callee_agent, reason, offer, chosen; /* offer, chosen: as column sdp_media */
    struct hep_slice codec;                                             /* the first one of `chosen` */
    struct track_addr src, dst;                                         /* of the first INVITE */
    struct track_addr caller_media, callee_media;                       /* where they want to receive */

    /* Further addresses where they want to receive (track_endpoint()): other media, and later offers. 0: none. */
    uint32_t caller_endpoints[TRACK_ENDPOINTS_MAX], callee_endpoints[TRACK_ENDPOINTS_MAX];

    /* Legs: docs/calls.md. */
    uint64_t group;            /* uid of the earliest call of the group; its own uid if it is alone */
    unsigned legs;             /* calls of the group that are known, this one included */
    struct track_key_value by; /* what joined it; TRACK_KEY_NONE if it is alone */
    const struct track_key_value *keys;
    size_t key_count;
    uint64_t probable;       /* uid of another call that looks like a leg of the same one; 0: none */
    unsigned probable_score; /* of 100 */
    unsigned probable_by;    /* bits 1 << enum track_like */
};

/* What makes two calls look alike: X(ID, name) */
#define TRACK_LIKE_LIST(X)                                                                                             \
    X(CALLED, "called number")                                                                                         \
    X(CALLING, "calling number")                                                                                       \
    X(TIME, "time")                                                                                                    \
    X(PATH, "path")     /* one came to the address that the other came from */                                         \
    X(CODECS, "codecs") /* the same media and codecs in the same order */                                              \
    X(ORIGIN, "sdp origin")                                                                                            \
    X(MEDIA, "media address")

enum track_like {
#define TRACK_LIKE_ENUM(id, name) TRACK_LIKE_##id,
    TRACK_LIKE_LIST(TRACK_LIKE_ENUM)
#undef TRACK_LIKE_ENUM
        TRACK_LIKES
};

const char *track_like_name(enum track_like like); /* static */

/* A call that is over, or looked at. The record and its slices are valid until the function returns. */
typedef void track_call_fn(void *arg, const struct call_record *call);

/* 0 in any of the numbers: the preset. Seconds are at most TRACK_SECONDS_MAX. */
struct track_options {
    uint32_t max_calls;     /* live at a time; 1000000 */
    uint32_t linger_s;      /* from the end of a call until it is handed out; 60 */
    uint32_t max_lingering; /* about so many of these at a time, beyond it they wait less, but 5 s; 200000 */
    uint32_t no_answer_s;   /* without any answer, timers B, F and H of RFC 3261: 32 */
    uint32_t ring_s;        /* of silence before the call is answered; 900 */
    uint32_t idle_s;        /* of silence in an answered call; 43200 */
    uint32_t orphan_s;      /* of silence in one whose INVITE was never seen; 3600 */
    track_call_fn *on_call; /* may be NULL; must not call into the tracker */
    /* A message of a call that was handed out before, and belongs to no call here; the same rules. */
    void (*on_late)(void *arg, const struct track_event *event);
    void *arg;
};

#define TRACK_SECONDS_MAX 604800
#define TRACK_CALLS_MAX   16000000

struct tracker;

/* NULL if there is no memory or an option is out of range. */
struct tracker *tracker_new(const struct track_options *options);
void tracker_free(struct tracker *t); /* hands out nothing; NULL is fine */

/*
 * Takes an event. `texts` may be NULL (track_event_has_news()). `now_us` is the clock that time limits run by: the time
 * of reception, or that of the messages for an import. Returns the uid of the call; 0 if it belongs to none (an OPTIONS
 * outside of any call) or there was no memory (counted). May hand out calls on the way: those that are over by
 * `now_us`, the former call of a Call-ID that comes again, and one for want of room.
 */
uint64_t tracker_take(struct tracker *t, const struct track_event *e, const struct track_texts *texts, int64_t now_us);

/* Hands out what is over at `now_us`. About once a second. */
void tracker_tick(struct tracker *t, int64_t now_us);

/* Hands out all calls as they are: the end of an import. */
void tracker_finish(struct tracker *t);

/* Shows all live calls, in no order. */
void tracker_each(const struct tracker *t, track_call_fn *fn, void *arg);

/*
 * The same piece by piece: every live call has a place below tracker_places(), and stays there. False if there is none.
 */
uint32_t tracker_places(const struct tracker *t);
bool tracker_show_place(const struct tracker *t, uint32_t place, track_call_fn *fn, void *arg);

/* Is there a live call with this key? */
bool tracker_has(const struct tracker *t, uint64_t key);

/* Shows the live call with this key (track_event.call). False if there is none. */
bool tracker_show(const struct tracker *t, uint64_t key, track_call_fn *fn, void *arg);

/*
 * Shows the live legs of the call with this key, itself included, in no order. False if there is no such call. These
 * functions share a place to work in: not for two threads at a time.
 */
bool tracker_legs(const struct tracker *t, uint64_t key, track_call_fn *fn, void *arg);

struct track_stats {
    uint64_t events;    /* taken */
    uint64_t strays;    /* of these: belong to no call */
    uint64_t late;      /* of these: of a call that was handed out before (track_options.on_late) */
    uint64_t calls;     /* begun */
    uint64_t ended;     /* handed out because they were over */
    uint64_t evicted;   /* handed out for want of room */
    uint64_t no_memory; /* events or texts that were lost for want of memory */
    uint64_t keys_cut;  /* keys that a message or call had no room for */
    uint64_t hubs;      /* keys that too many calls had */
    uint64_t legs_cut;  /* looks at a group that was too large to see all of it */
    uint64_t probable;  /* pairs of calls that look like legs of one */
    uint32_t live;
    uint32_t keys; /* of live calls */
    size_t octets; /* memory in use */
};

void tracker_stats(const struct tracker *t, struct track_stats *ret);

/*
 * Appends the live calls to a buffer; b->failed says whether it had room. tracker_load() puts them into a fresh tracker
 * of any options: -EINVAL with a text if the octets are none or damaged, -ENOMEM; the tracker is empty then. What its
 * limit has no room for is handed out as evicted. The octets carry no checksum: who stores them has one.
 */
void tracker_save(const struct tracker *t, struct buf *b);
/* The same in pieces, one behind the other; false if `write` was, or there was no memory. */
bool tracker_save_to(const struct tracker *t, bool (*write)(void *arg, const uint8_t *p, size_t len), void *arg);
int tracker_load(struct tracker *t, const uint8_t *p, size_t len, struct errmsg *err);

#endif
