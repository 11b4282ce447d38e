/*
 * Tests of payloads: of all of it, of the body of a SIP message, of its headers of one name. What is tested stands in
 * octets, so that the matcher and a scalar function of DuckDB go by the same code.
 */
#ifndef FILTER_PART_H
#define FILTER_PART_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hep/hep.h"

enum part_kind { PART_WHOLE = 'w', PART_BODY = 'b', PART_HEADER = 'h' };

struct part {
    enum part_kind kind;
    struct hep_slice name; /* of the header, at most 255 octets */
};

#define PART_HEAD_MAX 258u /* octets of the part in a spec; the test follows: 'g' and a pattern (glob.h, in lower */
                           /* case), or what regex_function() takes */

/* Writes the part, returns its length; and reads it, 0 if it is none. */
size_t part_write(const struct part *part, uint8_t *out);
size_t part_read(const uint8_t *spec, size_t len, struct part *ret);

/*
 * Asks test(arg, text) about each piece of the payload that is meant until one passes. Headers of a name may come
 * several times; their names in full or compact form are the same, in any case. Line breaks of a folded value are in
 * it. The body is all that follows the empty line.
 */
bool part_any(const struct part *part, struct hep_slice payload, bool (*test)(void *arg, struct hep_slice text),
              void *arg);

/* The function of the SQL. */
bool part_function(const uint8_t *value, size_t len, const uint8_t *spec, size_t spec_len);

#endif
