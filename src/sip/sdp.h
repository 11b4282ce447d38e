/*
 * The media endpoints that an SDP body (RFC 8866) announces: where RTP and RTCP will be received. Enough to say which
 * call an RTCP packet belongs to. Slices in, slices out; lenient: lines that make no sense are skipped.
 */
#ifndef SIP_SDP_H
#define SIP_SDP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hep/hep.h"

/* Most bodies inside bodies that sdp_find() looks into. */
#define SDP_NESTING_MAX 3

/*
 * Finds the SDP in the body of a SIP message: a body of type application/sdp, such a part of a multipart body (RFC
 * 2046, RFC 5621), or a body without a type that begins with "v=0". False if there is none.
 */
bool sdp_find(const uint8_t *msg, size_t len, struct hep_slice *ret);

struct sdp_media {
    struct hep_slice kind;     /* "audio", "video", "image" */
    struct hep_slice protocol; /* "RTP/AVP" */
    uint16_t port;             /* 0: the medium is refused or ended */
    struct hep_slice host;     /* connection address as written; the one of the medium wins over the session's */
    struct hep_addr addr;      /* the same; absent (len 0) if it is a name */
    uint16_t rtcp_port;        /* a=rtcp (RFC 3605), or port (a=rtcp-mux), or port + 1; 0 if port is 0 */
    struct hep_addr rtcp_addr; /* a=rtcp if it gives one, else addr */
    bool rtcp_mux;             /* a=rtcp-mux (RFC 5761): RTCP may come on `port` as well, whatever rtcp_port is */
};

/* Iterates over the media of an SDP body. */
struct sdp_iter {
    struct hep_slice rest;         /* from the next m= line on */
    struct hep_slice session_host; /* c= of the session */
    struct hep_addr session_addr;
};

void sdp_begin(struct sdp_iter *it, struct hep_slice sdp);
bool sdp_next(struct sdp_iter *it, struct sdp_media *ret); /* false at the end */

#endif
