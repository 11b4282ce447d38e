/* The RLE / bit-packing hybrid (Encodings.md, "RLE = 3"): definition levels and dictionary codes. Private. */
#ifndef STORE_PARQUET_HYBRID_H
#define STORE_PARQUET_HYBRID_H

#include "base/buf.h"
#include "hep/rd.h"
#include "store/parquet/format.h"

/* Bits that numbers from 0 to `max` need: 0..32. */
unsigned pq_hybrid_width(uint32_t max);

/* Appends `count` numbers of `width` bits (0..32), without a length in front. */
void pq_hybrid_write(struct buf *out, const uint32_t *numbers, size_t count, unsigned width);

/* Appends one run: `count` times the same number. */
void pq_hybrid_write_run(struct buf *out, uint32_t number, size_t count, unsigned width);

/* Reads exactly `count` numbers and demands that nothing is left. PQ_ERR_DAMAGED otherwise. */
int pq_hybrid_read(struct rd *r, uint32_t *numbers, size_t count, unsigned width);

#endif
