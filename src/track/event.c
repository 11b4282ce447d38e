#include "track/event.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/ip.h"
#include "base/utf8.h"
#include "sip/start.h"
#include "sip/text.h"
#include "track/keys.h"

/* ------------------------------------------------------------------------------------------------ texts */

static const size_t text_places[TRACK_TEXT_KEY_0] = {
    [TRACK_TEXT_CALL_ID] = offsetof(struct record, call_id),
    [TRACK_TEXT_FROM_USER] = offsetof(struct record, from_user),
    [TRACK_TEXT_FROM_NAME] = offsetof(struct record, from_name),
    [TRACK_TEXT_TO_USER] = offsetof(struct record, to_user),
    [TRACK_TEXT_RURI_USER] = offsetof(struct record, ruri_user),
    [TRACK_TEXT_PAI_USER] = offsetof(struct record, pai_user),
    [TRACK_TEXT_DIVERSION_USER] = offsetof(struct record, diversion_user),
    [TRACK_TEXT_DIVERSION_REASON] = offsetof(struct record, diversion_reason),
    [TRACK_TEXT_REPLACES] = offsetof(struct record, replaces),
    [TRACK_TEXT_REFER_TO] = offsetof(struct record, refer_to),
    [TRACK_TEXT_FROM_HOST] = offsetof(struct record, from_host),
    [TRACK_TEXT_TO_HOST] = offsetof(struct record, to_host),
    [TRACK_TEXT_RURI_HOST] = offsetof(struct record, ruri_host),
    [TRACK_TEXT_USER_AGENT] = offsetof(struct record, user_agent),
    [TRACK_TEXT_REASON] = offsetof(struct record, reason),
    [TRACK_TEXT_SDP] = offsetof(struct record, sdp_media),
};

static struct hep_slice text_at(const struct record *r, size_t place)
{
    return *(const struct hep_slice *)(const void *)((const uint8_t *)r + place);
}

struct hep_slice track_text_cut(struct hep_slice s)
{
    if (s.len <= TRACK_TEXT_MAX)
        return s;
    s.len = TRACK_TEXT_MAX;
    while (s.len > TRACK_TEXT_MAX - 3 && (s.ptr[s.len] & 0xc0) == 0x80)
        s.len--;
    return s;
}

void track_slices_pack(const struct hep_slice *all, size_t count, struct buf *b)
{
    for (size_t i = 0; i < count; i++) {
        struct hep_slice s = track_text_cut(all[i]);
        buf_putc(b, (char)(uint8_t)s.len);
        buf_put(b, s.ptr, s.len);
    }
}

bool track_slices_unpack(const uint8_t *p, size_t len, struct hep_slice *ret, size_t count)
{
    const uint8_t *end = p + len;
    for (size_t i = 0; i < count; i++) {
        if (p == end || (size_t)(end - p) < (size_t)1 + *p)
            return false;
        ret[i] = (struct hep_slice){ p + 1, *p };
        p += 1 + *p;
    }
    return p == end;
}

void track_texts_pack(const struct track_texts *texts, struct buf *b)
{
    track_slices_pack(texts->of, TRACK_TEXTS, b);
}

bool track_texts_unpack(const uint8_t *p, size_t len, struct track_texts *ret)
{
    return track_slices_unpack(p, len, ret->of, TRACK_TEXTS);
}

/* ------------------------------------------------------------------------------------------------ numbers */

static const char *const transports[TRACK_TRANSPORTS] = {
    [TRACK_UDP] = "udp",
    [TRACK_TCP] = "tcp",
    [TRACK_TLS] = "tls",
    [TRACK_WS] = "ws",
    [TRACK_WSS] = "wss",
    [TRACK_SCTP] = "sctp",
    [TRACK_TRANSPORT_OTHER] = "other",
};

const char *track_transport_name(enum track_transport transport)
{
    return transports[transport];
}

uint8_t track_transport_by_name(struct hep_slice proto)
{
    for (uint8_t i = 0; i < TRACK_TRANSPORT_OTHER; i++)
        if (text_is(proto, transports[i]))
            return i;
    return TRACK_TRANSPORT_OTHER;
}

/* 32 bits that are never 0, which means that there is none. */
static uint32_t hash32(struct hep_slice s, uint64_t seed)
{
    if (s.len == 0)
        return 0;
    uint32_t h = (uint32_t)XXH3_64bits_withSeed(s.ptr, s.len, seed);
    return h != 0 ? h : 1;
}

uint64_t track_call_hash(struct hep_slice call_id, uint64_t seed)
{
    return XXH3_64bits_withSeed(call_id.ptr, call_id.len, seed);
}

/* What is the same in each transmission of a message, and differs in any other. */
static uint32_t message_hash(const struct record *r, const struct track_event *e, uint64_t seed)
{
    struct {
        uint64_t payload;
        uint32_t branch, cseq;
        uint8_t src[16], dst[16];
        uint16_t src_port, dst_port, status, method;
    } m = {
        .payload = XXH3_64bits_withSeed(r->payload.ptr, r->payload.len, seed),
        .branch = e->branch,
        .cseq = e->cseq,
        .src_port = e->src.port,
        .dst_port = e->dst.port,
        .status = e->status,
        .method = e->method,
    };
    memcpy(m.src, e->src.ip.octets, sizeof(m.src));
    memcpy(m.dst, e->dst.ip.octets, sizeof(m.dst));
    return (uint32_t)XXH3_64bits_withSeed(&m, sizeof(m), seed);
}

uint16_t track_tap(const struct record *r, uint64_t seed)
{
    struct {
        int64_t capture_id;
        uint8_t sender[16];
    } tap = { .capture_id = r->capture_id };
    memcpy(tap.sender, r->sender.octets, sizeof(tap.sender));
    uint16_t h = (uint16_t)XXH3_64bits_withSeed(&tap, sizeof(tap), seed);
    return h != 0 ? h : 1;
}

static int16_t cause_of(int64_t cause)
{
    return cause >= 0 && cause <= INT16_MAX ? (int16_t)cause : -1;
}

/* ------------------------------------------------------------------------------------------------ SDP */

/* True if a word stands in the first medium of a column sdp_media. */
static bool says(struct hep_slice media, const char *word)
{
    struct hep_slice rest = text_of(media.ptr, text_find(media, ';')), w;
    while ((w = text_word(&rest)).len > 0)
        if (text_is(w, word))
            return true;
    return false;
}

static void set_media(const struct record *r, struct track_event *e)
{
    e->flags |= TRACK_EVENT_SDP;
    if (r->flags & RECORD_FLAG_SRTP)
        e->flags |= TRACK_EVENT_SRTP;
    if (says(r->sdp_media, "sendonly") || says(r->sdp_media, "inactive") || text_is(r->sdp_ip, "0.0.0.0") ||
        text_is(r->sdp_ip, "::"))
        e->flags |= TRACK_EVENT_HOLD;
    if (r->sdp_port > 0 && r->sdp_port <= UINT16_MAX &&
        ip_parse((const char *)r->sdp_ip.ptr, r->sdp_ip.len, &e->media.ip))
        e->media.port = (uint16_t)r->sdp_port;
    for (uint8_t i = 0, n = 0; i < r->sdp.media_count && n < TRACK_EVENT_MEDIA; i++) {
        uint32_t endpoint = track_endpoint(&r->sdp.media[i].ip, r->sdp.media[i].port);
        if (endpoint != track_endpoint(&e->media.ip, e->media.port))
            e->more_media[n++] = endpoint;
    }
}

/* ------------------------------------------------------------------------------------------------ events */

static bool has_history(struct hep_slice message)
{
    struct hep_slice line;
    while (text_line(&message, &line) && line.len > 0)
        if (text_starts(line, "History-Info"))
            return true;
    return false;
}

static void set_invite(const struct record *r, struct track_event *e)
{
    if (r->replaces.len > 0)
        e->flags |= TRACK_EVENT_REPLACES;
    if (e->to_tag == 0 && (r->diversion_user.len > 0 || has_history(r->payload)))
        e->flags |= TRACK_EVENT_FORWARDED;
}

static void set_numbers(const struct record *r, uint64_t seed, struct track_event *e)
{
    e->seq = r->seq;
    e->ts = r->ts;
    e->branch = hash32(r->branch, seed);
    e->from_tag = hash32(r->from_tag, seed);
    e->to_tag = hash32(r->to_tag, seed);
    e->cseq = r->cseq >= 0 ? (uint32_t)r->cseq : 0;
    e->status = r->status > 0 && r->status < 1000 ? (uint16_t)r->status : 0;
    if (r->status == RECORD_NONE)
        e->flags |= TRACK_EVENT_REQUEST;
    e->tap = track_tap(r, seed);
    e->q850 = cause_of(r->q850_cause);
    e->sip_cause = cause_of(r->sip_cause);
    e->via_count = r->via_count < 0 ? 0 : r->via_count > 255 ? 255 : (uint8_t)r->via_count;
    e->transport = track_transport_by_name(r->proto);
    e->src = (struct track_addr){ r->src_ip, (uint16_t)r->src_port };
    e->dst = (struct track_addr){ r->dst_ip, (uint16_t)r->dst_port };
}

bool track_event_make_legs(const struct record *r, uint64_t seed, const struct track_legs *legs,
                           struct track_event *ret, struct track_texts *ret_texts)
{
    enum sip_method method = sip_method_id(r->method);
    if (r->table != RECORD_SIP || r->call_id.len == 0 || method == SIP_NO_METHOD || method == SIP_REGISTER ||
        method == SIP_PUBLISH)
        return false;
    memset(ret, 0, sizeof(*ret));
    ret->call = track_call_hash(r->call_id, seed);
    ret->method = (uint8_t)method;
    set_numbers(r, seed, ret);
    if (r->flags & RECORD_FLAG_SDP)
        set_media(r, ret);
    if (method == SIP_INVITE && (ret->flags & TRACK_EVENT_REQUEST))
        set_invite(r, ret);
    ret->message = message_hash(r, ret, seed);
    for (int i = 0; i < TRACK_TEXT_KEY_0; i++)
        ret_texts->of[i] = text_at(r, text_places[i]);
    keys_make(r, seed, legs, ret, ret_texts);
    return true;
}

bool track_event_is_new(const struct track_event *e)
{
    return e->method == SIP_INVITE && (e->flags & TRACK_EVENT_REQUEST) != 0 && e->to_tag == 0;
}

bool track_event_may_begin(const struct track_event *e)
{
    switch (e->method) {
    case SIP_INVITE:
    case SIP_ACK:
    case SIP_BYE:
    case SIP_CANCEL:
    case SIP_PRACK:
        return true;
    case SIP_UPDATE:
    case SIP_REFER:
    case SIP_INFO:
        return e->to_tag != 0;
    default:
        return false;
    }
}

bool track_event_make(const struct record *r, uint64_t seed, struct track_event *ret, struct track_texts *ret_texts)
{
    return track_event_make_legs(r, seed, NULL, ret, ret_texts);
}

bool track_event_has_news(const struct track_event *e)
{
    return track_event_may_begin(e) || e->method == SIP_REFER || (e->flags & TRACK_EVENT_SDP) != 0;
}
