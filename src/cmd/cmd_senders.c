/* `hepcat senders`: who sends to a server, how much, what is dropped and why, and how clocks go. */
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/when.h"
#include "cmd/ask_json.h"
#include "cmd/cmd.h"
#include "cmd/grid.h"
#include "cmd/report.h"

#define LIMIT_DEFAULT 1000
#define LIMIT_MAX     4000

struct senders_command {
    struct ask ask;
    const char *format;
};

#define AT(member) offsetof(struct senders_command, member)

static const struct opt senders_opts[] = {
    { "what", 0, OPT_TITLE, 0, 0, NULL, "What:" },
    { "limit", 'n', OPT_NUMBER, AT(ask.limit), LIMIT_MAX, "N", "senders at most (default 1000)" },
    ASK_OPT_WHERE(struct senders_command),
    { "output", 0, OPT_TITLE, 0, 0, NULL, "Output:" },
    { "format", 'f', OPT_TEXT, AT(format), 0, "FORMAT",
      "table (default on a terminal), json (one object a line;\ndefault elsewhere), csv" },
    { NULL, 0, OPT_FLAG, 0, 0, NULL, NULL },
};

const struct opt_command cmd_senders_help = {
    .name = "senders",
    .summary = "who sends: rates, drops and why, clock skew",
    .usage = "hepcat senders [OPTION]...",
    .about = "Lists the senders that a running server has seen since it started. RATE is frames a second, from the "
             "first to\n"
             "the last one; SKEW how far the sender's clock is ahead of the server's, in the mean, in milliseconds.",
    .opts = senders_opts,
    .examples = "  hepcat senders\n  hepcat senders --format csv --server http://10.0.0.5:9080\n",
    .status = "0 there are senders, 1 there are none, 2 wrong usage, 3 failed",
};

static const char *const titles[] = { "sender", "transport", "node",    "received", "stored",
                                      "rate",   "dropped",   "reasons", "skew_ms",  "last_seen" };
#define TITLES (sizeof(titles) / sizeof(titles[0]))

/* ------------------------------------------------------------------------------------------------ a sender */

static int64_t seen(const json_t *sender, const char *key)
{
    const char *text = json_string_value(json_object_get(sender, key));
    int64_t us = 0;
    return text != NULL && when_parse(text, strlen(text), 0, &us) ? us : 0;
}

static void put_rate(struct grid *g, const json_t *sender, int64_t received)
{
    int64_t length = seen(sender, "last_seen") - seen(sender, "first_seen");
    if (length > 0)
        grid_printf(g, "%.1f", (double)received * 1e6 / (double)length);
    else
        grid_text(g, "");
}

/* "key_wrong 3, rate 10" and their sum. */
static void put_drops(struct grid *g, json_t *dropped)
{
    struct buf text;
    const char *name;
    json_t *n;
    int64_t sum = 0;
    buf_init(&text, 4096);
    json_object_foreach(dropped, name, n)
    {
        buf_printf(&text, "%s%s %" JSON_INTEGER_FORMAT, text.len > 0 ? ", " : "", name, json_integer_value(n));
        sum += json_integer_value(n);
    }
    grid_printf(g, "%" PRId64, sum);
    grid_put(g, text.ptr != NULL ? (const char *)text.ptr : "", text.len);
    buf_free(&text);
}

/* "01-31 12:00:00" for people, who have little room. */
static void put_last(struct grid *g, const json_t *sender, bool people)
{
    const char *text = json_string_value(json_object_get(sender, "last_seen"));
    if (people && text != NULL && strlen(text) > 19)
        grid_printf(g, "%.5s %.8s", text + 5, text + 11);
    else
        grid_text(g, text != NULL ? text : "");
}

static void put_sender(struct grid *g, const json_t *sender, bool people)
{
    const json_t *counters = json_object_get(sender, "counters");
    const json_t *skew = json_object_get(json_object_get(sender, "clock_skew_us"), "mean");
    grid_json(g, json_object_get(sender, "ip"));
    grid_json(g, json_object_get(sender, "transport"));
    grid_json(g, json_object_get(sender, "node"));
    grid_json(g, json_object_get(counters, "received"));
    grid_json(g, json_object_get(counters, "stored"));
    put_rate(g, sender, json_integer_value(json_object_get(counters, "received")));
    put_drops(g, json_object_get(sender, "dropped"));
    if (json_is_integer(skew))
        grid_printf(g, "%.1f", (double)json_integer_value(skew) / 1000);
    else
        grid_text(g, "");
    put_last(g, sender, people);
}

/* ------------------------------------------------------------------------------------------------ output */

static void put_title(struct grid *g, const char *title, bool people)
{
    char text[32];
    size_t i = 0;
    for (; title[i] != '\0' && i + 1 < sizeof(text); i++) {
        bool letter = title[i] >= 'a' && title[i] <= 'z';
        text[i] = !people ? title[i] : title[i] == '_' ? ' ' : letter ? (char)(title[i] - 'a' + 'A') : title[i];
    }
    grid_put(g, text, i);
}

static bool print(const json_t *senders, enum rows_format format)
{
    struct grid g;
    bool ok = true;
    if (format == ROWS_JSON) {
        for (size_t i = 0; i < json_array_size(senders) && ok; i++)
            ok = json_dumpf(json_array_get(senders, i), stdout, JSON_COMPACT) == 0 && putchar('\n') != EOF;
        return ok && fflush(stdout) == 0;
    }
    grid_init(&g, TITLES);
    for (size_t i = 0; i < TITLES; i++)
        put_title(&g, titles[i], format == ROWS_TABLE);
    for (size_t i = 0; i < json_array_size(senders); i++)
        put_sender(&g, json_array_get(senders, i), format == ROWS_TABLE);
    ok = grid_print(&g, format);
    grid_free(&g);
    return ok;
}

static int conclude(const json_t *answer, enum rows_format format)
{
    const json_t *list = json_object_get(answer, "senders");
    int64_t total = json_integer_value(json_object_get(answer, "total"));
    if (!print(list, format)) {
        fprintf(stderr, "hepcat: standard output cannot be written to\n");
        return ASK_FAILED;
    }
    if (total > (int64_t)json_array_size(list))
        fprintf(stderr, "hepcat: %zu of %" PRId64 " senders\n", json_array_size(list), total);
    return total > 0 ? ASK_FOUND : ASK_NOTHING;
}

static int senders(struct senders_command *c, enum rows_format format)
{
    char limit[24];
    struct ask_problem problem;
    json_t *answer;
    (void)snprintf(limit, sizeof(limit), "%" PRIu64, c->ask.limit);
    const char *const params[] = { "limit", limit, NULL };
    const struct ask_json q = { .path = "/api/v1/senders", .params = params };
    if (ask_json(&c->ask, &q, &answer, &problem) != 0)
        return ask_complain(&c->ask, "senders", &problem);
    int status = conclude(answer, format);
    json_decref(answer);
    return status;
}

int cmd_senders(int argc, char **argv)
{
    int status;
    struct senders_command c = { .ask = { .limit = LIMIT_DEFAULT } };
    struct opt_list args = { 0 };
    enum rows_format format;
    if (!report_opts(&cmd_senders_help, argc, argv, &c, &args, &status))
        return status;
    if (!rows_format_parse(c.format, &format))
        return report_usage("senders", "--format is table, json or csv");
    if (args.count > 0)
        return report_usage("senders", "'%s' is more than is needed", args.items[0]);
    if (c.ask.data != NULL)
        return report_usage("senders", "only a running server knows its senders: no --data");
    return senders(&c, format);
}
