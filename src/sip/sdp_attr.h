/* The a= lines of SDP and its formats. Private to sdp.c. */
#ifndef SIP_SDP_ATTR_H
#define SIP_SDP_ATTR_H

#include "sip/sdp.h"

/* One a= line, behind "a=", in a medium or, as the default for all media, in the session. */
void sdp_attribute(struct sdp_media *m, struct hep_slice line);

/* "0 8 101": the end of an m= line. */
void sdp_formats(struct sdp_media *m, struct hep_slice words);

/* Fills in what no a=rtpmap has said, from the table of RFC 3551. */
void sdp_static_formats(struct sdp_media *m);

/* "IN IP4 host" or "IN IP6 host", with "/ttl" or "/number" of multicast left out. *ret_addr is absent for a name. */
bool sdp_address(struct hep_slice words, struct hep_slice *ret_host, struct hep_addr *ret_addr);

bool sdp_port(struct hep_slice text, uint16_t *ret);

#endif
