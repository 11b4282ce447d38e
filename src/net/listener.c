#include "net/listener.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/ip.h"
#include "net/internal.h"
#include "net/sock.h"

const char *net_transport_name(enum net_transport transport)
{
    static const char *const names[] = { "udp", "tcp", "tls", "http", "https" };
    return names[transport];
}

/* Takes fd over, also on failure. */
static int listen_fd(struct net_listener **ret, struct net_loop *loop, enum net_transport transport,
                     const struct net_listen_options *options, int fd, struct errmsg *err)
{
    switch (transport) {
    case NET_UDP:
        return udp_listen(ret, loop, options, fd, err);
    case NET_TCP:
    case NET_TLS:
        return tcp_listen(ret, loop, options, fd, transport == NET_TLS, err);
    case NET_HTTP:
    case NET_HTTPS:
        return httpd_listen(ret, loop, options, fd, transport == NET_HTTPS, err);
    }
    (void)close(fd);
    return errmsg_set(err, "unknown transport");
}

static bool is_secure(enum net_transport transport)
{
    return transport == NET_TLS || transport == NET_HTTPS;
}

static int check_files(enum net_transport transport, const struct net_tls_files *files, struct errmsg *err)
{
    if (files->cert == NULL || files->key == NULL)
        return errmsg_set(err, "%s needs a certificate and a key file", net_transport_name(transport));
    return 0;
}

static int check(enum net_transport transport, const struct net_listen_options *options,
                 const struct net_handler *handler, struct errmsg *err)
{
    bool have = false;
    switch (transport) {
    case NET_UDP:
        have = handler->on_datagram != NULL;
        break;
    case NET_TCP:
    case NET_TLS:
        have = handler->on_frame != NULL && handler->on_stream_error != NULL;
        break;
    case NET_HTTP:
    case NET_HTTPS:
        have = handler->on_body != NULL;
        break;
    }
    if (!have)
        return errmsg_set(err, "%s: a callback is missing", net_transport_name(transport));
    return is_secure(transport) ? check_files(transport, &options->tls, err) : 0;
}

int net_listen(struct net_loop *loop, enum net_transport transport, const struct net_listen_options *options,
               const struct net_handler *handler, struct net_listener **ret, struct errmsg *err)
{
    if (check(transport, options, handler, err) < 0)
        return -1;
    int type = transport == NET_UDP ? SOCK_DGRAM : SOCK_STREAM;
    int fd = sock_listen(type, options->host, options->port, options->share, err);
    if (fd < 0)
        return -1;
    struct hep_addr addr;
    uint16_t port;
    sock_local(fd, &addr, &port);
    struct net_listener *listener = NULL;
    if (listen_fd(&listener, loop, transport, options, fd, err) < 0)
        return -1;
    listener->handler = *handler;
    listener->transport = transport;
    listener->addr = addr;
    listener->port = port;
    listener->next = loop->listeners;
    loop->listeners = listener;
    if (loop->paused)
        listener->ops->pause(listener, true);
    if (ret != NULL)
        *ret = listener;
    return 0;
}

uint16_t net_listener_port(const struct net_listener *listener)
{
    return listener->port;
}

size_t net_listener_rcvbuf(const struct net_listener *listener)
{
    return listener->rcvbuf;
}

void net_listener_info(struct net_listener *listener, struct net_listener_info *ret)
{
    char ip[IP_TEXT_MAX];
    if (listener->ops->refresh != NULL)
        listener->ops->refresh(listener);
    (void)ip_format(&listener->addr, ip);
    *ret = (struct net_listener_info){ .transport = listener->transport,
                                       .port = listener->port,
                                       .rcvbuf_asked = listener->rcvbuf_asked,
                                       .rcvbuf = listener->rcvbuf,
                                       .kernel_drops = listener->kernel_drops };
    (void)snprintf(ret->address, sizeof(ret->address), listener->addr.len == 16 ? "[%s]:%u" : "%s:%u", ip,
                   (unsigned)listener->port);
    if (listener->ops->open != NULL)
        ret->connections = listener->ops->open(listener);
}

int net_listener_reload(struct net_listener *listener, const struct net_tls_files *files, struct errmsg *err)
{
    struct tls_files before = listener->files;
    if (!is_secure(listener->transport))
        return 0;
    if (files == NULL)
        return listener->ops->reload(listener, err);
    if (check_files(listener->transport, files, err) < 0)
        return -1;
    int rc = tls_files_copy(&listener->files, files) < 0 ? errmsg_set(err, "out of memory")
                                                         : listener->ops->reload(listener, err);
    struct tls_files *loser = rc < 0 ? &listener->files : &before;
    tls_files_free(loser);
    if (rc < 0)
        listener->files = before;
    return rc;
}

void net_connections(struct net_loop *loop, void (*call)(void *arg, const struct net_connection *connection), void *arg)
{
    for (const struct net_listener *l = loop->listeners; l != NULL; l = l->next) {
        if (l->ops->each != NULL)
            l->ops->each(l, call, arg);
    }
}

static char *copy(const char *text)
{
    return text == NULL ? NULL : strdup(text);
}

int tls_files_copy(struct tls_files *files, const struct net_tls_files *names)
{
    *files = (struct tls_files){ copy(names->cert), copy(names->key), copy(names->client_ca) };
    if (files->cert != NULL && files->key != NULL && (files->client_ca != NULL) == (names->client_ca != NULL))
        return 0;
    tls_files_free(files);
    return -1;
}

void tls_files_free(struct tls_files *files)
{
    free(files->cert);
    free(files->key);
    free(files->client_ca);
    *files = (struct tls_files){ 0 };
}

size_t peer_limit(const struct net_listen_options *options, size_t max_connections)
{
    if (options->max_per_peer != 0)
        return options->max_per_peer;
    return max_connections < 2 ? 1 : max_connections / 2;
}

void listener_unref(struct net_listener *listener)
{
    if (--listener->refs == 0)
        listener->ops->destroy(listener);
}

void listener_event(const struct net_listener *listener, enum net_event event, const struct net_peer *peer,
                    const char *text)
{
    if (listener->handler.on_event != NULL)
        listener->handler.on_event(listener->handler.arg, event, peer, text);
}

void listener_peer(const struct net_listener *listener, struct net_peer *peer)
{
    *peer = (struct net_peer){ .local_port = listener->port, .transport = listener->transport };
    (void)clock_gettime(CLOCK_REALTIME, &peer->received);
}
