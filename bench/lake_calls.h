/*
 * Calls beside the messages of a made lake, as a server makes them: each row goes to a tracker, what is over becomes rows
 * of tables `call` and `call_key`.
 */
#ifndef BENCH_LAKE_CALLS_H
#define BENCH_LAKE_CALLS_H

#include "store/store.h"

struct lake_calls;

struct lake_calls *lake_calls_new(struct store *store); /* NULL: no memory */
void lake_calls_take(struct lake_calls *c, const struct record *message);
void lake_calls_free(struct lake_calls *c); /* all calls are over; NULL is fine */

#endif
