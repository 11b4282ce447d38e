#include "store/parquet/stats.h"

#include <math.h>
#include <string.h>

#include "base/utf8.h"

#define COMPARE(a, b) (((a) > (b)) - ((a) < (b)))

static int compare_octets(struct pq_slice a, struct pq_slice b)
{
    size_t len = a.len < b.len ? a.len : b.len;
    int order = len > 0 ? memcmp(a.ptr, b.ptr, len) : 0;
    return order != 0 ? order : COMPARE(a.len, b.len);
}

static int compare_32(struct pq_slice a, struct pq_slice b, bool is_unsigned)
{
    int32_t x, y;
    memcpy(&x, a.ptr, sizeof(x));
    memcpy(&y, b.ptr, sizeof(y));
    return is_unsigned ? COMPARE((uint32_t)x, (uint32_t)y) : COMPARE(x, y);
}

static int compare_64(struct pq_slice a, struct pq_slice b, bool is_unsigned)
{
    int64_t x, y;
    memcpy(&x, a.ptr, sizeof(x));
    memcpy(&y, b.ptr, sizeof(y));
    return is_unsigned ? COMPARE((uint64_t)x, (uint64_t)y) : COMPARE(x, y);
}

static int compare_double(struct pq_slice a, struct pq_slice b)
{
    double x, y;
    memcpy(&x, a.ptr, sizeof(x));
    memcpy(&y, b.ptr, sizeof(y));
    return COMPARE(x, y);
}

int pq_compare(const struct pq_column *c, struct pq_slice a, struct pq_slice b)
{
    switch (c->type) {
    case PQ_INT32:
        return compare_32(a, b, c->logical >= PQ_LOGICAL_UINT8);
    case PQ_INT64:
        return compare_64(a, b, c->logical >= PQ_LOGICAL_UINT8);
    case PQ_DOUBLE:
        return compare_double(a, b);
    default:
        return compare_octets(a, b);
    }
}

static bool is_nan(const struct pq_column *c, struct pq_slice value)
{
    double d;
    if (c->type != PQ_DOUBLE)
        return false;
    memcpy(&d, value.ptr, sizeof(d));
    return isnan(d);
}

void pq_range_add(const struct pq_column *c, struct pq_range *range, struct pq_slice value)
{
    if (is_nan(c, value)) {
        range->nan = true;
        return;
    }
    if (!range->any) {
        range->min = range->max = value;
        range->any = true;
        return;
    }
    if (pq_compare(c, value, range->min) < 0)
        range->min = value;
    else if (pq_compare(c, value, range->max) > 0)
        range->max = value;
}

void pq_range_join(const struct pq_column *c, struct pq_range *range, const struct pq_range *other)
{
    range->nan |= other->nan;
    if (!other->any)
        return;
    pq_range_add(c, range, other->min);
    pq_range_add(c, range, other->max);
}

/* Length of the longest prefix of at most PQ_STAT_CUT octets that ends with a character. */
static size_t text_cut(struct pq_slice v)
{
    size_t at = 0;
    while (at < v.len) {
        size_t n = utf8_char(v.ptr + at, v.len - at);
        n = n == 0 ? 1 : n;
        if (at + n > PQ_STAT_CUT)
            break;
        at += n;
    }
    return at;
}

static size_t cut_length(const struct pq_column *c, struct pq_slice v)
{
    if (c->type != PQ_BYTE_ARRAY || v.len <= PQ_STAT_CUT)
        return v.len;
    return c->logical == PQ_LOGICAL_STRING ? text_cut(v) : PQ_STAT_CUT;
}

/* Zero has two signs: the specification wants -0 as a minimum and +0 as a maximum. */
static void settle_zero(const struct pq_column *c, struct pq_slice v, double zero)
{
    double d;
    if (c->type != PQ_DOUBLE)
        return;
    memcpy(&d, v.ptr, sizeof(d));
    if (d == 0)
        memcpy((void *)(uintptr_t)v.ptr, &zero, sizeof(zero));
}

bool pq_stat_min(const struct pq_column *c, struct pq_slice v, struct pq_arena *a, struct pq_slice *ret,
                 bool *ret_exact)
{
    size_t len = cut_length(c, v);
    *ret_exact = len == v.len;
    if (!pq_arena_copy(a, (struct pq_slice){ v.ptr, len }, ret))
        return false;
    settle_zero(c, *ret, -0.0);
    return true;
}

/* Replaces the last octet that can grow by the next one and cuts behind it; 0 if there is none. */
static size_t grow_octets(uint8_t *p, size_t len)
{
    while (len > 0 && p[len - 1] == 0xff)
        len--;
    if (len > 0)
        p[len - 1]++;
    return len;
}

/*
 * The same for text: the last character that has a successor of the same length. The few that have none (U+007F,
 * U+07FF, U+D7FF as its successor is no character, U+FFFF, U+10FFFF) are cut off.
 */
static size_t grow_text(uint8_t *p, size_t len)
{
    while (len > 0) {
        size_t start = len - 1;
        while (start > 0 && (p[start] & 0xc0) == 0x80)
            start--;
        uint8_t saved[4];
        size_t n = len - start;
        memcpy(saved, p + start, n <= 4 ? n : 0);
        for (size_t i = n; n <= 4 && i-- > 0;) {
            bool full = i > 0 && p[start + i] == 0xbf;
            p[start + i] = full ? 0x80 : (uint8_t)(p[start + i] + 1);
            if (!full)
                break;
        }
        if (n <= 4 && utf8_char(p + start, n) == n)
            return len;
        memcpy(p + start, saved, n <= 4 ? n : 0);
        len = start;
    }
    return 0;
}

bool pq_stat_max(const struct pq_column *c, struct pq_slice v, struct pq_arena *a, struct pq_slice *ret,
                 bool *ret_exact)
{
    size_t len = cut_length(c, v);
    *ret_exact = len == v.len;
    if (!pq_arena_copy(a, (struct pq_slice){ v.ptr, len }, ret))
        return false;
    settle_zero(c, *ret, 0.0);
    if (*ret_exact)
        return true;
    uint8_t *p = (uint8_t *)(uintptr_t)ret->ptr;
    ret->len = c->logical == PQ_LOGICAL_STRING ? grow_text(p, len) : grow_octets(p, len);
    if (ret->len > 0)
        return true;
    *ret_exact = true; /* nothing shorter bounds it */
    return pq_arena_copy(a, v, ret);
}
