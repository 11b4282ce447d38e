#include "sip/header.h"

#include "base/utf8.h"
#include "sip/header_hash.h"
#include "sip/scan.h"
#include "sip/text.h"

/* ------------------------------------------------------------------------------------------------ names */

static const struct {
    const char *name;
    size_t len;
} names[SIP_H_COUNT] = { [SIP_H_OTHER] = { "", 0 },
#define NAME_ROW(id, name, compact, kind, handler, field) [SIP_H_##id] = { name, sizeof(name) - 1 },
                         SIP_HEADER_LIST(NAME_ROW)
#undef NAME_ROW
};

static bool is_letter(uint8_t c)
{
    return (uint8_t)((c | 0x20) - 'a') < 26;
}

enum sip_header_id sip_header_id(struct hep_slice name)
{
    if (name.len == 0)
        return SIP_H_OTHER;
    if (name.len == 1)
        return is_letter(*name.ptr) ? (enum sip_header_id)header_compact[*name.ptr & 0x1f] : SIP_H_OTHER;
    unsigned first = name.ptr[0] | 0x20U;
    unsigned middle = name.ptr[name.len / 2] | 0x20U;
    unsigned last = name.ptr[name.len - 1] | 0x20U;
    size_t slot = (first * HASH_FIRST + middle * HASH_MIDDLE + last * HASH_LAST + name.len * HASH_LENGTH) % 256;
    enum sip_header_id id = (enum sip_header_id)header_slots[slot];
    return names[id].len == name.len && text_same_known(name.ptr, names[id].name, name.len) ? id : SIP_H_OTHER;
}

const char *sip_header_name(enum sip_header_id id)
{
    return (unsigned)id < SIP_H_COUNT ? names[id].name : "";
}

bool sip_name_is(struct hep_slice name, const char *full)
{
    enum sip_header_id id = sip_header_id(text_of((const uint8_t *)full, strlen(full)));
    return id != SIP_H_OTHER ? sip_header_id(name) == id
                             : name.len == strlen(full) && text_same(name.ptr, full, name.len);
}

/* ------------------------------------------------------------------------------------------------ lines */

/* Length of the line end at s[at], a control character: 0 if it is none. */
static size_t line_end(const struct sip_headers *it, size_t at)
{
    struct hep_slice s = it->rest;
    if (s.ptr[at] == '\n')
        return 1;
    if (s.ptr[at] != '\r')
        return 0;
    if (at + 1 < s.len && s.ptr[at + 1] == '\n')
        return 2;
    return at + 1 == s.len || it->cr_only ? 1 : 0;
}

/* Cuts the next line off, as it stands on the wire. False at the end. */
static bool wire_line(struct sip_headers *it, struct hep_slice *ret, unsigned *flags, bool *high)
{
    struct hep_slice s = it->rest;
    size_t end_len = 0;
    size_t at = 0;
    if (s.len == 0)
        return false;
    for (;;) {
        at += scan_control(s.ptr + at, s.len - at, high);
        if (at == s.len || (end_len = line_end(it, at)) > 0)
            break;
        *flags |= s.ptr[at] == '\r' ? SIP_LINE_LONE_CR : SIP_LINE_CONTROL;
        at++;
    }
    if (end_len == 1 && s.ptr[at] == '\r' && it->cr_only)
        *flags |= SIP_LINE_LONE_CR;
    *ret = text_of(s.ptr, at);
    it->rest = text_after(s, at + end_len);
    while (ret->len > 0 && ret->ptr[ret->len - 1] == '\r') /* CR CR LF: a line end that was converted twice */
        ret->len--;
    return true;
}

/*
 * What nearly all lines are: ended by CR LF, behind which comes neither white space, which would go on with this line,
 * nor the end of the message. False, with nothing done, for any other.
 */
static inline bool common_line(struct sip_headers *it, struct hep_slice *ret, bool *high)
{
    struct hep_slice s = it->rest;
    size_t at = scan_control(s.ptr, s.len, high);
    if (s.len - at < 3 || s.ptr[at] != '\r' || s.ptr[at + 1] != '\n' || s.ptr[at + 2] <= ' ')
        return false;
    *ret = text_of(s.ptr, at);
    it->rest = text_of(s.ptr + at + 2, s.len - at - 2);
    return true;
}

/* A line with its continuation lines (RFC 3261 section 7.3.1). */
static bool folded_line(struct sip_headers *it, struct hep_slice *ret, unsigned *flags, bool *high)
{
    struct hep_slice more;
    if (!wire_line(it, ret, flags, high))
        return false;
    while (ret->len > 0 && it->rest.len > 0 && (*it->rest.ptr == ' ' || *it->rest.ptr == '\t') &&
           wire_line(it, &more, flags, high))
        ret->len = (size_t)(more.ptr + more.len - ret->ptr);
    return true;
}

/* ------------------------------------------------------------------------------------------------ iterating */

/* True if the first line ends with a CR alone, and no LF follows anywhere. */
static bool lines_end_with_cr(struct hep_slice msg)
{
    size_t cr = text_find(msg, '\r');
    if (cr + 1 >= msg.len || msg.ptr[cr + 1] == '\n')
        return false;
    return text_find(msg, '\n') == msg.len;
}

struct hep_slice sip_headers_begin_at_start_line(struct sip_headers *it, struct hep_slice msg, unsigned *ret_flags)
{
    struct hep_slice line = text_of(msg.ptr, 0);
    bool high = false;
    size_t empty = 0;
    while (empty < msg.len && (msg.ptr[empty] == '\r' || msg.ptr[empty] == '\n'))
        empty++;
    *ret_flags = 0;
    *it = (struct sip_headers){ .rest = text_after(msg, empty) };
    it->cr_only = lines_end_with_cr(it->rest);
    if (wire_line(it, &line, ret_flags, &high) && high && !utf8_valid(line.ptr, line.len))
        *ret_flags |= SIP_LINE_NOT_UTF8;
    return line;
}

void sip_headers_begin(struct sip_headers *it, const uint8_t *msg, size_t len)
{
    unsigned flags;
    (void)sip_headers_begin_at_start_line(it, text_of(msg, len), &flags);
}

void sip_headers_begin_part(struct sip_headers *it, struct hep_slice part)
{
    *it = (struct sip_headers){ .rest = part };
}

bool sip_headers_step(struct sip_headers *it, struct sip_header *ret)
{
    struct hep_slice line;
    unsigned flags = 0;
    bool high = false;
    if (it->complete || (!common_line(it, &line, &high) && !folded_line(it, &line, &flags, &high)))
        return false;
    if (high && !utf8_valid(line.ptr, line.len))
        flags |= SIP_LINE_NOT_UTF8;
    if (line.len == 0) {
        it->complete = true;
        return false;
    }
    size_t colon = text_find(line, ':');
    ret->flags = flags;
    if (colon == line.len) {
        ret->flags |= SIP_LINE_NO_COLON;
        ret->id = SIP_H_OTHER;
        ret->name = text_of(line.ptr, 0);
        ret->value = text_trim(line);
        return true;
    }
    ret->name = text_trim(text_of(line.ptr, colon));
    ret->value = text_trim(text_after(line, colon + 1));
    ret->id = sip_header_id(ret->name);
    return true;
}

bool sip_headers_next(struct sip_headers *it, struct hep_slice *ret_name, struct hep_slice *ret_value)
{
    struct sip_header h;
    while (sip_headers_step(it, &h)) {
        if (h.flags & SIP_LINE_NO_COLON)
            continue;
        *ret_name = h.name;
        *ret_value = h.value;
        return true;
    }
    return false;
}
