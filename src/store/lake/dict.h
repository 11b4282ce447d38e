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

#include "record/record.h"

/* Where texts and entries lie: a piece of memory that is only added to. */
struct dict_arena {
    uint8_t *base;
    uint32_t size;
    uint32_t used;
};

struct dict_entry {
    uint32_t at;  /* of the text, in the arena; the 16 octets of an address stand before its text */
    uint16_t len; /* octets of the text */
    uint16_t key; /* octets of the address, 0 for a text */
};

#define DICT_FIRST  16u /* entries of the first chunk; each further one has twice as many */
#define DICT_CHUNKS 12u
#define DICT_NULL   UINT32_MAX

struct dict {
    uint64_t *slots; /* 0: free; else 32 bits of hash, code + 1 */
    uint32_t slot_count;
    _Atomic uint32_t count;
    struct dict_entry *chunks[DICT_CHUNKS];
};

/* Makes the secret of the process; before the first hash. (any thread, any number of times) */
void dict_init(void);

/* Takes the hash table away: nothing can be added any more. */
void dict_close(struct dict *d);

/* Octets that the hash table takes. */
static inline size_t dict_table(const struct dict *d)
{
    return d->slot_count * sizeof(uint64_t);
}

/* len > 0; no more than RECORD_TEXT_MAX. */
uint32_t dict_hash(const uint8_t *text, size_t len);
uint32_t dict_hash_addr(const struct hep_addr *addr);

/* Brings near what dict_code() will need for this hash. */
static inline void dict_prefetch(const struct dict *d, uint32_t hash)
{
    if (d->slot_count > 0)
        __builtin_prefetch(&d->slots[hash & (d->slot_count - 1)]);
}

/*
 * The code of a text; a new one is copied. 0; -ENOMEM; -ENOBUFS: the arena is full; -EINVAL: it is new and not UTF-8
 * as it should be, nothing was added.
 */
int dict_code(struct dict *d, struct dict_arena *a, const uint8_t *text, size_t len, uint32_t hash, uint32_t *ret);

/* The same for an address (len 4 or 16); its entry is its text. Never -EINVAL. */
int dict_code_addr(struct dict *d, struct dict_arena *a, const struct hep_addr *addr, uint32_t hash, uint32_t *ret);

/* The entry of a code that is there. */
static inline const struct dict_entry *dict_entry(const struct dict *d, uint32_t code)
{
    uint32_t n = code + DICT_FIRST;
    unsigned chunk = 27u - (unsigned)__builtin_clz(n);
    return &d->chunks[chunk][n - (DICT_FIRST << chunk)];
}

#endif
