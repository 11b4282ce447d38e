/*
 * A hash table of bounded size that forgets the least recently used entry.
 *
 * It holds what strangers make us remember: half-received datagrams, TCP flows, media endpoints. Keys are plain octets
 * of one size, values are zeroed blocks of one size that live inside the table. A full table makes room by evicting
 * the entry that was left alone for longest, tells its owner and counts it, so memory is bounded by
 * capacity x (key + value + about 64 octets) plus the bucket array. The hash is keyed with random octets: a sender
 * cannot aim at one bucket.
 */
#ifndef BASE_LRU_H
#define BASE_LRU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct lru;

struct lru_options {
    size_t key_size;   /* octets of every key, padding included: zero the key before filling it in */
    size_t value_size; /* octets of every value */
    size_t capacity;   /* most entries held; at least 1 */
    /*
     * Called for every entry that leaves, whoever asked for it: eviction, expiry, lru_remove() and lru_free(). The
     * value is released when it returns. It must not change the table. May be NULL.
     */
    void (*on_drop)(void *arg, const void *key, void *value);
    void *arg;
};

/* NULL if out of memory or an option is zero. */
struct lru *lru_new(const struct lru_options *options);
void lru_free(struct lru *l); /* drops every entry; NULL is fine */

/* Value of a key, NULL if there is none. Does not count as a use. */
void *lru_find(const struct lru *l, const void *key);

/*
 * Value of a key, made (zeroed) if there is none; *ret_new says which. Counts as a use at `now`. A full table evicts
 * first. NULL only if out of memory.
 */
void *lru_put(struct lru *l, const void *key, uint64_t now, bool *ret_new);

/* Says that `value` is in use at `now`: moves it to the young end. */
void lru_touch(struct lru *l, void *value, uint64_t now);

/* Drops the entry that holds `value`. */
void lru_remove(struct lru *l, void *value);

/* Value that was left alone for longest, NULL if the table is empty; its key and time of last use. */
void *lru_oldest(const struct lru *l);
const void *lru_key(const struct lru *l, const void *value);
uint64_t lru_used(const struct lru *l, const void *value);

/* Evicts the oldest entry; false if the table is empty. Counted like an eviction by lru_put(). */
bool lru_evict(struct lru *l);

/*
 * Drops the entries that were last used more than `age` before `now`, from the oldest on, and returns how many. The
 * unit of time is the caller's. Times that run backwards (merged captures) only delay an expiry.
 */
size_t lru_expire(struct lru *l, uint64_t now, uint64_t age);

/* Shows every entry, the one that was left alone for longest first, until `fn` returns false; it must change nothing.
 */
void lru_each(const struct lru *l, bool (*fn)(void *arg, const void *key, const void *value, uint64_t used), void *arg);

size_t lru_count(const struct lru *l);     /* entries held */
uint64_t lru_evicted(const struct lru *l); /* entries that had to leave for want of room, ever */

#endif
