/* Times: comparisons and ranges, of absolute times or of times relative to the one at which the filter is read. */
#include <stdio.h>
#include <string.h>

#include "base/when.h"
#include "filter/glob.h"
#include "filter/value.h"

struct span {
    int64_t low, high; /* both are in it */
};

static bool read_time(const struct value *v, struct hep_slice s, int64_t *ret)
{
    return s.len > 0 && when_parse((const char *)s.ptr, s.len, v->options->now_us, ret);
}

/* ">T", ">=T", "<T", "<=T" */
static bool read_comparison(const struct value *v, struct span *ret)
{
    struct hep_slice s = v->pattern;
    int64_t t;
    bool above = s.ptr[0] == '>', equal = s.len > 1 && s.ptr[1] == '=';
    if ((!above && s.ptr[0] != '<') || !read_time(v, value_from(s, equal ? 2 : 1), &t))
        return false;
    *ret = above ? (struct span){ equal ? t : t + 1, INT64_MAX } : (struct span){ INT64_MIN, equal ? t : t - 1 };
    return true;
}

/* "A..B", "A..", "..B" */
static bool read_between(const struct value *v, struct span *ret)
{
    struct hep_slice s = v->pattern;
    const uint8_t *dots = memmem(s.ptr, s.len, "..", 2);
    if (dots == NULL || s.len == 2)
        return false;
    struct hep_slice low = { s.ptr, (size_t)(dots - s.ptr) }, high = value_from(s, low.len + 2);
    *ret = (struct span){ INT64_MIN, INT64_MAX };
    return (low.len == 0 || read_time(v, low, &ret->low)) && (high.len == 0 || read_time(v, high, &ret->high));
}

static struct hep_slice write_span(const struct value *v, struct span s)
{
    char low[WHEN_TEXT_MAX], high[WHEN_TEXT_MAX], out[2 * WHEN_TEXT_MAX + 4] = { GLOB_STAR };
    int n = 1;
    (void)when_format(s.low, low);
    (void)when_format(s.high, high);
    if (s.low != INT64_MIN && s.high != INT64_MAX)
        n = snprintf(out, sizeof(out), "%s..%s", low, high);
    else if (s.low != INT64_MIN)
        n = snprintf(out, sizeof(out), ">=%s", low);
    else if (s.high != INT64_MAX)
        n = snprintf(out, sizeof(out), "<=%s", high);
    return (struct hep_slice){ filter_copy(v->f, out, (size_t)n), (size_t)n };
}

int value_time(const struct value *v, struct filter_node **ret, struct hep_slice *ret_text)
{
    struct filter_word column = { v->field->columns, strlen(v->field->columns) };
    struct span s = { INT64_MIN, INT64_MAX };
    bool star = v->pattern.len == 1 && v->pattern.ptr[0] == GLOB_STAR;
    if (!star && !read_comparison(v, &s) && !read_between(v, &s))
        return filter_fail(v->err, v->at,
                           "'%s' is a comparison or a range of times: >-1h, >=2026-01-31T12:00Z, "
                           "2026-01-31T12:00Z..2026-01-31T13:00Z",
                           v->field->name);
    if (s.low > s.high)
        return filter_fail(v->err, v->at, "no time is like that");
    struct filter_leaf leaf = { .op = star ? FILTER_OP_ANY : FILTER_OP_NUMBER, .low = s.low, .high = s.high };
    *ret = value_leaf(v, column, leaf);
    *ret_text = write_span(v, s);
    if (ret_text->ptr == NULL)
        return value_no_memory(v);
    return *ret != NULL ? 0 : -1;
}
