/*
 * DELTA_BINARY_PACKED (Encodings.md, "Delta Encoding = 5") of 32 and 64 bit integers: blocks of 128 differences in four
 * miniblocks. Private to the folder.
 */
#ifndef STORE_PARQUET_DELTA_H
#define STORE_PARQUET_DELTA_H

#include "base/buf.h"
#include "hep/rd.h"
#include "store/parquet/format.h"

/* Appends `count` numbers; of 32 bit ones the low halves count, sign-extended by the caller. */
void pq_delta_put(struct buf *out, const int64_t *numbers, size_t count, bool is_wide);

/*
 * Reads exactly `count` numbers of `width` (4 or 8) octets, and demands that nothing is left. Any block size that the
 * specification allows. PQ_ERR_DAMAGED.
 */
int pq_delta_get(struct rd *r, size_t width, uint8_t *to, size_t count);

#endif
