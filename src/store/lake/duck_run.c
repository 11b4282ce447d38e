#include "store/lake/duck_run.h"

#include <stdlib.h>
#include <string.h>

#include "store/lake/duck_function.h"

#define FLUSH_AT (64u << 10) /* a frame of rows is sent when it is this long */

/* ------------------------------------------------------------------------------------------------ the request */

static int read_values(struct duck_request *q, struct rd *r)
{
    size_t cap = rd_left(r) / 4, used = 0; /* a text takes 4 octets at least, a value 1 */
    q->count = rd_u32le(r);
    if (r->bad || q->count > DUCK_VALUES_MAX || q->count > rd_left(r))
        return -1;
    q->values = calloc(q->count + 1, sizeof(*q->values));
    q->texts = calloc(cap + 1, sizeof(*q->texts));
    if (q->values == NULL || q->texts == NULL)
        return -1;
    for (size_t i = 0; i < q->count; i++)
        if (duck_get_value(r, &q->values[i], q->texts, cap, &used) != 0)
            return -1;
    return 0;
}

static int read_script(struct duck_request *q, struct rd *r)
{
    q->script = rd_u8(r) != 0;
    if (!q->script)
        return r->bad ? -1 : 0;
    q->before_count = rd_u32le(r);
    if (r->bad || q->before_count > rd_left(r) / 4) /* a text takes 4 octets at least */
        return -1;
    q->before = calloc(q->before_count + 1, sizeof(*q->before));
    for (size_t i = 0; q->before != NULL && i < q->before_count; i++)
        q->before[i] = duck_get_text(r);
    return q->before == NULL || r->bad ? -1 : 0;
}

int duck_request_read(struct duck_request *q, const struct buf *frame)
{
    struct rd r;
    *q = (struct duck_request){ .values = NULL };
    rd_init(&r, frame->ptr, frame->len);
    q->number = rd_u64le(&r);
    q->sql = duck_get_text(&r);
    return r.bad || read_values(q, &r) != 0 ? -1 : read_script(q, &r);
}

void duck_request_free(struct duck_request *q)
{
    free(q->values);
    free(q->texts);
    free(q->before);
    *q = (struct duck_request){ .values = NULL };
}

/* ------------------------------------------------------------------------------------------------ errors */

/*
 * Not every way of DuckDB's to say an error carries its type: the text begins with it. Only the beginning counts, as
 * values that users gave may follow.
 */
static int classify(duckdb_error_type type, const char *text)
{
    static const struct {
        duckdb_error_type type;
        int rc;
        const char *begin;
    } kinds[] = { { DUCKDB_ERROR_INTERRUPT, DUCK_ERR_CANCELLED, "INTERRUPT Error" },
                  { DUCKDB_ERROR_FATAL, DUCK_ERR_INTERNAL, "FATAL Error" },
                  { DUCKDB_ERROR_INTERNAL, DUCK_ERR_INTERNAL, "INTERNAL Error" },
                  { DUCKDB_ERROR_OUT_OF_MEMORY, DUCK_ERR_MEMORY, "Out of Memory Error" },
                  { DUCKDB_ERROR_OUT_OF_MEMORY, DUCK_ERR_MEMORY, "std::bad_alloc" } };
    static const char again[] =
        "Invalid Input Error: Attempting to execute an unsuccessful or closed pending query result\nError: ";
    if (strncmp(text, again, sizeof(again) - 1) == 0)
        text += sizeof(again) - 1;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (type == kinds[i].type || strncmp(text, kinds[i].begin, strlen(kinds[i].begin)) == 0)
            return kinds[i].rc;
    return DUCK_ERR_SQL;
}

static int fail(int rc, struct errmsg *err, const char *text)
{
    (void)errmsg_set(err, "%s", text);
    return rc;
}

/* Errors of prepare and pending come as a text alone. */
static int fail_text(struct errmsg *err, const char *text)
{
    text = text != NULL && text[0] != '\0' ? text : "unknown error of DuckDB";
    return fail(classify((duckdb_error_type)0, text), err, text);
}

/* 0 if it has none. */
static int fail_result(const struct duck_api *api, duckdb_result *result, struct errmsg *err)
{
    const char *text = api->result_error(result);
    return text != NULL ? fail(classify(api->result_error_type(result), text), err, text) : 0;
}

/* ------------------------------------------------------------------------------------------------ parameters */

static duckdb_state bind_texts(const struct duck_api *api, duckdb_prepared_statement p, idx_t at,
                               const struct duck_value *v)
{
    duckdb_value *items = calloc(v->text_count + 1, sizeof(duckdb_value));
    if (items == NULL)
        return DuckDBError;
    for (size_t i = 0; i < v->text_count; i++)
        items[i] = api->create_varchar_length((const char *)v->texts[i].ptr, v->texts[i].len);
    duckdb_logical_type type = api->create_logical_type(DUCKDB_TYPE_VARCHAR);
    duckdb_value list = api->create_list_value(type, items, v->text_count);
    duckdb_state rc = list != NULL ? api->bind_value(p, at, list) : DuckDBError;
    api->destroy_value(&list);
    api->destroy_logical_type(&type);
    for (size_t i = 0; i < v->text_count; i++)
        api->destroy_value(&items[i]);
    free(items);
    return rc;
}

static duckdb_state bind_one(const struct duck_api *api, duckdb_prepared_statement p, idx_t at,
                             const struct duck_value *v)
{
    switch (v->kind) {
    case DUCK_NULL:
        return api->bind_null(p, at);
    case DUCK_BOOL:
        return api->bind_boolean(p, at, v->boolean);
    case DUCK_INT64:
        return api->bind_int64(p, at, v->number);
    case DUCK_DOUBLE:
        return api->bind_double(p, at, v->real);
    case DUCK_TEXT:
        return api->bind_varchar_length(p, at, (const char *)v->octets.ptr, v->octets.len);
    case DUCK_BLOB:
        return api->bind_blob(p, at, v->octets.ptr, v->octets.len);
    case DUCK_TIMESTAMP_US:
        return api->bind_timestamp_tz(p, at, (duckdb_timestamp){ v->number });
    case DUCK_TEXTS:
        return bind_texts(api, p, at, v);
    }
    return DuckDBError;
}

static int bind_all(const struct duck_api *api, duckdb_prepared_statement p, const struct duck_request *q,
                    struct errmsg *err)
{
    size_t wanted = (size_t)api->nparams(p);
    if (wanted != q->count)
        return (void)errmsg_set(err, "%zu values for %zu parameters", q->count, wanted), DUCK_ERR_SQL;
    for (size_t i = 0; i < q->count; i++)
        if (bind_one(api, p, i + 1, &q->values[i]) != DuckDBSuccess)
            return (void)errmsg_set(err, "the value of parameter %zu is not accepted (text must be UTF-8)", i + 1),
                   DUCK_ERR_SQL;
    return 0;
}

/* ------------------------------------------------------------------------------------------------ rows */

struct column {
    duckdb_type type;
    duckdb_type decimal; /* DECIMAL: type of the integers that it is made of */
    double scale;        /* by which they are divided */
    const void *data;    /* of the chunk at hand, and its validity */
    const uint64_t *mask;
};

static void read_decimal(const struct duck_api *api, duckdb_result *result, size_t at, struct column *c)
{
    duckdb_logical_type type = api->column_logical_type(result, at);
    c->decimal = api->decimal_internal_type(type);
    c->scale = 1;
    for (unsigned i = api->decimal_scale(type); i > 0; i--)
        c->scale *= 10;
    api->destroy_logical_type(&type);
}

static int read_columns(const struct duck_api *api, duckdb_result *result, struct column *columns, size_t *ret_count,
                        struct errmsg *err)
{
    size_t count = (size_t)api->column_count(result);
    if (count > DUCK_COLUMNS_MAX)
        return (void)errmsg_set(err, "%zu columns in a result", count), DUCK_ERR_SQL;
    for (size_t i = 0; i < count; i++) {
        columns[i] = (struct column){ .type = api->column_type(result, i) };
        if (columns[i].type == DUCKDB_TYPE_DECIMAL)
            read_decimal(api, result, i, &columns[i]);
    }
    *ret_count = count;
    return 0;
}

static struct duck_value integer(int64_t v)
{
    return (struct duck_value){ .kind = DUCK_INT64, .number = v };
}

static struct duck_value real(double v)
{
    return (struct duck_value){ .kind = DUCK_DOUBLE, .real = v };
}

static double huge_as_double(duckdb_hugeint v)
{
    return (double)v.upper * 18446744073709551616.0 + (double)v.lower;
}

static struct duck_value huge(duckdb_hugeint v)
{
    bool fits = (v.upper == 0 && v.lower <= INT64_MAX) || (v.upper == -1 && v.lower > INT64_MAX);
    return fits ? integer((int64_t)v.lower) : real(huge_as_double(v));
}

static struct duck_value octets(enum duck_kind kind, const duckdb_string_t *s)
{
    return (struct duck_value){ .kind = kind, .octets = duck_string_octets(s) };
}

static int number_cell(duckdb_type type, const void *data, size_t row, struct duck_value *ret)
{
    switch ((int)type) {
    case DUCKDB_TYPE_TINYINT:
        return *ret = integer(((const int8_t *)data)[row]), 0;
    case DUCKDB_TYPE_SMALLINT:
        return *ret = integer(((const int16_t *)data)[row]), 0;
    case DUCKDB_TYPE_INTEGER:
        return *ret = integer(((const int32_t *)data)[row]), 0;
    case DUCKDB_TYPE_BIGINT:
        return *ret = integer(((const int64_t *)data)[row]), 0;
    case DUCKDB_TYPE_UTINYINT:
        return *ret = integer(((const uint8_t *)data)[row]), 0;
    case DUCKDB_TYPE_USMALLINT:
        return *ret = integer(((const uint16_t *)data)[row]), 0;
    case DUCKDB_TYPE_UINTEGER:
        return *ret = integer(((const uint32_t *)data)[row]), 0;
    case DUCKDB_TYPE_UBIGINT:
        return *ret = huge((duckdb_hugeint){ ((const uint64_t *)data)[row], 0 }), 0;
    case DUCKDB_TYPE_HUGEINT:
        return *ret = huge(((const duckdb_hugeint *)data)[row]), 0;
    case DUCKDB_TYPE_FLOAT:
        return *ret = real((double)((const float *)data)[row]), 0;
    case DUCKDB_TYPE_DOUBLE:
        return *ret = real(((const double *)data)[row]), 0;
    default:
        return -1;
    }
}

static int decimal_cell(const struct column *c, size_t row, struct duck_value *ret)
{
    if (c->decimal == DUCKDB_TYPE_HUGEINT)
        return *ret = real(huge_as_double(((const duckdb_hugeint *)c->data)[row]) / c->scale), 0;
    if (number_cell(c->decimal, c->data, row, ret) != 0)
        return -1;
    *ret = real((double)ret->number / c->scale);
    return 0;
}

/* -1: a type that we do not deliver. */
static int cell(const struct column *c, size_t row, struct duck_value *ret)
{
    if (!duck_is_valid(c->mask, row))
        return *ret = (struct duck_value){ .kind = DUCK_NULL }, 0;
    switch ((int)c->type) {
    case DUCKDB_TYPE_BOOLEAN:
        *ret = (struct duck_value){ .kind = DUCK_BOOL, .boolean = ((const bool *)c->data)[row] };
        return 0;
    case DUCKDB_TYPE_TIMESTAMP:
    case DUCKDB_TYPE_TIMESTAMP_TZ:
        *ret = (struct duck_value){ .kind = DUCK_TIMESTAMP_US, .number = ((const int64_t *)c->data)[row] };
        return 0;
    case DUCKDB_TYPE_VARCHAR:
        return *ret = octets(DUCK_TEXT, &((const duckdb_string_t *)c->data)[row]), 0;
    case DUCKDB_TYPE_BLOB:
        return *ret = octets(DUCK_BLOB, &((const duckdb_string_t *)c->data)[row]), 0;
    case DUCKDB_TYPE_DECIMAL:
        return decimal_cell(c, row, ret);
    default:
        return number_cell(c->type, c->data, row, ret);
    }
}

/* The frame in work: `start` in r->out, `rows` so far. */
struct frame {
    size_t start, columns;
    uint32_t rows;
};

static void frame_begin(struct duck_run *r, struct frame *f)
{
    f->rows = 0;
    f->start = duck_frame_begin(r->out, DUCK_FRAME_ROWS);
    duck_put_u32(r->out, 0);
    duck_put_u32(r->out, (uint32_t)f->columns);
}

static void frame_end(struct duck_run *r, struct frame *f)
{
    if (!r->out->failed)
        le32_put(r->out->ptr + f->start + DUCK_HEAD, f->rows);
    duck_frame_end(r->out, f->start);
}

static int frame_flush(struct duck_run *r, struct frame *f)
{
    frame_end(r, f);
    int rc = duck_send(r->fd, r->out->ptr, r->out->len, NULL, NULL);
    buf_reset(r->out);
    frame_begin(r, f);
    return rc == 0 ? 0 : DUCK_ERR_DIED;
}

static int put_row(struct duck_run *r, struct frame *f, const struct column *columns, size_t row, struct errmsg *err)
{
    struct duck_value v;
    for (size_t i = 0; i < f->columns; i++) {
        if (cell(&columns[i], row, &v) != 0)
            return (void)errmsg_set(err, "column %zu of the result is of a type to be cast (%d)", i + 1,
                                    (int)columns[i].type),
                   DUCK_ERR_SQL;
        duck_put_value(r->out, &v);
    }
    if (r->out->failed || r->out->len - f->start > DUCK_FRAME_MAX)
        return (void)errmsg_set(err, "a row of more than %u octets", DUCK_ROW_MAX), DUCK_ERR_LIMIT;
    f->rows++;
    return r->out->len >= FLUSH_AT ? frame_flush(r, f) : 0;
}

static int put_chunk(struct duck_run *r, struct frame *f, struct column *columns, duckdb_data_chunk chunk,
                     struct errmsg *err)
{
    size_t rows = (size_t)r->api->data_chunk_get_size(chunk);
    int rc = 0;
    for (size_t i = 0; i < f->columns; i++) {
        duckdb_vector v = r->api->data_chunk_get_vector(chunk, i);
        columns[i].data = r->api->vector_get_data(v);
        columns[i].mask = r->api->vector_get_validity(v);
    }
    for (size_t row = 0; row < rows && rc == 0; row++)
        rc = put_row(r, f, columns, row, err);
    return rc;
}

static int put_result(struct duck_run *r, duckdb_result *result, struct errmsg *err)
{
    struct column columns[DUCK_COLUMNS_MAX];
    struct frame f;
    int rc = read_columns(r->api, result, columns, &f.columns, err);
    if (rc != 0)
        return rc;
    frame_begin(r, &f);
    while (rc == 0) {
        duckdb_data_chunk chunk = r->api->fetch_chunk(*result);
        if (chunk == NULL) {
            rc = fail_result(r->api, result, err);
            break;
        }
        rc = put_chunk(r, &f, columns, chunk, err);
        r->api->destroy_data_chunk(&chunk);
    }
    if (rc == 0)
        frame_end(r, &f);
    else
        buf_reset(r->out); /* may end within a row */
    return rc;
}

/* ------------------------------------------------------------------------------------------------ running */

static int execute(struct duck_run *r, duckdb_prepared_statement p, struct errmsg *err)
{
    const struct duck_api *api = r->api;
    duckdb_pending_result pending = NULL;
    duckdb_result result;
    memset(&result, 0, sizeof(result));
    int rc = 0;
    if (api->pending_prepared_streaming(p, &pending) != DuckDBSuccess)
        rc = fail_text(err, api->pending_error(pending));
    else if (api->execute_pending(pending, &result) != DuckDBSuccess)
        rc = (rc = fail_result(api, &result, err)) != 0 ? rc : fail_text(err, api->pending_error(pending));
    else
        rc = put_result(r, &result, err);
    api->destroy_result(&result);
    api->destroy_pending(&pending);
    return rc;
}

/* ------------------------------------------------------------------------------------------------ scripts */

static const char *type_name(duckdb_type type)
{
    static const struct {
        duckdb_type type;
        const char *name;
    } names[] = {
#define NAME(type) { DUCKDB_TYPE_##type, #type }
        NAME(BOOLEAN),
        NAME(TINYINT),
        NAME(SMALLINT),
        NAME(INTEGER),
        NAME(BIGINT),
        NAME(UTINYINT),
        NAME(USMALLINT),
        NAME(UINTEGER),
        NAME(UBIGINT),
        NAME(FLOAT),
        NAME(DOUBLE),
        NAME(TIMESTAMP),
        NAME(HUGEINT),
        NAME(VARCHAR),
        NAME(BLOB),
        NAME(DECIMAL),
        { DUCKDB_TYPE_TIMESTAMP_TZ, "TIMESTAMP WITH TIME ZONE" },
#undef NAME
    };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (names[i].type == type)
            return names[i].name;
    return NULL; /* not delivered */
}

static int put_head(struct duck_run *r, duckdb_prepared_statement p, struct errmsg *err)
{
    size_t count = (size_t)r->api->prepared_statement_column_count(p);
    if (count > DUCK_COLUMNS_MAX)
        return (void)errmsg_set(err, "%zu columns in a result, of at most %u", count, DUCK_COLUMNS_MAX), DUCK_ERR_SQL;
    size_t start = duck_frame_begin(r->out, DUCK_FRAME_HEAD);
    duck_put_u32(r->out, (uint32_t)count);
    for (size_t i = 0; i < count; i++) {
        const char *name = r->api->prepared_statement_column_name(p, i);
        const char *type = type_name(r->api->prepared_statement_column_type(p, i));
        duck_put_text(r->out, name != NULL ? name : "", name != NULL ? strlen(name) : 0);
        duck_put_text(r->out, type != NULL ? type : "VARCHAR", strlen(type != NULL ? type : "VARCHAR"));
        r->api->free((void *)(uintptr_t)name);
    }
    duck_frame_end(r->out, start);
    return 0;
}

static bool needs_casts(const struct duck_api *api, duckdb_prepared_statement p)
{
    size_t count = (size_t)api->prepared_statement_column_count(p);
    for (size_t i = 0; i < count; i++)
        if (type_name(api->prepared_statement_column_type(p, i)) == NULL)
            return true;
    return false;
}

/* The statement within one that casts what we do not deliver. NULL: out of memory. */
static char *casting(const struct duck_api *api, duckdb_prepared_statement p, const char *sql)
{
    size_t count = (size_t)api->prepared_statement_column_count(p), len = strlen(sql);
    struct buf b;
    buf_init(&b, DUCK_QUERY_MAX + (64u << 10));
    while (len > 0 && strchr("; \t\r\n", sql[len - 1]) != NULL)
        len--;
    buf_puts(&b, "SELECT ");
    for (size_t i = 0; i < count; i++)
        buf_printf(&b,
                   type_name(api->prepared_statement_column_type(p, i)) != NULL ? "%sc%zu" : "%sCAST(c%zu AS VARCHAR)",
                   i == 0 ? "" : ", ", i);
    buf_puts(&b, " FROM (\n");
    buf_put(&b, sql, len);
    buf_puts(&b, "\n) AS t(");
    for (size_t i = 0; i < count; i++)
        buf_printf(&b, "%sc%zu", i == 0 ? "" : ", ", i);
    buf_puts(&b, ")");
    buf_putc(&b, '\0');
    char *text = b.failed ? NULL : strdup((const char *)b.ptr);
    buf_free(&b);
    return text;
}

static int check_type(const struct duck_run *r, duckdb_prepared_statement p, struct errmsg *err)
{
    if (r->any_statement || r->api->prepared_statement_type(p) == DUCKDB_STATEMENT_TYPE_SELECT)
        return 0;
    return fail(DUCK_ERR_SQL, err, "only SELECT is run");
}

/* Puts another statement in the place of *p: the same with casts. Where that cannot be said *p stays. */
static int add_casts(struct duck_run *r, duckdb_prepared_statement *p, const char *sql, struct errmsg *err)
{
    duckdb_prepared_statement wide = NULL;
    char *text = casting(r->api, *p, sql);
    if (text == NULL)
        return fail(DUCK_ERR_MEMORY, err, "out of memory");
    bool done = r->api->prepare(r->connection, text, &wide) == DuckDBSuccess && check_type(r, wide, err) == 0;
    free(text);
    if (done) {
        duckdb_prepared_statement narrow = *p;
        *p = wide;
        wide = narrow;
    }
    r->api->destroy_prepare(&wide);
    return 0;
}

static int run_before(struct duck_run *r, const struct duck_request *q, struct errmsg *err)
{
    struct duck_run ours = *r;
    int rc = 0;
    ours.any_statement = true;
    for (size_t i = 0; i < q->before_count && rc == 0; i++) {
        const struct duck_request before = { .sql = q->before[i] };
        rc = duck_run(&ours, &before, err);
        buf_reset(r->out); /* the count of rows that a statement gives */
    }
    return rc;
}

/* ------------------------------------------------------------------------------------------------ statements */

static int prepare(struct duck_run *r, const struct duck_request *q, const char *sql, duckdb_prepared_statement *ret,
                   struct errmsg *err)
{
    if (r->api->prepare(r->connection, sql, ret) != DuckDBSuccess)
        return fail_text(err, r->api->prepare_error(*ret));
    int rc = check_type(r, *ret, err);
    if (rc == 0)
        rc = bind_all(r->api, *ret, q, err);
    if (rc != 0 || !q->script)
        return rc;
    rc = put_head(r, *ret, err);
    return rc == 0 && needs_casts(r->api, *ret) ? add_casts(r, ret, sql, err) : rc;
}

// NOLINTNEXTLINE(misc-no-recursion) -- once, for what comes before a script
int duck_run(struct duck_run *r, const struct duck_request *q, struct errmsg *err)
{
    duckdb_prepared_statement p = NULL;
    int rc = run_before(r, q, err);
    char *sql = malloc(q->sql.len + 1);
    if (sql == NULL)
        return fail(DUCK_ERR_MEMORY, err, "out of memory");
    memcpy(sql, q->sql.ptr, q->sql.len);
    sql[q->sql.len] = '\0';
    if (rc == 0)
        rc = prepare(r, q, sql, &p, err);
    if (rc == 0)
        rc = execute(r, p, err);
    else
        buf_reset(r->out);
    r->api->destroy_prepare(&p);
    free(sql);
    return rc;
}
