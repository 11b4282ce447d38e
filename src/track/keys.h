/* The keys of a message (enum track_key): what its call may have in common with other legs. Private to this folder. */
#ifndef TRACK_KEYS_H
#define TRACK_KEYS_H

#include "track/event.h"

/* Fills in the keys of the event, and their texts. ret->call and ret->media are there already. */
void keys_make(const struct record *r, uint64_t seed, const struct track_legs *legs, struct track_event *ret,
               struct track_texts *ret_texts);

/* True if keys of this kind are Call-IDs, or may be: their hashes are those of calls. */
static inline bool key_names_call(enum track_key kind)
{
    return kind == TRACK_KEY_REPLACES || kind == TRACK_KEY_REFER || kind == TRACK_KEY_HEADER ||
           kind == TRACK_KEY_CALL_ID || kind == TRACK_KEY_CORRELATION;
}

/* The octets that %xx stand for (RFC 3986 section 2.1); what is no such escape stays. Returns the length. */
size_t key_unescape(struct hep_slice s, uint8_t out[TRACK_TEXT_MAX]);

#endif
