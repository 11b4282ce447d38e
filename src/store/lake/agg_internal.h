/* The counters of agg.h, shared by agg.c (counters, memory, results) and agg_read.c (groups). Private to these. */
#ifndef STORE_LAKE_AGG_INTERNAL_H
#define STORE_LAKE_AGG_INTERNAL_H

#include "store/lake/agg.h"

#define AGG_NUMBERS 256u /* places of the memory for numbers */

/* Lines of counters, one a value, with a counter a bucket; the first two are not values. */
enum { AGG_NONE, AGG_REST, AGG_VALUES };
#define AGG_UNKNOWN UINT32_MAX       /* a code that was not looked at yet */
#define AGG_SKIP    (UINT32_MAX - 1) /* not counted: it has not the prefix */
#define AGG_OUTSIDE UINT16_MAX       /* no bucket */

struct agg_value {
    char *text;
    uint32_t len, hash;
};

struct agg_number {
    int64_t number;
    uint32_t line; /* AGG_UNKNOWN: an empty place */
};

struct agg {
    const struct store_aggregate *q;
    size_t buckets;
    uint64_t *cells;          /* lines of `buckets` counters */
    struct agg_value *values; /* of the lines from AGG_VALUES on */
    size_t count, cap, max;   /* values */
    uint32_t *slots;          /* hash table of lines; 0: empty */
    size_t mask;
    uint64_t seed;
    bool pruned, failed; /* values were given up; out of memory */

    /* Of the group at hand. */
    uint32_t *map; /* line of each code */
    size_t map_count, map_cap;
    struct agg_number *numbers;
    uint16_t *times; /* bucket of each row */
    uint32_t *all;   /* 0, 1, 2... */
    size_t rows_cap;
};

/* The line of a value. AGG_SKIP if it is not to be counted, or (a->failed) there is no memory. */
uint32_t agg_text(struct agg *a, const uint8_t *text, size_t len);
uint32_t agg_number(struct agg *a, int64_t number);

/* The line of rows without a value. */
static inline uint32_t agg_none(const struct agg *a)
{
    return a->q->prefix != NULL ? AGG_SKIP : AGG_NONE;
}

bool agg_has_prefix(const struct agg *a, const uint8_t *text, size_t len);

/* Bucket of a time; AGG_OUTSIDE if it is in none or not in the window. */
static inline size_t agg_bucket(const struct agg *a, int64_t ts)
{
    const struct store_aggregate *q = a->q;
    if (ts < q->from_us || ts >= q->to_us)
        return AGG_OUTSIDE;
    if (q->bucket_us == 0)
        return 0;
    if (ts < q->start_us)
        return AGG_OUTSIDE;
    uint64_t i = ((uint64_t)ts - (uint64_t)q->start_us) / q->bucket_us;
    return i < a->buckets ? (size_t)i : AGG_OUTSIDE;
}

static inline void agg_count(struct agg *a, uint32_t line, size_t bucket)
{
    if (line != AGG_SKIP)
        a->cells[(size_t)line * a->buckets + bucket]++;
}

/* Room for a map of `codes`, all unknown. 0, -ENOMEM. */
int agg_map(struct agg *a, size_t codes);

/* The column of the table by which is counted, -1: none. */
static inline int agg_column(const struct agg *a, enum record_table table)
{
    return a->q->has_by && !a->q->by.tables ? a->q->by.columns[table] : -1;
}

/* The one line of all rows of the table, AGG_UNKNOWN if it takes more to know. */
uint32_t agg_line_of_table(struct agg *a, enum record_table table);

#endif
