#include "capture/tcp.h"

#include <stdlib.h>
#include <string.h>

#include "base/lru.h"
#include "hep/rd.h"

#define HELD_MAX 1024 /* segments held for one flow: keeps the search for a place short */

/*
 * A sequence number further than this from where the stream stands is not of this stream: the ports were used again
 * without a SYN being captured. Windows beyond 16 MiB do not occur with signalling.
 */
#define WINDOW (INT32_C(16) << 20)

enum { FLAG_FIN = 0x01, FLAG_SYN = 0x02, FLAG_RST = 0x04 };

struct held {
    struct held *next; /* by sequence; held segments never overlap */
    uint32_t seq;
    uint32_t len;
    uint32_t sec, usec;
    uint8_t octets[];
};

struct flow {
    struct tcp_flow pub; /* first: the consumer's pointer is ours */
    bool synced;         /* `next` is known */
    bool closed;         /* on_close() was called; the flow stays to absorb stragglers */
    bool has_fin;
    uint32_t isn;  /* sequence number of the SYN, unless midstream */
    uint32_t next; /* sequence number of the next octet to deliver */
    uint32_t fin;  /* sequence number behind the last octet */
    struct held *held;
    size_t held_count;
    size_t held_octets;                     /* bookkeeping included */
    struct flow *waits_longer, *waits_less; /* among the flows that hold segments */
};

struct key {
    struct hep_addr src, dst;
    uint32_t scope;
    uint16_t src_port, dst_port;
};

/* A parsed segment. */
struct segment {
    uint16_t src_port, dst_port;
    uint32_t seq;
    uint8_t flags;
    uint32_t sec, usec;
    struct hep_slice data;
};

struct tcp {
    struct tcp_options options;
    struct tcp_callbacks callbacks;
    struct tcp_stats stats;
    struct lru *flows;
    size_t octets;
    struct flow *longest, *latest; /* flows that hold segments, by when they last moved on */
    enum tcp_close drop_reason;
    bool silent; /* tcp_free(): no callbacks */
};

/* Sequence numbers wrap; what is less than half of the circle ahead is later (RFC 9293 section 3.4). */
static int32_t seq_diff(uint32_t a, uint32_t b)
{
    return (int32_t)(a - b);
}

/* ------------------------------------------------------------------------------------------------ delivery */

static void deliver(struct tcp *t, struct flow *f, struct hep_slice data, uint32_t sec, uint32_t usec)
{
    f->next += (uint32_t)data.len;
    t->stats.delivered_octets += data.len;
    if (t->callbacks.on_data != NULL && !t->silent)
        t->callbacks.on_data(t->callbacks.arg, &f->pub, data.ptr, data.len, sec, usec);
}

static void report_gap(struct tcp *t, struct flow *f, size_t missing)
{
    t->stats.gaps++;
    t->stats.gap_octets += missing;
    if (t->callbacks.on_gap != NULL && !t->silent)
        t->callbacks.on_gap(t->callbacks.arg, &f->pub, missing);
}

/* A flow that begins to hold, or has moved on and still holds, waits from now on. */
static void wait_begin(struct tcp *t, struct flow *f)
{
    f->waits_longer = t->latest;
    f->waits_less = NULL;
    *(t->latest != NULL ? &t->latest->waits_less : &t->longest) = f;
    t->latest = f;
}

static void wait_end(struct tcp *t, struct flow *f)
{
    *(f->waits_longer != NULL ? &f->waits_longer->waits_less : &t->longest) = f->waits_less;
    *(f->waits_less != NULL ? &f->waits_less->waits_longer : &t->latest) = f->waits_longer;
}

/* Takes the first held segment off the list and delivers it; it lies at or behind `next`. */
static void deliver_first_held(struct tcp *t, struct flow *f)
{
    struct held *h = f->held;
    size_t charge = sizeof(*h) + h->len;
    f->held = h->next;
    f->held_count--;
    f->held_octets -= charge;
    t->octets -= charge;
    wait_end(t, f);
    if (f->held != NULL)
        wait_begin(t, f);
    if (h->seq != f->next) {
        report_gap(t, f, h->seq - f->next);
        f->next = h->seq;
    }
    deliver(t, f, (struct hep_slice){ h->octets, h->len }, h->sec, h->usec);
    free(h);
}

static void deliver_contiguous(struct tcp *t, struct flow *f)
{
    while (f->held != NULL && f->held->seq == f->next)
        deliver_first_held(t, f);
}

/* Gives the missing octets before the first held segment up. */
static void skip_gap(struct tcp *t, struct flow *f)
{
    t->stats.limit_gaps++;
    deliver_first_held(t, f);
    deliver_contiguous(t, f);
}

/* ------------------------------------------------------------------------------------------------ flows */

static void close_flow(struct tcp *t, struct flow *f, enum tcp_close why)
{
    if (f->closed)
        return;
    while (f->held != NULL)
        deliver_first_held(t, f);
    if (t->callbacks.on_close != NULL && !t->silent)
        t->callbacks.on_close(t->callbacks.arg, &f->pub, why);
    if (f->pub.user != NULL && f->pub.user_free != NULL)
        f->pub.user_free(f->pub.user);
    f->pub.user = NULL;
    f->pub.user_free = NULL;
    f->closed = true;
}

static void on_drop(void *arg, const void *key, void *value)
{
    (void)key;
    struct tcp *t = arg;
    close_flow(t, value, t->drop_reason);
}

static void start_flow(struct tcp *t, struct flow *f, uint32_t next, bool midstream)
{
    f->synced = true;
    f->closed = false;
    f->has_fin = false;
    f->next = next;
    f->pub.midstream = midstream;
    t->stats.flows++;
    t->stats.flows_midstream += midstream;
}

static struct flow *flow_of(struct tcp *t, const struct tcp_input *in, const struct segment *s)
{
    struct key key;
    memset(&key, 0, sizeof(key));
    key.src = in->src;
    key.dst = in->dst;
    key.scope = in->scope;
    key.src_port = s->src_port;
    key.dst_port = s->dst_port;

    /* A bare ACK, FIN or RST of an unknown connection tells nothing. */
    bool opens = (s->flags & FLAG_SYN) != 0 || s->data.len > 0;
    if (!opens && lru_find(t->flows, &key) == NULL)
        return NULL;
    bool is_new;
    t->drop_reason = TCP_CLOSE_EVICTED;
    struct flow *f = lru_put(t->flows, &key, in->sec, &is_new);
    t->stats.flows_evicted = lru_evicted(t->flows);
    if (f == NULL)
        return NULL;
    if (is_new) {
        f->pub.src = in->src;
        f->pub.dst = in->dst;
        f->pub.src_port = s->src_port;
        f->pub.dst_port = s->dst_port;
        f->pub.has_vlan = in->has_vlan;
        f->pub.vlan = in->vlan;
    }
    f->pub.tos = in->tos;
    return f;
}

/* ------------------------------------------------------------------------------------------------ segments */

/* Links a copy of the octets from `seq` on in at `at`. */
static bool hold_piece(struct tcp *t, struct flow *f, struct held **at, uint32_t seq, struct hep_slice data,
                       const struct segment *s)
{
    struct held *h = malloc(sizeof(*h) + data.len);
    if (h == NULL) {
        t->stats.dropped_octets += data.len;
        return false;
    }
    *h = (struct held){ .next = *at, .seq = seq, .len = (uint32_t)data.len, .sec = s->sec, .usec = s->usec };
    memcpy(h->octets, data.ptr, data.len);
    *at = h;
    if (f->held_count == 0)
        wait_begin(t, f);
    f->held_count++;
    f->held_octets += sizeof(*h) + data.len;
    t->octets += sizeof(*h) + data.len;
    return true;
}

static struct hep_slice drop_front(struct hep_slice s, size_t n)
{
    return (struct hep_slice){ s.ptr + n, s.len - n };
}

/* Holds those octets of a segment from the future that fall between the held ones: who came first wins. */
static enum tcp_result hold(struct tcp *t, struct flow *f, uint32_t seq, struct hep_slice data, const struct segment *s)
{
    t->stats.out_of_order++;
    struct held **at = &f->held;
    while (data.len > 0) {
        while (*at != NULL && seq_diff((*at)->seq + (*at)->len, seq) <= 0)
            at = &(*at)->next;
        size_t hole = data.len;
        if (*at != NULL && seq_diff((*at)->seq, seq + (uint32_t)data.len) < 0)
            hole = seq_diff((*at)->seq, seq) > 0 ? (*at)->seq - seq : 0;
        if (hole > 0 && !hold_piece(t, f, at, seq, (struct hep_slice){ data.ptr, hole }, s)) {
            t->stats.dropped_octets += data.len - hole;
            return TCP_NO_MEMORY;
        }
        seq += (uint32_t)hole;
        data = drop_front(data, hole);
        if (hole > 0 || data.len == 0)
            continue;
        size_t covered = (*at)->seq + (*at)->len - seq;
        covered = covered < data.len ? covered : data.len;
        t->stats.retransmitted_octets += covered;
        seq += (uint32_t)covered;
        data = drop_front(data, covered);
    }
    return TCP_OK;
}

/* Delivers a segment that begins at `next`, around held octets, which came first. */
static void deliver_now(struct tcp *t, struct flow *f, struct hep_slice data, const struct segment *s)
{
    while (data.len > 0) {
        size_t part = data.len;
        if (f->held != NULL && f->held->seq - f->next < part)
            part = f->held->seq - f->next;
        if (part > 0)
            deliver(t, f, (struct hep_slice){ data.ptr, part }, s->sec, s->usec);
        data = drop_front(data, part);
        if (data.len == 0)
            break;
        size_t covered = f->held->len < data.len ? f->held->len : data.len;
        t->stats.retransmitted_octets += covered;
        data = drop_front(data, covered);
        deliver_first_held(t, f);
    }
    deliver_contiguous(t, f);
}

/* True if holding `len` more octets would break a limit. A new segment can be cut in pieces by held ones: count 2. */
static bool too_much(const struct tcp *t, const struct flow *f, size_t len)
{
    size_t charge = len + (f->held_count + 2) * sizeof(struct held);
    return f->held_count >= HELD_MAX || f->held_octets + charge > t->options.max_flow_octets ||
           t->octets + charge > t->options.max_octets;
}

/* True if the first held segment has waited too long. */
static bool too_old(const struct tcp *t, const struct flow *f, uint32_t now)
{
    return f->held != NULL && now > f->held->sec && now - f->held->sec > t->options.max_hold;
}

/* Ends waits that are too long, also of flows that have fallen silent. */
static void expire_held(struct tcp *t, uint32_t now)
{
    while (t->longest != NULL && too_old(t, t->longest, now))
        skip_gap(t, t->longest);
}

/* Adds data at or behind `next`. */
static enum tcp_result add_future(struct tcp *t, struct flow *f, uint32_t seq, struct hep_slice data,
                                  const struct segment *s)
{
    while (seq_diff(seq, f->next) > 0) {
        if (!too_much(t, f, data.len))
            return hold(t, f, seq, data, s);
        if (f->held == NULL || seq_diff(f->held->seq, seq) >= 0) {
            t->stats.limit_gaps++;
            report_gap(t, f, seq - f->next);
            f->next = seq;
        } else {
            skip_gap(t, f);
        }
    }
    /* Gaps skipped on the way may have delivered a part of it. */
    size_t seen = (size_t)(f->next - seq);
    seen = seen < data.len ? seen : data.len;
    t->stats.retransmitted_octets += seen;
    deliver_now(t, f, drop_front(data, seen), s);
    return TCP_OK;
}

static enum tcp_result add_data(struct tcp *t, struct flow *f, const struct segment *s, uint32_t seq)
{
    struct hep_slice data = s->data;
    if (data.len == 0)
        return TCP_OK;
    int32_t ahead = seq_diff(seq, f->next);
    if (ahead > WINDOW || ahead < -WINDOW) { /* another stream: what is held belongs to the old one */
        while (f->held != NULL)
            deliver_first_held(t, f);
        report_gap(t, f, 0);
        f->has_fin = false;
        f->next = seq;
        ahead = 0;
    }
    if (ahead < 0) {
        size_t old = (size_t) - (int64_t)ahead < data.len ? (size_t) - (int64_t)ahead : data.len;
        t->stats.retransmitted_octets += old;
        data = drop_front(data, old);
        seq += (uint32_t)old;
    }
    return data.len > 0 ? add_future(t, f, seq, data, s) : TCP_OK;
}

/* A segment with data for a flow that is over: a straggler, or a new connection that began unseen. */
static bool reopens(const struct flow *f, const struct segment *s)
{
    int32_t end = seq_diff(s->seq + (uint32_t)s->data.len, f->next);
    return end > 0 || end < -WINDOW;
}

static void take_syn(struct tcp *t, struct flow *f, const struct segment *s)
{
    if (f->synced && !f->pub.midstream && f->isn == s->seq)
        return; /* retransmitted SYN, also after the end */
    if (f->synced && f->pub.midstream && !f->closed && f->next - (s->seq + 1) < (uint32_t)WINDOW)
        return; /* the SYN of this very stream, captured late */
    if (f->synced)
        close_flow(t, f, TCP_CLOSE_REOPEN);
    start_flow(t, f, s->seq + 1, false);
    f->isn = s->seq;
}

static void take_end(struct tcp *t, struct flow *f, const struct segment *s, uint32_t seq)
{
    if ((s->flags & FLAG_RST) != 0) {
        close_flow(t, f, TCP_CLOSE_RESET);
        return;
    }
    if ((s->flags & FLAG_FIN) != 0 && !f->has_fin) {
        f->has_fin = true;
        f->fin = seq + (uint32_t)s->data.len;
    }
    if (f->has_fin && seq_diff(f->next, f->fin) >= 0)
        close_flow(t, f, TCP_CLOSE_FIN);
}

static enum tcp_result add_segment(struct tcp *t, struct flow *f, const struct segment *s)
{
    uint32_t seq = s->seq;
    if ((s->flags & FLAG_SYN) != 0) {
        take_syn(t, f, s);
        seq++; /* the SYN counts as one octet */
    }
    if (!f->synced || (f->closed && s->data.len > 0 && reopens(f, s)))
        start_flow(t, f, seq, true);
    if (f->closed) {
        t->stats.dropped_octets += s->data.len;
        return TCP_OK;
    }
    while (too_old(t, f, s->sec))
        skip_gap(t, f);
    enum tcp_result result = add_data(t, f, s, seq);
    take_end(t, f, s, seq);
    return result;
}

static enum tcp_result parse(const struct tcp_input *in, struct segment *ret)
{
    struct rd r;
    rd_init(&r, in->segment.ptr, in->segment.len);
    ret->src_port = rd_u16(&r);
    ret->dst_port = rd_u16(&r);
    ret->seq = rd_u32(&r);
    rd_skip(&r, 4);
    size_t header = (size_t)(rd_u8(&r) >> 4) * 4;
    ret->flags = rd_u8(&r);
    rd_skip(&r, 6);
    if (r.bad)
        return TCP_SHORT;
    if (header < 20)
        return TCP_OFFSET;
    rd_skip(&r, header - 20);
    if (r.bad)
        return TCP_SHORT;
    ret->sec = in->sec;
    ret->usec = in->usec;
    ret->data = (struct hep_slice){ r.ptr, rd_left(&r) };
    return TCP_OK;
}

enum tcp_result tcp_add(struct tcp *t, const struct tcp_input *in)
{
    struct segment s;
    enum tcp_result result = parse(in, &s);
    if (result != TCP_OK)
        return result;
    t->stats.segments++;
    t->stats.octets += s.data.len;
    t->drop_reason = TCP_CLOSE_IDLE;
    (void)lru_expire(t->flows, in->sec, t->options.max_idle);
    expire_held(t, in->sec);
    struct flow *f = flow_of(t, in, &s);
    if (f != NULL)
        return add_segment(t, f, &s);
    t->stats.dropped_octets += s.data.len;
    return s.data.len > 0 ? TCP_NO_MEMORY : TCP_OK;
}

/* ------------------------------------------------------------------------------------------------ life */

static size_t or_default(size_t value, size_t fallback)
{
    return value != 0 ? value : fallback;
}

struct tcp *tcp_new(const struct tcp_options *options, const struct tcp_callbacks *callbacks)
{
    struct tcp *t = calloc(1, sizeof(*t));
    if (t == NULL)
        return NULL;
    if (options != NULL)
        t->options = *options;
    t->callbacks = *callbacks;
    struct tcp_options *o = &t->options;
    o->max_flows = or_default(o->max_flows, 65536);
    o->max_flow_octets = or_default(o->max_flow_octets, (size_t)256 << 10);
    o->max_octets = or_default(o->max_octets, (size_t)64 << 20);
    o->max_hold = (uint32_t)or_default(o->max_hold, 5);
    o->max_idle = (uint32_t)or_default(o->max_idle, 1800);
    t->flows = lru_new(&(struct lru_options){
        .key_size = sizeof(struct key),
        .value_size = sizeof(struct flow),
        .capacity = o->max_flows,
        .on_drop = on_drop,
        .arg = t,
    });
    if (t->flows == NULL) {
        free(t);
        return NULL;
    }
    return t;
}

static void drop_all(struct tcp *t)
{
    t->drop_reason = TCP_CLOSE_END;
    struct flow *f;
    while ((f = lru_oldest(t->flows)) != NULL)
        lru_remove(t->flows, f);
}

void tcp_finish(struct tcp *t)
{
    drop_all(t);
}

void tcp_free(struct tcp *t)
{
    if (t == NULL)
        return;
    t->silent = true;
    drop_all(t);
    lru_free(t->flows);
    free(t);
}

const struct tcp_stats *tcp_stats(const struct tcp *t)
{
    return &t->stats;
}

size_t tcp_octets(const struct tcp *t)
{
    return t->octets;
}

size_t tcp_flows(const struct tcp *t)
{
    return lru_count(t->flows);
}
