/* Times, printable text, columns and rows as JSON. */
#include "base/when.h"
#include "fake_store.h"
#include "query/columns.h"
#include "query/printable.h"
#include "query/row_json.h"
#include "query/search.h"
#include "testlib.h"

#define NOW INT64_C(1767225600000000) /* 2026-01-01T00:00:00Z */
#define S   INT64_C(1000000)

static void times_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t us;
    } good[] = {
        { "now", NOW },
        { "-1h", NOW - 3600 * S },
        { "-15m", NOW - 900 * S },
        { "-1h30m", NOW - 5400 * S },
        { "+10s", NOW + 10 * S },
        { "-500ms", NOW - S / 2 },
        { "-1.5s", NOW - 3 * S / 2 },
        { "-90", NOW - 90 * S },
        { "-2d", NOW - 172800 * S },
        { "-1w", NOW - 604800 * S },
        { "0", 0 },
        { "1767225600", NOW },
        { "1767225600.25", NOW + S / 4 },
        { "1767225600.1234567", NOW + 123456 },
        { "2026-01-01T00:00:00Z", NOW },
        { "2026-01-01t00:00:00z", NOW },
        { "2026-01-01 00:00:00Z", NOW },
        { "2026-01-01T02:00:00+02:00", NOW },
        { "2025-12-31T19:00:00-0500", NOW },
        { "2026-01-01T00:00:00.123456Z", NOW + 123456 },
        { "2026-01-01T00:00:00.5", NOW + S / 2 },
        { "2026-01-01T00:00", NOW },
        { "2026-01-01", NOW },
        { "2024-02-29", INT64_C(1709164800) * S },
        { "2016-12-31T23:59:60Z", INT64_C(1483228799) * S },
        { "1969-12-31T23:59:59Z", -S },
        { "9999-12-31T23:59:59.999999Z", INT64_C(253402300799999999) },
    };
    static const char *const bad[] = {
        "",
        "soon",
        "-",
        "-1x",
        "1h",
        "--1h",
        "-1h ",
        " -1h",
        "2026-13-01",
        "2026-02-29",
        "2026-01-00",
        "2026-01-01T24:00Z",
        "2026-1-1",
        "2026-01-01T",
        "0000-01-01",
        "-1h30",
        "2026-01-01T00:00:00.Z",
        "1767225600.",
        "99999999999999999999",
        "253402300800",
        "-99999999999w",
        "2026-01-01T00:00:00+25:00",
        "2026-01-01T00:00:00ZZ",
        "now ",
        "1e9",
        "0x10",
        "-1h-1h",
    };
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        int64_t us = 1;
        if (!when_parse(good[i].text, strlen(good[i].text), NOW, &us) || us != good[i].us)
            fail_msg("%s: %lld", good[i].text, (long long)us);
    }
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        int64_t us = 1;
        if (when_parse(bad[i], strlen(bad[i]), NOW, &us))
            fail_msg("'%s' was read as %lld", bad[i], (long long)us);
    }
}

static void durations_are_bounded(void **state)
{
    (void)state;
    int64_t us = 0;
    assert_true(when_duration("90", 2, 100 * S, &us));
    assert_int_equal(us, 90 * S);
    assert_true(when_duration("1m1.5s", 6, 100 * S, &us));
    assert_int_equal(us, 61 * S + S / 2);
    assert_false(when_duration("101", 3, 100 * S, &us));
    assert_false(when_duration("4294967295w", 11, INT64_MAX / 4, &us));
    assert_false(when_duration("", 0, 100 * S, &us));
}

static void times_are_written(void **state)
{
    (void)state;
    static const struct {
        int64_t us;
        const char *text;
    } rows[] = { { NOW + 1, "2026-01-01T00:00:00.000001Z" },
                 { -1, "1969-12-31T23:59:59.999999Z" },
                 { 0, "1970-01-01T00:00:00.000000Z" } };
    char text[WHEN_TEXT_MAX];
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        size_t len = when_format(rows[i].us, text);
        assert_string_equal(text, rows[i].text);
        assert_int_equal(len, strlen(text));
    }
    assert_true(when_format(INT64_MIN, text) < WHEN_TEXT_MAX);
    assert_true(when_format(INT64_MAX, text) < WHEN_TEXT_MAX);
}

static void printed(const char *text, size_t len, bool ascii, size_t max, const char *expect)
{
    struct printable p = { ascii };
    struct buf b;
    buf_init(&b, 4096);
    size_t n = printable_put(&b, &p, (struct hep_slice){ (const uint8_t *)text, len }, max);
    buf_putc(&b, '\0');
    assert_string_equal((const char *)b.ptr, expect);
    assert_true(n <= max);
    buf_free(&b);
}

static void nothing_moves_the_cursor(void **state)
{
    (void)state;
    printed("plain", 5, false, 99, "plain");
    printed("a\x1b[2Jb", 6, true, 99, "a?[2Jb");
    printed("a\x1b[2Jb", 6, false, 99, "a\xef\xbf\xbd[2Jb");
    printed("\x7f\r\n\t\0", 5, true, 99, "?????");
    printed("\xc2\x9b"
            "31m",
            5, false, 99,
            "\xef\xbf\xbd"
            "31m"); /* CSI as one character */
    printed("\xe2\x80\xae"
            "x",
            4, false, 99,
            "\xef\xbf\xbd"
            "x"); /* right to left */
    printed("\xff"
            "x",
            2, false, 99,
            "\xef\xbf\xbd"
            "x");
    printed("J\xc3\xbcrgen", 7, false, 99, "J\xc3\xbcrgen");
    printed("J\xc3\xbcrgen", 7, true, 99, "J?rgen");
    printed("abcdef", 6, true, 4, "abc~");
    printed("abcdef", 6, false, 4, "abc\xe2\x80\xa6");
    printed("abcdef", 6, true, 6, "abcdef");
    printed("abcdef", 6, true, 0, "");
}

static void columns_are_named(void **state)
{
    (void)state;
    struct columns c;
    struct errmsg err = { "" };
    assert_int_equal(columns_parse(&c, "ts, method,kind", 15, &err), 0);
    assert_true(store_columns_has(&c.table[RECORD_SIP], RECORD_COL_ts));
    assert_true(store_columns_has(&c.table[RECORD_SIP], RECORD_SIP_COL_method));
    assert_false(store_columns_has(&c.table[RECORD_SIP], RECORD_SIP_COL_status));
    assert_true(store_columns_has(&c.table[RECORD_LOG], RECORD_KIND_COL_kind));
    assert_false(store_columns_has(&c.table[RECORD_LOG], RECORD_COL_seq));
    assert_int_equal(columns_parse(&c, "ts,metod", 8, &err), -1);
    assert_string_equal(err.text, "unknown column 'metod'");
    assert_int_equal(columns_parse(&c, "ts,", 3, &err), -1);
    assert_int_equal(columns_parse(&c, "src_addr", 8, &err), -1);
    assert_int_equal(columns_parse(&c, "", 0, &err), -1);
    columns_all(&c, COLUMNS_LOG_PAYLOAD);
    assert_false(store_columns_has(&c.table[RECORD_SIP], RECORD_COL_payload));
    assert_false(store_columns_has(&c.table[RECORD_SIP], RECORD_COL_src_addr));
    assert_true(store_columns_has(&c.table[RECORD_LOG], RECORD_COL_payload));
    struct store_columns all = columns_union(&c, RECORD_TABLES_ALL);
    assert_true(store_columns_has(&all, RECORD_COL_payload));
    assert_true(store_columns_has(&all, RECORD_SIP_COL_parse_error));
}

static void json_is(const struct record *r, const char *columns, const char *expect)
{
    struct record_cell cells[RECORD_COLUMNS_MAX];
    char texts[RECORD_COLUMNS_MAX][48];
    struct columns c;
    struct errmsg err;
    struct buf b;
    if (columns == NULL)
        columns_all(&c, COLUMNS_PAYLOAD);
    else
        assert_int_equal(columns_parse(&c, columns, strlen(columns), &err), 0);
    fake_cells(r, cells, texts);
    buf_init(&b, 1 << 20);
    row_json(&b, r->table, cells, &c.table[r->table]);
    buf_putc(&b, '\0');
    assert_string_equal((const char *)b.ptr, expect);
    buf_free(&b);
}

static void rows_become_json(void **state)
{
    struct fake_store *f = *state;
    struct record *r = fake_store_sip(f, NOW, 7, "a\"b@h", "INVITE", 180);
    r->flags = RECORD_FLAG_SDP | RECORD_FLAG_UTF8 | 1u << 30;
    r->call_uid = 0xabc;
    r->reason = fake_slice("Ringing");
    r->sender = fake_ip("2001:db8::1");
    json_is(r, NULL,
            "{\"table\":\"sip\",\"ts\":\"2026-01-01T00:00:00.000000Z\",\"seq\":7,"
            "\"received\":\"2026-01-01T00:00:00.000000Z\",\"flags\":[\"utf8\",\"sdp\",\"bit30\"],"
            "\"call_uid\":\"0000000000000abc\",\"source\":\"network\",\"sender\":\"2001:db8::1\","
            "\"transport\":\"udp\",\"hep_version\":3,\"src_ip\":\"10.0.0.2\",\"src_port\":5060,"
            "\"dst_ip\":\"10.0.0.1\",\"dst_port\":5060,\"payload_type\":1,\"payload_len\":36,"
            "\"payload\":\"INVITE sip:b@example.org SIP/2.0\\r\\n\\r\\n\",\"method\":\"INVITE\",\"status\":180,"
            "\"reason\":\"Ringing\",\"cseq\":1,\"call_id\":\"a\\\"b@h\"}");
    r->payload = (struct hep_slice){ (const uint8_t *)"\x80\0\xff", 3 };
    r->source = RECORD_IMPORT;
    json_is(r, "payload,source,flags,ts_sent",
            "{\"table\":\"sip\",\"flags\":[\"utf8\",\"sdp\",\"bit30\"],\"source\":\"import\",\"payload\":\"gAD/\","
            "\"payload_encoding\":\"base64\"}");
    r = fake_store_add(f, RECORD_MEDIA, NOW, 8);
    r->kind = fake_slice("rtcp");
    json_is(r, "seq,kind,method,flags", "{\"table\":\"media\",\"seq\":8,\"flags\":[],\"kind\":\"rtcp\"}");
}

static void cursors_are_strict(void **state)
{
    (void)state;
    struct search_cursor c = { -5, UINT64_MAX };
    char text[SEARCH_CURSOR_MAX];
    search_cursor_format(&c, text);
    c = (struct search_cursor){ 0 };
    assert_true(search_cursor_parse(text, strlen(text), &c));
    assert_true(c.ts == -5 && c.seq == UINT64_MAX);
    static const char *const bad[] = {
        "",     "_",  "1", "1_", "_1", "1_2_3", "--1_1", "1_-1", "1_18446744073709551616", "99999999999999999999_1",
        "1 _1", "x_1"
    };
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_false(search_cursor_parse(bad[i], strlen(bad[i]), &c));
}

static int setup(void **state)
{
    *state = malloc(sizeof(struct fake_store));
    fake_store_init(*state);
    return 0;
}

static int teardown(void **state)
{
    fake_store_free(*state);
    free(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_are_read),     cmocka_unit_test(durations_are_bounded),
        cmocka_unit_test(times_are_written),  cmocka_unit_test(nothing_moves_the_cursor),
        cmocka_unit_test(columns_are_named),  cmocka_unit_test_setup_teardown(rows_become_json, setup, teardown),
        cmocka_unit_test(cursors_are_strict),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
