/* `hepcat count`: messages over time and by value, as a histogram. */
#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/when.h"
#include "cmd/ask_json.h"
#include "cmd/cmd.h"
#include "cmd/grid.h"
#include "cmd/histogram.h"
#include "cmd/report.h"
#include "query/counts.h"

#define TOP_DEFAULT     10
#define INTERVAL_MAX_US (INT64_C(36500) * 86400 * 1000000)

struct count_command {
    struct ask ask;
    const char *by, *interval, *format;
    uint64_t top;
    bool calls, registrations, quiet;
};

#define AT(member) offsetof(struct count_command, member)

static const struct opt count_opts[] = {
    { "what", 0, OPT_TITLE, 0, 0, NULL, "What:" },
    { "calls", 0, OPT_FLAG, AT(calls), 0, NULL, "calls instead of messages" },
    { "registrations", 0, OPT_FLAG, AT(registrations), 0, NULL, "attempts to register instead of messages" },
    { "by", 'b', OPT_TEXT, AT(by), 0, "FIELD",
      "by values of a column or field: method, status, from, src,\nua, sender...; status_class; table" },
    { "interval", 'i', OPT_TEXT, AT(interval), 0, "TIME",
      "width of a bar: 10, 5m, 1h, 7d (default: one that gives 60\nto 120 bars)" },
    { "top", 'n', OPT_NUMBER, AT(top), COUNTS_TOP_MAX, "N", "values told (default 10); the others are summed" },
    { "from", 0, OPT_TEXT, AT(ask.from), 0, "TIME",
      "not before it: 2026-01-31T12:00:00Z, seconds since 1970,\n-1h, -15m, -7d" },
    { "to", 0, OPT_TEXT, AT(ask.to), 0, "TIME", "before it" },
    { "timeout", 0, OPT_TEXT, AT(ask.timeout), 0, "TIME", "give up then, with what was counted: 5, 500ms, 1m" },
    ASK_OPT_WHERE(struct count_command),
    { "output", 0, OPT_TITLE, 0, 0, NULL, "Output:" },
    { "format", 'f', OPT_TEXT, AT(format), 0, "FORMAT",
      "table (bars; default on a terminal), json (default\nelsewhere), csv" },
    { "quiet", 'q', OPT_FLAG, AT(quiet), 0, NULL, "no word on standard error about how many there are" },
    { NULL, 0, OPT_FLAG, 0, 0, NULL, NULL },
};

const struct opt_command cmd_count_help = {
    .name = "count",
    .summary = "count messages, calls or registrations over time, by method, status, sender...",
    .usage = "hepcat count [OPTION]... [FILTER]...",
    .about = "Counts the messages, calls or attempts to register that match, in intervals of time (UTC) and, with "
             "--by, by the values of a "
             "field.",
    .opts = count_opts,
    .examples = "  hepcat count --from -1h\n"
                "  hepcat count --by status_class --from -1d method:INVITE\n"
                "  hepcat count --by src --interval 1m --format csv --from -2h 'status:>=500'\n"
                "  hepcat count --calls --by state --from -1d\n"
                "  hepcat count --registrations --by state --from -1d\n",
    .status = "0 counted, 1 nothing matches, 2 wrong usage or filter, 3 failed, or the answer is not whole",
};

/* What is counted, as the API and as a person calls it. */
static const struct kind {
    const char *of, *name;
    unsigned tables;
} messages = { NULL, "messages", RECORD_TABLES_MESSAGES }, calls = { "calls", "calls", RECORD_TABLES_CALLS },
  registrations = { "registrations", "attempts to register", RECORD_TABLES_REGISTRATIONS };

static const struct kind *kind_of(const struct count_command *c)
{
    return c->calls ? &calls : c->registrations ? &registrations : &messages;
}

/* ------------------------------------------------------------------------------------------------ a data directory */

static int refuse(struct ask_problem *problem, const char *option, const char *text)
{
    struct errmsg said;
    (void)errmsg_set(&said, "%s", text);
    problem->usage = true;
    return errmsg_set(&problem->text, "--%s: %s", option, said.text);
}

static int take_by(const struct count_command *c, struct counts_by *by, struct ask_problem *problem)
{
    struct errmsg err = { "" };
    if (counts_by_parse(by, kind_of(c)->tables, c->by, strlen(c->by), &err) != 0)
        return refuse(problem, "by", err.text);
    return by->count == 1 ? 0 : refuse(problem, "by", "it looks at several columns: name one of them");
}

static int count_lake(void *arg, struct store *lake, struct buf *out, struct ask_problem *problem)
{
    const struct count_command *c = arg;
    struct counts_by by;
    struct counts_options o = { .tables = kind_of(c)->tables, .top = (size_t)c->top };
    struct filter *filter = NULL;
    struct counts counts;
    int64_t interval = 0;
    if (c->by != NULL && take_by(c, &by, problem) != 0)
        return -1;
    o.by = c->by != NULL ? &by : NULL;
    if (c->interval != NULL && strcmp(c->interval, "auto") != 0 &&
        (!when_duration(c->interval, strlen(c->interval), INTERVAL_MAX_US, &interval) || interval < 1000))
        return refuse(problem, "interval", "that is not a length of time: 10, 5m, 1h, 7d");
    o.interval_us = (uint64_t)interval;
    if (ask_question(&c->ask, &filter, &o.from_us, &o.to_us, &o.budget_us, problem) != 0)
        return -1;
    o.filter = filter;
    int rc = counts_run(&counts, lake, &o, &problem->text);
    problem->usage = rc == -E2BIG;
    if (rc == 0) {
        counts_json(out, &counts);
        counts_free(&counts);
    }
    filter_free(filter);
    return rc;
}

/* ------------------------------------------------------------------------------------------------ output */

static void put_titles(struct grid *g, const json_t *series)
{
    grid_text(g, "start");
    grid_text(g, "total");
    for (size_t i = 0; i < json_array_size(series); i++)
        grid_json(g, json_object_get(json_array_get(series, i), "value"));
    if (series != NULL) {
        grid_text(g, "(other)");
        grid_text(g, "(none)");
    }
}

static bool print_csv(const json_t *answer)
{
    const json_t *starts = json_object_get(answer, "starts"), *series = json_object_get(answer, "series");
    struct grid g;
    grid_init(&g, 2 + (series != NULL ? json_array_size(series) + 2 : 0));
    put_titles(&g, series);
    for (size_t b = 0; b < json_array_size(starts); b++) {
        grid_json(&g, json_array_get(starts, b));
        grid_json(&g, json_array_get(json_object_get(answer, "counts"), b));
        for (size_t i = 0; i < json_array_size(series); i++)
            grid_json(&g, json_array_get(json_object_get(json_array_get(series, i), "counts"), b));
        if (series == NULL)
            continue;
        grid_json(&g, json_array_get(json_object_get(json_object_get(answer, "other"), "counts"), b));
        grid_json(&g, json_array_get(json_object_get(json_object_get(answer, "none"), "counts"), b));
    }
    bool ok = grid_print(&g, ROWS_CSV);
    grid_free(&g);
    return ok;
}

static bool print(const json_t *answer, enum rows_format format)
{
    switch (format) {
    case ROWS_TABLE:
        return histogram_print(answer);
    case ROWS_CSV:
        return print_csv(answer);
    case ROWS_JSON:
        break;
    }
    return json_dumpf(answer, stdout, JSON_COMPACT) == 0 && putchar('\n') != EOF && fflush(stdout) == 0;
}

static int conclude(const struct count_command *c, const json_t *answer, enum rows_format format)
{
    const char *why;
    int64_t total = json_integer_value(json_object_get(answer, "total"));
    bool whole = ask_is_whole(answer, &why);
    if (!print(answer, format)) {
        fprintf(stderr, "hepcat: standard output cannot be written to\n");
        return ASK_FAILED;
    }
    if (!c->quiet)
        fprintf(stderr, "hepcat: %s%" PRId64 " %s\n", whole ? "" : "at least ", total, kind_of(c)->name);
    if (!whole) {
        fprintf(stderr, "hepcat: the answer is not whole: %s\n", why);
        return ASK_FAILED;
    }
    if (json_is_false(json_object_get(answer, "values_exact")) && !c->quiet)
        fprintf(stderr, "hepcat: there are too many values: what is told of single ones are lower bounds\n");
    if (c->ask.data != NULL && !c->quiet)
        fprintf(stderr,
                "hepcat: a server that runs on %s has the newest messages in its memory: --server counts them\n",
                c->ask.data);
    return total > 0 ? ASK_FOUND : ASK_NOTHING;
}

static int count(struct count_command *c, enum rows_format format)
{
    char top[24];
    struct ask_problem problem;
    json_t *answer;
    (void)snprintf(top, sizeof(top), "%" PRIu64, c->top);
    const char *const params[] = { "q",       c->ask.filter,  "from",     c->ask.from,    "to",  c->ask.to,
                                   "by",      c->by,          "interval", c->interval,    "top", top,
                                   "timeout", c->ask.timeout, "of",       kind_of(c)->of, NULL };
    const struct ask_json q = {
        .path = "/api/v1/counts", .form = true, .params = params, .lake = count_lake, .arg = c
    };
    if (ask_json(&c->ask, &q, &answer, &problem) != 0)
        return ask_complain(&c->ask, "count", &problem);
    int status = conclude(c, answer, format);
    json_decref(answer);
    return status;
}

int cmd_count(int argc, char **argv)
{
    int status;
    struct count_command c = { .top = TOP_DEFAULT };
    struct opt_list args = { 0 };
    enum rows_format format;
    struct buf filter;
    if (!report_opts(&cmd_count_help, argc, argv, &c, &args, &status))
        return status;
    if (!rows_format_parse(c.format, &format))
        return report_usage("count", "--format is table, json or csv");
    if (c.calls && c.registrations)
        return report_usage("count", "--calls or --registrations, not both");
    if (c.top == 0)
        return report_usage("count", "--top is at least 1");
    buf_init(&filter, (size_t)128 << 10);
    c.ask.filter = ask_join(&args, ' ', &filter);
    status = c.ask.filter == NULL ? report_usage("count", "the filter is too long") : count(&c, format);
    buf_free(&filter);
    return status;
}
