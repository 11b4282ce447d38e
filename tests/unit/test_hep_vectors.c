/*
 * The protocol's test vectors (tests/vectors/hep-vectors.json, described in its README): decoding, JSON, clean-up,
 * encoding, strict mode and every truncation. All input is decoded from guard memory.
 */
#include "testlib.h"

#include <jansson.h>

#include "base/base64.h"
#include "base/buf.h"
#include "guard.h"
#include "hep/hep.h"
#include "hep/zlib.h"
#include "hepjson/hepjson.h"

#define INFLATE_LIMIT (1u << 20)
#define JSON_MAX      (16u << 20)

static json_t *vectors;
static struct hep_zlib *zlib_payload, *zlib_envelope;

/* One vector with its octets in guard memory, unpacked if the datagram is gzip as a whole. */
struct vector {
    const json_t *json;
    const char *name;
    bool valid;
    uint8_t *octets; /* guard memory */
    size_t len;
    bool envelope;
    struct hep_vendor_key keys[16];
    struct hep_registry registry;
};

static const json_t *get(const json_t *object, const char *key)
{
    return json_object_get(object, key);
}

static void take_extensions(struct vector *v)
{
    static const struct {
        const char *name;
        enum hep_kind kind;
    } kinds[] = { { "UInt8", HEP_KIND_U8 }, { "UInt16", HEP_KIND_U16 }, { "UInt32", HEP_KIND_U32 } };
    const char *vendor, *type;
    json_t *types, *key;
    v->registry = (struct hep_registry){ v->keys, 0, COUNT_OF(v->keys), true };
    json_object_foreach(json_object_get(v->json, "extensions"), vendor, types)
    {
        json_object_foreach(types, type, key)
        {
            struct hep_vendor_key k = { (uint16_t)atoi(vendor), (uint16_t)atoi(type), HEP_KIND_OCTETS,
                                        json_string_value(get(key, "keyName")) };
            const char *kind = json_string_value(get(key, "type"));
            for (size_t i = 0; kind != NULL && i < COUNT_OF(kinds); i++)
                if (strcmp(kind, kinds[i].name) == 0)
                    k.kind = kinds[i].kind;
            assert_int_equal(hep_registry_add(&v->registry, &k), HEP_OK);
        }
    }
}

static void vector_open(struct vector *v, const json_t *json)
{
    memset(v, 0, sizeof(*v));
    v->json = json;
    v->name = json_string_value(get(json, "name"));
    v->valid = json_is_true(get(json, "valid"));
    take_extensions(v);
    uint8_t *plain = unhex(json_string_value(get(json, "hex")), &v->len);
    struct hep_slice in = { plain, v->len };
    struct hep_slice out;
    int rc = hep_zlib_envelope(zlib_envelope, in, &out);
    v->envelope = rc == HEP_OK;
    v->len = out.len;
    v->octets = guard_copy(out.ptr, out.len);
    free(plain);
}

static void vector_close(struct vector *v)
{
    guard_free(v->octets, v->len);
}

#define FOR_EACH_VECTOR(v)                                                                                             \
    for (size_t v##_i = 0;                                                                                             \
         v##_i < json_array_size(vectors) && (vector_open(&(v), json_array_get(vectors, v##_i)), true);                \
         v##_i++, vector_close(&(v)))

/* ------------------------------------------------------------------------------------------------ comparisons */

/* The JSON of a message, parsed. */
static json_t *as_json(const struct hep_msg *msg, const struct vector *v, bool plain)
{
    struct buf out;
    struct hepjson_options options = { &v->registry, plain };
    json_error_t err;
    buf_init(&out, JSON_MAX);
    hepjson_write(&out, msg, &options, NULL);
    assert_false(out.failed);
    json_t *json = json_loadb((const char *)out.ptr, out.len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &err);
    if (json == NULL)
        fail_msg("%s: %s in %.*s", v->name, err.text, (int)out.len, (const char *)out.ptr);
    buf_free(&out);
    return json;
}

static void expect_equal(const struct vector *v, const char *what, const json_t *got, const json_t *want)
{
    if (json_equal(got, want))
        return;
    char *a = json_dumps(got, JSON_COMPACT | JSON_ENCODE_ANY);
    char *b = json_dumps(want, JSON_COMPACT | JSON_ENCODE_ANY);
    fail_msg("%s: %s: got %s, want %s", v->name, what, a != NULL ? a : "nothing", b != NULL ? b : "nothing");
}

static void expect_payload(const struct vector *v, const struct hep_msg *msg, const json_t *want, const json_t *json)
{
    bool has = hep_has(msg, HEP_CHUNK_PAYLOAD) || hep_has(msg, HEP_CHUNK_PAYLOAD_ZIP);
    const char *b64 = json_string_value(get(want, "payload_b64"));
    if (has != (b64 != NULL))
        fail_msg("%s: payload present: %d", v->name, has);
    if (!has) {
        assert_null(get(json, "payload"));
        return;
    }
    char *text = calloc(1, base64_text_len(msg->payload.len) + 1);
    assert_non_null(text);
    (void)base64_encode(msg->payload.ptr, msg->payload.len, text);
    if (strcmp(text, b64) != 0)
        fail_msg("%s: payload %s, want %s", v->name, text, b64);
    const json_t *value = get(json, "payload");
    if (get(json, "payloadEncoding") != NULL) {
        assert_string_equal(json_string_value(value), b64);
    } else {
        assert_int_equal(json_string_length(value), msg->payload.len);
        assert_memory_equal(json_string_value(value), msg->payload.ptr, msg->payload.len);
    }
    free(text);
}

/* The chunks of `msg` that are (vendor) or are not (generic, unknown) of a vendor, in the shape of the vectors. */
static json_t *chunk_list(const struct hep_msg *msg, bool vendor)
{
    json_t *list = json_array();
    struct hep_chunk c;
    for (size_t pos = 0; hep_chunk_next(msg, &pos, &c);) {
        if ((c.vendor != 0) != vendor || (!vendor && hep_field(c.type) != NULL))
            continue;
        char *hex = calloc(2, c.body.len + 1);
        assert_non_null(hex);
        for (size_t i = 0; i < c.body.len; i++)
            (void)snprintf(hex + 2 * i, 3, "%02x", c.body.ptr[i]);
        json_t *entry = json_pack("{si,ss}", "type", (int)c.type, "hex", hex);
        if (vendor)
            json_object_set_new(entry, "vendor", json_integer(c.vendor));
        json_array_append_new(list, entry);
        free(hex);
    }
    return list;
}

static void expect_chunks(const struct vector *v, const struct hep_msg *msg, const json_t *want)
{
    json_t *none = json_array();
    for (int vendor = 0; vendor < 2; vendor++) {
        const char *key = vendor ? "vendorChunks" : "unknownChunks";
        const json_t *listed = get(want, key);
        json_t *got = chunk_list(msg, vendor != 0);
        expect_equal(v, key, got, listed != NULL ? listed : none);
        json_decref(got);
    }
    json_decref(none);
}

/* The words that the vectors know: what the clean-up finds and what is only informative is not among them. */
static const char *const vocabulary[] = {
    "trailing_octets",   "extra_messages",  "duplicate_chunk",   "chunk_ignored",
    "odd_size",          "compressed_zlib", "compressed_gzip",   "compressed_deflate",
    "decompress_failed", "payload_missing", "addresses_missing", "time_missing",
    "v2_big_endian",     "v2_short_header", "gzip_envelope",     "protobuf",
};

static void expect_warn(const struct vector *v, uint32_t quirks, const json_t *want)
{
    const json_t *warn = get(want, "warn");
    for (size_t i = 0; i < COUNT_OF(vocabulary); i++) {
        uint32_t bit = hep_quirk_bit(vocabulary[i], strlen(vocabulary[i]));
        assert_int_not_equal(bit, 0);
        bool wanted = false;
        for (size_t k = 0; k < json_array_size(warn); k++)
            wanted = wanted || strcmp(json_string_value(json_array_get(warn, k)), vocabulary[i]) == 0;
        if (wanted != ((quirks & bit) != 0))
            fail_msg("%s: %s wanted: %d, quirks %x", v->name, vocabulary[i], wanted, quirks);
    }
}

static void expect_clean(const struct vector *v, const struct hep_msg *decoded, const json_t *want)
{
    struct hep_msg msg = *decoded;
    json_t *wanted = json_deep_copy(get(want, "rcinfo"));
    if (json_integer_value(get(wanted, "timeUseconds")) >= 1000000)
        json_object_set_new(wanted, "timeUseconds", json_integer(999999)); /* unless a better reading is listed */
    if (get(want, "normalized") != NULL)
        json_object_update(wanted, json_object_get(want, "normalized"));
    hep_clean(&msg, NULL, 0, 0);
    json_t *json = as_json(&msg, v, true);
    expect_equal(v, "normalized", get(json, "rcinfo"), wanted);
    json_decref(json);
    json_decref(wanted);
}

static void expect_message(const struct vector *v, struct hep_msg *msg, const json_t *want)
{
    (void)hep_zlib_payload(zlib_payload, msg);
    assert_int_equal(msg->version, json_integer_value(get(want, "version")));
    json_t *json = as_json(msg, v, false);
    expect_equal(v, "rcinfo", get(json, "rcinfo"), get(want, "rcinfo"));
    expect_payload(v, msg, want, json);
    json_decref(json);
    expect_chunks(v, msg, want);
    expect_warn(v, msg->quirks, want);
    expect_clean(v, msg, want);
}

/* ------------------------------------------------------------------------------------------------ tests */

static void test_valid(void **state)
{
    (void)state;
    struct vector v;
    struct hep_msg msg;
    size_t seen = 0;
    FOR_EACH_VECTOR(v)
    {
        if (!v.valid)
            continue;
        const json_t *want = get(v.json, "expect");
        const json_t *more = get(want, "more");
        struct hep_datagram it = { v.octets, v.len, 0 };
        int rc = hep_datagram_next(&it, NULL, &msg);
        if (rc != HEP_OK)
            fail_msg("%s: %s at %zu", v.name, hep_strerror(rc), msg.error_offset);
        if (v.envelope)
            msg.quirks |= HEP_QUIRK_GZIP_ENVELOPE;
        expect_message(&v, &msg, want);
        for (size_t i = 0; i < json_array_size(more); i++) {
            assert_int_equal(hep_datagram_next(&it, NULL, &msg), HEP_OK);
            expect_message(&v, &msg, json_array_get(more, i));
        }
        assert_int_equal(hep_datagram_next(&it, NULL, &msg), HEP_NEED_MORE);
        seen++;
    }
    assert_int_equal(seen, 81);
}

/*
 * Feeds all octets and returns how many frames came that decode. *ret_first is what decoding the first frame gave
 * (HEP_NEED_MORE if there was none), *ret_end what the reader ended with.
 */
static size_t read_stream(const uint8_t *data, size_t len, int *ret_first, int *ret_end)
{
    static uint8_t room[HEP_FRAME_MAX];
    struct hep_stream s;
    struct hep_slice frame;
    size_t good = 0;
    hep_stream_init(&s, room, sizeof(room));
    *ret_first = HEP_NEED_MORE;
    assert_int_equal(hep_stream_push(&s, data, len), len);
    while (hep_stream_next(&s, &frame) == HEP_OK) {
        struct hep_msg msg;
        uint8_t *copy = guard_copy(frame.ptr, frame.len);
        int rc = hep_decode(copy, frame.len, NULL, &msg);
        *ret_first = *ret_first == HEP_NEED_MORE ? rc : *ret_first;
        good += rc == HEP_OK;
        guard_free(copy, frame.len);
    }
    *ret_end = hep_stream_finish(&s);
    return good;
}

static void test_invalid(void **state)
{
    (void)state;
    struct vector v;
    struct hep_msg msg;
    size_t seen = 0;
    FOR_EACH_VECTOR(v)
    {
        if (v.valid)
            continue;
        int rc = hep_decode(v.octets, v.len, NULL, &msg);
        if (rc >= 0 || msg.error_offset > v.len)
            fail_msg("%s: %d at %zu", v.name, rc, msg.error_offset);
        struct hep_datagram it = { v.octets, v.len, 0 };
        assert_int_equal(hep_datagram_next(&it, NULL, &msg), rc);
        assert_int_equal(hep_datagram_next(&it, NULL, &msg), HEP_NEED_MORE);
        int first, end;
        size_t good = read_stream(v.octets, v.len, &first, &end);
        bool framed = v.len >= 6 && memcmp(v.octets, "HEP3", 4) == 0;
        if (rc == HEP_ERR_MAGIC || rc == HEP_ERR_TOTAL_LENGTH)
            assert_int_equal(end, rc);
        else if (rc == HEP_ERR_TRUNCATED)
            assert_int_equal(end, HEP_ERR_TRUNCATED);
        else if (!framed && v.len > 0)
            assert_true(end < 0);
        /* What follows a bad message in a stream may be good again. */
        if (first == HEP_OK || (first == HEP_NEED_MORE && good != 0))
            fail_msg("%s: %zu messages taken from a stream", v.name, good);
        seen++;
    }
    assert_int_equal(seen, 25);
}

/* A stream carries version 3 only, and the same frames that the datagram has. */
static void test_valid_stream(void **state)
{
    (void)state;
    struct vector v;
    FOR_EACH_VECTOR(v)
    {
        if (!v.valid)
            continue;
        const json_t *want = get(v.json, "expect");
        int first, end;
        size_t good = read_stream(v.octets, v.len, &first, &end);
        if (json_integer_value(get(want, "version")) != 3) {
            assert_int_equal(good, 0);
            assert_int_equal(end, HEP_ERR_MAGIC);
        } else {
            assert_int_equal(good, 1 + json_array_size(get(want, "more")));
        }
    }
}

static void expect_octets(const struct vector *v, const uint8_t *got, size_t got_len, const uint8_t *want, size_t len)
{
    if (got_len != len || memcmp(got, want, len) != 0)
        fail_msg("%s: %zu octets, want %zu, or they differ", v->name, got_len, len);
}

static void encode_text(const struct vector *v, const char *text, size_t text_len, const uint8_t *want, size_t len)
{
    static uint8_t frame[HEP_FRAME_MAX];
    size_t frame_len;
    struct hepjson_error err;
    struct hepjson_reader *r = hepjson_reader_new(&v->registry);
    assert_non_null(r);
    if (hepjson_read(r, text, text_len, &err) != 0)
        fail_msg("%s: %u:%u: %s in %.*s", v->name, err.line, err.column, err.text, (int)text_len, text);
    int rc = hepjson_encode(r, frame, sizeof(frame), &frame_len);
    if (rc != HEP_OK)
        fail_msg("%s: %s", v->name, hep_strerror(rc));
    expect_octets(v, frame, frame_len, want, len);
    hepjson_reader_free(r);
}

static void test_encode(void **state)
{
    (void)state;
    struct vector v;
    size_t seen = 0;
    FOR_EACH_VECTOR(v)
    {
        if (!json_is_true(get(v.json, "encode")))
            continue;
        json_t *input = json_deep_copy(get(v.json, "encode_input"));
        if (input == NULL) {
            const json_t *want = get(v.json, "expect");
            input = json_pack("{sO,sO,ss}", "rcinfo", get(want, "rcinfo"), "payload", get(want, "payload_b64"),
                              "payloadEncoding", "base64");
        }
        char *text = json_dumps(input, 0);
        assert_non_null(text);
        encode_text(&v, text, strlen(text), v.octets, v.len);
        free(text);
        json_decref(input);
        seen++;
    }
    assert_int_equal(seen, 12);
}

static void test_round_trip(void **state)
{
    (void)state;
    struct vector v;
    FOR_EACH_VECTOR(v)
    {
        struct hep_msg msg;
        struct buf out;
        struct hepjson_options options = { &v.registry, false };
        if (!v.valid || hep_decode(v.octets, v.len, NULL, &msg) != HEP_OK || msg.version == 0)
            continue;
        (void)hep_zlib_payload(zlib_payload, &msg);
        buf_init(&out, JSON_MAX);
        hepjson_write(&out, &msg, &options, NULL);
        assert_false(out.failed);
        /* The bomb's raw octets are small; no text of a vector is beyond what the reader takes. */
        encode_text(&v, (const char *)out.ptr, out.len, msg.frame.ptr, msg.frame.len);
        buf_free(&out);
    }
}

static void test_strict(void **state)
{
    (void)state;
    static const struct hep_options strict = { HEP_TOLERATE_STRICT };
    struct vector v;
    size_t refused = 0;
    FOR_EACH_VECTOR(v)
    {
        struct hep_msg msg;
        if (!v.valid)
            continue;
        assert_int_equal(hep_decode(v.octets, v.len, NULL, &msg), HEP_OK);
        int want = (msg.quirks & ~(uint32_t)HEP_QUIRKS_LEGAL) != 0 ? HEP_ERR_QUIRK : HEP_OK;
        int rc = hep_decode(v.octets, v.len, &strict, &msg);
        if (rc != want || (rc != HEP_OK && msg.error_offset > v.len))
            fail_msg("%s: %d, want %d, at %zu", v.name, rc, want, msg.error_offset);
        if (rc == HEP_ERR_QUIRK)
            assert_int_not_equal(msg.quirks & ~(uint32_t)HEP_QUIRKS_LEGAL, 0);
        struct hep_datagram it = { v.octets, v.len, 0 };
        assert_int_equal(hep_datagram_next(&it, &strict, &msg), want);
        refused += want != HEP_OK;
    }
    assert_true(refused >= 15);
}

static bool inside(struct hep_slice part, const uint8_t *data, size_t len)
{
    return part.len == 0 || (part.ptr >= data && part.len <= len && (size_t)(part.ptr - data) <= len - part.len);
}

static void expect_inside(const char *name, const struct hep_msg *msg, const uint8_t *data, size_t len)
{
    for (unsigned type = 1; type <= HEP_CHUNK_GENERIC_MAX; type++)
        if (!inside(hep_get_octets(msg, type), data, len))
            fail_msg("%s: field %u is not inside the input", name, type);
    if (!inside(msg->frame, data, len))
        fail_msg("%s: frame is not inside the input", name);
}

static void test_truncated(void **state)
{
    (void)state;
    struct vector v;
    FOR_EACH_VECTOR(v)
    {
        bool v3 = v.len >= 6 && memcmp(v.octets, "HEP3", 4) == 0;
        size_t total = v3 ? (size_t)v.octets[4] << 8 | v.octets[5] : 0;
        for (size_t n = 0; n < v.len; n++) {
            struct hep_msg msg;
            uint8_t *cut = guard_copy(v.octets, n);
            int rc = hep_decode(cut, n, NULL, &msg);
            if (rc > 0 || (rc != HEP_OK && msg.error_offset > n) || (v3 && n < total && rc == HEP_OK))
                fail_msg("%s cut at %zu: %d at %zu", v.name, n, rc, msg.error_offset);
            if (rc == HEP_OK) {
                expect_inside(v.name, &msg, cut, n);
                if (msg.version != 3)
                    assert_true(msg.payload.len > 0 && msg.payload.len < n);
            }
            guard_free(cut, n);
        }
    }
}

/* The example of Genesys' documentation: the keys come back in the same order, by the built-in registry. */
static void test_genesys(void **state)
{
    (void)state;
    size_t len, frame_len;
    uint8_t frame[4096];
    struct hepjson_error err;
    struct hep_msg msg;
    struct buf out;
    struct hepjson_options options = { NULL, false };
    char *text = read_file(TEST_DATA "/vectors/genesys-example.json", &len);
    struct hepjson_reader *r = hepjson_reader_new(NULL);
    assert_non_null(r);
    assert_int_equal(hepjson_read(r, text, len, &err), 0);
    assert_int_equal(hepjson_encode(r, frame, sizeof(frame), &frame_len), HEP_OK);
    uint8_t *copy = guard_copy(frame, frame_len);
    assert_int_equal(hep_decode(copy, frame_len, NULL, &msg), HEP_OK);
    buf_init(&out, JSON_MAX);
    hepjson_write(&out, &msg, &options, NULL);
    buf_putc(&out, '\0');
    assert_false(out.failed);
    json_t *original = json_loads(text, 0, NULL);
    char *compact = json_dumps(original, JSON_COMPACT);
    assert_string_equal((const char *)out.ptr, compact);
    free(compact);
    json_decref(original);
    buf_free(&out);
    guard_free(copy, frame_len);
    hepjson_reader_free(r);
    free(text);
}

static int setup(void **state)
{
    (void)state;
    vectors = json_load_file(TEST_DATA "/vectors/hep-vectors.json", 0, NULL);
    zlib_payload = hep_zlib_new(INFLATE_LIMIT);
    zlib_envelope = hep_zlib_new(INFLATE_LIMIT);
    return json_array_size(vectors) > 0 && zlib_payload != NULL && zlib_envelope != NULL ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    json_decref(vectors);
    hep_zlib_free(zlib_payload);
    hep_zlib_free(zlib_envelope);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_valid),     cmocka_unit_test(test_invalid),    cmocka_unit_test(test_valid_stream),
        cmocka_unit_test(test_encode),    cmocka_unit_test(test_round_trip), cmocka_unit_test(test_strict),
        cmocka_unit_test(test_truncated), cmocka_unit_test(test_genesys),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
