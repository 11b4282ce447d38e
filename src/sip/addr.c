#include "sip/addr.h"

#include "sip/text.h"
#include "sip/value.h"

/* ------------------------------------------------------------------------------------------------ addresses */

/* "<...>", the cursor being on the first bracket. */
static void parse_bracketed(struct hep_slice *rest, struct sip_addr *ret)
{
    struct hep_slice inside = text_after(*rest, 1);
    size_t end = text_find(inside, '>');
    ret->bad |= end == inside.len;
    *rest = text_after(inside, end < inside.len ? end + 1 : end);
    ret->bad |= !sip_uri_parse(text_trim(text_of(inside.ptr, end)), &ret->uri);
}

/* Without brackets, semicolons belong to the header (RFC 3261 section 20.10). */
static void parse_bare(struct hep_slice text, struct sip_addr *ret)
{
    ret->bad |= !sip_uri_parse(text, &ret->uri);
}

static void parse_params(struct hep_slice *rest, struct sip_addr *ret)
{
    struct sip_param param;
    sip_skip_blanks(rest);
    const uint8_t *start = rest->ptr;
    while (sip_param_next(rest, &param)) {
        if (param.name.len == 3 && ret->tag.len == 0 && text_is(param.name, "tag"))
            ret->tag = param.value;
    }
    ret->params = text_of(start, (size_t)(rest->ptr - start));
    if (rest->len > 0 && *rest->ptr != ',') {
        ret->bad = true;
        (void)sip_until(rest, SCAN_COMMA);
    }
}

bool sip_addr_next(struct hep_slice *rest, struct sip_addr *ret)
{
    const unsigned stops = SCAN_LT | SCAN_SEMI | SCAN_COMMA;
    ret->params = ret->tag = text_of(NULL, 0);
    ret->bad = false;
    sip_skip_blanks(rest);
    if (rest->len > 0 && *rest->ptr == '"') {
        ret->display = sip_quoted(rest);
        ret->bad |= text_trim(sip_until(rest, stops)).len > 0;
    } else {
        ret->display = text_trim(sip_until(rest, stops));
    }
    if (rest->len > 0 && *rest->ptr == '<') {
        parse_bracketed(rest, ret);
    } else {
        parse_bare(ret->display, ret);
        ret->display.len = 0;
    }
    if (rest->len > 0)
        parse_params(rest, ret);
    return !ret->bad;
}

/* ------------------------------------------------------------------------------------------------ Via */

/* "SIP/2.0/UDP", with white space around the slashes (RFC 3261 section 7.3.1 allows it); the cursor ends behind. */
static void parse_protocol(struct hep_slice *rest, struct sip_via *ret)
{
    if (text_starts(*rest, "SIP/2.0/")) {
        *rest = text_after(*rest, 8);
    } else {
        for (int slashes = 0; slashes < 2; slashes++) {
            size_t slash = text_find(*rest, '/');
            ret->bad |= slash == rest->len;
            *rest = text_after(*rest, slash < rest->len ? slash + 1 : slash);
        }
    }
    sip_skip_blanks(rest);
    ret->transport = sip_until(rest, SCAN_BLANK | SCAN_SEMI | SCAN_COMMA);
}

static void take_via_param(const struct sip_param *param, struct sip_via *ret)
{
    struct hep_slice value = param->value;
    if (text_is(param->name, "branch") && ret->branch.len == 0) {
        ret->branch = value;
    } else if (text_is(param->name, "received") && ret->received.len == 0) {
        if (value.len > 1 && *value.ptr == '[') /* not allowed, but seen */
            value = text_of(value.ptr + 1, value.len - 2);
        ret->received = value;
    } else if (text_is(param->name, "rport")) {
        ret->has_rport = true;
        ret->bad |= value.len > 0 && !sip_port(&value, &ret->rport);
    }
}

bool sip_via_next(struct hep_slice *rest, struct sip_via *ret)
{
    struct sip_param param;
    *ret = (struct sip_via){ .bad = false };
    sip_skip_blanks(rest);
    parse_protocol(rest, ret);
    sip_skip_blanks(rest);
    ret->bad |= !sip_host_port(rest, &ret->host, &ret->port);
    while (sip_param_next(rest, &param))
        take_via_param(&param, ret);
    if (rest->len > 0 && *rest->ptr != ',') {
        ret->bad = true;
        (void)sip_until(rest, SCAN_COMMA);
    }
    return !ret->bad;
}
