/*
 * Which values of a column with a bloom filter every row must have one of. AND: those of one child, the shortest list;
 * OR: those of all children together, if each that can be true says some; NOT says nothing.
 */
#include <string.h>

#include "filter/tree.h"

struct keys {
    struct hep_slice items[FILTER_LEAVES_MAX];
    size_t count;
};

static void add_key(struct keys *k, struct hep_slice key)
{
    for (size_t i = 0; i < k->count; i++)
        if (k->items[i].len == key.len && memcmp(k->items[i].ptr, key.ptr, key.len) == 0)
            return;
    k->items[k->count++] = key;
}

/* Number of keys that bind the node, before repetitions are dropped; SIZE_MAX: nothing binds it. */
static size_t weigh(const struct filter *f, const struct filter_node *node, enum record_table table, int column);

static size_t weigh_list(const struct filter *f, const struct filter_node *node, enum record_table table, int column)
{
    size_t least = SIZE_MAX, sum = 0;
    for (const struct filter_node *c = node->first; c != NULL; c = c->next) {
        size_t n = weigh(f, c, table, column);
        least = n < least ? n : least;
        sum = n == SIZE_MAX || sum == SIZE_MAX ? SIZE_MAX : sum + n;
    }
    return node->kind == FILTER_AND ? least : sum;
}

static size_t weigh(const struct filter *f, const struct filter_node *node, enum record_table table, int column)
{
    const struct filter_leaf *l = node->kind == FILTER_LEAF ? &f->leaves[node->leaf] : NULL;
    if (node->known[table] == FILTER_FALSE)
        return 0;
    switch (node->kind) {
    case FILTER_LEAF:
        return l->op == FILTER_OP_EXACT && !l->nocase && l->columns[table] == column ? 1 : SIZE_MAX;
    case FILTER_NOT:
        return SIZE_MAX;
    case FILTER_TERM:
        return weigh(f, node->first, table, column);
    default:
        return weigh_list(f, node, table, column);
    }
}

/* Only of nodes that weigh() something. */
static void collect(const struct filter *f, const struct filter_node *node, enum record_table table, int column,
                    struct keys *k)
{
    if (node->known[table] == FILTER_FALSE)
        return;
    if (node->kind == FILTER_LEAF) {
        add_key(k, f->leaves[node->leaf].text);
        return;
    }
    const struct filter_node *lightest = NULL;
    size_t least = SIZE_MAX;
    for (const struct filter_node *c = node->first; c != NULL; c = c->next) {
        size_t n = node->kind == FILTER_AND ? weigh(f, c, table, column) : 0;
        if (node->kind != FILTER_AND)
            collect(f, c, table, column, k);
        else if (n < least) {
            least = n;
            lightest = c;
        }
    }
    if (lightest != NULL)
        collect(f, lightest, table, column, k);
}

static int find_keys(struct filter *f, enum record_table table, int column)
{
    struct keys k;
    k.count = 0;
    if (f->root->known[table] == FILTER_FALSE || weigh(f, f->root, table, column) == SIZE_MAX)
        return 0;
    collect(f, f->root, table, column, &k);
    struct filter_keyset *set = filter_alloc(f, sizeof(*set));
    if (set == NULL)
        return -1;
    *set = (struct filter_keyset){ .table = table, .column = column, .count = k.count, .next = f->keysets };
    set->keys = (struct hep_slice *)(void *)filter_copy(f, k.items, k.count * sizeof(k.items[0]));
    f->keysets = set;
    return set->keys != NULL ? 0 : -1;
}

int filter_keys_find(struct filter *f)
{
    for (unsigned t = 0; t < RECORD_TABLES; t++) {
        const struct record_schema *s = record_schema((enum record_table)t);
        for (size_t c = 0; c < s->count; c++)
            if ((s->columns[c].options & RECORD_BLOOM) != 0 && find_keys(f, (enum record_table)t, (int)c) != 0)
                return -1;
    }
    return 0;
}

size_t filter_keys(const struct filter *f, enum record_table table, int column, const struct hep_slice **ret)
{
    for (const struct filter_keyset *s = f->keysets; s != NULL; s = s->next) {
        if (s->table == table && s->column == column) {
            *ret = s->keys;
            return s->count;
        }
    }
    *ret = NULL;
    return 0;
}
