#include "filter/fields.h"

#include <string.h>
#include <strings.h>

#include "base/near.h"

/* clang-format off */
static const struct filter_field fields[] = {
    /* who and which call */
    { "callid", "call-id call_id cid", FILTER_TEXT, 0, "call_id", "Call-ID" },
    { "from", "caller", FILTER_URI, 0, "from_user from_host", "From" },
    { "to", "callee aor", FILTER_URI, 0, "to_user to_host", "To; of a registration its address of record" },
    { "ruri", "uri request-uri", FILTER_URI, 0, "ruri_user ruri_host", "Request-URI" },
    { "contact", "", FILTER_URI, 0, "contact_user contact_host", "Contact" },
    { "pai", "asserted", FILTER_URI, 0, "pai_user pai_host", "P-Asserted-Identity" },
    { "user", "number", FILTER_URI, 0,
      "from_user from_host to_user to_host ruri_user ruri_host contact_user contact_host pai_user pai_host",
      "any of from, to, ruri, contact, pai" },
    { "num", "phone", FILTER_PHONE, 0,
      "from_user to_user ruri_user contact_user pai_user rpid_user diversion_user",
      "phone number in any of its written forms: any of from, to, ruri, contact, pai, rpid, diversion" },
    { "rpid", "", FILTER_USER, 0, "rpid_user", "user of Remote-Party-ID" },
    { "diversion", "", FILTER_USER, 0, "diversion_user", "user of Diversion" },
    { "auth", "auth_user authuser", FILTER_TEXT, 0, "auth_user", "username of (Proxy-)Authorization" },
    { "name", "displayname", FILTER_TEXT, 0, "from_name", "display name of From" },
    /* the message */
    { "method", "", FILTER_WORD, 0, "method", "method of a request, or that a response answers" },
    { "status", "code", FILTER_STATUS, 0, "status", "status code of a response" },
    { "reason", "", FILTER_TEXT, 0, "reason", "reason phrase of a response" },
    { "cause", "q850 q850_cause", FILTER_COUNT, 0, "q850_cause", "Q.850 cause of the Reason header" },
    { "cseq", "", FILTER_COUNT, 0, "cseq", "number in CSeq" },
    { "ua", "useragent user-agent user_agent agent", FILTER_TEXT, 0, "user_agent caller_agent callee_agent",
      "User-Agent or Server" },
    { "tag", "", FILTER_TEXT, 0, "from_tag to_tag", "tag of From or To" },
    { "branch", "", FILTER_TEXT, 0, "branch", "branch of the top Via" },
    { "via", "", FILTER_TEXT, 0, "via_host", "host of the top Via" },
    { "expires", "", FILTER_COUNT, 0, "expires", "Expires, seconds" },
    { "event", "", FILTER_TEXT, 0, "event", "Event" },
    { "session", "session-id session_id", FILTER_TEXT, 0, "session_id session_id_remote", "either half of Session-ID" },
    { "icid", "", FILTER_TEXT, 0, "icid", "icid-value of P-Charging-Vector" },
    { "replaces", "", FILTER_TEXT, 0, "replaces", "Call-ID in Replaces" },
    { "referto", "refer-to refer_to", FILTER_TEXT, 0, "refer_to", "URI of Refer-To" },
    { "sdp", "", FILTER_TEXT, 0, "sdp_ip sdp_media caller_media_ip callee_media_ip offer chosen",
      "SDP: connection address, or the text of its media" },
    { "header.NAME", "", FILTER_HEADER, 0, "payload", "value of the header of this name, of a SIP message" },
    { "body", "", FILTER_BODY, 0, "payload", "some place in the body of a SIP message; else in the payload" },
    { "payload", "raw", FILTER_PAYLOAD, 0, "payload", "some place in the message as it was captured" },
    { "header", "headers", FILTER_LIST, '\n', "headers", "one of the extra headers kept, as \"Name: value\"" },
    { "error", "parse_error", FILTER_LIST, ',', "parse_error", "one of the names of what is malformed" },
    /* calls; most of the above go for them too */
    { "state", "", FILTER_WORD, 0, "state",
      "of a call: calling, ringing, early, answered, held; completed, cancelled, rejected, failed, \"timed out\", "
      "incomplete; of a registration: registered, unregistered, queried, challenged, refused, \"timed out\", incomplete" },
    { "duration", "talk talktime", FILTER_SPAN, 0, "talk_ms", "of a call: from the answer to the end" },
    { "pdd", "", FILTER_SPAN, 0, "pdd_ms", "of a call: post dial delay" },
    { "ring", "ringtime", FILTER_SPAN, 0, "ring_ms", "of a call: how long it rang" },
    { "mos", "", FILTER_DECIMAL, 0, "mos", "of a call: mean opinion score, of the direction that is worse" },
    { "mosmin", "mos_min", FILTER_DECIMAL, 0, "mos_min", "of a call: MOS of its worst interval" },
    { "loss", "", FILTER_PERCENT, 0, "loss", "of a call: packets lost, of the direction that is worse" },
    { "lossmax", "loss_max", FILTER_PERCENT, 0, "loss_max", "of a call: packets lost in its worst interval" },
    { "jitter", "", FILTER_DELAY, 0, "jitter_ms", "of a call: mean jitter, of the direction that is worse" },
    { "jittermax", "jitter_max jitter_max_ms", FILTER_DELAY, 0, "jitter_max_ms", "of a call: highest jitter" },
    { "rtt", "", FILTER_DELAY, 0, "rtt_ms", "of a call: mean round trip of its media" },
    { "reports", "", FILTER_COUNT, 0, "reports", "of a call: reports on its media" },
    { "hangup", "", FILTER_WORD, 0, "hangup", "of a call: who ended it, caller or callee" },
    { "flag", "flags", FILTER_LIST, ',', "call_flags", "of a call: something remarkable, as docs/calls.md names it" },
    { "uac", "", FILTER_TEXT, 0, "caller_agent", "of a call: User-Agent of who calls" },
    { "uas", "", FILTER_TEXT, 0, "callee_agent", "of a call: User-Agent or Server of who is called" },
    { "codec", "", FILTER_WORD, 0, "codec", "of a call: the codec chosen" },
    { "retrans", "retransmissions", FILTER_COUNT, 0, "retransmissions", "of a call or registration: messages sent again" },
    { "reinvites", "", FILTER_COUNT, 0, "reinvites", "of a call: re-INVITEs" },
    { "hops", "", FILTER_COUNT, 0, "hops", "of a call: places that sent its INVITE on" },
    { "legs", "", FILTER_COUNT, 0, "legs", "of a call: calls that are its legs, itself included" },
    { "group", "", FILTER_TEXT, 0, "group_id", "of a call: the group of legs" },
    { "joined", "", FILTER_WORD, 0, "joined_by", "of a call: kind of the key that joined it to other legs" },
    { "key", "", FILTER_TEXT, 0, "key", "of a key of calls: its value" },
    { "messages", "", FILTER_COUNT, 0, "messages", "of a call or registration: how many there are" },
    { "binding", "", FILTER_WORD, 0, "binding", "of a registration: new, refresh, remove, query" },
    { "answer", "answertime", FILTER_SPAN, 0, "answer_ms", "of a registration: time to the final answer" },
    { "authrounds", "auth-rounds auth_rounds", FILTER_COUNT, 0, "auth_rounds",
      "of a call or registration: challenges that were answered" },
    /* the packet and who captured it */
    { "ts", "time", FILTER_TIME, 0, "ts", "when the message was on the wire" },
    { "src", "source srcip src_ip", FILTER_ADDR, 0, "src_addr src_ip src_port", "source of the packet" },
    { "dst", "destination dstip dst_ip", FILTER_ADDR, 0, "dst_addr dst_ip dst_port", "destination of the packet" },
    { "ip", "addr", FILTER_ADDR, 0, "src_addr src_ip src_port dst_addr dst_ip dst_port", "source or destination" },
    { "port", "", FILTER_COUNT, 0, "src_port dst_port", "port of source or destination" },
    { "proto", "protocol", FILTER_TEXT, 0, "proto", "transport protocol of the packet" },
    { "type", "", FILTER_TYPE, 0, "payload_type", "HEP payload type, or table" },
    { "corr", "correlation correlation_id", FILTER_TEXT, 0, "correlation_id", "HEP correlation id" },
    { "node", "", FILTER_TEXT, 0, "node", "name of the capture agent" },
    { "captureid", "capture-id capture_id", FILTER_COUNT, 0, "capture_id", "number of the capture agent" },
    { "sender", "", FILTER_SENDER, 0, "sender", "who sent the HEP frame" },
    { "transport", "", FILTER_WORD, 0, "transport", "how the HEP frame came" },
};
/* clang-format on */

#define FIELD_COUNT (sizeof(fields) / sizeof(fields[0]))

const struct filter_field *filter_fields(size_t *ret_count)
{
    *ret_count = FIELD_COUNT;
    return fields;
}

bool filter_word_next(const char **words, struct filter_word *ret)
{
    ret->ptr = *words + strspn(*words, " ");
    ret->len = strcspn(ret->ptr, " ");
    *words = ret->ptr + ret->len;
    return ret->len > 0;
}

static bool same(const char *a, size_t a_len, const char *b, size_t b_len)
{
    return a_len == b_len && strncasecmp(a, b, a_len) == 0;
}

const struct filter_field *filter_field_by_name(const char *name, size_t len)
{
    size_t prefix = strlen(FILTER_HEADER_PREFIX);
    bool header = len > prefix && strncasecmp(name, FILTER_HEADER_PREFIX, prefix) == 0;
    for (size_t i = 0; i < FIELD_COUNT; i++) {
        if (header && fields[i].type == FILTER_HEADER)
            return &fields[i];
        if (same(name, len, fields[i].name, strlen(fields[i].name)))
            return &fields[i];
        struct filter_word alias;
        for (const char *words = fields[i].aliases; filter_word_next(&words, &alias);)
            if (same(name, len, alias.ptr, alias.len))
                return &fields[i];
    }
    return NULL;
}

const char *filter_field_nearest(const char *name, size_t len)
{
    size_t best = near_allowed(len) + 1;
    const char *found = NULL;
    for (size_t i = 0; i < FIELD_COUNT; i++) {
        size_t d = near_distance(name, len, fields[i].name, strlen(fields[i].name), best);
        struct filter_word alias;
        for (const char *words = fields[i].aliases; filter_word_next(&words, &alias);) {
            size_t other = near_distance(name, len, alias.ptr, alias.len, best);
            d = other < d ? other : d;
        }
        if (d < best) {
            best = d;
            found = fields[i].name;
        }
    }
    return found;
}
