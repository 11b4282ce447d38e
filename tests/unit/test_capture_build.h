/* Builds packets octet by octet for the capture tests, independently of capture/pcap_out.c. */
#ifndef TEST_CAPTURE_BUILD_H
#define TEST_CAPTURE_BUILD_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "hep/hep.h"

struct build {
    size_t len;
    uint8_t octets[70000];
};

static inline void add_octets(struct build *b, const void *p, size_t n)
{
    assert(n <= sizeof(b->octets) - b->len);
    if (n > 0)
        memcpy(b->octets + b->len, p, n);
    b->len += n;
}

static inline void add_number(struct build *b, uint64_t value, unsigned size)
{
    while (size-- > 0) {
        uint8_t octet = (uint8_t)(value >> size * 8);
        add_octets(b, &octet, 1);
    }
}

/* Octets in hex; spaces are for the eye. */
static inline void add_hex(struct build *b, const char *hex)
{
    static const char digits[] = "0123456789abcdef";
    for (; *hex != '\0'; hex++) {
        if (*hex == ' ')
            continue;
        assert(hex[1] != '\0');
        size_t high = (size_t)(strchr(digits, hex[0]) - digits);
        size_t low = (size_t)(strchr(digits, hex[1]) - digits);
        add_number(b, high << 4 | low, 1);
        hex++;
    }
}

static inline struct hep_slice built(const struct build *b)
{
    return (struct hep_slice){ b->octets, b->len };
}

/* IPv4 header without options, 192.0.2.1 -> 192.0.2.2, TOS 0xb8. fragment: flags and offset as on the wire. */
static inline void add_ip4(struct build *b, unsigned protocol, unsigned id, unsigned fragment, size_t payload_len)
{
    add_hex(b, "45b8");
    add_number(b, payload_len + 20, 2);
    add_number(b, id, 2);
    add_number(b, fragment, 2);
    add_number(b, 64, 1);
    add_number(b, protocol, 1);
    add_hex(b, "0000 c0000201 c0000202");
}

/* IPv6 header, 2001:db8::1 -> 2001:db8::2, traffic class 0xb8. */
static inline void add_ip6(struct build *b, unsigned next, size_t payload_len)
{
    add_hex(b, "6b800000");
    add_number(b, payload_len, 2);
    add_number(b, next, 1);
    add_hex(b, "40 20010db8000000000000000000000001 20010db8000000000000000000000002");
}

/* UDP header without checksum, ports 5060 -> 5062. */
static inline void add_udp(struct build *b, size_t payload_len)
{
    add_hex(b, "13c413c6");
    add_number(b, payload_len + 8, 2);
    add_hex(b, "0000");
}

/* TCP header without options, ports 5060 -> 5062. */
static inline void add_tcp(struct build *b, uint32_t seq, unsigned flags)
{
    add_hex(b, "13c413c6");
    add_number(b, seq, 4);
    add_hex(b, "00000000 50");
    add_number(b, flags, 1);
    add_hex(b, "ffff 0000 0000");
}

#endif
