/*
 * Text from the network made fit for a terminal: nothing in it may move the cursor, change colours, or turn the
 * direction of writing. What could is shown as a question mark or U+FFFD.
 */
#ifndef QUERY_PRINTABLE_H
#define QUERY_PRINTABLE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "hep/hep.h"

struct printable {
    bool ascii; /* nothing but 0x20..0x7e comes out */
};

/*
 * Appends at most `max` characters of the text; a longer one ends in an ellipsis ("~" in ASCII) that counts. Returns
 * how many characters were appended. A character is taken to be one column wide.
 */
size_t printable_put(struct buf *out, const struct printable *p, struct hep_slice text, size_t max);

/* How many characters printable_put() would append if there were no maximum. */
size_t printable_width(const struct printable *p, struct hep_slice text);

#endif
