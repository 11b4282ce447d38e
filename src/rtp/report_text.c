/* Reports as lines of NAME=VALUE: application/vq-rtcpxr (RFC 6035), X-RTP-Stat and P-RTP-Stat. */
#include <string.h>

#include "rtp/report_fill.h"

#define COUNT(keys) (sizeof(keys) / sizeof((keys)[0]))

/* RFC 6035 section 4.6.2; percentages and milliseconds. */
static const struct media_key vq_keys[] = {
    { "NLR", MEDIA_LOSS_PCT, MEDIA_PLAIN, 0 },
    { "JDR", MEDIA_DISCARD_PCT, MEDIA_PLAIN, 0 },
    { "BLD", MEDIA_BURST_LOSS_PCT, MEDIA_PLAIN, 0 },
    { "BD", MEDIA_BURST_MS, MEDIA_PLAIN, 0 },
    { "GLD", MEDIA_GAP_LOSS_PCT, MEDIA_PLAIN, 0 },
    { "GD", MEDIA_GAP_MS, MEDIA_PLAIN, 0 },
    { "GMIN", MEDIA_GMIN, MEDIA_PLAIN, 0 },
    { "RTD", MEDIA_RTT_MS, MEDIA_NONZERO, 0 },
    { "ESD", MEDIA_END_SYSTEM_MS, MEDIA_NONZERO, 0 },
    { "SOWD", MEDIA_ONE_WAY_MS, MEDIA_NONZERO, 0 },
    { "OWD", MEDIA_ONE_WAY_MS, MEDIA_NONZERO, 0 },
    { "IAJ", MEDIA_JITTER_MS, MEDIA_PLAIN, 0 },
    { "SL", MEDIA_SIGNAL_DBM, MEDIA_NOT_127, 0 },
    { "NL", MEDIA_NOISE_DBM, MEDIA_NOT_127, 0 },
    { "RERL", MEDIA_RERL_DB, MEDIA_NOT_127, 0 },
    { "RLQ", MEDIA_R_LQ, MEDIA_NOT_127, 0 },
    { "RCQ", MEDIA_R, MEDIA_NOT_127, 0 },
    { "EXTRI", MEDIA_R_EXTERNAL, MEDIA_NOT_127, 0 },
    { "MOSLQ", MEDIA_MOS_LQ, MEDIA_MOS_ANY, 0 },
    { "MOSCQ", MEDIA_MOS_CQ, MEDIA_MOS_ANY, 0 },
    { "JBN", MEDIA_BUFFER_MS, MEDIA_PLAIN, 0 },
    { "JBM", MEDIA_BUFFER_MAX_MS, MEDIA_PLAIN, 0 },
    { "JBX", MEDIA_BUFFER_LIMIT_MS, MEDIA_PLAIN, 0 },
    { "PT", MEDIA_PAYLOAD_TYPE, MEDIA_PLAIN, 0 },
    { "SR", MEDIA_CLOCK_HZ, MEDIA_NONZERO, 0 },
};

/* ------------------------------------------------------------------------------------------------ pieces */

/* Takes the text up to an octet of `ends`, which is taken too. Quotes keep blanks and the like together. */
static struct hep_slice take_until(struct hep_slice *s, const char *ends)
{
    bool quoted = false;
    size_t n = 0;
    for (; n < s->len; n++) {
        uint8_t c = s->ptr[n];
        quoted = c == '"' ? !quoted : quoted;
        if (!quoted && c != '\0' && strchr(ends, c) != NULL)
            break;
    }
    struct hep_slice piece = { s->ptr, n };
    size_t taken = n < s->len ? n + 1 : n;
    s->ptr += taken;
    s->len -= taken;
    return piece;
}

/* Lines end whatever the quotes say: one that is left open spoils its own line only. */
static struct hep_slice take_line(struct hep_slice *s)
{
    const uint8_t *end = memchr(s->ptr, '\n', s->len);
    size_t n = end != NULL ? (size_t)(end - s->ptr) : s->len;
    struct hep_slice line = { s->ptr, n };
    size_t taken = n < s->len ? n + 1 : n;
    s->ptr += taken;
    s->len -= taken;
    return media_trim(line);
}

/* NAME=VALUE, quotes off; false if there is no name. */
static bool split(struct hep_slice pair, struct hep_slice *ret_name, struct hep_slice *ret_value)
{
    pair = media_trim(pair);
    const uint8_t *equals = pair.len > 0 ? memchr(pair.ptr, '=', pair.len) : NULL;
    if (equals == NULL || equals == pair.ptr)
        return false;
    *ret_name = media_trim((struct hep_slice){ pair.ptr, (size_t)(equals - pair.ptr) });
    struct hep_slice v = media_trim((struct hep_slice){ equals + 1, pair.len - (size_t)(equals - pair.ptr) - 1 });
    if (v.len >= 2 && v.ptr[0] == '"' && v.ptr[v.len - 1] == '"')
        v = (struct hep_slice){ v.ptr + 1, v.len - 2 };
    *ret_value = v;
    return true;
}

/* ------------------------------------------------------------------------------------------------ vq-rtcpxr */

struct party {
    struct hep_slice ip;
    struct media_report figures; /* SSRC, SRC_PORT */
};

struct vq {
    struct media_reports *out;
    struct media_report side[2]; /* what the local, and the remote party received */
    struct party party[2];       /* local, remote */
    unsigned at;                 /* side that the lines are about */
    struct hep_slice call_id, kind;
};

static void address(struct vq *q, struct party *p, struct hep_slice line)
{
    static const struct media_key keys[] = { { "SSRC", MEDIA_SSRC, MEDIA_U32, 0 },
                                             { "PORT", MEDIA_SRC_PORT, MEDIA_NONZERO, 0 } };
    struct hep_slice name, v;
    while (line.len > 0) {
        if (!split(take_until(&line, " \t;"), &name, &v))
            continue;
        const struct media_key *key = media_find_key(keys, COUNT(keys), name, false);
        if (key != NULL)
            media_fill_text(&p->figures, key, v);
        else if (media_same_word(name, "IP") && p->ip.len == 0)
            p->ip = media_keep(q->out, v, false);
    }
    if (p->figures.value[MEDIA_SSRC] == 0)
        p->figures.known &= ~(UINT64_C(1) << MEDIA_SSRC); /* filler */
}

static void metrics(struct vq *q, struct hep_slice line)
{
    struct media_report *r = &q->side[q->at];
    struct hep_slice name, v;
    while (line.len > 0) {
        if (!split(take_until(&line, " \t;"), &name, &v))
            continue;
        const struct media_key *key = media_find_key(vq_keys, COUNT(vq_keys), name, false);
        if (key != NULL)
            media_fill_text(r, key, v);
        else if (media_same_word(name, "PD") && r->text[MEDIA_CODEC].len == 0)
            r->text[MEDIA_CODEC] = media_keep(q->out, v, false);
    }
}

/* Lines that mean something besides their metrics. */
static bool special(struct vq *q, struct hep_slice name, struct hep_slice rest)
{
    if (name.len > 2 && media_same_word((struct hep_slice){ name.ptr, 2 }, "VQ")) {
        if (q->kind.len == 0)
            q->kind = media_keep(q->out, rest.len > 0 ? rest : name, false);
    } else if (media_same_word(name, "CallID")) {
        if (q->call_id.len == 0)
            q->call_id = media_keep(q->out, rest, false);
    } else if (media_same_word(name, "LocalAddr")) {
        address(q, &q->party[0], rest);
    } else if (media_same_word(name, "RemoteAddr")) {
        address(q, &q->party[1], rest);
    } else if (media_same_word(name, "LocalMetrics")) {
        q->at = 0;
    } else if (media_same_word(name, "RemoteMetrics")) {
        q->at = 1;
    } else {
        return media_same_word(name, "DialogID") || media_same_word(name, "LocalID") ||
               media_same_word(name, "RemoteID") || media_same_word(name, "OrigID"); /* parameters of others */
    }
    return true;
}

static void vq_line(struct vq *q, struct hep_slice line)
{
    const uint8_t *colon = line.len > 0 ? memchr(line.ptr, ':', line.len) : NULL;
    const uint8_t *equals = line.len > 0 ? memchr(line.ptr, '=', line.len) : NULL;
    if (colon == NULL || (equals != NULL && equals < colon)) {
        if (!special(q, line, (struct hep_slice){ line.ptr, 0 }))
            metrics(q, line);
        return;
    }
    struct hep_slice name = media_trim((struct hep_slice){ line.ptr, (size_t)(colon - line.ptr) });
    struct hep_slice rest = { colon + 1, line.len - (size_t)(colon - line.ptr) - 1 };
    if (!special(q, name, media_trim(rest)))
        metrics(q, rest);
}

static void take(struct media_report *to, enum media_field field, const struct party *from, enum media_field its)
{
    if (media_has(&from->figures, its))
        media_fill(to, field, from->figures.value[its]);
}

/* The stream that a party received came from the other one. */
static void finish_side(struct vq *q, unsigned side)
{
    struct media_report *r = &q->side[side];
    const struct party *here = &q->party[side];
    const struct party *there = &q->party[1 - side];
    if ((r->known | r->bad) == 0)
        return;
    take(r, MEDIA_REPORTER_SSRC, here, MEDIA_SSRC);
    take(r, MEDIA_DST_PORT, here, MEDIA_SRC_PORT);
    take(r, MEDIA_SSRC, there, MEDIA_SSRC);
    take(r, MEDIA_SRC_PORT, there, MEDIA_SRC_PORT);
    r->text[MEDIA_DST_IP] = here->ip;
    r->text[MEDIA_SRC_IP] = there->ip;
    r->text[MEDIA_CALL_ID] = q->call_id;
    r->text[MEDIA_KIND] = q->kind;
    media_add_copy(q->out, r, MEDIA_FROM_VQ, side == 0 ? MEDIA_SIDE_LOCAL : MEDIA_SIDE_REMOTE);
}

enum media_result media_read_vq(struct hep_slice payload, struct media_reports *ret)
{
    struct vq q = { .out = ret };
    while (payload.len > 0)
        vq_line(&q, take_line(&payload));
    finish_side(&q, 0);
    finish_side(&q, 1);
    if (ret->count > 0)
        return MEDIA_OK;
    return q.kind.len > 0 ? MEDIA_NOTHING : MEDIA_UNKNOWN;
}

/* ------------------------------------------------------------------------------------------------ RTP-Stat */

static void codec(struct media_reports *all, struct media_report *r, struct hep_slice v)
{
    static const struct media_key key = { "DE", MEDIA_PAYLOAD_TYPE, MEDIA_PLAIN, 0 };
    double type;
    if (media_number(v, &type))
        media_fill_key(r, &key, type);
    else
        r->text[MEDIA_CODEC] = media_keep(all, v, false);
}

enum media_result media_read_stat(struct hep_slice value, bool la_is_rtt, struct media_reports *ret)
{
    static const struct media_key keys[] = {
        { "PS", MEDIA_SENT_PACKETS, MEDIA_PLAIN, 0 }, { "OS", MEDIA_SENT_OCTETS, MEDIA_PLAIN, 0 },
        { "PR", MEDIA_PACKETS, MEDIA_PLAIN, 0 },      { "OR", MEDIA_OCTETS, MEDIA_PLAIN, 0 },
        { "PL", MEDIA_LOST, MEDIA_PLAIN, 0 },         { "JI", MEDIA_JITTER_MS, MEDIA_PLAIN, 0 },
        { "DU", MEDIA_DURATION_S, MEDIA_PLAIN, 0 },   { "MOS", MEDIA_MOS, MEDIA_MOS_ANY, 0 },
    };
    const struct media_key latency = { "LA", la_is_rtt ? MEDIA_RTT_MS : MEDIA_LATENCY_MS, MEDIA_NONZERO, 0 };
    struct media_report r = { .known = 0 };
    struct hep_slice name, v;
    while (value.len > 0) {
        if (!split(take_until(&value, ",;"), &name, &v))
            continue;
        const struct media_key *key = media_find_key(keys, COUNT(keys), name, false);
        key = key == NULL ? media_find_key(&latency, 1, name, false) : key;
        if (key != NULL)
            media_fill_text(&r, key, v);
        else if (media_same_word(name, "DE") && r.text[MEDIA_CODEC].len == 0)
            codec(ret, &r, v);
    }
    if ((r.known | r.bad) == 0)
        return MEDIA_UNKNOWN;
    media_compute(&r);
    media_add_copy(ret, &r, MEDIA_FROM_HEADER, MEDIA_SIDE_LOCAL);
    return MEDIA_OK;
}
