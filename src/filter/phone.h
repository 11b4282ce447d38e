/*
 * Phone numbers in any of their written forms: two are the same if their canonical forms are. docs/filter.md defines
 * it for users.
 */
#ifndef FILTER_PHONE_H
#define FILTER_PHONE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "filter/filter.h"

#define PHONE_DIGITS_MAX 32
#define PHONE_SPEC_MAX   160

/*
 * Canonical form of what is written, without terminator: "+4930123456" if it can be told of which country it is, else
 * the digits alone. Its length; 0 if it is no number: something else in it than digits, a plus in front, and what
 * parts digits (blank - . / and parentheses); or more than PHONE_DIGITS_MAX digits.
 */
size_t phone_canonical(const struct filter_rules *rules, const uint8_t *text, size_t len,
                       char out[PHONE_DIGITS_MAX + 2]);

/* For SQL: rules, then a pattern (glob.h) of canonical forms. Its length. */
size_t phone_spec(const struct filter_rules *rules, const uint8_t *pattern, size_t len, uint8_t out[PHONE_SPEC_MAX]);
bool phone_function(const uint8_t *value, size_t len, const uint8_t *spec, size_t spec_len);

#endif
