/*
 * Just enough SIP (RFC 3261) for a program that passes messages on: is it SIP, where does it end in a byte stream,
 * what is its Call-ID. Slices in, slices out: nothing is copied and no memory is taken.
 *
 * All of it goes by header.h and is as lenient as that; a program that wants more of a message than this calls
 * sip_parse() of msg.h once.
 */
#ifndef SIP_PEEK_H
#define SIP_PEEK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hep/hep.h"
#include "sip/header.h"

/* Most octets of a start line and headers in a byte stream: as much as a HEP message can carry at all. */
#define SIP_HEADERS_MAX 65535

/*
 * True if the octets begin with a request line (METHOD SP URI SP SIP/2.0) or a status line (SIP/2.0 SP 3 digits),
 * behind any number of empty lines (RFC 3261 section 7.5). The rest of the message is not looked at.
 */
bool sip_looks_like(const uint8_t *p, size_t n);

/* ------------------------------------------------------------------------------------------------ headers */

/* First header of this full name. False if there is none. */
bool sip_find(const uint8_t *msg, size_t len, const char *full, struct hep_slice *ret_value);

bool sip_call_id(const uint8_t *msg, size_t len, struct hep_slice *ret);

/* 1 and *ret, 0 if there is no such header, -1 if it is not a number below 2^32 or two of them differ. */
int sip_content_length(const uint8_t *msg, size_t len, size_t *ret);

/* Body: what follows the empty line, but not more than Content-Length says. Empty if there is none. */
struct hep_slice sip_body(const uint8_t *msg, size_t len);

/* ------------------------------------------------------------------------------------------------ streams */

enum sip_frame_result {
    SIP_FRAME_OK = 0,
    SIP_FRAME_MORE = 1, /* so far so good, but not all of it is there */
    SIP_FRAME_BAD = -1  /* not SIP, no end of the headers within SIP_HEADERS_MAX, or a bad Content-Length */
};

/*
 * Finds the message at the start of a byte stream (RFC 3261 section 18.3).
 *
 * *ret_skip  octets of empty lines in front of it (keep-alives of RFC 5626); to be dropped whatever the result
 * *ret_len   length of the message behind them. With SIP_FRAME_MORE it is the length that the message will have, or 0
 *            if that is not known yet: a caller with a limit need not wait for what it cannot hold
 *
 * A message without Content-Length has no body. Returns an enum sip_frame_result.
 */
int sip_frame(const uint8_t *p, size_t n, size_t *ret_skip, size_t *ret_len);

/*
 * Where to go on after SIP_FRAME_BAD or in mid-stream: the offset, above 0, of the next line that begins a message or,
 * at the end, may do so once more octets are there; n if there is none.
 */
size_t sip_resync(const uint8_t *p, size_t n);

#endif
