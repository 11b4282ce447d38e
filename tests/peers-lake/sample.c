/*
 * Writes a Parquet file with every type, encoding and way of feeding the writer, and what it holds as JSON lines:
 * parquet_sample OUT.parquet OUT.jsonl. check.mjs holds other readers against both.
 *
 * First line: {"columns": [{"name", "kind", "stats", "bloom"}], "groups": [rows...]}; then one array a row. Integers
 * are strings (64 bits do not fit a JSON number), octets are hex.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "test_parquet_model.h"

#define GROUPS 3
#define ROWS   9000u /* of a row group: more than two pages */

static int file_write(void *ctx, const void *octets, size_t len)
{
    return fwrite(octets, 1, len, ctx) == len ? 0 : -1;
}

static struct pq_slice text(struct model *m, const char *before, unsigned n, const char *after)
{
    char out[200];
    (void)snprintf(out, sizeof(out), "%s%u%s", before, n, after);
    return model_cell(m, out, strlen(out));
}

static struct pq_slice number(struct model *m, int64_t n, size_t width)
{
    return model_cell(m, &n, width); /* little-endian: the low octets */
}

static struct pq_slice payload(struct model *m, size_t row)
{
    uint8_t octets[700];
    size_t len = prng_below(&m->seed, sizeof(octets));
    prng_fill(&m->seed, octets, len / 2);
    memset(octets + len / 2, (int)(row % 251), len - len / 2);
    return row % 100 == 0 ? model_cell(m, octets, 0) : model_cell(m, octets, len);
}

static struct pq_slice cell(struct model *m, size_t column, size_t row)
{
    static const char *const methods[] = { "INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "REGISTER" };
    unsigned n = (unsigned)row;
    double d = (double)(int)(n % 1000) / 16 - 20;
    uint8_t address[16] = { 0x20, 0x01, 0x0d, 0xb8, [14] = (uint8_t)(n % 7), [15] = (uint8_t)n };
    switch (column) {
    case 0:
        return number(m, INT64_C(1700000000123456) + (int64_t)row * 1009, 8);
    case 1:
        return number(m, (int64_t)row - 5, 8);
    case 2:
        return text(m, "call-", n / 7, "@192.0.2.1");
    case 3:
        return model_cell(m, methods[n % 6], strlen(methods[n % 6]));
    case 4:
        return n % 3 == 0 ? (struct pq_slice){ NULL, 0 } : number(m, 100 + n % 600, 4);
    case 5:
        return number(m, n % 2, 1);
    case 6:
        return n % 11 == 0 ? (struct pq_slice){ NULL, 0 } : model_cell(m, &d, 8);
    case 7:
        return model_cell(m, address, sizeof(address));
    case 8:
        return n % 5 == 0 ? (struct pq_slice){ NULL, 0 }
                          : text(m,
                                 "Gr\u00fc\u00dfe \u65e5\u672c \U0001f600, a text that is longer than the octets of a "
                                 "bound \U0001f600 ",
                                 n, "");
    case 9:
        return number(m, (int64_t)(UINT32_MAX - n % 10), 4);
    case 10:
        return number(m, -(int64_t)row, 8); /* as unsigned: beyond 2^63 */
    case 11:
        return (struct pq_slice){ NULL, 0 };
    case 12: /* differences that wrap, long runs of NULLs */
        return n % 1000 < 500 ? (struct pq_slice){ NULL, 0 }
                              : number(m, n % 3 == 0 ? INT32_MIN + (int64_t)n : INT32_MAX - (int64_t)n, 4);
    case 13:
        return number(m, -42, 4);
    case 14:
        return number(m, (int64_t)(n % 200) - 100, 4);
    case 15:
        return number(m, n % 65536, 4);
    default:
        return payload(m, row);
    }
}

#define ZSTD .codec = PQ_CODEC_ZSTD, .level = 1

static const struct {
    struct pq_column column;
    enum pq_data_kind kind;
    const char *name; /* of the kind in the JSON */
} table[] = {
    { { "ts", PQ_INT64, PQ_LOGICAL_TIMESTAMP_US, .delta = true, .stats = true, ZSTD }, PQ_DATA_FLAT, "time" },
    { { "seq", PQ_INT64, PQ_LOGICAL_INT64, .delta = true, .stats = true, ZSTD }, PQ_DATA_FLAT, "int" },
    { { "call_id", PQ_BYTE_ARRAY, PQ_LOGICAL_STRING, .stats = true, .bloom = true, .dictionary = true, ZSTD },
      PQ_DATA_CODES,
      "text" },
    { { "method", PQ_BYTE_ARRAY, PQ_LOGICAL_STRING, .stats = true, .bloom = true, .dictionary = true, ZSTD },
      PQ_DATA_FLAT,
      "text" },
    { { "status", PQ_INT32, PQ_LOGICAL_UINT16, .nullable = true, .stats = true, .dictionary = true, ZSTD },
      PQ_DATA_FLAT,
      "int" },
    { { "flag", PQ_BOOLEAN, .stats = true, ZSTD }, PQ_DATA_FLAT, "bool" },
    { { "mos", PQ_DOUBLE, .nullable = true, .stats = true, ZSTD }, PQ_DATA_FLAT, "double" },
    { { "address", PQ_FIXED, .width = 16, .stats = true, .dictionary = true, ZSTD }, PQ_DATA_FLAT, "octets" },
    { { "long_text", PQ_BYTE_ARRAY, PQ_LOGICAL_STRING, .nullable = true, .stats = true, .bloom = true, ZSTD },
      PQ_DATA_FLAT,
      "text" },
    { { "u32", PQ_INT32, PQ_LOGICAL_UINT32, .delta = true, .stats = true, .codec = PQ_CODEC_NONE },
      PQ_DATA_FLAT,
      "int" },
    { { "u64", PQ_INT64, PQ_LOGICAL_UINT64, .delta = true, .stats = true, ZSTD }, PQ_DATA_FLAT, "int" },
    { { "nothing", PQ_BYTE_ARRAY, PQ_LOGICAL_STRING, .nullable = true, .stats = true, .dictionary = true, ZSTD },
      PQ_DATA_NULLS,
      "text" },
    { { "steps", PQ_INT32, PQ_LOGICAL_INT32, .nullable = true, .delta = true, .stats = true, ZSTD },
      PQ_DATA_FLAT,
      "int" },
    { { "same", PQ_INT32, PQ_LOGICAL_INT32, .dictionary = true, .stats = true, ZSTD }, PQ_DATA_FLAT, "int" },
    { { "i8", PQ_INT32, PQ_LOGICAL_INT8, .stats = true, .dictionary = true, ZSTD }, PQ_DATA_CODES, "int" },
    { { "u16", PQ_INT32, PQ_LOGICAL_UINT16, .stats = true, .bloom = true, ZSTD }, PQ_DATA_FLAT, "int" },
    { { "payload", PQ_BYTE_ARRAY, ZSTD }, PQ_DATA_PAGES, "octets" },
};
#define COLUMNS (sizeof(table) / sizeof(table[0]))

static void print_octets(FILE *out, struct pq_slice v)
{
    fputc('"', out);
    for (size_t i = 0; i < v.len; i++)
        fprintf(out, "%02X", v.ptr[i]);
    fputc('"', out);
}

static void print_cell(FILE *out, size_t column, struct pq_slice v)
{
    const struct pq_column *c = &table[column].column;
    if (v.ptr == NULL)
        fputs("null", out);
    else if (c->type == PQ_BOOLEAN)
        fputs(v.ptr[0] != 0 ? "true" : "false", out);
    else if (c->type == PQ_DOUBLE)
        fprintf(out, "%.17g", pq_as_double(v));
    else if (c->logical == PQ_LOGICAL_STRING)
        fprintf(out, "\"%.*s\"", (int)v.len, (const char *)v.ptr);
    else if (c->type == PQ_INT32)
        fprintf(out, "\"%" PRId64 "\"",
                c->logical >= PQ_LOGICAL_UINT8 ? (int64_t)(uint32_t)pq_as_int32(v) : (int64_t)pq_as_int32(v));
    else if (c->logical == PQ_LOGICAL_UINT64)
        fprintf(out, "\"%" PRIu64 "\"", (uint64_t)pq_as_int64(v));
    else if (c->type == PQ_INT64)
        fprintf(out, "\"%" PRId64 "\"", pq_as_int64(v));
    else
        print_octets(out, v);
}

static void print_table(FILE *out, const struct model *m)
{
    fputs("{\"columns\":[", out);
    for (size_t c = 0; c < COLUMNS; c++)
        fprintf(out, "%s{\"name\":\"%s\",\"kind\":\"%s\",\"stats\":%s,\"bloom\":%s}", c > 0 ? "," : "",
                table[c].column.name, table[c].name, table[c].column.stats ? "true" : "false",
                table[c].column.bloom ? "true" : "false");
    fprintf(out, "],\"groups\":[%u,%u,%u]}\n", ROWS, ROWS, ROWS);
    for (size_t row = 0; row < m->rows; row++) {
        for (size_t c = 0; c < COLUMNS; c++) {
            fputc(c == 0 ? '[' : ',', out);
            print_cell(out, c, m->cells[c][row]);
        }
        fputs("]\n", out);
    }
}

int main(int argc, char **argv)
{
    struct model m;
    struct memory_file f = { .data = NULL };
    if (argc != 3) {
        fputs("usage: parquet_sample OUT.parquet OUT.jsonl\n", stderr);
        return 2;
    }
    FILE *parquet = fopen(argv[1], "wb"), *json = fopen(argv[2], "wb");
    if (parquet == NULL || json == NULL) {
        fprintf(stderr, "cannot write: %s\n", strerror(errno));
        return 1;
    }
    model_init(&m, 42);
    m.groups = GROUPS;
    m.rows = (size_t)GROUPS * ROWS;
    m.options.sorting = &(struct pq_sorting){ 0, false };
    m.options.sorting_count = 1;
    for (size_t g = 0; g < GROUPS; g++)
        m.group_rows[g] = ROWS;
    for (size_t c = 0; c < COLUMNS; c++) {
        struct pq_slice *cells = model_column(&m, table[c].column, table[c].kind);
        for (size_t row = 0; row < m.rows; row++)
            cells[row] = cell(&m, c, row);
    }
    int rc = model_write(&m, &f);
    if (rc == PQ_OK && file_write(parquet, f.data, f.len) != 0)
        rc = PQ_ERR_SINK;
    print_table(json, &m);
    if (fclose(parquet) != 0 || fclose(json) != 0)
        rc = PQ_ERR_SINK;
    if (rc != PQ_OK)
        fprintf(stderr, "%s\n", pq_error_text(rc));
    free(f.data);
    model_free(&m);
    return rc == PQ_OK ? 0 : 1;
}
