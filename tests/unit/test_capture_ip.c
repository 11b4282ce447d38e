#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "capture/ip.h"
#include "guard.h"
#include "test_capture_build.h"

#define V4   "c0000201 c0000202"
#define V6   "20010db8000000000000000000000001 20010db8000000000000000000000002"
#define OPT8 "11 00 0000 0000 0000" /* an extension header of 8 octets; next header UDP */

struct ip_case {
    const char *name;
    const char *hex;
    size_t wire_extra; /* octets that the snap length cut off */
    enum ip_reason expect;
    unsigned protocol;
    size_t payload, missing;
    bool fragment;
    uint32_t offset;
};

static const struct ip_case cases[] = {
    { "v4", "45b80018 00010000 4011 0000" V4 "01020304", 0, IP_OK, 17, 4, 0, false, 0 },
    { "v4 padding", "45000018 00010000 4011 0000" V4 "01020304 0000", 0, IP_OK, 17, 4, 0, false, 0 },
    { "v4 options", "4600001c 00010000 4006 0000" V4 "01010101 01020304", 0, IP_OK, 6, 4, 0, false, 0 },
    { "v4 tso", "45000000 00010000 4006 0000" V4 "010203", 0, IP_OK, 6, 3, 0, false, 0 },
    { "v4 first fragment", "4500001c 00012000 4011 0000" V4 "0102030405060708", 0, IP_OK, 17, 8, 0, true, 0 },
    { "v4 last fragment", "45000015 00010003 4011 0000" V4 "01", 0, IP_OK, 17, 1, 0, true, 24 },
    { "v4 don't fragment", "45000014 00014000 4011 0000" V4, 0, IP_OK, 17, 0, 0, false, 0 },
    { "v4 snapped", "45000020 00010000 4011 0000" V4 "01020304", 8, IP_OK, 17, 4, 8, false, 0 },
    { "v4 lies", "45000020 00010000 4011 0000" V4 "01020304", 7, IP_TOTAL_LENGTH, 0, 0, 0, false, 0 },
    { "v4 header length 16", "44000018 00010000 4011 0000" V4 "01020304", 0, IP_HEADER_LENGTH, 0, 0, 0, false, 0 },
    { "v4 header beyond total", "46000014 00010000 4011 0000" V4 "01020304", 0, IP_HEADER_LENGTH, 0, 0, 0, false, 0 },
    { "v4 options cut", "4f00003c 00010000 4011 0000" V4 "01020304", 36, IP_SHORT, 0, 0, 0, false, 0 },
    { "v6", "6b800000 0004 11 40" V6 "01020304", 0, IP_OK, 17, 4, 0, false, 0 },
    { "v6 padding", "60000000 0003 11 40" V6 "01020304", 0, IP_OK, 17, 3, 0, false, 0 },
    { "v6 tso", "60000000 0000 06 40" V6 "01020304", 0, IP_OK, 6, 4, 0, false, 0 },
    { "v6 hop by hop", "60000000 0009 00 40" V6 OPT8 "01", 0, IP_OK, 17, 1, 0, false, 0 },
    { "v6 long destination options", "60000000 0011 3c 40" V6 "11 01 0000 0000 0000 0000000000000000 01", 0, IP_OK, 17,
      1, 0, false, 0 },
    { "v6 routing, then options", "60000000 0011 2b 40" V6 "3c 00 0000 0000 0000" OPT8 "01", 0, IP_OK, 17, 1, 0, false,
      0 },
    { "v6 authentication", "60000000 0011 33 40" V6 "11 02 0000 00000000 00000000 00000000 01", 0, IP_OK, 17, 1, 0,
      false, 0 },
    { "v6 fragment", "60000000 0009 2c 40" V6 "11 00 0009 00000007 01", 0, IP_OK, 17, 1, 0, true, 8 },
    { "v6 atomic fragment", "60000000 0009 2c 40" V6 "11 00 0000 00000007 01", 0, IP_OK, 17, 1, 0, false, 0 },
    { "v6 options in a fragment stay", "60000000 0010 2c 40" V6 "3c 00 0001 00000007" OPT8, 0, IP_OK, 60, 8, 0, true,
      0 },
    { "v6 no next header", "60000000 0000 3b 40" V6, 0, IP_OK, 59, 0, 0, false, 0 },
    { "v6 snapped", "60000000 0010 11 40" V6 "01020304", 12, IP_OK, 17, 4, 12, false, 0 },
    { "v6 lies", "60000000 0010 11 40" V6 "01020304", 0, IP_TOTAL_LENGTH, 0, 0, 0, false, 0 },
    { "v6 extension cut", "60000000 0004 00 40" V6 "11000000", 0, IP_SHORT, 0, 0, 0, false, 0 },
    { "v6 extensions without end",
      "60000000 0088 3c 40" V6
      "3c00000000000000 3c00000000000000 3c00000000000000 3c00000000000000 3c00000000000000 3c00000000000000"
      "3c00000000000000 3c00000000000000 3c00000000000000 3c00000000000000 3c00000000000000 3c00000000000000"
      "3c00000000000000 3c00000000000000 3c00000000000000 3c00000000000000 1100000000000000",
      0, IP_TOO_DEEP, 0, 0, 0, false, 0 },
    { "version 5", "55000014", 0, IP_VERSION, 0, 0, 0, false, 0 },
    { "empty", "", 0, IP_SHORT, 0, 0, 0, false, 0 },
};

static void test_cases(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct ip_case *c = &cases[i];
        struct build b = { .len = 0 };
        struct ip_packet ip;
        add_hex(&b, c->hex);
        uint8_t *p = guard_copy(b.octets, b.len);
        enum ip_reason reason = ip_decode((struct hep_slice){ p, b.len }, b.len + c->wire_extra, &ip);
        if (reason != c->expect)
            fail_msg("%s: %s", c->name, ip_reason_name(reason));
        if (reason == IP_OK && (ip.protocol != c->protocol || ip.payload.len != c->payload ||
                                ip.missing != c->missing || ip.fragment != c->fragment || ip.frag_offset != c->offset))
            fail_msg("%s: protocol %u, payload %zu, missing %zu, fragment %d, offset %u", c->name, ip.protocol,
                     ip.payload.len, ip.missing, ip.fragment, ip.frag_offset);
        guard_free(p, b.len);
    }
}

static void test_fields(void **state)
{
    (void)state;
    static const uint8_t src4[] = { 192, 0, 2, 1 };
    static const uint8_t dst6[] = { 0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2 };
    struct build b = { .len = 0 };
    struct ip_packet ip;
    add_ip4(&b, 17, 0xbeef, 0x2000, 0);
    assert_int_equal(ip_decode(built(&b), b.len, &ip), IP_OK);
    assert_int_equal(ip.src.len, 4);
    assert_memory_equal(ip.src.octets, src4, 4);
    assert_int_equal(ip.dst.octets[3], 2);
    assert_int_equal(ip.tos, 0xb8);
    assert_int_equal(ip.id, 0xbeef);
    assert_true(ip.more);
    b.len = 0;
    add_ip6(&b, 44, 8);
    add_hex(&b, "11 00 0008 deadbeef");
    assert_int_equal(ip_decode(built(&b), b.len, &ip), IP_OK);
    assert_int_equal(ip.dst.len, 16);
    assert_memory_equal(ip.dst.octets, dst6, 16);
    assert_int_equal(ip.tos, 0xb8);
    assert_int_equal(ip.id, 0xdeadbeef);
    assert_false(ip.more);
}

static void test_resume(void **state)
{
    (void)state;
    struct build b = { .len = 0 };
    add_hex(&b, OPT8 "0102");
    struct ip_packet ip = { .protocol = 60, .payload = built(&b), .src = { .len = 16 } };
    assert_int_equal(ip_resume(&ip), IP_OK);
    assert_int_equal(ip.protocol, 17);
    assert_int_equal(ip.payload.len, 2);
    ip = (struct ip_packet){ .protocol = 60, .payload = { b.octets, 4 }, .src = { .len = 16 } };
    assert_int_equal(ip_resume(&ip), IP_SHORT);
}

static void test_cuts(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct build b = { .len = 0 };
        add_hex(&b, cases[i].hex);
        for (size_t n = 0; n < b.len; n++) {
            uint8_t *p = guard_copy(b.octets, n);
            struct ip_packet ip;
            /* cut by the snap length, and as a packet that was no longer */
            if (ip_decode((struct hep_slice){ p, n }, b.len, &ip) == IP_OK)
                assert_true(ip.payload.ptr + ip.payload.len <= p + n);
            if (ip_decode((struct hep_slice){ p, n }, n, &ip) == IP_OK)
                assert_int_equal(ip.missing, 0);
            guard_free(p, n);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_resume),
        cmocka_unit_test(test_cuts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
