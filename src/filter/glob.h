/*
 * Patterns of wildcards: GLOB_STAR stands for any octets (none too), everything else for itself; a pattern is for the
 * whole value. GLOB_STAR is an octet that a filter's text cannot have (lex.h), so that patterns need no escapes, and
 * their pieces can be searched for as they are.
 *
 * Time is linear in the value: each piece is looked for once, from where the one before it ended. No allocation.
 */
#ifndef FILTER_GLOB_H
#define FILTER_GLOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GLOB_STAR      0x01
#define GLOB_PIECE_MAX 8192 /* octets between two stars; a longer piece is found nowhere without regard to case */

bool glob_match(const uint8_t *value, size_t len, const uint8_t *pattern, size_t pattern_len);

/* Without regard to ASCII case. The pattern is in lower case (glob_lower). */
bool glob_match_nocase(const uint8_t *value, size_t len, const uint8_t *pattern, size_t pattern_len);

/* True if `text` and `lower`, both of `len` octets, are equal; the second is in lower case. */
bool glob_equal_nocase(const uint8_t *text, const uint8_t *lower, size_t len);

/* Copies `len` octets, ASCII letters in lower case. */
void glob_lower(uint8_t *to, const uint8_t *from, size_t len);

#endif
