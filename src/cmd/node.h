/* The number that names the files of this machine's servers. */
#ifndef CMD_NODE_H
#define CMD_NODE_H

#include <stdint.h>

/* From the machine's id; only has to differ between the servers of a cluster. Never 0. */
uint64_t node_default(void);

#endif
