/* Messages as text for people: what `hepcat decode --format text` and exports share. No octet of it moves a cursor. */
#ifndef QUERY_MESSAGE_TEXT_H
#define QUERY_MESSAGE_TEXT_H

#include "base/buf.h"
#include "hep/hep.h"

/* "10.0.0.1:5060", "[2001:db8::1]:5060"; "?:0" for an address that is absent. */
void message_text_endpoint(struct buf *out, struct hep_slice ip, unsigned port);

/* " name=value" with its first octets; nothing for an empty value. */
void message_text_named(struct buf *out, const char *name, struct hep_slice value);

/* The lines of a payload, indented; a hex dump if it is not UTF-8. */
void message_text_payload(struct buf *out, struct hep_slice payload);

#endif
