/* A message taken apart. */
#include <jansson.h>

#include "query/detail.h"
#include "testlib.h"

static json_t *take_apart(const char *text, size_t len)
{
    struct buf out;
    json_error_t err;
    buf_init(&out, (size_t)4 << 20);
    detail_sip(&out, (struct hep_slice){ (const uint8_t *)text, len });
    assert_false(out.failed);
    json_t *j = json_loadb((const char *)out.ptr, out.len, JSON_ALLOW_NUL, &err);
    if (j == NULL)
        fail_msg("%s: %.*s", err.text, (int)out.len, (const char *)out.ptr);
    buf_free(&out);
    return j;
}

static const json_t *header(const json_t *j, size_t i)
{
    return json_array_get(json_object_get(j, "headers"), i);
}

static const char *text(const json_t *j, const char *key)
{
    const char *s = json_string_value(json_object_get(j, key));
    return s != NULL ? s : "";
}

static long long number(const json_t *j, const char *key)
{
    return json_integer_value(json_object_get(j, key));
}

static const char invite[] = "INVITE sip:bob@example.com SIP/2.0\r\n"
                             "v: SIP/2.0/UDP a.example.com:5070;branch=z9hG4bK1;rport=7,\r\n"
                             "   SIP/2.0/TCP b.example.com;received=10.0.0.9\r\n"
                             "From: \"A, l\" <sip:alice@example.com;user=phone>;tag=x\r\n"
                             "Subject: one\r\n \ttwo\r\n"
                             "X-Foo: bar\r\n"
                             "Content-Type: application/sdp\r\n"
                             "Content-Length: 150\r\n\r\n"
                             "v=0\r\no=u 12 13 IN IP4 10.0.0.1\r\ns=-\r\nc=IN IP4 10.0.0.1\r\nt=0 0\r\n"
                             "m=audio 4000 RTP/AVP 0 101\r\n"
                             "a=rtpmap:101 telephone-event/8000\r\na=sendonly\r\na=ptime:30\r\n";

static void headers_have_their_elements(void **state)
{
    (void)state;
    json_t *j = take_apart(invite, sizeof(invite) - 1);
    assert_string_equal(text(j, "start_line"), "INVITE sip:bob@example.com SIP/2.0");
    assert_int_equal(json_array_size(json_object_get(j, "headers")), 6);

    const json_t *via = header(j, 0);
    assert_string_equal(text(via, "name"), "v");
    assert_string_equal(text(via, "header"), "Via");
    assert_int_equal(number(via, "offset"), 36);
    const json_t *vias = json_object_get(via, "vias");
    assert_int_equal(json_array_size(vias), 2);
    assert_string_equal(text(json_array_get(vias, 0), "branch"), "z9hG4bK1");
    assert_int_equal(number(json_array_get(vias, 0), "rport"), 7);
    assert_string_equal(text(json_array_get(vias, 1), "received"), "10.0.0.9");

    const json_t *from = json_array_get(json_object_get(header(j, 1), "addresses"), 0);
    assert_string_equal(text(from, "display"), "A, l");
    assert_string_equal(text(from, "user"), "alice");
    assert_string_equal(text(from, "tag"), "x");

    assert_string_equal(text(header(j, 2), "value"), "one two");
    assert_string_equal(text(header(j, 3), "name"), "X-Foo");
    assert_null(json_object_get(header(j, 3), "header"));
    json_decref(j);
}

static void sdp_is_there(void **state)
{
    (void)state;
    json_t *j = take_apart(invite, sizeof(invite) - 1);
    const json_t *sdp = json_object_get(j, "sdp");
    assert_string_equal(text(sdp, "origin"), "10.0.0.1");
    assert_int_equal(json_array_size(json_object_get(sdp, "media")), 1);
    const json_t *m = json_array_get(json_object_get(sdp, "media"), 0);
    assert_int_equal(number(m, "port"), 4000);
    assert_int_equal(number(m, "rtcp_port"), 4001);
    assert_int_equal(number(m, "ptime"), 30);
    assert_string_equal(text(m, "direction"), "sendonly");
    const json_t *formats = json_object_get(m, "formats");
    assert_int_equal(json_array_size(formats), 2);
    assert_string_equal(text(json_array_get(formats, 0), "codec"), "PCMU");
    assert_string_equal(text(json_array_get(formats, 1), "codec"), "telephone-event");
    json_decref(j);
}

static void problems_are_named(void **state)
{
    static const char bad[] = "garbage\r\nno colon here\r\nFrom: <sip:\xff>\r\n\r\n";
    (void)state;
    json_t *j = take_apart(bad, sizeof(bad) - 1);
    bool found = false;
    size_t i;
    json_t *name;
    json_array_foreach(json_object_get(j, "problems"), i, name) found |=
        strcmp(json_string_value(name), "no_colon") == 0;
    assert_true(found);
    assert_null(json_object_get(header(j, 0), "name"));
    assert_string_equal(text(header(j, 0), "value"), "no colon here");
    assert_true(json_is_true(json_object_get(header(j, 0), "bad")));
    json_decref(j);
}

static void many_headers_are_counted(void **state)
{
    struct buf b;
    (void)state;
    buf_init(&b, (size_t)1 << 20);
    buf_puts(&b, "OPTIONS sip:x SIP/2.0\r\n");
    for (int i = 0; i < DETAIL_HEADERS_MAX + 5; i++)
        buf_printf(&b, "X-%d: %d\r\n", i, i);
    buf_puts(&b, "\r\n");
    json_t *j = take_apart((const char *)b.ptr, b.len);
    assert_int_equal(json_array_size(json_object_get(j, "headers")), DETAIL_HEADERS_MAX);
    assert_int_equal(number(j, "further_headers"), 5);
    json_decref(j);
    buf_free(&b);
}

/* Whatever the octets are, the object is JSON. */
static void any_octets_give_an_object(void **state)
{
    char copy[sizeof(invite)];
    (void)state;
    for (size_t cut = 0; cut < sizeof(invite); cut++)
        json_decref(take_apart(invite, cut));
    for (unsigned seed = 1; seed < 3000; seed++) {
        memcpy(copy, invite, sizeof(invite));
        unsigned x = seed * 2654435761u;
        for (int i = 0; i < 8; i++, x = x * 1664525u + 1013904223u)
            copy[(x >> 8) % (sizeof(invite) - 1)] = (char)(x >> 24);
        json_decref(take_apart(copy, sizeof(invite) - 1));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(headers_have_their_elements), cmocka_unit_test(sdp_is_there),
        cmocka_unit_test(problems_are_named),          cmocka_unit_test(many_headers_are_counted),
        cmocka_unit_test(any_octets_give_an_object),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
