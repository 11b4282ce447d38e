/* A diagnosis (docs/api.md, GET /api/v1/calls/{call_id}/diagnosis) as text for people. */
#ifndef CMD_EXPLAIN_OUT_H
#define CMD_EXPLAIN_OUT_H

#include <jansson.h>

#include "base/buf.h"
#include "query/printable.h"

/*
 * Appends it, in lines of at most `width` columns as far as words allow: a line about the call, then the findings.
 * Nothing in a message can do more to a terminal than show.
 */
void explain_out(struct buf *out, const json_t *answer, const struct printable *p, unsigned width);

#endif
