/* The executable's entry: a table of sub-commands. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/near.h"
#include "cmd/cmd.h"
#include "cmd/report.h"
#include "hep/hep.h"

static const struct {
    const struct opt_command *help;
    int (*run)(int argc, char **argv);
} commands[] = {
    { &cmd_serve_help, cmd_serve },     { &cmd_agent_help, cmd_agent },
    { &cmd_heplify_help, cmd_heplify }, { &cmd_decode_help, cmd_decode },
    { &cmd_encode_help, cmd_encode },   { &cmd_demo_help, cmd_demo },
    { &cmd_import_help, cmd_import },   { &cmd_search_help, cmd_search },
    { &cmd_calls_help, cmd_calls },     { &cmd_registrations_help, cmd_registrations },
    { &cmd_flow_help, cmd_flow },       { &cmd_explain_help, cmd_explain },
    { &cmd_count_help, cmd_count },     { &cmd_kpi_help, cmd_kpi },
    { &cmd_tail_help, cmd_tail },       { &cmd_export_help, cmd_export },
    { &cmd_senders_help, cmd_senders }, { &cmd_sql_help, cmd_sql },
    { &cmd_check_help, cmd_check },     { &cmd_completion_help, cmd_completion },
    { &cmd_man_help, cmd_man },
};
#define COMMAND_COUNT (sizeof(commands) / sizeof(commands[0]))

const struct opt_command *cmd_help_at(size_t i)
{
    return i < COMMAND_COUNT ? commands[i].help : NULL;
}

static int unknown_command(const char *word)
{
    const char *names[COMMAND_COUNT + 1] = { NULL };
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        names[i] = commands[i].help->name;
    const char *near = near_word(word, strlen(word), names);
    return near == NULL ? report_usage(NULL, "unknown command '%s'", word)
                        : report_usage(NULL, "unknown command '%s', did you mean '%s'?", word, near);
}

static int print_help(void)
{
    printf(
        "hepcat: HEP in and out of JSON, captures and the network.\n\nUsage: hepcat COMMAND [OPTION]... [FILE]...\n\n");
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        printf("  %-13s %s\n", commands[i].help->name, commands[i].help->summary);
    printf("\n'hepcat COMMAND --help' tells the options. 'hepcat --version' the version.\n");
    return EXIT_OK;
}

static int print_version(void)
{
    printf("hepcat %d.%d.%d\n", HEP_VERSION_MAJOR, HEP_VERSION_MINOR, HEP_VERSION_PATCH);
    return EXIT_OK;
}

/*
 * Whoever starts us with a standard stream closed must not find error messages in the next file or socket that is
 * opened. The mode is the wrong one on purpose: using the stream still is an error.
 */
static void occupy_standard_streams(void)
{
    static const int wrong_mode[] = { O_WRONLY, O_RDONLY, O_RDONLY };
    for (int fd = 0; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0)
            (void)open("/dev/null", wrong_mode[fd]); /* gets the lowest free number: this one */
}

int main(int argc, char **argv)
{
    occupy_standard_streams();
    const char *word = argc > 1 ? argv[1] : "";
    if (strcmp(word, QUERY_WORKER) == 0) /* for the server's own use: not in the help */
        return cmd_query_worker(argc - 1, argv + 1);
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        if (strcmp(word, commands[i].help->name) == 0)
            return commands[i].run(argc - 1, argv + 1);
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)
        return print_help();
    if (strcmp(word, "--version") == 0)
        return print_version();
    if (strcmp(word, "help") == 0) {
        for (size_t i = 0; argc > 2 && i < COMMAND_COUNT; i++)
            if (strcmp(argv[2], commands[i].help->name) == 0)
                return opt_help(commands[i].help), EXIT_OK;
        return print_help();
    }
    if (word[0] == '\0')
        return report_usage(NULL, "no command given");
    return unknown_command(word);
}
