/* What rules have in common: the same message seen again, transactions, legs. Linear in the number of messages. */
#include <stdlib.h>
#include <string.h>

#include "query/diagnosis_internal.h"

#define SAME_TRANSMISSION (500 * INT64_C(1000)) /* two taps that saw one: docs/calls.md */

/* ------------------------------------------------------------------------------------------------ a table */

/* From 64 bits to a place; what is equal decides the caller. Open addressing, never more than half full. */
struct table {
    struct slot {
        uint64_t key;
        uint32_t value; /* DX_NONE: free */
    } * slots;
    size_t mask;
};

static bool table_init(struct table *t, size_t count)
{
    size_t size = 16;
    while (size < 2 * count + 2)
        size *= 2;
    t->slots = malloc(size * sizeof(t->slots[0]));
    t->mask = size - 1;
    if (t->slots == NULL)
        return false;
    for (size_t i = 0; i < size; i++)
        t->slots[i] = (struct slot){ .value = DX_NONE };
    return true;
}

/* Keys of 64 bits of a hash: that two differ and have the same one does not happen by accident. */
static uint32_t *table_at(const struct table *t, uint64_t key)
{
    size_t i = (size_t)(key ^ key >> 32) & t->mask;
    while (t->slots[i].value != DX_NONE && t->slots[i].key != key)
        i = (i + 1) & t->mask;
    t->slots[i].key = key;
    return &t->slots[i].value;
}

static uint64_t mix(uint64_t h, const void *data, size_t len)
{
    const uint8_t *p = data;
    for (size_t i = 0; i < len; i++)
        h = (h ^ p[i]) * UINT64_C(0x100000001b3);
    return (h ^ len) * UINT64_C(0x9e3779b97f4a7c15);
}

static uint64_t mix_host(uint64_t h, const struct diagnosis_host *host)
{
    return mix(mix(h, host->ip.octets, host->ip.len), &host->port, sizeof(host->port));
}

#define MIX_START UINT64_C(0xcbf29ce484222325)

/* ------------------------------------------------------------------------------------------------ copies */

static uint64_t message_key(const struct diagnosis_fact *f)
{
    uint64_t h = mix(MIX_START, f->call_id.ptr, f->call_id.len);
    h = mix(h, f->branch.ptr, f->branch.len);
    h = mix(h, &f->cseq, sizeof(f->cseq));
    h = mix(h, &f->status, sizeof(f->status));
    h = mix(h, f->method_name.ptr, f->method_name.len);
    h = mix_host(mix_host(h, &f->src), &f->dst);
    return mix(h, &f->payload_hash, sizeof(f->payload_hash));
}

static size_t tap_place(struct dx *x, uint32_t fact)
{
    for (size_t i = 0; i < x->tap_count; i++)
        if (x->taps[i] == x->f[fact].tap)
            return i;
    if (x->tap_count == DX_TAPS_MAX)
        return DX_TAPS_MAX - 1;
    x->taps[x->tap_count] = x->f[fact].tap;
    x->tap_first[x->tap_count] = fact;
    return x->tap_count++;
}

/* First copies of two taps: how far apart are these? */
static void note_skew(struct dx *x, uint32_t first, uint32_t other)
{
    struct dx_skew *s = &x->skew[tap_place(x, first)][tap_place(x, other)];
    int64_t d = x->f[other].ts - x->f[first].ts;
    if (s->count == 0)
        *s = (struct dx_skew){ .least = d, .most = d, .evidence = { first, other } };
    s->least = d < s->least ? d : s->least;
    s->most = d > s->most ? d : s->most;
    s->count++;
}

/* Which messages are the same, and how far apart taps saw these. */
static bool find_copies(struct dx *x)
{
    struct table t;
    if (!table_init(&t, x->count))
        return false;
    for (uint32_t i = 0; i < x->count; i++) {
        x->copy_of[i] = i;
        if (!x->f[i].is_sip)
            continue;
        (void)tap_place(x, i);
        uint32_t *at = table_at(&t, message_key(&x->f[i]));
        if (*at == DX_NONE)
            *at = i;
        else if (x->f[i].tap != x->f[*at].tap)
            note_skew(x, *at, i);
        x->copy_of[i] = *at;
    }
    free(t.slots);
    return true;
}

/*
 * Which of the copies a second tap saw of what the first one had seen already. `latest`: by first copy, the latest
 * transmission that its tap saw.
 */
static bool find_doubled(struct dx *x)
{
    int64_t *latest = calloc(x->count + 1, sizeof(*latest));
    if (latest == NULL)
        return false;
    for (uint32_t i = 0; i < x->count; i++) {
        uint32_t first = x->copy_of[i];
        if (x->f[i].tap == x->f[first].tap) {
            latest[first] = x->f[i].ts;
            continue;
        }
        const struct dx_skew *s = &x->skew[tap_place(x, first)][tap_place(x, i)];
        /* Clocks that differ by a steady amount are no reason to see everything twice. */
        bool steady = s->count >= 3 && s->most - s->least < SAME_TRANSMISSION;
        x->doubled[i] = x->f[i].ts - latest[first] <= SAME_TRANSMISSION || steady;
    }
    free(latest);
    return true;
}

/* ------------------------------------------------------------------------------------------------ legs */

static bool is_of_call(const struct diagnosis_fact *f)
{
    return f->method == SIP_INVITE || f->method == SIP_ACK || f->method == SIP_BYE || f->method == SIP_CANCEL ||
           f->method == SIP_PRACK;
}

static bool find_legs(struct dx *x)
{
    struct table t;
    if (!table_init(&t, DIAGNOSIS_LEGS_MAX))
        return false;
    for (uint32_t i = 0; i < x->count; i++) {
        const struct diagnosis_fact *f = &x->f[i];
        x->leg_of[i] = DX_NONE;
        if (!f->is_sip || f->call_id.len == 0)
            continue;
        uint32_t *at =
            x->leg_count < DIAGNOSIS_LEGS_MAX ? table_at(&t, mix(MIX_START, f->call_id.ptr, f->call_id.len)) : NULL;
        for (size_t l = 0; at == NULL && l < x->leg_count; l++)
            if (text_equal(x->legs[l].call_id, f->call_id))
                x->leg_of[i] = (uint32_t)l;
        if (at != NULL && *at == DX_NONE) {
            *at = (uint32_t)x->leg_count++;
            x->legs[*at] = (struct dx_leg){ .call_id = f->call_id,
                                            .first = i,
                                            .invite = DX_NONE,
                                            .attempt = -1,
                                            .ringing = DX_NONE,
                                            .progress = DX_NONE,
                                            .early = DX_NONE,
                                            .answer = DX_NONE,
                                            .final = DX_NONE,
                                            .cancel = DX_NONE,
                                            .bye = DX_NONE,
                                            .ack = DX_NONE };
        }
        if (at != NULL)
            x->leg_of[i] = *at;
        if (x->leg_of[i] == DX_NONE) {
            x->legs_left_out = true;
            continue;
        }
        x->legs[x->leg_of[i]].last = i;
        x->legs[x->leg_of[i]].has_call |= is_of_call(f);
    }
    free(t.slots);
    return true;
}

/* ------------------------------------------------------------------------------------------------ transactions */

static uint64_t txn_key(const struct diagnosis_fact *f, enum sip_method method)
{
    uint64_t h = mix(MIX_START, f->call_id.ptr, f->call_id.len);
    h = mix(h, &f->cseq, sizeof(f->cseq));
    h = mix(h, &method, sizeof(method));
    if (method == SIP_OTHER)
        h = mix(h, f->method_name.ptr, f->method_name.len);
    if (f->branch.len > 0)
        return mix(h, f->branch.ptr, f->branch.len);
    return f->is_request ? mix_host(mix_host(h, &f->src), &f->dst) : mix_host(mix_host(h, &f->dst), &f->src);
}

static void note_request(struct dx_txn *t, uint32_t i)
{
    if (t->request == DX_NONE)
        t->request = i;
    t->last_request = i;
    t->copies++;
}

static void note_response(struct dx *x, struct dx_txn *t, uint32_t i)
{
    const struct diagnosis_fact *f = &x->f[i];
    if (t->response == DX_NONE)
        t->response = i;
    if (f->status > 100 && f->status < 200 && t->progress == DX_NONE)
        t->progress = i;
    if (f->status < 200)
        return;
    if (t->final == DX_NONE)
        t->final = i;
    if (x->f[t->final].status == f->status && text_equal(x->f[t->final].to_tag, f->to_tag)) {
        t->last_final = i;
        t->finals++;
    }
}

static uint32_t txn_at(struct dx *x, struct table *t, uint32_t i, enum sip_method method)
{
    uint32_t *at = table_at(t, txn_key(&x->f[i], method));
    if (*at != DX_NONE)
        return *at;
    *at = x->txn_count++;
    x->txns[*at] = (struct dx_txn){ .leg = x->leg_of[i],
                                    .method = method,
                                    .cseq = x->f[i].cseq,
                                    .request = DX_NONE,
                                    .last_request = DX_NONE,
                                    .response = DX_NONE,
                                    .progress = DX_NONE,
                                    .final = DX_NONE,
                                    .last_final = DX_NONE,
                                    .ack = DX_NONE };
    return *at;
}

/* The transaction of an INVITE that this ACK, by its branch, belongs to. */
static uint32_t acked(const struct dx *x, const struct table *t, uint32_t i)
{
    uint64_t key = txn_key(&x->f[i], SIP_INVITE);
    size_t at = (size_t)(key ^ key >> 32) & t->mask;
    while (t->slots[at].value != DX_NONE && t->slots[at].key != key)
        at = (at + 1) & t->mask;
    return t->slots[at].value;
}

static bool find_txns(struct dx *x)
{
    struct table t;
    if (!table_init(&t, x->count))
        return false;
    for (uint32_t i = 0; i < x->count; i++) {
        const struct diagnosis_fact *f = &x->f[i];
        x->txn_of[i] = DX_NONE;
        if (x->leg_of[i] == DX_NONE || f->method == SIP_NO_METHOD)
            continue;
        uint32_t n = f->method == SIP_ACK ? acked(x, &t, i) : DX_NONE;
        if (n == DX_NONE)
            n = txn_at(x, &t, i, f->method);
        x->txn_of[i] = n;
        if (x->doubled[i])
            continue;
        if (f->method == SIP_ACK && x->txns[n].method == SIP_INVITE)
            x->txns[n].ack = x->txns[n].ack == DX_NONE ? i : x->txns[n].ack;
        else if (f->is_request)
            note_request(&x->txns[n], i);
        else
            note_response(x, &x->txns[n], i);
    }
    free(t.slots);
    return true;
}

/* ------------------------------------------------------------------------------------------------ what a leg is */

static bool is_nearer(const struct dx *x, uint32_t a, uint32_t b)
{
    return b == DX_NONE || x->f[a].via_count < x->f[b].via_count;
}

static void note_invite(struct dx *x, struct dx_leg *leg, uint32_t txn)
{
    const struct dx_txn *t = &x->txns[txn];
    if (leg->invite_count < DX_INVITES_MAX)
        leg->invites[leg->invite_count++] = txn;
    if (t->request != DX_NONE && (leg->invite == DX_NONE || (x->f[t->request].cseq == x->f[leg->invite].cseq &&
                                                             is_nearer(x, t->request, leg->invite))))
        leg->invite = t->request;
    if (t->final != DX_NONE && x->f[t->final].status >= 300 && t->cseq >= leg->attempt &&
        (t->cseq > leg->attempt || is_nearer(x, t->final, leg->final)))
        leg->final = t->final;
    else if (t->cseq > leg->attempt)
        leg->final = DX_NONE;
    leg->attempt = t->cseq > leg->attempt ? t->cseq : leg->attempt;
}

/* Outside of a dialog; of responses alone it is known by the lowest CSeq. */
static bool is_initial_txn(const struct dx *x, const struct dx_txn *t)
{
    const struct dx_leg *leg = &x->legs[t->leg];
    if (t->method != SIP_INVITE)
        return false;
    return t->request != DX_NONE ? dx_is_initial(&x->f[t->request]) : leg->invite == DX_NONE || t->cseq <= leg->attempt;
}

static void note_first(uint32_t *place, uint32_t fact)
{
    if (*place == DX_NONE)
        *place = fact;
}

/* The BYE of a fork that lost does not end the call. */
static bool is_of_answer(const struct dx *x, const struct dx_leg *leg, const struct diagnosis_fact *bye)
{
    if (leg->answer == DX_NONE)
        return true;
    struct hep_slice tag = x->f[leg->answer].to_tag;
    return tag.len == 0 || text_equal(bye->to_tag, tag) || text_equal(bye->from_tag, tag);
}

static void note_fact(struct dx *x, struct dx_leg *leg, uint32_t i)
{
    const struct diagnosis_fact *f = &x->f[i];
    if (f->is_request) {
        if (f->method == SIP_CANCEL)
            note_first(&leg->cancel, i);
        else if (f->method == SIP_BYE && is_of_answer(x, leg, f))
            note_first(&leg->bye, i);
        else if (f->method == SIP_ACK && x->txns[x->txn_of[i]].method != SIP_INVITE)
            note_first(&leg->ack, i);
        return;
    }
    if (f->method != SIP_INVITE || !is_initial_txn(x, &x->txns[x->txn_of[i]]))
        return;
    if (f->status == 180)
        note_first(&leg->ringing, i);
    if (f->status > 100 && f->status < 200)
        note_first(&leg->progress, i);
    if (f->status > 100 && f->status < 200 && f->sdp.present)
        note_first(&leg->early, i);
    if (dx_is_2xx(f))
        note_first(&leg->answer, i);
}

static void describe_legs(struct dx *x)
{
    for (uint32_t n = 0; n < x->txn_count; n++)
        if (is_initial_txn(x, &x->txns[n]))
            note_invite(x, &x->legs[x->txns[n].leg], n);
    for (uint32_t i = 0; i < x->count; i++)
        if (x->txn_of[i] != DX_NONE && !x->doubled[i])
            note_fact(x, &x->legs[x->leg_of[i]], i);
}

bool dx_prepare(struct dx *x)
{
    x->txns = calloc(x->count + 1, sizeof(x->txns[0]));
    x->txn_of = calloc(x->count + 1, sizeof(x->txn_of[0]));
    x->leg_of = calloc(x->count + 1, sizeof(x->leg_of[0]));
    x->copy_of = calloc(x->count + 1, sizeof(x->copy_of[0]));
    x->doubled = calloc(x->count + 1, sizeof(x->doubled[0]));
    if (x->txns == NULL || x->txn_of == NULL || x->leg_of == NULL || x->copy_of == NULL || x->doubled == NULL)
        return false;
    if (!find_copies(x) || !find_doubled(x) || !find_legs(x) || !find_txns(x))
        return false;
    describe_legs(x);
    return true;
}

void dx_free(struct dx *x)
{
    free(x->txns);
    free(x->txn_of);
    free(x->leg_of);
    free(x->copy_of);
    free(x->doubled);
    buf_free(&x->text);
}

/* ------------------------------------------------------------------------------------------------ looking */

uint32_t dx_txn_find(const struct dx *x, const struct diagnosis_fact *f, enum sip_method method)
{
    uint32_t leg = x->leg_of[f - x->f];
    for (uint32_t n = 0; n < x->txn_count; n++) {
        const struct dx_txn *t = &x->txns[n];
        if (t->leg != leg || t->method != method || t->cseq != f->cseq)
            continue;
        uint32_t one = t->request != DX_NONE ? t->request : t->response;
        if (dx_has(one) && text_equal(x->f[one].branch, f->branch))
            return n;
    }
    return DX_NONE;
}

/* It was passed on by who received it: from that address, or, by the Vias, from another one of the same host. */
static bool is_passed_on(const struct diagnosis_fact *from, const struct diagnosis_fact *to)
{
    if (to->via_count <= from->via_count)
        return false;
    return dx_same_ip(&to->src.ip, &from->dst.ip) ||
           (from->branch.len > 0 && text_equal(to->branch_below, from->branch));
}

uint32_t dx_child(const struct dx *x, uint32_t txn)
{
    const struct dx_txn *t = dx_has(txn) ? &x->txns[txn] : NULL;
    if (t == NULL || t->request == DX_NONE)
        return DX_NONE;
    const struct diagnosis_fact *f = &x->f[t->request];
    uint32_t end = x->txn_count - txn > DX_NEAR ? txn + DX_NEAR : x->txn_count;
    for (uint32_t n = txn + 1; n < end; n++) {
        const struct dx_txn *c = &x->txns[n];
        if (c->leg != t->leg || c->method != t->method || c->cseq != t->cseq || c->request == DX_NONE)
            continue;
        if (is_passed_on(f, &x->f[c->request]))
            return n;
    }
    return DX_NONE;
}

bool dx_pending(const struct dx *x, uint32_t fact, int64_t us)
{
    return x->options->now_us != 0 && x->options->now_us - x->f[fact].ts < us;
}

bool dx_contains(struct hep_slice s, const char *word)
{
    size_t n = strlen(word);
    for (size_t i = 0; i + n <= s.len; i++)
        if (text_same(s.ptr + i, word, n))
            return true;
    return false;
}

bool dx_same_ip(const struct hep_addr *a, const struct hep_addr *b)
{
    return a->len == b->len && memcmp(a->octets, b->octets, a->len) == 0;
}

bool dx_is_unspecified(const struct hep_addr *a)
{
    static const uint8_t zeros[16] = { 0 };
    return a->len > 0 && memcmp(a->octets, zeros, a->len) == 0;
}

bool dx_is_private(const struct hep_addr *a)
{
    const uint8_t *o = a->octets;
    if (a->len == 4)
        return o[0] == 10 || (o[0] == 172 && (o[1] & 0xf0) == 16) || (o[0] == 192 && o[1] == 168) ||
               (o[0] == 100 && (o[1] & 0xc0) == 64) || (o[0] == 169 && o[1] == 254);
    return a->len == 16 && ((o[0] & 0xfe) == 0xfc || (o[0] == 0xfe && (o[1] & 0xc0) == 0x80));
}

bool dx_is_public(const struct hep_addr *a)
{
    static const uint8_t loopback6[16] = { [15] = 1 };
    if (a->len == 0 || dx_is_unspecified(a) || dx_is_private(a))
        return false;
    if (a->len == 4)
        return a->octets[0] != 127 && a->octets[0] < 224;
    return memcmp(a->octets, loopback6, sizeof(loopback6)) != 0 && a->octets[0] != 0xff;
}
