/* The query worker. This program is its own worker: called with "query-worker" it is the child. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "store/lake/duck.h"
#include "store/lake/duck_worker.h"
#include "store/parquet/writer.h"
#include "testlib.h"

/* ------------------------------------------------------------------------------------------------ fixtures */

#define FOREVER "SELECT count(*) FROM range(1000000000000) t(a) WHERE a * a % 7 = 8"

struct place {
    char root[64], lake[96], temp[96], file[128];
};

static int sink_write(void *ctx, const void *octets, size_t len)
{
    return fwrite(octets, 1, len, ctx) == len ? 0 : -1;
}

/* A file of three rows: seq, name, raw. */
static void write_parquet(const char *path)
{
    static const struct pq_column columns[] = {
        { "seq", PQ_INT64, PQ_LOGICAL_INT64, .stats = true },
        { "name", PQ_BYTE_ARRAY, PQ_LOGICAL_STRING, .stats = true, .bloom = true },
        { "raw", PQ_BYTE_ARRAY },
    };
    static const int64_t seq[] = { 10, 11, 12 };
    static const char names[] = "alicebobcarol", raw[] = "x\0y'z\xff";
    static const uint32_t name_at[] = { 0, 5, 8, 13 }, raw_at[] = { 0, 3, 5, 6 };
    struct pq_segment s[] = { { .rows = 3, .values = seq },
                              { .rows = 3, .offsets = name_at, .bytes = (const uint8_t *)names },
                              { .rows = 3, .offsets = raw_at, .bytes = (const uint8_t *)raw } };
    FILE *f = fopen(path, "wb");
    struct pq_writer *w = NULL;
    assert_non_null(f);
    assert_int_equal(pq_writer_open(&w, columns, 3, &(struct pq_sink){ sink_write, f }, NULL), 0);
    assert_int_equal(pq_writer_group_begin(w, 3), 0);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(pq_writer_column(w, &(struct pq_data){ .segments = &s[i], .segment_count = 1 }), 0);
    assert_int_equal(pq_writer_group_end(w), 0);
    assert_int_equal(pq_writer_close(w), 0);
    pq_writer_free(w);
    assert_int_equal(fclose(f), 0);
}

static void make_place(struct place *p)
{
    (void)snprintf(p->root, sizeof(p->root), "/tmp/test_duck.XXXXXX");
    assert_non_null(mkdtemp(p->root));
    (void)snprintf(p->lake, sizeof(p->lake), "%s/it's a lake", p->root); /* the name must not matter */
    (void)snprintf(p->temp, sizeof(p->temp), "%s/tmp", p->root);
    (void)snprintf(p->file, sizeof(p->file), "%s/f.parquet", p->lake);
    assert_int_equal(mkdir(p->lake, 0700), 0);
    write_parquet(p->file);
}

static void remove_place(const struct place *p)
{
    char path[160];
    (void)unlink(p->file);
    assert_int_equal(rmdir(p->lake), 0); /* nothing else was written */
    (void)snprintf(path, sizeof(path), "%s/secret.parquet", p->root);
    (void)unlink(path);
    (void)rmdir(p->temp);
    assert_int_equal(rmdir(p->root), 0); /* and no temporary file is left */
}

static struct duck_options options(const struct place *p)
{
    return (struct duck_options){ .lake_dir = p->lake, .temp_dir = p->temp, .memory = 64u << 20 };
}

static struct duck *opened; /* by the test that runs */

static struct duck *open_duck(const struct duck_options *o)
{
    struct errmsg err = { "" };
    assert_int_equal(duck_open(&opened, o, &err), 0);
    return opened;
}

/* A test that failed leaves its worker: the next one must not find it. */
static int tear_down(void **state)
{
    (void)state;
    duck_close(opened);
    opened = NULL;
    return 0;
}

static bool process_is_there(pid_t pid)
{
    return kill(pid, 0) == 0;
}

/* Closes it and sees that the child is gone. */
static void close_duck(struct duck *d, const struct place *p)
{
    pid_t pid = duck_pid(d);
    duck_close(d);
    opened = NULL;
    if (pid != 0)
        assert_false(process_is_there(pid));
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* no child at all */
    remove_place(p);
}

/* All rows as one text: cells by "|", rows by "\n". */
struct text {
    char at[8192];
    size_t len, rows;
};

static void add_octets(struct text *t, const char *before, struct duck_slice s)
{
    t->len += (size_t)snprintf(t->at + t->len, sizeof(t->at) - t->len, "%s", before);
    for (size_t i = 0; i < s.len; i++) {
        bool plain = s.ptr[i] >= ' ' && s.ptr[i] < 0x7f;
        t->len += (size_t)snprintf(t->at + t->len, sizeof(t->at) - t->len, plain ? "%c" : "\\%02x", s.ptr[i]);
    }
}

static void add_cell(struct text *t, const struct duck_value *v)
{
    char *to = t->at + t->len;
    size_t room = sizeof(t->at) - t->len;
    switch (v->kind) {
    case DUCK_NULL:
        t->len += (size_t)snprintf(to, room, "null");
        break;
    case DUCK_BOOL:
        t->len += (size_t)snprintf(to, room, "%s", v->boolean ? "true" : "false");
        break;
    case DUCK_INT64:
        t->len += (size_t)snprintf(to, room, "%lld", (long long)v->number);
        break;
    case DUCK_TIMESTAMP_US:
        t->len += (size_t)snprintf(to, room, "@%lld", (long long)v->number);
        break;
    case DUCK_DOUBLE:
        t->len += (size_t)snprintf(to, room, "%.6g", v->real);
        break;
    case DUCK_TEXT:
        add_octets(t, "t:", v->octets);
        break;
    case DUCK_BLOB:
        add_octets(t, "b:", v->octets);
        break;
    case DUCK_TEXTS:
        fail();
    }
}

static int collect(void *arg, const struct duck_value *cells, size_t count)
{
    struct text *t = arg;
    t->rows++;
    if (t->len > sizeof(t->at) / 2)
        return 0;
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            t->at[t->len++] = '|';
        add_cell(t, &cells[i]);
    }
    t->at[t->len++] = '\n';
    t->at[t->len] = '\0';
    return 0;
}

static int ask(struct duck *d, const char *sql, const struct duck_value *values, size_t count, struct text *t,
               struct errmsg *err)
{
    memset(t, 0, sizeof(*t));
    memset(err, 0, sizeof(*err));
    return duck_query(d, sql, values, count, 0, NULL, collect, t, NULL, err);
}

static void expect(struct duck *d, const char *sql, const struct duck_value *values, size_t count, const char *rows)
{
    struct text t;
    struct errmsg err;
    int rc = ask(d, sql, values, count, &t, &err);
    if (rc != 0)
        fail_msg("%s: %s: %s", sql, duck_error_name(rc), err.text);
    assert_string_equal(t.at, rows);
}

static void refuse_as(struct duck *d, const char *sql, int expected, const char *part)
{
    struct text t;
    struct errmsg err;
    int rc = ask(d, sql, NULL, 0, &t, &err);
    if (rc != expected || strstr(err.text, part) == NULL)
        fail_msg("%s: %s: %s", sql, duck_error_name(rc), err.text);
}

static struct duck_value text_value(const char *s, size_t len)
{
    return (struct duck_value){ .kind = DUCK_TEXT, .octets = { (const uint8_t *)s, len } };
}

static struct duck_value blob_value(const char *s, size_t len)
{
    return (struct duck_value){ .kind = DUCK_BLOB, .octets = { (const uint8_t *)s, len } };
}

static struct duck_value number_value(int64_t n)
{
    return (struct duck_value){ .kind = DUCK_INT64, .number = n };
}

/* ------------------------------------------------------------------------------------------------ values */

static void test_values_come_back_as_they_went(void **state)
{
    struct place p;
    (void)state;
    make_place(&p);
    struct duck_options o = options(&p);
    struct duck *d = open_duck(&o);
    struct duck_value v[] = { { .kind = DUCK_NULL },
                              { .kind = DUCK_BOOL, .boolean = true },
                              number_value(INT64_MIN),
                              { .kind = DUCK_DOUBLE, .real = -1.5 },
                              text_value("o'n\"e; DROP\0Gr\xc3\xbc\xc3\x9f", 18),
                              blob_value("\0\xff'\x80", 4),
                              { .kind = DUCK_TIMESTAMP_US, .number = INT64_C(1700000000123456) },
                              text_value("", 0),
                              blob_value("", 0) };
    assert_int_equal(duck_pid(d), 0); /* nothing is started before it is needed */
    expect(
        d, "SELECT ?::INTEGER, ?, ?, ?, ?, ?, ?, ?, ?", v, COUNT_OF(v),
        "null|true|-9223372036854775808|-1.5|t:o'n\"e; DROP\\00Gr\\c3\\bc\\c3\\9f|b:\\00\\ff'\\80|@1700000000123456|t:|"
        "b:\n");
    assert_int_not_equal(duck_pid(d), 0);
    close_duck(d, &p);
}

static void test_types_of_results(void **state)
{
    struct place p;
    (void)state;
    make_place(&p);
    struct duck_options o = options(&p);
    struct duck *d = open_duck(&o);
    expect(d, "SELECT 1::TINYINT, -2::SMALLINT, 3::UTINYINT, 4::USMALLINT, 5::UINTEGER, 6::UBIGINT, 7::HUGEINT", NULL,
           0, "1|-2|3|4|5|6|7\n");
    expect(d,
           "SELECT 18446744073709551615::UBIGINT, -7::HUGEINT, 1.25, 2.5::FLOAT, 12345678901234567890.5::DECIMAL(30,1)",
           NULL, 0, "1.84467e+19|-7|1.25|2.5|1.23457e+19\n");
    expect(d, "SELECT sum(a), TIMESTAMP '1970-01-01 00:00:01' FROM range(5) t(a)", NULL, 0, "10|@1000000\n");
    refuse_as(d, "SELECT [1, 2]", DUCK_ERR_SQL, "type");
    refuse_as(d, "SELECT 1, DATE '2024-01-01'", DUCK_ERR_SQL, "column 2");
    expect(d, "SELECT 1 WHERE false", NULL, 0, "");
    close_duck(d, &p);
}

static void test_files_are_read(void **state)
{
    struct place p;
    struct duck_stats stats;
    struct errmsg err;
    (void)state;
    make_place(&p);
    struct duck_options o = options(&p);
    struct duck *d = open_duck(&o);
    struct duck_slice files[] = { { (const uint8_t *)p.file, strlen(p.file) } };
    struct duck_value v[] = { { .kind = DUCK_TEXTS, .texts = files, .text_count = 1 }, text_value("bob", 3) };
    expect(d,
           "SELECT seq, name, raw, file_index, file_row_number FROM read_parquet(?, file_row_number = true) WHERE name "
           "= ?",
           v, 2, "11|t:bob|b:'z|0|1\n");
    assert_int_equal(duck_query(d, "SELECT count(*) FROM read_parquet(?)", v, 1, 0, NULL, NULL, NULL, &stats, &err), 0);
    assert_int_equal(stats.rows, 1);
    assert_true(stats.octets_read > 0 && stats.octets_read < 65536);
    assert_true(stats.cpu_us > 0);
    struct duck_value unfit[] = { text_value("\xff\xfe", 2) };
    struct text t;
    assert_int_equal(ask(d, "SELECT ?", unfit, 1, &t, &err), DUCK_ERR_SQL);
    assert_non_null(strstr(err.text, "parameter 1"));
    assert_int_equal(ask(d, "SELECT ?, ?", unfit, 1, &t, &err), DUCK_ERR_SQL);
    assert_string_equal(err.text, "1 values for 2 parameters");
    close_duck(d, &p);
}

static void test_many_rows(void **state)
{
    struct place p;
    struct text t;
    struct errmsg err;
    (void)state;
    make_place(&p);
    struct duck_options o = options(&p);
    o.result_max = 1u << 20;
    struct duck *d = open_duck(&o);
    assert_int_equal(ask(d, "SELECT a FROM range(50000) t(a)", NULL, 0, &t, &err), 0);
    assert_int_equal(t.rows, 50000);
    refuse_as(d, "SELECT a FROM range(100000000) t(a)", DUCK_ERR_LIMIT, "too large");
    refuse_as(d, "SELECT repeat('x', 30000000)", DUCK_ERR_LIMIT, "row");
    expect(d, "SELECT 1", NULL, 0, "1\n");
    struct duck_counters c;
    duck_counters(d, &c);
    assert_int_equal(c.starts, 1); /* all of that by one child */
    assert_int_equal(c.errors[-DUCK_ERR_LIMIT], 2);
    assert_true(c.rss > 0 && c.queries == 4 && c.version[0] == 'v');
    close_duck(d, &p);
}

static int stop_at_three(void *arg, const struct duck_value *cells, size_t count)
{
    size_t *rows = arg;
    (void)cells;
    (void)count;
    return ++*rows == 3;
}

static void test_caller_stops(void **state)
{
    struct place p;
    size_t rows = 0;
    struct errmsg err;
    (void)state;
    make_place(&p);
    struct duck_options o = options(&p);
    struct duck *d = open_duck(&o);
    assert_int_equal(
        duck_query(d, "SELECT a FROM range(100000000) t(a)", NULL, 0, 0, NULL, stop_at_three, &rows, NULL, &err),
        DUCK_ERR_STOPPED);
    assert_int_equal(rows, 3);
    expect(d, "SELECT 2", NULL, 0, "2\n");
    close_duck(d, &p);
}

static void test_sql_errors(void **state)
{
    struct place p;
    (void)state;
    make_place(&p);
    struct duck_options o = options(&p);
    struct duck *d = open_duck(&o);
    refuse_as(d, "SELEC 1", DUCK_ERR_SQL, "syntax error");
    refuse_as(d, "SELECT nothing", DUCK_ERR_SQL, "nothing");
    refuse_as(d, "SELECT 'x'::INTEGER", DUCK_ERR_SQL, "Could not convert");
    refuse_as(d, "SELECT a::TEXT::INTEGER / 0, error('boom') FROM range(5000) t(a)", DUCK_ERR_SQL, "boom");
    refuse_as(d, "SELECT 1; SELECT 2", DUCK_ERR_SQL, "");
    refuse_as(d, "", DUCK_ERR_SQL, "");
    expect(d, "SELECT 3", NULL, 0, "3\n");
    close_duck(d, &p);
}

static void test_memory_is_bounded(void **state)
{
    struct place p;
    struct text t;
    struct errmsg err;
    (void)state;
    make_place(&p);
    struct duck_options o = options(&p);
    o.temp_max = 1u << 20;
    struct duck *d = open_duck(&o);
    int rc = ask(d, "SELECT b FROM (SELECT repeat('x', 2000) || a AS b FROM range(100000) t(a)) ORDER BY hash(b)", NULL,
                 0, &t, &err);
    if (rc != DUCK_ERR_MEMORY)
        fail_msg("%d: %s", rc, err.text);
    expect(d, "SELECT 4", NULL, 0, "4\n");
    struct duck_counters c;
    duck_counters(d, &c);
    assert_int_equal(c.starts, 1);
    close_duck(d, &p);
}

/* ------------------------------------------------------------------------------------------------ time */

static void test_timeout(void **state)
{
    struct place p;
    struct errmsg err;
    struct duck_counters c;
    (void)state;
    make_place(&p);
    struct duck_options o = options(&p);
    struct duck *d = open_duck(&o);
    expect(d, "SELECT 1", NULL, 0, "1\n");
    pid_t pid = duck_pid(d);
    assert_int_equal(duck_query(d, FOREVER, NULL, 0, 50000, NULL, NULL, NULL, NULL, &err), DUCK_ERR_TIMEOUT);
    assert_int_equal(duck_query(d, FOREVER, NULL, 0, 1, NULL, NULL, NULL, NULL, &err), DUCK_ERR_TIMEOUT);
    expect(d, "SELECT 5", NULL, 0, "5\n");
    assert_int_equal(duck_pid(d), pid); /* it lives on */
    duck_counters(d, &c);
    assert_int_equal(c.errors[-DUCK_ERR_TIMEOUT], 2);
    close_duck(d, &p);
}

struct job {
    pthread_t thread;
    struct duck *d;
    const char *sql;
    uint64_t timeout_us;
    atomic_bool cancel;
    int rc;
    struct errmsg err;
};

static void *job_thread(void *arg)
{
    struct job *j = arg;
    j->rc = duck_query(j->d, j->sql, NULL, 0, j->timeout_us, &j->cancel, NULL, NULL, NULL, &j->err);
    return NULL;
}

static void job_start(struct job *j, struct duck *d, const char *sql)
{
    *j = (struct job){ .d = d, .sql = sql, .timeout_us = 100000000 };
    assert_int_equal(pthread_create(&j->thread, NULL, job_thread, j), 0);
}

static int job_end(struct job *j)
{
    assert_int_equal(pthread_join(j->thread, NULL), 0);
    return j->rc;
}

static void nap(void)
{
    (void)nanosleep(&(struct timespec){ 0, 2000000 }, NULL);
}

/* Until so many run and wait, and the child is there. */
static void await_counts(struct duck *d, unsigned running, unsigned waiting)
{
    struct duck_counters c;
    do {
        nap();
        duck_counters(d, &c);
    } while (c.running != running || c.waiting != waiting || duck_pid(d) == 0);
}

static void test_cancel(void **state)
{
    struct place p;
    struct job j;
    (void)state;
    make_place(&p);
    struct duck_options o = options(&p);
    struct duck *d = open_duck(&o);
    job_start(&j, d, FOREVER);
    await_counts(d, 1, 0);
    pid_t pid = duck_pid(d);
    atomic_store(&j.cancel, true);
    assert_int_equal(job_end(&j), DUCK_ERR_CANCELLED);
    assert_int_equal(duck_pid(d), pid);
    expect(d, "SELECT 6", NULL, 0, "6\n");
    close_duck(d, &p);
}

static void test_two_run_and_others_wait(void **state)
{
    struct place p;
    struct job j[4];
    struct errmsg err;
    (void)state;
    make_place(&p);
    struct duck_options o = options(&p);
    o.queue = 2;
    struct duck *d = open_duck(&o);
    for (unsigned i = 0; i < 4; i++) {
        job_start(&j[i], d, i < 2 ? FOREVER : "SELECT 1");
        await_counts(d, i < 2 ? i + 1 : 2, i < 2 ? 0 : i - 1);
    }
    assert_int_equal(duck_query(d, "SELECT 1", NULL, 0, 0, NULL, NULL, NULL, NULL, &err), DUCK_ERR_BUSY);
    assert_non_null(strstr(err.text, "too many"));
    atomic_store(&j[3].cancel, true); /* one that waits may be cancelled, too */
    assert_int_equal(job_end(&j[3]), DUCK_ERR_CANCELLED);
    atomic_store(&j[0].cancel, true);
    assert_int_equal(job_end(&j[0]), DUCK_ERR_CANCELLED);
    assert_int_equal(job_end(&j[2]), 0); /* had its turn while the other still runs */
    await_counts(d, 1, 0);
    atomic_store(&j[1].cancel, true);
    assert_int_equal(job_end(&j[1]), DUCK_ERR_CANCELLED);
    close_duck(d, &p);
}

/* ------------------------------------------------------------------------------------------------ death */

static void test_child_is_killed(void **state)
{
    struct place p;
    struct job j[2];
    struct duck_counters c;
    (void)state;
    make_place(&p);
    struct duck_options o = options(&p);
    struct duck *d = open_duck(&o);
    job_start(&j[0], d, FOREVER);
    job_start(&j[1], d, FOREVER);
    await_counts(d, 2, 0);
    pid_t pid = duck_pid(d);
    assert_int_equal(kill(pid, SIGKILL), 0);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(job_end(&j[i]), DUCK_ERR_DIED);
        assert_string_equal(j[i].err.text, "the query worker killed by signal 9");
    }
    expect(d, "SELECT 7", NULL, 0, "7\n");
    assert_int_not_equal(duck_pid(d), pid);
    assert_false(process_is_there(pid));
    /* Killed while idle: nobody gets an error for that. */
    pid = duck_pid(d);
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitid(P_PID, (id_t)pid, &(siginfo_t){ 0 }, WEXITED | WNOWAIT), 0);
    expect(d, "SELECT 8", NULL, 0, "8\n");
    duck_counters(d, &c);
    assert_int_equal(c.starts, 3);
    assert_int_equal(c.errors[-DUCK_ERR_DIED], 2);
    close_duck(d, &p);
}

static void test_child_crashes(void **state)
{
    struct place p;
    (void)state;
    make_place(&p);
    struct duck_options o = options(&p);
    struct duck *d = open_duck(&o);
    refuse_as(d, "SELECT t_crash(a::TEXT, 'now') FROM range(3) t(a)", DUCK_ERR_DIED, "signal 9");
    expect(d, "SELECT t_crash('x', 'later')", NULL, 0, "false\n");
    close_duck(d, &p);
}

/* A child that neither answers nor ends when it is told to: it goes. Its parent does not wait for ever. */
static void test_child_hangs(void **state)
{
    struct place p;
    struct errmsg err;
    (void)state;
    make_place(&p);
    struct duck_options o = options(&p);
    o.grace_us = 100000;
    struct duck *d = open_duck(&o);
    expect(d, "SELECT 1", NULL, 0, "1\n");
    pid_t pid = duck_pid(d);
    assert_int_equal(kill(pid, SIGSTOP), 0); /* one thread takes it, and stops the others in its time */
    assert_int_equal(waitid(P_PID, (id_t)pid, &(siginfo_t){ 0 }, WSTOPPED | WNOWAIT), 0);
    assert_int_equal(duck_query(d, "SELECT 1", NULL, 0, 10000, NULL, NULL, NULL, NULL, &err), DUCK_ERR_TIMEOUT);
    expect(d, "SELECT 9", NULL, 0, "9\n");
    close_duck(d, &p);
}

static void test_no_library(void **state)
{
    struct place p;
    struct errmsg err, again;
    struct duck_counters c;
    (void)state;
    make_place(&p);
    struct duck_options o = options(&p);
    o.library = "/nonexistent/libduckdb.so";
    struct duck *d = open_duck(&o);
    assert_int_equal(duck_query(d, "SELECT 1", NULL, 0, 0, NULL, NULL, NULL, NULL, &err), DUCK_ERR_UNAVAILABLE);
    assert_non_null(strstr(err.text, "/nonexistent/libduckdb.so"));
    for (int i = 0; i < 50; i++) /* much faster than a child starts each time */
        assert_int_equal(duck_query(d, "SELECT 1", NULL, 0, 0, NULL, NULL, NULL, NULL, &again), DUCK_ERR_UNAVAILABLE);
    assert_string_equal(err.text, again.text);
    duck_counters(d, &c);
    assert_in_range(c.starts, 1, 12);
    assert_int_equal(c.queries, 51);
    close_duck(d, &p);
}

static void test_executable_that_is_no_worker(void **state)
{
    struct place p;
    struct errmsg err;
    (void)state;
    make_place(&p);
    struct duck_options o = options(&p);
    o.executable = "/bin/true";
    struct duck *d = open_duck(&o);
    assert_int_equal(duck_query(d, "SELECT 1", NULL, 0, 0, NULL, NULL, NULL, NULL, &err), DUCK_ERR_UNAVAILABLE);
    assert_non_null(strstr(err.text, "does not start: ended with status 0"));
    close_duck(d, &p);
    make_place(&p);
    o = options(&p);
    o.executable = "/nonexistent/hepcat";
    d = open_duck(&o);
    assert_int_equal(duck_query(d, "SELECT 1", NULL, 0, 0, NULL, NULL, NULL, NULL, &err), DUCK_ERR_UNAVAILABLE);
    assert_non_null(strstr(err.text, "No such file"));
    close_duck(d, &p);
}

/* In a process of its own: runs a query for ever, having told the pid of its worker. */
static void be_parent(const struct duck_options *o, int to)
{
    struct job j;
    struct duck *d = NULL;
    if (duck_open(&d, o, NULL) != 0)
        _exit(1);
    job_start(&j, d, FOREVER);
    await_counts(d, 1, 0);
    pid_t pid = duck_pid(d);
    (void)!write(to, &pid, sizeof(pid));
    for (;;)
        pause();
}

static void test_child_ends_with_its_parent(void **state)
{
    struct place p;
    int fd[2];
    pid_t worker = 0;
    (void)state;
    make_place(&p);
    struct duck_options o = options(&p);
    assert_int_equal(pipe(fd), 0);
    pid_t parent = fork();
    if (parent == 0)
        be_parent(&o, fd[1]);
    assert_int_equal(read(fd[0], &worker, sizeof(worker)), sizeof(worker));
    assert_true(process_is_there(worker));
    kill(parent, SIGKILL);
    assert_int_equal(waitpid(parent, NULL, 0), parent);
    char path[64], line[256] = "Z";
    (void)snprintf(path, sizeof(path), "/proc/%ld/stat", (long)worker);
    for (;;) { /* gone, or a zombie that the init of this place is slow to collect */
        FILE *f = fopen(path, "r");
        if (f == NULL)
            break;
        bool ended = fgets(line, sizeof(line), f) == NULL || strstr(line, ") Z") != NULL || strstr(line, ") X") != NULL;
        fclose(f);
        if (ended)
            break;
        nap();
    }
    close(fd[0]);
    close(fd[1]);
    remove_place(&p);
}

/* ------------------------------------------------------------------------------------------------ walls */

/* Statements that are no SELECT are refused by the worker itself; behind that, by DuckDB's settings and by Landlock. */
static void refuse_all(struct duck *d, const struct place *p, bool landlock)
{
    char sql[512];
    static const char *const always[] = { "SET memory_limit = '1GB'",
                                          "SET enable_external_access = true",
                                          "RESET allowed_directories",
                                          "PRAGMA memory_limit = '1GB'",
                                          "INSTALL httpfs",
                                          "LOAD httpfs",
                                          "SELECT * FROM read_text('/etc/passwd')",
                                          "SELECT * FROM read_parquet('http://127.0.0.1/x.parquet')",
                                          "SELECT * FROM read_text('/proc/self/environ')",
                                          "SELECT * FROM glob('/*')",
                                          "ATTACH '/tmp/x.db'" };
    for (size_t i = 0; i < COUNT_OF(always); i++)
        refuse_as(d, always[i], DUCK_ERR_SQL, "");
    (void)snprintf(sql, sizeof(sql), "SELECT * FROM read_parquet('%s/secret.parquet')", p->root);
    refuse_as(d, sql, DUCK_ERR_SQL, "");
    if (!landlock)
        return;
    /* DuckDB itself would write here: where it may read, it may write. */
    static const char *const writing[][2] = { { "COPY (SELECT 1) TO", "x.csv" },
                                              { "ATTACH", "x.db" },
                                              { "COPY (SELECT 1) TO", "f.parquet" },
                                              { "EXPORT DATABASE", "x" } };
    for (size_t i = 0; i < COUNT_OF(writing); i++) {
        (void)snprintf(sql, sizeof(sql), "%s '%s/it''s a lake/%s'", writing[i][0], p->root, writing[i][1]);
        refuse_as(d, sql, DUCK_ERR_SQL, "");
    }
}

static void test_walls(void **state)
{
    struct place p;
    struct duck_counters c;
    char secret[160];
    (void)state;
    for (int any = 0; any < 2; any++) {
        make_place(&p);
        (void)snprintf(secret, sizeof(secret), "%s/secret.parquet", p.root);
        write_parquet(secret);
        struct duck_options o = options(&p);
        o.any_statement = any == 1;
        struct duck *d = open_duck(&o);
        expect(d, "SELECT 1", NULL, 0, "1\n");
        duck_counters(d, &c);
        refuse_all(d, &p, any == 0 || c.landlock > 0);
        refuse_as(d, any == 0 ? "CREATE TABLE t(a INT)" : "SELECT * FROM t", DUCK_ERR_SQL, "");
        struct duck_value v = text_value(p.file, strlen(p.file));
        expect(d, "SELECT count(*), min(octet_length(raw)) FROM read_parquet(?)", &v, 1, "3|1\n"); /* nothing changed */
        close_duck(d, &p);
    }
}

/* ------------------------------------------------------------------------------------------------ functions */

static bool begins_with(const uint8_t *value, size_t len, const uint8_t *pattern, size_t pattern_len)
{
    return pattern_len <= len && memcmp(value, pattern, pattern_len) == 0;
}

static bool crash(const uint8_t *value, size_t len, const uint8_t *pattern, size_t pattern_len)
{
    (void)value;
    (void)len;
    if (pattern_len == 3 && memcmp(pattern, "now", 3) == 0)
        (void)kill(getpid(), SIGKILL);
    return false;
}

static const struct duck_function functions[] = { { "t_begins", true, begins_with },
                                                  { "t_text_only", false, begins_with },
                                                  { "t_crash", false, crash } };

static void test_functions(void **state)
{
    struct place p;
    (void)state;
    make_place(&p);
    struct duck_options o = options(&p);
    struct duck *d = open_duck(&o);
    struct duck_value v[] = { text_value(p.file, strlen(p.file)), text_value("x\0y", 3), blob_value("\xff", 1) };
    expect(d,
           "SELECT seq, t_begins(raw, ?), t_begins(name, 'a'), t_begins(raw, ?), t_begins(name, name || 'x') "
           "FROM (SELECT * FROM read_parquet(?) ORDER BY seq)",
           (struct duck_value[]){ v[1], v[2], v[0] }, 3,
           "10|true|true|false|false\n11|false|false|false|false\n12|false|false|true|false\n");
    expect(d, "SELECT seq FROM read_parquet(?) WHERE t_begins(name, ?) AND NOT t_text_only(name, 'q')",
           (struct duck_value[]){ v[0], text_value("b", 1) }, 2, "11\n");
    expect(d,
           "SELECT t_begins(NULL, 'x'), t_begins('x', NULL), t_begins('', ''), t_begins('a long text, not inline', 'a "
           "long text,')",
           NULL, 0, "null|null|true|true\n");
    expect(
        d,
        "SELECT count(*), count(t) FROM (SELECT t_begins(CASE WHEN a % 3 = 0 THEN NULL ELSE 'ab' || a END, 'ab1') AS t "
        "FROM range(9000) x(a)) WHERE t IS NULL OR t",
        NULL, 0, "3742|742\n");
    refuse_as(d, "SELECT t_text_only('\\xFF'::BLOB, 'x')", DUCK_ERR_SQL, "t_text_only");
    close_duck(d, &p);
}

static void test_arguments(void **state)
{
    struct place p;
    struct duck *d = NULL;
    struct errmsg err;
    (void)state;
    make_place(&p);
    struct duck_options o = options(&p);
    o.scans = DUCK_SCANS_MAX + 1;
    assert_int_equal(duck_open(&d, &o, &err), DUCK_ERR_USAGE);
    o = options(&p);
    o.lake_dir = NULL;
    assert_int_equal(duck_open(&d, &o, &err), DUCK_ERR_USAGE);
    o = options(&p);
    d = open_duck(&o);
    struct duck_value bad = { .kind = (enum duck_kind)99 };
    assert_int_equal(duck_query(d, "SELECT ?", &bad, 1, 0, NULL, NULL, NULL, NULL, &err), DUCK_ERR_USAGE);
    static char huge[DUCK_QUERY_MAX];
    struct duck_value big = text_value(huge, sizeof(huge));
    assert_int_equal(duck_query(d, "SELECT ?", &big, 1, 0, NULL, NULL, NULL, NULL, &err), DUCK_ERR_LIMIT);
    expect(d, "SELECT 1", NULL, 0, "1\n");
    assert_string_equal(duck_error_name(DUCK_ERR_USAGE), "usage");
    assert_string_equal(duck_error_name(-99), "unknown");
    duck_close(NULL);
    close_duck(d, &p);
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "query-worker") == 0) {
        duck_worker_functions(functions, COUNT_OF(functions));
        return duck_worker_main(argc, argv);
    }
    (void)setenv("HEPCAT_DUCKDB", DUCK_LIBRARY, 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_values_come_back_as_they_went, tear_down),
        cmocka_unit_test_teardown(test_types_of_results, tear_down),
        cmocka_unit_test_teardown(test_files_are_read, tear_down),
        cmocka_unit_test_teardown(test_many_rows, tear_down),
        cmocka_unit_test_teardown(test_caller_stops, tear_down),
        cmocka_unit_test_teardown(test_sql_errors, tear_down),
        cmocka_unit_test_teardown(test_memory_is_bounded, tear_down),
        cmocka_unit_test_teardown(test_timeout, tear_down),
        cmocka_unit_test_teardown(test_cancel, tear_down),
        cmocka_unit_test_teardown(test_two_run_and_others_wait, tear_down),
        cmocka_unit_test_teardown(test_child_is_killed, tear_down),
        cmocka_unit_test_teardown(test_child_crashes, tear_down),
        cmocka_unit_test_teardown(test_child_hangs, tear_down),
        cmocka_unit_test_teardown(test_no_library, tear_down),
        cmocka_unit_test_teardown(test_executable_that_is_no_worker, tear_down),
        cmocka_unit_test_teardown(test_child_ends_with_its_parent, tear_down),
        cmocka_unit_test_teardown(test_walls, tear_down),
        cmocka_unit_test_teardown(test_functions, tear_down),
        cmocka_unit_test_teardown(test_arguments, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
