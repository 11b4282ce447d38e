/*
 * Reports in JSON: RTCP as heplify, captagent, rtpengine, Asterisk and hepcat write it, RTP statistics, horaclifix.
 * Their keys do not collide, so one walk reads them all. Numbers may be strings.
 */
#include <string.h>

#include "rtp/json_pull.h"
#include "rtp/report_fill.h"

#define COUNT(keys) (sizeof(keys) / sizeof((keys)[0]))

#define PCT256 (100.0 / 256)

/* ------------------------------------------------------------------------------------------------ keys */

static const struct media_key sender_keys[] = {
    { "ntp_timestamp_sec", MEDIA_NTP_SEC, MEDIA_U32, 0 },
    { "ntp_timestamp_usec", MEDIA_NTP_FRACTION, MEDIA_U32, 0 }, /* 1/2^32 s, whatever it is called */
    { "rtp_timestamp", MEDIA_RTP_TIME, MEDIA_U32, 0 },
    { "packets", MEDIA_SENT_PACKETS, MEDIA_U32, 0 },
    { "octets", MEDIA_SENT_OCTETS, MEDIA_U32, 0 },
};

static const struct media_key block_keys[] = {
    { "source_ssrc", MEDIA_SSRC, MEDIA_U32, 0 },
    { "fraction_lost", MEDIA_FRACTION_LOST, MEDIA_PLAIN, 0 },
    { "packets_lost", MEDIA_TOTAL_LOST, MEDIA_LOST24, 0 },
    { "highest_seq_no", MEDIA_HIGHEST_SEQ, MEDIA_U32, 0 },
    { "ia_jitter", MEDIA_JITTER_RAW, MEDIA_U32, 0 },
    { "lsr", MEDIA_LSR, MEDIA_U32, 0 },
    { "dlsr", MEDIA_DLSR, MEDIA_U32, 0 },
};

/* The flat excerpt of heplify 1, its full block, and that of captagent. */
static const struct media_key xr_keys[] = {
    { "id", MEDIA_SSRC, MEDIA_U32, 0 },
    { "ssrc", MEDIA_SSRC, MEDIA_U32, 0 },
    { "identifier", MEDIA_SSRC, MEDIA_U32, 0 },
    { "fraction_lost", MEDIA_LOSS_PCT, MEDIA_PLAIN, PCT256 },
    { "loss_rate", MEDIA_LOSS_PCT, MEDIA_PLAIN, PCT256 },
    { "fraction_discard", MEDIA_DISCARD_PCT, MEDIA_PLAIN, PCT256 },
    { "discard_rate", MEDIA_DISCARD_PCT, MEDIA_PLAIN, PCT256 },
    { "burst_density", MEDIA_BURST_LOSS_PCT, MEDIA_PLAIN, PCT256 },
    { "burst_rate", MEDIA_BURST_LOSS_PCT, MEDIA_PLAIN, PCT256 },
    { "gap_density", MEDIA_GAP_LOSS_PCT, MEDIA_PLAIN, PCT256 },
    { "gap_rate", MEDIA_GAP_LOSS_PCT, MEDIA_PLAIN, PCT256 },
    { "burst_duration", MEDIA_BURST_MS, MEDIA_PLAIN, 0 },
    { "gap_duration", MEDIA_GAP_MS, MEDIA_PLAIN, 0 },
    { "round_trip_delay", MEDIA_RTT_MS, MEDIA_NONZERO, 0 },
    { "end_system_delay", MEDIA_END_SYSTEM_MS, MEDIA_NONZERO, 0 },
    { "end_sys_delay", MEDIA_END_SYSTEM_MS, MEDIA_NONZERO, 0 },
    { "signal_level", MEDIA_SIGNAL_DBM, MEDIA_NOT_127, 0 },
    { "signal_lev", MEDIA_SIGNAL_DBM, MEDIA_NOT_127, 0 },
    { "noise_level", MEDIA_NOISE_DBM, MEDIA_NOT_127, 0 },
    { "noise_lev", MEDIA_NOISE_DBM, MEDIA_NOT_127, 0 },
    { "rerl", MEDIA_RERL_DB, MEDIA_NOT_127, 0 },
    { "RERL", MEDIA_RERL_DB, MEDIA_NOT_127, 0 },
    { "gmin", MEDIA_GMIN, MEDIA_PLAIN, 0 },
    { "Gmin", MEDIA_GMIN, MEDIA_PLAIN, 0 },
    { "r_factor", MEDIA_R, MEDIA_NOT_127, 0 },
    { "R_fact", MEDIA_R, MEDIA_NOT_127, 0 },
    { "ext_r_factor", MEDIA_R_EXTERNAL, MEDIA_NOT_127, 0 },
    { "ext_R_fact", MEDIA_R_EXTERNAL, MEDIA_NOT_127, 0 },
    { "mos_lq", MEDIA_MOS_LQ, MEDIA_MOS_ANY, 0 },
    { "MOS_LQ", MEDIA_MOS_LQ, MEDIA_MOS_ANY, 0 },
    { "mos_cq", MEDIA_MOS_CQ, MEDIA_MOS_ANY, 0 },
    { "MOS_CQ", MEDIA_MOS_CQ, MEDIA_MOS_ANY, 0 },
    { "jb_nominal", MEDIA_BUFFER_MS, MEDIA_PLAIN, 0 },
    { "JB_nom", MEDIA_BUFFER_MS, MEDIA_PLAIN, 0 },
    { "jb_maximum", MEDIA_BUFFER_MAX_MS, MEDIA_PLAIN, 0 },
    { "JB_max", MEDIA_BUFFER_MAX_MS, MEDIA_PLAIN, 0 },
    { "jb_abs_max", MEDIA_BUFFER_LIMIT_MS, MEDIA_PLAIN, 0 },
    { "JB_abs_max", MEDIA_BUFFER_LIMIT_MS, MEDIA_PLAIN, 0 },
};

/* Types 34 and 35. */
static const struct media_key rtp_keys[] = {
    { "TOTAL_PK", MEDIA_PACKETS, MEDIA_PLAIN, 0 },
    { "TOTAL_PACKETS", MEDIA_PACKETS, MEDIA_PLAIN, 0 },
    { "TL_BYTE", MEDIA_OCTETS, MEDIA_NONZERO, 0 },
    { "EXPECTED_PK", MEDIA_EXPECTED, MEDIA_NONZERO, 0 },
    { "PACKET_LOSS", MEDIA_LOST, MEDIA_PLAIN, 0 },
    { "TOTAL_PACKET_LOSS", MEDIA_LOST, MEDIA_PLAIN, 0 },
    { "OUT_ORDER", MEDIA_OUT_OF_ORDER, MEDIA_PLAIN, 0 },
    { "DISCARD_PCT", MEDIA_DISCARD_PCT, MEDIA_PLAIN, 0 },
    { "BURST_LOSS_PCT", MEDIA_BURST_LOSS_PCT, MEDIA_PLAIN, 0 },
    { "GAP_LOSS_PCT", MEDIA_GAP_LOSS_PCT, MEDIA_PLAIN, 0 },
    { "BURST_MS", MEDIA_BURST_MS, MEDIA_PLAIN, 0 },
    { "GAP_MS", MEDIA_GAP_MS, MEDIA_PLAIN, 0 },
    { "JITTER", MEDIA_JITTER_MS, MEDIA_PLAIN, 0 },
    { "MIN_JITTER", MEDIA_JITTER_MIN_MS, MEDIA_PLAIN, 0 },
    { "MEAN_JITTER", MEDIA_JITTER_MEAN_MS, MEDIA_PLAIN, 0 },
    { "MAX_JITTER", MEDIA_JITTER_MAX_MS, MEDIA_PLAIN, 0 },
    { "DELTA", MEDIA_DELTA_MS, MEDIA_PLAIN, 0 },
    { "SKEW", MEDIA_SKEW_MS, MEDIA_PLAIN, 0 },
    { "MOS", MEDIA_MOS, MEDIA_MOS_ANY, 0 },
    { "MIN_MOS", MEDIA_MOS_MIN, MEDIA_MOS_ANY, 0 },
    { "MEAN_MOS", MEDIA_MOS_MEAN, MEDIA_MOS_ANY, 0 },
    { "MAX_MOS", MEDIA_MOS_MAX, MEDIA_MOS_ANY, 0 },
    { "RFACTOR", MEDIA_R, MEDIA_PLAIN, 0 },
    { "MIN_RFACTOR", MEDIA_R_MIN, MEDIA_PLAIN, 0 },
    { "MEAN_RFACTOR", MEDIA_R_MEAN, MEDIA_PLAIN, 0 },
    { "CODEC_PT", MEDIA_PAYLOAD_TYPE, MEDIA_PLAIN, 0 },
    { "CLOCK", MEDIA_CLOCK_HZ, MEDIA_NONZERO, 0 },
    { "SSRC", MEDIA_SSRC, MEDIA_U32, 0 },
    { "SSRC_CHG", MEDIA_SSRC_CHANGES, MEDIA_PLAIN, 0 },
    { "ONE_WAY_RTP", MEDIA_ONE_WAY, MEDIA_PLAIN, 0 },
    { "SRC_PORT", MEDIA_SRC_PORT, MEDIA_NONZERO, 0 },
    { "DST_PORT", MEDIA_DST_PORT, MEDIA_NONZERO, 0 },
};

static const struct media_text_key rtp_texts[] = {
    { "RTP_SIP_CALL_ID", MEDIA_CALL_ID },
    { "CORRELATION_ID", MEDIA_CORRELATION_ID },
    { "CODEC_NAME", MEDIA_CODEC },
    { "SRC_IP", MEDIA_SRC_IP },
    { "DST_IP", MEDIA_DST_IP },
    { "REPORT_NAME", MEDIA_NAME },
    { "TYPE", MEDIA_KIND },
};

/* horaclifix, behind INC_ and OUT_, or CALLER_ and CALLEE_. Its MOS and R are 100 times what they are. */
static const struct media_key sbc_keys[] = {
    { "MOS", MEDIA_MOS, MEDIA_MOS_ANY, 0 },
    { "RVAL", MEDIA_R, MEDIA_R_ANY, 0 },
    { "RTP_PK", MEDIA_PACKETS, MEDIA_PLAIN, 0 },
    { "RTP_BYTE", MEDIA_OCTETS, MEDIA_PLAIN, 0 },
    { "RTP_PK_LOSS", MEDIA_LOST, MEDIA_PLAIN, 0 },
    { "RTP_AVG_JITTER", MEDIA_JITTER_MEAN_MS, MEDIA_PLAIN, 0 },
    { "RTP_MAX_JITTER", MEDIA_JITTER_MAX_MS, MEDIA_PLAIN, 0 },
    { "RTCP_AVG_LAT", MEDIA_LATENCY_MS, MEDIA_NONZERO, 0 },
    { "SRC_PORT", MEDIA_SRC_PORT, MEDIA_NONZERO, 0 },
    { "DST_PORT", MEDIA_DST_PORT, MEDIA_NONZERO, 0 },
};

static const struct media_text_key sbc_texts[] = {
    { "ID", MEDIA_CALL_ID },
    { "REALM", MEDIA_NAME },
    { "SRC_IP", MEDIA_SRC_IP },
    { "DST_IP", MEDIA_DST_IP },
};

/* ------------------------------------------------------------------------------------------------ places */

enum place {
    AT_SKIP, /* something that is not read, with all that is in it */
    AT_TOP,
    AT_SENDER,
    AT_BLOCKS,
    AT_BLOCK,
    AT_XR_FLAT,
    AT_XR,
    AT_SDES,
    AT_SDES_ITEM
};

static const struct {
    const char *key;
    uint8_t in;
    uint8_t place;
} places[] = {
    { "sender_information", AT_TOP, AT_SENDER },
    { "report_blocks", AT_TOP, AT_BLOCKS },
    { "", AT_BLOCKS, AT_BLOCK },
    { "report_blocks_xr", AT_TOP, AT_XR_FLAT },
    { "voip_metrics", AT_TOP, AT_XR },
    { "Extended_report_information", AT_TOP, AT_XR },
    { "sdes_information", AT_TOP, AT_SDES },
    { "", AT_SDES, AT_SDES_ITEM },
};

struct walk {
    struct media_reports *out;
    struct media_report ssrc;   /* REPORTER_SSRC: "ssrc" of the object */
    struct media_report sender; /* sender information */
    struct media_report *block; /* NULL: none, or no room */
    struct media_report xr_flat, xr, rtp, incoming, outgoing;
    double xr_type;         /* block type in report_blocks_xr: 0 where it is filler */
    double sdes_type;       /* of the item that is read */
    struct hep_slice sdes;  /* its text */
    struct hep_slice cname; /* kept */
    uint8_t place[JSON_PULL_DEPTH + 1];
};

static bool is_key(struct hep_slice key, const char *text)
{
    return key.len == strlen(text) && (key.len == 0 || memcmp(key.ptr, text, key.len) == 0);
}

static enum place place_of(const struct walk *w, const struct json_pull *j)
{
    if (j->depth == 1)
        return AT_TOP;
    for (size_t i = 0; i < COUNT(places); i++) {
        if (places[i].in == w->place[j->depth - 1] && is_key(j->key, places[i].key))
            return places[i].place;
    }
    return AT_SKIP;
}

static void enter(struct walk *w, const struct json_pull *j)
{
    enum place place = place_of(w, j);
    w->place[j->depth] = (uint8_t)place;
    if (place == AT_BLOCK)
        w->block = media_add(w->out, MEDIA_FROM_RTCP, MEDIA_SIDE_UNKNOWN);
    if (place == AT_SDES_ITEM) {
        w->sdes_type = 0;
        w->sdes = (struct hep_slice){ NULL, 0 };
    }
}

/* The container that is left is one deeper than where we are now. */
static void leave(struct walk *w, const struct json_pull *j)
{
    enum place place = w->place[j->depth + 1];
    if (place == AT_BLOCK && w->block != NULL && (w->block->known | w->block->bad) == 0)
        w->out->count--; /* was the last one */
    if (place == AT_BLOCK)
        w->block = NULL;
    if (place == AT_SDES_ITEM && w->sdes_type == 1 && w->cname.len == 0)
        w->cname = media_keep(w->out, w->sdes, true);
}

/* ------------------------------------------------------------------------------------------------ values */

static bool starts(struct hep_slice *key, const char *prefix)
{
    size_t len = strlen(prefix);
    if (key->len < len || memcmp(key->ptr, prefix, len) != 0)
        return false;
    key->ptr += len;
    key->len -= len;
    return true;
}

static void fill(struct media_report *r, const struct media_key *keys, size_t count, struct hep_slice key,
                 const struct json_pull *j, enum json_event event)
{
    const struct media_key *row = media_find_key(keys, count, key, true);
    if (row == NULL)
        return;
    if (event != JSON_PULL_WORD)
        media_fill_text(r, row, j->text);
    else if (is_key(j->text, "true") || is_key(j->text, "false"))
        media_fill_key(r, row, j->text.len == 4 ? 1 : 0);
    else if (!is_key(j->text, "null"))
        media_fill_text(r, row, j->text); /* NaN: is bad */
}

static void keep(struct walk *w, struct media_report *r, const struct media_text_key *keys, size_t count,
                 struct hep_slice key, const struct json_pull *j, enum json_event event)
{
    for (size_t i = 0; event == JSON_PULL_STRING && i < count; i++) {
        if (is_key(key, keys[i].key) && r->text[keys[i].text].len == 0)
            r->text[keys[i].text] = media_keep(w->out, j->text, true);
    }
}

static void top_value(struct walk *w, const struct json_pull *j, enum json_event event)
{
    static const struct media_key ssrc = { "ssrc", MEDIA_REPORTER_SSRC, MEDIA_U32, 0 };
    struct hep_slice key = j->key;
    struct media_report *side = starts(&key, "INC_") || starts(&key, "CALLER_")   ? &w->incoming
                                : starts(&key, "OUT_") || starts(&key, "CALLEE_") ? &w->outgoing
                                                                                  : NULL;
    if (side != NULL && !is_key(j->key, "OUT_ORDER")) {
        fill(side, sbc_keys, COUNT(sbc_keys), key, j, event);
        keep(w, side, sbc_texts, COUNT(sbc_texts), key, j, event);
        return;
    }
    fill(&w->ssrc, &ssrc, 1, j->key, j, event);
    fill(&w->rtp, rtp_keys, COUNT(rtp_keys), j->key, j, event);
    keep(w, &w->rtp, rtp_texts, COUNT(rtp_texts), j->key, j, event);
}

static void value(struct walk *w, const struct json_pull *j, enum json_event event)
{
    switch ((enum place)w->place[j->depth]) {
    case AT_TOP:
        top_value(w, j, event);
        break;
    case AT_SENDER:
        fill(&w->sender, sender_keys, COUNT(sender_keys), j->key, j, event);
        break;
    case AT_BLOCK:
        if (w->block != NULL)
            fill(w->block, block_keys, COUNT(block_keys), j->key, j, event);
        break;
    case AT_XR_FLAT:
        if (is_key(j->key, "type"))
            (void)media_number(j->text, &w->xr_type);
        fill(&w->xr_flat, xr_keys, COUNT(xr_keys), j->key, j, event);
        break;
    case AT_XR:
        fill(&w->xr, xr_keys, COUNT(xr_keys), j->key, j, event);
        break;
    case AT_SDES_ITEM:
        if (is_key(j->key, "type"))
            (void)media_number(j->text, &w->sdes_type);
        else if (is_key(j->key, "text") && event == JSON_PULL_STRING)
            w->sdes = j->text;
        break;
    case AT_SKIP:
    case AT_BLOCKS:
    case AT_SDES:
        break;
    }
}

/* ------------------------------------------------------------------------------------------------ what it was */

/* Takes over fields that the report does not have. */
static void merge(struct media_report *to, const struct media_report *from)
{
    for (unsigned f = 0; f < MEDIA_FIELD_COUNT; f++) {
        if (media_has(from, f) && !media_has(to, f))
            media_fill(to, f, from->value[f]);
    }
    to->bad |= from->bad & ~to->known;
}

/* Senders fill the sender information of a receiver report with zeros. */
static bool is_filler(const struct media_report *sender)
{
    for (unsigned f = 0; f < MEDIA_FIELD_COUNT; f++) {
        if (sender->value[f] != 0)
            return false;
    }
    return true;
}

static void finish_rtcp(struct walk *w)
{
    bool sender = !is_filler(&w->sender);
    if (w->out->count == 0 && sender)
        (void)media_add(w->out, MEDIA_FROM_RTCP, MEDIA_SIDE_UNKNOWN);
    for (size_t i = 0; i < w->out->count; i++) {
        struct media_report *r = &w->out->list[i];
        merge(r, &w->ssrc);
        if (sender)
            merge(r, &w->sender);
        r->text[MEDIA_CNAME] = w->cname;
        media_compute(r);
    }
}

static void finish_xr(struct walk *w)
{
    struct media_report *xr = w->xr.known != 0 ? &w->xr : w->xr_type != 0 ? &w->xr_flat : NULL;
    if (xr == NULL || xr->known == 0)
        return;
    merge(xr, &w->ssrc);
    xr->text[MEDIA_CNAME] = w->cname;
    media_add_copy(w->out, xr, MEDIA_FROM_XR, MEDIA_SIDE_UNKNOWN);
}

static void finish_other(struct walk *w, struct media_report *r, enum media_source source, enum media_side side)
{
    if ((r->known | r->bad) == 0)
        return;
    media_compute(r);
    media_add_copy(w->out, r, source, side);
}

enum media_result media_read_json(struct hep_slice payload, struct media_reports *ret)
{
    struct walk w = { .out = ret };
    struct json_pull j;
    enum json_event event;
    json_pull_begin(&j, payload.ptr, payload.len);
    while ((event = json_pull_next(&j)) > JSON_PULL_END) {
        if (event == JSON_PULL_OBJECT || event == JSON_PULL_ARRAY)
            enter(&w, &j);
        else if (event == JSON_PULL_OBJECT_END || event == JSON_PULL_ARRAY_END)
            leave(&w, &j);
        else
            value(&w, &j, event);
    }
    if (event == JSON_PULL_BAD) {
        ret->count = 0;
        return media_fail(ret, j.error, (size_t)(j.ptr - j.start));
    }
    finish_rtcp(&w);
    finish_xr(&w);
    finish_other(&w, &w.rtp, MEDIA_FROM_RTP, MEDIA_SIDE_UNKNOWN);
    finish_other(&w, &w.incoming, MEDIA_FROM_SBC, MEDIA_SIDE_INCOMING);
    finish_other(&w, &w.outgoing, MEDIA_FROM_SBC, MEDIA_SIDE_OUTGOING);
    return ret->count > 0 ? MEDIA_OK : MEDIA_NOTHING;
}
