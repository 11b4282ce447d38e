#include "store/lake/follow.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "store/lake/internal.h"
#include "store/lake/manifest.h"

#define PAYLOAD_MAX (2 * RECORD_PAYLOAD_MAX)

static int64_t number_of(const struct group *g, unsigned column, size_t row)
{
    struct group_scratch scratch;
    struct record_cell cell;
    group_cell(g, column, row, &cell, &scratch);
    return cell.number;
}

/* ------------------------------------------------------------------------------------------------ groups */

/* Under the lock of the list, as all of this. False: no room for it. */
static bool hold(struct store_follower *f, struct group *g, size_t at, bool left)
{
    if (f->count == f->cap) {
        size_t cap = f->cap > 0 ? 2 * f->cap : 16;
        struct follow_group *grown = cap <= FOLLOW_GROUPS ? realloc(f->held, cap * sizeof(*grown)) : NULL;
        if (grown == NULL)
            return false;
        f->held = grown;
        f->cap = cap;
    }
    f->held[f->count++] = (struct follow_group){ .group = group_ref(g), .at = at, .left = left };
    return true;
}

/* Calls are made of messages, and their numbers are those of their first ones. */
static bool is_followed(const struct group *g)
{
    return (RECORD_TABLES_MESSAGES >> group_table(g) & 1) != 0;
}

/* At the beginning: behind the rows that are there. */
static void begin_at(void *follower, struct group *g, uint64_t number)
{
    struct store_follower *f = follower;
    size_t rows = group_rows(g);
    f->begun = number;
    if (!is_followed(g))
        return;
    uint64_t last = rows > 0 ? (uint64_t)number_of(g, RECORD_COL_seq, rows - 1) : 0;
    f->max = last > f->max ? last : f->max;
    f->full = f->full || !hold(f, g, rows, false);
}

/* Later on. What there is no room for is taken the next time, or when it leaves. */
static void take(void *follower, struct group *g, uint64_t number)
{
    struct store_follower *f = follower;
    if (number <= f->begun || f->full)
        return;
    f->full = is_followed(g) && !hold(f, g, 0, false);
    if (!f->full)
        f->begun = number;
}

static void leaves(void *watcher, struct group *g, uint64_t number)
{
    struct store_follower *f = watcher;
    for (size_t i = 0; i < f->count; i++)
        if (f->held[i].group == g) {
            f->held[i].left = true;
            return;
        }
    if (number > f->begun && is_followed(g) && !hold(f, g, 0, true))
        f->passed += group_rows(g);
}

void lake_unfollow(struct store *s, struct store_follower *f)
{
    (void)s;
    if (f == NULL)
        return;
    hot_lock(f->hot);
    hot_unwatch(f->hot, &f->watcher);
    hot_unlock(f->hot);
    for (size_t i = 0; i < f->count; i++)
        group_unref(f->held[i].group);
    free(f->held);
    free(f->refs);
    free(f->heads);
    free(f->next);
    free(f);
}

static uint64_t sealed_max(struct lake *lake)
{
    struct manifest_pin *files = manifest_pin(lake->manifest);
    uint64_t max = manifest_pin_max_seq(files);
    manifest_unpin(files);
    return max;
}

int lake_follow(struct store *s, struct store_follower **ret, uint64_t *ret_max)
{
    struct lake *lake = (struct lake *)s;
    if (lake->hot == NULL)
        return -EROFS;
    struct store_follower *f = calloc(1, sizeof(*f));
    if (f == NULL)
        return -ENOMEM;
    f->watcher.leaves = leaves;
    f->hot = lake->hot;
    hot_lock(f->hot);
    hot_watch(f->hot, &f->watcher);
    hot_each(f->hot, begin_at, f);
    hot_unlock(f->hot);
    uint64_t sealed = sealed_max(lake); /* afterwards: a seal that ended in between took its groups from the list */
    f->max = sealed > f->max ? sealed : f->max;
    if (f->full) { /* what is not held would come from its first row on */
        lake_unfollow(s, f);
        return -ENOMEM;
    }
    *ret = f;
    *ret_max = f->max;
    return 0;
}

/* ------------------------------------------------------------------------------------------------ what is there */

/* Parts of a pin: groups that have rows to come. */
static int make_pin(struct store_follower *f, struct lake *lake, struct store_pin **ret)
{
    struct store_pin *pin = calloc(1, sizeof(*pin));
    if (pin == NULL)
        return -ENOMEM;
    pin->lake = lake;
    pin->groups = calloc(f->count + 1, sizeof(struct group *));
    pin->rows = calloc(f->count + 1, sizeof(*pin->rows));
    *ret = pin;
    return pin->groups != NULL && pin->rows != NULL ? 0 : -ENOMEM;
}

/* Counts what is there; more than a follower may be behind is passed over. */
static uint64_t count_rows(struct store_follower *f)
{
    uint64_t rows = 0;
    for (size_t i = 0; i < f->count; i++) {
        f->held[i].rows = group_rows(f->held[i].group);
        rows += f->held[i].rows - f->held[i].at;
    }
    if (rows <= FOLLOW_LAG)
        return rows;
    for (size_t i = 0; i < f->count; i++)
        f->held[i].at = f->held[i].rows;
    f->passed += rows;
    return 0;
}

/* Groups that are done with; their memory is let go of without the lock. */
static size_t take_done(struct store_follower *f, struct group **done)
{
    size_t kept = 0, count = 0;
    for (size_t i = 0; i < f->count; i++) {
        struct follow_group g = f->held[i];
        if (g.left && g.at == g.rows)
            done[count++] = g.group;
        else
            f->held[kept++] = g;
    }
    f->count = kept;
    return count;
}

static int grow(void **array, size_t *cap, size_t count, size_t size)
{
    if (count <= *cap)
        return 0;
    void *grown = realloc(*array, count * size);
    if (grown == NULL)
        return -ENOMEM;
    *array = grown;
    *cap = count;
    return 0;
}

static void fill_pin(struct store_follower *f, struct store_pin *pin)
{
    for (size_t i = 0; i < f->count; i++) {
        const struct follow_group *g = &f->held[i];
        if (g->at == g->rows)
            continue;
        f->next[pin->group_count] = g->at;
        pin->rows[pin->group_count] = g->rows;
        pin->groups[pin->group_count++] = group_ref(g->group);
    }
}

static int make_room(struct store_follower *f, size_t max)
{
    size_t heads = f->head_cap;
    int rc = grow((void **)&f->refs, &f->ref_cap, max, sizeof(*f->refs));
    if (rc == 0)
        rc = grow((void **)&f->heads, &heads, f->count + 1, sizeof(*f->heads));
    if (rc == 0)
        rc = grow((void **)&f->next, &f->head_cap, f->count + 1, sizeof(*f->next));
    return rc;
}

/* 0, -ENOMEM; *ret_pin NULL: there is nothing. */
static int look(struct lake *lake, struct store_follower *f, size_t max, struct store_pin **ret_pin)
{
    struct store_pin *pin = NULL;
    struct group **done = NULL;
    size_t done_count = 0;
    hot_lock(f->hot);
    f->full = false;
    hot_each(f->hot, take, f);
    uint64_t rows = count_rows(f);
    done = calloc(f->count + 1, sizeof(struct group *));
    int rc = done != NULL ? make_room(f, max) : -ENOMEM;
    if (rc == 0 && rows > 0)
        rc = make_pin(f, lake, &pin);
    if (rc == 0) {
        done_count = take_done(f, done);
        if (pin != NULL)
            fill_pin(f, pin);
    }
    hot_unlock(f->hot);
    for (size_t i = 0; i < done_count; i++)
        group_unref(done[i]);
    free(done);
    if (pin != NULL) /* without the lock: a seal takes it under that of the files */
        pin->files = manifest_pin(lake->manifest);
    *ret_pin = pin;
    return rc;
}

/* ------------------------------------------------------------------------------------------------ rows in order */

static void sift(struct store_follower *f, size_t i)
{
    struct follow_head *h = f->heads;
    for (size_t child; (child = 2 * i + 1) < f->head_count; i = child) {
        if (child + 1 < f->head_count && h[child + 1].seq < h[child].seq)
            child++;
        if (h[i].seq <= h[child].seq)
            return;
        struct follow_head swap = h[i];
        h[i] = h[child];
        h[child] = swap;
    }
}

static void begin_heads(struct store_follower *f, const struct store_pin *pin)
{
    f->head_count = pin->group_count;
    for (size_t i = 0; i < pin->group_count; i++)
        f->heads[i] =
            (struct follow_head){ (uint64_t)number_of(pin->groups[i], RECORD_COL_seq, f->next[i]), (uint32_t)i };
    for (size_t i = f->head_count / 2; i-- > 0;)
        sift(f, i);
}

/* The row of the least number; the root moves on. */
static struct store_ref take_row(struct store_follower *f, const struct store_pin *pin)
{
    struct follow_head *h = &f->heads[0];
    const struct group *g = pin->groups[h->part];
    size_t row = f->next[h->part]++;
    struct store_ref ref = { number_of(g, RECORD_COL_ts, row), h->seq, h->part, (uint32_t)row,
                             (uint8_t)group_table(g) };
    if (row + 1 < pin->rows[h->part])
        h->seq = (uint64_t)number_of(g, RECORD_COL_seq, row + 1);
    else
        *h = f->heads[--f->head_count];
    sift(f, 0);
    return ref;
}

/* What was taken is passed. */
static uint64_t note_passed(struct store_follower *f, const struct store_pin *pin)
{
    hot_lock(f->hot);
    for (size_t i = 0, part = 0; pin != NULL && part < pin->group_count && i < f->count; i++) /* in the same order */
        if (f->held[i].group == pin->groups[part])
            f->held[i].at = f->next[part++];
    uint64_t passed = f->passed;
    f->passed = 0;
    hot_unlock(f->hot);
    return passed;
}

int lake_follow_next(struct store *s, struct store_follower *f, size_t max, struct store_pin **ret_pin,
                     const struct store_ref **ret_refs, size_t *ret_count, uint64_t *ret_passed)
{
    struct store_pin *pin;
    size_t count = 0;
    *ret_pin = NULL;
    *ret_count = 0;
    *ret_passed = 0;
    int rc = look((struct lake *)s, f, max, &pin);
    if (rc != 0) {
        s->ops->unpin(s, pin);
        return rc;
    }
    if (pin != NULL) {
        begin_heads(f, pin);
        while (count < max && f->head_count > 0)
            f->refs[count++] = take_row(f, pin);
    }
    *ret_passed = note_passed(f, pin);
    *ret_pin = pin;
    *ret_refs = f->refs;
    *ret_count = count;
    return 0;
}

/* ------------------------------------------------------------------------------------------------ matching */

struct matching {
    const struct filter *filter;
    const struct store_pin *pin;
    const struct store_ref *ref;
    struct buf payload;
    const struct store_ref *payload_of; /* NULL: of none */
    struct group_cache *cache;
    int rc; /* of group_payload() */
};

static void payload_cell(struct matching *m, const struct group *g, struct record_cell *ret)
{
    if (m->payload_of != m->ref) {
        buf_reset(&m->payload);
        m->rc = group_payload(g, m->ref->row, &m->payload, &m->cache);
        m->payload_of = m->ref;
    }
    if (m->rc == 0)
        *ret = (struct record_cell){ .octets = { m->payload.ptr, m->payload.len } };
}

static bool test(void *arg, size_t leaf)
{
    struct matching *m = arg;
    struct group_scratch scratch;
    struct record_cell cell = { .null = true };
    const struct group *g = m->pin->groups[m->ref->part];
    int column = filter_leaf_column(m->filter, leaf, (enum record_table)m->ref->table);
    if (column == RECORD_COL_payload)
        payload_cell(m, g, &cell);
    else if (column >= 0)
        group_cell(g, (unsigned)column, m->ref->row, &cell, &scratch);
    return filter_leaf_test(m->filter, leaf, &cell);
}

int lake_match(struct store *s, struct store_pin *pin, const struct store_ref *refs, size_t n,
               const struct filter *filter, bool *ret)
{
    struct matching m = { .filter = filter, .pin = pin };
    unsigned tables = filter_tables(filter);
    (void)s;
    buf_init(&m.payload, PAYLOAD_MAX);
    for (size_t i = 0; i < n && m.rc == 0; i++) {
        if (refs[i].part >= pin->group_count || refs[i].row >= pin->rows[refs[i].part]) {
            m.rc = -EINVAL;
            break;
        }
        m.ref = &refs[i];
        ret[i] = (tables >> refs[i].table & 1) != 0 && filter_eval(filter, test, &m);
    }
    buf_free(&m.payload);
    group_cache_free(m.cache);
    return m.rc;
}
