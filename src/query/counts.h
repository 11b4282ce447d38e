/*
 * How many messages there are: over time, by the values of a column, and which values are frequent. One snapshot of the
 * store, counted by it (store_aggregate); here are the names of what can be counted by, the width of buckets, the JSON.
 */
#ifndef QUERY_COUNTS_H
#define QUERY_COUNTS_H

#include "base/buf.h"
#include "base/errmsg.h"
#include "store/store.h"

#define COUNTS_TOP_MAX    100  /* values told with their counts over time */
#define COUNTS_VALUES_MAX 1000 /* values told without */
#define COUNTS_BY_MAX     8    /* columns of one field */

/* ------------------------------------------------------------------------------------------------ by what */

/* What a name stands for: a column, a field of the filter language, "status_class" or "table". */
struct counts_by {
    const char *name; /* of the first column, "status_class", "table"; static */
    struct store_by columns[COUNTS_BY_MAX];
    size_t count; /* more than one: a field that looks at several places */
    bool nocase;  /* values begin with a prefix without regard to case */
};

/* tables: set, 0: those of messages. -1 with a text that says what is wrong with the name. */
int counts_by_parse(struct counts_by *ret, unsigned tables, const char *name, size_t len, struct errmsg *err);

/* ------------------------------------------------------------------------------------------------ counting */

struct counts_options {
    unsigned tables;             /* set; 0: all of messages */
    const struct filter *filter; /* NULL: everything */
    int64_t from_us, to_us;      /* ts in [from, to); INT64_MIN and INT64_MAX: as far as there are messages */
    uint64_t interval_us;        /* of a bucket; 0: a nice one that gives some 50 to 120 buckets */
    const struct counts_by *by;  /* NULL: by nothing; of several columns the first */
    size_t top;                  /* values, the others are summed */
    uint64_t budget_us;          /* wall time; 0: none */
    const atomic_bool *cancel;   /* may be NULL */
};

struct counts {
    struct store_aggregate a;
    const struct counts_by *by;
    size_t top;
    bool empty; /* there is no message, and no window either: no bucket */
};

/*
 * 0, or a negative errno with a text: -ECANCELED; -E2BIG: the interval would give more than STORE_BUCKETS_MAX buckets.
 * The result points to the options' `by`.
 */
int counts_run(struct counts *ret, struct store *store, const struct counts_options *options, struct errmsg *err);
void counts_free(struct counts *c);

/* Appends the result as a JSON object (docs/api.md). */
void counts_json(struct buf *out, const struct counts *c);

/* The width of buckets that counts_run() would take for that length of time. */
uint64_t counts_interval(uint64_t length_us);

/* ------------------------------------------------------------------------------------------------ values */

struct counts_values_options {
    unsigned tables; /* set; 0: all of messages */
    const struct filter *filter;
    int64_t from_us, to_us;
    const struct counts_by *by;
    const char *prefix; /* NULL or empty: all */
    size_t limit;       /* values, at most COUNTS_VALUES_MAX */
    uint64_t budget_us;
    const atomic_bool *cancel;
};

/* Counts, and appends the result as a JSON object. 0, or a negative errno with a text. */
int counts_values(struct buf *out, bool *ret_timed_out, struct store *store,
                  const struct counts_values_options *options, struct errmsg *err);

#endif
