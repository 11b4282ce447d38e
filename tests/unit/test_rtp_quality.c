/* MOS by the E-model, and the figures of a stream out of the reports about it. */
#include <math.h>

#include "rtp/emodel.h"
#include "rtp/stream.h"
#include "testlib.h"

#define NEAR(a, b, within) assert_true(fabs((a) - (b)) <= (within))

static const struct emodel_codec *codec(const char *name, uint32_t rate, bool plc)
{
    return emodel_codec((struct hep_slice){ (const uint8_t *)name, strlen(name) }, rate, plc);
}

static struct emodel_rating rate(const char *name, double loss, double burst, double delay)
{
    struct emodel_rating r;
    struct emodel_input in = { codec(name, 0, true), loss, burst, delay };
    assert_true(emodel_rate(&in, &r));
    return r;
}

/* ------------------------------------------------------------------------------------------------ R to MOS */

/* G.107 annex B, table B.1: the R at the borders of the categories of speech quality, and their MOS. */
static void test_mos_of_annex_b(void **state)
{
    (void)state;
    static const struct {
        double r, mos;
    } cases[] = { { 90, 4.34 }, { 80, 4.03 }, { 70, 3.60 }, { 60, 3.10 }, { 50, 2.58 }, { 0, 1 }, { 100, 4.5 } };
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        NEAR(emodel_mos(cases[i].r), cases[i].mos, 0.0065); /* 4.03 is 4.024 by the formula */
    /* At the roots of the cubic term the value is that of the straight line: 1 + 0.035 * 60. */
    NEAR(emodel_mos(60), 3.1, 1e-12);
}

static void test_mos_ends(void **state)
{
    (void)state;
    assert_true(emodel_mos(-5) == 1);
    assert_true(emodel_mos(1000) == 4.5);
    assert_true(emodel_mos((double)NAN) == 1);
    assert_true(emodel_mos((double)INFINITY) == 4.5);
    assert_true(emodel_mos_wide(129) == 4.5);
    assert_true(emodel_mos_wide(-1) == 1);
    /* Never below 1 (the polynomial is, up to R = 6.5), never falling. */
    double before = 1;
    for (int i = 0; i <= 1300; i++) {
        double mos = emodel_mos(i / 10.0);
        assert_true(mos >= before && mos <= 4.5);
        before = mos;
    }
    /* 1.29 is the ratio of the two scales: R = 129 is as 100. */
    NEAR(emodel_mos_wide(77.4), emodel_mos(60), 1e-12);
}

/* ------------------------------------------------------------------------------------------------ E-model */

/* Ro of the presets in G.107 table 3, by (7-3) to (7-7). */
static double preset_ro(void)
{
    const double slr = 8, rlr = 2, olr = slr + rlr, ds = 3, lstr = 18, ps = 35, pr = 35, nc = -70, nfor = -64;
    double nos = ps - slr - ds - 100 + 0.004 * pow(ps - olr - ds - 14, 2);
    double pre = pr + 10 * log10(1 + pow(10, (10 - lstr) / 10));
    double nor = rlr - 121 + pre + 0.008 * pow(pre - 35, 2);
    double nfo = nfor + rlr;
    double no = 10 * log10(pow(10, nc / 10) + pow(10, nos / 10) + pow(10, nor / 10) + pow(10, nfo / 10));
    NEAR(no, -61.18, 0.005); /* the preset that the talker echo uses */
    return 15 - 1.5 * (slr + no);
}

/* Is of the presets: too low overall loudness and quantising by (7-9), (7-13); sidetone (7-12) is 0 to three digits. */
static double preset_is(double ro)
{
    const double no = -61.18, rlr = 2, olr = 10, q = 37; /* 37 - 15 log10(qdu), qdu = 1 */
    double x = olr + 0.2 * (64 + no - rlr);
    double iolr = 20 * (pow(1 + pow(x / 8, 8), 1.0 / 8) - x / 8);
    double g = 1.07 + 0.258 * q + 0.0602 * q * q;
    double y = (ro - 100) / 15 + 46 / 8.4 - g / 9;
    double z = 46.0 / 30 - g / 40;
    return iolr + 15 * log10(1 + pow(10, y) + pow(10, z));
}

/* G.107 section 7.7: with all parameters at their presets R = 93.2, and so MOS = 4.41. */
static void test_presets(void **state)
{
    (void)state;
    struct emodel_rating r = rate("PCMU", 0, 1, 0);
    NEAR(r.r, 93.2, 0.05);
    NEAR(r.mos, 4.41, 0.005);
    NEAR(r.ie_eff, 0, 1e-12);
    NEAR(r.id, 0.149, 0.001); /* listener echo of the preset WEPL */
    double ro = preset_ro();
    NEAR(ro, 94.7688, 0.001);
    NEAR(r.r, ro - preset_is(ro) - r.id, 0.002);
}

/*
 * Idd at 200 ms, by hand: X = log2(2) = 1; 25 * (2^(1/6) - 3 * (1 + 3^-6)^(1/6) + 2) = 25 * (1.122462 - 3.000685 + 2)
 * = 3.0444. At 400 ms, X = 2: 25 * (65^(1/6) - 3 * (1 + 64/729)^(1/6) + 2) = 25 * (2.005176 - 3.042370 + 2) = 24.0702.
 */
static void test_delay(void **state)
{
    (void)state;
    assert_true(emodel_idd(0) == 0 && emodel_idd(100) == 0 && emodel_idd(-7) == 0);
    NEAR(emodel_idd(200), 3.0444, 0.001);
    NEAR(emodel_idd(400), 24.0702, 0.005);
    /* The known two straight lines for the presets, Id = 0.024 d + 0.11 (d - 177.3) above 177.3 ms: within 1 up to 300
     * ms. */
    for (double d = 10; d <= 300; d += 10)
        NEAR(emodel_id(d), 0.024 * d + (d > 177.3 ? 0.11 * (d - 177.3) : 0), 1);
    double before = 0; /* from 0 to 1 ms the listener echo of G.107 falls by 0.06: not ours to mend */
    for (double d = 1; d <= 10000; d += 1) {
        assert_true(emodel_id(d) >= before);
        before = emodel_id(d);
    }
}

/*
 * G.711 at 1 % without concealment: 95 * 1 / (1 + 4.3) = 17.9245; with it: 95 / 26.1 = 3.6398. G.729A at 2 %, BurstR 2:
 * 11 + 84 * 2 / (2 / 2 + 19) = 19.4.
 */
static void test_loss(void **state)
{
    (void)state;
    struct emodel_rating r;
    assert_true(emodel_rate(&(struct emodel_input){ codec("PCMA", 0, false), 1, 1, 0 }, &r));
    NEAR(r.ie_eff, 17.9245, 0.0001);
    NEAR(r.r, 93.206 - 17.9245, 0.002);
    NEAR(rate("PCMA", 1, 1, 0).ie_eff, 3.6398, 0.0001);
    NEAR(rate("G729", 2, 2, 0).ie_eff, 19.4, 1e-9);
    NEAR(rate("G729", 0, 1, 0).r, 82.2, 0.05);
    NEAR(rate("G723", 0, 1, 0).r, 78.2, 0.05);
    /* All lost, however it is said. */
    NEAR(rate("PCMU", 100, 0, 0).ie_eff, 95 * 100 / 125.1, 1e-9);
    NEAR(rate("PCMU", 4000, 1, 0).r, rate("PCMU", 100, 1, 0).r, 1e-12);
    NEAR(rate("PCMU", -3, 1, 0).r, rate("PCMU", 0, 1, 0).r, 1e-12);
    assert_true(rate("PCMU", 100, 100, 1e9).r == 0);
    assert_true(rate("PCMU", 100, 100, 1e9).mos == 1);
}

/* AMR-WB at 12.65 and G.722 at 64 kbit/s: Ie,WB 13, R = 116, on the scale of 100 89.92: MOS 4.33. */
static void test_wide(void **state)
{
    (void)state;
    struct emodel_rating r = rate("AMR-WB", 0, 1, 0);
    NEAR(r.r, 116, 1e-9);
    NEAR(r.mos, 1 + 0.035 * 89.9225 + 89.9225 * 29.9225 * 10.0775 * 7e-6, 0.0001);
    NEAR(rate("G722", 0, 1, 90).r, 116, 1e-9); /* no delay impairment up to 100 ms */
    NEAR(rate("G722", 0, 1, 200).r, 116 - 3.0444, 0.001);
    /* The best and the worst mode of AMR-WB: R 128 and 88. */
    assert_true(emodel_rate(&(struct emodel_input){ codec("AMR-WB", 23050, true), 0, 1, 0 }, &r));
    NEAR(r.mos, 4.49, 0.005);
    assert_true(emodel_rate(&(struct emodel_input){ codec("AMR-WB", 6600, true), 0, 1, 0 }, &r));
    NEAR(r.mos, 3.51, 0.005);
    assert_true(rate("opus", 0, 1, 0).mos > rate("AMR-WB", 0, 1, 0).mos);
    assert_true(rate("opus", 0, 1, 0).codec->ie_estimated);
}

static void test_codecs(void **state)
{
    (void)state;
    assert_null(codec("", 0, true));
    assert_null(codec("telephone-event", 0, true));
    assert_null(codec("PCM", 0, true));
    assert_null(codec("PCMUX", 0, true));
    assert_ptr_equal(codec("pcmu", 0, true), codec("G711U", 64000, true));
    assert_true(codec("PCMU", 0, false)->bpl == 4.3);
    assert_true(codec("G729", 0, false)->bpl == 19); /* has no row without */
    assert_int_equal(codec("AMR-WB", 0, true)->bit_rate, 12650);
    assert_int_equal(codec("amr-wb", 6600, true)->bit_rate, 6600);
    assert_int_equal(codec("AMR-WB", 7777, true)->bit_rate, 12650);
    assert_int_equal(codec("G722", 48000, true)->bit_rate, 48000);
    assert_int_equal(codec("G722", 0, true)->clock, 8000); /* RFC 3551 section 4.5.2 */
    for (size_t i = 0; emodel_codec_at(i) != NULL; i++) {
        const struct emodel_codec *c = emodel_codec_at(i);
        assert_true(c->ie >= 0 && c->ie < 95 && c->bpl > 0 && c->clock > 0 && c->source[0] != '\0');
        assert_ptr_equal(codec(c->name, c->bit_rate, c->plc == EMODEL_PLC_OWN), c);
    }
}

static void test_refused(void **state)
{
    (void)state;
    struct emodel_rating r = { .r = 7 };
    assert_false(emodel_rate(&(struct emodel_input){ NULL, 0, 1, 0 }, &r));
    assert_false(emodel_rate(&(struct emodel_input){ codec("PCMU", 0, true), (double)NAN, 1, 0 }, &r));
    assert_false(emodel_rate(&(struct emodel_input){ codec("PCMU", 0, true), 0, (double)NAN, 0 }, &r));
    assert_false(emodel_rate(&(struct emodel_input){ codec("PCMU", 0, true), 0, 1, (double)NAN }, &r));
    assert_true(r.r == 7);
}

/* More loss, more delay, longer bursts: never better. */
static void test_rating_falls(void **state)
{
    (void)state;
    uint64_t seed = 1;
    size_t rows = 0;
    while (emodel_codec_at(rows) != NULL)
        rows++;
    for (int i = 0; i < 20000; i++) {
        const struct emodel_codec *c = emodel_codec_at(prng_below(&seed, rows));
        struct emodel_rating a, b;
        struct emodel_input in = { c, (double)prng_below(&seed, 1000) / 10, 1 + (double)prng_below(&seed, 40) / 10,
                                   1 + (double)prng_below(&seed, 2000) };
        assert_non_null(c);
        assert_true(emodel_rate(&in, &a));
        size_t which = prng_below(&seed, 3);
        in.loss_pct += which == 0 ? (double)prng_below(&seed, 50) / 10 : 0;
        in.burst_ratio += which == 1 ? (double)prng_below(&seed, 50) / 10 : 0;
        in.delay_ms += which == 2 ? (double)prng_below(&seed, 500) : 0;
        assert_true(emodel_rate(&in, &b));
        assert_true(b.r <= a.r && b.mos <= a.mos);
        assert_true(a.mos >= 1 && a.mos <= 4.5 && a.r >= 0 && a.r <= 129);
    }
}

static void test_burst_ratio(void **state)
{
    (void)state;
    NEAR(emodel_burst_ratio(5, 1000, 5, 1000), 1, 1e-12); /* the same all over: random */
    /*
     * Half of the time 50 %, else nothing: mean 25 %; all losses in bursts, which come in runs of 2; random loss of 25
     * % in runs of 4/3. 2 / (4/3) = 1.5.
     */
    NEAR(emodel_burst_ratio(50, 1000, 0, 1000), 1.5, 1e-12);
    assert_true(emodel_burst_ratio(0, 0, 0, 0) == 1);
    assert_true(emodel_burst_ratio(100, 1, 0, 1) == 1);
    assert_true(emodel_burst_ratio((double)NAN, 1, 0, 1) == 1);
    assert_true(emodel_burst_ratio(50, 1, (double)NAN, 1) == 1);
}

/* ------------------------------------------------------------------------------------------------ streams */

#define T0 INT64_C(1700000000000000)
#define S  INT64_C(1000000)

static struct rtcp_block block(uint32_t seq, uint32_t lost, uint8_t fraction)
{
    return (struct rtcp_block){
        .ssrc = 7, .highest_seq = seq, .lost = lost & 0xffffff, .fraction_lost = fraction, .jitter = 80
    };
}

static struct rtp_interval feed(struct rtp_stream *s, struct rtcp_block b, int seconds)
{
    struct rtp_interval in;
    rtp_stream_report(s, &b, 8000, T0 + seconds * S, &in);
    return in;
}

/* 250 packets each 5 s, 25 of them lost: 10 % each time, whatever the sum is. */
static void test_interval(void **state)
{
    (void)state;
    struct rtp_stream s;
    rtp_stream_init(&s);
    struct rtp_interval in = feed(&s, block(1000, 500, 128), 0);
    assert_int_equal(in.odd, RTP_ODD_FIRST);
    assert_int_equal(in.known, RTP_KNOWN_LOSS | RTP_KNOWN_JITTER);
    NEAR(in.loss_pct, 50, 1e-12); /* what the report has; its 500 are of a time we did not see */
    for (int i = 1; i <= 10; i++) {
        in = feed(&s, block(1000 + 250 * (uint32_t)i, 500 + 25 * (uint32_t)i, 25), 5 * i);
        assert_int_equal(in.odd, 0);
        assert_int_equal(in.expected, 250);
        assert_int_equal(in.lost, 25);
        NEAR(in.loss_pct, 10, 1e-12);
        NEAR(in.jitter_ms, 10, 1e-12); /* 80 / 8000 Hz */
        NEAR(in.seconds, 5, 1e-9);
    }
    double pct;
    assert_true(rtp_stream_loss(&s, &pct));
    NEAR(pct, 10, 1e-12);
    assert_int_equal(s.expected, 2500);
    assert_int_equal(s.lost, 250);
    NEAR(s.loss_pct.max, 50, 1e-12);
    assert_int_equal(s.worst_loss_us, T0);
}

static void test_odd_counters(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        uint32_t seq0, lost0;
        uint32_t seq1, lost1;
        uint8_t fraction1;
        unsigned odd;
        uint32_t expected;
        int32_t lost;
        double pct;
    } cases[] = {
        { "lost wraps", 100, 0xffffff, 200, 0x000004, 13, 0, 100, 5, 5 },
        { "sequence wraps", 0xffffffd0, 0, 0x00000020, 8, 25, 0, 80, 8, 10 },
        { "16 bit wrap", 65500, 0, 64, 0, 0, RTP_ODD_WRAP16, 100, 0, 0 },
        { "duplicates", 1000, 0, 1100, (uint32_t)-100, 0, RTP_ODD_DUPLICATES, 100, -100, 0 },
        { "lost counter restarts", 1000, 900, 1100, 0, 26, RTP_ODD_COUNTER, 100, 0, 26 * 100 / 256.0 },
        { "more lost than sent", 1000, 0, 1010, 900, 255, RTP_ODD_COUNTER, 10, 0, 255 * 100 / 256.0 },
        { "saturated", 1000, 0x7fffff, 1100, 0x7fffff, 128, RTP_ODD_COUNTER, 100, 0, 50 },
        { "no packets", 1000, 7, 1000, 7, 3, RTP_ODD_IDLE, 0, 0, 0 },
        { "fraction of another interval", 1000, 0, 1100, 50, 10, RTP_ODD_FRACTION, 100, 50, 50 },
        { "restart far off", 1000, 5, 900000000, 0, 64, RTP_ODD_RESTART, 0, 0, 25 },
        /* cannot be told from a wrap of 16 bit; that counters and fraction differ is seen */
        { "restart below", 60000, 5, 12, 0, 64, RTP_ODD_WRAP16 | RTP_ODD_DUPLICATES | RTP_ODD_FRACTION, 5548, -5, 0 },
        { "restart further below", 40000, 5, 12, 0, 64, RTP_ODD_RESTART, 0, 0, 25 },
        { "late", 1000, 5, 900, 4, 0, RTP_ODD_LATE, 0, 0, 0 },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct rtp_stream s;
        rtp_stream_init(&s);
        (void)feed(&s, block(cases[i].seq0, cases[i].lost0, 0), 0);
        struct rtp_interval in = feed(&s, block(cases[i].seq1, cases[i].lost1, cases[i].fraction1), 5);
        if (in.odd != cases[i].odd || in.expected != cases[i].expected)
            print_message("%s: odd %u expected %u\n", cases[i].what, in.odd, in.expected);
        assert_int_equal(in.odd, cases[i].odd);
        assert_int_equal(in.expected, cases[i].expected);
        assert_int_equal(in.lost, cases[i].lost);
        NEAR(in.loss_pct, cases[i].pct, 1e-9);
    }
}

static void test_repeated_and_late(void **state)
{
    (void)state;
    struct rtp_stream s;
    rtp_stream_init(&s);
    (void)feed(&s, block(5000, 0, 0), 0);
    assert_int_equal(feed(&s, block(5000, 0, 0), 0).odd, RTP_ODD_REPEATED);
    (void)feed(&s, block(5250, 10, 10), 5);
    assert_int_equal(feed(&s, block(5000, 0, 0), 5).odd, RTP_ODD_LATE);
    assert_int_equal(feed(&s, block(5000, 0, 0), 5).odd, RTP_ODD_LATE); /* the late one by two taps */
    assert_int_equal(feed(&s, block(5500, 20, 10), 10).odd, 0);
    assert_int_equal(s.expected, 500);
    assert_int_equal(s.lost, 20);
    assert_int_equal(s.reports, 6);
    assert_int_equal(s.odd[1], 1);
    assert_int_equal(s.odd[2], 2);
    /* The sender starts again a little below: the first report seems late, the second shows it. */
    assert_int_equal(feed(&s, block(4000, 0, 0), 15).odd, RTP_ODD_LATE);
    assert_int_equal(feed(&s, block(4250, 0, 0), 20).odd, RTP_ODD_RESTART);
    assert_int_equal(feed(&s, block(4500, 25, 25), 25).lost, 25);
    assert_int_equal(s.expected, 750);
    assert_int_equal(s.lost, 45);
}

static void test_jitter(void **state)
{
    (void)state;
    struct rtp_stream s;
    struct rtp_interval in;
    struct rtcp_block b = block(1, 0, 0);
    b.jitter = 480;
    rtp_stream_init(&s);
    rtp_stream_report(&s, &b, 48000, T0, &in);
    NEAR(in.jitter_ms, 10, 1e-12);
    b.highest_seq = 2;
    rtp_stream_report(&s, &b, 0, T0 + S, &in);
    assert_true((in.known & RTP_KNOWN_JITTER) == 0 && (in.odd & RTP_ODD_NO_CLOCK) != 0);
    assert_int_equal(in.jitter_raw, 480);
    b.highest_seq = 3;
    b.jitter = UINT32_MAX;
    rtp_stream_report(&s, &b, 8000, T0 + 2 * S, &in);
    assert_true((in.known & RTP_KNOWN_JITTER) == 0 && (in.odd & RTP_ODD_JITTER_BAD) != 0);
    assert_int_equal(s.jitter_ms.count, 1);
}

/* RFC 3550 section 6.4.1, figure 2: arrival b710:8000, LSR b705:2000, DLSR 0005:4000: 6.125 s. */
static void test_rtt(void **state)
{
    (void)state;
    struct rtp_stream s;
    struct rtp_interval in;
    struct rtcp_block b = block(1, 0, 0);
    b.lsr = 0xb7052000;
    b.dlsr = 0x00054000;
    rtp_stream_init(&s);
    int64_t at = ((INT64_C(0xb44db710) - INT64_C(2208988800)) * 2 + 1) * 500000; /* NTP b44db710.80000000 */
    rtp_stream_report(&s, &b, 8000, at, &in);
    assert_int_equal(in.known & (RTP_KNOWN_RTT_NTP | RTP_KNOWN_RTT_TAP), RTP_KNOWN_RTT_NTP);
    NEAR(in.rtt_ms, 6125, 0.02);
    /* Clocks that differ: refused, not shown. */
    b.highest_seq++;
    rtp_stream_report(&s, &b, 8000, at - 7 * S, &in);
    assert_true((in.odd & RTP_ODD_RTT_BAD) != 0 && (in.known & RTP_KNOWN_RTT_NTP) == 0);
    b.highest_seq++;
    rtp_stream_report(&s, &b, 8000, at + 3600 * S, &in);
    assert_true((in.odd & RTP_ODD_RTT_BAD) != 0);
    /* With the SR seen by the same tap the clocks do not matter: 5.29 s behind it, 5.25 s of which the receiver had it.
     */
    struct rtcp_sender_info sr = { .ntp_sec = 0xb44db705, .ntp_fraction = 0x20000000 };
    rtp_stream_sent(&s, &sr, at + 3600 * S);
    rtp_stream_sent(&s, &sr, at + 3601 * S); /* a second tap */
    b.highest_seq++;
    rtp_stream_report(&s, &b, 8000, at + 3600 * S + 5290000, &in);
    assert_int_equal(in.known & (RTP_KNOWN_RTT_NTP | RTP_KNOWN_RTT_TAP), RTP_KNOWN_RTT_TAP);
    NEAR(in.rtt_ms, 40, 0.02);
    b.highest_seq++;
    b.lsr = 0; /* has not had one */
    rtp_stream_report(&s, &b, 8000, at + 3700 * S, &in);
    assert_int_equal(in.known & (RTP_KNOWN_RTT_NTP | RTP_KNOWN_RTT_TAP), 0);
    assert_int_equal(s.rtt_ms.count, 2);
}

/* A receiver with known losses and duplicates, counters of any start: what comes out is what was put in. */
static void test_random_receiver(void **state)
{
    (void)state;
    uint64_t seed = 42;
    for (int run = 0; run < 500; run++) {
        struct rtp_stream s;
        uint32_t seq = (uint32_t)prng_next(&seed);
        uint32_t lost = (uint32_t)prng_next(&seed);
        uint64_t expected = 0;
        int64_t net = 0;
        int at = 0;
        rtp_stream_init(&s);
        (void)feed(&s, block(seq, lost, 0), at);
        for (int i = 0; i < 50; i++) {
            uint32_t packets = 1 + (uint32_t)prng_below(&seed, 400);
            int32_t gone = (int32_t)prng_below(&seed, packets + 1);
            int32_t twice = (int32_t)prng_below(&seed, packets / 2 + 1);
            uint32_t next = lost + (uint32_t)(gone - twice);
            if ((next & 0xffffff) == 0x7fffff || (next & 0xffffff) == 0x800000)
                continue; /* stands for "saturated" */
            seq += packets;
            lost = next;
            at += 5;
            expected += packets;
            net += gone - twice;
            int part = gone > twice ? (gone - twice) * 256 / (int32_t)packets : 0;
            struct rtp_interval in = feed(&s, block(seq, lost, (uint8_t)(part > 255 ? 255 : part)), at);
            assert_int_equal(in.odd & ~(unsigned)RTP_ODD_DUPLICATES, 0);
            assert_int_equal(in.expected, packets);
            assert_int_equal(in.lost, gone - twice);
            assert_true(in.loss_pct >= 0 && in.loss_pct <= 100);
        }
        assert_int_equal(s.expected, expected);
        assert_int_equal(s.lost, net);
    }
}

/* Anything at all: figures stay within what they can be. */
static void test_random_blocks(void **state)
{
    (void)state;
    uint64_t seed = 43;
    struct rtp_stream s;
    rtp_stream_init(&s);
    for (int i = 0; i < 200000; i++) {
        struct rtcp_block b;
        struct rtp_interval in;
        prng_fill(&seed, (uint8_t *)&b, sizeof(b));
        if (prng_below(&seed, 2) == 0) { /* near the last one */
            b.highest_seq = s.last.highest_seq + (uint32_t)prng_below(&seed, 1000) - 100;
            b.lost = s.last.lost + (uint32_t)prng_below(&seed, 100);
        }
        int64_t at = prng_below(&seed, 4) == 0 ? (int64_t)prng_next(&seed) : T0 + i * S;
        rtp_stream_report(&s, &b, (uint32_t)prng_below(&seed, 3) * 8000, at, &in);
        assert_true(in.loss_pct >= 0 && in.loss_pct <= 100);
        assert_true(in.jitter_ms >= 0 && in.jitter_ms <= 60000);
        assert_true(in.rtt_ms >= 0 && in.rtt_ms <= 10000);
        assert_true(in.seconds >= 0 && in.odd < 4096);
        double pct;
        if (rtp_stream_loss(&s, &pct))
            assert_true(pct >= 0 && pct <= 100);
    }
    assert_int_equal(s.reports, 200000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mos_of_annex_b),
        cmocka_unit_test(test_mos_ends),
        cmocka_unit_test(test_presets),
        cmocka_unit_test(test_delay),
        cmocka_unit_test(test_loss),
        cmocka_unit_test(test_wide),
        cmocka_unit_test(test_codecs),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_rating_falls),
        cmocka_unit_test(test_burst_ratio),
        cmocka_unit_test(test_interval),
        cmocka_unit_test(test_odd_counters),
        cmocka_unit_test(test_repeated_and_late),
        cmocka_unit_test(test_jitter),
        cmocka_unit_test(test_rtt),
        cmocka_unit_test(test_random_receiver),
        cmocka_unit_test(test_random_blocks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
