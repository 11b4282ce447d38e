#include "capture/hep_flow.h"

#include <stdlib.h>
#include <string.h>

#include "hep/hep.h"

/* Streams that may wait inside a frame at the same time; each then holds 64 KiB. */
#define PARTIAL_MAX 4096

struct hep_flow {
    struct hep_flows *all;
    struct hep_stream stream;
    uint8_t *buf;    /* NULL while nothing waits */
    uint64_t offset; /* octets of the stream before the buffer was taken */
    bool lost;
};

struct hep_flow *hep_flow_new(struct hep_flows *all, bool lost)
{
    struct hep_flow *f = calloc(1, sizeof(*f));
    if (f == NULL)
        return NULL;
    f->all = all;
    f->lost = lost;
    return f;
}

static void release_buffer(struct hep_flow *f)
{
    if (f->buf == NULL)
        return;
    free(f->buf);
    f->buf = NULL;
    f->all->partial--;
}

void hep_flow_free(void *flow)
{
    struct hep_flow *f = flow;
    if (f == NULL)
        return;
    release_buffer(f);
    free(f);
}

static bool take_buffer(struct hep_flow *f)
{
    if (f->buf != NULL)
        return true;
    f->buf = f->all->partial < PARTIAL_MAX ? malloc(HEP_FRAME_MAX) : NULL;
    if (f->buf == NULL)
        return false;
    f->all->partial++;
    hep_stream_init(&f->stream, f->buf, HEP_FRAME_MAX);
    return true;
}

/* Drops what waits; the stream has to be found again. */
static void lose(struct hep_flow *f, int error)
{
    if (f->buf != NULL) {
        size_t held = f->stream.end - f->stream.start;
        if (error != HEP_ERR_TRUNCATED || held > 0)
            f->all->on_bad(f->all->arg, error, f->offset + f->stream.offset);
        f->offset += f->stream.offset + held;
    }
    release_buffer(f);
    f->lost = true;
}

static void pass_over(struct hep_flow *f, size_t len)
{
    f->all->skipped += len;
    f->offset += len;
}

bool hep_flow_starts(const uint8_t *data, size_t len)
{
    static const uint8_t magic[4] = { 'H', 'E', 'P', '3' };
    return memcmp(data, magic, len < sizeof(magic) ? len : sizeof(magic)) == 0;
}

/* Frames out of the buffer: false if the stream is lost. */
static bool take_frames(struct hep_flow *f)
{
    struct hep_slice frame;
    int rc;
    while ((rc = hep_stream_next(&f->stream, &frame)) == HEP_OK)
        f->all->on_frame(f->all->arg, frame.ptr, frame.len);
    if (rc != HEP_NEED_MORE)
        lose(f, rc);
    return rc == HEP_NEED_MORE;
}

void hep_flow_data(struct hep_flow *f, const uint8_t *data, size_t len)
{
    if (len == 0)
        return;
    if ((f->lost && !hep_flow_starts(data, len)) || !take_buffer(f)) {
        pass_over(f, len);
        return;
    }
    f->lost = false;
    while (len > 0 && !*f->all->done) {
        size_t n = hep_stream_push(&f->stream, data, len);
        data += n;
        len -= n;
        if (!take_frames(f)) {
            pass_over(f, len);
            return;
        }
    }
    if (f->stream.start == f->stream.end) { /* nothing waits: the everyday case at the end of a segment */
        f->offset += f->stream.offset;
        release_buffer(f);
    }
}

void hep_flow_gap(struct hep_flow *f, size_t missing)
{
    lose(f, HEP_ERR_TRUNCATED);
    f->offset += missing;
}
