/* Rules on credentials and registrations. */
#include "query/diagnosis_internal.h"

#define LOOP_ROUNDS 3 /* requests with credentials that were challenged again */

/* ------------------------------------------------------------------------------------------------ challenges */

static bool is_challenge(unsigned status)
{
    return status == 401 || status == 407;
}

/*
 * Credentials that the realm's own host refused: for INVITE a 403 may mean anything, to a REGISTER it means these.
 * A stale nonce is no refusal.
 */
static bool is_refused(const struct dx *x, const struct dx_txn *t)
{
    if (!dx_has(t->request) || !dx_has(t->final) || !x->f[t->request].credentials.present)
        return false;
    const struct diagnosis_fact *q = &x->f[t->request], *a = &x->f[t->final];
    if (a->status == 403)
        return t->method == SIP_REGISTER;
    return is_challenge(a->status) && !a->challenge.stale &&
           (!a->challenge.present || text_equal(q->credentials.realm, a->challenge.realm));
}

/* How the tries of one leg, method and client ended. */
struct tries {
    uint32_t leg;
    enum sip_method method;
    uint32_t first;              /* request: whose address is compared */
    uint32_t rounds, challenged; /* refused with credentials; all challenges */
    uint32_t cited[6];
    size_t cited_count;
    uint32_t request, answer; /* of the last refusal */
    uint32_t last_challenge;  /* transaction of the last challenge of a request without credentials */
    bool tried, passed;       /* with credentials; and it was let through afterwards */
};
#define TRIES_MAX 64

static struct tries *tries_of(const struct dx *x, struct tries *all, size_t *count, const struct dx_txn *t)
{
    for (size_t i = 0; i < *count; i++)
        if (all[i].leg == t->leg && all[i].method == t->method &&
            dx_same_ip(&x->f[all[i].first].src.ip, &x->f[t->request].src.ip))
            return &all[i];
    if (*count == TRIES_MAX)
        return NULL;
    all[*count] = (struct tries){ .leg = t->leg, .method = t->method, .first = t->request, .last_challenge = DX_NONE };
    return &all[(*count)++];
}

static void note_try(const struct dx *x, struct tries *r, uint32_t n)
{
    const struct dx_txn *t = &x->txns[n];
    unsigned status = x->f[t->final].status;
    bool with = x->f[t->request].credentials.present;
    r->tried |= with;
    r->challenged += is_challenge(status);
    if (is_challenge(status) && !with)
        r->last_challenge = n;
    else if (with && !is_refused(x, t))
        r->passed = !is_challenge(status) || r->passed;
    if (!is_refused(x, t))
        return;
    r->rounds++;
    r->passed = false;
    r->request = t->request;
    r->answer = t->final;
    if (r->cited_count < sizeof(r->cited) / sizeof(r->cited[0]))
        r->cited[r->cited_count++] = t->final;
}

/* A proxy passes challenges on: the hop counts where the client is. */
static size_t all_tries(const struct dx *x, struct tries *all)
{
    size_t count = 0;
    for (uint32_t n = 0; n < x->txn_count; n++) {
        const struct dx_txn *t = &x->txns[n];
        struct tries *r;
        if (t->method == SIP_ACK || t->method == SIP_CANCEL || !dx_has(t->request) || !dx_has(t->final) ||
            x->f[t->request].via_count > 1)
            continue;
        if ((r = tries_of(x, all, &count, t)) != NULL)
            note_try(x, r, n);
    }
    return count;
}

static void put_user(struct buf *b, const struct diagnosis_auth *a)
{
    if (a->username.len > 0) {
        buf_puts(b, " of user ");
        dx_put_slice(b, a->username);
    }
    if (a->realm.len > 0) {
        buf_puts(b, " in realm ");
        dx_put_slice(b, a->realm);
    }
}

void dx_auth_loop(struct dx *x)
{
    struct tries all[TRIES_MAX];
    size_t count = all_tries(x, all);
    for (size_t i = 0; i < count; i++) {
        if (all[i].rounds < LOOP_ROUNDS)
            continue;
        struct buf *b = dx_begin(x);
        dx_put_host(b, &x->f[all[i].answer].src);
        buf_puts(b, " challenged the ");
        dx_put_method(b, &x->f[all[i].answer]);
        buf_puts(b, " of ");
        dx_put_host(b, &x->f[all[i].answer].dst);
        buf_printf(b, " %u times, %u times although it had credentials", all[i].challenged, all[i].rounds);
        put_user(b, &x->f[all[i].request].credentials);
        buf_puts(b, ".");
        for (size_t c = 0; c < all[i].cited_count; c++)
            dx_cite(x, all[i].cited[c]);
        dx_end(x);
    }
}

void dx_wrong_credentials(struct dx *x)
{
    struct tries all[TRIES_MAX];
    size_t count = all_tries(x, all);
    for (size_t i = 0; i < count; i++) {
        if (all[i].rounds == 0 || all[i].rounds >= LOOP_ROUNDS || all[i].passed)
            continue;
        const struct diagnosis_fact *f = &x->f[all[i].answer];
        struct buf *b = dx_begin(x);
        dx_put_host(b, &f->src);
        buf_puts(b, " refused the credentials");
        put_user(b, &x->f[all[i].request].credentials);
        buf_puts(b, ": ");
        dx_put_status(b, f);
        buf_puts(b, " to a ");
        dx_put_method(b, f);
        buf_puts(b, f->status == 403 ? " that had them." : " that had them, and the nonce was not stale.");
        dx_cite(x, all[i].request);
        dx_cite(x, all[i].answer);
        dx_end(x);
    }
}

void dx_auth_abandoned(struct dx *x)
{
    struct tries all[TRIES_MAX];
    size_t count = all_tries(x, all);
    for (size_t i = 0; i < count; i++) {
        if (all[i].tried || !dx_has(all[i].last_challenge))
            continue;
        const struct dx_txn *t = &x->txns[all[i].last_challenge];
        if (dx_pending(x, t->final, TIMER_B))
            continue;
        struct buf *b = dx_begin(x);
        dx_put_host(b, &x->f[t->final].src);
        buf_puts(b, " asked ");
        dx_put_host(b, &x->f[t->final].dst);
        buf_puts(b, " for credentials (");
        dx_put_status(b, &x->f[t->final]);
        buf_puts(b, " to ");
        dx_put_method(b, &x->f[t->final]);
        buf_puts(b, ")");
        if (x->f[t->final].challenge.realm.len > 0) {
            buf_puts(b, " of realm ");
            dx_put_slice(b, x->f[t->final].challenge.realm);
        }
        buf_puts(b, " and no request with any followed.");
        dx_cite(x, t->request);
        dx_cite(x, t->final);
        dx_end(x);
    }
}

/* ------------------------------------------------------------------------------------------------ registrations */

static bool same_text(struct hep_slice a, struct hep_slice b)
{
    return a.len > 0 && text_equal(a, b);
}

/* The last REGISTER of this user that was accepted before the call. */
static uint32_t last_register(const struct dx *x, const struct diagnosis_fact *invite)
{
    uint32_t found = DX_NONE;
    for (uint32_t n = 0; n < x->txn_count; n++) {
        const struct dx_txn *t = &x->txns[n];
        if (t->method != SIP_REGISTER || !dx_has(t->final) || !dx_is_2xx(&x->f[t->final]) ||
            x->f[t->final].ts > invite->ts)
            continue;
        const struct diagnosis_fact *f = &x->f[t->final];
        if ((same_text(f->to_user, invite->ruri_user) || same_text(f->to_user, invite->to_user)) &&
            (!dx_has(found) || f->ts > x->f[x->txns[found].final].ts))
            found = n;
    }
    return found;
}

static int64_t expiry_of(const struct dx *x, const struct dx_txn *t)
{
    int64_t asked = dx_has(t->request) ? x->f[t->request].expires : -1;
    if (asked == 0) /* the binding that the 200 still lists is another one */
        return 0;
    return x->f[t->final].expires >= 0 ? x->f[t->final].expires : asked;
}

void dx_registration_expired(struct dx *x)
{
    for (size_t l = 0; l < x->leg_count; l++) {
        const struct dx_leg *leg = &x->legs[l];
        if (!dx_has(leg->invite) || !dx_has(leg->final) || dx_has(leg->answer) ||
            (x->f[leg->final].status != 404 && x->f[leg->final].status != 480 && x->f[leg->final].status != 410))
            continue;
        const struct diagnosis_fact *invite = &x->f[leg->invite];
        uint32_t n = last_register(x, invite);
        int64_t expires = dx_has(n) ? expiry_of(x, &x->txns[n]) : -1;
        uint32_t accepted = dx_has(n) ? x->txns[n].final : DX_NONE;
        if (expires < 0 || x->f[accepted].ts + expires * SECOND > invite->ts)
            continue;
        struct buf *b = dx_begin(x);
        dx_put_user(b, x->f[accepted].to_user, x->f[accepted].to_host);
        buf_puts(b, " was not registered any more: ");
        if (expires == 0) {
            buf_puts(b, "the registration was ended ");
            dx_put_span(b, invite->ts - x->f[accepted].ts);
        } else {
            buf_printf(b, "the last registration, for %lld s, ran out ", (long long)expires);
            dx_put_span(b, invite->ts - x->f[accepted].ts - expires * SECOND);
        }
        buf_puts(b, " before the INVITE, which got ");
        dx_put_status(b, &x->f[leg->final]);
        buf_puts(b, ".");
        dx_cite(x, accepted);
        dx_cite(x, leg->invite);
        dx_cite(x, leg->final);
        dx_end(x);
    }
}
