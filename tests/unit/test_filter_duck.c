/*
 * Both evaluators say the same: random rows and random filters, the matcher in C beside DuckDB running the SQL over a
 * Parquet file of the same rows. This program is its own query worker.
 */
#include <sys/stat.h>
#include <unistd.h>

#include "base/ip.h"
#include "filter/glob.h"
#include "filter_rows.h"
#include "store/lake/columns.h"
#include "store/lake/duck.h"
#include "store/lake/duck_worker.h"
#include "store/parquet/writer.h"

#define ROWS       600u
#define GROUP_ROWS 100u
#define BATCH      20u

static struct test_row rows[ROWS];
static char root[64], lake[96], temp[96], file[128];
static struct duck *duck;
static uint64_t rnd;

static size_t below(size_t n)
{
    return prng_below(&rnd, n);
}

/* ------------------------------------------------------------------------------------------------ values */

#define S(text)                                                                                                        \
    {                                                                                                                  \
        (const uint8_t *)(text), sizeof(text) - 1                                                                      \
    }

/* What texts are made of: ASCII in both cases, what LIKE and quotes would stumble on, ends of UTF-8's ranges. */
static const struct hep_slice texts[] = {
    S("bob"),
    S("Bob"),
    S("BOB"),
    S("bobby"),
    S("alice"),
    S("+15551234"),
    S("+1555"),
    S("+1556"),
    S("x"),
    S(""),
    S("example.com"),
    S("Example.COM"),
    S("10.0.0.1"),
    S("::1"),
    S("2001:db8::1"),
    S("invite"),
    S("INVITE"),
    S("udp"),
    S("a%b"),
    S("a_b"),
    S("a\\b"),
    S("a*b"),
    S("a'b"),
    S("a\"b"),
    S("a b"),
    S("(a,b)"),
    S("via,cseq"),
    S("cseq"),
    S("cseq,via,uri"),
    S("X-A: 1\nX-B: 2"),
    S("X-A: 1"),
    S("\xc3\xa4rger"),
    S("\xc3\x84rger"),
    S("stra\xc3\x9f"
      "e"),
    S("\xe2\x84\xaa"
      "elvin"),
    S("kelvin"),
    S("K"),
    S("\xc4\xb1"),
    S("I"),
    S("i"),
    S("ab\x7f"),
    S("ab\x7f"
      "c"),
    S("ab\xc2\x80"),
    S("\xed\x9f\xbf"
      "a"),
    S("\xee\x80\x80"),
    S("\xef\xbf\xbf"),
    S("\xf0\x90\x80\x80"),
    S("\xf4\x8f\xbf\xbf"),
    S("\xf4\x8f\xbf\xbf"
      "z"),
    S("a\0b"),
    S("\x01"),
    S("a\x01"
      "b"),
    S("aaaaaaaaaaaaaaaaaaaab"),
    S("the first thirteen octets stand apart"),
    S("The First Thirteen Octets stand apart, too"),
    S("[{@`"),
    S("486"),
    S("+4930123456"),
    S("0049-30-123456"),
    S("030 123456"),
    S("(030) 12 34/56"),
    S("4930123456"),
    S("1234"),
    S("00"),
    S("+"),
};

/* Payloads: SIP in several forms, and what is none. */
static const struct hep_slice payloads[] = {
    S("INVITE sip:a SIP/2.0\r\nSubject: bob\r\nX-A: 1\r\nx-a: 2\r\n\r\nbody of bob\r\n"),
    S("SIP/2.0 200 OK\ns: Bob smith\nCall-ID: abc\n\na=sendonly"),
    S("BYE x SIP/2.0\r\nSubject:\r\nX-A: one\r\n two\r\n\r\n"),
    S("INVITE sip:a SIP/2.0\rX-A: 1\rSubject: x\r\rbob"),
    S("no colon\r\nX-A\r\n: 1\r\n\r\n\0\xff\xfe"),
    S(""),
    S("\r\n\r\n"),
    S("{\"body\": \"BOB\"}"),
    S("bob"),
};

static const char *const regexes[] = {
    "bob",     "^b",     "[a-c]+$",  ".",      "^$",      "\xc3\xa4", "\xc3\x84", "^[+]?1?5",   "a.b",     "(a|b)*c",
    "^INVITE", "\\d{3}", "^X-A: 1$", "\\.com", "^(a+)+$", "a b",      "\\/",      "one\\s+two", "(?i)BOB",
};

static const char *const addresses[] = {
    "10.0.0.1", "10.0.0.2", "10.0.1.1",    "10.1.0.1",    "11.0.0.1",      "192.0.2.255", "0.0.0.0", "255.255.255.255",
    "::",       "::1",      "2001:db8::1", "2001:db8::2", "2001:db8:1::1", "2001:db9::1", "fe80::1", "ffff::ffff",
};

static const int64_t numbers[] = { 0,   1,   4,   5,   16,  99,  100,  199,  200,  399,   400,       480,
                                   486, 489, 490, 499, 500, 600, 5060, 5061, 8080, 65535, INT32_MAX, UINT32_MAX };

/* ------------------------------------------------------------------------------------------------ rows */

/* Addresses as columns have them. */
static char address_texts[COUNT_OF(addresses)][IP_TEXT_MAX];
static uint8_t address_octets[COUNT_OF(addresses)][16];

static void make_addresses(void)
{
    for (size_t i = 0; i < COUNT_OF(addresses); i++) {
        struct net net;
        struct hep_addr addr;
        assert_true(net_parse((const uint8_t *)addresses[i], strlen(addresses[i]), &net));
        assert_true(ip_parse(addresses[i], strlen(addresses[i]), &addr));
        memcpy(address_octets[i], net.low, 16);
        (void)ip_format(&addr, address_texts[i]);
    }
}

static struct record_cell random_cell(enum record_table table, size_t column, size_t address)
{
    enum record_kind kind = record_schema(table)->columns[column].kind;
    struct record_cell cell = { .null = lake_column_nullable(table, column) && below(4) == 0 };
    if (cell.null)
        return cell;
    if (kind == RECORD_BYTES)
        cell.octets = payloads[below(COUNT_OF(payloads))];
    else if (kind == RECORD_TEXT)
        cell.octets = texts[below(COUNT_OF(texts))];
    else if (kind == RECORD_IP)
        cell.octets = (struct hep_slice){ (const uint8_t *)address_texts[address], strlen(address_texts[address]) };
    else if (kind == RECORD_ADDR)
        cell.octets = (struct hep_slice){ address_octets[address], 16 };
    else
        cell.number = numbers[below(COUNT_OF(numbers))];
    return cell;
}

/* Address and text of it belong together. Rows of a group are alike, so that statistics leave groups out. */
static void make_row(struct test_row *r, enum record_table table, size_t number)
{
    const struct record_schema *s = record_schema(table);
    const struct test_row *like = &rows[number - number % GROUP_ROWS];
    size_t address = 0;
    test_row_clear(r, table);
    for (size_t c = 0; c < s->count; c++) {
        bool follows = s->columns[c].kind == RECORD_ADDR;
        address = follows ? address : below(COUNT_OF(addresses));
        bool copy = number % GROUP_ROWS != 0 && (number / GROUP_ROWS) % 2 == 1 && !follows && below(2) == 0;
        r->cells[c] = copy ? like->cells[c] : random_cell(table, c, address);
        if (follows)
            r->cells[c].null = r->cells[c - 1].null;
        if (follows && !r->cells[c].null)
            for (size_t a = 0; a < COUNT_OF(addresses); a++)
                if (strlen(address_texts[a]) == r->cells[c - 1].octets.len &&
                    memcmp(address_texts[a], r->cells[c - 1].octets.ptr, r->cells[c - 1].octets.len) == 0)
                    r->cells[c].octets = (struct hep_slice){ address_octets[a], 16 };
    }
    test_row_number(r, "seq", (int64_t)number);
}

/* ------------------------------------------------------------------------------------------------ the file */

static int sink_write(void *ctx, const void *octets, size_t len)
{
    return fwrite(octets, 1, len, ctx) == len ? 0 : -1;
}

/* One column of one group. */
static void write_column(struct pq_writer *w, const struct pq_column *column, size_t c, const struct test_row *from)
{
    static uint8_t bytes[GROUP_ROWS * 128], validity[(GROUP_ROWS + 7) / 8];
    static uint32_t offsets[GROUP_ROWS + 1];
    size_t width = column->type == PQ_FIXED ? 16 : column->type == PQ_INT32 ? 4 : 8;
    size_t at = 0;
    memset(validity, 0, sizeof(validity));
    for (size_t i = 0; i < GROUP_ROWS; i++) {
        const struct record_cell *cell = &from[i].cells[c];
        uint32_t small = (uint32_t)cell->number;
        validity[i / 8] = (uint8_t)(validity[i / 8] | (cell->null ? 0u : 1u << i % 8));
        if (column->type == PQ_INT32)
            memcpy(bytes + i * width, &small, 4);
        else if (column->type == PQ_INT64)
            memcpy(bytes + i * width, &cell->number, 8);
        else if (!cell->null)
            memcpy(bytes + (column->type == PQ_FIXED ? i * width : at), cell->octets.ptr, cell->octets.len);
        at += cell->null ? 0 : cell->octets.len;
        offsets[i + 1] = (uint32_t)at;
    }
    bool strings = column->type == PQ_BYTE_ARRAY;
    struct pq_segment s = { .rows = GROUP_ROWS,
                            .validity = column->nullable ? validity : NULL,
                            .values = strings ? NULL : bytes,
                            .offsets = strings ? offsets : NULL,
                            .bytes = strings ? bytes : NULL };
    if (pq_writer_column(w, &(struct pq_data){ .segments = &s, .segment_count = 1 }) != 0)
        fail_msg("%s: %s", column->name, pq_writer_error(w));
}

static void write_file(enum record_table table)
{
    static struct pq_column columns[RECORD_COLUMNS_MAX];
    size_t count = lake_columns(table, columns);
    struct pq_writer_options options = { .page_rows = 32 };
    struct pq_writer *w = NULL;
    FILE *f = fopen(file, "wb");
    assert_non_null(f);
    assert_int_equal(pq_writer_open(&w, columns, count, &(struct pq_sink){ sink_write, f }, &options), 0);
    for (size_t g = 0; g < ROWS; g += GROUP_ROWS) {
        assert_int_equal(pq_writer_group_begin(w, GROUP_ROWS), 0);
        for (size_t c = 0; c < count; c++)
            write_column(w, &columns[c], c, rows + g);
        assert_int_equal(pq_writer_group_end(w), 0);
    }
    assert_int_equal(pq_writer_close(w), 0);
    pq_writer_free(w);
    assert_int_equal(fclose(f), 0);
}

static void make_rows(enum record_table table)
{
    for (size_t i = 0; i < ROWS; i++)
        make_row(&rows[i], table, i);
    write_file(table);
}

/* ------------------------------------------------------------------------------------------------ filters */

/* Octets of a text as a quoted piece of a filter; control characters cannot be said, so that they end it. */
static void put_quoted(struct buf *out, struct hep_slice s)
{
    buf_putc(out, '"');
    for (size_t i = 0; i < s.len && (s.ptr[i] >= ' ' || s.ptr[i] == '\n'); i++) {
        if (s.ptr[i] == '"' || s.ptr[i] == '\\')
            buf_putc(out, '\\');
        buf_putc(out, (char)s.ptr[i]);
    }
    buf_putc(out, '"');
}

/* A piece between two characters. */
static struct hep_slice random_piece(struct hep_slice s)
{
    size_t from = below(s.len + 1), to = below(s.len + 1);
    if (from > to) {
        size_t swap = from;
        from = to;
        to = swap;
    }
    while (from > 0 && from < s.len && (s.ptr[from] & 0xc0) == 0x80)
        from--;
    while (to < s.len && (s.ptr[to] & 0xc0) == 0x80)
        to++;
    return (struct hep_slice){ s.ptr + from, to - from };
}

static struct hep_slice random_text(void)
{
    return texts[below(COUNT_OF(texts))];
}

static void put_pattern(struct buf *out)
{
    struct hep_slice s = random_text();
    switch (below(8)) {
    case 0:
        buf_putc(out, below(2) == 0 ? '*' : '?');
        break;
    case 1: /* begins with */
        put_quoted(out, random_piece(s));
        buf_putc(out, '*');
        break;
    case 2:
        buf_putc(out, '*');
        put_quoted(out, random_piece(s));
        break;
    case 3:
        buf_putc(out, '*');
        put_quoted(out, random_piece(s));
        buf_putc(out, '*');
        break;
    case 4: /* several stars */
        put_quoted(out, random_piece(s));
        buf_putc(out, '*');
        put_quoted(out, random_piece(s));
        buf_putc(out, '*');
        put_quoted(out, random_piece(s));
        break;
    default:
        put_quoted(out, s);
    }
}

static void put_number(struct buf *out)
{
    static const char *const signs[] = { "", "", "", ">", ">=", "<", "<=", "=" };
    int64_t from = numbers[below(COUNT_OF(numbers))], to = numbers[below(COUNT_OF(numbers))];
    size_t kind = below(10);
    if (kind == 0)
        buf_putc(out, below(2) == 0 ? '*' : '?');
    else if (kind < 3)
        buf_printf(out, "%lld..%lld", (long long)(from < to ? from : to), (long long)(from < to ? to : from));
    else
        buf_printf(out, "%s%lld", signs[below(COUNT_OF(signs))], (long long)numbers[below(COUNT_OF(numbers))]);
}

static void put_decimal(struct buf *out)
{
    static const char *const decimals[] = { "0", "0.01", "1", "3.5", "4.41", "20", "429.5", "9999999.99", "*" };
    static const char *const signs[] = { "", ">", ">=", "<", "<=" };
    const char *value = decimals[below(COUNT_OF(decimals))];
    buf_printf(out, "%s%s", value[0] == '*' ? "" : signs[below(COUNT_OF(signs))], value);
}

static void put_address(struct buf *out, bool ports)
{
    const char *a = addresses[below(COUNT_OF(addresses))];
    bool v6 = strchr(a, ':') != NULL;
    bool port = ports && below(3) == 0;
    const char *open = v6 && port ? "[" : "";
    size_t kind = below(4);
    if (port && below(4) == 0)
        kind = 9;
    if (kind == 0) /* network */
        buf_printf(out, "%s%s/%zu", open, a, below(v6 ? 129 : 33));
    else if (kind == 1) /* on the text */
        buf_printf(out, "%s%.*s*", v6 ? "[" : "", (int)below(strlen(a) + 1), a);
    else if (kind < 9)
        buf_printf(out, "%s%s", open, a);
    if (v6 && (kind == 1 || (port && kind < 9)))
        buf_putc(out, ']');
    if (port)
        buf_printf(out, ":%lld", (long long)numbers[below(22)]);
}

static void put_time(struct buf *out)
{
    static const char *const signs[] = { ">", ">=", "<", "<=" };
    long long from = numbers[below(COUNT_OF(numbers))], to = numbers[below(COUNT_OF(numbers))];
    if (below(8) == 0)
        buf_puts(out, below(2) == 0 ? "*" : ">-1h");
    else if (below(2) == 0)
        buf_printf(out, "%s%lld.%06lld", signs[below(4)], from / 1000000, from % 1000000);
    else
        buf_printf(out, "%lld.%06lld..%lld.%06lld", from / 1000000, from % 1000000, to / 1000000, to % 1000000);
}

static void put_phone(struct buf *out)
{
    static const char *const phones[] = { "\"+49 30 123456\"", "030123456", "*3456", "+49*", "1234", "*23*", "?",
                                          "+15551234",         "00*",       "+1555*" };
    buf_puts(out, phones[below(COUNT_OF(phones))]);
}

static bool takes_regex(const struct filter_field *field)
{
    static const enum filter_value_type types[] = { FILTER_TEXT, FILTER_WORD,   FILTER_LIST,   FILTER_USER,
                                                    FILTER_URI,  FILTER_ADDR,   FILTER_SENDER, FILTER_HEADER,
                                                    FILTER_BODY, FILTER_PAYLOAD };
    for (size_t i = 0; i < COUNT_OF(types); i++)
        if (types[i] == field->type)
            return true;
    return false;
}

static void put_one(struct buf *out, const struct filter_field *field)
{
    if (takes_regex(field) && below(6) == 0) {
        buf_printf(out, "/%s/%s", regexes[below(COUNT_OF(regexes))], below(2) == 0 ? "i" : "");
        return;
    }
    static const char *const classes[] = { "4xx", "48x", "5xx", "1xx", "49*" };
    static const char *const types[] = { "sip", "media", "rtcp", "rtp", "log", "1", "5", "100", "*", "99" };
    switch (field->type) {
    case FILTER_TIME:
        put_time(out);
        break;
    case FILTER_PHONE:
        put_phone(out);
        break;
    case FILTER_STATUS:
        if (below(2) == 0) {
            buf_puts(out, classes[below(COUNT_OF(classes))]);
            break;
        }
        put_number(out);
        break;
    case FILTER_COUNT:
        put_number(out);
        break;
    case FILTER_DECIMAL:
    case FILTER_PERCENT:
    case FILTER_DELAY:
        put_decimal(out);
        break;
    case FILTER_ADDR:
    case FILTER_SENDER:
        put_address(out, field->type == FILTER_ADDR);
        break;
    case FILTER_TYPE:
        buf_puts(out, types[below(COUNT_OF(types))]);
        break;
    default:
        put_pattern(out);
        if (field->type == FILTER_URI && below(3) == 0) {
            buf_putc(out, '@');
            put_pattern(out);
        }
    }
}

/* Mostly one value, and lists up to what makes sets of several. */
static void put_value(struct buf *out, const struct filter_field *field)
{
    size_t count = below(3) > 0 ? 1 : 1 + below(12);
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            buf_putc(out, ',');
        put_one(out, field);
    }
}

static void put_term(struct buf *out, const struct filter_field *field)
{
    static const char *const headers[] = { "subject", "s", "X-A", "Call-ID", "i", "none" };
    if (field->type == FILTER_HEADER)
        buf_printf(out, FILTER_HEADER_PREFIX "%s:", headers[below(COUNT_OF(headers))]);
    else
        buf_printf(out, "%s:", field->name);
    put_value(out, field);
}

static void put_tree(struct buf *out, unsigned depth)
{
    size_t count;
    const struct filter_field *fields = filter_fields(&count);
    size_t what = depth == 0 ? 9 : below(10);
    if (what == 0) {
        buf_puts(out, "NOT ");
        put_tree(out, depth - 1);
    } else if (what < 6) {
        const char *between = what < 3 ? " AND " : " OR ";
        size_t n = 2 + below(2);
        buf_putc(out, '(');
        for (size_t i = 0; i < n; i++) {
            buf_puts(out, i > 0 ? between : "");
            put_tree(out, depth - 1);
        }
        buf_putc(out, ')');
    } else {
        put_term(out, &fields[below(count)]);
    }
}

static unsigned tried, refused;

/* A filter that parses; values that a field does not take are drawn anew. */
static struct filter *random_filter(void)
{
    struct filter *f = NULL;
    struct filter_error err;
    struct buf text;
    buf_init(&text, FILTER_TEXT_MAX);
    for (;;) {
        buf_reset(&text);
        put_tree(&text, (unsigned)below(4));
        assert_false(text.failed);
        tried++;
        if (filter_parse(&f, (const char *)text.ptr, text.len, &err) == 0)
            break;
        refused++;
    }
    buf_free(&text);
    return f;
}

/* ------------------------------------------------------------------------------------------------ the comparison */

static struct filter_values values;
static struct duck_value bound[DUCK_VALUES_MAX];

static size_t bind_values(size_t at)
{
    for (size_t i = 0; i < values.count; i++) {
        const struct filter_value *v = &values.items[i];
        bound[at++] = (struct duck_value){
            .kind = v->kind == FILTER_VALUE_NUMBER    ? DUCK_INT64
                    : v->kind == FILTER_VALUE_DECIMAL ? DUCK_DOUBLE
                    : v->kind == FILTER_VALUE_TIME    ? DUCK_TIMESTAMP_US
                    : v->kind == FILTER_VALUE_TEXT    ? DUCK_TEXT
                                                      : DUCK_BLOB,
            .number = v->number,
            .real = (double)v->number / 100,
            .octets = { v->octets.ptr, v->octets.len },
        };
    }
    return at;
}

static void put_sql(struct buf *sql, const struct filter *f, enum record_table table, size_t *bound_count)
{
    values.count = 0;
    assert_int_equal(filter_sql(f, table, sql, &values), 0);
    *bound_count = bind_values(*bound_count);
}

struct answer {
    bool match[ROWS][BATCH];
    size_t filters;
    size_t rows;
};

static int take_row(void *arg, const struct duck_value *cells, size_t count)
{
    struct answer *a = arg;
    size_t row = (size_t)cells[0].number;
    assert_true(row < ROWS);
    a->rows++;
    for (size_t i = 0; i < a->filters; i++)
        a->match[row][i] = count == 1 || (cells[i + 1].kind == DUCK_BOOL && cells[i + 1].boolean);
    return 0;
}

static void run(struct buf *sql, size_t count, struct answer *a)
{
    struct errmsg err = { "" };
    buf_putc(sql, '\0');
    assert_false(sql->failed);
    if (duck_query(duck, (const char *)sql->ptr, bound, count, 0, NULL, take_row, a, NULL, &err) != 0)
        fail_msg("%s: %s", err.text, (const char *)sql->ptr);
}

static void bind_file(void)
{
    bound[0] = (struct duck_value){ .kind = DUCK_TEXT, .octets = { (const uint8_t *)file, strlen(file) } };
}

static size_t compare(struct filter *const *filters, const struct answer *a, enum record_table table)
{
    size_t matches = 0;
    for (size_t i = 0; i < a->filters; i++) {
        bool any = false;
        for (size_t r = 0; r < ROWS; r++) {
            bool match = test_row_matches(filters[i], &rows[r]);
            if (filter_gave_up(filters[i]) >= REGEX_GIVE_UPS) /* it tries no more */
                break;
            if (match != a->match[r][i])
                fail_msg("row %zu of %s, %s: %s in C, %s in SQL", r, record_schema(table)->name,
                         filter_text(filters[i]), match ? "yes" : "no", a->match[r][i] ? "yes" : "no");
            any = any || match;
            matches += match;
        }
        if (any && (filter_tables(filters[i]) >> table & 1) == 0)
            fail_msg("%s: leaves out %s, which has rows", filter_text(filters[i]), record_schema(table)->name);
    }
    return matches;
}

/* The keys of a filter: each row that matches has one of them. */
static void check_keys(const struct filter *f, enum record_table table)
{
    const struct record_schema *s = record_schema(table);
    for (size_t c = 0; c < s->count; c++) {
        const struct hep_slice *keys;
        size_t n = filter_keys(f, table, (int)c, &keys);
        for (size_t r = 0; n > 0 && r < ROWS; r++) {
            const struct hep_slice *has = &rows[r].cells[c].octets;
            bool found = false;
            for (size_t k = 0; k < n && !rows[r].cells[c].null; k++)
                found = found || (keys[k].len == has->len && memcmp(keys[k].ptr, has->ptr, has->len) == 0);
            if (!found && test_row_matches(f, &rows[r]))
                fail_msg("%s: row %zu matches without a key of %s", filter_text(f), r, s->columns[c].name);
        }
    }
}

/* Behind WHERE, as searches have it: pushed down to statistics, bloom filters and pages. */
static size_t compare_where(enum record_table table)
{
    static struct answer a;
    struct buf sql;
    size_t count = 1;
    struct filter *f = random_filter();
    buf_init(&sql, 1 << 20);
    bind_file();
    buf_puts(&sql, "SELECT seq FROM read_parquet(?) WHERE (");
    put_sql(&sql, f, table, &count);
    buf_putc(&sql, ')');
    memset(&a, 0, sizeof(a));
    a.filters = 1;
    run(&sql, count, &a);
    size_t matches = compare(&f, &a, table);
    check_keys(f, table);
    buf_free(&sql);
    filter_free(f);
    return matches;
}

/* Many at once as values: true, or not (false or NULL). The placeholders of the SELECT list come before the file. */
static size_t compare_values(enum record_table table)
{
    static struct answer a;
    struct filter *filters[BATCH];
    struct buf sql;
    size_t count = 0;
    buf_init(&sql, 4 << 20);
    buf_puts(&sql, "SELECT seq");
    for (size_t i = 0; i < BATCH; i++) {
        filters[i] = random_filter();
        buf_puts(&sql, ", (");
        put_sql(&sql, filters[i], table, &count);
        buf_putc(&sql, ')');
    }
    buf_puts(&sql, " FROM read_parquet(?)");
    bound[count++] = (struct duck_value){ .kind = DUCK_TEXT, .octets = { (const uint8_t *)file, strlen(file) } };
    memset(&a, 0, sizeof(a));
    a.filters = BATCH;
    run(&sql, count, &a);
    assert_int_equal(a.rows, ROWS);
    size_t matches = compare(filters, &a, table);
    for (size_t i = 0; i < BATCH; i++) {
        check_keys(filters[i], table);
        filter_free(filters[i]);
    }
    buf_free(&sql);
    return matches;
}

/* ------------------------------------------------------------------------------------------------ tests */

static void check_table(enum record_table table, unsigned wheres, unsigned batches)
{
    size_t matches = 0;
    make_rows(table);
    tried = refused = 0;
    for (unsigned i = 0; i < wheres; i++)
        matches += compare_where(table);
    for (unsigned i = 0; i < batches; i++)
        matches += compare_values(table);
    size_t all = (size_t)ROWS * (wheres + batches * BATCH);
    if (matches < all / 20 || matches > all - all / 20 || refused > tried / 2)
        fail_msg("these filters test little: %zu of %zu match, %u of %u do not parse", matches, all, refused, tried);
}

/* FILTER_SEED and FILTER_ROUNDS in the environment: other filters, and more of them. */
static uint64_t seed(uint64_t usual)
{
    const char *text = getenv("FILTER_SEED");
    return usual + (text != NULL ? strtoull(text, NULL, 10) << 8 : 0);
}

static unsigned rounds(unsigned usual)
{
    const char *text = getenv("FILTER_ROUNDS");
    return usual * (text != NULL ? (unsigned)strtoul(text, NULL, 10) : 1);
}

static void test_sip(void **state)
{
    (void)state;
    rnd = seed(1);
    check_table(RECORD_SIP, rounds(60), rounds(20));
}

static void test_media(void **state)
{
    (void)state;
    rnd = seed(2);
    check_table(RECORD_MEDIA, rounds(20), rounds(5));
}

/* Each field by itself behind WHERE, so that none is hidden by others. */
static void test_each_field(void **state)
{
    (void)state;
    size_t field_count;
    const struct filter_field *fields = filter_fields(&field_count);
    static struct answer a;
    rnd = 3;
    make_rows(RECORD_SIP);
    for (size_t i = 0; i < 4 * field_count; i++) {
        struct buf text, sql;
        struct filter *f = NULL;
        struct filter_error err;
        size_t count = 1;
        buf_init(&text, FILTER_TEXT_MAX);
        buf_init(&sql, 1 << 20);
        do {
            buf_reset(&text);
            put_term(&text, &fields[i % field_count]);
        } while (filter_parse(&f, (const char *)text.ptr, text.len, &err) != 0);
        bind_file();
        buf_puts(&sql, "SELECT seq FROM read_parquet(?) WHERE ");
        put_sql(&sql, f, RECORD_SIP, &count);
        memset(&a, 0, sizeof(a));
        a.filters = 1;
        run(&sql, count, &a);
        (void)compare(&f, &a, RECORD_SIP);
        filter_free(f);
        buf_free(&text);
        buf_free(&sql);
    }
}

/* ------------------------------------------------------------------------------------------------ frame */

static int setup(void **state)
{
    (void)state;
    struct errmsg err = { "" };
    (void)snprintf(root, sizeof(root), "/tmp/test_filter.XXXXXX");
    assert_non_null(mkdtemp(root));
    (void)snprintf(lake, sizeof(lake), "%s/lake", root);
    (void)snprintf(temp, sizeof(temp), "%s/tmp", root);
    (void)snprintf(file, sizeof(file), "%s/rows.parquet", lake);
    assert_int_equal(mkdir(lake, 0700), 0);
    make_addresses();
    return duck_open(&duck, &(struct duck_options){ .lake_dir = lake, .temp_dir = temp, .threads = 1 }, &err);
}

static int teardown(void **state)
{
    (void)state;
    duck_close(duck);
    (void)unlink(file);
    (void)rmdir(lake);
    (void)rmdir(temp);
    return rmdir(root);
}

static struct duck_function functions[16];

static int work(int argc, char **argv)
{
    size_t n = 0;
    for (const struct filter_function *f = filter_functions(); f->name != NULL; f++, n++)
        functions[n] = (struct duck_function){ f->name, f->octets, f->test };
    duck_worker_functions(functions, n);
    return duck_worker_main(argc, argv);
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "query-worker") == 0)
        return work(argc, argv);
    (void)setenv("HEPCAT_DUCKDB", DUCK_LIBRARY, 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_field),
        cmocka_unit_test(test_sip),
        cmocka_unit_test(test_media),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
