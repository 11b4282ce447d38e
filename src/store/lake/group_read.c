#include "store/lake/group.h"

#include <errno.h>
#include <stdlib.h>

#include "store/lake/group_internal.h"

/* ------------------------------------------------------------------------------------------------ reading */

size_t group_rows(const struct group *g)
{
    return atomic_load_explicit(&g->rows, memory_order_acquire);
}

void group_times(const struct group *g, int64_t *ret_min, int64_t *ret_max)
{
    *ret_min = atomic_load_explicit(&g->min_ts, memory_order_relaxed);
    *ret_max = atomic_load_explicit(&g->max_ts, memory_order_relaxed);
}

bool group_has_codes(const struct group *g, unsigned column)
{
    return g->columns[column].kind == RECORD_TEXT || g->columns[column].kind == RECORD_IP;
}

static uint32_t get32(const struct group_column *c, size_t row)
{
    const uint8_t *block = group_block(c, row);
    return block != NULL ? ((const uint32_t *)(const void *)block)[row % GROUP_BLOCK] : 0;
}

static int64_t get64(const struct group_column *c, size_t row)
{
    const uint8_t *block = group_block(c, row);
    return block != NULL ? ((const int64_t *)(const void *)block)[row % GROUP_BLOCK] : 0;
}

uint32_t group_code(const struct group *g, unsigned column, size_t row)
{
    return get32(&g->columns[column], row) - 1;
}

size_t group_codes(const struct group *g, unsigned column)
{
    return atomic_load_explicit(&g->columns[column].dict.count, memory_order_relaxed);
}

static bool is_valid(const struct group_column *c, size_t row)
{
    const uint8_t *block = group_block(c, row);
    if (!c->bits || block == NULL)
        return !c->bits;
    const uint8_t *p = block + GROUP_BLOCK * (size_t)c->width + row % GROUP_BLOCK / 8;
    return (__atomic_load_n(p, __ATOMIC_RELAXED) >> row % 8 & 1) != 0;
}

/* A text, or the 16 octets in front of the text of an address. */
static void cell_by_code(const struct group *g, unsigned column, size_t row, bool octets, struct record_cell *ret)
{
    uint32_t code = group_code(g, column, row);
    ret->null = code == GROUP_NULL;
    if (ret->null)
        return;
    const struct dict_entry *e = dict_entry(&g->columns[column].dict, code);
    ret->octets = octets ? (struct hep_slice){ e->text - 16, 16 } : (struct hep_slice){ e->text, e->len };
}

void group_cell(const struct group *g, unsigned column, size_t row, struct record_cell *ret,
                struct group_scratch *scratch)
{
    const struct group_column *c = &g->columns[column];
    (void)scratch;
    *ret = (struct record_cell){ .null = false };
    switch (c->kind) {
    case RECORD_NUMBER:
    case RECORD_OPTIONAL:
    case RECORD_DECIMAL:
        ret->null = !is_valid(c, row);
        ret->number = ret->null ? 0 : get32(c, row);
        break;
    case RECORD_SEQ:
    case RECORD_TIME:
    case RECORD_UID:
        ret->null = !is_valid(c, row);
        ret->number = ret->null ? 0 : get64(c, row);
        break;
    case RECORD_TEXT:
    case RECORD_IP:
        cell_by_code(g, column, row, false, ret);
        break;
    case RECORD_ADDR:
        cell_by_code(g, c->twin, row, true, ret);
        break;
    case RECORD_BYTES:
        ret->null = true;
        break;
    }
}

/* ------------------------------------------------------------------------------------------------ payloads */

/* A page as it was before compression. */
struct group_cache {
    const struct group *group; /* with a reference */
    size_t page;
    struct pq_zip *zip;
    struct buf raw;
};

static void cache_forget(struct group_cache *c)
{
    group_unref((struct group *)(uintptr_t)c->group);
    c->group = NULL;
}

void group_cache_free(struct group_cache *c)
{
    if (c == NULL)
        return;
    cache_forget(c);
    pq_zip_free(c->zip);
    buf_free(&c->raw);
    free(c);
}

static struct group_cache *cache_new(void)
{
    struct group_cache *c = calloc(1, sizeof(*c));
    if (c == NULL)
        return NULL;
    buf_init(&c->raw, PQ_PAGE_MAX);
    c->zip = pq_zip_new();
    if (c->zip != NULL)
        return c;
    free(c);
    return NULL;
}

/* Inflates a page into the cache, unless it is there. */
static int cache_page(struct group_cache *c, const struct group *g, size_t i)
{
    const struct group_page *page = &g->page[i];
    if (c->group == g && c->page == i)
        return 0;
    cache_forget(c);
    buf_reset(&c->raw);
    uint8_t *to = buf_space(&c->raw, page->len);
    if (to == NULL)
        return -ENOMEM;
    int rc = pq_zip_expand(c->zip, PQ_CODEC_ZSTD, (struct pq_slice){ page->zipped, page->zipped_len }, to, page->len);
    if (rc != PQ_OK)
        return rc == PQ_ERR_MEMORY ? -ENOMEM : -EIO;
    buf_added(&c->raw, page->len);
    c->group = group_ref((struct group *)(uintptr_t)g);
    c->page = i;
    return 0;
}

static size_t page_of(const struct group *g, size_t row)
{
    size_t from = 0, to = atomic_load_explicit(&g->page_count, memory_order_acquire);
    while (to - from > 1) {
        size_t mid = from + (to - from) / 2;
        if (g->page[mid].first_row <= row)
            from = mid;
        else
            to = mid;
    }
    return from;
}

static void copy_payload(const uint8_t *at, struct buf *to)
{
    buf_put(to, at + 4, (size_t)at[0] | (size_t)at[1] << 8 | (size_t)at[2] << 16 | (size_t)at[3] << 24);
}

/* The raw octets of a page with a reference, NULL if it is zipped. */
static struct page_raw *raw_of(const struct group *g, size_t i)
{
    pthread_mutex_t *lock = &((struct group *)(uintptr_t)g)->lock;
    pthread_mutex_lock(lock);
    struct page_raw *raw = g->page[i].raw;
    if (raw != NULL)
        page_raw_ref(raw);
    pthread_mutex_unlock(lock);
    return raw;
}

int group_payload(const struct group *g, size_t row, struct buf *to, struct group_cache **cache)
{
    size_t i = page_of(g, row);
    struct page_raw *raw = raw_of(g, i);
    if (raw != NULL) {
        copy_payload(raw->data + get32(&g->payload_at, row), to);
        page_raw_unref(g->pages, raw);
        return to->failed ? -ENOMEM : 0;
    }
    if (*cache == NULL && (*cache = cache_new()) == NULL)
        return -ENOMEM;
    int rc = cache_page(*cache, g, i);
    if (rc == 0)
        copy_payload((*cache)->raw.ptr + get32(&g->payload_at, row), to);
    return rc == 0 && to->failed ? -ENOMEM : rc;
}
