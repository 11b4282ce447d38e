/* From the facts of a call to what a person wants to know. */
#include "track/own.h"

#include <string.h>

#include "sip/text.h"

static const struct {
    const char *name;
    bool live;
} states[TRACK_STATES] = {
#define STATE_ROW(id, name, live) { name, live },
    TRACK_STATE_LIST(STATE_ROW)
#undef STATE_ROW
};

const char *track_state_name(enum track_state state)
{
    return states[state].name;
}

bool track_state_is_live(enum track_state state)
{
    return states[state].live;
}

/* ------------------------------------------------------------------------------------------------ state */

/* Final responses by which the called side, a person or a program for one, says no (RFC 3261 section 21, RFC 8197). */
static const uint16_t refusals[] = { 480, 486, 600, 603, 607, 608 };

static enum track_state state_of_final(uint16_t status)
{
    for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++)
        if (refusals[i] == status)
            return TRACK_REJECTED;
    return status == 487 ? TRACK_CANCELLED : status == 408 || status == 504 ? TRACK_TIMED_OUT : TRACK_FAILED;
}

/* A 2xx is the answer to the first INVITE unless it may belong to a re-INVITE, the first one being unseen. */
static bool knows_answer(const struct track_call *c)
{
    return call_knows(c, AT_ANSWER) && (call_knows(c, AT_INVITE) || c->reinvites == 0);
}

static bool was_answered(const struct track_call *c)
{
    return call_knows(c, AT_ANSWER) || dialog_was_seen(c);
}

unsigned call_hops(const struct track_call *c)
{
    unsigned hops = 0;
    for (uint8_t i = 0; i < c->way_count; i++) {
        uint8_t j = 0;
        while (j < i && c->way_srcs[j] != c->way_srcs[i])
            j++;
        hops += j == i;
    }
    return hops;
}

/*
 * The response that ended the attempt; 0 if there is none. One that only a proxy saw, or that came before the next
 * branch was tried, ends the call only when nothing else has come.
 */
static uint16_t failure(const struct track_call *c, bool over)
{
    if (c->final_status < 300 || c->final_cseq < c->ways_cseq)
        return 0;
    bool inner = c->way_count > 0 && c->final_via > c->ways_via;
    bool goes_on = c->way_count > call_hops(c) && c->ways_ms > c->final_ms;
    return over || !(inner || goes_on) ? c->final_status : 0;
}

static bool is_cancelled(const struct track_call *c, bool over)
{
    return call_knows(c, AT_CANCEL) && (over || c->way_count == 0 || c->cancel_via <= c->ways_via);
}

static struct side_holds holds_of(const struct track_call *c)
{
    const struct side *sides = own_sides(c);
    if (sides == NULL)
        return (struct side_holds){ 0, 0, false };
    struct side_holds a = side_holds(&sides[0]), b = side_holds(&sides[1]);
    return (struct side_holds){ a.holds + b.holds, a.resumes + b.resumes, a.held || b.held };
}

static enum track_state live_state(const struct track_call *c)
{
    if (was_answered(c))
        return holds_of(c).held ? TRACK_HELD : TRACK_ANSWERED;
    return (c->flags & CALL_EARLY_MEDIA) ? TRACK_EARLY : call_knows(c, AT_PROGRESS) ? TRACK_RINGING : TRACK_CALLING;
}

static enum track_state state_of(const struct track_call *c, bool over)
{
    if (dialog_bye(c).ms != CALL_NO_TIME)
        return TRACK_COMPLETED;
    if (!was_answered(c) && failure(c, over) != 0)
        return state_of_final(failure(c, over));
    if (!was_answered(c) && is_cancelled(c, over))
        return TRACK_CANCELLED;
    if (!over)
        return live_state(c);
    bool asked = call_knows(c, AT_INVITE) && !was_answered(c);
    return asked && (c->flags & CALL_EVICTED) == 0 ? TRACK_TIMED_OUT : TRACK_INCOMPLETE;
}

static enum track_side hangup_of(const struct track_call *c, enum track_state state)
{
    if (state == TRACK_CANCELLED)
        return TRACK_CALLER;
    if (state == TRACK_REJECTED)
        return TRACK_CALLEE;
    uint32_t by = state == TRACK_COMPLETED ? dialog_bye(c).tag : 0;
    if (c->ranks[BEST_WHO] < 2 || c->caller_tag == 0 || by == 0)
        return TRACK_NOBODY;
    return by == c->caller_tag ? TRACK_CALLER : TRACK_CALLEE;
}

uint32_t call_patience(const struct track_call *c, const struct track_options *o)
{
    struct call_bye bye = dialog_bye(c);
    if (bye.ms != CALL_NO_TIME)
        return o->linger_s + (bye.answered ? 0 : o->no_answer_s);
    if (was_answered(c))
        return call_knows(c, AT_INVITE) ? o->idle_s : o->orphan_s;
    if (failure(c, false) != 0)
        return o->linger_s;
    if (call_knows(c, AT_PROVISIONAL) && !is_cancelled(c, false))
        return o->ring_s;
    return o->linger_s + o->no_answer_s;
}

bool call_has_ended(const struct track_call *c)
{
    if (dialog_bye(c).ms != CALL_NO_TIME)
        return true;
    return !was_answered(c) && (failure(c, false) != 0 || is_cancelled(c, false));
}

/* ------------------------------------------------------------------------------------------------ record */

static int64_t time_of(const struct track_call *c, int32_t ms)
{
    return ms == CALL_NO_TIME ? TRACK_NO_TIME : ((int64_t)c->base_s * 1000 + ms) * 1000;
}

/* Clocks of taps differ: what would be negative is 0. */
static int64_t span(int64_t from, int64_t to)
{
    return from == TRACK_NO_TIME || to == TRACK_NO_TIME ? TRACK_NONE : to > from ? (to - from) / 1000 : 0;
}

static int64_t end_of(const struct track_call *c, enum track_state state, bool over)
{
    if (track_state_is_live(state))
        return TRACK_NO_TIME;
    if (state == TRACK_COMPLETED)
        return time_of(c, dialog_bye(c).ms);
    if (!was_answered(c) && failure(c, over) != 0)
        return time_of(c, c->final_ms);
    return state == TRACK_CANCELLED ? time_of(c, c->at[AT_CANCEL]) : TRACK_NO_TIME;
}

static void show_times(const struct track_call *c, struct call_record *r)
{
    r->first = time_of(c, c->at[AT_FIRST]);
    r->last = time_of(c, c->at[AT_LAST]);
    r->invite = time_of(c, c->at[AT_INVITE]);
    r->provisional = time_of(c, c->at[AT_PROVISIONAL]);
    r->ringing = time_of(c, c->at[AT_RINGING]);
    r->answer = knows_answer(c) ? time_of(c, c->at[AT_ANSWER]) : TRACK_NO_TIME;
    r->end = end_of(c, r->state, r->over);

    int64_t until = r->end != TRACK_NO_TIME ? r->end : r->last;
    int64_t progress = time_of(c, c->at[AT_PROGRESS]);
    int64_t final = c->final_status != 0 ? time_of(c, c->final_ms) : TRACK_NO_TIME;
    r->pdd_ms = span(r->invite, progress != TRACK_NO_TIME ? progress : final);
    if (r->ringing != TRACK_NO_TIME && (r->answer == TRACK_NO_TIME || r->ringing <= r->answer))
        r->ring_ms = span(r->ringing, r->answer != TRACK_NO_TIME ? r->answer : until);
    r->talk_ms = span(r->answer, until);
}

int64_t call_from(const struct track_call *c)
{
    return (int64_t)c->base_s * 1000 + c->at[AT_FIRST];
}

int64_t call_until(const struct track_call *c)
{
    bool ended =
        dialog_bye(c).ms != CALL_NO_TIME || (!was_answered(c) && (failure(c, false) != 0 || is_cancelled(c, false)));
    return ended ? (int64_t)c->base_s * 1000 + c->at[AT_LAST] : INT64_MAX;
}

/* Hops: senders of the INVITE one behind the other. What they sent more often than once are branches. */
static void show_ways(const struct track_call *c, struct call_record *r)
{
    r->hops = call_hops(c);
    r->branches = c->way_count == 0 ? 0 : c->way_count + c->branches - r->hops + 1u;
    r->to_tags = dialog_answers(c);
}

static void show_counts(const struct track_call *c, struct call_record *r)
{
    struct side_holds holds = holds_of(c);
    r->messages = c->messages;
    r->seen_again = c->seen_again;
    for (size_t i = 0; i < TRACK_AGAINS; i++)
        r->again[i] = c->again[i];
    r->reinvites = c->reinvites;
    r->updates = c->updates;
    r->refers = c->refers;
    r->auth_rounds = c->auth_rounds;
    r->holds = holds.holds;
    r->resumes = holds.resumes;
    r->taps = c->tap_count;
    r->transports = c->transports;
    show_ways(c, r);
}

static void show_flags(const struct track_call *c, struct call_record *r)
{
    r->evicted = (c->flags & CALL_EVICTED) != 0;
    r->start_missing = !call_knows(c, AT_INVITE);
    r->early_media = (c->flags & CALL_EARLY_MEDIA) != 0;
    r->srtp = (c->flags & CALL_SRTP) != 0;
    r->transferred = c->refers > 0 || (c->flags & CALL_REPLACES) != 0;
    r->redirected = (c->flags & CALL_REDIRECTED) != 0;
    r->forwarded = r->redirected || (c->flags & CALL_FORWARDED) != 0;
    struct call_bye bye = dialog_bye(c);
    r->no_bye_answer = bye.ms != CALL_NO_TIME && !bye.answered;
    r->no_ack = knows_answer(c) && call_knows(c, AT_INVITE) && c->ack_cseq < c->final_cseq;
    r->late_offer = c->words[WORD_OFFER] == 0 && c->words[WORD_ACK] != 0;
}

void call_addr(const struct track_call *c, const struct call_world *w, enum call_word which, struct track_addr *ret)
{
    uint32_t word = c->words[which];
    ret->port = c->ports[which - WORD_SRC];
    if (c->ip4 >> which & 1) {
        ret->ip =
            (struct hep_addr){ 4,
                               { (uint8_t)(word >> 24), (uint8_t)(word >> 16), (uint8_t)(word >> 8), (uint8_t)word } };
        return;
    }
    struct hep_slice s = words_get(&w->words, word);
    ret->ip.len = (uint8_t)s.len;
    if (s.len > 0)
        memcpy(ret->ip.octets, s.ptr, s.len);
}

/* "audio PCMU/8000,telephone-event/8000 sendrecv": PCMU/8000 */
static struct hep_slice first_codec(struct hep_slice media)
{
    (void)text_word(&media);
    struct hep_slice codecs = text_word(&media);
    codecs.len = text_find(codecs, ',');
    return codecs;
}

static void show_words(const struct track_call *c, const struct call_world *w, struct call_record *r)
{
    const struct words *all = &w->words;
    for (int i = 0; i < CALL_TEXTS; i++)
        r->texts.of[i] = call_text(c, (enum track_text)i);
    r->texts.of[TRACK_TEXT_FROM_HOST] = words_get(all, c->words[WORD_FROM_HOST]);
    r->texts.of[TRACK_TEXT_TO_HOST] = words_get(all, c->words[WORD_TO_HOST]);
    r->texts.of[TRACK_TEXT_RURI_HOST] = words_get(all, c->words[WORD_RURI_HOST]);
    r->caller_agent = words_get(all, c->words[WORD_CALLER_AGENT]);
    r->callee_agent = words_get(all, c->words[WORD_CALLEE_AGENT]);
    r->reason = words_get(all, c->words[WORD_REASON]);
    r->offer = words_get(all, c->words[r->late_offer ? WORD_ANSWER : WORD_OFFER]);
    r->chosen = words_get(all, c->words[r->late_offer ? WORD_ACK : WORD_ANSWER]);
    r->codec = first_codec(r->chosen);
    call_addr(c, w, WORD_SRC, &r->src);
    call_addr(c, w, WORD_DST, &r->dst);
    call_addr(c, w, WORD_CALLER_MEDIA, &r->caller_media);
    call_addr(c, w, WORD_CALLEE_MEDIA, &r->callee_media);
}

void call_show(const struct track_call *c, const struct call_world *w, bool over, struct call_record *ret)
{
    memset(ret, 0, sizeof(*ret));
    ret->uid = c->uid;
    ret->first_seq = c->first_seq;
    ret->over = over;
    ret->state = state_of(c, over);
    ret->hangup = hangup_of(c, ret->state);
    ret->ring_ms = TRACK_NONE;
    ret->status = c->final_status != 0 ? c->final_status : TRACK_NONE;
    /* Of a call that was answered only the BYE says why it ended: what ended a branch does not matter then. */
    bool by_bye = was_answered(c);
    ret->q850 = !by_bye || c->q850_rank == CAUSE_OF_BYE ? c->q850 : TRACK_NONE;
    ret->sip_cause = !by_bye || c->sip_cause_rank == CAUSE_OF_BYE ? c->sip_cause : TRACK_NONE;
    show_times(c, ret);
    show_counts(c, ret);
    show_flags(c, ret);
    show_words(c, w, ret);
}
