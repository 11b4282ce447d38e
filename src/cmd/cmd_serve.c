/* `hepcat serve`: the life of the server process. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "cmd/log.h"
#include "cmd/report.h"
#include "cmd/serve.h"

struct serve_options {
    struct conf_opts conf; /* first: see CONF_OPT_ROWS */
};

static const struct opt serve_opts[] = {
    CONF_OPT_ROWS,
    { NULL, 0, OPT_FLAG, 0, 0, NULL, NULL },
};

const struct opt_command cmd_serve_help = {
    .name = "serve",
    .summary = "receive HEP, keep every message, answer searches",
    .usage = "hepcat serve [OPTION]...",
    .about =
        "Receives HEP from Kamailio, OpenSIPS, Asterisk, FreeSWITCH, rtpengine, heplify, captagent and hepcat, keeps\n"
        "every message in DIR, and answers searches over HTTP. Needs no configuration; a YAML file (--config,\n"
        "'hepcat check --defaults' prints one) and variables HEPCAT_... of the environment know more keys.\n"
        "SIGHUP reads the configuration again, SIGTERM ends when all that was received is on disk.",
    .opts = serve_opts,
    .examples = "  hepcat serve\n"
                "  hepcat serve --data /var/lib/hepcat --listen udp://0.0.0.0:9060 --listen tcp://0.0.0.0:9060\n"
                "  hepcat serve --allow 10.0.0.0/8 --key s3cret --http 0.0.0.0:9080 --token t0ken\n",
};

static void open_log(const struct conf *c)
{
    const struct log_options o = { .level = (enum log_level)c->log_level,
                                   .json = c->log_format == CONF_LOG_JSON,
                                   .fd = STDERR_FILENO };
    log_open(&o);
}

static void on_changed(void *arg, const char *path, bool reloadable)
{
    (void)arg;
    if (reloadable)
        log_info("configuration changed", log_text("key", path));
    else
        log_warning("configuration changed, but this key takes effect at the next start", log_text("key", path));
}

static void reload(struct server *s)
{
    struct conf_errors errs;
    struct conf *fresh;
    struct errmsg err = { "" };
    int rc = conf_opt_load(&fresh, s->opts, &errs);
    conf_opt_report(s->opts, &errs);
    if (rc != 0) {
        log_error("configuration not reloaded: it has errors", log_number("errors", errs.errors));
        return;
    }
    (void)conf_diff(s->conf, fresh, on_changed, NULL);
    open_log(fresh);
    if (serve_reload(s, fresh, &err) == 0) {
        log_info("configuration reloaded");
        return;
    }
    open_log(s->conf);
    conf_free(fresh);
    log_error("configuration not reloaded", log_text("text", err.text));
}

static void tell_listener(void *arg, const struct ingest_listener *l)
{
    (void)arg;
    if (l->worker == 0 || l->info.transport >= NET_HTTP)
        log_info("listening", log_text("url", l->url));
    if (l->info.rcvbuf < l->info.rcvbuf_asked)
        log_warning_of(l->url, "receive buffer smaller than asked for: raise sysctl net.core.rmem_max",
                       log_text("url", l->url), log_number("granted", l->info.rcvbuf));
}

static void tell_start(const struct server *s)
{
    ingest_listeners(s->ingest, tell_listener, NULL);
    if (ingest_is_open(s->ingest))
        log_warning("anybody who reaches the HEP port can send: set hep.allow or hep.keys");
    log_info("ready", log_text("data", s->conf->data), log_text("http", s->api_url));
}

/* Until SIGINT or SIGTERM; which one. */
static int run(struct server *s, const sigset_t *signals)
{
    const struct timespec second = { .tv_sec = 1 };
    for (;;) {
        int sig = sigtimedwait(signals, NULL, &second);
        if (sig == SIGHUP)
            reload(s);
        else if (sig > 0)
            return sig;
        serve_tick(s);
        log_tick();
    }
}

static int serve(struct server *s, const sigset_t *signals)
{
    struct errmsg err = { "" };
    serve_heap();
    if (serve_open(s, &err) != 0) {
        log_error("cannot start", log_text("text", err.text));
        return EXIT_BAD_INPUT;
    }
    tell_start(s);
    int sig = run(s, signals);
    log_info("stopping: taking what the kernel has, sealing", log_text("signal", sig == SIGINT ? "INT" : "TERM"));
    if (serve_close(s, &err) == 0) {
        log_info("stopped: everything received is on disk");
        return EXIT_OK;
    }
    log_error("stopped; not all could be sealed, the write-ahead log has it", log_text("text", err.text));
    return EXIT_BAD_INPUT;
}

/* In all threads, so that the main thread alone takes them. */
static void block_signals(sigset_t *ret)
{
    struct sigaction ignore = { .sa_handler = SIG_IGN };
    sigemptyset(ret);
    sigaddset(ret, SIGINT);
    sigaddset(ret, SIGTERM);
    sigaddset(ret, SIGHUP);
    (void)pthread_sigmask(SIG_BLOCK, ret, NULL);
    (void)sigaction(SIGPIPE, &ignore, NULL);
}

int cmd_serve(int argc, char **argv)
{
    int status;
    struct serve_options o = { 0 };
    struct opt_list args = { 0 };
    struct conf_errors errs;
    struct server s = { .opts = &o.conf };
    sigset_t signals;
    if (!report_opts(&cmd_serve_help, argc, argv, &o, &args, &status))
        return status;
    if (args.count > 0)
        return report_usage("serve", "an option was expected, not '%s'", args.items[0]);
    int loaded = conf_opt_load(&s.conf, &o.conf, &errs);
    conf_opt_report(&o.conf, &errs);
    if (loaded != 0)
        return EXIT_USAGE;
    open_log(s.conf);
    block_signals(&signals);
    pthread_rwlock_init(&s.conf_lock, NULL);
    pthread_mutex_init(&s.state_lock, NULL);
    pthread_mutex_init(&s.room_lock, NULL);
    status = serve(&s, &signals);
    pthread_mutex_destroy(&s.room_lock);
    pthread_mutex_destroy(&s.state_lock);
    pthread_rwlock_destroy(&s.conf_lock);
    conf_free(s.conf);
    log_close();
    return status;
}
