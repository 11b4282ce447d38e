/* Messages of `hepcat tail` on standard output: a line each for people, JSON lines, CSV. */
#ifndef CMD_TAIL_OUT_H
#define CMD_TAIL_OUT_H

#include "cmd/rows_out.h"

enum tail_format { TAIL_TEXT, TAIL_JSON, TAIL_CSV };

struct tail_out {
    enum tail_format format;
    bool payload, colours;
    bool named;           /* the columns are those that the user named */
    struct rows_out rows; /* of the other formats, and what is known of the terminal */
    struct buf line, cell;
};

/* "text", "json", "csv"; NULL: text on a terminal, else JSON. False for anything else. */
bool tail_format_parse(const char *text, enum tail_format *ret);

/* "auto" (or NULL: colours on a terminal, unless $NO_COLOR says no), "always", "never". False for anything else. */
bool tail_colours_parse(const char *text, bool *ret);

/* What to ask for: names by commas, NULL for everything. */
const char *tail_out_wants(enum tail_format format, const char *columns);

/* -1 with a text. */
int tail_out_open(struct tail_out *o, const char *columns, struct errmsg *err);
void tail_out_close(struct tail_out *o);

/* One message as JSON object; it is out when this returns. False if it could not be written. */
bool tail_out_put(struct tail_out *o, const char *json, size_t len);

#endif
