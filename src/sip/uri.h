/* URIs as SIP has them: sip, sips (RFC 3261 section 19.1), tel (RFC 3966), urn. Slices in, slices out; lenient. */
#ifndef SIP_URI_H
#define SIP_URI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hep/hep.h"

enum sip_scheme {
    SIP_SCHEME_NONE = 0, /* no URI, or none that has a scheme */
    SIP_SCHEME_SIP,
    SIP_SCHEME_SIPS,
    SIP_SCHEME_TEL,
    SIP_SCHEME_URN,
    SIP_SCHEME_OTHER /* http, im, pres, ...: raw only */
};

struct sip_uri {
    struct hep_slice raw;
    struct hep_slice user;        /* escapes (%xx) left in; of tel the number; of urn what follows "urn:" */
    struct hep_slice user_params; /* ";phone-context=..." inside the user part, with its semicolon */
    struct hep_slice host;        /* IPv6 without its brackets */
    struct hep_slice params;      /* ";transport=tcp;lr", with the first semicolon */
    struct hep_slice headers;     /* what follows the question mark */
    uint16_t port;                /* 0: none given */
    uint8_t scheme;               /* enum sip_scheme */
    bool bad;                     /* not well-formed; the rest is what could be made out */
};

/* Reads a URI without angle brackets. A password (user:password@) is in `raw` only. Returns !ret->bad. */
bool sip_uri_parse(struct hep_slice text, struct sip_uri *ret);

#endif
