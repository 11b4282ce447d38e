#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "capture/dissect.h"
#include "guard.h"
#include "prng.h"
#include "test_capture_build.h"

enum { ETHERNET = 1, RAW = 101 };

struct result {
    int dgrams;
    struct dgram last;
    uint8_t payload[70000];
    uint8_t stream[70000];
    size_t stream_len;
};

static struct result result;
static struct dissector *dissector;

static void on_udp(void *arg, const struct dgram *dgram)
{
    struct result *r = arg;
    r->dgrams++;
    r->last = *dgram;
    memcpy(r->payload, dgram->payload.ptr, dgram->payload.len);
}

static void on_data(void *arg, struct tcp_flow *flow, const uint8_t *data, size_t len, uint32_t sec, uint32_t usec)
{
    struct result *r = arg;
    (void)flow;
    (void)sec;
    (void)usec;
    assert_true(len <= sizeof(r->stream) - r->stream_len);
    memcpy(r->stream + r->stream_len, data, len);
    r->stream_len += len;
}

static int setup(void **state)
{
    (void)state;
    memset(&result, 0, sizeof(result));
    dissector = dissector_new(&(struct dissect_options){ .on_udp = on_udp,
                                                         .on_sctp = on_udp,
                                                         .udp_arg = &result,
                                                         .tcp_callbacks = { .on_data = on_data, .arg = &result } });
    return dissector != NULL ? 0 : -1;
}

/* Every test ends with the promise of dissect.h: the outcomes add up, by name as well. */
static int teardown(void **state)
{
    (void)state;
    uint64_t total = 0;
    uint64_t sum = 0;
    uint64_t value;
    const char *name;
    for (size_t i = 0; i < DISSECT_OUTCOME_COUNT; i++)
        sum += dissect_count(dissector, (enum dissect_outcome)i);
    bool good = sum == dissect_total(dissector);
    sum = 0;
    for (size_t i = 0; dissect_counter(dissector, i, &name, &value); i++) {
        total = i == 0 ? value : total;
        sum += i > 0 && i <= DISSECT_OUTCOME_COUNT ? value : 0;
        good = good && name != NULL;
    }
    good = good && sum == total && total == dissect_total(dissector);
    dissector_free(dissector);
    return good ? 0 : -1;
}

/* Hands a packet over that ends at a page nobody can read. */
static enum dissect_outcome feed(int linktype, const struct build *b, size_t captured)
{
    uint8_t *p = guard_copy(b->octets, captured);
    struct packet packet = { 1700000000, 123456, { p, captured }, b->len, linktype };
    enum dissect_outcome outcome = dissect_packet(dissector, &packet);
    guard_free(p, captured);
    return outcome;
}

static void make_udp(struct build *b, const char *text)
{
    b->len = 0;
    add_hex(b, "0a0b0c0d0e0f 010203040506 8100 0064 0800");
    add_ip4(b, 17, 1, 0, strlen(text) + 8);
    add_udp(b, strlen(text));
    add_octets(b, text, strlen(text));
}

static void test_udp(void **state)
{
    (void)state;
    struct build b;
    make_udp(&b, "hello");
    add_hex(&b, "000000000000"); /* padding of a short Ethernet frame */
    assert_int_equal(feed(ETHERNET, &b, b.len), DISSECT_UDP);
    const struct dgram *d = &result.last;
    assert_int_equal(d->sec, 1700000000);
    assert_int_equal(d->usec, 123456);
    assert_int_equal(d->src.len, 4);
    assert_int_equal(d->src.octets[3], 1);
    assert_int_equal(d->dst.octets[3], 2);
    assert_int_equal(d->src_port, 5060);
    assert_int_equal(d->dst_port, 5062);
    assert_int_equal(d->tos, 0xb8);
    assert_true(d->has_vlan);
    assert_int_equal(d->vlan, 100);
    assert_int_equal(d->src_mac, 0x010203040506);
    assert_int_equal(d->payload.len, 5);
    assert_memory_equal(result.payload, "hello", 5);
    assert_false(d->truncated);
}

/* Every length that the snap length can leave: a counted reason, or a datagram that says it is truncated. */
static void test_snap_lengths(void **state)
{
    (void)state;
    struct build b;
    make_udp(&b, "hello");
    for (size_t n = 0; n <= b.len; n++) {
        enum dissect_outcome expect = n <= 18                ? DISSECT_LINK_SHORT
                                      : n < 18 + 20          ? DISSECT_IP_SHORT
                                      : n < 18 + 20 + 8      ? DISSECT_UDP_SHORT
                                      : n < 18 + 20 + 8 + 5U ? DISSECT_UDP_CUT
                                                             : DISSECT_UDP;
        if (feed(ETHERNET, &b, n) != expect)
            fail_msg("%zu octets: not %s", n, dissect_outcome_name(expect));
        if (n >= 18 + 20 + 8) {
            assert_int_equal(result.last.truncated, n < b.len);
            assert_int_equal(result.last.payload.len, n - 46);
        }
    }
    assert_int_equal(result.dgrams, 6);
}

static void test_outcomes(void **state)
{
    (void)state;
    static const struct {
        const char *hex;
        int linktype;
        enum dissect_outcome expect;
    } cases[] = {
        { "0a0b0c0d0e0f 010203040506 0806 0001", ETHERNET, DISSECT_NOT_IP },
        { "45", 147, DISSECT_LINK_TYPE },
        { "45000014 00000000 4001 0000 c0000201 c0000202", RAW, DISSECT_OTHER_PROTOCOL },
        { "45000014 00000000 4084 0000 c0000201 c0000202", RAW, DISSECT_SCTP_SHORT },
        { "45000020 00000000 4084 0000 c0000201 c0000202 13c413c4 00000001 00000000", RAW, DISSECT_SCTP },
        { "45000022 00000000 4084 0000 c0000201 c0000202 13c413c4 00000001 00000000 0003", RAW, DISSECT_SCTP_SHORT },
        { "45000024 00000000 4084 0000 c0000201 c0000202 13c413c4 00000001 00000000 00030003", RAW,
          DISSECT_SCTP_CHUNK },
        { "45000024 00000000 4084 0000 c0000201 c0000202 13c413c4 00000001 00000000 00010010", RAW, DISSECT_SCTP_PART },
        { "45000024 00000000 4084 0000 c0000201 c0000202 13c413c4 00000001 00000000 00030010", RAW, DISSECT_SCTP },
        { "45000015 00000000 4011 0000 c0000201 c0000202", RAW, DISSECT_IP_TOTAL_LENGTH },
        { "42000014 00000000 4011 0000 c0000201 c0000202", RAW, DISSECT_IP_HEADER_LENGTH },
        { "50", 228, DISSECT_IP_VERSION },
        { "4500001b 00000000 4011 0000 c0000201 c0000202 13c413c40008 00", RAW, DISSECT_UDP_SHORT },
        { "4500001c 00000000 4011 0000 c0000201 c0000202 13c413c4000700 00", RAW, DISSECT_UDP_LENGTH },
        { "4500001c 00000000 4011 0000 c0000201 c0000202 13c413c4000900 00", RAW, DISSECT_UDP_LENGTH },
        { "4500001c 00000000 4011 0000 c0000201 c0000202 13c413c4000800 00", RAW, DISSECT_UDP },
        { "4500001c 00000000 4006 0000 c0000201 c0000202 13c413c400000000", RAW, DISSECT_TCP_SHORT },
        { "45000028 00000000 4006 0000 c0000201 c0000202 13c413c4 00000001 00000000 4010ffff 00000000", RAW,
          DISSECT_TCP_OFFSET },
        { "45000029 00000000 4006 0000 c0000201 c0000202 13c413c4 00000001 00000000 5010ffff 00000000 61", RAW,
          DISSECT_TCP },
        { "45000014 00000000 2006 0000 c0000201 c0000202", RAW, DISSECT_TCP_SHORT },
        { "45000014 00002000 2011 0000 c0000201 c0000202", RAW, DISSECT_FRAGMENT_DROPPED }, /* empty */
        { "60000000 0000 3b 40 00000000000000000000000000000001 00000000000000000000000000000002", RAW,
          DISSECT_OTHER_PROTOCOL },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct build b = { .len = 0 };
        add_hex(&b, cases[i].hex);
        enum dissect_outcome outcome = feed(cases[i].linktype, &b, b.len);
        if (outcome != cases[i].expect)
            fail_msg("case %zu: %s", i, dissect_outcome_name(outcome));
        assert_int_equal(dissect_total(dissector), i + 1);
    }
}

/* A SACK, two messages, the second cut by the snap length. */
static void test_sctp(void **state)
{
    (void)state;
    struct build b = { .len = 0 };
    add_hex(&b, "45000058 00000000 4084 0000 c0000201 c0000202 13c4 13c5 00000001 00000000"
                "03000010 00000001 0000ffff 0000 0000"
                "00030013 00000001 0000 0000 00000000 616263 00"
                "00070014 00000002 0000 0000 00000000 64656667");
    assert_int_equal(feed(RAW, &b, b.len), DISSECT_SCTP);
    assert_int_equal(result.dgrams, 2);
    assert_int_equal(result.last.protocol, 132);
    assert_int_equal(result.last.src_port, 5060);
    assert_int_equal(result.last.dst_port, 5061);
    assert_int_equal(result.last.payload.len, 4);
    assert_memory_equal(result.payload, "defg", 4);
    assert_int_equal(feed(RAW, &b, b.len - 1), DISSECT_SCTP_CUT);
    assert_true(result.last.truncated);
    assert_int_equal(result.last.payload.len, 3);
}

/* A SIP message of 3000 octets in three IPv6 fragments, last one first, behind destination options. */
static void test_fragments_v6(void **state)
{
    (void)state;
    static struct build whole;
    static const size_t cuts[] = { 0, 1232, 2464, 3024 };
    whole.len = 0;
    add_hex(&whole, "11 00 0000 0000 0000"); /* destination options, then UDP */
    add_udp(&whole, 3008);
    while (whole.len < 3024)
        add_number(&whole, whole.len, 1);
    for (size_t i = 3; i-- > 0;) {
        struct build b = { .len = 0 };
        size_t len = cuts[i + 1] - cuts[i];
        add_ip6(&b, 44, len + 8);
        add_hex(&b, "3c00");
        add_number(&b, cuts[i] | (i < 2), 2);
        add_number(&b, 77, 4);
        add_octets(&b, whole.octets + cuts[i], len);
        assert_int_equal(feed(RAW, &b, b.len), i > 0 ? DISSECT_FRAGMENT : DISSECT_UDP);
    }
    assert_int_equal(result.last.payload.len, 3008);
    assert_memory_equal(result.payload, whole.octets + 16, 3008);
    assert_int_equal(result.last.src.len, 16);
    assert_int_equal(dissect_defrag_stats(dissector)->completing, 1);
}

/* TCP in IPv4 fragments in a stream out of order: both reassemblies in a row. */
static void test_fragmented_tcp(void **state)
{
    (void)state;
    static const char *const text[] = { "OPTIONS sip:a SIP/2.0\r\n", "Call-ID: x\r\n\r\n" };
    struct build segment[2] = { { .len = 0 }, { .len = 0 } };
    add_tcp(&segment[0], 1, 0x02);
    segment[0].len = 0;
    add_tcp(&segment[0], 1, 0x02); /* with the SYN: sequence numbers of data start at 2 */
    add_octets(&segment[0], text[0], strlen(text[0]));
    add_tcp(&segment[1], 2 + (uint32_t)strlen(text[0]), 0x18);
    add_octets(&segment[1], text[1], strlen(text[1]));
    for (size_t i = 0; i < 2; i++) {
        struct build last = { .len = 0 };
        struct build first = { .len = 0 };
        add_ip4(&last, 6, (unsigned)i, 2, segment[i].len - 16);
        add_octets(&last, segment[i].octets + 16, segment[i].len - 16);
        add_ip4(&first, 6, (unsigned)i, 0x2000, 16);
        add_octets(&first, segment[i].octets, 16);
        assert_int_equal(feed(RAW, &last, last.len), DISSECT_FRAGMENT);
        assert_int_equal(feed(RAW, &last, last.len), DISSECT_FRAGMENT_DUPLICATE);
        assert_int_equal(feed(RAW, &first, first.len), DISSECT_TCP);
    }
    dissect_finish(dissector);
    assert_int_equal(result.stream_len, strlen(text[0]) + strlen(text[1]));
    assert_memory_equal(result.stream, "OPTIONS sip:a SIP/2.0\r\nCall-ID: x\r\n\r\n", result.stream_len);
}

static void test_tcp_cut(void **state)
{
    (void)state;
    struct build b = { .len = 0 };
    add_ip4(&b, 6, 1, 0, 30);
    add_tcp(&b, 1, 0x18);
    add_octets(&b, "0123456789", 10);
    assert_int_equal(feed(RAW, &b, b.len - 3), DISSECT_TCP_CUT);
    b.len = 0;
    add_ip4(&b, 6, 2, 0, 21);
    add_tcp(&b, 11, 0x18);
    add_octets(&b, "A", 1);
    assert_int_equal(feed(RAW, &b, b.len), DISSECT_TCP);
    dissect_finish(dissector);
    assert_memory_equal(result.stream, "0123456A", 8);
    assert_int_equal(dissect_tcp_stats(dissector)->gap_octets, 3);
}

/* Random damage: no crash, no read behind the end, and (teardown) every packet counted once. */
static void test_damage(void **state)
{
    (void)state;
    struct build good;
    uint64_t seed = 12;
    for (int round = 0; round < 30000; round++) {
        make_udp(&good, "hello world, this is a payload");
        if (round % 3 == 1) {
            good.len = 18;
            add_ip6(&good, 44, 40);
            add_hex(&good, "1100 0001 00000001");
            good.octets[16] = 0x86;
            good.octets[17] = 0xdd;
            good.len += 24;
        } else if (round % 3 == 2) {
            good.octets[18 + 9] = 6;
        }
        for (size_t i = prng_below(&seed, 4); i > 0; i--)
            good.octets[prng_below(&seed, good.len)] = (uint8_t)prng_next(&seed);
        (void)feed(ETHERNET, &good, prng_below(&seed, 5) == 0 ? prng_below(&seed, good.len + 1) : good.len);
    }
    dissect_finish(dissector);
    assert_int_equal(dissect_total(dissector), 30000);
    assert_true(dissect_count(dissector, DISSECT_UDP) > 1000);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_udp),          TEST(test_snap_lengths),   TEST(test_outcomes), TEST(test_sctp),
        TEST(test_fragments_v6), TEST(test_fragmented_tcp), TEST(test_tcp_cut),  TEST(test_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
