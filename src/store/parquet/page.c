#include "store/parquet/page.h"

#include "store/parquet/meta.h"
#include "store/parquet/zip.h"

uint64_t pq_seal(uint64_t offset, struct pq_slice octets)
{
    return pq_xxh64(octets, offset);
}

uint64_t pq_seal_more(uint64_t seal, struct pq_slice octets)
{
    return pq_xxh64(octets, seal);
}

void pq_le64_store(uint8_t *p, uint64_t v)
{
    for (unsigned i = 0; i < 8; i++)
        p[i] = (uint8_t)(v >> 8 * i);
}

uint64_t pq_le64_load(const uint8_t *p)
{
    return (uint64_t)le32_load(p + 4) << 32 | le32_load(p);
}

void pq_page_header(const struct pq_page *page, struct buf *out)
{
    struct pq_m_page_header h = {
        .present = 0xf | (page->dictionary ? PQ_HAS(5) : PQ_HAS(4)),
        .type = page->dictionary ? PQ_PAGE_DICTIONARY : PQ_PAGE_DATA,
        .uncompressed_page_size = (int32_t)page->uncompressed,
        .compressed_page_size = (int32_t)page->body.len,
        .crc = (int32_t)pq_crc32(page->body),
        .data = { 0xf, (int32_t)page->values, page->encoding, PQ_ENCODING_RLE, PQ_ENCODING_RLE },
        .dictionary = { 0x3, (int32_t)page->values, page->encoding },
    };
    buf_reset(out);
    pq_thrift_write(&pq_t_page_header, &h, out);
}

static bool plausible(const struct pq_m_page_header *h)
{
    bool data = h->type == PQ_PAGE_DATA && (h->present & PQ_HAS(4)) != 0;
    bool dictionary = h->type == PQ_PAGE_DICTIONARY && (h->present & PQ_HAS(5)) != 0;
    if (!data && !dictionary)
        return false;
    if (h->compressed_page_size < 0 || h->uncompressed_page_size < 0 ||
        h->uncompressed_page_size > (int32_t)PQ_PAGE_MAX)
        return false;
    return (data ? h->data.num_values : h->dictionary.num_values) >= 0;
}

int pq_page_parse(struct pq_slice whole, struct pq_page *ret)
{
    struct pq_arena none;
    struct pq_m_page_header h;
    struct rd r;
    pq_arena_init(&none, 0); /* the header has no lists */
    rd_init(&r, whole.ptr, whole.len);
    int rc = pq_thrift_read(&pq_t_page_header, &r, &none, &h);
    if (rc != PQ_OK)
        return rc;
    if (!plausible(&h) || (size_t)h.compressed_page_size != rd_left(&r))
        return PQ_ERR_DAMAGED;
    bool dictionary = h.type == PQ_PAGE_DICTIONARY;
    *ret = (struct pq_page){
        .dictionary = dictionary,
        .encoding = dictionary ? h.dictionary.encoding : h.data.encoding,
        .values = (size_t)(dictionary ? h.dictionary.num_values : h.data.num_values),
        .uncompressed = (size_t)h.uncompressed_page_size,
        .body = { r.ptr, rd_left(&r) },
    };
    return pq_crc32(ret->body) == (uint32_t)h.crc ? PQ_OK : PQ_ERR_DAMAGED;
}
