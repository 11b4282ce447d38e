/*
 * The executable: main.c holds the table of sub-commands, cmd_*.c is one each, the other files are what they share.
 *
 * opt       command lines by table
 * conf_opt  flags of the configuration, from its table
 * log       the log of commands that run on
 * report    what goes to standard error: errors, limited in number, and the sums at the end
 * select    which messages: by payload type, address, text
 * vendor    vendor keys given on the command line
 * detect    what kind of file an input is
 * decoder   octets -> messages -> output; decode_file, decode_pcap and listen feed it
 * output    messages -> JSON lines, text, pcap or raw frames on standard output
 * ask       searches: of a server (http_get) or the files of a data directory (ask_lake)
 * rows_out  what they find: a table, JSON lines, CSV; rows_cell makes the texts
 * tail_out  what `tail` prints
 * ask_json  answers of one JSON object; grid draws tables of it, histogram the bars of `count`, explain_out `explain`
 * out_file  what `export` writes to: there when it is whole, and not before
 * encoder   messages -> frames -> sender or standard output; encode_file and encode_pcap feed it
 * import_to what `import` hands frames to: a server or a data directory; import_progress tells how far it is
 */
#ifndef CMD_CMD_H
#define CMD_CMD_H

#include "cmd/opt.h"
#include "hep/hep.h"

/* "0.1.0" */
#define HEPCAT_VERSION_TEXT_(a, b, c) #a "." #b "." #c
#define HEPCAT_VERSION_TEXT(a, b, c)  HEPCAT_VERSION_TEXT_(a, b, c)
#define HEPCAT_VERSION                HEPCAT_VERSION_TEXT(HEP_VERSION_MAJOR, HEP_VERSION_MINOR, HEP_VERSION_PATCH)

/* Exit statuses. */
enum { EXIT_OK = 0, EXIT_BAD_INPUT = 1, EXIT_USAGE = 2 };

extern const struct opt_command cmd_agent_help, cmd_heplify_help, cmd_registrations_help, cmd_explain_help;
extern const struct opt_command cmd_calls_help, cmd_kpi_help, cmd_count_help, cmd_senders_help, cmd_sql_help;
extern const struct opt_command cmd_check_help, cmd_completion_help, cmd_man_help, cmd_decode_help, cmd_demo_help,
    cmd_encode_help, cmd_export_help, cmd_flow_help, cmd_import_help, cmd_search_help, cmd_serve_help, cmd_tail_help;

/* The sub-commands, one after the other; NULL behind the last one. */
const struct opt_command *cmd_help_at(size_t i);

/* What duck.h starts this executable with. */
#define QUERY_WORKER "query-worker"

/* argv[0] is the name of the sub-command. Returns the exit status. */
int cmd_agent(int argc, char **argv);
int cmd_calls(int argc, char **argv);
int cmd_check(int argc, char **argv);
int cmd_completion(int argc, char **argv);
int cmd_count(int argc, char **argv);
int cmd_decode(int argc, char **argv);
int cmd_demo(int argc, char **argv);
int cmd_encode(int argc, char **argv);
int cmd_export(int argc, char **argv);
int cmd_explain(int argc, char **argv);
int cmd_flow(int argc, char **argv);
int cmd_heplify(int argc, char **argv);
int cmd_import(int argc, char **argv);
int cmd_kpi(int argc, char **argv);
int cmd_man(int argc, char **argv);
int cmd_query_worker(int argc, char **argv);
int cmd_registrations(int argc, char **argv);
int cmd_search(int argc, char **argv);
int cmd_senders(int argc, char **argv);
int cmd_serve(int argc, char **argv);
int cmd_sql(int argc, char **argv);
int cmd_tail(int argc, char **argv);

#endif
