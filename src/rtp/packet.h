/*
 * The header of an RTP packet (RFC 3550 section 5.1).
 */
#ifndef RTP_PACKET_H
#define RTP_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hep/hep.h"

struct rtp_packet {
    uint8_t payload_type; /* 0..127 */
    bool marker;
    uint16_t seq;
    uint32_t time; /* units of the clock of the payload type */
    uint32_t ssrc;
    struct hep_slice payload; /* padding left out */
};

/*
 * False if the octets cannot be RTP: version, lengths, or a payload type of 64..95, which RTCP on the same port needs
 * (RFC 5761 section 4). wire_len: the octets that there were, at least n; the payload may be cut.
 */
bool rtp_packet_read(const uint8_t *p, size_t n, size_t wire_len, struct rtp_packet *ret);

/* A payload of RFC 4733 section 2.3. False if it is too short. */
struct rtp_event {
    uint8_t event; /* 0..15: 0..9 * # A B C D; 16: flash */
    bool end;
    uint8_t volume;    /* dBm0 below zero */
    uint16_t duration; /* units of the clock, since the event began */
};
bool rtp_event_read(struct hep_slice payload, struct rtp_event *ret);

#endif
