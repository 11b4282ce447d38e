/* What duck.c (the handle, the child, turns) and duck_talk.c (one query's conversation) share. Private to these. */
#ifndef STORE_LAKE_DUCK_INTERNAL_H
#define STORE_LAKE_DUCK_INTERNAL_H

#include <pthread.h>
#include <sys/queue.h>

#include "store/lake/duck_child.h"

/* A query that waits for its turn. */
struct duck_waiter {
    TAILQ_ENTRY(duck_waiter) link;
};

struct duck {
    struct duck_options o;
    char *lake_dir, *temp_dir, *library, *executable;
    pthread_mutex_t start_lock;                    /* held while a child starts; taken before `lock` */
    pthread_mutex_t lock;                          /* the rest */
    pthread_cond_t turn;                           /* somebody else may be next */
    struct duck_child *child;                      /* for new queries; NULL: none yet, or the last one ended */
    TAILQ_HEAD(duck_waiters, duck_waiter) waiters; /* the longest waiting first */
    unsigned waiting, running;
    bool busy[DUCK_SCANS_MAX];
    uint64_t next_number;
    uint64_t backoff_us, retry_at; /* after a child that did not start */
    struct errmsg start_error;
    int start_rc;
    struct duck_counters count;
};

/* One call of duck_query(). */
struct duck_talk {
    struct duck *d;
    uint64_t until; /* now_us() at which time is over, UINT64_MAX: never */
    const atomic_bool *cancel;
    const struct duck_script *script; /* NULL: the statement is ours */
    duck_row_fn *row;
    void *arg;
    struct duck_stats stats;
    struct errmsg *err;
    struct duck_child *child;
    unsigned slot;
    uint64_t number;
    int reason;       /* why it was interrupted, 0: it was not */
    uint64_t give_up; /* when an interrupted query must have ended */
    size_t octets;    /* of the result so far */
};

uint64_t duck_now_us(void); /* monotonic */

/* DUCK_ERR_CANCELLED or DUCK_ERR_TIMEOUT if it is time for that, else 0. */
int duck_talk_check(const struct duck_talk *q);

/* Microseconds that may be waited before duck_talk_check() must be asked again, at most `most`. */
uint64_t duck_talk_patience(const struct duck_talk *q, uint64_t most);

/*
 * Sends the query to the child on its slot and reads the answer. *ret_ended: the child is ready for the next query;
 * else it must go. 0, an enum duck_error with a text, or an enum DUCK_WIRE_... if it did not end.
 */
int duck_talk(struct duck_talk *q, const char *sql, const struct duck_value *values, size_t count, bool *ret_ended);

#endif
