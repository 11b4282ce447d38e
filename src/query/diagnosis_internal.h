/* What the files of the diagnosis share: the messages prepared, the list of rules, and how a rule says what it found.
 */
#ifndef QUERY_DIAGNOSIS_INTERNAL_H
#define QUERY_DIAGNOSIS_INTERNAL_H

#include "query/diagnosis.h"
#include "sip/text.h"

#define SECOND         INT64_C(1000000)
#define TIMER_C        (180 * SECOND) /* a proxy gives up (RFC 3261 section 16.6) */
#define TIMER_B        (32 * SECOND)  /* 64 * T1: a client gives up (RFC 3261 section 17.1.1.2), F and H the same */
#define DX_NONE        DIAGNOSIS_NONE
#define DX_INVITES_MAX 64  /* ways of the INVITE that are looked at, of a leg */
#define DX_TAPS_MAX    16  /* told apart */
#define DX_NEAR        500 /* messages behind one that are looked at where all of them would be too many */

/* ------------------------------------------------------------------------------------------------ prepared */

/*
 * A client transaction on one hop (RFC 3261 section 17): the same Call-ID, branch, CSeq. Numbers are places in
 * facts->all, DX_NONE if there is none. The ACK to a failure belongs to its INVITE; one to a 2xx has its own.
 */
struct dx_txn {
    uint32_t leg;
    enum sip_method method;
    int64_t cseq;
    uint32_t request, last_request; /* first and last copy */
    uint32_t copies;                /* times it was sent; a second tap does not count */
    uint32_t response;              /* first one of any kind */
    uint32_t progress;              /* first one from 101 to 199 */
    uint32_t final;                 /* first one from 200 on; of several 2xx the first */
    uint32_t last_final, finals;    /* its copies */
    uint32_t ack;                   /* with this branch */
};

/* A Call-ID. */
struct dx_leg {
    struct hep_slice call_id;
    uint32_t first, last; /* of its SIP messages */
    uint32_t invite;      /* the first INVITE outside of a dialog, nearest to the caller */
    int64_t attempt;      /* highest CSeq of such */
    uint32_t ringing;     /* first 180 */
    uint32_t progress;    /* first of 101 to 199 to an INVITE outside of a dialog */
    uint32_t early;       /* first of these with SDP */
    uint32_t answer;      /* first 2xx to such */
    uint32_t final;       /* the last attempt's response from 300 on, nearest to the caller */
    uint32_t cancel, bye, ack;
    uint32_t invites[DX_INVITES_MAX]; /* transactions of INVITEs outside of a dialog */
    size_t invite_count;
    bool has_call; /* a message that only a call has */
};

/* How much later tap b saw what tap a saw as well. */
struct dx_skew {
    uint32_t count;
    int64_t least, most; /* microseconds */
    uint32_t evidence[2];
};

struct dx {
    const struct diagnosis_facts *facts;
    const struct diagnosis_fact *f; /* facts->all */
    uint32_t count;
    const struct diagnosis_options *options;
    struct dx_txn *txns;
    uint32_t txn_count;
    uint32_t *txn_of;  /* by fact; DX_NONE */
    uint32_t *leg_of;  /* the same */
    uint32_t *copy_of; /* the first of the same message; itself */
    bool *doubled;     /* a second tap's view of what is there already */
    struct dx_leg legs[DIAGNOSIS_LEGS_MAX];
    size_t leg_count;
    bool legs_left_out;
    uint64_t taps[DX_TAPS_MAX];
    uint32_t tap_first[DX_TAPS_MAX]; /* a message of it */
    size_t tap_count;
    struct dx_skew skew[DX_TAPS_MAX][DX_TAPS_MAX];
    struct diagnosis *out;
    const struct diagnosis_title *title; /* of the rule at work */
    struct diagnosis_finding *open;
    struct buf text;
    bool no_memory;
};

bool dx_prepare(struct dx *x); /* false: no memory */
void dx_free(struct dx *x);

/* ------------------------------------------------------------------------------------------------ looking */

/* The transaction of a message with another method: the INVITE of a CANCEL. DX_NONE if there is none. */
uint32_t dx_txn_find(const struct dx *x, const struct diagnosis_fact *f, enum sip_method method);

/* The transaction in which the receiver of this one passed the request on; DX_NONE, also for what has no transaction.
 */
uint32_t dx_child(const struct dx *x, uint32_t txn);

/* The same request again from the same host over another transport, this one being without an answer; DX_NONE. */
uint32_t dx_other_transport(const struct dx *x, uint32_t txn);

/* It may still come: the call is live, and this was less than `us` ago. */
bool dx_pending(const struct dx *x, uint32_t fact, int64_t us);

bool dx_contains(struct hep_slice s, const char *word); /* without regard to case */
bool dx_same_ip(const struct hep_addr *a, const struct hep_addr *b);
bool dx_is_private(const struct hep_addr *a);     /* not reachable from the Internet (RFC 1918, 6598, 4193, 3927) */
bool dx_is_public(const struct hep_addr *a);      /* there, and nothing of the above, nor loopback or multicast */
bool dx_is_unspecified(const struct hep_addr *a); /* 0.0.0.0, :: */

static inline bool dx_has(uint32_t fact)
{
    return fact != DX_NONE;
}

/* An INVITE, or other request, outside of a dialog. */
static inline bool dx_is_initial(const struct diagnosis_fact *f)
{
    return f->is_request && f->to_tag.len == 0;
}

static inline bool dx_is_2xx(const struct diagnosis_fact *f)
{
    return f->status >= 200 && f->status < 300;
}

/* The next message from *i on that is SIP and not seen twice; false at the end. */
static inline bool dx_next(const struct dx *x, uint32_t *i)
{
    while (*i < x->count && (!x->f[*i].is_sip || x->doubled[*i] || x->leg_of[*i] == DX_NONE))
        (*i)++;
    return *i < x->count;
}

/* ------------------------------------------------------------------------------------------------ saying */

/*
 * Begins a finding of the rule at work and returns where its sentence goes; never NULL: what is beyond the limits is
 * written and dropped. dx_end() ends it.
 */
struct buf *dx_begin(struct dx *x);
void dx_cite(struct dx *x, uint32_t fact); /* evidence; DX_NONE is passed over */
void dx_end(struct dx *x);

void dx_put_host(struct buf *b, const struct diagnosis_host *h);   /* "10.0.0.1:5060" */
void dx_put_hop(struct buf *b, const struct diagnosis_fact *f);    /* "10.0.0.1:5060 to 10.0.0.2:5060" */
void dx_put_slice(struct buf *b, struct hep_slice s);              /* at most 64 octets */
void dx_put_span(struct buf *b, int64_t us);                       /* "0.5 s", "31.5 s", "2 min 5 s" */
void dx_put_status(struct buf *b, const struct diagnosis_fact *f); /* "486 Busy Here" */
void dx_put_method(struct buf *b, const struct diagnosis_fact *f);
void dx_put_user(struct buf *b, struct hep_slice user, struct hep_slice host); /* "bob@example.org" */
void dx_put_times(struct buf *b, uint32_t n);                                  /* "once", "twice", "3 times" */

/* ------------------------------------------------------------------------------------------------ the rules */

typedef void dx_rule_fn(struct dx *x);

/*
 * X(function, id, severity, when, hint): a function for each, dx_<function>(). The order is that of the document; of
 * findings of the same severity too.
 */
/* clang-format off */
#define DIAGNOSIS_RULES(X) \
    /* diagnosis_answer.c: requests and their answers */ \
    X(no_response, "no-response", ERROR, "an INVITE got no response at all", \
      "is that host up, does the request reach it, does it listen on this port and transport? A firewall, a wrong route or a blacklist drop in silence") \
    X(retransmit_timeout, "retransmit-timeout", ERROR, "a request or a failure response was repeated until its sender gave up", \
      "loss on this hop, or a host that died: capture at the receiving host to see whether the copies arrive") \
    X(no_final_response, "no-final-response", WARNING, "an INVITE got provisional responses, and nothing ended it", \
      "the capture may have ended, or the host that answered lost the call; proxies give up after 3 minutes (timer C)") \
    X(retransmissions, "retransmissions", WARNING, "messages were repeated before they were answered", \
      "loss or a slow host on this hop; a proxy that is slow to send its 100 Trying causes it as well") \
    X(no_ack, "no-ack", ERROR, "a 200 to an INVITE without an ACK", \
      "the Contact of the 200 and the Record-Route of the proxies: the ACK goes where they say, often to a private address") \
    X(ack_lost, "ack-lost", ERROR, "the 200 was repeated although an ACK was sent", \
      "the way of the ACK: Contact, Record-Route and NAT of the called side; such calls end after 32 s") \
    X(no_prack, "no-prack", WARNING, "a reliable provisional response was repeated, and no PRACK came", \
      "100rel: the caller offered it and does not do it, or the PRACK went astray (RFC 3262)") \
    X(bye_unanswered, "bye-unanswered", WARNING, "a BYE without a final response", \
      "the other side may believe that the call goes on: its Contact, NAT bindings and billing") \
    X(short_call, "short-call", WARNING, "BYE within 2 s of the answer", \
      "who hung up and why: codecs, SRTP and a missing ACK are the usual reasons, or an announcement or fax") \
    X(cancel_crossed, "cancel-crossed", INFO, "CANCEL and the 200 to the INVITE crossed", \
      "no fault of anyone; the caller has to send a BYE at once") \
    X(glare, "glare", INFO, "both sides sent a re-INVITE or UPDATE at once (491)", \
      "session timers of both sides that refresh at the same moment, or transfers; the retry should follow within 4 s") \
    X(high_pdd, "high-pdd", WARNING, "more than 5 s from the INVITE until it rang or failed", \
      "the hop that took the time: DNS, route timeouts before the next carrier is tried, slow gateways") \
    /* diagnosis_end.c: how it ended */ \
    X(no_answer, "no-answer", INFO, "it rang, and nobody answered", \
      "ring times, forwarding on no answer, a phone that rings silently") \
    X(early_media_no_answer, "early-media-no-answer", INFO, "early media and no answer", \
      "listen to the announcement: it often says why") \
    X(abandoned, "abandoned", INFO, "the caller gave up before it rang", \
      "a high post dial delay, or a wrong number noticed in time") \
    X(busy, "busy", INFO, "the called side is busy", "call waiting, number of lines of the trunk or of the account") \
    X(declined, "declined", INFO, "the called side declined", "a person, do-not-disturb or a spam filter") \
    X(unknown_number, "unknown-number", WARNING, "the number is unknown or incomplete", \
      "number format at this hop (+, 00, prefixes), dial plan, porting") \
    X(gone, "gone", WARNING, "the number is gone", "number changed: routes and address books") \
    X(unavailable, "unavailable", INFO, "the called side cannot be reached", \
      "is it registered, is its binding right, is forwarding set?") \
    X(not_acceptable, "not-acceptable", ERROR, "what was asked for is not supported", \
      "Require, Accept, Content-Type and Session-Expires of the request against what the answer lists") \
    X(forbidden, "forbidden", ERROR, "the call is not permitted", \
      "caller number and its presentation, account rights, credit, address lists of the trunk") \
    X(call_timeout, "call-timeout", ERROR, "a proxy gave up waiting (408, 504)", \
      "the hop behind the one that answered: does the INVITE go out there, and does anything come back?") \
    X(server_error, "server-error", ERROR, "a server failed (5xx)", "log of the host that answered; Retry-After, Reason and Warning of the response") \
    X(call_failed, "call-failed", ERROR, "another final response from 400 on", "the response of the host that made it") \
    X(abnormal_release, "abnormal-release", WARNING, "a BYE whose cause is not normal clearing", \
      "the gateway or switch behind the side that sent it") \
    X(cause_contradicts, "cause-contradicts", WARNING, "the Q.850 cause says something else than the status", \
      "mapping of causes in the gateway (RFC 3398); failover by status goes wrong with it") \
    X(session_expired, "session-expired", ERROR, "the session timer ran out", \
      "who is the refresher, does its UPDATE or re-INVITE reach the other side (RFC 4028)?") \
    X(transfer_failed, "transfer-failed", ERROR, "a REFER was refused, or the transfer failed", \
      "Refer-To and Replaces, whether the target can be reached from the side that transfers") \
    /* diagnosis_auth.c: credentials and registrations */ \
    X(auth_loop, "auth-loop", ERROR, "challenged again and again", \
      "wrong password or realm, a proxy in between that changes the request, clocks of nonces") \
    X(wrong_credentials, "wrong-credentials", ERROR, "credentials were refused", "user name, password and realm of the account") \
    X(auth_abandoned, "auth-abandoned", WARNING, "a challenge, and no request with credentials followed", \
      "the client has no account for this realm, or never got the challenge") \
    X(registration_expired, "registration-expired", ERROR, "the called side was not registered any more", \
      "why it was not refreshed: NAT, expiry, network of the phone") \
    /* diagnosis_route.c: proxies, forks, transports */ \
    X(redirect_loop, "redirect-loop", ERROR, "redirected to where the call has been already, or too often", \
      "forwarding of the numbers concerned") \
    X(loop_detected, "loop-detected", ERROR, "a proxy found a loop (482)", "routes between the proxies named: each believes the other is responsible") \
    X(too_many_hops, "too-many-hops", ERROR, "Max-Forwards ran out (483)", "a loop in the routes, or a client that begins with too small a number") \
    X(fork_race, "fork-race", WARNING, "several devices answered a forked call", \
      "the loser has to get a BYE; devices that answer by themselves, voice boxes") \
    X(transport_trouble, "transport-trouble", ERROR, "a connection could not be made, or had to be replaced", \
      "TLS certificates, ports and firewalls of the next hop; reachability over TCP") \
    X(udp_too_big, "udp-too-big", ERROR, "a UDP message of more than 1300 octets got no answer", \
      "fragments are dropped on the way: TCP for large requests (RFC 3261 section 18.1.1), fewer codecs and headers, MTU") \
    /* diagnosis_media.c: SDP and media */ \
    X(codec_mismatch, "codec-mismatch", ERROR, "no codec or media profile in common", "codec lists of both sides, SRTP against RTP, transcoding") \
    X(no_sdp_answer, "no-sdp-answer", ERROR, "an offer was answered without SDP", "the called side, or a proxy that drops bodies") \
    X(private_sdp, "private-sdp", WARNING, "a private address in SDP across NAT", \
      "STUN or ICE of the client, a media relay at the border, a SIP ALG in between: media to this address is lost") \
    X(private_contact, "private-contact", WARNING, "a private address in Contact across NAT", \
      "requests within the dialog (ACK, BYE) cannot reach it unless a proxy rewrites it (RFC 5626, fix_nated_contact)") \
    X(media_elsewhere, "media-elsewhere", INFO, "media goes elsewhere than signalling, and nobody reports on it", \
      "add an agent at the media address (RTCP, RTP statistics), or ignore it") \
    X(one_way_audio, "one-way-audio", ERROR, "audio flows in one direction or not at all", \
      "direction and addresses in the SDP of the side named; NAT and firewalls for its RTP ports") \
    X(hold_no_resume, "hold-no-resume", INFO, "put on hold and not resumed", "the side that held: a forgotten call, or a resume that failed") \
    X(packet_loss, "packet-loss", WARNING, "more than 2 % of the packets were lost in an interval", "the network in this direction at that time") \
    X(high_jitter, "high-jitter", WARNING, "more than 30 ms of jitter in an interval", "queues and WLAN in this direction at that time") \
    /* diagnosis_capture.c: what the capture cannot know, and what is not well-formed */ \
    X(capture_gap, "capture-gap", INFO, "the capture was blind here: messages must exist that nobody saw", \
      "mirror both directions and all hops; drops of the agent and in its counters") \
    X(capture_drops, "capture-drops", WARNING, "the capture was blind for a while: its agent dropped packets", \
      "the agent's ring and CPU (docs/agent.md): messages of this call may be among those that are missing") \
    X(clock_skew, "clock-skew", WARNING, "clocks of the capture agents differ", "NTP at the agents: order and delays of this call are not to be trusted") \
    X(call_id_reuse, "call-id-reuse", WARNING, "a Call-ID was used for several calls", "the program of the caller: Call-IDs are to be unique (RFC 3261 section 8.1.1.4)") \
    X(malformed, "malformed", WARNING, "messages are not well-formed", "the program that sent them; strict peers drop such messages in silence")
/* clang-format on */

#define DX_RULE_DECLARE(function, id, severity, title, hint) void dx_##function(struct dx *x);
DIAGNOSIS_RULES(DX_RULE_DECLARE)
#undef DX_RULE_DECLARE

#endif
