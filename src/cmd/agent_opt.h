/*
 * The agent's flags: rows of `struct opt` made from the table of keys, as conf_opt.h does for the server. A flag is a
 * key of the section `agent:` given on the command line.
 */
#ifndef CMD_AGENT_OPT_H
#define CMD_AGENT_OPT_H

#include "cmd/conf_opt.h"

#define AGENT_EXTRA_MAX 8

/* What the flags were given; texts of argv. */
struct agent_opts {
    const char *config; /* --config FILE */
    bool insecure;
#define AGENT_OPT_NONE(...)
#define AGENT_OPT_MEMBER(flag, letter, metavar, member, ...) struct opt_list member;
    CONF_TABLE(AGENT_OPT_NONE, AGENT_OPT_NONE, AGENT_OPT_MEMBER)
#undef AGENT_OPT_MEMBER
    /* Keys without a flag, which another command line than ours has options for. */
    struct conf_flag extra[AGENT_EXTRA_MAX];
    size_t extra_count;
};

/* The option struct must begin with a struct agent_opts. */
#define AGENT_OPT_ROW(flag, letter, metavar, member, path, type, def, min, max, words, reload, help)                   \
    { flag, letter, OPT_LIST, offsetof(struct agent_opts, member), 0, metavar, CONF_OPT_HELP(help, def) },
/* clang-format off */
#define AGENT_OPT_ROWS \
    { "config", 0, OPT_TEXT, offsetof(struct agent_opts, config), 0, "FILE", "configuration in YAML, section agent:" }, \
    CONF_TABLE(AGENT_OPT_NONE, AGENT_OPT_NONE, AGENT_OPT_ROW) \
    { "insecure", 0, OPT_FLAG, offsetof(struct agent_opts, insecure), 0, NULL, "do not verify certificates" }
/* clang-format on */

/* As conf_opt_load(): defaults, file, environment, flags. */
int agent_opt_load(struct conf **ret, const struct agent_opts *opts, struct conf_errors *errs);

/* Prints errors and warnings to standard error, a line each. */
void agent_opt_report(const struct agent_opts *opts, const struct conf_errors *errs);

#endif
