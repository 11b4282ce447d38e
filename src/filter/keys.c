/*
 * Which values of a column with a bloom filter every row must have one of. AND: those of one child, the shortest list;
 * OR: those of all children together, if each that can be true says some; NOT says nothing.
 */
#include <stdlib.h>
#include <string.h>

#include "filter/packed.h"
#include "filter/tree.h"

struct keys {
    struct hep_slice *items;
    size_t count;
};

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

static size_t weigh_leaf(const struct filter_leaf *l, enum record_table table, int column)
{
    if (l->nocase || l->columns[table] != column)
        return SIZE_MAX;
    return l->op == FILTER_OP_EXACT ? 1 : l->op == FILTER_OP_SET ? l->item_count : SIZE_MAX;
}

static size_t weigh(const struct filter *f, const struct filter_node *node, enum record_table table, int column)
{
    if (node->known[table] == FILTER_FALSE)
        return 0;
    switch (node->kind) {
    case FILTER_LEAF:
        return weigh_leaf(&f->leaves[node->leaf], table, column);
    case FILTER_NOT:
        return SIZE_MAX;
    case FILTER_TERM:
        return weigh(f, node->first, table, column);
    default:
        return weigh_list(f, node, table, column);
    }
}

static void add_keys(struct keys *k, const struct filter_leaf *l)
{
    if (l->op == FILTER_OP_EXACT)
        k->items[k->count++] = l->text;
    else
        for (size_t i = 0; i < l->item_count; i++)
            k->items[k->count++] = l->items[i];
}

/* Only of nodes that weigh() something; as many as that. */
static void collect(const struct filter *f, const struct filter_node *node, enum record_table table, int column,
                    struct keys *k)
{
    if (node->known[table] == FILTER_FALSE)
        return;
    if (node->kind == FILTER_LEAF) {
        add_keys(k, &f->leaves[node->leaf]);
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

static int by_packed(const void *a, const void *b)
{
    return packed_compare(*(const struct hep_slice *)a, *(const struct hep_slice *)b);
}

/* Each key once, in order. */
static void drop_repetitions(struct keys *k)
{
    size_t kept = 0;
    qsort(k->items, k->count, sizeof(k->items[0]), by_packed);
    for (size_t i = 0; i < k->count; i++)
        if (kept == 0 || packed_compare(k->items[kept - 1], k->items[i]) != 0)
            k->items[kept++] = k->items[i];
    k->count = kept;
}

static int find_keys(struct filter *f, enum record_table table, int column)
{
    size_t weight = f->root->known[table] == FILTER_FALSE ? SIZE_MAX : weigh(f, f->root, table, column);
    if (weight == SIZE_MAX)
        return 0;
    struct keys k = { filter_alloc(f, weight * sizeof(k.items[0])), 0 };
    struct filter_keyset *set = filter_alloc(f, sizeof(*set));
    if (k.items == NULL || set == NULL)
        return -1;
    collect(f, f->root, table, column, &k);
    drop_repetitions(&k);
    *set = (struct filter_keyset){
        .table = table, .column = column, .keys = k.items, .count = k.count, .next = f->keysets
    };
    f->keysets = set;
    return 0;
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
