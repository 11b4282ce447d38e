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

#endif
