/*
 * From a captured frame to the IP packet in it: Ethernet with any stack of VLAN tags, MPLS labels and PPPoE sessions,
 * pseudowires, Linux "cooked" captures, raw IP, BSD loopback, PPP, Cisco HDLC. What is inside IP is tunnel.h.
 */
#ifndef CAPTURE_LINK_H
#define CAPTURE_LINK_H

#include <stdbool.h>
#include <stdint.h>

#include "hep/hep.h"

/* Most tags, labels and sub-headers in front of an IP packet. Real networks stay below five. */
#define LINK_DEPTH_MAX 16

/* Link types that are named elsewhere; link.c has the table of all. */
enum { LINK_ETHERNET = 1, LINK_PPP = 9, LINK_MPLS = 219, LINK_IP = 228 };

enum link_reason {
    LINK_OK,
    LINK_SHORT,    /* ends inside a link layer header */
    LINK_TYPE,     /* link type of the capture is not known */
    LINK_NOT_IP,   /* a frame of another protocol: ARP, LLDP, spanning tree */
    LINK_TOO_DEEP, /* more than LINK_DEPTH_MAX headers before IP */
    LINK_REASON_COUNT
};

/* Short name for a counter, e.g. "link_short". Static. */
const char *link_reason_name(enum link_reason reason);

struct link_info {
    struct hep_slice ip; /* from the IP header on; padding of the frame may follow the packet */
    bool has_vlan;
    uint16_t vlan; /* VLAN id, 0..4095, of the tag nearest to the IP packet (the customer's in QinQ) */
    bool has_mac;
    uint64_t src_mac, dst_mac; /* 48 bits in the low octets; dst_mac is 0 where the capture does not say (SLL) */
};

/* Finds the IP packet. *ret is filled as far as decoding came; ret->ip only on LINK_OK. Slices point into `data`. */
enum link_reason link_decode(int linktype, struct hep_slice data, struct link_info *ret);

/* The same of what an Ethernet type (IEEE 802) stands before: tunnels say by one what they carry. */
enum link_reason link_decode_ethertype(unsigned type, struct hep_slice data, struct link_info *ret);

#endif
