#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "guard.h"
#include "prng.h"
#include "rtp/rtcp.h"
#include "rtp/rtcp_json.h"
#include "test_capture_build.h"

#define SR                                                                                                             \
    "82c80012 11111111 e0000001 80000000 00001000 00000064 00003e80"                                                   \
    "22222222 40 fffffd 00010203 00000037 aabbccdd 00010000"                                                           \
    "33333333 01 000005 00000009 00000001 00000000 00000000"
#define RR    "81c90007 44444444 22222222 00 000001 00000001 00000002 00000003 00000004"
#define SDES  "82ca0006 11111111 0103612240 0602c3a9 00 0000 22222222 01 01 7a 00"
#define BYE   "82cb0005 11111111 55555555 09 7465726d696e617465 0000"
#define APP   "83cc0003 11111111 48455021 deadbeef"
#define XR_RT "04000002 e0000002 40000000"
#define XR_DL "05000006 66666666 01020304 00010000 77777777 05060708 00020000"
#define XR_ST "06e80009 22222222 00010064 00000003 00000002 00000001 0000000a 00000005 00000002 40 80 60 10"
#define XR_VO "07000008 22222222 0102 0304 0064 03e8 00c8 0014 ecc4 7f10 5d7f 2a29 b000 0028 0050 00a0"
#define XR_XX "63000001 00000000" /* a block type that is not known */

static const char xr_header[] = "80cf001f 11111111"; /* 31 words behind the header */

static size_t make_xr(struct build *b)
{
    size_t start = b->len;
    add_hex(b, xr_header);
    add_hex(b, XR_RT XR_XX XR_DL XR_ST XR_VO);
    size_t words = (b->len - start) / 4 - 1;
    b->octets[start + 2] = (uint8_t)(words >> 8);
    b->octets[start + 3] = (uint8_t)words;
    return b->len;
}

static void test_looks_like(void **state)
{
    (void)state;
    static const struct {
        const char *hex;
        bool expect;
    } cases[] = {
        { SR, true },
        { SR SDES BYE, true },
        { RR, true },
        { "80c90001 11111111", true },
        { "a0c90002 11111111 00000004", true },           /* padding in the last packet */
        { "a0c90002 11111111 00000004" RR, false },       /* in another one */
        { "a0c90002 11111111 00000000", false },          /* padding of nothing */
        { "a0c90002 11111111 00000009", false },          /* more than there is */
        { "a0c90000", false },                            /* padding without a body */
        { "80c80006 11111111", false },                   /* length beyond the end */
        { "80c90001 11111111 00", false },                /* trailer, as of SRTCP */
        { "80c90001 11111111 80000001 aabbccdd", false }, /* SRTCP: index and tag */
        { "40c90001 11111111", false },                   /* version 1 */
        { "80bf0001 11111111", false },                   /* types 191 and 224 */
        { "80e00001 11111111", false },
        { "80c00000", true },
        { "80df0000", true },
        { "80000001 00000000 00000000", false }, /* RTP */
        { "", false },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct build b = { .len = 0 };
        add_hex(&b, cases[i].hex);
        uint8_t *p = guard_copy(b.octets, b.len);
        if (rtcp_looks_like(p, b.len) != cases[i].expect)
            fail_msg("case %zu: %s", i, cases[i].hex);
        guard_free(p, b.len);
    }
}

static void test_reports(void **state)
{
    (void)state;
    struct build b = { .len = 0 };
    add_hex(&b, SR RR);
    struct rtcp_iter it;
    struct rtcp_packet p;
    struct rtcp_block block;
    rtcp_begin(&it, b.octets, b.len);
    assert_true(rtcp_next(&it, &p));
    assert_int_equal(p.type, RTCP_SR);
    assert_int_equal(p.count, 2);
    assert_int_equal(p.ssrc, 0x11111111);
    assert_true(p.has_sender_info);
    assert_int_equal(p.sender.ntp_sec, 0xe0000001);
    assert_int_equal(p.sender.ntp_fraction, 0x80000000);
    assert_int_equal(p.sender.rtp_time, 0x1000);
    assert_int_equal(p.sender.packets, 100);
    assert_int_equal(p.sender.octets, 16000);
    assert_true(rtcp_block(&p, 0, &block));
    assert_int_equal(block.ssrc, 0x22222222);
    assert_int_equal(block.fraction_lost, 0x40);
    assert_int_equal(block.lost, 16777213); /* -3 */
    assert_int_equal(block.highest_seq, 0x10203);
    assert_int_equal(block.jitter, 0x37);
    assert_int_equal(block.lsr, 0xaabbccdd);
    assert_int_equal(block.dlsr, 65536);
    assert_true(rtcp_block(&p, 1, &block));
    assert_int_equal(block.ssrc, 0x33333333);
    assert_false(rtcp_block(&p, 2, &block));
    assert_true(rtcp_next(&it, &p));
    assert_int_equal(p.type, RTCP_RR);
    assert_false(p.has_sender_info);
    assert_true(rtcp_block(&p, 0, &block));
    assert_int_equal(block.dlsr, 4);
    assert_false(rtcp_next(&it, &p));
    assert_false(it.bad);
}

/* A count that promises more blocks than the length holds. */
static void test_count_lies(void **state)
{
    (void)state;
    struct build b = { .len = 0 };
    add_hex(&b, "9fc90007 44444444 22222222 00 000001 00000001 00000002 00000003 00000004");
    struct rtcp_iter it;
    struct rtcp_packet p;
    struct rtcp_block block;
    rtcp_begin(&it, b.octets, b.len);
    assert_true(rtcp_next(&it, &p));
    assert_true(rtcp_block(&p, 0, &block));
    assert_false(rtcp_block(&p, 1, &block));
    b.len = 0;
    add_hex(&b, "9fcb0001 44444444");
    uint32_t ssrc;
    rtcp_begin(&it, b.octets, b.len);
    assert_true(rtcp_next(&it, &p));
    assert_true(rtcp_bye_ssrc(&p, 0, &ssrc));
    assert_false(rtcp_bye_ssrc(&p, 1, &ssrc));
    assert_int_equal(rtcp_bye_reason(&p).len, 0);
    b.len = 0;
    add_hex(&b, "80c80001 44444444"); /* an SR without sender information */
    rtcp_begin(&it, b.octets, b.len);
    assert_false(rtcp_next(&it, &p));
    assert_true(it.bad);
}

static void test_sdes(void **state)
{
    (void)state;
    struct build b = { .len = 0 };
    add_hex(&b, SDES);
    struct rtcp_iter it;
    struct rtcp_packet p;
    struct rtcp_sdes_iter sdes;
    struct rtcp_sdes_item item;
    rtcp_begin(&it, b.octets, b.len);
    assert_true(rtcp_next(&it, &p));
    rtcp_sdes_begin(&sdes, &p);
    assert_true(rtcp_sdes_next(&sdes, &item));
    assert_int_equal(item.ssrc, 0x11111111);
    assert_int_equal(item.type, 1);
    assert_int_equal(item.text.len, 3);
    assert_memory_equal(item.text.ptr, "a\"@", 3);
    assert_true(rtcp_sdes_next(&sdes, &item));
    assert_int_equal(item.type, 6);
    assert_int_equal(item.text.len, 2);
    assert_true(rtcp_sdes_next(&sdes, &item));
    assert_int_equal(item.ssrc, 0x22222222);
    assert_memory_equal(item.text.ptr, "z", 1);
    assert_false(rtcp_sdes_next(&sdes, &item));
}

static void test_bye_app(void **state)
{
    (void)state;
    struct build b = { .len = 0 };
    add_hex(&b, BYE APP);
    struct rtcp_iter it;
    struct rtcp_packet p;
    uint32_t ssrc;
    rtcp_begin(&it, b.octets, b.len);
    assert_true(rtcp_next(&it, &p));
    assert_true(rtcp_bye_ssrc(&p, 1, &ssrc));
    assert_int_equal(ssrc, 0x55555555);
    assert_false(rtcp_bye_ssrc(&p, 2, &ssrc));
    assert_int_equal(rtcp_bye_reason(&p).len, 9);
    assert_memory_equal(rtcp_bye_reason(&p).ptr, "terminate", 9);
    assert_true(rtcp_next(&it, &p));
    struct hep_slice name;
    struct hep_slice data;
    assert_true(rtcp_app(&p, &name, &data));
    assert_memory_equal(name.ptr, "HEP!", 4);
    assert_int_equal(data.len, 4);
    assert_int_equal(p.count, 3);
}

static void test_xr(void **state)
{
    (void)state;
    struct build b = { .len = 0 };
    (void)make_xr(&b);
    assert_true(rtcp_looks_like(b.octets, b.len));
    struct rtcp_iter it;
    struct rtcp_packet p;
    struct rtcp_xr_iter xr;
    struct rtcp_xr x;
    rtcp_begin(&it, b.octets, b.len);
    assert_true(rtcp_next(&it, &p));
    rtcp_xr_begin(&xr, &p);
    uint32_t sec;
    uint32_t fraction;
    assert_true(rtcp_xr_next(&xr, &x));
    assert_true(rtcp_xr_receiver_time(&x, &sec, &fraction));
    assert_int_equal(sec, 0xe0000002);
    assert_int_equal(fraction, 0x40000000);
    assert_true(rtcp_xr_next(&xr, &x));
    assert_int_equal(x.type, 0x63);
    struct rtcp_dlrr d;
    assert_true(rtcp_xr_next(&xr, &x));
    assert_true(rtcp_xr_dlrr(&x, 1, &d));
    assert_int_equal(d.ssrc, 0x77777777);
    assert_int_equal(d.lrr, 0x05060708);
    assert_int_equal(d.dlrr, 0x20000);
    assert_false(rtcp_xr_dlrr(&x, 2, &d));
    struct rtcp_statistics s;
    assert_true(rtcp_xr_next(&xr, &x));
    assert_true(rtcp_xr_statistics(&x, &s));
    assert_int_equal(s.flags, 0xe8);
    assert_int_equal(s.end_seq, 100);
    assert_int_equal(s.lost, 3);
    assert_int_equal(s.dev_jitter, 2);
    assert_int_equal(s.dev_ttl, 16);
    struct rtcp_voip_metrics v;
    assert_true(rtcp_xr_next(&xr, &x));
    assert_false(rtcp_xr_statistics(&x, &s));
    assert_true(rtcp_xr_voip(&x, &v));
    assert_int_equal(v.ssrc, 0x22222222);
    assert_int_equal(v.gap_duration, 1000);
    assert_int_equal(v.signal_level, -20);
    assert_int_equal(v.noise_level, -60);
    assert_int_equal(v.r_factor, 93);
    assert_int_equal(v.ext_r_factor, RTCP_XR_UNAVAILABLE);
    assert_int_equal(v.mos_lq, 42); /* RFC 3611: LQ comes before CQ */
    assert_int_equal(v.mos_cq, 41);
    assert_int_equal(v.jb_abs_max, 160);
    assert_false(rtcp_xr_next(&xr, &x));
}

static void assert_json(const char *hex, const char *expect)
{
    struct build b = { .len = 0 };
    struct buf out;
    buf_init(&out, 65536);
    add_hex(&b, hex);
    assert_true(rtcp_json(&out, b.octets, b.len));
    assert_false(out.failed);
    buf_putc(&out, '\0');
    assert_string_equal((const char *)out.ptr, expect);
    buf_free(&out);
}

#define NO_SENDER                                                                                                      \
    "{\"sender_information\":{\"ntp_timestamp_sec\":0,\"ntp_timestamp_usec\":0,\"rtp_timestamp\":0,\"packets\":0,"     \
    "\"octets\":0},"
#define NO_XR                                                                                                          \
    "\"report_blocks_xr\":{\"type\":0,\"id\":0,\"fraction_lost\":0,\"fraction_discard\":0,\"burst_density\":0,"        \
    "\"gap_density\":0,\"burst_duration\":0,\"gap_duration\":0,\"round_trip_delay\":0,\"end_system_delay\":0},"

/* Defects of others: one report block only, nothing behind the first packet, RR without sender information. */
static void test_json(void **state)
{
    (void)state;
    assert_json("80c90001 44444444", NO_SENDER "\"ssrc\":1145324612,\"type\":201,\"report_count\":0,"
                                               "\"report_blocks\":[]," NO_XR "\"sdes_ssrc\":0}");
    assert_json(SR RR SDES BYE APP,
                "{\"sender_information\":{\"ntp_timestamp_sec\":3758096385,\"ntp_timestamp_usec\":2147483648,"
                "\"rtp_timestamp\":4096,\"packets\":100,\"octets\":16000},"
                "\"ssrc\":286331153,\"type\":200,\"report_count\":3,\"report_blocks\":["
                "{\"source_ssrc\":572662306,\"fraction_lost\":64,\"packets_lost\":16777213,\"highest_seq_no\":66051,"
                "\"ia_jitter\":55,\"lsr\":2864434397,\"dlsr\":65536},"
                "{\"source_ssrc\":858993459,\"fraction_lost\":1,\"packets_lost\":5,\"highest_seq_no\":9,"
                "\"ia_jitter\":1,\"lsr\":0,\"dlsr\":0},"
                "{\"source_ssrc\":572662306,\"fraction_lost\":0,\"packets_lost\":1,\"highest_seq_no\":1,"
                "\"ia_jitter\":2,\"lsr\":3,\"dlsr\":4}]," NO_XR
                "\"sdes_ssrc\":286331153,\"sdes_report_count\":2,\"sdes_information\":["
                "{\"sdes_chunk_ssrc\":286331153,\"type\":1,\"text\":\"a\\\"@\"},"
                "{\"sdes_chunk_ssrc\":286331153,\"type\":6,\"text\":\"\xc3\xa9\"},"
                "{\"sdes_chunk_ssrc\":572662306,\"type\":1,\"text\":\"z\"}],"
                "\"bye_ssrc\":[286331153,1431655765],\"bye_reason\":\"terminate\","
                "\"app\":{\"ssrc\":286331153,\"subtype\":3,\"name\":\"HEP!\",\"data_hex\":\"deadbeef\"}}");
    /* an SR counts as the main packet wherever it stands */
    assert_json(SDES "80c80006 11111111 00000001 00000002 00000003 00000004 00000005",
                "{\"sender_information\":{\"ntp_timestamp_sec\":1,\"ntp_timestamp_usec\":2,\"rtp_timestamp\":3,"
                "\"packets\":4,\"octets\":5},\"ssrc\":286331153,\"type\":200,\"report_count\":0,"
                "\"report_blocks\":[]," NO_XR "\"sdes_ssrc\":286331153,\"sdes_report_count\":2,\"sdes_information\":["
                "{\"sdes_chunk_ssrc\":286331153,\"type\":1,\"text\":\"a\\\"@\"},"
                "{\"sdes_chunk_ssrc\":286331153,\"type\":6,\"text\":\"\xc3\xa9\"},"
                "{\"sdes_chunk_ssrc\":572662306,\"type\":1,\"text\":\"z\"}]}");
}

static void test_json_xr(void **state)
{
    (void)state;
    struct build b = { .len = 0 };
    struct buf out;
    buf_init(&out, 65536);
    add_hex(&b, RR);
    (void)make_xr(&b);
    assert_true(rtcp_json(&out, b.octets, b.len));
    buf_putc(&out, '\0');
    assert_string_equal(
        (const char *)out.ptr, NO_SENDER
        "\"ssrc\":1145324612,\"type\":201,\"report_count\":1,\"report_blocks\":["
        "{\"source_ssrc\":572662306,\"fraction_lost\":0,\"packets_lost\":1,\"highest_seq_no\":1,\"ia_jitter\":2,"
        "\"lsr\":3,\"dlsr\":4}],"
        "\"report_blocks_xr\":{\"type\":7,\"id\":572662306,\"fraction_lost\":1,\"fraction_discard\":2,"
        "\"burst_density\":3,\"gap_density\":4,\"burst_duration\":100,\"gap_duration\":1000,\"round_trip_delay\":200,"
        "\"end_system_delay\":20},"
        "\"voip_metrics\":{\"ssrc\":572662306,\"loss_rate\":1,\"discard_rate\":2,\"burst_density\":3,"
        "\"gap_density\":4,\"burst_duration\":100,\"gap_duration\":1000,\"round_trip_delay\":200,"
        "\"end_system_delay\":20,\"signal_level\":-20,\"noise_level\":-60,\"rerl\":127,\"gmin\":16,\"r_factor\":93,"
        "\"mos_cq\":4.1,\"mos_lq\":4.2,\"rx_config\":176,\"jb_nominal\":40,\"jb_maximum\":80,\"jb_abs_max\":160},"
        "\"sdes_ssrc\":0,"
        "\"receiver_reference_time\":{\"ssrc\":286331153,\"ntp_timestamp_sec\":3758096386,"
        "\"ntp_timestamp_usec\":1073741824},"
        "\"dlrr\":[{\"ssrc\":1717986918,\"lrr\":16909060,\"dlrr\":65536},"
        "{\"ssrc\":2004318071,\"lrr\":84281096,\"dlrr\":131072}],"
        "\"statistics_summary\":{\"ssrc\":572662306,\"flags\":232,\"begin_seq\":1,\"end_seq\":100,\"lost_packets\":3,"
        "\"dup_packets\":2,\"min_jitter\":1,\"max_jitter\":10,\"mean_jitter\":5,\"dev_jitter\":2,\"min_ttl\":64,"
        "\"max_ttl\":128,\"mean_ttl\":96,\"dev_ttl\":16}}");
    buf_free(&out);
}

static void test_json_refuses(void **state)
{
    (void)state;
    struct buf out;
    buf_init(&out, 65536);
    assert_false(rtcp_json(&out, (const uint8_t *)"SIP/2.0", 7));
    assert_false(rtcp_json(&out, NULL, 0));
    assert_int_equal(out.len, 0);
    buf_free(&out);
}

/* Every cut and many damaged copies: no read behind the end, and what is written is balanced. */
static void test_cuts_and_damage(void **state)
{
    (void)state;
    struct build b = { .len = 0 };
    struct buf out;
    uint64_t seed = 7;
    buf_init(&out, 1 << 20);
    add_hex(&b, SR RR SDES BYE APP);
    (void)make_xr(&b);
    for (size_t round = 0; round < 20 * b.len; round++) {
        size_t n = round < b.len ? round : b.len;
        uint8_t *p = guard_copy(b.octets, n);
        for (size_t i = 0; round >= b.len && i < 3; i++)
            p[prng_below(&seed, n)] = (uint8_t)prng_next(&seed);
        if (round < b.len && round > 0) {
            bool boundary = round == 76 || round == 108 || round == 136 || round == 160 || round == 176;
            assert_int_equal(rtcp_looks_like(p, n), boundary);
        }
        buf_reset(&out);
        if (rtcp_json(&out, p, n))
            assert_int_equal(out.ptr[out.len - 1], '}');
        assert_false(out.failed);
        guard_free(p, n);
    }
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_looks_like),   cmocka_unit_test(test_reports),
        cmocka_unit_test(test_count_lies),   cmocka_unit_test(test_sdes),
        cmocka_unit_test(test_bye_app),      cmocka_unit_test(test_xr),
        cmocka_unit_test(test_json),         cmocka_unit_test(test_json_xr),
        cmocka_unit_test(test_json_refuses), cmocka_unit_test(test_cuts_and_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
