#include "filter/phone.h"

#include <string.h>

#include "filter/glob.h"

#define NATIONAL_MIN 7 /* digits behind a country code that nothing announces */
#define UNMARKED_MIN 8 /* digits of an international number that nothing announces, where no country is configured */

/* ------------------------------------------------------------------------------------------------ rules */

void filter_rules_default(struct filter_rules *ret)
{
    *ret = (struct filter_rules){ "", "00,011", "0" };
}

/* Digits, with commas between them if there may be several. */
static bool set_digits(char *out, size_t size, const char *text, bool several)
{
    if (text == NULL || strcmp(text, "none") == 0)
        text = "";
    size_t len = strlen(text);
    if (len >= size || strspn(text, several ? "0123456789," : "0123456789") != len)
        return false;
    memcpy(out, text, len + 1);
    return true;
}

bool filter_rules_set(struct filter_rules *ret, const char *country, const char *international, const char *trunk)
{
    return set_digits(ret->country, sizeof(ret->country), country, false) &&
           set_digits(ret->international, sizeof(ret->international), international, true) &&
           set_digits(ret->trunk, sizeof(ret->trunk), trunk, false);
}

/* ------------------------------------------------------------------------------------------------ reading */

static bool is_digit(uint8_t c)
{
    return (uint8_t)(c - '0') < 10;
}

/* Digits alone; 0 if there is anything else, or none. */
static size_t read_digits(const uint8_t *text, size_t len, char out[PHONE_DIGITS_MAX], bool *ret_plus)
{
    size_t n = 0;
    *ret_plus = false;
    for (size_t i = 0; i < len; i++) {
        if (is_digit(text[i]) && n < PHONE_DIGITS_MAX)
            out[n++] = (char)text[i];
        else if (text[i] == '+' && n == 0 && !*ret_plus)
            *ret_plus = true;
        else if (text[i] == '\0' || strchr(" -./()", text[i]) == NULL)
            return 0;
    }
    return n;
}

static bool begins(const char *digits, size_t n, const char *prefix, size_t len)
{
    return len > 0 && n > len && memcmp(digits, prefix, len) == 0;
}

/* The longest prefix of the list, by commas, that the digits begin with; 0: none. */
static size_t international(const struct filter_rules *rules, const char *digits, size_t n)
{
    size_t best = 0;
    for (const char *at = rules->international; *at != '\0';) {
        size_t len = strcspn(at, ",");
        if (len > best && begins(digits, n, at, len))
            best = len;
        at += len + (at[len] == ',');
    }
    return best;
}

/* ------------------------------------------------------------------------------------------------ the canonical form
 */

/* "+", country, digits */
static size_t write_plus(const char *country, const char *digits, size_t n, char out[PHONE_DIGITS_MAX + 2])
{
    size_t len = strlen(country);
    if (len + n > PHONE_DIGITS_MAX)
        return 0;
    out[0] = '+';
    memcpy(out + 1, country, len);
    memcpy(out + 1 + len, digits, n);
    return 1 + len + n;
}

static size_t write_bare(const char *digits, size_t n, char out[PHONE_DIGITS_MAX + 2])
{
    memcpy(out, digits, n);
    return n;
}

size_t phone_canonical(const struct filter_rules *rules, const uint8_t *text, size_t len,
                       char out[PHONE_DIGITS_MAX + 2])
{
    char digits[PHONE_DIGITS_MAX];
    bool plus;
    size_t n = read_digits(text, len, digits, &plus), prefix;
    size_t country = strlen(rules->country), trunk = strlen(rules->trunk);
    if (n == 0)
        return 0;
    if (plus)
        return write_plus("", digits, n, out);
    if ((prefix = international(rules, digits, n)) > 0)
        return write_plus("", digits + prefix, n - prefix, out);
    if (country == 0)
        return n >= UNMARKED_MIN && digits[0] != '0' ? write_plus("", digits, n, out) : write_bare(digits, n, out);
    if (begins(digits, n, rules->country, country) && n - country >= NATIONAL_MIN)
        return write_plus("", digits, n, out);
    if (begins(digits, n, rules->trunk, trunk))
        return write_plus(rules->country, digits + trunk, n - trunk, out);
    if (trunk == 0 && n >= NATIONAL_MIN)
        return write_plus(rules->country, digits, n, out);
    return write_bare(digits, n, out);
}

/* ------------------------------------------------------------------------------------------------ for SQL */

static size_t put(uint8_t *out, size_t n, const void *ptr, size_t len)
{
    if (len > 0)
        memcpy(out + n, ptr, len);
    out[n + len] = ';';
    return n + len + 1;
}

size_t phone_spec(const struct filter_rules *rules, const uint8_t *pattern, size_t len, uint8_t out[PHONE_SPEC_MAX])
{
    size_t n = put(out, 0, rules->country, strlen(rules->country));
    n = put(out, n, rules->international, strlen(rules->international));
    n = put(out, n, rules->trunk, strlen(rules->trunk));
    return put(out, n, pattern, len) - 1;
}

/* The next text before a semicolon; false if it is too long, or missing. */
static bool take(const uint8_t **at, const uint8_t *end, char *out, size_t size)
{
    const uint8_t *semicolon = memchr(*at, ';', (size_t)(end - *at));
    if (semicolon == NULL || (size_t)(semicolon - *at) >= size)
        return false;
    memcpy(out, *at, (size_t)(semicolon - *at));
    out[semicolon - *at] = '\0';
    *at = semicolon + 1;
    return true;
}

bool phone_function(const uint8_t *value, size_t len, const uint8_t *spec, size_t spec_len)
{
    struct filter_rules rules = { .country = "" };
    char canonical[PHONE_DIGITS_MAX + 2];
    const uint8_t *at = spec, *end = spec + spec_len;
    if (!take(&at, end, rules.country, sizeof(rules.country)) ||
        !take(&at, end, rules.international, sizeof(rules.international)) ||
        !take(&at, end, rules.trunk, sizeof(rules.trunk)))
        return false;
    size_t n = phone_canonical(&rules, value, len, canonical);
    return n > 0 && glob_match((const uint8_t *)canonical, n, at, (size_t)(end - at));
}
