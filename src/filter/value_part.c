/* Headers by their names, bodies and whole payloads: some place in them, but all of a header. */
#include <string.h>

#include "filter/glob.h"
#include "filter/value.h"
#include "sip/header.h"

static struct hep_slice no_text = { NULL, 0 };

/* ------------------------------------------------------------------------------------------------ names */

static bool is_token(struct hep_slice name)
{
    for (size_t i = 0; i < name.len; i++) {
        uint8_t c = name.ptr[i];
        if ((uint8_t)((c | 0x20) - 'a') >= 26 && (uint8_t)(c - '0') >= 10 &&
            (c == '\0' || strchr("-.!%_+'~", c) == NULL))
            return false;
    }
    return name.len > 0 && name.len <= UINT8_MAX;
}

/* Compact forms by their full names, all in lower case: one header has one name. */
int value_header_label(const struct value *v, struct hep_slice name, struct hep_slice *ret)
{
    const char *full = sip_header_name(sip_header_id(name));
    if (!is_token(name))
        return filter_fail(v->err, v->at, "'%.*s' is no name of a header",
                           filter_shown((const char *)name.ptr, name.len), (const char *)name.ptr);
    if (full[0] != '\0')
        name = (struct hep_slice){ (const uint8_t *)full, strlen(full) };
    size_t prefix = strlen(FILTER_HEADER_PREFIX);
    uint8_t *out = filter_alloc(v->f, prefix + name.len);
    if (out == NULL)
        return value_no_memory(v);
    memcpy(out, FILTER_HEADER_PREFIX, prefix);
    glob_lower(out + prefix, name.ptr, name.len);
    *ret = (struct hep_slice){ out, prefix + name.len };
    return 0;
}

/* ------------------------------------------------------------------------------------------------ patterns */

static bool is_star(struct hep_slice s)
{
    return s.len == 1 && s.ptr[0] == GLOB_STAR;
}

/* Without the stars at its ends, which are there in any case. */
static struct hep_slice inner(struct hep_slice s)
{
    if (is_star(s))
        return s;
    if (s.ptr[0] == GLOB_STAR)
        s = value_from(s, 1);
    s.len -= s.ptr[s.len - 1] == GLOB_STAR;
    return s;
}

/* With stars around it, in lower case. */
static struct hep_slice somewhere(const struct value *v, struct hep_slice s)
{
    uint8_t *out = filter_alloc(v->f, s.len + 2);
    if (is_star(s) || out == NULL)
        return out != NULL ? s : no_text;
    out[0] = out[s.len + 1] = GLOB_STAR;
    glob_lower(out + 1, s.ptr, s.len);
    return (struct hep_slice){ out, s.len + 2 };
}

/* The part, and how it is tested. */
static struct hep_slice spec_of(const struct value *v, const struct filter_leaf *leaf)
{
    struct hep_slice regex = leaf->regex != NULL ? value_regex_spec(v) : no_text;
    uint8_t *out = filter_alloc(v->f, PART_HEAD_MAX + 1 + leaf->pattern.len + regex.len);
    if (out == NULL || (leaf->regex != NULL && regex.ptr == NULL))
        return no_text;
    size_t n = part_write(&leaf->part, out);
    if (leaf->regex == NULL) {
        out[n++] = 'g';
        memcpy(out + n, leaf->pattern.ptr, leaf->pattern.len);
        return (struct hep_slice){ out, n + leaf->pattern.len };
    }
    memcpy(out + n, regex.ptr, regex.len);
    return (struct hep_slice){ out, n + regex.len };
}

/* ------------------------------------------------------------------------------------------------ terms */

/* A test of the payloads of table `sip`, or of the others. */
static int add_leaf(const struct value *v, struct filter_node *any, struct filter_leaf leaf, bool sip)
{
    struct filter_word column = { v->field->columns, strlen(v->field->columns) };
    leaf.packed = spec_of(v, &leaf);
    if (leaf.packed.ptr == NULL)
        return value_no_memory(v);
    struct filter_node *n = value_leaf(v, column, leaf);
    for (unsigned t = 0; n != NULL && t < RECORD_TABLES; t++)
        if ((t == RECORD_SIP) != sip)
            n->test->columns[t] = -1;
    return value_any_add(any, n);
}

static int make_pattern(const struct value *v, struct filter_leaf *leaf, struct hep_slice *ret_text)
{
    bool whole = v->field->type == FILTER_HEADER;
    *ret_text = whole ? v->pattern : inner(v->pattern);
    leaf->pattern = whole ? value_lower(v, v->pattern) : somewhere(v, *ret_text);
    if (leaf->pattern.ptr == NULL)
        return value_no_memory(v);
    *ret_text = value_lower(v, *ret_text);
    return ret_text->ptr != NULL ? 0 : value_no_memory(v);
}

int value_part(const struct value *v, struct filter_node **ret, struct hep_slice *ret_text)
{
    struct filter_leaf leaf = { .op = FILTER_OP_PART };
    bool body = v->field->type == FILTER_BODY, header = v->field->type == FILTER_HEADER;
    size_t prefix = strlen(FILTER_HEADER_PREFIX);
    int rc = v->form != LEX_PATTERN ? value_regex_compile(v, &leaf.regex) : make_pattern(v, &leaf, ret_text);
    if (rc != 0)
        return -1;
    leaf.part.kind = header ? PART_HEADER : body ? PART_BODY : PART_WHOLE;
    if (header)
        leaf.part.name = value_from(v->label, prefix);
    *ret = value_any(v);
    if (add_leaf(v, *ret, leaf, true) != 0)
        return -1;
    leaf.part.kind = PART_WHOLE;
    return header ? 0 : add_leaf(v, *ret, leaf, false);
}
