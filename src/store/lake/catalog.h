/*
 * What is remembered of sealed files between queries: open readers, the key filters of their row groups, totals of
 * whole files, and files that looked damaged. Everything is bounded and forgotten by age of use; any thread may call.
 *
 * A reader (with its file descriptor and footer) belongs to one thread at a time: catalog_take() and catalog_give().
 *
 * Key filters are the files' own bloom filters of key columns (lake_column_is_key()), one a row group, kept in memory: an
 * equality look-up then touches only the row groups that may have the key, and a key that nobody has costs no file.
 * About 16 kB a row group and column (32768 rows, 5000 calls).
 */
#ifndef STORE_LAKE_CATALOG_H
#define STORE_LAKE_CATALOG_H

#include "store/lake/columns.h"
#include "store/lake/manifest.h"
#include "store/parquet/reader.h"

struct catalog;

/* Microseconds of a clock that only goes forward. */
uint64_t catalog_now(void);

/* A zero means the default in brackets. */
struct catalog_options {
    const struct vfs *vfs; /* [vfs_posix()]; must live as long as the catalog */
    const char *dir;       /* of the lake; copied */
    unsigned readers_max;  /* open and not in use [64] */
    size_t reader_octets;  /* memory of these [24 MiB] */
    size_t filter_octets;  /* memory of key filters [96 MiB] */
    size_t totals_max;     /* totals remembered [32768], 100 octets each */
};

/* 0, -ENOMEM, -ENAMETOOLONG. */
int catalog_open(struct catalog **ret, const struct catalog_options *options);
void catalog_close(struct catalog *c); /* every file and filter must be back; NULL is fine */

/* ------------------------------------------------------------------------------------------------ readers */

struct catalog_file {
    struct pq_reader *reader;
    int16_t columns[RECORD_COLUMNS_MAX]; /* of the file, by column of the table; -1: a file of an older release */
    enum record_table table;
    uint64_t octets; /* read by the reader when it was taken */
    /* The catalog's own. */
    struct catalog *catalog;
    int file, source_error;
    uint64_t used;
    char path[MANIFEST_PATH_MAX];
};

/*
 * A reader of the file: one that is open, or a new one. -EUCLEAN: it is damaged or not ours; -ENOENT: it is not there;
 * other errnos of opening and reading (-EMFILE, -EIO) say nothing of what is in it. The text says where and why.
 */
int catalog_take(struct catalog *c, const struct manifest_file *f, enum record_table table, struct catalog_file **ret,
                 struct errmsg *err);

/* Gives it back. `sound`: nothing went wrong with it, keep it open for the next. NULL is fine. */
void catalog_give(struct catalog_file *f, bool sound);

/* An error of the reader as an errno (as above) with its text. Returns it. */
int catalog_error(const struct catalog_file *f, int pq_error, struct errmsg *err);

/* Octets that were read since it was taken. */
uint64_t catalog_octets(const struct catalog_file *f);

/* One cell; null for a column that the file does not have. The octets are valid until the next call for the column. */
int catalog_cell(struct catalog_file *f, unsigned column, uint64_t row, struct record_cell *ret);

/* ------------------------------------------------------------------------------------------------ key filters */

struct key_filter;

/*
 * The filters of one column of the file, out of memory or read from it. Errors as catalog_take(). *octets grows by what
 * was read.
 */
int catalog_filter(struct catalog *c, const struct manifest_file *f, enum record_table table, unsigned column,
                   struct key_filter **ret, uint64_t *octets, struct errmsg *err);
void catalog_filter_release(struct key_filter *k); /* NULL is fine */

size_t key_filter_groups(const struct key_filter *k);
bool key_filter_maybe(const struct key_filter *k, size_t group, uint64_t hash); /* pq_filter_hash(); false is certain */

/* ------------------------------------------------------------------------------------------------ totals */

/* Rows of the file that match the filter of that text (filter_text()), without regard to time. */
bool catalog_total(struct catalog *c, const char *path, const char *filter, uint64_t *ret);
void catalog_total_put(struct catalog *c, const char *path, const char *filter, uint64_t total);

/* ------------------------------------------------------------------------------------------------ sources */

/* enum record_source of the rows of the file, out of memory or of its footer. Errors as catalog_take(). */
int catalog_source(struct catalog *c, const struct manifest_file *f, enum record_table table, uint32_t *ret,
                   struct errmsg *err);

/* ------------------------------------------------------------------------------------------------ damage, age */

#define CATALOG_SUSPECTS_MAX 64

/* Says that the file looked damaged: it is to be checked and set aside (tend.c). True if that is news. */
bool catalog_suspect(struct catalog *c, const char *path, const char *text);
bool catalog_suspected(struct catalog *c, const char *path);

/* One that is to be checked; false if there is none. catalog_cleared() takes it off the list. */
bool catalog_next_suspect(struct catalog *c, char path[MANIFEST_PATH_MAX], struct errmsg *text);
void catalog_cleared(struct catalog *c, const char *path);

/* The file is no longer part of the lake. */
void catalog_forget(struct catalog *c, const char *path);

/* Closes what was not used for a minute: a descriptor keeps the octets of a file that was unlinked. */
void catalog_expire(struct catalog *c);

struct catalog_figures {
    size_t readers, reader_octets, filters, filter_octets, totals;
};
void catalog_figures(struct catalog *c, struct catalog_figures *ret);

#endif
