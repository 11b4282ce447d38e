/* Phone numbers: what is asked for in its canonical form, with a star at one end or at both. */
#include <string.h>

#include "filter/glob.h"
#include "filter/phone.h"
#include "filter/value.h"

static int bad_phone(const struct value *v)
{
    return filter_fail(v->err, v->at, "'%s' is a phone number such as \"+49 30 1234\", 0301234, +4930* or *1234",
                       v->field->name);
}

/* Writes the pattern of canonical forms; false if the value is no number. */
static bool write_pattern(const struct value *v, uint8_t *out, size_t *ret_len)
{
    struct hep_slice s = v->pattern;
    bool before = s.ptr[0] == GLOB_STAR, behind = s.ptr[s.len - 1] == GLOB_STAR;
    char canonical[PHONE_DIGITS_MAX + 2];
    size_t n = 0;
    out[0] = GLOB_STAR;
    *ret_len = 1;
    if (s.len == 1 && before)
        return true;
    s = before ? value_from(s, 1) : s;
    s.len -= behind;
    /* The end of a number has no prefix that could be told. */
    static const struct filter_rules none = { "", "", "" };
    n = value_find(s, GLOB_STAR) < s.len ? 0
        : before                         ? phone_canonical(&none, s.ptr, s.len, canonical)
                                         : phone_canonical(&v->options->rules, s.ptr, s.len, canonical);
    if (n == 0 || (before && value_find(s, '+') < s.len))
        return false;
    size_t plus = before && canonical[0] == '+';
    memcpy(out + before, canonical + plus, n - plus);
    *ret_len = before + n - plus + behind;
    if (behind)
        out[*ret_len - 1] = GLOB_STAR;
    return true;
}

int value_phone(const struct value *v, struct filter_node **ret, struct hep_slice *ret_text)
{
    struct filter_leaf leaf = { .op = FILTER_OP_PHONE };
    uint8_t *pattern = filter_alloc(v->f, PHONE_DIGITS_MAX + 4), *spec = filter_alloc(v->f, PHONE_SPEC_MAX);
    struct filter_word column;
    size_t n;
    if (pattern == NULL || spec == NULL)
        return value_no_memory(v);
    if (!write_pattern(v, pattern, &n))
        return bad_phone(v);
    leaf.packed = (struct hep_slice){ spec, phone_spec(&v->options->rules, pattern, n, spec) };
    *ret = value_any(v);
    for (const char *words = v->field->columns; filter_word_next(&words, &column);)
        if (value_any_add(*ret, value_leaf(v, column, leaf)) != 0)
            return -1;
    *ret_text = (struct hep_slice){ pattern, n };
    return 0;
}
