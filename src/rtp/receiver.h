/*
 * What a receiver of one SSRC would measure, by its packets: loss, order and copies by sequence numbers (RFC 3550
 * appendix A.1 and A.3), jitter (appendix A.8), bursts and gaps of loss (RFC 3611 appendix A.2), and what a jitter
 * buffer would throw away.
 *
 *     rtp_receiver_init(&r, buffer_ms);
 *     rtp_receiver_packet(&r, &packet, at_us, clock, true);
 *     ... r.total.expected - r.total.received packets are lost ...
 *
 * A packet is counted lost when the sequence numbers have gone on, and found again if it comes within 64 packets. All
 * figures are of fixed size and cost a constant amount of work a packet (a jump costs at most 3000 steps).
 */
#ifndef RTP_RECEIVER_H
#define RTP_RECEIVER_H

#include <stdbool.h>
#include <stdint.h>

#include "rtp/packet.h"

#define RTP_RECEIVER_GMIN 16 /* packets received in a row that end a burst (RFC 3611 section 4.7.2) */

/* Sums since the start; those of an interval are differences of two. */
struct rtp_sums {
    uint64_t expected; /* by sequence numbers */
    uint64_t received; /* each number once */
    uint64_t duplicates;
    uint64_t reordered;  /* of received: behind a later one */
    uint64_t discarded;  /* of received: later than the jitter buffer waits */
    uint64_t stray;      /* sequence number far off, not followed by the next one */
    uint64_t restarts;   /* sequence began anew */
    uint64_t time_jumps; /* RTP time off by more than two seconds: begun anew */
    uint64_t octets;     /* of payload, received */
    /* Transitions of RFC 3611 appendix A.2 and runs of lost packets; behind the rest by 64 packets. */
    uint32_t c11, c13, c14, c22, c23, c33;
    uint32_t runs, lost;
};

/* Over the interval that rtp_receiver_mark() begins. Times in microseconds. */
struct rtp_spread {
    uint64_t count; /* of jitter */
    double jitter_sum, jitter_min, jitter_max;
    uint64_t delta_count;
    double delta_sum, delta_max; /* arrival of one packet after the other */
    double skew_min, skew_max;   /* how much later than by RTP time, since the start */
};

struct rtp_receiver {
    struct rtp_sums total;
    struct rtp_spread spread;
    double jitter_us, skew_us; /* now */
    uint32_t clock;            /* of the last packet that has a time; 0 as long as it is not known */
    bool clock_estimated;      /* from the times of the packets */
    uint16_t seq;              /* highest */
    /* state */
    bool started, timed;
    uint8_t window_len; /* of the packets up to the highest: bit n is that of seq - n */
    uint64_t window;
    uint32_t bad_seq; /* the one that would make a restart; beyond 16 bits: none */
    uint32_t since_loss, in_burst;
    bool in_run;
    double us_per_unit;
    double skew_floor[2]; /* lowest of this interval and of the one before */
    double buffer_us;
    int64_t first_us, last_us; /* arrival; the last one is not of a copy */
    int64_t timed_us;
    uint32_t last_time, first_time;
};

enum rtp_received { RTP_RECEIVED, RTP_LATE, RTP_DUPLICATE, RTP_STRAY, RTP_RESTARTED };

/* buffer_ms: how late a packet may come, against the earliest of its time, to be played. */
void rtp_receiver_init(struct rtp_receiver *r, double buffer_ms);

/*
 * Takes a packet that arrived at at_us. clock: Hz, of its payload type; 0: not known, then it is found from the packets
 * of the first second or two. timing: false for payload types whose RTP time stands still, as with RFC 4733.
 */
enum rtp_received rtp_receiver_packet(struct rtp_receiver *r, const struct rtp_packet *p, int64_t at_us, uint32_t clock,
                                      bool timing);

/* The stream is over: what waited for late packets is counted. */
void rtp_receiver_finish(struct rtp_receiver *r);

/* Begins a new interval for `spread`. */
void rtp_receiver_mark(struct rtp_receiver *r);

struct rtp_sums rtp_sums_since(const struct rtp_sums *now, const struct rtp_sums *then);

struct rtp_bursts {
    double burst_loss_pct, gap_loss_pct; /* densities */
    double burst_ms, gap_ms;             /* mean lengths */
    double burst_ratio;                  /* BurstR of G.107: mean run of losses by that of random loss; 1: random */
};

/* packet_ms: the time that a packet stands for. */
void rtp_bursts_of(const struct rtp_sums *sums, double packet_ms, struct rtp_bursts *ret);

#endif
