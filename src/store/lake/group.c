#include "store/lake/group.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "store/lake/columns.h"
#include "store/lake/group_internal.h"
#include "store/lake/map.h"

/* Blocks do not all begin at the same place of a page: a row's values would fight for a few lines of the caches. */
#define STAGGER 64u

/* ------------------------------------------------------------------------------------------------ making one */

static uint8_t width_of(enum record_kind kind)
{
    switch (kind) {
    case RECORD_TIME:
    case RECORD_SEQ:
    case RECORD_UID:
        return 8;
    case RECORD_NUMBER:
    case RECORD_OPTIONAL:
    case RECORD_DECIMAL:
    case RECORD_TEXT:
    case RECORD_IP:
        return 4;
    case RECORD_ADDR:
    case RECORD_BYTES:
        break;
    }
    return 0;
}

static uint8_t ip_column(const struct record_schema *s, size_t addr)
{
    for (size_t i = 0; i < s->count; i++)
        if (s->columns[i].kind == RECORD_IP && s->columns[i].offset == s->columns[addr].offset)
            return (uint8_t)i;
    return 0;
}

static void list_add(struct group_list *l, struct group_column *c)
{
    l->column[l->count++] = c;
}

static void describe(struct group *g, size_t i)
{
    const struct record_column *c = &g->schema->columns[i];
    struct group_column *to = &g->columns[i];
    to->kind = c->kind;
    to->width = width_of(c->kind);
    to->offset = (uint16_t)c->offset;
    to->bits = to->width > 0 && !group_has_codes(g, (unsigned)i) && lake_column_nullable(g->table, i);
    if (c->kind == RECORD_ADDR)
        to->twin = ip_column(g->schema, i);
    else if (group_has_codes(g, (unsigned)i))
        list_add(c->kind == RECORD_TEXT ? &g->texts : &g->addrs, to);
    else if (to->width > 0)
        list_add(to->bits ? &g->maybe : &g->always, to);
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
    g->payload_at.width = 4;
    g->dicts.texts = (struct arena){ .slabs = pages_slabs(pages), .most = GROUP_TEXT_MAX };
    g->dicts.tables.slabs = g->zipped.slabs = pages_slabs(pages);
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

static void close_dictionaries(struct group *g)
{
    for (size_t i = 0; i < g->schema->count; i++)
        dict_close(&g->columns[i].dict, &g->dicts);
    arena_free(&g->dicts.tables);
}

void group_unref(struct group *g)
{
    if (g == NULL || atomic_fetch_sub(&g->refs, 1) != 1)
        return;
    close_dictionaries(g);
    group_pages_free(g);
    arena_free(&g->dicts.texts);
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

void group_count(struct group *g, ptrdiff_t octets)
{
    if (octets == 0)
        return;
    atomic_fetch_add_explicit(&g->memory, (size_t)octets, memory_order_relaxed);
    pages_count(g->pages, octets);
}

/* What columns and dictionaries take. */
static void count_texts(struct group *g)
{
    size_t now = g->dicts.texts.octets + g->dicts.tables.octets + g->dicts.slabs * SLAB_SIZE;
    group_count(g, (ptrdiff_t)(now - g->counted));
    g->counted = now;
}

/* ------------------------------------------------------------------------------------------------ appending */

static const void *member(const struct record *r, const struct group_column *c)
{
    return (const uint8_t *)r + c->offset;
}

/* The block of the row, made if it is not there. 0, -ENOBUFS. */
static int need_block(struct group *g, struct group_column *c, size_t row)
{
    if (c->now != NULL)
        return 0;
    size_t size = GROUP_BLOCK * (size_t)c->width + (c->bits ? GROUP_BLOCK / 8 : 0);
    uint8_t *block = arena_take(&g->dicts.texts, size + STAGGER);
    if (block == NULL)
        return -ENOBUFS;
    memset(block, 0, size);
    c->now = block;
    c->used = true;
    atomic_store_explicit(&c->blocks[row / GROUP_BLOCK], block, memory_order_release);
    return 0;
}

static void put32(const struct group_column *c, size_t row, uint32_t n)
{
    ((uint32_t *)(void *)c->now)[row % GROUP_BLOCK] = n;
}

static void put64(const struct group_column *c, size_t row, uint64_t n)
{
    ((uint64_t *)(void *)c->now)[row % GROUP_BLOCK] = n;
}

/* Readers may look at the bits of other rows in the same octet. */
static void set_valid(const struct group_column *c, size_t row)
{
    uint8_t *p = group_bits(c, c->now) + row % GROUP_BLOCK / 8;
    __atomic_store_n(p, (uint8_t)(__atomic_load_n(p, __ATOMIC_RELAXED) | 1u << row % 8), __ATOMIC_RELAXED);
}

/* A number that is always there; its block is. */
static void put_always(const struct group_column *c, const struct record *r, size_t row)
{
    const void *from = member(r, c);
    if (c->width == 4)
        put32(c, row, *(const uint32_t *)from);
    else
        put64(c, row, *(const uint64_t *)from);
}

static bool is_null(enum record_kind kind, uint64_t n)
{
    if (kind == RECORD_OPTIONAL || kind == RECORD_DECIMAL)
        return (int64_t)n < 0;
    return n == (kind == RECORD_UID ? 0 : (uint64_t)RECORD_NO_TIME);
}

/* One that may be NULL. */
static int put_maybe(struct group *g, struct group_column *c, const struct record *r, size_t row)
{
    uint64_t n = *(const uint64_t *)member(r, c);
    if (is_null(c->kind, n))
        return 0;
    int rc = need_block(g, c, row);
    if (rc != 0)
        return rc;
    if (c->width == 4)
        put32(c, row, (uint32_t)n);
    else
        put64(c, row, n);
    set_valid(c, row);
    return 0;
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

/* Texts that are too long or not UTF-8 take this way each time that they come. */
static __attribute__((noinline)) int code_of_odd(struct group *g, struct group_column *c, const struct hep_slice *s,
                                                 uint32_t *flags, uint32_t *ret)
{
    uint8_t clean[RECORD_TEXT_MAX];
    size_t len = make_clean(clean, *s, flags);
    return dict_code(&c->dict, &g->dicts, clean, len, dict_hash(clean, len), ret);
}

static int put_code(struct group *g, struct group_column *c, size_t row, uint32_t code)
{
    int rc = need_block(g, c, row);
    if (rc == 0)
        put32(c, row, code + 1);
    return rc;
}

struct pending_text {
    struct group_column *column;
    const struct hep_slice *text;
    uint32_t hash;
};

static int put_text(struct group *g, const struct pending_text *p, size_t row, uint32_t *flags)
{
    const struct hep_slice *s = p->text;
    uint32_t code;
    int rc =
        s->len <= RECORD_TEXT_MAX ? dict_code(&p->column->dict, &g->dicts, s->ptr, s->len, p->hash, &code) : -EINVAL;
    if (rc == -EINVAL)
        rc = code_of_odd(g, p->column, s, flags, &code);
    return rc == 0 ? put_code(g, p->column, row, code) : rc;
}

/* Most columns of most senders have one value: no hash is needed to see that it comes again. */
static bool put_again(const struct group_column *c, const struct hep_slice *s, size_t row)
{
    if (c->now == NULL || atomic_load_explicit(&c->dict.count, memory_order_relaxed) != 1 ||
        !dict_is_first(&c->dict, s->ptr, s->len))
        return false;
    put32(c, row, 1);
    return true;
}

/* All hashes first: the slots that they lead to are on their way while the others are made. */
static int put_texts(struct group *g, const struct record *r, size_t row, uint32_t *flags)
{
    struct pending_text pending[RECORD_COLUMNS_MAX];
    size_t n = 0;
    for (size_t i = 0; i < g->texts.count; i++) {
        struct group_column *c = g->texts.column[i];
        const struct hep_slice *s = member(r, c);
        if (s->len == 0 || put_again(c, s, row))
            continue;
        uint32_t hash = s->len <= RECORD_TEXT_MAX ? dict_hash(s->ptr, s->len) : 0;
        dict_prefetch(&c->dict, hash);
        pending[n++] = (struct pending_text){ c, s, hash };
    }
    int rc = 0;
    for (size_t i = 0; i < n && rc == 0; i++)
        rc = put_text(g, &pending[i], row, flags);
    return rc;
}

static int put_addrs(struct group *g, const struct record *r, size_t row)
{
    int rc = 0;
    for (size_t i = 0; i < g->addrs.count && rc == 0; i++) {
        struct group_column *c = g->addrs.column[i];
        const struct hep_addr *a = member(r, c);
        uint32_t code;
        if (a->len == 0)
            continue;
        rc = dict_code_addr(&c->dict, &g->dicts, a, dict_hash_addr(a), &code);
        if (rc == 0)
            rc = put_code(g, c, row, code);
    }
    return rc;
}

/* Takes back what a refused row has left: a value that is not written is NULL. */
static void clear_row(struct group *g, size_t row)
{
    for (size_t i = 0; i < g->schema->count; i++) {
        const struct group_column *c = &g->columns[i];
        if (c->now == NULL)
            continue;
        if (c->bits) {
            uint8_t *p = group_bits(c, c->now) + row % GROUP_BLOCK / 8;
            __atomic_store_n(p, (uint8_t)(__atomic_load_n(p, __ATOMIC_RELAXED) & ~(1u << row % 8)), __ATOMIC_RELAXED);
        } else if (c->width == 4) {
            put32(c, row, 0);
        }
    }
}

static int put_numbers(struct group *g, const struct record *r, size_t row, uint32_t flags)
{
    int rc = 0;
    for (size_t i = 0; i < g->maybe.count && rc == 0; i++)
        rc = put_maybe(g, g->maybe.column[i], r, row);
    if (rc != 0)
        return rc;
    for (size_t i = 0; i < g->always.count; i++)
        put_always(g->always.column[i], r, row);
    put32(&g->columns[RECORD_COL_flags], row, r->flags | flags);
    return 0;
}

/* What is known of all rows; before the row is there for readers. */
static void note_row(struct group *g, const struct record *r)
{
    if (r->ts < atomic_load_explicit(&g->min_ts, memory_order_relaxed))
        atomic_store_explicit(&g->min_ts, r->ts, memory_order_relaxed);
    if (r->ts > atomic_load_explicit(&g->max_ts, memory_order_relaxed))
        atomic_store_explicit(&g->max_ts, r->ts, memory_order_relaxed);
    g->min_seq = r->seq < g->min_seq ? r->seq : g->min_seq;
    g->max_seq = r->seq > g->max_seq ? r->seq : g->max_seq;
}

static void end_block(struct group *g)
{
    for (size_t i = 0; i < g->schema->count; i++)
        g->columns[i].now = NULL;
    g->payload_at.now = NULL;
}

/* Blocks of what every row has. */
static int begin_block(struct group *g, size_t row)
{
    int rc = need_block(g, &g->payload_at, row);
    for (size_t i = 0; i < g->always.count && rc == 0; i++)
        rc = need_block(g, g->always.column[i], row);
    return rc;
}

static int put_row(struct group *g, const struct record *r, size_t row)
{
    uint32_t flags = 0;
    int rc = group_page_room(g, r->payload.len, row);
    if (rc == 0 && row % GROUP_BLOCK == 0)
        rc = begin_block(g, row);
    if (rc != 0)
        return rc;
    rc = put_texts(g, r, row, &flags);
    if (rc == 0)
        rc = put_addrs(g, r, row);
    if (rc == 0)
        rc = put_numbers(g, r, row, flags);
    if (rc != 0)
        clear_row(g, row);
    return rc;
}

int group_append(struct group *g, const struct record *r)
{
    size_t row = atomic_load_explicit(&g->rows, memory_order_relaxed);
    if (g->closed || row == LAKE_GROUP_ROWS || g->payload_octets >= LAKE_GROUP_PAYLOAD)
        return -ENOBUFS;
    if (r->payload.len > LAKE_GROUP_PAYLOAD)
        return -ENOMEM;
    int rc = put_row(g, r, row);
    if (rc != 0)
        return rc;
    group_page_put(g, r->payload, row);
    note_row(g, r);
    atomic_store_explicit(&g->rows, ++row, memory_order_release);
    if (row % GROUP_BLOCK == 0)
        end_block(g);
    if (row % 64 == 1)
        count_texts(g);
    return row == LAKE_GROUP_ROWS || g->payload_octets >= LAKE_GROUP_PAYLOAD;
}

void group_close(struct group *g)
{
    if (g->closed)
        return;
    if (g->open != NULL && g->open->rows > 0)
        group_page_end(g);
    else if (g->open != NULL)
        group_page_drop(g);
    close_dictionaries(g);
    g->closed = true;
    count_texts(g);
}
