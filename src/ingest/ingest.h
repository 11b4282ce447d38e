/*
 * Receiving for the server: from listeners to the sink, with a check of the sender and an account of what became of
 * every frame.
 *
 * A few worker threads each have a net_loop and a socket for every UDP, TCP and TLS listener (net_share); one more has
 * the HTTP and HTTPS listeners. The thread that receives a frame decodes it, checks who sent it, makes its row and
 * appends both to the sink, as the writer of the worker's number. No worker waits for a disk or a lock of long life.
 *
 * When the sink is full, streams are stopped (net_pause) and the one frame in hand is kept until there is room: nothing
 * is lost. Datagrams are dropped and counted, for the kernel would drop them, too; a POST is answered with 503. A POST
 * is answered with 200 when its frames are durable.
 *
 * Every frame ends in exactly one counter of its sender: received = stored + keepalives + all drops.
 *
 * Files: ingest.c lifetime, worker.c threads, receive.c the way of a frame, http.c + retry_keys.c POST, rules.c who may
 * send, limit.c caps, senders.c accounts, report.c what others may read.
 */
#ifndef INGEST_INGEST_H
#define INGEST_INGEST_H

#include "base/errmsg.h"
#include "base/ip.h"
#include "ingest/counters.h"
#include "net/listener.h"
#include "net/loop.h"
#include "record/reader.h"
#include "record/sink.h"

/* ------------------------------------------------------------------------------------------------ options */

/* What may change while it runs: ingest_reload(). A zeroed struct lets everybody send everything. */
struct ingest_rules {
    const struct hep_slice *keys; /* authentication keys (chunk 0x000e), any of which will do */
    size_t key_count;             /* 0: no key is asked for */
    bool legacy_without_key;      /* take versions 1 and 2, which carry no key, although keys are asked for */
    const struct ip_net *allow;   /* networks that may send */
    size_t allow_count;           /* 0: all */
    uint32_t rate;                /* frames a second of one address; 0: no limit */
    uint32_t burst;               /* frames that may come at once; 0: as many as in a second */
    unsigned share;               /* percent of the octets of the last minute that one address may store while storage
                                     is pressed and others send, too; 0 and 100: no limit */
    struct net_tls_files tls;     /* of TLS and HTTPS listeners; key NULL: it is in the file of the certificate */
};

enum ingest_level { INGEST_INFO, INGEST_WARNING };

/* Something for the log. The texts live until the callback returns. */
struct ingest_event {
    enum ingest_level level;
    const struct net_peer *peer; /* NULL: of no one in particular */
    const char *text;            /* one line, without the peer */
};

struct ingest_options {
    const char *const *urls; /* "udp://0.0.0.0:9060", "tls://[::]:9061", "http://127.0.0.1:9070": a port is needed */
    size_t url_count;        /* 1..INGEST_URLS_MAX */
    unsigned workers;        /* threads for UDP, TCP and TLS; 0: one a processor, at most 8 */
    struct ingest_rules rules;
    struct record_options record;
    size_t senders_max; /* senders accounted one by one, a worker; 0: 10000. The oldest are summed up */

    /* As in struct net_listen_options, for each listener of each worker; 0: the defaults there. */
    size_t rcvbuf, max_connections, max_per_peer, body_max, bodies_max;
    unsigned idle_timeout, frame_timeout;

    size_t retry_keys;          /* Idempotency-Keys remembered; 0: 65536 */
    unsigned retry_key_seconds; /* how long; 0: 600 */
    unsigned durable_wait_ms;   /* a POST whose frames do not become durable is answered 503 after it; 0: 20000 */
    unsigned stop_wait_ms;      /* what ingest_stop() waits for a full sink at most; 0: 5000 */

    void (*on_event)(void *arg, const struct ingest_event *event); /* from any worker's thread; NULL: none */
    void *arg;
};

#define INGEST_URLS_MAX    64
#define INGEST_WORKERS_MAX 64

/* ------------------------------------------------------------------------------------------------ lifetime */

struct ingest;

/* Writers that the sink must allow for these options. */
unsigned ingest_writers(const struct ingest_options *options);

/*
 * Opens every listener and starts the threads. The options are copied; the sink is borrowed until ingest_stop(). 0, or
 * -1 with a text that names the URL (address in use, certificate unreadable...).
 */
int ingest_open(struct ingest **ret, const struct ingest_options *options, const struct sink *sink, struct errmsg *err);

/*
 * New rules, and the TLS files read, whether they have new names or not. No connection is dropped. -1 with a text if
 * the files are no good: then the old certificates stay, and the rules are the new ones all the same. From one thread
 * at a time.
 */
int ingest_reload(struct ingest *ingest, const struct ingest_rules *rules, struct errmsg *err);

/*
 * Stops accepting, reads what the kernel has received, hands it to the sink and ends the threads. The figures can still
 * be read. The sink is not called any more, but may still call its wakes: free after the sink has been closed.
 */
void ingest_stop(struct ingest *ingest);

/* Stops, if that was not done, and releases everything. NULL is fine. */
void ingest_free(struct ingest *ingest);

/* ------------------------------------------------------------------------------------------------ figures */

/*
 * All that follows may be called from any thread from ingest_open() to ingest_free(). Counters of frames are exact;
 * figures of the network are at most a second old.
 */

/* One sender: an address and how it sends. Times in microseconds since 1970. */
struct ingest_sender {
    struct hep_addr addr;
    enum net_transport transport;
    int64_t first_us, last_us; /* first and last frame */
    uint64_t counters[INGEST_COUNTERS];
    bool has_capture_id, has_skew;
    uint32_t capture_id; /* as last sent */
    char node[64];       /* capture agent name as last sent, cut if need be; "" if there is none */
    /* Capture time minus time of receipt, microseconds: last, least, greatest, smoothed. */
    int64_t skew_us, skew_min_us, skew_max_us, skew_mean_us;
};

/* Calls `call` for each sender that is known, ordered by address. 0, or -1 if there is no memory. */
int ingest_senders(struct ingest *ingest, void (*call)(void *arg, const struct ingest_sender *sender), void *arg);

struct ingest_totals {
    uint64_t counters[INGEST_COUNTERS]; /* of all senders, also those that are not known any more */
    uint64_t senders;                   /* known now (one that several workers know counts for each) */
    uint64_t senders_forgotten;         /* had to make room, ever */
    uint64_t paused_us;                 /* time that streams were stopped because the sink was full, all workers */
    unsigned paused;                    /* workers whose streams are stopped now */
    uint64_t posts_waiting;             /* POSTs that wait until their frames are durable */
    uint64_t posts_repeated;            /* POSTs answered from memory for their Idempotency-Key */
    struct net_counters net;            /* sums of all workers */
};

void ingest_totals(struct ingest *ingest, struct ingest_totals *ret);

/* A socket of a worker. */
struct ingest_listener {
    const char *url; /* as in the options */
    unsigned worker;
    struct net_listener_info info;
};

void ingest_listeners(struct ingest *ingest, void (*call)(void *arg, const struct ingest_listener *listener),
                      void *arg);

/* Each open TCP and TLS connection. 0, or -1 if there is no memory. */
int ingest_connections(struct ingest *ingest, void (*call)(void *arg, const struct net_connection *connection),
                       void *arg);

/* True if anybody may send: a listener beyond loopback, no key and no allow-list. For a warning. */
bool ingest_is_open(struct ingest *ingest);

#endif
