/*
 * Growing octet buffer with a maximum that must be stated. Errors stick: after a failed append (`failed` is set)
 * further appends do nothing, so that a caller tests once at the end.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf {
    uint8_t *ptr;
    size_t len;
    size_t cap;
    size_t max;  /* octets; growing beyond fails */
    bool failed; /* an append was refused: beyond max, or out of memory */
};

void buf_init(struct buf *b, size_t max);
void buf_free(struct buf *b); /* releases the memory; b is as after buf_init() */

/* Empties the buffer and forgets a failure; the memory stays. */
void buf_reset(struct buf *b);

/* Makes room for `len` more octets and returns where to put them, NULL on failure. buf_added() then counts them. */
uint8_t *buf_space(struct buf *b, size_t len);
void buf_added(struct buf *b, size_t len);

void buf_put(struct buf *b, const void *ptr, size_t len);
void buf_putc(struct buf *b, char c);
void buf_puts(struct buf *b, const char *text);
void buf_printf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Drops the first `len` octets and moves the rest to the front. */
void buf_drop(struct buf *b, size_t len);

#endif
