/* The tap of media: calls by SDP, streams, RTCP, reports and events. Packets and calls are of scripts. */
#include <jansson.h>
#include <math.h>

#include "tap/tap.h"
#include "testlib.h"

#define OUTPUTS_MAX 64

static struct {
    struct tap *tap;
    double now; /* seconds */
    size_t count;
    struct {
        struct tap_output out;
        char call_id[64];
        json_t *json;
    } list[OUTPUTS_MAX];
} w;

static void on_output(void *arg, const struct tap_output *out)
{
    (void)arg;
    if (w.count == OUTPUTS_MAX)
        return;
    w.list[w.count].out = *out;
    assert_true(out->call_id.len < sizeof(w.list[0].call_id));
    memset(w.list[w.count].call_id, 0, sizeof(w.list[0].call_id));
    if (out->call_id.len > 0)
        memcpy(w.list[w.count].call_id, out->call_id.ptr, out->call_id.len);
    w.list[w.count].json =
        json_loadb((const char *)out->payload.ptr, out->payload.len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
    if (w.list[w.count].json == NULL)
        print_message("%.*s\n", (int)out->payload.len, (const char *)out->payload.ptr);
    assert_non_null(w.list[w.count].json); /* whatever it is, it is JSON */
    w.count++;
}

static void forget(void)
{
    for (size_t i = 0; i < w.count; i++)
        json_decref(w.list[i].json);
    w.count = 0;
}

static void open_tap(const struct tap_options *options)
{
    struct tap_options o = *options;
    o.output = on_output;
    forget();
    w.tap = tap_open(&o);
    assert_non_null(w.tap);
    w.now = 1700000000;
}

static void close_tap(void)
{
    tap_close(w.tap);
    w.tap = NULL;
}

/* ------------------------------------------------------------------------------------------------ what passes */

struct end {
    uint8_t ip;
    uint16_t port;
};

static const struct end A = { 1, 4000 }, B = { 2, 5000 };

static struct hep_addr addr_of(uint8_t ip)
{
    return (struct hep_addr){ .len = 4, .octets = { 10, 0, 0, ip } };
}

static bool packet(struct end from, struct end to, const uint8_t *octets, size_t len)
{
    const struct tap_packet p = { .sec = (uint32_t)w.now,
                                  .usec = (uint32_t)lround(fmod(w.now, 1) * 1e6),
                                  .src = addr_of(from.ip),
                                  .dst = addr_of(to.ip),
                                  .src_port = from.port,
                                  .dst_port = to.port,
                                  .payload = { octets, len } };
    return tap_packet(w.tap, &p);
}

static bool rtp(struct end from, struct end to, uint32_t ssrc, unsigned n, uint8_t type)
{
    uint8_t p[172] = { 0x80, type, (uint8_t)(n >> 8), (uint8_t)n };
    uint32_t time = n * 160;
    for (unsigned i = 0; i < 4; i++) {
        p[4 + i] = (uint8_t)(time >> (24 - 8 * i));
        p[8 + i] = (uint8_t)(ssrc >> (24 - 8 * i));
    }
    return packet(from, to, p, sizeof(p));
}

static void sip(const char *first, const char *cseq, const char *from_tag, const char *to_tag, const struct end *media,
                const char *more)
{
    char body[512] = "", text[1536];
    if (media != NULL)
        (void)snprintf(body, sizeof(body),
                       "v=0\r\no=- 1 1 IN IP4 10.0.0.%u\r\ns=-\r\nc=IN IP4 10.0.0.%u\r\nt=0 0\r\n"
                       "m=audio %u RTP/AVP 8 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\n%s",
                       media->ip, media->ip, media->port, more);
    int n = snprintf(text, sizeof(text),
                     "%s\r\nVia: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKx\r\nFrom: <sip:a@x>;tag=%s\r\nTo: <sip:b@x>%s\r\n"
                     "Call-ID: call@x\r\nCSeq: %s\r\nContent-Type: application/sdp\r\nContent-Length: %zu\r\n\r\n%s",
                     first, from_tag, to_tag, cseq, strlen(body), body);
    const struct tap_message m = { .sec = (uint32_t)w.now, .usec = 0, .payload = { (const uint8_t *)text, (size_t)n } };
    tap_sip(w.tap, &m);
}

static void call_with(struct end a, struct end b, const char *more)
{
    sip("INVITE sip:b@x SIP/2.0", "1 INVITE", "a", "", &a, more);
    sip("SIP/2.0 200 OK", "1 INVITE", "a", ";tag=b", &b, more);
}

static void call(void)
{
    call_with(A, B, "");
}

static void bye(void)
{
    sip("BYE sip:b@x SIP/2.0", "2 BYE", "a", ";tag=b", NULL, "");
}

static void pass(double seconds)
{
    w.now += seconds;
    tap_tick(w.tap, (uint32_t)w.now);
}

/* 20 ms packets from `first` on, for so many packets. */
static void speak(struct end from, struct end to, uint32_t ssrc, unsigned first, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        assert_true(rtp(from, to, ssrc, first + i, 8));
        w.now += 0.02;
    }
}

static void talk(unsigned first, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        assert_true(rtp(A, B, 0xa, first + i, 8));
        assert_true(rtp(B, A, 0xb, first + i, 8));
        w.now += 0.02;
    }
}

/* ------------------------------------------------------------------------------------------------ what came out */

static const char *text_of(size_t i, const char *key)
{
    const char *text = json_string_value(json_object_get(w.list[i].json, key));
    return text != NULL ? text : "";
}

static double number_of(size_t i, const char *key)
{
    return json_number_value(json_object_get(w.list[i].json, key));
}

/* The n-th output of that type whose `key` is `value`; fails without. */
static size_t find(uint8_t type, const char *key, const char *value, size_t n)
{
    for (size_t i = 0; i < w.count; i++)
        if (w.list[i].out.type == type && strcmp(text_of(i, key), value) == 0 && n-- == 0)
            return i;
    print_message("no output of type %u with %s %s\n", type, key, value);
    fail();
    return 0;
}

static size_t count(uint8_t type, const char *key, const char *value)
{
    size_t n = 0;
    for (size_t i = 0; i < w.count; i++)
        n += w.list[i].out.type == type && (key == NULL || strcmp(text_of(i, key), value) == 0);
    return n;
}

static size_t final_of(uint8_t ip)
{
    char text[16];
    (void)snprintf(text, sizeof(text), "10.0.0.%u", ip);
    for (size_t i = 0; i < w.count; i++)
        if (w.list[i].out.type == 34 && strcmp(text_of(i, "TYPE"), "HANGUP") == 0 &&
            strcmp(text_of(i, "SRC_IP"), text) == 0)
            return i;
    print_message("no final report of %s\n", text);
    fail();
    return 0;
}

static const struct tap_options usual = { .interval_s = 10 };

/* ------------------------------------------------------------------------------------------------ reports */

static void assert_keys(size_t i, const char *const *keys)
{
    for (; *keys != NULL; keys++) {
        if (json_object_get(w.list[i].json, *keys) == NULL)
            print_message("no %s\n", *keys);
        assert_non_null(json_object_get(w.list[i].json, *keys));
    }
}

/* The keys that collectors and pages of Homer read (docs/media.md). */
static void test_keys(void **state)
{
    static const char *const periodic[] = { "CORRELATION_ID",
                                            "RTP_SIP_CALL_ID",
                                            "DELTA",
                                            "JITTER",
                                            "REPORT_TS",
                                            "TL_BYTE",
                                            "SKEW",
                                            "TOTAL_PK",
                                            "EXPECTED_PK",
                                            "PACKET_LOSS",
                                            "SEQ",
                                            "MAX_JITTER",
                                            "MAX_DELTA",
                                            "MAX_SKEW",
                                            "MEAN_JITTER",
                                            "MIN_MOS",
                                            "MEAN_MOS",
                                            "MOS",
                                            "RFACTOR",
                                            "MIN_RFACTOR",
                                            "MEAN_RFACTOR",
                                            "SRC_IP",
                                            "SRC_PORT",
                                            "DST_IP",
                                            "DST_PORT",
                                            "SRC_MAC",
                                            "DST_MAC",
                                            "OUT_ORDER",
                                            "SSRC_CHG",
                                            "CODEC_PT",
                                            "CLOCK",
                                            "CODEC_NAME",
                                            "DIR",
                                            "REPORT_NAME",
                                            "PARTY",
                                            "TYPE",
                                            NULL };
    static const char *const hangup[] = { "CODEC_CH",   "IP_QOS", "INFO_VLAN", "VIDEO",    "REPORT_START",
                                          "REPORT_END", "SSRC",   "RTP_START", "RTP_STOP", "ONE_WAY_RTP",
                                          "EVENT",      "STYPE",  NULL };
    static const char *const final[] = { "CORRELATION_ID",
                                         "RTP_SIP_CALL_ID",
                                         "MIN_MOS",
                                         "MAX_MOS",
                                         "MEAN_MOS",
                                         "MIN_RFACTOR",
                                         "MAX_RFACTOR",
                                         "MEAN_RFACTOR",
                                         "MIN_SKEW",
                                         "MAX_SKEW",
                                         "MIN_JITTER",
                                         "MAX_JITTER",
                                         "MEAN_JITTER",
                                         "TOTAL_PACKET_LOSS",
                                         "TOTAL_PACKETS",
                                         "DIR",
                                         "REPORT_NAME",
                                         "PARTY",
                                         "ONE_WAY_RTP",
                                         "TYPE",
                                         NULL };
    (void)state;
    open_tap(&usual);
    call();
    talk(0, 600);
    bye();
    pass(5);
    assert_keys(find(34, "TYPE", "PERIODIC", 0), periodic);
    assert_keys(find(34, "TYPE", "HANGUP", 0), periodic);
    assert_keys(find(34, "TYPE", "HANGUP", 0), hangup);
    assert_keys(find(35, "TYPE", "FINAL", 0), final);
    close_tap();
}

static void test_figures(void **state)
{
    (void)state;
    open_tap(&usual);
    call();
    for (unsigned n = 0; n < 1000; n++) {
        if (n % 50 != 7 || n < 50)
            assert_true(rtp(A, B, 0xa, n, 8)); /* 19 of 1000 are missing */
        w.now += 0.004;
        assert_true(rtp(B, A, 0xb, n, 8));
        w.now += 0.016;
    }
    bye();
    pass(3); /* well before the stream would be idle */
    size_t a = final_of(1), b = final_of(2);
    assert_true(number_of(a, "TOTAL_PK") == 981 && number_of(a, "EXPECTED_PK") == 1000);
    assert_true(number_of(a, "PACKET_LOSS") == 19 && fabs(number_of(a, "LOSS_PCT") - 1.9) < 1e-9);
    assert_true(number_of(b, "TOTAL_PK") == 1000 && number_of(b, "PACKET_LOSS") == 0);
    assert_true(number_of(b, "MOS") > 4.3 && number_of(a, "MOS") < number_of(b, "MOS"));
    assert_true(number_of(a, "JITTER") < 0.01);
    assert_string_equal(text_of(a, "CODEC_NAME"), "PCMA");
    assert_true(number_of(a, "CLOCK") == 8000 && number_of(a, "CODEC_PT") == 8);
    assert_string_equal(text_of(a, "MATCH"), "sdp");
    assert_string_equal(w.list[a].call_id, "call@x");
    assert_string_equal(text_of(a, "CORRELATION_ID"), "call@x");
    assert_true(fabs(w.list[a].out.mos - number_of(a, "MOS")) < 0.001);
    /* A's packets go to who was called. */
    assert_true(number_of(a, "PARTY") == 0 && number_of(b, "PARTY") == 1);
    /* Intervals add up to the whole: 20 s are one or two of 10 s each, and a rest. */
    assert_true(count(34, "TYPE", "PERIODIC") >= 2);
    assert_int_equal(count(35, "TYPE", "FINAL"), 2);
    assert_int_equal(tap_streams(w.tap), 0);
    const struct tap_counters *c = tap_counters(w.tap);
    assert_int_equal(c->rtp, 1981);
    assert_int_equal(c->streams, 2);
    assert_int_equal(c->streams_over, 2);
    assert_int_equal(c->streams_unmatched, 0);
    close_tap();
}

static void test_close_reports(void **state)
{
    (void)state;
    open_tap(&usual);
    call();
    talk(0, 50);
    close_tap(); /* the capture is over: so are its streams */
    assert_int_equal(count(34, "TYPE", "HANGUP"), 2);
    open_tap(&usual);
    call();
    talk(0, 50);
    tap_free(w.tap);
    assert_int_equal(w.count, 0);
}

static void test_codec_by_sdp(void **state)
{
    (void)state;
    open_tap(&usual);
    call_with(A, B, "a=rtpmap:96 opus/48000/2\r\n");
    talk(0, 10);
    for (unsigned n = 10; n < 20; n++) /* a type that nobody offered */
        assert_true(rtp(A, B, 0xa, n, 111));
    for (unsigned n = 20; n < 30; n++)
        assert_true(rtp(A, B, 0xa, n, 111));
    assert_int_equal(count(100, "event", "codec_mismatch"), 1);
    close_tap();
}

/* ------------------------------------------------------------------------------------------------ whose stream */

static void test_heuristics(void **state)
{
    (void)state;
    open_tap(&usual);
    for (unsigned n = 0; n < 3; n++)
        assert_true(rtp(A, B, 0xa, n, 0));
    assert_int_equal(tap_streams(w.tap), 0);
    assert_true(rtp(A, B, 0xa, 3, 0));
    assert_int_equal(tap_streams(w.tap), 1);
    for (unsigned n = 4; n < 104; n++, w.now += 0.02)
        assert_true(rtp(A, B, 0xa, n, 0));
    pass(40);
    size_t a = final_of(1);
    assert_string_equal(text_of(a, "MATCH"), "none"); /* sent all the same, and marked */
    assert_string_equal(w.list[a].call_id, "");
    assert_true(number_of(a, "TOTAL_PK") == 104);
    assert_string_equal(text_of(a, "CODEC_NAME"), "PCMU");
    assert_int_equal(tap_counters(w.tap)->streams_unmatched, 1);
    /* What only looks like RTP: sources and numbers that go nowhere, ports of servers. */
    for (unsigned n = 0; n < 100; n++) {
        rtp((struct end){ 3, 6000 }, B, 0x1000 + n, n, 0);
        rtp((struct end){ 4, 6000 }, B, 0xc, n * 1000, 0);
        assert_false(rtp((struct end){ 5, 53 }, B, 0xd, n, 0));
    }
    assert_int_equal(tap_counters(w.tap)->streams, 1);
    close_tap();
    const struct tap_options strict = { .no_heuristics = true };
    open_tap(&strict);
    for (unsigned n = 0; n < 10; n++)
        assert_false(rtp(A, B, 0xa, n, 0));
    assert_int_equal(tap_counters(w.tap)->other, 10);
    close_tap();
}

/* SDP comes behind its media: the stream finds its call later. */
static void test_late_sdp(void **state)
{
    (void)state;
    open_tap(&usual);
    talk(0, 50);
    call();
    talk(50, 100);
    bye();
    pass(5);
    assert_string_equal(w.list[final_of(1)].call_id, "call@x");
    close_tap();
}

/* The caller is behind a NAT: its packets come from and go to an address that no SDP names. */
static void test_nat(void **state)
{
    static const struct end nat = { 9, 40000 };
    (void)state;
    open_tap(&usual);
    call();
    for (unsigned n = 0; n < 100; n++) {
        assert_true(rtp(nat, B, 0xa, n, 8));
        assert_true(rtp(B, nat, 0xb, n, 8));
        w.now += 0.02;
    }
    bye();
    pass(5);
    assert_string_equal(text_of(final_of(9), "MATCH"), "sdp");
    assert_string_equal(text_of(final_of(2), "MATCH"), "symmetric");
    assert_string_equal(w.list[final_of(2)].call_id, "call@x");
    close_tap();
}

static void test_source_changes(void **state)
{
    (void)state;
    open_tap(&usual);
    call();
    speak(A, B, 0xa, 0, 100);
    speak(A, B, 0xaa, 4000, 100);
    bye();
    pass(5);
    assert_int_equal(count(34, "TYPE", "HANGUP"), 2);
    assert_true(number_of(find(34, "TYPE", "HANGUP", 1), "SSRC_CHG") == 1);
    close_tap();
}

/* ------------------------------------------------------------------------------------------------ events */

static void test_one_way(void **state)
{
    (void)state;
    open_tap(&usual);
    call();
    speak(A, B, 0xa, 0, 600); /* 12 s */
    assert_int_equal(count(100, "event", "one_way"), 1);
    bye();
    pass(5);
    assert_true(number_of(final_of(1), "ONE_WAY_RTP") == 1);
    close_tap();
    open_tap(&usual); /* held: it is meant so */
    call_with(A, B, "a=sendonly\r\n");
    speak(A, B, 0xa, 0, 600);
    assert_int_equal(count(100, "event", "one_way"), 0);
    close_tap();
    open_tap(&usual);
    call();
    talk(0, 600);
    assert_int_equal(count(100, NULL, NULL), 0);
    close_tap();
}

static void test_no_media(void **state)
{
    static const struct end other = { 7, 7000 }, another = { 8, 8000 };
    (void)state;
    open_tap(&usual);
    speak(other, another, 0xe, 0, 10); /* media do pass here */
    call();
    for (unsigned s = 0; s < 15; s++)
        pass(1);
    assert_int_equal(count(100, "event", "no_media"), 1);
    assert_string_equal(w.list[find(100, "event", "no_media", 0)].call_id, "call@x");
    close_tap();
    open_tap(&usual); /* none pass at all: nothing can be said */
    call();
    for (unsigned s = 0; s < 15; s++)
        pass(1);
    assert_int_equal(w.count, 0);
    close_tap();
}

static void test_silence(void **state)
{
    (void)state;
    open_tap(&usual);
    call();
    talk(0, 100);
    for (unsigned i = 0; i < 400; i++) { /* 8 s: only B speaks */
        assert_true(rtp(B, A, 0xb, 100 + i, 8));
        w.now += 0.02;
    }
    assert_int_equal(count(100, "event", "silence_start"), 1);
    assert_true(number_of(find(100, "event", "silence_start", 0), "ssrc") == 0xa);
    talk(500, 50);
    assert_int_equal(count(100, "event", "silence_end"), 1);
    assert_true(fabs(number_of(find(100, "event", "silence_end", 0), "after_ms") - 8020) < 30);
    close_tap();
}

/* Three packets of one event, its end three times, and one whose end is lost. */
static void digit(uint8_t event, unsigned time, bool with_end)
{
    static unsigned seq = 100;
    for (unsigned i = 0; i < (with_end ? 6u : 3u); i++) {
        unsigned duration = 160 * (i < 3 ? i + 1 : 4);
        uint8_t p[16] = { 0x80,
                          101,
                          0,
                          (uint8_t)seq++,
                          0,
                          0,
                          (uint8_t)(time >> 8),
                          (uint8_t)time,
                          0,
                          0,
                          0,
                          0xa,
                          event,
                          (uint8_t)(i >= 3 ? 0x8a : 0x0a),
                          (uint8_t)(duration >> 8),
                          (uint8_t)duration };
        assert_true(packet(A, B, p, sizeof(p)));
        w.now += 0.02;
    }
}

static void test_dtmf(void **state)
{
    (void)state;
    open_tap(&usual);
    call();
    speak(A, B, 0xa, 0, 100);
    digit(4, 16000, true);
    digit(2, 20000, false);
    digit(11, 24000, true);
    speak(A, B, 0xa, 115, 50);
    bye();
    pass(5);
    assert_int_equal(count(100, "event", "dtmf"), 3);
    size_t four = find(100, "event", "dtmf", 0), two = find(100, "event", "dtmf", 1);
    assert_string_equal(text_of(four, "digit"), "4");
    assert_true(number_of(four, "duration_ms") == 80 && number_of(four, "volume_dbm0_below") == 10);
    assert_true(json_is_true(json_object_get(w.list[four].json, "ended")));
    assert_string_equal(text_of(two, "digit"), "2");
    assert_true(json_is_false(json_object_get(w.list[two].json, "ended")));
    assert_string_equal(text_of(final_of(1), "EVENT"), "42#");
    assert_string_equal(text_of(final_of(1), "CODEC_NAME"), "PCMA"); /* not the event's */
    assert_true(number_of(final_of(1), "PACKET_LOSS") == 0);
    close_tap();
    const struct tap_options masked = { .mask_digits = true };
    open_tap(&masked);
    call();
    speak(A, B, 0xa, 0, 100);
    digit(4, 16000, true);
    close_tap();
    assert_string_equal(text_of(find(100, "event", "dtmf", 0), "digit"), "?");
    assert_string_equal(text_of(final_of(1), "EVENT"), "?");
}

/* ------------------------------------------------------------------------------------------------ RTCP */

/* A receiver report of `from` on `about`, with a CNAME if it is not 0. */
static bool rtcp(struct end from, struct end to, uint32_t source, uint32_t about, char cname)
{
    uint8_t p[48] = { 0x81, 201, 0, 7 };
    for (unsigned i = 0; i < 4; i++) {
        p[4 + i] = (uint8_t)(source >> (24 - 8 * i));
        p[8 + i] = (uint8_t)(about >> (24 - 8 * i));
    }
    const uint8_t sdes[16] = { 0x81, 202, 0, 3, p[4], p[5], p[6], p[7], 1, 4, (uint8_t)cname, '@', 'x', 'y', 0, 0 };
    memcpy(p + 32, sdes, sizeof(sdes));
    return packet(from, to, p, cname != 0 ? sizeof(p) : 32);
}

static const char *match_of(size_t i)
{
    return text_of(i, "match");
}

static void test_rtcp(void **state)
{
    static const struct end far = { 8, 9999 }, farther = { 6, 9998 }, nobody = { 5, 9997 };
    (void)state;
    open_tap(&usual);
    call();
    assert_true(rtcp((struct end){ 1, 4001 }, (struct end){ 2, 5001 }, 0xa, 0xb, 'a')); /* to where SDP says */
    assert_string_equal(match_of(0), "sdp");
    assert_true(rtcp((struct end){ 1, 4001 }, far, 0xa, 0xb, 0)); /* from where SDP says */
    assert_string_equal(match_of(1), "symmetric");
    assert_true(rtcp(far, farther, 0xa, 0xffff, 0)); /* of a source that was there */
    assert_string_equal(match_of(2), "ssrc");
    assert_true(rtcp(farther, far, 0xffe, 0xfff, 'a')); /* of an endpoint that was there, with a new source */
    assert_string_equal(match_of(3), "cname");
    assert_true(rtcp(nobody, nobody, 0x111, 0x222, 'n'));
    assert_string_equal(match_of(4), "none");
    assert_int_equal(w.count, 5);
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(w.list[i].out.type, 5);
        assert_string_equal(w.list[i].call_id, i < 4 ? "call@x" : "");
        assert_true(json_is_array(json_object_get(w.list[i].json, "report_blocks")));
        assert_true(number_of(i, "type") == 201 || number_of(i, "type") == 202);
    }
    assert_int_equal(tap_counters(w.tap)->rtcp, 5);
    assert_int_equal(tap_counters(w.tap)->rtcp_unmatched, 1);
    close_tap();
}

/* On the port of RTP (RFC 5761), also where only the stream is known. */
static void test_mux(void **state)
{
    static const struct end nat = { 9, 40000 };
    (void)state;
    open_tap(&usual);
    call_with(A, B, "a=rtcp-mux\r\n");
    assert_true(rtcp(A, B, 0xa, 0xb, 0));
    assert_string_equal(match_of(0), "sdp");
    speak(nat, B, 0xa, 0, 10);
    assert_true(rtcp((struct end){ 2, 5000 }, nat, 0x77, 0x78, 0));
    assert_string_equal(w.list[1].call_id, "call@x");
    close_tap();
}

static void test_bad_rtcp(void **state)
{
    uint8_t srtcp[44] = { 0x81, 201, 0, 7 }, broken[44] = { 0x81, 207, 0x7f, 0xff };
    (void)state;
    open_tap(&usual);
    assert_true(packet(A, B, srtcp, sizeof(srtcp))); /* a trailer that its length does not count */
    assert_int_equal(tap_counters(w.tap)->srtcp, 1);
    assert_false(packet(A, B, broken, sizeof(broken)));
    assert_false(packet(A, B, (const uint8_t *)"hello", 5));
    assert_int_equal(w.count, 0);
    close_tap();
}

/* ------------------------------------------------------------------------------------------------ limits */

/* 100,000 sources a second, from addresses without end: tables stay in their limits, and say what they lost. */
static void test_many_sources(void **state)
{
    static const struct tap_options small = { .max_streams = 100, .max_flows = 200, .max_calls = 50, .max_places = 60 };
    (void)state;
    open_tap(&small);
    for (unsigned n = 0; n < 100000; n++) {
        struct end from = { (uint8_t)(n % 250), (uint16_t)(1024 + n / 250 * 7 % 60000) };
        for (unsigned i = 0; i < 4; i++)
            rtp(from, B, 0x10000 + n, i, 0);
        w.now += 0.00001;
    }
    const struct tap_counters *c = tap_counters(w.tap);
    assert_true(tap_streams(w.tap) <= 100);
    assert_true(c->flows_evicted > 90000);
    assert_in_range(400000 - c->rtp - c->rtp_early, 0, 4 * 200); /* what waits in 200 flows */
    assert_true(c->streams - c->streams_over <= 100);
    close_tap();
    /* One address and port with ever new sources. */
    open_tap(&small);
    call();
    for (unsigned n = 0; n < 20000; n++)
        for (unsigned i = 0; i < 2; i++)
            rtp(A, B, 0x10000 + n, i, 0);
    assert_true(tap_streams(w.tap) <= 8);
    close_tap();
}

static void test_many_calls(void **state)
{
    static const struct tap_options small = { .max_calls = 50, .max_places = 60 };
    char text[800];
    (void)state;
    open_tap(&small);
    for (unsigned n = 0; n < 5000; n++) {
        int len = snprintf(text, sizeof(text),
                           "INVITE sip:b@x SIP/2.0\r\nFrom: <sip:a@x>;tag=%u\r\nTo: <sip:b@x>\r\nCall-ID: c%u\r\n"
                           "CSeq: 1 INVITE\r\nContent-Type: application/sdp\r\n\r\nv=0\r\nc=IN IP4 10.1.%u.%u\r\n"
                           "m=audio %u RTP/AVP 0\r\n",
                           n, n, n / 250 % 250, n % 250, 2000 + n);
        const struct tap_message m = { .sec = (uint32_t)w.now, .payload = { (const uint8_t *)text, (size_t)len } };
        tap_sip(w.tap, &m);
    }
    assert_true(tap_counters(w.tap)->calls_evicted >= 4900);
    assert_true(tap_counters(w.tap)->places_evicted > 4000);
    close_tap();
}

/* Octets of any kind, as UDP and as SIP: nothing breaks, what comes out is JSON. */
static void test_noise(void **state)
{
    uint64_t seed = 11;
    (void)state;
    open_tap(&usual);
    call();
    for (unsigned n = 0; n < 200000; n++) {
        uint8_t p[96];
        size_t len = prng_below(&seed, sizeof(p));
        prng_fill(&seed, p, len);
        if (len > 2 && prng_below(&seed, 4) != 0) {
            p[0] = (uint8_t)(0x80 | (p[0] & 0x3f));
            p[1] = prng_below(&seed, 2) != 0 ? (uint8_t)(200 + p[1] % 8) : p[1];
            p[2] = 0;
            p[3] = (uint8_t)(p[3] % 16);
        }
        (void)packet(prng_below(&seed, 2) != 0 ? A : B, prng_below(&seed, 2) != 0 ? B : A, p, len);
        w.now += 0.0001;
        if (n % 50 == 0)
            forget();
    }
    close_tap();
}

static void test_counters(void **state)
{
    const char *name;
    uint64_t value;
    size_t n = 0;
    (void)state;
    open_tap(&usual);
    call();
    talk(0, 10);
    while (tap_counter(w.tap, n, &name, &value))
        n++;
    assert_int_equal(n, sizeof(struct tap_counters) / sizeof(uint64_t));
    assert_true(tap_counter(w.tap, 0, &name, &value));
    assert_string_equal(name, "rtp");
    assert_int_equal(value, 20);
    close_tap();
}

static int end(void **state)
{
    (void)state;
    forget();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keys),          cmocka_unit_test(test_figures),
        cmocka_unit_test(test_close_reports), cmocka_unit_test(test_codec_by_sdp),
        cmocka_unit_test(test_heuristics),    cmocka_unit_test(test_late_sdp),
        cmocka_unit_test(test_nat),           cmocka_unit_test(test_source_changes),
        cmocka_unit_test(test_one_way),       cmocka_unit_test(test_no_media),
        cmocka_unit_test(test_silence),       cmocka_unit_test(test_dtmf),
        cmocka_unit_test(test_rtcp),          cmocka_unit_test(test_mux),
        cmocka_unit_test(test_bad_rtcp),      cmocka_unit_test(test_many_sources),
        cmocka_unit_test(test_many_calls),    cmocka_unit_test(test_noise),
        cmocka_unit_test(test_counters),
    };
    return cmocka_run_group_tests(tests, NULL, end);
}
