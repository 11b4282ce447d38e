/*
 * UDP: one frame a datagram, handed to the kernel in batches by sendmmsg() on a connected socket, so that the network's
 * answers (ICMP "port unreachable") come back as errors of later calls.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "hep/hep.h"
#include "net/send.h"
#include "net/sock.h"

#define BATCH    64
#define CAPACITY ((size_t)256 << 10)
#define ATTEMPTS 5     /* at one datagram: an old ICMP error makes a call fail that has nothing to do with it */
#define PAUSE_MS 2     /* when the device's queue is full, which poll() does not tell */
#define FULL_MS  30000 /* for so long: then the datagram fails */

struct udp_out {
    struct addrinfo *list, *at; /* at: the one that fd is connected to */
    int fd;
    int error; /* errno of the last send that failed */
    size_t count, used;
    size_t offset[BATCH], len[BATCH];
    uint8_t data[CAPACITY];
};

static int connect_one(const struct addrinfo *ai)
{
    int fd = socket(ai->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, ai->ai_addr, ai->ai_addrlen) == 0)
        return fd;
    int saved = errno;
    if (fd >= 0)
        (void)close(fd);
    errno = saved;
    return -1;
}

/* Connects to the next address that has a route, beginning behind `at`. */
static int connect_next(struct udp_out *u)
{
    const struct addrinfo *from = u->at;
    if (u->fd >= 0)
        (void)close(u->fd);
    u->fd = -1;
    do {
        u->at = u->at == NULL || u->at->ai_next == NULL ? u->list : u->at->ai_next;
        u->fd = connect_one(u->at);
    } while (u->fd < 0 && u->at != from && !(from == NULL && u->at->ai_next == NULL));
    return u->fd < 0 ? -1 : 0;
}

static int udp_open(struct sender *s, struct errmsg *err)
{
    struct udp_out *u = s->kind = calloc(1, sizeof(*u));
    if (u == NULL)
        return errmsg_set(err, "out of memory");
    u->fd = -1;
    int rc = sock_resolve(s->host, s->port, SOCK_DGRAM, &u->list);
    if (rc != 0)
        return errmsg_set(err, "%s: %s", s->host, rc == EAI_SYSTEM ? strerror(errno) : gai_strerror(rc));
    if (connect_next(u) < 0)
        return errmsg_set(err, "%s: %s", s->host, strerror(errno));
    return 0;
}

/* An ICMP error that belongs to datagrams sent before. If the name has more addresses, try the next one. */
static void refused(struct sender *s, struct udp_out *u)
{
    s->stats.refused++;
    sender_error(s, "the network reports for datagrams sent before: %s", strerror(u->error));
    if (u->list->ai_next != NULL)
        (void)connect_next(u);
}

/* Full buffers. False if the datagram is to fail. */
static bool wait_for_room(const struct sender *s, const struct udp_out *u, uint64_t since)
{
    if (sender_now_ms() - since > FULL_MS)
        return false;
    if (u->error == ENOBUFS)
        return sender_wait_fd(s, -1, 0, PAUSE_MS) >= 0;
    return sender_wait_fd(s, u->fd, POLLOUT, 1000) >= 0;
}

static bool is_full(int error)
{
    return error == EAGAIN || error == ENOBUFS;
}

static bool is_report(int error)
{
    return error == ECONNREFUSED || error == EHOSTUNREACH || error == ENETUNREACH;
}

/* Sends datagrams from..count. Returns how many the kernel took, 0 if the first one must fail; u->error says why. */
static size_t send_some(struct sender *s, struct udp_out *u, size_t from)
{
    struct mmsghdr msgs[BATCH] = { 0 };
    struct iovec iov[BATCH];
    for (size_t i = from; i < u->count; i++) {
        iov[i] = (struct iovec){ .iov_base = u->data + u->offset[i], .iov_len = u->len[i] };
        msgs[i].msg_hdr.msg_iov = &iov[i];
        msgs[i].msg_hdr.msg_iovlen = 1;
    }
    uint64_t since = sender_now_ms();
    for (unsigned attempt = 0; attempt < ATTEMPTS;) {
        int n = u->fd < 0 && connect_next(u) < 0
                    ? -1
                    : sendmmsg(u->fd, msgs + from, (unsigned)(u->count - from), MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n > 0)
            return (size_t)n;
        u->error = errno;
        if (is_full(u->error)) {
            if (!wait_for_room(s, u, since))
                return 0;
        } else if (is_report(u->error)) {
            refused(s, u);
            attempt++;
        } else if (u->error != EINTR) {
            return 0;
        }
    }
    return 0;
}

static void count_sent(struct sender *s, const struct udp_out *u, size_t from, size_t n)
{
    size_t octets = 0;
    for (size_t i = from; i < from + n; i++)
        octets += u->len[i];
    sender_sent(s, n, octets);
}

static int udp_flush(struct sender *s)
{
    struct udp_out *u = s->kind;
    int result = 0;
    for (size_t at = 0; at < u->count;) {
        size_t n = send_some(s, u, at);
        if (n > 0) {
            count_sent(s, u, at, n);
        } else {
            sender_error(s, "%s", sender_stopped(s) ? "stopped" : strerror(u->error));
            result = sender_failed(s, 1);
            n = 1;
        }
        at += n;
    }
    u->count = 0;
    u->used = 0;
    return result;
}

static int udp_send(struct sender *s, const uint8_t *frame, size_t len)
{
    struct udp_out *u = s->kind;
    int result = 0;
    if (len > HEP_UDP_MAX)
        return sender_refuse(s, "too long for a datagram");
    if (u->count == BATCH || len > CAPACITY - u->used)
        result = udp_flush(s);
    u->offset[u->count] = u->used;
    u->len[u->count++] = len;
    memcpy(u->data + u->used, frame, len);
    u->used += len;
    s->stats.frames_pending++;
    return result;
}

static int udp_check(struct sender *s)
{
    struct udp_out *u = s->kind;
    socklen_t len = sizeof(u->error);
    if (u->fd < 0 || getsockopt(u->fd, SOL_SOCKET, SO_ERROR, &u->error, &len) < 0 || !is_report(u->error))
        return 0;
    refused(s, u);
    return -1;
}

static int udp_close(struct sender *s)
{
    struct udp_out *u = s->kind;
    if (u == NULL)
        return 0;
    if (u->fd >= 0)
        (void)close(u->fd);
    if (u->list != NULL)
        freeaddrinfo(u->list);
    free(u);
    return 0;
}

const struct sender_ops send_udp_ops = {
    .open = udp_open,
    .send = udp_send,
    .flush = udp_flush,
    .check = udp_check,
    .close = udp_close,
};
