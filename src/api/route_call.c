/* GET /api/v1/calls/{call_id}: the records of a call and of all its legs. */
#include <errno.h>
#include <string.h>

#include "api/internal.h"
#include "filter/filter_text.h"
#include "query/call_legs.h"

#define ROWS_MAX 1000 /* a Call-ID that comes again and again has a record each time */
#define PAGE     500

struct showing {
    struct api *api;
    struct call_legs_options o;
    struct buf *out;
    bool unknown;
    struct errmsg text; /* of a Call-ID that is none */
};

static void put_legs(void *ctx, struct buf *out)
{
    const struct call_legs *l = ctx;
    call_legs_json(out, l);
}

static int put_rows(struct showing *s, struct call_legs *legs, const struct filter *filter, bool *ret_timed_out,
                    struct errmsg *err)
{
    struct api_rows rows = { .out = NULL };
    struct search *search = NULL;
    struct search_options o = { .tables = RECORD_TABLES_CALLS,
                                .filter = filter,
                                .from_us = INT64_MIN,
                                .to_us = INT64_MAX,
                                .oldest_first = true,
                                .limit = ROWS_MAX,
                                .budget_us = s->o.budget_us,
                                .cancel = s->o.cancel };
    columns_all(&o.columns, COLUMNS_NO_PAYLOAD);
    int rc = search_open(&search, s->api->sources.store, &o, err);
    if (rc != 0)
        return rc;
    const struct search_result *found = search_result(search);
    *ret_timed_out = found->timed_out;
    if (legs->problem.text[0] == '\0')
        legs->problem = found->problem;
    s->unknown = found->count == 0 && legs->problem.text[0] == '\0';
    api_rows_piece(&rows, s->out);
    do
        rc = search_next(search, PAGE, api_rows_put, &rows, err);
    while (rc > 0 && !s->out->failed);
    search_close(search);
    if (rc >= 0)
        api_rows_end(&rows, put_legs, legs);
    return rc < 0 ? rc : 0;
}

static int show(void *arg, const atomic_bool *cancel, bool *ret_timed_out, struct errmsg *err)
{
    struct showing *s = arg;
    struct filter *filter = NULL;
    struct call_legs legs;
    const struct hep_slice call_id = { (const uint8_t *)s->o.call_id, s->o.call_id_len };
    *ret_timed_out = false;
    if (filter_text_parse(&filter, "callid", &call_id, 1, &s->text) != 0)
        return 0; /* the client's mistake */
    filter_free(filter);
    filter = NULL;
    s->o.cancel = cancel;
    int rc = call_legs_find(&legs, s->api->sources.store, &s->o, err);
    if (rc != 0)
        return rc;
    rc = filter_text_parse(&filter, "callid", legs.call_ids, legs.count, err);
    if (rc == 0)
        rc = put_rows(s, &legs, filter, ret_timed_out, err);
    filter_free(filter);
    call_legs_free(&legs);
    return rc;
}

void api_get_call(struct api_request *r, struct api_reply *reply)
{
    int64_t budget = (int64_t)atomic_load(&r->api->search_ms) * 1000;
    struct showing s = { .api = r->api, .out = &reply->body, .text = { "" } };
    if (!api_param_duration(r, reply, "timeout", budget, &budget))
        return;
    s.o.budget_us = (uint64_t)budget;
    s.o.call_id = api_path_value(r, &s.o.call_id_len);
    if (s.o.call_id_len == 0)
        (void)api_problem_at(reply, "call_id", SIZE_MAX, "it is needed");
    else if (!api_in_turn(r, reply, show, &s))
        return;
    else if (s.text.text[0] != '\0')
        (void)api_problem_at(reply, "call_id", SIZE_MAX, "this Call-ID cannot be looked for: %s", s.text.text);
    else if (s.unknown)
        (void)api_problem(reply, 404, "no call has this Call-ID");
}
