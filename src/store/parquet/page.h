/* Pages as they lie in the file: header, body, CRC and our seal. Private to the folder. */
#ifndef STORE_PARQUET_PAGE_H
#define STORE_PARQUET_PAGE_H

#include "base/buf.h"
#include "store/parquet/arena.h"

struct pq_page {
    bool dictionary;      /* a dictionary page, else data */
    int32_t encoding;     /* PQ_ENCODING_... */
    size_t values;        /* NULLs included */
    size_t uncompressed;  /* octets of the body before compression */
    struct pq_slice body; /* as in the file */
};

/* Marks our extensions (BinaryProtocolExtensions.md wants octets that no other program uses). */
#define PQ_MARK     "hepcat\x01\xa7"
#define PQ_MARK_LEN 8u

/*
 * The seal of octets at a place in the file: xxh64 seeded with their offset, so that octets in a wrong place do not
 * pass. A page's seal covers header and body, which the page CRC alone (body only) does not.
 */
uint64_t pq_seal(uint64_t offset, struct pq_slice octets);
uint64_t pq_seal_more(uint64_t seal, struct pq_slice octets); /* goes on with the octets that follow */

/* Seals as octets of an extension field. */
void pq_le64_store(uint8_t *p, uint64_t v);
uint64_t pq_le64_load(const uint8_t *p);

/* Writes the header of a page to the (emptied) buffer. */
void pq_page_header(const struct pq_page *page, struct buf *out);

/*
 * Takes a whole page (header and body, exactly) apart and checks its CRC. The caller has checked the seal and expands
 * the body. PQ_ERR_DAMAGED.
 */
int pq_page_parse(struct pq_slice whole, struct pq_page *ret);

#endif
