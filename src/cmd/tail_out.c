#include "cmd/tail_out.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/rows_cell.h"

#define LINE_MAX_OCTETS ((size_t)8 << 20)

/* Columns of a line, by rows_cell_usual(): at least so wide, that most lines stand below each other. */
static const size_t widths[] = { 18, 15, 15, 20, 14, 14, 0 };
#define MESSAGE 3 /* the one that has a colour */

/* ------------------------------------------------------------------------------------------------ options */

bool tail_format_parse(const char *text, enum tail_format *ret)
{
    static const char *const names[] = { "text", "json", "csv" };
    if (text == NULL) {
        *ret = isatty(STDOUT_FILENO) != 0 ? TAIL_TEXT : TAIL_JSON;
        return true;
    }
    for (int i = 0; i < 3; i++)
        if (strcmp(text, names[i]) == 0) {
            *ret = (enum tail_format)i;
            return true;
        }
    return false;
}

bool tail_colours_parse(const char *text, bool *ret)
{
    const char *no = getenv("NO_COLOR");
    *ret = isatty(STDOUT_FILENO) != 0 && (no == NULL || no[0] == '\0'); /* https://no-color.org */
    if (text == NULL || strcmp(text, "auto") == 0)
        return true;
    *ret = strcmp(text, "always") == 0;
    return *ret || strcmp(text, "never") == 0;
}

const char *tail_out_wants(enum tail_format format, const char *columns)
{
    return rows_out_wants(ROWS_MESSAGES, format == TAIL_JSON ? ROWS_JSON : ROWS_CSV, columns);
}

int tail_out_open(struct tail_out *o, const char *columns, struct errmsg *err)
{
    static const enum rows_format formats[] = { ROWS_TABLE, ROWS_JSON, ROWS_CSV };
    buf_init(&o->line, LINE_MAX_OCTETS);
    buf_init(&o->cell, LINE_MAX_OCTETS);
    o->named = columns != NULL;
    return rows_out_open(&o->rows, ROWS_MESSAGES, formats[o->format], columns, o->payload, err);
}

void tail_out_close(struct tail_out *o)
{
    rows_out_close(&o->rows);
    buf_free(&o->line);
    buf_free(&o->cell);
}

/* ------------------------------------------------------------------------------------------------ lines */

/* Select Graphic Rendition (ECMA-48) of a message: requests, answers by class, what is no SIP. */
static const char *colour_of(const json_t *row)
{
    static const char *const classes[] = { "", "2", "32", "36", "33", "31", "31" };
    int64_t status = rows_cell_number(row, "status");
    struct hep_slice method = rows_cell_text(row, "method");
    if (json_object_get(row, "parse_error") != NULL)
        return "31";
    if (status >= 100 && status < 700)
        return classes[status / 100];
    if (method.len == 6 && memcmp(method.ptr, "INVITE", 6) == 0)
        return "1;34";
    return method.len > 0 ? "34" : "35";
}

static void put_cell(struct tail_out *o, const json_t *row, const struct rows_column *c, size_t i)
{
    const char *colour = o->colours && i == MESSAGE ? colour_of(row) : "";
    buf_reset(&o->cell);
    c->put(&o->cell, row, c->title);
    if (colour[0] != '\0')
        buf_printf(&o->line, "\033[%sm", colour);
    struct hep_slice text = { o->cell.ptr == NULL ? (const uint8_t *)"" : o->cell.ptr, o->cell.len };
    size_t n = printable_put(&o->line, &o->rows.printable, text, SIZE_MAX);
    if (colour[0] != '\0')
        buf_puts(&o->line, "\033[0m");
    for (; n < widths[i]; n++)
        buf_putc(&o->line, ' ');
}

/* Below its line, indented. */
static void put_payload(struct tail_out *o, const json_t *row)
{
    struct hep_slice payload = rows_cell_text(row, "payload");
    for (size_t at = 0; at < payload.len;) {
        const uint8_t *start = payload.ptr + at;
        const uint8_t *end = memchr(start, '\n', payload.len - at);
        size_t len = end == NULL ? payload.len - at : (size_t)(end - start);
        at += len + 1;
        if (len > 0 && start[len - 1] == '\r')
            len--;
        buf_puts(&o->line, "    ");
        (void)printable_put(&o->line, &o->rows.printable, (struct hep_slice){ start, len }, SIZE_MAX);
        buf_putc(&o->line, '\n');
    }
}

static void put_line(struct tail_out *o, const json_t *row)
{
    static const char *const between[] = { "", "  ", " -> ", "  ", "  ", " -> ", "  " };
    size_t count;
    const struct rows_column *columns = rows_cell_usual(ROWS_MESSAGES, &count);
    buf_reset(&o->line);
    for (size_t i = 0; i < count; i++) {
        buf_puts(&o->line, between[i]);
        put_cell(o, row, &columns[i], i);
    }
    buf_putc(&o->line, '\n');
    if (o->payload)
        put_payload(o, row);
}

/* With the columns that the user named: their values. */
static void put_named(struct tail_out *o, const json_t *row)
{
    buf_reset(&o->line);
    for (size_t i = 0; i < o->rows.column_count; i++) {
        buf_reset(&o->cell);
        rows_cell_plain(&o->cell, row, o->rows.columns[i].title);
        buf_puts(&o->line, i > 0 ? "  " : "");
        struct hep_slice text = { o->cell.ptr == NULL ? (const uint8_t *)"-" : o->cell.ptr, o->cell.len };
        (void)printable_put(&o->line, &o->rows.printable, text, SIZE_MAX);
    }
    buf_putc(&o->line, '\n');
    if (o->payload)
        put_payload(o, row);
}

static bool write_line(struct tail_out *o)
{
    return !o->line.failed && fwrite(o->line.ptr, 1, o->line.len, stdout) == o->line.len;
}

bool tail_out_put(struct tail_out *o, const char *json, size_t len)
{
    if (o->format != TAIL_TEXT)
        return rows_out_put(&o->rows, json, len) == 0 && fflush(stdout) == 0;
    json_t *row = json_loadb(json, len, JSON_ALLOW_NUL, NULL);
    if (row == NULL)
        return true; /* not one that we wrote */
    if (o->named)
        put_named(o, row);
    else
        put_line(o, row);
    json_decref(row);
    return write_line(o) && fflush(stdout) == 0;
}
