#include "base/json_out.h"

#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "base/base64.h"
#include "base/num.h"
#include "base/utf8.h"

/* An escaped octet takes up to six characters ("\u0000"); U+FFFD takes three. */
#define ESCAPED_MAX 6

static bool plain(uint8_t c)
{
    return c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
}

/*
 * Copies octets that stand for themselves (printable ASCII) and returns how many there were. `to` has room for len
 * octets rounded up to 16.
 */
static size_t copy_plain(const uint8_t *text, size_t len, uint8_t *to)
{
    size_t i = 0;
#ifdef __SSE2__
    const __m128i space = _mm_set1_epi8(0x20);
    const __m128i quote = _mm_set1_epi8('"');
    const __m128i backslash = _mm_set1_epi8('\\');
    for (; i + 16 <= len; i += 16) {
        __m128i v = _mm_loadu_si128((const __m128i *)(const void *)(text + i));
        _mm_storeu_si128((__m128i *)(void *)(to + i), v);
        /* Signed: octets from 0x80 are negative, so "less than space" finds them, too. */
        __m128i special = _mm_or_si128(_mm_cmplt_epi8(v, space),
                                       _mm_or_si128(_mm_cmpeq_epi8(v, quote), _mm_cmpeq_epi8(v, backslash)));
        unsigned mask = (unsigned)_mm_movemask_epi8(special);
        if (mask != 0)
            return i + (size_t)__builtin_ctz(mask);
    }
#endif
    for (; i < len && plain(text[i]); i++)
        to[i] = text[i];
    return i;
}

static uint8_t *escape(uint8_t *to, uint8_t c)
{
    static const char digits[] = "0123456789abcdef";
    static const char letters[0x20] = { ['\b'] = 'b', ['\f'] = 'f', ['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't' };
    *to++ = '\\';
    if (c >= 0x20) { /* quote and backslash */
        *to++ = c;
    } else if (letters[c] != 0) {
        *to++ = (uint8_t)letters[c];
    } else {
        memcpy(to, "u00", 3);
        to[3] = (uint8_t)digits[c >> 4];
        to[4] = (uint8_t)digits[c & 15];
        to += 5;
    }
    return to;
}

bool json_out_string(struct buf *b, const uint8_t *text, size_t len)
{
    bool valid = true;
    if (len > (SIZE_MAX - 32) / ESCAPED_MAX) {
        b->failed = true;
        return false;
    }
    uint8_t *start = buf_space(b, len * ESCAPED_MAX + 32);
    if (start == NULL)
        return utf8_valid(text, len);
    uint8_t *to = start;
    *to++ = '"';
    for (size_t i = 0; i < len;) {
        size_t n = copy_plain(text + i, len - i, to);
        i += n;
        to += n;
        if (i == len)
            break;
        uint8_t c = text[i];
        if (c < 0x80) {
            to = escape(to, c);
            i++;
            continue;
        }
        n = utf8_char(text + i, len - i);
        if (n == 0) {
            valid = false;
            memcpy(to, "\xef\xbf\xbd", 3);
            to += 3;
            i++;
        } else {
            memcpy(to, text + i, n);
            to += n;
            i += n;
        }
    }
    *to++ = '"';
    buf_added(b, (size_t)(to - start));
    return valid;
}

void json_out_text(struct buf *b, const char *text)
{
    (void)json_out_string(b, (const uint8_t *)text, strlen(text));
}

void json_out_key(struct buf *b, bool *first, const char *key)
{
    size_t len = strlen(key);
    uint8_t *to = buf_space(b, len + 4);
    if (to == NULL)
        return;
    uint8_t *start = to;
    if (!*first)
        *to++ = ',';
    *first = false;
    *to++ = '"';
    memcpy(to, key, len);
    to += len;
    *to++ = '"';
    *to++ = ':';
    buf_added(b, (size_t)(to - start));
}

void json_out_number(struct buf *b, uint64_t v)
{
    uint8_t *to = buf_space(b, 20);
    if (to != NULL)
        buf_added(b, num_format(v, (char *)to));
}

void json_out_base64(struct buf *b, const uint8_t *data, size_t len)
{
    uint8_t *to = len > SIZE_MAX / 2 ? NULL : buf_space(b, base64_text_len(len) + 2);
    if (to == NULL) {
        b->failed = true;
        return;
    }
    to[0] = '"';
    size_t n = base64_encode(data, len, (char *)to + 1);
    to[n + 1] = '"';
    buf_added(b, n + 2);
}

void json_out_hex(struct buf *b, const uint8_t *data, size_t len)
{
    static const char digits[] = "0123456789abcdef";
    uint8_t *to = len > SIZE_MAX / 4 ? NULL : buf_space(b, 2 * len + 2);
    if (to == NULL) {
        b->failed = true;
        return;
    }
    to[0] = '"';
    for (size_t i = 0; i < len; i++) {
        to[1 + 2 * i] = (uint8_t)digits[data[i] >> 4];
        to[2 + 2 * i] = (uint8_t)digits[data[i] & 15];
    }
    to[2 * len + 1] = '"';
    buf_added(b, 2 * len + 2);
}
