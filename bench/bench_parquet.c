/*
 * CPU time and size of the Parquet writer and reader on a table like `sip`: 30 columns, payload of about 700 octets,
 * calls of seven messages (INVITE 100 180 200 ACK BYE 200), 256 calls interleaved, row groups of 32k rows.
 *
 * bench_parquet [ROWS [PAYLOAD_PAGE_KB [LEVEL [ROWS_A_PAGE [none]]]]]; default 1000000 512 1 4096. With "none" the
 * other columns are not compressed: what then remains of sealing is encoding without zstd. CPU time of the thread,
 * warm, no files.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/parquet/encode.h"
#include "store/parquet/reader.h"
#include "store/parquet/writer.h"
#include "store/parquet/zip.h"
#include "traffic.h"

#define GROUP     32768u
#define DICT      65536u
#define TEXT_MAX  64u
#define PAGES_MAX 4096u

/* ---- columns ---- */

#define Z .codec = PQ_CODEC_ZSTD, .level = 1
#define KEY                                                                                                            \
    {                                                                                                                  \
        .nullable = true, .stats = true, .bloom = true, Z                                                              \
    }
enum {
    TS,
    TS_SENT,
    SEQ,
    SRC_PORT,
    DST_PORT,
    CSEQ,
    STATUS,
    SIZE,
    NUMBERS, /* values */
    CALL_ID = NUMBERS,
    FROM_USER,
    TO_USER,
    RURI_USER,
    CORRELATION,
    FROM_TAG,
    TO_TAG,
    BRANCH,
    METHOD,
    CSEQ_METHOD,
    FROM_HOST,
    TO_HOST,
    RURI_HOST,
    UA,
    SRC,
    DST,
    SRC_RAW,
    DST_RAW,
    SENDER,
    TRANSPORT,
    REASON,
    PARSE_ERROR,
    PAYLOAD,
    COLUMNS
};
#define TEXTS (PAYLOAD - NUMBERS)

static struct pq_column columns[COLUMNS];

static void name_columns(int level)
{
    static const char *const names[COLUMNS] = {
        "ts",      "ts_sent",     "seq",       "src_port",  "dst_port",       "cseq",        "status", "size",
        "call_id", "from_user",   "to_user",   "ruri_user", "correlation_id", "from_tag",    "to_tag", "branch",
        "method",  "cseq_method", "from_host", "to_host",   "ruri_host",      "user_agent",  "src_ip", "dst_ip",
        "src_raw", "dst_raw",     "sender",    "transport", "reason",         "parse_error", "payload"
    };
    for (size_t i = 0; i < COLUMNS; i++) {
        struct pq_column *c = &columns[i];
        *c = (struct pq_column){ .name = names[i], .codec = PQ_CODEC_ZSTD, .level = level };
        c->type = i <= SEQ ? PQ_INT64 : i < NUMBERS ? PQ_INT32 : PQ_BYTE_ARRAY;
        c->logical = i <= TS_SENT ? PQ_LOGICAL_TIMESTAMP_US : i < NUMBERS ? PQ_LOGICAL_NONE : PQ_LOGICAL_STRING;
        c->stats = i != PAYLOAD;
        c->nullable = i >= FROM_USER && i < PAYLOAD;
        c->dictionary = i >= SRC_PORT && i < NUMBERS;
        c->bloom = i >= CALL_ID && i <= CORRELATION;
    }
    columns[SRC_RAW].type = columns[DST_RAW].type = PQ_FIXED;
    columns[SRC_RAW].width = columns[DST_RAW].width = 16;
    columns[SRC_RAW].logical = columns[DST_RAW].logical = columns[PAYLOAD].logical = PQ_LOGICAL_NONE;
}

/* ---- a row group as column builders would hold it ---- */

struct dictionary {
    uint32_t slots[DICT];
    uint32_t offsets[GROUP + 1];
    uint8_t bytes[GROUP * TEXT_MAX];
    uint32_t count;
    uint32_t codes[GROUP];
};

static struct dictionary *texts[TEXTS];
static int64_t wide[3][GROUP];
static int32_t narrow[NUMBERS][GROUP];
static struct pq_ready_page pages[PAGES_MAX];
static struct buf page_octets[PAGES_MAX];
static size_t page_count;
static struct buf payload_raw;
static size_t payload_rows;

static uint32_t code_of(struct dictionary *d, const char *text, size_t len)
{
    uint64_t at = pq_xxh64((struct pq_slice){ (const uint8_t *)text, len }, 0);
    for (;; at++) {
        uint32_t slot = d->slots[at % DICT];
        if (slot == 0)
            break;
        uint32_t start = d->offsets[slot - 1];
        if (d->offsets[slot] - start == len && memcmp(d->bytes + start, text, len) == 0)
            return slot - 1;
    }
    memcpy(d->bytes + d->offsets[d->count], text, len);
    d->offsets[d->count + 1] = d->offsets[d->count] + (uint32_t)len;
    d->slots[at % DICT] = ++d->count;
    return d->count - 1;
}

static void put_text(size_t column, size_t row, const char *text, size_t len)
{
    struct dictionary *d = texts[column - NUMBERS];
    d->codes[row] = text == NULL ? PQ_NULL_CODE : code_of(d, text, len);
}

/* ---- filling the builders ---- */

static void put_texts(const struct message *m, size_t row)
{
    const struct call *c = m->call;
    const char *src = m->to_uas ? c->src : c->dst, *dst = m->to_uas ? c->dst : c->src;
    char raw[2][16] = { { 0 } };
    memcpy(raw[0] + 12, src, 4);
    memcpy(raw[0] + 8, src + strlen(src) - 4, 4);
    memcpy(raw[1] + 8, dst + strlen(dst) - 4, 4);
    const char *values[TEXTS] = { c->call_id,
                                  c->from,
                                  c->to,
                                  m->status == 0 ? c->to : NULL,
                                  NULL,
                                  c->from_tag,
                                  m->step == 0 ? NULL : c->to_tag,
                                  c->branch[steps[m->step].branch],
                                  m->status == 0 ? m->method : NULL,
                                  m->method,
                                  c->src,
                                  c->dst,
                                  m->status == 0 ? c->dst : NULL,
                                  m->to_uas ? "Asterisk PBX 18.9.0" : "FreeSWITCH-mod_sofia/1.10.9",
                                  src,
                                  dst,
                                  raw[0],
                                  raw[1],
                                  "10.2.0.1",
                                  "udp",
                                  m->reason,
                                  NULL };
    for (size_t i = 0; i < TEXTS; i++) {
        size_t column = NUMBERS + i;
        size_t len = column == SRC_RAW || column == DST_RAW ? 16 : values[i] != NULL ? strlen(values[i]) : 0;
        put_text(column, row, values[i], len);
    }
}

static void put_numbers(const struct message *m, size_t row, uint64_t n)
{
    int64_t now = INT64_C(1700000000000000) + (int64_t)n * 10 + chance(10);
    wide[TS][row] = now;
    wide[TS_SENT][row] = now - chance(400);
    wide[SEQ][row] = (int64_t)n;
    narrow[SRC_PORT][row] = 5060;
    narrow[DST_PORT][row] = 5060;
    narrow[CSEQ][row] = m->step >= 5 ? 102 : 101;
    narrow[STATUS][row] = m->status;
    narrow[SIZE][row] = (int32_t)m->len;
}

static void end_page(struct pq_zip *zip, int level, double *zstd_ns)
{
    if (payload_rows == 0)
        return;
    struct buf *out = &page_octets[page_count];
    double start = cpu_ns();
    buf_reset(out);
    if (pq_zip_compress(zip, PQ_CODEC_ZSTD, level, (struct pq_slice){ payload_raw.ptr, payload_raw.len }, out) != PQ_OK)
        abort();
    *zstd_ns += cpu_ns() - start;
    pages[page_count++] = (struct pq_ready_page){ { out->ptr, out->len }, payload_raw.len, payload_rows };
    buf_reset(&payload_raw);
    payload_rows = 0;
}

/* ---- the file ---- */

static uint8_t *file;
static size_t file_len, file_cap;

static int sink_write(void *ctx, const void *octets, size_t len)
{
    (void)ctx;
    if (file_len + len > file_cap) {
        file_cap = (file_len + len) * 2;
        file = realloc(file, file_cap);
        if (file == NULL)
            abort();
    }
    memcpy(file + file_len, octets, len);
    file_len += len;
    return 0;
}

static int source_read(void *ctx, uint64_t offset, void *to, size_t len)
{
    (void)ctx;
    memcpy(to, file + offset, len);
    return 0;
}

static double column_ns[COLUMNS];
static uint64_t column_octets[COLUMNS], index_octets;

static void must(int rc, const char *what)
{
    if (rc == PQ_OK)
        return;
    fprintf(stderr, "%s: %s\n", what, pq_error_text(rc));
    exit(1);
}

static void write_column(struct pq_writer *w, size_t column, size_t rows)
{
    struct pq_segment s = { .rows = rows }, d = { .rows = 0 };
    struct pq_data data = { .segments = &s, .segment_count = 1 };
    if (column <= SEQ) {
        s.values = wide[column];
    } else if (column < NUMBERS) {
        s.values = narrow[column];
    } else if (column < PAYLOAD) {
        struct dictionary *t = texts[column - NUMBERS];
        s.codes = t->codes;
        d = (struct pq_segment){ .rows = t->count, .values = t->bytes, .offsets = t->offsets, .bytes = t->bytes };
        data.kind = PQ_DATA_CODES;
        data.dictionary = &d;
        data.dictionary_count = 1;
    } else {
        data = (struct pq_data){ .kind = PQ_DATA_PAGES, .pages = pages, .page_count = page_count };
    }
    uint64_t before = pq_writer_counts(w).octets;
    double start = cpu_ns();
    must(pq_writer_column(w, &data), pq_writer_error(w));
    column_ns[column] += cpu_ns() - start;
    column_octets[column] += pq_writer_counts(w).octets - before;
}

static double write_group(struct pq_writer *w, size_t rows)
{
    double start = cpu_ns();
    must(pq_writer_group_begin(w, rows), "group");
    for (size_t c = 0; c < COLUMNS; c++)
        write_column(w, c, rows);
    uint64_t before = pq_writer_counts(w).octets;
    must(pq_writer_group_end(w), "group");
    index_octets += pq_writer_counts(w).octets - before;
    return cpu_ns() - start;
}

static void reset_builders(void)
{
    for (size_t i = 0; i < TEXTS; i++) {
        memset(texts[i]->slots, 0, sizeof(texts[i]->slots));
        texts[i]->count = 0;
    }
    page_count = 0;
}

static void look_up(uint64_t rows)
{
    static const size_t tries = 2000;
    struct pq_source source = { source_read, NULL, file_len };
    struct pq_reader *r = NULL;
    double start = cpu_ns();
    must(pq_reader_open(&r, &source, NULL, NULL), "open");
    double opened = cpu_ns() - start;
    uint64_t before = pq_reader_octets_read(r);
    printf("reader: open %.0f us, %" PRIu64 " octets\n", opened / 1e3, before);
    struct pq_slice v = { NULL, 0 };
    size_t group, row;
    start = cpu_ns();
    for (size_t i = 0; i < tries; i++) {
        must(pq_reader_locate(r, chance((uint32_t)rows), &group, &row), "locate");
        must(pq_reader_value(r, group, PAYLOAD, row, &v), "value");
    }
    printf("reader: one payload %.1f us, %.0f octets read\n", (cpu_ns() - start) / 1e3 / (double)tries,
           (double)(pq_reader_octets_read(r) - before) / (double)tries);
    before = pq_reader_octets_read(r);
    start = cpu_ns();
    for (size_t i = 0; i < tries / 10; i++) {
        must(pq_reader_locate(r, chance((uint32_t)rows), &group, &row), "locate");
        for (size_t c = 0; c < COLUMNS; c++)
            must(pq_reader_value(r, group, c, row, &v), "value");
    }
    printf("reader: one whole row %.1f us, %.0f octets read\n", (cpu_ns() - start) / 1e3 / (double)tries * 10,
           (double)(pq_reader_octets_read(r) - before) / (double)tries * 10);
    pq_reader_free(r);
}

static void report(uint64_t rows, double fill, double zstd, double seal, uint64_t raw)
{
    static const char *const kinds[] = { "values", "codes" };
    double n = (double)rows, small = 0;
    for (size_t c = 0; c < PAYLOAD; c++)
        small += (double)column_octets[c];
    printf("rows %" PRIu64 ", payload %.0f octets a row before compression\n", rows, (double)raw / n);
    printf("octets a row: file %.1f = payload %.1f + other columns %.1f + filters and indexes %.1f + rest %.1f\n",
           (double)file_len / n, (double)column_octets[PAYLOAD] / n, small / n, (double)index_octets / n,
           ((double)file_len - (double)column_octets[PAYLOAD] - small - (double)index_octets) / n);
    printf("CPU ns a row: payload pages zstd %.0f; sealing (encode, small zstd, CRC, statistics, filters) %.0f; "
           "filling the bench's builders %.0f\n",
           zstd / n, seal / n, fill / n);
    for (size_t c = 0; c < COLUMNS; c++)
        printf("  %-16s %-6s %6.2f octets %6.1f ns\n", columns[c].name, kinds[c >= NUMBERS],
               (double)column_octets[c] / n, column_ns[c] / n);
}

int main(int argc, char **argv)
{
    uint64_t rows = argc > 1 ? strtoull(argv[1], NULL, 10) : 1000000;
    size_t page = (argc > 2 ? strtoul(argv[2], NULL, 10) : 512) * 1024;
    int level = argc > 3 ? (int)strtol(argv[3], NULL, 10) : 1;
    size_t page_rows = argc > 4 ? strtoul(argv[4], NULL, 10) : 0;
    struct pq_zip *zip = pq_zip_new();
    struct pq_writer *w = NULL;
    struct pq_sink sink = { sink_write, NULL };
    static struct message m;
    double fill = 0, zstd = 0, seal = 0;
    uint64_t raw = 0;
    name_columns(1);
    for (size_t i = 0; argc > 5 && i < PAYLOAD; i++)
        columns[i].codec = PQ_CODEC_NONE;
    columns[PAYLOAD].level = level;
    buf_init(&payload_raw, PQ_PAGE_MAX);
    for (size_t i = 0; i < PAGES_MAX; i++)
        buf_init(&page_octets[i], PQ_PAGE_MAX);
    for (size_t i = 0; i < TEXTS; i++)
        texts[i] = calloc(1, sizeof(*texts[i]));
    file_cap = (size_t)rows * 160 + (1u << 20); /* touched before the clock runs */
    file = malloc(file_cap);
    if (file == NULL)
        return 1;
    memset(file, 1, file_cap);
    must(pq_writer_open(&w, columns, COLUMNS, &sink, &(struct pq_writer_options){ .page_rows = page_rows }), "open");
    for (uint64_t n = 0; n < rows;) {
        size_t row = 0;
        reset_builders();
        for (; row < GROUP && n < rows; row++, n++) {
            next_message(&m);
            double start = cpu_ns();
            put_texts(&m, row);
            put_numbers(&m, row, n);
            fill += cpu_ns() - start;
            raw += m.len;
            pq_plain_put(&payload_raw, (struct pq_slice){ (const uint8_t *)m.payload, m.len });
            payload_rows++;
            if (payload_raw.len >= page)
                end_page(zip, level, &zstd);
        }
        end_page(zip, level, &zstd);
        seal += write_group(w, row);
    }
    double start = cpu_ns();
    must(pq_writer_close(w), "close");
    seal += cpu_ns() - start;
    pq_writer_free(w);
    printf("payload pages %zu kB, zstd level %d\n", page / 1024, level);
    report(rows, fill, zstd, seal, raw);
    look_up(rows);
    for (size_t i = 0; i < PAGES_MAX; i++)
        buf_free(&page_octets[i]);
    for (size_t i = 0; i < TEXTS; i++)
        free(texts[i]);
    buf_free(&payload_raw);
    pq_zip_free(zip);
    free(file);
    return 0;
}
