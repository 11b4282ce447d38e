/*
 * `hepcat import`: captures and files of frames into the store. What `hepcat encode` makes of files (encode_file.c)
 * goes to a server, or straight into a data directory (import_to.h), with the times of capture as they are.
 */
#include <inttypes.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/when.h"
#include "cmd/ask.h"
#include "cmd/cmd.h"
#include "cmd/encode_file.h"
#include "cmd/import_progress.h"
#include "cmd/import_to.h"
#include "record/reader.h"

#define DEFAULT_PORTS "9060-9063"
#define DEFAULT_RETRY 300

struct import_command {
    struct import_to_options to;
    struct opt_list hep_ports, headers;
    struct select_options select;
    const char *node;
    uint64_t id, retry;
    bool quiet;
};

#define AT(member) offsetof(struct import_command, member)

static const struct opt import_opts[] = {
    { "where", 0, OPT_TITLE, 0, 0, NULL, "Where to:" },
    { "server", 0, OPT_TEXT, AT(to.server), 0, "URL", "a running server (default " ASK_SERVER ")" },
    { "data", 0, OPT_TEXT, AT(to.data), 0, "DIR", "a data directory instead, which no server may be using" },
    { "token", 0, OPT_TEXT, AT(to.token), 0, "TOKEN", "that the server asks for (default: $HEPCAT_TOKEN)" },
    { "retry", 0, OPT_NUMBER, AT(retry), 86400, "SECONDS",
      "how long a server that does not answer, or has no room,\nis tried again (default 300)" },
    { "ca", 0, OPT_TEXT, AT(to.ca), 0, "FILE", "certificates to trust, PEM (default: those of the system)" },
    { "insecure", 0, OPT_FLAG, AT(to.insecure), 0, NULL, "do not verify the server's certificate" },
    { "header", 0, OPT_LIST, AT(headers), 0, "NAME",
      "with --data: a SIP header to keep in the column headers,\nas search.headers of a server says" },
    { "captures", 0, OPT_TITLE, 0, 0, NULL, "Captures:" },
    { "hep-port", 0, OPT_LIST, AT(hep_ports), 0, "PORTS",
      "where HEP goes to, for what its content does not tell\n(default " DEFAULT_PORTS ")" },
    { "node", 0, OPT_TEXT, AT(node), 0, "NAME", "capture agent of plain SIP and RTCP (default hepcat)" },
    { "id", 0, OPT_NUMBER, AT(id), UINT32_MAX, "N", "its number (default 2001)" },
    { "select", 0, OPT_TITLE, 0, 0, NULL, SELECT_HELP },
    { "type", 0, OPT_LIST, AT(select.types), 0, "LIST", SELECT_TYPE_HELP },
    { "ip", 0, OPT_LIST, AT(select.ips), 0, "NET", SELECT_IP_HELP },
    { "text", 0, OPT_LIST, AT(select.texts), 0, "TEXT", SELECT_TEXT_HELP },
    { "output", 0, OPT_TITLE, 0, 0, NULL, "Output:" },
    { "quiet", 'q', OPT_FLAG, AT(quiet), 0, NULL, "nothing on standard error but mistakes in the command line" },
    { NULL, 0, OPT_FLAG, 0, 0, NULL, NULL },
};

const struct opt_command cmd_import_help = {
    .name = "import",
    .summary = "captures (pcap, pcapng) and files of HEP frames into the store, with their times",
    .usage = "hepcat import [OPTION]... FILE...",
    .about =
        "Stores what is in captures of SIP, RTCP and HEP, and in files of HEP frames, with the times of capture,\n"
        "however old. The content tells what a file is, gzip or not; \"-\" is standard input. IP fragments and TCP\n"
        "are put together. The same file imported twice is there twice.",
    .opts = import_opts,
    .examples = "  hepcat import trace.pcap\n"
                "  hepcat import --data /var/lib/hepcat /captures/*.pcap.gz\n"
                "  tcpdump -w - port 5060 | hepcat import -\n",
    .status = "0 all was well, 1 something could not be read or stored, 2 wrong usage",
};

static volatile sig_atomic_t interrupted;

/* The second time: at once. */
static void on_signal(int number)
{
    if (interrupted != 0) {
        (void)signal(number, SIG_DFL);
        (void)raise(number);
    }
    interrupted = 1;
}

/* One run. */
struct importing {
    struct import_command *c;
    struct encoder encoder;
    struct encoder_sink sink;
    struct import_to *to;
    struct import_progress progress;
    struct ports ports;
    struct report report;
    bool stopped;              /* the destination takes no more */
    int64_t first_us, last_us; /* of the messages' times of capture */
};

/* ------------------------------------------------------------------------------------------------ frames */

static void note_time(struct importing *im, const struct hep_msg *msg)
{
    if (!hep_has(msg, HEP_CHUNK_TIME_SEC))
        return;
    int64_t us = (int64_t)msg->time_sec * 1000000 + msg->time_usec;
    im->first_us = us < im->first_us ? us : im->first_us;
    im->last_us = us > im->last_us ? us : im->last_us;
}

static int on_frame(void *arg, const uint8_t *frame, size_t len, const struct hep_msg *msg)
{
    struct importing *im = arg;
    uint8_t modern[HEP_FRAME_MAX];
    note_time(im, msg);
    if (msg->version != 3) { /* alone in a file: the others of its kind come rebuilt */
        struct hep_msg copy = *msg;
        copy.version = 3;
        int rc = hep_encode(&copy, modern, sizeof(modern), &len);
        if (rc != HEP_OK) {
            encoder_bad(&im->encoder, "message", "%s", hep_strerror(rc));
            return 0;
        }
        frame = modern;
    }
    im->stopped = import_to_frame(im->to, frame, len) != 0;
    return im->stopped ? -1 : 0;
}

/* What is typed or piped in slowly is to be found soon. */
static void on_flush(void *arg)
{
    struct importing *im = arg;
    if (im->stopped || import_to_flush(im->to) == 0)
        return;
    im->stopped = true;
    im->encoder.done = true;
}

/* ------------------------------------------------------------------------------------------------ telling */

static unsigned long long ull(uint64_t v)
{
    return v;
}

static void tell_found(const struct importing *im, size_t files)
{
    const struct messages_counts *c = &im->encoder.counts;
    const struct report *r = &im->report;
    report_note(r, "%zu file%s, %llu packets: %llu SIP, %llu RTCP and %llu HEP messages", files, files == 1 ? "" : "s",
                ull(c->packets), ull(c->sip), ull(c->rtcp), ull(c->hep));
    if (c->other_udp != 0 || c->other_tcp != 0)
        report_note(r, "neither SIP, RTCP nor HEP: %llu datagrams, %llu octets of TCP", ull(c->other_udp),
                    ull(c->other_tcp));
    if (c->cut != 0)
        report_note(r, "cut by the snap length: %llu messages", ull(c->cut));
    if (c->uncorrelated != 0)
        report_note(r, "RTCP of no call seen here: %llu packets", ull(c->uncorrelated));
    if (im->encoder.left_out != 0)
        report_note(r, "left out by --type, --ip or --text: %llu messages", ull(im->encoder.left_out));
    if (im->encoder.bad != 0)
        report_note(r, "could not be read: %llu", ull(im->encoder.bad));
}

static void tell_stored(const struct importing *im, const struct import_sums *s)
{
    const struct report *r = &im->report;
    uint64_t lost = s->given - s->stored - s->keepalives - s->bad - s->refused;
    report_note(r, "%llu stored", ull(s->stored));
    if (s->keepalives != 0)
        report_note(r, "keep-alives of agents, not stored: %llu", ull(s->keepalives));
    if (s->bad != 0)
        report_note(r, "refused, not HEP: %llu (%s)", ull(s->bad), s->bad_text);
    if (s->refused != 0)
        report_note(r, "refused, too long: %llu", ull(s->refused));
    if (lost != 0)
        report_note(r, "not stored, or not known to be: %llu", ull(lost));
    if (s->stored == 0 || im->first_us > im->last_us)
        return;
    char first[WHEN_TEXT_MAX], last[WHEN_TEXT_MAX], to[WHEN_TEXT_MAX];
    when_format(im->first_us, first);
    when_format(im->last_us, last);
    when_format(im->last_us + 1, to);
    report_note(r, "captured from %s to %s", first, last);
    report_note(r, "find them with: hepcat search --from %s --to %s", first, to);
}

/* ------------------------------------------------------------------------------------------------ running */

static int finish(struct importing *im, size_t files)
{
    struct import_sums sums = { 0 };
    struct errmsg err = { "" };
    int closed = import_to_close(im->to, &sums, &err);
    bool bad = im->encoder.bad != 0;
    if (closed != 0 && err.text[0] != '\0')
        report_error(&im->report, "%s", err.text);
    if (interrupted)
        report_note(&im->report, "interrupted");
    tell_found(im, files);
    tell_stored(im, &sums);
    bool lost = sums.stored + sums.keepalives != sums.given;
    (void)encoder_close(&im->encoder, NULL);
    return bad || lost || closed != 0 || interrupted ? EXIT_BAD_INPUT : EXIT_OK;
}

static void read_files(struct importing *im, char **files, size_t count)
{
    static const struct hep_registry no_names;
    for (size_t i = 0; i < count && !im->encoder.done && !interrupted; i++) {
        import_progress_file(&im->progress, files[i]);
        encode_file(&im->encoder, files[i], &no_names);
    }
}

static int run(struct importing *im, char **files, size_t count)
{
    struct errmsg err = { "" };
    const struct import_to_options *o = &im->c->to;
    if ((o->data != NULL ? import_to_data : import_to_server)(&im->to, o, &err) != 0) {
        if (o->data == NULL)
            return report_usage("import", "%s", err.text);
        report_error(&im->report, "%s", err.text);
        return EXIT_BAD_INPUT;
    }
    if (encoder_open(&im->encoder, &err) != 0)
        encoder_bad(&im->encoder, "import", "%s", err.text);
    else
        read_files(im, files, count);
    return finish(im, count);
}

static int prepare(struct importing *im, size_t files, struct errmsg *err)
{
    struct import_command *c = im->c;
    struct encoder *e = &im->encoder;
    im->first_us = INT64_MAX;
    im->last_us = INT64_MIN;
    im->report.quiet = c->quiet;
    im->sink = (struct encoder_sink){ on_frame, on_flush, im };
    import_progress_init(&im->progress, !c->quiet && isatty(STDERR_FILENO), files, &e->encoded);
    e->override.capture_id = ENCODER_ID_AS_IS;
    e->report = &im->report;
    e->sink = &im->sink;
    e->stop = &interrupted;
    e->plain_node = c->node;
    e->plain_id = (uint32_t)c->id;
    e->hep_ports = &im->ports;
    e->known_only = true;
    e->on_read = import_progress_read;
    e->read_arg = &im->progress;
    c->to.stop = &interrupted;
    c->to.report = &im->report;
    c->to.retry_s = (unsigned)c->retry;
    if (files == 0)
        return errmsg_set(err, "a FILE is needed (\"-\" is standard input)");
    if (c->to.data != NULL && (c->to.server != NULL || c->to.token != NULL))
        return errmsg_set(err, "--data goes without a server: no --server, no --token");
    if (c->headers.count > 0 && c->to.data == NULL)
        return errmsg_set(err, "--header goes with --data: a server keeps those of its search.headers");
    if (c->headers.count > RECORD_HEADERS_MAX)
        return errmsg_set(err, "--header: at most %d", RECORD_HEADERS_MAX);
    c->to.headers = c->headers.items;
    c->to.header_count = c->headers.count;
    if (c->to.server == NULL)
        c->to.server = ASK_SERVER;
    if (c->to.token == NULL && c->to.data == NULL)
        c->to.token = getenv("HEPCAT_TOKEN");
    if (ports_init(&im->ports, &c->hep_ports, DEFAULT_PORTS, err) != 0)
        return -1;
    return select_init(&e->select, &c->select, err);
}

static int import(struct importing *im, char **files, size_t count)
{
    struct errmsg err = { "" };
    if (prepare(im, count, &err) != 0)
        return report_usage("import", "%s", err.text);
    struct sigaction action = { .sa_handler = on_signal };
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    return run(im, files, count);
}

int cmd_import(int argc, char **argv)
{
    struct import_command c = { .retry = DEFAULT_RETRY };
    struct errmsg err = { "" };
    int count;
    switch (opt_parse_many(&cmd_import_help, argc, argv, &c, &count, &err)) {
    case OPT_HELP:
        opt_help(&cmd_import_help);
        return EXIT_OK;
    case OPT_ERROR:
        return report_usage("import", "%s", err.text);
    case OPT_RUN:
        break;
    }
    struct importing *im = calloc(1, sizeof(*im));
    if (im == NULL)
        return report_usage(NULL, "out of memory");
    im->c = &c;
    int status = import(im, argv + 1, (size_t)count);
    free(im);
    return status;
}
