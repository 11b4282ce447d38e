/*
 * Look-ups in a lake of many messages: SIP calls of seven messages, 256 interleaved, put straight into the writer as if
 * they had come at a steady rate, sealed every minute, merged as a server would.
 *
 * bench_lake [MESSAGES [DIRECTORY [RATE [duck | calls]]]]: default 1000000, /tmp/bench_lake, and 1000 messages a
 * second. A directory with a lake in it is used as it is: MESSAGES and RATE must be those that it was made with. With
 * "duck" DuckDB is asked where the page reader would do. With "calls" the lake is made, and no more: with the records
 * of its calls, each of which has five legs (bench/calls.py). Wall and CPU time (of this process and of the query
 * worker), octets read; page cache warm.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/ip.h"
#include "lake_calls.h"
#include "record/reader.h"
#include "store/lake/catalog.h"
#include "store/lake/duck.h"
#include "store/lake/duck_worker.h"
#include "store/lake/internal.h"
#include "traffic.h"

#define START_US INT64_C(1700000000000000)
#define SEAL_US  INT64_C(60000000)
#define KEPT     64u /* Call-IDs remembered, evenly spread */

static struct store *store;
static struct lake *lake;
static uint64_t messages = 1000000, rate = 1000;
static const char *directory = "/tmp/bench_lake";
static char kept[KEPT][48];
static size_t kept_count;
static uint64_t merges;
static double merge_s;

static void must(int rc, const struct errmsg *err, const char *what)
{
    if (rc >= 0)
        return;
    fprintf(stderr, "%s: %d %s\n", what, rc, err->text);
    exit(1);
}

static double wall(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double process_cpu(void)
{
    struct rusage u;
    (void)getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

/* ------------------------------------------------------------------------------------------------ making */

static int64_t time_of(uint64_t n)
{
    return START_US + (int64_t)(n * (UINT64_C(1000000) / rate));
}

static void make(struct record_reader *reader, struct message *m, uint64_t n, struct record *ret)
{
    next_message(m);
    const struct call *c = m->call;
    const char *gateway = m->to_uas ? c->src : c->dst, *peer = m->to_uas ? c->dst : c->src;
    int64_t now = time_of(n), sent = now - (int64_t)chance(400);
    struct hep_msg msg = {
        .version = 3,
        .family = 2,
        .protocol = 17,
        .payload_type = 1,
        .capture_id = 2001,
        .src_port = 5060,
        .dst_port = 5060,
        .payload = { (const uint8_t *)m->payload, m->len },
        .node_name = { (const uint8_t *)"edge-1", 6 },
        .time_sec = (uint32_t)(sent / 1000000),
        .time_usec = (uint32_t)(sent % 1000000),
    };
    (void)ip_parse(gateway, strlen(gateway), &msg.src);
    (void)ip_parse(peer, strlen(peer), &msg.dst);
    const struct sink_frame frame = { .data = (const uint8_t *)m->payload,
                                      .len = m->len,
                                      .received_us = now,
                                      .peer = { 4, { 10, 2, 0, 1 } },
                                      .transport = RECORD_TCP };
    record_make(reader, &frame, &msg, ret);
    ret->seq = n + 1;
}

static void seal(uint64_t segment, uint64_t max_seq)
{
    struct store_seal *s = NULL;
    struct errmsg err = { "" };
    must(store->ops->seal_begin(store, &s), &err, "seal");
    store->ops->seal_cut(store, s, 0, &(struct wal_position){ 0, segment });
    must(store->ops->seal_end(store, s, max_seq, &err), &err, "seal");
    store->ops->seal_free(s);
}

static void tend(int64_t now_us)
{
    struct errmsg err = { "" };
    double start = wall();
    for (int rc; (rc = store->ops->tend(store, now_us, &err)) != 0; merges++)
        must(rc, &err, "tend");
    merge_s += wall() - start;
}

static void fill(bool with_calls)
{
    struct record_reader *reader = record_reader_new(&(struct record_options){ .clock_window_us = 0 });
    struct message *m = calloc(1, sizeof(*m));
    struct record *record = calloc(1, sizeof(*record));
    struct lake_calls *made = with_calls ? lake_calls_new(store) : NULL;
    struct errmsg err = { "" };
    int64_t next = START_US + SEAL_US;
    uint64_t segment = 2;
    for (uint64_t n = 0; n < messages; n++) {
        make(reader, m, n, record);
        if (time_of(n) >= next) {
            seal(segment++, n);
            tend(next);
            next += SEAL_US;
        }
        must(store->ops->append(store, 0, record), &err, "append");
        if (made != NULL)
            lake_calls_take(made, record);
    }
    lake_calls_free(made);
    seal(segment, messages);
    tend(next + INT64_C(7200000000));
    record_reader_free(reader);
    free(m);
    free(record);
}

static void build(bool there, bool with_calls)
{
    struct store_figures f;
    double start = wall(), cpu = cpu_ns();
    if (!there)
        fill(with_calls);
    store->ops->figures(store, &f);
    double rows = (double)f.rows[RECORD_SIP];
    printf("%" PRIu64 " messages, %" PRIu64 " files, %.1f octets a message\n", f.rows[RECORD_SIP], f.files,
           (double)f.file_octets / rows);
    if (there)
        return;
    printf("made in %.0f s, %.2f us of CPU a message in this thread; us a message: payload zstd %.2f, sealing %.2f, "
           "merging "
           "%.2f (%" PRIu64 " merges of %" PRIu64 " files)\n",
           wall() - start, (cpu_ns() - cpu) / 1e3 / rows, (double)f.cpu_zip_us / rows, (double)f.cpu_seal_us / rows,
           (double)f.cpu_merge_us / rows, f.merges, f.merged_files);
}

/* ------------------------------------------------------------------------------------------------ asking */

struct question {
    const char *what, *filter;
    size_t limit;
    enum store_total total;
    int64_t from_us, to_us;
    bool payload;
};

static uint64_t payload_octets;

static int take_row(void *arg, size_t i, const struct store_ref *ref, const struct record_cell *cells)
{
    (void)arg;
    (void)i;
    (void)ref;
    payload_octets += cells[RECORD_COL_payload].octets.len;
    return 0;
}

static uint64_t worker_cpu(void)
{
    struct duck_counters c = { 0 };
    if (lake->duck != NULL)
        duck_counters(lake->duck, &c);
    return c.cpu_us;
}

static struct store_columns all_columns(void)
{
    struct store_columns columns = { { 0 } };
    for (unsigned c = 0; c < RECORD_SIP_COUNT; c++)
        store_columns_add(&columns, c);
    return columns;
}

static struct filter *parse(const char *text)
{
    struct filter *f = NULL;
    struct filter_error err;
    if (filter_parse(&f, text, strlen(text), &err) != 0) {
        fprintf(stderr, "%s: %s\n", text, err.text);
        exit(1);
    }
    return f;
}

/* One line of the table; returns the seconds that it took. */
static double ask(const struct question *q, bool print)
{
    struct store_pin *pin;
    struct errmsg err = { "" };
    struct filter *filter = parse(q->filter);
    struct store_columns columns = all_columns();
    struct store_scan s = { .tables = 1u << RECORD_SIP,
                            .filter = filter,
                            .from_us = q->from_us != 0 ? q->from_us : INT64_MIN,
                            .to_us = q->to_us != 0 ? q->to_us : INT64_MAX,
                            .limit = q->limit,
                            .total_wanted = q->total };
    double start = wall(), cpu = process_cpu();
    uint64_t worker = worker_cpu();
    size_t failed;
    must(store->ops->pin(store, &pin), &err, "pin");
    must(store->ops->scan(store, pin, &s, &err), &err, "scan");
    double scanned = wall();
    if (q->payload)
        must(store->ops->fetch(store, pin, s.refs, s.count, &columns, take_row, NULL, &failed, &err), &err, "fetch");
    store->ops->unpin(store, pin);
    double end = wall();
    if (print)
        printf("| %s | %zu | %" PRIu64 "%s | %.1f | %.1f | %.1f | %.1f | %.0f |%s%s\n", q->what, s.count, s.total,
               s.total_exact ? "" : "+", (end - start) * 1e3, (scanned - start) * 1e3, (process_cpu() - cpu) * 1e3,
               (double)(worker_cpu() - worker) / 1e3, (double)s.octets_read / 1024,
               s.problem.text[0] != '\0' ? " " : "", s.problem.text);
    store_scan_free(&s);
    filter_free(filter);
    return end - start;
}

static int take_call_id(void *arg, size_t i, const struct store_ref *ref, const struct record_cell *cells)
{
    struct hep_slice id = cells[RECORD_SIP_COL_call_id].octets;
    (void)arg;
    (void)i;
    (void)ref;
    if (id.len > 0 && id.len < sizeof(kept[0]))
        memcpy(kept[kept_count++], id.ptr, id.len);
    return 0;
}

/* Call-IDs of some messages, evenly spread. */
static void find_keys(void)
{
    struct store_pin *pin;
    struct errmsg err = { "" };
    struct store_columns columns = { { 0 } };
    size_t failed;
    store_columns_add(&columns, RECORD_SIP_COL_call_id);
    must(store->ops->pin(store, &pin), &err, "pin");
    for (uint64_t i = 0; i < KEPT; i++) {
        int64_t from = time_of(i * (messages / KEPT));
        struct store_scan s = { .tables = 1u << RECORD_SIP,
                                .from_us = from,
                                .to_us = from + INT64_C(60000000),
                                .oldest_first = true,
                                .limit = 1 };
        must(store->ops->scan(store, pin, &s, &err), &err, "scan");
        must(store->ops->fetch(store, pin, s.refs, s.count, &columns, take_call_id, NULL, &failed, &err), &err,
             "fetch");
        store_scan_free(&s);
    }
    store->ops->unpin(store, pin);
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void ask_keys(void)
{
    char text[KEPT][80];
    double took[KEPT];
    struct question q = { "one Call-ID, all columns, first of all", text[0], 1000, STORE_TOTAL_EXACT, 0, 0, true };
    for (size_t i = 0; i < kept_count; i++)
        (void)snprintf(text[i], sizeof(text[i]), "callid:%s", kept[i]);
    (void)ask(&q, true);
    for (size_t i = 1; i < kept_count; i++) {
        q.filter = text[i];
        took[i - 1] = ask(&q, false);
    }
    q.what = "one Call-ID, all columns";
    (void)ask(&q, true);
    qsort(took, kept_count - 1, sizeof(took[0]), ascending);
    printf("  of %zu others: median %.1f ms, greatest %.1f ms\n", kept_count - 1, took[kept_count / 2] * 1e3,
           took[kept_count - 2] * 1e3);
    q = (struct question){ "a Call-ID that nobody has", "callid:nobody@10.0.0.1", 1000, STORE_TOTAL_EXACT, 0, 0, true };
    (void)ask(&q, true);
}

static void ask_all(void)
{
    int64_t middle = START_US + (time_of(messages) - START_US) / 2;
    const struct question questions[] = {
        { "newest 200, `from:*0042`, rows", "from:*0042", 200, STORE_TOTAL_NONE, 0, 0, false },
        { "the same again", "from:*0042", 200, STORE_TOTAL_NONE, 0, 0, false },
        { "rows and total, `from:*0043`", "from:*0043", 200, STORE_TOTAL_EXACT, 0, 0, false },
        { "the same again: totals are remembered", "from:*0043", 200, STORE_TOTAL_EXACT, 0, 0, false },
        { "rows and total, `from:*00*`", "from:*00*", 200, STORE_TOTAL_EXACT, 0, 0, false },
        { "rows with payload and total, `method:BYE status:200`", "method:BYE status:200", 200, STORE_TOTAL_EXACT, 0, 0,
          true },
        { "ten minutes in the middle, `from:*004*`, rows and total", "from:*004*", 200, STORE_TOTAL_EXACT, middle,
          middle + INT64_C(600000000), false },
        { "everything, newest 200 with payload and total", "", 200, STORE_TOTAL_EXACT, 0, 0, true },
        { "a number that nobody has, total", "from:+49999", 200, STORE_TOTAL_EXACT, 0, 0, false },
    };
    for (size_t i = 0; i < sizeof(questions) / sizeof(questions[0]); i++)
        (void)ask(&questions[i], true);
}

/* ------------------------------------------------------------------------------------------------ counting */

static void count_by(const char *what, const char *text, const char *column, size_t buckets)
{
    struct store_pin *pin;
    struct errmsg err = { "" };
    struct filter *filter = parse(text);
    uint64_t length = (uint64_t)(time_of(messages) - START_US) + 1000000;
    struct store_aggregate q = { .tables = 1u << RECORD_SIP,
                                 .filter = filter,
                                 .from_us = INT64_MIN,
                                 .to_us = INT64_MAX,
                                 .start_us = START_US - 1000000,
                                 .bucket_us = length / buckets + 1,
                                 .buckets = buckets + 1,
                                 .has_by = column != NULL };
    if (column != NULL)
        q.by.columns[RECORD_SIP] = record_column_by_name(RECORD_SIP, column, strlen(column));
    double start = wall(), cpu = process_cpu();
    must(store->ops->pin(store, &pin), &err, "pin");
    must(store->ops->aggregate(store, pin, &q, &err), &err, "aggregate");
    store->ops->unpin(store, pin);
    printf("| %s | %zu%s | %" PRIu64 "%s | %.1f | | %.1f | 0 | %.0f |\n", what, q.value_count,
           q.values_exact ? "" : "+", q.total, q.total_exact ? "" : "+", (wall() - start) * 1e3,
           (process_cpu() - cpu) * 1e3, (double)q.octets_read / 1024);
    store_aggregate_free(&q);
    filter_free(filter);
}

static void count_all(void)
{
    count_by("counted over time, 100 buckets", "", NULL, 100);
    count_by("the same by method", "", "method", 100);
    count_by("by method, again", "", "method", 100);
    count_by("by method, 1000 buckets less one", "", "method", 999);
    count_by("by status, `from:*0042`", "from:*0042", "status", 100);
    count_by("by user of From", "", "from_user", 100);
    count_by("by Call-ID", "", "call_id", 100);
}

/* ------------------------------------------------------------------------------------------------ main */

static int worker(int argc, char **argv)
{
    static struct duck_function functions[DUCK_FUNCTIONS_MAX];
    size_t n = 0;
    for (const struct filter_function *f = filter_functions(); f->name != NULL && n < DUCK_FUNCTIONS_MAX; f++)
        functions[n++] = (struct duck_function){ f->name, f->octets, f->test };
    duck_worker_functions(functions, n);
    return duck_worker_main(argc, argv);
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "query-worker") == 0)
        return worker(argc, argv);
    if (argc > 1)
        messages = strtoull(argv[1], NULL, 10);
    if (argc > 2)
        directory = argv[2];
    if (argc > 3)
        rate = strtoull(argv[3], NULL, 10);
    char path[1024];
    struct stat st;
    struct lake_start start;
    struct errmsg err = { "" };
    (void)snprintf(path, sizeof(path), "%s/lake/MANIFEST", directory);
    bool there = stat(path, &st) == 0;
    const struct lake_options o = { .data_dir = directory, .node = 1, .writers = 1 };
    must(lake_open(&store, &o, &start, &err), &err, "open");
    lake = (struct lake *)store;
    bool with_calls = argc > 4 && strcmp(argv[4], "calls") == 0;
    legs_of_call = with_calls ? 5 : 1;
    build(there, with_calls);
    if (with_calls) {
        store->ops->close(store);
        return 0;
    }
    find_keys();
    lake->always_duck = argc > 4 && strcmp(argv[4], "duck") == 0;
    printf("| question | rows | total | ms | of it finding | CPU ms | worker CPU ms | kB read |\n");
    printf("|---|---|---|---|---|---|---|---|\n");
    ask_keys();
    ask_all();
    count_all();
    struct catalog_figures c;
    struct store_figures f;
    struct rusage u;
    catalog_figures(lake->catalog, &c);
    store->ops->figures(store, &f);
    (void)getrusage(RUSAGE_SELF, &u);
    printf("key filters %.1f MB, open readers %zu with %.1f MB; peak RSS %.0f MB, worker now %.0f MB\n",
           (double)c.filter_octets / 1e6, c.readers, (double)c.reader_octets / 1e6, (double)u.ru_maxrss / 1e3,
           (double)f.worker_rss / 1e6);
    store->ops->close(store);
    return 0;
}
