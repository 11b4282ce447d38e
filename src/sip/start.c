#include "sip/start.h"

#include "sip/text.h"

#define START_LINE_MAX 8192 /* octets without a line end until a stream is held not to be SIP */

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static bool is_token_char(uint8_t c)
{
    if ((uint8_t)((c | 0x20) - 'a') < 26 || is_digit(c))
        return true;
    return c != '\0' && strchr("-.!%*_+`'~", c) != NULL;
}

size_t sip_token_length(struct hep_slice s)
{
    size_t n = 0;
    while (n < s.len && is_token_char(s.ptr[n]))
        n++;
    return n;
}

enum sip_method sip_method_id(struct hep_slice name)
{
    static const char known[][10] = {
        [SIP_ACK] = "ACK",
        [SIP_BYE] = "BYE",
        [SIP_CANCEL] = "CANCEL",
        [SIP_INFO] = "INFO",
        [SIP_INVITE] = "INVITE",
        [SIP_MESSAGE] = "MESSAGE",
        [SIP_NOTIFY] = "NOTIFY",
        [SIP_OPTIONS] = "OPTIONS",
        [SIP_PRACK] = "PRACK",
        [SIP_PUBLISH] = "PUBLISH",
        [SIP_REFER] = "REFER",
        [SIP_REGISTER] = "REGISTER",
        [SIP_SUBSCRIBE] = "SUBSCRIBE",
        [SIP_UPDATE] = "UPDATE",
    };
    if (name.len == 0)
        return SIP_NO_METHOD;
    for (size_t i = SIP_ACK; i <= SIP_UPDATE && name.len < sizeof(known[0]); i++) {
        if ((uint8_t)known[i][0] == *name.ptr && known[i][name.len] == '\0' &&
            memcmp(known[i], name.ptr, name.len) == 0)
            return (enum sip_method)i;
    }
    return SIP_OTHER;
}

/* ------------------------------------------------------------------------------------------------ responses */

static bool parse_status_line(struct hep_slice line, struct sip_start *ret)
{
    if (!text_starts(line, "SIP/2.0 ") || line.len < 11)
        return false;
    const uint8_t *code = line.ptr + 8;
    if (code[0] < '1' || code[0] > '6' || !is_digit(code[1]) || !is_digit(code[2]))
        return false;
    if (line.len > 11 && code[3] != ' ')
        return false;
    ret->kind = SIP_RESPONSE;
    ret->status = (uint16_t)((code[0] - '0') * 100 + (code[1] - '0') * 10 + (code[2] - '0'));
    ret->reason = text_trim(text_after(line, 11));
    return true;
}

/* "SIP/2.0  200 OK", "SIP/3.0 200", "SIP/2.0 20": what there is of it. */
static void guess_status_line(struct hep_slice line, struct sip_start *ret)
{
    (void)text_word(&line);
    line = text_trim(line);
    ret->kind = SIP_RESPONSE;
    for (int i = 0; i < 3 && line.len > 0 && is_digit(*line.ptr); i++) {
        ret->status = (uint16_t)(ret->status * 10 + (*line.ptr - '0'));
        line = text_after(line, 1);
    }
    ret->reason = text_trim(line);
}

/* ------------------------------------------------------------------------------------------------ requests */

/* The URI is what stands between: some senders leave spaces in it. */
static bool parse_request_line(struct hep_slice line, struct sip_start *ret)
{
    static const char version[] = " SIP/2.0";
    const size_t version_len = sizeof(version) - 1;
    size_t method = sip_token_length(line);
    while (line.len > 0 && text_is_blank(line.ptr[line.len - 1]))
        line.len--;
    if (method == 0 || method > SIP_METHOD_LEN_MAX || line.len < method + 2 + version_len)
        return false;
    if (line.ptr[method] != ' ' || line.ptr[method + 1] == ' ' ||
        !text_same_known(line.ptr + line.len - version_len, version, version_len))
        return false;
    ret->kind = SIP_REQUEST;
    ret->method = text_of(line.ptr, method);
    ret->method_id = sip_method_id(ret->method);
    ret->uri = text_trim(text_of(line.ptr + method + 1, line.len - method - 1 - version_len));
    return true;
}

/* "INVITE  sip:bob", "INVITE sip:bob SIP/7.0": a request if the method is known or the version looks like one. */
static void guess_request_line(struct hep_slice line, struct sip_start *ret)
{
    line = text_trim(line);
    struct hep_slice method = text_of(line.ptr, sip_token_length(line));
    struct hep_slice uri = text_trim(text_after(line, method.len));
    size_t last = uri.len;
    while (last > 0 && uri.ptr[last - 1] != ' ')
        last--;
    bool has_version = text_starts(text_after(uri, last), "SIP/");
    enum sip_method id = sip_method_id(method);
    if (method.len == 0 || method.len > SIP_METHOD_LEN_MAX || (id == SIP_OTHER && !has_version))
        return;
    if (has_version)
        uri = text_trim(text_of(uri.ptr, last));
    *ret = (struct sip_start){ .kind = SIP_REQUEST, .method_id = id, .method = method, .uri = uri };
}

bool sip_start_parse(struct hep_slice line, struct sip_start *ret)
{
    *ret = (struct sip_start){ .kind = SIP_NEITHER };
    if (parse_request_line(line, ret) || parse_status_line(line, ret))
        return true;
    if (text_starts(line, "SIP/"))
        guess_status_line(line, ret);
    else
        guess_request_line(line, ret);
    return false;
}

bool sip_start_may_become(struct hep_slice part)
{
    static const char status[] = "SIP/2.0 ";
    size_t common = part.len < sizeof(status) - 1 ? part.len : sizeof(status) - 1;
    if (part.len > START_LINE_MAX)
        return false;
    if (text_same(part.ptr, status, common))
        return true;
    size_t method = sip_token_length(part);
    if (method == part.len)
        return method <= SIP_METHOD_LEN_MAX;
    return method > 0 && method <= SIP_METHOD_LEN_MAX && part.ptr[method] == ' ' &&
           (part.len == method + 1 || part.ptr[method + 1] > ' ');
}
