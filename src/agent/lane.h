/*
 * A lane: frames on their way to one collector at a time, by a thread of its own.
 *
 *     batches -> queue in memory -> sender of the first collector that can be reached
 *                     \-> spool on disk while none can be, and until what is there has been sent
 *
 * The collectors stand in the order in which they are wanted: the first one that answers has the frames, and when an
 * earlier one answers again it has them back. A lane of one collector is a copy, a lane of several is failover.
 *
 * What is lost is counted, each frame once: taken = sent + failed + dropped + waiting, and what
 * lies in the spool, whenever nobody works. HEP has no
 * acknowledgement of its own. When a TCP connection ends, what the peer's kernel had not acknowledged is sent again.
 * When it is reset the peer's program had not read all that its kernel had acknowledged: then all that was sent within
 * the last second goes again, and some of it may arrive twice.
 */
#ifndef AGENT_LANE_H
#define AGENT_LANE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/batch.h"
#include "agent/spool.h"
#include "net/sender.h"

#define LANE_COLLECTORS_MAX 16

enum lane_event {
    LANE_UP,        /* a collector has the frames: the first time, or after an outage */
    LANE_DOWN,      /* none can be reached */
    LANE_SPOOL_FULL /* the disk does not take more, or the limit is reached: frames are lost */
};

/* Texts are copied but for those in `sender`, which must live as long as the lane. */
struct lane_options {
    const char *const *urls; /* as for sender_open(), or "-": standard output */
    size_t url_count;        /* 1..LANE_COLLECTORS_MAX */
    struct sender_options sender;
    size_t queue; /* octets of frames that wait in memory */
    bool wait;    /* lane_put() waits when the queue is full: files. Else the batch is dropped: live */
    const volatile sig_atomic_t *hurry; /* not NULL and not 0: lane_put() does not wait any more */
    unsigned give_up_ms;   /* `wait`: an outage so long makes frames fail. Live: they wait while the queue has room */
    const char *spool_dir; /* NULL: none */
    uint64_t spool_limit;  /* octets */
    uint64_t spool_rate;   /* frames a second that are sent from the spool; 0: as fast as it goes */
    size_t udp_max;        /* longer frames go to a udp:// collector by TCP, same host and port; 0: HEP_UDP_MAX */
    /* On the lane's thread. May be NULL. */
    void (*on_event)(void *arg, enum lane_event event, const char *url, const char *text);
    void *arg;
};

struct lane_stats {
    uint64_t taken;   /* frames given to the lane */
    uint64_t sent;    /* to a collector, each once */
    uint64_t octets;  /* in these */
    uint64_t failed;  /* refused by the collector or too long for it, or given up at the end */
    uint64_t dropped; /* the queue was full, or the spool */
    uint64_t waiting; /* in memory */
    uint64_t resent;  /* sent again after a break, because nobody had acknowledged them */
    uint64_t by_tcp;  /* of those sent: too long for UDP */
    uint64_t spooled; /* written to the spool, ever */
    uint64_t spool_octets;
    uint64_t outages;  /* times that no collector could be reached */
    uint64_t switches; /* times that another collector had to take over, or had the frames back */
    bool up;
    size_t current;        /* index of the collector that has the frames */
    struct errmsg problem; /* last one; empty if there was none */
};

struct lane;

/* Checks URLs, names and files, opens the spool and starts the thread. 0, or -1 with a text. */
int lane_open(struct lane **ret, const struct lane_options *options, struct errmsg *err);

/* An empty batch, NULL if there is no memory. Any thread. */
struct batch *lane_batch(struct lane *l);

/* Hands a batch over. Waits, or drops, if the queue is full. Any thread. */
void lane_put(struct lane *l, struct batch *b);

/* Counts frames that never found a batch. Any thread. */
void lane_lost(struct lane *l, uint64_t frames);

/* The figures as of now. Any thread. */
void lane_figures(struct lane *l, struct lane_stats *ret);

/*
 * Sends what waits, for at most `ms`; the rest goes to the spool, or fails. Releases everything; ret, if not NULL, gets
 * the final figures. NULL is fine.
 */
void lane_close(struct lane *l, unsigned ms, struct lane_stats *ret);

#endif
