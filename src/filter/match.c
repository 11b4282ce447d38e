/* The matcher: a test of one value, and the tree over the answers. */
#include <string.h>

#include "filter/glob.h"
#include "filter/packed.h"
#include "filter/phone.h"
#include "filter/tree.h"

const struct filter_rules *filter_rules_of(const struct filter *f)
{
    return &f->rules;
}

const char *filter_text(const struct filter *f)
{
    return f->text;
}

unsigned filter_tables(const struct filter *f)
{
    unsigned tables = 0;
    for (unsigned t = 0; t < RECORD_TABLES; t++)
        if (f->root->known[t] != FILTER_FALSE)
            tables |= 1u << t;
    return tables;
}

size_t filter_leaves(const struct filter *f)
{
    return f->leaf_count;
}

int filter_leaf_column(const struct filter *f, size_t leaf, enum record_table table)
{
    return f->leaves[leaf].columns[table];
}

/* ------------------------------------------------------------------------------------------------ leaves */

static bool same(const struct filter_leaf *l, const uint8_t *p)
{
    return l->nocase ? glob_equal_nocase(p, l->text.ptr, l->text.len) : memcmp(p, l->text.ptr, l->text.len) == 0;
}

static bool test_pattern(const struct filter_leaf *l, struct hep_slice s)
{
    return l->nocase ? glob_match_nocase(s.ptr, s.len, l->pattern.ptr, l->pattern.len)
                     : glob_match(s.ptr, s.len, l->pattern.ptr, l->pattern.len);
}

static bool test_contains(const struct filter_leaf *l, struct hep_slice s)
{
    return l->nocase ? test_pattern(l, s) : memmem(s.ptr, s.len, l->text.ptr, l->text.len) != NULL;
}

static bool test_octets(const struct filter_leaf *l, struct hep_slice s)
{
    return s.len == 16 && memcmp(s.ptr, l->net.low, 16) >= 0 && memcmp(s.ptr, l->net.high, 16) <= 0;
}

uint64_t filter_gave_up(const struct filter *f)
{
    return atomic_load_explicit(&f->counts->gave_up, memory_order_relaxed);
}

void filter_add_gave_up(const struct filter *f, uint64_t values)
{
    atomic_fetch_add_explicit(&f->counts->gave_up, values, memory_order_relaxed);
}

/* A filter that gives up again and again is not worth the time. */
static bool test_regex(const struct filter *f, const struct regex *regex, struct hep_slice s)
{
    enum regex_answer answer = REGEX_GAVE_UP;
    if (atomic_load_explicit(&f->counts->slow, memory_order_relaxed) < REGEX_GIVE_UPS)
        answer = regex_match(regex, s.ptr, s.len);
    if (answer == REGEX_GAVE_UP)
        atomic_fetch_add_explicit(&f->counts->slow, 1, memory_order_relaxed);
    if (answer == REGEX_GAVE_UP || answer == REGEX_CUT)
        filter_add_gave_up(f, 1);
    return answer == REGEX_YES;
}

struct part_test {
    const struct filter *f;
    const struct filter_leaf *leaf;
};

static bool test_part(void *arg, struct hep_slice s)
{
    const struct part_test *t = arg;
    return t->leaf->regex != NULL ? test_regex(t->f, t->leaf->regex, s)
                                  : glob_match_nocase(s.ptr, s.len, t->leaf->pattern.ptr, t->leaf->pattern.len);
}

bool filter_leaf_test(const struct filter *f, size_t leaf, const struct record_cell *cell)
{
    const struct filter_leaf *l = &f->leaves[leaf];
    struct hep_slice s = cell->octets;
    if (cell->null)
        return false;
    switch (l->op) {
    case FILTER_OP_NUMBER:
        return cell->number >= l->low && cell->number <= l->high;
    case FILTER_OP_NUMBERS:
        return packed_has_number(cell->number, l->packed.ptr, l->packed.len);
    case FILTER_OP_ANY:
        return true;
    case FILTER_OP_EXACT:
        return s.len == l->text.len && same(l, s.ptr);
    case FILTER_OP_SET:
        return l->nocase ? packed_has_text_nocase(s.ptr, s.len, l->packed.ptr, l->packed.len)
                         : packed_has_text(s.ptr, s.len, l->packed.ptr, l->packed.len);
    case FILTER_OP_PREFIX:
        return s.len >= l->text.len && same(l, s.ptr);
    case FILTER_OP_SUFFIX:
        return s.len >= l->text.len && same(l, s.ptr + s.len - l->text.len);
    case FILTER_OP_CONTAINS:
        return s.len >= l->text.len && test_contains(l, s);
    case FILTER_OP_GLOB:
        return test_pattern(l, s);
    case FILTER_OP_OCTETS:
        return test_octets(l, s);
    case FILTER_OP_ADDRS:
        return packed_has_addr(s.ptr, s.len, l->packed.ptr, l->packed.len);
    case FILTER_OP_NET:
        return net_has_text(&l->net, s.ptr, s.len);
    case FILTER_OP_REGEX:
        return test_regex(f, l->regex, s);
    case FILTER_OP_PHONE:
        return phone_function(s.ptr, s.len, l->packed.ptr, l->packed.len);
    case FILTER_OP_PART:
        return part_any(&l->part, s, test_part, &(struct part_test){ f, l });
    }
    return false;
}

/* ------------------------------------------------------------------------------------------------ trees */

typedef bool test_fn(void *arg, size_t leaf);

static bool eval(const struct filter_node *node, test_fn *test, void *arg)
{
    switch (node->kind) {
    case FILTER_LEAF:
        return test(arg, node->leaf);
    case FILTER_TERM:
        return eval(node->first, test, arg);
    case FILTER_NOT:
        return !eval(node->first, test, arg);
    case FILTER_AND:
        for (const struct filter_node *c = node->first; c != NULL; c = c->next)
            if (!eval(c, test, arg))
                return false;
        return true;
    case FILTER_OR:
        for (const struct filter_node *c = node->first; c != NULL; c = c->next)
            if (eval(c, test, arg))
                return true;
        return false;
    }
    return false;
}

bool filter_eval(const struct filter *f, test_fn *test, void *arg)
{
    return eval(f->root, test, arg);
}

struct row {
    const struct filter *f;
    enum record_table table;
    void (*cell)(void *arg, int column, struct record_cell *ret);
    void *arg;
};

static bool test_row(void *arg, size_t leaf)
{
    const struct row *row = arg;
    int column = filter_leaf_column(row->f, leaf, row->table);
    struct record_cell cell = { .null = true };
    if (column < 0)
        return false;
    row->cell(row->arg, column, &cell);
    return filter_leaf_test(row->f, leaf, &cell);
}

bool filter_match(const struct filter *f, enum record_table table,
                  void (*cell)(void *arg, int column, struct record_cell *ret), void *arg)
{
    struct row row = { f, table, cell, arg };
    return eval(f->root, test_row, &row);
}
