/* `hepcat completion SHELL`: a script that completes sub-commands and options, made from the tables of options. */
#include <stdio.h>
#include <string.h>

#include "cmd/cmd.h"
#include "cmd/report.h"
#include "filter/fields.h"

static const struct opt no_opts[] = { { NULL, 0, OPT_FLAG, 0, 0, NULL, NULL } };

const struct opt_command cmd_completion_help = {
    .name = "completion",
    .summary = "print a script that completes commands and options",
    .usage = "hepcat completion bash|zsh|fish|commands",
    .about = "Prints a script for the shell on standard output, or the names of all commands.",
    .opts = no_opts,
    .examples = "  hepcat completion bash > /etc/bash_completion.d/hepcat\n"
                "  hepcat completion zsh > \"${fpath[1]}/_hepcat\"\n"
                "  hepcat completion fish > ~/.config/fish/completions/hepcat.fish\n",
    .status = "0 printed, 1 standard output cannot be written to, 2 wrong usage",
};

/* The first line of a help text; quotes of a shell are left out, they are not worth their escapes. */
static void put_line(const char *text)
{
    for (; *text != '\0' && *text != '\n'; text++)
        if (strchr("'\"\\`$[]:", *text) == NULL)
            putchar(*text);
}

static void put_names(void)
{
    const struct opt_command *c;
    for (size_t i = 0; (c = cmd_help_at(i)) != NULL; i++)
        printf("%s%s", i == 0 ? "" : " ", c->name);
}

static bool takes_filter(const struct opt_command *c)
{
    return strstr(c->usage, "[FILTER]") != NULL;
}

static void put_fields(void)
{
    size_t count = 0;
    const struct filter_field *fields = filter_fields(&count);
    for (size_t i = 0; i < count; i++)
        if (fields[i].type != FILTER_HEADER) /* its name is the user's */
            printf("%s:%s", fields[i].name, i + 1 < count ? " " : "");
}

static void bash(void)
{
    const struct opt_command *c;
    printf("# hepcat: completion for bash\n_hepcat()\n{\n"
           "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} options= values= fields=\n"
           "    if [ \"$COMP_CWORD\" -eq 1 ]; then\n        COMPREPLY=($(compgen -W '");
    put_names();
    printf(" help --help --version' -- \"$cur\"))\n        return\n    fi\n    case ${COMP_WORDS[1]} in\n");
    for (size_t i = 0; (c = cmd_help_at(i)) != NULL; i++) {
        printf("    %s)\n        options='--help", c->name);
        for (const struct opt *o = c->opts; o->name != NULL; o++)
            if (o->kind != OPT_TITLE)
                printf(" --%s", o->name);
        printf("'\n        values='");
        for (const struct opt *o = c->opts; o->name != NULL; o++)
            if (o->kind != OPT_TITLE && o->kind != OPT_FLAG)
                printf(" --%s ", o->name);
        printf("'\n        fields='");
        if (takes_filter(c))
            put_fields();
        printf("' ;;\n");
    }
    printf("    help)\n        COMPREPLY=($(compgen -W '");
    put_names();
    printf("' -- \"$cur\"))\n        return ;;\n    esac\n"
           "    case \"$values\" in\n"
           "    *\" $prev \"*) COMPREPLY=($(compgen -f -- \"$cur\")); return ;;\n    esac\n"
           "    case \"$cur\" in\n"
           "    -*) COMPREPLY=($(compgen -W \"$options\" -- \"$cur\")) ;;\n"
           "    *)\n        if [ -n \"$fields\" ]; then\n"
           "            compopt -o nospace 2>/dev/null\n"
           "            COMPREPLY=($(compgen -W \"$fields\" -- \"$cur\"))\n"
           "        else\n            COMPREPLY=($(compgen -f -- \"$cur\"))\n        fi ;;\n    esac\n}\n"
           "complete -o filenames -F _hepcat hepcat\n");
}

static void zsh_option(const struct opt *o)
{
    const char *more = o->kind == OPT_LIST ? "*" : "";
    if (o->kind == OPT_TITLE)
        return;
    printf(" \\\n            '%s--%s%s[", more, o->name, o->kind == OPT_FLAG ? "" : "=");
    put_line(o->help);
    printf("]");
    if (o->kind != OPT_FLAG) {
        printf(":");
        put_line(o->metavar);
        printf(":_files");
    }
    printf("'");
}

static void zsh(void)
{
    const struct opt_command *c;
    printf("#compdef hepcat\n# hepcat: completion for zsh\n_hepcat_fields()\n{\n    compadd -S '' -- ");
    put_fields();
    printf("\n}\n_hepcat()\n{\n    local -a commands\n"
           "    if (( CURRENT == 2 )); then\n        commands=(\n");
    for (size_t i = 0; (c = cmd_help_at(i)) != NULL; i++) {
        printf("            '%s:", c->name);
        put_line(c->summary);
        printf("'\n");
    }
    printf("        )\n        _describe 'command' commands\n        return\n    fi\n"
           "    local command=$words[2]\n    shift words\n    (( CURRENT-- ))\n    case $command in\n");
    for (size_t i = 0; (c = cmd_help_at(i)) != NULL; i++) {
        printf("    %s)\n        _arguments", c->name);
        for (const struct opt *o = c->opts; o->name != NULL; o++)
            zsh_option(o);
        printf(" \\\n            '--help[this text]' '*:%s' ;;\n",
               takes_filter(c) ? "filter:_hepcat_fields" : "file:_files");
    }
    printf("    esac\n}\n_hepcat \"$@\"\n");
}

static void fish(void)
{
    const struct opt_command *c;
    printf("# hepcat: completion for fish\n");
    for (size_t i = 0; (c = cmd_help_at(i)) != NULL; i++) {
        printf("complete -c hepcat -n __fish_use_subcommand -f -a %s -d '", c->name);
        put_line(c->summary);
        printf("'\n");
        for (const struct opt *o = c->opts; o->name != NULL; o++) {
            if (o->kind == OPT_TITLE)
                continue;
            printf("complete -c hepcat -n '__fish_seen_subcommand_from %s' -l %s", c->name, o->name);
            if (o->letter != 0)
                printf(" -s %c", o->letter);
            printf("%s -d '", o->kind == OPT_FLAG ? "" : " -r");
            put_line(o->help);
            printf("'\n");
        }
        if (!takes_filter(c))
            continue;
        printf("complete -c hepcat -n '__fish_seen_subcommand_from %s' -f -a '", c->name);
        put_fields();
        printf("' -d 'field of a filter'\n");
    }
}

/* For scripts, such as the one that installs. */
static void commands(void)
{
    put_names();
    putchar('\n');
}

static const struct {
    const char *name;
    void (*print)(void);
} shells[] = { { "bash", bash }, { "zsh", zsh }, { "fish", fish }, { "commands", commands } };

int cmd_completion(int argc, char **argv)
{
    int status;
    struct opt_list args = { 0 };
    int none;
    if (!report_opts(&cmd_completion_help, argc, argv, &none, &args, &status))
        return status;
    for (size_t i = 0; args.count == 1 && i < sizeof(shells) / sizeof(shells[0]); i++) {
        if (strcmp(args.items[0], shells[i].name) != 0)
            continue;
        shells[i].print();
        return fflush(stdout) == 0 ? EXIT_OK : EXIT_BAD_INPUT;
    }
    return report_usage("completion", "a shell is needed: bash, zsh or fish");
}
