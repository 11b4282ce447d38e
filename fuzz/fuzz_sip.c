/* SIP framing, headers and SDP: places stay inside the input, and a framed message is a SIP message. */
#include "fuzz.h"
#include "sip/peek.h"
#include "sip/sdp.h"

static void check_inside(const uint8_t *data, size_t size, struct hep_slice s)
{
    if (s.len > 0)
        FUZZ_CHECK(s.ptr >= data && s.ptr + s.len <= data + size);
}

static void walk_sdp(const uint8_t *data, size_t size, struct hep_slice sdp)
{
    struct sdp_iter it;
    struct sdp_media media;
    size_t count = 0;
    sdp_begin(&it, sdp);
    while (sdp_next(&it, &media)) {
        check_inside(data, size, media.kind);
        check_inside(data, size, media.host);
        FUZZ_CHECK(++count <= size);
    }
}

static void walk_headers(const uint8_t *data, size_t size)
{
    struct sip_headers it;
    struct hep_slice name, value;
    sip_headers_begin(&it, data, size);
    while (sip_headers_next(&it, &name, &value)) {
        check_inside(data, size, name);
        check_inside(data, size, value);
    }
    check_inside(data, size, sip_body(data, size));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t skip = 0, len = 0;
    struct hep_slice found;
    int rc = sip_frame(data, size, &skip, &len);
    FUZZ_CHECK(skip <= size);
    if (rc == SIP_FRAME_OK) {
        FUZZ_CHECK(len <= size - skip);
        FUZZ_CHECK(sip_looks_like(data + skip, len));
    }
    if (rc == SIP_FRAME_BAD && size > 0)
        FUZZ_CHECK(sip_resync(data, size) > 0 && sip_resync(data, size) <= size);
    walk_headers(data, size);
    if (sip_call_id(data, size, &found))
        check_inside(data, size, found);
    if (sdp_find(data, size, &found))
        walk_sdp(data, size, found);
    walk_sdp(data, size, (struct hep_slice){ data, size });
    return 0;
}
