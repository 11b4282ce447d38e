#include "tap/tap.h"

#include <stdlib.h>
#include <string.h>

#include "sip/sdp.h"
#include "tap/internal.h"

#define LOOK_US      1000000 /* how often a stream is looked at */
#define FLOW_SECONDS 60      /* that addresses and ports are kept behind their last stream */
#define FIRST_AHEAD  50      /* sequence numbers that the first packets of a source may be apart, with SDP */
#define GUESS_AHEAD  5       /* and without */
#define PORT_MIN     1024    /* of what is guessed: nobody sends media from below */
#define TYPE_NOISE   13      /* comfort noise (RFC 3389) */

/* ------------------------------------------------------------------------------------------------ names, ranges */

const char *match_name(enum match match)
{
    static const char *const names[] = { "none", "sdp", "symmetric", "flow", "ssrc", "cname" };
    return names[match];
}

void range_add(struct range *r, double value)
{
    if (r->count == 0 || value < r->min)
        r->min = value;
    if (r->count == 0 || value > r->max)
        r->max = value;
    r->sum += value;
    r->last = value;
    r->count++;
}

/* ------------------------------------------------------------------------------------------------ list of streams */

static void list_append(struct tap *t, struct stream *s)
{
    s->prev = t->last;
    s->next = NULL;
    *(t->last != NULL ? &t->last->next : &t->first) = s;
    t->last = s;
}

static void list_remove(struct tap *t, struct stream *s)
{
    *(s->prev != NULL ? &s->prev->next : &t->first) = s->next;
    *(s->next != NULL ? &s->next->prev : &t->last) = s->prev;
}

/* ------------------------------------------------------------------------------------------------ whose it is */

static void bind_call(struct tap *t, struct stream *s, struct call *c, enum match match)
{
    call_ref(c);
    s->call = c;
    s->match = (uint8_t)match;
    ssrc_learn(t, s->ssrc, c, s);
    c->active = true;
}

static void bind_place(struct tap *t, struct stream *s, const struct place *p, enum match match)
{
    bind_call(t, s, p->call, match);
    s->role = match == MATCH_SDP ? p->role : !p->role;
    s->medium = p->medium;
    s->both_ways = p->both_ways;
    s->ptime = p->ptime;
    s->formats = p->formats;
    s->has_format = false;
    p->call->receiving[s->role]++;
}

/*
 * By where it goes, else by where it comes from: most send from where they receive (RFC 4961), and behind a NAT the one
 * end whose address is true says enough. Else by a source that SDP or RTCP told of.
 */
static void find_call(struct tap *t, struct stream *s)
{
    const struct flow_key *key = lru_key(t->flows, s->flow);
    const struct place *p = place_of(t, &key->dst, key->dst_port, key->scope);
    if (p != NULL && p->rtp) {
        bind_place(t, s, p, MATCH_SDP);
        return;
    }
    p = place_of(t, &key->src, key->src_port, key->scope);
    if (p != NULL && p->rtp) {
        bind_place(t, s, p, MATCH_SYMMETRIC);
        return;
    }
    struct call *c = ssrc_call(t, s->ssrc);
    if (c != NULL) {
        bind_call(t, s, c, MATCH_SSRC);
        s->role = ROLE_CALLED;
        c->receiving[s->role]++;
    }
}

struct stream *stream_of_flow(struct tap *t, const struct hep_addr *src, uint16_t src_port, const struct hep_addr *dst,
                              uint16_t dst_port, uint32_t scope)
{
    struct flow_key key;
    memset(&key, 0, sizeof(key));
    key.src = *src;
    key.dst = *dst;
    key.src_port = src_port;
    key.dst_port = dst_port;
    key.scope = scope;
    struct flow *f = lru_find(t->flows, &key);
    return f == NULL ? NULL : f->streams;
}

static struct stream *opposite(struct tap *t, const struct stream *s)
{
    const struct flow_key *k = lru_key(t->flows, s->flow);
    return stream_of_flow(t, &k->dst, k->dst_port, &k->src, k->src_port, k->scope);
}

double stream_delay(struct tap *t, const struct stream *s)
{
    const struct stream *back = opposite(t, s);
    double there = s->rtt_ms > 0 ? s->rtt_ms : 0;
    double here = back != NULL && back->rtt_ms > 0 ? back->rtt_ms : 0;
    return (there + here) / 2;
}

bool stream_alone(struct tap *t, const struct stream *s)
{
    return opposite(t, s) == NULL && (s->call == NULL || s->call->receiving[!s->role] == 0);
}

/* ------------------------------------------------------------------------------------------------ codec */

static void copy_codec(char to[CODEC_MAX], const char *from)
{
    size_t len = strlen(from);
    len = len < CODEC_MAX ? len : CODEC_MAX - 1;
    memcpy(to, from, len);
    to[len] = '\0';
}

static bool same_text(const char *a, const char *b)
{
    for (; *a != '\0' && *b != '\0'; a++, b++) {
        if ((*a | 0x20) != (*b | 0x20))
            return false;
    }
    return *a == *b;
}

static void told_mismatch(struct tap *t, struct stream *s)
{
    if (s->told_mismatch || s->formats.count == 0 || s->match != MATCH_SDP)
        return;
    s->told_mismatch = true;
    report_event(t, s, s->call, "codec_mismatch", "payload_type", s->payload_type);
}

/* The packets change to another payload type: what it is, by SDP or by RFC 3551. */
static void set_format(struct tap *t, struct stream *s, uint8_t payload_type)
{
    const struct format *f = format_of(&s->formats, payload_type);
    uint32_t clock = 0;
    const char *codec = f != NULL ? f->codec : sdp_static_codec(payload_type, &clock);
    s->has_format = true;
    s->payload_type = payload_type;
    s->clock = f != NULL ? f->clock : clock;
    if (codec == NULL)
        codec = "";
    s->is_event = same_text(codec, "telephone-event");
    s->is_noise = payload_type == TYPE_NOISE || same_text(codec, "CN");
    if (f == NULL && !s->is_noise)
        told_mismatch(t, s);
    if (s->is_event || s->is_noise)
        return;
    s->main_type = payload_type;
    s->main_clock = s->clock;
    copy_codec(s->codec, codec);
    s->rated = emodel_codec((struct hep_slice){ (const uint8_t *)codec, strlen(codec) }, 0, true);
}

/* ------------------------------------------------------------------------------------------------ DTMF */

/* An event is one RTP time; its end is sent three times, and may be lost (RFC 4733 section 2.5). */
static void take_event(struct tap *t, struct stream *s, const struct rtp_packet *p)
{
    struct rtp_event e;
    if (!rtp_event_read(p->payload, &e))
        return;
    bool is_new = s->event_time != p->time || !s->has_event;
    if (is_new && s->in_event)
        report_digit(t, s, false);
    if (is_new) {
        s->has_event = s->in_event = true;
        s->event_time = p->time;
    }
    if (!s->in_event)
        return;
    s->last_event = e;
    if (e.end) {
        report_digit(t, s, true);
        s->in_event = false;
    }
}

/* ------------------------------------------------------------------------------------------------ streams */

static struct stream *find_stream(struct flow *f, uint32_t ssrc)
{
    for (struct stream **at = &f->streams; *at != NULL; at = &(*at)->next_of_flow) {
        struct stream *s = *at;
        if (s->ssrc != ssrc)
            continue;
        *at = s->next_of_flow;
        s->next_of_flow = f->streams;
        f->streams = s;
        return s;
    }
    return NULL;
}

static void resume(struct tap *t, struct stream *s, int64_t at_us)
{
    s->silent = false;
    report_event(t, s, s->call, "silence_end", "after_ms", (double)(at_us - s->last_us) / 1000);
}

static void take_rtp(struct tap *t, struct stream *s, const struct rtp_packet *p, int64_t at_us)
{
    if (!s->has_format || p->payload_type != s->payload_type)
        set_format(t, s, p->payload_type);
    if (s->silent)
        resume(t, s, at_us);
    enum rtp_received got = rtp_receiver_packet(&s->receiver, p, at_us, s->clock, !s->is_event);
    s->last_us = at_us;
    t->counters.rtp++;
    if (s->is_event && got != RTP_DUPLICATE)
        take_event(t, s, p);
}

static void end_stream(struct tap *t, struct stream *s)
{
    if (s->in_event)
        report_digit(t, s, false);
    rtp_receiver_finish(&s->receiver);
    if (!t->quiet)
        report_stream(t, s, REPORT_HANGUP);
    t->counters.streams_over++;
    t->counters.streams_unmatched += s->call == NULL;
    if (s->call != NULL)
        s->call->receiving[s->role]--;
    ssrc_forget(t, s);
    call_unref(s->call);
    struct stream **at = &s->flow->streams;
    while (*at != s)
        at = &(*at)->next_of_flow;
    *at = s->next_of_flow;
    s->flow->stream_count--;
    list_remove(t, s);
    t->stream_count--;
    free(s);
}

static void on_flow_drop(void *arg, const void *key, void *value)
{
    (void)key;
    struct tap *t = arg;
    struct flow *f = value;
    while (f->streams != NULL)
        end_stream(t, f->streams);
    t->counters.rtp_early += f->pending_count;
}

static struct stream *new_stream(struct tap *t, struct flow *f, uint32_t ssrc, const struct tap_packet *p)
{
    if (t->stream_count >= t->o.max_streams) {
        t->counters.rtp_refused++;
        return NULL;
    }
    struct stream *s = calloc(1, sizeof(*s));
    if (s == NULL) {
        t->counters.no_memory++;
        return NULL;
    }
    s->ssrc = ssrc;
    s->flow = f;
    s->rtt_ms = -1;
    s->tos = p->tos;
    s->has_vlan = p->has_vlan;
    s->vlan = p->vlan;
    s->has_mac = p->has_mac;
    s->src_mac = p->src_mac;
    s->dst_mac = p->dst_mac;
    s->begun_us = s->look_us = s->reported_us = f->pending[0].at_us;
    rtp_receiver_init(&s->receiver, t->o.buffer_ms);
    f->changes += f->stream_count > 0;
    if (f->stream_count == FLOW_STREAMS) { /* the one that was silent for longest makes room */
        struct stream *oldest = f->streams;
        while (oldest->next_of_flow != NULL)
            oldest = oldest->next_of_flow;
        end_stream(t, oldest);
    }
    s->next_of_flow = f->streams;
    f->streams = s;
    f->stream_count++;
    list_append(t, s);
    t->stream_count++;
    t->counters.streams++;
    find_call(t, s);
    return s;
}

/* The packets of a source that waited are its first ones. */
static void take_pending(struct tap *t, struct flow *f, struct stream *s)
{
    for (unsigned i = 0; i < f->pending_count; i++) {
        f->pending[i].packet.payload.ptr = f->pending[i].head;
        take_rtp(t, s, &f->pending[i].packet, f->pending[i].at_us);
    }
    f->pending_count = 0;
}

/* How many packets in a row make a stream: fewer where SDP says that there will be one. */
static unsigned packets_needed(struct tap *t, const struct tap_packet *p, unsigned *ret_ahead)
{
    const struct place *place = place_of(t, &p->dst, p->dst_port, p->scope);
    if (place == NULL)
        place = place_of(t, &p->src, p->src_port, p->scope);
    *ret_ahead = place != NULL ? FIRST_AHEAD : GUESS_AHEAD;
    if (place != NULL)
        return 2;
    bool low = p->src_port < PORT_MIN || p->dst_port < PORT_MIN;
    return t->o.no_heuristics || low ? 0 : PENDING_MAX;
}

/* A packet of a source that is no stream yet. False: it is not taken for RTP. */
static bool take_early(struct tap *t, struct flow *f, const struct tap_packet *p, const struct rtp_packet *rtp,
                       int64_t at_us)
{
    unsigned ahead;
    unsigned needed = packets_needed(t, p, &ahead);
    if (needed == 0)
        return false;
    if (f->pending_count > 0) {
        const struct rtp_packet *before = &f->pending[f->pending_count - 1].packet;
        uint16_t step = (uint16_t)(rtp->seq - before->seq);
        if (before->ssrc != rtp->ssrc || step == 0 || step > ahead) {
            t->counters.rtp_early += f->pending_count;
            f->pending_count = 0;
        }
    }
    struct pending *at = &f->pending[f->pending_count++];
    *at = (struct pending){ .at_us = at_us, .packet = *rtp };
    memcpy(at->head, rtp->payload.ptr, rtp->payload.len < sizeof(at->head) ? rtp->payload.len : sizeof(at->head));
    if (f->pending_count < needed)
        return true;
    struct stream *s = new_stream(t, f, rtp->ssrc, p);
    if (s != NULL) {
        take_pending(t, f, s);
    } else {
        t->counters.rtp_early += f->pending_count;
        f->pending_count = 0;
    }
    return true;
}

/* ------------------------------------------------------------------------------------------------ packets */

static struct flow *flow_of(struct tap *t, const struct tap_packet *p)
{
    struct flow_key key;
    bool is_new;
    memset(&key, 0, sizeof(key)); /* the table compares octets, padding included */
    key.src = p->src;
    key.dst = p->dst;
    key.src_port = p->src_port;
    key.dst_port = p->dst_port;
    key.scope = p->scope;
    struct flow *f = lru_put(t->flows, &key, t->tick, &is_new);
    if (f == NULL)
        t->counters.no_memory++;
    else if (is_new)
        t->counters.flows_evicted = lru_evicted(t->flows);
    return f;
}

bool tap_packet(struct tap *t, const struct tap_packet *p)
{
    struct rtp_packet rtp;
    size_t wire_len = p->wire_len > p->payload.len ? p->wire_len : p->payload.len;
    t->now_us = us_of(p->sec, p->usec);
    if (p->sec != t->tick)
        tap_tick(t, p->sec);
    if (!rtp_packet_read(p->payload.ptr, p->payload.len, wire_len, &rtp)) {
        bool taken = take_control(t, p);
        t->counters.other += !taken;
        return taken;
    }
    struct flow *f = flow_of(t, p);
    if (f == NULL)
        return false;
    struct stream *s = f->streams != NULL && f->streams->ssrc == rtp.ssrc ? f->streams : find_stream(f, rtp.ssrc);
    if (s != NULL)
        take_rtp(t, s, &rtp, t->now_us);
    else if (!take_early(t, f, p, &rtp, t->now_us)) {
        t->counters.other++;
        return false;
    }
    return true;
}

/* ------------------------------------------------------------------------------------------------ time */

static bool is_over(const struct tap *t, const struct stream *s)
{
    int64_t idle = t->now_us - s->last_us;
    bool ended = s->ended || (s->call != NULL && s->call->ended_us != 0);
    return idle >= (int64_t)t->o.idle_s * 1000000 || (ended && idle >= (int64_t)RESTING_SECONDS * 1000000);
}

static void look_for_events(struct tap *t, struct stream *s)
{
    bool goes_on = s->call != NULL && s->call->ended_us == 0;
    if (goes_on && s->both_ways && !s->silent && !s->is_noise && s->medium == MEDIUM_AUDIO &&
        t->now_us - s->last_us >= (int64_t)t->o.silence_s * 1000000) {
        s->silent = true;
        report_event(t, s, s->call, "silence_start", "last_packet_ago_ms", (double)(t->now_us - s->last_us) / 1000);
    }
    if (!goes_on || !s->both_ways || s->medium != MEDIUM_AUDIO || s->call->answered_us == 0)
        return;
    int64_t since = s->call->answered_us > s->begun_us ? s->call->answered_us : s->begun_us;
    if (s->call->told_one_way || t->now_us - since < (int64_t)t->o.one_way_s * 1000000 || !stream_alone(t, s))
        return;
    s->one_way = s->call->told_one_way = true;
    report_event(t, s, s->call, "one_way", "for_ms", (double)(t->now_us - since) / 1000);
}

/* One look at a stream, once a second. It goes to the end of the list, or is over. */
static void look_at(struct tap *t, struct stream *s)
{
    if (is_over(t, s)) {
        end_stream(t, s);
        return;
    }
    if (s->call == NULL)
        find_call(t, s);
    look_for_events(t, s);
    if (t->now_us - s->reported_us >= (int64_t)t->o.interval_s * 1000000)
        report_stream(t, s, REPORT_PERIODIC);
    s->look_us = t->now_us;
    list_remove(t, s);
    list_append(t, s);
}

void tap_tick(struct tap *t, uint32_t now)
{
    if (now <= t->tick)
        return; /* captures that are merged run backwards now and then */
    t->tick = now;
    if (t->now_us < us_of(now, 0))
        t->now_us = us_of(now, 0);
    while (t->first != NULL && t->now_us - t->first->look_us >= LOOK_US)
        look_at(t, t->first);
    (void)lru_expire(t->flows, now, FLOW_SECONDS + t->o.idle_s);
    check_answered(t);
}

/* ------------------------------------------------------------------------------------------------ life */

static uint32_t or_default(uint32_t value, uint32_t fallback)
{
    return value != 0 ? value : fallback;
}

static size_t or_size(size_t value, size_t fallback)
{
    return value != 0 ? value : fallback;
}

void tap_set(struct tap *t, const struct tap_options *options)
{
    struct tap_options o = *options;
    o.output = t->o.output;
    o.arg = t->o.arg;
    o.max_streams = t->o.max_streams;
    o.max_flows = t->o.max_flows;
    o.max_places = t->o.max_places;
    o.max_calls = t->o.max_calls;
    o.interval_s = or_default(o.interval_s, 10);
    o.idle_s = or_default(o.idle_s, 30);
    o.silence_s = or_default(o.silence_s, 5);
    o.one_way_s = or_default(o.one_way_s, 5);
    o.no_media_s = or_default(o.no_media_s, 10);
    o.buffer_ms = or_default(o.buffer_ms, 100);
    t->o = o;
}

static struct lru *table(struct tap *t, size_t key, size_t value, size_t capacity,
                         void (*on_drop)(void *arg, const void *key, void *value))
{
    return lru_new(&(struct lru_options){
        .key_size = key, .value_size = value, .capacity = capacity, .on_drop = on_drop, .arg = t });
}

struct tap *tap_open(const struct tap_options *options)
{
    struct tap *t = calloc(1, sizeof(*t));
    if (t == NULL)
        return NULL;
    t->o = *options;
    t->o.max_streams = or_size(options->max_streams, 65536);
    t->o.max_flows = or_size(options->max_flows, 65536);
    t->o.max_places = or_size(options->max_places, 131072);
    t->o.max_calls = or_size(options->max_calls, 65536);
    tap_set(t, options);
    buf_init(&t->json, 1u << 20);
    t->flows = table(t, sizeof(struct flow_key), sizeof(struct flow), t->o.max_flows, on_flow_drop);
    t->places = table(t, sizeof(struct place_key), sizeof(struct place), t->o.max_places, on_place_drop);
    t->calls = table(t, sizeof(uint32_t) + CALL_ID_MAX, sizeof(struct call *), t->o.max_calls, on_call_drop);
    t->ssrcs = table(t, sizeof(uint32_t), sizeof(struct ssrc_ref), t->o.max_streams, on_ref_drop);
    t->cnames = table(t, CNAME_MAX, sizeof(struct call *), t->o.max_streams, on_cname_drop);
    if (t->flows != NULL && t->places != NULL && t->calls != NULL && t->ssrcs != NULL && t->cnames != NULL)
        return t;
    tap_free(t);
    return NULL;
}

void tap_free(struct tap *t)
{
    if (t == NULL)
        return;
    t->quiet = true;
    tap_close(t);
}

void tap_close(struct tap *t)
{
    if (t == NULL)
        return;
    while (t->first != NULL)
        end_stream(t, t->first);
    for (struct call *c = t->first_answered, *next; c != NULL; c = next) {
        next = c->next_answered;
        call_unref(c);
    }
    lru_free(t->flows);
    lru_free(t->places);
    lru_free(t->ssrcs);
    lru_free(t->cnames);
    lru_free(t->calls);
    buf_free(&t->json);
    free(t);
}

size_t tap_streams(const struct tap *t)
{
    return t->stream_count;
}

const struct tap_counters *tap_counters(const struct tap *t)
{
    return &t->counters;
}

bool tap_counter(const struct tap *t, size_t index, const char **ret_name, uint64_t *ret_value)
{
    static const struct {
        const char *name;
        size_t offset;
    } table_of_counters[] = {
#define TAP_ROW(field, text) { text, offsetof(struct tap_counters, field) },
        TAP_COUNTERS(TAP_ROW)
#undef TAP_ROW
    };
    if (index >= sizeof(table_of_counters) / sizeof(table_of_counters[0]))
        return false;
    *ret_name = table_of_counters[index].name;
    memcpy(ret_value, (const uint8_t *)&t->counters + table_of_counters[index].offset, sizeof(*ret_value));
    return true;
}
