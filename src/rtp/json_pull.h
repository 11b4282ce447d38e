/*
 * A strict reader of small JSON texts, one event at a time: no memory, no recursion, slices into the text.
 *
 *     json_pull_begin(&j, p, n);
 *     while ((event = json_pull_next(&j)) > JSON_PULL_END) ...
 *     if (event == JSON_PULL_BAD) ...  j.error at j.ptr - j.start
 *
 * RFC 8259, but for two things that senders do: NaN, Infinity and -Infinity are words like null, and NULs behind the
 * text are blanks. Strings are not checked to be UTF-8.
 */
#ifndef RTP_JSON_PULL_H
#define RTP_JSON_PULL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hep/hep.h"

#define JSON_PULL_DEPTH 8

enum json_event {
    JSON_PULL_BAD = -1,
    JSON_PULL_END = 0,
    JSON_PULL_OBJECT,
    JSON_PULL_OBJECT_END,
    JSON_PULL_ARRAY,
    JSON_PULL_ARRAY_END,
    JSON_PULL_STRING, /* `text` as in the JSON, escapes and all, without the quotes */
    JSON_PULL_NUMBER, /* `text`: the number */
    JSON_PULL_WORD    /* `text`: true, false, null, NaN, Infinity, -Infinity */
};

struct json_pull {
    const uint8_t *start, *ptr, *end;
    const char *error;     /* of JSON_PULL_BAD */
    struct hep_slice key;  /* of the value or container that began; empty in lists and at the top */
    struct hep_slice text; /* of the value */
    unsigned depth;        /* containers that are open, that of an _OBJECT or _ARRAY event included */
    unsigned lists;        /* bit n: the container at depth n + 1 is a list */
    bool some;             /* the innermost container has a value already */
    bool done;             /* the value at the top is complete */
};

void json_pull_begin(struct json_pull *j, const uint8_t *p, size_t n);
enum json_event json_pull_next(struct json_pull *j);

/*
 * Copies the text of a string with its escapes resolved, as much as fits whole; returns the octets written. A lone
 * surrogate becomes U+FFFD.
 */
size_t json_pull_unescape(struct hep_slice text, uint8_t *out, size_t cap);

#endif
