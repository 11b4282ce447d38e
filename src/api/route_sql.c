/* POST /api/v1/sql: one SELECT over the sealed files, where the configuration says so. */
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "api/internal.h"
#include "query/sql.h"

#define PIECE ((size_t)256 << 10)

struct statement {
    struct buf body;
    bool too_long;
};

/* The result while the client takes it. */
#define RESULTS_MAX                                                                                                    \
    3 /* under way at once: the result of each may have SQL_RESULT_MAX octets, and readers may be slow */

struct handing {
    struct api *api;
    struct buf result;
    size_t at;
};

/* ------------------------------------------------------------------------------------------------ the body */

bool api_sql_begin(struct api_request *r, struct api_reply *reply)
{
    if (!r->api->sql)
        return api_problem(reply, 403, "SQL is off: query.sql in the configuration turns it on");
    if (!api_has_type(r, "text/plain") && !api_has_type(r, "application/sql") && !api_has_type(r, "application/json"))
        return api_problem(reply, 415, "a statement is needed: Content-Type: text/plain or application/json");
    struct statement *s = calloc(1, sizeof(*s));
    if (s == NULL)
        return api_problem(reply, 503, "out of memory");
    buf_init(&s->body, 2 * SQL_TEXT_MAX);
    r->state = s;
    return true;
}

/* What comes behind the limit is read, so that the answer can be, but not kept. */
unsigned api_sql_body(struct api_request *r, const void *data, size_t len)
{
    struct statement *s = r->state;
    if (s->too_long)
        return 0;
    buf_put(&s->body, data, len);
    s->too_long = s->body.failed;
    return 0;
}

void api_sql_end(struct api_request *r)
{
    struct statement *s = r->state;
    if (s == NULL)
        return;
    buf_free(&s->body);
    free(s);
    r->state = NULL;
}

/* ------------------------------------------------------------------------------------------------ the question */

static bool take_json(struct api_reply *reply, struct buf *body, uint64_t *ret_limit)
{
    json_error_t bad;
    json_int_t limit = (json_int_t)*ret_limit;
    const char *sql;
    size_t len;
    json_t *j = json_loadb((const char *)body->ptr, body->len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &bad);
    if (j == NULL)
        return api_problem(reply, 400, "that is no JSON: %s", bad.text);
    bool ok = json_unpack_ex(j, &bad, JSON_STRICT, "{s:s%,s?:I}", "sql", &sql, &len, "limit", &limit) == 0;
    if (!ok)
        (void)api_problem(reply, 400, "an object with \"sql\" and perhaps \"limit\" is needed: %s", bad.text);
    else if (limit < 1 || limit > SQL_LIMIT_MAX)
        ok = api_problem_at(reply, "limit", SIZE_MAX, "not in 1..%d", SQL_LIMIT_MAX);
    if (ok) {
        struct buf text;
        buf_init(&text, 2 * SQL_TEXT_MAX);
        buf_put(&text, sql, len);
        buf_free(body);
        *body = text;
        *ret_limit = (uint64_t)limit;
    }
    json_decref(j);
    return ok;
}

static bool take_statement(struct api_request *r, struct api_reply *reply, struct sql_options *o)
{
    struct statement *s = r->state;
    int64_t most = (int64_t)atomic_load(&r->api->search_ms) * 1000, budget = most;
    uint64_t limit = SQL_LIMIT_DEFAULT;
    if (s->too_long)
        return api_problem(reply, 413, "more than %zu octets", SQL_TEXT_MAX);
    if (!api_param_number(r, reply, "limit", 1, SQL_LIMIT_MAX, &limit) ||
        !api_param_duration(r, reply, "timeout", most, &budget) ||
        (api_has_type(r, "application/json") && !take_json(reply, &s->body, &limit)))
        return false;
    if (s->body.len == 0)
        return api_problem_at(reply, "sql", SIZE_MAX, "there is no statement");
    if (s->body.len > SQL_TEXT_MAX)
        return api_problem(reply, 413, "more than %zu octets", SQL_TEXT_MAX);
    if (memchr(s->body.ptr, '\0', s->body.len) != NULL)
        return api_problem_at(reply, "sql", SIZE_MAX, "a NUL character");
    buf_putc(&s->body, '\0');
    if (s->body.failed)
        return api_problem(reply, 503, "out of memory");
    *o = (struct sql_options){ .text = (const char *)s->body.ptr,
                               .limit = (size_t)limit,
                               .budget_us = (uint64_t)budget };
    return true;
}

/* ------------------------------------------------------------------------------------------------ the answer */

static int next(void *ctx, struct buf *out, struct errmsg *err)
{
    struct handing *h = ctx;
    size_t left = h->result.len - h->at, n = left < PIECE ? left : PIECE;
    (void)err;
    buf_put(out, h->result.ptr + h->at, n);
    h->at += n;
    return h->at < h->result.len;
}

static void handing_free(void *ctx)
{
    struct handing *h = ctx;
    atomic_fetch_sub(&h->api->sql_results, 1);
    buf_free(&h->result);
    free(h);
}

/* A statement that is refused, or that takes more than there is, is the fault of who typed it. */
static void complain(struct api_request *r, struct api_reply *reply, int rc, const char *text)
{
    switch (rc) {
    case -EINVAL:
        (void)api_problem_at(reply, "sql", SIZE_MAX, "%s", text);
        break;
    case -ETIME:
    case -ENOMEM:
        (void)api_problem(reply, 422, "%s", text);
        break;
    case -ENOTSUP:
        (void)api_problem(reply, 503, "%s", text);
        break;
    default:
        reply->retry_after = rc == -EBUSY ? 1 : 0;
        (void)api_problem(reply, (unsigned)-api_store_status(r->api, rc), "%s", text);
        break;
    }
}

/* SQL has turns of its own: it never waits for searches, nor they for it. */
static int run(struct api_request *r, struct sql_options *o, struct buf *out, struct errmsg *err)
{
    struct api *a = r->api;
    o->cancel = r->conn == NULL ? NULL : &r->conn->gone;
    api_conn_watch(&a->conns, r->conn, true);
    int rc = api_gate_enter(&a->sql_gate, o->cancel, false);
    if (rc == 0) {
        rc = sql_run(out, a->sources.store, o, err);
        api_gate_leave(&a->sql_gate);
    } else {
        (void)errmsg_set(err, "other statements run or wait already; try again");
        rc = rc == -ECANCELED ? rc : -EBUSY;
    }
    api_conn_watch(&a->conns, r->conn, false);
    return rc;
}

void api_post_sql(struct api_request *r, struct api_reply *reply)
{
    struct sql_options o;
    struct errmsg err = { "" };
    if (!take_statement(r, reply, &o))
        return;
    if (atomic_fetch_add(&r->api->sql_results, 1) >= RESULTS_MAX) {
        atomic_fetch_sub(&r->api->sql_results, 1);
        reply->retry_after = 1;
        (void)api_problem(reply, 503, "%d statements run, wait, or are being read already", RESULTS_MAX);
        return;
    }
    struct handing *h = calloc(1, sizeof(*h));
    if (h == NULL) {
        atomic_fetch_sub(&r->api->sql_results, 1);
        (void)api_problem(reply, 503, "out of memory");
        return;
    }
    h->api = r->api;
    buf_init(&h->result, SQL_RESULT_MAX + ((size_t)1 << 20));
    int rc = run(r, &o, &h->result, &err);
    if (rc == 0 && h->result.failed) {
        rc = -ENOMEM;
        (void)errmsg_set(&err, "out of memory");
    }
    if (rc != 0) {
        complain(r, reply, rc, err.text);
        handing_free(h);
        return;
    }
    reply->stream = (struct api_stream){ next, NULL, handing_free, h };
}
