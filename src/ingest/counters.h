/* What is counted of a sender. */
#ifndef INGEST_COUNTERS_H
#define INGEST_COUNTERS_H

#include <stdbool.h>

/* clang-format off */

/* X(ID, name, text) */
#define INGEST_FRAME_COUNTERS(X) \
    X(RECEIVED,       "received",       "messages received, good and bad") \
    X(OCTETS,         "octets",         "octets in them") \
    X(STORED,         "stored",         "messages stored") \
    X(STORED_OCTETS,  "stored_octets",  "octets in them") \
    X(KEEPALIVES,     "keepalives",     "keep-alives of agents, which are not stored") \
    X(PARSE_ERRORS,   "parse_errors",   "of those stored: malformed inside") \
    X(CLOCK,          "clock",          "of those stored: capture time not believed") \
    X(INFLATE_FAILED, "inflate_failed", "of those stored: payload could not be inflated") \
    X(PROTOBUF,       "protobuf",       "of those stored: heplify's protobuf form") \
    X(VERSION_1,      "version_1",      "of those stored: HEP version 1") \
    X(VERSION_2,      "version_2",      "of those stored: HEP version 2") \
    X(VERSION_3,      "version_3",      "of those stored: HEP version 3")

/* Why a message was dropped. The first ones are errors of hep_decode(): X(ID, name, text, enum hep_result) */
#define INGEST_HEP_DROPS(X) \
    X(MAGIC,         "magic",         "not HEP",                               HEP_ERR_MAGIC) \
    X(SHORT,         "short",         "ends inside a header",                  HEP_ERR_SHORT) \
    X(TOTAL_LENGTH,  "total_length",  "impossible total length",               HEP_ERR_TOTAL_LENGTH) \
    X(TRUNCATED,     "truncated",     "cut short",                             HEP_ERR_TRUNCATED) \
    X(EMPTY,         "empty",         "a header without any chunk",            HEP_ERR_EMPTY) \
    X(CHUNK_HEADER,  "chunk_header",  "ends inside a chunk header",            HEP_ERR_CHUNK_HEADER) \
    X(CHUNK_LENGTH,  "chunk_length",  "impossible chunk length",               HEP_ERR_CHUNK_LENGTH) \
    X(CHUNK_OVERRUN, "chunk_overrun", "a chunk runs past the end",             HEP_ERR_CHUNK_OVERRUN) \
    X(FAMILY,        "family",        "unknown address family",                HEP_ERR_FAMILY) \
    X(NO_PAYLOAD,    "no_payload",    "version 1 or 2 without payload",        HEP_ERR_NO_PAYLOAD) \
    X(QUIRK,         "quirk",         "a deviation that is not tolerated",     HEP_ERR_QUIRK) \
    X(BAD_PROTOBUF,  "bad_protobuf",  "malformed protobuf form",               HEP_ERR_PROTOBUF) \
    X(INFLATE,       "inflate",       "gzip around it cannot be opened",       HEP_ERR_INFLATE) \
    X(OVERSIZE,      "oversize",      "inflates beyond the limit",             HEP_ERR_INFLATE_LIMIT) \
    X(NO_MEMORY,     "no_memory",     "no memory to decode it",                HEP_ERR_NO_MEMORY)

#define INGEST_OTHER_DROPS(X) \
    X(NOT_ALLOWED,   "not_allowed",   "the sender's address is not allowed") \
    X(KEY_MISSING,   "key_missing",   "no authentication key") \
    X(KEY_WRONG,     "key_wrong",     "wrong authentication key") \
    X(RATE,          "rate",          "over the sender's rate") \
    X(SHARE,         "share",         "over the sender's share while storage is pressed") \
    X(FULL,          "memory",        "no room: storage does not keep up") \
    X(REFUSED,       "refused",       "storage cannot take such a message")

enum ingest_counter {
#define X(id, name, text) INGEST_##id,
    INGEST_FRAME_COUNTERS(X)
#undef X
    INGEST_DROPS_BEGIN,
    INGEST_BEFORE_DROPS = INGEST_DROPS_BEGIN - 1,
#define X(id, name, text, error) INGEST_DROP_##id,
    INGEST_HEP_DROPS(X)
#undef X
#define X(id, name, text) INGEST_DROP_##id,
    INGEST_OTHER_DROPS(X)
#undef X
    INGEST_COUNTERS
};

/* clang-format on */

/* Name (for metrics and JSON) and text of a counter. Static. */
const char *ingest_counter_name(enum ingest_counter counter);
const char *ingest_counter_text(enum ingest_counter counter);

static inline bool ingest_is_drop(enum ingest_counter counter)
{
    return counter >= INGEST_DROPS_BEGIN;
}

#endif
