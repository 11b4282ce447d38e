/*
 * Filters: what parses has a normal form that parses to itself, gives the same answers, SQL that fits and values that
 * are UTF-8; what does not parse says where. The first octet picks the rules of
 * phone numbers.
 */
#include <string.h>

#include "base/utf8.h"
#include "filter/glob.h"
#include "filter/tree.h"
#include "fuzz.h"

struct row {
    enum record_table table;
    bool nulls;
};

static const char number[] = "+49 30 1234";
static const char invite[] = "INVITE sip:bob SIP/2.0\r\ns: Hello\r\nX-Foo: bar\r\nX-Foo:\r\n\r\nv=0\r\n";
static struct filter_options options;

static const uint8_t address[16] = { [10] = 0xff, [11] = 0xff, [12] = 10, [15] = 1 };

/* A row whose texts are parts of one text, so that patterns do match. */
static void row_cell(void *arg, int column, struct record_cell *ret)
{
    static const char text[] = "bob@Example.com,10.0.0.1\nINVITE \xc3\xa4*";
    const struct row *row = arg;
    enum record_kind kind = record_schema(row->table)->columns[column].kind;
    *ret = (struct record_cell){ .null = row->nulls && kind != RECORD_NUMBER && column % 3 != 0 };
    if (record_kind_is_number(kind))
        ret->number = column % 2 == 0 ? 486 : 5;
    else if (kind == RECORD_BYTES)
        ret->octets = (struct hep_slice){ (const uint8_t *)invite, sizeof(invite) - 1 };
    else if (column % 5 == 1)
        ret->octets = (struct hep_slice){ (const uint8_t *)number, sizeof(number) - 1 };
    else if (kind == RECORD_ADDR)
        ret->octets = (struct hep_slice){ address, 16 };
    else
        ret->octets = (struct hep_slice){ (const uint8_t *)text + column % 8, sizeof(text) - 1 - (size_t)column % 16 };
}

static bool ask(void *arg, size_t leaf)
{
    const struct filter *f = arg;
    FUZZ_CHECK(leaf < filter_leaves(f));
    return leaf % 2 == 0;
}

static void check_values(const struct filter_values *values)
{
    for (size_t i = 0; i < values->count; i++) {
        const struct filter_value *v = &values->items[i];
        if (v->kind == FILTER_VALUE_TEXT)
            FUZZ_CHECK(utf8_valid(v->octets.ptr, v->octets.len));
        if (v->kind == FILTER_VALUE_OCTETS)
            FUZZ_CHECK(v->octets.len > 0);
    }
}

static void check_sql(const struct filter *f, enum record_table table)
{
    static struct filter_values values;
    struct buf sql;
    size_t marks = 0;
    buf_init(&sql, 1 << 20);
    values.count = 0;
    FUZZ_CHECK(filter_sql(f, table, &sql, &values) == 0);
    for (size_t i = 0; i < sql.len; i++) {
        FUZZ_CHECK(sql.ptr[i] >= ' ' && sql.ptr[i] < 0x7f && sql.ptr[i] != '\'' && sql.ptr[i] != ';');
        marks += sql.ptr[i] == '?';
    }
    FUZZ_CHECK(marks == values.count);
    check_values(&values);
    buf_free(&sql);
}

static void check_keys(const struct filter *f, enum record_table table)
{
    const struct hep_slice *keys;
    for (size_t c = 0; c < record_schema(table)->count; c++) {
        size_t n = filter_keys(f, table, (int)c, &keys);
        FUZZ_CHECK(n <= FILTER_PARTS_MAX);
        for (size_t i = 0; i < n; i++)
            FUZZ_CHECK(keys[i].len > 0 && memchr(keys[i].ptr, GLOB_STAR, keys[i].len) == NULL);
    }
}

/* The same answers from the filter and from its normal form; none from a table that it leaves out. */
static void check_answers(const struct filter *f, const struct filter *again)
{
    for (unsigned t = 0; t < RECORD_TABLES; t++) {
        for (unsigned nulls = 0; nulls < 2; nulls++) {
            struct row row = { (enum record_table)t, nulls != 0 };
            bool match = filter_match(f, row.table, row_cell, &row);
            FUZZ_CHECK(filter_match(again, row.table, row_cell, &row) == match);
            FUZZ_CHECK(!match || (filter_tables(f) >> t & 1) != 0);
        }
        check_sql(f, (enum record_table)t);
        check_keys(f, (enum record_table)t);
    }
}

static void check_filter(struct filter *f)
{
    struct filter *again = NULL;
    struct filter_error err;
    FUZZ_CHECK(filter_leaves(f) <= FILTER_LEAVES_MAX);
    (void)filter_eval(f, ask, f);
    FUZZ_CHECK(filter_parse_with(&again, filter_text(f), strlen(filter_text(f)), &options, &err) == 0);
    FUZZ_CHECK(strcmp(filter_text(again), filter_text(f)) == 0);
    FUZZ_CHECK(filter_tables(again) == filter_tables(f));
    int64_t from, to, again_from, again_to;
    filter_times(f, &from, &to);
    filter_times(again, &again_from, &again_to);
    FUZZ_CHECK(from <= to && from == again_from && to == again_to);
    check_answers(f, again);
    filter_free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct filter *f = NULL;
    struct filter_error err = { .at = SIZE_MAX };
    if (size == 0)
        return 0;
    filter_rules_default(&options.rules);
    if ((data[0] & 1) != 0)
        FUZZ_CHECK(filter_rules_set(&options.rules, "49", "00", (data[0] & 2) != 0 ? "0" : "none"));
    options.now_us = 1767225600000000;
    if (filter_parse_with(&f, (const char *)data + 1, size - 1, &options, &err) != 0) {
        FUZZ_CHECK(err.at <= size - 1);
        FUZZ_CHECK(memchr(err.text, '\0', sizeof(err.text)) != NULL && err.text[0] != '\0');
        return 0;
    }
    check_filter(f);
    filter_free(f);
    return 0;
}
