/*
 * Live packets by libpcap, for what is no network device of AF_PACKET: "nflog:5", a Bluetooth or USB monitor, a remote
 * source of a libpcap that has them. Slower than a ring, and one thread only. The same shape as ring.h.
 */
#ifndef AGENT_PCAP_LIVE_H
#define AGENT_PCAP_LIVE_H

#include "agent/ring.h"

struct pcap_live;

struct pcap_live_options {
    const char *source; /* as libpcap names it */
    size_t size;        /* octets of the kernel's buffer */
    bool promiscuous;
    const struct kernel_filter_options *filter; /* made for Ethernet; other link layers get everything */
    const char *bpf;                            /* instead of it; NULL: none */
};

/* 0, or -1 with a text: there is none of that name, not permitted, a filter that is none for its link layer. */
int pcap_live_open(struct pcap_live **ret, const struct pcap_live_options *options, struct errmsg *err);
void pcap_live_close(struct pcap_live *p); /* NULL is fine */

int pcap_live_fd(const struct pcap_live *p); /* to poll for POLLIN */

/* Hands out the packets that are there. What is pointed at lives for the call. */
size_t pcap_live_take(struct pcap_live *p, void (*take)(void *arg, const struct packet *packet), void *arg);

void pcap_live_figures(struct pcap_live *p, struct ring_stats *ret);

/* True if libpcap has given up: the source is gone. */
bool pcap_live_is_dead(const struct pcap_live *p);

#endif
