#include "store/lake/group.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "store/lake/columns.h"
#include "store/lake/group_internal.h"
#include "store/lake/map.h"

/* Columns do not all begin at the same place of a page: a row's values would fight for a few lines of the caches. */
#define STAGGER 320u

/* ------------------------------------------------------------------------------------------------ making one */

static unsigned width_of(enum record_kind kind)
{
    switch (kind) {
    case RECORD_TIME:
    case RECORD_SEQ:
    case RECORD_UID:
        return 8;
    case RECORD_NUMBER:
    case RECORD_OPTIONAL:
    case RECORD_TEXT:
    case RECORD_IP:
        return 4;
    case RECORD_ADDR:
    case RECORD_BYTES:
        break;
    }
    return 0;
}

static unsigned ip_column(const struct record_schema *s, size_t addr)
{
    for (unsigned i = 0; i < s->count; i++)
        if (s->columns[i].kind == RECORD_IP && s->columns[i].offset == s->columns[addr].offset)
            return i;
    return 0;
}

static void describe(struct group *g, size_t i)
{
    const struct record_column *c = &g->schema->columns[i];
    g->columns[i] = (struct group_column){ .kind = c->kind, .width = width_of(c->kind), .offset = c->offset };
    if (c->kind == RECORD_ADDR)
        g->columns[i].twin = ip_column(g->schema, i);
}

/* Lays out the region: called once to learn its size, and once with memory. */
static size_t lay_out(struct group *g, uint8_t *region)
{
    size_t at = 0;
    for (size_t i = 0; i < g->schema->count; i++) {
        struct group_column *c = &g->columns[i];
        bool number = c->width > 0 && !group_has_codes(g, (unsigned)i);
        bool bits = number && lake_column_nullable(g->table, i);
        if (region != NULL && c->width > 0)
            c->values = region + at;
        if (c->width > 0)
            at += (size_t)c->width * LAKE_GROUP_ROWS + STAGGER;
        if (region != NULL && bits)
            c->validity = region + at;
        at += bits ? LAKE_GROUP_ROWS / 8 : 0;
    }
    if (region != NULL)
        g->payload_at = (uint32_t *)(void *)(region + at);
    at = map_round(at + sizeof(uint32_t) * LAKE_GROUP_ROWS);
    if (region != NULL)
        g->arena = (struct dict_arena){ .base = region + at, .size = GROUP_TEXT_MAX };
    return at + GROUP_TEXT_MAX;
}

struct group *group_new_in(struct pages *pages, enum record_table table, uint32_t hour, uint32_t source)
{
    struct group *g = calloc(1, sizeof(*g));
    if (g == NULL)
        return NULL;
    dict_init();
    g->table = table;
    g->hour = hour;
    g->source = source;
    g->pages = pages;
    g->schema = record_schema(table);
    for (size_t i = 0; i < g->schema->count; i++)
        describe(g, i);
    g->region_size = lay_out(g, NULL);
    g->region = map_take(g->region_size);
    if (g->region == NULL) {
        free(g);
        return NULL;
    }
    (void)lay_out(g, g->region);
    g->min_seq = UINT64_MAX;
    atomic_init(&g->min_ts, INT64_MAX);
    atomic_init(&g->max_ts, INT64_MIN);
    atomic_init(&g->refs, 1);
    atomic_init(&g->memory, sizeof(*g));
    pages_count(pages, (ptrdiff_t)sizeof(*g));
    pthread_mutex_init(&g->lock, NULL);
    return g;
}

struct group *group_new(enum record_table table, uint32_t hour, uint32_t source)
{
    return group_new_in(NULL, table, hour, source);
}

struct group *group_ref(struct group *g)
{
    atomic_fetch_add_explicit(&g->refs, 1, memory_order_relaxed);
    return g;
}

void group_unref(struct group *g)
{
    if (g == NULL || atomic_fetch_sub(&g->refs, 1) != 1)
        return;
    for (size_t i = 0; i < g->schema->count; i++)
        dict_close(&g->columns[i].dict);
    for (size_t i = 0; i < atomic_load(&g->page_count); i++) {
        page_raw_unref(g->pages, g->page[i].raw);
        map_give(g->page[i].zipped, g->page[i].zipped_len);
    }
    map_give(g->region, g->region_size);
    pages_count(g->pages, -(ptrdiff_t)atomic_load(&g->memory));
    pthread_mutex_destroy(&g->lock);
    free(g);
}

enum record_table group_table(const struct group *g)
{
    return g->table;
}

uint32_t group_hour(const struct group *g)
{
    return g->hour;
}

uint32_t group_source(const struct group *g)
{
    return g->source;
}

/* ------------------------------------------------------------------------------------------------ memory */

size_t group_memory(const struct group *g)
{
    return atomic_load_explicit(&g->memory, memory_order_relaxed);
}

static void count(struct group *g, ptrdiff_t octets)
{
    if (octets == 0)
        return;
    atomic_fetch_add_explicit(&g->memory, (size_t)octets, memory_order_relaxed);
    pages_count(g->pages, octets);
}

/* What columns and dictionaries take. */
static void count_columns(struct group *g, size_t rows)
{
    size_t now = map_round(g->arena.used) + map_round(rows * sizeof(uint32_t));
    for (size_t i = 0; i < g->schema->count; i++) {
        const struct group_column *c = &g->columns[i];
        if (c->used)
            now += map_round(rows * c->width) + dict_table(&c->dict);
    }
    count(g, (ptrdiff_t)(now - g->column_memory));
    g->column_memory = now;
}

/* ------------------------------------------------------------------------------------------------ payload pages */

static void end_page(struct group *g)
{
    struct group_page *page = g->open;
    g->open = NULL;
    page->group = g;
    page->state = PAGE_WAITING;
    pages_submit(g->pages, page);
}

/* Takes back a page that was made for a row that was refused. */
static void drop_page(struct group *g)
{
    atomic_fetch_sub(&g->page_count, 1);
    count(g, -(ptrdiff_t)g->open->raw->size);
    page_raw_unref(g->pages, g->open->raw);
    g->open->raw = NULL;
    g->open = NULL;
}

/* Sees to it that the last page is open and has room for the payload. 0, -ENOBUFS, -ENOMEM. */
static int page_room(struct group *g, size_t len, size_t row)
{
    if (g->open != NULL && g->open->raw->size - g->open->len >= len + 4)
        return 0;
    if (g->open != NULL && g->open->rows > 0)
        end_page(g);
    else if (g->open != NULL)
        drop_page(g);
    uint32_t n = atomic_load_explicit(&g->page_count, memory_order_relaxed);
    if (n == GROUP_PAGES_MAX)
        return -ENOBUFS;
    struct page_raw *raw = page_raw_take(g->pages, len + 4 > GROUP_PAGE_ROOM ? len + 4 : GROUP_PAGE_ROOM);
    if (raw == NULL)
        return -ENOMEM;
    g->page[n] = (struct group_page){ .raw = raw, .first_row = (uint32_t)row };
    g->open = &g->page[n];
    atomic_store_explicit(&g->page_count, n + 1, memory_order_release);
    count(g, (ptrdiff_t)raw->size);
    return 0;
}

static void put_payload(struct group *g, struct hep_slice payload, size_t row)
{
    struct group_page *page = g->open;
    uint8_t *to = page->raw->data + page->len;
    for (unsigned i = 0; i < 4; i++)
        to[i] = (uint8_t)(payload.len >> 8 * i);
    if (payload.len > 0)
        memcpy(to + 4, payload.ptr, payload.len);
    g->payload_at[row] = (uint32_t)page->len;
    page->len += payload.len + 4;
    page->rows++;
    g->payload_octets += payload.len;
}

struct page_raw *group_page_swap(struct group_page *page, uint8_t *zipped, size_t len)
{
    struct group *g = page->group;
    pthread_mutex_lock(&g->lock);
    struct page_raw *raw = page->raw;
    page->raw = NULL;
    page->zipped = zipped;
    page->zipped_len = len;
    pthread_mutex_unlock(&g->lock);
    count(g, (ptrdiff_t)map_round(len) - (ptrdiff_t)raw->size);
    return raw;
}

/* ------------------------------------------------------------------------------------------------ appending */

static const void *member(const struct record *r, const struct group_column *c)
{
    return (const uint8_t *)r + c->offset;
}

/* Readers may look at the bits of other rows in the same octet. */
static void set_valid(struct group_column *c, size_t row)
{
    c->used = true;
    if (c->validity == NULL)
        return;
    uint8_t *p = &c->validity[row / 8];
    __atomic_store_n(p, (uint8_t)(__atomic_load_n(p, __ATOMIC_RELAXED) | 1u << row % 8), __ATOMIC_RELAXED);
}

static void put_number(struct group_column *c, const struct record *r, size_t row)
{
    const void *from = member(r, c);
    int64_t n;
    switch (c->kind) {
    case RECORD_NUMBER:
        ((uint32_t *)c->values)[row] = *(const uint32_t *)from;
        c->used = true;
        break;
    case RECORD_SEQ:
        ((uint64_t *)c->values)[row] = *(const uint64_t *)from;
        c->used = true;
        break;
    case RECORD_OPTIONAL:
        n = *(const int64_t *)from;
        if (n >= 0) {
            ((uint32_t *)c->values)[row] = (uint32_t)n;
            set_valid(c, row);
        }
        break;
    case RECORD_TIME:
        n = *(const int64_t *)from;
        if (n != RECORD_NO_TIME || c->validity == NULL) {
            ((int64_t *)c->values)[row] = n;
            set_valid(c, row);
        }
        break;
    case RECORD_UID:
        if (*(const uint64_t *)from != 0) {
            ((uint64_t *)c->values)[row] = *(const uint64_t *)from;
            set_valid(c, row);
        }
        break;
    default:
        break;
    }
}

/* A text as it may be stored: bad octets as U+FFFD, cut at a character. Returns its length; *flags says what it was. */
static size_t make_clean(uint8_t out[RECORD_TEXT_MAX], struct hep_slice s, uint32_t *flags)
{
    size_t len = 0;
    for (size_t at = 0; at < s.len;) {
        size_t n = utf8_char(s.ptr + at, s.len - at);
        const uint8_t *from = n > 0 ? s.ptr + at : (const uint8_t *)"\xef\xbf\xbd";
        size_t size = n > 0 ? n : 3;
        if (len + size > RECORD_TEXT_MAX) {
            *flags |= RECORD_FLAG_CUT;
            break;
        }
        if (n == 0)
            *flags |= RECORD_FLAG_UTF8;
        memcpy(out + len, from, size);
        len += size;
        at += n > 0 ? n : 1;
    }
    return len;
}

struct pending_text {
    uint32_t column, hash;
};

/* Texts that are too long or not UTF-8 take this way each time that they come. */
static int put_odd_text(struct group *g, struct group_column *c, struct hep_slice s, uint32_t *flags, uint32_t *ret)
{
    uint8_t clean[RECORD_TEXT_MAX];
    size_t len = make_clean(clean, s, flags);
    return dict_code(&c->dict, &g->arena, clean, len, dict_hash(clean, len), ret);
}

static int put_text(struct group *g, struct group_column *c, const struct record *r, uint32_t hash, size_t row,
                    uint32_t *flags)
{
    uint32_t code;
    int rc;
    if (c->kind == RECORD_IP) {
        rc = dict_code_addr(&c->dict, &g->arena, member(r, c), hash, &code);
    } else {
        const struct hep_slice *s = member(r, c);
        rc = s->len <= RECORD_TEXT_MAX ? dict_code(&c->dict, &g->arena, s->ptr, s->len, hash, &code) : -EINVAL;
        if (rc == -EINVAL)
            rc = put_odd_text(g, c, *s, flags, &code);
    }
    if (rc != 0)
        return rc;
    ((uint32_t *)c->values)[row] = code + 1;
    c->used = true;
    return 0;
}

/* All hashes first: the places in memory that they lead to are then on their way before the first is looked at. */
static int put_texts(struct group *g, const struct record *r, size_t row, uint32_t *flags)
{
    struct pending_text pending[RECORD_COLUMNS_MAX];
    size_t n = 0;
    for (uint32_t i = 0; i < g->schema->count; i++) {
        const struct group_column *c = &g->columns[i];
        if (c->kind == RECORD_TEXT) {
            const struct hep_slice *s = member(r, c);
            if (s->len == 0)
                continue;
            pending[n] = (struct pending_text){ i, s->len <= RECORD_TEXT_MAX ? dict_hash(s->ptr, s->len) : 0 };
        } else if (c->kind == RECORD_IP) {
            const struct hep_addr *a = member(r, c);
            if (a->len == 0)
                continue;
            pending[n] = (struct pending_text){ i, dict_hash_addr(a) };
        } else {
            continue;
        }
        dict_prefetch(&c->dict, pending[n++].hash);
    }
    int rc = 0;
    for (size_t i = 0; i < n && rc == 0; i++)
        rc = put_text(g, &g->columns[pending[i].column], r, pending[i].hash, row, flags);
    return rc;
}

/* Takes back what a refused row has left: a value that is not written is NULL. */
static void clear_row(struct group *g, size_t row)
{
    for (size_t i = 0; i < g->schema->count; i++) {
        struct group_column *c = &g->columns[i];
        if ((c->kind == RECORD_TEXT || c->kind == RECORD_IP) && c->used)
            ((uint32_t *)c->values)[row] = 0;
    }
}

static void put_numbers(struct group *g, const struct record *r, size_t row, uint32_t flags)
{
    for (size_t i = 0; i < g->schema->count; i++)
        put_number(&g->columns[i], r, row);
    ((uint32_t *)g->columns[RECORD_COL_flags].values)[row] |= flags;
    if (r->ts < atomic_load_explicit(&g->min_ts, memory_order_relaxed))
        atomic_store_explicit(&g->min_ts, r->ts, memory_order_relaxed);
    if (r->ts > atomic_load_explicit(&g->max_ts, memory_order_relaxed))
        atomic_store_explicit(&g->max_ts, r->ts, memory_order_relaxed);
    g->min_seq = r->seq < g->min_seq ? r->seq : g->min_seq;
    g->max_seq = r->seq > g->max_seq ? r->seq : g->max_seq;
}

int group_append(struct group *g, const struct record *r)
{
    size_t row = atomic_load_explicit(&g->rows, memory_order_relaxed);
    uint32_t flags = 0;
    if (g->closed || row == LAKE_GROUP_ROWS || g->payload_octets >= LAKE_GROUP_PAYLOAD)
        return -ENOBUFS;
    if (r->payload.len > LAKE_GROUP_PAYLOAD)
        return -ENOMEM;
    int rc = page_room(g, r->payload.len, row);
    if (rc == 0) {
        rc = put_texts(g, r, row, &flags);
        if (rc != 0)
            clear_row(g, row);
    }
    if (rc != 0)
        return rc;
    put_numbers(g, r, row, flags);
    put_payload(g, r->payload, row);
    atomic_store_explicit(&g->rows, ++row, memory_order_release);
    if (g->open->len >= LAKE_PAGE)
        end_page(g);
    if (row % 64 == 1 || g->open == NULL)
        count_columns(g, row);
    return row == LAKE_GROUP_ROWS || g->payload_octets >= LAKE_GROUP_PAYLOAD;
}

void group_close(struct group *g)
{
    if (g->closed)
        return;
    if (g->open != NULL && g->open->rows > 0)
        end_page(g);
    else if (g->open != NULL)
        drop_page(g);
    for (size_t i = 0; i < g->schema->count; i++)
        dict_close(&g->columns[i].dict);
    g->closed = true;
    count_columns(g, atomic_load_explicit(&g->rows, memory_order_relaxed));
}
