/* TCP and TLS, shared by tcp.c (the listener) and tcp_conn.c (its connections). */
#ifndef NET_TCP_H
#define NET_TCP_H

#include "net/internal.h"
#include "net/tls.h"

/* Certificates of a listener; sessions refer to them, so that they outlive a reload. */
struct tcp_creds {
    struct tls_creds tls;
    unsigned refs;
};

struct tcp {
    struct net_listener base;
    uv_poll_t poll;
    uv_timer_t tick; /* looks for connections whose time is over and tries a stalled accept() again */
    uv_timer_t kick; /* hands on what waited during a pause */
    int fd;
    bool stalled; /* accept() failed for want of descriptors or memory: wait for the next tick */
    bool secure;
    struct tcp_creds *creds; /* for the next connection; NULL: plain */
    struct conn *conns;
    size_t open, max, max_per_peer;
    uint64_t idle_ms, frame_ms, handshake_ms;
};

struct conn {
    struct tcp *listener;
    struct conn *next, **link; /* link: what points here; NULL once closed */
    uv_poll_t poll;
    int fd;
    gnutls_session_t tls; /* NULL: plain */
    struct tcp_creds *creds;
    bool handshaking;
    bool held;         /* a pause came before all whole frames of the buffer were handed on */
    uint64_t deadline; /* loop time; 0: none */
    uint64_t last;     /* loop time of the last octet */
    uint64_t octets, frames;
    struct timespec since;
    struct hep_stream stream;
    struct net_peer peer;
};

/* Takes fd over; -1 leaves it to the caller. */
int conn_new(struct tcp *t, int fd, const struct net_peer *peer);

/* Hands on what waits, then reads at most `rounds` times. */
void conn_read(struct conn *c, unsigned rounds);

/* True if octets wait that no poll would tell of: left by a pause, or unpacked by GnuTLS. */
bool conn_waits(const struct conn *c);

/* Polls as the loop's pause and the handshake want it. */
void conn_poll(struct conn *c);

/* Starts the time limit that fits the state anew. */
void conn_set_deadline(struct conn *c);

/* Closes a connection whose time is over. */
void conn_expire(struct conn *c);

/* The same at the end of the loop; half a frame is reported. */
void conn_finish(struct conn *c);

void conn_describe(const struct conn *c, struct net_connection *ret);

struct tcp_creds *tcp_creds_ref(struct tcp_creds *creds);
void tcp_creds_unref(struct tcp_creds *creds); /* NULL is fine */

#endif
