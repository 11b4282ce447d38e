/*
 * The transactions of a Call-ID. Each is told by its CSeq, whatever hop or tap its messages are of, and every fact of
 * it is a minimum, a maximum or a set: the order of messages does not matter. They become attempts when the last one of
 * a chain is over: a transaction that was challenged, or asked for more time, goes on in the next one.
 */
#include <string.h>

#include "sip/text.h"
#include "sip/uri.h"
#include "track/registrar_internal.h"

/* ------------------------------------------------------------------------------------------------ messages */

void reg_contacts_free(struct registrar *r, struct reg_contacts *c)
{
    for (unsigned i = 0; c != NULL && i < c->count; i++)
        reg_string_free(r, c->of[i].uri);
    reg_release(r, c, sizeof(*c));
}

void reg_transaction_free(struct registrar *r, struct reg_transaction *t)
{
    reg_contacts_free(r, t->asked);
    reg_contacts_free(r, t->bound);
    reg_string_free(r, t->agent);
    reg_string_free(r, t->auth_user);
    reg_string_free(r, t->reason);
    reg_release(r, t, sizeof(*t));
}

static void set_contacts(struct registrar *r, struct reg_contacts **to, const struct reg_event *e,
                         const struct reg_texts *texts)
{
    reg_contacts_free(r, *to);
    *to = NULL;
    if (e->contact_count == 0 && (e->flags & REG_EVENT_STAR) == 0)
        return;
    struct reg_contacts *c = reg_alloc(r, sizeof(*c));
    *to = c;
    if (c == NULL)
        return;
    c->star = (e->flags & REG_EVENT_STAR) != 0;
    for (; c->count < e->contact_count && c->count < REG_CONTACTS_MAX; c->count++) {
        c->of[c->count].hash = e->contacts[c->count];
        c->of[c->count].expires = e->expires[c->count];
        c->of[c->count].uri = reg_string_new(r, texts->of[REG_TEXT_CONTACT + c->count]);
    }
}

static uint8_t more(uint8_t n)
{
    return n < UINT8_MAX ? (uint8_t)(n + 1) : n;
}

/* The same message in its transmissions, by the two taps that saw it first; those of others are seen again. */
static void note_copy(struct registrar *r, struct reg_transaction *t, const struct reg_event *e)
{
    struct reg_message *m = t->seen, *end = t->seen + t->message_count;
    while (m < end && m->hash != e->message)
        m++;
    if (m == end) {
        if (t->message_count == REG_MESSAGES) {
            r->stats.cut++;
            return;
        }
        t->message_count++;
        *m = (struct reg_message){ .hash = e->message };
    }
    for (unsigned i = 0; i < REG_TAPS; i++)
        if (m->taps[i] == 0 || m->taps[i] == e->tap) {
            m->taps[i] = e->tap;
            m->copies[i] = more(m->copies[i]);
            return;
        }
    m->more = more(m->more);
}

/* The earlier one; of one time the one of lower hash, so that it is the same one in any order. */
static bool is_earlier(int64_t ts, uint32_t message, int64_t than, uint32_t than_message)
{
    return than == TRACK_NO_TIME || ts < than || (ts == than && message < than_message);
}

static void take_request(struct registrar *r, struct reg_transaction *t, const struct reg_event *e,
                         const struct reg_texts *texts)
{
    t->flags = (uint8_t)(t->flags | (e->flags & (REG_EVENT_REQUEST | REG_EVENT_CREDENTIALS)));
    if (!is_earlier(e->ts, e->message, t->request, t->request_message))
        return;
    t->request = e->ts;
    t->request_message = e->message;
    t->src = e->src;
    t->dst = e->dst;
    t->transport = e->transport;
    t->expires = e->header_expires;
    set_contacts(r, &t->asked, e, texts);
    reg_string_set(r, &t->agent, texts->of[REG_TEXT_USER_AGENT]);
    reg_string_set(r, &t->auth_user, texts->of[REG_TEXT_AUTH_USER]);
}

/* 2xx before others: a proxy may have asked one registrar after the other. Then what the client saw last. */
static bool is_better(const struct reg_transaction *t, const struct reg_event *e)
{
    bool good = e->status < 300, has = t->status != 0 && t->status < 300;
    if (t->status == 0 || good != has)
        return t->status == 0 || good;
    return e->status != t->status ? e->status < t->status : is_earlier(e->ts, e->message, t->final, t->final_message);
}

static void take_final(struct registrar *r, struct reg_transaction *t, const struct reg_event *e,
                       const struct reg_texts *texts)
{
    if (e->min_expires != REG_NO_EXPIRES && (t->min_expires == REG_NO_EXPIRES || e->min_expires > t->min_expires))
        t->min_expires = e->min_expires;
    if (!is_better(t, e))
        return;
    t->status = e->status;
    t->final = e->ts;
    t->final_message = e->message;
    t->granted = e->header_expires;
    set_contacts(r, &t->bound, e, texts);
    reg_string_set(r, &t->reason, texts->of[REG_TEXT_REASON]);
}

static void take_message(struct registrar *r, struct reg_transaction *t, const struct reg_event *e,
                         const struct reg_texts *texts)
{
    t->messages += t->messages < UINT32_MAX;
    t->touched = r->now;
    t->first_seq = t->first_seq == 0 || e->seq < t->first_seq ? e->seq : t->first_seq;
    t->first = t->first == TRACK_NO_TIME || e->ts < t->first ? e->ts : t->first;
    t->last = t->last == TRACK_NO_TIME || e->ts > t->last ? e->ts : t->last;
    r->stats.cut += (e->flags & REG_EVENT_CUT) != 0;
    note_copy(r, t, e);
    if (e->flags & REG_EVENT_REQUEST)
        take_request(r, t, e, texts);
    else if (e->status >= 200)
        take_final(r, t, e, texts);
}

/* ------------------------------------------------------------------------------------------------ transactions */

static void close_first(struct registrar *r, struct reg_open *o, bool evicted);

/* The transaction of a CSeq, a new one if need be. NULL: no memory. */
static struct reg_transaction *transaction(struct registrar *r, struct reg_open *o, uint32_t cseq)
{
    struct reg_transaction **at = &o->first;
    while (*at != NULL && (*at)->cseq < cseq)
        at = &(*at)->next;
    if (*at != NULL && (*at)->cseq == cseq)
        return *at;
    struct reg_transaction *t = reg_alloc(r, sizeof(*t));
    if (t == NULL)
        return NULL;
    t->cseq = cseq;
    t->first = t->last = t->request = t->final = TRACK_NO_TIME;
    t->expires = t->granted = t->min_expires = REG_NO_EXPIRES;
    t->next = *at;
    *at = t;
    o->count++;
    return t;
}

/* What comes again of an attempt that was handed out; a client that starts anew may number from 1 again. */
static bool is_late(const struct registrar *r, const struct reg_open *o, const struct reg_event *e)
{
    return o->closed_ts != TRACK_NO_TIME && e->cseq <= o->closed && r->now < o->closed_at + REG_STRAGGLE_S &&
           (e->ts <= o->closed_ts || e->ts - o->closed_ts < (int64_t)r->o.no_answer_s * REG_SECOND);
}

static void set_names(struct registrar *r, struct reg_open *o, const struct reg_texts *texts)
{
    if (o->call_id != NULL)
        return;
    reg_string_set(r, &o->call_id, texts->of[REG_TEXT_CALL_ID]);
    reg_string_set(r, &o->from_user, texts->of[REG_TEXT_FROM_USER]);
    reg_string_set(r, &o->from_host, texts->of[REG_TEXT_FROM_HOST]);
    reg_string_set(r, &o->to_user, texts->of[REG_TEXT_TO_USER]);
    reg_string_set(r, &o->to_host, texts->of[REG_TEXT_TO_HOST]);
}

bool reg_open_take(struct registrar *r, struct reg_open *o, const struct reg_event *e, const struct reg_texts *texts)
{
    if (is_late(r, o, e)) {
        r->stats.late++;
        return true;
    }
    set_names(r, o, texts);
    struct reg_transaction *t = transaction(r, o, e->cseq);
    if (t == NULL)
        return false;
    take_message(r, t, e, texts);
    if (o->count > REG_TRANSACTIONS) {
        r->stats.cut++;
        close_first(r, o, true);
    }
    return true;
}

/* ------------------------------------------------------------------------------------------------ chains */

/* The client is to come again, in another transaction. */
static bool goes_on(const struct reg_transaction *t)
{
    return t->status == 401 || t->status == 407 || t->status == 423 || t->status == 494 || t->status == 421;
}

/*
 * Seconds for which it is waited for: people may have to type a password. Who had credentials and is challenged again
 * has a nonce that grew old, and comes at once, or credentials that are wrong, and may not come at all.
 */
static uint32_t patience(const struct registrar *r, const struct reg_transaction *t)
{
    bool refused = goes_on(t) && (t->flags & REG_EVENT_CREDENTIALS) != 0;
    return refused && r->o.no_answer_s > REG_NONCE_S ? REG_NONCE_S : r->o.no_answer_s;
}

static bool follows(const struct registrar *r, const struct reg_transaction *t, const struct reg_transaction *next)
{
    int64_t most = (int64_t)patience(r, t) * REG_SECOND;
    return goes_on(t) && next != NULL && next->first >= t->first && next->first - t->final <= most;
}

static const struct reg_transaction *end_of(const struct registrar *r, const struct reg_transaction *t)
{
    while (follows(r, t, t->next))
        t = t->next;
    return t;
}

/*
 * An answer for good waits for copies of it alone. So does what another attempt follows: who registers waits for one
 * before the next (RFC 3261 section 10.2).
 */
static uint32_t due_of(const struct registrar *r, const struct reg_transaction *end)
{
    uint32_t wait = end->next == NULL && (end->status == 0 || goes_on(end)) ? patience(r, end) : 0;
    return end->touched + wait + r->o.linger_s;
}

uint32_t reg_open_due(const struct registrar *r, const struct reg_open *o)
{
    return o->first == NULL ? 0 : due_of(r, end_of(r, o->first));
}

int64_t reg_open_order(const struct reg_open *o)
{
    int64_t order = INT64_MAX;
    for (const struct reg_transaction *t = o->first; t != NULL; t = t->next)
        order = t->last < order ? t->last : order;
    return order;
}

/* ------------------------------------------------------------------------------------------------ attempts */

uint32_t reg_granted(const struct reg_transaction *t, uint32_t contact)
{
    const struct reg_contacts *asked = t->asked, *bound = t->bound;
    for (unsigned i = 0; asked != NULL && i < asked->count; i++)
        if (asked->of[i].hash == contact && asked->of[i].expires == 0)
            return 0;
    for (unsigned i = 0; bound != NULL && i < bound->count; i++)
        if (bound->of[i].hash == contact && bound->of[i].expires != REG_NO_EXPIRES)
            return bound->of[i].expires;
    /* A registrar, or what stands before it, may show the contact as it sees it. */
    if (asked != NULL && asked->count == 1 && bound != NULL && bound->count == 1 &&
        bound->of[0].expires != REG_NO_EXPIRES)
        return bound->of[0].expires;
    if (t->granted != REG_NO_EXPIRES)
        return t->granted;
    for (unsigned i = 0; asked != NULL && i < asked->count; i++)
        if (asked->of[i].hash == contact)
            return asked->of[i].expires;
    return REG_NO_EXPIRES;
}

enum reg_binding reg_binding_of(const struct reg_transaction *t)
{
    if ((t->flags & REG_EVENT_REQUEST) == 0)
        return REG_BINDING_UNKNOWN;
    if (t->asked == NULL)
        return REG_BINDING_QUERY;
    if (t->asked->star)
        return REG_BINDING_REMOVE;
    for (unsigned i = 0; i < t->asked->count; i++)
        if (t->asked->of[i].expires != 0)
            return REG_BINDING_NEW;
    return REG_BINDING_REMOVE;
}

static enum reg_result result_of(const struct reg_transaction *t, bool evicted)
{
    if (t->status == 0)
        return evicted && t->next == NULL ? REG_INCOMPLETE : REG_TIMED_OUT;
    if (t->status >= 300)
        return (t->status == 401 || t->status == 407) && (t->flags & REG_EVENT_CREDENTIALS) == 0 ? REG_CHALLENGED
                                                                                                 : REG_REFUSED;
    switch (reg_binding_of(t)) {
    case REG_BINDING_QUERY:
        return REG_QUERIED;
    case REG_BINDING_REMOVE:
        return REG_UNREGISTERED;
    default:
        return REG_REGISTERED;
    }
}

static int64_t seconds(uint32_t n)
{
    return n == REG_NO_EXPIRES ? TRACK_NONE : (int64_t)n;
}

static unsigned count_taps(const struct reg_transaction *t, uint16_t taps[TRACK_TAPS_MAX], unsigned count)
{
    for (unsigned i = 0; i < t->message_count; i++)
        for (unsigned k = 0; k < REG_TAPS; k++) {
            unsigned at = 0;
            while (at < count && taps[at] != t->seen[i].taps[k])
                at++;
            if (t->seen[i].taps[k] != 0 && at == count && count < TRACK_TAPS_MAX)
                taps[count++] = t->seen[i].taps[k];
        }
    return count;
}

static void add_copies(const struct reg_transaction *t, struct reg_attempt *a)
{
    for (unsigned i = 0; i < t->message_count; i++) {
        const struct reg_message *m = &t->seen[i];
        unsigned x = m->copies[0], y = m->copies[1];
        a->retransmissions += (x > y ? x : y) - 1;
        a->seen_again += (x > y ? y : x) + m->more;
    }
}

static void fill_counts(const struct reg_chain *c, struct reg_attempt *a)
{
    uint16_t taps[TRACK_TAPS_MAX];
    for (const struct reg_transaction *t = c->first;; t = t->next) {
        a->messages += t->messages;
        a->first_seq = a->first_seq == 0 || t->first_seq < a->first_seq ? t->first_seq : a->first_seq;
        a->first = t->first < a->first ? t->first : a->first;
        a->last = t->last > a->last ? t->last : a->last;
        a->taps = count_taps(t, taps, a->taps);
        add_copies(t, a);
        a->auth_rounds += t != c->last && (t->status == 401 || t->status == 407);
        if (t->min_expires != REG_NO_EXPIRES)
            a->min_expires = (int64_t)t->min_expires;
        if (a->user_agent.len == 0)
            a->user_agent = reg_string_slice(t->agent);
        if (t->auth_user != NULL)
            a->auth_user = reg_string_slice(t->auth_user);
        if (t == c->last)
            return;
    }
}

static void fill_contact(const struct reg_transaction *t, struct reg_attempt *a)
{
    const struct reg_contacts *asked = t->asked;
    struct sip_uri uri;
    if (asked == NULL)
        return;
    a->contacts = asked->count;
    if (asked->star)
        a->contact = (struct hep_slice){ (const uint8_t *)"*", 1 };
    else if (asked->count > 0) {
        a->contact = reg_string_slice(asked->of[0].uri);
        (void)sip_uri_parse(a->contact, &uri);
        a->contact_user = uri.user;
        a->contact_host = uri.host;
    }
    a->expires_asked = seconds(asked->star || asked->count == 0 ? t->expires : asked->of[0].expires);
    if (t->status >= 200 && t->status < 300)
        a->expires = asked->star ? 0 : seconds(reg_granted(t, asked->count > 0 ? asked->of[0].hash : 0));
}

static uint64_t uid_of(const struct reg_open *o, const struct reg_transaction *t)
{
    uint64_t x = o->key ^ (uint64_t)t->first * UINT64_C(0x9e3779b97f4a7c15) ^ t->cseq;
    x = (x ^ x >> 31) * UINT64_C(0xbf58476d1ce4e5b9);
    return (x ^ x >> 29) | 1;
}

static void fill(const struct reg_chain *c, bool evicted, struct reg_attempt *a)
{
    const struct reg_open *o = c->open;
    *a = (struct reg_attempt){ .cseq = c->last->cseq,
                               .status = c->last->status > 0 ? c->last->status : TRACK_NONE,
                               .expires_asked = TRACK_NONE,
                               .expires = TRACK_NONE,
                               .min_expires = TRACK_NONE,
                               .answer_ms = TRACK_NONE,
                               .first = INT64_MAX,
                               .last = INT64_MIN,
                               .answered = c->last->final };
    a->uid = uid_of(o, c->first);
    a->result = result_of(c->last, evicted);
    a->call_id = reg_string_slice(o->call_id);
    a->from_user = reg_string_slice(o->from_user);
    a->from_host = reg_string_slice(o->from_host);
    a->to_user = reg_string_slice(o->to_user);
    a->to_host = reg_string_slice(o->to_host);
    a->reason = reg_string_slice(c->last->reason);
    a->src = c->first->src;
    a->dst = c->first->dst;
    a->transport = c->first->transport;
    fill_counts(c, a);
    fill_contact(c->last, a);
    if (a->contact.len == 0 && (c->last->flags & REG_EVENT_REQUEST) == 0 && c->last->bound != NULL &&
        c->last->bound->count == 1)
        a->contact = reg_string_slice(c->last->bound->of[0].uri);
    if (c->first->request != TRACK_NO_TIME && c->last->final != TRACK_NO_TIME && c->last->final >= c->first->request)
        a->answer_ms = (c->last->final - c->first->request) / 1000;
}

/* Hands out the first attempt of it. */
static void close_first(struct registrar *r, struct reg_open *o, bool evicted)
{
    struct reg_attempt a;
    struct reg_chain c = { .open = o, .first = o->first, .last = end_of(r, o->first), .attempt = &a };
    const struct reg_transaction *end = c.last->next;
    fill(&c, evicted, &a);
    a.binding = reg_binding_of(c.last);
    if (!r->o.no_aors)
        reg_aor_take(r, &c);
    r->stats.attempts++;
    r->stats.by_result[a.result]++;
    if (r->o.on_attempt != NULL)
        r->o.on_attempt(r->o.arg, &a);
    o->closed = c.last->cseq;
    o->closed_ts = a.last;
    o->closed_at = r->now;
    while (o->first != end) {
        struct reg_transaction *t = o->first;
        o->first = t->next;
        o->count--;
        reg_transaction_free(r, t);
    }
}

void reg_open_close(struct registrar *r, struct reg_open *o, bool all)
{
    while (o->first != NULL && (all || due_of(r, end_of(r, o->first)) <= r->now))
        close_first(r, o, all);
}
