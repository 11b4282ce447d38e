#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "capture/link.h"
#include "guard.h"
#include "test_capture_build.h"

#define MACS "0a0b0c0d0e0f 010203040506"
#define IP   "45000014" /* all that the link layer looks at is the version */
#define NONE (-1)

struct link_case {
    const char *name;
    int linktype;
    const char *hex; /* header; IP follows where expect is LINK_OK */
    enum link_reason expect;
    int vlan;
    bool mac;
};

static const struct link_case cases[] = {
    { "ethernet", 1, MACS "0800", LINK_OK, NONE, true },
    { "ethernet v6", 1, MACS "86dd", LINK_OK, NONE, true },
    { "802.1q", 1, MACS "8100 a064 0800", LINK_OK, 100, true },
    { "qinq 88a8", 1, MACS "88a8 0065 8100 0fff 0800", LINK_OK, 4095, true },
    { "qinq 9100", 1, MACS "9100 0065 8100 0007 86dd", LINK_OK, 7, true },
    { "triple tag", 1, MACS "8100 0001 8100 0002 8100 0003 0800", LINK_OK, 3, true },
    { "mpls", 1, MACS "8847 000641ff", LINK_OK, NONE, true },
    { "mpls stack behind vlan", 1, MACS "8100 0009 8847 00064040 00065040 000661ff", LINK_OK, 9, true },
    { "mpls multicast", 1, MACS "8848 000641ff", LINK_OK, NONE, true },
    { "pppoe", 1, MACS "8864 1100 0001 0016 0021", LINK_OK, NONE, true },
    { "pppoe v6, short protocol", 1, MACS "8864 1100 0001 0016 57", LINK_OK, NONE, true },
    { "pppoe in qinq", 1, MACS "88a8 0001 8100 0002 8864 1100 0001 0016 0021", LINK_OK, 2, true },
    { "snap", 1, MACS "0040 aaaa03 000000 0800", LINK_OK, NONE, true },
    { "sll", 113, "0000 0001 0006 0102030405060000 0800", LINK_OK, NONE, true },
    { "sll vlan", 113, "0000 0001 0006 0102030405060000 8100 0005 0800", LINK_OK, 5, true },
    { "sll loopback", 113, "0000 0304 0000 0000000000000000 0800", LINK_OK, NONE, false },
    { "sll2", 276, "0800 0000 00000002 0001 00 06 0102030405060000", LINK_OK, NONE, true },
    { "sll2 no address", 276, "86dd 0000 00000002 0001 00 00 0000000000000000", LINK_OK, NONE, false },
    { "raw", 101, "", LINK_OK, NONE, false },
    { "dlt raw", 12, "", LINK_OK, NONE, false },
    { "dlt raw openbsd", 14, "", LINK_OK, NONE, false },
    { "ipv4", 228, "", LINK_OK, NONE, false },
    { "ipv6", 229, "", LINK_OK, NONE, false },
    { "null little endian", 0, "02000000", LINK_OK, NONE, false },
    { "null big endian", 0, "00000002", LINK_OK, NONE, false },
    { "null v6 macos", 0, "1e000000", LINK_OK, NONE, false },
    { "loop", 108, "0000001c", LINK_OK, NONE, false },
    { "ppp", 9, "0021", LINK_OK, NONE, false },
    { "ppp hdlc", 50, "ff03 0057", LINK_OK, NONE, false },
    { "ppp mpls", 9, "ff03 0281 000641ff", LINK_OK, NONE, false },
    { "ppp ether", 51, "1100 0001 0016 0021", LINK_OK, NONE, false },
    { "mpls alone", 219, "000641ff", LINK_OK, NONE, false },

    { "arp", 1, MACS "0806 0001", LINK_NOT_IP, NONE, true },
    { "spanning tree", 1, MACS "0026 424203 0000000000", LINK_NOT_IP, NONE, true },
    { "short llc", 1, MACS "0003 42", LINK_NOT_IP, NONE, true },
    { "lldp in a vlan", 1, MACS "8100 0001 88cc", LINK_NOT_IP, 1, true },
    { "pppoe discovery", 1, MACS "8863 1109 0000 0004", LINK_NOT_IP, NONE, true },
    { "pppoe session, code not 0", 1, MACS "8864 1109 0001 0016 0021", LINK_NOT_IP, NONE, true },
    { "pppoe lcp", 1, MACS "8864 1100 0001 0016 c021", LINK_NOT_IP, NONE, true },
    { "mpls pseudowire", 1, MACS "8847 000641ff 00000000" MACS "8100 0007 0800", LINK_OK, 7, true },
    { "mpls pseudowire without control word", 1, MACS "8847 000641ff" MACS "0800", LINK_OK, NONE, true },
    { "vn-tag", 1, MACS "8926 8001 0002 8100 0003 0800", LINK_OK, 3, true },
    { "backbone service tag", 1, MACS "88a8 0005 88e7 00112233" MACS "0800", LINK_OK, 5, true },
    { "cisco hdlc", 104, "0f00 0800", LINK_OK, NONE, false },
    { "raw, version 5", 101, "50", LINK_NOT_IP, NONE, false },
    { "null, other family", 0, "07000000", LINK_NOT_IP, NONE, false },
    { "sll, 802.3", 113, "0000 0001 0006 0102030405060000 0004 ffff", LINK_NOT_IP, NONE, true },
    { "unknown type", 147, "45", LINK_TYPE, NONE, false },
    { "empty", 1, "", LINK_SHORT, NONE, false },
    { "no ethertype", 1, MACS "08", LINK_SHORT, NONE, false },
    { "nothing behind the header", 1, MACS "0800", LINK_SHORT, NONE, true },
    { "cut in the tag", 1, MACS "8100 00", LINK_SHORT, NONE, true },
    { "cut in the label", 1, MACS "8847 0006", LINK_SHORT, NONE, true },
    { "labels without end", 1,
      MACS "8847 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000"
           "00000000 00000000 00000000 00000000 00000000 00000000 00000000",
      LINK_TOO_DEEP, NONE, true },
    { "tags without end", 1,
      MACS "8100 0001 8100 0001 8100 0001 8100 0001 8100 0001 8100 0001 8100 0001 8100 0001 8100 0001 8100 0001"
           "8100 0001 8100 0001 8100 0001 8100 0001 8100 0001 8100 0001 8100 0001 0800 45",
      LINK_TOO_DEEP, 1, true },
};

static void check(const struct link_case *c, bool with_ip)
{
    struct build b = { .len = 0 };
    add_hex(&b, c->hex);
    size_t header = b.len;
    if (with_ip)
        add_hex(&b, IP);
    uint8_t *p = guard_copy(b.octets, b.len);
    struct link_info info;
    enum link_reason reason = link_decode(c->linktype, (struct hep_slice){ p, b.len }, &info);
    if (reason != c->expect)
        fail_msg("%s: %s", c->name, link_reason_name(reason));
    if (info.has_vlan != (c->vlan != NONE) || (info.has_vlan && info.vlan != c->vlan) || info.has_mac != c->mac)
        fail_msg("%s: vlan %d, mac %d", c->name, info.has_vlan ? info.vlan : NONE, info.has_mac);
    if (with_ip)
        assert_ptr_equal(info.ip.ptr, p + header);
    guard_free(p, b.len);
}

static void test_cases(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        check(&cases[i], cases[i].expect == LINK_OK);
}

static void test_macs(void **state)
{
    (void)state;
    struct build b = { .len = 0 };
    struct link_info info;
    add_hex(&b, MACS "0800" IP);
    assert_int_equal(link_decode(1, built(&b), &info), LINK_OK);
    assert_int_equal(info.dst_mac, 0x0a0b0c0d0e0f);
    assert_int_equal(info.src_mac, 0x010203040506);
    b.len = 0;
    add_hex(&b, "0000 0001 0006 0102030405060000 0800" IP);
    assert_int_equal(link_decode(113, built(&b), &info), LINK_OK);
    assert_int_equal(info.src_mac, 0x010203040506);
}

/* Every cut of every case: a reason, never IP that is not there, never a read behind the end. */
static void test_cuts(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct build b = { .len = 0 };
        add_hex(&b, cases[i].hex);
        size_t header = b.len;
        add_hex(&b, IP);
        for (size_t n = 0; n <= b.len; n++) {
            uint8_t *p = guard_copy(b.octets, n);
            struct link_info info;
            enum link_reason reason = link_decode(cases[i].linktype, (struct hep_slice){ p, n }, &info);
            if (cases[i].expect == LINK_OK && n <= header)
                assert_int_not_equal(reason, LINK_OK);
            if (reason == LINK_OK)
                assert_true(info.ip.len > 0 && info.ip.ptr + info.ip.len == p + n);
            guard_free(p, n);
        }
    }
}

static void test_names(void **state)
{
    (void)state;
    for (int i = 0; i < LINK_REASON_COUNT; i++)
        assert_non_null(link_reason_name((enum link_reason)i));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_macs),
        cmocka_unit_test(test_cuts),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
