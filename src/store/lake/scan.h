/* One scan at work, shared by scan.c and the scan_*.c beside it. Private to the folder. */
#ifndef STORE_LAKE_SCAN_H
#define STORE_LAKE_SCAN_H

#include "store/lake/catalog.h"
#include "store/lake/internal.h"
#include "store/lake/top.h"

/* A sealed file that may matter. */
struct scan_file {
    const struct manifest_file *file;
    uint32_t part;
    enum record_table table;
    bool whole;  /* all of its rows are in [from, to) */
    bool rows;   /* may have rows that are wanted */
    bool counts; /* its share of the total is wanted, and not known yet */
};

struct agg; /* agg.h */

struct scan {
    struct lake *lake;
    struct store_pin *pin;
    struct store_scan *s;
    struct agg *agg; /* rows are to be counted in here, not found; NULL: found */
    struct top top;
    uint64_t deadline;          /* of catalog_now(); 0: none */
    bool stopped;               /* out of time, or cancelled: nothing more is begun */
    bool no_duck;               /* the query worker is not to be had */
    uint64_t gave_up;           /* filter_gave_up() at the start */
    bool rows_lost, total_lost; /* something that could not be looked at may have had some */
};

/* The whole of it: c->s is the question and gets the answer. 0, or a negative errno with a text. */
int scan_run(struct scan *c, struct errmsg *err);

/* Out of time, or cancelled? Says so in the outcome. */
bool scan_stop(struct scan *c);

/* Remembers how many rows of a whole file match, unless a regular expression has given up on something. */
void scan_keep_total(const struct scan *c, const struct scan_file *f, uint64_t total);

/* Microseconds left, at least 1; 0: no limit. */
uint64_t scan_left(const struct scan *c);

/* Something could not be looked at: the first text stays. */
void scan_problem(struct scan *c, const char *text);

/* A file could not be read: counted; a damaged one (-EUCLEAN) is noted as suspect. */
void scan_file_failed(struct scan *c, const struct scan_file *f, int rc, const char *text);

/* Is the row behind the place where the last page ended, and one of those whose numbers are wanted? */
bool scan_behind(const struct scan *c, int64_t ts, uint64_t seq);

/* Rows of memory. */
void scan_hot(struct scan *c);

/*
 * Equality tests by key filters: true if the filter has some for the table. scan_keys() then looks at one file; a
 * negative errno with a text if it cannot.
 */
struct scan_keys;
int scan_keys_make(struct scan_keys **ret, const struct filter *f, enum record_table table); /* *ret NULL: none */
void scan_keys_free(struct scan_keys *k);
int scan_keys_file(struct scan *c, const struct scan_keys *k, const struct scan_file *f, struct errmsg *err);

/*
 * Filters by our own page reader, file by file; fast for as many tests as this. More are taken if `any`. *ret NULL: too
 * many. scan_pages_wide(): it needs payloads, which DuckDB expands in several threads.
 */
#define SCAN_PAGES_LEAVES 12u
struct scan_pages;
int scan_pages_make(struct scan_pages **ret, const struct filter *f, enum record_table table, bool any);
void scan_pages_free(struct scan_pages *p);
bool scan_pages_wide(const struct scan_pages *p);
int scan_pages_file(struct scan *c, const struct scan_pages *p, const struct scan_file *f, struct errmsg *err);

/*
 * One slice: files of one table, by DuckDB; a file that it refuses, by our own reader. What fails is told by
 * scan_problem() and scan_file_failed(). False, with nothing told and nothing done, if `optional` and the worker is not
 * to be had.
 */
bool scan_slice(struct scan *c, struct scan_file *files, size_t count, bool optional);

/* The files of one table, those of the greatest bound first. */
struct scan_shelf {
    struct scan_file *files;
    size_t count, next;
    struct scan_keys *keys;   /* these look at one file after the other... */
    struct scan_pages *pages; /* so does this; NULL: only DuckDB can */
    uint64_t slice;           /* rows of the next slice */
};

#define SCAN_SLICE_FIRST ((uint64_t)1 << 20) /* quick first rows; each next slice has twice as many */

/* Looks at the files of all shelves as far as they are needed: by several threads what our own reader does. */
void scan_files(struct scan *c, struct scan_shelf shelves[RECORD_TABLES]);

#endif
