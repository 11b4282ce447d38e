/* Answers in gzip (RFC 1952, RFC 9110 section 8.4) for clients that take it: JSON of rows shrinks to a tenth. */
#ifndef API_GZIP_H
#define API_GZIP_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

/* True if a value of Accept-Encoding (NULL: none) allows gzip. */
bool gzip_accepted(const char *accept_encoding);

/* True for media types that shrink: text, JSON. Not for event streams, which must not wait in a compressor. */
bool gzip_pays(const char *type);

struct gzip;

struct gzip *gzip_new(void);    /* NULL: no memory */
void gzip_free(struct gzip *g); /* NULL is fine */

/* Appends the compressed form of the octets as far as it comes; all of it with `last`. False if memory is short. */
bool gzip_put(struct gzip *g, const void *data, size_t len, bool last, struct buf *out);

#endif
