/*
 * Rows as they are appended, to those who asked for them. One thread follows the store while there is somebody, tests
 * each row by each client's filter, makes JSON of those that match and puts it into the clients' queues. Who appends
 * rows knows nothing of it.
 *
 * Everything is bounded: how many clients there are, rows a second and octets in the queue of each, and the time that
 * filters may take. A client is told what it did not get: rows that matched and were skipped, and rows that nobody had
 * the time to look at.
 *
 * Each row comes with a place, the text of what the client has had with it (query/seen.h), from which it can go on
 * after a break: live_join() tells what comes by itself, search_options.beyond and .within find what was before.
 *
 *   live.c        clients come and go, queues
 *   live_round.c  the thread
 */
#ifndef QUERY_LIVE_H
#define QUERY_LIVE_H

#include "query/columns.h"
#include "query/seen.h"
#include "store/store.h"

#define LIVE_CLIENTS_MAX 64

/* A zero means the default in brackets. */
struct live_options {
    struct store *store;
    unsigned clients;     /* at once [32], at most LIVE_CLIENTS_MAX */
    unsigned interval_ms; /* between two looks [30] */
    size_t queue_rows;    /* that a client has not taken yet [4096] */
    size_t queue_octets;  /* the same [1 MiB]; a row that is longer comes alone */
};

struct live;
struct live_client;

int live_open(struct live **ret, const struct live_options *options); /* 0, or a negative errno */
/* The highest number that was there when it was opened: what comes has higher ones. */
uint64_t live_first(const struct live *l);

/* Those who are there get no more, as at the end; others may come. */
void live_end_all(struct live *l);

void live_stop(struct live *l);  /* nobody comes in, and those who are there get no more; any number of times */
void live_close(struct live *l); /* every client has left; NULL is fine */

struct live_ask {
    const struct filter *filter; /* NULL: everything; must live as long as the client */
    struct columns columns;
    unsigned rate; /* rows a second, at least 1 */
};

/*
 * From now on. *ret_seen: what does not come by itself, because it was there before. 0, -EBUSY: too many, -ECANCELED:
 * stopped, or an error of the store.
 */
int live_join(struct live *l, const struct live_ask *ask, struct live_client **ret, struct store_seen *ret_seen);
void live_leave(struct live *l, struct live_client *c); /* NULL is fine */

/* What a client gets. */
struct live_item {
    const uint8_t *json; /* a row; NULL: none, but word of what is missing */
    size_t len;
    uint64_t skipped; /* rows that matched */
    uint64_t unseen;  /* rows that were not looked at */
    const char *place;
};

/* Other than 0: enough for now. */
typedef int live_item_fn(void *arg, const struct live_item *item);

/*
 * Hands out what is there; waits for it up to wait_ms. How many items; 0: nothing came, and `place` (if it is not NULL)
 * is where the client is now; -ECANCELED: that was all, it was stopped.
 */
int live_take(struct live *l, struct live_client *c, unsigned wait_ms, live_item_fn *item, void *arg,
              char place[SEEN_TEXT_MAX]);

struct live_figures {
    uint64_t clients;               /* now */
    uint64_t sent, skipped, unseen; /* rows, of all clients together */
    uint64_t refused;               /* clients */
};
void live_figures(struct live *l, struct live_figures *ret);

#endif
