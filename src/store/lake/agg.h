/*
 * Rows counted by value and time (store_aggregate), a group at a time. Of a sealed group the times are read only where
 * it, or a page of it, lies in more than one bucket, and the values as codes: a text is looked at once a group, not
 * once a row. Memory: the values that are kept, at most about a million counters. When there are more values, those
 * with the fewest rows are given up by the half, and their rows become the rest.
 */
#ifndef STORE_LAKE_AGG_H
#define STORE_LAKE_AGG_H

#include "store/lake/catalog.h"
#include "store/lake/group.h"
#include "store/store.h"

struct agg;

/* 0, -ENOMEM, -EINVAL: no buckets, or too many. `q` is borrowed. */
int agg_new(struct agg **ret, const struct store_aggregate *q);
void agg_free(struct agg *a); /* NULL is fine */

const struct store_aggregate *agg_question(const struct agg *a); /* q */

/* True if all rows between these times lie in one bucket and nothing else of them matters; then agg_add() counts n. */
bool agg_is_plain(const struct agg *a, int64_t min_ts, int64_t max_ts, size_t *ret_bucket);
void agg_add(struct agg *a, size_t bucket, uint64_t n);

/* Rows of a sealed group: `hits` in ascending order, or all `rows` of it (hits NULL). An enum pq_error. */
int agg_sealed(struct agg *a, struct catalog_file *file, size_t group, size_t rows, const uint32_t *hits,
               size_t hit_count);

/* Rows of a group in memory: one agg_hot_begin(), then row by row. 0, -ENOMEM. */
int agg_hot_begin(struct agg *a, const struct group *g);
int agg_hot_row(struct agg *a, const struct group *g, size_t row, int64_t ts);

/* Adds what `from` counted, of the same question. 0, -ENOMEM. */
int agg_merge(struct agg *a, const struct agg *from);

/* Hands the counts over to q's results. 0, -ENOMEM. */
int agg_finish(struct agg *a, struct store_aggregate *q);

#endif
