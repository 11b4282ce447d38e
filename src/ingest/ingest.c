/* Lifetime: options, workers, reload, stop. */
#include "ingest/ingest.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "ingest/internal.h"

#define WORKERS_AUTO_MAX 8
#define STOP_WAIT_MS     5000
#define RELOAD_SECONDS   10

uint64_t monotonic_us(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

void ingest_tell(const struct ingest *ingest, enum ingest_level level, const struct net_peer *peer, const char *text)
{
    const struct ingest_event event = { level, peer, text };
    if (ingest->o.on_event != NULL)
        ingest->o.on_event(ingest->o.arg, &event);
}

/* ------------------------------------------------------------------------------------------------ options */

static bool is_http_url(const char *url)
{
    return strncmp(url, "http", 4) == 0;
}

/* Threads for UDP, TCP and TLS, and whether there is one for HTTP. */
static unsigned count_workers(const struct ingest_options *o, bool *ret_http)
{
    bool receive = false;
    *ret_http = false;
    for (size_t i = 0; i < o->url_count; i++) {
        if (is_http_url(o->urls[i]))
            *ret_http = true;
        else
            receive = true;
    }
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    unsigned want = o->workers;
    if (want == 0)
        want = cores < 1 ? 1 : cores > WORKERS_AUTO_MAX ? WORKERS_AUTO_MAX : (unsigned)cores;
    if (want > INGEST_WORKERS_MAX)
        want = INGEST_WORKERS_MAX;
    return receive ? want : 0;
}

unsigned ingest_writers(const struct ingest_options *options)
{
    bool http;
    unsigned receivers = count_workers(options, &http);
    return receivers + http;
}

static int copy_options(struct ingest *in, const struct ingest_options *o, struct errmsg *err)
{
    if (o->url_count == 0 || o->url_count > INGEST_URLS_MAX)
        return errmsg_set(err, "1 to %d addresses can be listened on", INGEST_URLS_MAX);
    in->o = *o;
    bool ok = true;
    for (size_t i = 0; ok && i < o->url_count; i++)
        ok = (in->urls[i] = strdup(o->urls[i])) != NULL;
    in->o.urls = NULL; /* the copies are meant */
    if (in->o.stop_wait_ms == 0)
        in->o.stop_wait_ms = STOP_WAIT_MS;
    return ok ? 0 : errmsg_set(err, "out of memory");
}

static bool is_unguarded(const struct ingest_rules *rules)
{
    return rules->key_count == 0 && rules->allow_count == 0;
}

/* ------------------------------------------------------------------------------------------------ opening */

static int open_workers(struct ingest *in, bool http, struct errmsg *err)
{
    unsigned count = in->receivers + http;
    in->workers = calloc(count, sizeof(*in->workers));
    in->accounts = accounts_new();
    if (in->workers == NULL || in->accounts == NULL)
        return errmsg_set(err, "out of memory");
    for (unsigned i = 0; i < count; i++) {
        struct worker *w = &in->workers[i];
        w->ingest = in;
        w->index = i;
        w->http = i == in->receivers;
        in->worker_count = i + 1;
        if (worker_open(w, err) < 0)
            return -1;
    }
    return 0;
}

int ingest_open(struct ingest **ret, const struct ingest_options *options, const struct sink *sink, struct errmsg *err)
{
    struct ingest *in = calloc(1, sizeof(*in));
    bool http;
    if (in == NULL)
        return errmsg_set(err, "out of memory");
    in->sink = *sink;
    int rc = copy_options(in, options, err);
    in->receivers = rc == 0 ? count_workers(options, &http) : 0;
    if (rc == 0 && in->receivers + http > sink->writers)
        rc = errmsg_set(err, "the sink takes %u writers, not %u", sink->writers, in->receivers + http);
    atomic_store(&in->unguarded, is_unguarded(&options->rules));
    if (rc == 0)
        rc = open_workers(in, http, err);
    in->o.rules = (struct ingest_rules){ 0 }; /* each worker has its copy */
    for (unsigned i = 0; rc == 0 && i < in->worker_count; i++)
        rc = worker_start(&in->workers[i], err);
    if (rc == 0) {
        *ret = in;
        return 0;
    }
    ingest_free(in);
    return -1;
}

/* ------------------------------------------------------------------------------------------------ reload */

static int ask_reload(struct worker *w, const struct ingest_rules *rules, struct errmsg *err)
{
    struct ingest_rules *copy = rules_copy(rules);
    if (copy == NULL)
        return errmsg_set(err, "out of memory");
    (void)pthread_mutex_lock(&w->lock);
    rules_free(w->next_rules);
    w->next_rules = copy;
    w->reload = w->running;
    (void)pthread_mutex_unlock(&w->lock);
    net_wake(w->loop);
    return 0;
}

static int await_reload(struct worker *w, struct errmsg *err)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += RELOAD_SECONDS;
    int waited = 0, rc = 0;
    (void)pthread_mutex_lock(&w->lock);
    while (w->reload && waited == 0)
        waited = pthread_cond_timedwait(&w->done, &w->lock, &until);
    if (w->reload)
        rc = errmsg_set(err, "receiving thread %u does not answer", w->index);
    else if (w->reload_rc != 0) {
        if (err != NULL)
            *err = w->reload_err;
        rc = -1;
    }
    (void)pthread_mutex_unlock(&w->lock);
    return rc;
}

int ingest_reload(struct ingest *ingest, const struct ingest_rules *rules, struct errmsg *err)
{
    int rc = 0;
    for (unsigned i = 0; i < ingest->worker_count; i++) {
        if (ask_reload(&ingest->workers[i], rules, err) < 0)
            rc = -1;
    }
    for (unsigned i = 0; i < ingest->worker_count; i++) {
        if (await_reload(&ingest->workers[i], err) < 0)
            rc = -1;
    }
    atomic_store(&ingest->unguarded, is_unguarded(rules));
    return rc;
}

/* ------------------------------------------------------------------------------------------------ the end */

void ingest_stop(struct ingest *ingest)
{
    if (ingest->stopped)
        return;
    ingest->stopped = true;
    ingest->stop_by_us = monotonic_us() + (uint64_t)ingest->o.stop_wait_ms * 1000;
    atomic_store(&ingest->stopping, true);
    for (unsigned i = 0; i < ingest->worker_count; i++) {
        if (ingest->workers[i].started)
            net_stop(ingest->workers[i].loop);
    }
    for (unsigned i = 0; i < ingest->worker_count; i++) {
        struct worker *w = &ingest->workers[i];
        if (w->started)
            (void)pthread_join(w->thread, NULL);
        if (ingest->sink.ops->on_wake != NULL)
            ingest->sink.ops->on_wake(ingest->sink.ctx, w->index, NULL, NULL);
    }
}

void ingest_free(struct ingest *ingest)
{
    if (ingest == NULL)
        return;
    ingest_stop(ingest);
    for (unsigned i = 0; i < ingest->worker_count; i++)
        worker_free(&ingest->workers[i]);
    free(ingest->workers);
    accounts_free(ingest->accounts);
    for (size_t i = 0; i < INGEST_URLS_MAX; i++)
        free(ingest->urls[i]);
    free(ingest);
}
