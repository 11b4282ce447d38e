#include "store/lake/duck.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/lake/duck_internal.h"

#define MEMORY_DEFAULT   (96u << 20)
#define TEMP_MAX_DEFAULT (UINT64_C(1) << 30)
#define RESULT_DEFAULT   (64u << 20)
#define QUEUE_DEFAULT    32u
#define GRACE_DEFAULT_US 5000000u
#define STEP_US          60000000u /* longest wait at once */
#define BACKOFF_FIRST_US 100000u
#define BACKOFF_MAX_US   30000000u

const char *duck_error_name(int error)
{
    static const char *const names[DUCK_ERROR_COUNT] = { "ok",          "timeout",  "cancelled", "sql",
                                                         "died",        "busy",     "memory",    "limit",
                                                         "unavailable", "internal", "stopped",   "usage" };
    return error <= 0 && error > -DUCK_ERROR_COUNT ? names[-error] : "unknown";
}

/* ------------------------------------------------------------------------------------------------ temporary files */

/* What DuckDB left when it was killed. Others' files stay. */
static void remove_old_files(const char *dir)
{
    static const char prefix[] = "duckdb_temp_";
    DIR *d = opendir(dir);
    if (d == NULL)
        return;
    for (struct dirent *e = readdir(d); e != NULL; e = readdir(d))
        if (strncmp(e->d_name, prefix, sizeof(prefix) - 1) == 0)
            (void)unlinkat(dirfd(d), e->d_name, 0);
    closedir(d);
}

static int make_temp_dir(const char *dir, struct errmsg *err)
{
    if (mkdir(dir, 0750) != 0 && errno != EEXIST)
        return errmsg_set(err, "%s: %s", dir, strerror(errno));
    return 0;
}

/* ------------------------------------------------------------------------------------------------ open and close */

/* NULL stays NULL; *failed tells of a copy that could not be made. */
static char *copy(const char *text, bool *failed)
{
    char *c = text != NULL ? strdup(text) : NULL;
    *failed = *failed || (text != NULL && c == NULL);
    return c;
}

static void set_defaults(struct duck_options *o)
{
    o->memory = o->memory != 0 ? o->memory : MEMORY_DEFAULT;
    o->temp_max = o->temp_max != 0 ? o->temp_max : TEMP_MAX_DEFAULT;
    o->threads = o->threads != 0 ? o->threads : 2;
    o->scans = o->scans != 0 ? o->scans : 2;
    o->grace_us = o->grace_us != 0 ? o->grace_us : GRACE_DEFAULT_US;
    o->queue = o->queue != 0 ? o->queue : QUEUE_DEFAULT;
    o->result_max = o->result_max != 0 ? o->result_max : RESULT_DEFAULT;
}

static void free_duck(struct duck *d)
{
    pthread_cond_destroy(&d->turn);
    pthread_mutex_destroy(&d->lock);
    pthread_mutex_destroy(&d->start_lock);
    free(d->lake_dir);
    free(d->temp_dir);
    free(d->library);
    free(d->executable);
    free(d);
}

static void init_locks(struct duck *d)
{
    pthread_condattr_t a;
    pthread_mutex_init(&d->start_lock, NULL);
    pthread_mutex_init(&d->lock, NULL);
    pthread_condattr_init(&a);
    pthread_condattr_setclock(&a, CLOCK_MONOTONIC);
    pthread_cond_init(&d->turn, &a);
    pthread_condattr_destroy(&a);
    TAILQ_INIT(&d->waiters);
}

int duck_open(struct duck **ret, const struct duck_options *o, struct errmsg *err)
{
    if (o->lake_dir == NULL || o->lake_dir[0] == '\0' || o->temp_dir == NULL || o->temp_dir[0] == '\0')
        return (void)errmsg_set(err, "query worker: no directory given"), DUCK_ERR_USAGE;
    if (o->scans > DUCK_SCANS_MAX)
        return (void)errmsg_set(err, "query worker: more than %d scans at once", DUCK_SCANS_MAX), DUCK_ERR_USAGE;
    struct duck *d = calloc(1, sizeof(*d));
    bool failed = d == NULL;
    if (d != NULL) {
        d->o = *o;
        set_defaults(&d->o);
        init_locks(d);
        d->lake_dir = copy(o->lake_dir, &failed);
        d->temp_dir = copy(o->temp_dir, &failed);
        d->library = copy(o->library, &failed);
        d->executable = copy(o->executable != NULL ? o->executable : "/proc/self/exe", &failed);
        d->count.landlock = -1;
        if (failed)
            free_duck(d);
    }
    if (failed)
        return (void)errmsg_set(err, "out of memory"), DUCK_ERR_MEMORY;
    *ret = d;
    return 0;
}

void duck_close(struct duck *d)
{
    if (d == NULL)
        return;
    if (d->child != NULL) {
        duck_child_free(d->child);
        remove_old_files(d->temp_dir);
    }
    free_duck(d);
}

/* ------------------------------------------------------------------------------------------------ the child */

static struct duck_slice slice_of(const char *text)
{
    return (struct duck_slice){ (const uint8_t *)(text != NULL ? text : ""), text != NULL ? strlen(text) : 0 };
}

static int start_child(struct duck *d, struct duck_child **ret, struct errmsg *err)
{
    struct duck_hello hello = { .lake_dir = slice_of(d->lake_dir),
                                .temp_dir = slice_of(d->temp_dir),
                                .library = slice_of(d->library),
                                .memory = d->o.memory,
                                .address_space = d->o.address_space,
                                .temp_max = d->o.temp_max,
                                .threads = d->o.threads,
                                .slots = d->o.scans,
                                .ordered = d->o.ordered,
                                .any_statement = d->o.any_statement };
    if (make_temp_dir(d->temp_dir, err) != 0)
        return DUCK_ERR_UNAVAILABLE;
    remove_old_files(d->temp_dir);
    return duck_child_start(ret, d->executable, &hello, err);
}

/* Gives up a hold; the last one ends the child. d->lock is held. */
static void child_put(struct duck_child *c)
{
    if (--c->users == 0)
        duck_child_free(c);
}

/* No new queries for this child; who still has one there keeps it. d->lock is held. */
static void child_retire(struct duck *d, struct duck_child *c)
{
    if (d->child != c)
        return;
    d->child = NULL;
    child_put(c);
}

/* A hold on the child for new queries, NULL if there is none. A child that ended while idle is noticed here. */
static struct duck_child *child_get(struct duck *d)
{
    pthread_mutex_lock(&d->lock);
    if (d->child != NULL && duck_child_is_gone(d->child))
        child_retire(d, d->child);
    struct duck_child *c = d->child;
    if (c != NULL)
        c->users++;
    pthread_mutex_unlock(&d->lock);
    return c;
}

static void note_start(struct duck *d, struct duck_child *c, int rc, const struct errmsg *err)
{
    pthread_mutex_lock(&d->lock);
    d->count.starts++;
    if (rc == 0) {
        d->child = c;
        c->users = 2; /* as the one for new queries, and the caller's */
        d->backoff_us = 0;
        d->count.landlock = c->landlock;
        memcpy(d->count.version, c->version, sizeof(d->count.version));
    } else {
        d->backoff_us = d->backoff_us == 0                   ? BACKOFF_FIRST_US
                        : d->backoff_us < BACKOFF_MAX_US / 2 ? d->backoff_us * 2
                                                             : BACKOFF_MAX_US;
        d->retry_at = duck_now_us() + d->backoff_us;
        d->start_rc = rc;
        d->start_error = *err;
    }
    pthread_mutex_unlock(&d->lock);
}

/* As child_get(), but starts one if there is none. */
static int child_need(struct duck *d, struct duck_child **ret, struct errmsg *err)
{
    int rc = 0;
    *ret = child_get(d);
    if (*ret != NULL)
        return 0;
    pthread_mutex_lock(&d->start_lock);
    *ret = child_get(d);
    if (*ret == NULL && d->backoff_us != 0 && duck_now_us() < d->retry_at) {
        rc = d->start_rc;
        *err = d->start_error;
    } else if (*ret == NULL) {
        struct errmsg said = { "" };
        rc = start_child(d, ret, &said);
        note_start(d, *ret, rc, &said);
        *err = said;
    }
    pthread_mutex_unlock(&d->start_lock);
    return rc;
}

/* The child is of no use any more: ends it, and says how it ended. `rc` is what duck_talk() said. */
static int child_lost(struct duck_talk *q, int rc)
{
    struct duck *d = q->d;
    pthread_mutex_lock(&d->lock);
    duck_child_end(q->child);
    if (rc > 0) /* else it did not obey */
        (void)errmsg_set(q->err, "the query worker %s",
                         rc == DUCK_WIRE_MALFORMED ? "gave a malformed answer" : q->child->how);
    child_retire(d, q->child);
    pthread_mutex_unlock(&d->lock);
    return rc > 0 ? DUCK_ERR_DIED : rc;
}

/* ------------------------------------------------------------------------------------------------ turns */

static void wait_turn(struct duck_talk *q)
{
    uint64_t us = duck_now_us() + duck_talk_patience(q, STEP_US);
    struct timespec until = { (time_t)(us / 1000000), (long)(us % 1000000 * 1000) };
    (void)pthread_cond_timedwait(&q->d->turn, &q->d->lock, &until);
}

/* Waits in the queue; d->lock is held. */
static int wait_in_queue(struct duck_talk *q)
{
    struct duck *d = q->d;
    struct duck_waiter w;
    int rc = 0;
    if (TAILQ_EMPTY(&d->waiters) && d->running < d->o.scans)
        return 0;
    if (d->waiting >= d->o.queue)
        return (void)errmsg_set(q->err, "too many queries: %u run and %u wait", d->running, d->waiting), DUCK_ERR_BUSY;
    TAILQ_INSERT_TAIL(&d->waiters, &w, link);
    d->waiting++;
    while (rc == 0 && (TAILQ_FIRST(&d->waiters) != &w || d->running >= d->o.scans)) {
        rc = duck_talk_check(q);
        if (rc == 0)
            wait_turn(q);
    }
    d->waiting--;
    TAILQ_REMOVE(&d->waiters, &w, link);
    pthread_cond_broadcast(&d->turn);
    if (rc != 0)
        (void)errmsg_set(q->err, "the query did not get its turn");
    return rc;
}

static int enter(struct duck_talk *q)
{
    struct duck *d = q->d;
    pthread_mutex_lock(&d->lock);
    int rc = wait_in_queue(q);
    if (rc == 0) {
        while (d->busy[q->slot])
            q->slot++;
        d->busy[q->slot] = true;
        d->running++;
        q->number = ++d->next_number;
    }
    pthread_mutex_unlock(&d->lock);
    return rc;
}

static void leave(struct duck_talk *q)
{
    struct duck *d = q->d;
    pthread_mutex_lock(&d->lock);
    d->busy[q->slot] = false;
    d->running--;
    if (q->child != NULL)
        child_put(q->child);
    pthread_cond_broadcast(&d->turn);
    pthread_mutex_unlock(&d->lock);
}

/* ------------------------------------------------------------------------------------------------ the calls */

static int run(struct duck_talk *q, const char *sql, const struct duck_value *values, size_t count)
{
    bool ended = true;
    int rc = child_need(q->d, &q->child, q->err);
    if (rc == 0)
        rc = duck_talk(q, sql, values, count, &ended);
    if (!ended)
        return child_lost(q, rc);
    if (rc == DUCK_ERR_INTERNAL) /* every later query would fail, too: at once, before a new one uses the same folder */
        (void)child_lost(q, rc);
    return rc;
}

static void count_query(struct duck *d, const struct duck_talk *q, int rc)
{
    pthread_mutex_lock(&d->lock);
    d->count.queries++;
    d->count.errors[-rc]++;
    d->count.rows += q->stats.rows;
    d->count.octets_read += q->stats.octets_read;
    d->count.cpu_us += q->stats.cpu_us;
    pthread_mutex_unlock(&d->lock);
}

static int check_arguments(const struct duck_value *values, size_t count, struct errmsg *err)
{
    if (count > DUCK_VALUES_MAX)
        return (void)errmsg_set(err, "more than %d parameters", DUCK_VALUES_MAX), DUCK_ERR_LIMIT;
    for (size_t i = 0; i < count; i++)
        if ((unsigned)values[i].kind > DUCK_TEXTS)
            return (void)errmsg_set(err, "parameter %zu is of no kind", i + 1), DUCK_ERR_USAGE;
    return 0;
}

/* q: what was asked for but the time; q->err is set here. */
static int query(struct duck_talk *q, const char *sql, const struct duck_value *values, size_t count,
                 uint64_t timeout_us, struct duck_stats *stats, struct errmsg *err)
{
    uint64_t now = duck_now_us();
    struct errmsg said = { "" };
    q->err = &said;
    q->until = timeout_us != 0 && timeout_us < UINT64_MAX - now ? now + timeout_us : UINT64_MAX;
    int rc = check_arguments(values, count, &said);
    if (rc == 0 && (rc = enter(q)) == 0) {
        rc = run(q, sql, values, count);
        leave(q);
    }
    count_query(q->d, q, rc);
    if (stats != NULL)
        *stats = q->stats;
    if (rc != 0)
        (void)errmsg_set(err, "%s", said.text);
    q->err = NULL;
    return rc;
}

int duck_query(struct duck *d, const char *sql, const struct duck_value *values, size_t count, uint64_t timeout_us,
               const atomic_bool *cancel, duck_row_fn *row, void *arg, struct duck_stats *stats, struct errmsg *err)
{
    struct duck_talk q = { .d = d, .cancel = cancel, .row = row, .arg = arg };
    return query(&q, sql, values, count, timeout_us, stats, err);
}

int duck_query_script(struct duck *d, const struct duck_script *script, const char *sql, uint64_t timeout_us,
                      const atomic_bool *cancel, duck_row_fn *row, void *arg, struct duck_stats *stats,
                      struct errmsg *err)
{
    struct duck_talk q = { .d = d, .cancel = cancel, .script = script, .row = row, .arg = arg };
    return query(&q, sql, NULL, 0, timeout_us, stats, err);
}

pid_t duck_pid(struct duck *d)
{
    pthread_mutex_lock(&d->lock);
    pid_t pid = d->child != NULL ? d->child->pid : 0;
    pthread_mutex_unlock(&d->lock);
    return pid;
}

void duck_counters(struct duck *d, struct duck_counters *ret)
{
    pthread_mutex_lock(&d->lock);
    *ret = d->count;
    ret->running = d->running;
    ret->waiting = d->waiting;
    pid_t pid = d->child != NULL ? d->child->pid : 0;
    pthread_mutex_unlock(&d->lock);
    ret->rss = duck_child_rss(pid);
}
