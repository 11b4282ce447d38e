/*
 * Texts and addresses that many calls share (programs, hosts, reason phrases, media): each is kept once and counted.
 * What no call needs any more is gone, so that memory follows the live calls whatever senders invent. Private to this
 * folder.
 */
#ifndef TRACK_WORDS_H
#define TRACK_WORDS_H

#include <stddef.h>
#include <stdint.h>

#include "hep/hep.h"

struct word;

struct words {
    struct word **all;  /* by id; [0] is unused */
    uint32_t *buckets;  /* id of the first of each chain */
    uint32_t *free_ids; /* given back, to be given again */
    uint32_t cap;       /* of all three, a power of two */
    uint32_t used;      /* ids ever given, [0] included */
    uint32_t free_count;
    uint32_t count;
    size_t octets;
};

void words_free(struct words *w);

/* Number of the word, which is counted once more. 0 if it is empty, or there is no memory for it (*lost counts that).
 */
uint32_t words_take(struct words *w, struct hep_slice text, uint64_t *lost);

void words_drop(struct words *w, uint32_t id); /* 0 is fine */

struct hep_slice words_get(const struct words *w, uint32_t id); /* empty for 0 */

#endif
