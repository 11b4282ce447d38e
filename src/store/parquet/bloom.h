/* Split-block bloom filters over xxh64 (BloomFilter.md). Private to the folder. */
#ifndef STORE_PARQUET_BLOOM_H
#define STORE_PARQUET_BLOOM_H

#include "base/buf.h"
#include "store/parquet/format.h"

/* Octets of a bitset for so many distinct values: a power of two (Arrow demands it), 8 to 16 bits a value. */
size_t pq_bloom_size(size_t distinct);

/* The hash of a value: its octets in PLAIN encoding, without the length. */
uint64_t pq_bloom_hash(struct pq_slice value);

/* `bits` has `size` octets, a multiple of 32. */
void pq_bloom_insert(uint8_t *bits, size_t size, uint64_t hash);
bool pq_bloom_check(const uint8_t *bits, size_t size, uint64_t hash);

/* Appends header and bitset for `count` hashes, of which `distinct` differ (an upper bound). */
void pq_bloom_write(struct buf *out, const uint64_t *hashes, size_t count, size_t distinct);

/* Splits a stored filter into header and bitset. PQ_ERR_DAMAGED. */
int pq_bloom_parse(struct pq_slice stored, struct pq_slice *ret_bits);

#endif
