/* A worker: loop, listeners, thread, and what it tells the others about itself. */
#include "ingest/internal.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TICK_MS       100
#define PUBLISH_TICKS 10
#define SENDERS_MAX   10000

/* ------------------------------------------------------------------------------------------------ callbacks of net */

static void on_datagram(void *arg, const struct net_peer *peer, const uint8_t *data, size_t len)
{
    receive_datagram(arg, peer, data, len);
}

static void on_frame(void *arg, const struct net_peer *peer, const uint8_t *frame, size_t len)
{
    receive_frame(arg, peer, frame, len);
}

static void on_stream_error(void *arg, const struct net_peer *peer, int hep_error, uint64_t offset)
{
    struct worker *w = arg;
    char text[128];
    (void)snprintf(text, sizeof(text), "stream broken at octet %llu: %s", (unsigned long long)offset,
                   hep_strerror(hep_error));
    ingest_tell(w->ingest, INGEST_WARNING, peer, text);
    receive_stream_error(w, peer, hep_error);
}

static void on_body(void *arg, const struct net_peer *peer, const struct http_request *request,
                    struct http_reply *reply)
{
    posts_body(arg, peer, request, reply);
}

static void on_event(void *arg, enum net_event event, const struct net_peer *peer, const char *text)
{
    const struct worker *w = arg;
    bool usual = event == NET_EVENT_CONNECTED || event == NET_EVENT_CLOSED;
    ingest_tell(w->ingest, usual ? INGEST_INFO : INGEST_WARNING, peer, text);
}

/* ------------------------------------------------------------------------------------------------ figures */

static void add_connection(void *arg, const struct net_connection *connection)
{
    struct worker *w = arg;
    if (w->connection_count == w->connection_room) {
        size_t room = w->connection_room == 0 ? 16 : 2 * w->connection_room;
        struct net_connection *grown = realloc(w->connections, room * sizeof(*grown));
        if (grown == NULL)
            return; /* the list is for people to look at: a shorter one will do */
        w->connections = grown;
        w->connection_room = room;
    }
    w->connections[w->connection_count++] = *connection;
}

/* Copies what other threads may ask for. */
static void publish(struct worker *w)
{
    (void)pthread_mutex_lock(&w->lock);
    w->net = *net_counters(w->loop);
    if (w->running || !w->started) { /* listeners go with the end of the loop: their last figures stay */
        for (size_t i = 0; i < w->listener_count; i++)
            net_listener_info(w->listeners[i].listener, &w->infos[i]);
    }
    w->connection_count = 0;
    net_connections(w->loop, add_connection, w);
    (void)pthread_mutex_unlock(&w->lock);
}

/* ------------------------------------------------------------------------------------------------ the loop's turns */

static void take_rules(struct worker *w, struct ingest_rules *rules)
{
    rules_free(w->rules);
    w->rules = rules;
    w->rules_generation++; /* senders are judged again */
}

static int reload_files(struct worker *w, struct errmsg *err)
{
    int rc = 0;
    for (size_t i = 0; i < w->listener_count; i++) {
        if (net_listener_reload(w->listeners[i].listener, &w->rules->tls, err) < 0)
            rc = -1;
    }
    return rc;
}

static void reload(struct worker *w)
{
    (void)pthread_mutex_lock(&w->lock);
    if (w->reload) {
        take_rules(w, w->next_rules);
        w->next_rules = NULL;
        w->reload_rc = reload_files(w, &w->reload_err);
        w->reload = false;
        (void)pthread_cond_broadcast(&w->done);
    }
    (void)pthread_mutex_unlock(&w->lock);
}

static void on_wake(void *arg)
{
    struct worker *w = arg;
    reload(w);
    receive_retry(w);
    if (w->http)
        posts_answer(w);
}

static void on_tick(void *arg)
{
    struct worker *w = arg;
    receive_retry(w);
    if (w->http)
        posts_answer(w);
    if (++w->ticks % PUBLISH_TICKS == 0)
        publish(w);
}

static void on_wait(void *arg)
{
    struct worker *w = arg;
    const struct sink *sink = &w->ingest->sink;
    w->pressed = sink->ops->pressed != NULL && sink->ops->pressed(sink->ctx);
}

/* By the sink, from any thread. */
static void on_sink_wake(void *arg)
{
    struct worker *w = arg;
    if (atomic_load(&w->wants_wake))
        net_wake(w->loop);
}

/* ------------------------------------------------------------------------------------------------ listeners */

static int split_url(const char *url, enum net_transport *ret_transport, char host[256], uint16_t *ret_port,
                     struct errmsg *err)
{
    char where[300];
    for (unsigned t = NET_UDP; t <= NET_HTTPS; t++) {
        const char *name = net_transport_name((enum net_transport)t);
        size_t len = strlen(name);
        if (strncmp(url, name, len) != 0 || strncmp(url + len, "://", 3) != 0)
            continue;
        size_t end = strcspn(url + len + 3, "/");
        *ret_transport = (enum net_transport)t;
        if (end >= sizeof(where))
            break;
        (void)snprintf(where, sizeof(where), "%.*s", (int)end, url + len + 3);
        if (ip_host_port(where, host, ret_port, 0))
            return 0;
    }
    return errmsg_set(err, "'%s' is not udp, tcp, tls, http or https://ADDR:PORT", url);
}

/* From the slash on; empty if there is none: every path is taken. */
static const char *path_of(const char *url)
{
    const char *host = strstr(url, "://");
    return host == NULL ? "" : host + 3 + strcspn(host + 3, "/");
}

bool worker_takes_path(const struct worker *w, uint16_t port, const char *path)
{
    for (size_t i = 0; i < w->listener_count; i++) {
        const char *own = path_of(w->listeners[i].url);
        if (net_listener_port(w->listeners[i].listener) == port && (own[0] == '\0' || strcmp(own, path) == 0))
            return true;
    }
    return false;
}

static bool is_http(enum net_transport transport)
{
    return transport == NET_HTTP || transport == NET_HTTPS;
}

static struct net_listen_options listen_options(const struct worker *w, const char *host, uint16_t port)
{
    const struct ingest_options *o = &w->ingest->o;
    return (struct net_listen_options){ .host = host,
                                        .port = port,
                                        .rcvbuf = o->rcvbuf,
                                        .max_connections = o->max_connections,
                                        .max_per_peer = o->max_per_peer,
                                        .idle_timeout = o->idle_timeout,
                                        .frame_timeout = o->frame_timeout,
                                        .tls = w->rules->tls,
                                        .body_max = o->body_max,
                                        .bodies_max = o->bodies_max };
}

/* The first worker decides whether the address is free, and which one it is if the system may choose. */
static void set_share(const struct worker *w, const char *url, struct net_listen_options *options)
{
    const struct worker *first = &w->ingest->workers[0];
    if (w->http || w->ingest->receivers == 1)
        return;
    options->share = w == first ? NET_SHARE_FIRST : NET_SHARE_JOIN;
    for (size_t i = 0; w != first && i < first->listener_count; i++) {
        if (first->listeners[i].url == url)
            options->port = net_listener_port(first->listeners[i].listener);
    }
}

static int open_listener(struct worker *w, const char *url, struct errmsg *err)
{
    enum net_transport transport = NET_UDP;
    char host[256] = "";
    uint16_t port = 0;
    struct errmsg why = { "" };
    if (split_url(url, &transport, host, &port, err) < 0)
        return -1;
    if (is_http(transport) != w->http)
        return 0;
    struct net_listen_options options = listen_options(w, host, port);
    const struct net_handler handler = { .arg = w,
                                         .on_datagram = on_datagram,
                                         .on_frame = on_frame,
                                         .on_stream_error = on_stream_error,
                                         .on_body = on_body,
                                         .on_event = on_event };
    set_share(w, url, &options);
    struct worker_listener *l = &w->listeners[w->listener_count];
    if (net_listen(w->loop, transport, &options, &handler, &l->listener, &why) < 0)
        return errmsg_set(err, "%s: %s", url, why.text);
    l->url = url;
    w->listener_count++;
    return 0;
}

/* ------------------------------------------------------------------------------------------------ lifetime */

static void drop_sender(void *arg, struct sender *s)
{
    const struct worker *w = arg;
    account_put(w->ingest->accounts, s->account);
}

static int make_parts(struct worker *w, struct errmsg *err)
{
    const struct ingest_options *o = &w->ingest->o;
    w->reader = record_reader_new(&o->record);
    w->envelope = hep_zlib_new(0);
    w->rules = rules_copy(&o->rules);
    w->senders = senders_new(o->senders_max == 0 ? SENDERS_MAX : o->senders_max, drop_sender, w);
    w->posts = w->http ? posts_new(w) : NULL;
    buf_init(&w->held.octets, HEP_FRAME_MAX);
    w->rules_generation = 1;
    bool whole = w->reader != NULL && w->envelope != NULL && w->rules != NULL && w->senders != NULL;
    if (!whole || (w->http && w->posts == NULL))
        return errmsg_set(err, "out of memory");
    return net_loop_new(&w->loop, err);
}

int worker_open(struct worker *w, struct errmsg *err)
{
    const struct ingest *in = w->ingest;
    (void)pthread_mutex_init(&w->lock, NULL);
    (void)pthread_cond_init(&w->done, NULL);
    if (make_parts(w, err) < 0)
        return -1;
    for (size_t i = 0; i < in->o.url_count; i++) {
        if (open_listener(w, in->urls[i], err) < 0)
            return -1;
    }
    net_on_wake(w->loop, on_wake, w);
    net_on_wait(w->loop, on_wait, w);
    net_on_timer(w->loop, TICK_MS, on_tick, w);
    net_set_stop_wait(w->loop, in->o.stop_wait_ms);
    if (in->sink.ops->on_wake != NULL)
        in->sink.ops->on_wake(in->sink.ctx, w->index, on_sink_wake, w);
    publish(w);
    return 0;
}

static void *worker_main(void *arg)
{
    struct worker *w = arg;
    net_loop_run(w->loop);
    receive_settle(w);
    if (w->http)
        posts_end(w);
    (void)pthread_mutex_lock(&w->lock);
    w->running = false;
    w->reload = false; /* too late */
    (void)pthread_cond_broadcast(&w->done);
    (void)pthread_mutex_unlock(&w->lock);
    publish(w);
    return NULL;
}

int worker_start(struct worker *w, struct errmsg *err)
{
    sigset_t all, before; /* signals are the main thread's business */
    char name[16];
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    (void)pthread_mutex_lock(&w->lock); /* the thread looks at these at its end */
    int rc = pthread_create(&w->thread, NULL, worker_main, w);
    w->running = w->started = rc == 0;
    (void)pthread_mutex_unlock(&w->lock);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc != 0)
        return errmsg_set(err, "thread: %s", strerror(rc));
    (void)snprintf(name, sizeof(name), "ingest-%u", w->index);
    (void)pthread_setname_np(w->thread, name);
    return 0;
}

void worker_free(struct worker *w)
{
    net_loop_free(w->loop);
    posts_free(w->posts);
    senders_free(w->senders);
    rules_free(w->rules);
    rules_free(w->next_rules);
    hep_zlib_free(w->envelope);
    record_reader_free(w->reader);
    buf_free(&w->held.octets);
    free(w->connections);
    (void)pthread_cond_destroy(&w->done);
    (void)pthread_mutex_destroy(&w->lock);
}
