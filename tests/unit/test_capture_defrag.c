#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "capture/defrag.h"
#include "guard.h"
#include "prng.h"

enum { V4 = 4, V6 = 16 };

static uint8_t content[65535];

/* Fragment [start, end) of `content`, which ends at `total`. */
static struct ip_packet fragment(uint8_t family, uint32_t id, size_t start, size_t end, size_t total)
{
    return (struct ip_packet){
        .src = { family, { 10, 0, 0, 1 } },
        .dst = { family, { 10, 0, 0, 2 } },
        .protocol = 17,
        .payload = { content + start, end - start },
        .fragment = true,
        .more = end < total,
        .id = id,
        .frag_offset = (uint32_t)start,
    };
}

static enum defrag_result add(struct defrag *d, struct ip_packet frag, uint32_t now, struct ip_packet *ret)
{
    uint8_t *copy = guard_copy(frag.payload.ptr, frag.payload.len);
    frag.payload.ptr = copy;
    enum defrag_result result = defrag_add(d, &frag, now, ret);
    guard_free(copy, frag.payload.len);
    return result;
}

static void assert_whole(const struct ip_packet *p, size_t total)
{
    assert_int_equal(p->payload.len, total);
    assert_memory_equal(p->payload.ptr, content, total);
    assert_false(p->fragment);
    assert_int_equal(p->protocol, 17);
}

static int setup(void **state)
{
    (void)state;
    uint64_t seed = 42;
    prng_fill(&seed, content, sizeof(content));
    return 0;
}

/* Five fragments in all 120 orders, each order with every fragment sent twice as well. */
static void all_orders(uint8_t family, bool twice)
{
    static const size_t cuts[] = { 0, 8, 24, 1000, 1008, 1013 };
    struct defrag *d = defrag_new(NULL);
    for (uint32_t order = 0; order < 120; order++) {
        size_t index[5] = { 0, 1, 2, 3, 4 };
        uint32_t rest = order;
        for (size_t n = 5; n > 1; n--) {
            size_t j = rest % n;
            rest /= (uint32_t)n;
            size_t swap = index[n - 1];
            index[n - 1] = index[j];
            index[j] = swap;
        }
        struct ip_packet whole;
        for (size_t i = 0; i < 5; i++) {
            size_t k = index[i];
            struct ip_packet f = fragment(family, order, cuts[k], cuts[k + 1], cuts[5]);
            assert_int_equal(add(d, f, 100, &whole), i < 4 ? DEFRAG_HELD : DEFRAG_DONE);
            if (i == 4)
                assert_whole(&whole, cuts[5]);
            struct ip_packet ignored;
            if (twice)
                assert_int_equal(add(d, f, 100, &ignored), DEFRAG_DUPLICATE);
        }
    }
    const struct defrag_stats *s = defrag_stats(d);
    assert_int_equal(s->completing, 120);
    assert_int_equal(s->held, 480);
    assert_int_equal(s->duplicate, twice ? 600 : 0);
    assert_int_equal(defrag_octets(d), 0);
    assert_int_equal(defrag_datagrams(d), 0);
    defrag_free(d);
}

static void test_all_orders(void **state)
{
    (void)state;
    all_orders(V4, false);
    all_orders(V6, false);
    all_orders(V4, true);
    all_orders(V6, true);
}

/* Datagrams of random size in random fragments, several interleaved, in random order. */
static void test_random(void **state)
{
    (void)state;
    struct defrag *d = defrag_new(NULL);
    uint64_t seed = 3;
    for (uint32_t round = 0; round < 200; round++) {
        enum { DATAGRAMS = 4, PARTS = 64 };
        struct ip_packet frags[DATAGRAMS * PARTS];
        size_t totals[DATAGRAMS];
        size_t n = 0;
        for (uint32_t g = 0; g < DATAGRAMS; g++) {
            totals[g] = 9 + prng_below(&seed, 60000);
            size_t parts = 1;
            for (size_t at = 0; at < totals[g]; parts++) {
                size_t left = totals[g] - at;
                size_t len = 8 * (1 + prng_below(&seed, left / 8 + 1));
                len = len >= left || parts == PARTS ? left : len;
                len = len == totals[g] ? 8 : len; /* at least two */
                frags[n++] = fragment(round % 2 ? V4 : V6, round * DATAGRAMS + g, at, at + len, totals[g]);
                at += len;
            }
        }
        size_t order[DATAGRAMS * PARTS];
        size_t done = 0;
        prng_shuffle(&seed, order, n);
        for (size_t i = 0; i < n; i++) {
            struct ip_packet whole;
            enum defrag_result result = add(d, frags[order[i]], round, &whole);
            assert_true(result == DEFRAG_HELD || result == DEFRAG_DONE);
            if (result == DEFRAG_DONE)
                assert_whole(&whole, totals[whole.id % DATAGRAMS]);
            done += result == DEFRAG_DONE;
        }
        assert_int_equal(done, DATAGRAMS);
        assert_int_equal(defrag_octets(d), 0);
    }
    defrag_free(d);
}

static void test_largest(void **state)
{
    (void)state;
    struct defrag *d = defrag_new(NULL);
    struct ip_packet whole;
    assert_int_equal(add(d, fragment(V4, 1, 65528, 65535, 65535), 0, &whole), DEFRAG_HELD);
    assert_int_equal(add(d, fragment(V4, 1, 0, 65528, 65535), 0, &whole), DEFRAG_DONE);
    assert_whole(&whole, 65535);
    struct ip_packet beyond = fragment(V4, 2, 65528, 65535, 65535);
    beyond.payload = (struct hep_slice){ content, 8 }; /* ends at 65536: the "ping of death" */
    assert_int_equal(add(d, beyond, 0, &whole), DEFRAG_DROPPED);
    assert_int_equal(defrag_stats(d)->dropped_malformed, 1);
    defrag_free(d);
}

static void test_malformed(void **state)
{
    (void)state;
    struct defrag *d = defrag_new(NULL);
    struct ip_packet whole;
    assert_int_equal(add(d, fragment(V4, 1, 0, 0, 100), 0, &whole), DEFRAG_DROPPED); /* empty */
    assert_int_equal(add(d, fragment(V4, 1, 0, 9, 100), 0, &whole), DEFRAG_DROPPED); /* 9 octets, more to come */
    assert_int_equal(defrag_octets(d), 0);
    /* two ends that contradict each other, and a fragment beyond the end */
    assert_int_equal(add(d, fragment(V4, 2, 16, 24, 24), 0, &whole), DEFRAG_HELD);
    assert_int_equal(add(d, fragment(V4, 2, 24, 32, 32), 0, &whole), DEFRAG_DROPPED);
    assert_int_equal(add(d, fragment(V4, 3, 16, 24, 24), 0, &whole), DEFRAG_HELD);
    assert_int_equal(add(d, fragment(V4, 3, 24, 32, 99), 0, &whole), DEFRAG_DROPPED);
    assert_int_equal(add(d, fragment(V4, 4, 24, 32, 99), 0, &whole), DEFRAG_HELD);
    assert_int_equal(add(d, fragment(V4, 4, 8, 16, 16), 0, &whole), DEFRAG_DROPPED);
    struct ip_packet cut = fragment(V4, 5, 0, 8, 99);
    cut.missing = 8;
    assert_int_equal(add(d, cut, 0, &whole), DEFRAG_DROPPED);
    assert_int_equal(defrag_stats(d)->dropped_malformed, 5);
    assert_int_equal(defrag_stats(d)->dropped_cut, 1);
    assert_int_equal(defrag_octets(d), 0);
    defrag_free(d);
}

static void test_overlap(void **state)
{
    (void)state;
    static const uint8_t evil[64] = "not what was sent before";
    for (int family = V4; family <= V6; family += V6 - V4) {
        struct defrag *d = defrag_new(NULL);
        struct ip_packet whole;
        uint8_t f = (uint8_t)family;
        struct ip_packet other = fragment(f, 1, 8, 24, 40);
        other.payload.ptr = evil;
        assert_int_equal(add(d, fragment(f, 1, 0, 16, 40), 0, &whole), DEFRAG_HELD);
        assert_int_equal(add(d, other, 0, &whole), DEFRAG_DROPPED);
        /* the rest does not make a datagram of it, either */
        assert_int_equal(add(d, fragment(f, 1, 0, 16, 40), 0, &whole), DEFRAG_DROPPED);
        assert_int_equal(add(d, fragment(f, 1, 16, 40, 40), 0, &whole), DEFRAG_DROPPED);
        assert_int_equal(defrag_stats(d)->dropped_overlap, 3);
        assert_int_equal(defrag_octets(d), 0);

        /* same octets, other cut: fine in IPv4, an attack in IPv6 (RFC 5722) */
        assert_int_equal(add(d, fragment(f, 2, 0, 16, 40), 0, &whole), DEFRAG_HELD);
        assert_int_equal(add(d, fragment(f, 2, 8, 24, 40), 0, &whole), f == V4 ? DEFRAG_HELD : DEFRAG_DROPPED);
        assert_int_equal(add(d, fragment(f, 2, 16, 40, 40), 0, &whole), f == V4 ? DEFRAG_DONE : DEFRAG_DROPPED);
        if (f == V4)
            assert_whole(&whole, 40);
        defrag_free(d);
    }
}

/* Random overlapping pieces of IPv4 datagrams with the same content always give the content. */
static void test_overlap_random(void **state)
{
    (void)state;
    uint64_t seed = 11;
    for (uint32_t id = 0; id < 300; id++) {
        struct defrag *d = defrag_new(NULL);
        size_t total = 16 + prng_below(&seed, 2000);
        struct ip_packet whole;
        enum defrag_result result = DEFRAG_HELD;
        for (int i = 0; result != DEFRAG_DONE; i++) {
            assert_true(i < 100000);
            size_t start = 8 * prng_below(&seed, total / 8);
            size_t end = start + 8 * (1 + prng_below(&seed, 20));
            end = end < total ? end : total;
            if (end - start == total)
                continue;
            result = add(d, fragment(V4, id, start, end, total), 0, &whole);
            assert_int_not_equal(result, DEFRAG_DROPPED);
        }
        assert_whole(&whole, total);
        defrag_free(d);
    }
}

/* Same identification, other sender, receiver or protocol: other datagrams. */
static void test_keys(void **state)
{
    (void)state;
    struct defrag *d = defrag_new(NULL);
    struct ip_packet whole;
    assert_int_equal(add(d, fragment(V4, 1, 0, 8, 16), 0, &whole), DEFRAG_HELD);
    struct ip_packet other = fragment(V4, 1, 8, 16, 16);
    other.src.octets[3]++;
    assert_int_equal(add(d, other, 0, &whole), DEFRAG_HELD);
    other = fragment(V4, 1, 8, 16, 16);
    other.dst.octets[3]++;
    assert_int_equal(add(d, other, 0, &whole), DEFRAG_HELD);
    other = fragment(V4, 1, 8, 16, 16);
    other.protocol = 6;
    assert_int_equal(add(d, other, 0, &whole), DEFRAG_HELD);
    assert_int_equal(add(d, fragment(V6, 1, 8, 16, 16), 0, &whole), DEFRAG_HELD);
    assert_int_equal(defrag_datagrams(d), 5);
    assert_int_equal(add(d, fragment(V4, 1, 8, 16, 16), 0, &whole), DEFRAG_DONE);
    /* IPv6: the protocol is that of the first fragment, whatever the others say */
    other = fragment(V6, 1, 8, 16, 16);
    other.protocol = 6;
    assert_int_equal(add(d, other, 0, &whole), DEFRAG_DUPLICATE);
    assert_int_equal(add(d, fragment(V6, 1, 0, 8, 16), 0, &whole), DEFRAG_DONE);
    assert_whole(&whole, 16);
    defrag_free(d);
}

static void test_age_and_reuse(void **state)
{
    (void)state;
    struct defrag *d = defrag_new(&(struct defrag_options){ .max_age = 10 });
    struct ip_packet whole;
    assert_int_equal(add(d, fragment(V4, 1, 0, 8, 16), 100, &whole), DEFRAG_HELD);
    /* after the age the other half belongs to a new datagram with the same identification */
    assert_int_equal(add(d, fragment(V4, 1, 8, 16, 16), 111, &whole), DEFRAG_HELD);
    assert_int_equal(defrag_stats(d)->gave_up_age, 1);
    assert_int_equal(add(d, fragment(V4, 1, 0, 8, 16), 112, &whole), DEFRAG_DONE);
    /* copies within a second are copies, later the identification is in use again */
    assert_int_equal(add(d, fragment(V4, 1, 0, 8, 16), 113, &whole), DEFRAG_DUPLICATE);
    assert_int_equal(add(d, fragment(V4, 1, 0, 8, 16), 114, &whole), DEFRAG_HELD);
    assert_int_equal(add(d, fragment(V4, 1, 8, 16, 16), 114, &whole), DEFRAG_DONE);
    assert_int_equal(defrag_stats(d)->gave_up_age, 1); /* whole datagrams do not count as given up */
    defrag_free(d);
}

/* Fragments that never become whole: memory stays within the limits, and all is counted. */
static void test_limits(void **state)
{
    (void)state;
    enum { MAX_OCTETS = 512 << 10, SENT = 5000 };
    struct defrag *d = defrag_new(&(struct defrag_options){ .max_datagrams = 100, .max_octets = MAX_OCTETS });
    struct ip_packet whole;
    for (uint32_t id = 0; id < SENT; id++) {
        size_t len = id < SENT / 2 ? 8 : 32000; /* first many, then large */
        assert_int_equal(add(d, fragment(V4, id, 0, len, 65535), 0, &whole), DEFRAG_HELD);
        assert_in_range(defrag_octets(d), 1, MAX_OCTETS);
        assert_in_range(defrag_datagrams(d), 1, 100);
    }
    assert_int_equal(defrag_stats(d)->gave_up_limit + defrag_datagrams(d), SENT);
    /* one datagram in tiny pieces */
    for (size_t at = 0; at + 16 <= 65528; at += 16)
        (void)add(d, fragment(V4, SENT, at, at + 8, 65535), 0, &whole);
    assert_true(defrag_stats(d)->dropped_memory > 0);
    assert_in_range(defrag_octets(d), 0, MAX_OCTETS);
    defrag_free(d);
    defrag_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_orders), cmocka_unit_test(test_random),  cmocka_unit_test(test_largest),
        cmocka_unit_test(test_malformed),  cmocka_unit_test(test_overlap), cmocka_unit_test(test_overlap_random),
        cmocka_unit_test(test_keys),       cmocka_unit_test(test_limits),  cmocka_unit_test(test_age_and_reuse),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
