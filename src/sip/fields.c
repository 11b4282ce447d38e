#include "sip/fields.h"

#include "sip/text.h"
#include "sip/value.h"

/* Counts are for people; they stop where their type ends. */
static void count_up(uint16_t *count)
{
    if (*count < UINT16_MAX)
        (*count)++;
}

/* ------------------------------------------------------------------------------------------------ text, numbers */

void sip_field_ignore(struct sip_reader *r, void *field, struct hep_slice value)
{
    (void)r;
    (void)field;
    (void)value;
}

void sip_field_text(struct sip_reader *r, void *field, struct hep_slice value)
{
    struct hep_slice *text = field;
    (void)r;
    if (text->len == 0)
        *text = value;
}

static bool read_number(struct sip_reader *r, struct sip_number *number, struct hep_slice *value)
{
    number->set = sip_number(value, &number->value);
    if (!number->set)
        sip_note(r->msg, SIP_PROBLEM_NUMBER, value->ptr);
    return number->set;
}

/* A comment or parameters may follow, as in Retry-After. */
void sip_field_number(struct sip_reader *r, void *field, struct hep_slice value)
{
    if (!read_number(r, field, &value))
        return;
    sip_skip_blanks(&value);
    if (value.len > 0 && *value.ptr != ';' && *value.ptr != '(')
        sip_note(r->msg, SIP_PROBLEM_NUMBER, value.ptr);
}

/* RFC 4028 */
void sip_field_session_expires(struct sip_reader *r, void *field, struct hep_slice value)
{
    if (read_number(r, field, &value))
        (void)sip_param_find(value, "refresher", &r->msg->refresher);
}

void sip_field_cseq(struct sip_reader *r, void *field, struct hep_slice value)
{
    struct sip_cseq *cseq = field;
    const uint8_t *start = value.ptr;
    bool good = sip_number(&value, &cseq->number);
    if (!good) /* "x INVITE": the method is worth having even so */
        (void)sip_until(&value, SCAN_BLANK);
    sip_skip_blanks(&value);
    cseq->method = value;
    cseq->method_id = sip_method_id(value);
    if (!good || value.len == 0 || (cseq->method_id == SIP_OTHER && sip_token_length(value) != value.len))
        sip_note(r->msg, SIP_PROBLEM_CSEQ, start);
}

/* Two that differ are how messages are smuggled: then none counts. */
void sip_field_content_length(struct sip_reader *r, void *field, struct hep_slice value)
{
    struct sip_number *length = field;
    const uint8_t *start = value.ptr;
    uint32_t number = 0;
    if (sip_number(&value, &number) && value.len == 0 && (!length->set || length->value == number)) {
        length->value = number;
        length->set = !r->content_length_bad;
        return;
    }
    *length = (struct sip_number){ .set = false };
    r->content_length_bad = true;
    sip_note(r->msg, SIP_PROBLEM_CONTENT_LENGTH, start);
}

/* ------------------------------------------------------------------------------------------------ addresses */

static void read_address(struct sip_reader *r, struct hep_slice *rest, struct sip_addr *ret)
{
    const uint8_t *start = rest->ptr;
    if (!sip_addr_next(rest, ret))
        sip_note(r->msg, SIP_PROBLEM_ADDRESS, start);
}

/* The cursor is behind an element of a list: true if another one follows. */
static bool more(struct hep_slice *rest)
{
    do
        sip_skip_blanks(rest);
    while (sip_take(rest, ','));
    return rest->len > 0;
}

/* There is one address, so a comma without quotes is of its name: "Smith, Bob <sip:bob@example.com>". */
void sip_field_address(struct sip_reader *r, void *field, struct hep_slice value)
{
    struct sip_addr *addr = field;
    struct hep_slice rest = value;
    read_address(r, &rest, addr);
    if (!more(&rest))
        return;
    sip_note(r->msg, SIP_PROBLEM_ADDRESS, value.ptr);
    size_t bracket = text_find(value, '<');
    if (bracket == value.len || addr->uri.raw.ptr > value.ptr + bracket)
        return;
    rest = text_after(value, bracket);
    (void)sip_addr_next(&rest, addr);
    addr->display = text_trim(text_of(value.ptr, bracket));
}

void sip_field_first_address(struct sip_reader *r, void *field, struct hep_slice value)
{
    struct sip_addr *addr = field;
    if (addr->uri.raw.len == 0)
        read_address(r, &value, addr);
}

void sip_field_asserted(struct sip_reader *r, void *field, struct hep_slice value)
{
    struct sip_addr *addrs = field;
    struct sip_addr unused;
    while (more(&value)) {
        bool keep = r->msg->asserted_kept < SIP_ASSERTED_MAX;
        read_address(r, &value, keep ? &addrs[r->msg->asserted_kept++] : &unused);
        count_up(&r->msg->asserted_count);
    }
}

void sip_field_contact(struct sip_reader *r, void *field, struct hep_slice value)
{
    struct sip_addr unused;
    if (value.len == 1 && *value.ptr == '*') {
        r->msg->contact_star = true;
        return;
    }
    while (more(&value)) {
        read_address(r, &value, r->msg->contact_count == 0 ? field : &unused);
        count_up(&r->msg->contact_count);
    }
}

void sip_field_diversion(struct sip_reader *r, void *field, struct hep_slice value)
{
    struct sip_addr *first = field;
    struct sip_addr unused;
    while (more(&value)) {
        if (r->msg->diversion_count == 0) {
            read_address(r, &value, first);
            (void)sip_param_find(first->params, "reason", &r->msg->diversion_reason);
        } else {
            read_address(r, &value, &unused);
        }
        count_up(&r->msg->diversion_count);
    }
}

/* ------------------------------------------------------------------------------------------------ lists */

void sip_field_via(struct sip_reader *r, void *field, struct hep_slice value)
{
    struct sip_via *vias = field;
    struct sip_via unused;
    if (value.len == 0)
        sip_note(r->msg, SIP_PROBLEM_VIA, value.ptr);
    while (more(&value)) {
        const uint8_t *start = value.ptr;
        bool keep = r->msg->via_kept < SIP_VIAS_MAX;
        if (!sip_via_next(&value, keep ? &vias[r->msg->via_kept++] : &unused))
            sip_note(r->msg, SIP_PROBLEM_VIA, start);
        count_up(&r->msg->via_count);
    }
}

void sip_field_route(struct sip_reader *r, void *field, struct hep_slice value)
{
    struct sip_routes *routes = field;
    struct hep_slice element;
    (void)r;
    while (sip_list_next(&value, &element)) {
        if (routes->kept < SIP_ROUTES_MAX)
            routes->elements[routes->kept++] = element;
        count_up(&routes->count);
    }
}

void sip_field_history_info(struct sip_reader *r, void *field, struct hep_slice value)
{
    struct hep_slice *first = field;
    struct hep_slice element;
    while (sip_list_next(&value, &element)) {
        if (r->msg->history_count == 0)
            *first = element;
        count_up(&r->msg->history_count);
    }
}

static void read_reason(struct sip_reader *r, struct hep_slice element, struct sip_reason *ret)
{
    struct sip_param param;
    *ret = (struct sip_reason){ .cause = { .set = false } };
    ret->protocol = text_trim(sip_until(&element, SCAN_SEMI));
    while (sip_param_next(&element, &param)) {
        if (text_is(param.name, "cause"))
            (void)read_number(r, &ret->cause, &param.value);
        else if (text_is(param.name, "text"))
            ret->text = param.value;
    }
}

void sip_field_reason(struct sip_reader *r, void *field, struct hep_slice value)
{
    struct sip_reason *reasons = field;
    struct hep_slice element;
    while (sip_list_next(&value, &element)) {
        if (r->msg->reason_kept < SIP_REASONS_MAX)
            read_reason(r, element, &reasons[r->msg->reason_kept++]);
        count_up(&r->msg->reason_count);
    }
}

/* 370 devnull "Choose a bigger pipe" */
void sip_field_warning(struct sip_reader *r, void *field, struct hep_slice value)
{
    struct sip_warning *warning = field;
    if (warning->code.set || !read_number(r, &warning->code, &value))
        return;
    sip_skip_blanks(&value);
    warning->agent = sip_until(&value, SCAN_BLANK | SCAN_QUOTE);
    (void)sip_until(&value, SCAN_QUOTE);
    if (value.len > 0)
        warning->text = sip_quoted(&value);
}

/* ------------------------------------------------------------------------------------------------ with parameters */

void sip_field_session_id(struct sip_reader *r, void *field, struct hep_slice value)
{
    struct sip_session_id *id = field;
    (void)r;
    id->local = text_trim(sip_until(&value, SCAN_SEMI));
    (void)sip_param_find(value, "remote", &id->remote);
}

/* RFC 7315 section 5.6: the icid-value comes first, but not with all senders. */
void sip_field_charging(struct sip_reader *r, void *field, struct hep_slice value)
{
    struct sip_param param;
    (void)r;
    while (value.len > 0) {
        param.name = sip_until(&value, SCAN_EQUALS | SCAN_SEMI);
        if (text_is(text_trim(param.name), "icid-value") && sip_take(&value, '=')) {
            sip_skip_blanks(&value);
            bool quoted = value.len > 0 && *value.ptr == '"';
            *(struct hep_slice *)field = quoted ? sip_quoted(&value) : text_trim(sip_until(&value, SCAN_SEMI));
            return;
        }
        (void)sip_until(&value, SCAN_SEMI);
        (void)sip_take(&value, ';');
    }
}

void sip_field_identity(struct sip_reader *r, void *field, struct hep_slice value)
{
    struct hep_slice *passport = field;
    (void)r;
    if (passport->len > 0)
        return;
    if (value.len > 0 && *value.ptr == '"') /* RFC 4474 */
        *passport = sip_quoted(&value);
    else
        *passport = text_trim(sip_until(&value, SCAN_SEMI | SCAN_COMMA));
}

void sip_field_replaces(struct sip_reader *r, void *field, struct hep_slice value)
{
    struct sip_replaces *replaces = field;
    const uint8_t *start = value.ptr;
    replaces->call_id = text_trim(sip_until(&value, SCAN_SEMI));
    (void)sip_param_find(value, "to-tag", &replaces->to_tag);
    (void)sip_param_find(value, "from-tag", &replaces->from_tag);
    if (replaces->to_tag.len == 0 || replaces->from_tag.len == 0)
        sip_note(r->msg, SIP_PROBLEM_VALUE, start);
}

/* Digest username="bob", realm="example.com", ... */
void sip_field_credentials(struct sip_reader *r, void *field, struct hep_slice value)
{
    struct sip_credentials *credentials = field;
    struct sip_param param;
    (void)r;
    if (credentials->realm.len > 0 || credentials->username.len > 0)
        return;
    credentials->scheme = sip_until(&value, SCAN_BLANK);
    while (sip_auth_param_next(&value, &param)) {
        if (text_is(param.name, "username"))
            credentials->username = param.value;
        else if (text_is(param.name, "realm"))
            credentials->realm = param.value;
    }
}
