#include "store/lake/duck_wire.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

/* ------------------------------------------------------------------------------------------------ writing */

void duck_put_u8(struct buf *b, uint8_t v)
{
    buf_put(b, &v, 1);
}

void duck_put_u32(struct buf *b, uint32_t v)
{
    uint8_t octets[4];
    le32_put(octets, v);
    buf_put(b, octets, sizeof(octets));
}

void duck_put_u64(struct buf *b, uint64_t v)
{
    uint8_t octets[8];
    le64_put(octets, v);
    buf_put(b, octets, sizeof(octets));
}

void duck_put_text(struct buf *b, const void *ptr, size_t len)
{
    if (len > DUCK_FRAME_MAX) {
        b->failed = true;
        return;
    }
    duck_put_u32(b, (uint32_t)len);
    buf_put(b, ptr, len);
}

size_t duck_frame_begin(struct buf *b, enum duck_frame type)
{
    size_t start = b->len;
    duck_put_u32(b, 0);
    duck_put_u8(b, (uint8_t)type);
    return start;
}

void duck_frame_end(struct buf *b, size_t start)
{
    if (!b->failed)
        le32_put(b->ptr + start, (uint32_t)(b->len - start - DUCK_HEAD));
}

static void put_texts(struct buf *b, const struct duck_value *v)
{
    duck_put_u32(b, (uint32_t)v->text_count);
    for (size_t i = 0; i < v->text_count; i++)
        duck_put_text(b, v->texts[i].ptr, v->texts[i].len);
}

void duck_put_value(struct buf *b, const struct duck_value *v)
{
    uint64_t bits;
    duck_put_u8(b, (uint8_t)v->kind);
    switch (v->kind) {
    case DUCK_NULL:
        break;
    case DUCK_BOOL:
        duck_put_u8(b, v->boolean);
        break;
    case DUCK_INT64:
    case DUCK_TIMESTAMP_US:
        duck_put_u64(b, (uint64_t)v->number);
        break;
    case DUCK_DOUBLE:
        memcpy(&bits, &v->real, sizeof(bits));
        duck_put_u64(b, bits);
        break;
    case DUCK_TEXT:
    case DUCK_BLOB:
        duck_put_text(b, v->octets.ptr, v->octets.len);
        break;
    case DUCK_TEXTS:
        put_texts(b, v);
        break;
    }
}

void duck_put_hello(struct buf *b, const struct duck_hello *h)
{
    duck_put_text(b, h->lake_dir.ptr, h->lake_dir.len);
    duck_put_text(b, h->temp_dir.ptr, h->temp_dir.len);
    duck_put_text(b, h->library.ptr, h->library.len);
    duck_put_u64(b, h->memory);
    duck_put_u64(b, h->address_space);
    duck_put_u64(b, h->temp_max);
    duck_put_u32(b, h->threads);
    duck_put_u32(b, h->slots);
    duck_put_u8(b, h->ordered);
    duck_put_u8(b, h->any_statement);
}

/* ------------------------------------------------------------------------------------------------ reading */

struct duck_slice duck_get_text(struct rd *r)
{
    uint32_t len = rd_u32le(r);
    struct duck_slice s = { (const uint8_t *)"", 0 };
    const uint8_t *p;
    if (rd_take(r, len, &p))
        s = (struct duck_slice){ len > 0 ? p : s.ptr, len };
    return s;
}

static int get_texts(struct rd *r, struct duck_value *v, struct duck_slice *texts, size_t cap, size_t *used)
{
    v->text_count = rd_u32le(r);
    v->texts = texts + *used;
    if (v->text_count > cap - *used)
        return -1;
    for (size_t i = 0; i < v->text_count; i++)
        texts[(*used)++] = duck_get_text(r);
    return 0;
}

int duck_get_value(struct rd *r, struct duck_value *v, struct duck_slice *texts, size_t cap, size_t *used)
{
    uint64_t bits;
    uint8_t kind = rd_u8(r);
    v->kind = (enum duck_kind)kind;
    switch (kind) {
    case DUCK_NULL:
        break;
    case DUCK_BOOL:
        v->boolean = rd_u8(r) != 0;
        break;
    case DUCK_INT64:
    case DUCK_TIMESTAMP_US:
        v->number = (int64_t)rd_u64le(r);
        break;
    case DUCK_DOUBLE:
        bits = rd_u64le(r);
        memcpy(&v->real, &bits, sizeof(bits));
        break;
    case DUCK_TEXT:
    case DUCK_BLOB:
        v->octets = duck_get_text(r);
        break;
    case DUCK_TEXTS:
        if (get_texts(r, v, texts, cap, used) != 0)
            return -1;
        break;
    default:
        return -1;
    }
    return r->bad ? -1 : 0;
}

int duck_get_hello(struct rd *r, struct duck_hello *h)
{
    h->lake_dir = duck_get_text(r);
    h->temp_dir = duck_get_text(r);
    h->library = duck_get_text(r);
    h->memory = rd_u64le(r);
    h->address_space = rd_u64le(r);
    h->temp_max = rd_u64le(r);
    h->threads = rd_u32le(r);
    h->slots = rd_u32le(r);
    h->ordered = rd_u8(r) != 0;
    h->any_statement = rd_u8(r) != 0;
    return r->bad || h->slots == 0 || h->slots > DUCK_SCANS_MAX ? -1 : 0;
}

/* ------------------------------------------------------------------------------------------------ transfer */

/* What a send or receive that returned `n` means: octets, or 0 to try again, or an end in *rc. */
static size_t progress(ssize_t n, bool end, int *rc)
{
    if (n > 0)
        return (size_t)n;
    if (end || (errno != EINTR && errno != EAGAIN))
        *rc = DUCK_WIRE_CLOSED;
    return 0;
}

int duck_send(int fd, const void *ptr, size_t len, duck_wait_fn *wait, void *arg)
{
    const uint8_t *p = ptr;
    int rc = 0;
    while (len > 0 && rc == 0) {
        if (wait != NULL && (rc = wait(arg, fd, POLLOUT)) != 0)
            break;
        size_t n = progress(send(fd, p, len, MSG_NOSIGNAL | (wait != NULL ? MSG_DONTWAIT : 0)), false, &rc);
        p += n;
        len -= n;
    }
    return rc;
}

static int receive_all(int fd, uint8_t *to, size_t len, duck_wait_fn *wait, void *arg)
{
    int rc = 0;
    while (len > 0 && rc == 0) {
        if (wait != NULL && (rc = wait(arg, fd, POLLIN)) != 0)
            break;
        ssize_t got = recv(fd, to, len, wait != NULL ? MSG_DONTWAIT : 0);
        size_t n = progress(got, got == 0, &rc);
        to += n;
        len -= n;
    }
    return rc;
}

int duck_receive(int fd, struct buf *body, enum duck_frame *ret_type, duck_wait_fn *wait, void *arg)
{
    uint8_t head[DUCK_HEAD];
    int rc = receive_all(fd, head, sizeof(head), wait, arg);
    if (rc != 0)
        return rc;
    size_t len = le32_load(head);
    *ret_type = (enum duck_frame)head[4];
    buf_reset(body);
    uint8_t *to = len <= DUCK_FRAME_MAX ? buf_space(body, len > 0 ? len : 1) : NULL;
    if (to == NULL)
        return DUCK_WIRE_MALFORMED;
    rc = receive_all(fd, to, len, wait, arg);
    buf_added(body, len);
    return rc;
}
