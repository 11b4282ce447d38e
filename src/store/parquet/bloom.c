#include "store/parquet/bloom.h"

#include <string.h>

#include "store/parquet/meta.h"
#include "store/parquet/reader.h"
#include "store/parquet/zip.h"

#define BLOCK 32u /* octets: eight words of 32 bits */

static const uint32_t salts[8] = { 0x47b6137bu, 0x44974d91u, 0x8824ad5bu, 0xa2b7289du,
                                   0x705495c7u, 0x2df1424bu, 0x9efc4947u, 0x5c6bfb31u };

size_t pq_bloom_size(size_t distinct)
{
    size_t size = BLOCK;
    while (size < distinct && size < PQ_BLOOM_MAX)
        size *= 2;
    return size;
}

uint64_t pq_bloom_hash(struct pq_slice value)
{
    return pq_xxh64(value, 0);
}

/* Octet in a block and its bit for one of the eight words. */
static size_t octet_of(uint32_t key, unsigned word, uint8_t *ret_mask)
{
    uint32_t bit = key * salts[word] >> 27;
    *ret_mask = (uint8_t)(1u << (bit & 7));
    return word * 4u + (bit >> 3);
}

static size_t block_of(size_t size, uint64_t hash)
{
    return (size_t)((hash >> 32) * (uint64_t)(size / BLOCK) >> 32) * BLOCK;
}

void pq_bloom_insert(uint8_t *bits, size_t size, uint64_t hash)
{
    uint8_t *block = bits + block_of(size, hash), mask;
    for (unsigned word = 0; word < 8; word++) {
        size_t at = octet_of((uint32_t)hash, word, &mask);
        block[at] |= mask;
    }
}

bool pq_bloom_check(const uint8_t *bits, size_t size, uint64_t hash)
{
    const uint8_t *block = bits + block_of(size, hash);
    uint8_t mask;
    for (unsigned word = 0; word < 8; word++) {
        size_t at = octet_of((uint32_t)hash, word, &mask);
        if ((block[at] & mask) == 0)
            return false;
    }
    return true;
}

void pq_bloom_write(struct buf *out, const uint64_t *hashes, size_t count, size_t distinct)
{
    size_t size = pq_bloom_size(distinct);
    struct pq_m_bloom_header header = {
        .present = 0xf,
        .num_bytes = (int32_t)size,
        .algorithm.present = 1,
        .hash.present = 1,
        .compression.present = 1,
    };
    pq_thrift_write(&pq_t_bloom_header, &header, out);
    uint8_t *bits = buf_space(out, size);
    if (bits == NULL)
        return;
    memset(bits, 0, size);
    for (size_t i = 0; i < count; i++)
        pq_bloom_insert(bits, size, hashes[i]);
    buf_added(out, size);
}

int pq_bloom_parse(struct pq_slice stored, struct pq_slice *ret_bits)
{
    struct pq_arena none;
    struct pq_m_bloom_header header;
    struct rd r;
    pq_arena_init(&none, 0); /* the header has no lists */
    rd_init(&r, stored.ptr, stored.len);
    int rc = pq_thrift_read(&pq_t_bloom_header, &r, &none, &header);
    if (rc != PQ_OK)
        return rc;
    size_t left = rd_left(&r);
    bool known = header.algorithm.present == 1 && header.hash.present == 1 && header.compression.present == 1;
    if (!known || header.num_bytes < (int32_t)BLOCK || (size_t)header.num_bytes != left || left % BLOCK != 0)
        return PQ_ERR_DAMAGED;
    *ret_bits = (struct pq_slice){ r.ptr, left };
    return PQ_OK;
}

uint64_t pq_filter_hash(struct pq_slice value)
{
    return pq_bloom_hash(value);
}

bool pq_filter_maybe(struct pq_slice filter, uint64_t hash)
{
    return pq_bloom_check(filter.ptr, filter.len, hash);
}
