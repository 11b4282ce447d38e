/*
 * What a seal keeps of the calls that run, little-endian:
 *
 *     0 magic "hccalls1"   8 seed   16 number of writers (4)   20 last event of each (8 each)
 *     then of network and import the octets of the tracker in pieces: length (4), octets; the last one has length 0
 *     then the same of the registrars, of the quality of media, and of calls with late messages: key (8), time (8) and
 *     number (8) of one; older files end before one of these
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/le.h"
#include "engine/calls_internal.h"
#include "engine/internal.h"

#define LATE_SIZE 24u

static const uint8_t magic[8] = "hccalls1";

/* ------------------------------------------------------------------------------------------------ keeping */

struct keeping {
    struct calls *c;
    struct store_seal *seal;
    store_write_fn *write;
    void *to;
    int rc;
    uint64_t octets;
};

static void put(struct keeping *k, const void *octets, size_t len)
{
    if (k->rc == 0 && len > 0)
        k->rc = k->write(k->to, octets, len);
    k->octets += len;
}

static bool put_piece(void *arg, const uint8_t *p, size_t len)
{
    struct keeping *k = arg;
    uint8_t head[4];
    if (len == 0) /* would look like the end */
        return true;
    le32_put(head, (uint32_t)len);
    put(k, head, sizeof(head));
    put(k, p, len);
    return k->rc == 0;
}

static void put_head(struct keeping *k)
{
    const struct calls *c = k->c;
    uint8_t number[8];
    put(k, magic, sizeof(magic));
    le64_put(number, c->seed);
    put(k, number, 8);
    le32_put(number, c->o.writers);
    put(k, number, 4);
    for (unsigned i = 0; i < c->o.writers; i++) {
        le64_put(number, atomic_load(&c->lanes[i].taken));
        put(k, number, 8);
    }
}

struct keeping_late {
    struct keeping *k;
    unsigned source;
};

static bool put_late(void *arg, const void *key, const void *value, uint64_t used)
{
    struct keeping_late *l = arg;
    const struct calls_late *late = value;
    uint8_t octets[LATE_SIZE];
    uint64_t call;
    (void)used;
    memcpy(&call, key, sizeof(call));
    le64_put(octets, call);
    le64_put(octets + 8, (uint64_t)late->ts);
    le64_put(octets + 16, late->seq);
    return late->source != l->source || put_piece(l->k, octets, sizeof(octets));
}

/* Rows of calls until now are in the seal, all others in the octets. */
static int keep(void *arg, store_write_fn *write, void *to)
{
    static const uint8_t end[4];
    struct keeping *k = arg;
    struct calls *c = k->c;
    k->write = write;
    k->to = to;
    k->rc = 0;
    k->octets = 0;
    pthread_mutex_lock(&c->walk_lock);
    pthread_mutex_lock(&c->lock);
    c->o.store->ops->seal_cut(c->o.store, k->seal, c->o.writers, NULL);
    put_head(k);
    for (unsigned i = 0; i < CALLS_SOURCES && k->rc == 0; i++) {
        if (!tracker_save_to(c->of[i], put_piece, k) && k->rc == 0)
            k->rc = -ENOMEM;
        put(k, end, sizeof(end));
    }
    for (unsigned i = 0; i < CALLS_SOURCES && k->rc == 0; i++) {
        if (!registrar_save_to(c->registrars[i], put_piece, k) && k->rc == 0)
            k->rc = -ENOMEM;
        put(k, end, sizeof(end));
    }
    for (unsigned i = 0; i < CALLS_SOURCES && k->rc == 0; i++) {
        if (!quality_save_to(c->quality[i], put_piece, k) && k->rc == 0)
            k->rc = -ENOMEM;
        put(k, end, sizeof(end));
    }
    for (unsigned i = 0; i < CALLS_SOURCES && k->rc == 0; i++) {
        struct keeping_late l = { k, i };
        lru_each(c->late, put_late, &l);
        put(k, end, sizeof(end));
    }
    if (k->rc == 0) {
        c->changed = false;
        c->state_octets = k->octets;
    }
    pthread_mutex_unlock(&c->lock);
    pthread_mutex_unlock(&c->walk_lock);
    return k->rc;
}

static void wait_for(const struct calls *c, const uint64_t *upto)
{
    const struct timespec pause = { .tv_nsec = 500000 };
    for (unsigned i = 0; i < c->o.writers; i++)
        while (c->runs && atomic_load_explicit(&c->lanes[i].taken, memory_order_acquire) < upto[i])
            (void)nanosleep(&pause, NULL);
}

bool calls_changed(struct calls *c)
{
    pthread_mutex_lock(&c->lock);
    bool changed = c->changed;
    pthread_mutex_unlock(&c->lock);
    return changed;
}

int calls_seal(struct calls *c, struct store_seal *seal, const uint64_t *upto, struct errmsg *err)
{
    struct keeping k = { .c = c, .seal = seal };
    wait_for(c, upto);
    if (!calls_changed(c))
        return 0;
    int rc = c->o.store->ops->seal_state(c->o.store, seal, keep, &k, err);
    if (rc != 0) {
        pthread_mutex_lock(&c->lock);
        c->changed = true;
        pthread_mutex_unlock(&c->lock);
    }
    return rc;
}

/* ------------------------------------------------------------------------------------------------ bringing back */

/* Joins the pieces of one tracker where they lie. NULL: they are none. */
static const uint8_t *join(struct buf *b, size_t *at, size_t *ret_len)
{
    size_t start = *at, end = *at;
    for (;;) {
        if (b->len - *at < 4)
            return NULL;
        size_t len = le32_load(b->ptr + *at);
        *at += 4;
        if (len == 0)
            break;
        if (b->len - *at < len)
            return NULL;
        memmove(b->ptr + end, b->ptr + *at, len);
        end += len;
        *at += len;
    }
    *ret_len = end - start;
    return b->ptr + start;
}

/* One part of what is kept, of either source. */
typedef int load_fn(struct calls *c, unsigned source, const uint8_t *p, size_t len, struct errmsg *err);

static int load_tracker(struct calls *c, unsigned source, const uint8_t *p, size_t len, struct errmsg *err)
{
    return tracker_load(c->of[source], p, len, err);
}

static int load_registrar(struct calls *c, unsigned source, const uint8_t *p, size_t len, struct errmsg *err)
{
    return registrar_load(c->registrars[source], p, len, err);
}

static int load_quality(struct calls *c, unsigned source, const uint8_t *p, size_t len, struct errmsg *err)
{
    return quality_load(c->quality[source], p, len, err);
}

static int load_late(struct calls *c, unsigned source, const uint8_t *p, size_t len, struct errmsg *err)
{
    if (len % LATE_SIZE != 0)
        return (void)errmsg_set(err, "damaged"), -EINVAL;
    for (size_t at = 0; at < len; at += LATE_SIZE) {
        uint64_t key = le64_load(p + at);
        bool fresh;
        struct calls_late *late = lru_put(c->late, &key, engine_now_us(), &fresh);
        if (late == NULL)
            return -ENOMEM;
        *late = (struct calls_late){ (int64_t)le64_load(p + at + 8), le64_load(p + at + 16), source };
    }
    return 0;
}

static int load_part(struct calls *c, struct buf *b, size_t *at, load_fn *load, struct errmsg *err)
{
    int rc = 0;
    for (unsigned i = 0; i < CALLS_SOURCES && rc == 0; i++) {
        size_t len = 0;
        const uint8_t *p = join(b, at, &len);
        if (p == NULL)
            return (void)errmsg_set(err, "damaged"), -EINVAL;
        c->source = i;
        rc = load(c, i, p, len, err);
    }
    return rc;
}

static bool open_reports(struct calls *c)
{
    bool whole = true;
    reports_free(c);
    for (unsigned i = 0; i < CALLS_SOURCES && whole; i++)
        whole = reports_open(c, i);
    return whole;
}

/* What was loaded before something turned out to be damaged is of no use. */
static int begin_anew(struct calls *c)
{
    reports_free(c);
    registrations_free(c);
    for (unsigned i = 0; i < CALLS_SOURCES; i++) {
        tracker_free(c->of[i]);
        c->of[i] = tracker_new(&c->o.track);
        if (c->of[i] == NULL || !registrations_open(c, i))
            return -ENOMEM;
    }
    return open_reports(c) ? 0 : -ENOMEM;
}

static int load(struct calls *c, struct buf *b, struct errmsg *err)
{
    size_t at = sizeof(magic) + 12;
    if (b->len < at || memcmp(b->ptr, magic, sizeof(magic)) != 0)
        return (void)errmsg_set(err, "not of this version"), -EINVAL;
    uint64_t seed = le64_load(b->ptr + 8);
    uint32_t writers = le32_load(b->ptr + 16);
    if (writers > (b->len - at) / 8)
        return (void)errmsg_set(err, "damaged"), -EINVAL;
    size_t part = at + 8 * (size_t)writers;
    int rc = load_part(c, b, &part, load_tracker, err);
    if (rc == 0 && part < b->len)
        rc = load_part(c, b, &part, load_registrar, err);
    c->seed = seed;
    if (rc == 0 && !open_reports(c)) /* they go by the seed */
        rc = -ENOMEM;
    if (rc == 0 && part < b->len)
        rc = load_part(c, b, &part, load_quality, err);
    if (rc == 0 && part < b->len)
        rc = load_part(c, b, &part, load_late, err);
    if (rc != 0)
        return rc;
    /* Of writers that are no more nothing is in the log that was not sealed with them (engine_writers()). */
    for (unsigned i = 0; i < writers && i < c->o.writers; i++)
        atomic_store(&c->lanes[i].taken, le64_load(b->ptr + at + 8 * (size_t)i));
    return 0;
}

int calls_load(struct calls *c, struct errmsg *err)
{
    struct buf b;
    struct errmsg why = { "" };
    if (c->o.store->ops->state == NULL)
        return 0;
    buf_init(&b, SIZE_MAX);
    int rc = c->o.store->ops->state(c->o.store, &b);
    if (rc == 0)
        rc = load(c, &b, &why);
    else
        (void)errmsg_set(&why, "%s", strerror(-rc));
    buf_free(&b);
    c->changed = rc != 0; /* the seed is to be kept soon: by it a replay gives calls the same uid */
    if (rc == 0 || rc == -ENOENT)
        return 0;
    (void)errmsg_set(err, "calls that ran and registrations are lost, what comes of them begins anew: %s", why.text);
    return begin_anew(c) == 0 ? rc : -ENOMEM;
}
