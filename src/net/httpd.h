/* HTTP and HTTPS, shared by httpd.c (the server) and http_call.c (its requests). */
#ifndef NET_HTTPD_H
#define NET_HTTPD_H

#include <microhttpd.h>

#include "net/http_body.h"
#include "net/internal.h"

/*
 * One libmicrohttpd server. A listener has one, and after a reload of its certificates the ones before it, which keep
 * the connections that they have and go with the last of them.
 */
struct engine {
    struct httpd *httpd;
    struct engine *next;
    struct MHD_Daemon *daemon;
    uv_poll_t poll;
    unsigned handles;
    uv_timer_t timer; /* what libmicrohttpd wants to do without an event */
    size_t connections;
    size_t answering; /* requests that net_http_reply() answered and that are not done yet: a pause lets them end */
    bool need_client_cert;
};

struct httpd {
    struct net_listener base;
    int fd; /* listening */
    bool secure;
    unsigned max_connections, max_per_peer, timeout;
    size_t body_max;
    struct http_account account;
    struct engine *engines; /* the first one accepts */
    struct http_later *waiting;
};

/* Callbacks of libmicrohttpd; arg is the engine. */
enum MHD_Result call_request(void *arg, struct MHD_Connection *mc, const char *path, const char *method,
                             const char *version, const char *data, size_t *len, void **state);
void call_completed(void *arg, struct MHD_Connection *mc, void **state, enum MHD_RequestTerminationCode why);

void httpd_peer(const struct httpd *h, struct MHD_Connection *mc, struct net_peer *peer);

/* Runs the engine soon, not at once. */
void engine_schedule(struct engine *e);

/* The server closes: nobody will take the answers that are still owed. */
void calls_abandon(struct httpd *h);

#endif
