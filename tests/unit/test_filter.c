/* The filter language: grammar, normal form, errors with their places, every field. */
#include "filter_rows.h"

/* ------------------------------------------------------------------------------------------------ normal form */

static void check_normal(const char *text, const char *normal)
{
    struct filter *f = test_filter(text);
    if (strcmp(filter_text(f), normal) != 0)
        fail_msg("%s: %s, not %s", text, filter_text(f), normal);
    struct filter *again = test_filter(normal);
    assert_string_equal(filter_text(again), normal);
    filter_free(again);
    filter_free(f);
}

static void test_pairs(void **state)
{
    (void)state;
    check_normal("", "");
    check_normal(" \t\r\n ", "");
    check_normal("from:bob", "from:bob");
    check_normal("  FROM:bob  ", "from:bob");
    check_normal("to:a from:b", "from:b to:a");
    check_normal("to:a AND from:b and callid:c", "callid:c from:b to:a");
    check_normal("from:b from:b", "from:b");
    check_normal("call-id:x caller:y useragent:Z", "callid:x from:y ua:z");
    check_normal("from:and to:OR", "from:and to:OR");
    check_normal("from:\"AND\"to:b", "from:ANDto:b"); /* a value ends at a blank only */
}

static void test_values(void **state)
{
    (void)state;
    check_normal("callid:a**b***", "callid:a*b*");
    check_normal("callid:\"a b\"", "callid:\"a b\"");
    check_normal("callid:\"a*b\"", "callid:\"a*b\"");
    check_normal("callid:\"a\\*b\"", "callid:\"a*b\"");
    check_normal("callid:a\\*b", "callid:\"a*b\"");
    check_normal("callid:\"a b\"*c", "callid:\"a b\"*c");
    check_normal("callid:a\\ b", "callid:\"a b\"");
    check_normal("callid:\"q\\\"\\\\\"", "callid:\"q\\\"\\\\\"");
    check_normal("callid:\\\"\\\\", "callid:\"\\\"\\\\\"");
    check_normal("callid:\"x\"", "callid:x");
    check_normal("callid:a:b", "callid:a:b");
    check_normal("callid:\"/a/\"", "callid:\"/a/\"");
    check_normal("callid:a/b", "callid:a/b");
    check_normal("callid:\"(a,b)\"", "callid:\"(a,b)\"");
    check_normal("callid:\xc3\xa4*", "callid:\xc3\xa4*");
    check_normal("method:INVITE ua:ABC callid:ABC", "callid:ABC method:invite ua:abc");
}

static void test_uris(void **state)
{
    (void)state;
    check_normal("from:sip:bob@Example.COM", "from:bob@example.com");
    check_normal("from:<sips:Bob@example.com:5061;transport=tls>;tag=1", "from:Bob@example.com");
    check_normal("from:sip:bob:secret@x", "from:bob@x");
    check_normal("from:sip:+49;phone-context=x@y;user=phone", "from:+49@y");
    check_normal("from:tel:+49;ext=1", "from:+49");
    check_normal("from:@x", "from:@x");
    check_normal("from:sip:@x", "from:@x");
    check_normal("from:*@X*", "from:*@x*");
    check_normal("from:bob@[2001:DB8::1]:5060", "from:bob@[2001:db8::1]");
    check_normal("from:bob@2001:db8::1", "from:bob@[2001:db8::1]");
    check_normal("from:@[10.0.0.1]", "from:@10.0.0.1");
    check_normal("from:sip:Example.com:5060;lr", "from:sip:Example.com");
    check_normal("from:sip:[::1]:5060", "from:@[::1]");
    check_normal("from:SIP:sip:<sip:a@b>", "from:a@b");
    check_normal("from:a@b@c", "from:a@b@c");
    check_normal("ruri:urn:service:sos", "ruri:service:sos");
    check_normal("diversion:sip:bob", "diversion:bob");
    check_normal("user:tel:+1", "user:+1");
}

static void test_numbers(void **state)
{
    (void)state;
    check_normal("status:486", "status:486");
    check_normal("status:=486", "status:486");
    check_normal("status:4xx", "status:4xx");
    check_normal("status:4**", "status:4xx");
    check_normal("status:4*", "status:4xx");
    check_normal("status:48X", "status:48x");
    check_normal("status:48*", "status:48x");
    check_normal("status:>=400", "status:>=400");
    check_normal("status:>399", "status:>=400");
    check_normal("status:<400", "status:<=399");
    check_normal("status:<=399", "status:<=399");
    check_normal("status:*", "status:*");
    check_normal("status:>=0", "status:*");
    check_normal("cseq:007", "cseq:7");
    check_normal("cause:<=4294967295", "cause:*");
    check_normal("expires:<1", "expires:0");
    check_normal("type:RTCP", "type:5");
    check_normal("type:5", "type:5");
    check_normal("type:Media", "type:media");
    check_normal("type:sip", "type:sip");
    check_normal("type:*", "type:*");
}

static void test_addresses(void **state)
{
    (void)state;
    check_normal("src:10.0.0.1", "src:10.0.0.1");
    check_normal("src:10.0.0.1:5060", "src:10.0.0.1:5060");
    check_normal("src:[10.0.0.1]:5060", "src:10.0.0.1:5060");
    check_normal("src:::ffff:10.0.0.1", "src:10.0.0.1");
    check_normal("dst:10.1.2.3/8", "dst:10.0.0.0/8");
    check_normal("dst:10.1.2.3/32", "dst:10.1.2.3");
    check_normal("dst:10.0.0.0/8:5060", "dst:10.0.0.0/8:5060");
    check_normal("ip:2001:DB8:0::1", "ip:2001:db8::1");
    check_normal("ip:[2001:db8::1]", "ip:2001:db8::1");
    check_normal("ip:[2001:db8::1]:5060", "ip:[2001:db8::1]:5060");
    check_normal("ip:2001:db8::1/32", "ip:2001:db8::/32");
    check_normal("ip:[2001:db8::/32]:5060", "ip:[2001:db8::/32]:5060");
    check_normal("ip:::ffff:0:0/96", "ip:0.0.0.0/0");
    check_normal("ip:::/0", "ip:::/0");
    check_normal("ip::5060", "ip::5060");
    check_normal("ip:*:5060", "ip:*:5060");
    check_normal("ip:10.0.*", "ip:10.0.*");
    check_normal("ip:10.0.*:5060", "ip:10.0.*:5060");
    check_normal("ip:2001:DB8:*", "ip:[2001:db8:*]");
    check_normal("ip:[*:5060]", "ip:[*:5060]");
    check_normal("sender:10.0.0.0/8", "sender:10.0.0.0/8");
    check_normal("sender:2001:db8::5", "sender:2001:db8::5");
}

static void test_lists(void **state)
{
    (void)state;
    check_normal("status:487,486,6xx", "status:486,487,6xx");
    check_normal("status:486,486", "status:486");
    check_normal("status:400..499", "status:4xx");
    check_normal("status:400..500", "status:400..500");
    check_normal("cseq:1..5,7", "cseq:1..5,7");
    check_normal("mos:<3.5", "mos:<=3.49");
    check_normal("mos:3.50", "mos:3.5");
    check_normal("loss:>2%,0.5", "loss:0.5%,>=2.01%");
    check_normal("loss:2..5%", "loss:2%..5%");
    check_normal("jitter:>=30", "jitter:>=30ms");
    check_normal("rtt:*", "rtt:*");
    check_normal("cseq:1..1", "cseq:1");
    check_normal("cseq:5..", "cseq:>=5");
    check_normal("cseq:..5", "cseq:<=5");
    check_normal("callid:\"b,\",a", "callid:\"b,\",a");
    check_normal("callid:\"a\",\"b c\",d*", "callid:\"b c\",a,d*");
    check_normal("method:BYE,INVITE", "method:bye,invite");
    check_normal("from:a@b,sip:c@d", "from:a@b,c@d");
    check_normal("NOT to:a,b", "NOT to:a,b");
    check_normal("(to:a,b)", "to:a,b");
    check_normal("pai:?", "pai:*");
    check_normal("NOT pai:?", "NOT pai:*");
    check_normal("pai:\"?\"", "pai:\"?\"");
    check_normal("pai:?a", "pai:?a");
    check_normal("pai:a,?", "pai:*,a");
}

static void test_tree(void **state)
{
    (void)state;
    check_normal("to:b OR from:a", "from:a OR to:b");
    check_normal("tag:c to:b OR from:a", "from:a OR tag:c to:b");
    check_normal("tag:c (to:b OR from:a)", "(from:a OR to:b) tag:c");
    check_normal("((from:a))", "from:a");
    check_normal("(from:a (to:b (tag:c)))", "from:a tag:c to:b");
    check_normal("from:a OR (to:b OR (tag:c))", "from:a OR tag:c OR to:b");
    check_normal("NOT from:a", "NOT from:a");
    check_normal("NOT NOT from:a", "from:a");
    check_normal("NOT NOT NOT from:a", "NOT from:a");
    check_normal("NOT (from:a to:b)", "NOT (from:a to:b)");
    check_normal("NOT (from:a OR to:b)", "NOT (from:a OR to:b)");
    check_normal("NOT(from:a)", "NOT from:a");
    check_normal("(to:b OR from:a) (from:a OR to:b)", "from:a OR to:b");
    check_normal("from:a AND NOT to:b", "NOT to:b from:a");
}

/* ------------------------------------------------------------------------------------------------ errors */

static void check_error(const char *text, size_t len, size_t at, const char *says)
{
    struct filter *f = NULL;
    struct filter_error err = { .at = 9999 };
    if (filter_parse(&f, text, len, &err) == 0)
        fail_msg("%s: parses as %s", text, filter_text(f));
    if (err.at != at || strstr(err.text, says) == NULL)
        fail_msg("%s: at %zu, not %zu: %s", text, err.at, at, err.text);
    assert_null(f);
}

static void check_bad(const char *text, size_t at, const char *says)
{
    check_error(text, strlen(text), at, says);
}

static void test_errors(void **state)
{
    (void)state;
    check_bad("form:bob", 0, "unknown field 'form', did you mean 'from'?");
    check_bad("from:a metod:INVITE", 7, "did you mean 'method'?");
    check_bad("usr:x", 0, "did you mean 'user'?");
    check_bad("useragnt:x", 0, "did you mean 'ua'?");
    check_bad("qqqqqqqq:x", 0, "unknown field 'qqqqqqqq'");
    check_bad("bob", 0, "write user:bob");
    check_bad("from:a 10.0.0.1", 7, "write ip:10.0.0.1");
    check_bad("486", 0, "write status:486");
    check_bad("a@b", 0, "write callid:a@b");
    check_bad("INVITE", 0, "write method:INVITE");
    check_bad("from", 4, "a colon and a value are missing behind 'from'");
    check_bad("from bob", 4, "a colon and a value");
    check_bad("from:", 5, "needs a value");
    check_bad("from: bob", 5, "needs a value");
    check_bad("from:\"\"", 5, "needs a value");
    check_bad(":x", 0, "a test is missing");
    check_bad("\"x\"", 0, "a test is missing");
    check_bad("from:a AND", 10, "a test is missing");
    check_bad("AND from:a", 0, "'AND' where a test");
    check_bad("from:a AND AND to:b", 11, "'AND' where a test");
    check_bad("from:\"bob", 5, "closing quote");
    check_bad("from:a\"b\\c\"", 8, "inside quotes");
    check_bad("from:a\\b", 6, "a backslash goes before a sign");
    check_bad("from:a\\", 6, "a backslash goes before a sign");
    check_bad("from:a,", 7, "needs a value right behind the comma");
    check_bad("from:a,,b", 7, "behind the comma");
    check_bad("from:,a", 5, "behind the colon");
    check_bad("from:a, to:b", 7, "right behind the comma");
    check_bad("from:a(b", 6, "'('");
    check_error("from:a\xff", 7, 6, "not UTF-8");
    check_error("from:a\xc3", 7, 6, "not UTF-8");
    check_error("from:a\0b", 8, 6, "control character 0x00");
    check_error("from:\"\x01\"", 8, 6, "control character 0x01");
}

static void test_value_errors(void **state)
{
    (void)state;
    check_bad("status:abc", 7, "is a status such as");
    check_bad("status:4x6", 7, "is a status");
    check_bad("status:4xxx", 7, "is a status");
    check_bad("status:0xx", 7, "is a status");
    check_bad("status:>", 7, "is a status");
    check_bad("status:400..x", 7, "is a status");
    check_bad("status:..", 7, "is a status");
    check_bad("status:499..400", 7, "no number is like that");
    check_bad("status:486,48x,4x6", 15, "is a status");
    check_bad("status:<0", 7, "no number is like that");
    check_bad("cseq:4xx", 5, "is a number");
    check_bad("mos:3.555", 4, "two decimals");
    check_bad("mos:3.", 4, "two decimals");
    check_bad("loss:2ms", 5, ">3.5%");
    check_bad("jitter:>10000000", 7, "two decimals");
    check_bad("loss:<0", 5, "no number is like that");
    check_bad("cseq:4294967296", 5, "is a number");
    check_bad("cseq:>4294967295", 5, "no number");
    check_bad("port:5060x", 5, "is a number");
    check_bad("from:a type:dsn", 12, "unknown type 'dsn', did you mean 'dns'?");
    check_bad("type:256", 5, "unknown type");
    check_bad("src:bob", 4, "is no address");
    check_bad("src:10.0.0", 4, "is no address");
    check_bad("src:10.0.0.1:99999", 4, "is no address");
    check_bad("src:10.0.0.1/33", 4, "is no address");
    check_bad("src:[::1", 4, "is no address");
    check_bad("src:[::1]x", 4, "is no address");
    check_bad("src:1.2.3.x*", 4, "is no address");
    check_bad("sender:10.0.0.1:9060", 7, "the address alone");
    check_bad("sender::9060", 7, "the address alone");
    check_bad("from:bob@", 5, "is no host");
    check_bad("from:@", 5, "is no host");
    check_bad("from:bob@[::1", 5, "is no host");
    check_bad("from:bob@x:y", 5, "is no host");
    check_bad("from:<>", 5, "no user");
    check_bad("from:tel:;x", 5, "no user");
    check_bad("from:sip:", 5, "is no host");
    check_bad("rpid:bob@x", 5, "the user alone");
}

static void test_tree_errors(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t at;
        const char *says;
    } cases[] = {
        { "(from:a", 0, "not closed" },          { "from:a)", 6, "nothing is open" },
        { "from:a OR", 9, "a test is missing" }, { "OR from:a", 0, "'OR' where a test" },
        { "from:a OR OR to:b", 10, "'OR'" },     { "NOT", 3, "a test is missing" },
        { "()", 1, "')' where a test" },         { "from:a AND )", 11, "')' where" },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        check_error(cases[i].text, strlen(cases[i].text), cases[i].at, cases[i].says);
}

/* ------------------------------------------------------------------------------------------------ limits */

static char *repeat(const char *text, size_t times, const char *end)
{
    size_t n = strlen(text);
    char *out = malloc(n * times + strlen(end) + 1);
    assert_non_null(out);
    for (size_t i = 0; i < times; i++)
        memcpy(out + n * i, text, n);
    memcpy(out + n * times, end, strlen(end) + 1);
    return out;
}

static void check_limit(const char *text, size_t times, const char *end, size_t at, const char *says)
{
    char *all = repeat(text, times, end);
    if (says == NULL)
        filter_free(test_filter(all));
    else
        check_error(all, strlen(all), at, says);
    free(all);
}

static void test_limits(void **state)
{
    (void)state;
    check_limit("a", 0, "from:a", 0, NULL);
    check_limit("callid:a ", 5000, "", 0, NULL); /* one test */
    check_limit("tag:a ", 8192, "tag:a", 6 * 8192 + 4, "more than 16384 tests");
    check_limit("(", 60, "from:a))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))", 0, NULL);
    check_limit("(", 100, "", 64, "nested deeper than 64");
    check_limit("NOT ", 63, "from:a", 0, NULL);
    check_limit("NOT ", 64, "from:a", 256, "nested deeper than 64");
    check_limit(" ", FILTER_TEXT_MAX, "", 0, NULL);
    check_limit(" ", FILTER_TEXT_MAX + 1, "", FILTER_TEXT_MAX, "longer than 65536 octets");
    check_limit("*a", 4000, "", 0, "has no field");
    /* Short as it is typed, longer in normal form: that must parse, too. */
    check_limit("ua:a OR ua:b OR ua:\\**\\**\\**\\**\\**\\**\\**\\**\\**\\**\\**\\** OR ", 80, "ua:a", 0, NULL);
    check_limit("callid:\\**\\**\\**\\**\\**\\**\\**\\**\\**\\**\\**\\** OR ", 1200, "to:a", 0, NULL);
}

/* ------------------------------------------------------------------------------------------------ kinds of values */

static void test_regexes(void **state)
{
    (void)state;
    check_normal("ua:/a b/", "ua:/a b/");
    check_normal("ua:/a/i,b", "ua:/a/i,b");
    check_normal("ua:/a\\/b\\\\\\d/", "ua:/a\\/b\\\\\\d/");
    check_normal("ua:/(a|b),[*]/", "ua:/(a|b),[*]/");
    check_normal("(ua:/x/)", "ua:/x/");
    check_normal("callid:\"/x/\"", "callid:\"/x/\"");
    check_normal("src:/^10/ from:/b/ sender:/x/", "from:/b/ sender:/x/ src:/^10/");
    check_bad("ua:/x", 3, "the closing '/'");
    check_bad("ua:/x/y", 6, "behind a regular expression");
    check_bad("ua:/x(/", 6, "regular expression: missing closing parenthesis");
    check_bad("ua:/[z-a]/", 7, "regular expression: range out of order");
    check_bad("ua:/(*UTF)x/", 10, "regular expression");
    check_bad("ua:/\\C/", 6, "regular expression");
    check_bad("ua:/((((a{1000}){1000}){1000}){1000})/", 37, "regular expression");
    check_bad("status:/4/", 7, "'status' takes no regular expression");
    check_bad("num:/4/", 4, "takes no regular expression");
    check_bad("ua://", 3, "needs a value");
}

static void test_parts(void **state)
{
    (void)state;
    check_normal("body:\"A b\"", "body:\"a b\"");
    check_normal("body:*a*b*", "body:a*b");
    check_normal("payload:*", "payload:*");
    check_normal("raw:x", "payload:x");
    check_normal("header.X-Foo:Bar*", "header.x-foo:bar*");
    check_normal("HEADER.s:x", "header.subject:x");
    check_normal("header.SUBJECT:?", "header.subject:*");
    check_normal("header.X-A:1,2 header.X-B:3", "header.x-a:1,2 header.x-b:3");
    check_normal("header:\"X-Foo: bar\"", "header:\"x-foo: bar\"");
    check_normal("body:/a/i", "body:/a/i");
    check_bad("header.:x", 0, "unknown field");
    check_bad("header.a,b:x", 7, "'a,b' is no name of a header");
}

static void test_phones(void **state)
{
    (void)state;
    check_normal("num:\"+49 (30) 12-34/5.6\"", "num:+4930123456");
    check_normal("num:004930123456", "num:+4930123456");
    check_normal("num:4930123456", "num:+4930123456");
    check_normal("num:030123456", "num:030123456");
    check_normal("num:1234", "num:1234");
    check_normal("num:+49*", "num:+49*");
    check_normal("num:*1234", "num:*1234");
    check_normal("num:*123456789", "num:*123456789");
    check_normal("num:?", "num:*");
    check_bad("num:bob", 4, "is a phone number such as");
    check_bad("num:+49*1", 4, "is a phone number");
    check_bad("num:*+49", 4, "is a phone number");
    check_bad("num:123456789012345678901234567890123", 4, "is a phone number");
}

static void test_times(void **state)
{
    (void)state;
    check_normal("ts:>=2026-11-23T10:00Z", "ts:>=2026-11-23T10:00:00.000000Z");
    check_normal("ts:>2026-11-23T10:00Z", "ts:>=2026-11-23T10:00:00.000001Z");
    check_normal("ts:<2026-11-23T10:00+01:00", "ts:<=2026-11-23T08:59:59.999999Z");
    check_normal("ts:2026-11-23..2026-11-24", "ts:2026-11-23T00:00:00.000000Z..2026-11-24T00:00:00.000000Z");
    check_normal("time:..1", "ts:<=1970-01-01T00:00:01.000000Z");
    check_normal("ts:*", "ts:*");
    check_bad("ts:2026-11-23", 3, "'ts' is a comparison or a range of times");
    check_bad("ts:>2026-13-23", 3, "is a comparison");
    check_bad("ts:>", 3, "is a comparison");
    check_bad("ts:2..1", 3, "no time is like that");
    struct filter_options o = { .now_us = 7200000000 };
    struct filter *f;
    struct filter_error err;
    int64_t from, to;
    assert_int_equal(filter_parse_with(&f, "ts:>-1h", 7, &o, &err), 0);
    assert_string_equal(filter_text(f), "ts:>=1970-01-01T01:00:00.000001Z");
    filter_times(f, &from, &to);
    assert_true(from == 3600000001 && to == INT64_MAX);
    filter_free(f);
}

/* What the times of all that matches lie in. */
static void check_bounds(const char *text, int64_t from, int64_t to)
{
    struct filter *f = test_filter(text);
    int64_t got_from, got_to;
    filter_times(f, &got_from, &got_to);
    if (got_from != from || got_to != to)
        fail_msg("%s: %lld to %lld", text, (long long)got_from, (long long)got_to);
    filter_free(f);
}

static void test_bounds(void **state)
{
    (void)state;
    check_bounds("", INT64_MIN, INT64_MAX);
    check_bounds("to:a", INT64_MIN, INT64_MAX);
    check_bounds("ts:1..2", 1000000, 2000001);
    check_bounds("ts:1..2 to:a", 1000000, 2000001);
    check_bounds("ts:1..4 ts:2..8", 2000000, 4000001);
    check_bounds("ts:1..2,7..8", 1000000, 8000001);
    check_bounds("ts:1..2 OR to:a", INT64_MIN, INT64_MAX);
    check_bounds("ts:1..2 OR ts:3.. to:a", 1000000, INT64_MAX);
    check_bounds("ts:1..2 OR type:media callid:x", 1000000, 2000001);
    check_bounds("NOT ts:1..2", INT64_MIN, INT64_MAX);
    check_bounds("ts:1..2 ts:3..4", INT64_MIN, INT64_MIN);
}

/* A thousand values are one test a column, however they are joined; too many tests that stay apart are refused. */
static void check_many(const char *before, const char *behind, const char *between, unsigned count, size_t leaves)
{
    struct buf text;
    struct filter *f = NULL;
    struct filter_error err = { 0 };
    buf_init(&text, FILTER_TEXT_MAX);
    for (unsigned i = 0; i < count; i++) {
        buf_puts(&text, i > 0 ? between : "");
        buf_printf(&text, "%s%u%s", before, i, behind);
    }
    assert_false(text.failed);
    int rc = filter_parse(&f, (const char *)text.ptr, text.len, &err);
    if (leaves == 0) {
        assert_int_equal(rc, -1);
        assert_string_equal(err.text, "more than 256 tests");
        assert_true(err.at < text.len);
    } else {
        assert_int_equal(rc, 0);
        assert_int_equal(filter_leaves(f), leaves);
    }
    filter_free(f);
    buf_free(&text);
}

static void test_many(void **state)
{
    (void)state;
    check_many("callid:a", "@example.com", " OR ", 1000, 1);
    check_many("to:", "", " OR ", 1000, 1);
    check_many("user:", "", " OR ", 1000, 5);
    check_many("cseq:", "", " OR ", 5000, 1);
    check_many("ip:10.0.0.", "", " OR ", 256, 2);
    check_many("method:m", "", " OR ", 1000, 1);
    check_many("NOT to:", "", " ", 256, 256);
    check_many("NOT to:", "", " ", 257, 0);
    check_many("to:a", "*", " OR ", 257, 0);
    check_many("NOT to:", "", " ", 4000, 0);
    check_many("ua:/a", "/", " ", 257, 0);
}

/* ------------------------------------------------------------------------------------------------ fields */

static const char *example_of(const struct filter_field *field)
{
    static const char *const values[] = {
        [FILTER_TEXT] = "x",
        [FILTER_WORD] = "x",
        [FILTER_LIST] = "x",
        [FILTER_USER] = "x",
        [FILTER_URI] = "x@y",
        [FILTER_COUNT] = "7",
        [FILTER_SPAN] = "7000ms",
        [FILTER_DECIMAL] = "3.57",
        [FILTER_PERCENT] = "2.5%",
        [FILTER_DELAY] = "30ms",
        [FILTER_STATUS] = "486",
        [FILTER_ADDR] = "10.0.0.1:5060",
        [FILTER_SENDER] = "::1",
        [FILTER_TYPE] = "media",
        [FILTER_TIME] = ">=1970-01-01T00:00:00.000000Z",
        [FILTER_PHONE] = "+4930123456",
        [FILTER_HEADER] = "x",
        [FILTER_BODY] = "x",
        [FILTER_PAYLOAD] = "x",
    };
    return values[field->type];
}

/* Each field and alias parses, and tests columns that are there; a row of the table of fields with a mistake fails. */
static void test_every_field(void **state)
{
    (void)state;
    size_t count;
    const struct filter_field *fields = filter_fields(&count);
    for (size_t i = 0; i < count; i++) {
        char text[128], alias_text[128];
        struct filter_word alias;
        (void)snprintf(text, sizeof(text), "%s:%s", fields[i].name, example_of(&fields[i]));
        struct filter *f = test_filter(text);
        assert_true(filter_leaves(f) > 0);
        assert_true(filter_tables(f) != 0);
        if (fields[i].type != FILTER_HEADER) /* "NAME" in lower case */
            assert_string_equal(filter_text(f), text);
        for (const char *words = fields[i].aliases; filter_word_next(&words, &alias);) {
            (void)snprintf(alias_text, sizeof(alias_text), "%.*s:%s", (int)alias.len, alias.ptr,
                           example_of(&fields[i]));
            struct filter *g = test_filter(alias_text);
            assert_string_equal(filter_text(g), text);
            filter_free(g);
        }
        filter_free(f);
        for (size_t j = 0; j < count; j++) /* no name twice */
            assert_true((filter_field_by_name(fields[j].name, strlen(fields[j].name)) == &fields[i]) == (i == j));
    }
}

/* docs/filter.md has a line for each field, with its other names and the same words. */
static void test_documentation(void **state)
{
    (void)state;
    size_t count, len;
    const struct filter_field *fields = filter_fields(&count);
    char *doc = read_file(TEST_DATA "/../docs/filter.md", &len);
    for (size_t i = 0; i < count; i++) {
        char line[256];
        size_t n = (size_t)snprintf(line, sizeof(line), "| `%s` |", fields[i].name);
        struct filter_word alias;
        const char *between = " ";
        for (const char *words = fields[i].aliases; filter_word_next(&words, &alias); between = ", ")
            n += (size_t)snprintf(line + n, sizeof(line) - n, "%s`%.*s`", between, (int)alias.len, alias.ptr);
        (void)snprintf(line + n, sizeof(line) - n, " | %s |", fields[i].help);
        if (strstr(doc, line) == NULL)
            fail_msg("docs/filter.md lacks: %s", line);
    }
    /* Its examples are filters. */
    const char *at = strstr(doc, "## Examples"), *end = strstr(doc, "## When it is wrong");
    assert_true(at != NULL && end > at);
    unsigned examples = 0;
    for (; (at = strstr(at, "\n| `")) != NULL && at < end; examples++) {
        char text[256];
        at += 4;
        (void)snprintf(text, sizeof(text), "%.*s", (int)strcspn(at, "`"), at);
        filter_free(test_filter(text));
    }
    assert_true(examples > 8);
    free(doc);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pairs),         cmocka_unit_test(test_values),    cmocka_unit_test(test_uris),
        cmocka_unit_test(test_numbers),       cmocka_unit_test(test_addresses), cmocka_unit_test(test_tree),
        cmocka_unit_test(test_lists),         cmocka_unit_test(test_many),      cmocka_unit_test(test_regexes),
        cmocka_unit_test(test_parts),         cmocka_unit_test(test_phones),    cmocka_unit_test(test_times),
        cmocka_unit_test(test_bounds),        cmocka_unit_test(test_errors),    cmocka_unit_test(test_value_errors),
        cmocka_unit_test(test_tree_errors),   cmocka_unit_test(test_limits),    cmocka_unit_test(test_every_field),
        cmocka_unit_test(test_documentation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
