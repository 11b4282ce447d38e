/* What a receiver of RTP measures, against models and figures worked out by hand. */
#include <math.h>

#include "rtp/receiver.h"
#include "testlib.h"

static struct rtp_receiver r;

static void start(void)
{
    rtp_receiver_init(&r, 100);
}

/* Packet `n` of a stream of 20 ms at `clock`, which arrives `late_us` behind its time. */
static enum rtp_received take_at(unsigned n, uint32_t clock, int64_t late_us)
{
    const struct rtp_packet p = { .payload_type = 8,
                                  .seq = (uint16_t)n,
                                  .time = n * (clock / 50),
                                  .ssrc = 1,
                                  .payload = { (const uint8_t *)"", 160 } };
    return rtp_receiver_packet(&r, &p, INT64_C(1000000) + (int64_t)n * 20000 + late_us, clock, true);
}

static enum rtp_received take(unsigned n)
{
    return take_at(n, 8000, 0);
}

static uint64_t lost(void)
{
    return r.total.expected - r.total.received;
}

/* ------------------------------------------------------------------------------------------------ header */

static void test_packet(void **state)
{
    static const uint8_t plain[] = { 0x80, 0x88, 0x12, 0x34, 0, 0, 0, 160, 0xde, 0xad, 0xbe, 0xef, 1, 2, 3, 4 };
    uint8_t p[64] = { 0 };
    struct rtp_packet rtp;
    (void)state;
    assert_true(rtp_packet_read(plain, sizeof(plain), sizeof(plain), &rtp));
    assert_int_equal(rtp.payload_type, 8);
    assert_true(rtp.marker);
    assert_int_equal(rtp.seq, 0x1234);
    assert_int_equal(rtp.time, 160);
    assert_int_equal(rtp.ssrc, 0xdeadbeef);
    assert_int_equal(rtp.payload.len, 4);
    /* Two sources, an extension of two words, three octets of padding: eight octets of payload. */
    memcpy(p, plain, 12);
    p[0] = 0x80 | 0x20 | 0x10 | 2;
    p[23] = 2;
    p[42] = 3;
    assert_true(rtp_packet_read(p, 43, 43, &rtp));
    assert_int_equal(rtp.payload.len, 8);
    assert_ptr_equal(rtp.payload.ptr, p + 32);
    p[42] = 12; /* more padding than payload */
    assert_false(rtp_packet_read(p, 43, 43, &rtp));
    p[42] = 0;
    assert_false(rtp_packet_read(p, 43, 43, &rtp));
    /* Cut by a snap length: its padding is not there, and is not asked. */
    assert_true(rtp_packet_read(p, 34, 60, &rtp));
    assert_int_equal(rtp.payload.len, 2);
    /* The extension lies beyond what is there; beyond what there was. */
    p[23] = 9;
    assert_true(rtp_packet_read(p, 34, 80, &rtp));
    assert_int_equal(rtp.payload.len, 0);
    assert_false(rtp_packet_read(p, 43, 43, &rtp));
    for (size_t n = 0; n < 12; n++)
        assert_false(rtp_packet_read(plain, n, n, &rtp));
    /* RTCP shares the port (RFC 5761): its types are none of RTP. */
    for (unsigned type = 192; type <= 223; type++) {
        memcpy(p, plain, 12);
        p[1] = (uint8_t)type;
        assert_false(rtp_packet_read(p, 12, 12, &rtp));
    }
    p[0] = 0x40;
    p[1] = 8;
    assert_false(rtp_packet_read(p, 12, 12, &rtp));
}

static void test_event(void **state)
{
    struct rtp_event e;
    (void)state;
    assert_true(rtp_event_read((struct hep_slice){ (const uint8_t *)"\x05\x8a\x03\x20", 4 }, &e));
    assert_int_equal(e.event, 5);
    assert_true(e.end);
    assert_int_equal(e.volume, 10);
    assert_int_equal(e.duration, 800);
    assert_false(rtp_event_read((struct hep_slice){ (const uint8_t *)"\x05\x8a\x03", 3 }, &e));
}

/* ------------------------------------------------------------------------------------------------ sequence */

static void test_sequence(void **state)
{
    (void)state;
    start();
    for (unsigned n = 65530; n < 65550; n++) /* over the end of the numbers */
        if (n != 65540)
            assert_int_equal(take(n), RTP_RECEIVED);
    assert_int_equal(r.total.expected, 20);
    assert_int_equal(lost(), 1);
    assert_int_equal(take(65540), RTP_LATE); /* found again */
    assert_int_equal(lost(), 0);
    assert_int_equal(r.total.reordered, 1);
    assert_int_equal(take(65540), RTP_DUPLICATE);
    assert_int_equal(take(65549), RTP_DUPLICATE);
    assert_int_equal(r.total.duplicates, 2);
    assert_int_equal(r.total.received, 20);
    /* Before the first one: the stream began earlier than we thought. */
    assert_int_equal(take(65528), RTP_LATE);
    assert_int_equal(r.total.expected, 22);
    assert_int_equal(lost(), 1);
    /* One far off is a stray; two in a row are a new beginning. */
    assert_int_equal(take(65549 + 5000), RTP_STRAY);
    assert_int_equal(take(65550), RTP_RECEIVED);
    assert_int_equal(take(65549 + 20000), RTP_STRAY);
    assert_int_equal(take(65549 + 20001), RTP_RESTARTED);
    assert_int_equal(r.total.restarts, 1);
    assert_int_equal(r.total.stray, 2);
    assert_int_equal(lost(), 1);
}

/* Any loss, copies and order within the window: the sums are those of a list of numbers. */
static void test_sequence_model(void **state)
{
    static uint8_t seen[4000];
    (void)state;
    uint64_t seed = 7;
    for (unsigned round = 0; round < 40; round++) {
        unsigned order[4000], count = 0, highest = 0, first = 4000;
        uint64_t received = 0, copies = 0;
        start();
        memset(seen, 0, sizeof(seen));
        for (unsigned n = 0; n < COUNT_OF(order) && n < 3900; n++)
            if (n < 4 || prng_next(&seed) % 100 >= round)
                order[count++] = n;
        for (unsigned i = 4; i + 20 < count; i++) {
            unsigned j = i + (unsigned)(prng_next(&seed) % 8), swap = order[i];
            if (prng_next(&seed) % 10 == 0) {
                order[i] = order[j];
                order[j] = swap;
            }
        }
        for (unsigned i = 0; i < count; i++) {
            unsigned n = order[i];
            for (unsigned copy = 0; copy < 1 + (prng_next(&seed) % 50 == 0); copy++) {
                take(60000 + n);
                copies += seen[n];
                received += !seen[n];
                seen[n] = 1;
            }
            highest = n > highest ? n : highest;
            first = n < first ? n : first;
        }
        assert_int_equal(r.total.received, received);
        assert_int_equal(r.total.duplicates, copies);
        assert_int_equal(r.total.expected, highest - first + 1);
        rtp_receiver_finish(&r);
        assert_int_equal(r.total.lost, highest - first + 1 - received);
    }
}

/* ------------------------------------------------------------------------------------------------ time */

/* Every second packet is 8 ms late: each difference is 8 ms, and jitter goes to it as RFC 3550 A.8 says. */
static void test_jitter(void **state)
{
    static const uint32_t clocks[] = { 8000, 16000, 48000, 90000 };
    (void)state;
    for (size_t c = 0; c < COUNT_OF(clocks); c++) {
        double expect = 0, most = 0;
        start();
        for (unsigned n = 0; n < 200; n++) {
            take_at(n, clocks[c], n % 2 * 8000);
            if (n > 0)
                expect += (8000 - expect) / 16;
            most = expect > most ? expect : most;
            assert_true(fabs(r.jitter_us - expect) < 0.01);
        }
        assert_true(fabs(r.jitter_us - 8000) < 1);
        assert_true(fabs(r.spread.jitter_max - most) < 0.01);
        assert_int_equal(r.clock, clocks[c]);
        assert_false(r.clock_estimated);
        assert_int_equal(r.total.discarded, 0);
    }
}

static void test_no_jitter(void **state)
{
    (void)state;
    start();
    for (unsigned n = 0; n < 100; n++)
        if (n % 10 != 5) /* loss makes no jitter */
            take(n);
    assert_true(r.jitter_us < 1e-6);
    assert_true(r.spread.skew_max < 1e-6);
    assert_int_equal(lost(), 10);
}

/* Late packets beyond the buffer are thrown away by the listener; the whole stream later for good is not. */
static void test_discarded(void **state)
{
    (void)state;
    start();
    for (unsigned n = 0; n < 500; n++)
        take_at(n, 8000, n % 100 == 50 ? 130000 : 0);
    assert_int_equal(r.total.discarded, 5);
    start();
    for (unsigned n = 0; n < 3000; n++) {
        if (n % 500 == 499)
            rtp_receiver_mark(&r);
        take_at(n, 8000, n > 600 ? 150000 : 0);
    }
    assert_true(r.total.discarded < 1000);
}

/* A clock that nobody told is found from the packets. */
static void test_estimate(void **state)
{
    static const uint32_t clocks[] = { 8000, 16000, 48000, 90000 };
    (void)state;
    for (size_t c = 0; c < COUNT_OF(clocks); c++) {
        start();
        for (unsigned n = 0; n < 120; n++) {
            const struct rtp_packet p = { .payload_type = 97, .seq = (uint16_t)n, .time = n * (clocks[c] / 50) };
            rtp_receiver_packet(&r, &p, (int64_t)n * 20000 + (n % 3) * 1000, 0, true);
        }
        assert_int_equal(r.clock, clocks[c]);
        assert_true(r.clock_estimated);
        assert_true(r.jitter_us > 300 && r.jitter_us < 2500);
    }
}

/* RTP time that begins anew is no jitter of hours. */
static void test_time_jump(void **state)
{
    (void)state;
    start();
    for (unsigned n = 0; n < 100; n++) {
        const struct rtp_packet p = { .seq = (uint16_t)n, .time = n * 160 + (n >= 50 ? UINT32_C(0x70000000) : 0) };
        rtp_receiver_packet(&r, &p, (int64_t)n * 20000, 8000, true);
    }
    assert_int_equal(r.total.time_jumps, 1);
    assert_true(r.jitter_us < 1);
    /* Wrap of RTP time is none. */
    start();
    for (unsigned n = 0; n < 100; n++) {
        const struct rtp_packet p = { .seq = (uint16_t)n, .time = n * 160 - 8000u };
        rtp_receiver_packet(&r, &p, (int64_t)n * 20000, 8000, true);
    }
    assert_int_equal(r.total.time_jumps, 0);
    assert_true(r.jitter_us < 1);
}

/* ------------------------------------------------------------------------------------------------ bursts */

static void pattern(const char *text)
{
    start();
    for (unsigned n = 0; text[n] != '\0'; n++)
        if (text[n] == '1')
            take(n);
    rtp_receiver_finish(&r);
}

/* Lost alone, far from one another: no burst. Two runs close together: one. RFC 3611 section 4.7.2 and appendix A.2. */
static void test_bursts(void **state)
{
    char text[401];
    struct rtp_bursts b;
    (void)state;
    memset(text, '1', 400);
    text[400] = '\0';
    text[100] = text[200] = text[300] = '0';
    pattern(text);
    rtp_bursts_of(&r.total, 20, &b);
    assert_int_equal(r.total.lost, 3);
    assert_int_equal(r.total.runs, 3);
    assert_true(b.burst_loss_pct < 1e-9);
    assert_true(fabs(b.burst_ratio - 1) < 1e-9);
    /* 3 + 3 of ten packets: one burst; its mean run of 3 is nearly three times that of random loss. */
    memset(text + 200, '1', 101);
    text[100] = '1';
    memcpy(text + 150, "0001111000", 10);
    pattern(text);
    rtp_bursts_of(&r.total, 20, &b);
    assert_int_equal(r.total.lost, 6);
    assert_int_equal(r.total.runs, 2);
    assert_true(fabs(b.burst_ratio - 3 * 394.0 / 400) < 1e-9);
    assert_true(b.burst_loss_pct > 50 && b.burst_loss_pct < 75);
    assert_true(b.burst_ms > 150 && b.burst_ms < 250);
    assert_true(b.gap_loss_pct < 1e-9);
}

static void test_sums_since(void **state)
{
    (void)state;
    start();
    for (unsigned n = 0; n < 100; n++)
        if (n != 40)
            take(n);
    struct rtp_sums before = r.total;
    for (unsigned n = 100; n < 200; n++)
        if (n != 140 && n != 150)
            take(n);
    struct rtp_sums d = rtp_sums_since(&r.total, &before);
    assert_int_equal(d.expected, 100);
    assert_int_equal(d.received, 98);
    assert_int_equal(d.octets, 98 * 160);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_packet),         cmocka_unit_test(test_event),      cmocka_unit_test(test_sequence),
        cmocka_unit_test(test_sequence_model), cmocka_unit_test(test_jitter),     cmocka_unit_test(test_no_jitter),
        cmocka_unit_test(test_discarded),      cmocka_unit_test(test_estimate),   cmocka_unit_test(test_time_jump),
        cmocka_unit_test(test_bursts),         cmocka_unit_test(test_sums_since),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
