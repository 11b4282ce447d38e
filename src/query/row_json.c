#include "query/row_json.h"

#include "base/json_out.h"
#include "base/num.h"
#include "base/when.h"

static void put_flags(struct buf *out, uint32_t flags)
{
    buf_putc(out, '[');
    for (uint32_t left = flags; left != 0; left &= left - 1) {
        const char *name = record_flag_name(left & -left);
        if (left != flags)
            buf_putc(out, ',');
        if (name != NULL)
            json_out_text(out, name);
        else /* of a newer version */
            buf_printf(out, "\"bit%d\"", __builtin_ctz(left));
    }
    buf_putc(out, ']');
}

static void put_time(struct buf *out, int64_t us)
{
    char text[WHEN_TEXT_MAX];
    (void)when_format(us, text);
    json_out_text(out, text);
}

static void put_number(struct buf *out, unsigned column, int64_t v)
{
    if (column == RECORD_COL_flags)
        put_flags(out, (uint32_t)v);
    else if (column == RECORD_COL_source && v == RECORD_NETWORK)
        json_out_text(out, "network");
    else if (column == RECORD_COL_source && v == RECORD_IMPORT)
        json_out_text(out, "import");
    else
        json_out_number(out, (uint64_t)v);
}

/* The key has been written; takes it that octets of another kind than payloads are UTF-8, as the store keeps them. */
static void put_octets(struct buf *out, const struct record_column *c, struct hep_slice octets)
{
    size_t before = out->len;
    if (json_out_string(out, octets.ptr, octets.len) || out->failed || c->kind != RECORD_BYTES)
        return;
    out->len = before;
    json_out_base64(out, octets.ptr, octets.len);
    buf_printf(out, ",\"%s_encoding\":\"base64\"", c->name);
}

static void put_value(struct buf *out, unsigned column, const struct record_column *c, const struct record_cell *cell)
{
    char text[NUM_HUNDREDTHS_TEXT];
    switch (c->kind) {
    case RECORD_TIME:
        put_time(out, cell->number);
        break;
    case RECORD_UID:
        buf_printf(out, "\"%016llx\"", (unsigned long long)cell->number);
        break;
    case RECORD_SEQ:
    case RECORD_NUMBER:
    case RECORD_OPTIONAL:
        put_number(out, column, cell->number);
        break;
    case RECORD_DECIMAL:
        buf_put(out, text, num_format_hundredths(cell->number, text));
        break;
    case RECORD_TEXT:
    case RECORD_IP:
    case RECORD_BYTES:
        put_octets(out, c, cell->octets);
        break;
    case RECORD_ADDR:
        json_out_hex(out, cell->octets.ptr, cell->octets.len);
        break;
    }
}

void row_json_members(struct buf *out, enum record_table table, const struct record_cell *cells,
                      const struct store_columns *columns)
{
    const struct record_schema *s = record_schema(table);
    bool first = true;
    json_out_key(out, &first, "table");
    json_out_text(out, s->name);
    for (size_t i = 0; i < s->count; i++) {
        if (!store_columns_has(columns, (unsigned)i) || cells[i].null)
            continue;
        json_out_key(out, &first, s->columns[i].name);
        put_value(out, (unsigned)i, &s->columns[i], &cells[i]);
    }
}

void row_json(struct buf *out, enum record_table table, const struct record_cell *cells,
              const struct store_columns *columns)
{
    buf_putc(out, '{');
    row_json_members(out, table, cells, columns);
    buf_putc(out, '}');
}
