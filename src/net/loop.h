/*
 * The loop that listeners live on, its end, its pause and its counters. See listener.h for the story.
 *
 *     net_loop_new(&loop, &err); net_listen(loop, ...); net_loop_signals(loop); net_loop_run(loop);
 * net_loop_free(loop);
 */
#ifndef NET_LOOP_H
#define NET_LOOP_H

#include <stdint.h>

#include "base/errmsg.h"

/* X(name, text): what is counted, over all listeners of a loop, since its start. */
#define NET_COUNTERS(X)                                                                                                \
    X(datagrams, "datagrams received")                                                                                 \
    X(datagram_octets, "octets in them")                                                                               \
    X(datagrams_truncated, "datagrams dropped for being longer than datagram_max")                                     \
    X(kernel_drops, "datagrams dropped by the kernel: socket buffer full, checksum wrong")                             \
    X(socket_errors, "errors of accept and receive calls")                                                             \
    X(connections, "connections accepted, HTTP included")                                                              \
    X(connections_refused, "closed at once: over a limit, of all or of one peer")                                      \
    X(connections_idle, "closed because nothing came for too long")                                                    \
    X(connections_stalled, "of them, closed with half a frame waiting")                                                \
    X(connections_reset, "ended by an error of the network")                                                           \
    X(frames, "frames of streams")                                                                                     \
    X(stream_octets, "octets read from streams, broken ones included")                                                 \
    X(stream_errors, "streams closed for a bad magic or length")                                                       \
    X(streams_cut, "streams that ended inside a frame")                                                                \
    X(tls_failures, "TLS handshakes that failed (for HTTPS: missing client certificates only)")                        \
    X(tls_unclosed, "TLS streams that ended at a frame boundary without close_notify")                                 \
    X(http_requests, "HTTP requests begun")                                                                            \
    X(http_octets, "octets of HTTP bodies as sent")                                                                    \
    X(http_refused, "of the requests, answered by the listener: 403, 405, 413, 415, 503, bad gzip")                    \
    X(http_aborted, "of the requests, ended by the client or the time limit before an answer was sent")

/* The same for what is so now. */
#define NET_GAUGES(X) X(connections_open, "connections open now, HTTP included")

#define NET_COUNTER_FIELD(name, text) uint64_t name;
struct net_counters {
    NET_COUNTERS(NET_COUNTER_FIELD)
    NET_GAUGES(NET_COUNTER_FIELD)
};
#undef NET_COUNTER_FIELD

struct net_loop;

/* 0, or -1 with a text. */
int net_loop_new(struct net_loop **ret, struct errmsg *err);

/* Makes SIGINT and SIGTERM call net_stop(). 0, or -1 with a text. */
int net_loop_signals(struct net_loop *loop, struct errmsg *err);

/*
 * Runs until net_stop(). Then what the kernel had received for open sockets is read and handed on (bounded: a sender
 * that goes on cannot keep it up), HTTP answers that were put off are waited for (net_set_stop_wait()), streams that
 * end inside a frame are reported, and all listeners are closed. A loop runs once.
 */
void net_loop_run(struct net_loop *loop);

/* Ends net_loop_run() soon. May be called from a callback, another thread or a signal handler, also before the run. */
void net_stop(struct net_loop *loop);

/* How long the end of net_loop_run() waits for HTTP answers that are owed; before it the default is 5000 ms. */
void net_set_stop_wait(struct net_loop *loop, uint64_t ms);

/* Closes what is open and releases everything. Not from a callback. NULL is fine. */
void net_loop_free(struct net_loop *loop);

/*
 * Stops and continues reading from all TCP, TLS and HTTP connections, and accepting new ones. May be called from
 * callbacks. After net_pause() no frame of a stream is handed on: those that were read already (up to 64 KiB a
 * connection) wait, and come, not from within net_resume(), but soon after it. Nothing that waits because of a pause
 * times out. HTTP requests that are owed an answer get it all the same. The end of net_loop_run() ends a pause.
 */
void net_pause(struct net_loop *loop);
void net_resume(struct net_loop *loop);

/*
 * Makes the loop call what net_on_wake() set, on its own thread, soon; several wakes may become one call. From any
 * thread, until net_loop_free(). Also while net_loop_run() waits for HTTP answers at its end.
 */
void net_wake(struct net_loop *loop);
void net_on_wake(struct net_loop *loop, void (*call)(void *arg), void *arg); /* before net_loop_run() */

/* Called each time before the loop waits for something to happen: the place to flush output. NULL: nothing. */
void net_on_wait(struct net_loop *loop, void (*call)(void *arg), void *arg);

/* Called every `ms` milliseconds: statistics. There is one such timer; 0 stops it. */
void net_on_timer(struct net_loop *loop, uint64_t ms, void (*call)(void *arg), void *arg);

/* The counters as of now; also valid between net_loop_run() and net_loop_free(). From the loop's thread only. */
const struct net_counters *net_counters(struct net_loop *loop);

#endif
