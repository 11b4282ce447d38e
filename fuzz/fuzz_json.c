/*
 * JSON from anybody: if it is taken and encodes, the frame decodes, and from there on JSON and frame say the same,
 * however often one is made from the other.
 */
#include <string.h>

#include "fuzz.h"
#include "hep/hep.h"
#include "hepjson/hepjson.h"

static struct hepjson_reader *reader;
static struct buf first, second;

static void check_stable(const uint8_t *frame, size_t len)
{
    static uint8_t again[HEP_FRAME_MAX];
    static const struct hepjson_options options = { NULL, false };
    struct hepjson_error err;
    struct hep_msg msg;
    size_t again_len;
    /* Versions 1 and 2 have no magic and no length: not every value given for them decodes. */
    bool v3 = memcmp(frame, "HEP3", 4) == 0;
    int rc = hep_decode(frame, len, NULL, &msg);
    FUZZ_CHECK(rc == HEP_OK || !v3);
    if (rc != HEP_OK || len > HEP_FRAME_MAX - 2)
        return;
    buf_reset(&first);
    hepjson_write(&first, &msg, &options, NULL);
    FUZZ_CHECK(!first.failed);
    FUZZ_CHECK(hepjson_read(reader, (const char *)first.ptr, first.len, &err) == 0);
    FUZZ_CHECK(hepjson_encode(reader, again, sizeof(again), &again_len) == HEP_OK);
    FUZZ_CHECK(again_len == len && memcmp(again, frame, len) == 0);
    FUZZ_CHECK(hep_decode(again, again_len, NULL, &msg) == HEP_OK);
    buf_reset(&second);
    hepjson_write(&second, &msg, &options, NULL);
    FUZZ_CHECK(second.len == first.len && memcmp(second.ptr, first.ptr, first.len) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t frame[HEP_FRAME_MAX];
    struct hepjson_error err = { 0 };
    size_t len;
    if (reader == NULL) {
        reader = hepjson_reader_new(NULL);
        buf_init(&first, 16u << 20);
        buf_init(&second, 16u << 20);
    }
    if (hepjson_read(reader, (const char *)data, size, &err) != 0) {
        FUZZ_CHECK(err.line >= 1 && err.column >= 1 && err.text[0] != '\0');
        FUZZ_CHECK(memchr(err.text, '\0', sizeof(err.text)) != NULL);
        return 0;
    }
    if (hepjson_encode(reader, frame, sizeof(frame), &len) == HEP_OK)
        check_stable(frame, len);
    /* The frame built anew from the fields must be sound, too. */
    FUZZ_CHECK(hepjson_read(reader, (const char *)data, size, &err) == 0);
    hepjson_rebuild(reader);
    if (hepjson_encode(reader, frame, sizeof(frame), &len) == HEP_OK)
        check_stable(frame, len);
    return 0;
}
