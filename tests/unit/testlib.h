/* What the unit tests of codec, JSON and base share: cmocka, random numbers (prng.h), hex, files. */
#ifndef UNIT_TESTLIB_H
#define UNIT_TESTLIB_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "prng.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* Octets of a hex text, on the heap; never NULL. Blanks are skipped. */
static inline uint8_t *unhex(const char *hex, size_t *ret_len)
{
    uint8_t *out = malloc(strlen(hex) / 2 + 1);
    size_t digits = 0;
    assert_non_null(out);
    for (const char *p = hex; *p != '\0'; p++) {
        if (*p == ' ')
            continue;
        const char *at = strchr("0123456789abcdef", *p);
        assert_non_null(at);
        unsigned value = (unsigned)(at - "0123456789abcdef");
        out[digits / 2] = (uint8_t)(digits % 2 == 0 ? value << 4 : out[digits / 2] | value);
        digits++;
    }
    assert_int_equal(digits % 2, 0);
    *ret_len = digits / 2;
    return out;
}

/* A whole file, terminated, on the heap. */
static inline char *read_file(const char *path, size_t *ret_len)
{
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    char *text = NULL;
    size_t len = 0;
    for (;;) {
        char *grown = realloc(text, len + 65537);
        assert_non_null(grown);
        text = grown;
        size_t n = fread(text + len, 1, 65536, f);
        len += n;
        if (n == 0)
            break;
    }
    fclose(f);
    text[len] = '\0';
    *ret_len = len;
    return text;
}

#endif
