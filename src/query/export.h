/*
 * Exports: all messages that match a filter, those of the calls of which one matches, or those of Call-IDs that are
 * named, as a pcap, pcapng, text, JSON lines or CSV, in the order of time and a piece at a time, as the one who wants
 * them takes them.
 *
 * What matches is looked for in pieces of EXPORT_SCAN rows, each from a snapshot of its own and behind the last row of
 * the one before, so that neither number nor age of the messages is limited; what arrives after the start with a later
 * time is not in it. Messages of calls are found first, from one snapshot: so many calls, and messages of theirs, as
 * the limits below say. Memory: some 3 MiB, or EXPORT_CALL_ROWS * 64 octets for calls.
 *
 * A file that is not whole is worse than none: what cannot be searched or read ends the export with an error, unless
 * `partial` is set; then the result says what is missing.
 *
 * Files: export.c the pieces, export_calls.c the calls, export_write.c the formats.
 */
#ifndef QUERY_EXPORT_H
#define QUERY_EXPORT_H

#include "query/search.h"

#define EXPORT_LIMIT_MAX UINT64_C(10000000) /* messages of one export */
#define EXPORT_CALLS     1000               /* calls, of matches or named */
#define EXPORT_CALL_ROWS 250000             /* messages of calls */
#define EXPORT_LEG_CALLS 64                 /* calls whose legs are looked for */
#define EXPORT_SCAN      STORE_LIMIT_MAX

enum export_format { EXPORT_PCAP, EXPORT_PCAPNG, EXPORT_TEXT, EXPORT_JSONL, EXPORT_CSV };
#define EXPORT_FORMATS 5

struct export_kind {
    const char *name;       /* "pcapng" */
    const char *media_type; /* of HTTP */
    const char *file_name;  /* "hepcat.pcapng" */
    bool binary;            /* not for a terminal */
    bool payload;           /* has payloads unless it is told not to */
};

/* Static. */
const struct export_kind *export_kind(enum export_format format);

struct export_options {
    enum export_format format;
    const struct filter *filter; /* NULL: everything; must live as long as the export */
    const char *call_ids;        /* these calls instead, by commas; NULL or empty: those of the filter */
    bool calls;                  /* all messages of the calls of the messages that match, whenever they were */
    bool legs;                   /* of calls: of all legs of each (query/call_legs.h) */
    int64_t from_us, to_us;      /* as in search_options: of what matches, or of named calls' messages */
    uint64_t limit;              /* messages that match, at most EXPORT_LIMIT_MAX; 0: all */
    bool oldest_first;           /* with a limit: which ones */
    bool partial;
    const char *columns;       /* of EXPORT_JSONL and EXPORT_CSV, names by commas; NULL or empty: the usual ones */
    bool payload;              /* of these two: as struct export_kind, if the user does not say */
    uint64_t budget_us;        /* wall time of each search; 0: none */
    const atomic_bool *cancel; /* may be NULL; must live as long as the export */
    const char *program;       /* "hepcat 1.2.3", for pcapng; may be NULL */
    size_t scan_rows;          /* 0: EXPORT_SCAN */
};

/* What is known so far; all of it when export_next() has returned 0. */
struct export_result {
    uint64_t count; /* messages in the file */
    bool exact;     /* none is missing that was asked for, but for those that the format cannot hold */
    bool more;      /* the limit ended it, and there may be more */
    uint64_t calls; /* found, or named; legs count each */
    bool calls_cut; /* there are more calls, or messages of them, than the limits above allow */
    uint64_t unread;
    uint64_t no_packet;    /* left out of a pcap: JSON reports, logs, compressed payloads */
    uint64_t no_address;   /* left out of a pcap: not two addresses of one IP version */
    uint64_t too_long;     /* left out of a pcap: longer than any datagram */
    struct errmsg problem; /* why it is not exact; empty if it is */
};

struct export;

/* 0, or a negative errno with a text: -EINVAL for columns or Call-IDs that are none. Nothing is looked up yet. */
int export_open(struct export **ret, struct store *store, const struct export_options *options, struct errmsg *err);
void export_close(struct export *e); /* NULL is fine */

#define EXPORT_PIECE ((size_t)256 << 10) /* octets that are enough for a piece; a message more may come on top */

/*
 * Appends the next piece to `out`. 1: there is more, 0: that was all, or a negative errno with a text: -EAGAIN if the
 * time was over, -ECANCELED, -EIO. The first piece searches before it appends anything.
 */
int export_next(struct export *e, struct buf *out, struct errmsg *err);

const struct export_result *export_result(const struct export *e);

/* Appends the members of a JSON object that tell the result (docs/api.md). */
void export_result_json(struct buf *out, const struct export_result *r);

#endif
