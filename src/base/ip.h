/*
 * IP addresses as text and back: RFC 5952 form for IPv6, dotted for IPv4; networks in CIDR form; host:port pairs.
 */
#ifndef BASE_IP_H
#define BASE_IP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hep/hep.h"

#define IP_TEXT_MAX 46 /* longest text of an address with its terminator */

/* Writes the text of `addr`, terminated, and returns its length. An absent address (len 0) gives "". */
size_t ip_format(const struct hep_addr *addr, char out[IP_TEXT_MAX]);

/* Parses an IPv4 or IPv6 address without brackets or zone. False if it is none. `text` need not be terminated. */
bool ip_parse(const char *text, size_t len, struct hep_addr *ret);

struct ip_net {
    struct hep_addr addr;
    uint8_t bits; /* prefix length */
};

/* Parses "10.0.0.0/8", "2001:db8::/32" or a single address. */
bool ip_net_parse(const char *text, struct ip_net *ret);
bool ip_net_match(const struct ip_net *net, const struct hep_addr *addr);

/*
 * Splits "host:port", "[v6]:port", "host", ":port" or "port" (digits alone) into host (copied, "" if absent) and
 * port. default_port is used where there is none (0: a port must be given). False if the text is not of that form.
 */
bool ip_host_port(const char *text, char host[256], uint16_t *ret_port, uint16_t default_port);

#endif
