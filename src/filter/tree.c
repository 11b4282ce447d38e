#include "filter/tree.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_SIZE ((size_t)4096)

struct filter_block {
    struct filter_block *next;
    size_t used, size;
    _Alignas(16) uint8_t octets[];
};

static struct filter_block *block_new(struct filter *f, size_t size)
{
    size = size < BLOCK_SIZE ? BLOCK_SIZE : size;
    struct filter_block *b = malloc(sizeof(*b) + size);
    if (b == NULL)
        return NULL;
    b->next = f->blocks;
    b->used = 0;
    b->size = size;
    f->blocks = b;
    return b;
}

void *filter_alloc(struct filter *f, size_t size)
{
    size = (size + 15) & ~(size_t)15;
    struct filter_block *b = f->blocks;
    if (b == NULL || b->size - b->used < size)
        b = block_new(f, size);
    if (b == NULL)
        return NULL;
    void *p = b->octets + b->used;
    b->used += size;
    return p;
}

uint8_t *filter_copy(struct filter *f, const void *ptr, size_t len)
{
    uint8_t *p = filter_alloc(f, len + 1);
    if (p != NULL && len > 0)
        memcpy(p, ptr, len);
    return p;
}

void filter_free(struct filter *f)
{
    if (f == NULL)
        return;
    for (struct filter_regex *r = f->regexes; r != NULL; r = r->next)
        regex_free(r->regex);
    for (struct filter_block *b = f->blocks, *next; b != NULL; b = next) {
        next = b->next;
        free(b);
    }
    free(f);
}

struct filter_node *filter_node_new(struct filter *f, enum filter_node_kind kind)
{
    struct filter_node *n = filter_alloc(f, sizeof(*n));
    if (n != NULL)
        *n = (struct filter_node){ .kind = kind, .order = f->node_count++ };
    return n;
}

void filter_node_add(struct filter_node *parent, struct filter_node *child)
{
    child->next = NULL;
    if (parent->first == NULL)
        parent->first = child;
    else
        parent->last->next = child;
    parent->last = child;
    parent->count++;
}

struct filter_node **filter_node_children(struct filter *f, const struct filter_node *node)
{
    struct filter_node **all = filter_alloc(f, (node->count + 1) * sizeof(struct filter_node *));
    size_t n = 0;
    if (all == NULL)
        return NULL;
    for (struct filter_node *c = node->first; c != NULL; c = c->next)
        all[n++] = c;
    return all;
}

void filter_node_relink(struct filter_node *node, struct filter_node *const *children, size_t count)
{
    node->first = NULL;
    node->last = count > 0 ? children[count - 1] : NULL;
    node->count = count;
    for (size_t i = count; i > 0; i--) {
        children[i - 1]->next = node->first;
        node->first = children[i - 1];
    }
}

/* ------------------------------------------------------------------------------------------------ folding */

static bool takes_all_numbers(const struct filter_leaf *l)
{
    return l->op == FILTER_OP_NUMBER && l->low <= 0 && l->high >= UINT32_MAX;
}

/* A column that a table lacks is NULL there; one that always has a value passes "*". */
static enum filter_known know_leaf(const struct filter_leaf *l, unsigned table)
{
    if (l->columns[table] < 0)
        return FILTER_FALSE;
    return takes_all_numbers(l) && l->kind == RECORD_NUMBER ? FILTER_TRUE : FILTER_UNKNOWN;
}

/* AND: one false makes it false, all true make it true. OR: the other way round. */
static enum filter_known know_list(const struct filter_node *node, unsigned table)
{
    enum filter_known decides = node->kind == FILTER_AND ? FILTER_FALSE : FILTER_TRUE;
    enum filter_known known = node->kind == FILTER_AND ? FILTER_TRUE : FILTER_FALSE;
    for (const struct filter_node *c = node->first; c != NULL; c = c->next) {
        if (c->known[table] == decides)
            return decides;
        if (c->known[table] == FILTER_UNKNOWN)
            known = FILTER_UNKNOWN;
    }
    return known;
}

static enum filter_known know(const struct filter *f, const struct filter_node *node, unsigned table)
{
    static const enum filter_known opposite[] = { FILTER_UNKNOWN, FILTER_TRUE, FILTER_FALSE };
    assert(node->first != NULL || (node->kind != FILTER_TERM && node->kind != FILTER_NOT));
    switch (node->kind) {
    case FILTER_LEAF:
        return know_leaf(&f->leaves[node->leaf], table);
    case FILTER_TERM:
        return node->first->known[table];
    case FILTER_NOT:
        return opposite[node->first->known[table]];
    default:
        return know_list(node, table);
    }
}

void filter_tree_fold(struct filter *f, struct filter_node *node)
{
    for (struct filter_node *c = node->first; c != NULL; c = c->next)
        filter_tree_fold(f, c);
    for (unsigned t = 0; t < RECORD_TABLES; t++)
        node->known[t] = (uint8_t)know(f, node, t);
}
