#include "rtp/rtcp_json.h"

#include "base/json_out.h"
#include "rtp/rtcp.h"

/* What is looked up in the whole compound before the first octet is written. */
struct summary {
    struct rtcp_packet main; /* gives ssrc, type and sender information */
    unsigned blocks;
    bool has_voip;
    struct rtcp_voip_metrics voip;
    unsigned sdes_chunks;
    uint32_t sdes_ssrc;
};

struct compound {
    const uint8_t *ptr;
    size_t len;
};

/* ------------------------------------------------------------------------------------------------ look-up */

static int rank(uint8_t type)
{
    switch (type) {
    case RTCP_SR:
        return 4;
    case RTCP_RR:
        return 3;
    case RTCP_XR:
        return 2;
    default:
        return 1;
    }
}

static unsigned count_blocks(const struct rtcp_packet *p)
{
    struct rtcp_block block;
    unsigned n = 0;
    while (rtcp_block(p, n, &block))
        n++;
    return n;
}

static bool find_voip(const struct rtcp_packet *p, struct rtcp_voip_metrics *ret)
{
    struct rtcp_xr_iter it;
    struct rtcp_xr x;
    rtcp_xr_begin(&it, p);
    while (rtcp_xr_next(&it, &x)) {
        if (rtcp_xr_voip(&x, ret))
            return true;
    }
    return false;
}

static bool summarise(struct compound c, struct summary *ret)
{
    *ret = (struct summary){ .blocks = 0 };
    struct rtcp_iter it;
    struct rtcp_packet p;
    int best = 0;
    rtcp_begin(&it, c.ptr, c.len);
    while (rtcp_next(&it, &p)) {
        if (rank(p.type) > best) {
            best = rank(p.type);
            ret->main = p;
        }
        ret->blocks += count_blocks(&p);
        if (!ret->has_voip)
            ret->has_voip = find_voip(&p, &ret->voip);
        if (p.type == RTCP_SDES && ret->sdes_chunks == 0)
            ret->sdes_ssrc = p.ssrc;
        if (p.type == RTCP_SDES)
            ret->sdes_chunks += p.count;
    }
    return best > 0;
}

/* ------------------------------------------------------------------------------------------------ writing */

static void number(struct buf *out, bool *first, const char *key, uint64_t value)
{
    json_out_key(out, first, key);
    json_out_number(out, value);
}

static void signed_number(struct buf *out, bool *first, const char *key, int value)
{
    json_out_key(out, first, key);
    buf_printf(out, "%d", value);
}

/* Begins an object or a list; what is in it starts with *ret_first. */
static void open_key(struct buf *out, bool *first, const char *key, char bracket, bool *ret_first)
{
    json_out_key(out, first, key);
    buf_putc(out, bracket);
    *ret_first = true;
}

/* Begins an object in a list. */
static void open_element(struct buf *out, bool *first, bool *ret_first)
{
    buf_puts(out, *first ? "{" : ",{");
    *first = false;
    *ret_first = true;
}

static void write_sender(struct buf *out, bool *first, const struct rtcp_sender_info *s)
{
    bool in;
    open_key(out, first, "sender_information", '{', &in);
    number(out, &in, "ntp_timestamp_sec", s->ntp_sec);
    number(out, &in, "ntp_timestamp_usec", s->ntp_fraction);
    number(out, &in, "rtp_timestamp", s->rtp_time);
    number(out, &in, "packets", s->packets);
    number(out, &in, "octets", s->octets);
    buf_putc(out, '}');
}

static void write_block(struct buf *out, bool *first, const struct rtcp_block *b)
{
    bool in;
    open_element(out, first, &in);
    number(out, &in, "source_ssrc", b->ssrc);
    number(out, &in, "fraction_lost", b->fraction_lost);
    number(out, &in, "packets_lost", b->lost);
    number(out, &in, "highest_seq_no", b->highest_seq);
    number(out, &in, "ia_jitter", b->jitter);
    number(out, &in, "lsr", b->lsr);
    number(out, &in, "dlsr", b->dlsr);
    buf_putc(out, '}');
}

static void write_blocks(struct buf *out, bool *first, struct compound c)
{
    struct rtcp_iter it;
    struct rtcp_packet p;
    struct rtcp_block block;
    bool in;
    open_key(out, first, "report_blocks", '[', &in);
    rtcp_begin(&it, c.ptr, c.len);
    while (rtcp_next(&it, &p)) {
        for (unsigned i = 0; rtcp_block(&p, i, &block); i++)
            write_block(out, &in, &block);
    }
    buf_putc(out, ']');
}

/* The flat excerpt of the VoIP metrics that heplify 1 defined; all zero without an XR packet. */
static void write_blocks_xr(struct buf *out, bool *first, const struct summary *s)
{
    const struct rtcp_voip_metrics *v = &s->voip;
    bool in;
    open_key(out, first, "report_blocks_xr", '{', &in);
    number(out, &in, "type", s->has_voip ? RTCP_XR_VOIP : 0);
    number(out, &in, "id", v->ssrc);
    number(out, &in, "fraction_lost", v->loss_rate);
    number(out, &in, "fraction_discard", v->discard_rate);
    number(out, &in, "burst_density", v->burst_density);
    number(out, &in, "gap_density", v->gap_density);
    number(out, &in, "burst_duration", v->burst_duration);
    number(out, &in, "gap_duration", v->gap_duration);
    number(out, &in, "round_trip_delay", v->round_trip_delay);
    number(out, &in, "end_system_delay", v->end_system_delay);
    buf_putc(out, '}');
}

static void write_mos(struct buf *out, bool *first, const char *key, unsigned tenths)
{
    if (tenths == RTCP_XR_UNAVAILABLE)
        return;
    json_out_key(out, first, key);
    json_out_number(out, tenths / 10);
    if (tenths % 10 != 0)
        buf_printf(out, ".%u", tenths % 10);
}

static void write_r_factor(struct buf *out, bool *first, const char *key, unsigned value)
{
    if (value != RTCP_XR_UNAVAILABLE)
        number(out, first, key, value);
}

static void write_voip(struct buf *out, bool *first, const struct rtcp_voip_metrics *v)
{
    bool in;
    open_key(out, first, "voip_metrics", '{', &in);
    number(out, &in, "ssrc", v->ssrc);
    number(out, &in, "loss_rate", v->loss_rate);
    number(out, &in, "discard_rate", v->discard_rate);
    number(out, &in, "burst_density", v->burst_density);
    number(out, &in, "gap_density", v->gap_density);
    number(out, &in, "burst_duration", v->burst_duration);
    number(out, &in, "gap_duration", v->gap_duration);
    number(out, &in, "round_trip_delay", v->round_trip_delay);
    number(out, &in, "end_system_delay", v->end_system_delay);
    signed_number(out, &in, "signal_level", v->signal_level);
    signed_number(out, &in, "noise_level", v->noise_level);
    number(out, &in, "rerl", v->rerl);
    number(out, &in, "gmin", v->gmin);
    write_r_factor(out, &in, "r_factor", v->r_factor);
    write_r_factor(out, &in, "ext_r_factor", v->ext_r_factor);
    write_mos(out, &in, "mos_cq", v->mos_cq);
    write_mos(out, &in, "mos_lq", v->mos_lq);
    number(out, &in, "rx_config", v->rx_config);
    number(out, &in, "jb_nominal", v->jb_nominal);
    number(out, &in, "jb_maximum", v->jb_maximum);
    number(out, &in, "jb_abs_max", v->jb_abs_max);
    buf_putc(out, '}');
}

static void write_sdes_items(struct buf *out, bool *first, const struct rtcp_packet *p)
{
    struct rtcp_sdes_iter it;
    struct rtcp_sdes_item item;
    rtcp_sdes_begin(&it, p);
    while (rtcp_sdes_next(&it, &item)) {
        bool in;
        open_element(out, first, &in);
        number(out, &in, "sdes_chunk_ssrc", item.ssrc);
        number(out, &in, "type", item.type);
        json_out_key(out, &in, "text");
        (void)json_out_string(out, item.text.ptr, item.text.len);
        buf_putc(out, '}');
    }
}

static void write_sdes(struct buf *out, bool *first, struct compound c, const struct summary *s)
{
    struct rtcp_iter it;
    struct rtcp_packet p;
    bool in;
    number(out, first, "sdes_ssrc", s->sdes_ssrc);
    if (s->sdes_chunks == 0)
        return;
    number(out, first, "sdes_report_count", s->sdes_chunks);
    open_key(out, first, "sdes_information", '[', &in);
    rtcp_begin(&it, c.ptr, c.len);
    while (rtcp_next(&it, &p))
        write_sdes_items(out, &in, &p);
    buf_putc(out, ']');
}

static void write_statistics(struct buf *out, bool *first, const struct rtcp_statistics *s)
{
    bool in;
    open_key(out, first, "statistics_summary", '{', &in);
    number(out, &in, "ssrc", s->ssrc);
    number(out, &in, "flags", s->flags);
    number(out, &in, "begin_seq", s->begin_seq);
    number(out, &in, "end_seq", s->end_seq);
    number(out, &in, "lost_packets", s->lost);
    number(out, &in, "dup_packets", s->duplicates);
    number(out, &in, "min_jitter", s->min_jitter);
    number(out, &in, "max_jitter", s->max_jitter);
    number(out, &in, "mean_jitter", s->mean_jitter);
    number(out, &in, "dev_jitter", s->dev_jitter);
    number(out, &in, "min_ttl", s->min_ttl);
    number(out, &in, "max_ttl", s->max_ttl);
    number(out, &in, "mean_ttl", s->mean_ttl);
    number(out, &in, "dev_ttl", s->dev_ttl);
    buf_putc(out, '}');
}

static void write_receiver_time(struct buf *out, bool *first, uint32_t ssrc, uint32_t sec, uint32_t fraction)
{
    bool in;
    open_key(out, first, "receiver_reference_time", '{', &in);
    number(out, &in, "ssrc", ssrc);
    number(out, &in, "ntp_timestamp_sec", sec);
    number(out, &in, "ntp_timestamp_usec", fraction);
    buf_putc(out, '}');
}

static void write_dlrr(struct buf *out, bool *first, const struct rtcp_xr *x)
{
    struct rtcp_dlrr d;
    bool list;
    open_key(out, first, "dlrr", '[', &list);
    for (unsigned i = 0; rtcp_xr_dlrr(x, i, &d); i++) {
        bool in;
        open_element(out, &list, &in);
        number(out, &in, "ssrc", d.ssrc);
        number(out, &in, "lrr", d.lrr);
        number(out, &in, "dlrr", d.dlrr);
        buf_putc(out, '}');
    }
    buf_putc(out, ']');
}

/* Keys that were written: each once, so that the object has no key twice whatever the sender repeats. */
struct seen {
    bool time, dlrr, statistics, bye, app;
};

static bool once(bool *seen)
{
    bool before = *seen;
    *seen = true;
    return !before;
}

static void write_xr(struct buf *out, bool *first, const struct rtcp_packet *p, struct seen *seen)
{
    struct rtcp_xr_iter it;
    struct rtcp_xr x;
    rtcp_xr_begin(&it, p);
    while (rtcp_xr_next(&it, &x)) {
        uint32_t sec;
        uint32_t fraction;
        struct rtcp_statistics statistics;
        struct rtcp_dlrr dlrr;
        if (rtcp_xr_receiver_time(&x, &sec, &fraction) && once(&seen->time))
            write_receiver_time(out, first, p->ssrc, sec, fraction);
        else if (rtcp_xr_dlrr(&x, 0, &dlrr) && once(&seen->dlrr))
            write_dlrr(out, first, &x);
        else if (rtcp_xr_statistics(&x, &statistics) && once(&seen->statistics))
            write_statistics(out, first, &statistics);
    }
}

static void write_bye(struct buf *out, bool *first, const struct rtcp_packet *p)
{
    bool list;
    uint32_t ssrc;
    open_key(out, first, "bye_ssrc", '[', &list);
    for (unsigned i = 0; rtcp_bye_ssrc(p, i, &ssrc); i++) {
        buf_puts(out, list ? "" : ",");
        json_out_number(out, ssrc);
        list = false;
    }
    buf_putc(out, ']');
    struct hep_slice reason = rtcp_bye_reason(p);
    if (reason.len == 0)
        return;
    json_out_key(out, first, "bye_reason");
    (void)json_out_string(out, reason.ptr, reason.len);
}

static void write_app(struct buf *out, bool *first, const struct rtcp_packet *p)
{
    struct hep_slice name;
    struct hep_slice data;
    bool in;
    if (!rtcp_app(p, &name, &data))
        return;
    open_key(out, first, "app", '{', &in);
    number(out, &in, "ssrc", p->ssrc);
    number(out, &in, "subtype", p->count);
    json_out_key(out, &in, "name");
    (void)json_out_string(out, name.ptr, name.len);
    json_out_key(out, &in, "data_hex");
    json_out_hex(out, data.ptr, data.len);
    buf_putc(out, '}');
}

static void write_others(struct buf *out, bool *first, struct compound c)
{
    struct rtcp_iter it;
    struct rtcp_packet p;
    struct seen seen = { false, false, false, false, false };
    rtcp_begin(&it, c.ptr, c.len);
    while (rtcp_next(&it, &p)) {
        if (p.type == RTCP_XR)
            write_xr(out, first, &p, &seen);
        else if (p.type == RTCP_BYE && once(&seen.bye))
            write_bye(out, first, &p);
        else if (p.type == RTCP_APP && once(&seen.app))
            write_app(out, first, &p);
    }
}

bool rtcp_json(struct buf *out, const uint8_t *p, size_t n)
{
    struct compound c = { p, n };
    struct summary s;
    if (!summarise(c, &s))
        return false;
    bool first = true;
    buf_putc(out, '{');
    write_sender(out, &first, &s.main.sender);
    number(out, &first, "ssrc", s.main.ssrc);
    number(out, &first, "type", s.main.type);
    number(out, &first, "report_count", s.blocks);
    write_blocks(out, &first, c);
    write_blocks_xr(out, &first, &s);
    if (s.has_voip)
        write_voip(out, &first, &s.voip);
    write_sdes(out, &first, c, &s);
    write_others(out, &first, c);
    buf_putc(out, '}');
    return true;
}
