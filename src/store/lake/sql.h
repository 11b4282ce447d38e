/*
 * SQL for sealed files: our own text with `?`, and the values that stand there. Names of files and what users typed are
 * values, never text.
 */
#ifndef STORE_LAKE_SQL_H
#define STORE_LAKE_SQL_H

#include "base/buf.h"
#include "store/lake/duck.h"
#include "store/store.h"

#define SQL_FILES_MAX 256 /* files of one statement */

struct sql {
    struct buf text; /* terminated by sql_end() */
    struct duck_value *values;
    size_t count, cap;
    struct filter_values *filter; /* as the filter gave them */
    struct duck_slice *files;
    bool failed; /* out of memory, or too long */
};

/* What of the files is asked for; times and places that need not be tested are INT64_MIN, INT64_MAX, false. */
struct sql_scope {
    enum record_table table;
    const struct filter *filter; /* may be NULL */
    const char *const *paths;    /* full paths; at most SQL_FILES_MAX */
    size_t count;
    int64_t from_us, to_us;
    bool oldest_first;
    bool has_after;
    int64_t after_ts;
    uint64_t after_seq;
    const struct store_seen *beyond, *within; /* as in struct store_scan */
    bool has_worst;                           /* rows behind this time are of no use */
    int64_t worst_ts;
    size_t limit;
};

/* Rows: ts, seq, number of the file in `paths`, row in it; in order, at most `limit`. */
void sql_rows(struct sql *s, const struct sql_scope *scope);

/* Counts: number of the file, rows that match; without regard to place, numbers, worst and limit. */
void sql_counts(struct sql *s, const struct sql_scope *scope);

void sql_free(struct sql *s);

#endif
