#include "agent/dedup.h"

#include <stdlib.h>

#include "base/lru.h"

struct seen {
    uint8_t taps;
    uint32_t kept; /* most transmissions that one tap has seen */
    struct {
        uint64_t id;
        uint32_t count;
        int64_t last_us;
    } tap[DEDUP_TAPS_MAX];
    int64_t last_us;
};

struct dedup {
    int64_t window_us;
    struct lru *seen;
};

struct dedup *dedup_new(uint64_t window_us, size_t messages)
{
    const struct lru_options options = { sizeof(uint64_t), sizeof(struct seen), messages, NULL, NULL };
    struct dedup *d = calloc(1, sizeof(*d));
    if (d == NULL)
        return NULL;
    d->window_us = (int64_t)window_us;
    d->seen = lru_new(&options);
    if (d->seen != NULL)
        return d;
    free(d);
    return NULL;
}

void dedup_free(struct dedup *d)
{
    if (d == NULL)
        return;
    lru_free(d->seen);
    free(d);
}

static size_t tap_of(struct seen *s, uint64_t id)
{
    size_t i = 0;
    while (i < s->taps && s->tap[i].id != id)
        i++;
    if (i == s->taps && i < DEDUP_TAPS_MAX) {
        s->tap[i].id = id;
        s->tap[i].count = 0;
        s->taps++;
    }
    return i < DEDUP_TAPS_MAX ? i : DEDUP_TAPS_MAX - 1;
}

static int64_t distance(int64_t a, int64_t b)
{
    return a > b ? a - b : b - a;
}

bool dedup_is_copy(struct dedup *d, uint64_t message, uint64_t tap, int64_t at_us)
{
    bool is_new;
    struct seen *s = lru_put(d->seen, &message, (uint64_t)at_us / 1000000, &is_new);
    if (s == NULL)
        return false;
    if (!is_new && distance(at_us, s->last_us) > d->window_us)
        *s = (struct seen){ 0 };
    s->last_us = at_us;
    size_t i = tap_of(s, tap);
    bool moment = s->tap[i].count > 0 && distance(at_us, s->tap[i].last_us) <= DEDUP_MOMENT_US;
    s->tap[i].last_us = at_us;
    if (moment)
        return true;
    s->tap[i].count++;
    if (s->tap[i].count <= s->kept)
        return true;
    s->kept = s->tap[i].count;
    return false;
}
