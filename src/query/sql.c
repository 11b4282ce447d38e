#include "query/sql.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_out.h"
#include "base/when.h"

struct running {
    struct buf *out;
    size_t limit, rows;
    const char *cut; /* why rows are missing; NULL: none are */
};

static int take_head(void *arg, const struct store_sql_column *columns, size_t count)
{
    struct running *r = arg;
    buf_puts(r->out, "{\"columns\":[");
    for (size_t i = 0; i < count; i++) {
        buf_puts(r->out, i == 0 ? "{\"name\":" : ",{\"name\":");
        (void)json_out_string(r->out, columns[i].name.ptr, columns[i].name.len);
        buf_puts(r->out, ",\"type\":");
        (void)json_out_string(r->out, columns[i].type.ptr, columns[i].type.len);
        buf_putc(r->out, '}');
    }
    buf_puts(r->out, "],\"rows\":[");
    return 0;
}

static void put_time(struct buf *out, int64_t us)
{
    char text[WHEN_TEXT_MAX];
    (void)when_format(us, text);
    json_out_text(out, text);
}

/* A string where they are UTF-8; else an object that says so. */
static void put_octets(struct buf *out, struct hep_slice octets)
{
    size_t before = out->len;
    if (json_out_string(out, octets.ptr, octets.len) || out->failed)
        return;
    out->len = before;
    buf_puts(out, "{\"base64\":");
    json_out_base64(out, octets.ptr, octets.len);
    buf_putc(out, '}');
}

/* As few digits as give the same number again: 21.86, not 21.859999999999999. */
static void put_shortest(struct buf *out, double v)
{
    char text[32];
    (void)snprintf(text, sizeof(text), "%.15g", v);
    if (strtod(text, NULL) != v)
        (void)snprintf(text, sizeof(text), "%.17g", v);
    buf_puts(out, text);
}

/* What JSON has no number for is a string. */
static void put_real(struct buf *out, double v)
{
    if (isnan(v))
        buf_puts(out, "\"NaN\"");
    else if (isinf(v))
        buf_puts(out, v > 0 ? "\"Infinity\"" : "\"-Infinity\"");
    else
        put_shortest(out, v);
}

static void put_cell(struct buf *out, const struct store_sql_cell *c)
{
    switch (c->kind) {
    case STORE_SQL_NULL:
        buf_puts(out, "null");
        break;
    case STORE_SQL_BOOLEAN:
        buf_puts(out, c->boolean ? "true" : "false");
        break;
    case STORE_SQL_INTEGER:
        buf_printf(out, "%" PRId64, c->number);
        break;
    case STORE_SQL_REAL:
        put_real(out, c->real);
        break;
    case STORE_SQL_TEXT:
    case STORE_SQL_OCTETS:
        put_octets(out, c->octets);
        break;
    case STORE_SQL_TIME:
        put_time(out, c->number);
        break;
    }
}

static int take_row(void *arg, const struct store_sql_cell *cells, size_t count)
{
    struct running *r = arg;
    size_t before = r->out->len;
    if (r->rows == r->limit) {
        r->cut = "there are more rows than the limit";
        return 1;
    }
    buf_puts(r->out, r->rows == 0 ? "\n[" : ",\n[");
    for (size_t i = 0; i < count; i++) {
        buf_puts(r->out, i == 0 ? "" : ",");
        put_cell(r->out, &cells[i]);
    }
    buf_putc(r->out, ']');
    if (r->out->failed || r->out->len > SQL_RESULT_MAX) {
        r->out->failed = false;
        r->out->len = before;
        r->cut = "the result is too large";
        return 1;
    }
    r->rows++;
    return 0;
}

static void put_end(const struct running *r, const struct store_sql *q)
{
    struct buf *out = r->out;
    buf_printf(out, "],\n\"count\":%zu,\"truncated\":%s", r->rows, r->cut != NULL ? "true" : "false");
    if (r->cut != NULL) {
        buf_puts(out, ",\"problem\":");
        json_out_text(out, r->cut);
    }
    buf_printf(out, ",\"in_memory\":%" PRIu64 ",\"sealed_until\":", q->hot_rows);
    if (q->hot_rows > 0)
        put_time(out, q->hot_min_us);
    else
        buf_puts(out, "null");
    buf_printf(out, ",\"octets_read\":%" PRIu64 "}\n", q->octets_read);
}

int sql_run(struct buf *out, struct store *store, const struct sql_options *o, struct errmsg *err)
{
    struct running r = { .out = out, .limit = o->limit };
    struct store_sql q = {
        .text = o->text, .budget_us = o->budget_us, .cancel = o->cancel, .head = take_head, .row = take_row, .arg = &r
    };
    struct store_pin *pin;
    int rc = store->ops->pin(store, &pin);
    if (rc != 0) {
        (void)errmsg_set(err, "no snapshot of the store: %s", strerror(-rc));
        return rc;
    }
    rc = store->ops->sql(store, pin, &q, err);
    store->ops->unpin(store, pin);
    if (rc < 0)
        return rc;
    put_end(&r, &q);
    return 0;
}
