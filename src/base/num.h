/* Numbers in text: whole, in range, or refused. */
#ifndef BASE_NUM_H
#define BASE_NUM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Parses `len` decimal digits, nothing else, into a number of at most `max`. */
bool num_parse(const char *text, size_t len, uint64_t max, uint64_t *ret);

/* Writes a number in decimal, without terminator, and returns its length (1..20). */
size_t num_format(uint64_t v, char out[20]);

#define NUM_HUNDREDTHS_TEXT 24 /* octets of the text of hundredths, with its end */

/*
 * Decimal numbers as hundredths: "3.5" is 350. Parses digits with at most two behind a point, into at most `max`;
 * writes them without zeros at the end, terminated, and returns the length. Not for negative ones.
 */
bool num_parse_hundredths(const char *text, size_t len, int64_t max, int64_t *ret);
size_t num_format_hundredths(int64_t hundredths, char out[NUM_HUNDREDTHS_TEXT]);

#endif
