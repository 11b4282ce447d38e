/* Rules on proxies, forks and transports: which way a request took. */
#include "query/diagnosis_internal.h"

#define REDIRECTS_MANY 5
#define OWN_TIMEOUT    SECOND /* a 408 that comes sooner is not that of a transaction that timed out */
#define UDP_SAFE       1300   /* octets: RFC 3261 section 18.1.1 */
#define ANSWERS_MAX    8

/* ------------------------------------------------------------------------------------------------ redirections */

static bool same_target(const struct diagnosis_fact *contact, const struct diagnosis_fact *invite)
{
    return contact->contact_user.len > 0 && text_equal(contact->contact_user, invite->ruri_user) &&
           text_equal(contact->contact_host, invite->ruri_host);
}

/* A target of a 3xx that the INVITE, or one before it in this leg, was for already. */
static uint32_t tried_before(const struct dx *x, const struct dx_leg *leg, uint32_t redirect)
{
    for (size_t i = 0; i < leg->invite_count; i++) {
        uint32_t request = x->txns[leg->invites[i]].request;
        if (dx_has(request) && request < redirect && same_target(&x->f[redirect], &x->f[request]))
            return request;
    }
    return DX_NONE;
}

void dx_redirect_loop(struct dx *x)
{
    for (size_t l = 0; l < x->leg_count; l++) {
        const struct dx_leg *leg = &x->legs[l];
        uint32_t count = 0, last = DX_NONE, back = DX_NONE, first = DX_NONE;
        for (size_t i = 0; i < leg->invite_count; i++) {
            uint32_t final = x->txns[leg->invites[i]].final;
            if (!dx_has(final) || x->f[final].status < 300 || x->f[final].status >= 400 || x->f[final].via_count > 1)
                continue;
            count++;
            last = final;
            if (!dx_has(back) && dx_has(first = tried_before(x, leg, final)))
                back = final;
        }
        if (!dx_has(back) && count < REDIRECTS_MANY)
            continue;
        uint32_t shown = dx_has(back) ? back : last;
        struct buf *b = dx_begin(x);
        dx_put_host(b, &x->f[shown].src);
        buf_puts(b, " redirects the call to ");
        dx_put_user(b, x->f[shown].contact_user, x->f[shown].contact_host);
        buf_printf(b, dx_has(back) ? ", where it has been already; redirections: %u." : "; it was redirected %u times.",
                   count);
        if (dx_has(back))
            dx_cite(x, tried_before(x, leg, back));
        dx_cite(x, shown);
        dx_end(x);
    }
}

/* ------------------------------------------------------------------------------------------------ loops */

/* A final response, once a leg, where it was made: behind a host that did not pass the request on. */
static void say_status(struct dx *x, unsigned status, const char *text)
{
    for (uint32_t n = 0; n < x->txn_count; n++) {
        const struct dx_txn *t = &x->txns[n];
        if (!dx_has(t->final) || x->f[t->final].status != status || dx_has(dx_child(x, n)))
            continue;
        struct buf *b = dx_begin(x);
        dx_put_host(b, &x->f[t->final].src);
        buf_puts(b, text);
        dx_put_status(b, &x->f[t->final]);
        buf_puts(b, " to the ");
        dx_put_method(b, &x->f[t->final]);
        buf_printf(b, " from ");
        dx_put_host(b, &x->f[t->final].dst);
        if (dx_has(t->request) && x->f[t->request].max_forwards >= 0)
            buf_printf(b, ", which had %u Via and Max-Forwards %lld", x->f[t->request].via_count,
                       (long long)x->f[t->request].max_forwards);
        buf_puts(b, ".");
        dx_cite(x, t->request);
        dx_cite(x, t->final);
        dx_end(x);
    }
}

void dx_loop_detected(struct dx *x)
{
    say_status(x, 482, " has seen the request before: ");
}

/* Max-Forwards 0 without the 483: whoever gets it has to answer that. OPTIONS with 0 are a trace of hops. */
static void say_last_hop(struct dx *x)
{
    for (uint32_t n = 0; n < x->txn_count; n++) {
        const struct dx_txn *t = &x->txns[n];
        if (!dx_has(t->request) || x->f[t->request].max_forwards != 0 || t->method == SIP_OPTIONS ||
            (dx_has(t->final) && (x->f[t->final].status == 483 || dx_is_2xx(&x->f[t->final]))))
            continue;
        struct buf *b = dx_begin(x);
        buf_puts(b, "The ");
        dx_put_method(b, &x->f[t->request]);
        buf_puts(b, " from ");
        dx_put_hop(b, &x->f[t->request]);
        buf_printf(b, " has Max-Forwards 0 behind %u Via: it cannot go any further.", x->f[t->request].via_count);
        dx_cite(x, t->request);
        dx_end(x);
        return;
    }
}

void dx_too_many_hops(struct dx *x)
{
    say_status(x, 483, " passes it on no further: ");
    say_last_hop(x);
}

/* ------------------------------------------------------------------------------------------------ forks */

struct answers {
    uint32_t of[ANSWERS_MAX]; /* first 2xx of each To tag */
    size_t count;
};

static void note_answer(const struct dx *x, struct answers *a, uint32_t i)
{
    for (size_t k = 0; k < a->count; k++)
        if (text_equal(x->f[a->of[k]].to_tag, x->f[i].to_tag))
            return;
    if (a->count < ANSWERS_MAX)
        a->of[a->count++] = i;
}

/* A BYE to or from this tag, and where it is. */
static uint32_t bye_of(const struct dx *x, const struct dx_leg *leg, uint32_t answer)
{
    for (uint32_t i = answer; dx_next(x, &i) && i <= leg->last; i++)
        if (x->f[i].method == SIP_BYE && x->f[i].is_request && x->leg_of[i] == x->leg_of[answer] &&
            (text_equal(x->f[i].to_tag, x->f[answer].to_tag) || text_equal(x->f[i].from_tag, x->f[answer].to_tag)))
            return i;
    return DX_NONE;
}

void dx_fork_race(struct dx *x)
{
    for (size_t l = 0; l < x->leg_count; l++) {
        const struct dx_leg *leg = &x->legs[l];
        struct answers a = { .count = 0 };
        if (!dx_has(leg->answer))
            continue;
        for (uint32_t i = leg->answer; dx_next(x, &i) && i <= leg->last; i++)
            if (x->leg_of[i] == l && x->f[i].method == SIP_INVITE && dx_is_2xx(&x->f[i]) &&
                x->f[i].cseq == x->f[leg->answer].cseq && text_equal(x->f[i].from_tag, x->f[leg->answer].from_tag))
                note_answer(x, &a, i);
        if (a.count < 2)
            continue;
        uint32_t bye = bye_of(x, leg, a.of[1]);
        struct buf *b = dx_begin(x);
        buf_printf(b, "%zu devices answered the INVITE: the first 200 from ", a.count);
        dx_put_host(b, &x->f[a.of[0]].src);
        buf_puts(b, ", the second from ");
        dx_put_host(b, &x->f[a.of[1]].src);
        buf_putc(b, ' ');
        dx_put_span(b, x->f[a.of[1]].ts - x->f[a.of[0]].ts);
        buf_puts(b, " later; ");
        if (dx_has(bye)) {
            buf_puts(b, "the second got a BYE ");
            dx_put_span(b, x->f[bye].ts - x->f[a.of[1]].ts);
            buf_puts(b, " after its answer.");
        } else {
            buf_puts(b, "the second never got a BYE.");
        }
        for (size_t k = 0; k < a.count; k++)
            dx_cite(x, a.of[k]);
        dx_cite(x, bye);
        dx_end(x);
    }
}

/* ------------------------------------------------------------------------------------------------ transports */

static bool speaks_of_connections(struct hep_slice s)
{
    static const char *const words[] = { "connect",     "tls",       "tcp",     "transport", "unreachable",
                                         "certificate", "handshake", "refused", "socket",    "network error" };
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (dx_contains(s, words[i]))
            return true;
    return false;
}

static void say_connection(struct dx *x, const struct dx_txn *t, struct hep_slice said)
{
    struct buf *b = dx_begin(x);
    dx_put_host(b, &x->f[t->final].src);
    buf_puts(b, " cannot reach the next hop: ");
    dx_put_status(b, &x->f[t->final]);
    if (said.ptr != x->f[t->final].reason.ptr) {
        buf_puts(b, " with ");
        dx_put_slice(b, said);
    }
    buf_puts(b, ".");
    dx_cite(x, t->request);
    dx_cite(x, t->final);
    dx_end(x);
}

/* True if it said so. */
static bool connection_failed(struct dx *x, const struct dx_txn *t)
{
    const struct diagnosis_fact *f = &x->f[t->final];
    const struct hep_slice texts[] = { f->reason_text, f->warning_text, f->reason };
    if (f->status != 503 && f->status != 500 && f->status != 477 && f->status != 478 && f->status != 504)
        return false;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (!speaks_of_connections(texts[i]))
            continue;
        say_connection(x, t, texts[i]);
        return true;
    }
    return false;
}

static bool timed_out_at_once(struct dx *x, const struct dx_txn *t)
{
    if (!dx_has(t->request) || x->f[t->final].status != 408 || dx_has(t->progress))
        return false;
    int64_t after = x->f[t->final].ts - x->f[t->request].ts;
    if (after < 0 || after >= OWN_TIMEOUT)
        return false;
    struct buf *b = dx_begin(x);
    dx_put_host(b, &x->f[t->final].src);
    buf_puts(b, " answered ");
    dx_put_status(b, &x->f[t->final]);
    buf_puts(b, " after ");
    dx_put_span(b, after);
    buf_puts(b, " and sent the ");
    dx_put_method(b, &x->f[t->final]);
    buf_puts(b, " nowhere: no connection to the next hop, rather than a timeout.");
    dx_cite(x, t->request);
    dx_cite(x, t->final);
    dx_end(x);
    return true;
}

uint32_t dx_other_transport(const struct dx *x, uint32_t n)
{
    const struct dx_txn *t = &x->txns[n];
    if (!dx_has(t->request) || dx_has(t->response) || t->method == SIP_ACK)
        return DX_NONE;
    const struct diagnosis_fact *f = &x->f[t->request];
    uint32_t end = x->txn_count - n > DX_NEAR ? n + DX_NEAR : x->txn_count;
    for (uint32_t k = n + 1; k < end && f->proto.len > 0; k++) {
        const struct dx_txn *o = &x->txns[k];
        if (o->leg != t->leg || o->method != t->method || o->cseq != t->cseq || !dx_has(o->request))
            continue;
        const struct diagnosis_fact *g = &x->f[o->request];
        if (g->proto.len > 0 && !text_equal(g->proto, f->proto) && g->via_count == f->via_count &&
            dx_same_ip(&g->src.ip, &f->src.ip))
            return k;
    }
    return DX_NONE;
}

static void changed_transport(struct dx *x, uint32_t n)
{
    uint32_t other = dx_other_transport(x, n);
    if (!dx_has(other))
        return;
    const struct diagnosis_fact *f = &x->f[x->txns[n].request], *g = &x->f[x->txns[other].request];
    struct buf *b = dx_begin(x);
    buf_puts(b, "The ");
    dx_put_method(b, f);
    buf_puts(b, " from ");
    dx_put_hop(b, f);
    buf_puts(b, " over ");
    dx_put_slice(b, f->proto);
    buf_puts(b, " got no response and was sent again over ");
    dx_put_slice(b, g->proto);
    buf_puts(b, " after ");
    dx_put_span(b, g->ts - f->ts);
    buf_puts(b, ".");
    dx_cite(x, x->txns[n].request);
    dx_cite(x, x->txns[other].request);
    dx_end(x);
}

void dx_transport_trouble(struct dx *x)
{
    for (uint32_t n = 0; n < x->txn_count; n++) {
        const struct dx_txn *t = &x->txns[n];
        if (dx_has(t->final) && !dx_has(dx_child(x, n)) && !connection_failed(x, t))
            (void)timed_out_at_once(x, t);
        changed_transport(x, n);
    }
}

void dx_udp_too_big(struct dx *x)
{
    for (uint32_t n = 0; n < x->txn_count; n++) {
        const struct dx_txn *t = &x->txns[n];
        if (!dx_has(t->request) || dx_has(t->response) || t->method == SIP_ACK || dx_has(dx_child(x, n)))
            continue;
        const struct diagnosis_fact *f = &x->f[t->request];
        if (!text_is(f->proto, "udp") || f->payload_len <= UDP_SAFE || dx_pending(x, t->request, 4 * SECOND))
            continue;
        struct buf *b = dx_begin(x);
        buf_puts(b, "The ");
        dx_put_method(b, f);
        buf_puts(b, " from ");
        dx_put_hop(b, f);
        buf_printf(b, " has %u octets over UDP and got no response: its fragments may be lost on the way.",
                   f->payload_len);
        dx_cite(x, t->request);
        dx_end(x);
    }
}
