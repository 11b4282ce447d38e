/*
 * What writer and reader of Parquet files share: types, limits, errors. Source of everything in this folder is the
 * Parquet format specification (apache/parquet-format: README, parquet.thrift, Encodings, PageIndex, BloomFilter,
 * BinaryProtocolExtensions); which parts of it our files use stands in docs/lake-format.md.
 */
#ifndef STORE_PARQUET_FORMAT_H
#define STORE_PARQUET_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Every function of this folder that can fail returns 0 or one of these. */
enum pq_error {
    PQ_OK = 0,
    PQ_ERR_MEMORY = -1,  /* out of memory */
    PQ_ERR_SINK = -2,    /* the caller's write callback refused */
    PQ_ERR_SOURCE = -3,  /* the caller's read callback failed */
    PQ_ERR_USAGE = -4,   /* an argument is wrong: no such column or row, lengths that do not fit */
    PQ_ERR_LIMIT = -5,   /* larger than a limit below, or than one that the caller set */
    PQ_ERR_FOREIGN = -6, /* not a Parquet file, or not one that this program sealed */
    PQ_ERR_DAMAGED = -7, /* a checksum or a length does not fit */
    PQ_ERR_ABSENT = -8,  /* the file has no such index, filter, statistics or key */
};

/* A short text for an error code, never NULL. */
const char *pq_error_text(int error);

/* Octets that somebody else owns. */
struct pq_slice {
    const uint8_t *ptr;
    size_t len;
};

/* Physical types (parquet.thrift, Type). Values in memory are little-endian, as in the file. */
enum pq_type {
    PQ_BOOLEAN = 0, /* one octet a value, 0 or 1 */
    PQ_INT32 = 1,
    PQ_INT64 = 2,
    PQ_DOUBLE = 5,
    PQ_BYTE_ARRAY = 6,
    PQ_FIXED = 7, /* FIXED_LEN_BYTE_ARRAY */
};

/* Logical types (LogicalTypes.md). 8, 16 and 32 bit integers are PQ_INT32, 64 bit ones and times PQ_INT64. */
enum pq_logical {
    PQ_LOGICAL_NONE = 0,
    PQ_LOGICAL_STRING,       /* UTF-8; the caller vouches for it: one bad octet makes DuckDB refuse the file */
    PQ_LOGICAL_TIMESTAMP_US, /* microseconds since 1970, UTC */
    PQ_LOGICAL_DECIMAL_9_2,  /* PQ_INT32: hundredths of at most 9 digits */
    PQ_LOGICAL_INT8,
    PQ_LOGICAL_INT16,
    PQ_LOGICAL_INT32,
    PQ_LOGICAL_INT64,
    PQ_LOGICAL_UINT8,
    PQ_LOGICAL_UINT16,
    PQ_LOGICAL_UINT32,
    PQ_LOGICAL_UINT64,
};

enum pq_codec {
    PQ_CODEC_NONE = 0, /* only our own reader then detects damage: DuckDB does not look at page CRCs */
    PQ_CODEC_ZSTD = 6,
};

/* One column of a table. */
struct pq_column {
    const char *name; /* terminated UTF-8 */
    enum pq_type type;
    enum pq_logical logical;
    uint32_t width; /* PQ_FIXED: octets of a value; else 0 */
    bool nullable;
    bool dictionary; /* try a dictionary; it is dropped for a row group where it would not pay */
    bool delta;      /* integers that grow steadily: differences, where there is no dictionary, nor a bloom filter */
    bool bloom;      /* split-block bloom filter a row group */
    bool bloom_fine; /* of twice the size: 16 to 32 bits a distinct value instead of 8 to 16 */
    bool stats;      /* minimum, maximum and number of NULLs a row group and a page */
    enum pq_codec codec;
    int level; /* of zstd, 1..19 */
};

/* A data page that is compressed already: the PLAIN values (pq_plain_put()) of `rows` rows through pq_zip_compress().
 */
struct pq_ready_page {
    struct pq_slice body;
    size_t uncompressed;
    size_t rows;
};

#define PQ_COLUMNS_MAX    1024u
#define PQ_GROUPS_MAX     32767u      /* RowGroup.ordinal is an i16 */
#define PQ_GROUP_ROWS_MAX (1u << 24)  /* rows of a row group */
#define PQ_PAGE_MAX       (64u << 20) /* octets of a page, compressed or not */
#define PQ_PAGE_ROWS_MAX  (1u << 20)  /* rows of a page */
#define PQ_CHUNK_MAX      (1u << 30)  /* octets of a column chunk */
#define PQ_FOOTER_MAX     (64u << 20) /* octets of the footer */
#define PQ_INDEX_MAX      (16u << 20) /* octets of one ColumnIndex or OffsetIndex */
#define PQ_BLOOM_MAX      (1u << 20)  /* octets of one bloom filter's bitset */
#define PQ_STAT_CUT       64u         /* longest minimum or maximum kept, octets */
#define PQ_NULL_CODE      UINT32_MAX  /* a code that stands for NULL */
#define PQ_FILE_MAX       (UINT64_C(1) << 46)

/* True if the combination of types, width and codec is one that this folder writes and reads. */
bool pq_column_valid(const struct pq_column *c);

/* Octets of a value in memory; 0 for PQ_BYTE_ARRAY. */
size_t pq_column_width(const struct pq_column *c);

#endif
