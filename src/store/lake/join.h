/*
 * Small row groups as one: the columns of several, one behind the other, as pq_writer wants them. Dictionaries are
 * joined entry by entry and codes renumbered, so that no text is looked at row by row; pages of payload stay packed,
 * unless they are small. For merges, and for rows that newer versions replace.
 */
#ifndef STORE_LAKE_JOIN_H
#define STORE_LAKE_JOIN_H

#include "store/lake/catalog.h"
#include "store/parquet/writer.h"

/* A row group of a file. */
struct join_piece {
    struct catalog_file *file;
    size_t group, rows;
};

struct group;
struct join;

/* A row, counted through the pieces, and the row of a group of memory that stands in its place. */
struct join_patch {
    size_t row, by;
};

struct join *join_new(void); /* NULL if out of memory */
void join_free(struct join *j);

/*
 * From now on these rows are replaced, in ascending order; `count` 0: none. Borrowed. Payloads stay. 0, -ENOMEM.
 */
int join_patch(struct join *j, const struct group *rows, const struct join_patch *patches, size_t count);

/*
 * A column of the pieces in their order; *ret is valid until the next call. An enum pq_error; *ret_piece is then the
 * piece whose reader said so, or `count` if it was none.
 */
int join_column(struct join *j, unsigned column, const struct pq_column *c, const struct join_piece *pieces,
                size_t count, struct pq_data *ret, size_t *ret_piece);

#endif
