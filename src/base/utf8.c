#include "base/utf8.h"

#include <string.h>

static bool follows(uint8_t c)
{
    return (c & 0xc0) == 0x80;
}

size_t utf8_char(const uint8_t *p, size_t len)
{
    uint8_t c = p[0];
    if (c < 0x80)
        return 1;
    if (c < 0xc2)
        return 0;
    if (c < 0xe0)
        return len >= 2 && follows(p[1]) ? 2 : 0;
    if (c < 0xf0) {
        if (len < 3 || !follows(p[1]) || !follows(p[2]))
            return 0;
        bool overlong = c == 0xe0 && p[1] < 0xa0;
        bool surrogate = c == 0xed && p[1] >= 0xa0;
        return overlong || surrogate ? 0 : 3;
    }
    if (c > 0xf4 || len < 4 || !follows(p[1]) || !follows(p[2]) || !follows(p[3]))
        return 0;
    bool out_of_range = (c == 0xf0 && p[1] < 0x90) || (c == 0xf4 && p[1] >= 0x90);
    return out_of_range ? 0 : 4;
}

bool utf8_valid(const uint8_t *p, size_t len)
{
    const uint8_t *end = p + len;
    while (p < end) {
        /* Eight octets of ASCII at a time: nearly all of SIP. */
        uint64_t word;
        if ((size_t)(end - p) >= sizeof(word)) {
            memcpy(&word, p, sizeof(word));
            if ((word & UINT64_C(0x8080808080808080)) == 0) {
                p += sizeof(word);
                continue;
            }
        }
        size_t n = utf8_char(p, (size_t)(end - p));
        if (n == 0)
            return false;
        p += n;
    }
    return true;
}
