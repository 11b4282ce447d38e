/*
 * What a store of rows can do, whatever it is made of: the only header of src/store/ that others include, besides the
 * one that opens a backend (store/lake/lake.h, named by cmd/ alone). It does not assume files.
 *
 * Writing: append() puts rows into memory, where they can be found at once. A seal moves what is there out of memory:
 * seal_cut() cuts writer by writer, seal_end() makes it durable together with the caller's WAL positions.
 *
 * Reading: pin() takes an immutable snapshot of hot and sealed rows; scan() finds rows in it, as references; fetch()
 * gives their values; aggregate() counts rows. A pin must not be held for long: it holds memory and files.
 *
 * Functions return 0 or a negative errno, with a text where they take an errmsg.
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/errmsg.h"
#include "base/walpos.h"
#include "filter/filter.h"
#include "record/record.h"

struct store;
struct store_pin;

/* ------------------------------------------------------------------------------------------------ references */

/* A row that a scan found, valid as long as its pin. Rows are ordered by (ts, seq). */
struct store_ref {
    int64_t ts;
    uint64_t seq;
    uint32_t part; /* of the pin: a piece of memory or a file; the store's own numbering */
    uint32_t row;  /* in the part */
    uint8_t table; /* enum record_table */
};

#define STORE_LIMIT_MAX 100000 /* most rows of one scan */

#define STORE_GAPS_MAX 16

/*
 * Rows that somebody has had, by their numbers: all up to `max` but the gaps below it. Several writers take numbers at
 * the same time, so a row may be there before one of a lower number is.
 */
struct store_seen {
    uint64_t max;
    uint64_t gaps[STORE_GAPS_MAX]; /* ascending */
    size_t gap_count;
};

static inline bool store_seen_has(const struct store_seen *s, uint64_t seq)
{
    bool has = seq <= s->max;
    for (size_t i = 0; i < s->gap_count && has; i++)
        has = seq != s->gaps[i];
    return has;
}

/* The least number that is not in it. */
static inline uint64_t store_seen_least(const struct store_seen *s)
{
    return s->gap_count > 0 ? s->gaps[0] : s->max + 1;
}

/* ------------------------------------------------------------------------------------------------ scanning */

enum store_total {
    STORE_TOTAL_NONE, /* only the rows are wanted */
    STORE_TOTAL_EXACT /* count all rows that match, as far as the time goes */
};

struct store_scan {
    /* What is wanted. */
    unsigned tables;             /* set of tables; those that the filter excludes are passed over */
    const struct filter *filter; /* NULL: everything */
    int64_t from_us, to_us;      /* ts in [from, to); INT64_MIN and INT64_MAX: open */
    bool oldest_first;           /* else the newest first */
    size_t limit;                /* rows wanted, at most STORE_LIMIT_MAX; 0: only the total */
    bool has_after;              /* rows behind this place only (in the direction of the scan) */
    int64_t after_ts;
    uint64_t after_seq;
    const struct store_seen *beyond; /* rows that are not in it only; as for the place, the total knows nothing of it */
    const struct store_seen *within; /* rows that are in it only; either may be NULL */
    enum store_total total_wanted;
    uint64_t budget_us;        /* wall time; 0: none */
    const atomic_bool *cancel; /* may be NULL */

    /* What came out; released by store_scan_free(). */
    struct store_ref *refs; /* in order */
    size_t count;
    uint64_t total;  /* rows that match, before and behind the place alike; a lower bound if !total_exact */
    bool rows_exact; /* refs are surely the first `limit` rows in order */
    bool total_exact;
    bool timed_out;                                 /* the budget ended it */
    unsigned parts_total, parts_done, parts_failed; /* pieces of memory and files */
    uint64_t octets_read;
    struct errmsg problem; /* why it is partial; empty if it is not */
};

/* ------------------------------------------------------------------------------------------------ counting */

#define STORE_BUCKETS_MAX 1000
#define STORE_VALUES_MAX  10000 /* values that are told apart; fewer if there are more than 100 buckets */
#define STORE_NUMBER_TEXT 32    /* room for the text of a number */

/* By what rows are counted: the values of a column, or the name of the table. */
struct store_by {
    bool tables;                /* by table: `columns` do not count */
    int columns[RECORD_TABLES]; /* TEXT, IP, NUMBER or OPTIONAL; -1: rows of this table have no value */
    /* Text of a number, its length; several numbers may have one text. NULL: decimal digits. */
    size_t (*text)(int64_t number, char out[STORE_NUMBER_TEXT]);
    size_t first; /* of a text so many octets, or fewer to keep a character whole; 0: all of it */
};

struct store_value {
    char *text; /* terminated, may have NULs */
    size_t len;
    uint64_t total;
    uint64_t *counts; /* by bucket */
};

struct store_aggregate {
    /* What is wanted; what struct store_scan has too means the same. */
    unsigned tables;
    const struct filter *filter;
    int64_t from_us, to_us;
    int64_t start_us;   /* bucket i begins at start_us + i * bucket_us; rows in none are not counted */
    uint64_t bucket_us; /* 0: one bucket of all times */
    size_t buckets;     /* 1 .. STORE_BUCKETS_MAX */
    bool has_by;
    struct store_by by;
    const char *prefix; /* only rows with a value that begins so; NULL: all */
    size_t prefix_len;
    bool prefix_nocase; /* without regard to ASCII case */
    size_t values_max;  /* 0: STORE_VALUES_MAX */
    uint64_t budget_us;
    const atomic_bool *cancel;

    /* What came out; released by store_aggregate_free(). All counts are lower bounds if !total_exact. */
    uint64_t *counts;           /* by bucket: all rows */
    uint64_t *none;             /* of these, rows without a value */
    uint64_t *rest;             /* of these, rows whose value is not told */
    struct store_value *values; /* those with the most rows first */
    size_t value_count;
    bool values_exact; /* else there were too many: `rest` has some, of the values too that are told */
    uint64_t total;
    bool total_exact, timed_out;
    unsigned parts_total, parts_done, parts_failed;
    uint64_t octets_read;
    struct errmsg problem;
};

/* ------------------------------------------------------------------------------------------------ SQL */

enum store_sql_kind {
    STORE_SQL_NULL,
    STORE_SQL_BOOLEAN,
    STORE_SQL_INTEGER,
    STORE_SQL_REAL,
    STORE_SQL_TEXT, /* UTF-8, may have NULs */
    STORE_SQL_OCTETS,
    STORE_SQL_TIME /* microseconds since 1970 UTC */
};

struct store_sql_cell {
    enum store_sql_kind kind;
    bool boolean;
    int64_t number; /* INTEGER, TIME */
    double real;
    struct hep_slice octets; /* TEXT, OCTETS; valid during the call */
};

struct store_sql_column {
    struct hep_slice name, type; /* valid during the call */
};

/* A statement that a person typed, over the sealed rows: tables have the names that record_schema() gives. */
struct store_sql {
    const char *text; /* one SELECT */
    uint64_t budget_us;
    const atomic_bool *cancel;
    int (*head)(void *arg, const struct store_sql_column *columns, size_t count); /* once; other than 0 ends it */
    int (*row)(void *arg, const struct store_sql_cell *cells, size_t count);      /* the same */
    void *arg;

    /* What came out, also after an error. */
    uint64_t hot_rows;  /* rows of memory, which the statement did not see */
    int64_t hot_min_us; /* all rows of before that time are sealed; INT64_MAX: all */
    uint64_t octets_read;
};

/* A fetched row: cells by column of the table; those that were not asked for are null. Valid during the call. */
typedef int store_row_fn(void *arg, size_t i, const struct store_ref *ref, const struct record_cell *cells);

/* Columns to fetch: bit i of word i / 64 is column i. */
struct store_columns {
    uint64_t bits[(RECORD_COLUMNS_MAX + 63) / 64];
};

static inline void store_columns_add(struct store_columns *c, unsigned column)
{
    c->bits[column / 64] |= UINT64_C(1) << column % 64;
}

static inline bool store_columns_has(const struct store_columns *c, unsigned column)
{
    return (c->bits[column / 64] >> column % 64 & 1) != 0;
}

/* ------------------------------------------------------------------------------------------------ live calls */

/* Who has the calls that run: rows of these tables that are not appended yet. */
#define STORE_LIVE_TABLES (1u << RECORD_CALL | 1u << RECORD_CALL_KEY)

struct store_live {
    /*
     * Calls row() for each of these tables, until it returns other than 0, which ends it and is returned; then, before
     * one of these is appended or another one begins to be, done(), whose result is returned.
     */
    int (*walk)(void *ctx, unsigned tables, int (*row)(void *arg, const struct record *record), int (*done)(void *arg),
                void *arg);
    void *ctx;
};

/* Which live rows a pin shall have: those that a scan with the same filter and times can find. */
struct store_live_want {
    unsigned tables;             /* of STORE_LIVE_TABLES; others do not matter */
    const struct filter *filter; /* NULL: all */
    int64_t from_us, to_us;      /* as in struct store_scan */
};

/* ------------------------------------------------------------------------------------------------ sealing */

struct store_seal; /* what was cut and is not durable yet */

/* Writes octets behind those before: 0 or a negative errno. */
typedef int store_write_fn(void *to, const void *octets, size_t len);

/* ------------------------------------------------------------------------------------------------ figures */

struct store_figures {
    uint64_t hot_rows, hot_octets; /* in memory now, all tables; octets: what they take */
    uint64_t hot_limit;            /* octets: append() refuses beyond */
    uint64_t sealing_octets;       /* of hot_octets, waiting to be written */
    uint64_t files, file_octets;   /* sealed, live */
    uint64_t rows[RECORD_TABLES];  /* sealed, live */
    uint64_t table_octets[RECORD_TABLES];
    int64_t oldest_us;          /* least ts of sealed rows received from the network; INT64_MAX: none */
    uint64_t appended, refused; /* rows since the start */
    uint64_t seals, seal_errors, seal_us;
    uint64_t merges, merge_errors, merged_files;
    uint64_t superseded;                                  /* rows that newer versions replaced */
    uint64_t retired_files, retired_octets, retired_rows; /* by retention */
    uint64_t set_aside;                                   /* damaged files */
    uint64_t scans, scan_errors;
    uint64_t cpu_zip_us, cpu_seal_us, cpu_merge_us; /* CPU time of the store's own threads */
    int64_t free_octets, disk_octets;               /* of the disk that it is on */
    bool disk_full;                                 /* the last seal failed for want of space */
    uint64_t worker_rss;                            /* octets, of helper processes */
    uint64_t worker_restarts;
    struct errmsg last_error; /* of the store's own threads; empty if there was none since a success */
};

/* Days and octets that a table is kept; 0: no limit. Octets of all tables and the disk's share come on top. */
struct store_retention {
    uint64_t days[RECORD_TABLES];
    uint64_t octets[RECORD_TABLES];
    uint64_t octets_all;
    unsigned disk_percent; /* of the disk that may be in use, by whomever; 0 or 100: no limit */
};

/* ------------------------------------------------------------------------------------------------ the table */

struct store_follower; /* who follows what is appended, and how far it is */

struct store_ops {
    /*
     * Puts a row in memory: 0, or -ENOMEM. It does not look at the limit: full() does, and is to be asked before the
     * frame goes into the WAL. Calls of append() and seal_cut() for one writer must not overlap.
     */
    int (*append)(struct store *s, unsigned writer, const struct record *record);
    bool (*full)(struct store *s);    /* hot rows take all of their limit: take no more, `room` tells when to go on */
    bool (*pressed)(struct store *s); /* they take half of it, and a seal takes a while: seal now */

    /*
     * A seal: seal_begin(), then for each writer seal_cut() with where its WAL was cut (while it neither appends to the
     * WAL nor here): what this writer appended so far belongs to the seal, what comes now does not. A writer that is
     * not cut keeps its rows for the next seal. seal_end() makes it all durable and visible as sealed, at one moment;
     * then the caller drops the WAL below the positions. max_seq: highest number given out so far. After an error
     * everything stays in memory and seal_end() may be called again. One seal at a time. seal_free() after seal_end()
     * returned 0, or at the end of the program.
     */
    int (*seal_begin)(struct store *s, struct store_seal **ret);
    void (*seal_cut)(struct store *s, struct store_seal *seal, unsigned writer, const struct wal_position *position);

    /*
     * Octets of the caller's that belong to the seal, replacing those of the seal before: produce() writes them. They
     * are on disk when it returns 0, and count with seal_end(). To be called before seal_end(); again after an error,
     * and with it seal_cut() of writers without a log (position NULL), which may be cut several times.
     */
    int (*seal_state)(struct store *s, struct store_seal *seal,
                      int (*produce)(void *arg, store_write_fn *write, void *to), void *arg, struct errmsg *err);
    /* The octets of the last seal that had some, appended to *ret: 0; -ENOENT: none; -EUCLEAN: damaged; others. */
    int (*state)(struct store *s, struct buf *ret);

    size_t (*seal_rows)(const struct store_seal *seal);
    size_t (*seal_positions)(const struct store_seal *seal, const struct wal_position **ret); /* those of seal_cut() */
    int (*seal_end)(struct store *s, struct store_seal *seal, uint64_t max_seq, struct errmsg *err);
    void (*seal_free)(struct store_seal *seal); /* NULL is fine */

    /* Merges small files and retires old ones, a bounded piece of work a call. 1: did something, 0: nothing to do. */
    int (*tend)(struct store *s, int64_t now_us, struct errmsg *err);
    /*
     * Newer versions of sealed rows, which a scan of the pin found: of each file all at once, so that a search sees the
     * old rows or the new ones, and totals stay. ret_done[i] false: the row is in memory still, or its file has gone
     * since: look for it anew, later. A row keeps its seq, its table and its payload. By the thread of
     * tend(). 0; a negative errno with a text, what is done stays. NULL: the store cannot.
     */
    int (*replace)(struct store *s, struct store_pin *pin, const struct store_ref *refs, const struct record *rows,
                   size_t n, bool *ret_done, struct errmsg *err);
    void (*retain)(struct store *s, const struct store_retention *retention); /* from now on */

    int (*pin)(struct store *s, struct store_pin **ret);
    void (*unpin)(struct store *s, struct store_pin *pin); /* NULL is fine */

    /* Where live calls come from, until it is called with NULL; not while somebody pins. */
    void (*live)(struct store *s, const struct store_live *live);
    /* As pin(), with the live calls: each call is in it once, whether it runs or not. */
    int (*pin_calls)(struct store *s, const struct store_live_want *want, struct store_pin **ret);

    /* 0, also when partial (scan->problem); negative: nothing could be done. */
    int (*scan)(struct store *s, struct store_pin *pin, struct store_scan *scan, struct errmsg *err);

    /*
     * Values of the rows, in the order of refs; other than 0 from the callback ends it and is returned. A row whose
     * file is damaged is passed over, counted in *ret_failed and told in err; the others come.
     */
    int (*fetch)(struct store *s, struct store_pin *pin, const struct store_ref *refs, size_t n,
                 const struct store_columns *columns, store_row_fn *row, void *arg, size_t *ret_failed,
                 struct errmsg *err);

    /*
     * Follows what is appended from now on, without a cost for who appends. *ret_max: the highest number that is there;
     * rows of lower numbers may still be on their way. A follower holds memory until follow_next() has passed it: to be
     * called several times a second. One thread at a time.
     */
    int (*follow)(struct store *s, struct store_follower **ret, uint64_t *ret_max);
    void (*unfollow)(struct store *s, struct store_follower *f); /* NULL is fine */

    /*
     * The next rows, at most `max`, in the order of their numbers as far as they are there, each once; *ret_refs is
     * valid until the next call, or unfollow(). *ret_pin is to be given to unpin(); NULL if there is no row.
     * *ret_passed: rows passed over, because it was called too late. 0, -ENOMEM.
     */
    int (*follow_next)(struct store *s, struct store_follower *f, size_t max, struct store_pin **ret_pin,
                       const struct store_ref **ret_refs, size_t *ret_count, uint64_t *ret_passed);

    /* Which of the rows, of memory, match; 0, -ENOMEM, -EIO (a payload does not expand). */
    int (*match)(struct store *s, struct store_pin *pin, const struct store_ref *refs, size_t n,
                 const struct filter *filter, bool *ret);

    /* Bounds of the times of all rows of these tables, maybe wider than they are. False if there are none. */
    bool (*span)(struct store *s, struct store_pin *pin, unsigned tables, int64_t *ret_min, int64_t *ret_max);

    /* Counts rows by time and value. 0, also when partial; negative: nothing could be done, nothing is to be freed. */
    int (*aggregate)(struct store *s, struct store_pin *pin, struct store_aggregate *aggregate, struct errmsg *err);

    /*
     * Runs the statement. 0; 1: head() or row() ended it; -EINVAL: it is refused, with a text for who typed it; -ETIME,
     * -ECANCELED, -ENOMEM (beyond its limits), -ENOTSUP (the store has no SQL, or not now), -EBUSY, -EIO.
     */
    int (*sql)(struct store *s, struct store_pin *pin, struct store_sql *sql, struct errmsg *err);

    void (*figures)(struct store *s, struct store_figures *ret);
    void (*close)(struct store *s); /* hot rows that are not sealed are given up: the WAL has them */
};

/* First member of each backend's own struct. */
struct store {
    const struct store_ops *ops;
};

/* Releases what a scan found. */
static inline void store_scan_free(struct store_scan *scan)
{
    free(scan->refs);
    scan->refs = NULL;
    scan->count = 0;
}

static inline void store_aggregate_free(struct store_aggregate *a)
{
    for (size_t i = 0; i < a->value_count; i++)
        free(a->values[i].text);
    free(a->values);
    free(a->counts); /* the others lie in it */
    a->values = NULL;
    a->counts = a->none = a->rest = NULL;
    a->value_count = 0;
}

#endif
