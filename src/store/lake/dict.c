#include "store/lake/dict.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/ip.h"
#include "base/utf8.h"
#include "store/lake/map.h"

#define SLOTS_FIRST 32u

/* ------------------------------------------------------------------------------------------------ hashes */

static uint8_t secret[XXH_SECRET_DEFAULT_SIZE]; /* getrandom() gives up to 256 octets whole or not at all */
static uint64_t secret_factor;
static pthread_once_t secret_once = PTHREAD_ONCE_INIT;

static void make_secret(void)
{
    if (getrandom(secret, sizeof(secret), 0) != (ssize_t)sizeof(secret)) {
        struct timespec t; /* no worse than no secret */
        (void)clock_gettime(CLOCK_REALTIME, &t);
        XXH3_generateSecret_fromSeed(secret, (XXH64_hash_t)t.tv_nsec);
    }
    memcpy(&secret_factor, secret, sizeof(secret_factor));
    secret_factor |= 1;
}

void dict_init(void)
{
    (void)pthread_once(&secret_once, make_secret);
}

uint32_t dict_hash(const uint8_t *text, size_t len)
{
    return (uint32_t)(XXH3_64bits_withSecret(text, len, secret, sizeof(secret)) >> 32);
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

/* Small tables share pages with what malloc() has; a large one is given back to the system. */
#define SLOTS_SMALL 256u

static void give_slots(uint64_t *slots, uint32_t count)
{
    if (count <= SLOTS_SMALL)
        free(slots);
    else
        map_give(slots, count * sizeof(*slots));
}

static uint64_t *take_slots(uint32_t count)
{
    return count <= SLOTS_SMALL ? calloc(count, sizeof(uint64_t)) : map_take(count * sizeof(uint64_t));
}

void dict_close(struct dict *d)
{
    give_slots(d->slots, d->slot_count);
    d->slots = NULL;
    d->slot_count = 0;
}

/* Twice as large; the old entries by the hash bits that stand in them. */
static int grow(struct dict *d)
{
    uint32_t count = d->slot_count > 0 ? 2 * d->slot_count : SLOTS_FIRST;
    uint64_t *slots = take_slots(count);
    if (slots == NULL)
        return -ENOMEM;
    for (uint32_t i = 0; i < d->slot_count; i++) {
        uint64_t slot = d->slots[i];
        if (slot == 0)
            continue;
        uint32_t at = (uint32_t)(slot >> 32) & (count - 1);
        while (slots[at] != 0)
            at = (at + 1) & (count - 1);
        slots[at] = slot;
    }
    give_slots(d->slots, d->slot_count);
    d->slots = slots;
    d->slot_count = count;
    return 0;
}

/* ------------------------------------------------------------------------------------------------ entries */

static void *take(struct dict_arena *a, size_t size, size_t align)
{
    size_t at = (a->used + align - 1) & ~(align - 1);
    if (at + size > a->size)
        return NULL;
    a->used = (uint32_t)(at + size);
    return a->base + at;
}

/* The place of the next entry. */
static struct dict_entry *next_entry(struct dict *d, struct dict_arena *a, uint32_t code)
{
    uint32_t n = code + DICT_FIRST;
    unsigned chunk = 27u - (unsigned)__builtin_clz(n);
    if (chunk >= DICT_CHUNKS)
        return NULL;
    if (d->chunks[chunk] == NULL)
        d->chunks[chunk] = take(a, ((size_t)DICT_FIRST << chunk) * sizeof(struct dict_entry), 8);
    return d->chunks[chunk] != NULL ? &d->chunks[chunk][n - (DICT_FIRST << chunk)] : NULL;
}

/* Makes the next entry, with `len` octets at *ret_text for the caller to fill; `before` octets are kept in front. */
static int add(struct dict *d, struct dict_arena *a, size_t before, size_t len, size_t key, uint8_t **ret_text)
{
    uint32_t code = atomic_load_explicit(&d->count, memory_order_relaxed);
    struct dict_entry *e = next_entry(d, a, code);
    uint8_t *place = e != NULL ? take(a, before + len, 1) : NULL;
    if (place == NULL)
        return -ENOBUFS;
    *ret_text = place + before;
    *e = (struct dict_entry){ (uint32_t)(place + before - a->base), (uint16_t)len, (uint16_t)key };
    atomic_store_explicit(&d->count, code + 1, memory_order_relaxed);
    return 0;
}

/* Grows the table where one more entry would fill it too much. */
static int make_room(struct dict *d)
{
    uint32_t count = atomic_load_explicit(&d->count, memory_order_relaxed);
    return (count + 1) * 4 > d->slot_count * 3 ? grow(d) : 0;
}

int dict_code(struct dict *d, struct dict_arena *a, const uint8_t *text, size_t len, uint32_t hash, uint32_t *ret)
{
    uint8_t *place;
    int rc = make_room(d);
    if (rc != 0)
        return rc;
    uint32_t mask = d->slot_count - 1, at = hash & mask;
    for (; d->slots[at] != 0; at = (at + 1) & mask) {
        if (d->slots[at] >> 32 != hash)
            continue;
        uint32_t code = (uint32_t)d->slots[at] - 1;
        const struct dict_entry *e = dict_entry(d, code);
        if (e->len == len && memcmp(a->base + e->at, text, len) == 0) {
            *ret = code;
            return 0;
        }
    }
    if (!utf8_valid(text, len))
        return -EINVAL;
    rc = add(d, a, 0, len, 0, &place);
    if (rc != 0)
        return rc;
    memcpy(place, text, len);
    *ret = atomic_load_explicit(&d->count, memory_order_relaxed) - 1;
    d->slots[at] = (uint64_t)hash << 32 | (*ret + 1);
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

int dict_code_addr(struct dict *d, struct dict_arena *a, const struct hep_addr *addr, uint32_t hash, uint32_t *ret)
{
    uint8_t wide[16], *place;
    char text[IP_TEXT_MAX];
    int rc = make_room(d);
    if (rc != 0)
        return rc;
    widen(wide, addr);
    uint32_t mask = d->slot_count - 1, at = hash & mask;
    for (; d->slots[at] != 0; at = (at + 1) & mask) {
        if (d->slots[at] >> 32 != hash)
            continue;
        uint32_t code = (uint32_t)d->slots[at] - 1;
        const struct dict_entry *e = dict_entry(d, code);
        if (e->key == addr->len && memcmp(a->base + e->at - 16, wide, 16) == 0) {
            *ret = code;
            return 0;
        }
    }
    size_t len = ip_format(addr, text);
    rc = add(d, a, sizeof(wide), len, addr->len, &place);
    if (rc != 0)
        return rc;
    memcpy(place - sizeof(wide), wide, sizeof(wide));
    memcpy(place, text, len);
    *ret = atomic_load_explicit(&d->count, memory_order_relaxed) - 1;
    d->slots[at] = (uint64_t)hash << 32 | (*ret + 1);
    return 0;
}
