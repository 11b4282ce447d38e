/*
 * Text into a buffer of fixed size. A demo message is some twenty formatted lines, and the generator must outrun the
 * server that it loads: this knows the few conversions that are needed, in the spelling of printf so that the compiler
 * checks the arguments, and nothing else.
 */
#ifndef DEMO_TEXT_H
#define DEMO_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct text {
    char *at; /* not terminated */
    size_t len;
    size_t cap;
    bool full; /* something did not fit and was left out */
};

static inline struct text text_into(char *at, size_t cap)
{
    return (struct text){ .at = at, .cap = cap };
}

void text_put(struct text *t, const void *ptr, size_t len);

/* %s, %u, %x and %08x. */
void text_add(struct text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
