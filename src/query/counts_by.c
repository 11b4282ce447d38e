/* Names of what messages are counted by. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "filter/fields.h"
#include "hep/hep.h"
#include "query/counts.h"

/* ------------------------------------------------------------------------------------------------ numbers */

static size_t put_text(char out[STORE_NUMBER_TEXT], const char *text, int64_t number)
{
    int n = text != NULL ? snprintf(out, STORE_NUMBER_TEXT, "%s", text)
                         : snprintf(out, STORE_NUMBER_TEXT, "%" PRId64, number);
    return n < 0 ? 0 : n < STORE_NUMBER_TEXT ? (size_t)n : STORE_NUMBER_TEXT - 1;
}

static size_t class_text(int64_t number, char out[STORE_NUMBER_TEXT])
{
    int n = snprintf(out, STORE_NUMBER_TEXT, "%" PRId64 "xx", number / 100);
    return n > 0 ? (size_t)n : 0;
}

static size_t type_text(int64_t number, char out[STORE_NUMBER_TEXT])
{
    return put_text(out, number >= 0 && number <= UINT8_MAX ? hep_type_name((uint8_t)number) : NULL, number);
}

static size_t source_text(int64_t number, char out[STORE_NUMBER_TEXT])
{
    return put_text(out, number == RECORD_NETWORK ? "network" : number == RECORD_IMPORT ? "import" : NULL, number);
}

/* Columns whose numbers have names, and what is no column. */
static const struct special {
    const char *name, *column;
    size_t (*text)(int64_t number, char out[STORE_NUMBER_TEXT]);
} specials[] = {
    { "status_class", "status", class_text },
    { "payload_type", "payload_type", type_text },
    { "source", "source", source_text },
};

static const struct special *special_by_name(const char *name, size_t len)
{
    for (size_t i = 0; i < sizeof(specials) / sizeof(specials[0]); i++)
        if (strlen(specials[i].name) == len && memcmp(specials[i].name, name, len) == 0)
            return &specials[i];
    return NULL;
}

/* ------------------------------------------------------------------------------------------------ columns */

static bool can_be_counted(enum record_kind kind)
{
    return kind == RECORD_TEXT || kind == RECORD_IP || kind == RECORD_NUMBER || kind == RECORD_OPTIONAL;
}

/* The column in each table; NULL if none of these has it. */
static const struct record_column *find_column(unsigned tables, const char *name, size_t len, struct store_by *ret)
{
    const struct record_column *found = NULL;
    *ret = (struct store_by){ .tables = false };
    for (int t = 0; t < RECORD_TABLES; t++) {
        ret->columns[t] = (tables >> t & 1) != 0 ? record_column_by_name((enum record_table)t, name, len) : -1;
        if (ret->columns[t] >= 0 && record_column_empty((enum record_table)t, (unsigned)ret->columns[t]))
            ret->columns[t] = -1;
        if (ret->columns[t] >= 0)
            found = &record_schema((enum record_table)t)->columns[ret->columns[t]];
    }
    return found;
}

/* Is it compared without regard to case, whatever the column says? */
static bool is_word(const char *column)
{
    size_t count;
    const struct filter_field *f = filter_fields(&count);
    for (size_t i = 0; i < count; i++)
        if (f[i].type == FILTER_WORD && strcmp(f[i].columns, column) == 0)
            return true;
    return false;
}

/* Adds a column by name. 1: added, 0: there is no such column, -1: it is of another kind. */
static int add_column(struct counts_by *ret, unsigned tables, const char *name, size_t len)
{
    const struct special *special = special_by_name(name, len);
    struct store_by by;
    const struct record_column *c = special != NULL ? find_column(tables, special->column, strlen(special->column), &by)
                                                    : find_column(tables, name, len, &by);
    if (c == NULL)
        return 0;
    if (!can_be_counted(c->kind))
        return -1;
    by.text = special != NULL ? special->text : NULL;
    if (ret->count == 0) {
        ret->name = special != NULL ? special->name : c->name;
        ret->nocase = (c->options & RECORD_NOCASE) != 0 || is_word(c->name);
    }
    if (ret->count < COUNTS_BY_MAX)
        ret->columns[ret->count++] = by;
    return 1;
}

/* Of the columns of a field those with the values that people know: users without hosts, texts of addresses. */
static bool is_shown(const struct filter_field *f, size_t i)
{
    switch (f->type) {
    case FILTER_URI:
        return i % 2 == 0;
    case FILTER_ADDR:
        return i % 3 == 1;
    default:
        return true;
    }
}

static int add_field(struct counts_by *ret, unsigned tables, const struct filter_field *f)
{
    struct filter_word column;
    size_t i = 0;
    for (const char *words = f->columns; filter_word_next(&words, &column); i++)
        if (is_shown(f, i) && add_column(ret, tables, column.ptr, column.len) < 0)
            return -1;
    return ret->count > 0 ? 1 : -1;
}

int counts_by_parse(struct counts_by *ret, unsigned tables, const char *name, size_t len, struct errmsg *err)
{
    const int shown = len > 64 ? 64 : (int)len;
    *ret = (struct counts_by){ .count = 0 };
    if (len == 5 && memcmp(name, "table", 5) == 0) {
        *ret = (struct counts_by){ .name = "table", .columns = { { .tables = true } }, .count = 1 };
        return 0;
    }
    tables = tables == 0 ? RECORD_TABLES_MESSAGES : tables;
    int rc = add_column(ret, tables, name, len);
    const struct filter_field *field = rc == 0 ? filter_field_by_name(name, len) : NULL;
    if (field != NULL)
        rc = add_field(ret, tables, field);
    if (rc > 0)
        return 0;
    if (rc < 0)
        return errmsg_set(err, "'%.*s' has no values that could be counted", shown, name);
    const char *near = filter_field_nearest(name, len);
    return near != NULL ? errmsg_set(err, "unknown column or field '%.*s', did you mean '%s'?", shown, name, near)
                        : errmsg_set(err, "unknown column or field '%.*s'", shown, name);
}
