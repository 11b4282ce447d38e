/*
 * What a REGISTER, or a response to one, means for its attempt, in a fixed size, as event.h has it for calls. Texts go
 * beside it as slices into the row.
 */
#ifndef TRACK_REGISTRAR_EVENT_H
#define TRACK_REGISTRAR_EVENT_H

#include "track/event.h"

#define REG_CONTACTS_MAX 8          /* of a message that are kept */
#define REG_NO_EXPIRES   UINT32_MAX /* it does not say */

enum reg_text {
    REG_TEXT_CALL_ID,
    REG_TEXT_FROM_USER,
    REG_TEXT_FROM_HOST,
    REG_TEXT_TO_USER,
    REG_TEXT_TO_HOST,
    REG_TEXT_USER_AGENT,
    REG_TEXT_AUTH_USER,
    REG_TEXT_REASON,
    REG_TEXT_CONTACT, /* the first of them: URIs without their parameters */
    REG_TEXTS = REG_TEXT_CONTACT + REG_CONTACTS_MAX
};

struct reg_texts {
    struct hep_slice of[REG_TEXTS];
};

enum reg_event_flag {
    REG_EVENT_REQUEST = 1 << 0,
    REG_EVENT_CREDENTIALS = 1 << 1,
    REG_EVENT_STAR = 1 << 2, /* Contact: * */
    REG_EVENT_CUT = 1 << 3   /* it had more contacts */
};

struct reg_event {
    uint64_t key; /* hash of Call-ID and AoR */
    uint64_t aor;
    uint64_t seq;
    int64_t ts;
    uint32_t message; /* hash: the same in each transmission */
    uint32_t cseq;
    uint16_t status;
    uint16_t tap;
    uint8_t flags;
    uint8_t transport; /* enum track_transport */
    uint8_t contact_count;
    uint32_t contacts[REG_CONTACTS_MAX]; /* hashes of URI and port */
    uint32_t expires[REG_CONTACTS_MAX];  /* of each: its parameter, else the header; seconds or REG_NO_EXPIRES */
    uint32_t header_expires;
    uint32_t min_expires;
    struct track_addr src, dst;
};

/*
 * The event of a row, and its texts as slices into the row. False if it is no REGISTER, nor answers one, or lacks
 * Call-ID or the AoR in To. `seed` as in track_event_make().
 */
bool reg_event_make(const struct record *r, uint64_t seed, struct reg_event *ret, struct reg_texts *ret_texts);

/* As track_texts_pack(), track_texts_unpack(). */
void reg_texts_pack(const struct reg_texts *texts, struct buf *b);
bool reg_texts_unpack(const uint8_t *p, size_t len, struct reg_texts *ret);

#endif
