/*
 * The part of DuckDB's C API that the query worker calls, in our own words: the library is opened at run time, so that
 * nothing of DuckDB is needed to build, and a program without it still runs. tests/duckdb-h holds every type, constant
 * and function of this file against DuckDB's own header. Private to the worker.
 */
#ifndef STORE_LAKE_DUCK_API_H
#define STORE_LAKE_DUCK_API_H

#include <stdbool.h>
#include <stdint.h>

#include "base/errmsg.h"

#ifndef DUCK_API_FOREIGN_TYPES /* the comparison has them from DuckDB's header */

typedef uint64_t idx_t; /* counts and places */

typedef enum { DuckDBSuccess = 0, DuckDBError = 1 } duckdb_state;

typedef enum {
    DUCKDB_TYPE_BOOLEAN = 1,
    DUCKDB_TYPE_TINYINT = 2,
    DUCKDB_TYPE_SMALLINT = 3,
    DUCKDB_TYPE_INTEGER = 4,
    DUCKDB_TYPE_BIGINT = 5,
    DUCKDB_TYPE_UTINYINT = 6,
    DUCKDB_TYPE_USMALLINT = 7,
    DUCKDB_TYPE_UINTEGER = 8,
    DUCKDB_TYPE_UBIGINT = 9,
    DUCKDB_TYPE_FLOAT = 10,
    DUCKDB_TYPE_DOUBLE = 11,
    DUCKDB_TYPE_TIMESTAMP = 12,
    DUCKDB_TYPE_HUGEINT = 16,
    DUCKDB_TYPE_VARCHAR = 17,
    DUCKDB_TYPE_BLOB = 18,
    DUCKDB_TYPE_DECIMAL = 19,
    DUCKDB_TYPE_TIMESTAMP_TZ = 31,
} duckdb_type;

typedef enum {
    DUCKDB_ERROR_INTERRUPT = 29,
    DUCKDB_ERROR_FATAL = 30,
    DUCKDB_ERROR_INTERNAL = 31,
    DUCKDB_ERROR_OUT_OF_MEMORY = 33,
} duckdb_error_type;

typedef enum { DUCKDB_STATEMENT_TYPE_SELECT = 1 } duckdb_statement_type;

/* Handles: each is a pointer to something of DuckDB's. */
typedef struct duckdb_database_object *duckdb_database;
typedef struct duckdb_connection_object *duckdb_connection;
typedef struct duckdb_config_object *duckdb_config;
typedef struct duckdb_prepared_statement_object *duckdb_prepared_statement;
typedef struct duckdb_pending_result_object *duckdb_pending_result;
typedef struct duckdb_data_chunk_object *duckdb_data_chunk;
typedef struct duckdb_vector_object *duckdb_vector;
typedef struct duckdb_logical_type_object *duckdb_logical_type;
typedef struct duckdb_value_object *duckdb_value;
typedef struct duckdb_scalar_function_object *duckdb_scalar_function;
typedef struct duckdb_scalar_function_set_object *duckdb_scalar_function_set;
typedef struct duckdb_function_info_object *duckdb_function_info;

/* Passed by value, so that its size matters; all but the last member are of old. */
typedef struct {
    idx_t old_counts[3];
    void *old_columns;
    char *old_error;
    void *internal;
} duckdb_result;

typedef struct {
    int64_t micros;
} duckdb_timestamp;

typedef struct {
    uint64_t lower;
    int64_t upper;
} duckdb_hugeint;

/* VARCHAR and BLOB in a vector: up to 12 octets stand in it, of longer ones a prefix and a pointer. */
typedef struct {
    union {
        struct {
            uint32_t length;
            char prefix[4];
            char *ptr;
        } pointer;
        struct {
            uint32_t length;
            char inlined[12];
        } inlined;
    } value;
} duckdb_string_t;

typedef void (*duckdb_delete_callback_t)(void *data);
typedef void (*duckdb_scalar_function_t)(duckdb_function_info info, duckdb_data_chunk input, duckdb_vector output);

#endif

/* X(result, name without "duckdb_", arguments) */
#define DUCK_API_FUNCTIONS(X)                                                                                          \
    X(const char *, library_version, (void))                                                                           \
    X(void, free, (void *))                                                                                            \
    X(duckdb_state, create_config, (duckdb_config *))                                                                  \
    X(duckdb_state, set_config, (duckdb_config, const char *, const char *))                                           \
    X(void, destroy_config, (duckdb_config *))                                                                         \
    X(duckdb_state, open_ext, (const char *, duckdb_database *, duckdb_config, char **))                               \
    X(duckdb_state, connect, (duckdb_database, duckdb_connection *))                                                   \
    X(void, interrupt, (duckdb_connection))                                                                            \
    X(duckdb_state, prepare, (duckdb_connection, const char *, duckdb_prepared_statement *))                           \
    X(void, destroy_prepare, (duckdb_prepared_statement *))                                                            \
    X(const char *, prepare_error, (duckdb_prepared_statement))                                                        \
    X(duckdb_statement_type, prepared_statement_type, (duckdb_prepared_statement))                                     \
    X(idx_t, prepared_statement_column_count, (duckdb_prepared_statement))                                             \
    X(const char *, prepared_statement_column_name, (duckdb_prepared_statement, idx_t))                                \
    X(duckdb_type, prepared_statement_column_type, (duckdb_prepared_statement, idx_t))                                 \
    X(idx_t, nparams, (duckdb_prepared_statement))                                                                     \
    X(duckdb_state, bind_null, (duckdb_prepared_statement, idx_t))                                                     \
    X(duckdb_state, bind_boolean, (duckdb_prepared_statement, idx_t, bool))                                            \
    X(duckdb_state, bind_int64, (duckdb_prepared_statement, idx_t, int64_t))                                           \
    X(duckdb_state, bind_double, (duckdb_prepared_statement, idx_t, double))                                           \
    X(duckdb_state, bind_timestamp_tz, (duckdb_prepared_statement, idx_t, duckdb_timestamp))                           \
    X(duckdb_state, bind_varchar_length, (duckdb_prepared_statement, idx_t, const char *, idx_t))                      \
    X(duckdb_state, bind_blob, (duckdb_prepared_statement, idx_t, const void *, idx_t))                                \
    X(duckdb_state, bind_value, (duckdb_prepared_statement, idx_t, duckdb_value))                                      \
    X(duckdb_value, create_varchar_length, (const char *, idx_t))                                                      \
    X(duckdb_value, create_list_value, (duckdb_logical_type, duckdb_value *, idx_t))                                   \
    X(void, destroy_value, (duckdb_value *))                                                                           \
    X(duckdb_state, pending_prepared_streaming, (duckdb_prepared_statement, duckdb_pending_result *))                  \
    X(const char *, pending_error, (duckdb_pending_result))                                                            \
    X(duckdb_state, execute_pending, (duckdb_pending_result, duckdb_result *))                                         \
    X(void, destroy_pending, (duckdb_pending_result *))                                                                \
    X(void, destroy_result, (duckdb_result *))                                                                         \
    X(const char *, result_error, (duckdb_result *))                                                                   \
    X(duckdb_error_type, result_error_type, (duckdb_result *))                                                         \
    X(idx_t, column_count, (duckdb_result *))                                                                          \
    X(duckdb_type, column_type, (duckdb_result *, idx_t))                                                              \
    X(duckdb_logical_type, column_logical_type, (duckdb_result *, idx_t))                                              \
    X(duckdb_data_chunk, fetch_chunk, (duckdb_result))                                                                 \
    X(void, destroy_data_chunk, (duckdb_data_chunk *))                                                                 \
    X(idx_t, data_chunk_get_size, (duckdb_data_chunk))                                                                 \
    X(duckdb_vector, data_chunk_get_vector, (duckdb_data_chunk, idx_t))                                                \
    X(void *, vector_get_data, (duckdb_vector))                                                                        \
    X(uint64_t *, vector_get_validity, (duckdb_vector))                                                                \
    X(void, vector_ensure_validity_writable, (duckdb_vector))                                                          \
    X(duckdb_logical_type, create_logical_type, (duckdb_type))                                                         \
    X(void, destroy_logical_type, (duckdb_logical_type *))                                                             \
    X(uint8_t, decimal_scale, (duckdb_logical_type))                                                                   \
    X(duckdb_type, decimal_internal_type, (duckdb_logical_type))                                                       \
    X(duckdb_scalar_function, create_scalar_function, (void))                                                          \
    X(void, destroy_scalar_function, (duckdb_scalar_function *))                                                       \
    X(void, scalar_function_set_name, (duckdb_scalar_function, const char *))                                          \
    X(void, scalar_function_add_parameter, (duckdb_scalar_function, duckdb_logical_type))                              \
    X(void, scalar_function_set_return_type, (duckdb_scalar_function, duckdb_logical_type))                            \
    X(void, scalar_function_set_extra_info, (duckdb_scalar_function, void *, duckdb_delete_callback_t))                \
    X(void, scalar_function_set_function, (duckdb_scalar_function, duckdb_scalar_function_t))                          \
    X(void *, scalar_function_get_extra_info, (duckdb_function_info))                                                  \
    X(duckdb_scalar_function_set, create_scalar_function_set, (const char *))                                          \
    X(duckdb_state, add_scalar_function_to_set, (duckdb_scalar_function_set, duckdb_scalar_function))                  \
    X(duckdb_state, register_scalar_function_set, (duckdb_connection, duckdb_scalar_function_set))                     \
    X(void, destroy_scalar_function_set, (duckdb_scalar_function_set *))

struct duck_api {
/* NOLINTNEXTLINE(bugprone-macro-parentheses): a declaration */
#define DUCK_API_MEMBER(result, name, arguments) result(*name) arguments;
    DUCK_API_FUNCTIONS(DUCK_API_MEMBER)
#undef DUCK_API_MEMBER
};

/*
 * Opens the library and fills the table. `path` is tried alone if it is not NULL; else $HEPCAT_DUCKDB alone if that is
 * set; else libduckdb.so in the folder of this executable and in ../lib/hepcat beside that. It stays open for the life
 * of the process. 0, or -1 with a text that says what was looked for where.
 */
int duck_api_load(struct duck_api *api, const char *path, struct errmsg *err);

#endif
