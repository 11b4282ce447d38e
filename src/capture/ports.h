/* A set of ports. */
#ifndef CAPTURE_PORTS_H
#define CAPTURE_PORTS_H

#include <stdbool.h>
#include <stdint.h>

struct ports {
    uint8_t bits[65536 / 8];
};

static inline bool ports_has(const struct ports *p, uint16_t port)
{
    return (p->bits[port / 8] >> port % 8 & 1) != 0;
}

static inline void ports_add(struct ports *p, uint16_t port)
{
    p->bits[port / 8] |= (uint8_t)(1u << port % 8);
}

#endif
