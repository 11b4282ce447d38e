/*
 * Following what is appended. A follower holds each group from the moment that it sees it until all of its rows are
 * passed and the group has left the list of groups in memory: a seal in between takes nothing away from it. Writers do
 * not know of followers: it is the follower that looks how many rows there are.
 */
#ifndef STORE_LAKE_FOLLOW_H
#define STORE_LAKE_FOLLOW_H

#include "store/lake/hot.h"

#define FOLLOW_LAG    131072u /* rows behind the end at which they are passed over */
#define FOLLOW_GROUPS 4096u   /* groups held at most; what comes on top is passed over */

/* A group, and how far it is. */
struct follow_group {
    struct group *group;
    size_t at;   /* rows passed */
    size_t rows; /* there, as of the last look */
    bool left;   /* the list of groups: `rows` of a later look is final */
};

/* A group of the pin with rows to come: the number of the next one. */
struct follow_head {
    uint64_t seq;
    uint32_t part;
};

struct store_follower {
    struct hot_watcher watcher; /* first */
    struct hot *hot;
    uint64_t max; /* highest number that was there at the beginning */

    /* Under the lock of the list of groups. */
    struct follow_group *held;
    size_t count, cap;
    uint64_t begun;  /* groups up to this number are held, or were; those beyond are to be taken from the list */
    uint64_t passed; /* rows passed over and not told yet */
    bool full;       /* one could not be held: those behind it wait, too */

    /* Of the thread that follows. */
    struct store_ref *refs;
    size_t ref_cap;
    struct follow_head *heads; /* a heap, the least number first */
    size_t *next;              /* row of each part of the pin that comes next */
    size_t head_count, head_cap;
};

#endif
