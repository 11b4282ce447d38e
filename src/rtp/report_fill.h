/* How the readers of the several forms fill in a media_report. Private to src/rtp. */
#ifndef RTP_REPORT_FILL_H
#define RTP_REPORT_FILL_H

#include "rtp/report.h"

/* What a sender means by a number. */
enum media_kind {
    MEDIA_PLAIN,
    MEDIA_NONZERO, /* 0: not known */
    MEDIA_NOT_127, /* 127: not known (RFC 3611) */
    MEDIA_U32,     /* 32 bits, perhaps read as signed, perhaps in hex */
    MEDIA_LOST24,  /* 24 bits, perhaps read as unsigned, or as 32 bits with or without sign */
    MEDIA_MOS_ANY, /* MOS, 10 x or 100 x MOS; 0 and 127: not known */
    MEDIA_R_ANY    /* R or 100 x R; 127: not known */
};

/* A name that senders use, and what becomes of its value. */
struct media_key {
    const char *key;
    uint8_t field; /* enum media_field */
    uint8_t kind;  /* enum media_kind */
    double scale;  /* multiplies; 0: as it is */
};

struct media_text_key {
    const char *key;
    uint8_t text; /* enum media_text */
};

/* Sets a field if it is in its range; else marks it as bad. */
void media_fill(struct media_report *r, enum media_field field, double v);

/* The same by the kind of a key. */
void media_fill_key(struct media_report *r, const struct media_key *key, double v);

/* The same from text: decimal, with fraction and exponent; hex for MEDIA_U32. Blank is not there, else it is bad. */
void media_fill_text(struct media_report *r, const struct media_key *key, struct hep_slice text);

/* A number of a text; false if it is none or beyond 1e18. */
bool media_number(struct hep_slice text, double *ret);

/* Row of a name, NULL if there is none. Case counts if `exact`. */
const struct media_key *media_find_key(const struct media_key *keys, size_t count, struct hep_slice name, bool exact);

struct hep_slice media_trim(struct hep_slice s);
bool media_same_word(struct hep_slice s, const char *word); /* in any case */

/* A new, empty report; NULL if there is no room. */
struct media_report *media_add(struct media_reports *all, enum media_source source, enum media_side side);

/* A report of what was gathered elsewhere; texts are to be in `all` already. */
void media_add_copy(struct media_reports *all, const struct media_report *r, enum media_source source,
                    enum media_side side);

/* Copies a text into the reports, with its JSON escapes resolved. Empty texts are left out; a long one is cut. */
struct hep_slice media_keep(struct media_reports *all, struct hep_slice text, bool escaped);

/* Packets and percentages that follow from what is there. */
void media_compute(struct media_report *r);

enum media_result media_fail(struct media_reports *all, const char *error, size_t at);

/* The readers. */
enum media_result media_read_rtcp(struct hep_slice payload, struct media_reports *ret);
enum media_result media_read_json(struct hep_slice payload, struct media_reports *ret);
enum media_result media_read_vq(struct hep_slice payload, struct media_reports *ret);
enum media_result media_read_stat(struct hep_slice value, bool la_is_rtt, struct media_reports *ret);

#endif
