/* GET /api/v1/export: messages as a file: pcap, pcapng, text, JSON lines, CSV. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/internal.h"
#include "query/export.h"

struct exporting {
    struct api *api;
    struct api_conn *conn;
    struct filter *filter;
    struct export *export;
    bool begun; /* the first piece is out: the others wait for their turn as long as it takes */
};

static void exporting_free(void *ctx)
{
    struct exporting *x = ctx;
    export_close(x->export);
    filter_free(x->filter);
    free(x);
}

/* ------------------------------------------------------------------------------------------------ parameters */

static bool take_format(struct api_request *r, struct api_reply *reply, struct export_options *o)
{
    const char *names[EXPORT_FORMATS + 1] = { NULL };
    unsigned format = EXPORT_PCAP;
    for (unsigned i = 0; i < EXPORT_FORMATS; i++)
        names[i] = export_kind((enum export_format)i)->name;
    if (!api_param_word(r, reply, "format", names, &format))
        return false;
    o->format = (enum export_format)format;
    o->payload = export_kind(o->format)->payload;
    o->columns = api_param(r, "columns");
    return api_param_flag(r, reply, "payload", &o->payload);
}

static bool take_question(struct api_request *r, struct api_reply *reply, struct exporting *x, struct export_options *o)
{
    const char *text = api_param(r, "q");
    o->call_ids = api_param(r, "call_id");
    if (!api_param_flag(r, reply, "calls", &o->calls) || !api_param_flag(r, reply, "legs", &o->legs) ||
        !api_param_flag(r, reply, "partial", &o->partial))
        return false;
    if (o->legs && !o->calls && o->call_ids == NULL)
        return api_problem_at(reply, "legs", SIZE_MAX, "it goes with \"call_id\" or \"calls\"");
    if (o->call_ids != NULL && o->call_ids[0] == '\0') /* an empty variable of a script must not mean everything */
        return api_problem_at(reply, "call_id", SIZE_MAX, "it is empty");
    if (o->call_ids != NULL && text != NULL && text[0] != '\0')
        return api_problem_at(reply, "call_id", SIZE_MAX, "either \"q\" or \"call_id\"");
    if (!api_param_filter(r, reply, &x->filter))
        return false;
    o->filter = x->filter;
    return true;
}

static bool take_amount(struct api_request *r, struct api_reply *reply, struct export_options *o)
{
    static const char *const orders[] = { "newest", "oldest", NULL };
    int64_t budget = (int64_t)atomic_load(&r->api->search_ms) * 1000;
    unsigned order = 0;
    o->from_us = INT64_MIN;
    o->to_us = INT64_MAX;
    if (!api_param_number(r, reply, "limit", 1, EXPORT_LIMIT_MAX, &o->limit) ||
        !api_param_word(r, reply, "order", orders, &order) || !api_param_time(r, reply, "from", &o->from_us) ||
        !api_param_time(r, reply, "to", &o->to_us) || !api_param_duration(r, reply, "timeout", budget, &budget))
        return false;
    o->oldest_first = order == 1;
    o->budget_us = (uint64_t)budget;
    return o->from_us <= o->to_us || api_problem_at(reply, "to", SIZE_MAX, "it is before \"from\"");
}

/* ------------------------------------------------------------------------------------------------ the answer */

static void put_result(void *ctx, struct buf *out)
{
    const struct exporting *x = ctx;
    buf_putc(out, '{');
    export_result_json(out, export_result(x->export));
    buf_putc(out, '}');
}

static int next(void *ctx, struct buf *out, struct errmsg *err)
{
    struct exporting *x = ctx;
    int status = api_turn_begin(x->api, x->conn, x->begun, err);
    if (status != 0)
        return status;
    x->begun = true;
    /* A long file takes its time: each piece has the time of an answer. */
    api_conn_limit(&x->api->conns, x->conn, x->api->answer_ms);
    int rc = export_next(x->export, out, err);
    api_turn_end(x->api, x->conn);
    if (rc == -E2BIG)
        return -400;
    return rc < 0 ? api_store_status(x->api, rc) : rc;
}

static int open_export(struct api_request *r, struct exporting *x, const struct export_options *o,
                       struct api_reply *reply)
{
    struct errmsg err = { "" };
    int rc = export_open(&x->export, r->api->sources.store, o, &err);
    if (rc == -EINVAL)
        (void)api_problem_at(reply, strstr(err.text, "Call-ID") != NULL ? "call_id" : "columns", SIZE_MAX, "%s",
                             err.text);
    else if (rc != 0)
        (void)api_problem(reply, 503, "%s", err.text);
    return rc;
}

void api_get_export(struct api_request *r, struct api_reply *reply)
{
    struct export_options o = { .cancel = r->conn == NULL ? NULL : &r->conn->gone, .program = "hepcat" };
    struct exporting *x = calloc(1, sizeof(*x));
    if (x == NULL) {
        (void)api_problem(reply, 503, "out of memory");
        return;
    }
    x->api = r->api;
    x->conn = r->conn;
    if (!take_format(r, reply, &o) || !take_question(r, reply, x, &o) || !take_amount(r, reply, &o) ||
        open_export(r, x, &o, reply) != 0) {
        exporting_free(x);
        return;
    }
    reply->type = export_kind(o.format)->media_type;
    reply->file_name = export_kind(o.format)->file_name;
    reply->stream = (struct api_stream){ next, put_result, exporting_free, x };
}
