/* From a HEP frame to a row: columns, times, deviations, and rows that are made again from the log. */
#include "record/reader.h"
#include "testlib.h"

#define RECEIVED INT64_C(1700000000000000)
#define DAY_US   INT64_C(86400000000)

static const char invite[] =
    "INVITE sip:+4930123@biloxi.example;user=phone SIP/2.0\r\n"
    "Via: SIP/2.0/TLS pc33.atlanta.example:5061;branch=z9hG4bK776, SIP/2.0/UDP 10.1.1.1;branch=z9hG4bKinner\r\n"
    "Max-Forwards: 70\r\n"
    "f: \"Alice \xc3\x84\" <sip:alice@Atlanta.example>;tag=1928\r\n"
    "t: <sip:bob@biloxi.example>\r\n"
    "i: a84b4c76e66710@pc33\r\n"
    "CSeq: 314159 INVITE\r\n"
    "m: <sip:alice@192.0.2.4:5061>\r\n"
    "P-Asserted-Identity: <tel:+15551234>\r\n"
    "Remote-Party-ID: <sip:77@rpid.example>\r\n"
    "Diversion: <sip:88@div.example>;reason=user-busy\r\n"
    "Session-ID: ab30317f1a784dc48ff824d0d3715d86;remote=00000000000000000000000000000000\r\n"
    "P-Charging-Vector: icid-value=1234bc9876e;orig-ioi=home\r\n"
    "Proxy-Authorization: Digest username=\"auth1\", realm=\"r\"\r\n"
    "Reason: Q.850;cause=16;text=\"Normal\"\r\n"
    "Expires: 0\r\n"
    "User-Agent: Phone 1\r\n"
    "X-CID: leg-a\r\n"
    "Content-Type: application/sdp\r\n\r\n"
    "v=0\r\no=- 1 1 IN IP4 192.0.2.4\r\ns=-\r\nc=IN IP4 192.0.2.4\r\nt=0 0\r\n"
    "m=audio 4000 RTP/AVP 0 101\r\na=rtpmap:101 telephone-event/8000\r\na=ptime:20\r\na=sendonly\r\n";

static const char ringing[] = "SIP/2.0 180 Ringing\r\nVia: SIP/2.0/UDP a;branch=z9\r\nFrom: <sip:a@b>;tag=1\r\n"
                              "To: <sip:c@d>;tag=2\r\nCall-ID: x\r\nCSeq: 7 INVITE\r\nServer: Box\r\n\r\n";

static struct record_reader *reader;

static int set_up(void **state)
{
    (void)state;
    static const char *const headers[] = { "X-CID", "X-None" };
    const struct record_options options = { .headers = headers, .header_count = 2 };
    reader = record_reader_new(&options);
    return reader == NULL ? -1 : 0;
}

static int tear_down(void **state)
{
    (void)state;
    record_reader_free(reader);
    return 0;
}

static uint8_t octets[HEP_FRAME_MAX];

static struct sink_frame frame_of(const struct hep_msg *msg)
{
    struct sink_frame f = { .data = octets, .received_us = RECEIVED, .transport = RECORD_TCP };
    f.peer = (struct hep_addr){ 4, { 192, 0, 2, 9 } };
    assert_int_equal(hep_encode(msg, octets, sizeof(octets), &f.len), HEP_OK);
    return f;
}

static struct hep_msg message(uint8_t type, const char *payload, size_t len)
{
    static const uint8_t src[4] = { 10, 0, 0, 1 }, dst[4] = { 10, 0, 0, 2 };
    struct hep_msg msg;
    hep_msg_init(&msg, type);
    hep_set_src(&msg, src, 4, 5060);
    hep_set_dst(&msg, dst, 4, 5080);
    msg.protocol = 6;
    msg.time_sec = RECEIVED / 1000000;
    msg.time_usec = 42;
    msg.capture_id = 2001;
    hep_set_octets(&msg, HEP_CHUNK_PAYLOAD, payload, len);
    return msg;
}

static struct record row_of(const struct sink_frame *f)
{
    struct hep_msg msg;
    struct record r;
    assert_int_equal(record_read_hep(reader, f, &msg), HEP_OK);
    record_make(reader, f, &msg, &r);
    return r;
}

static void assert_text(struct hep_slice s, const char *want)
{
    if (s.len != strlen(want) || memcmp(s.ptr == NULL ? (const uint8_t *)"" : s.ptr, want, s.len) != 0)
        fail_msg("'%.*s' is not '%s'", (int)s.len, (const char *)s.ptr, want);
}

static void test_request(void **state)
{
    (void)state;
    struct hep_msg msg = message(HEP_TYPE_SIP, invite, sizeof(invite) - 1);
    struct sink_frame f = frame_of(&msg);
    struct record r = row_of(&f);
    assert_int_equal(r.table, RECORD_SIP);
    assert_true(r.ts == RECEIVED + 42 && r.received == RECEIVED && r.ts_sent == RECORD_NO_TIME);
    assert_int_equal(r.flags, RECORD_FLAG_SDP);
    assert_text(r.transport, "tcp");
    assert_int_equal(r.capture_id, 2001);
    assert_int_equal(r.src_port, 5060);
    assert_int_equal(r.sender.octets[3], 9);
    assert_text(r.proto, "tls");
    assert_text(r.method, "INVITE");
    assert_int_equal(r.status, RECORD_NONE);
    assert_int_equal(r.cseq, 314159);
    assert_text(r.call_id, "a84b4c76e66710@pc33");
    assert_text(r.from_user, "alice");
    assert_text(r.from_host, "Atlanta.example");
    assert_text(r.from_name, "Alice \xc3\x84");
    assert_text(r.from_tag, "1928");
    assert_text(r.to_user, "bob");
    assert_text(r.ruri_user, "+4930123");
    assert_text(r.ruri_host, "biloxi.example");
    assert_text(r.contact_host, "192.0.2.4");
    assert_text(r.branch, "z9hG4bK776");
    assert_int_equal(r.via_count, 2);
    assert_int_equal(r.max_forwards, 70);
    assert_text(r.user_agent, "Phone 1");
    assert_text(r.pai_user, "+15551234");
    assert_text(r.rpid_user, "77");
    assert_text(r.diversion_user, "88");
    assert_text(r.diversion_reason, "user-busy");
    assert_text(r.auth_user, "auth1");
    assert_int_equal(r.q850_cause, 16);
    assert_text(r.reason_text, "Normal");
    assert_text(r.session_id, "ab30317f1a784dc48ff824d0d3715d86");
    assert_text(r.icid, "1234bc9876e");
    assert_int_equal(r.expires, 0);
    assert_text(r.sdp_ip, "192.0.2.4");
    assert_int_equal(r.sdp_port, 4000);
    assert_text(r.sdp_media, "audio PCMU/8000,telephone-event/8000 sendonly ptime=20");
    assert_text(r.headers, "X-CID: leg-a");
    assert_text(r.parse_error, "");
    assert_int_equal(r.payload.len, sizeof(invite) - 1);
    assert_memory_equal(r.payload.ptr, invite, r.payload.len);
}

static void test_response(void **state)
{
    (void)state;
    struct hep_msg msg = message(HEP_TYPE_SIP, ringing, sizeof(ringing) - 1);
    msg.protocol = 17;
    struct sink_frame f = frame_of(&msg);
    struct record r = row_of(&f);
    assert_text(r.method, "INVITE");
    assert_int_equal(r.status, 180);
    assert_text(r.reason, "Ringing");
    assert_text(r.user_agent, "Box");
    assert_text(r.proto, "udp");
    assert_int_equal(r.expires, RECORD_NONE);
    assert_int_equal(r.sdp_port, RECORD_NONE);
}

static void test_malformed_is_kept(void **state)
{
    (void)state;
    static const char bad[] = "INVITE sip:x SIP/2.0\r\nCSeq: many INVITE\r\nFrom: <sip:a@b\r\n\r\n";
    struct hep_msg msg = message(HEP_TYPE_SIP, bad, sizeof(bad) - 1);
    struct sink_frame f = frame_of(&msg);
    struct record r = row_of(&f);
    assert_int_equal(r.table, RECORD_SIP);
    assert_non_null(strstr((const char *)r.parse_error.ptr, "no_call_id"));
    assert_non_null(strstr((const char *)r.parse_error.ptr, "cseq"));
    assert_int_equal(r.cseq, RECORD_NONE);
    assert_int_equal(r.payload.len, sizeof(bad) - 1);

    msg = message(HEP_TYPE_SIP, "\x00\xff", 2);
    f = frame_of(&msg);
    r = row_of(&f);
    assert_int_equal(r.table, RECORD_SIP);
    assert_non_null(strstr((const char *)r.parse_error.ptr, "start_line"));
}

static void test_tables(void **state)
{
    (void)state;
    static const struct {
        uint8_t type;
        enum record_table table;
        const char *kind;
    } cases[] = { { 5, RECORD_MEDIA, "rtcp" },   { 34, RECORD_MEDIA, "rtpagent" }, { 35, RECORD_MEDIA, "rtcpxr" },
                  { 100, RECORD_LOG, "log" },    { 53, RECORD_OTHER, "dns" },      { 60, RECORD_OTHER, "cdr" },
                  { 0, RECORD_OTHER, "unknown" } };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct hep_msg msg = message(cases[i].type, "{}", 2);
        hep_set_octets(&msg, HEP_CHUNK_CORRELATION_ID, "cid-1", 5);
        struct sink_frame f = frame_of(&msg);
        struct record r = row_of(&f);
        assert_int_equal(r.table, cases[i].table);
        assert_text(r.kind, cases[i].kind);
        assert_text(r.correlation_id, "cid-1");
        assert_int_equal(r.payload_type, cases[i].type);
    }
}

struct clock_case {
    uint32_t sec;
    uint8_t source;
    bool believed;
};

static void test_clock(void **state)
{
    (void)state;
    const uint32_t now = RECEIVED / 1000000, day = 86400;
    const struct clock_case cases[] = {
        { now - day + 1, RECORD_NETWORK, true },
        { now - day - 1, RECORD_NETWORK, false },
        { now + day - 1, RECORD_NETWORK, true },
        { now + day + 1, RECORD_NETWORK, false },
        { 0, RECORD_NETWORK, false },
        { 3600, RECORD_NETWORK, false },
        { 4294967295u, RECORD_NETWORK, false },
        { now - 20 * 365 * day, RECORD_IMPORT, true },
        { 4294967295u, RECORD_IMPORT, true },
        { 3600, RECORD_IMPORT, true },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct hep_msg msg = message(HEP_TYPE_SIP, ringing, sizeof(ringing) - 1);
        msg.time_sec = cases[i].sec;
        struct sink_frame f = frame_of(&msg);
        f.source = cases[i].source;
        struct record r = row_of(&f);
        int64_t sent = (int64_t)cases[i].sec * 1000000 + 42;
        assert_true(r.ts == (cases[i].believed ? sent : RECEIVED));
        assert_true(r.ts_sent == (cases[i].believed ? RECORD_NO_TIME : sent));
        assert_int_equal((r.flags & RECORD_FLAG_CLOCK) != 0, !cases[i].believed);
    }
}

/* Version 1 says no time: nothing was not believed. */
static void test_no_time(void **state)
{
    (void)state;
    struct hep_msg msg = message(HEP_TYPE_SIP, ringing, sizeof(ringing) - 1);
    msg.version = 1;
    msg.family = HEP_FAMILY_IP4;
    struct sink_frame f = frame_of(&msg);
    struct record r = row_of(&f);
    assert_int_equal(r.table, RECORD_SIP);
    assert_int_equal(r.hep_version, 1);
    assert_true(r.ts == RECEIVED && r.ts_sent == RECORD_NO_TIME);
    assert_int_equal(r.flags & RECORD_FLAG_CLOCK, 0);
    assert_int_equal(r.capture_id, RECORD_NONE);
}

static void test_window_option(void **state)
{
    (void)state;
    const struct record_options options = { .clock_window_us = 2 * DAY_US };
    struct record_reader *wide = record_reader_new(&options);
    struct hep_msg msg = message(HEP_TYPE_SIP, ringing, sizeof(ringing) - 1);
    msg.time_sec -= 86400 + 3600;
    struct sink_frame f = frame_of(&msg);
    struct record r;
    assert_int_equal(record_read_hep(wide, &f, &msg), HEP_OK);
    record_make(wide, &f, &msg, &r);
    assert_int_equal(r.flags & RECORD_FLAG_CLOCK, 0);
    record_reader_free(wide);
}

static void test_schema(void **state)
{
    (void)state;
    for (int t = 0; t < RECORD_TABLES; t++) {
        const struct record_schema *s = record_schema((enum record_table)t);
        assert_int_equal(record_table_by_name(s->name, strlen(s->name)), t);
        assert_true(s->count <= RECORD_COLUMNS_MAX);
        for (size_t i = 0; i < s->count; i++) {
            const char *name = s->columns[i].name;
            assert_int_equal(record_column_by_name((enum record_table)t, name, strlen(name)), i);
        }
    }
    assert_int_equal(record_column_by_name(RECORD_SIP, "call_id", 7), RECORD_SIP_COL_call_id);
    assert_int_equal(record_column_by_name(RECORD_LOG, "call_id", 7), -1);
    assert_int_equal(record_column_by_name(RECORD_LOG, "kind", 4), RECORD_KIND_COL_kind);
    assert_string_equal(record_flag_name(RECORD_FLAG_CLOCK), "clock");
    assert_null(record_flag_name(3));
    assert_string_equal(record_transport_name(RECORD_FILE), "import");
    assert_string_equal(record_transport_name(99), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_request), cmocka_unit_test(test_response),      cmocka_unit_test(test_malformed_is_kept),
        cmocka_unit_test(test_tables),  cmocka_unit_test(test_clock),         cmocka_unit_test(test_no_time),
        cmocka_unit_test(test_schema),  cmocka_unit_test(test_window_option),
    };
    return cmocka_run_group_tests_name("record", tests, set_up, tear_down);
}
