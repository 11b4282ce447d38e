/*
 * CPU time and memory of the lake's writing half on real rows: SIP calls of seven messages, 256 interleaved, through
 * record_make() into groups, payload pages through zstd, groups into Parquet files.
 *
 * bench_group [ROWS [DIRECTORY [FILES]]]: default 1000000, /tmp/bench_group, and 8 seals. CPU time of the threads,
 * warm; files are written to the directory and removed. "append" includes the copy of the payload into its page.
 */
#include <errno.h>
#include <ftw.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/ip.h"
#include "record/reader.h"
#include "store/lake/columns.h"
#include "store/lake/feed.h"
#include "store/lake/group_internal.h"
#include "store/lake/outfile.h"
#include "traffic.h"

#define BATCH 64u /* rows made, then appended under the clock */

struct made {
    struct record_reader *reader;
    struct message message;
    struct record record;
};

static struct pages *pages;
static struct made batch[BATCH];
static double append_ns, zip_ns, seal_ns, column_ns[RECORD_COLUMNS_MAX], group_ns;
static uint64_t column_octets[RECORD_COLUMNS_MAX], index_octets, raw_octets, file_octets, memory_octets, groups;
static const char *directory = "/tmp/bench_group";

static void must(int rc, const char *what)
{
    if (rc == 0)
        return;
    fprintf(stderr, "%s: %d\n", what, rc);
    exit(1);
}

static void make(struct made *m, uint64_t n)
{
    const struct call *c;
    next_message(&m->message);
    c = m->message.call;
    const char *gateway = m->message.to_uas ? c->src : c->dst, *peer = m->message.to_uas ? c->dst : c->src;
    struct hep_msg msg = {
        .version = 3,
        .family = 2,
        .protocol = 17,
        .payload_type = 1,
        .capture_id = 2001,
        .src_port = 5060,
        .dst_port = 5060,
        .payload = { (const uint8_t *)m->message.payload, m->message.len },
        .node_name = { (const uint8_t *)"edge-1", 6 },
    };
    int64_t now = INT64_C(1700000000000000) + (int64_t)n * 10 + chance(10);
    msg.time_sec = (uint32_t)((now - 200) / 1000000);
    msg.time_usec = (uint32_t)((now - chance(400)) % 1000000);
    (void)ip_parse(gateway, strlen(gateway), &msg.src);
    (void)ip_parse(peer, strlen(peer), &msg.dst);
    const struct sink_frame frame = { .data = (const uint8_t *)m->message.payload,
                                      .len = m->message.len,
                                      .received_us = now,
                                      .peer = { 4, { 10, 2, 0, 1 } },
                                      .transport = RECORD_TCP };
    record_make(m->reader, &frame, &msg, &m->record);
    m->record.seq = n + 1;
}

/* What the lake's thread does as pages fill. */
static void zip_full(struct group *g)
{
    static struct page_zipper z;
    uint32_t n = g != NULL ? atomic_load(&g->page_count) : 0;
    if (n == 0)
        return;
    if (z.zip == NULL)
        must(page_zipper_init(&z), "zip");
    struct group_page *page = &g->page[g->open == NULL || n == 1 ? n - 1 : n - 2];
    double start = cpu_ns();
    if (page->state == PAGE_WAITING)
        must(pages_finish(pages, page, &z), "zip");
    zip_ns += cpu_ns() - start;
}

static void zip(struct feed *feed, struct group *g)
{
    double start = cpu_ns();
    must(feed_zip(feed, g), "zip");
    zip_ns += cpu_ns() - start;
    memory_octets += group_memory(g);
    groups++;
}

static void write_group(struct pq_writer *w, struct feed *feed, const struct group *g)
{
    struct pq_data data;
    double start = cpu_ns(), at = start;
    uint64_t before = pq_writer_counts(w).octets;
    must(pq_writer_group_begin(w, group_rows(g)), "group");
    for (unsigned c = 0; c < g->schema->count; c++) {
        feed_column(feed, g, c, &data);
        must(pq_writer_column(w, &data), pq_writer_error(w));
        uint64_t octets = pq_writer_counts(w).octets;
        double now = cpu_ns();
        column_ns[c] += now - at;
        column_octets[c] += octets - before;
        at = now;
        before = octets;
    }
    must(pq_writer_group_end(w), "group");
    index_octets += pq_writer_counts(w).octets - before;
    group_ns += cpu_ns() - at;
    seal_ns += cpu_ns() - start;
}

static void write_file(struct group *const *list, size_t n, unsigned number)
{
    struct pq_column columns[RECORD_COLUMNS_MAX];
    char path[MANIFEST_PATH_MAX];
    struct outfile out;
    struct pq_writer *w;
    struct feed *feed = feed_new();
    for (size_t i = 0; i < n; i++)
        zip(feed, list[i]);
    double start = cpu_ns(), inside = seal_ns;
    outfile_path(path, RECORD_SIP, list[0]->hour, number, 1, 1);
    must(outfile_open(&out, vfs_posix(), directory, path), "open");
    struct pq_sink sink = outfile_sink(&out);
    must(pq_writer_open(&w, columns, lake_columns(RECORD_SIP, columns), &sink, NULL), "open");
    for (size_t i = 0; i < n; i++)
        write_group(w, feed, list[i]);
    must(pq_writer_close(w), "close");
    pq_writer_free(w);
    must(outfile_publish(&out), "publish");
    file_octets += out.written;
    seal_ns += cpu_ns() - start - (seal_ns - inside);
    feed_free(feed);
}

static struct group *append(struct group *g, struct group **list, size_t *count)
{
    double start = cpu_ns();
    for (size_t i = 0; i < BATCH; i++) {
        if (g == NULL)
            g = group_new_in(pages, RECORD_SIP, 472222, RECORD_NETWORK);
        int rc = group_append(g, &batch[i].record);
        if (rc < 0)
            must(rc, "append");
        if (rc == 1) {
            group_close(g);
            list[(*count)++] = g;
            g = NULL;
        }
    }
    append_ns += cpu_ns() - start;
    return g;
}

static int compare_ns(const void *a, const void *b)
{
    const unsigned *x = a, *y = b;
    return column_ns[*x] > column_ns[*y] ? -1 : column_ns[*x] < column_ns[*y];
}

static void report(uint64_t rows)
{
    const struct record_schema *s = record_schema(RECORD_SIP);
    unsigned order[RECORD_COLUMNS_MAX];
    double n = (double)rows;
    struct rusage usage;
    (void)getrusage(RUSAGE_SELF, &usage);
    printf("rows %" PRIu64 ", payload %.0f octets a row before compression, in groups of %.0f rows\n", rows,
           (double)raw_octets / n, n / (double)groups);
    printf("CPU ns a row: append %.0f, zip %.0f, seal %.0f\n", append_ns / n, zip_ns / n, seal_ns / n);
    printf("octets a row: file %.1f (payload %.1f, filters and indexes %.1f), in memory with pages zipped %.0f\n",
           (double)file_octets / n, (double)column_octets[RECORD_COL_payload] / n, (double)index_octets / n,
           (double)memory_octets / n);
    printf("peak RSS %ld kB\n", usage.ru_maxrss);
    for (unsigned i = 0; i < s->count; i++)
        order[i] = i;
    qsort(order, s->count, sizeof(order[0]), compare_ns);
    for (unsigned i = 0; i < s->count; i++)
        printf("  %-18s %6.2f octets %6.1f ns\n", s->columns[order[i]].name, (double)column_octets[order[i]] / n,
               column_ns[order[i]] / n);
    printf("  end of groups %.1f ns\n", group_ns / n);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st;
    (void)type;
    (void)at;
    return remove(path);
}

int main(int argc, char **argv)
{
    uint64_t rows = argc > 1 ? strtoull(argv[1], NULL, 10) : 1000000;
    unsigned seals = argc > 3 ? (unsigned)strtoul(argv[3], NULL, 10) : 8;
    static struct group *list[1024];
    struct group *g = NULL;
    size_t count = 0;
    unsigned number = 0;
    if (argc > 2)
        directory = argv[2];
    const struct pages_options po = { .limit = SIZE_MAX, .level = 1, .no_thread = true };
    must(pages_open(&pages, &po), "pages");
    const struct record_options none = { .clock_window_us = 0 };
    for (size_t i = 0; i < BATCH; i++)
        batch[i].reader = record_reader_new(&none);
    for (uint64_t n = 0; n < rows; n += BATCH) {
        for (uint64_t i = 0; i < BATCH; i++) {
            make(&batch[i], n + i);
            raw_octets += batch[i].message.len;
        }
        g = append(g, list, &count);
        zip_full(g);
        bool last = n + BATCH >= rows;
        if (last && g != NULL) {
            group_close(g);
            list[count++] = g;
        }
        if (count == 0 || (!last && n + BATCH < (number + 1) * (rows / seals)))
            continue;
        write_file(list, count, ++number);
        while (count > 0)
            group_unref(list[--count]);
        pages_trim(pages);
    }
    report((rows + BATCH - 1) / BATCH * BATCH);
    for (size_t i = 0; i < BATCH; i++)
        record_reader_free(batch[i].reader);
    pages_close(pages);
    return nftw(directory, remove_one, 16, FTW_DEPTH | FTW_PHYS) == 0 ? 0 : 1;
}
