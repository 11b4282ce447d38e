/* What the kinds of sender share; not for other folders. */
#ifndef NET_SEND_H
#define NET_SEND_H

#include "net/sender.h"
#include "net/tls.h"

/*
 * The time of an outage. It begins with a failed attempt and ends with sender_recovered(). Once retry_ms is over the
 * sender has `given_up`: further frames are tried at most once per pause, without waiting.
 */
struct retry {
    uint64_t since; /* clock of sender_now_ms(); 0: no outage */
    uint64_t next;  /* no attempt before */
    unsigned delay; /* ms, of the next pause before jitter */
    bool given_up;
};

struct sender_ops {
    int (*open)(struct sender *s, struct errmsg *err);
    int (*send)(struct sender *s, const uint8_t *frame, size_t len);
    int (*flush)(struct sender *s);
    int (*check)(struct sender *s); /* may be NULL */
    int (*close)(struct sender *s); /* after a flush; must cope with a failed open */
};

struct sender {
    const struct sender_ops *ops;
    struct sender_options opt;
    struct sender_stats stats;
    struct retry retry;
    bool secure;    /* tls, https */
    char host[256]; /* udp, tcp, tls */
    uint16_t port;
    char *url;  /* http, https */
    void *kind; /* the kind's own struct, made by open */
};

extern const struct sender_ops send_udp_ops, send_tcp_ops, send_http_ops;

/* ------------------------------------------------------------------------------------------------ send_retry.c */

/* A clock that only goes forward, ms, never 0. */
uint64_t sender_now_ms(void);

bool sender_stopped(const struct sender *s);

/* Sets last_error. */
void sender_error(struct sender *s, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Counts pending frames as sent or failed. sender_failed() returns -1; last_error is the caller's. */
void sender_sent(struct sender *s, size_t frames, size_t octets);
int sender_failed(struct sender *s, size_t frames);

/* Refuses a frame that was never pending: counts it and returns -1. */
int sender_refuse(struct sender *s, const char *why);

/* Waits for a descriptor: 1 ready, 0 the time (ms; negative: none) is over, -1 stopped. */
int sender_wait_fd(const struct sender *s, int fd, short events, int64_t ms);

/* False: an attempt now would come too soon after the sender gave up. */
bool sender_may_try(struct sender *s);

/*
 * After a failed attempt: waits and returns true if it is to be repeated, false if frames fail now. at_least_ms: what
 * the peer asked for (Retry-After), 0 if nothing.
 */
bool sender_again(struct sender *s, unsigned at_least_ms);

/* After a failed attempt that would fail again whenever it is repeated soon (a certificate refused). */
void sender_give_up(struct sender *s);

void sender_recovered(struct sender *s);

/* ------------------------------------------------------------------------------------------------ send_conn.c */

/* A TCP or TLS connection, blocking within the limits of the options. */
struct conn_out {
    int fd; /* -1: none */
    gnutls_session_t tls;
    bool used;   /* whole frames were written to it */
    bool reset;  /* by the peer, before it had ended the connection */
    size_t half; /* octets of a frame that is not written whole */
};

/* 0, TLS_ERROR, or TLS_UNTRUSTED; last_error is set. */
int conn_out_open(struct conn_out *c, struct sender *s, const struct tls_creds *creds);

/* Octets written (at least one), or -1: broken, stalled or stopped, last_error is set. */
ssize_t conn_out_write(struct conn_out *c, struct sender *s, const uint8_t *data, size_t len);

/* False if the peer has closed or the connection is broken; what it says is thrown away. */
bool conn_out_alive(struct conn_out *c);

/* Closes without ceremony; counts a break if frames had been written. */
void conn_out_drop(struct conn_out *c, struct sender *s);

/* Ends in order. 0, or -1 if the peer's kernel did not acknowledge everything (counted as a break). */
int conn_out_finish(struct conn_out *c, struct sender *s);

#endif
