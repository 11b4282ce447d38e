/*
 * Queries of sealed files by DuckDB, which lives in a child process: its memory limit is not its RSS, wide sorts make
 * it run out of memory, an internal error invalidates it. None of that reaches this process: a query gets an error, and
 * the next one a new child.
 *
 * The child is this executable once more (duck_worker.h), started at the first query. It sees the lake read-only and
 * its own folder for temporary files, and nothing else (Landlock; a kernel without it is said in the counters). SQL
 * text must be the program's own; what users typed goes into values, which are bound as parameters: files, row groups
 * and pages are skipped for them as for literals (docs/lake-queries.md).
 *
 * All functions may be called from any thread, except that duck_close() must be the last.
 */
#ifndef STORE_LAKE_DUCK_H
#define STORE_LAKE_DUCK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/errmsg.h"

#define DUCK_SCANS_MAX  8
#define DUCK_VALUES_MAX 8192        /* parameters of a query */
#define DUCK_QUERY_MAX  (8u << 20)  /* octets of SQL and values together */
#define DUCK_ROW_MAX    (16u << 20) /* octets of a row */
#define DUCK_COLUMNS_MAX 256u /* of a result */

enum duck_error {
    DUCK_OK = 0,
    DUCK_ERR_TIMEOUT = -1,     /* the query was interrupted; the child lives on */
    DUCK_ERR_CANCELLED = -2,   /* *cancel became true; the child lives on */
    DUCK_ERR_SQL = -3,         /* DuckDB says no: its text */
    DUCK_ERR_DIED = -4,        /* the child ended, by itself or by someone else's hand; the next query gets a new one */
    DUCK_ERR_BUSY = -5,        /* `scans` queries run and `queue` wait */
    DUCK_ERR_MEMORY = -6,      /* beyond `memory` or `address_space` */
    DUCK_ERR_LIMIT = -7,       /* result beyond `result_max`, a row beyond DUCK_ROW_MAX, SQL and values too long */
    DUCK_ERR_UNAVAILABLE = -8, /* the child cannot be started, or has no library; after a time that doubles up to 30 s
                                  it is tried again, until then the last text is given at once */
    DUCK_ERR_INTERNAL = -9,    /* an internal error of DuckDB: the child is replaced */
    DUCK_ERR_STOPPED = -10,    /* row() did not return 0 */
    DUCK_ERR_USAGE = -11       /* a bad argument: the text says which */
};
#define DUCK_ERROR_COUNT 12

/* Name of an error as in metrics, e.g. "timeout"; "ok" for 0. Static. */
const char *duck_error_name(int error);

/* All texts are copied. A zero means the default in brackets. */
struct duck_options {
    const char *lake_dir;   /* all files that are read are below; must be there */
    const char *temp_dir;   /* what does not fit into memory; made if need be, DuckDB's old files in it are removed */
    const char *library;    /* NULL: $HEPCAT_DUCKDB, beside the executable, ../lib/hepcat */
    const char *executable; /* NULL: this one; "query-worker" is its argument */
    size_t memory;          /* octets, DuckDB's memory_limit [96 MiB] */
    size_t address_space;   /* octets, RLIMIT_AS [none]; not under sanitizers */
    uint64_t temp_max;      /* octets of temporary files [1 GiB] */
    unsigned threads;       /* of DuckDB, for all queries together [2] */
    unsigned scans;         /* queries at the same time [2]; at most DUCK_SCANS_MAX */
    unsigned queue;         /* queries that may wait beyond these [32] */
    size_t result_max;      /* octets of the cells of one result [64 MiB] */
    uint64_t grace_us;      /* for an interrupted query to end before its child is killed [5 s] */
    bool ordered;           /* results keep the order of what they are made of, at a price */
    bool any_statement;     /* not only SELECT: for tests of the walls behind that one */
};

enum duck_kind {
    DUCK_NULL,
    DUCK_BOOL,
    DUCK_INT64,
    DUCK_DOUBLE,
    DUCK_TEXT, /* UTF-8, NUL octets allowed */
    DUCK_BLOB,
    DUCK_TIMESTAMP_US, /* microseconds since 1970, UTC: TIMESTAMP WITH TIME ZONE */
    DUCK_TEXTS         /* parameters only: a list of texts (VARCHAR[]), e.g. the files of read_parquet(?) */
};

struct duck_slice {
    const uint8_t *ptr;
    size_t len;
};

/* A parameter, borrowed during the call; or a cell of a result, valid during row(). */
struct duck_value {
    enum duck_kind kind;
    bool boolean;
    int64_t number;                 /* DUCK_INT64, DUCK_TIMESTAMP_US */
    double real;                    /* DUCK_DOUBLE */
    struct duck_slice octets;       /* DUCK_TEXT, DUCK_BLOB */
    const struct duck_slice *texts; /* DUCK_TEXTS */
    size_t text_count;
};

/*
 * One row. Integers of every width are DUCK_INT64, HUGEINT and UBIGINT beyond that, FLOAT and DECIMAL are DUCK_DOUBLE,
 * TIMESTAMP is DUCK_TIMESTAMP_US; other types are an error (DUCK_ERR_SQL): cast them. Other than 0 ends the query.
 */
typedef int duck_row_fn(void *arg, const struct duck_value *cells, size_t count);

/* Of the whole child while the query ran: two queries at the same time see each other's. */
struct duck_stats {
    uint64_t rows;
    uint64_t octets_read; /* by read(), from page cache or disk */
    uint64_t cpu_us;
    uint64_t gave_up; /* values on which functions gave up: duck_worker_gave_up() */
};

struct duck;

/* Only remembers the options: the child starts at the first query. 0, or DUCK_ERR_USAGE, DUCK_ERR_MEMORY. */
int duck_open(struct duck **ret, const struct duck_options *options, struct errmsg *err);

/* Ends the child and waits for its end; no query may be running. NULL is fine. */
void duck_close(struct duck *d);

/*
 * Runs one SELECT with `count` parameters and calls row(arg, ...) in this thread for each row; rows come in while the
 * query still runs. Waits for its turn behind the queries before it. `timeout_us` counts from the call, 0: none.
 * `cancel` may be NULL, else it is looked at every 20 ms. `stats` and `row` may be NULL. Rows may have been delivered
 * when an error is returned. 0 or an enum duck_error with a text.
 */
int duck_query(struct duck *d, const char *sql, const struct duck_value *values, size_t count, uint64_t timeout_us,
               const atomic_bool *cancel, duck_row_fn *row, void *arg, struct duck_stats *stats, struct errmsg *err);

/* Around a statement that a person typed. */
struct duck_script {
    const char *const *before; /* statements of ours that are run first, such as make views; of any kind */
    size_t before_count;
    /* Columns of the result, before its rows; texts are valid during the call. Other than 0 ends the query. */
    int (*head)(void *arg, const struct duck_slice *names, const struct duck_slice *types, size_t count);
};

/*
 * As duck_query(), for such a statement: one SELECT without parameters. Values of types that have no enum duck_kind
 * come as texts.
 */
int duck_query_script(struct duck *d, const struct duck_script *script, const char *sql, uint64_t timeout_us,
                      const atomic_bool *cancel, duck_row_fn *row, void *arg, struct duck_stats *stats,
                      struct errmsg *err);

/* Process of the child, 0 if there is none at present. */
pid_t duck_pid(struct duck *d);

struct duck_counters {
    uint64_t queries;                  /* ended, in whatever way */
    uint64_t errors[DUCK_ERROR_COUNT]; /* [-enum duck_error]; [0] went well */
    uint64_t starts;                   /* children started: all but the first are restarts */
    uint64_t rows;
    uint64_t octets_read;
    uint64_t cpu_us;
    unsigned running;
    unsigned waiting;
    uint64_t rss;     /* octets, of the child now; 0 without one */
    int landlock;     /* ABI of Landlock that holds the child, 0: none; -1 before the first start */
    char version[32]; /* of DuckDB, "" before the first start */
};
void duck_counters(struct duck *d, struct duck_counters *ret);

#endif
