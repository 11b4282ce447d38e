/* "did you mean": words that differ from what was typed by a few slips of the fingers. */
#ifndef BASE_NEAR_H
#define BASE_NEAR_H

#include <stddef.h>

#define NEAR_LEN_MAX 64 /* octets; longer words are near to nothing */

/*
 * Optimal string alignment distance: octets inserted, left out, replaced, or swapped with their neighbour; letters
 * without regard to case (ASCII). More than `max` gives max + 1.
 */
size_t near_distance(const char *a, size_t a_len, const char *b, size_t b_len, size_t max);

/* Slips that are forgiven in a word of so many octets: more than they make another word of it. */
size_t near_allowed(size_t len);

/* That of the words (NULL at the end) that is nearest to what was typed; NULL if none is near. */
const char *near_word(const char *typed, size_t len, const char *const *words);

#endif
