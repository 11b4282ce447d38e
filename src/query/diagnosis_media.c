/* Rules on SDP and media: codecs, addresses, directions; figures of reports, where there are any. */
#include "query/diagnosis_internal.h"

#define LOSS_HIGH   2.0  /* percent */
#define JITTER_HIGH 30.0 /* ms */
#define SEEN_MAX    32   /* hosts that were told about already */

/* ------------------------------------------------------------------------------------------------ offer and answer */

/* The first offer of a leg and its answer: 200, else a provisional response. DX_NONE if there is none. */
struct exchange {
    uint32_t offer, answer;
};

/* The SDP of the INVITE's hop that is nearest to the caller, or to the called side. */
static struct exchange exchange_of(const struct dx *x, size_t l)
{
    const struct dx_leg *leg = &x->legs[l];
    struct exchange e = { DX_NONE, DX_NONE };
    if (dx_has(leg->invite) && x->f[leg->invite].sdp.present)
        e.offer = leg->invite;
    for (uint32_t i = leg->first; dx_next(x, &i) && i <= leg->last; i++) {
        const struct diagnosis_fact *f = &x->f[i];
        if (x->leg_of[i] != l || f->is_request || f->method != SIP_INVITE || !f->sdp.present || f->status >= 300 ||
            f->status <= 100 || !dx_has(leg->answer) || f->cseq != x->f[leg->answer].cseq)
            continue;
        bool better = dx_has(e.answer) && (f->status >= 200) > (x->f[e.answer].status >= 200);
        bool same = dx_has(e.answer) && (f->status >= 200) == (x->f[e.answer].status >= 200);
        if (!dx_has(e.answer) || better || (same && f->via_count > x->f[e.answer].via_count))
            e.answer = i;
    }
    return e;
}

static void put_codecs(struct buf *b, const struct diagnosis_sdp *s)
{
    for (uint8_t i = 0; i < s->codec_count; i++) {
        if (i > 0)
            buf_puts(b, ", ");
        dx_put_slice(b, s->codecs[i]);
    }
    if (s->codec_count == 0)
        buf_puts(b, "none");
}

static bool have_common(const struct diagnosis_sdp *a, const struct diagnosis_sdp *b)
{
    for (uint8_t i = 0; i < a->codec_count; i++)
        for (uint8_t k = 0; k < b->codec_count; k++)
            if (a->codecs[i].len == b->codecs[k].len &&
                text_same(a->codecs[i].ptr, (const char *)b->codecs[k].ptr, b->codecs[k].len))
                return true;
    return false;
}

/* ------------------------------------------------------------------------------------------------ codecs */

/* SDP of the side that refused: in the response, or in any message that it sent before or after. */
static uint32_t sdp_of_host(const struct dx *x, const struct diagnosis_fact *refusal)
{
    if (refusal->sdp.present)
        return (uint32_t)(refusal - x->f);
    for (uint32_t i = 0; dx_next(x, &i); i++)
        if (x->f[i].sdp.present && dx_same_ip(&x->f[i].src.ip, &refusal->src.ip))
            return i;
    return DX_NONE;
}

static void say_refused(struct dx *x, const struct dx_txn *t)
{
    const struct diagnosis_fact *f = &x->f[t->final];
    uint32_t own = sdp_of_host(x, f);
    struct buf *b = dx_begin(x);
    dx_put_host(b, &f->src);
    buf_puts(b, " refused the media: ");
    dx_put_status(b, f);
    buf_puts(b, "; offered by ");
    dx_put_host(b, &f->dst);
    buf_puts(b, ": ");
    if (dx_has(t->request) && x->f[t->request].sdp.present)
        put_codecs(b, &x->f[t->request].sdp);
    else
        buf_puts(b, "not seen");
    buf_puts(b, "; of its own: ");
    if (dx_has(own))
        put_codecs(b, &x->f[own].sdp);
    else
        buf_puts(b, "not told");
    if (f->warning >= 0) {
        buf_printf(b, "; Warning %lld ", (long long)f->warning);
        dx_put_slice(b, f->warning_text);
    }
    buf_puts(b, ".");
    dx_cite(x, t->request);
    dx_cite(x, t->final);
    dx_cite(x, own);
    dx_end(x);
}

static void say_disjoint(struct dx *x, const struct exchange *e)
{
    struct buf *b = dx_begin(x);
    buf_puts(b, "Offer and answer have no codec in common: ");
    dx_put_host(b, &x->f[e->offer].src);
    buf_puts(b, " offers ");
    put_codecs(b, &x->f[e->offer].sdp);
    buf_puts(b, "; ");
    dx_put_host(b, &x->f[e->answer].src);
    buf_puts(b, " answers ");
    put_codecs(b, &x->f[e->answer].sdp);
    buf_puts(b, ".");
    dx_cite(x, e->offer);
    dx_cite(x, e->answer);
    dx_end(x);
}

void dx_codec_mismatch(struct dx *x)
{
    for (uint32_t n = 0; n < x->txn_count; n++) {
        const struct dx_txn *t = &x->txns[n];
        if ((t->method != SIP_INVITE && t->method != SIP_UPDATE) || !dx_has(t->final) || dx_has(dx_child(x, n)))
            continue;
        unsigned status = x->f[t->final].status;
        if (status == 488 || status == 415 || status == 606)
            say_refused(x, t);
    }
    for (size_t l = 0; l < x->leg_count; l++) {
        struct exchange e = exchange_of(x, l);
        if (dx_has(e.offer) && dx_has(e.answer) && x->f[e.answer].sdp.port != 0 && x->f[e.offer].sdp.codec_count > 0 &&
            x->f[e.offer].sdp.codec_count < DIAGNOSIS_CODECS_MAX && x->f[e.answer].sdp.codec_count > 0 &&
            !have_common(&x->f[e.offer].sdp, &x->f[e.answer].sdp))
            say_disjoint(x, &e);
    }
}

void dx_no_sdp_answer(struct dx *x)
{
    for (size_t l = 0; l < x->leg_count; l++) {
        const struct dx_leg *leg = &x->legs[l];
        struct exchange e = exchange_of(x, l);
        if (!dx_has(leg->answer) || !dx_has(e.offer) || dx_has(e.answer) ||
            x->f[leg->answer].cseq != x->f[e.offer].cseq)
            continue;
        struct buf *b = dx_begin(x);
        buf_puts(b, "The INVITE from ");
        dx_put_hop(b, &x->f[e.offer]);
        buf_puts(b, " offers media, but neither the ");
        dx_put_status(b, &x->f[leg->answer]);
        buf_puts(b, " nor a provisional response has an SDP answer.");
        dx_cite(x, e.offer);
        dx_cite(x, leg->answer);
        dx_end(x);
    }
}

/* ------------------------------------------------------------------------------------------------ addresses */

struct hosts_seen {
    struct hep_addr ip[SEEN_MAX];
    size_t count;
};

static bool is_news(struct hosts_seen *s, const struct hep_addr *ip)
{
    for (size_t i = 0; i < s->count; i++)
        if (dx_same_ip(&s->ip[i], ip))
            return false;
    if (s->count == SEEN_MAX)
        return false;
    s->ip[s->count++] = *ip;
    return true;
}

/* It goes over a public address on this hop. */
static bool crosses_nat(const struct diagnosis_fact *f)
{
    return dx_is_public(&f->src.ip) || dx_is_public(&f->dst.ip);
}

/* The same message on another hop has another, public address: a proxy put a media relay in. */
static bool is_repaired(const struct dx *x, uint32_t i)
{
    const struct diagnosis_fact *f = &x->f[i];
    uint32_t start = i > DX_NEAR ? i - DX_NEAR : 0, end = i + DX_NEAR;
    for (uint32_t k = start; dx_next(x, &k) && k < end; k++) {
        const struct diagnosis_fact *g = &x->f[k];
        if (k != i && x->leg_of[k] == x->leg_of[i] && g->sdp.present && g->cseq == f->cseq && g->method == f->method &&
            g->status == f->status && g->is_request == f->is_request && dx_is_public(&g->sdp.addr))
            return true;
    }
    return false;
}

void dx_private_sdp(struct dx *x)
{
    struct hosts_seen seen = { .count = 0 };
    for (uint32_t i = 0; dx_next(x, &i); i++) {
        const struct diagnosis_fact *f = &x->f[i];
        if (!f->sdp.present || f->sdp.ice || f->sdp.port == 0 || !dx_is_private(&f->sdp.addr) || !crosses_nat(f) ||
            is_repaired(x, i) || !is_news(&seen, &f->src.ip))
            continue;
        struct buf *b = dx_begin(x);
        buf_puts(b, "The SDP from ");
        dx_put_hop(b, f);
        buf_puts(b, " wants media at the private address ");
        dx_put_slice(b, f->sdp.host);
        buf_printf(b, ":%u, ", f->sdp.port);
        buf_puts(b, dx_is_public(&f->src.ip) ? "though it came from a public one: media sent there is lost."
                                             : "though it goes to a public one: media sent there is lost.");
        dx_cite(x, i);
        dx_end(x);
    }
}

/* Contacts that others will send requests to. */
static bool has_target(const struct diagnosis_fact *f)
{
    if (f->method == SIP_REGISTER)
        return false; /* the registrar knows where it came from */
    return f->is_request ? f->method == SIP_INVITE || f->method == SIP_SUBSCRIBE || f->method == SIP_UPDATE
                         : dx_is_2xx(f) && f->method == SIP_INVITE;
}

void dx_private_contact(struct dx *x)
{
    struct hosts_seen seen = { .count = 0 };
    for (uint32_t i = 0; dx_next(x, &i); i++) {
        const struct diagnosis_fact *f = &x->f[i];
        /* On later hops the Contact is not of who sends: proxies leave it, and add Record-Route. */
        bool own = f->is_request ? f->via_count <= 1 : !dx_has(dx_child(x, x->txn_of[i]));
        if (!has_target(f) || !own || !dx_is_private(&f->contact_addr) || !crosses_nat(f) ||
            dx_same_ip(&f->src.ip, &f->contact_addr) || !is_news(&seen, &f->src.ip))
            continue;
        struct buf *b = dx_begin(x);
        buf_puts(b, "The ");
        if (f->is_request)
            dx_put_method(b, f);
        else
            dx_put_status(b, f);
        buf_puts(b, " from ");
        dx_put_hop(b, f);
        buf_puts(b, " has the private address ");
        dx_put_slice(b, f->contact_host);
        buf_puts(b, " in its Contact.");
        dx_cite(x, i);
        dx_end(x);
    }
}

/* Media of one side goes elsewhere than its signalling. */
static bool is_elsewhere(const struct dx *x, uint32_t i)
{
    return dx_has(i) && x->f[i].sdp.addr.len > 0 && x->f[i].sdp.port != 0 && !dx_is_unspecified(&x->f[i].sdp.addr) &&
           !dx_same_ip(&x->f[i].sdp.addr, &x->f[i].src.ip);
}

static void put_elsewhere(const struct dx *x, struct buf *b, uint32_t i, bool more)
{
    if (!is_elsewhere(x, i))
        return;
    buf_puts(b, more ? ", " : "");
    dx_put_slice(b, x->f[i].sdp.host);
    buf_printf(b, ":%u (signalling ", x->f[i].sdp.port);
    dx_put_host(b, &x->f[i].src);
    buf_putc(b, ')');
}

static bool has_reports(const struct dx *x)
{
    for (uint32_t i = 0; i < x->count; i++)
        if (x->f[i].is_report)
            return true;
    return x->options->media_count > 0;
}

void dx_media_elsewhere(struct dx *x)
{
    if (has_reports(x))
        return;
    for (size_t l = 0; l < x->leg_count; l++) {
        struct exchange e = exchange_of(x, l);
        if (!dx_has(x->legs[l].answer) || (!is_elsewhere(x, e.offer) && !is_elsewhere(x, e.answer)))
            continue;
        struct buf *b = dx_begin(x);
        buf_puts(b, "Media does not go where the signalling goes, and there are no reports about it: ");
        put_elsewhere(x, b, e.offer, false);
        put_elsewhere(x, b, e.answer, is_elsewhere(x, e.offer));
        buf_puts(b, ".");
        dx_cite(x, e.offer);
        dx_cite(x, e.answer);
        dx_end(x);
    }
}

/* ------------------------------------------------------------------------------------------------ directions */

static const char *direction_name(enum sdp_direction d)
{
    static const char *const names[] = { "sendrecv", "sendrecv", "sendonly", "recvonly", "inactive" };
    return names[d];
}

/* What keeps audio from flowing both ways, by the SDP of one side; NULL if nothing does. */
static const char *obstacle(const struct diagnosis_sdp *s)
{
    if (s->port == 0)
        return "port 0";
    if (dx_is_unspecified(&s->addr))
        return "the address 0.0.0.0";
    return s->direction > SDP_SENDRECV ? direction_name(s->direction) : NULL;
}

static void say_obstacle(struct dx *x, uint32_t i, const char *what)
{
    const struct diagnosis_fact *f = &x->f[i];
    bool none = f->sdp.port == 0 || f->sdp.direction == SDP_INACTIVE;
    struct buf *b = dx_begin(x);
    dx_put_host(b, &f->src);
    buf_puts(b, f->is_request ? " offers " : " answers with ");
    buf_puts(b, what);
    buf_puts(b, none                               ? ": there is no audio in either direction."
                : f->sdp.direction == SDP_RECVONLY ? ": it does not send, the other side hears nothing."
                                                   : ": it does not want to receive, and hears nothing.");
    dx_cite(x, i);
    dx_end(x);
}

static void say_figures(struct dx *x, const struct diagnosis_media *m)
{
    struct buf *b = dx_begin(x);
    buf_puts(b, "No media arrives from ");
    dx_put_host(b, &m->src);
    buf_puts(b, " at ");
    dx_put_host(b, &m->dst);
    buf_puts(b, ", by the reports.");
    dx_end(x);
}

void dx_one_way_audio(struct dx *x)
{
    for (size_t l = 0; l < x->leg_count; l++) {
        struct exchange e = exchange_of(x, l);
        if (!dx_has(e.answer))
            continue;
        const char *answer = obstacle(&x->f[e.answer].sdp);
        const char *offer = dx_has(e.offer) ? obstacle(&x->f[e.offer].sdp) : NULL;
        if (offer != NULL) /* the answer only goes along with it */
            say_obstacle(x, e.offer, offer);
        else if (answer != NULL)
            say_obstacle(x, e.answer, answer);
    }
    for (size_t i = 0; i < x->options->media_count; i++)
        if (x->options->media[i].nothing)
            say_figures(x, &x->options->media[i]);
}

/* ------------------------------------------------------------------------------------------------ hold */

static bool is_hold(const struct diagnosis_sdp *s)
{
    return s->port != 0 &&
           (s->direction == SDP_SENDONLY || s->direction == SDP_INACTIVE || dx_is_unspecified(&s->addr));
}

/* The last offer within the dialog of the side of this tag, nearest to it. */
static uint32_t last_offer(const struct dx *x, size_t l, struct hep_slice tag)
{
    uint32_t found = DX_NONE;
    for (uint32_t i = x->legs[l].first; dx_next(x, &i) && i <= x->legs[l].last; i++) {
        const struct diagnosis_fact *f = &x->f[i];
        if (x->leg_of[i] == l && f->is_request && f->sdp.present && f->to_tag.len > 0 &&
            (f->method == SIP_INVITE || f->method == SIP_UPDATE) && text_equal(f->from_tag, tag) &&
            (!dx_has(found) || f->cseq > x->f[found].cseq))
            found = i;
    }
    return found;
}

static void say_hold(struct dx *x, const struct dx_leg *leg, uint32_t hold)
{
    struct buf *b = dx_begin(x);
    dx_put_host(b, &x->f[hold].src);
    buf_puts(b, " put the call on hold (");
    buf_puts(b, dx_is_unspecified(&x->f[hold].sdp.addr) ? "0.0.0.0" : direction_name(x->f[hold].sdp.direction));
    buf_puts(b, dx_has(leg->bye) ? ") and it was not resumed before the BYE, " : ") and it was not resumed: ");
    dx_put_span(b, x->f[dx_has(leg->bye) ? leg->bye : leg->last].ts - x->f[hold].ts);
    buf_puts(b, dx_has(leg->bye) ? " later." : " until the last message.");
    dx_cite(x, hold);
    dx_cite(x, leg->bye);
    dx_end(x);
}

void dx_hold_no_resume(struct dx *x)
{
    for (size_t l = 0; l < x->leg_count; l++) {
        const struct dx_leg *leg = &x->legs[l];
        struct hep_slice caller = x->f[leg->first].from_tag, callee = x->f[leg->first].to_tag;
        if (dx_has(leg->invite))
            caller = x->f[leg->invite].from_tag;
        if (dx_has(leg->answer))
            callee = x->f[leg->answer].to_tag;
        uint32_t offers[2] = { last_offer(x, l, caller), callee.len > 0 ? last_offer(x, l, callee) : DX_NONE };
        for (size_t i = 0; i < 2; i++)
            if (dx_has(offers[i]) && is_hold(&x->f[offers[i]].sdp))
                say_hold(x, leg, offers[i]);
    }
}

/* ------------------------------------------------------------------------------------------------ figures */

static void say_figure(struct dx *x, const struct diagnosis_media *m, const char *what, double value, const char *unit,
                       int64_t at)
{
    struct buf *b = dx_begin(x);
    buf_puts(b, what);
    buf_printf(b, " of %.1f %s from ", value, unit);
    dx_put_host(b, &m->src);
    buf_puts(b, " to ");
    dx_put_host(b, &m->dst);
    if (x->count > 0) {
        buf_puts(b, ", ");
        dx_put_span(b, at - x->f[0].ts);
        buf_puts(b, " after the first message");
    }
    buf_puts(b, ".");
    dx_end(x);
}

void dx_packet_loss(struct dx *x)
{
    for (size_t i = 0; i < x->options->media_count; i++) {
        const struct diagnosis_media *m = &x->options->media[i];
        if (m->loss_percent > LOSS_HIGH)
            say_figure(x, m, "Packet loss", m->loss_percent, "%", m->loss_at);
    }
}

void dx_high_jitter(struct dx *x)
{
    for (size_t i = 0; i < x->options->media_count; i++) {
        const struct diagnosis_media *m = &x->options->media[i];
        if (m->jitter_ms > JITTER_HIGH)
            say_figure(x, m, "Jitter", m->jitter_ms, "ms", m->jitter_at);
    }
}
