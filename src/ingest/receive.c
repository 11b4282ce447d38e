/*
 * The way of a frame: sender, allow-list, decode, key, caps, row, sink. Everything that is counted of frames is counted
 * here, each frame once, when its fate is known.
 */
#include <string.h>
#include <time.h>

#include "ingest/internal.h"

_Static_assert((int)NET_UDP == RECORD_UDP && (int)NET_HTTPS == RECORD_HTTPS, "transports have the same numbers");

#define RETRY_MS 5

/* ------------------------------------------------------------------------------------------------ counting */

bool arrive(struct worker *w, const struct net_peer *peer, struct arrival *ret)
{
    struct sender *s = senders_get(w->senders, peer);
    *ret = (struct arrival){ .peer = peer, .sender = s };
    ret->now_us = (int64_t)peer->received.tv_sec * 1000000 + peer->received.tv_nsec / 1000;
    if (s->rules_generation != w->rules_generation) {
        s->allowed = rules_allow(w->rules, &peer->addr);
        s->rules_generation = w->rules_generation;
    }
    return s->allowed;
}

static void count_received(struct arrival *a, size_t octets)
{
    struct sender *s = a->sender;
    if (atomic_load_explicit(&s->first_us, memory_order_relaxed) == 0)
        atomic_store_explicit(&s->first_us, a->now_us, memory_order_relaxed);
    atomic_store_explicit(&s->last_us, a->now_us, memory_order_relaxed);
    sender_count(s, INGEST_RECEIVED, 1);
    sender_count(s, INGEST_OCTETS, octets);
}

void arrival_drop(struct worker *w, struct arrival *a, enum ingest_counter why, size_t octets)
{
    if (atomic_load_explicit(&a->sender->counters[why], memory_order_relaxed) == 0)
        ingest_tell(w->ingest, INGEST_WARNING, a->peer, ingest_counter_text(why)); /* once a sender */
    count_received(a, octets);
    sender_count(a->sender, why, 1);
    a->drop = why;
}

enum ingest_counter drop_of_error(int hep_error)
{
    switch (hep_error) {
#define X(id, name, text, error)                                                                                       \
    case error:                                                                                                        \
        return INGEST_DROP_##id;
        INGEST_HEP_DROPS(X)
#undef X
    default:
        return INGEST_DROP_MAGIC;
    }
}

static void store_relaxed(_Atomic int64_t *to, int64_t value)
{
    atomic_store_explicit(to, value, memory_order_relaxed);
}

static int64_t load_relaxed(const _Atomic int64_t *from)
{
    return atomic_load_explicit(from, memory_order_relaxed);
}

/* How far the sender's clock is off. What came late, out of a sender's queue, looks like a slow clock. */
static void note_skew(struct sender *s, const struct record *r, int64_t now_us)
{
    int64_t skew = (r->ts_sent != RECORD_NO_TIME ? r->ts_sent : r->ts) - now_us;
    store_relaxed(&s->skew, skew);
    if (!atomic_load_explicit(&s->has_skew, memory_order_relaxed)) {
        store_relaxed(&s->skew_min, skew);
        store_relaxed(&s->skew_max, skew);
        store_relaxed(&s->skew_mean, skew);
        atomic_store_explicit(&s->has_skew, true, memory_order_relaxed);
        return;
    }
    if (skew < load_relaxed(&s->skew_min))
        store_relaxed(&s->skew_min, skew);
    if (skew > load_relaxed(&s->skew_max))
        store_relaxed(&s->skew_max, skew);
    int64_t mean = load_relaxed(&s->skew_mean);
    store_relaxed(&s->skew_mean, mean + (skew - mean) / 16);
}

static void note_attributes(struct worker *w, struct sender *s, const struct hep_msg *msg)
{
    if (hep_has(msg, HEP_CHUNK_CAPTURE_ID)) {
        atomic_store_explicit(&s->capture_id, msg->capture_id, memory_order_relaxed);
        atomic_store_explicit(&s->has_capture_id, true, memory_order_relaxed);
    }
    if (hep_has(msg, HEP_CHUNK_NODE_NAME))
        senders_node(w->senders, s, msg->node_name);
}

static void count_stored(struct worker *w, struct arrival *a, const struct hep_msg *msg, size_t octets)
{
    static const enum ingest_counter versions[4] = { INGEST_PROTOBUF, INGEST_VERSION_1, INGEST_VERSION_2,
                                                     INGEST_VERSION_3 };
    struct sender *s = a->sender;
    count_received(a, octets);
    sender_count(s, INGEST_STORED, 1);
    sender_count(s, INGEST_STORED_OCTETS, octets);
    sender_count(s, versions[msg->version & 3], 1);
    if (w->record.parse_error.len > 0)
        sender_count(s, INGEST_PARSE_ERRORS, 1);
    if ((w->record.flags & RECORD_FLAG_CLOCK) != 0)
        sender_count(s, INGEST_CLOCK, 1);
    if ((w->record.flags & RECORD_FLAG_INFLATE) != 0)
        sender_count(s, INGEST_INFLATE_FAILED, 1);
    if (msg->version != 1 && (msg->quirks & (HEP_QUIRK_TIME_RECEIVED | HEP_QUIRK_TIME_MISSING)) == 0)
        note_skew(s, &w->record, a->now_us);
    note_attributes(w, s, msg);
    if (s->account != NULL && w->rules->share > 0 && w->rules->share < 100)
        account_stored(w->ingest->accounts, s->account, octets, a->now_us);
    senders_prove(w->senders, s);
}

static enum fate keepalive(struct arrival *a, size_t octets)
{
    count_received(a, octets);
    sender_count(a->sender, INGEST_KEEPALIVES, 1);
    return FATE_KEEPALIVE;
}

/* ------------------------------------------------------------------------------------------------ checks */

/* heplify: type 0 and no addresses. HFP: a payload that says so. */
static bool is_keepalive(const struct hep_msg *msg)
{
    if (msg->payload_type == 0 && msg->src.len == 0 && msg->dst.len == 0)
        return true;
    return msg->payload.len == 8 && memcmp(msg->payload.ptr, "HEP PING", 8) == 0;
}

/* What NAT keepers of SIP stacks and HFP send between messages. */
static bool is_noise(const uint8_t *data, size_t len)
{
    if (len == 9)
        return memcmp(data, "HELLO HFP", 9) == 0;
    for (size_t i = 0; i < len; i++) {
        if (data[i] != '\r' && data[i] != '\n' && data[i] != 0)
            return false;
    }
    return len <= 4;
}

/* 0, or why this sender may not store more just now. */
static enum ingest_counter check_caps(struct worker *w, struct arrival *a)
{
    const struct ingest_rules *rules = w->rules;
    bool share = rules->share > 0 && rules->share < 100;
    struct sender *s = a->sender;
    if (rules->rate == 0 && !share)
        return 0;
    if (s->account == NULL)
        s->account = account_get(w->ingest->accounts, &a->peer->addr);
    if (s->account == NULL)
        return 0;
    if (share && w->pressed && account_over_share(w->ingest->accounts, s->account, rules->share, a->now_us))
        return INGEST_DROP_SHARE;
    if (rules->rate > 0 && !account_rate(s->account, rules->rate, rules->burst, a->now_us))
        return INGEST_DROP_RATE;
    return 0;
}

/* ------------------------------------------------------------------------------------------------ storing */

static enum fate append(struct worker *w, struct arrival *a, struct hep_msg *msg)
{
    struct sink_frame frame = { .data = msg->frame.ptr,
                                .len = msg->frame.len,
                                .received_us = a->now_us,
                                .peer = a->peer->addr,
                                .peer_port = a->peer->port,
                                .local_port = a->peer->local_port,
                                .transport = (uint8_t)a->peer->transport,
                                .source = RECORD_NETWORK };
    record_finish_hep(w->reader, &frame, msg);
    record_make(w->reader, &frame, msg, &w->record);
    switch (sink_append(&w->ingest->sink, w->index, &frame, &w->record, &a->seq)) {
    case SINK_OK:
        count_stored(w, a, msg, frame.len);
        return FATE_STORED;
    case SINK_FULL:
        return FATE_FULL;
    default:
        arrival_drop(w, a, INGEST_DROP_REFUSED, frame.len);
        return FATE_DROPPED;
    }
}

/* A frame that was held has been checked before, and a token was taken for it. */
static enum fate checked_message(struct worker *w, struct arrival *a, struct hep_msg *msg, bool again)
{
    enum ingest_counter drop = rules_check_key(w->rules, msg);
    if (drop == 0 && is_keepalive(msg))
        return keepalive(a, msg->frame.len);
    if (drop == 0 && !again)
        drop = check_caps(w, a);
    if (drop == 0)
        return append(w, a, msg);
    arrival_drop(w, a, drop, msg->frame.len);
    return FATE_DROPPED;
}

enum fate receive_message(struct worker *w, struct arrival *a, struct hep_msg *msg)
{
    return checked_message(w, a, msg, false);
}

static enum fate frame_fate(struct worker *w, const struct net_peer *peer, const uint8_t *frame, size_t len, bool again)
{
    struct arrival a;
    struct hep_msg msg;
    bool allowed = arrive(w, peer, &a);
    int rc = allowed ? hep_decode(frame, len, NULL, &msg) : HEP_OK;
    if (allowed && rc == HEP_OK)
        return checked_message(w, &a, &msg, again);
    arrival_drop(w, &a, allowed ? drop_of_error(rc) : INGEST_DROP_NOT_ALLOWED, len);
    return FATE_DROPPED;
}

/* ------------------------------------------------------------------------------------------------ a full sink */

static bool may_still_wait(const struct worker *w)
{
    const struct timespec pause = { 0, RETRY_MS * 1000000L };
    if (!atomic_load(&w->ingest->stopping) || monotonic_us() >= w->ingest->stop_by_us)
        return false;
    (void)nanosleep(&pause, NULL);
    return true;
}

/* Copies a frame for later and stops all streams. */
static void hold(struct worker *w, const struct net_peer *peer, const uint8_t *frame, size_t len)
{
    buf_reset(&w->held.octets);
    buf_put(&w->held.octets, frame, len);
    if (w->held.octets.failed) {
        struct arrival a;
        (void)arrive(w, peer, &a);
        arrival_drop(w, &a, INGEST_DROP_NO_MEMORY, len);
        return;
    }
    w->held.peer = *peer;
    w->held.waits = true;
    w->held.since_us = monotonic_us();
    atomic_store(&w->paused, true);
    atomic_store(&w->wants_wake, true);
    net_pause(w->loop);
}

static void release(struct worker *w)
{
    w->held.waits = false;
    counter_add(&w->paused_us, monotonic_us() - w->held.since_us);
    atomic_store(&w->wants_wake, false);
    atomic_store(&w->paused, false);
    net_resume(w->loop);
}

void receive_retry(struct worker *w)
{
    const struct buf *octets = &w->held.octets;
    if (w->held.waits && frame_fate(w, &w->held.peer, octets->ptr, octets->len, true) != FATE_FULL)
        release(w);
}

void receive_settle(struct worker *w)
{
    do
        receive_retry(w);
    while (w->held.waits && may_still_wait(w));
    if (!w->held.waits)
        return;
    struct arrival a;
    (void)arrive(w, &w->held.peer, &a);
    arrival_drop(w, &a, INGEST_DROP_FULL, w->held.octets.len);
    release(w);
}

/* ------------------------------------------------------------------------------------------------ from the network */

void receive_frame(struct worker *w, const struct net_peer *peer, const uint8_t *frame, size_t len)
{
    if (w->held.waits) /* the loop is at its end, and hands on what a pause left */
        receive_settle(w);
    if (frame_fate(w, peer, frame, len, false) != FATE_FULL)
        return;
    hold(w, peer, frame, len);
    if (w->held.waits && atomic_load(&w->ingest->stopping))
        receive_settle(w);
}

static void datagram_message(struct worker *w, struct arrival *a, struct hep_msg *msg)
{
    enum fate fate = receive_message(w, a, msg);
    while (fate == FATE_FULL && may_still_wait(w))
        fate = frame_fate(w, a->peer, msg->frame.ptr, msg->frame.len, true);
    if (fate == FATE_FULL)
        arrival_drop(w, a, INGEST_DROP_FULL, msg->frame.len);
}

void receive_datagram(struct worker *w, const struct net_peer *peer, const uint8_t *data, size_t len)
{
    struct arrival a;
    struct hep_slice octets = { data, len };
    struct hep_msg msg;
    if (!arrive(w, peer, &a)) {
        arrival_drop(w, &a, INGEST_DROP_NOT_ALLOWED, len);
        return;
    }
    if (is_noise(data, len)) {
        (void)keepalive(&a, len);
        return;
    }
    int rc = hep_zlib_envelope(w->envelope, octets, &octets);
    if (rc != HEP_OK && rc != HEP_NEED_MORE) {
        arrival_drop(w, &a, drop_of_error(rc), len);
        return;
    }
    struct hep_datagram it = { octets.ptr, octets.len, 0 };
    while ((rc = hep_datagram_next(&it, NULL, &msg)) == HEP_OK)
        datagram_message(w, &a, &msg);
    if (rc != HEP_NEED_MORE)
        arrival_drop(w, &a, drop_of_error(rc), len);
}

void receive_stream_error(struct worker *w, const struct net_peer *peer, int hep_error)
{
    struct arrival a;
    bool allowed = arrive(w, peer, &a);
    arrival_drop(w, &a, allowed ? drop_of_error(hep_error) : INGEST_DROP_NOT_ALLOWED, 0);
}
