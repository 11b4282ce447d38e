/*
 * Streaming writer of Parquet files for the lake. It only appends: what it needs to remember is the metadata of the
 * row groups written so far (about 6 kB each for 30 columns) and one column chunk in work.
 *
 *   pq_writer_open();
 *   for each row group: pq_writer_group_begin(); pq_writer_column() for each column in order; pq_writer_group_end();
 *   pq_writer_close();
 *
 * After an error every later call returns it again; pq_writer_error() says more. A file is whole only when
 * pq_writer_close() returned 0. One writer belongs to one thread.
 */
#ifndef STORE_PARQUET_WRITER_H
#define STORE_PARQUET_WRITER_H

#include "store/parquet/format.h"

struct pq_reader; /* reader.h */
struct pq_writer;

/* Where the file goes: called with octets in order. 0, or anything else to give up (PQ_ERR_SINK). */
struct pq_sink {
    int (*write)(void *ctx, const void *octets, size_t len);
    void *ctx;
};

struct pq_sorting {
    uint32_t column;
    bool descending;
};

struct pq_writer_options {
    size_t page_rows;       /* rows of a page; 0: 4096 */
    size_t page_octets;     /* a page of BYTE_ARRAY without dictionary ends here too, before compression; 0: 128 kB */
    size_t dictionary_max;  /* octets of a dictionary page before compression; 0: 1 MB */
    const char *created_by; /* NULL: "hepcat" */
    const struct pq_sorting *sorting; /* how rows are sorted within a row group, as the caller vouches */
    size_t sorting_count;
};

/*
 * One piece of a column: the chunk of an append-only builder. Everything is borrowed until the call returns. A slot
 * for a NULL is there in `values`, `offsets` or `codes` too, its content does not matter.
 */
struct pq_segment {
    size_t rows;
    const uint8_t *validity; /* bit i (lowest first) is 0 for a NULL; NULL: no NULLs */
    const void *values;      /* types of fixed width: rows * width octets */
    const uint32_t *offsets; /* PQ_BYTE_ARRAY: rows + 1 places in bytes */
    const uint8_t *bytes;
    const uint32_t *codes; /* PQ_DATA_CODES: entry of the dictionary, or PQ_NULL_CODE */
    /* Of a dictionary: its entries one by one, instead of the three above; ptr never NULL, lengths fit the type. */
    const struct pq_slice *slices;
};

enum pq_data_kind {
    PQ_DATA_FLAT,  /* segments of values */
    PQ_DATA_CODES, /* segments of codes, and segments of dictionary entries (no NULLs) that they count through */
    PQ_DATA_PAGES, /* ready pages; column PQ_BYTE_ARRAY, not nullable, neither bloom nor stats */
    PQ_DATA_NULLS, /* nothing but NULLs: segments with nothing but `rows`. In pages as large as may be */
};

struct pq_data {
    enum pq_data_kind kind;
    const struct pq_segment *segments;
    size_t segment_count;
    const struct pq_segment *dictionary; /* entries that no code uses cost only their space */
    size_t dictionary_count;
    const struct pq_ready_page *pages;
    size_t page_count;
};

/* CPU time is not measured here; these count what came out, for benchmarks and logs. */
struct pq_writer_counts {
    uint64_t octets;       /* written so far: the size of the file after closing */
    uint64_t rows;         /* of closed row groups */
    uint64_t uncompressed; /* octets of page bodies before compression, ready pages included */
};

/*
 * Starts a file. The schema and the options are copied. PQ_ERR_USAGE (no column, a bad combination: pq_column_valid()),
 * PQ_ERR_LIMIT, PQ_ERR_MEMORY, PQ_ERR_SINK.
 */
int pq_writer_open(struct pq_writer **ret, const struct pq_column *columns, size_t column_count,
                   const struct pq_sink *sink, const struct pq_writer_options *options);

/* Releases everything; without pq_writer_close() the file is left unusable. NULL is fine. */
void pq_writer_free(struct pq_writer *w);

/* Adds a key and a value (text) to the footer, any time before closing. PQ_ERR_LIMIT, PQ_ERR_MEMORY. */
int pq_writer_key_value(struct pq_writer *w, const char *key, const char *value, size_t len);

/* A row group of `rows` rows, at least 1. PQ_ERR_USAGE, PQ_ERR_LIMIT. */
int pq_writer_group_begin(struct pq_writer *w, size_t rows);

/* The next column of the group. PQ_ERR_USAGE if rows do not add up or a NULL is in a column without; others as above.
 */
int pq_writer_column(struct pq_writer *w, const struct pq_data *data);

int pq_writer_group_end(struct pq_writer *w);

/*
 * A whole row group of another file, as it is: pages, filters and indexes are copied octet by octet, with places and
 * seals made anew; each is checked against its old seal. About a tenth of the CPU of writing it anew. The columns must
 * be the same (PQ_ERR_USAGE). What the reader says, e.g. PQ_ERR_DAMAGED, is returned with *ret_source true, and the
 * writer is of no use after it either.
 */
int pq_writer_group_copy(struct pq_writer *w, struct pq_reader *r, size_t group, bool *ret_source);

/* Writes the footer. The handle can only be freed then. */
int pq_writer_close(struct pq_writer *w);

struct pq_writer_counts pq_writer_counts(const struct pq_writer *w);

/* Text of the first error, "" if there was none. */
const char *pq_writer_error(const struct pq_writer *w);

#endif
