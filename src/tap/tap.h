/*
 * A tap of media: RTP and RTCP that pass, measured and told of as HEP payloads. No I/O; time is packet time.
 *
 *     tap_sip()     SIP messages: whose media are where, with which codecs; answered, over
 *     tap_packet()  datagrams: true if it was RTP or RTCP
 *     tap_tick()    time goes on (also without packets)
 *     output()      type 5 RTCP as JSON, 34 and 35 reports on RTP streams, 100 events: docs/agent.md
 *
 * Streams are found by the places that SDP names and, without it, by what RTP looks like: four packets of one source
 * with sequence numbers that go on. Every table has a limit, and what it costs is counted: strangers make us hold
 * nothing but what fits in the limits.
 *
 * Files: tap.c streams and time, calls.c SIP and places, report.c JSON of reports and events, control.c RTCP.
 */
#ifndef TAP_TAP_H
#define TAP_TAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hep/hep.h"

/* A datagram of UDP. Borrowed for the time of the call. */
struct tap_packet {
    uint32_t sec, usec;
    struct hep_addr src, dst;
    uint16_t src_port, dst_port;
    uint32_t scope; /* virtual network; 0 without one */
    uint8_t tos;
    bool has_vlan;
    uint16_t vlan;
    bool has_mac;
    uint64_t src_mac, dst_mac;
    struct hep_slice payload;
    size_t wire_len; /* of the payload, before the snap length cut it; 0 means payload.len */
};

/* A SIP message. */
struct tap_message {
    uint32_t sec, usec;
    uint32_t scope;
    struct hep_slice payload;
};

/* What to send. Borrowed for the time of the call. */
struct tap_output {
    uint8_t type; /* of HEP: 5, 34, 35, 100 */
    uint32_t sec, usec;
    struct hep_addr src, dst; /* of the stream, or of the RTCP packet */
    uint16_t src_port, dst_port;
    uint8_t tos;
    bool has_vlan;
    uint16_t vlan;
    struct hep_slice payload; /* JSON */
    struct hep_slice call_id; /* for chunk 0x11; empty: belongs to no known call, which the payload says, too */
    double mos;               /* chunk 0x20 is 100 times that; 0: not known */
    double r;                 /* chunk 0x21; 0: not known */
};

/* Zero in a field means the default. */
struct tap_options {
    void (*output)(void *arg, const struct tap_output *out);
    void *arg;
    uint32_t interval_s; /* of periodic reports; 10 */
    uint32_t idle_s;     /* without packets a stream is over; 30 */
    uint32_t silence_s;  /* without packets, in a call that goes on, tell of silence; 5 */
    uint32_t one_way_s;  /* of media in one direction only, then tell; 5 */
    uint32_t no_media_s; /* after the answer; 10 */
    uint32_t buffer_ms;  /* jitter buffer that is assumed for MOS; 100 */
    size_t max_streams;  /* 65536 */
    size_t max_flows;    /* addresses and ports that RTP may come from; 65536 */
    size_t max_places;   /* that SDP named; 131072 */
    size_t max_calls;    /* 65536 */
    bool no_heuristics;  /* only what SDP names is RTP */
    bool no_short;       /* no type 35: some collectors read it as vq-rtcpxr */
    bool no_events;      /* no type 100 */
    bool mask_digits;    /* DTMF is told of without the digits */
};

/* X(field, text) */
#define TAP_COUNTERS(X)                                                                                                \
    X(rtp, "rtp")                             /* packets that count in a stream */                                     \
    X(rtp_early, "rtp_early")                 /* waiting to become a stream, or never became one */                    \
    X(rtp_refused, "rtp_refused")             /* no room for another stream */                                         \
    X(rtcp, "rtcp")                           /* packets, each a type 5 */                                             \
    X(rtcp_unmatched, "rtcp_unmatched")       /* of these: of no known call */                                         \
    X(srtcp, "srtcp")                         /* encrypted RTCP, which tells nothing */                                \
    X(rtcp_bad, "rtcp_bad")                   /* begins like RTCP, and is not */                                       \
    X(other, "other")                         /* neither RTP nor RTCP */                                               \
    X(streams, "streams")                     /* ever begun */                                                         \
    X(streams_unmatched, "streams_unmatched") /* ended without a call */                                               \
    X(streams_over, "streams_over")           /* ended */                                                              \
    X(flows_evicted, "flows_evicted")         /* left alone for longest when the table was full */                     \
    X(places_evicted, "places_evicted")                                                                                \
    X(calls_evicted, "calls_evicted")                                                                                  \
    X(reports, "reports") /* types 34 and 35 */                                                                        \
    X(events, "events")   /* type 100 */                                                                               \
    X(no_memory, "no_memory")

struct tap_counters {
#define TAP_FIELD(field, text) uint64_t field;
    TAP_COUNTERS(TAP_FIELD)
#undef TAP_FIELD
};

struct tap;

/* NULL if out of memory. Options are copied. */
struct tap *tap_open(const struct tap_options *options);

/* Ends every stream, with its reports, and frees all. NULL is fine. */
void tap_close(struct tap *t);
void tap_free(struct tap *t); /* the same without output */

/* Settings that may change while it runs: all but output, arg and the maxima. */
void tap_set(struct tap *t, const struct tap_options *options);

/* Takes note of a SIP message; what is none is left alone. */
void tap_sip(struct tap *t, const struct tap_message *message);

/* True if the datagram is RTP or RTCP and has been dealt with; false: it is something else. */
bool tap_packet(struct tap *t, const struct tap_packet *packet);

/* Says what time it is, in seconds: due reports are made. Packets say so themselves. */
void tap_tick(struct tap *t, uint32_t now);

const struct tap_counters *tap_counters(const struct tap *t);

/* Counter `index`, by name; false behind the last. *ret_name is static. */
bool tap_counter(const struct tap *t, size_t index, const char **ret_name, uint64_t *ret_value);

size_t tap_streams(const struct tap *t); /* now */

#endif
