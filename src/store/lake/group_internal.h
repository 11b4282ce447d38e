/* A group's insides, for its own files and for those that seal it. */
#ifndef STORE_LAKE_GROUP_INTERNAL_H
#define STORE_LAKE_GROUP_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "store/lake/dict.h"
#include "store/lake/group.h"
#include "store/lake/pages.h"

#define GROUP_PAGES_MAX 64u
#define GROUP_TEXT_MAX  ((size_t)48 << 20) /* octets of columns and dictionaries */
#define GROUP_BLOCK     1024u              /* rows whose values of a column lie together */
#define GROUP_BLOCKS    (LAKE_GROUP_ROWS / GROUP_BLOCK)

/*
 * Values of a block of rows: int64_t, uint32_t, or codes + 1 (0 is NULL); behind them, where they cannot say NULL
 * themselves, a bit a row. A block is there once it has a value that is not NULL.
 */
struct group_column {
    enum record_kind kind;
    uint16_t offset;  /* of its member in struct record */
    uint8_t width;    /* octets of a value; 0: it has none of its own (ADDR, BYTES) */
    uint8_t twin;     /* ADDR: the IP column that it shows */
    bool bits;        /* NULL is said by a bit */
    bool used;        /* has a value that is not NULL */
    uint8_t *now;     /* the writer's: block of the next row, NULL: not there yet */
    struct dict dict; /* TEXT, IP */
    _Atomic(uint8_t *) blocks[GROUP_BLOCKS];
};

/* Columns of a kind. */
struct group_list {
    struct group_column *column[RECORD_COLUMNS_MAX];
    size_t count;
};

struct group {
    _Atomic unsigned refs;
    enum record_table table;
    uint32_t hour, source;
    struct pages *pages; /* may be NULL */
    const struct record_schema *schema;
    struct group_column columns[RECORD_COLUMNS_MAX];
    struct group_column payload_at;                /* a row's place in its page */
    struct group_list always, maybe, texts, addrs; /* numbers that are never NULL, those that may be... */

    _Atomic size_t rows;
    _Atomic int64_t min_ts, max_ts;
    _Atomic size_t memory; /* what is told to `pages` */

    pthread_mutex_t lock; /* raw and zipped octets of pages that are full */
    struct arena zipped;
    struct group_page page[GROUP_PAGES_MAX];
    _Atomic uint32_t page_count;

    /* The writer's alone, until the group is closed. */
    struct group_page *open;  /* the last page, while it is; NULL: none */
    struct dict_memory dicts; /* blocks, too */
    size_t counted;           /* of `memory`: for these */
    size_t payload_octets;
    uint64_t min_seq, max_seq;
    bool closed;
};

static inline const uint8_t *group_block(const struct group_column *c, size_t row)
{
    return atomic_load_explicit(&c->blocks[row / GROUP_BLOCK], memory_order_acquire);
}

/* The bits of a block that has them. */
static inline uint8_t *group_bits(const struct group_column *c, uint8_t *block)
{
    return block + GROUP_BLOCK * (size_t)c->width;
}

/* As group_new(), sharing pages with others. */
struct group *group_new_in(struct pages *pages, enum record_table table, uint32_t hour, uint32_t source);

/* Nothing comes any more. By the writer, or while it does not append. */
void group_close(struct group *g);

/* It takes so many octets more, or fewer. (any thread) */
void group_count(struct group *g, ptrdiff_t octets);

/* Sees to it that the last page is open and has room for the payload of the row. 0, -ENOBUFS, -ENOMEM. */
int group_page_room(struct group *g, size_t len, size_t row);
void group_page_put(struct group *g, struct hep_slice payload, size_t row); /* adds it, and notes its place */
void group_page_end(struct group *g);                                       /* the open page is full */
void group_page_drop(struct group *g); /* takes back an open page that was made for a row that was refused */
void group_pages_free(struct group *g);

/* Keeps a copy of the zipped octets of a page in place of the raw ones, which the caller then lets go. 0, -ENOMEM. */
int group_page_swap(struct group_page *page, const uint8_t *zipped, size_t len, struct page_raw **ret_raw);

#endif
