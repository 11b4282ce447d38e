#include "agent/device.h"

#include <stdlib.h>
#include <string.h>

#include "agent/pcap_live.h"

#define PCAP_PREFIX "pcap:"

struct device {
    char *name;
    struct ring *ring; /* one of the two */
    struct pcap_live *pcap;
};

/* The name without its prefix; NULL if it has none. */
static const char *pcap_source(const char *name)
{
    size_t len = strlen(PCAP_PREFIX);
    return strncmp(name, PCAP_PREFIX, len) == 0 ? name + len : NULL;
}

int device_filter(const struct device_options *o, struct kernel_filter *ret, struct errmsg *err)
{
    struct kernel_filter_options made = *o->filter;
    int cooked = pcap_source(o->name) != NULL ? 0 : ring_is_cooked(o->name, err);
    if (cooked < 0)
        return -1;
    made.cooked = cooked == 1;
    if (o->bpf != NULL)
        return kernel_filter_compile(o->bpf, made.cooked, made.snaplen, ret, err);
    kernel_filter_make(&made, ret);
    return 0;
}

static int open_ring(struct device *d, const struct device_options *o, struct errmsg *err)
{
    struct kernel_filter filter;
    if (device_filter(o, &filter, err) != 0)
        return -1;
    const struct ring_options ring = {
        .device = o->name,
        .size = o->size,
        .promiscuous = o->promiscuous,
        .fanout_group = o->fanout_group,
        .filter = &filter,
    };
    return ring_open(&d->ring, &ring, err);
}

static int open_pcap(struct device *d, const struct device_options *o, struct errmsg *err)
{
    const struct pcap_live_options pcap = {
        .source = pcap_source(o->name),
        .size = o->size,
        .promiscuous = o->promiscuous,
        .filter = o->filter,
        .bpf = o->bpf,
    };
    if (o->fanout_group != 0)
        return errmsg_set(err, "%s: libpcap gives packets to one thread: agent.workers must be 1", o->name);
    return pcap_live_open(&d->pcap, &pcap, err);
}

int device_open(struct device **ret, const struct device_options *options, struct errmsg *err)
{
    struct device *d = calloc(1, sizeof(*d));
    if (d != NULL)
        d->name = strdup(options->name);
    if (d == NULL || d->name == NULL) {
        device_close(d);
        return errmsg_set(err, "out of memory");
    }
    int rc = pcap_source(d->name) != NULL ? open_pcap(d, options, err) : open_ring(d, options, err);
    if (rc != 0)
        device_close(d);
    else
        *ret = d;
    return rc;
}

void device_close(struct device *d)
{
    if (d == NULL)
        return;
    ring_close(d->ring);
    pcap_live_close(d->pcap);
    free(d->name);
    free(d);
}

int device_fd(const struct device *d)
{
    return d->pcap != NULL ? pcap_live_fd(d->pcap) : ring_fd(d->ring);
}

const char *device_name(const struct device *d)
{
    return d->name;
}

size_t device_take(struct device *d, void (*take)(void *arg, const struct packet *packet), void *arg)
{
    return d->pcap != NULL ? pcap_live_take(d->pcap, take, arg) : ring_take(d->ring, take, arg);
}

void device_figures(struct device *d, struct ring_stats *ret)
{
    if (d->pcap != NULL)
        pcap_live_figures(d->pcap, ret);
    else
        ring_figures(d->ring, ret);
}

bool device_is_dead(const struct device *d)
{
    return d->pcap != NULL ? pcap_live_is_dead(d->pcap) : ring_is_dead(d->ring);
}
