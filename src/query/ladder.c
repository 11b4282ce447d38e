#include "query/ladder.h"

#include <stdlib.h>
#include <string.h>

#include "query/ladder_internal.h"

#define GUTTER   28   /* columns for the times */
#define STEP_MIN 17   /* columns of the narrowest ladder between two hosts: "INVITE (SDP)" and an arrow's head */
#define SEEN_MAX 4096 /* messages that a retransmission is recognised by */
#define TEXT_MAX 1024 /* octets kept of a slice */

struct ladder *ladder_new(const struct ladder_options *options)
{
    struct ladder *l = calloc(1, sizeof(*l));
    struct lru_options seen = { .key_size = 16, .value_size = sizeof(uint64_t), .capacity = SEEN_MAX };
    if (l == NULL)
        return NULL;
    l->printable.ascii = options->ascii;
    l->width = options->width < LADDER_WIDTH_MIN ? LADDER_WIDTH_MIN : options->width;
    l->room = (l->width - GUTTER) / STEP_MIN;
    if (l->room < 2)
        l->room = 2;
    if (l->room > LADDER_COLUMNS_MAX)
        l->room = LADDER_COLUMNS_MAX;
    l->day = INT64_MIN;
    l->seen = lru_new(&seen);
    if (l->seen == NULL) {
        free(l);
        return NULL;
    }
    return l;
}

void ladder_free(struct ladder *l)
{
    if (l == NULL)
        return;
    for (size_t i = 0; i < l->held_count; i++)
        free(l->held[i]);
    lru_free(l->seen);
    free(l);
}

void ladder_stats(const struct ladder *l, struct ladder_stats *ret)
{
    *ret = l->stats;
    ret->hosts = l->host_count;
}

/* ------------------------------------------------------------------------------------------------ hosts */

static bool is_host(const struct ladder *l, const struct ladder_host *h, struct hep_slice ip, uint32_t port)
{
    return strlen(h->ip) == ip.len && memcmp(h->ip, ip.ptr, ip.len) == 0 && (l->by_address || h->port == port);
}

/* Index of the host; LADDER_HOSTS_MAX if it is one too many. */
static size_t note_host(struct ladder *l, struct hep_slice ip, uint32_t port)
{
    if (ip.len >= IP_TEXT_MAX)
        ip.len = 0;
    for (size_t i = 0; i < l->host_count; i++) {
        if (!is_host(l, &l->hosts[i], ip, port))
            continue;
        l->hosts[i].ports = l->hosts[i].ports || l->hosts[i].port != port;
        return i;
    }
    if (l->host_count == LADDER_HOSTS_MAX)
        return LADDER_HOSTS_MAX;
    struct ladder_host *h = &l->hosts[l->host_count];
    *h = (struct ladder_host){ .port = port };
    if (ip.len > 0)
        memcpy(h->ip, ip.ptr, ip.len);
    return l->host_count++;
}

/* Many ports of few addresses (clients over TCP): a column for each address may still fit. */
static void fold_ports(struct ladder *l)
{
    size_t n = l->host_count;
    l->by_address = true;
    l->host_count = 0;
    for (size_t i = 0; i < n; i++) {
        struct ladder_host h = l->hosts[i];
        (void)note_host(l, (struct hep_slice){ (const uint8_t *)h.ip, strlen(h.ip) }, h.port);
    }
}

size_t ladder_column(struct ladder *l, struct hep_slice ip, uint32_t port)
{
    size_t i = note_host(l, ip, port);
    if (l->host_count > l->room && !l->by_address) {
        fold_ports(l);
        i = note_host(l, ip, port);
    }
    l->shared = l->host_count > l->room;
    return l->shared && i >= l->room ? l->room - 1 : i;
}

/* ------------------------------------------------------------------------------------------------ retransmissions */

static uint64_t mix(uint64_t h, const void *data, size_t len)
{
    const uint8_t *p = data;
    for (size_t i = 0; i < len; i++)
        h = (h ^ p[i]) * UINT64_C(0x100000001b3);
    return (h ^ len) * UINT64_C(0x100000001b3);
}

static uint64_t fingerprint(const struct ladder_message *m, uint64_t seed)
{
    uint64_t h = mix(seed, m->branch.ptr, m->branch.len);
    h = mix(h, m->method.ptr, m->method.len);
    h = mix(h, m->src_ip.ptr, m->src_ip.len);
    h = mix(h, m->dst_ip.ptr, m->dst_ip.len);
    h = mix(h, &m->status, sizeof(m->status));
    h = mix(h, &m->cseq, sizeof(m->cseq));
    h = mix(h, &m->src_port, sizeof(m->src_port));
    return mix(h, &m->dst_port, sizeof(m->dst_port));
}

/* How often the message came before. Without a branch nobody can tell. */
static bool count_again(struct ladder *l, const struct ladder_message *m, uint64_t *ret)
{
    bool is_new;
    *ret = 0;
    if (!m->is_sip || m->branch.len == 0)
        return true;
    uint64_t key[2] = { fingerprint(m, UINT64_C(0xcbf29ce484222325)), fingerprint(m, UINT64_C(0x9e3779b97f4a7c15)) };
    uint64_t *times = lru_put(l->seen, key, 0, &is_new);
    if (times == NULL)
        return false;
    *ret = (*times)++;
    l->stats.repeated += *ret > 0;
    return true;
}

/* ------------------------------------------------------------------------------------------------ messages */

static bool draw(struct ladder *l, const struct ladder_message *m, struct buf *out)
{
    l->drawn += !m->unnumbered;
    struct ladder_line line = { .m = m, .number = l->drawn };
    if (m->is_sip) { /* twice: what the second host does to the columns may move the first */
        (void)ladder_column(l, m->src_ip, m->src_port);
        line.to = ladder_column(l, m->dst_ip, m->dst_port);
        line.from = ladder_column(l, m->src_ip, m->src_port);
    }
    if (!count_again(l, m, &line.again))
        return false;
    ladder_draw(l, &line, out);
    return !out->failed;
}

static bool draw_held(struct ladder *l, struct buf *out)
{
    bool ok = true;
    for (size_t i = 0; i < l->held_count; i++) {
        ok = ok && draw(l, &l->held[i]->m, out);
        free(l->held[i]);
    }
    l->held_count = 0;
    l->drawing = true;
    return ok;
}

static size_t kept(struct hep_slice slice)
{
    return slice.len < TEXT_MAX ? slice.len : TEXT_MAX;
}

static struct ladder_held *copy(const struct ladder_message *m)
{
    struct ladder_message own = *m;
    struct hep_slice *slices[] = {
        &own.src_ip, &own.dst_ip, &own.method, &own.reason, &own.branch, &own.kind, &own.text
    };
    size_t size = 0;
    for (size_t i = 0; i < sizeof(slices) / sizeof(slices[0]); i++)
        size += kept(*slices[i]);
    struct ladder_held *h = malloc(sizeof(*h) + size);
    if (h == NULL)
        return NULL;
    uint8_t *to = h->octets;
    for (size_t i = 0; i < sizeof(slices) / sizeof(slices[0]); i++) {
        size_t n = kept(*slices[i]);
        if (n > 0)
            memcpy(to, slices[i]->ptr, n);
        *slices[i] = (struct hep_slice){ to, n };
        to += n;
    }
    h->m = own;
    return h;
}

bool ladder_put(struct ladder *l, const struct ladder_message *m, struct buf *out)
{
    l->stats.messages++;
    if (l->drawing)
        return draw(l, m, out);
    struct ladder_held *h = copy(m);
    if (h == NULL)
        return false;
    l->held[l->held_count++] = h;
    if (m->is_sip) { /* the header is to have them all */
        (void)ladder_column(l, m->src_ip, m->src_port);
        (void)ladder_column(l, m->dst_ip, m->dst_port);
    }
    return l->held_count < LADDER_HELD_MAX || draw_held(l, out);
}

bool ladder_end(struct ladder *l, struct buf *out)
{
    return draw_held(l, out);
}
