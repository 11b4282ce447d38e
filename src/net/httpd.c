/*
 * HTTP and HTTPS: libmicrohttpd without threads. Its epoll descriptor is polled by the loop; a timer covers what
 * libmicrohttpd wants to do without an event (time limits, requests it has buffered).
 *
 * A request is refused as early as the library allows: by its headers before the body is read (and before "100
 * Continue" is sent), which costs the connection, for the body may follow all the same. When a body turns out too large
 * on the way, what came is dropped and the answer is given at its end; a body that then goes on for as much again is
 * cut off.
 */
#include <errno.h>
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "net/http_body.h"
#include "net/internal.h"
#include "net/sock.h"
#include "net/tls.h"

#define MAX_CONNECTIONS 256
#define TIMEOUT_SECONDS 30
#define BODY_MAX        ((size_t)8 << 20)
#define BODIES_MAX      ((size_t)64 << 20)
#define REPLY_MAX       ((size_t)1 << 20)

struct httpd {
    struct net_listener base;
    struct MHD_Daemon *daemon;
    uv_poll_t poll;
    uv_timer_t timer;
    bool need_client_cert;
    size_t body_max;
    struct http_account account;
};

/* One request; made with its headers, freed by on_completed(). */
struct call {
    struct http_body body;
    const char *method, *path;
    unsigned refused; /* status to answer when the request has ended; the rest of its body is dropped */
    bool health;      /* GET /health */
    bool answered;
};

/* ------------------------------------------------------------------------------------------------ answers */

static void add_number_header(struct MHD_Response *response, const char *name, unsigned value)
{
    char text[12];
    (void)snprintf(text, sizeof(text), "%u", value);
    (void)MHD_add_response_header(response, name, text);
}

static enum MHD_Result answer(struct MHD_Connection *mc, unsigned status, unsigned retry_after, const void *text,
                              size_t len)
{
    union {
        const void *in;
        void *out; /* copied, not written */
    } body = { .in = text };
    struct MHD_Response *response = MHD_create_response_from_buffer(len, body.out, MHD_RESPMEM_MUST_COPY);
    if (response == NULL)
        return MHD_NO;
    (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "application/json");
    if (retry_after > 0)
        add_number_header(response, MHD_HTTP_HEADER_RETRY_AFTER, retry_after);
    if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
        (void)MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "POST, PUT");
    enum MHD_Result rc = MHD_queue_response(mc, status, response);
    MHD_destroy_response(response);
    return rc;
}

static enum MHD_Result answer_health(struct MHD_Connection *mc)
{
    static char text[] = "ok";
    struct MHD_Response *response = MHD_create_response_from_buffer(2, text, MHD_RESPMEM_PERSISTENT);
    if (response == NULL)
        return MHD_NO;
    (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "text/plain");
    enum MHD_Result rc = MHD_queue_response(mc, MHD_HTTP_OK, response);
    MHD_destroy_response(response);
    return rc;
}

static const char *refusal(unsigned status)
{
    switch (status) {
    case 400:
        return "{\"error\":\"the body is not whole gzip\"}\n";
    case 403:
        return "{\"error\":\"a client certificate of a known CA is required\"}\n";
    case 405:
        return "{\"error\":\"use POST or PUT\"}\n";
    case 413:
        return "{\"error\":\"the body is too large\"}\n";
    case 415:
        return "{\"error\":\"unknown Content-Encoding; gzip and identity are taken\"}\n";
    default:
        return "{\"error\":\"too much at once, try again\"}\n";
    }
}

static void peer_of(const struct httpd *h, struct MHD_Connection *mc, struct net_peer *peer)
{
    listener_peer(&h->base, peer);
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(mc, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    if (info != NULL)
        sock_addr(info->client_addr, &peer->addr, &peer->port);
}

static enum MHD_Result refuse(struct httpd *h, struct MHD_Connection *mc, unsigned status)
{
    struct net_peer peer;
    const char *text = refusal(status);
    char line[64];
    peer_of(h, mc, &peer);
    (void)snprintf(line, sizeof(line), "answered %u", status);
    listener_event(&h->base, NET_EVENT_HTTP_REFUSED, &peer, line);
    h->base.loop->counters.http_refused++;
    return answer(mc, status, status == 503 ? 1 : 0, text, strlen(text));
}

/* ------------------------------------------------------------------------------------------------ requests */

static const char *header(struct MHD_Connection *mc, const char *name)
{
    return MHD_lookup_connection_value(mc, MHD_HEADER_KIND, name);
}

const char *http_request_header(const struct http_request *request, const char *name)
{
    return header(request->connection, name);
}

static bool client_allowed(const struct httpd *h, struct MHD_Connection *mc)
{
    if (!h->need_client_cert)
        return true;
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(mc, MHD_CONNECTION_INFO_GNUTLS_SESSION);
    return info != NULL && tls_client_verified(info->tls_session);
}

static bool too_long(const struct httpd *h, struct MHD_Connection *mc)
{
    const char *text = header(mc, MHD_HTTP_HEADER_CONTENT_LENGTH);
    if (text == NULL)
        return false;
    errno = 0;
    unsigned long long len = strtoull(text, NULL, 10); /* libmicrohttpd has refused what is no number */
    return errno != 0 || len > h->body_max;
}

/* Status that the headers alone call for, 0 if the body is to be read. */
static unsigned judge_headers(struct httpd *h, struct MHD_Connection *mc, const char *method, bool *ret_gzip)
{
    const char *encoding = header(mc, MHD_HTTP_HEADER_CONTENT_ENCODING);
    *ret_gzip = encoding != NULL && (strcasecmp(encoding, "gzip") == 0 || strcasecmp(encoding, "x-gzip") == 0);
    if (!client_allowed(h, mc)) {
        h->base.loop->counters.tls_failures++;
        return 403;
    }
    if (strcmp(method, "POST") != 0 && strcmp(method, "PUT") != 0)
        return 405;
    if (encoding != NULL && !*ret_gzip && strcasecmp(encoding, "identity") != 0)
        return 415;
    return too_long(h, mc) ? 413 : 0;
}

static bool has_body(struct MHD_Connection *mc)
{
    const char *len = header(mc, MHD_HTTP_HEADER_CONTENT_LENGTH);
    return header(mc, MHD_HTTP_HEADER_TRANSFER_ENCODING) != NULL || (len != NULL && strcmp(len, "0") != 0);
}

static bool is_health(const char *path, const char *method)
{
    return strcmp(path, "/health") == 0 && (strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0);
}

static enum MHD_Result call_begin(struct httpd *h, struct MHD_Connection *mc, const char *path, const char *method,
                                  void **state)
{
    bool gzip = false;
    h->base.loop->counters.http_requests++;
    unsigned status = judge_headers(h, mc, method, &gzip);
    if (status != 0 && has_body(mc))
        return refuse(h, mc, status);
    struct call *call = calloc(1, sizeof(*call));
    if (call == NULL)
        return refuse(h, mc, 503);
    call->method = method;
    call->path = path;
    call->health = status == 405 && is_health(path, method);
    call->refused = http_body_init(&call->body, &h->account, h->body_max, gzip);
    if (status != 0)
        call->refused = status;
    *state = call;
    return MHD_YES;
}

/* MHD_NO ends the connection. */
static enum MHD_Result call_data(struct httpd *h, struct call *call, const char *data, size_t len)
{
    h->base.loop->counters.http_octets += len;
    if (call->refused != 0) {
        call->body.wire += len;
        return call->body.wire > 2 * h->body_max ? MHD_NO : MHD_YES;
    }
    call->refused = http_body_add(&call->body, data, len);
    if (call->refused != 0)
        http_body_free(&call->body);
    return MHD_YES;
}

static enum MHD_Result hand_over(struct httpd *h, struct MHD_Connection *mc, struct call *call)
{
    const char *type = header(mc, MHD_HTTP_HEADER_CONTENT_TYPE);
    struct http_request request = { .method = call->method,
                                    .path = call->path,
                                    .content_type = type == NULL ? "" : type,
                                    .body = call->body.data.ptr,
                                    .len = call->body.data.len,
                                    .wire_len = call->body.wire,
                                    .connection = mc };
    struct http_reply reply = { .status = MHD_HTTP_OK };
    struct net_peer peer;
    peer_of(h, mc, &peer);
    buf_init(&reply.body, REPLY_MAX);
    h->base.handler.on_body(h->base.handler.arg, &peer, &request, &reply);
    if (reply.status < 200 || reply.status > 599 || reply.body.failed)
        reply.status = MHD_HTTP_INTERNAL_SERVER_ERROR;
    size_t len = reply.body.failed ? 0 : reply.body.len;
    enum MHD_Result rc = answer(mc, reply.status, reply.retry_after, len == 0 ? "" : (const char *)reply.body.ptr, len);
    buf_free(&reply.body);
    return rc;
}

static enum MHD_Result call_end(struct httpd *h, struct MHD_Connection *mc, struct call *call)
{
    call->answered = true;
    if (call->health)
        return answer_health(mc);
    if (call->refused == 0)
        call->refused = http_body_end(&call->body);
    enum MHD_Result rc = call->refused != 0 ? refuse(h, mc, call->refused) : hand_over(h, mc, call);
    http_body_free(&call->body); /* the answer may take its time */
    return rc;
}

static enum MHD_Result on_request(void *arg, struct MHD_Connection *mc, const char *path, const char *method,
                                  const char *version, const char *data, size_t *len, void **state)
{
    (void)version;
    struct httpd *h = arg;
    struct call *call = *state;
    if (call == NULL)
        return call_begin(h, mc, path, method, state);
    if (*len == 0)
        return call_end(h, mc, call);
    size_t taken = *len;
    *len = 0;
    return call_data(h, call, data, taken);
}

static void on_completed(void *arg, struct MHD_Connection *mc, void **state, enum MHD_RequestTerminationCode why)
{
    (void)mc;
    (void)why;
    struct httpd *h = arg;
    struct call *call = *state;
    if (call == NULL)
        return;
    if (!call->answered)
        h->base.loop->counters.http_aborted++;
    http_body_free(&call->body);
    free(call);
    *state = NULL;
}

static void on_connection(void *arg, struct MHD_Connection *mc, void **state, enum MHD_ConnectionNotificationCode what)
{
    (void)state;
    struct httpd *h = arg;
    bool started = what == MHD_CONNECTION_NOTIFY_STARTED;
    h->base.loop->counters.connections += started;
    h->base.loop->counters.connections_open += started ? 1 : UINT64_MAX; /* modulo 2^64: minus one */
    struct net_peer peer;
    peer_of(h, mc, &peer);
    listener_event(&h->base, started ? NET_EVENT_CONNECTED : NET_EVENT_CLOSED, &peer,
                   started ? "connected" : "connection closed");
}

/* ------------------------------------------------------------------------------------------------ driving it */

static void httpd_run(struct httpd *h);

static void on_poll(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    httpd_run(poll->data);
}

static void on_timer(uv_timer_t *timer)
{
    httpd_run(timer->data);
}

static void arm(struct httpd *h)
{
    MHD_UNSIGNED_LONG_LONG ms = 0;
    (void)uv_timer_stop(&h->timer);
    if (h->base.loop->paused) {
        (void)uv_poll_stop(&h->poll);
        return;
    }
    (void)uv_poll_start(&h->poll, UV_READABLE, on_poll);
    if (MHD_get_timeout(h->daemon, &ms) == MHD_YES)
        (void)uv_timer_start(&h->timer, on_timer, ms, 0);
}

static void httpd_run(struct httpd *h)
{
    (void)MHD_run(h->daemon);
    arm(h);
}

static void httpd_pause(struct net_listener *listener, bool paused)
{
    (void)paused;
    arm((struct httpd *)listener);
}

static void httpd_drain(struct net_listener *listener)
{
    struct httpd *h = (struct httpd *)listener;
    for (unsigned i = 0; i < 8; i++) /* a request and its answer take a few turns */
        (void)MHD_run(h->daemon);
}

static void on_closed(uv_handle_t *handle)
{
    struct httpd *h = handle->data;
    listener_unref(&h->base);
}

/* Requests that had no answer yet get none: the client sends them again, elsewhere or later. */
static void httpd_close(struct net_listener *listener)
{
    struct httpd *h = (struct httpd *)listener;
    uv_close((uv_handle_t *)&h->timer, on_closed);
    uv_close((uv_handle_t *)&h->poll, on_closed);
    MHD_stop_daemon(h->daemon);
}

static void httpd_destroy(struct net_listener *listener)
{
    free(listener);
}

static const struct listener_ops httpd_ops = {
    .drain = httpd_drain,
    .pause = httpd_pause,
    .close = httpd_close,
    .destroy = httpd_destroy,
};

/* ------------------------------------------------------------------------------------------------ starting it */

/* A PEM file as terminated text, NULL with a text in err. */
static char *read_pem(const char *path, struct errmsg *err)
{
    gnutls_datum_t file;
    int rc = gnutls_load_file(path, &file);
    char *text = rc < 0 ? NULL : strndup((const char *)file.data, file.size);
    if (rc < 0)
        (void)errmsg_set(err, "%s: %s", path, gnutls_strerror(rc));
    else
        gnutls_free(file.data);
    return text;
}

struct pems {
    char *cert, *key, *ca;
};

/* Loads them into GnuTLS first, for libmicrohttpd does not say what is wrong with them. */
static int pems_read(struct pems *p, const struct net_listen_options *options, struct errmsg *err)
{
    struct tls_creds probe;
    *p = (struct pems){ 0 };
    if (tls_creds_server(&probe, options->cert_file, options->key_file, options->client_ca_file, err) < 0)
        return -1;
    tls_creds_free(&probe);
    p->cert = read_pem(options->cert_file, err);
    p->key = read_pem(options->key_file, err);
    if (options->client_ca_file != NULL)
        p->ca = read_pem(options->client_ca_file, err);
    bool whole = p->cert != NULL && p->key != NULL && (options->client_ca_file == NULL || p->ca != NULL);
    return whole ? 0 : -1;
}

static void pems_free(struct pems *p)
{
    if (p->key != NULL)
        gnutls_memset(p->key, 0, strlen(p->key));
    free(p->cert);
    free(p->key);
    free(p->ca);
}

/* Takes fd over, also on failure. */
static int daemon_start(struct httpd *h, const struct net_listen_options *options, int fd, const struct pems *pems,
                        struct errmsg *err)
{
    unsigned max = options->max_connections == 0 ? MAX_CONNECTIONS : (unsigned)options->max_connections;
    unsigned timeout = options->idle_timeout == 0 ? TIMEOUT_SECONDS : options->idle_timeout;
    bool tls = pems->cert != NULL;
    struct MHD_OptionItem secure[] = {
        { MHD_OPTION_HTTPS_MEM_CERT, 0, pems->cert },
        { MHD_OPTION_HTTPS_MEM_KEY, 0, pems->key },
        { MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t)TLS_PRIORITIES },
        { pems->ca == NULL ? MHD_OPTION_END : MHD_OPTION_HTTPS_MEM_TRUST, 0, pems->ca },
        { MHD_OPTION_END, 0, NULL },
    };
    struct MHD_OptionItem none[] = { { MHD_OPTION_END, 0, NULL } };
    h->daemon =
        MHD_start_daemon(MHD_USE_EPOLL | (tls ? MHD_USE_TLS : 0), 0, NULL, NULL, on_request, h,
                         MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT, max, MHD_OPTION_CONNECTION_TIMEOUT,
                         timeout, MHD_OPTION_NOTIFY_COMPLETED, on_completed, h, MHD_OPTION_NOTIFY_CONNECTION,
                         on_connection, h, MHD_OPTION_ARRAY, tls ? secure : none, MHD_OPTION_END);
    if (h->daemon != NULL)
        return 0;
    (void)close(fd);
    return errmsg_set(err, "the HTTP server did not start");
}

static int drive(struct httpd *h, struct errmsg *err)
{
    uv_loop_t *uv = &h->base.loop->uv;
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(h->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    int rc = info == NULL ? UV_EINVAL : uv_poll_init(uv, &h->poll, info->epoll_fd);
    if (rc < 0) {
        MHD_stop_daemon(h->daemon);
        return errmsg_set(err, "http: %s", uv_strerror(rc));
    }
    (void)uv_timer_init(uv, &h->timer);
    h->poll.data = h;
    h->timer.data = h;
    arm(h);
    return 0;
}

static int start(struct httpd *h, const struct net_listen_options *options, int fd, bool tls, struct errmsg *err)
{
    struct pems pems = { 0 };
    int rc = tls ? pems_read(&pems, options, err) : 0;
    if (rc == 0)
        rc = daemon_start(h, options, fd, &pems, err);
    else
        (void)close(fd);
    pems_free(&pems);
    return rc == 0 ? drive(h, err) : -1;
}

int httpd_listen(struct net_listener **ret, struct net_loop *loop, const struct net_listen_options *options, int fd,
                 bool tls, struct errmsg *err)
{
    struct httpd *h = calloc(1, sizeof(*h));
    if (h == NULL) {
        (void)close(fd);
        return errmsg_set(err, "out of memory");
    }
    *h = (struct httpd){ .base = { .ops = &httpd_ops, .loop = loop, .refs = 2 } };
    h->need_client_cert = tls && options->client_ca_file != NULL;
    h->body_max = options->body_max == 0 ? BODY_MAX : options->body_max;
    h->account.max = options->bodies_max == 0 ? BODIES_MAX : options->bodies_max;
    if (start(h, options, fd, tls, err) < 0) {
        free(h);
        return -1;
    }
    *ret = &h->base;
    return 0;
}
