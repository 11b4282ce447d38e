#include "store/lake/dict.h"

#include "base/ip.h"
#include "base/utf8.h"
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#define SLOTS_FIRST 32u

/* ------------------------------------------------------------------------------------------------ hashes */

uint8_t dict_secret[XXH_SECRET_DEFAULT_SIZE]; /* getrandom() gives up to 256 octets whole or not at all */
static uint64_t secret_factor;
static pthread_once_t secret_once = PTHREAD_ONCE_INIT;

static void make_secret(void)
{
    if (getrandom(dict_secret, sizeof(dict_secret), 0) != (ssize_t)sizeof(dict_secret)) {
        struct timespec t; /* no worse than no secret */
        (void)clock_gettime(CLOCK_REALTIME, &t);
        XXH3_generateSecret_fromSeed(dict_secret, (XXH64_hash_t)t.tv_nsec);
    }
    memcpy(&secret_factor, dict_secret, sizeof(secret_factor));
    secret_factor |= 1;
}

void dict_init(void)
{
    (void)pthread_once(&secret_once, make_secret);
}

uint32_t dict_hash_addr(const struct hep_addr *addr)
{
    uint64_t a = addr->len, b = 0;
    if (addr->len == 4) {
        uint32_t v4;
        memcpy(&v4, addr->octets, sizeof(v4));
        b = v4;
    } else {
        memcpy(&b, addr->octets, sizeof(b));
        memcpy(&a, addr->octets + 8, sizeof(a));
    }
    uint64_t h = ((a * secret_factor) ^ b) * UINT64_C(0x9e3779b97f4a7c15) * secret_factor;
    return (uint32_t)(h >> 32);
}

/* ------------------------------------------------------------------------------------------------ table */

/* Small tables are malloc()'s: many groups have no larger ones. The largest are slabs, and go back when they grow. */
#define SLOTS_SMALL 128u
#define SLOTS_SLAB  (uint32_t)(SLAB_SIZE / sizeof(struct dict_slot))
#define SLOTS_MAX   (SLAB_MOST * SLOTS_SLAB)

void dict_close(struct dict *d, struct dict_memory *m)
{
    uint32_t count = d->mask + 1;
    if (d->slots != NULL && count <= SLOTS_SMALL) {
        free(d->slots);
    } else if (d->slots != NULL && count >= SLOTS_SLAB) {
        slab_give(m->tables.slabs, d->slots, count / SLOTS_SLAB);
        m->slabs -= count / SLOTS_SLAB;
    }
    d->slots = NULL;
}

static struct dict_slot *take_slots(struct dict_memory *m, uint32_t count)
{
    size_t size = count * sizeof(struct dict_slot);
    struct dict_slot *slots = NULL;
    if (count <= SLOTS_SMALL)
        slots = malloc(size);
    else if (count < SLOTS_SLAB)
        slots = arena_take(&m->tables, size);
    else if ((slots = slab_take(m->tables.slabs, count / SLOTS_SLAB)) != NULL)
        m->slabs += count / SLOTS_SLAB;
    if (slots != NULL)
        memset(slots, 0, size);
    return slots;
}

static void put_slot(const struct dict *d, const struct dict_slot *slot)
{
    uint32_t at = slot->hash & d->mask;
    while (d->slots[at].code != 0)
        at = (at + 1) & d->mask;
    d->slots[at] = *slot;
}

/* Larger. What an old table of middle size took is lost until the end. */
static int grow(struct dict *d, struct dict_memory *m)
{
    uint32_t old = d->slots != NULL ? d->mask + 1 : 0;
    uint32_t count = old == 0 ? SLOTS_FIRST : old < SLOTS_SLAB / 4 ? 4 * old : 2 * old;
    struct dict_slot *slots = count <= SLOTS_MAX ? take_slots(m, count) : NULL;
    if (slots == NULL)
        return count <= SLOTS_MAX ? -ENOMEM : -ENOBUFS;
    struct dict larger = { .slots = slots, .mask = count - 1 };
    for (uint32_t i = 0; i < old; i++)
        if (d->slots[i].code != 0)
            put_slot(&larger, &d->slots[i]);
    dict_close(d, m);
    d->slots = slots;
    d->mask = count - 1;
    return 0;
}

/* ------------------------------------------------------------------------------------------------ entries */

/* The place of the next entry. */
static struct dict_entry *next_entry(struct dict *d, struct dict_memory *m, uint32_t code)
{
    uint32_t n = code + DICT_FIRST;
    unsigned chunk = 27u - (unsigned)__builtin_clz(n);
    if (chunk >= DICT_CHUNKS)
        return NULL;
    if (d->chunks[chunk] == NULL)
        d->chunks[chunk] = arena_take(&m->texts, ((size_t)DICT_FIRST << chunk) * sizeof(struct dict_entry));
    return d->chunks[chunk] != NULL ? &d->chunks[chunk][n - (DICT_FIRST << chunk)] : NULL;
}

/*
 * Makes the next entry, with `len` octets at *ret_text for the caller to fill; `before` octets are kept in front.
 * Grows the table where one more would fill it too much.
 */
static int add(struct dict *d, struct dict_memory *m, uint32_t hash, size_t before, size_t len, size_t key,
               uint8_t **ret_text)
{
    uint32_t code = atomic_load_explicit(&d->count, memory_order_relaxed);
    int rc = d->slots == NULL || (code + 1) * 4 > (d->mask + 1) * 3 ? grow(d, m) : 0;
    if (rc != 0)
        return rc;
    struct dict_entry *e = next_entry(d, m, code);
    uint8_t *place = e != NULL ? arena_octets(&m->texts, before + len) : NULL;
    if (place == NULL)
        return -ENOBUFS;
    *ret_text = place + before;
    *e = (struct dict_entry){ place + before, (uint16_t)len, (uint16_t)key };
    put_slot(d, &(struct dict_slot){ hash, (uint16_t)(key > 0 ? key : len), (uint16_t)(code + 1), place + before });
    atomic_store_explicit(&d->count, code + 1, memory_order_relaxed);
    return 0;
}

int dict_add(struct dict *d, struct dict_memory *m, const uint8_t *text, size_t len, uint32_t hash, uint32_t *ret)
{
    uint8_t *place;
    if (!utf8_valid(text, len))
        return -EINVAL;
    int rc = add(d, m, hash, 0, len, 0, &place);
    if (rc != 0)
        return rc;
    memcpy(place, text, len);
    *ret = atomic_load_explicit(&d->count, memory_order_relaxed) - 1;
    return 0;
}

/* As it is stored: IPv4 as ::ffff:a.b.c.d. */
static void widen(uint8_t to[16], const struct hep_addr *addr)
{
    if (addr->len == 16) {
        memcpy(to, addr->octets, 16);
        return;
    }
    memset(to, 0, 10);
    memset(to + 10, 0xff, 2);
    memcpy(to + 12, addr->octets, 4);
}

int dict_code_addr(struct dict *d, struct dict_memory *m, const struct hep_addr *addr, uint32_t hash, uint32_t *ret)
{
    uint8_t wide[16], *place;
    char text[IP_TEXT_MAX];
    widen(wide, addr);
    if (d->slots != NULL)
        for (const struct dict_slot *s = &d->slots[hash & d->mask]; s->code != 0; s = dict_next_slot(d, s))
            if (s->hash == hash && s->len == addr->len && dict_same(s->text - 16, wide, 16)) {
                *ret = s->code - 1u;
                return 0;
            }
    size_t len = ip_format(addr, text);
    int rc = add(d, m, hash, sizeof(wide), len, addr->len, &place);
    if (rc != 0)
        return rc;
    memcpy(place - sizeof(wide), wide, sizeof(wide));
    memcpy(place, text, len);
    *ret = atomic_load_explicit(&d->count, memory_order_relaxed) - 1;
    return 0;
}
