/* What others may read: the accounts of all workers put together. */
#include <stdlib.h>
#include <string.h>

#include "ingest/internal.h"

struct counter_name {
    const char *name, *text;
};

static const struct counter_name names[INGEST_COUNTERS] = {
#define X(id, name, text) [INGEST_##id] = { name, text },
    INGEST_FRAME_COUNTERS(X)
#undef X
#define X(id, name, text, error) [INGEST_DROP_##id] = { name, text },
        INGEST_HEP_DROPS(X)
#undef X
#define X(id, name, text) [INGEST_DROP_##id] = { name, text },
            INGEST_OTHER_DROPS(X)
#undef X
};

const char *ingest_counter_name(enum ingest_counter counter)
{
    return names[counter].name;
}

const char *ingest_counter_text(enum ingest_counter counter)
{
    return names[counter].text;
}

/* ------------------------------------------------------------------------------------------------ senders */

struct list {
    struct ingest_sender *items;
    size_t count, room;
};

static void describe(const struct sender *s, struct ingest_sender *ret)
{
    *ret = (struct ingest_sender){ .addr = { .len = s->key.len }, .transport = (enum net_transport)s->key.transport };
    memcpy(ret->addr.octets, s->key.octets, sizeof(ret->addr.octets));
    ret->first_us = atomic_load_explicit(&s->first_us, memory_order_relaxed);
    ret->last_us = atomic_load_explicit(&s->last_us, memory_order_relaxed);
    for (size_t i = 0; i < INGEST_COUNTERS; i++)
        ret->counters[i] = atomic_load_explicit(&s->counters[i], memory_order_relaxed);
    ret->has_capture_id = atomic_load_explicit(&s->has_capture_id, memory_order_relaxed);
    ret->capture_id = atomic_load_explicit(&s->capture_id, memory_order_relaxed);
    ret->has_skew = atomic_load_explicit(&s->has_skew, memory_order_relaxed);
    ret->skew_us = atomic_load_explicit(&s->skew, memory_order_relaxed);
    ret->skew_min_us = atomic_load_explicit(&s->skew_min, memory_order_relaxed);
    ret->skew_max_us = atomic_load_explicit(&s->skew_max, memory_order_relaxed);
    ret->skew_mean_us = atomic_load_explicit(&s->skew_mean, memory_order_relaxed);
    memcpy(ret->node, s->node, sizeof(ret->node));
}

/* There is room: more than there were is left out, till the next time. */
static void collect(void *arg, const struct sender *s)
{
    struct list *l = arg;
    if (l->count < l->room)
        describe(s, &l->items[l->count++]);
}

static int compare(const void *a, const void *b)
{
    const struct ingest_sender *x = a, *y = b;
    if (x->addr.len != y->addr.len)
        return x->addr.len < y->addr.len ? -1 : 1;
    int order = memcmp(x->addr.octets, y->addr.octets, sizeof(x->addr.octets));
    return order != 0 ? order : (int)x->transport - (int)y->transport;
}

static void merge_skew(struct ingest_sender *to, const struct ingest_sender *from)
{
    if (!from->has_skew)
        return;
    if (!to->has_skew || from->last_us > to->last_us) {
        to->skew_us = from->skew_us;
        to->skew_mean_us = from->skew_mean_us;
    }
    if (!to->has_skew || from->skew_min_us < to->skew_min_us)
        to->skew_min_us = from->skew_min_us;
    if (!to->has_skew || from->skew_max_us > to->skew_max_us)
        to->skew_max_us = from->skew_max_us;
    to->has_skew = true;
}

/* The same sender as another worker knows it. */
static void merge(struct ingest_sender *to, const struct ingest_sender *from)
{
    for (size_t i = 0; i < INGEST_COUNTERS; i++)
        to->counters[i] += from->counters[i];
    merge_skew(to, from);
    if (from->last_us > to->last_us) {
        if (from->has_capture_id)
            to->capture_id = from->capture_id;
        if (from->node[0] != '\0')
            memcpy(to->node, from->node, sizeof(to->node));
    }
    to->has_capture_id |= from->has_capture_id;
    to->last_us = from->last_us > to->last_us ? from->last_us : to->last_us;
    to->first_us = from->first_us < to->first_us ? from->first_us : to->first_us;
}

int ingest_senders(struct ingest *ingest, void (*call)(void *arg, const struct ingest_sender *sender), void *arg)
{
    struct list l = { 0 };
    for (unsigned i = 0; i < ingest->worker_count; i++)
        l.room += senders_count(ingest->workers[i].senders);
    l.items = malloc((l.room + 1) * sizeof(*l.items));
    if (l.items == NULL)
        return -1;
    for (unsigned i = 0; i < ingest->worker_count; i++)
        senders_each(ingest->workers[i].senders, collect, &l);
    if (l.count > 0)
        qsort(l.items, l.count, sizeof(*l.items), compare);
    for (size_t i = 0, next; i < l.count; i = next) {
        for (next = i + 1; next < l.count && compare(&l.items[i], &l.items[next]) == 0; next++)
            merge(&l.items[i], &l.items[next]);
        call(arg, &l.items[i]);
    }
    free(l.items);
    return 0;
}

/* ------------------------------------------------------------------------------------------------ sums */

static void add_net(struct net_counters *to, const struct net_counters *from)
{
#define X(name, text) to->name += from->name;
    NET_COUNTERS(X)
    NET_GAUGES(X)
#undef X
}

static void add_worker(struct worker *w, struct ingest_totals *ret)
{
    uint64_t forgotten, waiting, repeated;
    senders_sum(w->senders, ret->counters, &forgotten);
    ret->senders_forgotten += forgotten;
    ret->senders += senders_count(w->senders);
    ret->paused += atomic_load(&w->paused);
    ret->paused_us += atomic_load_explicit(&w->paused_us, memory_order_relaxed);
    if (w->posts != NULL) {
        posts_figures(w->posts, &waiting, &repeated);
        ret->posts_waiting += waiting;
        ret->posts_repeated += repeated;
    }
    (void)pthread_mutex_lock(&w->lock);
    add_net(&ret->net, &w->net);
    (void)pthread_mutex_unlock(&w->lock);
}

void ingest_totals(struct ingest *ingest, struct ingest_totals *ret)
{
    *ret = (struct ingest_totals){ 0 };
    for (unsigned i = 0; i < ingest->worker_count; i++)
        add_worker(&ingest->workers[i], ret);
}

/* ------------------------------------------------------------------------------------------------ the network */

void ingest_listeners(struct ingest *ingest, void (*call)(void *arg, const struct ingest_listener *listener), void *arg)
{
    for (unsigned i = 0; i < ingest->worker_count; i++) {
        struct worker *w = &ingest->workers[i];
        for (size_t k = 0; k < w->listener_count; k++) {
            struct ingest_listener l = { .url = w->listeners[k].url, .worker = i };
            (void)pthread_mutex_lock(&w->lock);
            l.info = w->infos[k];
            (void)pthread_mutex_unlock(&w->lock);
            call(arg, &l);
        }
    }
}

static int worker_connections(struct worker *w, void (*call)(void *arg, const struct net_connection *c), void *arg)
{
    (void)pthread_mutex_lock(&w->lock);
    size_t count = w->connection_count;
    struct net_connection *copy = malloc((count + 1) * sizeof(*copy));
    if (copy != NULL && count > 0)
        memcpy(copy, w->connections, count * sizeof(*copy));
    (void)pthread_mutex_unlock(&w->lock);
    for (size_t i = 0; copy != NULL && i < count; i++)
        call(arg, &copy[i]);
    free(copy);
    return copy == NULL ? -1 : 0;
}

int ingest_connections(struct ingest *ingest, void (*call)(void *arg, const struct net_connection *connection),
                       void *arg)
{
    int rc = 0;
    for (unsigned i = 0; i < ingest->worker_count; i++) {
        if (worker_connections(&ingest->workers[i], call, arg) < 0)
            rc = -1;
    }
    return rc;
}

static void note_address(void *arg, const struct ingest_listener *l)
{
    bool *beyond = arg;
    if (strncmp(l->info.address, "127.", 4) != 0 && strncmp(l->info.address, "[::1]", 5) != 0)
        *beyond = true;
}

bool ingest_is_open(struct ingest *ingest)
{
    bool beyond = false;
    ingest_listeners(ingest, note_address, &beyond);
    return beyond && atomic_load(&ingest->unguarded);
}
