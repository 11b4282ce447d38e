/* `hepcat man [COMMAND]`: manual pages, made from the tables of options. `make install` puts them where man looks. */
#include <stdio.h>
#include <string.h>

#include "cmd/cmd.h"
#include "cmd/report.h"

static const struct opt no_opts[] = { { NULL, 0, OPT_FLAG, 0, 0, NULL, NULL } };

const struct opt_command cmd_man_help = {
    .name = "man",
    .summary = "print a manual page: hepcat man search | man -l -",
    .usage = "hepcat man [COMMAND]",
    .about = "Prints the manual page of hepcat, or of one of its commands, as source for man(1) on standard output.",
    .opts = no_opts,
    .examples = "  hepcat man search | man -l -\n",
    .status = "0 printed, 1 standard output cannot be written to, 2 wrong usage",
};

/* Text that stands for itself: a line must not begin with a dot or an apostrophe, and dashes are dashes. */
static void put_text(const char *text)
{
    bool start = true;
    for (; *text != '\0'; text++) {
        if (start && (*text == '.' || *text == '\''))
            fputs("\\&", stdout);
        if (*text == '\\')
            fputs("\\e", stdout);
        else if (*text == '-')
            fputs("\\-", stdout);
        else
            putchar(*text);
        start = *text == '\n';
    }
}

static void put_upper(const char *text)
{
    for (; *text != '\0'; text++)
        putchar(*text >= 'a' && *text <= 'z' ? *text - 'a' + 'A' : *text);
}

static void put_head(const char *page, const char *summary)
{
    fputs(".TH ", stdout);
    put_upper(page);
    printf(" 1 \"\" \"hepcat %s\" \"User commands\"\n.SH NAME\n", HEPCAT_VERSION);
    put_text(page);
    fputs(" \\- ", stdout);
    put_text(summary);
    fputs("\n.SH SYNOPSIS\n.nf\n", stdout);
}

static void put_option(const struct opt *o)
{
    if (o->kind == OPT_TITLE) {
        fputs(".SS ", stdout);
        put_text(o->help);
        putchar('\n');
        return;
    }
    fputs(".TP\n", stdout);
    if (o->letter != 0)
        printf("\\fB\\-%c\\fR, ", o->letter);
    fputs("\\fB\\-\\-", stdout);
    put_text(o->name);
    fputs("\\fR", stdout);
    if (o->kind != OPT_FLAG) {
        fputs(" \\fI", stdout);
        put_text(o->metavar);
        fputs("\\fR", stdout);
    }
    putchar('\n');
    put_text(o->help);
    putchar('\n');
}

static void put_command(const struct opt_command *c)
{
    char page[64];
    (void)snprintf(page, sizeof(page), "hepcat-%s", c->name);
    put_head(page, c->summary);
    put_text(c->usage);
    fputs("\n.fi\n.SH DESCRIPTION\n", stdout);
    put_text(c->about);
    fputs("\n.SH OPTIONS\n", stdout);
    for (const struct opt *o = c->opts; o->name != NULL; o++)
        put_option(o);
    fputs(".TP\n\\fB\\-h\\fR, \\fB\\-\\-help\\fR\nshort help\n.SH EXAMPLES\n.nf\n", stdout);
    put_text(c->examples);
    fputs(".fi\n.SH EXIT STATUS\n", stdout);
    put_text(opt_status(c));
    fputs(".\n.SH SEE ALSO\n.BR hepcat (1)\n", stdout);
}

static void put_overview(void)
{
    const struct opt_command *c;
    put_head("hepcat", "see what happens on voice networks: HEP capture server and tools");
    fputs("hepcat COMMAND [OPTION]... [ARGUMENT]...\n.fi\n.SH DESCRIPTION\n", stdout);
    put_text("hepcat receives HEP (Homer Encapsulation Protocol) from SIP servers and capture agents, keeps every "
             "message, and finds it again; it turns HEP into JSON, captures and text, and back.\n");
    fputs(".SH COMMANDS\n", stdout);
    for (size_t i = 0; (c = cmd_help_at(i)) != NULL; i++) {
        fputs(".TP\n.BR hepcat\\-", stdout);
        put_text(c->name);
        fputs(" (1)\n", stdout);
        put_text(c->summary);
        putchar('\n');
    }
    fputs(".SH ENVIRONMENT\n.TP\n.B HEPCAT_...\n", stdout);
    put_text(
        "Every key of the configuration of hepcat-serve is a variable, too: 'hepcat check --defaults' lists them.\n");
}

int cmd_man(int argc, char **argv)
{
    int status;
    struct opt_list args = { 0 };
    const struct opt_command *c;
    int none;
    if (!report_opts(&cmd_man_help, argc, argv, &none, &args, &status))
        return status;
    if (args.count > 1)
        return report_usage("man", "one command at the most");
    if (args.count == 0)
        return put_overview(), fflush(stdout) == 0 ? EXIT_OK : EXIT_BAD_INPUT;
    for (size_t i = 0; (c = cmd_help_at(i)) != NULL; i++)
        if (strcmp(args.items[0], c->name) == 0)
            return put_command(c), fflush(stdout) == 0 ? EXIT_OK : EXIT_BAD_INPUT;
    return report_usage("man", "unknown command '%s'", args.items[0]);
}
