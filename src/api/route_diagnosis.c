/* GET /api/v1/calls/{call_id}/diagnosis: what went wrong in a call, in words. */
#include <errno.h>

#include "api/internal.h"
#include "base/when.h"
#include "query/diagnosis_flow.h"

struct diagnosing {
    struct api *api;
    struct diagnosis_query q;
    struct buf *out;
    uint64_t messages;
    bool bad_call_id;
    struct errmsg text;
};

/* A Call-ID that is none is the client's mistake and said with the name of the parameter. */
static int diagnose(void *arg, const atomic_bool *cancel, bool *ret_timed_out, struct errmsg *err)
{
    struct diagnosing *d = arg;
    *ret_timed_out = false;
    d->q.cancel = cancel;
    int rc = diagnosis_flow(d->out, d->api->sources.store, &d->q, &d->messages, err);
    if (rc != -EINVAL)
        return rc;
    d->bad_call_id = true;
    d->text = *err;
    return 0;
}

void api_get_diagnosis(struct api_request *r, struct api_reply *reply)
{
    struct diagnosing d = {
        .api = r->api,
        .out = &reply->body,
        .q = { .from_us = INT64_MIN,
               .to_us = INT64_MAX,
               .budget_us = (uint64_t)atomic_load(&r->api->search_ms) * 1000,
               .now_us = when_now() },
    };
    d.q.call_id = api_path_value(r, &d.q.call_id_len);
    if (!api_param_flag(r, reply, "legs", &d.q.with_legs) || !api_param_time(r, reply, "from", &d.q.from_us) ||
        !api_param_time(r, reply, "to", &d.q.to_us))
        return;
    if (api_in_turn(r, reply, diagnose, &d) && d.bad_call_id)
        (void)api_problem_at(reply, "call_id", SIZE_MAX, "%s", d.text.text);
}
