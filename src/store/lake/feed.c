#include "store/lake/feed.h"

#include <errno.h>
#include <stdlib.h>

#include "store/lake/group_internal.h"

struct feed {
    struct page_zipper zipper;
    struct pq_segment segments[GROUP_BLOCKS], dictionary;
    struct pq_ready_page pages[GROUP_PAGES_MAX];
    uint32_t codes[LAKE_GROUP_ROWS];
    struct pq_slice entries[LAKE_GROUP_ROWS];
};

struct feed *feed_new(void)
{
    struct feed *f = malloc(sizeof(*f));
    if (f != NULL && page_zipper_init(&f->zipper) != 0) {
        free(f);
        return NULL;
    }
    return f;
}

void feed_free(struct feed *f)
{
    if (f == NULL)
        return;
    page_zipper_free(&f->zipper);
    free(f);
}

int feed_zip(struct feed *f, struct group *g)
{
    int rc = 0;
    for (size_t i = 0; i < atomic_load(&g->page_count) && rc == 0; i++)
        rc = pages_finish(g->pages, &g->page[i], &f->zipper);
    return rc;
}

static void feed_pages(struct feed *f, const struct group *g, struct pq_data *ret)
{
    size_t n = atomic_load(&g->page_count);
    for (size_t i = 0; i < n; i++) {
        const struct group_page *p = &g->page[i];
        f->pages[i] = (struct pq_ready_page){ { p->zipped, p->zipped_len }, p->len, p->rows };
    }
    *ret = (struct pq_data){ .kind = PQ_DATA_PAGES, .pages = f->pages, .page_count = n };
}

/* The segments are the blocks; a block that is not there has nothing but NULLs. */
static size_t feed_blocks(struct feed *f, const struct group *g, const struct group_column *c)
{
    static const uint8_t zeros[GROUP_BLOCK * sizeof(int64_t)];
    size_t rows = group_rows(g), n = 0;
    for (size_t at = 0; at < rows; at += GROUP_BLOCK) {
        const uint8_t *block = group_block(c, at);
        f->segments[n++] = (struct pq_segment){
            .rows = rows - at < GROUP_BLOCK ? rows - at : GROUP_BLOCK,
            .values = block != NULL ? block : zeros,
            .validity = !c->bits        ? NULL
                        : block != NULL ? block + GROUP_BLOCK * (size_t)c->width
                                        : zeros,
        };
    }
    return n;
}

/* A block has code + 1, 0 for NULL. */
static void copy_codes(uint32_t *to, const uint32_t *block, size_t rows)
{
    for (size_t i = 0; i < rows; i++)
        to[i] = block[i] - 1;
}

static void feed_codes(struct feed *f, const struct group *g, const struct group_column *c, bool octets,
                       struct pq_data *ret)
{
    size_t rows = group_rows(g), n = atomic_load(&c->dict.count), blocks = feed_blocks(f, g, c), at = 0;
    for (size_t i = 0; i < blocks; i++) {
        copy_codes(f->codes + at, f->segments[i].values, f->segments[i].rows);
        at += f->segments[i].rows;
    }
    for (uint32_t i = 0; i < n; i++) {
        const struct dict_entry *e = dict_entry(&c->dict, i);
        f->entries[i] = octets ? (struct pq_slice){ e->text - 16, 16 } : (struct pq_slice){ e->text, e->len };
    }
    f->segments[0] = (struct pq_segment){ .rows = rows, .codes = f->codes };
    f->dictionary = (struct pq_segment){ .rows = n, .slices = f->entries };
    *ret = (struct pq_data){ .kind = PQ_DATA_CODES,
                             .segments = f->segments,
                             .segment_count = 1,
                             .dictionary = &f->dictionary,
                             .dictionary_count = 1 };
}

static void feed_nulls(struct feed *f, size_t rows, struct pq_data *ret)
{
    f->segments[0] = (struct pq_segment){ .rows = rows };
    *ret = (struct pq_data){ .kind = PQ_DATA_NULLS, .segments = f->segments, .segment_count = 1 };
}

static void feed_flat(struct feed *f, const struct group *g, const struct group_column *c, struct pq_data *ret)
{
    *ret = (struct pq_data){ .kind = PQ_DATA_FLAT, .segments = f->segments, .segment_count = feed_blocks(f, g, c) };
}

void feed_column(struct feed *f, const struct group *g, unsigned column, struct pq_data *ret)
{
    const struct group_column *c = &g->columns[column];
    bool octets = c->kind == RECORD_ADDR;
    if (octets)
        c = &g->columns[c->twin];
    if (c->kind == RECORD_BYTES)
        feed_pages(f, g, ret);
    else if (!c->used)
        feed_nulls(f, group_rows(g), ret);
    else if (c->kind == RECORD_TEXT || c->kind == RECORD_IP)
        feed_codes(f, g, c, octets, ret);
    else
        feed_flat(f, g, c, ret);
}
