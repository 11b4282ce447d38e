#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "guard.h"
#include "prng.h"
#include "sip/peek.h"

#define U8(text) ((const uint8_t *)(text))

static const char invite[] = "INVITE sip:bob@example.com SIP/2.0\r\n"
                             "Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK776asdhds\r\n"
                             "Call-ID: a84b4c76e66710@192.0.2.1\r\n"
                             "CSeq: 314159 INVITE\r\n"
                             "Content-Type: application/sdp\r\n"
                             "Content-Length: 7\r\n"
                             "\r\n"
                             "v=0\r\no=";

static void test_looks_like(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool expect;
    } cases[] = {
        { "INVITE sip:a@b SIP/2.0\r\n", true },
        { "INVITE sip:a@b SIP/2.0\n", true },
        { "INVITE sip:a@b SIP/2.0", true },
        { "\r\n\r\nOPTIONS sip:a SIP/2.0\r\n", true },
        { "X-my.method!%*_+`'~ sip:a SIP/2.0\r\n", true },
        { "INVITE sip:a b SIP/2.0\r\n", true }, /* a space in the URI: seen in the field */
        { "INVITE sip:a@b sip/2.0\r\n", true },
        { "SIP/2.0 200 OK\r\n", true },
        { "SIP/2.0 100\r\n", true },
        { "SIP/2.0 699 x\n", true },
        { "SIP/2.0 700 x\r\n", false },
        { "SIP/2.0 20 OK\r\n", false },
        { "SIP/2.0 2000 OK\r\n", false },
        { "SIP/2.0", false },
        { "INVITE sip:a@b SIP/3.0\r\n", false },
        { "INVITE  SIP/2.0\r\n", false }, /* no URI */
        { "INVITE SIP/2.0\r\n", false },
        { " INVITE sip:a SIP/2.0\r\n", false },
        { "IN<ITE sip:a SIP/2.0\r\n", false },
        { "ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFG sip:a SIP/2.0\r\n", false }, /* method of 33 octets */
        { "GET / HTTP/1.1\r\n", false },
        { "HTTP/1.1 200 OK\r\n", false },
        { "\x16\x03\x01\x02\x00", false },
        { "\r\n", false },
        { "", false },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        size_t n = strlen(cases[i].text);
        uint8_t *p = guard_copy(U8(cases[i].text), n);
        if (sip_looks_like(p, n) != cases[i].expect)
            fail_msg("case %zu: %s", i, cases[i].text);
        guard_free(p, n);
    }
}

static void assert_slice(struct hep_slice s, const char *text)
{
    assert_int_equal(s.len, strlen(text));
    assert_memory_equal(s.ptr, text, s.len);
}

static void test_headers(void **state)
{
    (void)state;
    static const char msg[] = "SIP/2.0 200 OK\n"
                              "v: SIP/2.0/UDP a\n"
                              "Subject : I know\r\n\tyou're there,\r\n  pick up \r\n"
                              "garbage line\r\n"
                              "I:  compact@id  \r\n"
                              "l:4\r\n"
                              "X-Empty:\r\n"
                              "\r\n"
                              "bodyandmore\r\nCall-ID: not this";
    size_t n = sizeof(msg) - 1;
    struct hep_slice value;
    assert_true(sip_call_id(U8(msg), n, &value));
    assert_slice(value, "compact@id");
    assert_true(sip_find(U8(msg), n, "subject", &value));
    assert_slice(value, "I know\r\n\tyou're there,\r\n  pick up");
    assert_true(sip_find(U8(msg), n, "Via", &value));
    assert_slice(value, "SIP/2.0/UDP a");
    assert_true(sip_find(U8(msg), n, "x-empty", &value));
    assert_int_equal(value.len, 0);
    assert_false(sip_find(U8(msg), n, "From", &value));
    size_t length = 0;
    assert_int_equal(sip_content_length(U8(msg), n, &length), 1);
    assert_int_equal(length, 4);
    assert_slice(sip_body(U8(msg), n), "body");
}

static void test_content_length(void **state)
{
    (void)state;
    static const struct {
        const char *headers;
        int expect;
        size_t length;
    } cases[] = {
        { "Content-Length: 0\r\n", 1, 0 },
        { "CONTENT-LENGTH:\t 17 \r\n", 1, 17 },
        { "Content-Length:\r\n 5\r\n", 1, 5 }, /* folded */
        { "Content-Length: 4294967295\r\n", 1, 4294967295 },
        { "Content-Length: 4294967296\r\n", -1, 0 },
        { "Content-Length: -1\r\n", -1, 0 },
        { "Content-Length: 1 2\r\n", -1, 0 },
        { "Content-Length: 0x10\r\n", -1, 0 },
        { "Content-Length:\r\n", -1, 0 },
        { "Content-Length: 3\r\nl: 3\r\n", 1, 3 },
        { "Content-Length: 3\r\nl: 4\r\n", -1, 0 }, /* two opinions are how messages are smuggled */
        { "Via: x\r\n", 0, 0 },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char msg[256];
        int n = snprintf(msg, sizeof(msg), "BYE sip:a SIP/2.0\r\n%s\r\n", cases[i].headers);
        size_t length = 0;
        int rc = sip_content_length(U8(msg), (size_t)n, &length);
        if (rc != cases[i].expect || (rc == 1 && length != cases[i].length))
            fail_msg("case %zu: %d, %zu", i, rc, length);
    }
}

static void test_frame(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int expect;
        size_t skip, len;
    } cases[] = {
        { "", SIP_FRAME_MORE, 0, 0 },
        { "\r\n\r\n", SIP_FRAME_MORE, 4, 0 },
        { "\r\n\r\nBYE sip:a SIP/2.0\r\nl: 0\r\n\r\n", SIP_FRAME_OK, 4, 27 },
        { "BYE sip:a SIP/2.0\r\nl: 3\r\n\r\nabcSIP/2.0", SIP_FRAME_OK, 0, 30 },
        { "BYE sip:a SIP/2.0\r\nl: 3\r\n\r\nab", SIP_FRAME_MORE, 0, 30 },
        { "BYE sip:a SIP/2.0\nl: 3\n\nabc", SIP_FRAME_OK, 0, 27 },
        { "BYE sip:a SIP/2.0\r\nl: 3\r\n\n", SIP_FRAME_MORE, 0, 29 },
        { "BYE sip:a SIP/2.0\r\nl: 3\r\n\r", SIP_FRAME_MORE, 0, 0 },
        { "BYE sip:a SIP/2.0\r\nX: y\r\n\r\nrest", SIP_FRAME_OK, 0, 27 }, /* no length: no body */
        { "BYE sip:a SIP/2.0\r\n\r\n", SIP_FRAME_OK, 0, 21 },
        { "BYE sip:a SIP/2.0\r\nl: x\r\n\r\n", SIP_FRAME_BAD, 0, 0 },
        { "BYE sip:a SIP/2.0\r\nl: 4000000000\r\n\r\n", SIP_FRAME_MORE, 0, 4000000036 },
        { "BYE si", SIP_FRAME_MORE, 0, 0 },
        { "BY", SIP_FRAME_MORE, 0, 0 },
        { "BYE ", SIP_FRAME_MORE, 0, 0 },
        { "SIP/2.", SIP_FRAME_MORE, 0, 0 },
        { "SIP/2.0 20", SIP_FRAME_MORE, 0, 0 },
        { "BYE  x", SIP_FRAME_BAD, 0, 0 },
        { "GET / HTTP/1.1\r\n", SIP_FRAME_BAD, 0, 0 },
        { "\x16\x03\x01", SIP_FRAME_BAD, 0, 0 },
        { "branch=z9hG4bK;x=y\r\n", SIP_FRAME_BAD, 0, 0 },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        size_t n = strlen(cases[i].text);
        uint8_t *p = guard_copy(U8(cases[i].text), n);
        size_t skip = 99;
        size_t len = 99;
        int rc = sip_frame(p, n, &skip, &len);
        if (rc != cases[i].expect || skip != cases[i].skip || (rc != SIP_FRAME_BAD && len != cases[i].len))
            fail_msg("case %zu: %d, skip %zu, len %zu", i, rc, skip, len);
        guard_free(p, n);
    }
}

static void test_frame_limits(void **state)
{
    (void)state;
    size_t n = SIP_HEADERS_MAX + 100;
    uint8_t *p = malloc(n);
    size_t skip;
    size_t len;
    memset(p, 'A', n); /* a token that never ends */
    assert_int_equal(sip_frame(p, n, &skip, &len), SIP_FRAME_BAD);
    memcpy(p, "BYE sip:a SIP/2.0\r\nX: ", 22);
    assert_int_equal(sip_frame(p, SIP_HEADERS_MAX, &skip, &len), SIP_FRAME_MORE);
    assert_int_equal(sip_frame(p, SIP_HEADERS_MAX + 1, &skip, &len), SIP_FRAME_BAD);
    memcpy(p + SIP_HEADERS_MAX - 4, "\r\n\r\n", 4);
    assert_int_equal(sip_frame(p, SIP_HEADERS_MAX, &skip, &len), SIP_FRAME_OK);
    assert_int_equal(len, SIP_HEADERS_MAX);
    free(p);
}

/* Every beginning of a message asks for more, and never reads behind its end. */
static void test_frame_cuts(void **state)
{
    (void)state;
    size_t whole = sizeof(invite) - 1;
    size_t skip;
    size_t len;
    for (size_t n = 0; n <= whole; n++) {
        uint8_t *p = guard_copy(U8(invite), n);
        struct hep_slice value;
        assert_int_equal(sip_frame(p, n, &skip, &len), n < whole ? SIP_FRAME_MORE : SIP_FRAME_OK);
        assert_true(sip_body(p, n).len <= 7);
        (void)sip_call_id(p, n, &value);
        assert_in_range(sip_resync(p, n), 0, n);
        guard_free(p, n);
    }
    assert_int_equal(len, whole);
}

/* Messages back to back, handed over in pieces of random size, come out one by one (defect of others: one per read). */
static void test_stream_of_messages(void **state)
{
    (void)state;
    static const char keepalive[] = "\r\n\r\n";
    char stream[8192];
    size_t total = 0;
    for (int i = 0; i < 20; i++) {
        memcpy(stream + total, invite, sizeof(invite) - 1);
        total += sizeof(invite) - 1;
        memcpy(stream + total, keepalive, i % 3 == 0 ? 4 : 0);
        total += i % 3 == 0 ? 4 : 0;
    }
    for (uint64_t seed = 1; seed < 50; seed++) {
        uint64_t s = seed;
        size_t start = 0;
        size_t end = 0;
        int messages = 0;
        while (end < total) {
            end += 1 + prng_below(&s, 700);
            end = end < total ? end : total;
            size_t skip;
            size_t len;
            int rc;
            while ((rc = sip_frame(U8(stream) + start, end - start, &skip, &len)) == SIP_FRAME_OK) {
                assert_int_equal(len, sizeof(invite) - 1);
                assert_memory_equal(stream + start + skip, invite, len);
                start += skip + len;
                messages++;
            }
            assert_int_equal(rc, SIP_FRAME_MORE);
        }
        assert_int_equal(messages, 20);
    }
}

static void test_resync(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t expect;
    } cases[] = {
        { "rest of a body\r\nBYE sip:a SIP/2.0\r\nX: y", 16 },
        { "tag=x\r\nVia: y\r\n\r\nSIP/2.0 200 OK\r\n", 17 },
        { "tag=x\r\nVia: y\r\n", 15 },
        { "tag=x\r\nBYE si", 7 },   /* may become a start line */
        { "tag=x\r\nVia: SI", 14 }, /* cannot */
        { "no line end", 11 },
        { "", 0 },
        { "BYE sip:a SIP/2.0\r\n", 19 }, /* the line at 0 has been tried */
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        size_t n = strlen(cases[i].text);
        uint8_t *p = guard_copy(U8(cases[i].text), n);
        assert_int_equal(sip_resync(p, n), cases[i].expect);
        guard_free(p, n);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_looks_like),     cmocka_unit_test(test_headers),
        cmocka_unit_test(test_content_length), cmocka_unit_test(test_frame),
        cmocka_unit_test(test_frame_cuts),     cmocka_unit_test(test_stream_of_messages),
        cmocka_unit_test(test_frame_limits),   cmocka_unit_test(test_resync),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
