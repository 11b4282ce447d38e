#include "store/parquet/delta.h"

#include <string.h>

#include "base/le.h"
#include "store/parquet/thrift.h"

#define BLOCK     128u
#define MINI      32u
#define MINIS     (BLOCK / MINI)
#define MINIS_MAX 64u /* of a block that is read */

static uint64_t zigzag(uint64_t n)
{
    return n << 1 ^ (0 - (n >> 63));
}

static uint64_t unzigzag(uint64_t n)
{
    return n >> 1 ^ (0 - (n & 1));
}

/* ---- writing ---- */

static unsigned bits_of(uint64_t n)
{
    return n == 0 ? 0 : 64u - (unsigned)__builtin_clzll(n);
}

/* 32 numbers of `width` bits, lowest bit first. */
static void pack(uint8_t *to, const uint64_t *numbers, unsigned width)
{
    unsigned __int128 bits = 0;
    unsigned have = 0;
    for (size_t i = 0; i < MINI; i++) {
        bits |= (unsigned __int128)numbers[i] << have;
        for (have += width; have >= 8; have -= 8, bits >>= 8)
            *to++ = (uint8_t)bits;
    }
}

/* A 32 bit difference wraps at 32 bits: nothing wider is to be stored. */
static uint64_t narrow(uint64_t n, bool is_wide)
{
    return is_wide ? n : (uint64_t)(int64_t)(int32_t)(uint32_t)n;
}

static void put_block(struct buf *out, uint64_t *deltas, size_t count, bool is_wide)
{
    uint8_t widths[MINIS] = { 0 };
    int64_t least = (int64_t)deltas[0];
    for (size_t i = 1; i < count; i++)
        least = (int64_t)deltas[i] < least ? (int64_t)deltas[i] : least;
    for (size_t i = 0; i < BLOCK; i++) {
        deltas[i] = i < count ? deltas[i] - (uint64_t)least : 0;
        deltas[i] = is_wide ? deltas[i] : (uint32_t)deltas[i];
    }
    for (size_t m = 0; m < MINIS; m++) {
        uint64_t all = 0;
        for (size_t i = 0; i < MINI; i++)
            all |= deltas[m * MINI + i];
        widths[m] = (uint8_t)bits_of(all);
    }
    pq_varint_write(out, zigzag((uint64_t)least));
    buf_put(out, widths, sizeof(widths));
    for (size_t m = 0; m < MINIS && m * MINI < count; m++) {
        uint8_t *to = buf_space(out, (size_t)widths[m] * MINI / 8);
        if (to == NULL)
            return;
        pack(to, deltas + m * MINI, widths[m]);
        buf_added(out, (size_t)widths[m] * MINI / 8);
    }
}

void pq_delta_put(struct buf *out, const int64_t *numbers, size_t count, bool is_wide)
{
    uint64_t deltas[BLOCK];
    pq_varint_write(out, BLOCK);
    pq_varint_write(out, MINIS);
    pq_varint_write(out, count);
    pq_varint_write(out, zigzag(count > 0 ? (uint64_t)numbers[0] : 0));
    for (size_t at = 1; at < count; at += BLOCK) {
        size_t n = count - at < BLOCK ? count - at : BLOCK;
        for (size_t i = 0; i < n; i++)
            deltas[i] = narrow((uint64_t)numbers[at + i] - (uint64_t)numbers[at + i - 1], is_wide);
        put_block(out, deltas, n, is_wide);
    }
}

/* ---- reading ---- */

struct unpack {
    uint64_t last, least;
    uint8_t *to;
    size_t width, left;
};

/* 32 numbers of `width` bits at p, in the first `room` octets there; each from a load of its own while there is room.
 */
static void unpack(const uint8_t *p, size_t room, unsigned width, uint64_t numbers[MINI])
{
    uint64_t mask = width == 64 ? UINT64_MAX : (UINT64_C(1) << width) - 1;
    unsigned __int128 bits = 0;
    unsigned have = 0;
    if (width <= 56 && room >= (size_t)width * MINI / 8 + 8) {
        for (size_t i = 0; i < MINI; i++)
            numbers[i] = le64_load(p + i * width / 8) >> i * width % 8 & mask;
        return;
    }
    for (size_t i = 0; i < MINI; i++) {
        for (; have < width; have += 8)
            bits |= (unsigned __int128)*p++ << have;
        numbers[i] = (uint64_t)bits & mask;
        bits >>= width;
        have -= width;
    }
}

static void put_values(struct unpack *u, const uint64_t *deltas, size_t count)
{
    uint64_t last = u->last, least = u->least;
    for (size_t i = 0; u->width == 4 && i < count; i++) {
        uint32_t low = (uint32_t)(last += least + deltas[i]);
        memcpy(u->to + 4 * i, &low, sizeof(low));
    }
    for (size_t i = 0; u->width == 8 && i < count; i++) {
        last += least + deltas[i];
        memcpy(u->to + 8 * i, &last, sizeof(last));
    }
    u->last = last;
    u->to += u->width * count;
    u->left -= count;
}

static bool get_mini(struct rd *r, struct unpack *u, unsigned width, size_t values)
{
    const uint8_t *p;
    uint64_t deltas[MINI];
    size_t room = rd_left(r);
    if (width > 64 || !rd_take(r, values * width / 8, &p))
        return false;
    for (size_t i = 0; i < values && u->left > 0; i += MINI) {
        size_t octets = i * width / 8;
        unpack(p + octets, room - octets, width, deltas);
        put_values(u, deltas, u->left < MINI ? u->left : MINI);
    }
    return true;
}

static bool get_block(struct rd *r, struct unpack *u, size_t minis, size_t values)
{
    const uint8_t *widths;
    u->least = unzigzag(pq_varint_read(r));
    if (!rd_take(r, minis, &widths))
        return false;
    for (size_t m = 0; m < minis && u->left > 0; m++)
        if (!get_mini(r, u, widths[m], values))
            return false;
    return true;
}

int pq_delta_get(struct rd *r, size_t width, uint8_t *to, size_t count)
{
    uint64_t block = pq_varint_read(r), minis = pq_varint_read(r), total = pq_varint_read(r);
    uint64_t first = unzigzag(pq_varint_read(r));
    struct unpack u = { .to = to, .width = width, .left = count };
    if (r->bad || total != count || block == 0 || block % 128 != 0 || block > PQ_PAGE_ROWS_MAX || minis == 0 ||
        minis > MINIS_MAX || block % minis != 0 || block / minis % 32 != 0)
        return PQ_ERR_DAMAGED;
    if (count > 0)
        put_values(&u, &first, 1); /* on top of nothing */
    while (u.left > 0)
        if (!get_block(r, &u, (size_t)minis, (size_t)(block / minis)))
            return PQ_ERR_DAMAGED;
    return rd_left(r) == 0 && !r->bad ? PQ_OK : PQ_ERR_DAMAGED;
}
