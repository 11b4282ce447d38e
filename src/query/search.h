/*
 * A search in two steps: search_open() pins a snapshot and finds which rows match, search_next() reads their values, a
 * piece at a time, as the one who wants them takes them. Memory: 40 octets a row found, and one piece.
 */
#ifndef QUERY_SEARCH_H
#define QUERY_SEARCH_H

#include "base/buf.h"
#include "query/columns.h"
#include "store/store.h"

/* A place between rows, where a search or a flow goes on: behind the row of this time and number. */
struct search_cursor {
    int64_t ts;
    uint64_t seq;
};

#define SEARCH_CURSOR_MAX 64
/* As text, terminated; and back, false if it is none. The form is nobody else's business. */
void search_cursor_format(const struct search_cursor *c, char out[SEARCH_CURSOR_MAX]);
bool search_cursor_parse(const char *text, size_t len, struct search_cursor *ret);

struct search_options {
    const struct filter *filter; /* NULL: everything; must live as long as the search */
    unsigned tables;             /* set; 0: all of messages */
    int64_t from_us, to_us;      /* ts in [from, to); INT64_MIN and INT64_MAX: open */
    bool oldest_first;           /* the first `limit` rows of time, else the last */
    bool reverse;                /* hand them out the other way round: the newest ones in the order of time */
    size_t limit;                /* at most STORE_LIMIT_MAX; 0: only the total */
    bool has_after;
    struct search_cursor after;               /* rows behind it alone, in the direction of the search */
    const struct store_seen *beyond, *within; /* rows by their numbers (store/store.h); NULL: all */
    bool by_arrival;                          /* the last `limit` by their numbers, in that order, not by time */
    bool total;                               /* count all that match */
    uint64_t budget_us;                       /* wall time for finding; 0: none */
    const atomic_bool *cancel;                /* may be NULL */
    struct columns columns;                   /* of the rows */
};

/* What is known when the rows have been found. */
struct search_result {
    size_t count;                /* rows found */
    bool rows_exact;             /* they are surely the first, or last, ones */
    bool has_total, total_exact; /* total is a lower bound if it is not exact */
    uint64_t total;              /* rows that match, those before the cursor included */
    bool timed_out;
    unsigned parts, parts_done, parts_failed; /* pieces of memory and files */
    uint64_t octets_read;
    size_t left_out; /* by_arrival: rows before these; a lower bound if !rows_exact */
    size_t unread;   /* rows found whose values could not be read: grows with search_next() */
    bool has_next;   /* there may be more behind `next` */
    struct search_cursor next;
    struct errmsg problem; /* why it is partial; empty if it is not */
};

/* True if everything that was asked for is there. */
bool search_complete(const struct search_result *r);

struct search;

/*
 * What is wrong with a filter that can match rows, but none of these tables (0: all of messages): it asks for fields of
 * messages where calls are looked for, or the other way round. NULL: nothing. Static.
 */
const char *search_misplaced(const struct filter *filter, unsigned tables);

/* 0, or a negative errno with a text: -ECANCELED if cancelled. */
int search_open(struct search **ret, struct store *store, const struct search_options *options, struct errmsg *err);
void search_close(struct search *s); /* NULL is fine */

/* Valid as long as the search. */
const struct search_result *search_result(const struct search *s);

/*
 * A row of the search: `columns` says which cells to show; they are valid during the call. Other than 0 ends the
 * piece behind this row.
 */
typedef int search_row_fn(void *arg, enum record_table table, const struct record_cell *cells,
                          const struct store_columns *columns);

/*
 * Hands out the next rows, at most `max`, until `row` says that it has enough. 1 if there are more, 0 if that was all,
 * a negative errno with a text. Rows that cannot be read are passed over: result.unread, result.problem.
 */
int search_next(struct search *s, size_t max, search_row_fn *row, void *arg, struct errmsg *err);

/* Appends the members of a JSON object that tell the result: "count":2,"rows_exact":true,... */
void search_result_json(struct buf *out, const struct search_result *r);

#endif
