/*
 * Sending frames to a collector: udp://host:9060, tcp://host:9060, tls://host:9061, http(s)://host/path.
 *
 * One struct sender is one destination; each kind is a file (send_udp.c, send_tcp.c, send_http.c) behind the same
 * functions. Calls block, with time limits, and a stop flag ends every wait. Frames are batched; sender_flush() says
 * "now". A connection that breaks is made again with growing pauses (100 ms to 5 s, with jitter) for `retry_ms` per
 * outage; after that the frames that wait are counted as failed, and later ones try once per pause. Nothing is lost
 * silently: frames_sent + frames_failed + frames_pending is always the number of frames given.
 *
 * What "sent" means: UDP, the kernel took the datagram. HTTP, the collector answered 2xx. TCP and TLS, the kernel took
 * the whole frame; HEP over TCP has no acknowledgement, so what lay in the kernel's buffers when a connection broke
 * may or may not have arrived, and nobody can tell. A break is counted in `breaks`; a frame that was only written in
 * part is sent again whole (the receiver drops the half since its stream ends inside it).
 */
#ifndef NET_SENDER_H
#define NET_SENDER_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/errmsg.h"

/* Filled by sender_options_init(). All texts are borrowed until sender_close(). */
struct sender_options {
    unsigned connect_timeout_ms; /* of one attempt at one address, TLS handshake included; 10000 */
    unsigned retry_ms;           /* how long an outage is waited for before frames fail; 30000; 0: no retry */
    unsigned stall_timeout_ms;   /* TCP/TLS: no octet taken for so long is a break; 120000; 0: wait for ever */
    /* Not NULL and not 0: every wait ends, frames that wait fail. Set by a signal handler, or atomically by a thread.
     */
    const volatile sig_atomic_t *stop;

    /* tls:// and https:// */
    const char *ca_file;     /* PEM; NULL: the system's CAs */
    const char *cert_file;   /* PEM; client certificate, NULL: none */
    const char *key_file;    /* PEM; NULL: the key is in cert_file */
    const char *server_name; /* tls:// only: name to ask for and to verify; NULL: the host of the URL */
    bool insecure;           /* do not verify chain and name */

    /* http:// and https:// */
    const char *content_type;   /* NULL: application/octet-stream, with base64 text/plain */
    unsigned frames_per_post;   /* 1, which is what Homer and heplify take; more: back to back, at most 4 MiB */
    bool base64;                /* the body as one line of base64 */
    const char *const *headers; /* additional "Name: value" lines; Authorization, X-API-Key... */
    size_t header_count;
    unsigned request_timeout_ms; /* of one POST; 60000 */
    /* Each answer, good or bad: status, and the body, terminated and cut to SENDER_ANSWER_MAX. May be NULL. */
    void (*on_answer)(void *arg, long status, const char *body);

    /* An outage begins: the first failed attempt that will be repeated, and why. May be NULL. */
    void (*on_outage)(void *arg, const char *why);
    void *arg; /* of both */
};

#define SENDER_ANSWER_MAX 1024

void sender_options_init(struct sender_options *options);

struct sender_stats {
    uint64_t frames_sent;
    uint64_t octets_sent; /* of these frames; not TLS, HTTP or base64 around them */
    uint64_t frames_failed;
    uint64_t frames_pending; /* accepted and waiting in a batch */
    uint64_t reconnects;     /* TCP/TLS: connections made after the first one */
    uint64_t breaks;         /* TCP/TLS: connections that ended, not by us, after frames had been written to them */
    /*
     * TCP/TLS: octets that connections had taken and the peer's kernel had not acknowledged when they broke (with TLS
     * its own octets are among them). Who keeps what it sent can send the end of that anew.
     */
    uint64_t octets_unacknowledged;
    /*
     * Of the breaks: by a reset. Then the peer had octets that its kernel had acknowledged and its program never read,
     * or died; how many nobody can tell. (A peer that ends the connection in order has read all it acknowledged.)
     */
    uint64_t resets;
    uint64_t retries;         /* attempts after a pause */
    uint64_t refused;         /* UDP: errors that the network reported for datagrams sent before (ICMP) */
    uint64_t http_requests;   /* POSTs, retries included */
    struct errmsg last_error; /* empty if there was none */
};

struct sender;

/*
 * Checks URL, files and host name and makes a sender; connections are made when there is something to send, so the
 * collector may come later. 0, or -1 with a text.
 */
int sender_open(struct sender **ret, const char *url, const struct sender_options *options, struct errmsg *err);

/*
 * Takes one frame (copied). 0, or -1 if during the call frames failed: this one, which does not suit the transport
 * (over 65507 octets for UDP; not one whole HEP version 3 frame for TCP, whose receiver finds the end by its length),
 * or a batch. stats.last_error says why.
 */
int sender_send(struct sender *s, const uint8_t *frame, size_t len);

/* Sends what waits. 0, or -1 if frames failed. */
int sender_flush(struct sender *s);

/*
 * Looks whether the collector can be reached, without sending anything: TCP and TLS connect unless they are connected,
 * UDP reads what the network reported. 0, or -1 with last_error; HTTP never knows before it tries: 0.
 */
int sender_check(struct sender *s);

/* True while an outage lasts: frames that fail now fail for the want of a collector, not for themselves. */
bool sender_is_down(const struct sender *s);

/* Valid until sender_close(); up to date after every call. */
const struct sender_stats *sender_stats(const struct sender *s);

/*
 * Flushes, ends the connection in order (TCP: waits up to 5 s until the peer's kernel has acknowledged everything; TLS:
 * close_notify) and releases the sender. ret_stats, if not NULL, gets the final figures. 0, or -1 if frames failed now
 * or the end of a TCP stream was not acknowledged. NULL is fine.
 */
int sender_close(struct sender *s, struct sender_stats *ret_stats);

#endif
