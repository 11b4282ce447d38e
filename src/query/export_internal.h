/* What the files of exports share. */
#ifndef QUERY_EXPORT_INTERNAL_H
#define QUERY_EXPORT_INTERNAL_H

#include "capture/pcap_out.h"
#include "query/export.h"
#include "query/row_csv.h"

struct export
{
    struct store *store;
    struct export_options o;
    struct export_result result;
    struct columns columns;     /* of jsonl */
    struct store_columns fetch; /* what the format needs */
    struct row_csv csv;
    struct pcap_out *pcap;
    struct buf *out; /* of the piece under way */
    struct hep_slice *call_ids;
    size_t call_id_count;

    struct store_pin *pin;
    struct store_ref *refs; /* found, in the order of time, with `pin` */
    size_t count, at, room;
    struct search_cursor place; /* behind the last row found */
    bool has_place;
    uint64_t found; /* rows found so far that match */
    bool begun, found_all;
};

/* ------------------------------------------------------------------------------------------------ export.c */

/* For at most so many of the rows that match, behind e->place if there is one. */
struct store_scan export_make_scan(const struct export *e, bool oldest_first, uint64_t most);

/*
 * Scans e->pin. The caller releases what *scan has. 0, or a negative errno with a text; a partial answer is an error
 * unless partial ones are wanted.
 */
int export_scan(struct export *e, struct store_scan *scan, struct errmsg *err);

/* Something is missing: 0 if that is allowed, else rc with a text. */
int export_lacks(struct export *e, int rc, const char *why, struct errmsg *err);

/* ------------------------------------------------------------------------------------------------ export_calls.c */

/* Splits the list of Call-IDs. 0, or -EINVAL or -ENOMEM with a text. */
int export_calls_parse(struct export *e, struct errmsg *err);

/* Pins, and finds all messages of the calls. 0, or a negative errno with a text. */
int export_calls_find(struct export *e, struct errmsg *err);

/* ------------------------------------------------------------------------------------------------ export_write.c */

/* Which columns the format needs. 0, or a negative errno with a text. */
int export_write_init(struct export *e, struct errmsg *err);

/* The beginning of the file; a message. Into e->out. */
int export_write_head(struct export *e, struct errmsg *err);
void export_write_row(struct export *e, enum record_table table, const struct record_cell *cells);

#endif
