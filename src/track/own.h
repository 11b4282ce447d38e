/*
 * What a call has for itself, in one piece of memory, each part only if it is needed:
 *
 *     its two sides (call.h)   its dialogs beyond the first   its keys   the texts of these   its own texts: their
 * lengths, then they
 *
 * Private to this folder.
 */
#ifndef TRACK_OWN_H
#define TRACK_OWN_H

#include "track/call.h"

/* Kinds of keys beyond enum track_key. */
enum {
    KEY_GROUP = TRACK_KEYS, /* hash: uid of a group that calls which are over belonged to */
    KEY_PROBABLE,           /* hash: uid of another call; total: score << 8 | enum track_like */
    KEY_MEDIA,              /* low: track_endpoint(); high: tag of the one who wants to receive there */
    KEY_KINDS
};

#define KEY_HUB  0x80u /* too many calls have it: it is in no table */
#define KEYS_MAX 32u   /* of a call, all kinds */

struct call_key {
    uint32_t low, high; /* the hash */
    uint16_t total;     /* calls that had this key so far; of KEY_GROUP: via << 12 | calls of it that are over */
    uint8_t kind;       /* enum track_key and above, KEY_HUB; TRACK_KEY_NONE: none any more */
    uint8_t len;        /* of its text */
};

static inline uint64_t key_hash64(const struct call_key *k)
{
    return (uint64_t)k->high << 32 | k->low;
}

static inline unsigned key_kind(const struct call_key *k)
{
    return k->kind & ~KEY_HUB;
}

size_t own_len(const struct track_call *c); /* octets of the piece */

/* Makes room for so many more octets at once. Without memory nothing happens: it is tried again when they come. */
void own_reserve(struct track_call *c, struct call_world *w, size_t octets);

/* The sides; NULL if there are none yet. own_add_sides(): false, counted: no memory. */
struct side *own_sides(const struct track_call *c);
bool own_add_sides(struct track_call *c, struct call_world *w);

/* The DIALOGS_MAX - 1 dialogs beyond the first; the same. */
struct dialog *own_dialogs(const struct track_call *c);
bool own_add_dialogs(struct track_call *c, struct call_world *w);

struct call_key *own_keys(const struct track_call *c);
struct hep_slice own_key_text(const struct track_call *c, unsigned key);

/* One more key, with its text; at most KEYS_MAX. False, counted: no memory. */
bool own_add_key(struct track_call *c, struct call_world *w, struct call_key key, struct hep_slice text);

/* Gives a key without a text one. */
void own_set_key_text(struct track_call *c, struct call_world *w, unsigned key, struct hep_slice text);

/* The texts: CALL_TEXTS lengths and octets; NULL if there are none. own_set_texts() takes such, and len of all of it.
 */
const uint8_t *own_texts(const struct track_call *c);
void own_set_texts(struct track_call *c, struct call_world *w, const uint8_t *texts, size_t len);

void own_free(struct track_call *c, struct call_world *w);

#endif
