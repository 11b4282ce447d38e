/* GET /api/v1/counts: messages over time, by value. GET /api/v1/values: the values that are frequent, for completion.
 */
#include <errno.h>
#include <string.h>

#include "api/internal.h"
#include "query/counts.h"

#define TOP_DEFAULT      10
#define VALUES_DEFAULT   20
#define VALUES_BUDGET_US INT64_C(2000000) /* somebody types */
#define INTERVAL_MAX_US  (INT64_C(36500) * 86400 * 1000000)

static bool take_budget(struct api_request *r, struct api_reply *reply, int64_t usual_us, uint64_t *ret)
{
    int64_t most = (int64_t)atomic_load(&r->api->search_ms) * 1000, budget = usual_us < most ? usual_us : most;
    if (!api_param_duration(r, reply, "timeout", most, &budget))
        return false;
    *ret = (uint64_t)budget;
    return true;
}

/* What is counted: messages, calls, or attempts to register. */
static bool take_of(struct api_request *r, struct api_reply *reply, unsigned *ret)
{
    static const char *const words[] = { "messages", "calls", "registrations", NULL };
    static const unsigned tables[] = { RECORD_TABLES_MESSAGES, RECORD_TABLES_CALLS, RECORD_TABLES_REGISTRATIONS };
    unsigned of = 0;
    if (!api_param_word(r, reply, "of", words, &of))
        return false;
    *ret = tables[of];
    return true;
}

static bool take_by(struct api_reply *reply, unsigned tables, const char *param, const char *name,
                    struct counts_by *ret)
{
    struct errmsg err = { "" };
    return counts_by_parse(ret, tables, name, strlen(name), &err) == 0 ||
           api_problem_at(reply, param, SIZE_MAX, "%s", err.text);
}

/* ------------------------------------------------------------------------------------------------ counts */

struct counting {
    struct api *api;
    struct filter *filter;
    struct counts_by by;
    struct counts_options o;
    struct counts counts;
    bool too_fine; /* the interval would give too many buckets */
    struct errmsg text;
};

static bool take_counts_by(struct api_request *r, struct api_reply *reply, struct counting *c)
{
    const char *by = api_param(r, "by");
    if (by == NULL || by[0] == '\0')
        return true;
    if (!take_by(reply, c->o.tables, "by", by, &c->by))
        return false;
    c->o.by = &c->by;
    return c->by.count == 1 ||
           api_problem_at(reply, "by", SIZE_MAX, "'%.64s' looks at several columns: name one of them, such as %s", by,
                          c->by.name);
}

static bool take_interval(struct api_request *r, struct api_reply *reply, struct counting *c)
{
    const char *text = api_param(r, "interval");
    int64_t us = 0;
    if (text != NULL && strcmp(text, "auto") != 0 && !api_param_duration(r, reply, "interval", INTERVAL_MAX_US, &us))
        return false;
    c->o.interval_us = (uint64_t)us;
    return us == 0 || us >= 1000 || api_problem_at(reply, "interval", SIZE_MAX, "less than a millisecond");
}

static bool take_counts_params(struct api_request *r, struct api_reply *reply, struct counting *c)
{
    uint64_t top = TOP_DEFAULT;
    if (!take_of(r, reply, &c->o.tables) || !api_param_filter(r, reply, &c->filter) ||
        !api_param_window(r, reply, &c->o.from_us, &c->o.to_us) || !take_interval(r, reply, c) ||
        !take_counts_by(r, reply, c) || !api_param_number(r, reply, "top", 1, COUNTS_TOP_MAX, &top))
        return false;
    c->o.filter = c->filter;
    c->o.top = (size_t)top;
    return take_budget(r, reply, INT64_MAX, &c->o.budget_us);
}

static int count(void *arg, const atomic_bool *cancel, bool *ret_timed_out, struct errmsg *err)
{
    struct counting *c = arg;
    c->o.cancel = cancel;
    int rc = counts_run(&c->counts, c->api->sources.store, &c->o, err);
    *ret_timed_out = rc == 0 && c->counts.a.timed_out;
    if (rc == -E2BIG) {
        c->too_fine = true;
        c->text = *err;
        return 0;
    }
    return rc;
}

void api_get_counts(struct api_request *r, struct api_reply *reply)
{
    struct counting c = { .api = r->api };
    if (!take_counts_params(r, reply, &c) || !api_in_turn(r, reply, count, &c))
        goto out;
    if (c.too_fine) {
        (void)api_problem_at(reply, "interval", SIZE_MAX, "%s", c.text.text);
        goto out;
    }
    counts_json(&reply->body, &c.counts);
    counts_free(&c.counts);
out:
    filter_free(c.filter);
}

/* ------------------------------------------------------------------------------------------------ values */

struct listing {
    struct api *api;
    struct filter *filter;
    struct counts_by by;
    struct counts_values_options o;
    struct buf *out;
};

static int list(void *arg, const atomic_bool *cancel, bool *ret_timed_out, struct errmsg *err)
{
    struct listing *l = arg;
    l->o.cancel = cancel;
    return counts_values(l->out, ret_timed_out, l->api->sources.store, &l->o, err);
}

static bool take_values_params(struct api_request *r, struct api_reply *reply, struct listing *l)
{
    uint64_t limit = VALUES_DEFAULT;
    const char *field = api_param(r, "field");
    if (field == NULL || field[0] == '\0')
        return api_problem_at(reply, "field", SIZE_MAX, "the name of a column or field is needed");
    if (!take_of(r, reply, &l->o.tables) || !take_by(reply, l->o.tables, "field", field, &l->by) ||
        !api_param_filter(r, reply, &l->filter) || !api_param_window(r, reply, &l->o.from_us, &l->o.to_us) ||
        !api_param_number(r, reply, "limit", 1, COUNTS_VALUES_MAX, &limit))
        return false;
    l->o.by = &l->by;
    l->o.filter = l->filter;
    l->o.prefix = api_param(r, "prefix");
    l->o.limit = (size_t)limit;
    return take_budget(r, reply, VALUES_BUDGET_US, &l->o.budget_us);
}

void api_get_values(struct api_request *r, struct api_reply *reply)
{
    struct listing l = { .api = r->api, .out = &reply->body };
    if (take_values_params(r, reply, &l))
        (void)api_in_turn(r, reply, list, &l);
    filter_free(l.filter);
}
