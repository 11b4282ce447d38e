/* `hepcat agent`: its command line. */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/agent.h"
#include "cmd/cmd.h"

#define AT(member) offsetof(struct agent_command, member)

static const struct opt agent_opts[] = {
    { "input", 0, OPT_TITLE, 0, 0, NULL, "Captures in files:" },
    { "read", 'r', OPT_LIST, AT(read), 0, "FILE",
      "pcap or pcapng, gzip or not; -: standard input; a directory: the\ncaptures in it by name; a pattern" },
    { "speed", 0, OPT_TEXT, AT(speed), 0, "FACTOR", "1: at the recorded pace, 2: twice as fast (default: at once)" },
    { "explain", 0, OPT_FLAG, AT(explain), 0, NULL,
      "send nothing: print for each packet what would be done with\nit, and why" },
    { "quiet", 'q', OPT_FLAG, AT(quiet), 0, NULL, "no account at the end" },
    { "live", 0, OPT_TITLE, 0, 0, NULL, "Network devices (--interface):" },
    { "print-filter", 0, OPT_FLAG, AT(print_filter), 0, NULL,
      "print the filter that the kernel would be given, and end" },
    { "agent", 0, OPT_TITLE, 0, 0, NULL,
      "As the section agent: of the configuration has it (hepcat check --defaults):" },
    AGENT_OPT_ROWS,
    { NULL, 0, OPT_FLAG, 0, 0, NULL, NULL },
};

const struct opt_command cmd_agent_help = {
    .name = "agent",
    .summary = "capture SIP and RTCP from devices or files, send HEP, account for every packet",
    .usage = "hepcat agent [OPTION]... --to URL",
    .about =
        "Finds SIP (UDP, TCP, SCTP; IP fragments and TCP segments put together) and RTCP in packets, and sends\n"
        "them as HEP version 3. What could not be read, was left out or could not be sent is counted, by reason.\n"
        "From a device it runs until SIGTERM, and SIGHUP reads the configuration again. docs/agent.md describes it.",
    .opts = agent_opts,
    .examples = "  hepcat agent -i any --to tcp://10.0.0.1:9060 --spool /var/spool/hepcat\n"
                "  hepcat agent --read trace.pcap --to udp://10.0.0.1:9060\n"
                "  hepcat agent --read trace.pcap.gz --to - | hepcat decode -\n"
                "  hepcat agent --read /var/captures --to tcp://homer:9060 --discard OPTIONS --drop 'ua:*friendly*'\n"
                "  hepcat agent --read trace.pcap --explain\n",
};

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
    (void)number;
    interrupted = 1;
}

static int take_speed(const char *text, double *ret)
{
    char *end;
    if (text == NULL)
        return 0;
    *ret = strtod(text, &end);
    return end == text || *end != '\0' || !(*ret > 0) || *ret > 1e6
               ? report_usage("agent", "--speed: '%s' is not a factor above 0", text)
               : 0;
}

static int check(const struct agent_command *o, const struct conf *c)
{
    bool live = c->agent_interfaces.count > 0;
    if (o->read.count == 0 && !live)
        return report_usage("agent", "nothing to capture: give --interface NAME or --read FILE");
    if (o->read.count == 0 && (o->explain || o->speed != NULL))
        return report_usage("agent", "--%s is for --read", o->explain ? "explain" : "speed");
    if (!o->explain && c->agent_to.count == 0)
        return report_usage("agent", "no collector: give --to URL");
    bool to_stdout = c->agent_to.count > 0 && strcmp(c->agent_to.items[0], "-") == 0;
    if (!o->explain && to_stdout && isatty(STDOUT_FILENO))
        return report_usage("agent", "frames are not for a terminal: redirect standard output");
    return EXIT_OK;
}

static int read_files(const struct agent_command *o, const struct conf *c, double speed)
{
    struct report report = { .quiet = o->quiet };
    const struct sigaction action = { .sa_handler = on_signal };
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    const struct agent_read read = {
        .conf = c, .files = &o->read, .speed = speed, .explain = o->explain, .report = &report, .stop = &interrupted
    };
    return agent_read(&read);
}

/* Takes the configuration over. Files that are named on the command line go before devices of the configuration. */
static int run(const struct agent_command *o, struct conf *c, double speed)
{
    int status = o->print_filter ? EXIT_OK : check(o, c);
    if (status == EXIT_OK && !o->print_filter && o->read.count == 0)
        return agent_live(c, &o->conf);
    if (status == EXIT_OK)
        status = o->print_filter ? agent_print_filter(c) : read_files(o, c, speed);
    conf_free(c);
    return status;
}

int agent_run(const struct agent_command *command)
{
    double speed = 0;
    struct conf_errors errs;
    struct conf *c = NULL;
    if (take_speed(command->speed, &speed) != 0)
        return EXIT_USAGE;
    int rc = agent_opt_load(&c, &command->conf, &errs);
    agent_opt_report(&command->conf, &errs);
    return rc != 0 ? EXIT_USAGE : run(command, c, speed);
}

int cmd_agent(int argc, char **argv)
{
    int status;
    struct agent_command o = { .quiet = false };
    struct opt_list args = { 0 };
    if (!report_opts(&cmd_agent_help, argc, argv, &o, &args, &status))
        return status;
    if (args.count > 0)
        return report_usage("agent", "an option was expected, not '%s'", args.items[0]);
    return agent_run(&o);
}
