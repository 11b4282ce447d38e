/*
 * Holds src/store/lake/duck_api.h against DuckDB's own header. Compiled twice, with and without -DTHEIRS: each writes
 * sizes, places and constants as text, to be compared. With -DTHEIRS the compiler also compares the type of every
 * function.
 */
#include <stddef.h>
#include <stdio.h>

#ifdef THEIRS
#include "duckdb.h"
#define DUCK_API_FOREIGN_TYPES
#endif
#include "store/lake/duck_api.h"

#ifdef THEIRS
#define SAME_TYPE(result, name, arguments)                                                                             \
    _Static_assert(__builtin_types_compatible_p(__typeof__(duckdb_##name), result arguments), "duckdb_" #name);
DUCK_API_FUNCTIONS(SAME_TYPE)
#define LAST_OF_RESULT internal_data
#else
#define LAST_OF_RESULT internal
#endif

#define SHOW(number) printf("%s %zu\n", #number, (size_t)(number))

int main(void)
{
    SHOW(sizeof(idx_t));
    SHOW(sizeof(duckdb_state));
    SHOW(sizeof(duckdb_type));
    SHOW(sizeof(duckdb_error_type));
    SHOW(sizeof(duckdb_statement_type));
    SHOW(sizeof(duckdb_database));
    SHOW(sizeof(duckdb_result));
    printf("internal %zu\n", offsetof(duckdb_result, LAST_OF_RESULT));
    SHOW(sizeof(duckdb_timestamp));
    SHOW(sizeof(duckdb_hugeint));
    SHOW(offsetof(duckdb_hugeint, upper));
    SHOW(sizeof(duckdb_string_t));
    SHOW(offsetof(duckdb_string_t, value.pointer.length));
    SHOW(offsetof(duckdb_string_t, value.pointer.ptr));
    SHOW(offsetof(duckdb_string_t, value.inlined.inlined));
    SHOW(sizeof(((duckdb_string_t *)0)->value.inlined.inlined));
    SHOW(DuckDBSuccess);
    SHOW(DuckDBError);
    SHOW(DUCKDB_TYPE_BOOLEAN);
    SHOW(DUCKDB_TYPE_TINYINT);
    SHOW(DUCKDB_TYPE_SMALLINT);
    SHOW(DUCKDB_TYPE_INTEGER);
    SHOW(DUCKDB_TYPE_BIGINT);
    SHOW(DUCKDB_TYPE_UTINYINT);
    SHOW(DUCKDB_TYPE_USMALLINT);
    SHOW(DUCKDB_TYPE_UINTEGER);
    SHOW(DUCKDB_TYPE_UBIGINT);
    SHOW(DUCKDB_TYPE_FLOAT);
    SHOW(DUCKDB_TYPE_DOUBLE);
    SHOW(DUCKDB_TYPE_TIMESTAMP);
    SHOW(DUCKDB_TYPE_HUGEINT);
    SHOW(DUCKDB_TYPE_VARCHAR);
    SHOW(DUCKDB_TYPE_BLOB);
    SHOW(DUCKDB_TYPE_DECIMAL);
    SHOW(DUCKDB_TYPE_TIMESTAMP_TZ);
    SHOW(DUCKDB_ERROR_INTERRUPT);
    SHOW(DUCKDB_ERROR_FATAL);
    SHOW(DUCKDB_ERROR_INTERNAL);
    SHOW(DUCKDB_ERROR_OUT_OF_MEMORY);
    SHOW(DUCKDB_STATEMENT_TYPE_SELECT);
    return 0;
}
