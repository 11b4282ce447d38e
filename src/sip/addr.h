/*
 * Elements of header values that have a grammar of their own: name-addr with parameters (From, To, Contact, ...) and
 * Via. Each is cut off a cursor, so that a list of them is read in one pass.
 */
#ifndef SIP_ADDR_H
#define SIP_ADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hep/hep.h"
#include "sip/uri.h"

/* "Bob" <sip:bob@example.com>;tag=x (RFC 3261 section 25.1, name-addr or addr-spec with its parameters) */
struct sip_addr {
    struct hep_slice display; /* without quotes, escapes left in: sip_unescape() */
    struct sip_uri uri;
    struct hep_slice params; /* those of the header, with the first semicolon */
    struct hep_slice tag;    /* the parameter `tag` */
    bool bad;                /* not well-formed, URI included */
};

/* Cuts an address with its parameters off: the cursor ends at a comma or at the end. Returns !ret->bad. */
bool sip_addr_next(struct hep_slice *rest, struct sip_addr *ret);

/* SIP/2.0/UDP host:port;branch=x (RFC 3261 section 20.42, RFC 3581) */
struct sip_via {
    struct hep_slice transport; /* "UDP", "TCP", "TLS", "WS", ... as written */
    struct hep_slice host;      /* sent-by; IPv6 without its brackets */
    struct hep_slice branch;
    struct hep_slice received;
    uint16_t port;  /* of sent-by; 0: none given */
    uint16_t rport; /* value of rport; 0: none given */
    bool has_rport; /* rport is there, with or without a value */
    bool bad;
};

/* Cuts a Via off: the cursor ends at a comma or at the end. Returns !ret->bad. */
bool sip_via_next(struct hep_slice *rest, struct sip_via *ret);

#endif
