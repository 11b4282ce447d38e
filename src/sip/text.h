/*
 * Slices of text: lines, words, trimming, comparing. What the scanners of this folder share; header-only. A slice
 * never reaches beyond the one it was cut from, so none of this can read what was not received.
 */
#ifndef SIP_TEXT_H
#define SIP_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "hep/hep.h"
#include "sip/scan.h"

static inline struct hep_slice text_of(const uint8_t *p, size_t len)
{
    return (struct hep_slice){ p, len };
}

/* What is left behind the first n octets; n <= s.len. */
static inline struct hep_slice text_after(struct hep_slice s, size_t n)
{
    return n == 0 ? s : text_of(s.ptr + n, s.len - n);
}

static inline bool text_is_blank(uint8_t c)
{
    return c <= ' ' && (c == ' ' || c == '\t' || c == '\r' || c == '\n');
}

static inline struct hep_slice text_trim(struct hep_slice s)
{
    const uint8_t *p = s.ptr;
    size_t len = s.len;
    for (; len > 0 && text_is_blank(*p); len--)
        p++;
    while (len > 0 && text_is_blank(p[len - 1]))
        len--;
    return text_of(p, len);
}

static inline uint8_t text_lower(uint8_t c)
{
    return (uint8_t)(c - 'A') < 26 ? c | 0x20 : c;
}

/* Compares len octets without regard to case (ASCII). Texts are short here: no call pays. */
static inline bool text_same(const uint8_t *p, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        uint8_t differ = p[i] ^ (uint8_t)text[i];
        if (differ != 0 && (differ != 0x20 || text_lower(p[i]) != text_lower((uint8_t)text[i])))
            return false;
    }
    return true;
}

/*
 * The same, word by word, with a text that the program knows: of the octets from 0x40 on it has letters only. Those
 * have bit 0x40, and may differ in bit 0x20.
 */
#define TEXT_SAME_WORD(type)                                                                                           \
    static inline bool text_same_##type(const uint8_t *p, const char *known)                                           \
    {                                                                                                                  \
        type##_t a;                                                                                                    \
        type##_t b;                                                                                                    \
        memcpy(&a, p, sizeof(a));                                                                                      \
        memcpy(&b, known, sizeof(b));                                                                                  \
        return ((a ^ b) & ~((b & (type##_t)UINT64_C(0x4040404040404040)) >> 1)) == 0;                                  \
    }
TEXT_SAME_WORD(uint16)
TEXT_SAME_WORD(uint32)
TEXT_SAME_WORD(uint64)
#undef TEXT_SAME_WORD

static inline bool text_same_known(const uint8_t *p, const char *known, size_t len)
{
    if (len < 2)
        return text_same(p, known, len);
    if (len < 4)
        return text_same_uint16(p, known) && text_same_uint16(p + (len - 2), known + (len - 2));
    if (len < 8)
        return text_same_uint32(p, known) && text_same_uint32(p + (len - 4), known + (len - 4));
    for (size_t at = 0; at + 8 < len; at += 8) {
        if (!text_same_uint64(p + at, known + at))
            return false;
    }
    return text_same_uint64(p + (len - 8), known + (len - 8));
}

/* Compares with a terminated text that the program knows, without regard to case (ASCII). */
static inline bool text_is(struct hep_slice s, const char *known)
{
    return s.len == strlen(known) && text_same_known(s.ptr, known, s.len);
}

static inline bool text_starts(struct hep_slice s, const char *known)
{
    size_t len = strlen(known);
    return s.len >= len && text_same_known(s.ptr, known, len);
}

/* True if both have the same octets. */
static inline bool text_equal(struct hep_slice a, struct hep_slice b)
{
    size_t i = 0;
    while (i < a.len && i < b.len && a.ptr[i] == b.ptr[i])
        i++;
    return i == a.len && i == b.len;
}

/* Place of the first octet c, s.len if there is none. */
static inline size_t text_find(struct hep_slice s, uint8_t c)
{
    return scan_octet(s.ptr, s.len, c);
}

/*
 * Cuts the next line off: up to LF, or all that is left. The line comes without its LF and the CR before it. False at
 * the end.
 */
static inline bool text_line(struct hep_slice *rest, struct hep_slice *ret)
{
    if (rest->len == 0)
        return false;
    size_t len = text_find(*rest, '\n');
    *ret = text_of(rest->ptr, len);
    *rest = text_after(*rest, len < rest->len ? len + 1 : len);
    if (ret->len > 0 && ret->ptr[ret->len - 1] == '\r')
        ret->len--;
    return true;
}

/* Cuts the next word off, words being separated by spaces. Empty at the end. */
static inline struct hep_slice text_word(struct hep_slice *rest)
{
    while (rest->len > 0 && *rest->ptr == ' ')
        *rest = text_after(*rest, 1);
    size_t len = text_find(*rest, ' ');
    struct hep_slice word = text_of(rest->ptr, len);
    *rest = text_after(*rest, len);
    return word;
}

#endif
