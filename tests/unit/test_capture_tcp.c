#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "capture/tcp.h"
#include "guard.h"
#include "prng.h"
#include "test_capture_build.h"

enum { FIN = 1, SYN = 2, RST = 4, ACK = 16 };

/* What the callbacks said about one flow: the octets with gaps as "<n>", then "!" and the reason of the end. */
struct seen {
    uint8_t data[1 << 20];
    size_t len;
    size_t gaps, gap_octets;
    int closed; /* times */
    enum tcp_close why;
    int user_freed;
    uint32_t last_sec;
    bool midstream;
};

static struct seen seen;

static void user_free(void *user)
{
    ((struct seen *)user)->user_freed++;
}

static void on_data(void *arg, struct tcp_flow *flow, const uint8_t *data, size_t len, uint32_t sec, uint32_t usec)
{
    struct seen *s = arg;
    (void)usec;
    assert_true(len > 0 && s->len + len <= sizeof(s->data));
    memcpy(s->data + s->len, data, len);
    s->len += len;
    s->last_sec = sec;
    s->midstream = flow->midstream;
    flow->user = s;
    flow->user_free = user_free;
}

static void on_gap(void *arg, struct tcp_flow *flow, size_t missing)
{
    struct seen *s = arg;
    (void)flow;
    s->gaps++;
    s->gap_octets += missing;
}

static void on_close(void *arg, struct tcp_flow *flow, enum tcp_close why)
{
    struct seen *s = arg;
    (void)flow;
    s->closed++;
    s->why = why;
}

static struct tcp *make(const struct tcp_options *options)
{
    memset(&seen, 0, sizeof(seen));
    struct tcp *t = tcp_new(options, &(struct tcp_callbacks){ on_data, on_gap, on_close, &seen });
    assert_non_null(t);
    return t;
}

static enum tcp_result add_at(struct tcp *t, uint32_t sec, uint8_t host, uint32_t seq, unsigned flags, const void *data,
                              size_t len)
{
    struct build *b = malloc(sizeof(*b));
    b->len = 0;
    add_tcp(b, seq, flags);
    add_octets(b, data, len);
    size_t n = b->len;
    uint8_t *p = guard_copy(b->octets, n);
    enum tcp_result result = tcp_add(
        t, &(struct tcp_input){
               .sec = sec, .src = { 4, { 10, 0, 0, host } }, .dst = { 4, { 10, 0, 1, 1 } }, .segment = { p, n } });
    guard_free(p, n);
    free(b);
    return result;
}

static void add(struct tcp *t, uint32_t seq, unsigned flags, const char *text)
{
    assert_int_equal(add_at(t, 100, 1, seq, flags, text, strlen(text)), TCP_OK);
}

static void assert_seen(const char *text)
{
    assert_int_equal(seen.len, strlen(text));
    assert_memory_equal(seen.data, text, seen.len);
}

static void test_in_order(void **state)
{
    (void)state;
    struct tcp *t = make(NULL);
    add(t, 999, SYN, "");
    add(t, 1000, ACK, "");
    add(t, 1000, ACK, "hello ");
    assert_seen("hello ");
    add(t, 1006, ACK, "world");
    assert_seen("hello world");
    assert_false(seen.midstream);
    add(t, 1011, ACK | FIN, "!");
    assert_seen("hello world!");
    assert_int_equal(seen.closed, 1);
    assert_int_equal(seen.why, TCP_CLOSE_FIN);
    assert_int_equal(seen.user_freed, 1);
    add(t, 1006, ACK, "world"); /* stragglers do not open anything */
    add(t, 1012, ACK, "");
    assert_seen("hello world!");
    tcp_finish(t);
    assert_int_equal(seen.closed, 1);
    assert_int_equal(tcp_stats(t)->flows, 1);
    tcp_free(t);
}

static void test_data_on_syn(void **state)
{
    (void)state;
    struct tcp *t = make(NULL);
    add(t, 999, SYN, "fast ");
    add(t, 999, SYN, "fast ");
    add(t, 1005, ACK, "open");
    assert_seen("fast open");
    tcp_free(t);
}

static void test_out_of_order(void **state)
{
    (void)state;
    struct tcp *t = make(NULL);
    add(t, 0xfffffffd, SYN, ""); /* the numbers wrap inside the first word */
    add(t, 4, ACK, "world");
    add(t, 1, ACK, "lo ");
    assert_seen("");
    assert_int_equal(tcp_stats(t)->out_of_order, 2);
    add(t, 0xfffffffe, ACK, "hel");
    assert_seen("hello world");
    assert_int_equal(tcp_octets(t), 0);
    assert_int_equal(seen.gaps, 0);
    tcp_free(t);
}

/* Where segments overlap, the octet that was captured first wins. */
static void test_overlap(void **state)
{
    (void)state;
    struct tcp *t = make(NULL);
    add(t, 0, SYN, "");
    add(t, 1, ACK, "ab");
    add(t, 1, ACK, "XYc");   /* ab is known */
    add(t, 7, ACK, "g");     /* held */
    add(t, 5, ACK, "efXhi"); /* around it */
    add(t, 9, ACK, "XXj");   /* behind it; i, at 9, is known */
    assert_seen("abc");
    add(t, 2, ACK, "YYdYYYYYYYk"); /* fills the hole, and brings one more */
    assert_seen("abcdefghiXjk");
    tcp_free(t);
}

static void test_midstream(void **state)
{
    (void)state;
    struct tcp *t = make(NULL);
    add(t, 500, ACK, ""); /* says nothing about a flow that is not known */
    assert_int_equal(tcp_flows(t), 0);
    add(t, 500, ACK, "abc");
    assert_seen("abc");
    assert_true(seen.midstream);
    assert_int_equal(tcp_stats(t)->flows_midstream, 1);
    add(t, 499, SYN, ""); /* its own SYN, late */
    assert_int_equal(seen.closed, 0);
    add(t, 503, ACK, "d");
    assert_seen("abcd");
    tcp_free(t);
}

static void test_reset_and_reopen(void **state)
{
    (void)state;
    struct tcp *t = make(NULL);
    add(t, 0, SYN, "");
    add(t, 1, ACK, "a");
    add(t, 4, ACK, "d");
    add(t, 2, RST, "");
    assert_seen("ad"); /* what was held comes out before the end, behind a gap */
    assert_int_equal(seen.gap_octets, 2);
    assert_int_equal(seen.why, TCP_CLOSE_RESET);
    add(t, 7000, SYN, "");
    add(t, 7001, ACK, "new");
    assert_seen("adnew");
    add(t, 90000, SYN, "");
    assert_int_equal(seen.closed, 2);
    assert_int_equal(seen.why, TCP_CLOSE_REOPEN);
    assert_int_equal(seen.user_freed, 2);
    add(t, 90001, ACK, "er");
    assert_seen("adnewer");
    tcp_finish(t);
    assert_int_equal(seen.closed, 3);
    assert_int_equal(seen.why, TCP_CLOSE_END);
    assert_int_equal(tcp_flows(t), 0);
    tcp_free(t);
}

/* Ports used again without a SYN being captured: the stream goes on at the new place instead of waiting for ever. */
static void test_jump(void **state)
{
    (void)state;
    struct tcp *t = make(NULL);
    add(t, 1000, ACK, "a");
    add(t, 0x80000000, ACK, "b");
    add(t, 0x80000001, ACK, "c");
    add(t, 5, ACK, "d");
    assert_seen("abcd");
    assert_int_equal(seen.gaps, 2);
    assert_int_equal(seen.gap_octets, 0); /* nobody knows how many */
    tcp_free(t);
}

static void test_gap_at_end(void **state)
{
    (void)state;
    struct tcp *t = make(NULL);
    add(t, 0, SYN, "");
    add(t, 1, ACK, "ab");
    add(t, 5, ACK, "ef");
    add(t, 9, ACK | FIN, "ij");
    assert_seen("ab");
    tcp_finish(t);
    assert_seen("abefij");
    assert_int_equal(seen.gaps, 2);
    assert_int_equal(seen.gap_octets, 4);
    assert_int_equal(tcp_stats(t)->limit_gaps, 0);
    tcp_free(t);
}

/* A missing segment is waited for by packet time, also if its own flow has fallen silent. */
static void test_gap_by_time(void **state)
{
    (void)state;
    struct tcp *t = make(&(struct tcp_options){ .max_hold = 5 });
    (void)add_at(t, 100, 1, 1, ACK, "ab", 2);
    (void)add_at(t, 101, 1, 5, ACK, "ef", 2);
    (void)add_at(t, 106, 2, 1, SYN, "", 0);
    assert_seen("ab");
    (void)add_at(t, 107, 2, 2, ACK, "", 0);
    assert_seen("abef");
    assert_int_equal(seen.last_sec, 101); /* the time of its own capture */
    assert_int_equal(seen.gap_octets, 2);
    assert_int_equal(tcp_stats(t)->limit_gaps, 1);
    tcp_free(t);
}

static void test_idle_and_eviction(void **state)
{
    (void)state;
    struct tcp *t = make(&(struct tcp_options){ .max_flows = 4, .max_idle = 60 });
    (void)add_at(t, 100, 1, 1, ACK, "a", 1);
    (void)add_at(t, 160, 2, 1, ACK, "b", 1);
    assert_int_equal(seen.closed, 0);
    (void)add_at(t, 161, 2, 2, ACK, "c", 1);
    assert_int_equal(seen.closed, 1);
    assert_int_equal(seen.why, TCP_CLOSE_IDLE);
    for (uint8_t host = 3; host <= 6; host++)
        (void)add_at(t, 161, host, 1, ACK, "d", 1);
    assert_int_equal(tcp_flows(t), 4);
    assert_int_equal(seen.closed, 2);
    assert_int_equal(seen.why, TCP_CLOSE_EVICTED);
    assert_int_equal(tcp_stats(t)->flows_evicted, 1);
    tcp_free(t);
    assert_int_equal(seen.closed, 2); /* tcp_free() is silent */
    assert_int_equal(seen.user_freed, 6);
    tcp_free(NULL);
}

static void test_headers(void **state)
{
    (void)state;
    static const struct {
        const char *hex;
        enum tcp_result expect;
    } cases[] = {
        { "13c413c6 00000001 00000000 5010 ffff 0000 0000", TCP_OK },
        { "13c413c6 00000001 00000000 6010 ffff 0000 0000 01010101 61", TCP_OK },
        { "13c413c6 00000001 00000000 6010 ffff 0000 0000 010101", TCP_SHORT },
        { "13c413c6 00000001 00000000 4010 ffff 0000 0000", TCP_OFFSET },
        { "13c413c6 00000001 00000000 f010 ffff 0000 0000", TCP_SHORT },
        { "13c413c6 00000001 00000000 5010 ffff 0000 00", TCP_SHORT },
        { "", TCP_SHORT },
    };
    struct tcp *t = make(NULL);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct build b = { .len = 0 };
        add_hex(&b, cases[i].hex);
        uint8_t *p = guard_copy(b.octets, b.len);
        assert_int_equal(tcp_add(t, &(struct tcp_input){ .segment = { p, b.len } }), cases[i].expect);
        guard_free(p, b.len);
    }
    assert_seen("a"); /* options are not data */
    tcp_free(t);
}

static void assert_octets_add_up(const struct tcp *t)
{
    const struct tcp_stats *s = tcp_stats(t);
    assert_int_equal(s->octets, s->delivered_octets + s->retransmitted_octets + s->dropped_octets);
}

/*
 * The property: whatever the order of the segments, however they overlap and repeat, the stream comes out, once. The
 * sequence numbers wrap in it.
 */
static void test_random_order(void **state)
{
    (void)state;
    enum { TOTAL = 20000, SEGMENTS = 400 };
    static uint8_t stream[TOTAL];
    uint64_t seed = 5;
    prng_fill(&seed, stream, TOTAL);
    for (int round = 0; round < 60; round++) {
        struct tcp *t = make(NULL);
        uint32_t isn = round % 2 ? (uint32_t)prng_next(&seed) : UINT32_MAX - (uint32_t)prng_below(&seed, TOTAL);
        size_t start[SEGMENTS];
        size_t len[SEGMENTS];
        size_t order[SEGMENTS];
        for (size_t i = 0; i < SEGMENTS; i++) { /* the first hundred cover all of it, the others anything */
            start[i] = i < 100 ? i * (TOTAL / 100) : prng_below(&seed, TOTAL);
            len[i] = i < 100 ? TOTAL / 100 : 1 + prng_below(&seed, 600);
            len[i] = start[i] + len[i] > TOTAL ? TOTAL - start[i] : len[i];
        }
        prng_shuffle(&seed, order, SEGMENTS);
        (void)add_at(t, 1, 1, isn, SYN, "", 0);
        for (size_t i = 0; i < SEGMENTS; i++) {
            size_t k = order[i];
            assert_int_equal(add_at(t, 1, 1, isn + 1 + (uint32_t)start[k], ACK, stream + start[k], len[k]), TCP_OK);
        }
        assert_int_equal(seen.len, TOTAL);
        assert_memory_equal(seen.data, stream, TOTAL);
        assert_int_equal(seen.gaps, 0);
        assert_int_equal(tcp_octets(t), 0);
        assert_octets_add_up(t);
        (void)add_at(t, 1, 1, isn + 1 + TOTAL, ACK | FIN, "", 0);
        assert_int_equal(seen.why, TCP_CLOSE_FIN);
        assert_int_equal(seen.closed, 1);
        tcp_free(t);
    }
}

/* With segments lost: everything that was captured comes out, in order, and the gaps are what was lost. */
static void test_random_loss(void **state)
{
    (void)state;
    enum { SEGMENTS = 300, SIZE = 50 };
    static uint8_t stream[SEGMENTS * SIZE];
    static uint8_t expect[SEGMENTS * SIZE];
    uint64_t seed = 6;
    prng_fill(&seed, stream, sizeof(stream));
    for (int round = 0; round < 100; round++) {
        struct tcp *t = make(NULL);
        size_t order[SEGMENTS];
        bool lost[SEGMENTS];
        size_t n = 0;
        size_t lost_inside = 0;
        size_t pending = 0;
        for (size_t i = 0; i < SEGMENTS; i++) {
            lost[i] = prng_below(&seed, 10) == 0;
            pending += lost[i] ? SIZE : 0;
            if (lost[i])
                continue;
            lost_inside += pending;
            pending = 0;
            memcpy(expect + n, stream + i * SIZE, SIZE);
            n += SIZE;
        }
        prng_shuffle(&seed, order, SEGMENTS);
        (void)add_at(t, 1, 1, 0, SYN, "", 0);
        for (size_t i = 0; i < SEGMENTS; i++) {
            uint32_t seq = 1 + (uint32_t)(order[i] * SIZE);
            if (!lost[order[i]])
                (void)add_at(t, 1, 1, seq, ACK, stream + order[i] * SIZE, SIZE);
        }
        tcp_finish(t);
        assert_int_equal(seen.len, n);
        assert_memory_equal(seen.data, expect, n);
        assert_int_equal(seen.gap_octets, lost_inside);
        assert_octets_add_up(t);
        tcp_free(t);
    }
}

/* Small limits and segments far ahead of what is missing: memory stays bounded, and nothing captured is lost. */
static void test_limits(void **state)
{
    (void)state;
    enum { FLOW = 4096, ALL = 20000, HOSTS = 20 };
    static const uint8_t data[300] = { 0 };
    struct tcp *t = make(&(struct tcp_options){ .max_flow_octets = FLOW, .max_octets = ALL });
    uint64_t seed = 8;
    uint64_t sent = 0;
    for (uint8_t host = 0; host < HOSTS; host++)
        (void)add_at(t, 1, host, 0, SYN, "", 0);
    for (uint32_t i = 0; i < 2000; i++) {
        size_t len = 1 + prng_below(&seed, sizeof(data));
        (void)add_at(t, 1, (uint8_t)prng_below(&seed, HOSTS), 2 + i * 400, ACK, data, len);
        sent += len;
        assert_in_range(tcp_octets(t), 0, ALL);
    }
    assert_true(tcp_stats(t)->limit_gaps > 0);
    tcp_finish(t);
    assert_int_equal(tcp_octets(t), 0);
    assert_int_equal(tcp_stats(t)->delivered_octets, sent);
    assert_int_equal(seen.gap_octets, tcp_stats(t)->gap_octets);
    tcp_free(t);

    t = make(&(struct tcp_options){ .max_flow_octets = FLOW });
    (void)add_at(t, 1, 1, 0, SYN, "", 0);
    for (uint32_t i = 0; i < 5000; i++) { /* one octet at a time, every other missing */
        (void)add_at(t, 1, 1, 3 + 2 * i, ACK, data, 1);
        assert_in_range(tcp_octets(t), 0, FLOW);
    }
    assert_true(tcp_stats(t)->limit_gaps > 0);
    tcp_free(t);
}

/* Segments with any numbers and flags: the octets still add up, and the memory stays bounded. */
static void test_noise(void **state)
{
    (void)state;
    static const uint8_t data[100] = { 0 };
    struct tcp *t = make(&(struct tcp_options){ .max_flows = 8, .max_flow_octets = 2000, .max_octets = 6000 });
    uint64_t seed = 9;
    for (uint32_t i = 0; i < 200000; i++) {
        uint32_t seq = (uint32_t)prng_below(&seed, prng_below(&seed, 50) == 0 ? UINT32_MAX : 3000);
        unsigned flags = (unsigned)prng_below(&seed, 40);
        flags = flags > 7 ? ACK : flags;
        (void)add_at(t, i / 100, (uint8_t)prng_below(&seed, 12), seq, flags, data, prng_below(&seed, sizeof(data)));
        assert_in_range(tcp_octets(t), 0, 6000);
        seen.len = 0;
    }
    tcp_finish(t);
    assert_octets_add_up(t);
    assert_int_equal(seen.closed, tcp_stats(t)->flows);
    tcp_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_in_order),
        cmocka_unit_test(test_data_on_syn),
        cmocka_unit_test(test_out_of_order),
        cmocka_unit_test(test_overlap),
        cmocka_unit_test(test_midstream),
        cmocka_unit_test(test_reset_and_reopen),
        cmocka_unit_test(test_jump),
        cmocka_unit_test(test_gap_at_end),
        cmocka_unit_test(test_gap_by_time),
        cmocka_unit_test(test_headers),
        cmocka_unit_test(test_idle_and_eviction),
        cmocka_unit_test(test_random_order),
        cmocka_unit_test(test_random_loss),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_noise),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
