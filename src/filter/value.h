/*
 * From the value of a field to a term: the leaves that it comes to, and its normal text. One function a value type;
 * value.c has the texts and picks the others.
 */
#ifndef FILTER_VALUE_H
#define FILTER_VALUE_H

#include "filter/lex.h"
#include "filter/tree.h"

struct value {
    struct filter *f;
    const struct filter_options *options;
    const struct filter_field *field;
    struct hep_slice label;   /* name of the field in normal form */
    struct hep_slice pattern; /* with GLOB_STAR; not empty */
    enum lex_form form;       /* what the pattern is */
    size_t at;                /* where it stands in the filter */
    struct filter_error *err;
};

/* Adds a value to the list of those of the field. -1: err says what is wrong. */
int value_add(const struct value *v, struct filter_node *list);

/* Makes the term of the list: one of the values must be. -1: err says what is wrong. */
int value_term(const struct value *v, struct filter_node *list, struct filter_node **ret);

/* Each gives what the term tests and, in *ret_text, the pattern in normal form. */
int value_number(const struct value *v, struct filter_node **ret, struct hep_slice *ret_text);
int value_type(const struct value *v, struct filter_node **ret, struct hep_slice *ret_text);
int value_uri(const struct value *v, struct filter_node **ret, struct hep_slice *ret_text);
int value_addr(const struct value *v, struct filter_node **ret, struct hep_slice *ret_text);
int value_sender(const struct value *v, struct filter_node **ret, struct hep_slice *ret_text);
int value_time(const struct value *v, struct filter_node **ret, struct hep_slice *ret_text);
int value_phone(const struct value *v, struct filter_node **ret, struct hep_slice *ret_text);
int value_part(const struct value *v, struct filter_node **ret, struct hep_slice *ret_text);

/* value_part.c: the name in normal form of the header that a field "header.NAME" means; -1: it is none. */
int value_header_label(const struct value *v, struct hep_slice name, struct hep_slice *ret);

/* value_regex.c: what a regular expression tests. */
int value_regex(const struct value *v, struct filter_node **ret);
int value_regex_compile(const struct value *v, const struct regex **ret);
struct hep_slice value_regex_spec(const struct value *v);           /* for regex_function(); ptr NULL: no memory */
int value_regex_text(const struct value *v, struct hep_slice *ret); /* "/source/i" */

/* ------------------------------------------------------------------------------------------------ leaves */

/* A leaf on this column; NULL: too many, or no memory: err says so. */
struct filter_node *value_leaf(const struct value *v, struct filter_word column, struct filter_leaf leaf);

/* A leaf that tests a text column by a pattern; without regard to case if the column is of that kind, or on demand. */
struct filter_node *value_leaf_text(const struct value *v, struct filter_word column, struct hep_slice pattern,
                                    bool nocase);

/* An inner node, with up to two children; NULL if one of them is, or if there is no memory. */
struct filter_node *value_all(const struct value *v, struct filter_node *a, struct filter_node *b);
struct filter_node *value_any(const struct value *v);
int value_any_add(struct filter_node *any, struct filter_node *child); /* -1 if one of them is NULL */

/* ------------------------------------------------------------------------------------------------ slices */

/* "out of memory"; -1 */
int value_no_memory(const struct value *v);

/* A copy in lower case; ptr is NULL if there is no memory. */
struct hep_slice value_lower(const struct value *v, struct hep_slice text);

static inline struct hep_slice value_from(struct hep_slice s, size_t n)
{
    return (struct hep_slice){ s.ptr + n, s.len - n };
}

/* Where the octet is: first place, last place; s.len if it is not there. */
size_t value_find(struct hep_slice s, char c);
size_t value_find_last(struct hep_slice s, char c);
/* As many octets as are none of these. */
size_t value_span(struct hep_slice s, const char *none_of);

#endif
