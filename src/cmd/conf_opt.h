/*
 * The configuration's flags on a command line: rows of `struct opt` made from the table of keys, and from what they
 * took to a configuration. For commands that go by the configuration: `serve` and `check`.
 *
 *     struct serve_options {
 *         struct conf_opts conf; // must stand first
 *         bool quiet;
 *     };
 *     static const struct opt serve_opts[] = { CONF_OPT_ROWS, { "quiet", ... }, { NULL } };
 */
#ifndef CMD_CONF_OPT_H
#define CMD_CONF_OPT_H

#include <stddef.h>

#include "cmd/opt.h"
#include "conf/conf.h"

/* What the flags were given; texts of argv. */
struct conf_opts {
    const char *config; /* --config FILE */
#define CONF_OPT_NONE(...)
#define CONF_OPT_MEMBER(flag, metavar, member, ...) struct opt_list member;
    CONF_TABLE(CONF_OPT_NONE, CONF_OPT_MEMBER, CONF_OPT_NONE)
#undef CONF_OPT_MEMBER
};

/* Help of a flag, with the default if there is one. */
#define CONF_OPT_HELP(help, def) sizeof(def) > 1 ? help " (default " def ")" : help

/* The row of --config and one for each flag of the table; the option struct must begin with a struct conf_opts. */
#define CONF_OPT_ROW(flag, metavar, member, path, type, def, min, max, words, reload, help)                            \
    ,                                                                                                                  \
    {                                                                                                                  \
        flag, 0, OPT_LIST, offsetof(struct conf_opts, member), 0, metavar, CONF_OPT_HELP(help, def)                    \
    }
#define CONF_OPT_ROW_CONFIG                                                                                            \
    {                                                                                                                  \
        "config", 0, OPT_TEXT, offsetof(struct conf_opts, config), 0, "FILE",                                          \
            "configuration in YAML, see hepcat check"                                                                  \
    }
#define CONF_OPT_ROWS CONF_OPT_ROW_CONFIG CONF_TABLE(CONF_OPT_NONE, CONF_OPT_ROW, CONF_OPT_NONE)

/*
 * Loads the configuration of a command: defaults, the file (--config, else HEPCAT_CONFIG, else none), the environment
 * of the process, the flags. To be called again for a reload. Returns as conf_load().
 */
int conf_opt_load(struct conf **ret, const struct conf_opts *opts, struct conf_errors *errs);

/* The file that conf_opt_load() reads, NULL if none. */
const char *conf_opt_file(const struct conf_opts *opts);

/* Prints errors and warnings of conf_opt_load() to standard error, a line each. */
void conf_opt_report(const struct conf_opts *opts, const struct conf_errors *errs);

#endif
