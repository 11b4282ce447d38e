#include "agent/pipeline.h"

#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "agent/dedup.h"
#include "agent/explain.h"
#include "rtp/rtcp.h"
#include "sip/peek.h"

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
    bool sip_only, call_ids;
    struct made made;
    struct messages *messages;
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
    p->sip_only = settings->sip_only;
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
    p->account.frame_octets += frame.octets.len;
    if (p->call_ids)
        frame.call_id = call_id_of(msg);
    p->o.frame(p->o.arg, &frame);
    explain_sent(p->explain, msg, frame.octets.len, result);
}

static void on_message(void *arg, uint64_t packet, struct hep_msg *msg)
{
    struct pipeline *p = arg;
    (void)packet;
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

static bool on_dgram(void *arg, const struct dgram *d)
{
    struct pipeline *p = arg;
    explain_dgram(p->explain, d);
    if (!p->sip_only || !rtcp_looks_like(d->payload.ptr, d->payload.len))
        return false;
    p->account.unwanted++;
    explain_text(p->explain, "RTCP, which nobody asked for");
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
    p->messages = messages_new(&m);
    if (options->explain != NULL)
        p->explain = explain_new(options->explain, options->arg);
    if (p->messages == NULL || (options->explain != NULL && p->explain == NULL)) {
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
}

void pipeline_account(const struct pipeline *p, struct account *ret)
{
    const struct messages_counts *c = messages_counts(p->messages);
    const struct dissector *d = messages_dissector(p->messages);
    *ret = p->account;
    ret->sip = c->sip;
    ret->rtcp = c->rtcp;
    ret->hep = c->hep;
    ret->other_udp = c->other_udp;
    ret->other_tcp = c->other_tcp;
    ret->uncorrelated = c->uncorrelated;
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
