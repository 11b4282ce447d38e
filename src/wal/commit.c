#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "wal/internal.h"

/* ------------------------------------------------------------------------------------------------ one commit */

/* What one writer has to sync, taken out under its lock. */
struct work {
    struct wal_retired *retired;
    int file; /* -1: nothing */
    bool new_name;
};

static int take_work(struct wal *w, struct wal_writer *wr, struct work *ret)
{
    pthread_mutex_lock(&wr->lock);
    int rc = wal_writer_flush(w, wr);
    *ret = (struct work){ wr->retired, wr->unsynced && wr->error == 0 ? wr->file : -1, wr->new_name };
    wr->retired = NULL;
    wr->unsynced = false;
    wr->new_name = false;
    pthread_mutex_unlock(&wr->lock);
    return rc;
}

static int sync_file(const struct wal *w, int file)
{
    return w->o.mode == WAL_OFF ? 0 : vfs_sync(w->vfs, file);
}

/* Syncs and closes segments that were left. Goes on after an error: each must be closed. */
static int finish_retired(const struct wal *w, struct wal_retired *r)
{
    int rc = 0;
    while (r != NULL) {
        struct wal_retired *next = r->next;
        int rc1 = r->given_up ? 0 : sync_file(w, r->file);
        (void)vfs_close(w->vfs, r->file);
        free(r);
        rc = rc != 0 ? rc : rc1;
        r = next;
    }
    return rc;
}

static void fail_writer(struct wal *w, struct wal_writer *wr, int error)
{
    pthread_mutex_lock(&wr->lock);
    wal_writer_fail(w, wr, error);
    pthread_mutex_unlock(&wr->lock);
}

static int commit_writer(struct wal *w, struct wal_writer *wr, bool *new_name)
{
    struct work work;
    int rc = take_work(w, wr, &work);
    int rc1 = finish_retired(w, work.retired);
    if (rc1 == 0 && work.file >= 0)
        rc1 = sync_file(w, work.file);
    if (rc1 != 0)
        fail_writer(w, wr, rc1);
    *new_name = *new_name || work.new_name;
    return rc1 != 0 ? rc1 : rc;
}

static int commit_names(struct wal *w)
{
    int rc = w->o.mode == WAL_OFF ? 0 : vfs_sync_dir(w->vfs, w->o.dir);
    for (unsigned i = 0; rc != 0 && i < w->o.writers; i++)
        fail_writer(w, &w->writers[i], rc);
    return rc;
}

/*
 * Every number up to the one returned was taken under the lock of a writer, before now; so once commit has held each
 * writer's lock after this, the records of all these numbers are in the buffers it has flushed.
 */
static uint64_t read_horizon(struct wal *w)
{
    return atomic_load(&w->next_seq) - 1;
}

static int commit_all(struct wal *w)
{
    uint64_t horizon = read_horizon(w);
    bool new_name = false;
    int rc = 0;
    for (unsigned i = 0; i < w->o.writers; i++) {
        int rc1 = commit_writer(w, &w->writers[i], &new_name);
        rc = rc != 0 ? rc : rc1;
    }
    int names = new_name ? commit_names(w) : 0;
    rc = rc != 0 ? rc : names;
    rc = rc != 0 ? rc : atomic_load(&w->error);
    if (rc == 0)
        atomic_store(&w->durable, horizon);
    return rc;
}

/* ------------------------------------------------------------------------------------------------ book-keeping */

static void count_commit(struct wal *w, uint64_t took, int rc)
{
    atomic_fetch_add_explicit(&w->count.commits, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&w->count.commit_errors, rc != 0, memory_order_relaxed);
    atomic_fetch_add_explicit(&w->count.sync_us, took, memory_order_relaxed);
    if (took > atomic_load_explicit(&w->count.sync_us_max, memory_order_relaxed))
        atomic_store_explicit(&w->count.sync_us_max, took, memory_order_relaxed);
}

static void begin_commit(struct wal *w)
{
    pthread_mutex_lock(&w->lock);
    w->begun++;
    pthread_mutex_unlock(&w->lock);
}

/* Who waits for more than was committed asks again; see wal_wait(). */
static void end_commit(struct wal *w, int rc)
{
    pthread_mutex_lock(&w->lock);
    w->ended++;
    w->last_error = rc;
    w->last_commit = wal_now(w);
    w->wanted = 0;
    pthread_cond_broadcast(&w->done);
    pthread_mutex_unlock(&w->lock);
}

int wal_commit(struct wal *w)
{
    pthread_mutex_lock(&w->commit_lock);
    uint64_t start = wal_now(w);
    begin_commit(w);
    int rc = commit_all(w);
    count_commit(w, wal_now(w) - start, rc);
    end_commit(w, rc);
    if (w->o.on_commit != NULL)
        w->o.on_commit(w->o.arg, atomic_load(&w->durable), rc);
    pthread_mutex_unlock(&w->commit_lock);
    return rc;
}

/* ------------------------------------------------------------------------------------------------ when */

/* Microseconds until a commit is due; w->lock is held. */
static uint64_t due_in(const struct wal *w)
{
    uint64_t durable = atomic_load(&w->durable);
    uint64_t after = w->o.interval_us;
    if (w->wanted > durable)
        after = w->o.gap_us;
    if (w->o.mode == WAL_ALWAYS && w->last_error == 0 && atomic_load(&w->next_seq) - 1 > durable)
        after = 0;
    uint64_t at = w->last_commit + after, now = wal_now(w);
    return at > now ? at - now : 0;
}

static bool has_work(const struct wal *w)
{
    return atomic_load(&w->next_seq) - 1 > atomic_load(&w->durable);
}

int wal_tick(struct wal *w, uint64_t *ret_due_us)
{
    int rc = 0;
    pthread_mutex_lock(&w->lock);
    bool due = due_in(w) == 0;
    if (due && !has_work(w)) {
        w->last_commit = wal_now(w);
        due = false;
    }
    pthread_mutex_unlock(&w->lock);
    if (due)
        rc = wal_commit(w);
    pthread_mutex_lock(&w->lock);
    *ret_due_us = due_in(w);
    pthread_mutex_unlock(&w->lock);
    return rc;
}

/* ------------------------------------------------------------------------------------------------ waiting */

static struct timespec deadline_in(uint64_t us)
{
    struct timespec ts;
    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    us += (uint64_t)ts.tv_nsec / 1000;
    ts.tv_sec += (time_t)(us / 1000000);
    ts.tv_nsec = (long)(us % 1000000 * 1000);
    return ts;
}

static void want(struct wal *w, uint64_t seq)
{
    if (seq > w->wanted) {
        w->wanted = seq;
        pthread_cond_signal(&w->wake);
    }
}

void wal_request(struct wal *w, uint64_t seq)
{
    pthread_mutex_lock(&w->lock);
    want(w, seq);
    pthread_mutex_unlock(&w->lock);
}

static int wait_thread(struct wal *w, uint64_t seq, uint64_t timeout_us)
{
    struct timespec until = deadline_in(timeout_us < (uint64_t)1 << 50 ? timeout_us : (uint64_t)1 << 50);
    int rc = 0;
    pthread_mutex_lock(&w->lock);
    uint64_t ours = w->begun + 1; /* the first commit that surely sees what was appended before this call */
    while (rc == 0 && atomic_load(&w->durable) < seq) {
        rc = atomic_load(&w->error);
        if (rc == 0 && w->ended >= ours)
            rc = w->last_error;
        if (rc != 0)
            break;
        want(w, seq);
        rc = -pthread_cond_timedwait(&w->done, &w->lock, &until);
    }
    pthread_mutex_unlock(&w->lock);
    return atomic_load(&w->durable) >= seq ? 0 : rc;
}

int wal_wait(struct wal *w, uint64_t seq, uint64_t timeout_us)
{
    if (atomic_load(&w->durable) >= seq)
        return 0;
    if (!w->o.no_thread)
        return wait_thread(w, seq, timeout_us);
    int rc = wal_commit(w);
    return rc != 0 ? rc : atomic_load(&w->durable) >= seq ? 0 : -ETIMEDOUT;
}

/* ------------------------------------------------------------------------------------------------ the thread */

static void *commit_thread(void *arg)
{
    struct wal *w = arg;
    pthread_mutex_lock(&w->lock);
    while (!w->stop) {
        uint64_t due = due_in(w);
        if (due > 0) {
            struct timespec until = deadline_in(due);
            (void)pthread_cond_timedwait(&w->wake, &w->lock, &until);
            continue;
        }
        pthread_mutex_unlock(&w->lock);
        (void)wal_tick(w, &due);
        pthread_mutex_lock(&w->lock);
    }
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

int wal_thread_start(struct wal *w)
{
    int rc = -pthread_create(&w->thread, NULL, commit_thread, w);
    w->running = rc == 0;
    return rc;
}

void wal_thread_stop(struct wal *w)
{
    if (!w->running)
        return;
    pthread_mutex_lock(&w->lock);
    w->stop = true;
    pthread_cond_signal(&w->wake);
    pthread_mutex_unlock(&w->lock);
    pthread_join(w->thread, NULL);
    w->running = false;
}
