/* `hepcat search`, `hepcat calls`: messages, or calls, that match a filter, from a running server or the files of a
 * data directory. */
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "cmd/ask.h"
#include "cmd/cmd.h"
#include "cmd/report.h"
#include "cmd/search_command.h"
#include "store/store.h"

#define LIMIT_DEFAULT 200

/* What is searched for. */
static const struct {
    const char *command, *noun;
    enum rows_kind kind;
} kinds[] = { { "search", "messages", ROWS_MESSAGES },
              { "calls", "calls", ROWS_CALLS },
              { "registrations", "attempts", ROWS_ATTEMPTS } };

static unsigned kind_of(const struct ask *a)
{
    return a->calls ? 1 : a->attempts ? 2 : 0;
}

#define AT(member) offsetof(struct search_command, member)

static const struct opt search_opts[] = {
    { "what", 0, OPT_TITLE, 0, 0, NULL, "What:" },
    { "from", 0, OPT_TEXT, AT(ask.from), 0, "TIME",
      "not before it: 2026-01-31T12:00:00Z, seconds since 1970,\n-1h, -15m, -7d" },
    { "to", 0, OPT_TEXT, AT(ask.to), 0, "TIME", "before it" },
    { "limit", 'n', OPT_NUMBER, AT(ask.limit), STORE_LIMIT_MAX, "N", "rows at most (default 200)" },
    { "oldest", 0, OPT_FLAG, AT(ask.oldest), 0, NULL, "the first N instead of the last N" },
    { "count", 'c', OPT_FLAG, AT(ask.count_only), 0, NULL, "print how many match, and no more" },
    { "timeout", 0, OPT_TEXT, AT(ask.timeout), 0, "TIME", "give up then, with what was found: 5, 500ms, 1m" },
    ASK_OPT_WHERE(struct search_command),
    { "output", 0, OPT_TITLE, 0, 0, NULL, "Output:" },
    { "format", 'f', OPT_TEXT, AT(format), 0, "FORMAT",
      "table (default on a terminal), json (one object a line;\ndefault elsewhere), csv" },
    { "columns", 0, OPT_TEXT, AT(ask.columns), 0, "LIST", "columns by name: ts,src_ip,method,status,call_id" },
    { "payload", 'p', OPT_FLAG, AT(ask.payload), 0, NULL, "messages themselves, too" },
    { "quiet", 'q', OPT_FLAG, AT(quiet), 0, NULL, "no word on standard error about how many there are" },
    { NULL, 0, OPT_FLAG, 0, 0, NULL, NULL },
};

const struct opt_command cmd_search_help = {
    .name = "search",
    .summary = "find messages by filter and time",
    .usage = "hepcat search [OPTION]... [FILTER]...",
    .about =
        "Prints the newest N messages that match, in the order of time: the newest comes last. A filter is "
        "field:value\n"
        "tests, all of which must be true; OR, NOT and parentheses say it otherwise. No filter: every message.\n"
        "  from:+1555*           begins with; * stands for anything      status:486,487,6xx   one of them\n"
        "  status:400..499       from, to; also >=400                    pai:?                there is one\n"
        "  ua:/^Foo [0-9]+/i     regular expression                      ip:10.0.0.0/8        source or destination\n"
        "  header.X-Foo:bar      any header by its name                  body:\"text\"          somewhere in the body\n"
        "  num:+49301234         a number in any of its written forms    ts:>-1h              times\n"
        "Fields: callid, from, to, ruri, user, method, status, src, dst, ip, ua, type, sender and more "
        "(docs/filter.md).\n"
        "Standard error tells how many match in all, and whether the answer is whole.",
    .opts = search_opts,
    .examples = "  hepcat search 'from:+1555* status:486' --from -1h\n"
                "  hepcat search 'method:INVITE,BYE NOT (user:+1555* OR ua:*scanner*)'\n"
                "  hepcat search ip:10.0.0.7 method:REGISTER --limit 20 --payload\n"
                "  hepcat search --count --from 2026-01-31 --to 2026-02-01 status:503\n"
                "  hepcat search --data /var/lib/hepcat --format csv callid:a84b4c76e66710\n",
    .status = "0 found, 1 nothing matches, 2 wrong usage or filter, 3 failed, or the answer is not whole",
};

const struct opt_command cmd_calls_help = {
    .name = "calls",
    .summary = "find calls by filter and time",
    .usage = "hepcat calls [OPTION]... [FILTER]...",
    .about =
        "Prints the newest N calls that match, in the order of time: the newest comes last. Calls that run are\n"
        "among them. A filter is made of field:value tests, as for `hepcat search`; those of messages that a call has\n"
        "too (from, to, ruri, status, ip, ua, callid...) and\n"
        "  state:answered        calling, ringing, early, answered, held, completed, cancelled, rejected, failed,\n"
        "                        \"timed out\", incomplete\n"
        "  duration:>60s pdd:>3s ring:>30s      times                hangup:callee        who ended it\n"
        "  codec:opus            the one chosen                      flag:no-ack          docs/calls.md has all flags\n"
        "  retrans:>0 hops:>1    counts\n"
        "`hepcat flow CALL-ID` shows the messages of one, `hepcat export --calls` writes those of many.",
    .opts = search_opts,
    .examples = "  hepcat calls state:failed --from -1h\n"
                "  hepcat calls 'from:+1555* duration:>10m'\n"
                "  hepcat calls --count state:answered\n",
    .status = "0 found, 1 nothing matches, 2 wrong usage or filter, 3 failed, or the answer is not whole",
};

static void tell(const struct search_command *c, const json_t *result, uint64_t rows)
{
    const json_t *total = json_object_get(result, "total");
    bool exact = json_is_true(json_object_get(result, "total_exact"));
    if (c->quiet || c->ask.count_only || !json_is_integer(total))
        return;
    if (exact && json_integer_value(total) == 0) {
        fprintf(stderr, "hepcat: nothing matches\n");
        return;
    }
    fprintf(stderr, "hepcat: %s%" PRIu64 " of %s%" JSON_INTEGER_FORMAT " %s\n",
            c->ask.oldest ? "the oldest " : "the newest ", rows, exact ? "" : "at least ", json_integer_value(total),
            kinds[kind_of(&c->ask)].noun);
}

/* Exit status of an answer. */
static int conclude(const struct search_command *c, const json_t *result, struct rows_out *rows)
{
    const char *why;
    int64_t total = json_integer_value(json_object_get(result, "total"));
    bool whole = ask_is_whole(result, &why);
    if (c->ask.count_only)
        printf("%" PRId64 "\n", total);
    if (!rows_out_end(rows) || (c->ask.count_only && fflush(stdout) != 0)) {
        fprintf(stderr, "hepcat: standard output cannot be written to\n");
        return ASK_FAILED;
    }
    tell(c, result, rows->rows);
    if (!whole) {
        fprintf(stderr, "hepcat: the answer is not whole: %s\n", why);
        return ASK_FAILED;
    }
    if (c->ask.data != NULL && !c->quiet)
        fprintf(stderr, "hepcat: a server that runs on %s has the newest messages in its memory: --server finds them\n",
                c->ask.data);
    return (c->ask.count_only ? total > 0 : rows->rows > 0) ? ASK_FOUND : ASK_NOTHING;
}

static int run(struct search_command *c, struct rows_out *rows)
{
    struct ask_problem problem;
    json_t *result = NULL;
    c->ask.row = rows_out_put;
    c->ask.arg = rows;
    if (ask_run(&c->ask, &result, &problem) != 0) {
        (void)rows_out_end(rows);
        return ask_complain(&c->ask, kinds[kind_of(&c->ask)].command, &problem);
    }
    int status = result == NULL ? ASK_FAILED : conclude(c, result, rows);
    json_decref(result);
    return status;
}

int search_command_run(struct search_command *c, const struct opt_list *args)
{
    const char *name = kinds[kind_of(&c->ask)].command;
    enum rows_kind kind = kinds[kind_of(&c->ask)].kind;
    enum rows_format format;
    struct rows_out rows;
    struct errmsg err = { "" };
    struct buf filter;
    int status = ASK_USAGE;
    if (!rows_format_parse(c->format, &format))
        return report_usage(name, "--format is table, json or csv");
    if (c->ask.limit == 0)
        return report_usage(name, "--limit is at least 1");
    buf_init(&filter, (size_t)64 << 10);
    c->ask.filter = ask_join(args, ' ', &filter); /* one filter: all must be true */
    if (c->ask.filter == NULL)
        status = report_usage(name, "the filter is too long");
    else if (rows_out_open(&rows, kind, format, c->ask.columns, c->ask.payload, &err) != 0)
        status = report_usage(name, "%s", err.text), rows_out_close(&rows);
    else {
        if (c->ask.count_only)
            rows.format = ROWS_JSON; /* no head without rows */
        c->ask.columns = rows_out_wants(kind, format, c->ask.columns);
        status = run(c, &rows);
        rows_out_close(&rows);
    }
    buf_free(&filter);
    return status;
}

int cmd_search(int argc, char **argv)
{
    int status;
    struct search_command c = { .ask = { .limit = LIMIT_DEFAULT } };
    struct opt_list args = { 0 };
    if (!report_opts(&cmd_search_help, argc, argv, &c, &args, &status))
        return status;
    return search_command_run(&c, &args);
}

int cmd_calls(int argc, char **argv)
{
    int status;
    struct search_command c = { .ask = { .limit = LIMIT_DEFAULT, .calls = true } };
    struct opt_list args = { 0 };
    if (!report_opts(&cmd_calls_help, argc, argv, &c, &args, &status))
        return status;
    return search_command_run(&c, &args);
}
