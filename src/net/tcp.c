/*
 * TCP and TLS listeners: accepting, limits, time limits, pause, reload of certificates. The connections are in
 * tcp_conn.c.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/sock.h"
#include "net/tcp.h"

#define MAX_CONNECTIONS   1024
#define HANDSHAKE_SECONDS 10
#define FRAME_SECONDS     60
#define TICK_MS           500
#define ROUNDS            4  /* reads of one connection in one go, so that the others get their turn */
#define DRAIN_ROUNDS      64 /* the same when the loop stops */
#define ACCEPTS           64

/* ------------------------------------------------------------------------------------------------ certificates */

struct tcp_creds *tcp_creds_ref(struct tcp_creds *creds)
{
    creds->refs++;
    return creds;
}

void tcp_creds_unref(struct tcp_creds *creds)
{
    if (creds == NULL || --creds->refs > 0)
        return;
    tls_creds_free(&creds->tls);
    free(creds);
}

static int tcp_reload(struct net_listener *listener, struct errmsg *err)
{
    struct tcp *t = (struct tcp *)listener;
    if (!t->secure)
        return 0;
    struct tcp_creds *creds = calloc(1, sizeof(*creds));
    if (creds == NULL)
        return errmsg_set(err, "out of memory");
    if (tls_creds_server(&creds->tls, t->base.files.cert, t->base.files.key, t->base.files.client_ca, err) < 0) {
        free(creds);
        return -1;
    }
    tcp_creds_unref(t->creds);
    t->creds = tcp_creds_ref(creds);
    return 0;
}

/* ------------------------------------------------------------------------------------------------ accepting */

static bool same_address(const struct hep_addr *a, const struct hep_addr *b)
{
    return a->len == b->len && memcmp(a->octets, b->octets, a->len) == 0;
}

static bool peer_has_enough(const struct tcp *t, const struct hep_addr *addr)
{
    size_t count = 0;
    for (const struct conn *c = t->conns; c != NULL && count < t->max_per_peer; c = c->next)
        count += same_address(&c->peer.addr, addr);
    return count >= t->max_per_peer;
}

static void refuse(struct tcp *t, const struct net_peer *peer, const char *text)
{
    t->base.loop->counters.connections_refused++;
    listener_event(&t->base, NET_EVENT_REFUSED, peer, text);
}

static void accepted(struct tcp *t, int fd, struct net_peer *peer)
{
    if (t->open >= t->max)
        refuse(t, peer, "too many connections");
    else if (peer_has_enough(t, &peer->addr))
        refuse(t, peer, "too many connections from this address");
    else if (conn_new(t, fd, peer) == 0)
        return;
    else {
        t->base.loop->counters.socket_errors++;
        listener_event(&t->base, NET_EVENT_SOCKET_ERROR, peer, "no memory for a connection");
    }
    (void)close(fd);
}

static void listen_poll(struct tcp *t);

static void accept_failed(struct tcp *t, const struct net_peer *peer)
{
    if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED)
        return;
    t->base.loop->counters.socket_errors++;
    listener_event(&t->base, NET_EVENT_SOCKET_ERROR, peer, strerror(errno));
    t->stalled = true; /* out of descriptors: the poll would spin */
    listen_poll(t);
}

static void on_listen_poll(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    struct tcp *t = poll->data;
    for (unsigned i = 0; i < ACCEPTS && !t->base.loop->paused; i++) {
        struct sockaddr_storage from;
        socklen_t len = sizeof(from);
        struct net_peer peer;
        listener_peer(&t->base, &peer);
        int fd = accept4(t->fd, (struct sockaddr *)&from, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            accept_failed(t, &peer);
            return;
        }
        sock_addr((struct sockaddr *)&from, &peer.addr, &peer.port);
        accepted(t, fd, &peer);
    }
}

static void listen_poll(struct tcp *t)
{
    if (t->base.loop->paused || t->stalled)
        (void)uv_poll_stop(&t->poll);
    else
        (void)uv_poll_start(&t->poll, UV_READABLE, on_listen_poll);
}

static void on_tick(uv_timer_t *tick)
{
    struct tcp *t = tick->data;
    uint64_t now = uv_now(&t->base.loop->uv);
    for (struct conn *c = t->conns, *next; c != NULL; c = next) {
        next = c->next;
        /* During a pause it is not the peer who is slow; handshakes go on. */
        if (c->deadline != 0 && now >= c->deadline && (c->handshaking || !t->base.loop->paused))
            conn_expire(c);
    }
    if (t->stalled) {
        t->stalled = false;
        listen_poll(t);
    }
}

/* ------------------------------------------------------------------------------------------------ the listener */

static void on_kick(uv_timer_t *kick)
{
    struct tcp *t = kick->data;
    for (struct conn *c = t->conns, *next; c != NULL && !t->base.loop->paused; c = next) {
        next = c->next;
        if (!c->handshaking && conn_waits(c))
            conn_read(c, ROUNDS);
    }
}

static void tcp_pause(struct net_listener *listener, bool paused)
{
    struct tcp *t = (struct tcp *)listener;
    listen_poll(t); /* the polls follow loop->paused */
    bool waits = false;
    for (struct conn *c = t->conns; c != NULL; c = c->next) {
        conn_poll(c);
        if (paused || c->handshaking)
            continue;
        conn_set_deadline(c);
        waits = waits || conn_waits(c);
    }
    if (waits)
        (void)uv_timer_start(&t->kick, on_kick, 0, 0);
}

static void tcp_drain(struct net_listener *listener)
{
    struct tcp *t = (struct tcp *)listener;
    for (struct conn *c = t->conns, *next; c != NULL; c = next) {
        next = c->next;
        if (!c->handshaking)
            conn_read(c, DRAIN_ROUNDS);
    }
}

static void on_closed(uv_handle_t *handle)
{
    struct tcp *t = handle->data;
    listener_unref(&t->base);
}

static void tcp_close(struct net_listener *listener)
{
    struct tcp *t = (struct tcp *)listener;
    while (t->conns != NULL)
        conn_finish(t->conns);
    uv_close((uv_handle_t *)&t->poll, on_closed);
    uv_close((uv_handle_t *)&t->tick, on_closed);
    uv_close((uv_handle_t *)&t->kick, on_closed);
    (void)close(t->fd);
}

static void tcp_destroy(struct net_listener *listener)
{
    struct tcp *t = (struct tcp *)listener;
    tcp_creds_unref(t->creds);
    tls_files_free(&t->base.files);
    free(t);
}

static size_t tcp_open(const struct net_listener *listener)
{
    return ((const struct tcp *)listener)->open;
}

static void tcp_each(const struct net_listener *listener, void (*call)(void *arg, const struct net_connection *c),
                     void *arg)
{
    for (const struct conn *c = ((const struct tcp *)listener)->conns; c != NULL; c = c->next) {
        struct net_connection connection;
        conn_describe(c, &connection);
        call(arg, &connection);
    }
}

static const struct listener_ops tcp_ops = {
    .open = tcp_open,
    .reload = tcp_reload,
    .each = tcp_each,
    .drain = tcp_drain,
    .pause = tcp_pause,
    .close = tcp_close,
    .destroy = tcp_destroy,
};

static void configure(struct tcp *t, const struct net_listen_options *options)
{
    unsigned handshake = options->handshake_timeout == 0 ? HANDSHAKE_SECONDS : options->handshake_timeout;
    t->max = options->max_connections == 0 ? MAX_CONNECTIONS : options->max_connections;
    t->max_per_peer = peer_limit(options, t->max);
    t->frame_ms = (uint64_t)(options->frame_timeout == 0 ? FRAME_SECONDS : options->frame_timeout) * 1000;
    t->idle_ms = (uint64_t)options->idle_timeout * 1000;
    t->handshake_ms = (uint64_t)handshake * 1000;
}

static int start(struct tcp *t, const struct net_listen_options *options, struct errmsg *err)
{
    if (t->secure && tls_files_copy(&t->base.files, &options->tls) < 0)
        return errmsg_set(err, "out of memory");
    if (tcp_reload(&t->base, err) < 0)
        return -1;
    int rc = uv_poll_init(&t->base.loop->uv, &t->poll, t->fd);
    if (rc < 0)
        return errmsg_set(err, "tcp: %s", uv_strerror(rc));
    (void)uv_timer_init(&t->base.loop->uv, &t->tick);
    (void)uv_timer_start(&t->tick, on_tick, TICK_MS, TICK_MS);
    t->poll.data = t;
    (void)uv_timer_init(&t->base.loop->uv, &t->kick);
    t->tick.data = t;
    t->kick.data = t;
    listen_poll(t);
    return 0;
}

int tcp_listen(struct net_listener **ret, struct net_loop *loop, const struct net_listen_options *options, int fd,
               bool tls, struct errmsg *err)
{
    struct tcp *t = calloc(1, sizeof(*t));
    if (t == NULL) {
        (void)close(fd);
        return errmsg_set(err, "out of memory");
    }
    *t = (struct tcp){ .base = { .ops = &tcp_ops, .loop = loop, .refs = 3 }, .fd = fd, .secure = tls };
    configure(t, options);
    if (start(t, options, err) < 0) {
        (void)close(fd);
        tcp_destroy(&t->base);
        return -1;
    }
    *ret = &t->base;
    return 0;
}
