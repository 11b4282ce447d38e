#include "query/printable.h"

#include <stdint.h>

#include "base/utf8.h"

static uint32_t code_point(const uint8_t *p, size_t n)
{
    static const uint8_t lead[] = { 0, 0x7f, 0x1f, 0x0f, 0x07 };
    uint32_t c = p[0] & lead[n];
    for (size_t i = 1; i < n; i++)
        c = c << 6 | (p[i] & 0x3f);
    return c;
}

/* Controls (C0, DEL, C1), line separators, and what is invisible or changes the direction of writing. */
static bool is_harmful(uint32_t c)
{
    return c < 0x20 || (c >= 0x7f && c <= 0x9f) || c == 0xad || c == 0x61c || (c >= 0x200b && c <= 0x200f) ||
           (c >= 0x2028 && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f) || c == 0xfeff ||
           (c >= 0xe0000 && c <= 0xe0fff);
}

/* Octets of the next character, *ret_plain if it may be shown as it is. */
static size_t next(const struct printable *p, struct hep_slice text, size_t at, bool *ret_plain)
{
    size_t n = utf8_char(text.ptr + at, text.len - at);
    *ret_plain = n != 0 && !(p->ascii && n > 1) && !is_harmful(code_point(text.ptr + at, n));
    return n == 0 ? 1 : n;
}

size_t printable_width(const struct printable *p, struct hep_slice text)
{
    size_t width = 0;
    bool plain;
    for (size_t at = 0; at < text.len; width++)
        at += next(p, text, at, &plain);
    return width;
}

size_t printable_put(struct buf *out, const struct printable *p, struct hep_slice text, size_t max)
{
    size_t width = printable_width(p, text);
    size_t show = width <= max ? width : max == 0 ? 0 : max - 1;
    size_t at = 0;
    for (size_t i = 0; i < show; i++) {
        bool plain;
        size_t n = next(p, text, at, &plain);
        if (plain)
            buf_put(out, text.ptr + at, n);
        else
            buf_puts(out, p->ascii ? "?" : "\xef\xbf\xbd");
        at += n;
    }
    if (show == width || max == 0)
        return show;
    buf_puts(out, p->ascii ? "~" : "\xe2\x80\xa6");
    return max;
}
