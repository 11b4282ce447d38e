/* Binary RTCP: report blocks, sender information, VoIP metrics. */
#include "rtp/report_fill.h"

static void fill_sender(struct media_report *r, const struct rtcp_packet *p)
{
    media_fill(r, MEDIA_REPORTER_SSRC, p->ssrc);
    if (!p->has_sender_info)
        return;
    media_fill(r, MEDIA_NTP_SEC, p->sender.ntp_sec);
    media_fill(r, MEDIA_NTP_FRACTION, p->sender.ntp_fraction);
    media_fill(r, MEDIA_RTP_TIME, p->sender.rtp_time);
    media_fill(r, MEDIA_SENT_PACKETS, p->sender.packets);
    media_fill(r, MEDIA_SENT_OCTETS, p->sender.octets);
}

static void fill_block(struct media_report *r, const struct rtcp_block *b)
{
    static const struct media_key lost = { "", MEDIA_TOTAL_LOST, MEDIA_LOST24, 0 };
    media_fill(r, MEDIA_SSRC, b->ssrc);
    media_fill(r, MEDIA_FRACTION_LOST, b->fraction_lost);
    media_fill_key(r, &lost, b->lost);
    media_fill(r, MEDIA_HIGHEST_SEQ, b->highest_seq);
    media_fill(r, MEDIA_JITTER_RAW, b->jitter);
    media_fill(r, MEDIA_LSR, b->lsr);
    media_fill(r, MEDIA_DLSR, b->dlsr);
    media_compute(r);
}

static void add_blocks(struct media_reports *all, const struct rtcp_packet *p)
{
    struct rtcp_block b;
    unsigned n = 0;
    for (; rtcp_block(p, n, &b); n++) {
        struct media_report *r = media_add(all, MEDIA_FROM_RTCP, MEDIA_SIDE_UNKNOWN);
        if (r == NULL)
            continue; /* counted */
        fill_sender(r, p);
        fill_block(r, &b);
    }
    if (n > 0 || !p->has_sender_info)
        return;
    struct media_report *r = media_add(all, MEDIA_FROM_RTCP, MEDIA_SIDE_UNKNOWN);
    if (r != NULL)
        fill_sender(r, p);
}

static void add_voip(struct media_reports *all, uint32_t reporter, const struct rtcp_voip_metrics *v)
{
    const double pct = 100.0 / 256;
    const struct {
        struct media_key key;
        double v;
    } rows[] = {
        { { "", MEDIA_SSRC, MEDIA_PLAIN, 0 }, v->ssrc },
        { { "", MEDIA_LOSS_PCT, MEDIA_PLAIN, pct }, v->loss_rate },
        { { "", MEDIA_DISCARD_PCT, MEDIA_PLAIN, pct }, v->discard_rate },
        { { "", MEDIA_BURST_LOSS_PCT, MEDIA_PLAIN, pct }, v->burst_density },
        { { "", MEDIA_GAP_LOSS_PCT, MEDIA_PLAIN, pct }, v->gap_density },
        { { "", MEDIA_BURST_MS, MEDIA_PLAIN, 0 }, v->burst_duration },
        { { "", MEDIA_GAP_MS, MEDIA_PLAIN, 0 }, v->gap_duration },
        { { "", MEDIA_RTT_MS, MEDIA_NONZERO, 0 }, v->round_trip_delay },
        { { "", MEDIA_END_SYSTEM_MS, MEDIA_NONZERO, 0 }, v->end_system_delay },
        { { "", MEDIA_SIGNAL_DBM, MEDIA_NOT_127, 0 }, v->signal_level },
        { { "", MEDIA_NOISE_DBM, MEDIA_NOT_127, 0 }, v->noise_level },
        { { "", MEDIA_RERL_DB, MEDIA_NOT_127, 0 }, v->rerl },
        { { "", MEDIA_GMIN, MEDIA_PLAIN, 0 }, v->gmin },
        { { "", MEDIA_R, MEDIA_NOT_127, 0 }, v->r_factor },
        { { "", MEDIA_R_EXTERNAL, MEDIA_NOT_127, 0 }, v->ext_r_factor },
        { { "", MEDIA_MOS_LQ, MEDIA_MOS_ANY, 0 }, v->mos_lq == RTCP_XR_UNAVAILABLE ? 127 : v->mos_lq / 10.0 },
        { { "", MEDIA_MOS_CQ, MEDIA_MOS_ANY, 0 }, v->mos_cq == RTCP_XR_UNAVAILABLE ? 127 : v->mos_cq / 10.0 },
        { { "", MEDIA_BUFFER_MS, MEDIA_PLAIN, 0 }, v->jb_nominal },
        { { "", MEDIA_BUFFER_MAX_MS, MEDIA_PLAIN, 0 }, v->jb_maximum },
        { { "", MEDIA_BUFFER_LIMIT_MS, MEDIA_PLAIN, 0 }, v->jb_abs_max },
    };
    struct media_report *r = media_add(all, MEDIA_FROM_XR, MEDIA_SIDE_UNKNOWN);
    if (r == NULL)
        return;
    media_fill(r, MEDIA_REPORTER_SSRC, reporter);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        media_fill_key(r, &rows[i].key, rows[i].v);
}

static void add_xr(struct media_reports *all, const struct rtcp_packet *p)
{
    struct rtcp_xr_iter it;
    struct rtcp_xr x;
    struct rtcp_voip_metrics v;
    rtcp_xr_begin(&it, p);
    while (rtcp_xr_next(&it, &x)) {
        if (rtcp_xr_voip(&x, &v))
            add_voip(all, p->ssrc, &v);
    }
}

/* SDES comes behind the reports of the same source. */
static void name_sources(struct media_reports *all, const struct rtcp_packet *p)
{
    struct rtcp_sdes_iter it;
    struct rtcp_sdes_item item;
    rtcp_sdes_begin(&it, p);
    while (rtcp_sdes_next(&it, &item)) {
        struct hep_slice cname = { NULL, 0 };
        for (size_t i = 0; item.type == 1 && i < all->count; i++) {
            struct media_report *r = &all->list[i];
            if (r->value[MEDIA_REPORTER_SSRC] != item.ssrc || r->text[MEDIA_CNAME].len > 0)
                continue;
            if (cname.len == 0)
                cname = media_keep(all, item.text, false);
            r->text[MEDIA_CNAME] = cname;
        }
    }
}

enum media_result media_read_rtcp(struct hep_slice payload, struct media_reports *ret)
{
    struct rtcp_iter it;
    struct rtcp_packet p;
    rtcp_begin(&it, payload.ptr, payload.len);
    const uint8_t *at = it.rd.ptr;
    while (rtcp_next(&it, &p)) {
        at = it.rd.ptr;
        if (p.type == RTCP_XR)
            add_xr(ret, &p);
        else if (p.type == RTCP_SDES)
            name_sources(ret, &p);
        else
            add_blocks(ret, &p);
    }
    if (it.bad)
        return media_fail(ret, "not an RTCP packet", (size_t)(at - payload.ptr));
    return ret->count > 0 ? MEDIA_OK : MEDIA_NOTHING;
}
