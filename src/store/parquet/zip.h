/* zstd frames with content checksum and known size; CRC-32 and xxh64. */
#ifndef STORE_PARQUET_ZIP_H
#define STORE_PARQUET_ZIP_H

#include "base/buf.h"
#include "store/parquet/format.h"

struct pq_zip; /* contexts of zstd, made when first needed; not shared between threads */

struct pq_zip *pq_zip_new(void); /* NULL if out of memory */
void pq_zip_free(struct pq_zip *z);
void pq_zip_trim(struct pq_zip *z); /* gives back the contexts' memory; NULL is fine */

/*
 * Appends `raw` compressed by the codec, as the body of a page. This is how a builder makes its ready pages
 * (pq_ready_page). PQ_ERR_LIMIT, PQ_ERR_MEMORY.
 */
int pq_zip_compress(struct pq_zip *z, enum pq_codec codec, int level, struct pq_slice raw, struct buf *out);

/*
 * Expands the body of a page to exactly `size` octets. PQ_ERR_DAMAGED if it is not one frame with a content checksum,
 * the checksum is wrong or the size is another.
 */
int pq_zip_expand(struct pq_zip *z, enum pq_codec codec, struct pq_slice body, uint8_t *to, size_t size);

uint32_t pq_crc32(struct pq_slice s);
uint64_t pq_xxh64(struct pq_slice s, uint64_t seed);

#endif
