#include "store/parquet/zip.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>
#include <zlib.h>
#include <zstd.h>

struct pq_zip {
    ZSTD_CCtx *compress;
    ZSTD_DCtx *expand;
};

struct pq_zip *pq_zip_new(void)
{
    return calloc(1, sizeof(struct pq_zip));
}

void pq_zip_trim(struct pq_zip *z)
{
    if (z == NULL)
        return;
    ZSTD_freeCCtx(z->compress);
    ZSTD_freeDCtx(z->expand);
    *z = (struct pq_zip){ NULL, NULL };
}

void pq_zip_free(struct pq_zip *z)
{
    pq_zip_trim(z);
    free(z);
}

static int compress_zstd(struct pq_zip *z, int level, struct pq_slice raw, struct buf *out)
{
    if (z->compress == NULL && (z->compress = ZSTD_createCCtx()) == NULL)
        return PQ_ERR_MEMORY;
    size_t bound = ZSTD_compressBound(raw.len);
    uint8_t *to = buf_space(out, bound);
    if (to == NULL)
        return PQ_ERR_LIMIT;
    (void)ZSTD_CCtx_setParameter(z->compress, ZSTD_c_compressionLevel, level);
    (void)ZSTD_CCtx_setParameter(z->compress, ZSTD_c_checksumFlag, 1);
    size_t size = ZSTD_compress2(z->compress, to, bound, raw.ptr, raw.len);
    if (ZSTD_isError(size))
        return PQ_ERR_MEMORY;
    buf_added(out, size);
    return PQ_OK;
}

int pq_zip_compress(struct pq_zip *z, enum pq_codec codec, int level, struct pq_slice raw, struct buf *out)
{
    if (raw.len > PQ_PAGE_MAX)
        return PQ_ERR_LIMIT;
    if (codec == PQ_CODEC_ZSTD)
        return compress_zstd(z, level, raw, out);
    buf_put(out, raw.ptr, raw.len);
    return out->failed ? PQ_ERR_LIMIT : PQ_OK;
}

/* RFC 8878, 3.1.1: magic number, then the frame header descriptor, whose bit 2 announces the content checksum. */
static bool has_checksum(struct pq_slice body)
{
    return body.len > 5 && memcmp(body.ptr, "\x28\xb5\x2f\xfd", 4) == 0 && (body.ptr[4] & 4) != 0;
}

int pq_zip_expand(struct pq_zip *z, enum pq_codec codec, struct pq_slice body, uint8_t *to, size_t size)
{
    if (codec == PQ_CODEC_NONE) {
        if (body.len != size)
            return PQ_ERR_DAMAGED;
        if (size > 0)
            memcpy(to, body.ptr, size);
        return PQ_OK;
    }
    if (z->expand == NULL && (z->expand = ZSTD_createDCtx()) == NULL)
        return PQ_ERR_MEMORY;
    if (!has_checksum(body) || ZSTD_findFrameCompressedSize(body.ptr, body.len) != body.len)
        return PQ_ERR_DAMAGED;
    return ZSTD_decompressDCtx(z->expand, to, size, body.ptr, body.len) == size ? PQ_OK : PQ_ERR_DAMAGED;
}

uint32_t pq_crc32(struct pq_slice s)
{
    return (uint32_t)crc32_z(0, s.ptr, s.len);
}

uint64_t pq_xxh64(struct pq_slice s, uint64_t seed)
{
    return XXH64(s.ptr, s.len, seed);
}
