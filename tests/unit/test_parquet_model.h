/* A table in memory that the tests write with the Parquet writer and compare with what readers say. */
#ifndef TEST_PARQUET_MODEL_H
#define TEST_PARQUET_MODEL_H

#include <stdlib.h>
#include <string.h>

#include "prng.h"
#include "store/parquet/arena.h"
#include "store/parquet/dict.h"
#include "store/parquet/encode.h"
#include "store/parquet/reader.h"
#include "store/parquet/writer.h"
#include "store/parquet/zip.h"

#define MODEL_COLUMNS 24

struct model {
    struct pq_column columns[MODEL_COLUMNS];
    enum pq_data_kind kinds[MODEL_COLUMNS]; /* how the writer is fed */
    size_t column_count;
    size_t group_rows[8];
    size_t groups;
    size_t rows;
    struct pq_slice *cells[MODEL_COLUMNS]; /* rows each; ptr NULL is a NULL */
    struct pq_writer_options options;
    struct pq_arena arena;
    struct pq_zip *zip;
    uint64_t seed;
};

/* The file: sink and source in memory. */
struct memory_file {
    uint8_t *data;
    size_t len, cap;
    size_t refuse_after; /* octets; 0: never */
};

static inline int memory_write(void *ctx, const void *octets, size_t len)
{
    struct memory_file *f = ctx;
    if (f->refuse_after != 0 && f->len + len > f->refuse_after)
        return -1;
    if (f->len + len > f->cap) {
        size_t cap = (f->len + len) * 2;
        uint8_t *grown = realloc(f->data, cap);
        if (grown == NULL)
            return -1;
        f->data = grown;
        f->cap = cap;
    }
    memcpy(f->data + f->len, octets, len);
    f->len += len;
    return 0;
}

static inline int memory_read(void *ctx, uint64_t offset, void *to, size_t len)
{
    struct memory_file *f = ctx;
    if (offset > f->len || len > f->len - offset)
        return -1;
    memcpy(to, f->data + offset, len);
    return 0;
}

static inline void model_init(struct model *m, uint64_t seed)
{
    memset(m, 0, sizeof(*m));
    pq_arena_init(&m->arena, (size_t)1 << 30);
    m->zip = pq_zip_new();
    m->seed = seed;
}

static inline void model_free(struct model *m)
{
    pq_arena_free(&m->arena);
    pq_zip_free(m->zip);
}

static inline struct pq_slice model_cell(struct model *m, const void *p, size_t len)
{
    struct pq_slice ret = { NULL, 0 };
    struct pq_slice from = { p, len };
    if (!pq_arena_copy(&m->arena, from, &ret))
        abort();
    return ret;
}

/* Adds a column; its cells are set by the caller. */
static inline struct pq_slice *model_column(struct model *m, struct pq_column c, enum pq_data_kind kind)
{
    size_t i = m->column_count++;
    m->columns[i] = c;
    m->kinds[i] = kind;
    m->cells[i] = pq_arena_array(&m->arena, m->rows + 1, sizeof(struct pq_slice));
    return m->cells[i];
}

/* ---- feeding the writer ---- */

static inline void model_values(struct model *m, const struct pq_column *c, const struct pq_slice *cells, size_t rows,
                                struct pq_segment *s)
{
    size_t width = pq_column_width(c), total = 0, at = 0;
    for (size_t i = 0; i < rows; i++)
        total += cells[i].len;
    uint8_t *bytes = pq_arena_alloc(&m->arena, width > 0 ? rows * width + 1 : total + 1);
    uint32_t *offsets = pq_arena_array(&m->arena, rows + 1, sizeof(*offsets));
    for (size_t i = 0; i < rows; i++) {
        uint8_t *to = width > 0 ? bytes + i * width : bytes + at;
        if (cells[i].len > 0)
            memcpy(to, cells[i].ptr, cells[i].len);
        at += cells[i].len;
        offsets[i + 1] = (uint32_t)at;
    }
    s->values = s->bytes = bytes;
    s->offsets = offsets;
}

static inline void model_validity(struct model *m, const struct pq_slice *cells, size_t rows, struct pq_segment *s)
{
    uint8_t *bits = pq_arena_alloc(&m->arena, rows / 8 + 1);
    bool any = false;
    for (size_t i = 0; i < rows; i++)
        if (cells[i].ptr != NULL)
            bits[i / 8] |= (uint8_t)(1u << (i % 8));
        else
            any = true;
    s->validity = any || prng_below(&m->seed, 2) == 0 ? bits : NULL;
}

static inline void model_codes(struct model *m, const struct pq_slice *cells, size_t rows, struct pq_dict *d,
                               struct pq_segment *s)
{
    uint32_t *codes = pq_arena_array(&m->arena, rows + 1, sizeof(*codes));
    for (size_t i = 0; i < rows; i++) {
        codes[i] = PQ_NULL_CODE;
        if (cells[i].ptr != NULL && pq_dict_code(d, cells[i], &codes[i]) != PQ_OK)
            abort();
    }
    s->codes = codes;
}

static inline size_t model_piece(struct model *m, size_t left)
{
    return prng_below(&m->seed, 3) == 0 ? left : prng_below(&m->seed, left + 1);
}

static inline void model_segments(struct model *m, size_t column, const struct pq_slice *cells, size_t rows,
                                  struct pq_data *data)
{
    struct pq_segment *segments = pq_arena_array(&m->arena, 8, sizeof(*segments));
    struct pq_segment *dictionary = pq_arena_array(&m->arena, 2, sizeof(*dictionary));
    const struct pq_column *c = &m->columns[column];
    struct pq_dict d = { .entries = NULL };
    for (size_t at = 0, n = 0; n < 8; n++) {
        size_t piece = n == 7 ? rows - at : model_piece(m, rows - at);
        segments[n].rows = piece;
        if (data->kind == PQ_DATA_CODES)
            model_codes(m, cells + at, piece, &d, &segments[n]);
        else if (data->kind == PQ_DATA_FLAT) {
            model_values(m, c, cells + at, piece, &segments[n]);
            model_validity(m, cells + at, piece, &segments[n]);
        }
        at += piece;
    }
    data->segments = segments;
    data->segment_count = 8;
    if (data->kind == PQ_DATA_CODES) {
        size_t half = d.count / 2;
        dictionary[0].rows = half;
        dictionary[1].rows = d.count - half;
        model_values(m, c, d.entries, half, &dictionary[0]);
        if (prng_below(&m->seed, 2) == 0) {
            model_values(m, c, d.entries + half, d.count - half, &dictionary[1]);
        } else { /* one by one */
            struct pq_slice *slices = pq_arena_array(&m->arena, d.count - half + 1, sizeof(*slices));
            for (size_t i = half; i < d.count; i++)
                slices[i - half] = d.entries[i];
            dictionary[1].slices = slices;
        }
        data->dictionary = dictionary;
        data->dictionary_count = 2;
    }
    pq_dict_free(&d);
}

static inline void model_pages(struct model *m, size_t column, const struct pq_slice *cells, size_t rows,
                               struct pq_data *data)
{
    const struct pq_column *c = &m->columns[column];
    struct pq_ready_page *pages = pq_arena_array(&m->arena, rows + 1, sizeof(*pages));
    struct buf raw, packed;
    size_t n = 0;
    buf_init(&raw, PQ_PAGE_MAX);
    buf_init(&packed, PQ_PAGE_MAX);
    for (size_t at = 0; at < rows; n++) {
        size_t piece = 1 + prng_below(&m->seed, rows - at);
        buf_reset(&raw);
        buf_reset(&packed);
        for (size_t i = 0; i < piece; i++)
            pq_plain_put(&raw, cells[at + i]);
        if (pq_zip_compress(m->zip, c->codec, c->level, (struct pq_slice){ raw.ptr, raw.len }, &packed) != PQ_OK)
            abort();
        pages[n] = (struct pq_ready_page){ model_cell(m, packed.ptr, packed.len), raw.len, piece };
        at += piece;
    }
    buf_free(&raw);
    buf_free(&packed);
    data->pages = pages;
    data->page_count = n;
}

/* Writes the whole table; the first error, or 0. */
static inline int model_write(struct model *m, struct memory_file *f)
{
    struct pq_writer *w = NULL;
    int rc = pq_writer_open(&w, m->columns, m->column_count, &(struct pq_sink){ memory_write, f }, &m->options);
    if (rc == PQ_OK)
        rc = pq_writer_key_value(w, "test.key", "test value", 10);
    size_t row = 0;
    for (size_t g = 0; g < m->groups && rc == PQ_OK; g++) {
        rc = pq_writer_group_begin(w, m->group_rows[g]);
        for (size_t c = 0; c < m->column_count && rc == PQ_OK; c++) {
            struct pq_data data = { .kind = m->kinds[c] };
            if (data.kind == PQ_DATA_PAGES)
                model_pages(m, c, m->cells[c] + row, m->group_rows[g], &data);
            else
                model_segments(m, c, m->cells[c] + row, m->group_rows[g], &data);
            rc = pq_writer_column(w, &data);
        }
        if (rc == PQ_OK)
            rc = pq_writer_group_end(w);
        row += m->group_rows[g];
    }
    if (rc == PQ_OK)
        rc = pq_writer_close(w);
    pq_writer_free(w);
    return rc;
}

static inline struct pq_source memory_source(struct memory_file *f)
{
    return (struct pq_source){ memory_read, f, f->len };
}

static inline bool same_value(struct pq_slice a, struct pq_slice b)
{
    if ((a.ptr == NULL) != (b.ptr == NULL))
        return false;
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

/* ---- random tables ---- */

struct model_shape {
    size_t rows_max;
    size_t long_text; /* longest text, octets */
};

static inline struct pq_slice model_random_cell(struct model *m, const struct pq_column *c, size_t distinct,
                                                const struct model_shape *shape)
{
    uint64_t pick = prng_below(&m->seed, distinct), state = pick * 977 + (uint64_t)c->type;
    uint8_t octets[4096];
    if (c->nullable && prng_below(&m->seed, 5) == 0)
        return (struct pq_slice){ NULL, 0 };
    size_t width = pq_column_width(c);
    if (width > 0) {
        prng_fill(&state, octets, width);
        if (c->type == PQ_BOOLEAN)
            octets[0] &= 1;
        if (c->type == PQ_DOUBLE) {
            double d = (double)(int64_t)(pick * 31) / 8 - 100;
            memcpy(octets, &d, sizeof(d));
        }
        return model_cell(m, octets, width);
    }
    size_t len = prng_below(&state, 4) == 0 ? prng_below(&state, shape->long_text + 1) : prng_below(&state, 20);
    len = len < sizeof(octets) ? len : sizeof(octets);
    prng_fill(&state, octets, len);
    for (size_t i = 0; c->logical == PQ_LOGICAL_STRING && i < len; i++) {
        bool two = octets[i] > 240 && i + 1 < len; /* some characters of two octets, the last of its kind too */
        octets[i] = two ? (octets[i] > 250 ? 0xdf : 0xc3) : (uint8_t)(' ' + octets[i] % 95);
        if (two)
            octets[++i] = 0xbf;
    }
    return model_cell(m, octets, len);
}

static inline struct pq_column model_random_column(struct model *m)
{
    static const struct {
        enum pq_type type;
        enum pq_logical logical;
        uint32_t width;
    } kinds[] = {
        { PQ_BOOLEAN, PQ_LOGICAL_NONE, 0 },       { PQ_INT32, PQ_LOGICAL_NONE, 0 },
        { PQ_INT32, PQ_LOGICAL_UINT32, 0 },       { PQ_INT32, PQ_LOGICAL_DECIMAL_9_2, 0 },
        { PQ_INT64, PQ_LOGICAL_TIMESTAMP_US, 0 }, { PQ_INT64, PQ_LOGICAL_UINT64, 0 },
        { PQ_INT64, PQ_LOGICAL_INT64, 0 },        { PQ_DOUBLE, PQ_LOGICAL_NONE, 0 },
        { PQ_BYTE_ARRAY, PQ_LOGICAL_STRING, 0 },  { PQ_BYTE_ARRAY, PQ_LOGICAL_NONE, 0 },
        { PQ_FIXED, PQ_LOGICAL_NONE, 16 },        { PQ_BYTE_ARRAY, PQ_LOGICAL_STRING, 0 },
        { PQ_FIXED, PQ_LOGICAL_NONE, 3 },
    };
    size_t k = prng_below(&m->seed, sizeof(kinds) / sizeof(kinds[0]));
    return (struct pq_column){
        .type = kinds[k].type,
        .logical = kinds[k].logical,
        .width = kinds[k].width,
        .nullable = prng_below(&m->seed, 2) == 0,
        .dictionary = prng_below(&m->seed, 2) == 0,
        .delta = prng_below(&m->seed, 2) == 0,
        .bloom = kinds[k].type != PQ_BOOLEAN && prng_below(&m->seed, 3) == 0,
        .stats = prng_below(&m->seed, 4) != 0,
        .codec = prng_below(&m->seed, 4) == 0 ? PQ_CODEC_NONE : PQ_CODEC_ZSTD,
        .level = 1 + (int)prng_below(&m->seed, 3),
    };
}

/* A table of random columns and rows in up to four row groups. */
static inline void model_random(struct model *m, uint64_t seed, const struct model_shape *shape)
{
    static const char names[MODEL_COLUMNS][4] = { "a0", "a1", "a2", "a3", "a4", "a5", "a6", "a7",
                                                  "b0", "b1", "b2", "b3", "b4", "b5", "b6", "b7" };
    model_init(m, seed);
    m->groups = prng_below(&m->seed, 5);
    for (size_t g = 0; g < m->groups; g++) {
        m->group_rows[g] = prng_below(&m->seed, 3) == 0 ? 1 : 1 + prng_below(&m->seed, shape->rows_max);
        m->rows += m->group_rows[g];
    }
    static const size_t page_rows[] = { 0, 1, 7, 8, 64, 1000 };
    m->options.page_rows = page_rows[prng_below(&m->seed, 6)];
    m->options.page_octets = prng_below(&m->seed, 2) == 0 ? 0 : 500;
    size_t count = 1 + prng_below(&m->seed, 12);
    for (size_t i = 0; i < count; i++) {
        struct pq_column c = model_random_column(m);
        c.name = names[i];
        enum pq_data_kind kind = prng_below(&m->seed, 3) == 0 ? PQ_DATA_CODES : PQ_DATA_FLAT;
        if (c.type == PQ_BYTE_ARRAY && !c.nullable && !c.bloom && !c.stats)
            kind = PQ_DATA_PAGES;
        bool nothing = c.nullable && prng_below(&m->seed, 8) == 0;
        struct pq_slice *cells = model_column(m, c, nothing ? PQ_DATA_NULLS : kind);
        size_t distinct = prng_below(&m->seed, 2) == 0 ? 1 + prng_below(&m->seed, 10) : 100000;
        for (size_t row = 0; row < m->rows; row++)
            cells[row] = nothing ? (struct pq_slice){ NULL, 0 } : model_random_cell(m, &m->columns[i], distinct, shape);
    }
}

#endif
