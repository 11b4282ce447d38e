/* A TCP or TLS connection for sending: connect to any address of a name, write with a time limit, end in order. */
#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/ip.h"
#include "net/send.h"
#include "net/sock.h"

#define KEEPALIVE_SECONDS 60
#define FINISH_MS         5000
#define FINISH_STOPPED_MS 500
#define FINISH_STEP_MS    5

/* ------------------------------------------------------------------------------------------------ connecting */

/* 0 or an errno value. */
static int wait_connected(const struct sender *s, int fd)
{
    int rc = sender_wait_fd(s, fd, POLLOUT, s->opt.connect_timeout_ms);
    if (rc <= 0)
        return rc == 0 ? ETIMEDOUT : EINTR;
    int error = 0;
    socklen_t len = sizeof(error);
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0 ? errno : error;
}

/* 0 and *ret_fd, or an errno value. */
static int connect_one(const struct sender *s, const struct addrinfo *ai, int *ret_fd)
{
    int fd = socket(ai->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return errno;
    int error = connect(fd, ai->ai_addr, ai->ai_addrlen) == 0 ? 0 : errno;
    if (error == EINPROGRESS)
        error = wait_connected(s, fd);
    if (error == 0)
        *ret_fd = fd;
    else
        (void)close(fd);
    return error;
}

static int connect_any(struct conn_out *c, struct sender *s)
{
    struct addrinfo *list;
    int rc = sock_resolve(s->host, s->port, SOCK_STREAM, &list);
    if (rc != 0) {
        sender_error(s, "%s: %s", s->host, gai_strerror(rc));
        return TLS_ERROR;
    }
    int error = ECONNREFUSED;
    for (const struct addrinfo *ai = list; ai != NULL && c->fd < 0; ai = ai->ai_next)
        error = connect_one(s, ai, &c->fd);
    freeaddrinfo(list);
    if (error == 0)
        return 0;
    sender_error(s, "connect to %s port %u: %s", s->host, (unsigned)s->port,
                 sender_stopped(s) ? "stopped" : strerror(error));
    return TLS_ERROR;
}

/* ------------------------------------------------------------------------------------------------ TLS */

static bool is_address(const char *name)
{
    struct hep_addr addr;
    return ip_parse(name, strlen(name), &addr);
}

/* Waits for what GnuTLS wants: 1 ready, 0 too late, -1 stopped. */
static int wait_tls(const struct conn_out *c, const struct sender *s, uint64_t end)
{
    uint64_t now = sender_now_ms();
    return now >= end ? 0 : sender_wait_fd(s, c->fd, tls_wants_write(c->tls) ? POLLOUT : POLLIN, (int64_t)(end - now));
}

static int handshake(struct conn_out *c, struct sender *s)
{
    uint64_t end = sender_now_ms() + s->opt.connect_timeout_ms;
    struct errmsg err = { "" };
    for (;;) {
        int rc = tls_handshake(c->tls, &err);
        if (rc == 0)
            return 0;
        if (rc != TLS_AGAIN) {
            sender_error(s, "%s: %s", s->host, err.text);
            return rc;
        }
        int ready = wait_tls(c, s, end);
        if (ready <= 0) {
            sender_error(s, "%s: TLS handshake: %s", s->host, ready == 0 ? "takes too long" : "stopped");
            return TLS_ERROR;
        }
    }
}

static int secure(struct conn_out *c, struct sender *s, const struct tls_creds *creds)
{
    const char *name = s->opt.server_name == NULL ? s->host : s->opt.server_name;
    c->tls = tls_connect(creds, c->fd, s->opt.insecure ? NULL : name, is_address(name) ? NULL : name);
    if (c->tls != NULL)
        return handshake(c, s);
    sender_error(s, "out of memory");
    return TLS_ERROR;
}

static void release(struct conn_out *c)
{
    if (c->tls != NULL)
        gnutls_deinit(c->tls);
    if (c->fd >= 0)
        (void)close(c->fd);
    *c = (struct conn_out){ .fd = -1 };
}

int conn_out_open(struct conn_out *c, struct sender *s, const struct tls_creds *creds)
{
    int rc = connect_any(c, s);
    if (rc != 0)
        return rc;
    sock_keepalive(c->fd, KEEPALIVE_SECONDS);
    (void)sock_set(c->fd, IPPROTO_TCP, TCP_NODELAY, 1); /* the buffer is what gathers small frames */
    if (creds != NULL && (rc = secure(c, s, creds)) != 0)
        release(c);
    return rc;
}

/* ------------------------------------------------------------------------------------------------ using it */

/* Octets, TLS_AGAIN or TLS_ERROR with errno (0: TLS). */
static ssize_t write_some(struct conn_out *c, const uint8_t *data, size_t len)
{
    errno = 0;
    if (c->tls != NULL)
        return tls_send(c->tls, data, len);
    ssize_t n = send(c->fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n >= 0)
        return n;
    return errno == EAGAIN || errno == EINTR ? TLS_AGAIN : TLS_ERROR;
}

ssize_t conn_out_write(struct conn_out *c, struct sender *s, const uint8_t *data, size_t len)
{
    int64_t limit = s->opt.stall_timeout_ms == 0 ? -1 : (int64_t)s->opt.stall_timeout_ms;
    for (;;) {
        ssize_t n = write_some(c, data, len);
        if (n > 0)
            return n;
        if (n != TLS_AGAIN) {
            c->reset |= errno == ECONNRESET;
            sender_error(s, "connection to %s broken: %s", s->host, errno != 0 ? strerror(errno) : "TLS error");
            return -1;
        }
        int ready = sender_wait_fd(s, c->fd, POLLOUT, limit);
        if (ready <= 0) {
            sender_error(s, "%s", ready == 0 ? "the peer takes nothing any more" : "stopped");
            return -1;
        }
    }
}

/* Of a connection that the peer had ended before, the kernel says EPIPE instead. */
static void note_reset(struct conn_out *c)
{
    int error = 0;
    socklen_t len = sizeof(error);
    if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0 && error == ECONNRESET)
        c->reset = true;
}

bool conn_out_alive(struct conn_out *c)
{
    struct pollfd p = { .fd = c->fd, .events = POLLIN | POLLRDHUP };
    uint8_t junk[512];
    if (poll(&p, 1, 0) <= 0)
        return true;
    if (p.revents & POLLERR)
        note_reset(c);
    if (p.revents & (POLLRDHUP | POLLHUP | POLLERR))
        return false;
    for (unsigned i = 0; i < 64; i++) {
        ssize_t n =
            c->tls != NULL ? tls_recv(c->tls, junk, sizeof(junk)) : recv(c->fd, junk, sizeof(junk), MSG_DONTWAIT);
        if (n > 0)
            continue;
        return c->tls != NULL ? n == TLS_AGAIN : n < 0 && (errno == EAGAIN || errno == EINTR);
    }
    return true;
}

/* What the peer's kernel has not acknowledged; the kernel keeps the number also of a connection that was reset. */
static void count_unacknowledged(const struct conn_out *c, struct sender *s)
{
    int left = 0;
    if (c->fd >= 0 && ioctl(c->fd, SIOCOUTQ, &left) == 0 && left > 0 && (size_t)left > c->half)
        s->stats.octets_unacknowledged += (size_t)left - c->half;
    s->stats.resets += c->reset;
}

void conn_out_drop(struct conn_out *c, struct sender *s)
{
    count_unacknowledged(c, s);
    if (c->fd >= 0 && c->used && !sender_stopped(s))
        s->stats.breaks++;
    release(c);
}

/* True when the peer's kernel has everything; false after the time limit (shorter if stopped) or on an error. */
static bool wait_acknowledged(const struct conn_out *c, const struct sender *s)
{
    uint64_t start = sender_now_ms();
    for (;;) {
        int left = 0, error = 0;
        socklen_t len = sizeof(error);
        if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0 || error != 0)
            return false;
        if (ioctl(c->fd, SIOCOUTQ, &left) < 0 || left == 0)
            return true;
        if (sender_now_ms() - start >= (sender_stopped(s) ? FINISH_STOPPED_MS : FINISH_MS))
            return false;
        (void)poll(NULL, 0, FINISH_STEP_MS);
    }
}

int conn_out_finish(struct conn_out *c, struct sender *s)
{
    if (c->fd < 0)
        return 0;
    bool alive = conn_out_alive(c); /* also reads what waits: closing over unread octets would reset the connection */
    if (alive && c->tls != NULL)
        (void)gnutls_bye(c->tls, GNUTLS_SHUT_WR);
    (void)shutdown(c->fd, SHUT_WR);
    bool whole = alive && wait_acknowledged(c, s);
    if (!whole && c->used) {
        note_reset(c);
        count_unacknowledged(c, s);
        sender_error(s, "the connection ended before the last frames were acknowledged");
        s->stats.breaks++;
    }
    bool used = c->used;
    release(c);
    return whole || !used ? 0 : -1;
}
