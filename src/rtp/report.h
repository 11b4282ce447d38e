/*
 * Every form in which reports on media arrive, made into one: struct media_report.
 *
 *     media_read(MEDIA_FORM_ANY, payload, &reports);
 *     for (size_t i = 0; i < reports.count; i++)
 *         if (media_has(&reports.list[i], MEDIA_JITTER_MS)) ... reports.list[i].value[MEDIA_JITTER_MS]
 *
 * A figure is there or it is not (`known`): zero-filled, null and "unavailable" values are not there; what cannot be
 * true is not there either, and marked in `bad`. docs/media.md has the units and what is read from where. Texts are
 * copied into the reports, so that the payload may go.
 */
#ifndef RTP_REPORT_H
#define RTP_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hep/hep.h"
#include "rtp/rtcp.h"

/* X(name, key, min, max): the range beyond which a value is refused. The unit is the end of the name. */
#define MEDIA_FIELDS(X)                                                                                                \
    X(REPORTER_SSRC, "reporter_ssrc", 0, 4294967295.0) /* who reports */                                               \
    X(SSRC, "ssrc", 0, 4294967295.0)                   /* of the stream that is reported on */                         \
    X(NTP_SEC, "ntp_sec", 0, 4294967295.0)             /* sender report: since 1900 */                                 \
    X(NTP_FRACTION, "ntp_fraction", 0, 4294967295.0)   /* 1/2^32 s */                                                  \
    X(RTP_TIME, "rtp_time", 0, 4294967295.0)           /* units of the RTP clock */                                    \
    X(SENT_PACKETS, "sent_packets", 0, 1e15)           /* by the reporter, since the start */                          \
    X(SENT_OCTETS, "sent_octets", 0, 1e15)                                                                             \
    X(FRACTION_LOST, "fraction_lost", 0, 255)      /* report block: 1/256, since the report before */                  \
    X(TOTAL_LOST, "total_lost", -8388608, 8388607) /* since the start; negative: duplicates */                         \
    X(HIGHEST_SEQ, "highest_seq", 0, 4294967295.0)                                                                     \
    X(JITTER_RAW, "jitter_raw", 0, 4294967295.0) /* units of the RTP clock */                                          \
    X(LSR, "lsr", 0, 4294967295.0)               /* middle of an NTP time */                                           \
    X(DLSR, "dlsr", 0, 4294967295.0)             /* 1/65536 s */                                                       \
    X(PACKETS, "packets", 0, 1e15)               /* received, in the time of the report */                             \
    X(OCTETS, "octets", 0, 1e15)                                                                                       \
    X(EXPECTED, "expected", 0, 1e15)                                                                                   \
    X(LOST, "lost", 0, 1e15)                                                                                           \
    X(OUT_OF_ORDER, "out_of_order", 0, 1e15)                                                                           \
    X(LOSS_PCT, "loss_pct", 0, 100)                                                                                    \
    X(DISCARD_PCT, "discard_pct", 0, 100)       /* by the jitter buffer */                                             \
    X(BURST_LOSS_PCT, "burst_loss_pct", 0, 100) /* lost and discarded, within bursts */                                \
    X(GAP_LOSS_PCT, "gap_loss_pct", 0, 100)     /* between bursts */                                                   \
    X(BURST_MS, "burst_ms", 0, 4294967295.0)                                                                           \
    X(GAP_MS, "gap_ms", 0, 4294967295.0)                                                                               \
    X(GMIN, "gmin", 0, 255) /* packets */                                                                              \
    X(JITTER_MS, "jitter_ms", 0, 60000)                                                                                \
    X(JITTER_MIN_MS, "jitter_min_ms", 0, 60000)                                                                        \
    X(JITTER_MEAN_MS, "jitter_mean_ms", 0, 60000)                                                                      \
    X(JITTER_MAX_MS, "jitter_max_ms", 0, 60000)                                                                        \
    X(RTT_MS, "rtt_ms", 0, 60000)                                                                                      \
    X(END_SYSTEM_MS, "end_system_ms", 0, 60000)                                                                        \
    X(ONE_WAY_MS, "one_way_ms", 0, 60000)                                                                              \
    X(LATENCY_MS, "latency_ms", 0, 60000) /* of a kind that differs between vendors */                                 \
    X(DELTA_MS, "delta_ms", 0, 86400000)  /* between packets */                                                        \
    X(SKEW_MS, "skew_ms", -86400000, 86400000)                                                                         \
    X(R, "r", 0, 129)                   /* as reported: conversational, or of no stated kind */                        \
    X(R_LQ, "r_lq", 0, 129)             /* listening */                                                                \
    X(R_EXTERNAL, "r_external", 0, 129) /* of the network behind */                                                    \
    X(R_MIN, "r_min", 0, 129)                                                                                          \
    X(R_MEAN, "r_mean", 0, 129)                                                                                        \
    X(MOS, "mos", 1, 5) /* of no stated kind */                                                                        \
    X(MOS_LQ, "mos_lq", 1, 5)                                                                                          \
    X(MOS_CQ, "mos_cq", 1, 5)                                                                                          \
    X(MOS_MIN, "mos_min", 1, 5)                                                                                        \
    X(MOS_MEAN, "mos_mean", 1, 5)                                                                                      \
    X(MOS_MAX, "mos_max", 1, 5)                                                                                        \
    X(SIGNAL_DBM, "signal_dbm", -127, 126)                                                                             \
    X(NOISE_DBM, "noise_dbm", -127, 126)                                                                               \
    X(RERL_DB, "rerl_db", 0, 126)                                                                                      \
    X(BUFFER_MS, "buffer_ms", 0, 65535) /* jitter buffer: nominal */                                                   \
    X(BUFFER_MAX_MS, "buffer_max_ms", 0, 65535)                                                                        \
    X(BUFFER_LIMIT_MS, "buffer_limit_ms", 0, 65535) /* that it may grow to */                                          \
    X(PAYLOAD_TYPE, "payload_type", 0, 127)                                                                            \
    X(CLOCK_HZ, "clock_hz", 1, 1000000)                                                                                \
    X(SSRC_CHANGES, "ssrc_changes", 0, 1e9)                                                                            \
    X(ONE_WAY, "one_way", 0, 1) /* 1: media in one direction only */                                                   \
    X(DURATION_S, "duration_s", 0, 1e9)                                                                                \
    X(SRC_PORT, "src_port", 0, 65535) /* of the stream */                                                              \
    X(DST_PORT, "dst_port", 0, 65535)

enum media_field {
#define MEDIA_ENUM(name, key, min, max) MEDIA_##name,
    MEDIA_FIELDS(MEDIA_ENUM)
#undef MEDIA_ENUM
        MEDIA_FIELD_COUNT
};

enum media_text {
    MEDIA_CALL_ID,
    MEDIA_CORRELATION_ID,
    MEDIA_CODEC,  /* as the sender spells it */
    MEDIA_SRC_IP, /* of the stream: where it comes from */
    MEDIA_DST_IP,
    MEDIA_NAME, /* of the report, interface or realm */
    MEDIA_KIND, /* PERIODIC, HANGUP, FINAL; CallTerm, ... */
    MEDIA_CNAME,
    MEDIA_TEXT_COUNT
};

enum media_source {
    MEDIA_FROM_RTCP,   /* a report block, or a sender report without one */
    MEDIA_FROM_XR,     /* VoIP metrics of RTCP XR (RFC 3611) */
    MEDIA_FROM_RTP,    /* statistics of an agent that sees the RTP (types 34 and 35) */
    MEDIA_FROM_VQ,     /* vq-rtcpxr (RFC 6035) */
    MEDIA_FROM_HEADER, /* X-RTP-Stat, P-RTP-Stat */
    MEDIA_FROM_SBC     /* horaclifix (type 38) */
};

enum media_side {
    MEDIA_SIDE_UNKNOWN,
    MEDIA_SIDE_LOCAL,    /* vq-rtcpxr: what the sender of the report received */
    MEDIA_SIDE_REMOTE,   /* vq-rtcpxr: what the other party told it that it received */
    MEDIA_SIDE_INCOMING, /* horaclifix: INC_ */
    MEDIA_SIDE_OUTGOING  /* horaclifix: OUT_ */
};

struct media_report {
    uint8_t source;    /* enum media_source */
    uint8_t side;      /* enum media_side */
    uint64_t known;    /* bit n: value[n] is there */
    uint64_t bad;      /* bit n: was there and cannot be true */
    uint64_t computed; /* bit n: not in the report, but made of what is: LOSS_PCT, EXPECTED, PACKETS */
    double value[MEDIA_FIELD_COUNT];
    struct hep_slice text[MEDIA_TEXT_COUNT]; /* into `texts` below */
};

_Static_assert(MEDIA_FIELD_COUNT <= 64, "one bit for each field");

#define MEDIA_REPORTS_MAX 32 /* a packet has 31 blocks at most; a compound with more gives the first ones */
#define MEDIA_TEXTS_MAX   2048

/* Do not copy by assignment: the slices would point into the original. */
struct media_reports {
    size_t count;
    struct media_report list[MEDIA_REPORTS_MAX];
    size_t dropped;    /* reports beyond the maximum */
    size_t cut;        /* texts that did not fit */
    const char *error; /* of MEDIA_BAD */
    size_t error_at;   /* octets from the start */
    size_t texts_len;
    uint8_t texts[MEDIA_TEXTS_MAX];
};

enum media_form {
    MEDIA_FORM_ANY,    /* told by the octets: binary RTCP, JSON, or vq-rtcpxr */
    MEDIA_FORM_RTCP,   /* binary */
    MEDIA_FORM_JSON,   /* RTCP (type 5), RTP reports (34, 35), horaclifix (38): told by their keys */
    MEDIA_FORM_VQ,     /* body of application/vq-rtcpxr */
    MEDIA_FORM_X_STAT, /* value of X-RTP-Stat: LA is a latency of no stated kind */
    MEDIA_FORM_P_STAT  /* value of P-RTP-Stat: LA is the round trip */
};

enum media_result {
    MEDIA_OK,      /* at least one report */
    MEDIA_NOTHING, /* well-formed, with nothing to report: RTCP BYE, unknown keys, no payload */
    MEDIA_UNKNOWN, /* none of the forms */
    MEDIA_BAD      /* broken: error, error_at; reports before that place are kept for binary RTCP only */
};

/* Reads a payload. *ret is overwritten, whatever the result. */
enum media_result media_read(enum media_form form, struct hep_slice payload, struct media_reports *ret);

static inline bool media_has(const struct media_report *r, enum media_field field)
{
    return (r->known >> field & 1) != 0;
}

/* Key of a field, as in rows and JSON. */
const char *media_field_key(enum media_field field);

/* The report block, for rtp_stream_report(); false if the report does not come from one or a part of it is missing. */
bool media_block(const struct media_report *r, struct rtcp_block *ret);

/* The sender information, for rtp_stream_sent(); false if there is none. */
bool media_sender(const struct media_report *r, struct rtcp_sender_info *ret);

#endif
