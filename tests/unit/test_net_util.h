/*
 * Shared by the test_net_* programs: a server (loop in its own thread) that records what its callbacks are told, raw
 * clients, frames, and certificates made at run time. Everything is static: each program is one file.
 */
#ifndef TEST_NET_UTIL_H
#define TEST_NET_UTIL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "net/listener.h"
#include "net/loop.h"
#include "net/sender.h"

#define UNUSED_OK __attribute__((unused))
#define WAIT_MS   5000

/* ------------------------------------------------------------------------------------------------ time */

UNUSED_OK static void sleep_ms(unsigned ms)
{
    (void)poll(NULL, 0, (int)ms);
}

UNUSED_OK static uint64_t now_ms(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* ------------------------------------------------------------------------------------------------ frames */

/* A version 3 frame of `len` octets (>= 12) with a running number in its one payload chunk, if that has room for it. */
UNUSED_OK static void make_frame(uint8_t *frame, size_t len, uint32_t number)
{
    memset(frame, (int)('a' + number % 26), len);
    memcpy(frame, "HEP3", 4);
    frame[4] = (uint8_t)(len >> 8);
    frame[5] = (uint8_t)len;
    size_t chunk = len - 6;
    const uint8_t head[] = { 0, 0, 0, 0x0f, (uint8_t)(chunk >> 8), (uint8_t)chunk };
    memcpy(frame + 6, head, 6);
    if (len >= 16)
        memcpy(frame + 12, &number, 4);
}

UNUSED_OK static uint32_t frame_number(const uint8_t *frame)
{
    uint32_t number;
    memcpy(&number, frame + 12, 4);
    return number;
}

/* ------------------------------------------------------------------------------------------------ server */

#define SEEN_MAX 4096

struct server {
    struct net_loop *loop;
    struct net_listener *listener;
    pthread_t thread;
    bool running;
    uint16_t port;

    pthread_mutex_t lock; /* around all that follows */
    size_t units;         /* datagrams, frames or bodies */
    size_t octets;
    uint32_t number[SEEN_MAX]; /* of each unit, in order */
    bool damaged;              /* a unit was not as make_frame() makes it */
    struct net_peer peer;      /* of the last unit */
    size_t errors;
    int error;
    uint64_t error_offset;
    size_t events[NET_EVENT_SOCKET_ERROR + 1];
    char event_text[256];

    /* HTTP: what on_body answers and what it saw. */
    unsigned statuses[8]; /* one a request; the last one for ever */
    size_t status_count;
    unsigned retry_after;
    char key[8][64]; /* Idempotency-Key of each request */
    char type[64], path[64], extra[64];
    uint8_t body[256]; /* first octets */
    size_t body_len, wire_len;

    size_t pause_after; /* units; 0: never */
    unsigned delay_ms;  /* each unit takes so long */
};

static void record(struct server *s, const struct net_peer *peer, const uint8_t *data, size_t len)
{
    uint8_t *expect = malloc(len < 16 ? 16 : len);
    (void)pthread_mutex_lock(&s->lock);
    if (len >= 16) {
        make_frame(expect, len, frame_number(data));
        s->damaged = s->damaged || memcmp(expect, data, len) != 0;
        s->number[s->units % SEEN_MAX] = frame_number(data);
    }
    s->units++;
    s->octets += len;
    s->peer = *peer;
    bool pause = s->units == s->pause_after;
    unsigned delay = s->delay_ms;
    (void)pthread_mutex_unlock(&s->lock);
    free(expect);
    if (pause)
        net_pause(s->loop);
    if (delay > 0)
        sleep_ms(delay);
}

static void on_octets(void *arg, const struct net_peer *peer, const uint8_t *data, size_t len)
{
    record(arg, peer, data, len);
}

static void on_stream_error(void *arg, const struct net_peer *peer, int error, uint64_t offset)
{
    (void)peer;
    struct server *s = arg;
    (void)pthread_mutex_lock(&s->lock);
    s->errors++;
    s->error = error;
    s->error_offset = offset;
    (void)pthread_mutex_unlock(&s->lock);
}

static void copy_text(char *to, size_t cap, const char *from)
{
    (void)snprintf(to, cap, "%s", from == NULL ? "" : from);
}

static void on_body(void *arg, const struct net_peer *peer, const struct http_request *request,
                    struct http_reply *reply)
{
    struct server *s = arg;
    record(s, peer, request->body, request->len < 16 ? 0 : request->len);
    (void)pthread_mutex_lock(&s->lock);
    size_t n = s->units - 1;
    copy_text(s->key[n % 8], sizeof(s->key[0]), http_request_header(request, "idempotency-key"));
    copy_text(s->extra, sizeof(s->extra), http_request_header(request, "X-Extra"));
    copy_text(s->type, sizeof(s->type), request->content_type);
    copy_text(s->path, sizeof(s->path), request->path);
    s->body_len = request->len;
    s->wire_len = request->wire_len;
    if (request->len > 0)
        memcpy(s->body, request->body, request->len < sizeof(s->body) ? request->len : sizeof(s->body));
    if (s->status_count > 0)
        reply->status = s->statuses[n < s->status_count ? n : s->status_count - 1];
    if (reply->status >= 400)
        reply->retry_after = s->retry_after;
    (void)pthread_mutex_unlock(&s->lock);
    buf_printf(&reply->body, "{\"status\":%u}\n", reply->status);
}

static void on_event(void *arg, enum net_event event, const struct net_peer *peer, const char *text)
{
    (void)peer;
    struct server *s = arg;
    (void)pthread_mutex_lock(&s->lock);
    s->events[event]++;
    if (event != NET_EVENT_CONNECTED && event != NET_EVENT_CLOSED)
        copy_text(s->event_text, sizeof(s->event_text), text);
    (void)pthread_mutex_unlock(&s->lock);
}

/* Opens the listener; server_run() starts the thread. options may be NULL: 127.0.0.1. */
UNUSED_OK static void server_open(struct server *s, enum net_transport transport,
                                  const struct net_listen_options *options)
{
    struct net_listen_options defaults = { .host = "127.0.0.1" };
    struct net_handler handler = { .arg = s,
                                   .on_datagram = on_octets,
                                   .on_frame = on_octets,
                                   .on_stream_error = on_stream_error,
                                   .on_body = on_body,
                                   .on_event = on_event };
    struct errmsg err = { "" };
    memset(s, 0, sizeof(*s));
    (void)pthread_mutex_init(&s->lock, NULL);
    assert_int_equal(net_loop_new(&s->loop, &err), 0);
    if (net_listen(s->loop, transport, options == NULL ? &defaults : options, &handler, &s->listener, &err) < 0)
        fail_msg("%s", err.text);
    s->port = net_listener_port(s->listener);
    assert_int_not_equal(s->port, 0);
}

static void *server_thread(void *arg)
{
    struct server *s = arg;
    net_loop_run(s->loop);
    return NULL;
}

UNUSED_OK static void server_run(struct server *s)
{
    assert_int_equal(pthread_create(&s->thread, NULL, server_thread, s), 0);
    s->running = true;
}

UNUSED_OK static void server_start(struct server *s, enum net_transport transport,
                                   const struct net_listen_options *options)
{
    server_open(s, transport, options);
    server_run(s);
}

/* Ends the loop; afterwards everything recorded and the counters may be read without the lock. */
UNUSED_OK static struct net_counters server_stop(struct server *s)
{
    if (s->running) {
        net_stop(s->loop);
        (void)pthread_join(s->thread, NULL);
        s->running = false;
    }
    return *net_counters(s->loop);
}

UNUSED_OK static void server_free(struct server *s)
{
    (void)server_stop(s);
    net_loop_free(s->loop);
    (void)pthread_mutex_destroy(&s->lock);
}

UNUSED_OK static size_t seen(struct server *s, const size_t *what)
{
    (void)pthread_mutex_lock(&s->lock);
    size_t value = *what;
    (void)pthread_mutex_unlock(&s->lock);
    return value;
}

/* Waits until a count of the server's is at least `want`; fails the test after WAIT_MS. */
#define wait_for(s, field, want) wait_count((s), &(s)->field, (want), #field, __FILE__, __LINE__)

UNUSED_OK static void wait_count(struct server *s, const size_t *what, size_t want, const char *name, const char *file,
                                 int line)
{
    for (unsigned i = 0; i < WAIT_MS / 2; i++) {
        if (seen(s, what) >= want)
            return;
        sleep_ms(2);
    }
    print_error("%s is %zu, not %zu\n", name, seen(s, what), want);
    _fail(file, line);
}

UNUSED_OK static void assert_in_order(const struct server *s, size_t count)
{
    assert_int_equal(s->units, count);
    assert_false(s->damaged);
    for (size_t i = 0; i < count && i < SEEN_MAX; i++)
        assert_int_equal(s->number[i], i);
}

/* ------------------------------------------------------------------------------------------------ clients */

UNUSED_OK static int connect_to(int type, uint16_t port)
{
    struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = htons(port) };
    sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&sin, sizeof(sin)), 0);
    return fd;
}

UNUSED_OK static void send_all(int fd, const void *data, size_t len)
{
    const uint8_t *at = data;
    while (len > 0) {
        ssize_t n = send(fd, at, len, MSG_NOSIGNAL);
        if (n <= 0)
            fail_msg("send: %s", strerror(errno));
        at += n;
        len -= (size_t)n;
    }
}

/* True if the peer closes within WAIT_MS; what it sends is dropped. */
UNUSED_OK static bool is_closed_by_peer(int fd)
{
    char junk[256];
    struct pollfd p = { .fd = fd, .events = POLLIN };
    while (poll(&p, 1, WAIT_MS) > 0) {
        if (recv(fd, junk, sizeof(junk), 0) <= 0)
            return true;
    }
    return false;
}

/* A listening socket of our own, or (type SOCK_DGRAM) a bound one; *ret_port is what the system chose if it is 0. */
UNUSED_OK static int listen_raw(int type, uint16_t *port)
{
    struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = htons(*port) };
    socklen_t len = sizeof(sin);
    int one = 1;
    sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    assert_int_equal(bind(fd, (struct sockaddr *)&sin, sizeof(sin)), 0);
    if (type == SOCK_STREAM)
        assert_int_equal(listen(fd, 16), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&sin, &len), 0);
    *port = ntohs(sin.sin_port);
    return fd;
}

/* A port on which nobody listens. */
UNUSED_OK static uint16_t free_port(int type)
{
    uint16_t port = 0;
    (void)close(listen_raw(type, &port));
    return port;
}

/* ------------------------------------------------------------------------------------------------ senders */

UNUSED_OK static struct sender *open_sender(const char *scheme, const char *host, uint16_t port,
                                            const struct sender_options *options)
{
    char url[128];
    struct sender *s = NULL;
    struct errmsg err = { "" };
    (void)snprintf(url, sizeof(url), "%s://%s:%u%s", scheme, host, port, strncmp(scheme, "http", 4) == 0 ? "/hep" : "");
    if (sender_open(&s, url, options, &err) < 0)
        fail_msg("%s: %s", url, err.text);
    return s;
}

/* Sends frames first..first+count-1 of `len` octets; returns how many calls failed. */
UNUSED_OK static size_t send_frames(struct sender *s, uint32_t first, uint32_t count, size_t len)
{
    uint8_t *frame = malloc(len);
    size_t failed = 0;
    for (uint32_t i = 0; i < count; i++) {
        make_frame(frame, len, first + i);
        failed += sender_send(s, frame, len) < 0;
    }
    free(frame);
    return failed;
}

UNUSED_OK static void assert_adds_up(const struct sender_stats *t, uint64_t given)
{
    assert_int_equal(t->frames_sent + t->frames_failed + t->frames_pending, given);
}

UNUSED_OK static struct sender_options quick_options(void)
{
    struct sender_options o;
    sender_options_init(&o);
    o.retry_ms = 0;
    o.connect_timeout_ms = 2000;
    return o;
}

#endif
