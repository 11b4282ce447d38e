/* The text ladder, line by line. */
#include "query/ladder.h"
#include "testlib.h"

#define NOW INT64_C(1767225600000000) /* 2026-01-01T00:00:00Z */

static struct hep_slice slice(const char *text)
{
    return (struct hep_slice){ (const uint8_t *)text, strlen(text) };
}

static struct ladder_message between(int64_t us, const char *src, const char *dst)
{
    return (struct ladder_message){ .ts = NOW + us,
                                    .src_ip = slice(src),
                                    .dst_ip = slice(dst),
                                    .src_port = 5060,
                                    .dst_port = 5060,
                                    .status = -1,
                                    .cseq = 1 };
}

static struct ladder_message sip(int64_t us, const char *src, const char *dst, const char *method, int64_t status,
                                 const char *reason)
{
    struct ladder_message m = between(us, src, dst);
    m.is_sip = true;
    m.method = slice(method);
    m.status = status;
    m.reason = slice(reason);
    m.branch = slice("z9hG4bK1");
    return m;
}

static void draws(const struct ladder_options *o, const struct ladder_message *m, size_t n, const char *expect)
{
    struct ladder *l = ladder_new(o);
    struct buf out;
    buf_init(&out, 1 << 20);
    assert_non_null(l);
    for (size_t i = 0; i < n; i++)
        assert_true(ladder_put(l, &m[i], &out));
    assert_true(ladder_end(l, &out));
    buf_putc(&out, '\0');
    if (strcmp((const char *)out.ptr, expect) != 0)
        fail_msg("drawn:\n%s\nexpected:\n%s", (const char *)out.ptr, expect);
    buf_free(&out);
    ladder_free(l);
}

static const struct ladder_options narrow = { .width = 80, .ascii = true };

static void a_call_is_a_ladder(void **state)
{
    (void)state;
    struct ladder_message m[] = {
        sip(0, "10.0.0.1", "10.0.0.2", "INVITE", -1, ""),
        sip(500000, "10.0.0.1", "10.0.0.2", "INVITE", -1, ""),
        sip(501545, "10.0.0.2", "10.0.0.1", "INVITE", 100, "Trying"),
        sip(1501545, "10.0.0.2", "10.0.0.1", "INVITE", 200, "OK"),
        between(2000000, "10.0.0.1", "10.0.0.2"),
    };
    m[0].has_sdp = m[1].has_sdp = m[3].has_sdp = true;
    m[4].kind = slice("rtcp");
    m[4].payload_len = 84;
    draws(&narrow, m, COUNT_OF(m),
          "2026-01-01 UTC\n"
          "                                     10.0.0.1                  10.0.0.2\n"
          "                                       :5060                     :5060\n"
          "                                         |                         |\n"
          "00:00:00.000000                          |------INVITE (SDP)------>| #1\n"
          "00:00:00.500000   +0.500000              |--INVITE (SDP) (again)-->| #2\n"
          "00:00:00.501545   +0.001545              |<------100 Trying--------| #3\n"
          "00:00:01.501545   +1.000000              |<-----200 OK (SDP)-------| #4\n"
          "00:00:02.000000   +0.498455 * #5 rtcp 10.0.0.1:5060 -> 10.0.0.2:5060, 84 octets\n");
}

/* Three columns fit; the fourth host shares the last one, and is named. */
static void what_does_not_fit_shares_a_column(void **state)
{
    (void)state;
    struct ladder_message m[] = {
        sip(0, "10.0.0.1", "10.0.0.2", "INVITE", -1, ""), sip(1, "10.0.0.2", "10.0.0.3", "INVITE", -1, ""),
        sip(2, "10.0.0.2", "10.0.0.4", "INVITE", -1, ""), sip(3, "10.0.0.4", "10.0.0.1", "INVITE", 486, "Busy Here"),
        sip(4, "10.0.0.3", "10.0.0.4", "INVITE", -1, ""),
    };
    draws(&narrow, m, COUNT_OF(m),
          "2026-01-01 UTC\n"
          "                                10.0.0.1         10.0.0.2           other\n"
          "                                  :5060            :5060            hosts\n"
          "                                    |                |                |\n"
          "00:00:00.000000                     |-----INVITE---->|                | #1\n"
          "00:00:00.000001   +0.000001         |                |-----INVITE---->| #2\n"
          "                            * to 10.0.0.3:5060\n"
          "00:00:00.000002   +0.000001         |                |-----INVITE---->| #3\n"
          "                            * to 10.0.0.4:5060\n"
          "00:00:00.000003   +0.000001         |<---------486 Busy Here----------| #4\n"
          "                            * from 10.0.0.4:5060\n"
          "00:00:00.000004   +0.000001 * #5 INVITE 10.0.0.3:5060 -> 10.0.0.4:5060\n");
}

/* Clients over TCP: one address, many ports. */
static void many_ports_are_one_column(void **state)
{
    (void)state;
    struct ladder_message m[4];
    for (size_t i = 0; i < COUNT_OF(m); i++) {
        m[i] = sip((int64_t)i, "10.0.0.1", "2001:db8::1", "OPTIONS", -1, "");
        m[i].src_port = 40000 + (uint32_t)i;
    }
    draws(&narrow, m, COUNT_OF(m),
          "2026-01-01 UTC\n"
          "                                     10.0.0.1                 2001:db8::1\n"
          "                                      (ports)                    :5060\n"
          "                                         |                         |\n"
          "00:00:00.000000                          |---------OPTIONS-------->| #1\n"
          "00:00:00.000001   +0.000001              |---------OPTIONS-------->| #2\n"
          "00:00:00.000002   +0.000001              |---------OPTIONS-------->| #3\n"
          "00:00:00.000003   +0.000001              |---------OPTIONS-------->| #4\n");
}

static void text_of_senders_is_harmless(void **state)
{
    (void)state;
    struct ladder_message m[] = {
        sip(0, "10.0.0.1", "10.0.0.2", "\x1b[2J\r\nX", -1, ""),
        sip(1, "10.0.0.2", "10.0.0.1", "INVITE", 603,
            "\x9b\xe2\x80\xae"
            "a very very long reason that does not fit"),
        between(2, "10.0.0.1", "10.0.0.1"),
    };
    m[2].kind = slice("log");
    m[2].text = slice("line\r\n\x1b]0;title\x07 end, and so much more of it that the line is too short for all");
    draws(&narrow, m, COUNT_OF(m),
          "2026-01-01 UTC\n"
          "                                     10.0.0.1                  10.0.0.2\n"
          "                                       :5060                     :5060\n"
          "                                         |                         |\n"
          "00:00:00.000000                          |---------?[2J  X-------->| #1\n"
          "00:00:00.000001   +0.000001              |<603 ??a very very long~-| #2\n"
          "00:00:00.000002   +0.000001 * #3 log 10.0.0.1:5060: line  ?]0;title? end, and s~\n");
}

static void nice_strokes_are_utf8(void **state)
{
    (void)state;
    struct ladder_options o = { .width = 60 };
    struct ladder_message m[] = {
        sip(0, "10.0.0.1", "10.0.0.2", "MESSAGE", -1, ""),
        sip(INT64_C(86400000000) * 3, "10.0.0.2", "10.0.0.1", "MESSAGE", 200, "Sch\xc3\xb6n"),
    };
    m[1].malformed = true;
    draws(&o, m, COUNT_OF(m),
          "2026-01-01 UTC\n"
          "                                10.0.0.1        10.0.0.2\n"
          "                                  :5060           :5060\n"
          "                                    \xe2\x94\x82"
          "               \xe2\x94\x82"
          "\n"
          "00:00:00.000000                     \xe2\x94\x82\xe2\x94\x80\xe2\x94\x80\xe2\x94\x80\xe2\x94\x80"
          "MESSAGE\xe2\x94\x80\xe2\x94\x80\xe2\x94\x80\xe2\x96\xb6\xe2\x94\x82"
          " #1\n"
          "2026-01-04 UTC\n"
          "00:00:00.000000         +3d         \xe2\x94\x82\xe2\x97\x80"
          "200 Sch\xc3\xb6"
          "n (m\xe2\x80\xa6\xe2\x94\x80\xe2\x94\x82"
          " #2\n");
}

/* Whatever the number of messages and hosts: lines come while messages go in, and each message has one. */
static void a_flood_is_drawn_as_it_comes(void **state)
{
    (void)state;
    struct ladder *l = ladder_new(&narrow);
    struct buf out;
    struct ladder_stats stats;
    size_t lines = 0;
    buf_init(&out, 1 << 20);
    for (unsigned i = 0; i < 20000; i++) {
        char ip[32];
        (void)snprintf(ip, sizeof(ip), "10.0.%u.%u", i / 250 % 250, i % 250);
        struct ladder_message m = sip(i, ip, "192.0.2.1", "REGISTER", -1, "");
        assert_true(ladder_put(l, &m, &out));
        assert_true(i < LADDER_HELD_MAX || out.len > 0);
        for (size_t k = 0; k < out.len; k++)
            lines += out.ptr[k] == '\n';
        buf_reset(&out);
    }
    ladder_stats(l, &stats);
    assert_int_equal(stats.messages, 20000);
    assert_int_equal(stats.repeated, 0);
    assert_true(stats.hosts <= 256);
    assert_true(lines >= 20000);
    buf_free(&out);
    ladder_free(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_is_a_ladder),        cmocka_unit_test(what_does_not_fit_shares_a_column),
        cmocka_unit_test(many_ports_are_one_column), cmocka_unit_test(text_of_senders_is_harmless),
        cmocka_unit_test(nice_strokes_are_utf8),     cmocka_unit_test(a_flood_is_drawn_as_it_comes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
