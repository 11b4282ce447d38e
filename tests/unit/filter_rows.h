/* Rows for tests of filters: cells by the names of their columns. */
#ifndef TEST_FILTER_ROWS_H
#define TEST_FILTER_ROWS_H

#include "filter/tree.h"
#include "testlib.h"

struct test_row {
    enum record_table table;
    struct record_cell cells[RECORD_COLUMNS_MAX];
};

static inline int test_column(enum record_table table, const char *name)
{
    int c = record_column_by_name(table, name, strlen(name));
    assert_true(c >= 0);
    return c;
}

static inline void test_row_clear(struct test_row *r, enum record_table table)
{
    r->table = table;
    for (size_t i = 0; i < RECORD_COLUMNS_MAX; i++)
        r->cells[i] = (struct record_cell){ .null = true };
}

static inline void test_row_octets(struct test_row *r, const char *name, const void *ptr, size_t len)
{
    r->cells[test_column(r->table, name)] = (struct record_cell){ .octets = { ptr, len } };
}

static inline void test_row_text(struct test_row *r, const char *name, const char *text)
{
    test_row_octets(r, name, text, strlen(text));
}

static inline void test_row_number(struct test_row *r, const char *name, int64_t number)
{
    r->cells[test_column(r->table, name)] = (struct record_cell){ .number = number };
}

/* An address: `room` of 16 octets must live as long as the row. */
static inline void test_row_addr(struct test_row *r, const char *text_column, const char *octet_column,
                                 const char *text, uint8_t room[16])
{
    struct net net;
    assert_true(net_parse((const uint8_t *)text, strlen(text), &net));
    memcpy(room, net.low, 16);
    test_row_text(r, text_column, text);
    test_row_octets(r, octet_column, room, 16);
}

static inline void test_row_cell(void *arg, int column, struct record_cell *ret)
{
    const struct test_row *r = arg;
    *ret = r->cells[column];
}

static inline bool test_row_matches(const struct filter *f, struct test_row *r)
{
    return filter_match(f, r->table, test_row_cell, r);
}

/* A filter that does not parse fails the test. */
static inline struct filter *test_filter(const char *text)
{
    struct filter *f = NULL;
    struct filter_error err = { 0 };
    if (filter_parse(&f, text, strlen(text), &err) != 0)
        fail_msg("%s: at %zu: %s", text, err.at, err.text);
    return f;
}

#endif
