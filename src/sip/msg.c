#include "sip/msg.h"

#include "sip/fields.h"
#include "sip/text.h"

_Static_assert(SIP_H_COUNT <= 64, "sip_msg.seen has a bit for each header");
_Static_assert(SIP_PROBLEM_COUNT <= 32, "sip_msg.problems has a bit for each problem");

/* ------------------------------------------------------------------------------------------------ problems */

const char *sip_problem_name(enum sip_problem problem)
{
    static const char *const names[] = {
#define PROBLEM_ROW(id, name) [SIP_PROBLEM_##id] = (name),
        SIP_PROBLEM_LIST(PROBLEM_ROW)
#undef PROBLEM_ROW
    };
    return (unsigned)problem < SIP_PROBLEM_COUNT ? names[problem] : NULL;
}

void sip_note(struct sip_msg *msg, enum sip_problem problem, const uint8_t *at)
{
    size_t offset = at != NULL ? (size_t)(at - msg->raw.ptr) : 0;
    if (msg->problems == 0 || offset < msg->problem_offset)
        msg->problem_offset = offset;
    msg->problems |= UINT32_C(1) << problem;
}

static void note_line(struct sip_msg *msg, unsigned flags, const uint8_t *at)
{
    static const struct {
        enum sip_line_flag flag;
        enum sip_problem problem;
    } rows[] = {
        { SIP_LINE_CONTROL, SIP_PROBLEM_CONTROL },
        { SIP_LINE_LONE_CR, SIP_PROBLEM_LONE_CR },
        { SIP_LINE_NOT_UTF8, SIP_PROBLEM_NOT_UTF8 },
        { SIP_LINE_NO_COLON, SIP_PROBLEM_NO_COLON },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (flags & rows[i].flag)
            sip_note(msg, rows[i].problem, at);
    }
}

/* ------------------------------------------------------------------------------------------------ headers */

static const struct {
    sip_field_handler *handle;
    size_t offset; /* of the field in struct sip_msg */
    bool once;     /* a second one is a mistake */
} fields[SIP_H_COUNT] = { [SIP_H_OTHER] = { sip_field_ignore, 0, false },
#define ONCE true
#define MANY false
#define FIELD_ROW(id, name, compact, kind, handler, field)                                                             \
    [SIP_H_##id] = { sip_field_##handler, offsetof(struct sip_msg, field), kind },
                          SIP_HEADER_LIST(FIELD_ROW)
#undef FIELD_ROW
#undef ONCE
#undef MANY
};

static void read_header(struct sip_reader *r, const struct sip_header *h)
{
    struct sip_msg *msg = r->msg;
    uint64_t bit = UINT64_C(1) << h->id;
    if (h->id == SIP_H_OTHER) {
        if (!(h->flags & SIP_LINE_NO_COLON) && (h->name.len == 0 || sip_token_length(h->name) != h->name.len))
            sip_note(msg, SIP_PROBLEM_HEADER_NAME, h->name.ptr);
        return;
    }
    if (fields[h->id].once && (msg->seen & bit)) {
        sip_note(msg, SIP_PROBLEM_DUPLICATE, h->name.ptr);
        if (h->id != SIP_H_CONTENT_LENGTH) /* whose second opinion matters */
            return;
    }
    msg->seen |= bit;
    fields[h->id].handle(r, (char *)msg + fields[h->id].offset, h->value);
}

static void match_extras(const struct sip_extras *extras, const struct sip_header *h)
{
    if (extras->lengths != 0 && (extras->lengths >> (h->name.len < 63 ? h->name.len : 63) & 1) == 0)
        return;
    for (size_t i = 0; i < extras->count; i++) {
        const struct sip_extra *extra = &extras->names[i];
        if (extra->len == h->name.len && extras->ret_values[i].len == 0 &&
            text_same(h->name.ptr, extra->name, extra->len))
            extras->ret_values[i] = h->value;
    }
}

static void read_headers(struct sip_headers *it, const struct sip_extras *extras, struct sip_msg *msg)
{
    struct sip_reader r = { .msg = msg };
    struct sip_header h;
    while (sip_headers_step(it, &h)) {
        if (msg->header_count++ >= SIP_HEADERS_READ_MAX) {
            if (!sip_has_problem(msg, SIP_PROBLEM_TOO_MANY))
                sip_note(msg, SIP_PROBLEM_TOO_MANY, h.value.ptr);
            continue;
        }
        if (h.flags != 0)
            note_line(msg, h.flags, h.name.ptr);
        read_header(&r, &h);
        if (extras != NULL)
            match_extras(extras, &h);
    }
    if (!it->complete)
        sip_note(msg, SIP_PROBLEM_NO_END, msg->raw.ptr + msg->raw.len);
}

/* ------------------------------------------------------------------------------------------------ the message */

static void read_start_line(struct sip_headers *it, struct sip_msg *msg)
{
    struct sip_start start;
    unsigned flags;
    struct hep_slice line = sip_headers_begin_at_start_line(it, msg->raw, &flags);
    if (!sip_start_parse(line, &start))
        sip_note(msg, SIP_PROBLEM_START_LINE, line.ptr);
    if (flags != 0)
        note_line(msg, flags, line.ptr);
    msg->kind = start.kind;
    msg->method_id = start.method_id;
    msg->status = start.status;
    msg->method = start.method;
    msg->reason = start.reason;
    if (start.kind == SIP_REQUEST && !sip_uri_parse(start.uri, &msg->ruri))
        sip_note(msg, SIP_PROBLEM_URI, start.uri.ptr);
}

static void set_body(struct hep_slice rest, struct sip_msg *msg)
{
    msg->body = rest;
    if (!msg->content_length.set)
        return;
    if (msg->content_length.value > rest.len)
        sip_note(msg, SIP_PROBLEM_BODY_SHORT, msg->raw.ptr + msg->raw.len);
    if (msg->content_length.value >= rest.len)
        return;
    msg->body.len = msg->content_length.value;
    sip_note(msg, SIP_PROBLEM_BODY_LONG, rest.ptr + msg->body.len);
}

/* What every message has (RFC 3261 section 8.1.1). */
static void check_mandatory(struct sip_msg *msg)
{
    static const struct {
        enum sip_header_id id;
        enum sip_problem problem;
    } rows[] = {
        { SIP_H_CALL_ID, SIP_PROBLEM_NO_CALL_ID }, { SIP_H_CSEQ, SIP_PROBLEM_NO_CSEQ },
        { SIP_H_FROM, SIP_PROBLEM_NO_FROM },       { SIP_H_TO, SIP_PROBLEM_NO_TO },
        { SIP_H_VIA, SIP_PROBLEM_NO_VIA },
    };
    const uint8_t *end = msg->raw.ptr != NULL ? msg->raw.ptr + msg->raw.len - msg->body.len : NULL;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (!sip_has(msg, rows[i].id) || (rows[i].id == SIP_H_CALL_ID && msg->call_id.len == 0))
            sip_note(msg, rows[i].problem, end);
    }
    if (msg->kind == SIP_REQUEST && msg->cseq.method.len > 0 &&
        (msg->cseq.method.len != msg->method.len ||
         memcmp(msg->cseq.method.ptr, msg->method.ptr, msg->method.len) != 0))
        sip_note(msg, SIP_PROBLEM_CSEQ_METHOD, msg->cseq.method.ptr);
}

int sip_parse_extra(const uint8_t *p, size_t n, const struct sip_extras *extras, struct sip_msg *ret)
{
    struct sip_headers it;
    if (p == NULL) /* an empty slice may have no pointer, and places are counted from it */
        p = (const uint8_t *)"";
    memset(ret, 0, offsetof(struct sip_msg, route));
    ret->raw = text_of(p, n);
    ret->route.count = ret->route.kept = 0;
    ret->record_route.count = ret->record_route.kept = 0;
    for (size_t i = 0; extras != NULL && i < extras->count; i++)
        extras->ret_values[i] = text_of(NULL, 0);
    read_start_line(&it, ret);
    read_headers(&it, extras, ret);
    set_body(it.rest, ret);
    check_mandatory(ret);
    return sip_has_problem(ret, SIP_PROBLEM_START_LINE) ? -1 : 0;
}

int sip_parse(const uint8_t *p, size_t n, struct sip_msg *ret)
{
    return sip_parse_extra(p, n, NULL, ret);
}

const struct sip_reason *sip_reason_of(const struct sip_msg *msg, const char *protocol)
{
    for (size_t i = 0; i < msg->reason_kept; i++) {
        if (text_is(msg->reasons[i].protocol, protocol))
            return &msg->reasons[i];
    }
    return NULL;
}
