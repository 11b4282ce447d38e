/* libhep: encode and decode, each quirk, clean-up, setters, writer, names and registry. */
#include "testlib.h"

#include "guard.h"
#include "hep/fields.h"
#include "hep/hep.h"

#define ADDRESS_TYPES                                                                                                  \
    (HEP_BIT(HEP_CHUNK_SRC_IP4) | HEP_BIT(HEP_CHUNK_DST_IP4) | HEP_BIT(HEP_CHUNK_SRC_IP6) | HEP_BIT(HEP_CHUNK_DST_IP6))

/* ------------------------------------------------------------------------------------------------ random messages */

static uint8_t pool[HEP_FRAME_MAX];

static bool is_address(unsigned type)
{
    return (ADDRESS_TYPES & HEP_BIT(type)) != 0;
}

static uint64_t random_number(uint64_t *seed, enum hep_kind kind)
{
    static const unsigned bits[] = { [HEP_KIND_U8] = 8, [HEP_KIND_U16] = 16, [HEP_KIND_U32] = 32, [HEP_KIND_MAC] = 48 };
    uint64_t v = prng_next(seed) >> (64 - bits[kind]);
    switch (prng_below(seed, 4)) { /* the limits more often than chance would have them */
    case 0:
        return 0;
    case 1:
        return (UINT64_C(1) << bits[kind]) - 1;
    default:
        return v;
    }
}

static void random_addresses(uint64_t *seed, struct hep_msg *msg)
{
    uint8_t octets[16];
    uint64_t keep = msg->present;
    uint8_t family = msg->family;
    prng_fill(seed, octets, sizeof(octets));
    if (prng_below(seed, 4) != 0)
        assert_int_equal(hep_set_src(msg, octets, prng_below(seed, 2) ? 4 : 16, msg->src_port), HEP_OK);
    prng_fill(seed, octets, sizeof(octets));
    if (prng_below(seed, 4) != 0)
        assert_int_equal(hep_set_dst(msg, octets, prng_below(seed, 2) ? 4 : 16, msg->dst_port), HEP_OK);
    /* hep_set_*() set ports and family, too: back to what chance had chosen. */
    msg->present = (msg->present & ADDRESS_TYPES) | keep;
    msg->family = family;
}

static void random_message(uint64_t *seed, struct hep_msg *msg, struct hep_chunk extra[4])
{
    memset(msg, 0, sizeof(*msg));
    msg->version = 3;
    for (unsigned type = 1; type <= HEP_CHUNK_GENERIC_MAX; type++) {
        const struct hep_field *field = hep_field(type);
        if (field == NULL || is_address(type) || prng_below(seed, 2) == 0)
            continue;
        if (field->kind == HEP_KIND_OCTETS)
            assert_int_equal(hep_set_octets(msg, type, pool + prng_below(seed, 1000), prng_below(seed, 64)), HEP_OK);
        else
            assert_int_equal(hep_set_number(msg, type, random_number(seed, field->kind)), HEP_OK);
    }
    random_addresses(seed, msg);
    msg->extra = extra;
    msg->extra_count = prng_below(seed, 5);
    for (size_t i = 0; i < msg->extra_count; i++) {
        bool vendor = prng_below(seed, 3) != 0;
        extra[i].vendor = (uint16_t)(vendor ? 1 + prng_below(seed, 65535) : 0);
        extra[i].type = (uint16_t)(vendor ? prng_below(seed, 65536) : 0x2a + prng_below(seed, 65000));
        extra[i].body = (struct hep_slice){ pool + prng_below(seed, 1000), prng_below(seed, 40) };
    }
}

static void expect_slice(struct hep_slice got, struct hep_slice want)
{
    assert_int_equal(got.len, want.len);
    if (want.len > 0)
        assert_memory_equal(got.ptr, want.ptr, want.len);
}

static void expect_addr(const struct hep_addr *got, const struct hep_addr *want)
{
    assert_int_equal(got->len, want->len);
    assert_memory_equal(got->octets, want->octets, want->len);
}

static void expect_same(const struct hep_msg *got, const struct hep_msg *want)
{
    assert_int_equal(got->present, want->present);
    for (unsigned type = 1; type <= HEP_CHUNK_GENERIC_MAX; type++) {
        const struct hep_field *field = hep_field(type);
        if (field == NULL || is_address(type))
            continue;
        if (field->kind == HEP_KIND_OCTETS)
            expect_slice(hep_get_octets(got, type), hep_get_octets(want, type));
        else
            assert_int_equal(hep_get_number(got, type), hep_get_number(want, type));
    }
    expect_addr(&got->src, &want->src);
    expect_addr(&got->dst, &want->dst);
    size_t seen = 0;
    struct hep_chunk c;
    for (size_t pos = 0; hep_chunk_next(got, &pos, &c);) {
        if (c.vendor == 0 && hep_field(c.type) != NULL)
            continue;
        assert_true(seen < want->extra_count);
        assert_int_equal(c.vendor, want->extra[seen].vendor);
        assert_int_equal(c.type, want->extra[seen].type);
        expect_slice(c.body, want->extra[seen].body);
        seen++;
    }
    assert_int_equal(seen, want->extra_count);
}

static void test_random_messages(void **state)
{
    (void)state;
    uint64_t seed = 0x1234567;
    uint8_t frame[4096];
    for (unsigned i = 0; i < 20000; i++) {
        struct hep_msg msg, back;
        struct hep_chunk extra[4];
        size_t len = 0;
        random_message(&seed, &msg, extra);
        size_t size = hep_encoded_size(&msg);
        assert_true(size <= sizeof(frame));
        if (size > 0) {
            size_t cap = prng_below(&seed, size);
            frame[cap] = 0xa5;
            assert_int_equal(hep_encode(&msg, frame, cap, &len), HEP_ERR_NO_SPACE);
            assert_int_equal(frame[cap], 0xa5);
        }
        assert_int_equal(hep_encode(&msg, frame, size, &len), HEP_OK);
        assert_int_equal(len, size);
        uint8_t *copy = guard_copy(frame, len);
        int rc = hep_decode(copy, len, NULL, &back);
        if (size == HEP_HEADER_SIZE) {
            assert_int_equal(rc, HEP_ERR_EMPTY);
        } else {
            assert_int_equal(rc, HEP_OK);
            assert_int_equal(back.version, 3);
            assert_int_equal(back.frame.len, len);
            expect_same(&back, &msg);
        }
        guard_free(copy, len);
    }
}

static void base_message(struct hep_msg *msg)
{
    static const uint8_t src[4] = { 10, 0, 0, 1 }, dst[4] = { 10, 0, 0, 2 };
    hep_msg_init(msg, HEP_TYPE_SIP);
    assert_int_equal(hep_set_src(msg, src, 4, 5060), HEP_OK);
    assert_int_equal(hep_set_dst(msg, dst, 4, 5061), HEP_OK);
    msg->time_sec = 1700000000;
    msg->time_usec = 123456;
    msg->capture_id = 2001;
    assert_int_equal(hep_set_octets(msg, HEP_CHUNK_PAYLOAD, "OPTIONS", 7), HEP_OK);
}

static void test_every_smaller_cap(void **state)
{
    (void)state;
    struct hep_msg msg;
    base_message(&msg);
    for (uint8_t version = 1; version <= 3; version++) {
        msg.version = version;
        size_t size = hep_encoded_size(&msg), len = 0;
        for (size_t cap = 0; cap < size; cap++) {
            uint8_t *buf = guard_copy(pool, cap); /* `cap` octets, then the forbidden page */
            assert_int_equal(hep_encode(&msg, buf, cap, &len), HEP_ERR_NO_SPACE);
            guard_free(buf, cap);
        }
        uint8_t *buf = guard_copy(pool, size);
        assert_int_equal(hep_encode(&msg, buf, size, &len), HEP_OK);
        assert_int_equal(len, size);
        guard_free(buf, size);
    }
}

/* ------------------------------------------------------------------------------------------------ limits */

static void test_longest(void **state)
{
    (void)state;
    static uint8_t frame[HEP_FRAME_MAX + 16];
    struct hep_msg msg, back;
    size_t len = 0;
    for (uint8_t version = 1; version <= 3; version++) {
        base_message(&msg);
        msg.version = version;
        size_t head = hep_encoded_size(&msg) - msg.payload.len;
        pool[HEP_FRAME_MAX - head - 1] = 'x'; /* versions 1 and 2 drop NULs at the end */
        msg.payload = (struct hep_slice){ pool, HEP_FRAME_MAX - head };
        assert_int_equal(hep_encode(&msg, frame, sizeof(frame), &len), HEP_OK);
        assert_int_equal(len, HEP_FRAME_MAX);
        uint8_t *copy = guard_copy(frame, len);
        assert_int_equal(hep_decode(copy, len, NULL, &back), HEP_OK);
        expect_slice(back.payload, msg.payload);
        guard_free(copy, len);
        msg.payload.len++;
        assert_int_equal(hep_encoded_size(&msg), HEP_FRAME_MAX + 1);
        assert_int_equal(hep_encode(&msg, frame, sizeof(frame), &len), HEP_ERR_TOO_LONG);
    }
}

static void test_sizes_saturate(void **state)
{
    (void)state;
    static uint8_t frame[256];
    struct hep_msg msg;
    size_t len = 0;
    base_message(&msg);
    msg.payload.len = SIZE_MAX;
    for (uint8_t version = 0; version <= 3; version++) {
        msg.version = version;
        assert_int_equal(hep_encoded_size(&msg), SIZE_MAX);
        assert_int_equal(hep_encode(&msg, frame, sizeof(frame), &len), HEP_ERR_TOO_LONG);
    }
    msg.payload.len = 7;
    struct hep_chunk extra[2] = { { 8, 0x80, { pool, SIZE_MAX - 3 } }, { 8, 0x81, { pool, 20 } } };
    msg.extra = extra;
    msg.extra_count = 2;
    msg.version = 3;
    assert_int_equal(hep_encode(&msg, frame, sizeof(frame), &len), HEP_ERR_TOO_LONG);
    msg.version = 4;
    assert_int_equal(hep_encoded_size(&msg), 0);
    assert_int_equal(hep_encode(&msg, frame, sizeof(frame), &len), HEP_ERR_ARGUMENT);
}

/* ------------------------------------------------------------------------------------------------ versions 1, 2 */

static void test_legacy(void **state)
{
    (void)state;
    uint8_t frame[256];
    static const uint8_t ip6[16] = { 0x20, 1, 0xd, 0xb8, [15] = 1 };
    for (unsigned i = 0; i < 4; i++) {
        struct hep_msg msg, back;
        size_t len = 0;
        base_message(&msg);
        msg.version = (uint8_t)(1 + i % 2);
        if (i >= 2) {
            assert_int_equal(hep_set_src(&msg, ip6, 16, 1), HEP_OK);
            assert_int_equal(hep_set_dst(&msg, ip6, 16, 65535), HEP_OK);
        }
        assert_int_equal(hep_encode(&msg, frame, sizeof(frame), &len), HEP_OK);
        assert_int_equal(len, (i < 2 ? 16u : 40u) + (i % 2 ? 12u : 0u) + 7);
        assert_int_equal(hep_decode(frame, len, NULL, &back), HEP_OK);
        assert_int_equal(back.quirks, 0);
        assert_int_equal(back.version, msg.version);
        assert_int_equal(back.family, msg.family);
        assert_int_equal(back.src_port, msg.src_port);
        assert_int_equal(back.dst_port, msg.dst_port);
        assert_int_equal(back.payload_type, HEP_TYPE_SIP);
        expect_addr(&back.src, &msg.src);
        expect_addr(&back.dst, &msg.dst);
        expect_slice(back.payload, msg.payload);
        assert_int_equal(hep_has(&back, HEP_CHUNK_TIME_SEC), msg.version == 2);
        if (msg.version == 2) {
            assert_int_equal(back.time_sec, 1700000000);
            assert_int_equal(back.time_usec, 123456);
            assert_int_equal(back.capture_id, 2001);
        }
        struct hep_chunk c;
        size_t pos = 0;
        assert_false(hep_chunk_next(&back, &pos, &c));
    }
}

static void test_encode_arguments(void **state)
{
    (void)state;
    uint8_t frame[256];
    size_t len;
    static const struct {
        uint8_t version, src_len, dst_len;
        uint32_t capture_id;
        size_t payload_len;
        int want;
    } table[] = {
        { 3, 4, 4, 1, 7, HEP_OK },           { 3, 5, 4, 1, 7, HEP_ERR_ARGUMENT },
        { 3, 4, 0, 1, 7, HEP_ERR_ARGUMENT }, { 3, 4, 17, 1, 7, HEP_ERR_ARGUMENT },
        { 1, 4, 4, 1, 7, HEP_OK },           { 1, 0, 4, 1, 7, HEP_ERR_ARGUMENT },
        { 1, 4, 0, 1, 7, HEP_ERR_ARGUMENT }, { 1, 4, 16, 1, 7, HEP_ERR_ARGUMENT },
        { 1, 4, 4, 1, 0, HEP_ERR_ARGUMENT }, { 1, 4, 4, 65536, 7, HEP_OK },
        { 2, 4, 4, 65535, 7, HEP_OK },       { 2, 4, 4, 65536, 7, HEP_ERR_ARGUMENT },
    };
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        struct hep_msg msg;
        base_message(&msg);
        msg.version = table[i].version;
        msg.src.len = table[i].src_len;
        msg.dst.len = table[i].dst_len;
        msg.capture_id = table[i].capture_id;
        msg.payload.len = table[i].payload_len;
        if (hep_encode(&msg, frame, sizeof(frame), &len) != table[i].want)
            fail_msg("row %zu", i);
    }
    /* In versions 1 and 2 the family says how long the addresses are. */
    for (unsigned family = 0; family < 256; family++) {
        struct hep_msg msg, back;
        base_message(&msg);
        msg.version = 2;
        msg.family = (uint8_t)family;
        int rc = hep_encode(&msg, frame, sizeof(frame), &len);
        assert_int_equal(hep_decode(frame, len, NULL, &back), HEP_OK);
        if (rc == HEP_OK)
            expect_addr(&back.src, &msg.src);
        else
            assert_true(family == 10 || family == 23 || family == 24 || family == 26 || family == 28 || family == 30);
    }
    struct hep_msg both;
    base_message(&both);
    both.present |= HEP_BIT(HEP_CHUNK_SRC_IP6);
    assert_int_equal(hep_encode(&both, frame, sizeof(frame), &len), HEP_ERR_ARGUMENT);
}

/* ------------------------------------------------------------------------------------------------ setters, writer */

static void test_setters(void **state)
{
    (void)state;
    struct hep_msg msg, before;
    base_message(&msg);
    before = msg;
    for (size_t len = 0; len < 20; len++) {
        if (len == 4 || len == 16)
            continue;
        assert_int_equal(hep_set_src(&msg, pool, len, 1), HEP_ERR_ARGUMENT);
        assert_int_equal(hep_set_dst(&msg, pool, len, 1), HEP_ERR_ARGUMENT);
    }
    for (unsigned type = 0; type < 300; type++) {
        const struct hep_field *field = hep_field(type);
        bool octets = field != NULL && field->kind == HEP_KIND_OCTETS;
        bool number = field != NULL && !octets && !is_address(type);
        if (!octets)
            assert_int_equal(hep_set_octets(&msg, type, "x", 1), HEP_ERR_ARGUMENT);
        if (!number)
            assert_int_equal(hep_set_number(&msg, type, 0), HEP_ERR_ARGUMENT);
        else
            assert_int_equal(hep_set_number(&msg, type, UINT64_MAX), HEP_ERR_ARGUMENT);
    }
    assert_memory_equal(&msg, &before, sizeof(msg)); /* a refused value changes nothing */
    static const struct {
        unsigned type;
        uint64_t max;
    } limits[] = {
        { HEP_CHUNK_FAMILY, UINT8_MAX },
        { HEP_CHUNK_VLAN, UINT16_MAX },
        { HEP_CHUNK_JITTER, UINT32_MAX },
        { HEP_CHUNK_SRC_MAC, (UINT64_C(1) << 48) - 1 },
    };
    for (size_t i = 0; i < COUNT_OF(limits); i++) {
        assert_int_equal(hep_set_number(&msg, limits[i].type, limits[i].max + 1), HEP_ERR_ARGUMENT);
        assert_int_equal(hep_set_number(&msg, limits[i].type, limits[i].max), HEP_OK);
        assert_int_equal(hep_get_number(&msg, limits[i].type), limits[i].max);
        assert_true(hep_has(&msg, limits[i].type));
    }
    /* Changing the family of one side takes the other bit away. */
    assert_int_equal(hep_set_src(&msg, pool, 16, 1), HEP_OK);
    assert_false(hep_has(&msg, HEP_CHUNK_SRC_IP4));
    assert_true(hep_has(&msg, HEP_CHUNK_SRC_IP6));
    assert_int_equal(msg.family, HEP_FAMILY_IP6);
}

static void test_getters_of_unknown_types(void **state)
{
    (void)state;
    struct hep_msg msg;
    memset(&msg, 0xff, sizeof(msg)); /* every bit, also those that stand for nothing */
    static const unsigned types[] = { 0, 0x19, 0x1f, 0x2a, 0x3f, 0x40, 0x10000 };
    for (size_t i = 0; i < COUNT_OF(types); i++) {
        assert_int_equal(hep_get_number(&msg, types[i]), 0);
        assert_int_equal(hep_get_octets(&msg, types[i]).len, 0);
        assert_null(hep_field(types[i]));
        uint8_t buf[64];
        size_t len;
        struct hep_writer w;
        hep_writer_begin(&w, buf, sizeof(buf));
        hep_writer_field(&w, &msg, types[i]);
        assert_int_equal(hep_writer_end(&w, &len), HEP_ERR_ARGUMENT);
    }
    assert_int_equal(hep_get_number(&msg, HEP_CHUNK_PAYLOAD), 0);
    assert_int_equal(hep_get_octets(&msg, HEP_CHUNK_FAMILY).len, 0);
}

/* Written field by field in the order of hep_encode() the writer gives the same octets. */
static void test_writer(void **state)
{
    (void)state;
    static const uint8_t order[] = { 1, 2, 3, 4, 7, 8, 9, 0xa, 0xb, 0xc, 0xf };
    uint8_t frame[256], written[256];
    struct hep_msg msg;
    struct hep_chunk extra = { 8, 0x80, { (const uint8_t *)"conv", 4 } };
    size_t len, written_len;
    base_message(&msg);
    msg.extra = &extra;
    msg.extra_count = 1;
    assert_int_equal(hep_encode(&msg, frame, sizeof(frame), &len), HEP_OK);
    for (size_t cap = 0; cap <= len; cap++) {
        struct hep_writer w;
        hep_writer_begin(&w, written, cap);
        for (size_t i = 0; i < sizeof(order); i++)
            hep_writer_field(&w, &msg, order[i]);
        hep_writer_chunk(&w, 8, 0x80, "conv", 4);
        int rc = hep_writer_end(&w, &written_len);
        assert_int_equal(rc, cap < len ? HEP_ERR_NO_SPACE : HEP_OK);
    }
    assert_int_equal(written_len, len);
    assert_memory_equal(written, frame, len);
}

static void test_writer_errors_stick(void **state)
{
    (void)state;
    static uint8_t big[HEP_FRAME_MAX + 100];
    struct hep_msg msg;
    struct hep_writer w;
    size_t len = 0;
    base_message(&msg);
    hep_writer_begin(&w, big, sizeof(big));
    hep_writer_field(&w, &msg, HEP_CHUNK_MOS); /* not present */
    hep_writer_chunk(&w, 0, 1, pool, 1);
    assert_int_equal(hep_writer_end(&w, &len), HEP_ERR_ARGUMENT);
    hep_writer_begin(&w, big, sizeof(big));
    hep_writer_chunk(&w, 0, 0xf, pool, HEP_CHUNK_BODY_MAX);
    assert_int_equal(hep_writer_end(&w, &len), HEP_OK);
    assert_int_equal(len, HEP_FRAME_MAX);
    hep_writer_chunk(&w, 0, 0xf, pool, 0);
    assert_int_equal(hep_writer_end(&w, &len), HEP_ERR_TOO_LONG);
    static const size_t absurd[] = { HEP_CHUNK_BODY_MAX + 1, SIZE_MAX, SIZE_MAX - 5, SIZE_MAX - 6 };
    for (size_t i = 0; i < COUNT_OF(absurd); i++) {
        hep_writer_begin(&w, big, sizeof(big));
        hep_writer_chunk(&w, 0, 0xf, pool, absurd[i]);
        hep_writer_chunk(&w, 0, 0xf, pool, 1);
        assert_int_equal(hep_writer_end(&w, &len), HEP_ERR_TOO_LONG);
    }
}

/* ------------------------------------------------------------------------------------------------ chunks */

static void expect_chunk_order(const struct hep_msg *msg, const char *want)
{
    char got[256] = "";
    struct hep_chunk c;
    for (size_t pos = 0; hep_chunk_next(msg, &pos, &c);)
        (void)snprintf(got + strlen(got), sizeof(got) - strlen(got), "%u/%u:%zu ", c.vendor, c.type, c.body.len);
    assert_string_equal(got, want);
}

static void test_chunk_order(void **state)
{
    (void)state;
    /* payload twice, a vendor chunk with the number of the family, an unknown one, the family twice */
    static const char hex[] = "48455033 0038 0000000f000761 00080001000a01020304 0000000f00086262 7fff00ff0006 "
                              "0000 0100 0006 00000001000702 0000000100070a";
    size_t len;
    uint8_t *octets = unhex(hex, &len);
    octets[5] = (uint8_t)len;
    uint8_t *copy = guard_copy(octets, len);
    struct hep_msg msg;
    assert_int_equal(hep_decode(copy, len, NULL, &msg), HEP_OK);
    expect_chunk_order(&msg, "0/15:1 8/1:4 0/15:2 32767/255:0 0/256:0 0/1:1 0/1:1 ");
    assert_int_equal(msg.family, 10);
    assert_int_equal(msg.payload.len, 2);
    assert_int_equal(msg.quirks & (HEP_QUIRK_DUPLICATE_CHUNK | HEP_QUIRK_UNKNOWN_CHUNK),
                     HEP_QUIRK_DUPLICATE_CHUNK | HEP_QUIRK_UNKNOWN_CHUNK);
    guard_free(copy, len);
    free(octets);
}

/* A vendor chunk of every generic type, with a body that would fit: no field may change. */
static void test_vendor_never_generic(void **state)
{
    (void)state;
    static uint8_t frame[4096];
    struct hep_msg plain, msg;
    size_t len;
    base_message(&plain);
    for (unsigned vendor = 1; vendor < 65536; vendor = vendor * 2 + 1) {
        struct hep_chunk extra[HEP_CHUNK_GENERIC_MAX + 1];
        struct hep_msg with = plain;
        for (unsigned type = 0; type <= HEP_CHUNK_GENERIC_MAX; type++) {
            const struct hep_field *field = hep_field(type);
            size_t size = field != NULL ? kind_size(field->kind) : 0;
            extra[type] = (struct hep_chunk){ (uint16_t)vendor, (uint16_t)type, { pool, size } };
        }
        with.extra = extra;
        with.extra_count = COUNT_OF(extra);
        assert_int_equal(hep_encode(&with, frame, sizeof(frame), &len), HEP_OK);
        assert_int_equal(hep_decode(frame, len, NULL, &msg), HEP_OK);
        assert_int_equal(msg.quirks, 0);
        expect_same(&msg, &with);
    }
}

static void test_auth(void **state)
{
    (void)state;
    static const struct {
        bool present;
        const char *sent;
        size_t sent_len;
        const char *key;
        size_t key_len;
        bool equal;
    } table[] = {
        { true, "secret", 6, "secret", 6, true },
        { true, "secret", 6, "secreT", 6, false },
        { true, "secret", 6, "secre", 5, false },
        { true, "secret", 6, "secret\0", 7, false },
        { true, "", 0, "", 0, true },
        { true, "", 0, "x", 1, false },
        { false, "", 0, "", 0, false },
        { false, "", 0, "x", 1, false },
        { true, "a\0b", 3, "a\0b", 3, true },
        { true, "a\0b", 3, "a\0c", 3, false },
        { true, "Xecret", 6, "secret", 6, false },
    };
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        struct hep_msg msg;
        base_message(&msg);
        if (table[i].present)
            assert_int_equal(hep_set_octets(&msg, HEP_CHUNK_AUTH_KEY, table[i].sent, table[i].sent_len), HEP_OK);
        if (hep_auth_equal(&msg, (const uint8_t *)table[i].key, table[i].key_len) != table[i].equal)
            fail_msg("row %zu", i);
    }
}

/* ------------------------------------------------------------------------------------------------ quirks */

/* Everything that a plain version 3 frame needs to be free of quirks, without header. */
#define ADDRESSES "00000003000a0a000001 00000004000a0a000002 "
#define TIME      "00000009000a6553f100 0000000a000a0001e240 "
#define FAMILY    "00000001000702 "
#define PAYLOAD   "0000000f0007 61 "
#define V1_HEAD   "01 10 02 11 13c4 13c5 0a000001 0a000002 "
#define V2_HEAD   "02 10 02 11 13c4 13c5 0a000001 0a000002 "

static const struct sample {
    uint32_t quirk;  /* exactly these bits are met */
    const char *hex; /* version 3: without the six octets of the header unless raw */
    bool raw;
} samples[] = {
    { 0, FAMILY ADDRESSES TIME PAYLOAD, false },
    { HEP_QUIRK_DUPLICATE_CHUNK, FAMILY ADDRESSES TIME PAYLOAD PAYLOAD, false },
    { HEP_QUIRK_DUPLICATE_CHUNK, FAMILY ADDRESSES "00000003000a0a000009 " TIME PAYLOAD, false },
    { HEP_QUIRK_DUPLICATE_CHUNK, FAMILY ADDRESSES "00000005001600000000000000000000000000000001" TIME PAYLOAD, false },
    { HEP_QUIRK_CHUNK_IGNORED, FAMILY ADDRESSES TIME PAYLOAD "00000007000a00013c40", false },
    { HEP_QUIRK_CHUNK_IGNORED, FAMILY ADDRESSES TIME PAYLOAD "000000070006", false },
    { HEP_QUIRK_CHUNK_IGNORED, FAMILY ADDRESSES TIME PAYLOAD "00000007000f000000000000000001", false },
    { HEP_QUIRK_CHUNK_IGNORED, FAMILY ADDRESSES TIME PAYLOAD "00000005000b0000000001", false },
    { HEP_QUIRK_CHUNK_IGNORED, FAMILY ADDRESSES TIME PAYLOAD "00000014000e0001020304050607", false },
    { HEP_QUIRK_ODD_SIZE, FAMILY ADDRESSES TIME PAYLOAD "00000007000a000013c4", false },
    { HEP_QUIRK_ODD_SIZE, FAMILY ADDRESSES PAYLOAD "00000009000701", false },
    { HEP_QUIRK_ODD_SIZE, FAMILY ADDRESSES TIME PAYLOAD "00000014000c010203040506", false },
    { HEP_QUIRK_ODD_SIZE, FAMILY "00000003001600000000000000000000ffff0a000001 " TIME PAYLOAD, false },
    { HEP_QUIRK_ODD_SIZE, FAMILY "00000004001620010db8000000000000000000000001 " TIME PAYLOAD, false },
    { HEP_QUIRK_ODD_SIZE, FAMILY "00000006000a0a000001 " TIME PAYLOAD, false },
    { HEP_QUIRK_TYPE_ZERO, FAMILY ADDRESSES TIME PAYLOAD "000000000006", false },
    { HEP_QUIRK_UNKNOWN_CHUNK, FAMILY ADDRESSES TIME PAYLOAD "000000190006", false },
    { HEP_QUIRK_UNKNOWN_CHUNK, FAMILY ADDRESSES TIME PAYLOAD "0000002a0006", false },
    { HEP_QUIRK_UNKNOWN_CHUNK, FAMILY ADDRESSES TIME PAYLOAD "0000ffff0006", false },
    { HEP_QUIRK_ADDRESSES_MISSING, FAMILY TIME PAYLOAD, false },
    { HEP_QUIRK_TIME_MISSING, FAMILY ADDRESSES PAYLOAD, false },
    { HEP_QUIRK_PAYLOAD_MISSING, FAMILY ADDRESSES TIME, false },
    { HEP_QUIRK_FAMILY_UNKNOWN, ADDRESSES TIME PAYLOAD, false },
    { HEP_QUIRK_FAMILY_UNKNOWN, "0000000100071e" ADDRESSES TIME PAYLOAD, false },
    { 0, V1_HEAD "61", true },
    { 0, V2_HEAD "00f15365 40e20100 d107 0000 61", true },
    { HEP_QUIRK_TRAILING_OCTETS, V1_HEAD "6100", true },
    { HEP_QUIRK_TRAILING_OCTETS, V2_HEAD "00f15365 40e20100 d107 0000 61000000", true },
    { HEP_QUIRK_V2_BIG_ENDIAN, V2_HEAD "6553f100 0001e240 07d1 0000 61", true },
    { HEP_QUIRK_V2_BIG_ENDIAN, V2_HEAD "6553f100 000f423f 07d1 0000 61", true }, /* 999999 microseconds */
    { 0, V2_HEAD "6553f100 000f4240 07d1 0000 61", true },                       /* neither reading is sound */
    { HEP_QUIRK_V2_BIG_ENDIAN | HEP_QUIRK_V2_SHORT_HEADER, V2_HEAD "6553f100 0001e240 07d1 6162", true },
    { HEP_QUIRK_HEADER_LENGTH, "02 1c 02 11 13c4 13c5 0a000001 0a000002 00f15365 40e20100 d107 0000 61", true },
    { HEP_QUIRK_FAMILY_UNKNOWN,
      "01 28 1e 11 13c4 13c5 20010db8000000000000000000000001 "
      "20010db8000000000000000000000002 61",
      true },
    { HEP_QUIRK_PROTOBUF, "0802 1011 6201 61", true },
};

/* The octets of a sample in guard memory. */
static uint8_t *sample_octets(const struct sample *s, size_t *ret_len)
{
    static const uint8_t magic[6] = { 'H', 'E', 'P', '3' };
    size_t len;
    uint8_t whole[512];
    uint8_t *octets = unhex(s->hex, &len);
    size_t head = s->raw ? 0 : sizeof(magic);
    memcpy(whole, magic, sizeof(magic));
    memcpy(whole + head, octets, len);
    free(octets);
    *ret_len = head + len;
    if (!s->raw)
        whole[5] = (uint8_t)*ret_len;
    return guard_copy(whole, *ret_len);
}

static void test_quirks(void **state)
{
    (void)state;
    uint32_t seen = 0;
    for (size_t i = 0; i < COUNT_OF(samples); i++) {
        struct hep_msg msg;
        size_t len;
        uint8_t *octets = sample_octets(&samples[i], &len);
        uint32_t want = samples[i].quirk;
        int rc = hep_decode(octets, len, NULL, &msg);
        if (rc != HEP_OK || msg.quirks != want)
            fail_msg("sample %zu: %d, quirks %x, want %x", i, rc, msg.quirks, want);
        seen |= want;
        for (uint32_t left = want; left != 0; left &= left - 1) {
            struct hep_options options = { HEP_TOLERATE_ALL & ~(left & -left) };
            rc = hep_decode(octets, len, &options, &msg);
            if (rc != HEP_ERR_QUIRK || (msg.quirks & left & -left) == 0 || msg.error_offset > len)
                fail_msg("sample %zu without tolerance: %d, quirks %x at %zu", i, rc, msg.quirks, msg.error_offset);
            options.tolerate = want;
            assert_int_equal(hep_decode(octets, len, &options, &msg), HEP_OK);
        }
        guard_free(octets, len);
    }
    /* All that hep_decode() finds but what needs more than one message (test_datagram). */
    uint32_t decoded = (HEP_QUIRK_PROTOBUF << 1) - 1;
    assert_int_equal(seen, decoded & ~(uint32_t)HEP_QUIRK_EXTRA_MESSAGES);
}

/* Two messages and rest in one datagram. */
static void test_datagram(void **state)
{
    (void)state;
    uint8_t frame[256], all[800];
    struct hep_msg msg;
    size_t len;
    base_message(&msg);
    assert_int_equal(hep_encode(&msg, frame, sizeof(frame), &len), HEP_OK);
    static const struct {
        unsigned frames;
        size_t rest;
        uint32_t last_quirk;
    } table[] = { { 1, 0, 0 }, { 1, 3, HEP_QUIRK_TRAILING_OCTETS }, { 2, 0, 0 },
                  { 3, 0, 0 }, { 3, 1, HEP_QUIRK_TRAILING_OCTETS }, { 2, 50, HEP_QUIRK_TRAILING_OCTETS } };
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        size_t total = 0;
        for (unsigned k = 0; k < table[i].frames; k++, total += len)
            memcpy(all + total, frame, len);
        memcpy(all + total, frame, table[i].rest); /* the head of a further one */
        total += table[i].rest;
        uint8_t *copy = guard_copy(all, total);
        for (int strict = 0; strict < 2; strict++) {
            struct hep_options options = { strict ? HEP_TOLERATE_STRICT : HEP_TOLERATE_DEFAULT };
            struct hep_datagram it = { copy, total, 0 };
            unsigned messages = 0;
            int rc;
            while ((rc = hep_datagram_next(&it, &options, &msg)) == HEP_OK) {
                messages++;
                assert_int_equal(msg.quirks,
                                 messages < table[i].frames ? (uint32_t)HEP_QUIRK_EXTRA_MESSAGES : table[i].last_quirk);
            }
            bool clean = table[i].frames == 1 && table[i].rest == 0;
            if (strict && !clean) {
                assert_int_equal(rc, HEP_ERR_QUIRK);
                assert_int_equal(messages, 0);
                assert_int_equal(msg.error_offset, len);
                assert_int_equal(hep_datagram_next(&it, &options, &msg), HEP_NEED_MORE);
            } else {
                assert_int_equal(rc, HEP_NEED_MORE);
                assert_int_equal(messages, table[i].frames);
            }
        }
        guard_free(copy, total);
    }
}

/* ------------------------------------------------------------------------------------------------ clean up */

#define RECV UINT32_C(1700000100)
#define NTP  UINT32_C(2208988800)

static const struct clean_row {
    const char *name;
    uint32_t quirk; /* 0: nothing to repair */
    uint32_t sec, usec, recv;
    uint32_t want_sec, want_usec;
} clean_rows[] = {
    { "sound", 0, 1700000000, 999999, RECV, 1700000000, 999999 },
    { "sound, no clock", 0, 5, 5, 0, 5, 5 },
    { "swapped", HEP_QUIRK_TIME_SWAPPED, 0x00f15365, 0x40e20100, RECV, 1700000000, 123456 },
    { "swapped, no clock", HEP_QUIRK_TIME_SWAPPED, 0x00f15365, 0x40e20100, 0, 1700000000, 123456 },
    { "clamped", HEP_QUIRK_TIME_CLAMPED, 1700000000, 0xffffffff, RECV, 1700000000, 999999 },
    { "missing", HEP_QUIRK_TIME_RECEIVED, 0, 0, RECV, RECV, 77 },
    { "second 59", HEP_QUIRK_TIME_RECEIVED, 59, 3, RECV, RECV, 77 },
    { "second 60", HEP_QUIRK_TIME_IMPLAUSIBLE, 60, 3, RECV, RECV, 77 },
    { "ntp", HEP_QUIRK_TIME_NTP, 1700000000 + NTP, 5, RECV, 1700000000, 5 },
    { "ten years", 0, RECV - 10u * 365 * 86400, 5, RECV, RECV - 10u * 365 * 86400, 5 },
    { "older", HEP_QUIRK_TIME_IMPLAUSIBLE, RECV - 10u * 365 * 86400 - 1, 5, RECV, RECV, 77 },
    { "a day ahead", 0, RECV + 86400, 5, RECV, RECV + 86400, 5 },
    { "more", HEP_QUIRK_TIME_IMPLAUSIBLE, RECV + 86401, 5, RECV, RECV, 77 },
};

static void test_clean_time(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(clean_rows); i++) {
        const struct clean_row *row = &clean_rows[i];
        for (int tolerated = 0; tolerated < 2; tolerated++) {
            struct hep_msg msg;
            struct hep_options options = { tolerated ? HEP_TOLERATE_DEFAULT : HEP_TOLERATE_DEFAULT & ~row->quirk };
            if (row->quirk == HEP_QUIRK_TIME_NTP && !tolerated)
                options.tolerate &= ~(uint32_t)HEP_QUIRK_TIME_IMPLAUSIBLE; /* what would be done in its place */
            if (row->quirk == HEP_QUIRK_TIME_SWAPPED && !tolerated)
                options.tolerate &= ~(uint32_t)(HEP_QUIRK_TIME_CLAMPED | HEP_QUIRK_TIME_IMPLAUSIBLE);
            base_message(&msg);
            msg.time_sec = row->sec;
            msg.time_usec = row->usec;
            hep_clean(&msg, &options, row->recv, 77);
            uint32_t sec = tolerated ? row->want_sec : row->sec;
            uint32_t usec = tolerated ? row->want_usec : row->usec;
            uint32_t quirks = tolerated ? row->quirk : 0;
            if (msg.time_sec != sec || msg.time_usec != usec || msg.quirks != quirks)
                fail_msg("%s, %d: %u.%u, quirks %x", row->name, tolerated, msg.time_sec, msg.time_usec, msg.quirks);
        }
    }
}

static void test_clean_fields(void **state)
{
    (void)state;
    static const struct {
        uint32_t quirk;
        unsigned type;
        uint64_t value, want;
    } rows[] = {
        { HEP_QUIRK_FAMILY_UNKNOWN, HEP_CHUNK_FAMILY, 30, 2 },
        { HEP_QUIRK_FAMILY_UNKNOWN, HEP_CHUNK_FAMILY, 10, 2 },
        { 0, HEP_CHUNK_FAMILY, 2, 2 },
        { HEP_QUIRK_CAPTURE_ID_SHIFTED, HEP_CHUNK_CAPTURE_ID, 2001u << 16, 2001 },
        { 0, HEP_CHUNK_CAPTURE_ID, 2001u << 16 | 1, 2001u << 16 | 1 },
        { 0, HEP_CHUNK_CAPTURE_ID, 0, 0 },
        { HEP_QUIRK_PROTOCOL_TLS, HEP_CHUNK_PROTOCOL, 22, 6 },
        { HEP_QUIRK_PROTOCOL_TLS, HEP_CHUNK_PROTOCOL, 50, 6 },
        { 0, HEP_CHUNK_PROTOCOL, 23, 23 },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        for (int tolerated = 0; tolerated < 2; tolerated++) {
            struct hep_options options = { tolerated ? HEP_TOLERATE_ALL : HEP_TOLERATE_ALL & ~rows[i].quirk };
            struct hep_msg msg;
            base_message(&msg);
            assert_int_equal(hep_set_number(&msg, rows[i].type, rows[i].value), HEP_OK);
            hep_clean(&msg, &options, 0, 0);
            uint64_t want = tolerated ? rows[i].want : rows[i].value;
            uint32_t quirks = tolerated ? rows[i].quirk : 0;
            if (hep_get_number(&msg, rows[i].type) != want || msg.quirks != quirks)
                fail_msg("row %zu, %d: quirks %x", i, tolerated, msg.quirks);
        }
    }
}

static void test_clean_ports(void **state)
{
    (void)state;
    static const struct {
        uint16_t src, dst;
        bool swapped;
    } rows[] = { { 0xc413, 0x3412, true }, { 0x3412, 0xc413, true }, { 0xc513, 1, true },
                 { 5060, 0xc413, false },  { 0xc413, 5061, false },  { 1000, 2000, false } };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        for (int all = 0; all < 2; all++) {
            struct hep_options options = { all ? HEP_TOLERATE_ALL : HEP_TOLERATE_DEFAULT };
            struct hep_msg msg;
            base_message(&msg);
            msg.src_port = rows[i].src;
            msg.dst_port = rows[i].dst;
            hep_clean(&msg, &options, 0, 0);
            bool swapped = all && rows[i].swapped;
            unsigned src = rows[i].src;
            unsigned want = swapped ? (src << 8 | src >> 8) & 0xffff : src;
            assert_int_equal(msg.src_port, want);
            assert_int_equal(msg.quirks, swapped ? (uint32_t)HEP_QUIRK_PORTS_SWAPPED : 0);
        }
    }
}

static void test_clean_correlation(void **state)
{
    (void)state;
    static const struct {
        const char *sent;
        size_t len, want_len;
        bool cut;
    } rows[] = { { "abc", 3, 3, false },   { "abc\0", 4, 3, true },    { "a\0b", 3, 3, false },
                 { "a\0\0", 3, 2, true },  { "", 0, 0, false },        { "\0", 1, 0, true },
                 { "<null>", 6, 0, true }, { "<null>\0", 7, 0, true }, { "<null>x", 7, 7, false },
                 { "<nul>", 5, 5, false } };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        for (int tolerated = 0; tolerated < 2; tolerated++) {
            struct hep_options options = { tolerated ? HEP_TOLERATE_ALL : 0 };
            struct hep_msg msg;
            base_message(&msg);
            assert_int_equal(hep_set_octets(&msg, HEP_CHUNK_CORRELATION_ID, rows[i].sent, rows[i].len), HEP_OK);
            hep_clean(&msg, &options, 0, 0);
            bool cut = tolerated && rows[i].cut;
            assert_int_equal(msg.correlation_id.len, cut ? rows[i].want_len : rows[i].len);
            assert_int_equal(hep_has(&msg, HEP_CHUNK_CORRELATION_ID), !(cut && rows[i].want_len == 0));
            assert_int_equal(msg.quirks, cut ? (uint32_t)HEP_QUIRK_CORRELATION_CUT : 0);
        }
    }
}

/* ------------------------------------------------------------------------------------------------ names, registry */

static void test_names(void **state)
{
    (void)state;
    uint32_t all = 0;
    for (unsigned i = 0; i < 32; i++) {
        const char *name = hep_quirk_name(UINT32_C(1) << i);
        assert_int_equal(name != NULL, i < HEP_QUIRK_COUNT);
        if (name == NULL)
            continue;
        assert_int_equal(hep_quirk_bit(name, strlen(name)), UINT32_C(1) << i);
        assert_int_equal(hep_quirk_bit(name, strlen(name) - 1), 0);
        all |= UINT32_C(1) << i;
    }
    assert_int_equal(all, HEP_TOLERATE_ALL);
    assert_null(hep_quirk_name(0));
    assert_null(hep_quirk_name(3));
    assert_int_equal(hep_quirk_bit("", 0), 0);
    unsigned named = 0;
    for (unsigned type = 0; type < 256; type++) {
        const char *name = hep_type_name((uint8_t)type);
        if (name == NULL)
            continue;
        named++;
        assert_int_equal(hep_type_number(name, strlen(name)), type);
    }
    assert_true(named > 20);
    assert_int_equal(hep_type_number("sip", 2), -1);
    assert_int_equal(hep_type_number("sipx", 3), 1); /* need not be terminated */
    assert_int_equal(hep_type_number("", 0), -1);
    assert_string_equal(hep_vendor_name(8), "Genesys");
    assert_string_equal(hep_vendor_name(0), "generic");
    assert_null(hep_vendor_name(9));
    assert_null(hep_vendor_name(65535));
}

/* Keys are unique but for the two families of an address, and every kind leads into the struct. */
static void test_fields(void **state)
{
    (void)state;
    for (unsigned a = 0; a <= HEP_CHUNK_GENERIC_MAX; a++) {
        const struct hep_field *fa = hep_field(a);
        assert_int_equal(fa != NULL, field_known(a));
        if (fa == NULL)
            continue;
        assert_true(fa->offset < sizeof(struct hep_msg));
        assert_int_equal(fa->key == NULL, a == HEP_CHUNK_PAYLOAD || a == HEP_CHUNK_PAYLOAD_ZIP);
        for (unsigned b = a + 1; b <= HEP_CHUNK_GENERIC_MAX; b++) {
            const struct hep_field *fb = hep_field(b);
            if (fb == NULL || fa->key == NULL || fb->key == NULL)
                continue;
            bool pair = (a == HEP_CHUNK_SRC_IP4 || a == HEP_CHUNK_DST_IP4) && b == a + 2;
            assert_int_equal(strcmp(fa->key, fb->key) == 0, pair);
            assert_int_equal(fa->offset == fb->offset, pair);
        }
    }
}

static void test_strerror(void **state)
{
    (void)state;
    const char *texts[64];
    size_t count = 0;
    for (int rc = -60; rc <= 10; rc++) {
        const char *text = hep_strerror(rc);
        assert_non_null(text);
        if (strcmp(text, "unknown error") == 0)
            continue;
        for (size_t i = 0; i < count; i++)
            assert_string_not_equal(texts[i], text);
        assert_true(count < COUNT_OF(texts));
        texts[count++] = text;
    }
    assert_int_equal(count, 2 + 12 + 3 + 3 + 3);
}

static void test_registry(void **state)
{
    (void)state;
    struct hep_vendor_key keys[3];
    struct hep_registry r = { keys, 0, COUNT_OF(keys), false };
    static const struct {
        struct hep_vendor_key key;
        int want;
    } rows[] = {
        { { 0, 1, HEP_KIND_U8, "x" }, HEP_ERR_ARGUMENT },
        { { 9, 1, HEP_KIND_U8, "" }, HEP_ERR_ARGUMENT },
        { { 9, 1, HEP_KIND_U8, NULL }, HEP_ERR_ARGUMENT },
        { { 9, 1, HEP_KIND_IP4, "x" }, HEP_ERR_ARGUMENT },
        { { 9, 1, HEP_KIND_MAC, "x" }, HEP_ERR_ARGUMENT },
        { { 9, 1, HEP_KIND_U8, "srcIp" }, HEP_ERR_DUPLICATE },
        { { 9, 1, HEP_KIND_U8, "conversationId" }, HEP_ERR_DUPLICATE }, /* built in, another chunk */
        { { 9, 1, HEP_KIND_U64, "x" }, HEP_OK },
        { { 9, 1, HEP_KIND_U8, "y" }, HEP_ERR_DUPLICATE },
        { { 9, 2, HEP_KIND_U8, "x" }, HEP_ERR_DUPLICATE },
        { { 8, 0x80, HEP_KIND_OCTETS, "conv" }, HEP_OK },           /* takes the built-in one's place */
        { { 8, 0x81, HEP_KIND_OCTETS, "organizationId" }, HEP_OK }, /* the built-in one again */
        { { 9, 4, HEP_KIND_U8, "z" }, HEP_ERR_FULL },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (hep_registry_add(&r, &rows[i].key) != rows[i].want)
            fail_msg("row %zu", i);
    assert_string_equal(hep_registry_by_id(&r, 8, 0x80)->key, "conv");
    assert_null(hep_registry_by_key(&r, "conversationId", 14));
    assert_int_equal(hep_registry_by_key(&r, "convX", 4)->type, 0x80);
    assert_int_equal(hep_registry_by_key(&r, "siteId", 6)->type, 0x82);
    assert_int_equal(hep_registry_by_id(&r, 9, 1)->kind, HEP_KIND_U64);
    assert_null(hep_registry_by_id(&r, 9, 2));
    r.no_builtin = true;
    assert_null(hep_registry_by_id(&r, 8, 0x82));
    assert_null(hep_registry_by_key(&r, "siteId", 6));
    assert_non_null(hep_registry_by_id(&r, 8, 0x81));
    struct hep_registry none = { NULL, 0, 0, false };
    assert_int_equal(hep_registry_add(&none, &rows[7].key), HEP_ERR_FULL);
    assert_string_equal(hep_registry_by_id(&none, 8, 0x84)->key, "edgeId");
    assert_string_equal(hep_registry_by_id(NULL, 8, 0x84)->key, "edgeId");
    assert_int_equal(hep_registry_by_key(NULL, "edgeId", 6)->type, 0x84);
    assert_null(hep_registry_by_key(NULL, "edgeIdx", 7));
}

/* ------------------------------------------------------------------------------------------------ mutations */

static void mutate(uint64_t *seed, uint8_t *p, size_t len)
{
    static const uint8_t favourites[] = { 0, 1, 2, 5, 6, 7, 0x10, 0x7f, 0x80, 0xff };
    for (size_t n = 1 + prng_below(seed, 4); n > 0; n--) {
        size_t at = prng_below(seed, 3) == 0 ? prng_below(seed, len < 12 ? len : 12) : prng_below(seed, len);
        p[at] = prng_below(seed, 2) ? favourites[prng_below(seed, sizeof(favourites))] : (uint8_t)prng_next(seed);
    }
}

static void walk(const struct hep_msg *msg, const uint8_t *data, size_t len)
{
    struct hep_chunk c;
    for (size_t pos = 0; hep_chunk_next(msg, &pos, &c);)
        assert_true(c.body.ptr >= data + 12 && c.body.ptr + c.body.len <= data + len);
    for (unsigned type = 1; type <= HEP_CHUNK_GENERIC_MAX; type++) {
        struct hep_slice s = hep_get_octets(msg, type);
        assert_true(s.len == 0 || (s.ptr >= data && s.ptr + s.len <= data + len));
    }
}

static void test_mutations(void **state)
{
    (void)state;
    uint64_t seed = 0xfeedbeef;
    unsigned good = 0, bad = 0;
    for (unsigned i = 0; i < 100000; i++) {
        uint8_t frame[4096];
        struct hep_msg msg;
        struct hep_chunk extra[4];
        size_t len;
        random_message(&seed, &msg, extra);
        msg.version = (uint8_t)(i % 8 == 0 ? 1 : i % 8 == 1 ? 2 : 3);
        if (hep_encode(&msg, frame, sizeof(frame), &len) != HEP_OK) {
            msg.version = 3;
            assert_int_equal(hep_encode(&msg, frame, sizeof(frame), &len), HEP_OK);
        }
        mutate(&seed, frame, len);
        uint8_t *copy = guard_copy(frame, len);
        int rc = hep_decode(copy, len, NULL, &msg);
        assert_true(rc <= 0);
        assert_true(rc == HEP_OK || msg.error_offset <= len);
        if (rc == HEP_OK) {
            walk(&msg, copy, len);
            hep_clean(&msg, NULL, 1700000000, 0);
            good++;
        } else {
            bad++;
        }
        guard_free(copy, len);
    }
    assert_true(good > 10000 && bad > 10000); /* both ways are taken */
}

static int setup(void **state)
{
    (void)state;
    uint64_t seed = 42;
    prng_fill(&seed, pool, sizeof(pool));
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_messages),
        cmocka_unit_test(test_every_smaller_cap),
        cmocka_unit_test(test_longest),
        cmocka_unit_test(test_sizes_saturate),
        cmocka_unit_test(test_legacy),
        cmocka_unit_test(test_encode_arguments),
        cmocka_unit_test(test_setters),
        cmocka_unit_test(test_getters_of_unknown_types),
        cmocka_unit_test(test_writer),
        cmocka_unit_test(test_writer_errors_stick),
        cmocka_unit_test(test_chunk_order),
        cmocka_unit_test(test_vendor_never_generic),
        cmocka_unit_test(test_auth),
        cmocka_unit_test(test_quirks),
        cmocka_unit_test(test_datagram),
        cmocka_unit_test(test_clean_time),
        cmocka_unit_test(test_clean_fields),
        cmocka_unit_test(test_clean_ports),
        cmocka_unit_test(test_clean_correlation),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_strerror),
        cmocka_unit_test(test_registry),
        cmocka_unit_test(test_mutations),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
