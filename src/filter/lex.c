#include "filter/lex.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/utf8.h"
#include "filter/glob.h"

#define SHOWN_MAX 40

int filter_fail(struct filter_error *err, size_t at, const char *format, ...)
{
    va_list args;
    if (err == NULL)
        return -1;
    err->at = at;
    va_start(args, format);
    (void)vsnprintf(err->text, sizeof(err->text), format, args);
    va_end(args);
    return -1;
}

int filter_shown(const char *text, size_t len)
{
    size_t shown = 0;
    while (shown < len) {
        size_t n = utf8_char((const uint8_t *)text + shown, len - shown);
        if (n == 0 || shown + n > SHOWN_MAX)
            break;
        shown += n;
    }
    return (int)shown;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

int lex_check(const struct lex *lex)
{
    if (lex->len > FILTER_TEXT_MAX)
        return filter_fail(lex->err, FILTER_TEXT_MAX, "longer than %d octets", FILTER_TEXT_MAX);
    for (size_t i = 0; i < lex->len;) {
        size_t n = utf8_char((const uint8_t *)lex->text + i, lex->len - i);
        if (n == 0)
            return filter_fail(lex->err, i, "not UTF-8");
        if ((uint8_t)lex->text[i] < 0x20 && !is_blank(lex->text[i]))
            return filter_fail(lex->err, i, "control character 0x%02x", (unsigned)(uint8_t)lex->text[i]);
        i += n;
    }
    return 0;
}

void lex_blanks(struct lex *lex)
{
    while (lex->at < lex->len && is_blank(lex->text[lex->at]))
        lex->at++;
}

static bool ends_word(char c)
{
    return is_blank(c) || c == ':' || c == '"' || c == '(' || c == ')';
}

size_t lex_word(const struct lex *lex)
{
    size_t n = 0;
    while (lex->at + n < lex->len && !ends_word(lex->text[lex->at + n]))
        n++;
    return n;
}

bool lex_keyword(struct lex *lex, const char *word)
{
    size_t n = lex_word(lex);
    size_t end = lex->at + n;
    if (n != strlen(word) || strncasecmp(lex->text + lex->at, word, n) != 0 ||
        (end < lex->len && (lex->text[end] == ':' || lex->text[end] == '"')))
        return false;
    lex->at = end;
    return true;
}

bool lex_octet(struct lex *lex, char c)
{
    if (lex->at >= lex->len || lex->text[lex->at] != c)
        return false;
    lex->at++;
    return true;
}

/* ------------------------------------------------------------------------------------------------ values */

/* A value as it is read. */
struct reading {
    struct lex *lex;
    uint8_t octets[FILTER_VALUE_MAX];
    size_t len;
    bool full;
};

static void put(struct reading *r, char c)
{
    r->full = r->full || r->len == sizeof(r->octets);
    if (!r->full)
        r->octets[r->len++] = (uint8_t)c;
}

static void put_star(struct reading *r)
{
    if (r->len == 0 || r->octets[r->len - 1] != GLOB_STAR)
        put(r, GLOB_STAR);
}

/* Behind the opening quote, up to and with the closing one. */
static int read_quoted(struct reading *r)
{
    struct lex *lex = r->lex;
    size_t start = lex->at - 1;
    for (; lex->at < lex->len; lex->at++) {
        char c = lex->text[lex->at];
        if (c == '"') {
            lex->at++;
            return 0;
        }
        if (c == '\\') {
            char next = lex->at + 1 < lex->len ? lex->text[lex->at + 1] : '\0';
            if (next != '"' && next != '\\' && next != '*')
                return filter_fail(lex->err, lex->at, "inside quotes a backslash goes before \", \\ or * only");
            c = next;
            lex->at++;
        }
        put(r, c);
    }
    return filter_fail(lex->err, start, "the closing quote is missing");
}

/* Behind the backslash. Letters and digits are kept for what may come. */
static int read_escape(struct reading *r)
{
    struct lex *lex = r->lex;
    char c = lex->at < lex->len ? lex->text[lex->at] : '\0';
    if (c == '\0' || (c & 0x80) != 0 || (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z'))
        return filter_fail(lex->err, lex->at - 1, "a backslash goes before a sign, such as \\* or \\\\");
    put(r, c);
    lex->at++;
    return 0;
}

static int read_octet(struct reading *r)
{
    struct lex *lex = r->lex;
    char c = lex->text[lex->at++];
    switch (c) {
    case '"':
        return read_quoted(r);
    case '\\':
        return read_escape(r);
    case '*':
        put_star(r);
        return 0;
    case '(':
        return filter_fail(lex->err, lex->at - 1, "a value with '(' goes into quotes");
    default:
        put(r, c);
        return 0;
    }
}

static bool ends_value(const struct lex *lex)
{
    if (lex->at >= lex->len)
        return true;
    char c = lex->text[lex->at];
    return is_blank(c) || c == ')' || c == ',';
}

/* Behind the opening slash, up to the closing one and what follows it. A slash in it has a backslash before it. */
static int read_regex(struct reading *r, enum lex_form *ret_form)
{
    struct lex *lex = r->lex;
    size_t start = lex->at - 1;
    while (lex->at < lex->len && lex->text[lex->at] != '/') {
        char c = lex->text[lex->at++];
        if (c == '\\' && lex->at < lex->len) {
            if (lex->text[lex->at] != '/')
                put(r, c);
            c = lex->text[lex->at++];
        }
        put(r, c);
    }
    if (!lex_octet(lex, '/'))
        return filter_fail(lex->err, start,
                           "the closing '/' of a regular expression is missing; a value that begins "
                           "with '/' goes into quotes");
    *ret_form = lex_octet(lex, 'i') ? LEX_REGEX_NOCASE : LEX_REGEX;
    return ends_value(lex) ? 0 : filter_fail(lex->err, lex->at, "behind a regular expression comes 'i' or nothing");
}

static int read_pattern(struct reading *r)
{
    struct lex *lex = r->lex;
    if (lex_octet(lex, '?')) {
        if (ends_value(lex)) {
            put_star(r);
            return 0;
        }
        lex->at--;
    }
    while (!ends_value(lex))
        if (read_octet(r) != 0)
            return -1;
    return 0;
}

int lex_value(struct lex *lex, struct filter *f, struct hep_slice *ret, enum lex_form *ret_form)
{
    struct reading r;
    size_t start = lex->at;
    r.lex = lex;
    r.len = 0;
    r.full = false;
    *ret_form = LEX_PATTERN;
    if ((lex_octet(lex, '/') ? read_regex(&r, ret_form) : read_pattern(&r)) != 0)
        return -1;
    if (r.full)
        return filter_fail(lex->err, start, "a value of more than %d octets", FILTER_VALUE_MAX);
    *ret = (struct hep_slice){ filter_copy(f, r.octets, r.len), r.len };
    return ret->ptr != NULL ? 0 : filter_fail(lex->err, lex->at, "out of memory");
}
