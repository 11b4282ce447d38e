/* GET /api/v1/flow: all messages of a Call-ID, in the order of time. */
#include <stdlib.h>
#include <string.h>

#include "api/internal.h"
#include "query/flow.h"

struct flowing {
    struct api *api;
    struct api_conn *conn;
    struct flow *flow;
    struct api_rows rows;
    bool begun; /* the first page is out: the others wait for their turn as long as it takes */
};

static void flowing_free(void *ctx)
{
    struct flowing *f = ctx;
    flow_close(f->flow);
    free(f);
}

static bool take_columns(struct api_request *r, struct api_reply *reply, struct flow_options *o)
{
    static const char *const payloads[] = { "0", "log", "1", NULL };
    struct errmsg err = { "" };
    const char *text = api_param(r, "columns");
    unsigned payload = COLUMNS_NO_PAYLOAD;
    if (!api_param_word(r, reply, "payload", payloads, &payload))
        return false;
    columns_all(&o->columns, (enum columns_payload)payload);
    if (text == NULL || text[0] == '\0')
        return true;
    return columns_parse(&o->columns, text, strlen(text), &err) == 0 ||
           api_problem_at(reply, "columns", SIZE_MAX, "%s", err.text);
}

static bool take_params(struct api_request *r, struct api_reply *reply, struct flowing *f, struct flow_options *o)
{
    static const char *const formats[] = { "json", "jsonl", NULL };
    unsigned format = 0;
    o->call_id = api_param(r, "call_id");
    o->from_us = INT64_MIN;
    o->to_us = INT64_MAX;
    o->budget_us = (uint64_t)atomic_load(&r->api->search_ms) * 1000;
    o->cancel = r->conn == NULL ? NULL : &r->conn->gone;
    if (o->call_id == NULL || o->call_id[0] == '\0')
        return api_problem_at(reply, "call_id", SIZE_MAX, "it is needed");
    o->call_id_len = strlen(o->call_id);
    if (!api_param_flag(r, reply, "legs", &o->with_legs) || !api_param_flag(r, reply, "media", &o->with_media) ||
        !api_param_time(r, reply, "from", &o->from_us) ||
        !api_param_time(r, reply, "to", &o->to_us) || !api_param_number(r, reply, "limit", 1, UINT32_MAX, &o->limit) ||
        !api_param_cursor(r, reply, &o->has_after, &o->after) || !take_columns(r, reply, o) ||
        !api_param_word(r, reply, "format", formats, &format))
        return false;
    f->rows.lines = format == 1;
    return true;
}

static void put_result(void *ctx, struct buf *out)
{
    const struct flowing *f = ctx;
    flow_result_json(out, flow_result(f->flow));
}

static void put_result_object(void *ctx, struct buf *out)
{
    buf_putc(out, '{');
    put_result(ctx, out);
    buf_putc(out, '}');
}

static int next(void *ctx, struct buf *out, struct errmsg *err)
{
    struct flowing *f = ctx;
    int status = api_turn_begin(f->api, f->conn, f->begun, err);
    if (status != 0)
        return status;
    f->begun = true;
    api_rows_piece(&f->rows, out);
    int rc = flow_next(f->flow, api_rows_put, &f->rows, err);
    api_turn_end(f->api, f->conn);
    if (rc < 0)
        return api_store_status(f->api, rc);
    if (rc == 0)
        api_rows_end(&f->rows, put_result, f);
    return rc;
}

void api_get_flow(struct api_request *r, struct api_reply *reply)
{
    struct flow_options o = { 0 };
    struct errmsg err = { "" };
    struct flowing *f = calloc(1, sizeof(*f));
    if (f == NULL) {
        (void)api_problem(reply, 503, "out of memory");
        return;
    }
    f->api = r->api;
    f->conn = r->conn;
    if (!take_params(r, reply, f, &o))
        goto out;
    if (flow_open(&f->flow, r->api->sources.store, &o, &err) != 0) {
        (void)api_problem_at(reply, "call_id", SIZE_MAX, "%s", err.text);
        goto out;
    }
    if (f->rows.lines)
        reply->type = "application/x-ndjson";
    reply->stream = (struct api_stream){ next, f->rows.lines ? put_result_object : NULL, flowing_free, f };
    return;
out:
    flowing_free(f);
}
