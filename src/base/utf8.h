/* UTF-8 (RFC 3629): validation. */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Octets of the well-formed character that starts at p (1..4), or 0 if there is none: overlong forms, surrogates,
 * values above U+10FFFF and cut sequences are not well-formed. len > 0.
 */
size_t utf8_char(const uint8_t *p, size_t len);

/* True if all of it is well-formed. */
bool utf8_valid(const uint8_t *p, size_t len);

#endif
