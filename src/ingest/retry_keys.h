/*
 * What became of POSTs that carried an Idempotency-Key: a client that did not hear the answer sends the body again, and
 * must neither have it stored twice nor be left in doubt. Bounded in number and time.
 */
#ifndef INGEST_RETRY_KEYS_H
#define INGEST_RETRY_KEYS_H

#include "ingest/ingest.h"

/* What became of one body. */
struct post_result {
    uint64_t stored, keepalives, bad, unauthorized, refused; /* messages */
    uint64_t seq;                                            /* of the last one stored */
    enum ingest_counter stop; /* FULL, RATE, SHARE: why the rest was not looked at; 0: it was */
    size_t resume;            /* offset of that rest */
    int error;                /* HEP result of the first bad one */
    size_t error_offset;
    bool key_missing; /* of the unauthorized ones: the first had none */
};

struct retry_keys;

struct retry_keys *retry_keys_new(size_t capacity); /* NULL: no memory */
void retry_keys_free(struct retry_keys *k);         /* NULL is fine */

/*
 * The result under this key of this peer, made (zeroed) if there is none. *ret_known: there was one. NULL if the key
 * was used for another body, or there is no memory (*ret_known says which: true, false).
 */
struct post_result *retry_keys_get(struct retry_keys *k, const struct hep_addr *peer, const char *key,
                                   struct hep_slice body, uint64_t now_ms, bool *ret_known);

/* Forgets what is older than `age_ms`. */
void retry_keys_expire(struct retry_keys *k, uint64_t now_ms, uint64_t age_ms);

#endif
