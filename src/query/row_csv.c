#include "query/row_csv.h"

#include <inttypes.h>
#include <string.h>

#include "base/base64.h"
#include "base/num.h"
#include "base/utf8.h"
#include "base/when.h"

/* ------------------------------------------------------------------------------------------------ columns */

static int add(struct row_csv *c, const char *name, size_t len, struct errmsg *err)
{
    static const char encoding[] = "payload_encoding";
    struct row_csv_column *to = &c->columns[c->count];
    bool known = len == sizeof(encoding) - 1 && memcmp(name, encoding, len) == 0;
    if (c->count == ROW_CSV_COLUMNS_MAX)
        return errmsg_set(err, "more than %d columns", ROW_CSV_COLUMNS_MAX);
    *to = (struct row_csv_column){ .encoding = known };
    for (unsigned t = 0; t < RECORD_TABLES; t++) {
        int column = to->encoding ? RECORD_COL_payload : record_column_by_name((enum record_table)t, name, len);
        if (column >= 0 && !columns_shown(&record_schema((enum record_table)t)->columns[column]))
            column = -1;
        to->column[t] = column;
        known = known || column >= 0;
    }
    if (!known || len >= sizeof(to->title))
        return errmsg_set(err, "unknown column '%.*s'", len > 64 ? 64 : (int)len, name);
    memcpy(to->title, name, len);
    c->count++;
    return 0;
}

static int add_list(struct row_csv *c, const char *names, struct errmsg *err)
{
    int rc = 0;
    while (*names != '\0' && rc == 0) {
        size_t n = strcspn(names, ",");
        const char *name = names + strspn(names, " ");
        size_t len = name < names + n ? n - (size_t)(name - names) : 0;
        while (len > 0 && name[len - 1] == ' ')
            len--;
        rc = add(c, name, len, err);
        names += n + (names[n] == ',');
    }
    return rc;
}

int row_csv_init(struct row_csv *c, const char *names, bool payload, struct errmsg *err)
{
    c->count = 0;
    if (add_list(c, names == NULL || names[0] == '\0' ? ROW_CSV_USUAL : names, err) != 0)
        return -1;
    return payload ? add_list(c, "payload,payload_encoding", err) : 0;
}

void row_csv_wants(const struct row_csv *c, struct columns *ret)
{
    memset(ret, 0, sizeof(*ret));
    for (size_t i = 0; i < c->count; i++)
        for (unsigned t = 0; t < RECORD_TABLES; t++)
            if (c->columns[i].column[t] >= 0)
                store_columns_add(&ret->table[t], (unsigned)c->columns[i].column[t]);
}

/* ------------------------------------------------------------------------------------------------ fields */

void row_csv_field(struct buf *out, struct hep_slice text)
{
    bool quote = false;
    for (size_t i = 0; i < text.len && !quote; i++)
        quote = text.ptr[i] == '"' || text.ptr[i] == ',' || text.ptr[i] == '\r' || text.ptr[i] == '\n';
    if (!quote) {
        buf_put(out, text.ptr, text.len);
        return;
    }
    buf_putc(out, '"');
    for (size_t at = 0; at < text.len;) {
        const uint8_t *mark = memchr(text.ptr + at, '"', text.len - at);
        size_t n = mark == NULL ? text.len - at : (size_t)(mark - text.ptr) - at + 1;
        buf_put(out, text.ptr + at, n);
        if (mark != NULL)
            buf_putc(out, '"');
        at += n;
    }
    buf_putc(out, '"');
}

static void put_flags(struct buf *out, uint32_t flags)
{
    for (uint32_t left = flags; left != 0; left &= left - 1) {
        const char *name = record_flag_name(left & -left);
        if (left != flags)
            buf_putc(out, ' ');
        if (name != NULL)
            buf_puts(out, name);
        else /* of a newer version */
            buf_printf(out, "bit%d", __builtin_ctz(left));
    }
}

/* The same texts as those of row_json.h. */
static void put_number(struct buf *out, int column, const struct record_column *c, int64_t v)
{
    char text[WHEN_TEXT_MAX > NUM_HUNDREDTHS_TEXT ? WHEN_TEXT_MAX : NUM_HUNDREDTHS_TEXT];
    if (c->kind == RECORD_TIME) {
        (void)when_format(v, text);
        buf_puts(out, text);
    } else if (c->kind == RECORD_UID) {
        buf_printf(out, "%016" PRIx64, (uint64_t)v);
    } else if (c->kind == RECORD_DECIMAL) {
        buf_put(out, text, num_format_hundredths(v, text));
    } else if (column == RECORD_COL_flags) {
        put_flags(out, (uint32_t)v);
    } else if (column == RECORD_COL_source && (v == RECORD_NETWORK || v == RECORD_IMPORT)) {
        buf_puts(out, v == RECORD_IMPORT ? "import" : "network");
    } else {
        buf_printf(out, "%" PRIu64, (uint64_t)v);
    }
}

static void put_base64(struct buf *out, struct hep_slice octets)
{
    uint8_t *to = buf_space(out, base64_text_len(octets.len) + 1);
    if (to != NULL)
        buf_added(out, base64_encode(octets.ptr, octets.len, (char *)to));
}

static void put_octets(struct buf *out, const struct record_cell *cell, enum record_kind kind, bool encoding)
{
    bool text = kind != RECORD_BYTES || utf8_valid(cell->octets.ptr, cell->octets.len);
    if (encoding)
        buf_puts(out, text ? "" : "base64");
    else if (text)
        row_csv_field(out, cell->octets);
    else
        put_base64(out, cell->octets);
}

static void put_cell(struct buf *out, const struct row_csv_column *column, enum record_table table,
                     const struct record_cell *cells)
{
    int i = column->column[table];
    if (i < 0 || cells[i].null)
        return;
    const struct record_column *c = &record_schema(table)->columns[i];
    if (record_kind_is_number(c->kind))
        put_number(out, i, c, cells[i].number);
    else
        put_octets(out, &cells[i], c->kind, column->encoding);
}

/* ------------------------------------------------------------------------------------------------ lines */

void row_csv_head(struct buf *out, const struct row_csv *c)
{
    for (size_t i = 0; i < c->count; i++)
        buf_printf(out, "%s%s", i == 0 ? "" : ",", c->columns[i].title);
    buf_puts(out, "\r\n");
}

void row_csv_put(struct buf *out, const struct row_csv *c, enum record_table table, const struct record_cell *cells)
{
    for (size_t i = 0; i < c->count; i++) {
        if (i > 0)
            buf_putc(out, ',');
        put_cell(out, &c->columns[i], table, cells);
    }
    buf_puts(out, "\r\n");
}
