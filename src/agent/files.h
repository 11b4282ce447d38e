/* What `--read` names: files, directories (their captures, by name), patterns; in the order in which they are read. */
#ifndef AGENT_FILES_H
#define AGENT_FILES_H

#include <stddef.h>

#include "base/errmsg.h"

#define FILES_MAX 100000

struct files {
    char **names;
    size_t count, room;
};

/*
 * Adds what a word names: "-" and a file stand for themselves; a directory for the regular files in it whose names end
 * in .pcap, .pcapng or .cap, with or without .gz, in the order of their names; what has *, ? or [ and is no file, for
 * the files that match. 0, or -1 with a text: nothing there, too many.
 */
int files_add(struct files *f, const char *word, struct errmsg *err);
void files_free(struct files *f);

#endif
