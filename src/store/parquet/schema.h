/* A table of columns as the schema of a file and back. Private to the folder. */
#ifndef STORE_PARQUET_SCHEMA_H
#define STORE_PARQUET_SCHEMA_H

#include "store/parquet/meta.h"

/* Fills *ret with elements from the arena: the root, then one for each column. PQ_ERR_LIMIT. */
int pq_schema_make(const struct pq_column *columns, size_t count, struct pq_arena *a, struct pq_list *ret);

/*
 * Reads a flat schema: name, type, logical type, width, nullable; the rest of each column is left zero. Columns come
 * from the arena. PQ_ERR_FOREIGN for what this folder does not write.
 */
int pq_schema_read(const struct pq_list *elements, struct pq_arena *a, struct pq_column **ret, size_t *ret_count);

#endif
