/*
 * The tree of a filter, and where it lives. Inner nodes are AND, OR, NOT; a term is what the user wrote (field and
 * value) over the leaves that it comes to: "ip:10.0.0.1:5060" is one term of four leaves.
 *
 * Everything is allocated from blocks of the filter and lives as long as it.
 */
#ifndef FILTER_TREE_H
#define FILTER_TREE_H

#include <stdatomic.h>

#include "filter/fields.h"
#include "filter/filter.h"
#include "filter/net.h"
#include "filter/part.h"
#include "filter/regex.h"

#define FILTER_DEPTH_MAX 64    /* of parentheses and NOTs in each other */
#define FILTER_VALUE_MAX 4096  /* octets of one value, decoded */
#define FILTER_PARTS_MAX 16384 /* tests as they are written, before equal ones and lists become one */

enum filter_op {
    FILTER_OP_NUMBER,   /* low <= value <= high */
    FILTER_OP_NUMBERS,  /* the same, of several ranges (packed.h); low and high are those of all */
    FILTER_OP_ANY,      /* has a value */
    FILTER_OP_EXACT,    /* text */
    FILTER_OP_SET,      /* one of several texts (packed.h) */
    FILTER_OP_PREFIX,   /* text* */
    FILTER_OP_SUFFIX,   /* *text */
    FILTER_OP_CONTAINS, /* *text* */
    FILTER_OP_GLOB,     /* any other pattern */
    FILTER_OP_OCTETS,   /* low <= value <= high, 16 octets */
    FILTER_OP_ADDRS,    /* the same, of several ranges (packed.h); net has the lowest and the highest */
    FILTER_OP_NET,      /* the text of an address in a network */
    FILTER_OP_REGEX,    /* text */
    FILTER_OP_PHONE,    /* text */
    FILTER_OP_PART      /* pattern or regular expression, of a part of a payload */
};

struct filter_leaf {
    enum filter_op op;
    bool nocase;                   /* text: without regard to ASCII case; pattern and text are in lower case */
    int8_t columns[RECORD_TABLES]; /* -1: the table does not have it */
    const char *name;              /* of the column */
    enum record_kind kind;         /* of the column */
    int64_t low, high;             /* NUMBER */
    struct hep_slice pattern;      /* with GLOB_STAR (glob.h); NET: text of the network */
    struct hep_slice text;         /* EXACT, PREFIX, SUFFIX, CONTAINS: without the stars */
    struct hep_slice above;        /* PREFIX: the least text behind all that begin with it; empty: there is none */
    struct hep_slice packed;       /* NUMBERS, SET, ADDRS, PHONE, REGEX, PART: what the function of the SQL takes */
    struct hep_slice *items;       /* SET: the texts, sorted */
    size_t item_count;
    struct net net;            /* OCTETS, NET */
    const struct regex *regex; /* REGEX, PART; NULL: PART by its pattern */
    struct part part;          /* PART */
    size_t at;                 /* where its value stands in the filter */
};

enum filter_node_kind { FILTER_AND, FILTER_OR, FILTER_NOT, FILTER_TERM, FILTER_LEAF };

/* What is known of a node whatever the row is. */
enum filter_known { FILTER_UNKNOWN, FILTER_FALSE, FILTER_TRUE };

struct filter_node {
    enum filter_node_kind kind;
    struct filter_node *first, *next; /* child; sibling. NOT and TERM have one child */
    struct filter_node *last;         /* child; of use to filter_node_add() alone */
    size_t count;                     /* children. AND of none is true, OR of none is false */
    struct filter_leaf *test;         /* LEAF: until it has its number */
    size_t leaf;                      /* LEAF: its number */
    size_t order;                     /* in which nodes were made */
    struct hep_slice text;            /* normal form; of leaves that of their term, or none */
    unsigned cost;                    /* rough price of a test, to have the cheap ones first */
    uint8_t known[RECORD_TABLES];     /* enum filter_known */
};

struct filter_keyset {
    enum record_table table;
    int column;
    struct hep_slice *keys;
    size_t count;
    struct filter_keyset *next;
};

struct filter_regex {
    struct regex *regex;
    struct filter_regex *next;
};

/* Values on which regular expressions gave up or that they saw a part of; those alone on which they gave up. */
struct filter_counts {
    atomic_uint_fast64_t gave_up, slow;
};

struct filter_block;

struct filter {
    struct filter_block *blocks;
    struct filter_node *root;
    struct filter_leaf *leaves; /* by number */
    size_t leaf_count;
    size_t node_count, part_count; /* nodes and leaves made so far */
    const char *text;
    struct filter_rules rules; /* it was parsed by */
    struct filter_keyset *keysets;
    struct filter_regex *regexes;
    struct filter_counts *counts; /* all else does not change */
};

/* Memory of the filter, NULL if there is none; a copy of octets (empty gives a pointer, too). */
void *filter_alloc(struct filter *f, size_t size);
uint8_t *filter_copy(struct filter *f, const void *ptr, size_t len);

struct filter_node *filter_node_new(struct filter *f, enum filter_node_kind kind); /* NULL: no memory */
void filter_node_add(struct filter_node *parent, struct filter_node *child);

/* The children of a node as a new array of node->count; NULL if there is no memory. */
struct filter_node **filter_node_children(struct filter *f, const struct filter_node *node);
/* Makes these the children. */
void filter_node_relink(struct filter_node *node, struct filter_node *const *children, size_t count);

/* Finds out what is known of each node; leaves and texts must be final. */
void filter_tree_fold(struct filter *f, struct filter_node *node);

/* normal.c: sorts, drops repetitions, and writes the text of each node. -1: no memory. */
int filter_normalise(struct filter *f, struct filter_node **node);
int filter_order_by_text(struct filter *f, struct filter_node *node); /* the children; each text once */

/* normal.c: the text of a pattern, quoted as it needs. -1: no memory. */
int filter_value_text(struct filter *f, struct hep_slice pattern, struct hep_slice *ret);

/* merge.c: one test for many equalities or ranges of a column under an OR. -1: no memory. */
int filter_merge(struct filter *f, struct filter_node **node);

/*
 * settle.c: the cheap tests first, and a number for each. 0; -1: no memory; 1: more than FILTER_LEAVES_MAX tests,
 * *ret_at is the place of one that is too much.
 */
int filter_settle(struct filter *f, size_t *ret_at);

/* keys.c: fills in f->keysets. -1: no memory. */
int filter_keys_find(struct filter *f);

#endif
