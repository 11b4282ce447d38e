#include "store/parquet/dict.h"

#include <stdlib.h>
#include <string.h>

#include "store/parquet/zip.h"

void pq_dict_reset(struct pq_dict *d)
{
    d->count = d->octets = 0;
    if (d->slot_count > 0)
        memset(d->slots, 0, d->slot_count * sizeof(*d->slots));
}

void pq_dict_free(struct pq_dict *d)
{
    free(d->entries);
    free(d->slots);
    *d = (struct pq_dict){ .entries = NULL };
}

int pq_dict_append(struct pq_dict *d, struct pq_slice value)
{
    if (d->count == d->cap) {
        size_t cap = d->cap == 0 ? 256 : d->cap * 2;
        struct pq_slice *grown = realloc(d->entries, cap * sizeof(*grown));
        if (grown == NULL)
            return PQ_ERR_MEMORY;
        d->entries = grown;
        d->cap = cap;
    }
    d->entries[d->count++] = value;
    d->octets += value.len + 4;
    return PQ_OK;
}

static uint64_t hash_of(struct pq_slice v)
{
    uint64_t n = 0;
    if (v.len > 8)
        return pq_xxh64(v, 0);
    if (v.len > 0)
        memcpy(&n, v.ptr, v.len);
    n = (n + v.len) * UINT64_C(0x9e3779b97f4a7c15);
    return n ^ n >> 32;
}

static bool same(struct pq_slice a, struct pq_slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

/* The slot that holds the value, or the free one where it belongs. */
static size_t find(const struct pq_dict *d, struct pq_slice value)
{
    size_t mask = d->slot_count - 1, at = (size_t)hash_of(value) & mask;
    while (d->slots[at] != 0 && !same(d->entries[d->slots[at] - 1], value))
        at = (at + 1) & mask;
    return at;
}

static int grow(struct pq_dict *d)
{
    size_t count = d->slot_count == 0 ? 1024 : d->slot_count * 2;
    uint32_t *slots = calloc(count, sizeof(*slots));
    if (slots == NULL)
        return PQ_ERR_MEMORY;
    free(d->slots);
    d->slots = slots;
    d->slot_count = count;
    for (size_t i = 0; i < d->count; i++)
        d->slots[find(d, d->entries[i])] = (uint32_t)i + 1;
    return PQ_OK;
}

int pq_dict_code(struct pq_dict *d, struct pq_slice value, uint32_t *ret)
{
    if (d->count * 2 >= d->slot_count) {
        int rc = grow(d);
        if (rc != PQ_OK)
            return rc;
    }
    size_t at = find(d, value);
    if (d->slots[at] == 0) {
        int rc = pq_dict_append(d, value);
        if (rc != PQ_OK)
            return rc;
        d->slots[at] = (uint32_t)d->count;
    }
    *ret = d->slots[at] - 1;
    return PQ_OK;
}
