/*
 * Network in and out. This header and loop.h receive, sender.h sends; nothing else of the folder is for others.
 *
 * A program makes one loop (loop.h), opens any number of listeners on it and runs it. Everything happens on the thread
 * that runs the loop; there are no locks. What arrives is handed to the callbacks of `struct net_handler`: a datagram
 * as it is, a TCP or TLS stream cut into whole frames, an HTTP(S) request with its whole, unpacked body. The octets
 * belong to the listener and are gone when the callback returns. What is refused or lost is counted (loop.h) and told
 * to on_event; the listeners themselves never log. net_pause() stops all streams until net_resume(), so that TCP slows
 * the senders down; UDP goes on, since pausing it would only move the loss into the kernel.
 *
 * Several loops, each in a thread of its own, may share one address (enum net_share). An HTTP request need not be
 * answered at once: http_request_later() and net_http_reply().
 *
 * Files: loop.c loop, listener.c entry, sock.c addresses, udp.c, tcp.c + tcp_conn.c streams, tls.c GnuTLS, httpd.c
 * server, http_call.c requests, http_body.c bodies.
 */
#ifndef NET_LISTENER_H
#define NET_LISTENER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "base/buf.h"
#include "base/errmsg.h"
#include "hep/hep.h"

enum net_transport { NET_UDP, NET_TCP, NET_TLS, NET_HTTP, NET_HTTPS };

/* Lower-case name: "udp", "tcp"... Static. */
const char *net_transport_name(enum net_transport transport);

/* Where something came from. */
struct net_peer {
    struct hep_addr addr; /* an IPv4 peer of a dual-stack socket is shown as IPv4 */
    uint16_t port;
    uint16_t local_port; /* of the listener */
    enum net_transport transport;
    struct timespec received; /* wall clock when the octets were read; one reading for a batch */
};

/* ------------------------------------------------------------------------------------------------ HTTP */

/* A request whose body is complete. All pointers are valid until the callback returns. */
struct http_request {
    const char *method;       /* "POST" or "PUT" */
    const char *path;         /* without the query */
    const char *content_type; /* "" if the client sent none */
    const uint8_t *body;      /* after Content-Encoding: gzip was undone */
    size_t len;
    size_t wire_len; /* octets of the body as it was sent */
    void *connection;
};

/* Value of a request header, NULL if it is absent. The name is compared without regard to case. */
const char *http_request_header(const struct http_request *request, const char *name);

/* The answer. Comes with status 200 and an empty body; the callback changes what it wants. */
struct http_reply {
    unsigned status;      /* 200..599; anything else is sent as 500 */
    unsigned retry_after; /* seconds; not 0: a Retry-After header */
    struct buf body;      /* JSON text, at most 1 MiB; a failed buf is sent as 500 */
};

struct http_later;

/*
 * To be called in on_body by whoever wants to answer later: what on_body leaves in its reply is not sent then, and
 * net_http_reply() has to be called for the handle, once, whatever happens to the connection. NULL if there is no
 * memory: answer now.
 *
 * Until the answer the connection is left alone: no time limit runs, and a client that goes away is noticed when it is
 * answered. A loop that is told to stop waits for the answers that are owed (net_set_stop_wait()).
 */
struct http_later *http_request_later(const struct http_request *request);

/*
 * Sends an answer that was put off; on the loop's thread, not from within the on_body that asked for it. reply->body is
 * released. 0, or -1 if nobody is there any more to take it. The handle is gone in any case; it may also be answered
 * after net_loop_run(), even after net_loop_free().
 */
int net_http_reply(struct http_later *later, struct http_reply *reply);

/* An empty 200, as on_body is given it. buf_free(&reply->body) releases it. */
void http_reply_init(struct http_reply *reply);

/* ------------------------------------------------------------------------------------------------ handler */

/* What on_event tells. Each has its counter in loop.h. */
enum net_event {
    NET_EVENT_CONNECTED,
    NET_EVENT_CLOSED,       /* by the peer, at a frame boundary */
    NET_EVENT_REFUSED,      /* over the connection limit */
    NET_EVENT_IDLE,         /* closed: nothing came for the idle timeout, or for the one of half a frame */
    NET_EVENT_TLS_FAILED,   /* handshake failed or took too long */
    NET_EVENT_TLS_UNCLOSED, /* ended at a frame boundary, but without close_notify */
    NET_EVENT_TRUNCATED,    /* datagram longer than datagram_max: dropped */
    NET_EVENT_HTTP_REFUSED, /* answered by the listener itself: 403, 405, 413, 415... */
    NET_EVENT_SOCKET_ERROR  /* the system refused accept(), read... */
};

struct net_handler {
    void *arg; /* first argument of each callback */

    /* One UDP datagram, len 0 included. */
    void (*on_datagram)(void *arg, const struct net_peer *peer, const uint8_t *data, size_t len);

    /* One whole frame of a TCP or TLS stream, cut by its length field; the inside is not checked. */
    void (*on_frame)(void *arg, const struct net_peer *peer, const uint8_t *frame, size_t len);

    /*
     * A stream is broken (HEP_ERR_MAGIC, HEP_ERR_TOTAL_LENGTH: the connection is closed) or it ended inside a frame
     * (HEP_ERR_TRUNCATED; also when the loop stops). offset: octets from the start of the stream to that frame.
     */
    void (*on_stream_error)(void *arg, const struct net_peer *peer, int hep_error, uint64_t offset);

    /* One HTTP or HTTPS request. */
    void (*on_body)(void *arg, const struct net_peer *peer, const struct http_request *request,
                    struct http_reply *reply);

    /* For a log; may be NULL. text: one line for a person, without the peer's address. */
    void (*on_event)(void *arg, enum net_event event, const struct net_peer *peer, const char *text);
};

/* ------------------------------------------------------------------------------------------------ listeners */

struct net_loop;
struct net_listener;

/*
 * How an address is shared by the listeners of one program, each on its own loop. The kernel then spreads UDP senders
 * and TCP connections over them; all of one sender's address and port lands on the same one. JOIN works only after
 * FIRST. FIRST fails like ALONE if anybody else has the address, another FIRST included: a second program on the same
 * port is told so, instead of getting half of the traffic.
 */
enum net_share { NET_SHARE_ALONE, NET_SHARE_FIRST, NET_SHARE_JOIN };

/* PEM files. */
struct net_tls_files {
    const char *cert; /* may hold the chain */
    const char *key;
    const char *client_ca; /* not NULL: clients must show a certificate of one of these CAs */
};

/* A zeroed struct means the defaults. Texts are read by net_listen() only. */
struct net_listen_options {
    const char *host; /* address or name; NULL, "" or "*": every address, IPv6 and IPv4 on one socket */
    uint16_t port;    /* 0: the system chooses, see net_listener_port() */
    enum net_share share;

    size_t rcvbuf;       /* UDP: socket buffer to ask for, octets; 0: 4 MiB */
    size_t datagram_max; /* UDP: longer ones are dropped and counted; 0: 65535, which no datagram exceeds */

    /*
     * Streams. A connection holds 64 KiB while part of a frame waits in it and nothing otherwise, so the limit bounds
     * memory as well: 1024 connections hold at most 64 MiB.
     */
    size_t max_connections; /* 0: 1024 (HTTP: 256). TCP/TLS: over it, accepted and closed; HTTP: wait in the backlog */
    size_t max_per_peer;    /* of them from one address; over it: closed. 0: half of max_connections, at least 1 */
    unsigned idle_timeout;  /* seconds without an octet; 0: TCP/TLS none (keep-alive probes after 60 s), HTTP 30 */
    unsigned frame_timeout; /* TCP/TLS: seconds without an octet while half a frame waits; 0: 60 */

    struct net_tls_files tls;   /* TLS and HTTPS */
    unsigned handshake_timeout; /* TLS: seconds; 0: 10 */

    size_t body_max;   /* HTTP: octets of one body, packed or unpacked; 0: 8 MiB. Over it: 413 */
    size_t bodies_max; /* HTTP: octets of all bodies being received; 0: 64 MiB. Over it: 503 with Retry-After */
};

#define NET_RCVBUF_DEFAULT (4u << 20)

/*
 * Opens a listener on the loop, which owns it. The callbacks that the transport needs must be set. `ret` may be NULL.
 * 0, or -1 with a text (address in use, certificate unreadable, ...).
 */
int net_listen(struct net_loop *loop, enum net_transport transport, const struct net_listen_options *options,
               const struct net_handler *handler, struct net_listener **ret, struct errmsg *err);

/* The port that is bound. */
uint16_t net_listener_port(const struct net_listener *listener);

/* UDP: octets of socket buffer that the kernel granted, in the unit of net_listen_options.rcvbuf; else 0. */
size_t net_listener_rcvbuf(const struct net_listener *listener);

/* What an operator wants to know of a listener. */
struct net_listener_info {
    enum net_transport transport;
    char address[64]; /* "0.0.0.0:9060", "[::]:9060": as bound */
    uint16_t port;
    size_t rcvbuf_asked;   /* UDP: octets of socket buffer that were asked for... */
    size_t rcvbuf;         /* ...and granted: less if net.core.rmem_max forbids them (the kernel obeys root alone) */
    uint64_t kernel_drops; /* UDP: datagrams that the kernel dropped on this socket */
    size_t connections;    /* open now */
};

/* Fills in *ret. On the loop's thread, or while the loop does not run. */
void net_listener_info(struct net_listener *listener, struct net_listener_info *ret);

/*
 * TLS and HTTPS: reads certificate, key and CA, from these files (NULL: from those it has) for connections to come;
 * those that are open keep theirs. On failure nothing changes: -1 with a text. Other transports: 0. On the loop's
 * thread.
 */
int net_listener_reload(struct net_listener *listener, const struct net_tls_files *files, struct errmsg *err);

/* One TCP or TLS connection. Times are of the wall clock. */
struct net_connection {
    struct net_peer peer;     /* received: when the last octet came, or the connection, if none did */
    struct timespec since;    /* accepted */
    uint64_t octets;          /* received */
    uint64_t frames;          /* handed on */
    size_t waiting;           /* octets read, but not handed on: half a frame, or more while paused */
    unsigned stalled_seconds; /* how long half a frame has been waiting for the rest, or reading has been paused */
};

/* Calls `call` for each open TCP and TLS connection of the loop. On the loop's thread. */
void net_connections(struct net_loop *loop, void (*call)(void *arg, const struct net_connection *connection),
                     void *arg);

#endif
