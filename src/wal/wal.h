/*
 * The write-ahead log: every accepted frame, raw, in append-only checksummed segments.
 *
 * Each writer (a receiving worker) has segments of its own: appends never wait for each other, a damaged file costs
 * one worker's share, and replay merges by sequence number. One thread makes all writers durable together (group
 * commit). docs/durability.md has the promises and the format octet by octet.
 *
 * Functions return 0 or a negative errno. Those marked (any thread) may be called at any time by anyone; wal_append()
 * and wal_rotate() of one writer should come from one thread, for the order of its records.
 *
 * Errors: -ENOSPC and -EDQUOT pass: what was appended stays in the writer's buffer and is written when there is space.
 * A failed sync, and any other failed write, sticks: nothing more is promised until the records are safe elsewhere
 * (sealed) and wal_rotate() and wal_clear_error() have begun anew.
 *
 * Files: format.c octets, wal.c writers, commit.c group commit, segment.c reading one segment, replay.c merge.
 */
#ifndef WAL_WAL_H
#define WAL_WAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/errmsg.h"
#include "base/vfs.h"
#include "base/walpos.h"
#include "hep/hep.h"

#define WAL_SCHEMA_VERSION 1
#define WAL_WRITERS_MAX    64
#define WAL_FRAME_MAX      HEP_FRAME_MAX /* octets of a frame */

/* One frame. The frame's octets belong to the caller of wal_append(), or are valid until the replay callback returns.
 */
struct wal_record {
    uint64_t seq;     /* given by wal_append(); 1 is the first ever */
    uint64_t time_us; /* received: microseconds since 1970 */
    uint8_t kind;     /* source kind, the caller's numbering */
    uint8_t transport;
    uint8_t flags;
    uint16_t local_port;
    uint16_t peer_port;
    struct hep_addr peer; /* len 0, 4 or 16 */
    const uint8_t *frame;
    size_t len;
};

/* ------------------------------------------------------------------------------------------------ writing */

enum wal_mode {
    WAL_INTERVAL, /* sync once an interval, or when someone waits */
    WAL_ALWAYS,   /* sync as soon as something was appended */
    WAL_OFF       /* never sync: "durable" then means given to the kernel, which a power loss does not survive */
};

/* Zero means the default in brackets. Everything pointed at must live as long as the WAL; `from` only for wal_open().
 */
struct wal_options {
    const struct vfs *vfs; /* [vfs_posix()] */
    const char *dir;       /* made if absent */
    unsigned writers;      /* 1 .. WAL_WRITERS_MAX [1] */
    uint64_t node;         /* goes into the segments' headers */
    uint64_t first_seq;    /* above every number ever used: see wal_replay_stats.max_seq and the MANIFEST [1] */
    const struct wal_position *from; /* consumed so far (MANIFEST): no segment number below is used again */
    size_t from_count;
    enum wal_mode mode;
    uint64_t interval_us; /* between commits [100000] */
    uint64_t gap_us;      /* least time between the end of a commit and the next one that someone waits for [2000] */
    size_t segment_size;  /* octets after which a writer goes on in a new segment [64 MiB] */
    size_t buffer_size;   /* octets that a writer holds in memory, and the largest batch [1 MiB] */
    size_t flush_size;    /* octets in the buffer at which wal_append() writes them to the file [256 KiB] */
    bool no_thread;       /* commits happen in wal_tick(), wal_commit() and wal_wait() alone */
    uint64_t (*now_us)(void *arg); /* a clock that never goes back [CLOCK_MONOTONIC] */
    void *now_arg;
    /* After each commit, on the thread that made it: the watermark and 0 or the error. Must not call the WAL back. */
    void (*on_commit)(void *arg, uint64_t durable, int error);
    void *arg;
};

struct wal;

/* Opens the directory for writing; segments that are there stay as they are. -EINVAL for options out of range. */
int wal_open(struct wal **ret, const struct wal_options *options, struct errmsg *err);

/* Commits what is there, stops the thread and releases everything, whatever happens. NULL is fine. */
int wal_close(struct wal *w);

/*
 * Appends `n` records with consecutive numbers, *ret_first and on, to the buffer of `writer`: all or none. Mostly no
 * system call; the buffer is written to the file when it is full enough. Atomic in memory only: after a power loss any
 * leading part of a batch may be there. -ENOSPC: the buffer is full and the disk too, keep the frames and come again.
 * -EMSGSIZE: the batch is larger than the buffer, or a frame than WAL_FRAME_MAX. Anything else sticks to the writer.
 */
int wal_append(struct wal *w, unsigned writer, const struct wal_record *records, size_t n, uint64_t *ret_first);

/* Octets that a frame of `len` octets takes in the buffer. */
size_t wal_record_size(size_t len);

/*
 * Takes `n` consecutive numbers and returns the first, for rows that go on without WAL while it refuses frames. Such
 * rows are durable when they are sealed, whatever wal_durable() says. (any thread)
 */
uint64_t wal_reserve_seq(struct wal *w, size_t n);

/*
 * How many writers the segments in the directory are of: the highest number and one, 0 if there are none. A log is to
 * be opened with at least as many, so that what a former start with more writers left is consumed. `vfs` may be NULL.
 */
int wal_workers(const struct vfs *vfs, const char *dir);

/* ------------------------------------------------------------------------------------------------ durability */

/* Every record with a number up to this one is durable. Atomic, no lock. (any thread) */
uint64_t wal_durable(const struct wal *w);

/* The error that sticks, or 0. (any thread) */
int wal_error(const struct wal *w);

/* Writes and syncs everything appended before the call. Returns when done, or with the error. (any thread) */
int wal_commit(struct wal *w);

/*
 * Commits if it is time (interval over, or someone asked and the gap is over). *ret_due_us: microseconds until the next
 * call makes sense. What the thread does; for programs without it. Returns as wal_commit(). (any thread)
 */
int wal_tick(struct wal *w, uint64_t *ret_due_us);

/* Asks for a commit of `seq` as soon as the gap allows, and does not wait: on_commit tells. (any thread) */
void wal_request(struct wal *w, uint64_t seq);

/*
 * Waits until `seq` is durable: 0. Otherwise the error of a commit that began after the call (the record may become
 * durable later all the same), the error that sticks, or -ETIMEDOUT after timeout_us. (any thread)
 */
int wal_wait(struct wal *w, uint64_t seq, uint64_t timeout_us);

/* ------------------------------------------------------------------------------------------------ segments */

/*
 * The cut of an epoch: what `writer` appended so far is in segments below ret->segment, what it appends from now on is
 * not. On -ENOSPC nothing was cut. With an error that sticks to the writer, its unwritten records are given up (they
 * must be part of the epoch that is being sealed) and the writer works again.
 */
int wal_rotate(struct wal *w, unsigned writer, struct wal_position *ret);

/* After everything up to the cuts is sealed: forgets the error. -EBUSY if a writer that failed was not rotated since.
 */
int wal_clear_error(struct wal *w);

/* Removes the segments below the positions; to be called after the MANIFEST record is durable. (any thread) */
int wal_drop(struct wal *w, const struct wal_position *upto, size_t n);

/* Counters since wal_open(); read one by one, so not of one moment. (any thread) */
struct wal_stats {
    uint64_t records, octets; /* appended, headers included */
    uint64_t written;         /* octets given to the kernel */
    uint64_t buffered;        /* octets appended and not yet given to the kernel, all writers */
    uint64_t commits, commit_errors;
    uint64_t sync_us, sync_us_max; /* time spent in commits, all and longest */
    uint64_t write_errors;         /* ENOSPC and others */
    uint64_t segments;             /* opened */
};
void wal_stats(const struct wal *w, struct wal_stats *ret);

/* ------------------------------------------------------------------------------------------------ replay */

enum wal_loss_kind {
    WAL_LOSS_TAIL,    /* the segment ends within a record, or in octets that are none: what power loss leaves */
    WAL_LOSS_MIDDLE,  /* damaged octets with good records behind them */
    WAL_LOSS_SEGMENT, /* no usable header: nothing of the segment could be read */
    WAL_LOSS_READ     /* the system refused to read on */
};

struct wal_loss {
    enum wal_loss_kind kind;
    const char *path;
    uint64_t at;     /* first octet */
    uint64_t octets; /* until the next good record, or the end */
};

struct wal_replay_stats {
    uint64_t segments, records;
    uint64_t consumed;   /* segments passed over: below `from` */
    uint64_t duplicates; /* records with a number that was there already */
    uint64_t max_seq;    /* highest number met, 0 if none: wal_options.first_seq must be above it */
    uint64_t loss[4];    /* by wal_loss_kind */
    uint64_t lost_octets;
};

struct wal_replay_options {
    const struct vfs *vfs; /* [vfs_posix()] */
    const char *dir;       /* a directory that does not exist is an empty log */
    const struct wal_position *from;
    size_t from_count;
    /* Each record, numbers rising. Other than 0 ends the replay and is returned. */
    int (*record)(void *arg, const struct wal_record *record, unsigned worker);
    void (*loss)(void *arg, const struct wal_loss *loss); /* may be NULL */
    void *arg;
};

/*
 * Reads what is not consumed, all workers merged by number. Damage is counted, told and stepped over: after a bad
 * record, reading goes on with the next good one. Fails with -ENOTSUP, before any record, if a segment has another
 * schema version; with -ENOMEM; or with what the callback returned. Changes nothing on the disk. Memory: 256 KiB a
 * worker.
 */
int wal_replay(const struct wal_replay_options *options, struct wal_replay_stats *stats, struct errmsg *err);

#endif
