#include "track/words.h"

#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "track/event.h"

struct word {
    uint32_t hash, next, refs;
    uint8_t len;
    uint8_t text[];
};

void words_free(struct words *w)
{
    for (uint32_t i = 1; i < w->used; i++)
        free(w->all[i]);
    free(w->all);
    free(w->buckets);
    free(w->free_ids);
    memset(w, 0, sizeof(*w));
}

/* Room for one more id, and buckets for as many. Growing doubles: a word is moved once on average. */
static bool grow(struct words *w)
{
    if (w->free_count > 0 || w->used + 1 < w->cap)
        return true;
    uint32_t cap = w->cap == 0 ? 256 : w->cap * 2;
    struct word **all = realloc(w->all, cap * sizeof(struct word *));
    if (all == NULL)
        return false;
    w->all = all;
    memset(all + w->cap, 0, (cap - w->cap) * sizeof(*all));
    uint32_t *free_ids = realloc(w->free_ids, cap * sizeof(*free_ids));
    if (free_ids == NULL)
        return false;
    w->free_ids = free_ids;
    uint32_t *buckets = calloc(cap, sizeof(*buckets));
    if (buckets == NULL)
        return false;
    for (uint32_t i = 1; i < w->used; i++) {
        if (all[i] != NULL) {
            all[i]->next = buckets[all[i]->hash & (cap - 1)];
            buckets[all[i]->hash & (cap - 1)] = i;
        }
    }
    free(w->buckets);
    w->buckets = buckets;
    w->octets += (cap - w->cap) * (sizeof(*all) + sizeof(*buckets) + sizeof(*free_ids));
    w->cap = cap;
    w->used = w->used == 0 ? 1 : w->used;
    return true;
}

static uint32_t find(const struct words *w, struct hep_slice text, uint32_t hash)
{
    uint32_t id = w->cap > 0 ? w->buckets[hash & (w->cap - 1)] : 0;
    for (; id != 0; id = w->all[id]->next) {
        const struct word *it = w->all[id];
        if (it->hash == hash && it->len == text.len && memcmp(it->text, text.ptr, text.len) == 0)
            return id;
    }
    return 0;
}

static size_t octets_of(const struct word *it)
{
    return sizeof(*it) + it->len + 16; /* and what malloc() needs */
}

static uint32_t add(struct words *w, struct hep_slice text, uint32_t hash)
{
    struct word *it = malloc(sizeof(*it) + text.len);
    if (it == NULL || !grow(w)) {
        free(it);
        return 0;
    }
    uint32_t id = w->free_count > 0 ? w->free_ids[--w->free_count] : w->used++;
    uint32_t *bucket = &w->buckets[hash & (w->cap - 1)];
    *it = (struct word){ .hash = hash, .next = *bucket, .refs = 1, .len = (uint8_t)text.len };
    memcpy(it->text, text.ptr, text.len);
    *bucket = id;
    w->all[id] = it;
    w->count++;
    w->octets += octets_of(it);
    return id;
}

uint32_t words_take(struct words *w, struct hep_slice text, uint64_t *lost)
{
    if (text.len == 0)
        return 0;
    text = track_text_cut(text);
    uint32_t hash = (uint32_t)XXH3_64bits(text.ptr, text.len);
    uint32_t id = find(w, text, hash);
    if (id != 0)
        w->all[id]->refs++;
    else
        id = add(w, text, hash);
    *lost += id == 0;
    return id;
}

void words_drop(struct words *w, uint32_t id)
{
    if (id == 0 || --w->all[id]->refs > 0)
        return;
    struct word *it = w->all[id];
    uint32_t *at = &w->buckets[it->hash & (w->cap - 1)];
    while (*at != id)
        at = &w->all[*at]->next;
    *at = it->next;
    w->octets -= octets_of(it);
    w->count--;
    free(it);
    w->all[id] = NULL;
    w->free_ids[w->free_count++] = id;
}

struct hep_slice words_get(const struct words *w, uint32_t id)
{
    return id == 0 ? (struct hep_slice){ NULL, 0 } : (struct hep_slice){ w->all[id]->text, w->all[id]->len };
}
