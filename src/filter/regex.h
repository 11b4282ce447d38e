/*
 * Regular expressions in bounded time: PCRE2, interpreted, with limits of its own steps. The limits go by steps and
 * lengths and never by the clock, so that the matcher and DuckDB give up on the same values.
 */
#ifndef FILTER_REGEX_H
#define FILTER_REGEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hep/hep.h"

#define REGEX_SOURCE_MAX  1024  /* octets of an expression */
#define REGEX_SUBJECT_MAX 16384 /* octets of a value that are looked at */

struct regex; /* immutable: any thread may use one */

struct regex_error {
    size_t at; /* octets of the source */
    char text[120];
};

/*
 * Compiles. `^` and `$` match at each line, CR LF and LF alike; octets beyond ASCII in the source make it work on
 * characters of UTF-8, else it works on octets. 0; -1 with an error.
 */
int regex_compile(struct regex **ret, const uint8_t *source, size_t len, bool nocase, struct regex_error *err);
void regex_free(struct regex *r); /* NULL is fine */

/* Cut: the value is longer than is looked at, and the part that is does not match. Gave up: it took too many steps. */
enum regex_answer { REGEX_NO, REGEX_YES, REGEX_CUT, REGEX_GAVE_UP };
enum regex_answer regex_match(const struct regex *r, const uint8_t *value, size_t len);

/*
 * The same, and where it matched: the first group if the expression has one and it took part, else all that matched.
 * *ret points into the value; it is set on REGEX_YES only.
 */
enum regex_answer regex_capture(const struct regex *r, const uint8_t *value, size_t len, struct hep_slice *ret);

#define REGEX_GIVE_UPS 100u /* values on which an expression gives up before it is tried no more */

/*
 * For SQL: an octet 'r', or 'R' for one without regard to case, then the source. Giving up, and a value that is cut,
 * are no match, and counted. An expression that is tried no more is again when nobody asked for it for some seconds.
 */
bool regex_function(const uint8_t *value, size_t len, const uint8_t *spec, size_t spec_len);
uint64_t regex_function_gave_up(void); /* values, of this process */

#endif
