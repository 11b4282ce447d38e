#include "cmd/read_frames.h"

#include <stdlib.h>

#include "hep/hep.h"

#define STREAM_SIZE (1u << 20)

/* Hands out the whole frames that are there; HEP_NEED_MORE if reading is to go on. */
static int take_frames(const struct frame_reading *r, struct hep_stream *s)
{
    struct hep_slice frame;
    int rc = HEP_NEED_MORE;
    while (!*r->done && (rc = hep_stream_next(s, &frame)) == HEP_OK)
        r->on_frame(r->arg, frame.ptr, frame.len, s->offset - frame.len);
    return rc;
}

int read_frames(const struct frame_reading *r, uint64_t *ret_offset)
{
    struct hep_stream s;
    uint8_t *buf = malloc(STREAM_SIZE);
    *ret_offset = 0;
    if (buf == NULL)
        return HEP_ERR_NO_MEMORY;
    hep_stream_init(&s, buf, STREAM_SIZE);
    int rc = HEP_NEED_MORE;
    while (rc == HEP_NEED_MORE && !*r->done) {
        uint8_t *to;
        size_t cap;
        hep_stream_space(&s, &to, &cap);
        ssize_t n = input_read(r->in, to, cap);
        if (n <= 0)
            break;
        hep_stream_filled(&s, (size_t)n);
        rc = take_frames(r, &s);
    }
    free(buf);
    *ret_offset = s.offset;
    if (*r->done)
        return HEP_OK;
    return rc == HEP_NEED_MORE ? hep_stream_finish(&s) : rc;
}

int read_single(const struct frame_reading *r, uint64_t *ret_offset)
{
    uint8_t data[HEP_FRAME_MAX + 1];
    size_t len = 0;
    ssize_t n;
    while (len < sizeof(data) && (n = input_read(r->in, data + len, sizeof(data) - len)) > 0)
        len += (size_t)n;
    *ret_offset = HEP_FRAME_MAX;
    if (len > HEP_FRAME_MAX)
        return HEP_ERR_TOO_LONG;
    r->on_frame(r->arg, data, len, 0);
    return HEP_OK;
}
