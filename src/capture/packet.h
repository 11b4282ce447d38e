/*
 * The capture folder: from octets on a wire or in a pcap file to UDP datagrams and TCP streams, and back to a file.
 *
 *     pcap_in  ->  link  ->  ip  ->  defrag  ->  (udp) on_udp
 *                   ^                      \->  tcp    on_data, on_gap, on_close
 *                   \---  tunnel  <-------/
 *     pcap_out: messages -> IP packets -> pcap file
 *
 * dissect.h puts the stages together and is what a program uses; each stage is also usable and tested alone. Nothing
 * here trusts a length: wire octets are read through the checked cursor of hep/rd.h. Every packet has exactly one
 * outcome, which is counted; every table has a limit, and what a limit costs is counted too. Time is packet time:
 * a file replays the same at any speed.
 */
#ifndef CAPTURE_PACKET_H
#define CAPTURE_PACKET_H

#include <stddef.h>
#include <stdint.h>

#include "hep/hep.h"

/* A captured packet. Borrowed from whoever read it, until the next one is read. */
struct packet {
    uint32_t sec, usec;    /* capture time, Unix time, UTC; usec is 0..999999 */
    struct hep_slice data; /* what was captured, from the link layer header on */
    size_t wire_len;       /* octets that the packet had; more than data.len if the snap length cut it */
    int linktype;          /* a DLT_ or LINKTYPE_ value */
};

#endif
