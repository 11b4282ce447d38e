/* GET /api/v1/search, /api/v1/calls and /api/v1/registrations/attempts: messages, calls, or attempts to register, that
 * match a filter. */
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
    if (!api_param_window(r, reply, &o->from_us, &o->to_us) ||
        !api_param_duration(r, reply, "timeout", budget, &budget))
        return false;
    o->budget_us = (uint64_t)budget;
    return true;
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
    return api_param_filter(r, reply, &s->filter) && api_param_columns(r, reply, &o->columns) &&
           take_amount(r, reply, o) && take_order(r, reply, o) && take_time(r, reply, o) &&
           take_format(r, reply, &s->rows);
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

static void get_rows(struct api_request *r, struct api_reply *reply, unsigned tables)
{
    struct search_options o = { .tables = tables };
    struct searching *s = calloc(1, sizeof(*s));
    if (s == NULL) {
        (void)api_problem(reply, 503, "out of memory");
        return;
    }
    s->api = r->api;
    if (!take_params(r, reply, s, &o))
        goto out;
    const char *misplaced = search_misplaced(s->filter, tables);
    if (misplaced != NULL) {
        (void)api_problem_at(reply, "q", SIZE_MAX, "%s", misplaced);
        goto out;
    }
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

void api_get_search(struct api_request *r, struct api_reply *reply)
{
    get_rows(r, reply, RECORD_TABLES_MESSAGES);
}

void api_get_attempts(struct api_request *r, struct api_reply *reply)
{
    get_rows(r, reply, RECORD_TABLES_REGISTRATIONS);
}

void api_get_calls(struct api_request *r, struct api_reply *reply)
{
    get_rows(r, reply, RECORD_TABLES_CALLS);
}
