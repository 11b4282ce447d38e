#include "store/parquet/thrift.h"

#include <assert.h>
#include <string.h>

#define DEPTH_MAX 16

/* Types on the wire. */
enum {
    WIRE_STOP,
    WIRE_TRUE,
    WIRE_FALSE,
    WIRE_I8,
    WIRE_I16,
    WIRE_I32,
    WIRE_I64,
    WIRE_DOUBLE,
    WIRE_BINARY,
    WIRE_LIST,
    WIRE_SET,
    WIRE_MAP,
    WIRE_STRUCT
};

static const uint8_t wire_of[] = {
    WIRE_TRUE, WIRE_I8, WIRE_I16, WIRE_I32, WIRE_I64, WIRE_BINARY, WIRE_STRUCT, WIRE_LIST
};

static const uint8_t size_of[] = { sizeof(bool), 1, 2, 4, 8, sizeof(struct pq_slice), 0, sizeof(struct pq_list) };

void pq_varint_write(struct buf *out, uint64_t v)
{
    uint8_t octets[10];
    size_t n = 0;
    for (; v >= 0x80; v >>= 7)
        octets[n++] = (uint8_t)(v | 0x80);
    octets[n++] = (uint8_t)v;
    buf_put(out, octets, n);
}

uint64_t pq_varint_read(struct rd *r)
{
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        uint8_t octet = rd_u8(r);
        v |= (uint64_t)(octet & 0x7f) << shift;
        if (octet < 0x80)
            return v;
    }
    r->bad = true;
    return 0;
}

static void put_int(struct buf *out, int64_t v)
{
    pq_varint_write(out, (uint64_t)v << 1 ^ (v < 0 ? UINT64_MAX : 0));
}

static int64_t get_int(struct rd *r, int64_t min, int64_t max)
{
    uint64_t u = pq_varint_read(r);
    int64_t v = (int64_t)(u >> 1 ^ (0 - (u & 1)));
    if (v < min || v > max)
        r->bad = true;
    return v;
}

static size_t item_size(unsigned kind, const struct pq_thrift_struct *sub)
{
    return kind == PQ_THRIFT_STRUCT ? sub->size : size_of[kind];
}

/* ---- writing ---- */

static int64_t load_int(unsigned kind, const void *from)
{
    int8_t i8;
    int16_t i16;
    int32_t i32;
    int64_t i64;
    switch (kind) {
    case PQ_THRIFT_I8:
        memcpy(&i8, from, sizeof(i8));
        return i8;
    case PQ_THRIFT_I16:
        memcpy(&i16, from, sizeof(i16));
        return i16;
    case PQ_THRIFT_I32:
        memcpy(&i32, from, sizeof(i32));
        return i32;
    default:
        memcpy(&i64, from, sizeof(i64));
        return i64;
    }
}

static void put_list(const struct pq_thrift_field *f, const struct pq_list *list, struct buf *out);

static void put_value(unsigned kind, const struct pq_thrift_field *f, const void *from, struct buf *out)
{
    const struct pq_slice *slice = from;
    switch (kind) {
    case PQ_THRIFT_BOOL: /* in a list; a field says it in its header */
        buf_putc(out, *(const bool *)from ? WIRE_TRUE : WIRE_FALSE);
        break;
    case PQ_THRIFT_I8:
        buf_putc(out, (char)*(const int8_t *)from);
        break;
    case PQ_THRIFT_BINARY:
        pq_varint_write(out, slice->len);
        buf_put(out, slice->ptr, slice->len);
        break;
    case PQ_THRIFT_STRUCT:
        pq_thrift_write(f->sub, from, out);
        break;
    case PQ_THRIFT_LIST:
        put_list(f, from, out);
        break;
    default:
        put_int(out, load_int(kind, from));
    }
}

static void put_list(const struct pq_thrift_field *f, const struct pq_list *list, struct buf *out)
{
    unsigned wire = wire_of[f->element];
    if (list->count < 15) {
        buf_putc(out, (char)(list->count << 4 | wire));
    } else {
        buf_putc(out, (char)(0xf0 | wire));
        pq_varint_write(out, list->count);
    }
    if (list->raw.ptr != NULL) {
        buf_put(out, list->raw.ptr, list->raw.len);
        return;
    }
    size_t size = item_size(f->element, f->sub);
    for (size_t i = 0; i < list->count; i++)
        put_value(f->element, f, (const uint8_t *)list->items + i * size, out);
}

static void put_header(unsigned wire, int id, int last, struct buf *out)
{
    if (id > last && id - last <= 15) {
        buf_putc(out, (char)((unsigned)(id - last) << 4 | wire));
    } else {
        buf_putc(out, (char)wire);
        put_int(out, id);
    }
}

void pq_thrift_write(const struct pq_thrift_struct *s, const void *from, struct buf *out)
{
    uint32_t present;
    memcpy(&present, from, sizeof(present));
    assert((present & s->required) == s->required);
    int last = 0;
    for (unsigned i = 0; i < s->count; i++) {
        const struct pq_thrift_field *f = &s->fields[i];
        const uint8_t *at = (const uint8_t *)from + f->offset;
        if ((present >> i & 1) == 0)
            continue;
        unsigned wire = wire_of[f->kind];
        if (f->kind == PQ_THRIFT_BOOL && !*(const bool *)at)
            wire = WIRE_FALSE;
        put_header(wire, f->id, last, out);
        last = f->id;
        if (f->kind != PQ_THRIFT_BOOL)
            put_value(f->kind, f, at, out);
    }
    buf_putc(out, WIRE_STOP);
}

/* ---- reading ---- */

struct in {
    struct rd *r;
    struct pq_arena *arena;
    unsigned depth;
};

static int get_struct(struct in *in, const struct pq_thrift_struct *s, void *to);

static size_t get_count(struct rd *r, unsigned *ret_wire)
{
    uint8_t octet = rd_u8(r);
    *ret_wire = octet & 15;
    uint64_t count = octet >> 4;
    if (count == 15)
        count = pq_varint_read(r);
    if (count > rd_left(r)) /* an element has one octet at least */
        r->bad = true;
    return r->bad ? 0 : (size_t)count;
}

static void skip(struct in *in, unsigned wire, bool element);

static void skip_many(struct in *in, unsigned wire, size_t count)
{
    for (size_t i = 0; i < count && !in->r->bad; i++)
        skip(in, wire, true);
}

static void skip_struct(struct in *in)
{
    for (;;) {
        uint8_t octet = rd_u8(in->r);
        if (in->r->bad || octet == WIRE_STOP)
            return;
        if (octet >> 4 == 0)
            (void)pq_varint_read(in->r);
        skip(in, octet & 15, false);
    }
}

static void skip_map(struct in *in)
{
    uint64_t count = pq_varint_read(in->r);
    uint8_t kinds = count > 0 ? rd_u8(in->r) : 0;
    if (count > rd_left(in->r))
        in->r->bad = true;
    for (uint64_t i = 0; i < count && !in->r->bad; i++) {
        skip(in, kinds >> 4, true);
        skip(in, kinds & 15, true);
    }
}

/* Steps over a value of any type. A boolean has an octet only as an element of a list. */
static void skip(struct in *in, unsigned wire, bool element)
{
    if (++in->depth > DEPTH_MAX)
        in->r->bad = true;
    unsigned inner;
    size_t count;
    if (!in->r->bad)
        switch (wire) {
        case WIRE_TRUE:
        case WIRE_FALSE:
            rd_skip(in->r, element ? 1 : 0);
            break;
        case WIRE_I8:
            rd_skip(in->r, 1);
            break;
        case WIRE_I16:
        case WIRE_I32:
        case WIRE_I64:
            (void)pq_varint_read(in->r);
            break;
        case WIRE_DOUBLE:
            rd_skip(in->r, 8);
            break;
        case WIRE_BINARY:
            rd_skip(in->r, (size_t)pq_varint_read(in->r));
            break;
        case WIRE_LIST:
        case WIRE_SET:
            count = get_count(in->r, &inner);
            skip_many(in, inner, count);
            break;
        case WIRE_MAP:
            skip_map(in);
            break;
        case WIRE_STRUCT:
            skip_struct(in);
            break;
        default:
            in->r->bad = true;
        }
    in->depth--;
}

static void get_binary(struct rd *r, struct pq_slice *to)
{
    uint64_t len = pq_varint_read(r);
    if (len > rd_left(r))
        r->bad = true;
    else if (rd_take(r, (size_t)len, &to->ptr))
        to->len = (size_t)len;
}

static int get_list(struct in *in, const struct pq_thrift_field *f, struct pq_list *to);

static int get_value(struct in *in, unsigned kind, const struct pq_thrift_field *f, void *to)
{
    switch (kind) {
    case PQ_THRIFT_BOOL:
        *(bool *)to = rd_u8(in->r) == WIRE_TRUE;
        return PQ_OK;
    case PQ_THRIFT_I8:
        *(int8_t *)to = (int8_t)rd_u8(in->r);
        return PQ_OK;
    case PQ_THRIFT_I16:
        *(int16_t *)to = (int16_t)get_int(in->r, INT16_MIN, INT16_MAX);
        return PQ_OK;
    case PQ_THRIFT_I32:
        *(int32_t *)to = (int32_t)get_int(in->r, INT32_MIN, INT32_MAX);
        return PQ_OK;
    case PQ_THRIFT_I64:
        *(int64_t *)to = get_int(in->r, INT64_MIN, INT64_MAX);
        return PQ_OK;
    case PQ_THRIFT_BINARY:
        get_binary(in->r, to);
        return PQ_OK;
    case PQ_THRIFT_STRUCT:
        return get_struct(in, f->sub, to);
    default:
        return get_list(in, f, to);
    }
}

static int get_list(struct in *in, const struct pq_thrift_field *f, struct pq_list *to)
{
    unsigned wire;
    size_t count = get_count(in->r, &wire);
    bool fits = wire == wire_of[f->element] || (wire == WIRE_FALSE && f->element == PQ_THRIFT_BOOL);
    if (in->r->bad || (!fits && count > 0))
        return PQ_ERR_DAMAGED;
    size_t size = item_size(f->element, f->sub);
    *to = (struct pq_list){ .count = count, .items = pq_arena_array(in->arena, count, size) };
    if (to->items == NULL)
        return PQ_ERR_LIMIT;
    int rc = PQ_OK;
    for (size_t i = 0; i < count && rc == PQ_OK && !in->r->bad; i++)
        rc = get_value(in, f->element, f, (uint8_t *)to->items + i * size);
    return rc;
}

static const struct pq_thrift_field *find(const struct pq_thrift_struct *s, int id, unsigned *ret_bit)
{
    for (unsigned i = 0; i < s->count; i++)
        if (s->fields[i].id == id) {
            *ret_bit = i;
            return &s->fields[i];
        }
    return NULL;
}

static int get_field(struct in *in, const struct pq_thrift_struct *s, unsigned wire, int id, uint8_t *to)
{
    unsigned bit = 0;
    const struct pq_thrift_field *f = find(s, id, &bit);
    if (f == NULL) {
        skip(in, wire, false);
        return PQ_OK;
    }
    uint32_t present;
    memcpy(&present, to, sizeof(present));
    bool fits = wire == wire_of[f->kind] || (wire == WIRE_FALSE && f->kind == PQ_THRIFT_BOOL);
    if (!fits || (present >> bit & 1) != 0)
        return PQ_ERR_DAMAGED;
    present |= UINT32_C(1) << bit;
    memcpy(to, &present, sizeof(present));
    if (f->kind != PQ_THRIFT_BOOL)
        return get_value(in, f->kind, f, to + f->offset);
    *(bool *)(to + f->offset) = wire == WIRE_TRUE;
    return PQ_OK;
}

static int get_struct(struct in *in, const struct pq_thrift_struct *s, void *to)
{
    if (++in->depth > DEPTH_MAX)
        return PQ_ERR_DAMAGED;
    memset(to, 0, s->size);
    int last = 0, rc = PQ_OK;
    while (rc == PQ_OK) {
        uint8_t octet = rd_u8(in->r);
        if (in->r->bad || octet == WIRE_STOP)
            break;
        last = octet >> 4 != 0 ? last + (octet >> 4) : (int)get_int(in->r, INT16_MIN, INT16_MAX);
        rc = get_field(in, s, octet & 15, last, to);
    }
    in->depth--;
    uint32_t present;
    memcpy(&present, to, sizeof(present));
    if (rc == PQ_OK && (in->r->bad || (present & s->required) != s->required))
        rc = PQ_ERR_DAMAGED;
    return rc;
}

int pq_thrift_read(const struct pq_thrift_struct *s, struct rd *r, struct pq_arena *arena, void *to)
{
    struct in in = { .r = r, .arena = arena };
    return get_struct(&in, s, to);
}
