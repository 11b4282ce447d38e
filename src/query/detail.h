/*
 * What one SIP message says, taken apart for people: its headers with their elements, and its SDP. docs/api.md, GET
 * /api/v1/message, describes the object.
 */
#ifndef QUERY_DETAIL_H
#define QUERY_DETAIL_H

#include "base/buf.h"
#include "hep/hep.h"

#define DETAIL_HEADERS_MAX  256 /* headers shown; further ones are counted */
#define DETAIL_ELEMENTS_MAX 32  /* addresses or Vias shown of one header line */

/*
 * Appends a JSON object for a SIP message: start line, headers in order, problems, SDP. Octets that are not UTF-8 are
 * shown as U+FFFD.
 */
void detail_sip(struct buf *out, struct hep_slice payload);

#endif
