#include "demo/text.h"

#include <stdarg.h>
#include <string.h>

#include "base/num.h"

void text_put(struct text *t, const void *ptr, size_t len)
{
    if (len > t->cap - t->len) {
        t->full = true;
        return;
    }
    if (len > 0)
        memcpy(t->at + t->len, ptr, len);
    t->len += len;
}

static void put_number(struct text *t, unsigned v)
{
    char digits[20];
    text_put(t, digits, num_format(v, digits));
}

/* At least `min` digits. */
static void put_hex(struct text *t, unsigned v, size_t min)
{
    char digits[8];
    size_t at = sizeof(digits);
    while (v != 0 || sizeof(digits) - at < min) {
        digits[--at] = "0123456789abcdef"[v & 15];
        v >>= 4;
    }
    text_put(t, digits + at, sizeof(digits) - at);
}

void text_add(struct text *t, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    for (const char *percent; (percent = strchr(format, '%')) != NULL; format = percent + 2) {
        text_put(t, format, (size_t)(percent - format));
        if (percent[1] == 's') {
            const char *s = va_arg(args, const char *);
            text_put(t, s, strlen(s));
        } else if (percent[1] == 'u') {
            put_number(t, va_arg(args, unsigned));
        } else if (percent[1] == 'x') {
            put_hex(t, va_arg(args, unsigned), 1);
        } else { /* %08x */
            put_hex(t, va_arg(args, unsigned), 8);
            percent += 2;
        }
    }
    va_end(args);
    text_put(t, format, strlen(format));
}
