#include "track/own.h"

#include <string.h>

#include "hep/rd.h"
#include "sip/start.h"
#include "sip/text.h"

/* ------------------------------------------------------------------------------------------------ small things */

/* True if it is the earliest so far. */
static bool earliest(int32_t *at, int32_t ms)
{
    if (*at != CALL_NO_TIME && ms >= *at)
        return false;
    *at = ms;
    return true;
}

static void latest(int32_t *at, int32_t ms)
{
    if (*at == CALL_NO_TIME || ms > *at)
        *at = ms;
}

static void count_up(uint16_t *counter)
{
    *counter = (uint16_t)(*counter + (*counter < UINT16_MAX));
}

static bool is_request(const struct track_event *e, enum sip_method method)
{
    return (e->flags & TRACK_EVENT_REQUEST) != 0 && e->method == method;
}

/* A response to an INVITE; what is no status at all counts as none. */
static bool is_answer(const struct track_event *e)
{
    return (e->flags & TRACK_EVENT_REQUEST) == 0 && e->method == SIP_INVITE && e->status >= 100;
}

static bool is_challenge(uint16_t status)
{
    return status == 401 || status == 407;
}

/* True, and the message is the best from now on, if it is better than the one that was. */
static bool is_best(struct track_call *c, enum call_best which, uint8_t rank, const struct track_event *e, int32_t ms)
{
    uint16_t seq = (uint16_t)e->seq;
    if (c->best_ms[which] != CALL_NO_TIME) {
        if (rank != c->ranks[which]   ? rank < c->ranks[which]
            : ms != c->best_ms[which] ? ms > c->best_ms[which]
                                      : seq >= c->best_seq[which])
            return false;
    }
    c->ranks[which] = rank;
    c->best_ms[which] = ms;
    c->best_seq[which] = seq;
    return true;
}

/* ------------------------------------------------------------------------------------------------ texts */

struct hep_slice call_text(const struct track_call *c, enum track_text which)
{
    const uint8_t *lens = own_texts(c);
    if (lens == NULL)
        return (struct hep_slice){ NULL, 0 };
    if (which == TRACK_TEXT_RURI_USER && (c->flags & CALL_SAME_USER) != 0)
        which = TRACK_TEXT_TO_USER;
    struct hep_slice s = { lens + CALL_TEXTS, lens[which] };
    for (unsigned i = 0; i < (unsigned)which; i++)
        s.ptr += lens[i];
    return s;
}

/* The texts of the set (bits 1 << enum track_text) are those of the message from now on; the others stay. */
static void set_texts(struct track_call *c, struct call_world *w, unsigned set, const struct track_texts *texts)
{
    uint8_t octets[CALL_TEXTS * (TRACK_TEXT_MAX + 1)];
    struct hep_slice all[CALL_TEXTS];
    size_t len = CALL_TEXTS;
    for (unsigned i = 0; i < CALL_TEXTS; i++)
        all[i] = set >> i & 1 ? track_text_cut(texts->of[i]) : call_text(c, (enum track_text)i);
    bool same = text_equal(all[TRACK_TEXT_TO_USER], all[TRACK_TEXT_RURI_USER]);
    if (same)
        all[TRACK_TEXT_RURI_USER].len = 0;
    for (unsigned i = 0; i < CALL_TEXTS; i++) {
        octets[i] = (uint8_t)all[i].len;
        if (all[i].len > 0)
            memcpy(octets + len, all[i].ptr, all[i].len);
        len += all[i].len;
    }
    own_set_texts(c, w, octets, len);
    c->flags = (uint16_t)(same ? c->flags | CALL_SAME_USER : c->flags & ~CALL_SAME_USER);
}

static void drop_word(struct track_call *c, struct call_world *w, unsigned which)
{
    if ((c->ip4 >> which & 1) == 0)
        words_drop(&w->words, c->words[which]);
    c->words[which] = 0;
    c->ip4 &= (uint16_t) ~(1u << which);
}

static void set_word(struct track_call *c, struct call_world *w, enum call_word which, struct hep_slice text)
{
    uint32_t id = words_take(&w->words, text, &w->lost);
    drop_word(c, w, which);
    c->words[which] = id;
}

static void set_addr(struct track_call *c, struct call_world *w, enum call_word which, const struct track_addr *addr)
{
    if (addr->ip.len == 4) {
        drop_word(c, w, which);
        c->words[which] = be32_load(addr->ip.octets);
        c->ip4 |= (uint16_t)(1u << which);
    } else {
        set_word(c, w, which, (struct hep_slice){ addr->ip.octets, addr->ip.len });
    }
    c->ports[which - WORD_SRC] = addr->port;
}

/* ------------------------------------------------------------------------------------------------ who and what */

/* How far From and To of a message are those of the call: in requests inside the dialog they may stand crosswise. */
static uint8_t who_rank(const struct track_event *e)
{
    if (is_request(e, SIP_INVITE) && e->to_tag == 0)
        return WHO_INVITE;
    if (is_request(e, SIP_CANCEL) || (is_answer(e) && e->status < 200))
        return 2;
    return is_answer(e) ? 1 : 0;
}

static void take_who(struct track_call *c, struct call_world *w, const struct track_event *e,
                     const struct track_texts *texts, int32_t ms)
{
    uint8_t rank = who_rank(e);
    if (!is_best(c, BEST_WHO, rank, e, ms))
        return;
    c->caller_tag = e->from_tag;
    set_texts(c, w, (1u << CALL_TEXTS) - 1 - (1u << TRACK_TEXT_REFER_TO), texts);
    set_word(c, w, WORD_FROM_HOST, texts->of[TRACK_TEXT_FROM_HOST]);
    set_word(c, w, WORD_TO_HOST, texts->of[TRACK_TEXT_TO_HOST]);
    set_word(c, w, WORD_RURI_HOST, texts->of[TRACK_TEXT_RURI_HOST]);
    if (rank < WHO_INVITE)
        return;
    set_word(c, w, WORD_CALLER_AGENT, texts->of[TRACK_TEXT_USER_AGENT]);
    set_word(c, w, WORD_OFFER, texts->of[TRACK_TEXT_SDP]);
    set_addr(c, w, WORD_SRC, &e->src);
    set_addr(c, w, WORD_DST, &e->dst);
    if (e->flags & TRACK_EVENT_SDP)
        set_addr(c, w, WORD_CALLER_MEDIA, &e->media);
}

/* The called side speaks in responses that a proxy passes on; refusals are often the proxy's own. */
static void take_callee(struct track_call *c, struct call_world *w, const struct track_event *e,
                        const struct track_texts *texts, int32_t ms)
{
    if (!is_answer(e) || e->status == 100 || is_challenge(e->status))
        return;
    uint8_t rank = e->status >= 300 ? 1 : e->status >= 200 ? 3 : 2;
    if (texts->of[TRACK_TEXT_USER_AGENT].len > 0 && is_best(c, BEST_AGENT, rank, e, ms))
        set_word(c, w, WORD_CALLEE_AGENT, texts->of[TRACK_TEXT_USER_AGENT]);
    if ((e->flags & TRACK_EVENT_SDP) != 0 && e->status < 300 && is_best(c, BEST_ANSWER, rank, e, ms)) {
        set_word(c, w, WORD_ANSWER, texts->of[TRACK_TEXT_SDP]);
        set_addr(c, w, WORD_CALLEE_MEDIA, &e->media);
    }
}

static void take_texts(struct track_call *c, struct call_world *w, const struct track_event *e,
                       const struct track_texts *texts, int32_t ms)
{
    take_who(c, w, e, texts, ms);
    take_callee(c, w, e, texts, ms);
    if (is_request(e, SIP_ACK) && (e->flags & TRACK_EVENT_SDP) && earliest(&c->at[AT_ACK], ms)) {
        set_word(c, w, WORD_ACK, texts->of[TRACK_TEXT_SDP]);
        if (c->ports[WORD_CALLER_MEDIA - WORD_SRC] == 0)
            set_addr(c, w, WORD_CALLER_MEDIA, &e->media);
    }
    if (is_request(e, SIP_REFER) && earliest(&c->at[AT_REFER], ms))
        set_texts(c, w, 1u << TRACK_TEXT_REFER_TO, texts);
}

/* ------------------------------------------------------------------------------------------------ INVITE */

/* Of the responses of several branches a proxy passes on the best one: RFC 3261 section 16.7, step 6. */
static unsigned proxy_order(uint16_t status)
{
    return status >= 600 ? status : status + 1000u;
}

/*
 * Of several final responses the one that the caller saw: a success before all, else that of the last attempt (highest
 * CSeq) nearest to the caller (fewest Vias).
 */
static bool is_better_final(const struct track_call *c, const struct track_event *e, int32_t ms)
{
    bool success = e->status < 300, old = c->final_status < 300;
    if (c->final_status == 0 || success != old)
        return c->final_status == 0 || success;
    if (!success && e->cseq != c->final_cseq)
        return e->cseq > c->final_cseq;
    if (!success && e->via_count != c->final_via)
        return e->via_count < c->final_via;
    if (!success && e->status != c->final_status)
        return proxy_order(e->status) < proxy_order(c->final_status);
    return ms < c->final_ms;
}

static void take_final(struct track_call *c, struct call_world *w, const struct track_event *e,
                       const struct track_texts *texts, int32_t ms)
{
    if (!is_better_final(c, e, ms))
        return;
    c->final_status = e->status;
    c->final_cseq = e->cseq;
    c->final_via = e->via_count;
    c->final_ms = ms;
    set_word(c, w, WORD_REASON, texts != NULL ? texts->of[TRACK_TEXT_REASON] : (struct hep_slice){ NULL, 0 });
}

static void take_dialog(struct track_call *c, struct call_world *w, const struct track_event *e)
{
    struct dialog *d = dialog_of(c, w, e->from_tag, e->to_tag);
    if (d != NULL)
        d->bits |= e->status >= 200 ? DIALOG_SAID | DIALOG_ANSWERED : DIALOG_SAID;
}

static void take_answer(struct track_call *c, struct call_world *w, const struct track_event *e,
                        const struct track_texts *texts, int32_t ms)
{
    if (e->status >= 200)
        take_final(c, w, e, texts, ms);
    else
        (void)earliest(&c->at[AT_PROVISIONAL], ms);
    if (e->status > 100 && e->status < 300 && e->to_tag != 0)
        take_dialog(c, w, e);
    if (e->status == 180)
        (void)earliest(&c->at[AT_RINGING], ms);
    if (e->status >= 200 && e->status < 300)
        (void)earliest(&c->at[AT_ANSWER], ms);
    if (e->status <= 100 || e->status >= 200)
        return;
    (void)earliest(&c->at[AT_PROGRESS], ms);
    if (e->flags & TRACK_EVENT_SDP)
        c->flags |= CALL_EARLY_MEDIA;
}

/* A sender: its address, and how many were before it, as several may live at one address. */
static uint16_t sender_hash(const struct hep_addr *a, uint8_t via_count)
{
    uint32_t h = (uint32_t)via_count << 8 | a->len;
    for (uint8_t i = 0; i < a->len; i++)
        h = (h ^ a->octets[i]) * UINT32_C(16777619);
    return (uint16_t)(h ^ h >> 16);
}

/* The ways that the INVITE took, of the last attempt: a proxy behind the other, or branches of a fork. */
static void take_way(struct track_call *c, const struct track_event *e, int32_t ms)
{
    if (e->cseq < c->ways_cseq)
        return;
    if (e->cseq > c->ways_cseq) {
        c->ways_cseq = e->cseq;
        c->way_count = c->branches = 0;
        c->ways_via = UINT8_MAX;
        c->ways_ms = ms;
    }
    c->ways_via = e->via_count < c->ways_via ? e->via_count : c->ways_via;
    latest(&c->ways_ms, ms);
    for (uint8_t i = 0; i < c->way_count; i++)
        if (c->ways[i] == e->branch)
            return;
    if (c->way_count < WAYS_MAX) {
        c->ways[c->way_count] = e->branch;
        c->way_srcs[c->way_count++] = sender_hash(&e->src.ip, e->via_count);
    } else {
        c->branches = (uint8_t)(c->branches + (c->branches < UINT8_MAX));
    }
}

static void take_invite(struct track_call *c, const struct track_event *e, int32_t ms)
{
    if (e->flags & TRACK_EVENT_REPLACES)
        c->flags |= CALL_REPLACES;
    if (e->flags & TRACK_EVENT_FORWARDED)
        c->flags |= CALL_FORWARDED;
    if (e->to_tag != 0)
        return;
    (void)earliest(&c->at[AT_INVITE], ms);
    take_way(c, e, ms);
}

/* ------------------------------------------------------------------------------------------------ dialog */

/* Those that are counted. */
static uint16_t *request_counter(struct track_call *c, uint8_t method)
{
    return method == SIP_INVITE   ? &c->reinvites
           : method == SIP_UPDATE ? &c->updates
           : method == SIP_REFER  ? &c->refers
                                  : NULL;
}

/* Requests inside the dialog are numbered: one that came over three hops is one. */
static void take_request(struct track_call *c, struct call_world *w, const struct track_event *e)
{
    if (e->method == SIP_ACK || e->method == SIP_CANCEL || e->to_tag == 0)
        return;
    if (e->method != SIP_UPDATE && e->method != SIP_PRACK) {
        struct dialog *d = dialog_of(c, w, e->from_tag, e->to_tag);
        c->flags |= CALL_DIALOG;
        if (d != NULL)
            d->bits |= DIALOG_REQUEST;
    }
    uint16_t *counter = request_counter(c, e->method);
    struct side *s = counter != NULL ? side_of(c, w, e->from_tag) : NULL;
    uint32_t bit = s != NULL ? side_bit(s, e->cseq) : 0;
    if (bit == 0)
        return;
    if ((s->seen & bit) == 0)
        count_up(counter);
    s->seen |= bit;
    if ((e->flags & TRACK_EVENT_SDP) == 0 || e->method == SIP_REFER)
        return;
    s->sdp |= bit;
    if (e->flags & TRACK_EVENT_HOLD)
        s->hold |= bit;
}

static void take_response(struct track_call *c, struct call_world *w, const struct track_event *e)
{
    if (e->method == SIP_INVITE && e->status >= 300 && e->status < 400)
        c->flags |= CALL_REDIRECTED;
    struct side *s = is_challenge(e->status) ? side_of(c, w, e->from_tag) : NULL;
    uint32_t bit = s != NULL ? side_bit(s, e->cseq) : 0;
    if (bit == 0 || (s->challenged & bit) != 0)
        return;
    s->challenged |= bit;
    count_up(&c->auth_rounds);
}

static void take_bye(struct track_call *c, struct call_world *w, const struct track_event *e, int32_t ms)
{
    (void)earliest(&c->at[AT_BYE], ms);
    if (is_best(c, BEST_BYE, 0, e, ms))
        c->bye_tag = e->from_tag;
    bool answered = e->status >= 200 && !is_challenge(e->status);
    if (answered)
        c->flags |= CALL_BYE_ANSWERED;
    dialog_take_bye(c, w, e->from_tag, e->to_tag, ms, answered);
}

/* Causes of what ended the call weigh more; of equal ones the lowest stands, whatever came first. */
static void take_cause(int16_t cause, uint8_t rank, int16_t *ret, uint8_t *ret_rank)
{
    if (cause < 0 || rank < *ret_rank || (rank == *ret_rank && *ret >= 0 && *ret <= cause))
        return;
    *ret = cause;
    *ret_rank = rank;
}

static void take_causes(struct track_call *c, const struct track_event *e)
{
    uint8_t rank = is_request(e, SIP_BYE)      ? CAUSE_OF_BYE
                   : is_request(e, SIP_CANCEL) ? 2
                                               : is_answer(e) && e->status >= 300;
    if (rank == 0)
        return;
    take_cause(e->q850, rank, &c->q850, &c->q850_rank);
    take_cause(e->sip_cause, rank, &c->sip_cause, &c->sip_cause_rank);
}

/* ------------------------------------------------------------------------------------------------ calls */

void call_begin(struct track_call *c, const struct track_event *e)
{
    uint64_t uid = (e->call ^ e->seq * UINT64_C(0x9e3779b97f4a7c15)) * UINT64_C(0xbf58476d1ce4e5b9);
    memset(c, 0, offsetof(struct track_call, link));
    memset((uint8_t *)c + CALL_FACTS, 0, sizeof(*c) - CALL_FACTS);
    c->key = e->call;
    c->uid = uid ^ uid >> 29;
    c->uid += c->uid == 0;
    c->first_seq = e->seq;
    int64_t second = (e->ts >= 0 ? e->ts : 0) / 1000000;
    c->base_s = second < UINT32_MAX ? (uint32_t)second : UINT32_MAX;
    c->q850 = c->sip_cause = -1;
    c->ways_via = c->cancel_via = UINT8_MAX;
    c->ways_ms = CALL_NO_TIME;
    for (size_t i = 0; i < CALL_TIMES; i++)
        c->at[i] = CALL_NO_TIME;
    for (size_t i = 0; i < CALL_BESTS; i++)
        c->best_ms[i] = CALL_NO_TIME;
}

void call_end(struct track_call *c, struct call_world *w)
{
    for (unsigned i = 0; i < CALL_WORDS; i++)
        drop_word(c, w, i);
    own_free(c, w);
}

static unsigned tap_place(struct track_call *c, uint16_t tap)
{
    unsigned i = 0;
    while (i < c->tap_count && c->taps[i] != tap)
        i++;
    if (i == c->tap_count && i < TRACK_TAPS_MAX)
        c->taps[c->tap_count++] = tap;
    return i;
}

static void take_common(struct track_call *c, const struct track_event *e, int32_t ms)
{
    c->messages += c->messages < UINT32_MAX;
    c->first_seq = e->seq < c->first_seq ? e->seq : c->first_seq;
    c->transports |= (uint8_t)(1u << (e->transport < TRACK_TRANSPORTS ? e->transport : TRACK_TRANSPORT_OTHER));
    if (e->flags & TRACK_EVENT_SRTP)
        c->flags |= CALL_SRTP;
    (void)earliest(&c->at[AT_FIRST], ms);
    latest(&c->at[AT_LAST], ms);
    recent_note(c, e, tap_place(c, e->tap), ms);
}

void call_take(struct track_call *c, struct call_world *w, const struct track_event *e, const struct track_texts *texts)
{
    int32_t ms = call_ms(c, e->ts);
    take_common(c, e, ms);
    if (e->flags & TRACK_EVENT_REQUEST)
        take_request(c, w, e);
    else
        take_response(c, w, e);
    if (is_request(e, SIP_INVITE))
        take_invite(c, e, ms);
    if (is_answer(e))
        take_answer(c, w, e, texts, ms);
    if (is_request(e, SIP_CANCEL)) {
        (void)earliest(&c->at[AT_CANCEL], ms);
        c->cancel_via = e->via_count < c->cancel_via ? e->via_count : c->cancel_via;
    }
    if (is_request(e, SIP_ACK) && e->cseq > c->ack_cseq)
        c->ack_cseq = e->cseq;
    if (e->method == SIP_BYE)
        take_bye(c, w, e, ms);
    take_causes(c, e);
    if (texts != NULL)
        take_texts(c, w, e, texts, ms);
}

/* With another From tag, and silent for so long: another call, the end of the former one was not seen. */
#define ANOTHER_MS 60000

bool call_is_another(const struct track_call *c, const struct track_event *e)
{
    if (!is_request(e, SIP_INVITE) || e->to_tag != 0)
        return false;
    for (uint8_t i = 0; i < c->way_count; i++)
        if (c->ways[i] == e->branch)
            return false;
    int32_t ms = call_ms(c, e->ts);
    int32_t end = dialog_bye(c).ms;
    if (end != CALL_NO_TIME && call_knows(c, AT_INVITE))
        return ms > end;
    return e->from_tag != c->caller_tag && (int64_t)ms - c->at[AT_LAST] > ANOTHER_MS;
}
