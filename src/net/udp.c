/*
 * UDP: a polled non-blocking socket, read in batches by recvmmsg() into slots that take any datagram whole. What the
 * kernel dropped is asked for per socket by SO_MEMINFO: the control message SO_RXQ_OVFL would only tell with the next
 * datagram that is not dropped.
 */
#include <errno.h>
#include <linux/sock_diag.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/internal.h"
#include "net/sock.h"

#define BATCH        64
#define ROUNDS       16  /* batches in one go, so that other sockets get their turn */
#define DRAIN_ROUNDS 256 /* batches when the loop stops */
#define DATAGRAM_MAX 65535

union address {
    struct sockaddr sa;
    struct sockaddr_storage storage;
};

struct udp {
    struct net_listener base;
    uv_poll_t poll;
    int fd;
    size_t slot;    /* octets */
    uint8_t *slots; /* BATCH of them; the system gives memory only to those that were used */
    uint32_t drops; /* as last read; the kernel's counter has 32 bits */
    struct mmsghdr msgs[BATCH];
    struct iovec iov[BATCH];
    union address from[BATCH];
};

static void deliver(struct udp *u, const struct mmsghdr *msg, struct net_peer *peer)
{
    struct net_counters *count = &u->base.loop->counters;
    sock_addr(msg->msg_hdr.msg_name, &peer->addr, &peer->port);
    if (msg->msg_hdr.msg_flags & MSG_TRUNC) {
        count->datagrams_truncated++;
        listener_event(&u->base, NET_EVENT_TRUNCATED, peer, "datagram too long");
        return;
    }
    count->datagrams++;
    count->datagram_octets += msg->msg_len;
    u->base.handler.on_datagram(u->base.handler.arg, peer, msg->msg_hdr.msg_iov->iov_base, msg->msg_len);
}

/* One batch. Returns how many datagrams there were, 0 if none waits. */
static unsigned receive(struct udp *u)
{
    for (unsigned i = 0; i < BATCH; i++)
        u->msgs[i].msg_hdr.msg_namelen = sizeof(u->from[i]);
    int n = recvmmsg(u->fd, u->msgs, BATCH, MSG_DONTWAIT, NULL);
    struct net_peer peer;
    listener_peer(&u->base, &peer);
    if (n < 0) {
        if (errno != EAGAIN && errno != EINTR) {
            u->base.loop->counters.socket_errors++;
            listener_event(&u->base, NET_EVENT_SOCKET_ERROR, &peer, strerror(errno));
        }
        return 0;
    }
    for (int i = 0; i < n; i++)
        deliver(u, &u->msgs[i], &peer);
    return (unsigned)n;
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    (void)status; /* an error of the socket is returned, and cleared, by the next receive */
    (void)events;
    struct udp *u = poll->data;
    for (unsigned i = 0; i < ROUNDS && receive(u) == BATCH; i++)
        ;
}

static void udp_drain(struct net_listener *listener)
{
    struct udp *u = (struct udp *)listener;
    for (unsigned i = 0; i < DRAIN_ROUNDS && receive(u) > 0; i++)
        ;
}

static void udp_pause(struct net_listener *listener, bool paused)
{
    (void)listener; /* goes on: the kernel would drop what is not read */
    (void)paused;
}

static void udp_refresh(struct net_listener *listener)
{
    struct udp *u = (struct udp *)listener;
    uint32_t info[SK_MEMINFO_VARS] = { 0 };
    socklen_t len = sizeof(info);
    if (getsockopt(u->fd, SOL_SOCKET, SO_MEMINFO, info, &len) < 0 || len <= SK_MEMINFO_DROPS * sizeof(info[0]))
        return;
    uint32_t more = info[SK_MEMINFO_DROPS] - u->drops; /* modulo 2^32, like the counter */
    u->base.loop->counters.kernel_drops += more;
    u->base.kernel_drops += more;
    u->drops = info[SK_MEMINFO_DROPS];
}

static void on_closed(uv_handle_t *handle)
{
    struct udp *u = handle->data;
    listener_unref(&u->base);
}

static void udp_close(struct net_listener *listener)
{
    struct udp *u = (struct udp *)listener;
    uv_close((uv_handle_t *)&u->poll, on_closed);
    (void)close(u->fd);
}

static void udp_destroy(struct net_listener *listener)
{
    struct udp *u = (struct udp *)listener;
    free(u->slots);
    free(u);
}

static const struct listener_ops udp_ops = {
    .drain = udp_drain,
    .pause = udp_pause,
    .refresh = udp_refresh,
    .close = udp_close,
    .destroy = udp_destroy,
};

/* Asks for a buffer beyond net.core.rmem_max if allowed to, and returns what was granted. */
static size_t set_rcvbuf(int fd, size_t want)
{
    int value = want > INT32_MAX / 2 ? INT32_MAX / 2 : (int)want;
    if (sock_set(fd, SOL_SOCKET, SO_RCVBUFFORCE, value) < 0)
        (void)sock_set(fd, SOL_SOCKET, SO_RCVBUF, value);
    int granted = 0;
    socklen_t len = sizeof(granted);
    if (getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &granted, &len) < 0 || granted < 0)
        return 0;
    return (size_t)granted / 2; /* the kernel doubles the figure for its own book-keeping */
}

static void set_slots(struct udp *u)
{
    for (unsigned i = 0; i < BATCH; i++) {
        u->iov[i] = (struct iovec){ .iov_base = u->slots + i * u->slot, .iov_len = u->slot };
        u->msgs[i].msg_hdr.msg_iov = &u->iov[i];
        u->msgs[i].msg_hdr.msg_iovlen = 1;
        u->msgs[i].msg_hdr.msg_name = &u->from[i];
    }
}

int udp_listen(struct net_listener **ret, struct net_loop *loop, const struct net_listen_options *options, int fd,
               struct errmsg *err)
{
    size_t slot = options->datagram_max == 0 ? DATAGRAM_MAX : options->datagram_max;
    if (slot > DATAGRAM_MAX)
        slot = DATAGRAM_MAX;
    struct udp *u = calloc(1, sizeof(*u));
    uint8_t *slots = malloc(BATCH * slot);
    int rc = u == NULL || slots == NULL ? UV_ENOMEM : uv_poll_init(&loop->uv, &u->poll, fd);
    if (rc < 0) {
        free(u);
        free(slots);
        (void)close(fd);
        return errmsg_set(err, "udp: %s", uv_strerror(rc));
    }
    u->base = (struct net_listener){ .ops = &udp_ops, .loop = loop, .refs = 1 };
    u->base.rcvbuf_asked = options->rcvbuf == 0 ? NET_RCVBUF_DEFAULT : options->rcvbuf;
    u->base.rcvbuf = set_rcvbuf(fd, u->base.rcvbuf_asked);
    u->fd = fd;
    u->slot = slot;
    u->slots = slots;
    u->poll.data = u;
    set_slots(u);
    (void)uv_poll_start(&u->poll, UV_READABLE, on_poll);
    *ret = &u->base;
    return 0;
}
