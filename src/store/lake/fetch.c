/*
 * Values of rows that a scan found. A batch of references is sorted by part and row, so that each page is read once;
 * its values are gathered, and handed out in the order of the references. Rows of several files are gathered by several
 * threads: each row needs a page of every column.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "store/lake/catalog.h"
#include "store/lake/internal.h"

#define BATCH      512u /* rows gathered at a time */
#define BATCH_WIDE 128u /* with payload: at most 256 kB each */
#define OCTETS_MAX ((size_t)128 << 20)
#define FILES_OPEN 4u /* each holds pages of all columns asked for: about 8 MB at most */
#define TEAM_MAX   4u
#define TEAM_ROWS  16u /* fewer are read before a thread has begun */
#define IN_PLACE   SIZE_MAX

struct fetch_value {
    struct record_cell cell;
    size_t at; /* of its octets in the buffer of who read it; IN_PLACE: cell.octets is good */
};

/* One of the threads. */
struct reader {
    struct fetch *f;
    struct buf octets; /* of the batch */
    struct {
        uint32_t part;
        struct catalog_file *file;
    } open[FILES_OPEN];
    size_t open_next;
    size_t failed; /* rows */
    int rc;
    struct errmsg err;
    pthread_t thread;
};

struct fetch {
    struct lake *lake;
    struct store_pin *pin;
    const struct store_ref *refs; /* of the batch */
    size_t count;
    bool down; /* references mostly go from high rows to low ones */
    const struct store_columns *columns;
    unsigned asked[RECORD_COLUMNS_MAX]; /* numbers of the columns of `columns` */
    size_t asked_count;
    struct fetch_value *values; /* count x asked_count */
    uint32_t order[BATCH];
    bool failed[BATCH];
    uint8_t reader[BATCH];  /* who read the row */
    uint16_t pieces[BATCH]; /* places in `order` where another file begins */
    size_t piece_count;
    atomic_size_t next_piece;
    struct reader readers[TEAM_MAX]; /* the first is the caller's thread */
    size_t reader_count;
    struct group_cache *cache;
    uint32_t cache_part;
};

/* ------------------------------------------------------------------------------------------------ values */

static struct fetch_value *value_of(struct fetch *f, size_t i, size_t k)
{
    return &f->values[i * f->asked_count + k];
}

/* Copies the octets of a cell, which are about to change. */
static int keep(struct reader *r, struct fetch_value *v)
{
    v->at = IN_PLACE;
    if (v->cell.null || v->cell.octets.ptr == NULL)
        return 0;
    v->at = r->octets.len;
    buf_put(&r->octets, v->cell.octets.ptr, v->cell.octets.len);
    return r->octets.failed ? -ENOMEM : 0;
}

static void row_failed(struct reader *r, size_t i)
{
    r->failed += !r->f->failed[i];
    r->f->failed[i] = true;
}

static bool has_column(const struct store_ref *ref, unsigned column)
{
    return column < record_schema((enum record_table)ref->table)->count;
}

/* ------------------------------------------------------------------------------------------------ memory */

static int hot_payload(struct reader *r, const struct group *g, size_t row, uint32_t part, struct fetch_value *v)
{
    struct fetch *f = r->f;
    if (f->cache_part != part) {
        group_cache_free(f->cache);
        f->cache = NULL;
        f->cache_part = part;
    }
    v->at = r->octets.len;
    int rc = group_payload(g, row, &r->octets, &f->cache);
    v->cell = (struct record_cell){ .octets = { NULL, r->octets.len - v->at } };
    return rc;
}

static int hot_row(struct reader *r, size_t i)
{
    struct fetch *f = r->f;
    const struct store_ref *ref = &f->refs[i];
    const struct group *g = f->pin->groups[ref->part];
    const struct record_schema *schema = record_schema((enum record_table)ref->table);
    struct group_scratch scratch;
    if (ref->table != group_table(g) || ref->row >= f->pin->rows[ref->part])
        return -EINVAL;
    for (size_t k = 0; k < f->asked_count; k++) {
        unsigned column = f->asked[k];
        struct fetch_value *v = value_of(f, i, k);
        int rc = 0;
        *v = (struct fetch_value){ { .null = true }, IN_PLACE };
        if (!has_column(ref, column))
            continue;
        if (schema->columns[column].kind == RECORD_BYTES)
            rc = hot_payload(r, g, ref->row, ref->part, v);
        else
            group_cell(g, column, ref->row, &v->cell, &scratch);
        if (schema->columns[column].kind == RECORD_ADDR)
            rc = keep(r, v);
        if (rc == -ENOMEM)
            return rc;
        if (rc != 0) {
            row_failed(r, i);
            (void)errmsg_set(&r->err, "a payload in memory does not expand");
        }
    }
    return 0;
}

/* ------------------------------------------------------------------------------------------------ files */

static void close_files(struct reader *r)
{
    for (size_t i = 0; i < FILES_OPEN; i++) {
        catalog_give(r->open[i].file, true);
        r->open[i].file = NULL;
    }
}

static int open_part(struct reader *r, uint32_t part, enum record_table table, struct catalog_file **ret,
                     struct errmsg *err)
{
    for (size_t i = 0; i < FILES_OPEN; i++)
        if (r->open[i].file != NULL && r->open[i].part == part) {
            *ret = r->open[i].file;
            return 0;
        }
    const struct manifest_file *m = manifest_pin_file(r->f->pin->files, part - r->f->pin->group_count);
    int rc = catalog_take(r->f->lake->catalog, m, table, ret, err);
    if (rc != 0)
        return rc;
    size_t i = r->open_next++ % FILES_OPEN;
    catalog_give(r->open[i].file, true);
    r->open[i].part = part;
    r->open[i].file = *ret;
    return 0;
}

/* A damaged file is to be set aside; one that cannot be read just now is not. */
static void part_failed(struct reader *r, uint32_t part, int rc, const struct errmsg *text)
{
    const struct store_pin *pin = r->f->pin;
    const struct manifest_file *m = manifest_pin_file(pin->files, part - pin->group_count);
    (void)errmsg_set(&r->err, "%s", text->text);
    if (rc == -EUCLEAN && catalog_suspect(r->f->lake->catalog, m->path, text->text))
        lake_event(r->f->lake, "unreadable", m->path, text->text);
}

/* One column of the rows order[from .. to), which are in one part. */
static int file_column(struct reader *r, struct catalog_file *file, size_t k, size_t from, size_t to)
{
    struct fetch *f = r->f;
    for (size_t o = from; o < to; o++) {
        size_t i = f->order[o];
        struct fetch_value *v = value_of(f, i, k);
        *v = (struct fetch_value){ { .null = true }, IN_PLACE };
        if (f->failed[i] || !has_column(&f->refs[i], f->asked[k]))
            continue;
        int pq = catalog_cell(file, f->asked[k], f->refs[i].row, &v->cell);
        if (pq != PQ_OK) {
            struct errmsg text = { "" };
            int rc = catalog_error(file, pq, &text);
            row_failed(r, i);
            part_failed(r, f->refs[i].part, rc, &text);
            continue;
        }
        if (keep(r, v) != 0)
            return -ENOMEM;
    }
    return 0;
}

static int file_rows(struct reader *r, size_t from, size_t to)
{
    struct fetch *f = r->f;
    const struct store_ref *ref = &f->refs[f->order[from]];
    struct catalog_file *file = NULL;
    struct errmsg text = { "" };
    for (size_t o = from; o < to; o++)
        f->reader[f->order[o]] = (uint8_t)(r - f->readers);
    int rc = open_part(r, ref->part, (enum record_table)ref->table, &file, &text);
    if (rc != 0) {
        part_failed(r, ref->part, rc, &text);
        for (size_t o = from; o < to; o++)
            row_failed(r, f->order[o]);
        return 0;
    }
    for (size_t k = 0; k < f->asked_count && rc == 0; k++)
        rc = file_column(r, file, k, from, to);
    return rc;
}

/* ------------------------------------------------------------------------------------------------ batches */

static bool ref_before(const struct fetch *f, uint32_t a, uint32_t b)
{
    const struct store_ref *x = &f->refs[a], *y = &f->refs[b];
    if (x->part != y->part)
        return x->part < y->part;
    return f->down ? x->row > y->row : x->row < y->row;
}

/* Heap sort: the order depends on f. */
static void sift(struct fetch *f, size_t i, size_t count)
{
    for (size_t child; (child = 2 * i + 1) < count; i = child) {
        if (child + 1 < count && ref_before(f, f->order[child], f->order[child + 1]))
            child++;
        if (!ref_before(f, f->order[i], f->order[child]))
            return;
        uint32_t swap = f->order[i];
        f->order[i] = f->order[child];
        f->order[child] = swap;
    }
}

static void sort(struct fetch *f)
{
    for (size_t i = 0; i < f->count; i++)
        f->order[i] = (uint32_t)i;
    for (size_t i = f->count / 2; i-- > 0;)
        sift(f, i, f->count);
    for (size_t left = f->count; left > 1; left--) {
        uint32_t swap = f->order[0];
        f->order[0] = f->order[left - 1];
        f->order[left - 1] = swap;
        sift(f, 0, left - 1);
    }
}

/* Cuts the order into rows of memory, which come first, and files. *ret_memory: how many are in memory. */
static void cut(struct fetch *f, size_t *ret_memory)
{
    uint32_t last = UINT32_MAX;
    *ret_memory = f->piece_count = 0;
    for (size_t o = 0; o < f->count; o++) {
        uint32_t part = f->refs[f->order[o]].part;
        if (part < f->pin->group_count) {
            *ret_memory = o + 1;
        } else if (part != last) {
            f->pieces[f->piece_count++] = (uint16_t)o;
            last = part;
        }
    }
    atomic_store(&f->next_piece, 0);
}

static void read_pieces(struct reader *r)
{
    struct fetch *f = r->f;
    for (size_t p; r->rc == 0 && (p = atomic_fetch_add(&f->next_piece, 1)) < f->piece_count;)
        r->rc = file_rows(r, f->pieces[p], p + 1 < f->piece_count ? f->pieces[p + 1] : f->count);
}

static void *run_reader(void *arg)
{
    read_pieces(arg);
    return NULL;
}

static size_t team_size(const struct fetch *f, size_t rows)
{
    size_t size = f->reader_count < f->piece_count ? f->reader_count : f->piece_count;
    return rows < TEAM_ROWS || size == 0 ? 1 : size;
}

/* The rows of files, by as many threads as there are to be had. */
static int read_files(struct fetch *f, size_t rows)
{
    size_t size = team_size(f, rows), started = 1;
    int rc = 0;
    while (started < size && pthread_create(&f->readers[started].thread, NULL, run_reader, &f->readers[started]) == 0)
        started++;
    read_pieces(&f->readers[0]);
    for (size_t i = 1; i < started; i++)
        pthread_join(f->readers[i].thread, NULL);
    for (size_t i = 0; i < started && rc == 0; i++)
        rc = f->readers[i].rc;
    return rc;
}

static int gather(struct fetch *f)
{
    size_t parts = f->pin->group_count + manifest_pin_count(f->pin->files), memory;
    int rc = 0;
    for (size_t i = 0; i < f->reader_count; i++)
        buf_reset(&f->readers[i].octets);
    memset(f->failed, 0, sizeof(f->failed));
    memset(f->reader, 0, sizeof(f->reader));
    for (size_t i = 0; i < f->count; i++)
        if (f->refs[i].part >= parts || f->refs[i].table >= RECORD_TABLES)
            return -EINVAL;
    sort(f);
    cut(f, &memory);
    for (size_t o = 0; o < memory && rc == 0; o++)
        rc = hot_row(&f->readers[0], f->order[o]);
    return rc != 0 ? rc : read_files(f, f->count - memory);
}

static int hand_out(struct fetch *f, size_t first, store_row_fn *row, void *arg)
{
    struct record_cell cells[RECORD_COLUMNS_MAX];
    for (size_t c = 0; c < RECORD_COLUMNS_MAX; c++)
        cells[c] = (struct record_cell){ .null = true };
    for (size_t i = 0; i < f->count; i++) {
        if (f->failed[i])
            continue;
        for (size_t k = 0; k < f->asked_count; k++) {
            const struct fetch_value *v = value_of(f, i, k);
            cells[f->asked[k]] = v->cell;
            if (v->at != IN_PLACE)
                cells[f->asked[k]].octets.ptr = f->readers[f->reader[i]].octets.ptr + v->at;
        }
        int rc = row(arg, first + i, &f->refs[i], cells);
        if (rc != 0)
            return rc;
    }
    return 0;
}

static int fetch_all(struct fetch *f, const struct store_ref *refs, size_t n, store_row_fn *row, void *arg,
                     struct errmsg *err)
{
    size_t batch = store_columns_has(f->columns, RECORD_COL_payload) ? BATCH_WIDE : BATCH;
    int rc = 0;
    for (size_t at = 0; at < n && rc == 0; at += f->count) {
        f->refs = refs + at;
        f->count = n - at < batch ? n - at : batch;
        f->down = refs[at].part == refs[n - 1].part ? refs[at].row > refs[n - 1].row : refs[at].ts > refs[n - 1].ts;
        rc = gather(f);
        if (rc == 0)
            rc = hand_out(f, at, row, arg);
        else
            (void)errmsg_set(err, "fetch: %s", strerror(-rc));
    }
    return rc;
}

static void open_readers(struct fetch *f)
{
    f->reader_count = f->lake->scan_threads < TEAM_MAX ? f->lake->scan_threads : TEAM_MAX;
    for (size_t i = 0; i < f->reader_count; i++) {
        f->readers[i].f = f;
        buf_init(&f->readers[i].octets, OCTETS_MAX / f->reader_count);
    }
}

static void close_readers(struct fetch *f, size_t *ret_failed, struct errmsg *err)
{
    for (size_t i = 0; i < f->reader_count; i++) {
        struct reader *r = &f->readers[i];
        *ret_failed += r->failed;
        if (r->err.text[0] != '\0')
            *err = r->err;
        close_files(r);
        buf_free(&r->octets);
    }
}

int lake_fetch(struct store *s, struct store_pin *pin, const struct store_ref *refs, size_t n,
               const struct store_columns *columns, store_row_fn *row, void *arg, size_t *ret_failed,
               struct errmsg *err)
{
    size_t ignored;
    struct fetch *f = calloc(1, sizeof(*f));
    if (ret_failed == NULL)
        ret_failed = &ignored;
    *ret_failed = 0;
    if (f == NULL)
        return -ENOMEM;
    f->lake = (struct lake *)s;
    f->pin = pin;
    f->columns = columns;
    f->cache_part = UINT32_MAX;
    open_readers(f);
    for (unsigned c = 0; c < RECORD_COLUMNS_MAX; c++)
        if (store_columns_has(columns, c))
            f->asked[f->asked_count++] = c;
    f->values = calloc((n < BATCH ? n + 1 : BATCH) * (f->asked_count + 1), sizeof(*f->values));
    int rc = f->values == NULL ? -ENOMEM : fetch_all(f, refs, n, row, arg, err);
    close_readers(f, ret_failed, err);
    group_cache_free(f->cache);
    free(f->values);
    free(f);
    return rc;
}
