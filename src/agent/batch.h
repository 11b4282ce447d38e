/* Batches: runs of whole frames back to back, and lists of them. No locks: who shares a list guards it. */
#ifndef AGENT_BATCH_H
#define AGENT_BATCH_H

#include <stddef.h>
#include <stdint.h>

#define LANE_BATCH ((size_t)128 << 10) /* octets of a batch; takes every frame */

/* Filled by one producer. */
struct batch {
    struct batch *next;
    size_t len;       /* octets in data */
    size_t at;        /* octets that are sent */
    size_t count;     /* frames in data */
    uint64_t sent_ms; /* of the lane: when it was sent */
    uint8_t data[LANE_BATCH];
};

/* Oldest first. All zero: empty. */
struct batch_list {
    struct batch *first, *last;
    size_t octets; /* the sum of len */
};

/* Behind all others; the list owns it. */
void batch_list_add(struct batch_list *l, struct batch *b);

/* Before all others; the list owns it. */
void batch_list_push(struct batch_list *l, struct batch *b);

/* The oldest, which is the caller's then; NULL: none. */
struct batch *batch_list_take(struct batch_list *l);

/* The newest, which is the caller's then; NULL: none. Takes time by the length of the list. */
struct batch *batch_list_take_last(struct batch_list *l);

/* Frees every batch. */
void batch_list_free(struct batch_list *l);

/* The position `frames` whole frames behind the position `at`, or the end. */
size_t batch_step(const struct batch *b, size_t at, uint64_t frames);

/* The position of the frame that has the octet `octets` before the position `end`: what follows has at least so many.
 */
size_t batch_boundary(const struct batch *b, size_t end, size_t octets);

/* Whole frames between two positions. */
uint64_t batch_frames(const struct batch *b, size_t from, size_t to);

#endif
