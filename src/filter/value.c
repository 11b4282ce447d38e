#include "filter/value.h"

#include <string.h>

#include "base/utf8.h"
#include "filter/glob.h"
#include "filter/lex.h"

int value_no_memory(const struct value *v)
{
    return filter_fail(v->err, v->at, "out of memory");
}

size_t value_find(struct hep_slice s, char c)
{
    const uint8_t *hit = s.len > 0 ? memchr(s.ptr, c, s.len) : NULL;
    return hit != NULL ? (size_t)(hit - s.ptr) : s.len;
}

size_t value_find_last(struct hep_slice s, char c)
{
    const uint8_t *hit = s.len > 0 ? memrchr(s.ptr, c, s.len) : NULL;
    return hit != NULL ? (size_t)(hit - s.ptr) : s.len;
}

size_t value_span(struct hep_slice s, const char *none_of)
{
    size_t n = 0;
    while (n < s.len && strchr(none_of, s.ptr[n]) == NULL)
        n++;
    return n;
}

struct hep_slice value_lower(const struct value *v, struct hep_slice text)
{
    uint8_t *p = filter_copy(v->f, text.ptr, text.len);
    if (p != NULL)
        glob_lower(p, p, text.len);
    return (struct hep_slice){ p, text.len };
}

/* ------------------------------------------------------------------------------------------------ inner nodes */

struct filter_node *value_any(const struct value *v)
{
    struct filter_node *n = filter_node_new(v->f, FILTER_OR);
    if (n == NULL)
        (void)value_no_memory(v);
    return n;
}

int value_any_add(struct filter_node *any, struct filter_node *child)
{
    if (any == NULL || child == NULL)
        return -1;
    filter_node_add(any, child);
    return 0;
}

struct filter_node *value_all(const struct value *v, struct filter_node *a, struct filter_node *b)
{
    struct filter_node *n = filter_node_new(v->f, FILTER_AND);
    if (n == NULL)
        (void)value_no_memory(v);
    if (n == NULL || a == NULL || b == NULL)
        return NULL;
    filter_node_add(n, a);
    filter_node_add(n, b);
    return n;
}

/* ------------------------------------------------------------------------------------------------ leaves */

/* Rough nanoseconds of a test: numbers before equality before patterns. */
static unsigned cost_of(const struct filter_leaf *l)
{
    static const unsigned costs[] = {
        [FILTER_OP_NUMBER] = 1,  [FILTER_OP_NUMBERS] = 1, [FILTER_OP_ANY] = 1,     [FILTER_OP_EXACT] = 3,
        [FILTER_OP_SET] = 3,     [FILTER_OP_PREFIX] = 3,  [FILTER_OP_SUFFIX] = 3,  [FILTER_OP_CONTAINS] = 20,
        [FILTER_OP_GLOB] = 30,   [FILTER_OP_OCTETS] = 2,  [FILTER_OP_ADDRS] = 2,   [FILTER_OP_NET] = 40,
        [FILTER_OP_REGEX] = 300, [FILTER_OP_PHONE] = 60,  [FILTER_OP_PART] = 2000,
    };
    return costs[l->op] * (l->nocase ? 2 : 1);
}

/* Finds the column in each table. False if none has it: a mistake in the table of fields. */
static bool find_columns(struct filter_word name, struct filter_leaf *leaf, unsigned *ret_options)
{
    bool found = false;
    *ret_options = 0;
    for (unsigned t = 0; t < RECORD_TABLES; t++) {
        int c = record_column_by_name((enum record_table)t, name.ptr, name.len);
        if (c >= 0 && record_column_empty((enum record_table)t, (unsigned)c))
            c = -1;
        leaf->columns[t] = (int8_t)c;
        if (c < 0)
            continue;
        const struct record_column *column = &record_schema((enum record_table)t)->columns[c];
        leaf->name = column->name;
        leaf->kind = column->kind;
        *ret_options = column->options;
        found = true;
    }
    return found;
}

static struct filter_node *add_leaf(const struct value *v, const struct filter_leaf *leaf)
{
    struct filter *f = v->f;
    if (f->part_count++ >= FILTER_PARTS_MAX) {
        (void)filter_fail(v->err, v->at, "more than %d tests", FILTER_PARTS_MAX);
        return NULL;
    }
    struct filter_node *n = filter_node_new(f, FILTER_LEAF);
    struct filter_leaf *test = filter_alloc(f, sizeof(*test));
    if (n == NULL || test == NULL) {
        (void)value_no_memory(v);
        return NULL;
    }
    *test = *leaf;
    test->at = v->at;
    n->test = test;
    n->cost = cost_of(leaf);
    return n;
}

struct filter_node *value_leaf(const struct value *v, struct filter_word column, struct filter_leaf leaf)
{
    unsigned options;
    if (!find_columns(column, &leaf, &options)) {
        (void)filter_fail(v->err, v->at, "no column '%.*s'", (int)column.len, column.ptr);
        return NULL;
    }
    return add_leaf(v, &leaf);
}

/* ------------------------------------------------------------------------------------------------ text leaves */

static bool has_letters(struct hep_slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if ((uint8_t)((s.ptr[i] | 0x20) - 'a') < 26)
            return true;
    return false;
}

static enum filter_op shape_of(struct hep_slice p, struct hep_slice *ret_text)
{
    size_t first = value_find(p, GLOB_STAR);
    size_t last = value_find_last(p, GLOB_STAR);
    *ret_text = p;
    if (first == p.len)
        return FILTER_OP_EXACT;
    if (p.len == 1)
        return FILTER_OP_ANY;
    *ret_text = (struct hep_slice){ p.ptr, p.len - 1 };
    if (first == p.len - 1)
        return FILTER_OP_PREFIX;
    *ret_text = value_from(p, 1);
    if (last == 0)
        return FILTER_OP_SUFFIX;
    *ret_text = (struct hep_slice){ p.ptr + 1, p.len - 2 };
    return first == 0 && last == p.len - 1 && value_find(*ret_text, GLOB_STAR) == ret_text->len ? FILTER_OP_CONTAINS
                                                                                                : FILTER_OP_GLOB;
}

static uint32_t decode_char(const uint8_t *p, size_t n)
{
    static const uint8_t masks[] = { 0, 0x7f, 0x1f, 0x0f, 0x07 };
    uint32_t c = p[0] & masks[n];
    for (size_t i = 1; i < n; i++)
        c = c << 6 | (p[i] & 0x3fu);
    return c;
}

static size_t encode_char(uint32_t c, uint8_t *p)
{
    static const uint8_t leads[] = { 0, 0x00, 0xc0, 0xe0, 0xf0 };
    size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (size_t i = n; i > 1; i--, c >>= 6)
        p[i - 1] = (uint8_t)(0x80 | (c & 0x3f));
    p[0] = (uint8_t)(leads[n] | c);
    return n;
}

/*
 * The least text behind all that begin with `prefix`: its last character replaced by the next one. It must be UTF-8
 * itself, since DuckDB takes no other parameter; octets of UTF-8 sort as the characters do. Behind U+10FFFF there is
 * nothing: that character goes, and the one before it is replaced. Empty if nothing is left. ptr NULL: no memory.
 */
static struct hep_slice text_above(const struct value *v, struct hep_slice prefix)
{
    uint8_t *room = filter_alloc(v->f, prefix.len + 4);
    if (room == NULL)
        return (struct hep_slice){ NULL, 0 };
    size_t len = prefix.len;
    while (len > 0) {
        size_t start = len - 1;
        while (start > 0 && (prefix.ptr[start] & 0xc0) == 0x80)
            start--;
        uint32_t next = decode_char(prefix.ptr + start, len - start) + 1;
        if (next <= 0x10ffff) {
            memcpy(room, prefix.ptr, start);
            next = next == 0xd800 ? 0xe000 : next; /* no surrogates */
            return (struct hep_slice){ room, start + encode_char(next, room + start) };
        }
        len = start;
    }
    return (struct hep_slice){ room, 0 };
}

struct filter_node *value_leaf_text(const struct value *v, struct filter_word column, struct hep_slice pattern,
                                    bool nocase)
{
    struct filter_leaf leaf = { 0 };
    unsigned options;
    if (!find_columns(column, &leaf, &options)) {
        (void)filter_fail(v->err, v->at, "no column '%.*s'", (int)column.len, column.ptr);
        return NULL;
    }
    /* Without letters both ways are the same, and the exact one is found by statistics. */
    leaf.nocase = (nocase || (options & RECORD_NOCASE) != 0) && has_letters(pattern);
    leaf.pattern = leaf.nocase ? value_lower(v, pattern) : pattern;
    if (leaf.pattern.ptr == NULL) {
        (void)value_no_memory(v);
        return NULL;
    }
    leaf.op = shape_of(leaf.pattern, &leaf.text);
    if (leaf.op == FILTER_OP_PREFIX && !leaf.nocase) {
        leaf.above = text_above(v, leaf.text);
        if (leaf.above.ptr == NULL) {
            (void)value_no_memory(v);
            return NULL;
        }
    }
    return add_leaf(v, &leaf);
}

/* ------------------------------------------------------------------------------------------------ texts */

static bool all_nocase(const struct value *v)
{
    struct filter_leaf leaf;
    struct filter_word column;
    unsigned options;
    for (const char *words = v->field->columns; filter_word_next(&words, &column);)
        if (!find_columns(column, &leaf, &options) || (options & RECORD_NOCASE) == 0)
            return v->field->type == FILTER_WORD;
    return true;
}

static int value_text(const struct value *v, struct filter_node **ret, struct hep_slice *ret_text)
{
    struct filter_node *any = value_any(v);
    struct filter_word column;
    for (const char *words = v->field->columns; filter_word_next(&words, &column);)
        if (value_any_add(any, value_leaf_text(v, column, v->pattern, v->field->type == FILTER_WORD)) != 0)
            return -1;
    *ret = any;
    *ret_text = all_nocase(v) ? value_lower(v, v->pattern) : v->pattern;
    return ret_text->ptr != NULL ? 0 : value_no_memory(v);
}

/* The pattern with ",*" behind it, "*," before it, or both. */
static struct hep_slice element(const struct value *v, bool before, bool behind)
{
    struct hep_slice p = v->pattern;
    uint8_t *out = filter_alloc(v->f, p.len + 4);
    size_t n = 0;
    if (out == NULL)
        return (struct hep_slice){ NULL, 0 };
    if (before) {
        out[n++] = GLOB_STAR;
        out[n++] = (uint8_t)v->field->separator;
    }
    memcpy(out + n, p.ptr, p.len);
    n += p.len;
    if (behind) {
        out[n++] = (uint8_t)v->field->separator;
        out[n++] = GLOB_STAR;
    }
    return (struct hep_slice){ out, n };
}

/* One of several in a text: the only one, the first, the last, one between. */
static int value_list(const struct value *v, struct filter_node **ret, struct hep_slice *ret_text)
{
    struct filter_word column = { v->field->columns, strlen(v->field->columns) };
    if (v->pattern.len == 1 && v->pattern.ptr[0] == GLOB_STAR)
        return value_text(v, ret, ret_text);
    *ret = value_any(v);
    for (unsigned i = 0; i < 4; i++) {
        struct hep_slice p = element(v, (i & 1) != 0, (i & 2) != 0);
        if (p.ptr == NULL)
            return value_no_memory(v);
        if (value_any_add(*ret, value_leaf_text(v, column, p, false)) != 0)
            return -1;
    }
    *ret_text = all_nocase(v) ? value_lower(v, v->pattern) : v->pattern;
    return ret_text->ptr != NULL ? 0 : value_no_memory(v);
}

/* ------------------------------------------------------------------------------------------------ terms */

typedef int value_fn(const struct value *v, struct filter_node **ret, struct hep_slice *ret_text);

static value_fn *const by_type[] = {
    [FILTER_TEXT] = value_text,     [FILTER_WORD] = value_text,      [FILTER_LIST] = value_list,
    [FILTER_USER] = value_uri,      [FILTER_URI] = value_uri,        [FILTER_COUNT] = value_number,
    [FILTER_SPAN] = value_number,   [FILTER_DECIMAL] = value_number, [FILTER_PERCENT] = value_number,
    [FILTER_DELAY] = value_number,  [FILTER_STATUS] = value_number,  [FILTER_ADDR] = value_addr,
    [FILTER_SENDER] = value_sender, [FILTER_TYPE] = value_type,      [FILTER_TIME] = value_time,
    [FILTER_PHONE] = value_phone,   [FILTER_HEADER] = value_part,    [FILTER_BODY] = value_part,
    [FILTER_PAYLOAD] = value_part,
};

/* What it tests, and its text in normal form. */
static int make_tests(const struct value *v, struct filter_node **ret, struct hep_slice *ret_text)
{
    struct hep_slice text;
    if (v->form != LEX_PATTERN)
        return value_regex(v, ret) == 0 && value_regex_text(v, ret_text) == 0 ? 0 : -1;
    if (by_type[v->field->type](v, ret, &text) != 0)
        return -1;
    return filter_value_text(v->f, text, ret_text) == 0 ? 0 : value_no_memory(v);
}

int value_add(const struct value *v, struct filter_node *list)
{
    struct filter_node *tests = NULL;
    struct hep_slice text;
    if (make_tests(v, &tests, &text) != 0 || tests == NULL)
        return -1;
    struct filter_node *term = filter_node_new(v->f, FILTER_TERM);
    if (term == NULL)
        return value_no_memory(v);
    term->text = text;
    filter_node_add(term, tests);
    filter_node_add(list, term);
    return 0;
}

/* "field:a,b" */
static int write_list(const struct value *v, const struct filter_node *list, struct hep_slice *ret)
{
    size_t n = v->label.len, room = n + 1;
    for (const struct filter_node *c = list->first; c != NULL; c = c->next)
        room += c->text.len + 1;
    uint8_t *out = filter_alloc(v->f, room);
    if (out == NULL)
        return -1;
    memcpy(out, v->label.ptr, n);
    for (const struct filter_node *c = list->first; c != NULL; c = c->next) {
        out[n++] = c == list->first ? ':' : ',';
        memcpy(out + n, c->text.ptr, c->text.len);
        n += c->text.len;
    }
    *ret = (struct hep_slice){ out, n };
    return 0;
}

int value_term(const struct value *v, struct filter_node *list, struct filter_node **ret)
{
    struct filter_node *term = filter_node_new(v->f, FILTER_TERM);
    if (term == NULL || filter_order_by_text(v->f, list) != 0 || write_list(v, list, &term->text) != 0)
        return value_no_memory(v);
    for (struct filter_node *c = list->first; c != NULL; c = c->next)
        c->text.len = 0; /* it is the term's now */
    filter_node_add(term, list);
    *ret = term;
    return 0;
}
