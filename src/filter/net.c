#include "filter/net.h"

#include <stdio.h>
#include <string.h>

#include "base/ip.h"

static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

static void to_16(const struct hep_addr *addr, uint8_t out[16])
{
    if (addr->len == 16) {
        memcpy(out, addr->octets, 16);
        return;
    }
    memcpy(out, mapped, 12);
    memcpy(out + 12, addr->octets, 4);
}

static void set_range(struct net *net)
{
    for (unsigned i = 0; i < 16; i++) {
        unsigned kept = net->bits > 8 * i ? net->bits - 8 * i : 0;
        unsigned mask = kept >= 8 ? 0xffu : 0xff00u >> kept & 0xffu;
        net->low[i] = (uint8_t)(net->low[i] & mask);
        net->high[i] = (uint8_t)(net->low[i] | (mask ^ 0xffu));
    }
}

bool net_parse(const uint8_t *text, size_t len, struct net *ret)
{
    char terminated[NET_TEXT_MAX];
    struct ip_net net;
    if (len >= sizeof(terminated) || memchr(text, '\0', len) != NULL)
        return false;
    memcpy(terminated, text, len);
    terminated[len] = '\0';
    if (!ip_net_parse(terminated, &net))
        return false;
    to_16(&net.addr, ret->low);
    ret->bits = net.bits + (net.addr.len == 4 ? 96u : 0u);
    set_range(ret);
    return true;
}

size_t net_format(const struct net *net, char out[NET_TEXT_MAX])
{
    bool v4 = net->bits >= 96 && memcmp(net->low, mapped, 12) == 0;
    struct hep_addr addr = { .len = v4 ? 4 : 16 };
    memcpy(addr.octets, net->low + (v4 ? 12 : 0), addr.len);
    size_t n = ip_format(&addr, out);
    if (net->bits < 128)
        n += (size_t)snprintf(out + n, NET_TEXT_MAX - n, "/%u", v4 ? net->bits - 96 : net->bits);
    return n;
}

bool net_has_text(const struct net *net, const uint8_t *text, size_t len)
{
    struct hep_addr addr;
    uint8_t octets[16];
    if (!ip_parse((const char *)text, len, &addr))
        return false;
    to_16(&addr, octets);
    return memcmp(octets, net->low, 16) >= 0 && memcmp(octets, net->high, 16) <= 0;
}

bool net_match(const uint8_t *value, size_t len, const uint8_t *network, size_t network_len)
{
    struct net net;
    return net_parse(network, network_len, &net) && net_has_text(&net, value, len);
}
