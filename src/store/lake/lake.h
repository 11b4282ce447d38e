/*
 * The lake: rows in memory and in sealed Parquet files, one MANIFEST, DuckDB in a child process for scans. The default
 * backend behind store/store.h. docs/lake.md describes the files, docs/durability.md what is promised.
 *
 * group*, dict     rows in memory, column by column
 * slab, pages      their memory and its limit; payload pages and the thread that compresses them
 * hot              the groups of each writer, and the list of all
 * columns, footer  the tables as Parquet columns; what a file says of itself
 * feed, outfile    groups as the Parquet writer wants them; a file until it is durable
 * seal             groups to files, all at one moment
 * manifest*        which files there are
 * catalog          open files, their key filters, damaged ones set aside
 * scan*, sql       which rows match: groups by the matcher, files by our page reader or DuckDB, keys by bloom filters
 * aggregate, agg*  rows counted by time and value
 * fetch            values of rows out of groups and single pages
 * merge, join      small files into large ones
 * typed            SQL that people typed, in a query worker of its own
 * retain, tend     old files out; what is to be done from time to time
 * duck*            the child process that runs DuckDB
 */
#ifndef STORE_LAKE_LAKE_H
#define STORE_LAKE_LAKE_H

#include "base/vfs.h"
#include "store/lake/manifest.h"
#include "store/store.h"

/* A zero means the default in brackets. Texts are copied, except for vfs. */
struct lake_options {
    const struct vfs *vfs; /* [vfs_posix()]; must live as long as the lake */
    const char *data_dir;  /* data_dir/lake holds the files, data_dir/tmp what DuckDB spills */
    uint64_t node;
    unsigned writers; /* threads that append [1] */
    size_t hot_limit; /* octets of memory for rows that are not sealed [128 MiB] */
    int zstd_level;   /* of payload pages [1] */
    bool read_only;   /* beside a running server: nothing is changed, no hot rows */
    bool no_threads;  /* pages are compressed in seal_end(): for tests */
    struct store_retention retention;

    /* The query worker; without a library everything but scans of sealed files by DuckDB works. */
    const char *duck_library;    /* NULL: searched for */
    const char *duck_executable; /* NULL: this executable */
    size_t duck_memory;          /* octets [96 MiB] */
    uint64_t duck_temp_max;      /* octets [1 GiB] */
    unsigned duck_threads;       /* [cores]; of our own reader too */
    unsigned duck_scans;         /* at the same time [2] */

    /* What the caller may want to log: damaged files, restarts. Any thread; must be short. May be NULL. */
    void (*event)(void *arg, const char *what, const char *path, const char *text);
    void *arg;
    /* Called when there is room again after full() said true. Any thread. May be NULL. */
    void (*room)(void *arg);
};

/* Where replay of the WAL begins, and the highest number ever given out, as the MANIFEST has them. */
struct lake_start {
    struct wal_position positions[MANIFEST_POSITIONS_MAX];
    size_t position_count;
    uint64_t max_seq;
};

/* Opens data_dir/lake; the caller holds the lock of the data directory. ret->ops is the rest. */
int lake_open(struct store **ret, const struct lake_options *options, struct lake_start *start, struct errmsg *err);

#endif
