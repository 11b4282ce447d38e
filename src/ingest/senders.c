#include "ingest/senders.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <xxhash.h>

#define NONE           UINT32_MAX
#define PROBATION_PART 8

struct list {
    uint32_t oldest, newest;
    size_t count;
};

struct senders {
    pthread_mutex_t lock;
    struct sender *slots;
    size_t used, capacity;
    uint32_t *buckets;
    uint64_t mask, seed;
    struct list lists[2]; /* on probation, proven */
    struct sender *last;  /* most frames come from the sender of the frame before */
    uint64_t gone[INGEST_COUNTERS];
    uint64_t forgotten;
    void (*drop)(void *arg, struct sender *s);
    void *arg;
};

struct senders *senders_new(size_t capacity, void (*drop)(void *arg, struct sender *s), void *arg)
{
    struct senders *t = calloc(1, sizeof(*t));
    size_t buckets = 16;
    while (buckets < capacity)
        buckets *= 2;
    if (t == NULL)
        return NULL;
    *t = (struct senders){ .capacity = capacity, .mask = buckets - 1, .drop = drop, .arg = arg };
    t->lists[0] = t->lists[1] = (struct list){ NONE, NONE, 0 };
    (void)pthread_mutex_init(&t->lock, NULL);
    t->slots = calloc(capacity, sizeof(*t->slots));
    t->buckets = malloc(buckets * sizeof(*t->buckets));
    if (t->slots == NULL || t->buckets == NULL || getrandom(&t->seed, sizeof(t->seed), 0) != (ssize_t)sizeof(t->seed)) {
        senders_free(t);
        return NULL;
    }
    memset(t->buckets, 0xff, buckets * sizeof(*t->buckets)); /* NONE */
    return t;
}

void senders_free(struct senders *t)
{
    if (t == NULL)
        return;
    for (size_t i = 0; i < t->used && t->drop != NULL; i++)
        t->drop(t->arg, &t->slots[i]);
    (void)pthread_mutex_destroy(&t->lock);
    free(t->slots);
    free(t->buckets);
    free(t);
}

/* ------------------------------------------------------------------------------------------------ lists */

static uint32_t index_of(const struct senders *t, const struct sender *s)
{
    return (uint32_t)(s - t->slots);
}

static void list_add(struct senders *t, struct sender *s)
{
    struct list *l = &t->lists[s->proven];
    uint32_t i = index_of(t, s);
    s->older = l->newest;
    s->newer = NONE;
    if (l->newest != NONE)
        t->slots[l->newest].newer = i;
    else
        l->oldest = i;
    l->newest = i;
    l->count++;
}

static void list_remove(struct senders *t, struct sender *s)
{
    struct list *l = &t->lists[s->proven];
    if (s->older != NONE)
        t->slots[s->older].newer = s->newer;
    else
        l->oldest = s->newer;
    if (s->newer != NONE)
        t->slots[s->newer].older = s->older;
    else
        l->newest = s->older;
    l->count--;
}

static void touch(struct senders *t, struct sender *s)
{
    if (s->newer == NONE)
        return;
    list_remove(t, s);
    list_add(t, s);
}

void senders_prove(struct senders *t, struct sender *s)
{
    if (s->proven)
        return;
    list_remove(t, s);
    s->proven = true;
    list_add(t, s);
}

/* ------------------------------------------------------------------------------------------------ table */

static uint32_t *bucket_of(struct senders *t, const struct sender_key *key)
{
    return &t->buckets[XXH3_64bits_withSeed(key, sizeof(*key), t->seed) & t->mask];
}

/* Under the lock. The slot is free afterwards, and in no list. */
static struct sender *forget_one(struct senders *t)
{
    bool proven =
        t->lists[0].count == 0 || (t->lists[1].count > 0 && t->lists[0].count <= t->capacity / PROBATION_PART);
    struct sender *s = &t->slots[t->lists[proven].oldest];
    list_remove(t, s);
    uint32_t *at = bucket_of(t, &s->key);
    while (*at != index_of(t, s))
        at = &t->slots[*at].chain;
    *at = s->chain;
    for (size_t i = 0; i < INGEST_COUNTERS; i++)
        t->gone[i] += atomic_load_explicit(&s->counters[i], memory_order_relaxed);
    t->forgotten++;
    if (t->drop != NULL)
        t->drop(t->arg, s);
    return s;
}

static struct sender *add(struct senders *t, const struct sender_key *key, uint32_t *bucket)
{
    (void)pthread_mutex_lock(&t->lock);
    struct sender *s = t->used < t->capacity ? &t->slots[t->used++] : forget_one(t);
    memset(s, 0, sizeof(*s));
    s->key = *key;
    s->chain = *bucket;
    *bucket = index_of(t, s);
    list_add(t, s);
    (void)pthread_mutex_unlock(&t->lock);
    return s;
}

static bool same_key(const struct sender_key *a, const struct sender_key *b)
{
    return memcmp(a, b, sizeof(*a)) == 0;
}

struct sender *senders_get(struct senders *t, const struct net_peer *peer)
{
    struct sender_key key = { .len = peer->addr.len, .transport = (uint8_t)peer->transport };
    memcpy(key.octets, peer->addr.octets, sizeof(key.octets));
    if (t->last != NULL && same_key(&t->last->key, &key))
        return t->last;
    uint32_t *bucket = bucket_of(t, &key);
    uint32_t i = *bucket;
    while (i != NONE && !same_key(&t->slots[i].key, &key))
        i = t->slots[i].chain;
    struct sender *s = i == NONE ? add(t, &key, bucket) : &t->slots[i];
    touch(t, s);
    t->last = s;
    return s;
}

void senders_node(struct senders *t, struct sender *s, struct hep_slice node)
{
    size_t len = node.len < sizeof(s->node) ? node.len : sizeof(s->node) - 1;
    if (len == s->node_len && (len == 0 || memcmp(s->node, node.ptr, len) == 0))
        return;
    (void)pthread_mutex_lock(&t->lock);
    memset(s->node, 0, sizeof(s->node));
    if (len > 0)
        memcpy(s->node, node.ptr, len);
    s->node_len = len;
    (void)pthread_mutex_unlock(&t->lock);
}

/* ------------------------------------------------------------------------------------------------ readers */

void senders_each(struct senders *t, void (*call)(void *arg, const struct sender *s), void *arg)
{
    (void)pthread_mutex_lock(&t->lock);
    for (size_t i = 0; i < t->used; i++)
        call(arg, &t->slots[i]);
    (void)pthread_mutex_unlock(&t->lock);
}

size_t senders_count(struct senders *t)
{
    (void)pthread_mutex_lock(&t->lock);
    size_t count = t->used;
    (void)pthread_mutex_unlock(&t->lock);
    return count;
}

static void add_counters(void *arg, const struct sender *s)
{
    uint64_t *sum = arg;
    for (size_t i = 0; i < INGEST_COUNTERS; i++)
        sum[i] += atomic_load_explicit(&s->counters[i], memory_order_relaxed);
}

void senders_sum(struct senders *t, uint64_t counters[INGEST_COUNTERS], uint64_t *ret_forgotten)
{
    (void)pthread_mutex_lock(&t->lock);
    for (size_t i = 0; i < t->used; i++)
        add_counters(counters, &t->slots[i]);
    for (size_t i = 0; i < INGEST_COUNTERS; i++)
        counters[i] += t->gone[i];
    *ret_forgotten = t->forgotten;
    (void)pthread_mutex_unlock(&t->lock);
}
