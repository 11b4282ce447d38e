/*
 * The filter that a live capture gives to the kernel: classic BPF, made by hand so that nothing gets lost in it.
 *
 * Always passed: IP fragments (only the first has ports), frames with VLAN tags, MPLS labels or PPPoE in the packet,
 * IPv6 with extension headers, SCTP, and tunnels (GRE, IP in IP, 6in4, EtherIP, L2TP, MPLS in IP; VXLAN, GENEVE, GTP-U,
 * L2TP and TZSP by their UDP ports): what is inside is for the dissector to find. Of the rest: TCP and UDP of the ports
 * of SIP, and, anywhere in UDP, RTCP by its first two octets (version 2, packet type 192..223) so that RTP, which is
 * nearly all of the traffic, is never copied.
 */
#ifndef AGENT_KERNEL_FILTER_H
#define AGENT_KERNEL_FILTER_H

#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/errmsg.h"

#define KERNEL_FILTER_MAX    1024 /* instructions; the kernel takes 4096 */
#define KERNEL_FILTER_RANGES 64

struct port_range {
    uint16_t first, last;
};

struct kernel_filter_options {
    bool cooked; /* packets begin with their IP header (a socket of type SOCK_DGRAM), else with Ethernet's */
    struct port_range ports[KERNEL_FILTER_RANGES];
    size_t port_count; /* 0: every port */
    bool rtcp, rtp;    /* which of them pass beside SIP */
    uint32_t snaplen;  /* octets of a packet that passes */
};

struct kernel_filter {
    size_t count;
    struct sock_filter code[KERNEL_FILTER_MAX];
};

/* "5060", "5060-5091", several with commas, "all": adds to options->ports. 0, or -1 with a text. */
int kernel_filter_ports(struct kernel_filter_options *options, const char *text, struct errmsg *err);

void kernel_filter_make(const struct kernel_filter_options *options, struct kernel_filter *ret);

/* The user's own, in the language of pcap-filter(7). 0, or -1 with libpcap's text. */
int kernel_filter_compile(const char *text, bool cooked, uint32_t snaplen, struct kernel_filter *ret,
                          struct errmsg *err);

/* A line an instruction, as `tcpdump -d` writes them. */
void kernel_filter_print(const struct kernel_filter *f, struct buf *out);

/* What the kernel would do with a packet that begins with an Ethernet header: true if it passes. */
bool kernel_filter_run(const struct kernel_filter *f, const uint8_t *packet, size_t len, size_t wire_len);

#endif
