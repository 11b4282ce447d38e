/* The catalog's insides, shared by catalog.c (readers, suspects) and catalog_filter.c (key filters, totals). */
#ifndef STORE_LAKE_CATALOG_INTERNAL_H
#define STORE_LAKE_CATALOG_INTERNAL_H

#include <pthread.h>

#include "base/lru.h"
#include "store/lake/catalog.h"

struct suspect {
    char path[MANIFEST_PATH_MAX];
    struct errmsg text;
};

struct catalog {
    struct catalog_options o;
    const struct vfs *vfs;
    char dir[VFS_PATH_MAX];
    pthread_mutex_t lock; /* of all that follows; never held while a file is read */

    struct catalog_file **idle; /* o.readers_max places */
    size_t idle_count, idle_octets;

    struct lru *filters; /* struct filter_key -> struct key_filter * */
    size_t filter_octets;
    struct lru *totals;  /* two hashes -> uint64_t */
    struct lru *sources; /* two hashes -> uint32_t */

    struct suspect *suspects; /* CATALOG_SUSPECTS_MAX places */
    size_t suspect_count;
};

int catalog_filters_open(struct catalog *c);
void catalog_filters_close(struct catalog *c);
void catalog_filters_forget(struct catalog *c, const char *path);

#endif
