/* `hepcat kpi`: key figures of calls, of a server or a data directory. */
#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/when.h"
#include "cmd/ask_json.h"
#include "cmd/cmd.h"
#include "cmd/grid.h"
#include "cmd/report.h"
#include "query/kpi.h"
#include "query/search.h"

#define GROUPS_DEFAULT 10
#define STEP_LEAST_US  INT64_C(1000000)
#define STEP_MOST_US   (INT64_C(366) * 86400 * 1000000)

struct kpi_command {
    struct ask ask;
    const char *by, *step, *format;
    uint64_t groups, prefix;
    bool quiet;
};

#define AT(member) offsetof(struct kpi_command, member)

static const struct opt kpi_opts[] = {
    { "what", 0, OPT_TITLE, 0, 0, NULL, "What:" },
    { "by", 'b', OPT_TEXT, AT(by), 0, "FIELD",
      "a line each for the most frequent values of: src, dst,\nfrom, to, ruri, pai, uac, uas, codec, "
      "state,\nstatus, cause, proto" },
    { "prefix", 0, OPT_NUMBER, AT(prefix), KPI_PREFIX_MAX, "N",
      "with --by from, to, ruri, pai: by their first N characters" },
    { "groups", 'n', OPT_NUMBER, AT(groups), KPI_GROUPS_MAX, "N", "values told (default 10)" },
    { "step", 's', OPT_TEXT, AT(step), 0, "TIME", "a line each for such times: 15m, 1h, 1d (UTC)" },
    { "from", 0, OPT_TEXT, AT(ask.from), 0, "TIME",
      "not before it: 2026-01-31T12:00:00Z, seconds since 1970,\n-1h, -15m, -7d" },
    { "to", 0, OPT_TEXT, AT(ask.to), 0, "TIME", "before it" },
    { "timeout", 0, OPT_TEXT, AT(ask.timeout), 0, "TIME", "give up then, with what was counted: 5, 500ms, 1m" },
    ASK_OPT_WHERE(struct kpi_command),
    { "output", 0, OPT_TITLE, 0, 0, NULL, "Output:" },
    { "format", 'f', OPT_TEXT, AT(format), 0, "FORMAT",
      "table (default on a terminal), json (default elsewhere),\ncsv" },
    { "quiet", 'q', OPT_FLAG, AT(quiet), 0, NULL, "no word on standard error about what was left out" },
    { NULL, 0, OPT_FLAG, 0, 0, NULL, NULL },
};

const struct opt_command cmd_kpi_help = {
    .name = "kpi",
    .summary = "key figures of calls: ASR, NER, ACD, PDD...",
    .usage = "hepcat kpi [OPTION]... [FILTER]...",
    .about =
        "Attempts, answer seizure ratio, network effectiveness ratio, session establishment (effectiveness) ratio,\n"
        "average call duration, post dial delay of the calls that match; docs/kpi.md has the formulas. Calls that are\n"
        "not decided yet are no attempts.",
    .opts = kpi_opts,
    .examples = "  hepcat kpi --from -1h\n  hepcat kpi --by dst --from -1d 'from:+49*'\n"
                "  hepcat kpi --by to --prefix 3 --step 1h --from -1d\n",
    .status = "0 there are calls, 1 there are none, 2 wrong usage or filter, 3 failed, or not all was looked at",
};

static int kpi_lake(void *arg, struct store *lake, struct buf *out, struct ask_problem *problem)
{
    const struct kpi_command *c = arg;
    struct kpi_options o = { .by = c->by, .prefix = (size_t)c->prefix, .groups = (size_t)c->groups };
    int64_t step = 0;
    (void)when_duration(c->step != NULL ? c->step : "", c->step != NULL ? strlen(c->step) : 0, STEP_MOST_US, &step);
    o.step_us = (uint64_t)step;
    struct filter *filter = NULL;
    if (ask_question(&c->ask, &filter, &o.from_us, &o.to_us, &o.budget_us, problem) != 0)
        return -1;
    const char *misplaced = search_misplaced(filter, RECORD_TABLES_CALLS);
    o.filter = filter;
    int rc = misplaced != NULL ? -EINVAL : kpi_json(out, lake, &o, &problem->text);
    if (misplaced != NULL)
        (void)errmsg_set(&problem->text, "%s", misplaced);
    problem->usage = rc == -EINVAL || rc == -ERANGE;
    filter_free(filter);
    return rc;
}

/* ------------------------------------------------------------------------------------------------ output */

static const struct {
    const char *title, *key;
} columns[] = {
    { "attempts", "attempts" }, { "answered", "answered" }, { "ASR %", "asr" },   { "NER %", "ner" },
    { "SEER %", "seer" },       { "ISA %", "isa" },         { "ACD s", "acd_s" }, { "PDD p50 ms", "pdd_p50_ms" },
    { "p95", "pdd_p95_ms" },    { "CPS", "cps" },           { "Erl", "erlang" },
};
#define COLUMNS (sizeof(columns) / sizeof(columns[0]))

static void put_cell(struct grid *g, const json_t *v)
{
    if (json_is_real(v))
        grid_printf(g, "%.2f", json_real_value(v));
    else
        grid_json(g, v);
}

static void put_line(struct grid *g, const char *name, const json_t *figures)
{
    grid_text(g, name);
    for (size_t i = 0; i < COLUMNS; i++)
        put_cell(g, json_object_get(figures, columns[i].key));
}

/* A line, or one for each step. */
static void put_lines(struct grid *g, const char *name, const json_t *figures)
{
    const json_t *buckets = json_object_get(figures, "buckets");
    size_t i;
    json_t *bucket;
    json_array_foreach(buckets, i, bucket)
    {
        const char *from = json_string_value(json_object_get(bucket, "from"));
        char text[320];
        (void)snprintf(text, sizeof(text), "%.256s %.19s", name, from != NULL ? from : "");
        put_line(g, text, bucket);
    }
    if (buckets == NULL)
        put_line(g, name, figures);
}

static bool print_grid(const json_t *answer, enum rows_format format)
{
    const char *by = json_string_value(json_object_get(answer, "by"));
    struct grid g;
    size_t i;
    json_t *group;
    grid_init(&g, 1 + COLUMNS);
    grid_text(&g, by != NULL ? by : "");
    for (i = 0; i < COLUMNS; i++)
        grid_text(&g, columns[i].title);
    json_array_foreach(json_object_get(answer, "groups"), i, group)
    {
        const char *value = json_string_value(json_object_get(group, "value"));
        put_lines(&g, value != NULL ? value : "", group);
    }
    put_lines(&g, "all", answer);
    bool ok = grid_print(&g, format);
    grid_free(&g);
    return ok;
}

static int conclude(const struct kpi_command *c, const json_t *answer, enum rows_format format)
{
    bool ok = format == ROWS_JSON
                  ? json_dumpf(answer, stdout, JSON_COMPACT) == 0 && putchar('\n') != EOF && fflush(stdout) == 0
                  : print_grid(answer, format);
    if (!ok) {
        fprintf(stderr, "hepcat: standard output cannot be written to\n");
        return ASK_FAILED;
    }
    if (!json_is_true(json_object_get(answer, "exact"))) {
        fprintf(stderr, "hepcat: not all calls were looked at\n");
        return ASK_FAILED;
    }
    json_int_t undecided = json_integer_value(json_object_get(answer, "undecided"));
    if (undecided > 0 && !c->quiet)
        fprintf(stderr, "hepcat: %" JSON_INTEGER_FORMAT " calls are not decided yet\n", undecided);
    return json_integer_value(json_object_get(answer, "attempts")) > 0 ? ASK_FOUND : ASK_NOTHING;
}

static int kpi(struct kpi_command *c, enum rows_format format)
{
    char groups[24], prefix[24];
    struct ask_problem problem;
    json_t *answer;
    (void)snprintf(groups, sizeof(groups), "%" PRIu64, c->groups);
    (void)snprintf(prefix, sizeof(prefix), "%" PRIu64, c->prefix);
    const char *const params[] = { "q",      c->ask.filter, "from",    c->ask.from,
                                   "to",     c->ask.to,     "by",      c->by,
                                   "groups", groups,        "timeout", c->ask.timeout,
                                   "step",   c->step,       "prefix",  c->prefix > 0 ? prefix : NULL,
                                   NULL };
    const struct ask_json q = { .path = "/api/v1/kpi", .params = params, .lake = kpi_lake, .arg = c };
    if (ask_json(&c->ask, &q, &answer, &problem) != 0)
        return ask_complain(&c->ask, "kpi", &problem);
    int status = conclude(c, answer, format);
    json_decref(answer);
    return status;
}

int cmd_kpi(int argc, char **argv)
{
    int status;
    enum rows_format format;
    struct kpi_command c = { .groups = GROUPS_DEFAULT };
    struct opt_list args = { 0 };
    struct buf filter;
    if (!report_opts(&cmd_kpi_help, argc, argv, &c, &args, &status))
        return status;
    if (!rows_format_parse(c.format, &format))
        return report_usage("kpi", "--format is table, json or csv");
    int64_t step = STEP_LEAST_US;
    if (c.step != NULL && (!when_duration(c.step, strlen(c.step), STEP_MOST_US, &step) || step < STEP_LEAST_US))
        return report_usage("kpi", "--step is a time of 1s to 366d");
    if (c.prefix > 0 && c.by == NULL)
        return report_usage("kpi", "--prefix goes with --by");
    if (c.groups == 0)
        return report_usage("kpi", "--groups is at least 1");
    buf_init(&filter, (size_t)64 << 10);
    c.ask.filter = ask_join(&args, ' ', &filter);
    status = c.ask.filter == NULL ? report_usage("kpi", "the filter is too long") : kpi(&c, format);
    buf_free(&filter);
    return status;
}
