/* Memory that is released all at once, with a maximum: metadata of a row group or of a footer. Private to the folder.
 */
#ifndef STORE_PARQUET_ARENA_H
#define STORE_PARQUET_ARENA_H

#include <stddef.h>

#include "store/parquet/format.h"

struct pq_arena_block;

struct pq_arena {
    struct pq_arena_block *blocks; /* newest first */
    size_t used;                   /* octets of the newest block */
    size_t total;                  /* octets of all blocks */
    size_t max;
};

void pq_arena_init(struct pq_arena *a, size_t max);
void pq_arena_reset(struct pq_arena *a); /* everything is gone; one block of ordinary size stays for the next round */
void pq_arena_free(struct pq_arena *a);

/* Zeroed octets, aligned for any type; NULL beyond the maximum or out of memory. */
void *pq_arena_alloc(struct pq_arena *a, size_t size);

/* The same for `count` elements of `size` octets. */
void *pq_arena_array(struct pq_arena *a, size_t count, size_t size);

/* A copy of `s`, with a zero behind it. False if there is no room. */
bool pq_arena_copy(struct pq_arena *a, struct pq_slice s, struct pq_slice *ret);

#endif
