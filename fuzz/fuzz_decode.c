/*
 * One datagram: decoding under the default and the strict options, the iterators, clean-up, and the promise that JSON
 * loses nothing: what is decoded, written as JSON, read and encoded again is the same octets.
 */
#include <string.h>

#include "fuzz.h"
#include "hep/hep.h"
#include "hepjson/hepjson.h"

/* One vendor key of each kind, beside the built-in ones. */
static struct hep_vendor_key keys[] = {
    { 8, 0x85, HEP_KIND_U8, "u8" },
    { 8, 0x86, HEP_KIND_U16, "u16" },
    { 8, 0x87, HEP_KIND_U32, "u32" },
    { 8, 0x88, HEP_KIND_U64, "u64" },
};
static const struct hep_registry registry = { keys, sizeof(keys) / sizeof(keys[0]), sizeof(keys) / sizeof(keys[0]),
                                              false };

static void check_inside(struct hep_slice s, const uint8_t *data, size_t size)
{
    FUZZ_CHECK(s.len == 0 || (s.ptr >= data && s.len <= size && (size_t)(s.ptr - data) <= size - s.len));
}

static void check_message(const struct hep_msg *msg, const uint8_t *data, size_t size)
{
    size_t chunks = 0;
    struct hep_chunk c;
    for (size_t pos = 0; hep_chunk_next(msg, &pos, &c); chunks++) {
        check_inside(c.body, data, size);
        FUZZ_CHECK(pos <= msg->frame.len);
    }
    FUZZ_CHECK((chunks > 0) == (msg->version == 3));
    for (unsigned type = 0; type <= HEP_CHUNK_GENERIC_MAX; type++) {
        check_inside(hep_get_octets(msg, type), data, size);
        FUZZ_CHECK(hep_has(msg, type) || hep_get_number(msg, type) == 0);
    }
    FUZZ_CHECK(msg->frame.ptr == data && msg->frame.len <= size);
}

static void check_json(const struct hep_msg *msg)
{
    static struct hepjson_reader *reader;
    static struct buf text;
    static uint8_t frame[HEP_FRAME_MAX];
    static const struct hepjson_options complete = { &registry, false }, plain = { &registry, true };
    struct hepjson_error err;
    size_t len;
    if (reader == NULL) {
        reader = hepjson_reader_new(&registry);
        buf_init(&text, 16u << 20);
    }
    buf_reset(&text);
    hepjson_write(&text, msg, &plain, NULL);
    FUZZ_CHECK(!text.failed);
    FUZZ_CHECK(hepjson_read(reader, (const char *)text.ptr, text.len, &err) == 0);
    buf_reset(&text);
    hepjson_write(&text, msg, &complete, NULL);
    FUZZ_CHECK(!text.failed);
    FUZZ_CHECK(hepjson_read(reader, (const char *)text.ptr, text.len, &err) == 0);
    FUZZ_CHECK(hepjson_ignored_keys(reader) == 0);
    /* Two octets of room: a version 2 frame without pad is built with it. */
    if (msg->version == 0 || msg->frame.len > HEP_FRAME_MAX - 2)
        return;
    FUZZ_CHECK(hepjson_encode(reader, frame, sizeof(frame), &len) == HEP_OK);
    FUZZ_CHECK(len == msg->frame.len && memcmp(frame, msg->frame.ptr, len) == 0);
    hepjson_rebuild(reader);
    if (msg->version == 3)
        (void)hepjson_encode(reader, frame, sizeof(frame), &len);
}

/* After one clean-up there is nothing left for a second, but for NULs: one is taken off the correlation id a time. */
static void check_clean(const struct hep_msg *decoded)
{
    static const struct hep_options keep_nuls = { HEP_TOLERATE_DEFAULT & ~(uint32_t)HEP_QUIRK_CORRELATION_CUT };
    struct hep_msg once = *decoded;
    hep_clean(&once, NULL, 1700000000, 5);
    struct hep_msg twice = once;
    hep_clean(&twice, &keep_nuls, 1700000000, 5);
    FUZZ_CHECK(memcmp(&once, &twice, sizeof(once)) == 0);
    FUZZ_CHECK(once.time_usec < 1000000);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct hep_options strict = { HEP_TOLERATE_STRICT };
    struct hep_msg msg, strict_msg;
    int rc = hep_decode(data, size, NULL, &msg);
    int strict_rc = hep_decode(data, size, &strict, &strict_msg);
    FUZZ_CHECK(rc <= 0 && strict_rc <= 0);
    FUZZ_CHECK(msg.error_offset <= size && strict_msg.error_offset <= size);
    if (rc == HEP_OK) {
        bool legal = (msg.quirks & ~(uint32_t)HEP_QUIRKS_LEGAL) == 0;
        FUZZ_CHECK(strict_rc == (legal ? HEP_OK : HEP_ERR_QUIRK));
        check_message(&msg, data, size);
        check_clean(&msg);
        check_json(&msg);
    } else {
        FUZZ_CHECK(strict_rc < 0);
    }
    struct hep_datagram it = { data, size, 0 };
    size_t taken = 0;
    int datagram_rc = rc;
    while ((datagram_rc = hep_datagram_next(&it, NULL, &msg)) == HEP_OK) {
        FUZZ_CHECK(msg.frame.ptr == data + taken);
        taken += msg.frame.len;
        FUZZ_CHECK(msg.frame.len > 0 && taken <= size);
    }
    FUZZ_CHECK(rc == HEP_OK ? datagram_rc == HEP_NEED_MORE && taken > 0 : datagram_rc == rc && taken == 0);
    FUZZ_CHECK(hep_datagram_next(&it, NULL, &msg) == HEP_NEED_MORE);
    return 0;
}
