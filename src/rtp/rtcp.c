#include "rtp/rtcp.h"

#define BLOCK_SIZE 24 /* of a report block */
#define DLRR_SIZE  12

/* ------------------------------------------------------------------------------------------------ compound */

struct header {
    bool padding;
    uint8_t count;
    uint8_t type;
    struct rd body;
};

/* Header of a packet and its body, padding included. */
static bool read_header(struct rd *r, struct header *ret)
{
    unsigned first = rd_u8(r);
    ret->type = rd_u8(r);
    size_t len = (size_t)rd_u16(r) * 4;
    ret->padding = (first & 0x20) != 0;
    ret->count = first & 0x1f;
    if (r->bad || first >> 6 != 2 || ret->type < 192 || ret->type > 223)
        return false;
    return rd_sub(r, len, &ret->body);
}

/* Takes the padding off the end of a body: its last octet says how much, itself included. */
static bool strip_padding(struct rd *body)
{
    size_t left = rd_left(body);
    if (left == 0)
        return false;
    size_t padding = body->end[-1];
    if (padding == 0 || padding > left)
        return false;
    body->end -= padding;
    return true;
}

bool rtcp_looks_like(const uint8_t *p, size_t n)
{
    struct rd r;
    struct header h;
    rd_init(&r, p, n);
    if (n == 0)
        return false;
    while (rd_left(&r) > 0) {
        if (!read_header(&r, &h))
            return false;
        if (h.padding && (rd_left(&r) > 0 || !strip_padding(&h.body)))
            return false;
    }
    return true;
}

void rtcp_begin(struct rtcp_iter *it, const uint8_t *p, size_t n)
{
    rd_init(&it->rd, p, n);
    it->bad = false;
}

static void read_sender_info(struct rd *r, struct rtcp_sender_info *ret)
{
    ret->ntp_sec = rd_u32(r);
    ret->ntp_fraction = rd_u32(r);
    ret->rtp_time = rd_u32(r);
    ret->packets = rd_u32(r);
    ret->octets = rd_u32(r);
}

/* Reads what is common to a type. SDES and BYE begin with a list of sources: the SSRC stays in the body. */
static bool read_body(struct rd *body, struct rtcp_packet *ret)
{
    struct rd ahead = *body;
    ret->ssrc = rd_u32(&ahead);
    if (ret->type == RTCP_SDES || ret->type == RTCP_BYE)
        return true;
    if (ret->type == RTCP_SR) {
        read_sender_info(&ahead, &ret->sender);
        ret->has_sender_info = true;
    }
    if (ahead.bad)
        return ret->type > RTCP_APP && ret->type != RTCP_XR; /* no telling what unknown types begin with */
    *body = ahead;
    return true;
}

bool rtcp_next(struct rtcp_iter *it, struct rtcp_packet *ret)
{
    struct header h;
    if (it->bad || rd_left(&it->rd) == 0)
        return false;
    *ret = (struct rtcp_packet){ .type = 0 };
    bool good = read_header(&it->rd, &h) && (!h.padding || strip_padding(&h.body));
    if (good) {
        ret->type = h.type;
        ret->count = h.count;
        good = read_body(&h.body, ret);
        ret->body = (struct hep_slice){ h.body.ptr, rd_left(&h.body) };
    }
    it->bad = !good;
    return good;
}

/* ------------------------------------------------------------------------------------------------ SR, RR */

bool rtcp_block(const struct rtcp_packet *p, unsigned index, struct rtcp_block *ret)
{
    struct rd r;
    rd_init(&r, p->body.ptr, p->body.len);
    if ((p->type != RTCP_SR && p->type != RTCP_RR) || index >= p->count)
        return false;
    rd_skip(&r, (size_t)index * BLOCK_SIZE);
    ret->ssrc = rd_u32(&r);
    ret->fraction_lost = rd_u8(&r);
    ret->lost = rd_u24(&r);
    ret->highest_seq = rd_u32(&r);
    ret->jitter = rd_u32(&r);
    ret->lsr = rd_u32(&r);
    ret->dlsr = rd_u32(&r);
    return !r.bad;
}

/* ------------------------------------------------------------------------------------------------ SDES, BYE, APP */

void rtcp_sdes_begin(struct rtcp_sdes_iter *it, const struct rtcp_packet *p)
{
    *it = (struct rtcp_sdes_iter){ .chunks = p->type == RTCP_SDES ? p->count : 0 };
    rd_init(&it->rd, p->body.ptr, p->body.len);
}

/* A chunk ends with one to four zero octets, up to the next word; bodies are whole words, so the rest tells. */
static void end_chunk(struct rtcp_sdes_iter *it)
{
    rd_skip(&it->rd, rd_left(&it->rd) % 4);
    it->in_chunk = false;
    it->chunks--;
}

bool rtcp_sdes_next(struct rtcp_sdes_iter *it, struct rtcp_sdes_item *ret)
{
    while (it->chunks > 0 && !it->rd.bad) {
        if (!it->in_chunk) {
            it->ssrc = rd_u32(&it->rd);
            it->in_chunk = true;
        }
        uint8_t type = rd_u8(&it->rd);
        if (type == 0) {
            end_chunk(it);
            continue;
        }
        size_t len = rd_u8(&it->rd);
        const uint8_t *text;
        if (!rd_take(&it->rd, len, &text))
            return false;
        *ret = (struct rtcp_sdes_item){ it->ssrc, type, { text, len } };
        return true;
    }
    return false;
}

bool rtcp_bye_ssrc(const struct rtcp_packet *p, unsigned index, uint32_t *ret)
{
    struct rd r;
    rd_init(&r, p->body.ptr, p->body.len);
    if (p->type != RTCP_BYE || index >= p->count)
        return false;
    rd_skip(&r, (size_t)index * 4);
    *ret = rd_u32(&r);
    return !r.bad;
}

struct hep_slice rtcp_bye_reason(const struct rtcp_packet *p)
{
    struct rd r;
    rd_init(&r, p->body.ptr, p->body.len);
    rd_skip(&r, (size_t)p->count * 4);
    size_t len = rd_u8(&r);
    const uint8_t *text;
    if (p->type != RTCP_BYE || !rd_take(&r, len, &text))
        return (struct hep_slice){ NULL, 0 };
    return (struct hep_slice){ text, len };
}

bool rtcp_app(const struct rtcp_packet *p, struct hep_slice *ret_name, struct hep_slice *ret_data)
{
    struct rd r;
    rd_init(&r, p->body.ptr, p->body.len);
    const uint8_t *name;
    if (p->type != RTCP_APP || !rd_take(&r, 4, &name))
        return false;
    *ret_name = (struct hep_slice){ name, 4 };
    *ret_data = (struct hep_slice){ r.ptr, rd_left(&r) };
    return true;
}

/* ------------------------------------------------------------------------------------------------ XR */

void rtcp_xr_begin(struct rtcp_xr_iter *it, const struct rtcp_packet *p)
{
    rd_init(&it->rd, p->body.ptr, p->type == RTCP_XR ? p->body.len : 0);
}

bool rtcp_xr_next(struct rtcp_xr_iter *it, struct rtcp_xr *ret)
{
    if (it->rd.bad || rd_left(&it->rd) == 0)
        return false;
    ret->type = rd_u8(&it->rd);
    ret->specific = rd_u8(&it->rd);
    size_t len = (size_t)rd_u16(&it->rd) * 4;
    const uint8_t *body;
    if (!rd_take(&it->rd, len, &body))
        return false;
    ret->body = (struct hep_slice){ body, len };
    return true;
}

static bool begin_block(const struct rtcp_xr *x, enum rtcp_xr_type type, struct rd *r)
{
    rd_init(r, x->body.ptr, x->body.len);
    return x->type == (uint8_t)type;
}

bool rtcp_xr_voip(const struct rtcp_xr *x, struct rtcp_voip_metrics *ret)
{
    struct rd r;
    if (!begin_block(x, RTCP_XR_VOIP, &r))
        return false;
    ret->ssrc = rd_u32(&r);
    ret->loss_rate = rd_u8(&r);
    ret->discard_rate = rd_u8(&r);
    ret->burst_density = rd_u8(&r);
    ret->gap_density = rd_u8(&r);
    ret->burst_duration = rd_u16(&r);
    ret->gap_duration = rd_u16(&r);
    ret->round_trip_delay = rd_u16(&r);
    ret->end_system_delay = rd_u16(&r);
    ret->signal_level = (int8_t)rd_u8(&r);
    ret->noise_level = (int8_t)rd_u8(&r);
    ret->rerl = rd_u8(&r);
    ret->gmin = rd_u8(&r);
    ret->r_factor = rd_u8(&r);
    ret->ext_r_factor = rd_u8(&r);
    ret->mos_lq = rd_u8(&r);
    ret->mos_cq = rd_u8(&r);
    ret->rx_config = rd_u8(&r);
    rd_skip(&r, 1);
    ret->jb_nominal = rd_u16(&r);
    ret->jb_maximum = rd_u16(&r);
    ret->jb_abs_max = rd_u16(&r);
    return !r.bad;
}

bool rtcp_xr_statistics(const struct rtcp_xr *x, struct rtcp_statistics *ret)
{
    struct rd r;
    if (!begin_block(x, RTCP_XR_STATISTICS, &r))
        return false;
    ret->flags = x->specific;
    ret->ssrc = rd_u32(&r);
    ret->begin_seq = rd_u16(&r);
    ret->end_seq = rd_u16(&r);
    ret->lost = rd_u32(&r);
    ret->duplicates = rd_u32(&r);
    ret->min_jitter = rd_u32(&r);
    ret->max_jitter = rd_u32(&r);
    ret->mean_jitter = rd_u32(&r);
    ret->dev_jitter = rd_u32(&r);
    ret->min_ttl = rd_u8(&r);
    ret->max_ttl = rd_u8(&r);
    ret->mean_ttl = rd_u8(&r);
    ret->dev_ttl = rd_u8(&r);
    return !r.bad;
}

bool rtcp_xr_receiver_time(const struct rtcp_xr *x, uint32_t *ret_ntp_sec, uint32_t *ret_ntp_fraction)
{
    struct rd r;
    if (!begin_block(x, RTCP_XR_RECEIVER_TIME, &r))
        return false;
    *ret_ntp_sec = rd_u32(&r);
    *ret_ntp_fraction = rd_u32(&r);
    return !r.bad;
}

bool rtcp_xr_dlrr(const struct rtcp_xr *x, unsigned index, struct rtcp_dlrr *ret)
{
    struct rd r;
    if (!begin_block(x, RTCP_XR_DLRR, &r))
        return false;
    rd_skip(&r, (size_t)index * DLRR_SIZE);
    ret->ssrc = rd_u32(&r);
    ret->lrr = rd_u32(&r);
    ret->dlrr = rd_u32(&r);
    return !r.bad;
}
