/*
 * Command lines by table: one row an option gives parsing, help text and shell-friendly errors. A row says where in
 * the command's option struct its value goes.
 */
#ifndef CMD_OPT_H
#define CMD_OPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/errmsg.h"

#define OPT_LIST_MAX 64

/* Values of an option that may be given more than once. The texts are those of argv. */
struct opt_list {
    const char *items[OPT_LIST_MAX];
    size_t count;
};

enum opt_kind {
    OPT_FLAG,   /* bool */
    OPT_TEXT,   /* const char * */
    OPT_LIST,   /* struct opt_list */
    OPT_NUMBER, /* uint64_t, 0..max */
    OPT_TITLE   /* no option: a heading in the help */
};

struct opt {
    const char *name; /* without the dashes */
    char letter;      /* 0: none */
    enum opt_kind kind;
    size_t offset; /* of the value in the option struct */
    uint64_t max;
    const char *metavar;
    const char *help;
};

/* A sub-command. `opts` ends with a row without a name. */
struct opt_command {
    const char *name;
    const char *summary; /* one line for `hepcat --help` */
    const char *usage;   /* "hepcat decode [OPTION]... [FILE]..." */
    const char *about;   /* paragraphs before the options */
    const char *examples;
    const struct opt *opts;
    const char *status; /* exit statuses; NULL: the usual ones */
};

enum opt_result { OPT_RUN, OPT_HELP, OPT_ERROR };

/*
 * Parses argv[1..]; `dest` is the zeroed or preset option struct, `args` gets what is not an option. --help and -h are
 * built in. OPT_ERROR fills err.
 */
enum opt_result opt_parse(const struct opt_command *command, int argc, char **argv, void *dest, struct opt_list *args,
                          struct errmsg *err);

/* The same for any number of arguments: they are moved to argv[1..*ret_count]. */
enum opt_result opt_parse_many(const struct opt_command *command, int argc, char **argv, void *dest, int *ret_count,
                               struct errmsg *err);

/* Prints the help of a command to standard output. */
void opt_help(const struct opt_command *command);

/* What its exit statuses mean. */
const char *opt_status(const struct opt_command *command);

#endif
