/*
 * Seals a real lake and writes down what is in it: lake_sample WORK_DIR. Makes WORK_DIR/data/lake, and for each table
 * WORK_DIR/<table>.jsonl, whose first line is {"file": path, "columns": [{"name", "kind"}]}, then one array a row, in
 * the order of the file. Integers are strings, octets are hex. check_lake.mjs holds other readers against both.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "store/lake/internal.h"
#include "test_lake_util.h"

#define ROWS 3000u /* of each table */
#define SEED 20

static const char *kind_text(enum record_kind kind)
{
    switch (kind) {
    case RECORD_TIME:
        return "time";
    case RECORD_TEXT:
    case RECORD_IP:
        return "text";
    case RECORD_ADDR:
    case RECORD_BYTES:
        return "octets";
    default:
        return "int";
    }
}

static void print_cell(FILE *out, enum record_kind kind, const struct record_cell *cell)
{
    if (cell->null) {
        fputs("null", out);
    } else if (record_kind_is_number(kind)) {
        fprintf(out, kind == RECORD_UID ? "\"%" PRIu64 "\"" : "\"%" PRId64 "\"", cell->number);
    } else {
        bool text = kind == RECORD_TEXT || kind == RECORD_IP;
        fputc('"', out);
        for (size_t i = 0; i < cell->octets.len; i++)
            fprintf(out, text ? "%c" : "%02X", cell->octets.ptr[i]);
        fputc('"', out);
    }
}

static void print_row(FILE *out, const struct record *r)
{
    const struct record_schema *s = record_schema(r->table);
    uint8_t octets[RECORD_TEXT_MAX + 8];
    struct record_cell cell;
    for (size_t c = 0; c < s->count; c++) {
        fputc(c == 0 ? '[' : ',', out);
        row_cell(r, c, &cell, octets);
        print_cell(out, s->columns[c].kind, &cell);
    }
    fputs("]\n", out);
}

static void print_head(FILE *out, enum record_table table, const char *path)
{
    const struct record_schema *s = record_schema(table);
    fprintf(out, "{\"file\":\"data/lake/%s\",\"columns\":[", path);
    for (size_t c = 0; c < s->count; c++)
        fprintf(out, "%s{\"name\":\"%s\",\"kind\":\"%s\"}", c > 0 ? "," : "", s->columns[c].name,
                kind_text(s->columns[c].kind));
    fputs("]}\n", out);
}

static int describe(const char *dir, const struct lake *lake, enum record_table table)
{
    static struct row row;
    char path[VFS_PATH_MAX];
    size_t first;
    struct manifest_pin *pin = manifest_pin(lake->manifest);
    size_t files = manifest_pin_table(pin, record_schema(table)->name, &first);
    (void)snprintf(path, sizeof(path), "%s/%s.jsonl", dir, record_schema(table)->name);
    FILE *out = files == 1 ? fopen(path, "wb") : NULL;
    if (out != NULL) {
        print_head(out, table, manifest_pin_file(pin, first)->path);
        for (uint64_t i = 0; i < ROWS; i++) {
            row_make(&row, SEED, table, i * RECORD_TABLES + table + 1, ROW_HOUR);
            print_row(out, &row.record);
        }
    }
    manifest_unpin(pin);
    return out != NULL ? fclose(out) : -1;
}

static int fill(struct store *store)
{
    static struct row row;
    struct store_seal *seal;
    struct errmsg err;
    int rc = 0;
    for (uint64_t seq = 1; seq <= (uint64_t)ROWS * RECORD_TABLES && rc == 0; seq++) {
        row_make(&row, SEED, (enum record_table)((seq - 1) % RECORD_TABLES), seq, ROW_HOUR);
        rc = store->ops->append(store, 0, &row.record);
    }
    if (rc == 0)
        rc = store->ops->seal_begin(store, &seal);
    if (rc != 0)
        return rc;
    store->ops->seal_cut(store, seal, 0, &(struct wal_position){ 0, 2 });
    rc = store->ops->seal_end(store, seal, ROWS * RECORD_TABLES, &err);
    store->ops->seal_free(seal);
    return rc;
}

int main(int argc, char **argv)
{
    char data[VFS_PATH_MAX];
    struct lake_start start;
    struct errmsg err;
    struct store *store;
    if (argc != 2)
        return 2;
    (void)snprintf(data, sizeof(data), "%s/data", argv[1]);
    const struct lake_options o = { .data_dir = data, .node = 7 };
    if (lake_open(&store, &o, &start, &err) != 0) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    int rc = fill(store);
    for (unsigned t = 0; t < RECORD_TABLES && rc == 0; t++)
        rc = describe(argv[1], (struct lake *)store, t);
    store->ops->close(store);
    return rc == 0 ? 0 : 1;
}
