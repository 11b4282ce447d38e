/* The reader's insides, shared by reader.c (footer), reader_index.c and reader_page.c. */
#ifndef STORE_PARQUET_READER_INTERNAL_H
#define STORE_PARQUET_READER_INTERNAL_H

#include "base/buf.h"
#include "base/errmsg.h"
#include "store/parquet/meta.h"
#include "store/parquet/page.h"
#include "store/parquet/reader.h"
#include "store/parquet/zip.h"

#define PQ_NO_GROUP SIZE_MAX

/* An index as read, of one row group at a time. */
struct pq_index {
    size_t group; /* PQ_NO_GROUP: none */
    struct buf octets;
    struct pq_arena arena;
};

/* What is kept of a column between calls. */
struct pq_slot {
    struct pq_index offsets, bounds;
    struct pq_m_offset_index offset_index;
    struct pq_m_column_index column_index;

    size_t dictionary_group;
    struct buf dictionary; /* body */
    struct pq_slice *entries;
    size_t entry_count;

    size_t page_group, page; /* page in hand */
    struct buf body;         /* expanded */
    bool coded;              /* its rows are in codes, else in values */
    struct buf unpacked;     /* values of a page of differences */
    struct pq_slice *values;
    size_t value_cap;
    uint32_t *codes; /* of a page, one a row */
    size_t code_cap;
};

struct pq_reader {
    struct pq_source source;
    struct pq_reader_options options;
    uint64_t octets_read, reads;
    struct buf footer;
    struct pq_arena arena;
    struct pq_m_file file;
    struct pq_column *columns;
    size_t column_count;
    const struct pq_m_row_group *groups;
    uint64_t *group_starts; /* first row of each group, and the number of rows */
    struct pq_slot *slots;
    struct pq_zip *zip;
    struct buf raw;    /* page as in the file */
    uint32_t *numbers; /* levels of a page */
    size_t number_cap;
    struct errmsg error;
};

/* Notes the text of an error and returns it. */
int pq_reader_fail(struct pq_reader *r, int error, const char *format, ...) __attribute__((format(printf, 3, 4)));
int pq_reader_fail_at(struct pq_reader *r, int error, size_t group, size_t column, const char *what);

/* Reads octets of the file into the emptied buffer. */
int pq_reader_fetch(struct pq_reader *r, uint64_t offset, uint64_t len, struct buf *to);

static inline const struct pq_m_column_chunk *pq_reader_chunk(const struct pq_reader *r, size_t group, size_t column)
{
    return &((const struct pq_m_column_chunk *)r->groups[group].columns.items)[column];
}

/* One of the three seals of a chunk. */
enum { PQ_SEAL_OFFSET_INDEX, PQ_SEAL_COLUMN_INDEX, PQ_SEAL_BLOOM };
bool pq_reader_sealed(const struct pq_reader *r, uint64_t seal, uint64_t offset, const struct buf *octets);
uint64_t pq_reader_chunk_seal(const struct pq_m_column_chunk *c, unsigned which);

/* The OffsetIndex of a chunk, in the column's slot. */
int pq_reader_offsets(struct pq_reader *r, size_t group, size_t column);
static inline const struct pq_m_page_location *pq_reader_location(const struct pq_slot *s, size_t page)
{
    return &((const struct pq_m_page_location *)s->offset_index.locations.items)[page];
}

/* Rows of a page of the chunk whose OffsetIndex is in the slot. */
size_t pq_reader_rows_of(const struct pq_reader *r, const struct pq_slot *s, size_t group, size_t page);

/* A page, decoded, in the column's slot; the OffsetIndex is there already. */
int pq_reader_page(struct pq_reader *r, size_t group, size_t column, size_t page);

/* Reads a page, or the dictionary page, into r->raw and checks seal and CRC; the OffsetIndex is there already. */
int pq_reader_page_raw(struct pq_reader *r, size_t group, size_t column, size_t page, struct pq_page *ret);
int pq_reader_dictionary_raw(struct pq_reader *r, size_t group, size_t column, struct pq_page *ret);
bool pq_reader_has_dictionary(const struct pq_reader *r, size_t group, size_t column);

/* Filter of a chunk, checked, in r->raw. */
int pq_reader_bloom(struct pq_reader *r, size_t group, size_t column, struct pq_slice *ret_bits);

/* ColumnIndex of a chunk, in the column's slot. */
int pq_reader_bounds(struct pq_reader *r, size_t group, size_t column);

void pq_slot_init(struct pq_slot *s);
void pq_slot_trim(struct pq_slot *s);

#endif
