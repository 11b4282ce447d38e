#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/ip.h"
#include "guard.h"
#include "sip/sdp.h"

#define U8(text) ((const uint8_t *)(text))

/* Prints each medium as "kind host addr:port rtcp_addr:rtcp_port[ mux];". */
static void print_media(const char *sdp, size_t n, char out[1024])
{
    struct sdp_iter it;
    struct sdp_media m;
    size_t used = 0;
    out[0] = '\0';
    sdp_begin(&it, (struct hep_slice){ U8(sdp), n });
    while (sdp_next(&it, &m)) {
        char addr[IP_TEXT_MAX];
        char rtcp[IP_TEXT_MAX];
        (void)ip_format(&m.addr, addr);
        (void)ip_format(&m.rtcp_addr, rtcp);
        int len = snprintf(out + used, 1024 - used, "%.*s %.*s %s:%u %s:%u%s;", (int)m.kind.len,
                           (const char *)m.kind.ptr, (int)m.host.len, m.host.len > 0 ? (const char *)m.host.ptr : "",
                           addr, m.port, rtcp, m.rtcp_port, m.rtcp_mux ? " mux" : "");
        used += (size_t)len;
        assert_true(used < 1024);
    }
}

static void test_media(void **state)
{
    (void)state;
    static const struct {
        const char *sdp, *expect;
    } cases[] = {
        { "v=0\r\no=- 1 1 IN IP4 10.0.0.9\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 49170 RTP/AVP 0\r\n",
          "audio 192.0.2.1 192.0.2.1:49170 192.0.2.1:49171;" },
        /* the address of the medium wins over that of the session, for this medium only */
        { "v=0\nc=IN IP4 192.0.2.1\nm=audio 10 RTP/AVP 0\nc=IN IP4 192.0.2.7\nm=video 20 RTP/AVP 99\n",
          "audio 192.0.2.7 192.0.2.7:10 192.0.2.7:11;video 192.0.2.1 192.0.2.1:20 192.0.2.1:21;" },
        /* RFC 3605 */
        { "v=0\nc=IN IP4 192.0.2.1\nm=audio 10 RTP/AVP 0\na=rtcp:53020\n",
          "audio 192.0.2.1 192.0.2.1:10 192.0.2.1:53020;" },
        { "v=0\nc=IN IP4 192.0.2.1\nm=audio 10 RTP/AVP 0\na=rtcp:53020 IN IP6 2001:db8::1\n",
          "audio 192.0.2.1 192.0.2.1:10 2001:db8::1:53020;" },
        /* RFC 5761, alone and offered together with a port of its own */
        { "v=0\nc=IN IP4 192.0.2.1\nm=audio 10 RTP/AVP 0\na=rtcp-mux\n",
          "audio 192.0.2.1 192.0.2.1:10 192.0.2.1:10 mux;" },
        { "v=0\nc=IN IP4 192.0.2.1\nm=audio 10 RTP/AVP 0\na=rtcp:11\na=rtcp-mux \n",
          "audio 192.0.2.1 192.0.2.1:10 192.0.2.1:11 mux;" },
        /* video, text and image count as well (defect of others: audio only) */
        { "v=0\nc=IN IP6 2001:db8::5\nm=video 20/2 RTP/AVP 99\nm=text 30 RTP/AVP 98\nm=image 40 udptl t38\n",
          "video 2001:db8::5 2001:db8::5:20 2001:db8::5:21;text 2001:db8::5 2001:db8::5:30 2001:db8::5:31;"
          "image 2001:db8::5 2001:db8::5:40 2001:db8::5:41;" },
        { "v=0\nc=IN IP4 224.2.36.42/127\nm=audio 10 RTP/AVP 0\n", "audio 224.2.36.42 224.2.36.42:10 224.2.36.42:11;" },
        { "v=0\nc=IN IP4 media.example.com\nm=audio 10 RTP/AVP 0\n", "audio media.example.com :10 :11;" },
        { "v=0\nc=IN IP4 192.0.2.1\nm=audio 0 RTP/AVP 0\na=rtcp:99\n", "audio 192.0.2.1 192.0.2.1:0 192.0.2.1:0;" },
        { "v=0\nc=IN IP4 192.0.2.1\nm=audio 65535 RTP/AVP 0\n", "audio 192.0.2.1 192.0.2.1:65535 192.0.2.1:0;" },
        /* nonsense is skipped, not taken for something else */
        { "v=0\nc=IN IP4 192.0.2.1\nm=audio\nm=audio 70000 RTP/AVP 0\nm=audio x RTP/AVP 0\nm=audio 5 RTP/AVP 0\n",
          "audio 192.0.2.1 192.0.2.1:5 192.0.2.1:6;" },
        { "v=0\nc=IN IP4\nm=audio 5 RTP/AVP 0\n", "audio  :5 :6;" },
        { "", "" },
        { "m=", "" },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char out[1024];
        print_media(cases[i].sdp, strlen(cases[i].sdp), out);
        if (strcmp(out, cases[i].expect) != 0)
            fail_msg("case %zu: %s", i, out);
    }
}

static const char multipart[] = "INVITE sip:a SIP/2.0\r\n"
                                "c: Multipart/Mixed ; x=1; boundary=\"un;ique\"\r\n"
                                "\r\n"
                                "preamble\r\n"
                                "--un;ique\r\n"
                                "Content-Type: application/isup;version=x\r\n"
                                "\r\n"
                                "\x01\x02--un;iqueX\r\n"
                                "--un;ique\r\n"
                                "Content-Type: multipart/alternative;boundary=inner\r\n"
                                "\r\n"
                                "--inner\r\n"
                                "Content-Disposition: session\r\n"
                                "Content-Type: APPLICATION/SDP;charset=utf-8\r\n"
                                "\r\n"
                                "v=0\r\nm=audio 7 RTP/AVP 0\r\n"
                                "--inner--\r\n"
                                "--un;ique--\r\n";

static void test_find(void **state)
{
    (void)state;
    static const struct {
        const char *msg, *expect; /* start of the SDP, NULL: none */
    } cases[] = {
        { "INVITE sip:a SIP/2.0\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n", "v=0\r\n" },
        { "INVITE sip:a SIP/2.0\r\nc:Application/SDP; x=y\r\n\r\nv=0\r\n", "v=0\r\n" },
        { "INVITE sip:a SIP/2.0\r\n\r\nv=0\r\n", "v=0\r\n" },
        { "INVITE sip:a SIP/2.0\r\nContent-Type: text/plain\r\n\r\nv=0\r\n", NULL },
        { "INVITE sip:a SIP/2.0\r\n\r\nhello", NULL },
        { "INVITE sip:a SIP/2.0\r\nContent-Type: application/sdp\r\n\r\n", NULL },
        { "INVITE sip:a SIP/2.0\r\nContent-Type: multipart/mixed\r\n\r\n--\r\n\r\nv=0", NULL },
        { multipart, "v=0\r\nm=audio 7 RTP/AVP 0\r\n" },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct hep_slice sdp;
        bool found = sdp_find(U8(cases[i].msg), strlen(cases[i].msg), &sdp);
        if (found != (cases[i].expect != NULL))
            fail_msg("case %zu: found %d", i, found);
        if (found && (sdp.len != strlen(cases[i].expect) || memcmp(sdp.ptr, cases[i].expect, sdp.len) != 0))
            fail_msg("case %zu: %.*s", i, (int)sdp.len, (const char *)sdp.ptr);
    }
}

/* Bodies nested deeper than the limit are not followed; the search ends. */
static void test_nesting(void **state)
{
    (void)state;
    char msg[4096] = "INVITE sip:a SIP/2.0\r\nContent-Type: multipart/mixed;boundary=b0\r\n\r\n";
    for (int depth = 0; depth < SDP_NESTING_MAX; depth++) {
        char part[128];
        (void)snprintf(part, sizeof(part), "--b%d\r\nContent-Type: multipart/mixed;boundary=b%d\r\n\r\n", depth,
                       depth + 1);
        strncat(msg, part, sizeof(msg) - strlen(msg) - 1);
    }
    char end[128];
    (void)snprintf(end, sizeof(end), "--b%d\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n", SDP_NESTING_MAX);
    strncat(msg, end, sizeof(msg) - strlen(msg) - 1);
    struct hep_slice sdp;
    assert_false(sdp_find(U8(msg), strlen(msg), &sdp));
}

static void test_cuts(void **state)
{
    (void)state;
    static const char sdp[] = "v=0\r\nc=IN IP4 192.0.2.1/12\r\nm=audio 49170/2 RTP/AVP 0\r\nc=IN IP6 2001:db8::1\r\n"
                              "a=rtcp:53020 IN IP4 192.0.2.3\r\na=rtcp-mux\r\nm=video 5 RTP/AVP 1\r\n";
    for (size_t n = 0; n < sizeof(multipart); n++) {
        uint8_t *p = guard_copy(U8(multipart), n);
        struct hep_slice found;
        (void)sdp_find(p, n, &found);
        guard_free(p, n);
    }
    for (size_t n = 0; n < sizeof(sdp); n++) {
        uint8_t *p = guard_copy(U8(sdp), n);
        char out[1024];
        print_media((const char *)p, n, out);
        guard_free(p, n);
    }
}

/* ------------------------------------------------------------------------------------------------ sdp_parse */

static void put(char *out, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void put(char *out, const char *format, ...)
{
    size_t used = strlen(out);
    va_list args;
    va_start(args, format);
    int n = vsnprintf(out + used, 1024 - used, format, args);
    va_end(args);
    assert_true(n >= 0 && (size_t)n < 1024 - used);
}

static void put_slice(char *out, const char *name, struct hep_slice s)
{
    if (s.len > 0)
        put(out, " %s=%.*s", name, (int)s.len, (const char *)s.ptr);
}

/* What a medium says of codecs and transport, as one line. */
static void print_detail(const struct sdp_media *m, char *out)
{
    static const char *const directions[] = { "unset", "sendrecv", "sendonly", "recvonly", "inactive" };
    put(out, "%s", directions[m->direction]);
    for (size_t i = 0; i < m->format_kept; i++) {
        const struct sdp_format *f = &m->formats[i];
        put(out, " %.*s:%.*s/%u/%u", (int)f->text.len, (const char *)f->text.ptr, (int)f->codec.len,
            f->codec.len > 0 ? (const char *)f->codec.ptr : "", f->clock_rate, f->channels);
        put_slice(out, "fmtp", f->fmtp);
    }
    if (m->port_count != 1)
        put(out, " ports=%u", m->port_count);
    if (m->ptime != 0 || m->maxptime != 0)
        put(out, " ptime=%u/%u", m->ptime, m->maxptime);
    if (m->crypto)
        put(out, " crypto");
    put_slice(out, "suite", m->suite);
    if (m->fingerprint)
        put(out, " dtls");
    put_slice(out, "setup", m->setup);
    if (sdp_has_ice(m))
        put(out, " ice=%u", m->candidates);
    put_slice(out, "ufrag", m->ufrag);
    if (m->has_ssrc)
        put(out, " ssrc=%u", m->ssrc);
    put_slice(out, "label", m->label);
    put_slice(out, "mid", m->mid);
}

static struct sdp parsed;

static const struct sdp *parse(const char *text)
{
    memset(&parsed, 0xa5, sizeof(parsed));
    sdp_parse((struct hep_slice){ U8(text), strlen(text) }, &parsed);
    return &parsed;
}

static void test_detail(void **state)
{
    (void)state;
    static const struct {
        const char *sdp, *expect;
    } cases[] = {
        { "m=audio 1 RTP/AVP 0 8 18 9 101\na=rtpmap:101 telephone-event/8000\na=fmtp:101 0-15\na=fmtp:18 annexb=no\n",
          "sendrecv 0:PCMU/8000/1 8:PCMA/8000/1 18:G729/8000/1 fmtp=annexb=no 9:G722/8000/1 "
          "101:telephone-event/8000/1 fmtp=0-15" },
        { "m=audio 1 RTP/SAVPF 96 97\na=rtpmap:96 opus/48000/2\na=rtpmap:98 x/1\n",
          "sendrecv 96:opus/48000/2 97:/0/0" },
        /* what a=rtpmap says wins over the table */
        { "m=audio 1 RTP/AVP 0 10\na=rtpmap:0 XMU/16000\n", "sendrecv 0:XMU/16000/1 10:L16/44100/2" },
        { "m=image 1 udptl t38\na=sendonly\n", "sendonly t38:/0/0" },
        { "m=image 1 udptl 0\n", "sendrecv 0:/0/0" }, /* the table is of RTP */
        { "a=recvonly\nm=audio 1 RTP/AVP 0\n", "recvonly 0:PCMU/8000/1" },
        { "a=recvonly\nm=audio 1/2 RTP/AVP 0\na=inactive\n", "inactive 0:PCMU/8000/1 ports=2" },
        { "m=audio 1 RTP/AVP 0\na=ptime:20\na=maxptime:150.5\n", "sendrecv 0:PCMU/8000/1 ptime=20/150" },
        { "m=audio 1 RTP/SAVP 0\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:secret\na=crypto:2 OTHER inline:x\n",
          "sendrecv 0:PCMU/8000/1 crypto suite=AES_CM_128_HMAC_SHA1_80" },
        { "a=fingerprint:sha-256 4A:AD\na=setup:actpass\na=ice-ufrag:F7gI\nm=audio 9 UDP/TLS/RTP/SAVPF 111\n"
          "a=candidate:1 1 UDP 2130706431 192.0.2.1 8998 typ host\na=candidate:2 1 UDP 1 192.0.2.2 1 typ host\n"
          "a=mid:0\na=label:7\na=ssrc:2231627014 cname:x\na=ssrc:5 cname:y\n",
          "sendrecv 111:/0/0 dtls setup=actpass ice=2 ufrag=F7gI ssrc=2231627014 label=7 mid=0" },
        { "m=audio 1 RTP/AVP 0\na=setup:active\nA=sendonly\na=rtpmap:0\na=rtpmap:0 /8000\na=unknown:x\na=\n",
          "sendrecv 0:PCMU/8000/1 setup=active" },
        { "m=audio 1 RTP/AVP 200 -1 x\na=rtpmap:200 y/1/999\n", "sendrecv 200:y/1/0 -1:/0/0 x:/0/0" },
        { "m=audio 1 UDP/TLS/RTP/SAVPF 0\n", "sendrecv 0:PCMU/8000/1" },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char out[1024] = "";
        assert_int_equal(parse(cases[i].sdp)->media_count, 1);
        print_detail(&parsed.media[0], out);
        if (strcmp(out, cases[i].expect) != 0)
            fail_msg("case %zu:\n got    '%s'\n expect '%s'", i, out, cases[i].expect);
    }
}

static void test_session(void **state)
{
    (void)state;
    char out[1024] = "";
    const struct sdp *sdp = parse("v=0\r\no=alice 53655765 2353687637 IN IP4 pc33.example.com\r\ns=A call\r\n"
                                  "c=IN IP4 192.0.2.1/127\r\na=inactive\r\nt=0 0\r\nm=audio 1 RTP/AVP 0\r\n");
    put_slice(out, "user", sdp->session.user);
    put_slice(out, "id", sdp->session.id);
    put_slice(out, "version", sdp->session.version);
    put_slice(out, "origin", sdp->session.origin);
    put_slice(out, "name", sdp->session.name);
    put_slice(out, "host", sdp->session.host);
    assert_string_equal(
        out, " user=alice id=53655765 version=2353687637 origin=pc33.example.com name=A call host=192.0.2.1");
    assert_int_equal(sdp->session.addr.len, 4);
    assert_int_equal(sdp->session.direction, SDP_INACTIVE);
    assert_int_equal(parse("")->session.direction, SDP_UNSET);
    assert_int_equal(parse("")->media_count, 0);
}

static void test_media_limits(void **state)
{
    (void)state;
    static char text[8192];
    size_t n = 0;
    for (int i = 0; i < 20; i++)
        n += (size_t)snprintf(text + n, sizeof(text) - n,
                              "m=audio %d RTP/AVP 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18\n", i + 1);
    assert_int_equal(parse(text)->media_count, 20);
    assert_int_equal(parsed.media_kept, SDP_MEDIA_MAX);
    assert_int_equal(parsed.media[15].port, 16);
    assert_int_equal(parsed.media[0].format_count, 19);
    assert_int_equal(parsed.media[0].format_kept, SDP_FORMATS_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_media),        cmocka_unit_test(test_find),   cmocka_unit_test(test_nesting),
        cmocka_unit_test(test_cuts),         cmocka_unit_test(test_detail), cmocka_unit_test(test_session),
        cmocka_unit_test(test_media_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
