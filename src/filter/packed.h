/*
 * Sets for tests of many values: sorted, in one piece of octets, so that the matcher and a scalar function of DuckDB go
 * by the same code. Malformed ones have nothing in them: whoever may write SQL can call the functions with any octets.
 */
#ifndef FILTER_PACKED_H
#define FILTER_PACKED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hep/hep.h"

/* Order of texts in a set: the shorter first. */
int packed_compare(struct hep_slice a, struct hep_slice b);

/* Octets of a set of sorted texts; writes it. */
size_t packed_texts_size(const struct hep_slice *items, size_t count);
void packed_texts(uint8_t *out, const struct hep_slice *items, size_t count);
bool packed_has_text(const uint8_t *value, size_t len, const uint8_t *set, size_t set_len);
/* Without regard to ASCII case: the texts are in lower case. */
bool packed_has_text_nocase(const uint8_t *value, size_t len, const uint8_t *set, size_t set_len);

/* Ranges of numbers, sorted and apart: 16 octets each. */
#define PACKED_NUMBERS_SIZE 16u
void packed_range(uint8_t *out, int64_t low, int64_t high);
bool packed_has_number(int64_t number, const uint8_t *set, size_t set_len);
bool packed_has_digits(const uint8_t *value, size_t len, const uint8_t *set, size_t set_len); /* decimal */

/* Ranges of 16 octets, sorted and apart: the first and the last one, 32 octets each. */
#define PACKED_ADDRS_SIZE 32u
bool packed_has_addr(const uint8_t *value, size_t len, const uint8_t *set, size_t set_len);

#endif
