/* Cuts a byte stream into version 3 frames. The length field is the only record mark there is. */
#include <assert.h>
#include <string.h>

#include "hep/hep.h"
#include "hep/rd.h"

void hep_stream_init(struct hep_stream *s, uint8_t *buf, size_t cap)
{
    assert(cap >= HEP_HEADER_SIZE);
    *s = (struct hep_stream){ .buf = buf, .cap = cap };
}

void hep_stream_space(struct hep_stream *s, uint8_t **ret_ptr, size_t *ret_cap)
{
    if (s->start > 0) {
        memmove(s->buf, s->buf + s->start, s->end - s->start);
        s->end -= s->start;
        s->start = 0;
    }
    *ret_ptr = s->buf + s->end;
    *ret_cap = s->error == HEP_OK ? s->cap - s->end : 0;
}

void hep_stream_filled(struct hep_stream *s, size_t len)
{
    assert(len <= s->cap - s->end);
    s->end += len;
}

size_t hep_stream_push(struct hep_stream *s, const uint8_t *data, size_t len)
{
    uint8_t *to;
    size_t space;
    hep_stream_space(s, &to, &space);
    if (len > space)
        len = space;
    if (len > 0)
        memcpy(to, data, len);
    hep_stream_filled(s, len);
    return len;
}

/* Judges as much of the header as there is, so that a stream of something else ends at its first octets. */
static int frame_length(const struct hep_stream *s, size_t *ret)
{
    static const uint8_t magic[4] = { 'H', 'E', 'P', '3' };
    const uint8_t *p = s->buf + s->start;
    size_t have = s->end - s->start;
    if (memcmp(p, magic, have < sizeof(magic) ? have : sizeof(magic)) != 0)
        return HEP_ERR_MAGIC;
    if (have < HEP_HEADER_SIZE)
        return HEP_NEED_MORE;
    *ret = be16_load(p + 4);
    if (*ret < HEP_HEADER_SIZE)
        return HEP_ERR_TOTAL_LENGTH;
    if (*ret > s->cap)
        return HEP_ERR_FRAME_LIMIT;
    return have < *ret ? HEP_NEED_MORE : HEP_OK;
}

int hep_stream_next(struct hep_stream *s, struct hep_slice *frame)
{
    if (s->error != HEP_OK)
        return s->error;
    if (s->start == s->end)
        return HEP_NEED_MORE;
    size_t len = 0;
    int rc = frame_length(s, &len);
    if (rc < 0)
        s->error = rc;
    if (rc != HEP_OK)
        return rc;
    *frame = (struct hep_slice){ s->buf + s->start, len };
    s->start += len;
    s->offset += len;
    return HEP_OK;
}

int hep_stream_finish(const struct hep_stream *s)
{
    if (s->error != HEP_OK)
        return s->error;
    return s->start == s->end ? HEP_OK : HEP_ERR_TRUNCATED;
}
