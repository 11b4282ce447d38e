/* GET /api/v1/kpi: key figures of calls. */
#include <errno.h>

#include "api/internal.h"
#include "query/kpi.h"

#define GROUPS_DEFAULT 10
#define STEP_LEAST_US  INT64_C(1000000)
#define STEP_MOST_US   (INT64_C(366) * 86400 * 1000000)

struct figuring {
    struct api *api;
    struct filter *filter;
    struct kpi_options o;
    struct buf *out;
    const char *bad; /* the parameter that cannot be */
    struct errmsg text;
};

/* What cannot be grouped by, or into so many steps, is the client's mistake. */
static int figure(void *arg, const atomic_bool *cancel, bool *ret_timed_out, struct errmsg *err)
{
    struct figuring *f = arg;
    *ret_timed_out = false;
    f->o.cancel = cancel;
    int rc = kpi_json(f->out, f->api->sources.store, &f->o, err);
    if (rc != -EINVAL && rc != -ERANGE)
        return rc;
    f->bad = rc == -EINVAL ? "by" : "step";
    f->text = *err;
    return 0;
}

static bool take_params(struct api_request *r, struct api_reply *reply, struct figuring *f)
{
    int64_t budget = (int64_t)atomic_load(&r->api->search_ms) * 1000;
    int64_t step = 0;
    uint64_t groups = GROUPS_DEFAULT, prefix = 0;
    if (!api_param_filter(r, reply, &f->filter) || !api_param_window(r, reply, &f->o.from_us, &f->o.to_us) ||
        !api_param_number(r, reply, "groups", 1, KPI_GROUPS_MAX, &groups) ||
        !api_param_number(r, reply, "prefix", 1, KPI_PREFIX_MAX, &prefix) ||
        !api_param_duration(r, reply, "step", STEP_MOST_US, &step) ||
        !api_param_duration(r, reply, "timeout", budget, &budget))
        return false;
    const char *misplaced = search_misplaced(f->filter, RECORD_TABLES_CALLS);
    if (misplaced != NULL)
        return api_problem_at(reply, "q", SIZE_MAX, "%s", misplaced);
    const char *by = api_param(r, "by");
    f->o.by = by != NULL && by[0] != '\0' ? by : NULL;
    if (prefix > 0 && f->o.by == NULL)
        return api_problem_at(reply, "prefix", SIZE_MAX, "it goes with \"by\"");
    if (step != 0 && step < STEP_LEAST_US)
        return api_problem_at(reply, "step", SIZE_MAX, "less than a second");
    f->o.prefix = (size_t)prefix;
    f->o.step_us = (uint64_t)step;
    f->o.filter = f->filter;
    f->o.groups = (size_t)groups;
    f->o.budget_us = (uint64_t)budget;
    return true;
}

void api_get_kpi(struct api_request *r, struct api_reply *reply)
{
    struct figuring f = { .api = r->api, .out = &reply->body, .text = { "" } };
    if (take_params(r, reply, &f) && api_in_turn(r, reply, figure, &f) && f.bad != NULL)
        (void)api_problem_at(reply, f.bad, SIZE_MAX, "%s", f.text.text);
    filter_free(f.filter);
}
