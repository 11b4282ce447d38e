/*
 * A byte stream. The first octet picks how it is cut and how large the buffer is; the frames that come out, and how
 * the stream ends, must not depend on the cutting.
 */
#include <string.h>

#include "fuzz.h"
#include "hep/hep.h"

/* What came out of a stream, in numbers. */
struct outcome {
    size_t frames, octets;
    uint64_t digest; /* of the frames and their lengths (FNV-1a) */
    uint64_t offset;
    int end, finish;
};

static void digest(struct outcome *o, const uint8_t *p, size_t len)
{
    o->digest = (o->digest ^ len) * UINT64_C(0x100000001b3);
    for (size_t i = 0; i < len; i++)
        o->digest = (o->digest ^ p[i]) * UINT64_C(0x100000001b3);
}

static size_t step_size(unsigned how, uint32_t *seed)
{
    switch (how) {
    case 0:
        return SIZE_MAX;
    case 1:
    case 2:
    case 3:
        return how;
    default:
        *seed = *seed * 1664525u + 1013904223u;
        return 1 + (*seed >> 16) % (how * 4);
    }
}

static struct outcome run(const uint8_t *data, size_t size, size_t cap, unsigned how, bool push)
{
    struct outcome o = { .digest = UINT64_C(0xcbf29ce484222325) };
    uint8_t *buf = malloc(cap);
    struct hep_stream s;
    struct hep_slice frame;
    uint32_t seed = how;
    FUZZ_CHECK(buf != NULL);
    hep_stream_init(&s, buf, cap);
    for (size_t at = 0; at < size && o.end >= 0;) {
        size_t n = step_size(how, &seed);
        uint8_t *to;
        n = n < size - at ? n : size - at;
        if (push) {
            n = hep_stream_push(&s, data + at, n);
        } else {
            size_t space;
            hep_stream_space(&s, &to, &space);
            n = n < space ? n : space;
            memcpy(to, data + at, n);
            hep_stream_filled(&s, n);
        }
        FUZZ_CHECK(n > 0);
        at += n;
        while ((o.end = hep_stream_next(&s, &frame)) == HEP_OK) {
            struct hep_msg msg;
            FUZZ_CHECK(frame.len >= HEP_HEADER_SIZE && frame.len <= cap);
            FUZZ_CHECK(o.octets + frame.len <= size && memcmp(frame.ptr, data + o.octets, frame.len) == 0);
            (void)hep_decode(frame.ptr, frame.len, NULL, &msg);
            o.frames++;
            o.octets += frame.len;
            digest(&o, frame.ptr, frame.len);
        }
    }
    o.offset = s.offset;
    o.finish = hep_stream_finish(&s);
    FUZZ_CHECK(o.offset == o.octets);
    FUZZ_CHECK((o.finish == HEP_OK) == (o.octets == size));
    free(buf);
    return o;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const size_t caps[] = { 6, 64, 300, HEP_FRAME_MAX };
    if (size == 0)
        return 0;
    size_t cap = caps[data[0] & 3];
    unsigned how = data[0] >> 2;
    struct outcome whole = run(data + 1, size - 1, cap, 0, true);
    struct outcome single = run(data + 1, size - 1, cap, 1, false);
    struct outcome cut = run(data + 1, size - 1, cap, how, (data[0] & 4) != 0);
    FUZZ_CHECK(memcmp(&whole, &single, sizeof(whole)) == 0);
    FUZZ_CHECK(memcmp(&whole, &cut, sizeof(whole)) == 0);
    return 0;
}
