/*
 * IPv4 (RFC 791) and IPv6 (RFC 8200) headers with options and extension headers.
 */
#ifndef CAPTURE_IP_H
#define CAPTURE_IP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hep/hep.h"

/* Most IPv6 extension headers in one packet; RFC 8200 section 4.1 knows of seven. */
#define IP_EXTENSIONS_MAX 16

enum { IP_PROTOCOL_TCP = 6, IP_PROTOCOL_UDP = 17, IP_PROTOCOL_SCTP = 132 };

enum ip_reason {
    IP_OK,
    IP_SHORT,         /* ends inside a header */
    IP_VERSION,       /* version is neither 4 nor 6 */
    IP_HEADER_LENGTH, /* IPv4: header length below 20 octets or beyond the total length */
    IP_TOTAL_LENGTH,  /* says more octets than the packet had on the wire */
    IP_TOO_DEEP,      /* IPv6: more than IP_EXTENSIONS_MAX extension headers */
    IP_REASON_COUNT
};

/* Short name for a counter, e.g. "ip_short". Static. */
const char *ip_reason_name(enum ip_reason reason);

struct ip_packet {
    struct hep_addr src, dst;
    uint8_t protocol; /* of the payload; IPv6: the next header behind the extensions that were read */
    uint8_t tos;      /* TOS octet or traffic class */
    struct hep_slice payload;
    size_t missing; /* octets of the payload that the snap length cut off */
    uint32_t scope; /* for the caller: packets of different scopes have nothing to do with each other; 0 at first */

    bool fragment;        /* part of a datagram; the payload is the part. Atomic fragments (RFC 6946) are whole */
    bool more;            /* not the last part */
    uint32_t id;          /* identification: 16 bits (IPv4), 32 bits (IPv6) */
    uint32_t frag_offset; /* octets from the start of the datagram's payload */
};

/*
 * Decodes the packet at the start of `data`. wire_len: the octets that were there on the wire, at least data.len; it
 * tells a packet cut by the snap length (`missing`) from one that lies about its length. Padding behind the packet is
 * left out. A total length of zero, which sending hosts show when the network card does the segmentation, means "all
 * of it". Slices point into `data`; *ret is of use only on IP_OK.
 */
enum ip_reason ip_decode(struct hep_slice data, size_t wire_len, struct ip_packet *ret);

/*
 * Continues with a reassembled datagram: reads the IPv6 extension headers that begin its payload (RFC 8200 section
 * 4.5: what follows the fragment header may be one). Nothing to do for IPv4.
 */
enum ip_reason ip_resume(struct ip_packet *p);

#endif
