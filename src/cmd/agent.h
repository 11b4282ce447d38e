/* `hepcat agent`: what its files share. */
#ifndef CMD_AGENT_H
#define CMD_AGENT_H

#include <signal.h>

#include "agent/outputs.h"
#include "agent/pipeline.h"
#include "cmd/agent_opt.h"
#include "cmd/report.h"

/* ------------------------------------------------------------------------------------------------ agent_conf.c */

/* From the configuration to what the modules take; texts are borrowed from it. */
void agent_pipeline_settings(const struct conf *c, struct pipeline_settings *ret);
void agent_outputs_options(const struct conf *c, struct outputs_options *ret);

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
