#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "store/lake/manifest_internal.h"

/* ------------------------------------------------------------------------------------------------ files */

static struct manifest_node *node_new(const struct manifest_file *f, uint64_t epoch)
{
    size_t len = strlen(f->path) + 1;
    struct manifest_node *n = malloc(sizeof(*n) + len);
    if (n == NULL)
        return NULL;
    *n = (struct manifest_node){ .file = *f };
    atomic_init(&n->refs, 1);
    memcpy(n->path, f->path, len);
    n->file.path = n->path;
    n->file.epoch = epoch;
    return n;
}

/* The last pin that saw a removed file is gone. */
static void dispose(struct manifest *m, const struct manifest_node *n)
{
    if (n->removed_by != MANIFEST_SET_ASIDE) {
        manifest_readers_unlink(m, n->path, n->file.bytes);
        return;
    }
    int rc = manifest_put_aside(m, n->path);
    atomic_fetch_add(rc == 0 || rc == -ENOENT ? &m->count.unlinked : &m->count.unlink_errors, 1);
}

static void node_unref(struct manifest *m, struct manifest_node *n)
{
    if (atomic_fetch_sub(&n->refs, 1) != 1)
        return;
    if (n->removed_by != 0)
        dispose(m, n);
    free(n);
}

/* ------------------------------------------------------------------------------------------------ sets */

struct manifest_pin *manifest_set_new(struct manifest *m)
{
    struct manifest_pin *set = calloc(1, sizeof(*set));
    if (set != NULL) {
        atomic_init(&set->refs, 1);
        set->m = m;
    }
    return set;
}

/* Place of the path, or where it would be. */
static size_t lower_bound(const struct manifest_pin *set, const char *path)
{
    size_t from = 0, to = set->count;
    while (from < to) {
        size_t mid = from + (to - from) / 2;
        if (strcmp(set->nodes[mid]->path, path) < 0)
            from = mid + 1;
        else
            to = mid;
    }
    return from;
}

struct manifest_node *manifest_set_find(const struct manifest_pin *set, const char *path)
{
    size_t i = lower_bound(set, path);
    return i < set->count && strcmp(set->nodes[i]->path, path) == 0 ? set->nodes[i] : NULL;
}

static int compare_nodes(const void *a, const void *b)
{
    const struct manifest_node *const *x = a, *const *y = b;
    return strcmp((*x)->path, (*y)->path);
}

static int compare_paths(const void *a, const void *b)
{
    const char *const *x = a, *const *y = b;
    return strcmp(*x, *y);
}

/* Positions only go forward. */
static int raise_position(struct manifest_pin *set, const struct wal_position *p)
{
    for (size_t i = 0; i < set->position_count; i++) {
        if (set->positions[i].worker != p->worker)
            continue;
        if (p->segment > set->positions[i].segment)
            set->positions[i].segment = p->segment;
        return 0;
    }
    if (set->position_count == MANIFEST_POSITIONS_MAX)
        return -E2BIG;
    set->positions[set->position_count++] = *p;
    return 0;
}

static uint64_t max64(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static int apply_state(struct manifest_pin *set, const struct manifest_pin *old, const struct manifest_change *c)
{
    bool seals = c->kind == MANIFEST_SEAL || c->kind == MANIFEST_SNAPSHOT;
    set->epoch = max64(old->epoch, c->epoch);
    set->seal_epoch = seals ? max64(old->seal_epoch, c->epoch) : old->seal_epoch;
    set->max_seq = max64(old->max_seq, c->max_seq);
    for (size_t i = 0; i < c->add_count; i++)
        set->max_seq = max64(set->max_seq, c->add[i].max_seq);
    memcpy(set->positions, old->positions, sizeof(set->positions));
    set->position_count = old->position_count;
    const char *state = c->state != NULL ? c->state : old->state;
    memcpy(set->state, state, strlen(state) + 1);
    int rc = 0;
    for (size_t i = 0; i < c->position_count && rc == 0; i++)
        rc = raise_position(set, &c->positions[i]);
    return rc;
}

/* Nodes for what is added, sorted. A file of a snapshot keeps its epoch. */
static int make_nodes(const struct manifest_change *c, struct manifest_node **nodes, size_t *ret_count)
{
    for (size_t i = 0; i < c->add_count; i++) {
        uint64_t epoch = c->kind == MANIFEST_SNAPSHOT ? c->add[i].epoch : c->epoch;
        nodes[i] = node_new(&c->add[i], epoch);
        if (nodes[i] == NULL)
            return -ENOMEM;
        *ret_count = i + 1;
    }
    if (c->add_count > 1)
        qsort(nodes, c->add_count, sizeof(struct manifest_node *), compare_nodes);
    return 0;
}

/* Both lists are sorted. A name that is taken out may be put in by the same change: no, that is -EEXIST. */
static int merge_nodes(struct manifest_pin *set, const struct manifest_pin *old, struct manifest_node **add,
                       size_t add_count, const char **remove, size_t remove_count)
{
    size_t a = 0, r = 0;
    for (size_t i = 0; i < old->count || a < add_count;) {
        int order = i == old->count ? 1 : a == add_count ? -1 : strcmp(old->nodes[i]->path, add[a]->path);
        if (order == 0 || (order > 0 && a > 0 && strcmp(add[a - 1]->path, add[a]->path) == 0))
            return -EEXIST;
        if (order > 0) {
            set->nodes[set->count++] = add[a++];
            continue;
        }
        struct manifest_node *n = old->nodes[i++];
        if (r < remove_count && strcmp(n->path, remove[r]) == 0)
            r++;
        else
            set->nodes[set->count++] = n;
    }
    return r == remove_count ? 0 : -ENOENT;
}

static void *copy_of(const void *from, size_t n, size_t size)
{
    void *to = calloc(n > 0 ? n : 1, size);
    if (to != NULL && n > 0)
        memcpy(to, from, n * size);
    return to;
}

/* References are taken once nothing can fail any more: until then the set only borrows. */
int manifest_set_apply(const struct manifest_pin *old, const struct manifest_change *c, struct manifest_pin **ret)
{
    const size_t remove_count = c->remove_count;
    size_t made = 0;
    struct manifest_node **add = calloc(c->add_count + 1, sizeof(struct manifest_node *));
    const char **remove = copy_of(c->remove, remove_count, sizeof(*remove));
    struct manifest_pin *set = calloc(1, sizeof(*set) + (old->count + c->add_count) * sizeof(struct manifest_node *));
    int rc = add == NULL || remove == NULL || set == NULL ? -ENOMEM : 0;
    if (rc != 0)
        goto out;
    atomic_init(&set->refs, 1);
    set->m = old->m;
    rc = make_nodes(c, add, &made);
    if (rc != 0)
        goto out;
    if (remove_count > 1)
        qsort(remove, remove_count, sizeof(*remove), compare_paths);
    rc = merge_nodes(set, old, add, c->add_count, remove, remove_count);
    if (rc == 0)
        rc = apply_state(set, old, c);
    if (rc != 0)
        goto out;
    for (size_t i = 0; i < set->count; i++)
        atomic_fetch_add_explicit(&set->nodes[i]->refs, 1, memory_order_relaxed);
    *ret = set;
    set = NULL;

out:
    for (size_t i = 0; i < made; i++)
        node_unref(old->m, add[i]); /* the set, if it was made, has its own reference */
    free(add);
    free(remove);
    free(set);
    return rc;
}

void manifest_set_mark(const struct manifest_pin *old, const struct manifest_change *c)
{
    for (size_t i = 0; i < c->remove_count; i++) {
        struct manifest_node *n = manifest_set_find(old, c->remove[i]);
        if (n != NULL)
            n->removed_by = c->kind;
    }
}

/* ------------------------------------------------------------------------------------------------ pins */

struct manifest_pin *manifest_pin_with(struct manifest *m, void (*fn)(void *arg), void *arg)
{
    pthread_mutex_lock(&m->pin_lock);
    struct manifest_pin *set = m->current;
    atomic_fetch_add_explicit(&set->refs, 1, memory_order_relaxed);
    if (fn != NULL)
        fn(arg);
    pthread_mutex_unlock(&m->pin_lock);
    return set;
}

struct manifest_pin *manifest_pin(struct manifest *m)
{
    return manifest_pin_with(m, NULL, NULL);
}

void manifest_unpin(struct manifest_pin *pin)
{
    if (pin == NULL || atomic_fetch_sub(&pin->refs, 1) != 1)
        return;
    for (size_t i = 0; i < pin->count; i++)
        node_unref(pin->m, pin->nodes[i]);
    free(pin);
}

uint64_t manifest_pin_epoch(const struct manifest_pin *pin)
{
    return pin->epoch;
}

uint64_t manifest_pin_max_seq(const struct manifest_pin *pin)
{
    return pin->max_seq;
}

size_t manifest_pin_count(const struct manifest_pin *pin)
{
    return pin->count;
}

const struct manifest_file *manifest_pin_file(const struct manifest_pin *pin, size_t i)
{
    return &pin->nodes[i]->file;
}

size_t manifest_pin_table(const struct manifest_pin *pin, const char *table, size_t *ret_first)
{
    char bound[MANIFEST_PATH_MAX];
    size_t len = strlen(table);
    *ret_first = 0;
    if (len + 2 > sizeof(bound))
        return 0;
    memcpy(bound, table, len);
    memcpy(bound + len, "/", 2);
    *ret_first = lower_bound(pin, bound);
    bound[len] = '/' + 1;
    return lower_bound(pin, bound) - *ret_first;
}

const struct manifest_file *manifest_pin_find(const struct manifest_pin *pin, const char *path)
{
    const struct manifest_node *n = manifest_set_find(pin, path);
    return n != NULL ? &n->file : NULL;
}

size_t manifest_pin_positions(const struct manifest_pin *pin, const struct wal_position **ret)
{
    *ret = pin->positions;
    return pin->position_count;
}

const char *manifest_pin_state(const struct manifest_pin *pin)
{
    return pin->state;
}
