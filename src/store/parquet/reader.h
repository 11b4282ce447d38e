/*
 * Reader of single pages of files that our writer sealed: finds a value by (row group, column, row) through the
 * OffsetIndex and reads only the page that holds it, and its dictionary where there is one.
 *
 * Everything that is read is checked against a seal (docs/lake-format.md), the page CRC and the checksum of the zstd
 * frame: a flipped octet gives PQ_ERR_DAMAGED or the same rows, never other ones. A Parquet file of another program is
 * PQ_ERR_FOREIGN. pq_reader_error() says what was wrong where. One reader belongs to one thread.
 */
#ifndef STORE_PARQUET_READER_H
#define STORE_PARQUET_READER_H

#include <string.h>

#include "store/parquet/format.h"

struct pq_reader;

struct pq_source {
    /* Reads exactly `len` octets at `offset`; 0, or anything else for an error. Never asked beyond `size`. */
    int (*read)(void *ctx, uint64_t offset, void *to, size_t len);
    void *ctx;
    uint64_t size; /* of the file */
};

struct pq_reader_options {
    size_t footer_max;     /* octets; 0: PQ_FOOTER_MAX */
    size_t page_max;       /* octets of a page, compressed or not; 0: PQ_PAGE_MAX */
    bool ignore_checksums; /* for salvage and for fuzzing: seals and CRCs are not compared */
};

/*
 * Opens a file: one read of its last 16 kB, one more if the footer is longer. The source is copied, its ctx borrowed.
 * All errors of enum pq_error except PQ_ERR_SINK; then `text`, if not NULL, has room for 256 octets and says why.
 */
int pq_reader_open(struct pq_reader **ret, const struct pq_source *source, const struct pq_reader_options *options,
                   char *text);
void pq_reader_free(struct pq_reader *r); /* NULL is fine */

const char *pq_reader_error(const struct pq_reader *r); /* text of the last error, "" if there was none */

/* ---- what the footer says; slices and names live as long as the reader ---- */

size_t pq_reader_columns(const struct pq_reader *r);
const struct pq_column *pq_reader_column(const struct pq_reader *r, size_t column); /* writer's preferences are 0 */
int pq_reader_find(const struct pq_reader *r, const char *name, size_t *ret);       /* PQ_ERR_ABSENT */
uint64_t pq_reader_rows(const struct pq_reader *r);
size_t pq_reader_groups(const struct pq_reader *r);
size_t pq_reader_group_rows(const struct pq_reader *r, size_t group);    /* 0 if there is no such group */
uint64_t pq_reader_group_start(const struct pq_reader *r, size_t group); /* its first row in the file */
struct pq_slice pq_reader_created_by(const struct pq_reader *r);
int pq_reader_key_value(const struct pq_reader *r, const char *key, struct pq_slice *ret); /* PQ_ERR_ABSENT */

/* Row group and row in it of a row of the file. PQ_ERR_USAGE beyond the end. */
int pq_reader_locate(const struct pq_reader *r, uint64_t row, size_t *ret_group, size_t *ret_row);

/* ---- values ---- */

/*
 * One value. ptr is NULL for a NULL (an empty value has a place); octets are little-endian as in memory, one octet for
 * a boolean. Valid until the next call for this column. PQ_ERR_USAGE, _SOURCE, _DAMAGED, _LIMIT, _MEMORY.
 */
int pq_reader_value(struct pq_reader *r, size_t group, size_t column, size_t row, struct pq_slice *ret);

/*
 * Values of one column for many rows of the file, best in ascending order: then each page is read once. The callback
 * gets the place in `rows`; what it returns other than 0 ends the walk and is returned. Errors as above.
 */
typedef int (*pq_value_fn)(void *ctx, size_t i, struct pq_slice value);
int pq_reader_values(struct pq_reader *r, size_t column, const uint64_t *rows, size_t count, pq_value_fn fn, void *ctx);

/* ---- whole pages ---- */

/* Values of a page, as pq_reader_value() has them; equal ones of a dictionary have the same place. Errors as above. */
int pq_reader_page_values(struct pq_reader *r, size_t group, size_t column, size_t page, const struct pq_slice **ret,
                          size_t *ret_count);

/* Dictionary of a chunk, valid until a call for this column in another group. PQ_ERR_ABSENT if there is none. */
int pq_reader_dictionary(struct pq_reader *r, size_t group, size_t column, const struct pq_slice **ret,
                         size_t *ret_count);

/* Codes of a page of a chunk that has a dictionary, PQ_NULL_CODE for NULL; valid until the next call of the reader. */
int pq_reader_page_codes(struct pq_reader *r, size_t group, size_t column, size_t page, const uint32_t **ret,
                         size_t *ret_count);

/*
 * A page of PLAIN values of a column that is not nullable, checked but not expanded, as pq_writer_column() takes it
 * back; valid until the next call of the reader. PQ_ERR_ABSENT if it is encoded in another way.
 */
int pq_reader_page_ready(struct pq_reader *r, size_t group, size_t column, size_t page, struct pq_ready_page *ret);

/* Octets of memory that the reader takes, about. */
size_t pq_reader_memory(const struct pq_reader *r);

/* Gives back the memory of pages and dictionaries that are kept for the next call. */
void pq_reader_trim(struct pq_reader *r);

/* ---- statistics, filters ---- */

struct pq_stats {
    bool has_nulls; /* null_count is known */
    bool has_range; /* min and max are known; they bound the values, and may be cut */
    bool min_exact, max_exact;
    uint64_t null_count;
    struct pq_slice min, max;
};

/* Of a column chunk. Slices live as long as the reader. PQ_ERR_USAGE, PQ_ERR_ABSENT. */
int pq_reader_stats(const struct pq_reader *r, size_t group, size_t column, struct pq_stats *ret);

/* Octets of a chunk before compression, page headers included; 0 if there is no such chunk. */
uint64_t pq_reader_chunk_octets(const struct pq_reader *r, size_t group, size_t column);

/* Number of pages of a chunk, and rows [*ret_first, *ret_first + *ret_count) of one. */
int pq_reader_pages(struct pq_reader *r, size_t group, size_t column, size_t *ret);
int pq_reader_page_rows(struct pq_reader *r, size_t group, size_t column, size_t page, size_t *ret_first,
                        size_t *ret_count);

/* Of a page, from the ColumnIndex. Slices live until the next call for this column. PQ_ERR_ABSENT. */
int pq_reader_page_stats(struct pq_reader *r, size_t group, size_t column, size_t page, struct pq_stats *ret);

/* Whether the row group may hold the value: false is certain. Reads the whole filter. PQ_ERR_ABSENT. */
int pq_reader_maybe(struct pq_reader *r, size_t group, size_t column, struct pq_slice value, bool *ret);

/* The filter itself, to be kept and asked without the file; valid until the next call of the reader. PQ_ERR_ABSENT. */
int pq_reader_filter(struct pq_reader *r, size_t group, size_t column, struct pq_slice *ret);
uint64_t pq_filter_hash(struct pq_slice value);
bool pq_filter_maybe(struct pq_slice filter, uint64_t hash);

/* ---- checks ---- */

/* Reads and checks every page, index and filter. */
int pq_reader_verify(struct pq_reader *r);

/* Octets and calls asked of the source so far. */
uint64_t pq_reader_octets_read(const struct pq_reader *r);
uint64_t pq_reader_reads(const struct pq_reader *r);

/* ---- numbers out of values that are not NULL ---- */

static inline int32_t pq_as_int32(struct pq_slice v)
{
    int32_t n = 0;
    memcpy(&n, v.ptr, sizeof(n));
    return n;
}

static inline int64_t pq_as_int64(struct pq_slice v)
{
    int64_t n = 0;
    memcpy(&n, v.ptr, sizeof(n));
    return n;
}

static inline double pq_as_double(struct pq_slice v)
{
    double n = 0;
    memcpy(&n, v.ptr, sizeof(n));
    return n;
}

#endif
