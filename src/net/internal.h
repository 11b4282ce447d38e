/* What the listeners share among themselves; not for other folders. */
#ifndef NET_INTERNAL_H
#define NET_INTERNAL_H

#include <uv.h>

#include "net/listener.h"
#include "net/loop.h"

/* Size of a stream buffer: takes every legal frame. */
#define NET_STREAM_BUFFER 65536
/* Stream buffers kept for the next connection instead of being given back. */
#define NET_SPARE_BUFFERS 16

struct net_loop {
    uv_loop_t uv;
    uv_async_t stop, wake;
    uv_signal_t sigint, sigterm;
    uv_prepare_t wait;
    uv_timer_t timer;
    void (*wait_call)(void *arg);
    void *wait_arg;
    void (*timer_call)(void *arg);
    void *timer_arg;
    void (*wake_call)(void *arg);
    void *wake_arg;
    uint64_t stop_wait; /* ms */
    bool stopping;      /* no new HTTP requests */
    size_t owed;        /* HTTP answers that were put off */
    uint64_t paused_at; /* loop time */
    bool paused;
    struct net_listener *listeners;
    struct net_counters counters;
    uint8_t *spare[NET_SPARE_BUFFERS];
    size_t spare_count;
};

/* One kind of listener. `close` starts closing; the memory goes with the last listener_unref(). */
struct listener_ops {
    void (*drain)(struct net_listener *listener); /* read what the kernel has, once */
    void (*flush)(struct net_listener *listener); /* send what was answered; may be NULL */
    void (*pause)(struct net_listener *listener, bool paused);
    void (*refresh)(struct net_listener *listener);      /* bring the loop's counters up to date; may be NULL */
    size_t (*open)(const struct net_listener *listener); /* connections; may be NULL */
    int (*reload)(struct net_listener *listener, struct errmsg *err); /* TLS files; may be NULL */
    void (*each)(const struct net_listener *listener, void (*call)(void *arg, const struct net_connection *c),
                 void *arg); /* net_connections(); may be NULL */
    void (*close)(struct net_listener *listener);
    void (*destroy)(struct net_listener *listener); /* release memory; handles are closed */
};

/* The TLS files of a listener, for net_listener_reload(). */
struct tls_files {
    char *cert, *key, *client_ca; /* client_ca: NULL if clients need no certificate */
};

/* First member of each kind's own struct. */
struct net_listener {
    const struct listener_ops *ops;
    struct net_loop *loop;
    struct net_listener *next;
    struct net_handler handler;
    enum net_transport transport;
    struct tls_files files; /* TLS, HTTPS */
    struct hep_addr addr;   /* as bound */
    uint16_t port;
    size_t rcvbuf_asked, rcvbuf;
    uint64_t kernel_drops;
    unsigned refs; /* handles and connections that point here */
};

/* Copies the names. -1 if there is no memory. Freeing is fine in any state. */
int tls_files_copy(struct tls_files *files, const struct net_tls_files *names);
void tls_files_free(struct tls_files *files);

/* Limit of connections from one address. */
size_t peer_limit(const struct net_listen_options *options, size_t max_connections);

int udp_listen(struct net_listener **ret, struct net_loop *loop, const struct net_listen_options *options, int fd,
               struct errmsg *err);
int tcp_listen(struct net_listener **ret, struct net_loop *loop, const struct net_listen_options *options, int fd,
               bool tls, struct errmsg *err);
int httpd_listen(struct net_listener **ret, struct net_loop *loop, const struct net_listen_options *options, int fd,
                 bool tls, struct errmsg *err);

/* Frees the listener when the last reference goes. */
void listener_unref(struct net_listener *listener);

/* Calls on_event if there is one. */
void listener_event(const struct net_listener *listener, enum net_event event, const struct net_peer *peer,
                    const char *text);

/* Fills in all but the address. */
void listener_peer(const struct net_listener *listener, struct net_peer *peer);

/* A buffer of NET_STREAM_BUFFER octets, NULL if there is no memory; and back. */
uint8_t *loop_buffer_take(struct net_loop *loop);
void loop_buffer_give(struct net_loop *loop, uint8_t *buffer);

#endif
