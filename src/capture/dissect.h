/*
 * The capture pipeline: packets in, UDP datagrams and TCP streams out.
 *
 * Every packet has exactly one outcome: the sum of the outcome counters is the number of packets. A datagram in
 * fragments is one DISSECT_UDP for the fragment that made it whole and one DISSECT_FRAGMENT for each other.
 *
 * A packet that is a tunnel (tunnel.h) takes the same way once more with what is inside, down to TUNNEL_DEPTH_MAX; its
 * outcome is that of the innermost. IP fragments and TCP are put together at every level; addresses of one virtual
 * network are not those of another.
 */
#ifndef CAPTURE_DISSECT_H
#define CAPTURE_DISSECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "capture/defrag.h"
#include "capture/packet.h"
#include "capture/tcp.h"
#include "capture/tunnel.h"

/* name for counters, constant: what became of a packet */
#define DISSECT_OUTCOMES(X)                                                                                            \
    X(UDP, "udp")                               /* delivered by on_udp() */                                            \
    X(UDP_CUT, "udp_cut")                       /* delivered, but the snap length cut it: dgram.truncated */           \
    X(TCP, "tcp")                               /* taken by the TCP reassembly */                                      \
    X(TCP_CUT, "tcp_cut")                       /* taken, but the snap length cut it: shows as a gap */                \
    X(FRAGMENT, "fragment")                     /* IP fragment, held until its datagram is whole */                    \
    X(FRAGMENT_DUPLICATE, "fragment_duplicate") /* IP fragment seen before */                                          \
    X(FRAGMENT_DROPPED, "fragment_dropped")     /* see struct defrag_stats for the reasons */                          \
    X(OTHER_PROTOCOL, "other_protocol")         /* IP, but neither UDP nor TCP: ICMP, SCTP, ESP */                     \
    X(NOT_IP, "not_ip")                         /* ARP, LLDP and so on */                                              \
    X(LINK_SHORT, "link_short")                 /* ends inside the link layer header */                                \
    X(LINK_TYPE, "link_type_unknown")           /* link type of the capture is not known */                            \
    X(LINK_TOO_DEEP, "link_too_deep")           /* too many tags before IP */                                          \
    X(IP_SHORT, "ip_short")                     /* ends inside the IP header */                                        \
    X(IP_VERSION, "ip_version")                 /* IP version neither 4 nor 6 */                                       \
    X(IP_HEADER_LENGTH, "ip_header_length")     /* IPv4 header length is impossible */                                 \
    X(IP_TOTAL_LENGTH, "ip_total_length")       /* IP says more octets than the packet had */                          \
    X(IP_TOO_DEEP, "ip_too_deep")               /* too many IPv6 extension headers */                                  \
    X(UDP_SHORT, "udp_short")                   /* ends inside the UDP header */                                       \
    X(UDP_LENGTH, "udp_length")                 /* UDP length is below 8 or beyond the IP packet */                    \
    X(TCP_SHORT, "tcp_short")                   /* ends inside the TCP header */                                       \
    X(TCP_OFFSET, "tcp_offset")                 /* TCP data offset below 20 */                                         \
    X(NO_MEMORY, "no_memory")                   /* lost for want of memory */                                          \
    X(SCTP, "sctp")                             /* messages in it, if any, delivered by on_sctp() */                   \
    X(SCTP_CUT, "sctp_cut")                     /* the same, but the snap length cut it */                             \
    X(SCTP_PART, "sctp_part")                   /* has a part of a message that is not whole yet */                    \
    X(SCTP_SHORT, "sctp_short")                 /* ends inside the SCTP header, or a chunk's */                        \
    X(SCTP_CHUNK, "sctp_chunk")                 /* length of an SCTP chunk is impossible */                            \
    X(ESP, "esp")                               /* IPsec, encrypted */                                                 \
    X(TUNNEL_CONTROL, "tunnel_control")         /* signalling or keep-alive of a tunnel */                             \
    X(TUNNEL_SHORT, "tunnel_short")             /* ends inside a tunnel's header */                                    \
    X(TUNNEL_HEADER, "tunnel_header")           /* impossible header of a tunnel */                                    \
    X(TUNNEL_TOO_DEEP, "tunnel_too_deep")       /* more than TUNNEL_DEPTH_MAX tunnels in one another */

enum dissect_outcome {
#define DISSECT_ENUM(name, text) DISSECT_##name,
    DISSECT_OUTCOMES(DISSECT_ENUM)
#undef DISSECT_ENUM
        DISSECT_OUTCOME_COUNT
};

/* A UDP datagram, or a message of SCTP. Everything is borrowed for the time of the call. */
struct dgram {
    uint32_t sec, usec; /* of the packet that completed it */
    struct hep_addr src, dst;
    uint16_t src_port, dst_port; /* host order */
    uint8_t protocol;            /* of IP: 17 or 132 */
    uint8_t tos;
    bool has_vlan;
    uint16_t vlan;
    bool has_mac;
    uint64_t src_mac, dst_mac; /* 48 bits in the low octets */
    struct hep_slice payload;
    bool truncated; /* the snap length cut the payload */
};

struct dissect_options {
    struct defrag_options defrag;
    struct tcp_options tcp;
    void (*on_udp)(void *arg, const struct dgram *dgram); /* may be NULL */
    /* NULL: SCTP is a protocol like any other. Of several chunks a message is put together. */
    void (*on_sctp)(void *arg, const struct dgram *dgram);
    void *udp_arg; /* of both */
    struct tcp_callbacks tcp_callbacks;
};

struct dissector;

/* NULL if out of memory. Options are copied; all zero is fine. */
struct dissector *dissector_new(const struct dissect_options *options);
void dissector_free(struct dissector *d); /* without callbacks; NULL is fine */

/* Takes a packet, calls back with what it completes, and returns what became of it. */
enum dissect_outcome dissect_packet(struct dissector *d, const struct packet *packet);

/* The tunnels that the last packet was in, from the outside; *ret_count of them. Valid until the next packet. */
const enum tunnel_kind *dissect_tunnels(const struct dissector *d, size_t *ret_count);

/* The capture is over: gives up datagrams in fragments and closes every TCP flow. */
void dissect_finish(struct dissector *d);

/* ------------------------------------------------------------------------------------------------ counters */

uint64_t dissect_total(const struct dissector *d); /* packets */
uint64_t dissect_count(const struct dissector *d, enum dissect_outcome outcome);
const char *dissect_outcome_name(enum dissect_outcome outcome); /* static, e.g. "ip_short" */

const struct defrag_stats *dissect_defrag_stats(const struct dissector *d);
const struct tcp_stats *dissect_tcp_stats(const struct dissector *d);

/*
 * All counters by name, for printing: index from 0; false behind the last one. "packets" comes first, then the
 * outcomes, which add up to it, then "defrag_...", "tcp_..." and "in_TUNNEL" with the details. *ret_name is static.
 */
bool dissect_counter(const struct dissector *d, size_t index, const char **ret_name, uint64_t *ret_value);

#endif
