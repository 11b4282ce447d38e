/*
 * Places by their hash: open addressing, linear probing. Several places may have one hash. Private to this folder.
 */
#ifndef TRACK_CELLS_H
#define TRACK_CELLS_H

#include <stdbool.h>
#include <stdint.h>

struct cell {
    uint32_t hash;
    uint32_t place; /* never 0: a free cell */
};

struct cells {
    struct cell *all;
    uint32_t count; /* a power of two */
    uint32_t used;
};

bool cells_init(struct cells *c, uint32_t count); /* false: no memory */
void cells_free(struct cells *c);

bool cells_room(struct cells *c); /* for one more; false: no memory */
void cells_put(struct cells *c, uint32_t hash, uint32_t place);
void cells_remove(struct cells *c, uint32_t hash, uint32_t place); /* which is there */

/* The next place of this hash, 0 behind the last one. *at is the hash at first, and goes on from call to call. */
static inline uint32_t cells_next(const struct cells *c, uint32_t hash, uint32_t *at)
{
    uint32_t mask = c->count - 1, i = *at & mask;
    while (c->all[i].place != 0 && c->all[i].hash != hash)
        i = (i + 1) & mask;
    *at = i + 1;
    return c->all[i].place;
}

static inline void cells_prefetch(const struct cells *c, uint32_t hash)
{
    __builtin_prefetch(&c->all[hash & (c->count - 1)]);
}

#endif
