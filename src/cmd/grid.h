/* A table of texts whose columns are known at run time: drawn for people, or as CSV. */
#ifndef CMD_GRID_H
#define CMD_GRID_H

#include <jansson.h>

#include "cmd/rows_out.h"

struct grid {
    size_t columns;
    struct buf texts; /* of all cells, one behind the other */
    size_t *ends;     /* of each in `texts` */
    size_t count, cap;
    bool failed; /* out of memory */
};

void grid_init(struct grid *g, size_t columns);
void grid_free(struct grid *g);

/* The next cell, row by row; the first row has the titles. */
void grid_put(struct grid *g, const char *text, size_t len);
void grid_text(struct grid *g, const char *text);
void grid_printf(struct grid *g, const char *format, ...) __attribute__((format(printf, 2, 3)));
void grid_json(struct grid *g, const json_t *value); /* null is empty */

/* As a table (columns of numbers to the right, cut to the terminal), or as CSV. False: it could not be written. */
bool grid_print(struct grid *g, enum rows_format format);

#endif
