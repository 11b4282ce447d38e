/*
 * The headers of a SIP message (RFC 3261 section 7.3), one by one, in one pass. All that reads SIP goes by this:
 * sip_parse(), and the short ways of peek.h.
 *
 * Lenient like the field: LF alone ends a line; so does CR alone in a message without any LF; headers may be folded;
 * names come in compact form and any case; the empty line may be missing.
 */
#ifndef SIP_HEADER_H
#define SIP_HEADER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hep/hep.h"
#include "sip/header_list.h"

enum sip_header_id {
    SIP_H_OTHER = 0,
#define SIP_ENUM_ROW(id, name, compact, kind, handler, field) SIP_H_##id,
    SIP_HEADER_LIST(SIP_ENUM_ROW)
#undef SIP_ENUM_ROW
        SIP_H_COUNT
};

/* Which header a name means, in full or compact form and any case; SIP_H_OTHER for names that are not known. */
enum sip_header_id sip_header_id(struct hep_slice name);

/* Full name, terminated; "" for SIP_H_OTHER. */
const char *sip_header_name(enum sip_header_id id);

/* True if `name` is the header `full` or its compact form, e.g. "i" for "Call-ID" (RFC 3261 section 7.3.3). */
bool sip_name_is(struct hep_slice name, const char *full);

/* What a line has that it should not have. */
enum sip_line_flag {
    SIP_LINE_CONTROL = 1,  /* control characters other than HT */
    SIP_LINE_LONE_CR = 2,  /* a CR without LF, wherever it stands */
    SIP_LINE_NOT_UTF8 = 4, /* octets that are not well-formed UTF-8 */
    SIP_LINE_NO_COLON = 8  /* not a header at all: the name is empty, the value is the line */
};

struct sip_header {
    enum sip_header_id id;
    unsigned flags;         /* SIP_LINE_ */
    struct hep_slice name;  /* without surrounding white space */
    struct hep_slice value; /* the same; the line breaks of a folded one are in it */
};

/* Iterates over the headers of a message, in order. */
struct sip_headers {
    struct hep_slice rest; /* behind the last header: the body */
    bool cr_only;          /* lines end with CR alone */
    bool complete;         /* the empty line has been met */
};

/* Starts at the start line, behind any empty lines. Returns it, without line end, with its SIP_LINE_ flags. */
struct hep_slice sip_headers_begin_at_start_line(struct sip_headers *it, struct hep_slice msg, unsigned *ret_flags);

/* Starts behind the start line. */
void sip_headers_begin(struct sip_headers *it, const uint8_t *msg, size_t len);

/* Starts at once: for the headers of a body part (RFC 2046). */
void sip_headers_begin_part(struct sip_headers *it, struct hep_slice part);

/* Next line, be it a header or not. False at the empty line that ends the headers, or at the end of the message. */
bool sip_headers_step(struct sip_headers *it, struct sip_header *ret);

/* Next header; lines without a colon are skipped. False as above. */
bool sip_headers_next(struct sip_headers *it, struct hep_slice *ret_name, struct hep_slice *ret_value);

#endif
