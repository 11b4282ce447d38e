#include "store/lake/feed.h"

#include <errno.h>
#include <stdlib.h>

#include "store/lake/group_internal.h"

struct feed {
    struct page_zipper zipper;
    struct pq_segment segment, dictionary;
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

/* `stored` is code + 1, 0 for NULL. */
static void feed_codes(struct feed *f, const struct group *g, const struct group_column *c, bool octets,
                       struct pq_data *ret)
{
    const uint32_t *stored = c->values;
    size_t rows = group_rows(g), n = atomic_load(&c->dict.count);
    for (size_t i = 0; i < rows; i++)
        f->codes[i] = stored[i] - 1;
    for (uint32_t i = 0; i < n; i++) {
        const struct dict_entry *e = dict_entry(&c->dict, i);
        const uint8_t *text = g->arena.base + e->at;
        f->entries[i] = octets ? (struct pq_slice){ text - 16, 16 } : (struct pq_slice){ text, e->len };
    }
    f->segment = (struct pq_segment){ .rows = rows, .codes = f->codes };
    f->dictionary = (struct pq_segment){ .rows = n, .slices = f->entries };
    *ret = (struct pq_data){ .kind = PQ_DATA_CODES,
                             .segments = &f->segment,
                             .segment_count = 1,
                             .dictionary = &f->dictionary,
                             .dictionary_count = 1 };
}

static void feed_nulls(struct feed *f, size_t rows, struct pq_data *ret)
{
    f->segment = (struct pq_segment){ .rows = rows };
    *ret = (struct pq_data){ .kind = PQ_DATA_NULLS, .segments = &f->segment, .segment_count = 1 };
}

static void feed_flat(struct feed *f, const struct group *g, const struct group_column *c, struct pq_data *ret)
{
    f->segment = (struct pq_segment){ .rows = group_rows(g), .values = c->values, .validity = c->validity };
    *ret = (struct pq_data){ .kind = PQ_DATA_FLAT, .segments = &f->segment, .segment_count = 1 };
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
