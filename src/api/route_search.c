/* GET /api/v1/search: rows that match a filter. */
#include <stdlib.h>
#include <string.h>

#include "api/internal.h"

#define LIMIT_DEFAULT 200
#define PAGE          500 /* rows read at a time */

/* One search, as long as its answer takes. */
struct searching {
    struct api *api;
    struct filter *filter;
    struct search *search;
    struct api_rows rows;
};

static void searching_free(void *ctx)
{
    struct searching *s = ctx;
    search_close(s->search);
    filter_free(s->filter);
    free(s);
}

/* ------------------------------------------------------------------------------------------------ parameters */

static bool take_filter(struct api_request *r, struct api_reply *reply, struct searching *s)
{
    struct filter_error bad = { 0 };
    const char *text = api_param(r, "q");
    if (text == NULL || filter_parse(&s->filter, text, strlen(text), &bad) == 0)
        return true;
    return api_problem_at(reply, "q", bad.at, "%s", bad.text);
}

static bool take_columns(struct api_request *r, struct api_reply *reply, struct search_options *o)
{
    struct errmsg err = { "" };
    const char *text = api_param(r, "columns");
    bool payload = false;
    if (!api_param_flag(r, reply, "payload", &payload))
        return false;
    columns_all(&o->columns, payload ? COLUMNS_PAYLOAD : COLUMNS_NO_PAYLOAD);
    if (text == NULL || text[0] == '\0')
        return true;
    if (columns_parse(&o->columns, text, strlen(text), &err) != 0)
        return api_problem_at(reply, "columns", SIZE_MAX, "%s", err.text);
    for (size_t t = 0; t < RECORD_TABLES && payload; t++)
        store_columns_add(&o->columns.table[t], RECORD_COL_payload);
    return true;
}

static bool take_amount(struct api_request *r, struct api_reply *reply, struct search_options *o)
{
    static const char *const totals[] = { "0", "1", "only", NULL };
    uint64_t limit = LIMIT_DEFAULT;
    unsigned total = 0;
    if (!api_param_number(r, reply, "limit", 0, STORE_LIMIT_MAX, &limit) ||
        !api_param_word(r, reply, "total", totals, &total))
        return false;
    o->limit = total == 2 ? 0 : (size_t)limit;
    o->total = total > 0;
    return true;
}

static bool take_order(struct api_request *r, struct api_reply *reply, struct search_options *o)
{
    static const char *const orders[] = { "newest", "oldest", NULL };
    unsigned order = 0;
    if (!api_param_word(r, reply, "order", orders, &order) || !api_param_flag(r, reply, "reverse", &o->reverse))
        return false;
    o->oldest_first = order == 1;
    return api_param_cursor(r, reply, &o->has_after, &o->after);
}

static bool take_time(struct api_request *r, struct api_reply *reply, struct search_options *o)
{
    int64_t budget = (int64_t)atomic_load(&r->api->search_ms) * 1000;
    o->from_us = INT64_MIN;
    o->to_us = INT64_MAX;
    if (!api_param_time(r, reply, "from", &o->from_us) || !api_param_time(r, reply, "to", &o->to_us) ||
        !api_param_duration(r, reply, "timeout", budget, &budget))
        return false;
    o->budget_us = (uint64_t)budget;
    return o->from_us <= o->to_us || api_problem_at(reply, "to", SIZE_MAX, "it is before \"from\"");
}

static bool take_format(struct api_request *r, struct api_reply *reply, struct api_rows *rows)
{
    static const char *const formats[] = { "json", "jsonl", NULL };
    unsigned format = 0;
    if (!api_param_word(r, reply, "format", formats, &format))
        return false;
    rows->lines = format == 1;
    return true;
}

static bool take_params(struct api_request *r, struct api_reply *reply, struct searching *s, struct search_options *o)
{
    return take_filter(r, reply, s) && take_columns(r, reply, o) && take_amount(r, reply, o) &&
           take_order(r, reply, o) && take_time(r, reply, o) && take_format(r, reply, &s->rows);
}

/* ------------------------------------------------------------------------------------------------ the answer */

static void put_result(void *ctx, struct buf *out)
{
    const struct searching *s = ctx;
    search_result_json(out, search_result(s->search));
}

static void put_result_object(void *ctx, struct buf *out)
{
    buf_putc(out, '{');
    put_result(ctx, out);
    buf_putc(out, '}');
}

static int next(void *ctx, struct buf *out, struct errmsg *err)
{
    struct searching *s = ctx;
    api_rows_piece(&s->rows, out);
    int rc = search_next(s->search, PAGE, api_rows_put, &s->rows, err);
    if (rc < 0)
        return api_store_status(s->api, rc);
    if (rc == 0)
        api_rows_end(&s->rows, put_result, s);
    return rc;
}

void api_get_search(struct api_request *r, struct api_reply *reply)
{
    struct search_options o = { 0 };
    struct searching *s = calloc(1, sizeof(*s));
    if (s == NULL) {
        (void)api_problem(reply, 503, "out of memory");
        return;
    }
    s->api = r->api;
    if (!take_params(r, reply, s, &o))
        goto out;
    o.filter = s->filter;
    if (!api_search(r, &o, &s->search, reply))
        goto out;
    if (s->rows.lines)
        reply->type = "application/x-ndjson";
    reply->stream = (struct api_stream){ next, s->rows.lines ? put_result_object : NULL, searching_free, s };
    return;
out:
    searching_free(s);
}
