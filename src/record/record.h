/*
 * The normalised row: what a received frame becomes before it is stored. One struct for all tables; which of its
 * members count says record_schema(). Slices point into the frame, into the reader (record/reader.h) or to static
 * text, and live until the next frame is read.
 */
#ifndef RECORD_RECORD_H
#define RECORD_RECORD_H

#include "hep/hep.h"
#include "record/schema.h"

#define RECORD_MEMBER_TIME(name)           int64_t name;
#define RECORD_MEMBER_SEQ(name)            uint64_t name;
#define RECORD_MEMBER_NUMBER(name)         uint32_t name;
#define RECORD_MEMBER_OPTIONAL(name)       int64_t name;
#define RECORD_MEMBER_DECIMAL(name)        int64_t name;
#define RECORD_MEMBER_UID(name)            uint64_t name;
#define RECORD_MEMBER_TEXT(name)           struct hep_slice name;
#define RECORD_MEMBER_IP(name)             struct hep_addr name;
#define RECORD_MEMBER_ADDR(name)           /* the RECORD_IP before it */
#define RECORD_MEMBER_BYTES(name)          struct hep_slice name;
#define RECORD_MEMBER(name, kind, options) RECORD_MEMBER_##kind(name)

#define RECORD_SDP_MEDIA_MAX 4

/* Of the SDP of a SIP message, beyond the columns: what call tracking goes by. Not stored. */
struct record_sdp {
    struct hep_slice user, session; /* o=: username, session id */
    struct hep_slice origin;        /* o=: address as written */
    uint8_t media_count;            /* of those below: media with an IP address and a port */
    struct record_medium {
        struct hep_addr ip;
        uint16_t port;
    } media[RECORD_SDP_MEDIA_MAX];
};

/* What a SIP message or a report says of the quality of media (rtp/report.h). Not stored in this form. */
struct record_report {
    struct hep_slice octets; /* empty: nothing */
    uint8_t form;            /* enum media_form */
};

/* In the order of the columns. NOLINTNEXTLINE(clang-analyzer-optin.performance.Padding) */
struct record {
    enum record_table table;
    RECORD_COMMON_COLUMNS(RECORD_MEMBER)
    RECORD_SIP_COLUMNS(RECORD_MEMBER)
    RECORD_KIND_COLUMNS(RECORD_MEMBER)
    struct record_sdp sdp;
    struct record_report carries;
    RECORD_CALL_OWN_COLUMNS(RECORD_MEMBER) /* from here on: rows of messages leave them as they are */
    RECORD_REGISTRATION_OWN_COLUMNS(RECORD_MEMBER)
    RECORD_CALL_KEY_OWN_COLUMNS(RECORD_MEMBER)
    RECORD_QUALITY_OWN_COLUMNS(RECORD_MEMBER)
};

/*
 * One value of a stored row, from memory or from a file. `null` alone if there is none; else `number` (TIME, SEQ,
 * NUMBER, OPTIONAL, DECIMAL, UID: SEQ and UID as their 64 bits) or `octets` (TEXT, IP: text; ADDR: 16 octets; BYTES).
 */
struct record_cell {
    bool null;
    int64_t number;
    struct hep_slice octets;
};

/* True if the values of such a column are numbers, false if they are octets. */
static inline bool record_kind_is_number(enum record_kind kind)
{
    return kind <= RECORD_UID;
}

#endif
