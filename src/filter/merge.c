/*
 * Lists, and tests of one column joined by OR, as one test: a set of texts, of numbers, of addresses, in which a value
 * is looked up, instead of one test for each. The texts of the tree are settled by then and stay.
 */
#include <stdlib.h>
#include <string.h>

#include "filter/packed.h"
#include "filter/tree.h"

/* ------------------------------------------------------------------------------------------------ what is alike */

enum merge_class { CLASS_NONE, CLASS_TEXT, CLASS_NUMBER, CLASS_ADDR };

static enum merge_class class_of(const struct filter_node *node)
{
    if (node->kind != FILTER_LEAF)
        return CLASS_NONE;
    switch (node->test->op) {
    case FILTER_OP_EXACT:
        return CLASS_TEXT;
    case FILTER_OP_NUMBER:
        return node->test->kind != RECORD_TIME && node->test->kind != RECORD_DECIMAL ? CLASS_NUMBER : CLASS_NONE;
    case FILTER_OP_OCTETS:
        return CLASS_ADDR;
    default:
        return CLASS_NONE;
    }
}

/* 0: these two can be one. */
static int compare_kinds(const struct filter_node *a, const struct filter_node *b)
{
    int x = (int)class_of(a), y = (int)class_of(b);
    if (x != y || x == CLASS_NONE)
        return x - y;
    int c = strcmp(a->test->name, b->test->name);
    if (c == 0)
        c = memcmp(a->test->columns, b->test->columns, sizeof(a->test->columns));
    return c != 0 ? c : (int)a->test->nocase - (int)b->test->nocase;
}

static int by_kind(const void *a, const void *b)
{
    const struct filter_node *x = *(struct filter_node *const *)a, *y = *(struct filter_node *const *)b;
    int c = compare_kinds(x, y);
    return c != 0 ? c : (x->order > y->order) - (x->order < y->order);
}

/* ------------------------------------------------------------------------------------------------ texts */

static int by_packed(const void *a, const void *b)
{
    return packed_compare(*(const struct hep_slice *)a, *(const struct hep_slice *)b);
}

static int merge_texts(struct filter *f, struct filter_node *const *nodes, size_t count, struct filter_leaf *leaf)
{
    size_t kept = 0;
    struct hep_slice *items = filter_alloc(f, count * sizeof(*items));
    if (items == NULL)
        return -1;
    for (size_t i = 0; i < count; i++)
        items[i] = nodes[i]->test->text;
    qsort(items, count, sizeof(*items), by_packed);
    for (size_t i = 0; i < count; i++)
        if (kept == 0 || packed_compare(items[kept - 1], items[i]) != 0)
            items[kept++] = items[i];
    if (kept == 1)
        return 0;
    size_t size = packed_texts_size(items, kept);
    uint8_t *out = filter_alloc(f, size);
    if (out == NULL)
        return -1;
    packed_texts(out, items, kept);
    leaf->op = FILTER_OP_SET;
    leaf->items = items;
    leaf->item_count = kept;
    leaf->packed = (struct hep_slice){ out, size };
    return 0;
}

/* ------------------------------------------------------------------------------------------------ numbers */

static int by_low(const void *a, const void *b)
{
    const struct filter_node *x = *(struct filter_node *const *)a, *y = *(struct filter_node *const *)b;
    return (x->test->low > y->test->low) - (x->test->low < y->test->low);
}

/* Sorted ranges, those that touch as one. */
static int merge_numbers(struct filter *f, struct filter_node **nodes, size_t count, struct filter_leaf *leaf)
{
    uint8_t *out = filter_alloc(f, count * PACKED_NUMBERS_SIZE);
    size_t kept = 0;
    if (out == NULL)
        return -1;
    qsort(nodes, count, sizeof(struct filter_node *), by_low);
    int64_t low = nodes[0]->test->low, high = nodes[0]->test->high;
    leaf->low = low;
    for (size_t i = 1; i < count; i++) {
        const struct filter_leaf *l = nodes[i]->test;
        if (l->low > high + 1) {
            packed_range(out + kept++ * PACKED_NUMBERS_SIZE, low, high);
            low = l->low;
        }
        high = l->high > high ? l->high : high;
    }
    packed_range(out + kept++ * PACKED_NUMBERS_SIZE, low, high);
    leaf->high = high;
    leaf->op = kept > 1 ? FILTER_OP_NUMBERS : FILTER_OP_NUMBER;
    leaf->packed = (struct hep_slice){ out, kept * PACKED_NUMBERS_SIZE };
    return 0;
}

/* ------------------------------------------------------------------------------------------------ addresses */

/* Networks that begin alike: the wider one first. */
static int by_net(const void *a, const void *b)
{
    const struct filter_node *x = *(struct filter_node *const *)a, *y = *(struct filter_node *const *)b;
    int c = memcmp(x->test->net.low, y->test->net.low, 16);
    return c != 0 ? c : (x->test->net.bits > y->test->net.bits) - (x->test->net.bits < y->test->net.bits);
}

/* Networks are within each other or apart: what is within one is dropped. */
static int merge_addrs(struct filter *f, struct filter_node **nodes, size_t count, struct filter_leaf *leaf)
{
    uint8_t *out = filter_alloc(f, count * PACKED_ADDRS_SIZE);
    size_t kept = 0;
    const struct net *last = NULL;
    if (out == NULL)
        return -1;
    qsort(nodes, count, sizeof(struct filter_node *), by_net);
    for (size_t i = 0; i < count; i++) {
        const struct net *net = &nodes[i]->test->net;
        if (last != NULL && memcmp(net->high, last->high, 16) <= 0)
            continue;
        memcpy(out + kept * PACKED_ADDRS_SIZE, net->low, 16);
        memcpy(out + kept * PACKED_ADDRS_SIZE + 16, net->high, 16);
        kept++;
        last = net;
    }
    leaf->net = nodes[0]->test->net;
    if (kept == 1 || last == NULL)
        return 0;
    memcpy(leaf->net.high, last->high, 16);
    leaf->op = FILTER_OP_ADDRS;
    leaf->packed = (struct hep_slice){ out, kept * PACKED_ADDRS_SIZE };
    return 0;
}

/* ------------------------------------------------------------------------------------------------ the tree */

/* Makes the first node the test of all of them. */
static int merge_run(struct filter *f, struct filter_node **nodes, size_t count)
{
    struct filter_leaf *leaf = filter_alloc(f, sizeof(*leaf));
    struct filter_node *first = nodes[0];
    int rc = -1;
    if (leaf == NULL)
        return -1;
    *leaf = *first->test;
    switch (class_of(first)) {
    case CLASS_TEXT:
        rc = merge_texts(f, nodes, count, leaf);
        break;
    case CLASS_NUMBER:
        rc = merge_numbers(f, nodes, count, leaf);
        break;
    default:
        rc = merge_addrs(f, nodes, count, leaf);
        break;
    }
    first->test = leaf;
    return rc;
}

/* Children of a term, or of an OR within an OR, take the place of it. */
// NOLINTNEXTLINE(misc-no-recursion): FILTER_DEPTH_MAX
static void splice(struct filter_node *to, struct filter_node *node, struct hep_slice text)
{
    text = node->text.len > 0 ? node->text : text;
    if (node->kind == FILTER_TERM || node->kind == FILTER_OR) {
        for (struct filter_node *c = node->first, *next; c != NULL; c = next) {
            next = c->next;
            splice(to, c, text);
        }
        return;
    }
    node->text = text;
    filter_node_add(to, node);
}

static int merge_or(struct filter *f, struct filter_node *node)
{
    struct filter_node *flat = filter_node_new(f, FILTER_OR);
    if (flat == NULL)
        return -1;
    splice(flat, node, (struct hep_slice){ NULL, 0 });
    struct filter_node **all = filter_node_children(f, flat);
    if (all == NULL)
        return -1;
    size_t kept = 0;
    qsort(all, flat->count, sizeof(struct filter_node *), by_kind);
    for (size_t i = 0, end; i < flat->count; i = end) {
        for (end = i + 1; end < flat->count && class_of(all[i]) != CLASS_NONE && compare_kinds(all[i], all[end]) == 0;)
            end++;
        struct filter_node *first = all[i];
        if (end - i > 1 && merge_run(f, all + i, end - i) != 0)
            return -1;
        all[kept++] = first;
    }
    filter_node_relink(node, all, kept);
    return 0;
}

/* What there is of children keeps its place among them. */
// NOLINTNEXTLINE(misc-no-recursion): FILTER_DEPTH_MAX
int filter_merge(struct filter *f, struct filter_node **at)
{
    struct filter_node *node = *at;
    for (struct filter_node **child = &node->first; *child != NULL; child = &(*child)->next) {
        struct filter_node *next = (*child)->next;
        if (filter_merge(f, child) != 0)
            return -1;
        (*child)->next = next;
    }
    if (node->kind != FILTER_OR)
        return 0;
    if (merge_or(f, node) != 0)
        return -1;
    if (node->count == 1) {
        struct hep_slice text = node->text;
        *at = node->first;
        (*at)->text = text.len > 0 ? text : (*at)->text;
    }
    return 0;
}
