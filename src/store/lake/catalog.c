#include "store/lake/catalog.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "store/lake/catalog_internal.h"

#define IDLE_US UINT64_C(60000000)

uint64_t catalog_now(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* ------------------------------------------------------------------------------------------------ the catalog */

int catalog_open(struct catalog **ret, const struct catalog_options *options)
{
    size_t len = strlen(options->dir);
    if (len >= VFS_PATH_MAX)
        return -ENAMETOOLONG;
    struct catalog *c = calloc(1, sizeof(*c));
    if (c == NULL)
        return -ENOMEM;
    c->o = *options;
    c->vfs = options->vfs != NULL ? options->vfs : vfs_posix();
    memcpy(c->dir, options->dir, len + 1);
    c->o.dir = c->dir;
    c->o.readers_max = options->readers_max > 0 ? options->readers_max : 64;
    c->o.reader_octets = options->reader_octets > 0 ? options->reader_octets : (size_t)24 << 20;
    c->o.filter_octets = options->filter_octets > 0 ? options->filter_octets : (size_t)96 << 20;
    c->o.totals_max = options->totals_max > 0 ? options->totals_max : 32768;
    pthread_mutex_init(&c->lock, NULL);
    c->idle = calloc(c->o.readers_max, sizeof(struct catalog_file *));
    c->suspects = calloc(CATALOG_SUSPECTS_MAX, sizeof(*c->suspects));
    if (c->idle == NULL || c->suspects == NULL || catalog_filters_open(c) != 0) {
        catalog_close(c);
        return -ENOMEM;
    }
    *ret = c;
    return 0;
}

/* ------------------------------------------------------------------------------------------------ readers */

static void destroy(struct catalog_file *f)
{
    if (f == NULL)
        return;
    pq_reader_free(f->reader);
    if (f->file >= 0)
        (void)vfs_close(f->catalog->vfs, f->file);
    free(f);
}

void catalog_close(struct catalog *c)
{
    if (c == NULL)
        return;
    for (size_t i = 0; c->idle != NULL && i < c->idle_count; i++)
        destroy(c->idle[i]);
    catalog_filters_close(c);
    free(c->idle);
    free(c->suspects);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

/* A file that ends too early is damaged; one that cannot be read may be sound. */
static int read_source(void *ctx, uint64_t offset, void *to, size_t len)
{
    struct catalog_file *f = ctx;
    int64_t n = vfs_read_at(f->catalog->vfs, f->file, to, len, offset);
    if (n == (int64_t)len)
        return 0;
    f->source_error = n < 0 ? (int)n : -EUCLEAN;
    return -1;
}

static int errno_of(const struct catalog_file *f, int pq_error)
{
    switch (pq_error) {
    case PQ_OK:
        return 0;
    case PQ_ERR_MEMORY:
        return -ENOMEM;
    case PQ_ERR_SOURCE:
        return f->source_error != 0 ? f->source_error : -EIO;
    case PQ_ERR_USAGE:
        return -EINVAL;
    default:
        return -EUCLEAN;
    }
}

int catalog_error(const struct catalog_file *f, int pq_error, struct errmsg *err)
{
    int rc = errno_of(f, pq_error);
    const char *text = pq_reader_error(f->reader);
    (void)errmsg_set(err, "%s: %s", f->path, rc == -EUCLEAN && text[0] != '\0' ? text : strerror(-rc));
    return rc;
}

static int open_reader(struct catalog_file *f, const struct manifest_file *m, struct errmsg *err)
{
    char path[VFS_PATH_MAX], text[256] = "";
    int rc = vfs_join(path, f->catalog->dir, m->path);
    if (rc == 0)
        rc = f->file = vfs_open(f->catalog->vfs, path, VFS_READ);
    int64_t size = rc >= 0 ? vfs_size(f->catalog->vfs, f->file) : 0;
    if (rc < 0 || size < 0) {
        rc = rc < 0 ? rc : (int)size;
        (void)errmsg_set(err, "%s: %s", m->path, strerror(-rc));
        return rc;
    }
    if ((uint64_t)size != m->bytes) {
        (void)errmsg_set(err, "%s: has %lld octets, should have %llu", m->path, (long long)size,
                         (unsigned long long)m->bytes);
        return -EUCLEAN;
    }
    struct pq_source source = { read_source, f, m->bytes };
    rc = errno_of(f, pq_reader_open(&f->reader, &source, NULL, text));
    if (rc != 0)
        (void)errmsg_set(err, "%s: %s", m->path, rc == -EUCLEAN && text[0] != '\0' ? text : strerror(-rc));
    return rc;
}

/* Where the columns of the table stand in the file. One of another type is as good as none. */
static void map_columns(struct catalog_file *f)
{
    struct pq_column columns[RECORD_COLUMNS_MAX];
    size_t count = lake_columns(f->table, columns), at;
    for (size_t i = 0; i < RECORD_COLUMNS_MAX; i++)
        f->columns[i] = -1;
    for (size_t i = 0; i < count; i++)
        if (pq_reader_find(f->reader, columns[i].name, &at) == PQ_OK && at <= INT16_MAX &&
            pq_reader_column(f->reader, at)->type == columns[i].type)
            f->columns[i] = (int16_t)at;
}

static struct catalog_file *take_idle(struct catalog *c, const char *path)
{
    struct catalog_file *f = NULL;
    pthread_mutex_lock(&c->lock);
    for (size_t i = 0; i < c->idle_count && f == NULL; i++)
        if (strcmp(c->idle[i]->path, path) == 0) {
            f = c->idle[i];
            c->idle[i] = c->idle[--c->idle_count];
            c->idle_octets -= pq_reader_memory(f->reader);
        }
    pthread_mutex_unlock(&c->lock);
    return f;
}

int catalog_take(struct catalog *c, const struct manifest_file *m, enum record_table table, struct catalog_file **ret,
                 struct errmsg *err)
{
    struct catalog_file *f = take_idle(c, m->path);
    if (f != NULL) {
        f->octets = pq_reader_octets_read(f->reader);
        *ret = f;
        return 0;
    }
    f = calloc(1, sizeof(*f));
    if (f == NULL || strlen(m->path) >= sizeof(f->path)) {
        free(f);
        (void)errmsg_set(err, "%s: out of memory", m->path);
        return -ENOMEM;
    }
    f->catalog = c;
    f->table = table;
    f->file = -1;
    memcpy(f->path, m->path, strlen(m->path) + 1);
    int rc = open_reader(f, m, err);
    if (rc != 0) {
        destroy(f);
        return rc;
    }
    map_columns(f);
    *ret = f;
    return 0;
}

/* Takes the idle reader that was left alone for longest off the list. Under the lock. */
static struct catalog_file *take_oldest(struct catalog *c)
{
    size_t oldest = 0;
    for (size_t i = 1; i < c->idle_count; i++)
        if (c->idle[i]->used < c->idle[oldest]->used)
            oldest = i;
    struct catalog_file *f = c->idle[oldest];
    c->idle[oldest] = c->idle[--c->idle_count];
    c->idle_octets -= pq_reader_memory(f->reader);
    return f;
}

void catalog_give(struct catalog_file *f, bool sound)
{
    if (f == NULL)
        return;
    struct catalog *c = f->catalog;
    struct catalog_file *out[2] = { NULL, NULL };
    if (!sound) {
        destroy(f);
        return;
    }
    pq_reader_trim(f->reader); /* pages of the last look-up hardly serve the next one */
    f->used = catalog_now();
    size_t octets = pq_reader_memory(f->reader);
    pthread_mutex_lock(&c->lock);
    if (c->idle_count == c->o.readers_max || (c->idle_count > 0 && c->idle_octets + octets > c->o.reader_octets))
        out[0] = take_oldest(c);
    if (c->idle_octets + octets > c->o.reader_octets && c->idle_count > 0)
        out[1] = take_oldest(c);
    c->idle[c->idle_count++] = f;
    c->idle_octets += octets;
    pthread_mutex_unlock(&c->lock);
    destroy(out[0]);
    destroy(out[1]);
}

uint64_t catalog_octets(const struct catalog_file *f)
{
    return pq_reader_octets_read(f->reader) - f->octets;
}

/* Most columns of most groups have no value at all, or one: the footer knows it, no page is read. */
static bool known_value(const struct catalog_file *f, size_t group, size_t column, struct pq_slice *ret)
{
    struct pq_stats s;
    if (pq_reader_stats(f->reader, group, column, &s) != PQ_OK || !s.has_nulls)
        return false;
    *ret = (struct pq_slice){ NULL, 0 };
    if (s.null_count == pq_reader_group_rows(f->reader, group))
        return true;
    *ret = s.min;
    return s.null_count == 0 && s.has_range && s.min_exact && s.max_exact && s.min.len == s.max.len && s.min.len > 0 &&
           memcmp(s.min.ptr, s.max.ptr, s.min.len) == 0;
}

int catalog_cell(struct catalog_file *f, unsigned column, uint64_t row, struct record_cell *ret)
{
    struct pq_slice value = { NULL, 0 };
    size_t group, at;
    int rc = PQ_OK;
    if (f->columns[column] >= 0) {
        rc = pq_reader_locate(f->reader, row, &group, &at);
        if (rc == PQ_OK && !known_value(f, group, (size_t)f->columns[column], &value))
            rc = pq_reader_value(f->reader, group, (size_t)f->columns[column], at, &value);
    }
    if (rc == PQ_OK)
        lake_cell(record_schema(f->table)->columns[column].kind, value, ret);
    return rc;
}

/* ------------------------------------------------------------------------------------------------ age */

/* Takes idle readers off the list: those of a path, or (NULL) those not used since. */
static void drop(struct catalog *c, const char *path, uint64_t since)
{
    for (;;) {
        struct catalog_file *f = NULL;
        pthread_mutex_lock(&c->lock);
        for (size_t i = 0; i < c->idle_count && f == NULL; i++)
            if (path != NULL ? strcmp(c->idle[i]->path, path) == 0 : c->idle[i]->used < since) {
                f = c->idle[i];
                c->idle[i] = c->idle[--c->idle_count];
                c->idle_octets -= pq_reader_memory(f->reader);
            }
        pthread_mutex_unlock(&c->lock);
        if (f == NULL)
            return;
        destroy(f);
    }
}

void catalog_forget(struct catalog *c, const char *path)
{
    drop(c, path, 0);
    catalog_filters_forget(c, path);
}

void catalog_expire(struct catalog *c)
{
    uint64_t now = catalog_now();
    drop(c, NULL, now > IDLE_US ? now - IDLE_US : 0);
}

/* ------------------------------------------------------------------------------------------------ suspects */

/* Under the lock. */
static struct suspect *find_suspect(const struct catalog *c, const char *path)
{
    for (size_t i = 0; i < c->suspect_count; i++)
        if (strcmp(c->suspects[i].path, path) == 0)
            return &c->suspects[i];
    return NULL;
}

bool catalog_suspect(struct catalog *c, const char *path, const char *text)
{
    pthread_mutex_lock(&c->lock);
    bool news =
        find_suspect(c, path) == NULL && c->suspect_count < CATALOG_SUSPECTS_MAX && strlen(path) < MANIFEST_PATH_MAX;
    if (news) {
        struct suspect *s = &c->suspects[c->suspect_count++];
        memcpy(s->path, path, strlen(path) + 1);
        (void)errmsg_set(&s->text, "%s", text);
    }
    pthread_mutex_unlock(&c->lock);
    return news;
}

bool catalog_suspected(struct catalog *c, const char *path)
{
    pthread_mutex_lock(&c->lock);
    bool found = find_suspect(c, path) != NULL;
    pthread_mutex_unlock(&c->lock);
    return found;
}

bool catalog_next_suspect(struct catalog *c, char path[MANIFEST_PATH_MAX], struct errmsg *text)
{
    pthread_mutex_lock(&c->lock);
    bool found = c->suspect_count > 0;
    if (found) {
        memcpy(path, c->suspects[0].path, MANIFEST_PATH_MAX);
        *text = c->suspects[0].text;
    }
    pthread_mutex_unlock(&c->lock);
    return found;
}

void catalog_cleared(struct catalog *c, const char *path)
{
    pthread_mutex_lock(&c->lock);
    struct suspect *s = find_suspect(c, path);
    if (s != NULL)
        *s = c->suspects[--c->suspect_count];
    pthread_mutex_unlock(&c->lock);
}
