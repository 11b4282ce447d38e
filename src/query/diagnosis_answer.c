/* Rules on requests and their answers: what was lost on the way, and how long it took. */
#include "query/diagnosis_internal.h"

#define REPEATS_TIMEOUT 3 /* copies of a request without any answer: its sender waited for seconds */
#define SHORT_CALL      (2 * SECOND)
#define PDD_HIGH        (5 * SECOND) /* ITU-T E.721 has 3 s to 8 s for the mean */

/* Copies of a message, as evidence: the first ones and the last. */
static void cite_copies(struct dx *x, uint32_t first, uint32_t last)
{
    unsigned cited = 0;
    for (uint32_t i = first; i <= last && cited < 8; i++)
        if (x->copy_of[i] == first && !x->doubled[i]) {
            dx_cite(x, i);
            cited++;
        }
    dx_cite(x, last);
}

/* ------------------------------------------------------------------------------------------------ no answer at all */

/* Requests that follow an answer, and not a single response: one direction is not captured (capture-gap says so). */
static bool is_one_way(const struct dx *x, uint32_t leg)
{
    if (!dx_has(x->legs[leg].ack) && !dx_has(x->legs[leg].bye))
        return false;
    for (uint32_t n = 0; n < x->txn_count; n++)
        if (x->txns[n].leg == leg && dx_has(x->txns[n].response))
            return false;
    return true;
}

void dx_no_response(struct dx *x)
{
    for (uint32_t n = 0; n < x->txn_count; n++) {
        const struct dx_txn *t = &x->txns[n];
        if (t->method != SIP_INVITE || !dx_has(t->request) || dx_has(t->response) || t->copies >= REPEATS_TIMEOUT ||
            dx_has(dx_child(x, n)) || dx_pending(x, t->last_request, TIMER_B) || is_one_way(x, t->leg) ||
            dx_has(dx_other_transport(x, n)))
            continue;
        const struct diagnosis_fact *f = &x->f[t->request];
        struct buf *b = dx_begin(x);
        buf_puts(b, "The INVITE from ");
        dx_put_hop(b, f);
        buf_puts(b, ", sent ");
        dx_put_times(b, t->copies);
        if (f->proto.len > 0 && !text_is(f->proto, "udp")) {
            buf_puts(b, " over ");
            dx_put_slice(b, f->proto);
        }
        buf_puts(b, ", got no response, not even 100 Trying.");
        cite_copies(x, t->request, t->last_request);
        dx_end(x);
    }
}

static void say_request_timeout(struct dx *x, const struct dx_txn *t)
{
    const struct diagnosis_fact *f = &x->f[t->request];
    struct buf *b = dx_begin(x);
    dx_put_host(b, &f->dst);
    buf_puts(b, " does not answer: ");
    dx_put_host(b, &f->src);
    buf_puts(b, " sent the ");
    dx_put_method(b, f);
    buf_putc(b, ' ');
    dx_put_times(b, t->copies);
    buf_puts(b, " within ");
    dx_put_span(b, x->f[t->last_request].ts - f->ts);
    buf_puts(b, dx_has(t->response) ? " and got no final response." : " and got no response.");
    cite_copies(x, t->request, t->last_request);
    dx_end(x);
}

static void say_failure_timeout(struct dx *x, const struct dx_txn *t)
{
    const struct diagnosis_fact *f = &x->f[t->final];
    struct buf *b = dx_begin(x);
    buf_puts(b, "The ");
    dx_put_status(b, f);
    buf_puts(b, " from ");
    dx_put_hop(b, f);
    buf_puts(b, " was sent ");
    dx_put_times(b, t->finals);
    buf_puts(b, " within ");
    dx_put_span(b, x->f[t->last_final].ts - f->ts);
    buf_puts(b, " without an ACK.");
    cite_copies(x, t->final, t->last_final);
    dx_end(x);
}

void dx_retransmit_timeout(struct dx *x)
{
    for (uint32_t n = 0; n < x->txn_count; n++) {
        const struct dx_txn *t = &x->txns[n];
        bool silent = t->method == SIP_INVITE ? !dx_has(t->response) : !dx_has(t->final);
        if (t->method == SIP_INVITE && dx_has(t->final) && x->f[t->final].status >= 300 &&
            t->finals >= REPEATS_TIMEOUT && !dx_has(t->ack))
            say_failure_timeout(x, t);
        if (t->method == SIP_ACK || t->method == SIP_BYE || !dx_has(t->request) || !silent ||
            t->copies < REPEATS_TIMEOUT || dx_has(dx_child(x, n)))
            continue;
        say_request_timeout(x, t);
    }
}

/* The hop that is farthest from the caller of those that got a response, no final one, and did not pass it on. */
static uint32_t left_hanging(const struct dx *x, const struct dx_leg *leg)
{
    uint32_t found = DX_NONE;
    for (size_t i = 0; i < leg->invite_count; i++) {
        const struct dx_txn *t = &x->txns[leg->invites[i]];
        if (!dx_has(t->request) || !dx_has(t->response) || dx_has(t->final) || dx_has(dx_child(x, leg->invites[i])))
            continue;
        if (!dx_has(found) || x->f[t->request].via_count >= x->f[x->txns[found].request].via_count)
            found = leg->invites[i];
    }
    return found;
}

void dx_no_final_response(struct dx *x)
{
    for (size_t l = 0; l < x->leg_count; l++) {
        const struct dx_leg *leg = &x->legs[l];
        if (!dx_has(leg->invite) || dx_has(leg->answer) || dx_has(leg->final) || dx_has(leg->cancel) ||
            dx_has(leg->ack) || dx_has(leg->bye) || dx_pending(x, leg->last, TIMER_C))
            continue;
        uint32_t n = left_hanging(x, leg);
        if (!dx_has(n))
            continue;
        const struct dx_txn *t = &x->txns[n];
        uint32_t response = dx_has(t->progress) ? t->progress : t->response;
        struct buf *b = dx_begin(x);
        buf_puts(b, "The INVITE from ");
        dx_put_hop(b, &x->f[t->request]);
        buf_puts(b, " got ");
        dx_put_status(b, &x->f[response]);
        buf_puts(b, " and no final response, and nobody cancelled it; the last message came ");
        dx_put_span(b, x->f[leg->last].ts - x->f[t->request].ts);
        buf_puts(b, " after it.");
        dx_cite(x, t->request);
        dx_cite(x, response);
        dx_end(x);
    }
}

/* ------------------------------------------------------------------------------------------------ repeated */

/* Repeated messages of one hop in one direction. */
struct repeated {
    uint32_t first; /* any of them */
    uint32_t requests, responses;
    uint32_t cited[6];
    size_t cited_count;
};
#define REPEATED_MAX 16

static struct repeated *repeated_of(const struct dx *x, struct repeated *all, size_t *count, uint32_t i)
{
    for (size_t k = 0; k < *count; k++) {
        const struct diagnosis_fact *f = &x->f[all[k].first];
        if (dx_same_ip(&f->src.ip, &x->f[i].src.ip) && dx_same_ip(&f->dst.ip, &x->f[i].dst.ip))
            return &all[k];
    }
    if (*count == REPEATED_MAX)
        return NULL;
    all[*count] = (struct repeated){ .first = i };
    return &all[(*count)++];
}

/* What the rules of timeouts tell already. */
static bool is_told(const struct dx *x, const struct dx_txn *t, uint32_t i)
{
    if (x->f[i].is_request)
        return !dx_has(t->final) && !(t->method == SIP_INVITE && dx_has(t->response));
    return t->method == SIP_INVITE && x->f[i].status >= 200;
}

void dx_retransmissions(struct dx *x)
{
    struct repeated all[REPEATED_MAX];
    size_t count = 0;
    for (uint32_t i = 0; dx_next(x, &i); i++) {
        if (x->copy_of[i] == i || x->txn_of[i] == DX_NONE || x->f[i].method == SIP_ACK || x->f[i].branch.len == 0 ||
            is_told(x, &x->txns[x->txn_of[i]], i))
            continue;
        struct repeated *r = repeated_of(x, all, &count, i);
        if (r == NULL)
            continue;
        *(x->f[i].is_request ? &r->requests : &r->responses) += 1;
        if (r->cited_count < sizeof(r->cited) / sizeof(r->cited[0]))
            r->cited[r->cited_count++] = i;
    }
    for (size_t k = 0; k < count; k++) {
        struct buf *b = dx_begin(x);
        buf_puts(b, "From ");
        dx_put_hop(b, &x->f[all[k].first]);
        if (all[k].requests > 0)
            buf_printf(b, " %u request%s", all[k].requests, all[k].requests == 1 ? "" : "s");
        buf_puts(b, all[k].requests > 0 && all[k].responses > 0 ? " and" : "");
        if (all[k].responses > 0)
            buf_printf(b, " %u response%s", all[k].responses, all[k].responses == 1 ? "" : "s");
        buf_printf(b, " had to be repeated.");
        for (size_t c = 0; c < all[k].cited_count; c++)
            dx_cite(x, all[k].cited[c]);
        dx_end(x);
    }
}

/* ------------------------------------------------------------------------------------------------ ACK */

/* The first ACK to a 2xx of this leg with this CSeq, on the hop of the transaction or (txn NULL) on any. */
static uint32_t find_ack(const struct dx *x, uint32_t leg, int64_t cseq, const struct dx_txn *on)
{
    for (uint32_t n = 0; n < x->txn_count; n++) {
        const struct dx_txn *t = &x->txns[n];
        if (t->leg != leg || t->cseq != cseq)
            continue;
        uint32_t ack = t->method == SIP_ACK ? t->request : t->method == SIP_INVITE ? t->ack : DX_NONE;
        if (!dx_has(ack) || (on != NULL && !dx_same_ip(&x->f[ack].dst.ip, &x->f[on->final].src.ip)))
            continue;
        return ack;
    }
    return DX_NONE;
}

/* The 2xx of an INVITE, at the hop nearest to who answered. */
static bool is_answered_here(const struct dx *x, uint32_t n)
{
    const struct dx_txn *t = &x->txns[n];
    if (t->method != SIP_INVITE || !dx_has(t->final) || !dx_is_2xx(&x->f[t->final]))
        return false;
    uint32_t child = dx_child(x, n);
    return !dx_has(child) || !dx_has(x->txns[child].final) || !dx_is_2xx(&x->f[x->txns[child].final]);
}

void dx_no_ack(struct dx *x)
{
    for (uint32_t n = 0; n < x->txn_count; n++) {
        const struct dx_txn *t = &x->txns[n];
        /* Without the INVITE the direction of the ACK is not captured, as far as can be seen. */
        if (!dx_has(t->request) || !is_answered_here(x, n) || dx_has(find_ack(x, t->leg, t->cseq, NULL)) ||
            dx_pending(x, t->final, TIMER_B))
            continue;
        struct buf *b = dx_begin(x);
        buf_puts(b, "The ");
        dx_put_status(b, &x->f[t->final]);
        buf_puts(b, " from ");
        dx_put_hop(b, &x->f[t->final]);
        if (t->finals > 1) {
            buf_puts(b, ", sent ");
            dx_put_times(b, t->finals);
            buf_puts(b, " within ");
            dx_put_span(b, x->f[t->last_final].ts - x->f[t->final].ts);
            buf_puts(b, ", got no ACK.");
        } else {
            buf_puts(b, " got no ACK; it was not repeated, so the ACK may have gone where nobody captures.");
        }
        cite_copies(x, t->final, t->last_final);
        dx_end(x);
    }
}

void dx_ack_lost(struct dx *x)
{
    for (uint32_t n = 0; n < x->txn_count; n++) {
        const struct dx_txn *t = &x->txns[n];
        if (!is_answered_here(x, n) || t->finals < 2)
            continue;
        uint32_t any = find_ack(x, t->leg, t->cseq, NULL), here = find_ack(x, t->leg, t->cseq, t);
        uint32_t ack = dx_has(here) ? here : any;
        if (!dx_has(ack) || x->f[ack].ts >= x->f[t->last_final].ts)
            continue;
        struct buf *b = dx_begin(x);
        dx_put_host(b, &x->f[t->final].src);
        buf_puts(b, " repeated its ");
        dx_put_status(b, &x->f[t->final]);
        buf_puts(b, " up to ");
        dx_put_span(b, x->f[t->last_final].ts - x->f[ack].ts);
        buf_puts(b, " after the ACK from ");
        dx_put_hop(b, &x->f[ack]);
        buf_puts(b, dx_has(here) ? " was sent: it does not arrive, or is not taken."
                                 : " was sent: it was not passed on to it.");
        dx_cite(x, t->final);
        dx_cite(x, ack);
        dx_cite(x, t->last_final);
        dx_end(x);
    }
}

/* ------------------------------------------------------------------------------------------------ PRACK, BYE, CANCEL
 */

static bool has_prack(const struct dx *x, uint32_t leg)
{
    for (uint32_t n = 0; n < x->txn_count; n++)
        if (x->txns[n].leg == leg && x->txns[n].method == SIP_PRACK)
            return true;
    return false;
}

/* Copies of a provisional response beyond 100: unreliable ones are repeated once a minute at most. */
void dx_no_prack(struct dx *x)
{
    for (uint32_t i = 0; dx_next(x, &i); i++) {
        const struct diagnosis_fact *f = &x->f[i];
        uint32_t first = x->copy_of[i];
        if (f->status <= 100 || f->status >= 200 || first == i || f->ts - x->f[first].ts > 4 * SECOND ||
            x->legs[x->leg_of[i]].progress != first || has_prack(x, x->leg_of[i]))
            continue;
        struct buf *b = dx_begin(x);
        buf_puts(b, "The ");
        dx_put_status(b, f);
        buf_puts(b, " from ");
        dx_put_hop(b, f);
        buf_puts(b, " was repeated after ");
        dx_put_span(b, f->ts - x->f[first].ts);
        buf_puts(b, ", and there is no PRACK.");
        dx_cite(x, first);
        dx_cite(x, i);
        dx_end(x);
        return;
    }
}

void dx_bye_unanswered(struct dx *x)
{
    for (uint32_t n = 0; n < x->txn_count; n++) {
        const struct dx_txn *t = &x->txns[n];
        if (t->method != SIP_BYE || !dx_has(t->request) || dx_has(t->final) || dx_has(dx_child(x, n)) ||
            dx_pending(x, t->last_request, TIMER_B) || is_one_way(x, t->leg))
            continue;
        struct buf *b = dx_begin(x);
        buf_puts(b, "The BYE from ");
        dx_put_hop(b, &x->f[t->request]);
        buf_puts(b, ", sent ");
        dx_put_times(b, t->copies);
        buf_puts(b, ", got no final response.");
        cite_copies(x, t->request, t->last_request);
        dx_end(x);
    }
}

void dx_short_call(struct dx *x)
{
    for (size_t l = 0; l < x->leg_count; l++) {
        const struct dx_leg *leg = &x->legs[l];
        if (!dx_has(leg->answer) || !dx_has(leg->bye))
            continue;
        const struct diagnosis_fact *answer = &x->f[leg->answer], *bye = &x->f[leg->bye];
        if (bye->ts < answer->ts || bye->ts - answer->ts >= SHORT_CALL)
            continue;
        struct buf *b = dx_begin(x);
        buf_puts(b, "The call was answered and ended after ");
        dx_put_span(b, bye->ts - answer->ts);
        buf_puts(b, " by a BYE from ");
        dx_put_hop(b, bye);
        buf_puts(b, ".");
        dx_cite(x, leg->answer);
        dx_cite(x, leg->bye);
        dx_end(x);
    }
}

void dx_cancel_crossed(struct dx *x)
{
    for (uint32_t n = 0; n < x->txn_count; n++) {
        const struct dx_txn *t = &x->txns[n];
        if (t->method != SIP_CANCEL || !dx_has(t->request))
            continue;
        uint32_t invite = dx_txn_find(x, &x->f[t->request], SIP_INVITE);
        if (!dx_has(invite) || !dx_has(x->txns[invite].final) || !dx_is_2xx(&x->f[x->txns[invite].final]) ||
            dx_has(dx_child(x, invite)))
            continue;
        uint32_t answer = x->txns[invite].final;
        struct buf *b = dx_begin(x);
        buf_puts(b, "The CANCEL from ");
        dx_put_hop(b, &x->f[t->request]);
        buf_puts(b, " and the ");
        dx_put_status(b, &x->f[answer]);
        buf_puts(b, " crossed: the call was answered ");
        int64_t later = x->f[answer].ts - x->f[t->request].ts;
        dx_put_span(b, later < 0 ? -later : later);
        buf_puts(b, later < 0 ? " before the CANCEL." : " after the CANCEL.");
        dx_cite(x, t->request);
        dx_cite(x, answer);
        dx_end(x);
    }
}

void dx_glare(struct dx *x)
{
    for (uint32_t n = 0; n < x->txn_count; n++) {
        const struct dx_txn *t = &x->txns[n];
        if (!dx_has(t->final) || x->f[t->final].status != 491 || dx_has(dx_child(x, n)))
            continue;
        struct buf *b = dx_begin(x);
        dx_put_host(b, &x->f[t->final].src);
        buf_puts(b, " answered the ");
        dx_put_method(b, &x->f[t->final]);
        buf_puts(b, " with ");
        dx_put_status(b, &x->f[t->final]);
        buf_puts(b, ": both sides changed the session at the same time.");
        dx_cite(x, t->request);
        dx_cite(x, t->final);
        dx_end(x);
    }
}

/* ------------------------------------------------------------------------------------------------ post dial delay */

enum piece_kind { PIECE_ATTEMPTS, PIECE_PASSING_ON, PIECE_ANSWERING };

/* The longest piece of the time: where it was spent, between two messages. */
struct piece {
    int64_t us;
    uint32_t from, to;
    enum piece_kind kind;
};

static void longer(const struct dx *x, struct piece *best, uint32_t from, uint32_t to, enum piece_kind kind)
{
    if (!dx_has(from) || !dx_has(to) || x->f[to].ts - x->f[from].ts <= best->us)
        return;
    *best = (struct piece){ .us = x->f[to].ts - x->f[from].ts, .from = from, .to = to, .kind = kind };
}

static struct piece longest_piece(const struct dx *x, const struct dx_leg *leg, int64_t until)
{
    struct piece best = { .us = 0, .from = leg->invite, .to = leg->invite };
    for (size_t i = 0; i < leg->invite_count; i++) {
        const struct dx_txn *t = &x->txns[leg->invites[i]];
        if (!dx_has(t->request) || x->f[t->request].ts > until)
            continue;
        uint32_t child = dx_child(x, leg->invites[i]);
        if (x->f[t->request].cseq != x->f[leg->invite].cseq)
            longer(x, &best, leg->invite, t->request, PIECE_ATTEMPTS);
        if (dx_has(child))
            longer(x, &best, t->request, x->txns[child].request, PIECE_PASSING_ON);
        else
            longer(x, &best, t->request, dx_has(t->progress) ? t->progress : t->final, PIECE_ANSWERING);
    }
    return best;
}

void dx_high_pdd(struct dx *x)
{
    for (size_t l = 0; l < x->leg_count; l++) {
        const struct dx_leg *leg = &x->legs[l];
        uint32_t end = dx_has(leg->progress) ? leg->progress : dx_has(leg->answer) ? leg->answer : leg->final;
        if (!dx_has(leg->invite) || !dx_has(end) || x->f[end].ts - x->f[leg->invite].ts <= PDD_HIGH)
            continue;
        struct piece p = longest_piece(x, leg, x->f[end].ts);
        struct buf *b = dx_begin(x);
        buf_puts(b, "It took ");
        dx_put_span(b, x->f[end].ts - x->f[leg->invite].ts);
        buf_puts(b, " from the INVITE to the ");
        dx_put_status(b, &x->f[end]);
        if (p.us > 0) {
            buf_puts(b, "; ");
            dx_put_span(b, p.us);
            buf_puts(b, p.kind == PIECE_ATTEMPTS     ? " went by until the next attempt of "
                        : p.kind == PIECE_PASSING_ON ? " of it until the INVITE was passed on by "
                                                     : " of it until an answer came from ");
            dx_put_host(b, &x->f[p.to].src);
        }
        buf_puts(b, ".");
        dx_cite(x, leg->invite);
        dx_cite(x, p.from);
        dx_cite(x, p.to);
        dx_cite(x, end);
        dx_end(x);
    }
}
