#include "track/own.h"

#include <stdlib.h>
#include <string.h>

#define SIDES_LEN   (2 * sizeof(struct side))
#define DIALOGS_LEN ((DIALOGS_MAX - 1) * sizeof(struct dialog))
#define OWN_MAX                                                                                                        \
    (SIDES_LEN + DIALOGS_LEN + KEYS_MAX * (sizeof(struct call_key) + TRACK_TEXT_MAX) +                                 \
     CALL_TEXTS * (TRACK_TEXT_MAX + 1u))

_Static_assert(OWN_MAX <= UINT16_MAX, "own_cap holds it");

static size_t dialogs_at(const struct track_call *c)
{
    return (c->flags & CALL_SIDES) != 0 ? SIDES_LEN : 0;
}

static size_t keys_at(const struct track_call *c)
{
    return dialogs_at(c) + ((c->flags & CALL_DIALOGS) != 0 ? DIALOGS_LEN : 0);
}

static size_t key_texts_at(const struct track_call *c)
{
    return keys_at(c) + c->key_count * sizeof(struct call_key);
}

static size_t texts_at(const struct track_call *c)
{
    return key_texts_at(c) + c->key_text;
}

static size_t texts_len(const struct track_call *c)
{
    const uint8_t *lens = own_texts(c);
    size_t len = 0;
    for (size_t i = 0; lens != NULL && i < CALL_TEXTS; i++)
        len += lens[i];
    return lens != NULL ? len + CALL_TEXTS : 0;
}

size_t own_len(const struct track_call *c)
{
    return texts_at(c) + texts_len(c);
}

static bool set_cap(struct track_call *c, struct call_world *w, size_t cap)
{
    uint8_t *p = realloc(c->own, cap);
    if (p == NULL)
        return false;
    c->own = p;
    w->text_octets += cap - c->own_cap;
    c->own_cap = (uint16_t)cap;
    return true;
}

void own_reserve(struct track_call *c, struct call_world *w, size_t octets)
{
    size_t cap = own_len(c) + octets;
    if (cap > c->own_cap && cap <= OWN_MAX)
        (void)set_cap(c, w, cap);
}

/* Makes `len` octets out of the `was` that lie at `at`, and moves what is behind them. NULL, counted: no memory. */
static uint8_t *open_at(struct track_call *c, struct call_world *w, size_t at, size_t was, size_t len)
{
    size_t all = own_len(c), behind = all - at - was;
    if (all - was + len > c->own_cap && !set_cap(c, w, all - was + len)) {
        w->lost++;
        return NULL;
    }
    if (len != was && behind > 0)
        memmove(c->own + at + len, c->own + at + was, behind);
    return c->own + at;
}

struct side *own_sides(const struct track_call *c)
{
    return (c->flags & CALL_SIDES) != 0 ? (struct side *)(void *)c->own : NULL;
}

/* A part of so many zeros. */
static bool add_part(struct track_call *c, struct call_world *w, size_t at, size_t len, uint16_t flag)
{
    uint8_t *p = open_at(c, w, at, 0, len);
    if (p == NULL)
        return false;
    memset(p, 0, len);
    c->flags |= flag;
    return true;
}

bool own_add_sides(struct track_call *c, struct call_world *w)
{
    return add_part(c, w, 0, SIDES_LEN, CALL_SIDES);
}

struct dialog *own_dialogs(const struct track_call *c)
{
    return (c->flags & CALL_DIALOGS) != 0 ? (struct dialog *)(void *)(c->own + dialogs_at(c)) : NULL;
}

bool own_add_dialogs(struct track_call *c, struct call_world *w)
{
    return add_part(c, w, dialogs_at(c), DIALOGS_LEN, CALL_DIALOGS);
}

struct call_key *own_keys(const struct track_call *c)
{
    return (struct call_key *)(void *)(c->own + keys_at(c));
}

struct hep_slice own_key_text(const struct track_call *c, unsigned key)
{
    const struct call_key *keys = own_keys(c);
    size_t at = key_texts_at(c);
    for (unsigned i = 0; i < key; i++)
        at += keys[i].len;
    return (struct hep_slice){ c->own + at, keys[key].len };
}

bool own_add_key(struct track_call *c, struct call_world *w, struct call_key key, struct hep_slice text)
{
    uint8_t *p = open_at(c, w, key_texts_at(c), 0, sizeof(key) + text.len);
    if (p == NULL)
        return false;
    key.len = (uint8_t)text.len;
    memmove(p + sizeof(key), p + sizeof(key) + text.len, c->key_text);
    memcpy(p, &key, sizeof(key));
    if (text.len > 0)
        memcpy(p + sizeof(key) + c->key_text, text.ptr, text.len);
    c->key_count++;
    c->key_text = (uint16_t)(c->key_text + text.len);
    return true;
}

void own_set_key_text(struct track_call *c, struct call_world *w, unsigned key, struct hep_slice text)
{
    size_t at = (size_t)(own_key_text(c, key).ptr - c->own);
    uint8_t *p = open_at(c, w, at, 0, text.len);
    if (p == NULL)
        return;
    memcpy(p, text.ptr, text.len);
    own_keys(c)[key].len = (uint8_t)text.len;
    c->key_text = (uint16_t)(c->key_text + text.len);
}

const uint8_t *own_texts(const struct track_call *c)
{
    return (c->flags & CALL_OWN_TEXTS) != 0 ? c->own + texts_at(c) : NULL;
}

void own_set_texts(struct track_call *c, struct call_world *w, const uint8_t *texts, size_t len)
{
    uint8_t *p = open_at(c, w, texts_at(c), texts_len(c), len);
    if (p == NULL)
        return;
    memcpy(p, texts, len);
    c->flags |= CALL_OWN_TEXTS;
}

void own_free(struct track_call *c, struct call_world *w)
{
    w->text_octets -= c->own_cap;
    free(c->own);
    c->own = NULL;
    c->own_cap = 0;
    c->key_count = 0;
    c->key_text = 0;
    c->flags &= (uint16_t)~CALL_PARTS;
}
