/*
 * The SQL of a filter. Positive tests are plain comparisons, `column = ?` and ranges, which DuckDB takes down to
 * statistics and bloom filters; what they cannot say calls the matcher's own code.
 *
 * NULL counts as false, as it does behind WHERE. AND and OR keep to that by themselves; NOT is `IS NOT TRUE`, which
 * makes true of false and of NULL.
 */
#include <string.h>

#include "filter/glob.h"
#include "filter/packed.h"
#include "filter/phone.h"
#include "filter/tree.h"

struct writer {
    const struct filter *f;
    enum record_table table;
    struct buf *sql;
    struct filter_values *values;
    bool full; /* the values do not fit */
};

const struct filter_function *filter_functions(void)
{
    static const struct filter_function functions[] = {
        { "hc_glob", false, glob_match },
        { "hc_iglob", false, glob_match_nocase },
        { "hc_net", false, net_match },
        { "hc_in", false, packed_has_text },
        { "hc_iin", false, packed_has_text_nocase },
        { "hc_numbers", false, packed_has_digits },
        { "hc_addrs", true, packed_has_addr },
        { "hc_regex", false, regex_function },
        { "hc_phone", false, phone_function },
        { "hc_part", true, part_function },
        { NULL, false, NULL },
    };
    return functions;
}

uint64_t filter_functions_gave_up(void)
{
    return regex_function_gave_up();
}

static void bind(struct writer *w, struct filter_value value)
{
    w->full = w->full || w->values->count >= FILTER_VALUES_MAX;
    if (!w->full)
        w->values->items[w->values->count++] = value;
}

static void bind_text(struct writer *w, struct hep_slice text)
{
    bind(w, (struct filter_value){ .kind = FILTER_VALUE_TEXT, .octets = text });
}

static void bind_octets(struct writer *w, const uint8_t *octets, size_t len)
{
    bind(w, (struct filter_value){ .kind = FILTER_VALUE_OCTETS, .octets = { octets, len } });
}

static void bind_number(struct writer *w, const struct filter_leaf *l, int64_t number)
{
    enum filter_value_kind kind = l->kind == RECORD_TIME      ? FILTER_VALUE_TIME
                                  : l->kind == RECORD_DECIMAL ? FILTER_VALUE_DECIMAL
                                                              : FILTER_VALUE_NUMBER;
    bind(w, (struct filter_value){ .kind = kind, .number = number });
}

/* ------------------------------------------------------------------------------------------------ leaves */

static void write_number(struct writer *w, const struct filter_leaf *l)
{
    bool time = l->kind == RECORD_TIME;
    const char *mark = l->kind == RECORD_DECIMAL ? "CAST(? AS DECIMAL(9,2))" : "?";
    bool above = l->low > (time ? INT64_MIN : 0), below = l->high < (time ? INT64_MAX : UINT32_MAX);
    if (l->low == l->high) {
        buf_printf(w->sql, "%s = %s", l->name, mark);
        bind_number(w, l, l->low);
        return;
    }
    if (!above && !below)
        buf_printf(w->sql, "%s IS NOT NULL", l->name);
    else if (above && below)
        buf_printf(w->sql, "(%s >= %s AND %s <= %s)", l->name, mark, l->name, mark);
    else
        buf_printf(w->sql, "%s %s %s", l->name, above ? ">=" : "<=", mark);
    if (above)
        bind_number(w, l, l->low);
    if (below)
        bind_number(w, l, l->high);
}

static void write_octets(struct writer *w, const struct filter_leaf *l)
{
    if (l->net.bits == 0) {
        buf_printf(w->sql, "%s IS NOT NULL", l->name);
        return;
    }
    if (l->net.bits == 128)
        buf_printf(w->sql, "%s = ?", l->name);
    else
        buf_printf(w->sql, "(%s >= ? AND %s <= ?)", l->name, l->name);
    bind_octets(w, l->net.low, 16);
    if (l->net.bits < 128)
        bind_octets(w, l->net.high, 16);
}

/* The bounds are for statistics. */
static void write_numbers(struct writer *w, const struct filter_leaf *l)
{
    buf_printf(w->sql, "(%s >= ? AND %s <= ? AND hc_numbers(CAST(%s AS VARCHAR), ?))", l->name, l->name, l->name);
    bind_number(w, l, l->low);
    bind_number(w, l, l->high);
    bind_octets(w, l->packed.ptr, l->packed.len);
}

static void write_addrs(struct writer *w, const struct filter_leaf *l)
{
    buf_printf(w->sql, "(%s >= ? AND %s <= ? AND hc_addrs(%s, ?))", l->name, l->name, l->name);
    bind_octets(w, l->net.low, 16);
    bind_octets(w, l->net.high, 16);
    bind_octets(w, l->packed.ptr, l->packed.len);
}

static void write_packed(struct writer *w, const char *function, const struct filter_leaf *l)
{
    buf_printf(w->sql, "%s(%s, ?)", function, l->name);
    bind_octets(w, l->packed.ptr, l->packed.len);
}

static void write_call(struct writer *w, const char *function, const struct filter_leaf *l, struct hep_slice value)
{
    buf_printf(w->sql, "%s(%s, ?)", function, l->name);
    bind_text(w, value);
}

static void write_prefix(struct writer *w, const struct filter_leaf *l)
{
    if (l->above.len > 0)
        buf_printf(w->sql, "(%s >= ? AND %s < ?)", l->name, l->name);
    else
        buf_printf(w->sql, "%s >= ?", l->name);
    bind_text(w, l->text);
    if (l->above.len > 0)
        bind_text(w, l->above);
}

static void write_text(struct writer *w, const struct filter_leaf *l)
{
    if (l->op == FILTER_OP_ANY)
        buf_printf(w->sql, "%s IS NOT NULL", l->name);
    else if (l->nocase)
        write_call(w, "hc_iglob", l, l->pattern);
    else if (l->op == FILTER_OP_PREFIX)
        write_prefix(w, l);
    else if (l->op == FILTER_OP_SUFFIX)
        write_call(w, "suffix", l, l->text);
    else if (l->op == FILTER_OP_CONTAINS)
        write_call(w, "contains", l, l->text);
    else if (l->op == FILTER_OP_GLOB)
        write_call(w, "hc_glob", l, l->pattern);
    else {
        buf_printf(w->sql, "%s = ?", l->name);
        bind_text(w, l->text);
    }
}

static void write_leaf(struct writer *w, const struct filter_leaf *l)
{
    switch (l->op) {
    case FILTER_OP_NUMBER:
        write_number(w, l);
        break;
    case FILTER_OP_NUMBERS:
        write_numbers(w, l);
        break;
    case FILTER_OP_OCTETS:
        write_octets(w, l);
        break;
    case FILTER_OP_ADDRS:
        write_addrs(w, l);
        break;
    case FILTER_OP_SET:
        write_packed(w, l->nocase ? "hc_iin" : "hc_in", l);
        break;
    case FILTER_OP_REGEX:
        write_packed(w, "hc_regex", l);
        break;
    case FILTER_OP_PHONE:
        write_packed(w, "hc_phone", l);
        break;
    case FILTER_OP_PART:
        write_packed(w, "hc_part", l);
        break;
    case FILTER_OP_NET:
        write_call(w, "hc_net", l, l->pattern);
        break;
    default:
        write_text(w, l);
        break;
    }
}

/* ------------------------------------------------------------------------------------------------ trees */

static void write_node(struct writer *w, const struct filter_node *node);

/* Children of which it is known what they are add nothing: the node itself would be known otherwise. */
static void write_list(struct writer *w, const struct filter_node *node)
{
    size_t count = 0;
    for (const struct filter_node *c = node->first; c != NULL; c = c->next)
        count += c->known[w->table] == FILTER_UNKNOWN;
    if (count > 1)
        buf_putc(w->sql, '(');
    const char *between = "";
    for (const struct filter_node *c = node->first; c != NULL; c = c->next) {
        if (c->known[w->table] != FILTER_UNKNOWN)
            continue;
        buf_puts(w->sql, between);
        write_node(w, c);
        between = node->kind == FILTER_AND ? " AND " : " OR ";
    }
    if (count > 1)
        buf_putc(w->sql, ')');
}

static void write_node(struct writer *w, const struct filter_node *node)
{
    switch (node->known[w->table]) {
    case FILTER_TRUE:
        buf_puts(w->sql, "TRUE");
        return;
    case FILTER_FALSE:
        buf_puts(w->sql, "FALSE");
        return;
    default:
        break;
    }
    if (node->kind == FILTER_LEAF) {
        write_leaf(w, &w->f->leaves[node->leaf]);
    } else if (node->kind == FILTER_TERM) {
        write_node(w, node->first);
    } else if (node->kind == FILTER_NOT) {
        buf_puts(w->sql, "((");
        write_node(w, node->first);
        buf_puts(w->sql, ") IS NOT TRUE)");
    } else {
        write_list(w, node);
    }
}

int filter_sql(const struct filter *f, enum record_table table, struct buf *sql, struct filter_values *values)
{
    struct writer w = { f, table, sql, values, false };
    write_node(&w, f->root);
    return w.full || sql->failed ? -1 : 0;
}
