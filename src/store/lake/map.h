/*
 * Memory straight from the system: what the groups live in. It becomes resident as it is touched, is zero until then,
 * and goes back to the system at once when it is released: malloc() would keep it.
 */
#ifndef STORE_LAKE_MAP_H
#define STORE_LAKE_MAP_H

#include <stddef.h>
#include <sys/mman.h>

#define MAP_GRAIN ((size_t)4096)

static inline size_t map_round(size_t size)
{
    return (size + MAP_GRAIN - 1) & ~(MAP_GRAIN - 1);
}

/* NULL if there is none. */
static inline void *map_take(size_t size)
{
    void *p = mmap(NULL, map_round(size), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return p != MAP_FAILED ? p : NULL;
}

/* The size is that of map_take(). NULL is fine. */
static inline void map_give(void *p, size_t size)
{
    if (p != NULL)
        (void)munmap(p, map_round(size));
}

#endif
