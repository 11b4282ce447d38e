/* Rules on what the capture cannot know, and on messages that are not well-formed. */
#include <string.h>

#include "query/diagnosis_internal.h"

#define SKEW_LEAST  (200 * INT64_C(1000)) /* less may be the network */
#define REUSE_APART (60 * SECOND)
#define SIDES_MAX   32

/* ------------------------------------------------------------------------------------------------ gaps */

/* Responses whose requests nobody saw, though others of this leg were seen. */
static void responses_alone(struct dx *x)
{
    uint32_t count = 0, first = DX_NONE, last = DX_NONE;
    for (uint32_t n = 0; n < x->txn_count; n++) {
        const struct dx_txn *t = &x->txns[n];
        if (dx_has(t->request) || !dx_has(t->response))
            continue;
        count++;
        first = dx_has(first) ? first : t->response;
        last = t->response;
    }
    if (count == 0)
        return;
    struct buf *b = dx_begin(x);
    buf_printf(b, "Of %u request%s only the responses were seen, the first one ", count, count == 1 ? "" : "s");
    dx_put_status(b, &x->f[first]);
    buf_puts(b, " to a ");
    dx_put_method(b, &x->f[first]);
    buf_puts(b, " from ");
    dx_put_hop(b, &x->f[first]);
    buf_puts(b, ".");
    dx_cite(x, first);
    dx_cite(x, last);
    dx_end(x);
}

/* Requests that got no response on their hop, while a response behind or before it proves that there was one. */
static void requests_alone(struct dx *x)
{
    for (uint32_t n = 0; n < x->txn_count; n++) {
        const struct dx_txn *t = &x->txns[n];
        uint32_t child = dx_has(t->request) && !dx_has(t->response) && t->copies == 1 ? dx_child(x, n) : DX_NONE;
        if (!dx_has(child) || !dx_has(x->txns[child].final) || t->method == SIP_ACK ||
            dx_pending(x, x->txns[child].final, TIMER_B))
            continue;
        struct buf *b = dx_begin(x);
        buf_puts(b, "No response to the ");
        dx_put_method(b, &x->f[t->request]);
        buf_puts(b, " was seen from ");
        dx_put_host(b, &x->f[t->request].dst);
        buf_puts(b, " to ");
        dx_put_host(b, &x->f[t->request].src);
        buf_puts(b, ", though the next hop answered it: one direction is not captured.");
        dx_cite(x, t->request);
        dx_cite(x, x->txns[child].final);
        dx_end(x);
        return;
    }
}

/* Messages within a dialog that began unseen. */
static void start_missing(struct dx *x)
{
    for (size_t l = 0; l < x->leg_count; l++) {
        const struct dx_leg *leg = &x->legs[l];
        uint32_t within = dx_has(leg->bye) ? leg->bye : leg->ack;
        if (!dx_has(within) || dx_has(leg->invite))
            continue;
        struct buf *b = dx_begin(x);
        buf_puts(b, "The INVITE that began the call was not seen: the first message is ");
        if (x->f[leg->first].is_request)
            dx_put_method(b, &x->f[leg->first]);
        else
            dx_put_status(b, &x->f[leg->first]);
        buf_puts(b, ".");
        dx_cite(x, leg->first);
        dx_end(x);
    }
}

static void answer_missing(struct dx *x)
{
    for (size_t l = 0; l < x->leg_count; l++) {
        const struct dx_leg *leg = &x->legs[l];
        uint32_t within = dx_has(leg->ack) ? leg->ack : leg->bye;
        if (!dx_has(leg->invite) || dx_has(leg->answer) || !dx_has(within) || dx_has(leg->final))
            continue;
        struct buf *b = dx_begin(x);
        buf_puts(b, "The call was answered, since there is ");
        buf_puts(b, dx_has(leg->ack) ? "an ACK" : "a BYE");
        buf_puts(b, " from ");
        dx_put_hop(b, &x->f[within]);
        buf_puts(b, ", but the 200 was not seen.");
        dx_cite(x, leg->invite);
        dx_cite(x, within);
        dx_end(x);
    }
}

struct side {
    uint32_t leg;
    uint32_t last; /* request with the highest CSeq */
};

static struct side *side_of(const struct dx *x, struct side *all, size_t *count, uint32_t i)
{
    for (size_t k = 0; k < *count; k++)
        if (all[k].leg == x->leg_of[i] && text_equal(x->f[all[k].last].from_tag, x->f[i].from_tag))
            return &all[k];
    if (*count < SIDES_MAX)
        all[(*count)++] = (struct side){ x->leg_of[i], i };
    return NULL;
}

/* Numbers within a dialog go up by one (RFC 3261 section 12.2.1.1): those between two were not seen. */
static void cseq_jumps(struct dx *x)
{
    struct side all[SIDES_MAX];
    size_t count = 0;
    for (uint32_t i = 0; dx_next(x, &i); i++) {
        const struct diagnosis_fact *f = &x->f[i];
        if (!f->is_request || f->method == SIP_ACK || f->method == SIP_CANCEL || f->cseq < 0 || f->from_tag.len == 0)
            continue;
        struct side *s = side_of(x, all, &count, i);
        if (s == NULL || f->cseq <= x->f[s->last].cseq)
            continue;
        uint32_t before = s->last;
        int64_t missing = f->cseq - x->f[before].cseq - 1;
        s->last = i;
        if (missing == 0 || f->to_tag.len == 0) /* a new try may begin anywhere */
            continue;
        struct buf *b = dx_begin(x);
        buf_printf(b, "CSeq goes from %lld (", (long long)x->f[before].cseq);
        dx_put_method(b, &x->f[before]);
        buf_printf(b, ") to %lld (", (long long)f->cseq);
        dx_put_method(b, f);
        buf_puts(b, ") in the requests from ");
        dx_put_host(b, &f->src);
        buf_printf(b, ": %lld request%s between them not seen.", (long long)missing, missing == 1 ? "" : "s");
        dx_cite(x, before);
        dx_cite(x, i);
        dx_end(x);
    }
}

void dx_capture_gap(struct dx *x)
{
    start_missing(x);
    answer_missing(x);
    responses_alone(x);
    requests_alone(x);
    cseq_jumps(x);
}

/* ------------------------------------------------------------------------------------------------ agents */

/* The message of this agent that is nearest before the end of the interval; DX_NONE: it saw none of the call. */
static uint32_t seen_by(const struct dx *x, const struct diagnosis_blind *b)
{
    uint32_t best = DX_NONE;
    for (uint32_t i = 0; i < x->count; i++)
        if (x->f[i].capture_id == b->capture_id && (!dx_has(best) || x->f[i].ts <= b->to))
            best = i;
    return best;
}

/* Agents that saw the call and dropped packets while it ran. */
void dx_capture_drops(struct dx *x)
{
    for (size_t i = 0; i < x->options->blind_count && x->count > 0; i++) {
        const struct diagnosis_blind *blind = &x->options->blind[i];
        uint32_t near = seen_by(x, blind);
        if (!dx_has(near) || blind->from > x->f[x->count - 1].ts || blind->to < x->f[0].ts)
            continue;
        struct buf *b = dx_begin(x);
        buf_puts(b, "The capture agent ");
        dx_put_slice(b, (struct hep_slice){ (const uint8_t *)blind->name, strlen(blind->name) });
        buf_printf(b, " (capture id %lld) dropped %llu of %llu packets within ", (long long)blind->capture_id,
                   (unsigned long long)blind->dropped, (unsigned long long)(blind->dropped + blind->captured));
        dx_put_span(b, blind->to - blind->from);
        buf_puts(b, " of this call.");
        dx_cite(x, near);
        dx_end(x);
    }
}

/* ------------------------------------------------------------------------------------------------ clocks */

static void put_tap(struct buf *b, const struct diagnosis_fact *f)
{
    if (f->capture_id >= 0)
        buf_printf(b, "capture id %lld", (long long)f->capture_id);
    else
        buf_puts(b, "an agent without capture id");
}

static void say_skew(struct dx *x, uint32_t a, uint32_t b_fact, int64_t us, bool at_least)
{
    struct buf *b = dx_begin(x);
    buf_puts(b, "The clock of ");
    put_tap(b, &x->f[b_fact]);
    buf_puts(b, us < 0 ? " is behind that of " : " is ahead of that of ");
    put_tap(b, &x->f[a]);
    buf_puts(b, at_least ? " by at least " : " by about ");
    dx_put_span(b, us < 0 ? -us : us);
    buf_puts(b, at_least ? ": a response comes before its request."
                         : ": that is how far apart they saw the same messages.");
    dx_cite(x, a);
    dx_cite(x, b_fact);
    dx_end(x);
}

/* Both saw the same messages, always about as far apart. */
static bool skew_of_same(struct dx *x)
{
    bool found = false;
    for (size_t a = 0; a < x->tap_count; a++)
        for (size_t b = 0; b < x->tap_count; b++) {
            const struct dx_skew *s = &x->skew[a][b];
            int64_t mean = s->least + (s->most - s->least) / 2;
            if (s->count < 2 || mean < SKEW_LEAST || s->most - s->least > mean / 2)
                continue;
            say_skew(x, s->evidence[0], s->evidence[1], mean, false);
            found = true;
        }
    return found;
}

/* A response before its request: the one who saw the response is behind by that at least. The worst of all. */
static void skew_of_order(struct dx *x)
{
    int64_t worst = 0;
    uint32_t request = DX_NONE, response = DX_NONE;
    for (uint32_t n = 0; n < x->txn_count; n++) {
        const struct dx_txn *t = &x->txns[n];
        if (!dx_has(t->request) || !dx_has(t->response) || x->f[t->request].tap == x->f[t->response].tap)
            continue;
        int64_t d = x->f[t->response].ts - x->f[t->request].ts;
        if (d >= worst)
            continue;
        worst = d;
        request = t->request;
        response = t->response;
    }
    if (worst <= -1000) /* less than a millisecond is no matter */
        say_skew(x, request, response, worst, true);
}

void dx_clock_skew(struct dx *x)
{
    if (!skew_of_same(x))
        skew_of_order(x);
}

/* ------------------------------------------------------------------------------------------------ Call-IDs, syntax */

/* From the same host, and no further try: a B2BUA that keeps the Call-ID has another From tag on its next hop. */
static bool same_way(const struct diagnosis_fact *a, const struct diagnosis_fact *b)
{
    return a->cseq <= b->cseq && a->via_count == b->via_count && dx_same_ip(&a->src.ip, &b->src.ip) &&
           dx_same_ip(&a->dst.ip, &b->dst.ip);
}

/* Another From tag, by the same way, or behind the end of the call before or long after its last message. */
void dx_call_id_reuse(struct dx *x)
{
    for (size_t l = 0; l < x->leg_count; l++) {
        const struct dx_leg *leg = &x->legs[l];
        uint32_t calls = 1, before = leg->invite, previous = leg->first, again = DX_NONE;
        bool ended = false;
        for (uint32_t i = leg->first; dx_has(leg->invite) && dx_next(x, &i) && i <= leg->last; i++) {
            const struct diagnosis_fact *f = &x->f[i];
            if (x->leg_of[i] != l)
                continue;
            bool apart = f->ts - x->f[previous].ts > REUSE_APART;
            previous = i;
            ended |= f->method == SIP_BYE && f->is_request;
            if (f->method != SIP_INVITE || !dx_is_initial(f) || text_equal(f->from_tag, x->f[before].from_tag) ||
                (!ended && !apart && !same_way(f, &x->f[before])))
                continue;
            calls++;
            ended = false;
            before = i;
            again = dx_has(again) ? again : i;
        }
        if (calls == 1)
            continue;
        struct buf *b = dx_begin(x);
        buf_printf(b, "%u calls have the same Call-ID; the second began ", calls);
        dx_put_span(b, x->f[again].ts - x->f[leg->invite].ts);
        buf_puts(b, " after the first, from ");
        dx_put_host(b, &x->f[again].src);
        buf_puts(b, ".");
        dx_cite(x, leg->invite);
        dx_cite(x, again);
        dx_end(x);
    }
}

/* One finding for each kind of problem; a message with several counts to the first. */
void dx_malformed(struct dx *x)
{
    uint32_t counts[SIP_PROBLEM_COUNT] = { 0 }, first[SIP_PROBLEM_COUNT];
    for (uint32_t i = 0; i < x->count; i++) {
        if (!x->f[i].is_sip || x->copy_of[i] != i || x->f[i].problems == 0)
            continue;
        unsigned p = 0;
        while ((x->f[i].problems >> p & 1) == 0)
            p++;
        if (counts[p]++ == 0)
            first[p] = i;
    }
    for (unsigned p = 0; p < SIP_PROBLEM_COUNT; p++) {
        if (counts[p] == 0)
            continue;
        const struct diagnosis_fact *f = &x->f[first[p]];
        struct buf *b = dx_begin(x);
        buf_printf(b, "%u message%s not well-formed (%s), the first one ", counts[p], counts[p] == 1 ? " is" : "s are",
                   sip_problem_name((enum sip_problem)p));
        if (f->status > 0)
            dx_put_status(b, f);
        else
            dx_put_method(b, f);
        buf_puts(b, " from ");
        dx_put_hop(b, f);
        buf_puts(b, ".");
        dx_cite(x, first[p]);
        dx_end(x);
    }
}
