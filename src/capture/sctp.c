#include "capture/sctp.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/lru.h"

#define STREAMS_MAX   1024 /* streams with fragments */
#define FRAGMENTS_MAX 64   /* of one stream */
#define MESSAGE_MAX   131072u
#define OCTETS_MAX    ((size_t)16 << 20) /* of all fragments */
#define AGE_S         30u

struct stream_key {
    struct hep_addr src, dst;
    uint32_t scope, tag;
    uint16_t src_port, dst_port, stream;
};

struct fragment {
    uint32_t tsn;
    bool begins, ends, truncated;
    size_t len;
    uint8_t *octets;
};

struct waiting {
    size_t count;
    struct fragment list[FRAGMENTS_MAX]; /* by TSN */
};

struct sctp {
    struct lru *streams;
    size_t octets;
    uint64_t lost;
    struct buf message;
};

static void drop(struct sctp *s, struct waiting *w, size_t from, size_t count, bool lost)
{
    for (size_t i = from; i < from + count; i++) {
        s->octets -= w->list[i].len;
        free(w->list[i].octets);
    }
    memmove(&w->list[from], &w->list[from + count], (w->count - from - count) * sizeof(w->list[0]));
    w->count -= count;
    s->lost += lost ? count : 0;
}

static void on_drop(void *arg, const void *key, void *value)
{
    struct waiting *w = value;
    (void)key;
    drop(arg, w, 0, w->count, true);
}

struct sctp *sctp_new(void)
{
    struct sctp *s = calloc(1, sizeof(*s));
    if (s == NULL)
        return NULL;
    buf_init(&s->message, MESSAGE_MAX);
    s->streams = lru_new(&(struct lru_options){ .key_size = sizeof(struct stream_key),
                                                .value_size = sizeof(struct waiting),
                                                .capacity = STREAMS_MAX,
                                                .on_drop = on_drop,
                                                .arg = s });
    if (s->streams != NULL)
        return s;
    sctp_free(s);
    return NULL;
}

void sctp_free(struct sctp *s)
{
    if (s == NULL)
        return;
    lru_free(s->streams);
    buf_free(&s->message);
    free(s);
}

static struct waiting *stream_of(struct sctp *s, const struct sctp_chunk *c, const struct dgram *d)
{
    struct stream_key key;
    bool is_new;
    memset(&key, 0, sizeof(key)); /* the table compares octets, padding included */
    key.src = d->src;
    key.dst = d->dst;
    key.scope = c->scope;
    key.tag = c->tag;
    key.src_port = d->src_port;
    key.dst_port = d->dst_port;
    key.stream = c->stream;
    return lru_put(s->streams, &key, d->sec, &is_new);
}

/* Before b? TSNs wrap (RFC 9260 section 1.6). */
static bool is_before(uint32_t a, uint32_t b)
{
    return (int32_t)(a - b) < 0;
}

/* Puts the fragment where it belongs; its place, or FRAGMENTS_MAX if it was there before or there is no memory. */
static size_t insert(struct sctp *s, struct waiting *w, const struct sctp_chunk *c, const struct dgram *d)
{
    size_t at = w->count;
    if (w->count == FRAGMENTS_MAX)
        drop(s, w, 0, 1, true);
    at = w->count;
    while (at > 0 && is_before(c->tsn, w->list[at - 1].tsn))
        at--;
    if (at > 0 && w->list[at - 1].tsn == c->tsn)
        return FRAGMENTS_MAX;
    uint8_t *octets = malloc(d->payload.len + 1);
    if (octets == NULL) {
        s->lost++;
        return FRAGMENTS_MAX;
    }
    if (d->payload.len > 0)
        memcpy(octets, d->payload.ptr, d->payload.len);
    memmove(&w->list[at + 1], &w->list[at], (w->count - at) * sizeof(w->list[0]));
    w->list[at] = (struct fragment){ c->tsn, c->begins, c->ends, d->truncated, d->payload.len, octets };
    w->count++;
    s->octets += d->payload.len;
    return at;
}

/* The run of consecutive TSNs around `at` that begins and ends a message; false if it is not whole. */
static bool find_whole(const struct waiting *w, size_t at, size_t *ret_first, size_t *ret_count)
{
    size_t first = at, last = at;
    while (!w->list[first].begins && first > 0 && w->list[first - 1].tsn + 1 == w->list[first].tsn)
        first--;
    while (!w->list[last].ends && last + 1 < w->count && w->list[last].tsn + 1 == w->list[last + 1].tsn)
        last++;
    *ret_first = first;
    *ret_count = last - first + 1;
    return w->list[first].begins && w->list[last].ends;
}

static bool join(struct sctp *s, struct waiting *w, size_t first, size_t count, struct dgram *d)
{
    buf_reset(&s->message);
    d->truncated = false;
    for (size_t i = first; i < first + count; i++) {
        buf_put(&s->message, w->list[i].octets, w->list[i].len);
        d->truncated |= w->list[i].truncated;
    }
    bool whole = !s->message.failed;
    d->payload = (struct hep_slice){ s->message.ptr, s->message.len };
    drop(s, w, first, count, !whole);
    return whole;
}

bool sctp_take(struct sctp *s, const struct sctp_chunk *chunk, struct dgram *dgram)
{
    size_t first, count;
    (void)lru_expire(s->streams, dgram->sec, AGE_S);
    struct waiting *w = stream_of(s, chunk, dgram);
    if (w == NULL) {
        s->lost++;
        return false;
    }
    size_t at = insert(s, w, chunk, dgram);
    bool whole = at < FRAGMENTS_MAX && find_whole(w, at, &first, &count) && join(s, w, first, count, dgram);
    if (w->count == 0)
        lru_remove(s->streams, w);
    while (s->octets > OCTETS_MAX && lru_evict(s->streams))
        ;
    return whole;
}

uint64_t sctp_lost(const struct sctp *s)
{
    return s->lost;
}
