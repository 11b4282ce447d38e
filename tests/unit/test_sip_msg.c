/* sip_parse(), field by field. */
#include "testlib.h"

#include "sip/msg.h"
#include "sip_samples.h"
#include "sip_show.h"

#define MIN "Via: SIP/2.0/UDP h\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>\r\nCall-ID: i\r\nCSeq: 1 BYE\r\n"
#define BYE "BYE sip:c@d SIP/2.0\r\n"

static void assert_text(struct hep_slice s, const char *expect)
{
    if (s.len != strlen(expect) || (s.len > 0 && memcmp(s.ptr, expect, s.len) != 0))
        fail_msg("got '%.*s', expect '%s'", (int)s.len, (const char *)s.ptr, expect);
}

static void assert_number(struct sip_number n, uint32_t expect)
{
    assert_true(n.set);
    assert_int_equal(n.value, expect);
}

static void assert_addr(const struct sip_addr *addr, const char *expect)
{
    struct show out = { .len = 0 };
    show_addr(&out, addr);
    assert_shown(&out, expect, 0);
}

static const struct sip_msg *full(void)
{
    static struct sip_msg msg;
    memset(&msg, 0xa5, sizeof(msg));
    assert_int_equal(sip_parse((const uint8_t *)sample_full, sizeof(sample_full) - 1, &msg), 0);
    return &msg;
}

static void test_full_identity(void **state)
{
    (void)state;
    const struct sip_msg *m = full();
    struct show out = { .len = 0 };
    assert_int_equal(m->problems, 0);
    assert_int_equal(m->kind, SIP_REQUEST);
    assert_int_equal(m->method_id, SIP_INVITE);
    assert_text(m->method, "INVITE");
    show_uri(&out, &m->ruri);
    assert_shown(&out,
                 "sip user=+15550200 uparams=;npdi;rn=+15550299 host=2001:db8::7 port=5070 params=;user=phone "
                 "headers=Subject=x",
                 0);
    assert_text(m->call_id, "full-1@192.0.2.101");
    assert_int_equal(m->cseq.number, 4711);
    assert_int_equal(m->cseq.method_id, SIP_INVITE);
    assert_addr(&m->from, " display=Alice \\\"A\\\" Example [sip user=alice host=example.com port=5062 "
                          "params=;user=phone] tag=from-1 params=;tag=from-1;x=y");
    assert_addr(&m->to, " display=Bob Example [sip user=+15550100 host=example.org] tag=to-1 params=;tag=to-1");
    assert_int_equal(m->contact_count, 2);
    assert_false(m->contact_star);
    assert_addr(&m->contact, " display=A [sip user=alice host=192.0.2.101 port=5062 params=;transport=tls] "
                             "params=;expires=60");
}

static void test_full_hops(void **state)
{
    (void)state;
    const struct sip_msg *m = full();
    struct show out = { .len = 0 };
    assert_int_equal(m->via_count, 3);
    assert_int_equal(m->via_kept, 3);
    for (size_t i = 0; i < 3; i++) {
        show_via(&out, &m->vias[i]);
        show(&out, "\n");
    }
    assert_shown(&out,
                 " transport=TLS host=edge.example.com port=5061 branch=z9hG4bK-1 received=198.51.100.9 rport=40000\n"
                 " transport=UDP host=2001:db8::9 port=5060 branch=z9hG4bK-2\n"
                 " transport=TCP host=inner.example.com port=5090 branch=z9hG4bK-3\n",
                 0);
    assert_int_equal(m->record_route.count, 3);
    assert_text(m->record_route.elements[1], "<sip:p2.example.com;lr;x=\"a,b\">");
    assert_text(m->record_route.elements[2], "<sip:p3.example.com;lr>");
    assert_int_equal(m->route.count, 1);
    assert_text(m->route.elements[0], "<sip:next.example.com;lr>");
}

static void test_full_people(void **state)
{
    (void)state;
    const struct sip_msg *m = full();
    assert_int_equal(m->asserted_count, 2);
    assert_addr(&m->asserted[0], " display=Alice [sip user=+15550100 host=example.com]");
    assert_addr(&m->asserted[1], " [tel user=+15550100 params=;phone-context=example.com]");
    assert_text(m->preferred.uri.user, "+15550101");
    assert_text(m->remote_party.uri.user, "+15550102");
    assert_text(m->remote_party.params, ";party=calling;privacy=off");
    assert_text(m->privacy, "id;critical");
    assert_int_equal(m->diversion_count, 2);
    assert_text(m->diversion.uri.user, "+15550111");
    assert_text(m->diversion_reason, "no-answer");
    assert_int_equal(m->history_count, 2);
    assert_text(m->history_info, "<sip:+15550111@example.com?Reason=SIP%3Bcause%3D302>;index=1");
    assert_text(m->identity, "eyJhbGciOiJFUzI1NiJ9.eyJhIjoxfQ.c2ln");
    assert_text(m->access_network, "3GPP-E-UTRAN-FDD;utran-cell-id-3gpp=00101");
    assert_int_equal(m->reason_count, 2);
    assert_number(sip_reason_of(m, "q.850")->cause, 16);
    assert_text(sip_reason_of(m, "Q.850")->text, "Normal, call clearing");
    assert_number(sip_reason_of(m, "SIP")->cause, 200);
    assert_text(sip_reason_of(m, "SIP")->text, "Call completed elsewhere");
    assert_null(sip_reason_of(m, "Q.931"));
}

static void test_full_correlation(void **state)
{
    (void)state;
    const struct sip_msg *m = full();
    assert_text(m->session_id.local, "ab30317f1a784dc48ff824d0d3715d86");
    assert_text(m->session_id.remote, "47755a9de7794ba387653f2099600ef2");
    assert_text(m->icid, "icid;42");
    assert_text(m->replaces.call_id, "old-1@192.0.2.7");
    assert_text(m->replaces.to_tag, "rt");
    assert_text(m->replaces.from_tag, "rf");
    assert_addr(&m->refer_to, " [sip user=carol host=example.net headers=Replaces=a%40b%3Bto-tag%3D1]");
    assert_text(m->referred_by.uri.user, "dave");
    assert_text(m->event, "dialog;id=7");
    assert_text(m->subscription_state, "active;expires=600");
}

static void test_full_rest(void **state)
{
    (void)state;
    const struct sip_msg *m = full();
    assert_number(m->max_forwards, 68);
    assert_number(m->expires, 120);
    assert_number(m->min_expires, 60);
    assert_number(m->session_expires, 1800);
    assert_text(m->refresher, "uas");
    assert_number(m->min_se, 90);
    assert_number(m->rseq, 988789);
    assert_number(m->retry_after, 18);
    assert_text(m->rack, "776656 1 INVITE");
    assert_number(m->warning.code, 370);
    assert_text(m->warning.agent, "gw.example.com");
    assert_text(m->warning.text, "Too \\\"thin\\\" a pipe");
    assert_text(m->authorization.scheme, "Digest");
    assert_text(m->authorization.username, "al\\\"ice");
    assert_text(m->authorization.realm, "example.com");
    assert_text(m->proxy_authorization.username, "bob");
    assert_text(m->proxy_authorization.realm, "proxy.example.com");
    assert_text(m->www_authenticate.realm, "www.example.com");
    assert_text(m->proxy_authenticate.realm, "pa.example.com");
    assert_text(m->user_agent, "Example UA/1.0");
    assert_text(m->server, "Example Server/2.0");
    assert_text(m->allow, "INVITE, ACK");
    assert_text(m->supported, "timer, 100rel");
    assert_text(m->require, "100rel");
    assert_text(m->date, "Sat, 13 Nov 2010 23:29:00 GMT");
    assert_text(m->subject, "Lunch");
    assert_text(m->organization, "Example Ltd");
    assert_text(m->x_rtp_stat, "CS=1;PS=10");
    assert_text(m->p_rtp_stat, "PS=2");
    assert_text(m->content_type, "application/sdp;charset=utf-8");
    assert_text(m->content_encoding, "identity");
    assert_text(m->body, SAMPLE_SDP);
    assert_number(m->content_length, (uint32_t)strlen(SAMPLE_SDP));
    assert_int_equal(m->header_count, 53);
    assert_true(sip_has(m, SIP_H_RACK));
    assert_false(sip_has(m, SIP_H_ALLOW_EVENTS));
}

static void test_response(void **state)
{
    (void)state;
    struct sip_msg m;
    assert_int_equal(sip_parse((const uint8_t *)sample_response, sizeof(sample_response) - 1, &m), 0);
    assert_int_equal(m.problems, 0);
    assert_int_equal(m.kind, SIP_RESPONSE);
    assert_int_equal(m.status, 486);
    assert_text(m.reason, "Busy Here");
    assert_int_equal(m.cseq.method_id, SIP_BYE);
    assert_int_equal(m.method_id, SIP_NO_METHOD);
    assert_text(m.ruri.raw, "");
    assert_text(m.body, "");
}

static void test_tortuous(void **state)
{
    (void)state;
    struct sip_msg m;
    assert_int_equal(sip_parse((const uint8_t *)sample_tortuous, sizeof(sample_tortuous) - 1, &m), 0);
    assert_int_equal(m.problems, 0);
    assert_addr(&m.to,
                " [sip user=vivekg host=chair-dnrc.example.com] tag=1918181833n params=;   tag    = 1918181833n");
    assert_text(m.from.display, "J Rosenberg \\\\\\\"");
    assert_text(m.from.tag, "98asjd8");
    assert_number(m.max_forwards, 68);
    assert_int_equal(m.cseq.number, 9);
    assert_text(m.cseq.method, "INVITE");
    assert_int_equal(m.via_count, 3);
    assert_text(m.vias[0].host, "192.0.2.2");
    assert_text(m.vias[0].branch, "390skdjuw");
    assert_text(m.vias[1].transport, "TCP");
    assert_text(m.vias[1].branch, "z9hG4bK9ikj8");
    assert_text(m.vias[2].branch, "z9hG4bK30239");
    assert_text(m.contact.uri.user, "jdrosen");
    assert_text(m.route.elements[0], "<sip:services.example.com;lr;unknownwith=value;unknown-no-value>");
    assert_text(m.body, "v=0\n");
}

static void test_line_ends(void **state)
{
    (void)state;
    struct sip_msg m;
    assert_int_equal(sip_parse((const uint8_t *)sample_lf, sizeof(sample_lf) - 1, &m), 0);
    assert_int_equal(m.problems, 0);
    assert_text(m.call_id, "lf1");
    assert_text(m.cseq.method, "BYE");
    assert_text(m.body, "hi");
    assert_int_equal(sip_parse((const uint8_t *)sample_cr, sizeof(sample_cr) - 1, &m), 0);
    assert_int_equal(m.problems, 1U << SIP_PROBLEM_LONE_CR);
    assert_text(m.call_id, "cr1");
    assert_text(m.to.tag, "2");
    assert_text(m.body, "hi");
}

/* Names of the problems, in the order of their bits. */
static void show_problems(struct show *out, const struct sip_msg *m)
{
    for (int i = 0; i < SIP_PROBLEM_COUNT; i++) {
        if (sip_has_problem(m, (enum sip_problem)i))
            show(out, "%s ", sip_problem_name((enum sip_problem)i));
    }
}

static void test_problems(void **state)
{
    (void)state;
    static const struct {
        const char *msg, *expect;
        long offset; /* of the first problem; -1: not looked at */
    } cases[] = {
        { BYE MIN "\r\n", "", -1 },
        { "", "start_line no_call_id no_cseq no_from no_to no_via no_end ", 0 },
        { "GET / HTTP/1.1\r\n\r\n", "start_line no_call_id no_cseq no_from no_to no_via ", 0 },
        { "BYE sip:c@d SIP/2.1\r\n" MIN "\r\n", "start_line ", 0 },
        { BYE "Via: SIP/2.0/UDP h\r\n\r\n", "no_call_id no_cseq no_from no_to ", 43 },
        { BYE MIN "Call-ID:\r\n\r\n", "duplicate ", -1 },
        { "INVITE sip:c@d SIP/2.0\r\n" MIN "\r\n", "cseq_method ", -1 },
        { "SIP/2.0 200 OK\r\n" MIN "\r\n", "", -1 },
        { BYE "CSeq: 4294967296 BYE\r\n" MIN "\r\n", "cseq duplicate ", 27 },
        { BYE "CSeq: BYE\r\n" MIN "\r\n", "cseq duplicate ", 27 },
        { BYE "CSeq: 5\r\n" MIN "\r\n", "cseq duplicate ", -1 },
        { BYE MIN "Content-Length: 5\r\n\r\nabc", "body_short ", -1 },
        { BYE MIN "Content-Length: 2\r\n\r\nabc", "body_long ", -1 },
        { BYE MIN "Content-Length: 3\r\nl: 3\r\n\r\nabc", "duplicate ", -1 },
        { BYE MIN "Content-Length: 3\r\nl: 2\r\n\r\nabc", "content_length duplicate ", -1 },
        { BYE MIN "Content-Length: -3\r\n\r\nabc", "content_length ", -1 },
        { BYE MIN "Content-Length: x\r\n\r\nabc", "content_length ", -1 },
        { BYE "no colon here\r\n" MIN "\r\n", "no_colon ", 21 },
        { BYE MIN "bad name: x\r\n\r\n", "header_name ", -1 },
        { BYE MIN ": x\r\n\r\n", "header_name ", -1 },
        { BYE MIN "Xy: a\x01"
                  "b\r\n\r\n",
          "control ", -1 },
        { BYE MIN "Xy: a\rb\r\n\r\n", "lone_cr ", -1 },
        { BYE MIN "Xy: \xff\r\n\r\n", "not_utf8 ", -1 },
        { BYE MIN "Xy: \xc3\xa9\r\n\r\n", "", -1 },
        { BYE MIN, "no_end ", -1 },
        { BYE MIN "From: <sip:x@y>\r\n\r\n", "duplicate ", -1 },
        { "BYE foo SIP/2.0\r\n" MIN "\r\n", "uri ", 4 },
        { "BYE sip:a@b:99999 SIP/2.0\r\n" MIN "\r\n", "uri ", 4 },
        { BYE MIN "Contact: <sip:a@b\r\n\r\n", "address ", -1 },
        { BYE MIN "Via: nonsense\r\n\r\n", "via ", -1 },
        { BYE MIN "Via:\r\n\r\n", "via ", -1 },
        { BYE MIN "Expires: soon\r\n\r\n", "number ", -1 },
        { BYE MIN "Max-Forwards: 70 hops\r\n\r\n", "number ", -1 },
        { BYE MIN "Replaces: x;to-tag=1\r\n\r\n", "value ", -1 },
        { "\r\n\r\n" BYE MIN "\r\n", "", -1 },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct sip_msg m;
        struct show out = { .len = 0 };
        int rc = sip_parse((const uint8_t *)cases[i].msg, strlen(cases[i].msg), &m);
        show_problems(&out, &m);
        assert_shown(&out, cases[i].expect, i);
        assert_int_equal(rc, strstr(cases[i].expect, "start_line") != NULL ? -1 : 0);
        if (cases[i].offset >= 0 && m.problem_offset != (size_t)cases[i].offset)
            fail_msg("case %zu: offset %zu", i, m.problem_offset);
    }
    assert_null(sip_problem_name(SIP_PROBLEM_COUNT));
}

/* What is good in a bad message is there. */
static void test_good_parts(void **state)
{
    (void)state;
    static const char msg[] = "INVITE sip:b@h:x SIP/2.0\r\n"
                              "garbage\r\n"
                              "From: Smith, Bob <sip:bob@example.com>;tag=77\r\n"
                              "To: 1001\r\n"
                              "CSeq: x INVITE\r\n"
                              "Call-ID: first\r\nCall-ID: second\r\n"
                              "Via: SIP/2.0/UDP h:bad;branch=1,SIP/2.0/TCP good;branch=2\r\n"
                              "Contact: *\r\n"
                              "l: 99\r\n\r\nbody";
    struct sip_msg m;
    assert_int_equal(sip_parse((const uint8_t *)msg, sizeof(msg) - 1, &m), 0);
    assert_text(m.ruri.user, "b");
    assert_text(m.from.display, "Smith, Bob");
    assert_text(m.from.uri.user, "bob");
    assert_text(m.from.tag, "77");
    assert_text(m.to.uri.raw, "1001");
    assert_text(m.cseq.method, "INVITE");
    assert_text(m.call_id, "first");
    assert_int_equal(m.via_count, 2);
    assert_text(m.vias[1].branch, "2");
    assert_true(m.contact_star);
    assert_text(m.body, "body");
}

/* Values in other shapes than sample_full has. */
static void test_variants(void **state)
{
    (void)state;
    static const char msg[] = BYE MIN "P-Charging-Vector: orig-ioi=x; icid-value = abc ;y\r\n"
                                      "Session-ID: 00112233445566778899aabbccddeeff\r\n"
                                      "y: \"old=\"\r\n"
                                      "Reason: SIP;text=\"no cause\"\r\nREASON: Q.850 ; Cause=34\r\n"
                                      "remote-party-id: sip:rp@h;party=called\r\n"
                                      "Diversion: \"D\" <tel:+1>\r\n"
                                      "Warning: 399 a b \"t\"\r\n"
                                      "Proxy-Authorization: Basic abc\r\nProxy-Authorization: Digest realm=r\r\n"
                                      "x: 90\r\n\r\n";
    struct sip_msg m;
    assert_int_equal(sip_parse((const uint8_t *)msg, sizeof(msg) - 1, &m), 0);
    assert_int_equal(m.problems, 0);
    assert_text(m.icid, "abc");
    assert_text(m.session_id.local, "00112233445566778899aabbccddeeff");
    assert_text(m.session_id.remote, "");
    assert_text(m.identity, "old=");
    assert_false(sip_reason_of(&m, "SIP")->cause.set);
    assert_text(sip_reason_of(&m, "SIP")->text, "no cause");
    assert_number(sip_reason_of(&m, "Q.850")->cause, 34);
    assert_text(m.remote_party.uri.user, "rp");
    assert_text(m.diversion.uri.user, "+1");
    assert_text(m.diversion_reason, "");
    assert_text(m.warning.text, "t");
    assert_text(m.proxy_authorization.realm, "r");
    assert_number(m.session_expires, 90);
    assert_text(m.refresher, "");
}

static void test_extras(void **state)
{
    (void)state;
    static const struct sip_extra names[] = { { "X-CID", 5 }, { "subject", 7 }, { "X-None", 6 } };
    struct hep_slice values[3];
    const struct sip_extras extras = { .names = names, .count = 3, .ret_values = values };
    struct sip_msg m;
    (void)sip_parse_extra((const uint8_t *)sample_full, sizeof(sample_full) - 1, &extras, &m);
    assert_text(values[0], "leg-a-77");
    assert_text(values[1], "Lunch");
    assert_text(values[2], "");
}

/* Lists and headers beyond what is kept are counted. */
static void test_limits(void **state)
{
    (void)state;
    static char msg[65536];
    struct sip_msg m;
    size_t n = (size_t)snprintf(msg, sizeof(msg), BYE MIN);
    for (int i = 0; i < 300; i++)
        n += (size_t)snprintf(
            msg + n, sizeof(msg) - n,
            "Via: SIP/2.0/UDP h%d\r\nRoute: <sip:r%d>\r\nReason: SIP\r\nP-Asserted-Identity: <tel:%d>\r\n", i, i, i);
    n += (size_t)snprintf(msg + n, sizeof(msg) - n, "Subject: too late\r\n\r\nbody");
    assert_int_equal(sip_parse((const uint8_t *)msg, n, &m), 0);
    assert_int_equal(m.header_count, 5 + 1200 + 1);
    assert_int_equal(m.problems, 1U << SIP_PROBLEM_TOO_MANY);
    assert_int_equal(m.via_kept, SIP_VIAS_MAX);
    assert_int_equal(m.via_count, 64);
    assert_text(m.vias[0].host, "h");
    assert_text(m.vias[7].host, "h6");
    assert_int_equal(m.route.kept, SIP_ROUTES_MAX);
    assert_int_equal(m.route.count, 63);
    assert_int_equal(m.reason_kept, SIP_REASONS_MAX);
    assert_int_equal(m.asserted_kept, SIP_ASSERTED_MAX);
    assert_text(m.subject, "");
    assert_text(m.body, "body");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_full_identity),    cmocka_unit_test(test_full_hops), cmocka_unit_test(test_full_people),
        cmocka_unit_test(test_full_correlation), cmocka_unit_test(test_full_rest), cmocka_unit_test(test_response),
        cmocka_unit_test(test_tortuous),         cmocka_unit_test(test_line_ends), cmocka_unit_test(test_problems),
        cmocka_unit_test(test_good_parts),       cmocka_unit_test(test_variants),  cmocka_unit_test(test_extras),
        cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
