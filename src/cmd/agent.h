/* `hepcat agent`: what its files share. */
#ifndef CMD_AGENT_H
#define CMD_AGENT_H

#include <signal.h>

#include "agent/outputs.h"
#include "agent/pipeline.h"
#include "agent/taps.h"
#include "cmd/agent_opt.h"
#include "cmd/report.h"

/* ------------------------------------------------------------------------------------------------ cmd_agent.c */

/* What a command line of ours, or of heplify, comes to. */
struct agent_command {
    struct agent_opts conf; /* first: see AGENT_OPT_ROWS */
    struct opt_list read;
    const char *speed;
    bool explain, print_filter, quiet;
};

/* Loads the configuration and does what was asked for. The exit status. */
int agent_run(const struct agent_command *command);

/* ------------------------------------------------------------------------------------------------ agent_conf.c */

/* From the configuration to what the modules take; texts are borrowed from it. */
void agent_pipeline_settings(const struct conf *c, struct pipeline_settings *ret);
void agent_outputs_options(const struct conf *c, struct outputs_options *ret);

/* 0, or -1 with a text: a port is none. */
int agent_devices(const struct conf *c, struct taps_devices *ret, struct errmsg *err);

/* Filters, methods, ports and the section as a whole: what can be told without a device or a collector. -1 with a text.
 */
int agent_check(const struct conf *c, struct errmsg *err);

/* The kernel's filter for the first device, or for Ethernet if there is none. 0, or -1 with a text. */
int agent_filter(const struct taps_devices *devices, struct kernel_filter *ret, struct errmsg *err);

/* ------------------------------------------------------------------------------------------------ agent_live.c */

/* Captures until SIGINT or SIGTERM; SIGHUP reads the configuration anew. The exit status. */
int agent_live(struct conf *c, const struct agent_opts *opts);

/* Prints the filter of the device, or of Ethernet if none is named. The exit status. */
int agent_print_filter(const struct conf *c);

/* ------------------------------------------------------------------------------------------------ agent_account.c */

/*
 * The account of an interval as JSON, for HEP of type 100: what came, what was lost and where, and `blind` where
 * packets never reached us. Totals now and at the beginning of the interval.
 */
struct agent_interval {
    const struct account *before, *now;
    const struct lane_stats *lanes_before, *lanes_now;
    const char *const *lane_names;
    size_t lanes;
    int64_t from_us, to_us; /* since 1970 */
};
void agent_account_json(const struct agent_interval *i, struct buf *out);

/* The same in a frame. False if it cannot be made. */
bool agent_account_frame(struct framer *f, const struct buf *json, int64_t at_us, struct hep_slice *ret);

/* ------------------------------------------------------------------------------------------------ agent_metrics.c */

/* Serves GET /metrics and /health on an address. `write` is called on its thread, for each request. */
struct agent_metrics;
int agent_metrics_open(struct agent_metrics **ret, const struct conf_address *address,
                       void (*write)(void *arg, struct buf *out), void *arg, struct errmsg *err);
uint16_t agent_metrics_port(const struct agent_metrics *m);
void agent_metrics_close(struct agent_metrics *m); /* NULL is fine */

/* The families of the agent. */
void agent_metrics_account(struct buf *out, const struct account *a);
void agent_metrics_lanes(struct buf *out, const char *const *names, const struct lane_stats *stats, size_t count);
void agent_metrics_rule(struct buf *out, const char *name, uint64_t messages);

/* ------------------------------------------------------------------------------------------------ agent_read.c */

struct agent_read {
    const struct conf *conf;
    const struct opt_list *files; /* words of --read */
    double speed;                 /* 0: as fast as it goes; 1: as recorded; 2: twice as fast */
    bool explain;                 /* tell on standard output instead of sending */
    struct report *report;
    const volatile sig_atomic_t *stop;
};

/* Reads captures to their end. The exit status. */
int agent_read(const struct agent_read *r);

/* ------------------------------------------------------------------------------------------------ agent_report.c */

/* The account on standard error, a line a number that is not 0. `rule` may be NULL: see sieve_count(). */
void agent_report_account(const struct report *report, const struct account *a);
void agent_report_rule(const struct report *report, const char *name, uint64_t messages);
void agent_report_lane(const struct report *report, const char *name, const struct lane_stats *s);

/* True if frames were lost on this lane. */
bool agent_lane_lost(const struct lane_stats *s);

#endif
