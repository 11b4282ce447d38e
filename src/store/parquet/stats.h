/*
 * Minimum and maximum of values in the order of their type (parquet.thrift, ColumnOrder and Statistics). Private to
 * the folder.
 */
#ifndef STORE_PARQUET_STATS_H
#define STORE_PARQUET_STATS_H

#include "store/parquet/arena.h"

struct pq_range {
    struct pq_slice min, max; /* borrowed */
    bool any;                 /* there was a value */
    bool nan;                 /* a value without order was seen: minimum and maximum are not to be used */
};

/* < 0, 0, > 0: signed, unsigned, floating or octet-wise, as the column demands. Lengths fit the type. */
int pq_compare(const struct pq_column *c, struct pq_slice a, struct pq_slice b);

void pq_range_add(const struct pq_column *c, struct pq_range *range, struct pq_slice value);
void pq_range_join(const struct pq_column *c, struct pq_range *range, const struct pq_range *other);

/*
 * Copies a minimum or maximum into the arena, cut to PQ_STAT_CUT octets: the minimum at the end of a character, the
 * maximum there too and made larger, so that it bounds all the same and text stays valid UTF-8. *ret_exact says
 * whether it is the whole value. False if the arena is full.
 */
bool pq_stat_min(const struct pq_column *c, struct pq_slice v, struct pq_arena *a, struct pq_slice *ret,
                 bool *ret_exact);
bool pq_stat_max(const struct pq_column *c, struct pq_slice v, struct pq_arena *a, struct pq_slice *ret,
                 bool *ret_exact);

#endif
