/*
 * Writes messages as pcap (classic format) or pcapng, microseconds, LINKTYPE_RAW, snap length 262144: as the packets
 * that could have carried them, IPv4 or IPv6 with right lengths and checksums. One packet may be larger than any link.
 *
 * UDP messages, and those over any transport other than TCP, become one UDP packet each: what SIP tools read. Over SCTP
 * they may as well become packets of one DATA chunk each, of an association whose beginning was not captured. TCP
 * messages become segments of a connection that opens
 * with a handshake at the time of its first message and has sound sequence and acknowledgement numbers in both
 * directions, so that wireshark and sngrep put messages of several segments together.
 */
#ifndef CAPTURE_PCAP_OUT_H
#define CAPTURE_PCAP_OUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/errmsg.h"
#include "hep/hep.h"

/* TCP connections whose numbers are remembered; a forgotten one starts anew with a handshake. */
#define PCAP_OUT_FLOWS 65536

enum pcap_out_result {
    PCAP_OUT_OK = 0,
    PCAP_OUT_ADDRESS = -1,  /* an address is absent, or one is IPv4 and the other IPv6 */
    PCAP_OUT_TOO_LONG = -2, /* does not fit one packet: UDP has 65507 octets over IPv4, 65527 over IPv6 */
    PCAP_OUT_WRITE = -3,    /* writing failed, see errno */
    PCAP_OUT_NO_MEMORY = -4
};

/* Text of a result. Static. */
const char *pcap_out_strerror(enum pcap_out_result result);

enum pcap_out_format { PCAP_OUT_PCAP, PCAP_OUT_PCAPNG };

struct pcap_out_options {
    enum pcap_out_format format;
    const char *program; /* that wrote the file, for pcapng; NULL: not told */
    bool sctp;           /* write SCTP as SCTP, not as UDP */
    /* Takes octets of the file; false: failed, and nothing more is written. */
    bool (*write)(void *arg, const void *octets, size_t len);
    void *arg;
};

#define PCAP_OUT_COMMENT_MAX 4096 /* octets; what is behind is left out */

struct pcap_out_message {
    uint32_t sec, usec; /* Unix time, UTC */
    uint8_t protocol;   /* IP protocol: 6 is written as TCP, 132 as the options say, everything else as UDP */
    uint8_t tos;
    struct hep_addr src, dst;
    uint16_t src_port, dst_port; /* host order */
    struct hep_slice payload;
    struct hep_slice comment; /* UTF-8, of the (first) packet in a pcapng; may be empty */
};

struct pcap_out;

/* Writes the beginning of the file. 0, or -1 with a text in err. */
int pcap_out_start(struct pcap_out **ret, const struct pcap_out_options *options, struct errmsg *err);

/* A pcap into `file`, which is borrowed. 0, or -1 with a text in err. */
int pcap_out_open(struct pcap_out **ret, FILE *file, struct errmsg *err);

/* Writes a message. After PCAP_OUT_ADDRESS or _TOO_LONG nothing was written and the next message is welcome. */
enum pcap_out_result pcap_out_message(struct pcap_out *o, const struct pcap_out_message *m);

/* Flushes the stream, if there is one, which stays open: 0, or -1 if writing failed at some time. NULL is fine. */
int pcap_out_close(struct pcap_out *o);

#endif
