/* One JSON object as an answer, of a server or of the files of a data directory: for `count`, `senders` and `sql`. */
#ifndef CMD_ASK_JSON_H
#define CMD_ASK_JSON_H

#include "cmd/ask.h"
#include "store/store.h"

struct ask_json {
    const char *path;          /* of the server's API */
    const char *const *params; /* name, value, name, value..., NULL; a NULL value is passed over */
    const char *post;          /* a text to be sent; NULL: GET */
    bool form;                 /* the path takes parameters as a form, too */
    /* Of a data directory; 0 with the object in `out`, or a negative errno with a text. NULL: only a server knows it.
     */
    int (*lake)(void *arg, struct store *lake, struct buf *out, struct ask_problem *problem);
    void *arg;
};

/* 0 and *ret_result, which is the caller's; -1: why not is in *problem. */
int ask_json(const struct ask *a, const struct ask_json *q, json_t **ret_result, struct ask_problem *problem);

#endif
