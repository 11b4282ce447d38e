#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "store/lake/agg_internal.h"

#define CELLS_MAX  ((size_t)1 << 20) /* counters of values */
#define VALUES_MIN 64u
#define FIRST      64u /* values that there is room for at first */

/* ------------------------------------------------------------------------------------------------ open and close */

static void forget_places(struct agg *a)
{
    if (a->map_count > 0)
        memset(a->map, 0xff, a->map_count * sizeof(*a->map));
    for (size_t i = 0; i < AGG_NUMBERS; i++)
        a->numbers[i].line = AGG_UNKNOWN;
}

static size_t most_values(const struct store_aggregate *q, size_t buckets)
{
    size_t max = q->values_max > 0 && q->values_max < STORE_VALUES_MAX ? q->values_max : STORE_VALUES_MAX;
    size_t fit = CELLS_MAX / buckets;
    max = fit < max ? fit : max;
    return max > VALUES_MIN ? max : VALUES_MIN;
}

/* Room for `cap` values; the table is half empty at most. */
static int grow(struct agg *a, size_t cap)
{
    size_t slots = 16, lines = AGG_VALUES + a->count;
    while (slots < 2 * cap)
        slots *= 2;
    uint64_t *cells = realloc(a->cells, (AGG_VALUES + cap) * a->buckets * sizeof(*cells));
    if (cells != NULL)
        a->cells = cells;
    struct agg_value *values = realloc(a->values, cap * sizeof(*values));
    if (values != NULL)
        a->values = values;
    uint32_t *table = calloc(slots, sizeof(*table));
    if (cells == NULL || values == NULL || table == NULL) {
        free(table);
        return -ENOMEM;
    }
    if (a->cap == 0)
        lines = 0; /* there are no counters yet */
    memset(a->cells + lines * a->buckets, 0, (AGG_VALUES + cap - lines) * a->buckets * sizeof(*cells));
    free(a->slots);
    a->slots = table;
    a->mask = slots - 1;
    a->cap = cap;
    return 0;
}

static void put_slot(struct agg *a, uint32_t hash, uint32_t line)
{
    size_t i = hash & a->mask;
    while (a->slots[i] != 0)
        i = (i + 1) & a->mask;
    a->slots[i] = line;
}

static void put_slots(struct agg *a)
{
    memset(a->slots, 0, (a->mask + 1) * sizeof(*a->slots));
    for (size_t i = 0; i < a->count; i++)
        put_slot(a, a->values[i].hash, (uint32_t)(AGG_VALUES + i));
}

int agg_new(struct agg **ret, const struct store_aggregate *q)
{
    if (q->buckets == 0 || q->buckets > STORE_BUCKETS_MAX)
        return -EINVAL;
    struct agg *a = calloc(1, sizeof(*a));
    if (a == NULL)
        return -ENOMEM;
    a->q = q;
    a->buckets = q->bucket_us == 0 ? 1 : q->buckets;
    a->max = most_values(q, a->buckets);
    a->seed = (uint64_t)(uintptr_t)a ^ catalog_now();
    a->numbers = calloc(AGG_NUMBERS, sizeof(*a->numbers));
    if (a->numbers == NULL || grow(a, FIRST < a->max ? FIRST : a->max) != 0) {
        agg_free(a);
        return -ENOMEM;
    }
    forget_places(a);
    *ret = a;
    return 0;
}

void agg_free(struct agg *a)
{
    if (a == NULL)
        return;
    for (size_t i = 0; i < a->count; i++)
        free(a->values[i].text);
    free(a->cells);
    free(a->values);
    free(a->slots);
    free(a->map);
    free(a->numbers);
    free(a->times);
    free(a->all);
    free(a);
}

const struct store_aggregate *agg_question(const struct agg *a)
{
    return a->q;
}

int agg_map(struct agg *a, size_t codes)
{
    if (codes > a->map_cap) {
        uint32_t *map = realloc(a->map, codes * sizeof(*map));
        if (map == NULL)
            return -ENOMEM;
        a->map = map;
        a->map_cap = codes;
    }
    a->map_count = codes;
    if (codes > 0)
        memset(a->map, 0xff, codes * sizeof(*a->map));
    return 0;
}

/* ------------------------------------------------------------------------------------------------ values */

static uint64_t sum(const uint64_t *cells, size_t count)
{
    uint64_t n = 0;
    for (size_t i = 0; i < count; i++)
        n += cells[i];
    return n;
}

struct ranked {
    uint64_t total;
    uint32_t at;
};

static int most_first(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    if (x->total != y->total)
        return x->total < y->total ? 1 : -1;
    return (x->at > y->at) - (x->at < y->at);
}

static struct ranked *rank(const struct agg *a)
{
    struct ranked *r = calloc(a->count + 1, sizeof(*r));
    for (size_t i = 0; r != NULL && i < a->count; i++)
        r[i] = (struct ranked){ sum(a->cells + (AGG_VALUES + i) * a->buckets, a->buckets), (uint32_t)i };
    if (r != NULL)
        qsort(r, a->count, sizeof(*r), most_first);
    return r;
}

/* The half of the values with the fewest rows is given up: what is frequent stays, with nearly all of its rows. */
static int prune(struct agg *a)
{
    struct ranked *r = rank(a);
    size_t kept = 0, keep = a->count / 2;
    if (r == NULL)
        return -ENOMEM;
    for (size_t i = keep; i < a->count; i++) {
        uint64_t *cells = a->cells + (AGG_VALUES + r[i].at) * a->buckets;
        for (size_t b = 0; b < a->buckets; b++)
            a->cells[AGG_REST * a->buckets + b] += cells[b];
        free(a->values[r[i].at].text);
        a->values[r[i].at].text = NULL;
    }
    for (size_t i = 0; i < a->count; i++) {
        if (a->values[i].text == NULL)
            continue;
        a->values[kept] = a->values[i];
        memmove(a->cells + (AGG_VALUES + kept) * a->buckets, a->cells + (AGG_VALUES + i) * a->buckets,
                a->buckets * sizeof(*a->cells));
        kept++;
    }
    a->count = kept;
    memset(a->cells + (AGG_VALUES + kept) * a->buckets, 0, (a->cap - kept) * a->buckets * sizeof(*a->cells));
    a->pruned = true;
    free(r);
    put_slots(a);
    forget_places(a);
    return 0;
}

static int make_room(struct agg *a)
{
    if (a->count < a->cap)
        return 0;
    if (a->cap == a->max)
        return prune(a);
    int rc = grow(a, 2 * a->cap < a->max ? 2 * a->cap : a->max);
    if (rc == 0)
        put_slots(a);
    return rc;
}

static uint32_t add_value(struct agg *a, const uint8_t *text, size_t len, uint32_t hash)
{
    char *copy = malloc(len + 1);
    if (copy == NULL || make_room(a) != 0) {
        free(copy);
        a->failed = true;
        return AGG_SKIP;
    }
    if (len > 0)
        memcpy(copy, text, len);
    copy[len] = '\0';
    uint32_t line = (uint32_t)(AGG_VALUES + a->count);
    a->values[a->count++] = (struct agg_value){ copy, (uint32_t)len, hash };
    put_slot(a, hash, line);
    return line; // cppcheck-suppress memleak ; the copy is in the list
}

static uint32_t find(struct agg *a, const uint8_t *text, size_t len)
{
    uint32_t hash = (uint32_t)XXH3_64bits_withSeed(text, len, a->seed);
    for (size_t i = hash & a->mask; a->slots[i] != 0; i = (i + 1) & a->mask) {
        const struct agg_value *v = &a->values[a->slots[i] - AGG_VALUES];
        if (v->hash == hash && v->len == len && (len == 0 || memcmp(v->text, text, len) == 0))
            return a->slots[i];
    }
    return add_value(a, text, len, hash);
}

bool agg_has_prefix(const struct agg *a, const uint8_t *text, size_t len)
{
    const struct store_aggregate *q = a->q;
    if (q->prefix == NULL || q->prefix_len == 0)
        return true;
    if (len < q->prefix_len)
        return false;
    return q->prefix_nocase ? strncasecmp((const char *)text, q->prefix, q->prefix_len) == 0
                            : memcmp(text, q->prefix, q->prefix_len) == 0;
}

static size_t cut(const struct agg *a, const uint8_t *text, size_t len)
{
    size_t first = a->q->by.first;
    if (first == 0 || len <= first)
        return len;
    while (first > 0 && (text[first] & 0xc0) == 0x80)
        first--;
    return first;
}

uint32_t agg_text(struct agg *a, const uint8_t *text, size_t len)
{
    len = cut(a, text, len);
    return agg_has_prefix(a, text, len) ? find(a, text, len) : AGG_SKIP;
}

uint32_t agg_number(struct agg *a, int64_t number)
{
    struct agg_number *n = &a->numbers[(uint64_t)number % AGG_NUMBERS];
    char text[STORE_NUMBER_TEXT];
    if (n->line != AGG_UNKNOWN && n->number == number)
        return n->line;
    size_t len = a->q->by.text != NULL ? a->q->by.text(number, text)
                                       : (size_t)snprintf(text, sizeof(text), "%" PRIu64, (uint64_t)number);
    uint32_t line = agg_text(a, (const uint8_t *)text, len);
    if (!a->failed)
        *n = (struct agg_number){ number, line };
    return line;
}

uint32_t agg_line_of_table(struct agg *a, enum record_table table)
{
    if (!a->q->has_by)
        return AGG_NONE;
    if (!a->q->by.tables)
        return a->q->by.columns[table] < 0 ? agg_none(a) : AGG_UNKNOWN;
    const char *name = record_schema(table)->name;
    return agg_text(a, (const uint8_t *)name, strlen(name));
}

/* ------------------------------------------------------------------------------------------------ whole files */

bool agg_is_plain(const struct agg *a, int64_t min_ts, int64_t max_ts, size_t *ret_bucket)
{
    *ret_bucket = agg_bucket(a, min_ts);
    return !a->q->has_by && *ret_bucket != AGG_OUTSIDE && agg_bucket(a, max_ts) == *ret_bucket;
}

void agg_add(struct agg *a, size_t bucket, uint64_t n)
{
    a->cells[bucket] += n;
}

/* ------------------------------------------------------------------------------------------------ results */

int agg_merge(struct agg *a, const struct agg *from)
{
    for (size_t i = 0; i < AGG_VALUES * a->buckets; i++)
        a->cells[i] += from->cells[i];
    for (size_t i = 0; i < from->count; i++) {
        uint32_t line = find(a, (const uint8_t *)from->values[i].text, from->values[i].len);
        if (a->failed)
            return -ENOMEM;
        for (size_t b = 0; b < a->buckets; b++)
            a->cells[line * a->buckets + b] += from->cells[(AGG_VALUES + i) * a->buckets + b];
    }
    a->pruned |= from->pruned;
    return 0;
}

static void hand_over_values(struct agg *a, struct store_aggregate *q, const struct ranked *r, uint64_t *cells)
{
    for (size_t i = 0; i < a->count; i++) {
        struct agg_value *v = &a->values[r[i].at];
        uint64_t *to = cells + (3 + i) * a->buckets;
        memcpy(to, a->cells + (AGG_VALUES + r[i].at) * a->buckets, a->buckets * sizeof(*to));
        q->values[i] = (struct store_value){ .text = v->text, .len = v->len, .total = r[i].total, .counts = to };
        v->text = NULL;
    }
    q->value_count = a->count;
}

int agg_finish(struct agg *a, struct store_aggregate *q)
{
    struct ranked *r = rank(a);
    uint64_t *cells = calloc((3 + a->count) * a->buckets, sizeof(*cells));
    q->values = calloc(a->count + 1, sizeof(*q->values));
    if (r == NULL || cells == NULL || q->values == NULL) {
        free(r);
        free(cells);
        free(q->values);
        q->values = NULL;
        return -ENOMEM;
    }
    q->counts = cells;
    q->none = cells + a->buckets;
    q->rest = cells + 2 * a->buckets;
    for (size_t line = 0; line < AGG_VALUES + a->count; line++)
        for (size_t b = 0; b < a->buckets; b++)
            q->counts[b] += a->cells[line * a->buckets + b];
    memcpy(q->none, a->cells, a->buckets * sizeof(*cells));
    memcpy(q->rest, a->cells + AGG_REST * a->buckets, a->buckets * sizeof(*cells));
    hand_over_values(a, q, r, cells);
    q->total = sum(q->counts, a->buckets);
    q->values_exact = !a->pruned;
    free(r);
    return 0;
}
