/* One query in the worker: parameters, execution, rows into frames. Private to the worker. */
#ifndef STORE_LAKE_DUCK_RUN_H
#define STORE_LAKE_DUCK_RUN_H

#include "store/lake/duck_api.h"
#include "store/lake/duck_wire.h"

struct duck_run {
    const struct duck_api *api;
    duckdb_connection connection;
    int fd;             /* rows go there as they come */
    struct buf *out;    /* of DUCK_FRAME_MAX, empty */
    bool any_statement; /* not only SELECT */
};

/* What a QUERY frame asks. The values are in tables of their own; all texts are borrowed from the frame. */
struct duck_request {
    uint64_t number;
    struct duck_slice sql;
    struct duck_value *values; /* on the heap */
    size_t count;
    struct duck_slice *texts;  /* of values of kind DUCK_TEXTS, on the heap */
    bool script;               /* a person typed it */
    struct duck_slice *before; /* of a script: statements to be run first, on the heap */
    size_t before_count;
};

/* 0, or -1 for a frame that is malformed or out of memory. Freed by duck_request_free() in any case. */
int duck_request_read(struct duck_request *q, const struct buf *frame);
void duck_request_free(struct duck_request *q);

/*
 * Runs it. ROWS frames are sent; what is left of them is in r->out when this returns. 0 or an enum duck_error with a
 * text; DUCK_ERR_DIED: the parent does not listen any more. An interrupted query gives DUCK_ERR_CANCELLED.
 */
int duck_run(struct duck_run *r, const struct duck_request *q, struct errmsg *err);

#endif
