/*
 * A message for a person, filled where an operation meets the outside world (files, sockets, options) and carried up
 * by value. Modules return 0 or a negative number and say the rest here; only cmd/ prints.
 */
#ifndef BASE_ERRMSG_H
#define BASE_ERRMSG_H

struct errmsg {
    char text[256]; /* terminated, no newline; empty if nothing was said */
};

/* Replaces the text; longer texts are cut. `e` may be NULL. Always returns -1, so that it can end a function. */
int errmsg_set(struct errmsg *e, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
