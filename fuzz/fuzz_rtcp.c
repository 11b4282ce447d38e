/* RTCP to JSON: what comes out is one JSON object without a key twice. */
#include <jansson.h>

#include "fuzz.h"
#include "rtp/rtcp_json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf out;
    buf_init(&out, 1u << 24);
    bool taken = rtcp_json(&out, data, size);
    FUZZ_CHECK(taken || out.len == 0);
    if (taken && !out.failed) {
        json_t *root = json_loadb((const char *)out.ptr, out.len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
        FUZZ_CHECK(json_is_object(root));
        json_decref(root);
    }
    buf_free(&out);
    return 0;
}
