#include "base/spsc.h"

#include <stdlib.h>
#include <string.h>

#define HEAD 8u         /* length, and room to be aligned */
#define SKIP UINT32_MAX /* instead of a length: the rest of the ring is not used */

static size_t rounded(size_t len)
{
    return HEAD + ((len + 7) & ~(size_t)7);
}

bool spsc_init(struct spsc *s, size_t size)
{
    memset(s, 0, sizeof(*s));
    s->octets = aligned_alloc(64, size);
    s->size = size;
    return s->octets != NULL;
}

void spsc_free(struct spsc *s)
{
    free(s->octets);
    s->octets = NULL;
}

/* So that a message fits whatever is left at the end. */
size_t spsc_message_max(const struct spsc *s)
{
    return s->size / 2 - HEAD;
}

static void put_length(struct spsc *s, size_t at, uint32_t len)
{
    memcpy(s->octets + (at & (s->size - 1)), &len, sizeof(len));
}

void *spsc_reserve(struct spsc *s, size_t len)
{
    size_t head = atomic_load_explicit(&s->head, memory_order_relaxed);
    size_t need = rounded(len), left = s->size - (head & (s->size - 1)), skipped = left < need ? left : 0;
    if (len > spsc_message_max(s))
        return NULL;
    if (head + skipped + need - s->tail_seen > s->size) {
        s->tail_seen = atomic_load_explicit(&s->tail, memory_order_acquire);
        if (head + skipped + need - s->tail_seen > s->size)
            return NULL;
    }
    if (skipped > 0)
        put_length(s, head, SKIP);
    s->reserved = head + skipped;
    return s->octets + (s->reserved & (s->size - 1)) + HEAD;
}

void spsc_publish(struct spsc *s, size_t len)
{
    put_length(s, s->reserved, (uint32_t)len);
    atomic_store_explicit(&s->head, s->reserved + rounded(len), memory_order_release);
}

const void *spsc_peek(struct spsc *s, size_t *ret_len)
{
    size_t tail = atomic_load_explicit(&s->tail, memory_order_relaxed);
    size_t head = atomic_load_explicit(&s->head, memory_order_acquire);
    uint32_t len;
    if (tail == head)
        return NULL;
    memcpy(&len, s->octets + (tail & (s->size - 1)), sizeof(len));
    if (len == SKIP) { /* a message follows: both were published at once */
        tail += s->size - (tail & (s->size - 1));
        atomic_store_explicit(&s->tail, tail, memory_order_release);
        memcpy(&len, s->octets, sizeof(len));
    }
    *ret_len = len;
    return s->octets + (tail & (s->size - 1)) + HEAD;
}

void spsc_release(struct spsc *s, size_t len)
{
    size_t tail = atomic_load_explicit(&s->tail, memory_order_relaxed);
    atomic_store_explicit(&s->tail, tail + rounded(len), memory_order_release);
}

size_t spsc_used(const struct spsc *s)
{
    size_t tail = atomic_load_explicit(&s->tail, memory_order_acquire);
    return atomic_load_explicit(&s->head, memory_order_acquire) - tail;
}
