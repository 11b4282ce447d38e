/*
 * Thrift compact protocol (thrift-compact-protocol.md of Apache Thrift), both directions from one table a struct.
 * Private to the folder.
 *
 * A C struct that mirrors a Thrift struct starts with `uint32_t present`: bit i says that field i of its table is
 * there. Fields of unknown number are skipped, of the wrong type refused.
 */
#ifndef STORE_PARQUET_THRIFT_H
#define STORE_PARQUET_THRIFT_H

#include "base/buf.h"
#include "hep/rd.h"
#include "store/parquet/arena.h"

enum pq_thrift_kind {
    PQ_THRIFT_BOOL,   /* bool */
    PQ_THRIFT_I8,     /* int8_t */
    PQ_THRIFT_I16,    /* int16_t */
    PQ_THRIFT_I32,    /* int32_t */
    PQ_THRIFT_I64,    /* int64_t */
    PQ_THRIFT_BINARY, /* struct pq_slice */
    PQ_THRIFT_STRUCT, /* a mirrored struct, inline */
    PQ_THRIFT_LIST,   /* struct pq_list */
};

struct pq_list {
    void *items; /* array of what the table's `element` says */
    size_t count;
    struct pq_slice raw; /* writing: if not NULL, the elements encoded already */
};

struct pq_thrift_struct;

struct pq_thrift_field {
    int16_t id;
    uint8_t kind;
    uint8_t element; /* of a list */
    uint16_t offset; /* in the C struct */
    const struct pq_thrift_struct *sub;
};

struct pq_thrift_struct {
    const struct pq_thrift_field *fields; /* ids ascend, except that an extension may come last */
    uint8_t count;                        /* at most 32 */
    uint32_t size;                        /* of the C struct */
    uint32_t required;                    /* bits of `present` that must be set */
};

/* Appends `from`, which mirrors `s`. What fails shows in out->failed. */
void pq_thrift_write(const struct pq_thrift_struct *s, const void *from, struct buf *out);

/*
 * Reads one struct into `to`; slices point into the cursor's octets, lists into the arena. PQ_ERR_DAMAGED if it is not
 * well-formed, PQ_ERR_LIMIT if the arena is full.
 */
int pq_thrift_read(const struct pq_thrift_struct *s, struct rd *r, struct pq_arena *arena, void *to);

/* ULEB128, as in Thrift and in the hybrid encoding. A number that is cut or too long makes the cursor bad. */
void pq_varint_write(struct buf *out, uint64_t v);
uint64_t pq_varint_read(struct rd *r);

#endif
