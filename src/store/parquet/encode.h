/*
 * Encodings of values (Encodings.md): PLAIN and, through hybrid.h, levels. Only
 * pq_plain_put() is for users: with it a builder fills the pages that it compresses itself.
 */
#ifndef STORE_PARQUET_ENCODE_H
#define STORE_PARQUET_ENCODE_H

#include "base/buf.h"
#include "hep/rd.h"
#include "store/parquet/format.h"

/* Appends one BYTE_ARRAY in PLAIN encoding. */
void pq_plain_put(struct buf *out, struct pq_slice value);

/* Appends the values that are not NULL (ptr != NULL), `count` slots in all, in PLAIN encoding. */
void pq_values_put(struct buf *out, const struct pq_column *c, const struct pq_slice *values, size_t count);

/* Appends definition levels with their length in front (data page v1); nothing for a column that is not nullable. */
void pq_levels_put(struct buf *out, const struct pq_column *c, const struct pq_slice *values, size_t count,
                   size_t nulls, uint32_t *scratch);

/* The same from numbers: 1 for a value, 0 for a NULL. */
void pq_levels_put_numbers(struct buf *out, const struct pq_column *c, const uint32_t *levels, size_t count,
                           size_t nulls);

/*
 * Reads `count` values in PLAIN encoding; slices point into the page body. Demands that nothing is left.
 * PQ_ERR_DAMAGED.
 */
int pq_values_get(struct rd *r, const struct pq_column *c, struct pq_slice *values, size_t count);

#endif
