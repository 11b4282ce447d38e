/* Pseudo-random numbers for property tests: the same seed gives the same test everywhere. */
#ifndef TEST_PRNG_H
#define TEST_PRNG_H

#include <stddef.h>
#include <stdint.h>

/* splitmix64 */
static inline uint64_t prng_next(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* 0 .. limit - 1; limit > 0 */
static inline size_t prng_below(uint64_t *state, size_t limit)
{
    return (size_t)(prng_next(state) % limit);
}

static inline void prng_fill(uint64_t *state, uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        p[i] = (uint8_t)prng_next(state);
}

/* Puts 0 .. n - 1 in random order. */
static inline void prng_shuffle(uint64_t *state, size_t *order, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        size_t j = prng_below(state, i + 1);
        order[i] = order[j];
        order[j] = i;
    }
}

#endif
