#include "rtp/json_pull.h"

#include <string.h>

void json_pull_begin(struct json_pull *j, const uint8_t *p, size_t n)
{
    *j = (struct json_pull){ .start = p, .ptr = p, .end = n > 0 ? p + n : p };
}

static enum json_event bad(struct json_pull *j, const char *why)
{
    j->error = why;
    return JSON_PULL_BAD;
}

static void skip_blanks(struct json_pull *j)
{
    while (j->ptr < j->end && (*j->ptr == ' ' || *j->ptr == '\t' || *j->ptr == '\r' || *j->ptr == '\n'))
        j->ptr++;
}

static int peek(const struct json_pull *j)
{
    return j->ptr < j->end ? *j->ptr : -1;
}

/* ------------------------------------------------------------------------------------------------ values */

static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Octets of the escape at p, backslash included; 0 if it is none. */
static size_t escape_len(const uint8_t *p, const uint8_t *end)
{
    if (end - p < 2)
        return 0;
    if (p[1] != 'u')
        return strchr("\"\\/bfnrt", p[1]) != NULL && p[1] != '\0' ? 2 : 0;
    if (end - p < 6)
        return 0;
    for (int i = 2; i < 6; i++) {
        if (hex_digit(p[i]) < 0)
            return 0;
    }
    return 6;
}

/* The string whose quote is next. */
static bool take_string(struct json_pull *j, struct hep_slice *ret)
{
    const uint8_t *begin = ++j->ptr;
    while (j->ptr < j->end && *j->ptr != '"') {
        size_t len = *j->ptr == '\\' ? escape_len(j->ptr, j->end) : *j->ptr >= 0x20;
        if (len == 0) {
            j->error = *j->ptr == '\\' ? "bad escape in a string" : "control character in a string";
            return false;
        }
        j->ptr += len;
    }
    if (j->ptr == j->end) {
        j->error = "string without end";
        return false;
    }
    *ret = (struct hep_slice){ begin, (size_t)(j->ptr - begin) };
    j->ptr++;
    return true;
}

static size_t take_digits(struct json_pull *j)
{
    const uint8_t *begin = j->ptr;
    while (j->ptr < j->end && *j->ptr >= '0' && *j->ptr <= '9')
        j->ptr++;
    return (size_t)(j->ptr - begin);
}

static bool take_number(struct json_pull *j)
{
    const uint8_t *begin = j->ptr;
    if (peek(j) == '-')
        j->ptr++;
    bool zero = peek(j) == '0';
    size_t digits = take_digits(j);
    if (digits == 0 || (zero && digits > 1))
        return false;
    if (peek(j) == '.') {
        j->ptr++;
        if (take_digits(j) == 0)
            return false;
    }
    if (peek(j) == 'e' || peek(j) == 'E') {
        j->ptr++;
        if (peek(j) == '+' || peek(j) == '-')
            j->ptr++;
        if (take_digits(j) == 0)
            return false;
    }
    j->text = (struct hep_slice){ begin, (size_t)(j->ptr - begin) };
    return true;
}

static bool take_word(struct json_pull *j)
{
    static const char *const words[] = { "null", "true", "false", "NaN", "Infinity", "-Infinity" };
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        size_t len = strlen(words[i]);
        if ((size_t)(j->end - j->ptr) >= len && memcmp(j->ptr, words[i], len) == 0) {
            j->text = (struct hep_slice){ j->ptr, len };
            j->ptr += len;
            return true;
        }
    }
    return false;
}

/* ------------------------------------------------------------------------------------------------ containers */

static bool in_list(const struct json_pull *j)
{
    return j->depth > 0 && (j->lists >> (j->depth - 1) & 1) != 0;
}

static enum json_event open_container(struct json_pull *j, bool list)
{
    if (j->depth == JSON_PULL_DEPTH)
        return bad(j, "nested too deep");
    j->ptr++;
    j->depth++;
    j->lists = (j->lists & ~(1u << (j->depth - 1))) | (unsigned)list << (j->depth - 1);
    j->some = false;
    return list ? JSON_PULL_ARRAY : JSON_PULL_OBJECT;
}

static void value_done(struct json_pull *j)
{
    j->some = true;
    j->done = j->depth == 0;
}

static enum json_event close_container(struct json_pull *j)
{
    bool list = in_list(j);
    j->ptr++;
    j->depth--;
    j->key = j->text = (struct hep_slice){ NULL, 0 };
    value_done(j);
    return list ? JSON_PULL_ARRAY_END : JSON_PULL_OBJECT_END;
}

static enum json_event value(struct json_pull *j)
{
    switch (peek(j)) {
    case '{':
        return open_container(j, false);
    case '[':
        return open_container(j, true);
    case '"':
        if (!take_string(j, &j->text))
            return JSON_PULL_BAD;
        value_done(j);
        return JSON_PULL_STRING;
    default:
        break;
    }
    bool word = take_word(j);
    if (!word && !take_number(j))
        return bad(j, "not a value");
    value_done(j);
    return word ? JSON_PULL_WORD : JSON_PULL_NUMBER;
}

/* Key and colon of a member. */
static bool take_key(struct json_pull *j)
{
    if (peek(j) != '"') {
        j->error = "expected a key in quotes";
        return false;
    }
    if (!take_string(j, &j->key))
        return false;
    skip_blanks(j);
    if (peek(j) != ':') {
        j->error = "expected a colon behind the key";
        return false;
    }
    j->ptr++;
    skip_blanks(j);
    return true;
}

static enum json_event at_the_end(struct json_pull *j)
{
    while (peek(j) == '\0') {
        j->ptr++;
        skip_blanks(j);
    }
    return j->ptr == j->end ? JSON_PULL_END : bad(j, "something behind the JSON text");
}

enum json_event json_pull_next(struct json_pull *j)
{
    if (j->error != NULL)
        return JSON_PULL_BAD;
    skip_blanks(j);
    if (j->done)
        return at_the_end(j);
    if (j->depth > 0) {
        if (peek(j) == (in_list(j) ? ']' : '}'))
            return close_container(j);
        if (j->some && peek(j) != ',')
            return bad(j, "expected a comma or the end of the list or object");
        if (j->some) {
            j->ptr++;
            skip_blanks(j);
        }
    }
    j->key = j->text = (struct hep_slice){ NULL, 0 };
    if (j->depth > 0 && !in_list(j) && !take_key(j))
        return JSON_PULL_BAD;
    return value(j);
}

/* ------------------------------------------------------------------------------------------------ escapes */

static unsigned hex4(const uint8_t *p)
{
    unsigned v = 0;
    for (int i = 0; i < 4; i++)
        v = v << 4 | (unsigned)(hex_digit(p[i]) & 15);
    return v;
}

static size_t put_utf8(uint32_t c, uint8_t out[4])
{
    if (c < 0x80) {
        out[0] = (uint8_t)c;
        return 1;
    }
    size_t more = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
    static const uint8_t lead[] = { 0, 0xc0, 0xe0, 0xf0 };
    out[0] = (uint8_t)(lead[more] | c >> (6 * more));
    for (size_t i = 1; i <= more; i++)
        out[i] = (uint8_t)(0x80 | (c >> (6 * (more - i)) & 0x3f));
    return more + 1;
}

/* The character of the escape at p, of which *len octets are taken. */
static uint32_t escaped(const uint8_t *p, const uint8_t *end, size_t *len)
{
    static const char from[] = "bfnrt";
    static const char to[] = "\b\f\n\r\t";
    if (*len == 2) {
        const char *at = strchr(from, p[1]);
        return at != NULL ? (uint8_t)to[at - from] : p[1];
    }
    uint32_t c = hex4(p + 2);
    if (c < 0xd800 || c > 0xdfff)
        return c;
    if (c < 0xdc00 && end - p >= 12 && p[6] == '\\' && p[7] == 'u' && escape_len(p + 6, end) == 6) {
        uint32_t low = hex4(p + 8);
        if (low >= 0xdc00 && low <= 0xdfff) {
            *len = 12;
            return 0x10000 + ((c - 0xd800) << 10 | (low - 0xdc00));
        }
    }
    return 0xfffd;
}

size_t json_pull_unescape(struct hep_slice text, uint8_t *out, size_t cap)
{
    const uint8_t *p = text.ptr;
    const uint8_t *end = text.len > 0 ? p + text.len : p;
    size_t n = 0;
    while (p < end) {
        uint8_t octets[4] = { *p };
        size_t len = *p == '\\' ? escape_len(p, end) : 0;
        size_t made = len > 0 ? put_utf8(escaped(p, end, &len), octets) : 1;
        if (made > cap - n)
            break;
        memcpy(out + n, octets, made);
        n += made;
        p += len > 0 ? len : 1;
    }
    return n;
}
