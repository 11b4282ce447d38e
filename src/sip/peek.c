#include "sip/peek.h"

#include "base/num.h"
#include "sip/start.h"
#include "sip/text.h"

bool sip_looks_like(const uint8_t *p, size_t n)
{
    struct sip_headers it;
    struct sip_start start;
    unsigned flags;
    return sip_start_parse(sip_headers_begin_at_start_line(&it, text_of(p, n), &flags), &start);
}

/* ------------------------------------------------------------------------------------------------ headers */

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

/* Octets of empty lines in front of a message: keep-alives of RFC 5626. */
static size_t leading_line_ends(struct hep_slice s)
{
    size_t n = 0;
    while (n < s.len && (s.ptr[n] == '\r' || s.ptr[n] == '\n'))
        n++;
    return n;
}

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
    struct sip_start start;
    size_t end = text_find(s, '\n');
    if (end == s.len)
        return sip_start_may_become(s);
    return text_line(&rest, &line) && sip_start_parse(line, &start);
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
