#include "store/lake/seal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "store/lake/columns.h"
#include "store/lake/datadir.h"
#include "store/lake/feed.h"
#include "store/lake/footer.h"
#include "store/lake/group_internal.h"
#include "store/lake/hot.h"
#include "store/lake/outfile.h"
#include "store/lake/state.h"

/* A file to be written from some of the groups. */
struct seal_file {
    struct group **groups;
    size_t group_count;
    bool written; /* durable under its name */
    char path[MANIFEST_PATH_MAX];
};

struct store_seal {
    struct wal_position positions[MANIFEST_POSITIONS_MAX];
    size_t position_count;
    size_t rows;
    char state[MANIFEST_PATH_MAX]; /* of the caller's octets; empty: none */
    uint64_t state_epoch;
    uint64_t epoch;        /* 0: nothing is planned yet */
    struct group **groups; /* borrowed from the list of hot rows */
    size_t group_count;
    struct seal_file *files;
    struct manifest_file *add; /* of each file, once it is written */
    size_t file_count;
    uint64_t zip_us; /* CPU time that pages took which were not compressed yet: counted as such */
};

/* ------------------------------------------------------------------------------------------------ cutting */

int seal_begin(struct store *s, struct store_seal **ret)
{
    (void)s;
    *ret = calloc(1, sizeof(**ret));
    return *ret != NULL ? 0 : -ENOMEM;
}

void seal_cut(struct store *s, struct store_seal *seal, unsigned writer, const struct wal_position *position)
{
    struct lake *lake = (struct lake *)s;
    seal->rows += hot_cut(lake->hot, writer);
    if (position != NULL && seal->position_count < MANIFEST_POSITIONS_MAX)
        seal->positions[seal->position_count++] = *position;
}

size_t seal_rows(const struct store_seal *seal)
{
    return seal->rows;
}

size_t seal_positions(const struct store_seal *seal, const struct wal_position **ret)
{
    *ret = seal->positions;
    return seal->position_count;
}

void seal_free(struct store_seal *seal)
{
    if (seal == NULL)
        return;
    free(seal->groups);
    free(seal->files);
    free(seal->add);
    free(seal);
}

/* ------------------------------------------------------------------------------------------------ planning */

static int compare(uint64_t a, uint64_t b)
{
    return a < b ? -1 : a > b;
}

static int compare_keys(const struct group *a, const struct group *b)
{
    int by = compare(a->table, b->table);
    if (by == 0)
        by = compare(a->hour, b->hour);
    return by != 0 ? by : compare(a->source, b->source);
}

static int compare_groups(const void *x, const void *y)
{
    const struct group *const *a = x, *const *b = y;
    int by = compare_keys(*a, *b);
    return by != 0 ? by : compare((*a)->min_seq, (*b)->min_seq);
}

/* A cut group may have no rows: its only one was refused. */
static void drop_empty(struct store_seal *seal)
{
    size_t n = 0;
    for (size_t i = 0; i < seal->group_count; i++)
        if (group_rows(seal->groups[i]) > 0)
            seal->groups[n++] = seal->groups[i];
    seal->group_count = n;
}

/* Splits the sorted groups into files; with `files` NULL only counts them. */
static size_t split(const struct store_seal *seal, struct seal_file *files)
{
    size_t n = 0;
    for (size_t i = 0; i < seal->group_count; i++) {
        bool first = i == 0 || compare_keys(seal->groups[i - 1], seal->groups[i]) != 0;
        n += first;
        if (files == NULL)
            continue;
        if (first)
            files[n - 1].groups = &seal->groups[i];
        files[n - 1].group_count++;
    }
    return n;
}

static int plan(struct lake *lake, struct store_seal *seal)
{
    int rc = hot_cut_groups(lake->hot, &seal->groups, &seal->group_count);
    if (rc != 0)
        return rc;
    drop_empty(seal);
    if (seal->group_count > 1)
        qsort(seal->groups, seal->group_count, sizeof(struct group *), compare_groups);
    seal->file_count = split(seal, NULL);
    seal->files = calloc(seal->file_count + 1, sizeof(*seal->files));
    seal->add = calloc(seal->file_count + 1, sizeof(*seal->add));
    if (seal->files == NULL || seal->add == NULL) {
        free(seal->groups);
        free(seal->files);
        free(seal->add);
        seal->groups = NULL;
        seal->files = NULL;
        seal->add = NULL;
        return -ENOMEM;
    }
    (void)split(seal, seal->files);
    seal->epoch = seal->state[0] != '\0' ? seal->state_epoch : manifest_next_epoch(lake->manifest);
    for (size_t i = 0; i < seal->file_count; i++) {
        const struct group *g = seal->files[i].groups[0];
        outfile_path(seal->files[i].path, g->table, g->hour, seal->epoch, lake->o.node, (unsigned)i + 1);
    }
    return 0;
}

/* ------------------------------------------------------------------------------------------------ one file */

static void describe(const struct lake *lake, const struct store_seal *seal, const struct seal_file *f,
                     struct footer *ret)
{
    struct manifest_file *m = &ret->about.file;
    *ret = (struct footer){ .table = f->groups[0]->table, .source = f->groups[0]->source, .node = lake->o.node };
    ret->about = (struct manifest_footer){ .kind = MANIFEST_SEAL,
                                           .epoch_files = (uint32_t)seal->file_count,
                                           .positions = seal->positions,
                                           .position_count = seal->position_count };
    *m = (struct manifest_file){ .path = f->path,
                                 .min_ts = INT64_MAX,
                                 .max_ts = INT64_MIN,
                                 .min_seq = UINT64_MAX,
                                 .hour = f->groups[0]->hour,
                                 .epoch = seal->epoch };
    for (size_t i = 0; i < f->group_count; i++) {
        const struct group *g = f->groups[i];
        int64_t min, max;
        group_times(g, &min, &max);
        m->min_ts = min < m->min_ts ? min : m->min_ts;
        m->max_ts = max > m->max_ts ? max : m->max_ts;
        m->min_seq = g->min_seq < m->min_seq ? g->min_seq : m->min_seq;
        m->max_seq = g->max_seq > m->max_seq ? g->max_seq : m->max_seq;
        m->rows += group_rows(g);
    }
}

static int write_group(struct pq_writer *w, struct feed *feed, const struct group *g)
{
    struct pq_data data;
    int rc = pq_writer_group_begin(w, group_rows(g));
    for (unsigned c = 0; c < g->schema->count && rc == PQ_OK; c++) {
        feed_column(feed, g, c, &data);
        rc = pq_writer_column(w, &data);
    }
    return rc == PQ_OK ? pq_writer_group_end(w) : rc;
}

/* 0, or a negative errno with a text. */
static int write_content(struct outfile *o, const struct seal_file *f, const struct footer *footer, struct feed *feed,
                         struct errmsg *err)
{
    struct pq_column columns[RECORD_COLUMNS_MAX];
    struct pq_sink sink = outfile_sink(o);
    struct pq_writer *w = NULL;
    size_t n = lake_columns(footer->table, columns);
    int rc = pq_writer_open(&w, columns, n, &sink, NULL);
    for (size_t i = 0; i < f->group_count && rc == PQ_OK; i++)
        rc = write_group(w, feed, f->groups[i]);
    if (rc == PQ_OK)
        rc = footer_write(w, footer);
    if (rc == PQ_OK)
        rc = pq_writer_close(w);
    if (rc != PQ_OK) {
        (void)errmsg_set(err, "%s: %s", f->path, o->error != 0 ? strerror(-o->error) : pq_error_text(rc));
        rc = o->error != 0 ? o->error : rc == PQ_ERR_MEMORY ? -ENOMEM : -EIO;
    }
    pq_writer_free(w);
    return rc;
}

static int write_file(struct lake *lake, const struct store_seal *seal, size_t i, struct feed *feed, struct errmsg *err)
{
    struct seal_file *f = &seal->files[i];
    struct outfile out;
    struct footer footer;
    describe(lake, seal, f, &footer);
    int rc = outfile_open(&out, lake->vfs, lake->dir, f->path);
    if (rc != 0) {
        (void)errmsg_set(err, "%s: %s", f->path, strerror(-rc));
        return rc;
    }
    rc = write_content(&out, f, &footer, feed, err);
    if (rc == 0) {
        rc = outfile_publish(&out);
        if (rc != 0)
            (void)errmsg_set(err, "%s: %s", f->path, strerror(-rc));
    }
    if (rc != 0) {
        outfile_abort(&out);
        return rc;
    }
    seal->add[i] = footer.about.file;
    seal->add[i].bytes = out.written;
    f->written = true;
    return 0;
}

static uint64_t clock_us(clockid_t clock)
{
    struct timespec t;
    (void)clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static int write_files(struct lake *lake, struct store_seal *seal, struct errmsg *err)
{
    struct feed *feed = feed_new();
    int rc = feed != NULL ? 0 : -ENOMEM;
    uint64_t start = clock_us(CLOCK_THREAD_CPUTIME_ID);
    for (size_t i = 0; i < seal->group_count && rc == 0; i++)
        rc = feed_zip(feed, seal->groups[i]);
    seal->zip_us += clock_us(CLOCK_THREAD_CPUTIME_ID) - start;
    if (rc != 0)
        (void)errmsg_set(err, "seal: %s", strerror(-rc));
    for (size_t i = 0; i < seal->file_count && rc == 0; i++)
        if (!seal->files[i].written)
            rc = write_file(lake, seal, i, feed, err);
    feed_free(feed);
    return rc;
}

/* ------------------------------------------------------------------------------------------------ the seal */

static void visible(void *arg)
{
    hot_detach(arg);
}

/* Nothing to add, and no position that the MANIFEST does not have: not worth a record. */
static bool is_empty(struct lake *lake, const struct store_seal *seal)
{
    const struct wal_position *have;
    struct manifest_pin *pin = manifest_pin(lake->manifest);
    size_t n = manifest_pin_positions(pin, &have), same = 0;
    for (size_t i = 0; i < seal->position_count; i++)
        for (size_t k = 0; k < n; k++)
            same += have[k].worker == seal->positions[i].worker && have[k].segment >= seal->positions[i].segment;
    manifest_unpin(pin);
    return seal->file_count == 0 && seal->state[0] == '\0' && same == seal->position_count;
}

static int commit(struct lake *lake, const struct store_seal *seal, uint64_t max_seq, struct errmsg *err)
{
    const struct manifest_change change = {
        .kind = MANIFEST_SEAL,
        .epoch = seal->epoch,
        .add = seal->add,
        .add_count = seal->file_count,
        .positions = seal->positions,
        .position_count = seal->position_count,
        .state = seal->state[0] != '\0' ? seal->state : NULL,
        .max_seq = max_seq,
        .visible = visible,
        .arg = lake->hot,
    };
    if (is_empty(lake, seal)) {
        hot_detach(lake->hot); /* groups without rows */
        return 0;
    }
    return manifest_commit(lake->manifest, &change, err);
}

static bool is_full(int rc)
{
    return rc == -ENOSPC || rc == -EDQUOT;
}

static void note(struct lake *lake, int rc, uint64_t wall, uint64_t cpu, const struct errmsg *err)
{
    pthread_mutex_lock(&lake->lock);
    lake->count.seals += rc == 0;
    lake->count.seal_errors += rc != 0;
    lake->count.seal_us += wall;
    lake->count.cpu_seal_us += cpu;
    lake->count.disk_full = is_full(rc);
    if (rc == 0)
        lake->count.last_error.text[0] = '\0';
    else
        lake->count.last_error = *err;
    pthread_mutex_unlock(&lake->lock);
}

static int end_once(struct lake *lake, struct store_seal *seal, uint64_t max_seq, struct errmsg *err)
{
    int rc = seal->epoch == 0 ? plan(lake, seal) : 0;
    if (rc != 0) {
        (void)errmsg_set(err, "seal: %s", strerror(-rc));
        return rc;
    }
    rc = write_files(lake, seal, err);
    return rc == 0 ? commit(lake, seal, max_seq, err) : rc;
}

/* The reserve is what a full disk still has for a seal; it is filled again when there is plenty. */
static void fill_reserve(const struct lake *lake)
{
    int64_t space = vfs_free_space(lake->vfs, lake->dir);
    if (space < 0 || (uint64_t)space >= 2 * DATADIR_RESERVE_SIZE)
        (void)reserve_restore(lake->vfs, lake->o.data_dir, DATADIR_RESERVE_SIZE);
}

/* False if there was none. */
static bool use_reserve(const struct lake *lake)
{
    char path[VFS_PATH_MAX];
    struct vfs_stat st;
    return vfs_join(path, lake->o.data_dir, "RESERVE") == 0 && vfs_stat(lake->vfs, path, &st) == 0 && st.size > 0 &&
           reserve_release(lake->vfs, lake->o.data_dir) == 0;
}

int seal_state(struct store *s, struct store_seal *seal, int (*produce)(void *arg, store_write_fn *write, void *to),
               void *arg, struct errmsg *err)
{
    const struct lake *lake = (const struct lake *)s;
    if (seal->epoch != 0)
        return 0; /* it has been planned, with what was written then */
    state_remove(lake, seal->state);
    seal->state_epoch = manifest_next_epoch(lake->manifest);
    int rc = state_write(lake, seal->state_epoch, produce, arg, seal->state, err);
    if (is_full(rc) && use_reserve(lake))
        rc = state_write(lake, seal->state_epoch, produce, arg, seal->state, err);
    if (rc != 0)
        seal->state[0] = '\0';
    return rc;
}

int seal_end(struct store *s, struct store_seal *seal, uint64_t max_seq, struct errmsg *err)
{
    struct lake *lake = (struct lake *)s;
    struct errmsg said = { "" };
    uint64_t wall = clock_us(CLOCK_MONOTONIC), cpu = clock_us(CLOCK_THREAD_CPUTIME_ID);
    seal->zip_us = 0;
    int rc = end_once(lake, seal, max_seq, &said);
    if (is_full(rc) && use_reserve(lake))
        rc = end_once(lake, seal, max_seq, &said);
    if (rc == 0) {
        hot_drop(lake->hot);
        fill_reserve(lake);
    } else if (err != NULL) {
        *err = said;
    }
    wall = clock_us(CLOCK_MONOTONIC) - wall;
    cpu = clock_us(CLOCK_THREAD_CPUTIME_ID) - cpu;
    note(lake, rc, wall, cpu > seal->zip_us ? cpu - seal->zip_us : 0, &said);
    return rc;
}
