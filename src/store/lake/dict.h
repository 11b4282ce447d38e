/*
 * The dictionary of a text column of a group: texts to codes 0, 1, 2..., and back. One thread adds; others may look up
 * the codes of rows that they know to be there, without a lock: neither entries nor texts ever move. The hash table is
 * the writer's alone, and goes when the group is closed.
 *
 * Hashes are keyed with a secret of the process: senders choose the texts.
 */
#ifndef STORE_LAKE_DICT_H
#define STORE_LAKE_DICT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "record/record.h"
#include "store/lake/slab.h"

struct dict_entry {
    const uint8_t *text; /* the 16 octets of an address stand before its text */
    uint16_t len;        /* octets of the text */
    uint16_t key;        /* octets of the address, 0 for a text */
};

#define DICT_FIRST  16u /* entries of the first chunk; each further one has twice as many */
#define DICT_CHUNKS 12u
#define DICT_NULL   UINT32_MAX

/* Where a dictionary's memory comes from: what stays, and hash tables, which go when it is closed. */
struct dict_memory {
    struct arena texts, tables;
    size_t slabs; /* that large tables took by themselves */
};

/* A place of the hash table: all that a look-up needs beside the text. */
struct dict_slot {
    uint32_t hash;
    uint16_t len;  /* octets of the text, or of the address */
    uint16_t code; /* + 1; 0: free */
    const uint8_t *text;
};

struct dict {
    struct dict_slot *slots; /* NULL: no text yet, or closed */
    uint32_t mask;           /* number of slots - 1 */
    _Atomic uint32_t count;
    struct dict_entry *chunks[DICT_CHUNKS];
};

/* Makes the secret of the process; before the first hash. (any thread, any number of times) */
void dict_init(void);

/* Takes the hash table away, before m->tables is freed: nothing can be added any more. */
void dict_close(struct dict *d, struct dict_memory *m);

extern uint8_t dict_secret[XXH_SECRET_DEFAULT_SIZE]; /* set by dict_init() */

static inline uint32_t dict_hash(const uint8_t *text, size_t len)
{
    return (uint32_t)(XXH3_64bits_withSecret(text, len, dict_secret, sizeof(dict_secret)) >> 32);
}

uint32_t dict_hash_addr(const struct hep_addr *addr);

/* Brings near what dict_code() will need first. */
static inline void dict_prefetch(const struct dict *d, uint32_t hash)
{
    if (d->slots != NULL)
        __builtin_prefetch(&d->slots[hash & d->mask]);
}

static inline const struct dict_slot *dict_next_slot(const struct dict *d, const struct dict_slot *s)
{
    return s == &d->slots[d->mask] ? d->slots : s + 1;
}

static inline uint64_t dict_load64(const uint8_t *p)
{
    uint64_t n;
    memcpy(&n, p, sizeof(n));
    return n;
}

static inline uint32_t dict_load32(const uint8_t *p)
{
    uint32_t n;
    memcpy(&n, p, sizeof(n));
    return n;
}

/* Most texts are short: two loads that overlap, without a call. */
static inline bool dict_same(const uint8_t *a, const uint8_t *b, size_t len)
{
    if (len > 16)
        return memcmp(a, b, len) == 0;
    if (len >= 8)
        return ((dict_load64(a) ^ dict_load64(b)) | (dict_load64(a + len - 8) ^ dict_load64(b + len - 8))) == 0;
    if (len >= 4)
        return ((dict_load32(a) ^ dict_load32(b)) | (dict_load32(a + len - 4) ^ dict_load32(b + len - 4))) == 0;
    for (size_t i = 0; i < len; i++)
        if (a[i] != b[i])
            return false;
    return true;
}

/* Is it the text of code 0? Columns with one value need no more than this. */
static inline bool dict_is_first(const struct dict *d, const uint8_t *text, size_t len)
{
    const struct dict_entry *e = d->chunks[0];
    return e != NULL && e->len == len && dict_same(e->text, text, len);
}

/* Adds a text that is not there; as dict_code(). */
int dict_add(struct dict *d, struct dict_memory *m, const uint8_t *text, size_t len, uint32_t hash, uint32_t *ret);

/*
 * The code of a text; a new one is copied. 0; -ENOMEM; -ENOBUFS: the texts have no more room; -EINVAL: it is new and
 * not UTF-8 as it should be, nothing was added.
 */
static inline int dict_code(struct dict *d, struct dict_memory *m, const uint8_t *text, size_t len, uint32_t hash,
                            uint32_t *ret)
{
    if (d->slots != NULL)
        for (const struct dict_slot *s = &d->slots[hash & d->mask]; s->code != 0; s = dict_next_slot(d, s))
            if (s->hash == hash && s->len == len && dict_same(s->text, text, len)) {
                *ret = s->code - 1u;
                return 0;
            }
    return dict_add(d, m, text, len, hash, ret);
}

/* The same for an address (len 4 or 16); its entry is its text. Never -EINVAL. */
int dict_code_addr(struct dict *d, struct dict_memory *m, const struct hep_addr *addr, uint32_t hash, uint32_t *ret);

/* The entry of a code that is there. */
static inline const struct dict_entry *dict_entry(const struct dict *d, uint32_t code)
{
    uint32_t n = code + DICT_FIRST;
    unsigned chunk = 27u - (unsigned)__builtin_clz(n);
    return &d->chunks[chunk][n - (DICT_FIRST << chunk)];
}

#endif
