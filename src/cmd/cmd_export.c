/* `hepcat export`: what matches, or calls, as a file: pcap, pcapng, text, JSON lines, CSV. */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "cmd/ask.h"
#include "cmd/cmd.h"
#include "cmd/http_get.h"
#include "cmd/import_progress.h"
#include "cmd/out_file.h"
#include "cmd/report.h"
#include "query/export.h"
#include "store/lake/lake.h"

#define PIECE_MAX   ((size_t)8 << 20) /* a piece, and a message more */
#define PROGRESS_MS 500

struct export_command {
    struct ask ask;
    struct opt_list call_ids;
    const char *format, *output;
    bool calls, legs, payload, partial, quiet;

    enum export_format kind;
    const char *named; /* the Call-IDs by commas; NULL: none */
    struct out_file file;
    bool progress;
    int64_t told_ms;
};

#define AT(member) offsetof(struct export_command, member)

static const struct opt export_opts[] = {
    { "what", 0, OPT_TITLE, 0, 0, NULL, "What:" },
    { "from", 0, OPT_TEXT, AT(ask.from), 0, "TIME",
      "not before it: 2026-01-31T12:00:00Z, seconds since 1970,\n-1h, -15m, -7d" },
    { "to", 0, OPT_TEXT, AT(ask.to), 0, "TIME", "before it" },
    { "calls", 'c', OPT_FLAG, AT(calls), 0, NULL, "all messages of the calls of which a message matches" },
    { "call-id", 0, OPT_LIST, AT(call_ids), 0, "ID", "the calls of these Call-IDs, instead of a filter" },
    { "legs", 0, OPT_FLAG, AT(legs), 0, NULL, "with these two: of all legs of each call, whatever their Call-IDs" },
    { "limit", 'n', OPT_NUMBER, AT(ask.limit), EXPORT_LIMIT_MAX, "N", "messages that match at most (default: all)" },
    { "oldest", 0, OPT_FLAG, AT(ask.oldest), 0, NULL, "the first N instead of the last N" },
    { "timeout", 0, OPT_TEXT, AT(ask.timeout), 0, "TIME", "of each search: 5, 500ms, 1m" },
    { "partial", 0, OPT_FLAG, AT(partial), 0, NULL, "take what there is, if something cannot be read" },
    ASK_OPT_WHERE(struct export_command),
    { "output-to", 0, OPT_TITLE, 0, 0, NULL, "Output:" },
    { "output", 'o', OPT_TEXT, AT(output), 0, "FILE", "\"-\" is standard output (default)" },
    { "format", 'f', OPT_TEXT, AT(format), 0, "FORMAT",
      "pcap, pcapng, text, json (one object a line), csv\n(default: by the end of FILE's name; else pcap)" },
    { "columns", 0, OPT_TEXT, AT(ask.columns), 0, "LIST", "json and csv: columns by name: ts,src_ip,method,status" },
    { "payload", 'p', OPT_FLAG, AT(payload), 0, NULL, "csv: the messages themselves, too" },
    { "quiet", 'q', OPT_FLAG, AT(quiet), 0, NULL, "no word on standard error about how many there are" },
    { NULL, 0, OPT_FLAG, 0, 0, NULL, NULL },
};

const struct opt_command cmd_export_help = {
    .name = "export",
    .summary = "messages or calls as pcap, pcapng, text, JSON or CSV",
    .usage = "hepcat export [OPTION]... [FILTER]...",
    .about =
        "Writes all messages that match, in the order of time. A pcap has the packets as they were: addresses, ports,\n"
        "times, UDP, TCP, SCTP. FILE is there when it is whole, and not before. The filter is that of `hepcat search`.",
    .opts = export_opts,
    .examples = "  hepcat export --from -1h 'from:+1555*' --output calls.pcap\n"
                "  hepcat export --calls --from -1d status:503 -o failed.pcapng\n"
                "  hepcat export --call-id a84b4c76e66710@pc33.example.org | tshark -r -\n"
                "  hepcat export --legs --call-id a84b4c76e66710@pc33.example.org -o call.pcap\n"
                "  hepcat export --data /var/lib/hepcat method:REGISTER -o registers.csv\n",
    .status = "0 found, 1 nothing matches, 2 wrong usage or filter, 3 failed, or not whole: no FILE but with --partial",
};

/* ------------------------------------------------------------------------------------------------ output */

static int64_t now_ms(void)
{
    struct timespec ts;
    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static int on_data(void *arg, const void *octets, size_t len)
{
    struct export_command *c = arg;
    char size[SIZE_TEXT_MAX], text[PROGRESS_TEXT_MAX];
    int64_t now = now_ms();
    if (out_file_write(&c->file, octets, len) != 0)
        return 1;
    if (!c->progress || now - c->told_ms < PROGRESS_MS)
        return 0;
    c->told_ms = now;
    size_text(c->file.octets, size);
    (void)snprintf(text, sizeof(text), "%s written", size);
    report_progress(text);
    return 0;
}

/* ------------------------------------------------------------------------------------------------ a server */

static int export_server(struct export_command *c, json_t **ret_result, struct ask_problem *problem)
{
    const struct ask *a = &c->ask;
    struct http_get g;
    ask_http_init(&g, a);
    g.path = "/api/v1/export";
    g.form = true;
    g.data = on_data;
    g.arg = c;
    http_get_param(&g, "format", export_kind(c->kind)->name);
    http_get_param(&g, "q", c->named == NULL ? a->filter : NULL);
    http_get_param(&g, "call_id", c->named);
    http_get_param(&g, "calls", c->calls ? "1" : NULL);
    http_get_param(&g, "legs", c->legs ? "1" : NULL);
    http_get_param(&g, "from", a->from);
    http_get_param(&g, "to", a->to);
    http_get_param(&g, "timeout", a->timeout);
    http_get_param(&g, "columns", a->columns);
    http_get_param(&g, "payload", c->payload ? "1" : NULL);
    http_get_param(&g, "partial", c->partial ? "1" : NULL);
    http_get_param(&g, "order", a->oldest ? "oldest" : "newest");
    if (a->limit > 0)
        http_get_number(&g, "limit", a->limit);
    int rc = http_get_run(&g, &problem->text);
    if (rc == 0)
        rc = ask_http_result(&g, ret_result, problem);
    http_get_free(&g);
    return rc;
}

/* ------------------------------------------------------------------------------------------------ a data directory */

static void put_result(struct buf *out, const void *result)
{
    export_result_json(out, result);
}

static int run_export(struct export_command *c, struct export *e, json_t **ret_result, struct ask_problem *problem)
{
    struct buf piece;
    int rc = 1;
    bool enough = false;
    buf_init(&piece, PIECE_MAX);
    while (rc > 0 && !enough) {
        rc = export_next(e, &piece, &problem->text);
        enough = rc >= 0 && on_data(c, piece.ptr, piece.len) != 0;
        buf_reset(&piece);
    }
    buf_free(&piece);
    if (rc == 0 && !enough && (*ret_result = ask_result_object(put_result, export_result(e))) == NULL)
        rc = errmsg_set(&problem->text, "out of memory");
    return rc < 0 ? -1 : enough;
}

static int export_lake(struct export_command *c, json_t **ret_result, struct ask_problem *problem)
{
    struct store *lake = NULL;
    struct lake_start start;
    struct export *e = NULL;
    struct filter *filter = NULL;
    const struct lake_options options = { .data_dir = c->ask.data, .read_only = true };
    struct export_options o = {
        .format = c->kind,
        .call_ids = c->named,
        .calls = c->calls,
        .legs = c->legs,
        .limit = c->ask.limit,
        .oldest_first = c->ask.oldest,
        .partial = c->partial,
        .columns = c->ask.columns,
        .payload = c->payload || export_kind(c->kind)->payload,
        .program = "hepcat " HEPCAT_VERSION,
    };
    int rc = ask_question(&c->ask, &filter, &o.from_us, &o.to_us, &o.budget_us, problem);
    o.filter = filter;
    if (rc == 0)
        rc = lake_open(&lake, &options, &start, &problem->text);
    if (rc == 0 && (rc = export_open(&e, lake, &o, &problem->text)) == -EINVAL)
        problem->usage = true;
    if (rc == 0)
        rc = run_export(c, e, ret_result, problem);
    export_close(e);
    if (lake != NULL)
        lake->ops->close(lake);
    filter_free(filter);
    return rc < 0 ? -1 : rc;
}

/* ------------------------------------------------------------------------------------------------ telling */

static int64_t number(const json_t *result, const char *key)
{
    return json_integer_value(json_object_get(result, key));
}

static void tell_left_out(const json_t *result)
{
    static const struct {
        const char *key, *text;
    } reasons[] = { { "no_packet", "reports and logs, which are no packets" },
                    { "no_address", "without two addresses of one IP version" },
                    { "too_long", "longer than any datagram" } };
    const json_t *left_out = json_object_get(result, "left_out");
    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
        if (number(left_out, reasons[i].key) > 0)
            fprintf(stderr, "hepcat: left out: %" PRId64 " %s\n", number(left_out, reasons[i].key), reasons[i].text);
}

static void tell(const struct export_command *c, const json_t *result)
{
    int64_t count = number(result, "count"), calls = number(result, "calls");
    if (c->quiet)
        return;
    if (calls > 0)
        fprintf(stderr, "hepcat: %" PRId64 " messages of %" PRId64 " calls\n", count, calls);
    else
        fprintf(stderr, "hepcat: %" PRId64 " messages%s\n", count,
                json_is_true(json_object_get(result, "more")) ? "; there may be more" : "");
    tell_left_out(result);
    if (c->ask.data != NULL)
        fprintf(stderr, "hepcat: a server that runs on %s has the newest messages in its memory: --server finds them\n",
                c->ask.data);
}

static int conclude(struct export_command *c, const json_t *result)
{
    const char *why;
    struct errmsg err = { "" };
    bool whole = ask_is_whole(result, &why);
    if (out_file_keep(&c->file, &err) != 0) {
        fprintf(stderr, "hepcat: %s\n", err.text);
        return ASK_FAILED;
    }
    tell(c, result);
    if (!whole) {
        fprintf(stderr, "hepcat: the answer is not whole: %s\n", why);
        return ASK_FAILED;
    }
    return number(result, "count") > 0 ? ASK_FOUND : ASK_NOTHING;
}

static int run(struct export_command *c)
{
    struct ask_problem problem = { .usage = false };
    json_t *result = NULL;
    struct errmsg err = { "" };
    int status = ASK_FAILED;
    if (out_file_open(&c->file, c->output, &err) != 0) {
        fprintf(stderr, "hepcat: %s\n", err.text);
        return ASK_FAILED;
    }
    (void)signal(SIGPIPE, SIG_IGN);
    int rc = (c->ask.data != NULL ? export_lake : export_server)(c, &result, &problem);
    if (c->progress && c->told_ms > 0)
        report_progress("");
    if (rc == 0)
        status = conclude(c, result);
    else if (rc < 0)
        status = ask_complain(&c->ask, "export", &problem);
    else if (!c->file.broken_pipe)
        fprintf(stderr, "hepcat: %s\n", c->file.err.text);
    if (rc != 0)
        out_file_drop(&c->file);
    json_decref(result);
    return status;
}

/* ------------------------------------------------------------------------------------------------ options */

static bool ends_with(const char *text, const char *end)
{
    size_t len = strlen(text), n = strlen(end);
    return len >= n && strcasecmp(text + len - n, end) == 0;
}

static bool choose_format(struct export_command *c)
{
    static const struct {
        const char *name, *end;
        enum export_format kind;
    } names[] = {
        { "pcap", ".pcap", EXPORT_PCAP },  { NULL, ".cap", EXPORT_PCAP },     { "pcapng", ".pcapng", EXPORT_PCAPNG },
        { "text", ".txt", EXPORT_TEXT },   { "json", ".json", EXPORT_JSONL }, { "jsonl", ".jsonl", EXPORT_JSONL },
        { NULL, ".ndjson", EXPORT_JSONL }, { "csv", ".csv", EXPORT_CSV },
    };
    bool terminal = c->output == NULL && isatty(STDOUT_FILENO) != 0;
    c->kind = terminal ? EXPORT_TEXT : EXPORT_PCAP;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (c->format == NULL && c->output != NULL && ends_with(c->output, names[i].end))
            c->kind = names[i].kind;
        if (c->format != NULL && names[i].name != NULL && strcmp(c->format, names[i].name) == 0) {
            c->kind = names[i].kind;
            return true;
        }
    }
    return c->format == NULL;
}

/* 0, or the exit status. */
static int check(struct export_command *c, const struct opt_list *args)
{
    bool to_stdout = c->output == NULL || strcmp(c->output, "-") == 0;
    if (!choose_format(c))
        return report_usage("export", "--format is pcap, pcapng, text, json or csv");
    if (to_stdout && export_kind(c->kind)->binary && isatty(STDOUT_FILENO) != 0)
        return report_usage("export", "a %s is not for a terminal: --output FILE", export_kind(c->kind)->name);
    if (c->call_ids.count > 0 && (args->count > 0 || c->calls))
        return report_usage("export", "either --call-id or a filter");
    if (c->legs && !c->calls && c->call_ids.count == 0)
        return report_usage("export", "--legs goes with --call-id or --calls");
    if (c->ask.data != NULL && (c->ask.server != NULL || c->ask.token != NULL))
        return report_usage("export", "--data is without a server: no --server, no --token");
    for (size_t i = 0; i < c->call_ids.count; i++)
        if (strchr(c->call_ids.items[i], ',') != NULL || c->call_ids.items[i][0] == '\0')
            return report_usage("export", "--call-id: '%s' is no Call-ID", c->call_ids.items[i]);
    c->progress = !c->quiet && !to_stdout && isatty(STDERR_FILENO) != 0;
    return 0;
}

static int export(struct export_command *c, const struct opt_list *args)
{
    struct buf filter, named;
    int status = check(c, args);
    if (status != 0)
        return status;
    buf_init(&filter, (size_t)64 << 10);
    buf_init(&named, (size_t)128 << 10);
    c->ask.filter = ask_join(args, ' ', &filter);
    if (c->call_ids.count > 0)
        c->named = ask_join(&c->call_ids, ',', &named);
    if (c->ask.filter == NULL || (c->call_ids.count > 0 && c->named == NULL))
        status = report_usage("export", "the filter is too long");
    else
        status = run(c);
    buf_free(&filter);
    buf_free(&named);
    return status;
}

int cmd_export(int argc, char **argv)
{
    int status;
    struct export_command c = { .quiet = false };
    struct opt_list args = { 0 };
    if (!report_opts(&cmd_export_help, argc, argv, &c, &args, &status))
        return status;
    return export(&c, &args);
}
