/*
 * What a SIP row means for its call, in a fixed size: hashes and numbers, made by a pure function in the thread that
 * received the message, and handed to the worker that owns the call.
 *
 * Texts go beside it as slices into the row. They are needed only where track_event_has_news() is true (first INVITEs,
 * responses that answer them, transfers); whoever takes the event to another thread copies them with it then
 * (track_texts_pack()) and leaves them out for all others.
 */
#ifndef TRACK_EVENT_H
#define TRACK_EVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/errmsg.h"
#include "hep/hep.h"
#include "record/record.h"

#define TRACK_TEXT_MAX 255 /* octets of each text that is kept of a call; longer ones are cut at a character */

/* What a message has to say in words. X(ID): the column of struct record stands in event.c. */
#define TRACK_TEXT_LIST(X)                                                                                             \
    X(CALL_ID)                                                                                                         \
    X(FROM_USER)                                                                                                       \
    X(FROM_NAME)                                                                                                       \
    X(TO_USER)                                                                                                         \
    X(RURI_USER)                                                                                                       \
    X(PAI_USER)                                                                                                        \
    X(DIVERSION_USER)                                                                                                  \
    X(DIVERSION_REASON)                                                                                                \
    X(REPLACES)                                                                                                        \
    X(REFER_TO)                                                                                                        \
    X(FROM_HOST)                                                                                                       \
    X(TO_HOST)                                                                                                         \
    X(RURI_HOST)                                                                                                       \
    X(USER_AGENT)                                                                                                      \
    X(REASON)                                                                                                          \
    X(SDP)                                                                                                             \
    X(KEY_0) /* of the keys of the event, in their order */                                                            \
    X(KEY_1)                                                                                                           \
    X(KEY_2)                                                                                                           \
    X(KEY_3)                                                                                                           \
    X(KEY_4)                                                                                                           \
    X(KEY_5)

enum track_text {
#define TRACK_TEXT_ENUM(id) TRACK_TEXT_##id,
    TRACK_TEXT_LIST(TRACK_TEXT_ENUM)
#undef TRACK_TEXT_ENUM
        TRACK_TEXTS
};

#define TRACK_EVENT_KEYS 6

/*
 * What calls have in common that are legs of one call, the stronger before the weaker: X(ID, name, most that are kept
 * of a call). docs/calls.md, "Legs".
 */
#define TRACK_KEY_LIST(X)                                                                                              \
    X(NONE, "none", 0)                                                                                                 \
    X(REPLACES, "replaces", 2)     /* the Call-ID that an INVITE with Replaces names (RFC 3891) */                     \
    X(REFER, "refer-to", 2)        /* the Call-ID of Replaces in Refer-To */                                           \
    X(HEADER, "header", 4)         /* value of a header for it, such as X-CID; the Call-ID of another call, mostly */  \
    X(CALL_ID, "call-id", 1)       /* the Call-ID without what a B2BUA appends to it: "_b2b-1" */                      \
    X(SESSION_ID, "session-id", 4) /* either half of Session-ID (RFC 7989), in lower case */                           \
    X(ICID, "icid", 2)             /* of P-Charging-Vector (RFC 7315) */                                               \
    X(CORRELATION, "correlation-id", 2) /* of the HEP frame, where it is not the Call-ID of the message itself */      \
    X(SDP, "sdp", 4)                    /* session id of o= with address and port of the first medium, hashed */

enum track_key {
#define TRACK_KEY_ENUM(id, name, most) TRACK_KEY_##id,
    TRACK_KEY_LIST(TRACK_KEY_ENUM)
#undef TRACK_KEY_ENUM
        TRACK_KEYS
};

const char *track_key_name(enum track_key kind); /* static */

struct track_texts {
    struct hep_slice of[TRACK_TEXTS]; /* empty: none */
};

enum track_event_flag {
    TRACK_EVENT_REQUEST = 1 << 0,
    TRACK_EVENT_SDP = 1 << 1,
    TRACK_EVENT_HOLD = 1 << 2,      /* its SDP puts the other side on hold: sendonly, inactive, or no address */
    TRACK_EVENT_FORWARDED = 1 << 3, /* an INVITE with Diversion or History-Info */
    TRACK_EVENT_REPLACES = 1 << 4,
    TRACK_EVENT_SRTP = 1 << 5,
    TRACK_EVENT_KEYS_CUT = 1 << 6 /* it had more keys */
};

/* IP address and port. len of the address 0: not known. */
struct track_addr {
    struct hep_addr ip;
    uint16_t port;
};

#define TRACK_EVENT_MEDIA (RECORD_SDP_MEDIA_MAX - 1)

struct track_event {
    uint64_t call;    /* hash of the Call-ID: the key of the call, and what workers share the calls out by */
    uint64_t seq;     /* of the row */
    int64_t ts;       /* of the row: microseconds */
    uint32_t message; /* hash of branch, CSeq, method or status, way and payload: the same in each transmission */
    uint32_t branch;  /* hashes; 0: none */
    uint32_t from_tag;
    uint32_t to_tag;
    uint32_t cseq;
    uint16_t status;   /* 0: a request */
    uint16_t flags;    /* TRACK_EVENT_ */
    uint16_t tap;      /* hash of capture id and sender: who saw it */
    int16_t q850;      /* -1: none */
    int16_t sip_cause; /* -1: none */
    uint8_t method;    /* enum sip_method: of the request, or the one that the response answers */
    uint8_t via_count; /* 255: that many or more */
    uint8_t transport; /* enum track_transport */
    uint8_t key_count;
    uint8_t key_kinds[TRACK_EVENT_KEYS];    /* enum track_key */
    struct track_addr src, dst;             /* on the wire */
    struct track_addr media;                /* where the first medium of the SDP is to be sent to */
    uint32_t origin;                        /* hash of o= but for its version; 0: none */
    uint64_t keys[TRACK_EVENT_KEYS];        /* hashes; those of Call-IDs as `call` */
    uint32_t more_media[TRACK_EVENT_MEDIA]; /* track_endpoint() of the further media; 0: none */
};

_Static_assert(sizeof(struct track_event) <= 192, "an event fits into three cache lines");

enum track_transport { TRACK_UDP, TRACK_TCP, TRACK_TLS, TRACK_WS, TRACK_WSS, TRACK_SCTP, TRACK_TRANSPORT_OTHER };
#define TRACK_TRANSPORTS 7

/* "udp" ... "other". Static. */
const char *track_transport_name(enum track_transport transport);
uint8_t track_transport_by_name(struct hep_slice proto); /* TRACK_TRANSPORT_OTHER for what has none */

/* The key of the call with this Call-ID: track_event.call. */
uint64_t track_call_hash(struct hep_slice call_id, uint64_t seed);

/* Who saw a row: hash of capture id and sender, never 0. */
uint16_t track_tap(const struct record *r, uint64_t seed);

/*
 * The event of a row, and its texts as slices into the row. `seed` belongs to the data directory: who sends messages
 * cannot know which Call-IDs have the same hash. False if the row is of no call: another table, no Call-ID, or a method
 * that never belongs to one (REGISTER, PUBLISH).
 */
bool track_event_make(const struct record *r, uint64_t seed, struct track_event *ret, struct track_texts *ret_texts);

/*
 * Which headers, of those in the column `headers`, name another leg. `pattern` is a regular expression whose first
 * group (else all that it matches) is the key, values that it does not match being none; "" or NULL: the whole value.
 * NULL with a text if it is no such expression or there is no memory.
 */
struct track_legs;
struct track_legs *track_legs_new(const char *const *names, size_t count, const char *pattern, struct errmsg *err);
void track_legs_free(struct track_legs *legs); /* NULL is fine */

/* The same with such headers; NULL: record_leg_headers with their whole values, as track_event_make() has it. */
bool track_event_make_legs(const struct record *r, uint64_t seed, const struct track_legs *legs,
                           struct track_event *ret, struct track_texts *ret_texts);

/* 32 bits of an address and port where media are received, the same in every process; never 0. */
uint32_t track_endpoint(const struct hep_addr *ip, uint16_t port);

/* True for the INVITE that begins a call: a request without To tag. */
bool track_event_is_new(const struct track_event *e);

/* False for what may belong to a call that is there, and alone is none (OPTIONS and others). */
bool track_event_may_begin(const struct track_event *e);

/* True if the texts of this event may matter to its call: it has news, or it may be the first one that is seen. */
bool track_event_has_news(const struct track_event *e);

/* Appends the texts as octets; reads them back as slices into these. False if the octets are no such texts. */
void track_slices_pack(const struct hep_slice *all, size_t count, struct buf *b); /* of any number */
bool track_slices_unpack(const uint8_t *p, size_t len, struct hep_slice *ret, size_t count);
void track_texts_pack(const struct track_texts *texts, struct buf *b);
bool track_texts_unpack(const uint8_t *p, size_t len, struct track_texts *ret);

/* The first TRACK_TEXT_MAX octets, fewer where that would cut a character. */
struct hep_slice track_text_cut(struct hep_slice s);

#endif
