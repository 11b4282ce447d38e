/*
 * The query worker: what this executable is as the child of duck.h. It opens DuckDB behind its walls (duck_sandbox.h)
 * and answers queries on sockets that it inherits; duck_wire.h is the protocol. It ends when its parent does.
 */
#ifndef STORE_LAKE_DUCK_WORKER_H
#define STORE_LAKE_DUCK_WORKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A predicate that SQL can call as name(value, pattern); NULL in either gives NULL. The value is VARCHAR, with `octets`
 * a BLOB as well; the pattern is VARCHAR or BLOB. test() runs in several threads at the same time and must be pure: of
 * constants it is called once. Octets are borrowed, not terminated, and may be none (ptr is not NULL then either).
 */
struct duck_function {
    const char *name;
    bool octets;
    bool (*test)(const uint8_t *value, size_t len, const uint8_t *pattern, size_t pattern_len);
};

#define DUCK_FUNCTIONS_MAX 64

/* Functions that the worker of this process will have, before duck_worker_main(). The table is borrowed for good. */
void duck_worker_functions(const struct duck_function *functions, size_t count);

/* Where to ask how many values functions have given up on so far; without it, none. Before duck_worker_main(). */
void duck_worker_gave_up(uint64_t (*count)(void));

/*
 * Runs the worker. Does not return when it was started by duck.h: the process ends with its parent. Else returns 2 at
 * once: a person started it.
 */
int duck_worker_main(int argc, char **argv);

#endif
