/*
 * Words of a filter: fields, values, operators. A value is decoded to a pattern (glob.h) as it is read: quotes and
 * backslashes go, `*` outside quotes becomes GLOB_STAR, several in a row become one. A lone `?` says what `*` does.
 */
#ifndef FILTER_LEX_H
#define FILTER_LEX_H

#include "filter/tree.h"

struct lex {
    const char *text;
    size_t len;
    size_t at; /* the next octet */
    struct filter_error *err;
};

/* Fills in the error; always -1. `at`: offset in the filter. */
int filter_fail(struct filter_error *err, size_t at, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* For messages: as much of a text as one should show, for "%.*s"; cut at a character. */
int filter_shown(const char *text, size_t len);

/* Refuses texts that are too long, not UTF-8, or have control characters. */
int lex_check(const struct lex *lex);

void lex_blanks(struct lex *lex); /* passes over blanks */

/* True and passed over if this word comes next, in any case, and ends there. */
bool lex_keyword(struct lex *lex, const char *word);
bool lex_octet(struct lex *lex, char c); /* true and passed over if it comes next */

/* Length of the word that comes next: up to a blank, colon, quote or parenthesis. */
size_t lex_word(const struct lex *lex);

/* What stands as a value: a pattern, or the source of a regular expression. */
enum lex_form { LEX_PATTERN, LEX_REGEX, LEX_REGEX_NOCASE };

/* Reads a value up to a blank, comma or parenthesis; the octets are f's. */
int lex_value(struct lex *lex, struct filter *f, struct hep_slice *ret, enum lex_form *ret_form);

#endif
