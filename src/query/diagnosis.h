/*
 * What went wrong in a call, said in words: rules over the messages of one or more Call-IDs (the legs of the call).
 *
 * facts    what a rule needs of a message (diagnosis_facts.c reads it out of the payload)
 * prepare  copies of a message, transactions, legs: what rules have in common
 * rules    one function each, in diagnosis_answer, _end, _auth, _route, _media and _capture.c; diagnosis.c has the
 * table json     the form in which it leaves (diagnosis_json.c)
 *
 * diagnosis_make() is a pure function: no store, no clock, no I/O. docs/diagnosis.md describes every rule; how to add
 * one: a row in DIAGNOSIS_RULES, a function, a scenario in tests/unit/test_diagnosis.c, a row in the document.
 */
#ifndef QUERY_DIAGNOSIS_H
#define QUERY_DIAGNOSIS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "hep/hep.h"
#include "record/schema.h"
#include "sip/problem.h"
#include "sip/sdp.h"
#include "sip/start.h"

#define DIAGNOSIS_MESSAGES_MAX 10000              /* that are looked at; those behind are counted */
#define DIAGNOSIS_OCTETS_MAX   ((size_t)48 << 20) /* of their payloads, the same */
#define DIAGNOSIS_LEGS_MAX     64
#define DIAGNOSIS_FINDINGS_MAX 200
#define DIAGNOSIS_EVIDENCE_MAX 12 /* messages named by a finding; all are counted */
#define DIAGNOSIS_CODECS_MAX   12
#define DIAGNOSIS_NONE         UINT32_MAX

/* ------------------------------------------------------------------------------------------------ facts */

struct diagnosis_host {
    struct hep_addr ip;
    uint16_t port;
};

/* What the SDP of a message says about its first audio medium; without audio, about the first one. */
struct diagnosis_sdp {
    bool present;
    bool ice;
    uint16_t port; /* 0: refused */
    enum sdp_direction direction;
    struct hep_slice host; /* as written */
    struct hep_addr addr;  /* absent if it is a name */
    uint8_t codec_count;
    struct hep_slice codecs[DIAGNOSIS_CODECS_MAX]; /* names, or numbers that have none; telephone-event left out */
};

/* (Proxy-)Authorization, or (Proxy-)Authenticate. */
struct diagnosis_auth {
    bool present;
    bool stale; /* of a challenge */
    struct hep_slice username, realm, nonce;
};

/*
 * A message. Slices point into the payload, which diagnosis_facts_add() copies. What is not there is an empty slice,
 * -1 or RECORD_NO_TIME.
 */
struct diagnosis_fact {
    int64_t ts;
    uint64_t seq;
    uint32_t number; /* 1, 2, ... in the order of time among all that belong to the call, as in the ladder */
    bool is_sip;     /* else only the above and is_report count */
    bool is_report;  /* RTCP, RTP reports and the like */
    bool is_request;
    uint16_t status;        /* of a response */
    enum sip_method method; /* of the request, or of the CSeq */
    struct hep_slice method_name, reason, call_id, branch, from_tag, to_tag;
    struct hep_slice branch_below; /* of the second Via: what the host that sent this received it with */
    struct hep_slice from_user, from_host, to_user, to_host, ruri_user, ruri_host;
    int64_t cseq, max_forwards, expires, session_expires;
    uint32_t via_count;
    struct diagnosis_host src, dst;
    struct hep_slice proto; /* "udp", "tcp", "tls", "ws", "wss" */
    uint64_t tap;           /* who captured it: the same number, the same tap */
    int64_t capture_id;
    uint32_t payload_len;
    uint64_t payload_hash;
    uint32_t problems; /* bits 1 << enum sip_problem */

    struct hep_slice contact_user, contact_host;
    struct hep_addr contact_addr; /* absent if it is a name */
    bool has_rport, has_received;
    struct hep_slice refresher; /* "uac", "uas" */
    int64_t q850, sip_cause;    /* Reason */
    struct hep_slice reason_text, warning_text;
    int64_t warning;
    struct diagnosis_auth credentials, challenge;
    struct hep_slice refer_to, subscription_state;
    int64_t sipfrag; /* status in the body of a NOTIFY (RFC 3420) */
    struct diagnosis_sdp sdp;
};

/* A row of the store as it comes. The slices are copied or not needed any more when diagnosis_facts_add() returns. */
struct diagnosis_row {
    enum record_table table;
    int64_t ts;
    uint64_t seq;
    struct diagnosis_host src, dst;
    struct hep_slice proto, sender;
    int64_t capture_id;
    uint32_t payload_len;
    struct hep_slice payload;
};

struct diagnosis_facts {
    struct diagnosis_fact *all;
    size_t count, cap;
    uint64_t left_out; /* rows beyond the limits */
    size_t octets;     /* of the payloads kept */
    struct diagnosis_chunk *chunks;
};

/* All zeros is empty. Rows may come in any order; one that came already (the same seq) does not count. */
int diagnosis_facts_add(struct diagnosis_facts *facts, const struct diagnosis_row *row); /* 0, -ENOMEM */
void diagnosis_facts_settle(struct diagnosis_facts *facts); /* orders and numbers them: once, behind the last one */
void diagnosis_facts_free(struct diagnosis_facts *facts);

/* ------------------------------------------------------------------------------------------------ media */

/* What is known of the media in one direction, from reports. Optional. */
struct diagnosis_media {
    struct diagnosis_host src, dst;
    bool nothing;        /* it is known that nothing arrived */
    double loss_percent; /* of the worst interval; negative: not known */
    int64_t loss_at;     /* when that was */
    double jitter_ms;    /* the same */
    int64_t jitter_at;
};

/* ------------------------------------------------------------------------------------------------ agents */

#define DIAGNOSIS_NAME_MAX 64

/* What a capture agent told of itself (docs/agent.md): packets that its kernel dropped in an interval. Optional. */
struct diagnosis_blind {
    int64_t from, to;
    int64_t capture_id;            /* -1: not known */
    char name[DIAGNOSIS_NAME_MAX]; /* capture agent name, terminated, cut if need be */
    uint64_t dropped, captured;    /* packets */
};

/* ------------------------------------------------------------------------------------------------ findings */

enum diagnosis_severity { DIAGNOSIS_INFO, DIAGNOSIS_WARNING, DIAGNOSIS_ERROR };

const char *diagnosis_severity_name(enum diagnosis_severity severity); /* static */

/* What can be found. */
struct diagnosis_title {
    const char *id; /* kebab-case; never changes its meaning */
    enum diagnosis_severity severity;
    const char *title; /* when it is found, in a few words */
    const char *hint;  /* what to look at */
};

/* All of them, in the order of the document. Static. */
const struct diagnosis_title *diagnosis_titles(size_t *ret_count);

struct diagnosis_evidence {
    uint64_t seq;
    uint32_t number;
    int64_t ts;
};

struct diagnosis_finding {
    const struct diagnosis_title *title;
    char *text; /* one plain sentence; may hold octets of the messages: not fit for a terminal as it is */
    struct diagnosis_evidence evidence[DIAGNOSIS_EVIDENCE_MAX];
    size_t evidence_count; /* of these */
    size_t evidence_total;
};

/* What the call was, as far as the messages say. Slices as those of the facts. */
struct diagnosis_call {
    bool is_call; /* there is an INVITE transaction, or part of one */
    struct hep_slice from_user, from_host, to_user, to_host;
    int64_t first, last; /* of the messages */
    int64_t start;       /* INVITE; RECORD_NO_TIME: not seen */
    int64_t answer, end; /* RECORD_NO_TIME: not (seen) */
    uint16_t status;     /* final, as the caller saw it; 0: none */
    struct hep_slice reason;
    const char *outcome; /* static: "answered, the caller hung up" */
};

struct diagnosis {
    struct diagnosis_call call;
    size_t legs;                        /* Call-IDs */
    uint64_t messages;                  /* looked at, all tables */
    uint64_t left_out;                  /* beyond the limits: not looked at */
    struct diagnosis_finding *findings; /* errors first, then by time */
    size_t count;
    uint64_t dropped; /* findings beyond DIAGNOSIS_FINDINGS_MAX */
};

struct diagnosis_options {
    int64_t now_us; /* what may still come is not missed; 0: the call is over */
    const struct diagnosis_media *media;
    size_t media_count;
    const struct diagnosis_blind *blind;
    size_t blind_count;
};

/* 0 or -ENOMEM. *ret is to be freed before the facts are: slices of it point there. */
int diagnosis_make(struct diagnosis *ret, const struct diagnosis_facts *facts, const struct diagnosis_options *options);
void diagnosis_free(struct diagnosis *d); /* NULL and all zeros are fine */

/* Appends the members of a JSON object (docs/api.md). */
void diagnosis_json(struct buf *out, const struct diagnosis *d);

#endif
