#include "agent/pcap_live.h"

#include <pcap/pcap.h>
#include <stdlib.h>
#include <string.h>

#define TIMEOUT_MS 20   /* a buffer that is not full is handed out after it */
#define ROUND      4096 /* packets of one look */

struct pcap_live {
    pcap_t *handle;
    int fd, linktype;
    bool dead;
    struct ring_stats stats;
    struct pcap_stat last; /* its counters have 32 bits */
    void (*take)(void *arg, const struct packet *packet);
    void *arg;
};

/* ------------------------------------------------------------------------------------------------ opening */

static int failed(struct errmsg *err, const char *source, int rc, pcap_t *handle)
{
    const char *more = pcap_geterr(handle);
    bool has = more != NULL && more[0] != '\0';
    return errmsg_set(err, "%s: %s%s%s", source, pcap_statustostr(rc), has ? ": " : "", has ? more : "");
}

static int activate(struct pcap_live *p, const struct pcap_live_options *o, struct errmsg *err)
{
    int size = o->size < (size_t)INT32_MAX ? (int)o->size : INT32_MAX;
    int rc = pcap_set_snaplen(p->handle, (int)o->filter->snaplen);
    if (rc == 0)
        rc = pcap_set_promisc(p->handle, o->promiscuous);
    if (rc == 0)
        rc = pcap_set_timeout(p->handle, TIMEOUT_MS);
    if (rc == 0)
        rc = pcap_set_buffer_size(p->handle, size);
    if (rc == 0)
        rc = pcap_activate(p->handle);
    return rc < 0 ? failed(err, o->source, rc, p->handle) : 0; /* above 0: a warning, and it goes on */
}

static int set_filter(struct pcap_live *p, const struct pcap_live_options *o, struct errmsg *err)
{
    struct bpf_program program = { 0, NULL };
    struct kernel_filter made;
    int rc;
    if (o->bpf == NULL && p->linktype != DLT_EN10MB)
        return 0;
    if (o->bpf != NULL) {
        if (pcap_compile(p->handle, &program, o->bpf, 1, PCAP_NETMASK_UNKNOWN) != 0)
            return errmsg_set(err, "%s: %s", o->source, pcap_geterr(p->handle));
        rc = pcap_setfilter(p->handle, &program);
        pcap_freecode(&program);
    } else {
        struct kernel_filter_options ethernet = *o->filter;
        ethernet.cooked = false;
        kernel_filter_make(&ethernet, &made);
        struct bpf_insn code[KERNEL_FILTER_MAX];
        memcpy(code, made.code, made.count * sizeof(code[0])); /* the same in other words */
        program = (struct bpf_program){ (unsigned)made.count, code };
        rc = pcap_setfilter(p->handle, &program);
    }
    return rc == 0 ? 0 : errmsg_set(err, "%s: %s", o->source, pcap_geterr(p->handle));
}

int pcap_live_open(struct pcap_live **ret, const struct pcap_live_options *options, struct errmsg *err)
{
    char text[PCAP_ERRBUF_SIZE] = "";
    struct pcap_live *p = calloc(1, sizeof(*p));
    if (p == NULL)
        return errmsg_set(err, "out of memory");
    p->handle = pcap_create(options->source, text);
    if (p->handle == NULL) {
        (void)errmsg_set(err, "%s: %s", options->source, text);
        goto fail;
    }
    if (activate(p, options, err) != 0)
        goto fail;
    p->linktype = pcap_datalink(p->handle);
    if (set_filter(p, options, err) != 0)
        goto fail;
    p->fd = pcap_get_selectable_fd(p->handle);
    if (p->fd < 0 || pcap_setnonblock(p->handle, 1, text) != 0) {
        (void)errmsg_set(err, "%s: cannot be waited for%s%s", options->source, text[0] != '\0' ? ": " : "", text);
        goto fail;
    }
    *ret = p;
    return 0;
fail:
    pcap_live_close(p);
    return -1;
}

void pcap_live_close(struct pcap_live *p)
{
    if (p == NULL)
        return;
    if (p->handle != NULL)
        pcap_close(p->handle);
    free(p);
}

int pcap_live_fd(const struct pcap_live *p)
{
    return p->fd;
}

/* ------------------------------------------------------------------------------------------------ packets */

static void on_packet(u_char *arg, const struct pcap_pkthdr *head, const u_char *octets)
{
    struct pcap_live *p = (struct pcap_live *)(void *)arg;
    const struct packet packet = {
        .sec = (uint32_t)head->ts.tv_sec,
        .usec = (uint32_t)head->ts.tv_usec,
        .data = { octets, head->caplen },
        .wire_len = head->len,
        .linktype = p->linktype,
    };
    p->take(p->arg, &packet);
}

size_t pcap_live_take(struct pcap_live *p, void (*take)(void *arg, const struct packet *packet), void *arg)
{
    if (p->dead)
        return 0;
    p->take = take;
    p->arg = arg;
    int n = pcap_dispatch(p->handle, ROUND, on_packet, (u_char *)p);
    p->dead = n < 0;
    return n > 0 ? (size_t)n : 0;
}

void pcap_live_figures(struct pcap_live *p, struct ring_stats *ret)
{
    struct pcap_stat now;
    if (!p->dead && pcap_stats(p->handle, &now) == 0) {
        p->stats.packets += (uint32_t)(now.ps_recv - p->last.ps_recv);
        p->stats.drops += (uint32_t)(now.ps_drop - p->last.ps_drop);
        p->stats.device_drops += (uint32_t)(now.ps_ifdrop - p->last.ps_ifdrop);
        p->last = now;
    }
    *ret = p->stats;
}

bool pcap_live_is_dead(const struct pcap_live *p)
{
    return p->dead;
}
