/*
 * What packets come from, by name: a network device or `any` (ring.h), or with "pcap:" before it whatever libpcap knows
 * (pcap_live.h).
 */
#ifndef AGENT_DEVICE_H
#define AGENT_DEVICE_H

#include "agent/ring.h"

struct device_options {
    const char *name;
    size_t size; /* octets of the kernel's buffer */
    bool promiscuous;
    unsigned fanout_group;                      /* as in struct ring_options; not with libpcap */
    const struct kernel_filter_options *filter; /* `cooked` is the device's matter */
    const char *bpf;                            /* instead of the generated filter; NULL: none */
};

struct device;

/* 0, or -1 with a text. */
int device_open(struct device **ret, const struct device_options *options, struct errmsg *err);
void device_close(struct device *d); /* NULL is fine */

int device_fd(const struct device *d);
const char *device_name(const struct device *d);
size_t device_take(struct device *d, void (*take)(void *arg, const struct packet *packet), void *arg);
void device_figures(struct device *d, struct ring_stats *ret);
bool device_is_dead(const struct device *d);

/* The filter as a ring of the device would have it; of libpcap's that for Ethernet. 0, or -1 with a text. */
int device_filter(const struct device_options *options, struct kernel_filter *ret, struct errmsg *err);

#endif
