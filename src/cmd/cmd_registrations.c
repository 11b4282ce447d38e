/* `hepcat registrations`: the addresses of record that a server knows and their states, or attempts to register. */
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "cmd/ask_json.h"
#include "cmd/cmd.h"
#include "cmd/grid.h"
#include "cmd/report.h"
#include "cmd/search_command.h"

#define LIMIT_DEFAULT 200
#define LIMIT_MAX     1000 /* of AoRs */

struct registrations_command {
    struct search_command search; /* the first member: it has options of its own */
    bool attempts;
    const char *state;
};

#define AT(member)  offsetof(struct registrations_command, member)
#define ASK(member) AT(search.ask.member)

static const struct opt registrations_opts[] = {
    { "what", 0, OPT_TITLE, 0, 0, NULL, "What:" },
    { "state", 0, OPT_TEXT, AT(state), 0, "STATE",
      "addresses in it: registered, flapping, failing, expired,\nunregistered" },
    { "attempts", 'a', OPT_FLAG, AT(attempts), 0, NULL, "attempts to register, by filter and time" },
    { "from", 0, OPT_TEXT, ASK(from), 0, "TIME",
      "attempts not before it: 2026-01-31T12:00:00Z, seconds\nsince 1970, -1h, -15m, -7d" },
    { "to", 0, OPT_TEXT, ASK(to), 0, "TIME", "attempts before it" },
    { "limit", 'n', OPT_NUMBER, ASK(limit), STORE_LIMIT_MAX, "N", "rows at most (default 200)" },
    { "oldest", 0, OPT_FLAG, ASK(oldest), 0, NULL, "the first N attempts instead of the last N" },
    { "count", 'c', OPT_FLAG, ASK(count_only), 0, NULL, "print how many there are, and no more" },
    { "timeout", 0, OPT_TEXT, ASK(timeout), 0, "TIME", "of attempts: give up then, with what was found: 5, 500ms" },
    ASK_OPT_WHERE(struct search_command),
    { "output", 0, OPT_TITLE, 0, 0, NULL, "Output:" },
    { "format", 'f', OPT_TEXT, AT(search.format), 0, "FORMAT",
      "table (default on a terminal), json (one object a line;\ndefault elsewhere), csv" },
    { "columns", 0, OPT_TEXT, ASK(columns), 0, "LIST", "of attempts: columns by name: ts,to_user,state,status" },
    { "quiet", 'q', OPT_FLAG, AT(search.quiet), 0, NULL, "no word on standard error about how many there are" },
    { NULL, 0, OPT_FLAG, 0, 0, NULL, NULL },
};

const struct opt_command cmd_registrations_help = {
    .name = "registrations",
    .summary = "who is registered, and who fails to",
    .usage = "hepcat registrations [OPTION]... [AOR], or --attempts [OPTION]... [FILTER]...",
    .about =
        "Lists the addresses of record that a running server knows, those first that were tried last, with their\n"
        "state (docs/registrations.md). AOR is user, user@host or @host; * stands for anything.\n"
        "--attempts: the newest N attempts to register instead, in the order of time. A filter is made of\n"
        "field:value tests, as for `hepcat search`; those of messages that an attempt has too (callid, aor, contact,\n"
        "status, ip, ua, expires...) and\n"
        "  state:refused         registered, unregistered, queried, challenged, refused, \"timed out\", incomplete\n"
        "  binding:new           new, refresh, remove, query\n"
        "  answer:>500ms         time to the answer              authrounds:>1    challenges answered",
    .opts = registrations_opts,
    .examples = "  hepcat registrations --state failing\n"
                "  hepcat registrations '+1555*@example.com'\n"
                "  hepcat registrations --attempts state:refused --from -1h\n",
    .status = "0 found, 1 there are none, 2 wrong usage or filter, 3 failed, or the answer is not whole",
};

/* ------------------------------------------------------------------------------------------------ addresses */

static const char *const titles[] = { "aor",      "state",  "since",       "contacts", "expires",
                                      "attempts", "failed", "last_result", "source",   "user_agent" };
#define TITLES (sizeof(titles) / sizeof(titles[0]))

/* "01-31 12:00:00" for people, who have little room. */
static void put_time(struct grid *g, const json_t *time, bool people)
{
    const char *text = json_string_value(time);
    if (people && text != NULL && strlen(text) > 19)
        grid_printf(g, "%.5s %.8s", text + 5, text + 11);
    else
        grid_text(g, text != NULL ? text : "");
}

/* Of the bindings that hold the last one. The texts compare as their times do. */
static const json_t *expires_of(const json_t *aor)
{
    const json_t *bindings = json_object_get(aor, "bindings"), *last = NULL;
    for (size_t i = 0; i < json_array_size(bindings); i++) {
        const json_t *b = json_array_get(bindings, i), *at = json_object_get(b, "expires_at");
        if (json_is_true(json_object_get(b, "holds")) && json_is_string(at) &&
            (last == NULL || strcmp(json_string_value(at), json_string_value(last)) > 0))
            last = at;
    }
    return last;
}

static void put_result(struct grid *g, const json_t *aor)
{
    const json_t *status = json_object_get(aor, "status"), *reason = json_object_get(aor, "reason");
    const char *result = json_string_value(json_object_get(aor, "result"));
    if (json_is_integer(status))
        grid_printf(g, "%s %d %s", result != NULL ? result : "", (int)json_integer_value(status),
                    json_is_string(reason) ? json_string_value(reason) : "");
    else
        grid_text(g, result != NULL ? result : "");
}

static void put_source(struct grid *g, const json_t *aor)
{
    const char *ip = json_string_value(json_object_get(aor, "src_ip"));
    if (ip == NULL)
        grid_text(g, "");
    else
        grid_printf(g, strchr(ip, ':') != NULL ? "[%s]:%d" : "%s:%d", ip,
                    (int)json_integer_value(json_object_get(aor, "src_port")));
}

static void put_aor(struct grid *g, const json_t *aor, bool people)
{
    grid_json(g, json_object_get(aor, "aor"));
    grid_json(g, json_object_get(aor, "state"));
    put_time(g, json_object_get(aor, "since"), people);
    grid_json(g, json_object_get(aor, "contacts"));
    put_time(g, expires_of(aor), people);
    grid_json(g, json_object_get(aor, "attempts"));
    grid_json(g, json_object_get(aor, "failed"));
    put_result(g, aor);
    put_source(g, aor);
    grid_json(g, json_object_get(aor, "user_agent"));
}

static bool print(const json_t *aors, enum rows_format format)
{
    struct grid g;
    bool ok = true;
    if (format == ROWS_JSON) {
        for (size_t i = 0; i < json_array_size(aors) && ok; i++)
            ok = json_dumpf(json_array_get(aors, i), stdout, JSON_COMPACT) == 0 && putchar('\n') != EOF;
        return ok && fflush(stdout) == 0;
    }
    grid_init(&g, TITLES);
    for (size_t i = 0; i < TITLES; i++)
        grid_text(&g, titles[i]);
    for (size_t i = 0; i < json_array_size(aors); i++)
        put_aor(&g, json_array_get(aors, i), format == ROWS_TABLE);
    ok = grid_print(&g, format);
    grid_free(&g);
    return ok;
}

static int conclude(const struct registrations_command *c, const json_t *answer, enum rows_format format)
{
    const json_t *list = json_object_get(answer, "registrations");
    int64_t total = json_integer_value(json_object_get(answer, "total"));
    bool ok =
        c->search.ask.count_only ? printf("%" PRId64 "\n", total) > 0 && fflush(stdout) == 0 : print(list, format);
    if (!ok) {
        fprintf(stderr, "hepcat: standard output cannot be written to\n");
        return ASK_FAILED;
    }
    if (!c->search.quiet && !c->search.ask.count_only && total > (int64_t)json_array_size(list))
        fprintf(stderr, "hepcat: %zu of %" PRId64 " addresses\n", json_array_size(list), total);
    return total > 0 ? ASK_FOUND : ASK_NOTHING;
}

static int addresses(const struct registrations_command *c, const char *aor, enum rows_format format)
{
    char limit[24];
    const struct ask *a = &c->search.ask;
    struct ask_problem problem;
    json_t *answer;
    (void)snprintf(limit, sizeof(limit), "%" PRIu64, a->count_only ? 0 : a->limit < LIMIT_MAX ? a->limit : LIMIT_MAX);
    const char *const params[] = { "limit", limit, "state", c->state, "aor", aor, NULL };
    const struct ask_json q = { .path = "/api/v1/registrations", .params = params };
    if (ask_json(a, &q, &answer, &problem) != 0)
        return ask_complain(a, "registrations", &problem);
    int status = conclude(c, answer, format);
    json_decref(answer);
    return status;
}

/* What asks for attempts, and stands without --attempts; NULL: nothing. */
static const char *misplaced(const struct ask *a)
{
    return a->from != NULL      ? "--from"
           : a->to != NULL      ? "--to"
           : a->timeout != NULL ? "--timeout"
           : a->columns != NULL ? "--columns"
           : a->oldest          ? "--oldest"
                                : NULL;
}

int cmd_registrations(int argc, char **argv)
{
    int status;
    struct registrations_command c = { .search.ask.limit = LIMIT_DEFAULT };
    struct opt_list args = { 0 };
    enum rows_format format;
    if (!report_opts(&cmd_registrations_help, argc, argv, &c, &args, &status))
        return status;
    c.search.ask.attempts = c.attempts;
    if (c.attempts)
        return c.state != NULL ? report_usage("registrations", "--state is of addresses; of attempts: state:refused")
                               : search_command_run(&c.search, &args);
    const char *option = misplaced(&c.search.ask);
    if (option != NULL)
        return report_usage("registrations", "%s is of attempts: add --attempts", option);
    if (!rows_format_parse(c.search.format, &format))
        return report_usage("registrations", "--format is table, json or csv");
    if (args.count > 1)
        return report_usage("registrations", "'%s' is more than is needed", args.items[1]);
    if (c.search.ask.data != NULL)
        return report_usage("registrations", "only a running server knows states: no --data, but with --attempts");
    return addresses(&c, args.count > 0 ? args.items[0] : NULL, format);
}
