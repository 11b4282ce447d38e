#include "api/api.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/internal.h"
#include "base/when.h"
#include "net/sock.h"

#define STACK_SIZE     ((size_t)1 << 20)
#define REQUEST_MEMORY ((size_t)256 << 10) /* of a connection, touched as it is needed; see HEAD_MAX in request.c */

static unsigned or_default(unsigned v, unsigned usual)
{
    return v == 0 ? usual : v;
}

static void on_connection(void *arg, struct MHD_Connection *mc, void **context,
                          enum MHD_ConnectionNotificationCode what)
{
    struct api *a = arg;
    if (what != MHD_CONNECTION_NOTIFY_STARTED) {
        api_conn_remove(&a->conns, *context);
        *context = NULL;
        return;
    }
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(mc, MHD_CONNECTION_INFO_CONNECTION_FD);
    if (info != NULL)
        *context = api_conn_begin(&a->conns, info->connect_fd, a->request_ms);
}

static bool take_connection(void *arg, int fd, const struct sockaddr *addr, socklen_t len)
{
    struct api *a = arg;
    return MHD_add_connection(a->daemon, fd, addr, len) == MHD_YES;
}

/* ------------------------------------------------------------------------------------------------ token */

static bool is_loopback(const struct hep_addr *a)
{
    static const uint8_t one6[16] = { [15] = 1 };
    return a->len == 4 ? a->octets[0] == 127 : a->len == 16 && memcmp(a->octets, one6, 16) == 0;
}

static int check_token(const struct api *a, const char *token, struct errmsg *err)
{
    size_t len = token == NULL ? 0 : strlen(token);
    if (len > API_TOKEN_MAX)
        return errmsg_set(err, "the token is longer than %d octets", API_TOKEN_MAX);
    if (len == 0 && !a->loopback)
        return errmsg_set(err, "without a token only a loopback address is served (127.0.0.1, ::1): configure a token, "
                               "or another address");
    return 0;
}

int api_set_token(struct api *a, const char *token, struct errmsg *err)
{
    if (check_token(a, token, err) != 0)
        return -1;
    (void)pthread_rwlock_wrlock(&a->token_lock);
    bool other = strcmp(a->token, token != NULL ? token : "") != 0;
    memset(a->token, 0, sizeof(a->token));
    if (token != NULL)
        memcpy(a->token, token, strlen(token));
    (void)pthread_rwlock_unlock(&a->token_lock);
    if (other && a->live != NULL)
        live_end_all(a->live); /* they come back with the new one, or not */
    return 0;
}

void api_set_search_ms(struct api *a, unsigned ms)
{
    atomic_store(&a->search_ms, or_default(ms, 30000));
}

/* ------------------------------------------------------------------------------------------------ start */

/* The descriptor, or -1. */
static int open_socket(struct api *a, const struct api_options *o, struct errmsg *err)
{
    struct hep_addr addr;
    int fd = sock_listen(SOCK_STREAM, o->host == NULL ? "127.0.0.1" : o->host, o->port, NET_SHARE_ALONE, err);
    if (fd < 0)
        return -1;
    sock_local(fd, &addr, &a->port);
    a->loopback = is_loopback(&addr);
    if (api_set_token(a, o->token, err) == 0)
        return fd;
    (void)close(fd);
    return -1;
}

/*
 * libmicrohttpd would close connections beyond its limit at once. Here they are accepted as there is room for them
 * (conn.c), so that they wait; its own limit is out of reach, since it counts ended ones for a moment longer.
 */
static int start_daemon(struct api *a, unsigned connections, struct errmsg *err)
{
    unsigned idle_s = (a->idle_ms + 999) / 1000;
    a->daemon = MHD_start_daemon(MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL |
                                     MHD_USE_ITC | MHD_USE_NO_LISTEN_SOCKET,
                                 0, NULL, NULL, api_on_request, a, MHD_OPTION_CONNECTION_LIMIT, 4 * connections + 64,
                                 MHD_OPTION_CONNECTION_TIMEOUT, idle_s, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
                                 REQUEST_MEMORY, MHD_OPTION_THREAD_STACK_SIZE, STACK_SIZE, MHD_OPTION_NOTIFY_COMPLETED,
                                 api_on_completed, a, MHD_OPTION_NOTIFY_CONNECTION, on_connection, a, MHD_OPTION_END);
    return a->daemon != NULL ? 0 : errmsg_set(err, "the HTTP server did not start");
}

static int start_listening(struct api *a, const struct api_options *o, unsigned connections, struct errmsg *err)
{
    int fd = open_socket(a, o, err);
    if (fd < 0)
        return -1;
    if (start_daemon(a, connections, err) != 0) {
        (void)close(fd);
        return -1;
    }
    a->conns.take = take_connection;
    a->conns.take_arg = a;
    api_conns_listen(&a->conns, fd);
    return 0;
}

/* What may be under way at once; the connections that there are beyond that are for state and refusals. */
static unsigned set_shares(struct api *a, const struct api_options *o)
{
    unsigned requests = or_default(o->requests, 48), exports = or_default(o->exports, 16);
    a->shares[API_KIND_REQUEST].max = requests;
    a->shares[API_KIND_EXPORT].max = exports;
    return requests + exports + or_default(o->live, 32) + or_default(o->reserve, 32);
}

static int open_live(struct api *a, const struct api_options *o, struct errmsg *err)
{
    const struct live_options options = { .store = o->sources.store, .clients = o->live };
    if (o->sources.store == NULL)
        return 0;
    a->live_start = o->live_start != 0 ? o->live_start : (unsigned long long)when_now() / 1000;
    int rc = live_open(&a->live, &options);
    return rc == 0 ? 0 : errmsg_set(err, "live tails: %s", strerror(-rc));
}

static int start(struct api *a, const struct api_options *o, struct errmsg *err)
{
    unsigned connections = set_shares(a, o);
    if (api_gate_init(&a->gate, or_default(o->searches, 2), or_default(o->waiting, 16),
                      or_default(o->waiting_ms, 10000)) != 0 ||
        api_gate_init(&a->sql_gate, 1, 4, or_default(o->waiting_ms, 10000)) != 0 ||
        pthread_rwlock_init(&a->token_lock, NULL) != 0)
        return errmsg_set(err, "out of memory");
    int rc = api_conns_start(&a->conns, connections, &a->gate, &a->sql_gate);
    if (rc != 0)
        return errmsg_set(err, "the HTTP server: %s", strerror(-rc));
    if (open_live(a, o, err) != 0)
        return -1;
    return start_listening(a, o, connections, err);
}

int api_start(struct api **ret, const struct api_options *options, struct errmsg *err)
{
    struct api *a = calloc(1, sizeof(*a));
    if (a == NULL)
        return errmsg_set(err, "out of memory");
    a->conns.wake = a->conns.listener = -1;
    a->sources = options->sources;
    filter_rules_default(&a->numbers);
    if (options->numbers != NULL)
        a->numbers = *options->numbers;
    a->sql = options->sql;
    a->request_ms = or_default(options->request_ms, 10000);
    a->idle_ms = or_default(options->idle_ms, 30000);
    a->answer_ms = or_default(options->answer_ms, 600000);
    a->live_beat_ms = or_default(options->live_beat_ms, 15000);
    api_set_search_ms(a, options->search_ms);
    if (start(a, options, err) != 0) {
        api_stop(a);
        return -1;
    }
    *ret = a;
    return 0;
}

void api_stop(struct api *a)
{
    if (a == NULL)
        return;
    if (a->daemon != NULL) {
        api_conns_shut(&a->conns); /* nobody comes in while the others are sent away */
        api_gate_close(&a->gate);
        if (a->live != NULL)
            live_stop(a->live);
        api_gate_close(&a->sql_gate);
        MHD_stop_daemon(a->daemon);
    }
    api_conns_stop(&a->conns);
    live_close(a->live);
    api_gate_free(&a->gate);
    api_gate_free(&a->sql_gate);
    (void)pthread_rwlock_destroy(&a->token_lock);
    memset(a->token, 0, sizeof(a->token));
    free(a);
}

uint16_t api_port(const struct api *a)
{
    return a->port;
}

/* ------------------------------------------------------------------------------------------------ figures */

void api_stats(struct api *a, struct api_stats *ret)
{
    struct live_figures live = { 0 };
    unsigned running, waiting;
    if (a->live != NULL)
        live_figures(a->live, &live);
    api_gate_count(&a->gate, &running, &waiting);
    *ret = (struct api_stats){
        .requests = atomic_load(&a->requests),
        .denied = atomic_load(&a->denied),
        .searches = atomic_load(&a->searches),
        .searches_us = atomic_load(&a->searches_us),
        .searches_running = running,
        .searches_waiting = waiting,
        .searches_refused = atomic_load(&a->refused),
        .searches_cancelled = atomic_load(&a->cancelled),
        .searches_timed_out = atomic_load(&a->timed_out),
        .live = live.clients,
        .live_sent = live.sent,
        .live_skipped = live.skipped,
        .live_unseen = live.unseen,
        .live_refused = live.refused,
        .requests_open = atomic_load(&a->shares[API_KIND_REQUEST].open),
        .requests_refused = atomic_load(&a->shares[API_KIND_REQUEST].refused),
        .exports_open = atomic_load(&a->shares[API_KIND_EXPORT].open),
        .exports_refused = atomic_load(&a->shares[API_KIND_EXPORT].refused),
    };
    for (size_t i = 0; i < 6; i++)
        ret->answers[i] = atomic_load(&a->answers[i]);
    (void)pthread_mutex_lock(&a->conns.lock);
    ret->connections = a->conns.total;
    ret->connections_open = a->conns.count;
    ret->overdue = a->conns.overdue;
    ret->displaced = a->conns.displaced;
    (void)pthread_mutex_unlock(&a->conns.lock);
}
