/* docs/lake.md says what record_schema() says, and what a sealed file has. */
#include "fault_vfs.h"
#include "store/lake/columns.h"
#include "store/lake/internal.h"
#include "store/parquet/reader.h"
#include "test_lake_files.h"

struct line {
    char name[64], type[32], null[8], filter[8];
};

static struct line lines[RECORD_TABLES * RECORD_COLUMNS_MAX];

/* The rows of the table of columns below a heading; how many. */
static size_t section(const char *text, const char *heading, struct line *ret)
{
    char mark[80];
    size_t n = 0;
    (void)snprintf(mark, sizeof(mark), "\n## %s\n", heading);
    const char *at = strstr(text, mark);
    assert_non_null(at);
    const char *end = strstr(at + 1, "\n## ");
    for (at = strstr(at, "\n| `"); at != NULL && (end == NULL || at < end); at = strstr(at + 1, "\n| `")) {
        struct line *l = &ret[n++];
        *l = (struct line){ .null = "" };
        assert_true(sscanf(at, "\n| `%63[^`]` | %31[^|]", l->name, l->type) == 2);
        const char *cell = strchr(strchr(at + 3, '|') + 1, '|') + 1;
        (void)sscanf(cell, " %7[a-z] ", l->null);
        (void)sscanf(strchr(cell, '|') + 1, " %7[a-z] ", l->filter);
        while (l->type[strlen(l->type) - 1] == ' ')
            l->type[strlen(l->type) - 1] = '\0';
    }
    return n;
}

static const char *type_text(const struct pq_column *c)
{
    switch (c->logical) {
    case PQ_LOGICAL_TIMESTAMP_US:
        return "TIMESTAMP";
    case PQ_LOGICAL_INT64:
        return "INT64";
    case PQ_LOGICAL_UINT32:
        return "UINT32";
    case PQ_LOGICAL_DECIMAL_9_2:
        return "DECIMAL(9,2)";
    case PQ_LOGICAL_UINT64:
        return "UINT64";
    case PQ_LOGICAL_STRING:
        return "STRING";
    default:
        return c->type == PQ_FIXED && c->width == 16 ? "OCTETS(16)" : c->type == PQ_BYTE_ARRAY ? "OCTETS" : "?";
    }
}

static void check_columns(const struct pq_column *columns, size_t count, enum record_table table, size_t documented)
{
    const struct record_schema *s = record_schema(table);
    assert_int_equal(count, documented);
    assert_int_equal(count, s->count);
    for (size_t i = 0; i < count; i++) {
        assert_string_equal(columns[i].name, lines[i].name);
        assert_string_equal(s->columns[i].name, lines[i].name);
        assert_string_equal(type_text(&columns[i]), lines[i].type);
        assert_string_equal(columns[i].nullable ? "yes" : "", lines[i].null);
        assert_string_equal((s->columns[i].options & RECORD_BLOOM) != 0 ? "yes" : "", lines[i].filter);
    }
}

static size_t read_docs(const char *text, enum record_table table)
{
    size_t n = section(text, "Every table", lines);
    bool own = table == RECORD_SIP || (RECORD_TABLES_MESSAGES >> table & 1) == 0;
    return n + section(text, own ? record_schema(table)->name : "media, log, other", lines + n);
}

static void test_schema(void **state)
{
    (void)state;
    size_t len;
    char *text = read_file(TEST_DATA "/../docs/lake.md", &len);
    for (unsigned t = 0; t < RECORD_TABLES; t++) {
        struct pq_column columns[RECORD_COLUMNS_MAX];
        size_t n = lake_columns(t, columns), documented = read_docs(text, t);
        check_columns(columns, n, t, documented);
    }
    free(text);
}

static void test_flags(void **state)
{
    (void)state;
    size_t len;
    char *text = read_file(TEST_DATA "/../docs/lake.md", &len);
    for (unsigned bit = 0; bit < 32; bit++) {
        char mark[80];
        const char *name = record_flag_name(1u << bit);
        (void)snprintf(mark, sizeof(mark), "\n| %u | `%s` |", 1u << bit, name != NULL ? name : "");
        assert_true((strstr(text, mark) != NULL) == (name != NULL));
    }
    free(text);
}

/* Columns, filters and key-values of files as they are sealed. */
static void check_file(const char *text, const struct lake *lake, const struct manifest_file *f)
{
    static const char *const keys[] = { "schema", "table",  "source", "node",    "kind",    "epoch",    "epoch_files",
                                        "hour",   "min_ts", "max_ts", "min_seq", "max_seq", "positions" };
    struct pq_column columns[RECORD_COLUMNS_MAX];
    char full[VFS_PATH_MAX], mark[80];
    struct pq_slice v;
    struct pq_reader *r;
    bool maybe;
    assert_int_equal(vfs_join(full, lake->dir, f->path), 0);
    struct vfs_source source = { lake->vfs, vfs_open(lake->vfs, full, VFS_READ) };
    assert_int_equal(pq_reader_open(&r, &(struct pq_source){ source_read, &source, f->bytes }, NULL, NULL), PQ_OK);
    int table = record_table_by_name(f->path, (size_t)(strchr(f->path, '/') - f->path));
    size_t n = read_docs(text, (enum record_table)table);
    for (size_t i = 0; i < pq_reader_columns(r); i++) {
        columns[i] = *pq_reader_column(r, i);
        v = (struct pq_slice){ (const uint8_t *)"x", 1 };
        assert_int_equal(pq_reader_maybe(r, 0, i, v, &maybe), lines[i].filter[0] != '\0' ? PQ_OK : PQ_ERR_ABSENT);
    }
    check_columns(columns, pq_reader_columns(r), (enum record_table)table, n);
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        (void)snprintf(mark, sizeof(mark), "hepcat.%s", keys[i]);
        assert_int_equal(pq_reader_key_value(r, mark, &v), PQ_OK);
        (void)snprintf(mark, sizeof(mark), "`hepcat.%s`", keys[i]);
        assert_non_null(strstr(text, mark));
    }
    pq_reader_free(r);
    (void)vfs_close(lake->vfs, source.file);
}

static void test_sealed_files(void **state)
{
    (void)state;
    static struct row row;
    struct errmsg err;
    struct lake_start start;
    struct store *store;
    struct store_seal *seal;
    size_t len;
    char *text = read_file(TEST_DATA "/../docs/lake.md", &len);
    struct fault_fs *fs = fault_new(1);
    fault_capacity(fs, 16 << 20);
    const struct lake_options o = { .vfs = fault_vfs(fs), .data_dir = "/data", .no_threads = true };
    assert_int_equal(lake_open(&store, &o, &start, &err), 0);
    for (uint64_t i = 0; i < 4 * 10; i++) {
        row_make(&row, 1, (enum record_table)(i % RECORD_TABLES), i + 1, ROW_HOUR);
        assert_int_equal(store->ops->append(store, 0, &row.record), 0);
    }
    assert_int_equal(store->ops->seal_begin(store, &seal), 0);
    store->ops->seal_cut(store, seal, 0, &(struct wal_position){ 0, 2 });
    assert_int_equal(store->ops->seal_end(store, seal, 40, &err), 0);
    store->ops->seal_free(seal);
    struct manifest_pin *pin = manifest_pin(((struct lake *)store)->manifest);
    assert_int_equal(manifest_pin_count(pin), RECORD_TABLES);
    for (size_t i = 0; i < manifest_pin_count(pin); i++)
        check_file(text, (struct lake *)store, manifest_pin_file(pin, i));
    manifest_unpin(pin);
    store->ops->close(store);
    fault_free(fs);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_schema),
        cmocka_unit_test(test_flags),
        cmocka_unit_test(test_sealed_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
