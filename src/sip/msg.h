/*
 * sip_parse(): all that is worth knowing of a SIP message (RFC 3261), in one pass. Slices in, slices out: what comes
 * out points into the message and lives as long as that; nothing is copied, nothing allocated, no state is kept.
 *
 * It never refuses a message. What is wrong stands in `problems`, and what could be made out is there nevertheless.
 * Absent fields are empty slices, zeros and zero counts; slices that are absent have length 0 and maybe no pointer.
 */
#ifndef SIP_MSG_H
#define SIP_MSG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hep/hep.h"
#include "sip/addr.h"
#include "sip/header.h"
#include "sip/problem.h"
#include "sip/start.h"
#include "sip/uri.h"

#define SIP_HEADERS_READ_MAX 256 /* headers that are interpreted; those behind are counted */
#define SIP_VIAS_MAX         8
#define SIP_ROUTES_MAX       4
#define SIP_ASSERTED_MAX     2
#define SIP_REASONS_MAX      4

struct sip_number {
    uint32_t value;
    bool set; /* the header is there, and is a number */
};

struct sip_cseq {
    uint32_t number;
    struct hep_slice method;
    enum sip_method method_id;
};

/* Only the first `kept` elements are filled; the others are not initialised. */
struct sip_routes {
    uint16_t count;                            /* of all */
    uint16_t kept;                             /* min(count, SIP_ROUTES_MAX) */
    struct hep_slice elements[SIP_ROUTES_MAX]; /* raw: "<sip:p1.example.com;lr>" */
};

/* RFC 3326; cause is of Q.850 or SIP, as `protocol` says */
struct sip_reason {
    struct hep_slice protocol; /* "Q.850", "SIP" */
    struct hep_slice text;
    struct sip_number cause;
};

/* RFC 7989; nil halves (all zeros) are kept as they are */
struct sip_session_id {
    struct hep_slice local;
    struct hep_slice remote; /* parameter "remote" */
};

/* RFC 3891 */
struct sip_replaces {
    struct hep_slice call_id, to_tag, from_tag;
};

/* RFC 3261 section 20.43: the first one */
struct sip_warning {
    struct sip_number code;
    struct hep_slice agent;
    struct hep_slice text;
};

/* RFC 3261 sections 20.7, 20.27, 20.28, 20.44: the first one that has a realm or a username */
struct sip_credentials {
    struct hep_slice scheme; /* "Digest" */
    struct hep_slice username;
    struct hep_slice realm;
};

struct sip_msg {
    struct hep_slice raw;

    /* Start line. */
    enum sip_kind kind;
    enum sip_method method_id; /* request */
    uint16_t status;           /* response */
    struct hep_slice method;   /* request */
    struct hep_slice reason;   /* response: the reason phrase */
    struct sip_uri ruri;       /* request */

    /* What is wrong. */
    uint32_t problems;     /* bits 1 << enum sip_problem */
    size_t problem_offset; /* where the first of them in message order was noticed */
    uint32_t header_count; /* lines between start line and body, all of them */
    uint64_t seen;         /* bits 1 << enum sip_header_id: sip_has() */

    /* Identity of message, dialog and transaction. */
    struct hep_slice call_id;
    struct sip_cseq cseq;
    struct sip_addr from, to;
    uint16_t via_count; /* of all */
    uint16_t via_kept;  /* min(via_count, SIP_VIAS_MAX): those in vias[] below */
    uint16_t contact_count;
    bool contact_star;       /* Contact: * */
    struct sip_addr contact; /* the first one */

    /* Who it is about. */
    uint16_t asserted_count; /* P-Asserted-Identity, of all */
    uint16_t asserted_kept;  /* those in asserted[] below */
    uint16_t diversion_count;
    uint16_t history_count;
    uint16_t reason_count;             /* Reason headers, of all */
    uint16_t reason_kept;              /* those in reasons[] below */
    struct sip_addr preferred;         /* P-Preferred-Identity, the first one */
    struct sip_addr remote_party;      /* Remote-Party-ID, the first one */
    struct sip_addr diversion;         /* Diversion (RFC 5806), the first one: the most recent */
    struct hep_slice diversion_reason; /* its parameter "reason" */
    struct hep_slice history_info;     /* History-Info (RFC 7044), the first element, raw */
    struct hep_slice privacy;
    struct hep_slice identity; /* Identity (RFC 8224): the PASSporT, without parameters */
    struct hep_slice access_network;

    /* What belongs together. */
    struct sip_session_id session_id;
    struct hep_slice icid; /* P-Charging-Vector: icid-value */
    struct sip_replaces replaces;
    struct sip_addr refer_to, referred_by;

    /* Numbers. Seconds where the header says seconds. */
    struct sip_number max_forwards, expires, min_expires, session_expires, min_se, rseq, retry_after;
    struct hep_slice refresher; /* parameter of Session-Expires: "uac", "uas" */
    struct hep_slice rack;      /* raw: "776656 1 INVITE" */

    struct sip_warning warning;
    struct sip_credentials authorization, proxy_authorization, www_authenticate, proxy_authenticate;

    /* As they stand; of those that may come several times the first. */
    struct hep_slice user_agent, server, allow, supported, require, event, subscription_state;
    struct hep_slice date, subject, organization, x_rtp_stat, p_rtp_stat;

    struct hep_slice content_type; /* with parameters */
    struct hep_slice content_encoding;
    struct sip_number content_length;
    struct hep_slice body; /* not more than Content-Length says */

    /* Filled up to the counts above; what is behind is not initialised. */
    struct sip_routes route, record_route;
    struct sip_reason reasons[SIP_REASONS_MAX];
    struct sip_addr asserted[SIP_ASSERTED_MAX]; /* a sip and a tel URI at most (RFC 3325 section 9.1) */
    struct sip_via vias[SIP_VIAS_MAX];          /* vias[0] is the top one: the last hop */
};

/* Headers of the caller's choice, such as X-CID, found in the same pass. */
struct sip_extra {
    const char *name; /* full name, any case; need not be terminated */
    size_t len;
};

struct sip_extras {
    const struct sip_extra *names;
    size_t count;
    struct hep_slice *ret_values; /* count of them; value of the first such header, length 0 if there is none */
    uint64_t lengths;             /* bits 1 << len of the names (1 << 63: 63 and more); 0: all are looked at */
};

/*
 * Reads one message: a datagram, or what sip_frame() cut out of a stream. Returns 0, or -1 if the start line is not
 * SIP's; the rest is filled in either way.
 */
int sip_parse(const uint8_t *p, size_t n, struct sip_msg *ret);

/* The same with headers of the caller's choice; extras may be NULL. */
int sip_parse_extra(const uint8_t *p, size_t n, const struct sip_extras *extras, struct sip_msg *ret);

/* True if the message has such a header, well-formed or not, among the first SIP_HEADERS_READ_MAX. */
static inline bool sip_has(const struct sip_msg *msg, enum sip_header_id id)
{
    return (msg->seen >> id & 1) != 0;
}

static inline bool sip_has_problem(const struct sip_msg *msg, enum sip_problem problem)
{
    return (msg->problems >> problem & 1) != 0;
}

/* The first Reason of this protocol, e.g. "Q.850"; NULL if there is none. */
const struct sip_reason *sip_reason_of(const struct sip_msg *msg, const char *protocol);

#endif
