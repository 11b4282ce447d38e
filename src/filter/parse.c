/*
 * The grammar, by recursive descent:
 *
 *     filter = [ any ]
 *     any    = all { OR all }
 *     all    = one { [ AND ] one }
 *     one    = NOT one | ( any ) | field:value{,value}
 */
#include <stdlib.h>
#include <string.h>

#include "base/when.h"
#include "filter/lex.h"
#include "filter/tree.h"
#include "filter/value.h"

struct parser {
    struct lex lex;
    struct filter *f;
    const struct filter_options *options;
    unsigned depth; /* of one in one */
};

static int no_memory(const struct parser *p)
{
    return filter_fail(p->lex.err, p->lex.at, "out of memory");
}

/* ------------------------------------------------------------------------------------------------ terms */

static int unknown_field(const struct parser *p, size_t len)
{
    const char *word = p->lex.text + p->lex.at;
    const char *near = filter_field_nearest(word, len);
    if (near != NULL)
        return filter_fail(p->lex.err, p->lex.at, "unknown field '%.*s', did you mean '%s'?", filter_shown(word, len),
                           word, near);
    return filter_fail(p->lex.err, p->lex.at, "unknown field '%.*s'", filter_shown(word, len), word);
}

/* What a word without a field may have been: guessed by its looks. */
static const char *guess_field(const char *word, size_t len)
{
    struct net net;
    struct hep_slice s = { (const uint8_t *)word, len };
    if (net_parse(s.ptr, len, &net))
        return "ip";
    if (len == 3 && word[0] >= '1' && word[0] <= '6')
        return "status";
    if (value_find(s, '@') < len)
        return "callid";
    for (size_t i = 0; i < len; i++)
        if (word[i] < 'A' || word[i] > 'Z')
            return "user";
    return "method";
}

/* A word or sign of the grammar where a test should be. */
static bool is_operator(const struct parser *p)
{
    struct lex ahead = p->lex;
    return lex_keyword(&ahead, "AND") || lex_keyword(&ahead, "OR") || lex_keyword(&ahead, "NOT") ||
           lex_octet(&ahead, '(') || lex_octet(&ahead, ')');
}

static int misplaced(const struct parser *p, size_t len)
{
    const struct lex *lex = &p->lex;
    return filter_fail(lex->err, lex->at, "'%.*s' where a test field:value should be", len == 0 ? 1 : (int)len,
                       lex->text + lex->at);
}

static int bare_word(const struct parser *p, size_t len)
{
    const struct lex *lex = &p->lex;
    const char *word = lex->text + lex->at;
    if (is_operator(p))
        return misplaced(p, len);
    if (len == 0)
        return filter_fail(lex->err, lex->at, "a test is missing here: field:value");
    if (filter_field_by_name(word, len) != NULL)
        return filter_fail(lex->err, lex->at + len, "a colon and a value are missing behind '%.*s'",
                           filter_shown(word, len), word);
    return filter_fail(lex->err, lex->at, "'%.*s' has no field: write %s:%.*s, or another field:value",
                       filter_shown(word, len), word, guess_field(word, len), filter_shown(word, len), word);
}

/* The values of a field, up to the one behind which no comma comes. */
static int parse_values(struct parser *p, struct value *v, struct filter_node *list)
{
    struct lex *lex = &p->lex;
    do {
        v->at = lex->at;
        if (lex_value(lex, p->f, &v->pattern, &v->form) != 0)
            return -1;
        if (v->pattern.len == 0)
            return filter_fail(lex->err, v->at, "'%s:' needs a value right behind the %s", v->field->name,
                               list->count > 0 ? "comma" : "colon");
        if (value_add(v, list) != 0)
            return -1;
    } while (lex_octet(lex, ','));
    return 0;
}

static int label_of(struct value *v, const char *word, size_t len)
{
    size_t prefix = strlen(FILTER_HEADER_PREFIX);
    v->label = (struct hep_slice){ (const uint8_t *)v->field->name, strlen(v->field->name) };
    if (v->field->type != FILTER_HEADER)
        return 0;
    v->at += prefix;
    return value_header_label(v, (struct hep_slice){ (const uint8_t *)word + prefix, len - prefix }, &v->label);
}

static int parse_term(struct parser *p, struct filter_node **ret)
{
    struct lex *lex = &p->lex;
    size_t len = lex_word(lex);
    if (len == 0 || lex->at + len >= lex->len || lex->text[lex->at + len] != ':')
        return bare_word(p, len);
    struct value v = { .f = p->f, .options = p->options, .at = lex->at, .err = lex->err };
    v.field = filter_field_by_name(lex->text + lex->at, len);
    if (v.field == NULL)
        return unknown_field(p, len);
    if (label_of(&v, lex->text + lex->at, len) != 0)
        return -1;
    lex->at += len + 1;
    struct filter_node *list = filter_node_new(p->f, FILTER_OR);
    if (list == NULL)
        return no_memory(p);
    return parse_values(p, &v, list) == 0 ? value_term(&v, list, ret) : -1;
}

/* ------------------------------------------------------------------------------------------------ tree */

static int parse_any(struct parser *p, struct filter_node **ret);

static int parse_not(struct parser *p, struct filter_node **ret);

static int parse_group(struct parser *p, size_t start, struct filter_node **ret)
{
    if (parse_any(p, ret) != 0)
        return -1;
    if (!lex_octet(&p->lex, ')'))
        return filter_fail(p->lex.err, start, "this parenthesis is not closed");
    return 0;
}

static int parse_one(struct parser *p, struct filter_node **ret)
{
    struct lex *lex = &p->lex;
    lex_blanks(lex);
    size_t start = lex->at;
    if (++p->depth > FILTER_DEPTH_MAX)
        return filter_fail(lex->err, start, "nested deeper than %d", FILTER_DEPTH_MAX);
    int rc;
    if (lex_octet(lex, '('))
        rc = parse_group(p, start, ret);
    else if (lex_keyword(lex, "NOT"))
        rc = parse_not(p, ret);
    else
        rc = parse_term(p, ret);
    p->depth--;
    return rc;
}

static int parse_not(struct parser *p, struct filter_node **ret)
{
    struct filter_node *child = NULL;
    if (parse_one(p, &child) != 0)
        return -1;
    *ret = filter_node_new(p->f, FILTER_NOT);
    if (*ret == NULL)
        return no_memory(p);
    filter_node_add(*ret, child);
    return 0;
}

/* True if nothing of this `all` follows: the end, a closing parenthesis, OR. */
static bool all_ends(const struct parser *p)
{
    struct lex ahead = p->lex;
    if (ahead.at >= ahead.len)
        return true;
    return ahead.text[ahead.at] == ')' || lex_keyword(&ahead, "OR");
}

static int add(struct parser *p, struct filter_node **list, enum filter_node_kind kind, struct filter_node *child)
{
    if (*list == NULL)
        *list = filter_node_new(p->f, kind);
    if (*list == NULL)
        return no_memory(p);
    filter_node_add(*list, child);
    return 0;
}

static int parse_all(struct parser *p, struct filter_node **ret)
{
    for (*ret = NULL;;) {
        struct filter_node *child = NULL;
        if (parse_one(p, &child) != 0 || add(p, ret, FILTER_AND, child) != 0)
            return -1;
        lex_blanks(&p->lex);
        bool joined = lex_keyword(&p->lex, "AND");
        if (!joined && all_ends(p))
            return 0;
    }
}

static int parse_any(struct parser *p, struct filter_node **ret)
{
    for (*ret = NULL;;) {
        struct filter_node *child = NULL;
        if (parse_all(p, &child) != 0 || add(p, ret, FILTER_OR, child) != 0)
            return -1;
        if (!lex_keyword(&p->lex, "OR"))
            return 0;
    }
}

/* ------------------------------------------------------------------------------------------------ the whole */

static int parse(struct parser *p)
{
    lex_blanks(&p->lex);
    if (p->lex.at == p->lex.len) {
        p->f->root = filter_node_new(p->f, FILTER_AND);
        return p->f->root != NULL ? 0 : no_memory(p);
    }
    if (parse_any(p, &p->f->root) != 0)
        return -1;
    return p->lex.at == p->lex.len ? 0 : filter_fail(p->lex.err, p->lex.at, "nothing is open here to be closed");
}

/* The text in normal form, then the tree as the evaluators want it. */
static int finish(struct parser *p)
{
    struct filter *f = p->f;
    size_t at;
    if (filter_normalise(f, &f->root) != 0)
        return no_memory(p);
    if (f->root->text.len > FILTER_TEXT_MAX)
        return filter_fail(p->lex.err, 0, "longer than %d octets when written out", FILTER_TEXT_MAX);
    uint8_t *text = filter_copy(f, f->root->text.ptr, f->root->text.len);
    if (text == NULL)
        return no_memory(p);
    text[f->root->text.len] = '\0';
    f->text = (const char *)text;
    if (filter_merge(f, &f->root) != 0)
        return no_memory(p);
    int rc = filter_settle(f, &at);
    if (rc > 0)
        return filter_fail(p->lex.err, at, "more than %d tests", FILTER_LEAVES_MAX);
    if (rc < 0)
        return no_memory(p);
    filter_tree_fold(f, f->root);
    return filter_keys_find(f) == 0 ? 0 : no_memory(p);
}

static struct filter *new_filter(void)
{
    struct filter *f = calloc(1, sizeof(*f));
    if (f != NULL)
        f->counts = filter_alloc(f, sizeof(*f->counts));
    if (f == NULL || f->counts == NULL) {
        filter_free(f);
        return NULL;
    }
    atomic_init(&f->counts->gave_up, 0);
    atomic_init(&f->counts->slow, 0);
    return f;
}

int filter_parse_with(struct filter **ret, const char *text, size_t len, const struct filter_options *options,
                      struct filter_error *err)
{
    struct filter_options usual;
    struct parser p = { .lex = { .text = text, .len = len, .err = err }, .options = options };
    if (options == NULL) {
        filter_rules_default(&usual.rules);
        usual.now_us = when_now();
        p.options = &usual;
    }
    if (lex_check(&p.lex) != 0)
        return -1;
    p.f = new_filter();
    if (p.f == NULL)
        return no_memory(&p);
    p.f->rules = p.options->rules;
    if (parse(&p) != 0 || finish(&p) != 0) {
        filter_free(p.f);
        return -1;
    }
    *ret = p.f;
    return 0;
}

int filter_parse(struct filter **ret, const char *text, size_t len, struct filter_error *err)
{
    return filter_parse_with(ret, text, len, NULL, err);
}
