/*
 * RTCP (RFC 3550 section 6, extended reports RFC 3611): decodes compound packets into structs of the caller.
 *
 *     rtcp_begin(&it, p, n);
 *     while (rtcp_next(&it, &packet))
 *         switch (packet.type) ...  rtcp_block(), rtcp_sdes_next(), rtcp_xr_next()
 *
 * Numbers are those of the wire, in host order; the units stand at the fields. Slices point into the input.
 */
#ifndef RTP_RTCP_H
#define RTP_RTCP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hep/hep.h"
#include "hep/rd.h"

enum rtcp_type { RTCP_SR = 200, RTCP_RR = 201, RTCP_SDES = 202, RTCP_BYE = 203, RTCP_APP = 204, RTCP_XR = 207 };

/*
 * True if the octets are a compound packet: version 2 and a packet type of 192..223 in every packet, padding in the
 * last one only, and lengths that add up to n (RFC 3550 appendix A.2; the first packet may be any type, RFC 5506).
 * SRTCP does not pass: its trailer is not covered by the lengths.
 */
bool rtcp_looks_like(const uint8_t *p, size_t n);

struct rtcp_sender_info {
    uint32_t ntp_sec;      /* seconds since 1900 */
    uint32_t ntp_fraction; /* of a second, in 1/2^32 */
    uint32_t rtp_time;     /* in units of the RTP clock */
    uint32_t packets;      /* sent since the start */
    uint32_t octets;       /* of payload, sent since the start */
};

/* One packet of a compound. */
struct rtcp_packet {
    uint8_t type;         /* enum rtcp_type, or any other of 192..223 */
    uint8_t count;        /* report blocks, SDES chunks, BYE sources, or APP subtype: the 5 bits as sent */
    uint32_t ssrc;        /* of the sender: first word; 0 if the packet has none (empty SDES or BYE) */
    bool has_sender_info; /* SR */
    struct rtcp_sender_info sender;
    struct hep_slice body; /* behind the header and, for SR, RR, APP and XR, the SSRC; without padding */
};

struct rtcp_iter {
    struct rd rd;
    bool bad; /* ended at octets that are not an RTCP packet */
};

void rtcp_begin(struct rtcp_iter *it, const uint8_t *p, size_t n);

/* Next packet of the compound; packets of unknown types come with their body. False at the end, or if it->bad. */
bool rtcp_next(struct rtcp_iter *it, struct rtcp_packet *ret);

/* ------------------------------------------------------------------------------------------------ SR, RR */

struct rtcp_block {
    uint32_t ssrc;
    uint8_t fraction_lost; /* since the last report, in 1/256 */
    uint32_t lost;         /* since the start: the 24 bits as sent; a two's complement number (-1 = 0xffffff) */
    uint32_t highest_seq;  /* extended highest sequence number */
    uint32_t jitter;       /* in units of the RTP clock */
    uint32_t lsr;          /* middle 32 bits of the NTP time of the last SR, 0 if none */
    uint32_t dlsr;         /* delay since then, in 1/65536 s */
};

/* Report block `index` (from 0) of an SR or RR; false behind the last one that is really there. */
bool rtcp_block(const struct rtcp_packet *p, unsigned index, struct rtcp_block *ret);

/* ------------------------------------------------------------------------------------------------ SDES, BYE, APP */

struct rtcp_sdes_item {
    uint32_t ssrc;
    uint8_t type; /* 1 CNAME, 2 NAME, 3 EMAIL, 4 PHONE, 5 LOC, 6 TOOL, 7 NOTE, 8 PRIV */
    struct hep_slice text;
};

struct rtcp_sdes_iter {
    struct rd rd;
    unsigned chunks; /* left, the present one included */
    bool in_chunk;
    uint32_t ssrc;
};

void rtcp_sdes_begin(struct rtcp_sdes_iter *it, const struct rtcp_packet *p);
bool rtcp_sdes_next(struct rtcp_sdes_iter *it, struct rtcp_sdes_item *ret);

/* Source `index` of a BYE, and its reason (empty if none was given). */
bool rtcp_bye_ssrc(const struct rtcp_packet *p, unsigned index, uint32_t *ret);
struct hep_slice rtcp_bye_reason(const struct rtcp_packet *p);

/* Name (4 octets of ASCII) and data of an APP; false if it is cut. */
bool rtcp_app(const struct rtcp_packet *p, struct hep_slice *ret_name, struct hep_slice *ret_data);

/* ------------------------------------------------------------------------------------------------ XR */

enum rtcp_xr_type { RTCP_XR_RECEIVER_TIME = 4, RTCP_XR_DLRR = 5, RTCP_XR_STATISTICS = 6, RTCP_XR_VOIP = 7 };

/* An unavailable value of the R factors and MOS fields below. */
#define RTCP_XR_UNAVAILABLE 127

/* RFC 3611 section 4.7 */
struct rtcp_voip_metrics {
    uint32_t ssrc;
    uint8_t loss_rate, discard_rate;             /* 1/256 */
    uint8_t burst_density, gap_density;          /* 1/256 */
    uint16_t burst_duration, gap_duration;       /* ms */
    uint16_t round_trip_delay;                   /* ms */
    uint16_t end_system_delay;                   /* ms */
    int8_t signal_level, noise_level;            /* dBm0; 127: unavailable */
    uint8_t rerl;                                /* dB; 127: unavailable */
    uint8_t gmin;                                /* packets */
    uint8_t r_factor, ext_r_factor;              /* 0..100; 127: unavailable */
    uint8_t mos_lq, mos_cq;                      /* 10 x MOS; 127: unavailable */
    uint8_t rx_config;                           /* bits: loss concealment, jitter buffer */
    uint16_t jb_nominal, jb_maximum, jb_abs_max; /* ms */
};

/* RFC 3611 section 4.6 */
struct rtcp_statistics {
    uint32_t ssrc;
    uint8_t flags; /* what is valid, as sent: 0x80 loss, 0x40 duplicates, 0x20 jitter, 0x18 TTL or hop limit */
    uint16_t begin_seq, end_seq;
    uint32_t lost, duplicates;                                /* packets */
    uint32_t min_jitter, max_jitter, mean_jitter, dev_jitter; /* in units of the RTP clock */
    uint8_t min_ttl, max_ttl, mean_ttl, dev_ttl;
};

/* RFC 3611 section 4.5 */
struct rtcp_dlrr {
    uint32_t ssrc;
    uint32_t lrr;  /* middle 32 bits of the NTP time of the last receiver reference time block */
    uint32_t dlrr; /* delay since then, in 1/65536 s */
};

struct rtcp_xr {
    uint8_t type;          /* enum rtcp_xr_type; others have their body only */
    uint8_t specific;      /* second octet of the block header */
    struct hep_slice body; /* behind the block header */
};

struct rtcp_xr_iter {
    struct rd rd;
};

void rtcp_xr_begin(struct rtcp_xr_iter *it, const struct rtcp_packet *p);
bool rtcp_xr_next(struct rtcp_xr_iter *it, struct rtcp_xr *ret); /* every block, whatever its type */

/* Decode a block of the type in question; false if it is another type or shorter than the RFC says. */
bool rtcp_xr_voip(const struct rtcp_xr *x, struct rtcp_voip_metrics *ret);
bool rtcp_xr_statistics(const struct rtcp_xr *x, struct rtcp_statistics *ret);
bool rtcp_xr_receiver_time(const struct rtcp_xr *x, uint32_t *ret_ntp_sec, uint32_t *ret_ntp_fraction);
bool rtcp_xr_dlrr(const struct rtcp_xr *x, unsigned index, struct rtcp_dlrr *ret); /* sub-block `index` */

#endif
