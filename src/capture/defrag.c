#include "capture/defrag.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/lru.h"

#define DATAGRAM_MAX 65535
#define PARTS_MAX    1024 /* of one datagram; a 65535 octet datagram over the smallest legal IPv6 link has 53 */
#define DONE_SECONDS 1    /* how long copies of the fragments of a whole datagram are expected */

struct part {
    struct part *next; /* by offset; parts never overlap */
    uint32_t start, len;
    uint8_t octets[];
};

enum datagram_state {
    UNDER_WAY,
    POISONED, /* overlapped: its fragments are dropped until it ages out */
    DONE
};

struct datagram {
    enum datagram_state state;
    uint32_t done_at; /* DONE: packet time, seconds */
    struct part *parts;
    size_t part_count;
    size_t received;  /* octets in parts */
    size_t charged;   /* octets counted against the limit */
    size_t total;     /* of the whole datagram, if the last fragment is known; 0 otherwise */
    uint8_t protocol; /* of the first fragment: only its header counts (RFC 8200 section 4.5) */
    uint8_t tos;
};

struct key {
    struct hep_addr src, dst;
    uint32_t id;
    uint32_t scope;
    uint8_t protocol; /* IPv4 only: RFC 8200 leaves it out */
    uint8_t pad[1];
};

struct defrag {
    struct defrag_options options;
    struct defrag_stats stats;
    struct lru *datagrams;
    size_t octets;
    size_t under_way;
    bool expiring; /* tells on_drop why */
    uint8_t whole[DATAGRAM_MAX];
};

static void release_parts(struct defrag *d, struct datagram *g)
{
    while (g->parts != NULL) {
        struct part *next = g->parts->next;
        free(g->parts);
        g->parts = next;
    }
    d->octets -= g->charged;
    g->charged = 0;
    g->part_count = 0;
    g->received = 0;
    g->total = 0;
}

static void set_state(struct defrag *d, struct datagram *g, enum datagram_state state)
{
    if (g->state == UNDER_WAY)
        d->under_way--;
    if (state == UNDER_WAY)
        d->under_way++;
    g->state = state;
    release_parts(d, g);
}

static void on_drop(void *arg, const void *key, void *value)
{
    (void)key;
    struct defrag *d = arg;
    struct datagram *g = value;
    if (g->state == UNDER_WAY)
        (*(d->expiring ? &d->stats.gave_up_age : &d->stats.gave_up_limit))++;
    set_state(d, g, DONE);
}

static size_t or_default(size_t value, size_t fallback)
{
    return value != 0 ? value : fallback;
}

struct defrag *defrag_new(const struct defrag_options *options)
{
    struct defrag *d = calloc(1, sizeof(*d));
    if (d == NULL)
        return NULL;
    if (options != NULL)
        d->options = *options;
    struct defrag_options *o = &d->options;
    o->max_datagrams = or_default(o->max_datagrams, 4096);
    o->max_octets = or_default(o->max_octets, (size_t)16 << 20);
    if (o->max_octets < (size_t)256 << 10)
        o->max_octets = (size_t)256 << 10;
    o->max_age = (uint32_t)or_default(o->max_age, 30);
    d->datagrams = lru_new(&(struct lru_options){
        .key_size = sizeof(struct key),
        .value_size = sizeof(struct datagram),
        .capacity = o->max_datagrams,
        .on_drop = on_drop,
        .arg = d,
    });
    if (d->datagrams == NULL) {
        free(d);
        return NULL;
    }
    return d;
}

void defrag_free(struct defrag *d)
{
    if (d == NULL)
        return;
    lru_free(d->datagrams);
    free(d);
}

static void make_key(const struct ip_packet *frag, struct key *ret)
{
    memset(ret, 0, sizeof(*ret));
    ret->src = frag->src;
    ret->dst = frag->dst;
    ret->id = frag->id;
    ret->scope = frag->scope;
    ret->protocol = frag->src.len == 4 ? frag->protocol : 0;
}

static bool malformed(const struct ip_packet *frag)
{
    size_t len = frag->payload.len;
    return len == 0 || (frag->more && len % 8 != 0) || frag->frag_offset + len > DATAGRAM_MAX;
}

/* True if the end that this fragment says fits what is known: one end only, and nothing beyond it. */
static bool end_agrees(struct datagram *g, const struct ip_packet *frag)
{
    size_t end = frag->frag_offset + frag->payload.len;
    if (frag->more)
        return g->total == 0 || end < g->total;
    for (const struct part *p = g->parts; p != NULL; p = p->next) {
        if (p->start + p->len > end)
            return false;
    }
    if (g->total != 0 && g->total != end)
        return false;
    g->total = end;
    return true;
}

/* Compares the octets that a part and a fragment share. */
static bool same_content(const struct part *p, const struct ip_packet *frag)
{
    size_t frag_end = frag->frag_offset + frag->payload.len;
    size_t start = p->start > frag->frag_offset ? p->start : frag->frag_offset;
    size_t end = p->start + p->len < frag_end ? p->start + p->len : frag_end;
    return memcmp(p->octets + (start - p->start), frag->payload.ptr + (start - frag->frag_offset), end - start) == 0;
}

/* True if the overlap may be ignored: same octets, and for IPv6 the very same fragment. */
static bool overlap_is_harmless(const struct part *p, const struct ip_packet *frag)
{
    if (frag->src.len == 16 && (p->start != frag->frag_offset || p->len != frag->payload.len))
        return false;
    return same_content(p, frag);
}

static bool overlaps(const struct part *p, const struct ip_packet *frag)
{
    return p->start < frag->frag_offset + frag->payload.len && frag->frag_offset < p->start + p->len;
}

/* A copy of octets [start, start + len) of the fragment's datagram, linked in at `at`. */
static bool insert_part(struct defrag *d, struct datagram *g, struct part **at, const struct ip_packet *frag,
                        size_t start, size_t end)
{
    size_t len = end - start;
    struct part *p = g->part_count < PARTS_MAX ? malloc(sizeof(*p) + len) : NULL;
    if (p == NULL)
        return false;
    p->start = (uint32_t)start;
    p->len = (uint32_t)len;
    memcpy(p->octets, frag->payload.ptr + (start - frag->frag_offset), len);
    p->next = *at;
    *at = p;
    g->part_count++;
    g->received += len;
    g->charged += sizeof(*p) + len;
    d->octets += sizeof(*p) + len;
    return true;
}

/* Adds what is new of the fragment: the holes between the parts that it covers. */
static enum defrag_result add_new_octets(struct defrag *d, struct datagram *g, const struct ip_packet *frag)
{
    size_t pos = frag->frag_offset;
    size_t end = pos + frag->payload.len;
    size_t before = g->received;
    struct part **at = &g->parts;
    while (pos < end) {
        while (*at != NULL && (*at)->start + (*at)->len <= pos)
            at = &(*at)->next;
        size_t hole_end = *at != NULL && (*at)->start < end ? (*at)->start : end;
        if (hole_end > pos && !insert_part(d, g, at, frag, pos, hole_end))
            return DEFRAG_DROPPED;
        pos = hole_end;
        if (*at != NULL && (*at)->start <= pos)
            pos = (*at)->start + (*at)->len;
    }
    return g->received > before ? DEFRAG_HELD : DEFRAG_DUPLICATE;
}

static void assemble(struct defrag *d, const struct datagram *g, const struct ip_packet *frag, struct ip_packet *ret)
{
    for (const struct part *p = g->parts; p != NULL; p = p->next)
        memcpy(d->whole + p->start, p->octets, p->len);
    *ret = *frag;
    ret->protocol = g->protocol;
    ret->tos = g->tos;
    ret->payload = (struct hep_slice){ d->whole, g->total };
    ret->fragment = false;
    ret->more = false;
    ret->frag_offset = 0;
}

static enum defrag_result poison(struct defrag *d, struct datagram *g)
{
    set_state(d, g, POISONED);
    d->stats.dropped_overlap++;
    return DEFRAG_DROPPED;
}

static enum defrag_result add_to(struct defrag *d, struct datagram *g, const struct ip_packet *frag, uint32_t now,
                                 struct ip_packet *ret)
{
    for (const struct part *p = g->parts; p != NULL; p = p->next) {
        if (overlaps(p, frag) && !overlap_is_harmless(p, frag))
            return poison(d, g);
    }
    if (!end_agrees(g, frag)) {
        set_state(d, g, POISONED);
        d->stats.dropped_malformed++;
        return DEFRAG_DROPPED;
    }
    enum defrag_result result = add_new_octets(d, g, frag);
    if (result == DEFRAG_DROPPED) {
        set_state(d, g, POISONED);
        d->stats.dropped_memory++;
        return result;
    }
    if (frag->frag_offset == 0) {
        g->protocol = frag->protocol;
        g->tos = frag->tos;
    }
    if (g->total == 0 || g->received != g->total) {
        (*(result == DEFRAG_HELD ? &d->stats.held : &d->stats.duplicate))++;
        return result;
    }
    assemble(d, g, frag, ret);
    d->stats.completing++;
    set_state(d, g, DONE);
    g->done_at = now;
    return DEFRAG_DONE;
}

/* The datagram of a fragment, begun anew if the identification was used before and is over. */
static struct datagram *datagram_of(struct defrag *d, const struct ip_packet *frag, uint32_t now)
{
    struct key key;
    make_key(frag, &key);
    bool is_new;
    struct datagram *g = lru_put(d->datagrams, &key, now, &is_new);
    if (g == NULL)
        return NULL;
    if (is_new)
        d->under_way++; /* zeroed is UNDER_WAY */
    else if (g->state == DONE && now - g->done_at > DONE_SECONDS)
        set_state(d, g, UNDER_WAY);
    return g;
}

static void hold_limits(struct defrag *d, uint32_t now)
{
    d->expiring = true;
    (void)lru_expire(d->datagrams, now, d->options.max_age);
    d->expiring = false;
    /* One more fragment must fit; the limit is far above what one datagram may hold, so this ends. */
    while (d->octets + DATAGRAM_MAX + sizeof(struct part) > d->options.max_octets && lru_evict(d->datagrams))
        continue;
}

enum defrag_result defrag_add(struct defrag *d, const struct ip_packet *frag, uint32_t now, struct ip_packet *ret)
{
    hold_limits(d, now);
    if (frag->missing > 0) {
        d->stats.dropped_cut++;
        return DEFRAG_DROPPED;
    }
    if (malformed(frag)) {
        d->stats.dropped_malformed++;
        return DEFRAG_DROPPED;
    }
    struct datagram *g = datagram_of(d, frag, now);
    if (g == NULL) {
        d->stats.dropped_memory++;
        return DEFRAG_DROPPED;
    }
    switch (g->state) {
    case UNDER_WAY:
        return add_to(d, g, frag, now, ret);
    case DONE:
        d->stats.duplicate++;
        return DEFRAG_DUPLICATE;
    case POISONED:
    default:
        d->stats.dropped_overlap++;
        return DEFRAG_DROPPED;
    }
}

void defrag_finish(struct defrag *d)
{
    void *oldest;
    d->expiring = true;
    while ((oldest = lru_oldest(d->datagrams)) != NULL)
        lru_remove(d->datagrams, oldest);
    d->expiring = false;
}

const struct defrag_stats *defrag_stats(const struct defrag *d)
{
    return &d->stats;
}

size_t defrag_octets(const struct defrag *d)
{
    return d->octets;
}

size_t defrag_datagrams(const struct defrag *d)
{
    return d->under_way;
}
