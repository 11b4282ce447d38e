/*
 * Cuts an input into JSON texts: one a line (JSON lines), or objects spread over several lines (pretty-printed). A
 * broken text costs only itself: a line that starts with '{' in its first column always starts a new one.
 */
#ifndef BASE_JSON_TEXTS_H
#define BASE_JSON_TEXTS_H

#include "base/buf.h"
#include "base/input.h"

struct json_texts {
    struct input *in;
    struct buf held; /* octets read and not yet handed out; its max is the longest text */
    size_t start;    /* of held, handed out by earlier calls; moved out of the way only to read more */
    size_t taken;    /* behind that, handed out by the last call */
    uint64_t line;   /* number of the line behind both, from 1 */
    bool end;        /* nothing more to read */
    bool failed;     /* reading ended with an error */
};

/* max: longest text, octets. The input is borrowed. */
void json_texts_init(struct json_texts *t, struct input *in, size_t max);
void json_texts_free(struct json_texts *t);

/*
 * Hands out the next text that is not blank and the number of its first line. 1, 0 at the end, -1 on a read error
 * (input_error()), -2 if a text was longer than max (its line end included): it was skipped, *ret_line is the number
 * of its first line, and reading can go on.
 */
int json_texts_next(struct json_texts *t, const char **ret, size_t *ret_len, uint64_t *ret_line);

#endif
