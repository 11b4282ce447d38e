/* Exports over a store of a few rows: pieces, limits, calls, what is partial, the formats. */
#include <errno.h>

#include "fake_store.h"
#include "query/export.h"
#include "query/row_csv.h"
#include "testlib.h"

#define NOW INT64_C(1767225600000000)

static int setup(void **state)
{
    struct fake_store *f = malloc(sizeof(*f));
    fake_store_init(f);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fake_store *f = *state;
    assert_int_equal(f->pins, 0);
    fake_store_free(f);
    free(f);
    return 0;
}

/* Rows 1 to n, of which `step` at a time have the same time and call. */
static void fill(struct fake_store *f, uint64_t n, uint64_t step)
{
    static const char *const calls[] = { "call-0", "call-1", "call-2", "call-3" };
    for (uint64_t i = 1; i <= n; i++)
        (void)fake_store_sip(f, NOW + (int64_t)(i / step), i, calls[i / step % 4], i % 2 == 0 ? "BYE" : "INVITE", -1);
}

static struct export_options options(enum export_format format)
{
    return (struct export_options){
        .format = format, .from_us = INT64_MIN, .to_us = INT64_MAX, .payload = export_kind(format)->payload
    };
}

/* All of an export, terminated; the result that it has in the end. */
struct done {
    struct buf out;
    int rc;
    size_t pieces;
    struct export_result result;
    struct errmsg err;
};

static void run(struct fake_store *f, const struct export_options *o, struct done *d)
{
    struct export *e = NULL;
    *d = (struct done){ .rc = 1 };
    buf_init(&d->out, (size_t)64 << 20);
    if (export_open(&e, &f->base, o, &d->err) != 0)
        fail_msg("%s", d->err.text);
    while (d->rc > 0) {
        struct buf piece;
        buf_init(&piece, (size_t)8 << 20);
        d->rc = export_next(e, &piece, &d->err);
        buf_put(&d->out, piece.ptr, piece.len);
        buf_free(&piece);
        d->pieces++;
    }
    buf_putc(&d->out, '\0');
    d->result = *export_result(e);
    export_close(e);
}

/* The numbers of the rows, by a CSV of them: "1 2 3". */
static void rows_are(struct fake_store *f, struct export_options o, const char *expect)
{
    struct done d;
    char seen[1024] = "";
    size_t len = 0;
    o.format = EXPORT_CSV;
    o.columns = "seq";
    o.payload = false;
    run(f, &o, &d);
    if (d.rc != 0)
        fail_msg("%s", d.err.text);
    const char *at = strstr((const char *)d.out.ptr, "\r\n") + 2;
    for (const char *end; (end = strstr(at, "\r\n")) != NULL; at = end + 2)
        len += (size_t)snprintf(seen + len, sizeof(seen) - len, "%s%.*s", len > 0 ? " " : "", (int)(end - at), at);
    assert_string_equal(seen, expect);
    buf_free(&d.out);
}

/* ------------------------------------------------------------------------------------------------ pieces and limits */

static void all_come_in_order_whatever_the_pieces(void **state)
{
    struct fake_store *f = *state;
    fill(f, 12, 3);
    for (size_t rows = 1; rows < 15; rows++) {
        struct export_options o = options(EXPORT_CSV);
        o.scan_rows = rows;
        rows_are(f, o, "1 2 3 4 5 6 7 8 9 10 11 12");
        o.limit = 5;
        rows_are(f, o, "8 9 10 11 12");
        o.oldest_first = true;
        rows_are(f, o, "1 2 3 4 5");
        o.limit = 100;
        rows_are(f, o, "1 2 3 4 5 6 7 8 9 10 11 12");
        o.oldest_first = false;
        rows_are(f, o, "1 2 3 4 5 6 7 8 9 10 11 12");
        o.limit = 0;
        o.from_us = NOW + 1;
        o.to_us = NOW + 3;
        rows_are(f, o, "3 4 5 6 7 8");
    }
}

static void a_filter_chooses(void **state)
{
    struct fake_store *f = *state;
    struct export_options o = options(EXPORT_CSV);
    struct filter *filter = NULL;
    struct filter_error err;
    fill(f, 10, 1);
    assert_int_equal(filter_parse(&filter, "method:BYE", 10, &err), 0);
    o.filter = filter;
    o.scan_rows = 2;
    rows_are(f, o, "2 4 6 8 10");
    filter_free(filter);
}

/* What comes with a later time while an export is under way does not make it longer. */
static void what_comes_later_is_not_in_it(void **state)
{
    struct fake_store *f = *state;
    struct export_options o = options(EXPORT_JSONL);
    struct export *e = NULL;
    struct errmsg err;
    struct buf out;
    uint64_t seq = 6;
    int rc = 1;
    fill(f, seq, 1);
    o.scan_rows = 2;
    assert_int_equal(export_open(&e, &f->base, &o, &err), 0);
    buf_init(&out, (size_t)8 << 20);
    for (int i = 0; rc > 0; i++) {
        rc = export_next(e, &out, &err);
        assert_true(rc >= 0 && i < 10);
        seq++;
        (void)fake_store_sip(f, NOW + (int64_t)seq, seq, "late", "INVITE", -1);
    }
    assert_int_equal(export_result(e)->count, 6);
    assert_true(export_result(e)->exact);
    export_close(e);
    buf_free(&out);
}

static void a_limit_says_that_there_may_be_more(void **state)
{
    struct fake_store *f = *state;
    struct export_options o = options(EXPORT_TEXT);
    struct done d;
    fill(f, 10, 1);
    for (uint64_t limit = 9; limit <= 11; limit++) {
        o.limit = limit;
        run(f, &o, &d);
        assert_int_equal(d.result.more, limit <= 10);
        assert_true(d.result.exact);
        assert_int_equal(d.result.count, limit < 10 ? limit : 10);
        buf_free(&d.out);
    }
}

static void nothing_is_a_file_too(void **state)
{
    static const size_t sizes[EXPORT_FORMATS] = { [EXPORT_PCAP] = 24, [EXPORT_PCAPNG] = 24 + 4 + 20 };
    struct done d;
    for (int i = 0; i < EXPORT_FORMATS; i++) {
        struct export_options o = options((enum export_format)i);
        run(*state, &o, &d);
        assert_int_equal(d.rc, 0);
        assert_int_equal(d.result.count, 0);
        if (i != EXPORT_CSV)
            assert_int_equal(d.out.len - 1, sizes[i]);
        else
            assert_string_equal((const char *)d.out.ptr, ROW_CSV_USUAL "\r\n");
        buf_free(&d.out);
    }
}

/* ------------------------------------------------------------------------------------------------ calls */

static void whole_calls(void **state)
{
    struct fake_store *f = *state;
    struct export_options o = options(EXPORT_CSV);
    struct filter *filter = NULL;
    struct filter_error err;
    fill(f, 16, 2); /* call-0: 1, 8, 9, 16; call-1: 2, 3, 10, 11; call-2: 4, 5, 12, 13; call-3: 6, 7, 14, 15 */
    struct record *rtcp = fake_store_add(f, RECORD_MEDIA, NOW + 1, 17);
    rtcp->correlation_id = fake_slice("call-1");
    (void)fake_store_add(f, RECORD_OTHER, NOW, 18); /* of no call */
    assert_int_equal(filter_parse(&filter, "", 0, &err), 0);
    o.filter = filter;
    for (size_t rows = 1; rows < 20; rows += 3) {
        o.scan_rows = rows;
        o.calls = true;
        o.call_ids = NULL;
        o.from_us = NOW + 1;
        o.to_us = NOW + 2;
        rows_are(f, o, "2 3 17 10 11"); /* the calls, whenever they were */
        o.from_us = INT64_MIN;
        o.to_us = NOW + 1;
        rows_are(f, o, "1 18 8 9 16"); /* what belongs to no call stands for itself */
        o.limit = 1;
        o.to_us = INT64_MAX;
        rows_are(f, o, "1 8 9 16"); /* of the newest one that matches */
        o.calls = false;
        o.call_ids = "call-3,call-1,nobody";
        o.limit = 0;
        rows_are(f, o, "2 3 17 6 7 10 11 14 15");
        o.limit = 2;
        rows_are(f, o, "14 15");
        o.oldest_first = true;
        rows_are(f, o, "2 3");
        o.from_us = NOW + 5;
        o.limit = 0;
        o.oldest_first = false;
        rows_are(f, o, "10 11 14 15");
    }
    filter_free(filter);
}

static void more_calls_than_one_export_holds(void **state)
{
    struct fake_store *f = *state;
    static char ids[EXPORT_CALLS + 1][16];
    struct export_options o = options(EXPORT_JSONL);
    struct done d;
    for (unsigned i = 0; i <= EXPORT_CALLS; i++) {
        (void)snprintf(ids[i], sizeof(ids[i]), "id-%u", i);
        (void)fake_store_sip(f, NOW + i, i + 1, ids[i], "INVITE", -1);
    }
    o.calls = true;
    run(f, &o, &d);
    assert_int_equal(d.rc, -E2BIG);
    assert_int_equal(d.out.len, 1);
    buf_free(&d.out);
    o.partial = true;
    run(f, &o, &d);
    assert_int_equal(d.rc, 0);
    assert_int_equal(d.result.count, EXPORT_CALLS);
    assert_true(d.result.calls_cut && !d.result.exact);
    buf_free(&d.out);
}

/* A Call-ID of a malformed message, for which no filter asks. */
static void a_call_that_cannot_be_looked_for(void **state)
{
    struct fake_store *f = *state;
    struct export_options o = options(EXPORT_JSONL);
    struct done d;
    (void)fake_store_sip(f, NOW, 1, "good", "INVITE", -1);
    (void)fake_store_sip(f, NOW + 1, 2, "b\001d", "INVITE", -1);
    o.calls = true;
    run(f, &o, &d);
    assert_int_equal(d.rc, -EINVAL);
    assert_non_null(strstr(d.err.text, "would not be whole: this Call-ID cannot be looked for"));
    buf_free(&d.out);
    o.partial = true;
    run(f, &o, &d);
    assert_int_equal(d.rc, 0);
    assert_int_equal(d.result.count, 1);
    assert_false(d.result.exact);
    buf_free(&d.out);
}

static void wrong_questions(void **state)
{
    struct fake_store *f = *state;
    static const struct {
        enum export_format format;
        const char *call_ids, *columns;
    } wrong[] = {
        { EXPORT_PCAP, ",", NULL },       { EXPORT_PCAP, "a,", NULL },       { EXPORT_CSV, NULL, "nope" },
        { EXPORT_CSV, NULL, "ts,," },     { EXPORT_JSONL, NULL, "ts,nope" }, { EXPORT_PCAP, NULL, "ts" },
        { EXPORT_CSV, NULL, "src_addr" },
    };
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        struct export_options o = options(wrong[i].format);
        struct export *e = NULL;
        struct errmsg err = { "" };
        o.call_ids = wrong[i].call_ids;
        o.columns = wrong[i].columns;
        assert_int_equal(export_open(&e, &f->base, &o, &err), -EINVAL);
        assert_true(err.text[0] != '\0');
    }
    export_close(NULL);
}

/* ------------------------------------------------------------------------------------------------ what is missing */

static void half_a_file_is_an_error(void **state)
{
    struct fake_store *f = *state;
    struct export_options o = options(EXPORT_TEXT);
    struct done d;
    fill(f, 10, 1);
    f->inexact = true;
    run(f, &o, &d);
    assert_int_equal(d.rc, -EAGAIN);
    assert_int_equal(d.out.len, 1); /* nothing, so that the error can be the answer */
    assert_non_null(strstr(d.err.text, "the time was over"));
    buf_free(&d.out);
    f->inexact = false;
    f->damaged_seq = 4;
    run(f, &o, &d);
    assert_int_equal(d.rc, -EIO);
    buf_free(&d.out);
    o.partial = true;
    f->inexact = true;
    run(f, &o, &d);
    assert_int_equal(d.rc, 0);
    assert_int_equal(d.result.count, 9);
    assert_int_equal(d.result.unread, 1);
    assert_false(d.result.exact);
    struct buf json;
    buf_init(&json, 4096);
    export_result_json(&json, &d.result);
    buf_putc(&json, '\0');
    assert_string_equal((const char *)json.ptr,
                        "\"count\":9,\"exact\":false,\"more\":false,\"unread\":1,\"problem\":\"the time was over\"");
    buf_free(&json);
    buf_free(&d.out);
}

static void errors_leave_nothing_pinned(void **state)
{
    struct fake_store *f = *state;
    struct export_options o = options(EXPORT_PCAP);
    atomic_bool cancel = true;
    struct done d;
    fill(f, 3, 1);
    o.cancel = &cancel;
    for (int i = 0; i < 8; i++) {
        f->pin_error = i / 2 == 0 ? -EIO : 0;
        f->scan_error = i / 2 == 1 ? -EIO : 0;
        f->fetch_error = i / 2 == 2 ? -EIO : 0;
        o.cancel = i / 2 == 3 ? &cancel : NULL;
        o.calls = i % 2 == 1;
        run(f, &o, &d);
        assert_int_equal(d.rc, i / 2 == 3 ? -ECANCELED : -EIO);
        assert_int_equal(f->pins, 0);
        buf_free(&d.out);
    }
}

/* ------------------------------------------------------------------------------------------------ formats */

static void what_is_no_packet_is_left_out(void **state)
{
    struct fake_store *f = *state;
    struct export_options o = options(EXPORT_PCAPNG);
    struct done d;
    static const uint8_t bye[] = { 0x80, 203, 0, 0 };
    static char large[70000];
    memset(large, 'x', sizeof(large) - 1);
    struct record *r = fake_store_sip(f, NOW, 1, "c", "INVITE", -1);
    r->node = fake_slice("edge");
    r = fake_store_sip(f, NOW, 2, "c", "INVITE", -1);
    r->payload = fake_slice(large); /* longer than any datagram */
    r = fake_store_sip(f, NOW, 3, "c", "INVITE", -1);
    r->payload = fake_slice(large);
    r->proto = fake_slice("tls"); /* a stream takes it */
    r = fake_store_sip(f, NOW, 4, "c", "INVITE", -1);
    r->dst_ip = fake_ip("2001:db8::1");
    for (uint64_t i = 5; i <= 7; i++) {
        r = fake_store_add(f, i == 7 ? RECORD_LOG : RECORD_MEDIA, NOW, i);
        r->payload_type = i == 7 ? HEP_TYPE_LOG : HEP_TYPE_RTCP;
        r->src_ip = fake_ip("10.0.0.1");
        r->dst_ip = fake_ip("10.0.0.2");
        r->payload = i == 6 ? (struct hep_slice){ bye, sizeof(bye) } : fake_slice("{\"a\":1}");
    }
    run(f, &o, &d);
    assert_int_equal(d.rc, 0);
    assert_int_equal(d.result.count, 3);
    assert_int_equal(d.result.no_packet, 2);
    assert_int_equal(d.result.no_address, 1);
    assert_int_equal(d.result.too_long, 1);
    assert_non_null(memmem(d.out.ptr, d.out.len, "HEP node=edge", 13));
    buf_free(&d.out);
}

static void text_csv_and_json_say_what_rows_have(void **state)
{
    struct fake_store *f = *state;
    struct done d;
    struct record *r = fake_store_sip(f, NOW + 5, 1, "c,\"1\"", "INVITE", -1);
    r->payload = fake_slice("INVITE \x1b[2J\r\n\xff");
    r->flags = RECORD_FLAG_SDP | RECORD_FLAG_CUT;
    r->proto = fake_slice("tcp");
    struct export_options o = options(EXPORT_CSV);
    o.columns = " ts, call_id ,flags,source,kind,status,payload_len";
    o.payload = true;
    run(f, &o, &d);
    assert_string_equal(
        (const char *)d.out.ptr,
        "ts,call_id,flags,source,kind,status,payload_len,payload,payload_encoding\r\n"
        "2026-01-01T00:00:00.000005Z,\"c,\"\"1\"\"\",cut sdp,network,,,36,SU5WSVRFIBtbMkoNCv8=,base64\r\n");
    buf_free(&d.out);
    o = options(EXPORT_JSONL);
    o.columns = "call_id";
    run(f, &o, &d);
    assert_string_equal((const char *)d.out.ptr, "{\"table\":\"sip\",\"payload\":\"SU5WSVRFIBtbMkoNCv8=\","
                                                 "\"payload_encoding\":\"base64\",\"call_id\":\"c,\\\"1\\\"\"}\n");
    buf_free(&d.out);
    o = options(EXPORT_TEXT);
    r->payload = fake_slice("INVITE \x1b[2J\r\nX: y");
    run(f, &o, &d);
    assert_string_equal((const char *)d.out.ptr, "2026-01-01T00:00:00.000005Z sip TCP 10.0.0.1:5060 -> 10.0.0.2:5060"
                                                 " 36 octets\n    INVITE \\x1b[2J\n    X: y\n\n");
    buf_free(&d.out);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(all_come_in_order_whatever_the_pieces),
        TEST(a_filter_chooses),
        TEST(what_comes_later_is_not_in_it),
        TEST(a_limit_says_that_there_may_be_more),
        TEST(nothing_is_a_file_too),
        TEST(whole_calls),
        TEST(more_calls_than_one_export_holds),
        TEST(a_call_that_cannot_be_looked_for),
        TEST(wrong_questions),
        TEST(half_a_file_is_an_error),
        TEST(errors_leave_nothing_pinned),
        TEST(what_is_no_packet_is_left_out),
        TEST(text_csv_and_json_say_what_rows_have),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
