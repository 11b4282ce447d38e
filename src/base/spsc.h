/*
 * A ring of messages of any length from one thread to another, without a lock. Messages are whole and in one piece;
 * each is 8-aligned.
 */
#ifndef BASE_SPSC_H
#define BASE_SPSC_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct spsc {
    uint8_t *octets;
    size_t size; /* a power of two */
    char pad0[64];
    _Atomic size_t head; /* written so far, by the one who writes */
    size_t tail_seen;    /* the writer's last look at the other one */
    size_t reserved;     /* where the message that is being written begins */
    char pad1[64];
    _Atomic size_t tail; /* read so far */
};

/* `size` octets, a power of two from 1024. False if there is no memory. */
bool spsc_init(struct spsc *s, size_t size);
void spsc_free(struct spsc *s);

/* Octets that a message may have at most. */
size_t spsc_message_max(const struct spsc *s);

/* Room for a message; NULL: the ring is full just now. Followed by spsc_publish() with as many octets, or fewer. */
void *spsc_reserve(struct spsc *s, size_t len);
void spsc_publish(struct spsc *s, size_t len);

/* The oldest message, NULL if there is none; it is gone with spsc_release(). */
const void *spsc_peek(struct spsc *s, size_t *ret_len);
void spsc_release(struct spsc *s, size_t len);

/* Octets in use. (any thread) */
size_t spsc_used(const struct spsc *s);

#endif
