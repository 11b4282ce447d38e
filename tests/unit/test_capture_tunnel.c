/* tests/e2e/test_decode.py has what comes out of whole captures; here are the headers, each cut anywhere. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "capture/tunnel.h"
#include "guard.h"
#include "test_capture_build.h"

#define IP4   "45000014 00000000 40000000 c0000201 c0000202"
#define FRAME "0a0b0c0d0e0f 010203040506 0800" IP4

enum { ETHERNET = 1, PPP = 9, MPLS = 219, IP = 228 };

struct tunnel_case {
    const char *name;
    unsigned protocol; /* of IP; 0: UDP to port */
    unsigned port;
    const char *header, *inner;
    enum tunnel_result result;
    enum tunnel_kind kind;
    unsigned type; /* link type, or Ethernet type from 0x600 on */
    uint32_t network;
};

static const struct tunnel_case cases[] = {
    { "ipip", 4, 0, "", IP4, TUNNEL_OK, TUNNEL_IPIP, IP, 0 },
    { "6in4", 41, 0, "", "60000000", TUNNEL_OK, TUNNEL_IP6, IP, 0 },
    { "gre", 47, 0, "0000 0800", IP4, TUNNEL_OK, TUNNEL_GRE, 0x800, 0 },
    { "gre, all options", 47, 0, "b000 0800 00000000 00000007 00000001", IP4, TUNNEL_OK, TUNNEL_GRE, 0x800, 7 },
    { "nvgre", 47, 0, "2000 6558 123456ff", FRAME, TUNNEL_OK, TUNNEL_NVGRE, ETHERNET, 0x123456 },
    { "erspan 1", 47, 0, "0000 88be", FRAME, TUNNEL_OK, TUNNEL_ERSPAN1, ETHERNET, 0 },
    { "erspan 2", 47, 0, "1000 88be 00000001 1007 0001 00000002", FRAME, TUNNEL_OK, TUNNEL_ERSPAN2, ETHERNET, 0 },
    { "erspan 3", 47, 0, "1000 22eb 00000001 2007 0001 00000002 0000 0000", FRAME, TUNNEL_OK, TUNNEL_ERSPAN3, ETHERNET,
      0 },
    { "erspan 3 of IP", 47, 0, "1000 22eb 00000001 2007 0001 00000002 0000 0801 0000000000000000", IP4, TUNNEL_OK,
      TUNNEL_ERSPAN3, IP, 0 },
    { "pptp", 47, 0, "3001 880b 0016 0007 00000001", "ff030021" IP4, TUNNEL_OK, TUNNEL_PPTP, PPP, 0 },
    { "etherip", 97, 0, "3000", FRAME, TUNNEL_OK, TUNNEL_ETHERIP, ETHERNET, 0 },
    { "mpls", 137, 0, "", "000641ff" IP4, TUNNEL_OK, TUNNEL_MPLS_IP, MPLS, 0 },
    { "l2tp3", 115, 0, "00000005", FRAME, TUNNEL_OK, TUNNEL_L2TP3, ETHERNET, 5 },
    { "l2tp3, cookie of 8 and sublayer", 115, 0, "00000005 1111111122222222 40000000", FRAME, TUNNEL_OK, TUNNEL_L2TP3,
      ETHERNET, 5 },
    { "vxlan", 0, 4789, "08000000 00002a00", FRAME, TUNNEL_OK, TUNNEL_VXLAN, ETHERNET, 42 },
    { "vxlan gpe", 0, 4790, "0c000002 00002a00", IP4, TUNNEL_OK, TUNNEL_VXLAN_GPE, IP, 42 },
    { "geneve", 0, 6081, "0140 6558 00002a00 00000000", FRAME, TUNNEL_OK, TUNNEL_GENEVE, ETHERNET, 42 },
    { "gtp-u", 0, 2152, "30ff 0014 00000009", IP4, TUNNEL_OK, TUNNEL_GTP_U, IP, 9 },
    { "gtp-u, extensions", 0, 2152, "34ff 001c 00000009 0000 00 85 01 1001 00", IP4, TUNNEL_OK, TUNNEL_GTP_U, IP, 9 },
    { "l2tp2", 0, 1701, "4802 0024 0003 0004 0000 0000", "ff030021" IP4, TUNNEL_OK, TUNNEL_L2TP2, PPP, 0x30004 },
    { "l2tp2, offset", 0, 1701, "0202 0003 0004 0002 0000", "ff030021" IP4, TUNNEL_OK, TUNNEL_L2TP2, PPP, 0x30004 },
    { "l2tp3 over udp", 0, 1701, "0003 0000 00000005", FRAME, TUNNEL_OK, TUNNEL_L2TP3, ETHERNET, 5 },
    { "tzsp", 0, 37008, "0100 0001 00 0a01c0 01", FRAME, TUNNEL_OK, TUNNEL_TZSP, ETHERNET, 0 },
    { "gre in udp", 0, 4754, "2000 0800 00000007", IP4, TUNNEL_OK, TUNNEL_GRE_UDP, 0x800, 7 },

    { "gre keep-alive", 47, 0, "0000 0000", "", TUNNEL_CONTROL, TUNNEL_GRE, 0, 0 },
    { "pptp acknowledgement", 47, 0, "2081 880b 0000 0007 00000001", "", TUNNEL_CONTROL, TUNNEL_PPTP, 0, 0 },
    { "l2tp3 control", 115, 0, "00000000", "c8030000", TUNNEL_CONTROL, TUNNEL_L2TP3, 0, 0 },
    { "l2tp2 control", 0, 1701, "c802 000c 0003 0000 0000 0000", "", TUNNEL_CONTROL, TUNNEL_L2TP2, 0, 0 },
    { "gtp-u echo", 0, 2152, "3201 0004 00000000 00000000", "", TUNNEL_CONTROL, TUNNEL_GTP_U, 0, 0 },
    { "geneve control", 0, 6081, "0080 6558 00002a00", "", TUNNEL_CONTROL, TUNNEL_GENEVE, 0, 0 },
    { "tzsp keep-alive", 0, 37008, "0104 0000 01", "", TUNNEL_CONTROL, TUNNEL_TZSP, 0, 0 },

    { "gre, source routes", 47, 0, "4000 0800 00000000", IP4, TUNNEL_HEADER, TUNNEL_GRE, 0, 0 },
    { "gre, version 2", 47, 0, "0002 0800", IP4, TUNNEL_HEADER, TUNNEL_GRE, 0, 0 },
    { "etherip, version 2", 97, 0, "2000", FRAME, TUNNEL_HEADER, TUNNEL_ETHERIP, 0, 0 },
    { "erspan 2, version 0", 47, 0, "1000 88be 00000001 0007 0001 00000002", FRAME, TUNNEL_HEADER, TUNNEL_ERSPAN2, 0,
      0 },

    { "no tunnel: icmp", 1, 0, "08000000", "", TUNNEL_NONE, TUNNEL_IPIP, 0, 0 },
    { "no tunnel: rtp to vxlan's port", 0, 8472, "80080001 00000000 12345678", "", TUNNEL_NONE, TUNNEL_VXLAN, 0, 0 },
    { "no tunnel: rtp to gtp-u's port", 0, 2152, "80080001 00000000 12345678", "", TUNNEL_NONE, TUNNEL_GTP_U, 0, 0 },
    { "no tunnel: rtp to l2tp's port", 0, 1701, "80080001 00000000 12345678", "", TUNNEL_NONE, TUNNEL_L2TP2, 0, 0 },
    { "no tunnel: rtp to geneve's port", 0, 6081, "80080001 00000000 12345678", "", TUNNEL_NONE, TUNNEL_GENEVE, 0, 0 },
    { "no tunnel: sip to tzsp's port", 0, 37008, "5349502f", "", TUNNEL_NONE, TUNNEL_TZSP, 0, 0 },
    { "no tunnel: stun to geneve's port", 0, 6081, "00010000 2112a442 00000000", "", TUNNEL_NONE, TUNNEL_GENEVE, 0, 0 },
    { "no tunnel: gtp-u that lies", 0, 2152, "30ff ffff 00000009", IP4, TUNNEL_NONE, TUNNEL_GTP_U, 0, 0 },
};

static enum tunnel_result ask(const struct tunnel_case *c, struct hep_slice data, struct tunnel_inner *in)
{
    return c->protocol != 0 ? tunnel_of_ip(c->protocol, data, in) : tunnel_of_udp(40000, (uint16_t)c->port, data, in);
}

static void test_cases(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct tunnel_case *c = &cases[i];
        struct build b = { .len = 0 };
        add_hex(&b, c->header);
        size_t header = b.len;
        add_hex(&b, c->inner);
        uint8_t *p = guard_copy(b.octets, b.len);
        struct tunnel_inner in;
        enum tunnel_result result = ask(c, (struct hep_slice){ p, b.len }, &in);
        if (result != c->result)
            fail_msg("%s: %d", c->name, (int)result);
        if (result != TUNNEL_NONE && in.kind != c->kind)
            fail_msg("%s: %s", c->name, tunnel_name(in.kind));
        if (result == TUNNEL_OK &&
            (in.type != c->type || in.network != c->network || in.by_type != (c->type >= 0x600) ||
             in.data.ptr != p + header || in.data.len != b.len - header))
            fail_msg("%s: type %x, network %u, header %td", c->name, in.type, in.network, in.data.ptr - p);
        guard_free(p, b.len);
    }
}

/* Every cut: never an inner frame that is not there, never a read behind the end. */
static void test_cuts(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct build b = { .len = 0 };
        add_hex(&b, cases[i].header);
        size_t header = b.len;
        add_hex(&b, cases[i].inner);
        for (size_t n = 0; n <= b.len; n++) {
            uint8_t *p = guard_copy(b.octets, n);
            struct tunnel_inner in;
            enum tunnel_result result = ask(&cases[i], (struct hep_slice){ p, n }, &in);
            if (n < header || n == 0)
                assert_int_not_equal(result, TUNNEL_OK);
            if (result == TUNNEL_OK)
                assert_true(in.data.len > 0 && in.data.ptr >= p && in.data.ptr + in.data.len <= p + n);
            guard_free(p, n);
        }
    }
}

static void test_both_ways(void **state)
{
    (void)state;
    struct build b = { .len = 0 };
    struct tunnel_inner in;
    add_hex(&b, "30ff 0014 00000009" IP4);
    assert_int_equal(tunnel_of_udp(2152, 40000, built(&b), &in), TUNNEL_OK);
    b.len = 0;
    add_hex(&b, "08000000 00002a00" FRAME);
    assert_int_equal(tunnel_of_udp(4789, 40000, built(&b), &in), TUNNEL_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_cuts),
        cmocka_unit_test(test_both_ways),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
