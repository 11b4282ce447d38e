/* From the keys of a message to those of its call. */
#include <string.h>

#include "sip/text.h"
#include "track/internal.h"
#include "track/keys.h"

void keys_fetch(const struct tracker *t, const struct track_event *e)
{
    for (unsigned i = 0; i < e->key_count && i < TRACK_EVENT_KEYS; i++)
        cells_prefetch(&t->keys, (uint32_t)e->keys[i]);
}

/* The text as it is kept: that of one value is the same, however it was written. */
static struct hep_slice normal_text(unsigned kind, struct hep_slice text, uint8_t buffer[TRACK_TEXT_MAX])
{
    text = track_text_cut(text);
    if (text.len == 0 || (kind != TRACK_KEY_REFER && kind != TRACK_KEY_SESSION_ID))
        return text;
    size_t len = text.len;
    if (kind == TRACK_KEY_REFER)
        len = key_unescape(text, buffer);
    for (size_t i = 0; i < len && kind == TRACK_KEY_SESSION_ID; i++)
        buffer[i] = text_lower(text.ptr[i]);
    return (struct hep_slice){ buffer, len };
}

static void take_key(struct tracker *t, uint32_t number, unsigned kind, uint64_t hash, struct hep_slice text)
{
    struct track_call *c = tracker_call(t, number);
    struct call_key key = { .low = (uint32_t)hash, .high = (uint32_t)(hash >> 32), .total = 1, .kind = (uint8_t)kind };
    uint8_t buffer[TRACK_TEXT_MAX];
    for (unsigned i = 0; i < c->key_count; i++) {
        struct call_key *k = &own_keys(c)[i];
        if (k->low != key.low || k->high != key.high || key_kind(k) >= TRACK_KEYS || key_kind(k) == TRACK_KEY_NONE)
            continue;
        if (kind < key_kind(k)) /* the stronger kind, whatever came first */
            k->kind = (uint8_t)(kind | (k->kind & KEY_HUB));
        if (k->len == 0 && text.len > 0)
            own_set_key_text(c, &t->world, i, normal_text(kind, text, buffer));
        return;
    }
    (void)key_add(t, number, key, normal_text(kind, text, buffer));
}

static bool is_addr(const struct tracker *t, const struct track_call *c, enum call_word which,
                    const struct track_addr *a)
{
    struct track_addr known;
    memset(&known, 0, sizeof(known));
    if (c->ports[which - WORD_SRC] != a->port)
        return false;
    call_addr(c, &t->world, which, &known);
    return known.ip.len == a->ip.len && memcmp(known.ip.octets, a->ip.octets, sizeof(known.ip.octets)) == 0;
}

/* An address where the one with this tag wants to receive. */
static void take_endpoint(struct tracker *t, uint32_t number, uint32_t endpoint, uint32_t tag)
{
    const struct track_call *c = tracker_call(t, number);
    for (unsigned i = 0; i < c->key_count; i++) {
        const struct call_key *k = &own_keys(c)[i];
        if (key_kind(k) == KEY_MEDIA && k->low == endpoint && k->high == tag)
            return;
    }
    (void)key_add(t, number, (struct call_key){ .low = endpoint, .high = tag, .kind = KEY_MEDIA },
                  (struct hep_slice){ NULL, 0 });
}

/* Those beside the first ones of both sides, which the call knows anyway. */
static void take_endpoints(struct tracker *t, uint32_t number, const struct track_event *e)
{
    const struct track_call *c = tracker_call(t, number);
    uint32_t tag = (e->flags & TRACK_EVENT_REQUEST) != 0 ? e->from_tag : e->to_tag;
    if (e->media.port != 0 && (e->flags & TRACK_EVENT_HOLD) == 0 && !is_addr(t, c, WORD_CALLER_MEDIA, &e->media) &&
        !is_addr(t, c, WORD_CALLEE_MEDIA, &e->media))
        take_endpoint(t, number, track_endpoint(&e->media.ip, e->media.port), tag);
    for (size_t i = 0; i < TRACK_EVENT_MEDIA; i++)
        if (e->more_media[i] != 0)
            take_endpoint(t, number, e->more_media[i], tag);
}

void keys_take(struct tracker *t, uint32_t number, const struct track_event *e, const struct track_texts *texts)
{
    t->stats.keys_cut += (e->flags & TRACK_EVENT_KEYS_CUT) != 0;
    for (unsigned i = 0; i < e->key_count && i < TRACK_EVENT_KEYS; i++) {
        struct hep_slice text = texts != NULL ? texts->of[TRACK_TEXT_KEY_0 + i] : (struct hep_slice){ NULL, 0 };
        if (e->key_kinds[i] != TRACK_KEY_NONE && e->key_kinds[i] < TRACK_KEYS && e->keys[i] != e->call)
            take_key(t, number, e->key_kinds[i], e->keys[i], text);
    }
    if ((e->flags & TRACK_EVENT_SDP) != 0)
        take_endpoints(t, number, e);
}
