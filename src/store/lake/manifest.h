/*
 * The MANIFEST: which files make up the lake. A file that is not in it does not exist.
 *
 * One append-only, checksummed log, dir/MANIFEST; one synced record is one atomic change of the set of live files, of
 * the WAL position and of the call-state snapshot. Readers pin an immutable set; a file that was removed is unlinked
 * when the last pin that saw it goes. docs/durability.md has the order of a commit, the format and the recovery rules.
 *
 * Paths are relative to the lake directory: "<table>/date=YYYY-MM-DD/hour=HH/<name>", "state/<name>", with names made
 * by manifest_name(). Times of rows are microseconds since 1970.
 *
 * Functions return 0 or a negative errno. manifest_pin() and what works on a pin may be called by any thread at any
 * time; manifest_commit() too, one commit after the other.
 *
 * Files: manifest.c open and commit, manifest_record.c octets of a record, manifest_log.c the file, manifest_set.c live
 * sets and pins, manifest_readers.c readers of other processes, manifest_scan.c the directory: sweep and rebuild.
 */
#ifndef STORE_LAKE_MANIFEST_H
#define STORE_LAKE_MANIFEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/errmsg.h"
#include "base/vfs.h"
#include "base/walpos.h"

#define MANIFEST_SCHEMA_VERSION 1
#define MANIFEST_PATH_MAX       256  /* octets of a relative path, terminator included */
#define MANIFEST_FILES_MAX      4096 /* files added, and files removed, in one change */
#define MANIFEST_POSITIONS_MAX  64   /* WAL workers */

enum manifest_kind {
    MANIFEST_SEAL = 1,
    MANIFEST_MERGE,
    MANIFEST_RETENTION,
    MANIFEST_ERASE,
    MANIFEST_SUPERSEDE,
    MANIFEST_SET_ASIDE, /* removed files are renamed to *.damaged instead of unlinked */
    MANIFEST_SNAPSHOT   /* written by the MANIFEST itself: a part of all that is live */
};
#define MANIFEST_KIND_LAST MANIFEST_SNAPSHOT

enum manifest_state {
    MANIFEST_FILE_OK,
    MANIFEST_FILE_MISSING, /* listed, but was not there at the start: to be skipped and reported */
    MANIFEST_FILE_SIZE     /* listed, but had another size at the start: the same */
};

/* A live file. Texts belong to the caller of manifest_commit(), or to the pin. */
struct manifest_file {
    const char *path;
    uint64_t rows, bytes;
    int64_t min_ts, max_ts;
    uint64_t min_seq, max_seq;
    uint32_t hour;  /* of receipt, hours since 1970 */
    uint64_t epoch; /* that made it; manifest_commit() fills it in */
    enum manifest_state state;
};

/* One atomic change. What it points to belongs to the caller. */
struct manifest_change {
    enum manifest_kind kind;
    uint64_t epoch; /* from manifest_next_epoch(); a seal's is above that of the last seal */
    const struct manifest_file *add;
    size_t add_count;
    const char *const *remove;
    size_t remove_count;
    const struct wal_position *positions; /* consumed; workers that are not named keep theirs */
    size_t position_count;
    const char *state; /* path of the call-state snapshot, replacing the last; NULL keeps that */
    uint64_t max_seq;  /* highest number given out so far; 0 if unknown */
    /* Called at the moment from which pins see the change, under the lock that they are taken under. May be NULL. */
    void (*visible)(void *arg);
    void *arg;
};

/* ------------------------------------------------------------------------------------------------ opening */

/* What opening has to say about the directory. `path` is relative and valid during the call. */
enum manifest_event {
    MANIFEST_FOREIGN,    /* a name that is not ours: left alone */
    MANIFEST_REMOVED,    /* ours, but not listed: a change that was never committed; unlinked */
    MANIFEST_MISSING,    /* listed, not there */
    MANIFEST_WRONG_SIZE, /* listed, of another size */
    MANIFEST_DAMAGED,    /* no usable footer, met while rebuilding: renamed to *.damaged */
    MANIFEST_HEALED,     /* MANIFEST had a torn end or a damaged copy of a record; written anew */
    MANIFEST_REBUILT     /* MANIFEST was lost or damaged; made from the footers. A damaged one is in *.damaged */
};
#define MANIFEST_EVENTS 7

/* What a sealed file says of itself (key-values of its footer). */
struct manifest_footer {
    struct manifest_file file;   /* without `path` and `state` */
    enum manifest_kind kind;     /* of the change that made it */
    uint32_t epoch_files;        /* files that this change added */
    const char *const *replaces; /* paths of the files whose rows this one took over: it takes all of them */
    size_t replaces_count;
    const struct wal_position *positions; /* of this change */
    size_t position_count;
};

/*
 * Reads the footer of a file; 0, or a negative errno if it has no good one. The texts and arrays in *ret must stay
 * until the next call or until manifest_open() returns.
 */
typedef int manifest_footer_fn(void *arg, const char *path, struct manifest_footer *ret);

struct manifest_options {
    const struct vfs *vfs;      /* [vfs_posix()] */
    const char *dir;            /* of the lake; made if absent. Must live as long as the manifest */
    uint64_t node;              /* this server, goes into the records */
    size_t compact_records;     /* records after which the log is written anew [1000] */
    bool read_only;             /* change nothing on the disk: for readers beside a server */
    manifest_footer_fn *footer; /* NULL: a lost MANIFEST is an error */
    void (*event)(void *arg, enum manifest_event event, const char *path); /* may be NULL */
    void *arg;                                                             /* of both */
};

struct manifest;

/*
 * Opens the lake: reads MANIFEST, rebuilds it if it is lost or damaged, removes files of ours that are not listed and
 * checks those that are. The caller holds the lock of the data directory (datadir.h). -ENOTSUP: written by another
 * schema version. -EUCLEAN: lost or damaged, and there is no footer function. A torn last record is a change that was
 * never committed.
 */
int manifest_open(struct manifest **ret, const struct manifest_options *options, struct errmsg *err);
void manifest_close(struct manifest *m); /* every pin must be gone; NULL is fine */

/* ------------------------------------------------------------------------------------------------ changing */

/* A number for the next change, given out once; goes into its files' names before it is committed. (any thread) */
uint64_t manifest_next_epoch(struct manifest *m);

/* "0000000042-0000beef-000001.parquet": `suffix` with its dot. The shape by which our files are known. */
void manifest_name(char out[MANIFEST_PATH_MAX], uint64_t epoch, uint64_t node, unsigned seq, const char *suffix);

/* Is this a name of ours: a sealed file, a call-state snapshot, or one of them with ".tmp"? */
bool manifest_is_ours(const char *name);

/*
 * Commits one change. The files to add are written, synced, renamed and their directories synced before (vfs_publish);
 * the WAL is dropped afterwards. 0: the change is durable and visible to new pins.
 *
 * -EEXIST: a file to add is live; -ENOENT: one to remove is not; -EINVAL: epoch, kind or a path; -E2BIG: too many: none
 * of these touches the disk. Any other error: nothing is changed in memory, but the record may be on the disk all the
 * same. So the files must stay, and the WAL too; the same change may be tried again.
 */
int manifest_commit(struct manifest *m, const struct manifest_change *change, struct errmsg *err);

/* Writes the log anew with what is live; happens by itself in manifest_commit(). */
int manifest_compact(struct manifest *m, struct errmsg *err);

/* ------------------------------------------------------------------------------------------------ looking */

/* An immutable set of live files. */
struct manifest_pin;

/* Takes the present set; a lock held for an instant. To be given to manifest_unpin(), which may unlink files. */
struct manifest_pin *manifest_pin(struct manifest *m);
void manifest_unpin(struct manifest_pin *pin); /* NULL is fine */

/* The same, and calls fn(arg) under the same lock: what it sees belongs to the set, with regard to change.visible(). */
struct manifest_pin *manifest_pin_with(struct manifest *m, void (*fn)(void *arg), void *arg);

uint64_t manifest_pin_epoch(const struct manifest_pin *pin); /* highest that was committed */
size_t manifest_pin_count(const struct manifest_pin *pin);

/* File number i, in order of path: by table, then hour of receipt, then epoch. Valid as long as the pin. */
const struct manifest_file *manifest_pin_file(const struct manifest_pin *pin, size_t i);

/* The files of one table: *ret_first and how many. */
size_t manifest_pin_table(const struct manifest_pin *pin, const char *table, size_t *ret_first);

/* The live file of that path, NULL if there is none. */
const struct manifest_file *manifest_pin_find(const struct manifest_pin *pin, const char *path);

/* WAL positions consumed and the path of the call-state snapshot ("" if none), as of the pin. */
size_t manifest_pin_positions(const struct manifest_pin *pin, const struct wal_position **ret);
const char *manifest_pin_state(const struct manifest_pin *pin);

/* Highest sequence number that any change ever told. */
uint64_t manifest_pin_max_seq(const struct manifest_pin *pin);

/*
 * While another process has the lake open (read_only), removed files are not unlinked, up to a quarter of an hour.
 * manifest_tend(), to be called now and then, unlinks those that need not wait any more; at_once: all of them, because
 * space is short. manifest_waiting(): octets of those that wait.
 */
void manifest_tend(struct manifest *m, bool at_once);
uint64_t manifest_waiting(struct manifest *m);

struct manifest_stats {
    uint64_t events[MANIFEST_EVENTS]; /* while opening */
    uint64_t commits, commit_errors, compactions;
    uint64_t unlinked, unlink_errors; /* removed files; one that cannot be unlinked goes at the next start */
    uint64_t records, octets;         /* in the log now */
};
void manifest_stats(const struct manifest *m, struct manifest_stats *ret);

#endif
