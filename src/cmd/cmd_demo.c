/*
 * `hepcat demo`: src/demo/ makes the messages; here they get their time, and go where they are wanted: through the
 * encoder to a collector or to standard output, and as plain packets into a pcap.
 */
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/num.h"
#include "cmd/cmd.h"
#include "cmd/encoder.h"
#include "demo/demo.h"

#define DEFAULT_URL "udp://127.0.0.1:9060"
/* Where simulated time begins: 2025-01-06 08:00:00 UTC and a minute for each seed, so that two seeds differ. */
#define START_SEC     UINT64_C(1736150400)
#define START_MINUTES 1440
#define SECONDS_MAX   (UINT64_C(366) * 86400)
#define SLEEP_MIN_US  1000    /* what is due sooner goes out at once: sleeping takes longer */
#define LATE_MAX_US   2000000 /* the output or the machine stood still: what was missed is not made up for in a burst */

struct demo_command {
    const char *to, *pcap, *mix, *start, *auth_key, *node_name, *ca;
    uint64_t rate, count, duration, seed, talk, concurrent, capture_id, retry;
    bool raw, fast, insecure, list, quiet;
};

#define AT(member) offsetof(struct demo_command, member)
#define SEED_UNSET UINT64_MAX

static const struct opt demo_opts[] = {
    { "calls", 0, OPT_TITLE, 0, 0, NULL, "Calls (registrations and the like count as calls here):" },
    { "rate", 0, OPT_NUMBER, AT(rate), DEMO_RATE_MAX, "N", "new calls a second (default 10)" },
    { "count", 'n', OPT_NUMBER, AT(count), UINT32_MAX, "N", "end after N calls (default 0: go on for ever)" },
    { "duration", 0, OPT_NUMBER, AT(duration), SECONDS_MAX, "SECONDS",
      "end then, whatever still runs (default 0: never)" },
    { "talk", 0, OPT_NUMBER, AT(talk), DEMO_TALK_MAX, "SECONDS", "median of the talk time (default 20)" },
    { "concurrent", 0, OPT_NUMBER, AT(concurrent), DEMO_CONCURRENT_MAX, "N",
      "limit of calls at a time (default 65536, some 30 MB):\nfurther ones begin late" },
    { "mix", 0, OPT_TEXT, AT(mix), 0, "LIST", "scenarios: 'busy,answered:5' (weights), 'all,-malformed'" },
    { "list", 0, OPT_FLAG, AT(list), 0, NULL, "name the scenarios and their usual weights, and end" },
    { "seed", 0, OPT_NUMBER, AT(seed), UINT32_MAX, "N",
      "the same seed gives the same calls (default 1; in real\ntime one that differs each time)" },
    { "time", 0, OPT_TITLE, 0, 0, NULL, "Time:" },
    { "fast", 0, OPT_FLAG, AT(fast), 0, NULL, "do not wait: capture times are simulated" },
    { "start", 0, OPT_TEXT, AT(start), 0, "TIME",
      "of simulated time: 'now' or seconds since 1970 (default:\na day of January 2025, by the seed)" },
    { "output", 0, OPT_TITLE, 0, 0, NULL, "Output:" },
    { "to", 't', OPT_TEXT, AT(to), 0, "URL",
      "udp://host:9060 tcp://host:9060 tls://host:9061\nhttp://host/path https://host/path (default:\n" DEFAULT_URL
      ")" },
    { "raw", 0, OPT_FLAG, AT(raw), 0, NULL, "frames to standard output" },
    { "pcap", 0, OPT_TEXT, AT(pcap), 0, "FILE",
      "SIP and RTCP as plain packets; without --to and --raw in\nsimulated time and nothing else" },
    { "auth-key", 0, OPT_TEXT, AT(auth_key), 0, "KEY", "authentication key (chunk 0x0e)" },
    { "node", 0, OPT_TEXT, AT(node_name), 0, "NAME", "capture agent name (default proxy1)" },
    { "id", 0, OPT_NUMBER, AT(capture_id), UINT32_MAX, "N", "capture agent id (default 2001)" },
    { "retry", 0, OPT_NUMBER, AT(retry), 86400, "SECONDS", "how long a broken connection is tried again (default 30)" },
    { "ca", 0, OPT_TEXT, AT(ca), 0, "FILE", "certificates to trust, PEM (default: those of the system)" },
    { "insecure", 0, OPT_FLAG, AT(insecure), 0, NULL, "do not verify the collector's certificate" },
    { "quiet", 'q', OPT_FLAG, AT(quiet), 0, NULL, "nothing on standard error but mistakes in the command line" },
    { NULL, 0, OPT_FLAG, 0, 0, NULL, NULL },
};

const struct opt_command cmd_demo_help = {
    .name = "demo",
    .summary = "realistic SIP calls, to try or to load a collector",
    .usage = "hepcat demo [OPTION]...",
    .about =
        "Makes the traffic of a proxy between subscribers and carriers: calls that are answered, busy, cancelled,\n"
        "challenged, put on hold, redirected; registrations, messages, RTCP, log lines; over UDP, TCP, IPv4, IPv6;\n"
        "now and then something that is not SIP any more. All addresses and numbers are made up.",
    .opts = demo_opts,
    .examples = "  hepcat demo\n"
                "  hepcat demo --rate 100 --duration 60 --to tcp://10.0.0.1:9060\n"
                "  hepcat demo --fast --count 100000 --raw > load.hep\n"
                "  hepcat demo --count 20 --mix hold,cancel,busy --pcap calls.pcap\n",
};

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
    (void)number;
    interrupted = 1;
}

/* Everything of one run. */
struct demo_run {
    const struct demo_command *o;
    struct demo *demo;
    struct demo_options options;
    bool simulated;
    bool encodes;        /* the encoder has somewhere to write to */
    uint64_t real_start; /* when the run began, microseconds on the monotonic clock */
    uint64_t messages;
    FILE *file;
    struct pcap_out *pcap;
    bool pcap_failed;
    const char *url; /* NULL: standard output */
    struct encoder encoder;
    struct report report;
};

/* ------------------------------------------------------------------------------------------------ options */

static int list_scenarios(void)
{
    struct demo_mix usual;
    demo_mix_usual(&usual);
    for (size_t i = 0; i < demo_scenarios(); i++)
        printf("%-14s %4u  %s\n", demo_scenario_name(i), (unsigned)usual.weights[i], demo_scenario_about(i));
    return EXIT_OK;
}

static int check(const struct demo_command *o, struct errmsg *err)
{
    if (o->to != NULL && o->raw)
        return errmsg_set(err, "--raw is standard output: it does not go with --to");
    if (o->raw && o->pcap != NULL && strcmp(o->pcap, "-") == 0)
        return errmsg_set(err, "--raw and --pcap - both want standard output");
    if (o->pcap != NULL && o->count == 0 && o->duration == 0)
        return errmsg_set(err, "--pcap would fill the disk: give --count or --duration");
    if (o->rate == 0 || o->talk == 0 || o->concurrent == 0)
        return errmsg_set(err, "--rate, --talk and --concurrent are at least 1");
    return 0;
}

static int take_start(const struct demo_run *r, uint64_t seed, uint64_t *ret, struct errmsg *err)
{
    uint64_t sec = START_SEC + seed % START_MINUTES * 60;
    struct wall_time now = clock_wall();
    bool real = !r->simulated || (r->o->start != NULL && strcmp(r->o->start, "now") == 0);
    if (r->o->start != NULL && !r->simulated)
        return errmsg_set(err, "--start is for simulated time: --fast or --pcap alone");
    if (r->o->start != NULL && !real && !num_parse(r->o->start, strlen(r->o->start), UINT32_MAX - SECONDS_MAX, &sec))
        return errmsg_set(err, "--start: '%s' is neither 'now' nor seconds since 1970", r->o->start);
    *ret = real ? now.sec * UINT64_C(1000000) + now.usec : sec * 1000000;
    return 0;
}

/* In real time each run is another one: a collector that saw the last run must not get its Call-IDs again. */
static uint64_t take_seed(const struct demo_run *r)
{
    struct wall_time now = clock_wall();
    if (r->o->seed != SEED_UNSET)
        return r->o->seed;
    return r->simulated ? 1 : (uint64_t)now.sec << 20 | now.usec;
}

static int prepare(struct demo_run *r, struct errmsg *err)
{
    const struct demo_command *o = r->o;
    struct demo_options *d = &r->options;
    if (check(o, err) != 0)
        return -1;
    r->encodes = o->pcap == NULL || o->to != NULL || o->raw;
    r->simulated = o->fast || !r->encodes;
    r->url = o->to != NULL ? o->to : r->encodes && !o->raw ? DEFAULT_URL : NULL;
    uint64_t seed = take_seed(r);
    demo_options_init(d);
    d->rate = (uint32_t)o->rate;
    d->calls = o->count;
    d->talk = (uint32_t)o->talk;
    d->concurrent = (uint32_t)o->concurrent;
    if (o->mix != NULL && demo_mix_parse(o->mix, &d->mix, err) != 0)
        return -1;
    if (take_start(r, seed, &d->start_us, err) != 0)
        return -1;
    d->end_us = o->duration != 0 ? d->start_us + o->duration * 1000000 : 0;
    r->demo = demo_new(seed, d);
    return r->demo != NULL ? 0 : errmsg_set(err, "out of memory");
}

/* ------------------------------------------------------------------------------------------------ outputs */

static int open_sender(struct demo_run *r, struct errmsg *err)
{
    struct sender_options s;
    if (r->url == NULL)
        return 0;
    sender_options_init(&s);
    s.retry_ms = (unsigned)r->o->retry * 1000;
    s.stop = &interrupted;
    s.ca_file = r->o->ca;
    s.insecure = r->o->insecure;
    return sender_open(&r->encoder.sender, r->url, &s, err);
}

static int open_encoder(struct demo_run *r, struct errmsg *err)
{
    static const struct select_options everything;
    struct encoder *e = &r->encoder;
    e->override = (struct encoder_override){
        .auth_key = r->o->auth_key,
        .node_name = r->o->node_name,
        .capture_id = r->o->capture_id,
    };
    e->report = &r->report;
    e->stop = &interrupted;
    return select_init(&e->select, &everything, err) != 0 ? -1 : encoder_open(e, err);
}

static int open_pcap(struct demo_run *r, struct errmsg *err)
{
    const char *path = r->o->pcap;
    if (path == NULL)
        return 0;
    r->file = strcmp(path, "-") == 0 ? stdout : fopen(path, "wb");
    if (r->file == NULL)
        return errmsg_set(err, "%s: %s", path, strerror(errno));
    return pcap_out_open(&r->pcap, r->file, err);
}

static void put_pcap(struct demo_run *r, const struct hep_msg *msg)
{
    struct pcap_out_message m = {
        .sec = msg->time_sec,
        .usec = msg->time_usec,
        .protocol = msg->protocol,
        .src = msg->src,
        .dst = msg->dst,
        .src_port = msg->src_port,
        .dst_port = msg->dst_port,
        .payload = demo_last(r->demo)->wire,
    };
    if (m.payload.len == 0 || r->pcap_failed)
        return;
    enum pcap_out_result rc = pcap_out_message(r->pcap, &m);
    if (rc == PCAP_OUT_OK)
        return;
    r->pcap_failed = true;
    if (rc != PCAP_OUT_WRITE || errno != EPIPE) /* `| head` is not an error */
        report_error(&r->report, "%s: %s", r->o->pcap, rc == PCAP_OUT_WRITE ? strerror(errno) : pcap_out_strerror(rc));
}

/* ------------------------------------------------------------------------------------------------ run */

static uint64_t monotonic_us(void)
{
    struct timespec ts;
    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

/* Waits until the message is due, and gives it the time that it is. */
static void keep_time(struct demo_run *r, struct hep_msg *msg)
{
    uint64_t at = msg->time_sec * UINT64_C(1000000) + msg->time_usec - r->options.start_us;
    uint64_t now = monotonic_us() - r->real_start;
    if (now > at + LATE_MAX_US) {
        r->real_start += now - at;
        now = at;
    }
    if (at > now + SLEEP_MIN_US && r->encodes)
        encoder_flush(&r->encoder); /* what was due before */
    for (; at > now + SLEEP_MIN_US && !interrupted; now = monotonic_us() - r->real_start) {
        uint64_t wait = at - now;
        struct timespec ts = { (time_t)(wait / 1000000), (long)(wait % 1000000 * 1000) };
        (void)nanosleep(&ts, NULL);
    }
    struct wall_time wall = clock_wall();
    msg->time_sec = wall.sec;
    msg->time_usec = wall.usec;
}

static void run(struct demo_run *r)
{
    struct hep_msg msg;
    r->real_start = monotonic_us();
    while (!interrupted && !r->encoder.done && !r->pcap_failed && demo_next(r->demo, &msg)) {
        if (!r->simulated)
            keep_time(r, &msg);
        if (interrupted)
            break;
        if (r->pcap != NULL)
            put_pcap(r, &msg);
        if (r->encodes)
            encoder_message(&r->encoder, &msg, "demo");
        r->messages++;
    }
}

static int close_pcap(struct demo_run *r)
{
    bool failed = pcap_out_close(r->pcap) != 0;
    if (r->file != NULL && r->file != stdout)
        failed |= fclose(r->file) != 0;
    if (failed && !r->pcap_failed)
        report_error(&r->report, "%s: %s", r->o->pcap, strerror(errno));
    return failed || r->report.errors != 0 ? EXIT_BAD_INPUT : EXIT_OK;
}

static void tell(const struct demo_run *r)
{
    struct demo_stats s;
    demo_stats(r->demo, &s);
    report_note(&r->report, "demo: %llu calls, %llu messages, at most %u calls at a time", (unsigned long long)s.calls,
                (unsigned long long)r->messages, (unsigned)s.peak);
    if (s.held_back != 0)
        report_note(&r->report, "demo: %llu calls began late: --concurrent %u was reached",
                    (unsigned long long)s.held_back, (unsigned)r->options.concurrent);
}

static int run_all(struct demo_run *r)
{
    struct errmsg err = { "" };
    int status = EXIT_OK;
    if (open_sender(r, &err) != 0)
        return report_usage("demo", "%s", err.text);
    if ((r->encodes && open_encoder(r, &err) != 0) || open_pcap(r, &err) != 0)
        report_error(&r->report, "%s", err.text);
    else
        run(r);
    tell(r);
    if (r->encodes)
        status = encoder_close(&r->encoder, r->url);
    int pcap_status = close_pcap(r);
    return status != EXIT_OK ? status : pcap_status;
}

static void catch_signals(void)
{
    struct sigaction action = { .sa_handler = on_signal };
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
}

int cmd_demo(int argc, char **argv)
{
    int status;
    struct demo_command o = { .rate = 10,
                              .talk = 20,
                              .concurrent = DEMO_CONCURRENT_USUAL,
                              .seed = SEED_UNSET,
                              .capture_id = ENCODER_ID_AS_IS,
                              .retry = 30 };
    struct demo_run r = { .o = &o };
    struct opt_list words = { 0 };
    struct errmsg err = { "" };

    if (!report_opts(&cmd_demo_help, argc, argv, &o, &words, &status))
        return status;
    if (o.list)
        return list_scenarios();
    r.report.quiet = o.quiet;
    if (words.count != 0)
        return report_usage("demo", "'%s' is no option: demo reads no files", words.items[0]);
    if (prepare(&r, &err) != 0)
        return report_usage("demo", "%s", err.text);
    catch_signals();
    status = run_all(&r);
    demo_free(r.demo);
    return status;
}
