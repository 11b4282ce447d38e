/* The SSE2 scans and their scalar twins give the same answers, and read nothing outside. */
#include "testlib.h"

#include "guard.h"
#include "sip/scan.h"

static void compare(const uint8_t *p, size_t n)
{
    static const uint8_t octets[] = { ':', '\n', '@', 0x80, 0 };
    bool high = false;
    bool high_scalar = false;
    assert_int_equal(scan_control(p, n, &high), scan_control_scalar(p, n, &high_scalar));
    assert_int_equal(high, high_scalar);
    for (size_t i = 0; i < sizeof(octets); i++)
        assert_int_equal(scan_octet(p, n, octets[i]), scan_octet_scalar(p, n, octets[i]));
    for (unsigned set = 0; set < 256; set++)
        assert_int_equal(scan_stop(p, n, set), scan_stop_scalar(p, n, set));
}

/* Each octet value at each place of each length around one and two blocks. */
static void test_every_octet(void **state)
{
    (void)state;
    for (size_t n = 0; n <= 49; n++) {
        uint8_t text[49];
        memset(text, 'x', sizeof(text));
        uint8_t *p = guard_copy(text, n);
        compare(p, n);
        for (size_t at = 0; at < n; at++) {
            for (unsigned c = 0; c < 256; c++) {
                bool high = false;
                bool high_scalar = false;
                p[at] = (uint8_t)c;
                assert_int_equal(scan_control(p, n, &high), scan_control_scalar(p, n, &high_scalar));
                assert_int_equal(high, high_scalar);
                assert_int_equal(scan_stop(p, n, 255), scan_stop_scalar(p, n, 255));
                assert_int_equal(scan_octet(p, n, (uint8_t)c), scan_octet_scalar(p, n, (uint8_t)c));
            }
            p[at] = 'x';
        }
        guard_free(p, n);
    }
}

static void test_random(void **state)
{
    (void)state;
    static const char rare[] = "abcdefgh;,=<\":? \t\r\n\x7f\x80\xff\x01";
    uint64_t seed = 7;
    for (int i = 0; i < 3000; i++) {
        uint8_t text[200];
        size_t n = prng_below(&seed, sizeof(text));
        for (size_t k = 0; k < n; k++) /* delimiters seldom, so that whole blocks go without */
            text[k] = (uint8_t)(prng_below(&seed, 30) == 0 ? rare[prng_below(&seed, sizeof(rare) - 1)] : 'x');
        uint8_t *p = guard_copy(text, n);
        compare(p, n);
        guard_free(p, n);
    }
}

static void test_control(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t expect;
        bool high;
    } cases[] = {
        { "abc\tdef\r\n", 7, false }, { "\x7f", 0, false },
        { "\xc3\xa9\n", 2, true },    { "", 0, false },
        { "\n\xc3", 0, false },       { "0123456789abcdef\xff", 17, true },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        bool high = false;
        assert_int_equal(scan_control((const uint8_t *)cases[i].text, strlen(cases[i].text), &high), cases[i].expect);
        assert_int_equal(high, cases[i].high);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_control),
        cmocka_unit_test(test_every_octet),
        cmocka_unit_test(test_random),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
