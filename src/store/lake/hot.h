/*
 * Rows in memory: the open groups of each writer, and the list of all groups until they are sealed. Appending takes no
 * lock but when a group begins; the list has one, for pins, cuts and seals.
 */
#ifndef STORE_LAKE_HOT_H
#define STORE_LAKE_HOT_H

#include "store/lake/group.h"
#include "store/lake/pages.h"

#define HOT_GROUPS_MAX 2048u /* groups in memory at which it is full, whatever they take: files of one seal */

struct hot;

int hot_open(struct hot **ret, unsigned writers, const struct pages_options *options);

/* Ends the compressing thread and gives up all groups. Every pin must be gone; NULL is fine. */
void hot_close(struct hot *h);

int hot_append(struct hot *h, unsigned writer, const struct record *r); /* 0, -ENOMEM, -EINVAL: no such writer */
bool hot_full(struct hot *h);
bool hot_pressed(struct hot *h);

/* Closes the writer's groups and marks them as cut. The rows that are in them now. */
size_t hot_cut(struct hot *h, unsigned writer);

/* All groups that are cut, in the order of their beginning; *ret is to be freed. 0, -ENOMEM. */
int hot_cut_groups(struct hot *h, struct group ***ret, size_t *ret_count);

/* Takes what is cut off the list, in an instant; the groups are given up by hot_drop() afterwards. */
void hot_detach(struct hot *h);
void hot_drop(struct hot *h); /* and memory that was not needed since the last time to the system */

/* References to all groups with the rows that are there; both arrays are to be freed. 0, -ENOMEM. */
int hot_pin(struct hot *h, struct group ***ret, size_t **ret_rows, size_t *ret_count);

/*
 * For those who follow what is appended: all groups in the list, numbered from 1 in the order of their beginning, and
 * word of each that leaves it: no row comes to it any more. All of it under the lock of the list, so what is done there
 * is short, and no group is let go of.
 */
struct hot_watcher {
    void (*leaves)(void *watcher, struct group *g, uint64_t number); /* gets the address of this */
    struct hot_watcher *next;                                        /* the list's */
};
void hot_lock(struct hot *h);
void hot_unlock(struct hot *h);
void hot_each(struct hot *h, void (*each)(void *arg, struct group *g, uint64_t number), void *arg);
void hot_watch(struct hot *h, struct hot_watcher *w);
void hot_unwatch(struct hot *h, struct hot_watcher *w);

struct hot_figures {
    uint64_t rows, octets, cut_octets, appended, refused, cpu_zip_us;
};
void hot_figures(struct hot *h, struct hot_figures *ret);

#endif
