/* The SQL of filters, its values, the keys and the tables. */
#include "filter/glob.h"
#include "filter_rows.h"

static struct filter_values values;

/* Values as text: numbers as they are, texts in quotes with `*` for stars, octets in hex. */
static void show_value(struct buf *out, const struct filter_value *v)
{
    if (v->kind == FILTER_VALUE_NUMBER || v->kind == FILTER_VALUE_TIME) {
        buf_puts(out, v->kind == FILTER_VALUE_TIME ? " @" : " ");
        buf_printf(out, "%lld", (long long)v->number);
        return;
    }
    buf_puts(out, v->kind == FILTER_VALUE_TEXT ? " '" : " x");
    for (size_t i = 0; i < v->octets.len; i++) {
        uint8_t c = v->octets.ptr[i];
        if (v->kind == FILTER_VALUE_OCTETS)
            buf_printf(out, "%02x", c);
        else
            buf_putc(out, c == GLOB_STAR ? '*' : (char)c);
    }
    buf_puts(out, v->kind == FILTER_VALUE_TEXT ? "'" : "");
}

static void check_sql(enum record_table table, const char *text, const char *expect)
{
    struct filter *f = test_filter(text);
    struct buf out;
    buf_init(&out, 1 << 16);
    values.count = 0;
    assert_int_equal(filter_sql(f, table, &out, &values), 0);
    for (size_t i = 0; i < values.count; i++)
        show_value(&out, &values.items[i]);
    buf_putc(&out, '\0');
    if (strcmp((const char *)out.ptr, expect) != 0)
        fail_msg("%s: %s, not %s", text, (const char *)out.ptr, expect);
    buf_free(&out);
    filter_free(f);
}

static void sip(const char *text, const char *expect)
{
    check_sql(RECORD_SIP, text, expect);
}

static void test_texts(void **state)
{
    (void)state;
    sip("", "TRUE");
    sip("callid:a", "call_id = ? 'a'");
    sip("callid:a from:b", "(call_id = ? AND from_user = ?) 'a' 'b'");
    sip("callid:a*", "(call_id >= ? AND call_id < ?) 'a' 'b'");
    sip("callid:*a", "suffix(call_id, ?) 'a'");
    sip("callid:*a%_*", "contains(call_id, ?) 'a%_'");
    sip("callid:*", "call_id IS NOT NULL");
    sip("callid:a*b", "hc_glob(call_id, ?) 'a*b'");
    sip("method:INVITE", "hc_iglob(method, ?) 'invite'");
    sip("ua:Foo*", "hc_iglob(user_agent, ?) 'foo*'");
    sip("ua:*", "user_agent IS NOT NULL");
    sip("from:@10.0.0.1", "from_host = ? '10.0.0.1'"); /* without letters the plain way */
    sip("node:12*", "(node >= ? AND node < ?) '12' '13'");
    sip("tag:x", "(from_tag = ? OR to_tag = ?) 'x' 'x'");
    sip("callid:\"x' OR 1=1 --\"", "call_id = ? 'x' OR 1=1 --'");
    sip("error:x", "(parse_error = ? OR suffix(parse_error, ?) OR (parse_error >= ? AND parse_error < ?) OR "
                   "contains(parse_error, ?)) 'x' ',x' 'x,' 'x-' ',x,'");
}

/* Sets are octets: packed.h. */
static void test_sets(void **state)
{
    (void)state;
    sip("callid:b,a", "hc_in(call_id, ?) x0200000010000000110000001200000061"
                      "62");
    sip("callid:b OR callid:a", "hc_in(call_id, ?) x0200000010000000110000001200000061"
                                "62");
    sip("method:B,a", "hc_iin(method, ?) x0200000010000000110000001200000061"
                      "62");
    sip("status:486,487", "(status >= ? AND status <= ?) 486 487");
    sip("status:1,3", "(status >= ? AND status <= ? AND hc_numbers(CAST(status AS VARCHAR), ?)) 1 3 "
                      "x0100000000000000010000000000000003000000000000000300000000000000");
    sip("src:::1,::3", "(src_addr >= ? AND src_addr <= ? AND hc_addrs(src_addr, ?)) "
                       "x00000000000000000000000000000001 x00000000000000000000000000000003 "
                       "x0000000000000000000000000000000100000000000000000000000000000001"
                       "0000000000000000000000000000000300000000000000000000000000000003");
    sip("src:10.1.0.0/16,10.0.0.0/8", "(src_addr >= ? AND src_addr <= ?) x00000000000000000000ffff0a000000 "
                                      "x00000000000000000000ffff0affffff");
    sip("callid:a,b* OR from:c", "(call_id = ? OR (call_id >= ? AND call_id < ?) OR from_user = ?) 'a' 'b' 'c' 'c'");
    check_sql(RECORD_MEDIA, "type:rtcp,rtp,dns", "(payload_type >= ? AND payload_type <= ?) 4 5");
}

static void test_calls(void **state)
{
    (void)state;
    sip("ua:/x/", "hc_regex(user_agent, ?) x7278");
    sip("ua:/x/i", "hc_regex(user_agent, ?) x5278");
    sip("from:/^1/", "hc_regex(from_user, ?) x725e31");
    sip("src:/^1/", "hc_regex(src_ip, ?) x725e31");
    sip("body:A", "hc_part(payload, ?) x6200670161"
                  "01");
    sip("payload:A", "hc_part(payload, ?) x7700670161"
                     "01");
    sip("header.i:A", "hc_part(payload, ?) x680763616c6c2d69646761");
    sip("payload:/a/", "hc_part(payload, ?) x77007261");
    check_sql(RECORD_MEDIA, "body:A",
              "hc_part(payload, ?) x7700670161"
              "01");
    check_sql(RECORD_MEDIA, "header.x:A", "FALSE");
    sip("rpid:x num:+49", "(rpid_user = ? AND (hc_phone(from_user, ?) OR hc_phone(to_user, ?) OR "
                          "hc_phone(ruri_user, ?) OR hc_phone(contact_user, ?) OR hc_phone(pai_user, ?) OR "
                          "hc_phone(rpid_user, ?) OR hc_phone(diversion_user, ?))) 'x'"
                          " x3b30302c3031313b303b2b3439 x3b30302c3031313b303b2b3439 x3b30302c3031313b303b2b3439"
                          " x3b30302c3031313b303b2b3439 x3b30302c3031313b303b2b3439 x3b30302c3031313b303b2b3439"
                          " x3b30302c3031313b303b2b3439");
    sip("ts:>=2026-01-31", "ts >= ? @1769817600000000");
    sip("ts:<2026-01-31", "ts <= ? @1769817599999999");
    sip("ts:1..2", "(ts >= ? AND ts <= ?) @1000000 @2000000");
    sip("ts:*", "ts IS NOT NULL");
    sip("ts:1..2,4..5", "((ts >= ? AND ts <= ?) OR (ts >= ? AND ts <= ?)) @1000000 @2000000 @4000000 @5000000");
}

/* Characters whose successor is not one octet more. */
static void test_prefixes(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        { "a\x7f", "a\xc2\x80" },
        { "\xc3\xa4", "\xc3\xa5" },
        { "\xc3\xbf", "\xc4\x80" },
        { "\xdf\xbf", "\xe0\xa0\x80" },
        { "\xed\x9f\xbf", "\xee\x80\x80" },     /* over the surrogates */
        { "\xef\xbf\xbf", "\xf0\x90\x80\x80" }, /* U+FFFF */
        { "a\xf4\x8f\xbf\xbf", "b" },           /* U+10FFFF has none behind it */
        { "a\xf4\x8f\xbf\xbf\xf4\x8f\xbf\xbf", "b" },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char text[64], expect[128];
        (void)snprintf(text, sizeof(text), "callid:%s*", cases[i][0]);
        (void)snprintf(expect, sizeof(expect), "(call_id >= ? AND call_id < ?) '%s' '%s'", cases[i][0], cases[i][1]);
        sip(text, expect);
    }
    sip("callid:\xf4\x8f\xbf\xbf*", "call_id >= ? '\xf4\x8f\xbf\xbf'");
}

static void test_numbers(void **state)
{
    (void)state;
    sip("status:486", "status = ? 486");
    sip("status:4xx", "(status >= ? AND status <= ?) 400 499");
    sip("status:>=400", "status >= ? 400");
    sip("status:<400", "status <= ? 399");
    sip("status:*", "status IS NOT NULL");
    sip("port:5060", "(src_port = ? OR dst_port = ?) 5060 5060");
    sip("port:*", "TRUE"); /* always there */
    sip("type:sip", "TRUE");
    sip("type:1", "payload_type = ? 1");
    sip("type:rtcp", "FALSE");
    check_sql(RECORD_MEDIA, "type:rtcp", "payload_type = ? 5");
    check_sql(RECORD_MEDIA, "type:media", "TRUE");
    check_sql(RECORD_OTHER, "type:dns", "payload_type = ? 53");
}

static void test_addresses(void **state)
{
    (void)state;
    sip("src:10.0.0.1", "src_addr = ? x00000000000000000000ffff0a000001");
    sip("src:10.0.0.1:5060", "(src_port = ? AND src_addr = ?) 5060 x00000000000000000000ffff0a000001");
    sip("dst:10.0.0.0/9", "(dst_addr >= ? AND dst_addr <= ?) x00000000000000000000ffff0a000000 "
                          "x00000000000000000000ffff0a7fffff");
    sip("dst:2001:db8::/33", "(dst_addr >= ? AND dst_addr <= ?) x20010db8000000000000000000000000 "
                             "x20010db87fffffffffffffffffffffff");
    sip("dst:::/0", "dst_addr IS NOT NULL");
    sip("src:10.0.*", "(src_ip >= ? AND src_ip < ?) '10.0.' '10.0/'");
    sip("src:*.5", "suffix(src_ip, ?) '.5'");
    sip("sender:10.0.0.1", "sender = ? '10.0.0.1'");
    sip("sender:10.0.0.0/8", "hc_net(sender, ?) '10.0.0.0/8'");
    sip("ip:::1", "(src_addr = ? OR dst_addr = ?) x00000000000000000000000000000001 x00000000000000000000000000000001");
}

static void test_trees(void **state)
{
    (void)state;
    sip("NOT callid:a", "((call_id = ?) IS NOT TRUE) 'a'");
    sip("NOT (callid:a from:b)", "(((call_id = ? AND from_user = ?)) IS NOT TRUE) 'a' 'b'");
    sip("callid:a OR NOT from:b", "(((from_user = ?) IS NOT TRUE) OR call_id = ?) 'b' 'a'");
    sip("type:sip callid:a", "call_id = ? 'a'");
    sip("type:sip OR callid:a", "TRUE");
    sip("type:media OR callid:a", "call_id = ? 'a'");
    sip("type:media callid:a", "FALSE");
    sip("NOT type:media", "TRUE");
    check_sql(RECORD_MEDIA, "callid:a", "FALSE");
    check_sql(RECORD_MEDIA, "NOT callid:a", "TRUE");
    check_sql(RECORD_MEDIA, "callid:a OR corr:a", "correlation_id = ? 'a'");
    check_sql(RECORD_LOG, "callid:a corr:a", "FALSE");
    sip("to:c (callid:a OR from:b)", "(to_user = ? AND (call_id = ? OR from_user = ?)) 'c' 'a' 'b'");
}

/* Appends to what is there, and says so when there is no room. */
static void test_room(void **state)
{
    (void)state;
    struct filter *f = test_filter("status:4xx");
    struct buf out;
    buf_init(&out, 1 << 16);
    buf_puts(&out, "WHERE ");
    values.count = FILTER_VALUES_MAX - 2;
    assert_int_equal(filter_sql(f, RECORD_SIP, &out, &values), 0);
    assert_int_equal(values.count, FILTER_VALUES_MAX);
    assert_memory_equal(out.ptr, "WHERE (status", 13);
    values.count = FILTER_VALUES_MAX - 1;
    assert_int_equal(filter_sql(f, RECORD_SIP, &out, &values), -1);
    assert_true(values.count <= FILTER_VALUES_MAX);
    buf_free(&out);
    buf_init(&out, 10);
    values.count = 0;
    assert_int_equal(filter_sql(f, RECORD_SIP, &out, &values), -1);
    buf_free(&out);
    filter_free(f);
}

/* ------------------------------------------------------------------------------------------------ tables, keys */

static void test_table_sets(void **state)
{
    (void)state;
    enum {
        SIP = 1 << RECORD_SIP,
        MEDIA = 1 << RECORD_MEDIA,
        LOG = 1 << RECORD_LOG,
        OTHER = 1 << RECORD_OTHER,
        CALL = 1 << RECORD_CALL,
        REGISTRATION = 1 << RECORD_REGISTRATION,
        KEY = 1 << RECORD_CALL_KEY,
        QUALITY = 1 << RECORD_QUALITY
    };
    static const struct {
        const char *text;
        unsigned tables;
    } cases[] = {
        { "", RECORD_TABLES_ALL },
        { "ts:>1", RECORD_TABLES_ALL },
        { "corr:x", RECORD_TABLES_MESSAGES },
        { "type:*", RECORD_TABLES_MESSAGES },
        { "callid:x", SIP | CALL | REGISTRATION | KEY | QUALITY },
        { "callid:x OR type:log", SIP | LOG | CALL | REGISTRATION | KEY | QUALITY },
        { "method:x", SIP },
        { "state:x", CALL | REGISTRATION },
        { "pdd:>1s", CALL },
        { "binding:new", REGISTRATION },
        { "key:x", KEY },
        { "mos:<3.5", CALL | QUALITY },
        { "lossmax:>2%", CALL },
        { "legs:>1 group:x", CALL },
        { "aor:x", SIP | CALL | REGISTRATION },
        { "type:rtcp", MEDIA },
        { "type:5", MEDIA },
        { "type:media", MEDIA },
        { "type:log", LOG },
        { "type:dns", OTHER },
        { "type:200", OTHER },
        { "type:sip", SIP },
        { "NOT type:sip", RECORD_TABLES_ALL & ~(unsigned)SIP },
        { "NOT type:1", RECORD_TABLES_ALL },
        { "NOT callid:x", RECORD_TABLES_ALL },
        { "NOT port:*", 0 },
        { "type:rtcp callid:x", 0 },
        { "type:rtcp OR type:dns", MEDIA | OTHER },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct filter *f = test_filter(cases[i].text);
        if (filter_tables(f) != cases[i].tables)
            fail_msg("%s: %x", cases[i].text, filter_tables(f));
        filter_free(f);
    }
}

/* Keys of one column, by blanks. */
static void check_keys(const char *text, enum record_table table, const char *column, const char *expect)
{
    struct filter *f = test_filter(text);
    const struct hep_slice *keys;
    char all[256] = "";
    size_t n = filter_keys(f, table, test_column(table, column), &keys);
    for (size_t i = 0; i < n; i++) {
        size_t at = strlen(all);
        (void)snprintf(all + at, sizeof(all) - at, "%s%.*s", i > 0 ? " " : "", (int)keys[i].len,
                       (const char *)keys[i].ptr);
    }
    if (strcmp(all, expect) != 0)
        fail_msg("%s, %s: '%s', not '%s'", text, column, all, expect);
    filter_free(f);
}

static void test_keys(void **state)
{
    (void)state;
    check_keys("", RECORD_SIP, "call_id", "");
    check_keys("callid:a", RECORD_SIP, "call_id", "a");
    check_keys("callid:a", RECORD_SIP, "from_user", "");
    check_keys("callid:a*", RECORD_SIP, "call_id", "");
    check_keys("callid:a from:b", RECORD_SIP, "call_id", "a");
    check_keys("callid:a from:b", RECORD_SIP, "from_user", "b");
    check_keys("from:b@host", RECORD_SIP, "from_user", "b");
    check_keys("from:@host", RECORD_SIP, "from_user", "");
    check_keys("from:sip:b", RECORD_SIP, "from_user", ""); /* or the host */
    check_keys("callid:a OR callid:b OR callid:a", RECORD_SIP, "call_id", "a b");
    check_keys("callid:c,a,b,a", RECORD_SIP, "call_id", "a b c");
    check_keys("callid:a,b*", RECORD_SIP, "call_id", "");
    check_keys("callid:a,b OR callid:c", RECORD_SIP, "call_id", "a b c");
    check_keys("callid:a,b corr:x", RECORD_SIP, "call_id", "a b");
    check_keys("from:a@x,b@y", RECORD_SIP, "from_user", "a b");
    check_keys("NOT callid:a,b", RECORD_SIP, "call_id", "");
    check_keys("callid:a OR from:b", RECORD_SIP, "call_id", "");
    check_keys("(callid:a OR callid:b) (callid:c OR callid:d OR callid:e)", RECORD_SIP, "call_id", "a b");
    check_keys("(callid:a from:x) OR (callid:b to:y)", RECORD_SIP, "call_id", "a b");
    check_keys("(callid:a from:x) OR (callid:b to:y)", RECORD_SIP, "from_user", "");
    check_keys("NOT callid:a", RECORD_SIP, "call_id", "");
    check_keys("NOT NOT callid:a", RECORD_SIP, "call_id", "a");
    check_keys("user:b", RECORD_SIP, "from_user", "");
    check_keys("corr:x OR callid:x", RECORD_SIP, "correlation_id", "");
    check_keys("corr:x OR callid:x", RECORD_MEDIA, "correlation_id", "x"); /* no call_id there */
    check_keys("callid:x", RECORD_MEDIA, "correlation_id", "");
    check_keys("ip:10.0.0.1 callid:a", RECORD_SIP, "call_id", "a");
    check_keys("ip:10.0.0.1 OR callid:a", RECORD_SIP, "call_id", "");
}

static void test_functions(void **state)
{
    (void)state;
    size_t n = 0;
    static const uint8_t a_star[] = { 'a', GLOB_STAR };
    for (const struct filter_function *f = filter_functions(); f->name != NULL; f++, n++) {
        assert_int_equal(f->octets, strcmp(f->name, "hc_addrs") == 0 || strcmp(f->name, "hc_part") == 0);
        if (strcmp(f->name, "hc_glob") == 0)
            assert_true(f->test((const uint8_t *)"ab", 2, a_star, 2) && !f->test((const uint8_t *)"Ab", 2, a_star, 2));
        if (strcmp(f->name, "hc_iglob") == 0)
            assert_true(f->test((const uint8_t *)"Ab", 2, a_star, 2));
        if (strcmp(f->name, "hc_net") == 0) {
            assert_true(f->test((const uint8_t *)"10.1.2.3", 8, (const uint8_t *)"10.0.0.0/8", 10));
            assert_true(f->test((const uint8_t *)"::ffff:10.1.2.3", 15, (const uint8_t *)"10.0.0.0/8", 10));
            assert_false(f->test((const uint8_t *)"11.1.2.3", 8, (const uint8_t *)"10.0.0.0/8", 10));
            assert_false(f->test((const uint8_t *)"", 0, (const uint8_t *)"::/0", 4));
            assert_false(f->test((const uint8_t *)"::1", 3, (const uint8_t *)"", 0));
        }
    }
    assert_int_equal(n, 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts), cmocka_unit_test(test_prefixes),  cmocka_unit_test(test_sets),
        cmocka_unit_test(test_calls), cmocka_unit_test(test_numbers),   cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_trees), cmocka_unit_test(test_room),      cmocka_unit_test(test_table_sets),
        cmocka_unit_test(test_keys),  cmocka_unit_test(test_functions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
