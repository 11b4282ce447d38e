/*
 * Memory of the rows in memory: slabs of 256 kB out of pieces of 2 MB, for which huge pages are asked. To touch a page
 * for the first time is dear, on virtual machines above all (12 us measured on one, 0.25 us for as much of a huge
 * page): so slabs are used again, and what stayed unused between two slab_trim() goes back to the system.
 *
 * An arena is memory that is only added to and goes as a whole; it takes its slabs from the pool.
 */
#ifndef STORE_LAKE_SLAB_H
#define STORE_LAKE_SLAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SLAB_SIZE ((size_t)256 << 10)
#define SLAB_MOST 4u /* slabs in a row that can be had at once */

struct slabs;

struct slabs *slabs_new(void);    /* NULL if out of memory */
void slabs_free(struct slabs *s); /* every slab must be back; NULL is fine */

/* `count` slabs in a row (1 to SLAB_MOST), not zeroed. s NULL: straight from the system. NULL if there is no memory. */
void *slab_take(struct slabs *s, unsigned count);
void slab_give(struct slabs *s, void *slab, unsigned count);

/* Gives back what was free all the time since the last call. */
void slab_trim(struct slabs *s);

/* Octets that the pool holds, in use or not. */
size_t slab_held(struct slabs *s);

/* ------------------------------------------------------------------------------------------------ arenas */

struct arena_slab;

struct arena {
    struct slabs *slabs;      /* may be NULL */
    struct arena_slab *first; /* newest */
    uint8_t *at, *end;
    size_t octets; /* of its slabs */
    size_t most;   /* octets of slabs that it may take; 0: any number */
};

/* Octets aligned to 8 (to 1 with arena_octets()), not zeroed; NULL: no memory, or beyond `most`. At most SLAB_MOST
 * slabs. */
void *arena_take(struct arena *a, size_t size);
uint8_t *arena_octets(struct arena *a, size_t size);
void arena_free(struct arena *a);

#endif
