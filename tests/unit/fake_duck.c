#include "fake_duck.h"

#include <stdlib.h>
#include <string.h>

#include "store/lake/columns.h"
#include "store/parquet/reader.h"

struct fake_duck fake_duck;

struct duck {
    int nothing;
};

static struct duck the_duck;

struct found {
    int64_t ts;
    uint64_t seq, file, row;
};

struct query {
    struct pq_reader *reader;
    enum record_table table;
    uint64_t row;
    int file, rc;
    struct found *found;
    size_t count, cap;
};

int duck_open(struct duck **ret, const struct duck_options *options, struct errmsg *err)
{
    (void)options;
    (void)err;
    *ret = &the_duck;
    return DUCK_OK;
}

void duck_close(struct duck *d)
{
    (void)d;
}

void duck_counters(struct duck *d, struct duck_counters *ret)
{
    (void)d;
    memset(ret, 0, sizeof(*ret));
}

static int read_at(void *ctx, uint64_t offset, void *to, size_t len)
{
    struct query *q = ctx;
    return vfs_read_at(fake_duck.vfs, q->file, to, len, offset) == (int64_t)len ? 0 : -1;
}

static void cell(void *arg, int column, struct record_cell *ret)
{
    struct query *q = arg;
    struct pq_slice v = { NULL, 0 };
    size_t group = 0, row = 0;
    *ret = (struct record_cell){ .null = true };
    if (column < 0)
        return;
    int rc = pq_reader_locate(q->reader, q->row, &group, &row);
    if (rc == PQ_OK)
        rc = pq_reader_value(q->reader, group, (size_t)column, row, &v);
    if (rc != PQ_OK)
        q->rc = rc;
    else
        lake_cell(record_schema(q->table)->columns[column].kind, v, ret);
}

static bool behind(const struct store_scan *s, int64_t ts, uint64_t seq)
{
    if ((s->beyond != NULL && store_seen_has(s->beyond, seq)) || (s->within != NULL && !store_seen_has(s->within, seq)))
        return false;
    if (!s->has_after)
        return true;
    if (ts != s->after_ts)
        return (ts > s->after_ts) == s->oldest_first;
    return seq != s->after_seq && (seq > s->after_seq) == s->oldest_first;
}

static void look(struct query *q, size_t file, bool counts)
{
    const struct store_scan *s = fake_duck.scan;
    struct record_cell ts, seq;
    cell(q, RECORD_COL_ts, &ts);
    cell(q, RECORD_COL_seq, &seq);
    if (ts.number < s->from_us || ts.number >= s->to_us)
        return;
    if (!counts && !behind(s, ts.number, (uint64_t)seq.number))
        return;
    if (s->filter != NULL && !filter_match(s->filter, q->table, cell, q))
        return;
    if (q->count == q->cap) {
        q->cap = q->cap > 0 ? 2 * q->cap : 64;
        q->found = realloc(q->found, q->cap * sizeof(*q->found));
        if (q->found == NULL)
            abort();
    }
    q->found[q->count++] = (struct found){ ts.number, (uint64_t)seq.number, file, q->row };
}

/* 0 or DUCK_ERR_SQL. */
static int look_at_file(struct query *q, const char *path, size_t file, bool counts)
{
    struct pq_source source = { read_at, q, 0 };
    q->file = vfs_open(fake_duck.vfs, path, VFS_READ);
    if (q->file < 0)
        return DUCK_ERR_SQL;
    source.size = (uint64_t)vfs_size(fake_duck.vfs, q->file);
    const char *lake = strstr(path, "/lake/") + 6;
    q->table = (enum record_table)record_table_by_name(lake, strcspn(lake, "/"));
    q->rc = pq_reader_open(&q->reader, &source, NULL, NULL);
    if (q->rc == PQ_OK) {
        for (q->row = 0; q->row < pq_reader_rows(q->reader) && q->rc == PQ_OK; q->row++)
            look(q, file, counts);
        pq_reader_free(q->reader);
    }
    (void)vfs_close(fake_duck.vfs, q->file);
    return q->rc == PQ_OK ? DUCK_OK : DUCK_ERR_SQL;
}

static int in_order(const void *a, const void *b)
{
    const struct found *x = a, *y = b;
    int way = fake_duck.scan->oldest_first ? 1 : -1;
    if (x->ts != y->ts)
        return x->ts < y->ts ? -way : way;
    return x->seq < y->seq ? -way : x->seq > y->seq ? way : 0;
}

static int give_counts(const struct query *q, size_t files, duck_row_fn *row, void *arg, size_t stop)
{
    for (size_t f = 0; f < files && f < stop; f++) {
        uint64_t n = 0;
        for (size_t i = 0; i < q->count; i++)
            n += q->found[i].file == f;
        struct duck_value cells[2] = { { .kind = DUCK_INT64, .number = (int64_t)f },
                                       { .kind = DUCK_INT64, .number = (int64_t)n } };
        if (n > 0 && row(arg, cells, 2) != 0) /* a group without rows is none */
            return DUCK_ERR_STOPPED;
    }
    return DUCK_OK;
}

static int give_rows(struct query *q, duck_row_fn *row, void *arg, size_t stop)
{
    if (q->count > 1)
        qsort(q->found, q->count, sizeof(*q->found), in_order);
    for (size_t i = 0; i < q->count && i < fake_duck.scan->limit && i < stop; i++) {
        const struct found *f = &q->found[i];
        struct duck_value cells[4] = { { .kind = DUCK_TIMESTAMP_US, .number = f->ts },
                                       { .kind = DUCK_INT64, .number = (int64_t)f->seq },
                                       { .kind = DUCK_INT64, .number = (int64_t)f->file },
                                       { .kind = DUCK_INT64, .number = (int64_t)f->row } };
        if (row(arg, cells, 4) != 0)
            return DUCK_ERR_STOPPED;
    }
    return DUCK_OK;
}

static int answer(const char *sql, const struct duck_value *values, duck_row_fn *row, void *arg, bool half)
{
    bool counts = strncmp(sql, "SELECT file_index", 17) == 0;
    struct query q = { .found = NULL };
    int rc = DUCK_OK;
    for (size_t f = 0; f < values[0].text_count && rc == DUCK_OK; f++)
        rc = look_at_file(&q, (const char *)values[0].texts[f].ptr, f, counts);
    size_t stop = half ? q.count / 2 : SIZE_MAX;
    if (rc == DUCK_OK)
        rc = counts ? give_counts(&q, values[0].text_count, row, arg, stop) : give_rows(&q, row, arg, stop);
    free(q.found);
    return rc;
}

int duck_query(struct duck *d, const char *sql, const struct duck_value *values, size_t count, uint64_t timeout_us,
               const atomic_bool *cancel, duck_row_fn *row, void *arg, struct duck_stats *stats, struct errmsg *err)
{
    (void)d;
    (void)count;
    (void)timeout_us;
    (void)cancel;
    (void)stats;
    fake_duck.queries++;
    fake_duck.files += (unsigned)values[0].text_count;
    bool fails = fake_duck.fail != 0 && fake_duck.fail_after-- == 0;
    int rc = fake_duck.dead ? DUCK_ERR_UNAVAILABLE : answer(sql, values, row, arg, fails);
    if (fails && rc == DUCK_OK) {
        rc = fake_duck.fail;
        fake_duck.fail = 0;
    }
    if (rc != DUCK_OK)
        (void)errmsg_set(err, "the worker says %d", rc);
    return rc;
}

int duck_query_script(struct duck *d, const struct duck_script *script, const char *sql, uint64_t timeout_us,
                      const atomic_bool *cancel, duck_row_fn *row, void *arg, struct duck_stats *stats,
                      struct errmsg *err)
{
    (void)d;
    (void)script;
    (void)sql;
    (void)timeout_us;
    (void)cancel;
    (void)row;
    (void)arg;
    (void)stats;
    (void)errmsg_set(err, "the stand-in has no SQL");
    return DUCK_ERR_UNAVAILABLE;
}
