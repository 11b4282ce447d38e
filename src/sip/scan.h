/*
 * The scans that the octets of a SIP header go through: where does the line end, is there something in it that has no
 * place there, where is the next delimiter. 16 octets at a time with SSE2; the scalar twins give the same answers
 * (test_sip_scan.c). None reads outside of p[0..n).
 */
#ifndef SIP_SCAN_H
#define SIP_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

/*
 * Place of the first control character other than HT in p[0..n): 0x00-0x1f or 0x7f, so CR and LF, too. n if there is
 * none. *high becomes true if an octet before that place is not ASCII, and is left alone otherwise.
 */
static inline size_t scan_control(const uint8_t *p, size_t n, bool *high);
size_t scan_control_scalar(const uint8_t *p, size_t n, bool *high);

/* ------------------------------------------------------------------------------------------------ delimiters */

/* Place of the first octet c in p[0..n), n if there is none. */
static inline size_t scan_octet_scalar(const uint8_t *p, size_t n, uint8_t c)
{
    size_t at = 0;
    while (at < n && p[at] != c)
        at++;
    return at;
}

/* What ends a stretch of text; bits of a set for scan_stop(). */
enum scan_stop {
    SCAN_BLANK = 1,  /* SP and all below: HT, CR, LF, control characters */
    SCAN_SEMI = 2,   /* ; */
    SCAN_COMMA = 4,  /* , */
    SCAN_EQUALS = 8, /* = */
    SCAN_LT = 16,    /* < */
    SCAN_QUOTE = 32, /* " */
    SCAN_COLON = 64, /* : */
    SCAN_QUERY = 128 /* ? */
};

extern const uint8_t scan_stops[256]; /* the bits of each octet */

/* Place of the first octet of the set in p[0..n), n if there is none. */
static inline size_t scan_stop_scalar(const uint8_t *p, size_t n, unsigned set)
{
    size_t at = 0;
    while (at < n && (scan_stops[p[at]] & set) == 0)
        at++;
    return at;
}

#ifdef __SSE2__
static inline __m128i scan_load(const uint8_t *p)
{
    return _mm_loadu_si128((const __m128i *)(const void *)p);
}

static inline size_t scan_control(const uint8_t *p, size_t n, bool *high)
{
    const __m128i last_control = _mm_set1_epi8(0x1f);
    const __m128i tab = _mm_set1_epi8('\t');
    const __m128i del = _mm_set1_epi8(0x7f);
    unsigned above = 0;
    size_t at = 0;
    for (; n - at >= 16; at += 16) {
        __m128i v = scan_load(p + at);
        __m128i low = _mm_cmpeq_epi8(_mm_min_epu8(v, last_control), v);
        __m128i hit = _mm_or_si128(_mm_andnot_si128(_mm_cmpeq_epi8(v, tab), low), _mm_cmpeq_epi8(v, del));
        unsigned hits = (unsigned)_mm_movemask_epi8(hit);
        unsigned highs = (unsigned)_mm_movemask_epi8(v);
        if (hits != 0) {
            above |= highs & ((hits & (0U - hits)) - 1); /* those before the lowest hit */
            at += (unsigned)__builtin_ctz(hits);
            *high = *high || above != 0;
            return at;
        }
        above |= highs;
    }
    *high = *high || above != 0;
    return at == n ? n : at + scan_control_scalar(p + at, n - at, high); /* nothing is added to no pointer */
}

/* Octets of p[0..16) that are c, as bits. */
static inline unsigned scan_mask_octet(__m128i v, char c)
{
    return (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(v, _mm_set1_epi8(c)));
}

/* Octets that are in the set, as bits; the set is known to the compiler, which drops the tests of the others. */
__attribute__((always_inline)) static inline unsigned scan_mask_stop(__m128i v, unsigned set)
{
    __m128i hit = _mm_setzero_si128();
    if (set & SCAN_BLANK)
        hit = _mm_cmpeq_epi8(_mm_min_epu8(v, _mm_set1_epi8(' ')), v);
    if (set & SCAN_SEMI)
        hit = _mm_or_si128(hit, _mm_cmpeq_epi8(v, _mm_set1_epi8(';')));
    if (set & SCAN_COMMA)
        hit = _mm_or_si128(hit, _mm_cmpeq_epi8(v, _mm_set1_epi8(',')));
    if (set & SCAN_EQUALS)
        hit = _mm_or_si128(hit, _mm_cmpeq_epi8(v, _mm_set1_epi8('=')));
    if (set & SCAN_LT)
        hit = _mm_or_si128(hit, _mm_cmpeq_epi8(v, _mm_set1_epi8('<')));
    if (set & SCAN_QUOTE)
        hit = _mm_or_si128(hit, _mm_cmpeq_epi8(v, _mm_set1_epi8('"')));
    if (set & SCAN_COLON)
        hit = _mm_or_si128(hit, _mm_cmpeq_epi8(v, _mm_set1_epi8(':')));
    if (set & SCAN_QUERY)
        hit = _mm_or_si128(hit, _mm_cmpeq_epi8(v, _mm_set1_epi8('?')));
    return (unsigned)_mm_movemask_epi8(hit);
}

/* Octets p[0..8) and p[n-8..n), or p[0..4) and p[n-4..n): all of a text of 8 to 15, or of 4 to 7. */
static inline __m128i scan_load_ends8(const uint8_t *p, size_t n)
{
    uint64_t first;
    uint64_t last;
    memcpy(&first, p, sizeof(first));
    memcpy(&last, p + n - sizeof(last), sizeof(last));
    return _mm_set_epi64x((int64_t)last, (int64_t)first);
}

static inline __m128i scan_load_ends4(const uint8_t *p, size_t n)
{
    uint32_t first;
    uint32_t last;
    memcpy(&first, p, sizeof(first));
    memcpy(&last, p + n - sizeof(last), sizeof(last));
    return _mm_set_epi32(0, 0, (int32_t)last, (int32_t)first);
}

/* Place of the lowest hit among ends of `width` octets each, n if there is none. */
static inline size_t scan_first_of_ends(unsigned hits, size_t width, size_t n)
{
    if (hits == 0)
        return n;
    size_t at = (unsigned)__builtin_ctz(hits);
    return at < width ? at : at + n - 2 * width;
}

/*
 * The body of a scan in blocks: mask(v) gives the hits in 16 octets. What is left at the end is read together with
 * octets that are done.
 */
#define SCAN_BLOCKS(p, n, mask, scalar)                                                                                \
    do {                                                                                                               \
        if ((n) < 4)                                                                                                   \
            return (scalar);                                                                                           \
        if ((n) < 8)                                                                                                   \
            return scan_first_of_ends(mask(scan_load_ends4(p, n)) & 0xff, 4, n);                                       \
        if ((n) < 16)                                                                                                  \
            return scan_first_of_ends(mask(scan_load_ends8(p, n)), 8, n);                                              \
        for (size_t at = 0; (n)-at >= 16; at += 16) {                                                                  \
            unsigned hits = mask(scan_load((p) + at));                                                                 \
            if (hits != 0)                                                                                             \
                return at + (unsigned)__builtin_ctz(hits);                                                             \
        }                                                                                                              \
        unsigned hits = mask(scan_load((p) + (n)-16));                                                                 \
        return hits != 0 ? (n)-16 + (unsigned)__builtin_ctz(hits) : (n);                                               \
    } while (0)

static inline size_t scan_octet(const uint8_t *p, size_t n, uint8_t c)
{
#define MASK(v) scan_mask_octet(v, (char)c)
    SCAN_BLOCKS(p, n, MASK, scan_octet_scalar(p, n, c));
#undef MASK
}

__attribute__((always_inline)) static inline size_t scan_stop(const uint8_t *p, size_t n, unsigned set)
{
#define MASK(v) scan_mask_stop(v, set)
    SCAN_BLOCKS(p, n, MASK, scan_stop_scalar(p, n, set));
#undef MASK
}
#undef SCAN_BLOCKS
#else
static inline size_t scan_control(const uint8_t *p, size_t n, bool *high)
{
    return scan_control_scalar(p, n, high);
}

static inline size_t scan_octet(const uint8_t *p, size_t n, uint8_t c)
{
    return scan_octet_scalar(p, n, c);
}

static inline size_t scan_stop(const uint8_t *p, size_t n, unsigned set)
{
    return scan_stop_scalar(p, n, set);
}
#endif

#endif
