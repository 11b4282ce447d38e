/* What a lake holds, seen through a pin: every row with all its cells against the row it was made from. */
#ifndef TEST_LAKE_FILES_H
#define TEST_LAKE_FILES_H

#include "fault_vfs.h"
#include "store/lake/columns.h"
#include "store/lake/internal.h"
#include "store/parquet/reader.h"
#include "test_lake_util.h"

#define FILES_SEQ_MAX 100000u

struct seen {
    uint64_t seed;
    uint32_t hour; /* of every row */
    bool cells;    /* compare all cells, not only sequence numbers */
    uint8_t times[FILES_SEQ_MAX];
    size_t rows, hot;
    struct row row;
};

struct vfs_source {
    const struct vfs *vfs;
    int file;
};

static inline int source_read(void *ctx, uint64_t offset, void *to, size_t len)
{
    const struct vfs_source *s = ctx;
    return vfs_read_at(s->vfs, s->file, to, len, offset) == (int64_t)len ? 0 : -1;
}

static inline void see(struct seen *s, uint64_t seq)
{
    assert_true(seq < FILES_SEQ_MAX);
    s->times[seq]++;
    s->rows++;
}

static inline void see_file_row(struct seen *s, struct pq_reader *r, enum record_table table, uint64_t n)
{
    size_t group, row;
    struct pq_slice v;
    struct record_cell cell;
    assert_int_equal(pq_reader_locate(r, n, &group, &row), PQ_OK);
    assert_int_equal(pq_reader_value(r, group, RECORD_COL_seq, row, &v), PQ_OK);
    uint64_t seq = (uint64_t)pq_as_int64(v);
    see(s, seq);
    if (!s->cells)
        return;
    row_make(&s->row, s->seed, table, seq, s->hour);
    for (size_t c = 0; c < record_schema(table)->count; c++) {
        assert_int_equal(pq_reader_value(r, group, c, row, &v), PQ_OK);
        lake_cell(record_schema(table)->columns[c].kind, v, &cell);
        row_same_cell(&s->row.record, c, &cell);
    }
}

static inline void see_file(struct seen *s, const struct lake *lake, const struct manifest_file *f)
{
    char full[VFS_PATH_MAX], text[256];
    assert_int_equal(f->state, MANIFEST_FILE_OK);
    assert_int_equal(vfs_join(full, lake->dir, f->path), 0);
    struct vfs_source source = { lake->vfs, vfs_open(lake->vfs, full, VFS_READ) };
    assert_true(source.file >= 0);
    assert_int_equal(vfs_size(lake->vfs, source.file), f->bytes);
    struct pq_reader *r = NULL;
    if (pq_reader_open(&r, &(struct pq_source){ source_read, &source, f->bytes }, NULL, text) != PQ_OK)
        fail_msg("%s: %s", f->path, text);
    if (pq_reader_verify(r) != PQ_OK)
        fail_msg("%s: %s", f->path, pq_reader_error(r));
    assert_int_equal(pq_reader_rows(r), f->rows);
    int table = record_table_by_name(f->path, (size_t)(strchr(f->path, '/') - f->path));
    assert_true(table >= 0);
    assert_int_equal(pq_reader_columns(r), record_schema((enum record_table)table)->count);
    for (uint64_t n = 0; n < f->rows; n++)
        see_file_row(s, r, (enum record_table)table, n);
    pq_reader_free(r);
    (void)vfs_close(lake->vfs, source.file);
}

/* Counts every row of a pin by its number. */
static inline void see_pin(struct seen *s, const struct store_pin *pin)
{
    struct group_scratch scratch;
    struct record_cell cell;
    memset(s->times, 0, sizeof(s->times));
    s->rows = s->hot = 0;
    for (size_t g = 0; g < pin->group_count; g++)
        for (size_t n = 0; n < pin->rows[g]; n++) {
            group_cell(pin->groups[g], RECORD_COL_seq, n, &cell, &scratch);
            see(s, (uint64_t)cell.number);
            s->hot++;
        }
    for (size_t i = 0; i < manifest_pin_count(pin->files); i++)
        see_file(s, pin->lake, manifest_pin_file(pin->files, i));
}

/* Rows first .. last are there once each, and no others. */
static inline void assert_rows(struct store *store, struct seen *s, uint64_t first, uint64_t last)
{
    struct store_pin *pin;
    assert_int_equal(store->ops->pin(store, &pin), 0);
    see_pin(s, pin);
    store->ops->unpin(store, pin);
    for (uint64_t seq = 0; seq < FILES_SEQ_MAX; seq++)
        if (s->times[seq] != (seq >= first && seq <= last))
            fail_msg("row %llu is there %u times", (unsigned long long)seq, s->times[seq]);
}

#endif
