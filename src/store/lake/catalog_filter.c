#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "base/buf.h"
#include "store/lake/catalog_internal.h"
#include "store/lake/footer.h"

#define FILTERS_MAX     65536u /* files times columns */
#define SOURCES_MAX     8192u
#define FILTER_FILE_MAX ((size_t)256 << 20) /* octets of the filters of one column of a file */

struct filter_key {
    char path[MANIFEST_PATH_MAX]; /* zeros behind the text */
    uint32_t column;
};

struct total_key {
    uint64_t hash[2];
};

/* Immutable once it is made. */
struct key_filter {
    _Atomic unsigned refs;
    size_t groups;
    bool never;   /* the file has no such column: no row has the key */
    size_t *ends; /* of each group's filter in bits; one of no octets says "maybe" to all */
    uint8_t *bits;
    size_t octets; /* of memory */
};

/* ------------------------------------------------------------------------------------------------ one filter */

void catalog_filter_release(struct key_filter *k)
{
    if (k == NULL || atomic_fetch_sub(&k->refs, 1) != 1)
        return;
    free(k->ends);
    free(k->bits);
    free(k);
}

size_t key_filter_groups(const struct key_filter *k)
{
    return k->groups;
}

bool key_filter_maybe(const struct key_filter *k, size_t group, uint64_t hash)
{
    size_t start = group > 0 ? k->ends[group - 1] : 0, len = k->ends[group] - start;
    return !k->never && (len == 0 || pq_filter_maybe((struct pq_slice){ k->bits + start, len }, hash));
}

static int read_group(struct catalog_file *f, size_t column, size_t group, struct buf *bits)
{
    struct pq_slice filter;
    int rc = pq_reader_filter(f->reader, group, column, &filter);
    if (rc == PQ_ERR_ABSENT)
        return PQ_OK;
    if (rc == PQ_OK)
        buf_put(bits, filter.ptr, filter.len);
    return rc == PQ_OK && bits->failed ? PQ_ERR_MEMORY : rc;
}

static int read_filters(struct catalog_file *f, unsigned column, struct key_filter *k)
{
    struct buf bits;
    int rc = PQ_OK;
    buf_init(&bits, FILTER_FILE_MAX);
    for (size_t g = 0; g < k->groups && rc == PQ_OK && !k->never; g++) {
        rc = read_group(f, (size_t)f->columns[column], g, &bits);
        k->ends[g] = bits.len;
    }
    k->bits = realloc(bits.ptr, bits.len > 0 ? bits.len : 1);
    if (k->bits == NULL) {
        buf_free(&bits);
        return PQ_ERR_MEMORY;
    }
    k->octets = sizeof(*k) + bits.len + k->groups * sizeof(*k->ends);
    return rc;
}

static int load(struct catalog *c, const struct manifest_file *m, enum record_table table, unsigned column,
                struct key_filter **ret, uint64_t *octets, struct errmsg *err)
{
    struct catalog_file *f;
    int rc = catalog_take(c, m, table, &f, err);
    if (rc != 0)
        return rc;
    struct key_filter *k = calloc(1, sizeof(*k));
    if (k != NULL) {
        atomic_init(&k->refs, 1);
        k->groups = pq_reader_groups(f->reader);
        k->never = f->columns[column] < 0;
        k->ends = calloc(k->groups + 1, sizeof(*k->ends));
    }
    int pq = k == NULL || k->ends == NULL ? PQ_ERR_MEMORY : read_filters(f, column, k);
    *octets += catalog_octets(f);
    rc = pq != PQ_OK ? catalog_error(f, pq, err) : 0;
    catalog_give(f, rc == 0);
    if (rc != 0) {
        catalog_filter_release(k);
        return rc;
    }
    *ret = k;
    return 0;
}

/* ------------------------------------------------------------------------------------------------ all of them */

static void drop_filter(void *arg, const void *key, void *value)
{
    struct catalog *c = arg;
    struct key_filter *k = *(struct key_filter **)value;
    (void)key;
    if (k != NULL)
        c->filter_octets -= k->octets;
    catalog_filter_release(k);
}

int catalog_filters_open(struct catalog *c)
{
    struct lru_options filters = { sizeof(struct filter_key), sizeof(struct key_filter *), FILTERS_MAX, drop_filter,
                                   c };
    struct lru_options totals = { sizeof(struct total_key), sizeof(uint64_t), c->o.totals_max, NULL, NULL };
    c->filters = lru_new(&filters);
    struct lru_options sources = { sizeof(struct total_key), sizeof(uint32_t), SOURCES_MAX, NULL, NULL };
    c->totals = lru_new(&totals);
    c->sources = lru_new(&sources);
    return c->filters != NULL && c->totals != NULL && c->sources != NULL ? 0 : -ENOMEM;
}

void catalog_filters_close(struct catalog *c)
{
    lru_free(c->filters);
    lru_free(c->totals);
    lru_free(c->sources);
}

static bool make_key(struct filter_key *key, const char *path, unsigned column)
{
    size_t len = strlen(path);
    memset(key, 0, sizeof(*key));
    if (len >= sizeof(key->path))
        return false;
    memcpy(key->path, path, len);
    key->column = column;
    return true;
}

static struct key_filter *remembered(struct catalog *c, const struct filter_key *key)
{
    struct key_filter *k = NULL;
    pthread_mutex_lock(&c->lock);
    struct key_filter **place = lru_find(c->filters, key);
    if (place != NULL) {
        k = *place;
        atomic_fetch_add(&k->refs, 1);
        lru_touch(c->filters, place, catalog_now());
    }
    pthread_mutex_unlock(&c->lock);
    return k;
}

/* Another thread may have been faster: then that one stays. */
static void remember(struct catalog *c, const struct filter_key *key, struct key_filter *k)
{
    bool new = false;
    if (k->octets > c->o.filter_octets)
        return;
    pthread_mutex_lock(&c->lock);
    while (c->filter_octets + k->octets > c->o.filter_octets && lru_evict(c->filters))
        ;
    struct key_filter **place = lru_put(c->filters, key, catalog_now(), &new);
    if (place != NULL && new) {
        *place = k;
        atomic_fetch_add(&k->refs, 1);
        c->filter_octets += k->octets;
    }
    pthread_mutex_unlock(&c->lock);
}

int catalog_filter(struct catalog *c, const struct manifest_file *f, enum record_table table, unsigned column,
                   struct key_filter **ret, uint64_t *octets, struct errmsg *err)
{
    struct filter_key key;
    if (!make_key(&key, f->path, column))
        return -ENAMETOOLONG;
    *ret = remembered(c, &key);
    if (*ret != NULL)
        return 0;
    int rc = load(c, f, table, column, ret, octets, err);
    if (rc == 0 && *ret != NULL)
        remember(c, &key, *ret);
    return rc;
}

void catalog_filters_forget(struct catalog *c, const char *path)
{
    struct filter_key key;
    pthread_mutex_lock(&c->lock);
    for (unsigned i = 0; i < RECORD_COLUMNS_MAX && make_key(&key, path, i); i++) {
        void *place = lru_find(c->filters, &key);
        if (place != NULL)
            lru_remove(c->filters, place);
    }
    pthread_mutex_unlock(&c->lock);
}

/* ------------------------------------------------------------------------------------------------ totals */

/* Two hashes of path and text: what is kept has one size. Paths are never used twice, so nothing goes stale. */
static struct total_key total_key(const char *path, const char *filter)
{
    struct total_key key;
    for (uint64_t i = 0; i < 2; i++)
        key.hash[i] = XXH64(filter, strlen(filter), XXH64(path, strlen(path), i));
    return key;
}

bool catalog_total(struct catalog *c, const char *path, const char *filter, uint64_t *ret)
{
    struct total_key key = total_key(path, filter);
    pthread_mutex_lock(&c->lock);
    uint64_t *total = lru_find(c->totals, &key);
    if (total != NULL) {
        *ret = *total;
        lru_touch(c->totals, total, catalog_now());
    }
    pthread_mutex_unlock(&c->lock);
    return total != NULL;
}

void catalog_total_put(struct catalog *c, const char *path, const char *filter, uint64_t total)
{
    struct total_key key = total_key(path, filter);
    bool new;
    pthread_mutex_lock(&c->lock);
    uint64_t *place = lru_put(c->totals, &key, catalog_now(), &new);
    if (place != NULL)
        *place = total;
    pthread_mutex_unlock(&c->lock);
}

/* ------------------------------------------------------------------------------------------------ sources */

static int read_source(struct catalog *c, const struct manifest_file *m, enum record_table table, uint32_t *ret,
                       struct errmsg *err)
{
    struct catalog_file *f;
    struct footer footer;
    struct footer_texts texts = { .paths = NULL };
    int rc = catalog_take(c, m, table, &f, err);
    if (rc != 0)
        return rc;
    rc = footer_read(f->reader, m->bytes, &footer, &texts);
    if (rc != 0)
        (void)errmsg_set(err, "%s: key-values of the footer", m->path);
    else
        *ret = footer.source;
    footer_texts_free(&texts);
    catalog_give(f, true);
    return rc;
}

int catalog_source(struct catalog *c, const struct manifest_file *f, enum record_table table, uint32_t *ret,
                   struct errmsg *err)
{
    struct total_key key = total_key(f->path, "");
    bool new;
    pthread_mutex_lock(&c->lock);
    uint32_t *place = lru_find(c->sources, &key);
    if (place != NULL)
        *ret = *place;
    pthread_mutex_unlock(&c->lock);
    if (place != NULL)
        return 0;
    int rc = read_source(c, f, table, ret, err);
    if (rc != 0)
        return rc;
    pthread_mutex_lock(&c->lock);
    place = lru_put(c->sources, &key, catalog_now(), &new);
    if (place != NULL)
        *place = *ret;
    pthread_mutex_unlock(&c->lock);
    return 0;
}

void catalog_figures(struct catalog *c, struct catalog_figures *ret)
{
    pthread_mutex_lock(&c->lock);
    *ret = (struct catalog_figures){ c->idle_count, c->idle_octets, lru_count(c->filters), c->filter_octets,
                                     lru_count(c->totals) };
    pthread_mutex_unlock(&c->lock);
}
