/*
 * The normal form: AND within AND and OR within OR become one, NOT NOT goes, the parts of AND and OR stand in the order
 * of their texts, none twice. Texts are written in one way: canonical field names, values as value*.c wrote them,
 * quoted where they have to be, those of a list in order.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "filter/glob.h"
#include "filter/tree.h"

/* ------------------------------------------------------------------------------------------------ terms */

static bool is_plain(uint8_t c)
{
    return c > ' ' && strchr("\"\\*(),", c) == NULL;
}

/* Up to the next star: quoted if it has an octet that needs it, or begins as a regular expression would. */
static size_t write_piece(uint8_t *out, const uint8_t *p, size_t len, bool first, bool quoted)
{
    size_t n = 0;
    bool plain = !quoted && !(first && p[0] == '/');
    for (size_t i = 0; i < len; i++)
        plain = plain && is_plain(p[i]);
    if (plain) {
        memcpy(out, p, len);
        return len;
    }
    out[n++] = '"';
    for (size_t i = 0; i < len; i++) {
        if (p[i] == '"' || p[i] == '\\')
            out[n++] = '\\';
        out[n++] = p[i];
    }
    out[n++] = '"';
    return n;
}

/* A lone "?" would say that there is a value. */
static bool is_question(struct hep_slice pattern)
{
    return pattern.len == 1 && pattern.ptr[0] == '?';
}

int filter_value_text(struct filter *f, struct hep_slice pattern, struct hep_slice *ret)
{
    size_t n = 0;
    uint8_t *out = filter_alloc(f, 4 + 3 * pattern.len); /* the worst: quotes around each octet */
    if (out == NULL)
        return -1;
    for (size_t at = 0; at < pattern.len;) {
        const uint8_t *p = pattern.ptr + at;
        const uint8_t *star = memchr(p, GLOB_STAR, pattern.len - at);
        size_t len = star != NULL ? (size_t)(star - p) : pattern.len - at;
        if (len > 0)
            n += write_piece(out + n, p, len, at == 0, is_question(pattern));
        if (star != NULL)
            out[n++] = '*';
        at += len + (star != NULL);
    }
    *ret = (struct hep_slice){ out, n };
    return 0;
}

/* ------------------------------------------------------------------------------------------------ order */

static int by_text(const void *a, const void *b)
{
    const struct filter_node *x = *(struct filter_node *const *)a, *y = *(struct filter_node *const *)b;
    size_t n = x->text.len < y->text.len ? x->text.len : y->text.len;
    int c = memcmp(x->text.ptr, y->text.ptr, n);
    return c != 0 ? c : (x->text.len > y->text.len) - (x->text.len < y->text.len);
}

/* Sorts by text and drops what is there twice. */
int filter_order_by_text(struct filter *f, struct filter_node *node)
{
    size_t kept = 0;
    struct filter_node **all = filter_node_children(f, node);
    if (all == NULL)
        return -1;
    qsort(all, node->count, sizeof(struct filter_node *), by_text);
    for (size_t i = 0; i < node->count; i++)
        if (kept == 0 || by_text(&all[kept - 1], &all[i]) != 0)
            all[kept++] = all[i];
    filter_node_relink(node, all, kept);
    return 0;
}

/* ------------------------------------------------------------------------------------------------ texts */

static bool needs_parentheses(const struct filter_node *parent, const struct filter_node *child)
{
    if (parent->kind == FILTER_NOT)
        return child->kind == FILTER_AND || child->kind == FILTER_OR;
    return parent->kind == FILTER_AND && child->kind == FILTER_OR;
}

static size_t put(uint8_t *out, size_t at, const void *ptr, size_t len)
{
    if (len > 0)
        memcpy(out + at, ptr, len);
    return at + len;
}

/* "NOT a", "a b", "a OR b", with parentheses where OR is inside AND, or more than one thing inside NOT. */
static int write_text(struct filter *f, struct filter_node *node)
{
    const char *between = node->kind == FILTER_AND ? " " : " OR ";
    size_t n = 0, room = 8;
    for (const struct filter_node *c = node->first; c != NULL; c = c->next)
        room += c->text.len + 8;
    uint8_t *out = filter_alloc(f, room);
    if (out == NULL)
        return -1;
    if (node->kind == FILTER_NOT)
        n = put(out, n, "NOT ", 4);
    for (const struct filter_node *c = node->first; c != NULL; c = c->next) {
        bool wrap = needs_parentheses(node, c);
        n = put(out, n, between, c != node->first ? strlen(between) : 0);
        n = put(out, n, "(", wrap);
        n = put(out, n, c->text.ptr, c->text.len);
        n = put(out, n, ")", wrap);
    }
    node->text = (struct hep_slice){ out, n };
    return 0;
}

/* ------------------------------------------------------------------------------------------------ trees */

/* Children of the same kind give their own children in their place. */
static int flatten(struct filter *f, struct filter_node *node)
{
    struct filter_node **all = filter_node_children(f, node);
    size_t count = node->count;
    if (all == NULL)
        return -1;
    node->first = node->last = NULL;
    node->count = 0;
    for (size_t i = 0; i < count; i++) {
        if (all[i]->kind != node->kind) {
            filter_node_add(node, all[i]);
            continue;
        }
        for (struct filter_node *c = all[i]->first, *next; c != NULL; c = next) {
            next = c->next;
            filter_node_add(node, c);
        }
    }
    return 0;
}

static int normalise_list(struct filter *f, struct filter_node **at)
{
    struct filter_node *node = *at;
    if (flatten(f, node) != 0 || filter_order_by_text(f, node) != 0)
        return -1;
    if (node->count == 1) {
        *at = node->first;
        return 0;
    }
    return write_text(f, node);
}

static int normalise_not(struct filter *f, struct filter_node **at)
{
    struct filter_node *node = *at;
    assert(node->first != NULL);
    if (node->first->kind == FILTER_NOT) {
        *at = node->first->first;
        return 0;
    }
    return write_text(f, node);
}

/* Children first; a child that is replaced takes the place of the old one in the list. */
int filter_normalise(struct filter *f, struct filter_node **at)
{
    struct filter_node *node = *at;
    if (node->kind == FILTER_TERM)
        return 0;
    for (struct filter_node **child = &node->first; *child != NULL; child = &(*child)->next) {
        struct filter_node *next = (*child)->next;
        if (filter_normalise(f, child) != 0)
            return -1;
        (*child)->next = next;
    }
    return node->kind == FILTER_NOT ? normalise_not(f, at) : normalise_list(f, at);
}
