/* What must hold for whatever sip_parse() and sdp_parse() hand out; for test_sip_robust.c and fuzz_sip.c. */
#ifndef TEST_SIP_CHECK_H
#define TEST_SIP_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "sip/msg.h"
#include "sip/sdp.h"

#define CHECK_SLICES_MAX 256

struct check_slices {
    size_t count;
    struct hep_slice all[CHECK_SLICES_MAX];
};

static inline void check_add(struct check_slices *c, struct hep_slice s)
{
    if (c->count < CHECK_SLICES_MAX)
        c->all[c->count++] = s;
}

static inline void check_add_addr(struct check_slices *c, const struct sip_addr *a)
{
    const struct hep_slice slices[] = { a->display,  a->params,     a->tag,         a->uri.raw,        a->uri.user,
                                        a->uri.host, a->uri.params, a->uri.headers, a->uri.user_params };
    for (size_t i = 0; i < sizeof(slices) / sizeof(slices[0]); i++)
        check_add(c, slices[i]);
}

static inline void check_add_lists(struct check_slices *c, const struct sip_msg *m)
{
    for (size_t i = 0; i < m->via_kept; i++) {
        check_add(c, m->vias[i].transport);
        check_add(c, m->vias[i].host);
        check_add(c, m->vias[i].branch);
        check_add(c, m->vias[i].received);
    }
    for (size_t i = 0; i < m->route.kept; i++)
        check_add(c, m->route.elements[i]);
    for (size_t i = 0; i < m->record_route.kept; i++)
        check_add(c, m->record_route.elements[i]);
    for (size_t i = 0; i < m->reason_kept; i++) {
        check_add(c, m->reasons[i].protocol);
        check_add(c, m->reasons[i].text);
    }
    for (size_t i = 0; i < m->asserted_kept; i++)
        check_add_addr(c, &m->asserted[i]);
}

/* Every slice of a message. */
static inline void check_slices_of(struct check_slices *c, const struct sip_msg *m)
{
    const struct sip_addr *addrs[] = { &m->from,         &m->to,        &m->contact,  &m->preferred,
                                       &m->remote_party, &m->diversion, &m->refer_to, &m->referred_by };
    const struct hep_slice slices[] = {
        m->method,
        m->reason,
        m->ruri.raw,
        m->ruri.user,
        m->ruri.host,
        m->ruri.params,
        m->ruri.headers,
        m->ruri.user_params,
        m->call_id,
        m->cseq.method,
        m->diversion_reason,
        m->history_info,
        m->privacy,
        m->identity,
        m->access_network,
        m->session_id.local,
        m->session_id.remote,
        m->icid,
        m->replaces.call_id,
        m->replaces.to_tag,
        m->replaces.from_tag,
        m->refresher,
        m->rack,
        m->warning.agent,
        m->warning.text,
        m->authorization.scheme,
        m->authorization.username,
        m->authorization.realm,
        m->proxy_authorization.username,
        m->proxy_authorization.realm,
        m->www_authenticate.realm,
        m->proxy_authenticate.realm,
        m->user_agent,
        m->server,
        m->allow,
        m->supported,
        m->require,
        m->event,
        m->subscription_state,
        m->date,
        m->subject,
        m->organization,
        m->x_rtp_stat,
        m->p_rtp_stat,
        m->content_type,
        m->content_encoding,
        m->body,
    };
    c->count = 0;
    for (size_t i = 0; i < sizeof(slices) / sizeof(slices[0]); i++)
        check_add(c, slices[i]);
    for (size_t i = 0; i < sizeof(addrs) / sizeof(addrs[0]); i++)
        check_add_addr(c, addrs[i]);
    check_add_lists(c, m);
}

static inline bool check_inside(struct hep_slice whole, struct hep_slice s)
{
    return s.len == 0 || (s.ptr >= whole.ptr && s.len <= whole.len && s.ptr - whole.ptr <= (long)(whole.len - s.len));
}

/* Every slice lies in the message, and the counts agree. */
static inline bool sip_msg_inside(const struct sip_msg *m)
{
    struct check_slices c;
    check_slices_of(&c, m);
    for (size_t i = 0; i < c.count; i++) {
        if (!check_inside(m->raw, c.all[i]))
            return false;
    }
    return c.count < CHECK_SLICES_MAX && m->via_kept <= SIP_VIAS_MAX && m->via_kept <= m->via_count &&
           m->reason_kept <= SIP_REASONS_MAX && m->asserted_kept <= SIP_ASSERTED_MAX &&
           m->route.kept <= SIP_ROUTES_MAX && m->record_route.kept <= SIP_ROUTES_MAX &&
           (m->problems != 0 || m->problem_offset == 0) && m->problem_offset <= m->raw.len;
}

/* The same in all that is initialised. */
static inline bool sip_msg_same(const struct sip_msg *a, const struct sip_msg *b)
{
    struct check_slices ca;
    struct check_slices cb;
    check_slices_of(&ca, a);
    check_slices_of(&cb, b);
    if (ca.count != cb.count || memcmp(a, b, offsetof(struct sip_msg, route)) != 0)
        return false;
    for (size_t i = 0; i < ca.count; i++) {
        if (ca.all[i].len != cb.all[i].len || (ca.all[i].len > 0 && ca.all[i].ptr != cb.all[i].ptr))
            return false;
    }
    return a->route.count == b->route.count && a->record_route.count == b->record_route.count;
}

static inline bool sdp_media_inside(const struct sdp_media *m, struct hep_slice whole)
{
    const struct hep_slice slices[] = { m->kind, m->protocol, m->host, m->suite, m->setup, m->ufrag, m->label, m->mid };
    for (size_t i = 0; i < sizeof(slices) / sizeof(slices[0]); i++) {
        if (!check_inside(whole, slices[i]))
            return false;
    }
    for (size_t i = 0; i < m->format_kept; i++) {
        const struct sdp_format *f = &m->formats[i];
        if (!check_inside(whole, f->text) || !check_inside(whole, f->fmtp) ||
            (f->mapped && !check_inside(whole, f->codec)))
            return false;
    }
    return m->format_kept <= SDP_FORMATS_MAX && m->format_kept <= m->format_count && m->direction != SDP_UNSET;
}

static inline bool sdp_inside(const struct sdp *sdp, struct hep_slice whole)
{
    const struct sdp_session *s = &sdp->session;
    const struct hep_slice slices[] = { s->user, s->id, s->version, s->origin, s->name, s->host };
    for (size_t i = 0; i < sizeof(slices) / sizeof(slices[0]); i++) {
        if (!check_inside(whole, slices[i]))
            return false;
    }
    for (size_t i = 0; i < sdp->media_kept; i++) {
        if (!sdp_media_inside(&sdp->media[i], whole))
            return false;
    }
    return sdp->media_kept <= SDP_MEDIA_MAX && sdp->media_kept <= sdp->media_count;
}

#endif
