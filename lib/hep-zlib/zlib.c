/* Inflate and deflate with a limit. The only file of the libraries that allocates. */
#include "hep/zlib.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define FIRST_CAP 4096

struct hep_zlib {
    size_t limit;
    uint8_t *out;
    size_t cap;
    z_stream inflater;
    z_stream deflater;
    bool inflater_ready;
    bool deflater_ready;
    enum hep_zlib_format deflater_format;
};

struct hep_zlib *hep_zlib_new(size_t limit)
{
    struct hep_zlib *z = calloc(1, sizeof(*z));
    if (z != NULL)
        z->limit = limit != 0 ? limit : HEP_ZLIB_LIMIT_DEFAULT;
    return z;
}

void hep_zlib_free(struct hep_zlib *z)
{
    if (z == NULL)
        return;
    if (z->inflater_ready)
        inflateEnd(&z->inflater);
    if (z->deflater_ready)
        deflateEnd(&z->deflater);
    free(z->out);
    free(z);
}

/* RFC 1952 magic; RFC 1950 method and check; anything else can only be RFC 1951. */
static enum hep_zlib_format format_of(struct hep_slice in)
{
    if (in.len >= 2 && in.ptr[0] == 0x1f && in.ptr[1] == 0x8b)
        return HEP_ZLIB_GZIP;
    if (in.len >= 2 && (in.ptr[0] & 0x0f) == Z_DEFLATED && (in.ptr[0] * 256 + in.ptr[1]) % 31 == 0)
        return HEP_ZLIB_ZLIB;
    return HEP_ZLIB_DEFLATE;
}

/* What zlib calls windowBits says the format. */
static int window_bits(enum hep_zlib_format format)
{
    switch (format) {
    case HEP_ZLIB_GZIP:
        return MAX_WBITS + 16;
    case HEP_ZLIB_DEFLATE:
        return -MAX_WBITS;
    case HEP_ZLIB_ZLIB:
        break;
    }
    return MAX_WBITS;
}

static int inflater_start(struct hep_zlib *z, enum hep_zlib_format format)
{
    int bits = window_bits(format);
    int rc = z->inflater_ready ? inflateReset2(&z->inflater, bits) : inflateInit2(&z->inflater, bits);
    z->inflater_ready = z->inflater_ready || rc == Z_OK;
    return rc == Z_OK ? HEP_OK : HEP_ERR_NO_MEMORY;
}

static int out_grow(struct hep_zlib *z, size_t want)
{
    if (want <= z->cap)
        return HEP_OK;
    uint8_t *grown = realloc(z->out, want);
    if (grown == NULL)
        return HEP_ERR_NO_MEMORY;
    z->out = grown;
    z->cap = want;
    return HEP_OK;
}

/* Runs the inflater to the end of the stream; memory grows with what comes out, never beyond the limit. */
static int inflate_all(struct hep_zlib *z, size_t *ret_len)
{
    size_t len = 0;
    size_t cap = z->cap < z->limit ? z->cap : z->limit; /* compressing may have left a larger buffer */
    for (;;) {
        bool full = len == z->limit; /* the end of the stream may still follow */
        if (len == cap && !full) {
            size_t want = cap == 0 ? FIRST_CAP : cap * 2;
            cap = want < z->limit ? want : z->limit;
            int rc = out_grow(z, cap);
            if (rc != HEP_OK)
                return rc;
        }
        z->inflater.next_out = z->out + len;
        z->inflater.avail_out = (uInt)(cap - len);
        int rc = inflate(&z->inflater, Z_NO_FLUSH);
        len = cap - z->inflater.avail_out;
        if (rc == Z_STREAM_END)
            break;
        if (full)
            return HEP_ERR_INFLATE_LIMIT;
        if (rc == Z_MEM_ERROR)
            return HEP_ERR_NO_MEMORY;
        if ((rc != Z_OK && rc != Z_BUF_ERROR) || (z->inflater.avail_out != 0 && z->inflater.avail_in == 0))
            return HEP_ERR_INFLATE;
        if (rc == Z_BUF_ERROR && z->inflater.avail_out != 0)
            return HEP_ERR_INFLATE;
    }
    *ret_len = len;
    return z->inflater.avail_in == 0 ? HEP_OK : HEP_ERR_INFLATE;
}

int hep_zlib_inflate(struct hep_zlib *z, struct hep_slice in, struct hep_slice *out, enum hep_zlib_format *ret_format)
{
    enum hep_zlib_format format = format_of(in);
    if (ret_format != NULL)
        *ret_format = format;
    if (in.len > UINT32_MAX)
        return HEP_ERR_INFLATE_LIMIT;
    int rc = inflater_start(z, format);
    if (rc != HEP_OK)
        return rc;
    /* zlib only reads through next_in, but its type predates const. */
    z->inflater.next_in = (Bytef *)(uintptr_t)in.ptr;
    z->inflater.avail_in = (uInt)in.len;
    size_t len = 0;
    rc = inflate_all(z, &len);
    if (rc == HEP_OK)
        *out = (struct hep_slice){ z->out, len };
    return rc;
}

int hep_zlib_payload(struct hep_zlib *z, struct hep_msg *msg)
{
    static const uint32_t quirk_of[] = {
        [HEP_ZLIB_ZLIB] = HEP_QUIRK_ZLIB,
        [HEP_ZLIB_GZIP] = HEP_QUIRK_GZIP,
        [HEP_ZLIB_DEFLATE] = HEP_QUIRK_DEFLATE,
    };
    if (!hep_has(msg, HEP_CHUNK_PAYLOAD_ZIP) || hep_has(msg, HEP_CHUNK_PAYLOAD))
        return HEP_OK;
    enum hep_zlib_format format;
    int rc = hep_zlib_inflate(z, msg->payload_zip, &msg->payload, &format);
    if (rc != HEP_OK)
        msg->payload = msg->payload_zip;
    msg->quirks |= rc == HEP_OK ? quirk_of[format] : (uint32_t)HEP_QUIRK_INFLATE_FAILED;
    return rc;
}

int hep_zlib_envelope(struct hep_zlib *z, struct hep_slice in, struct hep_slice *out)
{
    *out = in;
    if (in.len < 3 || in.ptr[0] != 0x1f || in.ptr[1] != 0x8b || in.ptr[2] != Z_DEFLATED)
        return HEP_NEED_MORE;
    return hep_zlib_inflate(z, in, out, NULL);
}

static int deflater_start(struct hep_zlib *z, enum hep_zlib_format format)
{
    if (z->deflater_ready && z->deflater_format == format)
        return deflateReset(&z->deflater) == Z_OK ? HEP_OK : HEP_ERR_NO_MEMORY;
    if (z->deflater_ready)
        deflateEnd(&z->deflater);
    z->deflater_format = format;
    z->deflater_ready = deflateInit2(&z->deflater, Z_DEFAULT_COMPRESSION, Z_DEFLATED, window_bits(format), 8,
                                     Z_DEFAULT_STRATEGY) == Z_OK;
    return z->deflater_ready ? HEP_OK : HEP_ERR_NO_MEMORY;
}

int hep_zlib_compress(struct hep_zlib *z, struct hep_msg *msg, enum hep_zlib_format format)
{
    if (!hep_has(msg, HEP_CHUNK_PAYLOAD) || format == HEP_ZLIB_DEFLATE || msg->payload.len > UINT32_MAX)
        return HEP_ERR_ARGUMENT;
    int rc = deflater_start(z, format);
    if (rc == HEP_OK)
        rc = out_grow(z, deflateBound(&z->deflater, (uLong)msg->payload.len));
    if (rc != HEP_OK)
        return rc;
    z->deflater.next_in = (Bytef *)(uintptr_t)msg->payload.ptr;
    z->deflater.avail_in = (uInt)msg->payload.len;
    z->deflater.next_out = z->out;
    z->deflater.avail_out = (uInt)z->cap;
    if (deflate(&z->deflater, Z_FINISH) != Z_STREAM_END)
        return HEP_ERR_NO_MEMORY;
    msg->payload_zip = (struct hep_slice){ z->out, z->cap - z->deflater.avail_out };
    msg->payload = (struct hep_slice){ NULL, 0 };
    msg->present &= ~HEP_BIT(HEP_CHUNK_PAYLOAD);
    msg->present |= HEP_BIT(HEP_CHUNK_PAYLOAD_ZIP);
    return HEP_OK;
}
