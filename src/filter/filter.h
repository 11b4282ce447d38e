/*
 * The filter language: one text, one tree, two evaluators from one table of fields (fields.h): a matcher for rows in
 * memory, and SQL with bound values for sealed files. Both say the same of every row; a property test holds them to it.
 *
 * docs/filter.md is the user's description.
 *
 * Functions that fail return -1 and say where in struct filter_error. Filters are immutable: any thread may use one.
 */
#ifndef FILTER_FILTER_H
#define FILTER_FILTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "hep/hep.h"
#include "record/record.h"

#define FILTER_TEXT_MAX   65536 /* octets of a filter */
#define FILTER_LEAVES_MAX 256   /* tests in one filter; a list of values that are equalities is one a column */

struct filter_error {
    size_t at;      /* octets from the start of the filter to what is wrong */
    char text[160]; /* for a person, terminated: "unknown field 'form', did you mean 'from'?" */
};

/* How phone numbers are written where hepcat is (docs/filter.md, "Phone numbers"). Digits, terminated. */
struct filter_rules {
    char country[8];        /* "49"; "" if it is not known */
    char international[32]; /* what is dialled before a country code, by commas: "00,011" */
    char trunk[8];          /* what is dialled before an area code: "0"; "" where there is none */
};

/* No country, "00,011", "0". */
void filter_rules_default(struct filter_rules *ret);

/* Texts as the configuration has them; NULL and "none" are empty ones. False if one is too long, or not of digits. */
bool filter_rules_set(struct filter_rules *ret, const char *country, const char *international, const char *trunk);

struct filter_options {
    struct filter_rules rules;
    int64_t now_us; /* what "-1h" is relative to */
};

struct filter;

/* Parses a filter; an empty or blank one matches everything. NULL for options: rules by default, and now. */
int filter_parse_with(struct filter **ret, const char *text, size_t len, const struct filter_options *options,
                      struct filter_error *err);
int filter_parse(struct filter **ret, const char *text, size_t len, struct filter_error *err);
void filter_free(struct filter *f); /* NULL is fine */

/* The same filter in one normal form (sorted, quoted alike), e.g. as a key for caches; valid as long as the filter. */
const char *filter_text(const struct filter *f);

/* The rules that it was parsed by: a filter that is made of its text is to have the same. */
const struct filter_rules *filter_rules_of(const struct filter *f);

/* Each row that matches has a ts in [from, to); INT64_MIN and INT64_MAX: open. */
void filter_times(const struct filter *f, int64_t *ret_from_us, int64_t *ret_to_us);

/*
 * Values so far on which a regular expression gave up, for want of steps or because they are too long: they count as no
 * match, and who searches says that the answer is not whole. When many took too many steps it is not tried any more.
 * The second one adds those of a query worker (filter_functions_gave_up()).
 */
uint64_t filter_gave_up(const struct filter *f);
void filter_add_gave_up(const struct filter *f, uint64_t values);

/* Tables that have rows that could match: a set (RECORD_TABLES_ALL). "type:rtcp" leaves only `media`. */
unsigned filter_tables(const struct filter *f);

/* ------------------------------------------------------------------------------------------------ matching */

/*
 * A test of one column, the leaf of the tree. `column` is that of `table`; -1 if the table has no such column: then
 * the value is NULL. A test of NULL is false (also under NOT: two-valued logic, as the SQL has it).
 */
size_t filter_leaves(const struct filter *f);
int filter_leaf_column(const struct filter *f, size_t leaf, enum record_table table);
bool filter_leaf_test(const struct filter *f, size_t leaf, const struct record_cell *cell);

/*
 * Evaluates the tree for a row: asks test(arg, leaf) for the leaves that it needs. Who has dictionaries remembers the
 * answers of filter_leaf_test() by their codes.
 */
bool filter_eval(const struct filter *f, bool (*test)(void *arg, size_t leaf), void *arg);

/* The plain way: cell(arg, column, ret) gives the value of a column of the row. */
bool filter_match(const struct filter *f, enum record_table table,
                  void (*cell)(void *arg, int column, struct record_cell *ret), void *arg);

/* ------------------------------------------------------------------------------------------------ keys and SQL */

/*
 * Equality tests that every matching row must pass: values of this column (RECORD_BLOOM) one of which the row has.
 * Returns how many there are; 0: the filter says nothing of the kind. For look-ups by key filters.
 */
size_t filter_keys(const struct filter *f, enum record_table table, int column, const struct hep_slice **ret);

enum filter_value_kind {
    FILTER_VALUE_NUMBER,
    FILTER_VALUE_TIME, /* number: microseconds since 1970 UTC, a TIMESTAMP WITH TIME ZONE */
    FILTER_VALUE_DECIMAL, /* number: hundredths; a DOUBLE, to be compared as DECIMAL(9,2) */
    FILTER_VALUE_TEXT,
    FILTER_VALUE_OCTETS
};

struct filter_value {
    enum filter_value_kind kind;
    int64_t number;
    struct hep_slice octets; /* lives as long as the filter */
};

#define FILTER_VALUES_MAX (4 * FILTER_LEAVES_MAX)

struct filter_values {
    struct filter_value items[FILTER_VALUES_MAX];
    size_t count;
};

/*
 * Appends a boolean SQL expression (DuckDB) over the columns of the table to `sql`; values are `?` there and stand in
 * *values in this order, behind those that are in it already. "TRUE" for a filter that matches everything. It may give
 * NULL for false: it is for WHERE. Patterns that SQL cannot say in the same way call our own matcher as a scalar
 * function: filter_functions().
 * -1 if the values do not fit, or sql has failed.
 */
int filter_sql(const struct filter *f, enum record_table table, struct buf *sql, struct filter_values *values);

/* Predicates that the SQL calls: name(value, pattern). NULL gives NULL. Ends with a row without a name. */
struct filter_function {
    const char *name;
    bool octets; /* the value is a BLOB, else VARCHAR */
    bool (*test)(const uint8_t *value, size_t len, const uint8_t *pattern, size_t pattern_len);
};
const struct filter_function *filter_functions(void);

/* Values on which they gave up in this process. */
uint64_t filter_functions_gave_up(void);

#endif
