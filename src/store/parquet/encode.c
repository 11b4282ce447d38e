#include "store/parquet/encode.h"

#include <string.h>

#include "store/parquet/hybrid.h"

static void le32_store(uint8_t *p, uint32_t v)
{
    for (unsigned i = 0; i < 4; i++)
        p[i] = (uint8_t)(v >> 8 * i);
}

void pq_plain_put(struct buf *out, struct pq_slice value)
{
    uint8_t *to = value.len < PQ_PAGE_MAX ? buf_space(out, value.len + 4) : NULL;
    if (to == NULL) {
        out->failed = true;
        return;
    }
    le32_store(to, (uint32_t)value.len);
    if (value.len > 0)
        memcpy(to + 4, value.ptr, value.len);
    buf_added(out, value.len + 4);
}

static void put_booleans(struct buf *out, const struct pq_slice *values, size_t count)
{
    unsigned bits = 0, have = 0;
    for (size_t i = 0; i < count; i++) {
        if (values[i].ptr == NULL)
            continue;
        bits |= (unsigned)(values[i].ptr[0] != 0) << have;
        if (++have == 8) {
            buf_putc(out, (char)bits);
            bits = have = 0;
        }
    }
    if (have > 0)
        buf_putc(out, (char)bits);
}

/* Fixed widths one after the other. A constant width makes memcpy() a load and a store. */
#define PUT_FIXED(width)                                                                                               \
    for (size_t i = 0; i < count; i++)                                                                                 \
        if (values[i].ptr != NULL) {                                                                                   \
            memcpy(to, values[i].ptr, width);                                                                          \
            to += (width);                                                                                             \
        }

static void put_fixed(struct buf *out, const struct pq_slice *values, size_t count, size_t width)
{
    uint8_t *start = buf_space(out, count * width), *to = start;
    if (start == NULL)
        return;
    if (width == 4) {
        PUT_FIXED(4)
    } else if (width == 8) {
        PUT_FIXED(8)
    } else {
        PUT_FIXED(width)
    }
    buf_added(out, (size_t)(to - start));
}

void pq_values_put(struct buf *out, const struct pq_column *c, const struct pq_slice *values, size_t count)
{
    size_t width = pq_column_width(c);
    if (c->type == PQ_BOOLEAN) {
        put_booleans(out, values, count);
    } else if (c->type == PQ_BYTE_ARRAY) {
        for (size_t i = 0; i < count; i++)
            if (values[i].ptr != NULL)
                pq_plain_put(out, values[i]);
    } else {
        put_fixed(out, values, count, width);
    }
}

void pq_levels_put_numbers(struct buf *out, const struct pq_column *c, const uint32_t *levels, size_t count,
                           size_t nulls)
{
    if (!c->nullable)
        return;
    size_t start = out->len;
    buf_put(out, "\0\0\0\0", 4);
    if (nulls == 0 || nulls == count)
        pq_hybrid_write_run(out, nulls == 0, count, 1);
    else
        pq_hybrid_write(out, levels, count, 1);
    if (!out->failed)
        le32_store(out->ptr + start, (uint32_t)(out->len - start - 4));
}

void pq_levels_put(struct buf *out, const struct pq_column *c, const struct pq_slice *values, size_t count,
                   size_t nulls, uint32_t *scratch)
{
    if (c->nullable && nulls != 0 && nulls != count)
        for (size_t i = 0; i < count; i++)
            scratch[i] = values[i].ptr != NULL;
    pq_levels_put_numbers(out, c, scratch, count, nulls);
}

static void get_booleans(const uint8_t *bits, struct pq_slice *values, size_t count)
{
    static const uint8_t truth[2] = { 0, 1 };
    for (size_t i = 0; i < count; i++)
        values[i] = (struct pq_slice){ &truth[bits[i / 8] >> (i % 8) & 1], 1 };
}

static void get_texts(struct rd *r, struct pq_slice *values, size_t count)
{
    for (size_t i = 0; i < count && !r->bad; i++) {
        size_t len = rd_u32le(r);
        const uint8_t *p = r->ptr;
        (void)rd_take(r, len, &p);
        values[i] = (struct pq_slice){ p, len };
    }
}

int pq_values_get(struct rd *r, const struct pq_column *c, struct pq_slice *values, size_t count)
{
    size_t width = pq_column_width(c);
    const uint8_t *p = NULL;
    if (c->type == PQ_BYTE_ARRAY) {
        get_texts(r, values, count);
    } else if (c->type == PQ_BOOLEAN) {
        if (rd_take(r, (count + 7) / 8, &p))
            get_booleans(p, values, count);
    } else if (rd_take(r, count * width, &p)) {
        for (size_t i = 0; i < count; i++)
            values[i] = (struct pq_slice){ p + i * width, width };
    }
    return rd_left(r) == 0 && !r->bad ? PQ_OK : PQ_ERR_DAMAGED;
}
