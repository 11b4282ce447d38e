/* A statement that a person typed, and its result as JSON (docs/sql.md). */
#ifndef QUERY_SQL_H
#define QUERY_SQL_H

#include "base/buf.h"
#include "base/errmsg.h"
#include "store/store.h"

#define SQL_LIMIT_DEFAULT 1000
#define SQL_LIMIT_MAX     100000
#define SQL_TEXT_MAX      ((size_t)64 << 10) /* octets of a statement */
#define SQL_RESULT_MAX    ((size_t)32 << 20) /* octets of a result */

struct sql_options {
    const char *text;
    size_t limit;       /* rows */
    uint64_t budget_us; /* 0: none */
    const atomic_bool *cancel;
};

/*
 * Appends the result as a JSON object; `out` should take SQL_RESULT_MAX and something more. 0, or what store_ops.sql()
 * says with a text; then what was appended is of no use.
 */
int sql_run(struct buf *out, struct store *store, const struct sql_options *options, struct errmsg *err);

#endif
