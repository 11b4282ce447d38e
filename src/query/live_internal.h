/* What live.c and live_round.c share. */
#ifndef QUERY_LIVE_INTERNAL_H
#define QUERY_LIVE_INTERNAL_H

#include <pthread.h>

#include "base/buf.h"
#include "query/live.h"

#define LIVE_ROUND_ROWS 8192u /* rows looked at in one go */

/* A row as JSON, shared by the clients that want the same columns. */
struct live_event {
    _Atomic unsigned refs;
    size_t len;
    char place[SEEN_TEXT_MAX];
    uint8_t json[];
};

struct live_entry {
    struct live_entry *next;
    struct live_event *event;
    uint64_t skipped, unseen; /* before it */
};

struct live_queue {
    struct live_entry *first, **end;
    size_t rows, octets;
};

struct live_client {
    struct live_ask ask;
    unsigned slot;

    /* The thread's, under the lock of rounds. */
    struct live_queue fresh;  /* of this round */
    uint64_t skipped, unseen; /* since its last entry */
    size_t room_rows, room_octets;
    bool was_empty;   /* the queue, at the beginning of the round */
    double tokens;    /* rows that it may get */
    uint64_t used_us; /* of the time for filters, in this window */

    /* Under the lock. */
    struct live_queue queue;
    uint64_t tail_skipped, tail_unseen; /* behind the last entry */
    bool ended;                         /* gets what is in the queue, and no more */
    pthread_cond_t wake;
};

struct live {
    struct live_options o;
    uint64_t first;             /* see live_first() */
    pthread_mutex_t round_lock; /* a round, and who comes or goes: before the other one */
    struct live_client *clients[LIVE_CLIENTS_MAX];
    unsigned count;
    struct store_follower *follower; /* while there are clients */
    struct store_seen noted;         /* the thread's: of the rows that it has looked at */
    uint64_t skipped, unseen;        /* rows, of all clients there ever were */
    uint64_t last_us;                /* of the round before */
    uint64_t window_us;              /* beginning of the window of used_us */
    uint64_t marks[LIVE_ROUND_ROWS]; /* a bit a client whose filter matches the row */
    uint64_t takes[LIVE_ROUND_ROWS]; /* of these, those that may get it */
    bool matches[LIVE_ROUND_ROWS];
    struct store_ref picked[LIVE_ROUND_ROWS];
    uint32_t picked_at[LIVE_ROUND_ROWS]; /* where in the round */
    struct buf json;

    pthread_mutex_t lock; /* of the queues, and of what follows */
    pthread_cond_t wake;  /* of the thread */
    bool busy;            /* there are clients */
    bool stopped;
    struct store_seen seen; /* of the rows that are in the queues, or were */
    struct live_figures figures;

    pthread_t thread;
    bool runs;
};

/* One round; true if there may be more at once. Takes the lock of rounds. */
bool live_round(struct live *l);

/* Under the lock of rounds: notes the rows that are there already. */
int live_prime(struct live *l);

void live_queue_add(struct live_queue *q, struct live_entry *e);
void live_queue_free(struct live_queue *q);
void live_event_unref(struct live_event *e);

uint64_t live_clock_us(void); /* monotonic */

#endif
