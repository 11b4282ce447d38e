/* Bounds of time that a filter sets: of AND what all agree on, of OR what one of them allows, NOT says nothing. */
#include "filter/tree.h"

struct bounds {
    int64_t low, high; /* both are in it; low > high: nothing is */
};

static const struct bounds all = { INT64_MIN, INT64_MAX };
static const struct bounds none = { INT64_MAX, INT64_MIN };

static bool never(const struct filter_node *node)
{
    for (unsigned t = 0; t < RECORD_TABLES; t++)
        if (node->known[t] != FILTER_FALSE)
            return false;
    return true;
}

static struct bounds of_leaf(const struct filter_leaf *l)
{
    return l->op == FILTER_OP_NUMBER && l->kind == RECORD_TIME && l->columns[RECORD_SIP] == RECORD_COL_ts
               ? (struct bounds){ l->low, l->high }
               : all;
}

// NOLINTNEXTLINE(misc-no-recursion): FILTER_DEPTH_MAX
static struct bounds of_node(const struct filter *f, const struct filter_node *node)
{
    bool any = node->kind == FILTER_OR;
    struct bounds b = any ? none : all;
    if (never(node))
        return none;
    if (node->kind == FILTER_LEAF)
        return of_leaf(&f->leaves[node->leaf]);
    if (node->kind == FILTER_NOT)
        return all;
    for (const struct filter_node *c = node->first; c != NULL; c = c->next) {
        struct bounds child = of_node(f, c);
        b.low = (child.low < b.low) == any ? child.low : b.low;
        b.high = (child.high > b.high) == any ? child.high : b.high;
    }
    return b;
}

void filter_times(const struct filter *f, int64_t *ret_from_us, int64_t *ret_to_us)
{
    struct bounds b = of_node(f, f->root);
    *ret_from_us = b.low;
    *ret_to_us = b.high < INT64_MAX ? b.high + 1 : INT64_MAX;
    if (b.low > b.high)
        *ret_from_us = *ret_to_us = INT64_MIN;
}
