/* SQL that people typed, with the real DuckDB: what it sees, and what it must not get at. */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fake_duck.h"
#include "lake_lab.h"
#include "store/lake/duck.h"
#include "store/lake/duck_worker.h"

struct fake_duck fake_duck; /* lake_lab.c tells the stand-in what is asked: nobody listens here */

static char root[64];

/* ------------------------------------------------------------------------------------------------ asking */

struct answer {
    char head[2048], rows[16384];
    size_t head_len, len, count, enough;
    int rc;
    struct errmsg err;
    struct store_sql q;
};

static int take_head(void *arg, const struct store_sql_column *columns, size_t count)
{
    struct answer *a = arg;
    for (size_t i = 0; i < count; i++)
        a->head_len += (size_t)snprintf(a->head + a->head_len, sizeof(a->head) - a->head_len, "%s%.*s %.*s",
                                        i == 0 ? "" : ",", (int)columns[i].name.len, (const char *)columns[i].name.ptr,
                                        (int)columns[i].type.len, (const char *)columns[i].type.ptr);
    return 0;
}

static void put(struct answer *a, const struct store_sql_cell *c)
{
    char *to = a->rows + a->len;
    size_t room = sizeof(a->rows) - a->len;
    int n = 0;
    switch (c->kind) {
    case STORE_SQL_NULL:
        n = snprintf(to, room, "null");
        break;
    case STORE_SQL_BOOLEAN:
        n = snprintf(to, room, "%s", c->boolean ? "true" : "false");
        break;
    case STORE_SQL_INTEGER:
        n = snprintf(to, room, "%" PRId64, c->number);
        break;
    case STORE_SQL_REAL:
        n = snprintf(to, room, "%g", c->real);
        break;
    case STORE_SQL_TEXT:
    case STORE_SQL_OCTETS:
        n = snprintf(to, room, "%.*s", (int)c->octets.len, (const char *)c->octets.ptr);
        break;
    case STORE_SQL_TIME:
        n = snprintf(to, room, "@%" PRId64, c->number);
        break;
    }
    a->len += n > 0 && (size_t)n < room ? (size_t)n : 0;
}

static int take_row(void *arg, const struct store_sql_cell *cells, size_t count)
{
    struct answer *a = arg;
    for (size_t i = 0; i < count; i++) {
        if (a->len + 2 < sizeof(a->rows))
            a->len += (size_t)snprintf(a->rows + a->len, 3, "%s", i == 0 ? (a->count > 0 ? "\n" : "") : "|");
        put(a, &cells[i]);
    }
    return ++a->count == a->enough;
}

static struct answer *ask_for(struct lab *lab, const char *sql, uint64_t budget_us, size_t enough)
{
    static struct answer a;
    struct store_pin *pin;
    memset(&a, 0, sizeof(a));
    a.enough = enough;
    a.q = (struct store_sql){ .text = sql, .budget_us = budget_us, .head = take_head, .row = take_row, .arg = &a };
    assert_int_equal(lab->store->ops->pin(lab->store, &pin), 0);
    a.rc = lab->store->ops->sql(lab->store, pin, &a.q, &a.err);
    lab->store->ops->unpin(lab->store, pin);
    assert_true(a.rc >= 0 || a.err.text[0] != '\0');
    return &a;
}

static struct answer *ask(struct lab *lab, const char *sql)
{
    return ask_for(lab, sql, 60000000, 0);
}

static void answers(struct lab *lab, const char *sql, const char *rows)
{
    const struct answer *a = ask(lab, sql);
    if (a->rc != 0)
        fail_msg("%s: %d %s", sql, a->rc, a->err.text);
    assert_string_equal(a->rows, rows);
}

static struct lab *new_lab(void)
{
    (void)snprintf(root, sizeof(root), "/tmp/test_lake_sql.XXXXXX");
    assert_non_null(mkdtemp(root));
    return lab_new(root, DUCK_LIBRARY);
}

static void end_lab(struct lab *lab)
{
    char command[128];
    lab_free(lab);
    (void)snprintf(command, sizeof(command), "rm -rf '%s'", root);
    assert_int_equal(system(command), 0);
}

/* ------------------------------------------------------------------------------------------------ what it sees */

static void test_views(void **state)
{
    (void)state;
    struct lab *lab = new_lab();
    char want[64];
    lab_append(lab, RECORD_SIP, 300);
    lab_seal(lab);
    lab_append(lab, RECORD_SIP, 200);
    lab_append(lab, RECORD_MEDIA, 50);
    lab_seal(lab);
    lab_append(lab, RECORD_SIP, 7); /* in memory */
    answers(lab, "SELECT count(*) FROM sip", "500");
    answers(lab, "select COUNT(*) from SIP;", "500");
    answers(lab,
            "SELECT (SELECT count(*) FROM sip), (SELECT count(*) FROM media), (SELECT count(*) FROM log), "
            "(SELECT count(*) FROM other)",
            "500|50|0|0");
    answers(lab, "WITH x AS (SELECT seq FROM sip) SELECT max(seq) FROM x", "500");
    answers(lab, "FROM sip SELECT min(seq)", "1");
    answers(lab, "SELECT count(*) FROM log WHERE kind = 'x' AND payload IS NOT NULL AND ts > now()", "0");
    (void)snprintf(want, sizeof(want), "@%" PRId64, lab->rows[1].ts);
    answers(lab, "SELECT ts FROM sip WHERE seq = 1", want);
    const struct answer *a = ask(lab, "SELECT seq FROM sip ORDER BY seq DESC");
    assert_int_equal(a->count, 500);
    assert_memory_equal(a->rows, "500\n499\n498\n", 12);
    assert_int_equal(a->q.hot_rows, 7);
    assert_int_equal(a->q.hot_min_us > 0 && a->q.hot_min_us < INT64_MAX, 1);
    /* A view of an earlier statement is not there any more once its rows may be gone. */
    lab_seal(lab);
    answers(lab, "SELECT count(*) FROM sip", "507");
    assert_int_equal(ask(lab, "SELECT count(*) FROM sop")->rc, -EINVAL);
    end_lab(lab);
}

static void test_types(void **state)
{
    (void)state;
    struct lab *lab = new_lab();
    const struct answer *a =
        ask(lab, "SELECT 1::INTEGER AS a, 'x' AS \"b c\", now() AS t, 1.5::DOUBLE AS d, true AS y");
    assert_int_equal(a->rc, 0);
    assert_string_equal(a->head, "a INTEGER,b c VARCHAR,t TIMESTAMP WITH TIME ZONE,d DOUBLE,y BOOLEAN");
    /* Types that are delivered as texts, in order, with the names that they had. */
    a = ask(lab,
            "SELECT DATE '2026-01-31' AS a, [1, 2] AS l, {'x': 1} AS s, i AS i, i AS i FROM range(3) r(i) ORDER BY "
            "i DESC -- and a comment");
    assert_int_equal(a->rc, 0);
    assert_string_equal(a->head, "a VARCHAR,l VARCHAR,s VARCHAR,i BIGINT,i BIGINT");
    assert_string_equal(a->rows,
                        "2026-01-31|[1, 2]|{'x': 1}|2|2\n2026-01-31|[1, 2]|{'x': 1}|1|1\n2026-01-31|[1, 2]|{'x': "
                        "1}|0|0");
    /* A result too wide is a mistake, and the worker lives. */
    char wide[4096] = "SELECT 0";
    for (size_t i = 1, n = strlen(wide); i < 300; i++)
        n += (size_t)snprintf(wide + n, sizeof(wide) - n, ",%zu", i);
    a = ask(lab, wide);
    assert_int_equal(a->rc, -EINVAL);
    assert_string_equal(a->err.text, "300 columns in a result, of at most 256");
    a = ask(lab, "SELECT INTERVAL 1 DAY AS i;\n ; ");
    assert_int_equal(a->rc, 0);
    assert_string_equal(a->rows, "1 day");
    end_lab(lab);
}

/* ------------------------------------------------------------------------------------------------ walls */

static size_t count_files(const char *dir)
{
    char path[512];
    struct stat st;
    size_t n = 0;
    DIR *d = opendir(dir);
    assert_non_null(d);
    for (const struct dirent *e = readdir(d); e != NULL; e = readdir(d)) {
        if (e->d_name[0] == '.')
            continue;
        (void)snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
        n += stat(path, &st) == 0 && S_ISDIR(st.st_mode) ? count_files(path) : 1;
    }
    closedir(d);
    return n;
}

/* Each of these must fail: ROOT stands for the data directory. */
static const char *const escapes[] = {
    /* other files */
    "SELECT * FROM read_csv('/etc/passwd')",
    "SELECT * FROM read_csv_auto('/etc/passwd', sep=':', header=false)",
    "SELECT * FROM '/etc/passwd'",
    "SELECT * FROM read_text('/etc/passwd')",
    "SELECT * FROM read_blob('/etc/hostname')",
    "SELECT * FROM read_text('ROOT/secret')",
    "SELECT * FROM read_text('ROOT/lake/../secret')",
    "SELECT * FROM read_csv('ROOT/lake/../secret')",
    "SELECT * FROM read_json('/etc/passwd')",
    "SELECT * FROM read_parquet('ROOT/secret')",
    "SELECT * FROM parquet_metadata('/etc/passwd')",
    "SELECT * FROM parquet_schema('ROOT/secret')",
    "SELECT * FROM sniff_csv('/etc/passwd')",
    "SELECT * FROM read_text('/proc/self/environ')",
    "SELECT * FROM read_text('file:///etc/passwd')",
    "SELECT * FROM read_csv('https://example.com/x.csv')",
    "SELECT * FROM read_csv('s3://bucket/x.csv')",
    "SELECT getenv('PATH')",
    "SELECT * FROM read_duckdb('ROOT/secret')",
    /* other statements */
    "ATTACH '/tmp/x.db'",
    "ATTACH ':memory:' AS x",
    "COPY (SELECT 1) TO '/tmp/test_lake_sql.out'",
    "COPY (SELECT 1) TO 'ROOT/lake/x.parquet'",
    "COPY sip TO 'ROOT/lake/sip/x.parquet'",
    "EXPORT DATABASE 'ROOT/lake/x'",
    "IMPORT DATABASE 'ROOT/lake/x'",
    "INSTALL httpfs",
    "LOAD httpfs",
    "LOAD 'ROOT/lake/x.so'",
    "PRAGMA enable_profiling",
    "SET memory_limit = '10GB'",
    "SET lock_configuration = false",
    "SET enable_external_access = true",
    "RESET memory_limit",
    "SET VARIABLE x = 1",
    "CREATE TABLE x (a INT)",
    "CREATE TEMP TABLE x AS SELECT 1",
    "CREATE VIEW x AS SELECT 1",
    "CREATE MACRO f(x) AS x",
    "CREATE SECRET s (TYPE s3)",
    "DROP VIEW sip",
    "INSERT INTO sip SELECT * FROM sip",
    "DELETE FROM sip",
    "UPDATE sip SET method = 'X'",
    "CALL enable_logging()",
    "CHECKPOINT",
    "VACUUM",
    "USE temp",
    "BEGIN",
    "PREPARE x AS SELECT 1",
    "EXECUTE x",
    /* functions that do more than read */
    "SELECT * FROM enable_logging(storage := 'file', storage_path := 'ROOT/lake/log')",
    "SELECT * FROM system.main.\"Enable_Logging\"()",
    "SELECT * FROM U&\"\\0065nable_logging\"()",
    "SELECT * FROM query('SELECT * FROM ' || 'enable' || '_logging()')",
    "SELECT * FROM json_execute_serialized_sql('{}')",
    "SELECT * FROM arrow_scan(1, 2, 3)",
    "SELECT * FROM force_checkpoint()",
    "SELECT * FROM enable_profiling()",
    "SELECT /* query */ 1",
    /* several, or none, or half */
    "SELECT 1; SELECT 2",
    "SELECT 1; COPY (SELECT 1) TO 'ROOT/lake/x.parquet'",
    "COPY (SELECT 1) TO 'ROOT/lake/x.parquet'; SELECT 1",
    "SELECT DATE '2026-01-01') AS t(c0); COPY (SELECT 1) TO 'ROOT/lake/x.parquet' --",
    "SELECT * FROM query('COPY (SELECT 1) TO ''ROOT/lake/x.parquet''')",
    "SELECT * FROM query('SELECT * FROM read_text(''/etc/passwd'')')",
    "",
    ";",
    "-- nothing",
    "SELECT",
    "SELECT ?",
    "SELECT $1",
    "SELECT * FROM nothing",
};

static const char *with_root(const char *sql)
{
    static char text[1024];
    size_t len = 0;
    for (const char *at = sql; *at != '\0';) {
        bool here = strncmp(at, "ROOT", 4) == 0;
        len += (size_t)snprintf(text + len, sizeof(text) - len, here ? "%s" : "%.1s", here ? root : at);
        at += here ? 4 : 1;
    }
    text[len] = '\0';
    return text;
}

static void test_escapes(void **state)
{
    (void)state;
    struct lab *lab = new_lab();
    char path[128];
    lab_append(lab, RECORD_SIP, 100);
    lab_seal(lab);
    (void)snprintf(path, sizeof(path), "%s/secret", root);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    (void)fputs("secret:x\n", f);
    assert_int_equal(fclose(f), 0);
    answers(lab, "SELECT count(*) FROM sip", "100");
    (void)snprintf(path, sizeof(path), "%s/lake", root);
    size_t files = count_files(path);
    pid_t pid = duck_pid(lab->lake->typed_duck);
    for (size_t i = 0; i < COUNT_OF(escapes); i++) {
        const char *sql = with_root(escapes[i]);
        const struct answer *a = ask(lab, sql);
        if (a->rc != -EINVAL)
            fail_msg("%s: %d %s: %s", sql, a->rc, a->err.text, a->rows);
        assert_int_equal(a->count, 0);
    }
    /* These may answer, but must not tell anything. */
    (void)ask(lab, "PRAGMA database_list"); /* DuckDB makes a SELECT of it */
    const struct answer *a = ask(lab, "SELECT * FROM glob('/etc/*')");
    assert_int_equal(a->count, 0);
    a = ask(lab, with_root("SELECT * FROM glob('ROOT/*')"));
    assert_null(strstr(a->rows, "secret"));
    /* Nothing was written, nothing is broken, and it is the same worker still. */
    assert_int_equal(count_files(path), files);
    answers(lab, "SELECT count(*) FROM sip", "100");
    answers(lab, "SELECT current_setting('enable_external_access')", "false");
    assert_int_equal(duck_pid(lab->lake->typed_duck), pid);
    assert_int_not_equal(access("/tmp/test_lake_sql.out", F_OK), 0);
    end_lab(lab);
}

/* A wild statement ends, and the next one runs. Searches have another worker. */
static void test_wild_statements(void **state)
{
    (void)state;
    struct lab *lab = new_lab();
    lab_append(lab, RECORD_SIP, 100);
    lab_seal(lab);
    const struct answer *a =
        ask_for(lab, "SELECT count(*) FROM range(1000000000000) t(a) WHERE a * a % 7 = 8", 500000, 0);
    assert_int_equal(a->rc, -ETIME);
    a = ask_for(lab, "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT count(*) FROM r", 500000,
                0);
    assert_true(a->rc == -ETIME || a->rc == -ENOMEM);
    a = ask_for(lab, "SELECT length(string_agg(repeat('x', 1000000), ',')) FROM range(100000)", 5000000, 0);
    assert_true(a->rc == -ENOMEM || a->rc == -EINVAL || a->rc == -ETIME);
    a = ask_for(lab, "SELECT repeat('x', 4000000) FROM range(1000)", 5000000, 0);
    if (a->rc != -ENOMEM && a->rc != -ETIME) /* it is much to do for a machine that has other things to do */
        fail_msg("%d %s", a->rc, a->err.text);
    a = ask_for(lab, "SELECT * FROM range(1000000000)", 60000000, 10);
    assert_int_equal(a->rc, 1);
    assert_int_equal(a->count, 10);
    atomic_bool cancel = true;
    struct store_pin *pin;
    struct errmsg err = { "" };
    struct store_sql q = { .text = "SELECT count(*) FROM range(1000000000000) t(a) WHERE a * a % 7 = 8",
                           .cancel = &cancel };
    assert_int_equal(lab->store->ops->pin(lab->store, &pin), 0);
    assert_int_equal(lab->store->ops->sql(lab->store, pin, &q, &err), -ECANCELED);
    lab->store->ops->unpin(lab->store, pin);
    answers(lab, "SELECT count(*) FROM sip", "100");
    assert_null(lab->lake->duck);
    end_lab(lab);
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "query-worker") == 0)
        return duck_worker_main(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_views),
        cmocka_unit_test(test_types),
        cmocka_unit_test(test_escapes),
        cmocka_unit_test(test_wild_statements),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
