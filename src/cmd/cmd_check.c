#include <stdio.h>

#include "cmd/agent.h"
#include "cmd/cmd.h"
#include "cmd/conf_opt.h"
#include "cmd/report.h"

struct check_options {
    struct conf_opts conf; /* first: see CONF_OPT_ROWS */
    bool defaults, show;
};

#define AT(member) offsetof(struct check_options, member)

static const struct opt check_opts[] = {
    { "defaults", 0, OPT_FLAG, AT(defaults), 0, NULL, "print every key with its default and what it is, as YAML" },
    { "show", 0, OPT_FLAG, AT(show), 0, NULL, "print the values in effect and where each one comes from" },
    { "flags", 0, OPT_TITLE, 0, 0, NULL, "As hepcat serve would take them:" },
    CONF_OPT_ROWS,
    { NULL, 0, OPT_FLAG, 0, 0, NULL, NULL },
};

const struct opt_command cmd_check_help = {
    .name = "check",
    .summary = "find the errors of a configuration, show what is in effect",
    .usage = "hepcat check [OPTION]... [FILE]",
    .about =
        "Reads a configuration as hepcat serve does: defaults, FILE, variables HEPCAT_... of the environment, flags.\n"
        "Each error is a line FILE:LINE:COLUMN: TEXT on standard error, and the exit status is then 1.",
    .opts = check_opts,
    .examples = "  hepcat check /etc/hepcat.yaml\n"
                "  hepcat check --show /etc/hepcat.yaml\n"
                "  hepcat check --defaults > hepcat.yaml\n",
};

static int print(const struct buf *text)
{
    bool written = !text->failed && fwrite(text->ptr, 1, text->len, stdout) == text->len && fflush(stdout) == 0;
    if (written)
        return EXIT_OK;
    perror("hepcat: standard output");
    return EXIT_BAD_INPUT;
}

static int print_defaults(void)
{
    struct buf text;
    buf_init(&text, 1u << 20);
    conf_print_defaults(&text);
    int rc = print(&text);
    buf_free(&text);
    return rc;
}

static int print_values(const struct conf *c)
{
    struct buf text;
    buf_init(&text, 16u << 20);
    conf_print(c, &text);
    int rc = print(&text);
    buf_free(&text);
    return rc;
}

static int check(const struct check_options *o)
{
    struct conf_errors errs;
    struct conf *c = NULL;
    int rc = conf_opt_load(&c, &o->conf, &errs) == 0 ? EXIT_OK : EXIT_BAD_INPUT;
    conf_opt_report(&o->conf, &errs);
    struct errmsg err;
    if (rc == EXIT_OK && agent_check(c, &err) != 0) {
        fprintf(stderr, "agent: %s\n", err.text);
        rc = EXIT_BAD_INPUT;
    }
    if (rc == EXIT_OK && o->show)
        rc = print_values(c);
    conf_free(c);
    return rc;
}

int cmd_check(int argc, char **argv)
{
    int status;
    struct check_options o = { 0 };
    struct opt_list files = { 0 };

    if (!report_opts(&cmd_check_help, argc, argv, &o, &files, &status))
        return status;
    if (files.count + (o.conf.config != NULL ? 1 : 0) > 1)
        return report_usage("check", "one FILE at a time");
    if (o.defaults && (o.show || files.count + (o.conf.config != NULL ? 1 : 0) > 0))
        return report_usage("check", "--defaults goes alone");
    if (files.count == 1)
        o.conf.config = files.items[0];
    return o.defaults ? print_defaults() : check(&o);
}
