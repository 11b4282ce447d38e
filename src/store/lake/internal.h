/* What the files of the lake share. Private to the folder. */
#ifndef STORE_LAKE_INTERNAL_H
#define STORE_LAKE_INTERNAL_H

#include <pthread.h>

#include "store/lake/group.h"
#include "store/lake/lake.h"

struct hot;     /* hot.h: groups in memory */
struct catalog; /* catalog.h: sealed files, open and their filters */
struct duck;    /* duck.h */
struct footer_source;

struct lake {
    struct store base;
    struct lake_options o; /* defaults filled in, texts copied */
    const struct vfs *vfs;
    char dir[VFS_PATH_MAX]; /* of the lake: data_dir/lake */
    struct manifest *manifest;
    struct footer_source *footers; /* while the MANIFEST is opened */
    struct hot *hot;               /* NULL: read only */
    struct catalog *catalog;
    size_t scan_threads;     /* of one search */
    bool always_duck;        /* for tests and benchmarks: DuckDB does what the page reader could */
    struct store_live live;  /* walk NULL: there are none */
    struct duck *duck;       /* NULL until the first scan needs it */
    struct duck *typed_duck; /* the same for what people typed */
    pthread_mutex_t lock;    /* of what is below */
    struct store_retention retention;
    struct store_figures count; /* the counters in it */
    struct {
        int64_t merge_after_us, disk_after_us; /* lake_tend() leaves them alone until then */
    } tend;                                    /* its thread's alone */
};

/*
 * A snapshot. Parts 0 .. group_count - 1 are groups, of which the first rows[i] rows count; part group_count + i is
 * manifest_pin_file(files, i). Both were taken at one moment: no row is in both, none in neither.
 */
struct store_pin {
    struct lake *lake;
    struct manifest_pin *files;
    struct group **groups;
    size_t *rows;
    size_t group_count;
    bool live_cut; /* there are more live calls than it has */
};

/* Counts under the lock: LAKE_COUNT(lake, seals, 1). */
#define LAKE_COUNT(lake, what, n)                                                                                      \
    do {                                                                                                               \
        pthread_mutex_lock(&(lake)->lock);                                                                             \
        (lake)->count.what += (n);                                                                                     \
        pthread_mutex_unlock(&(lake)->lock);                                                                           \
    } while (0)

/* Tells the caller of lake_open(); path may be NULL. */
void lake_event(const struct lake *lake, const char *what, const char *path, const char *text);

/* As store_ops.pin; live.c: with the live calls. */
int lake_pin(struct store *s, struct store_pin **ret);
void lake_unpin(struct store *s, struct store_pin *pin);
int lake_pin_calls(struct store *s, const struct store_live_want *want, struct store_pin **ret);

/* scan.c, fetch.c, aggregate.c, typed.c, tend.c: behind store_ops. */
int lake_scan(struct store *store, struct store_pin *pin, struct store_scan *s, struct errmsg *err);
int lake_fetch(struct store *s, struct store_pin *pin, const struct store_ref *refs, size_t n,
               const struct store_columns *columns, store_row_fn *row, void *arg, size_t *ret_failed,
               struct errmsg *err);
bool lake_span(struct store *s, struct store_pin *pin, unsigned tables, int64_t *ret_min, int64_t *ret_max);
int lake_aggregate(struct store *s, struct store_pin *pin, struct store_aggregate *q, struct errmsg *err);
int lake_sql(struct store *s, struct store_pin *pin, struct store_sql *q, struct errmsg *err);
int lake_tend(struct store *s, int64_t now_us, struct errmsg *err);
int lake_replace(struct store *s, struct store_pin *pin, const struct store_ref *refs, const struct record *rows,
                 size_t n, bool *ret_done, struct errmsg *err); /* replace.c */

/* follow.c */
int lake_follow(struct store *s, struct store_follower **ret, uint64_t *ret_max);
void lake_unfollow(struct store *s, struct store_follower *f);
int lake_follow_next(struct store *s, struct store_follower *f, size_t max, struct store_pin **ret_pin,
                     const struct store_ref **ret_refs, size_t *ret_count, uint64_t *ret_passed);
int lake_match(struct store *s, struct store_pin *pin, const struct store_ref *refs, size_t n,
               const struct filter *filter, bool *ret);

#endif
