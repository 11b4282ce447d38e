/* `hepcat tail`: messages as a running server receives them. */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cmd/ask.h"
#include "cmd/cmd.h"
#include "cmd/http_get.h"
#include "cmd/report.h"
#include "cmd/tail_out.h"

#define RATE_MAX    5000
#define PAUSE_FIRST 1u /* seconds before the server is asked again; each time twice as many, up to... */
#define PAUSE_MOST  30u
#define ID_MAX      256

struct tail_command {
    struct ask ask;
    const char *format, *colour;
    uint64_t rate;
    bool quiet;
};

#define AT(member) offsetof(struct tail_command, member)

static const struct opt tail_opts[] = {
    { "what", 0, OPT_TITLE, 0, 0, NULL, "What:" },
    { "limit", 'n', OPT_NUMBER, AT(ask.limit), UINT32_MAX, "N", "end after N messages" },
    { "rate", 0, OPT_NUMBER, AT(rate), RATE_MAX, "N",
      "at most so many a second, the others are skipped\n(default 1000)" },
    ASK_OPT_WHERE(struct tail_command),
    { "output", 0, OPT_TITLE, 0, 0, NULL, "Output:" },
    { "format", 'f', OPT_TEXT, AT(format), 0, "FORMAT",
      "text (a line each; default on a terminal), json (one\nobject a line; default elsewhere), csv" },
    { "columns", 0, OPT_TEXT, AT(ask.columns), 0, "LIST", "columns by name: ts,src_ip,method,status,call_id" },
    { "payload", 'p', OPT_FLAG, AT(ask.payload), 0, NULL, "the messages themselves, too" },
    { "color", 0, OPT_TEXT, AT(colour), 0, "WHEN", "auto (default: on a terminal), always, never" },
    { "quiet", 'q', OPT_FLAG, AT(quiet), 0, NULL, "no word on standard error but errors" },
    { NULL, 0, OPT_FLAG, 0, 0, NULL, NULL },
};

const struct opt_command cmd_tail_help = {
    .name = "tail",
    .summary = "show messages as they come in",
    .usage = "hepcat tail [OPTION]... [FILTER]...",
    .about =
        "Prints the messages that a running server receives from now on and that match; filters are those of\n"
        "'hepcat search'. When the server goes away it is asked again until it is there, and what came meanwhile is\n"
        "made up for. Standard error tells what was skipped because there was too much. Ends with Ctrl-C.",
    .opts = tail_opts,
    .examples = "  hepcat tail\n"
                "  hepcat tail 'from:+1555*' 'status:>=400'\n"
                "  hepcat tail method:INVITE --limit 10 --payload --server http://10.0.0.5:9080\n",
    .status = "0 ended by the user or by --limit, 2 wrong usage or filter, 3 failed",
};

/* ------------------------------------------------------------------------------------------------ events */

static volatile sig_atomic_t stopped;

struct tail {
    struct tail_command *c;
    struct tail_out out;
    char id[ID_MAX];   /* of the last event that was taken */
    char next[ID_MAX]; /* of the event that is being read; empty: none */
    bool skipped_event;
    bool came; /* something, in this transfer */
    bool failed;
    uint64_t rows, skipped, unseen;
};

static uint64_t number_of(const json_t *j, const char *key)
{
    json_int_t v = json_integer_value(json_object_get(j, key));
    return v > 0 ? (uint64_t)v : 0;
}

static void tell_skipped(struct tail *t, const char *data, size_t len)
{
    json_t *j = json_loadb(data, len, 0, NULL);
    uint64_t skipped = number_of(j, "count"), unseen = number_of(j, "unseen");
    bool exact = !json_is_false(json_object_get(j, "exact"));
    json_decref(j);
    t->skipped += skipped;
    t->unseen += unseen;
    if (t->c->quiet)
        return;
    if (skipped > 0 || !exact)
        fprintf(stderr, "hepcat: skipped %s%" PRIu64 " messages that match\n", exact ? "" : "at least ", skipped);
    if (unseen > 0)
        fprintf(stderr, "hepcat: %" PRIu64 " messages came too fast to be looked at\n", unseen);
}

static int take_data(struct tail *t, const char *data, size_t len)
{
    if (t->skipped_event) {
        tell_skipped(t, data, len);
    } else if (!tail_out_put(&t->out, data, len)) {
        t->failed = true;
        return 1;
    } else {
        t->rows++;
    }
    if (t->next[0] != '\0')
        memcpy(t->id, t->next, sizeof(t->id));
    return t->c->ask.limit > 0 && t->rows >= t->c->ask.limit;
}

static const char *after(const char *line, size_t len, const char *name, size_t *ret_len)
{
    size_t n = strlen(name);
    if (len < n || memcmp(line, name, n) != 0)
        return NULL;
    *ret_len = len - n;
    return line + n;
}

/* A line of the stream of events, as hepcat writes it: id, event, then data on one line. */
static int on_line(void *arg, const char *line, size_t len)
{
    struct tail *t = arg;
    const char *text;
    size_t n = 0;
    t->came = true;
    if (stopped)
        return 1;
    if (len == 0 && t->next[0] != '\0') /* the end of an event: an id without data counts, too */
        memcpy(t->id, t->next, sizeof(t->id));
    if ((text = after(line, len, "id: ", &n)) != NULL) {
        n = n < sizeof(t->next) ? n : 0;
        memcpy(t->next, text, n);
        t->next[n] = '\0';
    } else if ((text = after(line, len, "event: ", &n)) != NULL) {
        t->skipped_event = n == 7 && memcmp(text, "skipped", 7) == 0;
    } else if ((text = after(line, len, "data: ", &n)) != NULL) {
        return take_data(t, text, n);
    }
    return 0;
}

/* ------------------------------------------------------------------------------------------------ the server */

static void on_signal(int number)
{
    (void)number;
    stopped = 1;
}

static void watch_signals(void)
{
    struct sigaction action = { .sa_handler = on_signal };
    (void)sigemptyset(&action.sa_mask);
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
}

enum outcome { TAIL_DONE, TAIL_AGAIN, TAIL_REFUSED };

/* One transfer, as long as it lasts. */
static enum outcome follow(struct tail *t, struct ask_problem *problem)
{
    const struct ask *a = &t->c->ask;
    struct http_get g;
    char header[ID_MAX + 32];
    json_t *ignored = NULL;
    ask_http_init(&g, a);
    g.path = "/api/v1/live";
    g.form = true;
    g.line = on_line;
    g.arg = t;
    g.blanks = true;
    g.stop = &stopped;
    (void)snprintf(header, sizeof(header), "Last-Event-ID: %s", t->id);
    g.header = t->id[0] != '\0' ? header : NULL;
    http_get_param(&g, "q", a->filter);
    http_get_param(&g, "columns", a->columns);
    http_get_param(&g, "payload", a->payload ? "1" : NULL);
    if (t->c->rate > 0)
        http_get_number(&g, "rate", t->c->rate);
    t->next[0] = '\0';
    t->came = false;
    *problem = (struct ask_problem){ .usage = false };
    int rc = http_get_run(&g, &problem->text);
    enum outcome outcome = TAIL_AGAIN;
    if (rc > 0 || stopped)
        outcome = TAIL_DONE;
    else if (rc == 0 && g.status == 200)
        (void)errmsg_set(&problem->text, "%s: the server ended the stream", g.server);
    else if (rc == 0) {
        (void)ask_http_result(&g, &ignored, problem);
        outcome = g.status == 429 || g.status >= 500 ? TAIL_AGAIN : TAIL_REFUSED;
    }
    http_get_free(&g);
    return outcome;
}

static void pause_for(unsigned seconds)
{
    struct timespec left = { .tv_sec = (time_t)seconds };
    while (!stopped && nanosleep(&left, &left) != 0 && errno == EINTR)
        ;
}

static void tell_end(const struct tail *t)
{
    if (t->c->quiet)
        return;
    fprintf(stderr, "hepcat: %" PRIu64 " messages", t->rows);
    if (t->skipped > 0)
        fprintf(stderr, ", %" PRIu64 " skipped", t->skipped);
    if (t->unseen > 0)
        fprintf(stderr, ", %" PRIu64 " not looked at", t->unseen);
    fputc('\n', stderr);
}

/* Until the user or the limit ends it. A server that was never there is an error, one that goes away is not. */
static int run(struct tail *t)
{
    struct ask_problem problem;
    unsigned pause = PAUSE_FIRST;
    enum outcome outcome;
    bool ever = false;
    while ((outcome = follow(t, &problem)) == TAIL_AGAIN) {
        ever = ever || t->came;
        if (!ever)
            return ask_complain(&t->c->ask, "tail", &problem);
        pause = t->came ? PAUSE_FIRST : pause;
        if (!t->c->quiet)
            fprintf(stderr, "hepcat: %s; again in %u s\n", problem.text.text, pause);
        pause_for(pause);
        pause = 2 * pause < PAUSE_MOST ? 2 * pause : PAUSE_MOST;
    }
    if (outcome == TAIL_REFUSED)
        return ask_complain(&t->c->ask, "tail", &problem);
    if (t->failed) {
        fprintf(stderr, "hepcat: standard output cannot be written to\n");
        return ASK_FAILED;
    }
    tell_end(t);
    return ASK_FOUND;
}

/* ------------------------------------------------------------------------------------------------ the command */

static int tail(struct tail_command *c, const struct opt_list *args)
{
    struct tail t = { .c = c, .out = { .payload = c->ask.payload } };
    struct errmsg err = { "" };
    struct buf filter;
    int status = ASK_USAGE;
    if (!tail_format_parse(c->format, &t.out.format))
        return report_usage("tail", "--format is text, json or csv");
    if (!tail_colours_parse(c->colour, &t.out.colours))
        return report_usage("tail", "--color is auto, always or never");
    if (c->ask.data != NULL)
        return report_usage("tail", "nothing comes into files: --data is for 'search' and 'flow'");
    buf_init(&filter, (size_t)128 << 10);
    c->ask.filter = ask_join(args, ' ', &filter); /* one filter: all must be true */
    if (c->ask.filter == NULL)
        status = report_usage("tail", "the filter is too long");
    else if (tail_out_open(&t.out, c->ask.columns, &err) != 0)
        status = report_usage("tail", "%s", err.text);
    else {
        c->ask.columns = tail_out_wants(t.out.format, c->ask.columns);
        watch_signals();
        status = run(&t);
    }
    tail_out_close(&t.out);
    buf_free(&filter);
    return status;
}

int cmd_tail(int argc, char **argv)
{
    int status;
    struct tail_command c = { .ask = { .limit = 0 } };
    struct opt_list args = { 0 };
    if (!report_opts(&cmd_tail_help, argc, argv, &c, &args, &status))
        return status;
    return tail(&c, &args);
}
