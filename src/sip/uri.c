#include "sip/uri.h"

#include "sip/text.h"
#include "sip/value.h"

/* Cuts "sip:" and the like off. Without a scheme the cursor stays. */
static enum sip_scheme take_scheme(struct hep_slice *rest)
{
    static const struct {
        const char *text;
        size_t len;
        enum sip_scheme scheme;
    } schemes[] = {
        { "sip:", 4, SIP_SCHEME_SIP },
        { "tel:", 4, SIP_SCHEME_TEL },
        { "sips:", 5, SIP_SCHEME_SIPS },
        { "urn:", 4, SIP_SCHEME_URN },
    };
    for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
        if (rest->len >= schemes[i].len && text_same_known(rest->ptr, schemes[i].text, schemes[i].len)) {
            *rest = text_after(*rest, schemes[i].len);
            return schemes[i].scheme;
        }
    }
    size_t n = 0; /* RFC 3986 section 3.1 */
    while (n < rest->len && ((uint8_t)((rest->ptr[n] | 0x20) - 'a') < 26 ||
                             (n > 0 && ((uint8_t)(rest->ptr[n] - '0') < 10 || rest->ptr[n] == '+' ||
                                        rest->ptr[n] == '-' || rest->ptr[n] == '.'))))
        n++;
    return n > 0 && n < rest->len && rest->ptr[n] == ':' ? SIP_SCHEME_OTHER : SIP_SCHEME_NONE;
}

/* "user;params:password" */
static void parse_user(struct hep_slice part, struct sip_uri *ret)
{
    part.len = text_find(part, ':');
    ret->user = sip_until(&part, SCAN_SEMI);
    ret->user_params = part;
}

/* What a sip URI has behind the scheme. */
static void parse_sip(struct hep_slice rest, struct sip_uri *ret)
{
    size_t at = text_find(rest, '@');
    if (at < rest.len) {
        parse_user(text_of(rest.ptr, at), ret);
        rest = text_after(rest, at + 1);
    }
    ret->bad |= !sip_host_port(&rest, &ret->host, &ret->port);
    ret->bad |= sip_until(&rest, SCAN_SEMI | SCAN_QUERY).len > 0;
    ret->params = sip_until(&rest, SCAN_QUERY);
    if (sip_take(&rest, '?'))
        ret->headers = rest;
}

static void parse_tel(struct hep_slice rest, struct sip_uri *ret)
{
    ret->user = sip_until(&rest, SCAN_SEMI);
    ret->params = rest;
    ret->bad = ret->user.len == 0;
}

bool sip_uri_parse(struct hep_slice text, struct sip_uri *ret)
{
    *ret = (struct sip_uri){ .raw = text };
    ret->scheme = (uint8_t)take_scheme(&text);
    switch (ret->scheme) {
    case SIP_SCHEME_NONE: /* seen in the field: "bob@example.com", "1001" */
        parse_sip(text, ret);
        ret->bad = true;
        break;
    case SIP_SCHEME_SIP:
    case SIP_SCHEME_SIPS:
        parse_sip(text, ret);
        break;
    case SIP_SCHEME_TEL:
        parse_tel(text, ret);
        break;
    case SIP_SCHEME_URN:
        ret->user = text;
        break;
    default:
        break;
    }
    return !ret->bad;
}
