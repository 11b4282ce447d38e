#include "base/ip.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"

/* inet_ntop() prints through snprintf(); addresses are printed twice a message, so IPv4 is written by hand. */
static char *octet_text(char *p, unsigned v)
{
    if (v >= 100)
        *p++ = (char)('0' + v / 100);
    if (v >= 10)
        *p++ = (char)('0' + v / 10 % 10);
    *p++ = (char)('0' + v % 10);
    return p;
}

static size_t ip4_format(const uint8_t *octets, char *out)
{
    char *p = out;
    for (unsigned i = 0; i < 4; i++) {
        p = octet_text(p, octets[i]);
        *p++ = '.';
    }
    p[-1] = '\0';
    return (size_t)(p - out) - 1;
}

/* glibc's text is that of RFC 5952: lower case, the longest run of zero groups shortened, mapped ones dotted. */
static size_t ip6_format(const uint8_t *octets, char out[IP_TEXT_MAX])
{
    if (inet_ntop(AF_INET6, octets, out, IP_TEXT_MAX) == NULL)
        out[0] = '\0';
    return strlen(out);
}

size_t ip_format(const struct hep_addr *addr, char out[IP_TEXT_MAX])
{
    if (addr->len == 4)
        return ip4_format(addr->octets, out);
    if (addr->len == 16)
        return ip6_format(addr->octets, out);
    out[0] = '\0';
    return 0;
}

/*
 * "192.0.2.1", and nothing that inet_pton() refuses: four numbers up to 255 without leading zeros. Addresses are read
 * several times a message, and most of them are IPv4.
 */
static bool ip4_parse(const char *text, size_t len, uint8_t octets[4])
{
    const char *p = text;
    const char *end = text + len;
    for (unsigned i = 0; i < 4; i++) {
        if (i > 0 && (p == end || *p++ != '.'))
            return false;
        const char *start = p;
        unsigned v = 0;
        for (; p < end && (unsigned char)(*p - '0') < 10 && p - start < 3; p++)
            v = v * 10 + (unsigned)(*p - '0');
        if (p == start || v > 255 || (*start == '0' && p - start > 1))
            return false;
        octets[i] = (uint8_t)v;
    }
    return p == end;
}

bool ip_parse(const char *text, size_t len, struct hep_addr *ret)
{
    char terminated[IP_TEXT_MAX];
    if (len == 0 || len >= sizeof(terminated))
        return false;
    *ret = (struct hep_addr){ 0 };
    if (ip4_parse(text, len, ret->octets)) {
        ret->len = 4;
        return true;
    }
    if (memchr(text, '\0', len) != NULL)
        return false;
    memcpy(terminated, text, len);
    terminated[len] = '\0';
    if (inet_pton(AF_INET6, terminated, ret->octets) == 1)
        ret->len = 16;
    return ret->len != 0;
}

bool ip_net_parse(const char *text, struct ip_net *ret)
{
    const char *slash = strchr(text, '/');
    size_t len = slash != NULL ? (size_t)(slash - text) : strlen(text);
    if (!ip_parse(text, len, &ret->addr))
        return false;
    unsigned max = ret->addr.len * 8u;
    uint64_t bits = max;
    if (slash != NULL && !num_parse(slash + 1, strlen(slash + 1), max, &bits))
        return false;
    ret->bits = (uint8_t)bits;
    return true;
}

bool ip_net_match(const struct ip_net *net, const struct hep_addr *addr)
{
    if (addr->len != net->addr.len)
        return false;
    unsigned whole = net->bits / 8;
    unsigned rest = net->bits % 8;
    if (memcmp(net->addr.octets, addr->octets, whole) != 0)
        return false;
    unsigned mask = 0xff00u >> rest & 0xff;
    return rest == 0 || ((net->addr.octets[whole] ^ addr->octets[whole]) & mask) == 0;
}

static bool copy_host(const char *text, size_t len, char host[256])
{
    if (len >= 256)
        return false;
    memcpy(host, text, len);
    host[len] = '\0';
    return true;
}

static bool take_port(const char *text, uint16_t *ret_port)
{
    uint64_t port;
    if (!num_parse(text, strlen(text), UINT16_MAX, &port))
        return false;
    *ret_port = (uint16_t)port;
    return true;
}

bool ip_host_port(const char *text, char host[256], uint16_t *ret_port, uint16_t default_port)
{
    *ret_port = default_port;
    if (text[0] == '[') {
        const char *close = strchr(text, ']');
        if (close == NULL || !copy_host(text + 1, (size_t)(close - text) - 1, host))
            return false;
        return close[1] == ':' ? take_port(close + 2, ret_port) : close[1] == '\0' && default_port != 0;
    }
    const char *colon = strrchr(text, ':');
    if (colon != NULL && strchr(text, ':') != colon) /* a bare IPv6 address */
        return copy_host(text, strlen(text), host) && default_port != 0;
    if (colon != NULL)
        return copy_host(text, (size_t)(colon - text), host) && take_port(colon + 1, ret_port);
    if (text[0] != '\0' && strspn(text, "0123456789") == strlen(text))
        return copy_host("", 0, host) && take_port(text, ret_port);
    return text[0] != '\0' && default_port != 0 && copy_host(text, strlen(text), host);
}
