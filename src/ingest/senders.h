/*
 * The accounts of the senders that one worker hears, in a table of bounded size.
 *
 * Only the worker writes. Counters are relaxed atomics of a single writer, so that others read them without holding
 * the worker up; the lock is taken only when an account is made or forgotten, or a text in it changes.
 *
 * Whoever never had a frame stored is on probation. When there is no room the longest silent account goes: one on
 * probation as long as these fill an eighth of the table, else a proven one. So strangers, however many addresses they
 * make up, cannot push the senders out that matter. What was counted for an account that went stays in a sum.
 */
#ifndef INGEST_SENDERS_H
#define INGEST_SENDERS_H

#include <pthread.h>
#include <stdatomic.h>

#include "ingest/ingest.h"

struct account;

/* Compared and hashed as octets: no padding, all of it set. */
struct sender_key {
    uint8_t octets[16];
    uint8_t len;
    uint8_t transport;
    uint8_t zero[6];
};

struct sender {
    struct sender_key key;
    uint32_t chain;        /* next of the same bucket */
    uint32_t older, newer; /* in the list of its kind */
    bool proven;
    bool allowed;              /* by the rules of this generation: */
    uint32_t rules_generation; /* 0: not judged */
    struct account *account;   /* caps; NULL: none asked for yet */

    _Atomic int64_t first_us, last_us;
    _Atomic uint64_t counters[INGEST_COUNTERS];
    _Atomic bool has_capture_id, has_skew;
    _Atomic uint32_t capture_id;
    _Atomic int64_t skew, skew_min, skew_max, skew_mean;
    size_t node_len; /* under the lock when written */
    char node[64];
};

struct senders;

/* drop, if not NULL, is told of an account that goes, to release what hangs on it. NULL if there is no memory. */
struct senders *senders_new(size_t capacity, void (*drop)(void *arg, struct sender *s), void *arg);
void senders_free(struct senders *t);

/* The account of a peer, made if there is none: never NULL. Valid until the next call. Worker's thread. */
struct sender *senders_get(struct senders *t, const struct net_peer *peer);

/* A frame of it was stored. Worker's thread. */
void senders_prove(struct senders *t, struct sender *s);

/* Sets the node name, if it is another one. Worker's thread. */
void senders_node(struct senders *t, struct sender *s, struct hep_slice node);

/* From any thread. The callback runs under the lock. */
void senders_each(struct senders *t, void (*call)(void *arg, const struct sender *s), void *arg);
size_t senders_count(struct senders *t);

/* Adds the counters of all senders, forgotten ones included, to `counters`. *ret_forgotten: how many went. */
void senders_sum(struct senders *t, uint64_t counters[INGEST_COUNTERS], uint64_t *ret_forgotten);

/* Adds to a counter that only the caller's thread changes: a plain load and store. */
static inline void counter_add(_Atomic uint64_t *counter, uint64_t n)
{
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + n, memory_order_relaxed);
}

static inline void sender_count(struct sender *s, enum ingest_counter counter, uint64_t n)
{
    counter_add(&s->counters[counter], n);
}

#endif
