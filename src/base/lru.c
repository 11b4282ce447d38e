#include "base/lru.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

/* An entry is this header, the key rounded up to VALUE_ALIGN, and the value. */
#define VALUE_ALIGN 16

struct entry {
    struct entry *chain; /* next in the bucket */
    struct entry *older, *younger;
    uint64_t hash;
    uint64_t used;
};

struct lru {
    struct lru_options options;
    size_t key_at, value_at, entry_size; /* offsets within an entry, and its size */
    size_t mask;                         /* buckets - 1 */
    struct entry **buckets;
    struct entry *oldest, *youngest;
    size_t count;
    uint64_t evicted;
    uint64_t seed[2];
};

/* ------------------------------------------------------------------------------------------------ hash */

static uint64_t rotate(uint64_t x, unsigned bits)
{
    return x << bits | x >> (64 - bits);
}

/* The round of SipHash (Aumasson and Bernstein, 2012). One per word and three at the end resist chosen keys. */
static void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[2] += v[3];
    v[1] = rotate(v[1], 13) ^ v[0];
    v[3] = rotate(v[3], 16) ^ v[2];
    v[0] = rotate(v[0], 32) + v[3];
    v[2] += v[1];
    v[3] = rotate(v[3], 21) ^ v[0];
    v[1] = rotate(v[1], 17) ^ v[2];
    v[2] = rotate(v[2], 32);
}

static uint64_t hash_octets(const uint64_t seed[2], const uint8_t *p, size_t len)
{
    uint64_t v[4] = { seed[0] ^ UINT64_C(0x736f6d6570736575), seed[1] ^ UINT64_C(0x646f72616e646f6d),
                      seed[0] ^ UINT64_C(0x6c7967656e657261), seed[1] ^ UINT64_C(0x7465646279746573) };
    size_t left = len;
    for (;;) {
        uint64_t word = 0;
        size_t part = left < sizeof(word) ? left : sizeof(word);
        memcpy(&word, p, part);
        v[3] ^= word;
        sip_round(v);
        v[0] ^= word;
        if (left <= sizeof(word))
            break;
        p += part;
        left -= part;
    }
    v[2] ^= 0xff ^ (uint64_t)len << 8;
    for (int i = 0; i < 3; i++)
        sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* Without entropy (a very old kernel) an address and the clock still differ from run to run. */
static void make_seed(uint64_t seed[2], const void *self)
{
    if (getrandom(seed, 2 * sizeof(seed[0]), 0) == (ssize_t)(2 * sizeof(seed[0])))
        return;
    struct timespec now = { 0 };
    (void)clock_gettime(CLOCK_REALTIME, &now);
    seed[0] = (uint64_t)(uintptr_t)self;
    seed[1] = (uint64_t)now.tv_nsec << 32 ^ (uint64_t)now.tv_sec;
}

/* ------------------------------------------------------------------------------------------------ entries */

static uint8_t *key_of(const struct lru *l, struct entry *e)
{
    return (uint8_t *)e + l->key_at;
}

static void *value_of(const struct lru *l, struct entry *e)
{
    return (uint8_t *)e + l->value_at;
}

static struct entry *entry_of(const struct lru *l, void *value)
{
    return (struct entry *)(void *)((uint8_t *)value - l->value_at);
}

static const struct entry *const_entry_of(const struct lru *l, const void *value)
{
    return (const struct entry *)(const void *)((const uint8_t *)value - l->value_at);
}

static void unlink_order(struct lru *l, struct entry *e)
{
    *(e->older != NULL ? &e->older->younger : &l->oldest) = e->younger;
    *(e->younger != NULL ? &e->younger->older : &l->youngest) = e->older;
}

static void link_youngest(struct lru *l, struct entry *e)
{
    e->older = l->youngest;
    e->younger = NULL;
    *(l->youngest != NULL ? &l->youngest->younger : &l->oldest) = e;
    l->youngest = e;
}

static void drop(struct lru *l, struct entry *e)
{
    struct entry **at = &l->buckets[e->hash & l->mask];
    while (*at != e)
        at = &(*at)->chain;
    *at = e->chain;
    unlink_order(l, e);
    l->count--;
    if (l->options.on_drop != NULL)
        l->options.on_drop(l->options.arg, key_of(l, e), value_of(l, e));
    free(e);
}

static struct entry *find(const struct lru *l, const void *key, uint64_t hash)
{
    struct entry *e = l->buckets[hash & l->mask];
    while (e != NULL && (e->hash != hash || memcmp(key_of(l, e), key, l->options.key_size) != 0))
        e = e->chain;
    return e;
}

static struct entry *insert(struct lru *l, const void *key, uint64_t hash)
{
    while (l->count >= l->options.capacity)
        (void)lru_evict(l);
    struct entry *e = calloc(1, l->entry_size);
    if (e == NULL)
        return NULL;
    e->hash = hash;
    memcpy(key_of(l, e), key, l->options.key_size);
    e->chain = l->buckets[hash & l->mask];
    l->buckets[hash & l->mask] = e;
    l->count++;
    return e;
}

/* ------------------------------------------------------------------------------------------------ interface */

static size_t round_up(size_t n)
{
    return (n + VALUE_ALIGN - 1) / VALUE_ALIGN * VALUE_ALIGN;
}

struct lru *lru_new(const struct lru_options *options)
{
    if (options->key_size == 0 || options->value_size == 0 || options->capacity == 0)
        return NULL;
    struct lru *l = calloc(1, sizeof(*l));
    if (l == NULL)
        return NULL;
    l->options = *options;
    l->key_at = sizeof(struct entry);
    l->value_at = round_up(l->key_at + options->key_size);
    l->entry_size = l->value_at + options->value_size;
    size_t buckets = 16;
    while (buckets < options->capacity && buckets <= SIZE_MAX / 4)
        buckets *= 2;
    l->mask = buckets - 1;
    l->buckets = calloc(buckets, sizeof(struct entry *));
    if (l->buckets == NULL) {
        free(l);
        return NULL;
    }
    make_seed(l->seed, l);
    return l;
}

void lru_free(struct lru *l)
{
    if (l == NULL)
        return;
    struct entry *e = l->oldest;
    while (e != NULL) {
        struct entry *younger = e->younger;
        drop(l, e);
        e = younger;
    }
    free(l->buckets);
    free(l);
}

void *lru_find(const struct lru *l, const void *key)
{
    struct entry *e = find(l, key, hash_octets(l->seed, key, l->options.key_size));
    return e != NULL ? value_of(l, e) : NULL;
}

void *lru_put(struct lru *l, const void *key, uint64_t now, bool *ret_new)
{
    uint64_t hash = hash_octets(l->seed, key, l->options.key_size);
    struct entry *e = find(l, key, hash);
    *ret_new = e == NULL;
    if (e != NULL) {
        unlink_order(l, e);
    } else {
        e = insert(l, key, hash);
        if (e == NULL)
            return NULL;
    }
    link_youngest(l, e);
    e->used = now;
    return value_of(l, e);
}

void lru_touch(struct lru *l, void *value, uint64_t now)
{
    struct entry *e = entry_of(l, value);
    e->used = now;
    if (e == l->youngest)
        return;
    unlink_order(l, e);
    link_youngest(l, e);
}

void lru_remove(struct lru *l, void *value)
{
    drop(l, entry_of(l, value));
}

void *lru_oldest(const struct lru *l)
{
    return l->oldest != NULL ? value_of(l, l->oldest) : NULL;
}

const void *lru_key(const struct lru *l, const void *value)
{
    return (const uint8_t *)const_entry_of(l, value) + l->key_at;
}

uint64_t lru_used(const struct lru *l, const void *value)
{
    return const_entry_of(l, value)->used;
}

bool lru_evict(struct lru *l)
{
    if (l->oldest == NULL)
        return false;
    l->evicted++;
    drop(l, l->oldest);
    return true;
}

size_t lru_expire(struct lru *l, uint64_t now, uint64_t age)
{
    size_t before = l->count;
    struct entry *e = l->oldest;
    while (e != NULL && now > e->used && now - e->used > age) {
        struct entry *younger = e->younger;
        drop(l, e);
        e = younger;
    }
    return before - l->count;
}

void lru_each(const struct lru *l, bool (*fn)(void *arg, const void *key, const void *value, uint64_t used), void *arg)
{
    for (struct entry *e = l->oldest; e != NULL; e = e->younger) {
        const void *value = value_of(l, e);
        if (!fn(arg, lru_key(l, value), value, e->used))
            return;
    }
}

size_t lru_count(const struct lru *l)
{
    return l->count;
}

uint64_t lru_evicted(const struct lru *l)
{
    return l->evicted;
}
