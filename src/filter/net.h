/*
 * Networks as ranges of 16 octets, IPv4 as ::ffff:a.b.c.d: how the *_addr columns hold addresses, so that a network is
 * two comparisons.
 */
#ifndef FILTER_NET_H
#define FILTER_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NET_TEXT_MAX 64 /* longest text of a network with its terminator */

struct net {
    uint8_t low[16], high[16]; /* the first and the last address */
    unsigned bits;             /* of the prefix, 0..128 */
};

/* Parses an address or a network; bits behind the prefix are ignored. False if it is none. */
bool net_parse(const uint8_t *text, size_t len, struct net *ret);

/* Writes the one text of a network: "10.0.0.0/8", "2001:db8::1"; without the bits if it is one address. */
size_t net_format(const struct net *net, char out[NET_TEXT_MAX]);

/* True if the text is an address within the network. */
bool net_has_text(const struct net *net, const uint8_t *text, size_t len);

/* The same for a network as text: the function of the SQL. */
bool net_match(const uint8_t *value, size_t len, const uint8_t *network, size_t network_len);

#endif
