/* What the files of the folder share. */
#ifndef RECORD_INTERNAL_H
#define RECORD_INTERNAL_H

#include "base/buf.h"
#include "hep/zlib.h"
#include "record/reader.h"
#include "sip/msg.h"
#include "sip/sdp.h"

struct record_reader {
    struct hep_zlib *zlib;
    int64_t clock_window_us;
    struct sip_extras extras;
    struct sip_extra names[2 * RECORD_HEADERS_MAX];
    struct hep_slice values[2 * RECORD_HEADERS_MAX];
    char *header_texts[2 * RECORD_HEADERS_MAX];

    /* Of the message that record_finish_hep() saw last. */
    int64_t sent_us;       /* capture time as sent; RECORD_NO_TIME: none */
    uint8_t sent_protocol; /* IP protocol as sent */

    /* Texts that are put together; emptied for each row. */
    struct buf sdp_media, headers, problems;

    /* Read into for each message; too large for the stack of a worker. */
    struct sip_msg sip;
    struct sdp_media media;
};

/* Fills in the columns of table `sip`; proto and flags too, where SIP and SDP say more. */
void record_make_sip(struct record_reader *r, struct record *ret);

/* sdp_* columns and flags, if the message has SDP. */
void record_make_sdp(struct record_reader *r, struct record *ret);

#endif
