/* Rows of a search on standard output: a table for people, JSON lines, CSV. Rows come as JSON objects. */
#ifndef CMD_ROWS_OUT_H
#define CMD_ROWS_OUT_H

#include <jansson.h>

#include "base/buf.h"
#include "base/errmsg.h"
#include "query/printable.h"

enum rows_format { ROWS_TABLE, ROWS_JSON, ROWS_CSV };
enum rows_kind { ROWS_MESSAGES, ROWS_CALLS, ROWS_ATTEMPTS }; /* which columns are the usual ones */

#define ROWS_COLUMNS_MAX 64
#define ROWS_HELD_MAX    200 /* rows of a table that decide how wide its columns are */

struct rows_column {
    char title[32];
    void (*put)(struct buf *to, const json_t *row, const char *title); /* the text of a cell */
    bool whole;                                                        /* is not cut where there is little room */
    size_t width;
};

/* Cells of a row, one behind the other in `octets`. */
struct rows_held {
    struct buf octets;
    size_t ends[ROWS_COLUMNS_MAX];
    struct buf payload;
};

struct rows_out {
    enum rows_kind kind;
    enum rows_format format;
    bool payload;
    bool terminal;  /* nothing that could be an escape goes out; a table fits the width */
    unsigned width; /* of the terminal */
    struct printable printable;
    struct rows_column columns[ROWS_COLUMNS_MAX];
    size_t column_count;
    struct rows_held *held[ROWS_HELD_MAX];
    size_t held_count;
    bool drawn; /* the head of the table, or of the CSV */
    struct buf line;
    uint64_t rows;
    bool failed; /* standard output does not take any more */
};

/*
 * columns: names by commas as the user wants them, or NULL for the usual ones. -1 with a text.
 */
int rows_out_open(struct rows_out *o, enum rows_kind kind, enum rows_format format, const char *columns, bool payload,
                  struct errmsg *err);
void rows_out_close(struct rows_out *o);

/* What to ask for, so that all columns can be filled: names by commas, NULL for everything. */
const char *rows_out_wants(enum rows_kind kind, enum rows_format format, const char *columns);

/* As struct ask wants it: 0, or 1 when no more can be written. */
int rows_out_put(void *rows_out, const char *json, size_t len);

/* The rest of a table. False if something could not be written. */
bool rows_out_end(struct rows_out *o);

/* "table", "json", "csv": false for anything else. NULL: a table on a terminal, else JSON. */
bool rows_format_parse(const char *text, enum rows_format *ret);

/* True if standard output can take UTF-8: the locale says so. */
bool rows_out_is_utf8(void);

/* Columns of the terminal on standard output; 0 if there is none. */
unsigned rows_out_width(void);

#endif
