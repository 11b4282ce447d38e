/* hep_stream: however the octets arrive, the same frames come out. */
#include "testlib.h"

#include "guard.h"
#include "hep/hep.h"

#define FRAMES 200

/* A stream of random frames, and where each ends. */
struct sample {
    uint8_t *octets;
    size_t len;
    size_t ends[FRAMES];
};

static void sample_make(struct sample *s, uint64_t seed)
{
    s->octets = malloc(FRAMES * 2048);
    s->len = 0;
    assert_non_null(s->octets);
    for (size_t i = 0; i < FRAMES; i++) {
        struct hep_writer w;
        uint8_t body[1024];
        size_t len;
        prng_fill(&seed, body, sizeof(body));
        memcpy(body, "HEP3", 4); /* the magic inside a payload must not matter */
        hep_writer_begin(&w, s->octets + s->len, 2048);
        for (size_t n = prng_below(&seed, 4); n > 0; n--)
            hep_writer_chunk(&w, 0, 0xf, body, prng_below(&seed, 400));
        assert_int_equal(hep_writer_end(&w, &len), HEP_OK);
        s->len += len;
        s->ends[i] = s->len;
    }
}

/* Takes all frames that are there; they must be the next of the sample. */
static int take_frames(struct hep_stream *st, const struct sample *s, size_t *taken)
{
    struct hep_slice frame;
    int rc;
    while ((rc = hep_stream_next(st, &frame)) == HEP_OK) {
        size_t start = *taken == 0 ? 0 : s->ends[*taken - 1];
        assert_true(*taken < FRAMES);
        assert_int_equal(frame.len, s->ends[*taken] - start);
        assert_memory_equal(frame.ptr, s->octets + start, frame.len);
        ++*taken;
        assert_int_equal(st->offset, s->ends[*taken - 1]);
    }
    return rc;
}

/* step: octets at a time; 0: a random number. By way of space/filled or of push. */
static void feed(const struct sample *s, size_t cap, size_t step, bool push, uint64_t *seed)
{
    uint8_t *buf = malloc(cap);
    struct hep_stream st;
    size_t at = 0, taken = 0;
    assert_non_null(buf);
    hep_stream_init(&st, buf, cap);
    while (at < s->len) {
        size_t n = step != 0 ? step : 1 + prng_below(seed, 3000);
        n = n < s->len - at ? n : s->len - at;
        if (push) {
            n = hep_stream_push(&st, s->octets + at, n);
        } else {
            uint8_t *to;
            size_t space;
            hep_stream_space(&st, &to, &space);
            n = n < space ? n : space;
            memcpy(to, s->octets + at, n);
            hep_stream_filled(&st, n);
        }
        assert_true(n > 0);
        at += n;
        assert_int_equal(take_frames(&st, s, &taken), HEP_NEED_MORE);
        size_t end = taken == 0 ? 0 : s->ends[taken - 1];
        assert_int_equal(hep_stream_finish(&st), at == end ? HEP_OK : HEP_ERR_TRUNCATED);
    }
    assert_int_equal(taken, FRAMES);
    assert_int_equal(st.offset, s->len);
    free(buf);
}

static void test_cuts(void **state)
{
    (void)state;
    static const size_t caps[] = { 2048, 4099, HEP_FRAME_MAX };
    static const size_t steps[] = { 1, 2, 5, 6, 7, 11, 1000, SIZE_MAX, 0, 0, 0 };
    struct sample s;
    uint64_t seed = 99;
    sample_make(&s, 7);
    for (size_t c = 0; c < COUNT_OF(caps); c++) {
        for (size_t i = 0; i < COUNT_OF(steps); i++) {
            feed(&s, caps[c], steps[i], false, &seed);
            feed(&s, caps[c], steps[i], true, &seed);
        }
    }
    free(s.octets);
}

/* Two frames cut at every place. */
static void test_every_cut(void **state)
{
    (void)state;
    static const uint8_t two[] = { 'H', 'E', 'P', '3', 0, 13, 0, 0, 0, 1, 0, 7, 2, 'H', 'E', 'P', '3', 0, 6 };
    for (size_t cut = 0; cut <= sizeof(two); cut++) {
        uint8_t buf[13]; /* the longer of the two */
        struct hep_stream st;
        struct hep_slice frame;
        size_t at = 0, frames = 0, octets = 0;
        hep_stream_init(&st, buf, sizeof(buf));
        while (at < sizeof(two)) {
            size_t upto = at < cut ? cut : sizeof(two);
            at += hep_stream_push(&st, two + at, upto - at);
            while (hep_stream_next(&st, &frame) == HEP_OK) {
                frames++;
                octets += frame.len;
            }
        }
        assert_int_equal(frames, 2);
        assert_int_equal(octets, sizeof(two));
        assert_int_equal(hep_stream_finish(&st), HEP_OK);
    }
}

static void test_errors(void **state)
{
    (void)state;
    static const struct {
        const char *hex; /* behind one good frame of 13 octets */
        size_t cap;
        int want, finish;
    } rows[] = {
        { "", 64, HEP_NEED_MORE, HEP_OK },
        { "48", 64, HEP_NEED_MORE, HEP_ERR_TRUNCATED },
        { "4845503300", 64, HEP_NEED_MORE, HEP_ERR_TRUNCATED },
        { "48455033000d", 64, HEP_NEED_MORE, HEP_ERR_TRUNCATED },
        { "00", 64, HEP_ERR_MAGIC, HEP_ERR_MAGIC },
        { "4844", 64, HEP_ERR_MAGIC, HEP_ERR_MAGIC },
        { "48455034", 64, HEP_ERR_MAGIC, HEP_ERR_MAGIC },
        { "0110", 64, HEP_ERR_MAGIC, HEP_ERR_MAGIC },
        { "484550330005", 64, HEP_ERR_TOTAL_LENGTH, HEP_ERR_TOTAL_LENGTH },
        { "484550330000", 64, HEP_ERR_TOTAL_LENGTH, HEP_ERR_TOTAL_LENGTH },
        { "484550330040", 64, HEP_NEED_MORE, HEP_ERR_TRUNCATED },
        { "484550330041", 64, HEP_ERR_FRAME_LIMIT, HEP_ERR_FRAME_LIMIT },
        { "48455033ffff", 64, HEP_ERR_FRAME_LIMIT, HEP_ERR_FRAME_LIMIT },
        { "48455033ffff", HEP_FRAME_MAX, HEP_NEED_MORE, HEP_ERR_TRUNCATED },
    };
    static const uint8_t good[] = { 'H', 'E', 'P', '3', 0, 13, 0, 0, 0, 1, 0, 7, 2 };
    static uint8_t buf[HEP_FRAME_MAX];
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        size_t len;
        uint8_t *tail = unhex(rows[i].hex, &len);
        struct hep_stream st;
        struct hep_slice frame;
        hep_stream_init(&st, buf, rows[i].cap);
        assert_int_equal(hep_stream_next(&st, &frame), HEP_NEED_MORE);
        assert_int_equal(hep_stream_push(&st, good, sizeof(good)), sizeof(good));
        assert_int_equal(hep_stream_push(&st, tail, len), len);
        assert_int_equal(hep_stream_next(&st, &frame), HEP_OK);
        assert_int_equal(frame.len, sizeof(good));
        for (int again = 0; again < 3; again++)
            if (hep_stream_next(&st, &frame) != rows[i].want)
                fail_msg("row %zu", i);
        assert_int_equal(st.offset, sizeof(good)); /* of the frame that is wrong */
        assert_int_equal(hep_stream_finish(&st), rows[i].finish);
        uint8_t *to;
        size_t space;
        hep_stream_space(&st, &to, &space);
        assert_int_equal(space == 0, rows[i].want < 0);
        assert_int_equal(hep_stream_push(&st, good, 1), rows[i].want < 0 ? 0 : 1);
        free(tail);
    }
}

/* A frame whose inside is bad costs only itself. */
static void test_bad_inside(void **state)
{
    (void)state;
    static const uint8_t octets[] = { 'H', 'E', 'P', '3', 0, 12, 0, 0, 0, 1, 0, 0, /* chunk length 0 */
                                      'H', 'E', 'P', '3', 0, 13, 0, 0, 0, 1, 0, 7, 2 };
    uint8_t buf[64];
    struct hep_stream st;
    struct hep_slice frame;
    struct hep_msg msg;
    hep_stream_init(&st, buf, sizeof(buf));
    assert_int_equal(hep_stream_push(&st, octets, sizeof(octets)), sizeof(octets));
    assert_int_equal(hep_stream_next(&st, &frame), HEP_OK);
    assert_int_equal(hep_decode(frame.ptr, frame.len, NULL, &msg), HEP_ERR_CHUNK_LENGTH);
    assert_int_equal(msg.error_offset, 10);
    assert_int_equal(hep_stream_next(&st, &frame), HEP_OK);
    assert_int_equal(hep_decode(frame.ptr, frame.len, NULL, &msg), HEP_OK);
    assert_int_equal(hep_stream_next(&st, &frame), HEP_NEED_MORE);
    assert_int_equal(hep_stream_finish(&st), HEP_OK);
}

/* push() takes what fits and no more. */
static void test_push_full(void **state)
{
    (void)state;
    uint8_t *buf = guard_copy((const uint8_t *)"0123456789", 10);
    struct hep_stream st;
    struct hep_slice frame;
    hep_stream_init(&st, buf, 10);
    assert_int_equal(hep_stream_push(&st, (const uint8_t *)"HEP3\0\nxxxxHEP3\0\n", 16), 10);
    assert_int_equal(hep_stream_push(&st, (const uint8_t *)"HEP3\0\n", 6), 0);
    assert_int_equal(hep_stream_next(&st, &frame), HEP_OK);
    assert_int_equal(frame.len, 10);
    assert_int_equal(hep_stream_push(&st, (const uint8_t *)"HEP3\0\n", 6), 6);
    assert_int_equal(hep_stream_push(&st, NULL, 0), 0);
    assert_int_equal(hep_stream_next(&st, &frame), HEP_NEED_MORE);
    guard_free(buf, 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cuts),       cmocka_unit_test(test_every_cut), cmocka_unit_test(test_errors),
        cmocka_unit_test(test_bad_inside), cmocka_unit_test(test_push_full),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
