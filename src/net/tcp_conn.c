/*
 * Connections of TCP and TLS: accepted sockets polled by the loop, their octets put straight into the hep_stream that
 * cuts them into frames. The sockets are polled (uv_poll) rather than read by libuv (uv_tcp): so GnuTLS reads its
 * socket itself and no copy of the ciphertext is needed, and a connection without a half-received frame holds no
 * buffer. A pause leaves frames that were read already where they are.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/sock.h"
#include "net/tcp.h"

#define KEEPALIVE_SECONDS 60
#define ROUNDS            4 /* reads of one connection in one go, so that the others get their turn */

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
    tcp_creds_unref(c->creds);
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

/* Half a frame that nothing will complete is an error of the stream. */
static bool report_half(struct conn *c)
{
    if (c->stream.buf == NULL || hep_stream_finish(&c->stream) != HEP_ERR_TRUNCATED)
        return false;
    stream_error(c, HEP_ERR_TRUNCATED);
    return true;
}

/* Says how the stream ended and closes the connection. why: 0 or an enum tls_result. */
static void conn_end(struct conn *c, ssize_t why)
{
    const char *text = "closed by the peer";
    enum net_event event = NET_EVENT_CLOSED;
    if (report_half(c)) {
        /* said */
    } else if (why == TLS_UNCLOSED) {
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

/* Hands on what is whole, until a pause. False if the connection is closed now. */
static bool conn_frames(struct conn *c)
{
    const struct net_loop *loop = c->listener->base.loop;
    const struct net_handler *h = &c->listener->base.handler;
    struct hep_slice frame;
    int rc = HEP_NEED_MORE;
    while (!loop->paused && (rc = hep_stream_next(&c->stream, &frame)) == HEP_OK) {
        counters(c)->frames++;
        c->frames++;
        h->on_frame(h->arg, &c->peer, frame.ptr, frame.len);
    }
    c->held = loop->paused && c->stream.start != c->stream.end;
    if (rc == HEP_NEED_MORE || rc == HEP_OK) /* HEP_OK: the last one paused the loop */
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
    c->octets += (uint64_t)n;
    c->last = uv_now(&c->listener->base.loop->uv);
    hep_stream_filled(&c->stream, (size_t)n);
    return conn_frames(c);
}

/* What GnuTLS has unpacked already would not wake the poll again. */
static bool has_pending(const struct conn *c)
{
    return c->tls != NULL && gnutls_record_check_pending(c->tls) > 0;
}

bool conn_waits(const struct conn *c)
{
    return c->held || has_pending(c);
}

/* Half a frame may not wait for ever, as it holds a buffer; a connection without may be silent for as long as it likes.
 */
void conn_set_deadline(struct conn *c)
{
    const struct tcp *t = c->listener;
    uint64_t ms = t->idle_ms;
    if (c->stream.start != c->stream.end && (ms == 0 || t->frame_ms < ms))
        ms = t->frame_ms;
    c->deadline = ms == 0 ? 0 : uv_now(&t->base.loop->uv) + ms;
}

void conn_read(struct conn *c, unsigned rounds)
{
    const struct net_loop *loop = c->listener->base.loop;
    uint64_t before = c->octets;
    if (c->held && !conn_frames(c))
        return;
    for (unsigned i = 0; !loop->paused && (i < rounds || has_pending(c)); i++) {
        if (!conn_read_once(c))
            break;
    }
    if (is_closed(c))
        return;
    if (c->octets != before)
        conn_set_deadline(c);
    buffer_give_if_empty(c);
}

void conn_poll(struct conn *c)
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
    if (rc == 0) {
        c->handshaking = false;
        conn_set_deadline(c);
    } else if (rc != TLS_AGAIN) {
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

/* ------------------------------------------------------------------------------------------------ beginnings */

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
    c->tls = tls_accept(&t->creds->tls, c->fd);
    if (c->tls == NULL)
        return -1;
    c->creds = tcp_creds_ref(t->creds);
    c->handshaking = true;
    c->deadline = uv_now(&t->base.loop->uv) + t->handshake_ms;
    return 0;
}

int conn_new(struct tcp *t, int fd, const struct net_peer *peer)
{
    struct conn *c = calloc(1, sizeof(*c));
    if (c == NULL)
        return -1;
    *c = (struct conn){ .listener = t, .fd = fd, .peer = *peer, .since = peer->received };
    c->last = uv_now(&t->base.loop->uv);
    conn_set_deadline(c);
    if (conn_secure(c) < 0 || uv_poll_init(&t->base.loop->uv, &c->poll, fd) < 0) {
        if (c->tls != NULL)
            gnutls_deinit(c->tls);
        tcp_creds_unref(c->creds);
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

/* ------------------------------------------------------------------------------------------------ endings */

void conn_expire(struct conn *c)
{
    if (c->handshaking) {
        handshake_failed(c, "TLS handshake takes too long");
        return;
    }
    bool half = report_half(c);
    counters(c)->connections_idle++;
    counters(c)->connections_stalled += half;
    conn_event(c, NET_EVENT_IDLE, half ? "closed: half a frame, and then nothing" : "closed: idle for too long");
    conn_close(c);
}

void conn_finish(struct conn *c)
{
    (void)report_half(c);
    conn_close(c);
}

void conn_describe(const struct conn *c, struct net_connection *ret)
{
    const struct net_loop *loop = c->listener->base.loop;
    uint64_t now = uv_now(&loop->uv);
    uint64_t stalled = loop->paused ? now - loop->paused_at : 0;
    *ret = (struct net_connection){ .peer = c->peer, .since = c->since, .octets = c->octets, .frames = c->frames };
    ret->waiting = c->stream.end - c->stream.start;
    if (ret->waiting > 0 && now - c->last > stalled)
        stalled = now - c->last;
    ret->stalled_seconds = (unsigned)(stalled / 1000);
}
