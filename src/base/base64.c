#include "base/base64.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

enum { CHAR_BAD = -1, CHAR_SPACE = -2, CHAR_PAD = -3 };

static int char_value(uint8_t c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    switch (c) {
    case '+':
    case '-':
        return 62;
    case '/':
    case '_':
        return 63;
    case '=':
        return CHAR_PAD;
    case ' ':
    case '\t':
    case '\r':
    case '\n':
        return CHAR_SPACE;
    default:
        return CHAR_BAD;
    }
}

size_t base64_encode(const uint8_t *data, size_t len, char *out)
{
    char *p = out;
    size_t i = 0;
    for (; i + 3 <= len; i += 3) {
        uint32_t v = (uint32_t)data[i] << 16 | (uint32_t)data[i + 1] << 8 | data[i + 2];
        *p++ = alphabet[v >> 18];
        *p++ = alphabet[v >> 12 & 63];
        *p++ = alphabet[v >> 6 & 63];
        *p++ = alphabet[v & 63];
    }
    if (i < len) {
        uint32_t v = (uint32_t)data[i] << 16 | (i + 1 < len ? (uint32_t)data[i + 1] << 8 : 0);
        *p++ = alphabet[v >> 18];
        *p++ = alphabet[v >> 12 & 63];
        *p++ = i + 1 < len ? alphabet[v >> 6 & 63] : '=';
        *p++ = '=';
    }
    return (size_t)(p - out);
}

/* Octets of a group of `count` characters: 2 give one, 3 give two; a single one is a cut. */
static ptrdiff_t group_octets(struct base64_in *b, unsigned count, uint8_t *out)
{
    if (count == 1)
        return -1;
    uint32_t bits = b->bits << 6 * (4 - count);
    for (unsigned i = 0; i + 1 < count; i++)
        out[i] = (uint8_t)(bits >> (16 - 8 * i));
    return count == 0 ? 0 : (ptrdiff_t)count - 1;
}

static void group_reset(struct base64_in *b)
{
    b->bits = 0;
    b->count = 0;
    b->padded = false;
}

ptrdiff_t base64_decode(struct base64_in *b, const char *text, size_t len, uint8_t *out)
{
    uint8_t *p = out;
    for (size_t i = 0; i < len; i++, b->offset++) {
        int v = char_value((uint8_t)text[i]);
        if (v == CHAR_SPACE)
            continue;
        if (v == CHAR_PAD) {
            if (b->padded) { /* the second of two */
                group_reset(b);
                continue;
            }
            if (b->count < 2)
                return -1;
            bool one = b->count == 3;
            ptrdiff_t n = group_octets(b, b->count, p);
            p += n;
            group_reset(b);
            b->padded = !one;
            continue;
        }
        if (v == CHAR_BAD || b->padded)
            return -1;
        b->bits = b->bits << 6 | (uint32_t)v;
        if (++b->count == 4) {
            p += group_octets(b, 4, p);
            group_reset(b);
        }
    }
    return p - out;
}

ptrdiff_t base64_finish(struct base64_in *b, uint8_t *out)
{
    ptrdiff_t n = b->padded ? -1 : group_octets(b, b->count, out);
    group_reset(b);
    return n;
}

bool base64_plausible(const uint8_t *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (char_value(text[i]) == CHAR_BAD)
            return false;
    return true;
}
