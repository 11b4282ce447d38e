/* A group's insides, for its own files and for those that seal it. */
#ifndef STORE_LAKE_GROUP_INTERNAL_H
#define STORE_LAKE_GROUP_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "store/lake/dict.h"
#include "store/lake/group.h"
#include "store/lake/pages.h"

#define GROUP_PAGE_ROOM ((size_t)576 << 10) /* of a raw page: LAKE_PAGE and a frame that begins just below it */
#define GROUP_PAGES_MAX 64u
#define GROUP_TEXT_MAX  ((uint32_t)24 << 20) /* octets of all dictionaries */

struct group_column {
    enum record_kind kind;
    unsigned width;    /* octets of a value; 0: it has none of its own (ADDR, BYTES) */
    unsigned twin;     /* ADDR: the IP column that it shows */
    size_t offset;     /* of its member in struct record */
    bool used;         /* has a value that is not NULL: its memory is there */
    void *values;      /* int64_t, uint32_t, or codes + 1 (0 is NULL) */
    uint8_t *validity; /* a bit a row, where `values` cannot say NULL */
    struct dict dict;  /* TEXT, IP */
};

struct group {
    _Atomic unsigned refs;
    enum record_table table;
    uint32_t hour, source;
    struct pages *pages; /* may be NULL */
    const struct record_schema *schema;
    struct group_column columns[RECORD_COLUMNS_MAX];
    uint8_t *region; /* values and validity of all columns, then the arena */
    size_t region_size;

    _Atomic size_t rows;
    _Atomic int64_t min_ts, max_ts;
    _Atomic size_t memory; /* what is told to `pages` */

    pthread_mutex_t lock; /* raw and zipped octets of pages that are full */
    uint32_t *payload_at; /* a row's place in its page */
    struct group_page page[GROUP_PAGES_MAX];
    _Atomic uint32_t page_count;

    /* The writer's alone, until the group is closed. */
    struct group_page *open; /* the last page, while it is; NULL: none */
    struct dict_arena arena;
    size_t column_memory; /* of `memory` */
    size_t payload_octets;
    uint64_t min_seq, max_seq;
    bool closed;
};

/* As group_new(), sharing pages with others. */
struct group *group_new_in(struct pages *pages, enum record_table table, uint32_t hour, uint32_t source);

/* Nothing comes any more. By the writer, or while it does not append. */
void group_close(struct group *g);

/* Replaces the raw octets of a page, which the caller then lets go. */
struct page_raw *group_page_swap(struct group_page *page, uint8_t *zipped, size_t len);

#endif
