/* From a SIP message to the columns of table `sip`. */
#include <strings.h>

#include "record/internal.h"
#include "rtp/report.h"
#include "sip/text.h"

static int64_t number(struct sip_number n)
{
    return n.set ? (int64_t)n.value : RECORD_NONE;
}

static void set_start(const struct sip_msg *m, struct record *ret)
{
    if (m->kind == SIP_RESPONSE) {
        ret->method = m->cseq.method;
        ret->status = m->status;
        ret->reason = m->reason;
    } else {
        ret->method = m->method.len > 0 ? m->method : m->cseq.method;
    }
    if (sip_has(m, SIP_H_CSEQ) && !sip_has_problem(m, SIP_PROBLEM_CSEQ))
        ret->cseq = m->cseq.number;
    ret->ruri_user = m->ruri.user;
    ret->ruri_host = m->ruri.host;
}

static void set_parties(const struct sip_msg *m, struct record *ret)
{
    ret->call_id = m->call_id;
    ret->from_user = m->from.uri.user;
    ret->from_host = m->from.uri.host;
    ret->from_name = m->from.display;
    ret->from_tag = m->from.tag;
    ret->to_user = m->to.uri.user;
    ret->to_host = m->to.uri.host;
    ret->to_tag = m->to.tag;
    ret->contact_user = m->contact.uri.user;
    ret->contact_host = m->contact.uri.host;
    ret->user_agent = m->user_agent.len > 0 ? m->user_agent : m->server;
}

static void set_identities(const struct sip_msg *m, struct record *ret)
{
    if (m->asserted_kept > 0) {
        ret->pai_user = m->asserted[0].uri.user;
        ret->pai_host = m->asserted[0].uri.host;
    }
    ret->rpid_user = m->remote_party.uri.user;
    ret->diversion_user = m->diversion.uri.user;
    ret->diversion_reason = m->diversion_reason;
    ret->privacy = m->privacy;
    ret->auth_user = m->authorization.username.len > 0 ? m->authorization.username : m->proxy_authorization.username;
    if (m->identity.len > 0)
        ret->flags |= RECORD_FLAG_IDENTITY;
}

static void set_via(const struct sip_msg *m, struct record *ret)
{
    static const struct {
        const char *via, *name;
    } secured[] = { { "TLS", "tls" }, { "WS", "ws" }, { "WSS", "wss" }, { "TLS-SCTP", "tls" } };
    if (sip_has(m, SIP_H_VIA))
        ret->via_count = m->via_count;
    if (m->via_kept == 0)
        return;
    ret->branch = m->vias[0].branch;
    ret->via_host = m->vias[0].host;
    /* A probe that sees clear text behind TLS says TCP; only the Via knows. */
    for (size_t i = 0; i < sizeof(secured) / sizeof(secured[0]); i++)
        if (text_is(m->vias[0].transport, secured[i].via) && !text_is(ret->proto, "udp"))
            ret->proto = (struct hep_slice){ (const uint8_t *)secured[i].name, strlen(secured[i].name) };
}

static void set_reasons(const struct sip_msg *m, struct record *ret)
{
    for (uint16_t i = 0; i < m->reason_kept; i++) {
        const struct sip_reason *reason = &m->reasons[i];
        int64_t *cause = text_is(reason->protocol, "Q.850") ? &ret->q850_cause
                         : text_is(reason->protocol, "SIP") ? &ret->sip_cause
                                                            : NULL;
        if (cause != NULL && *cause == RECORD_NONE)
            *cause = number(reason->cause);
        if (ret->reason_text.len == 0)
            ret->reason_text = reason->text;
    }
}

static void set_others(const struct sip_msg *m, struct record *ret)
{
    ret->max_forwards = number(m->max_forwards);
    ret->session_id = m->session_id.local;
    ret->session_id_remote = m->session_id.remote;
    ret->icid = m->icid;
    ret->replaces = m->replaces.call_id;
    ret->refer_to = m->refer_to.uri.raw;
    ret->expires = number(m->expires);
    ret->event = m->event;
    ret->content_type = m->content_type;
}

/* "Name: value" a line, for the headers that the configuration names. */
static void set_headers(struct record_reader *r, struct record *ret)
{
    struct buf *b = &r->headers;
    buf_reset(b);
    for (size_t i = 0; i < r->extras.count; i++) {
        if (r->values[i].len == 0)
            continue;
        if (b->len > 0)
            buf_putc(b, '\n');
        buf_put(b, r->names[i].name, r->names[i].len);
        buf_puts(b, ": ");
        buf_put(b, r->values[i].ptr, r->values[i].len < RECORD_TEXT_MAX ? r->values[i].len : RECORD_TEXT_MAX);
    }
    ret->headers = (struct hep_slice){ b->ptr, b->len };
}

static void set_problems(struct record_reader *r, struct record *ret)
{
    struct buf *b = &r->problems;
    buf_reset(b);
    for (unsigned i = 0; i < SIP_PROBLEM_COUNT; i++) {
        if ((r->sip.problems >> i & 1) == 0)
            continue;
        if (b->len > 0)
            buf_putc(b, ',');
        buf_puts(b, sip_problem_name((enum sip_problem)i));
    }
    ret->parse_error = (struct hep_slice){ b->ptr, b->len };
}

static bool is_vq(struct hep_slice content_type)
{
    static const char vq[] = "application/vq-rtcpxr";
    return content_type.len >= sizeof(vq) - 1 && strncasecmp((const char *)content_type.ptr, vq, sizeof(vq) - 1) == 0;
}

static void set_report(const struct sip_msg *m, struct record *ret)
{
    if (m->x_rtp_stat.len > 0)
        ret->carries = (struct record_report){ m->x_rtp_stat, MEDIA_FORM_X_STAT };
    else if (m->p_rtp_stat.len > 0)
        ret->carries = (struct record_report){ m->p_rtp_stat, MEDIA_FORM_P_STAT };
    else if (m->body.len > 0 && is_vq(m->content_type))
        ret->carries = (struct record_report){ m->body, MEDIA_FORM_VQ };
}

void record_make_sip(struct record_reader *r, struct record *ret)
{
    struct sip_msg *m = &r->sip;
    (void)sip_parse_extra(ret->payload.ptr, ret->payload.len, r->extras.count > 0 ? &r->extras : NULL, m);
    set_start(m, ret);
    set_parties(m, ret);
    set_identities(m, ret);
    set_via(m, ret);
    set_reasons(m, ret);
    set_others(m, ret);
    if (r->extras.count > 0)
        set_headers(r, ret);
    if (m->problems != 0)
        set_problems(r, ret);
    if (m->body.len > 0)
        record_make_sdp(r, ret);
    set_report(m, ret);
}
