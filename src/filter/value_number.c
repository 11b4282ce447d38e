/* Numbers, status codes and their classes, payload types. */
#include <stdio.h>
#include <string.h>

#include "base/near.h"
#include "base/num.h"
#include "base/when.h"
#include "filter/glob.h"
#include "filter/lex.h"
#include "filter/value.h"

#define NUMBER_MAX ((int64_t)UINT32_MAX)
#define ONE_MAX    32 /* octets of a number with its unit */

struct range {
    int64_t low, high;
};

/* ------------------------------------------------------------------------------------------------ reading */

static bool is_star(struct hep_slice s)
{
    return s.len == 1 && s.ptr[0] == GLOB_STAR;
}

/* What is written behind a number of the type; NULL: it has no decimals. */
static const char *unit_of_decimals(enum filter_value_type type)
{
    switch (type) {
    case FILTER_DECIMAL:
        return "";
    case FILTER_PERCENT:
        return "%";
    case FILTER_DELAY:
        return "ms";
    default:
        return NULL;
    }
}

/* "3.5", "2%", "30ms" as hundredths; the unit may be left out. */
static bool read_decimal(struct hep_slice s, const char *unit, int64_t *ret)
{
    size_t len = strlen(unit);
    if (len > 0 && s.len > len && memcmp(s.ptr + s.len - len, unit, len) == 0)
        s.len -= len;
    return num_parse_hundredths((const char *)s.ptr, s.len, RECORD_DECIMAL_MAX, ret);
}

/* A number as the column has it: of milliseconds "1500ms", "1.5s", "90", "2m", seconds where no unit is given. */
static bool read_one(const struct value *v, struct hep_slice s, int64_t *ret)
{
    uint64_t n;
    int64_t us;
    const char *unit = unit_of_decimals(v->field->type);
    if (unit != NULL)
        return read_decimal(s, unit, ret);
    if (v->field->type == FILTER_SPAN) {
        if (!when_duration((const char *)s.ptr, s.len, NUMBER_MAX * 1000, &us))
            return false;
        *ret = us / 1000;
        return true;
    }
    if (!num_parse((const char *)s.ptr, s.len, (uint64_t)NUMBER_MAX, &n))
        return false;
    *ret = (int64_t)n;
    return true;
}

/* "486", ">=400", ">400", "<=399", "<400", "=486" */
static bool read_comparison(const struct value *value, struct hep_slice s, struct range *ret)
{
    int64_t v;
    char sign = s.len > 0 && strchr("<>=", s.ptr[0]) != NULL ? (char)s.ptr[0] : '\0';
    bool equal = sign == '=' || (sign != '\0' && s.len > 1 && s.ptr[1] == '=');
    s = value_from(s, sign == '\0' ? 0 : equal && sign != '=' ? 2 : 1);
    if (!read_one(value, s, &v))
        return false;
    *ret = (struct range){ v, v };
    if (sign == '>')
        *ret = (struct range){ equal ? v : v + 1, NUMBER_MAX };
    if (sign == '<')
        *ret = (struct range){ 0, equal ? v : v - 1 };
    return true;
}

/* "400..499", "400..", "..499" */
static bool read_between(const struct value *v, struct hep_slice s, struct range *ret)
{
    *ret = (struct range){ 0, NUMBER_MAX };
    const uint8_t *dots = memmem(s.ptr, s.len, "..", 2);
    if (dots == NULL || s.len == 2)
        return false;
    size_t n = (size_t)(dots - s.ptr);
    return (n == 0 || read_one(v, (struct hep_slice){ s.ptr, n }, &ret->low)) &&
           (n + 2 == s.len || read_one(v, value_from(s, n + 2), &ret->high));
}

/* "4xx", "48*", "4*": digits, then signs for any digit; three digits in all. */
static bool read_class(struct hep_slice s, struct range *ret)
{
    int64_t low = 0, width = 1;
    size_t digits = 0;
    while (digits < s.len && digits < 3 && (uint8_t)(s.ptr[digits] - '0') < 10)
        low = low * 10 + (s.ptr[digits++] - '0');
    if (digits == 0 || digits == 3 || digits == s.len || s.len > 3 || s.ptr[0] == '0')
        return false;
    for (size_t i = digits; i < s.len; i++)
        if (s.ptr[i] != GLOB_STAR && (s.ptr[i] | 0x20) != 'x')
            return false;
    for (size_t i = digits; i < 3; i++)
        width *= 10;
    *ret = (struct range){ low * width, low * width + width - 1 };
    return true;
}

/* ------------------------------------------------------------------------------------------------ writing */

/* "4xx" for 400..499, "48x" for 480..489; 0 if the range is no class. */
static size_t write_class(struct range r, char out[32])
{
    for (int64_t width = 100; width >= 10; width /= 10)
        if (r.high - r.low == width - 1 && r.low % width == 0 && r.low >= 100 && r.high < 1000)
            return (size_t)snprintf(out, 32, "%lld%s", (long long)(r.low / width), width == 100 ? "xx" : "x");
    return 0;
}

/* One number with its unit. */
static void write_one(const struct value *v, int64_t n, char out[ONE_MAX])
{
    const char *unit = unit_of_decimals(v->field->type);
    char digits[NUM_HUNDREDTHS_TEXT];
    if (unit != NULL && n >= 0) {
        (void)num_format_hundredths(n, digits);
        (void)snprintf(out, ONE_MAX, "%s%s", digits, unit);
    } else {
        (void)snprintf(out, ONE_MAX, "%lld%s", (long long)n, v->field->type == FILTER_SPAN ? "ms" : "");
    }
}

static struct hep_slice write_range(const struct value *v, struct range r)
{
    char out[2 * ONE_MAX + 4], low[ONE_MAX], high[ONE_MAX];
    size_t n = v->field->type == FILTER_STATUS ? write_class(r, out) : 0;
    write_one(v, r.low, low);
    write_one(v, r.high, high);
    if (n == 0 && r.low == r.high)
        n = (size_t)snprintf(out, sizeof(out), "%s", low);
    else if (n == 0 && r.low <= 0 && r.high >= NUMBER_MAX)
        out[n++] = GLOB_STAR;
    else if (n == 0 && r.low > 0 && r.high < NUMBER_MAX)
        n = (size_t)snprintf(out, sizeof(out), "%s..%s", low, high);
    else if (n == 0 && r.low > 0)
        n = (size_t)snprintf(out, sizeof(out), ">=%s", low);
    else if (n == 0)
        n = (size_t)snprintf(out, sizeof(out), "<=%s", high);
    return (struct hep_slice){ filter_copy(v->f, out, n), n };
}

/* ------------------------------------------------------------------------------------------------ terms */

static int bad_number(const struct value *v)
{
    if (v->field->type == FILTER_STATUS)
        return filter_fail(v->err, v->at, "'%s' is a status such as 486, 4xx, 48x, >=400 or 400..499", v->field->name);
    if (v->field->type == FILTER_SPAN)
        return filter_fail(v->err, v->at, "'%s' is a length of time such as >60s, <=1500ms, 2m or 1s..3s",
                           v->field->name);
    const char *unit = unit_of_decimals(v->field->type);
    if (unit != NULL)
        return filter_fail(v->err, v->at,
                           "'%s' is a number such as >3.5%s, <=20%s or 1..2.5%s, with two decimals at most",
                           v->field->name, unit, unit, unit);
    return filter_fail(v->err, v->at, "'%s' is a number such as 16, >=16, <16 or 1..5, up to %lld", v->field->name,
                       (long long)NUMBER_MAX);
}

int value_number(const struct value *v, struct filter_node **ret, struct hep_slice *ret_text)
{
    struct range r = { 0, NUMBER_MAX };
    if (!is_star(v->pattern) && !read_comparison(v, v->pattern, &r) && !read_between(v, v->pattern, &r) &&
        !(v->field->type == FILTER_STATUS && read_class(v->pattern, &r)))
        return bad_number(v);
    if (r.low > r.high)
        return filter_fail(v->err, v->at, "no number is like that");
    struct filter_word column;
    *ret = value_any(v);
    for (const char *words = v->field->columns; filter_word_next(&words, &column);) {
        struct filter_leaf leaf = { .op = FILTER_OP_NUMBER, .low = r.low, .high = r.high };
        if (value_any_add(*ret, value_leaf(v, column, leaf)) != 0)
            return -1;
    }
    *ret_text = write_range(v, r);
    return ret_text->ptr != NULL ? 0 : value_no_memory(v);
}

/* The name of a type or table that was meant, NULL if none is near. */
static const char *nearest_type(struct hep_slice s)
{
    const char *found = NULL;
    size_t best = 3;
    for (unsigned i = 0; i < 256 + RECORD_CALL; i++) {
        const char *name = i < 256 ? hep_type_name((uint8_t)i) : record_schema((enum record_table)(i - 256))->name;
        size_t d = name == NULL ? best : near_distance((const char *)s.ptr, s.len, name, strlen(name), best);
        if (d < best) {
            best = d;
            found = name;
        }
    }
    return found;
}

static int bad_type(const struct value *v, struct hep_slice s)
{
    const char *near = nearest_type(s);
    return filter_fail(v->err, v->at, "unknown type '%.*s'%s%s%s", filter_shown((const char *)s.ptr, s.len),
                       (const char *)s.ptr, near != NULL ? ", did you mean '" : "", near != NULL ? near : "",
                       near != NULL ? "'?" : "");
}

/* A leaf that only rows of one table can pass. */
static struct filter_node *type_leaf(const struct value *v, int table, struct range r)
{
    struct filter_word column = { v->field->columns, strlen(v->field->columns) };
    struct filter_leaf leaf = { .op = FILTER_OP_NUMBER, .low = r.low, .high = r.high };
    struct filter_node *n = value_leaf(v, column, leaf);
    for (int t = 0; n != NULL && t < RECORD_TABLES; t++)
        if (table >= 0 && t != table)
            n->test->columns[t] = -1;
    return n;
}

int value_type(const struct value *v, struct filter_node **ret, struct hep_slice *ret_text)
{
    struct range all = { 0, NUMBER_MAX };
    uint64_t number = 0;
    *ret_text = value_lower(v, v->pattern);
    if (ret_text->ptr == NULL)
        return value_no_memory(v);
    const char *text = (const char *)ret_text->ptr;
    int table = record_table_by_name(text, ret_text->len);
    if ((table >= 0 && (RECORD_TABLES_MESSAGES >> table & 1) != 0) || is_star(*ret_text)) {
        *ret = type_leaf(v, table, all);
        return *ret != NULL ? 0 : -1;
    }
    int named = hep_type_number(text, ret_text->len);
    if (named < 0 && !num_parse(text, ret_text->len, UINT8_MAX, &number))
        return bad_type(v, v->pattern);
    int64_t type = named >= 0 ? named : (int64_t)number;
    *ret = type_leaf(v, (int)record_table_of((uint8_t)type), (struct range){ type, type });
    *ret_text = write_range(v, (struct range){ type, type });
    if (ret_text->ptr == NULL)
        return value_no_memory(v);
    return *ret != NULL ? 0 : -1;
}
