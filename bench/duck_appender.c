/*
 * The baseline of bench/ingest.py: what DuckDB's own appender takes to put parsed SIP messages into a table, so that
 * the figures of our writer stand beside it in the same run. Not a part of the product.
 *
 *     duck_appender LIBDUCKDB FILE [COUNT]
 *
 * FILE holds HEP frames. Prints: rows, CPU ns a row of parsing alone, CPU ns a row of appending and the checkpoint.
 */
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "record/reader.h"

typedef int (*open_fn)(const char *path, void **ret);
typedef int (*connect_fn)(void *db, void **ret);
typedef int (*query_fn)(void *con, const char *sql, void *result);
typedef int (*create_fn)(void *con, const char *schema, const char *table, void **ret);
typedef int (*append_text_fn)(void *app, const char *text, uint64_t len);
typedef int (*append_blob_fn)(void *app, const void *data, uint64_t len);
typedef int (*append_int_fn)(void *app, int64_t v);
typedef int (*app_fn)(void *app);
typedef int (*close_fn)(void **app);

struct duck {
    open_fn open;
    connect_fn connect;
    query_fn query;
    create_fn create;
    append_text_fn text;
    append_blob_fn blob;
    append_int_fn int64;
    app_fn null, end_row;
    close_fn destroy;
};

static void *symbol(void *lib, const char *name)
{
    void *p = dlsym(lib, name);
    if (p == NULL) {
        (void)fprintf(stderr, "duck_appender: no %s\n", name);
        exit(1);
    }
    return p;
}

static struct duck load(const char *path)
{
    void *lib = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    struct duck d = { 0 };
    if (lib == NULL) {
        (void)fprintf(stderr, "duck_appender: %s\n", dlerror());
        exit(1);
    }
    *(void **)&d.open = symbol(lib, "duckdb_open");
    *(void **)&d.connect = symbol(lib, "duckdb_connect");
    *(void **)&d.query = symbol(lib, "duckdb_query");
    *(void **)&d.create = symbol(lib, "duckdb_appender_create");
    *(void **)&d.text = symbol(lib, "duckdb_append_varchar_length");
    *(void **)&d.blob = symbol(lib, "duckdb_append_blob");
    *(void **)&d.int64 = symbol(lib, "duckdb_append_int64");
    *(void **)&d.null = symbol(lib, "duckdb_append_null");
    *(void **)&d.end_row = symbol(lib, "duckdb_appender_end_row");
    *(void **)&d.destroy = symbol(lib, "duckdb_appender_destroy");
    return d;
}

static uint64_t cpu_ns(void)
{
    struct timespec ts;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
    return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static void append_cell(const struct duck *d, void *app, const struct record_column *c, const struct record *r)
{
    const char *at = (const char *)r + c->offset;
    const struct hep_slice *s = (const void *)at;
    const struct hep_addr *a = (const void *)at;
    switch (c->kind) {
    case RECORD_TIME:
    case RECORD_SEQ:
    case RECORD_OPTIONAL:
    case RECORD_DECIMAL:
    case RECORD_UID:
        (void)d->int64(app, *(const int64_t *)at);
        break;
    case RECORD_NUMBER:
        (void)d->int64(app, *(const uint32_t *)at);
        break;
    case RECORD_IP:
    case RECORD_ADDR:
        (void)d->blob(app, a->octets, a->len);
        break;
    case RECORD_TEXT:
        if (s->len == 0)
            (void)d->null(app);
        else
            (void)d->text(app, (const char *)s->ptr, s->len);
        break;
    case RECORD_BYTES:
        (void)d->blob(app, s->ptr, s->len);
        break;
    }
}

static void create_table(const struct duck *d, void *con)
{
    static const char *const types[] = {
        [RECORD_TIME] = "BIGINT",    [RECORD_SEQ] = "BIGINT",    [RECORD_OPTIONAL] = "BIGINT", [RECORD_UID] = "BIGINT",
        [RECORD_DECIMAL] = "BIGINT", [RECORD_NUMBER] = "BIGINT", [RECORD_IP] = "BLOB",         [RECORD_ADDR] = "BLOB",
        [RECORD_TEXT] = "VARCHAR",   [RECORD_BYTES] = "BLOB",
    };
    const struct record_schema *s = record_schema(RECORD_SIP);
    char sql[8192];
    size_t len = (size_t)snprintf(sql, sizeof(sql), "CREATE TABLE sip (");
    for (size_t i = 0; i < s->count; i++)
        len += (size_t)snprintf(sql + len, sizeof(sql) - len, "%s\"%s\" %s", i == 0 ? "" : ", ", s->columns[i].name,
                                types[s->columns[i].kind]);
    (void)snprintf(sql + len, sizeof(sql) - len, ")");
    if (d->query(con, sql, NULL) != 0)
        exit(1);
}

static uint64_t pass(const uint8_t *data, size_t len, uint64_t count, const struct duck *d, void *app)
{
    const struct record_schema *schema = record_schema(RECORD_SIP);
    const struct record_options options = { 0 };
    struct record_reader *reader = record_reader_new(&options);
    uint64_t rows = 0;
    for (size_t at = 0; at + 6 <= len && rows < count;) {
        size_t size = (size_t)data[at + 4] << 8 | data[at + 5];
        struct sink_frame f = { .data = data + at, .len = size, .received_us = INT64_C(1700000000000000) };
        struct hep_msg msg;
        struct record r;
        at += size;
        if (record_read_hep(reader, &f, &msg) != HEP_OK)
            continue;
        record_make(reader, &f, &msg, &r);
        for (size_t i = 0; app != NULL && i < schema->count; i++)
            append_cell(d, app, &schema->columns[i], &r);
        if (app != NULL)
            (void)d->end_row(app);
        rows++;
    }
    record_reader_free(reader);
    return rows;
}

int main(int argc, char **argv)
{
    if (argc < 3)
        return 2;
    struct duck d = load(argv[1]);
    uint64_t count = argc > 3 ? strtoull(argv[3], NULL, 10) : 200000;
    FILE *f = fopen(argv[2], "rb");
    if (f == NULL)
        return 1;
    size_t cap = (size_t)1 << 30;
    uint8_t *data = malloc(cap);
    size_t len = data == NULL ? 0 : fread(data, 1, cap, f);
    (void)fclose(f);
    char path[] = "/tmp/duck_appender.XXXXXX";
    if (mkdtemp(path) == NULL)
        return 1;
    char file[64];
    (void)snprintf(file, sizeof(file), "%s/db", path);
    void *db, *con, *app;
    if (d.open(file, &db) != 0 || d.connect(db, &con) != 0)
        return 1;
    create_table(&d, con);
    uint64_t t0 = cpu_ns();
    uint64_t rows = pass(data, len, count, &d, NULL);
    uint64_t t1 = cpu_ns();
    if (d.create(con, NULL, "sip", &app) != 0)
        return 1;
    (void)pass(data, len, count, &d, app);
    if (d.destroy(&app) != 0 || d.query(con, "CHECKPOINT", NULL) != 0)
        return 1;
    uint64_t t2 = cpu_ns();
    printf("%llu %.0f %.0f\n", (unsigned long long)rows, (double)(t1 - t0) / (double)rows,
           (double)((t2 - t1) - (t1 - t0)) / (double)rows);
    (void)remove(file);
    (void)remove(path);
    free(data);
    return 0;
}
