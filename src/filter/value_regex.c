/* Regular expressions as values: on texts, users, addresses as they are written, and parts of payloads. */
#include <string.h>

#include "filter/value.h"

static bool nocase(const struct value *v)
{
    return v->form == LEX_REGEX_NOCASE;
}

struct hep_slice value_regex_spec(const struct value *v)
{
    uint8_t *out = filter_alloc(v->f, v->pattern.len + 1);
    if (out != NULL) {
        out[0] = nocase(v) ? 'R' : 'r';
        memcpy(out + 1, v->pattern.ptr, v->pattern.len);
    }
    return (struct hep_slice){ out, v->pattern.len + 1 };
}

int value_regex_text(const struct value *v, struct hep_slice *ret)
{
    struct hep_slice s = v->pattern;
    uint8_t *out = filter_alloc(v->f, 2 * s.len + 4);
    size_t n = 0;
    if (out == NULL)
        return value_no_memory(v);
    out[n++] = '/';
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] == '/')
            out[n++] = '\\';
        else if (s.ptr[i] == '\\' && i + 1 < s.len)
            out[n++] = s.ptr[i++];
        out[n++] = s.ptr[i];
    }
    out[n++] = '/';
    if (nocase(v))
        out[n++] = 'i';
    *ret = (struct hep_slice){ out, n };
    return 0;
}

int value_regex_compile(const struct value *v, const struct regex **ret)
{
    struct regex_error bad;
    struct filter_regex *kept = filter_alloc(v->f, sizeof(*kept));
    if (kept == NULL)
        return value_no_memory(v);
    if (regex_compile(&kept->regex, v->pattern.ptr, v->pattern.len, nocase(v), &bad) != 0)
        return filter_fail(v->err, v->at + 1 + bad.at, "regular expression: %s", bad.text);
    kept->next = v->f->regexes;
    v->f->regexes = kept;
    *ret = kept->regex;
    return 0;
}

/* Which of the columns of a field have text for it: one of `of`, from the first on. */
static size_t columns_of(enum filter_value_type type, size_t *ret_first)
{
    *ret_first = type == FILTER_ADDR ? 1 : 0;
    switch (type) {
    case FILTER_TEXT:
    case FILTER_WORD:
    case FILTER_LIST:
    case FILTER_USER:
    case FILTER_SENDER:
        return 1;
    case FILTER_URI:
        return 2;
    case FILTER_ADDR:
        return 3;
    default:
        return 0;
    }
}

int value_regex(const struct value *v, struct filter_node **ret)
{
    struct filter_leaf leaf = { .op = FILTER_OP_REGEX, .packed = value_regex_spec(v) };
    struct filter_word column;
    struct hep_slice unused;
    size_t first, of = columns_of(v->field->type, &first), i = 0;
    if (v->field->type == FILTER_HEADER || v->field->type == FILTER_BODY || v->field->type == FILTER_PAYLOAD)
        return value_part(v, ret, &unused);
    if (of == 0)
        return filter_fail(v->err, v->at,
                           "'%s' takes no regular expression; a value that begins with '/' goes into "
                           "quotes",
                           v->field->name);
    if (leaf.packed.ptr == NULL)
        return value_no_memory(v);
    if (value_regex_compile(v, &leaf.regex) != 0)
        return -1;
    *ret = value_any(v);
    for (const char *words = v->field->columns; filter_word_next(&words, &column); i++)
        if (i % of == first && value_any_add(*ret, value_leaf(v, column, leaf)) != 0)
            return -1;
    return 0;
}
