#include "net/http_body.h"

#include <string.h>

#define INFLATE_STEP 16384

unsigned http_body_init(struct http_body *b, struct http_account *account, size_t max, bool gzip)
{
    *b = (struct http_body){ .account = account, .gzip = gzip };
    buf_init(&b->data, max);
    if (gzip && inflateInit2(&b->z, 16 + MAX_WBITS) != Z_OK) {
        b->gzip = false;
        return 503;
    }
    return 0;
}

void http_body_free(struct http_body *b)
{
    b->account->used -= b->charged;
    b->charged = 0;
    buf_free(&b->data);
    if (b->gzip)
        (void)inflateEnd(&b->z);
    b->gzip = false;
}

/* Room for `len` more octets within both limits. NULL: *ret_status says why. */
static uint8_t *make_room(struct http_body *b, size_t len, unsigned *ret_status)
{
    if (len > b->data.max - b->data.len) {
        *ret_status = 413;
        return NULL;
    }
    uint8_t *to = buf_space(&b->data, len);
    b->account->used += b->data.cap - b->charged;
    b->charged = b->data.cap;
    *ret_status = to == NULL || b->account->used > b->account->max ? 503 : 0;
    return *ret_status == 0 ? to : NULL;
}

static unsigned add_plain(struct http_body *b, const void *data, size_t len)
{
    unsigned status;
    uint8_t *to = make_room(b, len, &status);
    if (to == NULL)
        return status;
    memcpy(to, data, len);
    buf_added(&b->data, len);
    return 0;
}

/* gzip files may follow one another; each has its own header and trailer. */
static unsigned next_member(struct http_body *b)
{
    b->ended = false;
    return inflateReset(&b->z) == Z_OK ? 0 : 400;
}

/* Unpacks into a block on the stack first, so that the limit is exact and the last step never asks for spare room. */
static unsigned inflate_step(struct http_body *b)
{
    uint8_t block[INFLATE_STEP];
    b->z.next_out = block;
    b->z.avail_out = sizeof(block);
    int rc = inflate(&b->z, Z_NO_FLUSH);
    if (rc != Z_OK && rc != Z_STREAM_END && rc != Z_BUF_ERROR)
        return rc == Z_MEM_ERROR ? 503 : 400;
    b->ended = rc == Z_STREAM_END;
    size_t len = sizeof(block) - b->z.avail_out;
    return len == 0 ? 0 : add_plain(b, block, len);
}

static unsigned add_gzip(struct http_body *b, const void *data, size_t len)
{
    /* zlib's own octets are not const-correct; it does not write there. */
    union {
        const void *in;
        Bytef *out;
    } from = { .in = data };
    b->z.next_in = from.out;
    b->z.avail_in = (uInt)len; /* pieces are as large as the server's read buffer */
    unsigned status = 0;
    do {
        if (b->ended && b->z.avail_in > 0)
            status = next_member(b);
        if (status == 0)
            status = inflate_step(b);
    } while (status == 0 && (b->z.avail_in > 0 || (b->z.avail_out == 0 && !b->ended)));
    return status;
}

unsigned http_body_add(struct http_body *b, const void *data, size_t len)
{
    b->wire += len;
    if (len == 0)
        return 0;
    return b->gzip ? add_gzip(b, data, len) : add_plain(b, data, len);
}

unsigned http_body_end(const struct http_body *b)
{
    return b->gzip && !b->ended ? 400 : 0;
}
