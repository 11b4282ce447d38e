#include "sip/sdp.h"

#include "base/ip.h"
#include "base/num.h"
#include "sip/peek.h"
#include "sip/text.h"

/* ------------------------------------------------------------------------------------------------ bodies */

/* Media type of a Content-Type value: what stands before the parameters. */
static struct hep_slice media_type(struct hep_slice value)
{
    return text_trim(text_of(value.ptr, text_find(value, ';')));
}

/* The boundary parameter, without quotes; empty if there is none. */
static struct hep_slice boundary_of(struct hep_slice value)
{
    for (size_t at = text_find(value, ';'); at < value.len; at = text_find(value, ';')) {
        value = text_trim(text_after(value, at + 1));
        if (!text_starts(value, "boundary"))
            continue;
        struct hep_slice rest = text_trim(text_after(value, strlen("boundary")));
        if (rest.len == 0 || *rest.ptr != '=')
            continue;
        rest = text_trim(text_after(rest, 1));
        if (rest.len > 0 && *rest.ptr == '"') {
            rest = text_after(rest, 1);
            return text_of(rest.ptr, text_find(rest, '"'));
        }
        return text_trim(text_of(rest.ptr, text_find(rest, ';')));
    }
    return text_of(NULL, 0);
}

/* True if the line is "--boundary", with *ret_last if it is "--boundary--". */
static bool is_delimiter(struct hep_slice line, struct hep_slice boundary, bool *ret_last)
{
    if (!text_starts(line, "--") || line.len < 2 + boundary.len ||
        memcmp(line.ptr + 2, boundary.ptr, boundary.len) != 0)
        return false;
    struct hep_slice tail = text_after(line, 2 + boundary.len);
    *ret_last = text_starts(tail, "--");
    return *ret_last || text_trim(tail).len == 0;
}

/*
 * Cuts the next part off: from behind a delimiter line to the one that follows it, which stays. False if there is no
 * further part. The line end before a delimiter stays with the part: SDP does not mind.
 */
static bool next_part(struct hep_slice *rest, struct hep_slice boundary, struct hep_slice *ret)
{
    struct hep_slice line;
    bool last = false;
    do {
        if (!text_line(rest, &line))
            return false;
    } while (!is_delimiter(line, boundary, &last));
    if (last)
        return false;
    const uint8_t *start = rest->ptr;
    struct hep_slice ahead = *rest;
    while (text_line(&ahead, &line)) {
        if (is_delimiter(line, boundary, &last))
            break;
        *rest = ahead;
    }
    *ret = text_of(start, (size_t)(rest->ptr - start));
    return true;
}

/*
 * Looks for SDP in a body, part by part. `depth` parts are opened inside each other at most, by a stack instead of
 * recursion: the sender chooses how deep.
 */
static bool find_in_parts(struct hep_slice body, struct hep_slice type, struct hep_slice *ret)
{
    struct {
        struct hep_slice rest, boundary;
    } open[SDP_NESTING_MAX];
    int depth = 0;
    for (;;) {
        struct hep_slice media = media_type(type);
        if (text_is(media, "application/sdp") || (type.len == 0 && text_starts(body, "v=0"))) {
            *ret = body;
            return true;
        }
        struct hep_slice boundary = boundary_of(type);
        if (text_starts(media, "multipart/") && boundary.len > 0 && depth < SDP_NESTING_MAX) {
            open[depth].rest = body;
            open[depth].boundary = boundary;
            depth++;
        }
        while (depth > 0 && !next_part(&open[depth - 1].rest, open[depth - 1].boundary, &body))
            depth--;
        if (depth == 0)
            return false;
        struct sip_headers it;
        struct hep_slice name;
        struct hep_slice value;
        type = text_of(NULL, 0);
        sip_headers_begin_part(&it, body);
        while (sip_headers_next(&it, &name, &value)) {
            if (sip_name_is(name, "Content-Type"))
                type = value;
        }
        body = it.rest;
    }
}

bool sdp_find(const uint8_t *msg, size_t len, struct hep_slice *ret)
{
    struct hep_slice type = text_of(NULL, 0);
    struct hep_slice body = sip_body(msg, len);
    if (body.len == 0)
        return false;
    (void)sip_find(msg, len, "Content-Type", &type);
    return find_in_parts(body, type, ret);
}

/* ------------------------------------------------------------------------------------------------ lines */

/* "IN IP4 host" or "IN IP6 host", with "/ttl" or "/number" of multicast left out. */
static bool parse_address(struct hep_slice words, struct hep_slice *ret_host, struct hep_addr *ret_addr)
{
    if (!text_is(text_word(&words), "IN") || !text_starts(text_word(&words), "IP"))
        return false;
    struct hep_slice host = text_word(&words);
    host.len = text_find(host, '/');
    if (host.len == 0)
        return false;
    *ret_host = host;
    if (!ip_parse((const char *)host.ptr, host.len, ret_addr))
        *ret_addr = (struct hep_addr){ .len = 0 };
    return true;
}

static bool parse_port(struct hep_slice text, uint16_t *ret)
{
    uint64_t port;
    if (!num_parse((const char *)text.ptr, text.len, UINT16_MAX, &port))
        return false;
    *ret = (uint16_t)port;
    return true;
}

/* "audio 49170/2 RTP/AVP 0": the number of ports is left out. */
static bool parse_media(struct hep_slice words, struct sdp_media *ret)
{
    ret->kind = text_word(&words);
    struct hep_slice port = text_word(&words);
    port.len = text_find(port, '/');
    ret->protocol = text_word(&words);
    return ret->kind.len > 0 && ret->protocol.len > 0 && parse_port(port, &ret->port);
}

/* "53020" or "53020 IN IP6 2001:db8::1" */
static void parse_rtcp(struct hep_slice words, struct sdp_media *ret)
{
    struct hep_slice host;
    struct hep_addr addr;
    if (!parse_port(text_word(&words), &ret->rtcp_port))
        return;
    if (parse_address(words, &host, &addr) && addr.len != 0)
        ret->rtcp_addr = addr;
}

/* A line "x=value" as type and value; '\0' for any other line. */
static char split_line(struct hep_slice line, struct hep_slice *ret_value)
{
    if (line.len < 2 || line.ptr[1] != '=')
        return '\0';
    *ret_value = text_trim(text_after(line, 2));
    return (char)*line.ptr;
}

/* Cuts the next line off, unless it begins the next medium. */
static bool section_line(struct hep_slice *rest, char *ret_type, struct hep_slice *ret_value)
{
    struct hep_slice ahead = *rest;
    struct hep_slice line;
    if (!text_line(&ahead, &line) || text_starts(line, "m="))
        return false;
    *rest = ahead;
    *ret_type = split_line(line, ret_value);
    return true;
}

void sdp_begin(struct sdp_iter *it, struct hep_slice sdp)
{
    *it = (struct sdp_iter){ .rest = sdp };
    char type;
    struct hep_slice value;
    while (section_line(&it->rest, &type, &value)) {
        if (type == 'c' && it->session_host.len == 0)
            (void)parse_address(value, &it->session_host, &it->session_addr);
    }
}

static void read_section(struct sdp_iter *it, struct sdp_media *ret)
{
    char type;
    struct hep_slice value;
    while (section_line(&it->rest, &type, &value)) {
        if (type == 'c' && ret->host.len == 0)
            (void)parse_address(value, &ret->host, &ret->addr);
        else if (type == 'a' && text_is(value, "rtcp-mux"))
            ret->rtcp_mux = true;
        else if (type == 'a' && text_starts(value, "rtcp:"))
            parse_rtcp(text_after(value, strlen("rtcp:")), ret);
    }
    if (ret->host.len == 0) {
        ret->host = it->session_host;
        ret->addr = it->session_addr;
    }
    if (ret->rtcp_addr.len == 0)
        ret->rtcp_addr = ret->addr;
    if (ret->port == 0)
        ret->rtcp_port = 0;
    else if (ret->rtcp_port == 0)
        ret->rtcp_port = (uint16_t)(ret->rtcp_mux ? ret->port : ret->port + 1);
}

bool sdp_next(struct sdp_iter *it, struct sdp_media *ret)
{
    struct hep_slice line;
    while (text_line(&it->rest, &line)) {
        *ret = (struct sdp_media){ .port = 0 };
        bool good = parse_media(text_after(line, 2), ret); /* the iterator stands at an m= line */
        read_section(it, ret);
        if (good)
            return true;
    }
    return false;
}
