#include "store/parquet/arena.h"

#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK 16384u

struct pq_arena_block {
    struct pq_arena_block *next;
    size_t size;
    alignas(max_align_t) unsigned char data[];
};

void pq_arena_init(struct pq_arena *a, size_t max)
{
    *a = (struct pq_arena){ .max = max };
}

static void drop(struct pq_arena_block *b)
{
    while (b != NULL) {
        struct pq_arena_block *next = b->next;
        free(b);
        b = next;
    }
}

void pq_arena_reset(struct pq_arena *a)
{
    struct pq_arena_block *kept = a->blocks;
    if (kept != NULL && kept->size != BLOCK) {
        drop(kept);
        kept = NULL;
    } else if (kept != NULL) {
        drop(kept->next);
        kept->next = NULL;
    }
    a->blocks = kept;
    a->used = 0;
    a->total = kept != NULL ? kept->size : 0;
}

void pq_arena_free(struct pq_arena *a)
{
    drop(a->blocks);
    pq_arena_init(a, a->max);
}

void *pq_arena_alloc(struct pq_arena *a, size_t size)
{
    if (size > a->max)
        return NULL;
    size_t rounded = (size + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
    if (a->blocks == NULL || a->blocks->size - a->used < rounded) {
        size_t block = rounded > BLOCK ? rounded : BLOCK;
        if (block > a->max - a->total)
            return NULL;
        struct pq_arena_block *b = malloc(sizeof(*b) + block);
        if (b == NULL)
            return NULL;
        b->size = block;
        b->next = a->blocks;
        a->blocks = b;
        a->used = 0;
        a->total += block;
    }
    void *p = a->blocks->data + a->used;
    a->used += rounded;
    memset(p, 0, rounded);
    return p;
}

void *pq_arena_array(struct pq_arena *a, size_t count, size_t size)
{
    return size > 0 && count > a->max / size ? NULL : pq_arena_alloc(a, count * size);
}

bool pq_arena_copy(struct pq_arena *a, struct pq_slice s, struct pq_slice *ret)
{
    uint8_t *p = s.len < SIZE_MAX ? pq_arena_alloc(a, s.len + 1) : NULL;
    if (p == NULL)
        return false;
    if (s.len > 0)
        memcpy(p, s.ptr, s.len);
    *ret = (struct pq_slice){ p, s.len };
    return true;
}
