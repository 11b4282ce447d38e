/*
 * A group: the rows of one table that one writer received within one hour, until they are sealed. It becomes one row
 * group of a Parquet file. Columns are arrays of fixed capacity that never move, so that readers need no lock: a row is
 * there once group_rows() counts it (release/acquire). Text columns are codes into a dictionary that belongs to the
 * group. Payloads gather in pages of LAKE_PAGE octets; a full page is compressed by the lake's own thread, never by
 * the writer.
 *
 * A group is full at LAKE_GROUP_ROWS rows or LAKE_GROUP_PAYLOAD octets of payload. Groups are counted references: the
 * lake's list has one, each pin that sees the group another.
 */
#ifndef STORE_LAKE_GROUP_H
#define STORE_LAKE_GROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "record/record.h"

#define LAKE_GROUP_ROWS    32768u
#define LAKE_GROUP_PAYLOAD ((size_t)16 << 20)
#define LAKE_PAGE          ((size_t)512 << 10) /* octets before compression */

struct group;

/* hour: hours since 1970 of receipt; source: enum record_source. NULL if there is no memory. */
struct group *group_new(enum record_table table, uint32_t hour, uint32_t source);
struct group *group_ref(struct group *g);
void group_unref(struct group *g); /* NULL is fine */

enum record_table group_table(const struct group *g);
uint32_t group_hour(const struct group *g);
uint32_t group_source(const struct group *g);

/* Appends a row (the writer's thread only). 0, 1: it is full now, -ENOBUFS: it was full already, -ENOMEM: nothing was
 * added. */
int group_append(struct group *g, const struct record *record);

/* Octets of memory that it takes now. (any thread) */
size_t group_memory(const struct group *g);

/* ------------------------------------------------------------------------------------------------ reading */

/* Rows that are there. (any thread; what is below this number never changes) */
size_t group_rows(const struct group *g);

/* Least and greatest ts of the first group_rows(); may be wider than them. (any thread) */
void group_times(const struct group *g, int64_t *ret_min, int64_t *ret_max);

/* Room for the text of an address. */
struct group_scratch {
    uint8_t octets[16];
};

/* The value of any column but RECORD_BYTES, whose cells come as null. Slices live as long as the group (or scratch). */
void group_cell(const struct group *g, unsigned column, size_t row, struct record_cell *ret,
                struct group_scratch *scratch);

/* Columns with a dictionary (TEXT, IP): the code of a row's value, to remember answers by; GROUP_NULL for NULL. */
#define GROUP_NULL UINT32_MAX
bool group_has_codes(const struct group *g, unsigned column);
uint32_t group_code(const struct group *g, unsigned column, size_t row);
/* An upper bound of the codes that rows counted so far use: room for answers. */
size_t group_codes(const struct group *g, unsigned column);

/*
 * The payload of a row, copied behind what is in `to`. 0, -ENOMEM, -EIO (does not inflate: a fault of ours). Rows in
 * ascending order are cheapest: the last page inflated is kept in *cache, which starts as NULL and is freed by
 * group_cache_free().
 */
struct group_cache;
int group_payload(const struct group *g, size_t row, struct buf *to, struct group_cache **cache);
void group_cache_free(struct group_cache *cache);

#endif
