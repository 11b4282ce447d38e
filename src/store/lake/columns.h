/*
 * The tables as Parquet columns: what record_schema() says in the terms of store/parquet. docs/lake.md shows it.
 *
 * TIME      INT64   TIMESTAMP(MICROS, UTC)
 * SEQ       INT64   INT(64, signed)
 * NUMBER    INT32   INT(32, unsigned)
 * OPTIONAL  INT32   INT(32, unsigned), nullable
 * DECIMAL   INT32   DECIMAL(9, 2), nullable
 * UID       INT64   INT(64, unsigned), nullable
 * TEXT, IP  BYTE_ARRAY STRING, nullable
 * ADDR      FIXED_LEN_BYTE_ARRAY(16), nullable
 * BYTES     BYTE_ARRAY
 */
#ifndef STORE_LAKE_COLUMNS_H
#define STORE_LAKE_COLUMNS_H

#include "record/record.h"
#include "store/parquet/format.h"

/* The columns of a table as a file has them, in order; names are static. Returns how many. */
size_t lake_columns(enum record_table table, struct pq_column ret[RECORD_COLUMNS_MAX]);

/* Is it one that rows are looked up by, whose bloom filters are kept in memory (store/lake/catalog.h)? */
bool lake_column_is_key(enum record_table table, size_t column);

/* May the column have NULLs? ts and received are always there, other times need not be. */
bool lake_column_nullable(enum record_table table, size_t column);

/* A value as pq_reader gives it (ptr NULL: NULL) as the cell of a column of this kind; octets are borrowed. */
void lake_cell(enum record_kind kind, struct pq_slice value, struct record_cell *ret);

#endif
