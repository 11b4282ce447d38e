/* The columns of a closed group as pq_writer wants them. */
#ifndef STORE_LAKE_FEED_H
#define STORE_LAKE_FEED_H

#include "store/lake/group.h"
#include "store/parquet/writer.h"

struct feed;
struct page_zipper;

struct feed *feed_new(void); /* NULL if out of memory */
void feed_free(struct feed *f);

/* All pages must be compressed already (feed_zip()); what *ret points to is valid until the next call. */
void feed_column(struct feed *f, const struct group *g, unsigned column, struct pq_data *ret);

/* Compresses what pages are left. 0, -ENOMEM. */
int feed_zip(struct feed *f, struct group *g);

#endif
