/* When the text is settled: the parts in order of what they cost to test, and the leaves with numbers. */
#include <stdlib.h>
#include <string.h>

#include "filter/tree.h"

static int by_text(struct hep_slice a, struct hep_slice b)
{
    int c = memcmp(a.ptr, b.ptr, a.len < b.len ? a.len : b.len);
    return c != 0 ? c : (a.len > b.len) - (a.len < b.len);
}

/* Of the same price: by text where there is one, else as they were made, so that one text gives one tree. */
static int by_cost(const void *a, const void *b)
{
    const struct filter_node *x = *(struct filter_node *const *)a, *y = *(struct filter_node *const *)b;
    if (x->cost != y->cost)
        return x->cost < y->cost ? -1 : 1;
    int c = x->text.len > 0 && y->text.len > 0 ? by_text(x->text, y->text) : 0;
    return c != 0 ? c : (x->order > y->order) - (x->order < y->order);
}

static int order_children(struct filter *f, struct filter_node *node)
{
    struct filter_node **all = filter_node_children(f, node);
    if (all == NULL)
        return -1;
    qsort(all, node->count, sizeof(struct filter_node *), by_cost);
    filter_node_relink(node, all, node->count);
    return 0;
}

// NOLINTNEXTLINE(misc-no-recursion): FILTER_DEPTH_MAX
static int order(struct filter *f, struct filter_node *node)
{
    if (node->kind == FILTER_LEAF) {
        f->leaf_count++;
        return 0;
    }
    node->cost = 0;
    for (struct filter_node *c = node->first; c != NULL; c = c->next) {
        if (order(f, c) != 0)
            return -1;
        node->cost += c->cost;
    }
    return node->count > 1 ? order_children(f, node) : 0;
}

/* The leaves go to their places in order of the tree. */
// NOLINTNEXTLINE(misc-no-recursion): FILTER_DEPTH_MAX
static void number(struct filter *f, struct filter_node *node, size_t *next)
{
    if (node->kind == FILTER_LEAF) {
        node->leaf = (*next)++;
        f->leaves[node->leaf] = *node->test;
        return;
    }
    for (struct filter_node *c = node->first; c != NULL; c = c->next)
        number(f, c, next);
}

static size_t last_place(const struct filter *f)
{
    size_t at = 0;
    for (size_t i = 0; i < f->leaf_count; i++)
        at = f->leaves[i].at > at ? f->leaves[i].at : at;
    return at;
}

int filter_settle(struct filter *f, size_t *ret_at)
{
    size_t next = 0;
    f->leaf_count = 0;
    if (order(f, f->root) != 0)
        return -1;
    f->leaves = filter_alloc(f, (f->leaf_count + 1) * sizeof(*f->leaves));
    if (f->leaves == NULL)
        return -1;
    number(f, f->root, &next);
    *ret_at = last_place(f);
    return f->leaf_count > FILTER_LEAVES_MAX ? 1 : 0;
}
