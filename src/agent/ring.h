/*
 * Live packets of a network device: an AF_PACKET socket with a ring of version 3 (packet(7), TPACKET_V3), which the
 * kernel fills block by block.
 *
 * Ethernet comes with its header, VLAN tags that the network card took off put back; other devices, and `any`, as Linux
 * "cooked" captures (LINKTYPE_LINUX_SLL). Needs CAP_NET_RAW.
 */
#ifndef AGENT_RING_H
#define AGENT_RING_H

#include "agent/kernel_filter.h"
#include "capture/packet.h"

struct ring_options {
    const char *device;    /* "any": all of them */
    size_t size;           /* octets */
    bool promiscuous;      /* not for `any` */
    unsigned fanout_group; /* 0: none; sockets of one group share the packets, by flow, fragments put together */
    const struct kernel_filter *filter; /* for packets of ring_is_cooked() */
};

struct ring_stats {
    uint64_t packets, drops, freezes; /* since the ring was opened */
    uint64_t device_drops;            /* of the card or its driver, of all programs */
};

struct ring;

/* Whether packets of this device begin with their IP header. 0 or 1, or -1 with a text: there is no such device. */
int ring_is_cooked(const char *device, struct errmsg *err);

/* The device is copied. 0, or -1 with a text: no such device, not permitted, no memory. */
int ring_open(struct ring **ret, const struct ring_options *options, struct errmsg *err);
void ring_close(struct ring *r); /* NULL is fine */

int ring_fd(const struct ring *r); /* to poll for POLLIN */
const char *ring_device(const struct ring *r);

/* Hands out the packets that are there, at most one round through the ring. What is pointed at lives for the call. */
size_t ring_take(struct ring *r, void (*take)(void *arg, const struct packet *packet), void *arg);

/* Reads the kernel's counters. */
void ring_figures(struct ring *r, struct ring_stats *ret);

/* True if the device is gone and the ring must be opened anew to see one of that name again. */
bool ring_is_dead(const struct ring *r);

#endif
