#include "ingest/limit.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <xxhash.h>

#define BUCKETS   4096
#define WINDOW_US INT64_C(30000000)
#define SLACK_NS  INT64_C(1000000000)
#define SHARE_MIN (64u << 10) /* octets in the window below which nobody is too greedy */

/* Octets of this window and of the one before. Its turn is not exact to the frame, and need not be. */
struct window {
    _Atomic int64_t number;
    _Atomic uint64_t now, before;
};

struct account {
    struct account *next;
    struct hep_addr addr;
    size_t refs;
    _Atomic int64_t due_ns; /* when the frames so far would be due at the given rate */
    struct window window;
};

struct accounts {
    pthread_mutex_t lock;
    uint64_t seed;
    struct account *buckets[BUCKETS];
    struct window window;
};

struct accounts *accounts_new(void)
{
    struct accounts *a = calloc(1, sizeof(*a));
    if (a == NULL)
        return NULL;
    (void)pthread_mutex_init(&a->lock, NULL);
    if (getrandom(&a->seed, sizeof(a->seed), 0) == (ssize_t)sizeof(a->seed))
        return a;
    accounts_free(a);
    return NULL;
}

void accounts_free(struct accounts *a)
{
    if (a == NULL)
        return;
    (void)pthread_mutex_destroy(&a->lock);
    free(a);
}

static struct account **place_of(struct accounts *a, const struct hep_addr *addr)
{
    struct account **at = &a->buckets[XXH3_64bits_withSeed(addr->octets, addr->len, a->seed) % BUCKETS];
    while (*at != NULL && ((*at)->addr.len != addr->len || memcmp((*at)->addr.octets, addr->octets, addr->len) != 0))
        at = &(*at)->next;
    return at;
}

struct account *account_get(struct accounts *a, const struct hep_addr *addr)
{
    (void)pthread_mutex_lock(&a->lock);
    struct account **at = place_of(a, addr);
    if (*at == NULL) {
        *at = calloc(1, sizeof(**at));
        if (*at != NULL)
            (*at)->addr = *addr;
    }
    struct account *account = *at;
    if (account != NULL)
        account->refs++;
    (void)pthread_mutex_unlock(&a->lock);
    return account;
}

void account_put(struct accounts *a, struct account *account)
{
    if (account == NULL)
        return;
    (void)pthread_mutex_lock(&a->lock);
    if (--account->refs == 0) {
        *place_of(a, &account->addr) = account->next;
        free(account);
    }
    (void)pthread_mutex_unlock(&a->lock);
}

/* The generic cell rate algorithm: one number says what a bucket of tokens would. */
bool account_rate(struct account *account, uint32_t rate, uint32_t burst, int64_t now_us)
{
    int64_t now = now_us * 1000;
    int64_t step = INT64_C(1000000000) / rate;
    int64_t ahead = step * (burst == 0 ? rate : burst);
    int64_t due = atomic_load_explicit(&account->due_ns, memory_order_relaxed);
    int64_t next;
    do {
        /* Far beyond: the clock was set back. Threads may differ by the time that a batch takes. */
        int64_t from = due < now || due > now + ahead + SLACK_NS ? now : due;
        next = from + step;
        if (next > now + ahead)
            return false;
    } while (!atomic_compare_exchange_weak_explicit(&account->due_ns, &due, next, memory_order_relaxed,
                                                    memory_order_relaxed));
    return true;
}

static void turn(struct window *w, int64_t now_us)
{
    int64_t number = now_us / WINDOW_US;
    int64_t have = atomic_load_explicit(&w->number, memory_order_relaxed);
    if (have == number ||
        !atomic_compare_exchange_strong_explicit(&w->number, &have, number, memory_order_relaxed, memory_order_relaxed))
        return;
    uint64_t now = atomic_exchange_explicit(&w->now, 0, memory_order_relaxed);
    atomic_store_explicit(&w->before, have + 1 == number ? now : 0, memory_order_relaxed);
}

static uint64_t octets_of(struct window *w, int64_t now_us)
{
    turn(w, now_us);
    return atomic_load_explicit(&w->now, memory_order_relaxed) + atomic_load_explicit(&w->before, memory_order_relaxed);
}

void account_stored(struct accounts *a, struct account *account, size_t octets, int64_t now_us)
{
    turn(&a->window, now_us);
    turn(&account->window, now_us);
    (void)atomic_fetch_add_explicit(&a->window.now, octets, memory_order_relaxed);
    (void)atomic_fetch_add_explicit(&account->window.now, octets, memory_order_relaxed);
}

bool account_over_share(struct accounts *a, struct account *account, unsigned percent, int64_t now_us)
{
    uint64_t all = octets_of(&a->window, now_us);
    uint64_t own = octets_of(&account->window, now_us);
    return all >= SHARE_MIN && own < all && own * 100 > all * percent;
}
