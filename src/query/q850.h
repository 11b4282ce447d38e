/* Causes of ITU-T Q.850 (05/2018), table 1: what SIP carries as "Reason: Q.850;cause=" (RFC 3326). */
#ifndef QUERY_Q850_H
#define QUERY_Q850_H

#include <stdint.h>

/* What a cause, or a SIP status, says about the called side: the same kind, no contradiction. */
enum q850_kind {
    Q850_OTHER,  /* says little: compared with nothing */
    Q850_NORMAL, /* cleared in the usual way */
    Q850_BUSY,
    Q850_UNKNOWN, /* no such number, or gone */
    Q850_SILENT,  /* does not answer, or is not there */
    Q850_REFUSED,
    Q850_NETWORK, /* no route, congestion, out of order */
    Q850_MEDIA    /* what was asked for cannot be had */
};

/* Text of a cause in lower case, "unknown cause" for one that is not in the table. Static. */
const char *q850_text(int64_t cause);

enum q850_kind q850_kind(int64_t cause);

/* The kind of a final SIP status, by RFC 3398 section 7.2.4.1 and 8.2.6.1. */
enum q850_kind q850_kind_of_status(unsigned status);

#endif
