/* The agent's parts without I/O: dedup, frames, the sieve, the pipeline's account and explanations. */
#include "agent/dedup.h"
#include "agent/frame.h"
#include "agent/pipeline.h"
#include "agent/sieve.h"
#include "test_capture_build.h"
#include "testlib.h"

#define SECOND 1000000

/* ------------------------------------------------------------------------------------------------ dedup */

struct sight {
    uint64_t message, tap;
    int64_t at_us;
    bool copy;
};

static void check_sights(uint64_t window_us, const struct sight *list, size_t count)
{
    struct dedup *d = dedup_new(window_us, 100);
    assert_non_null(d);
    for (size_t i = 0; i < count; i++)
        if (dedup_is_copy(d, list[i].message, list[i].tap, list[i].at_us) != list[i].copy)
            fail_msg("sight %zu: expected copy=%d", i, list[i].copy);
    dedup_free(d);
}

static void test_dedup_keeps_retransmissions(void **state)
{
    (void)state;
    /* Timer A of RFC 3261: 0, 0.5, 1.5, 3.5 s; two taps, the second a little later. */
    static const struct sight two_taps[] = {
        { 1, 10, 0, false },       { 1, 20, 300, true },      { 1, 10, 500000, false },
        { 1, 20, 500300, true },   { 1, 20, 1500000, false }, { 1, 10, 1500200, true },
        { 1, 10, 3500000, false }, { 1, 20, 3500100, true },  { 2, 20, 3500200, false },
    };
    check_sights(2 * SECOND, two_taps, COUNT_OF(two_taps));
    check_sights(200000, two_taps, COUNT_OF(two_taps));
    static const struct sight mirror[] = {
        /* one tap has each packet coming in and going out */
        { 1, 10, 0, false },
        { 1, 10, 20, true },
        { 1, 10, 500000, false },
        { 1, 10, 500020, true },
    };
    check_sights(2 * SECOND, mirror, COUNT_OF(mirror));
    static const struct sight late[] = {
        /* a tap that missed the first one: what it sees then is the second of both */
        { 1, 10, 0, false },       { 1, 10, 500000, false }, { 1, 20, 500100, true },
        { 1, 10, 1500000, false }, { 1, 20, 1500100, true },
    };
    check_sights(2 * SECOND, late, COUNT_OF(late));
}

static void test_dedup_limits(void **state)
{
    (void)state;
    struct dedup *d = dedup_new(SECOND, 10);
    for (uint64_t m = 0; m < 1000; m++)
        assert_false(dedup_is_copy(d, m, 1, 0));
    for (uint64_t tap = 0; tap < 100; tap++) /* more taps than are told apart */
        (void)dedup_is_copy(d, 5000, tap, 10);
    assert_true(dedup_is_copy(d, 5000, 1, 11));
    dedup_free(d);
}

/* ------------------------------------------------------------------------------------------------ frames */

static void fill(struct hep_msg *msg, const uint8_t *payload, size_t len)
{
    static const uint8_t a[4] = { 10, 0, 0, 1 }, b[4] = { 10, 0, 0, 2 };
    hep_msg_init(msg, HEP_TYPE_SIP);
    (void)hep_set_src(msg, a, 4, 5060);
    (void)hep_set_dst(msg, b, 4, 5060);
    (void)hep_set_octets(msg, HEP_CHUNK_PAYLOAD, payload, len);
}

static void test_frames(void **state)
{
    (void)state;
    static const struct frame_options options = { .key = "s3cret", .name = "tap1", .id = 77 };
    struct framer *f = framer_new(&options);
    struct hep_msg msg, back;
    struct hep_slice frame;
    fill(&msg, (const uint8_t *)"x", 1);
    assert_int_equal(framer_make(f, &msg, &frame), FRAME_PLAIN);
    assert_int_equal(hep_decode(frame.ptr, frame.len, NULL, &back), HEP_OK);
    assert_int_equal(back.capture_id, 77);
    assert_true(hep_auth_equal(&back, (const uint8_t *)"s3cret", 6));
    assert_memory_equal(back.node_name.ptr, "tap1", 4);
    framer_free(f);
}

/* What the length field cannot say: compressed if that helps, else cut and marked. Nothing wraps. */
static void test_long_messages(void **state)
{
    (void)state;
    static const struct frame_options options = { .name = "tap1", .id = 1 };
    static uint8_t payload[200000];
    static const size_t sizes[] = { 65000, 65400, 65430, 65460, 65500, 65535, 65536, 70000, 131072, sizeof(payload) };
    struct framer *f = framer_new(&options);
    struct hep_zlib *z = hep_zlib_new(0);
    uint64_t random = 7;
    size_t overhead = 0;
    for (size_t noise = 0; noise < 2; noise++) {
        for (size_t i = 0; i < sizeof(payload); i++)
            payload[i] = noise != 0 ? (uint8_t)prng_next(&random) : (uint8_t)('a' + i % 26);
        for (size_t i = 0; i < COUNT_OF(sizes); i++) {
            struct hep_msg msg, back;
            struct hep_slice frame;
            fill(&msg, payload, sizes[i]);
            enum frame_result result = framer_make(f, &msg, &frame);
            assert_int_equal(hep_decode(frame.ptr, frame.len, NULL, &back), HEP_OK);
            assert_int_equal(back.frame.len, frame.len);
            assert_int_equal(hep_zlib_payload(z, &back), HEP_OK);
            if (result == FRAME_CUT) {
                char mark[40];
                int len = snprintf(mark, sizeof(mark), "truncated=%zu", sizes[i]);
                assert_int_equal(noise, 1);
                assert_int_equal(back.tags.len, len);
                assert_memory_equal(back.tags.ptr, mark, (size_t)len);
                assert_int_equal(frame.len, HEP_FRAME_MAX);
                assert_memory_equal(back.payload.ptr, payload, back.payload.len);
            } else {
                assert_int_equal(back.payload.len, sizes[i]);
                assert_memory_equal(back.payload.ptr, payload, sizes[i]);
                overhead = overhead == 0 ? frame.len - sizes[i] : overhead; /* the first one is plain */
                assert_int_equal(result, sizes[i] + overhead <= HEP_FRAME_MAX ? FRAME_PLAIN : FRAME_COMPRESSED);
            }
        }
    }
    hep_zlib_free(z);
    framer_free(f);
}

static void test_compress_on_request(void **state)
{
    (void)state;
    static const struct frame_options options = { .id = 1, .compress = true, .format = HEP_ZLIB_GZIP };
    struct framer *f = framer_new(&options);
    struct hep_msg msg, back;
    struct hep_slice frame;
    fill(&msg, (const uint8_t *)"hello hello hello hello", 23);
    assert_int_equal(framer_make(f, &msg, &frame), FRAME_COMPRESSED);
    assert_int_equal(hep_decode(frame.ptr, frame.len, NULL, &back), HEP_OK);
    assert_false(hep_has(&back, HEP_CHUNK_PAYLOAD));
    assert_memory_equal(back.payload_zip.ptr, "\x1f\x8b", 2);
    framer_free(f);
}

/* ------------------------------------------------------------------------------------------------ sieve */

static const char INVITE[] =
    "INVITE sip:bob@example.org SIP/2.0\r\nFrom: <sip:alice@example.org>;tag=1\r\n"
    "To: <sip:bob@example.org>\r\nCall-ID: c1@x\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n";
static const char OK[] = "SIP/2.0 200 OK\r\nFrom: <sip:alice@example.org>;tag=1\r\nTo: <sip:bob@example.org>;tag=2\r\n"
                         "Call-ID: c2@x\r\nCSeq: 7 OPTIONS\r\nContent-Length: 0\r\n\r\n";

static const char *match(struct sieve *s, const char *text)
{
    struct hep_msg msg;
    fill(&msg, (const uint8_t *)text, strlen(text));
    const char *rule = sieve_match(s, &msg);
    return rule == NULL ? "" : rule;
}

static void test_sieve(void **state)
{
    (void)state;
    static const char *const methods[] = { "options,NOTIFY", "REGISTER" }, *const keep[] = { "from:alice" },
                             *const drop[] = { "call_id:c9@x", "dst:10.0.0.0/30 status:486" };
    const struct sieve_options o = { methods, 2, keep, 1, drop, 2 };
    struct errmsg err = { "" };
    struct sieve *s;
    const char *name;
    uint64_t taken;
    assert_int_equal(sieve_new(&s, &o, &err), 0);
    assert_string_equal(match(s, INVITE), "");
    assert_string_equal(match(s, OK), "method options"); /* a response goes with its request */
    assert_string_equal(match(s, "NOTIFY sip:x SIP/2.0\r\nCSeq: 1 NOTIFY\r\n\r\n"), "method NOTIFY");
    assert_string_equal(match(s, "INVITE sip:x SIP/2.0\r\nFrom: <sip:carol@x>\r\nCSeq: 1 INVITE\r\n\r\n"),
                        "keep from:alice");
    assert_string_equal(match(s, "BYE sip:x SIP/2.0\r\nFrom: <sip:alice@x>\r\nCall-ID: c9@x\r\nCSeq: 2 BYE\r\n\r\n"),
                        "drop call_id:c9@x");
    assert_true(sieve_count(s, 0, &name, &taken));
    assert_string_equal(name, "method options");
    assert_int_equal(taken, 1);
    assert_true(sieve_count(s, 5, &name, &taken));
    assert_string_equal(name, "keep from:alice");
    assert_int_equal(taken, 1);
    assert_false(sieve_count(s, 6, &name, &taken));
    sieve_free(s);
}

static void test_sieve_errors(void **state)
{
    (void)state;
    static const char *const bad_method[] = { "IN VITE" }, *const empty_method[] = { "A,,B" };
    static const char *const bad_filter[] = { "from:alice form:bob" };
    struct errmsg err = { "" };
    struct sieve *s = NULL;
    assert_int_equal(sieve_new(&s, &(struct sieve_options){ .methods = bad_method, .method_count = 1 }, &err), -1);
    assert_int_equal(sieve_new(&s, &(struct sieve_options){ .methods = empty_method, .method_count = 1 }, &err), -1);
    assert_int_equal(sieve_new(&s, &(struct sieve_options){ .keep = bad_filter, .keep_count = 1 }, &err), -1);
    assert_non_null(strstr(err.text, "at character 12"));
    assert_non_null(strstr(err.text, "did you mean"));
    assert_null(s);
}

/* ------------------------------------------------------------------------------------------------ pipeline */

struct seen {
    size_t frames, lines;
    char last[1024];
    char call_id[64];
};

static void on_frame(void *arg, const struct pipeline_frame *frame)
{
    struct seen *s = arg;
    s->frames++;
    (void)snprintf(s->call_id, sizeof(s->call_id), "%.*s", (int)frame->call_id.len, (const char *)frame->call_id.ptr);
}

static void on_line(void *arg, uint64_t packet, const char *line)
{
    struct seen *s = arg;
    (void)packet;
    s->lines++;
    (void)snprintf(s->last, sizeof(s->last), "%s", line);
}

static const char *feed(struct pipeline *p, struct seen *s, const struct build *b)
{
    const struct packet packet = { .sec = 1700000000, .data = built(b), .wire_len = b->len, .linktype = 101 };
    pipeline_packet(p, &packet, 0);
    return s->last;
}

static void udp_packet(struct build *b, const char *text)
{
    b->len = 0;
    add_ip4(b, 17, 1, 0, 8 + strlen(text));
    add_udp(b, strlen(text));
    add_octets(b, text, strlen(text));
}

static uint64_t counter(const struct pipeline *p, const char *name)
{
    struct account a;
    struct account_row row;
    pipeline_account(p, &a);
    for (size_t i = 0; account_row(&a, i, &row); i++)
        if (strcmp(row.name, name) == 0)
            return row.value;
    fail_msg("no counter %s", name);
    return 0;
}

/* Every packet has its line and its place in the account. */
static void test_pipeline_explains(void **state)
{
    (void)state;
    static const char *const discard[] = { "OPTIONS" };
    static struct build b;
    struct seen s = { 0 };
    struct errmsg err = { "" };
    struct pipeline *p;
    struct pipeline_options o = { .frame = on_frame, .explain = on_line, .arg = &s };
    o.settings.rules.methods = discard;
    o.settings.rules.method_count = 1;
    o.settings.dedup_us = 100000;
    o.settings.call_ids = true;
    assert_int_equal(pipeline_new(&p, &o, &err), 0);

    udp_packet(&b, INVITE);
    assert_non_null(strstr(feed(p, &s, &b), "192.0.2.1:5060 > 192.0.2.2:5062 udp: SIP INVITE, "));
    assert_non_null(strstr(s.last, ": sent, "));
    assert_string_equal(s.call_id, "c1@x");
    assert_non_null(strstr(feed(p, &s, &b), "copy of a packet"));
    udp_packet(&b, OK);
    assert_non_null(strstr(feed(p, &s, &b), "SIP 200, "));
    assert_non_null(strstr(s.last, "left out by the rule \"method OPTIONS\""));
    udp_packet(&b, "hello\033[31m");
    assert_non_null(strstr(feed(p, &s, &b), "neither SIP nor RTCP"));
    b.len = 0;
    add_hex(&b, "4500");
    assert_non_null(strstr(feed(p, &s, &b), "ends inside the IP header"));
    b.len = 0;
    add_ip4(&b, 17, 9, 0x2000, 16);
    add_udp(&b, 100);
    add_octets(&b, "01234567", 8);
    assert_non_null(strstr(feed(p, &s, &b), "IP fragment: held"));
    b.len = 0;
    add_ip4(&b, 6, 1, 0, 20 + 60);
    add_tcp(&b, 1000, 0x18);
    add_octets(&b, INVITE, 60);
    assert_non_null(strstr(feed(p, &s, &b), "part of a SIP message over TCP"));
    assert_non_null(strstr(feed(p, &s, &b), "seen before"));
    b.len = 0;
    add_ip4(&b, 6, 1, 0, 20 + 60);
    add_tcp(&b, 5000, 0x18);
    add_octets(&b, INVITE, 60);
    assert_non_null(strstr(feed(p, &s, &b), "ahead of its turn"));
    assert_int_equal(s.lines, 9);
    assert_int_equal(s.frames, 1);

    pipeline_finish(p);
    struct account a;
    pipeline_account(p, &a);
    uint64_t outcomes = 0;
    for (size_t i = 0; i < DISSECT_OUTCOME_COUNT; i++)
        outcomes += a.outcomes[i];
    assert_int_equal(outcomes, a.packets);
    assert_int_equal(a.messages, a.discarded + a.filtered + a.copies + a.unencodable + a.frames);
    assert_int_equal(counter(p, "copies"), 1);
    assert_int_equal(counter(p, "discarded"), 1);
    assert_int_equal(counter(p, "frames"), 1);
    assert_int_equal(counter(p, "malformed"), 2); /* before the gap and behind it */
    pipeline_free(p);
}

/* A message of 100,000 octets over TCP is sent, compressed or cut, with a true length. */
static void test_pipeline_large_message(void **state)
{
    (void)state;
    static struct build b;
    static char text[100000 + 200];
    struct seen s = { 0 };
    struct errmsg err = { "" };
    struct pipeline *p;
    const struct pipeline_options o = { .settings.call_ids = true, .frame = on_frame, .explain = on_line, .arg = &s };
    assert_int_equal(pipeline_new(&p, &o, &err), 0);
    int head =
        snprintf(text, sizeof(text),
                 "MESSAGE sip:b@x SIP/2.0\r\nCall-ID: big@x\r\nCSeq: 1 MESSAGE\r\nContent-Length: 100000\r\n\r\n");
    uint64_t random = 3;
    for (size_t i = (size_t)head; i < (size_t)head + 100000; i++)
        text[i] = (char)prng_next(&random);
    size_t len = (size_t)head + 100000;
    for (size_t at = 0; at < len; at += 1400) {
        size_t part = len - at < 1400 ? len - at : 1400;
        b.len = 0;
        add_ip4(&b, 6, 1, 0, 20 + part);
        add_tcp(&b, (uint32_t)(1000 + at), 0x18);
        add_octets(&b, text + at, part);
        (void)feed(p, &s, &b);
    }
    assert_int_equal(s.frames, 1);
    assert_string_equal(s.call_id, "big@x");
    assert_int_equal(counter(p, "truncated"), 1);
    assert_non_null(strstr(s.last, "cut to fit and marked"));
    pipeline_free(p);
}

static void test_pipeline_settings(void **state)
{
    (void)state;
    static const char *const bad[] = { "nonsense:1" }, *const invite[] = { "INVITE" };
    static struct build b;
    struct seen s = { 0 };
    struct errmsg err = { "" };
    struct pipeline *p;
    const struct pipeline_options o = { .frame = on_frame, .arg = &s };
    struct pipeline_settings next = { .rules = { .keep = bad, .keep_count = 1 } };
    assert_int_equal(pipeline_new(&p, &o, &err), 0);
    udp_packet(&b, INVITE);
    (void)feed(p, &s, &b);
    assert_int_equal(pipeline_set(p, &next, &err), -1);
    (void)feed(p, &s, &b);
    assert_int_equal(s.frames, 2);
    next = (struct pipeline_settings){ .rules = { .methods = invite, .method_count = 1 } };
    assert_int_equal(pipeline_set(p, &next, &err), 0);
    (void)feed(p, &s, &b);
    assert_int_equal(s.frames, 2);
    pipeline_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dedup_keeps_retransmissions),
        cmocka_unit_test(test_dedup_limits),
        cmocka_unit_test(test_frames),
        cmocka_unit_test(test_long_messages),
        cmocka_unit_test(test_compress_on_request),
        cmocka_unit_test(test_sieve),
        cmocka_unit_test(test_sieve_errors),
        cmocka_unit_test(test_pipeline_explains),
        cmocka_unit_test(test_pipeline_large_message),
        cmocka_unit_test(test_pipeline_settings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
