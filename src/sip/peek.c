#include "sip/peek.h"

#include "base/num.h"
#include "sip/text.h"

#define METHOD_MAX     32   /* octets; the longest registered one, "SUBSCRIBE", has 9 */
#define START_LINE_MAX 8192 /* octets without a line end until a stream is held not to be SIP */

/* ------------------------------------------------------------------------------------------------ start line */

/* token of RFC 3261 section 25.1 */
static bool is_token_char(uint8_t c)
{
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'))
        return true;
    return c != '\0' && strchr("-.!%*_+`'~", c) != NULL;
}

/* Octets of the token at the start of s. */
static size_t token_length(struct hep_slice s)
{
    size_t n = 0;
    while (n < s.len && is_token_char(s.ptr[n]))
        n++;
    return n;
}

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static bool is_status_line(struct hep_slice line)
{
    if (!text_starts(line, "SIP/2.0 ") || line.len < 11)
        return false;
    const uint8_t *code = line.ptr + 8;
    if (code[0] < '1' || code[0] > '6' || !is_digit(code[1]) || !is_digit(code[2]))
        return false;
    return line.len == 11 || code[3] == ' ';
}

/* The URI is what stands between: some senders leave spaces in it. */
static bool is_request_line(struct hep_slice line)
{
    static const char version[] = " SIP/2.0";
    size_t method = token_length(line);
    while (line.len > 0 && text_is_blank(line.ptr[line.len - 1]))
        line.len--;
    if (method == 0 || method > METHOD_MAX || line.len < method + 1 + sizeof(version))
        return false;
    return line.ptr[method] == ' ' && line.ptr[method + 1] != ' ' &&
           text_is(text_after(line, line.len - (sizeof(version) - 1)), version);
}

static bool is_start_line(struct hep_slice line)
{
    return is_status_line(line) || is_request_line(line);
}

/* True if more octets may turn this beginning of a line into a start line. */
static bool may_become_start_line(struct hep_slice part)
{
    static const char status[] = "SIP/2.0 ";
    size_t common = part.len < sizeof(status) - 1 ? part.len : sizeof(status) - 1;
    if (part.len > START_LINE_MAX)
        return false;
    if (common == 0 || strncasecmp((const char *)part.ptr, status, common) == 0)
        return true;
    size_t method = token_length(part);
    if (method == part.len)
        return method <= METHOD_MAX;
    return method > 0 && method <= METHOD_MAX && part.ptr[method] == ' ' &&
           (part.len == method + 1 || part.ptr[method + 1] > ' ');
}

static size_t leading_line_ends(struct hep_slice s)
{
    size_t n = 0;
    while (n < s.len && (s.ptr[n] == '\r' || s.ptr[n] == '\n'))
        n++;
    return n;
}

bool sip_looks_like(const uint8_t *p, size_t n)
{
    struct hep_slice rest = text_of(p, n);
    struct hep_slice line;
    rest = text_after(rest, leading_line_ends(rest));
    return text_line(&rest, &line) && is_start_line(line);
}

/* ------------------------------------------------------------------------------------------------ headers */

void sip_headers_begin(struct sip_headers *it, const uint8_t *msg, size_t len)
{
    struct hep_slice start_line;
    it->rest = text_of(msg, len);
    it->rest = text_after(it->rest, leading_line_ends(it->rest));
    (void)text_line(&it->rest, &start_line);
}

void sip_headers_begin_part(struct sip_headers *it, struct hep_slice part)
{
    it->rest = part;
}

/* A line with its continuation lines (RFC 3261 section 7.3.1). */
static bool folded_line(struct hep_slice *rest, struct hep_slice *ret)
{
    if (!text_line(rest, ret))
        return false;
    struct hep_slice more;
    while (ret->len > 0 && rest->len > 0 && (*rest->ptr == ' ' || *rest->ptr == '\t') && text_line(rest, &more))
        ret->len = (size_t)(more.ptr + more.len - ret->ptr);
    return true;
}

bool sip_headers_next(struct sip_headers *it, struct hep_slice *ret_name, struct hep_slice *ret_value)
{
    struct hep_slice line;
    while (folded_line(&it->rest, &line)) {
        if (line.len == 0)
            return false;
        size_t colon = text_find(line, ':');
        if (colon == line.len)
            continue;
        *ret_name = text_trim(text_of(line.ptr, colon));
        *ret_value = text_trim(text_after(line, colon + 1));
        return true;
    }
    return false;
}

/* Compact form of a header: IANA "SIP Parameters", table "Header Fields". '\0' if it has none. */
static char compact_form(const char *full)
{
    static const struct {
        char compact;
        const char *full;
    } forms[] = {
        { 'a', "Accept-Contact" },
        { 'b', "Referred-By" },
        { 'c', "Content-Type" },
        { 'd', "Request-Disposition" },
        { 'e', "Content-Encoding" },
        { 'f', "From" },
        { 'i', "Call-ID" },
        { 'j', "Reject-Contact" },
        { 'k', "Supported" },
        { 'l', "Content-Length" },
        { 'm', "Contact" },
        { 'n', "Identity-Info" },
        { 'o', "Event" },
        { 'r', "Refer-To" },
        { 's', "Subject" },
        { 't', "To" },
        { 'u', "Allow-Events" },
        { 'v', "Via" },
        { 'x', "Session-Expires" },
        { 'y', "Identity" },
    };
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        if (strcasecmp(forms[i].full, full) == 0)
            return forms[i].compact;
    }
    return '\0';
}

bool sip_name_is(struct hep_slice name, const char *full)
{
    if (name.len == 1) {
        char compact = compact_form(full);
        return compact != '\0' && (*name.ptr | 0x20) == compact;
    }
    return text_is(name, full);
}

bool sip_find(const uint8_t *msg, size_t len, const char *full, struct hep_slice *ret_value)
{
    struct sip_headers it;
    struct hep_slice name;
    struct hep_slice value;
    sip_headers_begin(&it, msg, len);
    while (sip_headers_next(&it, &name, &value)) {
        if (sip_name_is(name, full)) {
            *ret_value = value;
            return true;
        }
    }
    return false;
}

bool sip_call_id(const uint8_t *msg, size_t len, struct hep_slice *ret)
{
    return sip_find(msg, len, "Call-ID", ret);
}

int sip_content_length(const uint8_t *msg, size_t len, size_t *ret)
{
    struct sip_headers it;
    struct hep_slice name;
    struct hep_slice value;
    int found = 0;
    sip_headers_begin(&it, msg, len);
    while (sip_headers_next(&it, &name, &value)) {
        uint64_t number;
        if (!sip_name_is(name, "Content-Length"))
            continue;
        if (!num_parse((const char *)value.ptr, value.len, UINT32_MAX, &number) || (found && number != *ret))
            return -1;
        *ret = (size_t)number;
        found = 1;
    }
    return found;
}

struct hep_slice sip_body(const uint8_t *msg, size_t len)
{
    struct sip_headers it;
    struct hep_slice name;
    struct hep_slice value;
    sip_headers_begin(&it, msg, len);
    while (sip_headers_next(&it, &name, &value))
        continue;
    size_t said;
    if (sip_content_length(msg, len, &said) == 1 && said < it.rest.len)
        it.rest.len = said;
    return it.rest;
}

/* ------------------------------------------------------------------------------------------------ streams */

/* Length of start line and headers with the empty line, 0 if its end is not there. */
static size_t headers_length(struct hep_slice s)
{
    for (size_t at = text_find(s, '\n'); at < s.len; at += 1 + text_find(text_after(s, at + 1), '\n')) {
        if (at + 1 < s.len && s.ptr[at + 1] == '\n')
            return at + 2;
        if (at + 2 < s.len && s.ptr[at + 1] == '\r' && s.ptr[at + 2] == '\n')
            return at + 3;
    }
    return 0;
}

static bool start_is_possible(struct hep_slice s)
{
    struct hep_slice line;
    struct hep_slice rest = s;
    size_t end = text_find(s, '\n');
    if (end == s.len)
        return may_become_start_line(s);
    return text_line(&rest, &line) && is_start_line(line);
}

int sip_frame(const uint8_t *p, size_t n, size_t *ret_skip, size_t *ret_len)
{
    struct hep_slice s = text_of(p, n);
    *ret_skip = leading_line_ends(s);
    *ret_len = 0;
    s = text_after(s, *ret_skip);
    if (s.len == 0)
        return SIP_FRAME_MORE;
    if (!start_is_possible(s))
        return SIP_FRAME_BAD;

    size_t headers = headers_length(s);
    if (headers > SIP_HEADERS_MAX || (headers == 0 && s.len > SIP_HEADERS_MAX))
        return SIP_FRAME_BAD;
    if (headers == 0)
        return SIP_FRAME_MORE;
    size_t body = 0;
    if (sip_content_length(s.ptr, headers, &body) < 0)
        return SIP_FRAME_BAD;
    *ret_len = headers + body;
    return *ret_len <= s.len ? SIP_FRAME_OK : SIP_FRAME_MORE;
}

size_t sip_resync(const uint8_t *p, size_t n)
{
    struct hep_slice s = text_of(p, n);
    size_t at = text_find(s, '\n');
    while (at < n) {
        at++;
        struct hep_slice rest = text_after(s, at);
        if (rest.len > 0 && start_is_possible(rest))
            return at;
        at += text_find(rest, '\n');
    }
    return n;
}
