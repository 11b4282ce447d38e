/* The matcher: patterns, values of every kind, and trees. */
#include "filter/glob.h"
#include "filter/phone.h"
#include "filter_rows.h"
#include "guard.h"

/* ------------------------------------------------------------------------------------------------ patterns */

/* `*` stands for GLOB_STAR here. Value and pattern end at pages that cannot be read. */
static bool glob(const char *value, const char *pattern, bool nocase)
{
    size_t len = strlen(value), n = strlen(pattern);
    uint8_t *v = guard_copy((const uint8_t *)value, len), *p = guard_copy((const uint8_t *)pattern, n);
    for (size_t i = 0; i < n; i++)
        p[i] = p[i] == '*' ? GLOB_STAR : p[i];
    bool match = nocase ? glob_match_nocase(v, len, p, n) : glob_match(v, len, p, n);
    guard_free(v, len);
    guard_free(p, n);
    return match;
}

static void test_glob(void **state)
{
    (void)state;
    static const struct {
        const char *value, *pattern;
        bool match;
    } cases[] = {
        { "", "", true },
        { "a", "", false },
        { "", "a", false },
        { "", "*", true },
        { "abc", "*", true },
        { "abc", "**", true },
        { "abc", "abc", true },
        { "abc", "abcd", false },
        { "abc", "ab", false },
        { "abc", "a*", true },
        { "abc", "b*", false },
        { "abc", "*c", true },
        { "abc", "*b", false },
        { "abc", "a*c", true },
        { "ac", "a*c", true },
        { "a", "a*a", false },
        { "aa", "a*a", true },
        { "abab", "ab*ab", true },
        { "aba", "ab*ba", false },
        { "abc", "*b*", true },
        { "abc", "*d*", false },
        { "abc", "*a*b*c*", true },
        { "abc", "*a*c*b*", false },
        { "abcbc", "*bc", true },
        { "aXbXc", "a*b*c", true },
        { "aXbXcd", "a*b*c", false },
        { "xaabx", "*aab*", true },
        { "ab", "*a*b*b*", false },
        { "abc", "a**c", true },
        { "ab", "ab*ab", false },
        { "abcabd", "*ab*d", true },
        { "a*b", "a*b", true },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        for (unsigned nocase = 0; nocase < 2; nocase++)
            if (glob(cases[i].value, cases[i].pattern, nocase != 0) != cases[i].match)
                fail_msg("'%s' by '%s'", cases[i].value, cases[i].pattern);
}

static void test_glob_case(void **state)
{
    (void)state;
    assert_true(glob("AbC", "abc", true));
    assert_false(glob("AbC", "abc", false));
    assert_true(glob("xAbCx", "*abc*", true));
    assert_true(glob("ABxCD", "ab*cd", true));
    assert_false(glob("[", "{", true)); /* 0x5b and 0x7b differ in the bit of case, and are no letters */
    assert_false(glob("@", "`", true));
    assert_false(glob("\xc3\x84", "\xc3\xa4", true)); /* ASCII letters only */
    assert_true(glob("\xc3\xa4", "\xc3\xa4", true));
}

/* The obvious way, for short texts. */
static bool glob_slow(const uint8_t *v, size_t len, const uint8_t *p, size_t n)
{
    if (n == 0)
        return len == 0;
    if (p[0] == GLOB_STAR)
        return glob_slow(v, len, p + 1, n - 1) || (len > 0 && glob_slow(v + 1, len - 1, p, n));
    return len > 0 && v[0] == p[0] && glob_slow(v + 1, len - 1, p + 1, n - 1);
}

static void test_glob_random(void **state)
{
    (void)state;
    uint64_t rnd = 7;
    for (unsigned i = 0; i < 200000; i++) {
        uint8_t v[12], p[8];
        size_t len = prng_below(&rnd, sizeof(v) + 1), n = prng_below(&rnd, sizeof(p) + 1);
        for (size_t k = 0; k < len; k++)
            v[k] = (uint8_t)('a' + prng_below(&rnd, 2));
        for (size_t k = 0; k < n; k++)
            p[k] = prng_below(&rnd, 3) == 0 ? GLOB_STAR : (uint8_t)('a' + prng_below(&rnd, 2));
        bool expect = glob_slow(v, len, p, n);
        assert_int_equal(glob_match(v, len, p, n), expect);
        for (size_t k = 0; k < len; k++)
            v[k] = (uint8_t)(v[k] ^ (prng_below(&rnd, 2) * 0x20));
        assert_int_equal(glob_match_nocase(v, len, p, n), expect);
    }
}

/* 64 kB of 'a' against a*a*a*...b: who tries all ways does not come back. */
static void test_glob_bomb(void **state)
{
    (void)state;
    enum { VALUE = 65536, PATTERN = 8192 };
    uint8_t *value = malloc(VALUE), *pattern = malloc(PATTERN);
    assert_non_null(value);
    assert_non_null(pattern);
    memset(value, 'a', VALUE);
    for (size_t i = 0; i < PATTERN; i++)
        pattern[i] = i % 2 == 0 ? 'a' : GLOB_STAR;
    pattern[PATTERN - 2] = 'b';
    assert_false(glob_match(value, VALUE, pattern, PATTERN));
    assert_false(glob_match_nocase(value, VALUE, pattern, PATTERN));
    pattern[PATTERN - 2] = 'a';
    assert_true(glob_match(value, VALUE, pattern, PATTERN));
    assert_true(glob_match_nocase(value, VALUE, pattern, PATTERN));
    memset(pattern, 'a', PATTERN); /* one long piece that is nowhere */
    pattern[0] = pattern[PATTERN - 1] = GLOB_STAR;
    pattern[PATTERN - 2] = 'b';
    assert_false(glob_match(value, VALUE, pattern, PATTERN));
    assert_false(glob_match_nocase(value, VALUE, pattern, PATTERN));
    free(value);
    free(pattern);
}

/* A piece over the border of the window in which case is ignored. */
static void test_glob_window(void **state)
{
    (void)state;
    enum { VALUE = 70000 };
    uint8_t *value = malloc(VALUE);
    static const uint8_t pattern[] = { GLOB_STAR, 'n', 'e', 'e', 'd', 'l', 'e', GLOB_STAR };
    assert_non_null(value);
    for (size_t at = 0; at < VALUE - 6; at += at < 400 ? 1 : 211) {
        memset(value, 'N', VALUE);
        memcpy(value + at, "NeEdLe", 6);
        assert_true(glob_match_nocase(value, VALUE, pattern, sizeof(pattern)));
        assert_false(glob_match_nocase(value, at + 5, pattern, sizeof(pattern)));
    }
    free(value);
}

/* ------------------------------------------------------------------------------------------------ rows */

static struct test_row row;
static uint8_t src[16], dst[16];

static int make_row(void **state)
{
    (void)state;
    test_row_clear(&row, RECORD_SIP);
    test_row_text(&row, "call_id", "abc@host");
    test_row_text(&row, "from_user", "+15551234");
    test_row_text(&row, "from_host", "Example.COM");
    test_row_text(&row, "to_user", "bob");
    test_row_text(&row, "to_host", "2001:DB8::1");
    test_row_text(&row, "ruri_user", "sos");
    test_row_text(&row, "contact_user", "\xc3\xa4rger");
    test_row_text(&row, "method", "INVITE");
    test_row_number(&row, "status", 486);
    test_row_number(&row, "q850_cause", 0);
    test_row_number(&row, "payload_type", 1);
    test_row_text(&row, "user_agent", "Asterisk PBX 18.1");
    test_row_text(&row, "parse_error", "via,cseq,uri");
    test_row_text(&row, "headers", "X-A: 1\nX-B: Two\nX-C: 3,4");
    test_row_text(&row, "sdp_ip", "10.9.9.9");
    test_row_text(&row, "sdp_media", "audio PCMU/8000");
    test_row_text(&row, "session_id_remote", "deadBEEF");
    test_row_text(&row, "sender", "192.0.2.7");
    test_row_text(&row, "transport", "udp");
    test_row_addr(&row, "src_ip", "src_addr", "10.0.0.1", src);
    test_row_addr(&row, "dst_ip", "dst_addr", "2001:db8::5", dst);
    test_row_number(&row, "src_port", 5060);
    test_row_number(&row, "dst_port", 5062);
    return 0;
}

static void check(const char *text, bool expect)
{
    struct filter *f = test_filter(text);
    if (test_row_matches(f, &row) != expect)
        fail_msg("%s %s", text, expect ? "does not match" : "matches");
    filter_free(f);
}

static void yes(const char *text)
{
    check(text, true);
}

static void no(const char *text)
{
    check(text, false);
}

static void test_texts(void **state)
{
    (void)state;
    yes("");
    yes("callid:abc@host");
    no("callid:ABC@host");
    no("callid:abc");
    yes("callid:abc*");
    yes("callid:*@host");
    yes("callid:*c@h*");
    yes("callid:a*c*t");
    no("callid:a\\*");
    yes("method:invite");
    yes("method:IN*");
    yes("ua:\"asterisk pbx 18.1\"");
    yes("ua:*PBX*");
    no("ua:pbx");
    yes("session:DEADBEEF");
    yes("sdp:10.9.9.9");
    yes("sdp:*pcmu*");
    no("icid:*");
    yes("transport:UDP");
    yes("error:via error:cseq error:uri error:*");
    no("error:v");
    yes("error:v* error:cs*");
    yes("header:\"x-a: 1\" header:\"X-B: two\" header:\"X-C: 3,4\"");
    no("header:\"X-B: T\"");
    yes("header:X-B*");
}

static void test_users(void **state)
{
    (void)state;
    yes("from:+15551234");
    yes("from:+1555*");
    no("from:1555*");
    yes("from:*1234");
    yes("from:tel:+15551234");
    yes("from:+1555*@example.com");
    yes("from:@EXAMPLE.com");
    yes("from:@*.com");
    no("from:bob@example.com");
    no("from:+15551234@other");
    yes("from:sip:example.com");
    yes("from:sip:+15551234");
    yes("to:bob@[2001:db8::1]");
    yes("to:sip:bob@[2001:db8::1]:5060;transport=tcp");
    yes("ruri:urn:sos");
    no("ruri:@*");
    yes("contact:\xc3\xa4*");
    no("contact:\xc3\x84*");
    yes("contact:\xc3\xa4rger");
    yes("user:bob");
    yes("user:+1555*");
    yes("user:bob@*");
    no("user:bob@example.com"); /* user and host of one URI */
    no("pai:*");
}

static void test_numbers(void **state)
{
    (void)state;
    yes("status:486");
    yes("status:4xx");
    yes("status:48*");
    no("status:5xx");
    yes("status:>=486 status:<=486 status:>485 status:<487 status:*");
    no("status:>486");
    yes("cause:0");
    yes("cause:*");
    no("cseq:*");
    no("cseq:0");
    yes("port:5062");
    no("port:5061");
    yes("type:sip");
    yes("type:1");
    no("type:rtcp");
    no("type:media");
    yes("type:*");
}

static void test_addresses(void **state)
{
    (void)state;
    yes("src:10.0.0.1");
    yes("src:10.0.0.1:5060");
    no("src:10.0.0.1:5062");
    yes("src::5060");
    yes("src:10.0.0.0/8");
    yes("src:10.0.0.0/31");
    no("src:10.0.0.2/31");
    yes("src:0.0.0.0/0");
    no("dst:0.0.0.0/0");
    yes("dst:2001:db8::/32");
    yes("dst:[2001:db8::5]:5062");
    yes("dst:2001:db8:*");
    yes("src:10.0.*");
    yes("src:10.*:5060");
    yes("ip:10.0.0.1 ip:2001:db8::5 ip:::/0");
    no("ip:10.0.0.1:5062"); /* address and port of one side */
    yes("ip:*:5062");
    yes("sender:192.0.2.7");
    yes("sender:192.0.2.0/24");
    no("sender:192.0.3.0/24");
    yes("sender:192.*");
}

static void test_lists(void **state)
{
    (void)state;
    yes("status:486,487");
    yes("status:1xx,486..488");
    yes("status:480..486");
    yes("status:486..");
    no("status:1xx,480..485,487");
    no("status:200,300,500,600..699");
    yes("callid:x,abc@host,y");
    no("callid:x,ABC@host,y");
    yes("callid:x,abc*");
    yes("method:bye,invite");
    no("method:bye,ack");
    yes("src:10.0.0.9,10.0.0.1,192.0.2.0/24");
    no("src:10.0.0.9,10.0.0.0,192.0.2.0/24");
    yes("src:10.0.0.9,10.0.0.0/8,10.1.0.0/16");
    yes("ip:1.1.1.1,2001:db8::5");
    yes("ip:1.1.1.1:5060,10.0.0.1:5060");
    yes("user:alice,bob");
    yes("type:rtcp,sip");
    no("type:rtcp,dns");
    yes("error:uri,x");
    yes("callid:?");
    no("icid:?");
    yes("NOT icid:?");
    yes("NOT status:486,487 OR to:bob");
    no("NOT status:486,487");
}

static const char invite[] = "INVITE sip:bob@x SIP/2.0\r\n"
                             "i: abc\r\n"
                             "Subject: Hello  World\r\n"
                             "X-Foo: one\r\n"
                             "x-foo: two,three\r\n"
                             "X-Folded: a\r\n b\r\n"
                             "X-Empty:\r\n"
                             "\r\n"
                             "v=0\r\nm=audio 4000 RTP/AVP 0\r\na=SendOnly\r\n";

static void test_payloads(void **state)
{
    (void)state;
    test_row_text(&row, "payload", invite);
    yes("header.Call-ID:abc header.i:abc header.CALL-ID:ABC");
    no("header.call-id:ab");
    yes("header.Subject:\"hello  world\" header.s:hello*");
    yes("header.x-foo:one header.X-FOO:zero,\"two,three\"");
    no("header.x-foo:\"one,two\"");
    yes("header.x-foo:\"two,three\"");
    yes("header.x-folded:a*b");
    yes("header.x-empty:? header.x-foo:?");
    no("header.x-none:?");
    yes("NOT header.x-none:?");
    yes("header.x-foo:/^t.o/");
    no("header.x-foo:/^T.o/");
    yes("header.x-foo:/^T.o/i");
    yes("body:sendonly body:m=audio*rtp/avp");
    no("body:subject");
    yes("body:/^a=Send/");
    no("body:/^Subject/");
    yes("payload:subject payload:sendonly payload:\"INVITE sip:\"");
    yes("payload:/^Subject: *Hello +World$/");
    yes("body:* payload:?");
    no("body:x");
    struct test_row media;
    test_row_clear(&media, RECORD_MEDIA);
    test_row_text(&media, "payload", "{\"a\":1}\r\n\r\nx");
    static const struct {
        const char *text;
        bool match;
    } cases[] = { { "body:{*a", true }, { "payload:a", true }, { "header.a:?", false }, { "NOT header.a:?", true } };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct filter *f = test_filter(cases[i].text);
        if (test_row_matches(f, &media) != cases[i].match)
            fail_msg("%s", cases[i].text);
        filter_free(f);
    }
    row.cells[test_column(RECORD_SIP, "payload")] = (struct record_cell){ .null = true };
    no("payload:?");
}

static void test_regexes(void **state)
{
    (void)state;
    yes("ua:/^Asterisk PBX \\d+/");
    no("ua:/^asterisk/");
    yes("ua:/^asterisk/i");
    yes("from:/^\\+1555/");
    no("from:/example/"); /* the user */
    yes("user:/^b.b$/");
    yes("src:/^10\\./ ip:/::5$/ sender:/^192/");
    yes("method:/INV|BYE/");
    yes("header:/^X-B: T/");
    yes("contact:/^\xc3\xa4./");
    yes("contact:/^[\xc3\xa4\xc3\xb6]r/");
    yes("contact:/^\xc3\x84/i");
    yes("icid:/x/ OR callid:/@host$/");
    no("icid:/^$/");
    yes("NOT icid:/^$/");
}

/* An expression that tries all ways is given up, which is counted, and after some of that it is tried no more. */
static void test_regex_bomb(void **state)
{
    (void)state;
    struct test_row bomb = row;
    test_row_text(&bomb, "user_agent", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab");
    struct filter *f = test_filter("ua:/^(a+)+$/");
    assert_false(test_row_matches(f, &row));
    assert_int_equal(filter_gave_up(f), 0);
    for (unsigned i = 1; i <= 200; i++) {
        assert_false(test_row_matches(f, &bomb));
        assert_int_equal(filter_gave_up(f), i);
    }
    filter_free(f);
    f = test_filter("NOT ua:/(a|aa)+$/ ua:a*");
    assert_true(test_row_matches(f, &bomb));
    assert_int_equal(filter_gave_up(f), 1);
    filter_free(f);
}

/* Of a long value the beginning is looked at: what is there is found, else it is given up. */
static void test_regex_long(void **state)
{
    (void)state;
    enum { LENGTH = REGEX_SUBJECT_MAX + 100 };
    struct test_row big = row;
    char *text = malloc(LENGTH);
    assert_non_null(text);
    memset(text, 'a', LENGTH);
    text[0] = 'x';
    text[LENGTH - 1] = 'y';
    test_row_octets(&big, "payload", text, LENGTH);
    static const struct {
        const char *text;
        bool match;
        unsigned gave_up;
    } cases[] = { { "payload:/^xa/", true, 0 }, { "payload:/y/", false, 1 }, { "payload:/a$/", false, 1 },
                  { "payload:/b/", false, 1 },  { "payload:xaa", true, 0 },  { "payload:aay", true, 0 },
                  { "payload:/a*b/", false, 1 } };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct filter *f = test_filter(cases[i].text);
        if (test_row_matches(f, &big) != cases[i].match || filter_gave_up(f) != cases[i].gave_up)
            fail_msg("%s", cases[i].text);
        filter_free(f);
    }
    /* That it saw a part is no reason to try no more. */
    struct filter *f = test_filter("payload:/y/ OR ua:/PBX/");
    for (unsigned i = 0; i < 300; i++)
        assert_true(test_row_matches(f, &big) && filter_gave_up(f) <= i + 1);
    filter_free(f);
    f = test_filter("payload:/y/,/^xa/");
    for (unsigned i = 1; i <= 300; i++)
        assert_true(test_row_matches(f, &big));
    filter_free(f);
    free(text);
}

static void test_regex_function(void **state)
{
    (void)state;
    static const uint8_t bomb[] = "r^(a+)+$", value[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab", good[] = "aaa";
    uint64_t before = regex_function_gave_up();
    for (unsigned i = 1; i <= REGEX_GIVE_UPS; i++) {
        assert_true(regex_function(good, 3, bomb, sizeof(bomb) - 1));
        assert_false(regex_function(value, sizeof(value) - 1, bomb, sizeof(bomb) - 1));
        assert_int_equal(regex_function_gave_up() - before, i);
    }
    assert_false(regex_function(good, 3, bomb, sizeof(bomb) - 1)); /* tried no more */
    assert_false(regex_function(good, 3, (const uint8_t *)"r(", 2));
    assert_false(regex_function(good, 3, (const uint8_t *)"", 0));
    assert_int_equal(regex_function_gave_up() - before, REGEX_GIVE_UPS + 3);
    assert_true(regex_function((const uint8_t *)"AAA", 3, (const uint8_t *)"Ra", 2));
}

static void test_times(void **state)
{
    (void)state;
    test_row_number(&row, "ts", 1769817600000000);
    yes("ts:>=2026-01-31");
    no("ts:>2026-01-31");
    yes("ts:2026-01-30..2026-01-31");
    yes("ts:<-1s");
    no("ts:>-1s");
    no("ts:..2026-01-30,2026-02-01..");
    yes("ts:..2026-01-30,2026-01-31..");
}

/* ------------------------------------------------------------------------------------------------ phone numbers */

static void check_phone(const struct filter_rules *rules, const char *text, const char *expect)
{
    char out[PHONE_DIGITS_MAX + 2];
    size_t n = phone_canonical(rules, (const uint8_t *)text, strlen(text), out);
    if (n != strlen(expect) || memcmp(out, expect, n) != 0)
        fail_msg("%s: %.*s, not %s", text, (int)n, out, expect);
}

static void test_phone_forms(void **state)
{
    (void)state;
    struct filter_rules none, de, us, es;
    filter_rules_default(&none);
    assert_true(filter_rules_set(&de, "49", "00", "0"));
    assert_true(filter_rules_set(&us, "1", "011", ""));
    assert_true(filter_rules_set(&es, "34", "00", ""));
    assert_false(filter_rules_set(&es, "+34", "00", ""));
    assert_false(filter_rules_set(&es, "34", "00", "12345678"));
    check_phone(&none, "+49 30 1234", "+49301234");
    check_phone(&none, "0049301234", "+49301234");
    check_phone(&none, "01149301234", "+49301234");
    check_phone(&none, "49301234", "+49301234");
    check_phone(&none, "030/1234", "0301234");
    check_phone(&none, "1234567", "1234567");
    check_phone(&none, "00", "00");
    check_phone(&none, "bob", "");
    check_phone(&none, "", "");
    check_phone(&none, "+", "");
    check_phone(&none, "1+2", "");
    check_phone(&none, "++1", "");
    check_phone(&none, "12345678901234567890123456789012", "+12345678901234567890123456789012");
    check_phone(&none, "123456789012345678901234567890123", "");
    check_phone(&de, "+49 30 1234", "+49301234");
    check_phone(&de, "0049 30 1234", "+49301234");
    check_phone(&de, "030/1234", "+49301234");
    check_phone(&de, "(030) 12-34", "+49301234");
    check_phone(&de, "49301234567", "+49301234567");
    check_phone(&de, "4912345", "4912345"); /* of a place: too short for a country */
    check_phone(&de, "1234", "1234");
    check_phone(&de, "0", "0");
    check_phone(&us, "5551234567", "+15551234567");
    check_phone(&us, "15551234567", "+15551234567");
    check_phone(&us, "011 49 30 1234", "+49301234");
    check_phone(&us, "911", "911");
}

static void test_phones(void **state)
{
    (void)state;
    yes("num:+15551234");
    yes("num:\"+1 (555) 12-34\"");
    yes("num:0015551234");
    yes("num:15551234");
    yes("num:*1234 num:+1555* num:*555*");
    no("num:5551234");
    struct filter_options o = { .now_us = 0 };
    struct filter *f;
    struct filter_error err;
    assert_true(filter_rules_set(&o.rules, "1", "011", ""));
    assert_int_equal(filter_parse_with(&f, "num:5551234", 11, &o, &err), 0);
    assert_true(test_row_matches(f, &row)); /* seven digits are a number of the country */
    filter_free(f);
}

/* Two-valued: a test of NULL is false, so NOT of it is true. */
static void test_trees(void **state)
{
    (void)state;
    yes("NOT icid:x");
    no("NOT NOT icid:x");
    no("NOT callid:*");
    yes("NOT (icid:x OR cseq:1)");
    yes("NOT (icid:x callid:*)");
    no("NOT (icid:x OR callid:*)");
    yes("(to:bob OR to:alice) (status:1xx OR status:4xx)");
    no("(to:bob OR to:alice) (status:1xx OR status:2xx)");
    yes("to:x OR to:y OR to:bob");
    yes("NOT type:media");
    no("NOT type:sip");
}

/* Other tables have no column of SIP: NULL. */
static void test_tables(void **state)
{
    (void)state;
    struct test_row media;
    test_row_clear(&media, RECORD_MEDIA);
    test_row_number(&media, "payload_type", 5);
    test_row_text(&media, "correlation_id", "abc");
    struct {
        const char *text;
        bool match;
    } cases[] = {
        { "corr:abc", true },      { "callid:*", false },
        { "NOT callid:*", true },  { "type:rtcp", true },
        { "type:media", true },    { "type:rtp", false },
        { "type:sip", false },     { "NOT type:sip", true },
        { "type:* corr:*", true }, { "callid:x OR corr:abc", true },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct filter *f = test_filter(cases[i].text);
        if (test_row_matches(f, &media) != cases[i].match)
            fail_msg("%s", cases[i].text);
        filter_free(f);
    }
}

/* Octets that are not what the column should hold do no harm. */
static void test_odd_cells(void **state)
{
    (void)state;
    struct test_row odd = row;
    test_row_octets(&odd, "src_addr", "1234", 4);
    test_row_octets(&odd, "from_user", "", 0);
    test_row_octets(&odd, "to_user", "b\0b", 3);
    test_row_text(&odd, "sender", "who");
    static const struct {
        const char *text;
        bool match;
    } cases[] = {
        { "src:0.0.0.0/0", false }, { "src:::/0", false }, { "from:x", false }, { "to:b", false },
        { "sender:::/0", false },   { "from:*", true },    { "to:b*b", true },  { "to:b*", true },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct filter *f = test_filter(cases[i].text);
        if (test_row_matches(f, &odd) != cases[i].match)
            fail_msg("%s", cases[i].text);
        filter_free(f);
    }
}

/* filter_eval() asks for the leaves that it needs, and no more. */
static bool count_leaf(void *arg, size_t leaf)
{
    unsigned *asked = arg;
    (void)leaf;
    (*asked)++;
    return false;
}

static void test_eval(void **state)
{
    (void)state;
    unsigned asked = 0;
    struct filter *f = test_filter("callid:a from:b to:c");
    assert_false(filter_eval(f, count_leaf, &asked));
    assert_int_equal(asked, 1);
    filter_free(f);
    asked = 0;
    f = test_filter("callid:a OR from:b OR to:c");
    assert_false(filter_eval(f, count_leaf, &asked));
    assert_int_equal(asked, 3);
    filter_free(f);
}

/* Cheap tests come first, whatever the order of the text is. */
static void test_order(void **state)
{
    (void)state;
    struct filter *f = test_filter("callid:a*b*c from:@X status:486 to:bob");
    static const char *const order[] = { "status", "to_user", "from_host", "call_id" };
    size_t i = 0;
    for (const struct filter_node *c = f->root->first; c != NULL; c = c->next, i++) {
        const struct filter_node *leaf = c;
        while (leaf->kind != FILTER_LEAF)
            leaf = leaf->first;
        assert_string_equal(f->leaves[leaf->leaf].name, order[i]);
    }
    assert_int_equal(i, 4);
    assert_string_equal(filter_text(f), "callid:a*b*c from:@x status:486 to:bob");
    filter_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_glob),        cmocka_unit_test(test_glob_case),      cmocka_unit_test(test_glob_random),
        cmocka_unit_test(test_glob_bomb),   cmocka_unit_test(test_glob_window),    cmocka_unit_test(test_texts),
        cmocka_unit_test(test_users),       cmocka_unit_test(test_numbers),        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_trees),       cmocka_unit_test(test_tables),         cmocka_unit_test(test_odd_cells),
        cmocka_unit_test(test_payloads),    cmocka_unit_test(test_regexes),        cmocka_unit_test(test_regex_bomb),
        cmocka_unit_test(test_regex_long),  cmocka_unit_test(test_regex_function), cmocka_unit_test(test_times),
        cmocka_unit_test(test_phone_forms), cmocka_unit_test(test_phones),         cmocka_unit_test(test_lists),
        cmocka_unit_test(test_eval),        cmocka_unit_test(test_order),
    };
    return cmocka_run_group_tests(tests, make_row, NULL);
}
