/*
 * What the values of SIP headers are made of: elements of a list, parameters, quoted strings, numbers. Each function
 * takes a cursor (`rest`) that never goes beyond the value it was made from.
 */
#ifndef SIP_VALUE_H
#define SIP_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hep/hep.h"
#include "sip/scan.h"
#include "sip/text.h"

struct sip_param {
    struct hep_slice name;
    struct hep_slice value; /* without quotes, escapes (\") left in; empty if there is none */
};

/*
 * Cuts ";name=value" off, with white space wherever it may stand. False, with the cursor on it, at anything but a
 * semicolon: a comma begins the next element of a list, all else is not a parameter.
 */
bool sip_param_next(struct hep_slice *rest, struct sip_param *ret);

/* Value of the first parameter of this name in ";a=b;c"; false if there is none. */
bool sip_param_find(struct hep_slice params, const char *name, struct hep_slice *ret);

/* Cuts "name=value" off, elements being separated by commas (RFC 3261 section 25.1, auth-param). False at the end. */
bool sip_auth_param_next(struct hep_slice *rest, struct sip_param *ret);

/*
 * Cuts the next element off a list that is separated by commas; those in quotes or angle brackets do not count. Empty
 * elements are skipped. False at the end.
 */
bool sip_list_next(struct hep_slice *rest, struct hep_slice *ret);

/* Cuts "..." off, the cursor being on the first quote; what is inside. A missing end quote: all of the rest. */
struct hep_slice sip_quoted(struct hep_slice *rest);

/* Copies a quoted string without its escapes, not more than max octets, and returns the length. */
size_t sip_unescape(struct hep_slice quoted, uint8_t *out, size_t max);

/*
 * Cuts "host", "host:port" or "[v6]:port" off, white space around the colon allowed. *ret_host is without brackets,
 * *ret_port 0 if none is given. False if the host is empty or the port no number up to 65535; what there is, is cut
 * off anyway.
 */
bool sip_host_port(struct hep_slice *rest, struct hep_slice *ret_host, uint16_t *ret_port);

/* sip_number() up to 65535. */
bool sip_port(struct hep_slice *rest, uint16_t *ret);

/* Cuts white space off. */
static inline void sip_skip_blanks(struct hep_slice *rest)
{
    while (rest->len > 0 && text_is_blank(*rest->ptr)) {
        rest->ptr++;
        rest->len--;
    }
}

/* Cuts off what stands before the first octet of the set (SCAN_ bits, a constant), or all. */
__attribute__((always_inline)) static inline struct hep_slice sip_until(struct hep_slice *rest, unsigned set)
{
    struct hep_slice s = *rest;
    size_t n = scan_stop(s.ptr, s.len, set);
    if (n > 0) {
        rest->ptr += n;
        rest->len -= n;
    }
    return (struct hep_slice){ s.ptr, n };
}

/* True if the cursor is on an octet of the set. */
static inline bool sip_at(const struct hep_slice *rest, unsigned set)
{
    return rest->len > 0 && (scan_stops[*rest->ptr] & set) != 0;
}

/* True if the cursor is on c, which is then cut off. */
static inline bool sip_take(struct hep_slice *rest, uint8_t c)
{
    if (rest->len == 0 || *rest->ptr != c)
        return false;
    rest->ptr++;
    rest->len--;
    return true;
}

/* Cuts decimal digits off. False if there are none or the number is above UINT32_MAX; the digits are gone anyway. */
static inline bool sip_number(struct hep_slice *rest, uint32_t *ret)
{
    uint64_t v = 0;
    size_t n = 0;
    for (unsigned digit; n < rest->len && (digit = rest->ptr[n] - (unsigned)'0') < 10; n++) {
        if (v <= UINT32_MAX)
            v = v * 10 + digit;
    }
    *rest = text_after(*rest, n);
    if (n == 0 || v > UINT32_MAX)
        return false;
    *ret = (uint32_t)v;
    return true;
}

#endif
