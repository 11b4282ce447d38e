/* What the files of this folder share; not for others. */
#ifndef INGEST_INTERNAL_H
#define INGEST_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/buf.h"
#include "hep/zlib.h"
#include "ingest/ingest.h"
#include "ingest/limit.h"
#include "ingest/rules.h"
#include "ingest/senders.h"

/* A stream's frame that found the sink full. Reading is paused while there is one. */
struct held {
    bool waits;
    struct buf octets;
    struct net_peer peer;
    uint64_t since_us; /* monotonic */
};

struct worker_listener {
    const char *url; /* the ingest's */
    struct net_listener *listener;
};

struct worker {
    struct ingest *ingest;
    unsigned index; /* and number as a writer of the sink */
    bool http;
    struct net_loop *loop;
    struct worker_listener listeners[INGEST_URLS_MAX];
    size_t listener_count;
    pthread_t thread;
    bool started;

    /* The worker's thread alone, while it runs. */
    struct record_reader *reader;
    struct hep_zlib *envelope;
    struct record record;
    struct ingest_rules *rules;
    uint32_t rules_generation;
    bool pressed; /* the sink's answer when this turn of the loop began */
    struct held held;
    struct posts *posts; /* HTTP; else NULL */
    unsigned ticks;

    _Atomic bool wants_wake; /* the sink's wakes matter just now */
    _Atomic bool paused;
    _Atomic uint64_t paused_us;
    struct senders *senders;

    pthread_mutex_t lock; /* around all that follows */
    pthread_cond_t done;
    bool running;
    struct ingest_rules *next_rules;
    bool reload;
    int reload_rc;
    struct errmsg reload_err;
    struct net_counters net;
    struct net_listener_info infos[INGEST_URLS_MAX];
    struct net_connection *connections;
    size_t connection_count, connection_room;
};

struct ingest {
    struct ingest_options o; /* texts are copies */
    char *urls[INGEST_URLS_MAX];
    struct sink sink;
    struct accounts *accounts;
    struct worker *workers;
    unsigned worker_count, receivers; /* receivers: all but the one for HTTP */
    bool stopped;
    _Atomic bool stopping;
    _Atomic bool unguarded; /* neither keys nor networks are asked for */
    uint64_t stop_by_us;    /* monotonic; set before stopping */
};

uint64_t monotonic_us(void);

void ingest_tell(const struct ingest *ingest, enum ingest_level level, const struct net_peer *peer, const char *text);

/* ------------------------------------------------------------------------------------------------ worker.c */

/* Everything but the thread. A worker that failed to open is freed all the same. */
int worker_open(struct worker *w, struct errmsg *err);
int worker_start(struct worker *w, struct errmsg *err);
void worker_free(struct worker *w);

/* True if a listener of this port takes HEP at this path of HTTP. */
bool worker_takes_path(const struct worker *w, uint16_t port, const char *path);

/* ------------------------------------------------------------------------------------------------ receive.c */

/* Who sent what is looked at, and what became of it. */
struct arrival {
    const struct net_peer *peer;
    struct sender *sender;
    int64_t now_us; /* time of receipt */
    enum ingest_counter drop;
    uint64_t seq; /* of the last frame stored; 0: none */
};

enum fate {
    FATE_STORED,
    FATE_KEEPALIVE,
    FATE_DROPPED, /* counted; arrival.drop says why */
    FATE_FULL     /* not counted: the caller tries again, or drops it */
};

/* False if this peer may not send at all (nothing is counted yet). */
bool arrive(struct worker *w, const struct net_peer *peer, struct arrival *ret);

/* Counts `octets` that came and were dropped. */
void arrival_drop(struct worker *w, struct arrival *a, enum ingest_counter why, size_t octets);

/* The counter of an error of hep_decode(). */
enum ingest_counter drop_of_error(int hep_error);

/* The way of one decoded message: key, caps, row, sink. */
enum fate receive_message(struct worker *w, struct arrival *a, struct hep_msg *msg);

void receive_datagram(struct worker *w, const struct net_peer *peer, const uint8_t *data, size_t len);
void receive_frame(struct worker *w, const struct net_peer *peer, const uint8_t *frame, size_t len);
void receive_stream_error(struct worker *w, const struct net_peer *peer, int hep_error);

/* Tries the frame again that is held, and goes on reading if that was it. */
void receive_retry(struct worker *w);

/* At the end: tries until the time to stop is over, then drops and counts it. */
void receive_settle(struct worker *w);

/* ------------------------------------------------------------------------------------------------ http.c */

struct posts *posts_new(struct worker *w);
void posts_free(struct posts *p); /* NULL is fine */
void posts_body(struct worker *w, const struct net_peer *peer, const struct http_request *request,
                struct http_reply *reply);

/* Answers whose frames have become durable, or that waited too long. */
void posts_answer(struct worker *w);

/* At the end: gives up what is still owed. */
void posts_end(struct worker *w);

void posts_figures(const struct posts *p, uint64_t *ret_waiting, uint64_t *ret_repeated);

#endif
