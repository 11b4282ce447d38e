#include "sip/value.h"

#include "sip/text.h"

/* True if an odd number of backslashes stands before s[at]. */
static bool is_escaped(struct hep_slice s, size_t at)
{
    size_t n = 0;
    while (n < at && s.ptr[at - 1 - n] == '\\')
        n++;
    return n % 2 != 0;
}

struct hep_slice sip_quoted(struct hep_slice *rest)
{
    struct hep_slice s = text_after(*rest, 1);
    size_t n = text_find(s, '"');
    while (n < s.len && is_escaped(s, n))
        n += 1 + text_find(text_after(s, n + 1), '"');
    *rest = text_after(s, n < s.len ? n + 1 : n);
    return text_of(s.ptr, n);
}

size_t sip_unescape(struct hep_slice quoted, uint8_t *out, size_t max)
{
    size_t n = 0;
    for (size_t i = 0; i < quoted.len && n < max; i++) {
        if (quoted.ptr[i] == '\\' && i + 1 < quoted.len)
            i++;
        out[n++] = quoted.ptr[i];
    }
    return n;
}

bool sip_port(struct hep_slice *rest, uint16_t *ret)
{
    uint32_t port;
    if (!sip_number(rest, &port) || port > UINT16_MAX)
        return false;
    *ret = (uint16_t)port;
    return true;
}

/* The cursor being on '['. False if the ']' is missing. */
static bool take_bracketed(struct hep_slice *rest, struct hep_slice *ret)
{
    *rest = text_after(*rest, 1);
    *ret = text_of(rest->ptr, text_find(*rest, ']'));
    *rest = text_after(*rest, ret->len);
    return sip_take(rest, ']');
}

bool sip_host_port(struct hep_slice *rest, struct hep_slice *ret_host, uint16_t *ret_port)
{
    bool good = true;
    *ret_port = 0;
    if (rest->len > 0 && *rest->ptr == '[')
        good = take_bracketed(rest, ret_host);
    else
        *ret_host = sip_until(rest, SCAN_SEMI | SCAN_QUERY | SCAN_COLON | SCAN_COMMA | SCAN_BLANK);
    sip_skip_blanks(rest);
    if (!sip_take(rest, ':'))
        return good && ret_host->len > 0;
    sip_skip_blanks(rest);
    return sip_port(rest, ret_port) && good && ret_host->len > 0;
}

/* What follows "name": "=value" or nothing. `stops` ends a value without quotes. */
static struct hep_slice param_value(struct hep_slice *rest, unsigned stops)
{
    sip_skip_blanks(rest);
    if (!sip_take(rest, '='))
        return text_of(rest->ptr, 0);
    sip_skip_blanks(rest);
    if (rest->len > 0 && *rest->ptr == '"') {
        struct hep_slice inside = sip_quoted(rest);
        (void)sip_until(rest, stops);
        return inside;
    }
    struct hep_slice value = sip_until(rest, stops | SCAN_BLANK);
    if (sip_at(rest, SCAN_BLANK))
        (void)sip_until(rest, stops);
    return value;
}

bool sip_param_next(struct hep_slice *rest, struct sip_param *ret)
{
    const unsigned stops = SCAN_SEMI | SCAN_COMMA;
    do {
        sip_skip_blanks(rest);
        if (!sip_take(rest, ';'))
            return false;
        sip_skip_blanks(rest);
        ret->name = sip_until(rest, stops | SCAN_EQUALS | SCAN_BLANK);
    } while (ret->name.len == 0 && (rest->len == 0 || *rest->ptr != '='));
    ret->value = param_value(rest, stops);
    return true;
}

bool sip_param_find(struct hep_slice params, const char *name, struct hep_slice *ret)
{
    struct sip_param param;
    while (sip_param_next(&params, &param)) {
        if (!text_is(param.name, name))
            continue;
        *ret = param.value;
        return true;
    }
    return false;
}

bool sip_auth_param_next(struct hep_slice *rest, struct sip_param *ret)
{
    const unsigned stops = SCAN_COMMA;
    sip_skip_blanks(rest);
    while (sip_take(rest, ','))
        sip_skip_blanks(rest);
    if (rest->len == 0)
        return false;
    ret->name = sip_until(rest, stops | SCAN_EQUALS | SCAN_BLANK);
    ret->value = param_value(rest, stops);
    (void)sip_until(rest, stops);
    return true;
}

/* Length of the list element at the start of s. */
static size_t element_length(struct hep_slice s)
{
    struct hep_slice rest = s;
    for (;;) {
        (void)sip_until(&rest, SCAN_COMMA | SCAN_QUOTE | SCAN_LT);
        if (rest.len == 0 || *rest.ptr == ',')
            return s.len - rest.len;
        if (*rest.ptr == '"')
            (void)sip_quoted(&rest);
        else
            rest = text_after(rest, text_find(rest, '>'));
    }
}

bool sip_list_next(struct hep_slice *rest, struct hep_slice *ret)
{
    sip_skip_blanks(rest);
    while (sip_take(rest, ','))
        sip_skip_blanks(rest);
    if (rest->len == 0)
        return false;
    *ret = text_of(rest->ptr, element_length(*rest));
    *rest = text_after(*rest, ret->len);
    *ret = text_trim(*ret);
    return true;
}
