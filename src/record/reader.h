/*
 * From the octets of a HEP frame to a row: decode, inflate, repair, parse, normalise. Ingest uses it for what arrives,
 * the engine for what the write-ahead log brings back: the same octets give the same row.
 *
 * One reader a thread; it holds the buffer for inflated payloads and the few texts that have to be put together.
 */
#ifndef RECORD_READER_H
#define RECORD_READER_H

#include "record/record.h"
#include "record/sink.h"

struct record_options {
    int64_t clock_window_us;    /* capture times are believed this near the receive time; 0: one day */
    const char *const *headers; /* names of SIP headers to keep in the column `headers` */
    size_t header_count;        /* at most RECORD_HEADERS_MAX */
    /* Those that name another leg of the call are kept there as well. NULL: record_leg_headers; else at most
     * RECORD_HEADERS_MAX. */
    const char *const *leg_headers;
    size_t leg_header_count;
};

#define RECORD_HEADERS_MAX 16 /* of either kind */

/* Headers in which programs of the field tell the Call-ID, or an identifier of their own, of the call behind a call. */
#define RECORD_LEG_HEADERS 12
extern const char *const record_leg_headers[RECORD_LEG_HEADERS];

struct record_reader;

/* The options are copied. NULL if there is no memory. */
struct record_reader *record_reader_new(const struct record_options *options);
void record_reader_free(struct record_reader *r); /* NULL is fine */

/*
 * Decodes a frame (of one message) and leaves the message in *msg, repaired (hep_clean) and with its payload inflated.
 * A result of hep_decode(), HEP_OK on success. A payload that cannot be inflated is kept as it came (quirk
 * HEP_QUIRK_INFLATE_FAILED).
 */
int record_read_hep(struct record_reader *r, const struct sink_frame *frame, struct hep_msg *msg);

/*
 * The same for a message that hep_datagram_next() has decoded already: inflates, repairs. `now` as in hep_clean().
 */
void record_finish_hep(struct record_reader *r, const struct sink_frame *frame, struct hep_msg *msg);

/* An empty row: every column that can be absent is. Of columns that messages have not, only for other tables. */
void record_clear(struct record *ret, enum record_table table);

/* Makes the row of a message. seq stays 0. Never fails: what cannot be parsed is stored with parse_error. */
void record_make(struct record_reader *r, const struct sink_frame *frame, const struct hep_msg *msg,
                 struct record *ret);

/*
 * The row of a SIP message again, from the cells of the stored one: those that every table begins with, payload
 * included. What SIP says is parsed anew. Slices point into the cells and the reader.
 */
void record_remake_sip(struct record_reader *r, const struct record_cell *cells, struct record *ret);

#endif
