/*
 * Sealing: every interval, when the store is pressed, or on request. The cut takes the writers one after the other,
 * each under its lock: what a writer logged before is in the seal and below its WAL position, what comes after is in
 * neither. A seal that fails is kept and tried again, at growing pauses; ingest goes on meanwhile.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "engine/amend.h"
#include "engine/internal.h"
#include "store/lake/datadir.h"

#define SECOND      UINT64_C(1000000)
#define RETRY_FIRST (SECOND / 2)
#define RETRY_MOST  (4 * SECOND)
#define TEND_AGAIN  (SECOND / 50)
#define TEND_FAILED (30 * SECOND)
#define TEND_NICE   10
#define AMEND_REST  4 /* times as long as late messages took, before the next ones: a fifth of a core at most */

/* ------------------------------------------------------------------------------------------------ one seal */

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* A log that cannot be flushed for want of space cannot be cut; the reserve was kept for this moment. */
static int rotate(struct engine *e, unsigned i, struct wal_position *ret)
{
    int rc = wal_rotate(e->wal, i, ret);
    if ((rc != -ENOSPC && rc != -EDQUOT) || e->o.data_dir == NULL)
        return rc;
    (void)reserve_release(e->o.vfs, e->o.data_dir);
    return wal_rotate(e->wal, i, ret);
}

/* Cuts one writer. An error: its log cannot be cut now, and its rows wait for the next seal. */
static int cut_writer(struct engine *e, struct store_seal *seal, unsigned i)
{
    struct engine_writer *w = &e->writers[i];
    struct wal_position position;
    pthread_mutex_lock(&w->lock);
    int rc = rotate(e, i, &position);
    if (rc == 0) {
        e->store->ops->seal_cut(e->store, seal, i, &position);
        e->cut_events[i] = w->event_seq;
        w->unlogged_from = 0;
    }
    pthread_mutex_unlock(&w->lock);
    return rc;
}

static int begin(struct engine *e)
{
    struct store_seal *seal;
    int rc = e->store->ops->seal_begin(e->store, &seal);
    if (rc != 0)
        return rc;
    uint64_t upto = wal_reserve_seq(e->wal, 0) - 1;
    unsigned cut = 0;
    for (unsigned i = 0; i < e->o.writers; i++) {
        int rc1 = cut_writer(e, seal, i);
        cut += rc1 == 0;
        rc = rc != 0 ? rc : rc1;
    }
    e->cut_error = rc;
    if (cut == 0) {
        e->store->ops->seal_free(seal);
        return rc;
    }
    e->pending = seal;
    e->calls_kept = false;
    e->pending_seq = rc == 0 ? upto : 0;
    return 0;
}

/* Rows without a log that came after the cut: the lowest of them holds the watermark from now on. */
static void settle_unlogged(struct engine *e)
{
    uint64_t from = UINT64_MAX;
    for (unsigned i = 0; i < e->o.writers; i++)
        pthread_mutex_lock(&e->writers[i].lock);
    for (unsigned i = 0; i < e->o.writers; i++)
        if (e->writers[i].unlogged_from != 0)
            from = least(from, e->writers[i].unlogged_from);
    atomic_store(&e->unlogged_from, from);
    for (unsigned i = 0; i < e->o.writers; i++)
        pthread_mutex_unlock(&e->writers[i].lock);
}

static void drop_log(struct engine *e)
{
    struct wal_position positions[WAL_WRITERS_MAX];
    size_t n = 0;
    /* Known by the store as consumed; a segment that cannot be unlinked goes at a later seal. */
    const struct wal_position *p;
    size_t count = e->store->ops->seal_positions(e->pending, &p);
    for (; n < count && n < WAL_WRITERS_MAX; n++)
        positions[n] = p[n];
    (void)wal_drop(e->wal, positions, n);
}

static void sealed(struct engine *e)
{
    if (e->pending_seq > atomic_load(&e->sealed_seq))
        atomic_store(&e->sealed_seq, e->pending_seq);
    settle_unlogged(e);
    drop_log(e);
    e->store->ops->seal_free(e->pending);
    e->pending = NULL;
    if (wal_error(e->wal) != 0 && wal_clear_error(e->wal) == 0)
        engine_event(e, false, "the write-ahead log works again");
}

/* Under seal_lock. */
static int seal_once(struct engine *e, struct errmsg *err)
{
    int rc = e->pending == NULL ? begin(e) : 0;
    if (rc == 0 && e->calls != NULL && !e->calls_kept) {
        rc = calls_seal(e->calls, e->pending, e->cut_events, err);
        if (rc != 0)
            return rc;
        e->calls_kept = true;
        /* They know of messages after the cut, which no power loss shall take from under them. */
        (void)wal_commit(e->wal);
    }
    if (rc == 0) {
        rc = e->store->ops->seal_end(e->store, e->pending, wal_reserve_seq(e->wal, 0) - 1, err);
        if (rc != 0)
            return rc;
        sealed(e);
        rc = e->cut_error;
    }
    if (rc != 0)
        (void)errmsg_set(err, "write-ahead log: %s", strerror(-rc));
    return rc;
}

static void note_result(struct engine *e, int rc, const struct errmsg *err)
{
    pthread_mutex_lock(&e->lock);
    uint64_t failures = e->seal_failures;
    e->seal_failures = rc == 0 ? 0 : failures + 1;
    if (rc == 0) {
        e->sealed_at_us = engine_now_us();
        e->seal_error.text[0] = '\0';
    } else
        e->seal_error = *err;
    pthread_mutex_unlock(&e->lock);
    if (rc != 0 && failures == 0)
        engine_event(e, true, "sealing failed, rows stay in memory and in the log: %s", err->text);
    if (rc == 0 && failures > 0)
        engine_event(e, false, "sealing works again after %llu failures", (unsigned long long)failures);
}

int engine_seal(struct engine *e, struct errmsg *err)
{
    struct errmsg own = { "" };
    pthread_mutex_lock(&e->seal_lock);
    bool was_pending = e->pending != NULL;
    int rc = seal_once(e, &own);
    if (rc == 0 && was_pending)
        rc = seal_once(e, &own); /* that one was cut a while ago */
    pthread_mutex_unlock(&e->seal_lock);
    note_result(e, rc, &own);
    if (rc == 0)
        engine_wake_all(e);
    else if (err != NULL)
        *err = own;
    return rc;
}

/* ------------------------------------------------------------------------------------------------ threads */

static void note_cpu(struct engine *e, unsigned thread)
{
    struct timespec ts;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
    pthread_mutex_lock(&e->lock);
    e->cpu_us[thread] = (uint64_t)ts.tv_sec * SECOND + (uint64_t)ts.tv_nsec / 1000;
    pthread_mutex_unlock(&e->lock);
}

/* Waits for `us`, or until something is wanted. False: stop. `seals`: a wish to seal ends the wait. */
static bool wait_for(struct engine *e, uint64_t us, bool seals)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    uint64_t nsec = (uint64_t)until.tv_nsec + us % SECOND * 1000;
    until.tv_sec += (time_t)(us / SECOND + nsec / 1000000000);
    until.tv_nsec = (long)(nsec % 1000000000);
    pthread_mutex_lock(&e->lock);
    int rc = 0;
    while (!e->stop && !(seals && e->seal_wanted) && rc == 0)
        rc = pthread_cond_timedwait(&e->wake, &e->lock, &until);
    if (seals)
        e->seal_wanted = false;
    bool go_on = !e->stop;
    pthread_mutex_unlock(&e->lock);
    return go_on;
}

static void *sealer(void *arg)
{
    struct engine *e = arg;
    uint64_t pause = e->o.seal_interval_us;
    bool sealed = true; /* after a failure nobody is listened to: requests do not make a full disk emptier */
    while (wait_for(e, pause, sealed)) {
        bool again = !sealed;
        sealed = engine_seal(e, NULL) == 0;
        atomic_store(&e->pressed, false); /* the next look decides anew */
        pause = sealed ? e->o.seal_interval_us : again ? least(2 * pause, RETRY_MOST) : RETRY_FIRST;
        note_cpu(e, 0);
    }
    return NULL;
}

static int64_t wall_us(void)
{
    struct wall_time t = clock_wall();
    return (int64_t)t.sec * 1000000 + t.usec;
}

int engine_tend(struct engine *e, int64_t now_us, struct errmsg *err)
{
    int rc = e->store->ops->tend(e->store, now_us, err);
    uint64_t now = engine_now_us();
    if (rc != 0 || e->calls == NULL || now < e->amend_after_us || e->store->ops->pressed(e->store))
        return rc;
    rc = calls_amend(e->calls, now, err);
    uint64_t end = engine_now_us();
    e->amend_after_us = end + AMEND_REST * (end - now);
    return rc < 0 ? rc : 0; /* more of it at the next look */
}

static void *tender(void *arg)
{
    struct engine *e = arg;
    struct errmsg err, last = { "" };
    uint64_t pause = e->o.tend_interval_us;
    (void)setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), TEND_NICE);
    while (wait_for(e, pause, false)) {
        err.text[0] = '\0';
        int rc = engine_tend(e, wall_us(), &err);
        pause = rc > 0 ? TEND_AGAIN : rc == 0 ? e->o.tend_interval_us : TEND_FAILED;
        if (rc < 0 && strcmp(err.text, last.text) != 0)
            engine_event(e, true, "merging and retention: %s", err.text);
        last = err;
        note_cpu(e, 1);
    }
    return NULL;
}

int engine_threads_start(struct engine *e)
{
    int rc = pthread_create(&e->sealer, NULL, sealer, e);
    if (rc != 0)
        return -rc;
    e->sealer_runs = true;
    rc = pthread_create(&e->tender, NULL, tender, e);
    e->tender_runs = rc == 0;
    return -rc;
}

void engine_threads_stop(struct engine *e)
{
    pthread_mutex_lock(&e->lock);
    e->stop = true;
    pthread_cond_broadcast(&e->wake);
    pthread_mutex_unlock(&e->lock);
    if (e->sealer_runs)
        (void)pthread_join(e->sealer, NULL);
    if (e->tender_runs)
        (void)pthread_join(e->tender, NULL);
    e->sealer_runs = e->tender_runs = false;
}

void engine_request_seal(struct engine *e)
{
    pthread_mutex_lock(&e->lock);
    e->seal_wanted = true;
    pthread_cond_broadcast(&e->wake);
    pthread_mutex_unlock(&e->lock);
}
