/* The agent's life on the network: start, signals, reload, accounts, end. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "agent/privilege.h"
#include "base/when.h"
#include "cmd/agent.h"
#include "cmd/cmd.h"
#include "cmd/log.h"

#define STOP_MS   5000 /* for what waits, at the end and when collectors change */
#define NAME_SIZE 512

struct agent {
    const struct agent_opts *opts;
    struct conf *conf;
    struct taps *taps;
    struct outputs *outputs;
    struct agent_metrics *metrics;
    pthread_mutex_t lock; /* of outputs, against the thread of the metrics */

    struct feed feed; /* of the accounts */
    struct framer *framer;
    struct account told; /* as the last account had it */
    struct lane_stats lanes_told[LANE_COLLECTORS_MAX];
    int64_t told_us;
    uint64_t drops_logged;
};

/* ------------------------------------------------------------------------------------------------ events */

static void open_log(const struct conf *c)
{
    const struct log_options o = { .level = (enum log_level)c->log_level,
                                   .json = c->log_format == CONF_LOG_JSON,
                                   .fd = STDERR_FILENO };
    log_open(&o);
}

static void on_lane(void *arg, enum lane_event event, const char *url, const char *text)
{
    (void)arg;
    if (event == LANE_UP)
        log_info_of(url, "collector takes frames", log_text("collector", url));
    else if (event == LANE_DOWN)
        log_warning_of(url, "collector cannot be reached", log_text("collector", url), log_text("text", text));
    else
        log_error_of(url, "frames are lost: the spool is full", log_text("collector", url), log_text("text", text));
}

static void on_device(void *arg, enum taps_event event, const char *device, const char *text)
{
    (void)arg;
    (void)text;
    if (event == TAPS_GONE)
        log_warning_of(device, "device is gone, it is looked for", log_text("device", device));
    else
        log_info_of(device, "device is back", log_text("device", device));
}

/* ------------------------------------------------------------------------------------------------ parts */

static int open_outputs(const struct conf *c, struct outputs **ret, struct errmsg *err)
{
    struct outputs_options o;
    agent_outputs_options(c, &o);
    o.lane.on_event = on_lane;
    return outputs_open(ret, &o, err);
}

static int make_framer(struct agent *a, const struct conf *c, struct errmsg *err)
{
    struct pipeline_settings s;
    agent_pipeline_settings(c, &s);
    struct framer *fresh = framer_new(&s.frame);
    if (fresh == NULL)
        return errmsg_set(err, "out of memory");
    framer_free(a->framer);
    a->framer = fresh;
    return 0;
}

static int open_taps(struct agent *a, struct errmsg *err)
{
    struct taps_options o = { .workers = (unsigned)a->conf->agent_workers, .on_event = on_device };
    agent_pipeline_settings(a->conf, &o.pipeline);
    if (agent_devices(a->conf, &o.devices, err) != 0)
        return -1;
    return taps_open(&a->taps, &o, err);
}

/* ------------------------------------------------------------------------------------------------ figures */

static size_t lane_figures_of(struct agent *a, const char *names[LANE_COLLECTORS_MAX],
                              struct lane_stats stats[LANE_COLLECTORS_MAX])
{
    size_t count = outputs_count(a->outputs);
    for (size_t i = 0; i < count; i++) {
        names[i] = outputs_name(a->outputs, i);
        outputs_figures(a->outputs, i, &stats[i]);
    }
    return count;
}

static void write_metrics(void *arg, struct buf *out)
{
    struct agent *a = arg;
    struct account account;
    const char *names[LANE_COLLECTORS_MAX];
    struct lane_stats stats[LANE_COLLECTORS_MAX];
    char rule[NAME_SIZE];
    uint64_t messages;
    taps_account(a->taps, &account);
    agent_metrics_account(out, &account);
    for (size_t i = 0; taps_rule(a->taps, i, rule, sizeof(rule), &messages); i++) {
        if (i == 0)
            buf_puts(out, "# HELP hepcat_agent_rule_messages_total messages that a rule took away\n"
                          "# TYPE hepcat_agent_rule_messages_total counter\n");
        agent_metrics_rule(out, rule, messages);
    }
    pthread_mutex_lock(&a->lock);
    agent_metrics_lanes(out, names, stats, lane_figures_of(a, names, stats));
    pthread_mutex_unlock(&a->lock);
}

/* Sends the account of the interval since the last one. */
static void send_account(struct agent *a)
{
    struct account now;
    const char *names[LANE_COLLECTORS_MAX];
    struct lane_stats stats[LANE_COLLECTORS_MAX];
    struct agent_interval i = { .before = &a->told, .now = &now, .from_us = a->told_us, .to_us = when_now() };
    struct buf json;
    struct hep_slice frame;
    taps_account(a->taps, &now);
    i.lanes = lane_figures_of(a, names, stats);
    i.lanes_before = a->lanes_told;
    i.lanes_now = stats;
    i.lane_names = names;
    buf_init(&json, 32768);
    agent_account_json(&i, &json);
    a->feed.outputs = a->outputs;
    if (agent_account_frame(a->framer, &json, i.to_us, &frame)) {
        feed_frame(&a->feed, frame, (struct hep_slice){ NULL, 0 });
        feed_flush(&a->feed);
    }
    buf_free(&json);
    a->told = now;
    memcpy(a->lanes_told, stats, sizeof(stats));
    a->told_us = i.to_us;
}

static void tick(struct agent *a)
{
    struct account now;
    taps_account(a->taps, &now);
    if (now.kernel_drops != a->drops_logged)
        log_warning("the kernel dropped packets: the ring is full; agent.ring makes it larger",
                    log_number("packets", now.kernel_drops - a->drops_logged), log_number("all", now.kernel_drops));
    a->drops_logged = now.kernel_drops;
    uint64_t every = a->conf->agent_account_us;
    if (every != 0 && when_now() - a->told_us >= (int64_t)every)
        send_account(a);
}

/* ------------------------------------------------------------------------------------------------ reload */

struct changes {
    bool devices, outputs;
};

static bool in_list(const char *path, const char *const *list)
{
    for (; *list != NULL; list++)
        if (strcmp(path, *list) == 0)
            return true;
    return false;
}

static void on_changed(void *arg, const char *path, bool reloadable)
{
    static const char *const devices[] = { "agent.interfaces", "agent.ports",       "agent.bpf",   "agent.ring",
                                           "agent.snaplen",    "agent.promiscuous", "agent.media", NULL };
    static const char *const outputs[] = { "agent.to",        "agent.collectors", "agent.queue",    "agent.spool",
                                           "agent.spool_max", "agent.spool_rate", "agent.udp_max",  "agent.ca",
                                           "agent.cert",      "agent.cert_key",   "agent.insecure", NULL };
    struct changes *c = arg;
    if (strncmp(path, "agent.", 6) != 0 && strncmp(path, "log.", 4) != 0)
        return;
    c->devices |= in_list(path, devices);
    c->outputs |= in_list(path, outputs);
    if (reloadable)
        log_info("configuration changed", log_text("key", path));
    else
        log_warning("configuration changed, but this key takes effect at the next start", log_text("key", path));
}

/* A trial: names, URLs and files are right. Without the spool, which is in use. */
static int try_outputs(const struct conf *c, struct errmsg *err)
{
    struct outputs_options o;
    struct outputs *trial;
    agent_outputs_options(c, &o);
    o.spool_dir = NULL;
    if (c->agent_to.count == 0)
        return errmsg_set(err, "no collector (agent.to)");
    if (outputs_open(&trial, &o, err) != 0)
        return -1;
    outputs_close(trial, 0, NULL, NULL);
    return 0;
}

/* Old collectors have what was captured until now; then the new ones take over. */
static void change_outputs(struct agent *a, const struct conf *c)
{
    struct outputs *fresh = NULL;
    struct errmsg err = { "" };
    pthread_mutex_lock(&a->lock);
    taps_hold(a->taps);
    feed_flush(&a->feed);
    outputs_close(a->outputs, STOP_MS, NULL, NULL);
    if (open_outputs(c, &fresh, &err) != 0) {
        log_error("collectors not changed", log_text("text", err.text));
        if (open_outputs(a->conf, &fresh, &err) != 0)
            log_error("no collector", log_text("text", err.text));
    }
    a->outputs = fresh;
    a->feed.outputs = fresh;
    taps_go_on(a->taps, fresh);
    memset(a->lanes_told, 0, sizeof(a->lanes_told));
    pthread_mutex_unlock(&a->lock);
}

/* Everything is tried before anything is changed. */
static int apply(struct agent *a, const struct conf *fresh, const struct changes *changes, struct errmsg *err)
{
    struct taps_devices devices;
    struct pipeline_settings settings;
    agent_pipeline_settings(fresh, &settings);
    if (agent_devices(fresh, &devices, err) != 0 || (changes->outputs && try_outputs(fresh, err) != 0))
        return -1;
    if (changes->devices && taps_set_devices(a->taps, &devices, err) != 0)
        return -1;
    if (taps_set_pipeline(a->taps, &settings, err) != 0) {
        struct errmsg ignored;
        if (changes->devices && agent_devices(a->conf, &devices, &ignored) == 0)
            (void)taps_set_devices(a->taps, &devices, &ignored);
        return -1;
    }
    if (changes->outputs)
        change_outputs(a, fresh);
    return make_framer(a, fresh, err);
}

static void reload(struct agent *a)
{
    struct conf_errors errs;
    struct conf *fresh;
    struct errmsg err = { "" };
    struct changes changes = { false, false };
    int rc = agent_opt_load(&fresh, a->opts, &errs);
    agent_opt_report(a->opts, &errs);
    if (rc != 0) {
        log_error("configuration not reloaded: it has errors", log_number("errors", errs.errors));
        return;
    }
    (void)conf_diff(a->conf, fresh, on_changed, &changes);
    if (apply(a, fresh, &changes, &err) != 0) {
        conf_free(fresh);
        log_error("configuration not reloaded", log_text("text", err.text));
        return;
    }
    conf_free(a->conf);
    a->conf = fresh;
    open_log(fresh);
    log_info("configuration reloaded");
}

/* ------------------------------------------------------------------------------------------------ life */

static int start(struct agent *a, struct errmsg *err)
{
    const struct conf *c = a->conf;
    if (open_taps(a, err) != 0)
        return -1;
    /* While there is one thread: capabilities belong to threads. */
    if (privilege_drop(c->agent_user, err) != 0 || open_outputs(c, &a->outputs, err) != 0 ||
        make_framer(a, c, err) != 0)
        return -1;
    if (c->agent_http.host != NULL && agent_metrics_open(&a->metrics, &c->agent_http, write_metrics, a, err) != 0)
        return -1;
    a->told_us = when_now();
    return taps_start(a->taps, a->outputs, err);
}

static void tell_start(const struct agent *a)
{
    if (a->metrics != NULL)
        log_info("figures", log_text("path", "/metrics"), log_number("port", agent_metrics_port(a->metrics)));
    for (size_t i = 0; i < a->conf->agent_interfaces.count; i++)
        log_info("capturing", log_text("device", a->conf->agent_interfaces.items[i]));
}

/* Until SIGINT or SIGTERM. */
static void run(struct agent *a, const sigset_t *signals)
{
    const struct timespec second = { .tv_sec = 1 };
    for (;;) {
        int sig = sigtimedwait(signals, NULL, &second);
        if (sig == SIGHUP)
            reload(a);
        else if (sig > 0)
            return;
        tick(a);
        log_tick();
    }
}

/* The account for people, and whether frames were lost. */
static bool finish(struct agent *a)
{
    const struct report report = { 0 };
    struct account account;
    struct lane_stats stats[LANE_COLLECTORS_MAX];
    char names[LANE_COLLECTORS_MAX][128], rule[NAME_SIZE];
    uint64_t messages;
    size_t count = outputs_count(a->outputs);
    bool lost = false;
    taps_stop(a->taps);
    if (a->conf->agent_account_us != 0)
        send_account(a);
    taps_account(a->taps, &account);
    for (size_t i = 0; i < count; i++)
        (void)snprintf(names[i], sizeof(names[i]), "%s", outputs_name(a->outputs, i));
    pthread_mutex_lock(&a->lock);
    outputs_close(a->outputs, STOP_MS, stats, NULL);
    a->outputs = NULL;
    pthread_mutex_unlock(&a->lock);
    agent_report_account(&report, &account);
    for (size_t i = 0; taps_rule(a->taps, i, rule, sizeof(rule), &messages); i++)
        agent_report_rule(&report, rule, messages);
    for (size_t i = 0; i < count; i++) {
        agent_report_lane(&report, names[i], &stats[i]);
        lost = lost || agent_lane_lost(&stats[i]);
    }
    return lost;
}

/* In all threads, so that the main thread alone takes them. */
static void block_signals(sigset_t *ret)
{
    const struct sigaction ignore = { .sa_handler = SIG_IGN };
    sigemptyset(ret);
    sigaddset(ret, SIGINT);
    sigaddset(ret, SIGTERM);
    sigaddset(ret, SIGHUP);
    (void)pthread_sigmask(SIG_BLOCK, ret, NULL);
    (void)sigaction(SIGPIPE, &ignore, NULL);
}

int agent_live(struct conf *c, const struct agent_opts *opts)
{
    struct agent a = { .opts = opts, .conf = c };
    struct errmsg err = { "" };
    sigset_t signals;
    int status = EXIT_BAD_INPUT;
    open_log(c);
    block_signals(&signals);
    pthread_mutex_init(&a.lock, NULL);
    if (start(&a, &err) == 0) {
        tell_start(&a);
        run(&a, &signals);
        agent_metrics_close(a.metrics);
        status = finish(&a) ? EXIT_BAD_INPUT : EXIT_OK;
    } else {
        log_error("cannot start", log_text("text", err.text));
        agent_metrics_close(a.metrics);
        if (a.taps != NULL)
            taps_stop(a.taps);
        outputs_close(a.outputs, 0, NULL, NULL);
    }
    taps_free(a.taps);
    framer_free(a.framer);
    pthread_mutex_destroy(&a.lock);
    conf_free(a.conf);
    log_close();
    return status;
}

int agent_print_filter(const struct conf *c)
{
    struct taps_devices devices;
    struct kernel_filter filter;
    struct errmsg err = { "" };
    struct buf out;
    if (agent_devices(c, &devices, &err) != 0 || agent_filter(&devices, &filter, &err) != 0)
        return report_usage("agent", "%s", err.text);
    buf_init(&out, 1u << 20);
    kernel_filter_print(&filter, &out);
    size_t written = out.failed ? 0 : fwrite(out.ptr, 1, out.len, stdout);
    bool ok = !out.failed && written == out.len && fflush(stdout) == 0;
    buf_free(&out);
    return ok ? EXIT_OK : EXIT_BAD_INPUT;
}
