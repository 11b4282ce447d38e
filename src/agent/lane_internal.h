/*
 * What the files of a lane share. lane.c: queue, thread, life. lane_send.c: one batch by one kind of transport.
 * lane_deliver.c: which collector, what broke, what goes again. lane_spool.c: to disk and back.
 */
#ifndef AGENT_LANE_INTERNAL_H
#define AGENT_LANE_INTERNAL_H

#include <pthread.h>
#include <signal.h>

#include "agent/batch.h"
#include "agent/lane.h"
#include "agent/spool.h"
#include "net/sender.h"

struct collector {
    char *url;
    struct sender *sender; /* NULL: standard output */
    struct sender *big;    /* by TCP, for what UDP cannot carry; made when it is needed */
    bool udp, stream;
    bool down;
    uint64_t next_try; /* ms */
    unsigned pause;
};

struct lane {
    struct lane_options o;
    struct collector list[LANE_COLLECTORS_MAX];
    size_t count;
    struct spool *spool;

    pthread_t thread;
    bool started;
    volatile sig_atomic_t stop; /* ends every wait of the senders; atomically */
    pthread_mutex_t lock;       /* of all that stands here */
    pthread_cond_t more, room;
    struct batch_list queue;
    struct batch *free;
    size_t free_count;
    bool stopping;
    uint64_t stop_at; /* ms; when what cannot be sent is given up */
    struct lane_stats stats;

    /* The thread's own. */
    struct batch_list redo;    /* to be sent again, first of all */
    struct batch_list history; /* sent to a stream */
    size_t current;
    bool ever_up;
    uint64_t down_since;    /* ms; 0: up */
    bool hopeless;          /* frames failed in this outage: further ones do not wait */
    uint64_t replay_at;     /* ms; no more from the spool before */
    uint64_t spool_dropped; /* as last told */
};

/* What a piece of work changed. */
struct done {
    uint64_t sent, octets, failed, by_tcp;
};

enum outcome {
    DELIVERED, /* all of it, or as much as could be now: batch.at */
    MOVED,     /* a connection broke: older frames are to go first; a batch of memory waits among them */
    UNWILLING  /* no collector takes anything now */
};

/* ---- lane.c */

/* Milliseconds of a clock that only goes forward, never 0. */
uint64_t lane_now_ms(void);

/* Puts an empty or useless batch aside for lane_batch(). */
void lane_recycle(struct lane *l, struct batch *b);

/* The oldest batch of the queue, NULL: none. */
struct batch *lane_take_queued(struct lane *l);

/* Octets in the queue. */
size_t lane_queued(struct lane *l);

void lane_tell(struct lane *l, enum lane_event event, const char *url, const char *text);
void lane_set_problem(struct lane *l, const char *text);

/* What is in memory fails, or goes to disk. */
void lane_abandon(struct lane *l);

/* ---- lane_send.c */

/* What a URL says of its transport, and a sender for it. 0, or -1 with a text. */
int lane_open_collector(struct lane *l, const char *url, struct errmsg *err);

/* One attempt at one collector from b->at on; what went and what failed is in d. False: the collector is away. */
bool lane_send(struct lane *l, struct collector *c, struct batch *b, struct done *d);

/* ---- lane_deliver.c */

/* Tells at the start whether a collector can be reached, where that can be known. */
void lane_first_look(struct lane *l);

/* Connections that broke while nothing was sent are noticed, and what they had comes back. */
void lane_look_around(struct lane *l);

/* The batch to the first collector that takes it. `from_memory`: its frames are counted as waiting. */
enum outcome lane_deliver(struct lane *l, struct batch *b, bool from_memory);

/* Keeps a batch that was sent as long as it may have to go again. The batch is the lane's then. */
void lane_remember(struct lane *l, const struct collector *c, struct batch *b);

/* Enters what a piece of work changed into the figures. `from_memory`: its frames were counted as waiting. */
void lane_count(struct lane *l, const struct done *d, bool from_memory);

/* Ends a connection in order; what was not acknowledged waits again. */
void lane_finish_collector(struct lane *l, struct collector *c);

/* ---- lane_spool.c */

/* Writes what is not sent of a batch of memory to disk. The batch is the lane's then. */
void lane_to_spool(struct lane *l, struct batch *b);

/* The same for all of the queue. */
void lane_queue_to_spool(struct lane *l);

/* Whether the spool has frames, which go before those of the queue. */
bool lane_spool_waits(const struct lane *l);

/* The oldest frames of the spool, sent at the rate that is allowed. True if something was done. */
bool lane_replay(struct lane *l);

#endif
