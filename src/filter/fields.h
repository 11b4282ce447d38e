/*
 * The fields of the filter language: one table that the parser, both evaluators, messages and docs/filter.md go by. A
 * field more is a row more.
 */
#ifndef FILTER_FIELDS_H
#define FILTER_FIELDS_H

#include <stdbool.h>
#include <stddef.h>

/* What values of a field are, and how `columns` is to be read. */
enum filter_value_type {
    FILTER_TEXT,    /* the whole text of one of the columns */
    FILTER_WORD,    /* the same, without regard to case whatever the column says */
    FILTER_LIST,    /* one element of the column's text, which has `separator` between them */
    FILTER_USER,    /* user part of a URI; columns of users */
    FILTER_URI,     /* user, user@host or @host; columns in pairs: user, host */
    FILTER_COUNT,   /* number, or comparison with one */
    FILTER_SPAN,    /* length of time, or comparison with one; columns of milliseconds */
    FILTER_DECIMAL, /* number with two decimals, or comparison with one */
    FILTER_PERCENT, /* the same of percent */
    FILTER_DELAY,   /* the same of milliseconds: jitter, round trips */
    FILTER_STATUS,  /* the same, and classes: 4xx */
    FILTER_ADDR,    /* address, network, port; columns in threes: octets, text, port */
    FILTER_SENDER,  /* address or network; column of text */
    FILTER_TYPE,    /* payload type or table; column of the number */
    FILTER_TIME,    /* comparison with a time, or a range */
    FILTER_PHONE,   /* phone number in any of its written forms; columns of users */
    FILTER_HEADER,  /* header of a SIP message; column of payloads. The name of the field goes on: FILTER_HEADER_PREFIX
                     */
    FILTER_BODY,    /* some place in the body; column of payloads */
    FILTER_PAYLOAD  /* some place in the payload */
};

#define FILTER_HEADER_PREFIX "header."

struct filter_field {
    const char *name;
    const char *aliases; /* other names, by blanks */
    enum filter_value_type type;
    char separator;      /* of FILTER_LIST */
    const char *columns; /* by blanks; a row passes if one of them (of the pairs, threes) does */
    const char *help;    /* what it tests, half a line */
};

/* All fields, in the order of docs/filter.md. */
const struct filter_field *filter_fields(size_t *ret_count);

/* The field of that name or alias, in any case; "header.Subject" is one as well. NULL if there is none. */
const struct filter_field *filter_field_by_name(const char *name, size_t len);

/* The name or alias nearest to what was typed, by typing errors; NULL if none is near. */
const char *filter_field_nearest(const char *name, size_t len);

/* The next of the words that blanks part; false at the end. *words moves on. */
struct filter_word {
    const char *ptr;
    size_t len;
};
bool filter_word_next(const char **words, struct filter_word *ret);

#endif
