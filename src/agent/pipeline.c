#include "agent/pipeline.h"

#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "agent/dedup.h"
#include "agent/explain.h"
#include "rtp/rtcp.h"
#include "sip/peek.h"
#include "tap/tap.h"

#define DEDUP_MESSAGES 65536

/* ------------------------------------------------------------------------------------------------ settings */

/* What the settings make: built anew as a whole, so that a bad filter changes nothing. */
struct made {
    struct sieve *sieve;
    struct framer *framer;
    struct dedup *dedup;
    char *key, *name;
};

static void made_free(struct made *m)
{
    sieve_free(m->sieve);
    framer_free(m->framer);
    dedup_free(m->dedup);
    free(m->key);
    free(m->name);
}

static bool copy_text(char **ret, const char *text)
{
    *ret = text == NULL ? NULL : strdup(text);
    return text == NULL || *ret != NULL;
}

static int make(struct made *m, const struct pipeline_settings *s, struct errmsg *err)
{
    struct frame_options frame = s->frame;
    if (!copy_text(&m->key, s->frame.key) || !copy_text(&m->name, s->frame.name))
        return errmsg_set(err, "out of memory");
    frame.key = m->key;
    frame.name = m->name;
    if (sieve_new(&m->sieve, &s->rules, err) != 0)
        return -1;
    m->framer = framer_new(&frame);
    if (s->dedup_us != 0)
        m->dedup = dedup_new(s->dedup_us, DEDUP_MESSAGES);
    return m->framer == NULL || (s->dedup_us != 0 && m->dedup == NULL) ? errmsg_set(err, "out of memory") : 0;
}

struct pipeline {
    struct pipeline_options o;
    enum pipeline_media media;
    bool call_ids;
    struct made made;
    struct messages *messages;
    struct tap *tap;
    bool tap_over;                    /* finished: its counters stay */
    struct tap_counters tap_counters; /* when it was */
    struct account account;
    struct explain *explain; /* NULL: nobody asks */
    const struct packet *packet;
    unsigned device;
};

int pipeline_set(struct pipeline *p, const struct pipeline_settings *settings, struct errmsg *err)
{
    struct made fresh = { 0 };
    if (make(&fresh, settings, err) != 0) {
        made_free(&fresh);
        return -1;
    }
    made_free(&p->made);
    p->made = fresh;
    p->media = settings->media;
    p->call_ids = settings->call_ids;
    return 0;
}

/* ------------------------------------------------------------------------------------------------ messages */

static uint64_t hash_more(uint64_t seed, const void *ptr, size_t len)
{
    return len == 0 ? seed : XXH3_64bits_withSeed(ptr, len, seed);
}

static uint64_t hash_message(const struct hep_msg *msg)
{
    uint32_t ports = (uint32_t)msg->src_port << 16 | msg->dst_port;
    uint64_t h = hash_more(msg->protocol, msg->payload.ptr, msg->payload.len);
    h = hash_more(h, msg->src.octets, msg->src.len);
    h = hash_more(h, msg->dst.octets, msg->dst.len);
    return hash_more(h, &ports, sizeof(ports));
}

/* Where it was seen: device, VLAN, MAC addresses where the link layer has them in front. */
static uint64_t hash_tap(const struct pipeline *p, const struct hep_msg *msg)
{
    enum { ETHERNET = 1, MACS = 12 };
    uint64_t seed = (uint64_t)p->device << 16 | msg->vlan;
    bool has_macs = p->packet != NULL && p->packet->linktype == ETHERNET && p->packet->data.len >= MACS;
    return has_macs ? hash_more(seed, p->packet->data.ptr, MACS) : hash_more(seed, &seed, sizeof(seed));
}

static bool is_copy(const struct pipeline *p, const struct hep_msg *msg)
{
    int64_t at_us = (int64_t)msg->time_sec * 1000000 + msg->time_usec;
    return p->made.dedup != NULL && dedup_is_copy(p->made.dedup, hash_message(msg), hash_tap(p, msg), at_us);
}

static struct hep_slice call_id_of(const struct hep_msg *msg)
{
    struct hep_slice id = { NULL, 0 };
    if (hep_has(msg, HEP_CHUNK_CORRELATION_ID))
        return msg->correlation_id;
    if (msg->payload_type == HEP_TYPE_SIP)
        (void)sip_call_id(msg->payload.ptr, msg->payload.len, &id);
    return id;
}

/* Encodes and hands on. */
static void send(struct pipeline *p, const struct hep_msg *msg)
{
    struct hep_msg changed = *msg;
    struct pipeline_frame frame = { .octets = { NULL, 0 } };
    enum frame_result result = framer_make(p->made.framer, &changed, &frame.octets);
    if (result == FRAME_BAD) {
        p->account.unencodable++;
        explain_message(p->explain, msg, "cannot be put into a frame");
        return;
    }
    p->account.compressed += result == FRAME_COMPRESSED;
    p->account.truncated += result == FRAME_CUT;
    p->account.frames++;
    p->account.reports += msg->payload_type == HEP_TYPE_RTP_REPORT || msg->payload_type == HEP_TYPE_RTP_SHORT_REPORT;
    p->account.media_events += msg->payload_type == HEP_TYPE_LOG;
    p->account.frame_octets += frame.octets.len;
    if (p->call_ids)
        frame.call_id = call_id_of(msg);
    p->o.frame(p->o.arg, &frame);
    explain_sent(p->explain, msg, frame.octets.len, result);
}

/* A message of SIP, RTCP or a report on its way out. */
static void take(struct pipeline *p, const struct hep_msg *msg)
{
    p->account.messages++;
    const char *rule = sieve_match(p->made.sieve, msg);
    if (rule != NULL) {
        bool method = strncmp(rule, "method ", 7) == 0;
        p->account.discarded += method;
        p->account.filtered += !method;
        explain_ruled(p->explain, msg, rule);
    } else if (is_copy(p, msg)) {
        p->account.copies++;
        explain_message(p->explain, msg, "copy of a packet that another tap saw: left out");
    } else {
        send(p, msg);
    }
}

void pipeline_hear(struct pipeline *p, uint32_t sec, uint32_t usec, struct hep_slice message)
{
    const struct tap_message m = { .sec = sec, .usec = usec, .payload = message };
    if (p->media != PIPELINE_SIP_ONLY && !p->tap_over)
        tap_sip(p->tap, &m);
}

/* Media of calls are known also of messages that are not sent. */
static void on_message(void *arg, uint64_t packet, struct hep_msg *msg)
{
    struct pipeline *p = arg;
    (void)packet;
    pipeline_hear(p, msg->time_sec, msg->time_usec, msg->payload);
    if (p->o.sip != NULL && p->media != PIPELINE_SIP_ONLY)
        p->o.sip(p->o.arg, msg->time_sec, msg->time_usec, msg->payload);
    take(p, msg);
}

/* What the tap has to tell. */
static void on_tap(void *arg, const struct tap_output *out)
{
    struct pipeline *p = arg;
    struct hep_msg msg;
    hep_msg_init(&msg, out->type);
    msg.time_sec = out->sec;
    msg.time_usec = out->usec;
    (void)hep_set_src(&msg, out->src.octets, out->src.len, out->src_port);
    (void)hep_set_dst(&msg, out->dst.octets, out->dst.len, out->dst_port);
    if (out->has_vlan)
        (void)hep_set_number(&msg, HEP_CHUNK_VLAN, out->vlan);
    if (out->tos != 0)
        (void)hep_set_number(&msg, HEP_CHUNK_IP_TOS, out->tos);
    if (out->mos > 0)
        (void)hep_set_number(&msg, HEP_CHUNK_MOS, (uint64_t)(out->mos * 100 + 0.5));
    if (out->r > 0)
        (void)hep_set_number(&msg, HEP_CHUNK_R_FACTOR, (uint64_t)(out->r + 0.5));
    if (out->call_id.len > 0)
        (void)hep_set_octets(&msg, HEP_CHUNK_CORRELATION_ID, out->call_id.ptr, out->call_id.len);
    (void)hep_set_octets(&msg, HEP_CHUNK_PAYLOAD, out->payload.ptr, out->payload.len);
    take(p, &msg);
}

static void on_hep(void *arg, uint64_t packet, struct hep_msg *msg)
{
    (void)arg;
    (void)packet;
    (void)msg;
}

static void on_bad(void *arg, uint64_t packet, const char *text)
{
    struct pipeline *p = arg;
    (void)packet;
    p->account.malformed++;
    explain_text(p->explain, text);
}

/* RTP, where that is wanted, or RTCP: the tap's. */
static bool take_media(struct pipeline *p, const struct dgram *d)
{
    const struct tap_packet packet = {
        .sec = d->sec,
        .usec = d->usec,
        .src = d->src,
        .dst = d->dst,
        .src_port = d->src_port,
        .dst_port = d->dst_port,
        .tos = d->tos,
        .has_vlan = d->has_vlan,
        .vlan = d->vlan,
        .has_mac = d->has_mac,
        .src_mac = d->src_mac,
        .dst_mac = d->dst_mac,
        .payload = d->payload,
    };
    return tap_packet(p->tap, &packet);
}

static bool on_dgram(void *arg, const struct dgram *d)
{
    enum { UDP = 17 };
    struct pipeline *p = arg;
    explain_dgram(p->explain, d);
    if (d->protocol != UDP || sip_looks_like(d->payload.ptr, d->payload.len))
        return false;
    bool rtcp = rtcp_looks_like(d->payload.ptr, d->payload.len);
    if (p->media == PIPELINE_SIP_ONLY) {
        p->account.unwanted += rtcp;
        explain_media(p->explain, rtcp ? "RTCP, which nobody asked for" : NULL, false);
        return rtcp;
    }
    if ((!rtcp && p->media != PIPELINE_RTP) || !take_media(p, d))
        return false;
    explain_media(p->explain, rtcp ? "RTCP that tells nothing" : "RTP, measured", !rtcp);
    return true;
}

/* ------------------------------------------------------------------------------------------------ packets */

int pipeline_new(struct pipeline **ret, const struct pipeline_options *options, struct errmsg *err)
{
    struct pipeline *p = calloc(1, sizeof(*p));
    if (p == NULL)
        return errmsg_set(err, "out of memory");
    p->o = *options;
    const struct messages_options m = {
        .message = on_message, .frame = on_hep, .rebuild = on_hep, .bad = on_bad, .dgram = on_dgram, .arg = p
    };
    if (pipeline_set(p, &options->settings, err) != 0)
        goto fail;
    const struct tap_options tap = { .output = on_tap, .arg = p };
    p->messages = messages_new(&m);
    p->tap = tap_open(&tap);
    if (options->explain != NULL)
        p->explain = explain_new(options->explain, options->arg);
    if (p->messages == NULL || p->tap == NULL || (options->explain != NULL && p->explain == NULL)) {
        (void)errmsg_set(err, "out of memory");
        goto fail;
    }
    *ret = p;
    return 0;
fail:
    pipeline_free(p);
    return -1;
}

void pipeline_free(struct pipeline *p)
{
    if (p == NULL)
        return;
    messages_free(p->messages);
    tap_free(p->tap);
    explain_free(p->explain);
    made_free(&p->made);
    free(p);
}

void pipeline_packet(struct pipeline *p, const struct packet *packet, unsigned device)
{
    p->packet = packet;
    p->device = device;
    p->account.packets++;
    p->account.octets += packet->wire_len;
    explain_begin(p->explain, p->account.packets, packet, p->messages);
    enum dissect_outcome outcome = messages_packet(p->messages, packet);
    explain_end(p->explain, outcome, p->messages);
    p->packet = NULL;
}

void pipeline_finish(struct pipeline *p)
{
    explain_last(p->explain);
    messages_finish(p->messages);
    if (p->tap_over)
        return;
    p->tap_counters = *tap_counters(p->tap);
    tap_close(p->tap); /* reports on every stream */
    p->tap = NULL;
    p->tap_over = true;
}

void pipeline_tick(struct pipeline *p, uint32_t now)
{
    if (p->media == PIPELINE_RTP && !p->tap_over)
        tap_tick(p->tap, now);
}

void pipeline_account(const struct pipeline *p, struct account *ret)
{
    const struct messages_counts *c = messages_counts(p->messages);
    const struct dissector *d = messages_dissector(p->messages);
    const struct tap_counters *t = p->tap_over ? &p->tap_counters : tap_counters(p->tap);
    *ret = p->account;
    ret->sip = c->sip;
    ret->rtcp = c->rtcp + t->rtcp;
    ret->rtp = t->rtp;
    ret->rtp_early = t->rtp_early;
    ret->rtp_refused = t->rtp_refused;
    ret->srtcp = t->srtcp;
    ret->rtcp_bad = t->rtcp_bad;
    ret->streams = t->streams;
    ret->hep = c->hep;
    ret->other_udp = c->other_udp;
    ret->other_tcp = c->other_tcp;
    ret->uncorrelated = c->uncorrelated + t->rtcp_unmatched;
    ret->snapped = c->cut;
    for (int i = 0; i < DISSECT_OUTCOME_COUNT; i++)
        ret->outcomes[i] = dissect_count(d, (enum dissect_outcome)i);
    ret->fragments_lost = dissect_defrag_stats(d)->gave_up_age + dissect_defrag_stats(d)->gave_up_limit;
    ret->tcp_gaps = dissect_tcp_stats(d)->gaps;
    ret->tcp_gap_octets = dissect_tcp_stats(d)->gap_octets;
}

bool pipeline_rule(const struct pipeline *p, size_t index, const char **ret_name, uint64_t *ret_messages)
{
    return sieve_count(p->made.sieve, index, ret_name, ret_messages);
}
