/* The first N rows in an order, out of rows that come in any order: a heap of at most N. */
#ifndef STORE_LAKE_TOP_H
#define STORE_LAKE_TOP_H

#include "store/store.h"

struct top {
    struct store_ref *refs; /* the root is the last of the rows kept */
    size_t count, cap, limit;
    bool oldest_first;
    bool failed; /* out of memory */
};

/* True if `a` comes before `b`. */
bool top_before(const struct top *t, int64_t a_ts, uint64_t a_seq, int64_t b_ts, uint64_t b_seq);

/* Would a row of that time surely not be kept? */
bool top_refuses(const struct top *t, int64_t ts);

void top_offer(struct top *t, const struct store_ref *ref);

/* Puts the rows in order and hands them out; the caller frees them. t is empty then. */
struct store_ref *top_take(struct top *t, size_t *ret_count);
void top_free(struct top *t);

#endif
