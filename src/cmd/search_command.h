/* What `search`, `calls` and `registrations --attempts` share: rows that match a filter. */
#ifndef CMD_SEARCH_COMMAND_H
#define CMD_SEARCH_COMMAND_H

#include "cmd/ask.h"
#include "cmd/rows_out.h"

struct search_command {
    struct ask ask;
    const char *format;
    bool quiet;
};

/* Asks for what the words say, and prints it; the exit status. */
int search_command_run(struct search_command *c, const struct opt_list *args);

#endif
