/* Counts over time as bars in a terminal: blocks of Unicode where it can show them, colours where it is one. */
#ifndef CMD_HISTOGRAM_H
#define CMD_HISTOGRAM_H

#include <jansson.h>
#include <stdbool.h>

/* An answer of /api/v1/counts on standard output. False: it could not be written. */
bool histogram_print(const json_t *counts);

#endif
