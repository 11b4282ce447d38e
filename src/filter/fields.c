#include "filter/fields.h"

#include <string.h>
#include <strings.h>

/* clang-format off */
static const struct filter_field fields[] = {
    /* who and which call */
    { "callid", "call-id call_id cid", FILTER_TEXT, "call_id", 0, "Call-ID" },
    { "from", "caller", FILTER_URI, "from_user from_host", 0, "From" },
    { "to", "callee", FILTER_URI, "to_user to_host", 0, "To" },
    { "ruri", "uri request-uri", FILTER_URI, "ruri_user ruri_host", 0, "Request-URI" },
    { "contact", "", FILTER_URI, "contact_user contact_host", 0, "Contact" },
    { "pai", "asserted", FILTER_URI, "pai_user pai_host", 0, "P-Asserted-Identity" },
    { "user", "number", FILTER_URI,
      "from_user from_host to_user to_host ruri_user ruri_host contact_user contact_host pai_user pai_host", 0,
      "any of from, to, ruri, contact, pai" },
    { "rpid", "", FILTER_USER, "rpid_user", 0, "user of Remote-Party-ID" },
    { "diversion", "", FILTER_USER, "diversion_user", 0, "user of Diversion" },
    { "auth", "auth_user authuser", FILTER_TEXT, "auth_user", 0, "username of (Proxy-)Authorization" },
    { "name", "displayname", FILTER_TEXT, "from_name", 0, "display name of From" },
    /* the message */
    { "method", "", FILTER_WORD, "method", 0, "method of a request, or that a response answers" },
    { "status", "code", FILTER_STATUS, "status", 0, "status code of a response" },
    { "reason", "", FILTER_TEXT, "reason", 0, "reason phrase of a response" },
    { "cause", "q850 q850_cause", FILTER_COUNT, "q850_cause", 0, "Q.850 cause of the Reason header" },
    { "cseq", "", FILTER_COUNT, "cseq", 0, "number in CSeq" },
    { "ua", "useragent user-agent user_agent agent", FILTER_TEXT, "user_agent", 0, "User-Agent or Server" },
    { "tag", "", FILTER_TEXT, "from_tag to_tag", 0, "tag of From or To" },
    { "branch", "", FILTER_TEXT, "branch", 0, "branch of the top Via" },
    { "via", "", FILTER_TEXT, "via_host", 0, "host of the top Via" },
    { "expires", "", FILTER_COUNT, "expires", 0, "Expires, seconds" },
    { "event", "", FILTER_TEXT, "event", 0, "Event" },
    { "session", "session-id session_id", FILTER_TEXT, "session_id session_id_remote", 0, "either half of Session-ID" },
    { "icid", "", FILTER_TEXT, "icid", 0, "icid-value of P-Charging-Vector" },
    { "replaces", "", FILTER_TEXT, "replaces", 0, "Call-ID in Replaces" },
    { "referto", "refer-to refer_to", FILTER_TEXT, "refer_to", 0, "URI of Refer-To" },
    { "sdp", "", FILTER_TEXT, "sdp_ip sdp_media", 0, "SDP: connection address, or the text of its media" },
    { "header", "headers", FILTER_LIST, "headers", '\n', "one of the extra headers kept, as \"Name: value\"" },
    { "error", "parse_error", FILTER_LIST, "parse_error", ',', "one of the names of what is malformed" },
    /* the packet and who captured it */
    { "src", "source srcip src_ip", FILTER_ADDR, "src_addr src_ip src_port", 0, "source of the packet" },
    { "dst", "destination dstip dst_ip", FILTER_ADDR, "dst_addr dst_ip dst_port", 0, "destination of the packet" },
    { "ip", "addr", FILTER_ADDR, "src_addr src_ip src_port dst_addr dst_ip dst_port", 0, "source or destination" },
    { "port", "", FILTER_COUNT, "src_port dst_port", 0, "port of source or destination" },
    { "proto", "protocol", FILTER_TEXT, "proto", 0, "transport protocol of the packet" },
    { "type", "", FILTER_TYPE, "payload_type", 0, "HEP payload type, or table" },
    { "corr", "correlation correlation_id", FILTER_TEXT, "correlation_id", 0, "HEP correlation id" },
    { "node", "", FILTER_TEXT, "node", 0, "name of the capture agent" },
    { "captureid", "capture-id capture_id", FILTER_COUNT, "capture_id", 0, "number of the capture agent" },
    { "sender", "", FILTER_SENDER, "sender", 0, "who sent the HEP frame" },
    { "transport", "", FILTER_WORD, "transport", 0, "how the HEP frame came" },
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
    for (size_t i = 0; i < FIELD_COUNT; i++) {
        if (same(name, len, fields[i].name, strlen(fields[i].name)))
            return &fields[i];
        struct filter_word alias;
        for (const char *words = fields[i].aliases; filter_word_next(&words, &alias);)
            if (same(name, len, alias.ptr, alias.len))
                return &fields[i];
    }
    return NULL;
}

static char fold(char c)
{
    return (char)(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
}

/* Optimal string alignment: the edit distance with neighbours swapped as one error; three rows of its table. */
size_t filter_distance(const char *text, size_t len, const char *word, size_t word_len, size_t max)
{
    enum { LONGEST = 32 };
    size_t rows[3][LONGEST + 1];
    if (len > LONGEST || word_len > LONGEST)
        return max + 1;
    for (size_t j = 0; j <= word_len; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= len; i++) {
        size_t *now = rows[i % 3];
        const size_t *last = rows[(i - 1) % 3];
        now[0] = i;
        for (size_t j = 1; j <= word_len; j++) {
            bool equal = fold(text[i - 1]) == fold(word[j - 1]);
            size_t best = last[j - 1] + !equal;
            best = last[j] + 1 < best ? last[j] + 1 : best;
            best = now[j - 1] + 1 < best ? now[j - 1] + 1 : best;
            if (i > 1 && j > 1 && fold(text[i - 1]) == fold(word[j - 2]) && fold(text[i - 2]) == fold(word[j - 1])) {
                size_t swapped = rows[(i - 2) % 3][j - 2] + 1;
                best = swapped < best ? swapped : best;
            }
            now[j] = best;
        }
    }
    size_t found = rows[len % 3][word_len];
    return found > max ? max + 1 : found;
}

/* Two errors in a word of four letters or more; one in a shorter word. */
static size_t errors_allowed(size_t len)
{
    return len >= 4 ? 2 : 1;
}

const char *filter_field_nearest(const char *name, size_t len)
{
    size_t best = errors_allowed(len) + 1;
    const char *found = NULL;
    for (size_t i = 0; i < FIELD_COUNT; i++) {
        size_t d = filter_distance(name, len, fields[i].name, strlen(fields[i].name), best);
        struct filter_word alias;
        for (const char *words = fields[i].aliases; filter_word_next(&words, &alias);) {
            size_t other = filter_distance(name, len, alias.ptr, alias.len, best);
            d = other < d ? other : d;
        }
        if (d < best) {
            best = d;
            found = fields[i].name;
        }
    }
    return found;
}
