#include <string.h>

#include "base/ip.h"
#include "track/quality_internal.h"

#define CALL_ENDPOINTS 10u    /* remembered, to a call with reports */
#define INDEX_PIECE    40000u /* places */

const char *quality_match_name(enum quality_match match)
{
    static const char *const names[] = {
#define NAME(id, name) name,
        QUALITY_MATCH_LIST(NAME)
#undef NAME
    };
    return names[match];
}

/* ------------------------------------------------------------------------------------------------ keys */

static void add_call(struct quality_keys *k, uint64_t call)
{
    for (size_t i = 0; i < k->call_count; i++)
        if (k->calls[i] == call)
            return;
    if (call != 0 && k->call_count < QUALITY_CALLS_NAMED)
        k->calls[k->call_count++] = call;
}

static void add_endpoint(struct quality_keys *k, const struct hep_addr *ip, unsigned port)
{
    if (ip->len == 0 || port == 0 || port > UINT16_MAX || k->endpoint_count == QUALITY_ENDPOINTS_MAX)
        return;
    uint32_t e = track_endpoint(ip, (uint16_t)port);
    for (size_t i = 0; i < k->endpoint_count; i++)
        if (k->endpoints[i] == e)
            return;
    k->endpoints[k->endpoint_count++] = e;
}

/* RTCP goes to the port behind that of the media, if it has one of its own (RFC 3550 section 11). */
static void add_control(struct quality_keys *k, const struct track_addr *a)
{
    if (a->port % 2 == 1)
        add_endpoint(k, &a->ip, a->port - 1u);
    add_endpoint(k, &a->ip, a->port);
}

/* An end of the stream as the report has it; len 0 of the address: it does not say. */
static struct track_addr end_of(const struct media_report *r, enum media_text ip, enum media_field port)
{
    struct track_addr a = { .port = 0 };
    if (media_has(r, port) && r->text[ip].len > 0 && ip_parse((const char *)r->text[ip].ptr, r->text[ip].len, &a.ip))
        a.port = (uint16_t)r->value[port];
    return a;
}

/* The same two SSRCs, whoever reports; an SSRC of 0 or 1 is of a program that does not choose any. */
static uint64_t pair_of(const struct media_report *r)
{
    if (!media_has(r, MEDIA_SSRC) || !media_has(r, MEDIA_REPORTER_SSRC))
        return 0;
    uint64_t a = (uint32_t)r->value[MEDIA_SSRC], b = (uint32_t)r->value[MEDIA_REPORTER_SSRC];
    if (a <= 1 || b <= 1 || a == b)
        return 0;
    return a < b ? a << 32 | b : b << 32 | a;
}

static bool is_control(const struct media_report *r)
{
    return r->source == MEDIA_FROM_RTCP || r->source == MEDIA_FROM_XR;
}

void quality_keys_of(const struct quality *q, const struct quality_message *m, struct quality_keys *ret)
{
    *ret = (struct quality_keys){ .call_count = 0 };
    add_call(ret, m->call);
    for (size_t i = 0; i < q->reports.count; i++) {
        const struct media_report *r = &q->reports.list[i];
        struct track_addr to = end_of(r, MEDIA_DST_IP, MEDIA_DST_PORT), from = end_of(r, MEDIA_SRC_IP, MEDIA_SRC_PORT);
        for (size_t t = MEDIA_CALL_ID; t <= MEDIA_CORRELATION_ID; t++)
            if (r->text[t].len > 0)
                add_call(ret, track_call_hash(r->text[t], q->o.seed));
        add_endpoint(ret, &to.ip, to.port);
        add_endpoint(ret, &from.ip, from.port);
        if (ret->pair == 0)
            ret->pair = pair_of(r);
    }
    if (m->form != MEDIA_FORM_ANY) /* the addresses of a SIP message are not those of media */
        return;
    add_control(ret, &m->dst);
    add_control(ret, &m->src);
}

/* ------------------------------------------------------------------------------------------------ endpoints */

static void remember(struct quality *q, uint32_t endpoint, uint64_t call, int64_t at)
{
    bool fresh;
    uint64_t *v = endpoint != 0 ? lru_put(q->endpoints, &endpoint, (uint64_t)at, &fresh) : NULL;
    if (v != NULL)
        *v = call;
}

/* Whose key it is stands nowhere in a call_record: it is made anew of its Call-ID. */
static void index_call(void *arg, const struct call_record *c)
{
    struct quality *q = arg;
    uint64_t call = track_call_hash(c->texts.of[TRACK_TEXT_CALL_ID], q->o.seed);
    const struct track_addr *first[] = { &c->caller_media, &c->callee_media };
    for (size_t i = 0; i < 2; i++)
        if (first[i]->ip.len > 0)
            remember(q, track_endpoint(&first[i]->ip, first[i]->port), call, c->last);
    for (size_t i = 0; i < TRACK_ENDPOINTS_MAX; i++) {
        remember(q, c->caller_endpoints[i], call, c->last);
        remember(q, c->callee_endpoints[i], call, c->last);
    }
}

bool quality_index(struct quality *q)
{
    if (q->endpoints != NULL)
        return true;
    const struct lru_options o = { .key_size = 4,
                                   .value_size = 8,
                                   .capacity = (size_t)CALL_ENDPOINTS * q->o.max_calls };
    q->endpoints = lru_new(&o);
    q->indexed = 0;
    q->whole = false;
    quality_gather(q);
    return q->endpoints != NULL;
}

void quality_gather(struct quality *q)
{
    if (q->endpoints == NULL || q->whole)
        return;
    uint32_t end = tracker_places(q->o.tracker),
             until = end - q->indexed > INDEX_PIECE ? q->indexed + INDEX_PIECE : end;
    while (q->indexed < until)
        (void)tracker_show_place(q->o.tracker, q->indexed++, index_call, q);
    q->whole = q->indexed == end;
}

void quality_index_free(struct quality *q)
{
    lru_free(q->endpoints);
    q->endpoints = NULL;
}

void quality_sdp(struct quality *q, const struct track_event *e)
{
    if (q->endpoints == NULL)
        return;
    if (e->media.ip.len > 0)
        remember(q, track_endpoint(&e->media.ip, e->media.port), e->call, e->ts);
    for (size_t i = 0; i < TRACK_EVENT_MEDIA; i++)
        remember(q, e->more_media[i], e->call, e->ts);
}

/* ------------------------------------------------------------------------------------------------ finding */

static bool lives(const struct quality *q, uint64_t call)
{
    return call != 0 && tracker_has(q->o.tracker, call);
}

static bool find_in(const struct quality *q, const struct lru *table, const void *key, uint64_t *ret_call)
{
    const uint64_t *call = table != NULL ? lru_find(table, key) : NULL;
    if (call == NULL || !lives(q, *call))
        return false;
    *ret_call = *call;
    return true;
}

enum quality_match quality_find(struct quality *q, const struct quality_keys *keys, uint64_t *ret_call)
{
    for (size_t i = 0; i < keys->call_count; i++)
        if (lives(q, keys->calls[i])) {
            *ret_call = keys->calls[i];
            return QUALITY_CALL_ID;
        }
    if (keys->endpoint_count > 0 && !quality_index(q))
        q->stats.no_memory++;
    for (size_t i = 0; i < keys->endpoint_count; i++)
        if (find_in(q, q->endpoints, &keys->endpoints[i], ret_call))
            return QUALITY_SDP;
    if (keys->pair != 0 && find_in(q, q->pairs, &keys->pair, ret_call))
        return QUALITY_SSRC;
    return QUALITY_NONE;
}

void quality_learn(struct quality *q, const struct quality_keys *keys, uint64_t call, uint64_t now)
{
    bool fresh;
    uint64_t *v = keys->pair != 0 ? lru_put(q->pairs, &keys->pair, now, &fresh) : NULL;
    if (v == NULL)
        return;
    /* Legs that a B2BUA passes media through have the same two; so have programs that do not choose: no telling. */
    *v = fresh || *v == call || !lives(q, *v) ? call : 0;
}

/* ------------------------------------------------------------------------------------------------ who heard it */

static enum track_side other_side(enum track_side side)
{
    return side == TRACK_CALLER ? TRACK_CALLEE : side == TRACK_CALLEE ? TRACK_CALLER : TRACK_NOBODY;
}

static bool same_addr(const struct track_addr *a, const struct track_addr *b)
{
    return a->ip.len > 0 && a->ip.len == b->ip.len && a->port == b->port &&
           memcmp(a->ip.octets, b->ip.octets, a->ip.len) == 0;
}

static bool has_endpoint(const struct track_addr *first, const uint32_t *others, const struct track_addr *a)
{
    uint32_t e = a->ip.len > 0 ? track_endpoint(&a->ip, a->port) : 0;
    bool has = same_addr(first, a);
    for (size_t i = 0; i < TRACK_ENDPOINTS_MAX && e != 0; i++)
        has = has || others[i] == e;
    return has;
}

/* Who wants to receive media there; nobody if both do, or neither. */
static enum track_side side_at(const struct call_record *c, const struct track_addr *a)
{
    bool caller = has_endpoint(&c->caller_media, c->caller_endpoints, a);
    bool callee = has_endpoint(&c->callee_media, c->callee_endpoints, a);
    return caller == callee ? TRACK_NOBODY : caller ? TRACK_CALLER : TRACK_CALLEE;
}

/* The place of the media that an address of RTCP belongs to. */
static struct track_addr media_of(struct track_addr a, const struct call_record *c)
{
    struct track_addr below = a;
    below.port--;
    return a.port % 2 == 1 && side_at(c, &below) != TRACK_NOBODY ? below : a;
}

/* Of two ends, one of which receives. */
static enum track_side receiver(const struct call_record *c, const struct track_addr *to, const struct track_addr *from)
{
    enum track_side side = side_at(c, to);
    return side != TRACK_NOBODY ? side : other_side(side_at(c, from));
}

/* Who sent a SIP message of the call: by where the first INVITE came from and went to. */
static enum track_side sender_of(const struct call_record *c, const struct quality_message *m)
{
    if (same_addr(&m->src, &c->src) || same_addr(&m->dst, &c->dst))
        return TRACK_CALLER;
    return same_addr(&m->src, &c->dst) || same_addr(&m->dst, &c->src) ? TRACK_CALLEE : TRACK_NOBODY;
}

enum track_side quality_heard_by(const struct call_record *c, const struct quality_message *m,
                                 const struct media_report *r)
{
    if (r->source == MEDIA_FROM_HEADER)
        return sender_of(c, m);
    struct track_addr to = end_of(r, MEDIA_DST_IP, MEDIA_DST_PORT), from = end_of(r, MEDIA_SRC_IP, MEDIA_SRC_PORT);
    enum track_side side = receiver(c, &to, &from);
    if (side != TRACK_NOBODY || m->form != MEDIA_FORM_ANY)
        return side;
    to = media_of(m->dst, c);
    from = media_of(m->src, c);
    /* Who reports is who received. Others that see the RTP send their reports with the addresses of the stream. */
    return is_control(r) ? receiver(c, &from, &to) : receiver(c, &to, &from);
}

/* ------------------------------------------------------------------------------------------------ which medium */

static bool is_further(const struct call_record *c, const struct track_addr *a)
{
    return side_at(c, a) != TRACK_NOBODY && !same_addr(&c->caller_media, a) && !same_addr(&c->callee_media, a);
}

bool quality_is_other(const struct call_record *c, const struct quality_message *m, const struct media_report *r)
{
    bool several = c->chosen.len > 0 && memchr(c->chosen.ptr, ';', c->chosen.len) != NULL;
    struct track_addr to = media_of(m->dst, c), from = media_of(m->src, c);
    if (!several)
        return false; /* else than by re-INVITE it has no further endpoints */
    if (!is_control(r) && r->text[MEDIA_DST_IP].len > 0) {
        to = end_of(r, MEDIA_DST_IP, MEDIA_DST_PORT);
        from = end_of(r, MEDIA_SRC_IP, MEDIA_SRC_PORT);
    }
    return is_further(c, &to) || is_further(c, &from);
}
