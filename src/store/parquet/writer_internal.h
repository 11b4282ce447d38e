/* The writer's insides, shared by writer.c (file and row group), column.c (one chunk) and writer_index.c. */
#ifndef STORE_PARQUET_WRITER_INTERNAL_H
#define STORE_PARQUET_WRITER_INTERNAL_H

#include "base/errmsg.h"
#include "store/parquet/dict.h"
#include "store/parquet/meta.h"
#include "store/parquet/stats.h"
#include "store/parquet/writer.h"
#include "store/parquet/zip.h"

/* What is noted of each page of a chunk until its indexes are written. */
struct pq_page_note {
    uint64_t offset;
    size_t size; /* header included */
    size_t first_row;
    size_t nulls;
    bool null_page;           /* nothing but NULLs */
    struct pq_slice min, max; /* cut, in the group's arena */
    uint64_t seal;
};

/* Octets of a chunk that are written behind the pages of the group. */
struct pq_part {
    size_t start, len; /* in the buffer that collects them; len 0: none */
};

/* A column chunk in work. */
struct pq_chunk {
    const struct pq_column *column;
    const struct pq_data *data;
    size_t rows;
    size_t segment, at;    /* next row: of which segment, at which place */
    const uint32_t *codes; /* of all rows, NULL if there is no dictionary */
    size_t present;        /* values that are not NULL, where there are codes */
    bool by_code;          /* pages hold codes */
    bool by_delta;         /* pages hold differences */
    struct pq_range range; /* of the chunk */
    bool stats_broken;     /* no minimum and maximum: a value had no order */
    size_t nulls;
    uint64_t dictionary_seal;          /* of the dictionary page */
    uint64_t start;                    /* offset of the first page */
    uint64_t data_start;               /* of the first data page */
    uint64_t uncompressed, compressed; /* octets of pages, headers included */
};

#define PQ_MEMO 256u

struct pq_writer {
    struct pq_sink sink;
    size_t page_rows, page_octets, dictionary_max;
    const struct pq_column *columns;
    size_t column_count;
    struct pq_arena file_arena;  /* schema, key-values, sorting: until the end */
    struct pq_arena group_arena; /* metadata of the row group */
    struct pq_zip *zip;
    struct buf key_value_list; /* struct pq_m_key_value */
    struct pq_slice created_by;
    struct pq_list sorting;

    bool in_group, closed;
    size_t group_rows;
    size_t next_column;
    uint64_t group_start;
    struct pq_m_column_chunk *chunks; /* column_count, in the group's arena */
    struct pq_part *bloom_parts, *column_index_parts, *offset_index_parts;
    struct buf blooms, column_indexes, offset_indexes;

    struct buf row_groups; /* encoded */
    size_t group_count;
    struct pq_writer_counts counts;

    struct buf header, raw, packed; /* of the page in work */
    struct buf notes;               /* struct pq_page_note */
    struct buf hashes;              /* uint64_t, for the bloom filter */
    struct pq_dict dict;
    uint32_t *codes, *levels, *stamps;
    size_t codes_cap, levels_cap, stamps_cap;
    struct pq_slice *values; /* of the page in work */
    size_t values_cap;
    int64_t *numbers; /* the same, of integers */
    size_t numbers_cap;
    struct pq_memo {
        uint32_t value, code; /* code + 1; 0: free */
    } memo[PQ_MEMO];          /* codes of a few values of 32 bits */

    int failed;
    struct errmsg error;
};

/* Notes an error with its text, once, and returns it. */
int pq_writer_fail(struct pq_writer *w, int error, const char *what);

/* Appends octets to the file. */
int pq_writer_put(struct pq_writer *w, struct pq_slice octets);

/* Writes all pages of a chunk and leaves its notes, statistics and hashes. */
int pq_chunk_write(struct pq_writer *w, struct pq_chunk *k);

/* Decides how the chunk is encoded and leaves codes and dictionary where there are some (column_codes.c). */
int pq_chunk_codes(struct pq_writer *w, struct pq_chunk *k);

/* Makes room for `count` elements of `size` octets. */
int pq_reserve(void **array, size_t *cap, size_t count, size_t size);
int pq_reserve_numbers(uint32_t **array, size_t *cap, size_t count);

/* Rows of segments, one after the other; the caller asks for no more rows than there are. */
void pq_rows_rewind(struct pq_chunk *k);
const struct pq_segment *pq_rows_next(struct pq_chunk *k, size_t *ret_at);

/* Value of a row of a segment; ptr NULL for a NULL. */
struct pq_slice pq_segment_value(const struct pq_segment *s, size_t width, size_t i);
static inline bool pq_segment_valid(const struct pq_segment *s, size_t i)
{
    return s->validity == NULL || (s->validity[i / 8] >> (i % 8) & 1) != 0;
}

/* Fills the chunk's metadata and collects its bloom filter, ColumnIndex and OffsetIndex. */
int pq_chunk_finish(struct pq_writer *w, const struct pq_chunk *k);

/* Collects the OffsetIndex of the pages noted. The seal is 0 if there is no dictionary page. */
int pq_offset_index_put(struct pq_writer *w, uint64_t dictionary_seal);

/* What a buffer holds since it had `start` octets. */
struct pq_part pq_part_since(const struct buf *b, size_t start);

/* Notes a page of the chunk in work. */
int pq_note_add(struct pq_writer *w, const struct pq_page_note *note);

/* Writes what was collected, with seals and places noted in the metadata. */
int pq_group_indexes_write(struct pq_writer *w);

static inline size_t pq_note_count(const struct pq_writer *w)
{
    return w->notes.len / sizeof(struct pq_page_note);
}

static inline const struct pq_page_note *pq_notes(const struct pq_writer *w)
{
    return (const struct pq_page_note *)(const void *)w->notes.ptr;
}

#endif
