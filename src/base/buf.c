#include "base/buf.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void buf_init(struct buf *b, size_t max)
{
    *b = (struct buf){ .max = max };
}

void buf_free(struct buf *b)
{
    free(b->ptr);
    buf_init(b, b->max);
}

void buf_reset(struct buf *b)
{
    b->len = 0;
    b->failed = false;
}

uint8_t *buf_space(struct buf *b, size_t len)
{
    assert(b->len <= b->cap);
    if (b->failed)
        return NULL;
    if (b->ptr != NULL && b->cap - b->len >= len)
        return b->ptr + b->len;
    if (len > b->max - b->len)
        goto fail;

    size_t want = b->len + len;
    size_t cap = b->cap < 256 ? 256 : b->cap;
    while (cap < want)
        cap = cap <= b->max / 2 ? cap * 2 : b->max;
    if (cap > b->max)
        cap = b->max;
    uint8_t *grown = realloc(b->ptr, cap);
    if (grown == NULL)
        goto fail;
    b->ptr = grown;
    b->cap = cap;
    return b->ptr + b->len;

fail:
    b->failed = true;
    return NULL;
}

void buf_added(struct buf *b, size_t len)
{
    assert(len <= b->cap - b->len);
    b->len += len;
}

void buf_put(struct buf *b, const void *ptr, size_t len)
{
    if (len == 0)
        return;
    uint8_t *to = buf_space(b, len);
    if (to == NULL)
        return;
    memcpy(to, ptr, len);
    b->len += len;
}

void buf_putc(struct buf *b, char c)
{
    buf_put(b, &c, 1);
}

void buf_puts(struct buf *b, const char *text)
{
    buf_put(b, text, strlen(text));
}

void buf_printf(struct buf *b, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    va_list again;
    va_copy(again, args);
    /* Mostly there is room already; if not, the first attempt has told how much it takes. */
    size_t room = b->failed ? 0 : b->cap - b->len;
    int len = vsnprintf(room > 0 ? (char *)b->ptr + b->len : NULL, room, format, args);
    va_end(args);
    uint8_t *to = len < 0 ? NULL : buf_space(b, (size_t)len + 1);
    if (to != NULL) {
        if ((size_t)len >= room)
            (void)vsnprintf((char *)to, (size_t)len + 1, format, again);
        b->len += (size_t)len;
    }
    va_end(again);
}

void buf_drop(struct buf *b, size_t len)
{
    assert(len <= b->len);
    if (len == 0)
        return;
    b->len -= len;
    if (b->len > 0)
        memmove(b->ptr, b->ptr + len, b->len);
}
