/*
 * TCP and TLS: accepted sockets polled by the loop, their octets put straight into the hep_stream that cuts them into
 * frames. The sockets are polled (uv_poll) rather than read by libuv (uv_tcp): so GnuTLS reads its socket itself and
 * no copy of the ciphertext is needed, and a connection without a half-received frame holds no buffer.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/internal.h"
#include "net/sock.h"
#include "net/tls.h"

#define MAX_CONNECTIONS   1024
#define HANDSHAKE_SECONDS 10
#define KEEPALIVE_SECONDS 60
#define TICK_MS           500
#define ROUNDS            4  /* reads of one connection in one go, so that the others get their turn */
#define DRAIN_ROUNDS      64 /* the same when the loop stops */
#define ACCEPTS           64

struct tcp {
    struct net_listener base;
    uv_poll_t poll;
    uv_timer_t tick; /* looks for connections whose time is over and tries a stalled accept() again */
    int fd;
    bool stalled; /* accept() failed for want of descriptors or memory: wait for the next tick */
    bool secure;
    struct tls_creds creds;
    struct conn *conns;
    size_t open, max;
    uint64_t idle_ms, handshake_ms;
};

struct conn {
    struct tcp *listener;
    struct conn *next, **link; /* link: what points here; NULL once closed */
    uv_poll_t poll;
    int fd;
    gnutls_session_t tls; /* NULL: plain */
    bool handshaking;
    uint64_t deadline; /* loop time; 0: none */
    struct hep_stream stream;
    struct net_peer peer;
};

static void on_conn_poll(uv_poll_t *poll, int status, int events);

/* ------------------------------------------------------------------------------------------------ stream buffer */

/* The stream reader gets a buffer when data arrives; its place in the stream is kept. */
static int buffer_take(struct conn *c)
{
    if (c->stream.buf != NULL)
        return 0;
    uint8_t *buffer = loop_buffer_take(c->listener->base.loop);
    if (buffer == NULL)
        return -1;
    uint64_t offset = c->stream.offset;
    hep_stream_init(&c->stream, buffer, NET_STREAM_BUFFER);
    c->stream.offset = offset;
    return 0;
}

static void buffer_give(struct conn *c)
{
    loop_buffer_give(c->listener->base.loop, c->stream.buf);
    c->stream = (struct hep_stream){ .offset = c->stream.offset };
}

static void buffer_give_if_empty(struct conn *c)
{
    if (c->stream.buf != NULL && c->stream.start == c->stream.end)
        buffer_give(c);
}

/* ------------------------------------------------------------------------------------------------ connections */

static struct net_counters *counters(const struct conn *c)
{
    return &c->listener->base.loop->counters;
}

static bool is_closed(const struct conn *c)
{
    return c->link == NULL;
}

static void conn_event(const struct conn *c, enum net_event event, const char *text)
{
    listener_event(&c->listener->base, event, &c->peer, text);
}

static void on_conn_closed(uv_handle_t *handle)
{
    struct conn *c = handle->data;
    listener_unref(&c->listener->base);
    free(c);
}

static void conn_close(struct conn *c)
{
    if (is_closed(c))
        return;
    *c->link = c->next;
    if (c->next != NULL)
        c->next->link = c->link;
    c->link = NULL;
    c->listener->open--;
    counters(c)->connections_open--;
    buffer_give(c);
    uv_close((uv_handle_t *)&c->poll, on_conn_closed);
    if (c->tls != NULL) {
        if (!c->handshaking)
            (void)gnutls_bye(c->tls, GNUTLS_SHUT_WR); /* once; a peer that takes nothing gets nothing */
        gnutls_deinit(c->tls);
    }
    (void)close(c->fd);
}

static void stream_error(struct conn *c, int error)
{
    if (error == HEP_ERR_TRUNCATED)
        counters(c)->streams_cut++;
    else
        counters(c)->stream_errors++;
    const struct net_handler *h = &c->listener->base.handler;
    h->on_stream_error(h->arg, &c->peer, error, c->stream.offset);
}

/* Says how the stream ended and closes the connection. why: 0 or an enum tls_result. */
static void conn_end(struct conn *c, ssize_t why)
{
    const char *text = "closed by the peer";
    enum net_event event = NET_EVENT_CLOSED;
    if (c->stream.buf != NULL && hep_stream_finish(&c->stream) == HEP_ERR_TRUNCATED)
        stream_error(c, HEP_ERR_TRUNCATED);
    else if (why == TLS_UNCLOSED) {
        counters(c)->tls_unclosed++;
        event = NET_EVENT_TLS_UNCLOSED;
        text = "closed by the peer without close_notify";
    }
    if (why == TLS_ERROR) {
        counters(c)->connections_reset++;
        text = "connection broken";
    }
    conn_event(c, event, text);
    conn_close(c);
}

/* Octets, 0 at the end, or an enum tls_result. */
static ssize_t conn_recv(struct conn *c, uint8_t *buf, size_t cap)
{
    if (c->tls != NULL)
        return tls_recv(c->tls, buf, cap);
    ssize_t n;
    do
        n = recv(c->fd, buf, cap, 0);
    while (n < 0 && errno == EINTR);
    if (n >= 0)
        return n;
    return errno == EAGAIN ? TLS_AGAIN : TLS_ERROR;
}

/* Hands on what is whole. False if the connection is closed now. */
static bool conn_frames(struct conn *c)
{
    const struct net_handler *h = &c->listener->base.handler;
    struct hep_slice frame;
    int rc;
    while ((rc = hep_stream_next(&c->stream, &frame)) == HEP_OK) {
        counters(c)->frames++;
        h->on_frame(h->arg, &c->peer, frame.ptr, frame.len);
    }
    if (rc == HEP_NEED_MORE)
        return true;
    stream_error(c, rc);
    conn_close(c);
    return false;
}

/* One read and what comes of it. False if there is nothing more to read for now. */
static bool conn_read_once(struct conn *c)
{
    if (buffer_take(c) < 0) {
        stream_error(c, HEP_ERR_NO_MEMORY);
        conn_close(c);
        return false;
    }
    uint8_t *ptr;
    size_t cap;
    hep_stream_space(&c->stream, &ptr, &cap);
    ssize_t n = conn_recv(c, ptr, cap);
    if (n == TLS_AGAIN)
        return false;
    if (n <= 0) {
        conn_end(c, n);
        return false;
    }
    (void)clock_gettime(CLOCK_REALTIME, &c->peer.received);
    counters(c)->stream_octets += (uint64_t)n;
    hep_stream_filled(&c->stream, (size_t)n);
    return conn_frames(c);
}

/* What GnuTLS has unpacked already would not wake the poll again. */
static bool has_pending(const struct conn *c)
{
    return c->tls != NULL && gnutls_record_check_pending(c->tls) > 0;
}

static void conn_read(struct conn *c, unsigned rounds)
{
    const struct tcp *t = c->listener;
    for (unsigned i = 0; i < rounds || has_pending(c); i++) {
        if (t->base.loop->paused && !has_pending(c))
            break;
        if (!conn_read_once(c))
            break;
    }
    if (is_closed(c))
        return;
    c->deadline = t->idle_ms == 0 ? 0 : uv_now(&t->base.loop->uv) + t->idle_ms;
    buffer_give_if_empty(c);
}

static void conn_poll(struct conn *c)
{
    int events = c->handshaking && tls_wants_write(c->tls) ? UV_WRITABLE : UV_READABLE;
    if (c->listener->base.loop->paused && !c->handshaking)
        (void)uv_poll_stop(&c->poll);
    else
        (void)uv_poll_start(&c->poll, events, on_conn_poll);
}

static void handshake_failed(struct conn *c, const char *text)
{
    counters(c)->tls_failures++;
    conn_event(c, NET_EVENT_TLS_FAILED, text);
    conn_close(c);
}

/* True when the handshake is done. */
static bool conn_handshake(struct conn *c)
{
    struct errmsg err = { "" };
    int rc = tls_handshake(c->tls, &err);
    if (rc == 0)
        c->handshaking = false;
    else if (rc != TLS_AGAIN) {
        handshake_failed(c, err.text);
        return false;
    }
    conn_poll(c);
    return rc == 0;
}

static void on_conn_poll(uv_poll_t *poll, int status, int events)
{
    (void)status; /* an error of the socket is returned by the next read */
    (void)events;
    struct conn *c = poll->data;
    if (c->handshaking && !conn_handshake(c))
        return;
    conn_read(c, ROUNDS);
}

/* ------------------------------------------------------------------------------------------------ accepting */

static void conn_link(struct conn *c)
{
    struct tcp *t = c->listener;
    c->next = t->conns;
    c->link = &t->conns;
    if (c->next != NULL)
        c->next->link = &c->next;
    t->conns = c;
    t->open++;
    t->base.refs++;
    counters(c)->connections++;
    counters(c)->connections_open++;
}

static int conn_secure(struct conn *c)
{
    struct tcp *t = c->listener;
    if (!t->secure)
        return 0;
    c->tls = tls_accept(&t->creds, c->fd);
    if (c->tls == NULL)
        return -1;
    c->handshaking = true;
    c->deadline = uv_now(&t->base.loop->uv) + t->handshake_ms;
    return 0;
}

/* Takes fd over; -1 leaves it to the caller. */
static int conn_new(struct tcp *t, int fd, const struct net_peer *peer)
{
    struct conn *c = calloc(1, sizeof(*c));
    if (c == NULL)
        return -1;
    *c = (struct conn){ .listener = t, .fd = fd, .peer = *peer };
    if (t->idle_ms > 0)
        c->deadline = uv_now(&t->base.loop->uv) + t->idle_ms;
    if (conn_secure(c) < 0 || uv_poll_init(&t->base.loop->uv, &c->poll, fd) < 0) {
        if (c->tls != NULL)
            gnutls_deinit(c->tls);
        free(c);
        return -1;
    }
    c->poll.data = c;
    sock_keepalive(fd, KEEPALIVE_SECONDS);
    conn_link(c);
    conn_event(c, NET_EVENT_CONNECTED, "connected");
    conn_poll(c);
    return 0;
}

static void accepted(struct tcp *t, int fd, struct net_peer *peer)
{
    struct net_counters *count = &t->base.loop->counters;
    if (t->open >= t->max) {
        count->connections_refused++;
        listener_event(&t->base, NET_EVENT_REFUSED, peer, "too many connections");
        (void)close(fd);
    } else if (conn_new(t, fd, peer) < 0) {
        count->socket_errors++;
        listener_event(&t->base, NET_EVENT_SOCKET_ERROR, peer, "no memory for a connection");
        (void)close(fd);
    }
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

static void conn_expire(struct conn *c)
{
    if (c->handshaking) {
        handshake_failed(c, "TLS handshake takes too long");
        return;
    }
    counters(c)->connections_idle++;
    if (c->stream.buf != NULL && hep_stream_finish(&c->stream) == HEP_ERR_TRUNCATED)
        stream_error(c, HEP_ERR_TRUNCATED);
    conn_event(c, NET_EVENT_IDLE, "closed: idle for too long");
    conn_close(c);
}

static void on_tick(uv_timer_t *tick)
{
    struct tcp *t = tick->data;
    uint64_t now = uv_now(&t->base.loop->uv);
    for (struct conn *c = t->conns, *next; c != NULL; c = next) {
        next = c->next;
        if (c->deadline != 0 && now >= c->deadline)
            conn_expire(c);
    }
    if (t->stalled) {
        t->stalled = false;
        listen_poll(t);
    }
}

/* ------------------------------------------------------------------------------------------------ the listener */

static void tcp_pause(struct net_listener *listener, bool paused)
{
    (void)paused; /* the polls follow loop->paused */
    struct tcp *t = (struct tcp *)listener;
    listen_poll(t);
    for (struct conn *c = t->conns; c != NULL; c = c->next)
        conn_poll(c);
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
    while (t->conns != NULL) {
        struct conn *c = t->conns;
        if (c->stream.buf != NULL && hep_stream_finish(&c->stream) == HEP_ERR_TRUNCATED)
            stream_error(c, HEP_ERR_TRUNCATED);
        conn_close(c);
    }
    uv_close((uv_handle_t *)&t->poll, on_closed);
    uv_close((uv_handle_t *)&t->tick, on_closed);
    (void)close(t->fd);
}

static void tcp_destroy(struct net_listener *listener)
{
    struct tcp *t = (struct tcp *)listener;
    tls_creds_free(&t->creds);
    free(t);
}

static const struct listener_ops tcp_ops = {
    .drain = tcp_drain,
    .pause = tcp_pause,
    .close = tcp_close,
    .destroy = tcp_destroy,
};

static void configure(struct tcp *t, const struct net_listen_options *options)
{
    unsigned handshake = options->handshake_timeout == 0 ? HANDSHAKE_SECONDS : options->handshake_timeout;
    t->max = options->max_connections == 0 ? MAX_CONNECTIONS : options->max_connections;
    t->idle_ms = (uint64_t)options->idle_timeout * 1000;
    t->handshake_ms = (uint64_t)handshake * 1000;
}

static int start(struct tcp *t, const struct net_listen_options *options, struct errmsg *err)
{
    if (t->secure &&
        tls_creds_server(&t->creds, options->cert_file, options->key_file, options->client_ca_file, err) < 0)
        return -1;
    int rc = uv_poll_init(&t->base.loop->uv, &t->poll, t->fd);
    if (rc < 0)
        return errmsg_set(err, "tcp: %s", uv_strerror(rc));
    (void)uv_timer_init(&t->base.loop->uv, &t->tick);
    (void)uv_timer_start(&t->tick, on_tick, TICK_MS, TICK_MS);
    t->poll.data = t;
    t->tick.data = t;
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
    *t = (struct tcp){ .base = { .ops = &tcp_ops, .loop = loop, .refs = 2 }, .fd = fd, .secure = tls };
    configure(t, options);
    if (start(t, options, err) < 0) {
        (void)close(fd);
        tcp_destroy(&t->base);
        return -1;
    }
    *ret = &t->base;
    return 0;
}
