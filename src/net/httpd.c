/*
 * HTTP and HTTPS listeners: libmicrohttpd without threads. Its epoll descriptor is polled by the loop; a timer covers
 * what libmicrohttpd wants to do without an event (time limits, requests it has buffered). New certificates mean a new
 * server on the same listening socket, as libmicrohttpd cannot change the ones it has.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "net/httpd.h"
#include "net/sock.h"
#include "net/tls.h"

#define MAX_CONNECTIONS 256
#define TIMEOUT_SECONDS 30
#define BODY_MAX        ((size_t)8 << 20)
#define BODIES_MAX      ((size_t)64 << 20)

void httpd_peer(const struct httpd *h, struct MHD_Connection *mc, struct net_peer *peer)
{
    listener_peer(&h->base, peer);
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(mc, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    if (info != NULL)
        sock_addr(info->client_addr, &peer->addr, &peer->port);
}

static void on_connection(void *arg, struct MHD_Connection *mc, void **state, enum MHD_ConnectionNotificationCode what)
{
    (void)state;
    struct engine *e = arg;
    struct httpd *h = e->httpd;
    bool started = what == MHD_CONNECTION_NOTIFY_STARTED;
    uint64_t change = started ? 1 : UINT64_MAX; /* modulo 2^64: minus one */
    h->base.loop->counters.connections += started;
    h->base.loop->counters.connections_open += change;
    e->connections += (size_t)change;
    struct net_peer peer;
    httpd_peer(h, mc, &peer);
    listener_event(&h->base, started ? NET_EVENT_CONNECTED : NET_EVENT_CLOSED, &peer,
                   started ? "connected" : "connection closed");
}

/* ------------------------------------------------------------------------------------------------ driving it */

static void engine_run(struct engine *e);

static void on_poll(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    engine_run(poll->data);
}

static void on_timer(uv_timer_t *timer)
{
    engine_run(timer->data);
}

static void arm(struct engine *e)
{
    MHD_UNSIGNED_LONG_LONG ms = 0;
    (void)uv_timer_stop(&e->timer);
    if (e->httpd->base.loop->paused && e->answering == 0) {
        (void)uv_poll_stop(&e->poll);
        return;
    }
    (void)uv_poll_start(&e->poll, UV_READABLE, on_poll);
    if (MHD_get_timeout(e->daemon, &ms) == MHD_YES)
        (void)uv_timer_start(&e->timer, on_timer, ms, 0);
}

static void on_engine_closed(uv_handle_t *handle)
{
    struct engine *e = handle->data;
    struct httpd *h = e->httpd;
    if (--e->handles == 0)
        free(e);
    listener_unref(&h->base);
}

/* Takes it out of the list, too. */
static void engine_close(struct engine *e)
{
    struct engine **link = &e->httpd->engines;
    while (*link != e)
        link = &(*link)->next;
    *link = e->next;
    uv_close((uv_handle_t *)&e->timer, on_engine_closed);
    uv_close((uv_handle_t *)&e->poll, on_engine_closed);
    MHD_stop_daemon(e->daemon);
}

static void engine_run(struct engine *e)
{
    (void)MHD_run(e->daemon);
    if (e != e->httpd->engines && e->connections == 0)
        engine_close(e); /* was replaced, and nobody is left */
    else
        arm(e);
}

void engine_schedule(struct engine *e)
{
    (void)uv_timer_start(&e->timer, on_timer, 0, 0);
}

static void httpd_pause(struct net_listener *listener, bool paused)
{
    (void)paused;
    for (struct engine *e = ((struct httpd *)listener)->engines; e != NULL; e = e->next)
        arm(e);
}

static void httpd_drain(struct net_listener *listener)
{
    for (struct engine *e = ((struct httpd *)listener)->engines; e != NULL; e = e->next) {
        for (unsigned i = 0; i < 8; i++) /* a request and its answer take a few turns */
            (void)MHD_run(e->daemon);
        arm(e);
    }
}

/* Requests that had no answer yet get none: the client sends them again, elsewhere or later. */
static void httpd_close(struct net_listener *listener)
{
    struct httpd *h = (struct httpd *)listener;
    calls_abandon(h);
    while (h->engines != NULL)
        engine_close(h->engines);
    (void)close(h->fd);
    listener_unref(&h->base);
}

static void httpd_destroy(struct net_listener *listener)
{
    struct httpd *h = (struct httpd *)listener;
    tls_files_free(&h->base.files);
    free(h);
}

static size_t httpd_open(const struct net_listener *listener)
{
    size_t open = 0;
    for (const struct engine *e = ((const struct httpd *)listener)->engines; e != NULL; e = e->next)
        open += e->connections;
    return open;
}

/* ------------------------------------------------------------------------------------------------ starting it */

/* A PEM file as terminated text, NULL with a text in err. */
static char *read_pem(const char *path, struct errmsg *err)
{
    gnutls_datum_t file;
    int rc = gnutls_load_file(path, &file);
    char *text = rc < 0 ? NULL : strndup((const char *)file.data, file.size);
    if (rc < 0)
        (void)errmsg_set(err, "%s: %s", path, gnutls_strerror(rc));
    else
        gnutls_free(file.data);
    return text;
}

struct pems {
    char *cert, *key, *ca;
};

/* Loads them into GnuTLS first, for libmicrohttpd does not say what is wrong with them. */
static int pems_read(struct pems *p, const struct tls_files *files, struct errmsg *err)
{
    struct tls_creds probe;
    *p = (struct pems){ 0 };
    if (tls_creds_server(&probe, files->cert, files->key, files->client_ca, err) < 0)
        return -1;
    tls_creds_free(&probe);
    p->cert = read_pem(files->cert, err);
    p->key = read_pem(files->key, err);
    if (files->client_ca != NULL)
        p->ca = read_pem(files->client_ca, err);
    bool whole = p->cert != NULL && p->key != NULL && (files->client_ca == NULL || p->ca != NULL);
    return whole ? 0 : -1;
}

static void pems_free(struct pems *p)
{
    if (p->key != NULL)
        gnutls_memset(p->key, 0, strlen(p->key));
    free(p->cert);
    free(p->key);
    free(p->ca);
}

/* fd stays the caller's. */
static int daemon_start(struct engine *e, int fd, const struct pems *pems, struct errmsg *err)
{
    const struct httpd *h = e->httpd;
    unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | (h->secure ? MHD_USE_TLS : 0);
    struct MHD_OptionItem secure[] = {
        { MHD_OPTION_HTTPS_MEM_CERT, 0, pems->cert },
        { MHD_OPTION_HTTPS_MEM_KEY, 0, pems->key },
        { MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t)TLS_PRIORITIES },
        { pems->ca == NULL ? MHD_OPTION_END : MHD_OPTION_HTTPS_MEM_TRUST, 0, pems->ca },
        { MHD_OPTION_END, 0, NULL },
    };
    struct MHD_OptionItem none[] = { { MHD_OPTION_END, 0, NULL } };
    e->daemon = MHD_start_daemon(flags, 0, NULL, NULL, call_request, e, MHD_OPTION_LISTEN_SOCKET, fd,
                                 MHD_OPTION_CONNECTION_LIMIT, h->max_connections, MHD_OPTION_PER_IP_CONNECTION_LIMIT,
                                 h->max_per_peer, MHD_OPTION_CONNECTION_TIMEOUT, h->timeout,
                                 MHD_OPTION_NOTIFY_COMPLETED, call_completed, e, MHD_OPTION_NOTIFY_CONNECTION,
                                 on_connection, e, MHD_OPTION_ARRAY, h->secure ? secure : none, MHD_OPTION_END);
    return e->daemon != NULL ? 0 : errmsg_set(err, "the HTTP server did not start");
}

static int drive(struct engine *e, struct errmsg *err)
{
    uv_loop_t *uv = &e->httpd->base.loop->uv;
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(e->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    int rc = info == NULL ? UV_EINVAL : uv_poll_init(uv, &e->poll, info->epoll_fd);
    if (rc < 0)
        return errmsg_set(err, "http: %s", uv_strerror(rc));
    (void)uv_timer_init(uv, &e->timer);
    e->poll.data = e;
    e->timer.data = e;
    return 0;
}

/* Makes it the one that accepts. NULL leaves nothing behind. fd: the listening socket, which stays the caller's. */
static struct engine *engine_new(struct httpd *h, int fd, struct errmsg *err)
{
    struct pems pems = { 0 };
    struct engine *e = calloc(1, sizeof(*e));
    if (e == NULL) {
        (void)errmsg_set(err, "out of memory");
        return NULL;
    }
    *e = (struct engine){ .httpd = h, .handles = 2, .need_client_cert = h->secure && h->base.files.client_ca != NULL };
    int rc = h->secure ? pems_read(&pems, &h->base.files, err) : 0;
    int own = rc == 0 ? fcntl(fd, F_DUPFD_CLOEXEC, 0) : -1; /* libmicrohttpd closes what it is given */
    if (rc == 0)
        rc = own < 0 ? errmsg_set(err, "http: %s", strerror(errno)) : daemon_start(e, own, &pems, err);
    pems_free(&pems);
    if (rc == 0 && drive(e, err) < 0) {
        MHD_stop_daemon(e->daemon);
        rc = -1;
    }
    if (rc < 0) {
        free(e);
        return NULL;
    }
    e->next = h->engines;
    h->engines = e;
    h->base.refs += e->handles;
    return e;
}

/* The one that has accepted so far does so no more, and goes with its last connection. */
static int httpd_reload(struct net_listener *listener, struct errmsg *err)
{
    struct httpd *h = (struct httpd *)listener;
    struct engine *old = h->engines;
    if (!h->secure)
        return 0;
    struct engine *fresh = engine_new(h, h->fd, err);
    if (fresh == NULL)
        return -1;
    int fd = MHD_quiesce_daemon(old->daemon);
    if (fd >= 0)
        (void)close(fd);
    engine_schedule(old);
    arm(fresh);
    return 0;
}

static const struct listener_ops httpd_ops = {
    .drain = httpd_drain,
    .flush = httpd_drain,
    .pause = httpd_pause,
    .open = httpd_open,
    .reload = httpd_reload,
    .close = httpd_close,
    .destroy = httpd_destroy,
};

static void configure(struct httpd *h, const struct net_listen_options *options)
{
    size_t max = options->max_connections == 0 ? MAX_CONNECTIONS : options->max_connections;
    h->max_connections = (unsigned)max;
    h->max_per_peer = (unsigned)peer_limit(options, max);
    h->timeout = options->idle_timeout == 0 ? TIMEOUT_SECONDS : options->idle_timeout;
    h->body_max = options->body_max == 0 ? BODY_MAX : options->body_max;
    h->account.max = options->bodies_max == 0 ? BODIES_MAX : options->bodies_max;
}

int httpd_listen(struct net_listener **ret, struct net_loop *loop, const struct net_listen_options *options, int fd,
                 bool tls, struct errmsg *err)
{
    struct httpd *h = calloc(1, sizeof(*h));
    if (h == NULL) {
        (void)close(fd);
        return errmsg_set(err, "out of memory");
    }
    *h = (struct httpd){ .base = { .ops = &httpd_ops, .loop = loop, .refs = 1 }, .fd = fd, .secure = tls };
    configure(h, options);
    int rc = tls && tls_files_copy(&h->base.files, &options->tls) < 0 ? errmsg_set(err, "out of memory") : 0;
    struct engine *e = rc == 0 ? engine_new(h, fd, err) : NULL;
    if (e == NULL) {
        (void)close(fd);
        httpd_destroy(&h->base);
        return -1;
    }
    arm(e);
    *ret = &h->base;
    return 0;
}
