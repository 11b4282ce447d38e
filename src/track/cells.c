#include "track/cells.h"

#include <stdlib.h>

bool cells_init(struct cells *c, uint32_t count)
{
    *c = (struct cells){ .all = calloc(count, sizeof(*c->all)), .count = count };
    return c->all != NULL;
}

void cells_free(struct cells *c)
{
    free(c->all);
    *c = (struct cells){ .all = NULL };
}

static void put(struct cell *all, uint32_t mask, struct cell cell)
{
    uint32_t i = cell.hash & mask;
    while (all[i].place != 0)
        i = (i + 1) & mask;
    all[i] = cell;
}

bool cells_room(struct cells *c)
{
    if (c->used + 1 <= c->count / 4 * 3)
        return true;
    struct cell *all = calloc((size_t)c->count * 2, sizeof(*all));
    if (all == NULL)
        return false;
    for (uint32_t i = 0; i < c->count; i++)
        if (c->all[i].place != 0)
            put(all, c->count * 2 - 1, c->all[i]);
    free(c->all);
    c->all = all;
    c->count *= 2;
    return true;
}

void cells_put(struct cells *c, uint32_t hash, uint32_t place)
{
    put(c->all, c->count - 1, (struct cell){ hash, place });
    c->used++;
}

/* Moves those behind it up, so that no search ends too early. */
void cells_remove(struct cells *c, uint32_t hash, uint32_t place)
{
    uint32_t mask = c->count - 1, i = hash & mask;
    while (c->all[i].place != place)
        i = (i + 1) & mask;
    for (uint32_t j = (i + 1) & mask; c->all[j].place != 0; j = (j + 1) & mask) {
        uint32_t home = c->all[j].hash & mask;
        if (((j - home) & mask) >= ((j - i) & mask)) {
            c->all[i] = c->all[j];
            i = j;
        }
    }
    c->all[i].place = 0;
    c->used--;
}
