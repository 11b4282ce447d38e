/*
 * JSON writer: appends to a struct buf. Escapes as JSON.stringify() does: the short forms where they exist, \u00xx for
 * other control characters, everything else as it is, so that output compares equal with that of other tools.
 */
#ifndef BASE_JSON_OUT_H
#define BASE_JSON_OUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/*
 * Appends a JSON string. False if the octets are not well-formed UTF-8; then each bad octet was written as U+FFFD,
 * so that the output is valid all the same. (A failed append shows in b->failed.)
 */
bool json_out_string(struct buf *b, const uint8_t *text, size_t len);

/* Appends a terminated text as a JSON string. */
void json_out_text(struct buf *b, const char *text);

/* Appends `"key":`; the key is a plain name that needs no escapes. `*first` says whether a comma goes before it. */
void json_out_key(struct buf *b, bool *first, const char *key);

void json_out_number(struct buf *b, uint64_t v);

/* Appends the octets in base64 as a JSON string. */
void json_out_base64(struct buf *b, const uint8_t *data, size_t len);

/* Appends the octets in lower case hex as a JSON string. */
void json_out_hex(struct buf *b, const uint8_t *data, size_t len);

#endif
