/* `hepcat flow`: all messages of a Call-ID, as a ladder. */
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/when.h"
#include "cmd/ask.h"
#include "cmd/cmd.h"
#include "cmd/report.h"
#include "cmd/rows_cell.h"
#include "query/ladder.h"

#define OUT_MAX       ((size_t)4 << 20)
#define WIDTH_DEFAULT 100 /* of a ladder that goes to a file */

struct flow_command {
    struct ask ask;
    const char *format;
    uint64_t width;
    bool alone, ascii, quiet;
};

#define AT(member) offsetof(struct flow_command, member)

static const struct opt flow_opts[] = {
    { "what", 0, OPT_TITLE, 0, 0, NULL, "What:" },
    { "from", 0, OPT_TEXT, AT(ask.from), 0, "TIME",
      "not before it: 2026-01-31T12:00:00Z, seconds since 1970,\n-1h, -15m, -7d" },
    { "to", 0, OPT_TEXT, AT(ask.to), 0, "TIME", "before it" },
    { "alone", 0, OPT_FLAG, AT(alone), 0, NULL, "this Call-ID alone, without the other legs of the call" },
    { "limit", 'n', OPT_NUMBER, AT(ask.limit), UINT32_MAX, "N", "messages at most (default: all)" },
    ASK_OPT_WHERE(struct flow_command),
    { "output", 0, OPT_TITLE, 0, 0, NULL, "Output:" },
    { "format", 'f', OPT_TEXT, AT(format), 0, "FORMAT", "text (default), json (one object a line)" },
    { "payload", 'p', OPT_FLAG, AT(ask.payload), 0, NULL, "json: the messages themselves, too" },
    { "width", 'w', OPT_NUMBER, AT(width), 1000, "N", "columns of the ladder (default: those of the terminal)" },
    { "ascii", 0, OPT_FLAG, AT(ascii), 0, NULL, "nothing but ASCII" },
    { "quiet", 'q', OPT_FLAG, AT(quiet), 0, NULL, "no word on standard error about how many there are" },
    { NULL, 0, OPT_FLAG, 0, 0, NULL, NULL },
};

const struct opt_command cmd_flow_help = {
    .name = "flow",
    .summary = "all messages of a call, as a ladder",
    .usage = "hepcat flow [OPTION]... CALL-ID",
    .about =
        "Draws the messages of a Call-ID in the order of time: SIP as arrows between hosts, RTCP, logs and the like\n"
        "that carry the Call-ID as correlation id as notes, reports on its media with what they say. (again) marks a "
        "retransmission, #1 the first message, as "
        "'hepcat explain' names it.",
    .opts = flow_opts,
    .examples = "  hepcat flow a84b4c76e66710@pc33.example.org\n"
                "  hepcat flow --format json --payload a84b4c76e66710 > call.jsonl\n"
                "  hepcat flow --data /var/lib/hepcat --width 140 a84b4c76e66710\n",
    .status = "0 found, 1 no such call, 2 wrong usage, 3 failed, or the answer is not whole",
};

/*
 * Reports on media, which wait for the rows of the same message: what they say (table `quality`) stands beside the
 * message that brought it, or alone where that does not belong to the flow.
 */
struct reports {
    struct ladder_message m;
    struct buf says, texts; /* texts: what m points to */
    uint64_t seq;           /* 0: none wait */
};

struct drawing {
    struct ladder *ladder; /* NULL: JSON */
    struct reports reports;
    struct buf out;
    uint64_t rows;
    bool failed;
};

static int write_out(struct drawing *d)
{
    if (d->out.failed || (d->out.len > 0 && fwrite(d->out.ptr, 1, d->out.len, stdout) != d->out.len))
        d->failed = true;
    buf_reset(&d->out);
    return d->failed;
}

static bool has_flag(const json_t *row, const char *name)
{
    size_t i;
    json_t *flag;
    json_array_foreach(json_object_get(row, "flags"), i,
                       flag) if (json_is_string(flag) && strcmp(json_string_value(flag), name) == 0) return true;
    return false;
}

static uint32_t port_of(const json_t *row, const char *key)
{
    int64_t v = rows_cell_number(row, key);
    return v < 0 ? 0 : (uint32_t)v;
}

static void read_message(const json_t *row, struct ladder_message *m)
{
    struct hep_slice ts = rows_cell_text(row, "ts");
    *m = (struct ladder_message){
        .src_ip = rows_cell_text(row, "src_ip"),
        .dst_ip = rows_cell_text(row, "dst_ip"),
        .src_port = port_of(row, "src_port"),
        .dst_port = port_of(row, "dst_port"),
        .is_sip = json_object_get(row, "kind") == NULL,
        .method = rows_cell_text(row, "method"),
        .status = rows_cell_number(row, "status"),
        .reason = rows_cell_text(row, "reason"),
        .branch = rows_cell_text(row, "branch"),
        .cseq = rows_cell_number(row, "cseq"),
        .has_sdp = has_flag(row, "sdp"),
        .malformed = json_object_get(row, "parse_error") != NULL,
        .kind = rows_cell_text(row, "kind"),
        .text = json_object_get(row, "payload_encoding") == NULL ? rows_cell_text(row, "payload")
                                                                 : (struct hep_slice){ NULL, 0 },
        .payload_len = port_of(row, "payload_len"),
    };
    (void)when_parse((const char *)ts.ptr, ts.len, 0, &m->ts);
}

/* ------------------------------------------------------------------------------------------------ reports on media */

static struct hep_slice keep_text(struct buf *to, struct hep_slice text)
{
    size_t at = to->len;
    buf_put(to, text.ptr, text.len);
    return to->failed ? (struct hep_slice){ NULL, 0 } : (struct hep_slice){ to->ptr + at, text.len };
}

/* Draws what waits. False if there is no memory. */
static bool draw_reports(struct drawing *d)
{
    struct reports *r = &d->reports;
    if (r->seq == 0)
        return true;
    r->m.text = (struct hep_slice){ r->says.ptr, r->says.len };
    r->seq = 0;
    return ladder_put(d->ladder, &r->m, &d->out);
}

/* The first row of a message with reports; its texts go with the row. */
static void begin_reports(struct reports *r, const struct ladder_message *m, uint64_t seq)
{
    buf_reset(&r->says);
    buf_reset(&r->texts);
    r->seq = seq;
    r->m = *m;
    /* room for all of it at once: the slices must stay */
    if (buf_space(&r->texts, m->src_ip.len + m->dst_ip.len + m->kind.len + 1) == NULL)
        r->m.src_ip = r->m.dst_ip = r->m.kind = (struct hep_slice){ NULL, 0 };
    r->m.src_ip = keep_text(&r->texts, r->m.src_ip);
    r->m.dst_ip = keep_text(&r->texts, r->m.dst_ip);
    r->m.kind = keep_text(&r->texts, r->m.kind);
}

static void add_figure(struct buf *to, const json_t *row, const char *key, const char *before, const char *unit)
{
    const json_t *v = json_object_get(row, key);
    if (json_is_number(v))
        buf_printf(to, "%s%s%.3g%s", to->len > 0 ? ", " : "", before, json_number_value(v), unit);
}

/* "caller hears MOS 4.03, 4 % lost, 20 ms jitter": the most important first, as lines are cut. */
static void say_report(struct buf *to, const json_t *row)
{
    struct hep_slice side = rows_cell_text(row, "heard_by");
    struct buf figures;
    buf_init(&figures, 256);
    add_figure(&figures, row, "mos", "MOS ", "");
    if (json_object_get(row, "mos") == NULL)
        add_figure(&figures, row, "mos_reported", "MOS (reported) ", "");
    add_figure(&figures, row, "loss", "", " % lost");
    add_figure(&figures, row, "jitter_ms", "", " ms jitter");
    add_figure(&figures, row, "rtt_ms", "", " ms round trip");
    if (to->len > 0)
        buf_puts(to, "; ");
    if (side.len > 0)
        buf_printf(to, "%.*s hears ", (int)side.len, (const char *)side.ptr);
    buf_put(to, figures.ptr, figures.len);
    buf_free(&figures);
}

static bool is_of_table(const json_t *row, const char *name)
{
    const char *table = json_string_value(json_object_get(row, "table"));
    return table != NULL && strcmp(table, name) == 0;
}

/* Takes a row of a report; false: it is none. */
static bool take_report(struct drawing *d, const json_t *row, struct ladder_message *m, bool *ret_drawn)
{
    bool says = is_of_table(row, "quality"), brings = is_of_table(row, "media");
    uint64_t seq = (uint64_t)rows_cell_number(row, "seq");
    *ret_drawn = d->reports.seq == seq || draw_reports(d);
    if (!says && !brings)
        return false;
    if (says) {
        m->kind = rows_cell_text(row, "report");
        m->is_sip = false;
        m->unnumbered = true;
    }
    if (d->reports.seq != seq)
        begin_reports(&d->reports, m, seq);
    if (says)
        say_report(&d->reports.says, row);
    else
        d->reports.m.unnumbered = false;
    return true;
}

static int on_row(void *arg, const char *json, size_t len)
{
    struct drawing *d = arg;
    struct ladder_message m;
    bool drawn;
    d->rows++;
    if (d->ladder == NULL) {
        buf_put(&d->out, json, len);
        buf_putc(&d->out, '\n');
        return write_out(d);
    }
    json_t *row = json_loadb(json, len, JSON_ALLOW_NUL, NULL);
    if (row == NULL)
        return 0;
    read_message(row, &m);
    if (!take_report(d, row, &m, &drawn))
        drawn = drawn && ladder_put(d->ladder, &m, &d->out);
    json_decref(row);
    return !drawn || write_out(d) != 0;
}

static int conclude(const struct flow_command *c, const json_t *result, const struct drawing *d)
{
    const char *why;
    if (d->failed || result == NULL) {
        fprintf(stderr, "hepcat: standard output cannot be written to\n");
        return ASK_FAILED;
    }
    if (json_is_string(json_object_get(result, "next")) && !c->quiet)
        fprintf(stderr, "hepcat: the first %" PRIu64 " messages; there may be more\n", d->rows);
    if (!ask_is_whole(result, &why)) {
        fprintf(stderr, "hepcat: the answer is not whole: %s\n", why);
        return ASK_FAILED;
    }
    if (d->rows == 0 && !c->quiet)
        fprintf(stderr, "hepcat: no message has this Call-ID\n");
    return d->rows > 0 ? ASK_FOUND : ASK_NOTHING;
}

static int run(struct flow_command *c, struct drawing *d)
{
    struct ask_problem problem;
    json_t *result = NULL;
    c->ask.row = on_row;
    c->ask.arg = d;
    int rc = ask_run(&c->ask, &result, &problem);
    if (d->ladder != NULL && (!draw_reports(d) || !ladder_end(d->ladder, &d->out)))
        d->failed = true;
    (void)write_out(d);
    d->failed = fflush(stdout) != 0 || d->failed;
    int status = rc != 0 ? ask_complain(&c->ask, "flow", &problem) : conclude(c, result, d);
    json_decref(result);
    return status;
}

static int flow(struct flow_command *c)
{
    struct drawing d = { .rows = 0 };
    unsigned terminal = rows_out_width();
    struct ladder_options o = { .width = (unsigned)c->width, .ascii = c->ascii || !rows_out_is_utf8() };
    bool text = c->format == NULL || strcmp(c->format, "text") == 0;
    if (!text && strcmp(c->format, "json") != 0)
        return report_usage("flow", "--format is text or json");
    if (o.width == 0)
        o.width = terminal > 0 ? terminal : WIDTH_DEFAULT;
    if (text) {
        c->ask.payload = false;
        c->ask.media = true;
        c->ask.log_payload = true; /* what a log line says stands beside its arrow */
        d.ladder = ladder_new(&o);
    }
    if (text && d.ladder == NULL) {
        fprintf(stderr, "hepcat: out of memory\n");
        return ASK_FAILED;
    }
    buf_init(&d.out, OUT_MAX);
    buf_init(&d.reports.says, OUT_MAX);
    buf_init(&d.reports.texts, OUT_MAX);
    int status = run(c, &d);
    buf_free(&d.out);
    buf_free(&d.reports.says);
    buf_free(&d.reports.texts);
    ladder_free(d.ladder);
    return status;
}

int cmd_flow(int argc, char **argv)
{
    int status;
    struct flow_command c = { .quiet = false };
    struct opt_list args = { 0 };
    if (!report_opts(&cmd_flow_help, argc, argv, &c, &args, &status))
        return status;
    if (args.count != 1)
        return report_usage("flow", "give one Call-ID");
    c.ask.call_id = args.items[0];
    c.ask.legs = !c.alone;
    return flow(&c);
}
