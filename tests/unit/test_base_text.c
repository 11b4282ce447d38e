/* base: base64, UTF-8, JSON output, IP addresses, numbers, buffers. */
#include "testlib.h"

#include <arpa/inet.h>

#include "base/base64.h"
#include "base/buf.h"
#include "base/ip.h"
#include "base/json_out.h"
#include "base/near.h"
#include "base/num.h"
#include "base/utf8.h"
#include "guard.h"

/* ------------------------------------------------------------------------------------------------ base64 */

/* Decodes in pieces of `step` characters; -1 as the decoder says it. */
static ptrdiff_t decode(const char *text, size_t len, size_t step, uint8_t *out, uint64_t *ret_offset)
{
    struct base64_in b = { 0 };
    ptrdiff_t total = 0;
    for (size_t at = 0; at < len; at += step) {
        size_t piece = step < len - at ? step : len - at;
        ptrdiff_t n = base64_decode(&b, text + at, piece, out + total);
        *ret_offset = b.offset;
        if (n < 0)
            return -1;
        assert_true((size_t)n <= 3 * (piece + 3) / 4);
        total += n;
    }
    ptrdiff_t n = base64_finish(&b, out + total);
    *ret_offset = b.offset;
    return n < 0 ? -1 : total + n;
}

static void test_base64_lengths(void **state)
{
    (void)state;
    uint64_t seed = 11, offset;
    uint8_t data[200], out[400];
    char text[400];
    for (size_t len = 0; len <= sizeof(data); len++) {
        prng_fill(&seed, data, len);
        size_t n = base64_encode(data, len, text);
        assert_int_equal(n, base64_text_len(len));
        assert_true(base64_plausible((const uint8_t *)text, n));
        for (size_t step = 1; step <= 8; step++) {
            assert_int_equal(decode(text, n, step, out, &offset), len);
            assert_memory_equal(out, data, len);
            assert_int_equal(offset, n);
        }
        while (n > 0 && text[n - 1] == '=')
            n--;
        assert_int_equal(decode(text, n, 7, out, &offset), len); /* without padding */
        assert_memory_equal(out, data, len);
    }
}

static void test_base64_table(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *want; /* NULL: refused, at `offset` */
        size_t want_len;
        uint64_t offset;
    } rows[] = {
        { "", "", 0, 0 },
        { "Zg==", "f", 1, 4 },
        { "Zm8=", "fo", 2, 4 },
        { "Zm9v", "foo", 3, 4 },
        { "Zm9vYmFy", "foobar", 6, 8 },
        { "-_-_", "\xfb\xff\xbf", 3, 4 },
        { "+/+/", "\xfb\xff\xbf", 3, 4 },
        { " Z\tm\r\n9v ", "foo", 3, 9 },
        { "Zg=\n=", "f", 1, 5 },
        { "Zg==Zg==", "ff", 2, 8 },
        { "Zg==\nZm8=\nZm9v\n", "ffofoo", 6, 15 },
        { "Zm8=Zg", "fof", 3, 6 },
        { "Zg", "f", 1, 2 },
        { "Z", NULL, 0, 1 },
        { "Zg=", NULL, 0, 3 },
        { "Zg=Z", NULL, 0, 3 },
        { "Zm8==", NULL, 0, 4 },
        { "Zm9v=", NULL, 0, 4 },
        { "=", NULL, 0, 0 },
        { "Z===", NULL, 0, 1 },
        { "Zm*v", NULL, 0, 2 },
        { "Zm9v\x80", NULL, 0, 4 },
        { "Zm9v.", NULL, 0, 4 },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        size_t len = strlen(rows[i].text);
        for (size_t step = 1; step <= len + 1; step++) {
            uint8_t out[64];
            uint64_t offset = 0;
            ptrdiff_t n = decode(rows[i].text, len, step, out, &offset);
            ptrdiff_t want = rows[i].want == NULL ? -1 : (ptrdiff_t)rows[i].want_len;
            if (n != want || offset != rows[i].offset)
                fail_msg("\"%s\" by %zu: %td at %llu", rows[i].text, step, n, (unsigned long long)offset);
            if (n > 0)
                assert_memory_equal(out, rows[i].want, (size_t)n);
        }
    }
    assert_false(base64_plausible((const uint8_t *)"Zm*v", 4));
    assert_true(base64_plausible((const uint8_t *)"Zm =\n", 5));
}

/* ------------------------------------------------------------------------------------------------ utf8 */

static void test_utf8_table(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t len, want;
    } rows[] = {
        { "a", 1, 1 },
        { "\x7f", 1, 1 },
        { "\0", 1, 1 },
        { "\x80", 1, 0 }, /* a continuation alone */
        { "\xbf", 1, 0 },
        { "\xc0\x80", 2, 0 }, /* overlong */
        { "\xc1\xbf", 2, 0 },
        { "\xc2\x80", 2, 2 },
        { "\xdf\xbf", 2, 2 },
        { "\xc2", 1, 0 }, /* cut */
        { "\xc2\x7f", 2, 0 },
        { "\xc2\xc0", 2, 0 },
        { "\xe0\x9f\xbf", 3, 0 }, /* overlong */
        { "\xe0\xa0\x80", 3, 3 },
        { "\xed\x9f\xbf", 3, 3 },
        { "\xed\xa0\x80", 3, 0 }, /* surrogates */
        { "\xed\xbf\xbf", 3, 0 },
        { "\xee\x80\x80", 3, 3 },
        { "\xef\xbf\xbf", 3, 3 },
        { "\xe2\x82", 2, 0 },
        { "\xe2\x28\xa1", 3, 0 },
        { "\xe2\x82\x28", 3, 0 },
        { "\xf0\x8f\xbf\xbf", 4, 0 }, /* overlong */
        { "\xf0\x90\x80\x80", 4, 4 },
        { "\xf4\x8f\xbf\xbf", 4, 4 },
        { "\xf4\x90\x80\x80", 4, 0 }, /* above U+10FFFF */
        { "\xf0\x9f\x98", 3, 0 },
        { "\xf0\x9f\x98\x28", 4, 0 },
        { "\xf0\x9f\x28\x80", 4, 0 },
        { "\xf0\x28\x98\x80", 4, 0 },
        { "\xf5\x80\x80\x80", 4, 0 },
        { "\xff", 1, 0 },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        uint8_t *copy = guard_copy((const uint8_t *)rows[i].text, rows[i].len);
        if (utf8_char(copy, rows[i].len) != rows[i].want || utf8_valid(copy, rows[i].len) != (rows[i].want != 0))
            fail_msg("row %zu", i);
        guard_free(copy, rows[i].len);
        /* The same behind ASCII of every length: the words of eight must not hide it. */
        for (size_t before = 0; before < 20; before++) {
            uint8_t text[32];
            memset(text, 'a', sizeof(text));
            memcpy(text + before, rows[i].text, rows[i].len);
            copy = guard_copy(text, before + rows[i].len);
            assert_int_equal(utf8_valid(copy, before + rows[i].len), rows[i].want != 0);
            guard_free(copy, before + rows[i].len);
        }
    }
    assert_true(utf8_valid((const uint8_t *)"", 0));
}

/* ------------------------------------------------------------------------------------------------ JSON output */

/* The rules of JSON.stringify(), octet by octet: what json_out_string() does 16 at a time. */
static bool scalar_string(struct buf *b, const uint8_t *text, size_t len)
{
    bool valid = true;
    buf_putc(b, '"');
    for (size_t i = 0; i < len;) {
        size_t n = utf8_char(text + i, len - i);
        switch (text[i]) {
        case '"':
            buf_puts(b, "\\\"");
            break;
        case '\\':
            buf_puts(b, "\\\\");
            break;
        case '\b':
            buf_puts(b, "\\b");
            break;
        case '\f':
            buf_puts(b, "\\f");
            break;
        case '\n':
            buf_puts(b, "\\n");
            break;
        case '\r':
            buf_puts(b, "\\r");
            break;
        case '\t':
            buf_puts(b, "\\t");
            break;
        default:
            if (text[i] < 0x20)
                buf_printf(b, "\\u%04x", text[i]);
            else if (n == 0)
                buf_puts(b, "\xef\xbf\xbd");
            else
                buf_put(b, text + i, n);
        }
        valid = valid && n != 0;
        i += n == 0 ? 1 : n;
    }
    buf_putc(b, '"');
    return valid;
}

static void check_string(const uint8_t *text, size_t len)
{
    struct buf got, want;
    buf_init(&got, 1u << 20);
    buf_init(&want, 1u << 20);
    assert_int_equal(json_out_string(&got, text, len), scalar_string(&want, text, len));
    assert_int_equal(got.len, want.len);
    assert_memory_equal(got.ptr, want.ptr, want.len);
    buf_free(&got);
    buf_free(&want);
}

/* Octets that are mostly plain, with something special now and then. */
static void random_text(uint64_t *seed, uint8_t *text, size_t len)
{
    static const char *const special[] = {
        "\"",           "\\",   "\n", "\x01",        "\x7f", "\x80", "\xff", "\xc3\xa9", "\xf0\x9f\x98\x80",
        "\xed\xa0\x80", "\x1f", " ",  "\xe2\x80\xa8"
    };
    unsigned rarity = 1 + (unsigned)prng_below(seed, 40);
    for (size_t i = 0; i < len;) {
        const char *s = special[prng_below(seed, COUNT_OF(special))];
        if (prng_below(seed, rarity) == 0 && strlen(s) <= len - i) {
            memcpy(text + i, s, strlen(s));
            i += strlen(s);
        } else {
            text[i++] = (uint8_t)(0x20 + prng_below(seed, 0x5f));
        }
    }
}

static void test_json_string(void **state)
{
    (void)state;
    uint64_t seed = 17;
    uint8_t text[400];
    for (size_t len = 0; len <= 100; len++) {
        for (size_t align = 0; align < 16; align++) {
            random_text(&seed, text, align + len);
            check_string(text + align, len);
        }
        random_text(&seed, text, len);
        uint8_t *copy = guard_copy(text, len);
        check_string(copy, len);
        guard_free(copy, len);
    }
    for (unsigned i = 0; i < 5000; i++) {
        size_t len = prng_below(&seed, sizeof(text));
        if (i % 4 == 0)
            prng_fill(&seed, text, len);
        else
            random_text(&seed, text, len);
        check_string(text, len);
    }
    for (unsigned c = 0; c < 256; c++) { /* every octet at every place of a block */
        for (size_t at = 0; at < 33; at++) {
            memset(text, 'a', 40);
            text[at] = (uint8_t)c;
            check_string(text, 40);
        }
    }
}

static void test_json_others(void **state)
{
    (void)state;
    struct buf b;
    bool first = true;
    buf_init(&b, 4096);
    json_out_key(&b, &first, "a");
    json_out_number(&b, 0);
    json_out_key(&b, &first, "b");
    json_out_number(&b, UINT64_MAX);
    json_out_key(&b, &first, "c");
    json_out_text(&b, "x\ty");
    json_out_key(&b, &first, "d");
    json_out_hex(&b, (const uint8_t *)"\x00\xff\x1a", 3);
    json_out_key(&b, &first, "e");
    json_out_base64(&b, (const uint8_t *)"fo", 2);
    json_out_hex(&b, NULL, 0);
    json_out_base64(&b, NULL, 0);
    buf_putc(&b, '\0');
    assert_false(b.failed);
    assert_string_equal((const char *)b.ptr, "\"a\":0,\"b\":18446744073709551615,\"c\":\"x\\ty\",\"d\":\"00ff1a\","
                                             "\"e\":\"Zm8=\"\"\"\"\"");
    buf_free(&b);
    /* A full buffer fails for good and says so; the verdict on the text is right all the same. */
    buf_init(&b, 40);
    assert_true(json_out_string(&b, (const uint8_t *)"abcdefgh", 8));
    assert_true(b.failed);
    assert_false(json_out_string(&b, (const uint8_t *)"\xff", 1));
    json_out_hex(&b, (const uint8_t *)"a", 1);
    json_out_base64(&b, (const uint8_t *)"a", 1);
    json_out_number(&b, 1);
    json_out_key(&b, &first, "k");
    assert_int_equal(b.len, 0);
    buf_free(&b);
}

/* ------------------------------------------------------------------------------------------------ IP */

static void test_ip_text(void **state)
{
    (void)state;
    static const struct {
        const char *text, *back; /* back NULL: refused */
        uint8_t len;
    } rows[] = {
        { "0.0.0.0", "0.0.0.0", 4 },
        { "255.255.255.255", "255.255.255.255", 4 },
        { "1.20.100.9", "1.20.100.9", 4 },
        { "::", "::", 16 },
        { "::1", "::1", 16 },
        { "2001:0DB8::00aB", "2001:db8::ab", 16 },
        { "2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1", 16 },    /* the first of two equal runs */
        { "2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1", 16 }, /* a single zero group stays */
        { "::ffff:1.2.3.4", "::ffff:1.2.3.4", 16 },
        { "1.2.3", NULL, 0 },
        { "1.2.3.4.5", NULL, 0 },
        { "1.2.3.400", NULL, 0 },
        { "01.2.3.4", NULL, 0 },
        { " 1.2.3.4", NULL, 0 },
        { "1.2.3.4 ", NULL, 0 },
        { ":", NULL, 0 },
        { "1::2::3", NULL, 0 },
        { "12345::", NULL, 0 },
        { "[::1]", NULL, 0 },
        { "::1%lo", NULL, 0 },
        { "", NULL, 0 },
        { "1111111111111111111111111111111111111111111111111111", NULL, 0 },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct hep_addr addr;
        char text[IP_TEXT_MAX];
        size_t len = strlen(rows[i].text);
        uint8_t *copy = guard_copy((const uint8_t *)rows[i].text, len); /* not terminated */
        bool ok = ip_parse((const char *)copy, len, &addr);
        if (ok != (rows[i].back != NULL))
            fail_msg("%s", rows[i].text);
        if (ok) {
            assert_int_equal(addr.len, rows[i].len);
            assert_int_equal(ip_format(&addr, text), strlen(rows[i].back));
            assert_string_equal(text, rows[i].back);
        }
        guard_free(copy, len);
    }
    struct hep_addr absent = { 0 };
    char text[IP_TEXT_MAX] = "x";
    assert_int_equal(ip_format(&absent, text), 0);
    assert_string_equal(text, "");
    assert_false(ip_parse("1.2.3.4\0", 8, &absent));
}

static void test_ip_random(void **state)
{
    (void)state;
    uint64_t seed = 23;
    for (unsigned i = 0; i < 20000; i++) {
        struct hep_addr addr = { .len = i % 2 ? 4 : 16 }, back;
        char text[IP_TEXT_MAX];
        prng_fill(&seed, addr.octets, addr.len);
        for (size_t k = prng_below(&seed, 16); k < addr.len; k++) /* runs of zeros */
            addr.octets[k] = prng_below(&seed, 3) == 0 ? addr.octets[k] : 0;
        assert_true(ip_parse(text, ip_format(&addr, text), &back));
        assert_memory_equal(&back, &addr, sizeof(addr));
    }
}

/* Texts that are nearly IPv4 addresses: taken and refused as inet_pton() does it. */
static void test_ip4_as_inet_pton(void **state)
{
    (void)state;
    static const char *const parts[] = { "0",   "1",   "9",   "10",  "99",   "100", "199", "249", "255",
                                         "256", "260", "300", "999", "1000", "00",  "01",  "001", "0255",
                                         "",    "-1",  "+1",  " 1",  "1 ",   "a",   "0x1", ":",   "4294967297" };
    uint64_t seed = 29;
    unsigned taken = 0;
    for (unsigned i = 0; i < 20000; i++) {
        char text[64] = "";
        uint8_t want[4];
        struct hep_addr addr;
        size_t count = prng_below(&seed, 16) == 0 ? prng_below(&seed, 6) : 4;
        for (size_t k = 0; k < count; k++) {
            size_t most = prng_below(&seed, 8) == 0 ? COUNT_OF(parts) : 9; /* mostly good ones */
            size_t len = strlen(text);
            (void)snprintf(text + len, sizeof(text) - len, "%s%s", k > 0 ? "." : "", parts[prng_below(&seed, most)]);
        }
        if (prng_below(&seed, 16) == 0 && text[0] != '\0') /* one octet that is something else */
            text[prng_below(&seed, strlen(text))] = "./:0129\x80"[prng_below(&seed, 8)];
        size_t len = strlen(text);
        uint8_t *copy = guard_copy((const uint8_t *)text, len); /* not terminated */
        bool ok = ip_parse((const char *)copy, len, &addr) && addr.len == 4;
        guard_free(copy, len);
        if (ok != (inet_pton(AF_INET, text, want) == 1))
            fail_msg("\"%s\": %d", text, ok);
        if (ok)
            assert_memory_equal(addr.octets, want, 4);
        taken += ok;
    }
    assert_in_range(taken, 1000, 19000); /* both happen */
}

static void test_ip_net(void **state)
{
    (void)state;
    static const struct {
        const char *net, *addr;
        int want; /* 1 inside, 0 outside, -1 not a network */
    } rows[] = {
        { "10.0.0.0/8", "10.255.0.1", 1 },
        { "10.0.0.0/8", "11.0.0.0", 0 },
        { "10.0.0.0/9", "10.127.0.1", 1 },
        { "10.0.0.0/9", "10.128.0.1", 0 },
        { "10.0.0.1", "10.0.0.1", 1 },
        { "10.0.0.1", "10.0.0.2", 0 },
        { "10.0.0.1/32", "10.0.0.1", 1 },
        { "0.0.0.0/0", "1.2.3.4", 1 },
        { "0.0.0.0/0", "::1", 0 },
        { "::/0", "::1", 1 },
        { "::/0", "1.2.3.4", 0 },
        { "2001:db8::/33", "2001:db8:7fff::", 1 },
        { "2001:db8::/33", "2001:db8:8000::", 0 },
        { "::1/128", "::1", 1 },
        { "::1/128", "::2", 0 },
        { "192.168.1.77/31", "192.168.1.76", 1 },
        { "10.0.0.0/33", "", -1 },
        { "::/129", "", -1 },
        { "10.0.0.0/", "", -1 },
        { "10.0.0.0/-1", "", -1 },
        { "10.0.0.0/8x", "", -1 },
        { "/8", "", -1 },
        { "", "", -1 },
        { "host/8", "", -1 },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct ip_net net;
        struct hep_addr addr;
        bool ok = ip_net_parse(rows[i].net, &net);
        if (ok != (rows[i].want >= 0))
            fail_msg("%s", rows[i].net);
        if (!ok)
            continue;
        assert_true(ip_parse(rows[i].addr, strlen(rows[i].addr), &addr));
        if (ip_net_match(&net, &addr) != (rows[i].want == 1))
            fail_msg("%s in %s", rows[i].addr, rows[i].net);
    }
}

static void test_host_port(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint16_t default_port;
        const char *host; /* NULL: refused */
        uint16_t port;
    } rows[] = {
        { "example.org:9060", 0, "example.org", 9060 },
        { "10.0.0.1:1", 9060, "10.0.0.1", 1 },
        { "10.0.0.1", 9060, "10.0.0.1", 9060 },
        { "10.0.0.1", 0, NULL, 0 },
        { "[::1]:9060", 0, "::1", 9060 },
        { "[::1]", 9060, "::1", 9060 },
        { "[::1]", 0, NULL, 0 },
        { "::1", 9060, "::1", 9060 },
        { "::1", 0, NULL, 0 },
        { "9060", 0, "", 9060 },
        { ":9060", 0, "", 9060 },
        { "65535", 0, "", 65535 },
        { "65536", 1, NULL, 0 },
        { "host:65536", 1, NULL, 0 },
        { "host:", 1, NULL, 0 },
        { "host:x", 1, NULL, 0 },
        { "host:1x", 1, NULL, 0 },
        { "[::1", 1, NULL, 0 },
        { "[::1]x", 1, NULL, 0 },
        { "[::1]:", 1, NULL, 0 },
        { "[::1]9060", 1, NULL, 0 },
        { "", 1, NULL, 0 },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char host[256];
        uint16_t port = 0;
        bool ok = ip_host_port(rows[i].text, host, &port, rows[i].default_port);
        if (ok != (rows[i].host != NULL))
            fail_msg("\"%s\"", rows[i].text);
        if (ok) {
            assert_string_equal(host, rows[i].host);
            assert_int_equal(port, rows[i].port);
        }
    }
    char longest[300], host[256];
    uint16_t port;
    memset(longest, 'a', sizeof(longest));
    for (size_t len = 250; len < 260; len++) {
        memcpy(longest + len, ":1", 3);
        assert_int_equal(ip_host_port(longest, host, &port, 0), len < 256);
        longest[len] = 'a';
    }
}

/* ------------------------------------------------------------------------------------------------ numbers, buffer */

static void test_num(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t max;
        bool ok;
        uint64_t value;
    } rows[] = {
        { "0", 0, true, 0 },
        { "1", 0, false, 0 },
        { "65535", 65535, true, 65535 },
        { "65536", 65535, false, 0 },
        { "000000000000000000000000000007", 9, true, 7 },
        { "18446744073709551615", UINT64_MAX, true, UINT64_MAX },
        { "18446744073709551616", UINT64_MAX, false, 0 },
        { "99999999999999999999", UINT64_MAX, false, 0 },
        { "", 9, false, 0 },
        { "-1", 9, false, 0 },
        { "+1", 9, false, 0 },
        { " 1", 9, false, 0 },
        { "1 ", 9, false, 0 },
        { "0x1", 9, false, 0 },
        { "1.0", 9, false, 0 },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        uint64_t v = 77;
        if (num_parse(rows[i].text, strlen(rows[i].text), rows[i].max, &v) != rows[i].ok)
            fail_msg("\"%s\"", rows[i].text);
        assert_int_equal(v, rows[i].ok ? rows[i].value : 77); /* untouched if refused */
    }
    uint64_t seed = 3;
    for (unsigned i = 0; i < 10000; i++) {
        char text[20], want[24];
        uint64_t v = i == 0 ? 0 : prng_next(&seed) >> prng_below(&seed, 64), back;
        size_t len = num_format(v, text);
        assert_int_equal(len, snprintf(want, sizeof(want), "%llu", (unsigned long long)v));
        assert_memory_equal(text, want, len);
        assert_true(num_parse(text, len, UINT64_MAX, &back));
        assert_int_equal(back, v);
    }
}

static void test_hundredths(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t max, value; /* -1: refused */
        const char *back;
    } rows[] = {
        { "0", 9, 0, "0" },           { "3.5", 999, 350, "3.5" },   { "3.50", 999, 350, "3.5" },
        { "3.05", 999, 305, "3.05" }, { "9.99", 999, 999, "9.99" }, { "10", 999, -1, NULL },
        { "9.995", 9999, -1, NULL },  { "3.", 999, -1, NULL },      { ".5", 999, -1, NULL },
        { "-1", 999, -1, NULL },      { "1.-1", 999, -1, NULL },    { "1.2.3", 999, -1, NULL },
        { "", 999, -1, NULL },        { "1e3", 999999, -1, NULL },  { "120", 99999, 12000, "120" },
        { "9.99", 998, -1, NULL },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char text[NUM_HUNDREDTHS_TEXT];
        int64_t v = -1;
        (void)num_parse_hundredths(rows[i].text, strlen(rows[i].text), rows[i].max, &v);
        if (v != rows[i].value)
            fail_msg("\"%s\": %lld", rows[i].text, (long long)v);
        if (v >= 0)
            assert_int_equal(num_format_hundredths(v, text), strlen(rows[i].back));
        if (v >= 0)
            assert_string_equal(text, rows[i].back);
    }
}

static void test_buf(void **state)
{
    (void)state;
    struct buf b;
    for (size_t max = 0; max <= 1030; max += 103) {
        buf_init(&b, max);
        for (size_t i = 0; i < max; i++)
            buf_putc(&b, (char)('a' + i % 26));
        assert_false(b.failed);
        assert_int_equal(b.len, max);
        buf_put(&b, NULL, 0); /* nothing more is no failure */
        assert_false(b.failed);
        buf_putc(&b, 'x');
        assert_true(b.failed);
        assert_int_equal(b.len, max);
        assert_null(buf_space(&b, 0)); /* sticks, whatever is asked */
        buf_puts(&b, "");
        buf_drop(&b, max / 2);
        assert_int_equal(b.len, max - max / 2);
        if (b.len > 0)
            assert_int_equal(b.ptr[0], 'a' + (int)(max / 2 % 26));
        buf_putc(&b, 'y');
        assert_int_equal(b.len, max - max / 2);
        buf_reset(&b);
        assert_false(b.failed);
        assert_int_equal(b.len, 0);
        buf_free(&b);
        assert_null(b.ptr);
        assert_int_equal(b.max, max);
    }
    buf_init(&b, SIZE_MAX);
    buf_putc(&b, 'x');
    assert_null(buf_space(&b, SIZE_MAX)); /* no wrap */
    assert_true(b.failed);
    buf_free(&b);
    buf_init(&b, 100);
    buf_printf(&b, "%s-%d", "abc", 42);
    buf_puts(&b, "!");
    assert_int_equal(b.len, 7);
    assert_memory_equal(b.ptr, "abc-42!", 7);
    buf_printf(&b, "%200s", "");
    assert_true(b.failed);
    assert_int_equal(b.len, 7);
    buf_free(&b);
}

static size_t distance(const char *a, const char *b, size_t max)
{
    return near_distance(a, strlen(a), b, strlen(b), max);
}

static void test_near(void **state)
{
    (void)state;
    assert_int_equal(distance("interval", "interval", 9), 0);
    assert_int_equal(distance("Interval", "interval", 9), 0);
    assert_int_equal(distance("intervall", "interval", 9), 1);
    assert_int_equal(distance("itnerval", "interval", 9), 1);
    assert_int_equal(distance("", "abc", 9), 3);
    assert_int_equal(distance("kitten", "sitting", 9), 3);
    assert_int_equal(distance("kitten", "sitting", 1), 2);
    char far[100];
    memset(far, 'x', sizeof(far) - 1);
    far[sizeof(far) - 1] = '\0';
    assert_int_equal(distance(far, far, 3), 4);

    static const char *const words[] = { "limit", "from", "format", NULL };
    assert_string_equal(near_word("fomat", 5, words), "format");
    assert_string_equal(near_word("lmiit", 5, words), "limit");
    assert_string_equal(near_word("frm", 3, words), "from");
    assert_null(near_word("colour", 6, words));
    assert_null(near_word("", 0, words));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_base64_lengths),
        cmocka_unit_test(test_base64_table),
        cmocka_unit_test(test_utf8_table),
        cmocka_unit_test(test_json_string),
        cmocka_unit_test(test_json_others),
        cmocka_unit_test(test_ip_text),
        cmocka_unit_test(test_ip_random),
        cmocka_unit_test(test_ip4_as_inet_pton),
        cmocka_unit_test(test_ip_net),
        cmocka_unit_test(test_host_port),
        cmocka_unit_test(test_num),
        cmocka_unit_test(test_hundredths),
        cmocka_unit_test(test_buf),
        cmocka_unit_test(test_near),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
