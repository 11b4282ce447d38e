/*
 * Compressed octets from anybody. The first octet picks the limit; nothing may come out beyond it. What inflates must
 * come back when compressed and inflated again.
 */
#include <string.h>

#include "fuzz.h"
#include "hep/zlib.h"

static struct hep_zlib *handles[4], *other;
static const size_t limits[4] = { 1, 100, 5000, 1u << 20 };

static void check_again(struct hep_slice plain, enum hep_zlib_format format)
{
    struct hep_msg msg;
    hep_msg_init(&msg, HEP_TYPE_SIP);
    FUZZ_CHECK(hep_set_octets(&msg, HEP_CHUNK_PAYLOAD, plain.ptr, plain.len) == HEP_OK);
    uint8_t *copy = malloc(plain.len + 1);
    FUZZ_CHECK(copy != NULL);
    if (plain.len > 0)
        memcpy(copy, plain.ptr, plain.len);
    FUZZ_CHECK(hep_zlib_compress(other, &msg, format) == HEP_OK);
    struct hep_slice packed = msg.payload_zip, out;
    enum hep_zlib_format seen;
    uint8_t *kept = malloc(packed.len); /* the output lives only until the next call */
    FUZZ_CHECK(kept != NULL);
    memcpy(kept, packed.ptr, packed.len);
    FUZZ_CHECK(hep_zlib_inflate(other, (struct hep_slice){ kept, packed.len }, &out, &seen) == HEP_OK);
    FUZZ_CHECK(seen == format && out.len == plain.len && (out.len == 0 || memcmp(out.ptr, copy, out.len) == 0));
    free(kept);
    free(copy);
}

static void check_payload(struct hep_zlib *z, struct hep_slice in, size_t limit)
{
    struct hep_msg msg;
    hep_msg_init(&msg, HEP_TYPE_SIP);
    msg.present &= ~HEP_BIT(HEP_CHUNK_PAYLOAD);
    FUZZ_CHECK(hep_set_octets(&msg, HEP_CHUNK_PAYLOAD_ZIP, in.ptr, in.len) == HEP_OK);
    int rc = hep_zlib_payload(z, &msg);
    if (rc == HEP_OK)
        FUZZ_CHECK(msg.payload.len <= limit && (msg.quirks & HEP_QUIRK_INFLATE_FAILED) == 0);
    else
        FUZZ_CHECK(msg.payload.ptr == in.ptr && msg.payload.len == in.len && msg.quirks == HEP_QUIRK_INFLATE_FAILED);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    unsigned pick = data[0] & 3;
    for (unsigned i = 0; i < 4 && handles[i] == NULL; i++)
        handles[i] = hep_zlib_new(limits[i]);
    if (other == NULL)
        other = hep_zlib_new(2u << 20);
    struct hep_zlib *z = handles[pick];
    struct hep_slice in = { data + 1, size - 1 }, out = { NULL, 0 };
    enum hep_zlib_format format;
    check_payload(z, in, limits[pick]);
    if (hep_zlib_envelope(z, in, &out) == HEP_OK)
        FUZZ_CHECK(out.len <= limits[pick]);
    int rc = hep_zlib_inflate(z, in, &out, &format);
    FUZZ_CHECK(rc == HEP_OK || rc == HEP_ERR_INFLATE || rc == HEP_ERR_INFLATE_LIMIT);
    if (rc == HEP_OK) {
        FUZZ_CHECK(out.len <= limits[pick]);
        check_again(out, (data[0] & 4) != 0 ? HEP_ZLIB_GZIP : HEP_ZLIB_ZLIB);
    }
    return 0;
}
