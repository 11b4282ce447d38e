#include "engine/call_row.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "record/reader.h"
#include "track/findings.h"

static struct hep_slice text(const char *s)
{
    return (struct hep_slice){ (const uint8_t *)s, strlen(s) };
}

/* ------------------------------------------------------------------------------------------------ lists of words */

static void add_word(char *to, size_t room, const char *word)
{
    size_t len = strlen(to);
    (void)snprintf(to + len, room - len, "%s%s", len > 0 ? "," : "", word);
}

#define LOSS_HIGH_PCT 2.0
#define JITTER_HIGH   30.0 /* ms */
#define MOS_LOW       3.6  /* below: many users dissatisfied, by ITU-T G.107 annex B */

/* docs/calls.md, "Flags". */
static void put_flags(const struct call_record *c, const struct quality_of_call *q, char *to, size_t room)
{
    const struct {
        bool set;
        const char *name;
    } flags[] = {
        { c->start_missing, "start-missing" },
        { c->evicted, "evicted" },
        { c->early_media, "early-media" },
        { c->late_offer, "late-offer" },
        { c->srtp, "srtp" },
        { c->transferred, "transferred" },
        { c->redirected, "redirected" },
        { c->forwarded, "forwarded" },
        { c->branches > 1, "forked" },
        { c->to_tags > 1, "several-answers" },
        { c->holds > 0, "hold" },
        { c->no_ack, "no-ack" },
        { c->no_bye_answer, "no-bye-answer" },
        { q->one_way, "one-way-audio" },
        { q->worse.nothing, "no-media" },
        { q->worse.loss_max_pct > LOSS_HIGH_PCT, "packet-loss" },
        { q->worse.jitter_max_ms > JITTER_HIGH, "high-jitter" },
        { q->worse.mos >= 0 && q->worse.mos < MOS_LOW, "low-mos" },
    };
    to[0] = '\0';
    for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
        if (flags[i].set)
            add_word(to, room, flags[i].name);
    const char *findings[TRACK_FINDINGS_MAX];
    size_t count = track_findings(c, findings);
    for (size_t i = 0; i < count; i++)
        add_word(to, room, findings[i]);
}

static void put_transports(unsigned transports, char *to, size_t room)
{
    to[0] = '\0';
    for (unsigned t = 0; t < TRACK_TRANSPORTS; t++)
        if ((transports >> t & 1) != 0)
            add_word(to, room, track_transport_name((enum track_transport)t));
}

/* ------------------------------------------------------------------------------------------------ the row */

static void set_parties(const struct call_record *c, struct record *r)
{
    const struct hep_slice *of = c->texts.of;
    r->call_id = of[TRACK_TEXT_CALL_ID];
    r->from_user = of[TRACK_TEXT_FROM_USER];
    r->from_host = of[TRACK_TEXT_FROM_HOST];
    r->from_name = of[TRACK_TEXT_FROM_NAME];
    r->to_user = of[TRACK_TEXT_TO_USER];
    r->to_host = of[TRACK_TEXT_TO_HOST];
    r->ruri_user = of[TRACK_TEXT_RURI_USER];
    r->ruri_host = of[TRACK_TEXT_RURI_HOST];
    r->pai_user = of[TRACK_TEXT_PAI_USER];
    r->diversion_user = of[TRACK_TEXT_DIVERSION_USER];
    r->diversion_reason = of[TRACK_TEXT_DIVERSION_REASON];
    r->replaces = of[TRACK_TEXT_REPLACES];
    r->refer_to = of[TRACK_TEXT_REFER_TO];
    r->caller_agent = c->caller_agent;
    r->callee_agent = c->callee_agent;
}

/* Who talks now does so until now; the messages of an import are not of now. */
static int64_t talk_of(const struct call_record *c, enum record_source source, int64_t now_us)
{
    bool talks = !c->over && (c->state == TRACK_ANSWERED || c->state == TRACK_HELD) && c->answer != TRACK_NO_TIME;
    if (!talks || source == RECORD_IMPORT || now_us < c->answer)
        return c->talk_ms;
    int64_t ms = (now_us - c->answer) / 1000;
    return ms < UINT32_MAX ? ms : UINT32_MAX;
}

static void set_course(const struct call_record *c, enum record_source source, struct record *r)
{
    static const char *const sides[] = { [TRACK_NOBODY] = "", [TRACK_CALLER] = "caller", [TRACK_CALLEE] = "callee" };
    r->state = text(track_state_name(c->state));
    r->hangup = text(sides[c->hangup]);
    r->invited = c->invite;
    r->provisional = c->provisional;
    r->ringing = c->ringing;
    r->answered = c->answer;
    r->ended = c->end;
    r->last = c->last;
    r->pdd_ms = c->pdd_ms;
    r->ring_ms = c->ring_ms;
    r->talk_ms = talk_of(c, source, r->received);
    r->status = c->status;
    r->reason = c->reason;
    r->q850_cause = c->q850;
    r->sip_cause = c->sip_cause;
}

static void set_counts(const struct call_record *c, struct record *r)
{
    r->messages = c->messages;
    r->seen_again = c->seen_again;
    for (size_t i = 0; i < TRACK_AGAINS; i++)
        r->retransmissions += c->again[i];
    r->again_invite = c->again[TRACK_AGAIN_INVITE];
    r->again_request = c->again[TRACK_AGAIN_REQUEST];
    r->again_provisional = c->again[TRACK_AGAIN_PROVISIONAL];
    r->again_success = c->again[TRACK_AGAIN_SUCCESS];
    r->again_failure = c->again[TRACK_AGAIN_FAILURE];
    r->again_ack = c->again[TRACK_AGAIN_ACK];
    r->reinvites = c->reinvites;
    r->updates = c->updates;
    r->refers = c->refers;
    r->auth_rounds = c->auth_rounds;
    r->holds = c->holds;
    r->resumes = c->resumes;
    r->hops = c->hops;
    r->branches = c->branches;
    r->to_tags = c->to_tags;
    r->taps = c->taps;
}

/* "PCMU" of "PCMU/8000" */
static struct hep_slice name_of(struct hep_slice codec)
{
    const uint8_t *slash = codec.len > 0 ? memchr(codec.ptr, '/', codec.len) : NULL;
    return slash != NULL ? (struct hep_slice){ codec.ptr, (size_t)(slash - codec.ptr) } : codec;
}

static void set_media(const struct call_record *c, struct record *r)
{
    r->offer = c->offer;
    r->chosen = c->chosen;
    r->codec = name_of(c->codec);
    r->caller_media_ip = c->caller_media.ip;
    r->caller_media_port = c->caller_media.port;
    r->callee_media_ip = c->callee_media.ip;
    r->callee_media_port = c->callee_media.port;
}

int64_t call_row_decimal(double v)
{
    if (!(v >= 0))
        return RECORD_NONE;
    return v * 100 < (double)RECORD_DECIMAL_MAX ? (int64_t)(v * 100 + 0.5) : RECORD_DECIMAL_MAX;
}

static void set_quality(const struct quality_of_call *q, struct record *r)
{
    const struct quality_figures *worse = &q->worse, *caller = &q->heard[0], *callee = &q->heard[1];
    const struct {
        int64_t *to;
        double from;
    } all[] = {
        { &r->mos, worse->mos },
        { &r->mos_min, worse->mos_min },
        { &r->loss, worse->loss_pct },
        { &r->loss_max, worse->loss_max_pct },
        { &r->jitter_ms, worse->jitter_ms },
        { &r->jitter_max_ms, worse->jitter_max_ms },
        { &r->rtt_ms, worse->rtt_ms },
        { &r->rtt_max_ms, worse->rtt_max_ms },
        { &r->caller_mos, caller->mos },
        { &r->caller_mos_min, caller->mos_min },
        { &r->caller_loss, caller->loss_pct },
        { &r->caller_loss_max, caller->loss_max_pct },
        { &r->caller_jitter_ms, caller->jitter_ms },
        { &r->callee_mos, callee->mos },
        { &r->callee_mos_min, callee->mos_min },
        { &r->callee_loss, callee->loss_pct },
        { &r->callee_loss_max, callee->loss_max_pct },
        { &r->callee_jitter_ms, callee->jitter_ms },
    };
    r->reports = q->reports;
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        *all[i].to = call_row_decimal(all[i].from);
}

/* ------------------------------------------------------------------------------------------------ legs */

static bool is_useful(const struct track_key_value *k)
{
    return !k->hub && k->text.len > 0;
}

/* Whole lines, as many as there is room for; the strongest keys come first. */
static void put_keys(const struct call_record *c, char *to, size_t room)
{
    size_t at = 0;
    to[0] = '\0';
    for (size_t i = 0; i < c->key_count; i++) {
        const struct track_key_value *k = &c->keys[i];
        const char *kind = track_key_name(k->kind);
        size_t need = (at > 0) + strlen(kind) + 1 + k->text.len;
        if (!is_useful(k) || need >= room - at)
            continue;
        at += (size_t)snprintf(to + at, room - at, "%s%s %.*s", at > 0 ? "\n" : "", kind, (int)k->text.len,
                               (const char *)k->text.ptr);
    }
}

static void put_likes(unsigned likes, char *to, size_t room)
{
    to[0] = '\0';
    for (unsigned i = 0; i < TRACK_LIKES; i++)
        if ((likes >> i & 1) != 0)
            add_word(to, room, track_like_name((enum track_like)i));
}

static void set_legs(const struct call_record *c, struct call_row_texts *texts, struct record *r)
{
    put_keys(c, texts->keys, sizeof(texts->keys));
    r->keys = text(texts->keys);
    r->legs = c->legs;
    if (c->legs > 1) {
        (void)snprintf(texts->group, sizeof(texts->group), "%016" PRIx64, c->group);
        r->group_id = text(texts->group);
        r->joined_by = c->by.kind != TRACK_KEY_NONE ? text(track_key_name(c->by.kind)) : (struct hep_slice){ NULL, 0 };
        r->joined_value = c->by.text;
    }
    if (c->probable == 0)
        return;
    (void)snprintf(texts->probable, sizeof(texts->probable), "%016" PRIx64, c->probable);
    put_likes(c->probable_by, texts->likes, sizeof(texts->likes));
    r->probable = text(texts->probable);
    r->probable_score = c->probable_score;
    r->probable_by = text(texts->likes);
}

bool call_row_key(const struct call_record *c, size_t key, enum record_source source, int64_t now_us, struct record *r)
{
    const struct track_key_value *k = &c->keys[key];
    if (!is_useful(k))
        return false;
    record_clear(r, RECORD_CALL_KEY);
    r->ts = c->invite != TRACK_NO_TIME ? c->invite : c->first;
    r->seq = c->first_seq;
    r->received = now_us;
    r->call_uid = c->uid;
    r->source = source;
    r->call_id = c->texts.of[TRACK_TEXT_CALL_ID];
    r->key = k->text;
    r->key_kind = text(track_key_name(k->kind));
    return true;
}

static struct hep_slice first_word(const char *words)
{
    return (struct hep_slice){ (const uint8_t *)words, strcspn(words, ",") };
}

void call_row_make(const struct call_record *c, const struct quality_of_call *quality, enum record_source source,
                   int64_t now_us, struct call_row_texts *texts, struct record *r)
{
    record_clear(r, RECORD_CALL);
    put_flags(c, quality, texts->flags, sizeof(texts->flags));
    put_transports(c->transports, texts->signalling, sizeof(texts->signalling));
    r->ts = c->invite != TRACK_NO_TIME ? c->invite : c->first;
    r->seq = c->first_seq;
    r->received = now_us;
    r->call_uid = c->uid;
    r->source = source;
    r->src_ip = c->src.ip;
    r->src_port = c->src.port;
    r->dst_ip = c->dst.ip;
    r->dst_port = c->dst.port;
    r->proto = first_word(texts->signalling);
    r->call_flags = text(texts->flags);
    r->signalling = text(texts->signalling);
    set_parties(c, r);
    set_course(c, source, r);
    set_counts(c, r);
    set_media(c, r);
    set_quality(quality, r);
    set_legs(c, texts, r);
}
