/*
 * Which calls have a key: a table by its hash. A key that more than TRACK_HUB_CALLS calls had while one of them was
 * live is a hub: it leaves the table, but for a mark, and so does what followed from it.
 */
#include <stdlib.h>

#include "track/internal.h"

#define HUBS_MAX  256u
#define HUB_PLACE (UINT32_C(1) << 31) /* in the table: place of a hub */

_Static_assert((uint64_t)TRACK_CALLS_MAX *KEYS_MAX + KEYS_MAX < HUB_PLACE, "places of keys fit");

/* A key that too many calls have. */
struct hub {
    uint32_t low, high;
    uint32_t refs; /* live calls with it; 0: free */
};

bool key_table_open(struct tracker *t)
{
    t->hubs = calloc(HUBS_MAX, sizeof(*t->hubs));
    return cells_init(&t->keys, 1024) && t->hubs != NULL;
}

void key_table_close(struct tracker *t)
{
    cells_free(&t->keys);
    free(t->hubs);
}

size_t key_table_octets(const struct tracker *t)
{
    return HUBS_MAX * sizeof(*t->hubs) + t->keys.count * sizeof(struct cell);
}

static const uint8_t most[KEY_KINDS] = {
#define KEY_MOST(id, name, n) [TRACK_KEY_##id] = n,
    TRACK_KEY_LIST(KEY_MOST)
#undef KEY_MOST
        [KEY_GROUP] = 2,
    [KEY_PROBABLE] = 1,
    [KEY_MEDIA] = 2 * TRACK_ENDPOINTS_MAX,
};

bool key_is_linked(unsigned kind)
{
    return kind != TRACK_KEY_NONE && kind <= KEY_GROUP;
}

static uint32_t place_of(uint32_t number, unsigned key)
{
    return number * KEYS_MAX + key + 1;
}

struct call_key *key_at(const struct tracker *t, uint32_t place)
{
    return &own_keys(tracker_call(t, (place - 1) / KEYS_MAX))[(place - 1) % KEYS_MAX];
}

bool key_is_same(const struct call_key *a, const struct call_key *b)
{
    return a->low == b->low && a->high == b->high && (key_kind(a) == KEY_GROUP) == (key_kind(b) == KEY_GROUP);
}

static struct hub *find_hub(const struct tracker *t, const struct call_key *k)
{
    for (uint32_t at = k->low, place; (place = cells_next(&t->keys, k->low, &at)) != 0;) {
        struct hub *h = &t->hubs[place & (HUBS_MAX - 1)];
        if ((place & HUB_PLACE) != 0 && h->high == k->high && h->low == k->low)
            return h;
    }
    return NULL;
}

uint32_t key_next(const struct tracker *t, const struct call_key *k, uint32_t *at)
{
    uint32_t place;
    while ((place = cells_next(&t->keys, k->low, at)) != 0)
        if ((place & HUB_PLACE) == 0 && key_is_same(key_at(t, place), k))
            return place;
    return 0;
}

/* Groups that followed from a hub are none: who belongs to one by other keys is found again by these. */
static void drop_groups(struct tracker *t, uint32_t number)
{
    struct track_call *c = tracker_call(t, number);
    for (unsigned i = 0; i < c->key_count; i++) {
        struct call_key *k = &own_keys(c)[i];
        if (key_kind(k) != KEY_GROUP)
            continue;
        cells_remove(&t->keys, k->low, place_of(number, i));
        k->kind = TRACK_KEY_NONE;
    }
}

static void make_hub(struct tracker *t, const struct call_key *k)
{
    uint32_t refs = 0, at, place, i = 0;
    while (at = k->low, (place = key_next(t, k, &at)) != 0) {
        key_at(t, place)->kind |= KEY_HUB;
        cells_remove(&t->keys, k->low, place);
        drop_groups(t, (place - 1) / KEYS_MAX);
        refs++;
    }
    t->stats.hubs++;
    while (i < HUBS_MAX && t->hubs[i].refs > 0)
        i++;
    if (i == HUBS_MAX || refs == 0)
        return; /* it is found out again when as many calls have it */
    t->hubs[i] = (struct hub){ k->low, k->high, refs };
    cells_put(&t->keys, k->low, HUB_PLACE | i);
}

/* Counts the key in all calls that have it; `fresh`: it is one more. Returns the count. */
static uint32_t count_key(struct tracker *t, struct call_key *k, bool fresh)
{
    uint32_t total = k->total;
    for (uint32_t at = k->low, place; (place = key_next(t, k, &at)) != 0;)
        if (key_at(t, place)->total + (uint32_t)fresh > total)
            total = key_at(t, place)->total + (uint32_t)fresh;
    for (uint32_t at = k->low, place; (place = key_next(t, k, &at)) != 0;)
        key_at(t, place)->total = (uint16_t)total;
    k->total = (uint16_t)total;
    return total;
}

/* Puts a key of a call into the table, which has room. Nearly always nobody else has it. */
static void link_key(struct tracker *t, uint32_t number, unsigned key, bool fresh)
{
    struct call_key *k = &own_keys(tracker_call(t, number))[key];
    uint32_t at = k->low;
    bool shared = key_kind(k) != KEY_GROUP && cells_next(&t->keys, k->low, &at) != 0;
    struct hub *hub = shared ? find_hub(t, k) : NULL;
    if (hub != NULL) {
        k->kind |= KEY_HUB;
        hub->refs++;
        return;
    }
    uint32_t total = shared ? count_key(t, k, fresh) : key_kind(k) != KEY_GROUP ? k->total : 1;
    cells_put(&t->keys, k->low, place_of(number, key));
    if (total > TRACK_HUB_CALLS)
        make_hub(t, k);
}

void key_unlink(struct tracker *t, uint32_t number, unsigned key)
{
    struct call_key *k = &own_keys(tracker_call(t, number))[key];
    if (!key_is_linked(key_kind(k)))
        return;
    if ((k->kind & KEY_HUB) == 0) {
        cells_remove(&t->keys, k->low, place_of(number, key));
        return;
    }
    struct hub *hub = find_hub(t, k);
    if (hub != NULL && --hub->refs == 0)
        cells_remove(&t->keys, hub->low, HUB_PLACE | (uint32_t)(hub - t->hubs));
}

bool key_add(struct tracker *t, uint32_t number, struct call_key key, struct hep_slice text)
{
    struct track_call *c = tracker_call(t, number);
    unsigned kind = key_kind(&key), count = 0;
    for (unsigned i = 0; i < c->key_count; i++)
        count += key_kind(&own_keys(c)[i]) == kind;
    if (count >= most[kind] || c->key_count == KEYS_MAX) {
        t->stats.keys_cut++;
        return false;
    }
    if (!cells_room(&t->keys)) {
        t->stats.no_memory++;
        return false;
    }
    if (!own_add_key(c, &t->world, key, text))
        return false;
    if (key_is_linked(kind))
        link_key(t, number, c->key_count - 1u, true);
    return true;
}

bool key_link_all(struct tracker *t, uint32_t number)
{
    const struct track_call *c = tracker_call(t, number);
    bool room = true;
    for (unsigned i = 0; i < c->key_count; i++) {
        struct call_key *k = &own_keys(c)[i];
        if (!key_is_linked(key_kind(k)))
            continue;
        room = room && cells_room(&t->keys);
        if (!room) {
            k->kind = TRACK_KEY_NONE;
            continue;
        }
        bool was_hub = (k->kind & KEY_HUB) != 0;
        k->kind &= (uint8_t)~KEY_HUB;
        if (was_hub)
            k->total = TRACK_HUB_CALLS + 1;
        link_key(t, number, i, false);
    }
    return room;
}
