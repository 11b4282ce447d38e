#include "base/num.h"

#include <string.h>

bool num_parse(const char *text, size_t len, uint64_t max, uint64_t *ret)
{
    uint64_t v = 0;
    if (len == 0)
        return false;
    for (size_t i = 0; i < len; i++) {
        unsigned digit = (unsigned)(unsigned char)text[i] - '0';
        if (digit > 9 || v > UINT64_MAX / 10 || (v == UINT64_MAX / 10 && digit > UINT64_MAX % 10))
            return false;
        v = v * 10 + digit;
    }
    if (v > max)
        return false;
    *ret = v;
    return true;
}

size_t num_format(uint64_t v, char out[20])
{
    char reversed[20];
    size_t len = 0;
    do {
        reversed[len++] = (char)('0' + v % 10);
        v /= 10;
    } while (v != 0);
    for (size_t i = 0; i < len; i++)
        out[i] = reversed[len - 1 - i];
    return len;
}

bool num_parse_hundredths(const char *text, size_t len, int64_t max, int64_t *ret)
{
    const char *point = len > 0 ? memchr(text, '.', len) : NULL;
    size_t whole_len = point != NULL ? (size_t)(point - text) : len, rest_len = point != NULL ? len - whole_len - 1 : 0;
    uint64_t whole = 0, rest = 0;
    if (!num_parse(text, whole_len, (uint64_t)max / 100, &whole) ||
        (point != NULL && (rest_len > 2 || !num_parse(point + 1, rest_len, 99, &rest))))
        return false;
    whole = 100 * whole + (rest_len == 1 ? 10 * rest : rest);
    if (whole > (uint64_t)max)
        return false;
    *ret = (int64_t)whole;
    return true;
}

size_t num_format_hundredths(int64_t hundredths, char out[NUM_HUNDREDTHS_TEXT])
{
    uint64_t n = (uint64_t)hundredths, rest = n % 100;
    size_t len = num_format(n / 100, out);
    if (rest != 0) {
        out[len++] = '.';
        out[len++] = (char)('0' + rest / 10);
        if (rest % 10 != 0)
            out[len++] = (char)('0' + rest % 10);
    }
    out[len] = '\0';
    return len;
}
