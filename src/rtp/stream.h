/*
 * What the reports of one receiver say about one stream: loss of each interval from the counters since the start,
 * jitter in ms, round trip. Fixed size, no memory of its own; one rtp_stream for each pair of reporter and reported
 * SSRC, and direction.
 *
 *     rtp_stream_init(&s);
 *     rtp_stream_sent(&s, &sender, at_us);              for each SR of the reported SSRC, from the other direction
 *     rtp_stream_report(&s, &block, clock, at_us, &interval);   for each report block about it
 *
 * Counters are those of RFC 3550: they wrap, saturate, start again with the sender, arrive twice, late or not at all,
 * and some senders get them wrong. What cannot be true is counted and left out; what is left out is not in `known`.
 */
#ifndef RTP_STREAM_H
#define RTP_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rtp/rtcp.h"

/* What is known of an interval. */
enum rtp_known {
    RTP_KNOWN_COUNTS = 1,  /* expected, lost, seconds: from the report before this one */
    RTP_KNOWN_LOSS = 2,    /* loss_pct */
    RTP_KNOWN_JITTER = 4,  /* jitter_ms; unknown without a clock rate */
    RTP_KNOWN_RTT_TAP = 8, /* rtt_ms: from the tap to the receiver and back, by the clock of the tap alone */
    RTP_KNOWN_RTT_NTP = 16 /* rtt_ms: whole way, if the clocks of tap and sender agree (RFC 3550 section 6.4.1) */
};

/* What is odd about it. */
enum rtp_odd {
    RTP_ODD_FIRST = 1,        /* nothing to compare with: loss_pct is the fraction that the report has */
    RTP_ODD_REPEATED = 2,     /* the same report again (two taps, or a sender that repeats): not counted */
    RTP_ODD_LATE = 4,         /* older than the one before: not counted */
    RTP_ODD_IDLE = 8,         /* no packet since the report before */
    RTP_ODD_RESTART = 16,     /* sequence numbers began again: a new start of the counters */
    RTP_ODD_COUNTER = 32,     /* lost packets contradict the sequence numbers; loss_pct is the fraction */
    RTP_ODD_DUPLICATES = 64,  /* more arrived than were sent: lost is negative, loss_pct 0 */
    RTP_ODD_FRACTION = 128,   /* fraction lost differs from the counters: reports are missing in between, or wrong */
    RTP_ODD_WRAP16 = 256,     /* a sender without cycles: 16-bit sequence numbers that wrapped */
    RTP_ODD_JITTER_BAD = 512, /* more than a minute */
    RTP_ODD_RTT_BAD = 1024,   /* negative, or more than 10 s: clocks differ */
    RTP_ODD_NO_CLOCK = 2048   /* clock rate not known: jitter_raw only */
};

struct rtp_interval {
    unsigned known; /* enum rtp_known */
    unsigned odd;   /* enum rtp_odd */
    double seconds; /* since the report before, by the time of the tap */
    uint32_t expected;
    int32_t lost; /* negative: duplicates */
    double loss_pct;
    uint32_t jitter_raw; /* units of the RTP clock, always there */
    double jitter_ms;
    double rtt_ms;
};

/* A figure over all intervals that had it. */
struct rtp_figure {
    uint64_t count;
    double sum, min, max; /* mean: sum / count */
};

#define RTP_STREAM_SENT 4 /* sender reports that are remembered; a receiver answers the last one */

struct rtp_stream {
    /* sums over the intervals that counted */
    uint64_t expected;
    int64_t lost;
    struct rtp_figure loss_pct, jitter_ms, rtt_ms;
    int64_t first_us, last_us; /* of reports that counted */
    int64_t worst_loss_us;     /* when the worst interval was reported */
    /* reports, and of those how many were odd in which way: index is the bit number of enum rtp_odd */
    uint64_t reports;
    uint64_t odd[12];
    /* state */
    struct rtcp_block last;
    uint32_t late_seq; /* highest sequence number of the last late report */
    bool has_last, has_late;
    struct {
        uint32_t ntp_middle;
        int64_t at_us;
    } sent[RTP_STREAM_SENT];
    uint8_t sent_count, sent_next;
};

void rtp_stream_init(struct rtp_stream *s);

/* A sender report of the stream passed the tap. */
void rtp_stream_sent(struct rtp_stream *s, const struct rtcp_sender_info *sender, int64_t at_us);

/*
 * A report block about the stream passed the tap at `at_us` (microseconds since 1970). `clock` is the clock rate of the
 * payload type in Hz, 0 if not known. Always fills in *ret.
 */
void rtp_stream_report(struct rtp_stream *s, const struct rtcp_block *block, uint32_t clock, int64_t at_us,
                       struct rtp_interval *ret);

/* Mean of a figure; 0 if it never was known. */
double rtp_figure_mean(const struct rtp_figure *f);

/* Loss over all counted intervals in percent, 0..100; false if there was none. */
bool rtp_stream_loss(const struct rtp_stream *s, double *ret_pct);

#endif
