/* The agent's captures in files. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "agent/files.h"
#include "base/input.h"
#include "capture/pcap_in.h"
#include "cmd/agent.h"
#include "cmd/cmd.h"

#define FLUSH_PACKETS 4096
#define ETHERNET      1 /* link type */

struct reading {
    const struct agent_read *r;
    struct pipeline *pipeline;
    struct feed feed;
    /* To explain: what the kernel would do with the packet, if it came from a device. */
    struct kernel_filter *filter;
    bool would_pass, has_verdict;
    uint64_t unseen; /* packets that it would not pass though a message came of them */
    bool bad;        /* an input could not be read to its end */
    /* Pace. */
    bool started;
    int64_t first_us; /* capture time of the first packet */
    int64_t start_us; /* when it was taken, monotonic */
};

static int64_t monotonic_us(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static bool stopped(const struct reading *x)
{
    return *x->r->stop != 0;
}

static void on_frame(void *arg, const struct pipeline_frame *frame)
{
    struct reading *x = arg;
    x->unseen += x->has_verdict && !x->would_pass;
    feed_frame(&x->feed, frame->octets, frame->call_id);
}

static void on_line(void *arg, uint64_t packet, const char *line)
{
    const struct reading *x = arg;
    const char *verdict = x->has_verdict && !x->would_pass ? " (the kernel's filter would not pass it)" : "";
    printf("%llu %s%s\n", (unsigned long long)packet, line, verdict);
}

static void flush(void *arg)
{
    struct reading *x = arg;
    feed_flush(&x->feed);
    (void)fflush(stdout);
}

/* Holds the recorded pace: sleeps until the packet is due. */
static void wait_turn(struct reading *x, const struct packet *p)
{
    int64_t at_us = (int64_t)p->sec * 1000000 + p->usec;
    if (x->r->speed <= 0)
        return;
    if (!x->started) {
        x->started = true;
        x->first_us = at_us;
        x->start_us = monotonic_us();
    }
    int64_t due = x->start_us + (int64_t)((double)(at_us - x->first_us) / x->r->speed);
    bool flushed = false;
    for (int64_t now; !stopped(x) && (now = monotonic_us()) < due; flushed = true) {
        if (!flushed)
            flush(x);
        int64_t left = due - now < 100000 ? due - now : 100000;
        const struct timespec t = { 0, (long)left * 1000 };
        (void)nanosleep(&t, NULL);
    }
}

static void take(struct reading *x, struct pcap_in *pcap, const char *name)
{
    struct packet p;
    int rc = 0;
    for (uint64_t n = 1; !stopped(x) && (rc = pcap_in_next(pcap, &p)) == 1; n++) {
        wait_turn(x, &p);
        x->has_verdict = x->filter != NULL && p.linktype == ETHERNET;
        x->would_pass = x->has_verdict && kernel_filter_run(x->filter, p.data.ptr, p.data.len, p.wire_len);
        pipeline_packet(x->pipeline, &p, 0);
        if (n % FLUSH_PACKETS == 0)
            feed_flush(&x->feed);
    }
    if (rc < 0) {
        report_error(x->r->report, "%s: %s", name, pcap_in_error(pcap));
        x->bad = true;
    }
}

static void read_one(struct reading *x, const char *path)
{
    const struct input_wait wait = { .on_wait = flush, .arg = x, .stop = x->r->stop };
    struct errmsg err = { "" };
    struct pcap_in *pcap = NULL;
    struct input *in = NULL;
    const uint8_t *start;
    if (input_open(&in, path, &wait, &err) != 0) {
        report_error(x->r->report, "%s", err.text);
        x->bad = true;
        return;
    }
    ssize_t n = input_peek(in, PCAP_IN_PROBE_SIZE, &start);
    if (n < 0)
        report_error(x->r->report, "%s", input_error(in));
    else if (!pcap_in_probe(start, (size_t)n))
        report_error(x->r->report, "%s: neither pcap nor pcapng", input_name(in));
    else if (pcap_in_open(&pcap, in, &err) != 0)
        report_error(x->r->report, "%s: %s", input_name(in), err.text);
    if (pcap != NULL)
        take(x, pcap, input_name(in));
    else
        x->bad = true;
    pcap_in_close(pcap);
    input_close(in);
}

/* An outage is told when it begins, not only in the sums. */
static void on_event(void *arg, enum lane_event event, const char *url, const char *text)
{
    const struct report *report = arg;
    if (event == LANE_DOWN)
        report_note(report, "%s: cannot be reached, waiting: %s", url, text);
    if (event == LANE_SPOOL_FULL)
        report_note(report, "%s: spool: %s", url, text);
}

static bool report_outputs(const struct reading *x, struct outputs *outputs)
{
    struct lane_stats stats[LANE_COLLECTORS_MAX];
    char names[LANE_COLLECTORS_MAX][128];
    size_t count = outputs_count(outputs);
    bool lost = false;
    for (size_t i = 0; i < count; i++)
        (void)snprintf(names[i], sizeof(names[i]), "%s", outputs_name(outputs, i));
    outputs_close(outputs, stopped(x) ? 5000 : UINT32_MAX, stats, NULL);
    for (size_t i = 0; i < count; i++) {
        agent_report_lane(x->r->report, names[i], &stats[i]);
        lost = lost || agent_lane_lost(&stats[i]);
    }
    return lost;
}

static int run(struct reading *x, const struct files *files, struct outputs *outputs)
{
    struct account account;
    const char *rule;
    uint64_t taken;
    bool lost = false;
    for (size_t i = 0; i < files->count && !stopped(x); i++)
        read_one(x, files->names[i]);
    pipeline_finish(x->pipeline);
    flush(x);
    pipeline_account(x->pipeline, &account);
    agent_report_account(x->r->report, &account);
    for (size_t i = 0; pipeline_rule(x->pipeline, i, &rule, &taken); i++)
        agent_report_rule(x->r->report, rule, taken);
    if (x->unseen > 0)
        report_note(x->r->report, "%12llu  messages of packets that the kernel's filter would not pass",
                    (unsigned long long)x->unseen);
    if (outputs != NULL)
        lost = report_outputs(x, outputs);
    report_end(x->r->report);
    bool unknown = account.outcomes[DISSECT_LINK_TYPE] > 0;
    return x->bad || lost || unknown || account.unencodable > 0 ? EXIT_BAD_INPUT : EXIT_OK;
}

/* The filter of a live capture with this configuration. */
static int make_filter(struct reading *x, struct kernel_filter *filter, struct errmsg *err)
{
    struct taps_devices devices;
    if (agent_devices(x->r->conf, &devices, err) != 0)
        return -1;
    x->filter = filter;
    devices.count = 0; /* of Ethernet, whatever is captured otherwise */
    return agent_filter(&devices, filter, err);
}

int agent_read(const struct agent_read *r)
{
    struct kernel_filter filter;
    struct reading x = { .r = r };
    struct files files = { 0 };
    struct outputs *outputs = NULL;
    struct outputs_options o;
    struct pipeline_options p = { .frame = on_frame, .explain = r->explain ? on_line : NULL, .arg = &x };
    struct errmsg err = { "" };
    int status = EXIT_USAGE, rc = 0;
    agent_pipeline_settings(r->conf, &p.settings);
    agent_outputs_options(r->conf, &o);
    o.lane.wait = true;
    o.lane.hurry = r->stop;
    o.lane.on_event = on_event;
    o.lane.arg = r->report;
    for (size_t i = 0; i < r->files->count && rc == 0; i++)
        rc = files_add(&files, r->files->items[i], &err);
    if (rc == 0 && r->explain)
        rc = make_filter(&x, &filter, &err);
    if (rc == 0)
        rc = pipeline_new(&x.pipeline, &p, &err);
    if (rc == 0 && !r->explain)
        rc = outputs_open(&outputs, &o, &err);
    x.feed.outputs = outputs;
    if (rc == 0)
        status = run(&x, &files, outputs);
    else
        status = report_usage("agent", "%s", err.text);
    pipeline_free(x.pipeline);
    files_free(&files);
    return status;
}
