/* What wal.c and commit.c share. */
#ifndef WAL_INTERNAL_H
#define WAL_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "wal/format.h"

/* A segment that its writer has left; commit syncs (unless it was given up) and closes it. */
struct wal_retired {
    struct wal_retired *next;
    int file;
    bool given_up;
};

/* All of it under `lock`. Only commit closes files, so that one it syncs without the lock stays open. */
struct wal_writer {
    pthread_mutex_t lock;
    uint32_t worker;
    uint64_t segment; /* number of the current segment; it exists once something was written */
    uint64_t salt;    /* of the current segment, 0 before its header is in the buffer */
    int file;         /* -1 before something was written */
    uint64_t offset;  /* in the file, of the first octet in the buffer */
    uint8_t *buffer;
    size_t fill;
    bool unsynced; /* `file` has octets that were not synced */
    bool new_name; /* a file was made since the directory was synced */
    int error;     /* sticks until wal_rotate() */
    struct wal_retired *retired;
};

struct wal {
    struct wal_options o;
    const struct vfs *vfs;
    struct wal_writer *writers;
    _Atomic uint64_t next_seq;
    _Atomic uint64_t durable;
    _Atomic int error; /* sticks until wal_clear_error() */

    pthread_mutex_t commit_lock; /* one commit at a time; taken before any other lock */

    pthread_mutex_t lock;  /* what follows; taken last */
    pthread_cond_t wake;   /* the thread has something to do */
    pthread_cond_t done;   /* a commit has ended */
    uint64_t wanted;       /* someone waits for this number */
    uint64_t last_commit;  /* when the last one ended */
    uint64_t begun, ended; /* commits */
    int last_error;        /* of the last commit */
    bool stop;
    bool running; /* the thread exists */
    pthread_t thread;

    struct {
        _Atomic uint64_t records, octets, written, commits, commit_errors, sync_us, sync_us_max, write_errors, segments;
    } count;
};

uint64_t wal_now(const struct wal *w);

/* Writes the buffer to the file, which is made if need be. The writer's lock is held. */
int wal_writer_flush(struct wal *w, struct wal_writer *wr);

/* Makes an error stick to the writer and to the WAL. The writer's lock is held. */
void wal_writer_fail(struct wal *w, struct wal_writer *wr, int error);

int wal_thread_start(struct wal *w);
void wal_thread_stop(struct wal *w); /* also if it never began */

#endif
