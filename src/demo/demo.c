#include "demo/demo.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "demo/call.h"
#include "rtp/rtcp_json.h"

#define MESSAGE_MAX 4096
#define JSON_MAX    (64u * 1024)
#define CALLS_FIRST 64

/* The next event of a call. Events of the same time come in the order in which they were made. */
struct event {
    uint64_t due; /* microseconds, Unix time */
    uint64_t order;
    uint32_t call;
};

struct demo {
    struct demo_options o;
    uint64_t random;
    uint64_t weight_sum;
    uint64_t next_start; /* microseconds, Unix time */
    uint64_t now;        /* time of the last message */
    uint64_t order;

    /* calls[] and heap[] have `cap` rows; heap[0..used) is a binary heap, its smallest first; the calls that are named
     * in the rows behind it are free. */
    struct demo_call *calls;
    struct event *heap;
    uint32_t cap, used;

    struct demo_stats stats;
    struct demo_about about;
    bool held; /* the next call waits for a place */
    char message[MESSAGE_MAX];
    char call_id[128];
    uint8_t rtcp[DEMO_RTCP_MAX];
    struct buf json;
};

void demo_options_init(struct demo_options *o)
{
    *o = (struct demo_options){ .rate = 10, .talk = 20, .concurrent = DEMO_CONCURRENT_USUAL };
    demo_mix_usual(&o->mix);
}

static uint64_t sum_weights(const struct demo_mix *mix)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < demo_all_count; i++)
        sum += mix->weights[i];
    return sum;
}

static bool valid(const struct demo_options *o)
{
    for (size_t i = 0; i < DEMO_SCENARIOS_MAX; i++)
        if (o->mix.weights[i] > DEMO_WEIGHT_MAX)
            return false;
    return o->rate >= 1 && o->rate <= DEMO_RATE_MAX && o->talk >= 1 && o->talk <= DEMO_TALK_MAX && o->concurrent >= 1 &&
           o->concurrent <= DEMO_CONCURRENT_MAX && sum_weights(&o->mix) > 0;
}

struct demo *demo_new(uint64_t seed, const struct demo_options *options)
{
    struct demo *d = valid(options) ? calloc(1, sizeof(*d)) : NULL;
    if (d == NULL)
        return NULL;
    d->o = *options;
    d->random = random_mix(seed + 1);
    d->weight_sum = sum_weights(&options->mix);
    d->next_start = d->now = options->start_us;
    buf_init(&d->json, JSON_MAX);
    return d;
}

void demo_free(struct demo *d)
{
    if (d == NULL)
        return;
    buf_free(&d->json);
    free(d->calls);
    free(d->heap);
    free(d);
}

/* ------------------------------------------------------------------------------------------------ heap */

static bool before(const struct event *a, const struct event *b)
{
    return a->due != b->due ? a->due < b->due : a->order < b->order;
}

static void sift_up(struct demo *d, uint32_t at)
{
    struct event e = d->heap[at];
    for (uint32_t parent; at > 0 && before(&e, &d->heap[parent = (at - 1) / 2]); at = parent)
        d->heap[at] = d->heap[parent];
    d->heap[at] = e;
}

static void sift_down(struct demo *d, uint32_t at)
{
    struct event e = d->heap[at];
    for (;;) {
        uint32_t child = 2 * at + 1;
        if (child >= d->used)
            break;
        child += child + 1 < d->used && before(&d->heap[child + 1], &d->heap[child]);
        if (!before(&d->heap[child], &e))
            break;
        d->heap[at] = d->heap[child];
        at = child;
    }
    d->heap[at] = e;
}

/* Gives the first event another time. */
static void postpone(struct demo *d, uint64_t due)
{
    d->heap[0].due = due;
    d->heap[0].order = d->order++;
    sift_down(d, 0);
}

/* Takes the first event out; its call is free. */
static void drop_first(struct demo *d)
{
    struct event e = d->heap[0];
    d->used--;
    d->heap[0] = d->heap[d->used];
    d->heap[d->used] = e;
    if (d->used > 0)
        sift_down(d, 0);
    d->stats.concurrent = d->used;
}

static bool grow(struct demo *d)
{
    uint32_t cap = d->cap == 0 ? CALLS_FIRST : d->cap * 2;
    if (cap > d->o.concurrent)
        cap = d->o.concurrent;
    struct demo_call *calls = realloc(d->calls, cap * sizeof(*calls));
    if (calls == NULL)
        return false;
    d->calls = calls;
    struct event *heap = realloc(d->heap, cap * sizeof(*heap));
    if (heap == NULL)
        return false;
    d->heap = heap;
    for (uint32_t i = d->cap; i < cap; i++)
        heap[i] = (struct event){ .call = i };
    d->cap = cap;
    return true;
}

/* ------------------------------------------------------------------------------------------------ calls */

/* Half of the values are between low and median; the others thin out towards high, as the cube of a number does. */
static uint64_t draw(uint64_t *random, struct demo_delay_range r, uint32_t scale)
{
    uint64_t x = random_below(random, 1u << 16);
    uint64_t span = r.median - r.low;
    if (random_next(random) & 1)
        return (r.low + (span * x >> 16)) * scale;
    span = r.high - r.median;
    return (r.median + (span * (x * x >> 16) >> 16) * x / 65536) * scale;
}

static size_t draw_scenario(struct demo *d)
{
    uint64_t left = random_next(&d->random) % d->weight_sum;
    size_t i = 0;
    while (left >= d->o.mix.weights[i])
        left -= d->o.mix.weights[i++];
    return i;
}

static uint64_t talk_time(struct demo *d, struct demo_call *c)
{
    return draw(&c->random, demo_delays[DELAY_TALK], d->o.talk);
}

/* Time of the call's next event, at the step that it stands at. */
static uint64_t enter_step(struct demo *d, struct demo_call *c, uint64_t now)
{
    const struct demo_step *s = &c->scenario->steps[c->step];
    if (s->what != WHAT_MEDIA)
        return now + draw(&c->random, demo_delays[s->delay], 1);
    if (c->talk_began == 0)
        c->talk_began = now;
    c->talk_end = now + talk_time(d, c);
    uint64_t first = now + c->interval / 2;
    return c->interval != 0 && first < c->talk_end ? first : c->talk_end;
}

static void init_call(struct demo *d, struct demo_call *c)
{
    size_t scenario = draw_scenario(d);
    *c = (struct demo_call){ .scenario = &demo_all[scenario], .number = d->stats.calls++ };
    c->secret = random_next(&d->random);
    c->random = random_next(&d->random);
    c->defect = (uint8_t)random_below(&c->random, 256);
    /* Some agents see no RTCP; the others report every 5 s or less often (RFC 3550 section 6.2). */
    if (random_below(&c->random, 100) < 60)
        c->interval = 5000000 + random_below(&c->random, 10000000);
    demo_cast_choose(&c->cast, &c->random, c->scenario->from_subscriber, c->scenario->malformed);
}

static void start_call(struct demo *d)
{
    struct event *e = &d->heap[d->used];
    struct demo_call *c = &d->calls[e->call];
    uint64_t start = d->next_start > d->now ? d->next_start : d->now;
    d->stats.held_back += d->held;
    d->held = false;
    init_call(d, c);
    e->due = enter_step(d, c, start);
    e->order = d->order++;
    d->used++;
    sift_up(d, d->used - 1);
    d->stats.concurrent = d->used;
    if (d->used > d->stats.peak)
        d->stats.peak = d->used;
    /* Anything from nothing to twice the mean. In 1/256 of a microsecond, so that high rates come out right. */
    uint64_t mean = UINT64_C(1000000) * 256 / d->o.rate;
    d->next_start += (random_next(&d->random) % (2 * mean + 1) + (random_next(&d->random) & 255)) / 256;
}

/* Begins the calls whose time has come. False if there is no memory for the first one. */
static bool start_calls(struct demo *d)
{
    while ((d->o.calls == 0 || d->stats.calls < d->o.calls) && (d->used == 0 || d->next_start <= d->heap[0].due)) {
        if (d->o.end_us != 0 && d->next_start > d->o.end_us)
            break;
        if (d->used == d->cap && (d->cap == d->o.concurrent || !grow(d))) {
            d->held = true;
            return d->used > 0;
        }
        start_call(d);
    }
    return true;
}

/* ------------------------------------------------------------------------------------------------ messages */

static void set_ends(struct hep_msg *m, const struct hep_addr *src, uint16_t src_port, const struct hep_addr *dst,
                     uint16_t dst_port)
{
    (void)hep_set_src(m, src->octets, src->len, src_port);
    (void)hep_set_dst(m, dst->octets, dst->len, dst_port);
}

static void set_hop(struct hep_msg *m, const struct demo_call *c, enum demo_hop hop)
{
    const struct demo_party *p = demo_hop_party(c, hop);
    if (demo_to_proxy(hop))
        set_ends(m, &p->addr, p->port, &c->cast.proxy, PROXY_PORT);
    else
        set_ends(m, &c->cast.proxy, PROXY_PORT, &p->addr, p->port);
    m->protocol = p->protocol;
}

static void begin_message(struct demo *d, struct hep_msg *m, uint8_t type)
{
    hep_msg_init(m, type);
    m->time_sec = (uint32_t)(d->now / 1000000);
    m->time_usec = (uint32_t)(d->now % 1000000);
    m->capture_id = PROXY_ID;
    (void)hep_set_octets(m, HEP_CHUNK_NODE_NAME, PROXY_NODE, sizeof(PROXY_NODE) - 1);
}

static void correlate(struct demo *d, struct hep_msg *m, const struct demo_call *c)
{
    struct text t = text_into(d->call_id, sizeof(d->call_id));
    demo_put_call_id(&t, c);
    (void)hep_set_octets(m, HEP_CHUNK_CORRELATION_ID, t.at, t.len);
}

/* What is put in the place of what; both have the same length. */
static const struct {
    const char *is, *becomes;
} defects[] = {
    { "\r\nCall-ID: ", "\r\nDial-ID: " },
    { " SIP/2.0\r\n", " SIP/2,0\r\n" },
    { "\r\nCSeq: ", "\r\nCSeq; " },
    { "\r\nFrom: ", "\r\nFrom:\xff" },
    { "\r\nMax-Forwards: ", "\r\nMax-Forwards:-" },
    { "\r\nContent-Length: ", "\r\nContent-Length:9" },
    { "\r\nVia: ", "\r\nVi\x01: " },
};
#define DEFECT_COUNT (sizeof(defects) / sizeof(defects[0]))

/* The last defect is that the message ends in the middle of its headers. */
static void spoil(struct text *t, unsigned defect)
{
    size_t row = defect % (DEFECT_COUNT + 1);
    if (row == DEFECT_COUNT) {
        t->len = t->len / 4;
        return;
    }
    size_t len = strlen(defects[row].is);
    char *at = memmem(t->at, t->len, defects[row].is, len);
    if (at != NULL)
        memcpy(at, defects[row].becomes, len);
}

static void give_sip(struct demo *d, struct demo_call *c, const struct demo_step *s, struct hep_msg *m)
{
    struct text t = text_into(d->message, sizeof(d->message));
    bool first = s->status == 0 && !(s->flags & H_DIALOG) && s->what != WHAT_ACK && s->what != WHAT_CANCEL;
    if (first)
        c->dialog_txn = s->txn;
    if (first && (s->hop == HOP_P_C || (s->flags & H_NEW_TARGET)))
        c->target = 1;
    demo_put_sip(&t, c, s);
    if (c->scenario->malformed)
        spoil(&t, c->defect);
    begin_message(d, m, HEP_TYPE_SIP);
    set_hop(m, c, s->hop);
    (void)hep_set_octets(m, HEP_CHUNK_PAYLOAD, t.at, t.len);
    d->about.wire = m->payload;
}

static void give_log(struct demo *d, const struct demo_call *c, const struct demo_step *s, struct hep_msg *m)
{
    struct text t = text_into(d->message, sizeof(d->message));
    demo_put_log(&t, c);
    begin_message(d, m, HEP_TYPE_LOG);
    set_hop(m, c, s->hop);
    correlate(d, m, c);
    (void)hep_set_octets(m, HEP_CHUNK_PAYLOAD, t.at, t.len);
    d->about.wire = (struct hep_slice){ NULL, 0 };
}

/* A report, or, of a relayed call, what the B2BUA reports to the caller. */
static void set_media_ends(struct hep_msg *m, const struct demo_call *c, bool from_a)
{
    const struct demo_party *a = &c->cast.a, *b = demo_callee(c);
    bool relayed = c->scenario->bridge == BRIDGE_NOTHING;
    const struct hep_addr *far = relayed ? &c->cast.proxy : &b->media;
    uint16_t port = relayed ? demo_relay_port(c, true) : b->media_port;
    if (from_a)
        set_ends(m, &a->media, a->media_port + 1, far, port + 1);
    else
        set_ends(m, far, port + 1, &a->media, a->media_port + 1);
}

/* The sides report in turn. */
static void give_rtcp(struct demo *d, struct demo_call *c, struct hep_msg *m)
{
    bool from_a = c->reports % 2 == 0;
    size_t len = demo_rtcp(c, d->now, from_a, d->rtcp);
    buf_reset(&d->json);
    (void)rtcp_json(&d->json, d->rtcp, len);
    begin_message(d, m, HEP_TYPE_RTCP);
    set_media_ends(m, c, from_a);
    correlate(d, m, c);
    (void)hep_set_octets(m, HEP_CHUNK_PAYLOAD, d->json.ptr, d->json.len);
    d->about.wire = (struct hep_slice){ d->rtcp, len };
}

/* Goes to the next step of the first event's call, or ends the call. */
static void advance(struct demo *d, struct demo_call *c)
{
    if (++c->step == c->scenario->count)
        drop_first(d);
    else
        postpone(d, enter_step(d, c, d->now));
}

/* Performs the first event. True if it gave a message. */
static bool perform(struct demo *d, struct hep_msg *m)
{
    struct demo_call *c = &d->calls[d->heap[0].call];
    const struct demo_step *s = &c->scenario->steps[c->step];
    d->now = d->heap[0].due;
    d->about.scenario = (unsigned)(c->scenario - demo_all);
    d->about.call = c->number;
    if (s->what == WHAT_MEDIA && d->now >= c->talk_end) {
        advance(d, c);
        return false;
    }
    if (s->what == WHAT_MEDIA) {
        give_rtcp(d, c, m);
        uint64_t next = d->now + c->interval / 2;
        postpone(d, next < c->talk_end ? next : c->talk_end);
        return true;
    }
    if (s->what == WHAT_LOG)
        give_log(d, c, s, m);
    else
        give_sip(d, c, s, m);
    advance(d, c);
    return true;
}

bool demo_next(struct demo *d, struct hep_msg *ret)
{
    do {
        if (!start_calls(d) || d->used == 0)
            return false;
        if (d->o.end_us != 0 && d->heap[0].due > d->o.end_us)
            return false;
    } while (!perform(d, ret));
    d->stats.messages++;
    return true;
}

const struct demo_about *demo_last(const struct demo *d)
{
    return &d->about;
}

void demo_stats(const struct demo *d, struct demo_stats *ret)
{
    *ret = d->stats;
}
