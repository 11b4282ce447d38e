/*
 * The tables of the store and their columns, written down once: struct record, the column builders, the Parquet files,
 * the filter language, fetched rows and docs/lake.md all go by these lists.
 *
 *     X(name, kind, options)
 *
 * kind     TIME, SEQ, NUMBER, OPTIONAL, DECIMAL, UID, TEXT, IP, ADDR, BYTES: enum record_kind says what they are
 * options  BLOOM: looked up by equality, has a bloom filter
 *          NOCASE: filters compare it without regard to ASCII case
 *          0: neither
 *
 * Changes are additive: columns may be added at the end of a list, none is renamed, removed or given another meaning;
 * files of every release stay readable.
 */
#ifndef RECORD_SCHEMA_H
#define RECORD_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum record_table {
    RECORD_SIP,
    RECORD_MEDIA,
    RECORD_LOG,
    RECORD_OTHER,
    RECORD_CALL,
    RECORD_REGISTRATION,
    RECORD_CALL_KEY,
    RECORD_QUALITY
};
#define RECORD_TABLES 8

/* Sets of tables: bits 1 << enum record_table. What was received, and what was made of it. */
#define RECORD_TABLES_ALL           ((1u << RECORD_TABLES) - 1)
#define RECORD_TABLES_MESSAGES      ((1u << RECORD_CALL) - 1)
#define RECORD_TABLES_CALLS         (1u << RECORD_CALL)
#define RECORD_TABLES_REGISTRATIONS (1u << RECORD_REGISTRATION)
#define RECORD_TABLES_QUALITY       (1u << RECORD_QUALITY)
#define RECORD_TABLES_FOUND_BY_CALL (1u << RECORD_CALL_KEY | RECORD_TABLES_QUALITY) /* and not searched themselves */

enum record_kind {
    RECORD_TIME,     /* int64_t, microseconds since 1970 UTC. RECORD_NO_TIME is NULL */
    RECORD_SEQ,      /* uint64_t: order of arrival, unique in a data directory */
    RECORD_NUMBER,   /* uint32_t, always there */
    RECORD_OPTIONAL, /* int64_t from 0 to UINT32_MAX; -1 is NULL */
    RECORD_DECIMAL,  /* int64_t: hundredths, from 0 to RECORD_DECIMAL_MAX; -1 is NULL. Stored as DECIMAL(9,2) */
    RECORD_UID,      /* uint64_t; 0 is NULL */
    RECORD_TEXT,     /* struct hep_slice; empty is NULL. Stored as UTF-8 of at most RECORD_TEXT_MAX octets */
    RECORD_IP,       /* struct hep_addr; stored as text (RFC 5952); absent is NULL */
    RECORD_ADDR,     /* the same member as the RECORD_IP before it; stored as 16 octets, IPv4 as ::ffff:a.b.c.d */
    RECORD_BYTES     /* struct hep_slice, any octets, always there */
};

#define RECORD_NO_TIME     INT64_MIN
#define RECORD_NONE        ((int64_t)-1)
#define RECORD_DECIMAL_MAX INT64_C(999999999)
#define RECORD_TEXT_MAX    1024 /* octets of a text column; longer ones are cut at a character (flag CUT) */

/* Octets of a payload: what a frame can carry, or what a compressed one may inflate to (else it stays compressed). */
#define RECORD_PAYLOAD_MAX ((size_t)256 << 10)

enum { RECORD_BLOOM = 1 << 0, RECORD_NOCASE = 1 << 1 };

/* clang-format off */

/* What every table begins with. */
#define RECORD_COMMON_COLUMNS(X) \
    X(ts,             TIME,     0)      /* when it was on the wire, as far as that is believed: docs/lake.md */ \
    X(seq,            SEQ,      0) \
    X(received,       TIME,     0)      /* when hepcat received it */ \
    X(ts_sent,        TIME,     0)      /* capture time as sent, where that is not ts; else NULL */ \
    X(flags,          NUMBER,   0)      /* bits of RECORD_FLAGS */ \
    X(call_uid,       UID,      0)      /* of calls */ \
    X(source,         NUMBER,   0)      /* enum record_source */ \
    X(sender,         IP,       0)      /* who sent the HEP frame */ \
    X(transport,      TEXT,     0)      /* how: "udp", "tcp", "tls", "http", "https", "import" */ \
    X(hep_version,    NUMBER,   0)      /* 1, 2, 3; 0: heplify's protobuf form */ \
    X(capture_id,     OPTIONAL, 0) \
    X(node,           TEXT,     RECORD_NOCASE) /* capture agent's name */ \
    X(src_ip,         IP,       0) \
    X(src_addr,       ADDR,     0) \
    X(src_port,       NUMBER,   0) \
    X(dst_ip,         IP,       0) \
    X(dst_addr,       ADDR,     0) \
    X(dst_port,       NUMBER,   0) \
    X(proto,          TEXT,     RECORD_NOCASE) /* of the captured packet: "udp", "tcp", "tls", "ws", "wss", "sctp" */ \
    X(vlan,           OPTIONAL, 0) \
    X(payload_type,   NUMBER,   0)      /* HEP chunk 0x000b */ \
    X(correlation_id, TEXT,     RECORD_BLOOM) /* HEP chunk 0x0011 */ \
    X(payload_len,    NUMBER,   0) \
    X(payload,        BYTES,    0)      /* as captured, octet by octet */

/* SIP messages, malformed ones included. */
#define RECORD_SIP_COLUMNS(X) \
    X(method,           TEXT,     0)    /* of the request, or of the CSeq of a response */ \
    X(status,           OPTIONAL, 0)    /* of a response; NULL for a request */ \
    X(reason,           TEXT,     RECORD_NOCASE) /* reason phrase of a response */ \
    X(cseq,             OPTIONAL, 0) \
    X(call_id,          TEXT,     RECORD_BLOOM) \
    X(from_user,        TEXT,     RECORD_BLOOM) \
    X(from_host,        TEXT,     RECORD_NOCASE) \
    X(from_name,        TEXT,     RECORD_NOCASE) /* display name */ \
    X(from_tag,         TEXT,     0) \
    X(to_user,          TEXT,     RECORD_BLOOM) \
    X(to_host,          TEXT,     RECORD_NOCASE) \
    X(to_tag,           TEXT,     0) \
    X(ruri_user,        TEXT,     RECORD_BLOOM) \
    X(ruri_host,        TEXT,     RECORD_NOCASE) \
    X(contact_user,     TEXT,     0) \
    X(contact_host,     TEXT,     RECORD_NOCASE) \
    X(branch,           TEXT,     0)    /* of the top Via */ \
    X(via_host,         TEXT,     RECORD_NOCASE) /* sent-by of the top Via */ \
    X(via_count,        OPTIONAL, 0) \
    X(max_forwards,     OPTIONAL, 0) \
    X(user_agent,       TEXT,     RECORD_NOCASE) /* User-Agent, or Server */ \
    X(pai_user,         TEXT,     0)    /* P-Asserted-Identity, the first one */ \
    X(pai_host,         TEXT,     RECORD_NOCASE) \
    X(rpid_user,        TEXT,     0)    /* Remote-Party-ID */ \
    X(diversion_user,   TEXT,     0) \
    X(diversion_reason, TEXT,     RECORD_NOCASE) \
    X(privacy,          TEXT,     RECORD_NOCASE) \
    X(auth_user,        TEXT,     0)    /* (Proxy-)Authorization, username */ \
    X(q850_cause,       OPTIONAL, 0)    /* Reason: Q.850;cause= */ \
    X(sip_cause,        OPTIONAL, 0)    /* Reason: SIP;cause= */ \
    X(reason_text,      TEXT,     RECORD_NOCASE) /* Reason: ...;text= */ \
    X(session_id,       TEXT,     RECORD_NOCASE) /* RFC 7989, the sender's half */ \
    X(session_id_remote,TEXT,     RECORD_NOCASE) \
    X(icid,             TEXT,     0)    /* P-Charging-Vector */ \
    X(replaces,         TEXT,     0)    /* Replaces: the Call-ID */ \
    X(refer_to,         TEXT,     0)    /* Refer-To: the URI */ \
    X(expires,          OPTIONAL, 0) \
    X(event,            TEXT,     RECORD_NOCASE) \
    X(content_type,     TEXT,     RECORD_NOCASE) \
    X(sdp_ip,           TEXT,     0)    /* connection address of the first medium */ \
    X(sdp_port,         OPTIONAL, 0)    /* its port; 0: refused */ \
    X(sdp_media,        TEXT,     RECORD_NOCASE) /* "audio PCMU/8000,telephone-event/8000 sendrecv ptime=20": all media */ \
    X(headers,          TEXT,     RECORD_NOCASE) /* extra headers by configuration, "Name: value" a line */ \
    X(parse_error,      TEXT,     0)    /* what is wrong with it: names of sip/problem.h, by commas */

/* RTCP, RTP reports, quality reports; logs, CDRs; everything else. */
#define RECORD_KIND_COLUMNS(X) \
    X(kind,           TEXT,     RECORD_NOCASE) /* name of the payload type: "rtcp", "rtp_report", "log", "dns"... */

/* Quality of media (docs/media.md): of a call, or of one report. */
#define RECORD_FIGURE_COLUMNS(X) \
    X(mos,               DECIMAL,  0)   /* by the E-model */ \
    X(loss,              DECIMAL,  0)   /* percent of packets */ \
    X(jitter_ms,         DECIMAL,  0) \
    X(rtt_ms,            DECIMAL,  0)

/* Of a call (docs/calls.md), what a message has too: the same members. */
#define RECORD_CALL_SHARED_COLUMNS(X) \
    X(call_id,          TEXT,     RECORD_BLOOM) \
    X(from_user,        TEXT,     RECORD_BLOOM) /* who calls, and whom: of the first INVITE */ \
    X(from_host,        TEXT,     RECORD_NOCASE) \
    X(from_name,        TEXT,     RECORD_NOCASE) \
    X(to_user,          TEXT,     RECORD_BLOOM) \
    X(ruri_user,        TEXT,     RECORD_BLOOM) \
    X(ruri_host,        TEXT,     RECORD_NOCASE) \
    X(pai_user,         TEXT,     0) \
    X(diversion_user,   TEXT,     0) \
    X(diversion_reason, TEXT,     RECORD_NOCASE) \
    X(replaces,         TEXT,     0) \
    X(refer_to,         TEXT,     0) \
    X(status,           OPTIONAL, 0)    /* final response, as the caller saw it */ \
    X(reason,           TEXT,     RECORD_NOCASE) \
    X(q850_cause,       OPTIONAL, 0) \
    X(sip_cause,        OPTIONAL, 0)

#define RECORD_CALL_OWN_COLUMNS(X) \
    X(state,             TEXT,     0)   /* enum track_state in words */ \
    X(call_flags,        TEXT,     0)   /* what is remarkable, by commas */ \
    X(hangup,            TEXT,     0)   /* who ended it: "caller", "callee" */ \
    X(invited,           TIME,     0)   /* first INVITE; NULL if it was not seen */ \
    X(provisional,       TIME,     0)   /* first 1xx */ \
    X(ringing,           TIME,     0)   /* first 180 */ \
    X(answered,          TIME,     0)   /* first 2xx */ \
    X(ended,             TIME,     0)   /* BYE, final response or CANCEL */ \
    X(last,              TIME,     0)   /* message */ \
    X(pdd_ms,            OPTIONAL, 0)   /* RFC 6076, session request delay */ \
    X(ring_ms,           OPTIONAL, 0) \
    X(talk_ms,           OPTIONAL, 0) \
    X(messages,          NUMBER,   0) \
    X(seen_again,        NUMBER,   0)   /* of these: what another tap saw as well */ \
    X(retransmissions,   NUMBER,   0)   /* of all kinds; the next ones are its parts */ \
    X(again_invite,      NUMBER,   0) \
    X(again_request,     NUMBER,   0) \
    X(again_provisional, NUMBER,   0) \
    X(again_success,     NUMBER,   0) \
    X(again_failure,     NUMBER,   0) \
    X(again_ack,         NUMBER,   0) \
    X(reinvites,         NUMBER,   0) \
    X(updates,           NUMBER,   0) \
    X(refers,            NUMBER,   0) \
    X(auth_rounds,       NUMBER,   0) \
    X(holds,             NUMBER,   0) \
    X(resumes,           NUMBER,   0) \
    X(hops,              NUMBER,   0) \
    X(branches,          NUMBER,   0) \
    X(to_tags,           NUMBER,   0) \
    X(taps,              NUMBER,   0) \
    X(signalling,        TEXT,     0)   /* transports of its messages, by commas */ \
    X(caller_agent,      TEXT,     RECORD_NOCASE) \
    X(callee_agent,      TEXT,     RECORD_NOCASE) \
    X(offer,             TEXT,     RECORD_NOCASE) /* as sdp_media */ \
    X(chosen,            TEXT,     RECORD_NOCASE) \
    X(codec,             TEXT,     RECORD_NOCASE) /* first one of `chosen` */ \
    X(caller_media_ip,   IP,       0)   /* where the caller wants to receive its first medium */ \
    X(caller_media_port, NUMBER,   0) \
    X(callee_media_ip,   IP,       0) \
    X(callee_media_port, NUMBER,   0) \
    X(group_id,          TEXT,     RECORD_BLOOM) /* uid of the group of legs, 16 hex digits; NULL: no other was known */ \
    X(legs,              NUMBER,   0)   /* calls of the group that were known */ \
    X(joined_by,         TEXT,     0)   /* enum track_key in words: what joined it to the group */ \
    X(joined_value,      TEXT,     0)   /* of that key */ \
    X(probable,          TEXT,     0)   /* call_uid of a call that looks like another leg, and was not joined */ \
    X(probable_score,    OPTIONAL, 0)   /* of 100 */ \
    X(probable_by,       TEXT,     0)   /* what counted, by commas */ \
    X(keys,              TEXT,     0)   /* "kind value" a line: what other legs may have in common with it */ \
    RECORD_FIGURE_COLUMNS(X)            /* here: of the direction that is worse */ \
    X(reports,           NUMBER,   0)   /* on its media: rows of table `quality` */ \
    X(mos_min,           DECIMAL,  0)   /* of the worst interval between two reports */ \
    X(loss_max,          DECIMAL,  0)   /* the same */ \
    X(jitter_max_ms,     DECIMAL,  0) \
    X(rtt_max_ms,        DECIMAL,  0) \
    X(caller_mos,        DECIMAL,  0)   /* what the caller heard */ \
    X(caller_mos_min,    DECIMAL,  0) \
    X(caller_loss,       DECIMAL,  0) \
    X(caller_loss_max,   DECIMAL,  0) \
    X(caller_jitter_ms,  DECIMAL,  0) \
    X(callee_mos,        DECIMAL,  0)   /* what the called side heard */ \
    X(callee_mos_min,    DECIMAL,  0) \
    X(callee_loss,       DECIMAL,  0) \
    X(callee_loss_max,   DECIMAL,  0) \
    X(callee_jitter_ms,  DECIMAL,  0)

/* Shared as well, and added later: columns of a table keep their order. */
#define RECORD_CALL_LATER_COLUMNS(X) \
    X(to_host,           TEXT,     RECORD_NOCASE)

#define RECORD_CALL_COLUMNS(X) RECORD_CALL_SHARED_COLUMNS(X) RECORD_CALL_OWN_COLUMNS(X) RECORD_CALL_LATER_COLUMNS(X)

/* Of an attempt to register (docs/registrations.md), what messages and calls have too: the same members. */
#define RECORD_REGISTRATION_SHARED_COLUMNS(X) \
    X(call_id,         TEXT,     RECORD_BLOOM) \
    X(from_user,       TEXT,     RECORD_BLOOM) /* who registers */ \
    X(from_host,       TEXT,     RECORD_NOCASE) \
    X(to_user,         TEXT,     RECORD_BLOOM) /* the address of record */ \
    X(to_host,         TEXT,     RECORD_NOCASE) \
    X(contact_user,    TEXT,     0)    /* of the first contact */ \
    X(contact_host,    TEXT,     RECORD_NOCASE) \
    X(user_agent,      TEXT,     RECORD_NOCASE) \
    X(auth_user,       TEXT,     0) \
    X(cseq,            OPTIONAL, 0)    /* of the last request */ \
    X(status,          OPTIONAL, 0)    /* final response */ \
    X(reason,          TEXT,     RECORD_NOCASE) \
    X(expires,         OPTIONAL, 0)    /* seconds granted */ \
    X(state,           TEXT,     0)    /* enum reg_result in words */ \
    X(answered,        TIME,     0)    /* final response */ \
    X(last,            TIME,     0)    /* message */ \
    X(messages,        NUMBER,   0) \
    X(seen_again,      NUMBER,   0) \
    X(retransmissions, NUMBER,   0) \
    X(auth_rounds,     NUMBER,   0) \
    X(taps,            NUMBER,   0)

#define RECORD_REGISTRATION_OWN_COLUMNS(X) \
    X(binding,         TEXT,     0)    /* enum reg_binding in words */ \
    X(contact,         TEXT,     0)    /* the first one: its URI without parameters; "*" */ \
    X(contacts,        NUMBER,   0) \
    X(expires_asked,   OPTIONAL, 0)    /* seconds */ \
    X(expires_min,     OPTIONAL, 0)    /* Min-Expires of a 423 */ \
    X(answer_ms,       OPTIONAL, 0)    /* from the first request to the final response */

#define RECORD_REGISTRATION_COLUMNS(X) RECORD_REGISTRATION_SHARED_COLUMNS(X) RECORD_REGISTRATION_OWN_COLUMNS(X)

/* A key of a call that is over, by which later legs are found. */
#define RECORD_CALL_KEY_SHARED_COLUMNS(X) \
    X(call_id,  TEXT, RECORD_BLOOM)

#define RECORD_CALL_KEY_OWN_COLUMNS(X) \
    X(key,      TEXT, RECORD_BLOOM) \
    X(key_kind, TEXT, 0)    /* enum track_key in words */

#define RECORD_CALL_KEY_COLUMNS(X) RECORD_CALL_KEY_SHARED_COLUMNS(X) RECORD_CALL_KEY_OWN_COLUMNS(X)

/* A report on media, made alike whatever form it came in. ts and addresses are those of the message that brought it. */
#define RECORD_QUALITY_SHARED_COLUMNS(X) \
    X(call_id,         TEXT,     RECORD_BLOOM) /* NULL: of no call that was known */ \
    RECORD_FIGURE_COLUMNS(X) \
    X(codec,           TEXT,     RECORD_NOCASE)

#define RECORD_QUALITY_OWN_COLUMNS(X) \
    X(report,           TEXT,     0)    /* enum media_source in words: "rtcp", "xr", "rtp"... */ \
    X(matched_by,       TEXT,     0)    /* enum track_match in words: how the call was found */ \
    X(heard_by,         TEXT,     0)    /* who received the stream: "caller", "callee"; NULL: not known */ \
    X(ssrc,             OPTIONAL, 0)    /* of the stream */ \
    X(reporter_ssrc,    OPTIONAL, 0) \
    X(cname,            TEXT,     0) \
    X(clock_hz,         OPTIONAL, 0)    /* of RTP, that jitter was computed by */ \
    X(seconds,          DECIMAL,  0)    /* of the interval: since the report before */ \
    X(expected,         OPTIONAL, 0)    /* packets, in the interval */ \
    X(lost,             OPTIONAL, 0)    /* the same; 0 if there were more duplicates than losses */ \
    X(discarded,        DECIMAL,  0)    /* percent, by the jitter buffer */ \
    X(mos_reported,     DECIMAL,  0)    /* as the reporter has it */ \
    X(r,                DECIMAL,  0)    /* of the E-model, that `mos` comes from; the next ones are what it was made of */ \
    X(scale,            TEXT,     0)    /* "narrow": G.107, "wide": G.107.1 */ \
    X(rated_loss,       DECIMAL,  0)    /* percent, discarded packets included */ \
    X(burst_ratio,      DECIMAL,  0) \
    X(delay_ms,         DECIMAL,  0)    /* one way */ \
    X(delay_impairment, DECIMAL,  0)    /* Id */ \
    X(loss_impairment,  DECIMAL,  0)    /* Ie,eff */ \
    X(odd,              TEXT,     0)    /* enum rtp_odd in words, by commas */

#define RECORD_QUALITY_COLUMNS(X) RECORD_QUALITY_SHARED_COLUMNS(X) RECORD_QUALITY_OWN_COLUMNS(X)

#define RECORD_TABLE_LIST(X) \
    X(RECORD_SIP,          "sip",          RECORD_SIP_COLUMNS) \
    X(RECORD_MEDIA,        "media",        RECORD_KIND_COLUMNS) \
    X(RECORD_LOG,          "log",          RECORD_KIND_COLUMNS) \
    X(RECORD_OTHER,        "other",        RECORD_KIND_COLUMNS) \
    X(RECORD_CALL,         "call",         RECORD_CALL_COLUMNS) \
    X(RECORD_REGISTRATION, "registration", RECORD_REGISTRATION_COLUMNS) \
    X(RECORD_CALL_KEY,     "call_key",     RECORD_CALL_KEY_COLUMNS) \
    X(RECORD_QUALITY,      "quality",      RECORD_QUALITY_COLUMNS)

/* Bits of the column `flags`: X(ID, bit, name) */
#define RECORD_FLAGS(X) \
    X(CLOCK,    0, "clock")    /* the capture time was not believed: ts is the receive time */ \
    X(UTF8,     1, "utf8")     /* a text column was not UTF-8; each bad octet stands there as U+FFFD */ \
    X(CUT,      2, "cut")      /* a text column was longer than RECORD_TEXT_MAX */ \
    X(REPAIRED, 3, "repaired") /* the HEP frame showed a deviation that was repaired (docs/hep-quirks.md) */ \
    X(SDP,      4, "sdp")      /* SIP: has SDP */ \
    X(IDENTITY, 5, "identity") /* SIP: has an Identity header (STIR) */ \
    X(SRTP,     6, "srtp")     /* SIP: its SDP offers SRTP or DTLS */ \
    X(ICE,      7, "ice")      /* SIP: its SDP has ICE */ \
    X(INFLATE,  8, "inflate")  /* the payload came compressed and could not be inflated: it is kept as it came */ \
    X(NO_WAL,   9, "no_wal")   /* taken while the write-ahead log refused: durable only since it is sealed */

/* clang-format on */

enum record_flag {
#define RECORD_FLAG_ENUM(id, bit, name) RECORD_FLAG_##id = 1 << (bit),
    RECORD_FLAGS(RECORD_FLAG_ENUM)
#undef RECORD_FLAG_ENUM
};

enum record_source { RECORD_NETWORK = 0, RECORD_IMPORT = 1 };

/* Numbers of the columns: RECORD_COL_ts ... in every table, RECORD_SIP_COL_method ... behind those in `sip`. */
enum record_common_column {
#define RECORD_COLUMN_ENUM(name, kind, options) RECORD_COL_##name,
    RECORD_COMMON_COLUMNS(RECORD_COLUMN_ENUM)
#undef RECORD_COLUMN_ENUM
        RECORD_COMMON_COUNT
};

enum record_sip_column {
    RECORD_SIP_BEFORE = RECORD_COMMON_COUNT - 1,
#define RECORD_COLUMN_ENUM(name, kind, options) RECORD_SIP_COL_##name,
    RECORD_SIP_COLUMNS(RECORD_COLUMN_ENUM)
#undef RECORD_COLUMN_ENUM
        RECORD_SIP_COUNT
};

enum record_kind_column { RECORD_KIND_COL_kind = RECORD_COMMON_COUNT, RECORD_KIND_COUNT };

enum record_call_column {
    RECORD_CALL_BEFORE = RECORD_COMMON_COUNT - 1,
#define RECORD_COLUMN_ENUM(name, kind, options) RECORD_CALL_COL_##name,
    RECORD_CALL_COLUMNS(RECORD_COLUMN_ENUM)
#undef RECORD_COLUMN_ENUM
        RECORD_CALL_COUNT
};

enum record_registration_column {
    RECORD_REGISTRATION_BEFORE = RECORD_COMMON_COUNT - 1,
#define RECORD_COLUMN_ENUM(name, kind, options) RECORD_REGISTRATION_COL_##name,
    RECORD_REGISTRATION_COLUMNS(RECORD_COLUMN_ENUM)
#undef RECORD_COLUMN_ENUM
        RECORD_REGISTRATION_COUNT
};

enum record_call_key_column {
    RECORD_CALL_KEY_BEFORE = RECORD_COMMON_COUNT - 1,
#define RECORD_COLUMN_ENUM(name, kind, options) RECORD_CALL_KEY_COL_##name,
    RECORD_CALL_KEY_COLUMNS(RECORD_COLUMN_ENUM)
#undef RECORD_COLUMN_ENUM
        RECORD_CALL_KEY_COUNT
};

enum record_quality_column {
    RECORD_QUALITY_BEFORE = RECORD_COMMON_COUNT - 1,
#define RECORD_COLUMN_ENUM(name, kind, options) RECORD_QUALITY_COL_##name,
    RECORD_QUALITY_COLUMNS(RECORD_COLUMN_ENUM)
#undef RECORD_COLUMN_ENUM
        RECORD_QUALITY_COUNT
};

#define RECORD_COLUMNS_MAX (RECORD_CALL_COUNT > (int)RECORD_SIP_COUNT ? RECORD_CALL_COUNT : (int)RECORD_SIP_COUNT)

struct record_column {
    const char *name;
    enum record_kind kind;
    unsigned options; /* RECORD_BLOOM, RECORD_NOCASE */
    size_t offset;    /* of its member in struct record */
};

struct record_schema {
    const char *name; /* of the table */
    const struct record_column *columns;
    size_t count;
};

/* The schema of a table. Static. */
const struct record_schema *record_schema(enum record_table table);

/* The table of that name, -1 if there is none; the column of that name, -1 if there is none. Not terminated. */
int record_table_by_name(const char *name, size_t len);
int record_column_by_name(enum record_table table, const char *name, size_t len);

/* True for what all tables have and rows of this one leave empty: how a message came is nothing of a call. */
bool record_column_empty(enum record_table table, unsigned column);

/* The table for messages of this HEP payload type (chunk 0x000b); `other` for those that have none of their own. */
enum record_table record_table_of(uint8_t payload_type);

/* Name of one flag bit ("clock"), NULL if it is none. */
const char *record_flag_name(unsigned bit);

#endif
