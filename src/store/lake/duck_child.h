/* The child process as its parent sees it: started, spoken to, ended. Private to duck*. */
#ifndef STORE_LAKE_DUCK_CHILD_H
#define STORE_LAKE_DUCK_CHILD_H

#include "store/lake/duck_wire.h"

struct duck_child {
    pid_t pid; /* 0 once it has been waited for */
    int control;
    int slots[DUCK_SCANS_MAX];
    unsigned slot_count;
    int landlock;
    char version[32];
    /* Those below are duck.c's, under its lock. */
    unsigned users; /* queries that hold it, and duck.c itself while it is the one for new queries */
    bool ended;     /* by duck_child_end() */
    char how[80];   /* it ended */
};

/*
 * Starts the worker and waits for its READY, at most 20 s. `executable` is run with the argument "query-worker".
 * 0, or DUCK_ERR_UNAVAILABLE or DUCK_ERR_MEMORY with a text; no process is left then.
 */
int duck_child_start(struct duck_child **ret, const char *executable, const struct duck_hello *hello,
                     struct errmsg *err);

/* Kills it if it still runs, waits for it and writes how it ended into c->how. May be called again. */
void duck_child_end(struct duck_child *c);

/* Ends it and releases everything. NULL is fine. */
void duck_child_free(struct duck_child *c);

/* Whether the child has ended or closed its control socket, without waiting. */
bool duck_child_is_gone(const struct duck_child *c);

/* Asks the child to interrupt a query. Failure means that the child is gone, which the slot's socket says, too. */
void duck_child_interrupt(const struct duck_child *c, unsigned slot, uint64_t number);

/* Octets of its resident memory, 0 if unknown. */
uint64_t duck_child_rss(pid_t pid);

#endif
