/* `hepcat sql`: one SELECT over the sealed files, of a server that allows it or of a data directory. */
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
#include "query/sql.h"

struct sql_command {
    struct ask ask;
    const char *format, *text;
    bool quiet;
};

#define AT(member) offsetof(struct sql_command, member)

static const struct opt sql_opts[] = {
    { "what", 0, OPT_TITLE, 0, 0, NULL, "What:" },
    { "limit", 'n', OPT_NUMBER, AT(ask.limit), SQL_LIMIT_MAX, "N", "rows at most (default 1000)" },
    { "timeout", 0, OPT_TEXT, AT(ask.timeout), 0, "TIME", "give up then: 5, 500ms, 1m" },
    ASK_OPT_WHERE(struct sql_command),
    { "output", 0, OPT_TITLE, 0, 0, NULL, "Output:" },
    { "format", 'f', OPT_TEXT, AT(format), 0, "FORMAT",
      "table (default on a terminal), json (one object; default\nelsewhere), csv" },
    { "quiet", 'q', OPT_FLAG, AT(quiet), 0, NULL, "no word on standard error about what is not seen" },
    { NULL, 0, OPT_FLAG, 0, 0, NULL, NULL },
};

const struct opt_command cmd_sql_help = {
    .name = "sql",
    .summary = "ask the sealed files by SQL",
    .usage = "hepcat sql [OPTION]... STATEMENT",
    .about =
        "Runs one SELECT (DuckDB's dialect) over the tables sip, media, log and other. Messages that are still in the\n"
        "server's memory are not seen. A server answers only with query.sql in its configuration (docs/sql.md).",
    .opts = sql_opts,
    .examples = "  hepcat sql 'SELECT method, count(*) FROM sip GROUP BY ALL ORDER BY 2 DESC'\n"
                "  hepcat sql --data /var/lib/hepcat --format csv 'SELECT ts, call_id FROM sip WHERE status = 503'\n",
    .status = "0 there are rows, 1 there are none, 2 wrong usage or statement, 3 failed, or rows are left out",
};

static int sql_lake(void *arg, struct store *lake, struct buf *out, struct ask_problem *problem)
{
    const struct sql_command *c = arg;
    struct sql_options o = { .text = c->text, .limit = (size_t)c->ask.limit };
    struct filter *filter = NULL;
    int64_t from, to;
    if (ask_question(&c->ask, &filter, &from, &to, &o.budget_us, problem) != 0)
        return -1;
    filter_free(filter);
    int rc = sql_run(out, lake, &o, &problem->text);
    problem->usage = rc == -EINVAL;
    return rc;
}

static bool print(const json_t *answer, enum rows_format format)
{
    const json_t *columns = json_object_get(answer, "columns"), *rows = json_object_get(answer, "rows");
    struct grid g;
    if (format == ROWS_JSON)
        return json_dumpf(answer, stdout, JSON_COMPACT) == 0 && putchar('\n') != EOF && fflush(stdout) == 0;
    grid_init(&g, json_array_size(columns));
    for (size_t i = 0; i < g.columns; i++)
        grid_json(&g, json_object_get(json_array_get(columns, i), "name"));
    for (size_t r = 0; r < json_array_size(rows); r++)
        for (size_t i = 0; i < g.columns; i++)
            grid_json(&g, json_array_get(json_array_get(rows, r), i));
    bool ok = grid_print(&g, format);
    grid_free(&g);
    return ok;
}

static int conclude(const struct sql_command *c, const json_t *answer, enum rows_format format)
{
    int64_t memory = json_integer_value(json_object_get(answer, "in_memory"));
    const char *until = json_string_value(json_object_get(answer, "sealed_until"));
    const char *why = json_string_value(json_object_get(answer, "problem"));
    if (!print(answer, format)) {
        fprintf(stderr, "hepcat: standard output cannot be written to\n");
        return ASK_FAILED;
    }
    if (memory > 0 && until != NULL && !c->quiet)
        fprintf(stderr, "hepcat: %" PRId64 " messages are still in memory; all before %s were seen\n", memory, until);
    if (c->ask.data != NULL && !c->quiet)
        fprintf(stderr, "hepcat: a server that runs on %s has the newest messages in its memory\n", c->ask.data);
    if (json_is_true(json_object_get(answer, "truncated"))) {
        fprintf(stderr, "hepcat: rows are left out: %s\n", why != NULL ? why : "there are too many");
        return ASK_FAILED;
    }
    return json_array_size(json_object_get(answer, "rows")) > 0 ? ASK_FOUND : ASK_NOTHING;
}

static int sql(struct sql_command *c, enum rows_format format)
{
    char limit[24];
    struct ask_problem problem;
    json_t *answer;
    (void)snprintf(limit, sizeof(limit), "%" PRIu64, c->ask.limit);
    const char *const params[] = { "limit", limit, "timeout", c->ask.timeout, NULL };
    const struct ask_json q = { .path = "/api/v1/sql", .params = params, .post = c->text, .lake = sql_lake, .arg = c };
    if (ask_json(&c->ask, &q, &answer, &problem) != 0)
        return ask_complain(&c->ask, "sql", &problem);
    int status = conclude(c, answer, format);
    json_decref(answer);
    return status;
}

int cmd_sql(int argc, char **argv)
{
    int status;
    struct sql_command c = { .ask = { .limit = SQL_LIMIT_DEFAULT } };
    struct opt_list args = { 0 };
    enum rows_format format;
    if (!report_opts(&cmd_sql_help, argc, argv, &c, &args, &status))
        return status;
    if (!rows_format_parse(c.format, &format))
        return report_usage("sql", "--format is table, json or csv");
    if (c.ask.limit == 0)
        return report_usage("sql", "--limit is at least 1");
    if (args.count != 1 || args.items[0][0] == '\0')
        return report_usage("sql", "one statement is needed, in quotes");
    if (strlen(args.items[0]) > SQL_TEXT_MAX)
        return report_usage("sql", "the statement is too long");
    c.text = args.items[0];
    return sql(&c, format);
}
