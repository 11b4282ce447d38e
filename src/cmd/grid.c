#include "cmd/grid.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXTS_MAX ((size_t)128 << 20)
#define CELL_MIN  8
#define GAP       2

void grid_init(struct grid *g, size_t columns)
{
    *g = (struct grid){ .columns = columns };
    buf_init(&g->texts, TEXTS_MAX);
}

void grid_free(struct grid *g)
{
    buf_free(&g->texts);
    free(g->ends);
}

void grid_put(struct grid *g, const char *text, size_t len)
{
    if (g->count == g->cap) {
        size_t cap = g->cap > 0 ? 2 * g->cap : 256;
        size_t *grown = realloc(g->ends, cap * sizeof(*grown));
        g->failed = g->failed || grown == NULL;
        if (grown == NULL)
            return;
        g->ends = grown;
        g->cap = cap;
    }
    buf_put(&g->texts, text, len);
    g->failed = g->failed || g->texts.failed;
    g->ends[g->count++] = g->texts.len;
}

void grid_text(struct grid *g, const char *text)
{
    grid_put(g, text, strlen(text));
}

void grid_printf(struct grid *g, const char *format, ...)
{
    char text[128];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    grid_text(g, text);
}

void grid_json(struct grid *g, const json_t *value)
{
    if (json_is_string(value)) {
        grid_put(g, json_string_value(value), json_string_length(value));
        return;
    }
    char *text = json_is_null(value) || value == NULL ? NULL : json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
    grid_text(g, text != NULL ? text : "");
    free(text);
}

static struct hep_slice cell(const struct grid *g, size_t i)
{
    size_t start = i == 0 ? 0 : g->ends[i - 1];
    const uint8_t *base = g->texts.ptr != NULL ? g->texts.ptr : (const uint8_t *)"";
    return (struct hep_slice){ base + start, g->ends[i] - start };
}

/* ------------------------------------------------------------------------------------------------ CSV */

/* RFC 4180. */
static void put_field(struct buf *line, struct hep_slice text)
{
    bool quote = false;
    for (size_t i = 0; i < text.len; i++)
        quote = quote || (text.ptr[i] != '\0' && strchr("\",\r\n", text.ptr[i]) != NULL);
    if (quote)
        buf_putc(line, '"');
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '"')
            buf_putc(line, '"');
        buf_putc(line, (char)text.ptr[i]);
    }
    if (quote)
        buf_putc(line, '"');
}

/* ------------------------------------------------------------------------------------------------ tables */

static bool is_number(struct hep_slice text)
{
    bool digit = false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '\0' || strchr("0123456789.-+eE%", text.ptr[i]) == NULL)
            return false;
        digit = digit || (text.ptr[i] >= '0' && text.ptr[i] <= '9');
    }
    return digit || text.len == 0;
}

struct layout {
    struct printable printable;
    size_t *widths;
    bool *right;
};

static void measure(const struct grid *g, struct layout *l)
{
    for (size_t c = 0; c < g->columns; c++)
        l->right[c] = g->count > g->columns;
    for (size_t i = 0; i < g->count; i++) {
        size_t c = i % g->columns, width = printable_width(&l->printable, cell(g, i));
        l->widths[c] = width > l->widths[c] ? width : l->widths[c];
        l->right[c] = l->right[c] && (i < g->columns || is_number(cell(g, i)));
    }
}

/* The widest column of texts gives way, until the line fits: a number that is cut would be another one. */
static void fit(const struct grid *g, struct layout *l, size_t width)
{
    for (;;) {
        size_t widest = 0, sum = (g->columns - 1) * GAP;
        for (size_t c = 0; c < g->columns; c++) {
            sum += l->widths[c];
            bool narrower = l->right[widest] || (!l->right[c] && l->widths[c] > l->widths[widest]);
            widest = narrower ? c : widest;
        }
        if (width == 0 || sum <= width || l->right[widest] || l->widths[widest] <= CELL_MIN)
            return;
        l->widths[widest]--;
    }
}

static void put_cell(struct buf *line, const struct layout *l, size_t c, struct hep_slice text, bool last)
{
    size_t width = printable_width(&l->printable, text);
    width = width < l->widths[c] ? width : l->widths[c];
    for (size_t pad = width; l->right[c] && pad < l->widths[c]; pad++)
        buf_putc(line, ' ');
    (void)printable_put(line, &l->printable, text, l->widths[c]);
    for (size_t pad = width; !l->right[c] && !last && pad < l->widths[c]; pad++)
        buf_putc(line, ' ');
}

static bool print_rows(const struct grid *g, const struct layout *l, enum rows_format format)
{
    struct buf line;
    bool ok = true;
    buf_init(&line, TEXTS_MAX);
    for (size_t i = 0; i < g->count && ok; i++) {
        size_t c = i % g->columns;
        bool last = c + 1 == g->columns;
        if (format == ROWS_CSV) {
            put_field(&line, cell(g, i));
            buf_puts(&line, last ? "\r\n" : ",");
        } else {
            put_cell(&line, l, c, cell(g, i), last);
            buf_puts(&line, last ? "\n" : "  ");
        }
        if (!last)
            continue;
        ok = !line.failed && fwrite(line.ptr, 1, line.len, stdout) == line.len;
        buf_reset(&line);
    }
    buf_free(&line);
    return ok && fflush(stdout) == 0;
}

bool grid_print(struct grid *g, enum rows_format format)
{
    struct layout l = { .printable = { .ascii = !rows_out_is_utf8() } };
    if (g->columns == 0)
        return true;
    l.widths = calloc(g->columns, sizeof(*l.widths));
    l.right = calloc(g->columns, sizeof(*l.right));
    bool ok = l.widths != NULL && l.right != NULL && !g->failed;
    if (ok && format == ROWS_TABLE) {
        measure(g, &l);
        fit(g, &l, rows_out_width());
    }
    ok = ok && print_rows(g, &l, format);
    free(l.widths);
    free(l.right);
    return ok;
}
