/* The walls around the query worker, put up by itself before DuckDB runs. Private to the worker. */
#ifndef STORE_LAKE_DUCK_SANDBOX_H
#define STORE_LAKE_DUCK_SANDBOX_H

#include <stdint.h>

#include "base/errmsg.h"

/*
 * No core file (it would hold what people said), address space of at most `address_space` octets (0: any; ignored
 * under sanitizers, which map terabytes), and first in line when memory is short in the whole machine.
 */
int duck_limit_process(uint64_t address_space, struct errmsg *err);

/*
 * From now on this thread and those that it starts can read below `read_dir`, read and write below `write_dir`, and do
 * nothing else with files, TCP, abstract sockets and signals, as far as the kernel's Landlock goes. Returns the version
 * of Landlock's ABI, 0 if the kernel has none, or -1 with a text.
 */
int duck_landlock(const char *read_dir, const char *write_dir, struct errmsg *err);

#endif
