/* The payload pages of a group. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "store/lake/group_internal.h"
#include "store/lake/map.h"

#define ZIPPED_SMALL ((size_t)16 << 10) /* zipped pages up to this are malloc()'s: many groups have no larger ones */

void group_pages_free(struct group *g)
{
    for (size_t i = 0; i < atomic_load(&g->page_count); i++) {
        page_raw_unref(g->pages, g->page[i].raw);
        if (g->page[i].zipped_len <= ZIPPED_SMALL)
            free(g->page[i].zipped);
    }
    arena_free(&g->zipped);
}

void group_page_end(struct group *g)
{
    struct group_page *page = g->open;
    g->open = NULL;
    page->group = g;
    page->state = PAGE_WAITING;
    pages_submit(g->pages, page);
}

void group_page_drop(struct group *g)
{
    atomic_fetch_sub(&g->page_count, 1);
    group_count(g, -(ptrdiff_t)page_raw_memory(g->open->raw));
    page_raw_unref(g->pages, g->open->raw);
    g->open->raw = NULL;
    g->open = NULL;
}

int group_page_room(struct group *g, size_t len, size_t row)
{
    if (g->open != NULL && g->open->raw->size - g->open->len >= len + 4)
        return 0;
    if (g->open != NULL && g->open->rows > 0)
        group_page_end(g);
    else if (g->open != NULL)
        group_page_drop(g);
    uint32_t n = atomic_load_explicit(&g->page_count, memory_order_relaxed);
    if (n == GROUP_PAGES_MAX)
        return -ENOBUFS;
    struct page_raw *raw = page_raw_take(g->pages, len + 4);
    if (raw == NULL)
        return -ENOMEM;
    g->page[n] = (struct group_page){ .raw = raw, .first_row = (uint32_t)row };
    g->open = &g->page[n];
    atomic_store_explicit(&g->page_count, n + 1, memory_order_release);
    group_count(g, (ptrdiff_t)page_raw_memory(raw));
    return 0;
}

void group_page_put(struct group *g, struct hep_slice payload, size_t row)
{
    struct group_page *page = g->open;
    uint8_t *to = page->raw->data + page->len;
    for (unsigned i = 0; i < 4; i++)
        to[i] = (uint8_t)(payload.len >> 8 * i);
    if (payload.len > 0)
        memcpy(to + 4, payload.ptr, payload.len);
    ((uint32_t *)(void *)g->payload_at.now)[row % GROUP_BLOCK] = (uint32_t)page->len;
    page->len += payload.len + 4;
    page->rows++;
    g->payload_octets += payload.len;
}

int group_page_swap(struct group_page *page, const uint8_t *zipped, size_t len, struct page_raw **ret_raw)
{
    struct group *g = page->group;
    pthread_mutex_lock(&g->lock);
    size_t before = g->zipped.octets;
    uint8_t *copy = len <= ZIPPED_SMALL ? malloc(len) : arena_take(&g->zipped, len);
    if (copy != NULL) {
        memcpy(copy, zipped, len);
        *ret_raw = page->raw;
        page->raw = NULL;
        page->zipped = copy;
        page->zipped_len = len;
    }
    ptrdiff_t more = (ptrdiff_t)(g->zipped.octets - before);
    pthread_mutex_unlock(&g->lock);
    if (copy == NULL)
        return -ENOMEM;
    group_count(g, more + (len <= ZIPPED_SMALL ? (ptrdiff_t)len : 0) - (ptrdiff_t)page_raw_memory(*ret_raw));
    return 0;
}
