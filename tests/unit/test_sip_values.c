/* Start lines, URIs, addresses, Via, parameters and lists on their own. */
#include "testlib.h"

#include "guard.h"
#include "sip/start.h"
#include "sip/value.h"
#include "sip_show.h"

static void test_start(void **state)
{
    (void)state;
    static const struct {
        const char *line, *expect;
    } cases[] = {
        { "INVITE sip:a@b SIP/2.0", "1 method=INVITE/6 uri=sip:a@b" },
        { "NOTIFY sip:a b@c  SIP/2.0 ", "1 method=NOTIFY/8 uri=sip:a b@c" },
        { "invite sip:a sip/2.0", "1 method=invite/1 uri=sip:a" }, /* methods are case-sensitive */
        { "FOO.bar sip:a SIP/2.0", "1 method=FOO.bar/1 uri=sip:a" },
        { "SIP/2.0 200 OK", "1 status=200 reason=OK" },
        { "SIP/2.0 180", "1 status=180" },
        { "SIP/2.0 404 ", "1 status=404" },
        { "sip/2.0 100 \xd0\xb4\xd0\xb0", "1 status=100 reason=\xd0\xb4\xd0\xb0" },
        /* malformed, and what is made of them */
        { "SIP/2.0  200 OK", "0 status=200 reason=OK" },
        { "SIP/7.0 200 OK", "0 status=200 reason=OK" },
        { "SIP/2.0 99 Too Low", "0 status=99 reason=Too Low" },
        { "SIP/2.0 4294967301 better not break", "0 status=429 reason=4967301 better not break" },
        { "INVITE  sip:a@b SIP/2.0", "0 method=INVITE/6 uri=sip:a@b" },
        { "INVITE sip:a@b", "0 method=INVITE/6 uri=sip:a@b" },
        { "INVITE sip:a@b SIP/7.0", "0 method=INVITE/6 uri=sip:a@b" },
        { " INVITE sip:a@b SIP/2.0", "0 method=INVITE/6 uri=sip:a@b" },
        { "FOO sip:a SIP/9.9", "0 method=FOO/1 uri=sip:a" },
        { "GET / HTTP/1.1", "0 neither" },
        { "\x16\x03\x01", "0 neither" },
        { "", "0 neither" },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct sip_start start;
        struct show out = { .len = 0 };
        show(&out, "%d", sip_start_parse(S(cases[i].line), &start));
        if (start.kind == SIP_NEITHER)
            show(&out, " neither");
        show_slice(&out, "method", start.method);
        if (start.kind == SIP_REQUEST)
            show(&out, "/%d", (int)start.method_id);
        if (start.kind == SIP_RESPONSE)
            show(&out, " status=%u", start.status);
        show_slice(&out, "uri", start.uri);
        show_slice(&out, "reason", start.reason);
        assert_shown(&out, cases[i].expect, i);
    }
}

static void test_methods(void **state)
{
    (void)state;
    static const char *const names[] = { "ACK",     "BYE",   "CANCEL",  "INFO",  "INVITE",   "MESSAGE",   "NOTIFY",
                                         "OPTIONS", "PRACK", "PUBLISH", "REFER", "REGISTER", "SUBSCRIBE", "UPDATE" };
    for (size_t i = 0; i < COUNT_OF(names); i++)
        assert_int_equal(sip_method_id(S(names[i])), SIP_ACK + (int)i);
    assert_int_equal(sip_method_id(S("INVIT")), SIP_OTHER);
    assert_int_equal(sip_method_id(S("INVITEX")), SIP_OTHER);
    assert_int_equal(sip_method_id(S("SUBSCRIBEX")), SIP_OTHER);
    assert_int_equal(sip_method_id(S("")), SIP_NO_METHOD);
}

static void test_uri(void **state)
{
    (void)state;
    static const struct {
        const char *text, *expect;
    } cases[] = {
        { "sip:alice@example.com", "sip user=alice host=example.com" },
        { "SIPS:alice:pw@example.com:5061;lr?a=b",
          "sips user=alice host=example.com port=5061 params=;lr headers=a=b" },
        { "sip:example.com", "sip host=example.com" },
        { "sip:[2001:db8::1]", "sip host=2001:db8::1" },
        { "sip:a@[2001:db8::1]:5060;x", "sip user=a host=2001:db8::1 port=5060 params=;x" },
        { "sip:+1;phone-context=+44@h;user=phone", "sip user=+1 uparams=;phone-context=+44 host=h params=;user=phone" },
        { "sip:a?b;c@h", "sip user=a?b uparams=;c host=h" },
        { "sip:sip%3Auser%40x@h?Subject=y", "sip user=sip%3Auser%40x host=h headers=Subject=y" },
        { "sip:a@h;p=v?x", "sip user=a host=h params=;p=v headers=x" },
        { "tel:+1-555-0100;phone-context=x", "tel user=+1-555-0100 params=;phone-context=x" },
        { "urn:service:sos", "urn user=service:sos" },
        { "http://example.com/x", "other" },
        { "pres:a@b", "other" },
        { "a@b", "none user=a host=b bad" },
        { "1001", "none host=1001 bad" },
        { "sip:", "sip bad" },
        { "sip:a@", "sip user=a bad" },
        { "sip:a@h:", "sip user=a host=h bad" },
        { "sip:a@h:70000", "sip user=a host=h bad" },
        { "sip:a@h:50x0;p", "sip user=a host=h port=50 params=;p bad" },
        { "sip:a@[::1", "sip user=a host=::1 bad" },
        { "sip:a@h h2", "sip user=a host=h bad" },
        { "tel:", "tel bad" },
        { "", "none bad" },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct sip_uri uri;
        struct show out = { .len = 0 };
        size_t n = strlen(cases[i].text);
        uint8_t *p = guard_copy((const uint8_t *)cases[i].text, n);
        bool good = sip_uri_parse((struct hep_slice){ p, n }, &uri);
        assert_int_equal(good, !uri.bad);
        show_uri(&out, &uri);
        assert_int_equal(uri.raw.len, n);
        guard_free(p, n);
        assert_shown(&out, cases[i].expect, i);
    }
}

static void test_addr(void **state)
{
    (void)state;
    static const struct {
        const char *text, *expect; /* what follows '|' is left for the next call */
    } cases[] = {
        { "<sip:a@b>", " [sip user=a host=b]|" },
        { "sip:a@b;tag=1", " [sip user=a host=b] tag=1 params=;tag=1|" },
        { "\"A, <B>\\\"\" <sip:a@b;lr>;x;tag=\"q\" , next",
          " display=A, <B>\\\" [sip user=a host=b params=;lr] tag=q params=;x;tag=\"q\" |, next" },
        { "A B <sip:a@b>", " display=A B [sip user=a host=b]|" },
        { "A  <sip:a@b> ; TAG = 1 ; tag=2", " display=A [sip user=a host=b] tag=1 params=; TAG = 1 ; tag=2|" },
        { "\"\"<tel:+1>", " [tel user=+1]|" },
        { "<sip:a@b>,<sip:c@d>", " [sip user=a host=b]|,<sip:c@d>" },
        { "sip:a@b, sip:c@d", " [sip user=a host=b]|, sip:c@d" },
        { "<sip:a@b", " [sip user=a host=b] bad|" },
        { "<sip:a@b> junk;tag=1", " [sip user=a host=b] bad|" },
        { "<>", " [none bad] bad|" },
        { "\"never ends <sip:a@b>", " [none user=never ends <sip host=b> bad] bad|" },
        { "bob", " [none host=bob bad] bad|" },
        { "", " [none bad] bad|" },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct sip_addr addr;
        struct show out = { .len = 0 };
        size_t n = strlen(cases[i].text);
        uint8_t *p = guard_copy((const uint8_t *)cases[i].text, n);
        struct hep_slice rest = { p, n };
        (void)sip_addr_next(&rest, &addr);
        show_addr(&out, &addr);
        show(&out, "|%.*s", (int)rest.len, (const char *)rest.ptr);
        guard_free(p, n);
        assert_shown(&out, cases[i].expect, i);
    }
}

static void test_via(void **state)
{
    (void)state;
    static const struct {
        const char *text, *expect;
    } cases[] = {
        { "SIP/2.0/UDP h:5060;branch=z9hG4bK1;rport", " transport=UDP host=h port=5060 branch=z9hG4bK1 rport=0|" },
        { "SIP/2.0/TCP [2001:db8::1]:1;received=[::1];rport=7",
          " transport=TCP host=2001:db8::1 port=1 received=::1 rport=7|" },
        { "SIP / 2.0 / WSS  h : 5 ; branch = x , SIP/2.0/UDP b",
          " transport=WSS host=h port=5 branch=x|, SIP/2.0/UDP b" },
        { "sip/2.0/tls h;ttl=1;maddr=2;branch=\"q;,\"", " transport=tls host=h branch=q;,|" },
        { "SIP/2.0/UDP h;branch", " transport=UDP host=h|" },
        { "SIP/2.0/UDP h;branch=;received=1", " transport=UDP host=h received=1|" },
        { "SIP/2.0/UDP", " transport=UDP bad|" },
        { "SIP/2.0/UDP h:x;branch=1", " transport=UDP host=h bad|" },
        { "SIP/2.0/UDP h;rport=99999", " transport=UDP host=h rport=0 bad|" },
        { "h;branch=1", " bad|" },
        { "", " bad|" },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct sip_via via;
        struct show out = { .len = 0 };
        size_t n = strlen(cases[i].text);
        uint8_t *p = guard_copy((const uint8_t *)cases[i].text, n);
        struct hep_slice rest = { p, n };
        (void)sip_via_next(&rest, &via);
        show_via(&out, &via);
        show(&out, "|%.*s", (int)rest.len, (const char *)rest.ptr);
        guard_free(p, n);
        assert_shown(&out, cases[i].expect, i);
    }
}

static void test_params(void **state)
{
    (void)state;
    static const struct {
        const char *text, *expect;
    } cases[] = {
        { ";a=1;b;c=\"x;,y\" ; d = 4", "a:1 b: c:x;,y d:4 |" },
        { ";;a ;=v", "a: :v |" },
        { ";a=1, b", "a:1 |, b" },
        { ";a=\"open", "a:open |" },
        { ";a=\"e\\\"f\";b", "a:e\\\"f b: |" },
        { ";a=1 junk;b=2", "a:1 b:2 |" },
        { "x;a", "|x;a" },
        { ";", "|" },
        { "", "|" },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct sip_param param;
        struct show out = { .len = 0 };
        struct hep_slice rest = S(cases[i].text);
        while (sip_param_next(&rest, &param))
            show(&out, "%.*s:%.*s ", (int)param.name.len, (const char *)param.name.ptr, (int)param.value.len,
                 (const char *)param.value.ptr);
        show(&out, "|%.*s", (int)rest.len, (const char *)rest.ptr);
        assert_shown(&out, cases[i].expect, i);
    }
}

static void test_list(void **state)
{
    (void)state;
    static const struct {
        const char *text, *expect;
    } cases[] = {
        { "a, b ,c", "a|b|c|" },     { "\"a,b\",<c,d>;e=\"f,g\"", "\"a,b\"|<c,d>;e=\"f,g\"|" },
        { ",, a ,,", "a|" },         { "\"open, b", "\"open, b|" },
        { "<open, b", "<open, b|" }, { "", "" },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct show out = { .len = 0 };
        struct hep_slice rest = S(cases[i].text);
        struct hep_slice item;
        while (sip_list_next(&rest, &item))
            show(&out, "%.*s|", (int)item.len, (const char *)item.ptr);
        assert_shown(&out, cases[i].expect, i);
    }
}

static void test_unescape(void **state)
{
    (void)state;
    uint8_t out[8];
    assert_int_equal(sip_unescape(S("a\\\"b\\\\"), out, sizeof(out)), 4);
    assert_memory_equal(out, "a\"b\\", 4);
    assert_int_equal(sip_unescape(S("abcdefghijk"), out, sizeof(out)), 8);
    assert_int_equal(sip_unescape(S("x\\"), out, sizeof(out)), 2);
    assert_int_equal(sip_unescape(S(""), out, sizeof(out)), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_start), cmocka_unit_test(test_methods),  cmocka_unit_test(test_uri),
        cmocka_unit_test(test_addr),  cmocka_unit_test(test_via),      cmocka_unit_test(test_params),
        cmocka_unit_test(test_list),  cmocka_unit_test(test_unescape),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
