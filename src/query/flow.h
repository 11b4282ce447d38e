/*
 * All messages that belong to a Call-ID, or to all legs of a call, in the order of (ts, seq): SIP messages of that
 * Call-ID, and rows of every table whose HEP correlation id it is; on demand what reports on its media say. Their
 * number is unlimited, memory is not: they come in pages, each from a snapshot of its own, so that no pin is held while
 * a slow reader reads.
 */
#ifndef QUERY_FLOW_H
#define QUERY_FLOW_H

#include "query/call_legs.h"

#define FLOW_CALL_ID_MAX 1024 /* octets */
#define FLOW_PAGE        500  /* rows */

struct flow_options {
    const char *call_id;
    size_t call_id_len;
    bool with_legs;         /* those of its other legs, too (query/call_legs.h) */
    bool with_media;        /* and rows of table `quality`: what reports on its media say */
    int64_t from_us, to_us; /* as in search_options */
    uint64_t limit;         /* rows; 0: all */
    bool has_after;
    struct search_cursor after; /* rows behind it alone */
    uint64_t budget_us;         /* wall time for finding, of each page; 0: none */
    const atomic_bool *cancel;  /* may be NULL; must live as long as the flow */
    struct columns columns;
};

/* What is known so far; all of it when flow_next() has returned 0. */
struct flow_result {
    uint64_t count;               /* rows handed out */
    uint64_t unread;              /* rows that could not be read */
    bool exact;                   /* none is missing, but for `unread` */
    const struct call_legs *legs; /* NULL: not asked for, or not looked for yet */
    bool has_next;                /* the limit ended it: there may be more behind `next` */
    struct search_cursor next;
    struct errmsg problem; /* why it is not exact; empty if it is */
};

struct flow;

/* 0 or a negative errno with a text: -EINVAL for a Call-ID that is empty or too long. Nothing is looked up yet. The
 * Call-ID is copied. */
int flow_open(struct flow **ret, struct store *store, const struct flow_options *options, struct errmsg *err);
void flow_close(struct flow *f); /* NULL is fine */

/* Hands out rows, at most FLOW_PAGE, until `row` says that it has enough. 1: more, 0: that was all, or a negative
 * errno. */
int flow_next(struct flow *f, search_row_fn *row, void *arg, struct errmsg *err);

const struct flow_result *flow_result(const struct flow *f);

/* Appends the members of a JSON object that tell the result. */
void flow_result_json(struct buf *out, const struct flow_result *r);

#endif
