#include "store/lake/duck_function.h"

/* Set once, before the first call; the callback has no other way to it. A process has one DuckDB. */
static const struct duck_api *the_api;

/* DuckDB hands over flat vectors: a constant pattern comes once for each row, all of them the same place in memory. */
static void call_function(duckdb_function_info info, duckdb_data_chunk input, duckdb_vector output)
{
    const struct duck_api *api = the_api;
    const struct duck_function *f = api->scalar_function_get_extra_info(info);
    duckdb_vector value = api->data_chunk_get_vector(input, 0), pattern = api->data_chunk_get_vector(input, 1);
    const duckdb_string_t *values = api->vector_get_data(value), *patterns = api->vector_get_data(pattern);
    const uint64_t *value_mask = api->vector_get_validity(value), *pattern_mask = api->vector_get_validity(pattern);
    bool *out = api->vector_get_data(output);
    uint64_t *out_mask = NULL;
    size_t rows = (size_t)api->data_chunk_get_size(input);
    if (value_mask != NULL || pattern_mask != NULL) {
        api->vector_ensure_validity_writable(output);
        out_mask = api->vector_get_validity(output);
    }
    for (size_t i = 0; i < rows; i++) {
        out[i] = false;
        if (!duck_is_valid(value_mask, i) || !duck_is_valid(pattern_mask, i)) {
            out_mask[i / 64] &= ~(UINT64_C(1) << (i % 64));
            continue;
        }
        struct duck_slice v = duck_string_octets(&values[i]), p = duck_string_octets(&patterns[i]);
        out[i] = f->test(v.ptr, v.len, p.ptr, p.len);
    }
}

static int add_overload(const struct duck_api *api, duckdb_scalar_function_set set, const struct duck_function *f,
                        duckdb_type value, duckdb_type pattern)
{
    union {
        const void *in;
        void *out;
    } function = { .in = f }; /* handed back as it is, and only read */
    duckdb_scalar_function sf = api->create_scalar_function();
    duckdb_logical_type types[3] = { api->create_logical_type(value), api->create_logical_type(pattern),
                                     api->create_logical_type(DUCKDB_TYPE_BOOLEAN) };
    api->scalar_function_set_name(sf, f->name);
    api->scalar_function_add_parameter(sf, types[0]);
    api->scalar_function_add_parameter(sf, types[1]);
    api->scalar_function_set_return_type(sf, types[2]);
    api->scalar_function_set_extra_info(sf, function.out, NULL);
    api->scalar_function_set_function(sf, call_function);
    int rc = api->add_scalar_function_to_set(set, sf) == DuckDBSuccess ? 0 : -1;
    for (size_t i = 0; i < 3; i++)
        api->destroy_logical_type(&types[i]);
    api->destroy_scalar_function(&sf);
    return rc;
}

static int register_one(const struct duck_api *api, duckdb_connection connection, const struct duck_function *f)
{
    static const duckdb_type types[] = { DUCKDB_TYPE_VARCHAR, DUCKDB_TYPE_BLOB };
    duckdb_scalar_function_set set = api->create_scalar_function_set(f->name);
    int rc = 0;
    for (size_t value = 0; value < (f->octets ? 2 : 1) && rc == 0; value++)
        for (size_t pattern = 0; pattern < 2 && rc == 0; pattern++)
            rc = add_overload(api, set, f, types[value], types[pattern]);
    if (rc == 0 && api->register_scalar_function_set(connection, set) != DuckDBSuccess)
        rc = -1;
    api->destroy_scalar_function_set(&set);
    return rc;
}

int duck_functions_register(const struct duck_api *api, duckdb_connection connection,
                            const struct duck_function *functions, size_t count, struct errmsg *err)
{
    the_api = api;
    for (size_t i = 0; i < count; i++)
        if (register_one(api, connection, &functions[i]) != 0)
            return errmsg_set(err, "query worker: function %s cannot be registered", functions[i].name);
    return 0;
}
