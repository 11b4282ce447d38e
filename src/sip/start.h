/* The start line of a SIP message (RFC 3261 sections 7.1 and 7.2), and methods. */
#ifndef SIP_START_H
#define SIP_START_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hep/hep.h"

#define SIP_METHOD_LEN_MAX 32 /* octets; the longest registered one, "SUBSCRIBE", has 9 */

/* IANA "SIP Parameters", table "Methods". Methods are case-sensitive: "invite" is SIP_OTHER. */
enum sip_method {
    SIP_NO_METHOD = 0,
    SIP_OTHER,
    SIP_ACK,
    SIP_BYE,
    SIP_CANCEL,
    SIP_INFO,
    SIP_INVITE,
    SIP_MESSAGE,
    SIP_NOTIFY,
    SIP_OPTIONS,
    SIP_PRACK,
    SIP_PUBLISH,
    SIP_REFER,
    SIP_REGISTER,
    SIP_SUBSCRIBE,
    SIP_UPDATE
};

enum sip_method sip_method_id(struct hep_slice name);

enum sip_kind {
    SIP_NEITHER = 0, /* neither a request nor a response */
    SIP_REQUEST,
    SIP_RESPONSE
};

struct sip_start {
    enum sip_kind kind;
    enum sip_method method_id;
    uint16_t status;         /* 100..699 (0..999 in a malformed line); 0 for a request */
    struct hep_slice method; /* request only */
    struct hep_slice uri;    /* request only, as it stands: it may have spaces in it */
    struct hep_slice reason; /* response only: the reason phrase, which may be empty */
};

/*
 * Reads a start line (without line end). True if it is METHOD SP URI SP SIP/2.0, or SIP/2.0 SP and three digits from
 * 100 to 699 with or without a reason phrase. If not, *ret has what could be made out, if only the kind SIP_NEITHER.
 */
bool sip_start_parse(struct hep_slice line, struct sip_start *ret);

/* True if more octets may turn this beginning of a line into a start line. */
bool sip_start_may_become(struct hep_slice part);

/* Octets of the token (RFC 3261 section 25.1) at the start of s. */
size_t sip_token_length(struct hep_slice s);

#endif
