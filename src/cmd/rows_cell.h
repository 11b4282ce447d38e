/* Texts of the cells of a table or CSV, from a row as JSON object. */
#ifndef CMD_ROWS_CELL_H
#define CMD_ROWS_CELL_H

#include "cmd/rows_out.h"

/* The value of the key `title`: text as it is, lists with blanks; nothing if there is none. */
void rows_cell_plain(struct buf *to, const json_t *row, const char *title);

/* The usual columns of a table. Static. */
const struct rows_column *rows_cell_usual(enum rows_kind kind, size_t *ret_count);

/* Text of a key; empty if there is none. Number of a key, -1 if there is none. */
struct hep_slice rows_cell_text(const json_t *row, const char *key);
int64_t rows_cell_number(const json_t *row, const char *key);

#endif
