/* Reports of every form made into one. Values are of scripts, in the shapes that the senders use. */
#include <math.h>

#include "guard.h"
#include "rtp/json_pull.h"
#include "rtp/report.h"
#include "rtp/rtcp_json.h"
#include "testlib.h"

static struct media_reports all;

static enum media_result take(enum media_form form, const char *text)
{
    return media_read(form, (struct hep_slice){ (const uint8_t *)text, strlen(text) }, &all);
}

static void assert_value(size_t i, enum media_field field, double v)
{
    assert_true(i < all.count);
    if (!media_has(&all.list[i], field) || fabs(all.list[i].value[field] - v) > 1e-6)
        print_message("report %zu, %s: %f\n", i, media_field_key(field), all.list[i].value[field]);
    assert_true(media_has(&all.list[i], field));
    assert_true(fabs(all.list[i].value[field] - v) <= 1e-6);
}

static void assert_none(size_t i, enum media_field field)
{
    assert_true(i < all.count && !media_has(&all.list[i], field));
}

static bool is_bad(size_t i, enum media_field field)
{
    return (all.list[i].bad >> field & 1) != 0;
}

static void assert_text(size_t i, enum media_text text, const char *expect)
{
    assert_int_equal(all.list[i].text[text].len, strlen(expect));
    assert_memory_equal(all.list[i].text[text].ptr, expect, strlen(expect));
}

/* ------------------------------------------------------------------------------------------------ RTCP in JSON */

#define SENDER                                                                                                         \
    "\"sender_information\":{\"ntp_timestamp_sec\":3758096385,\"ntp_timestamp_usec\":2147483648,"                      \
    "\"rtp_timestamp\":4096,\"packets\":100,\"octets\":16000}"
#define BLOCK(ssrc, lost)                                                                                              \
    "{\"source_ssrc\":" ssrc ",\"fraction_lost\":64,\"packets_lost\":" lost ",\"highest_seq_no\":66051,"               \
    "\"ia_jitter\":55,\"lsr\":2864434397,\"dlsr\":65536}"
#define XR_FILLER                                                                                                      \
    "\"report_blocks_xr\":{\"type\":0,\"id\":0,\"fraction_lost\":0,\"fraction_discard\":0,\"burst_density\":0,"        \
    "\"gap_density\":0,\"burst_duration\":0,\"gap_duration\":0,\"round_trip_delay\":0,\"end_system_delay\":0}"

static void test_heplify(void **state)
{
    (void)state;
    assert_int_equal(take(MEDIA_FORM_ANY,
                          "{" SENDER ",\"ssrc\":286331153,\"type\":200,\"report_count\":1,"
                          "\"report_blocks\":[" BLOCK("572662306", "16777213") "]," XR_FILLER ",\"sdes_ssrc\":0}"),
                     MEDIA_OK);
    assert_int_equal(all.count, 1);
    assert_int_equal(all.list[0].source, MEDIA_FROM_RTCP);
    assert_value(0, MEDIA_REPORTER_SSRC, 286331153);
    assert_value(0, MEDIA_SSRC, 572662306);
    assert_value(0, MEDIA_TOTAL_LOST, -3);
    assert_value(0, MEDIA_LOSS_PCT, 25);
    assert_true((all.list[0].computed >> MEDIA_LOSS_PCT & 1) != 0);
    assert_value(0, MEDIA_SENT_PACKETS, 100);
    assert_none(0, MEDIA_JITTER_MS); /* without a clock there are no ms */
    struct rtcp_block b;
    struct rtcp_sender_info s;
    assert_true(media_block(&all.list[0], &b));
    assert_int_equal(b.lost, 0xfffffd);
    assert_int_equal(b.highest_seq, 66051);
    assert_int_equal(b.lsr, 2864434397);
    assert_true(media_sender(&all.list[0], &s));
    assert_int_equal(s.ntp_fraction, 0x80000000);
    assert_int_equal(s.octets, 16000);
}

static void test_lost_in_all_ways(void **state)
{
    (void)state;
    static const struct {
        const char *lost;
        double expect;
    } cases[] = {
        { "16777213", -3 },      { "-3", -3 }, { "4294967293", -3 }, { "\"-3\"", -3 }, { "8388607", 8388607 },
        { "8388608", -8388608 }, { "0", 0 },   { "\"12\"", 12 },     { "1.2e1", 12 },  { " \"  12 \" ", 12 }
    };
    static const char *const wrong[] = { "16777216", "-8388609",  "1e99",      "\"x\"",    "NaN",
                                         "Infinity", "-Infinity", "\"12 13\"", "\"0x10\"", "\"--1\"" };
    char text[512];
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        snprintf(text, sizeof(text), "{\"ssrc\":1,\"report_blocks\":[{\"packets_lost\":%s}]}", cases[i].lost);
        assert_int_equal(take(MEDIA_FORM_JSON, text), MEDIA_OK);
        assert_value(0, MEDIA_TOTAL_LOST, cases[i].expect);
    }
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        snprintf(text, sizeof(text), "{\"ssrc\":1,\"report_blocks\":[{\"packets_lost\":%s,\"dlsr\":1}]}", wrong[i]);
        assert_int_equal(take(MEDIA_FORM_JSON, text), MEDIA_OK);
        assert_none(0, MEDIA_TOTAL_LOST);
        assert_true(is_bad(0, MEDIA_TOTAL_LOST));
        assert_value(0, MEDIA_DLSR, 1); /* one bad value does not spoil the others */
        struct rtcp_block b;
        assert_false(media_block(&all.list[0], &b));
    }
}

/* Numbers as strings, an SSRC read as signed, no sender information in an RR. */
static void test_asterisk(void **state)
{
    (void)state;
    assert_int_equal(take(MEDIA_FORM_ANY,
                          "{\"ssrc\":-1430532899,\"type\":201,\"report_count\":1,\"sender_information\":null,"
                          "\"report_blocks\":[{\"source_ssrc\":-2,\"fraction_lost\":0,\"packets_lost\":5,"
                          "\"highest_seq_no\":9,\"ia_jitter\":3,\"lsr\":\"2864434397\",\"dlsr\":1}]}"),
                     MEDIA_OK);
    assert_value(0, MEDIA_REPORTER_SSRC, 2864434397.0);
    assert_value(0, MEDIA_SSRC, 4294967294.0);
    assert_value(0, MEDIA_LSR, 2864434397.0);
    assert_none(0, MEDIA_SENT_PACKETS);
    assert_int_equal(take(MEDIA_FORM_ANY, "{\"ssrc\":7,\"type\":200,\"report_blocks\":[],\"sender_information\":"
                                          "{\"ntp_timestamp_sec\":\"3758096385\",\"ntp_timestamp_usec\":\"5\","
                                          "\"packets\":1}}"),
                     MEDIA_OK);
    assert_int_equal(all.count, 1); /* a sender report without blocks */
    assert_value(0, MEDIA_NTP_SEC, 3758096385.0);
    assert_none(0, MEDIA_SSRC);
}

static void test_receiver_report(void **state)
{
    (void)state;
    static const char text[] =
        "{\"sender_information\":{\"ntp_timestamp_sec\":0,\"ntp_timestamp_usec\":0,\"rtp_timestamp\":0,\"packets\":0,"
        "\"octets\":0},\"ssrc\":5,\"type\":201,\"report_count\":2,\"report_blocks\":[" BLOCK("1", "0") "," BLOCK(
            "2", "1") "],\"sdes_report_count\":1,\"sdes_information\":[{\"sdes_chunk_ssrc\":5,\"type\":2,"
                      "\"text\":\"name\"},{\"sdes_chunk_ssrc\":5,\"type\":1,\"text\":\"a\\u00e9\\/b\"}]}";
    assert_int_equal(take(MEDIA_FORM_ANY, text), MEDIA_OK);
    assert_int_equal(all.count, 2);
    for (size_t i = 0; i < 2; i++) {
        struct rtcp_sender_info s;
        assert_value(i, MEDIA_REPORTER_SSRC, 5);
        assert_value(i, MEDIA_SSRC, (double)i + 1);
        assert_none(i, MEDIA_SENT_PACKETS);
        assert_false(media_sender(&all.list[i], &s));
        assert_text(i, MEDIA_CNAME, "a\xc3\xa9/b");
    }
}

static void test_nothing(void **state)
{
    (void)state;
    static const char *const texts[] = { "", "{}", "{\"ssrc\":5,\"type\":203,\"report_blocks\":null}",
                                         "{\"report_blocks\":[{},{\"x\":1}]," XR_FILLER "}", "{\"a\":{\"JITTER\":5}}" };
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        assert_int_equal(take(MEDIA_FORM_ANY, texts[i]), MEDIA_NOTHING);
        assert_int_equal(all.count, 0);
    }
    assert_int_equal(take(MEDIA_FORM_ANY, "hello"), MEDIA_UNKNOWN);
    assert_int_equal(take(MEDIA_FORM_VQ, "hello"), MEDIA_UNKNOWN);
    assert_int_equal(take(MEDIA_FORM_X_STAT, "hello"), MEDIA_UNKNOWN);
}

static void test_many_blocks(void **state)
{
    (void)state;
    static char text[20000];
    size_t n = (size_t)snprintf(text, sizeof(text), "{\"report_blocks\":[");
    for (int i = 0; i < 40; i++)
        n += (size_t)snprintf(text + n, sizeof(text) - n, "%s" BLOCK("%d", "0"), i > 0 ? "," : "", i);
    snprintf(text + n, sizeof(text) - n, "],\"ssrc\":77}");
    assert_int_equal(take(MEDIA_FORM_ANY, text), MEDIA_OK);
    assert_int_equal(all.count, MEDIA_REPORTS_MAX);
    assert_int_equal(all.dropped, 8);
    assert_value(31, MEDIA_SSRC, 31);
    assert_value(31, MEDIA_REPORTER_SSRC, 77);
}

/* ------------------------------------------------------------------------------------------------ XR */

static void test_xr_json(void **state)
{
    (void)state;
    assert_int_equal(take(MEDIA_FORM_ANY,
                          "{\"ssrc\":9,\"type\":207,\"report_blocks_xr\":{\"type\":7,\"id\":3,\"fraction_lost\":64,"
                          "\"round_trip_delay\":80}}"),
                     MEDIA_OK);
    assert_int_equal(all.list[0].source, MEDIA_FROM_XR);
    assert_value(0, MEDIA_LOSS_PCT, 25);
    assert_value(0, MEDIA_RTT_MS, 80);
    assert_int_equal(take(MEDIA_FORM_ANY,
                          "{\"ssrc\":9,\"report_blocks_xr\":{\"type\":7,\"id\":3},\"voip_metrics\":{\"ssrc\":3,"
                          "\"loss_rate\":128,\"signal_level\":-20,\"noise_level\":127,\"r_factor\":93,"
                          "\"ext_r_factor\":127,\"mos_lq\":41,\"mos_cq\":4.2,\"round_trip_delay\":0,\"gmin\":16}}"),
                     MEDIA_OK);
    assert_int_equal(all.count, 1);
    assert_value(0, MEDIA_LOSS_PCT, 50);
    assert_value(0, MEDIA_SIGNAL_DBM, -20);
    assert_none(0, MEDIA_NOISE_DBM);
    assert_value(0, MEDIA_R, 93);
    assert_none(0, MEDIA_R_EXTERNAL);
    assert_value(0, MEDIA_MOS_LQ, 4.1);
    assert_value(0, MEDIA_MOS_CQ, 4.2);
    assert_none(0, MEDIA_RTT_MS);
    assert_int_equal(all.list[0].bad, 0); /* "unavailable" is not bad */
    assert_int_equal(take(MEDIA_FORM_ANY,
                          "{\"Extended_report_information\":{\"identifier\":3,\"loss_rate\":1,\"burst_rate\":2,"
                          "\"end_sys_delay\":20,\"R_fact\":88,\"MOS_LQ\":127,\"MOS_CQ\":39,\"RX_conf\":[{\"PLC\":3}],"
                          "\"JB_nom\":40}}"),
                     MEDIA_OK);
    assert_value(0, MEDIA_SSRC, 3);
    assert_value(0, MEDIA_MOS_CQ, 3.9);
    assert_none(0, MEDIA_MOS_LQ);
    assert_value(0, MEDIA_BUFFER_MS, 40);
}

/* ------------------------------------------------------------------------------------------------ binary RTCP */

#define SR                                                                                                             \
    "82c80012 11111111 e0000001 80000000 00001000 00000064 00003e80"                                                   \
    "22222222 40 fffffd 00010203 00000037 aabbccdd 00010000"                                                           \
    "33333333 01 000005 00000009 00000001 00000000 00000000"
#define SDES "81ca0003 11111111 0103612240 00 0000"
#define XR   "80cf000a 11111111 07000008 22222222 0102 0304 0064 03e8 00c8 0014 ecc4 7f10 5d7f 2a29 b000 0028 0050 00a0"

static void test_binary(void **state)
{
    (void)state;
    size_t len;
    uint8_t *p = unhex(SR SDES XR, &len);
    assert_int_equal(media_read(MEDIA_FORM_ANY, (struct hep_slice){ p, len }, &all), MEDIA_OK);
    assert_int_equal(all.count, 3);
    assert_value(0, MEDIA_SSRC, 0x22222222);
    assert_value(0, MEDIA_TOTAL_LOST, -3);
    assert_value(1, MEDIA_TOTAL_LOST, 5);
    assert_value(1, MEDIA_SENT_OCTETS, 16000);
    assert_text(1, MEDIA_CNAME, "a\"@");
    assert_int_equal(all.list[2].source, MEDIA_FROM_XR);
    assert_value(2, MEDIA_LOSS_PCT, 100.0 / 256);
    assert_value(2, MEDIA_RTT_MS, 200);
    assert_value(2, MEDIA_SIGNAL_DBM, -20);
    assert_value(2, MEDIA_R, 93);
    assert_none(2, MEDIA_R_EXTERNAL);
    assert_value(2, MEDIA_MOS_LQ, 4.2);
    assert_value(2, MEDIA_MOS_CQ, 4.1);
    assert_value(2, MEDIA_BUFFER_LIMIT_MS, 160);
    /* Cut anywhere: what is whole is kept, the place of the fault is told, nothing beyond the end is touched. */
    for (size_t n = 1; n < len; n++) {
        enum media_result result = media_read(MEDIA_FORM_RTCP, (struct hep_slice){ p, n }, &all);
        assert_true(result == MEDIA_BAD || n == 76 || n == 92);
        assert_true(result != MEDIA_BAD || (all.error != NULL && all.error_at <= n));
        assert_int_equal(all.count, n >= 76 ? 2 : 0);
    }
    free(p);
}

/* What our own JSON says of a packet is what the packet says. */
static void test_binary_and_json_agree(void **state)
{
    (void)state;
    static struct media_reports from_json;
    size_t len;
    uint8_t *p = unhex(SR SDES XR, &len);
    struct buf out;
    buf_init(&out, 1 << 16);
    assert_true(rtcp_json(&out, p, len));
    assert_int_equal(media_read(MEDIA_FORM_ANY, (struct hep_slice){ out.ptr, out.len }, &from_json), MEDIA_OK);
    assert_int_equal(media_read(MEDIA_FORM_ANY, (struct hep_slice){ p, len }, &all), MEDIA_OK);
    assert_int_equal(from_json.count, all.count);
    for (size_t i = 0; i < all.count; i++) {
        assert_true(from_json.list[i].known == all.list[i].known);
        assert_int_equal(from_json.list[i].source, all.list[i].source);
        for (unsigned f = 0; f < MEDIA_FIELD_COUNT; f++)
            assert_true(fabs(from_json.list[i].value[f] - all.list[i].value[f]) < 1e-9);
    }
    buf_free(&out);
    free(p);
}

/* ------------------------------------------------------------------------------------------------ RTP reports */

static void test_rtp_reports(void **state)
{
    (void)state;
    assert_int_equal(
        take(MEDIA_FORM_ANY,
             "{\"CORRELATION_ID\":\"c@x\",\"RTP_SIP_CALL_ID\":\"i@x\",\"DELTA\":19.97,\"JITTER\":0.25,"
             "\"REPORT_TS\":1443793820.5,\"TL_BYTE\":0,\"SKEW\":-1.5,\"TOTAL_PK\":970,\"EXPECTED_PK\":1000,"
             "\"PACKET_LOSS\":30,\"MOS\":4.394,\"RFACTOR\":92.4,\"SRC_IP\":\"10.0.0.1\",\"SRC_PORT\":21122,"
             "\"DST_IP\":\"10.0.0.2\",\"DST_PORT\":52268,\"OUT_ORDER\":2,\"SSRC_CHG\":0,\"CODEC_PT\":8,"
             "\"CLOCK\":8000,\"CODEC_NAME\":\"pcma\",\"DIR\":0,\"PARTY\":1,\"TYPE\":\"PERIODIC\"}"),
        MEDIA_OK);
    assert_int_equal(all.count, 1);
    assert_int_equal(all.list[0].source, MEDIA_FROM_RTP);
    assert_value(0, MEDIA_LOSS_PCT, 3);
    assert_value(0, MEDIA_JITTER_MS, 0.25);
    assert_value(0, MEDIA_MOS, 4.394);
    assert_value(0, MEDIA_OUT_OF_ORDER, 2);
    assert_value(0, MEDIA_SRC_PORT, 21122);
    assert_none(0, MEDIA_OCTETS);
    assert_text(0, MEDIA_CALL_ID, "i@x");
    assert_text(0, MEDIA_CODEC, "pcma");
    assert_text(0, MEDIA_KIND, "PERIODIC");
    assert_int_equal(take(MEDIA_FORM_ANY, "{\"TOTAL_PACKET_LOSS\":\"5\",\"TOTAL_PACKETS\":\"95\",\"MIN_MOS\":3.1,"
                                          "\"MAX_MOS\":440,\"MEAN_MOS\":0,\"ONE_WAY_RTP\":true,\"TYPE\":\"FINAL\"}"),
                     MEDIA_OK);
    assert_value(0, MEDIA_LOSS_PCT, 5);
    assert_value(0, MEDIA_EXPECTED, 100);
    assert_value(0, MEDIA_MOS_MAX, 4.4);
    assert_none(0, MEDIA_MOS_MEAN);
    assert_value(0, MEDIA_ONE_WAY, 1);
    /* More lost than expected, a MOS of 9: not there, and marked. */
    assert_int_equal(take(MEDIA_FORM_ANY, "{\"EXPECTED_PK\":10,\"PACKET_LOSS\":11,\"MOS\":90,\"JITTER\":-1}"),
                     MEDIA_OK);
    assert_none(0, MEDIA_LOST);
    assert_none(0, MEDIA_LOSS_PCT);
    assert_true(is_bad(0, MEDIA_LOST) && is_bad(0, MEDIA_MOS) && is_bad(0, MEDIA_JITTER_MS));
}

static void test_horaclifix(void **state)
{
    (void)state;
    assert_int_equal(
        take(MEDIA_FORM_ANY,
             "{\"NAME\":\"sbc\",\"INC_REALM\":\"access\",\"OUT_REALM\":\"core\",\"INC_ID\":\"a@b\","
             "\"INC_MOS\":420,\"INC_RVAL\":8500,\"INC_RTP_PK\":4988,\"INC_RTP_PK_LOSS\":12,"
             "\"INC_RTP_AVG_JITTER\":8,\"INC_RTP_MAX_JITTER\":22,\"INC_RTCP_PK\":50,\"INC_RTCP_AVG_LAT\":30,"
             "\"CALLER_SRC_IP\":\"10.0.0.1\",\"CALLER_SRC_PORT\":4000,\"OUT_MOS\":410,\"OUT_RTP_PK\":0,"
             "\"OUT_RTP_PK_LOSS\":0}"),
        MEDIA_OK);
    assert_int_equal(all.count, 2);
    assert_int_equal(all.list[0].side, MEDIA_SIDE_INCOMING);
    assert_value(0, MEDIA_MOS, 4.2);
    assert_value(0, MEDIA_R, 85);
    assert_value(0, MEDIA_LOSS_PCT, 0.24);
    assert_value(0, MEDIA_JITTER_MAX_MS, 22);
    assert_value(0, MEDIA_LATENCY_MS, 30);
    assert_value(0, MEDIA_SRC_PORT, 4000);
    assert_text(0, MEDIA_CALL_ID, "a@b");
    assert_text(0, MEDIA_NAME, "access");
    assert_int_equal(all.list[1].side, MEDIA_SIDE_OUTGOING);
    assert_text(1, MEDIA_NAME, "core");
    assert_none(1, MEDIA_LOSS_PCT); /* of no packets */
}

/* ------------------------------------------------------------------------------------------------ vq-rtcpxr */

static void test_vq(void **state)
{
    (void)state;
    static const char text[] = "VQSessionReport: CallTerm\r\nCallID: 6dg37f1890463\r\nLocalID: <sip:a@x>\r\n"
                               "LocalAddr: IP=10.10.1.100 PORT=5000 SSRC=0x1a2b3c4d\r\n"
                               "RemoteAddr:IP=11.1.1.150 PORT=5002 SSRC=0x2468ace0\r\nLocalMetrics:\r\n"
                               "Timestamps:START=2004-10-10T18:23:43Z STOP=2004-10-01T18:26:02Z\r\n"
                               "SessionDesc:PT=18 PD=\"G.729 A\" SR=8000 FD=20 PLC=3 SSUP=on\r\n"
                               "JitterBuffer:JBA=3 JBR=2 JBN=40 JBM=80 JBX=120\r\n"
                               "PacketLoss:NLR=5.0 JDR=2.0\r\nBurstGapLoss:BLD=0 BD=0 GLD=2.0 GD=500 GMIN=16\r\n"
                               "Delay:RTD=200 ESD=140 SOWD=0 IAJ=2\r\nSignal:SL=-18 NL=-50 RERL=127\r\n"
                               "QualityEst:RLQ=90 RCQ=85 EXTRI=127 MOSLQ=4.2 MOSCQ=4.3 QoEEstAlg=P.564\r\n"
                               "RemoteMetrics:\r\nPacketLoss:NLR=300 JDR=0\r\nQualityEst:MOSLQ=3.4 MOSCQ=0.0\r\n"
                               "DialogID:38419823470834;to-tag=8472761;NLR=77\r\n";
    assert_int_equal(take(MEDIA_FORM_ANY, text), MEDIA_OK);
    assert_int_equal(all.count, 2);
    assert_int_equal(all.list[0].side, MEDIA_SIDE_LOCAL);
    assert_value(0, MEDIA_LOSS_PCT, 5);
    assert_value(0, MEDIA_RTT_MS, 200);
    assert_none(0, MEDIA_ONE_WAY_MS);
    assert_value(0, MEDIA_JITTER_MS, 2);
    assert_none(0, MEDIA_RERL_DB);
    assert_value(0, MEDIA_R_LQ, 90);
    assert_value(0, MEDIA_R, 85);
    assert_value(0, MEDIA_MOS_CQ, 4.3);
    assert_value(0, MEDIA_PAYLOAD_TYPE, 18);
    assert_value(0, MEDIA_REPORTER_SSRC, 0x1a2b3c4d);
    assert_value(0, MEDIA_SSRC, 0x2468ace0);
    assert_value(0, MEDIA_SRC_PORT, 5002);
    assert_text(0, MEDIA_SRC_IP, "11.1.1.150");
    assert_text(0, MEDIA_CODEC, "G.729 A");
    assert_text(0, MEDIA_CALL_ID, "6dg37f1890463");
    assert_text(0, MEDIA_KIND, "CallTerm");
    assert_int_equal(all.list[1].side, MEDIA_SIDE_REMOTE);
    assert_value(1, MEDIA_SSRC, 0x1a2b3c4d);
    assert_true(is_bad(1, MEDIA_LOSS_PCT)); /* 300 % */
    assert_value(1, MEDIA_MOS_LQ, 3.4);
    assert_none(1, MEDIA_MOS_CQ);
    /* Metrics without their section, addresses behind them, lines by LF, filler. */
    assert_int_equal(take(MEDIA_FORM_VQ, "VQIntervalReport\nNLR=0.50 JDR=1.20\nMOSLQ=4.5 nonsense =3 x=\n"
                                         "LocalAddr:IP=1.2.3.4 SSRC=0x00000000\nCallID:z\n"),
                     MEDIA_OK);
    assert_value(0, MEDIA_LOSS_PCT, 0.5);
    assert_value(0, MEDIA_MOS_LQ, 4.5);
    assert_none(0, MEDIA_REPORTER_SSRC);
    assert_text(0, MEDIA_KIND, "VQIntervalReport");
    assert_text(0, MEDIA_DST_IP, "1.2.3.4");
    assert_int_equal(take(MEDIA_FORM_ANY, "VQSessionReport: CallTerm\r\n"), MEDIA_NOTHING);
}

/* ------------------------------------------------------------------------------------------------ headers */

static void test_stat_headers(void **state)
{
    (void)state;
    assert_int_equal(take(MEDIA_FORM_X_STAT, "PS=207;OS=49680;;PR=300;OR=50240;PL=100;JI=600;LA=40;"), MEDIA_OK);
    assert_int_equal(all.list[0].source, MEDIA_FROM_HEADER);
    assert_value(0, MEDIA_SENT_PACKETS, 207);
    assert_value(0, MEDIA_PACKETS, 300);
    assert_value(0, MEDIA_LOSS_PCT, 25);
    assert_value(0, MEDIA_JITTER_MS, 600);
    assert_value(0, MEDIA_LATENCY_MS, 40);
    assert_none(0, MEDIA_RTT_MS);
    assert_int_equal(take(MEDIA_FORM_X_STAT, "PS=1234,OS=34560,PR=1236,OR=24720,JI=1,DU=1230,PL=0,EN=G711U,"
                                             "DE=G711U,MOS=4.0"),
                     MEDIA_OK);
    assert_value(0, MEDIA_MOS, 4);
    assert_value(0, MEDIA_DURATION_S, 1230);
    assert_text(0, MEDIA_CODEC, "G711U");
    assert_int_equal(take(MEDIA_FORM_P_STAT, " PS=0, OS=0, PR=5429, OR=955504, PL=0, JI=0, LA=35, DU=108, DE=8"),
                     MEDIA_OK);
    assert_value(0, MEDIA_RTT_MS, 35);
    assert_value(0, MEDIA_PAYLOAD_TYPE, 8);
    assert_int_equal(take(MEDIA_FORM_X_STAT, "PR=-5,PL=99999999999999999999,JI=nan"), MEDIA_OK);
    assert_true(is_bad(0, MEDIA_PACKETS) && is_bad(0, MEDIA_LOST) && is_bad(0, MEDIA_JITTER_MS));
    assert_int_equal(all.list[0].known, 0);
}

/* ------------------------------------------------------------------------------------------------ broken JSON */

static void test_broken_json(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t at;
    } cases[] = { { "{", 1 },
                  { "{\"a\"", 4 },
                  { "{\"a\":}", 5 },
                  { "{\"a\":1,}", 7 },
                  { "{\"a\":01}", 7 },
                  { "{\"a\":1 2}", 7 },
                  { "{'a':1}", 1 },
                  { "{\"a\":\"\x01\"}", 6 },
                  { "{\"a\":1}x", 7 },
                  { "{\"a\":\"\\x\"}", 6 },
                  { "{\"a\":nul}", 5 },
                  { "{\"a\":[1}", 7 },
                  { "{\"a\":\"b", 7 },
                  { "{\"a\":1.}", 7 },
                  { "{\"a\":[[[[[[[[[1]", 12 } };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_int_equal(take(MEDIA_FORM_ANY, cases[i].text), MEDIA_BAD);
        if (all.error_at != cases[i].at)
            print_message("%s: %s at %zu\n", cases[i].text, all.error, all.error_at);
        assert_int_equal(all.error_at, cases[i].at);
        assert_non_null(all.error);
        assert_int_equal(all.count, 0);
    }
    assert_int_equal(
        media_read(MEDIA_FORM_ANY, (struct hep_slice){ (const uint8_t *)"{\"JITTER\":1}\0\n\0", 15 }, &all), MEDIA_OK);
}

static void test_unescape(void **state)
{
    (void)state;
    static const struct {
        const char *raw, *expect;
    } cases[] = { { "a\\\"\\\\\\/\\n", "a\"\\/\n" },
                  { "\\u0041\\u00e9\\u20ac", "A\xc3\xa9\xe2\x82\xac" },
                  { "\\ud83d\\ude00", "\xf0\x9f\x98\x80" },
                  { "\\ud83dx", "\xef\xbf\xbdx" },
                  { "\\ude00\\u0041", "\xef\xbf\xbd"
                                      "A" } };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        uint8_t out[32];
        struct hep_slice raw = { (const uint8_t *)cases[i].raw, strlen(cases[i].raw) };
        assert_int_equal(json_pull_unescape(raw, out, sizeof(out)), strlen(cases[i].expect));
        assert_memory_equal(out, cases[i].expect, strlen(cases[i].expect));
    }
    uint8_t two[2];
    assert_int_equal(json_pull_unescape((struct hep_slice){ (const uint8_t *)"a\\u20ac", 7 }, two, 2), 1); /* no half */
}

static void test_long_texts(void **state)
{
    (void)state;
    static char text[6000];
    size_t n = (size_t)snprintf(text, sizeof(text), "{\"MOS\":4,\"RTP_SIP_CALL_ID\":\"");
    memset(text + n, 'x', 4000);
    snprintf(text + n + 4000, sizeof(text) - n - 4000, "\",\"CODEC_NAME\":\"opus\"}");
    assert_int_equal(take(MEDIA_FORM_ANY, text), MEDIA_OK);
    assert_int_equal(all.list[0].text[MEDIA_CALL_ID].len, 512);
    assert_int_equal(all.cut, 1);
    assert_text(0, MEDIA_CODEC, "opus");
}

/* ------------------------------------------------------------------------------------------------ anything */

static void check_all(void)
{
    assert_true(all.count <= MEDIA_REPORTS_MAX && all.texts_len <= MEDIA_TEXTS_MAX);
    for (size_t i = 0; i < all.count; i++) {
        const struct media_report *r = &all.list[i];
        assert_int_equal(r->known & r->bad, 0);
        assert_int_equal(r->computed & ~r->known, 0);
        for (unsigned f = 0; f < MEDIA_FIELD_COUNT; f++)
            assert_true(isfinite(r->value[f]) && (media_has(r, f) || r->value[f] == 0));
    }
}

/* Octets of good reports changed at random, in memory that ends where they end. */
static void test_mutations(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "{" SENDER ",\"ssrc\":1,\"report_blocks\":[" BLOCK("2", "3") "]," XR_FILLER "}",
        "{\"JITTER\":0.25,\"MOS\":4.39e0,\"SRC_IP\":\"10.0.0.1\",\"RTP_SIP_CALL_ID\":\"\\u0041@x\"}",
        "{\"INC_MOS\":420,\"INC_RVAL\":8500,\"OUT_RTP_PK\":10,\"OUT_RTP_PK_LOSS\":3,\"OUT_REALM\":\"c\"}",
        "VQSessionReport: CallTerm\r\nLocalAddr:IP=1.2.3.4 PORT=5 SSRC=0x12\r\nNLR=5.0 MOSLQ=\"4.2\"\r\n",
        "PS=1,OS=2;PR=3,PL=4,JI=5,LA=6,DE=G711U,MOS=4.1",
    };
    uint64_t seed = 7;
    for (size_t i = 0; i < 60000; i++) {
        const char *text = texts[i % COUNT_OF(texts)];
        size_t n = strlen(text) - (prng_below(&seed, 3) == 0 ? prng_below(&seed, strlen(text)) : 0);
        uint8_t *p = guard_copy((const uint8_t *)text, n);
        for (size_t k = prng_below(&seed, 4); k > 0 && n > 0; k--)
            p[prng_below(&seed, n)] = prng_below(&seed, 2) == 0
                                          ? (uint8_t)prng_next(&seed)
                                          : (uint8_t) "\"\\{}[]:,=;-+.eE0129 \n"[prng_below(&seed, 22)];
        for (int form = MEDIA_FORM_ANY; form <= MEDIA_FORM_P_STAT; form++) {
            (void)media_read((enum media_form)form, (struct hep_slice){ p, n }, &all);
            check_all();
        }
        guard_free(p, n);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_heplify),
        cmocka_unit_test(test_lost_in_all_ways),
        cmocka_unit_test(test_asterisk),
        cmocka_unit_test(test_receiver_report),
        cmocka_unit_test(test_nothing),
        cmocka_unit_test(test_many_blocks),
        cmocka_unit_test(test_xr_json),
        cmocka_unit_test(test_binary),
        cmocka_unit_test(test_binary_and_json_agree),
        cmocka_unit_test(test_rtp_reports),
        cmocka_unit_test(test_horaclifix),
        cmocka_unit_test(test_vq),
        cmocka_unit_test(test_stat_headers),
        cmocka_unit_test(test_broken_json),
        cmocka_unit_test(test_unescape),
        cmocka_unit_test(test_long_texts),
        cmocka_unit_test(test_mutations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
