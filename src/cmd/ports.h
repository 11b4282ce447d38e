/* A set of ports from the command line. */
#ifndef CMD_PORTS_H
#define CMD_PORTS_H

#include "base/errmsg.h"
#include "capture/ports.h"
#include "cmd/opt.h"

/* Ports and ranges ("9060", "9060-9063,9070"); if the list is empty, those of `fallback`. 0, or -1 with a text. */
int ports_init(struct ports *p, const struct opt_list *list, const char *fallback, struct errmsg *err);

#endif
