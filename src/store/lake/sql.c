#include "store/lake/sql.h"

#include <inttypes.h>
#include <string.h>

#define TEXT_MAX ((size_t)1 << 20)

static void begin(struct sql *s)
{
    memset(s, 0, sizeof(*s));
    buf_init(&s->text, TEXT_MAX);
    s->cap = FILTER_VALUES_MAX + 2 * STORE_GAPS_MAX + 16;
    s->values = calloc(s->cap, sizeof(*s->values));
    s->filter = malloc(sizeof(*s->filter));
    s->files = calloc(SQL_FILES_MAX, sizeof(*s->files));
    s->failed = s->values == NULL || s->filter == NULL || s->files == NULL;
}

static void end(struct sql *s)
{
    buf_putc(&s->text, '\0');
    s->failed |= s->text.failed;
}

void sql_free(struct sql *s)
{
    buf_free(&s->text);
    free(s->values);
    free(s->filter);
    free(s->files);
}

static struct duck_value *add(struct sql *s)
{
    if (s->failed || s->count == s->cap) {
        s->failed = true;
        return NULL;
    }
    return &s->values[s->count++];
}

static void add_value(struct sql *s, struct duck_value value)
{
    struct duck_value *v = add(s);
    if (v != NULL)
        *v = value;
}

static void put_files(struct sql *s, const struct sql_scope *scope)
{
    if (s->failed || scope->count > SQL_FILES_MAX) {
        s->failed = true;
        return;
    }
    for (size_t i = 0; i < scope->count; i++)
        s->files[i] = (struct duck_slice){ (const uint8_t *)scope->paths[i], strlen(scope->paths[i]) };
    buf_puts(&s->text, " FROM read_parquet(?, hive_partitioning = false, union_by_name = false)");
    add_value(s, (struct duck_value){ .kind = DUCK_TEXTS, .texts = s->files, .text_count = scope->count });
}

static enum duck_kind duck_kind_of(enum filter_value_kind kind)
{
    static const enum duck_kind kinds[] = { [FILTER_VALUE_NUMBER] = DUCK_INT64,
                                            [FILTER_VALUE_TIME] = DUCK_TIMESTAMP_US,
                                            [FILTER_VALUE_DECIMAL] = DUCK_DOUBLE,
                                            [FILTER_VALUE_TEXT] = DUCK_TEXT,
                                            [FILTER_VALUE_OCTETS] = DUCK_BLOB };
    return kinds[kind];
}

static void put_filter(struct sql *s, const struct sql_scope *scope)
{
    buf_puts(&s->text, " WHERE (");
    if (scope->filter == NULL)
        buf_puts(&s->text, "TRUE");
    else if (!s->failed) {
        s->filter->count = 0;
        s->failed |= filter_sql(scope->filter, scope->table, &s->text, s->filter) != 0;
    }
    buf_puts(&s->text, ")");
    for (size_t i = 0; !s->failed && scope->filter != NULL && i < s->filter->count; i++) {
        const struct filter_value *v = &s->filter->items[i];
        add_value(s, (struct duck_value){ .kind = duck_kind_of(v->kind),
                                          .number = v->number,
                                          .real = (double)v->number / 100, /* of a decimal */
                                          .octets = { v->octets.ptr, v->octets.len } });
    }
}

/* A number of a row; there are none beyond those of a signed column. */
static void add_number(struct sql *s, uint64_t seq)
{
    int64_t number = seq < INT64_MAX ? (int64_t)seq : INT64_MAX;
    add_value(s, (struct duck_value){ .kind = DUCK_INT64, .number = number });
}

static void put_time(struct sql *s, const char *test, int64_t us)
{
    buf_printf(&s->text, " AND ts %s ?", test);
    add_value(s, (struct duck_value){ .kind = DUCK_TIMESTAMP_US, .number = us });
}

static void put_window(struct sql *s, const struct sql_scope *scope)
{
    if (scope->from_us != INT64_MIN)
        put_time(s, ">=", scope->from_us);
    if (scope->to_us != INT64_MAX)
        put_time(s, "<", scope->to_us);
}

/* Rows behind the place: a bound of ts that statistics can use, then the exact test. */
static void put_place(struct sql *s, const struct sql_scope *scope)
{
    const char *end = scope->oldest_first ? ">" : "<";
    if (scope->has_worst)
        put_time(s, scope->oldest_first ? "<=" : ">=", scope->worst_ts);
    if (!scope->has_after)
        return;
    put_time(s, scope->oldest_first ? ">=" : "<=", scope->after_ts);
    buf_printf(&s->text, " AND (ts %s ? OR seq %s ?)", end, end);
    add_value(s, (struct duck_value){ .kind = DUCK_TIMESTAMP_US, .number = scope->after_ts });
    add_number(s, scope->after_seq);
}

/* Rows by their numbers: the limit must count those alone that are wanted. */
static void put_numbers(struct sql *s, const struct sql_scope *scope)
{
    const struct store_seen *beyond = scope->beyond, *within = scope->within;
    if (beyond != NULL) {
        buf_puts(&s->text, " AND seq >= ?"); /* for statistics */
        add_number(s, store_seen_least(beyond));
        buf_puts(&s->text, " AND (seq > ?");
        add_number(s, beyond->max);
        for (size_t i = 0; i < beyond->gap_count; i++) {
            buf_puts(&s->text, " OR seq = ?");
            add_number(s, beyond->gaps[i]);
        }
        buf_putc(&s->text, ')');
    }
    if (within == NULL)
        return;
    buf_puts(&s->text, " AND seq <= ?");
    add_number(s, within->max);
    for (size_t i = 0; i < within->gap_count; i++) {
        buf_puts(&s->text, " AND seq <> ?");
        add_number(s, within->gaps[i]);
    }
}

void sql_rows(struct sql *s, const struct sql_scope *scope)
{
    const char *order = scope->oldest_first ? "ASC" : "DESC";
    begin(s);
    buf_puts(&s->text, "SELECT ts, seq, file_index, file_row_number");
    put_files(s, scope);
    put_filter(s, scope);
    put_window(s, scope);
    put_place(s, scope);
    put_numbers(s, scope);
    buf_printf(&s->text, " ORDER BY ts %s, seq %s LIMIT %zu", order, order, scope->limit);
    end(s);
}

void sql_counts(struct sql *s, const struct sql_scope *scope)
{
    begin(s);
    buf_puts(&s->text, "SELECT file_index, count(*)");
    put_files(s, scope);
    put_filter(s, scope);
    put_window(s, scope);
    buf_puts(&s->text, " GROUP BY file_index");
    end(s);
}
