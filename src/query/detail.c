#include "query/detail.h"

#include "base/ip.h"
#include "base/json_out.h"
#include "sip/msg.h"
#include "sip/sdp.h"

/* ------------------------------------------------------------------------------------------------ members */

static void put_text(struct buf *out, bool *first, const char *key, struct hep_slice s)
{
    if (s.len == 0)
        return;
    json_out_key(out, first, key);
    (void)json_out_string(out, s.ptr, s.len);
}

static void put_number(struct buf *out, bool *first, const char *key, uint64_t v)
{
    json_out_key(out, first, key);
    json_out_number(out, v);
}

static void put_number_if(struct buf *out, bool *first, const char *key, uint64_t v)
{
    if (v != 0)
        put_number(out, first, key, v);
}

static void put_flag(struct buf *out, bool *first, const char *key, bool v)
{
    if (!v)
        return;
    json_out_key(out, first, key);
    buf_puts(out, "true");
}

static void put_addr(struct buf *out, bool *first, const char *key, const struct hep_addr *addr)
{
    char text[IP_TEXT_MAX];
    if (addr->len == 0)
        return;
    (void)ip_format(addr, text);
    json_out_key(out, first, key);
    json_out_text(out, text);
}

/* A folded value on one line: each line break and the blanks around it are one blank (RFC 3261 section 7.3.1). */
static void put_value(struct buf *out, bool *first, struct hep_slice value)
{
    struct buf line;
    buf_init(&line, value.len + 1);
    for (size_t i = 0; i < value.len; i++) {
        uint8_t c = value.ptr[i];
        if (c != '\r' && c != '\n') {
            buf_putc(&line, (char)c);
            continue;
        }
        while (i + 1 < value.len && value.ptr[i + 1] <= ' ')
            i++;
        while (line.len > 0 && line.ptr[line.len - 1] <= ' ')
            line.len--;
        buf_putc(&line, ' ');
    }
    json_out_key(out, first, "value");
    (void)json_out_string(out, line.ptr, line.len);
    out->failed |= line.failed;
    buf_free(&line);
}

/* ------------------------------------------------------------------------------------------------ elements */

static void put_address(struct buf *out, const struct sip_addr *a)
{
    static const char *const schemes[] = { "", "sip", "sips", "tel", "urn", "other" };
    bool first = true;
    buf_putc(out, '{');
    put_text(out, &first, "display", a->display);
    if (a->uri.scheme < sizeof(schemes) / sizeof(schemes[0]) && schemes[a->uri.scheme][0] != '\0') {
        json_out_key(out, &first, "scheme");
        json_out_text(out, schemes[a->uri.scheme]);
    }
    put_text(out, &first, "user", a->uri.user);
    put_text(out, &first, "host", a->uri.host);
    put_number_if(out, &first, "port", a->uri.port);
    put_text(out, &first, "uri_params", a->uri.params);
    put_text(out, &first, "tag", a->tag);
    put_text(out, &first, "params", a->params);
    put_flag(out, &first, "bad", a->bad);
    buf_putc(out, '}');
}

static void put_via(struct buf *out, const struct sip_via *v)
{
    bool first = true;
    buf_putc(out, '{');
    put_text(out, &first, "transport", v->transport);
    put_text(out, &first, "host", v->host);
    put_number_if(out, &first, "port", v->port);
    put_text(out, &first, "branch", v->branch);
    put_text(out, &first, "received", v->received);
    put_number_if(out, &first, "rport", v->rport);
    put_flag(out, &first, "bad", v->bad);
    buf_putc(out, '}');
}

static void next_address(struct buf *out, struct hep_slice *rest)
{
    struct sip_addr a;
    (void)sip_addr_next(rest, &a);
    put_address(out, &a);
}

static void next_via(struct buf *out, struct hep_slice *rest)
{
    struct sip_via v;
    (void)sip_via_next(rest, &v);
    put_via(out, &v);
}

/* next() cuts an element off and shows it; it leaves the comma behind it. */
static void put_elements(struct buf *out, struct hep_slice rest, void (*next)(struct buf *out, struct hep_slice *rest))
{
    buf_putc(out, '[');
    for (size_t n = 0; rest.len > 0 && n < DETAIL_ELEMENTS_MAX; n++) {
        if (n > 0)
            buf_putc(out, ',');
        next(out, &rest);
        if (rest.len > 0)
            rest = (struct hep_slice){ rest.ptr + 1, rest.len - 1 };
    }
    buf_putc(out, ']');
}

static bool has_addresses(enum sip_header_id id)
{
    static const enum sip_header_id ids[] = {
        SIP_H_FROM,      SIP_H_TO,           SIP_H_CONTACT,  SIP_H_P_ASSERTED_IDENTITY, SIP_H_P_PREFERRED_IDENTITY,
        SIP_H_DIVERSION, SIP_H_HISTORY_INFO, SIP_H_REFER_TO, SIP_H_REMOTE_PARTY_ID,     SIP_H_REFERRED_BY,
        SIP_H_ROUTE,     SIP_H_RECORD_ROUTE,
    };
    for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++)
        if (ids[i] == id)
            return true;
    return false;
}

/* ------------------------------------------------------------------------------------------------ headers */

/* `name` is what stands there, `header` what it means: "v" is "Via". */
static void put_header(struct buf *out, struct hep_slice payload, const struct sip_header *h)
{
    bool first = true;
    bool colon = (h->flags & SIP_LINE_NO_COLON) == 0;
    buf_putc(out, '{');
    if (colon) {
        json_out_key(out, &first, "name");
        (void)json_out_string(out, h->name.ptr, h->name.len);
    }
    if (h->id != SIP_H_OTHER) {
        json_out_key(out, &first, "header");
        json_out_text(out, sip_header_name(h->id));
    }
    put_value(out, &first, h->value);
    const uint8_t *at = colon && h->name.ptr != NULL ? h->name.ptr : h->value.ptr;
    if (at != NULL)
        put_number(out, &first, "offset", (uint64_t)(at - payload.ptr));
    put_flag(out, &first, "bad", h->flags != 0);
    if (h->id == SIP_H_VIA) {
        json_out_key(out, &first, "vias");
        put_elements(out, h->value, next_via);
    } else if (has_addresses(h->id)) {
        json_out_key(out, &first, "addresses");
        put_elements(out, h->value, next_address);
    }
    buf_putc(out, '}');
}

static void put_headers(struct buf *out, bool *first, struct hep_slice payload)
{
    struct sip_headers it;
    struct sip_header h;
    unsigned flags;
    size_t n = 0;
    struct hep_slice start = sip_headers_begin_at_start_line(&it, payload, &flags);
    put_text(out, first, "start_line", start);
    json_out_key(out, first, "headers");
    buf_putc(out, '[');
    for (; sip_headers_step(&it, &h); n++) {
        if (n >= DETAIL_HEADERS_MAX)
            continue;
        if (n > 0)
            buf_putc(out, ',');
        put_header(out, payload, &h);
    }
    buf_putc(out, ']');
    if (n > DETAIL_HEADERS_MAX)
        put_number(out, first, "further_headers", n - DETAIL_HEADERS_MAX);
}

static void put_problems(struct buf *out, bool *first, const struct sip_msg *msg)
{
    if (msg->problems == 0)
        return;
    bool any = false;
    json_out_key(out, first, "problems");
    buf_putc(out, '[');
    for (unsigned i = 0; i < SIP_PROBLEM_COUNT; i++) {
        if ((msg->problems >> i & 1) == 0)
            continue;
        if (any)
            buf_putc(out, ',');
        json_out_text(out, sip_problem_name((enum sip_problem)i));
        any = true;
    }
    buf_putc(out, ']');
    put_number(out, first, "problem_offset", msg->problem_offset);
}

/* ------------------------------------------------------------------------------------------------ SDP */

static const char *direction_name(enum sdp_direction d)
{
    static const char *const names[] = { "", "sendrecv", "sendonly", "recvonly", "inactive" };
    return (size_t)d < sizeof(names) / sizeof(names[0]) ? names[d] : "";
}

static void put_direction(struct buf *out, bool *first, enum sdp_direction d)
{
    if (d == SDP_UNSET)
        return;
    json_out_key(out, first, "direction");
    json_out_text(out, direction_name(d));
}

static void put_format(struct buf *out, const struct sdp_format *f)
{
    bool first = true;
    buf_putc(out, '{');
    put_text(out, &first, "format", f->text);
    put_text(out, &first, "codec", f->codec);
    put_number_if(out, &first, "clock_rate", f->clock_rate);
    if (f->channels > 1)
        put_number(out, &first, "channels", f->channels);
    put_text(out, &first, "fmtp", f->fmtp);
    buf_putc(out, '}');
}

static void put_formats(struct buf *out, bool *first, const struct sdp_media *m)
{
    json_out_key(out, first, "formats");
    buf_putc(out, '[');
    for (size_t i = 0; i < m->format_kept; i++) {
        if (i > 0)
            buf_putc(out, ',');
        put_format(out, &m->formats[i]);
    }
    buf_putc(out, ']');
    if (m->format_count > m->format_kept)
        put_number(out, first, "further_formats", (uint64_t)m->format_count - m->format_kept);
}

static void put_media(struct buf *out, const struct sdp_media *m)
{
    bool first = true;
    buf_putc(out, '{');
    put_text(out, &first, "kind", m->kind);
    put_text(out, &first, "protocol", m->protocol);
    put_text(out, &first, "host", m->host);
    put_number(out, &first, "port", m->port);
    put_addr(out, &first, "rtcp_host", &m->rtcp_addr);
    put_number_if(out, &first, "rtcp_port", m->rtcp_port);
    put_flag(out, &first, "rtcp_mux", m->rtcp_mux);
    put_direction(out, &first, m->direction);
    put_number_if(out, &first, "ptime", m->ptime);
    put_number_if(out, &first, "maxptime", m->maxptime);
    put_flag(out, &first, "crypto", m->crypto);
    put_text(out, &first, "suite", m->suite);
    put_flag(out, &first, "fingerprint", m->fingerprint);
    put_text(out, &first, "setup", m->setup);
    put_flag(out, &first, "ice", sdp_has_ice(m));
    put_number_if(out, &first, "candidates", m->candidates);
    if (m->has_ssrc)
        put_number(out, &first, "ssrc", m->ssrc);
    put_text(out, &first, "label", m->label);
    put_text(out, &first, "mid", m->mid);
    put_formats(out, &first, m);
    buf_putc(out, '}');
}

static void put_sdp(struct buf *out, bool *first, struct hep_slice body)
{
    struct sdp_iter it;
    struct sdp_media media;
    bool member = true;
    sdp_begin(&it, body);
    json_out_key(out, first, "sdp");
    buf_putc(out, '{');
    put_text(out, &member, "user", it.session.user);
    put_text(out, &member, "session_id", it.session.id);
    put_text(out, &member, "session_version", it.session.version);
    put_text(out, &member, "origin", it.session.origin);
    put_text(out, &member, "name", it.session.name);
    put_text(out, &member, "host", it.session.host);
    put_direction(out, &member, it.session.direction);
    json_out_key(out, &member, "media");
    buf_putc(out, '[');
    for (size_t n = 0; n < SDP_MEDIA_MAX && sdp_next(&it, &media); n++) {
        if (n > 0)
            buf_putc(out, ',');
        put_media(out, &media);
    }
    buf_puts(out, "]}");
}

/* ------------------------------------------------------------------------------------------------ the whole */

void detail_sip(struct buf *out, struct hep_slice payload)
{
    struct sip_msg msg;
    struct hep_slice sdp;
    bool first = true;
    (void)sip_parse(payload.ptr, payload.len, &msg);
    buf_putc(out, '{');
    put_headers(out, &first, payload);
    put_problems(out, &first, &msg);
    if (msg.body.len > 0) {
        put_number(out, &first, "body_offset", (uint64_t)(msg.body.ptr - payload.ptr));
        put_number(out, &first, "body_length", msg.body.len);
    }
    if (sdp_find_in(msg.body, msg.content_type, &sdp))
        put_sdp(out, &first, sdp);
    buf_putc(out, '}');
}
