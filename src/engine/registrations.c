/* Registrations, which the thread of the calls follows: attempts that are over as rows, and the AoRs that are known. */
#include <string.h>

#include "engine/calls_internal.h"
#include "engine/internal.h"
#include "record/reader.h"

#define PIECE_US   2000u
#define LOOK_EVERY 32u /* AoRs between two looks at the clock */

/* ------------------------------------------------------------------------------------------------ rows */

static struct hep_slice text(const char *s)
{
    return (struct hep_slice){ (const uint8_t *)s, strlen(s) };
}

static void set_parties(const struct reg_attempt *a, struct record *r)
{
    r->call_id = a->call_id;
    r->from_user = a->from_user;
    r->from_host = a->from_host;
    r->to_user = a->to_user;
    r->to_host = a->to_host;
    r->contact_user = a->contact_user;
    r->contact_host = a->contact_host;
    r->contact = a->contact;
    r->contacts = a->contacts;
    r->user_agent = a->user_agent;
    r->auth_user = a->auth_user;
    r->src_ip = a->src.ip;
    r->src_port = a->src.port;
    r->dst_ip = a->dst.ip;
    r->dst_port = a->dst.port;
    r->proto = text(track_transport_name((enum track_transport)a->transport));
}

static void set_course(const struct reg_attempt *a, struct record *r)
{
    r->state = text(reg_result_name(a->result));
    r->binding = text(reg_binding_name(a->binding));
    r->cseq = a->cseq;
    r->status = a->status;
    r->reason = a->reason;
    r->expires = a->expires;
    r->expires_asked = a->expires_asked;
    r->expires_min = a->min_expires;
    r->answer_ms = a->answer_ms < UINT32_MAX ? a->answer_ms : RECORD_NONE;
    r->answered = a->answered;
    r->last = a->last;
    r->messages = a->messages;
    r->seen_again = a->seen_again;
    r->retransmissions = a->retransmissions;
    r->auth_rounds = a->auth_rounds;
    r->taps = a->taps;
}

static void on_attempt(void *arg, const struct reg_attempt *a)
{
    struct calls *c = arg;
    struct record r;
    record_clear(&r, RECORD_REGISTRATION);
    r.ts = a->first;
    r.seq = a->first_seq;
    r.received = c->now_us;
    r.call_uid = a->uid;
    r.source = c->source;
    set_parties(a, &r);
    set_course(a, &r);
    calls_append(c, &r);
}

/* ------------------------------------------------------------------------------------------------ events */

bool registrations_open(struct calls *c, unsigned source)
{
    struct reg_options o = c->o.registrar;
    o.on_attempt = on_attempt;
    o.arg = c;
    o.no_aors = source == RECORD_IMPORT;
    c->registrars[source] = registrar_new(&o);
    return c->registrars[source] != NULL;
}

void registrations_free(struct calls *c)
{
    for (unsigned i = 0; i < CALLS_SOURCES; i++) {
        registrar_free(c->registrars[i]);
        c->registrars[i] = NULL;
    }
}

bool registrations_prepare(struct calls *c, struct calls_lane *lane, const struct record *record)
{
    struct reg_texts texts;
    if (!reg_event_make(record, c->seed, &lane->message.registration, &texts))
        return false;
    reg_texts_pack(&texts, &lane->texts);
    return true;
}

void registrations_take(struct calls *c, const struct calls_message *m, const uint8_t *octets, size_t len)
{
    struct reg_texts texts;
    if (reg_texts_unpack(octets, len, &texts))
        registrar_take(c->registrars[m->source], &m->registration, &texts, m->now_us);
}

void registrations_tick(struct calls *c)
{
    struct reg_stats before, after;
    struct registrar *r = c->registrars[RECORD_NETWORK];
    registrar_stats(r, &before);
    registrar_tick(r, c->now_us);
    registrar_stats(r, &after);
    c->changed = c->changed || before.open != after.open || before.attempts != after.attempts ||
                 before.aors != after.aors || memcmp(before.by_state, after.by_state, sizeof(before.by_state)) != 0;
}

bool registrations_imports(const struct calls *c)
{
    struct reg_stats s;
    registrar_stats(c->registrars[RECORD_IMPORT], &s);
    return s.open > 0;
}

void registrations_figures(const struct calls *c, struct reg_stats *ret)
{
    struct reg_stats s;
    registrar_stats(c->registrars[RECORD_NETWORK], ret);
    registrar_stats(c->registrars[RECORD_IMPORT], &s);
    ret->events += s.events;
    ret->late += s.late;
    ret->attempts += s.attempts;
    for (unsigned i = 0; i < REG_RESULTS; i++)
        ret->by_result[i] += s.by_result[i];
    ret->evicted += s.evicted;
    ret->cut += s.cut;
    ret->no_memory += s.no_memory;
    ret->open += s.open;
    ret->octets += s.octets;
}

/* ------------------------------------------------------------------------------------------------ looking */

struct looking {
    bool (*fn)(void *arg, const struct reg_aor *aor);
    void *arg;
    bool go_on;
};

static void show(void *arg, const struct reg_aor *aor)
{
    struct looking *l = arg;
    l->go_on = l->fn(l->arg, aor);
}

/* False when there are no more. Under the lock. */
static bool look_at_piece(struct calls *c, uint32_t *place, struct looking *l)
{
    const struct registrar *r = c->registrars[RECORD_NETWORK];
    uint64_t until = engine_now_us() + PIECE_US;
    for (unsigned n = 1; *place < registrar_places(r) && l->go_on; n++) {
        (void)registrar_show_place(r, (*place)++, c->now_us, show, l);
        if (n % LOOK_EVERY == 0 && engine_now_us() > until)
            return true;
    }
    return false;
}

void calls_registrations(struct calls *c, bool (*fn)(void *arg, const struct reg_aor *aor), void *arg)
{
    struct looking l = { fn, arg, true };
    uint32_t place = 0;
    pthread_mutex_lock(&c->lock);
    while (look_at_piece(c, &place, &l)) {
        pthread_mutex_unlock(&c->lock);
        pthread_mutex_lock(&c->lock);
    }
    pthread_mutex_unlock(&c->lock);
}
