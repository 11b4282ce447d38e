#include "cmd/rows_out.h"

#include <langinfo.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/num.h"
#include "cmd/rows_cell.h"
#include "query/row_csv.h"

#define LINE_MAX_OCTETS ((size_t)8 << 20)
#define CELL_MIN        8   /* characters that a column is not made narrower than */
#define CELL_MAX        120 /* and wider than */
#define GAP             2

/* ------------------------------------------------------------------------------------------------ surroundings */

unsigned rows_out_width(void)
{
    struct winsize size = { 0 };
    uint64_t columns;
    const char *text = getenv("COLUMNS");
    if (isatty(STDOUT_FILENO) == 0)
        return 0;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        return size.ws_col;
    return text != NULL && num_parse(text, strlen(text), 10000, &columns) ? (unsigned)columns : 80;
}

bool rows_out_is_utf8(void)
{
    if (setlocale(LC_CTYPE, "") == NULL)
        return false;
    bool utf8 = strcasecmp(nl_langinfo(CODESET), "UTF-8") == 0;
    (void)setlocale(LC_CTYPE, "C");
    return utf8;
}

bool rows_format_parse(const char *text, enum rows_format *ret)
{
    static const char *const names[] = { "table", "json", "csv" };
    if (text == NULL) {
        *ret = isatty(STDOUT_FILENO) != 0 ? ROWS_TABLE : ROWS_JSON;
        return true;
    }
    for (int i = 0; i < 3; i++)
        if (strcmp(text, names[i]) == 0) {
            *ret = (enum rows_format)i;
            return true;
        }
    return false;
}

/* ------------------------------------------------------------------------------------------------ opening */

static int add_named(struct rows_out *o, const char *list, struct errmsg *err)
{
    for (const char *at = list; *at != '\0';) {
        size_t n = strcspn(at, ",");
        const char *name = at + strspn(at, " ");
        size_t len = n - (size_t)(name - at);
        while (len > 0 && name[len - 1] == ' ')
            len--;
        if (o->column_count == ROWS_COLUMNS_MAX)
            return errmsg_set(err, "more than %d columns", ROWS_COLUMNS_MAX);
        struct rows_column *c = &o->columns[o->column_count];
        if (len == 0 || len >= sizeof(c->title))
            return errmsg_set(err, "unknown column '%.*s'", len > 64 ? 64 : (int)len, name);
        *c = (struct rows_column){ .put = rows_cell_plain };
        memcpy(c->title, name, len);
        o->column_count++;
        at += n + (at[n] == ',');
    }
    return 0;
}

static int add_usual(struct rows_out *o, struct errmsg *err)
{
    if (o->format != ROWS_TABLE)
        return add_named(o, rows_out_wants(o->kind, ROWS_CSV, NULL), err);
    const struct rows_column *usual = rows_cell_usual(o->kind, &o->column_count);
    memcpy(o->columns, usual, o->column_count * sizeof(*usual));
    return 0;
}

int rows_out_open(struct rows_out *o, enum rows_kind kind, enum rows_format format, const char *columns, bool payload,
                  struct errmsg *err)
{
    *o = (struct rows_out){ .kind = kind, .format = format, .payload = payload, .width = rows_out_width() };
    o->terminal = o->width > 0;
    o->printable.ascii = !rows_out_is_utf8();
    buf_init(&o->line, LINE_MAX_OCTETS);
    if (format == ROWS_JSON)
        return 0;
    if ((columns != NULL ? add_named(o, columns, err) : add_usual(o, err)) != 0)
        return -1;
    return payload && format == ROWS_CSV ? add_named(o, "payload,payload_encoding", err) : 0;
}

static void free_held(struct rows_held *h)
{
    buf_free(&h->octets);
    buf_free(&h->payload);
    free(h);
}

void rows_out_close(struct rows_out *o)
{
    for (size_t i = 0; i < o->held_count; i++)
        free_held(o->held[i]);
    o->held_count = 0;
    buf_free(&o->line);
}

const char *rows_out_wants(enum rows_kind kind, enum rows_format format, const char *columns)
{
    if (columns != NULL || format == ROWS_JSON)
        return columns;
    return kind == ROWS_CALLS ? ROW_CSV_CALLS : kind == ROWS_ATTEMPTS ? ROW_CSV_ATTEMPTS : ROW_CSV_USUAL;
}

/* ------------------------------------------------------------------------------------------------ writing */

static int flush_line(struct rows_out *o)
{
    if (o->line.failed || fwrite(o->line.ptr, 1, o->line.len, stdout) != o->line.len)
        o->failed = true;
    buf_reset(&o->line);
    return o->failed;
}

/* JSON as it came; what is no ASCII control character and yet one for a terminal is escaped. */
static int put_json(struct rows_out *o, const char *json, size_t len)
{
    const uint8_t *p = (const uint8_t *)json;
    for (size_t i = 0; i < len; i++) {
        if (o->terminal && p[i] == 0x7f)
            buf_puts(&o->line, "\\u007f");
        else if (o->terminal && p[i] == 0xc2 && i + 1 < len && p[i + 1] < 0xa0)
            buf_printf(&o->line, "\\u00%02x", (unsigned)p[++i]);
        else
            buf_putc(&o->line, (char)p[i]);
    }
    buf_putc(&o->line, '\n');
    return flush_line(o);
}

/* ------------------------------------------------------------------------------------------------ CSV */

/* row NULL: the titles. */
static int put_csv(struct rows_out *o, const json_t *row)
{
    struct buf cell;
    buf_init(&cell, LINE_MAX_OCTETS);
    for (size_t i = 0; i < o->column_count; i++) {
        buf_reset(&cell);
        if (row == NULL)
            buf_puts(&cell, o->columns[i].title);
        else
            o->columns[i].put(&cell, row, o->columns[i].title);
        if (i > 0)
            buf_putc(&o->line, ',');
        row_csv_field(&o->line, (struct hep_slice){ cell.ptr, cell.len });
    }
    buf_free(&cell);
    buf_puts(&o->line, "\r\n");
    return flush_line(o);
}

/* ------------------------------------------------------------------------------------------------ table */

static struct hep_slice cell_of(const struct rows_held *h, size_t column)
{
    size_t start = column == 0 ? 0 : h->ends[column - 1];
    const uint8_t *base = h->octets.ptr == NULL ? (const uint8_t *)"" : h->octets.ptr;
    return (struct hep_slice){ base + start, h->ends[column] - start };
}

/* The widest column gives way, until the line fits. */
static void fit(struct rows_out *o)
{
    for (;;) {
        struct rows_column *widest = NULL;
        size_t sum = (o->column_count - 1) * GAP;
        for (size_t i = 0; i < o->column_count; i++) {
            struct rows_column *c = &o->columns[i];
            sum += c->width;
            if (!c->whole && c->width > CELL_MIN && (widest == NULL || c->width >= widest->width))
                widest = c;
        }
        if (o->width == 0 || sum <= o->width || widest == NULL)
            return;
        widest->width--;
    }
}

static void measure(struct rows_out *o)
{
    for (size_t i = 0; i < o->column_count; i++) {
        struct rows_column *c = &o->columns[i];
        c->width = strlen(c->title);
        for (size_t k = 0; k < o->held_count; k++) {
            size_t width = printable_width(&o->printable, cell_of(o->held[k], i));
            c->width = width > c->width ? width : c->width;
        }
        if (o->width > 0 && c->width > CELL_MAX)
            c->width = CELL_MAX;
    }
    fit(o);
}

static void put_cell(struct rows_out *o, size_t i, struct hep_slice text)
{
    bool last = i == o->column_count - 1;
    size_t max = last && o->width == 0 ? SIZE_MAX : o->columns[i].width;
    size_t n = printable_put(&o->line, &o->printable, text, max);
    for (size_t pad = n; !last && pad < o->columns[i].width + GAP; pad++)
        buf_putc(&o->line, ' ');
}

/* Below its row, indented. */
static void put_payload(struct rows_out *o, const struct buf *payload)
{
    for (size_t at = 0; at < payload->len;) {
        const uint8_t *start = payload->ptr + at;
        const uint8_t *end = memchr(start, '\n', payload->len - at);
        size_t len = end == NULL ? payload->len - at : (size_t)(end - start);
        at += len + 1;
        if (len > 0 && start[len - 1] == '\r')
            len--;
        buf_puts(&o->line, "    ");
        (void)printable_put(&o->line, &o->printable, (struct hep_slice){ start, len }, SIZE_MAX);
        buf_putc(&o->line, '\n');
    }
}

static int draw(struct rows_out *o, const struct rows_held *h)
{
    for (size_t i = 0; i < o->column_count; i++)
        put_cell(o, i, cell_of(h, i));
    buf_putc(&o->line, '\n');
    put_payload(o, &h->payload);
    return flush_line(o);
}

static int draw_held(struct rows_out *o)
{
    measure(o);
    for (size_t i = 0; i < o->column_count; i++) {
        const char *title = o->columns[i].title;
        put_cell(o, i, (struct hep_slice){ (const uint8_t *)title, strlen(title) });
    }
    buf_putc(&o->line, '\n');
    (void)flush_line(o);
    for (size_t i = 0; i < o->held_count; i++) {
        (void)draw(o, o->held[i]);
        free_held(o->held[i]);
    }
    o->held_count = 0;
    o->drawn = true;
    return o->failed;
}

static int put_table(struct rows_out *o, const json_t *row)
{
    struct rows_held *h = calloc(1, sizeof(*h));
    if (h == NULL)
        return 1;
    buf_init(&h->octets, LINE_MAX_OCTETS);
    buf_init(&h->payload, LINE_MAX_OCTETS);
    for (size_t i = 0; i < o->column_count; i++) {
        o->columns[i].put(&h->octets, row, o->columns[i].title);
        h->ends[i] = h->octets.len;
    }
    if (o->payload)
        rows_cell_plain(&h->payload, row, "payload");
    if (o->drawn) {
        (void)draw(o, h);
        free_held(h);
        return o->failed;
    }
    o->held[o->held_count++] = h;
    return o->held_count == ROWS_HELD_MAX ? draw_held(o) : 0;
}

/* ------------------------------------------------------------------------------------------------ rows */

int rows_out_put(void *rows_out, const char *json, size_t len)
{
    struct rows_out *o = rows_out;
    o->rows++;
    if (o->format == ROWS_JSON)
        return put_json(o, json, len);
    json_t *row = json_loadb(json, len, JSON_ALLOW_NUL, NULL);
    if (row == NULL)
        return 0; /* not one that we wrote */
    if (o->format == ROWS_CSV && !o->drawn)
        (void)put_csv(o, NULL);
    o->drawn = o->drawn || o->format == ROWS_CSV;
    int rc = o->format == ROWS_CSV ? put_csv(o, row) : put_table(o, row);
    json_decref(row);
    return rc;
}

bool rows_out_end(struct rows_out *o)
{
    if (o->format == ROWS_TABLE && !o->drawn && o->held_count > 0)
        (void)draw_held(o);
    if (o->format == ROWS_CSV && !o->drawn)
        (void)put_csv(o, NULL);
    return fflush(stdout) == 0 && !o->failed;
}
