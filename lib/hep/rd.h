/*
 * The checked read cursor: the only way in which this project touches wire octets.
 *
 * A read beyond the end returns zero and sets `bad`, and so does every later one: a parser reads what it needs and
 * tests once. Multi-octet numbers are in network order unless the name ends in `le`. Private to the source tree (not
 * installed); header-only so that each read compiles to a compare and a load.
 */
#ifndef HEP_RD_H
#define HEP_RD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct rd {
    const uint8_t *ptr; /* next octet */
    const uint8_t *end;
    bool bad; /* a read went beyond the end */
};

static inline void rd_init(struct rd *r, const uint8_t *data, size_t len)
{
    r->ptr = data;
    r->end = len > 0 ? data + len : data;
    r->bad = false;
}

static inline size_t rd_left(const struct rd *r)
{
    return (size_t)(r->end - r->ptr);
}

/* Takes `len` octets: true and their place, or false with the cursor bad. */
static inline bool rd_take(struct rd *r, size_t len, const uint8_t **ret)
{
    if (r->bad || len > rd_left(r)) {
        r->bad = true;
        return false;
    }
    *ret = r->ptr;
    r->ptr += len;
    return true;
}

static inline void rd_skip(struct rd *r, size_t len)
{
    const uint8_t *ignored;
    (void)rd_take(r, len, &ignored);
}

/* A cursor over the next `len` octets, which this one steps over. */
static inline bool rd_sub(struct rd *r, size_t len, struct rd *child)
{
    const uint8_t *p;
    if (!rd_take(r, len, &p)) {
        *child = (struct rd){ .bad = true };
        return false;
    }
    rd_init(child, p, len);
    return true;
}

/* Loads from octets that a cursor has already vouched for. Compilers turn each into one (swapped) load. */
static inline uint16_t be16_load(const uint8_t *p)
{
    return (uint16_t)((unsigned)p[0] << 8 | p[1]);
}

static inline uint32_t be32_load(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static inline uint64_t be64_load(const uint8_t *p)
{
    return (uint64_t)be32_load(p) << 32 | be32_load(p + 4);
}

static inline uint16_t le16_load(const uint8_t *p)
{
    return (uint16_t)((unsigned)p[1] << 8 | p[0]);
}

static inline uint32_t le32_load(const uint8_t *p)
{
    return (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0];
}

#define RD_NUMBER(name, type, size, load)                                                                              \
    static inline type name(struct rd *r)                                                                              \
    {                                                                                                                  \
        const uint8_t *p;                                                                                              \
        return (type)(rd_take(r, size, &p) ? (load) : 0);                                                              \
    }
RD_NUMBER(rd_u8, uint8_t, 1, p[0])
RD_NUMBER(rd_u16, uint16_t, 2, be16_load(p))
RD_NUMBER(rd_u24, uint32_t, 3, (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2])
RD_NUMBER(rd_u32, uint32_t, 4, be32_load(p))
RD_NUMBER(rd_u64, uint64_t, 8, be64_load(p))
RD_NUMBER(rd_u16le, uint16_t, 2, le16_load(p))
RD_NUMBER(rd_u32le, uint32_t, 4, le32_load(p))
#undef RD_NUMBER

#endif
