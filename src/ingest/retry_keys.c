#include "ingest/retry_keys.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <xxhash.h>

#include "base/lru.h"

struct retry_keys {
    struct lru *table;
    uint64_t seed;
};

struct entry {
    uint64_t body; /* hash: the same key for something else is a mistake of the client, not a repetition */
    struct post_result result;
};

struct retry_keys *retry_keys_new(size_t capacity)
{
    const struct lru_options options = { .key_size = sizeof(XXH128_hash_t),
                                         .value_size = sizeof(struct entry),
                                         .capacity = capacity };
    struct retry_keys *k = calloc(1, sizeof(*k));
    if (k == NULL)
        return NULL;
    k->table = lru_new(&options);
    if (k->table != NULL && getrandom(&k->seed, sizeof(k->seed), 0) == (ssize_t)sizeof(k->seed))
        return k;
    retry_keys_free(k);
    return NULL;
}

void retry_keys_free(struct retry_keys *k)
{
    if (k == NULL)
        return;
    lru_free(k->table);
    free(k);
}

struct post_result *retry_keys_get(struct retry_keys *k, const struct hep_addr *peer, const char *key,
                                   struct hep_slice body, uint64_t now_ms, bool *ret_known)
{
    uint64_t seed = XXH3_64bits_withSeed(peer->octets, peer->len, k->seed);
    XXH128_hash_t id = XXH3_128bits_withSeed(key, strlen(key), seed);
    uint64_t hash = XXH3_64bits_withSeed(body.ptr, body.len, k->seed);
    bool fresh;
    struct entry *e = lru_put(k->table, &id, now_ms, &fresh);
    *ret_known = e != NULL && !fresh;
    if (e == NULL)
        return NULL;
    if (fresh)
        e->body = hash;
    return e->body == hash ? &e->result : NULL;
}

void retry_keys_expire(struct retry_keys *k, uint64_t now_ms, uint64_t age_ms)
{
    (void)lru_expire(k->table, now_ms, age_ms);
}
