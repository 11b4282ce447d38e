/*
 * SQL that people typed, over views of the sealed files of a pin. It runs in a query worker of its own, one statement
 * at a time: a wild one costs others nothing but its share of the processor. docs/sql.md says what holds it.
 */
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "store/lake/duck.h"
#include "store/lake/internal.h"

#define TEMP_FOLDER "tmp-sql" /* not that of searches: a worker that starts removes what an old one left */
#define VIEW_MAX    ((size_t)2 << 20)

/* ------------------------------------------------------------------------------------------------ the worker */

/* Opened by the first who needs it; the process itself starts with the first statement. */
static struct duck *worker(struct lake *lake, struct errmsg *err)
{
    char temp[VFS_PATH_MAX];
    pthread_mutex_lock(&lake->lock);
    if (lake->typed_duck == NULL && vfs_join(temp, lake->o.data_dir, TEMP_FOLDER) == 0) {
        struct duck_options o = {
            .lake_dir = lake->dir,
            .temp_dir = temp,
            .library = lake->o.duck_library,
            .executable = lake->o.duck_executable,
            .memory = lake->o.duck_memory,
            .temp_max = lake->o.duck_temp_max,
            .threads = lake->o.duck_threads,
            .scans = 1,
            .queue = 4,
            .ordered = true,
        };
        if (duck_open(&lake->typed_duck, &o, err) != 0)
            lake->typed_duck = NULL;
    }
    struct duck *d = lake->typed_duck;
    pthread_mutex_unlock(&lake->lock);
    return d;
}

/* ------------------------------------------------------------------------------------------------ refusals */

/*
 * Functions that SELECT can call and that do more than read: they change the worker for those who come later, read
 * memory by address, or run a text as SQL, which could hide the others. A word is refused wherever it stands: what is a
 * string and what is not is DuckDB's to say, and a second opinion of ours would be a hole.
 */
static const char *const refused[] = {
    "enable_logging",
    "disable_logging",
    "truncate_duckdb_logs",
    "write_log",
    "enable_profiling",
    "disable_profiling",
    "enable_peg_parser",
    "disable_peg_parser",
    "check_peg_parser",
    "checkpoint",
    "force_checkpoint",
    "query",
    "arrow_scan",
    "arrow_scan_dumb",
    "seq_scan",
    "sql_auto_complete",
    "json_execute_serialized_sql",
};

static bool is_word_octet(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || (c & 0x80) != 0;
}

static bool is_refused(const char *word, size_t len)
{
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
        if (strlen(refused[i]) == len && strncasecmp(refused[i], word, len) == 0)
            return true;
    return false;
}

static int check_words(const char *sql, struct errmsg *err)
{
    for (const char *at = sql; *at != '\0';) {
        size_t len = 0;
        while (is_word_octet(at[len]))
            len++;
        if (is_refused(at, len))
            return errmsg_set(err, "'%.*s' cannot be used here, not even in a string", (int)len, at);
        /* Names in other letters: U&"\0065nable_logging". */
        if (len > 0 && (at[len - 1] | 0x20) == 'u' && at[len] == '&' && (at[len + 1] == '"' || at[len + 1] == '\''))
            return errmsg_set(err, "U& with a quote behind it cannot be used here");
        at += len > 0 ? len : 1;
    }
    return 0;
}

/* ------------------------------------------------------------------------------------------------ views */

static const char *type_of(enum record_kind kind)
{
    switch (kind) {
    case RECORD_TIME:
        return "TIMESTAMPTZ";
    case RECORD_SEQ:
        return "BIGINT";
    case RECORD_NUMBER:
    case RECORD_OPTIONAL:
        return "UINTEGER";
    case RECORD_DECIMAL:
        return "DECIMAL(9,2)";
    case RECORD_UID:
        return "UBIGINT";
    case RECORD_TEXT:
    case RECORD_IP:
        return "VARCHAR";
    case RECORD_ADDR:
    case RECORD_BYTES:
        return "BLOB";
    }
    return "VARCHAR";
}

/* Of a table without files. */
static void put_empty(struct buf *b, const struct record_schema *schema)
{
    buf_puts(b, "SELECT ");
    for (size_t i = 0; i < schema->count; i++)
        buf_printf(b, "%sCAST(NULL AS %s) AS %s", i == 0 ? "" : ", ", type_of(schema->columns[i].kind),
                   schema->columns[i].name);
    buf_puts(b, " WHERE false");
}

static void put_path(struct buf *b, const struct lake *lake, const char *path)
{
    char full[VFS_PATH_MAX];
    if (vfs_join(full, lake->dir, path) != 0) {
        b->failed = true;
        return;
    }
    buf_putc(b, '\'');
    for (const char *p = full; *p != '\0'; p++)
        buf_puts(b, (char[3]){ *p, *p == '\'' ? '\'' : '\0' });
    buf_putc(b, '\'');
}

/* The files of the table that can be read; how many. */
static size_t put_files(struct buf *b, const struct lake *lake, const struct store_pin *pin, const char *table)
{
    size_t first, n = 0, count = manifest_pin_table(pin->files, table, &first);
    for (size_t i = first; i < first + count; i++) {
        const struct manifest_file *f = manifest_pin_file(pin->files, i);
        if (f->rows == 0 || f->state != MANIFEST_FILE_OK)
            continue;
        buf_puts(b, n++ == 0 ? "" : ", ");
        put_path(b, lake, f->path);
    }
    return n;
}

/* Does the statement speak of the table? A view costs a look at each of its files. */
static bool is_named(const char *sql, const char *table)
{
    return strcasestr(sql, table) != NULL;
}

/* Statements of ours, terminated, one behind the other in `b`; a name that is not needed is taken away. */
static void put_view(struct buf *b, const struct lake *lake, const struct store_pin *pin, enum record_table table,
                     const char *sql)
{
    const struct record_schema *schema = record_schema(table);
    size_t start = b->len;
    if (!is_named(sql, schema->name)) {
        buf_printf(b, "DROP VIEW IF EXISTS temp.%s", schema->name);
    } else {
        buf_printf(b, "CREATE OR REPLACE TEMP VIEW %s AS ", schema->name);
        size_t at = b->len;
        buf_puts(b, "SELECT * FROM read_parquet([");
        if (put_files(b, lake, pin, schema->name) > 0) {
            buf_puts(b, "], hive_partitioning = false, union_by_name = true)");
        } else {
            b->len = at;
            put_empty(b, schema);
        }
    }
    buf_putc(b, '\0');
    if (b->len - start > VIEW_MAX)
        b->failed = true;
}

/* ------------------------------------------------------------------------------------------------ results */

static int take_head(void *arg, const struct duck_slice *names, const struct duck_slice *types, size_t count)
{
    const struct store_sql *q = arg;
    struct store_sql_column columns[DUCK_COLUMNS_MAX];
    for (size_t i = 0; i < count; i++)
        columns[i] = (struct store_sql_column){ { names[i].ptr, names[i].len }, { types[i].ptr, types[i].len } };
    return q->head != NULL && q->head(q->arg, columns, count) != 0;
}

static struct store_sql_cell cell_of(const struct duck_value *v)
{
    static const enum store_sql_kind kinds[] = {
        [DUCK_NULL] = STORE_SQL_NULL,         [DUCK_BOOL] = STORE_SQL_BOOLEAN, [DUCK_INT64] = STORE_SQL_INTEGER,
        [DUCK_DOUBLE] = STORE_SQL_REAL,       [DUCK_TEXT] = STORE_SQL_TEXT,    [DUCK_BLOB] = STORE_SQL_OCTETS,
        [DUCK_TIMESTAMP_US] = STORE_SQL_TIME, [DUCK_TEXTS] = STORE_SQL_NULL /* of parameters only */
    };
    return (struct store_sql_cell){ .kind = kinds[v->kind],
                                    .boolean = v->boolean,
                                    .number = v->number,
                                    .real = v->real,
                                    .octets = { v->octets.ptr, v->octets.len } };
}

static int take_row(void *arg, const struct duck_value *values, size_t count)
{
    const struct store_sql *q = arg;
    struct store_sql_cell cells[DUCK_COLUMNS_MAX];
    for (size_t i = 0; i < count; i++)
        cells[i] = cell_of(&values[i]);
    return q->row != NULL && q->row(q->arg, cells, count) != 0;
}

static int errno_of(int rc)
{
    switch (rc) {
    case DUCK_OK:
        return 0;
    case DUCK_ERR_STOPPED:
        return 1;
    case DUCK_ERR_SQL:
        return -EINVAL;
    case DUCK_ERR_TIMEOUT:
        return -ETIME;
    case DUCK_ERR_CANCELLED:
        return -ECANCELED;
    case DUCK_ERR_MEMORY:
    case DUCK_ERR_LIMIT:
    case DUCK_ERR_DIED: /* mostly for want of memory; the next statement gets another worker */
        return -ENOMEM;
    case DUCK_ERR_BUSY:
        return -EBUSY;
    case DUCK_ERR_UNAVAILABLE:
        return -ENOTSUP;
    default:
        return -EIO;
    }
}

/* ------------------------------------------------------------------------------------------------ running */

static void note_hot(const struct store_pin *pin, struct store_sql *q)
{
    q->hot_rows = 0;
    q->hot_min_us = INT64_MAX;
    for (size_t i = 0; i < pin->group_count; i++) {
        int64_t min, max;
        if (pin->rows[i] == 0)
            continue;
        group_times(pin->groups[i], &min, &max);
        q->hot_rows += pin->rows[i];
        q->hot_min_us = min < q->hot_min_us ? min : q->hot_min_us;
    }
}

static int run(struct lake *lake, const struct buf *views, const size_t *starts, struct store_sql *q,
               struct errmsg *err)
{
    const char *before[RECORD_TABLES];
    struct duck_stats stats = { .rows = 0 };
    struct duck *d = worker(lake, err);
    if (d == NULL)
        return -ENOTSUP;
    for (size_t i = 0; i < RECORD_TABLES; i++)
        before[i] = (const char *)views->ptr + starts[i];
    const struct duck_script script = { .before = before, .before_count = RECORD_TABLES, .head = take_head };
    int rc = duck_query_script(d, &script, q->text, q->budget_us, q->cancel, take_row, q, &stats, err);
    q->octets_read = stats.octets_read;
    return errno_of(rc);
}

int lake_sql(struct store *store, struct store_pin *pin, struct store_sql *q, struct errmsg *err)
{
    struct lake *lake = (struct lake *)store;
    size_t starts[RECORD_TABLES];
    struct buf views;
    buf_init(&views, DUCK_QUERY_MAX / 2);
    q->octets_read = 0;
    note_hot(pin, q);
    if (check_words(q->text, err) != 0)
        return -EINVAL;
    for (size_t t = 0; t < RECORD_TABLES; t++) {
        starts[t] = views.len;
        put_view(&views, lake, pin, (enum record_table)t, q->text);
    }
    int rc = -ENOTSUP;
    if (views.failed)
        (void)errmsg_set(err, "too many files for one statement");
    else
        rc = run(lake, &views, starts, q, err);
    buf_free(&views);
    return rc;
}
