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
#include <strings.h>

#include "hep/hep.h"

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
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static inline struct hep_slice text_trim(struct hep_slice s)
{
    while (s.len > 0 && text_is_blank(*s.ptr))
        s = text_after(s, 1);
    while (s.len > 0 && text_is_blank(s.ptr[s.len - 1]))
        s.len--;
    return s;
}

/* Compares with a terminated text without regard to case (ASCII). */
static inline bool text_is(struct hep_slice s, const char *text)
{
    return s.len == strlen(text) && (s.len == 0 || strncasecmp((const char *)s.ptr, text, s.len) == 0);
}

static inline bool text_starts(struct hep_slice s, const char *text)
{
    size_t len = strlen(text);
    return s.len >= len && strncasecmp((const char *)s.ptr, text, len) == 0;
}

/* Place of the first octet c, s.len if there is none. */
static inline size_t text_find(struct hep_slice s, uint8_t c)
{
    const uint8_t *at = s.len > 0 ? memchr(s.ptr, c, s.len) : NULL;
    return at != NULL ? (size_t)(at - s.ptr) : s.len;
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
