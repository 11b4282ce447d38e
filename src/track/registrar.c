#include "track/registrar.h"

#include <stdlib.h>
#include <string.h>

#include "track/registrar_internal.h"

#define CELLS_FIRST 1024u
#define SWEEP       2048u /* AoRs looked at in a tick */

/* ------------------------------------------------------------------------------------------------ names */

const char *reg_result_name(enum reg_result result)
{
    static const char *const names[] = {
#define NAME(id, name) [REG_##id] = (name),
        REG_RESULT_LIST(NAME)
#undef NAME
    };
    return names[result];
}

const char *reg_binding_name(enum reg_binding binding)
{
    static const char *const names[] = {
#define NAME(id, name) [REG_BINDING_##id] = (name),
        REG_BINDING_LIST(NAME)
#undef NAME
    };
    return names[binding];
}

const char *reg_state_name(enum reg_state state)
{
    static const char *const names[] = {
#define NAME(id, name) [REG_STATE_##id] = (name),
        REG_STATE_LIST(NAME)
#undef NAME
    };
    return names[state];
}

/* ------------------------------------------------------------------------------------------------ memory */

void *reg_alloc(struct registrar *r, size_t octets)
{
    void *p = calloc(1, octets);
    r->stats.no_memory += p == NULL;
    r->stats.octets += p == NULL ? 0 : octets;
    return p;
}

void reg_release(struct registrar *r, void *p, size_t octets)
{
    r->stats.octets -= p == NULL ? 0 : octets;
    free(p);
}

struct reg_string *reg_string_new(struct registrar *r, struct hep_slice s)
{
    s = track_text_cut(s);
    struct reg_string *n = s.len == 0 ? NULL : reg_alloc(r, sizeof(*n) + s.len);
    if (n == NULL)
        return NULL;
    n->len = (uint8_t)s.len;
    memcpy(n->octets, s.ptr, s.len);
    return n;
}

void reg_string_free(struct registrar *r, struct reg_string *s)
{
    reg_release(r, s, s == NULL ? 0 : sizeof(*s) + s->len);
}

struct hep_slice reg_string_slice(const struct reg_string *s)
{
    return s == NULL ? (struct hep_slice){ (const uint8_t *)"", 0 } : (struct hep_slice){ s->octets, s->len };
}

void reg_string_set(struct registrar *r, struct reg_string **s, struct hep_slice to)
{
    struct hep_slice now = reg_string_slice(*s);
    to = track_text_cut(to);
    if (now.len == to.len && (to.len == 0 || memcmp(now.ptr, to.ptr, to.len) == 0))
        return;
    struct reg_string *n = reg_string_new(r, to);
    reg_string_free(r, *s);
    *s = n;
}

/* ------------------------------------------------------------------------------------------------ opening */

static bool preset(uint32_t *n, uint32_t otherwise, uint32_t most)
{
    *n = *n == 0 ? otherwise : *n;
    return *n <= most;
}

struct registrar *registrar_new(const struct reg_options *options)
{
    struct registrar *r = calloc(1, sizeof(*r));
    if (r == NULL)
        return NULL;
    r->o = *options;
    r->stats.octets = sizeof(*r);
    if (preset(&r->o.max_aors, 100000, REG_AORS_MAX) && preset(&r->o.max_open, 100000, REG_OPEN_MAX) &&
        preset(&r->o.linger_s, 2, REG_LINGER_MAX) && preset(&r->o.no_answer_s, 32, REG_ANSWER_MAX) &&
        preset(&r->o.flap_changes, 4, REG_CHANGES_MAX) && preset(&r->o.flap_window_s, 600, UINT32_MAX) &&
        preset(&r->o.forget_s, 604800, UINT32_MAX) && cells_init(&r->open_cells, CELLS_FIRST) &&
        cells_init(&r->aor_cells, CELLS_FIRST))
        return r;
    registrar_free(r);
    return NULL;
}

static void open_release(struct registrar *r, struct reg_open *o)
{
    while (o->first != NULL) {
        struct reg_transaction *t = o->first;
        o->first = t->next;
        reg_transaction_free(r, t);
    }
    reg_string_free(r, o->call_id);
    reg_string_free(r, o->from_user);
    reg_string_free(r, o->from_host);
    reg_string_free(r, o->to_user);
    reg_string_free(r, o->to_host);
    reg_release(r, o, sizeof(*o));
}

void registrar_free(struct registrar *r)
{
    if (r == NULL)
        return;
    for (uint32_t i = 1; i < r->open_places; i++)
        if (r->opens[i] != NULL)
            open_release(r, r->opens[i]);
    free(r->opens);
    free(r->open_free);
    reg_aors_free(r);
    cells_free(&r->open_cells);
    cells_free(&r->aor_cells);
    free(r);
}

/* ------------------------------------------------------------------------------------------------ what is open */

static struct reg_open *find(const struct registrar *r, uint64_t key, uint32_t *ret_place)
{
    uint32_t at = (uint32_t)key;
    for (uint32_t place; (place = cells_next(&r->open_cells, (uint32_t)key, &at)) != 0;)
        if (r->opens[place]->key == key) {
            *ret_place = place;
            return r->opens[place];
        }
    return NULL;
}

/* A free place; 0: no memory. */
static uint32_t new_place(struct registrar *r)
{
    if (r->open_free_count > 0)
        return r->open_free[--r->open_free_count];
    if (r->open_places % 1024 == 0) {
        size_t places = (size_t)r->open_places + 1024;
        struct reg_open **opens = realloc(r->opens, places * sizeof(struct reg_open *));
        if (opens != NULL)
            r->opens = opens;
        uint32_t *frees = opens == NULL ? NULL : realloc(r->open_free, places * sizeof(*frees));
        if (frees == NULL)
            return 0;
        r->open_free = frees;
        r->stats.octets += 1024 * (sizeof(struct reg_open *) + sizeof(*frees));
        if (r->open_places == 0)
            r->opens[r->open_places++] = NULL; /* 0 is no place */
    }
    return r->open_places++;
}

struct reg_open *reg_open_add(struct registrar *r, uint64_t key)
{
    uint32_t place = 0;
    if (find(r, key, &place) != NULL)
        return NULL;
    place = cells_room(&r->open_cells) ? new_place(r) : 0;
    struct reg_open *o = place == 0 ? NULL : reg_alloc(r, sizeof(*o));
    if (o == NULL) {
        r->stats.no_memory += place == 0;
        if (place != 0) {
            r->opens[place] = NULL;
            r->open_free[r->open_free_count++] = place;
        }
        return NULL;
    }
    o->key = key;
    o->closed_ts = TRACK_NO_TIME;
    r->opens[place] = o;
    cells_put(&r->open_cells, (uint32_t)key, place);
    r->stats.open++;
    return o;
}

static void disarm(struct reg_open *o)
{
    *(o->prev != NULL ? &o->prev->next : &o->in->first) = o->next;
    *(o->next != NULL ? &o->next->prev : &o->in->last) = o->prev;
    o->next = o->prev = NULL;
}

void reg_open_arm(struct registrar *r, struct reg_open *o)
{
    uint32_t due = reg_open_due(r, o);
    due = due <= r->now ? r->now + 1 : due > r->now + REG_SLOTS - 1 ? r->now + REG_SLOTS - 1 : due;
    o->in = o->count == 0 ? &r->over : &r->wheel[due % REG_SLOTS];
    o->prev = o->in->last;
    o->next = NULL;
    *(o->prev != NULL ? &o->prev->next : &o->in->first) = o;
    o->in->last = o;
}

/* It is in no slot. */
static void forget(struct registrar *r, struct reg_open *o)
{
    uint32_t place = 0;
    (void)find(r, o->key, &place);
    cells_remove(&r->open_cells, (uint32_t)o->key, place);
    r->opens[place] = NULL;
    r->open_free[r->open_free_count++] = place;
    r->stats.open--;
    open_release(r, o);
}

static void forget_over(struct registrar *r)
{
    struct reg_open *o = r->over.first;
    disarm(o);
    forget(r, o);
}

/* Those that are remembered for stragglers alone go first, then the one that would be due first. */
static void make_room(struct registrar *r)
{
    while (r->stats.open >= r->o.max_open && r->over.first != NULL)
        forget_over(r);
    for (uint32_t s = r->now + 1; r->stats.open >= r->o.max_open && s < r->now + REG_SLOTS; s++)
        while (r->wheel[s % REG_SLOTS].first != NULL && r->stats.open >= r->o.max_open) {
            struct reg_open *o = r->wheel[s % REG_SLOTS].first;
            disarm(o);
            r->stats.evicted++;
            reg_open_close(r, o, true);
            forget(r, o);
        }
}

/* ------------------------------------------------------------------------------------------------ time */

static int by_order(const void *a, const void *b)
{
    const struct reg_open *x = *(struct reg_open *const *)a, *y = *(struct reg_open *const *)b;
    int64_t m = reg_open_order(x), n = reg_open_order(y);
    return m != n ? (m < n ? -1 : 1) : x->key < y->key ? -1 : x->key > y->key;
}

static void close_one(struct registrar *r, struct reg_open *o, bool all)
{
    reg_open_close(r, o, all);
    if (all)
        forget(r, o);
    else
        reg_open_arm(r, o);
}

/* Those of a slot by the time of their messages: what AoRs make of them shall not depend on how they came. */
static void turn(struct registrar *r, uint32_t slot, bool all)
{
    struct reg_open *list = r->wheel[slot].first, *next;
    size_t count = 0, n = 0;
    r->wheel[slot] = (struct reg_list){ NULL, NULL };
    for (struct reg_open *o = list; o != NULL; o = o->next)
        count++;
    struct reg_open **sorted = count > 1 ? malloc(count * sizeof(struct reg_open *)) : NULL;
    for (; list != NULL; list = next) {
        next = list->next;
        list->next = list->prev = NULL;
        if (sorted != NULL)
            sorted[n++] = list;
        else
            close_one(r, list, all);
    }
    if (n > 0)
        qsort(sorted, n, sizeof(struct reg_open *), by_order);
    for (size_t i = 0; i < n; i++)
        close_one(r, sorted[i], all);
    free(sorted);
}

static void advance(struct registrar *r, int64_t now_us)
{
    uint32_t now = now_us <= 0                         ? 0
                   : now_us / REG_SECOND >= UINT32_MAX ? UINT32_MAX - 1
                                                       : (uint32_t)(now_us / REG_SECOND);
    if (now <= r->now)
        return;
    uint32_t from = r->turned + 1;
    if (r->now == 0 || now - r->turned > REG_SLOTS) /* every slot once is enough */
        from = now - (now < REG_SLOTS - 1 ? now : REG_SLOTS - 1);
    r->now = now;
    for (uint32_t s = from; s <= now; s++) {
        r->turned = s;
        turn(r, s % REG_SLOTS, false);
    }
    while (r->over.first != NULL && now >= r->over.first->closed_at + REG_STRAGGLE_S)
        forget_over(r);
}

void registrar_tick(struct registrar *r, int64_t now_us)
{
    advance(r, now_us);
    reg_aor_sweep(r, SWEEP);
}

void registrar_finish(struct registrar *r)
{
    for (uint32_t s = 1; s <= REG_SLOTS; s++)
        turn(r, (r->now + s) % REG_SLOTS, true);
    while (r->over.first != NULL)
        forget_over(r);
}

/* ------------------------------------------------------------------------------------------------ events */

void registrar_take(struct registrar *r, const struct reg_event *e, const struct reg_texts *texts, int64_t now_us)
{
    uint32_t place;
    advance(r, now_us);
    r->stats.events++;
    struct reg_open *o = find(r, e->key, &place);
    if (o == NULL) {
        make_room(r);
        o = reg_open_add(r, e->key);
        if (o == NULL)
            return;
        o->aor = e->aor;
    } else {
        disarm(o);
    }
    (void)reg_open_take(r, o, e, texts);
    if (o->count == 0 && o->closed_ts == TRACK_NO_TIME)
        forget(r, o);
    else
        reg_open_arm(r, o);
}

/* ------------------------------------------------------------------------------------------------ figures */

void registrar_stats(const struct registrar *r, struct reg_stats *ret)
{
    *ret = r->stats;
    ret->octets += ((size_t)r->open_cells.count + r->aor_cells.count) * sizeof(struct cell);
}
