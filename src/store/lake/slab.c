#include "store/lake/slab.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "store/lake/map.h"

#define PIECE       ((size_t)2 << 20)
#define PIECE_SLABS (PIECE / SLAB_SIZE)
#define ALL         ((1u << PIECE_SLABS) - 1)

struct piece {
    struct piece *next;
    uint8_t *base;
    unsigned used; /* a bit a slab */
};

struct slabs {
    pthread_mutex_t lock;
    struct piece *pieces;
    size_t count, empty; /* pieces; those of which no slab is in use */
    size_t least_empty;  /* since the last trim */
};

struct slabs *slabs_new(void)
{
    struct slabs *s = calloc(1, sizeof(*s));
    if (s != NULL)
        pthread_mutex_init(&s->lock, NULL);
    return s;
}

/* Takes up to `most` empty pieces out of the list and gives them back to the system. */
static void drop_empty(struct slabs *s, size_t most)
{
    for (struct piece **at = &s->pieces; *at != NULL && most > 0;) {
        struct piece *p = *at;
        if (p->used != 0) {
            at = &p->next;
            continue;
        }
        *at = p->next;
        map_give(p->base, PIECE);
        free(p);
        s->count--;
        s->empty--;
        most--;
    }
}

void slabs_free(struct slabs *s)
{
    if (s == NULL)
        return;
    drop_empty(s, SIZE_MAX);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

/* Aligned to its size, so that one huge page can hold it. */
static uint8_t *map_piece(void)
{
    uint8_t *p = map_take(2 * PIECE);
    if (p == NULL)
        return NULL;
    size_t before = (PIECE - (uintptr_t)p % PIECE) % PIECE;
    if (before > 0)
        map_give(p, before);
    map_give(p + before + PIECE, PIECE - before);
    (void)madvise(p + before, PIECE, MADV_HUGEPAGE);
    return p + before;
}

static struct piece *add_piece(struct slabs *s)
{
    struct piece *p = calloc(1, sizeof(*p));
    if (p == NULL || (p->base = map_piece()) == NULL) {
        free(p);
        return NULL;
    }
    p->next = s->pieces;
    s->pieces = p;
    s->count++;
    s->empty++;
    return p;
}

/* Place of `count` free slabs in a row in the piece, PIECE_SLABS if there are none. */
static unsigned room_in(const struct piece *p, unsigned count)
{
    unsigned mask = (1u << count) - 1;
    for (unsigned i = 0; i + count <= PIECE_SLABS; i++)
        if ((p->used & mask << i) == 0)
            return i;
    return PIECE_SLABS;
}

/* A piece with room, preferably one that is in use: empty ones may go then. */
static struct piece *find(const struct slabs *s, unsigned count)
{
    struct piece *empty = NULL;
    for (struct piece *p = s->pieces; p != NULL; p = p->next) {
        if (p->used == 0)
            empty = p;
        else if (p->used != ALL && room_in(p, count) < PIECE_SLABS)
            return p;
    }
    return empty;
}

void *slab_take(struct slabs *s, unsigned count)
{
    if (s == NULL)
        return map_take(count * SLAB_SIZE);
    uint8_t *slab = NULL;
    pthread_mutex_lock(&s->lock);
    struct piece *p = find(s, count);
    if (p == NULL)
        p = add_piece(s);
    if (p != NULL) {
        unsigned i = room_in(p, count);
        s->empty -= p->used == 0;
        s->least_empty = s->empty < s->least_empty ? s->empty : s->least_empty;
        p->used |= ((1u << count) - 1) << i;
        slab = p->base + i * SLAB_SIZE;
    }
    pthread_mutex_unlock(&s->lock);
    return slab;
}

void slab_give(struct slabs *s, void *slab, unsigned count)
{
    uint8_t *at = slab;
    if (slab == NULL)
        return;
    if (s == NULL) {
        map_give(slab, count * SLAB_SIZE);
        return;
    }
    pthread_mutex_lock(&s->lock);
    struct piece *p = s->pieces;
    while (at < p->base || at >= p->base + PIECE)
        p = p->next;
    p->used &= ~(((1u << count) - 1) << (size_t)(at - p->base) / SLAB_SIZE);
    s->empty += p->used == 0;
    pthread_mutex_unlock(&s->lock);
}

void slab_trim(struct slabs *s)
{
    pthread_mutex_lock(&s->lock);
    drop_empty(s, s->least_empty);
    s->least_empty = s->empty;
    pthread_mutex_unlock(&s->lock);
}

size_t slab_held(struct slabs *s)
{
    pthread_mutex_lock(&s->lock);
    size_t octets = s->count * PIECE;
    pthread_mutex_unlock(&s->lock);
    return octets;
}

/* ------------------------------------------------------------------------------------------------ arenas */

/* In front of each slab of an arena. */
struct arena_slab {
    struct arena_slab *next;
    size_t count;
};

static bool more(struct arena *a, size_t size)
{
    size_t count = (size + sizeof(struct arena_slab) + SLAB_SIZE - 1) / SLAB_SIZE, octets = count * SLAB_SIZE;
    if (count > SLAB_MOST || (a->most > 0 && a->octets + octets > a->most))
        return false;
    struct arena_slab *slab = slab_take(a->slabs, (unsigned)count);
    if (slab == NULL)
        return false;
    *slab = (struct arena_slab){ a->first, count };
    a->first = slab;
    a->at = (uint8_t *)(slab + 1);
    a->end = (uint8_t *)slab + octets;
    a->octets += octets;
    return true;
}

uint8_t *arena_octets(struct arena *a, size_t size)
{
    if ((size_t)(a->end - a->at) < size && !more(a, size))
        return NULL;
    uint8_t *p = a->at;
    a->at += size;
    return p;
}

void *arena_take(struct arena *a, size_t size)
{
    size_t pad = (8 - (uintptr_t)a->at % 8) % 8;
    if ((size_t)(a->end - a->at) < size + pad) {
        if (!more(a, size))
            return NULL;
        pad = 0;
    }
    uint8_t *p = a->at + pad;
    a->at = p + size;
    return p;
}

void arena_free(struct arena *a)
{
    for (struct arena_slab *slab = a->first; slab != NULL;) {
        struct arena_slab *next = slab->next;
        slab_give(a->slabs, slab, (unsigned)slab->count);
        slab = next;
    }
    *a = (struct arena){ .slabs = a->slabs, .most = a->most };
}
