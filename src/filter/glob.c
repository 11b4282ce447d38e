#include "filter/glob.h"

#include <string.h>

static uint8_t lower(uint8_t c)
{
    return (uint8_t)(c | ((uint8_t)(c - 'A') < 26 ? 0x20 : 0));
}

void glob_lower(uint8_t *to, const uint8_t *from, size_t len)
{
    for (size_t i = 0; i < len; i++)
        to[i] = lower(from[i]);
}

bool glob_equal_nocase(const uint8_t *text, const uint8_t *low, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (lower(text[i]) != low[i])
            return false;
    return true;
}

static bool equal_case(const uint8_t *a, const uint8_t *b, size_t len)
{
    return len == 0 || memcmp(a, b, len) == 0;
}

static const uint8_t *find_case(const uint8_t *at, size_t len, const uint8_t *piece, size_t piece_len)
{
    return memmem(at, len, piece, piece_len);
}

/*
 * The value goes through a window in lower case, so that memmem() can search it. The window grows as nothing is found:
 * a piece costs what lies in front of it, however many pieces there are.
 */
static const uint8_t *find_nocase(const uint8_t *at, size_t len, const uint8_t *piece, size_t piece_len)
{
    uint8_t window[2 * GLOB_PIECE_MAX];
    if (piece_len > GLOB_PIECE_MAX)
        return NULL;
    for (size_t size = 2 * piece_len + 64; len >= piece_len; size *= 2) {
        size_t take = size < sizeof(window) ? size : sizeof(window);
        if (take > len)
            take = len;
        glob_lower(window, at, take);
        const uint8_t *hit = memmem(window, take, piece, piece_len);
        if (hit != NULL)
            return at + (hit - window);
        if (take == len)
            return NULL;
        at += take - piece_len + 1;
        len -= take - piece_len + 1;
        size = size < sizeof(window) ? size : sizeof(window);
    }
    return NULL;
}

struct rules {
    bool (*equal)(const uint8_t *text, const uint8_t *piece, size_t len);
    const uint8_t *(*find)(const uint8_t *at, size_t len, const uint8_t *piece, size_t piece_len);
};

/* The pieces between the first star and the last one, each at the first place where it is. */
static bool match_middle(const struct rules *rules, const uint8_t *at, size_t len, const uint8_t *pattern, size_t rest)
{
    while (rest > 0) {
        const uint8_t *star = memchr(pattern, GLOB_STAR, rest);
        size_t n = star != NULL ? (size_t)(star - pattern) : rest;
        const uint8_t *hit = n > 0 ? rules->find(at, len, pattern, n) : at;
        if (hit == NULL)
            return false;
        len -= (size_t)(hit - at) + n;
        at = hit + n;
        n += star != NULL;
        pattern += n;
        rest -= n;
    }
    return true;
}

static bool match(const struct rules *rules, const uint8_t *value, size_t len, const uint8_t *pattern, size_t n)
{
    const uint8_t *first = n > 0 ? memchr(pattern, GLOB_STAR, n) : NULL;
    if (first == NULL)
        return len == n && rules->equal(value, pattern, n);
    const uint8_t *last = memrchr(pattern, GLOB_STAR, n);
    size_t head = (size_t)(first - pattern);
    size_t tail = n - (size_t)(last - pattern) - 1;
    if (len < head + tail || !rules->equal(value, pattern, head) ||
        !rules->equal(value + len - tail, pattern + n - tail, tail))
        return false;
    return first == last || match_middle(rules, value + head, len - head - tail, first + 1, (size_t)(last - first) - 1);
}

bool glob_match(const uint8_t *value, size_t len, const uint8_t *pattern, size_t pattern_len)
{
    static const struct rules rules = { equal_case, find_case };
    return match(&rules, value, len, pattern, pattern_len);
}

bool glob_match_nocase(const uint8_t *value, size_t len, const uint8_t *pattern, size_t pattern_len)
{
    static const struct rules rules = { glob_equal_nocase, find_nocase };
    return match(&rules, value, len, pattern, pattern_len);
}
