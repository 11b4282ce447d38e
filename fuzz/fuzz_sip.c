/*
 * SIP framing, headers, messages and SDP: places stay inside the input, a framed message is SIP, parsing the same twice
 * gives the same, and the short ways of peek.h agree with sip_parse().
 */
#include "fuzz.h"
#include "sip/peek.h"

#include "../tests/unit/sip_check.h"

static void check_octets(const uint8_t *data, size_t size, struct hep_slice s)
{
    FUZZ_CHECK(check_inside((struct hep_slice){ data, size }, s));
}

/* One medium after the other gives the same as all at once. */
static void check_sdp(struct hep_slice body)
{
    static struct sdp sdp;
    struct sdp_iter it;
    struct sdp_media media;
    size_t count = 0;
    sdp_parse(body, &sdp);
    FUZZ_CHECK(sdp_inside(&sdp, body));
    sdp_begin(&it, body);
    while (sdp_next(&it, &media)) {
        FUZZ_CHECK(sdp_media_inside(&media, body));
        FUZZ_CHECK(count >= sdp.media_kept || media.port == sdp.media[count].port);
        FUZZ_CHECK(++count <= body.len);
    }
    FUZZ_CHECK(count == sdp.media_count || sdp.media_count == UINT16_MAX);
}

static void check_headers(const uint8_t *data, size_t size, const struct sip_msg *msg)
{
    struct sip_headers it;
    struct sip_header h;
    uint32_t count = 0;
    sip_headers_begin(&it, data, size);
    while (sip_headers_step(&it, &h)) {
        check_octets(data, size, h.name);
        check_octets(data, size, h.value);
        count++;
    }
    FUZZ_CHECK(count == msg->header_count);
    check_octets(data, size, sip_body(data, size));
}

static void check_msg(const uint8_t *data, size_t size)
{
    static struct sip_msg msg, again;
    struct hep_slice found;
    memset(&msg, 0x00, sizeof(msg));
    memset(&again, 0xff, sizeof(again));
    int rc = sip_parse(data, size, &msg);
    FUZZ_CHECK(sip_parse(data, size, &again) == rc);
    FUZZ_CHECK(sip_msg_same(&msg, &again));
    FUZZ_CHECK(sip_msg_inside(&msg));
    FUZZ_CHECK((rc == 0) == sip_looks_like(data, size));
    if (msg.header_count <= SIP_HEADERS_READ_MAX && sip_call_id(data, size, &found))
        FUZZ_CHECK(sip_has(&msg, SIP_H_CALL_ID) && msg.call_id.len == found.len);
    check_headers(data, size, &msg);
    if (sdp_find_in(msg.body, msg.content_type, &found)) {
        check_octets(data, size, found);
        check_sdp(found);
    }
}

static void check_frame(const uint8_t *data, size_t size)
{
    size_t skip = 0, len = 0;
    int rc = sip_frame(data, size, &skip, &len);
    FUZZ_CHECK(skip <= size);
    if (rc == SIP_FRAME_OK) {
        FUZZ_CHECK(len <= size - skip);
        FUZZ_CHECK(sip_looks_like(data + skip, len));
    }
    if (rc == SIP_FRAME_BAD && size > 0)
        FUZZ_CHECK(sip_resync(data, size) > 0 && sip_resync(data, size) <= size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct hep_slice found;
    check_frame(data, size);
    check_msg(data, size);
    for (size_t cut = size; cut > 0; cut /= 2) { /* beginnings, at places that the input decides */
        uint8_t *copy = malloc(cut - cut / 3);   /* the end of the heap block is the end of the input */
        FUZZ_CHECK(copy != NULL);
        memcpy(copy, data, cut - cut / 3);
        check_msg(copy, cut - cut / 3);
        free(copy);
    }
    if (sdp_find(data, size, &found))
        check_octets(data, size, found);
    check_sdp((struct hep_slice){ data, size });
    return 0;
}
