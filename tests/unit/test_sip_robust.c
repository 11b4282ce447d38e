/* Cut, damaged and random messages: nothing is read outside, nothing handed out points outside, nothing depends on
 * luck. */
#include "testlib.h"

#include "guard.h"
#include "sip/msg.h"
#include "sip/sdp.h"
#include "sip_check.h"
#include "sip_samples.h"

/* Parses twice into memory with different dirt in it. */
static void parse_and_check(const uint8_t *p, size_t n)
{
    static struct sip_msg a, b;
    static struct sdp sdp;
    struct hep_slice body;
    memset(&a, 0x00, sizeof(a));
    memset(&b, 0xff, sizeof(b));
    assert_int_equal(sip_parse(p, n, &a), sip_parse(p, n, &b));
    assert_true(sip_msg_inside(&a));
    assert_true(sip_msg_same(&a, &b));
    if (sdp_find_in(a.body, a.content_type, &body)) {
        sdp_parse(body, &sdp);
        assert_true(sdp_inside(&sdp, body));
    }
    sdp_parse(a.raw, &sdp);
    assert_true(sdp_inside(&sdp, a.raw));
}

/* Every beginning and every end of each sample, right before a page that cannot be read. */
static void test_cuts(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(samples); i++) {
        for (size_t n = 0; n <= samples[i].len; n++) {
            uint8_t *p = guard_copy((const uint8_t *)samples[i].text, n);
            parse_and_check(p, n);
            guard_free(p, n);
            p = guard_copy((const uint8_t *)samples[i].text + samples[i].len - n, n);
            parse_and_check(p, n);
            guard_free(p, n);
        }
    }
}

/* What grammar is made of, more often than by chance. */
static uint8_t some_octet(uint64_t *seed)
{
    static const char pieces[] = "\r\n \t;,=<>\":@?/[]*\\\x80\xff";
    return (uint8_t)(prng_below(seed, 3) == 0 ? prng_next(seed) : (uint8_t)pieces[prng_below(seed, sizeof(pieces))]);
}

static size_t mutate(uint64_t *seed, uint8_t *text, size_t n)
{
    size_t changes = 1 + prng_below(seed, 8);
    for (size_t i = 0; i < changes && n > 1; i++) {
        size_t at = prng_below(seed, n);
        size_t len = prng_below(seed, n - at < 40 ? n - at : 40);
        switch (prng_below(seed, 3)) {
        case 0:
            text[at] = some_octet(seed);
            break;
        case 1: /* cut out */
            memmove(text + at, text + at + len, n - at - len);
            n -= len;
            break;
        default: /* a piece from somewhere else */
            memmove(text + at, text + prng_below(seed, n - len), len);
            break;
        }
    }
    return n;
}

static void test_mutations(void **state)
{
    (void)state;
    for (uint64_t round = 0; round < 20000; round++) {
        static uint8_t text[8192];
        uint64_t seed = round;
        size_t pick = prng_below(&seed, COUNT_OF(samples));
        memcpy(text, samples[pick].text, samples[pick].len);
        size_t n = mutate(&seed, text, samples[pick].len);
        uint8_t *p = guard_copy(text, n);
        parse_and_check(p, n);
        guard_free(p, n);
    }
}

static void test_noise(void **state)
{
    (void)state;
    for (uint64_t round = 0; round < 3000; round++) {
        static uint8_t text[600];
        uint64_t seed = round;
        size_t n = prng_below(&seed, sizeof(text));
        for (size_t i = 0; i < n; i++)
            text[i] = some_octet(&seed);
        uint8_t *p = guard_copy(text, n);
        parse_and_check(p, n);
        guard_free(p, n);
    }
}

/* 64 kB of each of these takes as long as 64 kB of anything: a quadratic step would run into the time limit. */
static void test_long_repeats(void **state)
{
    (void)state;
    static const char *const pieces[] = { "\r\n ",
                                          ",",
                                          ";",
                                          "\"",
                                          "\\\"",
                                          "<",
                                          "a:\r\n",
                                          "Via: ,;\r\n",
                                          "\x01",
                                          "\r",
                                          "m=\n",
                                          "--x\r\n",
                                          "Reason: ,\"\r\n",
                                          "Contact: <,\r\n" };
    static uint8_t text[65000];
    for (size_t i = 0; i < COUNT_OF(pieces); i++) {
        size_t n = (size_t)snprintf((char *)text, sizeof(text), "BYE sip:a SIP/2.0\r\nm: ");
        size_t len = strlen(pieces[i]);
        for (; n + len <= sizeof(text); n += len)
            memcpy(text + n, pieces[i], len);
        parse_and_check(text, n);
    }
}

/* An empty slice may have no pointer. */
static void test_no_octets(void **state)
{
    struct sip_msg msg;
    (void)state;
    assert_int_equal(sip_parse(NULL, 0, &msg), -1);
    assert_true(sip_has_problem(&msg, SIP_PROBLEM_START_LINE));
    assert_int_equal(msg.problem_offset, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_octets),
        cmocka_unit_test(test_cuts),
        cmocka_unit_test(test_mutations),
        cmocka_unit_test(test_noise),
        cmocka_unit_test(test_long_repeats),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
