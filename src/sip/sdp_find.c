#include "sip/peek.h"
#include "sip/sdp.h"
#include "sip/text.h"
#include "sip/value.h"

/* Media type of a Content-Type value: what stands before the parameters. */
static struct hep_slice media_type(struct hep_slice value)
{
    return text_trim(text_of(value.ptr, text_find(value, ';')));
}

/* The boundary parameter, without quotes; empty if there is none. */
static struct hep_slice boundary_of(struct hep_slice value)
{
    struct hep_slice boundary = text_of(NULL, 0);
    (void)sip_param_find(text_after(value, text_find(value, ';')), "boundary", &boundary);
    return boundary;
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

/* Cuts the headers off a part, which becomes its body, and returns its Content-Type. */
static struct hep_slice part_type(struct hep_slice *part)
{
    struct sip_headers it;
    struct sip_header h;
    struct hep_slice type = text_of(NULL, 0);
    sip_headers_begin_part(&it, *part);
    while (sip_headers_step(&it, &h)) {
        if (h.id == SIP_H_CONTENT_TYPE)
            type = h.value;
    }
    *part = it.rest;
    return type;
}

/* Parts inside each other are kept on a stack instead of recursion: the sender chooses how deep. */
bool sdp_find_in(struct hep_slice body, struct hep_slice type, struct hep_slice *ret)
{
    struct {
        struct hep_slice rest, boundary;
    } open[SDP_NESTING_MAX];
    int depth = 0;
    if (body.len == 0)
        return false;
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
        type = part_type(&body);
    }
}

bool sdp_find(const uint8_t *msg, size_t len, struct hep_slice *ret)
{
    struct hep_slice type = text_of(NULL, 0);
    (void)sip_find(msg, len, "Content-Type", &type);
    return sdp_find_in(sip_body(msg, len), type, ret);
}
