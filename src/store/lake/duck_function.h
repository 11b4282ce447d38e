/* Our predicates as scalar functions of DuckDB. Private to the worker. */
#ifndef STORE_LAKE_DUCK_FUNCTION_H
#define STORE_LAKE_DUCK_FUNCTION_H

#include "store/lake/duck.h"
#include "store/lake/duck_api.h"
#include "store/lake/duck_worker.h"

/* Octets of a VARCHAR or BLOB in a vector. */
static inline struct duck_slice duck_string_octets(const duckdb_string_t *s)
{
    size_t len = s->value.inlined.length;
    const char *p = len <= sizeof(s->value.inlined.inlined) ? s->value.inlined.inlined : s->value.pointer.ptr;
    return (struct duck_slice){ (const uint8_t *)p, len };
}

/* Validity masks have a bit a row, lowest first; no mask: all are valid. */
static inline bool duck_is_valid(const uint64_t *mask, size_t row)
{
    return mask == NULL || (mask[row / 64] >> (row % 64) & 1) != 0;
}

/* `api` and `functions` must outlive the database. 0, or -1 with a text. */
int duck_functions_register(const struct duck_api *api, duckdb_connection connection,
                            const struct duck_function *functions, size_t count, struct errmsg *err);

#endif
