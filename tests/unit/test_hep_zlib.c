/* libhep-zlib: the three formats, cut and damaged streams, limits, the envelope, compression. */
#include "testlib.h"

#include <zlib.h>

#include "guard.h"
#include "hep/zlib.h"

static const uint32_t quirk_of[] = { HEP_QUIRK_ZLIB, HEP_QUIRK_GZIP, HEP_QUIRK_DEFLATE };
static const int window_bits[] = { MAX_WBITS, MAX_WBITS + 16, -MAX_WBITS };

/* Compresses by zlib itself; the result is on the heap. */
static uint8_t *deflate_as(enum hep_zlib_format format, int level, const uint8_t *data, size_t len, size_t *ret_len)
{
    z_stream z = { 0 };
    assert_int_equal(deflateInit2(&z, level, Z_DEFLATED, window_bits[format], 8, Z_DEFAULT_STRATEGY), Z_OK);
    uLong bound = deflateBound(&z, (uLong)len) + 64;
    uint8_t *out = malloc(bound);
    uint8_t *in = malloc(len + 1);
    assert_non_null(out);
    assert_non_null(in);
    if (len > 0)
        memcpy(in, data, len);
    z.next_in = in;
    z.avail_in = (uInt)len;
    z.next_out = out;
    z.avail_out = (uInt)bound;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    *ret_len = bound - z.avail_out;
    deflateEnd(&z);
    free(in);
    return out;
}

static uint8_t *some_text(size_t len)
{
    uint64_t seed = 5;
    uint8_t *text = malloc(len + 1);
    assert_non_null(text);
    for (size_t i = 0; i < len; i++)
        text[i] = (uint8_t) "INVITE sip:bob@example.org SIP/2.0\r\n"[prng_below(&seed, 36)];
    return text;
}

static void test_formats(void **state)
{
    (void)state;
    static const size_t lengths[] = { 0, 1, 2, 100, 4095, 4096, 4097, 8192, 100000, 1u << 20 };
    uint8_t *text = some_text(1u << 20);
    struct hep_zlib *z = hep_zlib_new(0);
    assert_non_null(z);
    for (int format = HEP_ZLIB_ZLIB; format <= HEP_ZLIB_DEFLATE; format++) {
        for (int level = 0; level <= 9; level += 3) {
            for (size_t i = 0; i < COUNT_OF(lengths); i++) {
                size_t len;
                enum hep_zlib_format got;
                struct hep_slice out;
                uint8_t *packed = deflate_as((enum hep_zlib_format)format, level, text, lengths[i], &len);
                uint8_t *copy = guard_copy(packed, len);
                int rc = hep_zlib_inflate(z, (struct hep_slice){ copy, len }, &out, &got);
                if (rc != HEP_OK || (int)got != format || out.len != lengths[i])
                    fail_msg("format %d level %d length %zu: %d, %d", format, level, lengths[i], rc, (int)got);
                if (out.len > 0)
                    assert_memory_equal(out.ptr, text, out.len);
                guard_free(copy, len);
                free(packed);
            }
        }
    }
    hep_zlib_free(z);
    free(text);
}

/* Every cut, and every length of garbage behind. */
static void test_cut_and_garbage(void **state)
{
    (void)state;
    uint8_t *text = some_text(300);
    struct hep_zlib *z = hep_zlib_new(0);
    assert_non_null(z);
    for (int format = HEP_ZLIB_ZLIB; format <= HEP_ZLIB_DEFLATE; format++) {
        size_t len;
        struct hep_slice out;
        uint8_t *packed = deflate_as((enum hep_zlib_format)format, 6, text, 300, &len);
        for (size_t n = 0; n < len; n++) {
            uint8_t *copy = guard_copy(packed, n);
            int rc = hep_zlib_inflate(z, (struct hep_slice){ copy, n }, &out, NULL);
            if (rc != HEP_ERR_INFLATE)
                fail_msg("format %d cut at %zu: %d", format, n, rc);
            guard_free(copy, n);
        }
        for (size_t n = 1; n < 10; n++) {
            uint8_t longer[1024] = { 0 };
            memcpy(longer, packed, len);
            assert_int_equal(hep_zlib_inflate(z, (struct hep_slice){ longer, len + n }, &out, NULL), HEP_ERR_INFLATE);
        }
        /* The handle is as good as new after errors. */
        assert_int_equal(hep_zlib_inflate(z, (struct hep_slice){ packed, len }, &out, NULL), HEP_OK);
        assert_int_equal(out.len, 300);
        free(packed);
    }
    hep_zlib_free(z);
    free(text);
}

static void test_limit(void **state)
{
    (void)state;
    static const size_t limits[] = { 1, 100, 4095, 4096, 4097, 5000, 65536 };
    uint8_t *zeros = calloc(1, 4u << 20);
    assert_non_null(zeros);
    for (size_t i = 0; i < COUNT_OF(limits); i++) {
        struct hep_zlib *z = hep_zlib_new(limits[i]);
        assert_non_null(z);
        for (int level = 0; level <= 9; level += 9) {
            for (size_t more = 0; more < 3; more++) {
                size_t size = more == 2 ? 4u << 20 : limits[i] + more;
                size_t len;
                struct hep_slice out;
                uint8_t *packed = deflate_as(HEP_ZLIB_ZLIB, level, zeros, size, &len);
                int rc = hep_zlib_inflate(z, (struct hep_slice){ packed, len }, &out, NULL);
                if (rc != (more == 0 ? HEP_OK : HEP_ERR_INFLATE_LIMIT))
                    fail_msg("limit %zu, %zu octets, level %d: %d", limits[i], size, level, rc);
                free(packed);
            }
        }
        hep_zlib_free(z);
    }
    free(zeros);
}

static void message_with(struct hep_msg *msg, unsigned type, const uint8_t *data, size_t len)
{
    static const uint8_t octets[4] = { 10, 0, 0, 1 };
    hep_msg_init(msg, HEP_TYPE_SIP);
    assert_int_equal(hep_set_src(msg, octets, 4, 5060), HEP_OK);
    assert_int_equal(hep_set_dst(msg, octets, 4, 5060), HEP_OK);
    msg->present &= ~HEP_BIT(HEP_CHUNK_PAYLOAD);
    assert_int_equal(hep_set_octets(msg, type, data, len), HEP_OK);
}

/* Compressing needs more memory than the limit allows to inflate; the limit holds all the same. */
static void test_limit_after_compress(void **state)
{
    (void)state;
    uint8_t *text = some_text(50000);
    struct hep_zlib *z = hep_zlib_new(1000);
    struct hep_msg msg;
    struct hep_slice out;
    size_t len;
    assert_non_null(z);
    message_with(&msg, HEP_CHUNK_PAYLOAD, text, 50000);
    assert_int_equal(hep_zlib_compress(z, &msg, HEP_ZLIB_ZLIB), HEP_OK);
    for (size_t size = 1000; size <= 1001; size++) {
        uint8_t *packed = deflate_as(HEP_ZLIB_ZLIB, 6, text, size, &len);
        assert_int_equal(hep_zlib_inflate(z, (struct hep_slice){ packed, len }, &out, NULL),
                         size == 1000 ? HEP_OK : HEP_ERR_INFLATE_LIMIT);
        free(packed);
    }
    hep_zlib_free(z);
    free(text);
}

static void test_payload(void **state)
{
    (void)state;
    uint8_t *text = some_text(2000);
    struct hep_zlib *z = hep_zlib_new(1500);
    assert_non_null(z);
    for (int format = HEP_ZLIB_ZLIB; format <= HEP_ZLIB_DEFLATE; format++) {
        for (size_t size = 1500; size <= 2000; size += 500) {
            struct hep_msg msg;
            size_t len;
            uint8_t *packed = deflate_as((enum hep_zlib_format)format, 6, text, size, &len);
            message_with(&msg, HEP_CHUNK_PAYLOAD_ZIP, packed, len);
            uint64_t present = msg.present;
            int rc = hep_zlib_payload(z, &msg);
            assert_int_equal(rc, size == 1500 ? HEP_OK : HEP_ERR_INFLATE_LIMIT);
            assert_int_equal(msg.quirks, size == 1500 ? quirk_of[format] : (uint32_t)HEP_QUIRK_INFLATE_FAILED);
            assert_int_equal(msg.payload.len, size == 1500 ? 1500 : len);
            assert_memory_equal(msg.payload.ptr, size == 1500 ? text : packed, msg.payload.len);
            assert_int_equal(msg.present, present);
            assert_int_equal(msg.payload_zip.len, len);
            free(packed);
        }
    }
    struct hep_msg msg;
    message_with(&msg, HEP_CHUNK_PAYLOAD, text, 10); /* nothing to do */
    assert_int_equal(hep_zlib_payload(z, &msg), HEP_OK);
    assert_int_equal(hep_set_octets(&msg, HEP_CHUNK_PAYLOAD_ZIP, "x", 1), HEP_OK);
    assert_int_equal(hep_zlib_payload(z, &msg), HEP_OK); /* the plain one wins */
    assert_ptr_equal(msg.payload.ptr, text);
    assert_int_equal(msg.quirks, 0);
    hep_zlib_free(z);
    free(text);
}

static void test_envelope(void **state)
{
    (void)state;
    uint8_t *text = some_text(500);
    struct hep_zlib *z = hep_zlib_new(0);
    struct hep_slice out;
    size_t len, twice_len;
    uint8_t *once = deflate_as(HEP_ZLIB_GZIP, 6, text, 500, &len);
    uint8_t *twice = deflate_as(HEP_ZLIB_GZIP, 6, once, len, &twice_len);
    assert_non_null(z);
    assert_int_equal(hep_zlib_envelope(z, (struct hep_slice){ once, len }, &out), HEP_OK);
    assert_int_equal(out.len, 500);
    assert_memory_equal(out.ptr, text, 500);
    assert_int_equal(hep_zlib_envelope(z, (struct hep_slice){ twice, twice_len }, &out), HEP_OK);
    assert_int_equal(out.len, len); /* opened once */
    assert_memory_equal(out.ptr, once, len);
    assert_int_equal(hep_zlib_envelope(z, (struct hep_slice){ text, 500 }, &out), HEP_NEED_MORE);
    assert_ptr_equal(out.ptr, text);
    assert_int_equal(out.len, 500);
    assert_int_equal(hep_zlib_envelope(z, (struct hep_slice){ once, 2 }, &out), HEP_NEED_MORE);
    assert_int_equal(hep_zlib_envelope(z, (struct hep_slice){ NULL, 0 }, &out), HEP_NEED_MORE);
    for (size_t n = 3; n < len; n++)
        assert_int_equal(hep_zlib_envelope(z, (struct hep_slice){ once, n }, &out), HEP_ERR_INFLATE);
    hep_zlib_free(z);
    free(once);
    free(twice);
    free(text);
}

static void test_compress(void **state)
{
    (void)state;
    static uint8_t frame[HEP_FRAME_MAX];
    uint8_t *text = some_text(200000);
    struct hep_zlib *pack = hep_zlib_new(0), *unpack = hep_zlib_new(0);
    struct hep_msg msg, back;
    size_t len;
    assert_non_null(pack);
    assert_non_null(unpack);
    memset(text, 'x', 150000); /* compresses well enough to fit a frame */
    static const size_t sizes[] = { 0, 1, 1000, 65535, 200000 };
    for (unsigned i = 0; i < 4 * COUNT_OF(sizes); i++) { /* formats change between messages */
        enum hep_zlib_format format = i % 4 < 2 ? HEP_ZLIB_GZIP : HEP_ZLIB_ZLIB;
        size_t size = sizes[i % COUNT_OF(sizes)];
        message_with(&msg, HEP_CHUNK_PAYLOAD, text, size);
        assert_int_equal(hep_zlib_compress(pack, &msg, format), HEP_OK);
        assert_false(hep_has(&msg, HEP_CHUNK_PAYLOAD));
        assert_int_equal(msg.payload.len, 0);
        assert_int_equal(hep_encode(&msg, frame, sizeof(frame), &len), HEP_OK);
        assert_int_equal(hep_decode(frame, len, NULL, &back), HEP_OK);
        assert_int_equal(hep_zlib_payload(unpack, &back), HEP_OK);
        assert_int_equal(back.quirks, quirk_of[format]);
        assert_int_equal(back.payload.len, size);
        if (size > 0)
            assert_memory_equal(back.payload.ptr, text, size);
    }
    uint64_t seed = 3;
    prng_fill(&seed, text, 200000); /* noise does not fit */
    message_with(&msg, HEP_CHUNK_PAYLOAD, text, 200000);
    assert_int_equal(hep_zlib_compress(pack, &msg, HEP_ZLIB_ZLIB), HEP_OK);
    assert_int_equal(hep_encode(&msg, frame, sizeof(frame), &len), HEP_ERR_TOO_LONG);
    assert_int_equal(hep_zlib_compress(pack, &msg, HEP_ZLIB_ZLIB), HEP_ERR_ARGUMENT); /* no payload any more */
    message_with(&msg, HEP_CHUNK_PAYLOAD, text, 1);
    assert_int_equal(hep_zlib_compress(pack, &msg, HEP_ZLIB_DEFLATE), HEP_ERR_ARGUMENT);
    assert_true(hep_has(&msg, HEP_CHUNK_PAYLOAD));
    hep_zlib_free(pack);
    hep_zlib_free(unpack);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_formats),  cmocka_unit_test(test_cut_and_garbage),
        cmocka_unit_test(test_limit),    cmocka_unit_test(test_limit_after_compress),
        cmocka_unit_test(test_payload),  cmocka_unit_test(test_envelope),
        cmocka_unit_test(test_compress),
    };
    hep_zlib_free(NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
