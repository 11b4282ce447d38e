/* What SIP tells of media: where each party of a call receives, coded with what, and when it is answered and over. */
#include <stdlib.h>
#include <string.h>

#include "sip/msg.h"
#include "sip/peek.h"
#include "sip/sdp.h"
#include "tap/internal.h"

struct call_key {
    uint32_t len;
    char id[CALL_ID_MAX];
};

void call_ref(struct call *c)
{
    c->refs++;
}

void call_unref(struct call *c)
{
    if (c != NULL && --c->refs == 0)
        free(c);
}

void on_call_drop(void *arg, const void *key, void *value)
{
    (void)arg;
    (void)key;
    struct call **c = value;
    call_unref(*c);
}

void on_place_drop(void *arg, const void *key, void *value)
{
    (void)arg;
    (void)key;
    struct place *p = value;
    call_unref(p->call);
}

/* ------------------------------------------------------------------------------------------------ look-up */

static struct call *call_of(struct tap *t, struct hep_slice id, bool make)
{
    struct call_key key;
    bool is_new;
    if (id.len == 0 || id.len > CALL_ID_MAX)
        return NULL;
    memset(&key, 0, sizeof(key));
    key.len = (uint32_t)id.len;
    memcpy(key.id, id.ptr, id.len);
    struct call **at = make ? lru_put(t->calls, &key, t->tick, &is_new) : lru_find(t->calls, &key);
    if (at == NULL || *at != NULL)
        return at == NULL ? NULL : *at;
    struct call *c = calloc(1, sizeof(*c));
    if (c == NULL) {
        t->counters.no_memory++;
        lru_remove(t->calls, at);
        return NULL;
    }
    c->refs = 1;
    c->id_len = id.len;
    memcpy(c->id, id.ptr, id.len);
    *at = c;
    t->counters.calls_evicted = lru_evicted(t->calls);
    return c;
}

static struct place_key place_key(const struct hep_addr *addr, uint16_t port, uint32_t scope)
{
    struct place_key key;
    memset(&key, 0, sizeof(key)); /* the table compares octets, padding included */
    key.addr = *addr;
    key.port = port;
    key.scope = scope;
    return key;
}

struct place *place_of(struct tap *t, const struct hep_addr *addr, uint16_t port, uint32_t scope)
{
    struct place_key key = place_key(addr, port, scope);
    struct place *p = lru_find(t->places, &key);
    if (p == NULL || p->call == NULL)
        return NULL;
    int64_t ended = p->call->ended_us;
    return ended == 0 || t->now_us - ended < (int64_t)STALE_SECONDS * 1000000 ? p : NULL;
}

const struct format *format_of(const struct formats *f, uint8_t payload_type)
{
    for (unsigned i = 0; i < f->count; i++) {
        if (f->list[i].payload_type == payload_type)
            return &f->list[i];
    }
    return NULL;
}

/* ------------------------------------------------------------------------------------------------ places */

static bool is_word(struct hep_slice s, const char *word)
{
    return s.len == strlen(word) && memcmp(s.ptr, word, s.len) == 0;
}

static enum medium medium_of(struct hep_slice kind)
{
    return is_word(kind, "audio") ? MEDIUM_AUDIO : is_word(kind, "video") ? MEDIUM_VIDEO : MEDIUM_OTHER;
}

static void take_formats(struct formats *to, const struct sdp_media *m)
{
    to->count = 0;
    for (unsigned i = 0; i < m->format_kept && to->count < FORMATS_MAX; i++) {
        const struct sdp_format *f = &m->formats[i];
        if (f->payload_type == SDP_NO_PAYLOAD_TYPE || f->codec.len >= CODEC_MAX)
            continue;
        struct format *out = &to->list[to->count++];
        memset(out, 0, sizeof(*out));
        out->payload_type = f->payload_type;
        out->clock = f->clock_rate;
        if (f->codec.len > 0)
            memcpy(out->codec, f->codec.ptr, f->codec.len);
    }
}

/* A place of RTP, RTCP or both; a later SDP wins. NULL if there is no memory. */
static struct place *put_place(struct tap *t, struct call *c, const struct hep_addr *addr, uint16_t port,
                               uint32_t scope)
{
    bool is_new;
    struct place_key key = place_key(addr, port, scope);
    struct place *p = lru_put(t->places, &key, t->tick, &is_new);
    t->counters.places_evicted = lru_evicted(t->places);
    if (p == NULL) {
        t->counters.no_memory++;
        return NULL;
    }
    if (p->call != c) {
        call_ref(c);
        call_unref(p->call);
        *p = (struct place){ .call = c };
    }
    return p;
}

static void put_medium(struct tap *t, struct call *c, enum role role, const struct sdp_media *m, uint32_t scope)
{
    struct place *p;
    if (m->has_ssrc && m->port != 0)
        ssrc_learn(t, m->ssrc, c, NULL);
    if (m->port == 0 || m->addr.len == 0)
        return;
    if ((p = put_place(t, c, &m->addr, m->port, scope)) != NULL) {
        p->rtp = true;
        p->role = (uint8_t)role;
        p->rtcp |= m->rtcp_mux;
        p->medium = (uint8_t)medium_of(m->kind);
        p->both_ways = m->direction == SDP_SENDRECV;
        p->ptime = m->ptime;
        take_formats(&p->formats, m);
        if (p->medium == MEDIUM_AUDIO && p->both_ways)
            c->has_place[role] = true;
    }
    if (m->rtcp_addr.len != 0 && m->rtcp_port != 0 && m->rtcp_port != m->port &&
        (p = put_place(t, c, &m->rtcp_addr, m->rtcp_port, scope)) != NULL) {
        p->rtcp = true;
        p->role = (uint8_t)role;
        p->medium = (uint8_t)medium_of(m->kind);
    }
}

static void take_sdp(struct tap *t, struct call *c, enum role role, struct hep_slice sdp, uint32_t scope)
{
    struct sdp_iter it;
    struct sdp_media m;
    sdp_begin(&it, sdp);
    while (sdp_next(&it, &m))
        put_medium(t, c, role, &m, scope);
}

/* ------------------------------------------------------------------------------------------------ dialogs */

/* FNV-1a: tells the tags of two parties apart, no more. */
static uint64_t hash_of(struct hep_slice s)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < s.len; i++)
        h = (h ^ s.ptr[i]) * UINT64_C(0x100000001b3);
    return h;
}

/* Who sent the message: the party of the first From tag is the one that called. */
static enum role sender_of(struct call *c, const struct sip_msg *m)
{
    uint64_t from = hash_of(m->from.tag);
    if (c->caller_tag == 0)
        c->caller_tag = from;
    bool by_caller = (from == c->caller_tag) == (m->kind == SIP_REQUEST);
    return by_caller ? ROLE_CALLER : ROLE_CALLED;
}

static void answered(struct tap *t, struct call *c)
{
    c->answered_us = t->now_us;
    c->ended_us = 0; /* an attempt before may have failed */
    if (c->active)
        return;
    call_ref(c);
    c->next_answered = NULL;
    *(t->last_answered != NULL ? &t->last_answered->next_answered : &t->first_answered) = c;
    t->last_answered = c;
}

static void take_progress(struct tap *t, struct call *c, const struct sip_msg *m)
{
    if (m->kind == SIP_REQUEST) {
        if (m->method_id == SIP_BYE && c->ended_us == 0)
            c->ended_us = t->now_us;
        return;
    }
    if (m->cseq.method_id != SIP_INVITE || m->status < 200)
        return;
    if (m->status < 300 && c->answered_us == 0)
        answered(t, c);
    else if (m->status >= 300 && c->answered_us == 0 && m->status != 401 && m->status != 407)
        c->ended_us = t->now_us;
}

void tap_sip(struct tap *t, const struct tap_message *message)
{
    struct sip_msg m;
    struct hep_slice sdp;
    t->now_us = us_of(message->sec, message->usec);
    tap_tick(t, message->sec);
    if (!sip_looks_like(message->payload.ptr, message->payload.len))
        return;
    (void)sip_parse(message->payload.ptr, message->payload.len, &m);
    bool has_sdp = sdp_find_in(m.body, m.content_type, &sdp);
    struct call *c = call_of(t, m.call_id, has_sdp);
    if (c == NULL)
        return;
    enum role role = sender_of(c, &m);
    if (has_sdp)
        take_sdp(t, c, role, sdp, message->scope);
    take_progress(t, c, &m);
}

void check_answered(struct tap *t)
{
    int64_t wait = (int64_t)t->o.no_media_s * 1000000;
    struct call *c;
    while ((c = t->first_answered) != NULL && t->now_us - c->answered_us >= wait) {
        t->first_answered = c->next_answered;
        if (t->first_answered == NULL)
            t->last_answered = NULL;
        /* An agent that sees no media at all, by its place or its filter, has nothing to say about those of a call. */
        if (!c->active && c->ended_us == 0 && c->has_place[0] && c->has_place[1] && t->counters.streams > 0)
            report_event(t, NULL, c, "no_media", "after_ms", (double)(t->now_us - c->answered_us) / 1000);
        call_unref(c);
    }
}
