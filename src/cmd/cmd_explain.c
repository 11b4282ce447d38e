/* `hepcat explain`: what went wrong in a call, in words. */
#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/when.h"
#include "cmd/ask_json.h"
#include "cmd/cmd.h"
#include "cmd/explain_out.h"
#include "cmd/http_get.h"
#include "cmd/report.h"
#include "cmd/rows_cell.h"
#include "query/diagnosis_flow.h"

#define WIDTH_DEFAULT 100 /* of a text that goes to a file */
#define WIDTH_MIN     40
#define OUT_MAX       ((size_t)4 << 20)
#define PATH_OCTETS   (3 * FLOW_CALL_ID_MAX + 64)

struct explain_command {
    struct ask ask;
    const char *format;
    uint64_t width;
    bool alone, ascii, quiet;
};

#define AT(member) offsetof(struct explain_command, member)

static const struct opt explain_opts[] = {
    { "what", 0, OPT_TITLE, 0, 0, NULL, "What:" },
    { "from", 0, OPT_TEXT, AT(ask.from), 0, "TIME",
      "not before it: 2026-01-31T12:00:00Z, seconds since 1970,\n-1h, -15m, -7d" },
    { "to", 0, OPT_TEXT, AT(ask.to), 0, "TIME", "before it" },
    { "alone", 0, OPT_FLAG, AT(alone), 0, NULL, "this Call-ID alone, without the other legs of the call" },
    ASK_OPT_WHERE(struct explain_command),
    { "output", 0, OPT_TITLE, 0, 0, NULL, "Output:" },
    { "format", 'f', OPT_TEXT, AT(format), 0, "FORMAT", "text (default), json (one object)" },
    { "width", 'w', OPT_NUMBER, AT(width), 1000, "N", "columns of the text (default: those of the terminal)" },
    { "ascii", 0, OPT_FLAG, AT(ascii), 0, NULL, "nothing but ASCII" },
    { "quiet", 'q', OPT_FLAG, AT(quiet), 0, NULL, "no word on standard error about what was left out" },
    { NULL, 0, OPT_FLAG, 0, 0, NULL, NULL },
};

const struct opt_command cmd_explain_help = {
    .name = "explain",
    .summary = "what went wrong in a call, in words",
    .usage = "hepcat explain [OPTION]... CALL-ID",
    .about =
        "Looks at all messages of a Call-ID and says in sentences how the call ended and what went wrong: which hop\n"
        "stopped answering, which ACK was lost, whose credentials are wrong, and so on, errors first. #7 is the\n"
        "seventh message of the ladder that 'hepcat flow' draws.",
    .opts = explain_opts,
    .examples = "  hepcat explain a84b4c76e66710@pc33.example.org\n"
                "  hepcat explain --format json a84b4c76e66710 | jq '.findings[].id'\n"
                "  hepcat explain --data /var/lib/hepcat a84b4c76e66710\n",
    .status = "0 the call is known, 1 no such call, 2 wrong usage, 3 failed, or the answer is not whole",
};

static int explain_lake(void *arg, struct store *lake, struct buf *out, struct ask_problem *problem)
{
    const struct explain_command *c = arg;
    struct filter *filter = NULL; /* none is asked for */
    uint64_t messages = 0;
    struct diagnosis_query q = {
        .call_id = c->ask.call_id, .call_id_len = strlen(c->ask.call_id), .with_legs = c->ask.legs, .now_us = when_now()
    };
    if (ask_question(&c->ask, &filter, &q.from_us, &q.to_us, &q.budget_us, problem) != 0)
        return -1;
    int rc = diagnosis_flow(out, lake, &q, &messages, &problem->text);
    problem->usage = rc == -EINVAL;
    return rc;
}

static bool print(const struct explain_command *c, const json_t *answer, bool text)
{
    struct printable p = { .ascii = c->ascii || !rows_out_is_utf8() };
    unsigned terminal = rows_out_width(), width = (unsigned)c->width;
    struct buf out;
    if (!text)
        return json_dumpf(answer, stdout, JSON_COMPACT) == 0 && putchar('\n') != EOF && fflush(stdout) == 0;
    if (width == 0)
        width = terminal > 0 ? terminal : WIDTH_DEFAULT;
    buf_init(&out, OUT_MAX);
    explain_out(&out, answer, &p, width < WIDTH_MIN ? WIDTH_MIN : width);
    bool ok = !out.failed && (out.len == 0 || fwrite(out.ptr, 1, out.len, stdout) == out.len) && fflush(stdout) == 0;
    buf_free(&out);
    return ok;
}

static void tell_left_out(const json_t *answer)
{
    int64_t messages = rows_cell_number(answer, "left_out"), findings = rows_cell_number(answer, "further_findings");
    if (messages > 0)
        fprintf(stderr, "hepcat: the first %" PRId64 " messages were looked at; there are more\n",
                rows_cell_number(answer, "messages"));
    if (findings > 0)
        fprintf(stderr, "hepcat: %" PRId64 " further findings are not shown\n", findings);
}

static int conclude(const struct explain_command *c, const json_t *answer, bool text)
{
    const char *why;
    bool known = rows_cell_number(answer, "messages") > 0;
    if ((known || !text) && !print(c, answer, text)) {
        fprintf(stderr, "hepcat: standard output cannot be written to\n");
        return ASK_FAILED;
    }
    if (!c->quiet)
        tell_left_out(answer);
    if (!ask_is_whole(answer, &why)) {
        fprintf(stderr, "hepcat: the answer is not whole: %s\n", why);
        return ASK_FAILED;
    }
    if (!known && !c->quiet)
        fprintf(stderr, "hepcat: no message has this Call-ID\n");
    return known ? ASK_FOUND : ASK_NOTHING;
}

static int explain(struct explain_command *c)
{
    struct ask_problem problem;
    struct buf path;
    json_t *answer;
    bool text = c->format == NULL || strcmp(c->format, "text") == 0;
    if (!text && strcmp(c->format, "json") != 0)
        return report_usage("explain", "--format is text or json");
    buf_init(&path, PATH_OCTETS);
    buf_puts(&path, "/api/v1/calls/");
    http_get_put_escaped(&path, c->ask.call_id);
    buf_puts(&path, "/diagnosis");
    buf_putc(&path, '\0');
    if (path.failed || c->ask.call_id[0] == '\0') {
        buf_free(&path);
        return report_usage("explain", "a Call-ID has 1 to %d octets", FLOW_CALL_ID_MAX);
    }
    const char *const params[] = { "from", c->ask.from, "to", c->ask.to, "legs", c->ask.legs ? "1" : NULL, NULL };
    const struct ask_json q = { .path = (const char *)path.ptr, .params = params, .lake = explain_lake, .arg = c };
    int rc = ask_json(&c->ask, &q, &answer, &problem);
    buf_free(&path);
    if (rc != 0)
        return ask_complain(&c->ask, "explain", &problem);
    int status = conclude(c, answer, text);
    json_decref(answer);
    return status;
}

int cmd_explain(int argc, char **argv)
{
    int status;
    struct explain_command c = { .quiet = false };
    struct opt_list args = { 0 };
    if (!report_opts(&cmd_explain_help, argc, argv, &c, &args, &status))
        return status;
    if (args.count != 1)
        return report_usage("explain", "give one Call-ID");
    c.ask.call_id = args.items[0];
    c.ask.legs = !c.alone;
    return explain(&c);
}
