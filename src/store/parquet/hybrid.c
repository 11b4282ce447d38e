#include "store/parquet/hybrid.h"

#include <assert.h>

#include "base/le.h"

#include "store/parquet/thrift.h"

#define GROUP 8u /* numbers of a literal run come in groups */

unsigned pq_hybrid_width(uint32_t max)
{
    return max == 0 ? 0 : 32u - (unsigned)__builtin_clz(max);
}

void pq_hybrid_write_run(struct buf *out, uint32_t number, size_t count, unsigned width)
{
    if (count == 0)
        return;
    pq_varint_write(out, (uint64_t)count << 1);
    for (unsigned bits = 0; bits < width; bits += 8)
        buf_putc(out, (char)(number >> bits));
}

/* Numbers of one literal run; the last group of eight is filled with zeros. */
static void put_packed(struct buf *out, const uint32_t *numbers, size_t count, unsigned width)
{
    size_t groups = (count + 7) / 8;
    if (groups == 0)
        return;
    pq_varint_write(out, (uint64_t)groups << 1 | 1);
    size_t size = groups * width;
    uint8_t *to = buf_space(out, size);
    if (to == NULL)
        return;
    uint64_t bits = 0;
    unsigned have = 0;
    size_t at = 0;
    for (size_t i = 0; i < groups * 8; i++) {
        bits |= (uint64_t)(i < count ? numbers[i] : 0) << have;
        for (have += width; have >= 8; have -= 8, bits >>= 8)
            to[at++] = (uint8_t)bits;
    }
    assert(at == size && have == 0);
    buf_added(out, size);
}

/* Looks at groups of eight, without a branch a number: levels and codes without pattern would mispredict them. */
void pq_hybrid_write(struct buf *out, const uint32_t *numbers, size_t count, unsigned width)
{
    size_t literal = 0, i = 0; /* numbers from `literal` to i wait to be packed: whole groups */
    while (i + GROUP <= count) {
        uint32_t differ = 0;
        for (size_t k = 1; k < GROUP; k++)
            differ |= numbers[i] ^ numbers[i + k];
        if (differ != 0) {
            i += GROUP;
            continue;
        }
        size_t end = i + GROUP;
        while (end < count && numbers[end] == numbers[i])
            end++;
        put_packed(out, numbers + literal, i - literal, width);
        pq_hybrid_write_run(out, numbers[i], end - i, width);
        literal = i = end;
    }
    put_packed(out, numbers + literal, count - literal, width);
}

static bool get_run(struct rd *r, uint64_t header, uint32_t *to, size_t room, unsigned width, size_t *ret)
{
    uint64_t run = header >> 1;
    uint32_t number = 0;
    for (unsigned bits = 0; bits < width; bits += 8)
        number |= (uint32_t)rd_u8(r) << bits;
    if (r->bad || run == 0 || run > room || (width < 32 && number >> width != 0))
        return false;
    for (size_t i = 0; i < run; i++)
        to[i] = number;
    *ret = (size_t)run;
    return true;
}

/*
 * Numbers each from its own load of eight octets, without waiting for the one before; as many as can be had without
 * reading beyond `end`. How many: a multiple of eight.
 */
static size_t get_packed_fast(const uint8_t *p, const uint8_t *end, uint32_t *to, size_t count, unsigned width)
{
    uint32_t mask = width == 32 ? UINT32_MAX : (UINT32_C(1) << width) - 1;
    size_t i = 0;
    for (; i + GROUP <= count && (size_t)(end - p) >= width + 8u; i += GROUP, p += width)
        for (unsigned k = 0; k < GROUP; k++) {
            unsigned bit = k * width;
            to[i + k] = (uint32_t)(le64_load(p + bit / 8) >> bit % 8) & mask;
        }
    return i;
}

static bool get_packed(struct rd *r, uint64_t header, uint32_t *to, size_t room, unsigned width, size_t *ret)
{
    uint64_t groups = header >> 1;
    const uint8_t *p;
    if (groups == 0 || groups > (room + 7) / 8 || !rd_take(r, (size_t)groups * width, &p))
        return false;
    size_t count = (size_t)groups * 8 < room ? (size_t)groups * 8 : room;
    size_t done = get_packed_fast(p, r->ptr, to, count, width);
    p += done / GROUP * width;
    uint64_t bits = 0;
    unsigned have = 0;
    uint32_t mask = width == 32 ? UINT32_MAX : (UINT32_C(1) << width) - 1;
    for (size_t i = done; i < count; i++) {
        for (; have < width; have += 8)
            bits |= (uint64_t)*p++ << have;
        to[i] = (uint32_t)bits & mask;
        bits >>= width;
        have -= width;
    }
    *ret = count;
    return true;
}

int pq_hybrid_read(struct rd *r, uint32_t *numbers, size_t count, unsigned width)
{
    if (width > 32)
        return PQ_ERR_DAMAGED;
    for (size_t at = 0, got = 0; at < count; at += got) {
        uint64_t header = pq_varint_read(r);
        bool ok = (header & 1) != 0 ? get_packed(r, header, numbers + at, count - at, width, &got)
                                    : get_run(r, header, numbers + at, count - at, width, &got);
        if (!ok)
            return PQ_ERR_DAMAGED;
    }
    return rd_left(r) == 0 && !r->bad ? PQ_OK : PQ_ERR_DAMAGED;
}
