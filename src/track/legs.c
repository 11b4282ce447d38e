/*
 * Which calls are legs of one. Nothing is merged: calls have keys, a table says who has a key, and a group is what can
 * be reached from a call, computed when it is asked for. So the order of messages does not matter, and a key that turns
 * out to be shared by too many calls (a hub) is taken out of the table with all that followed from it.
 *
 * Two calls with a key in common are legs of one if they were there at the same time, or nearly so.
 */
#include <stdlib.h>
#include <string.h>

#include "track/internal.h"
#include "track/keys.h"

#define STEPS_MAX 4096u /* keys of others that one look at a group may meet */
#define SEEN_MAX  (4 * TRACK_LEGS_MAX)

struct legs {
    uint32_t members[TRACK_LEGS_MAX]; /* numbers of calls; the first one is the one that was asked for */
    uint32_t count;
    unsigned steps;
    bool cut;
    uint32_t turn;
    struct {
        uint32_t number, turn;
    } seen[SEEN_MAX];
    struct track_key_value keys[KEYS_MAX];
    char digits[KEYS_MAX + 1][16]; /* of keys without text; the last: of what joined it */
};

bool legs_open(struct tracker *t)
{
    t->legs = calloc(1, sizeof(*t->legs));
    t->invites = invites_new();
    return key_table_open(t) && t->legs != NULL && t->invites != NULL;
}

void legs_close(struct tracker *t)
{
    key_table_close(t);
    free(t->legs);
    invites_free(t->invites);
}

size_t legs_octets(const struct tracker *t)
{
    return key_table_octets(t) + sizeof(*t->legs) + invites_octets();
}

/* ------------------------------------------------------------------------------------------------ neighbours */

/* Milliseconds that may lie between two calls that a key joins; -1: any time. */
static int64_t apart_ms(unsigned kind)
{
    if (kind == KEY_GROUP)
        return -1;
    if (kind == TRACK_KEY_SDP)
        return 2000;                                                               /* ports are used again */
    return kind == TRACK_KEY_SESSION_ID || kind == TRACK_KEY_ICID ? 60000 : 10000; /* Call-IDs are used again */
}

static bool are_near(const struct track_call *a, const struct track_call *b, unsigned kind)
{
    int64_t apart = apart_ms(kind), a_until = call_until(a), b_until = call_until(b);
    return apart < 0 || ((a_until == INT64_MAX || call_from(b) <= a_until + apart) &&
                         (b_until == INT64_MAX || call_from(a) <= b_until + apart));
}

/* A call that is reached, and the key by which: that of `of`. Of two kinds of one value the weaker. */
struct edge {
    uint32_t to, of;
    unsigned key, kind;
};

typedef void edge_fn(const struct tracker *t, void *arg, const struct edge *e);

static bool step(const struct tracker *t)
{
    struct legs *l = t->legs;
    l->cut = l->cut || l->steps >= STEPS_MAX;
    l->steps++;
    return !l->cut;
}

/* All other calls that have the key. */
static void same_key(const struct tracker *t, uint32_t number, const struct call_key *k, edge_fn *fn, void *arg)
{
    const struct track_call *c = tracker_call(t, number);
    for (uint32_t at = k->low, place; (place = key_next(t, k, &at)) != 0 && step(t);) {
        uint32_t other = (place - 1) / KEYS_MAX;
        unsigned kind = key_kind(key_at(t, place)) > key_kind(k) ? key_kind(key_at(t, place)) : key_kind(k);
        if (other != number && are_near(c, tracker_call(t, other), kind))
            fn(t, arg, &(struct edge){ other, other, (place - 1) % KEYS_MAX, kind });
    }
}

static void each_edge(const struct tracker *t, uint32_t number, edge_fn *fn, void *arg)
{
    const struct track_call *c = tracker_call(t, number);
    const struct call_key named = { .low = (uint32_t)c->key, .high = (uint32_t)(c->key >> 32) };
    uint32_t other;
    cells_prefetch(&t->keys, named.low);
    for (unsigned i = 0; i < c->key_count; i++)
        cells_prefetch(&t->keys, own_keys(c)[i].low);
    same_key(t, number, &named, fn, arg);
    for (unsigned i = 0; i < c->key_count; i++) {
        const struct call_key *k = &own_keys(c)[i];
        unsigned kind = key_kind(k);
        if (!key_is_linked(kind) || (k->kind & KEY_HUB) != 0)
            continue;
        if (kind == KEY_GROUP || k->total > 1)
            same_key(t, number, k, fn, arg);
        if (kind != KEY_GROUP && key_names_call((enum track_key)kind) && tracker_find(t, key_hash64(k), &other) &&
            other != number && are_near(c, tracker_call(t, other), kind))
            fn(t, arg, &(struct edge){ other, number, i, kind });
    }
}

/* ------------------------------------------------------------------------------------------------ groups */

static void add_member(const struct tracker *t, void *arg, const struct edge *e)
{
    struct legs *l = arg;
    (void)t;
    uint32_t i = (e->to * UINT32_C(0x9e3779b1)) >> 16 & (SEEN_MAX - 1);
    for (; l->seen[i].turn == l->turn; i = (i + 1) & (SEEN_MAX - 1))
        if (l->seen[i].number == e->to)
            return;
    if (l->count == TRACK_LEGS_MAX) {
        l->cut = true;
        return;
    }
    l->seen[i].number = e->to;
    l->seen[i].turn = l->turn;
    l->members[l->count++] = e->to;
}

void legs_find(const struct tracker *t, uint32_t number)
{
    struct legs *l = t->legs;
    l->count = 0;
    l->steps = 0;
    l->cut = false;
    if (++l->turn == 0) {
        memset(l->seen, 0, sizeof(l->seen));
        l->turn = 1;
    }
    add_member(t, l, &(struct edge){ .to = number });
    for (uint32_t i = 0; i < l->count && !l->cut; i++)
        each_edge(t, l->members[i], add_member, l);
}

size_t legs_members(const struct tracker *t, uint32_t ret[TRACK_LEGS_MAX])
{
    memcpy(ret, t->legs->members, t->legs->count * sizeof(*ret));
    return t->legs->count;
}

static bool is_member(const struct tracker *t, uint64_t uid)
{
    for (uint32_t i = 0; i < t->legs->count; i++)
        if (tracker_call(t, t->legs->members[i])->uid == uid)
            return true;
    return false;
}

/* What joined a call: the strongest kind of key, and of one kind the first text. */
struct strongest {
    bool found;
    enum track_key kind;
    struct hep_slice text;
    char digits[16];
};

static struct hep_slice digits_of(const struct call_key *k, char out[16])
{
    uint64_t hash = key_hash64(k);
    for (unsigned i = 0; i < 16; i++)
        out[i] = "0123456789abcdef"[hash >> (60 - 4 * i) & 15];
    return (struct hep_slice){ (const uint8_t *)out, 16 };
}

static struct hep_slice shown_text(const struct track_call *c, unsigned key, char digits[16])
{
    const struct call_key *k = &own_keys(c)[key];
    return key_kind(k) == TRACK_KEY_SDP ? digits_of(k, digits) : own_key_text(c, key);
}

static int compare_texts(struct hep_slice a, struct hep_slice b)
{
    size_t len = a.len < b.len ? a.len : b.len;
    int order = len > 0 ? memcmp(a.ptr, b.ptr, len) : 0;
    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

static void take_stronger(const struct tracker *t, void *arg, const struct edge *e)
{
    struct strongest *s = arg;
    char digits[16];
    if (e->kind >= TRACK_KEYS)
        return;
    struct hep_slice text = shown_text(tracker_call(t, e->of), e->key, digits);
    if (s->found && (e->kind > s->kind || (e->kind == s->kind && compare_texts(text, s->text) >= 0)))
        return;
    s->found = true;
    s->kind = (enum track_key)e->kind;
    s->text = text;
    if (text.ptr == (const uint8_t *)digits) {
        memcpy(s->digits, digits, sizeof(digits));
        s->text.ptr = (const uint8_t *)s->digits;
    }
}

/* False if the call is alone. What joined it with calls that are over it knows by a key of its own. */
static bool strongest_of(const struct tracker *t, uint32_t number, struct strongest *ret)
{
    const struct track_call *c = tracker_call(t, number);
    ret->found = false;
    t->legs->steps = 0;
    t->legs->cut = false;
    each_edge(t, number, take_stronger, ret);
    for (unsigned i = 0; i < c->key_count; i++)
        if (key_kind(&own_keys(c)[i]) == KEY_GROUP)
            take_stronger(t, ret, &(struct edge){ number, number, i, own_keys(c)[i].total >> 12 });
    return ret->found;
}

#define GONE_MAX 0xfffu

struct group {
    uint64_t uid;
    unsigned gone;     /* calls of it that are over, */
    unsigned gone_all; /* and of groups that were joined to it late */
};

/* True if a call is the earlier one. Keys tell apart those of one time: uids depend on what came first. */
static bool is_earlier(const struct track_call *a, const struct track_call *b)
{
    return call_from(a) != call_from(b) ? call_from(a) < call_from(b) : a->key < b->key;
}

/* Of groups that were joined late: the lowest uid, and the calls of all of them. */
static void take_former(const struct track_call *c, struct group *former, unsigned *count, unsigned max)
{
    for (unsigned i = 0; i < c->key_count; i++) {
        const struct call_key *k = &own_keys(c)[i];
        unsigned at = 0, gone = k->total & GONE_MAX;
        if (key_kind(k) != KEY_GROUP)
            continue;
        while (at < *count && former[at].uid != key_hash64(k))
            at++;
        if (at == *count && at < max)
            former[(*count)++] = (struct group){ .uid = key_hash64(k) };
        if (at < max && gone > former[at].gone)
            former[at].gone = gone;
    }
}

/* Of the calls that legs_find() found. */
static struct group group_of(const struct tracker *t)
{
    struct group former[8];
    unsigned count = 0;
    const struct legs *l = t->legs;
    const struct track_call *first = tracker_call(t, l->members[0]);
    for (uint32_t i = 0; i < l->count; i++) {
        const struct track_call *c = tracker_call(t, l->members[i]);
        first = is_earlier(c, first) ? c : first;
        take_former(c, former, &count, 8);
    }
    struct group g = { .uid = count > 0 ? former[0].uid : first->uid, .gone = count > 0 ? former[0].gone : 0 };
    for (unsigned i = 0; i < count; i++) {
        g.gone_all += former[i].gone;
        if (former[i].uid >= g.uid)
            continue;
        g.uid = former[i].uid;
        g.gone = former[i].gone;
    }
    return g;
}

/* What is certain is not probable any more. */
static void drop_probable(const struct tracker *t, const struct track_call *c)
{
    for (unsigned i = 0; i < c->key_count; i++) {
        struct call_key *k = &own_keys(c)[i];
        if (key_kind(k) == KEY_PROBABLE && is_member(t, key_hash64(k)))
            k->kind = TRACK_KEY_NONE;
    }
}

/* A call of the group is over: this one stays, and says that it belongs to it. */
static void give_group(struct tracker *t, uint32_t number, const struct group *g)
{
    struct track_call *c = tracker_call(t, number);
    struct strongest s;
    uint8_t text[TRACK_TEXT_MAX];
    unsigned gone = g->gone + 1 < GONE_MAX ? g->gone + 1 : GONE_MAX;
    struct call_key key = { .low = (uint32_t)g->uid, .high = (uint32_t)(g->uid >> 32), .kind = KEY_GROUP };
    drop_probable(t, c);
    for (unsigned i = 0; i < c->key_count; i++) {
        struct call_key *k = &own_keys(c)[i];
        if (key_is_same(k, &key)) {
            k->total = (uint16_t)((k->total & ~GONE_MAX) | gone);
            return;
        }
    }
    if (!strongest_of(t, number, &s))
        return;
    key.total = (uint16_t)((unsigned)s.kind << 12 | gone);
    if (s.text.len > 0) /* it may lie in the piece that is about to move */
        memcpy(text, s.text.ptr, s.text.len);
    (void)key_add(t, number, key, (struct hep_slice){ text, s.text.len });
}

void legs_leave(struct tracker *t, uint32_t number)
{
    uint32_t members[TRACK_LEGS_MAX];
    size_t count = legs_members(t, members);
    t->stats.legs_cut += t->legs->cut;
    struct group g = count > 1 ? group_of(t) : (struct group){ .uid = 0 };
    for (size_t i = 1; i < count; i++)
        give_group(t, members[i], &g);
    for (unsigned i = 0; i < tracker_call(t, number)->key_count; i++)
        key_unlink(t, number, i);
}

/* ------------------------------------------------------------------------------------------------ what is shown */

static void show_keys(const struct tracker *t, const struct track_call *c, struct call_record *ret)
{
    struct legs *l = t->legs;
    ret->keys = l->keys;
    for (unsigned i = 0; i < c->key_count; i++) {
        const struct call_key *k = &own_keys(c)[i];
        if (key_kind(k) == TRACK_KEY_NONE || key_kind(k) >= TRACK_KEYS)
            continue;
        l->keys[ret->key_count++] = (struct track_key_value){ (enum track_key)key_kind(k), (k->kind & KEY_HUB) != 0,
                                                              shown_text(c, i, l->digits[i]) };
    }
}

static void show_endpoint(const struct track_call *c, const struct call_key *k, struct call_record *ret)
{
    uint32_t *of = k->high == c->caller_tag ? ret->caller_endpoints : ret->callee_endpoints;
    for (size_t i = 0; i < TRACK_ENDPOINTS_MAX; i++) {
        if (of[i] == 0) {
            of[i] = k->low;
            return;
        }
    }
}

static void show_others(const struct tracker *t, const struct track_call *c, struct call_record *ret)
{
    for (unsigned i = 0; i < c->key_count; i++) {
        const struct call_key *k = &own_keys(c)[i];
        if (key_kind(k) == KEY_MEDIA)
            show_endpoint(c, k, ret);
        if (key_kind(k) != KEY_PROBABLE || is_member(t, key_hash64(k)))
            continue;
        ret->probable = key_hash64(k);
        ret->probable_score = k->total >> 8;
        ret->probable_by = k->total & 0xff;
    }
}

void legs_show(const struct tracker *t, uint32_t number, struct call_record *ret)
{
    const struct track_call *c = tracker_call(t, number);
    struct strongest s;
    struct group g = group_of(t);
    bool cut = t->legs->cut;
    ret->group = g.uid;
    ret->legs = t->legs->count + g.gone_all;
    show_keys(t, c, ret);
    show_others(t, c, ret);
    if (ret->legs > 1 && strongest_of(t, number, &s)) {
        ret->by = (struct track_key_value){ s.kind, false, s.text };
        if (s.text.ptr == (const uint8_t *)s.digits)
            ret->by.text.ptr = memcpy(t->legs->digits[KEYS_MAX], s.digits, sizeof(s.digits));
    }
    t->legs->cut = cut;
}
