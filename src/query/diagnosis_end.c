/* Rules on how a call ended: final statuses and causes in plain words, session timers, transfers. */
#include <string.h>

#include "query/diagnosis_internal.h"
#include "query/q850.h"

/* ------------------------------------------------------------------------------------------------ final statuses */

struct meaning {
    uint16_t status;
    const char *id;
    const char *text; /* goes on with "the host that answered (number and reason)" */
};

static const struct meaning meanings[] = {
    { 403, "forbidden", "The call is not permitted" },
    { 404, "unknown-number", "The number is not known" },
    { 406, "not-acceptable", "The answer that the caller accepts cannot be given" },
    { 408, "call-timeout", "The called side did not answer in time" },
    { 410, "gone", "The number is gone" },
    { 413, "not-acceptable", "The INVITE is too large" },
    { 414, "not-acceptable", "The Request-URI is too long" },
    { 416, "not-acceptable", "The scheme of the Request-URI is not supported" },
    { 420, "not-acceptable", "An extension that the caller requires is not supported" },
    { 421, "not-acceptable", "An extension that the called side requires was not offered" },
    { 422, "not-acceptable", "The session interval is too small" },
    { 480, "unavailable", "The called side cannot be reached now" },
    { 484, "unknown-number", "The number is incomplete" },
    { 485, "unknown-number", "The number is ambiguous" },
    { 486, "busy", "The called side is busy" },
    { 493, "not-acceptable", "The body cannot be decrypted" },
    { 494, "not-acceptable", "A security agreement is required" },
    { 504, "call-timeout", "A server on the way did not answer in time" },
    { 513, "not-acceptable", "The INVITE is too large" },
    { 580, "not-acceptable", "The resources that were asked for cannot be had" },
    { 600, "busy", "The called side is busy everywhere" },
    { 603, "declined", "The called side declined" },
    { 604, "unknown-number", "The number does not exist anywhere" },
    { 607, "declined", "The called side does not want this caller's calls" },
    { 608, "declined", "The call was rejected on behalf of the called side" },
};

/* Statuses that have rules of their own elsewhere, or are no failure of the call. */
static bool has_other_rule(unsigned status)
{
    static const uint16_t others[] = { 401, 407, 415, 482, 483, 487, 488, 491, 606 };
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        if (others[i] == status)
            return true;
    return false;
}

/* The id of a final status of an INVITE; NULL if other rules tell about it. */
static const struct meaning *meaning_of(unsigned status)
{
    static const struct meaning server = { 0, "server-error", "A server failed" };
    static const struct meaning other = { 0, "call-failed", "The call failed" };
    for (size_t i = 0; i < sizeof(meanings) / sizeof(meanings[0]); i++)
        if (meanings[i].status == status)
            return &meanings[i];
    if (status < 400 || has_other_rule(status))
        return NULL;
    return status >= 500 && status < 600 ? &server : &other;
}

static void put_q850(struct buf *b, const struct diagnosis_fact *f)
{
    if (f->q850 >= 0)
        buf_printf(b, "; Q.850 cause %lld: %s", (long long)f->q850, q850_text(f->q850));
    if (f->warning >= 0) {
        buf_printf(b, "; Warning %lld ", (long long)f->warning);
        dx_put_slice(b, f->warning_text);
    }
}

/* The same final response where it came from: the hop that is farthest from the caller. */
static uint32_t origin_of(const struct dx *x, const struct dx_leg *leg)
{
    uint32_t best = leg->final;
    for (size_t i = 0; i < leg->invite_count; i++) {
        uint32_t final = x->txns[leg->invites[i]].final;
        if (dx_has(final) && x->f[final].status == x->f[leg->final].status &&
            x->f[final].cseq == x->f[leg->final].cseq && x->f[final].via_count > x->f[best].via_count)
            best = final;
    }
    return best;
}

/* It rang until somebody gave up: that tells more than the status does. */
static bool rang_out(const struct dx *x, const struct dx_leg *leg)
{
    unsigned status = dx_has(leg->final) ? x->f[leg->final].status : 0;
    if (dx_has(leg->answer) || !dx_has(leg->progress))
        return false;
    return status == 408 || status == 480 || status == 487 || status == 504 || (status == 0 && dx_has(leg->cancel));
}

static void status_rule(struct dx *x)
{
    for (size_t l = 0; l < x->leg_count; l++) {
        const struct dx_leg *leg = &x->legs[l];
        if (dx_has(leg->answer) || !dx_has(leg->final) || rang_out(x, leg))
            continue;
        const struct meaning *m = meaning_of(x->f[leg->final].status);
        if (m == NULL || strcmp(m->id, x->title->id) != 0)
            continue;
        uint32_t origin = origin_of(x, leg);
        const struct diagnosis_fact *f = &x->f[origin];
        struct buf *b = dx_begin(x);
        buf_puts(b, m->text);
        buf_puts(b, ": ");
        dx_put_host(b, &f->src);
        buf_puts(b, " answered ");
        dx_put_status(b, f);
        buf_puts(b, " to the INVITE for ");
        dx_put_user(b, f->to_user, f->to_host);
        put_q850(b, f);
        buf_puts(b, ".");
        dx_cite(x, origin);
        dx_cite(x, leg->final);
        dx_end(x);
    }
}

void dx_busy(struct dx *x)
{
    status_rule(x);
}

void dx_declined(struct dx *x)
{
    status_rule(x);
}

void dx_unknown_number(struct dx *x)
{
    status_rule(x);
}

void dx_gone(struct dx *x)
{
    status_rule(x);
}

void dx_unavailable(struct dx *x)
{
    status_rule(x);
}

void dx_not_acceptable(struct dx *x)
{
    status_rule(x);
}

void dx_forbidden(struct dx *x)
{
    status_rule(x);
}

void dx_call_timeout(struct dx *x)
{
    status_rule(x);
}

void dx_server_error(struct dx *x)
{
    status_rule(x);
}

void dx_call_failed(struct dx *x)
{
    status_rule(x);
}

/* ------------------------------------------------------------------------------------------------ nobody answered */

/* What ended it: the CANCEL if the caller gave up first, else the final response. */
static uint32_t end_of(const struct dx *x, const struct dx_leg *leg)
{
    if (!dx_has(leg->cancel) || (dx_has(leg->final) && x->f[leg->final].status != 487))
        return leg->final;
    return leg->cancel;
}

static void put_end(const struct dx *x, const struct dx_leg *leg, struct buf *b)
{
    uint32_t end = end_of(x, leg);
    if (end == leg->cancel) {
        buf_puts(b, ", then ");
        dx_put_host(b, &x->f[end].src);
        buf_puts(b, " gave up (CANCEL)");
        return;
    }
    uint32_t origin = origin_of(x, leg);
    buf_puts(b, ", then ");
    dx_put_host(b, &x->f[origin].src);
    buf_puts(b, " answered ");
    dx_put_status(b, &x->f[origin]);
    put_q850(b, &x->f[origin]);
}

static void say_rang_out(struct dx *x, const struct dx_leg *leg, uint32_t since, const char *what)
{
    uint32_t end = end_of(x, leg);
    struct buf *b = dx_begin(x);
    buf_puts(b, what);
    dx_put_span(b, x->f[end].ts - x->f[since].ts);
    put_end(x, leg, b);
    buf_puts(b, ".");
    dx_cite(x, since);
    dx_cite(x, end);
    dx_end(x);
}

void dx_no_answer(struct dx *x)
{
    for (size_t l = 0; l < x->leg_count; l++) {
        const struct dx_leg *leg = &x->legs[l];
        if (rang_out(x, leg) && !dx_has(leg->early))
            say_rang_out(x, leg, leg->progress, "It rang and nobody answered for ");
    }
}

void dx_early_media_no_answer(struct dx *x)
{
    for (size_t l = 0; l < x->leg_count; l++) {
        const struct dx_leg *leg = &x->legs[l];
        if (rang_out(x, leg) && dx_has(leg->early))
            say_rang_out(x, leg, leg->early, "There was early media (an announcement or a tone) and no answer for ");
    }
}

void dx_abandoned(struct dx *x)
{
    for (size_t l = 0; l < x->leg_count; l++) {
        const struct dx_leg *leg = &x->legs[l];
        if (!dx_has(leg->cancel) || !dx_has(leg->invite) || dx_has(leg->progress) || dx_has(leg->answer) ||
            (dx_has(leg->final) && x->f[leg->final].status != 487))
            continue;
        struct buf *b = dx_begin(x);
        dx_put_host(b, &x->f[leg->cancel].src);
        buf_puts(b, " gave up ");
        dx_put_span(b, x->f[leg->cancel].ts - x->f[leg->invite].ts);
        buf_puts(b, " after the INVITE, before it rang.");
        dx_cite(x, leg->invite);
        dx_cite(x, leg->cancel);
        dx_end(x);
    }
}

/* ------------------------------------------------------------------------------------------------ causes */

void dx_abnormal_release(struct dx *x)
{
    for (size_t l = 0; l < x->leg_count; l++) {
        uint32_t bye = x->legs[l].bye;
        if (!dx_has(bye) || x->f[bye].q850 < 0 || x->f[bye].q850 == 16 || x->f[bye].q850 == 31)
            continue;
        struct buf *b = dx_begin(x);
        buf_puts(b, "The BYE from ");
        dx_put_hop(b, &x->f[bye]);
        buf_printf(b, " says Q.850 cause %lld: %s", (long long)x->f[bye].q850, q850_text(x->f[bye].q850));
        if (x->f[bye].reason_text.len > 0) {
            buf_puts(b, " (");
            dx_put_slice(b, x->f[bye].reason_text);
            buf_putc(b, ')');
        }
        buf_puts(b, ".");
        dx_cite(x, bye);
        dx_end(x);
    }
}

static bool kinds_differ(unsigned status, int64_t cause)
{
    enum q850_kind a = q850_kind_of_status(status), b = q850_kind(cause);
    return a != Q850_OTHER && b != Q850_OTHER && a != b;
}

/* A response whose own status says something else, or a CANCEL or BYE with Reason headers that differ. */
void dx_cause_contradicts(struct dx *x)
{
    for (uint32_t n = 0; n < x->txn_count; n++) {
        const struct dx_txn *t = &x->txns[n];
        if (t->method != SIP_INVITE && t->method != SIP_BYE && t->method != SIP_CANCEL)
            continue;
        uint32_t i = t->method == SIP_INVITE ? t->final : t->request;
        if (!dx_has(i) || x->f[i].q850 < 0 || dx_has(dx_child(x, n)))
            continue;
        const struct diagnosis_fact *f = &x->f[i];
        unsigned status =
            f->is_request ? f->sip_cause > 0 && f->sip_cause < 700 ? (unsigned)f->sip_cause : 0 : f->status;
        if (status < 300 || !kinds_differ(status, f->q850))
            continue;
        struct buf *b = dx_begin(x);
        buf_puts(b, "From ");
        dx_put_hop(b, f);
        buf_puts(b, " the status is ");
        if (f->is_request)
            buf_printf(b, "%u (Reason of the ", status), dx_put_method(b, f), buf_putc(b, ')');
        else
            dx_put_status(b, f);
        buf_printf(b, ", but the Q.850 cause is %lld: %s.", (long long)f->q850, q850_text(f->q850));
        dx_cite(x, i);
        dx_end(x);
    }
}

/* ------------------------------------------------------------------------------------------------ session timer */

/* The last refresh before the end: a 2xx to INVITE or UPDATE with Session-Expires. */
static uint32_t last_refresh(const struct dx *x, size_t leg, uint32_t end)
{
    uint32_t found = DX_NONE;
    for (uint32_t i = x->legs[leg].first; dx_next(x, &i) && i < end; i++)
        if (x->leg_of[i] == leg && dx_is_2xx(&x->f[i]) &&
            (x->f[i].method == SIP_INVITE || x->f[i].method == SIP_UPDATE) &&
            (x->f[i].session_expires > 0 || dx_has(found)))
            found = x->f[i].session_expires > 0 ? i : DX_NONE;
    return found;
}

/*
 * The side that does not refresh hangs up shortly before the interval ends: a third of it, at most 32 s (RFC 4028
 * section 10). A BYE in that window, or within 32 s behind it, is that; any other is a person.
 */
static bool ends_by_timer(const struct dx *x, uint32_t refresh, uint32_t bye)
{
    int64_t interval = x->f[refresh].session_expires * SECOND;
    int64_t early = interval / 3 < TIMER_B ? interval / 3 : TIMER_B;
    int64_t after = x->f[bye].ts - x->f[refresh].ts;
    return after >= interval - early - SECOND && after <= interval + TIMER_B;
}

static bool says_timer(const struct diagnosis_fact *bye)
{
    return dx_contains(bye->reason_text, "session") &&
           (dx_contains(bye->reason_text, "expire") || dx_contains(bye->reason_text, "timer") ||
            dx_contains(bye->reason_text, "timeout"));
}

static void say_expired(struct dx *x, uint32_t bye, uint32_t refresh)
{
    struct buf *b = dx_begin(x);
    buf_puts(b, "The session timer ran out: BYE from ");
    dx_put_hop(b, &x->f[bye]);
    if (dx_has(refresh)) {
        buf_putc(b, ' ');
        dx_put_span(b, x->f[bye].ts - x->f[refresh].ts);
        buf_printf(b, " after the last refresh, Session-Expires being %lld s",
                   (long long)x->f[refresh].session_expires);
        if (x->f[refresh].refresher.len > 0) {
            buf_puts(b, ", refresher ");
            dx_put_slice(b, x->f[refresh].refresher);
        }
    }
    if (x->f[bye].reason_text.len > 0) {
        buf_puts(b, "; Reason: ");
        dx_put_slice(b, x->f[bye].reason_text);
    }
    buf_puts(b, ".");
    dx_cite(x, refresh);
    dx_cite(x, bye);
    dx_end(x);
}

void dx_session_expired(struct dx *x)
{
    for (size_t l = 0; l < x->leg_count; l++) {
        uint32_t bye = x->legs[l].bye;
        if (!dx_has(bye))
            continue;
        uint32_t refresh = last_refresh(x, l, bye);
        if (says_timer(&x->f[bye]) || (dx_has(refresh) && ends_by_timer(x, refresh, bye)))
            say_expired(x, bye, refresh);
    }
}

/* ------------------------------------------------------------------------------------------------ transfers */

static void say_refer(struct dx *x, const struct dx_txn *t)
{
    struct buf *b = dx_begin(x);
    dx_put_host(b, &x->f[t->final].src);
    buf_puts(b, " refused the transfer");
    if (dx_has(t->request)) {
        buf_puts(b, " to ");
        dx_put_slice(b, x->f[t->request].refer_to);
    }
    buf_puts(b, " (REFER) with ");
    dx_put_status(b, &x->f[t->final]);
    buf_puts(b, ".");
    dx_cite(x, t->request);
    dx_cite(x, t->final);
    dx_end(x);
}

static void say_notify(struct dx *x, uint32_t i)
{
    struct buf *b = dx_begin(x);
    buf_puts(b, "The transfer failed: ");
    dx_put_host(b, &x->f[i].src);
    buf_printf(b, " tells in a NOTIFY that the target answered %lld.", (long long)x->f[i].sipfrag);
    dx_cite(x, i);
    dx_end(x);
}

void dx_transfer_failed(struct dx *x)
{
    for (uint32_t n = 0; n < x->txn_count; n++) {
        const struct dx_txn *t = &x->txns[n];
        if (dx_has(dx_child(x, n)))
            continue;
        if (t->method == SIP_REFER && dx_has(t->final) && x->f[t->final].status >= 300 &&
            x->f[t->final].status != 401 && x->f[t->final].status != 407)
            say_refer(x, t);
        else if (t->method == SIP_NOTIFY && dx_has(t->request) && x->f[t->request].sipfrag >= 300)
            say_notify(x, t->request);
    }
}
