/* Little-endian numbers of our own file formats: stores, and the 64-bit read that the wire formats do not need. */
#ifndef BASE_LE_H
#define BASE_LE_H

#include <stdint.h>

#include "hep/rd.h"

static inline void le16_put(uint8_t *p, uint16_t v)
{
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
}

static inline void le32_put(uint8_t *p, uint32_t v)
{
    le16_put(p, (uint16_t)v);
    le16_put(p + 2, (uint16_t)(v >> 16));
}

static inline void le64_put(uint8_t *p, uint64_t v)
{
    le32_put(p, (uint32_t)v);
    le32_put(p + 4, (uint32_t)(v >> 32));
}

static inline uint64_t le64_load(const uint8_t *p)
{
    return (uint64_t)le32_load(p + 4) << 32 | le32_load(p);
}

/* As the RD_NUMBER readers of hep/rd.h. */
static inline uint64_t rd_u64le(struct rd *r)
{
    const uint8_t *p;
    return rd_take(r, 8, &p) ? le64_load(p) : 0;
}

#endif
