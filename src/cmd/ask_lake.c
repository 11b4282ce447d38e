/* A search or flow in the files of a data directory, beside a running server or without one. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/when.h"
#include "cmd/ask.h"
#include "query/flow.h"
#include "query/row_json.h"
#include "store/lake/lake.h"

#define PAGE      500
#define BUDGET_US (INT64_C(3600) * 1000000)
#define ROW_MAX   ((size_t)4 << 20)

/* Hands rows over as JSON. */
struct writing {
    const struct ask *ask;
    struct buf row;
    bool enough;
};

static int on_row(void *arg, enum record_table table, const struct record_cell *cells,
                  const struct store_columns *columns)
{
    struct writing *w = arg;
    buf_reset(&w->row);
    row_json(&w->row, table, cells, columns);
    w->enough = w->row.failed || w->ask->row(w->ask->arg, (const char *)w->row.ptr, w->row.len) != 0;
    return w->enough;
}

/* ------------------------------------------------------------------------------------------------ the question */

static int bad(struct ask_problem *problem, const char *option, const char *value)
{
    problem->usage = true;
    return errmsg_set(&problem->text, "--%s: '%s' cannot be read", option, value);
}

static int take_time(const char *option, const char *text, int64_t *ret, struct ask_problem *problem)
{
    if (text == NULL || when_parse(text, strlen(text), when_now(), ret))
        return 0;
    return bad(problem, option, text);
}

static int take_columns(const struct ask *a, struct columns *ret, struct ask_problem *problem)
{
    columns_all(ret, a->payload ? COLUMNS_PAYLOAD : a->log_payload ? COLUMNS_LOG_PAYLOAD : COLUMNS_NO_PAYLOAD);
    if (a->columns == NULL)
        return 0;
    problem->usage = true;
    if (columns_parse(ret, a->columns, strlen(a->columns), &problem->text) != 0)
        return -1;
    problem->usage = false;
    for (size_t t = 0; t < RECORD_TABLES && a->payload; t++)
        store_columns_add(&ret->table[t], RECORD_COL_payload);
    return 0;
}

static const char *variable(const char *name, const char *usual)
{
    const char *text = getenv(name);
    return text != NULL && text[0] != '\0' ? text : usual;
}

/* There is no configuration here, but its variables may be set. */
static bool take_rules(struct filter_rules *ret)
{
    return filter_rules_set(ret, variable("HEPCAT_NUMBERS_COUNTRY", ""),
                            variable("HEPCAT_NUMBERS_INTERNATIONAL", "00,011"), variable("HEPCAT_NUMBERS_TRUNK", "0"));
}

static int take_filter(const struct ask *a, struct filter **ret, struct ask_problem *problem)
{
    struct filter_error err = { 0 };
    struct filter_options options = { .now_us = when_now() };
    if (!take_rules(&options.rules)) {
        problem->usage = true;
        return errmsg_set(&problem->text, "a variable HEPCAT_NUMBERS_... is no prefix of phone numbers");
    }
    if (a->filter == NULL || filter_parse_with(ret, a->filter, strlen(a->filter), &options, &err) == 0)
        return 0;
    problem->usage = problem->in_filter = true;
    problem->at = err.at;
    return errmsg_set(&problem->text, "%s", err.text);
}

int ask_question(const struct ask *a, struct filter **ret_filter, int64_t *ret_from_us, int64_t *ret_to_us,
                 uint64_t *ret_budget_us, struct ask_problem *problem)
{
    int64_t budget = BUDGET_US;
    *ret_from_us = INT64_MIN;
    *ret_to_us = INT64_MAX;
    if (a->timeout != NULL && !when_duration(a->timeout, strlen(a->timeout), BUDGET_US, &budget))
        return bad(problem, "timeout", a->timeout);
    *ret_budget_us = (uint64_t)budget;
    if (take_time("from", a->from, ret_from_us, problem) != 0 || take_time("to", a->to, ret_to_us, problem) != 0)
        return -1;
    return take_filter(a, ret_filter, problem);
}

static int take_search(const struct ask *a, struct search_options *o, struct filter **ret_filter,
                       struct ask_problem *problem)
{
    *o = (struct search_options){ .tables = a->calls      ? RECORD_TABLES_CALLS
                                            : a->attempts ? RECORD_TABLES_REGISTRATIONS
                                                          : RECORD_TABLES_MESSAGES,
                                  .oldest_first = a->oldest,
                                  .reverse = !a->oldest,
                                  .limit = a->count_only ? 0 : a->limit,
                                  .total = true };
    if (take_columns(a, &o->columns, problem) != 0)
        return -1;
    if (ask_question(a, ret_filter, &o->from_us, &o->to_us, &o->budget_us, problem) != 0)
        return -1;
    const char *misplaced = search_misplaced(*ret_filter, o->tables);
    problem->usage = misplaced != NULL;
    return misplaced == NULL ? 0 : errmsg_set(&problem->text, "%s", misplaced);
}

/* ------------------------------------------------------------------------------------------------ the answer */

json_t *ask_result_object(void (*put)(struct buf *out, const void *result), const void *result)
{
    struct buf b;
    buf_init(&b, 8192);
    buf_putc(&b, '{');
    put(&b, result);
    buf_puts(&b, "}");
    json_t *j = b.failed ? NULL : json_loadb((const char *)b.ptr, b.len, 0, NULL);
    buf_free(&b);
    return j;
}

static void put_search(struct buf *out, const void *result)
{
    search_result_json(out, result);
}

static void put_flow(struct buf *out, const void *result)
{
    flow_result_json(out, result);
}

static int run_search(struct store *lake, struct writing *w, json_t **ret, struct ask_problem *problem)
{
    struct search_options o;
    struct filter *filter = NULL;
    struct search *search = NULL;
    int rc = take_search(w->ask, &o, &filter, problem);
    if (rc == 0) {
        o.filter = filter;
        rc = search_open(&search, lake, &o, &problem->text);
    }
    if (rc == 0)
        do
            rc = search_next(search, PAGE, on_row, w, &problem->text);
        while (rc > 0 && !w->enough);
    if (rc == 0 && !w->enough && (*ret = ask_result_object(put_search, search_result(search))) == NULL)
        rc = errmsg_set(&problem->text, "out of memory");
    search_close(search);
    filter_free(filter);
    return rc < 0 ? -1 : 0;
}

static int run_flow(struct store *lake, struct writing *w, json_t **ret, struct ask_problem *problem)
{
    const struct ask *a = w->ask;
    struct flow *flow = NULL;
    struct flow_options o = { .call_id = a->call_id,
                              .call_id_len = strlen(a->call_id),
                              .with_legs = a->legs,
                              .with_media = a->media,
                              .from_us = INT64_MIN,
                              .to_us = INT64_MAX,
                              .limit = a->limit };
    int rc = take_time("from", a->from, &o.from_us, problem);
    if (rc == 0)
        rc = take_time("to", a->to, &o.to_us, problem);
    if (rc == 0)
        rc = take_columns(a, &o.columns, problem);
    if (rc == 0 && (rc = flow_open(&flow, lake, &o, &problem->text)) == -EINVAL)
        problem->usage = true;
    if (rc == 0)
        do
            rc = flow_next(flow, on_row, w, &problem->text);
        while (rc > 0 && !w->enough);
    if (rc == 0 && !w->enough && (*ret = ask_result_object(put_flow, flow_result(flow))) == NULL)
        rc = errmsg_set(&problem->text, "out of memory");
    flow_close(flow);
    return rc < 0 ? -1 : 0;
}

int ask_lake(const struct ask *a, json_t **ret_result, struct ask_problem *problem)
{
    struct store *lake = NULL;
    struct lake_start start;
    const struct lake_options options = { .data_dir = a->data, .read_only = true };
    struct writing w = { .ask = a };
    if (lake_open(&lake, &options, &start, &problem->text) != 0)
        return -1;
    buf_init(&w.row, ROW_MAX);
    int rc = a->call_id != NULL ? run_flow(lake, &w, ret_result, problem) : run_search(lake, &w, ret_result, problem);
    buf_free(&w.row);
    lake->ops->close(lake);
    return rc;
}
