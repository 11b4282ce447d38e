#include "base/near.h"

#include <string.h>

static char fold(char c)
{
    return (char)(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Three rows of the usual table: rows[i % 3][j] is the distance of the first i octets of a and j of b. */
size_t near_distance(const char *a, size_t a_len, const char *b, size_t b_len, size_t max)
{
    size_t rows[3][NEAR_LEN_MAX + 1];
    if (a_len > NEAR_LEN_MAX || b_len > NEAR_LEN_MAX)
        return max + 1;
    for (size_t j = 0; j <= b_len; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= a_len; i++) {
        size_t *now = rows[i % 3];
        const size_t *last = rows[(i + 2) % 3], *before = rows[(i + 1) % 3];
        now[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            char x = fold(a[i - 1]), y = fold(b[j - 1]);
            now[j] = least(least(last[j], now[j - 1]) + 1, last[j - 1] + (x != y));
            if (i > 1 && j > 1 && x == fold(b[j - 2]) && fold(a[i - 2]) == y)
                now[j] = least(now[j], before[j - 2] + 1);
        }
    }
    return least(rows[a_len % 3][b_len], max + 1);
}

size_t near_allowed(size_t len)
{
    return len < 4 ? 1 : 2;
}

const char *near_word(const char *typed, size_t len, const char *const *words)
{
    size_t best = near_allowed(len) + 1;
    const char *found = NULL;
    for (; *words != NULL; words++) {
        size_t d = near_distance(typed, len, *words, strlen(*words), best);
        if (d < best) {
            best = d;
            found = *words;
        }
    }
    return found;
}
