/* From rows to facts: payloads are copied, and read once. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/ip.h"
#include "query/diagnosis.h"
#include "sip/msg.h"
#include "sip/text.h"
#include "sip/value.h"

/* Payloads, many in one piece. */
struct diagnosis_chunk {
    struct diagnosis_chunk *next;
    size_t used, size;
    uint8_t octets[];
};

#define CHUNK_SIZE ((size_t)64 << 10)

/* ------------------------------------------------------------------------------------------------ memory */

static uint8_t *keep(struct diagnosis_facts *facts, struct hep_slice s)
{
    struct diagnosis_chunk *c = facts->chunks;
    if (c == NULL || c->size - c->used < s.len) {
        size_t size = s.len > CHUNK_SIZE ? s.len : CHUNK_SIZE;
        c = malloc(sizeof(*c) + size);
        if (c == NULL)
            return NULL;
        *c = (struct diagnosis_chunk){ .next = facts->chunks, .size = size };
        facts->chunks = c;
    }
    uint8_t *at = c->octets + c->used;
    if (s.len > 0)
        memcpy(at, s.ptr, s.len);
    c->used += s.len;
    facts->octets += s.len;
    return at;
}

static bool grow(struct diagnosis_facts *facts)
{
    if (facts->count < facts->cap)
        return true;
    size_t cap = facts->cap == 0 ? 64 : facts->cap * 2;
    struct diagnosis_fact *all = realloc(facts->all, cap * sizeof(*all));
    if (all == NULL)
        return false;
    facts->all = all;
    facts->cap = cap;
    return true;
}

void diagnosis_facts_free(struct diagnosis_facts *facts)
{
    while (facts->chunks != NULL) {
        struct diagnosis_chunk *next = facts->chunks->next;
        free(facts->chunks);
        facts->chunks = next;
    }
    free(facts->all);
    *facts = (struct diagnosis_facts){ .count = 0 };
}

/* ------------------------------------------------------------------------------------------------ reading */

static uint64_t hash(const void *data, size_t len, uint64_t h)
{
    const uint8_t *p = data;
    for (size_t i = 0; i < len; i++)
        h = (h ^ p[i]) * UINT64_C(0x100000001b3);
    return h;
}

static int64_t number(struct sip_number n)
{
    return n.set ? (int64_t)n.value : -1;
}

static void read_start(struct diagnosis_fact *f, const struct sip_msg *m)
{
    f->is_request = m->kind != SIP_RESPONSE;
    f->status = m->kind == SIP_RESPONSE ? m->status : 0;
    f->method_name = m->kind == SIP_RESPONSE || m->method.len == 0 ? m->cseq.method : m->method;
    f->method = sip_method_id(f->method_name);
    f->reason = m->reason;
    f->ruri_user = m->ruri.user;
    f->ruri_host = m->ruri.host;
}

static void read_dialog(struct diagnosis_fact *f, const struct sip_msg *m)
{
    f->call_id = m->call_id;
    if (sip_has(m, SIP_H_CSEQ) && !sip_has_problem(m, SIP_PROBLEM_CSEQ))
        f->cseq = m->cseq.number;
    f->from_tag = m->from.tag;
    f->to_tag = m->to.tag;
    f->from_user = m->from.uri.user;
    f->from_host = m->from.uri.host;
    f->to_user = m->to.uri.user;
    f->to_host = m->to.uri.host;
    f->via_count = m->via_count;
    if (m->via_kept == 0)
        return;
    f->branch = m->vias[0].branch;
    if (m->via_kept > 1)
        f->branch_below = m->vias[1].branch;
    f->has_rport = m->vias[0].has_rport;
    f->has_received = m->vias[0].received.len > 0;
}

static void read_contact(struct diagnosis_fact *f, const struct sip_msg *m)
{
    struct hep_slice expires;
    f->expires = number(m->expires);
    if (m->contact_count == 0)
        return;
    f->contact_user = m->contact.uri.user;
    f->contact_host = m->contact.uri.host;
    (void)ip_parse((const char *)f->contact_host.ptr, f->contact_host.len, &f->contact_addr);
    uint32_t v;
    if (sip_param_find(m->contact.params, "expires", &expires) && sip_number(&expires, &v))
        f->expires = v;
}

static void read_reasons(struct diagnosis_fact *f, const struct sip_msg *m)
{
    const struct sip_reason *q850 = sip_reason_of(m, "Q.850"), *sip = sip_reason_of(m, "SIP");
    if (q850 != NULL)
        f->q850 = number(q850->cause);
    if (sip != NULL)
        f->sip_cause = number(sip->cause);
    for (uint16_t i = 0; i < m->reason_kept && f->reason_text.len == 0; i++)
        f->reason_text = m->reasons[i].text;
    f->warning = number(m->warning.code);
    f->warning_text = m->warning.text;
}

static bool is_auth(enum sip_header_id id, bool *ret_challenge)
{
    *ret_challenge = id == SIP_H_WWW_AUTHENTICATE || id == SIP_H_PROXY_AUTHENTICATE;
    return *ret_challenge || id == SIP_H_AUTHORIZATION || id == SIP_H_PROXY_AUTHORIZATION;
}

static void read_auth_params(struct diagnosis_auth *a, struct hep_slice value)
{
    struct sip_param p;
    (void)text_word(&value); /* the scheme */
    while (sip_auth_param_next(&value, &p)) {
        if (text_is(p.name, "stale"))
            a->stale = text_is(p.value, "true");
        else if (text_is(p.name, "nonce"))
            a->nonce = p.value;
        else if (text_is(p.name, "realm"))
            a->realm = p.value;
        else if (text_is(p.name, "username"))
            a->username = p.value;
    }
}

/* Nonce and stale are what sip_parse() has no need for. The first header of each kind counts. */
static void read_auth(struct diagnosis_fact *f, struct hep_slice payload)
{
    struct sip_headers it;
    struct sip_header h;
    bool challenge;
    sip_headers_begin(&it, payload.ptr, payload.len);
    for (unsigned n = 0; n < SIP_HEADERS_READ_MAX && sip_headers_step(&it, &h); n++) {
        if (!is_auth(h.id, &challenge))
            continue;
        struct diagnosis_auth *a = challenge ? &f->challenge : &f->credentials;
        if (!a->present)
            read_auth_params(a, h.value);
        a->present = true;
    }
}

static void add_codec(struct diagnosis_sdp *ret, const struct sdp_format *f)
{
    struct hep_slice name = f->codec.len > 0 ? f->codec : f->text;
    if (ret->codec_count < DIAGNOSIS_CODECS_MAX && !text_is(name, "telephone-event"))
        ret->codecs[ret->codec_count++] = name;
}

static void read_sdp(struct diagnosis_sdp *ret, const struct sip_msg *m)
{
    struct hep_slice body;
    struct sdp_iter it;
    struct sdp_media media;
    if (!sdp_find_in(m->body, m->content_type, &body))
        return;
    sdp_begin(&it, body);
    for (unsigned n = 0; n < SDP_MEDIA_MAX && sdp_next(&it, &media); n++) {
        bool audio = text_is(media.kind, "audio");
        if (ret->present && !audio)
            continue;
        *ret = (struct diagnosis_sdp){ .present = true,
                                       .ice = sdp_has_ice(&media),
                                       .port = media.port,
                                       .direction = media.direction,
                                       .host = media.host,
                                       .addr = media.addr };
        for (uint16_t i = 0; i < media.format_kept; i++)
            add_codec(ret, &media.formats[i]);
        if (audio)
            return;
    }
}

static void read_body(struct diagnosis_fact *f, const struct sip_msg *m)
{
    struct sip_start start;
    struct hep_slice rest = m->body, line;
    if (f->method != SIP_NOTIFY || !text_starts(m->content_type, "message/sipfrag") || !text_line(&rest, &line))
        return;
    if (sip_start_parse(line, &start) && start.kind == SIP_RESPONSE)
        f->sipfrag = start.status;
}

static void read_sip(struct diagnosis_fact *f, struct hep_slice payload)
{
    struct sip_msg m;
    (void)sip_parse(payload.ptr, payload.len, &m);
    f->is_sip = true;
    f->problems = m.problems;
    f->payload_hash = hash(payload.ptr, payload.len, UINT64_C(0xcbf29ce484222325));
    read_start(f, &m);
    read_dialog(f, &m);
    read_contact(f, &m);
    read_reasons(f, &m);
    read_auth(f, payload);
    read_sdp(&f->sdp, &m);
    read_body(f, &m);
    f->max_forwards = number(m.max_forwards);
    f->session_expires = number(m.session_expires);
    f->refresher = m.refresher;
    f->refer_to = m.refer_to.uri.raw;
    f->subscription_state = m.subscription_state;
}

static uint64_t tap_of(const struct diagnosis_row *row)
{
    uint64_t h = hash(row->sender.ptr, row->sender.len, UINT64_C(0xcbf29ce484222325));
    return hash(&row->capture_id, sizeof(row->capture_id), h);
}

static struct hep_slice known_proto(struct hep_slice proto)
{
    static const char *const all[] = { "udp", "tcp", "tls", "ws", "wss", "sctp" };
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        if (text_is(proto, all[i]))
            return (struct hep_slice){ (const uint8_t *)all[i], strlen(all[i]) };
    return (struct hep_slice){ NULL, 0 };
}

int diagnosis_facts_add(struct diagnosis_facts *facts, const struct diagnosis_row *row)
{
    size_t len = row->table == RECORD_SIP ? row->payload.len : 0;
    if (facts->count >= DIAGNOSIS_MESSAGES_MAX || len > DIAGNOSIS_OCTETS_MAX - facts->octets) {
        facts->left_out++;
        return 0;
    }
    const uint8_t *payload = keep(facts, (struct hep_slice){ row->payload.ptr, len });
    if (payload == NULL || !grow(facts))
        return -ENOMEM;
    struct diagnosis_fact *f = &facts->all[facts->count++];
    *f = (struct diagnosis_fact){ .ts = row->ts,
                                  .seq = row->seq,
                                  .is_report = row->table == RECORD_MEDIA,
                                  .cseq = -1,
                                  .max_forwards = -1,
                                  .expires = -1,
                                  .session_expires = -1,
                                  .src = row->src,
                                  .dst = row->dst,
                                  .proto = known_proto(row->proto),
                                  .tap = tap_of(row),
                                  .capture_id = row->capture_id,
                                  .payload_len = row->payload_len,
                                  .q850 = -1,
                                  .sip_cause = -1,
                                  .warning = -1,
                                  .sipfrag = -1 };
    if (row->table == RECORD_SIP)
        read_sip(f, (struct hep_slice){ payload, len });
    return 0;
}

static int by_time(const void *a, const void *b)
{
    const struct diagnosis_fact *x = a, *y = b;
    if (x->ts != y->ts)
        return x->ts < y->ts ? -1 : 1;
    return x->seq < y->seq ? -1 : x->seq > y->seq;
}

void diagnosis_facts_settle(struct diagnosis_facts *facts)
{
    size_t kept = 0;
    if (facts->count > 0)
        qsort(facts->all, facts->count, sizeof(facts->all[0]), by_time);
    for (size_t i = 0; i < facts->count; i++) {
        if (kept > 0 && facts->all[kept - 1].seq == facts->all[i].seq && facts->all[kept - 1].ts == facts->all[i].ts)
            continue; /* of two legs */
        facts->all[kept] = facts->all[i];
        facts->all[kept].number = (uint32_t)(kept + 1);
        kept++;
    }
    facts->count = kept;
}
